"""Convolutions: plain, transposed, depthwise and separable, in one to three dimensions."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.builders import conv_transpose
from costmodel.workload.operators import Contraction
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.basic import present
from costmodel_keras.layers.kept import conv

_REMEMBERED: Final = 1024
"""Answers about shapes that are kept: networks repeat a few of them many times."""

_Value = TypeVar("_Value")


@functools.lru_cache(maxsize=_REMEMBERED)
def window_length(length: int | None, window: int, stride: int, padding: str) -> int | None:
    """Number of places where a window of `window` elements stands along an axis.

    Raises:
        ValueError: the window does not fit once.

    """
    if length is None:
        return None
    if padding != "valid":
        return math.ceil(length / stride)
    if window > length:
        message = f"a window of {window} does not fit into an axis of {length}"
        raise ValueError(message)
    return (length - window) // stride + 1


@functools.lru_cache(maxsize=_REMEMBERED)
def spatial_axes(shape: Shape, rank: int, data_format: str) -> tuple[Shape, int]:
    """The spatial lengths and the number of channels of a `rank`-dimensional image.

    Raises:
        ValueError: the shape is not that of such an image, or its channels are open.

    """
    if len(shape) != rank + 1:
        message = f"expected {rank} spatial axes and the channels, found {show_shape(shape)}"
        raise ValueError(message)
    *spatial, channels = shape if data_format == "channels_last" else (*shape[1:], shape[0])
    if channels is None:
        message = "the number of channels is open"
        raise ValueError(message)
    return tuple(spatial), channels


def image_shape(spatial: Sequence[int | None], channels: int, data_format: str) -> Shape:
    """The shape of an image with its channels where they belong."""
    return image_axes(spatial, channels, data_format)


def image_axes(spatial: Sequence[_Value], channel: _Value, data_format: str) -> tuple[_Value, ...]:
    """What belongs to each axis of an image, in the order of its axes."""
    if data_format == "channels_last":
        return (*spatial, channel)
    return (channel, *spatial)


@frozen(slots=False)
class Convolution(Activating, Layer):
    """What all convolutions share: a kernel that moves over the spatial axes."""

    kernel_size: tuple[int, ...] = setting(settings.wholes)
    strides: tuple[int, ...] = setting(settings.wholes)
    padding: str = setting(settings.padding)
    data_format: str = setting(settings.data_format, default="channels_last")
    dilation_rate: tuple[int, ...] = setting(settings.wholes)
    use_bias: bool = setting(settings.flag, default=True)
    activation: str = setting(settings.activation, default="linear")

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.kernel_size)

    @property
    def window(self) -> int:
        """Elements of the kernel in one channel."""
        return math.prod(self.kernel_size)

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return spatial_axes(self.input_shape, self.rank, self.data_format)[1]

    def spatial_shape(self) -> tuple[int | None, ...]:
        """The output's spatial lengths."""
        spatial, _ = spatial_axes(self.input_shape, self.rank, self.data_format)
        axes = zip(
            spatial, self.kernel_size, _each(self.strides, self.rank),
            _each(self.dilation_rate, self.rank), strict=True,
        )  # fmt: skip
        return tuple(
            [
                window_length(length, (kernel - 1) * dilation + 1, stride, self.padding)
                for length, kernel, stride, dilation in axes
            ]
        )

    def output_channels(self) -> int:
        """Number of output channels."""
        raise NotImplementedError

    def output_shapes(self) -> Sequence[Shape]:
        """The places of the kernel, by output channels."""
        return (image_shape(self.spatial_shape(), self.output_channels(), self.data_format),)

    @property
    def absorbs_along(self) -> int | None:
        """The channels: a filter makes each of them."""
        return self.rank if self.data_format == "channels_last" else 0

    @property
    def positions(self) -> int:
        """Places of the kernel in the output."""
        return self.outputs[0].size // self.output_channels()

    def convolved(self, *, groups: int = 1, weight_layout: str = "*CK") -> Contraction:
        """The convolution of the layer's input to its output."""
        return conv(
            self.inputs[0], self.parameters["kernel"], bias=self.parameters.get("bias"),
            stride=self.strides, padding=self.padding, dilation=self.dilation_rate, groups=groups,
            input_layout=image_layout(self.data_format), weight_layout=weight_layout,
            output=self.outputs[0],
        )  # fmt: skip


