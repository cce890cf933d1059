"""Functions that a source writes in many steps, known again by what they compute.

A region is a set of nodes that computes one value from one other and from numbers. It is run on
random data, and replaced by one operation where it computes the same as that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend.normalize.rewriting import Links, exchange, twin
from costmodel.frontend.operations.work import Value

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode

MOST_NODES: Final = 160
"""Of one region."""
MOST_ROOTS: Final = 6
"""Values that one value is followed back to."""


def recognize(graph: Graph) -> None:
    """Replace the regions that compute a known function, the largest first."""
    links = Links.of(graph)
    origins = _origins(graph)
    gone: set[int] = set()
    changed: dict[int, GraphNode | None] = {}
    known: dict[object, tuple[str, Mapping[str, Any]] | None] = {}
    for node in reversed(graph.nodes):
        if id(node) in gone or not _may_end(node):
            continue
        regions = origins.get(id(node.writes[0]), {})
        for _, (root, nodes) in sorted(regions.items(), key=lambda item: -len(item[1][1])):
            if not gone.isdisjoint(map(id, nodes)) or not _may_be_known(nodes):
                continue
            if not _is_closed(links, nodes, node):
                continue
            key = _signature(root, nodes)
            if key not in known:
                from costmodel.frontend.normalize import known_functions  # noqa: PLC0415  # brings NumPy

                known[key] = known_functions.function_of(root, nodes, node.writes[0])
            found = known[key]
            if found is None:
                continue
            operation, settings = found
            changed.update({id(one): None for one in nodes})
            gone.update(map(id, nodes))
            last: GraphNode = node
            constants: list[Value] = []
            if operation == "normalize":
                last, constants = _scaled(links, node, settings["axes"])
                between = _between(links, node, last)
                changed.update({id(one): None for one in between})
                gone.update(map(id, between))
            named = next((one for one in nodes if one.operation == "activation"), node)
            made = twin(named, operation, root, *constants, writes=last.writes[0], **settings)
            changed[id(last)] = made
            break
    if changed:
        exchange(graph, changed)


# ------------------------------------------------------------------ regions


_REGION: Final = frozenset(
    {
        "elementwise", "activation", "reduce", "reshape", "expand", "identity", "softmax", "copy",
    }
)  # fmt: skip
"""The operations that a region may hold."""
_Nodes = tuple["GraphNode", ...]
_Origins = dict[int, tuple[Value, _Nodes]]


def _origins(graph: Graph) -> dict[int, _Origins]:
    """For each value, the values that it is a function of, and the nodes between, in order."""
    place = {id(node): index for index, node in enumerate(graph.nodes)}
    found: dict[int, _Origins] = {}
    for node in graph.nodes:
        if node.operation not in _REGION or len(node.writes) != 1:
            continue
        operands = [value for value in node.operands if value is not None and not _is_number(value)]
        if not operands or any(value.is_constant for value in operands):
            continue
        common: _Origins | None = None
        for value in operands:
            own: _Origins = {id(value): (value, ()), **found.get(id(value), {})}
            if common is None:
                common = own
            else:
                common = {
                    key: (root, _together(nodes, own[key][1], place))
                    for key, (root, nodes) in common.items()
                    if key in own
                }
        held = {
            key: (root, (*nodes, node))
            for key, (root, nodes) in (common or {}).items()
            if len(nodes) < MOST_NODES
        }
        nearest = sorted(held.items(), key=lambda item: len(item[1][1]))
        found[id(node.writes[0])] = dict([*nearest[: MOST_ROOTS - 1], *nearest[-1:]])
    return found


def _together(one: _Nodes, other: _Nodes, place: Mapping[int, int]) -> _Nodes:
    merged = {id(node): node for node in (*one, *other)}
    return tuple(sorted(merged.values(), key=lambda node: place[id(node)]))


def _is_number(value: Value) -> bool:
    return value.scalar is not None and not value.is_parameter


def _may_end(node: GraphNode) -> bool:
    return node.operation in {"elementwise", "activation"}


def _may_be_known(nodes: _Nodes) -> bool:
    """Whether a region has several steps, and one of them is not linear."""
    if len(nodes) < len(("step", "step")):
        return False
    functions = {str(node.settings.get("function", "")) for node in nodes}
    return bool(functions - {"add", "subtract", "multiply", "relu", "leaky_relu", "copy"}) or (
        len(nodes) > len(("x", "x2", "x3", "x4"))
    )


def _is_closed(links: Links, nodes: _Nodes, last: GraphNode) -> bool:
    """Whether nothing outside reads what stands within."""
    inside = set(map(id, nodes))
    for node in nodes:
        if node is last:
            continue
        for value in node.writes:
            readers = links.readers.get(id(value), [])
            if id(value) in links.kept or not inside.issuperset(map(id, readers)):
                return False
    return True


def _signature(root: Value, nodes: _Nodes) -> object:
    """What equal regions share."""
    places = {id(root): -1}
    for index, node in enumerate(nodes):
        places[id(node.writes[0])] = index
    steps = tuple(
        (
            node.operation,
            repr(sorted(node.settings.items())),
            tuple(
                places.get(id(value), value.scalar if value is not None else None)
                for value in node.operands
            ),
        )
        for node in nodes
    )
    is_pointwise = all(node.operation in {"elementwise", "activation", "copy"} for node in nodes)
    return steps, () if is_pointwise else root.shape


# ------------------------------------------------------------------ constants after a normalisation


def _scaled(links: Links, node: GraphNode, axes: Sequence[int]) -> tuple[GraphNode, list[Value]]:
    """The last of a scale and shift by constants along the axes, and these constants."""
    last, constants = node, []
    for function in ("multiply", "add"):
        reader = links.only_reader(last.writes[0])
        if reader is None or reader.operation != "elementwise":
            continue
        held = [value for value in reader.reads if value.is_constant]
        if reader.settings.get("function") != function or len(held) != 1:
            continue
        shape = _without_ones(held[0].shape)
        rank = last.writes[0].rank
        wanted = tuple([last.writes[0].shape[axis] for axis in sorted(axes)])
        if shape != wanted or sorted(axes) != list(range(rank - len(axes), rank)):
            continue
        value = held[0]
        if value.shape != shape:
            value = Value(value.name, shape, value.format, None, is_constant=True,
                          is_parameter=value.is_parameter)  # fmt: skip
        constants.append(value)
        last = reader
    return last, constants


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    lengths = list(shape)
    while lengths and lengths[0] == 1:
        lengths.pop(0)
    return tuple(lengths)


def _between(links: Links, first: GraphNode, last: GraphNode) -> list[GraphNode]:
    """The nodes from the first to the last, each of which alone reads the one before."""
    nodes = [first]
    while nodes[-1] is not last:
        reader = links.only_reader(nodes[-1].writes[0])
        if reader is None:
            break
        nodes.append(reader)
    return nodes
