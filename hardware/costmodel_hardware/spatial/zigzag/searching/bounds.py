"""Bounds from below for all allocations of many orders, and the best of them.

An allocation gives each operand a choice: a cut for each of its memories but the last. What a
choice costs alone is a bound: its joules; the cycles by which one transfer is late even if it may
use its whole period; the cycles of each port in all periods but one, less those of the whole run;
its first loads and last stores, with the shortest of those that happen once. Choices whose bound
is not better than the best mapping so far are left out, the rest are combined, and combinations
whose bound is better are counted.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from costmodel.devices.progress import report
from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.zigzag.latency import FACTORS, REFILLS, serves_both
from costmodel_hardware.spatial.zigzag.searching.batch import Orders, counts_of, drain
from costmodel_hardware.spatial.zigzag.searching.space import Space, Vector

Objective: TypeAlias = Callable[[Vector, Vector], Vector]
"""What to make small, of joules and cycles; it never falls when one of them rises."""
_ROUNDING: Final = 1e-12
"""A bound closer than this share to the best is not better."""
_TOGETHER: Final = 1 << 16
"""Combinations that are held at once."""
PortKey: TypeAlias = tuple[int, str]


class Choices(NamedTuple):
    """Choices of one operand in some orders: arrays of (orders, choices)."""

    cuts: Vector
    """The cuts of each choice, of (choices, memories - 1)."""
    allowed: Vector
    energy: Vector
    late: Vector
    """Cycles by which one of its transfers is late at least."""
    busy: Mapping[PortKey, Vector]
    """Cycles of each port in all periods but one."""
    alone: Vector
    half: Vector
    shared: Vector
    """First loads by ports: for one factor, at one end for both, at both ends for both."""
    stored: Vector
    """Last stores."""
    held: Mapping[int, Vector]
    """Bits in each memory."""

    def pick(self, cuts: Vector, of: Callable[[Vector], Vector]) -> Choices:
        """Some of the choices, taken from each array."""
        return Choices(
            cuts,
            of(self.allowed),
            of(self.energy),
            of(self.late),
            {key: of(one) for key, one in self.busy.items()},
            of(self.alone),
            of(self.half),
            of(self.shared),
            of(self.stored),
            {key: of(one) for key, one in self.held.items()},
        )

    def of_order(self, row: int) -> Choices:
        """The choices that one order allows: arrays of (choices,)."""
        allowed = np.flatnonzero(self.allowed[row])
        return self.pick(self.cuts[allowed], lambda one: one[row, allowed])

    @property
    def loaded(self) -> Vector:
        """Cycles of first loads, at least."""
        return self.alone + self.half + self.shared


def choices_of(orders: Orders, slot: Slot) -> Choices:
    """All choices of an operand."""
    space, traffic = orders.space, orders.space.traffic[slot]
    loops, levels = orders.kinds.shape[1], len(traffic.places)
    several = list(itertools.combinations_with_replacement(range(loops + 1), levels - 1))
    cuts = np.array(several, np.int64).reshape(len(several), levels - 1)
    lift = orders.lifted(slot)
    begin = np.zeros(len(lift), np.int64) if slot == "output" else lift[:, 0]
    first = orders.prefixes[np.arange(len(lift)), begin]
    shape = len(lift), len(cuts)
    tiles = [
        np.broadcast_to(first[:, None], shape),
        *(orders.prefixes[:, cuts[:, place]] for place in range(levels - 1)),
        np.full(shape, space.size - 1),
    ]
    allowed = np.ones(shape, bool)
    for place in range(levels - 1):
        allowed &= lift[:, cuts[:, place]] == cuts[:, place]
    held = {}
    for level, place in enumerate(traffic.places):
        by_width = [traffic.held(level, partial=one) for one in (False, True)]
        partial = traffic.partial[level][tiles[level]]
        held[place] = np.where(
            partial, by_width[1][tiles[level + 1]], by_width[0][tiles[level + 1]]
        )
        allowed &= held[place] <= space.capacity(place)
    return _costed(space, slot, cuts, allowed, held, tiles)


def _costed(
    space: Space,
    slot: Slot,
    cuts: Vector,
    allowed: Vector,
    held: Mapping[int, Vector],
    tiles: Sequence[Vector],
) -> Choices:
    traffic, shape = space.traffic[slot], allowed.shape
    energy, late = np.zeros(shape), np.zeros(shape, np.int64)
    busy: dict[PortKey, Vector] = {}
    alone, half, shared, stored = (np.zeros(shape) for _ in range(4))
    smallest = traffic.whole_bits[1][tiles[1]]
    for number, link in enumerate(traffic.links):
        energy += link.energy[tiles[number]]
        period = space.tiles.period[tiles[number]]
        again = space.tiles.total // period - 1
        longer, sharing = np.zeros(shape), []
        for end in link.ends:
            cycles = end.cycles[tiles[number]]
            key = end.place, end.port.name
            busy[key] = busy.get(key, 0) + cycles * again
            np.maximum(late, (cycles - period) * again, out=late)
            if (slot, end.flow) not in REFILLS:
                least = np.ceil(smallest / end.port.bits_per_cycle)
                longer = np.maximum(longer, np.where(again, cycles, np.minimum(cycles, least)))
                sharing.append(serves_both(end.port))
        if number == 0:
            continue
        if slot not in FACTORS:
            stored += longer
        elif not any(sharing):
            alone += longer
        elif all(sharing):
            shared += longer
        else:
            half = longer
    return Choices(
        cuts, allowed & np.isfinite(energy), energy, late, busy, alone, half, shared, stored, held
    )


class Best(NamedTuple):
    """The best mapping so far: its value, its order by number, and its cuts."""

    value: float
    row: int
    cuts: Mapping[Slot, Sequence[int]]


class Outcome(NamedTuple):
    """The best mapping, and a bound below which no mapping lies."""

    best: Best
    bound: float


def search(orders: Orders, objective: Objective, best: Best, seconds: float) -> Outcome:
    """The best of all allocations of all orders; after a time, the best so far and a bound."""
    space = orders.space
    always = space.tiles.total + drain(space)
    fixed = space.architecture.mac_energy * space.nest.macs
    choices = {slot: choices_of(orders, slot) for slot in SLOTS}
    bounds = _order_bounds(choices, objective, fixed, always)
    end = time.monotonic() + seconds
    for number, row in enumerate(np.argsort(bounds, kind="stable"), start=1):
        report(f"order {number:,} of {len(bounds):,}")
        if not bounds[row] < best.value * (1 - _ROUNDING):
            return Outcome(best, best.value)
        if time.monotonic() > end:
            return Outcome(best, float(bounds[row]))
        best = _best_of_order(orders, choices, int(row), objective, best)
    return Outcome(best, best.value)


def _least(choice: Choices, values: Vector) -> Vector:
    """The least over all choices, for each order."""
    least: Vector = np.min(np.where(choice.allowed, values, math.inf), axis=1, initial=math.inf)
    return least


def _order_bounds(
    choices: Mapping[Slot, Choices], objective: Objective, fixed: float, always: int
) -> Vector:
    """What no allocation of each order is better than."""
    energy = fixed + np.sum([_least(one, one.energy) for one in choices.values()], axis=0)
    output = choices["output"]
    stored = _least(output, output.stored)
    loaded = [_least(choices[slot], choices[slot].loaded) for slot in FACTORS]
    late = [_least(choices[slot], choices[slot].late + choices[slot].loaded) for slot in FACTORS]
    cycles = np.max(
        [
            *(one + stored for one in late),
            _least(output, output.late + output.stored) + np.max(loaded, axis=0),
        ],
        axis=0,
    )
    return objective(energy, always + cycles)


def _best_of_order(
    orders: Orders,
    choices: Mapping[Slot, Choices],
    row: int,
    objective: Objective,
    best: Best,
) -> Best:
    space = orders.space
    always = space.tiles.total + drain(space)
    fixed = space.architecture.mac_energy * space.nest.macs
    kept = _promising(choices, row, objective, best, fixed, always)
    shapes = [len(one.energy) for one in kept.values()]
    if not math.prod(shapes):
        return best
    bound = objective(fixed + _outer_sum([one.energy for one in kept.values()]),
                      always + _combined_cycles(space, kept))  # fmt: skip
    bound = np.where(_fits(space, kept), bound, math.inf)
    flat = bound.reshape(-1)
    candidates = np.flatnonzero(flat < best.value * (1 - _ROUNDING))
    candidates = candidates[np.argsort(flat[candidates], kind="stable")]
    for begin in range(0, len(candidates), _TOGETHER):
        some = candidates[begin : begin + _TOGETHER]
        if not flat[some[0]] < best.value * (1 - _ROUNDING):
            break
        places = np.unravel_index(some, bound.shape)
        cuts = {slot: kept[slot].cuts[place] for slot, place in zip(kept, places, strict=True)}
        counts = counts_of(orders.take(np.full(len(some), row)), cuts)
        values = objective(counts.energy, counts.cycles)
        least = int(np.argmin(values))
        if values[least] < best.value * (1 - _ROUNDING):
            chosen = {slot: [int(cut) for cut in one[least]] for slot, one in cuts.items()}
            best = Best(float(values[least]), row, chosen)
    return best


def _promising(
    choices: Mapping[Slot, Choices],
    row: int,
    objective: Objective,
    best: Best,
    fixed: float,
    always: int,
) -> Mapping[Slot, Choices]:
    """The choices of an order that, with the best of the other operands, may be better."""
    whole = {slot: one.of_order(row) for slot, one in choices.items()}
    least = {slot: min(one.energy, default=math.inf) for slot, one in whole.items()}
    stored = min(whole["output"].stored, default=math.inf)
    loaded = max(min(whole[slot].loaded, default=math.inf) for slot in FACTORS)
    kept = {}
    for slot, one in whole.items():
        energy = fixed + one.energy + sum(least[other] for other in SLOTS if other != slot)
        beside = (
            one.stored + loaded if slot == "output" else np.maximum(one.loaded, loaded) + stored
        )
        bound = objective(energy, always + one.late + beside)
        chosen = np.flatnonzero(bound < best.value * (1 - _ROUNDING))
        kept[slot] = one.pick(one.cuts[chosen], operator.itemgetter(chosen))
    return kept


def _outer(values: Sequence[Vector], combine: Callable[[Vector, Vector], Vector]) -> Vector:
    """Values of all combinations, of (input, weight, output) choices."""
    shaped = [
        one.reshape([-1 if axis == place else 1 for axis in range(len(values))])
        for place, one in enumerate(values)
    ]
    return functools.reduce(combine, shaped)


def _outer_sum(values: Sequence[Vector]) -> Vector:
    return _outer(values, np.add)


def _combined_cycles(space: Space, kept: Mapping[Slot, Choices]) -> Vector:
    """Cycles beside the computation that no combination is below."""
    several = list(kept.values())
    late = _outer([one.late for one in several], np.maximum)
    for key in {key for one in several for key in one.busy}:
        busy = [one.busy.get(key, np.zeros(len(one.energy), np.int64)) for one in several]
        late = np.maximum(late, _outer_sum(busy) - space.tiles.total)
    first, second = (kept[slot] for slot in FACTORS)
    own = [one.half + one.alone for one in (first, second)]
    loaded = np.minimum(
        first.shared[:, None] + np.maximum((second.shared + own[1])[None, :], own[0][:, None]),
        second.shared[None, :] + np.maximum((first.shared + own[0])[:, None], own[1][None, :]),
    )
    cycles: Vector = late + loaded[:, :, None] + kept["output"].stored[None, None, :]
    return cycles


def _fits(space: Space, kept: Mapping[Slot, Choices]) -> Vector:
    """Whether the operands of each combination fit into the memories that they share."""
    several = list(kept.values())
    fits = np.ones([len(one.energy) for one in several], bool)
    for place in range(len(space.architecture.levels)):
        held = [one.held.get(place, np.zeros(len(one.energy))) for one in several]
        fits &= _outer_sum(held) <= space.capacity(place)
    return fits
