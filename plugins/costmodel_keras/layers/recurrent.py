"""Recurrent cells, and the layers that run a cell over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import frozen

from costmodel.layer import Layer, Work, setting
from costmodel.tensor import Shape, Tensor, show_shape
from costmodel.workload.builders import concatenate, conv, elementwise, fill, matmul
from costmodel.workload.operators import ELEMENTWISE, Operator
from costmodel.workload.reasons import Reason
from costmodel_keras.arguments import CALL, VALUES, Arguments, called
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.basic import present
from costmodel_keras.layers.convolution import Convolution, image_layout, image_shape
from costmodel_keras.layers.masks import masks_read
from costmodel_keras.layers.wrappers import Maker, Wrapper, repeated, step

if TYPE_CHECKING:
    from costmodel_keras.graph import LayerView


@frozen
class Step:
    """A function of every unit in a step, `times` times over.

    `function` is elementwise, or the setting that names an activation. What `carries` its result
    to the next step or out of the cell writes it to memory; the others work in place.
    """

    function: str
    times: int = 1
    carries: bool = False


@frozen
class CellRule:
    """What a cell of one kind does in a step: weighted sums, then functions of every unit.

    Each of `gates` weighs the input and the state; both sums are added before the functions.
    Where the cell `resets`, one gate scales the state before or after the last gate weighs it.
    """

    gates: int
    steps: tuple[Step, ...]
    states: int = 1
    resets: bool = False


_LONG_SHORT_TERM: Final = CellRule(
    4,
    (
        Step("recurrent_activation", 3), Step("activation"),
        # Forget some of the old cell state and add the new one; the output gate lets some out.
        Step("multiply", 2), Step("add", carries=True),
        Step("activation"), Step("multiply", carries=True),
    ),
    states=2,
)  # fmt: skip

CELLS: Final[Mapping[str, CellRule]] = {
    "keras.SimpleRNNCell": CellRule(1, (Step("activation", carries=True),)),
    "keras.LSTMCell": _LONG_SHORT_TERM,
    "keras.GRUCell": CellRule(
        3,
        (
            # Reset the old state, then mix it with the candidate by z and 1 - z.
            Step("recurrent_activation", 2), Step("multiply"), Step("activation"),
            Step("subtract"), Step("multiply", 2), Step("add", carries=True),
        ),
        resets=True,
    ),
    "keras.ConvLSTMCell": _LONG_SHORT_TERM,
}  # fmt: skip


@frozen(slots=False)
class Cell(Activating, Layer):
    """One step of a recurrent layer: input and state to output and state.

    `implementation` orders the same work in one way or another, and dropout acts in training.
    """

    use_bias: bool = setting(settings.flag, default=True)
    activation: str = setting(settings.activation, default="linear")
    recurrent_activation: str = setting(settings.activation, default="linear")

    @property
    def rule(self) -> CellRule:
        """What the cell does in a step."""
        return CELLS[self.kind]

    def state_shape(self) -> Shape:
        """The shape of the output, and of every state."""
        raise NotImplementedError

    def output_shapes(self) -> Sequence[Shape]:
        """The output, then the states."""
        return (self.state_shape(),) * (1 + self.rule.states)

    def weighted_sums(self, sums: Tensor) -> Sequence[Operator]:
        """The contractions of the input and of the state to the sums of all gates."""
        raise NotImplementedError

    def sums_shape(self) -> Shape:
        """The shape of the sums of all gates."""
        raise NotImplementedError

    def operators(self) -> Work:
        """The weighted sums, their addition, and the functions of every unit."""
        sums = Tensor(self.sums_shape())
        added = elementwise("add", sums, sums, in_place=True)
        steps = (self._step(item) for item in self.rule.steps)
        return (*self.weighted_sums(sums), added, *chain.from_iterable(steps))

    def _step(self, item: Step) -> Sequence[Operator]:
        shape = self.state_shape()
        tensor = Tensor(shape if item.times == 1 else (item.times, *shape))
        in_place = not item.carries
        if item.function in ELEMENTWISE:
            return (elementwise(item.function, tensor, tensor, in_place=in_place),)
        function = getattr(self, item.function)
        if function != "linear":
            return (self.activation_of(function, tensor, in_place=in_place),)
        return (fill(tensor, purpose="state"),) if item.carries else ()


@frozen(slots=False)
class DenseCell(Cell):
    """A cell whose gates weigh every feature of the input and every unit of the state."""

    kinds: ClassVar = ("keras.GRUCell", "keras.LSTMCell", "keras.SimpleRNNCell")

    units: int = setting(settings.whole)
    reset_after: bool = setting(settings.flag, default=False)

    @property
    def width(self) -> int:
        """Weighted sums of all gates."""
        return self.rule.gates * self.units

    def state_shape(self) -> Shape:
        """One element for each unit."""
        return (self.units,)

    def sums_shape(self) -> Shape:
        """One element for each unit and gate."""
        return (self.width,)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (features, gates) and (units, gates), and bias (gates), two with reset after."""
        shape = self.input_shape
        if len(shape) != 1 or shape[0] is None:
            message = f"expected the features of one step, found {show_shape(shape)}"
            raise ValueError(message)
        bias = (2, self.width) if self.reset_after else (self.width,)
        return present([
            ("kernel", (shape[0], self.width), True),
            ("recurrent_kernel", (self.units, self.width), True),
            ("bias", bias, self.use_bias),
        ])  # fmt: skip

    def weighted_sums(self, sums: Tensor) -> Sequence[Operator]:
        """One contraction of the input; one of the state, but two where one gate resets it first.

        With `reset_after` each side has a bias of its own.
        """
        kernel, recurrent = self.parameters["kernel"], self.parameters["recurrent_kernel"]
        held = self.parameters.get("bias")
        bias = None if held is None else Tensor((self.width,), held.format)
        state = Tensor(self.state_shape())
        own = matmul(self.inputs[0], kernel, bias=bias, output=sums)
        if self.reset_after:
            return own, matmul(state, recurrent, bias=bias, output=sums)
        if not self.rule.resets:
            return own, matmul(state, recurrent, output=sums)
        parts = (self.width - self.units, self.units)
        return own, *(matmul(state, Tensor((self.units, n), recurrent.format)) for n in parts)


