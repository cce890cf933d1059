"""Dense layers and convolutions, plain and with a batch normalisation folded in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from attrs import evolve, frozen

from costmodel.layer import Work, setting
from costmodel.operators import Contraction
from costmodel.tensor import Shape, Tensor
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import Dense, activated
from costmodel_keras.layers.convolution import (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    SeparableConv,
    image_shape,
)
from costmodel_qkeras.layers.quantized import (
    KERNEL,
    Quantized,
    activation_name,
    activation_quantizer,
    quantizer,
)
from costmodel_qkeras.quantizers import Quantizer


@frozen
class QDense(Quantized, Dense):
    """A dense layer with quantizers."""

    kinds: ClassVar = ("qkeras.QDense",)
    quantizer_names: ClassVar = KERNEL

    kernel_quantizer: Quantizer | None = quantizer("kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


@frozen
class QConv(Quantized, Conv):
    """A convolution with quantizers."""

    kinds: ClassVar[tuple[str, ...]] = ("qkeras.QConv1D", "qkeras.QConv2D")
    quantizer_names: ClassVar = KERNEL

    kernel_quantizer: Quantizer | None = quantizer("kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


@frozen
class QConvTranspose(Quantized, ConvTranspose):
    """A transposed convolution with quantizers."""

    kinds: ClassVar = ("qkeras.QConv2DTranspose",)
    quantizer_names: ClassVar = KERNEL

    kernel_quantizer: Quantizer | None = quantizer("kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


@frozen
class QDepthwiseConv(Quantized, DepthwiseConv):
    """A depthwise convolution with quantizers."""

    kinds: ClassVar = ("qkeras.QDepthwiseConv2D",)
    quantizer_names: ClassVar = {"kernel": "depthwise_quantizer", "bias": "bias_quantizer"}

    depthwise_quantizer: Quantizer | None = quantizer("depthwise_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


@frozen
class QSeparableConv(Quantized, SeparableConv):
    """A separable convolution with quantizers."""

    kinds: ClassVar = ("qkeras.QSeparableConv1D", "qkeras.QSeparableConv2D")
    quantizer_names: ClassVar = {
        "depthwise_kernel": "depthwise_quantizer",
        "pointwise_kernel": "pointwise_quantizer",
        "bias": "bias_quantizer",
    }

    depthwise_quantizer: Quantizer | None = quantizer("depthwise_quantizer")
    pointwise_quantizer: Quantizer | None = quantizer("pointwise_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


# ------------------------------------------------------------------ transposed


def _transposed_window(layer: ConvTranspose) -> int:
    """At most this many spread elements meet in one output element."""
    pairs = zip(layer.kernel_size, layer.strides * len(layer.kernel_size), strict=False)
    return math.prod(math.ceil(kernel / stride) for kernel, stride in pairs)


@frozen
class QDepthwiseConvTranspose(Quantized, ConvTranspose):
    """A transposed convolution of groups of `group_size` channels, each by itself.

    Its shape follows `filters`, as QKeras declares it; its bias is held and never added.
    """

    kinds: ClassVar = ("qkeras.QDepthwiseConv2DTranspose",)
    quantizer_names: ClassVar = {
        "kernel": "depthwise_kernel_quantizer",
        "bias": "bias_quantizer",
        "output": "output_quantizer",
    }

    group_size: int = setting(settings.whole, default=1)
    depthwise_kernel_quantizer: Quantizer | None = quantizer("depthwise_kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name("depthwise_activation")
    output_quantizer: Quantizer | None = activation_quantizer("depthwise_activation")

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernel (window, channels, group) and bias (filters)."""
        kernel = (*self.kernel_size, self.channels, self.group_size)
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.use_bias else {})

    def operators(self) -> Work:
        """One contraction, each input element times the window and the channels of its group."""
        loops = [
            ("positions", self.inputs[0].size // self.channels), ("channels", self.channels),
            ("group", self.group_size), ("window", self.window),
        ]  # fmt: skip
        reduction = _transposed_window(self) * self.group_size
        return activated(self.contraction(loops, reduction, ("kernel",)), self.activation)


@frozen
class QSeparableConvTranspose(Quantized, ConvTranspose):
    """A transposed depthwise convolution and a pointwise one after it."""

    kinds: ClassVar = ("qkeras.QSeparableConv2DTranspose",)
    quantizer_names: ClassVar = {
        "depthwise_kernel": "depthwise_kernel_quantizer",
        "pointwise_kernel": "pointwise_kernel_quantizer",
        "bias": "bias_quantizer",
        "depthwise_output": "depthwise_activation",
        "output": "output_quantizer",
    }

    depthwise_kernel_quantizer: Quantizer | None = quantizer("depthwise_kernel_quantizer")
    pointwise_kernel_quantizer: Quantizer | None = quantizer("pointwise_kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    depthwise_activation: Quantizer | None = activation_quantizer("depthwise_activation")
    activation: str = activation_name("pointwise_activation")
    output_quantizer: Quantizer | None = activation_quantizer("pointwise_activation")

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (window, 1, channels) and (1, filters, channels), and bias (filters)."""
        ones = (1,) * self.rank
        kernels = {
            "depthwise_kernel": (*self.kernel_size, 1, self.channels),
            "pointwise_kernel": (*ones, self.filters, self.channels),
        }
        return kernels | ({"bias": (self.filters,)} if self.use_bias else {})

    def operators(self) -> Work:
        """Two contractions, and the activation after the second."""
        shape = image_shape(self.spatial_shape(), self.channels, self.data_format)
        between = Tensor(shape)
        depthwise = Contraction(
            inputs=self.inputs, parameters=(self.parameters["depthwise_kernel"],),
            outputs=(between,), reduction=_transposed_window(self),
            loops=(
                ("positions", self.inputs[0].size // self.channels),
                ("channels", self.channels), ("window", self.window),
            ),
        )  # fmt: skip
        names = ("pointwise_kernel", "bias")
        held = [self.parameters[name] for name in names if name in self.parameters]
        pointwise = Contraction(
            inputs=(between,), parameters=held, outputs=self.outputs, reduction=self.channels,
            loops=(
                ("positions", self.positions), ("filters", self.filters),
                ("channels", self.channels),
            ),
        )  # fmt: skip
        between_name = self.depthwise_activation.name if self.depthwise_activation else "linear"
        return (*activated(depthwise, between_name), *activated(pointwise, self.activation))


# ------------------------------------------------------------------ folded batch normalisation


def _with_normalization(
    own: Mapping[str, Shape], channels: int, *, scale: bool, center: bool
) -> Mapping[str, Shape]:
    """The parameters of a layer and of the normalisation in it, and a counter of training steps."""
    vectors = [
        ("gamma", scale), ("beta", center), ("moving_mean", True), ("moving_variance", True),
    ]  # fmt: skip
    there = {name: (channels,) for name, is_there in vectors if is_there}
    return {**own, "iteration": (), **there}


@frozen
class QDenseBatchnorm(QDense):
    """A dense layer with a batch normalisation folded in: at inference, a dense layer."""

    kinds: ClassVar = ("qkeras.QDenseBatchnorm",)

    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of a dense layer and of the normalisation."""
        own = super().parameter_shapes()
        return _with_normalization(own, self.units, scale=self.scale, center=self.center)

    def operators(self) -> Work:
        """The work of a dense layer, whose kernel and bias hold the normalisation."""
        work, *activation = super().operators()  # type: ignore[misc]  # it is never a reason
        held = [self.parameters[name] for name in KERNEL if name in self.parameters]
        return (evolve(work, parameters=held), *activation)


@frozen
class QConvBatchnorm(QConv):
    """A convolution with a batch normalisation folded in: at inference, a convolution."""

    kinds: ClassVar = ("qkeras.QConv2DBatchnorm",)

    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of a convolution and of the normalisation."""
        own = super().parameter_shapes()
        return _with_normalization(own, self.filters, scale=self.scale, center=self.center)


@frozen
class QDepthwiseConvBatchnorm(QDepthwiseConv):
    """A depthwise convolution with a batch normalisation folded in: one at inference."""

    kinds: ClassVar = ("qkeras.QDepthwiseConv2DBatchnorm",)

    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of a depthwise convolution and of the normalisation."""
        own, channels = super().parameter_shapes(), self.output_channels()
        return _with_normalization(own, channels, scale=self.scale, center=self.center)
