"""Functions of every element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.formats import parse_format
from costmodel.frontend.evaluation import LARGEST
from costmodel_onnx.operators.table import translates
from costmodel_onnx.tensors import number_of, type_name

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode

TRUTH: Final = parse_format("uint8")
"""A truth value takes a byte in runtimes."""
_Fold = Callable[..., Any]


def _divided(one: Any, other: Any) -> Any:
    """Quotients of whole numbers are cut towards zero."""
    if np.issubdtype(np.asarray(one).dtype, np.integer):
        return np.trunc(np.true_divide(one, other)).astype(np.asarray(one).dtype)
    return np.divide(one, other)


def folded(node: OnnxNode, function: _Fold) -> Value | None:
    """The constant that a function of known arrays gives, where it is small."""
    if not node.is_folded or not node.present:
        return None
    arrays = [one for one in node.arrays() if one is not None]
    try:
        shape = np.broadcast_shapes(*[one.shape for one in arrays])
        if math.prod(shape) > LARGEST:
            return None
        with np.errstate(all="ignore"):
            data = np.asarray(function(*arrays))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return node.constant(data, is_parameter=any(value.is_parameter for value in node.present))


# ------------------------------------------------------------------ several operands

_LOGIC: Final[Mapping[str, _Fold]] = {
    "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Not": np.logical_not,
}  # fmt: skip
_COMPARISONS: Final[Mapping[str, _Fold]] = {
    "Equal": np.equal, "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal, "IsNaN": np.isnan, "IsInf": np.isinf,
}  # fmt: skip
_ARITHMETIC: Final[Mapping[str, tuple[str, _Fold]]] = {
    "Add": ("add", np.add),
    "Sub": ("subtract", np.subtract),
    "Mul": ("multiply", np.multiply),
    "Div": ("divide", _divided),
    "Mod": ("divide", np.mod),
    "Max": ("maximum", lambda *xs: np.maximum.reduce(np.broadcast_arrays(*xs))),
    "Min": ("minimum", lambda *xs: np.minimum.reduce(np.broadcast_arrays(*xs))),
    "Sum": ("add", lambda *xs: sum(xs[1:], xs[0])),
    "Mean": ("average", lambda *xs: sum(xs[1:], xs[0]) / len(xs)),
    "BitwiseAnd": ("logic", np.bitwise_and),
    "BitwiseOr": ("logic", np.bitwise_or),
    "BitwiseXor": ("logic", np.bitwise_xor),
    "BitwiseNot": ("logic", np.bitwise_not),
    "BitShift": ("logic", None),  # type: ignore[dict-item]  # its direction is an attribute
}


@translates(*_ARITHMETIC)
def arithmetic(node: OnnxNode) -> Value:
    """Sums, products and the like of the broadcast of all operands."""
    function, fold = _ARITHMETIC[node.operator]
    made = folded(node, fold) if fold is not None else None
    if made is not None:
        return made
    return node.add("elementwise", *node.present, function=function, steps=_steps(node))


def _steps(node: OnnxNode) -> int:
    return max(len(node.present) - 1, 1)


@translates(*_LOGIC)
def logic(node: OnnxNode) -> Value:
    """Functions of truth values."""
    made = folded(node, _LOGIC[node.operator])
    return made or _true_or_false(node, "logic")


@translates(*_COMPARISONS)
def comparison(node: OnnxNode) -> Value:
    """Truth values of every element."""
    made = folded(node, _COMPARISONS[node.operator])
    return made or _true_or_false(node, "compare")


def _true_or_false(node: OnnxNode, function: str) -> Value:
    return node.add("elementwise", *node.present, function=function, formats=[TRUTH])


@translates("Where")
def where(node: OnnxNode) -> Value:
    """Elements of one operand or the other."""
    condition, one, other = node.input(0), node.input(1), node.input(2)
    made = folded(node, np.where)
    if made is not None:
        return made
    if condition.scalar is not None and condition.data is not None:
        chosen = one if condition.scalar else other
        shape = np.broadcast_shapes(condition.shape, one.shape, other.shape)
        return node.add("expand", chosen, shape=shape)
    return node.add("elementwise", condition, one, other, function="select")


# ------------------------------------------------------------------ one operand

_CURVES: Final[Mapping[str, tuple[str, _Fold | None]]] = {
    "Abs": ("abs", np.abs),
    "Neg": ("negative", np.negative),
    "Exp": ("exp", np.exp),
    "Log": ("log", np.log),
    "Sqrt": ("sqrt", np.sqrt),
    "Reciprocal": ("reciprocal", np.reciprocal),
    "Ceil": ("ceil", np.ceil),
    "Floor": ("floor", np.floor),
    "Round": ("round", np.round),
    "Sign": ("sign", np.sign),
    "Sin": ("sin", np.sin),
    "Cos": ("cos", np.cos),
    "Tan": ("tan", np.tan),
    "Asin": ("arcsin", np.arcsin),
    "Acos": ("arccos", np.arccos),
    "Atan": ("arctan", np.arctan),
    "Sinh": ("sinh", np.sinh),
    "Cosh": ("cosh", np.cosh),
    "Asinh": ("arcsinh", np.arcsinh),
    "Acosh": ("arccosh", np.arccosh),
    "Atanh": ("arctanh", np.arctanh),
    "Erf": ("erf", None),
    "Relu": ("relu", lambda x: np.maximum(x, 0)),
    "Sigmoid": ("sigmoid", None),
    "Tanh": ("tanh", np.tanh),
    "Softplus": ("softplus", None),
    "Softsign": ("softsign", None),
    "Elu": ("elu", None),
    "Celu": ("celu", None),
    "Selu": ("selu", None),
    "LeakyRelu": ("leaky_relu", None),
    "ThresholdedRelu": ("thresholded_relu", None),
    "HardSigmoid": ("hard_sigmoid", None),
    "HardSwish": ("hard_swish", None),
    "Mish": ("mish", None),
    "Shrink": ("shrink", None),
}
"""The function of every element, as Keras calls it, and what computes it of small constants."""


@translates(*_CURVES)
def curve(node: OnnxNode) -> Value:
    """A function of every element."""
    function, fold = _CURVES[node.operator]
    made = folded(node, fold) if fold is not None else None
    return made or node.add("activation", node.input(), function=function)


@translates("Gelu")
def gelu(node: OnnxNode) -> Value:
    """GELU, exact or by a hyperbolic tangent."""
    is_exact = node.attribute("approximate", "none") != "tanh"
    function = "gelu" if is_exact else "gelu_approximate"
    return node.add("activation", node.input(), function=function)


@translates("Swish")
def swish(node: OnnxNode) -> Value:
    """The input times a sigmoid of it."""
    alpha = float(node.attribute("alpha", 1.0))
    function = {1.0: "silu", _QUICK: "quick_gelu"}.get(round(alpha, 3), "swish")
    return node.add("activation", node.input(), function=function)


_QUICK: Final = 1.702
"""The factor with which a swish is close to GELU."""


@translates("PRelu")
def prelu(node: OnnxNode) -> Value:
    """A rectifier with a trained slope below zero."""
    slope = node.input(1)
    if not slope.is_constant:
        return node.add("elementwise", node.input(0), slope, function="select", steps=2)
    if slope.size > 1:
        slope.is_parameter = True
    return node.add("activation", node.input(0), slope, function="prelu")


@translates("Pow")
def power(node: OnnxNode) -> Value:
    """A power; common exponents have names."""
    made = folded(node, np.power)
    if made is not None:
        return made
    value, exponent = node.input(0), node.input(1)
    named = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", -0.5: "rsqrt"}.get(
        math.nan if exponent.scalar is None else exponent.scalar
    )
    if named is not None and np.broadcast_shapes(value.shape, exponent.shape) == value.shape:
        return node.add("activation", value, function=named)
    if exponent.is_constant and not value.is_constant:
        return node.add("activation", value, exponent, function="power")
    joined = node.add("elementwise", value, exponent, function="multiply")
    return node.add("activation", joined, function="power", in_place=True)


@translates("Clip")
def clip(node: OnnxNode) -> Value:
    """Elements held between two numbers, which may be those of a rectifier."""
    low, high = _limit(node, "min", 1), _limit(node, "max", 2)
    value = node.input()
    limits = [one for one in (low, high) if one is not None]
    if any(one.scalar is None for one in limits):
        if low is not None:
            value = node.add("elementwise", value, low, function="maximum")
        return value if high is None else node.add("elementwise", value, high, function="minimum")
    if not limits:
        return node.add("identity", value)
    bottom = -math.inf if low is None or low.scalar is None else low.scalar
    top = math.inf if high is None or high.scalar is None else high.scalar
    if value.is_constant and value.data is not None:
        return node.constant(np.clip(value.data, bottom, top).astype(value.data.dtype))
    name = {(0.0, math.inf): "relu", (0.0, 6.0): "relu6"}.get((bottom, top))
    if name is not None:
        return node.add("activation", value, function=name)
    ends = [node.graph.constant("limit", data=np.array(one, np.float32)) for one in (bottom, top)]
    return node.add("activation", value, *ends, function="clip")


def _limit(node: OnnxNode, name: str, place: int) -> Value | None:
    """A limit, which older opsets have as an attribute."""
    given = node.attribute(name)
    if given is not None and place:
        return node.graph.constant(name, data=np.array(given, np.float32))
    return node.optional(place)


# ------------------------------------------------------------------ element types


@translates("Cast")
def cast(node: OnnxNode) -> Value:
    """Elements in another format."""
    if type_name(int(node.attribute("to", 1))) == "STRING":
        node.give_up("it works on texts, whose length no shape states")
    return converted(node, node.input(), int(node.attribute("to", 1)))


@translates("CastLike", "BitCast")
def cast_like(node: OnnxNode) -> Value:
    """Elements in the format of another tensor, or the same bits seen in another."""
    if node.operator == "BitCast":
        return _in_format(node, node.input(), number_of(int(node.attribute("to", 1))), is_view=True)
    return _in_format(node, node.input(), node.input(1).format)


def converted(node: OnnxNode, value: Value, to: int) -> Value:
    """A value in an element type; constants are converted at once."""
    import onnx  # noqa: PLC0415  # only when a file is read

    if value.is_constant and value.data is not None:
        try:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(to)
            with np.errstate(all="ignore"):
                data = value.data.astype(dtype)
        except (KeyError, TypeError, ValueError):
            pass
        else:
            return node.constant(data, number_of(to), is_parameter=value.is_parameter)
    return _in_format(node, value, number_of(to))


_FLOAT32: Final = parse_format("float32")


def _in_format(
    node: OnnxNode, value: Value, number: NumericFormat | None, *, is_view: bool = False
) -> Value:
    if value.size == 0:
        return node.constant(value.data, number)
    if (value.format or _FLOAT32) == (number or _FLOAT32) or is_view:
        return node.add("identity", value)
    if value.is_constant:
        made = node.add("identity", value)
        made.format = number
        return made
    return node.add("copy", value, purpose="conversion", formats=[number or _FLOAT32])
