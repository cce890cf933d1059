"""Quantizers as numeric formats: the one place where QKeras's names meet those of the core."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from costmodel.errors import CostModelError
from costmodel.formats import Binary, FixedPoint, NumericFormat, PowerOfTwo, Ternary
from costmodel_qkeras.quantizers import QuantizerError

if TYPE_CHECKING:
    from costmodel_qkeras.quantizers import Quantizer


@lru_cache(maxsize=1024)
def numeric_format(quantizer: Quantizer) -> NumericFormat:
    """The exact format of what a quantizer yields, before any scale.

    Raises:
        QuantizerError: no number can have this format.

    """
    try:
        return _FORMATS[quantizer.name](quantizer)
    except (CostModelError, ValueError) as error:
        message = f"{quantizer}: {error}"
        raise QuantizerError(message) from None


def _bits(quantizer: Quantizer) -> NumericFormat:
    signed = bool(quantizer.get("keep_negative"))
    if quantizer.bits == 1 and signed:
        # Without a bit for the magnitude, QKeras yields the sign.
        return Binary()
    return FixedPoint(quantizer.bits, quantizer.integer, signed)


def _fixed(*, signed: bool) -> Callable[[Quantizer], NumericFormat]:
    return lambda quantizer: FixedPoint(quantizer.bits, quantizer.integer, signed)


def _relu(quantizer: Quantizer) -> NumericFormat:
    leaks = quantizer.number("negative_slope") != 0
    return FixedPoint(quantizer.bits, quantizer.integer, leaks)


def _po2(quantizer: Quantizer) -> NumericFormat:
    signed = quantizer.name == "quantized_po2" or quantizer.number("negative_slope") != 0
    cap = quantizer.max_value
    return PowerOfTwo(quantizer.bits, signed, None if cap is None else math.ceil(math.log2(cap)))


_FORMATS: Final[Mapping[str, Callable[[Quantizer], NumericFormat]]] = {
    "bernoulli": lambda _: Binary(zero_one=True),
    "binary": lambda quantizer: Binary(zero_one=bool(quantizer.get("use_01"))),
    "quantized_bits": _bits,
    "quantized_hswish": _fixed(signed=True),
    "quantized_linear": _bits,
    "quantized_po2": _po2,
    "quantized_relu": _relu,
    "quantized_relu_po2": _po2,
    "quantized_sigmoid": _fixed(signed=False),
    "quantized_tanh": _fixed(signed=True),
    "quantized_ulaw": _fixed(signed=True),
    "stochastic_binary": lambda _: Binary(),
    "stochastic_ternary": lambda _: Ternary(),
    "ternary": lambda _: Ternary(),
}
