"""Functions of every element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.frontend.evaluation import LARGEST
from costmodel.workload.builders.shapes import broadcast
from costmodel_stablehlo.operators.movements import stretched
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode

# ------------------------------------------------------------------ which function

_ELEMENTWISE: Final[Mapping[str, str]] = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide",
    "maximum": "maximum", "minimum": "minimum", "compare": "compare", "select": "select",
    "remainder": "divide",
    **dict.fromkeys(
        ("and", "or", "xor", "not", "popcnt", "count_leading_zeros", "shift_left",
         "shift_right_arithmetic", "shift_right_logical"), "logic",
    ),
    **dict.fromkeys(
        ("is_finite", "chlo.is_inf", "chlo.is_neg_inf", "chlo.is_pos_inf"), "compare",
    ),
}  # fmt: skip
_STRETCHING: Final = (
    "add", "and", "compare", "divide", "maximum", "minimum", "multiply", "or", "remainder",
    "select", "shift_left", "shift_right_arithmetic", "shift_right_logical", "subtract", "xor",
)  # fmt: skip
"""The operations that CHLO has once more, with operands that broadcast."""
_CURVES: Final[Mapping[str, str]] = {
    "abs": "abs", "negate": "negative", "sign": "sign", "exponential": "exp",
    "exponential_minus_one": "expm1", "log": "log", "log_plus_one": "log1p", "logistic": "sigmoid",
    "tanh": "tanh", "sqrt": "sqrt", "rsqrt": "rsqrt", "cbrt": "cbrt", "sine": "sin",
    "cosine": "cos", "tan": "tan", "floor": "floor", "ceil": "ceil", "round_nearest_even": "round",
    "round_nearest_afz": "round", "reduce_precision": "round",
    **{f"chlo.{name}": name for name in (
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "bessel_i1e", "cosh", "digamma", "erf",
        "erfc", "lgamma", "sinh", "square", "tan",
    )},
    "chlo.erf_inv": "erfinv",
}  # fmt: skip
"""The non-linear functions of one element."""


# ------------------------------------------------------------------ the rules


@translates(*_ELEMENTWISE, *[f"chlo.broadcast_{name}" for name in _STRETCHING])
def elementwise(node: ModuleNode) -> Value:
    """One operation for each element; a maximum with zero is a rectifier."""
    operator = node.operator.removeprefix("chlo.broadcast_")
    operands = node.present
    if operator == "maximum" and len(operands) == len(("value", "zero")):
        for value, zero in (operands, operands[::-1]):
            if not value.is_constant and node.own_graph.unstretched(zero).scalar == 0:
                return node.add("activation", value, function="relu")
    function = _ELEMENTWISE[operator]
    relation = node.attribute("comparison_direction", operator)
    return applied(node, function, operands, relation if function in {"compare", "logic"} else "")


def applied(
    node: ModuleNode, function: str, operands: Sequence[Value], relation: str = ""
) -> Value:
    """A function of operands, which are read as they were before they were stretched."""
    graph = node.own_graph
    small = [graph.unstretched(value) for value in operands]
    shape = broadcast([value.shape for value in small])
    full = broadcast([value.shape for value in operands])
    if all(value.is_constant for value in small):
        return stretched(node, _of_constants(node, function, small, relation or function), full)
    if shape != full:
        place = next(place for place, value in enumerate(operands) if not value.is_constant)
        small[place] = operands[place]
        if broadcast([value.shape for value in small]) != full:
            small = list(operands)
    settings = {"relation": relation} if relation else {}
    return node.add("elementwise", *small, function=function, **settings)


def _of_constants(
    node: ModuleNode, function: str, operands: Sequence[Value], relation: str
) -> Value:
    """What a function gives of constants, whose data are known where they are few."""
    evaluated = _EVALUATED.get(relation)
    shape = broadcast([value.shape for value in operands])
    arrays = [value.data for value in operands]
    if evaluated is None or any(one is None for one in arrays) or math.prod(shape) > LARGEST:
        return node.add("elementwise", *operands, function=function)
    with np.errstate(all="ignore"):
        data = np.asarray(evaluated(*arrays))
    is_parameter = any(value.is_parameter for value in operands)
    return node.own_graph.constant(node.name, data=data, is_parameter=is_parameter)


def _quotient(one: Any, other: Any) -> Any:
    if np.issubdtype(np.result_type(one, other), np.integer):
        return np.trunc(one / other).astype(np.result_type(one, other))
    return one / other


_EVALUATED: Final[Mapping[str, Callable[..., Any]]] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": _quotient,
    "maximum": np.maximum, "minimum": np.minimum, "remainder": np.fmod,
    "select": np.where, "and": lambda a, b: a & b, "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b, "not": np.invert,
    "LT": np.less, "LE": np.less_equal, "GT": np.greater, "GE": np.greater_equal,
    "EQ": np.equal, "NE": np.not_equal,
}  # fmt: skip
"""What computes constants."""


@translates(*_CURVES)
def curve(node: ModuleNode) -> Value:
    """A function of one element."""
    (value,) = node.present
    small = node.own_graph.unstretched(value)
    if small.is_constant:
        return stretched(node, _curve_of_constant(node, small), value.shape)
    return node.add("activation", value, function=_CURVES[node.operator])


def _curve_of_constant(node: ModuleNode, value: Value) -> Value:
    function = {"negate": np.negative, "abs": np.abs, "sign": np.sign, "sqrt": np.sqrt}.get(
        node.operator
    )
    if function is None or value.data is None:
        return node.add("activation", value, function=_CURVES[node.operator])
    data = function(value.data)
    return node.own_graph.constant(node.name, data=data, is_parameter=value.is_parameter)


@translates("clamp")
def clamp(node: ModuleNode) -> Value:
    """The value, or the nearer bound: two comparisons."""
    low, value, high = node.present
    graph = node.own_graph
    low, high = [
        graph.constant(one.name, (1,) * value.rank, data=one.data.reshape((1,) * value.rank))
        if one.rank == 0 and one.data is not None else one
        for one in (graph.unstretched(low), graph.unstretched(high))
    ]  # fmt: skip
    if value.is_constant:
        return applied(node, "maximum", [applied(node, "minimum", [value, high]), low])
    if (low.scalar, high.scalar) == (0.0, 6.0):
        return node.add("activation", value, function="relu6")
    bounded = node.add("elementwise", value, low, function="maximum")
    return node.add("elementwise", bounded, high, function="minimum")


@translates("power", "chlo.broadcast_power")
def power(node: ModuleNode) -> Value:
    """A power; one of a constant exponent is a function of one element."""
    base, exponent = node.present
    number = node.own_graph.unstretched(exponent).scalar
    if number == len(("x", "x")):
        return applied(node, "multiply", [base, base])
    if number is not None:
        return node.add(
            "activation", base, function={0.5: "sqrt", -0.5: "rsqrt"}.get(number, "pow")
        )
    return node.add("elementwise", base, exponent, function="multiply", steps=_SERIES)


@translates("atan2", "chlo.broadcast_atan2")
def arc_tangent(node: ModuleNode) -> Value:
    """A quotient, and a function of it."""
    return node.add("activation", applied(node, "divide", node.present), function="atan")


_SERIES: Final = len(("logarithm", "product", "exponential"))


@translates("complex", "chlo.broadcast_complex")
def complex_number(node: ModuleNode) -> Value:
    """Two parts next to each other."""
    return node.add("rearrange", *node.present, purpose="conversion", shapes=[node.shape()])


@translates("real", "imag", "chlo.conj")
def part(node: ModuleNode) -> Value:
    """A part of each number."""
    return node.add("copy", node.input(), purpose="selection")


@translates("convert")
def convert(node: ModuleNode) -> Value:
    """The same numbers in another format; a quantised format is that of the tensor."""
    value = node.input()
    (before,), (after,) = node.operand_types, node.types
    if value.is_constant:
        small = node.own_graph.unstretched(value)
        data = small.data
        if data is not None:
            data = data.astype(np.float64 if after.is_float else np.int64)
        made = node.graph.constant(
            node.name, small.shape, node.number() or after.number, data,
            is_parameter=value.is_parameter,
        )  # fmt: skip
        return stretched(node, made, value.shape)
    if after.is_quantized or before.is_quantized:
        return node.add("quantize" if after.is_quantized else "dequantize", value)
    if before.element == after.element:
        return node.add("identity", value)
    return node.add("copy", value, purpose="conversion")


@translates("uniform_quantize")
def quantize(node: ModuleNode) -> Value:
    """Every element rounded to the format of the result."""
    return node.add("quantize", node.input())


@translates("uniform_dequantize")
def dequantize(node: ModuleNode) -> Value:
    """Every element of a quantised value as the number that it stands for."""
    return node.add("dequantize", node.input())


@translates("batch_norm_inference")
def batch_normalization(node: ModuleNode) -> Value:
    """At inference a fixed scale and shift."""
    return node.add("scale_and_shift", *node.present, axis=node.whole("feature_index"))


@translates("map")
def mapped(node: ModuleNode) -> Value:
    """The operations of a region at every element."""
    (region,) = node.regions
    steps = max(len(region.operations) - 1, 0)
    return node.add("elementwise", *node.present, function="add", steps=steps)
