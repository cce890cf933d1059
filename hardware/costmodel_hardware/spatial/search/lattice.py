"""The tiles of a nest: for each dimension the sizes to choose from, in steps in time."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from costmodel_hardware.spatial.nest import Loop

Values = npt.NDArray[np.float64]
MOST_TILES: Final = 200_000
"""Tiles of a nest beyond which small factors are merged."""
MOST_OF_ALL_SIZES: Final = 20_000
"""Ragged tiles of a nest beyond which the longest dimensions have fewer sizes than all."""


def prime_factors(number: int) -> tuple[int, ...]:
    """The prime factors of a number, in rising order."""
    found, factor = [], 2
    while factor * factor <= number:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return (*found, number) if number > 1 else tuple(found)


def smallest_sizes(steps: int) -> tuple[int, ...]:
    """For each number of tiles that make up some steps, the smallest size that needs no more.

    The divisors of the steps are among them.
    """
    found = [steps]
    while found[-1] > 1:
        found.append(-(-steps // ((steps - 1) // (found[-1] - 1) + 1)))
    return tuple(reversed(found))


@frozen
class Line:
    """Sizes along a dimension that one choice gives, and which of them grow to which.

    `before` has for each size the places of those that grow to it, without others between them.
    """

    dim: str
    sizes: tuple[int, ...]
    before: tuple[tuple[int, ...], ...]


def _powers(dim: str, factor: int, most: int) -> Line:
    """The powers of a factor."""
    powers = range(most + 1)
    return Line(dim, tuple(factor**one for one in powers), ((), *((one,) for one in powers[:-1])))


@functools.lru_cache(maxsize=1 << 10)
def _ragged(dim: str, sizes: Sequence[int]) -> Line:
    """Sizes in rising order: each grows to its multiples, and to the last one, which is all."""
    *inner, whole = sizes
    places = {size: place for place, size in enumerate(sizes)}
    before: list[list[int]] = [[] for _ in sizes]
    for size in inner:
        between: set[int] = set()
        next_ones = []
        for larger in range(2 * size, whole, size):
            if larger in places and larger not in between:
                next_ones.append(larger)
                between.update(range(larger, whole, larger))
        for larger in next_ones or [whole]:
            before[places[larger]].append(places[size])
    return Line(dim, tuple(sizes), tuple(map(tuple, before)))


@frozen(slots=False)
class Lattice:
    """All tiles whose steps in each dimension are some of its sizes, and which grow to which.

    The size of a tile along a dimension is the product of one from each of its `lines`: powers of
    each of its factors, or sizes that need not divide each other. Tiles are numbered in C order
    over `shape`, which has an axis for each dimension.
    """

    dims: tuple[str, ...]
    lines: tuple[Line, ...]
    """Those of a dimension follow each other, in the order of the dimensions."""

    @classmethod
    def of(
        cls, steps: Mapping[str, int], most: int = MOST_TILES, *, is_ragged: bool = False
    ) -> Lattice:
        """The tiles of dimensions of some steps, at most so many.

        Sizes are products of prime factors. Ragged ones are all from 1 to the steps; if there are
        more than `MOST_OF_ALL_SIZES` tiles, `smallest_sizes`, the longest dimension first. If there
        are more than `most`, the longest have products of factors, of which small ones are merged.
        """
        ragged = {dim: range(1, number + 1) for dim, number in steps.items() if is_ragged}
        sizes: dict[str, Sequence[int]] = dict(ragged)
        factors = {dim: prime_factors(number) for dim, number in steps.items()}
        longest_first = sorted(ragged, key=lambda dim: -steps[dim])
        for dim in longest_first:
            if cls._of(sizes, factors).size > MOST_OF_ALL_SIZES:
                sizes[dim] = smallest_sizes(steps[dim])
        for dim in longest_first:
            if cls._of(sizes, factors).size > most:
                del sizes[dim]
        while cls._of(sizes, factors).size > most:
            longest = max(factors, key=lambda dim: (len(factors[dim]), dim))
            first, second, *rest = factors[longest]
            factors[longest] = tuple(sorted((first * second, *rest)))
        return cls._of(sizes, factors)

    @classmethod
    def _of(
        cls, sizes: Mapping[str, Sequence[int]], factors: Mapping[str, Sequence[int]]
    ) -> Lattice:
        lines: list[Line] = []
        for dim, several in factors.items():
            if dim in sizes:
                lines.append(_ragged(dim, sizes[dim]))
            else:
                different = dict.fromkeys(several)
                lines += [_powers(dim, factor, several.count(factor)) for factor in different]
        return cls(tuple(factors), tuple(lines))

    @cached_property
    def tiles(self) -> Mapping[str, tuple[int, ...]]:
        """The steps of each dimension to choose from, in the order of their places."""
        sizes = {dim: [one.sizes for one in self.lines if one.dim == dim] for dim in self.dims}
        return {
            dim: tuple(math.prod(chosen) for chosen in itertools.product(*several))
            for dim, several in sizes.items()
        }

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """How many tiles each dimension has."""
        return tuple(len(several) for several in self.tiles.values())

    @property
    def size(self) -> int:
        """All tiles."""
        return math.prod(len(line.sizes) for line in self.lines)

    def tile(self, number: int) -> Mapping[str, int]:
        """The steps of each dimension of the tile of a number."""
        places = np.unravel_index(number, self.shape) if self.shape else ()
        return {
            dim: several[int(place)]
            for (dim, several), place in zip(self.tiles.items(), places, strict=True)
        }

    def least_within(self, values: Values, along: str | None = None) -> Values:
        """For each tile the least of the values of all that grow to it, itself included.

        With `along`, only of those that differ in no other dimension.
        """
        found = values.copy()
        inner = len(found)
        for line in self.lines:
            length = len(line.sizes)
            inner //= length
            if along in {None, line.dim}:
                # Row by row: a third of the time of `accumulate`, whose runs are this short.
                rows = found.reshape(-1, length, inner)
                for row, before in enumerate(line.before):
                    for one in before:
                        np.minimum(rows[:, row], rows[:, one], out=rows[:, row])
        return found

    def steps(self, dim: str) -> npt.NDArray[np.int64]:
        """The steps of one dimension in each tile."""
        place = self.dims.index(dim)
        shape = [-1 if at == place else 1 for at in range(len(self.shape))]
        own = np.array(self.tiles[dim]).reshape(shape)
        return np.broadcast_to(own, self.shape).reshape(-1)

    def smaller(self, number: int, along: str | None = None) -> Iterator[int]:
        """The numbers of the tiles that grow to the tile of a number without others between."""
        stride = 1
        for line in reversed(self.lines):
            length = len(line.sizes)
            if along in {None, line.dim}:
                place = number // stride % length
                for one in line.before[place]:
                    yield number - (place - one) * stride
            stride *= length

    def loops(
        self, inner: Mapping[str, int], outer: Mapping[str, int], first: str | None = None
    ) -> tuple[Loop, ...]:
        """Loops that lead from one tile to a larger one, one for each dimension that grows."""
        dims = sorted(self.dims, key=lambda dim: dim != first)
        return tuple(
            Loop(dim, -(-outer[dim] // inner[dim])) for dim in dims if outer[dim] > inner[dim]
        )
