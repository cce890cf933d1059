"""A device with a formula of its own."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from acme_costmodel.operators import Mixing
from costmodel import Device, Scenario
from costmodel.devices import USUAL, Charge, Cost, Factor, Parameter, handles, parameter
from costmodel.workload.operators import Contraction


@frozen
class Crossbar(Device):
    """Analog products in a crossbar, and a conversion for every result; the rest is unpriced."""

    family: ClassVar = "acme-crossbar"
    not_modelled: ClassVar = "control, static power, time"
    ignores: ClassVar = ("timesteps", "dt", "rates", "formats")
    resources: ClassVar = ("crossbar", "converters")
    capabilities: ClassVar = USUAL

    energy_per_product: Parameter = parameter("J")
    energy_per_conversion: Parameter = parameter("J")

    @handles(Contraction, Mixing)
    def sums_of_products(self, operator: Contraction | Mixing, scenario: Scenario) -> Cost:
        """Every product and every result, for each example."""
        examples = Factor("examples", scenario.batch)
        products = (Factor("products", operator.macs), examples)
        results = (Factor("results", operator.elements), examples)
        return Cost((
            Charge("crossbar", "compute", products, self.energy_per_product),
            Charge("converters", "output", results, self.energy_per_conversion),
        ))  # fmt: skip
