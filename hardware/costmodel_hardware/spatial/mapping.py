"""A mapping: which loops are spread over the array, and which lie in which memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping as Map
from typing import Any

from attrs import field, frozen

from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.nest import Loop


def _loops(given: Any) -> tuple[Loop, ...]:
    return tuple(Loop(str(dim), int(size)) for dim, size in given)


def _spatial(given: Any) -> tuple[tuple[str, tuple[Loop, ...]], ...]:
    pairs = given.items() if isinstance(given, Map) else given
    return tuple((str(axis), _loops(loops)) for axis, loops in pairs)


def _cuts(given: Any) -> tuple[tuple[Slot, tuple[int, ...]], ...]:
    pairs = dict(given.items() if isinstance(given, Map) else given)
    return tuple((slot, tuple(int(cut) for cut in pairs[slot])) for slot in SLOTS)


@frozen
class Mapping:
    """Loops over the array and in time, and where each operand's loops are cut between memories.

    `spatial` has the loops of each axis; units along an axis beyond them are idle. `temporal` has
    the loops in time from the inner to the outer. `cuts` says for each operand, and each of its
    memories from the inner to the last but one, how many of these loops run while that memory
    keeps the same tile. The outermost memory keeps everything.

    A dimension of N steps is spread over U units as ceil(N / U) steps in time, in which the last
    one may leave units idle; the loops in time of a dimension multiply to that.
    """

    spatial: tuple[tuple[str, tuple[Loop, ...]], ...] = field(converter=_spatial)
    temporal: tuple[Loop, ...] = field(converter=_loops)
    cuts: tuple[tuple[Slot, tuple[int, ...]], ...] = field(converter=_cuts)

    @property
    def unrolled(self) -> Map[str, int]:
        """How many steps of each dimension are spread over the array."""
        found: Counter[str] = Counter()
        for _, loops in self.spatial:
            for dim, size in loops:
                found[dim] = max(found[dim], 1) * size
        return found

    def used(self, axis: str) -> int:
        """Units along an axis that have work."""
        return math.prod(size for _, size in dict(self.spatial).get(axis, ()))

    @property
    def steps(self) -> int:
        """Steps in time: the product of the temporal loops."""
        return math.prod(size for _, size in self.temporal)

    def cuts_of(self, slot: Slot) -> tuple[int, ...]:
        """The cuts of one operand."""
        return dict(self.cuts)[slot]
