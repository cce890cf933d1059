"""Layers that networks of keras.applications bring with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, show_shape
from costmodel.workload.builders import elementwise
from costmodel_keras.layers import settings


@frozen(slots=False)
class LayerScale(Layer):
    """One trained factor for each channel (ConvNeXt)."""

    kinds: ClassVar = ("keras.LayerScale",)

    projection_dim: int = setting(settings.whole)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The factors (channels)."""
        if self.input_shape[-1:] not in {(self.projection_dim,), (None,), (1,)}:
            message = f"{self.projection_dim} factors do not fit {show_shape(self.input_shape)}"
            raise ValueError(message)
        return {"gamma": (self.projection_dim,)}

    def operators(self) -> Work:
        """One multiplication for each element."""
        gamma = self.parameters["gamma"]
        return (elementwise("multiply", self.inputs[0], weights=[gamma], output=self.outputs[0]),)


class CustomScaleLayer(Layer):
    """The sum of the first input and of the second times a constant (Inception-ResNet)."""

    kinds: ClassVar = ("keras.CustomScaleLayer",)

    def operators(self) -> Work:
        """One multiplication and one addition for each element."""
        return (
            elementwise("multiply", self.inputs[1], output=self.inputs[1]),
            elementwise("add", *self.inputs, output=self.outputs[0]),
        )


LAYERS: tuple[type[Layer], ...] = (
    CustomScaleLayer,
    LayerScale,
)
