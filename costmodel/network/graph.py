"""Networks: directed acyclic graphs of layers that hold no framework object."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from attrs import evolve, field, fields, frozen

from costmodel.errors import NetworkError, ReadError, ShapeError, UnknownNameError
from costmodel.frozen_dict import FrozenDict
from costmodel.network import serialization
from costmodel.network.blocks import meant
from costmodel.network.layer import Input, Layer, work_of
from costmodel.safe_io import checked_mapping
from costmodel.tensor.shapes import InputShapes, Shape, as_shape, show_shape
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Reason
from costmodel.workload.serialization import numeric_format

if TYPE_CHECKING:
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Tensor

SCHEMA: Final = "costmodel/network/2"
"""The name and version of the JSON form of a network."""

LAYER_LIMIT: Final = 50_000
"""Layers of a network from a file. Models that call models unfold fast: thirty to 2^30 layers."""

_SHOWN_NODES: Final = 10
"""Nodes of a cycle that a message names."""

_Node = TypeVar("_Node", bound=Hashable)
_T = TypeVar("_T")


class Port(NamedTuple):
    """One output of a layer."""

    layer: str
    output: int = 0


def _ports(
    edges: Mapping[str, Iterable[Port | tuple[str, int] | str]],
) -> Mapping[str, tuple[Port, ...]]:
    fed = {name: tuple(sources) for name, sources in edges.items() if sources}
    if not set(map(type, chain.from_iterable(fed.values()))) <= {Port}:
        fed = {name: tuple(map(_port, sources)) for name, sources in fed.items()}
    return FrozenDict(fed)  # type: ignore[arg-type]  # ports by now


def _port(source: Port | tuple[str, int] | str) -> Port:
    if isinstance(source, Port):
        return source
    return Port(source) if isinstance(source, str) else Port(*source)


def _layers(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    return tuple(layers)


def _outputs(ports: Iterable[Port | tuple[str, int] | str]) -> tuple[Port, ...]:
    return tuple(map(_port, ports))


def _notes(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


@frozen
class Network:
    """Layers in topological order, and for each the ports that feed its inputs.

    `outputs` are the ports that leave the network; unless given, those that feed no layer.

    Raises:
        NetworkError: no layers, a name twice, a source that is not there, a cycle, or an edge
            whose two ends disagree about the shape.

    """

    name: str
    layers: tuple[Layer, ...] = field(converter=_layers)
    edges: Mapping[str, tuple[Port, ...]] = field(factory=dict, converter=_ports)
    outputs: tuple[Port, ...] = field(default=(), converter=_outputs)
    read_again: Callable[[Mapping[str, Shape]], Network] | None = field(
        default=None, kw_only=True, eq=False, repr=False
    )
    """What reads its source for inputs of other shapes, where its graph depends on them.

    It is given the shape of every input. A network that is written or pickled loses it.
    """
    notes: tuple[str, ...] = field(default=(), converter=_notes, kw_only=True, eq=False, repr=False)
    """What its reader found worth saying of its source, such as shapes that contradict."""

    _by_name: Mapping[str, Layer] = field(init=False, eq=False, repr=False)
    _derived: dict[str, tuple[object, dict[object, Any]]] = field(
        init=False, eq=False, repr=False, factory=dict
    )
    """The last conditions, and what followed from the network under them."""

    def __getstate__(self) -> dict[str, Any]:
        """Everything but its source, and what follows from the rest under some conditions."""
        return {name: getattr(self, name) for name in _KEPT}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in {**state, **_fresh()}.items():
            object.__setattr__(self, name, value)

    def __attrs_post_init__(self) -> None:
        """Sort the layers and check that they make a network."""
        by_name = {layer.name: layer for layer in self.layers}
        object.__setattr__(self, "_by_name", FrozenDict(by_name))
        self._check_names()
        if not self._is_joined():
            ordered = tuple([by_name[name] for name in self._order()])
            object.__setattr__(self, "layers", ordered)
            self._check_edges()
        self._check_outputs()
        if not self.outputs:
            object.__setattr__(self, "outputs", self._ends())

    def layer(self, name: str) -> Layer:
        """The layer called `name`.

        Raises:
            UnknownNameError: there is none.

        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError(name, self._by_name, "layer") from None

    def sources(self, name: str) -> tuple[Port, ...]:
        """The ports that feed the layer called `name`."""
        return self.edges.get(name, ())

    def derived(self, conditions: object, what: object, make: Callable[[], _T]) -> _T:
        """A value that follows from the network under some conditions: `what` names it.

        It is made once; those of other conditions before are dropped.
        """
        kept = self._derived.get("last")
        if kept is None or kept[0] != conditions:
            # Other threads that are under way with other conditions keep their own values.
            kept = self._derived["last"] = conditions, {}
        _, values = kept
        if what not in values:
            values[what] = make()
        found: _T = values[what]
        return found

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The layers through which data enters."""
        return tuple(layer for layer in self.layers if isinstance(layer, Input))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference by the true count, over all layers with a rule."""
        return sum(operator.macs for layer in self.layers for operator in _operators(layer))

    @property
    def parameter_count(self) -> int:
        """Number of parameter elements, each shared one counted once."""
        return sum(layer.parameter_count for layer in self.layers if layer.shares is None)

    @property
    def is_bound(self) -> bool:
        """Whether no axis of any layer is open."""
        return all(layer.is_bound for layer in self.layers)

    def shapes_by_name(self, input_shapes: InputShapes) -> Mapping[str, Shape]:
        """The shapes by the names of inputs; a single one is that of the only input.

        A name that no input has may be that of a block around inputs: `cache` of `cache_keys_0`.

        Raises:
            ShapeError: a single shape, and not one input.

        """
        names = [layer.name for layer in self.inputs]
        if not isinstance(input_shapes, tuple):
            found: dict[str, Shape] = {}
            for name in sorted(input_shapes, key=len):  # the innermost block is the longest name
                found |= dict.fromkeys(meant(name, names) or (name,), input_shapes[name])
            return found
        if len(names) != 1:
            message = (
                f"input_shapes is {show_shape(input_shapes)}, one shape for the {len(names)} "
                f"inputs of network {self.name!r}: {', '.join(map(repr, names))}; "
                "expected a shape for each by its name"
            )
            raise ShapeError(message)
        return {names[0]: as_shape(input_shapes)}

    def bind(self, input_shapes: InputShapes) -> Network:
        """The same network for other input shapes, which every rule carries through.

        Where the graph itself depends on them, its source is read again.

        `input_shapes` are by the names of inputs, or of blocks around them; for one input a single
        shape is enough.

        Raises:
            UnknownNameError: a name that is not an input of this network.
            ShapeError: a shape that contradicts a declared axis, or that a layer cannot take.

        """
        input_shapes = self.shapes_by_name(input_shapes)
        inputs = {layer.name: layer for layer in self.inputs}
        for name in input_shapes:
            if name not in inputs:
                raise UnknownNameError(name, inputs, "input")
        if self.read_again is not None:
            shapes = {name: layer.shape for name, layer in inputs.items()} | dict(input_shapes)
            is_same = all(layer.shape == shapes[name] for name, layer in inputs.items())
            return self if is_same else self.read_again(shapes)
        bound: dict[str, Layer] = {}
        for layer in self.layers:
            feeds = tuple(
                bound[port.layer].outputs[port.output] for port in self.sources(layer.name)
            )
            if layer.name in input_shapes and isinstance(layer, Input):
                bound[layer.name] = bound_input(layer, input_shapes[layer.name])
            else:
                bound[layer.name] = layer.with_inputs(feeds)
        return evolve(self, layers=tuple(bound.values()))

    def to_dict(self) -> dict[str, Any]:
        """The network as plain values that JSON can hold; `from_dict` reads it back, equal.

        Raises:
            NetworkError: a layer holds a value that no file can.

        """
        return {
            "schema": SCHEMA,
            "name": self.name,
            "layers": [
                {**serialization.layer_values(layer), **self._fed(layer)} for layer in self.layers
            ],
            "outputs": [list(port) for port in self.outputs],
            **({"notes": list(self.notes)} if self.notes else {}),
        }

    def to_json(self) -> str:
        """The network as JSON, a line for each layer, in the form that `costmodel.read` takes."""
        values = self.to_dict()
        layers = ",\n".join(json.dumps(layer, allow_nan=False) for layer in values.pop("layers"))
        head = json.dumps(values, allow_nan=False).removesuffix("}")
        return f'{head}, "layers": [\n{layers}\n]}}\n'

    @classmethod
    def from_dict(cls, values: Any, rules: LayerRegistry) -> Network:
        """The network that `to_dict` wrote, each layer by its rule.

        Raises:
            ReadError: it is no such network.
            NetworkError: its layers do not make one.

        """
        try:
            return _from_dict(values, rules)
        except RecursionError:
            message = "the values are nested too deeply for a network"
            raise ReadError(message) from None

    def _fed(self, layer: Layer) -> dict[str, Any]:
        """The ports that feed a layer, with the formats that the sources do not give."""
        if not layer.inputs:
            return {}
        fed: list[list[Any]] = [list(port) for port in self.sources(layer.name)]
        for port, tensor in zip(fed, layer.inputs, strict=True):
            if tensor.format is not None:
                port.append(tensor.format.to_dict())
        return {"inputs": fed}

    def _check_names(self) -> None:
        if not self.layers:
            message = f"network {self.name!r} has no layers; expected at least one"
            raise NetworkError(message)
        if len(self._by_name) < len(self.layers):
            twice = first_repeated(layer.name for layer in self.layers)
            message = f"network {self.name!r} has more than one layer called {twice!r}"
            raise NetworkError(message)

    def _order(self) -> list[str]:
        graph: dict[str, tuple[str, ...]] = dict.fromkeys(self._by_name, ())
        for name, sources in self.edges.items():
            graph[name] = tuple([port.layer for port in sources])
        for name in chain(graph, chain.from_iterable(graph.values())):
            if name not in self._by_name:
                self.layer(name)
        try:
            return topological_order(graph)
        except CycleError as error:
            cycle = show_cycle(error.args[1])
            message = f"network {self.name!r} has a cycle: {cycle}; expected an acyclic graph"
            raise NetworkError(message) from None

    def _check_outputs(self) -> None:
        for port in self.outputs:
            if port.layer not in self._by_name:
                message = f"network {self.name!r} gives an output of {port.layer!r}, no such layer"
                raise NetworkError(message)
            if not 0 <= port.output < len(self.layer(port.layer).outputs):
                message = (
                    f"network {self.name!r} gives output {port.output} of {port.layer!r}, "
                    f"which has {len(self.layer(port.layer).outputs)}"
                )
                raise NetworkError(message)

    def _ends(self) -> tuple[Port, ...]:
        fed = {port for sources in self.edges.values() for port in sources}
        ports = (Port(layer.name, i) for layer in self.layers for i in range(len(layer.outputs)))
        return tuple(port for port in ports if port not in fed)

    def _is_joined(self) -> bool:
        """Whether each layer takes the tensors that layers before it give.

        It does where a reader made the network; the checks tell what is wrong elsewhere.
        """
        edges = self.edges
        given: dict[tuple[str, int], Tensor] = {}
        count = 0
        try:
            for layer in self.layers:
                name = layer.name
                sources = edges.get(name)
                if sources:
                    count += 1
                    if tuple([given[source] for source in sources]) != layer.inputs:
                        return False
                elif layer.inputs:
                    return False
                for index, tensor in enumerate(layer.outputs):
                    given[name, index] = tensor
        except KeyError:
            return False
        return count == len(edges)

    def _check_edges(self) -> None:
        for layer in self.layers:
            sources = self.edges.get(layer.name, ())
            if len(sources) != len(layer.inputs):
                taken, given = len(layer.inputs), len(sources)
                message = (
                    f"layer {layer.name!r} takes {taken} input{'s' if taken != 1 else ''}, "
                    f"but {given} edge{'s lead' if given != 1 else ' leads'} to it"
                )
                raise NetworkError(message)
            for port, tensor in zip(sources, layer.inputs, strict=True):
                self._check_edge(port, layer.name, tensor)

    def _check_edge(self, port: Port, to: str, tensor: Tensor) -> None:
        outputs = self._by_name[port.layer].outputs
        if not 0 <= port.output < len(outputs):
            message = (
                f"layer {to!r} reads output {port.output} of {port.layer!r}, "
                f"which has {len(outputs)}"
            )
            raise NetworkError(message)
        given = outputs[port.output]
        if evolve(given, format=tensor.format) != tensor:
            message = (
                f"layer {port.layer!r} gives {_shown(given)}, "
                f"but {to!r} is declared to take {_shown(tensor)}"
            )
            raise ShapeError(message)


