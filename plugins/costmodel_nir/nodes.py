"""What the nodes of NIR become, for one time step.

A rule reads what arrives along each edge as one of `node.inputs`, with a batch axis of length 1 in
front. Settings such as `stride` are among the attributes as whole numbers or text, and arrays such
as `weight` as constants.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError, ShapeError
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import TranslationTable
from costmodel_nir.shapes import NEURONS, SETTINGS, fitted, lengths, note, shape_of, show, summed

if TYPE_CHECKING:
    from costmodel.frontend.translation import SourceNode
    from costmodel_nir.shapes import Shape

NIR: Final = TranslationTable("nir")
"""The nodes of NIR by their types; `NIRGraph` is unfolded before."""

_MATRIX: Final = 2


def _array(node: SourceNode, name: str) -> Value:
    value = node.attribute(name)
    if not isinstance(value, Value):
        message = f"no data set {name!r}; a {node.operator} node has one"
        raise ReadError(message)
    return value


def _optional(node: SourceNode, name: str) -> Value | None:
    value = node.attribute(name)
    return value if isinstance(value, Value) else None


# ------------------------------------------------------------------ ends


@NIR.translates("Input", "Output")
def end(node: SourceNode) -> Value:
    """The border of a graph: the sum of what arrives."""
    value, stated = summed(node), lengths(node.attribute("shape"))
    if stated is not None and stated != shape_of(value):
        note(node, f"states the shape {show(stated)}, but what arrives has {show(shape_of(value))}")
    return value


# ------------------------------------------------------------------ synapses


@NIR.translates("Affine", "Linear")
def product(node: SourceNode) -> Value:
    """A matrix product, with a bias if the file has one."""
    weight, bias = _array(node, "weight"), _optional(node, "bias")
    if weight.rank < _MATRIX:
        message = f"'weight' has shape {show(weight.shape)}; expected at least two axes"
        raise ShapeError(message)
    value, front = summed(node), weight.shape[:-2]
    own, wanted = shape_of(value), (*front, weight.shape[-1])
    if not front and own != wanted and own[-1:] == wanted:
        note(
            node, f"reads {show(own)} where it expects {show(wanted)}; applied along the last axis"
        )
    else:
        value = fitted(node, value, wanted)
    if not front:
        return node.add("matmul", value, weight, bias, transpose_right=True)
    row = node.add("reshape", value, shape=(*value.shape[:-1], 1, value.shape[-1]))
    made = node.add("matmul", row, weight, transpose_right=True)
    result = node.add("reshape", made, shape=(1, *front, weight.shape[-2]))
    return result if bias is None else node.add("elementwise", result, bias, function="add")


@NIR.translates("Conv1d", "Conv2d")
def conv(node: SourceNode) -> Value:
    """A convolution; the shape that it reads follows from the edges."""
    weight, spatial = _array(node, "weight"), 1 if node.operator == "Conv1d" else 2
    if weight.rank != spatial + 2:
        message = (
            f"'weight' has shape {show(weight.shape)}; expected {spatial + 2} axes: output "
            "channels, input channels of a group, window"
        )
        raise ShapeError(message)
    groups = _whole(node, "groups", 1)
    image = _image(node, summed(node), weight.shape[1] * groups, spatial)
    return node.add(
        "conv", image, weight, _optional(node, "bias"), stride=_per_axis(node, "stride", 1),
        padding=_padding(node), dilation=_per_axis(node, "dilation", 1), groups=groups,
    )  # fmt: skip


def _image(node: SourceNode, value: Value, channels: int, spatial: int) -> Value:
    """What arrives, as channels and spatial axes."""
    own, stated = shape_of(value), lengths(node.attribute("input_shape"))
    if stated is not None and len(stated) != spatial:
        note(node, f"'input_shape' is {show(stated)}; expected {spatial} spatial axes; left out")
        stated = None
    if channels == 1 and len(own) == spatial:
        value = fitted(node, value, (1, *own))
    elif stated is not None and own != (channels, *stated) and own[:1] != (channels,):
        value = fitted(node, value, (channels, *stated))
    own = shape_of(value)
    if len(own) != spatial + 1 or own[0] != channels:
        message = f"reads {show(own)}; expected {channels} channels and {spatial} spatial axes"
        raise ShapeError(message)
    if stated is not None and own[1:] != stated:
        note(node, f"states the input {show((channels, *stated))}, but reads {show(own)}")
    return value


def _padding(node: SourceNode) -> Any:
    given = node.attribute("padding", 0)
    if isinstance(given, str):
        if given not in {"same", "valid"}:
            message = f"padding is {given!r:.40}; expected 'same', 'valid' or whole numbers"
            raise ReadError(message)
        return given
    return _per_axis(node, "padding", 0)


def _per_axis(node: SourceNode, name: str, default: Any) -> Any:
    given = node.attribute(name, default)
    if isinstance(given, str):
        message = f"{name} is {given!r:.40}; expected whole numbers"
        raise ReadError(message)
    if isinstance(given, tuple):
        return given[0] if len(given) == 1 else given
    return given


def _whole(node: SourceNode, name: str, default: int) -> int:
    given = _per_axis(node, name, default)
    if not isinstance(given, int):
        message = f"{name} is {given!r:.40}; expected a whole number"
        raise ReadError(message)
    return given


@NIR.translates("SumPool2d", "AvgPool2d")
def pool(node: SourceNode) -> Value:
    """The sum or the mean of each window of a channel."""
    value = summed(node)
    if value.rank != 4:  # noqa: PLR2004  # the batch, channels and two spatial axes
        message = f"reads {show(shape_of(value))}; expected channels, height and width"
        raise ShapeError(message)
    window = _per_axis(node, "kernel_size", None)
    if window is None:
        message = f"no data set 'kernel_size'; a {node.operator} node has one"
        raise ReadError(message)
    return node.add(
        "pool", value, function="sum" if node.operator == "SumPool2d" else "mean", window=window,
        stride=_per_axis(node, "stride", None), padding=_per_axis(node, "padding", 0),
    )  # fmt: skip


@NIR.translates("Scale")
def scale(node: SourceNode) -> Value:
    """Every element times a constant of its own."""
    factor = _array(node, "scale")
    return node.add("elementwise", _spread(node, summed(node), [factor]), factor,
                    function="multiply")  # fmt: skip


# ------------------------------------------------------------------ neurons


@NIR.translates(*NEURONS)
def neurons(node: SourceNode) -> Value:
    """One update of each neuron, which sums the currents that arrive along all edges.

    The constants of neurons are part of the update, and no parameters.
    """
    constants = [one for one in node.attributes.values() if isinstance(one, Value)]
    currents = [_spread(node, value, constants) for value in node.present]
    same = [fitted(node, value, shape_of(currents[0])) for value in currents]
    return node.add("update", *same, function=NEURONS[node.operator])


def _spread(node: SourceNode, value: Value, constants: list[Value]) -> Value:
    """A value for elements that have constants of their own, or share some."""
    shapes = {one.shape for one in constants}
    for shape in sorted(shapes, key=math.prod, reverse=True):
        if not _stretches(shape, shape_of(value)):
            value = fitted(node, value, shape)
    own = shape_of(value)
    if shapes and all(math.prod(shape) < math.prod(own) for shape in shapes):
        largest = max(shapes, key=math.prod)
        note(node, f"has constants of shape {show(largest)} for {show(own)}; they are shared")
    return value


def _stretches(shape: Shape, whole: Shape) -> bool:
    """Whether an array is broadcast to a whole shape."""
    if len(shape) > len(whole):
        return False
    pairs = zip(reversed(shape), reversed(whole), strict=False)
    return all(length in {1, wanted} for length, wanted in pairs)


# ------------------------------------------------------------------ what only moves


@NIR.translates("Delay")
def delay(node: SourceNode) -> Value:
    """What arrived some time before: every element is kept until it is due."""
    value = _spread(node, summed(node), [_array(node, "delay")])
    return node.add("copy", value, purpose="delay")


@NIR.translates("Flatten")
def flatten(node: SourceNode) -> Value:
    """Some axes as one."""
    value = summed(node)
    own, stated = shape_of(value), lengths(node.attribute("input_type"))
    if stated is not None and stated != own:
        note(node, f"states the input {show(stated)}, but reads {show(own)}")
    first = _axis(node, "start_dim", 1, len(own))
    last = _axis(node, "end_dim", -1, len(own))
    if first >= last:
        return node.add("identity", value)
    shape = (*own[:first], math.prod(own[first : last + 1]), *own[last + 1 :])
    return node.add("reshape", value, shape=(1, *shape))


def _axis(node: SourceNode, name: str, default: int, rank: int) -> int:
    given = _whole(node, name, default)
    return max(given + rank, 0) if given < 0 else min(given, rank)


REASONS: Final = {
    "NIRGraph": "unfolded: its nodes stand beside those around it, as block/node",
}
"""Why a type of node has no rule."""

__all__ = ["NIR", "REASONS", "SETTINGS"]
