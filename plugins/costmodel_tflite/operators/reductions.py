"""Pooling, sums and means along axes, softmax and normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from costmodel.frontend.translation import DataDependentError
from costmodel_tflite.operators.convolutions import per_axis, rule_of_padding
from costmodel_tflite.table import (
    activated,
    first_fields,
    number,
    rearranged,
    stated_shape,
    translates,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

REDUCTIONS: Final[Mapping[str, str]] = {
    "MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max", "REDUCE_MIN": "min",
    "REDUCE_PROD": "product", "REDUCE_ANY": "max", "REDUCE_ALL": "min",
}  # fmt: skip
"""The function; any and all compare truth values."""


@translates(*REDUCTIONS)
def reduce(node: TfliteNode) -> Value:
    """All elements along some axes reduced to one."""
    value = node.input(0)
    axes = sorted({value.axis(axis) for axis in node.numbers(1, "which axes are reduced")})
    keeps = bool(node.option("keep_dims", default=False))
    if not axes:
        return node.add("identity", value)
    return node.add(
        "reduce", value, function=REDUCTIONS[node.operator], axes=axes, keep_axes=keeps
    )  # fmt: skip


@translates("ARG_MAX", "ARG_MIN")
def place_of_extreme(node: TfliteNode) -> Value:
    """The place of the greatest or least element along an axis."""
    (axis,) = node.numbers(1, "the axis")
    function = "max" if node.operator == "ARG_MAX" else "min"
    return node.add("reduce", node.input(0), function=function, axes=[axis])


@translates("MAX_POOL_2D", "AVERAGE_POOL_2D")
def pool(node: TfliteNode) -> Value:
    """The greatest element, or the mean, of every window."""
    function = "max" if node.operator == "MAX_POOL_2D" else "mean"
    return activated(node, _pooled(node, node.input(), function))


def _pooled(node: TfliteNode, value: Value, function: str) -> Value:
    window = [node.option("filter_height", 1), node.option("filter_width", 1)]
    return node.add(
        "pool", value, function=function, window=window, stride=per_axis(node, "stride_{}"),
        padding=rule_of_padding(node), input_layout="N*C",
    )  # fmt: skip


@translates("L2_POOL_2D")
def length_pool(node: TfliteNode) -> Value:
    """The root of the mean of squares of every window."""
    value = node.input()
    squares = node.add("elementwise", value, value, function="multiply")
    pooled = _pooled(node, squares, "mean")
    root = node.add("activation", pooled, function="sqrt", in_place=True)
    return activated(node, root)


@translates("CUSTOM:MaxPoolingWithArgmax2D")
def pool_with_places(node: TfliteNode) -> Sequence[Value]:
    """MediaPipe's pooling, which gives the places of the greatest elements as well."""
    fields = first_fields(node.entry.custom_options, 5)
    if fields is None or min(fields[1:]) < 1:
        message = "its window is not among its options"
        raise DataDependentError(message)
    padding, stride_width, stride_height, width, height = fields
    pooled = node.add(
        "pool", node.input(), function="max", window=[height, width],
        stride=[stride_height, stride_width], input_layout="N*C",
        padding="valid" if padding == len(("none", "same")) else "same",
    )  # fmt: skip
    return [pooled, node.add("copy", pooled, purpose="selection")][: max(node.results, 1)]


@translates("CUSTOM:MaxUnpooling2D")
def unpool(node: TfliteNode) -> Value:
    """MediaPipe's inverse of it: elements put where they came from, zeros elsewhere."""
    shape = stated_shape(node, "an option")
    return rearranged(node, "selection", shape, *node.present[:2])


@translates("REDUCE_WINDOW")
def reduce_window(node: TfliteNode) -> Value:
    """Windows along all axes, without padding, reduced to one element each."""
    functions = {1: "sum", 2: "product", 3: "min", 4: "max", 5: "min", 6: "max"}
    value = node.input(0)
    window, stride, dilation = (
        node.numbers(place, what)
        for place, what in ((2, "the window"), (3, "its stride"), (4, "its dilation"))
    )
    return windowed(
        node, value, functions[node.option("reduce_function")], window, stride, dilation, "valid"
    )


def windowed(  # noqa: PLR0917  # what a window has
    node: TfliteNode, value: Value, function: str, window: Sequence[int],
    stride: Sequence[int], dilation: Sequence[int], padding: object,
) -> Value:  # fmt: skip
    """A pooling along all axes of a value."""
    seen = node.add("reshape", value, shape=(*value.shape, 1))
    pooled = node.add(
        "pool", seen, function=function, window=list(window), stride=list(stride),
        dilation=list(dilation), padding=padding, input_layout="*C",
    )  # fmt: skip
    return node.add("reshape", pooled, shape=pooled.shape[:-1])


# ------------------------------------------------------------------ softmax and normalisation


@translates("SOFTMAX")
def softmax(node: TfliteNode) -> Value:
    """Exponentials over their sum along the last axis, of scaled elements."""
    value, scale = node.input(), node.option("beta", 1.0)
    if scale not in {0.0, 1.0}:  # 0 is what a file without it says
        value = node.add("elementwise", value, number(node, scale), function="multiply")
    return node.add("softmax", value)


@translates("LOG_SOFTMAX")
def log_softmax(node: TfliteNode) -> Value:
    """The logarithm of a softmax."""
    value = node.add("softmax", node.input())
    return node.add("activation", value, function="log", in_place=True)


@translates("L2_NORMALIZATION")
def unit_length(node: TfliteNode) -> Value:
    """Vectors along the last axis divided by their length."""
    value = node.input()
    squares = node.add("elementwise", value, value, function="multiply")
    total = node.add("reduce", squares, function="sum", axes=[-1], keep_axes=True)
    root = node.add("activation", total, function="sqrt", in_place=True)
    return activated(node, node.add("elementwise", value, root, function="divide"))


@translates("LOCAL_RESPONSE_NORMALIZATION")
def response_normalization(node: TfliteNode) -> Value:
    """Elements over a power of the sum of squares of the channels around them."""
    value, around = node.input(), 2 * node.option("radius", 0)
    squares = node.add("elementwise", value, value, function="multiply")
    total = node.add("elementwise", squares, function="add", steps=max(around, 1))
    shifted = node.add("elementwise", total, function="affine", in_place=True)
    raised = node.add("activation", shifted, function="power", in_place=True)
    return node.add("elementwise", value, raised, function="multiply")


# ------------------------------------------------------------------ segments

SEGMENTS: Final[Mapping[str, str]] = {
    "SEGMENT_SUM": "add", "UNSORTED_SEGMENT_SUM": "add", "UNSORTED_SEGMENT_PROD": "multiply",
    "UNSORTED_SEGMENT_MAX": "maximum", "UNSORTED_SEGMENT_MIN": "minimum",
}  # fmt: skip
"""The step by which an element joins those of its segment."""


@translates(*SEGMENTS)
def segments(node: TfliteNode) -> Value:
    """Slices reduced by the segments that data name: one step for each element."""
    value, places = node.input(0), node.input(1)
    stepped = node.add("elementwise", value, function=SEGMENTS[node.operator])
    rest = value.shape[places.rank :]
    if node.operator == "SEGMENT_SUM" or node.input(2).data is None:
        shape: Sequence[int] = stated_shape(node, "data")
    else:
        shape = (math.prod(node.numbers(2, "the number of segments")), *rest)
    return rearranged(node, "selection", shape, stepped, places)
