"""Recurrent cells over a sequence: LSTM and simple cells, one way and both, with their variants.

Clipping of states and projections is not counted: it takes two comparisons for each element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import frozen

from costmodel.frontend.control import loop
from costmodel_tflite.table import FUSED, fused, translates

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.graph import Graph
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

GATES: Final = ("input", "forget", "cell", "output")
"""The gates of an LSTM, in the order of its inputs."""
BASIC: Final = 1
"""`LSTMKernelType.BASIC`: one product of the input and the state, joined."""


@frozen(eq=False)
class LstmWeights:
    """What an LSTM holds, by gate; a gate that is left out is one less the forget gate.

    Shapes: `kernel` (units, features), `recurrent` (units, outputs), `peephole`, `bias` and `norm`
    (units), `projection` (outputs, units).
    """

    kernel: Mapping[str, Value]
    recurrent: Mapping[str, Value]
    peephole: Mapping[str, Value]
    bias: Mapping[str, Value]
    norm: Mapping[str, Value]
    auxiliary: Mapping[str, Value]
    projection: Value | None
    projection_bias: Value | None

    @property
    def is_plain(self) -> bool:
        """Whether the shared cell knows all of it; of peepholes it has all or none."""
        count = len(self.kernel)
        has_all = (
            count in {len(GATES) - 1, len(GATES)}
            and len(self.bias) in {0, count}
            and (not self.peephole or len(self.peephole) == count - 1 == len(GATES) - 1)
            and not self.norm
            and not self.auxiliary
        )
        held = [*self.kernel.values(), *self.recurrent.values(), *self.bias.values()]
        return has_all and self.projection_bias is None and all(one.is_constant for one in held)


def _gates(node: TfliteNode, first: int, names: Sequence[str] = GATES) -> dict[str, Value]:
    """The inputs from a place on that are there, by gate."""
    found = {name: node.optional(first + place) for place, name in enumerate(names)}
    return {name: value for name, value in found.items() if value is not None}


@translates("UNIDIRECTIONAL_SEQUENCE_LSTM")
def sequence_lstm(node: TfliteNode) -> Value:
    """An LSTM over a sequence, (rows, steps, features) or with the steps first."""
    weights = _weights(node, 0, norm=20)
    return _lstm(node, node.input(0), weights, _time_axis(node), node.input_format(19))


def _weights(node: TfliteNode, first: int, *, norm: int = 1000) -> LstmWeights:
    """What stands from `first` on as in the inputs of an LSTM one way, less the sequence."""
    return LstmWeights(
        kernel=_gates(node, first + 1), recurrent=_gates(node, first + 5),
        peephole=_gates(node, first + 9, ("input", "forget", "output")),
        bias=_gates(node, first + 12), norm=_gates(node, norm), auxiliary={},
        projection=node.optional(first + 16), projection_bias=node.optional(first + 17),
    )  # fmt: skip


def _time_axis(node: TfliteNode) -> int:
    return 0 if node.option("time_major", default=False) else 1


def _lstm(  # a cell, and how it goes through its sequence
    node: TfliteNode, sequence: Value, weights: LstmWeights, time_axis: int,
    state_format: NumericFormat | None = None, auxiliary: Value | None = None, *,
    backwards: bool = False,
) -> Value:  # fmt: skip
    """The outputs of all steps, along the axis of the sequence.

    Its gates have the format of its cell, as in the kernels of TFLite for integers.
    """
    if not weights.is_plain:
        return _unrolled(node, sequence, weights, time_axis, auxiliary, backwards=backwards)
    joined = {
        name: _joined(node, part)
        for name, part in (("kernel", weights.kernel), ("recurrent", weights.recurrent),
                           ("bias", weights.bias), ("peephole", weights.peephole))
    }  # fmt: skip
    kernel = weights.kernel["forget"]
    outputs = node.graph.all_of(
        "recurrent", sequence, joined["kernel"], joined["recurrent"], joined["bias"], None, None,
        None, weights.projection, joined["peephole"], cell="lstm", units=kernel.shape[0],
        time_axis=time_axis, backwards=backwards, activation=fused(node) or "linear",
        couples_gates="input" not in weights.kernel,
        state_format=state_format, result_format=node.formats[0],
    )  # fmt: skip
    return outputs[0]


def _joined(node: TfliteNode, parts: Mapping[str, Value]) -> Value | None:
    """The weights of all gates, one after the other."""
    return node.add("concatenate", *parts.values(), axis=0) if parts else None


def _unrolled(  # as _lstm
    node: TfliteNode, sequence: Value, weights: LstmWeights, time_axis: int,
    auxiliary: Value | None, *, backwards: bool,
) -> Value:  # fmt: skip
    """An LSTM with a coupled gate, layer normalisation or a second input, as a loop."""
    units, outputs = weights.recurrent["forget"].shape
    steps = sequence.shape[time_axis]
    rows = [length for axis, length in enumerate(sequence.shape[:-1]) if axis != time_axis]
    body = node.graph.body("step")
    taken = body.input("x", (*rows, sequence.shape[-1]), sequence.format)
    varying = [(sequence, taken)]
    second = None
    if auxiliary is not None and weights.auxiliary:
        second = body.input("aux", (*rows, auxiliary.shape[-1]), auxiliary.format)
        varying.append((auxiliary, second))
    state = body.input("h", (*rows, outputs))
    cell = body.input("c", (*rows, units))
    step = _LstmStep(body, weights, fused(node))
    output, after = step.run(taken, state, cell, second)
    starts = [node.graph.constant(f"{node.name}.state"[-200:], one.shape) for one in (state, cell)]
    *_, stacked = loop(
        node.graph, body, steps, varying=varying,
        carried=[(starts[0], state, output), (starts[1], cell, after)], collected=[output],
        axis=time_axis, backwards=backwards,
    )  # fmt: skip
    return stacked


@frozen(eq=False)
class _LstmStep:
    """One step of an LSTM with all that TFLite knows, as operations."""

    graph: Graph
    weights: LstmWeights
    function: str | None

    def run(
        self, taken: Value, state: Value, cell: Value, second: Value | None
    ) -> tuple[Value, Value]:
        """The output and the new cell."""
        forget = self._gate("forget", taken, state, cell, second)
        new = self._gate("cell", taken, state, None, second)
        if "input" in self.weights.kernel:
            let_in = self._gate("input", taken, state, cell, second)
        else:
            let_in = self._apply("subtract", forget)
        kept = self._apply("multiply", forget, cell)
        added = self._apply("multiply", let_in, new)
        after = self.graph.add("elementwise", kept, added, function="add")
        let_out = self._gate("output", taken, state, after, second)
        shown = after if self.function is None else self._curve(self.function, after)
        output = self.graph.add("elementwise", let_out, shown, function="multiply")
        if self.weights.projection is not None:
            output = self.graph.add(
                "matmul", output, self.weights.projection, self.weights.projection_bias,
                transpose_right=True,
            )  # fmt: skip
        return output, after

    def _gate(
        self, name: str, taken: Value, state: Value, cell: Value | None, second: Value | None
    ) -> Value:
        held, norm = self.weights, self.weights.norm.get(name)
        bias = None if norm is not None else held.bias.get(name)
        total = self.graph.add("matmul", taken, held.kernel[name], bias, transpose_right=True)
        other = self.graph.add("matmul", state, held.recurrent[name], transpose_right=True)
        total = self._apply("add", total, other)
        if second is not None:
            more = self.graph.add("matmul", second, held.auxiliary[name], transpose_right=True)
            total = self._apply("add", total, more)
        if cell is not None and name in held.peephole:
            total = self._apply("add", total, self._apply("multiply", cell, held.peephole[name]))
        if norm is not None:
            constants = [one for one in (norm, held.bias.get(name)) if one is not None]
            total = self.graph.add("normalize", total, *constants, axes=[-1])
        function = (self.function or "linear") if name == "cell" else "sigmoid"
        return total if function == "linear" else self._curve(function, total)

    def _apply(self, function: str, *values: Value) -> Value:
        return self.graph.add("elementwise", *values, function=function, in_place=True)

    def _curve(self, function: str, value: Value) -> Value:
        return self.graph.add("activation", value, function=function, in_place=True)


@translates("BIDIRECTIONAL_SEQUENCE_LSTM")
def both_ways_lstm(node: TfliteNode) -> Sequence[Value]:
    """Two LSTMs, one from each end; a second input joins the first, or is that of the other."""
    sequence, auxiliary, time_axis = node.input(0), node.optional(39), _time_axis(node)
    own = []
    for way, first, place in (("forward", 0, 40), ("backward", 17, 44)):
        weights = _weights(node, first)
        extra = _gates(node, place)
        weights = LstmWeights(
            weights.kernel, weights.recurrent, weights.peephole, weights.bias, {}, extra,
            weights.projection, weights.projection_bias,
        )  # fmt: skip
        is_back = way == "backward"
        is_linked = auxiliary is not None and not extra and is_back
        read = auxiliary if is_linked and auxiliary is not None else sequence
        own.append(_lstm(node, read, weights, time_axis, None, auxiliary, backwards=is_back))
    return _merged(node, own)


def _merged(node: TfliteNode, outputs: list[Value]) -> Sequence[Value]:
    if node.option("merge_outputs", default=False) or node.results == 1:
        return [node.add("concatenate", *outputs, axis=-1)]
    return outputs


@translates("LSTM")
def single_lstm(node: TfliteNode) -> Sequence[Value]:
    """One step of an LSTM; the kernel BASIC has one product and gives what it works with."""
    if node.option("kernel_type") == BASIC or len(node.inputs) == len(("x", "h", "w", "b", "c")):
        return _basic_lstm(node)
    value = node.input(0)
    seen = node.add("reshape", value, shape=(value.shape[0], 1, *value.shape[1:]))
    outputs = _lstm(node, seen, _weights(node, 0, norm=20), 1, node.input_format(19))
    last = node.add("reshape", outputs, shape=(value.shape[0], outputs.shape[-1]))
    return [last] * max(node.results, 1)


def _basic_lstm(node: TfliteNode) -> Sequence[Value]:
    value, state, weights, bias, cell = (node.input(place) for place in range(5))
    joined = node.add("concatenate", value, state, axis=-1)
    sums = node.add("matmul", joined, weights, bias, transpose_right=True)
    units = weights.shape[0] // len(GATES)
    let_in, new, forget, let_out = node.graph.all_of(
        "split", sums, sizes=[units] * len(GATES), axis=-1
    )  # fmt: skip

    def curve(function: str, one: Value) -> Value:
        return node.add("activation", one, function=function, in_place=True)

    def pair(function: str, one: Value, other: Value) -> Value:
        return node.add("elementwise", one, other, function=function)

    kept = pair("multiply", curve("sigmoid", forget), cell)
    added = pair("multiply", curve("sigmoid", let_in), curve("tanh", new))
    after = pair("add", kept, added)
    shown = node.add("activation", after, function="tanh")
    output = pair("multiply", curve("sigmoid", let_out), shown)
    return [output, after, joined, sums]


# ------------------------------------------------------------------ simple cells


@translates("UNIDIRECTIONAL_SEQUENCE_RNN")
def sequence_rnn(node: TfliteNode) -> Value:
    """A simple cell over a sequence."""
    return _simple(node, node.input(0), 1, _time_axis(node))


@translates("RNN")
def single_rnn(node: TfliteNode) -> Value:
    """One step of a simple cell."""
    value = node.input(0)
    seen = node.add("reshape", value, shape=(value.shape[0], 1, *value.shape[1:]))
    outputs = _simple(node, seen, 1, 1)
    return node.add("reshape", outputs, shape=(value.shape[0], outputs.shape[-1]))


@translates("BIDIRECTIONAL_SEQUENCE_RNN")
def both_ways_rnn(node: TfliteNode) -> Sequence[Value]:
    """Two simple cells, one from each end."""
    sequence, auxiliary, time_axis = node.input(0), node.optional(9), _time_axis(node)
    own = []
    for first, extra in ((1, node.optional(10)), (5, node.optional(11))):
        is_back = first > 1
        is_linked = auxiliary is not None and extra is None and is_back
        read = auxiliary if is_linked and auxiliary is not None else sequence
        weighed = None
        if auxiliary is not None and extra is not None:
            weighed = node.add("matmul", auxiliary, extra, transpose_right=True)
        output = _simple(node, read, first, time_axis, backwards=is_back)
        own.append(
            output if weighed is None
            else node.add("elementwise", output, weighed, function="add", in_place=True)
        )  # fmt: skip
    return _merged(node, own)


def _simple(
    node: TfliteNode, sequence: Value, first: int, time_axis: int, *, backwards: bool = False
) -> Value:
    kernel, recurrent, bias = (node.input(first + place) for place in range(3))
    number = node.option("fused_activation_function")
    outputs = node.graph.all_of(
        "recurrent", sequence, kernel, recurrent, bias, cell="rnn", units=kernel.shape[0],
        time_axis=time_axis, backwards=backwards, activation=FUSED.get(number, "linear"),
    )  # fmt: skip
    return outputs[0]
