"""Functions of every element, and conversions between formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costmodel.formats import NumericFormat, parse_format
from costmodel.frontend.operations.work import Value
from costmodel_torch.aten.table import (
    ATEN,
    converted,
    curve,
    elementwise,
    number,
    setting,
    tensor,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.frontend.translation import SourceNode

_SAME: Final = (
    "relu", "relu6", "sigmoid", "tanh", "silu", "mish", "elu", "celu", "selu", "leaky_relu",
    "softplus", "erf", "erfc", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt",
    "rsqrt", "abs", "reciprocal", "ceil", "floor", "round", "trunc", "frac", "sign", "sgn", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfinv",
    "lgamma", "digamma", "logit", "i0", "sinc", "rrelu", "softshrink", "hardshrink", "threshold",
    "nan_to_num", "square", "deg2rad", "rad2deg",
)  # fmt: skip
"""Functions of one element that have the same name here."""
_CURVES: Final[Mapping[str, str]] = {
    **{f"aten.{name}": name for name in _SAME},
    "aten.neg": "negative", "aten.negative": "negative", "aten.absolute": "abs",
    "aten.hardswish": "hard_swish", "aten.hardsigmoid": "hard_sigmoid",
    "aten.log_sigmoid": "log_sigmoid", "aten.log_sigmoid_forward": "log_sigmoid",
    "aten.special_erf": "erf", "aten.special_expit": "sigmoid", "aten.special_expm1": "expm1",
    "aten.special_log1p": "log1p", "aten.special_exp2": "exp2", "aten.special_erfinv": "erfinv",
    "aten.arcsin": "asin", "aten.arccos": "acos", "aten.arctan": "atan", "aten.fix": "trunc",
}  # fmt: skip


@ATEN.translates(*_CURVES)
def function(node: SourceNode) -> Value | Sequence[Value]:
    """A function of each element."""
    made = curve(node, _CURVES[node.operator], tensor(node, "self"))
    if node.results == 1:
        return made
    return [made, node.graph.constant("buffer", (1,))]


@ATEN.translates("aten.gelu")
def gelu(node: SourceNode) -> Value:
    """GELU, exact or by a hyperbolic tangent."""
    is_exact = setting(node, "approximate", "none") == "none"
    return curve(node, "gelu" if is_exact else "gelu_approximate", tensor(node, "self"))


@ATEN.translates("aten.hardtanh")
def hardtanh(node: SourceNode) -> Value:
    """A line between two bounds."""
    bounds = (setting(node, "min_val", -1), setting(node, "max_val", 1))
    if bounds == (0, 6):
        return curve(node, "relu6", tensor(node, "self"))
    return _clamped(node, *bounds)


@ATEN.translates("aten.clamp", "aten.clip")
def clamp(node: SourceNode) -> Value:
    """Elements held between two bounds, of which one may be left out."""
    return _clamped(node, node.attributes.get("min"), node.attributes.get("max"))


@ATEN.translates("aten.clamp_min", "aten.clamp_max")
def clamp_one(node: SourceNode) -> Value:
    """Elements held on one side of a bound."""
    is_least = node.operator.endswith("min")
    bound = node.attributes.get("min" if is_least else "max")
    return _clamped(node, bound if is_least else None, None if is_least else bound)


def _clamped(node: SourceNode, least: Any, most: Any) -> Value:
    made = tensor(node, "self")
    for name, bound in (("maximum", least), ("minimum", most)):
        if bound is not None:
            other = bound if isinstance(bound, Value) else number(node, bound)
            made = elementwise(node, name, made, other)
    return made


@ATEN.translates("aten.prelu", "aten._prelu_kernel")
def prelu(node: SourceNode) -> Value:
    """A rectifier with a trained slope, one for each channel or for all."""
    value, slope = tensor(node, "self"), tensor(node, "weight")
    if slope.size > 1 and slope.rank == 1 and value.rank > 1:
        slope = node.add("reshape", slope, shape=(slope.size, *[1] * (value.rank - 2)))
    if slope.is_constant:
        return curve(node, "prelu", value, slope)
    made = elementwise(node, "multiply", value, slope)
    return elementwise(node, "select", value, made)


@ATEN.translates("aten.glu")
def glu(node: SourceNode) -> Value:
    """One half of the channels times the sigmoid of the other."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim", -1))
    half = value.shape[axis] // 2
    left, right = node.graph.all_of("split", value, sizes=[half, half], axis=axis)
    return elementwise(node, "multiply", left, curve(node, "sigmoid", right))


# ------------------------------------------------------------------ several operands

