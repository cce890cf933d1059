"""Processors with one energy for every operation."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from costmodel.devices import (
    USUAL,
    Charge,
    Cost,
    Device,
    Factor,
    Outcome,
    Parameter,
    handles,
    parameter,
)
from costmodel.scenario import Scenario
from costmodel.workload.composite import Softmax
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Counted,
    Elementwise,
    Gather,
    Movement,
    Operator,
    Reduction,
)
from costmodel.workload.reasons import Free


@frozen
class PerOperation(Device):
    """One effective energy per operation, of the whole chip with memory, for every numeric format.

    They are effective energies: of a multiply-accumulate, of a neuron update and of any other
    operation, each with its share of memory and control.
    """

    family: ClassVar = "per-operation"
    not_modelled: ClassVar = "idle power, time, batching, caches, utilisation, formats"
    ignores: ClassVar = ("timesteps", "dt", "rates", "formats")
    resources: ClassVar = ("processor",)
    capabilities: ClassVar = USUAL | {"separable"}

    energy_per_multiply_accumulate: Parameter = parameter("J")
    energy_per_neuron_update: Parameter = parameter("J")
    energy_per_other_operation: Parameter = parameter("J")

    @handles(Contraction)
    def contraction(self, operator: Operator, scenario: Scenario) -> Outcome:
        """Every multiply-accumulate once."""
        count = Factor("multiply-accumulates", operator.macs)
        return _cost(self.energy_per_multiply_accumulate, count, scenario)

    @handles(Counted)
    def counted(self, operator: Counted, scenario: Scenario) -> Outcome:
        """Every counted operation once, as the type of operation that it is."""
        if operator.macs:
            return self.contraction(operator, scenario)
        count = Factor(f"{operator.operation} operations", operator.count)
        return _cost(self.energy_per_other_operation, count, scenario)

    @handles(Activation, Softmax)
    def activation(self, operator: Activation, scenario: Scenario) -> Outcome:
        """Every element once."""
        count = Factor("neuron updates", operator.elements)
        return _cost(self.energy_per_neuron_update, count, scenario)

    @handles(Elementwise, Reduction)
    def arithmetic(self, operator: Operator, scenario: Scenario) -> Outcome:
        """Every addition, multiplication and comparison once."""
        total = sum(operator.operations.values())
        if not total:
            return Free("nothing is computed: a window of one element")
        count = Factor("operations", total)
        return _cost(self.energy_per_other_operation, count, scenario)

    @handles(Gather, Movement)
    def transport(self, operator: Operator, scenario: Scenario) -> Outcome:
        """No arithmetic, so no charge: an energy for memory apart is not in the formula."""
        return Free("no arithmetic; memory is in the energy of each operation, or left out")


def _cost(price: Parameter, count: Factor, scenario: Scenario) -> Cost:
    factors = (count,) if scenario.batch == 1 else (count, Factor("examples", scenario.batch))
    return Cost([Charge("processor", "compute", factors, price)])
