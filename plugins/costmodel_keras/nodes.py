"""The calls in a live model of Keras 2 or 3, in one form, and how to run them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from costmodel.errors import ReadError
from costmodel.network.graph import topological_order
from costmodel_keras.keras2.live import flat, is_legacy, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Numbers(Protocol):
    """The arithmetic of the framework that a model runs on."""

    def convert(self, array: NDArray[Any], dtype: Any) -> Any:
        """The array as a tensor."""

    def mean_magnitude(self, tensor: Any) -> float:
        """The mean absolute value of a tensor."""


@frozen(eq=False)
class Node:
    """One call of a layer: the tensors that enter and leave it.

    `own` is Keras's record of the call. The symbolic tensors are the same objects in all calls
    of a model, so that their identity says who feeds whom.
    """

    own: Any
    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    _run: Callable[[Mapping[int, Any]], list[Any]] = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the layer."""
        return str(self.layer.name)

    @property
    def taken(self) -> tuple[Any, ...]:
        """The tensors that enter; for an input layer the data itself."""
        return self.inputs or self.outputs

    def run(self, held: Mapping[int, Any]) -> list[Any]:
        """Call the layer again, on the values of its inputs by the identity of their tensors."""
        return self._run(held)


def node_of(own: Any) -> Node:
    """The call that Keras's record of it stands for."""
    if is_legacy(getattr(own, "layer", None)):
        inputs, outputs = tuple(own.keras_inputs), tuple(flat(own.outputs))
        return Node(own, own.layer, inputs, outputs, lambda held: _run_legacy(own, held))
    inputs, outputs = tuple(own.input_tensors), tuple(own.outputs)
    return Node(own, own.operation, inputs, outputs, lambda held: _run_modern(own, held))


def nodes(model: Any) -> list[Node]:
    """Every call in a live model, in the network's topological order.

    Raises:
        ReadError: the model has no graph of layers.

    """
    check_graph(model)
    found = _nodes(graph_of(model))
    places = {id(tensor): place for place, node in enumerate(found) for tensor in node.outputs}
    sources = {
        place: [places[id(tensor)] for tensor in node.inputs] for place, node in enumerate(found)
    }
    return [found[place] for place in topological_order(sources)]


def has_graph(layer: Any) -> bool:
    """Whether it is a Functional or Sequential model.

    Raises:
        ReadError: it is one that is not built.

    """
    return view_of(layer).model() is not None


def check_graph(model: Any) -> None:
    """Check that a live model has a graph of layers.

    Raises:
        ReadError: it has none.

    """
    if not has_graph(model):
        view = view_of(model)
        message = (
            f"{view.name!r} is a {view.kind!r} without a graph of layers to run; "
            "expected a Functional or Sequential model"
        )
        raise ReadError(message)


def graph_of(model: Any) -> Any:
    """The functional model itself, or the one inside a sequential model of Keras 3."""
    return getattr(model, "_functional", None) or model


def layers_of(model: Any) -> Sequence[Any]:
    """The layers of a model as Keras lists them.

    A sequential model does not count its input as a layer. A functional one of Keras 3 leaves
    the operations that are not layers out of `layers`; here they are included.
    """
    listed: Sequence[Any] = model.layers
    if is_legacy(model) or hasattr(model, "_functional"):
        return listed
    operations: Sequence[Any] = model.operations
    return operations


def numbers_of(model: Any) -> Numbers:
    """The arithmetic for a live model; what it runs on is imported already."""
    return _TensorFlow() if is_legacy(model) else _Keras()


def _nodes(functional: Any) -> list[Node]:
    # Keras has no public name for its graph.
    by_depth = functional._nodes_by_depth  # noqa: SLF001  # Keras has no public way
    belongs = {id(node) for depth in by_depth.values() for node in depth}
    layers = (
        functional._self_tracked_trackables  # noqa: SLF001  # Keras has no public way
        if is_legacy(functional)
        else functional.operations
    )
    return [
        node_of(node)
        for layer in layers
        for node in getattr(layer, "_inbound_nodes", ())
        if id(node) in belongs
    ]


def _run_modern(own: Any, held: Mapping[int, Any]) -> list[Any]:
    args, kwargs = own.arguments.fill_in(held)
    return list(sys.modules["keras"].tree.flatten(own.operation(*args, **kwargs)))


def _run_legacy(own: Any, held: Mapping[int, Any]) -> list[Any]:
    def filled(value: Any) -> Any:
        return held.get(id(value), value)

    nest = _tensorflow().nest
    args = nest.map_structure(filled, own.call_args)
    kwargs = nest.map_structure(filled, own.call_kwargs)
    return list(flat(own.layer(*args, **kwargs)))


def _tensorflow() -> Any:
    return sys.modules["tensorflow"]  # a live model of Keras 2 has imported it


class _Keras:
    def convert(self, array: NDArray[Any], dtype: Any) -> Any:
        return sys.modules["keras"].ops.convert_to_tensor(array, dtype=dtype)

    def mean_magnitude(self, tensor: Any) -> float:
        ops = sys.modules["keras"].ops
        return float(ops.mean(ops.absolute(ops.cast(tensor, "float32"))))


class _TensorFlow:
    def convert(self, array: NDArray[Any], dtype: Any) -> Any:
        return _tensorflow().cast(array, dtype)

    def mean_magnitude(self, tensor: Any) -> float:
        tensorflow = _tensorflow()
        return float(tensorflow.reduce_mean(tensorflow.abs(tensorflow.cast(tensor, "float32"))))
