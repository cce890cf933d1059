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
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.nest import Nest, Tensor

_Whole: TypeAlias = npt.NDArray[np.int64]
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
    _check_points(math.prod(spread.size for _, spread, _, _ in terms))
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


def _check_points(points: int) -> None:
    if points > MOST_POINTS:
        message = f"a window of {points:,} points: at most {MOST_POINTS:,} are counted one by one"
        raise ShapeError(message)


def _distinct(where: npt.NDArray[np.int64], cell: npt.NDArray[np.int64]) -> tuple[int, int]:
    if not len(where):
        return 0, 0
    low = int(where.min())
    span = int(where.max()) - low + 1
    keys = np.unique(cell * span + (where - low))
    _, counts = np.unique(keys // span, return_counts=True)
    return len(keys), int(counts.max())


class Sweep(NamedTuple):
    """A dimension, by its place among those of an index, and the steps that tiles go through."""

    place: int
    steps: int


class Ends(NamedTuple):
    """A dimension that is stepped through up to so many steps, seen along some axes."""

    dim: str
    steps: int
    axes: frozenset[str]


Places: TypeAlias = tuple[tuple[tuple[int, int], ...], ...]
"""For each dimension the digits that are kept."""


@functools.lru_cache(maxsize=1 << 16)
def newcomers(
    index: Affine,
    length: int,
    spread: tuple[tuple[str, Spread], ...],
    tiles: tuple[int, ...],
    kept: tuple[Places, Places],
    sweep: Sweep,
) -> int:
    """Positions along one axis of a tensor that tiles do not share with the tile before them.

    As `positions`, with the places of the inner memories and those of the outer one: what several
    inner memories need anew is counted once for each outer one. The first tile of each sweep is
    new as a whole.
    """
    within, _ = kept
    swept = tuple(
        max(sweep.steps, tile) if place == sweep.place else tile for place, tile in enumerate(tiles)
    )
    if not any(within):
        factors = dict(index.terms)
        runs = [
            _runs(
                [
                    (factors[dim], one, steps, ())
                    for (dim, one), steps in zip(spread, several, strict=True)
                    if one.size > 1
                ],
                index.offset,
                length,
            )
            for several in (tiles, swept)
        ]
        if runs[0] is not None and runs[1] is not None:
            return runs[1].total  # runs that overlap one after the other make up one run
    first, later = _by_block(index, length, spread, tiles, kept, sweep.place)
    begins = np.arange(len(first)) * tiles[sweep.place] % swept[sweep.place] == 0
    return int(np.where(begins, first, later).sum())


@functools.lru_cache(maxsize=1 << 12)
def _by_block(
    index: Affine,
    length: int,
    spread: tuple[tuple[str, Spread], ...],
    tiles: tuple[int, ...],
    kept: tuple[Places, Places],
    swept: int,
) -> tuple[_Whole, _Whole]:
    """Positions for each block of the dimension at a place: all, and those not in the last one."""
    _check_points(math.prod(one.size for _, one in spread))
    factors = dict(index.terms)
    where = np.array([index.offset], np.int64)
    cell, earlier, above, at = (np.zeros(1, np.int64) for _ in range(4))
    for place, ((dim, one), tile, within, outside) in enumerate(
        zip(spread, tiles, *kept, strict=True)
    ):
        steps = np.arange(one.size, dtype=np.int64)
        block = steps // (one.units * tile)
        many = int(block[-1]) + 2
        later, before = (block + 1, block) if place == swept else (block, block)
        where = _crossed(where, 1, factors[dim] * steps)
        inner, outer = (math.prod(size for size, _ in digits) for digits in (within, outside))
        cell = _crossed(cell, many * inner, _numbered(later, steps, within))
        earlier = _crossed(earlier, many * inner, _numbered(before, steps, within))
        above = _crossed(above, many * outer, _numbered(block, steps, outside))
        at = _crossed(at, 1, block if place == swept else 0 * block)
    is_inside = (where >= 0) & (where < length)
    where, cell, earlier, above, at = (one[is_inside] for one in (where, cell, earlier, above, at))
    is_new = ~np.isin(earlier * length + where, cell * length + where)
    own = spread[swept][1]
    blocks_of_it = -(-own.steps // tiles[swept])

    def counted(among: npt.NDArray[np.bool_]) -> _Whole:
        _, firsts = np.unique((above * length + where)[among], return_index=True)
        return np.bincount(at[among][firsts], minlength=blocks_of_it)

    return counted(np.ones(len(where), np.bool_)), counted(is_new)


def _crossed(so_far: _Whole, many: int, own: _Whole) -> _Whole:
    """One number for each pair of a number so far and one of `many` others."""
    crossed: _Whole = (so_far[:, None] * many + own).ravel()
    return crossed


def _numbered(block: _Whole, steps: _Whole, digits: Sequence[tuple[int, int]]) -> _Whole:
    """One number for a block and the place along each kept digit."""
    for size, stride in digits:
        block = block * size + steps // stride % size
    return block


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
        self, tiles: Mapping[str, Sequence[int]], axes: frozenset[str]
    ) -> tuple[Counts, Counts]:
        """Words of all tiles together, over the whole nest, and of the largest tile.

        `tiles` has for each dimension the tiles to try, in steps in time; the answers have one
        axis for each dimension of the nest, in its order. What the operand does not read is
        counted as often as blocks of it follow each other, and for each place along `axes` that
        has work.
        """
        dims = [dim for dim, _ in self.spread]
        total, largest = self._repeated(tiles, axes), np.ones([1] * len(dims))
        for index, length in zip(self.tensor.index, self.tensor.shape, strict=True):
            names, words, most = self._axis(index, length, tiles, axes)
            total = total * _placed(words, names, dims)
            largest = largest * _placed(most, names, dims)
        return total, largest

    def fetched(
        self, tiles: Mapping[str, Sequence[int]], inner: frozenset[str], ends: Ends
    ) -> Counts:
        """Words of all tiles together, less what each has in common with the one before it.

        The instances along `inner` step through one dimension up to the end of each sweep. Words
        that several of them fetch are counted once for each place along the axes of `ends`.
        """
        dims = [dim for dim, _ in self.spread]
        total = self._repeated(tiles, ends.axes)
        for index, length in zip(self.tensor.index, self.tensor.shape, strict=True):
            if ends.dim not in index.dims:
                names, words, _ = self._axis(index, length, tiles, ends.axes)
            else:
                names, words = self._swept(index, length, tiles, inner, ends)
            total = total * _placed(words, names, dims)
        return total

    def _swept(
        self,
        index: Affine,
        length: int,
        tiles: Mapping[str, Sequence[int]],
        inner: frozenset[str],
        ends: Ends,
    ) -> tuple[tuple[str, ...], Counts]:
        own = tuple((dim, spread) for dim, spread in self.spread if dim in index.dims)
        names = tuple(dim for dim, _ in own)
        within = tuple(spread.kept(inner) for _, spread in own)
        outside = tuple(spread.kept(ends.axes) for _, spread in own)
        found = np.zeros([len(tiles[dim]) for dim in names])
        for place in np.ndindex(*found.shape):
            chosen = tuple(int(tiles[dim][at]) for dim, at in zip(names, place, strict=True))
            sweep = Sweep(names.index(ends.dim), ends.steps)
            found[place] = newcomers(index, length, own, chosen, (within, outside), sweep)
        return names, found

    def _repeated(self, tiles: Mapping[str, Sequence[int]], axes: frozenset[str]) -> Counts:
        """How often tiles follow each other for dimensions that the operand does not read."""
        dims = [dim for dim, _ in self.spread]
        total: Counts = np.ones([1] * len(dims))
        for dim, spread in self.spread:
            if dim not in self.tensor.dims:
                total = total * _placed(blocks(spread, tiles[dim], axes), (dim,), dims)
        return total


def _placed(values: Counts, names: Sequence[str], dims: Sequence[str]) -> Counts:
    """An array over some dimensions as one over all, which it does not depend on beyond them."""
    order = sorted(range(len(names)), key=lambda place: dims.index(names[place]))
    turned = values.transpose(order) if len(order) > 1 else values
    shape = [1] * len(dims)
    for place in order:
        shape[dims.index(names[place])] = values.shape[place]
    return turned.reshape(shape)
