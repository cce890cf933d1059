"""An oracle for small nests: the array runs step by step, and every word that moves is counted.

It knows of no formula. At each step in time every unit of the array has one point of the iteration
space; a memory holds what the units that it serves access while the loops outside of its cut stand
still; what it did not hold before is moved.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Nest

ARRAY = -1
Moved = Counter[tuple[Slot, str, str]]
"""Words by operand, memory and flow."""


def points(nest: Nest, mapping: Nesting) -> Iterator[tuple[tuple[int, ...], dict[str, int], Any]]:
    """Temporal indices from outer to inner, the place on each axis, and the point that is there."""
    outer = list(reversed(mapping.temporal))
    axes = list(mapping.spatial)
    units = mapping.unrolled
    for times in itertools.product(*[range(loop.size) for loop in outer]):
        step: dict[str, int] = dict.fromkeys(nest.sizes, 0)
        for loop, at in zip(outer, times, strict=True):
            if loop.dim in step:
                step[loop.dim] = step[loop.dim] * loop.size + at
        for places in itertools.product(*[range(mapping.used(axis)) for axis, _ in axes]):
            unit, scale = dict.fromkeys(nest.sizes, 0), dict.fromkeys(nest.sizes, 1)
            for (_, loops), place in zip(axes, places, strict=True):
                rest = place
                for dim, size in loops:
                    rest, digit = divmod(rest, size)
                    unit[dim] += digit * scale[dim]
                    scale[dim] *= size
            point = {dim: unit[dim] + units.get(dim, 1) * step[dim] for dim in nest.sizes}
            if all(point[dim] < size for dim, size in nest.dims):
                yield times, dict(zip([axis for axis, _ in axes], places, strict=True)), point


def word(nest: Nest, slot: Slot, point: Mapping[str, int]) -> tuple[int, ...] | None:
    """The element of an operand at a point; None outside of it."""
    tensor = nest.tensor(slot)
    found = tuple(one.at(point) for one in tensor.index)
    inside = all(0 <= at < length for at, length in zip(found, tensor.shape, strict=True))
    return found if inside else None


def moved(nest: Nest, architecture: Architecture, mapping: Nesting) -> Moved:
    """Every word that moves, under the rules of the default accounting."""
    found: Moved = Counter()
    steps = list(points(nest, mapping))
    for slot in SLOTS:
        chain = architecture.chain(slot)
        cuts = (0, *mapping.cuts_of(slot))
        for child, parent, cut in zip((ARRAY, *chain), chain, cuts, strict=False):
            one = _Link(nest, architecture, mapping, slot, (child, parent, cut))
            found += one.moved(steps)
    return found


class _Link:
    def __init__(
        self,
        nest: Nest,
        architecture: Architecture,
        mapping: Nesting,
        slot: Slot,
        link: tuple[int, int, int],
    ) -> None:
        child, parent, cut = link
        self.nest, self.slot, self.child = nest, slot, child
        self.names = [architecture.levels[place].name for place in (child, parent)]
        every = tuple(name for name, _ in architecture.axes)
        self.inner = every if child == ARRAY else architecture.levels[child].per
        self.outer = architecture.levels[parent].per
        # From outer to inner: the loops outside of the cut that change what is held.
        loops = list(reversed(mapping.temporal))[: len(mapping.temporal) - cut]
        self.changing = [
            place
            for place, loop in enumerate(loops)
            if nest.reads(slot, loop.dim) or (slot == "output" and child == ARRAY)
        ]
        self.outside = len(loops)

    def stays(self, steps: list[Any]) -> Iterator[list[Any]]:
        """The steps in time while the inner memory holds the same tile."""
        # Of the loops outside, only those down to the innermost one that changes the tile count:
        # the ones within it, which the operand does not read, leave it in place.
        last = max(self.changing, default=-1) + 1
        for _, several in itertools.groupby(steps, key=lambda step: step[0][:last]):
            yield list(several)

    def moved(self, steps: list[Any]) -> Moved:
        down: Moved = Counter()
        child, parent = self.names
        written: set[Any] = set()
        for stay in self.stays(steps):
            held: dict[Any, set[Any]] = {}
            for _, places, point in stay:
                element = word(self.nest, self.slot, point)
                if element is not None:
                    held.setdefault(tuple(places.get(axis, 0) for axis in self.inner), set()).add(
                        element
                    )
            served: dict[Any, set[Any]] = {}
            for unit, elements in held.items():
                at = dict(zip(self.inner, unit, strict=True))
                served.setdefault(tuple(at[axis] for axis in self.outer), set()).update(elements)
            inside = sum(map(len, held.values()))
            together = sum(map(len, served.values()))
            if self.slot != "output":
                down[self.slot, parent, "read_to_below"] += together
                if self.child != ARRAY:
                    down[self.slot, child, "write_from_above"] += inside
                continue
            sums = {(unit, element) for unit, elements in served.items() for element in elements}
            resumed = len(sums & written)
            written |= sums
            down["output", parent, "write_from_below"] += together
            down["output", parent, "read_to_below"] += resumed
            if self.child != ARRAY:
                down["output", child, "read_to_above"] += inside
                down["output", child, "write_from_above"] += resumed
        return down
