"""Activations, batch normalisation, scaling and average pooling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from costmodel.layer import Work, setting
from costmodel.operators import Activation, Operator, Reduction
from costmodel.tensor import Shape
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import NamedActivation, activated, present
from costmodel_keras.layers.normalization import BatchNormalization, ScaleAndShift
from costmodel_keras.layers.pooling import GlobalPooling, Pooling
from costmodel_qkeras.layers.quantized import (
    Quantized,
    activation_name,
    activation_quantizer,
    quantizer,
)
from costmodel_qkeras.quantizers import Quantizer, make


@frozen
class QActivation(Quantized, NamedActivation):
    """A quantized function of every element."""

    kinds: ClassVar = ("qkeras.QActivation",)

    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


def _current_integer(live: Any) -> int:
    """The integer bits that a live quantizer has come to, the widest of all channels."""
    value = getattr(live, "integer", 0)
    array = value.numpy() if hasattr(value, "numpy") else value
    return int(array.max()) if hasattr(array, "max") else int(array)


@frozen
class QAdaptiveActivation(Quantized, NamedActivation):
    """A quantizer of `total_bits` whose integer bits follow the data seen in training."""

    kinds: ClassVar = ("qkeras.QAdaptiveActivation",)

    activation: str = activation_name()
    total_bits: int = setting(settings.whole)
    relu_neg_slope: float = setting(float, default=0.0)
    per_channel: bool = setting(bool, default=False)
    # A file does not say: before training there are none.
    integer: int = setting(_current_integer, default=0, source="quantizer")

    @property
    def output_quantizer(self) -> Quantizer:
        """The quantizer as it is now."""
        named: dict[str, Any] = {"bits": self.total_bits, "integer": self.integer}
        if self.activation == "quantized_relu":
            named["negative_slope"] = self.relu_neg_slope
        return make(self.activation, named=named)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A counter of training steps and the extremes seen, for each channel or for all."""
        extreme = (self.input_shape[-1] if self.per_channel else 1,)
        return {"step": (), "ema_min": extreme, "ema_max": extreme}

    def operators(self) -> Work:
        """One activation; its parameters only matter in training."""
        return (Activation(inputs=self.inputs, outputs=self.outputs, function=self.activation),)


@frozen
class QBatchNormalization(Quantized, BatchNormalization):
    """A batch normalisation with quantizers."""

    kinds: ClassVar = ("qkeras.QBatchNormalization",)
    quantizer_names: ClassVar = {
        "gamma": "gamma_quantizer",
        "beta": "beta_quantizer",
        "moving_mean": "mean_quantizer",
        "moving_variance": "variance_quantizer",
        "inverse": "inverse_quantizer",
    }

    gamma_quantizer: Quantizer | None = quantizer("gamma_quantizer")
    beta_quantizer: Quantizer | None = quantizer("beta_quantizer")
    mean_quantizer: Quantizer | None = quantizer("mean_quantizer")
    variance_quantizer: Quantizer | None = quantizer("variance_quantizer")
    inverse_quantizer: Quantizer | None = quantizer("inverse_quantizer")

    @property
    def output_quantizer(self) -> Quantizer | None:
        """Nothing quantizes what it puts out."""
        return None


@frozen
class QScaleShift(Quantized, ScaleAndShift):
    """One weight and one bias for all elements."""

    kinds: ClassVar = ("qkeras.QScaleShift",)
    quantizer_names: ClassVar = {"weight": "weight_quantizer", "bias": "bias_quantizer"}

    use_bias: bool = setting(settings.flag, default=True)
    weight_quantizer: Quantizer | None = quantizer("weight_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """One weight and one bias."""
        return present([("weight", (1, 1), True), ("bias", (1, 1), self.use_bias)])

    def operators(self) -> Work:
        """One affine step for each element, then the activation."""
        (work,) = super().operators()  # type: ignore[misc]  # it is never a reason
        return activated(work, self.activation)


# ------------------------------------------------------------------ pooling

_AVERAGE: Mapping[str, str] = {"average": "average_quantizer"}


def _mean(layer: Pooling | GlobalPooling, window: int) -> Operator:
    return Reduction(inputs=layer.inputs, outputs=layer.outputs, function="mean", window=window)


@frozen
class QAveragePooling(Quantized, Pooling):
    """The mean of every window, the reciprocal of its size quantized."""

    kinds: ClassVar = ("qkeras.QAveragePooling2D",)
    quantizer_names: ClassVar = _AVERAGE

    average_quantizer: Quantizer | None = quantizer("average_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()

    def operators(self) -> Work:
        """One reduction over the window, then the activation."""
        return activated(_mean(self, math.prod(self.pool_size)), self.activation)


@frozen
class QGlobalAveragePooling(Quantized, GlobalPooling):
    """The mean of every channel, the reciprocal of its size quantized."""

    kinds: ClassVar = ("qkeras.QGlobalAveragePooling2D",)
    quantizer_names: ClassVar = _AVERAGE

    average_quantizer: Quantizer | None = quantizer("average_quantizer")
    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()

    def operators(self) -> Work:
        """One reduction over all spatial axes, then the activation."""
        window = self.inputs[0].size // self.outputs[0].size
        return activated(_mean(self, window), self.activation)
