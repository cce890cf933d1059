"""What a NIR file holds: nodes with their data sets, and graphs of nodes and edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from costmodel.errors import ReadError
from costmodel.frontend.hdf5 import reading
from costmodel.safe_io import SIZE_LIMIT, check_regular, checked_name, opening

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Members: TypeAlias = "Mapping[str, Any]"
"""The members of a group, as `costmodel.frontend.hdf5.reading.tree` gives them."""

MOST_VALUES: Final = 16
"""Numbers of an array that are looked at; of others the shape and the type are enough."""
_GROUP: Final = "members"
_PAIR: Final = 2
_NOT_GRAPH: Final = (
    "expected a graph as nir.write stores it: a group 'node' with 'type', 'nodes' and 'edges'"
)


@frozen
class Data:
    """A data set: its shape, its type as NumPy writes it or `text`, and values if it is small."""

    shape: tuple[int, ...]
    type: str
    values: Sequence[Any] | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count


@frozen
class NirNode:
    """A node: its type, such as `LIF`, and its data sets by name."""

    type: str
    data: Mapping[str, Data]


@frozen
class NirGraph:
    """A graph: nodes and graphs by name, and edges from one to another by their names."""

    nodes: Mapping[str, NirNode | NirGraph]
    edges: Sequence[tuple[str, str]]


def graph_in(path: Path) -> NirGraph:
    """The graph in a NIR file; a file of one node is a graph of that node.

    Raises:
        ReadError: the file is damaged, too large, or holds no graph.

    """
    where = str(path)
    with opening(path):
        check_regular(path)
        if path.is_dir():
            message = f"{where}: a folder; expected a .nir file"
            raise ReadError(message)
        members = reading.tree(path, SIZE_LIMIT)
    return _of_members(members, where)


def graph_of_object(source: Any) -> NirGraph:
    """The graph in a `NIRGraph` or another node of the package `nir`.

    Raises:
        ReadError: it is not as NIR demands.

    """
    import numpy as np  # noqa: PLC0415  # there where NIR is

    def member(name: str, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping):
            held = {str(key): member(str(key), one)
                    for key, one in value.items() if one is not None}  # fmt: skip
            return {_GROUP: held}
        array = np.asarray(value)
        is_text = array.dtype.kind in "UST"
        described = {"shape": list(array.shape), "type": "text" if is_text else array.dtype.str}
        if is_text or array.size <= MOST_VALUES or name == "edges":
            described["values"] = array.reshape(-1).tolist()
        return described

    return _of_members({"node": member("node", source.to_dict())}, type(source).__name__)


def _of_members(members: Members, where: str) -> NirGraph:
    # Until release 0.0.5 the nodes stood in the root group.
    root = _group(members["node"], f"{where}: 'node'") if "node" in members else members
    if "nodes" not in root and "type" not in root:
        message = f"{where}: holds no network of NIR; {_NOT_GRAPH}"
        raise ReadError(message)
    found = _member(root, where, "")
    return found if isinstance(found, NirGraph) else NirGraph({found.type: found}, ())


def _member(members: Members, where: str, name: str) -> NirNode | NirGraph:
    place = f"{where}: node {name!r:.80}" if name else where
    if "nodes" in members:
        return _graph(members, where, name)
    if "type" not in members:
        message = f"{place} has no 'type'; {_NOT_GRAPH}"
        raise ReadError(message)
    kind = _data(members["type"], f"{place}, 'type'")
    if kind.type != "text" or not kind.values:
        message = f"{place}: 'type' is no text; expected one such as 'LIF'"
        raise ReadError(message)
    data = {
        key: _data(held, f"{place}, {key!r:.80}")
        for key, held in members.items()
        if key not in {"type", "metadata"} and _GROUP not in held
    }
    return NirNode(checked_name(str(kind.values[0]), place), data)


def _graph(members: Members, where: str, name: str) -> NirGraph:
    place = f"{where}: graph {name!r:.80}" if name else where
    nodes = {
        checked_name(key, place): _member(
            _group(held, f"{place}: node {key!r:.80}"), where, f"{name}/{key}" if name else key
        )
        for key, held in _group(members["nodes"], f"{place}: 'nodes'").items()
    }
    if "edges" not in members:
        return NirGraph(nodes, ())
    edges = _data(members["edges"], f"{place}: 'edges'")
    if edges.size == 0:
        return NirGraph(nodes, ())
    if edges.values is None or edges.shape[1:] != (_PAIR,):
        message = (
            f"{place}: 'edges' has shape {edges.shape} and type {edges.type!r}; expected a pair of "
            "names for each edge"
        )
        raise ReadError(message)
    names = [str(value) for value in edges.values]  # release 0.0.1 wrote numbers
    return NirGraph(nodes, list(zip(names[::2], names[1::2], strict=True)))


def _group(held: Mapping[str, Any], where: str) -> Members:
    if _GROUP not in held:
        message = f"{where} is a data set; expected a group"
        raise ReadError(message)
    members: Members = held[_GROUP]
    return members


def _data(held: Mapping[str, Any], where: str) -> Data:
    if _GROUP in held:
        message = f"{where} is a group; expected a data set"
        raise ReadError(message)
    return Data(tuple(held["shape"]), held["type"], held.get("values"))
