"""The facts of a network that was read, from a file or anything else."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from costmodel.errors import ShapeError
from costmodel.network.graph import Network
from costmodel.network.layer import Input, Layer, UnknownLayer
from costmodel.tensor.shapes import Tensor
from costmodel_qkeras.layers.quantized import Quantized
from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.facts import LayerFacts, Node, Shape
from costmodel_qkeras.quantizers import Quantizer

_WEIGHTED = kinds.CONTRACTIONS | kinds.SELF_FOLDING | kinds.NORMALIZATIONS


def nodes_of(network: Network) -> list[Node]:
    """The layers of a network; of a layer that is called more than once, the first call.

    Raises:
        ShapeError: an axis is open.

    """
    owners = {layer.name: layer.shares or layer.name for layer in network.layers}
    return [
        Node(
            layer.name,
            facts_of(layer),
            tuple([owners[port.layer] for port in network.sources(layer.name)]),
        )
        for layer in network.layers
        if layer.shares is None
    ]


def facts_of(layer: Layer) -> LayerFacts:
    """The facts of one layer.

    Raises:
        ShapeError: an axis is open.

    """
    kind = bare_kind(layer)
    is_known = kind in _WEIGHTED or kind in kinds.POOLS
    return LayerFacts(
        kind=kind,
        input_shapes=tuple([_shape(layer, tensor) for tensor in layer.inputs]),
        output_shape=_shape(layer, layer.outputs[0]) if layer.outputs else (),
        kernel_shape=_kernel_shape(layer) if kind in _WEIGHTED else (),
        quantizers=layer.quantizers if isinstance(layer, Quantized) else None,
        activation=_activation(layer, kind),
        use_bias=getattr(layer, "use_bias", True),
        scale=getattr(layer, "scale", True),
        center=getattr(layer, "center", True),
        pool_size=getattr(layer, "pool_size", ()) if kind in kinds.POOLS else (),
        unknown=layer.reason if is_known and isinstance(layer, UnknownLayer) else "",
    )


def bare_kind(layer: Layer) -> str:
    """The name of a layer's class, by which QTools goes."""
    return "InputLayer" if isinstance(layer, Input) else layer.kind.rpartition(".")[2]


def _shape(layer: Layer, tensor: Tensor) -> Shape:
    if not tensor.is_bound:
        message = (
            f"layer {layer.name!r} has an open axis; bind it with "
            "costmodel.read(source, input_shapes={...})"
        )
        raise ShapeError(message)
    shape: Any = tensor.shape
    return tuple(shape)


def _kernel_shape(layer: Layer) -> Shape:
    first = next(iter(layer.parameters.values()), None)
    return () if first is None else _shape(layer, first)


def _activation(layer: Layer, kind: str) -> Quantizer | None:
    found: Quantizer | None = getattr(layer, "output_quantizer", None)
    if found is not None and kind == "QAdaptiveActivation":
        # QKeras keeps the integer bits in a variable, and QTools shows it.
        return evolve(found, integer_is_variable=True)
    return found
