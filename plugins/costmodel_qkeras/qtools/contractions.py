"""Dense and convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import evolve, frozen

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.datatypes import Datatype, Mode, datatype, is_supported
from costmodel_qkeras.qtools.errors import TagMissingError
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Settings
from costmodel_qkeras.qtools.operations import Operation
from costmodel_qkeras.qtools.products import multiply
from costmodel_qkeras.qtools.records import Inferred, Part, Stored, Work
from costmodel_qkeras.qtools.sums import accumulate, add
from costmodel_qkeras.quantizers import Quantizer


@frozen
class Operands:
    """The datatypes of kernel and bias; None where there is no bias."""

    weight: Datatype
    bias: Datatype | None

    @classmethod
    def of(cls, layer: LayerFacts, settings: Settings) -> Operands:
        """What a layer declares, with its distinct values where they are constants."""
        weight, bias = declared(layer, settings)
        if settings.is_inference:
            weight, bias = known_values(weight, layer, 0), known_values(bias, layer, 1)
        return cls(weight, bias if layer.use_bias else None)

    def parts(self, layer: LayerFacts) -> list[tuple[str, Part]]:
        """Their entries; QTools takes the kernel's last axis for the size of the bias."""
        parts = [("weight_quantizer", Part(self.weight, layer.kernel_shape))]
        if self.bias is None:
            return parts
        return [*parts, ("bias_quantizer", Part(self.bias, layer.kernel_shape[-1]))]

    def stored(self, layer: LayerFacts) -> tuple[Stored, ...]:
        """Both as tensors in memory."""
        kernel = Stored(math.prod(layer.kernel_shape), self.weight.bits)
        if self.bias is None:
            return (kernel,)
        return (kernel, Stored(layer.kernel_shape[-1], self.bias.bits))


def declared(layer: LayerFacts, settings: Settings) -> tuple[Datatype, Datatype]:
    """The datatypes of kernel and bias.

    Raises:
        TagMissingError: QTools knows no datatype for a quantizer of weights.

    """
    if settings.overrides(layer):
        return settings.parameter, settings.parameter
    weight, bias = layer.quantizer(0), layer.quantizer(1)
    for quantizer in (weight, bias):
        if quantizer is not None and not is_supported(quantizer):
            message = f"QTools raises TagMissingError: weights of {quantizer.name}"
            raise TagMissingError(message)
    return datatype(weight), datatype(bias)


def known_values(kind: Datatype, layer: LayerFacts, index: int) -> Datatype:
    """A power of two with the number of its distinct constants."""
    if kind.mode is not Mode.PO2 or index >= len(layer.distinct_values):
        return kind
    return evolve(kind, distinct_values=layer.distinct_values[index])


def terms(layer: LayerFacts) -> int:
    """The products per output: all of a kernel but its last axis, or just the window."""
    kernel = layer.kernel_shape
    return math.prod(kernel[:-2] if layer.kind in kinds.DEPTHWISE else kernel[:-1])


def with_bias(total: Operation, bias: Datatype | None) -> Operation:
    """The accumulator after the bias."""
    return total if bias is None else add(total.output, bias)


def contraction(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    """A dense or convolution layer."""
    operands = Operands.of(layer, settings)
    multiplier = multiply(operands.weight, edges[0].kind)
    accumulator = with_bias(accumulate(multiplier.output, terms(layer)), operands.bias)
    fused, failure = accumulator, None
    if settings.overrides(layer):
        multiplier = multiplier.yielding(settings.result)
        accumulator = fused = accumulator.yielding(settings.result)
    elif is_scaled(layer.quantizer(0)):
        widened = shifted(multiplier, layer.quantizer(0))
        if widened is not multiplier:
            fused = with_bias(accumulate(widened.output, terms(layer)), operands.bias)
        failure = _scaling_failure(layer)
    operations = operation_parts(
        multiplier=multiplier, accumulator=accumulator, fused_accumulator=fused
    )
    return Inferred(
        accumulator.output, (*operands.parts(layer), *operations), operands.stored(layer),
        work(layer, multiplier, accumulator), 1, failure,
    )  # fmt: skip


def operation_parts(**operations: Operation) -> list[tuple[str, Part]]:
    """The entries of operations by their names."""
    return [(name, Part.of(operation)) for name, operation in operations.items()]


def work(layer: LayerFacts, multiplier: Operation, accumulator: Operation) -> tuple[Work, ...]:
    """A multiplication and an addition as wide as the sum; a transposed layer works for free."""
    if layer.kind in kinds.TRANSPOSED:
        return ()
    total = accumulator.output
    addition = Operation(total, accumulator.implementation, 1.0, total.bits)
    return (Work.of(multiplier), Work.of(addition))


# ------------------------------------------------------------------ scales


def is_scaled(quantizer: Quantizer | None) -> bool:
    """Whether QTools corrects for an `auto_po2` scale; a layer turns no scale into that."""
    return (
        quantizer is not None
        and quantizer.name == "quantized_bits"
        and quantizer.get("alpha") in {None, "auto_po2"}
    )


def shifted(operation: Operation, quantizer: Quantizer | None) -> Operation:
    """A multiplication wide enough for the `auto_po2` scales of all channels."""
    if quantizer is None or quantizer.shifts is None or not is_scaled(quantizer):
        return operation
    low, high = quantizer.shifts
    kind = operation.output
    widened = evolve(kind, bits=kind.bits + high - low, int_bits=kind.int_bits + high)
    return operation.yielding(widened)


def _scaling_failure(layer: LayerFacts) -> str | None:
    if layer.kind in kinds.DEPTHWISE and layer.kernel_shape[-1] != 1:
        return "AssertionError: a scaled depthwise kernel with a depth multiplier above 1"
    return None
