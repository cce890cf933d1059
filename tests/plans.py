"""Drawn workloads of a few operators that fuse, and a device that prices them."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import frozen
from hypothesis import strategies as st

from costmodel.devices import (
    USUAL,
    Access,
    Charge,
    Cost,
    Device,
    Duration,
    Evidence,
    Factor,
    Memory,
    Parameter,
    Schedule,
    handles,
    parameter,
)
from costmodel.formats import parse_format
from costmodel.testing.strategies import workloads
from costmodel.workload.graph import Workload
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Movement,
    Operator,
    Reduction,
)

FORMATS = st.sampled_from([None, parse_format("int8"), parse_format("int4")])


def figure(name: str, value: float, unit: str, low: float | None = None) -> Parameter:
    low = value if low is None else low
    return Parameter(name, value, unit, "a test", Evidence.ASSUMED, low=low, high=2 * value)


@frozen(slots=False)
class Sheet(Device):
    """One joule for every multiply-accumulate, and a resource for each sort of operator."""

    family = "sheet"
    resources = ("array", "vector", "mover")
    fuses = ("activation", "bias", "padding")
    uses_memories = True
    capabilities: ClassVar = USUAL | {"timed"}

    energy: Parameter = parameter("J")
    clock: Parameter = parameter("Hz", positive=True)

    @handles(Contraction)
    def product(self, operator: Operator, scenario: Any) -> Cost:  # the same in all
        return self._cost("array", operator.macs, "run")

    @handles(Activation, Elementwise, Reduction)
    def pointwise(self, operator: Operator, scenario: Any) -> Cost:  # the same in all
        return self._cost("vector", sum(operator.operations.values()), "run")

    @handles(Movement)
    def carried(self, operator: Operator, scenario: Any) -> Cost:  # the same in all
        return self._cost("mover", operator.points, "start")

    def _cost(self, resource: str, count: int, phase: str) -> Cost:
        charge = Charge(resource, "compute", (Factor("operations", count),), self.energy)
        return Cost([charge], durations=[Duration(resource, count, self.clock, phase)])


def sheet(buffer_bytes: float = 40, **changes: Any) -> Sheet:
    """A device with a small buffer for activations, and a large memory for everything."""
    memories = [
        Memory(
            name="buffer", size=figure("size", buffer_bytes, "B"), holds=("input", "output"),
            read=Access(figure("buffer read", 1.0, "J"), 16),
            write=Access(figure("buffer write", 2.0, "J"), 16),
            bandwidth=figure("buffer rate", 8.0, "B/s"),
        ),
        Memory(
            name="dram", read=Access(figure("dram read", 10.0, "J"), 64),
            write=Access(figure("dram write", 20.0, "J"), 64),
            bandwidth=figure("dram rate", 2.0, "B/s", low=1.0),
        ),
    ]  # fmt: skip
    given = {"energy": figure("energy", 1.0, "J"), "clock": figure("clock", 4.0, "Hz")}
    return Sheet("sheet", memories=memories, **{**given, **changes})


def plans() -> st.SearchStrategy[Workload]:
    """Products, activations, additions, padding and views over earlier tensors."""
    return workloads(elements=FORMATS, has_batch=False, has_control_flow=False)


@frozen(slots=False)
class Powered(Sheet):
    """The same device with a power that is drawn all the time."""

    family = "powered"
    resources = (*Sheet.resources, "chip")

    idle_power: Parameter = parameter("W")

    def static_charges(self, schedule: Schedule) -> Any:
        return [schedule.drawn(self.idle_power, "chip")]


def powered(**changes: Any) -> Powered:
    plain = sheet()
    return Powered(
        "powered", energy=plain.energy, clock=plain.clock, memories=plain.memories,
        **{"idle_power": figure("idle", 3.0, "W"), **changes},
    )  # fmt: skip
