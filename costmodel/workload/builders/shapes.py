"""What builders share: names of dimensions, broadcasts, and the check of a declared result."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.tensor.sizes import Symbol, always, as_size
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


def folded(names: Sequence[str], sizes: Mapping[str, int]) -> tuple[int, Affine]:
    """The length of an axis that holds dimensions, the last innermost, and the index into it."""
    length, terms = 1, []
    for name in reversed(names):
        terms.append((name, length))
        length *= sizes[name]
    return length, Affine(terms[::-1])


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
        TypeError: it is not a whole number.

    """
    if as_size(axis).__class__ is not int:
        message = f"{axis!r:.80} is not an axis; expected a whole number"
        raise TypeError(message)
    if not -rank <= axis < rank:
        message = f"axis {axis} is out of range for {rank} axes"
        raise ShapeError(message)
    return axis % rank


def own_axes(axes: Sequence[int], rank: int) -> list[int]:
    """The indices of axes counted from the front, in their order; one alone is one of them.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        TypeError: an axis is not a whole number.

    """
    given = tuple(axes) if isinstance(axes, Iterable) else (axes,)
    places = [own_axis(axis, rank) for axis in given]
    if len(set(places)) < len(places):
        message = f"axes {given} name one of {rank} axes twice"
        raise ShapeError(message)
    return places


def known_length(length: int, what: str) -> int:
    """The length of an axis, where more depends on it than sizes.

    Raises:
        ShapeError: it is a symbol.

    """
    if isinstance(length, Symbol):
        message = f"{what} of an axis of {length} elements; bind {length.name!r} before"
        raise ShapeError(message)
    return length


def along(shape: Sequence[int], full: Sequence[int], axes: Sequence[int]) -> list[int | None]:
    """The axes of `full` along which the axes of `shape` lie; None where one is stretched.

    Raises:
        ShapeError: a length is neither that of its axis nor 1.

    """
    for length, axis in zip(shape, axes, strict=True):
        if not (agree(length, full[axis]) or _is_one(length)):
            message = f"an axis of {length} does not stretch to {full[axis]}"
            raise ShapeError(message)
    return [
        axis if agree(length, full[axis]) else None
        for length, axis in zip(shape, axes, strict=True)
    ]


def agree(one: int, other: int) -> bool:
    """Whether two lengths are the same, for every operator of a batch."""
    return one is other or always(one == other)


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
        if _is_one(length) or agree(length, longest):
            continue
        if not _is_one(longest):
            message = f"axes of {longest} and {length} do not broadcast"
            raise ShapeError(message)
        longest = length
    return longest


def _is_one(length: int) -> bool:
    return length.__class__ is int and length == 1
