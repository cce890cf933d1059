"""A view of a model unfolded to a network: a row for each call of a layer, by its rule."""

from __future__ import annotations

import functools
from collections import ChainMap
from enum import Enum, auto
from graphlib import CycleError
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from attrs import define, field

from costmodel import safe_io
from costmodel.errors import BatchError, ReadError, ShapeError, UnknownNameError
from costmodel.formats import FLOAT32
from costmodel.network.graph import (
    LAYER_LIMIT,
    Network,
    Port,
    bound_input,
    first_repeated,
    show_cycle,
    topological_order,
)
from costmodel.network.layer import DeclaredFormats, Input, Layer, Source, UnknownLayer, work_of
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.tensor.sizes import Symbol
from costmodel.workload.reasons import Unpriced
from costmodel_keras import graph
from costmodel_keras.arguments import (
    CALL,
    OPERAND_SHAPE,
    Arguments,
    Array,
    LayerInput,
    Value,
    masks_among,
    values_in,
)
from costmodel_keras.files.variables import ReadsVariables
from costmodel_keras.graph import is_function_of_live
from costmodel_keras.graph import with_outputs as _with_outputs
from costmodel_keras.keras2.functions import is_function
from costmodel_keras.layers.basic import Embedding
from costmodel_keras.layers.constants import Constant, FromShapes, Returned, Variables
from costmodel_keras.layers.merging import MERGING_KINDS
from costmodel_keras.layers.quantized import QUANTIZATION, STORED
from costmodel_keras.layers.recurrent import TracedCell
from costmodel_keras.layers.unsupported import UnsupportedError
from costmodel_keras.layers.wrappers import Wrapper
from costmodel_keras.tracing import calls as tracing
from costmodel_keras.tracing.calls import TracingError, is_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from costmodel.network.layer import LayerRegistry
    from costmodel_keras.graph import Call, Key, LayerView, ModelView
    from costmodel_keras.policies import Policy

CALL_LIMIT = 4 * LAYER_LIMIT
"""Calls of layers and models; that of an input or of a model adds no layer."""

QUANTIZED_KINDS: Final[Mapping[str, str]] = {
    "keras.Dense": "keras.QuantizedDense",
    "keras.EinsumDense": "keras.QuantizedEinsumDense",
    "keras.Embedding": "keras.QuantizedEmbedding",
    "keras.ReversibleEmbedding": "",
}
"""The layers that Keras itself can quantise, and the kinds of the rules for them."""

_NOT_IN_KERAS: Final = {("float8", "keras.QuantizedEmbedding")}
"""A mode of quantisation that Keras does not have for a layer, though a file may say so."""

_PLAIN: Final = (None, FLOAT32)
"""What a layer computes in that declares no format."""

_BEHIND_UNKNOWN = "the shape of its input is not known for one example"

_INPUTS = "inputs"
"""The parameter of the call of a model."""

_SHOWN = 40
"""Characters at the end of a path that say which layer it is."""


def read_view(
    view: LayerView, rules: LayerRegistry, input_shapes: Mapping[str, Shape] = MappingProxyType({})
) -> Network:
    """The network that a view of a whole model shows, for inputs of these shapes if given.

    Raises:
        ReadError: it has no graph and cannot be opened, or its parts do not fit together.

    """
    own = view.model()
    model = own or _opened(view, input_shapes)
    if not model.outputs:
        message = f"model {view.name!r} names no outputs; expected at least one"
        raise ReadError(message)
    assembly = _Assembly(rules, input_shapes, is_opened=own is None)
    assembly.note_weights("", view, model)
    outputs = assembly.add_model(model, "", None)
    assembly.hold_weights()
    assembly.declare_formats()
    left = tuple(port for port in outputs if isinstance(port, Port))
    again = functools.partial(read_view, view, rules) if assembly.depends_on_shapes else None
    rows = tuple(assembly.layers.values())
    network = Network(view.name, rows, assembly.edges, left, read_again=again)
    _check_names(network, input_shapes)
    return network


def _opened(view: LayerView, input_shapes: Mapping[str, Shape]) -> ModelView:
    """The graph of a model that has none of its own."""
    if not isinstance(view, graph.LiveView) or not tracing.can_trace(view.layer):
        message = (
            f"{view.name!r} is a {view.kind!r} without a graph of layers, as a subclassed model "
            "is saved; expected a Functional or Sequential model, or the live model in Keras 3"
        )
        raise ReadError(message)
    try:
        return tracing.opened_model(view.layer, input_shapes)
    except TracingError as error:
        message = f"{view.name!r} is a {view.kind!r} without a graph of layers: {error}"
        raise ReadError(message) from error


def _check_names(network: Network, input_shapes: Mapping[str, Shape]) -> None:
    inputs = {layer.name for layer in network.inputs}
    for name in input_shapes:
        if name not in inputs:
            raise UnknownNameError(name, inputs, "input")


class Gap(Enum):
    """What stands for a tensor whose shape for one example is not known."""

    NOT_RECORDED = auto()
    """The source does not say; what it recorded of the layers behind is of one example."""
    NOT_OF_ONE_EXAMPLE = auto()
    """The batch is folded or mixed in a way that nobody knows; so it is in all that is behind."""


class TooLargeError(ReadError):
    """The network has more layers than are read."""


class Unknown(Enum):
    """What stands for a value that does not follow from shapes."""

    VALUE = auto()


Values: TypeAlias = tuple[Value, ...]
"""What the outputs of a function are known to hold."""


