"""What crosses the links between the memories of an operand, for each tile that lies below one.

Link n of an operand joins its level n (0 the array) and the memory above. While a tile lies
below, that link carries the data of one instance once: a period. All arrays are of (tiles,).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from attrs import frozen

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.architecture import (
    FLOWS,
    Architecture,
    Flow,
    Level,
    Port,
    Slot,
    Use,
)
from costmodel_hardware.spatial.nest import Nest
from costmodel_hardware.spatial.zigzag.spreading import (
    Array,
    OperandSpread,
    Spatial,
    Tiles,
    spread_of,
)

READS: Final[tuple[Flow, ...]] = ("read_to_below", "read_to_above")
"""The flows that read a memory; the others write it."""


def ports_of(level: Level) -> tuple[Port, ...]:
    """The ports of a memory; without any, it has one to read and one to write."""
    if level.ports:
        return level.ports
    reads = {Use(slot, flow) for slot in level.holds for flow in READS}
    writes = {Use(slot, flow) for slot in level.holds for flow in FLOWS if flow not in READS}
    return (
        Port("read", level.read_bits, reads, level.smallest_bits),
        Port("write", level.write_bits, writes, level.smallest_bits),
    )


def port_for(level: Level, use: Use) -> Port | None:
    """The port of a memory for a use; none if it has none."""
    return next((one for one in ports_of(level) if use in one.uses), None)


class End(NamedTuple):
    """One flow at one end of a link: what a memory does while a tile lies below the link."""

    operand: Slot
    place: int
    """The memory, in the architecture."""
    flow: Flow
    port: Port
    bits: Array
    """Bits that one instance moves in a period; 0 where it does not."""
    need: Array
    """Whole bits per cycle that it needs on average."""
    cycles: Array
    """Cycles of its port in a period."""
    words: Array
    """Accesses of full width, of all instances and periods."""


@frozen(eq=False)
class LinkTraffic:
    """What crosses one link, for each tile."""

    ends: tuple[End, ...]
    energy: Array
    """Joules of the memories at both ends; infinite where a memory lacks a port."""


@frozen(eq=False)
class OperandTraffic:
    """What an operand moves and occupies, by link and level, for each tile."""

    slot: Slot
    places: tuple[int, ...]
    """Its memories, in the architecture."""
    links: tuple[LinkTraffic, ...]
    elements: tuple[Array, ...]
    """Elements of one instance at each level, not rounded."""
    rounded: tuple[Array, ...]
    """The same, rounded."""
    widths: tuple[Array, ...]
    """Bits of an element that crosses from each level to the next memory."""
    partial: tuple[Array, ...]
    """Whether sums that leave each level are not complete."""
    whole_bits: tuple[Array, ...]
    """Bits of one instance at each level, for time."""
    dims: frozenset[str]
    """The dimensions that the operand depends on."""
    plain: frozenset[str]
    """Those of them that do not move a window."""
    bits: tuple[int, int]
    """Bits of an element, and of a sum that is not complete."""
    doubled: tuple[bool, ...]
    """Whether each memory is double buffered by declaration."""

    def held(self, level: int, *, partial: bool) -> Array:
        """Bits that the operand takes in one instance of its nth memory, for each tile in it.

        Sums take the width of partial ones as long as those that leave the level below are not
        complete. A memory that is declared double buffered takes twice the tile, unless the tile
        is everything.
        """
        held = self.elements[level + 1] * self.bits[partial]
        return np.where(held < held[-1], held * 2, held) if self.doubled[level] else held


def traffic_of(
    nest: Nest,
    architecture: Architecture,
    spatial: Spatial,
    slot: Slot,
    tiles: Tiles,
    rounded: Sequence[int] = (),
) -> OperandTraffic:
    """The traffic of an operand, for each tile.

    The elements of each level may be given `rounded`, where they depend on more than the tile.

    Raises:
        CostModelError: ZigZag has no rule for an index of the operand, or for MACs that take more
            than a cycle.

    """
    if architecture.cycles_per_mac != 1:
        message = (
            f"a MAC takes {architecture.cycles_per_mac} cycles; the accounting 'zigzag' has one, "
            "use 'costmodel'"
        )
        raise CostModelError(message)
    by_words, by_time = (
        _Side(nest, architecture, spread_of(nest, architecture, spatial, slot, whole=whole), tiles)
        for whole in (False, True)
    )
    if rounded:
        by_words.rounded = tuple(np.full(tiles.period.shape, one) for one in rounded)
    links = [
        _link(architecture, slot, tiles, number, by_words, by_time)
        for number in range(len(by_words.places))
    ]
    footprint = by_words.spread.footprint
    return OperandTraffic(
        slot,
        by_words.places,
        tuple(links),
        by_words.elements,
        by_words.rounded,
        by_words.widths,
        by_words.partial,
        tuple(size * width for size, width in zip(by_time.rounded, by_time.widths, strict=True)),
        footprint.dims,
        frozenset(footprint.plain),
        (nest.tensor(slot).bits, nest.tensor(slot).partial_bits),
        tuple(architecture.levels[place].double_buffered for place in by_words.places),
    )


class _Side:
    """An operand's elements and widths by level, with factors that are fractions or whole."""

    def __init__(
        self, nest: Nest, architecture: Architecture, spread: OperandSpread, tiles: Tiles
    ) -> None:
        self.spread = spread
        self.places = architecture.chain(spread.slot)
        tensor = nest.tensor(spread.slot)
        levels = range(len(self.places) + 1)
        self.elements = tuple(
            np.broadcast_to(
                spread.footprint.elements(_times(tiles.steps, spread.below(level))),
                tiles.period.shape,
            )
            for level in levels
        )
        self.rounded = tuple(np.rint(size).astype(np.int64) for size in self.elements)
        self.partial = tuple(self._partial(nest, tiles, level) for level in levels)
        self.widths = tuple(
            np.where(partial, tensor.partial_bits, tensor.bits) for partial in self.partial
        )

    def _partial(self, nest: Nest, tiles: Tiles, level: int) -> Array:
        """Whether what leaves a level is a sum that is not complete."""
        if self.spread.slot != "output" or level == len(self.places):
            return np.zeros(tiles.period.shape, bool)
        beyond = self.spread.above(level + 1)
        if any(beyond.get(dim, 1) > 1 for dim in nest.reduction):
            return np.ones(tiles.period.shape, bool)
        return tiles.some_remain(nest.reduction)


