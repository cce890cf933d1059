"""How ZigZag spreads loops over an array, as each operand sees it from memory to memory.

A dimension of N steps over U units takes q = ceil(N / U) steps in time. Words and energy are
counted with the fraction N / q of the units, time with its whole part.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel.errors import CostModelError
from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.nest import Loop, Nest

Factors: TypeAlias = Mapping[str, float]
"""Steps of each dimension; those of dimensions that it lacks are one."""
Spatial: TypeAlias = tuple[tuple[str, tuple[Loop, ...]], ...]
"""The loops of each axis, as a mapping has them."""
Array: TypeAlias = Any
"""A number, or a NumPy array of numbers."""
_SET_ORDER: Final = {"D1": 0, "D2": 1, "D4": 2, "D3": 3}
"""The order in which the program goes through a set of its axes: the last digit depends on it."""
_WINDOW: Final = 2
"""Dimensions of an axis of windows: a place, and a place within the window."""


class Window(NamedTuple):
    """An axis of an operand that two dimensions index: `extent` positions in all."""

    outer: str
    stride: int
    inner: str
    dilation: int
    extent: int

    def positions(self, outer: Array, inner: Array) -> Array:
        """Distinct positions that whole numbers of steps read, at most the extent.

        For fewer steps than a dilation the formula finds too many, as in ZigZag.
        """
        common = math.gcd(self.stride, self.dilation)
        beyond = np.maximum(0, inner - self.stride // common)
        distinct = outer * inner - beyond * (outer - self.dilation // common)
        return np.minimum(distinct, self.extent)


@frozen
class Footprint:
    """The elements of an operand that a number of steps of each dimension read."""

    plain: tuple[str, ...]
    windows: tuple[Window, ...]

    @property
    def dims(self) -> frozenset[str]:
        """The dimensions that it depends on."""
        return frozenset(self.plain).union(*((one.outer, one.inner) for one in self.windows))

    def elements(self, steps: Mapping[str, Array]) -> Array:
        """Elements, not rounded; along windows, fractions of a step do not count."""
        count = math.prod(steps.get(dim, 1.0) for dim in self.plain)
        for one in self.windows:
            outer, inner = (np.floor(steps.get(dim, 1.0)) for dim in (one.outer, one.inner))
            count = count * one.positions(outer, inner)
        return count


def footprint_of(nest: Nest, slot: Slot) -> Footprint:
    """The footprint of an operand.

    Raises:
        CostModelError: an axis has an index that ZigZag has no rule for.

    """
    plain: list[str] = []
    windows = []
    tensor = nest.tensor(slot)
    for axis, (extent, index) in enumerate(zip(tensor.shape, tensor.index, strict=True)):
        if len(index.terms) < _WINDOW:
            plain += index.dims
        elif len(index.terms) == _WINDOW and slot != "output":
            windows.append(_window(nest.sizes, index, extent))
        else:
            message = (
                f"axis {axis} of the {slot} has the index {index}; the accounting 'zigzag' has "
                "rules for one dimension, and for two of an input; use 'costmodel'"
            )
            raise CostModelError(message)
    return Footprint(tuple(plain), tuple(windows))


def _window(sizes: Mapping[str, int], index: Affine, extent: int) -> Window:
    (outer, stride), (inner, dilation) = index.terms
    whole = Window(outer, stride, inner, dilation, extent)
    return whole._replace(extent=int(whole.positions(sizes.get(outer, 1), sizes.get(inner, 1))))


def products_by_level(
    footprint: Footprint, levels: Iterable[Iterable[tuple[str, float]]]
) -> list[float]:
    """For each level of loops, by how many times they multiply the elements of an operand.

    Numbers are multiplied loop after loop as ZigZag does: where a product of fractions ends in a
    half, the last digit decides to which side it is rounded.
    """
    steps: dict[str, float] = {}
    positions = [1.0] * len(footprint.windows)
    found = []
    for loops in levels:
        product: float = 1
        for dim, size in loops:
            steps[dim] = steps.get(dim, 1) * size
            product *= size if dim in footprint.plain else 1
            for place, one in enumerate(footprint.windows):
                if dim in {one.outer, one.inner}:
                    reached = float(one.positions(*(int(steps.get(name, 1)) for name in
                                                    (one.outer, one.inner))))  # fmt: skip
                    product *= reached / positions[place]
                    positions[place] = reached
        found.append(product)
    return found


@frozen
class OperandSpread:
    """How an operand is spread: level 0 is the array, level n its nth memory from the inside.

    `spread[n]` has the factors between level n and the next memory; the last entry has those
    beyond the outermost memory.
    """

    slot: Slot
    footprint: Footprint
    spread: tuple[Factors, ...]
    units: tuple[int, ...]
    """Instances in use at each level."""
    distinct: tuple[int, ...]
    """Instances of different data below one instance of the next memory."""

    def below(self, level: int) -> Factors:
        """The factors within one instance of a level."""
        return _merged(self.spread[:level])

    def above(self, level: int) -> Factors:
        """The factors between and beyond a level and the outermost memory."""
        return _merged(self.spread[level:])


def _units(factors: Factors) -> int:
    """Whole instances, halves to even, whatever the last digits of their product."""
    return round(round(math.prod(factors.values()), 3))


def _merged(several: Iterable[Factors]) -> Factors:
    found: dict[str, float] = {}
    for factors in several:
        for dim, factor in factors.items():
            found[dim] = found.get(dim, 1.0) * factor
    return found


@functools.lru_cache(maxsize=256)
def spread_of(
    nest: Nest, architecture: Architecture, spatial: Spatial, slot: Slot, *, whole: bool
) -> OperandSpread:
    """How an operand is spread, by `whole` factors or by fractions."""
    factors = dict(_factors(nest, spatial, whole=whole))
    footprint = footprint_of(nest, slot)
    left = dict(factors)
    spread = []
    for place in architecture.chain(slot):
        served = [axis for axis in left if axis not in architecture.levels[place].per]
        served.sort(key=lambda axis: _SET_ORDER.get(axis, 0))
        spread.append(_merged(left.pop(axis) for axis in served))
    spread.append(_merged(left.values()))
    ratios = products_by_level(footprint, [one.items() for one in spread])
    unique = [math.prod(ratios[level:]) for level in range(len(spread))]
    return OperandSpread(
        slot,
        footprint,
        tuple(spread),
        tuple(_units(_merged(spread[n:])) for n in range(len(spread))),
        tuple(round(now / above) for now, above in itertools.pairwise(unique)),
    )


def _factors(
    nest: Nest, spatial: Spatial, *, whole: bool
) -> Iterator[tuple[str, dict[str, float]]]:
    """The factors of each axis; the widest of a dimension takes what the division leaves."""
    sizes = nest.sizes
    placed: dict[str, float] = {}
    for axis, loops in spatial:
        found: dict[str, float] = {}
        for dim, size in loops:
            factor: float = size
            if axis == _widest(spatial, dim):
                before = placed.get(dim, 1)
                factor = sizes[dim] / math.ceil(sizes[dim] / (size * before)) / before
                factor = int(factor) if whole else factor
            placed[dim] = placed.get(dim, 1) * factor
            found[dim] = found.get(dim, 1) * factor
        yield axis, found


def _widest(spatial: Spatial, dim: str) -> str:
    """The first axis with the most units for a dimension."""
    most = {axis: max((loop.size for loop in loops if loop.dim == dim), default=0)
            for axis, loops in spatial}  # fmt: skip
    return max(most, key=most.__getitem__)


@frozen(eq=False)
class Tiles:
    """Tiles of a nest in time: for each dimension, the steps within one, an array of (tiles,).

    `whole` has the steps of each dimension in the whole run; `period` the cycles of each tile.
    """

    steps: Mapping[str, Array]
    whole: Mapping[str, int]
    period: Array = field()

    @period.default
    def _product(self) -> Array:
        product: Array = np.ones(1, np.int64)
        for one in self.steps.values():
            product = product * one
        return product

    @property
    def total(self) -> int:
        """Cycles of the whole run."""
        return math.prod(self.whole.values())

    def some_remain(self, dims: Iterable[str]) -> Array:
        """Whether loops over some of these dimensions lie outside each tile."""
        remain: Array = np.zeros(self.period.shape, bool)
        for dim in dims:
            if dim in self.steps:
                remain = remain | (self.steps[dim] < self.whole[dim])
        return remain


def spreads_of(
    nest: Nest, architecture: Architecture, spatial: Spatial, *, whole: bool
) -> Mapping[Slot, OperandSpread]:
    """How each operand is spread."""
    return {slot: spread_of(nest, architecture, spatial, slot, whole=whole) for slot in SLOTS}