class Translated(NamedTuple):
    """A call of a function in the words of the rules, and what still feeds it."""

    call: Call
    sources: tuple[Port, ...]


class Mark(NamedTuple):
    """How many layers, names and opened models there were at a time."""

    layers: int
    named: int
    opened: int


class Opened(NamedTuple):
    """A model, or a layer that was opened: where it stands, the live object, the graph in it."""

    path: str
    layer: Any
    model: ModelView


@define
class _Assembly:
    """A network in the making: its layers by name, and what feeds them."""

    rules: LayerRegistry
    input_shapes: Mapping[str, Shape] = field(factory=dict)
    layers: dict[str, Layer] = field(factory=dict)
    edges: dict[str, tuple[Port, ...]] = field(factory=dict)
    calls: dict[str, int] = field(factory=dict)
    named: list[str] = field(factory=list)
    """The paths of all rows in the order in which they were named."""
    first: dict[Hashable, str] = field(factory=dict)
    made: dict[Hashable, Layer] = field(factory=dict)
    views: dict[str, LayerView] = field(factory=dict)
    opened: list[Opened] = field(factory=list)
    readers: dict[str, tuple[int, ...]] = field(factory=dict)
    """The weights that functions of keras.ops read, by identity."""
    closed: dict[Hashable, str] = field(factory=dict)
    rulings: dict[Hashable, Ruling | None] = field(factory=dict)
    constant: set[str] = field(factory=set)
    """Rows that depend on no input of the network."""
    arrays: dict[str, Array] = field(factory=dict)
    """Rows whose result has no batch axis: the same array for all examples."""
    values: dict[Port, Value] = field(factory=dict)
    """What follows from the shapes of tensors alone."""
    mixed: set[str] = field(factory=set)
    """Layers of which no output, or its recorded shape, is that of one example."""
    steps: int = 0
    is_opened: bool = False
    """Whether some part of the network has the graph that a call of it left."""

    def add_model(
        self,
        model: ModelView,
        prefix: str,
        feeds: Sequence[Port] | None,
        given: Sequence[Shape] = (),
    ) -> tuple[Port | Gap, ...]:
        """Add all layers of a model, their names behind `prefix`; returns what leaves it.

        `feeds` replaces the inputs of a model that is called as a layer, and `given` are the
        shapes that the model around it recorded of its outputs.
        """
        ports: dict[Key, Port | Gap] = {}
        if feeds is not None:
            if len(feeds) != len(model.inputs):
                message = (
                    f"model {model.name!r} takes {len(model.inputs)} inputs, given {len(feeds)}"
                )
                raise ReadError(message)
            ports.update(zip(model.inputs, feeds, strict=True))
        # Shapes that a model recorded say nothing about a call of it with other ones.
        recorded = not self.input_shapes and (feeds is None or self._takes(model, feeds))
        ends = dict(zip(model.outputs, given, strict=False))
        self.steps += len(model.calls)
        if self.steps > CALL_LIMIT:
            message = f"the network unfolds to more than {CALL_LIMIT:,} calls"
            raise TooLargeError(message)
        calls = _ordered(model)
        _check_inputs(model)
        for call in calls:
            if (call.key, 0) not in ports:
                known = call if call.output_shapes else _with_outputs(call, ends)
                self._add_call(known, prefix, ports, recorded=recorded)
        return tuple(self._port(ports, key, model.name) for key in model.outputs)

    def _port(self, ports: Mapping[Key, Port | Gap], key: Key, reader: str) -> Port | Gap:
        """What a layer reads: a gap where nobody knows how many outputs the source has."""
        port = ports.get(key)
        if port is not None:
            return port
        first = ports.get((key[0], 0))
        if isinstance(first, Gap):
            return first
        if first is not None and isinstance(self.layers[first.layer], UnknownLayer):
            return Gap.NOT_RECORDED
        if first is not None and isinstance(self.views[first.layer], graph.FunctionView):
            return Gap.NOT_OF_ONE_EXAMPLE  # such as the statistics of a fused normalization
        message = f"{reader!r} reads output {key[1]} of {key[0]!r}, which is not there"
        raise ReadError(message)

    def _takes(self, model: ModelView, feeds: Sequence[Port]) -> bool:
        declared = {call.key: call.output_shapes for call in model.calls}
        shapes = [declared.get(key[0]) or (None,) for key in model.inputs]
        return all(
            shape is None or _agree(_seen(self._tensor(port)), shape)
            for (shape, *_), port in zip(shapes, feeds, strict=True)
        )

    def _add_call(
        self, call: Call, prefix: str, ports: dict[Key, Port | Gap], *, recorded: bool
    ) -> None:
        found = self._feeds(call, ports)
        path = prefix + call.layer.name
        sources = tuple([port for port in found if isinstance(port, Port)])
        if len(sources) < len(found):
            is_mixed = Gap.NOT_OF_ONE_EXAMPLE in found
            self._add_behind_unknown(call, path, ports, is_mixed=is_mixed)
        elif is_function(_each_step(call.layer).kind):
            self._add_function(call, path, sources, ports, recorded=recorded)
        else:
            self._add_fed(call, path, sources, ports, recorded=recorded)

    def _feeds(self, call: Call, ports: Mapping[Key, Port | Gap]) -> tuple[Port | Gap, ...]:
        try:
            return tuple([ports[key] for key in call.feeds])
        except KeyError:
            return tuple(self._port(ports, key, call.layer.name) for key in call.feeds)

    def _add_fed(
        self,
        call: Call,
        path: str,
        sources: tuple[Port, ...],
        ports: dict[Key, Port | Gap],
        *,
        recorded: bool,
    ) -> None:
        """Add a layer, or the layers of a model, of which all inputs are known."""
        view = call.layer
        inner, ruling = view.model(), None
        if view.kind == graph.TIME_DISTRIBUTED and inner is None:
            inner = graph.steps_of(view)
        if inner is None:
            ruling = self._ruling(view)
            call, sources = self._with_constants(call, sources)
            if ruling is not None and call.arrays and not sources:
                self._add_constants(call, path, ports)
                return
            if ruling is None:
                inner = self._open(call, sources)
        if inner is not None:
            left = self._add_inner(call, path, sources, inner, recorded=recorded)
            if left is not None:
                ports.update({(call.key, index): port for index, port in enumerate(left)})
                return
        layer = self._add_layer(call, path, sources, ruling, recorded=recorded)
        if len(layer.outputs) == 1:
            ports[call.key, 0] = Port(layer.name)
        else:
            self._open_ports(call, layer, ports)

    def _with_constants(
        self, call: Call, sources: tuple[Port, ...]
    ) -> tuple[Call, tuple[Port, ...]]:
        """The call with arrays for what has no batch axis, and the other sources."""
        arrays = {
            place: self.arrays[port.layer]
            for place, port in enumerate(sources)
            if port.layer in self.arrays
        }
        if not arrays:
            return call, sources
        left = [port for place, port in enumerate(sources) if place not in arrays]
        return call._replace(arrays=arrays), tuple(left)

    def _add_constants(self, call: Call, path: str, ports: dict[Key, Port | Gap]) -> None:
        """Rows for what a call gives that takes constants without a batch axis alone."""
        view: Any = call.layer
        for index, array in enumerate(tracing.results_of(call)):
            name = self._name(path)
            held = () if index else tracing.weights_of(view.layer).values()
            self.layers[name] = Constant(
                name, "keras.Constant", shares=self._shared(view, path, name), shape=array.shape,
                maker=view.kind, weights=tracing.described(held),
            )  # fmt: skip
            self.edges[name], self.views[name], self.arrays[name] = (), view, array
            ports[call.key, index] = Port(name)

    def _add_function(
        self,
        call: Call,
        path: str,
        sources: tuple[Port, ...],
        ports: dict[Key, Port | Gap],
        *,
        recorded: bool,
    ) -> None:
        """Add a function of TensorFlow, by a rule or as what it is known to give."""
        found = self._function(call, sources)
        if isinstance(found, Translated):
            self._add_fed(found.call, path, found.sources, ports, recorded=recorded)
        else:
            self._add_values(call, path, found, ports)

    def _function(self, call: Call, sources: tuple[Port, ...]) -> Translated | Values:
        """A function of TensorFlow in the words of the rules, or what it is known to give.

        Values that follow from shapes stand in it in place of the tensors that hold them.
        """
        from costmodel_keras.keras2 import function_calls  # noqa: PLC0415  # only networks of Keras 2 need it

        view, inside = _each_step(call.layer), isinstance(call.layer, graph.StepView)
        given = view.arguments(call)
        known = {place: self._known(port) for place, port in enumerate(sources)}
        known = {place: value for place, value in known.items() if value is not Unknown.VALUE}
        self.is_opened |= bool(known)
        left = tuple([port for place, port in enumerate(sources) if place not in known])
        inputs = [self._tensor(port) for port in left]
        if inside:
            inputs = [Tensor(tensor.shape[1:]) for tensor in inputs]
        found = function_calls.translated(view, given, known, inputs)
        if isinstance(found, tuple):
            self.is_opened = True
            return found
        if found.refusal:
            self.closed[found.identity] = found.refusal
        layer = graph.StepView(found) if inside else found
        return Translated(call._replace(layer=layer), left)

    def _known(self, port: Port) -> Value:
        """The value that follows from shapes, or the array, that a port stands for."""
        if port in self.values:
            return self.values[port]
        if port.layer not in self.constant:
            return Unknown.VALUE
        shape: Any = self._tensor(port).shape
        return Array(shape, "float32")

    def _add_values(
        self, call: Call, path: str, values: Values, ports: dict[Key, Port | Gap]
    ) -> None:
        """A row for what follows from shapes alone."""
        from costmodel_keras.keras2.known_values import shape_of_value  # noqa: PLC0415  # likewise

        name = self._name(path)
        shapes = [without_one(shape_of_value(value)) for value in values]
        self.layers[name] = FromShapes(
            name, "keras.FromShapes", shapes=tuple(shapes), maker=_each_step(call.layer).kind
        )
        self.edges[name], self.views[name] = (), call.layer
        self.constant.add(name)
        for place, value in enumerate(values):
            ports[call.key, place] = Port(name, place)
            self.values[Port(name, place)] = value

    @property
    def depends_on_shapes(self) -> bool:
        """Whether the network may have another graph for other shapes.

        It may where a layer was called to find what is in it, and where none knows what it gives.
        """
        return self.is_opened or any(
            isinstance(layer, UnknownLayer) for layer in self.layers.values()
        )

    def _add_inner(
        self,
        call: Call,
        path: str,
        sources: tuple[Port, ...],
        inner: ModelView,
        *,
        recorded: bool,
    ) -> tuple[Port | Gap, ...] | None:
        """Add what is in a model or an opened layer; returns what leaves it.

        None for an opened layer that contradicts itself or what was recorded of it: all that
        was added of it is taken back, and the reason is kept.
        """
        view, mark = call.layer, self._mark()
        try:
            self.note_weights(path, view, inner)
            fed = self._fed(call, path, sources, inner)
            left = self.add_model(inner, f"{path}/", fed, call.output_shapes or ())
            if recorded:
                self._check_left(left, call)
        except TooLargeError:
            raise
        except (BatchError, ReadError, ShapeError) as error:
            if view.model() is not None or not isinstance(view, graph.LiveView):
                raise
            self._take_back(mark)
            is_open = not all(self._tensor(port).is_bound for port in sources)
            described = "what it computes depends on a length that is open: " if is_open else ""
            self.closed[view.identity] = f"{described}{error}"
            return None
        if len(self.layers) == mark.layers and left:
            return self._add_returned(view, path, fed, left)
        return left

    def _check_left(self, left: Sequence[Port | Gap], call: Call) -> None:
        """Check what leaves an opened layer against what was recorded of it."""
        for port, shape in zip(left, call.output_shapes or (), strict=False):
            given = self._given(port) if isinstance(port, Port) else shape
            if not _agree(given, shape):
                message = f"its call gives {show_shape(given)}, but {show_shape(shape)} is recorded"
                raise ShapeError(message)

    def _given(self, port: Port) -> Shape:
        """The shape of what leaves a layer as Keras records it, without the first axis."""
        array = self.arrays.get(port.layer)
        return array.shape[1:] if array else _seen(self._tensor(port))

    def _mark(self) -> Mark:
        """How much was added until now."""
        return Mark(len(self.layers), len(self.named), len(self.opened))

    def _take_back(self, mark: Mark) -> None:
        """Take back all that was added since."""
        for name in list(self.layers)[mark.layers :]:
            for rows in (self.layers, self.edges, self.views, self.readers, self.arrays):
                rows.pop(name, None)
            self.mixed.discard(name)
            self.constant.discard(name)
        self.first = {key: name for key, name in self.first.items() if name in self.layers}
        for path in self.named[mark.named :]:
            self.calls[path] -= 1
        del self.named[mark.named :], self.opened[mark.opened :]

    def _ruling(self, view: LayerView) -> Ruling | None:
        """The rule for a layer, looked up once for each class."""
        try:
            return self.rulings[view.sort]
        except KeyError:
            cls = self.rules.find(view.kind, view.base_kinds)
            ruling = self.rulings[view.sort] = _ruling_by(cls) if cls else None  # type: ignore[arg-type]  # a class has a hash
            return ruling

    def _open_ports(self, call: Call, layer: Layer, ports: dict[Key, Port | Gap]) -> None:
        for index in range(len(layer.outputs)):
            ports[call.key, index] = Port(layer.name, index)
        if not layer.outputs:
            # A file does not record the shape of what leaves a network or a sequential model.
            is_mixed = layer.name in self.mixed or _has_folded(layer.inputs)
            gap = Gap.NOT_OF_ONE_EXAMPLE if is_mixed else Gap.NOT_RECORDED
            for index in range(max(len(call.output_shapes or ()), 1)):
                ports[call.key, index] = gap

    def _add_behind_unknown(
        self, call: Call, path: str, ports: dict[Key, Port | Gap], *, is_mixed: bool
    ) -> None:
        """Keep the place of a layer whose input comes from a layer of unknown output shape."""
        name, view = self._name(path), call.layer
        recorded = () if is_mixed else _recorded(call, ())
        if is_mixed:
            self.mixed.add(name)
        layer = UnknownLayer(
            name, view.kind, recorded=recorded, reason=_BEHIND_UNKNOWN,
            shares=self._shared(view, path, name), parameters_held=self._parameters_of(call),
        )  # fmt: skip
        self.layers[name] = layer
        self.edges[name] = ()
        self.views[name] = view
        self._open_ports(call, layer, ports)

    def _parameters_of(self, call: Call) -> int | None:
        """Parameters of a layer whose input is not known for one example.

        The source knows them, or they follow from what it recorded of the input, open or not.
        """
        view, shapes = call.layer, call.input_shapes
        if view.parameter_count is not None or not shapes or None in shapes:
            return view.parameter_count
        ruling = self._ruling(view)
        if ruling is None:
            return None
        inputs = tuple([Tensor(shape) for shape in shapes if shape is not None])
        try:
            return self._ruled(ruling, call, view.name, inputs, None).parameter_count
        except (BatchError, ReadError, ShapeError, UnsupportedError):
            return None

    def _name(self, path: str) -> str:
        """A name for one more call of the layer at `path`."""
        if len(self.layers) >= LAYER_LIMIT:
            message = f"the network unfolds to more than {LAYER_LIMIT:,} layers"
            raise TooLargeError(message)
        if len(path) > safe_io.NAME_LIMIT:
            safe_io.checked_name(path, f"layer {path[-_SHOWN:]!r}")
        count = self.calls[path] = self.calls.get(path, 0) + 1
        self.named.append(path)
        return path if count == 1 else f"{path}@{count}"

    def _add_layer(
        self,
        call: Call,
        path: str,
        sources: tuple[Port, ...],
        ruling: Ruling | None,
        *,
        recorded: bool,
    ) -> Layer:
        if call.layer.kind in MERGING_KINDS:
            sources = self._with_arrays(call, path, sources)
        name = self._name(path)
        layers = self.layers
        inputs = tuple([layers[port.layer].outputs[port.output] for port in sources])
        shares = self._shared(call.layer, path, name)
        layer = self._make(call, name, inputs, shares, ruling)
        if self.constant and sources and all(port.layer in self.constant for port in sources):
            layer = self._computed_once(layer)
        if name in self.input_shapes and isinstance(layer, Input):
            layer = bound_input(layer, self.input_shapes[name])
        if recorded and (reason := _contradiction(layer, call)):
            if isinstance(layer, Input):
                message = f"layer {name!r} of kind {layer.kind!r}: {reason}"
                raise ShapeError(message)
            layer = self._unknown(call, name, inputs, shares, reason)
        self.layers[name] = layer
        self.edges[name] = sources if layer.inputs else ()
        self.views[name] = call.layer
        if isinstance(call.layer, tracing.ConstantView) and call.layer.array:
            self.arrays[name] = call.layer.array
        if layer.parameters and is_operation(layer.kind):
            self.readers[name] = tracing.weights_read(call.node)
        return layer

    def _fed(
        self, call: Call, path: str, sources: tuple[Port, ...], model: ModelView
    ) -> tuple[Port, ...]:
        """What feeds the inputs of a model: Keras calls it with their masks, and with arrays."""
        if len(sources) > len(model.inputs):
            return _without_masks(call, sources)
        if len(sources) < len(model.inputs):
            return self._with_arrays(call, path, sources)
        return sources

    def _computed_once(self, layer: Layer) -> Layer:
        """The result of a layer that takes constants alone, where it is one."""
        if isinstance(layer, UnknownLayer | Constant) or len(layer.outputs) != 1:
            return layer
        self.constant.add(layer.name)
        return Constant(
            layer.name, "keras.Constant", shares=layer.shares, shape=layer.outputs[0].shape,
            maker=layer.kind,
            weights=tuple((name, tensor.shape) for name, tensor in layer.parameters.items()),
        )  # fmt: skip

    def _with_arrays(self, call: Call, path: str, sources: tuple[Port, ...]) -> tuple[Port, ...]:
        """What a layer takes: tensors, and arrays that are the same for every example."""
        arguments = call.arguments
        named = [value for name, value in arguments.named if name == _INPUTS]
        given = list(values_in((*arguments.positional, *named)))
        if not any(isinstance(one, Array) for one in given):
            return sources
        merged = []
        for one in given:
            if isinstance(one, LayerInput):
                merged.append(sources[one.index])
            elif isinstance(one, Array):
                shape = without_one(one.shape)
                name = self._name(f"{path}/array")
                self.constant.add(name)
                self.layers[name] = Constant(name, "keras.Constant", shape=shape, is_array=True)
                self.edges[name] = ()
                merged.append(Port(name))
        return tuple(merged)

    def _shared(self, view: LayerView, path: str, name: str) -> str | None:
        """The first row of the same layer, if it is not this one."""
        identity = view.identity
        first = self.first.setdefault(path if identity is None else identity, name)
        return None if first == name else first

    def _open(self, call: Call, sources: tuple[Port, ...]) -> ModelView | None:
        """The graph of a layer that no rule knows, if it can be had."""
        view = call.layer
        if not isinstance(view, graph.LiveView) or not tracing.can_trace(view.layer):
            return None
        tensors = [self._tensor(port) for port in sources]
        self.is_opened = True
        try:
            model = tracing.traced_call(view.layer, call, tensors)
        except TracingError as error:
            self.closed[view.identity] = str(error)
            return None
        return model

    def _add_returned(
        self,
        view: LayerView,
        path: str,
        sources: tuple[Port, ...],
        left: tuple[Port | Gap, ...],
    ) -> tuple[Port, ...]:
        """A row for a layer in which nothing is done: it returns some of its inputs."""
        name = self._name(path)
        inputs = tuple([self._tensor(port) for port in sources])
        returned = tuple([sources.index(port) for port in left if isinstance(port, Port)])
        self.layers[name] = Returned(
            name, "keras.Returned", inputs, returned=returned, maker=view.kind
        )
        self.edges[name] = sources
        return tuple([Port(name, index) for index in range(len(left))])

    def note_weights(self, path: str, view: LayerView, model: ModelView) -> None:
        """Remember a live model, or opened layer, which may hold weights beside its layers'."""
        if isinstance(view, graph.LiveView):
            self.opened.append(Opened(path, view.layer, model))

    def hold_weights(self) -> None:
        """Give every model and opened layer the weights that no layer in it holds.

        Functions of keras.ops that read a weight share it with the row that holds it.
        """
        rows = {
            name: layer
            for name, view in self.views.items()
            if _may_hold(self.layers[name]) and (layer := _live_layer(view)) is not None
        }
        known = {*map(id, rows.values()), *[id(each.layer) for each in self.opened]}
        beside = [(each.path, tracing.weights_beside(each.layer, known)) for each in self.opened]
        if not self.readers and not any(weights for _, weights in beside):
            return
        holders: dict[int, str] = {}
        for name, layer in rows.items():
            for weight in tracing.weights_of(layer):
                holders.setdefault(weight, name)
        for path, weights in reversed(beside):  # those within come after
            self._hold(path, weights, holders)
        for name, read in self.readers.items():
            # A variable that the model does not track is none of its parameters.
            tied = [holders[weight] for weight in read if weight in holders]
            holder = tied[0] if tied else self._add_weights("", ())
            self.layers[name] = self.layers[name].renamed(name, holder)

    def declare_formats(self) -> None:
        """Declare the formats in which layers compute, if some do not compute in float32.

        A network without any such layer leaves them open, for a scenario to choose.
        """
        policies = {name: view.policy for name, view in self.views.items()}
        if all(policy.computes in _PLAIN for policy in policies.values()):
            return
        known: dict[object, Layer] = {}
        for name, policy in policies.items():
            layer = self.layers[name]
            key = layer.structural_key, policy
            if key not in known:
                known[key] = _computing(layer, policy)
            self.layers[name] = known[key].renamed(name, layer.shares)

    def _hold(self, path: str, weights: Mapping[int, Any], holders: dict[int, str]) -> None:
        """A row for the weights of a model that no row holds yet."""
        own = {key: weight for key, weight in weights.items() if key not in holders}
        if own:
            name = self._add_weights(path, tracing.described(own.values()))
            holders.update(dict.fromkeys(own, name))

    def _add_weights(self, path: str, weights: tuple[tuple[str, Shape], ...]) -> str:
        name = self._name(f"{path}/weights".removeprefix("/"))
        self.layers[name] = Variables(name, "keras.Variable", weights=weights)
        self.edges[name] = ()
        return name

    def _tensor(self, port: Port) -> Tensor:
        return self.layers[port.layer].outputs[port.output]

    def _make(
        self,
        call: Call,
        name: str,
        inputs: tuple[Tensor, ...],
        shares: str | None,
        ruling: Ruling | None,
    ) -> Layer:
        view = call.layer
        if ruling is None:
            why = self.closed.get(view.identity)
            reason = self.rules.reason_unknown(view.kind)
            described = f"{reason}; {why}" if why else reason
            is_mixed = graph.may_mix(view)
            return self._unknown(call, name, inputs, shares, described, is_mixed=is_mixed)
        try:
            return self._ruled(ruling, call, name, inputs, shares)
        except UnsupportedError as error:
            is_mixed = error.mixes_examples
            return self._unknown(call, name, inputs, shares, error.reason, is_mixed=is_mixed)
        except BatchError as error:
            return self._unknown(call, name, inputs, shares, error.reason, is_mixed=True)
        except ShapeError as error:
            # Shapes in a file may be damaged, and those that are asked for may not fit; Keras
            # itself has called a live layer on what it takes.
            if self.input_shapes or not _is_live(view) or not call.output_shapes:
                raise
            return self._unknown(call, name, inputs, shares, str(error))
        except ReadError as error:
            # TensorFlow has run a live function with these settings.
            if not (is_function_of_live(view) and call.output_shapes):
                raise
            return self._unknown(call, name, inputs, shares, str(error))

    def _unknown(
        self,
        call: Call,
        name: str,
        inputs: tuple[Tensor, ...],
        shares: str | None,
        reason: str,
        *,
        is_mixed: bool = False,
    ) -> UnknownLayer:
        """The layer without a price, with the shapes that were recorded if they tell anything.

        What such a layer makes of a folded batch, or of examples that it mixes, they do not tell.
        """
        view = call.layer
        if is_mixed:
            self.mixed.add(name)
        is_lost = is_mixed or _has_folded(inputs)
        recorded = () if is_lost else _recorded(call, inputs) or _tried(call, inputs)
        return UnknownLayer(
            name, view.kind, inputs, shares=shares, recorded=recorded,
            parameters_held=view.parameter_count, reason=reason,
        )  # fmt: skip

    def _ruled(
        self,
        ruling: Ruling,
        call: Call,
        name: str,
        inputs: tuple[Tensor, ...],
        shares: str | None,
    ) -> Layer:
        view = call.layer
        asks = ruling.asks or isinstance(view, graph.StepView)
        call_of: dict[str, Any] = {CALL: call.arguments} if asks else {}
        if ruling.asks_operand_shape:
            call_of[OPERAND_SHAPE] = call.operand_shape
        if inputs and not ruling.holds:
            layer = self._alike(ruling, name, inputs, view, call_of, shares)
            return _as_kept(layer, view, self.rules)
        layer = make_layer(ruling.cls, name, inputs, view, self.rules, shares, call_of=call_of)
        if layer.outputs:
            return layer
        # Only the source knows what a wrapper gives whose inner layer has no rule.
        work = work_of(layer)
        if not isinstance(work, Unpriced):
            return layer
        return self._unknown(call, name, inputs, shares, work.reason)

    def _alike(
        self,
        ruling: Ruling,
        name: str,
        inputs: tuple[Tensor, ...],
        view: LayerView,
        call_of: Mapping[str, Any],
        shares: str | None,
    ) -> Layer:
        """The layer, or one made before under another name: deep networks repeat their blocks."""
        cls, plain = ruling.cls, view.plain_settings
        if call_of:
            plain = _with(call_of, plain)
        try:
            key = (view.sort, *map(id, inputs), ruling.chosen(plain))
            made = self.made.get(key)
        except (
            TypeError,
            KeyError,
        ):  # a setting is not a key, such as a list in a file, or not there
            return cls.from_settings(name, view.kind, inputs, _with(call_of, view.settings), shares)
        if made is not None:
            return made.renamed(name, shares)
        layer = cls.from_settings(name, view.kind, inputs, plain, shares)
        self.made[key] = layer
        return layer


