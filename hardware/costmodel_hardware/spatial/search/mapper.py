"""The mapping of least energy, latency, or a function of both, with the gap to a proven bound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import numpy as np
from attrs import evolve, frozen

from costmodel.devices.progress import report, step
from costmodel.errors import UnknownNameError
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.counting.accounting import Costs, costs
from costmodel_hardware.spatial.counting.links import ARRAY, Link, Spatial, energy, ports
from costmodel_hardware.spatial.counting.validity import MappingError, OutOfTimeError
from costmodel_hardware.spatial.dataflow import SpatialLoops
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.plan import OBJECTIVES, Objective
from costmodel_hardware.spatial.plan import value_of as objective_value
from costmodel_hardware.spatial.search.chains import Chain, ChainSearch, Cut, Space
from costmodel_hardware.spatial.search.lattice import Lattice, Values

Measure: TypeAlias = Callable[[Costs], float]
Function: TypeAlias = Callable[[float, float], float]
"""A value of joules and cycles that never falls when one of them rises."""
ROUNDS: Final = 12
"""Weightings that are tried for latency."""
RATIOS: Final = (0.3, 1.0, 3.0)
"""What all energy weighs beside all cycles, where both are made less together."""
RATIOS_OF_FUNCTIONS: Final = (0.01, 0.1, *RATIOS, 10.0, 100.0)
"""The same for functions of both, which may weigh one of them more."""
STEP: Final = 2.0
"""How fast weights grow: in a round by up to e to this power."""
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

    The objective is a name, or a function of joules and cycles that never falls when one of them
    rises; its bound is the value at the bounds of both.

    `limit_seconds` ends a search early, with the bound that is proven then. A `stationary` operand
    stays in the array until all that it is used for is done. With `is_ragged`, tiles need not
    divide the steps of a dimension.
    """

    objective: Objective | Function = "energy"
    measure: Measure | None = None
    stationary: Slot | None = None
    is_ragged: bool = False
    limit_seconds: float | None = None
    seconds_per_cycle: float = 0.0
    homes: tuple[tuple[Slot, int], ...] = ()

    def __attrs_post_init__(self) -> None:
        """Check the names.

        Raises:
            UnknownNameError: of an objective or of a stationary operand.

        """
        if isinstance(self.objective, str) and self.objective not in OBJECTIVES:
            raise UnknownNameError(self.objective, OBJECTIVES, "objective of a search")
        if self.stationary is not None and self.stationary not in SLOTS:
            raise UnknownNameError(self.stationary, SLOTS, "stationary operand")

    @property
    def is_energy(self) -> bool:
        """Whether the least energy is searched for, which is exact but for leakage."""
        return self.measure is None and self.objective == "energy"

    def value(self, joules: float, cycles: float) -> float:
        """The objective for some energy and latency."""
        if not isinstance(self.objective, str):
            return float(self.objective(joules, cycles))
        return objective_value(self.objective, joules, cycles)

    def bound(self, joules: float, cycles: float) -> float:
        """What no mapping is below that takes at least so many joules and cycles."""
        if not math.isfinite(joules):
            return math.inf  # nothing fits
        return self.value(joules, cycles) if self.measure is None else -math.inf


def value_of(found: Costs, search: Search) -> float:
    """What is to be least."""
    if search.measure is not None:
        return search.measure(found)
    return search.value(found.energy, found.latency.total)


def best_mapping(
    nest: Nest,
    architecture: Architecture,
    spatial_loops: Iterable[SpatialLoops],
    search: Search | None = None,
) -> Found:
    """The best mapping among several ways to spread a nest over the array.

    Ragged tiles include those that divide; but for energy, the best of more tiles may not be found,
    and the best of the divisors is counted as well.

    Ties go to fewer cycles, then to less energy, and then to the way with the lower bound, or the
    first. Ways whose bound lies above what another one has are not searched further.

    Raises:
        MappingError: nothing fits; names the memory, the smallest tile and the missing bits.
        OutOfTimeError: none was found within the time limit.
        ValueError: a function falls when energy or latency rises.

    """
    search, ways = Search() if search is None else search, list(spatial_loops)
    if not search.is_ragged or search.is_energy:
        return _best_mapping(nest, architecture, ways, search)
    begin = time.monotonic()
    try:
        plain = _best_mapping(nest, architecture, ways, evolve(search, is_ragged=False))
    except MappingError:
        return _best_mapping(nest, architecture, ways, search)
    if search.limit_seconds is not None:
        left = search.limit_seconds - (time.monotonic() - begin)
        search = evolve(search, limit_seconds=max(left, 0.0))
    try:
        found = _best_mapping(nest, architecture, ways, search)
    except OutOfTimeError:
        return evolve(plain, bound=-math.inf)
    best = min(plain, found, key=_key)
    bound, evaluated = min(found.bound, best.value), plain.evaluated + found.evaluated
    return Found(best.mapping, best.costs, best.value, bound, evaluated)


