"""Pooling, and images enlarged, reduced or taken apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from costmodel.frontend.translation import DataDependentError
from costmodel_torch.aten.statistics import places_of
from costmodel_torch.aten.table import (
    ATEN,
    elementwise,
    is_set,
    number,
    setting,
    tensor,
    whole,
    wholes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode

_POOLS: Final = {
    f"aten.{kind}_pool{spatial}d{more}": (function, spatial)
    for kind, function in (("max", "max"), ("avg", "mean"))
    for spatial in (1, 2, 3)
    for more in ("", "_with_indices")
    if kind == "max" or not more
}
_ADAPTIVE: Final = {
    f"aten.{start}adaptive_{kind}_pool{spatial}d": (function, spatial)
    for start in ("", "_")
    for kind, function in (("max", "max"), ("avg", "mean"))
    for spatial in (1, 2, 3)
}


@ATEN.translates(*_POOLS)
def pool(node: SourceNode) -> Value | Sequence[Value]:
    """Windows of each channel reduced to one element."""
    function, spatial = _POOLS[node.operator]
    image = _batched(node, tensor(node, "self"), spatial)
    window = wholes(node, "kernel_size", spatial)
    stride = wholes(node, "stride", spatial) if setting(node, "stride", ()) != () else window
    made = node.add(
        "pool", image, function=function, window=window, stride=stride,
        padding=[(amount, amount) for amount in wholes(node, "padding", spatial, 0)],
        dilation=wholes(node, "dilation", spatial, 1), ceil=is_set(node, "ceil_mode"),
    )  # fmt: skip
    return _given(node, made, spatial)


@ATEN.translates(*_ADAPTIVE)
def adaptive_pool(node: SourceNode) -> Value | Sequence[Value]:
    """Windows whose number is given.

    Where their number does not divide the image, all are as long as the longest must be for equal
    steps; PyTorch makes some of them shorter.
    """
    function, spatial = _ADAPTIVE[node.operator]
    image = _batched(node, tensor(node, "self"), spatial)
    lengths = image.shape[-spatial:]
    wanted = _sizes(node, lengths)
    if set(wanted) == {1}:
        axes = list(range(image.rank - spatial, image.rank))
        return _given(
            node, node.add("reduce", image, function=function, axes=axes, keep_axes=True), spatial
        )
    if any(after > before for before, after in zip(lengths, wanted, strict=True)):
        return _given(
            node, node.add("resize", image, shape=(*image.shape[:-spatial], *wanted)), spatial
        )
    stride = [before // after for before, after in zip(lengths, wanted, strict=True)]
    window = [
        before - (after - 1) * step
        for before, after, step in zip(lengths, wanted, stride, strict=True)
    ]
    made = node.add("pool", image, function=function, window=window, stride=stride)
    return _given(node, made, spatial)


def _sizes(node: SourceNode, lengths: Sequence[int]) -> list[int]:
    """The lengths of the result; None keeps one."""
    given = setting(node, "output_size")
    row = list(given) if isinstance(given, tuple) else [given]
    row = row * len(lengths) if len(row) == 1 else row
    return [length if one is None else int(one) for one, length in zip(row, lengths, strict=True)]


def _batched(node: SourceNode, image: Value, spatial: int) -> Value:
    if image.rank == spatial + 2:
        return image
    return node.add("reshape", image, shape=(1, *image.shape))


def _given(node: SourceNode, made: Value, spatial: int) -> Value | Sequence[Value]:
    """The result without a batch axis that the image did not have, and places if asked for."""
    if tensor(node, "self").rank == spatial + 1:
        made = node.add("reshape", made, shape=made.shape[1:])
    return made if node.results == 1 else [made, places_of(node, made)]


# ------------------------------------------------------------------ resizing

_NEIGHBOURS: Final = {"nearest": 1, "_nearest_exact": 1, "linear": 2, "bilinear": 2,
                      "trilinear": 2, "bicubic": 4}  # fmt: skip
_UPSAMPLED: Final = {
    f"aten.{start}upsample_{kind}{spatial}d{end}": (width, spatial)
    for kind, width, dimensions in (
        ("nearest", 1, (1, 2, 3)), ("nearest_exact", 1, (1, 2, 3)), ("linear", 2, (1,)),
        ("bilinear", 2, (2,)), ("trilinear", 2, (3,)), ("bicubic", 4, (2,)),
    )
    for spatial in dimensions
    for start in ("", "_")
    for end in ("", "_aa")
}  # fmt: skip


@ATEN.translates(*_UPSAMPLED)
def upsample(node: SourceNode) -> Value:
    """An image of another size, by the nearest elements or weighted sums of neighbours."""
    neighbours, spatial = _UPSAMPLED[node.operator]
    image = tensor(node, "input" if "input" in node.attributes else "self")
    lengths = image.shape[-spatial:]
    if setting(node, "output_size") is not None:
        wanted = wholes(node, "output_size", spatial)
    else:
        factors = list(setting(node, "scale_factors"))
        wanted = [
            math.floor(length * factor) for length, factor in zip(lengths, factors, strict=True)
        ]
    shape = (*image.shape[:-spatial], *wanted)
    if neighbours == 1:
        return node.add("resize", image, shape=shape)
    return node.add("interpolate", image, shape=shape, neighbours=neighbours)


_SAMPLED: Final = (2, 1, 4)
"""The neighbours along an axis, by the number of the mode: linear, nearest, cubic."""


@ATEN.translates("aten.grid_sampler", "aten.grid_sampler_2d", "aten.grid_sampler_3d")
def grid_sampler(node: SourceNode) -> Value:
    """An image read at places between its elements that a grid gives."""
    image, grid = tensor(node, "input"), tensor(node, "grid")
    neighbours = _SAMPLED[whole(node, "interpolation_mode")]
    shape = (*image.shape[:2], *grid.shape[1:-1])
    return node.add("sample", image, grid, shape=shape, steps=neighbours ** (image.rank - 2))


@ATEN.translates("aten.affine_grid_generator")
def affine_grid(node: SourceNode) -> Value:
    """The places that a matrix gives the points of a regular grid: a multiply-add for each axis."""
    matrix = tensor(node, "theta")
    axes = matrix.shape[-1] - 1
    examples, _, *lengths = wholes(node, "size")
    return node.add("sample", matrix, shape=(examples, *lengths, axes), steps=axes)


@ATEN.translates("aten.pixel_shuffle", "aten.pixel_unshuffle")
def pixel_shuffle(node: SourceNode) -> Value:
    """Channels put side by side in space, or the other way round."""
    image = tensor(node, "self")
    *lead, channels, height, width = image.shape
    rank = len(lead)
    if node.operator.endswith("unshuffle"):
        factor = whole(node, "downscale_factor")
        split = (*lead, channels, height // factor, factor, width // factor, factor)
        order = (0, 2, 4, 1, 3)
        joined = (*lead, channels * factor**2, height // factor, width // factor)
    else:
        factor = whole(node, "upscale_factor")
        split = (*lead, channels // factor**2, factor, factor, height, width)
        order = (0, 3, 1, 4, 2)
        joined = (*lead, channels // factor**2, height * factor, width * factor)
    apart = node.add("reshape", image, shape=split)
    moved = node.add(
        "transpose", apart, order=[*range(rank), *[rank + place for place in order]]
    )  # fmt: skip
    return node.add("reshape", moved, shape=joined)


@ATEN.translates("aten.channel_shuffle", "aten.native_channel_shuffle")
def channel_shuffle(node: SourceNode) -> Value:
    """Channels of groups put in turns."""
    image, groups = tensor(node, "self"), whole(node, "groups")
    batch, channels, *spatial = image.shape
    apart = node.add("reshape", image, shape=(batch, groups, channels // groups, *spatial))
    moved = node.add("transpose", apart, order=[0, 2, 1, *range(3, apart.rank)])
    return node.add("reshape", moved, shape=image.shape)


@ATEN.translates("aten.im2col")
def im2col(node: SourceNode) -> Value:
    """Every window of an image, its elements side by side."""
    image = tensor(node, "self")
    count = _windows(node, image.shape[-2:])
    elements = image.shape[-3] * math.prod(wholes(node, "kernel_size", 2))
    shape = (*image.shape[:-3], elements, count)
    return node.add("rearrange", image, purpose="selection", shapes=[shape])


@ATEN.translates("aten.col2im")
def col2im(node: SourceNode) -> Value:
    """Windows put back into an image: one addition for each of their elements."""
    value = tensor(node, "self")
    size = wholes(node, "output_size", 2)
    channels = value.shape[-2] // math.prod(wholes(node, "kernel_size", 2))
    added = elementwise(node, "add", value, number(node, 0))
    shape = (*value.shape[:-2], channels, *size)
    return node.add("rearrange", added, purpose="selection", shapes=[shape])


def _windows(node: SourceNode, lengths: Sequence[int]) -> int:
    rows = zip(
        lengths, wholes(node, "kernel_size", 2), wholes(node, "stride", 2, 1),
        wholes(node, "padding", 2, 0), wholes(node, "dilation", 2, 1), strict=True,
    )  # fmt: skip
    return math.prod([
        (length + 2 * padding - dilation * (window - 1) - 1) // stride + 1
        for length, window, stride, padding, dilation in rows
    ])  # fmt: skip


@ATEN.translates(
    "aten._fft_r2c", "aten._fft_c2r", "aten._fft_c2c", "aten.fft_fft", "aten.fft_ifft",
    "aten.fft_rfft", "aten.fft_irfft", "aten.fft_fft2", "aten.fft_ifft2", "aten.fft_rfft2",
    "aten.fft_irfft2", "aten.stft", "aten.istft",
)  # fmt: skip
def fourier(node: SourceNode) -> Sequence[Value]:
    """A Fourier transform."""
    message = "how many operations a Fourier transform takes is the plan of the library"
    raise DataDependentError(message)
