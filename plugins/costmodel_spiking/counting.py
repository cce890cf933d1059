"""Counting the layers of a live Keras model, by registered functions or by the convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from costmodel import catalogue as catalogues
from costmodel.errors import PluginError
from costmodel.tensor import Tensor
from costmodel.workload.reasons import Unpriced
from costmodel_keras.graph import LiveView, kind_of
from costmodel_keras.reader import make_layer
from costmodel_spiking.convention import CONVENTION, RULES, Stats
from costmodel_spiking.errors import StatsError

Shapes: TypeAlias = tuple[tuple[int | None, ...], ...]
"""Shapes with the batch axis first."""

StatsFunction: TypeAlias = Callable[[Any, Any], Mapping[str, Any]]
"""What `register_layer` decorates: from a layer and its call to some of the fields of Stats."""

_WRAPPER: Final = "keras.TimeDistributed"
_FIELDS: Final = ("connections", "neurons", "spiking")


class Call:
    """One call of a layer: Keras's node with the shapes in the form that Keras 2 had them.

    `input_shapes` and `output_shapes` start with the batch axis; several are a list. For a layer
    in a `TimeDistributed` they are those of one timestep. All other attributes are the node's.
    """

    def __init__(self, node: Any, inputs: Shapes, outputs: Shapes) -> None:
        """Put the shapes of a call beside Keras's node of it."""
        self.node, self.inputs, self.results = node, inputs, outputs

    @classmethod
    def of(cls, node: Any) -> Call:
        """The call that Keras's node is about."""
        taken = tuple(tuple(tensor.shape) for tensor in node.input_tensors)
        made = tuple(tuple(tensor.shape) for tensor in node.outputs)
        return cls(node, taken, made)

    @property
    def input_shapes(self) -> Any:
        """The shape of the input, or a list of several."""
        return _one_or_list(self.inputs)

    @property
    def output_shapes(self) -> Any:
        """The shape of the output, or a list of several."""
        return _one_or_list(self.results)

    def one_step(self) -> Call:
        """The same call for one step along the first axis after the batch."""
        inputs, outputs = (
            tuple((shape[0], *shape[2:]) for shape in shapes)
            for shapes in (self.inputs, self.results)
        )
        return Call(self.node, inputs, outputs)

    def __getattr__(self, name: str) -> Any:
        """What else Keras's node has."""
        return getattr(self.node, name)


def _one_or_list(shapes: Shapes) -> Any:
    return shapes[0] if len(shapes) == 1 else list(shapes)


@frozen
class Counter:
    """Counts calls of layers: by a registered function if there is one, else as the convention.

    Both are looked for along the classes that the layer derives from, nearest first.
    """

    registered: Mapping[type, StatsFunction]

    def count(self, layer: Any, call: Call, *, is_step: bool = False) -> Stats | Unpriced:
        """What is counted for one call, or why nothing is.

        A layer that `is_step`, in a `TimeDistributed`, has no axis for time.

        Raises:
            UndefinedAxisError: an axis other than the batch and time is open.
            StatsError: a registered function returned something else than statistics.

        """
        for cls in type(layer).__mro__:
            if cls in self.registered:
                return _stats(layer, self.registered[cls](layer, call))
            kind = kind_of(cls.__module__, cls.__name__)
            if kind == _WRAPPER:
                return self.count(layer.layer, call.one_step(), is_step=True)
            if kind in RULES:
                return CONVENTION.counts(_as_layer(layer, kind, call), is_step=is_step)
        return Unpriced(f"no rule for {type(layer).__name__!r}")


class _AsKind(LiveView):
    """A layer seen as one of the kinds that its class derives from."""

    def __init__(self, layer: Any, kind: str) -> None:
        super().__init__(layer)
        self.kind = kind


def _as_layer(layer: Any, kind: str, call: Call) -> Any:
    rules = catalogues.installed().layer_rules
    cls = rules.find(kind)
    if cls is None:
        message = f"no plugin offers a layer class for kind {kind!r}; see `costmodel plugins`"
        raise PluginError(message)
    inputs = tuple(Tensor(shape[1:]) for shape in call.inputs)
    return make_layer(cls, str(layer.name), inputs, _AsKind(layer, kind), rules)


def _stats(layer: Any, found: Any) -> Stats:
    try:
        unknown = sorted(set(found) - set(_FIELDS))
        if unknown:
            message = f"{unknown[0]!r} is none of {', '.join(_FIELDS)}"
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


def only_node(layer: Any) -> Any:
    """Keras's node of the one call of a layer.

    Raises:
        StatsError: it was not called exactly once, so the call must be named.

    """
    nodes: Sequence[Any] = getattr(layer, "_inbound_nodes", ())
    if len(nodes) != 1:
        message = (
            f"layer {layer.name!r} was called {len(nodes)} times; "
            "expected one call, or the node of the call that is meant"
        )
        raise StatsError(message)
    return nodes[0]
