"""Activations, normalization, pooling, sums, and quantizers that stand alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from attrs import evolve, frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.builders import reduce
from costmodel.workload.operators import Operand
from costmodel.workload.reasons import Free
from costmodel_hgq.layers.quantized import INPUT, OUTPUT, RESULT, Quantized, quantizer_at, told
from costmodel_hgq.quantizers import Quantizer, of_inner
from costmodel_keras.files.variables import SETTING
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import NamedActivation, SoftmaxLayer
from costmodel_keras.layers.kept import elementwise
from costmodel_keras.layers.merging import own_axis
from costmodel_keras.layers.normalization import BatchNormalization
from costmodel_keras.layers.pooling import GlobalPooling, Pooling


@frozen(slots=False)
class StandaloneQuantizer(Quantized, Layer):
    """A quantizer as a layer of its own."""

    kinds: ClassVar = ("hgq.Quantizer",)

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Iterator[tuple[str, Quantizer]]:
        """Its own variables: it is the quantizer."""
        config = told(settings, "config")
        inner = told(settings, "quantizer")
        if settings.get(SETTING) is None and hasattr(inner, "variables"):
            found = of_inner(inner, config)
        else:
            found = quantizer_at(settings, "", config)
        if found is not None:
            yield RESULT, found

    def operators(self) -> Work:
        """No work: whatever gives its input rounds to the format of its output."""
        return Free("a quantizer: its input is rounded where it is computed")


@frozen(slots=False)
class QUnaryFunction(Quantized, NamedActivation):
    """A function of every element, from a table; the bits of the table are no parameters."""

    kinds: ClassVar = ("hgq.QUnaryFunctionLUT",)


@frozen(slots=False)
class QAffinedUnaryFunction(Quantized, NamedActivation):
    """A trained scale and shift of every element, then a function from a table."""

    kinds: ClassVar = ("hgq.QAffinedUnaryFunctionLUT",)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """One scale and one bias."""
        return {"scale": (1,), "bias": (1,)}

    def operators(self) -> Work:
        """One affine step for each element, then the activation."""
        work = elementwise("affine", self.inputs[0], output=Tensor(self.outputs[0].shape))
        held = [Operand("weight", one, [Affine()]) for one in self.parameters.values()]
        work = evolve(work, operands=[*work.inputs, *held, *work.outputs])
        if self.function == "linear":
            return (work,)
        after = self.activation_of(self.function, work.outputs[0].tensor, output=self.outputs[0])
        return work, after


@frozen(slots=False)
class QSoftmax(Quantized, SoftmaxLayer):
    """Exponentials over their sum along some axes, both from tables."""

    kinds: ClassVar = ("hgq.QSoftmax",)

    axis: tuple[int, ...] = setting(settings.integers, default=(-1,), source=("axes", "axis"))

    @property
    def function(self) -> str:
        """The name of the function."""
        return "softmax"


@frozen(slots=False)
class QBatchNormalization(Quantized, BatchNormalization):
    """One scale and one offset for each channel, computed before they are quantized."""

    kinds: ClassVar = ("hgq.QBatchNormalization",)
    quantizer_places: ClassVar = {
        **INPUT, "scale": ("kq", "kq_conf"), "offset": ("bq", "bq_conf"), **OUTPUT,
    }  # fmt: skip

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Two vectors along the axis: what an inference reads."""
        rank = len(self.input_shape)
        shape = tuple(self.input_shape[own_axis(axis, rank)] for axis in self.axis)
        return {"scale": shape, "offset": shape}

    @property
    def scales_along(self) -> int | None:
        """None: what is quantized apart from other weights is not folded into them."""
        return None


# ------------------------------------------------------------------ sums and windows


def _function(kind: str) -> str:
    return "max" if "Max" in kind else "mean"


_WINDOWS = ("AveragePooling", "MaxPooling")


@frozen(slots=False)
class QPooling(Quantized, Pooling):
    """The maximum or mean of every window."""

    kinds: ClassVar = tuple(f"hgq.Q{name}{rank}D" for name in _WINDOWS for rank in (1, 2, 3))

    @property
    def function(self) -> str:
        """The name of the function, which follows from the kind."""
        return _function(self.kind)


@frozen(slots=False)
class QGlobalPooling(Quantized, GlobalPooling):
    """The maximum or mean of every channel."""

    kinds: ClassVar = tuple(f"hgq.QGlobal{name}{rank}D" for name in _WINDOWS for rank in (1, 2, 3))

    @property
    def function(self) -> str:
        """The name of the function, which follows from the kind."""
        return _function(self.kind)


@frozen(slots=False)
class QSum(Quantized, Layer):
    """The sum along some axes, scaled by a power of two, which moves the binary point."""

    kinds: ClassVar = ("hgq.QMeanPow2", "hgq.QSum")

    axes: tuple[int, ...] = setting(settings.integers, default=(-1,))
    keepdims: bool = setting(settings.flag, default=False)

    @property
    def _own_axes(self) -> tuple[int, ...]:
        rank = len(self.input_shape)
        return tuple(sorted({own_axis(axis, rank) for axis in self.axes}))

    def output_shapes(self) -> tuple[Shape, ...]:
        """The other axes, with those of length 1 where they are kept."""
        summed = self._own_axes
        lengths = [1 if axis in summed else size for axis, size in enumerate(self.input_shape)]
        if not self.keepdims:
            lengths = [size for axis, size in enumerate(lengths) if axis not in summed]
        return (tuple(lengths),)

    def operators(self) -> Work:
        """One reduction."""
        work = reduce(
            "sum", self.inputs[0], self._own_axes, keep_axes=self.keepdims, output=self.outputs[0]
        )
        return (work,)
