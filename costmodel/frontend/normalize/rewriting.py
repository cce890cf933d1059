"""What the steps of the normalisation share: who makes and who reads a value, and exchanges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field

from costmodel.frontend.graph import Graph, GraphNode
from costmodel.frontend.operations import OPERATIONS

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value

Pass: TypeAlias = Callable[[Graph], None]
"""A step of the normalisation."""


@define(eq=False)
class Links:
    """Who makes and who reads each value of a graph, by the `id` of the value."""

    graph: Graph
    makers: dict[int, GraphNode] = field(factory=dict)
    readers: dict[int, list[GraphNode]] = field(factory=dict)
    kept: set[int] = field(factory=set)
    """The values that the graph gives, or that a graph within it reads."""

    @classmethod
    def of(cls, graph: Graph) -> Links:
        """Those of a graph as it is now."""
        found = cls(graph)
        found.kept = {id(value) for value in graph.outputs}
        for node in graph.nodes:
            for value in node.writes:
                found.makers[id(value)] = node
            for value in node.reads:
                found.readers.setdefault(id(value), []).append(node)
        return found

    def maker(self, value: Value) -> GraphNode | None:
        """The node that gives a value, if one does."""
        return self.makers.get(id(value))

    def only_reader(self, value: Value) -> GraphNode | None:
        """The one node that reads a value that nothing else needs."""
        readers = self.readers.get(id(value), [])
        return readers[0] if len(readers) == 1 and id(value) not in self.kept else None


def exchange(graph: Graph, old: Mapping[int, Sequence[GraphNode]]) -> None:
    """Put nodes in the place of others, by the `id` of these; none where one goes."""
    graph.nodes = [node for each in graph.nodes for node in old.get(id(each), (each,))]


def twin(
    node: GraphNode, operation: str, *reads: Value | None, writes: Value, **settings: Any
) -> GraphNode:
    """A node of another operation that gives a value that is there already.

    Raises:
        ShapeError: the values and settings do not fit together.

    """
    work = OPERATIONS[operation](*reads, **settings)
    return GraphNode(operation, settings, work, (writes,), node.source, node.kind, tuple(reads))


def remove_unused(graph: Graph) -> None:
    """Remove the nodes of which nobody reads a result."""
    needed = {id(value) for value in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(map(id, node.writes)):
            kept.append(node)
            needed.update(map(id, node.reads))
    graph.nodes = kept[::-1]
