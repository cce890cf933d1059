"""From the facts of one layer and the datatypes that reach it to its record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from attrs import frozen

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.contractions import contraction
from costmodel_qkeras.qtools.counts import count_failure, operation_count
from costmodel_qkeras.qtools.datatypes import datatype, is_supported, passed_on
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Settings
from costmodel_qkeras.qtools.folding import (
    fused_contraction,
    fused_normalization,
    self_folding,
)
from costmodel_qkeras.qtools.merges import MERGES, PRICED, merge
from costmodel_qkeras.qtools.normalization import normalization
from costmodel_qkeras.qtools.pools import average
from costmodel_qkeras.qtools.records import Inferred, Record, Stored

Rule: TypeAlias = Callable[[LayerFacts, Sequence[Edge], Settings], Inferred]


@frozen(cache_hash=True)
class Place:
    """Where a layer stands: whether a network input reaches it, and what is folded where.

    `folds_in` is the batch normalisation that the hardware folds into the layer; a layer that
    `is_folded` is such a batch normalisation itself.
    """

    is_first: bool = False
    folds_in: LayerFacts | None = None
    is_folded: bool = False


def _activation(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    # What QTools cannot read is the default; an activation that it can overrules the result.
    return Inferred(settings.result)


def _passed(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    return Inferred(edges[0].kind)


_RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(kinds.CONTRACTIONS, contraction),
    **dict.fromkeys(kinds.SELF_FOLDING, self_folding),
    **dict.fromkeys(kinds.NORMALIZATIONS, normalization),
    **dict.fromkeys(MERGES, merge),
    **dict.fromkeys(kinds.POOLS, average),
    **dict.fromkeys(kinds.ACTIVATIONS, _activation),
    **dict.fromkeys((*kinds.SELECTORS, *kinds.UPSAMPLINGS), _passed),
}
"""The layers that QTools can parse; what others take goes through them."""


@lru_cache(maxsize=4096)
def describe(
    layer: LayerFacts, edges: tuple[Edge, ...], settings: Settings, place: Place
) -> Record:
    """The record of one layer; networks repeat their layers, so it is remembered.

    Raises:
        QToolsError: QTools has no answer here.

    """
    if layer.unknown:
        raise QToolsError(layer.unknown)
    if not edges:
        message = "no tensor of a known format reaches it"
        raise QToolsError(message)
    inferred = _infer(layer, edges, settings, place)
    is_activated = is_supported(layer.activation) and not settings.for_reference
    output = datatype(layer.activation) if is_activated else passed_on(inferred.result)
    count = operation_count(layer, edges)
    reads = zip(layer.input_shapes, edges, strict=False)
    return Record(
        kind=layer.kind,
        inputs=tuple([edge.kind for edge in edges]),
        output=output,
        output_shape=edges[0].shape if layer.kind in kinds.NORMALIZATIONS else layer.output_shape,
        operation_count=count,
        parts=inferred.parts,
        reads=tuple([Stored(math.prod(shape), edge.kind.bits) for shape, edge in reads]),
        parameters=inferred.parameters,
        work=inferred.work,
        repetitions=inferred.repetitions * count,
        multiplies_first=layer.kind in PRICED,
        failure=inferred.failure or count_failure(layer, edges),
    )


def _infer(layer: LayerFacts, edges: Sequence[Edge], settings: Settings, place: Place) -> Inferred:
    if place.folds_in is not None and layer.kind in kinds.CONTRACTIONS:
        return fused_contraction(layer, edges, settings, place.folds_in)
    if place.is_folded:
        return fused_normalization(layer, edges, settings, first=place.is_first)
    rule = _RULES.get(layer.kind)
    if rule is not None:
        return rule(layer, edges, settings)
    is_replaced = settings.for_reference and settings.keras_accumulator and not place.is_first
    return Inferred(settings.result if is_replaced else edges[0].kind)
