"""Formats in the graph: quantised tensors, and operators that work on them.

Scales and zero points say what the numbers of a tensor stand for. They are part of its format,
and no operands.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.formats import (
    FLOAT32,
    BlockFormat,
    FixedPoint,
    FloatingPoint,
    NumericFormat,
    parse_format,
)
from costmodel.frontend.evaluation import LARGEST
from costmodel.frontend.operations.work import Value
from costmodel_onnx.nodes import trained
from costmodel_onnx.operators.contractions import convolved, product
from costmodel_onnx.operators.table import translates
from costmodel_onnx.tensors import number_of

if TYPE_CHECKING:
    from costmodel_onnx.nodes import OnnxNode

UINT8: Final = parse_format("uint8")
INT32: Final = parse_format("int32")


@translates("QuantizeLinear")
def quantize(node: OnnxNode) -> Value:
    """Elements in the format of the zero point."""
    number = _in_blocks(node, _stored(node), node.input(1))
    return quantized(node, node.input(0), number)


def _stored(node: OnnxNode) -> NumericFormat:
    """The format in which a result is stored: that of the zero point, or uint8."""
    zero, stated = node.optional(2), int(node.attribute("output_dtype", 0))
    if zero is not None and zero.format is not None:
        return zero.format
    return (number_of(stated) if stated else None) or UINT8


def _in_blocks(node: OnnxNode, number: NumericFormat, scale: Value) -> NumericFormat:
    """The format with its scale, where blocks of elements share one."""
    length = int(node.attribute("block_size", 0))
    if length <= 0 or not isinstance(number, FixedPoint | FloatingPoint):
        return number
    zero = node.optional(2)
    bits = (scale.format or FLOAT32).bits
    return BlockFormat(number, length, bits + (0 if zero is None else number.bits))


def quantized(node: OnnxNode, value: Value, number: NumericFormat) -> Value:
    """A value in a format; a constant is stored in it."""
    if value.is_constant:
        made = node.add("identity", value)
        made.format = number
        return made
    return node.add("quantize", value, formats=[number])


@translates("DequantizeLinear")
def dequantize(node: OnnxNode) -> Value:
    """The numbers that quantised elements stand for; of a constant, the stored format is known."""
    value = node.input(0)
    if not value.is_constant:
        return node.add("dequantize", value)
    key = ("dequantized", *[id(one) for one in node.inputs], node.attribute("block_size", 0))
    made = node.constants.get(key)
    if made is None:
        number = value.format
        if number is not None:
            number = _in_blocks(node, number, node.input(1))
        made = Value(
            value.name, value.shape, number, _real(node), is_constant=True,
            is_parameter=value.size > 1,
        )  # fmt: skip
        node.constants[key] = made
    return made


def _real(node: OnnxNode) -> Any:
    """The numbers that small constants stand for, with one scale for all."""
    value, scale = node.input(0), node.input(1)
    if value.data is None or scale.data is None or scale.size != 1 or value.size > LARGEST:
        return None
    zero = node.optional(2)
    offset = 0.0 if zero is None or zero.data is None else zero.data.astype(np.float32)
    return (value.data.astype(np.float32) - offset) * scale.data.astype(np.float32)


@translates("DynamicQuantizeLinear")
def dynamic_quantize(node: OnnxNode) -> list[Value]:
    """Elements in uint8, by a scale from their range: a comparison for each end."""
    value = node.input()
    lowest = node.add("reduce", value, function="min")
    highest = node.add("reduce", value, function="max")
    scale = node.add("elementwise", highest, lowest, function="subtract")
    zero = node.add("quantize", lowest, formats=[UINT8])
    return [node.add("quantize", value, formats=[UINT8]), scale, zero]


# ------------------------------------------------------------------ whole numbers


def in_format(node: OnnxNode, value: Value, number: NumericFormat | None) -> Value:
    """A result in the format in which an operator gives it."""
    return node.add("quantize", value, formats=[number or UINT8])


@translates("QLinearConv")
def linear_conv(node: OnnxNode) -> Value:
    """A convolution of quantised numbers, to quantised numbers."""
    image, kernel, zero = node.input(0), node.input(3), node.optional(7)
    made = convolved(node, image, kernel, node.present_input(8))
    return in_format(node, made, image.format if zero is None else zero.format)


@translates("ConvInteger")
def conv_integer(node: OnnxNode) -> Value:
    """A convolution of quantised numbers, to sums."""
    return convolved(node, node.input(0), node.input(1), None, formats=[INT32])


@translates("QLinearMatMul")
def linear_matmul(node: OnnxNode) -> Value:
    """A product of matrices of quantised numbers, to quantised numbers."""
    left, right, zero = node.input(0), node.input(3), node.optional(7)
    made = product(node, left, right)
    return in_format(node, made, left.format if zero is None else zero.format)


@translates("MatMulInteger")
def matmul_integer(node: OnnxNode) -> Value:
    """A product of matrices of quantised numbers, to sums."""
    return product(node, node.input(0), node.input(1), formats=[INT32])


def dequantized_by_scale(node: OnnxNode, sums: Value) -> Value:
    """Sums of products of quantised numbers as real ones: a multiplication for each."""
    return node.add("elementwise", sums, function="multiply", formats=[FLOAT32])


def blocked(weight: Value, bits: int, length: int, scale: Value, zero: Value | None) -> BlockFormat:
    """The format of weights that are packed in blocks which share a scale, and a zero point."""
    own = (scale.format or FLOAT32).bits + (0 if zero is None else bits)
    trained(weight)
    return BlockFormat(parse_format(f"int{bits}"), max(length, 1), own)


def packed_elements(shape: tuple[int, ...], bits: int) -> int:
    """The elements that bytes of this shape hold."""
    return math.prod(shape) * 8 // bits