def _best_mapping(
    nest: Nest, architecture: Architecture, spatial_loops: Iterable[SpatialLoops], search: Search
) -> Found:
    """The best mapping with the tiles that a search asks for."""
    deadline = None if search.limit_seconds is None else time.monotonic() + search.limit_seconds
    several = [
        _On(Spatial(nest, architecture, loops, search.homes), search, deadline)
        for loops in _distinct(architecture, spatial_loops)
    ]
    best: Found | None = None
    ranked = _ranked(several)
    bounds, evaluated = [one.floor for one in several if one not in ranked], 0
    for number, one in enumerate(ranked, start=1):
        known = math.inf if best is None else best.value * (1 + _SAME)
        if best is not None and (one.least > known or one.is_late):
            bounds.append(one.least)  # of all that follow
            break
        with step("way to spread it", number, len(several)):
            found = one.best(known)
        if found is None:
            bounds.append(one.least if one.is_late else math.inf)
            continue
        bounds.append(found.bound)
        evaluated += found.evaluated
        if best is None or _key(found) < _key(best):
            best = found
    if best is None:
        raise _why_nothing_fits(several)
    return Found(best.mapping, best.costs, best.value, min(bounds), evaluated)


def _ranked(several: Iterable[_On]) -> list[_On]:
    """The ways to spread a nest by their bounds, as far as there is time to find these."""
    bounds: list[tuple[float, _On]] = []
    for one in several:
        if bounds and one.is_late:
            break
        report(f"bounds of ways to spread it ({len(bounds) + 1} so far)")
        bounds.append((one.least, one))
    return [one for _, one in sorted(bounds, key=lambda pair: pair[0])]


def _distinct(
    architecture: Architecture, spatial_loops: Iterable[SpatialLoops]
) -> Iterator[SpatialLoops]:
    """The ways that differ in more than the names of axes that are alike in all respects."""
    levels, systolic = architecture.levels, architecture.systolic
    kinds: dict[str, Any] = {
        name: (size, name in systolic, *[name in level.per for level in levels])
        for name, size in architecture.axes
    }
    seen = set()
    for loops in spatial_loops:
        dims = [{loop.dim for loop in own} for _, own in loops]
        # The units of a dimension over several axes are numbered in the order of these.
        is_plain = sum(map(len, dims)) == len(set().union(*dims))
        key = tuple(sorted((kinds[axis] if is_plain else axis, own) for axis, own in loops))
        if key not in seen:
            seen.add(key)
            yield loops


def _key(found: Found) -> tuple[float, float, float]:
    return found.value, found.costs.latency.total, found.costs.energy


class _Additive(NamedTuple):
    """What adds up over cuts: joules, and cycles of each port and of the first and last tiles.

    `steady` are the cycles of a port but for the first inputs and weights and the last results;
    `once` is how long the first (last) tiles of an operand take from memory to memory.
    """

    energy: Mapping[Cut, Values]
    steady: Mapping[str, Mapping[Cut, Values]]
    once: Mapping[Slot, Mapping[Cut, Values]]
    constant_energy: float
    constant_steady: Mapping[str, float]


class _Weights(NamedTuple):
    """Shares of what latency is the maximum of: computing and the ports, inputs and weights."""

    steady: Mapping[str, float]
    first: Mapping[Slot, float]


