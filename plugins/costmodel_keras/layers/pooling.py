"""Pooling: windows of elements reduced to one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from costmodel.layer import Layer, Work, setting
from costmodel.operators import Reduction
from costmodel.tensor import Shape
from costmodel_keras.layers import settings
from costmodel_keras.layers.convolution import image_shape, spatial_axes, window_length

_FUNCTIONS: Mapping[str, str] = {
    f"keras.{scope}{function}Pooling{rank}D": reduction
    for scope in ("", "Global")
    for function, reduction in (("Max", "max"), ("Average", "mean"))
    for rank in (1, 2, 3)
}


def _strides(value: Any) -> tuple[int, ...]:
    return () if value is None else settings.wholes(value)


@frozen(slots=False)
class Pooling(Layer):
    """The maximum or mean of every window."""

    kinds: ClassVar = tuple(kind for kind in _FUNCTIONS if "Global" not in kind)

    pool_size: tuple[int, ...] = setting(settings.wholes)
    strides: tuple[int, ...] = setting(_strides, default=())
    padding: str = setting(settings.padding, default="valid")
    data_format: str = setting(settings.data_format, default="channels_last")

    def output_shapes(self) -> Sequence[Shape]:
        """The places of the window, by channels."""
        rank = len(self.pool_size)
        spatial, channels = spatial_axes(self.input_shape, rank, self.data_format)
        strides = self.strides or self.pool_size
        axes = zip(spatial, self.pool_size, strides, strict=True)
        places = [window_length(*axis, self.padding) for axis in axes]
        return (image_shape(places, channels, self.data_format),)

    def operators(self) -> Work:
        """One reduction over the window."""
        return _reduction(self, math.prod(self.pool_size))


@frozen(slots=False)
class GlobalPooling(Layer):
    """The maximum or mean of every channel."""

    kinds: ClassVar = tuple(kind for kind in _FUNCTIONS if "Global" in kind)

    data_format: str = setting(settings.data_format, default="channels_last")
    keepdims: bool = setting(settings.flag, default=False)

    @property
    def rank(self) -> int:
        """Number of spatial axes, which the kind names."""
        return int(self.kind[-2])

    def output_shapes(self) -> Sequence[Shape]:
        """The channels, with spatial axes of length 1 where they are kept."""
        _, channels = spatial_axes(self.input_shape, self.rank, self.data_format)
        spatial = (1,) * self.rank if self.keepdims else ()
        return (image_shape(spatial, channels, self.data_format),)

    def operators(self) -> Work:
        """One reduction over all spatial axes."""
        return _reduction(self, self.inputs[0].size // self.outputs[0].size)


def _reduction(layer: Layer, window: int) -> Work:
    function = _FUNCTIONS[layer.kind]
    return (
        Reduction(inputs=layer.inputs, outputs=layer.outputs, function=function, window=window),
    )
