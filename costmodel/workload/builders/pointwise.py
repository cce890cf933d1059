"""Builders of elementwise functions, activations and reductions along axes."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import show_shape
from costmodel.workload.affine import Affine, Index, axis_index
from costmodel.workload.builders.shapes import (
    TensorLike,
    along,
    axis_names,
    broadcast,
    checked_result,
    own_axes,
)
from costmodel.workload.operators import (
    Activation,
    Elementwise,
    Operand,
    Reduction,
    as_tensor,
    as_tensors,
    shape_of,
)


def elementwise(
    function: str,
    *inputs: TensorLike,
    weights: Sequence[TensorLike] = (),
    weight_axes: Sequence[int] | None = None,
    steps: int = 1,
    in_place: bool = False,
    output: TensorLike | None = None,
) -> Elementwise:
    """A small function at every element of the broadcast of its operands.

    Dimensions: `d0`, `d1` and so on, one for each axis of the result.

    Args:
        function: one of ELEMENTWISE.
        inputs: tensors that differ from example to example; axes of length 1 are stretched.
        weights: tensors that do not.
        weight_axes: the axes of the result that the axes of the weights are; unless given, the
            last ones.
        steps: operations for each element of the result.
        in_place: whether it works on a result before that leaves the datapath.
        output: the declared result; its shape is checked. In place, it is the first input unless
            given.

    Raises:
        ShapeError: the shapes do not broadcast.
        ValueError: the function is unknown.

    """
    if in_place and output is None and inputs:
        output = inputs[0]
    operands, dims = _mapped(inputs, weights, weight_axes, output, function)
    return Elementwise(
        dims=dims, operands=operands, function=function, steps=steps, in_place=in_place
    )


def activation(
    function: str,
    input: TensorLike,
    *,
    weights: Sequence[TensorLike] = (),
    in_place: bool = False,
    output: TensorLike | None = None,
) -> Activation:
    """A non-linear function of every element.

    Dimensions: `d0`, `d1` and so on, one for each axis.

    Args:
        function: its name, such as `relu`.
        input: the tensor.
        weights: trained constants, broadcast against it.
        in_place: whether it works on a result before that leaves the datapath.
        output: the declared result; its shape is checked. In place, it is the first input unless
            given.

    Raises:
        ShapeError: the shapes do not broadcast.

    """
    result = input if in_place and output is None else output
    operands, dims = _mapped([input], weights, None, result, function)
    return Activation(dims=dims, operands=operands, function=function, in_place=in_place)


def reduce(
    function: str,
    input: TensorLike,
    axes: Sequence[int] | None = None,
    *,
    keep_axes: bool = False,
    in_place: bool = False,
    output: TensorLike | None = None,
) -> Reduction:
    """All elements along some axes reduced to one.

    Dimensions: `d0`, `d1` and so on, one for each axis of the input.

    Args:
        function: one of REDUCTIONS.
        input: the tensor.
        axes: the axes that are reduced, negative ones from the last; unless given, all.
        keep_axes: whether the result keeps them with a length of 1.
        in_place: whether it works on a result before that leaves the datapath.
        output: the declared result; its shape is checked. In place, it is the first input unless
            given.

    Raises:
        ShapeError: there is no such axis.
        ValueError: the function is unknown.

    """
    tensor = as_tensor(input)
    rank = len(shape_of(tensor))
    reduced = set(range(rank)) if axes is None else set(own_axes(axes, rank))
    names = axis_names(rank)
    kept = [axis for axis in range(rank) if keep_axes or axis not in reduced]
    shape = tuple([1 if axis in reduced else shape_of(tensor)[axis] for axis in kept])
    written = [Affine() if axis in reduced else axis_index(names[axis]) for axis in kept]
    operands = [
        Operand("input", tensor, [axis_index(name) for name in names]),
        Operand("output", checked_result(output, shape, f"reduction {function!r}"), written),
    ]
    dims = dict(zip(names, shape_of(tensor), strict=True))
    return Reduction(dims=dims, operands=operands, function=function, in_place=in_place)


def _mapped(
    inputs: Sequence[TensorLike],
    weights: Sequence[TensorLike],
    weight_axes: Sequence[int] | None,
    output: TensorLike | None,
    what: str,
) -> tuple[list[Operand], dict[str, int]]:
    """The operands of a function of every element, and its dimensions."""
    read = [as_tensor(tensor) for tensor in inputs]
    held = as_tensors(weights)
    stretching = [*read, *(held if weight_axes is None else ())]
    declared = None if output is None else as_tensor(output)
    if not stretching:
        if declared is None:
            message = f"{what!r} has neither an operand nor a declared result, so no shape"
            raise ShapeError(message)
        stretching = [declared]
    shape = broadcast([shape_of(tensor) for tensor in stretching])
    result = checked_result(declared, shape, what)
    names = axis_names(len(shape))
    operands = [
        Operand("input", tensor, broadcast_index(shape_of(tensor), shape, names)) for tensor in read
    ]
    for tensor in held:
        axes = (
            range(len(shape) - len(shape_of(tensor)), len(shape))
            if weight_axes is None
            else weight_axes
        )
        operands.append(Operand("weight", tensor, _along(shape_of(tensor), shape, axes, names)))
    operands.append(Operand("output", result, [axis_index(name) for name in names]))
    return operands, dict(zip(names, shape, strict=True))


def broadcast_index(shape: Sequence[int], full: Sequence[int], names: Sequence[str]) -> Index:
    """The index of a tensor that is stretched to `full`, aligned at the last axes."""
    if len(shape) > len(full):
        message = f"{show_shape(tuple(shape))} has more axes than {show_shape(tuple(full))}"
        raise ShapeError(message)
    return _along(shape, full, range(len(full) - len(shape), len(full)), names)


def _along(
    shape: Sequence[int], full: Sequence[int], axes: Sequence[int], names: Sequence[str]
) -> Index:
    if not shape:
        return ()
    if len(axes) != len(shape):
        message = (
            f"weights of {show_shape(tuple(shape))} lie along {len(axes)} axes; "
            "expected one for each of theirs"
        )
        raise ShapeError(message)
    places = along(shape, full, own_axes(axes, len(full)))
    return tuple([Affine() if place is None else axis_index(names[place]) for place in places])
