"""Layers that scale and shift: normalization and rescaling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape
from costmodel.workload.builders import normalize, reduce
from costmodel.workload.graph import Workload
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import present
from costmodel_keras.layers.kept import activation, elementwise
from costmodel_keras.layers.merging import own_axis


@frozen(slots=False)
class ScaleAndShift(Layer):
    """One multiplication and one addition of constants for every element."""

    def operators(self) -> Work:
        """One affine step for each element."""
        work = elementwise(
            "affine", self.inputs[0], weights=tuple(self.parameters.values()),
            weight_axes=self.weight_axes(), output=self.outputs[0],
        )  # fmt: skip
        return (work,)

    def weight_axes(self) -> tuple[int, ...]:
        """The axes of the input, without the batch, that the axes of the constants are."""
        return ()


def from_the_front(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Axes that Keras may count from the end, counted from the front, the batch included."""
    counted = tuple(axis + rank + 1 if axis < 0 else axis for axis in axes)
    return axes if min(counted, default=0) < 0 else counted


@frozen(slots=False)
class Normalizing(Layer):
    """What normalizations share: the axes along which they have their constants."""

    axis: tuple[int, ...] = setting(settings.integers, default=(-1,))

    def __attrs_post_init__(self) -> None:
        """Write an axis in one way; Keras 2 counts from the front what Keras 3 leaves as given."""
        if self.inputs:
            axes = from_the_front(self.axis, len(self.input_shape))
            object.__setattr__(self, "axis", axes)
        super().__attrs_post_init__()


@frozen(slots=False)
class BatchNormalization(Normalizing, ScaleAndShift):
    """Normalization by statistics of training: at inference a fixed scale and shift."""

    kinds: ClassVar = ("keras.BatchNormalization",)

    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Four vectors along the axis; gamma and beta only where asked for."""
        rank = len(self.input_shape)
        shape = tuple(self.input_shape[own_axis(axis, rank)] for axis in self.axis)
        return present([
            ("gamma", shape, self.scale), ("beta", shape, self.center),
            ("moving_mean", shape, True), ("moving_variance", shape, True),
        ])  # fmt: skip

    def weight_axes(self) -> tuple[int, ...]:
        """The axes of its vectors."""
        return tuple([own_axis(axis, len(self.input_shape)) for axis in self.axis])

    @property
    def scales_along(self) -> int | None:
        """The axis of its vectors, where it is one."""
        return own_axis(self.axis[0], len(self.input_shape)) if len(self.axis) == 1 else None


@frozen(slots=False)
class LayerNormalization(Normalizing):
    """Normalization by the statistics of each example."""

    kinds: ClassVar = ("keras.LayerNormalization",)

    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)
    rms_scaling: bool = setting(settings.flag, default=False)

    def _normalized_shape(self) -> Shape:
        axes = sorted(own_axis(axis, len(self.input_shape)) for axis in self.axis)
        return tuple(self.input_shape[axis] for axis in axes)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Gamma and beta along the normalised axes."""
        shape = self._normalized_shape()
        shift = self.center and not self.rms_scaling
        scale = self.scale or self.rms_scaling
        return present([("gamma", shape, scale), ("beta", shape, shift)])

    def operators(self) -> Work:
        """Mean and variance of each group, then one scale and shift for each element."""
        axes = sorted(own_axis(axis, len(self.input_shape)) for axis in self.axis)
        return _by_statistics(self, axes, is_centred=not self.rms_scaling)


