"""The graph of a Keras network, from a live model or a configuration, in one form."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from costmodel.errors import ReadError
from costmodel.network.graph import LAYER_LIMIT, first_repeated
from costmodel.safe_io import checked_name
from costmodel.tensor.shapes import Shape, as_shape
from costmodel_keras.arguments import (
    ARRAYS,
    Arguments,
    Array,
    live_arguments,
    recorded_arguments,
    with_arrays,
)
from costmodel_keras.policies import NO_POLICY, Policy, live_policy, recorded_policy

OWN_PACKAGE: Final = "custom"
"""The package that stands in the kind of a class that was defined in a program itself."""

_EXPORTED_AS: Final = {"GroupedQueryAttention": "GroupQueryAttention"}
"""Classes of Keras that are public, and saved, under another name than their own."""

_PACKAGES: Final = {
    "__main__": OWN_PACKAGE,  # Keras saves such a class without a module
    "tf_keras": "keras",  # the last Keras 2
}
"""What stands in a kind for a package, where it is not its own name."""

MOST_HOLDERS: Final = 20
"""Layers around one layer that each hold the next, as a wrapper does."""

TIME_DISTRIBUTED: Final = "keras.TimeDistributed"
_SEQUENTIAL: Final = "keras.Sequential"
_FUNCTIONAL: Final = "keras.Functional"


Key: TypeAlias = tuple[Hashable, int]
"""One output of one call of a layer, within its model: the call, and the index of the output."""


class Call(NamedTuple):
    """One call of one layer: what feeds it, and the shapes that were recorded, if any."""

    key: Hashable
    layer: LayerView
    feeds: tuple[Key, ...]
    input_shapes: tuple[Shape | None, ...]
    output_shapes: tuple[Shape, ...] | None
    node: Any = None
    """What the source holds of the call: its arguments are read from it where a rule asks."""
    twin: Any = None
    """The node of the same call with another length of the batch, where it was traced at two."""
    arrays: Mapping[int, Array] = MappingProxyType({})
    """What it takes in the places of some tensors of the node: they depend on no input."""

    @property
    def arguments(self) -> Arguments:
        """What the layer was called with, the tensors by their place among the feeds."""
        given = self.layer.arguments(self)
        return with_arrays(given, self.arrays) if self.arrays else given

    @property
    def operand_shape(self) -> tuple[int | None, ...]:
        """The whole shape of the first tensor as the source has it; an open axis is None."""
        if isinstance(self.node, Mapping):
            tensor = next(_tensors([self.node.get("args"), self.node.get("kwargs")]), {})
            shape = tensor.get("shape")
        else:
            given = getattr(self.node, "input_tensors", None)
            # Keras 2 gives a lone tensor as it is, and its shapes are not tuples.
            shape = given[0].shape if isinstance(given, list | tuple) and given else None
        return tuple(shape) if isinstance(shape, list | tuple) else ()


class LayerView(Protocol):
    """What a layer says of itself."""

    name: str
    kind: str

    sort: Hashable
    """What all layers of its class have in common and no others."""
    identity: Hashable
    """What tells it from other layers and is the same wherever it is used, or None."""
    base_kinds: tuple[str, ...]
    """The kinds of the classes that its class derives from, nearest first."""

    @property
    def parameter_count(self) -> int | None:
        """Number of parameter elements, where the source knows it."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings by their names in Keras."""

    @property
    def plain_settings(self) -> Mapping[str, Any]:
        """Those of the settings that are at hand without asking for each; quicker."""

    def model(self) -> ModelView | None:
        """The graph in it, if it is a model."""

    def child(self, name: str) -> LayerView:
        """The layer that it holds as a setting."""

    def children(self, name: str) -> Sequence[LayerView]:
        """The layers that it holds in a list as a setting."""

    @property
    def policy(self) -> Policy:
        """The formats in which Keras keeps its weights and computes."""

    def arguments(self, call: Call) -> Arguments:
        """What it was called with, the tensors by their place among the feeds."""


class ModelView(NamedTuple):
    """A model: its calls in Keras's order, what enters and what leaves."""

    name: str
    calls: tuple[Call, ...]
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]


