"""How many words of an operand lie in a tile, and in all tiles together, counted exactly.

A dimension of N steps that is spread over U units has the indices d = s + U t: unit s (a digit for
each axis that it is spread over, the first axis changing fastest) at step t in time. A tile of T
steps in time is a block of T consecutive t. An instance of a memory that exists per some axes sees
of each block the units that share its place along these axes, which are called *kept*.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.nest import Nest, Tensor

Counts = npt.NDArray[np.float64]
"""Numbers of words or blocks: whole numbers, exact up to 2^53."""
MOST_POINTS: Final = 1 << 24
"""Points of a window that are enumerated, where no closed form holds."""


class Digit(NamedTuple):
    """Part of a dimension that is spread over an axis: `size` units."""

    axis: str
    size: int


@frozen
class Spread:
    """A dimension over the array: its size, and the axes that it is spread over, fastest first."""

    size: int
    digits: tuple[Digit, ...]

    @property
    def units(self) -> int:
        """Units that it is spread over."""
        return math.prod(digit.size for digit in self.digits)

    @property
    def steps(self) -> int:
        """Steps in time that remain: the size over the units, rounded up."""
        return -(-self.size // self.units)

    def kept(self, axes: Iterable[str]) -> tuple[tuple[int, int], ...]:
        """For each digit along one of some axes: its size, and the step from one to the next."""
        found, stride, among = [], 1, set(axes)
        for axis, size in self.digits:
            if axis in among and size > 1:
                found.append((size, stride))
            stride *= size
        return tuple(found)


def spreads(
    nest: Nest, spatial: Iterable[tuple[str, Iterable[tuple[str, int]]]]
) -> Mapping[str, Spread]:
    """Each dimension of a nest over the loops of each axis."""
    digits: dict[str, list[Digit]] = {dim: [] for dim, _ in nest.dims}
    for axis, loops in spatial:
        for dim, size in loops:
            if dim in digits:
                digits[dim].append(Digit(axis, size))
    return {dim: Spread(size, tuple(digits[dim])) for dim, size in nest.dims}


def blocks(spread: Spread, tiles: Sequence[int], axes: frozenset[str]) -> Counts:
    """For each tile: in how many blocks and places along `axes` any unit has work, summed."""
    return np.array([_blocks(spread, int(tile), spread.kept(axes)) for tile in tiles], np.float64)


@functools.lru_cache(maxsize=1 << 16)
def _blocks(spread: Spread, tile: int, kept: tuple[tuple[int, int], ...]) -> int:
    if not kept:
        return -(-spread.steps // tile)
    count, units = 0, spread.units
    whole = spread.size // units  # steps in which all units have work
    rest = spread.size - whole * units
    full_blocks = -(-whole // tile)
    count = full_blocks * math.prod(size for size, _ in kept)
    if rest and full_blocks * tile <= whole:  # the last step begins a block of its own
        count += len({_places(unit, kept) for unit in range(rest)})
    return count


def _places(unit: int, kept: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    return tuple(unit // stride % size for size, stride in kept)


class Footprint(NamedTuple):
    """Words of all tiles together, and of the largest."""

    total: int
    largest: int


@functools.lru_cache(maxsize=1 << 16)
def positions(
    index: Affine,
    length: int,
    spread: tuple[tuple[str, Spread], ...],
    tiles: tuple[int, ...],
    kept: tuple[tuple[tuple[int, int], ...], ...],
) -> Footprint:
    """Different positions along one axis of a tensor, over all combinations of blocks and places.

    `tiles` and `kept` are those of the dimensions of `spread`, in the same order. Positions
    outside of the axis (padding) are not counted; a tile has room for no more than the axis is
    long.

    Raises:
        ShapeError: there are too many points to count.

    """
    factors = dict(index.terms)
    terms = [
        (factors[dim], one, tile, places)
        for (dim, one), tile, places in zip(spread, tiles, kept, strict=True)
        if one.size > 1
    ]
    if not terms:
        inside = int(0 <= index.offset < length)
        return Footprint(inside, 1)
    if all(not places for *_, places in terms):
        runs = _runs(terms, index.offset, length)
        if runs is not None:
            return runs
    return _enumerated(terms, index.offset, length)


def _runs(
    terms: Sequence[tuple[int, Spread, int, tuple[tuple[int, int], ...]]], offset: int, length: int
) -> Footprint | None:
    """The answer where the positions of each combination of blocks are a run without gaps."""
    terms = sorted(terms, key=lambda term: abs(term[0]))
    low, high = np.array([offset]), np.array([offset])
    for place, (factor, spread, tile, _) in enumerate(terms):
        wide = tile * spread.units
        first = np.arange(0, spread.size, wide)
        last = np.minimum(first + wide, spread.size) - 1
        if factor < 0 or (place == 0 and factor != 1):
            return None
        if place and len(first) and wide > 1 and int((high - low).min()) + 1 < factor:
            return None
        low = (low[:, None] + factor * first).ravel()
        high = (high[:, None] + factor * last).ravel()
    wide_run = int((high - low + 1).max())
    inside = np.minimum(high, length - 1) - np.maximum(low, 0) + 1
    return Footprint(int(np.maximum(inside, 0).sum()), min(wide_run, length))


def _enumerated(
    terms: Sequence[tuple[int, Spread, int, tuple[tuple[int, int], ...]]], offset: int, length: int
) -> Footprint:
    points = math.prod(spread.size for _, spread, _, _ in terms)
    if points > MOST_POINTS:
        message = f"a window of {points:,} points: at most {MOST_POINTS:,} are counted one by one"
        raise ShapeError(message)
    where, cell = np.array([offset], np.int64), np.zeros(1, np.int64)
    cells = 1
    for factor, spread, tile, kept in terms:
        steps = np.arange(spread.size, dtype=np.int64)
        own = steps // (spread.units * tile)
        for size, stride in kept:
            own = own * size + steps // stride % size
        many = int(own.max()) + 1
        where = (where[:, None] + factor * steps).ravel()
        cell = (cell[:, None] * many + own).ravel()
        cells *= many
    _, largest = _distinct(where, cell)
    is_inside = (where >= 0) & (where < length)
    total, _ = _distinct(where[is_inside], cell[is_inside])
    return Footprint(total, min(largest, length))


def _distinct(where: npt.NDArray[np.int64], cell: npt.NDArray[np.int64]) -> tuple[int, int]:
    if not len(where):
        return 0, 0
    low = int(where.min())
    span = int(where.max()) - low + 1
    keys = np.unique(cell * span + (where - low))
    _, counts = np.unique(keys // span, return_counts=True)
    return len(keys), int(counts.max())


@frozen
class Words:
    """The words of one operand in tiles of any sizes, for memories that exist per some axes."""

    tensor: Tensor
    spread: tuple[tuple[str, Spread], ...]

    def _axis(
        self, index: Affine, length: int, tiles: Mapping[str, Sequence[int]], axes: frozenset[str]
    ) -> tuple[tuple[str, ...], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The dimensions of an index, and for all tiles of these: words of all, of the largest."""
        own = [(dim, spread) for dim, spread in self.spread if dim in index.dims]
        kept = tuple(spread.kept(axes) for _, spread in own)
        shape = [len(tiles[dim]) for dim, _ in own]
        total, largest = np.zeros(shape), np.zeros(shape)
        for place in np.ndindex(*shape):
            chosen = tuple(int(tiles[dim][at]) for (dim, _), at in zip(own, place, strict=True))
            found = positions(index, length, tuple(own), chosen, kept)
            total[place], largest[place] = found
        return tuple(dim for dim, _ in own), total, largest

    def counted(
        self,
        tiles: Mapping[str, Sequence[int]],
        axes: frozenset[str],
        *,
        retained: bool = False,
    ) -> tuple[Counts, Counts]:
        """Words of all tiles together, over the whole nest, and of the largest tile.

        `tiles` has for each dimension the tiles to try, in steps in time; the answers have one
        axis for each dimension of the nest, in its order. What the operand does not read is
        counted as often as blocks of it follow each other, and for each place along `axes` that
        has work. Where overlaps are `retained`, each position is counted once for each place.
        """
        dims = [dim for dim, _ in self.spread]
        total, largest = np.ones([1] * len(dims)), np.ones([1] * len(dims))
        for index, length in zip(self.tensor.index, self.tensor.shape, strict=True):
            names, words, most = self._axis(index, length, tiles, axes)
            if retained and len(names) > 1:
                whole = {dim: [spread.steps] for dim, spread in self.spread}
                _, once, _ = self._axis(index, length, whole, axes)
                words = np.full_like(words, once.item())
            total = total * _placed(words, names, dims)
            largest = largest * _placed(most, names, dims)
        read = self.tensor.dims
        for dim, spread in self.spread:
            if dim not in read:
                total = total * _placed(blocks(spread, tiles[dim], axes), (dim,), dims)
        return total, largest


def _placed(values: Counts, names: Sequence[str], dims: Sequence[str]) -> Counts:
    """An array over some dimensions as one over all, which it does not depend on beyond them."""
    order = sorted(range(len(names)), key=lambda place: dims.index(names[place]))
    turned = values.transpose(order) if len(order) > 1 else values
    shape = [1] * len(dims)
    for place in order:
        shape[dims.index(names[place])] = values.shape[place]
    return turned.reshape(shape)
