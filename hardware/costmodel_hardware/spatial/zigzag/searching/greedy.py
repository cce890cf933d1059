"""How ZigZag gives the loops of an order to memories, for many orders at once.

From the inner memory to the outer, each takes the innermost loops that are left of its operands:
those with the least transfers from outside, words times periods. Of equal choices it takes the
last. A memory that cannot hold the least excludes the order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.zigzag.searching.batch import Cuts, Orders
from costmodel_hardware.spatial.zigzag.searching.space import Vector


class _Choice(NamedTuple):
    """What an operand may take of a memory, for each cut, of (orders, loops + 1)."""

    bits: Vector
    """Bits in the memory; infinite where it may not be cut there."""
    transfers: Vector
    """Bits that cross the link outside, of one instance."""


def greedy_cuts(orders: Orders) -> tuple[Vector, Cuts]:
    """Which orders fit, of (orders,), and the cuts of each."""
    number, loops = orders.kinds.shape
    fits = np.ones(number, bool)
    reached: dict[Slot, list[Vector]] = {slot: [np.zeros(number, np.int64)] for slot in SLOTS}
    for place, level in enumerate(orders.space.architecture.levels):
        choices = [
            _choice(orders, slot, len(reached[slot]) - 1, reached[slot][-1]) for slot in level.holds
        ]
        least = [np.min(one.bits, axis=1, initial=math.inf) for one in choices]
        fits &= np.sum(least, axis=0) <= orders.space.capacity(place)
        for slot, cut in zip(
            level.holds, _best(choices, orders.space.capacity(place)), strict=True
        ):
            # An order that does not fit is cut anywhere, as long as each cut lies in the next.
            reached[slot].append(np.maximum(cut, reached[slot][-1]))
    for slot in SLOTS:
        fits &= reached[slot][-1] == loops
    return fits, {slot: np.stack(reached[slot], axis=1)[:, 1:-1] for slot in SLOTS}


def _choice(orders: Orders, slot: Slot, level: int, start: Vector) -> _Choice:
    space = orders.space
    rows = np.arange(len(start))
    number, cuts = orders.prefixes.shape
    partial = space.traffic[slot].partial[level][orders.prefixes[rows, start]]
    by_width = [
        space.traffic[slot].held(level, partial=one)[orders.prefixes] for one in (False, True)
    ]
    bits = np.where(partial[:, None], by_width[1], by_width[0])
    left = space.tiles.total // space.tiles.period[orders.prefixes]
    before = np.arange(cuts) < start[:, None]
    too_large = bits > space.capacity(space.traffic[slot].places[level])
    excluded = before | np.logical_or.accumulate(too_large & ~before, axis=1)
    if level == len(space.traffic[slot].places) - 1:
        last = cuts - 1 - np.argmax(~excluded[:, ::-1], axis=1)
        excluded |= np.arange(cuts) != last[:, None]
        left = np.zeros((number, cuts), np.int64)
    return _Choice(np.where(excluded, math.inf, bits), left * bits)


def _best(choices: Sequence[_Choice], capacity: float) -> list[Vector]:
    """The cut of each operand, of (orders,)."""
    number, cuts = choices[0].bits.shape
    least = np.full(number, math.inf)
    best = [np.zeros(number, np.int64) for _ in choices]
    for places in itertools.product(range(cuts), repeat=len(choices)):
        bits = sum(one.bits[:, place] for one, place in zip(choices, places, strict=True))
        transfers = sum(one.transfers[:, place] for one, place in zip(choices, places, strict=True))
        better = (bits <= capacity) & np.isfinite(bits) & (transfers <= least)
        least = np.where(better, transfers, least)
        for cut, place in zip(best, places, strict=True):
            cut[better] = place
    return best