def _fresh() -> dict[str, Any]:
    """What a network that is unpickled begins with."""
    return {"_derived": {}, "read_again": None}


_KEPT: Final = tuple([item.name for item in fields(Network) if item.name not in _fresh()])


def _shown(tensor: Tensor) -> str:
    """The shape of a tensor, with the place of the batch and its rows where they matter."""
    if not tensor.is_folded:
        return show_shape(tensor.shape)
    rows = "?" if tensor.rows is None else tensor.rows
    return (
        f"{show_shape(tensor.shape)} ({rows} rows for each example, batch axis {tensor.batch_axis})"
    )


def _from_dict(values: Any, rules: LayerRegistry) -> Network:
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        found = values.get("schema") if isinstance(values, dict) else values
        message = f"expected a network of the schema {SCHEMA!r}, found {found!r:.80}"
        raise ReadError(message)
    checked_mapping(values, {"schema", "name", "layers", "outputs", "notes"}, "network")
    name, entries = values.get("name"), values.get("layers")
    if not isinstance(name, str) or not isinstance(entries, list):
        message = f"network {name!r:.80}: expected a text as name and a list of layers"
        raise ReadError(message)
    if len(entries) > LAYER_LIMIT:
        message = f"network {name!r:.80}: more than {LAYER_LIMIT:,} layers"
        raise ReadError(message)
    layers: dict[str, Layer] = {}
    edges: dict[str, tuple[Port, ...]] = {}
    for index, entry in enumerate(entries):
        where = f"layer {index}"
        fed = _listed(entry.get("inputs", []) if isinstance(entry, dict) else [], where)
        ports = tuple([_read_port(item[:2], where) for item in fed])
        inputs = tuple(
            [_arriving(layers, port, item, where) for port, item in zip(ports, fed, strict=True)]
        )
        layer = serialization.layer_from_values(entry, inputs, rules, where)
        if layer.name in layers:
            message = f"{where}: more than one layer is called {layer.name!r}"
            raise ReadError(message)
        layers[layer.name] = layer
        edges[layer.name] = ports
    left = _listed(values.get("outputs", []), "outputs")
    outputs = [_read_port(item, "outputs") for item in left]
    notes = values.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(one, str) for one in notes):
        message = f"network {name!r:.80}: expected a list of texts as notes, found {notes!r:.80}"
        raise ReadError(message)
    return Network(name, tuple(layers.values()), edges, tuple(outputs), notes=notes)