def _each_step(view: LayerView) -> LayerView:
    """The layer itself, or the one that is applied to every step."""
    return view.held if isinstance(view, graph.StepView) else view


def _is_live(view: LayerView) -> bool:
    """Whether it is a live layer, or a function that a live network calls."""
    return isinstance(view, graph.LiveView) or is_function_of_live(view)


def without_one(whole: Sequence[int | None]) -> Shape:
    """The shape of a constant without the axis along which it is one for the whole batch."""
    first = next(iter(whole), None)
    has_batch = first == 1 or isinstance(first, Symbol)
    return tuple(whole[1:] if has_batch else whole)


class Ruling(NamedTuple):
    """The rule for all layers of one class of Keras."""

    cls: type[Layer]
    asks: bool
    """Whether it wants to know what the layer was called with."""
    asks_operand_shape: bool
    """Whether it wants to know the shape of its operand as the source has it."""
    holds: bool
    """Whether it is made of other layers."""
    chosen: Callable[[Mapping[str, Any]], object]
    """What picks the values of all its settings."""


@functools.cache
def _ruling_by(cls: type[Layer]) -> Ruling:
    names = [source for _, sources in cls.settings() for source in sources]
    chosen = itemgetter(*names) if names else _nothing
    return Ruling(cls, CALL in names, OPERAND_SHAPE in names, issubclass(cls, Wrapper), chosen)