@frozen(slots=False)
class ConvCell(Cell, Convolution):
    """A cell whose gates are convolutions of the input and of the state.

    The state is as large as the convolved input, so that its own convolution moves by one and
    keeps its size, whatever strides and padding that of the input has.
    """

    kinds: ClassVar = ("keras.ConvLSTMCell",)

    filters: int = setting(settings.whole)

    @property
    def width(self) -> int:
        """Channels of the weighted sums of all gates."""
        return self.rule.gates * self.filters

    def output_channels(self) -> int:
        """As many as there are filters."""
        return self.filters

    def state_shape(self) -> Shape:
        """The places of the kernel, by filters."""
        return image_shape(self.spatial_shape(), self.filters, self.data_format)

    def sums_shape(self) -> Shape:
        """The places of the kernel, by filters of all gates."""
        return image_shape(self.spatial_shape(), self.width, self.data_format)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (window, channels, gates) and (window, filters, gates), and bias (gates)."""
        return present([
            ("kernel", (*self.kernel_size, self.channels, self.width), True),
            ("recurrent_kernel", (*self.kernel_size, self.filters, self.width), True),
            ("bias", (self.width,), self.use_bias),
        ])  # fmt: skip

    def weighted_sums(self, sums: Tensor) -> Sequence[Operator]:
        """A convolution of the input, and one of the state."""
        image: dict[str, Any] = {
            "input_layout": image_layout(self.data_format), "weight_layout": "*CK",
            "output": sums,
        }  # fmt: skip
        return (
            conv(
                self.inputs[0], self.parameters["kernel"], bias=self.parameters.get("bias"),
                stride=self.strides, padding=self.padding, dilation=self.dilation_rate, **image,
            ),
            conv(
                Tensor(self.state_shape()), self.parameters["recurrent_kernel"], padding="same",
                **image,
            ),
        )  # fmt: skip


@frozen(slots=False)
class StackedCells(Wrapper):
    """Cells of which each takes the output of the one before it."""

    kinds: ClassVar = ("keras.StackedRNNCells",)

    @classmethod
    def makers(cls, view: LayerView, maker: Callable[[LayerView], Maker]) -> Sequence[Maker]:
        """Those of the cells, in order."""
        return [maker(cell) for cell in view.children("cells")]

    @classmethod
    def fitted(cls, inputs: tuple[Tensor, ...], makers: Sequence[Maker]) -> tuple[Layer, ...]:
        """The first cell for the input, each other for the output before it."""
        cells: list[Layer] = []
        for make in makers:
            cells.append(make(cells[-1].outputs[:1] if cells else inputs[:1]))
        return tuple(cells)

    @property
    def prefixes(self) -> Sequence[str]:
        """The place of each cell."""
        return [f"cell_{index}_" for index in range(len(self.held))]

    def output_shapes(self) -> Sequence[Shape]:
        """The output of the last cell, then the states of all."""
        if not self.has_known_outputs:
            return ()
        states = (tensor.shape for cell in self.held for tensor in cell.outputs[1:])
        return (self.held[-1].outputs[0].shape, *states)


@frozen(slots=False)
class Recurrent(Wrapper):
    """A cell that runs over the first axis, time.

    Running backwards only reads the steps in another order; `stateful` keeps the last state
    where it is; `unroll` writes the same steps out.
    """

    kinds: ClassVar[tuple[str, ...]] = ("keras.RNN",)

    return_sequences: bool = setting(settings.flag, default=False)
    return_state: bool = setting(settings.flag, default=False)
    arguments: Arguments = setting(called, source=CALL, holds=VALUES)

    @classmethod
    def makers(cls, view: LayerView, maker: Callable[[LayerView], Maker]) -> Sequence[Maker]:
        """That of the cell."""
        return (maker(view.child("cell")),)

    @classmethod
    def inner_inputs(cls, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """One step of the sequence."""
        return tuple(step(tensor) for tensor in inputs[:1])

    @property
    def steps_along(self) -> int | None:
        """The first axis: time."""
        return 0

    def output_shapes(self) -> Sequence[Shape]:
        """The last step or all of them, and the states where they are asked for."""
        if not self.has_known_outputs:
            return ()
        last, *states = (tensor.shape for tensor in self.inner.outputs)
        output = (self.input_shape[0], *last) if self.return_sequences else last
        return (output, *(states if self.return_state else ()))

    def operators(self) -> Work:
        """Those of the cell, once for each step."""
        work = repeated(self.inner.operators(), self.input_shape[0] or 1)
        return with_masks(work, self.inputs, self.arguments)


def with_masks(work: Work, inputs: Sequence[Tensor], arguments: Arguments) -> Work:
    """The work, and before it the reading of the masks that the layer was called with."""
    if isinstance(work, Reason):
        return work
    given = arguments.bound("sequences", "initial_state", "mask", "training")
    return (*masks_read(inputs, given), *work)


_OWN_CELLS: Final[Mapping[str, tuple[type[Cell], str]]] = {
    **{
        f"keras.{name}": (DenseCell, f"keras.{name}Cell") for name in ("GRU", "LSTM", "SimpleRNN")
    },
    **{
        f"keras.ConvLSTM{rank}D": (ConvCell, "keras.ConvLSTMCell") for rank in (1, 2, 3)
    },
}  # fmt: skip
"""The layers that make their own cell: its class and its kind."""


@frozen(slots=False)
class RecurrentWithCell(Recurrent):
    """A recurrent layer whose settings are also those of its cell."""

    kinds: ClassVar = tuple(_OWN_CELLS)

    @classmethod
    def makers(cls, view: LayerView, _: Callable[[LayerView], Maker]) -> Sequence[Maker]:
        """That of the cell, of the settings of the layer."""
        cell, kind = _OWN_CELLS[view.kind]
        return (lambda inputs: cell.from_settings("cell", kind, inputs, view.settings),)


# ------------------------------------------------------------------ both directions

_MERGES: Final[Mapping[str | None, str | None]] = {
    "sum": "add", "ave": "average", "mul": "multiply", "concat": None, None: None,
}  # fmt: skip
"""The merge modes, and the elementwise function of those that compute."""


def _merge_mode(value: Any) -> str | None:
    if value not in _MERGES:
        message = f"expected one of {', '.join(map(str, _MERGES))}"
        raise ValueError(message)
    return None if value is None else str(value)


@frozen(slots=False)
class Bidirectional(Wrapper):
    """A recurrent layer over a sequence, and another one backwards."""

    kinds: ClassVar = ("keras.Bidirectional",)

    merge_mode: str | None = setting(_merge_mode, default="concat")
    arguments: Arguments = setting(called, source=CALL, holds=VALUES)

    @classmethod
    def makers(cls, view: LayerView, maker: Callable[[LayerView], Maker]) -> Sequence[Maker]:
        """Those of both directions; a file may name the first alone."""
        forward = view.child("forward_layer" if "forward_layer" in view.settings else "layer")
        has_other = view.settings.get("backward_layer") is not None
        return maker(forward), maker(view.child("backward_layer") if has_other else forward)

    @classmethod
    def fitted(cls, inputs: tuple[Tensor, ...], makers: Sequence[Maker]) -> tuple[Layer, ...]:
        """Both directions for the sequence, called after their direction."""
        pairs = zip(makers, _WAYS, strict=True)
        return tuple(make(inputs[:1]).renamed(way) for make, way in pairs)

    @property
    def prefixes(self) -> Sequence[str]:
        """The direction."""
        return [f"{way}_" for way in _WAYS]

    @property
    def steps_along(self) -> int | None:
        """The first axis: time."""
        return 0

    def output_shapes(self) -> Sequence[Shape]:
        """Both directions side by side, in one, or each by itself; then the states of both."""
        if not self.has_known_outputs:
            return ()
        (first, *states), (second, *others) = (
            [tensor.shape for tensor in layer.outputs] for layer in self.held
        )
        merged: tuple[Shape, ...] = (first,)
        if self.merge_mode is None:
            merged = (first, second)
        elif self.merge_mode == "concat":
            merged = ((*first[:-1], _total(first[-1], second[-1])),)
        elif first != second:
            message = f"{show_shape(first)} and {show_shape(second)} cannot be merged"
            raise ValueError(message)
        return (*merged, *states, *others)

    def operators(self) -> Work:
        """The work of both directions, and how they are merged."""
        work = super().operators()
        if isinstance(work, Reason):
            return work
        return with_masks((*work, *self._merge()), self.inputs, self.arguments)

    def _merge(self) -> Sequence[Operator]:
        if self.merge_mode is None:
            return ()
        inputs = tuple(layer.outputs[0] for layer in self.held)
        function = _MERGES[self.merge_mode]
        if function is None:
            return (concatenate(inputs, -1, output=self.outputs[0]),)
        # An average also scales.
        steps = 1 + (function == "average")
        return (elementwise(function, *inputs, steps=steps, output=self.outputs[0]),)


_WAYS: Final = ("forward", "backward")


def _total(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


LAYERS: tuple[type[Layer], ...] = (
    Bidirectional,
    ConvCell,
    DenseCell,
    Recurrent,
    RecurrentWithCell,
    StackedCells,
)
