"""Weights that are constants at inference: how many distinct values they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.datatypes import Mode, datatype, is_supported
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import LayerFacts

_SHOWN = "{:.6g}"


def distinct_values(layer: str, facts: LayerFacts, weights: Sequence[Any]) -> tuple[int, ...]:
    """The number of distinct values of each weight.

    Raises:
        QToolsError: a weight is not the power of two that its quantizer claims it to be.

    """
    import numpy as np  # noqa: PLC0415  # only where weights are looked at

    values = [np.unique(weight) for weight in weights]
    for index, (name, quantizer) in _quantizers(facts, len(values)).items():
        if is_supported(quantizer) and datatype(quantizer).mode is Mode.PO2:
            _check_powers(layer, name, str(quantizer), values[index])
    return tuple(value.size for value in values)


def _quantizers(facts: LayerFacts, count: int) -> Mapping[int, tuple[str, Any]]:
    """The quantizers of weights that QTools takes for constants, by the place of the weight."""
    if facts.quantizers is None or not count:
        return {}
    if facts.kind in kinds.NORMALIZATIONS:
        gamma = {0: ("gamma_quantizer", facts.quantizer(0))} if facts.scale else {}
        return gamma | {count - 1: ("variance_quantizer", facts.quantizer(3))}
    bias = {1: ("bias_quantizer", facts.quantizer(1))} if facts.use_bias and count > 1 else {}
    kernel = "depthwise_quantizer" if "Depthwise" in facts.kind else "kernel_quantizer"
    return {0: (kernel, facts.quantizer(0))} | bias


def _check_powers(layer: str, name: str, quantizer: str, values: Any) -> None:
    for value in values.tolist():
        # Zero is a pruned weight.
        if value and abs(value).hex().partition("p")[0] != "0x1.0000000000000":
            message = (
                f"layer {layer!r}: {name!r} is {quantizer}, but a weight is "
                f"{_SHOWN.format(value)}, which is not a power of two; "
                "quantise the weights first (qkeras.utils.model_save_quantized_weights)"
            )
            raise QToolsError(message)
