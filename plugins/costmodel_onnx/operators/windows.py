"""Pooling, reductions along axes, sorting, resizing and sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.formats import parse_format
from costmodel.frontend.evaluation import LARGEST
from costmodel.workload import builders
from costmodel.workload.operators import Elementwise
from costmodel_onnx.operators.contractions import pairs_of, spatial_axes
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode

INT64: Final = parse_format("int64")

# ------------------------------------------------------------------ pooling


def pooled(node: OnnxNode, image: Value, function: str, **more: Any) -> Value:
    """Windows reduced to one element, with the settings that all variants share."""
    spatial = spatial_axes(node, image)
    window = node.attribute("kernel_shape")
    if window is None:
        node.refuse("kernel_shape is missing")
    auto = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    rule = node.attribute("auto_pad", "NOTSET")
    return node.add(
        "pool", image, function=function, window=window,
        stride=node.attribute("strides") or [1] * spatial,
        padding=auto.get(rule, "valid") if rule != "NOTSET" else pairs_of(node, spatial),
        ceil=bool(node.attribute("ceil_mode", 0)),
        dilation=node.attribute("dilations") or [1] * spatial, **more,
    )  # fmt: skip


@translates("MaxPool")
def max_pool(node: OnnxNode) -> list[Value]:
    """The largest element of each window, and where it was."""
    made = pooled(node, node.input(), "max")
    return [made, *_written(node, made.shape)[: node.results - 1]]


def _written(node: OnnxNode, shape: Sequence[int]) -> tuple[Value, ...]:
    """Indices that are written beside a result."""
    return node.append("fill", builders.fill(tuple(shape), purpose="indices"), formats=[INT64])


@translates("AveragePool")
def average_pool(node: OnnxNode) -> Value:
    """The mean of each window."""
    return pooled(node, node.input(), "mean")


@translates("LpPool")
def lp_pool(node: OnnxNode) -> Value:
    """The norm of each window: powers, their sum, a root."""
    raised = node.add("activation", node.input(), function=_raised(node))
    summed = pooled(node, raised, "sum")
    return node.add("activation", summed, function=_rooted(node), in_place=True)


def _raised(node: OnnxNode) -> str:
    return {1: "abs", 2: "square"}.get(int(node.attribute("p", 2)), "power")


def _rooted(node: OnnxNode) -> str:
    return {1: "linear", 2: "sqrt"}.get(int(node.attribute("p", 2)), "power")


@translates("GlobalMaxPool", "GlobalAveragePool")
def global_pool(node: OnnxNode) -> Value:
    """All elements of each channel reduced to one."""
    value = node.input()
    function = "max" if node.operator == "GlobalMaxPool" else "mean"
    return node.add(
        "reduce", value, function=function, axes=list(range(2, value.rank)), keep_axes=True
    )


@translates("GlobalLpPool")
def global_lp_pool(node: OnnxNode) -> Value:
    """The norm of each channel."""
    value = node.add("activation", node.input(), function=_raised(node))
    axes = list(range(2, value.rank))
    summed = node.add("reduce", value, function="sum", axes=axes, keep_axes=True)
    return node.add("activation", summed, function=_rooted(node), in_place=True)


@translates("MaxUnpool")
def max_unpool(node: OnnxNode) -> Value:
    """Elements put back where they were the largest of their window; zeros elsewhere."""
    value, places = node.input(0), node.input(1)
    window = node.attribute("kernel_shape")
    spatial = len(window)
    strides = node.attribute("strides") or [1] * spatial
    if node.optional(2) is not None:
        shape = node.numbers(2, "the shape of the result")
    else:
        sides = [
            (length - 1) * step + size - sum(pair)
            for length, step, size, pair in zip(
                value.shape[2:], strides, window, pairs_of(node, spatial), strict=True
            )
        ]
        shape = [*value.shape[:2], *sides]
    work = builders.rearrange("insertion", [value.tensor, places.tensor], [tuple(shape)])
    return node.append("unpool", work, value, places)[0]


@translates("MaxRoiPool", "RoiAlign")
def roi_pool(node: OnnxNode) -> Value:
    """Windows at places that are data, each reduced to a grid of elements."""
    image, regions = node.input(0), node.input(1)
    if node.operator == "MaxRoiPool":
        height, width = node.attribute("pooled_shape")
        shape = (regions.shape[0], image.shape[1], height, width)
        points = max(math.prod(image.shape[2:]) // (height * width), 1)
    else:
        height, width = node.attribute("output_height", 1), node.attribute("output_width", 1)
        ratio = int(node.attribute("sampling_ratio", 0)) or 2
        shape, points = (regions.shape[0], image.shape[1], height, width), ratio * ratio * 4
    return node.add("sample", image, regions, shape=shape, steps=points)


@translates("GridSample")
def grid_sample(node: OnnxNode) -> Value:
    """An image read at places between its elements that a grid gives."""
    image, grid = node.input(0), node.input(1)
    mode = str(node.attribute("mode", "linear")).removeprefix("bi")
    neighbours = {"nearest": 1, "linear": 2, "cubic": 4}.get(mode, 2)
    shape = (*image.shape[:2], *grid.shape[1:-1])
    return node.add("sample", image, grid, shape=shape, steps=neighbours ** (image.rank - 2))


@translates("AffineGrid")
def affine_grid(node: OnnxNode) -> Value:
    """The places that a matrix gives the points of a regular grid: a multiply-add for each axis."""
    matrix = node.input(0)
    size = node.numbers(1, "the size of the image")
    axes = len(size) - 2
    if matrix.shape != (size[0], axes, axes + 1):
        node.refuse(
            f"a matrix of {matrix.shape!r:.80} for an image of {tuple(size)!r:.80}; expected "
            f"{(size[0], axes, axes + 1)}"
        )
    return node.add("sample", matrix, shape=(size[0], *size[2:], axes), steps=axes)


# ------------------------------------------------------------------ reductions

_REDUCTIONS: Final = {
    # operator: a function before, the reduction, a function after
    "ReduceSum": ("", "sum", ""),
    "ReduceMean": ("", "mean", ""),
    "ReduceMax": ("", "max", ""),
    "ReduceMin": ("", "min", ""),
    "ReduceProd": ("", "product", ""),
    "ReduceL1": ("abs", "sum", ""),
    "ReduceL2": ("square", "sum", "sqrt"),
    "ReduceLogSum": ("", "sum", "log"),
    "ReduceLogSumExp": ("exp", "sum", "log"),
    "ReduceSumSquare": ("square", "sum", ""),
}


@translates(*_REDUCTIONS)
def reduce(node: OnnxNode) -> Value:
    """All elements along some axes reduced to one."""
    before, function, after = _REDUCTIONS[node.operator]
    value = node.input()
    axes = node.listed("axes", 1, "which axes are reduced")
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return node.add("identity", value)
        axes = list(range(value.rank))
    if value.rank == 0:
        return node.add("identity", value)
    if before:
        value = node.add("activation", value, function=before)
    keeps = bool(node.attribute("keepdims", 1))
    made = node.add("reduce", value, function=function, axes=axes, keep_axes=keeps)
    return node.add("activation", made, function=after, in_place=True) if after else made


@translates("ArgMax", "ArgMin")
def argmax(node: OnnxNode) -> Value:
    """The place of the largest or smallest element along an axis."""
    function = "max" if node.operator == "ArgMax" else "min"
    return node.add(
        "reduce", node.input(), function=function, axes=[int(node.attribute("axis", 0))],
        keep_axes=bool(node.attribute("keepdims", 1)), formats=[INT64],
    )  # fmt: skip


@translates("TopK")
def top_k(node: OnnxNode) -> tuple[Value, ...]:
    """The largest elements along an axis, in order, and where they were.

    A comparison for each element and doubling of `k`, as a heap makes them at most.
    """
    value = node.input()
    given = node.attribute("k")
    count = (
        int(given)
        if given is not None
        else node.numbers(1, "the number of elements that it gives")[0]
    )
    axis = value.axis(int(node.attribute("axis", -1)))
    count = min(count, value.shape[axis])
    shape = (*value.shape[:axis], count, *value.shape[axis + 1 :])
    steps = max(math.ceil(math.log2(count + 1)), 1)
    compared = node.add("elementwise", value, function="compare", steps=steps)
    work = builders.rearrange("sort", [compared.tensor], [shape, shape])
    return node.append("sort", work, compared, formats=[None, INT64])


@translates("CumSum", "CumProd")
def cumulative(node: OnnxNode) -> Value:
    """Sums or products of all elements up to each one."""
    value = node.input(0)
    function = "add" if node.operator == "CumSum" else "multiply"
    axis = node.optional(1)
    known = value.data is not None and axis is not None and axis.data is not None
    if known and value.is_constant and value.size <= LARGEST:
        plain = not (node.attribute("exclusive", 0) or node.attribute("reverse", 0))
        if plain and axis is not None:
            summed = np.cumsum if function == "add" else np.cumprod
            data = summed(value.data, axis=int(axis.data.reshape(-1)[0]))
            return node.constant(data.astype(value.data.dtype))
    return node.add("elementwise", value, function=function)


@translates("Hardmax")
def hardmax(node: OnnxNode) -> Value:
    """Ones at the largest element along an axis, zeros elsewhere."""
    value = node.input()
    axis = int(node.attribute("axis", -1 if node.opset >= _PLAIN_SOFTMAX else 1))
    best = node.add("reduce", value, function="max", axes=[axis], keep_axes=True)
    return node.add("elementwise", value, best, function="compare")


_PLAIN_SOFTMAX: Final = 13
"""The opset in which it and its relatives took one axis, in place of all from one on."""


# ------------------------------------------------------------------ resizing


@translates("Resize", "Upsample")
def resize(node: OnnxNode) -> Value:
    """An image of another size; each element is weighed from its neighbours in the old one."""
    value = node.input()
    shape = _resized(node, value)
    mode = str(node.attribute("mode", "nearest"))
    return resized(node, value, shape, mode)


def resized(node: OnnxNode, value: Value, shape: Sequence[int], mode: str) -> Value:
    """A value in another size."""
    if tuple(shape) == value.shape:
        return node.add("identity", value)
    if mode == "nearest":
        return node.append("resize", builders.resize(value.tensor, tuple(shape)), value)[0]
    axes = [
        place for place, (one, two) in enumerate(zip(value.shape, shape, strict=True)) if one != two
    ]
    width = {"cubic": 4}.get(mode.removeprefix("bi"), 2)
    read = [
        min(before, after * width) if axis in axes else before
        for axis, (before, after) in enumerate(zip(value.shape, shape, strict=True))
    ]
    carried = builders.rearrange_along(
        "repetition", value.tensor, tuple(shape), axes, touched=math.prod(read)
    )
    weighing = Elementwise(
        dims=carried.dims, operands=carried.operands, function="affine", steps=width ** len(axes)
    )
    return node.append("resize", weighing, value)[0]


def _resized(node: OnnxNode, value: Value) -> list[int]:
    """The shape after resizing, by sizes or scales, along all axes or some."""
    axes = [value.axis(axis) for axis in node.attribute("axes") or range(value.rank)]
    if node.operator == "Upsample" or node.opset < _RESIZE_BY_SIZES:
        scales_at, sizes_at = 1, None
    else:
        scales_at, sizes_at = 2, 3
    given = node.attribute("scales")
    shape = list(value.shape)
    if sizes_at is not None and node.present_input(sizes_at) is not None:
        sizes = node.numbers(sizes_at, "the size")
        return _by_sizes(node, shape, axes, sizes)
    if given is None:
        given = node.data(scales_at, "the size").reshape(-1).tolist()
    if len(given) != len(axes):
        node.refuse(f"{len(given)} scales; expected {len(axes)}")
    for axis, scale in zip(axes, given, strict=True):
        shape[axis] = math.floor(shape[axis] * float(scale))
    return shape


_RESIZE_BY_SIZES: Final = 11


def _by_sizes(
    node: OnnxNode, shape: list[int], axes: Sequence[int], sizes: Sequence[int]
) -> list[int]:
    if len(sizes) != len(axes):
        node.refuse(f"{len(sizes)} sizes; expected {len(axes)}")
    policy = str(node.attribute("keep_aspect_ratio_policy", "stretch"))
    ratios = [size / shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    if policy in {"not_larger", "not_smaller"}:
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        sizes = [math.floor(ratio * shape[axis] + 0.5) for axis in axes]
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    return shape
