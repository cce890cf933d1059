"""The mapping of least energy among all orders and allocations, by dynamic programming.

An operand's energy is a sum over its links, of a cost that depends only on the tile below the link:
loops that are irrelevant to it, directly outside a tile, are moved into it. So the least energy is
that of a cheapest chain of tiles, in which each operand closes its links in turn. The cheapest way
to have closed some links at a tile is the cheapest over all tiles within it, a running minimum
along each kind of loop. Memories that operands share couple them: a chain that overfills one is
excluded by branches in which one of the operands takes less there; the cheapest branch is next.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from attrs import frozen

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.mapping import Mapping as LoopMapping
from costmodel_hardware.spatial.nest import Loop
from costmodel_hardware.spatial.zigzag.searching.space import Space, Vector, too_small

_BRANCHES: Final = 10_000
"""Branches after which a search gives up."""


class Stage(NamedTuple):
    """How far an operand is: links that are closed, and whether the last carries partial sums."""

    closed: int
    partial: bool


class Closing(NamedTuple):
    """A step of an operand: it closes a link, at a tile with a finite cost."""

    origin: Stage
    target: Stage
    costs: Vector
    """Joules, for each tile; infinite where it may not be closed."""


Below: TypeAlias = Mapping[tuple[Slot, int], float]
"""For an operand and its nth memory: bits that it must stay below."""


@frozen(eq=False)
class Chain:
    """A chain of tiles: its joules, and for each operand the tile at which each link is closed."""

    energy: float
    tiles: Mapping[Slot, tuple[int, ...]]
    last: Mapping[Slot, Stage]
    partial: tuple[bool, ...]
    """Whether each link of the output carries partial sums."""


def least_energy(space: Space) -> LoopMapping:
    """A mapping of least energy, of all orders and allocations of a space.

    Raises:
        CostModelError: no mapping fits into the memories; the message names one that is too small.

    """
    numbers = itertools.count()
    first = _cheapest(space, {})
    waiting: list[tuple[float, int, Below, Chain]] = []
    if first:
        waiting.append((first.energy, next(numbers), {}, first))
    for _ in range(_BRANCHES):
        if not waiting:
            raise CostModelError(too_small(space))
        _, _, below, chain = heapq.heappop(waiting)
        overfull = next(_overfull(space, chain), None)
        if overfull is None:
            return mapping_of_chain(space, chain.tiles)
        for key, bits in overfull.items():
            tighter = {**below, key: min(bits, below.get(key, math.inf))}
            if found := _cheapest(space, tighter):
                heapq.heappush(waiting, (found.energy, next(numbers), tighter, found))
    message = f"no proven optimum after {_BRANCHES} branches: operands crowd a shared memory"
    raise CostModelError(message)


def _overfull(space: Space, chain: Chain) -> Iterator[Mapping[tuple[Slot, int], float]]:
    """The memories that operands overfill together: the bits of each operand there."""
    held: dict[int, dict[tuple[Slot, int], float]] = {}
    for slot in SLOTS:
        for level, place in enumerate(space.traffic[slot].places):
            partial = slot == "output" and chain.partial[level]
            inside = [*chain.tiles[slot], space.size - 1][level + 1]
            bits = float(space.traffic[slot].held(level, partial=partial)[inside])
            held.setdefault(place, {})[slot, level] = bits
    for place, several in held.items():
        if sum(several.values()) > space.capacity(place):
            yield several


class _Table(NamedTuple):
    """The least joules to have closed some links at each tile: just now, and at any within it."""

    now: Vector
    reached: Vector


def _cheapest(space: Space, below: Below) -> Chain | None:
    """The cheapest chain, each operand alone in the memories; none if there is none."""
    closings = {slot: list(_closings(space, slot, below)) for slot in SLOTS}
    stages = {slot: _stages(closings[slot]) for slot in SLOTS}
    tables: dict[tuple[Stage, ...], _Table] = {}
    for key in itertools.product(*stages.values()):
        now = np.full(space.size, math.inf)
        if all(stage == several[0] for stage, several in zip(key, stages.values(), strict=True)):
            now[0] = 0.0
        for before, closing in _arrivals(closings, key):
            if before in tables:
                np.minimum(now, tables[before].reached + closing.costs, out=now)
        if np.isfinite(now).any():
            tables[key] = _Table(now, _running_minimum(space, now))
    ends = [key for key in tables if _complete(space, key, below)]
    if not ends:
        return None
    best = min(ends, key=lambda key: tables[key].reached[-1])
    return _chain_back(space, closings, tables, best)


def _stages(closings: Sequence[Closing]) -> list[Stage]:
    found = [closing.origin for closing in closings] + [closing.target for closing in closings]
    return sorted(set(found))


def _arrivals(
    closings: Mapping[Slot, Sequence[Closing]], key: tuple[Stage, ...]
) -> Iterator[tuple[tuple[Stage, ...], Closing]]:
    """The closings that lead to these stages, and the stages before them."""
    for number, slot in enumerate(SLOTS):
        for closing in closings[slot]:
            if closing.target == key[number]:
                yield (*key[:number], closing.origin, *key[number + 1 :]), closing


def _running_minimum(space: Space, values: Vector) -> Vector:
    grid = values.reshape(space.shape)
    for axis in range(grid.ndim):
        grid = np.minimum.accumulate(grid, axis=axis)
    return grid.reshape(-1)


def _complete(space: Space, key: Sequence[Stage], below: Below) -> bool:
    """Whether all links are closed, and the outermost memory holds each operand."""
    for slot, stage in zip(SLOTS, key, strict=True):
        traffic = space.traffic[slot]
        level = len(traffic.places) - 1
        if stage.closed <= level:
            return False
        bits = space.traffic[slot].held(level, partial=stage.partial)[-1]
        if bits > space.capacity(traffic.places[level]) or bits >= below.get(
            (slot, level), math.inf
        ):
            return False
    return True


def _closings(space: Space, slot: Slot, below: Below) -> Iterator[Closing]:
    """The steps of an operand."""
    traffic = space.traffic[slot]
    origins = [Stage(0, partial=slot == "output")]
    for number, link in enumerate(traffic.links):
        carries = traffic.partial[number]
        targets = set()
        for origin in origins:
            allowed = _allowed(space, slot, number, origin, below)
            for partial in (True, False):
                costs = np.where(allowed & (carries == partial), link.energy, math.inf)
                if np.isfinite(costs).any():
                    target = Stage(number + 1, partial)
                    targets.add(target)
                    yield Closing(origin, target, costs)
        origins = sorted(targets)


def _allowed(space: Space, slot: Slot, number: int, origin: Stage, below: Below) -> Vector:
    """The tiles at which an operand's link may be closed: the memory within it holds them.

    The link of the array is closed where the first loops that are irrelevant to a factor end; that
    of sums before any loop.
    """
    traffic = space.traffic[slot]
    if number == 0:
        dims = {dim for dim in space.tiles.steps if slot == "output" or dim in traffic.dims}
        outside: Vector = np.any([space.tiles.steps[dim] > 1 for dim in dims], axis=0)
        return ~outside
    level = number - 1
    bits = space.traffic[slot].held(level, partial=origin.partial)
    limit = space.capacity(traffic.places[level])
    allowed: Vector = (bits <= limit) & (bits < below.get((slot, level), math.inf))
    return allowed


def _chain_back(
    space: Space,
    closings: Mapping[Slot, Sequence[Closing]],
    tables: Mapping[tuple[Stage, ...], _Table],
    end: tuple[Stage, ...],
) -> Chain:
    """The chain that a table's last value came from."""
    tiles: dict[Slot, list[int]] = {slot: [] for slot in SLOTS}
    partial = [end[SLOTS.index("output")].partial]
    key, tile = end, space.size - 1
    within = _Within(space)
    while any(stage.closed for stage in key):
        value = tables[key].reached[tile]
        candidates = np.flatnonzero((tables[key].now == value) & within(tile))
        tile = int(candidates[0])
        for before, closing in _arrivals(closings, key):
            table = tables.get(before)
            if table and table.reached[tile] + closing.costs[tile] == value:
                break
        slot = next(one for one, old, new in zip(SLOTS, before, key, strict=True) if old != new)
        tiles[slot].insert(0, tile)
        if slot == "output" and closing.origin.closed:
            partial.insert(0, closing.origin.partial)
        key = before
    joules = float(tables[end].reached[-1])
    last = dict(zip(SLOTS, end, strict=True))
    return Chain(
        joules, {slot: tuple(several) for slot, several in tiles.items()}, last, tuple(partial)
    )


class _Within:
    """Which tiles lie within another."""

    def __init__(self, space: Space) -> None:
        self.numbers = np.indices(space.shape).reshape(len(space.shape), space.size)

    def __call__(self, tile: int) -> Vector:
        inside: Vector = np.all(self.numbers <= self.numbers[:, tile : tile + 1], axis=0)
        return inside


def mapping_of_chain(space: Space, tiles: Mapping[Slot, Sequence[int]]) -> LoopMapping:
    """A mapping with given tiles below the links of each operand.

    Between two tiles of the chain, loops are in the order in which they are given.
    """
    numbers = _Within(space).numbers
    chain = sorted({0, space.size - 1, *itertools.chain(*tiles.values())})
    order: list[Loop] = []
    reached = {0: 0}
    for low, high in itertools.pairwise(chain):
        added = numbers[:, high] - numbers[:, low]
        for kind, number in zip(space.kinds, added, strict=True):
            order += [kind] * int(number)
        reached[high] = len(order)
    cuts = {slot: [reached[tile] for tile in tiles[slot][1:]] for slot in SLOTS}
    return LoopMapping(space.spatial, order, cuts)
