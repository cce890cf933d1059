"""Builders of movements: elements carried to other places, with a source and a target map.

Points outside of an input read nothing, and points outside of an output write nothing. So a
concatenation reads each input where it lies in the result, and padding reads beyond its edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.tensor.sizes import Symbol, always, as_size, least
from costmodel.workload.affine import Affine, Index, axis_index
from costmodel.workload.builders.pointwise import broadcast_index
from costmodel.workload.builders.shapes import (
    TensorLike,
    axis_names,
    checked_result,
    folded,
    known_length,
    own_axes,
    own_axis,
)
from costmodel.workload.operators import (
    Gather,
    Movement,
    Operand,
    Role,
    as_tensor,
    as_tensors,
    shape_of,
    unmapped,
)

_PAIR: Final = 2


def transpose(
    input: TensorLike,
    permutation: Sequence[int],
    *,
    reversed_axes: Sequence[int] = (),
    output: TensorLike | None = None,
) -> Movement:
    """The axes in another order: axis `i` of the result is axis `permutation[i]` of the input.

    Axes of the input in `reversed_axes` are read from their end, as a rotation does.

    Raises:
        ShapeError: the permutation does not name each axis once, or an axis is reversed twice.

    """
    tensor = as_tensor(input)
    rank = len(shape_of(tensor))
    order = [own_axis(axis, rank) for axis in permutation]
    if sorted(order) != list(range(rank)):
        message = f"{tuple(permutation)} does not name each of {rank} axes once"
        raise ShapeError(message)
    names = axis_names(rank)
    read = list(_each(names))
    for axis in own_axes(reversed_axes, rank):
        read[axis] = Affine(((names[axis], -1),), shape_of(tensor)[axis] - 1)
    shape = [shape_of(tensor)[axis] for axis in order]
    made = tuple([axis_index(names[axis]) for axis in order])
    return _moved("transposition", tensor, tuple(read), made, shape, output, names)


def flip(input: TensorLike, axes: Sequence[int], *, output: TensorLike | None = None) -> Movement:
    """The elements along some axes in the opposite order.

    Raises:
        ShapeError: there is no such axis, or one is named twice.

    """
    tensor = as_tensor(input)
    shape = shape_of(tensor)
    places = own_axes(axes, len(shape))
    before = [1 - length if axis in places else 0 for axis, length in enumerate(shape)]
    steps = [-1 if axis in places else 1 for axis in range(len(shape))]
    result = checked_result(output, shape, "selection")
    return shift("selection", tensor, result, before, steps=steps)


def concatenate(
    inputs: Sequence[TensorLike],
    axis: int,
    *,
    roles: Sequence[Role] | None = None,
    output: TensorLike | None = None,
) -> Movement:
    """Tensors one after another along an axis.

    Raises:
        ShapeError: they differ along another axis, or there is none, or not one role for each.

    """
    tensors = as_tensors(inputs)
    given = _roles(tensors, roles, "concatenate")
    first = shape_of(tensors[0])
    place = own_axis(axis, len(first))
    for tensor in tensors:
        rest = (*shape_of(tensor)[:place], *shape_of(tensor)[place + 1 :])
        is_like_first = len(shape_of(tensor)) == len(first)
        if not is_like_first or rest != (*first[:place], *first[place + 1 :]):
            shown = f"{show_shape(first)} and {show_shape(shape_of(tensor))}"
            message = f"{shown} differ along another axis than {axis}"
            raise ShapeError(message)
    names = axis_names(len(first))
    operands, offset = [], 0
    for role, tensor in zip(given, tensors, strict=True):
        read = [axis_index(name) for name in names]
        read[place] = read[place].moved(-offset)
        operands.append(Operand(role, tensor, read))
        offset += shape_of(tensor)[place]
    shape = (*first[:place], offset, *first[place + 1 :])
    result = checked_result(output, shape, "concatenation")
    operands.append(Operand("output", result, _each(names)))
    return Movement(dims=zip(names, shape, strict=True), operands=operands, purpose="concatenation")


def _roles(tensors: Sequence[Tensor], roles: Sequence[Role] | None, verb: str) -> Sequence[Role]:
    if not tensors:
        message = f"expected at least one tensor to {verb}"
        raise ShapeError(message)
    given: Sequence[Role] = ["input"] * len(tensors) if roles is None else roles
    if len(given) != len(tensors):
        message = f"{len(tensors)} tensors have roles {tuple(given)}; expected one for each"
        raise ShapeError(message)
    return given


def stack(
    inputs: Sequence[TensorLike],
    axis: int,
    *,
    roles: Sequence[Role] | None = None,
    output: TensorLike | None = None,
) -> Movement:
    """Tensors of one shape side by side along a new axis.

    Where the new axis is at another tensor, an index of an input lies outside of it. Numbers have
    no axis for that, nor has a tensor of symbolic axes alone: no map states places along the new
    axis then.

    Raises:
        ShapeError: they differ in shape, or there is none, or not one role for each.

    """
    tensors = as_tensors(inputs)
    given = _roles(tensors, roles, "stack")
    shape = shape_of(tensors[0])
    for tensor in tensors:
        if shape_of(tensor) != shape:
            shown = f"{show_shape(shape)} and {show_shape(shape_of(tensor))}"
            message = f"{shown} differ; expected tensors of one shape to stack"
            raise ShapeError(message)
    place = own_axis(axis, len(shape) + 1)
    full = (*shape[:place], len(tensors), *shape[place:])
    names = axis_names(len(full))
    result = checked_result(output, full, "concatenation")
    operands = [
        Operand(role, tensor, _slice_at(number, place, names, shape))
        for number, (role, tensor) in enumerate(zip(given, tensors, strict=True))
    ]
    operands.append(Operand("output", result, _side_by_side(len(tensors), place, names, shape)))
    return Movement(dims=zip(names, full, strict=True), operands=operands, purpose="concatenation")


def unstack(
    input: TensorLike, axis: int, *, outputs: Sequence[TensorLike] | None = None
) -> Movement:
    """A tensor taken apart along an axis, which its parts do not have.

    The maps are those of `stack`, with source and target exchanged.

    Raises:
        ShapeError: there is no such axis, its length is a symbol, or not one result is declared
            for each part.

    """
    tensor = as_tensor(input)
    full = shape_of(tensor)
    place = own_axis(axis, len(full))
    number = known_length(full[place], "unstack")
    if outputs is not None and len(outputs) != number:
        message = f"{len(outputs)} results are declared for {number} parts"
        raise ShapeError(message)
    shape = (*full[:place], *full[place + 1 :])
    names = axis_names(len(full))
    operands = [Operand("input", tensor, _side_by_side(number, place, names, shape))]
    for part in range(number):
        result = checked_result(None if outputs is None else outputs[part], shape, "selection")
        operands.append(Operand("output", result, _slice_at(part, place, names, shape)))
    return Movement(dims=zip(names, full, strict=True), operands=operands, purpose="selection")


def _slice_at(number: int, place: int, names: Sequence[str], shape: Sequence[int]) -> Index:
    """The index of what is at `number` of the axis `place`: outside where that is elsewhere."""
    own = [*names[:place], *names[place + 1 :]]
    index, axis = list(_each(own)), _bound_axis(shape)
    if axis is not None:
        terms = ((own[axis], 1), (names[place], shape[axis]))
        index[axis] = Affine(terms, -shape[axis] * number)
    return tuple(index)


def _side_by_side(number: int, place: int, names: Sequence[str], shape: Sequence[int]) -> Index:
    """The index of so many slices of a shape along the axis `place`."""
    if number == 1 or _bound_axis(shape) is not None:
        return _each(names)
    return (*_each(names[:place]), None, *_each(names[place + 1 :]))


def _bound_axis(shape: Sequence[int]) -> int | None:
    """The first axis whose length is not a symbol, so that its end is known."""
    return next((axis for axis, n in enumerate(shape) if not isinstance(n, Symbol)), None)


def split(
    input: TensorLike,
    axis: int,
    lengths: Sequence[int],
    *,
    outputs: Sequence[TensorLike] | None = None,
) -> Movement:
    """A tensor in parts of these lengths along an axis.

    Raises:
        ShapeError: the lengths do not add up to that of the axis.

    """
    tensor = as_tensor(input)
    place = own_axis(axis, len(shape_of(tensor)))
    if sum(lengths) != shape_of(tensor)[place]:
        message = f"parts of {tuple(lengths)} do not add up to an axis of {shape_of(tensor)[place]}"
        raise ShapeError(message)
    if outputs is not None and len(outputs) != len(lengths):
        message = f"{len(outputs)} results are declared for {len(lengths)} parts"
        raise ShapeError(message)
    names = axis_names(len(shape_of(tensor)))
    operands, offset = [Operand("input", tensor, _each(names))], 0
    for part, length in enumerate(lengths):
        shape = (*shape_of(tensor)[:place], length, *shape_of(tensor)[place + 1 :])
        written = [axis_index(name) for name in names]
        written[place] = written[place].moved(-offset)
        result = checked_result(None if outputs is None else outputs[part], shape, "split")
        operands.append(Operand("output", result, written))
        offset += length
    dims = zip(names, shape_of(tensor), strict=True)
    return Movement(dims=dims, operands=operands, purpose="selection")


def shift(
    purpose: str,
    input: TensorLike,
    output: TensorLike,
    before: Sequence[int],
    *,
    steps: Sequence[int] | None = None,
) -> Movement:
    """Elements of a window of the input: padding, cropping, slicing, flipping.

    Element `i` of the result along an axis is element `step * i - before` of the input. Elements
    beyond an edge are zeros.

    Raises:
        ShapeError: there is not one number for each axis.

    """
    tensor, result = as_tensor(input), as_tensor(output)
    rank = len(shape_of(tensor))
    strides = [1] * rank if steps is None else list(steps)
    if not len(before) == len(strides) == len(shape_of(result)) == rank:
        message = f"expected one number for each of {rank} axes, found {tuple(before)}"
        raise ShapeError(message)
    names = axis_names(rank)
    read = tuple(
        [
            Affine(((name, step),), -start)
            for name, step, start in zip(names, strides, before, strict=True)
        ]
    )
    return _moved(purpose, tensor, read, _each(names), shape_of(result), result, names)


def pad(
    input: TensorLike,
    padding: Sequence[tuple[int, int]],
    *,
    output: TensorLike | None = None,
) -> Movement:
    """Zeros before and after each axis; negative numbers cut elements off.

    Raises:
        ShapeError: there is not one pair for each axis.

    """
    tensor = as_tensor(input)
    if any(not isinstance(pair, Sequence) or len(pair) != _PAIR for pair in padding):
        message = f"padding {tuple(padding)!r:.60}; expected a pair of numbers for each axis"
        raise ShapeError(message)
    if len(padding) != len(shape_of(tensor)):
        message = (
            f"{len(padding)} pairs of padding for {show_shape(shape_of(tensor))}; "
            "expected one for each axis"
        )
        raise ShapeError(message)
    shape = [
        length + before + after
        for length, (before, after) in zip(shape_of(tensor), padding, strict=True)
    ]
    result = checked_result(output, shape, "padding")
    is_cut = sum(sum(pair) for pair in padding) < 0
    starts = [before for before, _ in padding]
    return shift("cropping" if is_cut else "padding", tensor, result, starts)


def repeat(
    input: TensorLike,
    axis: int,
    times: int,
    *,
    is_tiled: bool = False,
    output: TensorLike | None = None,
) -> Movement:
    """Every element along an axis several times over, or with `is_tiled` the whole axis.

    Dimensions: `d0`, `d1` and so on for the axes of the input, `t` for the copies.
    """
    tensor = as_tensor(input)
    place = own_axis(axis, len(shape_of(tensor)))
    names = axis_names(len(shape_of(tensor)))
    length = shape_of(tensor)[place]
    terms = ((names[place], 1 if is_tiled else times), ("t", length if is_tiled else 1))
    written = [axis_index(name) for name in names]
    written[place] = Affine(terms)
    shape = (*shape_of(tensor)[:place], length * times, *shape_of(tensor)[place + 1 :])
    result = checked_result(output, shape, "repetition")
    dims = {**dict(zip(names, shape_of(tensor), strict=True)), "t": times}
    operands = [Operand("input", tensor, _each(names)), Operand("output", result, written)]
    return Movement(dims=dims, operands=operands, purpose="repetition")


def tile(input: TensorLike, times: Sequence[int], *, output: TensorLike | None = None) -> Movement:
    """The whole tensor several times over along each axis.

    Dimensions: `d0`, `d1` and so on for the axes of the input, `t0`, `t1` and so on for the
    copies along those that have several.

    Raises:
        ShapeError: there is not one number for each axis.

    """
    tensor = as_tensor(input)
    shape, copies = shape_of(tensor), [as_size(number) for number in times]
    if len(copies) != len(shape):
        message = f"{tuple(times)} copies of {show_shape(shape)}; expected a number for each axis"
        raise ShapeError(message)
    names = axis_names(len(shape))
    dims = dict(zip(names, shape, strict=True))
    written = list(_each(names))
    for axis, (length, number) in enumerate(zip(shape, copies, strict=True)):
        if number != 1:
            dims[f"t{axis}"] = number
            written[axis] = Affine(((names[axis], 1), (f"t{axis}", length)))
    full = [length * number for length, number in zip(shape, copies, strict=True)]
    result = checked_result(output, full, "repetition")
    operands = [Operand("input", tensor, _each(names)), Operand("output", result, written)]
    return Movement(dims=dims, operands=operands, purpose="repetition")


def broadcast_to(input: TensorLike, output: TensorLike, *, purpose: str = "repetition") -> Movement:
    """A tensor stretched to another shape, aligned at the last axes.

    Raises:
        ShapeError: it does not stretch to that.

    """
    tensor, result = as_tensor(input), as_tensor(output)
    names = axis_names(len(shape_of(result)))
    read = broadcast_index(shape_of(tensor), shape_of(result), names)
    return _moved(purpose, tensor, read, _each(names), shape_of(result), result, names)


def regroup(
    input: TensorLike,
    before: Sequence[Sequence[str]],
    after: Sequence[Sequence[str]],
    sizes: Mapping[str, int],
    *,
    purpose: str = "transposition",
    output: TensorLike | None = None,
) -> Movement:
    """The axes taken apart into dimensions, and these put together to other axes.

    Each axis is the names of its dimensions, the last innermost: `["h", "w", "ijc"]` to
    `["hi", "wj", "c"]` spreads channels over blocks. A dimension that only `after` names repeats
    the elements.

    Args:
        input: the tensor.
        before: the dimensions in each axis of the input.
        after: the dimensions in each axis of the result.
        sizes: the size of each dimension.
        purpose: what the movement is for.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: a dimension has no size, the sizes do not fit the axes of the input, or a
            dimension is named twice, or in `before` alone.

    """
    tensor = as_tensor(input)
    named = [[name for axis in axes for name in axis] for axes in (before, after)]
    is_once = all(len(set(names)) == len(names) for names in named)
    missing = [name for names in named for name in names if name not in sizes]
    if missing or not is_once or not set(named[0]) <= set(named[1]):
        shown = f"{list(map(list, before))} to {list(map(list, after))}"
        message = f"{shown}: expected a size for each dimension, and each of them once in both"
        raise ShapeError(message)
    read, written = ([folded(axis, sizes) for axis in axes] for axes in (before, after))
    lengths = tuple([length for length, _ in read])
    if lengths != shape_of(tensor):
        message = f"dimensions of {show_shape(lengths)} do not fit {show_shape(shape_of(tensor))}"
        raise ShapeError(message)
    result = checked_result(output, [length for length, _ in written], purpose)
    operands = [
        Operand("input", tensor, [index for _, index in read]),
        Operand("output", result, [index for _, index in written]),
    ]
    dims = {name: sizes[name] for name in named[1]}
    return Movement(dims=dims, operands=operands, purpose=purpose)


def frames(
    input: TensorLike, length: int, step: int, axis: int = -1, *, output: TensorLike | None = None
) -> Movement:
    """Pieces of an axis that may overlap: an axis of places and one of the elements of a piece.

    Dimensions: `d0`, `d1` and so on for the axes of the result.

    Raises:
        ShapeError: there is no such axis, a piece is longer than it, or a number is below 1.

    """
    tensor = as_tensor(input)
    shape = shape_of(tensor)
    place = own_axis(axis, len(shape))
    if min(least(as_size(length)), least(as_size(step))) < 1 or not always(length <= shape[place]):
        message = f"pieces of {length} elements every {step} do not fit an axis of {shape[place]}"
        raise ShapeError(message)
    places = (shape[place] - length) // step + 1
    full = (*shape[:place], places, length, *shape[place + 1 :])
    names = axis_names(len(full))
    piece = Affine(((names[place], step), (names[place + 1], 1)))
    read = (*_each(names[:place]), piece, *_each(names[place + 2 :]))
    return _moved("repetition", tensor, read, _each(names), full, output, names)


def copy(purpose: str, input: TensorLike, *, output: TensorLike | None = None) -> Movement:
    """Every element to the same place of another tensor."""
    tensor = as_tensor(input)
    names = axis_names(len(shape_of(tensor)))
    return _moved(purpose, tensor, _each(names), _each(names), shape_of(tensor), output, names)


def fill(output: TensorLike, *, purpose: str = "filling") -> Movement:
    """A tensor that is written, from nothing."""
    result = as_tensor(output)
    names = axis_names(len(shape_of(result)))
    dims = zip(names, shape_of(result), strict=True)
    return Movement(dims=dims, operands=[Operand("output", result, _each(names))], purpose=purpose)


def read(input: TensorLike, *, purpose: str) -> Movement:
    """A tensor that is read, such as a mask."""
    tensor = as_tensor(input)
    names = axis_names(len(shape_of(tensor)))
    dims = zip(names, shape_of(tensor), strict=True)
    return Movement(dims=dims, operands=[Operand("input", tensor, _each(names))], purpose=purpose)


def rearrange(
    purpose: str,
    inputs: Sequence[TensorLike],
    outputs: Sequence[TensorLike],
    *,
    weights: Sequence[TensorLike] = (),
) -> Movement:
    """Elements carried to places that no affine map states along any axis, such as by a sort.

    Where that is so along some of the axes alone, `rearrange_along` maps the others.

    The dimensions span the first output, or the first input where there is none. Each element of
    an input is read at most once.
    """
    sources, held, results = map(as_tensors, (inputs, weights, outputs))
    if not (results or sources or held):
        message = f"{purpose!r} has no tensors; expected at least one"
        raise ShapeError(message)
    span = (results or sources or held)[0]
    names = axis_names(len(shape_of(span)))
    operands = [
        *unmapped("input", sources),
        *unmapped("weight", held),
        *[Operand("output", tensor, _placed(tensor, span, names)) for tensor in results],
    ]  # fmt: skip
    dims = zip(names, shape_of(span), strict=True)
    return Movement(dims=dims, operands=operands, purpose=purpose)


def embedding(
    indices: TensorLike,
    table: TensorLike,
    *,
    table_role: Role = "weight",
    axis: int = 0,
    output: TensorLike | None = None,
) -> Gather:
    """A row of a table for every index.

    Dimensions: `d0`, `d1` and so on for the axes of the result. The rows that are accessed are as
    many as there are indices, up to the length of the table.

    Args:
        indices: any shape.
        table: the table, whose `axis` the indices select from.
        table_role: `input` where the table differs from example to example.
        axis: the axis of the table.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: the table has no such axis.

    """
    chosen, rows = as_tensor(indices), as_tensor(table)
    place = own_axis(axis, len(shape_of(rows)))
    shape = (*shape_of(rows)[:place], *shape_of(chosen), *shape_of(rows)[place + 1 :])
    names = axis_names(len(shape))
    result = checked_result(output, shape, "lookup")
    before, after = names[:place], names[place + len(shape_of(chosen)) :]
    picked = names[place : place + len(shape_of(chosen))]
    operands = [
        Operand("input", chosen, _each(picked)),
        Operand(table_role, rows, (*_each(before), None, *_each(after))),
        Operand("output", result, _each(names)),
    ]
    return Gather(dims=zip(names, shape, strict=True), operands=operands)


def _placed(tensor: Tensor, span: Tensor, names: Sequence[str]) -> Index:
    is_spanned = shape_of(tensor) == shape_of(span)
    return _each(names) if is_spanned else (None,) * len(shape_of(tensor))


def _each(names: Sequence[str]) -> Index:
    return tuple([axis_index(name) for name in names])


def _moved(  # noqa: PLR0917  # private, the parts of one operator
    purpose: str, tensor: TensorLike, read: Index, written: Index, shape: Sequence[int],
    output: TensorLike | None, names: Sequence[str],
) -> Movement:  # fmt: skip
    """One tensor to another; the dimensions are the axes that the written index names."""
    result = checked_result(output, shape, purpose)
    sizes: dict[str, int] = {}
    for index, length in zip(written, shape_of(result), strict=True):
        sizes |= dict.fromkeys(index.dims if index else (), length)
    operands = [Operand("input", as_tensor(tensor), read), Operand("output", result, written)]
    dims = [(name, sizes[name]) for name in names if name in sizes]
    return Movement(dims=dims, operands=operands, purpose=purpose)
