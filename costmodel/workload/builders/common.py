"""What builders share: names of dimensions, broadcasts, and the check of a declared result."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TypeAlias

from costmodel.errors import ShapeError
from costmodel.tensor import Tensor, show_shape
from costmodel.workload.affine import Affine, axis_index
from costmodel.workload.operators import Operand, as_tensor, shape_of

TensorLike: TypeAlias = Tensor | Operand | Sequence[int]
"""A tensor, or its shape alone where no format is declared."""


def grouped_index(name: str, size: int, groups: int) -> Affine:
    """The index into an axis that holds all groups: `size * g + name`."""
    return axis_index(name) if groups == 1 else Affine((("g", size), (name, 1)))


@functools.lru_cache(maxsize=256)
def axis_names(rank: int) -> tuple[str, ...]:
    """Names of dimensions that stand for axes: `d0`, `d1` and so on."""
    return tuple([f"d{axis}" for axis in range(rank)])


def checked_result(declared: TensorLike | None, shape: Sequence[int], what: str) -> Tensor:
    """The result as declared, or of the shape that follows.

    Raises:
        ShapeError: it is declared with another shape.

    """
    if declared is None:
        return Tensor(shape)
    tensor = as_tensor(declared)
    if shape_of(tensor) != tuple(shape):
        message = (
            f"the result of the {what} is declared as {show_shape(shape_of(tensor))}; "
            f"{show_shape(tuple(shape))} follows from its operands"
        )
        raise ShapeError(message)
    return tensor


def own_axis(axis: int, rank: int) -> int:
    """The index of an axis counted from the front.

    Raises:
        ShapeError: there is no such axis.

    """
    if not -rank <= axis < rank:
        message = f"axis {axis} is out of range for {rank} axes"
        raise ShapeError(message)
    return axis % rank


def broadcast(shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The shape to which all of them stretch, aligned at their last axes.

    Raises:
        ShapeError: two lengths of an axis differ and neither is 1.

    """
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple([_stretched(lengths) for lengths in zip(*padded, strict=True)])


def _stretched(lengths: Sequence[int]) -> int:
    longest = lengths[0]
    for length in lengths[1:]:
        if length is longest or length == longest or _is_one(length):
            continue
        if not _is_one(longest):
            message = f"axes of {longest} and {length} do not broadcast"
            raise ShapeError(message)
        longest = length
    return longest


def _is_one(length: int) -> bool:
    return length.__class__ is int and length == 1
