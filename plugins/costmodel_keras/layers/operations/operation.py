"""What all functions of keras.ops share: operands, constants, and the batch axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.layer import Layer, setting
from costmodel.tensor import Shape, Tensor
from costmodel.workload.affine import Affine, Index
from costmodel.workload.builders import activation, copy, elementwise, reduce, softmax
from costmodel.workload.builders.pointwise import broadcast_index
from costmodel.workload.builders.shapes import axis_names
from costmodel.workload.operators import (
    ELEMENTWISE,
    REDUCTIONS,
    Activation,
    Elementwise,
    Operand,
    Operator,
    Role,
    shape_of,
)
from costmodel_keras.arguments import CALL, VALUES, Arguments, Array, Value, Weight, called
from costmodel_keras.arguments import Operand as Argument
from costmodel_keras.layers.activations import SOFTMAX
from costmodel_keras.layers.merging import broadcast
from costmodel_keras.layers.unruled import LostBatchError, UnruledError

BATCH: Final = -1
"""The length of the batch axis in a whole shape: whatever the batch is."""

Whole: TypeAlias = tuple[int | None, ...]
"""A shape with the batch axis: functions count their axes with it."""

FLAT: Final[Whole] = (None,)
"""A whole shape without a batch axis: all elements of all examples in one."""


def kind(name: str) -> str:
    """The kind of a function of keras.ops, by the name of its class."""
    return f"keras.ops.{name}"


# A function that adds no setting to these has what attrs makes for a class already: to make
# it again for each of them would take a quarter of the time that this package takes to import.
@frozen(slots=False)
class Operation(Layer):
    """A function of keras.ops, called on tensors and constants.

    Constants and weights stay on the device; of these only weights are parameters. Shapes are
    worked out with the batch axis, since functions can move it; one that loses it has no share
    that could be given to one example, and stays unpriced.
    """

    takes: ClassVar[tuple[str, ...]] = ("x1", "x2", "x3", "x4")
    """The names of the parameters of a call, in order."""

    arguments: Arguments = setting(called, source=CALL, holds=VALUES)

    def wholes(self) -> Sequence[Whole]:
        """The shape of every output, with the batch axis; unless told otherwise, the first's."""
        return (self.whole,)

    def output_shapes(self) -> Sequence[Shape]:
        """The shapes without the batch axis."""
        try:
            return tuple([without_batch(shape) for shape in self.wholes()])
        except UnruledError as error:
            error.name(self)
            raise

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same call on other inputs.

        Raises:
            ShapeError: for these it mixes examples.

        """
        try:
            return super().with_inputs(inputs)
        except UnruledError as error:
            message = f"layer {self.name!r} of kind {self.kind!r}: for these shapes {error.reason}"
            raise ShapeError(message) from None

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The weights, each under the name of its parameter in the call."""
        return {
            name if index == 0 else f"{name}_{index}": leaf.shape
            for name, value in self.given.items()
            for index, leaf in enumerate(leaf for leaf in leaves(value) if isinstance(leaf, Weight))
        }

    @property
    def given(self) -> Mapping[str, Value]:
        """The arguments by the names of their parameters."""
        return self.arguments.bound(*self.takes)

    def whole_of(self, value: Value) -> Whole:
        """The whole shape of one operand, array or number.

        Raises:
            ValueError: it is neither.

        """
        if isinstance(value, Argument):
            return (BATCH, *self.inputs[value.index].shape)
        if isinstance(value, Array):
            return value.shape
        if isinstance(value, int | float):
            return ()
        if (numbers := _as_array(value)) is not None:
            return numbers.shape
        message = f"expected a tensor, an array or a number, found {value!r:.80}"
        raise ValueError(message)

    @property
    def wholes_given(self) -> list[Whole]:
        """The whole shapes of all operands and constants, in order."""
        return [self.whole_of(leaf) for value in self.given.values() for leaf in leaves(value)]

    @property
    def whole(self) -> Whole:
        """The whole shape of the first of them."""
        return self.wholes_given[0]

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The arrays and then the numbers that take part, as tensors that stay on the device."""
        given = [leaf for value in self.given.values() for leaf in leaves(value)]
        arrays = [Tensor(leaf.shape) for leaf in given if isinstance(leaf, Array)]
        numbers = [leaf for leaf in given if not isinstance(leaf, Array | Argument)]
        return (*arrays, *[Tensor(())] * len(numbers))

    def stepwise(self, *functions: str, outputs: Sequence[Tensor] = ()) -> tuple[Operator, ...]:
        """One function after another at every output element; the first takes the operands."""
        (result,) = outputs or self.outputs[:1]
        first = pointwise(functions[0], self.inputs, result, weights=self.constants)
        return first, *[in_place(name, result) for name in functions[1:]]


def _as_array(value: Value) -> Array | None:
    """The array that nested sequences of numbers stand for."""
    if not isinstance(value, tuple) or not value:
        return None
    if all(isinstance(item, int | float) for item in value):
        return Array((len(value),), "float32")
    rows = [_as_array(item) for item in value]
    first = rows[0]
    if first is None or any(row != first for row in rows):
        return None
    return Array((len(rows), *first.shape), first.dtype)


def leaves(value: Value) -> Iterator[Argument | Array | float]:
    """The operands, arrays and numbers in an argument; numbers in sequences are an array."""
    if isinstance(value, Argument | Array | int | float):
        yield value
    elif isinstance(value, tuple):
        array = _as_array(value)
        if array is not None:
            yield array
            return
        for item in value:
            yield from leaves(item)


def without_batch(whole: Whole) -> Shape:
    """The shape of one example.

    Raises:
        LostBatchError: the first axis is not the batch, or another one is.

    """
    if whole[:1] != (BATCH,) or BATCH in whole[1:]:
        raise LostBatchError
    return whole[1:]


def joined(wholes: Sequence[Whole]) -> Whole:
    """The broadcast of whole shapes.

    Raises:
        UnruledError: a constant has an axis of its own along the batch.
        ValueError: two axes do not fit.

    """
    rank = max(map(len, wholes))
    for whole in wholes:
        first = whole[0] if len(whole) == rank > 0 else 1
        if first not in {BATCH, 1} and any(other[:1] == (BATCH,) for other in wholes):
            message = "a constant of its arguments differs along the batch"
            raise UnruledError(message)
    return broadcast(wholes)


def axis_in(axis: int, rank: int) -> int:
    """The index of an axis, from the front.

    Raises:
        ValueError: there is no such axis.

    """
    if not -rank <= axis < rank:
        message = f"there is no axis {axis} in {rank} axes"
        raise ValueError(message)
    return axis % rank


def known_size(whole: Whole) -> int:
    """Number of elements of one example; what is open counts as 1."""
    return math.prod([length for length in whole if length is not None and length != BATCH])


def pointwise(
    function: str,
    inputs: Sequence[Tensor],
    result: Tensor,
    *,
    weights: Sequence[Tensor] = (),
    steps: int = 1,
) -> Operator:
    """A function of every element of the result, whichever operands it has.

    The index of an operand that does not stretch to the result is left open.
    """
    operands = [
        *[_operand("input", tensor, result) for tensor in inputs],
        *[_operand("weight", tensor, result) for tensor in weights],
        *copy(function, result).outputs,
    ]
    dims = zip(axis_names(len(result.shape)), shape_of(result), strict=True)
    if function in ELEMENTWISE:
        return Elementwise(dims=dims, operands=operands, function=function, steps=steps)
    return Activation(dims=dims, operands=operands, function=function)


def _operand(role: Role, tensor: Tensor, result: Tensor) -> Operand:
    shape, full = shape_of(tensor), shape_of(result)
    while len(shape) > len(full) and shape[0] == 1:
        shape = shape[1:]
    front: Index = (Affine(),) * (len(tensor.shape) - len(shape))
    pairs = zip(shape[::-1], full[::-1], strict=False)
    if len(shape) > len(full) or any(length not in {1, whole} for length, whole in pairs):
        return Operand(role, tensor, (None,) * len(tensor.shape))
    return Operand(role, tensor, (*front, *broadcast_index(shape, full, axis_names(len(full)))))


def in_place(function: str, tensor: Tensor) -> Operator:
    """A function of every element of a tensor, before it leaves."""
    if function in ELEMENTWISE:
        return elementwise(function, tensor, in_place=True)
    if function in SOFTMAX:
        return softmax(tensor, in_place=True)
    return activation(function, tensor, in_place=True)


def reducing(
    functions: Sequence[str], source: Tensor, axes: Sequence[int], result: Tensor
) -> tuple[Operator, ...]:
    """Steps at every element of `source`, one reduction along `axes`, steps on the result."""
    (place,) = [index for index, name in enumerate(functions) if name in REDUCTIONS]
    keeps = len(result.shape) == len(source.shape)
    work = reduce(functions[place], source, axes, keep_axes=keeps, output=result)
    return (
        *[in_place(name, source) for name in functions[:place]],
        work,
        *[in_place(name, result) for name in functions[place + 1 :]],
    )
