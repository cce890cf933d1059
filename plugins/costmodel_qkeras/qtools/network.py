"""Networks as QTools sees them, once inputs and dropouts are cut out of the graph."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from costmodel.errors import UnknownNameError
from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.datatypes import (
    DEFAULT,
    Datatype,
    datatype,
    default_datatype,
    is_named,
)
from costmodel_qkeras.qtools.describing import Place, describe
from costmodel_qkeras.qtools.errors import QToolsError, WrongInputQuantizerError
from costmodel_qkeras.qtools.facts import Edge, Node, Settings, Shape
from costmodel_qkeras.qtools.records import Record
from costmodel_qkeras.quantizers import QuantizerError
from costmodel_qkeras.reading import read

_OUTSIDE: Final = ""
"""Where the data of a network comes from."""


@frozen
class NetworkRecord:
    """The records of a network in the order of its layers, and where it touches the outside."""

    sources: tuple[Datatype, ...]
    input_shapes: tuple[Shape, ...]
    records: Mapping[str, Record]
    first: frozenset[str]
    last: frozenset[str]

    def as_json(self) -> dict[str, Any]:
        """QTools' data type map (`QTools._output_dict`)."""
        entries = {name: record.as_json() for name, record in self.records.items()}
        return {"source_quantizers": [kind.as_json() for kind in self.sources]} | entries


def describe_network(
    nodes: Sequence[Node],
    settings: Settings,
    source_quantizers: object = None,
    *,
    inputs: Sequence[str] | None = None,
    fusions: Mapping[str, str] | None = None,
    failures: dict[str, str] | None = None,
) -> NetworkRecord:
    """The records of a network given in topological order.

    `inputs` names the inputs in the order of their quantizers, else they come as in `nodes`;
    `fusions` maps a layer to the batch normalisation that the hardware folds into it. Where
    there is no answer for a layer its name and the reason go into `failures`, if given.

    Raises:
        QToolsError: QTools has no answer here.
        UnknownNameError: a fusion names a layer that is not there.

    """
    named = inputs or [node.name for node in nodes if node.facts.kind == "InputLayer"]
    sources = source_datatypes(source_quantizers, len(named))
    graph = _Graph({node.name: node for node in nodes}, dict(zip(named, sources, strict=True)))
    for layer in itertools.chain.from_iterable((fusions or {}).items()):
        if layer not in graph.nodes:
            raise UnknownNameError(layer, graph.nodes, "layer in hw_weight_dict")
    describing = _Describing(graph, settings, fusions or {}, failures)
    for node in nodes:
        if node.facts.kind not in kinds.CUT_OUT:
            describing.add(node)
    shapes = tuple(graph.nodes[name].facts.output_shape for name in named)
    return NetworkRecord(
        sources, shapes, describing.records, frozenset(describing.first),
        frozenset(describing.outputs.keys() - describing.read),
    )  # fmt: skip


def source_datatypes(given: object, count: int) -> tuple[Datatype, ...]:
    """The datatypes of the network inputs from QTools' `source_quantizers`.

    A list or tuple has a quantizer for each input; a single one, such as the text "int8", is for
    all of them. Unlike in QTools, which takes "quantized_bits(4,0,1)" for the default and reads
    a text of as many characters as there are inputs character by character.

    Raises:
        WrongInputQuantizerError: a list that does not have one quantizer for each input.
        QuantizerError: one cannot be read.

    """
    if given is None:
        return (DEFAULT,) * count
    if not isinstance(given, list | tuple):
        return (_source(given),) * count
    if len(given) != count:
        message = (
            f"QTools raises WrongInputQuantizerError: {len(given)} source quantizers for {count} "
            "inputs; expected a list with one for each input, or a single one for all"
        )
        raise WrongInputQuantizerError(message)
    return tuple(_source(item) for item in given)


def _source(given: object) -> Datatype:
    try:
        return default_datatype(str(given)) if is_named(given) else datatype(read(given))
    except QuantizerError as error:
        message = f"a source quantizer is {given!r:.80}; {error}"
        raise QuantizerError(message) from None


@frozen
class _Graph:
    """What reaches a layer."""

    nodes: Mapping[str, Node]
    inputs: Mapping[str, Datatype]
    _places: Mapping[str, int] = field(init=False)

    @_places.default
    def _number(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.nodes)}

    def origin(self, name: str) -> str:
        """The layer that a name stands for, the outside for a network input."""
        node = self.nodes[name]
        if node.facts.kind == "InputLayer":
            return _OUTSIDE
        return self.origin(node.sources[0]) if node.facts.kind == "Dropout" else name

    def edges(self, node: Node, outputs: Mapping[str, Datatype]) -> dict[str, Edge]:
        """The tensors that reach a layer by origin; parallel edges collapse, cut ones come last."""
        found: dict[str, Edge] = {}
        sources = node.sources
        for name in sorted(sources, key=self._turn) if len(sources) > 1 else sources:
            origin = self.origin(name)
            # Behind a dropout the format of a network input is lost.
            kind = outputs[origin] if origin != _OUTSIDE else self.inputs.get(name, DEFAULT)
            found[origin] = Edge(kind, self.nodes[name].facts.output_shape)
        return found

    def _turn(self, name: str) -> tuple[int, int, int]:
        """The order of edges: direct ones as given, then dropouts, then inputs as in the model."""
        if self.nodes[name].facts.kind not in kinds.CUT_OUT:
            return 0, 0, 0
        if self.origin(name) != _OUTSIDE:
            return 1, self._places[name], 0
        return 2, self._places[self._input(name)], self._places[name]

    def _input(self, name: str) -> str:
        node = self.nodes[name]
        return name if node.facts.kind == "InputLayer" else self._input(node.sources[0])


@frozen
class _Describing:
    """Describing one network, layer after layer."""

    graph: _Graph
    settings: Settings
    fusions: Mapping[str, str]
    failures: dict[str, str] | None = None
    records: dict[str, Record] = field(factory=dict)
    outputs: dict[str, Datatype] = field(factory=dict)
    first: set[str] = field(factory=set)
    read: set[str] = field(factory=set)

    def add(self, node: Node) -> None:
        edges = self.graph.edges(node, self.outputs)
        self.read.update(edges)
        if _OUTSIDE in edges:
            self.first.add(node.name)
        place = self._place(node.name, is_first=_OUTSIDE in edges)
        try:
            record = describe(node.facts, tuple(edges.values()), self.settings, place)
        except QToolsError as error:
            if self.failures is None:
                message = f"layer {node.name!r} of kind {node.facts.kind!r}: {error}"
                raise type(error)(message) from None
            self.failures[node.name] = str(error)
            # What follows needs a datatype.
            self.outputs[node.name] = self.settings.result
        else:
            self.records[node.name] = record
            self.outputs[node.name] = record.output

    def _place(self, name: str, *, is_first: bool) -> Place:
        if not self.fusions:
            return _FIRST if is_first else _INNER
        folded = self.fusions.get(name)
        folds_in = self.graph.nodes[folded].facts if folded is not None else None
        return Place(is_first, folds_in, name in self.fusions.values())


_FIRST: Final = Place(is_first=True)
_INNER: Final = Place()
