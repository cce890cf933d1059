"""Quantise and dequantise nodes become the formats of the tensors between operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.frontend.normalize.rewriting import Links

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode
    from costmodel.frontend.operations.work import Value


def fold_quantization(graph: Graph) -> None:
    """Remove what quantises a result or dequantises an operand.

    What is quantised right after it is made is made in that format; what is dequantised is read
    in the format in which it is. A node stays where the graph begins or ends, or where others
    read the value before it.
    """
    links = Links.of(graph)
    seen: dict[int, Value] = {}
    dropped: set[int] = set()
    for node in graph.nodes:
        if node.operation == "dequantize":
            (source,) = node.reads
            if id(node.writes[0]) not in links.kept and _is_quantized(links, source):
                seen[id(node.writes[0])] = seen.get(id(source), source)
                dropped.add(id(node))
        elif node.operation == "quantize":
            (source,) = node.reads
            if _ends_in(links, node, source):
                source.format = node.writes[0].format
                seen[id(node.writes[0])] = source
                dropped.add(id(node))
    if not dropped:
        return
    graph.nodes = [node for node in graph.nodes if id(node) not in dropped]
    for node in graph.nodes:
        node.read_in_place_of(seen)
    graph.outputs = [_origin(value, seen) for value in graph.outputs]


def _origin(value: Value, seen: dict[int, Value]) -> Value:
    while id(value) in seen:
        value = seen[id(value)]
    return value


def _is_quantized(links: Links, source: Value) -> bool:
    """Whether a value comes from a node that gives it in a declared format."""
    return source.is_constant or (source.format is not None and links.maker(source) is not None)


def _ends_in(links: Links, node: GraphNode, source: Value) -> bool:
    """Whether a value is made for nothing but to be quantised."""
    maker = links.maker(source)
    return (
        maker is not None
        and maker.operation != "dequantize"
        and (links.only_reader(source) is node)
    )