class StepView:
    """A layer of a model that a TimeDistributed layer applies to every step.

    To apply a model to every step is to apply each of its layers to every step.
    """

    kind = TIME_DISTRIBUTED
    base_kinds: tuple[str, ...] = ()
    settings: Mapping[str, Any] = {}
    plain_settings = settings

    def __init__(self, held: LayerView) -> None:
        """Take the place of `held`, a layer of the model."""
        self.held = held
        self.name, self.identity = held.name, held.identity
        self.sort: Hashable = (self.kind, held.sort)

    @property
    def parameter_count(self) -> int | None:
        """That of the layer."""
        return self.held.parameter_count

    @property
    def policy(self) -> Policy:
        """That of the layer."""
        return self.held.policy

    def model(self) -> ModelView | None:
        """The graph of a model within the model."""
        inner = self.held.model()
        return over_steps(inner) if inner else None

    def child(self, _: str) -> LayerView:
        """The layer."""
        return self.held

    def children(self, name: str) -> Sequence[LayerView]:
        """It holds one."""
        raise KeyError(name)

    def arguments(self, call: Call) -> Arguments:
        """What the layer was called with in the model."""
        return self.held.arguments(call)


class FunctionView:
    """A call of a function of TensorFlow: it has no parameters, and holds no layers."""

    base_kinds: tuple[str, ...] = ()
    parameter_count = 0
    policy = NO_POLICY

    def __init__(
        self,
        called: LayerView,
        kind: str,
        settings: Mapping[str, Any],
        given: Arguments,
        *,
        refusal: str | None = None,
        mixes: bool = False,
    ) -> None:
        """Take the place of `called`, under the kind of a rule, or its own with a `refusal`.

        What a refused call gives may not be of one example where it `mixes`.
        """
        self.name, self.kind, self.refusal, self.mixes = called.name, kind, refusal, mixes
        self.sort: Hashable = kind
        self.settings = self.plain_settings = settings
        self.is_live = isinstance(called, LiveView)
        self.identity: Hashable = called.identity or (kind, id(self))
        self._given = given

    def model(self) -> ModelView | None:
        """None: it is not a model."""
        return None

    def child(self, name: str) -> LayerView:
        """It holds none."""
        raise KeyError(name)

    def children(self, name: str) -> Sequence[LayerView]:
        """It holds none."""
        raise KeyError(name)

    def arguments(self, _: Call) -> Arguments:
        """What it is called on, with values that are known."""
        return self._given


def may_mix(view: LayerView) -> bool:
    """Whether it is a function that may give what is not of one example."""
    return isinstance(view, FunctionView) and view.mixes


def is_function_of_live(view: LayerView) -> bool:
    """Whether it is a function that a live network calls."""
    return isinstance(view, FunctionView) and view.is_live


def steps_of(view: LayerView) -> ModelView | None:
    """The graph of the model that a TimeDistributed layer holds, if it holds one."""
    held = view.child("layer")
    inner = steps_of(held) if held.kind == TIME_DISTRIBUTED else held.model()
    return over_steps(inner) if inner else None


def over_steps(model: ModelView) -> ModelView:
    """A model whose layers are applied to every step; shapes were recorded of one step only."""
    calls = [
        call._replace(layer=StepView(call.layer), input_shapes=(), output_shapes=None)
        for call in model.calls
    ]
    return model._replace(calls=tuple(calls))


def kind_of(module: str, class_name: str) -> str:
    """The kind of a class: the package that it comes from, and its name."""
    package, _, rest = module.partition(".")
    package = _PACKAGES.get(package, package)
    if package == "keras" and ".ops" in f".{rest}":
        return f"keras.ops.{class_name}"
    if package == "keras":
        class_name = _EXPORTED_AS.get(class_name, class_name)
    return f"{package}.{class_name}"


# ------------------------------------------------------------------ configurations


