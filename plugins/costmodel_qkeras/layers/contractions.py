"""Dense layers and convolutions, plain and with a batch normalisation folded in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import evolve, frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.builders import conv
from costmodel.workload.operators import Operand
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import Dense, present
from costmodel_keras.layers.convolution import (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    SeparableConv,
    image_layout,
    image_shape,
    scattered,
)
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.layers.quantized import (
    DepthwiseQuantized,
    KernelQuantized,
    Quantized,
    activation_name,
    activation_quantizer,
    quantizer,
)
from costmodel_qkeras.quantizers import Quantizer


@frozen(slots=False)
class QDense(KernelQuantized, Dense):
    """A dense layer with quantizers."""

    kinds: ClassVar = ("qkeras.QDense",)


@frozen(slots=False)
class QConv(KernelQuantized, Conv):
    """A convolution with quantizers."""

    kinds: ClassVar[tuple[str, ...]] = ("qkeras.QConv1D", "qkeras.QConv2D")


@frozen(slots=False)
class QConvTranspose(KernelQuantized, ConvTranspose):
    """A transposed convolution with quantizers."""

    kinds: ClassVar = ("qkeras.QConv2DTranspose",)


@frozen(slots=False)
class QDepthwiseConv(DepthwiseQuantized, DepthwiseConv):
    """A depthwise convolution with quantizers."""

    kinds: ClassVar = ("qkeras.QDepthwiseConv2D",)


@frozen(slots=False)
class QSeparableConv(DepthwiseQuantized, SeparableConv):
    """A separable convolution with quantizers."""

    kinds: ClassVar = ("qkeras.QSeparableConv1D", "qkeras.QSeparableConv2D")
    quantizer_names: ClassVar = {
        "depthwise_kernel": "depthwise_quantizer",
        "pointwise_kernel": "pointwise_quantizer",
        "bias": "bias_quantizer",
    }

    pointwise_quantizer: Quantizer | None = quantizer("pointwise_quantizer")


# ------------------------------------------------------------------ transposed


@frozen(slots=False)
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
        if self.channels % self.group_size:
            message = f"{self.channels} channels do not divide into groups of {self.group_size}"
            raise ValueError(message)
        kernel = (*self.kernel_size, self.channels, self.group_size)
        return present([("kernel", kernel, True), ("bias", (self.filters,), self.use_bias)])

    def operators(self) -> Work:
        """One contraction, each input element times the window and the channels of its group."""
        result, group = self.outputs[0], self.group_size
        made = Tensor(image_shape(self.spatial_shape(), self.channels, self.data_format))
        turned = Tensor((*self.kernel_size, group, self.channels))
        work = scattered(
            self.inputs[0], turned, made, strides=self.strides, dilations=self.dilation_rate,
            padding=self.padding, data_format=self.data_format, groups=self.channels // group,
        )  # fmt: skip
        image, kernel, written = work.operands
        *window, own, channel = kernel.index
        # The kernel holds the channels of all groups where they go, not where they come from.
        is_grouped = "g" in work.dims
        target = Affine((("g", group), ("k", 1))) if is_grouped else own
        source = Affine((("c", 1),)) if is_grouped else channel
        operands = [
            image,
            Operand("weight", self.parameters["kernel"], (*window, target, source)),
            evolve(written, tensor=result),
        ]
        return self.activated(evolve(work, operands=operands), self.activation)


@frozen(slots=False)
class QSeparableConvTranspose(Quantized, ConvTranspose):
    """A transposed depthwise convolution and a pointwise one after it."""

    kinds: ClassVar = ("qkeras.QSeparableConv2DTranspose",)
    quantizer_names: ClassVar = {
        "depthwise_kernel": "depthwise_kernel_quantizer",
        "pointwise_kernel": "pointwise_kernel_quantizer",
        "bias": "bias_quantizer",
        "depthwise_output": "depthwise_output_quantizer",
        "output": "output_quantizer",
    }

    depthwise_kernel_quantizer: Quantizer | None = quantizer("depthwise_kernel_quantizer")
    pointwise_kernel_quantizer: Quantizer | None = quantizer("pointwise_kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    depthwise_activation: str = activation_name("depthwise_activation")
    depthwise_output_quantizer: Quantizer | None = activation_quantizer("depthwise_activation")
    activation: str = activation_name("pointwise_activation")
    output_quantizer: Quantizer | None = activation_quantizer("pointwise_activation")

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (window, 1, channels) and (1, filters, channels), and bias (filters)."""
        ones = (1,) * self.rank
        return present([
            ("depthwise_kernel", (*self.kernel_size, 1, self.channels), True),
            ("pointwise_kernel", (*ones, self.filters, self.channels), True),
            ("bias", (self.filters,), self.use_bias),
        ])  # fmt: skip

    def operators(self) -> Work:
        """Two contractions, and the activation after the second."""
        rounded = self.depthwise_output_quantizer
        between = Tensor(
            image_shape(self.spatial_shape(), self.channels, self.data_format),
            None if rounded is None else numeric_format(rounded),
        )
        depthwise = scattered(
            self.inputs[0], self.parameters["depthwise_kernel"], between, strides=self.strides,
            dilations=self.dilation_rate, padding=self.padding, data_format=self.data_format,
            groups=self.channels,
        )  # fmt: skip
        pointwise = conv(
            between, self.parameters["pointwise_kernel"], bias=self.parameters.get("bias"),
            input_layout=image_layout(self.data_format), weight_layout="*KC",
            output=self.outputs[0],
        )  # fmt: skip
        return (
            *self.activated(depthwise, self.depthwise_activation),
            *self.activated(pointwise, self.activation),
        )


# ------------------------------------------------------------------ folded batch normalisation


@frozen(slots=False)
class NormalizationFolded(Layer):
    """A layer that holds a batch normalisation, which is in its kernel and bias at inference."""

    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the layer, a counter of training steps, and those of the normalisation."""
        own, vector = super().parameter_shapes(), self._channels()
        normalization = present([
            ("iteration", (), True),
            ("gamma", vector, self.scale), ("beta", vector, self.center),
            ("moving_mean", vector, True), ("moving_variance", vector, True),
        ])  # fmt: skip
        return {**own, **normalization}

    def operators(self) -> Work:
        """The work of the layer with its folded kernel and bias, of which it always has one."""
        work, *activation = super().operators()  # type: ignore[misc]  # it is never a reason
        bias = Tensor(self._channels(), self.declared_formats().get("bias"))
        (result,), (kernel, *_) = work.outputs, work.weights
        held = Operand("weight", bias, [result.index[self.absorbs_along or 0]])
        return (evolve(work, operands=[*work.inputs, kernel, held, result]), *activation)

    def _channels(self) -> Shape:
        return (self.output_shapes()[0][self.absorbs_along or 0],)


@frozen(slots=False)
class QDenseBatchnorm(NormalizationFolded, QDense):
    """A dense layer with a batch normalisation folded in: at inference, a dense layer."""

    kinds: ClassVar = ("qkeras.QDenseBatchnorm",)


@frozen(slots=False)
class QConvBatchnorm(NormalizationFolded, QConv):
    """A convolution with a batch normalisation folded in: at inference, a convolution."""

    kinds: ClassVar = ("qkeras.QConv2DBatchnorm",)


@frozen(slots=False)
class QDepthwiseConvBatchnorm(NormalizationFolded, QDepthwiseConv):
    """A depthwise convolution with a batch normalisation folded in: one at inference."""

    kinds: ClassVar = ("qkeras.QDepthwiseConv2DBatchnorm",)
