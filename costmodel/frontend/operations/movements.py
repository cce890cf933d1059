"""Elements seen in another shape, moved, or fetched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from attrs import evolve

from costmodel.frontend.operations.work import Value, Work, seen_as
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import product as size_of
from costmodel.workload import builders
from costmodel.workload.builders.shapes import axis_names
from costmodel.workload.operators import Elementwise, Movement, Operand, output_of, unmapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Rule


def reshape(value: Value, *, shape: Sequence[int]) -> Work:
    """The same elements in another shape."""
    return seen_as(value, shape)


def transpose(value: Value, *, order: Sequence[int]) -> Work:
    """The axes in another order; a view where only axes of one element change places."""
    order = [value.axis(axis) for axis in order]
    kept = [axis for axis in order if value.shape[axis] != 1]
    if kept == sorted(kept):
        return seen_as(value, [value.shape[axis] for axis in order])
    return Work(builders.transpose(value.tensor, order), (value,))


def concatenate(*values: Value, axis: int) -> Work:
    """Values one after the other along an axis."""
    work = builders.concatenate(
        [value.tensor for value in values], axis, roles=[value.role for value in values]
    )
    return Work(work, values)


def split(value: Value, *, sizes: Sequence[int], axis: int) -> Work:
    """Parts of a value along an axis."""
    return Work(builders.split(value.tensor, axis, sizes), (value,))


def select(value: Value, *, key: Sequence[int | slice | None]) -> Work:
    """A slice as NumPy writes it, by whole numbers, slices and new axes."""
    if all(item == slice(None) for item in key):
        return seen_as(value, value.shape)
    return Work(builders.select(value.tensor, key), (value,))


def pad(value: Value, *, amounts: Sequence[tuple[int, int]]) -> Work:
    """Constants before and after the elements along each axis."""
    if not any(map(any, amounts)):
        return seen_as(value, value.shape)
    return Work(builders.pad(value.tensor, amounts), (value,))


def expand(value: Value, *, shape: Sequence[int]) -> Work:
    """A value stretched along axes of one element."""
    if tuple(shape) == value.shape:
        return seen_as(value, shape)
    return Work(builders.broadcast_to(value.tensor, shape), (value,))


def tile(value: Value, *, times: Sequence[int]) -> Work:
    """A value repeated along each axis."""
    if set(times) <= {1}:
        return seen_as(value, value.shape)
    return Work(builders.tile(value.tensor, times), (value,))


def embedding(table: Value, places: Value, *, axis: int = 0) -> Work:
    """Rows of a table, or slices along an axis, at places that are data."""
    work = builders.embedding(places.tensor, table.tensor, table_role=table.role, axis=axis)
    return Work(work, (places, table))


def fetch(value: Value, *places: Value, shape: Sequence[int]) -> Work:
    """Elements from places of a value that no affine map states, in another shape.

    Each is read at most once; `places` are the indices that say which.
    """
    result = Tensor(tuple(shape))
    touched = min(value.size, size_of(shape))
    operands = [
        Operand(value.role, value.tensor, (None,) * value.rank, touched),
        *[one for place in places for one in unmapped(place.role, [place.tensor])],
        output_of(result, *axis_names(len(result.shape))),
    ]
    return Work(_movement(operands, result), (value, *places))


def store(value: Value, update: Value, *places: Value) -> Work:
    """A value with elements replaced, at places that no affine map states.

    The other elements are copied; `places` are the indices that say where.
    """
    operands = [
        Operand(value.role, value.tensor, (None,) * value.rank, max(value.size - update.size, 0)),
        *[one for part in (update, *places) for one in unmapped(part.role, [part.tensor])],
        output_of(value.tensor, *axis_names(value.rank)),
    ]
    return Work(_movement(operands, value.tensor), (value, update, *places))


def _movement(operands: Sequence[Operand], result: Tensor) -> Movement:
    lengths = [length or 0 for length in result.shape]
    dims = dict(zip(axis_names(len(lengths)), lengths, strict=True))
    return Movement(dims=dims, operands=operands, purpose="selection")


def copy(value: Value, *, purpose: str) -> Work:
    """Every element carried, for a purpose such as a conversion to another format."""
    return Work(builders.copy(purpose, value.tensor), (value,))


def quantize(value: Value) -> Work:
    """Every element rounded to the format that is declared for the result."""
    return copy(value, purpose="quantization")


def dequantize(value: Value) -> Work:
    """Every element of a quantised value as the number that it stands for."""
    return copy(value, purpose="dequantization")


def _read(work: Movement, *values: Value) -> Work:
    """A movement whose first operands have the roles of these values."""
    operands = [
        evolve(operand, role=value.role)
        for operand, value in zip(work.operands, values, strict=False)
    ]
    return Work(evolve(work, operands=[*operands, *work.operands[len(values) :]]), values)


def flip(value: Value, *, axes: Sequence[int]) -> Work:
    """The elements along some axes, the last first."""
    return Work(builders.flip(value.tensor, axes), (value,))


def take_along(value: Value, places: Value, *, axis: int) -> Work:
    """The element along an axis that each index names, at the place of the index."""
    return _read(builders.take_along(value.tensor, places.tensor, axis), value, places)


def insert(value: Value, block: Value, *, start: Sequence[int]) -> Work:
    """A value with a block of it replaced by another, from a place on."""
    return _read(builders.insert(value.tensor, block.tensor, start), value, block)


def triangle(value: Value, *, diagonal: int = 0, upper: bool = False) -> Work:
    """The elements below a diagonal of the last two axes, or above it, and zeros elsewhere."""
    return Work(builders.triangle(value.tensor, diagonal, upper=upper), (value,))


def diagonal(value: Value, *, offset: int = 0, axes: Sequence[int] = (0, 1)) -> Work:
    """The elements on a diagonal of two axes, which the result has as its last axis."""
    return Work(builders.diagonal(value.tensor, offset, *axes), (value,))


def resize(value: Value, *, shape: Sequence[int]) -> Work:
    """Each element of the result from the nearest one of the value."""
    if tuple(shape) == value.shape:
        return seen_as(value, shape)
    return Work(builders.resize(value.tensor, tuple(shape)), (value,))


def interpolate(value: Value, *, shape: Sequence[int], neighbours: int) -> Work:
    """Each element of the result a weighted sum of its neighbours along the axes that change.

    `neighbours` are those along one axis: 2 for a linear interpolation, 4 for a cubic one.
    """
    result = tuple(shape)
    axes = [axis for axis, pair in enumerate(zip(value.shape, result, strict=True))
            if pair[0] != pair[1]]  # fmt: skip
    if not axes:
        return seen_as(value, result)
    read = [
        min(before, after * neighbours) if axis in axes else before
        for axis, (before, after) in enumerate(zip(value.shape, result, strict=True))
    ]
    carried = builders.rearrange_along(
        "repetition", value.tensor, result, axes, touched=math.prod(read)
    )
    steps = neighbours ** len(axes)
    work = Elementwise(
        dims=carried.dims, operands=carried.operands, function="affine", steps=steps
    )  # fmt: skip
    return Work(work, (value,))


def sample(*values: Value, shape: Sequence[int], steps: int) -> Work:
    """Each element of the result a weighted sum of others, at places that are data.

    `steps` are the elements that each is the sum of: a multiplication and an addition for each.
    How the places and the weights follow from the data is not counted.
    """
    carried, reads = _carried(values, "repetition", [shape])
    work = Elementwise(
        dims=carried.dims, operands=carried.operands, function="affine", steps=steps
    )  # fmt: skip
    return Work(work, reads)


def rearrange(*values: Value, purpose: str, shapes: Sequence[Sequence[int]]) -> Work:
    """Elements carried to places that no affine map states, such as by a scatter."""
    return Work(*_carried(values, purpose, shapes))


def _carried(
    values: Sequence[Value], purpose: str, shapes: Sequence[Sequence[int]]
) -> tuple[Movement, Sequence[Value]]:
    """The movement, and the values in the order of its operands: constants last."""
    inputs = [value for value in values if not value.is_constant]
    held = [value for value in values if value.is_constant]
    moved = builders.rearrange(
        purpose, [value.tensor for value in inputs], [tuple(shape) for shape in shapes],
        weights=[value.tensor for value in held],
    )  # fmt: skip
    return moved, (*inputs, *held)


RULES: Final[Mapping[str, Rule]] = {
    "reshape": reshape,
    "transpose": transpose,
    "concatenate": concatenate,
    "split": split,
    "select": select,
    "pad": pad,
    "expand": expand,
    "tile": tile,
    "embedding": embedding,
    "fetch": fetch,
    "store": store,
    "copy": copy,
    "quantize": quantize,
    "dequantize": dequantize,
    "flip": flip,
    "take_along": take_along,
    "insert": insert,
    "triangle": triangle,
    "diagonal": diagonal,
    "resize": resize,
    "interpolate": interpolate,
    "rearrange": rearrange,
    "sample": sample,
}