class ConfigView:
    """A layer as its configuration in a file has it."""

    def __init__(self, entry: Any, where: str, depth: int = 0) -> None:
        """Check that `entry` is the configuration of a layer, that `depth` others hold.

        Raises:
            ReadError: no class name, no settings, or held by too many.

        """
        if depth > MOST_HOLDERS:
            message = f"{where}: more than {MOST_HOLDERS} layers hold one another"
            raise ReadError(message)
        self._depth = depth
        if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
            message = f"{where}: expected a layer with a class_name, found {_short(entry)}"
            raise ReadError(message)
        config = entry.get("config")
        if not isinstance(config, Mapping):
            message = (
                f"{where}: expected the config of a {_short(entry['class_name'])}, "
                f"found {_short(config)}"
            )
            raise ReadError(message)
        self._config = config
        self.base_kinds: tuple[str, ...] = ()
        shared = entry.get("shared_object_id")
        self.identity: Hashable = shared if isinstance(shared, int) else None
        module = entry.get("module", "keras")
        known = module if isinstance(module, str) else OWN_PACKAGE
        self.kind = checked_name(kind_of(known, entry["class_name"]), where)
        self.sort: Hashable = self.kind
        name = config.get("name") or entry.get("name")
        self.is_named = bool(name)
        self.name = checked_name(str(name or entry["class_name"]), where)

    @property
    def parameter_count(self) -> int | None:
        """Unknown to a file."""
        return None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings by their names in Keras."""
        return self._config

    @property
    def plain_settings(self) -> Mapping[str, Any]:
        """The same: a configuration has all of them at hand."""
        return self._config

    def child(self, name: str) -> LayerView:
        """The layer that it holds as a setting."""
        return ConfigView(self._config.get(name), self._place(name), self._depth + 1)

    def children(self, name: str) -> Sequence[LayerView]:
        """The layers that it holds in a list as a setting."""
        entries, where = self._config.get(name), self._place(name)
        if not isinstance(entries, list) or not entries:
            message = f"{where}: expected a list of layers, found {_short(entries)}"
            raise ReadError(message)
        return [ConfigView(entry, where, self._depth + 1) for entry in entries]

    @property
    def policy(self) -> Policy:
        """What its configuration says of data types."""
        return recorded_policy(self._config)

    def _place(self, name: str) -> str:
        return f"{name!r} of layer {self.name!r}"

    def arguments(self, call: Call) -> Arguments:
        """What the inbound node of the file records; a sequential model records none."""
        if call.node is None:
            return Arguments.of_inputs(len(call.feeds))
        return recorded_arguments(call.node)

    def model(self) -> ModelView | None:
        """The graph in it, if it is a model."""
        return self._model

    @functools.cached_property
    def _model(self) -> ModelView | None:
        # Kept, because a model that is called twice is asked twice.
        if not isinstance(self._config.get("layers"), list):
            return None
        if "input_layers" in self._config:
            return _functional(self._config, self.name)
        if self.kind == _SEQUENTIAL:
            return _sequential(self._config, self.name)
        return None


def _functional(config: Mapping[str, Any], name: str) -> ModelView:
    entries = _entries(config, name)
    views = [ConfigView(entry, f"layer {i} of {name!r}") for i, entry in enumerate(entries)]
    recorded: dict[Key, Shape] = {}
    calls = []
    for view, entry in zip(views, entries, strict=True):
        own = entry.get("name", view.name)
        if not isinstance(own, str):
            message = f"layer {view.name!r}: expected a name, found {_short(own)}"
            raise ReadError(message)
        nodes = entry.get("inbound_nodes") or ([] if view.kind != "keras.InputLayer" else [{}])
        for index, node in enumerate(_list(nodes, view.name)):
            feeds, shapes = _feeds(node, view.name)
            recorded.update((k, s) for k, s in zip(feeds, shapes, strict=True) if s is not None)
            calls.append(Call((own, index), view, feeds, shapes, None, node))
    models = {call.key[0] for call in calls if "input_layers" in call.layer.settings}  # type: ignore[index]  # such a layer has a key
    return ModelView(
        name,
        tuple(with_outputs(call, recorded) for call in calls),
        tuple(_own_key(key, models) for key in _keys(config["input_layers"], name)),
        tuple(_own_key(key, models) for key in _keys(config.get("output_layers"), name)),
    )


def _entries(config: Mapping[str, Any], name: str) -> list[Any]:
    entries: list[Any] = config["layers"]
    if len(entries) > LAYER_LIMIT:
        message = f"model {name!r} has more than {LAYER_LIMIT:,} layers"
        raise ReadError(message)
    return entries


def _own_key(key: Key, models: Collection[str]) -> Key:
    """The key as inbound nodes have it: Keras counts a functional model's own node there too."""
    pair: Any = key[0]
    layer, call = pair
    return ((layer, call - 1), key[1]) if layer in models else key


