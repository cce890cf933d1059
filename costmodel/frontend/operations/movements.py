"""Elements seen in another shape, moved, or fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations.work import Value, Work, seen_as
from costmodel.workload import builders

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


def copy(value: Value, *, purpose: str) -> Work:
    """Every element carried, for a purpose such as a conversion to another format."""
    return Work(builders.copy(purpose, value.tensor), (value,))


def quantize(value: Value) -> Work:
    """Every element rounded to the format that is declared for the result."""
    return copy(value, purpose="quantization")


def dequantize(value: Value) -> Work:
    """Every element of a quantised value as the number that it stands for."""
    return copy(value, purpose="dequantization")


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
    "copy": copy,
    "quantize": quantize,
    "dequantize": dequantize,
}
