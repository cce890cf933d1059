"""Words over the links of an accelerator, and what a link costs, for tiles of any sizes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import frozen

from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Flow, Level, Slot, Use
from costmodel_hardware.spatial.counting.footprints import Counts, Ends, Spread, Words, spreads
from costmodel_hardware.spatial.nest import Loop, Nest

ARRAY: Final = -1
"""The place of the units of the array, within the innermost memory of each operand."""


class Link(NamedTuple):
    """Between a memory and the next one within it that holds the same operand, or the array."""

    operand: Slot
    child: int
    """Place of the inner memory among the levels of the architecture, or ARRAY."""
    parent: int


TWICE: Final = 2
"""Tiles that a double-buffered memory holds: one in use and the next."""
Booleans: TypeAlias = npt.NDArray[np.bool_]


class Swept(NamedTuple):
    """The dimension that is stepped through directly above a tile, and the steps in its end."""

    dim: str
    steps: int


class TileBits(NamedTuple):
    """Bits of the largest tile: of sums that are not complete, and of anything else."""

    partial: Counts
    complete: Counts


class Moved(NamedTuple):
    """Words over a link for each tile, and how many of them are sums that are not complete.

    `at_parent` are words read from the outer memory or written to it, `at_child` those that the
    inner memories write or read: a word that is broadcast is read once and written several times,
    sums that meet on the way are read several times and written once. `resumed` sums go down again
    to be continued, to one of the units that take part. `complete_*` of the words that go up are
    final results.
    """

    at_parent: Counts
    at_child: Counts
    resumed: Counts | None = None
    complete_at_parent: float = 0.0
    complete_at_child: float = 0.0


@frozen(slots=False)
class Spatial:
    """A nest on the array of an architecture: the loops of each axis, and the homes of operands.

    The home of an operand is the outermost memory that it lies in; by default the outermost that
    holds it.
    """

    nest: Nest
    architecture: Architecture
    loops: tuple[tuple[str, tuple[Loop, ...]], ...]
    homes: tuple[tuple[Slot, int], ...] = ()

    @cached_property
    def spread(self) -> Mapping[str, Spread]:
        """Each dimension over the array."""
        return spreads(self.nest, self.loops)

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """Steps of each dimension in time."""
        return {dim: one.steps for dim, one in self.spread.items()}

    @property
    def cycles(self) -> int:
        """Cycles in which the array computes."""
        return math.prod(self.steps.values()) * self.architecture.cycles_per_mac

    def used(self, axis: str) -> int:
        """Units along an axis that have work."""
        return math.prod(size for _, size in dict(self.loops).get(axis, ()))

    @cached_property
    def chains(self) -> Mapping[Slot, tuple[int, ...]]:
        """The memories of each operand from the inner one to its home."""
        found: dict[Slot, tuple[int, ...]] = {}
        homes = dict(self.homes)
        for slot in SLOTS:
            chain = self.architecture.chain(slot)
            home = homes.get(slot, chain[-1])
            found[slot] = tuple(place for place in chain if place <= home)
        return found

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links of every operand, from the array outwards."""
        return tuple(
            Link(slot, child, parent)
            for slot in SLOTS
            for child, parent in zip((ARRAY, *self.chains[slot]), self.chains[slot], strict=False)
        )

    def links_of(self, slot: Slot) -> tuple[Link, ...]:
        """The links of one operand, from the array outwards."""
        return tuple(link for link in self.links if link.operand == slot)

    @cached_property
    def _words(self) -> Mapping[Slot, Words]:
        spread = tuple(self.spread.items())
        return {slot: Words(self.nest.tensor(slot), spread) for slot in SLOTS}

    def axes_of(self, place: int) -> frozenset[str]:
        """The axes along which a memory, or the array, exists once per unit."""
        if place == ARRAY:
            return frozenset(name for name, _ in self.architecture.axes)
        return frozenset(self.architecture.levels[place].per)

    def instances(self, place: int) -> int:
        """Instances of a memory that have work."""
        return math.prod(self.used(axis) for axis in self.axes_of(place))

    def tile_bits(self, slot: Slot, place: int, tiles: Mapping[str, Sequence[int]]) -> TileBits:
        """Bits that an operand takes in one instance of a memory, for tiles of any sizes.

        A double-buffered memory holds a tile twice, unless it is all that there is.
        """
        _, largest = self._words[slot].counted(tiles, self.axes_of(place))
        tensor = self.nest.tensor(slot)
        if self.architecture.levels[place].double_buffered:
            largest = largest * np.where(self._is_whole(tiles, tensor.dims), 1, TWICE)
        return TileBits(largest * tensor.partial_bits, largest * tensor.bits)

    def is_reduced(self, tiles: Mapping[str, Sequence[int]]) -> Booleans:
        """Whether all that is summed to one result lies in one tile, for tiles of any sizes."""
        return self._is_whole(tiles, self.nest.summed)

    def _is_whole(self, tiles: Mapping[str, Sequence[int]], dims: Collection[str]) -> Booleans:
        whole = np.ones([1] * len(self.nest.dims), np.bool_)
        for axis, (dim, _) in enumerate(self.nest.dims):
            if dim in dims:
                own = np.asarray(tiles[dim]) >= self.steps[dim]
                shape = [1] * len(self.nest.dims)
                shape[axis] = len(own)
                whole = whole & own.reshape(shape)
        return whole

    def moved(
        self, link: Link, tiles: Mapping[str, Sequence[int]], swept: Swept | None = None
    ) -> Moved:
        """The words over a link, where the inner memory keeps tiles of these sizes in time.

        A memory that retains the halo fetches of each tile of a sweep what the last one lacks.
        """
        slot = link.operand
        words, outer, inner = (
            self._words[slot], self.axes_of(link.parent), self.axes_of(link.child)
        )  # fmt: skip
        both = (outer, outer if link.child == ARRAY else inner)
        if slot != "output":
            if swept is not None and self.retains(link):
                found = [words.fetched(tiles, inner, Ends(*swept, axes)) for axes in both]
            else:
                found = [words.counted(tiles, axes)[0] for axes in both]
            return Moved(at_parent=found[0], at_child=found[1])
        at_parent, _ = words.counted(tiles, outer)
        at_child = at_parent if link.child == ARRAY else words.counted(tiles, inner)[0]
        fresh, summed_further_out = self._once(outer)
        own, summed_on_the_way = self._once(inner)
        return Moved(
            at_parent,
            at_child,
            resumed=at_parent - fresh,
            complete_at_parent=0.0 if summed_further_out else fresh,
            complete_at_child=0.0 if summed_on_the_way else own,
        )

    def words_once(self, slot: Slot) -> float:
        """The different words of an operand that the nest accesses."""
        whole = {dim: [one.size] for dim, one in self.spread.items()}
        total, _ = self._words[slot].counted(whole, frozenset())
        return float(total.item())

    @cached_property
    def _results(self) -> float:
        """The different results of the nest."""
        return self.words_once("output")

    def _once(self, axes: frozenset[str]) -> tuple[float, bool]:
        """Sums of all instances along some axes, and whether some of these are parts of others.

        A dimension that is summed may be spread so that each result stays with one instance: in a
        transposed convolution of stride 2, even and odd taps reach different results.
        """
        whole = {dim: [steps] for dim, steps in self.steps.items()}
        total, _ = self._words["output"].counted(whole, axes)
        return float(total.item()), total.item() > self._results

    def retains(self, link: Link) -> bool:
        """Whether the inner memory fetches of an input or weight only what it does not hold."""
        is_memory = link.child != ARRAY and link.operand != "output"
        return is_memory and self.architecture.levels[link.child].retains_halo

    def flows(
        self, link: Link, tiles: Mapping[str, Sequence[int]], swept: Swept | None = None
    ) -> Iterator[Flowing]:
        """The bits that a link moves at each of its two ends."""
        tensor, moved = self.nest.tensor(link.operand), self.moved(link, tiles, swept)
        has_child = link.child != ARRAY
        if link.operand != "output":
            yield Flowing(
                link.parent, "read_to_below", moved.at_parent, moved.at_parent * tensor.bits
            )
            if has_child:
                bits = moved.at_child * tensor.bits
                yield Flowing(link.child, "write_from_above", moved.at_child, bits)
            return
        narrower = tensor.partial_bits - tensor.bits
        up = moved.at_parent * tensor.partial_bits - moved.complete_at_parent * narrower
        yield Flowing(link.parent, "write_from_below", moved.at_parent, up)
        resumed = moved.resumed if moved.resumed is not None else np.zeros(())
        yield Flowing(link.parent, "read_to_below", resumed, resumed * tensor.partial_bits)
        if has_child:
            bits = moved.at_child * tensor.partial_bits - moved.complete_at_child * narrower
            yield Flowing(link.child, "read_to_above", moved.at_child, bits)
            yield Flowing(link.child, "write_from_above", resumed, resumed * tensor.partial_bits)


class Flowing(NamedTuple):
    """What one memory reads or writes for one link: words and bits, of all its instances."""

    place: int
    flow: Flow
    words: Counts
    bits: Counts


def accesses(level: Level, flow: Flow, bits: Counts) -> Counts:
    """Accesses of full width: bits in steps of the smallest access, over the width."""
    width = level.read_bits if flow.startswith("read") else level.write_bits
    steps: Counts = np.ceil(bits / level.smallest_bits)
    return steps * level.smallest_bits / width


def energy(level: Level, flow: Flow, bits: Counts) -> Counts:
    """Joules of what a memory reads or writes."""
    each = level.read_energy if flow.startswith("read") else level.write_energy
    return accesses(level, flow, bits) * each


def ports(level: Level, operand: Slot, flow: Flow) -> Iterator[tuple[str, float]]:
    """The ports of a memory that a flow uses, each with its bits in a cycle."""
    for port in level.ports:
        if Use(operand, flow) in port.uses:
            yield port.name, port.bits_per_cycle
