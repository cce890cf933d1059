"""Layers that carry elements to another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.tensor.sizes import smaller
from costmodel.workload.affine import Affine, axis_index
from costmodel.workload.builders import broadcast_to, rearrange_along, resize, shift, transpose
from costmodel.workload.operators import Elementwise, Movement, Operand, shape_of
from costmodel.workload.reasons import Free
from costmodel_keras.layers import settings
from costmodel_keras.layers.convolution import image_axes, image_shape, spatial_axes


@frozen(slots=False)
class Relabelling(Layer):
    """The same elements in the same order under another shape."""

    def operators(self) -> Work:
        """No work: not even a move."""
        return Free("the same elements in the same order")


@frozen(slots=False)
class Flatten(Relabelling):
    """All axes in one."""

    kinds: ClassVar = ("keras.Flatten",)

    def output_shapes(self) -> Sequence[Shape]:
        """One axis as long as the product of all."""
        return ((_size(self.input_shape),),)


@frozen(slots=False)
class Reshape(Relabelling):
    """Other axes for the same elements."""

    kinds: ClassVar = ("keras.Reshape",)

    target_shape: tuple[int, ...] = setting(settings.integers)

    def output_shapes(self) -> Sequence[Shape]:
        """The target; one -1 in it takes what is left."""
        size = _size(self.input_shape)
        known = math.prod(length for length in self.target_shape if length != -1)
        if self.target_shape.count(-1) > 1 or not _fits(size, known, -1 in self.target_shape):
            message = f"the elements do not fit into {self.target_shape}"
            raise ValueError(message)
        rest = None if size is None else size // known
        return (tuple(rest if length == -1 else length for length in self.target_shape),)


def _fits(size: int | None, known: int, is_open: bool) -> bool:  # noqa: FBT001  # private
    if size is None:
        return True
    return known > 0 and (size % known == 0 if is_open else size == known)


def _size(shape: Shape) -> int | None:
    return None if None in shape else math.prod(shape)  # type: ignore[arg-type]  # none is None


@frozen(slots=False)
class Moving(Layer):
    """Elements carried to other places."""

    purpose: ClassVar[str]

    def operators(self) -> Work:
        """One movement."""
        return (self.movement(),)

    def movement(self) -> Movement:
        """Where each element goes."""
        raise NotImplementedError


@frozen(slots=False)
class Permute(Moving):
    """Axes in another order."""

    kinds: ClassVar = ("keras.Permute",)
    purpose: ClassVar = "transposition"

    dims: tuple[int, ...] = setting(settings.wholes)

    def output_shapes(self) -> Sequence[Shape]:
        """The axes in the order of `dims`, which count from 1."""
        if sorted(self.dims) != list(range(1, len(self.input_shape) + 1)):
            message = f"{self.dims} does not name each axis once"
            raise ValueError(message)
        return (tuple(self.input_shape[axis - 1] for axis in self.dims),)

    def movement(self) -> Movement:
        """The axes in the order of `dims`."""
        order = [axis - 1 for axis in self.dims]
        return transpose(self.inputs[0], order, output=self.outputs[0])


@frozen(slots=False)
class RepeatVector(Moving):
    """The input several times over."""

    kinds: ClassVar = ("keras.RepeatVector",)
    purpose: ClassVar = "repetition"

    n: int = setting(settings.whole)

    def output_shapes(self) -> Sequence[Shape]:
        """One more axis, in front."""
        return ((self.n, *self.input_shape),)

    def movement(self) -> Movement:
        """Every element to each of the copies."""
        return broadcast_to(self.inputs[0], self.outputs[0])


@frozen(slots=False)
class ZeroPadding(Moving):
    """Zeros around an image."""

    kinds: ClassVar = ("keras.ZeroPadding1D", "keras.ZeroPadding2D", "keras.ZeroPadding3D")
    purpose: ClassVar = "padding"

    padding: tuple[tuple[int, int], ...] = setting(settings.pairs)
    data_format: str = setting(settings.data_format, default="channels_last")

    def output_shapes(self) -> Sequence[Shape]:
        """Each spatial axis longer by what is added before and after."""
        return _changed(self, self.padding, 1)

    def movement(self) -> Movement:
        """The image behind the zeros."""
        starts = [before for before, _ in self.padding]
        return _shifted(self, starts, self.data_format)


@frozen(slots=False)
class Cropping(Moving):
    """An image without its edges."""

    kinds: ClassVar = ("keras.Cropping1D", "keras.Cropping2D", "keras.Cropping3D")
    purpose: ClassVar = "cropping"

    cropping: tuple[tuple[int, int], ...] = setting(settings.pairs)
    data_format: str = setting(settings.data_format, default="channels_last")

    def output_shapes(self) -> Sequence[Shape]:
        """Each spatial axis shorter by what is cut before and after."""
        return _changed(self, self.cropping, -1)

    def movement(self) -> Movement:
        """The image from where it is cut on."""
        starts = [-before for before, _ in self.cropping]
        return _shifted(self, starts, self.data_format)


def _shifted(layer: Moving, starts: Sequence[int], data_format: str) -> Movement:
    before = image_shape(starts, 0, data_format)
    return shift(layer.purpose, layer.inputs[0], layer.outputs[0], before)  # type: ignore[arg-type]  # numbers


def _changed(
    layer: ZeroPadding | Cropping, amounts: tuple[tuple[int, int], ...], sign: int
) -> Sequence[Shape]:
    spatial, channels = spatial_axes(layer.input_shape, len(amounts), layer.data_format)
    lengths = [
        None if length is None else length + sign * sum(amount)
        for length, amount in zip(spatial, amounts, strict=True)
    ]
    if any(length is not None and length < 1 for length in lengths):
        message = f"nothing of {show_shape(layer.input_shape)} is left"
        raise ValueError(message)
    return (image_shape(lengths, channels, layer.data_format),)


_STEPS: Final = {
    "nearest": 0, "bilinear": 4, "bicubic": 16, "lanczos3": 36, "lanczos5": 100,
    "gaussian": 9, "mitchellcubic": 16,
}  # fmt: skip
"""Input elements that are weighed into one output element: the square of the filter's width."""


