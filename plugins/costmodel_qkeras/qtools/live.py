"""The facts of a live Keras model, read from its attributes alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import evolve

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.constants import distinct_values
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import LayerFacts, Node, Shape
from costmodel_qkeras.quantizers import NAMES, Quantizer, QuantizerError
from costmodel_qkeras.reading import from_object

_WEIGHTED: Final = kinds.CONTRACTIONS | kinds.SELF_FOLDING | kinds.NORMALIZATIONS
_QUANTIZED: Final = _WEIGHTED | kinds.QUANTIZED_POOLS
_POOLED: Final = kinds.POOLS


def nodes_of(model: Any, *, count_values: bool = False) -> list[Node]:
    """The layers of a live model in its order, each with its inputs in their declared order.

    With `count_values` the distinct values of weights are counted, which inference needs.

    Raises:
        QToolsError: a layer has no input or output of its own.

    """
    # A sequential model that is built holds a functional one.
    functional = getattr(model, "_functional", None) or model
    return [_node(layer, _call(layer), count_values=count_values) for layer in functional.layers]


def inputs_of(model: Any) -> list[str]:
    """The names of the inputs in the order in which the model takes them."""
    return [_maker(tensor) for tensor in model.inputs]


def _call(layer: Any) -> Any:
    """Keras's node of the first call of a layer, the one that QTools looks at."""
    nodes: Sequence[Any] = getattr(layer, "_inbound_nodes", ())
    if not nodes:
        message = f"layer {layer.name!r} was never called, so it has no input and no output"
        raise QToolsError(message)
    return nodes[0]


def _maker(tensor: Any) -> str:
    # Keras has no public name for the layer that makes a tensor.
    return str(tensor._keras_history.operation.name)  # noqa: SLF001  # Keras has no public way


def _node(layer: Any, call: Any, *, count_values: bool) -> Node:
    name = str(layer.name)
    facts = _facts(layer, call)
    if count_values:
        weights = layer.get_weights()
        facts = evolve(facts, distinct_values=distinct_values(name, facts, weights))
    if facts.kind == "InputLayer":
        return Node(name, facts)
    # In the order in which the layer takes them. QTools walks a set of tensors here, so that its
    # order follows memory addresses and changes from one process to the next.
    return Node(name, facts, tuple([_maker(tensor) for tensor in call.input_tensors]))


def _facts(layer: Any, call: Any) -> LayerFacts:
    kind = type(layer).__name__
    settings = vars(layer)
    return LayerFacts(
        kind=kind,
        input_shapes=tuple([tuple(tensor.shape[1:]) for tensor in call.input_tensors]),
        output_shape=tuple(call.outputs[0].shape[1:]),
        kernel_shape=_kernel_shape(layer) if kind in _WEIGHTED else (),
        quantizers=_listed(layer) if kind in _QUANTIZED else None,
        # Of a recurrent layer it is a property.
        activation=_quantizer(layer, getattr(layer, "activation", None)),
        use_bias=bool(settings.get("use_bias", True)),
        scale=bool(settings.get("scale", True)),
        center=bool(settings.get("center", True)),
        pool_size=_pool(settings.get("pool_size")) if kind in _POOLED else (),
    )


def _quantizer(layer: Any, value: Any) -> Quantizer | None:
    """The quantizer of a live object, if it is one; QTools cannot read strings."""
    if type(value).__name__ not in NAMES:
        return None
    try:
        return from_object(value)
    except QuantizerError as error:
        held = (name for name, own in vars(layer).items() if own is value)
        field = next(held, "activation").removesuffix("_internal")
        message = f"layer {layer.name!r} of kind {type(layer).__name__!r}: {field!r}: {error}"
        raise QuantizerError(message) from None


def _listed(layer: Any) -> tuple[Quantizer | None, ...] | None:
    """What the layer's `get_quantizers` lists; None for a Keras layer."""
    if not hasattr(layer, "get_quantizers"):
        return None
    return tuple([_quantizer(layer, value) for value in layer.get_quantizers()])


def _kernel_shape(layer: Any) -> Shape:
    """The shape of the first weight."""
    # The list of all weights takes long to make, and TensorFlow's shape of one, too.
    own = getattr(layer, "_trainable_variables", ()) or getattr(
        layer, "_non_trainable_variables", ()
    )
    weights = own or layer.weights
    if not weights:
        return ()
    return tuple(getattr(weights[0], "_shape", None) or weights[0].shape)


@lru_cache(maxsize=64)
def _pool(size: int | tuple[int, ...] | None) -> Shape:
    if size is None:
        return ()
    return (size,) if isinstance(size, int) else tuple(size)
