"""Recurrent operators: LSTM and simple cells, over a sequence or for one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ShapeError
from costmodel.frontend.translation import DataDependentError
from costmodel_tflite.table import FUSED, fused, translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

_GATES: Final = 4
_BASIC: Final = 1
"""The number of the kernel of one step that has one matrix for input and state."""


@translates("UNIDIRECTIONAL_SEQUENCE_LSTM")
def sequence_lstm(node: TfliteNode) -> Value:
    """An LSTM over the steps of a sequence; its states start each inference anew."""
    _refuse(node, range(20, 24), "layer normalization within an LSTM is not counted")
    time_axis = 0 if node.option("time_major", default=False) else 1
    return _directed(node, node.input(), 0, time_axis, backwards=False)[0]


@translates("LSTM")
def one_step(node: TfliteNode) -> Sequence[Value]:
    """One step of an LSTM."""
    if node.option("kernel_type") == _BASIC:
        return _basic(node)
    _refuse(node, range(20, 24), "layer normalization within an LSTM is not counted")
    value = node.input()
    sequence = node.add("reshape", value, shape=(1, *value.shape))
    output, state, cell = _directed(node, sequence, 0, 0, backwards=False)
    one = node.add("reshape", output, shape=output.shape[1:])
    return [one, state, cell][: node.results] if node.results > 1 else [one]


@translates("BIDIRECTIONAL_SEQUENCE_LSTM")
def both_ways_lstm(node: TfliteNode) -> Sequence[Value]:
    """An LSTM over the steps of a sequence, and another one backwards."""
    _refuse(node, range(39, 48), "auxiliary inputs of an LSTM are not counted")
    time_axis = 0 if node.option("time_major", default=False) else 1
    places = (0, 17)
    made = [
        _directed(node, node.input(), start, time_axis, backwards=bool(start))[0]
        for start in places
    ]
    return _merged(node, made)


@translates("UNIDIRECTIONAL_SEQUENCE_RNN")
def sequence_rnn(node: TfliteNode) -> Value:
    """A simple cell over the steps of a sequence."""
    time_axis = 0 if node.option("time_major", default=False) else 1
    return _simple(node, node.input(), 1, time_axis, backwards=False)


@translates("RNN")
def simple_step(node: TfliteNode) -> Value:
    """One step of a simple cell."""
    value = node.input()
    made = _simple(node, node.add("reshape", value, shape=(1, *value.shape)), 1, 0,
                   backwards=False)  # fmt: skip
    return node.add("reshape", made, shape=made.shape[1:])


@translates("BIDIRECTIONAL_SEQUENCE_RNN")
def both_ways_rnn(node: TfliteNode) -> Sequence[Value]:
    """A simple cell over the steps of a sequence, and another one backwards."""
    _refuse(node, range(9, 12), "auxiliary inputs of a recurrent cell are not counted")
    time_axis = 0 if node.option("time_major", default=False) else 1
    made = [_simple(node, node.input(), start, time_axis, backwards=start > 1) for start in (1, 5)]
    return _merged(node, made)


def _refuse(node: TfliteNode, places: Sequence[int], reason: str) -> None:
    """Leave a node unpriced that has one of these inputs.

    Raises:
        DataDependentError: it has.

    """
    if any(node.optional(place) is not None for place in places):
        raise DataDependentError(reason)


def _merged(node: TfliteNode, made: Sequence[Value]) -> Sequence[Value]:
    """The results of both directions, side by side where the file asks for it."""
    if not node.option("merge_outputs", default=False):
        return made
    return [node.add("concatenate", *made, axis=-1 % made[0].rank)]


def _together(node: TfliteNode, start: int, count: int = _GATES) -> Value | None:
    """The constants of the gates as one; a gate that is left out is the complement of another."""
    held = [node.optional(start + place) for place in range(count)]
    there = [value for value in held if value is not None]
    return node.add("concatenate", *there, axis=0) if there else None


def _directed(
    node: TfliteNode, sequence: Value, start: int, time_axis: int, *, backwards: bool
) -> Sequence[Value]:
    """The outputs of all steps and the last states of one direction.

    `start` is the place before the first matrix of the direction.
    """
    kernel, recurrent = _together(node, start + 1), _together(node, start + 5)
    if kernel is None or recurrent is None:
        message = "an LSTM without the matrices of its input or its state"
        raise ShapeError(message)
    is_coupled = node.optional(start + 1) is None
    units = node.input(start + 2).shape[0]
    function = fused(node) or "linear"
    return node.graph.all_of(
        "recurrent", sequence, kernel, recurrent, _together(node, start + 12), None, None, None,
        node.optional(start + 16), _together(node, start + 9, 3), cell="lstm", units=units,
        time_axis=time_axis, backwards=backwards, activation=function,
        couples_gates=is_coupled, formats=node.formats[:1],
    )  # fmt: skip


def _simple(
    node: TfliteNode, sequence: Value, start: int, time_axis: int, *, backwards: bool
) -> Value:
    """The outputs of all steps of a simple cell, whose matrices begin at a place."""
    kernel, recurrent = node.input(start), node.input(start + 1)
    return node.graph.all_of(
        "recurrent", sequence, kernel, recurrent, node.optional(start + 2), cell="rnn",
        units=kernel.shape[0], time_axis=time_axis, backwards=backwards,
        activation=fused(node) or "linear", formats=node.formats[:1],
    )[0]  # fmt: skip


def _basic(node: TfliteNode) -> Sequence[Value]:
    """One step of an LSTM with one matrix: the gates of input, new state, forgetting, output."""
    value, before, kernel, bias, cell = (node.input(place) for place in range(5))
    both = node.add("concatenate", value, before, axis=1)
    sums = node.add("matmul", both, kernel, bias, transpose_right=True)
    units = cell.shape[-1]
    gates: Any = node.graph.all_of("split", sums, sizes=[units] * _GATES, axis=1)
    let_in, new, forget, let_out = gates
    curve = FUSED.get(node.option("fused_activation_function"), "tanh")
    let_in, forget, let_out = (
        node.add("activation", one, function="sigmoid", in_place=True)
        for one in (let_in, forget, let_out)
    )
    new = node.add("activation", new, function=curve, in_place=True)
    kept = node.add("elementwise", forget, cell, function="multiply", in_place=True)
    added = node.add("elementwise", let_in, new, function="multiply", in_place=True)
    state = node.add("elementwise", kept, added, function="add")
    shown = node.add("activation", state, function=curve, in_place=True)
    output = node.add("elementwise", let_out, shown, function="multiply")
    return [output, state, both, sums][: max(node.results, 1)]
