"""Functions of keras.ops whose windows move over images: convolution, pooling, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Work, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.affine import Affine, axis_index
from costmodel.workload.builders import (
    conv,
    elementwise,
    fold_patches,
    patches,
    pool,
    regroup,
    shift,
)
from costmodel.workload.operators import Contraction, Operand
from costmodel.workload.reasons import Unpriced
from costmodel_keras.layers import settings
from costmodel_keras.layers.convolution import (
    image_axes,
    image_layout,
    image_shape,
    scattered,
    spatial_axes,
    spread_length,
    window_length,
)
from costmodel_keras.layers.operations.operation import (
    Operation,
    Whole,
    is_batch,
    kind,
    without_batch,
)
from costmodel_keras.layers.pooling import adaptive_work, for_each
from costmodel_keras.layers.reshaping import interpolation, resized
from costmodel_keras.layers.unsupported import UnsupportedError


@frozen(slots=False)
class Imaged(Operation):
    """A function of an image; with its batch, or not at all."""

    data_format: str = setting(settings.data_format, default="channels_last")

    @property
    def image(self) -> Shape:
        """The shape of the image of one example."""
        return without_batch(self.whole)

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.image) - 1

    @property
    def spatial(self) -> Shape:
        """The spatial lengths."""
        return spatial_axes(self.image, self.rank, self.data_format)[0]

    @property
    def channels(self) -> int:
        """The number of channels."""
        return spatial_axes(self.image, self.rank, self.data_format)[1]

    def images(self, spatial: Sequence[int | None], channels: int) -> Sequence[Whole]:
        """One result, an image with its batch."""
        return ((self.whole[0], *image_shape(spatial, channels, self.data_format)),)


# ------------------------------------------------------------------ convolutions


@frozen(slots=False)
class Convolving(Imaged):
    """What all convolutions share: a kernel given as an operand."""

    takes: ClassVar[tuple[str, ...]] = ("inputs", "kernel")

    strides: tuple[int, ...] = setting(settings.wholes, default=(1,))
    padding: str = setting(settings.padding, default="valid")
    dilation_rate: tuple[int, ...] = setting(settings.wholes, default=(1,))
    edges: tuple[tuple[int, int], ...] = setting(settings.pairs, default=((0, 0),))
    """Zeros before and after each spatial axis, where they are given by number."""

    @property
    def kernel(self) -> tuple[int, ...]:
        """The whole shape of the kernel: the window, and two numbers of channels."""
        whole = self.wholes_given[1]
        lengths = tuple([length for length in whole if length is not None and not is_batch(length)])
        if len(whole) != self.rank + 2 or lengths != whole:
            message = "its kernel is not of one shape for all examples"
            raise UnsupportedError(message)
        return lengths

    def places(self) -> Shape:
        """The places of the kernel along each spatial axis."""
        rank = self.rank
        axes = zip(
            self.spatial, self.kernel, for_each(self.strides, rank),
            for_each(self.dilation_rate, rank), map(sum, for_each(self.edges, rank)), strict=False,
        )  # fmt: skip
        return tuple(
            window_length(
                None if length is None else length + more, (kernel - 1) * dilation + 1, stride,
                self.padding,
            )
            for length, kernel, stride, dilation, more in axes
        )  # fmt: skip

    def check_channels(self, expected: int) -> None:
        """Refuse an image of other channels than a kernel takes."""
        if self.channels != expected:
            message = f"a kernel of {expected} channels does not fit an image of {self.channels}"
            raise ValueError(message)

    @property
    def kernels(self) -> Sequence[Tensor]:
        """The kernels, which stay on the device."""
        return (*self.inputs[1:], *self.constants)

    def convolved(self, groups: int, weight_layout: str, output: Tensor | None) -> Contraction:
        """The convolution of the image with the first kernel."""
        rank = self.rank
        edges = for_each(self.edges, rank)
        return conv(
            self.inputs[0], self.kernels[0], stride=for_each(self.strides, rank),
            padding=edges if any(map(any, edges)) else self.padding,
            dilation=for_each(self.dilation_rate, rank), groups=groups,
            input_layout=image_layout(self.data_format), weight_layout=weight_layout,
            output=output,
        )  # fmt: skip


class Conv(Convolving):
    """Convolution; in groups where the kernel has fewer channels than the image."""

    kinds: ClassVar = (kind("Conv"),)

    def wholes(self) -> Sequence[Whole]:
        """The places of the kernel, by output channels."""
        if self.channels % self.kernel[-2]:
            message = f"{self.channels} channels do not divide into groups of {self.kernel[-2]}"
            raise ValueError(message)
        groups = self.channels // self.kernel[-2]
        if self.kernel[-1] % groups:
            message = f"{self.kernel[-1]} filters do not divide into {groups} groups"
            raise ValueError(message)
        return self.images(self.places(), self.kernel[-1])

    def operators(self) -> Work:
        """One contraction over the window and the channels of a group."""
        groups = self.channels // self.kernel[-2]
        return (self.convolved(groups, "*CK", self.outputs[0]),)


class DepthwiseConv(Convolving):
    """Convolution of every channel with kernels of its own."""

    kinds: ClassVar = (kind("DepthwiseConv"),)

    def wholes(self) -> Sequence[Whole]:
        """The places of the kernel, by channels and their multiples."""
        self.check_channels(self.kernel[-2])
        return self.images(self.places(), self.kernel[-1] * self.kernel[-2])

    def operators(self) -> Work:
        """One contraction over the window alone."""
        return (self.convolved(self.channels, "*GK", self.outputs[0]),)


class SeparableConv(Convolving):
    """A depthwise convolution and a pointwise one after it."""

    kinds: ClassVar = (kind("SeparableConv"),)
    takes: ClassVar = ("inputs", "depthwise_kernel", "pointwise_kernel")

    def wholes(self) -> Sequence[Whole]:
        """The places of the depthwise kernel, by the channels of the pointwise one."""
        self.check_channels(self.kernel[-2])
        filters = self.wholes_given[2][-1]
        if filters is None or is_batch(filters):
            message = "its kernel is not of one shape for all examples"
            raise UnsupportedError(message)
        return self.images(self.places(), filters)

    def operators(self) -> Work:
        """Two contractions."""
        depthwise = self.convolved(self.channels, "*GK", None)
        pointwise = conv(
            depthwise.outputs[0], self.kernels[1], input_layout=image_layout(self.data_format),
            weight_layout="*CK", output=self.outputs[0],
        )  # fmt: skip
        return depthwise, pointwise


@frozen(slots=False)
class ConvTranspose(Convolving):
    """Transposed convolution: every input element is spread through the kernel."""

    kinds: ClassVar = (kind("ConvTranspose"),)

    output_padding: tuple[int, ...] | None = setting(
        settings.optional(settings.integers), default=None
    )

    def wholes(self) -> Sequence[Whole]:
        """The spread of each spatial axis, by output channels."""
        self.check_channels(self.kernel[-1])
        rank = self.rank
        extra = (
            (None,) * rank if self.output_padding is None else for_each(self.output_padding, rank)
        )
        axes = zip(
            self.spatial, self.kernel, for_each(self.strides, rank),
            for_each(self.dilation_rate, rank), extra, strict=False,
        )  # fmt: skip
        lengths = [
            spread_length(length, (kernel - 1) * dilation + 1, stride, self.padding, added)
            for length, kernel, stride, dilation, added in axes
        ]
        return self.images(lengths, self.kernel[-2])

    def operators(self) -> Work:
        """One contraction, each input element times the whole kernel."""
        work = scattered(
            self.inputs[0], self.kernels[0], self.outputs[0], strides=self.strides,
            dilations=self.dilation_rate, padding=self.padding, data_format=self.data_format,
        )  # fmt: skip
        return (work,)


@frozen(slots=False)
class FixedFilter(Imaged):
    """A convolution of every channel with fixed kernels: blurred images, or edges in both ways."""

    kinds: ClassVar = (kind("GaussianBlur"), kind("SobelEdges"))

    kernel_size: tuple[int, ...] = setting(settings.wholes, default=(3, 3))

    def wholes(self) -> Sequence[Whole]:
        """The image; edges have one more axis for both ways."""
        without_batch(self.whole)
        return ((*self.whole, *((2,) if self.kind == kind("SobelEdges") else ())),)

    def operators(self) -> Work:
        """One contraction over the window."""
        filters = 2 if self.kind == kind("SobelEdges") else 1
        size = for_each(self.kernel_size, 2)
        work = conv(
            self.inputs[0], (*size, self.channels, filters), padding="same",
            groups=self.channels, weight_layout="*GK",
            input_layout=image_layout(self.data_format),
        )  # fmt: skip
        # Every channel is convolved with the same kernel, and the filters have an axis.
        image, _, _ = work.operands
        window = [axis_index(name) for name in ("r", "s")]
        kernel = Operand("weight", Tensor((*size, 1, filters)), [*window, Affine(), "k"])
        spots: list[Affine | str] = ["p", "q"]
        spots.insert(2 if self.data_format == "channels_last" else 0, "g")
        if filters > 1:
            spots.append("k")
        dims = {"g": self.channels, "k": filters, **work.dims}
        operands = [image, kernel, Operand("output", self.outputs[0], spots)]
        return (Contraction(dims=dims, operands=operands),)


class Grayscale(Imaged):
    """One brightness of three colours."""

    kinds: ClassVar = (kind("RGBToGrayscale"),)

    def wholes(self) -> Sequence[Whole]:
        """The image with one channel."""
        return self.images(self.spatial, 1)

    def operators(self) -> Work:
        """One contraction over the colours."""
        work = conv(
            self.inputs[0], (1,) * self.rank + (self.channels, 1), weight_layout="*CK",
            input_layout=image_layout(self.data_format), output=self.outputs[0],
        )  # fmt: skip
        return (work,)


# ------------------------------------------------------------------ pooling


@frozen(slots=False)
class Pool(Imaged):
    """The maximum or mean of every window."""

    kinds: ClassVar = (kind("AveragePool"), kind("MaxPool"))

    pool_size: tuple[int, ...] = setting(settings.wholes)
    strides: tuple[int, ...] | None = setting(settings.optional(settings.wholes), default=None)
    padding: str = setting(settings.padding, default="valid")

    def wholes(self) -> Sequence[Whole]:
        """The places of the window, by channels."""
        sizes = for_each(self.pool_size, self.rank)
        axes = zip(self.spatial, sizes, for_each(self.strides or sizes, self.rank), strict=True)
        return self.images([window_length(*axis, self.padding) for axis in axes], self.channels)

    def operators(self) -> Work:
        """One reduction over the window."""
        function = "max" if self.kind == kind("MaxPool") else "mean"
        work = pool(
            function, self.inputs[0], for_each(self.pool_size, self.rank),
            stride=None if self.strides is None else for_each(self.strides, self.rank),
            padding=self.padding, input_layout=image_layout(self.data_format),
            output=self.outputs[0],
        )  # fmt: skip
        return (work,)


@frozen(slots=False)
class AdaptivePool(Imaged):
    """The maximum or mean of as many windows as asked for."""

    kinds: ClassVar = (kind("AdaptiveAveragePool"), kind("AdaptiveMaxPool"))

    output_size: tuple[int, ...] = setting(settings.wholes)

    def wholes(self) -> Sequence[Whole]:
        """The windows along each axis, by channels."""
        return self.images(for_each(self.output_size, self.rank), self.channels)

    def operators(self) -> Work:
        """Reductions over windows, some of which are one longer than others."""
        function = "max" if self.kind == kind("AdaptiveMaxPool") else "mean"
        sizes = for_each(self.output_size, self.rank)
        return adaptive_work(self, function, sizes, self.data_format)


# ------------------------------------------------------------------ blocks and patches


@frozen(slots=False)
class Blocks(Imaged):
    """Channels spread over blocks of an image, or blocks gathered in channels."""

    kinds: ClassVar = (kind("DepthToSpace"), kind("SpaceToDepth"))

    block_size: int = setting(settings.whole)

    def wholes(self) -> Sequence[Whole]:
        """The sides longer and the channels fewer, or the other way round."""
        block, area = self.block_size, self.block_size**self.rank
        if self.kind == kind("DepthToSpace"):
            sides = [None if length is None else length * block for length in self.spatial]
            return self.images(sides, _divided(self.channels, area))
        sides = [None if length is None else _divided(length, block) for length in self.spatial]
        return self.images(sides, self.channels * area)

    def operators(self) -> Work:
        """One movement between the channels and the places of a block, which the channels count."""
        names = [f"d{axis}" for axis in range(self.rank)]
        blocks = [f"t{axis}" for axis in range(self.rank)]
        deep = [[name] for name in names], [*blocks, "c"]
        wide = [list(pair) for pair in zip(names, blocks, strict=True)], ["c"]
        is_spread = self.kind == kind("DepthToSpace")
        before, after = [
            image_axes(sides, channel, self.data_format)
            for sides, channel in ((deep, wide) if is_spread else (wide, deep))
        ]
        image = self.inputs[0] if is_spread else self.outputs[0]
        spatial, channels = spatial_axes(image.shape, self.rank, self.data_format)
        sizes = {
            **dict(zip(names, spatial, strict=True)), **dict.fromkeys(blocks, self.block_size),
            "c": channels // self.block_size**self.rank,
        }  # fmt: skip
        return (regroup(self.inputs[0], before, after, sizes, output=self.outputs[0]),)


def _divided(length: int, parts: int) -> int:
    if length % parts:
        message = f"{length} does not divide by {parts}"
        raise ValueError(message)
    return length // parts


@frozen(slots=False)
class ExtractPatches(Imaged):
    """Every window of an image as one vector."""

    kinds: ClassVar = (kind("ExtractPatches"),)

    size: tuple[int, ...] = setting(settings.wholes)
    strides: tuple[int, ...] | None = setting(settings.optional(settings.wholes), default=None)
    dilation_rate: tuple[int, ...] = setting(settings.wholes, default=(1,))
    padding: str = setting(settings.padding, default="valid")

    def wholes(self) -> Sequence[Whole]:
        """The places of the window, by its elements."""
        sizes = for_each(self.size, self.rank)
        axes = zip(
            self.spatial, sizes, for_each(self.strides or sizes, self.rank),
            for_each(self.dilation_rate, self.rank), strict=True,
        )  # fmt: skip
        places = [
            window_length(length, (size - 1) * dilation + 1, stride, self.padding)
            for length, size, stride, dilation in axes
        ]
        return self.images(places, math.prod(sizes) * self.channels)

    def operators(self) -> Work:
        """One movement of every element to its place in each window that holds it."""
        rank = self.rank
        sizes = for_each(self.size, rank)
        places, window = [[name] for name in "pqo"[:rank]], [*"rst"[:rank], "c"]
        work = patches(
            self.inputs[0], sizes, image_axes(places, window, self.data_format),
            stride=for_each(self.strides or sizes, rank), padding=self.padding,
            dilation=for_each(self.dilation_rate, rank),
            input_layout=image_layout(self.data_format), output=self.outputs[0],
        )  # fmt: skip
        return (work,)


_PLANE: Final = 2


@frozen(slots=False)
class Patchwork(Operation):
    """Windows of an image, channels first, that may overlap."""

    kernel_size: tuple[int, ...] = setting(settings.wholes)
    dilation: tuple[int, ...] = setting(settings.wholes, default=(1,))
    padding: tuple[int, ...] = setting(settings.integers, default=(0,))
    stride: tuple[int, ...] = setting(settings.wholes, default=(1,))

    @property
    def window(self) -> int:
        """The elements of a window in each channel."""
        return math.prod(for_each(self.kernel_size, _PLANE))

    def places(self, sides: Sequence[int | None]) -> int | None:
        """The number of windows in an image of these sides, where it is known."""
        axes = zip(
            sides, for_each(self.kernel_size, _PLANE), for_each(self.dilation, _PLANE),
            for_each(self.padding, _PLANE), for_each(self.stride, _PLANE), strict=True,
        )  # fmt: skip
        number = 1
        for length, size, dilation, more, stride in axes:
            reach = (size - 1) * dilation + 1
            whole = None if length is None else length + 2 * more
            found = window_length(whole, reach, stride, "valid")
            if found is None:
                return None
            number *= found
        return number


@frozen(slots=False)
class Unfold(Patchwork):
    """Every window of an image, channels first, as one vector."""

    kinds: ClassVar = (kind("Unfold"),)

    def wholes(self) -> Sequence[Whole]:
        """The elements of a window, by the places of it."""
        batch, (channels, *sides) = self.whole[0], without_batch(self.whole)
        if channels is None:
            message = "the number of channels is open"
            raise ValueError(message)
        return ((batch, channels * self.window, self.places(sides)),)

    def operators(self) -> Work:
        """One movement of every element to its place in each window that holds it."""
        work = patches(
            self.inputs[0], for_each(self.kernel_size, _PLANE), _UNFOLDED,
            stride=for_each(self.stride, _PLANE), padding=for_each(self.padding, _PLANE),
            dilation=for_each(self.dilation, _PLANE), input_layout="C*", output=self.outputs[0],
        )  # fmt: skip
        return (work,)


_UNFOLDED: Final = ("crs", "pq")
"""The dimensions in the axes of windows: channels and elements of a window, and its places."""


@frozen(slots=False)
class Fold(Patchwork):
    """Windows put back into an image, channels first, and added where they overlap."""

    kinds: ClassVar = (kind("Fold"),)

    output_size: tuple[int, ...] = setting(settings.wholes)

    def wholes(self) -> Sequence[Whole]:
        """The image."""
        batch, (depth, given) = self.whole[0], without_batch(self.whole)
        if depth is None:
            message = "the number of channels is open"
            raise ValueError(message)
        sides = for_each(self.output_size, _PLANE)
        places = self.places(sides)
        if given not in {None, places}:
            message = f"an image of {show_shape(sides)} has {places} windows, not {given}"
            raise ValueError(message)
        return ((batch, _divided(depth, self.window), *sides),)

    def operators(self) -> Work:
        """One movement, and one addition for each element of each window."""
        source = self.inputs[0]
        moved = fold_patches(
            source, self.outputs[0], for_each(self.kernel_size, _PLANE), _UNFOLDED,
            stride=for_each(self.stride, _PLANE), padding=for_each(self.padding, _PLANE),
            dilation=for_each(self.dilation, _PLANE), output_layout="C*",
        )  # fmt: skip
        return (moved, elementwise("add", source, in_place=True))


# ------------------------------------------------------------------ other sizes


_ANTIALIASED: Final = "how many elements a filter against aliasing weighs is the library's choice"


@frozen(slots=False)
class Resize(Imaged):
    """An image of another size."""

    kinds: ClassVar = (kind("Resize"),)

    size: tuple[int, ...] = setting(settings.wholes)
    interpolation: str = setting(interpolation, default="bilinear")
    antialias: bool = setting(settings.flag, default=False)
    crops: bool = setting(settings.flag, default=False, source="crop_to_aspect_ratio")
    pads: bool = setting(settings.flag, default=False, source="pad_to_aspect_ratio")

    def wholes(self) -> Sequence[Whole]:
        """The sides as asked for."""
        return self.images(self.size, self.channels)

    def operators(self) -> Work:
        """The weighing of the neighbours of every output element."""
        if self.antialias:
            return Unpriced(_ANTIALIASED)
        return resized(
            self, self.interpolation, self.data_format, keeps_aspect=self.crops or self.pads
        )


def _optional_amount(value: Any) -> int | None:
    return None if value is None else settings.integer(value)


@frozen(slots=False)
class Cut(Imaged):
    """An image without its edges, or with edges of zeros."""

    kinds: ClassVar = (kind("CropImages"), kind("PadImages"))

    top: int | None = setting(
        _optional_amount, default=None, source=("top_cropping", "top_padding")
    )
    left: int | None = setting(
        _optional_amount, default=None, source=("left_cropping", "left_padding")
    )
    bottom: int | None = setting(
        _optional_amount, default=None, source=("bottom_cropping", "bottom_padding")
    )
    right: int | None = setting(
        _optional_amount, default=None, source=("right_cropping", "right_padding")
    )
    target_height: int | None = setting(_optional_amount, default=None)
    target_width: int | None = setting(_optional_amount, default=None)

    def wholes(self) -> Sequence[Whole]:
        """The sides as asked for, or changed by what is taken or added at both ends."""
        height, width = self.spatial
        sign = -1 if self.kind == kind("CropImages") else 1
        return self.images(
            (
                _changed(height, self.target_height, sign, (self.top, self.bottom)),
                _changed(width, self.target_width, sign, (self.left, self.right)),
            ),
            self.channels,
        )

    def operators(self) -> Work:
        """One movement."""
        is_crop = self.kind == kind("CropImages")
        ends = (
            (self.top, self.bottom, self.spatial[0], self.target_height),
            (self.left, self.right, self.spatial[1], self.target_width),
        )
        sides = [_beginning(*side, is_crop=is_crop) for side in ends]
        starts = [-side if is_crop else side for side in sides]
        before = image_shape(starts, 0, self.data_format)
        purpose = "cropping" if is_crop else "padding"
        return (shift(purpose, self.inputs[0], self.outputs[0], before),)  # type: ignore[arg-type]  # numbers


def _beginning(
    first: int | None, last: int | None, length: int | None, target: int | None, *, is_crop: bool
) -> int:
    """What is taken or added at the beginning; where only the end is given, the rest."""
    if first is not None or target is None or length is None:
        return first or 0
    whole = length - target if is_crop else target - length
    return whole - (last or 0)


def _changed(
    length: int | None, target: int | None, sign: int, ends: tuple[int | None, int | None]
) -> int | None:
    if target is not None or length is None:
        return target
    return length + sign * sum(end or 0 for end in ends)
