"""What JAX writes in its own way becomes what all frontends have.

Means are sums that are divided, and the scale of a normalization
stands within it. These steps go before those of `costmodel.frontend.normalize`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.normalize.rewriting import Links, exchange, remove_unused, twin
from costmodel.frontend.operations.work import Value
from costmodel.workload.builders.shapes import broadcast

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode

_PAIR: Final = 2
_WITHIN: Final = 1e-5
"""How far a written quotient may be from the exact one."""


def normalize_module(graph: Graph) -> None:
    """Take all steps."""
    for step in (remove_unused, _join_means, _distribute, _scale_last):
        step(graph)


# ------------------------------------------------------------------ means


def _join_means(graph: Graph) -> None:
    """A sum that is divided by how many it is of is a mean."""
    links = Links.of(graph)
    changed: dict[int, GraphNode | None] = {}
    for node in graph.nodes:
        if node.operation != "elementwise" or len(node.operands) != _PAIR:
            continue
        value, by = node.operands
        if value is None or by is None or value.is_constant or not by.is_constant:
            continue
        total = _summed(links, value, node)
        if total is None or not _divides(node, by, total):
            continue
        settings = {**total.settings, "function": "mean"}
        changed[id(total)] = twin(
            total, total.operation, *total.operands, writes=total.writes[0], **settings
        )
        changed[id(node)] = twin(node, "identity", value, writes=node.writes[0])
    if changed:
        exchange(graph, changed)


def _summed(links: Links, value: Value, reader: GraphNode) -> GraphNode | None:
    """The sum that a value is, seen in any shape, if only this node reads it."""
    node = links.maker(value)
    while node is not None and links.only_reader(value) is reader:
        if node.operation in {"reduce", "pool"}:
            return node if node.settings.get("function") == "sum" else None
        if node.operation != "reshape":
            return None
        (value,) = node.reads
        node, reader = links.maker(value), node
    return None


def _divides(node: GraphNode, by: Value, total: GraphNode) -> bool:
    """Whether a node divides a sum by the number of its terms."""
    function, number = node.settings.get("function"), by.scalar
    if function not in {"divide", "multiply"} or by.is_parameter:
        return False
    if number is None:  # windows at the edges are of fewer
        return function == "divide" and total.operation == "pool"
    source = total.reads[0]
    if total.operation == "reduce":
        axes = total.settings["axes"]
        count = math.prod(source.shape[axis] for axis in axes)
    else:
        count = math.prod(total.settings["window"])
    wanted = count if function == "divide" else 1 / count
    return math.isclose(number, wanted, rel_tol=_WITHIN)


# ------------------------------------------------------------------ scales


def _distribute(graph: Graph) -> None:
    """Write `x * k + (n * k + b)` as `(x + n) * k + b`, as normalizations are."""
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        parts = _two(node, "add")
        if parts is None:
            continue
        for one, other in (parts, parts[::-1]):
            made = _factored(links, node, one, other)
            if made is not None:
                changed[id(node)] = made
                break
    _replace(graph, changed)


def _factored(
    links: Links, node: GraphNode, one: Value, other: Value
) -> Sequence[GraphNode] | None:
    scaled, shifted = links.maker(one), links.maker(other)
    if scaled is None or shifted is None or shifted.operation != "elementwise":
        return None
    held = [value for value in shifted.reads if value.is_constant]
    moved = [value for value in shifted.reads if not value.is_constant]
    if shifted.settings.get("function") != "add" or len(held) != 1 or len(moved) != 1:
        return None
    own, others = _two(scaled, "multiply"), None
    inner = links.maker(moved[0])
    others = None if inner is None else _two(inner, "multiply")
    if own is None or others is None or not all(
        links.only_reader(value) is not None for value in (one, other, moved[0])
    ):
        return None
    shared = [value for value in own if any(value is each for each in others)]
    if len(shared) != 1:
        return None
    (factor,) = shared
    x = own[0] if own[1] is factor else own[1]
    n = others[0] if others[1] is factor else others[1]
    total = Value(node.writes[0].name, broadcast([x.shape, n.shape]))
    product = Value(node.writes[0].name, broadcast([total.shape, factor.shape]))
    if broadcast([product.shape, held[0].shape]) != node.writes[0].shape:
        return None
    return [
        twin(scaled, "elementwise", x, n, writes=total, function="add"),
        twin(shifted, "elementwise", total, factor, writes=product, function="multiply"),
        twin(node, "elementwise", product, held[0], writes=node.writes[0], function="add"),
    ]


def _scale_last(graph: Graph) -> None:
    """Write `x * (s * p)` with a parameter `p` as `(x * s) * p`."""
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        parts = _two(node, "multiply")
        if parts is None:
            continue
        for one, other in (parts, parts[::-1]):
            scale = links.maker(other)
            if scale is None or links.only_reader(other) is not node or one is other:
                continue
            held = [value for value in scale.reads if value.is_constant]
            moved = [value for value in scale.reads if not value.is_constant]
            is_scale = scale.operation == "elementwise" and len(held) == len(moved) == 1
            if not is_scale or scale.settings.get("function") != "multiply":
                continue
            inner = Value(other.name, broadcast([one.shape, moved[0].shape]))
            if inner.shape != node.writes[0].shape:
                continue
            changed[id(node)] = [
                twin(scale, "elementwise", one, moved[0], writes=inner, function="multiply"),
                twin(node, "elementwise", inner, held[0], writes=node.writes[0],
                     function="multiply"),
            ]  # fmt: skip
            break
    _replace(graph, changed)


def _two(node: GraphNode, function: str) -> tuple[Value, Value] | None:
    """The two values that are no constants which a node reads for a function."""
    if node.operation != "elementwise" or node.settings.get("function") != function:
        return None
    reads = node.reads
    if len(reads) != _PAIR or any(value.is_constant for value in reads):
        return None
    return (reads[0], reads[1])


def _replace(graph: Graph, changed: Mapping[int, Iterable[GraphNode]]) -> None:
    """Put several nodes in the place of one; those that nobody reads any more go."""
    if changed:
        graph.nodes = [one for node in graph.nodes for one in changed.get(id(node), [node])]
        remove_unused(graph)