def image_layout(data_format: str) -> str:
    """The layout of an image without its batch."""
    return "*C" if data_format == "channels_last" else "C*"


def _each(values: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return values * rank if len(values) == 1 else values


@frozen(slots=False)
class Conv(Convolution):
    """Convolution, grouped or not."""

    kinds: ClassVar[tuple[str, ...]] = ("keras.Conv1D", "keras.Conv2D", "keras.Conv3D")

    filters: int = setting(settings.whole)
    groups: int = setting(settings.whole, default=1)

    def output_channels(self) -> int:
        """As many as there are filters."""
        return self.filters

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernel (window, channels of a group, filters) and bias (filters)."""
        channels = self.channels
        if channels % self.groups or self.filters % self.groups:
            message = (
                f"{channels} channels and {self.filters} filters "
                f"do not divide into {self.groups} groups"
            )
            raise ValueError(message)
        kernel = (*self.kernel_size, channels // self.groups, self.filters)
        return present([("kernel", kernel, True), ("bias", (self.filters,), self.use_bias)])

    def operators(self) -> Work:
        """One contraction over the window and the channels of a group."""
        return self.activated(self.convolved(groups=self.groups), self.activation)


@frozen(slots=False)
class ConvTranspose(Convolution):
    """Transposed convolution: every input element is spread through the kernel."""

    kinds: ClassVar[tuple[str, ...]] = (
        "keras.Conv1DTranspose", "keras.Conv2DTranspose", "keras.Conv3DTranspose",
    )  # fmt: skip

    filters: int = setting(settings.whole)
    output_padding: tuple[int, ...] | None = setting(
        lambda value: None if value is None else settings.integers(value), default=None
    )

    def output_channels(self) -> int:
        """As many as there are filters."""
        return self.filters

    def spatial_shape(self) -> tuple[int | None, ...]:
        """The output's spatial lengths."""
        spatial, _ = spatial_axes(self.input_shape, self.rank, self.data_format)
        extra: tuple[int | None, ...] = (
            (None,) * self.rank
            if self.output_padding is None
            else _each(self.output_padding, self.rank)
        )
        axes = zip(
            spatial, self.kernel_size, _each(self.strides, self.rank),
            _each(self.dilation_rate, self.rank), extra, strict=True,
        )  # fmt: skip
        return tuple(
            spread_length(length, (kernel - 1) * dilation + 1, stride, self.padding, added)
            for length, kernel, stride, dilation, added in axes
        )

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernel (window, filters, channels) and bias (filters)."""
        kernel = (*self.kernel_size, self.filters, self.channels)
        return present([("kernel", kernel, True), ("bias", (self.filters,), self.use_bias)])

    def operators(self) -> Work:
        """One contraction, each input element times the whole kernel."""
        work = scattered(
            self.inputs[0], self.parameters["kernel"], self.outputs[0],
            strides=self.strides, dilations=self.dilation_rate, padding=self.padding,
            data_format=self.data_format, bias=self.parameters.get("bias"),
        )  # fmt: skip
        return self.activated(work, self.activation)


def scattered(
    image: Tensor, kernel: Tensor, result: Tensor, *, strides: tuple[int, ...],
    dilations: tuple[int, ...], padding: str, data_format: str, **settings: Any,
) -> Contraction:  # fmt: skip
    """A transposed convolution, which undoes the padding of the convolution that it transposes."""
    rank = len(image.shape) - 1
    axes = zip(
        spatial_axes(image.shape, rank, data_format)[0],
        spatial_axes(result.shape, rank, data_format)[0],
        kernel.shape, _each(strides, rank), _each(dilations, rank), strict=False,
    )  # fmt: skip
    cut = [_cut(*axis, padding) for axis in axes]
    return conv_transpose(
        image, kernel, stride=strides, dilation=dilations, padding=[(one, one) for one in cut],
        input_layout=image_layout(data_format), weight_layout="*KC", output=result, **settings,
    )  # fmt: skip


def _cut(
    length: int | None, made: int | None, kernel: int | None, stride: int, dilation: int,
    padding: str,
) -> int:  # fmt: skip
    """Elements that are cut from the beginning of a spread axis."""
    if padding == "valid":
        return 0
    spread = ((length or 1) - 1) * stride + ((kernel or 1) - 1) * dilation + 1
    return max(spread - (made or 1), 0) // 2


def spread_length(
    length: int | None, window: int, stride: int, padding: str, extra: int | None
) -> int | None:
    """Output length of a transposed convolution (Keras: `compute_conv_transpose_output_shape`)."""
    if length is None:
        return None
    if extra is None:
        return length * stride + (max(window - stride, 0) if padding == "valid" else 0)
    cut = 2 * (window // 2) if padding == "same" else 0
    return (length - 1) * stride + window - cut + extra


@frozen(slots=False)
class DepthwiseConv(Convolution):
    """Convolution of every channel with kernels of its own."""

    kinds: ClassVar[tuple[str, ...]] = ("keras.DepthwiseConv1D", "keras.DepthwiseConv2D")

    depth_multiplier: int = setting(settings.whole, default=1)

    def output_channels(self) -> int:
        """Each input channel makes `depth_multiplier` of them."""
        return self.channels * self.depth_multiplier

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernel (window, channels, multiplier) and bias (output channels)."""
        kernel = (*self.kernel_size, self.channels, self.depth_multiplier)
        bias = (self.output_channels(),)
        return present([("kernel", kernel, True), ("bias", bias, self.use_bias)])

    def operators(self) -> Work:
        """One contraction over the window alone."""
        work = self.convolved(groups=self.channels, weight_layout="*GK")
        return self.activated(work, self.activation)


@frozen(slots=False)
class SeparableConv(Convolution):
    """A depthwise convolution and a pointwise one after it."""

    kinds: ClassVar = ("keras.SeparableConv1D", "keras.SeparableConv2D")

    filters: int = setting(settings.whole)
    depth_multiplier: int = setting(settings.whole, default=1)

    def output_channels(self) -> int:
        """As many as there are filters."""
        return self.filters

    @property
    def depth(self) -> int:
        """Channels between the two convolutions."""
        return self.channels * self.depth_multiplier

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (window, channels, multiplier) and (1, depth, filters), and bias (filters)."""
        depthwise = (*self.kernel_size, self.channels, self.depth_multiplier)
        pointwise = (*(1,) * self.rank, self.depth, self.filters)
        return present([
            ("depthwise_kernel", depthwise, True),
            ("pointwise_kernel", pointwise, True),
            ("bias", (self.filters,), self.use_bias),
        ])  # fmt: skip

    def operators(self) -> Work:
        """Two contractions, and the activation after the second."""
        layout = image_layout(self.data_format)
        depthwise = conv(
            self.inputs[0], self.parameters["depthwise_kernel"],
            stride=self.strides, padding=self.padding, dilation=self.dilation_rate,
            groups=self.channels, input_layout=layout, weight_layout="*GK",
        )  # fmt: skip
        pointwise = conv(
            depthwise.outputs[0], self.parameters["pointwise_kernel"],
            bias=self.parameters.get("bias"), input_layout=layout, weight_layout="*CK",
            output=self.outputs[0],
        )  # fmt: skip
        return (depthwise, *self.activated(pointwise, self.activation))


LAYERS: tuple[type[Layer], ...] = (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    SeparableConv,
)
