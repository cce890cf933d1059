"""Contractions that a batch normalisation is folded into."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import evolve

from costmodel_qkeras.qtools.contractions import (
    Operands,
    declared,
    known_values,
    operation_parts,
    shifted,
    terms,
    with_bias,
    work,
)
from costmodel_qkeras.qtools.datatypes import Datatype, Mode
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Settings
from costmodel_qkeras.qtools.normalization import Scales
from costmodel_qkeras.qtools.operations import Operation
from costmodel_qkeras.qtools.products import multiply
from costmodel_qkeras.qtools.records import Inferred, Part
from costmodel_qkeras.qtools.sums import accumulate, add

_INVERSE = 4
"""Place of the quantizer of the inverse deviation in a batch normalisation."""


def fused_contraction(
    layer: LayerFacts, edges: Sequence[Edge], settings: Settings, normalization: LayerFacts
) -> Inferred:
    """A contraction with the batch normalisation that the hardware folds into it."""
    operands = Operands.of(layer, settings)
    is_overridden = settings.overrides(layer)
    own = None if is_overridden else layer.quantizer(0)
    multiplier = shifted(multiply(operands.weight, edges[0].kind), own)
    kernel_sum = accumulate(multiplier.output, terms(layer))
    accumulator = with_bias(kernel_sum, operands.bias)
    if is_overridden:
        # Without a bias QTools overwrites the very accumulator that the folding then reads.
        kernel_sum = kernel_sum if layer.use_bias else kernel_sum.yielding(settings.result)
        multiplier = multiplier.yielding(settings.result)
        accumulator = accumulator.yielding(settings.result)
    scales = Scales.of(normalization, edges[0].kind, settings)
    fused = _folded(normalization, kernel_sum.output, operands.bias, scales)
    if is_overridden:
        fused = fused.yielding(settings.result)
    parts = [
        *operands.parts(layer),
        *operation_parts(multiplier=multiplier, accumulator=accumulator),
        ("bn_beta_quantizer", Part(scales.beta)),
        ("bn_mean_quantizer", Part(scales.mean)),
        ("bn_inverse_quantizer", Part(scales.inverse)),
        *operation_parts(fused_accumulator=fused),
    ]
    return Inferred(
        fused.output, tuple(parts), operands.stored(layer),
        work(layer, multiplier, accumulator), 1,
    )  # fmt: skip


def _folded(
    normalization: LayerFacts, total: Datatype, bias: Datatype | None, scales: Scales
) -> Operation:
    """The operation inverse * x + (inverse * bias - inverse * mean + beta)."""
    if scales.inverse.mode is Mode.FLOAT:
        message = "QTools raises AssertionError: the inverse deviation is floating point"
        raise QToolsError(message)
    quantizer = normalization.quantizer(_INVERSE)
    scaled = shifted(multiply(scales.inverse, total), quantizer)
    offset = shifted(multiply(scales.inverse, scales.mean), quantizer).output
    if bias is not None:
        offset = add(shifted(multiply(scales.inverse, bias), quantizer).output, offset).output
    if normalization.center:
        offset = add(offset, scales.beta).output
    return add(scaled.output, offset)


def fused_normalization(
    layer: LayerFacts, edges: Sequence[Edge], settings: Settings, *, first: bool
) -> Inferred:
    """A batch normalisation that lives in the layer before it, and passes its input on."""
    is_replaced = settings.for_reference and settings.keras_accumulator and not first
    failure = "KeyError: 'gamma_quantizer', which a fused batch normalisation does not have"
    return Inferred(settings.result if is_replaced else edges[0].kind, failure=failure)


def self_folding(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    """A convolution that folds its own batch normalisation; QTools prices nothing of it."""
    is_overridden = settings.overrides(layer)
    weight, bias = declared(layer, settings)
    has_bias = is_overridden or layer.quantizer(1) is not None
    if settings.is_inference:
        weight = known_values(weight, layer, 0)
        bias = known_values(bias, layer, 1) if has_bias else bias
    own = None if is_overridden else layer.quantizer(0)
    multiplier = shifted(multiply(weight, edges[0].kind), own)
    count = math.prod(layer.kernel_shape[:-1]) + int(has_bias)
    accumulator = accumulate(multiplier.output, count)
    if not has_bias:
        bias, accumulator = accumulator.output, _one_more(accumulator)
    if is_overridden:
        multiplier = multiplier.yielding(settings.result)
        accumulator = accumulator.yielding(settings.result)
    parts = operation_parts(multiplier=multiplier, accumulator=accumulator)
    return Inferred(accumulator.output, (*Operands(weight, bias).parts(layer), *parts))


def _one_more(accumulator: Operation) -> Operation:
    """An accumulator with a digit more, unless it is floating point."""
    kind = accumulator.output
    if kind.mode is Mode.FLOAT:
        return accumulator
    return accumulator.yielding(evolve(kind, bits=kind.bits + 1, int_bits=kind.int_bits + 1))
