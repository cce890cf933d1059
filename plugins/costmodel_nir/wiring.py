"""The wiring of a NIR graph: graphs within it unfolded, and the order in which nodes run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import define, field

from costmodel.errors import ReadError, nearest
from costmodel.network.graph import LAYER_LIMIT
from costmodel_nir.contents import NirGraph, NirNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Edge = tuple[str, str]
"""The names of the node that gives and of the one that reads."""

PORTS: Final = ("input", "output")
"""What may stand behind the name of a node and a dot at the end of an edge."""


@define
class Wiring:
    """Nodes by name, the parts of a graph `block` as `block/lif`, and the edges between them."""

    nodes: dict[str, NirNode] = field(factory=dict)
    edges: list[Edge] = field(factory=list)
    notes: list[str] = field(factory=list)

    def sources(self) -> Mapping[str, list[str]]:
        """The nodes that each node reads, in the order of the edges."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            found[target].append(source)
        return found

    def order(self) -> tuple[Sequence[str], set[Edge]]:
        """The nodes in the order in which they run in a time step, and the delayed edges.

        An edge that closes a cycle, as the edges are followed from the inputs on, is delayed: what
        it carries was computed in the time step before.
        """
        targets: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            targets[source].append(target)
        return _depth_first(self._starts(), targets)

    def _starts(self) -> Iterator[str]:
        """Inputs, then what reads nothing, then all others, which only a cycle can reach."""
        read = {target for _, target in self.edges}
        yield from (name for name, node in self.nodes.items()
                    if node.type == "Input" and name not in read)  # fmt: skip
        yield from (name for name in self.nodes if name not in read)
        yield from self.nodes


def _depth_first(
    starts: Iterable[str], targets: Mapping[str, Sequence[str]]
) -> tuple[Sequence[str], set[Edge]]:
    done: dict[str, bool] = {}
    """Whether a node that was reached is left again."""
    order: deque[str] = deque()
    delayed: set[Edge] = set()
    for start in starts:
        if start in done:
            continue
        done[start] = False
        waiting = [(start, iter(targets[start]))]
        while waiting:
            name, rest = waiting[-1]
            target = next(rest, None)
            if target is None:
                waiting.pop()
                done[name] = True
                order.appendleft(name)
            elif target not in done:
                done[target] = False
                waiting.append((target, iter(targets[target])))
            elif not done[target]:
                delayed.add((name, target))
    return order, delayed


def wired(graph: NirGraph, where: str) -> Wiring:
    """All nodes of a graph and of the graphs within it, with the edges between them.

    Raises:
        ReadError: an edge ends nowhere or at a graph of several inputs or outputs, or there are too
            many nodes.

    """
    made = Wiring()
    waiting = [("", graph)]
    while waiting:
        prefix, one = waiting.pop()
        for name, node in one.nodes.items():
            if isinstance(node, NirGraph):
                waiting.append((f"{prefix}{name}/", node))
            else:
                made.nodes[prefix + name] = node
        if len(made.nodes) + len(waiting) > LAYER_LIMIT:
            message = f"{where}: more than {LAYER_LIMIT:,} nodes"
            raise ReadError(message)
    edges: dict[Edge, None] = {}
    waiting = [("", graph)]
    while waiting:
        prefix, one = waiting.pop()
        waiting += [(f"{prefix}{name}/", node) for name, node in one.nodes.items()
                    if isinstance(node, NirGraph)]  # fmt: skip
        for edge in one.edges:
            ends = (_end(one, edge, 0, prefix, where), _end(one, edge, 1, prefix, where))
            if ends in edges:
                made.notes.append(f"the edge from {ends[0]!r} to {ends[1]!r} stands twice")
            edges[ends] = None
    made.edges = list(edges)
    return made


def _end(graph: NirGraph, edge: Edge, side: int, prefix: str, where: str) -> str:
    """The name of the node at the beginning or the end of an edge."""
    path, node = _named(graph, edge[side])
    while isinstance(node, NirGraph):
        name, node = _port(node, side, f"{where}: edge {edge!r:.200}")
        path = f"{path}/{name}"
    if node is None:
        near = nearest(edge[side], graph.nodes)
        hint = f"; did you mean {near!r}?" if near else ""
        message = (
            f"{where}: the edge from {edge[0]!r:.80} to {edge[1]!r:.80} names {edge[side]!r:.80}, "
            f"which is no node of the graph {prefix.rstrip('/') or 'of the file'!r}{hint}"
        )
        raise ReadError(message)
    return prefix + path


def _named(graph: NirGraph, name: str) -> tuple[str, NirNode | NirGraph | None]:
    """The node of this name; behind a dot may stand a port, or a node of the graph before it."""
    if name in graph.nodes:
        return name, graph.nodes[name]
    whole, _, part = name.rpartition(".")
    held = graph.nodes.get(whole)
    if isinstance(held, NirGraph):
        inner, node = _named(held, part)
        return f"{whole}/{inner}", node
    return whole, held if part in PORTS else None


def _port(graph: NirGraph, side: int, where: str) -> tuple[str, NirNode | NirGraph]:
    """The node of a graph that takes (side 1) or gives (side 0) what an edge of it carries."""
    kind = "Input" if side else "Output"
    found: list[tuple[str, NirNode | NirGraph]] = [
        (name, node)
        for name, node in graph.nodes.items()
        if isinstance(node, NirNode) and node.type == kind
    ]
    if not found:
        ends = {edge[side] for edge in graph.edges}
        found = [(name, node) for name, node in graph.nodes.items() if name not in ends]
    if len(found) != 1:
        names = ", ".join(repr(name) for name, _ in found) or "none"
        message = (
            f"{where} ends at a graph with {len(found)} {kind} nodes ({names:.200}); expected one, "
            "or an edge that names it: 'graph.node'"
        )
        raise ReadError(message)
    return found[0]
