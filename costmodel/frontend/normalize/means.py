"""Sums that are divided by their length become means; a scale and a shift become one operation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from costmodel.frontend.normalize.rewriting import Links, exchange, twin
from costmodel.frontend.operations.work import Value
from costmodel.workload.operators import Reduction

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode


def join_means(graph: Graph) -> None:
    """Let a sum be a mean where nothing but a division by its length follows."""
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        value = node.operands[0] if node.operands else None
        if node.operation != "elementwise" or value is None or value.is_constant:
            continue
        before, view = links.maker(value), None
        if before is not None and before.operation == "reshape":
            view, before = before, links.maker(before.reads[0])
        if before is None or before.settings.get("function") != "sum" or id(before) in changed:
            continue
        if links.only_reader(before.writes[0]) is not (view or node):
            continue
        if links.only_reader(value) is not node or not _divides(node, before):
            continue
        changed.update(_mean(node, before, view))
    if changed:
        exchange(graph, changed)


def _divides(node: GraphNode, total: GraphNode) -> bool:
    """Whether a node divides a sum by the number of its terms."""
    function, does = node.settings.get("function"), total.work.does
    others = [value for value in node.operands[1:] if value is not None]
    if len(others) != 1 or not others[0].is_constant or not isinstance(does, Reduction):
        return False
    by = others[0]
    if by.is_parameter or function not in {"divide", "multiply"}:
        return False
    if by.scalar is None:  # windows at the edges are of fewer terms
        return function == "divide" and total.operation == "pool"
    wanted = does.window if function == "divide" else 1 / does.window
    return math.isclose(by.scalar, wanted, rel_tol=1e-5)


def _mean(
    node: GraphNode, total: GraphNode, view: GraphNode | None
) -> dict[int, Sequence[GraphNode]]:
    """The nodes in the place of a sum, the view of it, and its division."""
    settings = {**total.settings, "function": "mean"}
    result = node.writes[0]
    if view is None:
        made = twin(total, total.operation, *total.operands, writes=result, **settings)
        return {id(total): (), id(node): (made,)}
    whole = Value(total.writes[0].name, total.writes[0].shape, result.format)
    made = twin(total, total.operation, *total.operands, writes=whole, **settings)
    seen = twin(view, "reshape", whole, writes=result, shape=result.shape)
    return {id(total): (), id(view): (), id(node): (made, seen)}


def join_scales(graph: Graph) -> None:
    """Let a product and a sum with constants along one axis be one scale and shift."""
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        scale = _constant(node, "multiply")
        after = links.only_reader(node.writes[0]) if scale is not None else None
        shift = None if after is None else _constant(after, "add")
        if scale is None or after is None or shift is None:
            continue
        value = next(one for one in node.reads if not one.is_constant)
        axes = {_axis(one, after.writes[0]) for one in (scale, shift)}
        axis = axes.pop()
        if axes or axis is None or value.shape != after.writes[0].shape:
            continue
        held = [_flat(one, value.shape[axis]) for one in (scale, shift)]
        made = twin(node, "scale_and_shift", value, *held, writes=after.writes[0], axis=axis)
        changed.update({id(node): (), id(after): (made,)})
    if changed:
        exchange(graph, changed)


def _constant(node: GraphNode, function: str) -> Value | None:
    """The one constant that a node multiplies by or adds, if it does that to one value."""
    if node.operation != "elementwise" or node.settings.get("function") != function:
        return None
    held = [value for value in node.reads if value.is_constant]
    return held[0] if len(held) == 1 and len(node.reads) == len(("value", "constant")) else None


def _axis(constant: Value, result: Value) -> int | None:
    """The one axis of the result that a constant lies along."""
    own = (*[1] * (result.rank - constant.rank), *constant.shape)
    axes = [place for place, length in enumerate(own) if length != 1]
    return axes[0] if len(axes) == 1 else None


def _flat(constant: Value, length: int) -> Value:
    if constant.rank == 1:
        return constant
    return Value(
        constant.name, (length,), constant.format, None, is_constant=True,
        is_parameter=constant.is_parameter,
    )  # fmt: skip
