"""The mappings that a search may choose from, and what an operand costs at each of their cuts.

A tile is a choice of loops: how many of each kind of equal loops lie within it. Tiles are numbered
so that a tile comes after all that lie within it. The tiles at the cuts of all operands, in the
order of their size, are a chain: each lies within the next. Every chain is one of an order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.zigzag.searching.orders import LIMIT, merged_loops, temporal_steps
from costmodel_hardware.spatial.zigzag.spreading import Spatial, Tiles
from costmodel_hardware.spatial.zigzag.traffic import OperandTraffic, traffic_of

Vector: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@frozen(eq=False)
class Space:
    """All orders and allocations of some loops in time, with given loops over the array."""

    nest: Nest
    architecture: Architecture
    spatial: Spatial
    loops: tuple[Loop, ...]
    kinds: tuple[Loop, ...] = field(init=False)
    """The distinct loops."""
    numbers: tuple[int, ...] = field(init=False)
    """How many there are of each kind."""
    tiles: Tiles = field(init=False)
    traffic: Mapping[Slot, OperandTraffic] = field(init=False)

    @kinds.default
    def _kinds(self) -> tuple[Loop, ...]:
        return tuple(Counter(self.loops))

    @numbers.default
    def _numbers(self) -> tuple[int, ...]:
        return tuple(Counter(self.loops).values())

    @tiles.default
    def _tiles(self) -> Tiles:
        steps: dict[str, Vector] = {dim: np.ones(self.shape, np.int64) for dim, _ in self.nest.dims}
        for axis, (kind, number) in enumerate(zip(self.kinds, self.numbers, strict=True)):
            along = [number + 1 if one == axis else 1 for one in range(len(self.kinds))]
            powers = [kind.size**exponent for exponent in range(number + 1)]
            steps[kind.dim] = steps[kind.dim] * np.reshape(np.array(powers, np.int64), along)
        flat = {dim: one.reshape(-1) for dim, one in steps.items()}
        return Tiles(flat, {dim: int(one[-1]) for dim, one in flat.items()})

    @traffic.default
    def _traffic(self) -> Mapping[Slot, OperandTraffic]:
        return {
            slot: traffic_of(self.nest, self.architecture, self.spatial, slot, self.tiles)
            for slot in SLOTS
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """Tiles by how many loops of each kind they have."""
        return tuple(number + 1 for number in self.numbers)

    @property
    def size(self) -> int:
        """How many tiles there are."""
        return math.prod(self.shape)

    def capacity(self, place: int) -> float:
        """Bits of one instance of a memory."""
        size = self.architecture.levels[place].size_bits
        return math.inf if size is None else size


def space_of(nest: Nest, architecture: Architecture, spatial: Spatial, limit: int = LIMIT) -> Space:
    """The space of LOMA's loops: prime factors, merged to a limit."""
    return Space(nest, architecture, spatial, merged_loops(temporal_steps(nest, spatial), limit))


def too_small(space: Space) -> str:
    """Which memory is too small for the least that an operand must have in it."""
    for slot in SLOTS:
        for level, place in enumerate(space.traffic[slot].places):
            outermost = level == len(space.traffic[slot].places) - 1
            partial = bool(space.traffic[slot].partial[level][0])
            bits = space.traffic[slot].held(level, partial=partial)
            least, room = float(bits[-1 if outermost else 0]), space.capacity(place)
            if least > room:
                name = space.architecture.levels[place].name
                return (
                    f"memory {name!r} holds {room:.0f} bits; the {slot} needs {least:.0f} there "
                    f"in the smallest tile, {least - room:.0f} more; enlarge it, or spread fewer "
                    "steps over the array"
                )
    return "no mapping fits: operands that share a memory overfill it; enlarge it"
