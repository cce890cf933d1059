"""The tiles of a nest: for each dimension the divisors of its steps in time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from costmodel_hardware.spatial.nest import Loop

Values = npt.NDArray[np.float64]
MOST_TILES: Final = 200_000
"""Tiles of a nest beyond which small factors are merged."""


def prime_factors(number: int) -> tuple[int, ...]:
    """The prime factors of a number, in rising order."""
    found, factor = [], 2
    while factor * factor <= number:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return (*found, number) if number > 1 else tuple(found)


@frozen(slots=False)
class Lattice:
    """All tiles whose steps in each dimension are products of some of its factors.

    `factors` are those of each dimension, in rising order: its prime factors, or products of them
    where there would be too many tiles. Tiles are numbered in C order over `shape`, which has an
    axis for each dimension.
    """

    factors: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def of(cls, steps: Mapping[str, int], most: int = MOST_TILES) -> Lattice:
        """The tiles of dimensions of some steps, at most so many."""
        factors = {dim: prime_factors(number) for dim, number in steps.items()}
        found = cls(tuple(factors.items()))
        while found.size > most:
            longest = max(factors, key=lambda dim: (len(factors[dim]), dim))
            first, second, *rest = factors[longest]
            factors[longest] = tuple(sorted((first * second, *rest)))
            found = cls(tuple(factors.items()))
        return found

    @property
    def is_merged(self) -> bool:
        """Whether any factor is not a prime number."""
        return any(len(prime_factors(one)) > 1 for _, several in self.factors for one in several)

    @cached_property
    def _powers(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each dimension its different factors, each with how often it has it."""
        return tuple(
            tuple((factor, several.count(factor)) for factor in dict.fromkeys(several))
            for _, several in self.factors
        )

    @cached_property
    def tiles(self) -> Mapping[str, tuple[int, ...]]:
        """The steps of each dimension to choose from, in the order of the exponents."""
        return {
            dim: tuple(
                math.prod(factor**many for (factor, _), many in zip(powers, exponents, strict=True))
                for exponents in itertools.product(*[range(most + 1) for _, most in powers])
            )
            for (dim, _), powers in zip(self.factors, self._powers, strict=True)
        }

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """How many tiles each dimension has."""
        return tuple(len(several) for several in self.tiles.values())

    @cached_property
    def exponents(self) -> tuple[int, ...]:
        """The same with an axis for each different factor of each dimension."""
        return tuple(most + 1 for powers in self._powers for _, most in powers)

    @property
    def size(self) -> int:
        """All tiles."""
        return math.prod(most + 1 for powers in self._powers for _, most in powers)

    def tile(self, number: int) -> Mapping[str, int]:
        """The steps of each dimension of the tile of a number."""
        places = np.unravel_index(number, self.shape) if self.shape else ()
        return {
            dim: several[int(place)]
            for (dim, several), place in zip(self.tiles.items(), places, strict=True)
        }

    def least_within(self, values: Values, along: str | None = None) -> Values:
        """For each tile the least of the values of all tiles that divide it, itself included.

        With `along`, only of those that differ in no other dimension.
        """
        found = values.copy()
        inner = len(found)
        for length, dim in zip(self.exponents, self.owners, strict=True):
            inner //= length
            if along in {None, dim}:
                # Row by row: a third of the time of `accumulate`, whose runs are this short.
                rows = found.reshape(-1, length, inner)
                for row in range(1, length):
                    np.minimum(rows[:, row], rows[:, row - 1], out=rows[:, row])
        return found

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """The dimension of each axis of `exponents`."""
        return tuple(
            dim for (dim, _), powers in zip(self.factors, self._powers, strict=True) for _ in powers
        )

    def steps(self, dim: str) -> npt.NDArray[np.int64]:
        """The steps of one dimension in each tile."""
        place = list(self.tiles).index(dim)
        shape = [-1 if at == place else 1 for at in range(len(self.shape))]
        own = np.array(self.tiles[dim]).reshape(shape)
        return np.broadcast_to(own, self.shape).reshape(-1)

    def smaller(self, number: int, along: str | None = None) -> Iterator[int]:
        """The numbers of the tiles that lack one factor of the tile of a number."""
        stride = 1
        for length, dim in zip(reversed(self.exponents), reversed(self.owners), strict=True):
            if number // stride % length and along in {None, dim}:
                yield number - stride
            stride *= length

    def loops(
        self, inner: Mapping[str, int], outer: Mapping[str, int], first: str | None = None
    ) -> tuple[Loop, ...]:
        """Loops that lead from one tile to a larger one, one for each dimension that grows."""
        dims = sorted(self.tiles, key=lambda dim: dim != first)
        return tuple(Loop(dim, outer[dim] // inner[dim]) for dim in dims if outer[dim] > inner[dim])
