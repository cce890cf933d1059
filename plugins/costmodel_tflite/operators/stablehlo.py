"""StableHLO operators within TFLite files, which an experimental converter writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel_tflite.table import leave_unpriced, translates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

_ELEMENTWISE: Final[Mapping[str, str]] = {
    "ADD": "add", "SUBTRACT": "subtract", "MULTIPLY": "multiply", "DIVIDE": "divide",
    "MAXIMUM": "maximum", "MINIMUM": "minimum", "COMPARE": "compare", "AND": "logic",
    "OR": "logic", "SHIFT_LEFT": "logic",
}  # fmt: skip
_CURVES: Final[Mapping[str, str]] = {
    "ABS": "abs", "CBRT": "cbrt", "COSINE": "cos", "EXPONENTIAL": "exp", "FLOOR": "floor",
    "LOG": "log", "LOGISTIC": "sigmoid", "NEGATE": "negative", "RSQRT": "rsqrt", "TANH": "tanh",
}  # fmt: skip


@translates(*[f"STABLEHLO_{name}" for name in _ELEMENTWISE])
def of_elements(node: TfliteNode) -> Value:
    """A small function of two operands."""
    function = _ELEMENTWISE[node.operator.removeprefix("STABLEHLO_")]
    return node.add("elementwise", *node.present, function=function)


@translates(*[f"STABLEHLO_{name}" for name in _CURVES])
def of_one_element(node: TfliteNode) -> Value:
    """A function of one operand."""
    function = _CURVES[node.operator.removeprefix("STABLEHLO_")]
    return node.add("activation", node.input(), function=function)


@translates("STABLEHLO_RESHAPE")
def reshape(node: TfliteNode) -> Value:
    """The same elements in the declared shape."""
    shape = node.shapes[0] if node.shapes else None
    return node.add("reshape", node.input(), shape=shape or node.input().shape)


_CLEARER: Final = "give the module as .mlir in its place, in which StableHLO operators have a price"
leave_unpriced({
    f"the options of StableHLO operators in TFLite files are not read; {_CLEARER}": """
        STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_CONVOLUTION
        STABLEHLO_DOT_GENERAL STABLEHLO_DYNAMIC_SLICE STABLEHLO_GATHER STABLEHLO_IOTA STABLEHLO_PAD
        STABLEHLO_REDUCE STABLEHLO_REDUCE_WINDOW STABLEHLO_SCATTER STABLEHLO_SLICE
        STABLEHLO_TRANSPOSE""",
    "it has no name of its own": "CUSTOM",
})  # fmt: skip
