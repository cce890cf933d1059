"""Convolutions of images: channels last, kernels as output, height, width, input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.errors import ShapeError
from costmodel_tflite.table import activated, first_fields, stated_shape, translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

PADDING: Final = ("same", "valid")
"""The rules of `Padding`, by number."""


def rule_of_padding(node: TfliteNode) -> str:
    """The rule by which an operator pads its image.

    Raises:
        ValueError: there is none of that number.

    """
    place = node.option("padding")
    if place not in range(len(PADDING)):
        message = f"padding {place!r:.40}; expected 0 (same) or 1 (valid)"
        raise ValueError(message)
    return PADDING[place]


def per_axis(node: TfliteNode, pattern: str, axes: str = "hw") -> list[int]:
    """An option of each spatial axis, such as `stride_{}`."""
    return [node.option(pattern.format(axis), 1) for axis in axes]


@translates("CONV_2D")
def conv(node: TfliteNode) -> Value:
    """A convolution; one whose kernel has fewer channels than the image is grouped."""
    image, kernel = node.input(0), node.input(1)
    groups = _groups(image.shape[-1], kernel.shape[-1])
    result = node.add(
        "conv", image, kernel, node.optional(2), stride=per_axis(node, "stride_{}"),
        padding=rule_of_padding(node), dilation=per_axis(node, "dilation_{}_factor"),
        groups=groups, input_layout="N*C", weight_layout="K*C",
    )  # fmt: skip
    return activated(node, result)


def _groups(channels: int, depth: int) -> int:
    if depth < 1 or channels % depth:
        message = f"a kernel of {depth} channels does not fit an image of {channels}"
        raise ShapeError(message)
    return channels // depth


@translates("DEPTHWISE_CONV_2D")
def depthwise_conv(node: TfliteNode) -> Value:
    """A convolution of each channel apart; the kernel is (1, height, width, results)."""
    image, kernel = node.input(0), node.input(1)
    result = node.add(
        "conv", image, kernel, node.optional(2), stride=per_axis(node, "stride_{}"),
        padding=rule_of_padding(node), dilation=per_axis(node, "dilation_{}_factor"),
        groups=image.shape[-1], input_layout="N*C", weight_layout="C*K",
    )  # fmt: skip
    return activated(node, result)


@translates("CONV_3D")
def conv_3d(node: TfliteNode) -> Value:
    """A convolution of volumes; the kernel is depth, height, width, input, output."""
    image, kernel = node.input(0), node.input(1)
    result = node.add(
        "conv", image, kernel, node.optional(2), stride=per_axis(node, "stride_{}", "dhw"),
        padding=rule_of_padding(node), dilation=per_axis(node, "dilation_{}_factor", "dhw"),
        groups=_groups(image.shape[-1], kernel.shape[-2]), input_layout="N*C",
        weight_layout="*CK",
    )  # fmt: skip
    return activated(node, result)


@translates("TRANSPOSE_CONV")
def transpose_conv(node: TfliteNode) -> Value:
    """A transposed convolution: every input element is scattered through the kernel."""
    spatial = _wanted(node, 0)
    strides = per_axis(node, "stride_{}")
    result = scattered(node, (2, 1, 3), strides, spatial, "K*C", rule_of_padding(node))
    return activated(node, result)


@translates("CONV_3D_TRANSPOSE")
def conv_3d_transpose(node: TfliteNode) -> Value:
    """A transposed convolution of volumes; the kernel is depth, height, width, output, input."""
    spatial = _wanted(node, 0)
    strides = per_axis(node, "stride_{}", "dhw")
    result = scattered(node, (2, 1, 3), strides, spatial, "*KC", rule_of_padding(node))
    return activated(node, result)


@translates("CUSTOM:Convolution2DTransposeBias")
def transpose_conv_with_bias(node: TfliteNode) -> Value:
    """MediaPipe's transposed convolution: image, kernel, bias, and the options as a structure."""
    image = node.input(0)
    spatial = stated_shape(node, "an option")[1:-1]
    fields = first_fields(node.entry.custom_options, 3)
    strides = (
        list(fields[:0:-1])
        if fields and min(fields[1:]) > 0
        else [
            after // max(before, 1)
            for before, after in zip(image.shape[1:-1], spatial, strict=True)
        ]
    )
    return scattered(node, (0, 1, 2), strides, spatial, "K*C", "same")


def _wanted(node: TfliteNode, place: int) -> Sequence[int]:
    """The spatial lengths of the result, which an input states; else those that the file does."""
    if node.input(place).data is None:
        return stated_shape(node, "data")[1:-1]
    return node.numbers(place, "the shape of the result")[1:-1]


def scattered(  # what a transposed convolution needs
    node: TfliteNode, places: tuple[int, int, int], strides: Sequence[int],
    spatial: Sequence[int], layout: str, rule: str,
) -> Value:  # fmt: skip
    """A transposed convolution of the inputs at these places, to these spatial lengths.

    Of the spread image, what the result has no room for is cut off at both ends.
    """
    image, kernel = node.input(places[0]), node.input(places[1])
    window = kernel.shape[1:-1] if layout == "K*C" else kernel.shape[:-2]
    cut, added = [], []
    for length, size, stride, wanted in zip(
        image.shape[1:-1], window, strides, spatial, strict=True
    ):
        rest = (length - 1) * stride + size - wanted
        before = max(rest, 0) // 2 if rule == "same" else 0
        cut.append((before, max(rest, 0) - before))
        added.append(max(-rest, 0))
    return node.add(
        "conv_transpose", image, kernel, node.optional(places[2]), stride=list(strides),
        padding=cut, output_padding=added, input_layout="N*C", weight_layout=layout,
        spatial=list(spatial),
    )  # fmt: skip
