"""Recurrent layers: gates over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from attrs import evolve, frozen

from costmodel import formats as arithmetic
from costmodel.formats import Binary, NumericFormat
from costmodel.network.layer import Layer, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.assembly import chained
from costmodel.workload.builders import elementwise, matmul
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operand, Operator
from costmodel_keras.graph import ConfigView, LayerView, LiveView
from costmodel_keras.layers import settings
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.layers.quantized import (
    KernelQuantized,
    Quantized,
    activation_name,
    activation_quantizer,
    quantizer,
)
from costmodel_qkeras.quantizers import Quantizer

Formats: TypeAlias = tuple[NumericFormat | None, NumericFormat | None, NumericFormat | None]
"""Of what the activation and the gates yield, and of the state that is read; None if unknown."""


def _new_value(formats: Formats) -> NumericFormat | None:
    return formats[0]


def _gated_value(formats: Formats) -> NumericFormat | None:
    value, gate, _ = formats
    return value and gate and arithmetic.product(gate, value).result


def _mixed_value(formats: Formats) -> NumericFormat | None:
    value, gate, state = formats
    if not (value and gate and state):
        return None
    rest = arithmetic.difference(Binary(zero_one=True), gate).result
    kept, new = arithmetic.product(gate, state).result, arithmetic.product(rest, value).result
    return arithmetic.addition(kept, new).result


@frozen
class CellRule:
    """What a cell of one kind does in a step, for each of its units.

    `gates` weighted sums, the additions to them and to the state, functions by the setting that
    names them, the multiplications of what these yield, the format of the new state, and how
    many tensors it carries from step to step.
    """

    gates: int
    additions: int
    functions: tuple[tuple[str, int], ...]
    multiplications: int
    result: Callable[[Formats], NumericFormat | None]
    states: int = 1


CELLS: Final[Mapping[str, CellRule]] = {
    "qkeras.QSimpleRNN": CellRule(1, 1, (("activation", 1),), 0, _new_value),
    # Forget the old state, add the new one, let some of it out.
    "qkeras.QLSTM": CellRule(
        4, 5, (("recurrent_activation", 3), ("activation", 2)), 3, _gated_value, states=2
    ),
    # Reset the old state, mix it with the new one by z and 1 - z.
    "qkeras.QGRU": CellRule(
        3, 5, (("recurrent_activation", 2), ("activation", 1)), 3, _mixed_value
    ),
}


@frozen(slots=False)
class QRecurrent(KernelQuantized, Layer):
    """A cell that runs over the first axis, time."""

    kinds: ClassVar = tuple(CELLS)
    quantizer_names: ClassVar = {
        "kernel": "kernel_quantizer",
        "recurrent_kernel": "recurrent_quantizer",
        "bias": "bias_quantizer",
        "state": "state_quantizer",
    }

    units: int = setting(settings.whole)
    use_bias: bool = setting(settings.flag, default=True)
    return_sequences: bool = setting(settings.flag, default=False)
    return_state: bool = setting(settings.flag, default=False)
    reset_after: bool = setting(settings.flag, default=False)
    recurrent_quantizer: Quantizer | None = quantizer("recurrent_quantizer")
    state_quantizer: Quantizer | None = quantizer("state_quantizer")
    recurrent_activation: str = activation_name("recurrent_activation")
    gate_quantizer: Quantizer | None = activation_quantizer("recurrent_activation")

    @property
    def rule(self) -> CellRule:
        """What the cell does in a step."""
        return CELLS[self.kind]

    @property
    def steps_along(self) -> int | None:
        """The first axis: time."""
        return 0

    def output_shapes(self) -> Sequence[Shape]:
        """The last step or all of them, and the states where they are asked for."""
        time, _ = _sequence(self.input_shape)
        last = (self.units,)
        states = self.rule.states if self.return_state else 0
        return ((time, *last) if self.return_sequences else last, *[last] * states)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (inputs, gates) and (units, gates), and bias (gates)."""
        _, depth = _sequence(self.input_shape)
        width = self.rule.gates * self.units
        bias = (2, width) if self.reset_after else (width,)
        kernels: dict[str, Shape] = {
            "kernel": (depth, width), "recurrent_kernel": (self.units, width),
        }  # fmt: skip
        return kernels | ({"bias": bias} if self.use_bias else {})

    def declared_result(self) -> NumericFormat | None:
        """The format of the new state, where it follows from what is declared."""
        return self.rule.result(self._formats())

    def _formats(self) -> Formats:
        given = (self.output_quantizer, self.gate_quantizer, self.state_quantizer)
        value, gate, state = (None if one is None else numeric_format(one) for one in given)
        return value, gate, state

    def workload(self) -> Workload:
        """A loop over the steps."""
        return self.over_steps()

    def over_steps(self, *, backwards: bool = False) -> Workload:
        """A loop over the steps, from the first or from the last one on."""
        state = Tensor((self.units,), self._formats()[-1] or self.declared_result())
        states = [state] * self.rule.states
        arriving = [Tensor(self.inputs[0].shape[1:], self.inputs[0].format), *states]
        body = chained(
            self.kind, self._one_step(arriving[0], state), arriving, self.parameters,
            [Tensor((self.units,), self.declared_result()), *states],
        )  # fmt: skip
        made = self.assembly()
        results = made.recurrent(
            body, "input", weights={name: name for name in self.parameters},
            collects=self.return_sequences, backwards=backwards,
        )  # fmt: skip
        return self.assembled(made, *results[: len(self.outputs)])

    def _one_step(self, features: Tensor, state: Tensor) -> Sequence[Operator]:
        """Two contractions for all gates, what is added, the activations, products."""
        rule = self.rule
        value, gate, _ = self._formats()
        units = (self.units,)
        sums = Tensor((rule.gates * self.units,))
        work: list[Operator] = [
            self._gates(features),
            matmul(state, self.parameters["recurrent_kernel"], output=sums),
            elementwise("add", Tensor(units), steps=rule.additions),
        ]
        formats = {"activation": value, "recurrent_activation": gate}
        work += [
            self.activation_of(
                getattr(self, name),
                Tensor((count * self.units,)),
                output=Tensor((count * self.units,), formats[name]),
            )
            for name, count in rule.functions
        ]
        if rule.multiplications:
            factors = (Tensor(units, gate), Tensor(units, value))
            work.append(
                elementwise("multiply", *factors, steps=rule.multiplications, output=Tensor(units))
            )
        return work

    def _gates(self, features: Tensor) -> Operator:
        """The products of the inputs, with the biases: of the inputs, and of the state if apart."""
        work = matmul(features, self.parameters["kernel"])
        if not self.use_bias:
            return work
        bias = self.parameters["bias"]
        rows = (None,) * (len(bias.shape) - 1)
        *read, written = work.operands
        return evolve(work, operands=[*read, Operand("weight", bias, (*rows, "n")), written])


