"""Functions of every element, and conversions between formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel.formats import FixedPoint
from costmodel_tflite.table import activated, leave_unpriced, number, translates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

BINARY: Final[Mapping[str, str]] = {
    "ADD": "add", "SUB": "subtract", "MUL": "multiply", "DIV": "divide",
    "MAXIMUM": "maximum", "MINIMUM": "minimum",
    "EQUAL": "compare", "NOT_EQUAL": "compare", "LESS": "compare", "LESS_EQUAL": "compare",
    "GREATER": "compare", "GREATER_EQUAL": "compare",
    "LOGICAL_AND": "logic", "LOGICAL_OR": "logic", "BITWISE_XOR": "logic", "RIGHT_SHIFT": "logic",
}  # fmt: skip
"""The function of two operands that broadcast."""

CURVES: Final[Mapping[str, str]] = {
    "LOGISTIC": "sigmoid", "TANH": "tanh", "RELU": "relu", "RELU6": "relu6",
    "RELU_N1_TO_1": "hard_tanh", "RELU_0_TO_1": "relu_0_to_1", "ELU": "elu",
    "HARD_SWISH": "hard_swish", "LEAKY_RELU": "leaky_relu", "ABS": "absolute", "EXP": "exp",
    "LOG": "log", "SQRT": "sqrt", "RSQRT": "rsqrt", "SIN": "sin", "COS": "cos", "FLOOR": "floor",
    "CEIL": "ceil", "ROUND": "round", "SIGN": "sign",
}  # fmt: skip
"""The non-linear function of one operand."""


@translates(*BINARY)
def binary(node: TfliteNode) -> Value:
    """A function of two operands."""
    value = node.add(
        "elementwise", node.input(0), node.input(1), function=BINARY[node.operator]
    )  # fmt: skip
    return activated(node, value)


@translates(*CURVES)
def curve(node: TfliteNode) -> Value:
    """A non-linear function of every element."""
    return node.add("activation", node.input(), function=CURVES[node.operator])


@translates("GELU")
def gelu(node: TfliteNode) -> Value:
    """A Gaussian error linear unit, exact or by a hyperbolic tangent."""
    function = "gelu_approximate" if node.option("approximate") else "gelu"
    return node.add("activation", node.input(), function=function)


@translates("PRELU")
def prelu(node: TfliteNode) -> Value:
    """A rectifier with a trained slope for negative elements."""
    slope = node.input(1)
    if not slope.is_constant:
        scaled = node.add("elementwise", node.input(0), slope, function="multiply")
        return node.add("activation", scaled, function="prelu", in_place=True)
    return node.add("activation", node.input(0), slope, function="prelu")


@translates("NEG")
def negate(node: TfliteNode) -> Value:
    """Zero less each element."""
    return node.add("elementwise", number(node, 0), node.input(), function="subtract")


@translates("SQUARE")
def square(node: TfliteNode) -> Value:
    """Each element times itself."""
    return node.add("elementwise", node.input(), node.input(), function="multiply")


@translates("SQUARED_DIFFERENCE")
def squared_difference(node: TfliteNode) -> Value:
    """The difference times itself."""
    difference = node.add("elementwise", node.input(0), node.input(1), function="subtract")
    return node.add("elementwise", difference, difference, function="multiply")


@translates("LOGICAL_NOT")
def logical_not(node: TfliteNode) -> Value:
    """One step of logic for each element."""
    return node.add("elementwise", node.input(), function="logic")


@translates("ADD_N")
def add_n(node: TfliteNode) -> Value:
    """One addition less than there are operands, for each element."""
    values = node.present
    return node.add("elementwise", *values, function="add", steps=max(len(values) - 1, 1))


def is_whole(node: TfliteNode) -> bool:
    """Whether the first result has whole numbers."""
    return bool(node.formats) and isinstance(node.formats[0], FixedPoint)


@translates("FLOOR_DIV")
def floor_divide(node: TfliteNode) -> Value:
    """A division, and a rounding where the numbers are not whole."""
    quotient = node.add("elementwise", node.input(0), node.input(1), function="divide")
    if is_whole(node):
        return quotient
    return node.add("activation", quotient, function="floor", in_place=True)


@translates("FLOOR_MOD", "STABLEHLO_REMAINDER")
def remainder(node: TfliteNode) -> Value:
    """What a division leaves: the whole quotient, times the divisor, from the dividend."""
    dividend, divisor = node.input(0), node.input(1)
    quotient = floor_divide(node)
    whole = node.add("elementwise", quotient, divisor, function="multiply")
    return node.add("elementwise", dividend, whole, function="subtract")


@translates("POW", "STABLEHLO_POWER", "ATAN2")
def of_a_pair(node: TfliteNode) -> Value:
    """A non-linear function of two operands: their pairing, then the function."""
    function = "arctan2" if node.operator == "ATAN2" else "power"
    value, other = node.input(0), node.input(1)
    if other.is_constant and other.size == 1 and not value.is_constant:
        return node.add("activation", value, function=function)
    paired = node.add("elementwise", value, other, function="multiply")
    return node.add("activation", paired, function=function, in_place=True)


@translates("SELECT", "SELECT_V2", "STABLEHLO_SELECT")
def select(node: TfliteNode) -> Value:
    """One of two elements, as a condition says; SELECT may have one condition for each row."""
    condition, one, other = node.input(0), node.input(1), node.input(2)
    if node.operator == "SELECT" and condition.rank == 1 and one.rank > 1:
        shape = (condition.size, *[1] * (one.rank - 1))
        condition = node.add("reshape", condition, shape=shape)
    return node.add("elementwise", condition, one, other, function="select")


@translates("CAST", "STABLEHLO_CONVERT")
def cast(node: TfliteNode) -> Value:
    """The same numbers in another format."""
    return node.graph.all_of(
        "copy", node.input(), formats=node.formats[:1], purpose="conversion"
    )[0]  # fmt: skip


@translates("QUANTIZE")
def quantize(node: TfliteNode) -> Value:
    """Numbers rounded to a format, or to another scale."""
    return node.graph.all_of("quantize", node.input(), formats=node.formats[:1])[0]


@translates("DEQUANTIZE")
def dequantize(node: TfliteNode) -> Value:
    """The numbers that quantised ones stand for; of weights, their format as it is stored.

    The data of a constant are these numbers already.
    """
    value = node.input()
    return node.add("identity" if value.is_constant else "dequantize", value)


@translates("DENSIFY")
def densify(node: TfliteNode) -> Value:
    """The dense form of weights that are stored sparse, which is made once."""
    return node.add("identity", node.input())


@translates("FAKE_QUANT")
def fake_quant(node: TfliteNode) -> Value:
    """To the range, to whole steps and back."""
    value, one = node.input(), number(node, 1)
    for function in ("maximum", "minimum", "subtract", "multiply"):
        value = node.add("elementwise", value, one, function=function)
    value = node.add("activation", value, function="round", in_place=True)
    for function in ("multiply", "add"):
        value = node.add("elementwise", value, one, function=function)
    return value


@translates("BUCKETIZE")
def bucketize(node: TfliteNode) -> Value:
    """The place of every element among sorted bounds: a comparison for each halving."""
    bounds = len(node.option("boundaries", ()))
    return node.add("elementwise", node.input(), function="compare", steps=bounds.bit_length())


@translates("CUMSUM")
def cumulative_sum(node: TfliteNode) -> Value:
    """One addition for each element."""
    return node.add("elementwise", node.input(), function="add")


@translates("COMPLEX_ABS")
def complex_abs(node: TfliteNode) -> Value:
    """Two squares, their sum, and its root."""
    squares = node.add("elementwise", node.input(), function="multiply", steps=2)
    total = node.add("elementwise", squares, function="add", in_place=True)
    return node.add("activation", total, function="sqrt", in_place=True)


@translates("REAL", "IMAG")
def part(node: TfliteNode) -> Value:
    """One of the two parts of each complex number."""
    return node.add("copy", node.input(), purpose="selection")


leave_unpriced({
    "how many operations a Fourier transform takes is the plan of the library": """
        RFFT2D CUSTOM:SignalRfft CUSTOM:SignalIrfft""",
    "it draws random numbers, whose price no device states": """
        MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM STABLEHLO_RNG_BIT_GENERATOR""",
})  # fmt: skip
