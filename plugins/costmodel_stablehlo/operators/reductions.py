"""Reductions along axes, and windows that move over tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.errors import ShapeError
from costmodel.frontend.translation import DataDependentError
from costmodel_stablehlo.operators.movements import edged
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.modules.program import Operation, Region
    from costmodel_stablehlo.nodes import ModuleNode

_FUNCTIONS: Final[Mapping[str, str]] = {
    "stablehlo.add": "sum", "stablehlo.maximum": "max", "stablehlo.minimum": "min",
    "stablehlo.multiply": "product", "stablehlo.and": "min", "stablehlo.or": "max",
    "stablehlo.xor": "sum",
}  # fmt: skip
"""The reduction that a region of one operation is."""
_OF_TWO: Final = {"LT": "min", "LE": "min", "GT": "max", "GE": "max"}
"""That of a region that compares two values and keeps one of them, with its place."""


def function_of(region: Region) -> str:
    """The reduction that a region does.

    Raises:
        DataDependentError: none that is known.

    """
    steps = [one for one in region.operations if one.name != "stablehlo.return"]
    if len(steps) == 1 and steps[0].name in _FUNCTIONS:
        return _FUNCTIONS[steps[0].name]
    compared = _first_comparison(steps)
    if compared in _OF_TWO and all(one.name in _CHOOSING for one in steps):
        return _OF_TWO[compared]
    shown = ", ".join(dict.fromkeys(one.name for one in steps)) or "nothing"
    message = f"it reduces by {shown:.80}, which is no known reduction"
    raise DataDependentError(message)


_CHOOSING: Final = frozenset(
    {"stablehlo.compare", "stablehlo.select", "stablehlo.and", "stablehlo.or", "stablehlo.constant"}
)


def _first_comparison(steps: Sequence[Operation]) -> str:
    for one in steps:
        direction = str(one.attributes.get("comparison_direction", ""))
        if direction in _OF_TWO:
            return direction
    return ""


@translates("reduce")
def reduce(node: ModuleNode) -> Sequence[Value]:
    """The elements along some axes, reduced to one; several tensors alike."""
    values = node.present[: node.results]
    function = function_of(node.regions[0])
    axes = node.list_of("dimensions")
    first = values[0]
    sources = [first] * node.results if node.results > 1 else values
    if not axes:
        return [node.add("identity", value) for value in values]
    return [node.add("reduce", one, function=function, axes=axes) for one in sources]


@translates("reduce_window")
def reduce_window(node: ModuleNode) -> Sequence[Value]:
    """Windows of tensors, each reduced to one element."""
    values = node.present[: node.results]
    rank = values[0].rank
    function = function_of(node.regions[0])
    ones = [1] * rank
    window, stride, base, dilation = [
        node.list_of(name, ones)
        for name in (
            "window_dimensions", "window_strides", "base_dilations", "window_dilations",
        )
    ]  # fmt: skip
    flat = node.list_of("padding", [0] * (2 * rank))
    pads = list(zip(flat[::2], flat[1::2], strict=True))
    if any(one > 1 for one in base):
        message = "windows of a tensor with other elements between its own"
        raise DataDependentError(message)
    sources = [values[0]] * node.results if node.results > 1 else values
    return [_pooled(node, one, function, window, stride, pads, dilation) for one in sources]


def _pooled(  # noqa: PLR0917  # the settings of a window
    node: ModuleNode, value: Value, function: str, window: Sequence[int], stride: Sequence[int],
    pads: Sequence[tuple[int, int]], dilation: Sequence[int],
) -> Value:  # fmt: skip
    moving = [
        axis
        for axis in range(value.rank)
        if window[axis] > 1 or stride[axis] > 1 or any(pads[axis])
    ]
    if not moving:
        return node.add("identity", value)
    if len(moving) == 1 and _is_running(value, moving[0], window, stride, pads):
        step = {"sum": "add", "product": "multiply", "max": "maximum", "min": "minimum"}
        return node.add("elementwise", value, function=step[function])
    if any(amount < 0 for pair in pads for amount in pair):
        value = edged(node, value, [(min(low, 0), min(high, 0)) for low, high in pads])
        pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    layout, spatial = _layout(value.rank, moving)
    image = value
    if layout == "*C" and len(spatial) == value.rank:
        image = node.add("reshape", value, shape=(*value.shape, 1))
    made = node.add(
        "pool", image, function=function, window=[window[axis] for axis in spatial],
        stride=[stride[axis] for axis in spatial], padding=[pads[axis] for axis in spatial],
        dilation=[dilation[axis] for axis in spatial], input_layout=layout,
    )  # fmt: skip
    return made if image is value else node.add("reshape", made, shape=made.shape[:-1])


def _layout(rank: int, moving: Sequence[int]) -> tuple[str, list[int]]:
    """A layout in which windows move along spatial axes, and the axes that are spatial."""
    if moving[0] > 1:
        return "NC*", list(range(2, rank))
    if moving[0] > 0 and moving[-1] < rank - 1:
        return "N*C", list(range(1, rank - 1))
    return "*C", list(range(rank))


def _is_running(
    value: Value, axis: int, window: Sequence[int], stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> bool:  # fmt: skip
    """Whether each element is that of all up to it, as a cumulative sum."""
    length = value.shape[axis]
    return window[axis] == length and stride[axis] == 1 and sorted(pads[axis]) == [0, length - 1]


@translates("select_and_scatter")
def select_and_scatter(node: ModuleNode) -> Value:
    """The gradient of a pooling: each window is searched for its greatest element.

    Raises:
        ShapeError: the windows do not fit.

    """
    value, source = node.input(0), node.input(1)
    window = math.prod(node.list_of("window_dimensions", [1] * value.rank))
    if source.rank != value.rank:
        message = f"windows of {value.rank} axes and {source.rank} axes of what is scattered"
        raise ShapeError(message)
    compared = node.add("elementwise", source, function="compare", steps=window)
    return node.add("store", value, compared)


@translates("chlo.scan")
def scan(node: ModuleNode) -> Sequence[Value]:
    """A step for each element along an axis.

    Raises:
        DataDependentError: always: the steps are those of a region.

    """
    message = "a scan of CHLO; lower it to stablehlo.while first"
    raise DataDependentError(message)
