"""A processor by the roofline model: each group takes its arithmetic or its traffic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import frozen
from figures import near
from plans import figure
from worlds import REGISTRY

import costmodel
from costmodel import Scenario
from costmodel.devices import (
    USUAL,
    Access,
    Charge,
    Cost,
    Device,
    Duration,
    Factor,
    FormatTable,
    Memory,
    Outcome,
    Parameter,
    handles,
    parameter,
)
from costmodel.formats import parse_format
from costmodel.testing import DeviceContract
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operator,
    Reduction,
)
from costmodel.workload.reasons import Unpriced

VISION = Path(__file__).parents[1] / "networks" / "vision.json"
PEAK = {"float32": 1e12, "int8": 4e12}
BANDWIDTH, OVERHEAD = 50e9, 2e-6


@frozen(slots=False)
class Roofline(Device):
    """Operations at a peak rate by format, traffic at a bandwidth, and a start of every group."""

    family = "roofline-test"
    resources = ("cores", "launch")
    fuses = ("activation", "bias", "padding")
    uses_memories = True
    ignores: ClassVar = ("timesteps", "dt", "rates")
    capabilities: ClassVar = USUAL | {"timed", "placed"}

    peak_rate: FormatTable = parameter("OP/s", by_format=True, positive=True)
    energy_per_operation: Parameter = parameter("J")
    launch_overhead: Parameter = parameter("s")

    @handles(Contraction, Activation, Elementwise, Reduction, Movement, Gather)
    def everything(self, operator: Operator, scenario: Scenario) -> Outcome:
        """Two operations for each multiply-accumulate; a movement has none."""
        number = (operator.inputs or operator.outputs)[0].format or scenario.default_format
        rate = self.peak_rate.get(number)
        if rate is None:
            return Unpriced(f"peak_rate is not known for {number}")
        count = scenario.batch * (2 * operator.macs or sum(operator.operations.values()))
        charge = Charge(
            "cores", "compute", (Factor("operations", count),), self.energy_per_operation
        )
        return Cost([charge], durations=[Duration("cores", count, rate)])

    def price_traffic(self, group: Any, traffic: Any, placement: Any, scenario: Any) -> Cost:
        """The traffic, and one start for the whole group."""
        moved = super().price_traffic(group, traffic, placement, scenario)
        start = Duration("launch", 1, self.launch_overhead, "start")
        return Cost(moved.charges, durations=[start, *moved.durations])


def roofline(bandwidth: float = BANDWIDTH) -> Roofline:
    rates = {parse_format(name): figure(name, rate, "OP/s") for name, rate in PEAK.items()}
    dram = Memory(
        name="dram", bandwidth=figure("rate", bandwidth, "B/s"),
        read=Access(figure("read", 10e-12, "J"), 8), write=Access(figure("write", 10e-12, "J"), 8),
    )  # fmt: skip
    return Roofline(
        "roofline", memories=[dram], peak_rate=FormatTable("peak_rate", rates),
        energy_per_operation=figure("energy_per_operation", 1e-12, "J"),
        launch_overhead=figure("launch_overhead", OVERHEAD, "s"),
    )  # fmt: skip


class TestRoofline(DeviceContract):
    @pytest.fixture
    def device(self) -> Any:
        return roofline()


@pytest.mark.parametrize("text", PEAK)
@pytest.mark.parametrize("batch", [1, 8])
def test_each_layer_takes_the_longer_of_its_arithmetic_and_its_traffic(
    text: str, batch: int
) -> None:
    """Against the shapes of the layers of the network, by hand."""
    scenario = Scenario(batch=batch, default_format=text)
    network = REGISTRY.read(VISION)
    bill = costmodel.estimate(
        network, [roofline()], scenario=scenario, on_unpriced="bound", registry=REGISTRY
    ).bill("roofline")
    size = parse_format(text).bits // 8
    for layer in network.layers:
        if layer.kind != "keras.Conv2D":
            continue
        (group,) = bill.line(layer.name).groups
        members = [node.operator for node in group.group.nodes if node.folds_into is None]
        macs = sum(one.macs for one in members)
        others = sum(sum(one.operations.values()) for one in members if not one.macs)
        image = batch * math.prod(layer.inputs[0].shape)
        result = batch * math.prod(layer.outputs[0].shape)
        moved = size * (image + result + layer.parameter_count)
        arithmetic = (2 * macs + others) / PEAK[text]
        expected = OVERHEAD + max(arithmetic, moved / BANDWIDTH)
        assert group.cost.latency_seconds == near(expected)
        assert sum(map(sum, bill.line(layer.name).traffic_bytes.values())) == moved


def test_a_faster_memory_shifts_what_limits_a_layer() -> None:
    limits = [
        costmodel.estimate(
            VISION, [roofline(bandwidth)], scenario=Scenario(default_format="int8"),
            on_unpriced="bound", registry=REGISTRY,
        ).bill("roofline").evaluation.limiting_resource
        for bandwidth in (1e6, 1e15)
    ]  # fmt: skip
    assert limits[0] == "dram"
    assert limits[1] != "dram"


def test_a_format_without_a_rate_is_unpriced() -> None:
    estimate = roofline().evaluate(
        costmodel.lower(REGISTRY.read(VISION)), Scenario(default_format="int4")
    )
    assert estimate.unpriced
    assert all("peak_rate is not known" in reason for reason in estimate.unpriced.values())