class _On:
    """The search on one way to spread a nest."""

    def __init__(self, spatial: Spatial, search: Search, deadline: float | None) -> None:
        self.spatial, self.search, self.deadline = spatial, search, deadline
        self.counted: dict[Nesting, Costs] = {}

    @cached_property
    def lattice(self) -> Lattice:
        """The tiles in time."""
        return Lattice.of(self.spatial.steps, is_ragged=self.search.is_ragged)

    @cached_property
    def space(self) -> Space:
        """The chains of tiles."""
        return Space.of(self.spatial, self.lattice, self.search.stationary)

    @cached_property
    def additive(self) -> _Additive:
        """What each tile adds to energy and cycles."""
        return _additive(self.spatial, self.lattice, self.space)

    @cached_property
    def by_energy(self) -> ChainSearch:
        """The search for the chain of least energy, without leakage."""
        return ChainSearch(self.space, self.additive.energy, self.additive.constant_energy)

    @property
    def floor(self) -> float:
        """A bound of the value of all mappings, without a look at any tile."""
        cycles = self._least_cycles()
        return self.search.bound(_compute_energy(self.spatial) + self._leakage(cycles), cycles)

    @cached_property
    def least(self) -> float:
        """A bound of the value of all mappings, from the least energy in the whole memories."""
        joules = self.by_energy.least
        cycles = self._least_cycles()
        return self.search.bound(joules + self._leakage(cycles), cycles)

    def best(self, below: float) -> Found | None:
        """The best mapping; None if none fits, or none has less than a value that is known."""
        is_energy = self.search.is_energy
        chain = self.by_energy.best(self.deadline, below if is_energy else math.inf)
        if chain is None:
            return None
        first = self._counted(chain)
        least_energy = chain.bound + self._leakage(self._least_cycles())
        if is_energy and first[1].leakage_energy == 0:
            return Found(*first, chain.cost, chain.bound, 1)
        cycles = self._try_ports(least_energy)
        return self._answer(least_energy, cycles)

    def _answer(self, joules: float, cycles: float) -> Found:
        """The best of those that were counted, beside bounds of their energy and cycles."""
        ranked = sorted(
            self.counted.items(),
            key=lambda item: (value_of(item[1], self.search), item[1].latency.total),
        )
        mapping, found = ranked[0]
        value, bound = value_of(found, self.search), self.search.bound(joules, cycles)
        if bound > value and not isinstance(self.search.objective, str):
            self._check_rises(found, joules, cycles)
        return Found(mapping, found, value, min(bound, value), len(self.counted))

    def _check_rises(self, found: Costs, joules: float, cycles: float) -> None:
        """Check a function at bounds of energy and latency, and at a mapping with more of both.

        Raises:
            ValueError: it has the lower value with more.

        """
        least, own = self.search.bound(joules, cycles), value_of(found, self.search)
        if least > own + abs(own) * _SAME:
            message = (
                "objective: expected a function of joules and cycles that never falls when one of "
                f"them rises; found {least:.6g} at {joules:.6g} J and {cycles:,.0f} cycles, but "
                f"{own:.6g} at {found.energy:.6g} J and {found.latency.total:,.0f} cycles"
            )
            raise ValueError(message)

    def _leakage(self, cycles: float) -> float:
        return self.spatial.architecture.leakage * cycles * self.search.seconds_per_cycle

    def _least_cycles(self) -> float:
        """Cycles of computing and of the hops, which no mapping in time avoids."""
        hops = sum(
            max(self.spatial.used(axis) - 1, 0) for axis in self.spatial.architecture.systolic
        )
        return self.spatial.cycles + hops

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
        """Mappings for weightings of what latency is the maximum of, and a bound of the cycles.

        The latency is at least any weighted mean of computing and of the steady cycles of the
        ports, with the first tiles of inputs or weights and the last results. What is longest in
        the best mapping for some weights gets more weight in the next round.
        """
        bound = self._least_cycles()
        steady = dict.fromkeys([_COMPUTE, *self.additive.steady], 1.0)
        first: dict[Slot, float] = {"input": 1.0, "weight": 1.0}
        for number in range(ROUNDS):
            if self.is_late:
                break
            report(f"weights of ports ({number + 1} of {ROUNDS})")
            weights = _Weights(_shares(steady), _shares(first))
            chain = self._weighted(weights, 0.0)
            if chain is None:
                break
            bound = max(bound, chain.bound)
            self._counted(chain)
            best = min(one.latency.total for one in self.counted.values())
            if best <= bound * (1 + _SAME) and self.search.objective == "latency":
                break
            _reweigh(steady, {name: self._spent(name, chain) for name in steady})
            _reweigh(first, {slot: _at(self.additive.once[slot], chain) for slot in first})
        for ratio in RATIOS if isinstance(self.search.objective, str) else RATIOS_OF_FUNCTIONS:
            if not self.is_late and least_energy > 0:
                chain = self._weighted(weights, ratio * bound / least_energy)
                if chain is not None:
                    self._counted(chain)
        return bound

    def _spent(self, name: str, chain: Chain) -> float:
        if name == _COMPUTE:
            return float(self.spatial.cycles)
        own = _at(self.additive.steady[name], chain)
        return own + self.additive.constant_steady.get(name, 0.0)

    def _weighted(self, weights: _Weights, per_joule: float) -> Chain | None:
        """The best chain for weighted cycles, and cycles for each joule."""
        values: dict[Cut, Values] = {
            choice: np.zeros(self.lattice.size)
            for cut in self.space.cuts
            for choice in self.space.choices(cut)
        }
        tables = [(1.0, self.additive.once["output"]), (per_joule, self.additive.energy)]
        tables += [(share, self.additive.once[slot]) for slot, share in weights.first.items()]
        tables += [
            (share, self.additive.steady[name])
            for name, share in weights.steady.items()
            if name != _COMPUTE
        ]
        for share, table in tables:
            if share:
                for cut, own in table.items():
                    values[cut] = values[cut] + share * own
        constant = self._least_cycles() - self.spatial.cycles
        for name, share in weights.steady.items():
            fixed = self.additive.constant_steady.get(name, 0.0)
            constant += share * (self.spatial.cycles if name == _COMPUTE else fixed)
        return ChainSearch(self.space, values, constant).best(self.deadline)

    @property
    def is_late(self) -> bool:
        """Whether the time for the search is over."""
        return self.deadline is not None and time.monotonic() > self.deadline


