"""How an accelerator maps contractions, and a contraction that is mapped."""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import evolve, frozen

from costmodel_hardware.spatial.architecture import Architecture, Slot
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


@frozen
class Mapped:
    """A contraction on an accelerator: its nest, its mapping and what that costs."""

    nest: Nest
    mapping: Mapping | None
    """None where the accounting knows of no nest of loops."""
    costs: Costs
    gap: float | None = None
    """By which share of the objective the mapping may be above the best; None if not searched."""
