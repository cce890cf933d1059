"""Recurrent cells, and the layers that run a cell over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from attrs import evolve, frozen

from costmodel.errors import BatchError, ShapeError
from costmodel.network.layer import Layer, setting
from costmodel.tensor.shapes import Shape, Tensor, as_shape, show_shape
from costmodel.workload.assembly import Assembly, numbered
from costmodel.workload.builders import concatenate, conv, copy, elementwise, matmul
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Reason, Unpriced
from costmodel_keras.arguments import CALL, VALUES, Arguments, called, layer_inputs
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.basic import present
from costmodel_keras.layers.convolution import Convolution, image_layout, image_shape
from costmodel_keras.layers.masks import add_masks
from costmodel_keras.layers.wrappers import Maker, Wrapper, step

if TYPE_CHECKING:
    from typing import Self

    from costmodel.formats import NumericFormat
    from costmodel_keras.graph import LayerView


@frozen
class CellRule:
    """What cells of one kind have: gates, each a weighted sum of input and state, and states.

    Where the cell `resets`, one gate scales the state before or after the last gate weighs it.
    """

    gates: int
    states: int = 1
    resets: bool = False


_LONG_SHORT_TERM: Final = CellRule(4, states=2)

CELLS: Final[Mapping[str, CellRule]] = {
    "keras.SimpleRNNCell": CellRule(1),
    "keras.LSTMCell": _LONG_SHORT_TERM,
    "keras.GRUCell": CellRule(3, resets=True),
    "keras.ConvLSTMCell": _LONG_SHORT_TERM,
}


class Stepping(Layer):
    """A layer that takes the input of one step and states, and gives an output and new states."""

    def one_step(self) -> Workload | Reason:
        """The workload of one step.

        It reads `input` and `state`, `state:1` and so on; it gives the output, then the states.
        """
        raise NotImplementedError

    def state_shapes(self) -> Sequence[Shape]:
        """The shape of every state."""
        raise NotImplementedError

    def workload(self) -> Workload | Reason:
        """One step; states that the layer is not given are constants."""
        body = self.one_step()
        if isinstance(body, Reason):
            return body
        made = self.assembly()
        held = [name for name in body.weights if name in self.parameters]
        given = {name: name for name in held} | {"input": "input"}
        states = numbered("state", len(self.state_shapes()))
        arrived = numbered("input", len(self.inputs))[1:]
        for place, name in enumerate(states):
            has_own = len(arrived) == len(states)
            given[name] = arrived[place] if has_own else made.weight(name, body.tensors[name])
        return self.assembled(made, *made.inline(body, given)[: len(self.outputs)])


@frozen(slots=False)
class Cell(Activating, Stepping):
    """One step of a recurrent layer: input and state to output and state.

    `implementation` orders the same work in one way or another, and dropout acts in training.
    """

    use_bias: bool = setting(settings.flag, default=True)
    activation: str = setting(settings.activation, default="linear")
    recurrent_activation: str = setting(settings.activation, default="linear")

    @property
    def rule(self) -> CellRule:
        """What the cell has."""
        return CELLS[self.kind]

    def state_shape(self) -> Shape:
        """The shape of the output, and of every state."""
        raise NotImplementedError

    def state_shapes(self) -> Sequence[Shape]:
        """The same for each."""
        return (self.state_shape(),) * self.rule.states

    def output_shapes(self) -> Sequence[Shape]:
        """The output, then the states."""
        return (self.state_shape(), *self.state_shapes())

    @property
    def unit_axis(self) -> int:
        """The axis along which the sums of the gates lie side by side."""
        return -1

    def sums_shape(self) -> Shape:
        """The shape of the sums of all gates."""
        raise NotImplementedError

    def weigh(self, made: Assembly) -> tuple[str, str]:
        """Add the contractions of the input and of the state to the sums of all gates."""
        raise NotImplementedError

    def one_step(self) -> Workload:
        """The weighted sums, their addition, and the functions of every unit."""
        made = Assembly(self.kind)
        made.input("input", self.inputs[0])
        for name, shape in zip(
            numbered("state", self.rule.states), self.state_shapes(), strict=True
        ):
            made.input(name, shape)
        for name, tensor in self.parameters.items():
            made.weight(name, tensor)
        results = self._updated(_Units(self, made))
        return made.workload(dict(zip(numbered("output", len(results)), results, strict=True)))

    def _updated(self, units: _Units) -> Sequence[str]:
        """The output, then the new states."""
        steps = {1: self._simple, 3: self._reset, 4: self._long_short_term}
        return steps[self.rule.gates](units)

    def _simple(self, units: _Units) -> Sequence[str]:
        """The function of the sums is the new state."""
        sums = units.add("add", *self.weigh(units.made))
        new = units.carried(self.activation, sums)
        return new, new

    def _long_short_term(self, units: _Units) -> Sequence[str]:
        """Forget some of the old cell state, add the new one, let some of it out."""
        sums = units.add("add", *self.weigh(units.made))
        let_in, forget, new, let_out = (units.gate(sums, place) for place in range(4))
        let_in, forget, let_out = (
            units.applied(self.recurrent_activation, one) for one in (let_in, forget, let_out)
        )
        new = units.applied(self.activation, new)
        kept = units.add("multiply", forget, "state:1")
        added = units.add("multiply", let_in, new)
        cell = units.add("add", kept, added, in_place=False)
        shown = units.applied(self.activation, cell)
        output = units.add("multiply", let_out, shown, in_place=False)
        return output, output, cell

    def _reset(self, units: _Units) -> Sequence[str]:
        """Reset the old state, then mix it with the new one by z and 1 - z."""
        own, weighed = self.weigh(units.made)
        gates = units.add("add", units.gates(own, 2), units.gates(weighed, 2))
        mix, reset = (units.gate(gates, place) for place in range(2))
        mix, reset = (units.applied(self.recurrent_activation, one) for one in (mix, reset))
        new = self.weighed_reset(units, reset, weighed)
        new = units.add("add", units.gate(own, 2), new)
        new = units.applied(self.activation, new)
        rest = units.complement(mix)
        kept, added = units.add("multiply", mix, "state"), units.add("multiply", rest, new)
        output = units.add("add", kept, added, in_place=False)
        return output, output

    def weighed_reset(self, units: _Units, reset: str, weighed: str) -> str:
        """The sums of the last gate over the state that is reset before or after."""
        raise NotImplementedError


class _Units:
    """Functions of every unit of a cell, as they are added to its workload."""

    def __init__(self, cell: Cell, made: Assembly) -> None:
        self.cell, self.made = cell, made
        self._shape = cell.state_shape()

    def gate(self, sums: str, place: int) -> str:
        """The sums of one gate."""
        axis = self.cell.unit_axis
        units = self._shape[axis] or 1
        return self.made.part(sums, axis, place * units, units)

    def gates(self, sums: str, count: int) -> str:
        """The sums of the first gates."""
        axis = self.cell.unit_axis
        units = count * (self._shape[axis] or 1)
        if self.made.tensor(sums).shape[axis] == units:
            return sums
        return self.made.part(sums, axis, 0, units)

    def add(self, function: str, *reads: str, in_place: bool = True) -> str:
        """An elementwise function; what is carried to the next step or out is written."""
        tensors = [self.made.tensor(name) for name in reads]
        return self.made.add(elementwise(function, *tensors, in_place=in_place), *reads)

    def complement(self, name: str) -> str:
        """One minus every element."""
        one = self.made.weight("one", Tensor(()))
        work = elementwise("subtract", self.made.tensor(name), weights=[Tensor(())], in_place=True)
        subtracted, constant, result = work.operands
        return self.made.add(evolve(work, operands=[constant, subtracted, result]), one, name)

    def applied(self, function: str, name: str) -> str:
        """An activation in place; a linear one is the identity."""
        if function == "linear":
            return name
        work = self.cell.activation_of(function, self.made.tensor(name), in_place=True)
        return self.made.add(work, name)

    def carried(self, function: str, name: str) -> str:
        """An activation whose result is carried to the next step."""
        tensor = self.made.tensor(name)
        if function == "linear":
            return self.made.add(copy("state", tensor), name)
        return self.made.add(self.cell.activation_of(function, tensor), name)


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

    def weigh(self, made: Assembly) -> tuple[str, str]:
        """One contraction of the input; one of the state, but where it is reset before.

        With `reset_after` each side has a bias of its own.
        """
        sums = Tensor(self.sums_shape())
        biases: list[list[str]] = [[], []]
        if self.use_bias and self.reset_after:
            biases = [[made.part("bias", 0, side, 1)] for side in range(2)]
        elif self.use_bias:
            biases = [["bias"], []]
        own = self._weighed(made, "input", "kernel", sums, *biases[0])
        if self.rule.resets and not self.reset_after:
            first = made.part("recurrent_kernel", 1, 0, self.width - self.units)
            part = Tensor((self.width - self.units,))
            return own, self._weighed(made, "state", first, part)
        return own, self._weighed(made, "state", "recurrent_kernel", sums, *biases[1])

    def weighed_reset(self, units: _Units, reset: str, weighed: str) -> str:
        """The sums of the last gate over the state that is reset before or after."""
        made = units.made
        if self.reset_after:
            return units.add("multiply", reset, units.gate(weighed, 2))
        state = units.add("multiply", reset, "state")
        last = made.part("recurrent_kernel", 1, self.width - self.units, self.units)
        return self._weighed(made, state, last, Tensor((self.units,)))

    def _weighed(
        self, made: Assembly, values: str, kernel: str, sums: Tensor, *bias: str
    ) -> str:  # fmt: skip
        added = Tensor(sums.shape, made.tensor(bias[0]).format) if bias else None
        work = matmul(made.tensor(values), made.tensor(kernel), bias=added, output=sums)
        return made.add(work, values, kernel, *bias)


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

    @property
    def unit_axis(self) -> int:
        """The axis of the channels."""
        return -1 if self.data_format == "channels_last" else 0

    def weigh(self, made: Assembly) -> tuple[str, str]:
        """A convolution of the input, and one of the state."""
        image: dict[str, Any] = {
            "input_layout": image_layout(self.data_format), "weight_layout": "*CK",
            "output": Tensor(self.sums_shape()),
        }  # fmt: skip
        own = conv(
            self.inputs[0], self.parameters["kernel"], bias=self.parameters.get("bias"),
            stride=self.strides, padding=self.padding, dilation=self.dilation_rate, **image,
        )  # fmt: skip
        kept = conv(
            Tensor(self.state_shape()), self.parameters["recurrent_kernel"], padding="same",
            **image,
        )  # fmt: skip
        bias = ["bias"] if self.use_bias else []
        return (
            made.add(own, "input", "kernel", *bias), made.add(kept, "state", "recurrent_kernel"),
        )  # fmt: skip


@frozen(slots=False)
class StackedCells(Stepping, Wrapper):
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
        return (self.held[-1].outputs[0].shape, *self.state_shapes())

    def state_shapes(self) -> Sequence[Shape]:
        """Those of all cells."""
        return [tensor.shape for cell in self.held for tensor in cell.outputs[1:]]

    def one_step(self) -> Workload | Reason:
        """The workload of each cell on the output of the one before it."""
        made = Assembly(self.kind)
        result = made.input("input", self.inputs[0])
        names = numbered("state", len(self.state_shapes()))
        states = [
            made.input(*pair) for pair in zip(names, map(Tensor, self.state_shapes()), strict=True)
        ]
        for name, tensor in self.parameters.items():
            made.weight(name, tensor)
        new: list[str] = []
        for place, cell in enumerate(self.held):
            body = cell.one_step() if isinstance(cell, Stepping) else cell.workload()
            if isinstance(body, Reason):
                return body
            own = numbered("state", len(cell.outputs) - 1)
            given = {**self.given(body, place), "input": result}
            given |= dict(zip(own, states[len(new) :], strict=False))
            result, *after = made.inline(body, given, self.prefixes[place])
            new += after
        results = (result, *new)
        return made.workload(dict(zip(numbered("output", len(results)), results, strict=True)))


Feed: TypeAlias = tuple[int, int]
"""What a layer in a traced cell reads: the place of the source, and which of its outputs.