def _may_hold(layer: Layer) -> bool:
    """Whether weights are counted in a row: where it has parameters, or may have.

    Variables that a rule reads state formats, and are no parameters.
    """
    return bool(layer.parameters) or isinstance(layer, UnknownLayer | ReadsVariables)


def _live_layer(view: LayerView) -> Any:
    """The live layer of a view, also of one that is applied to every step; None from a file."""
    shown: Any = view
    while isinstance(shown, graph.StepView):
        shown = shown.held
    return shown.layer if isinstance(shown, graph.LiveView) else None


def _nothing(settings: Mapping[str, Any]) -> None:
    """Of a layer without settings all instances are alike."""


def _recorded(call: Call, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
    """The shapes that the source recorded, unless they are open where no input can bind them."""
    shapes = call.output_shapes or ()
    is_open = any(None in shape for shape in shapes)
    return () if is_open and all(tensor.is_bound for tensor in inputs) else shapes


def _tried(call: Call, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
    """The shapes that Keras finds for inputs whose shapes are given, where the layer is live."""
    is_live = isinstance(call.layer, graph.LiveView) and hasattr(call.node, "input_tensors")
    if not is_live or not call.output_shapes:
        return ()
    try:
        return tracing.shapes_given(call, inputs)
    except TracingError:
        return ()


def _has_folded(tensors: Iterable[Tensor]) -> bool:
    return any(tensor.is_folded for tensor in tensors)


def _with(call_of: Mapping[str, Any], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return ChainMap(dict(call_of), settings) if call_of else settings  # type: ignore[arg-type]  # only read


def make_layer(
    cls: type[Layer],
    name: str,
    inputs: tuple[Tensor, ...],
    view: LayerView,
    rules: LayerRegistry,
    shares: str | None = None,
    *,
    call_of: Mapping[str, Any] = MappingProxyType({}),
) -> Layer:
    """The layer that a view shows, by its class; a wrapper gets the layers that it holds first.

    These are called with their inputs alone, but for a layer in the place of which a view stands.
    """
    if not issubclass(cls, Wrapper):
        return cls.from_settings(name, view.kind, inputs, _with(call_of, view.settings), shares)
    given = call_of.get(CALL) if isinstance(view, graph.StepView) else None
    makers = cls.makers(view, lambda held: functools.partial(_held, held, rules, given=given))
    known = {"held": cls.fitted(inputs, makers), **call_of}
    return cls.from_settings(name, view.kind, inputs, _with(known, view.settings), shares)


def _as_kept(layer: Layer, view: LayerView, rules: LayerRegistry) -> Layer:
    """The layer as Keras keeps its weights: quantised, and unpriced where no rule knows how."""
    how, mode = view.policy.quantization, view.policy.within
    if how is not None and view.kind in QUANTIZED_KINDS:
        kind, mode = QUANTIZED_KINDS[view.kind], how.mode
        cls = rules.find(kind, ())
        is_known = mode in STORED and (mode, kind) not in _NOT_IN_KERAS
        if cls is not None and is_known and getattr(layer, "lora_rank", None) is None:
            known = _with({QUANTIZATION: how}, view.settings)
            return cls.from_settings(layer.name, kind, layer.inputs, known, layer.shares)
    if mode is None:
        return layer
    return UnknownLayer(
        layer.name, layer.kind, layer.inputs, shares=layer.shares,
        recorded=() if _has_folded(layer.inputs) else tuple(t.shape for t in layer.outputs),
        parameters_held=view.parameter_count,
        reason=f"its weights are kept as {mode!r}: no rule says what that costs",
    )  # fmt: skip


def _computing(layer: Layer, policy: Policy) -> Layer:
    """The layer with the formats of its policy; what only selects rows takes indices."""
    number = policy.computes
    if number is None or isinstance(layer, Source | UnknownLayer):
        return layer
    takes = number if layer.parameters and not isinstance(layer, Embedding) else None
    return layer.declaring(DeclaredFormats(dict.fromkeys(layer.parameters, number), takes, number))


def _held(
    view: LayerView,
    rules: LayerRegistry,
    inputs: tuple[Tensor, ...],
    *,
    given: Arguments | None = None,
) -> Layer:
    """The layer that a view of a held layer shows, for what its holder gives it."""
    cls = rules.find(view.kind, view.base_kinds)
    if cls is not None and inputs:
        call_of = {CALL: given or Arguments.of_inputs(len(inputs))}
        made = make_layer(cls, view.name, inputs, view, rules, call_of=call_of)
        kept = _as_kept(made, view, rules)
        return kept if view.policy.computes in _PLAIN else _computing(kept, view.policy)
    reason = _BEHIND_UNKNOWN if cls else rules.reason_unknown(view.kind)
    if cls is None and inputs and isinstance(view, graph.LiveView):
        try:
            cell = _traced_cell(view, rules, inputs[0])
        except (BatchError, TracingError, ReadError, ShapeError) as error:
            reason = f"{reason}; {error}"
        else:
            if cell is not None:
                return cell
    return UnknownLayer(
        view.name, view.kind, inputs, reason=reason, parameters_held=view.parameter_count
    )


def _traced_cell(view: graph.LiveView, rules: LayerRegistry, step: Tensor) -> TracedCell | None:
    """A recurrent cell of the program with what one call of it does; None for any other layer."""
    states = tracing.state_shapes(view.layer)
    if states is None:
        return None
    model = tracing.opened_cell(view.layer, step, states)
    assembly = _Assembly(rules)
    assembly.note_weights("", view, model)
    left = assembly.add_model(model, "", None)
    assembly.hold_weights()
    entered = [name for name, layer in assembly.layers.items() if isinstance(layer, Input)]
    if any(layer.kind == tracing.RANDOM for layer in assembly.layers.values()):
        message = "its call draws random numbers; make them an input"
        raise TracingError(message)
    held = [name for name in assembly.layers if name not in entered]
    places = {name: place for place, name in enumerate([*entered, *held])}
    known = [port for port in left if isinstance(port, Port)]
    if len(known) < len(left) or len(left) != len(states) + 1:
        expected = f"expected an output and {len(states)} states"
        message = f"its call gives {len(known)} tensors that are known; {expected}"
        raise TracingError(message)
    sources = [assembly.edges[name] for name in held]
    return TracedCell(
        view.name, "keras.TracedCell", (step,), maker=view.kind, states=states,
        held=tuple([assembly.layers[name] for name in held]),
        feeds=tuple([
            tuple([(places[port.layer], port.output) for port in ports]) for ports in sources
        ]),
        results=tuple([(places[port.layer], port.output) for port in known]),
    )  # fmt: skip


def _ordered(model: ModelView) -> Sequence[Call]:
    """The calls of a model, each after those that feed it."""
    if _is_ordered(model.calls):
        return model.calls
    calls: dict[Hashable, Call] = {call.key: call for call in model.calls}
    if len(calls) < len(model.calls):
        twice: Any = first_repeated(call.key for call in model.calls)
        message = f"model {model.name!r} has more than one layer called {twice[0]!r}"
        raise ReadError(message)
    sources = {key: [feed[0] for feed in call.feeds] for key, call in calls.items()}
    for key, feeds in sources.items():
        for feed in feeds:
            if feed not in calls:
                message = f"layer {key[0]!r} reads from {feed!r}, which is not in the model"  # type: ignore[index]  # what reads has a key
                raise ReadError(message)
    try:
        return [calls[key] for key in topological_order(sources)]
    except CycleError as error:
        cycle = show_cycle([key[0] for key in error.args[1]])
        message = f"model {model.name!r} has a cycle: {cycle}; expected an acyclic graph"
        raise ReadError(message) from None


def _is_ordered(calls: Sequence[Call]) -> bool:
    done: set[Hashable] = set()
    for call in calls:
        for feed, _ in call.feeds:
            if feed not in done:
                return False
        done.add(call.key)
    return len(done) == len(calls)


def _check_inputs(model: ModelView) -> None:
    known = {call.key for call in model.calls}
    for key in model.inputs:
        if key[0] not in known:
            message = f"input {key[0]!r} of model {model.name!r} is not in the model"
            raise ReadError(message)


def _without_masks(call: Call, sources: tuple[Port, ...]) -> tuple[Port, ...]:
    masks = masks_among(call.arguments)
    return tuple([port for place, port in enumerate(sources) if place not in masks])


def _contradiction(layer: Layer, call: Call) -> str | None:
    """How the shapes that follow from the rules contradict those that were recorded."""
    shapes: tuple[Shape | None, ...] = call.output_shapes or ()
    tensors = layer.outputs
    if call.input_shapes:
        shapes = call.input_shapes + shapes
        tensors = layer.inputs[: len(call.input_shapes)] + tensors
    for tensor, shape in zip(tensors, shapes, strict=False):
        if shape != tensor.shape and shape is not None and not _agree(_seen(tensor), shape):
            given = show_shape(_seen(tensor))
            return f"its settings and sources give {given}, but {show_shape(shape)} is recorded"
    return None


def _seen(tensor: Tensor) -> Shape:
    """The shape behind the first axis, as Keras records it: the batch is open."""
    place = tensor.batch_axis
    return (*tensor.shape[1:place], None, *tensor.shape[place:]) if place else tensor.shape


def _agree(ruled: Shape, recorded: Shape) -> bool:
    return len(ruled) == len(recorded) and all(
        one is None or other is None or one == other
        for one, other in zip(ruled, recorded, strict=True)
    )
