"""Calls of subgraphs, loops, branches, and variables that outlive an inference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from costmodel.errors import ReadError, ShapeError
from costmodel.frontend.control import branch, loop
from costmodel.frontend.translation import DataDependentError
from costmodel_tflite.subgraphs import variable_name
from costmodel_tflite.table import leave_unpriced, translates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.graph import Graph
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode


@translates("CALL")
def call(node: TfliteNode) -> Sequence[Value]:
    """The operators of another subgraph, in place."""
    return node.subgraphs.call(node.option("subgraph"), node.graph, node.present)


@translates("STABLEHLO_COMPOSITE")
def composite(node: TfliteNode) -> Sequence[Value]:
    """An operator of another vocabulary, as the subgraph that defines it."""
    index = node.option("decomposition_subgraph_index")
    return node.subgraphs.call(index, node.graph, node.present)


@translates("CALL_ONCE")
def call_once(node: TfliteNode) -> Sequence[Value]:
    """A subgraph that runs before the first inference: it is no part of one."""
    del node
    return []


@translates("WHILE", "STABLEHLO_WHILE")
def repeat(node: TfliteNode) -> Sequence[Value]:
    """A loop, where the number of its steps follows from constants."""
    condition, place = node.option("cond_subgraph_index"), node.option("body_subgraph_index")
    values = node.present
    starts = [value.data if value.is_constant else None for value in values]
    steps = node.subgraphs.trips.steps(condition, place, starts)
    if steps == 0:
        return values
    held = node.subgraphs.file.subgraph(place)
    body = node.graph.body(held.name[:200] or "body")
    given, changing = [], []
    for index, (value, before, after) in enumerate(
        zip(values, held.inputs, held.outputs, strict=True)
    ):
        if before == after or id(value) in node.subgraphs.handles:
            given.append(value)
            continue
        given.append(body.input(f"carried{index}", value.shape, value.format))
        changing.append(index)
    results = _called(node, place, body, given)
    for index in changing:
        if results[index].shape != values[index].shape:
            message = (
                f"variable {index} of the loop begins as {values[index].shape} and goes on as "
                f"{results[index].shape}"
            )
            raise DataDependentError(message)
    carried = [(values[index], given[index], results[index]) for index in changing]
    last = dict(zip(changing, loop(node.graph, body, steps, carried=carried), strict=False))
    return [last.get(index, value) for index, value in enumerate(values)]


def _called(node: TfliteNode, place: int, body: Graph, given: Sequence[Value]) -> Sequence[Value]:
    """The results of the subgraph of a loop or branch.

    Raises:
        DataDependentError: something within depends on data, so that the whole has no price.

    """
    try:
        return node.subgraphs.call(place, body, given)
    except ReadError as error:
        reason: BaseException | None = error
        while reason is not None and not isinstance(reason, DataDependentError):
            reason = reason.__cause__ or reason.__context__
        if reason is None:
            raise
        message = f"within it, {reason}"
        raise DataDependentError(message) from error


@translates("IF")
def choose(node: TfliteNode) -> Sequence[Value]:
    """One of two subgraphs: the one that a constant chooses, else whichever data choose."""
    condition, *values = node.present
    places = (node.option("then_subgraph_index"), node.option("else_subgraph_index"))
    if condition.scalar is not None:
        return node.subgraphs.call(places[0 if condition.scalar else 1], node.graph, values)
    bodies = [node.graph.body(name) for name in ("then", "else")]
    results = [
        _called(node, place, body, values) for place, body in zip(places, bodies, strict=True)
    ]
    try:
        return branch(node.graph, condition, list(zip(bodies, results, strict=True)))
    except ShapeError as error:
        raise DataDependentError(str(error)) from error


# ------------------------------------------------------------------ variables


@translates("VAR_HANDLE")
def variable_handle(node: TfliteNode) -> Value:
    """What other operators know a variable by; files declare it with an axis of one, or without."""
    handle = node.graph.constant(node.name, node.shapes[0] or ())
    node.subgraphs.handles[id(handle)] = variable_name(node.attributes)
    node.subgraphs.kept.append(handle)
    return handle


def _variable(node: TfliteNode) -> str:
    name = node.subgraphs.handles.get(id(node.input(0)))
    if name is None:
        message = f"{node.input(0).name!r:.80} is not the handle of a variable"
        raise ReadError(message)
    return name


@translates("READ_VARIABLE")
def read_variable(node: TfliteNode) -> Value:
    """What a variable holds: a weight, or a state that an inference changes."""
    return node.subgraphs.variable(_variable(node), node)


@translates("ASSIGN_VARIABLE")
def assign_variable(node: TfliteNode) -> Sequence[Value]:
    """A state for the next inference."""
    node.subgraphs.assign(_variable(node), node.input(1), node)
    return []


@translates("HASHTABLE")
def hash_table(node: TfliteNode) -> Value:
    """What other operators know a table by."""
    return node.graph.constant(node.name, (math.prod(()),))


@translates("HASHTABLE_IMPORT")
def import_hash_table(node: TfliteNode) -> Sequence[Value]:
    """The content of a table, which is put there once."""
    del node
    return []


leave_unpriced({
    "a runtime has compiled this part for a delegate; read the file as it was converted": (
        "DELEGATE"
    ),
    "it stands for operators beyond number 127, and is none itself": (
        "PLACEHOLDER_FOR_GREATER_OP_CODES"
    ),
    "it calls a function outside of the file": "STABLEHLO_CUSTOM_CALL",
    "it has no name of its own": "CUSTOM",
})  # fmt: skip
