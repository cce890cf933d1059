"""Counting the layers of a live Keras model, by registered functions or by the convention."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from costmodel import registry as registrys
from costmodel.errors import PluginError
from costmodel.tensor.shapes import Tensor
from costmodel.workload.reasons import Unpriced
from costmodel_keras.graph import kind_of
from costmodel_keras.keras2.live import view_of
from costmodel_keras.nodes import Node, node_of
from costmodel_keras.unfolding import make_layer
from costmodel_spiking.convention import CONVENTION, RULES, Stats
from costmodel_spiking.errors import StatsError

Shapes: TypeAlias = tuple[tuple[int | None, ...], ...]
"""Shapes with the batch axis first."""

StatsFunction: TypeAlias = Callable[..., Mapping[str, Any]]
"""What `register_layer` decorates: from a call to some of the fields of Stats.

With one required parameter it takes the call, as in KerasSpiking; with two the layer and its call.
"""

_WRAPPER: Final = "keras.TimeDistributed"
_FIELDS: Final = ("connections", "neurons", "spiking")


class Call:
    """One call of a layer: Keras's node with the shapes in the form that Keras 2 has them.

    `input_shapes` and `output_shapes` start with the batch axis; several are a list. For a layer
    in a `TimeDistributed` they are those of one timestep, and `layer` is the layer in it. All
    other attributes are the node's.
    """

    def __init__(self, node: Any, layer: Any, inputs: Shapes, outputs: Shapes) -> None:
        """Put the shapes of a call beside Keras's node of it."""
        self.node, self.layer, self.inputs, self.results = node, layer, inputs, outputs

    @classmethod
    def of(cls, node: Node) -> Call:
        """The call, with the shapes of its tensors."""
        return cls(node.own, node.layer, _shapes(node.taken), _shapes(node.outputs))

    @property
    def operation(self) -> Any:
        """The layer, by the name that it has in a node of Keras 3."""
        return self.layer

    @property
    def input_shapes(self) -> Any:
        """The shape of the input, or a list of several."""
        return _one_or_list(self.inputs)

    @property
    def output_shapes(self) -> Any:
        """The shape of the output, or a list of several."""
        return _one_or_list(self.results)

    def one_step(self) -> Call:
        """The call of the layer in a `TimeDistributed`: one step along the axis after the batch."""
        inputs, outputs = (
            tuple((shape[0], *shape[2:]) for shape in shapes)
            for shapes in (self.inputs, self.results)
        )
        return Call(self.node, self.layer.layer, inputs, outputs)

    def __getattr__(self, name: str) -> Any:
        """What else Keras's node has."""
        return getattr(self.node, name)


def _shapes(tensors: Sequence[Any]) -> Shapes:
    return tuple(tuple(tensor.shape) for tensor in tensors)


def _one_or_list(shapes: Shapes) -> Any:
    return shapes[0] if len(shapes) == 1 else list(shapes)


@frozen
class Counter:
    """Counts calls of layers: by a registered function if there is one, else as the convention.

    Both are looked for along the classes that the layer derives from, nearest first.
    """

    registered: Mapping[type, StatsFunction]

    def count(self, call: Call, *, is_step: bool = False) -> Stats | Unpriced:
        """What is counted for one call, or why nothing is.

        A layer that `is_step`, in a `TimeDistributed`, has no axis for time.

        Raises:
            UndefinedAxisError: an axis other than the batch and time is open.
            StatsError: a registered function returned something else than statistics.

        """
        layer = call.layer
        for cls in type(layer).__mro__:
            if cls in self.registered:
                return _stats(layer, _asked(self.registered[cls], call))
            kind = kind_of(cls.__module__, cls.__name__)
            if kind == _WRAPPER:
                return self.count(call.one_step(), is_step=True)
            if kind in RULES:
                return CONVENTION.counts(_as_layer(layer, kind, call), is_step=is_step)
        return Unpriced(f"no rule for {type(layer).__name__!r}")

    def knows(self, layer_class: type) -> bool:
        """Whether a function or the convention counts exactly this class."""
        kind = kind_of(layer_class.__module__, layer_class.__name__)
        return layer_class in self.registered or kind in RULES


def _asked(function: StatsFunction, call: Call) -> Any:
    """What a registered function returns of a call."""
    parameters = inspect.signature(function).parameters.values()
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    required = [
        each for each in parameters if each.kind in positional and each.default is each.empty
    ]
    return function(call) if len(required) == 1 else function(call.layer, call)


def _as_layer(layer: Any, kind: str, call: Call) -> Any:
    rules = registrys.installed().layer_registry
    cls = rules.find(kind)
    if cls is None:
        message = f"no plugin offers a layer class for kind {kind!r}; see `costmodel plugins`"
        raise PluginError(message)
    inputs = tuple(Tensor(shape[1:]) for shape in call.inputs)
    view = view_of(layer)
    view.kind = kind  # one of those that its class derives from
    return make_layer(cls, str(layer.name), inputs, view, rules)


def _stats(layer: Any, found: Any) -> Stats:
    try:
        unknown = sorted(set(found) - set(_FIELDS))
        if unknown:
            message = f"invalid stat {unknown[0]!r}; expected {', '.join(_FIELDS)}"
            raise ValueError(message)  # noqa: TRY301  # one place says whose they are
        counts = {name: _whole(name, found.get(name, 0)) for name in _FIELDS[:2]}
        return Stats(**counts, spiking=bool(found.get("spiking", True)))
    except (TypeError, ValueError, AttributeError) as error:
        message = (
            f"the function registered for layer {layer.name!r} returned {found!r:.80}: {error}"
        )
        raise StatsError(message) from None


def _whole(name: str, value: Any) -> int:
    if int(value) != value or value < 0:
        message = f"{name} is {value!r}; expected a whole number of 0 or more"
        raise ValueError(message)
    return int(value)


def only_node(layer: Any) -> Node:
    """The one call of a layer.

    Raises:
        StatsError: it was not called exactly once, so the call must be named.

    """
    if not hasattr(layer, "_inbound_nodes"):
        message = (
            f"Cannot compute stats for layer of type {type(layer).__name__!r}; "
            "expected a layer of Keras"
        )
        raise StatsError(message)
    nodes: Sequence[Any] = layer._inbound_nodes  # noqa: SLF001  # Keras has no public way
    if not nodes:
        message = (
            f"layer {layer.name!r} has never been applied to any inputs (it was called 0 times), "
            "so its shapes are not known; call it first"
        )
        raise StatsError(message)
    if len(nodes) > 1:
        message = (
            f"layer {layer.name!r} was called {len(nodes)} times; "
            "expected one call, or the node of the call that is meant"
        )
        raise StatsError(message)
    return node_of(nodes[0])
