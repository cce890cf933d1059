"""The operators of ONNX Runtime: fused and quantised ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.formats import FLOAT32
from costmodel_onnx.nodes import OnnxNode, trained
from costmodel_onnx.operators import movements, quantization, windows
from costmodel_onnx.operators.contractions import CHANNELS_LAST, convolved, product, with_bias
from costmodel_onnx.operators.movements import concatenated, padded
from costmodel_onnx.operators.quantization import (
    INT32,
    UINT8,
    blocked,
    dequantized_by_scale,
    in_format,
    packed_elements,
)
from costmodel_onnx.operators.recurrence import cells
from costmodel_onnx.operators.statistics import causal_conv, normalized
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
    made = convolved(node, image, kernel, node.present_input(8), input_layout=CHANNELS_LAST)
    return in_format(node, made, _zero(node, 7))


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
    more = {"input_layout": CHANNELS_LAST} if last else {}
    return in_format(node, windows.pooled(node, node.input(0), "mean", **more), _zero(node, 4))


@translates(*named("NhwcMaxPool"))
def max_pool_channels_last(node: OnnxNode) -> Value:
    """The largest element of each window, with channels last."""
    return windows.pooled(node, node.input(0), "max", input_layout=CHANNELS_LAST)


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
    value, scale, _ = quantization.dynamic_quantize(node)
    sums = product(node, value, node.input(1))
    made = node.add("elementwise", sums, scale, function="multiply", formats=[FLOAT32])
    return _with_bias(node, made, node.present_input(4))


def _with_bias(node: OnnxNode, value: Value, bias: Value | None) -> Value:
    trained(bias)
    return value if bias is None else node.add("elementwise", value, bias, function="add")


@translates(*named("DynamicQuantizeLSTM"))
def dynamic_quantize_lstm(node: OnnxNode) -> list[Value]:
    """An LSTM whose weights are quantised, and stand the other way round."""
    operands = [node.present_input(place) for place in range(8)]
    _, _, _, bias, _, start, start_of_cell, peepholes = operands
    node.graph.notes.append(
        f"node {node.name!r:.80} of {node.operator}: what it multiplies its weights by is "
        "quantised while it runs, and priced as float32"
    )
    return cells(node, "lstm", node.input(0), node.input(1), node.input(2), bias,
                 start=start, start_of_cell=start_of_cell, peepholes=peepholes)  # fmt: skip


@translates(*named("MatMulInteger16"))
def matmul_integer(node: OnnxNode) -> Value:
    """A product of quantised matrices, to sums."""
    return product(node, node.input(0), node.input(1), formats=[INT32])


@translates(*named("MulInteger"))
def multiply_integer(node: OnnxNode) -> Value:
    """Products of quantised numbers, whose zero points stand behind them."""
    return node.add(
        "elementwise", node.input(0), node.input(2), function="multiply", formats=[INT32]
    )


@translates(*named("ReduceSumInteger"))
def reduce_integer(node: OnnxNode) -> Value:
    """Sums of quantised numbers."""
    keeps = bool(node.attribute("keepdims", 1))
    return node.add(
        "reduce", node.input(0), function="sum", axes=node.attribute("axes"), keep_axes=keeps,
        formats=[INT32],
    )  # fmt: skip


@translates(*named("MatMulNBits"))
def matmul_of_few_bits(node: OnnxNode) -> Value:
    """A product with weights of few bits in blocks, each of which has a scale."""
    return _of_few_bits(
        node, node.input(0), (1, 2, 3, 5), (int(node.attribute("K", 0)), _width(node, "N"))
    )


@translates(*named("MatMulNBitsMlp"))
def gated_of_few_bits(node: OnnxNode) -> list[Value]:
    """Two products with weights of few bits, of which one gates the other."""
    value, summed = _skipped_and_normalized(node)
    shape = (value.shape[-1], _width(node, "N"))
    gate = _of_few_bits(node, value, (3, 4, None, 5), shape)
    gate = activated(node, gate, str(node.attribute("activation", "silu")))
    other = _of_few_bits(node, value, (6, 7, None, 8), shape)
    return [node.add("elementwise", gate, other, function="multiply"), summed]


@translates(*named("MatMulNBitsQkv"))
def projected_of_few_bits(node: OnnxNode) -> list[Value]:
    """Projections to queries, keys and values with weights of few bits."""
    value, summed = _skipped_and_normalized(node)
    made = [
        _of_few_bits(node, value, (place, place + 1, None, place + 2),
                     (value.shape[-1], _width(node, name)))
        for place, name in ((3, "Nq"), (6, "Nkv"), (9, "Nkv"))
    ]  # fmt: skip
    return [*made, summed]


def _width(node: OnnxNode, name: str) -> int:
    return int(node.attribute(name, 0))


def _skipped_and_normalized(node: OnnxNode) -> tuple[Value, Value]:
    """The sum of a value and another, if there is one, normalised; and that sum."""
    value, skip, scale = node.input(0), node.present_input(1), node.present_input(2)
    if skip is not None:
        value = node.add("elementwise", value, skip, function="add")
    if scale is None:
        return value, value
    return normalized(node, value, [scale], [value.rank - 1], is_centred=False), value


def _of_few_bits(
    node: OnnxNode, value: Value, places: Sequence[int | None], shape: tuple[int, int]
) -> Value:
    """A product; `places` are those of the weights, their scales, their zeros and the bias."""
    at, scales, zeros, bias = places
    deep, wide = shape
    bits, length = int(node.attribute("bits", 4)), int(node.attribute("block_size", 32))
    packed, scale = node.input(at or 0), node.input(scales or 0)
    if packed_elements(packed.shape, bits) < deep * wide:
        node.refuse(f"{packed.shape!r:.80} bytes do not hold {deep} x {wide} of {bits} bits")
    zero = None if zeros is None else node.present_input(zeros)
    number = blocked(packed, bits, length, scale, zero)
    weight = unpacked(node, packed, (wide, deep), number)
    addend = None if bias is None else node.present_input(bias)
    return product(node, value, weight, addend, transpose_right=True)


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


@translates(*named("FusedConv", "NhwcConv", "NhwcFusedConv"))
def fused_conv(node: OnnxNode) -> Value:
    """A convolution, the addition of another value, and a function."""
    more = {} if bare(node) == "FusedConv" else {"input_layout": CHANNELS_LAST}
    made = convolved(node, node.input(0), node.input(1), node.present_input(2), **more)
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


@translates(*named("GemmFastGelu"))
def gemm_gelu(node: OnnxNode) -> Value:
    """A product with a bias, and GELU by a hyperbolic tangent."""
    made = product(node, node.input(0), node.input(1), node.present_input(2))
    return node.add("activation", made, function="gelu_approximate")


@translates(*named("BiasSoftmax"))
def biased_softmax(node: OnnxNode) -> Value:
    """A softmax of a value and a bias, which may differ from example to example."""
    made = node.add("elementwise", node.input(0), node.input(1), function="add")
    axis = made.axis(int(node.attribute("axis", 1)))
    return node.add("softmax", made, axes=list(range(axis, made.rank)))


@translates(*named("BiasDropout"))
def biased_dropout(node: OnnxNode) -> Value:
    """A bias and another value; at inference nothing is dropped."""
    made = _with_bias(node, node.input(0), node.input(1))
    other = node.present_input(2)
    return made if other is None else node.add("elementwise", made, other, function="add")


@translates(*named("CausalConvWithState"))
def causal_convolution(node: OnnxNode) -> list[Value]:
    """That of ONNX."""
    return causal_conv(node)


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


@translates(*named("GatherND", "Range", "Trilu", "Unique"))
def as_in_onnx(node: OnnxNode) -> Any:
    """An operator that ONNX has taken over, by its rule there."""
    rules = {
        "GatherND": movements.gather_nd, "Range": movements.numbers, "Trilu": movements.triangle,
        "Unique": movements.compress,
    }  # fmt: skip
    return rules[bare(node)](node)


@translates(*named("ExpandDims"))
def expand_dims(node: OnnxNode) -> Value:
    """The same elements with a new axis of one."""
    value = node.input(0)
    axis = node.numbers(1, "the axis")[0] % (value.rank + 1)
    return node.add("reshape", value, shape=(*value.shape[:axis], 1, *value.shape[axis:]))


@translates(*named("TorchEmbedding"))
def embedding(node: OnnxNode) -> Value:
    """Rows of a table."""
    trained(node.input(0))
    return node.add("embedding", node.input(0), node.input(1))


@translates(*named("ComplexMul", "ComplexMulConj"))
def complex_multiply(node: OnnxNode) -> Value:
    """Products of pairs of real and imaginary parts: two multiply-adds for each part."""
    return node.add("elementwise", node.input(0), node.input(1), function="affine", steps=2)


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
