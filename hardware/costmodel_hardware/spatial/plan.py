"""How an accelerator maps contractions, and a contraction that is mapped."""

from __future__ import annotations

import math
from collections.abc import Collection
from collections.abc import Mapping as Map
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import evolve, frozen

from costmodel_hardware.spatial.architecture import Architecture, Flow, Slot
from costmodel_hardware.spatial.dataflow import Dataflow, SpatialLoops, ways
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Nest

if TYPE_CHECKING:
    from costmodel_hardware.spatial.counting.accounting import Costs

Objective: TypeAlias = Literal["energy", "latency", "edp"]
"""What a search makes least; `edp` is energy times latency."""
OBJECTIVES: Final[tuple[Objective, ...]] = get_args(Objective)
COSTMODEL: Final = "costmodel"
SCALE_SIM: Final = "scale-sim"
ZIGZAG: Final = "zigzag"
ACCOUNTING_NAMES: Final = (COSTMODEL, SCALE_SIM, ZIGZAG)
"""Who counts words, energy and cycles: see `accountings`."""
Homes: TypeAlias = tuple[tuple[Slot, int], ...]
"""The place of the outermost memory that each operand lies in."""


def value_of(objective: Objective, joules: float, cycles: float) -> float:
    """What an objective makes of energy and latency."""
    return {"energy": joules, "latency": cycles, "edp": joules * cycles}[objective]


@frozen
class Plan:
    """How an accelerator maps contractions: what it is made of, and what is searched for."""

    architecture: Architecture
    dataflow: Dataflow
    objective: Objective
    seconds_per_cycle: float
    accounting: str = COSTMODEL
    minimum_utilization: float = 1.0
    limit_seconds: float | None = None
    is_ragged: bool = False

    def ways(self, nest: Nest) -> list[SpatialLoops]:
        """The ways to spread a nest over the array."""
        return ways(nest, self.architecture, self.dataflow, self.minimum_utilization)

    def beside(self, taken: Map[str, int]) -> Plan:
        """The same with what is left of each memory beside so many bits."""
        levels = tuple(
            level
            if level.size_bits is None or not taken.get(level.name)
            else evolve(level, size_bits=max(level.size_bits - taken[level.name], 0))
            for level in self.architecture.levels
        )
        return evolve(self, architecture=evolve(self.architecture, levels=levels))

    def crossing(self, memory: str, slot: Slot, bits: int) -> tuple[float, float]:
        """Joules and cycles in which a memory reads a whole input, or takes a whole output."""
        import numpy as np  # noqa: PLC0415  # on demand

        from costmodel_hardware.spatial.counting.links import energy, ports  # noqa: PLC0415  # the same

        level = self.architecture.level(memory)
        flow: Flow = "write_from_below" if slot == "output" else "read_to_below"
        rates = [rate for _, rate in ports(level, slot, flow)]
        cycles = max((bits / rate for rate in rates), default=0.0)
        return float(energy(level, flow, np.array(float(bits)))), cycles

    def holds_all(self, nest: Nest, memories: Collection[str | None]) -> bool:
        """Whether some memories have room for whole operands, twice where they are double-buffered.

        Results count as sums.
        """
        for level in self.architecture.levels:
            tensors = [nest.tensor(slot) for slot in level.holds]
            bits = sum(math.prod(one.shape) * max(one.bits, one.partial_bits) for one in tensors)
            twice = 2 if level.double_buffered else 1
            if level.name in memories and not level.has_room_for(bits * twice):
                return False
        return True

    def unlimited(self, memories: Collection[str | None]) -> Plan:
        """The same with room for everything in some memories."""
        levels = tuple(
            evolve(level, size_bits=None) if level.name in memories else level
            for level in self.architecture.levels
        )
        return evolve(self, architecture=evolve(self.architecture, levels=levels))


@frozen
class Mapped:
    """A contraction on an accelerator: its nest, its mapping and what that costs."""

    nest: Nest
    mapping: Mapping | None
    """None where the accounting knows of no nest of loops."""
    costs: Costs
    gap: float | None = None
    """By which share of the objective the mapping may be above the best; None if not searched."""
