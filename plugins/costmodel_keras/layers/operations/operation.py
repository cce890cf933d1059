"""What all functions of keras.ops share: operands, constants, and the batch axis."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import BATCH as BATCH_NAME
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.affine import Affine, Index
from costmodel.workload.assembly import chained
from costmodel.workload.builders import activation, copy, elementwise, reduce, softmax
from costmodel.workload.builders.pointwise import broadcast_index
from costmodel.workload.builders.shapes import axis_names
from costmodel.workload.graph import Workload
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
from costmodel.workload.reasons import Reason, Unpriced
from costmodel_keras.arguments import (
    CALL,
    VALUES,
    Arguments,
    Array,
    LayerInput,
    Value,
    Weight,
    called,
    number_array,
)
from costmodel_keras.layers.activations import SOFTMAX
from costmodel_keras.layers.merging import broadcast
from costmodel_keras.layers.unsupported import UnsupportedError, mixing

BATCH: Final = Symbol(BATCH_NAME)
"""The length of a batch axis that has one row for each example."""
_OPEN_BATCH: Final = "open_batch"
"""The name of the symbol for a multiple of the batch that is not known yet."""

Length: TypeAlias = int | None
"""The length of an axis: a number, a symbol where the batch is in it, None where it is open."""
Whole: TypeAlias = tuple[Length, ...]
"""A shape with the batch axis: functions count their axes with it."""


def kind(name: str) -> str:
    """The kind of a function of keras.ops, by the name of its class."""
    return f"keras.ops.{name}"


# A function that adds no setting to these has what attrs makes for a class already: to make
# it again for each of them would take a quarter of the time that this package takes to import.
@frozen(slots=False)
class Operation(Layer):
    """A function of keras.ops, called on tensors and constants.

    Constants and weights stay on the device; of these only weights are parameters. Shapes are
    worked out with the batch axis, since functions move it and fold other axes into it. A result
    without a batch axis has no share that could be given to one example, and stays unpriced.
    """

    takes: ClassVar[tuple[str, ...]] = ("x1", "x2", "x3", "x4")
    """The names of the parameters of a call, in order."""

    arguments: Arguments = setting(called, source=CALL, holds=VALUES)

    def wholes(self) -> Sequence[Whole]:
        """The shape of every output, with the batch axis; by default, the first's."""
        return (self.whole,)

    def output_shapes(self) -> Sequence[Shape]:
        """The shapes without the batch axis."""
        return [tensor.shape for tensor in self.output_tensors()]

    def output_tensors(self) -> Sequence[Tensor]:
        """The tensors of the whole shapes."""
        try:
            return [tensor_of(whole) for whole in self.wholes()]
        except UnsupportedError as error:
            error.name(self)
            raise

    def operators_of_example(self) -> Work:
        """The work for one example: that of one row, for every row that it has."""
        if self.changes_rows:
            return self.operators_across_rows()
        return super().operators_of_example()

    def workload_of_example(self) -> Workload | Reason:
        """The workload for one example: that of one row, for every row that it has."""
        if not self.changes_rows:
            return super().workload_of_example()
        work = self.operators_across_rows()
        if isinstance(work, Reason):
            return work
        inputs, outputs = (
            [tensor.unfolded for tensor in tensors] for tensors in (self.inputs, self.outputs)
        )
        return chained(self.kind, work, inputs, self.parameters, outputs)

    def operators_across_rows(self) -> Work:
        """The work where inputs and outputs have different numbers of rows, or reasons for none."""
        work = self.operators()
        if isinstance(work, Reason):
            return work
        return Unpriced("an example has more rows of the batch in some of its tensors than others")

    @property
    def rows(self) -> int | None:
        """Rows of the batch axis that each example has in all inputs and outputs."""
        tensors = (*self.inputs, *self.outputs)
        return next((tensor.rows for tensor in tensors if tensor.rows != 1), 1)

    @property
    def changes_rows(self) -> bool:
        """Whether some tensors have more rows for an example than others."""
        return len({tensor.rows for tensor in (*self.inputs, *self.outputs)}) > 1

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same call on other inputs.

        Raises:
            ShapeError: for these it mixes examples.

        """
        try:
            return super().with_inputs(inputs)
        except UnsupportedError as error:
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
        if isinstance(value, LayerInput):
            return whole_of(self.inputs[value.index])
        if isinstance(value, Array):
            return value.shape
        if isinstance(value, int | float | Symbol):
            return ()
        if (numbers := number_array(value)) is not None:
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
        arrays = [
            Tensor([length for length in leaf.shape if not is_batch(length)])
            for leaf in given
            if isinstance(leaf, Array)
        ]
        numbers = [leaf for leaf in given if not isinstance(leaf, Array | LayerInput)]
        return (*arrays, *[Tensor(())] * len(numbers))

    def stepwise(self, *functions: str, outputs: Sequence[Tensor] = ()) -> tuple[Operator, ...]:
        """One function after another at every output element; the first takes the operands."""
        (result,) = outputs or self.outputs[:1]
        first = pointwise(functions[0], self.inputs, result, weights=self.constants)
        return first, *[in_place(name, result) for name in functions[1:]]


def leaves(value: Value) -> Iterator[LayerInput | Array | float]:
    """The operands, arrays and numbers in an argument; numbers in sequences are an array."""
    if isinstance(value, LayerInput | Array | int | float | Symbol):
        yield value
    elif isinstance(value, tuple):
        array = number_array(value)
        if array is not None:
            yield array
            return
        for item in value:
            yield from leaves(item)


# ------------------------------------------------------------------ the batch in whole shapes


def whole_of(tensor: Tensor) -> Whole:
    """The shape of a tensor with its batch axis."""
    place = tensor.batch_axis
    return (*tensor.shape[:place], batch_of(tensor.rows), *tensor.shape[place:])


def tensor_of(whole: Whole) -> Tensor:
    """The tensor of a whole shape, with the rows that one example has in it.

    Raises:
        UnsupportedError: none of its axes is the batch, or several are.

    """
    places = [place for place, length in enumerate(whole) if is_batch(length)]
    if len(places) != 1:
        what = f"its result has {'several batch axes' if places else 'no batch axis'}"
        raise mixing(what)
    (place,) = places
    return _tensor((*whole[:place], *whole[place + 1 :]), None, rows_of(whole[place]), place)


_tensor = functools.lru_cache(maxsize=4096)(Tensor)  # networks repeat a few shapes many times


def is_batch(length: Length) -> bool:
    """Whether the batch is in the length of an axis."""
    return isinstance(length, Symbol)


def batch_of(rows: int | None) -> Symbol:
    """The length of a batch axis that has so many rows for each example."""
    return Symbol(_OPEN_BATCH) if rows is None else Symbol(BATCH_NAME, rows)


def rows_of(length: Length) -> int | None:
    """The rows of a batch axis for each example; None where they are not known yet."""
    is_known = isinstance(length, Symbol) and length.name == BATCH_NAME
    return length.factor if is_known else None  # type: ignore[union-attr]  # a symbol


def without_batch(whole: Whole) -> Shape:
    """The shape of one row, of a tensor whose first axis is the batch.

    Raises:
        UnsupportedError: the batch is another axis, or none.

    """
    tensor = tensor_of(whole)
    if tensor.batch_axis:
        message = f"axis {tensor.batch_axis} of its input is the batch; it takes it as the first"
        raise UnsupportedError(message)
    return tensor.shape


def own_axis(whole: Whole, axis: int | None) -> int | None:
    """An axis of a whole shape as it is counted without the batch axis.

    None for the batch axis itself, and where no axis is named.
    """
    if axis is None:
        return None
    place, batch = axis_in(axis, len(whole)), _batch_axis(whole)
    return None if place == batch else place - (place > batch)


def own_axes(whole: Whole, axes: Iterable[int]) -> list[int]:
    """Axes of a whole shape as they are counted without the batch axis, which is left out."""
    own = [own_axis(whole, axis) for axis in axes]
    return [axis for axis in own if axis is not None]


def _batch_axis(whole: Whole) -> int:
    """The place of the batch axis; behind the last axis where there is none."""
    return next((place for place, length in enumerate(whole) if is_batch(length)), len(whole))


def product_of(lengths: Iterable[Length]) -> Length:
    """The length of an axis that axes of these lengths are folded into.

    Raises:
        UnsupportedError: the batch is in two of them.

    """
    numbers = list(lengths)
    symbols = [length for length in numbers if is_batch(length)]
    others = [length for length in numbers if not is_batch(length)]
    if len(symbols) > 1:
        what = "an axis of its result is as long as the batch times the batch"
        raise mixing(what)
    known = None if None in others else math.prod(others)  # type: ignore[arg-type]  # none is None
    if not symbols:
        return known
    rows = rows_of(symbols[0])
    return batch_of(None if None in {known, rows} else rows * known)  # type: ignore[operator]  # none is None


def sum_of(lengths: Sequence[Length]) -> Length:
    """The length of an axis along which axes of these lengths stand one after another.

    Raises:
        UnsupportedError: the batch is in some of them, but not in all.

    """
    symbols = [length for length in lengths if is_batch(length)]
    if not symbols:
        return None if None in lengths else sum(lengths)  # type: ignore[arg-type]  # none is None
    if len(symbols) < len(lengths):
        what = "rows of no example stand beside those of the batch"
        raise mixing(what)
    rows = list(map(rows_of, symbols))
    return batch_of(None if None in rows else sum(rows))  # type: ignore[arg-type]  # none is None


def quotient_of(length: Length, parts: int) -> Length:
    """The length of each of several equal parts of an axis.

    Raises:
        UnsupportedError: the batch is in it, and does not divide whatever it is.
        ValueError: it does not divide.

    """
    number = rows_of(length) if is_batch(length) else length
    if number is None:
        return batch_of(None) if is_batch(length) else None
    if parts < 1 or number % parts:
        message = f"an axis of {length} elements does not divide by {parts}"
        if is_batch(length):
            raise mixing(message)
        raise ValueError(message)
    return batch_of(number // parts) if is_batch(length) else number // parts


def joined(wholes: Sequence[Whole]) -> Whole:
    """The broadcast of whole shapes.

    Raises:
        UnsupportedError: a constant has an axis of its own along the batch, or operands have
            different rows for one example.
        ValueError: two axes do not fit.

    """
    rank = max(map(len, wholes))
    padded = [(1,) * (rank - len(whole)) + whole for whole in wholes]
    batches = [batch_among(lengths) for lengths in zip(*padded, strict=True)]
    fitted = [
        tuple([batch if is_batch(length) else length for length, batch in zip(whole, batches)])  # noqa: B905  # of one rank
        for whole in padded
    ]
    return broadcast(fitted)


def batch_among(lengths: Sequence[Length]) -> Length:
    """The length of the batch axis that operands have in one place, None if it is another axis.

    Raises:
        UnsupportedError: a constant has an axis of its own along the batch, or operands have
            different rows for one example.

    """
    symbols = [length for length in lengths if is_batch(length)]
    if not symbols:
        return None
    if any(not is_batch(length) and length not in {1, None} for length in lengths):
        message = "a constant of its arguments differs along the batch"
        raise UnsupportedError(message, mixes_examples=True)
    rows = {rows_of(length) for length in symbols} - {None}
    if len(rows) > 1:
        shown = " and ".join(map(str, sorted(rows)))  # type: ignore[type-var]  # none is None
        message = f"an example has {shown} rows of the batch in its operands; expected one number"
        raise UnsupportedError(message, mixes_examples=True)
    return batch_of(next(iter(rows), None))


def axis_in(axis: int, rank: int) -> int:
    """The index of an axis, from the front.

    Raises:
        ValueError: there is no such axis.

    """
    if not -rank <= axis < rank:
        message = f"there is no axis {axis} in {rank} axes"
        raise ValueError(message)
    return axis % rank


# ------------------------------------------------------------------ operators


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
    place = len(shape) - 1 - (len(full) - result.batch_axis)
    beside_batch = role == "weight" and place >= 0 and shape[place] == 1
    if beside_batch:
        shape = (*shape[:place], *shape[place + 1 :])
    while len(shape) > len(full) and shape[0] == 1:
        shape = shape[1:]
    front: Index = (Affine(),) * (len(tensor.shape) - len(shape) - beside_batch)
    pairs = zip(shape[::-1], full[::-1], strict=False)
    if len(shape) > len(full) or any(length not in {1, whole} for length, whole in pairs):
        return Operand(role, tensor, (None,) * len(tensor.shape))
    index: Index = (*front, *broadcast_index(shape, full, axis_names(len(full))))
    if beside_batch:
        index = (*index[:place], Affine(), *index[place:])
    return Operand(role, tensor, index)


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