def _times(steps: Mapping[str, Array], factors: Mapping[str, float]) -> Mapping[str, Array]:
    found = {dim: one * factors.get(dim, 1.0) for dim, one in steps.items()}
    return {**factors, **found}


def _link(
    architecture: Architecture,
    slot: Slot,
    tiles: Tiles,
    number: int,
    by_words: _Side,
    by_time: _Side,
) -> LinkTraffic:
    ends = []
    energy: Array = np.zeros(tiles.period.shape)
    for upper in (True, False):
        if number == 0 and not upper:
            continue
        place = by_words.places[number if upper else number - 1]
        level = architecture.levels[place]
        for flow in _flows(slot, upper=upper):
            bits, time_bits, need = (
                _moved(side, tiles, number, flow, upper=upper, per_cycle=per_cycle)
                for side, per_cycle in ((by_words, False), (by_time, False), (by_time, True))
            )
            port = port_for(level, Use(slot, flow))
            if port is None:
                energy = np.where(bits > 0, math.inf, energy)
                continue
            units = by_words.spread.units[number + 1 if upper else number]
            share = port.smallest_bits / port.bits_per_cycle
            periods = tiles.total // tiles.period
            words = np.ceil(bits / port.smallest_bits) * share * periods * units
            words = words.astype(np.int64)
            energy = energy + words * (level.read_energy if flow in READS else level.write_energy)
            cycles = np.ceil(time_bits / port.bits_per_cycle).astype(np.int64)
            ends.append(End(slot, place, flow, port, time_bits, need, cycles, words))
    return LinkTraffic(tuple(ends), energy)


def _flows(slot: Slot, *, upper: bool) -> tuple[Flow, ...]:
    """The flows at one end of a link; that which only partial sums have comes last."""
    if slot == "output":
        return (
            ("write_from_below", "read_to_below")
            if upper
            else ("read_to_above", "write_from_above")
        )
    return ("read_to_below",) if upper else ("write_from_above",)


def _moved(
    side: _Side, tiles: Tiles, number: int, flow: Flow, *, upper: bool, per_cycle: bool
) -> Array:
    """Bits that one instance moves in a period, or per cycle of it."""
    amount = side.rounded[number] * side.widths[number]
    copies = side.spread.distinct[number] if upper else 1
    moved = (amount / tiles.period * copies).astype(np.int64) if per_cycle else amount * copies
    refills = side.spread.slot == "output" and flow in ("read_to_below", "write_from_above")
    return np.where(side.partial[number], moved, 0) if refills else moved