_STEPS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("mul", "multiply", "logaddexp"), "multiply"),
    **dict.fromkeys(
        ("div", "divide", "true_divide", "floor_divide", "remainder", "fmod"), "divide"
    ),
    **dict.fromkeys(("maximum", "fmax"), "maximum"),
    **dict.fromkeys(("minimum", "fmin"), "minimum"),
    **dict.fromkeys(
        ("eq", "ne", "lt", "le", "gt", "ge", "greater", "greater_equal", "less", "less_equal",
         "not_equal", "isclose"),
        "compare",
    ),
    **dict.fromkeys(
        ("logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor",
         "__and__", "__or__", "__xor__", "__lshift__", "__rshift__", "bitwise_left_shift",
         "bitwise_right_shift"),
        "logic",
    ),
}  # fmt: skip
_AFTER: Final = {"aten.floor_divide": "floor"}


@ATEN.translates(*[f"aten.{name}" for name in _STEPS if name != "logaddexp"])
def stepwise(node: SourceNode) -> Value:
    """One operation for each element of the result."""
    name = node.operator.removeprefix("aten.")
    made = elementwise(node, _STEPS[name], tensor(node, "self"), tensor(node, "other"))
    rounding = setting(node, "rounding_mode") or _AFTER.get(node.operator)
    return made if rounding is None else curve(node, str(rounding), made)


@ATEN.translates("aten.add", "aten.sub", "aten.subtract", "aten.rsub", "aten._add_relu")
def add(node: SourceNode) -> Value:
    """A sum or difference, the second operand times a number."""
    left, right = tensor(node, "self"), tensor(node, "other")
    alpha = setting(node, "alpha", 1)
    is_sum = node.operator in {"aten.add", "aten._add_relu"}
    if node.operator == "aten.rsub":
        left = _times(node, left, alpha)
        return elementwise(node, "subtract", right, left)
    made = elementwise(node, "add" if is_sum else "subtract", left, _times(node, right, alpha))
    return curve(node, "relu", made) if node.operator == "aten._add_relu" else made


def _times(node: SourceNode, value: Value, factor: float) -> Value:
    return value if factor == 1 else elementwise(node, "multiply", value, number(node, factor))


@ATEN.translates("aten.pow", "aten.float_power")
def power(node: SourceNode) -> Value:
    """A power; the square is a product."""
    base, exponent = tensor(node, "self"), tensor(node, "exponent")
    if exponent.scalar == 2 and not exponent.is_parameter:  # noqa: PLR2004  # the square
        return elementwise(node, "multiply", base, base)
    if exponent.is_constant:
        return curve(node, "power", base, exponent)
    if base.is_constant and base.is_immediate:
        return curve(node, "exp", exponent, base)
    return curve(node, "exp", elementwise(node, "multiply", exponent, curve(node, "log", base)))


@ATEN.translates("aten.atan2", "aten.arctan2")
def atan2(node: SourceNode) -> Value:
    """The angle of a point: a quotient and its arc tangent."""
    quotient = elementwise(node, "divide", tensor(node, "self"), tensor(node, "other"))
    return curve(node, "atan", quotient)


@ATEN.translates("aten.logaddexp", "aten.xlogy", "aten.special_xlogy", "aten.hypot")
def joined(node: SourceNode) -> Value:
    """A function of two operands, step by step."""
    left, right = tensor(node, "self"), tensor(node, "other")
    if node.operator.endswith("xlogy"):
        return elementwise(node, "multiply", left, curve(node, "log", right))
    if node.operator.endswith("hypot"):
        squares = [elementwise(node, "multiply", one, one) for one in (left, right)]
        return curve(node, "sqrt", elementwise(node, "add", *squares))
    greatest = elementwise(node, "maximum", left, right)
    apart = curve(node, "abs", elementwise(node, "subtract", left, right))
    rest = curve(node, "log1p", curve(node, "exp", curve(node, "negative", apart)))
    return elementwise(node, "add", greatest, rest)


@ATEN.translates("aten.addcmul", "aten.addcdiv")
def addcmul(node: SourceNode) -> Value:
    """A product or quotient, added."""
    step = "multiply" if node.operator.endswith("mul") else "divide"
    made = elementwise(node, step, tensor(node, "tensor1"), tensor(node, "tensor2"))
    made = _times(node, made, setting(node, "value", 1))
    return elementwise(node, "add", tensor(node, "self"), made)


@ATEN.translates("aten.lerp")
def lerp(node: SourceNode) -> Value:
    """A point between two."""
    start = tensor(node, "self")
    apart = elementwise(node, "subtract", tensor(node, "end"), start)
    return elementwise(
        node, "add", start, elementwise(node, "multiply", apart, tensor(node, "weight"))
    )


@ATEN.translates("aten.logical_not", "aten.bitwise_not")
def inverse(node: SourceNode) -> Value:
    """The inverse of each bit."""
    return elementwise(node, "logic", tensor(node, "self"))