def with_outputs(call: Call, recorded: Mapping[Key, Shape]) -> Call:
    """The call with the output shapes that its consumers recorded, up to the first gap."""
    shapes: list[Shape] = []
    while (shape := recorded.get((call.key, len(shapes)))) is not None:
        shapes.append(shape)
    return call._replace(output_shapes=tuple(shapes)) if shapes else call


def _sequential(config: Mapping[str, Any], name: str) -> ModelView:
    entries = _entries(config, name)
    views = [ConfigView(entry, f"layer {i} of {name!r}") for i, entry in enumerate(entries)]
    if not views or views[0].kind != "keras.InputLayer":
        shape = config.get("build_input_shape")
        if shape is None:
            message = (
                f"model {name!r} records no input shape; "
                "build it before saving, or add a keras.Input in front"
            )
            raise ReadError(message)
        entry = {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": shape}}
        views.insert(0, ConfigView(entry, name))
    _tell_apart(views)
    twice = first_repeated(view.name for view in views)
    if twice is not None:
        message = f"model {name!r} has more than one layer called {twice!r}"
        raise ReadError(message)
    calls = [Call((0, 0), views[0], (), (), None)]
    shift = len(views) - len(entries)
    taken = [None] * shift + [_built_shape(entry) for entry in entries]
    for index, view in enumerate(views[1:], start=1):
        feed = ((index - 1, 0), 0)
        given = taken[index + 1] if index + 1 < len(taken) else None
        calls.append(Call((index, 0), view, (feed,), (None,), (given,) if given else None))
    return ModelView(name, tuple(calls), (((0, 0), 0),), ((calls[-1].key, 0),))


def _tell_apart(views: Sequence[ConfigView]) -> None:
    """Number the layers that a file gives no name, as a class does that tells no settings."""
    counts: Counter[str] = Counter(view.name for view in views if view.is_named)
    for view in views:
        if not view.is_named:
            counts[view.name] += 1
            if counts[view.name] > 1:
                view.name = f"{view.name}_{counts[view.name] - 1}"


def _built_shape(entry: Any) -> Shape | None:
    """The input shape that a layer of a sequential model was built for, where it is recorded."""
    built = entry.get("build_config")
    shape = built.get("input_shape") if isinstance(built, Mapping) else None
    if not isinstance(shape, list) or not all(n is None or isinstance(n, int) for n in shape):
        return None
    return as_shape(shape[1:])


def _feeds(node: Any, layer: str) -> tuple[tuple[Key, ...], tuple[Shape | None, ...]]:
    keys: list[Key] = []
    shapes: list[Shape | None] = []
    if not isinstance(node, Mapping):
        message = f"layer {layer!r}: expected an inbound node with args, found {_short(node)}"
        raise ReadError(message)
    for tensor in chain(_tensors(node.get("args")), _tensors(node.get("kwargs"))):
        history = tensor.get("keras_history")
        found = list(_keys(history, layer))
        if len(found) != 1:
            message = f"layer {layer!r}: expected a keras_history, found {_short(history)}"
            raise ReadError(message)
        keys.append(found[0])
        shapes.append(_recorded(tensor.get("shape"), layer))
    return tuple(keys), tuple(shapes)


def _tensors(value: Any) -> Iterator[Mapping[str, Any]]:
    """All tensors in the arguments of a call, in the order in which Keras flattens them."""
    if isinstance(value, list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, Mapping):
        config = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(config, Mapping):
            yield config
            return
        if value.get("class_name") in ARRAYS:
            return
        for key in sorted(value, key=str):
            yield from _tensors(value[key])


def _keys(value: Any, where: str) -> Iterator[Key]:
    """All [layer, call, output] triples in a structure of lists and mappings."""
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from _keys(value[key], where)
    elif isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str):  # noqa: PLR2004  # a triple
            yield _key(value, where)
            return
        for item in value:
            yield from _keys(item, where)
    else:
        message = f"{where!r}: expected [layer, call, output], found {_short(value)}"
        raise ReadError(message)


def _key(triple: Sequence[Any], where: str) -> Key:
    name, call, index = triple
    if not isinstance(call, int) or not isinstance(index, int) or index < 0:
        message = f"{where!r}: expected [layer, call, output], found {_short(triple)}"
        raise ReadError(message)
    return ((name, call), index)


def _recorded(shape: Any, layer: str) -> Shape | None:
    if shape is None:
        return None
    if not isinstance(shape, list):
        message = f"layer {layer!r}: expected a shape, found {_short(shape)}"
        raise ReadError(message)
    return as_shape(shape[1:])


