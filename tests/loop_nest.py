"""The loop nest that an operator stands for, point by point: it counts accesses, and computes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from attrs import frozen

from costmodel.workload.affine import Affine
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operand,
    Operator,
    Reduction,
)

Array = np.ndarray[Any, Any]


@frozen
class Met:
    """The points inside of a tensor, the set of its elements that they meet, and the busiest."""

    points: int
    elements: frozenset[tuple[int, ...]]
    meeting: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Points, different elements, and the most points that meet one element."""
        return self.points, len(self.elements), self.meeting


def points_of(dims: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Every point of an iteration space."""
    for point in itertools.product(*map(range, dims.values())):
        yield dict(zip(dims, point, strict=True))


def place_of(index: Sequence[Affine], point: Mapping[str, int]) -> tuple[int, ...]:
    """Where an index lies at a point."""
    return tuple(
        sum((factor * point[name] for name, factor in one.terms), one.offset) for one in index
    )


def met(index: Sequence[Affine], shape: Sequence[int], dims: Mapping[str, int]) -> Met:
    """How the points of `dims` meet a tensor of `shape`."""
    places = Counter(place_of(index, point) for point in points_of(dims))
    inside = {
        place: count
        for place, count in places.items()
        if all(0 <= at < length for at, length in zip(place, shape, strict=True))
    }
    return Met(sum(inside.values()), frozenset(inside), max(inside.values(), default=0))


def met_by(operator: Operator, operand: Operand) -> Met:
    """How an operator meets one of its operands."""
    return met(operand.index, operand.shape, operator.dims)


def check_counts(operator: Operator) -> None:
    """Compare what an operator derives from its maps with a walk over every point."""
    points = math.prod(operator.dims.values())
    assert operator.points == points
    assert operator.macs == (points if isinstance(operator, Contraction) else 0)
    for operand in operator.operands:
        if None in operand.index:
            continue
        met = met_by(operator, operand)
        assert tuple(operator.accesses(operand)) == met.counts, str(operand)
        expected = met.points / len(met.elements) if met.elements else 0
        assert operator.reuse(operand) == expected
    if operator.outputs:
        assert operator.reduction_size == met_by(operator, operator.outputs[0]).meeting
    moved = {
        name
        for operand in operator.outputs
        for one in operand.index
        if one is not None
        for name, factor in one.terms
        if factor
    }
    assert set(operator.reduction_dims) == set(operator.dims) - moved


def check_sources(operator: Operator, results: Sequence[Array]) -> None:
    """Compare where a movement reads with the elements that its results are, by their numbers.

    `results` hold the number of each element, as `element_numbers` counts them, and 0 where there
    is none. An axis without a map may be read anywhere; each other axis is read where its map
    says, and an operand with a map for every axis lies outside where it is not the source.
    """
    read = [item for item in operator.operands if item.role != "output"]
    numbers = element_numbers([item.shape for item in read])
    seen = {number for result in results for number in result.ravel()} - {0}
    for operand, held in zip(read, numbers, strict=True):
        assert operator.accesses(operand).elements == len(seen & set(held.ravel())), str(operand)
    for output, result in zip(operator.outputs, results, strict=True):
        assert result.shape == output.shape
        reached = np.zeros(output.shape, bool)
        for point in points_of(operator.dims):
            place = place_of(output.index, point)
            if _is_inside(place, output.shape):
                reached[place] = True
                for operand, held in zip(read, numbers, strict=True):
                    _check_source(operand, np.argwhere(held == result[place]), point)
        assert reached.all()


def element_numbers(shapes: Sequence[Sequence[int]]) -> list[Array]:
    """A number of its own, from 1 on, for each element of tensors of these shapes."""
    starts = itertools.accumulate([math.prod(shape) for shape in shapes], initial=1)
    return [
        np.arange(start, start + math.prod(shape)).reshape(shape)
        for start, shape in zip(starts, shapes, strict=False)
    ]


def _check_source(operand: Operand, found: Array, point: Mapping[str, int]) -> None:
    """Check the place of the one element that is found in an operand, or that none is."""
    at = [None if one is None else place_of([one], point)[0] for one in operand.index]
    for source in found:
        assert all(one in {None, due} for one, due in zip(at, source, strict=True)), str(operand)
    if not len(found) and None not in at:
        assert not _is_inside(at, operand.shape), str(operand)


def _is_inside(place: Sequence[Any], shape: Sequence[Any]) -> bool:
    return all(0 <= at < length for at, length in zip(place, shape, strict=True))


# ------------------------------------------------------------------ computing

FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "add": lambda *values: sum(values),
    "subtract": lambda one, *others: one - sum(others),
    "average": lambda *values: sum(values) / len(values),
    "multiply": lambda *values: values[0] ** 2 if len(values) == 1 else math.prod(values),
    "divide": lambda one, other: one / other,
    "maximum": lambda *values: np.maximum.reduce(values),
    "minimum": lambda *values: np.minimum.reduce(values),
    "affine": lambda value, scale, shift: value * scale + shift,
    "exp": np.exp,
    "relu": lambda value, *scale: np.maximum(value, 0) * math.prod(scale),
}
"""What functions of elements do; `multiply` of one operand is its square."""


def executed(operator: Operator, *arrays: Array, **functions: Callable[..., Any]) -> list[Array]:
    """The outputs of an operator for its inputs and weights, in the order of its operands.

    An input read outside of its tensor is zero, or left out of a reduction; what is written
    outside of an output is dropped.
    """
    read = [item for item in operator.operands if item.role != "output"]
    count = math.prod(operator.dims.values())
    grid = np.indices(tuple(operator.dims.values())).reshape(len(operator.dims), count)
    nest = _Nest(dict(zip(operator.dims, grid, strict=True)), count)
    for item, array in zip(read, arrays, strict=True):
        assert array.shape == item.shape, (str(item), array.shape)
    values = [_Read(nest, item, array) for item, array in zip(read, arrays, strict=True)]
    compute = _KINDS[next(kind for kind in type(operator).__mro__ if kind in _KINDS)]
    return [
        compute(operator, nest, item, values, {**FUNCTIONS, **functions}).reshape(item.shape)
        for item in operator.outputs
    ]


@frozen
class _Nest:
    grid: Mapping[str, Array]
    count: int

    def places(self, operand: Operand, chosen: Array | None = None) -> tuple[Array, Array]:
        """Which points are inside of the tensor, and the place of each among its elements."""
        flat, inside = np.zeros(self.count, int), np.ones(self.count, bool)
        for one, length in zip(operand.index, operand.shape, strict=True):
            place = chosen if one is None else self._at(one)
            assert place is not None, f"{operand}: nothing chooses a place"
            inside &= (place >= 0) & (place < length)
            flat = flat * length + place
        return inside, flat

    def _at(self, index: Affine) -> Array:
        terms = [factor * self.grid[name] for name, factor in index.terms]
        return sum(terms, np.full(self.count, index.offset))


class _Read:
    """The values of an operand at every point; zero where it is outside."""

    def __init__(self, nest: _Nest, operand: Operand, array: Array) -> None:
        self.operand, self.array, self.nest = operand, array, nest
        if None not in operand.index:
            self.at(None)

    def at(self, chosen: Array | None) -> None:
        """Read; `chosen` holds the places along an axis whose index is data."""
        self.inside, places = self.nest.places(self.operand, chosen)
        self.values = np.zeros(self.nest.count)
        self.values[self.inside] = self.array.ravel()[places[self.inside]]


def _filled(output: Operand, value: float) -> Array:
    """The elements of an output in one row."""
    return np.full(output.size, value)


def _contraction(
    operator: Operator, nest: _Nest, output: Operand, read: Sequence[_Read], _functions: Any
) -> Array:
    left, right, *biases = read
    result = _filled(output, 0.0)
    inside, places = nest.places(output)
    np.add.at(result, places[inside], (left.values * right.values)[inside])
    for bias in biases:
        result += _added(operator, output, bias).ravel()
    return result


def _added(operator: Operator, output: Operand, bias: _Read) -> Array:
    """A bias at every output element, also those that no product reaches."""
    known = set(bias.operand.dims)
    result = np.zeros(output.shape)
    for point in points_of({name: operator.dims[name] for name in bias.operand.dims}):
        places = [
            place_of([one], point)[0] if one.dims and known.issuperset(one.dims) else slice(None)
            for one in output.index
        ]
        result[tuple(places)] += bias.array[place_of(bias.operand.index, point)]
    return result


_FOLDS: Final = {
    "sum": (np.add, 0.0),
    "mean": (np.add, 0.0),
    "max": (np.maximum, -np.inf),
    "min": (np.minimum, np.inf),
    "product": (np.multiply, 1.0),
}


def _reduction(
    operator: Operator, nest: _Nest, output: Operand, read: Sequence[_Read], _functions: Any
) -> Array:
    assert isinstance(operator, Reduction)
    (source,) = read
    fold, start = _FOLDS[operator.function]
    result, count = _filled(output, start), _filled(output, 0.0)
    is_written, places = nest.places(output)
    inside = is_written & source.inside
    fold.at(result, places[inside], source.values[inside])
    np.add.at(count, places[inside], 1.0)
    return result / np.maximum(count, 1) if operator.function == "mean" else result


def _elementwise(
    operator: Operator, nest: _Nest, output: Operand, read: Sequence[_Read], functions: Any
) -> Array:
    assert isinstance(operator, Elementwise | Activation)
    assert all(item.inside.all() for item in read)
    result = _filled(output, np.nan)
    inside, places = nest.places(output)
    result[places[inside]] = functions[operator.function](*[item.values for item in read])[inside]
    return result


def _movement(
    _operator: Operator, nest: _Nest, output: Operand, read: Sequence[_Read], _functions: Any
) -> Array:
    """Elements carried; where a place along an axis is data, the other operand says it."""
    tables = [item for item in read if None in item.operand.index]
    for table in tables:
        (chosen,) = [item for item in read if item is not table]
        assert table.operand.index.count(None) == 1
        table.at(chosen.values.astype(int))
    return _carried(nest, output, tables or read)


def _carried(nest: _Nest, output: Operand, read: Sequence[_Read]) -> Array:
    assert (sum(item.inside.astype(int) for item in read) <= 1).all()  # one source at most
    result = _filled(output, np.nan)
    inside, places = nest.places(output)
    result[places[inside]] = sum(item.values for item in read)[inside]
    return result


_KINDS: Final[Mapping[type, Callable[..., Array]]] = {
    Contraction: _contraction,
    Reduction: _reduction,
    Elementwise: _elementwise,
    Activation: _elementwise,
    Movement: _movement,
    Gather: _movement,
}
