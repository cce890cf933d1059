"""Padding nodes become the padding of the convolution that alone reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costmodel.frontend.normalize.rewriting import Links, exchange, twin

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode


def join_padding(graph: Graph) -> None:
    """Let a convolution pad its image itself, as its counts have it in any case."""
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        if node.operation != "conv":
            continue
        before = links.maker(node.reads[0])
        if before is None or before.operation != "pad":
            continue
        if links.only_reader(before.writes[0]) is not node:
            continue
        padding = _joined(node, before.settings["amounts"])
        if padding is None:
            continue
        settings = {**node.settings, "padding": padding}
        image = before.reads[0]
        made = twin(node, "conv", image, *node.operands[1:], writes=node.writes[0], **settings)
        changed[id(node)] = (made,)
        changed[id(before)] = ()
    if changed:
        exchange(graph, changed)


def _joined(node: GraphNode, amounts: Sequence[tuple[int, int]]) -> list[tuple[int, int]] | None:
    """The padding of each spatial axis, or None where the two cannot be one."""
    layout = str(node.settings.get("input_layout", "NC*"))
    rank = node.reads[0].rank
    letters = layout.replace("*", "*" * (rank - len(layout) + 1))
    spatial = [place for place, letter in enumerate(letters) if letter == "*"]
    if any(any(amounts[place]) for place in range(rank) if place not in spatial):
        return None
    own = _pairs(node.settings.get("padding", 0), len(spatial))
    if own is None or min(min(pair) for pair in amounts) < 0:
        return None
    return [
        (before + amounts[place][0], after + amounts[place][1])
        for place, (before, after) in zip(spatial, own, strict=True)
    ]


def _pairs(padding: Any, axes: int) -> list[tuple[int, int]] | None:
    """A pair for each axis, of numbers."""
    if padding == "valid":
        return [(0, 0)] * axes
    if isinstance(padding, str):
        return None
    if isinstance(padding, int):
        return [(padding, padding)] * axes
    return [(one, one) if isinstance(one, int) else (one[0], one[1]) for one in padding]
