"""Functions that a source writes in many steps, known again by what they compute.

A region is a set of nodes that computes one value from one other and from numbers. It is run on
random data, and replaced by one operation where it computes the same as that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.normalize.rewriting import Links, exchange, twin
from costmodel.frontend.operations.work import Value

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode
    from costmodel.frontend.normalize.known_functions import Found

MOST_NODES: Final = 160
"""Of one region."""
MOST_ROOTS: Final = 6
"""Values that one value is followed back to."""


def recognize(graph: Graph) -> None:
    """Replace the regions that compute a known function, the largest first."""
    links = Links.of(graph)
    origins = _origins(graph)
    gone: set[int] = set()
    changed: dict[int, Sequence[GraphNode]] = {}
    known: dict[object, Found | None] = {}
    for node in reversed(graph.nodes):
        if id(node) in gone or not _may_end(node):
            continue
        regions = origins.get(id(node.writes[0]), {}).values()
        for root, nodes in sorted(regions, key=lambda region: -len(region[1])):
            if not gone.isdisjoint(map(id, nodes)) or not _may_be_known(nodes):
                continue
            if not _is_closed(links, nodes, node):
                continue
            made = _known(root, nodes, known)
            if made:
                changed.update({id(one): () for one in nodes})
                gone.update(map(id, nodes))
                changed[id(node)] = made
                break
    if changed:
        exchange(graph, changed)


def _known(root: Value, nodes: _Nodes, known: dict[object, Found | None]) -> Sequence[GraphNode]:
    """The nodes that stand for a region, none where nobody knows what it computes.

    `known` holds what was found of regions before.
    """
    from costmodel.frontend.normalize import known_functions  # noqa: PLC0415  # brings NumPy

    last, result = nodes[-1], nodes[-1].writes[0]
    constants = known_functions.constants_of(nodes)
    key = _signature(root, nodes, constants)
    if key not in known:
        known[key] = known_functions.function_of(root, nodes, result)
    found = known[key]
    if found is None:
        return ()
    operation, settings, places = found
    held = [_along(constants[place].stored, root, settings["axes"]) for place in places]
    if any(value is None for value in held):
        return ()
    named = next((one for one in nodes if one.operation == "activation"), last)
    if settings.get("axes") and held:
        settings = {**settings, "weight_axes": sorted(settings["axes"])}
    if result.shape == root.shape:
        return (twin(named, operation, root, *held, writes=result, **settings),)
    whole = Value(f"{result.name}.whole", root.shape, result.format)
    made = twin(named, operation, root, *held, writes=whole, **settings)
    return made, twin(named, "reshape", whole, writes=result, shape=result.shape)


def _along(value: Value, root: Value, axes: Sequence[int]) -> Value | None:
    """A constant with the axes along which it is normalised alone, if it lies along these."""
    own = (*[1] * (root.rank - value.rank), *value.shape)
    wanted = tuple([root.shape[axis] for axis in sorted(axes)])
    along = tuple(root.shape[axis] if axis in axes else 1 for axis in range(root.rank))
    if own != along:
        return None
    if value.shape == wanted:
        return value
    return Value(
        value.name, wanted, value.format, None, is_constant=True, is_parameter=value.is_parameter
    )


# ------------------------------------------------------------------ regions


_REGION: Final = frozenset(
    {
        "elementwise", "activation", "reduce", "reshape", "expand", "transpose", "identity",
        "softmax", "copy",
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
        operands = [value for value in node.operands if value is not None]
        operands = [value for value in operands if not value.is_constant]
        if not operands:
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


def _signature(root: Value, nodes: _Nodes, constants: Sequence[Value]) -> object:
    """What equal regions share."""
    places: dict[int, object] = {id(root): "root"}
    for index, value in enumerate(constants):
        places[id(value)] = ("constant", index, value.stored.shape)
    for index, node in enumerate(nodes):
        places[id(node.writes[0])] = index
    steps = tuple(
        (
            node.operation,
            repr(sorted(node.settings.items())),
            tuple(
                places.get(id(value), ("number", value.scalar))
                for value in node.operands
                if value is not None
            ),
        )
        for node in nodes
    )
    is_pointwise = all(node.operation in {"elementwise", "activation"} for node in nodes)
    return steps, () if is_pointwise else root.shape
