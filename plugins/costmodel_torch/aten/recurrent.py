"""Recurrent layers and cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel.frontend.translation import DataDependentError
from costmodel_torch.aten.table import ATEN, is_set, optional, tensor, values, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode

_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "aten.lstm.input": ("lstm", "tanh"),
    "aten.gru.input": ("gru", "tanh"),
    "aten.rnn_tanh.input": ("rnn", "tanh"),
    "aten.rnn_relu.input": ("rnn", "relu"),
}
_GATES: Final = {"lstm": 4, "gru": 3, "rnn": 1}


@ATEN.translates(*_KINDS)
def recurrent(node: SourceNode) -> Sequence[Value]:
    """Layers of a cell, in one direction or both, one after the other."""
    kind, function = _KINDS[node.operator]
    sequence = tensor(node, "input")
    starts = [node.attributes["hx"]] if kind != "lstm" else list(values(node, "hx"))
    is_unbatched = sequence.rank == len(("steps", "features"))
    time_axis = 1 if is_set(node, "batch_first") and not is_unbatched else 0
    if is_unbatched:
        sequence = node.add("reshape", sequence, shape=(sequence.shape[0], 1, sequence.shape[1]))
        starts = [node.add("reshape", one, shape=(one.shape[0], 1, one.shape[1])) for one in starts]
    weights = list(values(node, "params"))
    directions = 2 if is_set(node, "bidirectional") else 1
    layers = whole(node, "num_layers", 1)
    each = len(weights) // (layers * directions)
    lasts: list[list[Value]] = [[] for _ in starts]
    for layer in range(layers):
        given: list[Value] = []
        for direction in range(directions):
            place = layer * directions + direction
            made = _directed(
                node, sequence, weights[place * each : (place + 1) * each],
                [_row(node, one, place) for one in starts], kind, function, time_axis,
                backwards=direction == 1,
            )  # fmt: skip
            given.append(made[0])
            for held, last in zip(lasts, made[1:], strict=True):
                held.append(last)
        sequence = given[0] if directions == 1 else node.add("concatenate", *given, axis=2)
    if is_unbatched:
        sequence = node.add("reshape", sequence, shape=(sequence.shape[0], sequence.shape[2]))
    return [sequence, *[_stacked(node, held, is_unbatched=is_unbatched) for held in lasts]]


def _row(node: SourceNode, states: Value, place: int) -> Value:
    """The state of one layer and direction."""
    if states.shape[0] == 1:
        return node.add("reshape", states, shape=states.shape[1:])
    return node.add("select", states, key=[place])


def _directed(  # noqa: PLR0913, PLR0917  # the parts of one cell
    node: SourceNode, sequence: Value, weights: Sequence[Value], starts: Sequence[Value],
    kind: str, function: str, time_axis: int, *, backwards: bool,
) -> Sequence[Value]:  # fmt: skip
    """The outputs of one layer in one direction, and its last states."""
    has_biases = is_set(node, "has_biases", default=True)
    kernel, recurrent_kernel, *rest = weights
    bias, recurrent_bias = rest[:2] if has_biases else (None, None)
    projection = rest[2 * has_biases] if len(rest) > 2 * has_biases else None
    cell = starts[1] if kind == "lstm" else None
    return node.graph.all_of(
        "recurrent", sequence, kernel, recurrent_kernel, bias, recurrent_bias, starts[0], cell,
        projection, cell=kind, units=kernel.shape[0] // _GATES[kind], time_axis=time_axis,
        backwards=backwards, activation=function,
    )  # fmt: skip


def _stacked(node: SourceNode, held: Sequence[Value], *, is_unbatched: bool) -> Value:
    """The last states of all layers and directions along a new first axis."""
    rows = [node.add("reshape", one, shape=(1, *one.shape)) for one in held]
    made = rows[0] if len(rows) == 1 else node.add("concatenate", *rows, axis=0)
    if is_unbatched:
        made = node.add("reshape", made, shape=(made.shape[0], made.shape[2]))
    return made


@ATEN.translates("aten.lstm_cell", "aten.gru_cell", "aten.rnn_tanh_cell", "aten.rnn_relu_cell")
def cell(node: SourceNode) -> Sequence[Value]:
    """One step of a cell."""
    kind = node.operator.removeprefix("aten.").partition("_")[0]
    value = tensor(node, "input")
    starts = values(node, "hx") if kind == "lstm" else [tensor(node, "hx")]
    kernel, recurrent_kernel = tensor(node, "w_ih"), tensor(node, "w_hh")
    row = value if value.rank > 1 else node.add("reshape", value, shape=(1, *value.shape))
    made = node.graph.all_of(
        "recurrent", node.add("reshape", row, shape=(1, *row.shape)), kernel, recurrent_kernel,
        optional(node, "b_ih"), optional(node, "b_hh"),
        *[node.add("reshape", one, shape=(row.shape[0], one.shape[-1])) for one in starts],
        cell=kind, units=kernel.shape[0] // _GATES[kind],
        activation="relu" if "relu" in node.operator else "tanh",
    )  # fmt: skip
    states = made[1:]
    return [node.add("reshape", one, shape=(*value.shape[:-1], one.shape[-1])) for one in states]


@ATEN.translates("aten.lstm.data", "aten.gru.data", "aten.rnn_tanh.data", "aten.rnn_relu.data")
def packed(node: SourceNode) -> Sequence[Value]:
    """A cell over packed sequences, whose lengths are data."""
    message = "the lengths of packed sequences are data"
    raise DataDependentError(message)
