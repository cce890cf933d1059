"""Builders of movements that take some elements of a tensor: by slices, by indices, by shape."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import TypeAlias

from attrs import evolve

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import show_shape
from costmodel.tensor.sizes import always, as_size, larger, product, smaller
from costmodel.workload.affine import Affine, Index, axis_index
from costmodel.workload.builders.movements import embedding
from costmodel.workload.builders.pointwise import broadcast_index
from costmodel.workload.builders.shapes import (
    TensorLike,
    agree,
    axis_names,
    broadcast,
    checked_result,
    known_length,
    own_axes,
    own_axis,
)
from costmodel.workload.operators import Movement, Operand, Role, as_tensor, shape_of

Key: TypeAlias = int | slice | EllipsisType | None
"""What is taken along an axis: an element, a slice, all of several axes, or a new axis."""


def select(input: TensorLike, key: Sequence[Key], *, output: TensorLike | None = None) -> Movement:
    """Parts of a tensor by numbers and slices, as NumPy's basic indexing takes them.

    `...` stands for all axes that the key does not name, and None for a new axis of length 1.

    Raises:
        ShapeError: the key names more axes than there are, or an element that is not there.

    """
    tensor = as_tensor(input)
    lengths = iter(shape_of(tensor))
    shape: list[int] = []
    read: list[Affine] = []
    for item in _spelled_out(key, len(shape_of(tensor))):
        if item is None:
            shape.append(1)
            continue
        length = next(lengths)
        if isinstance(item, slice):
            start, count, step = _taken(item, length)
            read.append(Affine(((f"d{len(shape)}", step),), start))
            shape.append(count)
        else:
            read.append(Affine((), _element(item, length)))
    names = axis_names(len(shape))
    result = checked_result(output, shape, "selection")
    operands = [Operand("input", tensor, read), Operand("output", result, _each(names))]
    return Movement(dims=zip(names, shape, strict=True), operands=operands, purpose="selection")


def _spelled_out(key: Sequence[Key], rank: int) -> list[int | slice | None]:
    """The key with a slice for each of the axes that `...` stands for."""
    named = len([item for item in key if item is not None and item is not ...])
    if named > rank or list(key).count(...) > 1:
        message = f"the key {tuple(key)!r:.80} does not fit {rank} axes"
        raise ShapeError(message)
    given = list(key) if ... in key else [*key, ...]
    spelled: list[int | slice | None] = []
    for item in given:
        spelled += [slice(None)] * (rank - named) if item is ... else [item]
    return spelled


def _taken(item: slice, length: int) -> tuple[int, int, int]:
    """Where a slice begins, how many elements it takes, and their distance."""
    if item == slice(None):
        return 0, length, 1
    start, stop, step = item.indices(known_length(length, str(item)))
    return start, len(range(start, stop, step)), step


def _element(item: int, length: int) -> int:
    number = as_size(item)
    if not -known_length(length, f"element {number}") <= number < length:
        message = f"there is no element {number} in an axis of {length}"
        raise ShapeError(message)
    return number % length


def diagonal(
    input: TensorLike,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    *,
    output: TensorLike | None = None,
) -> Movement:
    """The elements on a diagonal of two axes; the result has them as its last axis.

    Raises:
        ShapeError: there are no two such axes, or the diagonal lies outside of them.

    """
    tensor = as_tensor(input)
    shape = shape_of(tensor)
    rows, columns = own_axes((axis1, axis2), len(shape))
    below, right = max(-offset, 0), max(offset, 0)
    length = smaller(shape[rows] - below, shape[columns] - right)
    others = [axis for axis in range(len(shape)) if axis not in {rows, columns}]
    full = (*[shape[axis] for axis in others], length)
    names = axis_names(len(full))
    read = dict(zip(others, _each(names), strict=False))
    read |= {rows: axis_index(names[-1]).moved(below), columns: axis_index(names[-1]).moved(right)}
    result = checked_result(output, full, "selection")
    operands = [
        Operand("input", tensor, [read[axis] for axis in range(len(shape))]),
        Operand("output", result, _each(names)),
    ]
    return Movement(dims=zip(names, full, strict=True), operands=operands, purpose="selection")


def triangle(
    input: TensorLike, diagonal: int = 0, *, upper: bool = False, output: TensorLike | None = None
) -> Movement:
    """The elements below a diagonal of the last two axes, or above it, and zeros elsewhere.

    No affine map lies outside of the input at the zeros. So the input is mapped along the other
    axes alone, with the number of elements that are read.

    Raises:
        ShapeError: there are fewer than two axes.

    """
    tensor = as_tensor(input)
    *others, rows, columns = _at_least_a_plane(shape_of(tensor))
    below = _below(rows, columns, as_size(diagonal) - (1 if upper else 0))
    kept = rows * columns - below if upper else below
    touched = product([*others, kept])
    result = checked_result(output, shape_of(tensor), "selection")
    return rearrange_along("selection", tensor, result, (-2, -1), touched=touched)


def _at_least_a_plane(shape: Sequence[int]) -> Sequence[int]:
    if len(shape) < 2:  # noqa: PLR2004  # rows and columns
        message = f"{show_shape(tuple(shape))} has no two axes; expected rows and columns"
        raise ShapeError(message)
    return shape


def _below(rows: int, columns: int, diagonal: int) -> int:
    """The elements of a plane at a column of at most their row plus `diagonal`.

    Row `i` has `i + diagonal + 1` of them, but not fewer than 0 and not more than there are
    columns.
    """

    def summed(first: int) -> int:
        """The sum of `first + i` over all rows, of what is more than 0."""
        return _triangular(first + rows - 1) - _triangular(first - 1)

    return summed(diagonal + 1) - summed(diagonal + 1 - columns)


def _triangular(number: int) -> int:
    return larger(number, 0) * (number + 1) // 2


def take(
    input: TensorLike,
    indices: TensorLike,
    axis: int,
    *,
    indices_role: Role = "input",
    output: TensorLike | None = None,
) -> Movement:
    """The slices of a tensor along an axis that indices name.

    Dimensions and maps are those of `embedding`, which is the lookup in a table that stays.

    Raises:
        ShapeError: there is no such axis.

    """
    lookup = embedding(indices, input, axis=axis, table_role="input", output=output)
    chosen, tensor, result = lookup.operands
    operands = [tensor, evolve(chosen, role=indices_role), result]
    return Movement(dims=lookup.dims, operands=operands, purpose="selection")


def take_along(
    input: TensorLike,
    indices: TensorLike,
    axis: int,
    *,
    indices_role: Role = "input",
    output: TensorLike | None = None,
) -> Movement:
    """The element along an axis that each index names, at the place of the index.

    The other axes of both broadcast.

    Raises:
        ShapeError: there is no such axis, or the others do not broadcast.

    """
    tensor, chosen = as_tensor(input), as_tensor(indices)
    shape, picked = shape_of(tensor), shape_of(chosen)
    if len(shape) != len(picked):
        message = f"{show_shape(shape)} and {show_shape(picked)} differ in their number of axes"
        raise ShapeError(message)
    place = own_axis(axis, len(shape))
    others = broadcast([_replaced(shape, place, 1), _replaced(picked, place, 1)])
    full = _replaced(others, place, picked[place])
    names = axis_names(len(full))
    read: list[Affine | None] = list(broadcast_index(_replaced(shape, place, 1), full, names))
    read[place] = None
    result = checked_result(output, full, "selection")
    operands = [
        Operand("input", tensor, read),
        Operand(indices_role, chosen, broadcast_index(picked, full, names)),
        Operand("output", result, _each(names)),
    ]
    return Movement(dims=zip(names, full, strict=True), operands=operands, purpose="selection")


def insert(
    input: TensorLike,
    update: TensorLike,
    start: Sequence[int],
    *,
    update_role: Role = "input",
    output: TensorLike | None = None,
) -> Movement:
    """A tensor with a block of it replaced, from a place on.

    The elements around a block are not those of one affine map. So the input has none, but the
    number of elements that are read.

    Raises:
        ShapeError: the block does not lie inside of the tensor.

    """
    tensor, block = as_tensor(input), as_tensor(update)
    shape, own = shape_of(tensor), shape_of(block)
    starts = [as_size(number) for number in start]
    if not len(starts) == len(own) == len(shape) or not all(map(_lies_inside, starts, own, shape)):
        shown = f"a block of {show_shape(own)} from {tuple(starts)} on"
        message = f"{shown} does not lie inside of {show_shape(shape)}"
        raise ShapeError(message)
    cut = [axis for axis, lengths in enumerate(zip(own, shape, strict=True)) if not agree(*lengths)]
    kept = product([length for axis, length in enumerate(shape) if axis not in cut])
    touched = kept * (product([shape[axis] for axis in cut]) - product([own[axis] for axis in cut]))
    names = axis_names(len(shape))
    result = checked_result(output, shape, "selection")
    operands = [
        Operand("input", tensor, (None,) * len(shape), touched),
        Operand(
            update_role, block,
            [axis_index(name).moved(-begin) for name, begin in zip(names, starts, strict=True)],
        ),
        Operand("output", result, _each(names)),
    ]  # fmt: skip
    return Movement(dims=zip(names, shape, strict=True), operands=operands, purpose="selection")


def _lies_inside(begin: int, part: int, length: int) -> bool:
    is_whole = always(begin == 0) and agree(part, length)
    return is_whole or (always(begin >= 0) and always(begin <= length - part))


def one_hot(
    indices: TensorLike,
    classes: int,
    axis: int = -1,
    *,
    merged_axis: int | None = None,
    output: TensorLike | None = None,
) -> Movement:
    """Indices as vectors of zeros and ones along a new axis.

    An element of the result follows from one index, which is read for each of the classes. The
    vectors along `merged_axis`, an axis of the result before it is merged, are merged to one.

    Raises:
        ShapeError: there is no such axis.

    """
    chosen = as_tensor(indices)
    shape = shape_of(chosen)
    place = own_axis(axis, len(shape) + 1)
    full = (*shape[:place], as_size(classes), *shape[place:])
    names = axis_names(len(full))
    read = [*names[:place], *names[place + 1 :]]
    left = list(range(len(full)))
    if merged_axis is not None:
        left.remove(own_axis(merged_axis, len(full)))
    result = checked_result(output, [full[axis] for axis in left], "encoding")
    operands = [
        Operand("input", chosen, _each(read)),
        Operand("output", result, _each([names[axis] for axis in left])),
    ]
    return Movement(dims=zip(names, full, strict=True), operands=operands, purpose="encoding")


def rearrange_along(
    purpose: str,
    input: TensorLike,
    output: TensorLike,
    axes: Sequence[int],
    *,
    touched: int | None = None,
) -> Movement:
    """Elements carried along some axes as no affine map states, such as by a roll.

    Along each other axis they stay at their place. `touched` is the number of elements of the
    input that are read, unless it is that of the points of the other axes times those along
    these, up to all.

    Raises:
        ShapeError: both differ in another axis, or there is no such axis.

    """
    tensor, result = as_tensor(input), as_tensor(output)
    shape, full = shape_of(tensor), shape_of(result)
    places = set(own_axes(axes, len(shape)))
    if len(shape) != len(full) or any(
        axis not in places and not agree(*lengths)
        for axis, lengths in enumerate(zip(shape, full, strict=True))
    ):
        shown = f"{show_shape(shape)} and {show_shape(full)}"
        message = f"{shown} differ in another axis than {tuple(axes)}"
        raise ShapeError(message)
    names = axis_names(len(full))
    read = [None if axis in places else axis_index(name) for axis, name in enumerate(names)]
    operands = [
        Operand("input", tensor, read, touched), Operand("output", result, _each(names)),
    ]  # fmt: skip
    return Movement(dims=zip(names, full, strict=True), operands=operands, purpose=purpose)


def resize(input: TensorLike, output: TensorLike) -> Movement:
    """Each element of the result from the nearest one of the input, measured between middles.

    Dimensions: `d0`, `d1` and so on for the axes of the result. Along an axis that gets longer by
    a whole factor they are those of the input, with `t0`, `t1` and so on for the copies; along one
    that gets shorter by a whole factor `k`, every k-th element is read. No affine map states
    another factor: such an axis of the input has no index.

    Raises:
        ShapeError: both differ in their number of axes.

    """
    tensor, result = as_tensor(input), as_tensor(output)
    shape, full = shape_of(tensor), shape_of(result)
    if len(shape) != len(full):
        message = f"{show_shape(shape)} and {show_shape(full)} differ in their number of axes"
        raise ShapeError(message)
    dims: dict[str, int] = {}
    read: list[Affine | None] = []
    written: list[Affine] = []
    for axis, (before, after) in enumerate(zip(shape, full, strict=True)):
        name, copy = f"d{axis}", f"t{axis}"
        dims[name] = after
        written.append(axis_index(name))
        if agree(before, after):
            read.append(axis_index(name))
        elif always(after % before == 0):
            dims[name], dims[copy] = before, after // before
            read.append(axis_index(name))
            written[-1] = Affine(((name, after // before), (copy, 1)))
        elif always(before % after == 0):
            step = before // after
            read.append(Affine(((name, step),), step // 2))
        else:
            read.append(None)
    # Each element of a shorter axis is read, and one for each element of a shorter result.
    pairs = zip(shape, full, strict=True)
    found = [length if agree(length, after) else smaller(length, after) for length, after in pairs]
    operands = [
        Operand("input", tensor, read, product(found) if None in read else None),
        Operand("output", result, written),
    ]
    return Movement(dims=dims, operands=operands, purpose="repetition")


def _replaced(shape: Sequence[int], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])


def _each(names: Sequence[str]) -> Index:
    return tuple([axis_index(name) for name in names])