The first places are those of the input of the cell and of its states, the layers follow.
"""


def _feeds(value: Any) -> tuple[Feed, ...]:
    return tuple([(int(place), int(index)) for place, index in value])


def _shapes(value: Any) -> tuple[Shape, ...]:
    return tuple([as_shape(shape) for shape in value])


@frozen(slots=False)
class TracedCell(Stepping, Wrapper):
    """A cell of a program: the layers and functions that one call of it leaves."""

    kinds: ClassVar = ("keras.TracedCell",)

    maker: str = setting(str)
    """The kind of the cell itself."""

    feeds: tuple[tuple[Feed, ...], ...] = setting(lambda value: tuple(map(_feeds, value)))
    """What each held layer reads."""

    results: tuple[Feed, ...] = setting(_feeds)
    """The output and the new states."""

    states: tuple[Shape, ...] = setting(_shapes)

    @property
    def prefixes(self) -> Sequence[str]:
        """The name of each layer."""
        return [f"{layer.name}/" for layer in self.held]

    def state_shapes(self) -> Sequence[Shape]:
        """Those that the cell declares."""
        return self.states

    def output_shapes(self) -> Sequence[Shape]:
        """The output, then the states."""
        given: list[tuple[Tensor, ...]] = [(self.inputs[0],)]
        given += [(Tensor(shape),) for shape in self.states]
        given += [layer.outputs for layer in self.held]
        return [given[place][index].shape for place, index in self.results]

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the held layers, each once."""
        return {
            prefix + name: tensor.shape
            for prefix, layer in zip(self.prefixes, self.held, strict=True)
            if layer.shares is None
            for name, tensor in layer.parameters.items()
        }

    def one_step(self) -> Workload | Reason:
        """The workloads of the held layers, joined as the call joined them."""
        made = Assembly(self.kind)
        names = {(0, 0): made.input("input", self.inputs[0])}
        for place, name in enumerate(numbered("state", len(self.states))):
            names[place + 1, 0] = made.input(name, Tensor(self.states[place]))
        for name, tensor in self.parameters.items():
            made.weight(name, tensor)
        for place in range(len(self.held)):
            given = self._joined(made, place, [names[feed] for feed in self.feeds[place]])
            if isinstance(given, Reason):
                return given
            first = len(self.states) + 1
            names.update({(first + place, index): name for index, name in enumerate(given)})
        results = [names[feed] for feed in self.results]
        return made.workload(dict(zip(numbered("output", len(results)), results, strict=True)))

    def _joined(
        self, made: Assembly, place: int, sources: Sequence[str]
    ) -> Sequence[str] | Unpriced:
        """Add one held layer; what it gives, or why it has no price."""
        layer, prefix = self.held[place], self.prefixes[place]
        body = layer.workload_of_example()
        if isinstance(body, Unpriced):
            return Unpriced(f"in its cell, a {self.maker!r}: {layer.name}: {body.reason}")
        if isinstance(body, Reason):
            if not sources:  # a constant
                return [made.weight(f"{prefix}constant", tensor) for tensor in layer.outputs]
            pairs = zip(sources, layer.outputs, strict=False)
            return [made.seen_as(source, tensor) for source, tensor in pairs]
        given = dict(zip(numbered("input", len(sources)), sources, strict=True))
        given |= {name: prefix + name for name in body.weights if prefix + name in self.parameters}
        return made.inline(body, given, prefix)

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same cell for other inputs, and the held layers for what they then take."""
        where = f"layer {self.name!r} of kind {self.kind!r}"
        try:
            held = self._walked(inputs, [layer.with_inputs for layer in self.held])
        except BatchError as error:
            raise BatchError(error.reason, where) from None
        except ShapeError as error:
            message = f"{where}: {error}"
            raise ShapeError(message) from None
        return evolve(self, inputs=inputs, held=held)

    def with_formats(
        self,
        inputs: tuple[Tensor, ...],
        parameters: Mapping[str, NumericFormat],
        result: NumericFormat | None,
    ) -> Self:
        """The same cell with formats, which its parameters and its result have."""
        return Layer.with_formats(self, inputs, parameters, result)

    def _walked(self, inputs: tuple[Tensor, ...], makers: Sequence[Maker]) -> tuple[Layer, ...]:
        if not inputs:
            message = "no input; expected that of one step"
            raise ShapeError(message)
        given: list[tuple[Tensor, ...]] = [inputs[:1]]
        given += [(Tensor(shape),) for shape in self.states]
        layers: list[Layer] = []
        for make, feeds in zip(makers, self.feeds, strict=True):
            layers.append(make(tuple([given[place][index] for place, index in feeds])))
            given.append(layers[-1].outputs)
        return tuple(layers)


@frozen(slots=False)
class Recurrent(Wrapper):
    """A cell that runs over the first axis, time.

    `stateful` keeps the last state where it is; `unroll` writes the same steps out.
    """

    kinds: ClassVar[tuple[str, ...]] = ("keras.RNN",)

    return_sequences: bool = setting(settings.flag, default=False)
    return_state: bool = setting(settings.flag, default=False)
    go_backwards: bool = setting(settings.flag, default=False)
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

    def workload(self) -> Workload | Reason:
        """A loop over the steps, whose body is one step of the cell."""
        return self.over_steps(backwards=self.go_backwards)

    def over_steps(self, *, backwards: bool, in_place: bool = False) -> Workload | Reason:
        """A loop over the steps; a sequence that is made backwards is turned, or left in place."""
        cell = self.inner
        body = cell.one_step() if isinstance(cell, Stepping) else cell.workload()
        if isinstance(body, Reason):
            return body
        made = self.assembly()
        given = self.arguments.bound(*_RECURRENT_CALL)
        add_masks(made, given)
        starts = [
            numbered("input", item.index + 1)[-1]
            for item in layer_inputs(given.get("initial_state"))
        ]
        output, *states = made.recurrent(
            body, "input", weights=self.given(body), starts=starts,
            collects=self.return_sequences, backwards=backwards,
            fused=isinstance(cell, DenseCell),
        )  # fmt: skip
        if backwards and self.return_sequences and not in_place:
            output = made.view(output, made.tensor(output), "other")
        return self.assembled(made, *(output, *states)[: len(self.outputs)])


_RECURRENT_CALL: Final = ("sequences", "initial_state", "mask", "training")


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
        return tuple(_facing(make(inputs[:1]).renamed(way), way) for make, way in pairs)

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

    def workload(self) -> Workload | Reason:
        """The workloads of both directions, and how they are merged."""
        made = self.assembly()
        add_masks(made, self.arguments.bound(*_RECURRENT_CALL))
        results: list[tuple[str, ...]] = []
        for place, layer in enumerate(self.held):
            if isinstance(layer, Recurrent):
                body = layer.over_steps(backwards=place == 1, in_place=True)
            else:
                body = layer.workload()
            if isinstance(body, Reason):
                return body
            results.append(made.inline(body, self.given(body, place), self.prefixes[place]))
        (first, *states), (second, *others) = results
        merged = [made.add(one, first, second) for one in self._merge()] or [first, second]
        return self.assembled(made, *merged, *states, *others)

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


def _facing(layer: Layer, way: str) -> Layer:
    """The layer in its direction, which a file may leave to the place that it has."""
    if isinstance(layer, Recurrent):
        object.__setattr__(layer, "go_backwards", way == "backward")
    return layer


def _total(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


LAYERS: tuple[type[Layer], ...] = (
    Bidirectional,
    ConvCell,
    DenseCell,
    Recurrent,
    RecurrentWithCell,
    StackedCells,
    TracedCell,
)
