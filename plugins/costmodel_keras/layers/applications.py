"""Layers that networks of keras.applications bring with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import frozen

from costmodel.layer import Layer, Work, setting
from costmodel.operators import Elementwise
from costmodel.tensor import Shape
from costmodel_keras.layers import settings


@frozen(slots=False)
class LayerScale(Layer):
    """One trained factor for each channel (ConvNeXt)."""

    kinds: ClassVar = ("keras.LayerScale",)

    projection_dim: int = setting(settings.whole)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The factors (channels)."""
        return {"gamma": (self.projection_dim,)}

    def operators(self) -> Work:
        """One multiplication for each element."""
        return (
            Elementwise(
                inputs=self.inputs, outputs=self.outputs, function="multiply",
                parameters=self.parameters.values(),
            ),
        )  # fmt: skip


class CustomScaleLayer(Layer):
    """The sum of the first input and of the second times a constant (Inception-ResNet)."""

    kinds: ClassVar = ("keras.CustomScaleLayer",)

    def operators(self) -> Work:
        """One multiplication and one addition for each element."""
        residual = self.inputs[1:]
        return (
            Elementwise(inputs=residual, outputs=residual, function="multiply"),
            Elementwise(inputs=self.inputs, outputs=self.outputs, function="add"),
        )


LAYERS: tuple[type[Layer], ...] = (
    CustomScaleLayer,
    LayerScale,
)
