"""Recurrent cells: LSTM, GRU and RNN in all directions and layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend.operations.recurrence import GATES
from costmodel_onnx.nodes import trained
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode

_FUNCTIONS: Final = {
    "Affine": "linear", "Elu": "elu", "HardSigmoid": "hard_sigmoid", "LeakyRelu": "leaky_relu",
    "Relu": "relu", "ScaledTanh": "tanh", "Sigmoid": "sigmoid", "Softplus": "softplus",
    "Softsign": "softsign", "Tanh": "tanh", "ThresholdedRelu": "thresholded_relu",
}  # fmt: skip
_DEFAULTS: Final = {"lstm": ("Sigmoid", "Tanh"), "gru": ("Sigmoid", "Tanh"), "rnn": ("", "Tanh")}
"""The functions of the gates and of the state."""
_OF_CELL: Final = {"lstm": 3, "gru": 2, "rnn": 1}
"""Functions that are given for each direction."""


@translates("LSTM", "GRU", "RNN")
def recurrent(node: OnnxNode) -> list[Value]:
    """A cell over the steps of a sequence, forwards, backwards or both."""
    operands = [node.present_input(place) for place in range(8)]
    sequence, kernel, weighed, bias, _, start, start_of_cell, peepholes = operands
    if sequence is None or kernel is None or weighed is None:
        node.refuse("the sequence or its weights are missing")
    return cells(node, node.operator.lower(), sequence, kernel, weighed, bias,
                 start=start, start_of_cell=start_of_cell, peepholes=peepholes)  # fmt: skip


def cells(  # noqa: PLR0913  # the operands of a cell
    node: OnnxNode, cell: str, sequence: Value, kernel: Value, weighed: Value, bias: Value | None,
    *, start: Value | None, start_of_cell: Value | None, peepholes: Value | None,
) -> list[Value]:  # fmt: skip
    """The directions of a cell; gives all outputs, and the last states of each direction."""
    trained(kernel, weighed, bias, peepholes)
    direction = str(node.attribute("direction", "forward"))
    directions = 2 if direction == "bidirectional" else 1
    units = int(node.attribute("hidden_size", min(weighed.shape[-2:])))
    _check_sizes(node, directions * GATES[cell] * units,
                 (kernel, sequence.shape[-1]), (weighed, units), (bias, 2))  # fmt: skip
    is_batch_first = bool(node.attribute("layout", 0))
    functions = node.attribute("activations") or []
    found: list[tuple[Value, ...]] = []
    for place in range(directions):
        own = functions[place * _OF_CELL[cell] :] or functions
        gates = {"units": units, "cell": cell, **_functions(cell, own)}
        whole = [_one(node, value, place, directions) for value in (kernel, weighed, peepholes)]
        biases = _biases(node, _one(node, bias, place, directions), GATES[cell] * units)
        starts = [
            _start(node, value, place, is_batch_first=is_batch_first)
            for value in (start, start_of_cell if cell == "lstm" else None)
        ]
        found.append(
            node.graph.all_of(
                "recurrent", sequence, whole[0], whole[1], *biases, *starts, None, whole[2],
                time_axis=1 if is_batch_first else 0,
                backwards=direction == "reverse" or place == 1,
                resets_after=bool(node.attribute("linear_before_reset", 0)), **gates,
            )
        )  # fmt: skip
    axis = 2 if is_batch_first else 1
    results = [_stacked(node, [own[0] for own in found], axis)]
    axis = 1 if is_batch_first else 0
    last = [_stacked(node, states, axis) for states in list(zip(*found, strict=True))[1:]]
    return [*results, *last]


def _check_sizes(node: OnnxNode, rows: int, *given: tuple[Value | None, int]) -> None:
    """Refuse weights that have not so many elements for each gate of each unit."""
    for place, (value, width) in enumerate(given, 1):
        if value is not None and value.size != rows * width:
            node.refuse(
                f"input {place} has shape {value.shape!r:.80}; expected {rows} x {width} elements, "
                "for each gate of each unit in each direction"
            )


def _functions(cell: str, given: Sequence[str]) -> dict[str, Any]:
    gate, state = _DEFAULTS[cell]
    if given and cell == "rnn":
        state = given[0]
    elif len(given) > 1:
        gate, state = given[0], given[1]
    return {
        "activation": _FUNCTIONS.get(state, state.lower()),
        "gate_activation": _FUNCTIONS.get(gate, gate.lower() or "sigmoid"),
    }


def _one(node: OnnxNode, value: Value | None, place: int, directions: int) -> Value | None:
    """The part of one direction, without the axis of directions."""
    if value is None:
        return None
    if directions == 1:
        return node.add("reshape", value, shape=value.shape[1:])
    return node.add("select", value, key=[place])


def _biases(node: OnnxNode, bias: Value | None, width: int) -> list[Value | None]:
    """Those of the input and of the state, which stand in a row."""
    if bias is None:
        return [None, None]
    return [
        node.add("select", bias, key=[slice(0, width)]),
        node.add("select", bias, key=[slice(width, 2 * width)]),
    ]


def _start(
    node: OnnxNode, value: Value | None, place: int, *, is_batch_first: bool
) -> Value | None:
    """The first state of one direction."""
    if value is None or value.is_constant:
        return None
    axis = 1 if is_batch_first else 0
    if value.shape[axis] == 1:
        shape = [length for at, length in enumerate(value.shape) if at != axis]
        return node.add("reshape", value, shape=shape)
    return node.add("select", value, key=[*[slice(None)] * axis, place])


def _stacked(node: OnnxNode, values: Sequence[Value], axis: int) -> Value:
    """Results of the directions along an axis of their own."""
    seen = [
        node.add("reshape", value, shape=(*value.shape[:axis], 1, *value.shape[axis:]))
        for value in values
    ]
    return seen[0] if len(seen) == 1 else node.add("concatenate", *seen, axis=axis)