def _listed(value: Any, where: str) -> list[list[Any]]:
    if not isinstance(value, list) or not all(isinstance(item, list) for item in value):
        message = f"{where}: expected a list of [layer, output], found {value!r:.80}"
        raise ReadError(message)
    return value


def _read_port(item: list[Any], where: str) -> Port:
    match item:
        case [str(layer), int(output)] if not isinstance(output, bool):
            return Port(layer, output)
    message = f"{where}: expected [layer, output], found {item!r:.80}"
    raise ReadError(message)


def _arriving(layers: Mapping[str, Layer], port: Port, item: list[Any], where: str) -> Tensor:
    """The tensor at a port of an earlier layer, in the format that is declared with it."""
    source = layers.get(port.layer)
    if source is None or not 0 <= port.output < len(source.outputs):
        message = (
            f"{where}: reads output {port.output} of {port.layer!r}, which no layer before it gives"
        )
        raise ReadError(message)
    given = source.outputs[port.output]
    if len(item) == len(port):
        return given
    return evolve(given, format=numeric_format(item[-1], where))


def first_repeated(items: Iterable[_Node]) -> _Node | None:
    """The first that comes a second time."""
    seen: set[_Node] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def show_cycle(path: Sequence[object]) -> str:
    """Write the nodes of a cycle, of a long one the first few."""
    shown = [*path[:_SHOWN_NODES], "..."] if len(path) > _SHOWN_NODES else path
    return " -> ".join(map(str, shown))


def topological_order(graph: Mapping[_Node, Iterable[_Node]]) -> list[_Node]:
    """The nodes so that each comes after its sources, otherwise in the order given.

    Raises:
        graphlib.CycleError: the graph has a cycle; its second argument is the path.

    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    rank = {node: index for index, node in enumerate(graph)}
    ready: list[int] = []
    nodes, order = list(graph), []
    while sorter.is_active():
        for node in sorter.get_ready():
            heapq.heappush(ready, rank[node])
        order.append(nodes[heapq.heappop(ready)])
        sorter.done(order[-1])
    return order


def _operators(layer: Layer) -> Iterable[Operator]:
    work = work_of(layer)
    return () if isinstance(work, Reason) else work


def bound_input(layer: Input, shape: Shape) -> Layer:
    """The input with its open axes bound.

    Raises:
        ShapeError: the shape contradicts a declared axis.

    """
    declared = layer.shape
    agree = len(declared) == len(shape) and all(
        before is None or before == after for before, after in zip(declared, shape, strict=False)
    )
    if not agree:
        message = (
            f"input {layer.name!r} is declared as {show_shape(declared)}; "
            f"{show_shape(tuple(shape))} does not fit it"
        )
        raise ShapeError(message)
    return evolve(layer, shape=shape)
