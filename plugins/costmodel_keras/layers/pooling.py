"""Pooling: windows of elements reduced to one."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from costmodel.layer import Layer, Work, setting
from costmodel.operators import Reduction
from costmodel.tensor import Shape, Tensor
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


@frozen(slots=False)
class AdaptivePooling(Layer):
    """The maximum or mean of as many windows as asked for."""

    kinds: ClassVar = tuple(
        f"keras.Adaptive{function}Pooling{rank}D"
        for function in ("Average", "Max")
        for rank in (1, 2, 3)
    )

    output_size: tuple[int, ...] = setting(settings.wholes)
    data_format: str = setting(settings.data_format, default="channels_last")

    @property
    def rank(self) -> int:
        """Number of spatial axes, which the kind names."""
        return int(self.kind[-2])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        return self.output_size * self.rank if len(self.output_size) == 1 else self.output_size

    def output_shapes(self) -> Sequence[Shape]:
        """The windows along each axis, by channels."""
        _, channels = spatial_axes(self.input_shape, self.rank, self.data_format)
        return (image_shape(self.sizes, channels, self.data_format),)

    def operators(self) -> Work:
        """Reductions over windows, some of which are longer than others."""
        spatial, channels = spatial_axes(self.input_shape, self.rank, self.data_format)
        function = "max" if "Max" in self.kind else "mean"
        return adaptive_work(self, function, spatial, self.sizes, channels)


def adaptive_work(
    layer: Layer, function: str, spatial: Shape, sizes: Sequence[int], channels: int
) -> Work:
    """The windows from floor(i n / m) to ceil((i + 1) n / m) of an axis of n, those alike as one.

    The first of them carries what arrives and leaves.
    """
    alike = [
        Counter(
            math.ceil((place + 1) * length / size) - place * length // size for place in range(size)
        )
        for length, size in zip([length or 1 for length in spatial], sizes, strict=True)
    ]
    return tuple(
        Reduction(
            inputs=layer.inputs if index == 0 else (),
            outputs=(Tensor((math.prod(count for _, count in group), channels)),),
            function=function,
            window=math.prod(window for window, _ in group),
        )
        for index, group in enumerate(itertools.product(*[axis.items() for axis in alike]))
    )


def _reduction(layer: Layer, window: int) -> Work:
    function = _FUNCTIONS[layer.kind]
    return (
        Reduction(inputs=layer.inputs, outputs=layer.outputs, function=function, window=window),
    )
