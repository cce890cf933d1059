"""QONNX and FINN: quantisers whose widths are data, and thresholds."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from costmodel.formats import (
    OTHER_FLOATS,
    Binary,
    FixedPoint,
    FloatingPoint,
    MixedPrecision,
    NumericFormat,
    Ternary,
    parse_format,
)
from costmodel_onnx.operators.quantization import quantized
from costmodel_onnx.operators.statistics import batch_normalization
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode

DOMAINS: Final = ("onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general")
"""Where exporters and versions put the same operators."""


def everywhere(operator: str) -> list[str]:
    """The names of an operator in the three domains."""
    return [f"{domain}::{operator}" for domain in DOMAINS]


def number_of_bits(node: OnnxNode, bits: float, *, signed: bool, narrow: bool) -> NumericFormat:
    """The format of a number of bits, which need not be whole.

    Storage is rounded up to whole bits, and arithmetic is as large as the fraction asks.
    """
    if bits == 1:
        return Binary(zero_one=not signed)
    if bits == 2 and signed and narrow:  # noqa: PLR2004  # -1, 0 and 1
        return Ternary()
    width = math.ceil(bits)
    whole = FixedPoint(width, width - signed, signed)
    if width == bits:
        return whole
    node.graph.notes.append(
        f"node {node.name!r:.80} of {node.operator}: {bits:g} bits are stored as {width}, and "
        f"priced as {bits:g}"
    )
    return MixedPrecision(whole, Fraction(str(bits)), packed=False)


@translates(*everywhere("Quant"), *everywhere("IntQuant"))
def quant(node: OnnxNode) -> Value:
    """Elements rounded to a number of bits, which is a constant of the file.

    Where channels differ, the widest holds all and the mean is priced.
    """
    bits = node.data(3, "the number of bits").reshape(-1)
    signed, narrow = bool(node.attribute("signed", 1)), bool(node.attribute("narrow", 0))
    widths = sorted({float(one) for one in bits})
    if not widths or not all(0 < one <= _MOST_BITS for one in widths):
        node.refuse(f"bits are {widths!r:.80}; expected numbers above 0, at most {_MOST_BITS}")
    if len(widths) == 1:
        return _kept(node, number_of_bits(node, widths[0], signed=signed, narrow=narrow))
    width = math.ceil(widths[-1])
    mean = Fraction(str(sum(map(float, bits)))) / len(bits)
    number = MixedPrecision(FixedPoint(width, width - signed, signed), mean)
    return _kept(node, number)


_MOST_BITS: Final = 64


def _kept(node: OnnxNode, number: NumericFormat) -> Value:
    """The value in a format: a constant is stored so, and an activation is what follows."""
    value = node.input(0)
    if value.is_constant and value.size > 1:
        value.is_parameter = True
    made = quantized(node, value, number)
    return made if value.is_constant else node.add("dequantize", made)


@translates(*everywhere("BipolarQuant"))
def bipolar_quant(node: OnnxNode) -> Value:
    """Signs."""
    return _kept(node, Binary())


@translates(*everywhere("Trunc"))
def trunc(node: OnnxNode) -> Value:
    """Elements without their lowest bits: the width of the result is a constant of the file."""
    bits = float(node.data(4, "the number of bits").reshape(-1)[0])
    signed = bool(node.attribute("signed", 1))
    if not 0 < bits <= _MOST_BITS:
        node.refuse(f"bits are {bits:g}; expected a number above 0, at most {_MOST_BITS}")
    return _kept(node, number_of_bits(node, bits, signed=signed, narrow=False))


@translates(*everywhere("FloatQuant"))
def float_quant(node: OnnxNode) -> Value:
    """Elements rounded to a floating point of its own exponent and mantissa."""
    exponent = math.ceil(float(node.data(2, "the bits of the exponent").reshape(-1)[0]))
    mantissa = math.ceil(float(node.data(3, "the bits of the mantissa").reshape(-1)[0]))
    if not (0 <= exponent <= _MOST_BITS and 0 <= mantissa <= _MOST_BITS):
        node.refuse(f"an exponent of {exponent} and a mantissa of {mantissa} bits")
    return _kept(node, _floating(node, exponent, mantissa))


def _floating(node: OnnxNode, exponent: int, mantissa: int) -> NumericFormat:
    """The narrowest known format that has these parts."""
    known = [*OTHER_FLOATS.values(), (16, 5), (32, 8), (64, 11)]
    fits = [(bits, own) for bits, own in known if own >= exponent and bits - 1 - own >= mantissa]
    bits, own = min(fits, default=(64, 11))
    number = FloatingPoint(bits, own)
    if bits != 1 + exponent + mantissa:
        node.graph.notes.append(
            f"node {node.name!r:.80} of {node.operator}: {1 + exponent + mantissa} bits are stored "
            f"and priced as {number}"
        )
    return number


@translates(*everywhere("MultiThreshold"))
def multi_threshold(node: OnnxNode) -> Value:
    """How many thresholds of its channel an element reaches: a comparison for each."""
    value, thresholds = node.input(0), node.input(1)
    thresholds.is_parameter = True
    count = thresholds.shape[-1]
    made = node.add("elementwise", value, function="compare", steps=max(count, 1))
    number = _finn_format(str(node.attribute("out_dtype", "")), count)
    return quantized(node, made, number)


def _finn_format(text: str, count: int) -> NumericFormat:
    """The format that FINN names, or what counts so many thresholds."""
    named = {"BIPOLAR": Binary(), "TERNARY": Ternary(), "BINARY": Binary(zero_one=True)}
    if text in named:
        return named[text]
    digits = text.removeprefix("U").removeprefix("INT")
    if digits.isdigit() and 1 <= int(digits) <= _MOST_BITS:
        return parse_format(f"{'u' if text.startswith('U') else ''}int{int(digits)}")
    width = max(count.bit_length(), 1)
    return FixedPoint(width, width, signed=False)


@translates(*everywhere("QuantAvgPool2d"))
def quant_average_pool(node: OnnxNode) -> Value:
    """Sums of windows, without their lowest bits."""
    side, step = int(node.attribute("kernel", 1)), int(node.attribute("stride", 1))
    layout = "NC*" if node.attribute("data_layout", "NCHW") == "NCHW" else "N*C"
    made = node.add(
        "pool", node.input(0), function="mean", window=side, stride=step, input_layout=layout
    )
    signed, bits = bool(node.attribute("signed", 0)), int(node.attribute("obits", 8))
    return quantized(node, made, FixedPoint(bits, bits - signed, signed))


@translates(*everywhere("BatchNormalization"))
def own_batch_normalization(node: OnnxNode) -> Value:
    """That of ONNX."""
    return batch_normalization(node)
