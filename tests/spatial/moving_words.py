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

from attrs import frozen

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


@frozen
class Movement:
    """What moved, and what was held, over all of a mapping."""

    words: Moved
    bits: Moved
    largest: Mapping[tuple[Slot, int], int]
    """Words of the largest tile of an operand in any instance of a memory."""


def moved(
    nest: Nest,
    architecture: Architecture,
    mapping: Nesting,
    homes: Mapping[Slot, int] | None = None,
) -> Movement:
    """Every word that moves, under the rules of the default accounting."""
    words: Moved = Counter()
    bits: Moved = Counter()
    largest: dict[tuple[Slot, int], int] = {}
    steps = list(points(nest, mapping))
    for slot in SLOTS:
        chain = architecture.chain(slot)
        home = (homes or {}).get(slot, chain[-1])
        chain = tuple(place for place in chain if place <= home)
        cuts = (0, *mapping.cuts_of(slot), len(mapping.temporal))
        for child, parent, cut in zip((ARRAY, *chain), chain, cuts, strict=False):
            link = _Link(nest, architecture, mapping, slot, (child, parent, cut))
            link.run(steps)
            words += link.words
            bits += link.bits
            largest[slot, child] = link.largest
        last = _Link(nest, architecture, mapping, slot, (chain[-1], chain[-1], cuts[-1]))
        last.run(steps)
        largest[slot, chain[-1]] = last.largest
    return Movement(words, bits, largest)


class _Link:
    """A memory, or the array, and the next memory outwards, which it moves words from and to."""

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
        self.retains = child != ARRAY and architecture.levels[child].retains_halo
        # From outer to inner: the loops outside of the cut that change what is held.
        self.loops = list(reversed(mapping.temporal))[: len(mapping.temporal) - cut]
        changing = [
            place
            for place, loop in enumerate(self.loops)
            if nest.reads(slot, loop.dim) or (slot == "output" and child == ARRAY)
        ]
        # Of the loops outside, only those down to the innermost one that changes the tile count:
        # the ones within it, which the operand does not read, leave it in place.
        self.last = max(changing, default=-1) + 1
        self.words: Moved = Counter()
        self.bits: Moved = Counter()
        self.largest = 0

    def stays(self, steps: list[Any]) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
        """The steps in time while the inner memory holds the same tile."""
        for times, several in itertools.groupby(steps, key=lambda step: step[0][: self.last]):
            yield times, list(several)

    @property
    def swept(self) -> int:
        """The loops outside of those over one dimension that stand directly above the tile."""
        place = self.last
        while place and self.loops[place - 1].dim == self.loops[self.last - 1].dim:
            place -= 1
        return place

    def run(self, steps: list[Any]) -> None:
        """Move all words."""
        sums = _Sums(self, steps)
        before: dict[Any, set[Any]] = {}
        sweep: tuple[int, ...] | None = None
        for times, stay in self.stays(steps):
            held: dict[Any, set[Any]] = {}
            for _, places, point in stay:
                element = word(self.nest, self.slot, point)
                if element is not None:
                    held.setdefault(tuple(places.get(axis, 0) for axis in self.inner), set()).add(
                        element
                    )
            self.largest = max([self.largest, *map(len, held.values())])
            if self.slot == "output":
                sums.move(held)
                continue
            if not self.retains or times[: self.swept] != sweep:
                before = {}
            sweep = times[: self.swept]
            fresh = {unit: words - before.get(unit, set()) for unit, words in held.items()}
            before = held
            bits = self.nest.tensor(self.slot).bits
            child, parent = self.names
            self.count(parent, "read_to_below", [bits] * len(self.served(fresh)))
            if self.child != ARRAY:
                self.count(child, "write_from_above", [bits] * sum(map(len, fresh.values())))

    def served(self, held: Mapping[Any, set[Any]]) -> set[tuple[Any, Any]]:
        """The words of all inner memories at the outer ones, each once for each of these."""
        found = set()
        for unit, elements in held.items():
            at = dict(zip(self.inner, unit, strict=True))
            found |= {(tuple(at[axis] for axis in self.outer), element) for element in elements}
        return found

    def count(self, memory: str, flow: str, bits: list[int]) -> None:
        """Words of some widths move."""
        self.words[self.slot, memory, flow] += len(bits)
        self.bits[self.slot, memory, flow] += sum(bits)


class _Sums:
    """Sums that go up, and down again to be continued.

    A sum has its final width once nothing more is added: no later step, and no other instance of
    the memory that it leaves or reaches adds to any.
    """

    def __init__(self, link: _Link, steps: list[Any]) -> None:
        self.link = link
        self.written: set[Any] = set()
        self.left: Counter[Any] = Counter()
        adders: dict[tuple[Any, Any], set[Any]] = {}
        for _, stay in link.stays(steps) if link.slot == "output" else ():
            once = set()
            for _, places, point in stay:
                element = word(link.nest, "output", point)
                for axes in {link.inner, link.outer}:
                    unit = tuple(places.get(axis, 0) for axis in axes)
                    adders.setdefault((axes, element), set()).add(unit)
                    once.add((axes, unit, element))
            self.left.update(once)
        self.shared = {
            axes for (axes, element), units in adders.items()
            if element is not None and len(units) > 1
        }  # fmt: skip

    def move(self, held: Mapping[Any, set[Any]]) -> None:
        """A tile goes up; what of it was there before has come down."""
        link, tensor = self.link, self.link.nest.output
        inside = {(unit, element) for unit, elements in held.items() for element in elements}
        sums = link.served(held)
        resumed = [tensor.partial_bits] * len(sums & self.written)
        self.written |= sums
        child, parent = link.names
        ends = [(parent, "write_from_below", link.outer, sums)]
        if link.child != ARRAY:
            ends.append((child, "read_to_above", link.inner, inside))
            link.count(child, "write_from_above", resumed)
        link.count(parent, "read_to_below", resumed)
        for axes in {axes for _, _, axes, _ in ends}:
            own = inside if axes == link.inner else sums
            self.left.subtract((axes, unit, element) for unit, element in own)
        for memory, flow, axes, own in ends:
            bits = [
                tensor.partial_bits
                if axes in self.shared or self.left[axes, unit, element]
                else tensor.bits
                for unit, element in own
            ]
            link.count(memory, flow, bits)