@ATEN.translates(
    "aten.isnan", "aten.isinf", "aten.isfinite", "aten.isposinf", "aten.isneginf", "aten.signbit"
)
def tested(node: SourceNode) -> Value:
    """A comparison of each element."""
    return elementwise(node, "compare", tensor(node, "self"), number(node, 0.0))


@ATEN.translates("aten.where")
def where(node: SourceNode) -> Value:
    """Each element from one of two operands, as a condition says."""
    return elementwise(
        node, "select", tensor(node, "condition"), tensor(node, "self"), tensor(node, "other")
    )


@ATEN.translates("aten.masked_fill")
def masked_fill(node: SourceNode) -> Value:
    """A number where a mask says so."""
    return elementwise(
        node, "select", tensor(node, "mask"), tensor(node, "value"), tensor(node, "self")
    )


@ATEN.translates("aten.heaviside")
def heaviside(node: SourceNode) -> Value:
    """One above zero, zero below, and a number at it."""
    return elementwise(node, "select", tensor(node, "self"), tensor(node, "values"))


# ------------------------------------------------------------------ formats


@ATEN.translates("aten.to", "aten._to_copy", "prims.convert_element_type")
def to(node: SourceNode) -> Value:
    """The same numbers, in another format where one is given."""
    value = tensor(node, "a" if "a" in node.attributes else "self")
    other = node.attributes.get("other")
    if isinstance(other, Value):
        return _like(node, value, other)
    dtype = setting(node, "dtype")
    return value if dtype is None else converted(node, value, str(dtype))


@ATEN.translates("aten.type_as")
def type_as(node: SourceNode) -> Value:
    """The same numbers in the format of another tensor."""
    return _like(node, tensor(node, "self"), tensor(node, "other"))


def _like(node: SourceNode, value: Value, other: Value) -> Value:
    if other.format == value.format:
        return value
    wanted = other.format or parse_format("float32")
    return node.graph.all_of("copy", value, purpose="conversion", formats=[wanted])[0]


def _stored(node: SourceNode) -> NumericFormat:
    """The format of whole numbers between two bounds."""
    least, most = whole(node, "quant_min", -128), whole(node, "quant_max", 127)
    bits = max((most - least).bit_length(), 1)
    return parse_format(f"int{bits}" if least < 0 else f"uint{bits}")


_SPACES: Final = ("quantized_decomposed", "torchao")


@ATEN.translates(
    *[f"{space}.{name}" for space in _SPACES
      for name in ("quantize_per_tensor", "quantize_per_channel", "quantize_per_token",
                   "quantize_per_channel_group", "quantize_affine")]
)  # fmt: skip
def quantize(node: SourceNode) -> Value:
    """Every element rounded to a whole number of a range."""
    value = tensor(node, "self" if "self" in node.attributes else "input")
    return node.graph.all_of("quantize", value, formats=[_stored(node)])[0]


@ATEN.translates(
    *[f"{space}.{name}" for space in _SPACES
      for name in ("dequantize_per_tensor", "dequantize_per_channel", "dequantize_per_token",
                   "dequantize_per_channel_group", "dequantize_affine")]
)  # fmt: skip
def dequantize(node: SourceNode) -> Value:
    """The numbers that whole numbers of a range stand for."""
    value = tensor(node, "self" if "self" in node.attributes else "input")
    if value.is_constant:
        value.format = _stored(node)
    return node.add("dequantize", value)


@ATEN.translates(
    "aten.fake_quantize_per_tensor_affine", "aten.fake_quantize_per_channel_affine",
    "aten.fake_quantize_per_tensor_affine_cachemask", "quantized_decomposed.fake_quant_per_channel",
)  # fmt: skip
def fake_quantize(node: SourceNode) -> Value | Sequence[Value]:
    """Rounded to whole numbers of a range and back."""
    value = tensor(node, "self" if "self" in node.attributes else "input")
    held = node.graph.all_of("quantize", value, formats=[_stored(node)])[0]
    made = node.add("dequantize", held)
    return made if node.results == 1 else [made, node.graph.constant("mask", (1,))]


@ATEN.translates(
    *[f"{space}.{name}" for space in _SPACES
      for name in ("choose_qparams", "choose_qparams_symmetric", "choose_qparams_affine")]
)  # fmt: skip
def choose_range(node: SourceNode) -> Sequence[Value]:
    """The scale of a tensor by its least and greatest element."""
    value = tensor(node, "input")
    found = [node.add("reduce", value, function=name) for name in ("max", "min")]
    return [
        node.add("expand", one, shape=shape or ())
        for one, shape in zip(found, node.shapes, strict=False)
    ]
