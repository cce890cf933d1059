"""Operators of StableHLO that TFLite files hold as builtin ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from costmodel.errors import ShapeError
from costmodel.frontend.translation import DataDependentError
from costmodel_tflite.operators.movements import known
from costmodel_tflite.operators.reductions import windowed
from costmodel_tflite.table import number, rearranged, stated_shape, translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

BINARY: Final[Mapping[str, str]] = {
    "STABLEHLO_ADD": "add", "STABLEHLO_SUBTRACT": "subtract", "STABLEHLO_MULTIPLY": "multiply",
    "STABLEHLO_DIVIDE": "divide", "STABLEHLO_MAXIMUM": "maximum", "STABLEHLO_MINIMUM": "minimum",
    "STABLEHLO_AND": "logic", "STABLEHLO_OR": "logic", "STABLEHLO_SHIFT_LEFT": "logic",
    "STABLEHLO_COMPARE": "compare",
}  # fmt: skip
"""The function of two operands of one shape."""

CURVES: Final[Mapping[str, str]] = {
    "STABLEHLO_LOGISTIC": "sigmoid", "STABLEHLO_ABS": "absolute", "STABLEHLO_COSINE": "cos",
    "STABLEHLO_EXPONENTIAL": "exp", "STABLEHLO_FLOOR": "floor", "STABLEHLO_LOG": "log",
    "STABLEHLO_RSQRT": "rsqrt", "STABLEHLO_TANH": "tanh", "STABLEHLO_CBRT": "cbrt",
}  # fmt: skip
"""The non-linear function of one operand."""


@translates(*BINARY)
def binary(node: TfliteNode) -> Value:
    """A function of two operands."""
    return node.add(
        "elementwise", node.input(0), node.input(1), function=BINARY[node.operator]
    )  # fmt: skip


@translates(*CURVES)
def curve(node: TfliteNode) -> Value:
    """A non-linear function of every element."""
    return node.add("activation", node.input(), function=CURVES[node.operator])


@translates("STABLEHLO_NEGATE")
def negate(node: TfliteNode) -> Value:
    """Zero less each element."""
    return node.add("elementwise", number(node, 0), node.input(), function="subtract")


@translates("STABLEHLO_CLAMP")
def clamp(node: TfliteNode) -> Value:
    """Elements within two bounds."""
    least, value, most = (node.input(place) for place in range(3))
    bounded = node.add("elementwise", value, least, function="maximum")
    return node.add("elementwise", bounded, most, function="minimum")


# ------------------------------------------------------------------ products


@translates("STABLEHLO_DOT_GENERAL")
def dot_general(node: TfliteNode) -> Value:
    """Products summed over the contracting axes, for each pair of batch axes."""
    left, right = node.input(0), node.input(1)
    names = [[f"l{axis}" for axis in range(left.rank)], [f"r{axis}" for axis in range(right.rank)]]
    shared, summed = (
        list(zip(*[node.option(f"{side}_{what}_dimensions", ()) for side in ("lhs", "rhs")],
                 strict=True))
        for what in ("batching", "contracting")
    )  # fmt: skip
    for letter, pairs in (("b", shared), ("k", summed)):
        for place, (one, other) in enumerate(pairs):
            names[0][one] = names[1][other] = f"{letter}{place}"
    batch = [f"b{place}" for place in range(len(shared))]
    kept = [*batch, *[name for side in names for name in side if name[0] in "lr"]]
    return node.add("contract", left, right, axes=names, kept=kept)


@translates("STABLEHLO_CONVOLUTION")
def convolution(node: TfliteNode) -> Value:
    """A convolution, whose axes lie as options say; one of a spread image is a transposed one.

    Raises:
        DataDependentError: it is both spread and strided or grouped, or has groups of the batch.

    """
    image, kernel = node.input(0), node.input(1)
    axes = len(node.option("input_spatial_dimensions", ()))
    ones = (1,) * axes
    layout = _layout(node, "input", "N", "batch", "C", "feature", image.rank)
    weights = _layout(node, "kernel", "C", "input_feature", "K", "output_feature", kernel.rank)
    result = _layout(node, "output", "N", "batch", "C", "feature", image.rank)
    stride, spread, dilation = (
        node.option(name, ()) or ones for name in ("window_strides", "lhs_dilation", "rhs_dilation")
    )
    flat = node.option("padding", ()) or (0,) * (2 * axes)
    padding = list(zip(flat[::2], flat[1::2], strict=True))
    groups = node.option("feature_group_count", 1) or 1
    if node.option("batch_group_count", 1) not in {0, 1}:
        message = "it has groups of the batch"
        raise DataDependentError(message)
    order = [layout.index(letter) for letter in result]
    if any(one > 1 for one in spread):
        made = _transposed(node, (image, kernel), (layout, weights), spread, padding, groups)
    else:
        image, layout = _in_line(node, image, layout)
        kernel, weights = _in_line(node, kernel, weights)
        made = node.add(
            "conv", image, kernel, stride=list(stride), padding=padding, dilation=list(dilation),
            groups=groups, input_layout=_short(layout), weight_layout=_short(weights),
        )  # fmt: skip
        order = [layout.index(letter) for letter in result]
    return made if order == sorted(order) else node.add("transpose", made, order=order)


def _layout(  # noqa: PLR0917  # two letters and what they are called
    node: TfliteNode, what: str, first: str, first_name: str, last: str, last_name: str, rank: int
) -> str:
    """The letters of the axes; spatial ones by number."""
    letters = ["?"] * rank
    letters[node.option(f"{what}_{first_name}_dimension")] = first
    letters[node.option(f"{what}_{last_name}_dimension")] = last
    for place, axis in enumerate(node.option(f"{what}_spatial_dimensions", ())):
        letters[axis] = str(place)
    if "?" in letters or len(set(letters)) < rank:
        message = f"the axes of its {what} are not named once each"
        raise ShapeError(message)
    return "".join(letters)


def _in_line(node: TfliteNode, value: Value, layout: str) -> tuple[Value, str]:
    """The value with its spatial axes side by side and in order."""
    digits = "".join(sorted(letter for letter in layout if letter.isdigit()))
    if digits in layout:
        return value, layout
    others = [letter for letter in layout if not letter.isdigit()]
    wanted = f"{others[0]}{digits}{others[1]}"
    order = [layout.index(letter) for letter in wanted]
    return node.add("transpose", value, order=order), wanted


def _short(layout: str) -> str:
    """The layout as builders take it: one star for all spatial axes."""
    digits = [letter for letter in layout if letter.isdigit()]
    return layout.replace("".join(digits), "*") if digits else layout


def _transposed(  # what a convolution has
    node: TfliteNode, operands: tuple[Value, Value], layouts: tuple[str, str],
    spread: Sequence[int], padding: Sequence[tuple[int, int]], groups: int,
) -> Value:  # fmt: skip
    """A convolution of an image whose elements stand apart: every one is scattered."""
    plain = all(
        one in {(), (1,) * len(spread)}
        for one in (
            tuple(node.option("window_strides", ())),
            tuple(node.option("rhs_dilation", ())),
        )
    )
    if not plain or groups > 1:
        message = "it spreads its image, and strides, dilates or groups as well"
        raise DataDependentError(message)
    image, layout = _in_line(node, operands[0], layouts[0])
    kernel, weights = _in_line(node, operands[1], layouts[1])
    window = [kernel.shape[weights.index(str(place))] for place in range(len(spread))]
    cut = [
        (size - 1 - before, size - 1 - after)
        for size, (before, after) in zip(window, padding, strict=True)
    ]
    added = [max(-after, 0) for _, after in cut]
    return node.add(
        "conv_transpose", image, kernel, stride=list(spread),
        padding=[(max(before, 0), max(after, 0)) for before, after in cut], output_padding=added,
        input_layout=_short(layout), weight_layout=_short(weights),
    )  # fmt: skip


# ------------------------------------------------------------------ reductions

BODIES: Final[Mapping[str, str]] = {
    "STABLEHLO_ADD": "sum", "ADD": "sum", "STABLEHLO_MAXIMUM": "max", "MAXIMUM": "max",
    "STABLEHLO_MINIMUM": "min", "MINIMUM": "min", "STABLEHLO_MULTIPLY": "product",
    "MUL": "product", "STABLEHLO_OR": "max", "LOGICAL_OR": "max", "STABLEHLO_AND": "min",
    "LOGICAL_AND": "min",
}  # fmt: skip
"""The reduction that a subgraph of one operator is."""


def _reduction(node: TfliteNode) -> str:
    """The function of the subgraph by which elements are joined.

    Raises:
        DataDependentError: it is more than one known operator.

    """
    held = node.subgraphs.file.subgraph(node.option("body_subgraph_index"))
    codes = [one.code for one in held.operators]
    if len(codes) != 1 or codes[0] not in BODIES:
        message = f"it reduces by a function of its own ({', '.join(codes)[:80]})"
        raise DataDependentError(message)
    return BODIES[codes[0]]


@translates("STABLEHLO_REDUCE")
def reduce(node: TfliteNode) -> Value:
    """All elements along some axes joined to one."""
    return node.add(
        "reduce", node.input(0), function=_reduction(node),
        axes=sorted(set(node.option("dimensions", ()))),
    )  # fmt: skip


@translates("STABLEHLO_REDUCE_WINDOW")
def reduce_window(node: TfliteNode) -> Value:
    """Windows along all axes joined to one element each."""
    value = node.input(0)
    ones = (1,) * value.rank
    if set(node.option("base_dilations", ()) or ones) != {1}:
        message = "its elements stand apart"
        raise DataDependentError(message)
    flat = node.option("padding", ()) or (0,) * (2 * value.rank)
    return windowed(
        node, value, _reduction(node), node.option("window_dimensions", ()),
        node.option("window_strides", ()) or ones, node.option("window_dilations", ()) or ones,
        list(zip(flat[::2], flat[1::2], strict=True)),
    )  # fmt: skip


# ------------------------------------------------------------------ movements


@translates("STABLEHLO_RESHAPE")
def reshape(node: TfliteNode) -> Value:
    """The same elements in the shape that the file declares."""
    return node.add("reshape", node.input(), shape=stated_shape(node, "data"))


@translates("STABLEHLO_TRANSPOSE")
def transpose(node: TfliteNode) -> Value:
    """The axes in another order."""
    return node.add("transpose", node.input(), order=node.option("permutation", ()))


@translates("STABLEHLO_CONCATENATE")
def concatenate(node: TfliteNode) -> Value:
    """Values one after the other along an axis."""
    return node.add("concatenate", *node.present, axis=node.option("dimension"))


@translates("STABLEHLO_BROADCAST_IN_DIM")
def broadcast_in_dim(node: TfliteNode) -> Value:
    """A value stretched to the declared shape; its axes become those that the option names."""
    value, shape = node.input(), stated_shape(node, "data")
    axes = node.option("broadcast_dimensions", ())
    if not axes and value.rank and node.optional(1) is not None:
        axes = node.numbers(1, "which axes its own become")
    seen = [1] * len(shape)
    for axis, length in zip(axes, value.shape, strict=True):
        seen[axis] = length
    return node.add("expand", node.add("reshape", value, shape=seen), shape=shape)


@translates("STABLEHLO_SLICE")
def slice_(node: TfliteNode) -> Value:
    """A block with steps."""
    parts = [node.option(name, ()) for name in ("start_indices", "limit_indices", "strides")]
    key = [slice(*items) for items in zip(*parts, strict=True)]
    return node.add("select", node.input(), key=key)


@translates("STABLEHLO_DYNAMIC_SLICE")
def dynamic_slice(node: TfliteNode) -> Value:
    """A block from a place that is data on."""
    shape = node.option("slice_sizes", ()) or stated_shape(node, "data")
    moving = [one for one in node.present[1:] if not one.is_constant]
    return rearranged(node, "selection", shape, node.input(0), *moving)


@translates("STABLEHLO_PAD")
def pad(node: TfliteNode) -> Value:
    """One number before, after and between the elements along each axis."""
    value = node.input(0)
    low, high, between = (
        node.option(f"{name}", ()) or (0,) * value.rank
        for name in ("edge_padding_low", "edge_padding_high", "interior_padding")
    )
    if not any(between) and min((*low, *high), default=0) >= 0:
        return node.add("pad", value, amounts=list(zip(low, high, strict=True)))
    shape = [
        length + before + after + max(length - 1, 0) * gap
        for length, before, after, gap in zip(value.shape, low, high, between, strict=True)
    ]
    return rearranged(node, "padding", shape, value)


@translates("STABLEHLO_GATHER")
def gather(node: TfliteNode) -> Value:
    """Blocks at places that are data; single slices along one axis are rows of a table."""
    value, places = node.input(0), node.input(1)
    sizes = list(node.option("slice_sizes", ()))
    axes = list(node.option("start_index_map", ()))
    shape = stated_shape(node, "data")
    is_lookup = (
        len(axes) == 1 and axes[0] == 0 and sizes == [1, *value.shape[1:]]
        and list(node.option("collapsed_slice_dims", ())) == axes
        and math.prod(shape) == places.size * math.prod(value.shape[1:])
    )  # fmt: skip
    if not is_lookup:
        return rearranged(node, "selection", shape, value, places)
    rows = node.add("reshape", places, shape=(places.size,))
    found = node.add("embedding", value, rows)
    return node.add("reshape", found, shape=shape)


@translates("STABLEHLO_SCATTER")
def scatter(node: TfliteNode) -> Value:
    """Elements put where data say, joined with those that are there by one step each."""
    value, places, updates = (node.input(place) for place in range(3))
    held = node.subgraphs.file.subgraph(node.option("update_computation_subgraph_index"))
    if held.operators:
        updates = node.add("elementwise", updates, function="add", steps=len(held.operators))
    return rearranged(node, "selection", value.shape, value, places, updates)


@translates("STABLEHLO_IOTA")
def iota(node: TfliteNode) -> Value:
    """The place of each element along an axis, which is known."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    shape = stated_shape(node, "data")
    axis = node.option("iota_dimension")
    if not 0 <= axis < len(shape):
        message = f"axis {axis} of {len(shape)} axes"
        raise ShapeError(message)
    seen = [1] * len(shape)
    seen[axis] = shape[axis]
    row = known(node, np.arange(shape[axis]).reshape(seen))
    return row if list(shape) == seen else node.add("expand", row, shape=shape)
