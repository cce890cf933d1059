"""Activations, batch normalisation, scaling and average pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import evolve, frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.builders import activation, elementwise
from costmodel.workload.operators import Operand
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import NamedActivation, present
from costmodel_keras.layers.normalization import BatchNormalization, ScaleAndShift
from costmodel_keras.layers.pooling import GlobalPooling, Pooling
from costmodel_qkeras.layers.quantized import (
    Activated,
    Quantized,
    checked,
    name_of_activation,
    quantizer,
)
from costmodel_qkeras.quantizers import Quantizer, make


@frozen(slots=False)
class QActivation(Activated, NamedActivation):
    """A quantized function of every element."""

    kinds: ClassVar = ("qkeras.QActivation",)


def _current_integer(live: Any) -> int:
    """The integer bits that a live quantizer has come to, the widest of all channels."""
    value = getattr(live, "integer", 0)
    array = value.numpy() if hasattr(value, "numpy") else value
    return int(array.max()) if hasattr(array, "max") else int(array)


def _adaptive(value: Any) -> str:
    return settings.one_of("quantized_bits", "quantized_relu")(name_of_activation(value))


def _width(value: Any) -> int:
    checked(lambda bits: make("quantized_bits", (bits,)), value)
    return settings.whole(value)


def _slope(value: Any) -> float:
    checked(lambda slope: make("quantized_relu", named={"negative_slope": slope}), value)
    return float(value)


@frozen(slots=False)
class QAdaptiveActivation(Quantized, NamedActivation):
    """A quantizer of `total_bits` whose integer bits follow the data seen in training."""

    kinds: ClassVar = ("qkeras.QAdaptiveActivation",)

    activation: str = setting(_adaptive)
    total_bits: int = setting(_width)
    relu_neg_slope: float = setting(_slope, default=0.0)
    per_channel: bool = setting(settings.flag, default=False)
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
        return (activation(self.activation, self.inputs[0], output=self.outputs[0]),)


@frozen(slots=False)
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


@frozen(slots=False)
class QScaleShift(Activated, ScaleAndShift):
    """One weight and one bias for all elements."""

    kinds: ClassVar = ("qkeras.QScaleShift",)
    quantizer_names: ClassVar = {"weight": "weight_quantizer", "bias": "bias_quantizer"}

    use_bias: bool = setting(settings.flag, default=True)
    weight_quantizer: Quantizer | None = quantizer("weight_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """One weight and one bias."""
        return present([("weight", (1, 1), True), ("bias", (1, 1), self.use_bias)])

    def operators(self) -> Work:
        """One affine step for each element, then the activation."""
        work = elementwise("affine", self.inputs[0], output=self.outputs[0])
        held = [Operand("weight", one, [Affine()] * 2) for one in self.parameters.values()]
        work = evolve(work, operands=[*work.inputs, *held, *work.outputs])
        return self.activated(work, self.activation)


# ------------------------------------------------------------------ pooling


@frozen(slots=False, kw_only=True, eq=False, repr=False)
class AverageQuantized(Activated, Layer):
    """A mean whose scaling, the reciprocal of the window's size, is quantized."""

    quantizer_names: ClassVar[Mapping[str, str]] = {"average": "average_quantizer"}

    average_quantizer: Quantizer | None = quantizer("average_quantizer")

    @property
    def function(self) -> str:
        """The mean."""
        return "mean"

    def operators(self) -> Work:
        """The mean with its scaling as a constant, if that is quantized, then the activation."""
        (mean,) = super().operators()  # type: ignore[misc]  # it is never a reason
        scaling = [
            Operand("weight", Tensor((1,), declared), (Affine(),))
            for declared in self.declared_formats().values()
        ]
        mean = evolve(mean, operands=[*mean.operands, *scaling])
        return self.activated(mean, self.activation)


@frozen(slots=False)
class QAveragePooling(AverageQuantized, Pooling):
    """The mean of every window."""

    kinds: ClassVar = ("qkeras.QAveragePooling2D",)


@frozen(slots=False)
class QGlobalAveragePooling(AverageQuantized, GlobalPooling):
    """The mean of every channel."""

    kinds: ClassVar = ("qkeras.QGlobalAveragePooling2D",)
