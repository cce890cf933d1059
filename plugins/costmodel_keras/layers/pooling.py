"""Pooling: windows of elements reduced to one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.affine import axis_index
from costmodel.workload.builders import pool, reduce
from costmodel.workload.operators import Operand, Operator, Reduction
from costmodel_keras.layers import settings
from costmodel_keras.layers.convolution import (
    image_axes,
    image_layout,
    image_shape,
    spatial_axes,
    window_length,
)

_FUNCTIONS: Mapping[str, str] = {
    f"keras.{scope}{function}Pooling{rank}D": reduction
    for scope in ("", "Global")
    for function, reduction in (("Max", "max"), ("Average", "mean"))
    for rank in (1, 2, 3)
}


def _strides(value: Any) -> tuple[int, ...]:
    return () if value is None else settings.wholes(value)


_Value = TypeVar("_Value")


@frozen(slots=False)
class Pooling(Layer):
    """The maximum or mean of every window."""

    kinds: ClassVar = tuple(kind for kind in _FUNCTIONS if "Global" not in kind)

    pool_size: tuple[int, ...] = setting(settings.wholes)
    strides: tuple[int, ...] = setting(_strides, default=())
    padding: str = setting(settings.padding, default="valid")
    data_format: str = setting(settings.data_format, default="channels_last")

    @property
    def function(self) -> str:
        """The name of the function, which follows from the kind."""
        return _FUNCTIONS[self.kind]

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
        work = pool(
            self.function, self.inputs[0], self.pool_size, stride=self.strides or None,
            padding=self.padding, input_layout=image_layout(self.data_format),
            output=self.outputs[0],
        )  # fmt: skip
        return (work,)


@frozen(slots=False)
class GlobalPooling(Layer):
    """The maximum or mean of every channel."""

    kinds: ClassVar = tuple(kind for kind in _FUNCTIONS if "Global" in kind)

    data_format: str = setting(settings.data_format, default="channels_last")
    keepdims: bool = setting(settings.flag, default=False)

    @property
    def function(self) -> str:
        """The name of the function, which follows from the kind."""
        return _FUNCTIONS[self.kind]

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
        first = 0 if self.data_format == "channels_last" else 1
        axes = range(first, first + self.rank)
        work = reduce(
            self.function, self.inputs[0], axes, keep_axes=self.keepdims,
            output=self.outputs[0],
        )  # fmt: skip
        return (work,)


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
        return for_each(self.output_size, self.rank)

    def output_shapes(self) -> Sequence[Shape]:
        """The windows along each axis, by channels."""
        _, channels = spatial_axes(self.input_shape, self.rank, self.data_format)
        return (image_shape(self.sizes, channels, self.data_format),)

    def operators(self) -> Work:
        """Reductions over windows, some of which are longer than others."""
        function = "max" if "Max" in self.kind else "mean"
        return adaptive_work(self, function, self.sizes, self.data_format)


def for_each(values: tuple[_Value, ...], rank: int) -> tuple[_Value, ...]:
    """One value for each axis, where one alone is for all of them."""
    if len(values) not in {1, rank}:
        message = f"found {len(values)} values for {rank} axes"
        raise ValueError(message)
    return values * rank if len(values) == 1 else values


def adaptive_work(
    layer: Layer, function: str, sizes: Sequence[int], data_format: str
) -> Sequence[Operator]:
    """The windows from floor(i n / m) to ceil((i + 1) n / m) of an axis of n, those alike as one.

    Where m divides n they are all alike, and stand side by side. Else the first of the operators
    carries what arrives.
    """
    spatial, channels = spatial_axes(layer.input_shape, len(sizes), data_format)
    lengths = [length or 1 for length in spatial]
    if all(length % size == 0 for length, size in zip(lengths, sizes, strict=True)):
        window = [length // size for length, size in zip(lengths, sizes, strict=True)]
        work = pool(
            function, layer.inputs[0], window, input_layout=image_layout(data_format),
            output=layer.outputs[0],
        )  # fmt: skip
        return (work,)
    alike = [_windows(length, size) for length, size in zip(lengths, sizes, strict=True)]
    read = image_axes([None] * len(sizes), axis_index("c"), data_format)
    source = Operand("input", layer.inputs[0], read)
    return tuple(
        _adaptive([source] if index == 0 else [], function, group, channels)
        for index, group in enumerate(itertools.product(*alike))
    )


def _adaptive(
    sources: Sequence[Operand], function: str, group: Sequence[tuple[int, int]], channels: int
) -> Reduction:
    """Windows of one length along each axis; where each begins, no affine map states."""
    dims = {
        "p": math.prod(count for _, count in group),
        "c": channels,
        "r": math.prod(window for window, _ in group),
    }
    result = Operand("output", Tensor((dims["p"], channels)), (axis_index("p"), axis_index("c")))
    return Reduction(dims=dims, operands=[*sources, result], function=function)


def _windows(length: int, size: int) -> Sequence[tuple[int, int]]:
    """How long the windows along an axis are, and how many are so long; the first one first.

    Window i begins x / `size` behind a whole place, where x is i `length` modulo `size`: every
    multiple of the greatest common divisor, each as often. It ends at the next whole place.
    """
    least, rest = divmod(length, size)
    if rest == 0:
        return [(least, size)]
    step = math.gcd(length, size)
    shorter = size - rest + step
    return [(least + 1, shorter), (least + 2, size - shorter)][: 1 + (shorter < size)]


LAYERS: tuple[type[Layer], ...] = (
    AdaptivePooling,
    GlobalPooling,
    Pooling,
)
