"""Many mappings of one space at once: their energy and latency as ZigZag counts them.

Mappings are rows. `prefixes[m, p]` is the tile of the innermost p loops of mapping m. The steps are
those of `accounting` and `latency`, with an array in place of each number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from attrs import frozen

from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.mapping import Mapping as LoopMapping
from costmodel_hardware.spatial.zigzag.accounting import ASKED
from costmodel_hardware.spatial.zigzag.latency import FACTORS, ORDER, REFILLS, serves_both
from costmodel_hardware.spatial.zigzag.searching.space import Space, Vector
from costmodel_hardware.spatial.zigzag.traffic import End

_HALF: Final = 0.5


@frozen(eq=False)
class Orders:
    """Orders of the loops of a space: kinds of loops from inner to outer, of (orders, loops)."""

    space: Space
    kinds: Vector
    prefixes: Vector
    """The tile of the innermost loops, of (orders, loops + 1)."""

    @classmethod
    def of(cls, space: Space, kinds: Sequence[Sequence[int]]) -> Orders:
        """The orders with these kinds of loops."""
        array = np.array(kinds, np.int64).reshape(len(kinds), len(space.loops))
        strides = np.array(
            [math.prod(space.shape[axis + 1 :]) for axis in range(len(space.shape))], np.int64
        )
        added = strides[array] if len(strides) else array
        zero = np.zeros((len(array), 1), np.int64)
        return cls(space, array, np.concatenate([zero, np.cumsum(added, axis=1)], axis=1))

    def take(self, rows: Vector) -> Orders:
        """Some of the orders."""
        return Orders(self.space, self.kinds[rows], self.prefixes[rows])

    def lifted(self, slot: Slot) -> Vector:
        """Where each cut lies after it has moved out over irrelevant loops."""
        return self._scan(self._of_kinds(slot, relevant=False), outwards=True)

    def begin(self, slot: Slot, *, plain: bool) -> Vector:
        """For each cut, where the run of loops begins that ends there.

        It is a run of loops that are plain to an operand, or else that are irrelevant to it.
        """
        return self._scan(self._of_kinds(slot, relevant=plain), outwards=False)

    def _of_kinds(self, slot: Slot, *, relevant: bool) -> Vector:
        traffic = self.space.traffic[slot]
        chosen = [
            kind.dim in traffic.plain if relevant else kind.dim not in traffic.dims
            for kind in self.space.kinds
        ]
        return np.array(chosen, bool)[self.kinds] if chosen else np.zeros(self.kinds.shape, bool)

    def _scan(self, belongs: Vector, *, outwards: bool) -> Vector:
        """For each cut, the last that is reached over loops that belong."""
        loops = belongs.shape[1]
        found = np.tile(np.arange(loops + 1), (len(belongs), 1))
        for place in range(loops - 1, -1, -1) if outwards else range(loops):
            cut, towards = (place, place + 1) if outwards else (place + 1, place)
            found[:, cut] = np.where(belongs[:, place], found[:, towards], cut)
        return found

    def mapping(self, row: int, cuts: Mapping[Slot, Sequence[int]]) -> LoopMapping:
        """The mapping of one order with given cuts."""
        order = [self.space.kinds[kind] for kind in self.kinds[row]]
        return LoopMapping(self.space.spatial, order, cuts)


Cuts = Mapping[Slot, Vector]
"""The cuts of each operand, of (mappings, memories - 1)."""


class Counts(NamedTuple):
    """Joules and cycles of each mapping."""

    energy: Vector
    cycles: Vector


class _Move(NamedTuple):
    """A transfer of each mapping; see `latency.Transfer`."""

    end: End
    link: int
    active: Vector
    cycles: Vector
    need: Vector
    period: Vector
    periods: Vector
    window: Vector
    smallest: Vector


def counts_of(orders: Orders, cuts: Cuts) -> Counts:
    """Joules and cycles of mappings, each an order with cuts."""
    space = orders.space
    runs = {slot: _run(orders, slot, cuts[slot]) for slot in ASKED}
    buffered = _double_buffered(space, runs)
    moves: dict[tuple[int, str], list[_Move]] = {}
    energy = np.full(len(orders.kinds), space.architecture.mac_energy * space.nest.macs)
    for slot in SLOTS:
        for link in range(len(space.traffic[slot].links)):
            energy += space.traffic[slot].links[link].energy[runs[slot].tiles[link]]
            for move in _moves(space, slot, link, runs[slot], buffered):
                moves.setdefault((move.end.place, move.end.port.name), []).append(move)
    stall = np.zeros(len(orders.kinds), np.int64)
    for several in moves.values():
        np.maximum(stall, _stall(several, space.tiles.total), out=stall)
    computing = space.tiles.total + stall
    loads = [
        pair
        for several in moves.values()
        for pair in _loads(sorted(several, key=_order), computing)
    ]
    return Counts(energy, computing + _onload(loads) + _offload(loads) + drain(space))


def drain(space: Space) -> int:
    """Cycles in which the last results leave a systolic array."""
    used = LoopMapping(space.spatial, (), dict.fromkeys(SLOTS, ())).used
    return sum(max(0, used(axis) - 1) for axis in space.architecture.systolic)


class _Run(NamedTuple):
    """See `accounting.OperandRun`; a vector for each link, and one more for the whole run."""

    tiles: tuple[Vector, ...]
    stays: tuple[Vector, ...]
    changes: tuple[Vector, ...]


def _run(orders: Orders, slot: Slot, cuts: Vector) -> _Run:
    rows = np.arange(len(orders.kinds))
    lift = orders.lifted(slot)
    zero = np.zeros(len(rows), np.int64)
    last = np.full(len(rows), orders.kinds.shape[1])
    begin = zero if slot == "output" else lift[rows, 0]
    reached = [lift[rows, cuts[:, place]] for place in range(cuts.shape[1])] + [last]
    period = orders.space.tiles.period[orders.prefixes]
    stays, changes = [zero + 1], [zero + 1]
    for low, high in zip([zero, *reached], reached, strict=False):
        for steps, plain in ((stays, False), (changes, True)):
            start = np.maximum(low, orders.begin(slot, plain=plain)[rows, high])
            steps.append(period[rows, high] // period[rows, start])
    tiles = tuple(orders.prefixes[rows, cut] for cut in [begin, *reached])
    return _Run(tiles, tuple(stays), tuple(changes))


def _double_buffered(space: Space, runs: Mapping[Slot, _Run]) -> Mapping[tuple[Slot, int], Vector]:
    use, filled = {}, dict[int, Vector]()
    for slot, run in runs.items():
        traffic = space.traffic[slot]
        for level, place in enumerate(traffic.places):
            tile = run.tiles[level + 1]
            bits = traffic.rounded[level + 1][tile] * traffic.widths[level + 1][tile]
            share = bits // run.changes[level + 1] / space.capacity(place)
            use[slot, place] = share
            filled[place] = filled.get(place, 0.0) + share
    granted = {}
    for (slot, place), share in use.items():
        roomy = filled[place] <= _HALF
        granted[slot, place] = roomy | (share <= 1 - filled[place])
        filled[place] = filled[place] + np.where(granted[slot, place] & ~roomy, share, 0.0)
    return granted


def _moves(
    space: Space, slot: Slot, link: int, run: _Run, buffered: Mapping[tuple[Slot, int], Vector]
) -> list[_Move]:
    traffic, tile = space.traffic[slot], run.tiles[link]
    period = space.tiles.period[tile]
    window = period // run.stays[link]
    if link > 0:
        window = np.where(buffered[slot, traffic.places[link - 1]], period, window)
    smallest = traffic.whole_bits[1][run.tiles[1]]
    return [
        _Move(
            end,
            link,
            end.bits[tile] > 0,
            end.cycles[tile],
            end.need[tile],
            period,
            space.tiles.total // period,
            window,
            smallest,
        )
        for end in traffic.links[link].ends
    ]


def _order(move: _Move) -> tuple[int, int]:
    return SLOTS.index(move.end.operand), ORDER.index(move.end.flow)


def _stall(moves: Sequence[_Move], total: int) -> Vector:
    """Cycles by which one port is late."""
    active = np.stack([one.active for one in moves])
    each = np.stack([(one.cycles - one.window) * (one.periods - 1) for one in moves])
    each = np.where(active, each, 0)
    windows = sum(np.where(one.active, one.window * (one.periods - 1), 0) for one in moves)
    late = np.maximum(each, 0).sum(axis=0)
    slack = np.minimum(each, 0).sum(axis=0)
    several = active.sum(axis=0) > 1
    crowded = several & (slack + windows > 0)
    excess = np.zeros(late.shape, np.int64)
    if crowded.any():
        union = _union([_taken(one, crowded) for one in moves], total)
        excess[crowded] = np.maximum(0, (slack + windows)[crowded] - union)
    return np.where(several, late + excess, each.sum(axis=0))


def _taken(move: _Move, rows: Vector) -> _Move:
    return _Move(move.end, move.link, *(one[rows] for one in move[2:]))


def _union(moves: Sequence[_Move], total: int) -> Vector:
    """See `latency.union_of_windows`; a transfer that does not happen has no window."""
    whole = np.any([one.active & (one.window == one.period) for one in moves], axis=0)
    period = np.stack([np.where(one.active, one.period, 1) for one in moves])
    window = np.stack([np.where(one.active, one.window, 0) for one in moves])
    by_length = np.lexsort((window, period), axis=0)
    period = np.take_along_axis(period, by_length, axis=0)
    window = np.take_along_axis(window, by_length, axis=0)
    union = _covered(period[-1], period, window) * (total // period[-1])
    return np.where(whole, total, union)


def _covered(cycles: Vector, period: Vector, window: Vector) -> Vector:
    """See `latency._covered`; from the innermost window to the outermost."""
    if not len(period):
        return np.zeros(cycles.shape, np.int64)
    inner = period[:-1], window[:-1]
    repeated, rest = np.divmod(cycles, period[-1])
    within = _covered(window[-1], *inner)
    whole = window[-1] + _covered(period[-1], *inner) - within
    last = np.where(rest <= window[-1], rest, window[-1] + _covered(rest, *inner) - within)
    covered: Vector = repeated * whole + last
    return covered


_Load = tuple[_Move, Vector]


def _loads(moves: Sequence[_Move], computing: Vector) -> list[_Load]:
    """See `latency._loads`."""
    moves = [one for one in moves if (one.end.operand, one.end.flow) not in REFILLS]
    if not moves:
        return []
    width = moves[0].end.port.bits_per_cycle
    cycles = np.stack([np.where(one.active, one.cycles, 0) for one in moves]).astype(float)
    once = np.stack([one.active & (one.periods == 1) for one in moves])
    if once.any():
        need = sum(np.where(one.active & (one.periods > 1), one.need, 0) for one in moves)
        spare = (width - need) / width * computing
        least = np.ceil(np.stack([one.smallest for one in moves]) / width)
        ranks = np.argsort(np.where(once, -cycles, math.inf), axis=0, kind="stable")
        rows = np.arange(cycles.shape[1])
        for place in ranks:
            reducible = np.maximum(0.0, cycles[place, rows] - least[place, rows])
            saved = np.where(once[place, rows] & (spare > 0), np.minimum(reducible, spare), 0.0)
            cycles[place, rows] -= saved
            spare = spare - saved
    return list(zip(moves, cycles, strict=True))


def _onload(loads: Sequence[_Load]) -> Vector:
    """See `latency._onload`."""
    links: dict[tuple[Slot, int], list[_Load]] = {}
    for move, cycles in loads:
        if move.end.operand in FACTORS and move.link > 0:
            links.setdefault((move.end.operand, move.link), []).append((move, cycles))
    alone, half, shared = (dict[Slot, Vector]() for _ in range(3))
    for (operand, _), pair in sorted(links.items(), key=lambda item: item[0]):
        longer = np.max([cycles for _, cycles in pair], axis=0)
        sharing = sum(serves_both(move.end.port) for move, _ in pair)
        if sharing == 0:
            alone[operand] = alone.get(operand, 0.0) + longer
        elif sharing == len(pair):
            shared[operand] = shared.get(operand, 0.0) + longer
        else:
            half[operand] = longer
    first, second = FACTORS
    own = {one: half.get(one, 0.0) + alone.get(one, 0.0) for one in FACTORS}
    both = {one: shared.get(one, 0.0) for one in FACTORS}
    onload: Vector = np.minimum(
        both[first] + np.maximum(both[second] + own[second], own[first]),
        both[second] + np.maximum(both[first] + own[first], own[second]),
    )
    return onload


def _offload(loads: Sequence[_Load]) -> Vector:
    """See `latency._offload`."""
    links: dict[int, Vector] = {}
    for move, cycles in loads:
        if move.end.operand == "output" and move.link > 0:
            links[move.link] = np.maximum(links.get(move.link, 0.0), cycles)
    return sum(links.values(), np.zeros(1))
