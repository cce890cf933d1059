"""The reader of NIR files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from costmodel import safe_io
from costmodel.errors import CostModelError, ReadError, UnknownNameError
from costmodel.formats import parse_format
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.frontend.translation import SourceNode, TranslationTable
from costmodel.network.reader import Reader
from costmodel_nir import contents, shapes, wiring
from costmodel_nir.nodes import NIR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.formats import NumericFormat
    from costmodel.frontend.operations.work import Value
    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape
    from costmodel_nir.contents import Data, NirNode

MOST_ELEMENTS: Final = 2**40
"""Of one array or input; a file can declare more than any machine holds."""

BEFORE: Final = "previous"
"""The name, behind that of a node, of what it gave in the time step before."""


class NirReader(Reader):
    """Reads `.nir` files and live graphs of the package `nir`: one time step of the network."""

    name: ClassVar = "nir"
    reads: ClassVar = "a .nir file, a nir.NIRGraph"

    def accepts(self, source: object) -> bool:
        """A path that ends in .nir, or a node of the package `nir`."""
        if isinstance(source, str | Path):
            return safe_io.ending(source) == ".nir"
        return any(cls.__module__.partition(".")[0] == "nir" for cls in type(source).__mro__)

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a file or graph."""
        return self.read_at(source, rules, {})

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in a file or graph, for inputs of these shapes."""
        table = NIR.extended([one for one in rules.translations() if one.frontend == "nir"])
        given = Path(source) if isinstance(source, str) else source
        return network_of(graph_of(given, table, input_shapes))


def graph_of(
    source: object, table: TranslationTable = NIR, input_shapes: Mapping[str, Shape] | None = None
) -> Graph:
    """The graph of one time step of the network in a NIR file, given by its path, or live graph.

    What an edge carries from the time step before is an input `node/previous` of the step, and what
    that node gives is an output.

    Raises:
        ReadError: the file is damaged, or no network.
        UnknownNameError: a shape is given for what is not an input.

    """
    if isinstance(source, Path):
        held, where, name = contents.graph_in(source), str(source), source.stem
    else:
        held, where, name = contents.graph_of_object(source), type(source).__name__, "nir"
    found = wiring.wired(held, where)
    given = dict(input_shapes or {})
    return _Building(name, where, found, table, given).graph()


class _Building:
    """A graph in the making."""

    def __init__(
        self, name: str, where: str, wired: wiring.Wiring, table: TranslationTable,
        given: Mapping[str, Shape],
    ) -> None:  # fmt: skip
        self._where, self._wired, self._table, self._given = where, wired, table, given
        self._graph = Graph(name, "nir", notes=list(wired.notes))
        self._sources = wired.sources()
        self._order, self._delayed = wired.order()
        self._values: dict[str, Value] = {}
        self._before: dict[str, Value] = {}
        """By the name of the node, what it gave in the time step before."""

    def graph(self) -> Graph:
        self._check_names()
        read = {source for source, _ in self._wired.edges}
        graph = self._graph
        for name in self._order:
            self._values[name] = self._value(name, self._wired.nodes[name])
        graph.outputs += [self._values[name] for name in self._wired.nodes if name not in read]
        for name, before in self._before.items():
            self._close(name, before)
        if not graph.outputs:
            message = f"{self._where}: the graph has no node"
            raise ReadError(message)
        return graph

    def _check_names(self) -> None:
        """Check that shapes are given for inputs; those of a step before follow from others."""
        known = {_input_name(name, node) for name, node in self._wired.nodes.items()
                 if not self._sources[name]}  # fmt: skip
        known |= {f"{source}/{BEFORE}" for source, _ in self._delayed}
        for name in self._given:
            if name not in known:
                raise UnknownNameError(name, known, "input")

    def _value(self, name: str, node: NirNode) -> Value:
        where = f"{self._where}: node {name!r:.80} of {node.type}"
        arriving = self._arriving(name, node, where)
        if not arriving:
            arriving = [self._input(name, node, where)]
            if node.type == "Input":
                return arriving[0]
        source = SourceNode(
            self._graph, node.type, name, arriving, self._attributes(name, node, where),
            shapes=[self._declared(name, node, where)],
        )  # fmt: skip
        try:
            return self._table.translate(source)[0]
        except CostModelError as error:
            message = f"{self._where}: {error}"
            raise ReadError(message) from error

    # ------------------------------------------------------------------ what arrives

    def _arriving(self, name: str, node: NirNode, where: str) -> list[Value]:
        """What each edge brings, in their order."""
        sources = self._sources[name]
        now = [self._values[source] for source in sources if (source, name) not in self._delayed]
        if len(now) == len(sources):
            return now
        shape = shapes.shape_of(now[0]) if now else shapes.demanded(node, where)
        if shape is None:
            message = (
                f"{where} is in a cycle that no input reaches, and states no shape of its own; "
                "expected an edge from an Input node"
            )
            raise ReadError(message)
        late = [source for source in sources if (source, name) in self._delayed]
        return [*now, *[self._previous(source, shape) for source in late]]

    def _previous(self, name: str, shape: Sequence[int]) -> Value:
        if name not in self._before:
            self._before[name] = self._graph.input(f"{name}/{BEFORE}", (1, *shape))
        return self._before[name]

    def _close(self, name: str, before: Value) -> None:
        """Check what a node gives against what was read of the time step before, and keep it."""
        made = self._values[name]
        if made.size != before.size:
            message = (
                f"{self._where}: node {name!r:.80} gives {shapes.show(shapes.shape_of(made))}, but "
                f"the cycle that it closes reads {shapes.show(shapes.shape_of(before))}"
            )
            raise ReadError(message)
        if all(made is not value for value in self._graph.outputs):
            self._graph.outputs.append(made)

    def _input(self, name: str, node: NirNode, where: str) -> Value:
        """What arrives from outside: its shape is given, stated, or demanded by what reads it."""
        own = _input_name(name, node)
        shape = self._shape(name, own, node, where)
        if shape is None:
            message = (
                f"{where}: nothing states the shape of what it reads; give it: "
                f"input_shapes={{{own!r:.80}: (...)}}"
            )
            raise ReadError(message)
        if any(length < 1 for length in shape) or math.prod(shape) > MOST_ELEMENTS:
            message = (
                f"{where}: the shape {shapes.show(shape):.100}; expected lengths from 1, "
                f"and at most {MOST_ELEMENTS:,} elements"
            )
            raise ReadError(message)
        return self._graph.input(own, (1, *shape))

    def _wanted_of(self, name: str) -> Sequence[int] | None:
        """The shape in which what reads a node demands what it gives."""
        readers = [target for source, target in self._wired.edges if source == name]
        demands = (shapes.demanded(self._wired.nodes[one], self._where) for one in readers)
        return next((shape for shape in demands if shape is not None), None)

    def _shape(self, name: str, own: str, node: NirNode, where: str) -> Sequence[int] | None:
        if own in self._given:
            return [length or 0 for length in self._given[own]]
        stated = shapes.demanded(node, where)
        return self._wanted_of(name) if stated is None and node.type == "Input" else stated

    # ------------------------------------------------------------------ what a node has

    def _declared(self, name: str, node: NirNode, where: str) -> tuple[int, ...] | None:
        """The shape of the result of a node that no rule knows."""
        if node.type in self._table:
            return None
        data = next((node.data[key] for key in ("output_shape", "output_type", "shape")
                     if key in node.data), None)  # fmt: skip
        stated = None if data is None else shapes.lengths(shapes.setting(data, where))
        found = self._wanted_of(name) if stated is None else stated
        return None if found is None else (1, *found)

    def _attributes(self, name: str, node: NirNode, where: str) -> dict[str, Any]:
        """Settings as whole numbers or text, arrays as constants."""
        found: dict[str, Any] = {}
        for given, data in node.data.items():
            key = shapes.AGED.get(given, given)
            if key in shapes.SETTINGS or data.type == "text":
                found[key] = shapes.setting(data, f"{where}, {given!r:.80}")
            else:
                found[key] = self._constant(f"{name}.{key}", data, where)
        return found

    def _constant(self, name: str, data: Data, where: str) -> Value:
        if data.size < 1 or data.size > MOST_ELEMENTS:
            message = (
                f"{where}: {name!r:.80} has shape {shapes.show(data.shape):.100}; expected from 1 "
                f"to {MOST_ELEMENTS:,} elements"
            )
            raise ReadError(message)
        number = _format_of(data.type, f"{where}, {name!r:.80}")
        return self._graph.constant(name, data.shape, number, is_parameter=True)


def _input_name(name: str, node: NirNode) -> str:
    """The name of the input of a node that nothing feeds: its own if that is all it is."""
    return name if node.type == "Input" else f"input_{name}"


_KINDS: Final = {"f": "float", "i": "int", "u": "uint", "b": "uint"}


def _format_of(kind: str, where: str) -> NumericFormat | None:
    """The format of elements of a type that NumPy knows, none for single precision."""
    if kind[1:] == "f4":
        return None
    letter, size = kind[1:2], kind[2:]
    if letter not in _KINDS or not size.isdigit():
        message = f"{where} holds {kind!r:.40}; expected numbers"
        raise ReadError(message)
    try:
        return parse_format("uint1" if letter == "b" else f"{_KINDS[letter]}{8 * int(size)}")
    except CostModelError as error:
        message = f"{where} holds {kind!r:.40}: {error}"
        raise ReadError(message) from error