@frozen(slots=False)
class RootMeanSquareNormalization(Layer):
    """Division by the root of the mean square of each example, and a scale."""

    kinds: ClassVar = ("keras.RMSNormalization",)

    axis: tuple[int, ...] = setting(settings.integers, default=(-1,))

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The scale along the normalised axes."""
        axes = sorted(own_axis(axis, len(self.input_shape)) for axis in self.axis)
        return {"scale": tuple(self.input_shape[axis] for axis in axes)}

    def operators(self) -> Work:
        """The mean square of each group, then one scale for each element."""
        axes = sorted(own_axis(axis, len(self.input_shape)) for axis in self.axis)
        return _by_statistics(self, axes, is_centred=False)


@frozen(slots=False)
class GroupNormalization(Layer):
    """Normalization by the statistics of groups of channels of each example."""

    kinds: ClassVar = ("keras.GroupNormalization",)

    groups: int = setting(settings.integer, default=32)
    axis: int = setting(settings.integer, default=-1)
    center: bool = setting(settings.flag, default=True)
    scale: bool = setting(settings.flag, default=True)

    @property
    def channels(self) -> int:
        """The length of the axis that is grouped."""
        channels = self.input_shape[own_axis(self.axis, len(self.input_shape))]
        if channels is None or channels % self.groups:
            message = f"{channels} channels do not divide into {self.groups} groups"
            raise ValueError(message)
        return channels

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Gamma and beta, one for each channel."""
        shape = (self.channels,)
        return present([("gamma", shape, self.scale), ("beta", shape, self.center)])

    def operators(self) -> Work:
        """Mean and variance of each group, then one scale and shift for each element."""
        rank = len(self.input_shape)
        channels = own_axis(self.axis, rank)
        axes = [*(axis for axis in range(rank) if axis != channels), channels]
        groups = self.channels if self.groups == -1 else self.groups
        return _by_statistics(self, axes, groups=groups, weight_axes=[channels])


@frozen(slots=False)
class UnitNormalization(Layer):
    """Vectors divided by their length."""

    kinds: ClassVar = ("keras.UnitNormalization",)

    axis: tuple[int, ...] = setting(settings.integers, default=(-1,))

    def workload(self) -> Workload:
        """The sum of squares and its root for each vector, and a division for each element."""
        made = self.assembly()
        tensor = self.inputs[0]
        axes = [own_axis(axis, len(tensor.shape)) for axis in self.axis]
        total = reduce("sum", tensor, axes, keep_axes=True)
        norm = total.outputs[0]
        squares = made.add(elementwise("multiply", tensor, in_place=True), "input")
        root = made.add(activation("sqrt", norm, in_place=True), made.add(total, squares))
        divided = elementwise("divide", tensor, norm, output=self.outputs[0])
        return self.assembled(made, made.add(divided, "input", root))


def _by_statistics(layer: Layer, axes: Sequence[int], **settings: Any) -> Work:
    """The statistics over some axes, then a scale and shift of each element."""
    work = normalize(
        layer.inputs[0], axes, weights=tuple(layer.parameters.values()), output=layer.outputs[0],
        **settings,
    )  # fmt: skip
    return (work,)


@frozen(slots=False)
class Rescaling(ScaleAndShift):
    """A fixed scale and offset."""

    kinds: ClassVar = ("keras.Rescaling",)


def _axes(value: Any) -> tuple[int, ...]:
    return () if value is None else settings.integers(value)


def _is_given(mean: Any) -> bool:
    return mean if isinstance(mean, bool) else mean is not None


@frozen(slots=False)
class Normalization(ScaleAndShift):
    """A shift by the mean and a scaling by the variance of the data it was adapted to."""

    kinds: ClassVar = ("keras.Normalization",)

    axis: tuple[int, ...] = setting(_axes, default=(-1,))
    has_given_statistics: bool = setting(_is_given, default=False, source=("input_mean", "mean"))

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Mean, variance and a count, unless the statistics were given as settings."""
        rank = len(self.input_shape)
        shape = tuple(self.input_shape[own_axis(axis, rank)] for axis in self.axis)
        adapted = not self.has_given_statistics
        return present([
            ("mean", shape, adapted), ("variance", shape, adapted), ("count", (), adapted)
        ])  # fmt: skip

    def weight_axes(self) -> tuple[int, ...]:
        """The axes of its vectors."""
        return tuple([own_axis(axis, len(self.input_shape)) for axis in self.axis])


LAYERS: tuple[type[Layer], ...] = (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    RootMeanSquareNormalization,
    UnitNormalization,
)