_COMPUTE: Final = "compute"
"""What takes the place of a port while the array computes."""
_Key = TypeVar("_Key")


def _shares(weights: Mapping[_Key, float]) -> Mapping[_Key, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _reweigh(weights: dict[_Key, float], spent: Mapping[_Key, float]) -> None:
    most = max(spent.values())
    for name in weights:
        weights[name] *= math.exp(STEP * spent[name] / most) if most > 0 else 1.0


def _at(table: Mapping[Cut, Values], chain: Chain) -> float:
    return math.fsum(
        float(table[cut][chain.tiles[cut._replace(swept=None)]])
        for cut in chain.chosen
        if cut in table
    )


def _compute_energy(spatial: Spatial) -> float:
    return spatial.nest.macs * spatial.architecture.mac_energy


def _additive(spatial: Spatial, lattice: Lattice, space: Space) -> _Additive:
    """Energy and cycles of every cut and tile."""
    joules: dict[Cut, Values] = {}
    steady: dict[str, dict[Cut, Values]] = {}
    once: dict[Slot, dict[Cut, Values]] = {slot: {} for slot in SLOTS}
    constant = _compute_energy(spatial)
    fixed: dict[str, float] = {}
    stays = _stays(spatial, lattice)
    if space.home is not None:
        joules[space.home] = np.zeros(lattice.size)
    for link in spatial.links:
        cut = Cut(link.operand, link.child)
        is_cut = cut in space.cuts
        for choice in space.choices(cut):
            own, of_ports = _of_link(spatial, lattice, link, choice, is_cut=is_cut)
            if link.child != ARRAY:
                slowest = np.maximum.reduce([*of_ports.values(), np.zeros(lattice.size)])
                once[link.operand][choice] = slowest / stays
            if is_cut:
                joules[choice] = own
            else:
                constant += float(own[0])
            for name, cycles in of_ports.items():
                rest = cycles if link.child == ARRAY else cycles * (1 - 1 / stays)
                if is_cut:
                    steady.setdefault(name, {})[choice] = rest
                else:
                    fixed[name] = fixed.get(name, 0.0) + float(rest[0])
    return _Additive(joules, {**{name: {} for name in fixed}, **steady}, once, constant, fixed)


def _of_link(
    spatial: Spatial, lattice: Lattice, link: Link, choice: Cut, *, is_cut: bool
) -> tuple[Values, Mapping[str, Values]]:
    """Joules of a link, and cycles of each port, for all tiles."""
    tiles = lattice.tiles if is_cut else {dim: [1] for dim in spatial.steps}
    joules = np.zeros(lattice.size)
    of_ports: dict[str, Values] = {}
    for place, flow, _, bits in spatial.flows(link, tiles, choice.swept):
        level = spatial.architecture.levels[place]
        joules += np.broadcast_to(energy(level, flow, bits), lattice.shape).reshape(-1)
        each = np.broadcast_to(bits, lattice.shape).reshape(-1) / spatial.instances(place)
        for port, rate in ports(level, link.operand, flow):
            name = f"{level.name}.{port}"
            of_ports[name] = of_ports.get(name, np.zeros(lattice.size)) + each / rate
    return joules, of_ports


def _stays(spatial: Spatial, lattice: Lattice) -> Values:
    """How many of each tile follow each other."""
    found = np.ones(lattice.shape)
    for axis, (dim, several) in enumerate(lattice.tiles.items()):
        shape = [1] * len(lattice.shape)
        shape[axis] = len(several)
        found = found * np.ceil(spatial.steps[dim] / np.array(several)).reshape(shape)
    return found.reshape(-1)


def mapping_of(spatial: Spatial, lattice: Lattice, chain: Chain) -> Nesting:
    """The nest of loops whose tiles are those of a chain."""
    numbers = sorted(set(chain.tiles.values()) | {0, lattice.size - 1})
    tiles = [lattice.tile(number) for number in numbers]
    order = sorted(range(len(tiles)), key=lambda one: math.prod(tiles[one].values()))
    grows = {chain.tiles[cut]: swept.dim for cut, swept in chain.swept.items()}
    temporal: list[Loop] = []
    ends = {numbers[order[0]]: 0}
    for inner, outer in pairwise(order):
        temporal += lattice.loops(tiles[inner], tiles[outer], grows.get(numbers[inner]))
        ends[numbers[outer]] = len(temporal)
    cuts = {
        slot: [ends[chain.tiles[Cut(slot, place)]] for place in spatial.chains[slot][:-1]]
        for slot in SLOTS
    }
    return Nesting(spatial.loops, temporal, cuts)


def _smallest(space: Space, cut: Cut) -> float:
    """Bits of the smallest tile of a cut: sums arrive complete behind a memory that has room."""
    first = space.spatial.chains["output"][0]
    is_partial = cut == Cut("output", first) and not space.reduced[0]
    sizes = space.sizes[cut]
    return float((sizes.partial if is_partial else sizes.complete)[0])


def _why_nothing_fits(several: Sequence[_On]) -> MappingError:
    """The memory whose smallest tiles do not fit, with the missing bits."""
    if not several:
        return MappingError("there is no way to spread it over the array")
    space, spatial = several[0].space, several[0].spatial
    for place, level in enumerate(spatial.architecture.levels):
        own = {cut.operand: _smallest(space, cut) for cut in space.cuts if cut.place == place}
        bits = int(sum(own.values())) + space.fixed_bits.get(place, 0)
        if level.has_room_for(bits):
            continue
        shown = "; ".join(f"{slot} {int(size):,}" for slot, size in own.items())
        whole = space.fixed_bits.get(place, 0)
        homes = f"; {whole:,} of operands that lie there as a whole" if whole else ""
        size = level.size_bits or 0
        return MappingError(
            f"memory {level.name!r} has {size:,} bits; the smallest tiles take {bits:,}, "
            f"{bits - size:,} too many: {shown}{homes}"
        )
    if several[0].is_late:
        return OutOfTimeError.after(several[0].search.limit_seconds or 0.0)
    return MappingError(
        "no chain of tiles fits: each memory has room for the smallest tiles, but not under the "
        "constraints of the dataflow"
    )
