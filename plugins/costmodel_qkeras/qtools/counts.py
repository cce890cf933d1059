"""Operation counts of layers as QTools has them: grouped, transposed and pooling ones are off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Shape
from costmodel_qkeras.qtools.merges import MERGES

Rule: TypeAlias = Callable[[LayerFacts, Shape], int]


def operation_count(layer: LayerFacts, edges: Sequence[Edge]) -> int:
    """The count by the largest input, the first of equals; zero for what QTools does not know."""
    rule = _COUNTS.get(layer.kind)
    return rule(layer, _largest(edges)) if rule else 0


def count_failure(layer: LayerFacts, edges: Sequence[Edge]) -> str | None:
    """The exception that QTools raises when it counts, if it does."""
    if layer.kind in kinds.DENSE and _has_several_axes(layer, _largest(edges)):
        return "AssertionError: a dense layer over several axes"
    return None


def _largest(edges: Sequence[Edge]) -> Shape:
    return max((edge.shape for edge in edges), key=math.prod)


def _has_several_axes(layer: LayerFacts, shape: Shape) -> bool:
    return any(sum(size > 1 for size in tensor) > 1 for tensor in (shape, layer.output_shape))


def _convolution(layer: LayerFacts, shape: Shape) -> int:
    # All input channels, grouped or not.
    spatial = len(layer.output_shape) - 1
    return math.prod(layer.output_shape) * math.prod(layer.kernel_shape[:spatial]) * shape[-1]


def _depthwise(layer: LayerFacts, shape: Shape) -> int:
    # The depth multiplier is forgotten.
    return math.prod(layer.kernel_shape[:2]) * math.prod(layer.output_shape[:-1]) * shape[-1]


def _dense(layer: LayerFacts, shape: Shape) -> int:
    if _has_several_axes(layer, shape):
        return math.prod(shape) * layer.output_shape[-1]
    return max(shape) * max(layer.output_shape)


def _pool(layer: LayerFacts, shape: Shape) -> int:
    # The output positions are forgotten.
    return layer.output_shape[-1] * math.prod(layer.pool_size or shape[:-1])


def _inputs(_: LayerFacts, shape: Shape) -> int:
    return math.prod(shape)


def _outputs(layer: LayerFacts, _: Shape) -> int:
    return math.prod(layer.output_shape)


_COUNTS: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(
        (*MERGES, *kinds.ACTIVATIONS, *kinds.NORMALIZATIONS, *kinds.SELECTORS), _inputs
    ),
    **dict.fromkeys(kinds.UPSAMPLINGS, _outputs),
    **dict.fromkeys((*kinds.CONTRACTIONS, "QConv2DBatchnorm"), _convolution),
    **dict.fromkeys(kinds.DEPTHWISE, _depthwise),
    **dict.fromkeys(kinds.DENSE, _dense),
    # QTools has no count for a QAveragePooling2D.
    **dict.fromkeys(kinds.POOLS - {"QAveragePooling2D"}, _pool),
}
