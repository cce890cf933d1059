"""The mapping of least energy, latency, or product of both, with the gap to a proven bound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from attrs import frozen

from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.counting.accounting import Costs, costs
from costmodel_hardware.spatial.counting.links import Spatial, energy, ports
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.search.chains import Chain, Cut, Space
from costmodel_hardware.spatial.search.lattice import Lattice, Values

Objective: TypeAlias = Literal["energy", "latency", "edp"]
OBJECTIVES: Final[tuple[Objective, ...]] = get_args(Objective)
Measure: TypeAlias = Callable[[Costs], float]
SpatialLoops: TypeAlias = tuple[tuple[str, tuple[Loop, ...]], ...]
ROUNDS: Final = 12
"""Weightings of the ports that are tried for latency."""
_SAME: Final = 1e-12
"""Values whose ratio differs from 1 by no more are one value."""


@frozen
class Found:
    """A mapping, what it costs, and how good it is: no mapping of the space is below `bound`."""

    mapping: Nesting
    costs: Costs
    value: float
    bound: float
    evaluated: int
    """Mappings that were counted in full."""

    @property
    def gap(self) -> float:
        """By which share the value may lie above the least one: 0 where it is proven."""
        if self.bound >= self.value * (1 - _SAME):
            return 0.0
        return self.value / self.bound - 1 if self.bound > 0 else math.inf


@frozen(kw_only=True)
class Search:
    """What is searched for: an objective, or a measure of the costs without a bound.

    `limit_seconds` ends a search early, with the bound that is proven then. A `stationary` operand
    stays in the array until all that it is used for is done.
    """

    objective: Objective = "energy"
    measure: Measure | None = None
    stationary: Slot | None = None
    limit_seconds: float | None = None
    seconds_per_cycle: float = 0.0
    homes: tuple[tuple[Slot, int], ...] = ()


def value_of(found: Costs, search: Search) -> float:
    """What is to be least."""
    if search.measure is not None:
        return search.measure(found)
    if search.objective == "energy":
        return found.energy
    if search.objective == "latency":
        return found.latency.total
    return found.energy * found.latency.total


def best_mapping(
    nest: Nest,
    architecture: Architecture,
    spatial_loops: Iterable[SpatialLoops],
    search: Search | None = None,
) -> Found:
    """The best mapping among several ways to spread a nest over the array.

    Ties go to what comes first: fewer cycles, and then the order in which the ways are given.

    Raises:
        MappingError: nothing fits; names the memory, the smallest tile and the missing bits.

    """
    search = Search() if search is None else search
    deadline = None if search.limit_seconds is None else time.monotonic() + search.limit_seconds
    best: Found | None = None
    bounds, evaluated, reasons = [], 0, []
    for loops in spatial_loops:
        spatial = Spatial(nest, architecture, loops, search.homes)
        one = _On(spatial, search, deadline).best()
        if isinstance(one, str):
            reasons.append(one)
            continue
        bounds.append(one.bound)
        evaluated += one.evaluated
        if best is None or _key(one) < _key(best):
            best = one
    if best is None:
        raise MappingError(reasons[0] if reasons else "there is no way to spread it over the array")
    return Found(best.mapping, best.costs, best.value, min(bounds), evaluated)


def _key(found: Found) -> tuple[float, float, float]:
    return found.value, found.costs.latency.total, found.costs.energy


class _Additive(NamedTuple):
    """What adds up over cuts: joules, and cycles of each port."""

    energy: Mapping[Cut, Values]
    cycles: Mapping[str, Mapping[Cut, Values]]
    constant_energy: float
    constant_cycles: Mapping[str, float]


class _On:
    """The search on one way to spread a nest."""

    def __init__(self, spatial: Spatial, search: Search, deadline: float | None) -> None:
        self.spatial, self.search, self.deadline = spatial, search, deadline
        self.lattice = Lattice.of(spatial.steps)
        self.space = Space.of(spatial, self.lattice, search.stationary)
        self.additive = _additive(spatial, self.lattice, self.space)
        self.counted: dict[Nesting, Costs] = {}

    def best(self) -> Found | str:
        chain = self._least(self.additive.energy, self.additive.constant_energy)
        if chain is None:
            return _why_nothing_fits(self.space)
        first = self._counted(chain)
        least_energy = chain.bound + self._leakage(self._least_cycles())
        if self.search.measure is None and self.search.objective == "energy":
            if first[1].leakage_energy == 0:
                return Found(*first, chain.cost, chain.bound, 1)
            self._try_ports(least_energy)
            return self._answer(least_energy)
        cycles = self._try_ports(least_energy)
        bound = {"energy": least_energy, "latency": cycles, "edp": least_energy * cycles}
        return self._answer(
            bound[self.search.objective] if self.search.measure is None else -math.inf
        )

    def _answer(self, bound: float) -> Found:
        ranked = sorted(
            self.counted.items(),
            key=lambda item: (value_of(item[1], self.search), item[1].latency.total),
        )
        mapping, found = ranked[0]
        value = value_of(found, self.search)
        return Found(mapping, found, value, min(bound, value), len(self.counted))

    def _leakage(self, cycles: float) -> float:
        architecture = self.spatial.architecture
        watts = math.fsum(
            level.leakage * architecture.instances(level) for level in architecture.levels
        )
        return watts * cycles * self.search.seconds_per_cycle

    def _least_cycles(self) -> float:
        """Cycles of computing and of the hops, which no mapping in time avoids."""
        hops = sum(
            max(self.spatial.used(axis) - 1, 0) for axis in self.spatial.architecture.systolic
        )
        return self.spatial.cycles + hops

    def _least(self, values: Mapping[Cut, Values], constant: float) -> Chain | None:
        return self.space.best(values, constant, self.deadline)

    def _counted(self, chain: Chain) -> tuple[Nesting, Costs]:
        mapping = mapping_of(self.spatial, self.lattice, chain)
        if mapping not in self.counted:
            self.counted[mapping] = costs(
                self.spatial.nest,
                self.spatial.architecture,
                mapping,
                homes=dict(self.search.homes),
                seconds_per_cycle=self.search.seconds_per_cycle,
            )
        return mapping, self.counted[mapping]

    def _try_ports(self, least_energy: float) -> float:
        """Mappings for weightings of the ports, and a bound of the cycles.

        The latency is at least the cycles that each port is busy, and so at least any weighted
        mean of them. The busiest port of the best mapping so far gets more weight each time.
        """
        bound = self._least_cycles()
        names = list(self.additive.cycles)
        weights = dict.fromkeys(names, 1.0)
        known = set(self.counted)
        for turn in range(ROUNDS):
            if self._is_late() or not names:
                break
            total = sum(weights.values())
            share = {name: weight / total for name, weight in weights.items()}
            chain = self._weighted(share)
            if chain is None:
                break
            bound = max(bound, chain.bound)
            mapping, found = self._counted(chain)
            best = min(one.latency.total for one in self.counted.values())
            if best <= bound * (1 + _SAME) and self.search.objective == "latency":
                break
            busiest = max(found.port_cycles.values(), default=0.0)
            if not busiest or (mapping in known and turn > 1):
                break
            known.add(mapping)
            for name in names:
                weights[name] *= math.exp(2 * found.port_cycles.get(name, 0.0) / busiest)
        self._mix(least_energy, bound)
        return bound

    def _mix(self, least_energy: float, bound: float) -> None:
        """Mappings between least energy and least latency."""
        busy = [name for name in self.additive.cycles if self.additive.cycles[name]]
        for ratio in (0.3, 1.0, 3.0):
            if self._is_late() or not busy or least_energy <= 0:
                return
            values = {
                cut: own / least_energy
                + ratio
                * sum(self.additive.cycles[name].get(cut, np.zeros(1)) for name in busy)
                / (bound * len(busy))
                for cut, own in self.additive.energy.items()
            }
            chain = self._least(values, 0.0)
            if chain is not None:
                self._counted(chain)

    def _weighted(self, share: Mapping[str, float]) -> Chain | None:
        nothing = np.zeros(self.lattice.size)
        values = {
            cut: sum(
                (
                    weight * self.additive.cycles[name].get(cut, nothing)
                    for name, weight in share.items()
                ),
                nothing,
            )
            for cut in self.space.cuts
        }
        constant = sum(
            weight * self.additive.constant_cycles.get(name, 0.0) for name, weight in share.items()
        )
        return self._least(values, constant)

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


def _additive(spatial: Spatial, lattice: Lattice, space: Space) -> _Additive:
    """Energy and port cycles of every cut and tile."""
    joules: dict[Cut, Values] = {}
    cycles: dict[str, dict[Cut, Values]] = {}
    constant = spatial.nest.macs * spatial.architecture.mac_energy
    fixed: dict[str, float] = {}
    single = {dim: [1] for dim in spatial.steps}
    for link in spatial.links:
        cut = Cut(link.operand, link.child)
        is_cut = cut in space.cuts
        for place, flow, _, bits in spatial.flows(link, lattice.tiles if is_cut else single):
            level = spatial.architecture.levels[place]
            own = np.broadcast_to(energy(level, flow, bits), lattice.shape).reshape(-1)
            each = np.broadcast_to(bits, lattice.shape).reshape(-1) / spatial.instances(place)
            if is_cut:
                joules[cut] = joules.get(cut, np.zeros(lattice.size)) + own
            else:
                constant += float(own[0])
            for port, rate in ports(level, link.operand, flow):
                name = f"{level.name}.{port}"
                table = cycles.setdefault(name, {})
                if is_cut:
                    table[cut] = table.get(cut, np.zeros(lattice.size)) + each / rate
                else:
                    fixed[name] = fixed.get(name, 0.0) + float(each[0]) / rate
    return _Additive(joules, cycles, constant, fixed)


def mapping_of(spatial: Spatial, lattice: Lattice, chain: Chain) -> Nesting:
    """The nest of loops whose tiles are those of a chain."""
    numbers = sorted(set(chain.tiles.values()) | {0, lattice.size - 1})
    tiles = [lattice.tile(number) for number in numbers]
    order = sorted(range(len(tiles)), key=lambda one: math.prod(tiles[one].values()))
    temporal: list[Loop] = []
    ends = {numbers[order[0]]: 0}
    for inner, outer in pairwise(order):
        temporal += lattice.loops(tiles[inner], tiles[outer])
        ends[numbers[outer]] = len(temporal)
    cuts = {
        slot: [ends[chain.tiles[Cut(slot, place)]] for place in spatial.chains[slot][:-1]]
        for slot in SLOTS
    }
    return Nesting(spatial.loops, temporal, cuts)


def _why_nothing_fits(space: Space) -> str:
    """The memory whose smallest tiles do not fit, with the missing bits."""
    spatial = space.spatial
    for place, level in enumerate(spatial.architecture.levels):
        own = {
            cut.operand: min(space.sizes[cut].partial[0], space.sizes[cut].complete[0])
            for cut in space.cuts
            if cut.place == place
        }
        bits = int(sum(own.values())) + space.fixed_bits.get(place, 0)
        if level.has_room_for(bits):
            continue
        shown = "; ".join(f"{slot} {int(size):,}" for slot, size in own.items())
        whole = space.fixed_bits.get(place, 0)
        homes = f"; {whole:,} of operands that lie there as a whole" if whole else ""
        size = level.size_bits or 0
        return (
            f"memory {level.name!r} has {size:,} bits; the smallest tiles take {bits:,}, "
            f"{bits - size:,} too many: {shown}{homes}"
        )
    return (
        "no chain of tiles fits: each memory has room for the smallest tiles, but not under the "
        "constraints of the dataflow"
    )