def _sequence(shape: Shape) -> tuple[int | None, int]:
    if len(shape) != 2 or shape[1] is None:  # noqa: PLR2004  # time and features
        message = f"expected time and features, found {show_shape(shape)}"
        raise ValueError(message)
    return shape[0], shape[1]


# ------------------------------------------------------------------ both directions


@frozen
class _Inner:
    """The class, kind, name and settings of a recurrent layer in a bidirectional one."""

    name: str
    kind: str
    settings: tuple[tuple[str, Any], ...]

    def layer(self, inputs: tuple[Tensor, ...]) -> QRecurrent:
        return QRecurrent(self.name, self.kind, inputs, **dict(self.settings))


def _inner(value: Any) -> _Inner:
    if isinstance(value, _Inner):
        return value
    is_config = isinstance(value, Mapping)
    if not (is_config or hasattr(value, "name")):
        message = "expected a layer"
        raise TypeError(message)
    view: LayerView = ConfigView(value, "a bidirectional layer") if is_config else LiveView(value)
    if view.kind not in CELLS:
        message = f"expected one of {', '.join(CELLS)}"
        raise ValueError(message)
    made = QRecurrent.from_settings(view.name, view.kind, (Tensor((1, 1)),), view.settings)
    # What is named differs between a model and its file; the directions need no names.
    given = QRecurrent.read_settings(view.settings)
    return _Inner("", view.kind, tuple((name, getattr(made, name)) for name in given))


def _merge_mode(value: Any) -> str | None:
    return None if value is None else settings.one_of("concat", *_JOINED)(value)


_JOINED: Final = {"sum": "add", "ave": "average", "mul": "multiply"}
"""The merge modes that compute, and the function that they are."""


@frozen(slots=False)
class QBidirectional(Quantized, Layer):
    """A recurrent layer over a sequence, and another one backwards."""

    kinds: ClassVar = ("qkeras.QBidirectional",)

    forward: _Inner = setting(_inner, source=("forward_layer", "layer"), holds=(_Inner, Quantizer))
    merge_mode: str | None = setting(_merge_mode, default="concat")

    @property
    def inner(self) -> QRecurrent:
        """The layer in one direction."""
        layer = self.forward.layer(self.inputs[:1])
        return layer.with_formats(layer.inputs, layer.declared_formats(), layer.declared_result())

    @property
    def output_quantizer(self) -> Quantizer | None:
        """That of the layer in it."""
        return self.inner.output_quantizer

    def declared_result(self) -> NumericFormat | None:
        """That of one direction, where the two are not joined into new values."""
        return None if self.merge_mode in _JOINED else self.inner.declared_result()

    @property
    def quantizers(self) -> tuple[Quantizer | None, ...]:
        """Those of both directions."""
        return self.inner.quantizers * 2

    def declared_quantizers(self) -> Mapping[str, Quantizer | None]:
        """Those of both directions by the names of the parameters."""
        declared = self.inner.declared_quantizers().items()
        return {f"{way}_{name}": found for way in _WAYS for name, found in declared}

    @property
    def steps_along(self) -> int | None:
        """The first axis: time."""
        return 0

    def output_shapes(self) -> Sequence[Shape]:
        """Both directions side by side, in one, or each by itself; then the states of both."""
        first, *states = self.inner.output_shapes()
        merged: Sequence[Shape] = (first,)
        if self.merge_mode is None:
            merged = (first, first)
        elif self.merge_mode == "concat":
            merged = ((*first[:-1], 2 * self.inner.units),)
        return (*merged, *states, *states)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of both directions."""
        shapes = self.inner.parameter_shapes().items()
        return {f"{way}_{name}": shape for way in _WAYS for name, shape in shapes}

    def workload(self) -> Workload:
        """The work of both directions, and how they are joined."""
        made = self.assembly()
        results: list[tuple[str, ...]] = []
        for way in _WAYS:
            body = self.inner.over_steps(backwards=way == "backward")
            held = {
                name: f"{way}_{name}" for name in body.weights if f"{way}_{name}" in self.parameters
            }
            results.append(made.inline(body, {"input": "input", **held}, f"{way}_"))
        (first, *states), (second, *others) = results
        function = _JOINED.get(self.merge_mode or "")
        merged = [first, second] if self.merge_mode is None else [first]
        if function is not None:
            shape = self.outputs[:1]
            merged = [made.add(elementwise(function, *shape * 2, output=shape[0]), first, second)]
        return self.assembled(made, *merged, *states, *others)


_WAYS: Final = ("forward", "backward")
