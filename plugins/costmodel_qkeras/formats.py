"""Quantizers as numeric formats: the one place where QKeras's names meet those of the core."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from attrs import field, frozen
from attrs.validators import in_

from costmodel.numerics import FixedPoint, NumericFormat
from costmodel_qkeras.quantizers import QuantizerError

if TYPE_CHECKING:
    from costmodel_qkeras.quantizers import Quantizer


@frozen
class PowerOfTwo(NumericFormat):
    """A power of two whose exponent is stored: never zero."""

    signed: bool = True
    max_exponent: int | None = None

    def __attrs_post_init__(self) -> None:
        """Check that there is a bit for the exponent."""
        if self.bits <= self.signed:
            message = f"bits is {self.bits}; expected one for the exponent beside the sign"
            raise ValueError(message)


@frozen
class Ternary(NumericFormat):
    """One of -1, 0 and +1."""

    bits: int = field(default=2, validator=in_([2]))


@frozen
class Binary(NumericFormat):
    """One of -1 and +1, or of 0 and 1."""

    bits: int = field(default=1, validator=in_([1]))
    zero_one: bool = False


def numeric_format(quantizer: Quantizer) -> NumericFormat:
    """The exact format of what a quantizer yields, before any scale.

    Raises:
        QuantizerError: no number can have this format.

    """
    try:
        return _FORMATS[quantizer.name](quantizer)
    except (ValueError, TypeError) as error:
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