def _list(value: Any, layer: str) -> list[Any]:
    if not isinstance(value, list):
        message = f"layer {layer!r}: expected a list of inbound nodes, found {_short(value)}"
        raise ReadError(message)
    return value


def _short(value: Any) -> str:
    return repr(value)[:80]


# ------------------------------------------------------------------ live models


class _Attributes(dict[str, Any]):
    """The attributes of a live layer, properties included."""

    def __init__(self, layer: Any) -> None:
        super().__init__(vars(layer))
        self._layer = layer

    def __missing__(self, name: str) -> Any:
        try:
            return getattr(self._layer, name)
        except AttributeError:
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or hasattr(self._layer, str(name))


class LiveView:
    """A layer as the live object has it."""

    def __init__(self, layer: Any) -> None:
        """Look at `layer`; nothing of it is called."""
        self._layer = layer
        self.sort: Hashable = layer.__class__
        self.kind, self.base_kinds, self.model_kind = _class_facts(layer.__class__)
        self.identity: Hashable = id(layer)
        self.name = str(layer.name)

    @property
    def layer(self) -> Any:
        """The object itself."""
        return self._layer

    @property
    def parameter_count(self) -> int | None:
        """Number of parameter elements, once the layer is built."""
        return int(self._layer.count_params()) if getattr(self._layer, "built", False) else None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings by their names in Keras."""
        return _Attributes(self._layer)

    @property
    def plain_settings(self) -> Mapping[str, Any]:
        """Those that are attributes and no properties."""
        attributes: Mapping[str, Any] = vars(self._layer)
        return attributes

    def child(self, name: str) -> LayerView:
        """The layer that it holds as a setting."""
        return type(self)(self.settings[name])

    def children(self, name: str) -> Sequence[LayerView]:
        """The layers that it holds in a list as a setting."""
        return [type(self)(layer) for layer in self.settings[name]]

    @functools.cached_property
    def policy(self) -> Policy:
        """That of the object."""
        return live_policy(self._layer)

    def arguments(self, call: Call) -> Arguments:
        """What Keras's node holds."""
        return live_arguments(call.node)

    def model(self) -> ModelView | None:
        """The graph in it, if it is a model."""
        sort = self.model_kind
        if sort == _SEQUENTIAL:
            graph = getattr(self._layer, "_functional", None)
            if graph is None:
                message = (
                    f"model {self.name!r} is not built; "
                    "call model.build(input_shape), or add a keras.Input in front"
                )
                raise ReadError(message)
            return _live(graph, self.name)
        return _live(self._layer, self.name) if sort else None


@functools.cache
def _class_facts(cls: type) -> tuple[str, tuple[str, ...], str | None]:
    """The kind of a class, those of its bases, and the kind of model that it is, if any."""
    kinds = tuple(kind_of(base.__module__, base.__name__) for base in cls.__mro__)
    model = next((kind for kind in (_SEQUENTIAL, _FUNCTIONAL) if kind in kinds), None)
    return kinds[0], kinds[1:], model


def _live(model: Any, name: str) -> ModelView:
    # Keras has no public name for its graph.
    belongs = set(map(id, chain.from_iterable(model._nodes_by_depth.values())))  # noqa: SLF001  # Keras has no public way
    nodes: list[tuple[LiveView, Any]] = []
    produced: dict[int, Key] = {}
    for layer in model.operations:
        view = LiveView(layer)
        for node in layer._inbound_nodes:  # noqa: SLF001  # Keras has no public way
            if id(node) in belongs:
                for index, tensor in enumerate(node.outputs):
                    produced[id(tensor)] = (len(nodes), index)
                nodes.append((view, node))
    calls = [
        Call(
            place,
            view,
            tuple([produced[id(tensor)] for tensor in node.input_tensors]),
            (),  # they are the very tensors that the sources gave, recorded there
            tuple([tensor.shape[1:] for tensor in node.outputs]),
            node,
        )
        for place, (view, node) in enumerate(nodes)
    ]
    inputs = tuple([produced[id(tensor)] for tensor in model.inputs])
    outputs = tuple([produced[id(tensor)] for tensor in model.outputs])
    return ModelView(name, tuple(calls), inputs, outputs)
