"""The operators of ONNX Runtime: fused and quantised ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel_onnx.nodes import OnnxNode, trained
from costmodel_onnx.operators import quantization, windows
from costmodel_onnx.operators.contractions import convolved, product, with_bias
from costmodel_onnx.operators.movements import concatenated, padded
from costmodel_onnx.operators.quantization import (
    UINT8,
    blocked,
    dequantized_by_scale,
    in_format,
    packed_elements,
)
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.operations.work import Value

DOMAIN: Final = "com.microsoft"


def named(*operators: str) -> list[str]:
    """The names of operators of this domain."""
    return [f"{DOMAIN}::{operator}" for operator in operators]


def bare(node: OnnxNode) -> str:
    """The name of the operator without its domain."""
    return node.operator.rpartition("::")[2]


# ------------------------------------------------------------------ quantised twins


@translates(*named("QuantizeLinear"))
def quantize(node: OnnxNode) -> Value:
    """That of ONNX, for more formats."""
    return quantization.quantize(node)


@translates(*named("DequantizeLinear"))
def dequantize(node: OnnxNode) -> Value:
    """That of ONNX, for more formats."""
    return quantization.dequantize(node)


def _zero(node: OnnxNode, place: int) -> Any:
    """The format of a result: that of its zero point, else that of the first input."""
    zero = node.optional(place)
    return (node.input(0).format if zero is None else zero.format) or UINT8


@translates(*named("QGemm"))
def quantized_gemm(node: OnnxNode) -> Value:
    """A product of quantised matrices with an addend; without a scale of its own it is real."""
    made = product(node, node.input(0), node.input(3), node.present_input(6))
    if node.optional(7) is None:
        return dequantized_by_scale(node, made)
    return in_format(node, made, _zero(node, 8))


@translates(*named("QLinearConv"))
def linear_conv(node: OnnxNode) -> Value:
    """A convolution of quantised numbers, whose channels may be the last axis."""
    image, kernel = node.input(0), node.input(3)
    if not node.attribute("channels_last", 0):
        return quantization.linear_conv(node)
    order = [0, image.rank - 1, *range(1, image.rank - 1)]
    turned = node.add("transpose", image, order=order)
    made = convolved(node, turned, kernel, node.present_input(8))
    back = node.add("transpose", made, order=[0, *range(2, image.rank), 1])
    return in_format(node, back, _zero(node, 7))


_TWO: Final[Mapping[str, str]] = {"QLinearAdd": "add", "QLinearMul": "multiply"}


@translates(*named(*_TWO))
def linear_of_two(node: OnnxNode) -> Value:
    """Sums and products of quantised numbers of two scales."""
    function = _TWO[bare(node)]
    made = node.add("elementwise", node.input(0), node.input(3), function=function)
    return in_format(node, made, _zero(node, 7))


@translates(*named("QLinearWhere"))
def linear_where(node: OnnxNode) -> Value:
    """Elements of one quantised operand or the other."""
    made = node.add("elementwise", node.input(0), node.input(1), node.input(4), function="select")
    return in_format(node, made, node.input(1).format)


_CURVES: Final[Mapping[str, str]] = {"QLinearSigmoid": "sigmoid", "QLinearLeakyRelu": "leaky_relu"}


@translates(*named(*_CURVES))
def linear_curve(node: OnnxNode) -> Value:
    """A function of quantised numbers."""
    made = node.add("activation", node.input(0), function=_CURVES[bare(node)])
    return in_format(node, made, _zero(node, 4))


@translates(*named("QLinearSoftmax"))
def linear_softmax(node: OnnxNode) -> Value:
    """A softmax of quantised numbers."""
    value = node.input(0)
    axis = int(node.attribute("axis", -1))
    is_one = int(node.attribute("opset", 13)) >= _ONE_AXIS
    axes = [axis] if is_one else list(range(value.axis(axis), value.rank))
    return in_format(node, node.add("softmax", value, axes=axes), _zero(node, 4))


_ONE_AXIS: Final = 13


@translates(*named("QLinearGlobalAveragePool"))
def linear_global_pool(node: OnnxNode) -> Value:
    """The mean of each channel of quantised numbers."""
    value = node.input(0)
    last = bool(node.attribute("channels_last", 0))
    axes = list(range(1, value.rank - 1) if last else range(2, value.rank))
    made = node.add("reduce", value, function="mean", axes=axes, keep_axes=True)
    return in_format(node, made, _zero(node, 4))


@translates(*named("QLinearAveragePool"))
def linear_average_pool(node: OnnxNode) -> Value:
    """The mean of each window of quantised numbers."""
    last = bool(node.attribute("channels_last", 0))
    more = {"input_layout": "N*C"} if last else {}
    return in_format(node, windows.pooled(node, node.input(0), "mean", **more), _zero(node, 4))


@translates(*named("NhwcMaxPool"))
def max_pool_channels_last(node: OnnxNode) -> Value:
    """The largest element of each window, with channels last."""
    return windows.pooled(node, node.input(0), "max", input_layout="N*C")


@translates(*named("QLinearReduceMean"))
def linear_reduce_mean(node: OnnxNode) -> Value:
    """Means of quantised numbers."""
    axes = node.attribute("axes")
    keeps = bool(node.attribute("keepdims", 1))
    made = node.add("reduce", node.input(0), function="mean", axes=axes, keep_axes=keeps)
    return in_format(node, made, _zero(node, 4))


@translates(*named("QLinearConcat"))
def linear_concat(node: OnnxNode) -> Value:
    """Quantised values one after the other; each has a scale and zero point behind it."""
    values = [value for value in node.inputs[2::3] if value is not None]
    zero = node.optional(1)
    made = concatenated(node, values, int(node.attribute("axis", 0)))
    if made.format is None:
        made.format = values[0].format if zero is None else zero.format
    return made


@translates(*named("MatMulIntegerToFloat"))
def matmul_integer_to_float(node: OnnxNode) -> Value:
    """A product of quantised matrices as real numbers."""
    made = product(node, node.input(0), node.input(1))
    return _with_bias(node, dequantized_by_scale(node, made), node.present_input(6))


@translates(*named("DynamicQuantizeMatMul"))
def dynamic_quantize_matmul(node: OnnxNode) -> Value:
    """A product with a matrix that is quantised beforehand, of one that is quantised now."""
    value = _quantized_now(node, node.input(0))
    made = dequantized_by_scale(node, product(node, value, node.input(1)))
    return _with_bias(node, made, node.present_input(4))


def _quantized_now(node: OnnxNode, value: Value) -> Value:
    """A value in uint8, by a scale from its range."""
    for function in ("min", "max"):
        node.add("reduce", value, function=function)
    return node.add("quantize", value, formats=[UINT8])


def _with_bias(node: OnnxNode, value: Value, bias: Value | None) -> Value:
    trained(bias)
    return value if bias is None else node.add("elementwise", value, bias, function="add")


@translates(*named("MatMulNBits"))
def matmul_of_few_bits(node: OnnxNode) -> Value:
    """A product with weights of few bits in blocks, each of which has a scale."""
    value = node.input(0)
    deep, wide = int(node.attribute("K", 0)), int(node.attribute("N", 0))
    bits, length = int(node.attribute("bits", 4)), int(node.attribute("block_size", 32))
    packed = node.input(1)
    if packed_elements(packed.shape, bits) < deep * wide:
        node.refuse(f"{packed.shape!r:.80} bytes do not hold {deep} x {wide} of {bits} bits")
    number = blocked(packed, bits, length, node.input(2), node.present_input(3))
    weight = unpacked(node, packed, (wide, deep), number)
    return product(node, value, weight, node.present_input(5), transpose_right=True)


def unpacked(node: OnnxNode, packed: Value, shape: tuple[int, ...], number: NumericFormat) -> Value:
    """The elements that bytes hold; those of a constant stay packed."""
    if packed.is_constant:
        return node.graph.constant(packed.name, shape, number, is_parameter=True)
    return node.add("rearrange", packed, purpose="conversion", shapes=[shape], formats=[number])


@translates(*named("MatMulBnb4", "MatMulFpQ4"))
def matmul_in_blocks(node: OnnxNode) -> Value:
    """A product with weights of four bits in blocks."""
    deep, wide = node.attribute("K"), node.attribute("N")
    if deep is None or wide is None:
        wide, deep = node.numbers(2, "the shape of the weights")[::-1][:2]
    length = int(node.attribute("block_size", 32))
    packed = node.input(1)
    number = blocked(packed, 4, length, node.input(0), None)
    weight = unpacked(node, packed, (int(wide), int(deep)), number)
    return product(node, node.input(0), weight, transpose_right=True)


# ------------------------------------------------------------------ fused ones


def activated(node: OnnxNode, value: Value, function: str) -> Value:
    """A result with the function that is fused with it, in place."""
    names = {"": "", "Clip": "clip", "HardSigmoid": "hard_sigmoid", "LeakyRelu": "leaky_relu"}
    own = names.get(function, function.lower())
    return node.add("activation", value, function=own, in_place=True) if own else value


@translates(*named("FusedConv", "NhwcFusedConv"))
def fused_conv(node: OnnxNode) -> Value:
    """A convolution, the addition of another value, and a function."""
    image, kernel = node.input(0), node.input(1)
    is_last = bare(node) == "NhwcFusedConv"
    if is_last:
        image = node.add("transpose", image, order=[0, image.rank - 1, *range(1, image.rank - 1)])
    made = convolved(node, image, kernel, node.present_input(2))
    if is_last:
        made = node.add("transpose", made, order=[0, *range(2, image.rank), 1])
    if node.present_input(3) is not None:
        made = node.add("elementwise", made, node.input(3), function="add", in_place=True)
    return activated(node, made, str(node.attribute("activation", "")))


@translates(*named("FusedGemm"))
def fused_gemm(node: OnnxNode) -> Value:
    """A product with an addend, and a function."""
    made = product(
        node, node.input(0), node.input(1), node.present_input(2),
        alpha=float(node.attribute("alpha", 1.0)), beta=float(node.attribute("beta", 1.0)),
    )  # fmt: skip
    return activated(node, made, str(node.attribute("activation", "")))


@translates(*named("FusedMatMul", "TransposeMatMul", "FusedMatMulActivation", "GemmFloat8"))
def fused_matmul(node: OnnxNode) -> Value:
    """A product whose operands may be transposed, along with axes of the batch."""
    values = []
    for place, side in ((0, "A"), (1, "B")):
        value = node.input(place)
        if node.attribute(f"transBatch{side}", 0) and value.rank > 2:  # noqa: PLR2004  # a batch
            order = [*range(1, value.rank - 1), 0, value.rank - 1]
            value = node.add("transpose", value, order=order)
        values.append(value)
    made = product(
        node, values[0], values[1], node.present_input(2) if bare(node) == "GemmFloat8" else None,
        alpha=float(node.attribute("alpha", 1.0)),
    )  # fmt: skip
    return activated(node, made, str(node.attribute("activation", "")))


@translates(*named("Gelu", "FastGelu", "BiasGelu", "QuickGelu"))
def gelu(node: OnnxNode) -> Value:
    """GELU in several forms, of a value with or without a bias."""
    function = {"FastGelu": "gelu_approximate", "QuickGelu": "quick_gelu"}.get(bare(node), "gelu")
    value = _with_bias(node, node.input(0), node.present_input(1))
    return node.add("activation", value, function=function)


@translates(*named("BiasSplitGelu", "BiasAdd"))
def biased(node: OnnxNode) -> Value:
    """A bias, and for one a value that is gated by GELU of its other half."""
    made = _with_bias(node, node.input(0), node.input(1))
    if bare(node) == "BiasAdd":
        return node.add("elementwise", made, node.input(2), function="add")
    half = made.shape[-1] // 2
    value, gate = node.graph.all_of("split", made, sizes=[half, half], axis=made.rank - 1)
    gate = node.add("activation", gate, function="gelu")
    return node.add("elementwise", value, gate, function="multiply")


@translates(*named("Inverse"))
def inverse(node: OnnxNode) -> Value:
    """The inverse of each matrix: a multiply-add for each cube of its sides."""
    value = node.input()
    return node.add("elementwise", value, function="affine", steps=value.shape[-1])


@translates(*named("Pad"))
def pad(node: OnnxNode) -> Value:
    """That of ONNX, whose padding may be data."""
    value = node.input()
    pads = node.numbers(1, "the padding")
    half = len(pads) // 2
    return padded(node, value, list(zip(pads[:half], pads[half:], strict=True)))


@translates(*named("GridSample"))
def grid_sample(node: OnnxNode) -> Value:
    """That of ONNX."""
    return windows.grid_sample(node)


@translates(*named("ConvTransposeWithDynamicPads"))
def conv_transpose(node: OnnxNode) -> Value:
    """A transposed convolution whose padding is an input."""
    image, kernel = node.input(0), node.input(1)
    pads = node.numbers(2, "the padding") if node.present_input(2) else [0] * 2 * (image.rank - 2)
    half = len(pads) // 2
    return with_bias(
        node, "conv_transpose", image, kernel, node.present_input(3),
        stride=node.attribute("strides") or 1, dilation=node.attribute("dilations") or 1,
        output_padding=node.attribute("output_padding") or 0,
        padding=list(zip(pads[:half], pads[half:], strict=True)),
        groups=node.attribute("group", 1),
    )  # fmt: skip


@translates(*named("GatherBlockQuantized"))
def gather_quantized(node: OnnxNode) -> Value:
    """Rows of a table of few bits in blocks."""
    table = node.input(0)
    bits = int(node.attribute("bits", 4))
    is_packed = table.format == UINT8
    width = packed_elements((table.shape[-1],), bits) if is_packed else table.shape[-1]
    number = blocked(table, bits, int(node.attribute("block_size", 128)), node.input(2), None)
    held = unpacked(node, table, (*table.shape[:-1], width), number)
    return node.add("embedding", held, node.input(1), axis=int(node.attribute("gather_axis", 0)))