interpolation = settings.one_of(*_STEPS)


def resized(layer: Layer, method: str, data_format: str, *, keeps_aspect: bool = False) -> Work:
    """A movement, or the weighing of the neighbours of every output element.

    No affine map states which neighbours an element has along an axis that gets another length.
    Where an image `keeps_aspect`, it is cut or padded before, by amounts that are not followed.
    """
    source, result = layer.inputs[0], layer.outputs[0]
    if method == "nearest" and not keeps_aspect:
        return (resize(source, result),)
    axes = _resized_axes(source, result, data_format, keeps_aspect=keeps_aspect)
    if method == "nearest":
        return (rearrange_along("repetition", source, result, axes),)
    width = math.isqrt(_STEPS[method])
    read = [
        smaller(before, after * width) if axis in axes else before
        for axis, (before, after) in enumerate(zip(shape_of(source), shape_of(result), strict=True))
    ]
    touched = math.prod(read) if axes else None
    carried = rearrange_along("repetition", source, result, axes, touched=touched)
    steps = _STEPS[method]
    return (
        Elementwise(dims=carried.dims, operands=carried.operands, function="affine", steps=steps),
    )


def _resized_axes(
    source: Tensor, result: Tensor, data_format: str, *, keeps_aspect: bool
) -> Sequence[int]:
    """The axes that get another length, or all of the sides where both go together."""
    sides = image_axes(["side"] * (len(result.shape) - 1), "channels", data_format)
    axes = enumerate(zip(source.shape, result.shape, sides, strict=True))
    return [
        axis
        for axis, (before, after, what) in axes
        if before != after or (keeps_aspect and what == "side")
    ]


@frozen(slots=False)
class UpSampling(Layer):
    """An image enlarged a whole number of times."""

    kinds: ClassVar = ("keras.UpSampling1D", "keras.UpSampling2D", "keras.UpSampling3D")

    size: tuple[int, ...] = setting(settings.wholes)
    data_format: str = setting(settings.data_format, default="channels_last")
    interpolation: str = setting(interpolation, default="nearest")

    def output_shapes(self) -> Sequence[Shape]:
        """Each spatial axis `size` times as long."""
        spatial, channels = spatial_axes(self.input_shape, len(self.size), self.data_format)
        lengths = [
            None if length is None else length * times
            for length, times in zip(spatial, self.size, strict=True)
        ]
        return (image_shape(lengths, channels, self.data_format),)

    def operators(self) -> Work:
        """A movement, or the weighing of the neighbours of every output element."""
        if self.interpolation == "nearest":
            return (self._repeated(),)
        return resized(self, self.interpolation, self.data_format)

    def _repeated(self) -> Movement:
        """Every element `size` times along each spatial axis."""
        places, copies = ("p", "q", "o")[: len(self.size)], ("r", "s", "t")[: len(self.size)]
        spatial, channels = spatial_axes(self.input_shape, len(self.size), self.data_format)
        dims = {
            "c": channels,
            **{name: length or 1 for name, length in zip(places, spatial, strict=True)},
            **dict(zip(copies, self.size, strict=True)),
        }
        made = [
            Affine(((place, times), (copy, 1)))
            for place, copy, times in zip(places, copies, self.size, strict=True)
        ]
        read = [axis_index(name) for name in places]
        channel = axis_index("c")
        is_last = self.data_format == "channels_last"
        source, target = (
            (*index, channel) if is_last else (channel, *index) for index in (read, made)
        )
        operands = [
            Operand("input", self.inputs[0], source), Operand("output", self.outputs[0], target),
        ]  # fmt: skip
        return Movement(dims=dims, operands=operands, purpose="repetition")


LAYERS: tuple[type[Layer], ...] = (
    Cropping,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling,
    ZeroPadding,
)
