"""Layers that prepare data: images, categories and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.builders import elementwise, one_hot, reduce, shift
from costmodel.workload.reasons import Free
from costmodel_keras.layers import settings
from costmodel_keras.layers.convolution import image_shape, spatial_axes
from costmodel_keras.layers.reshaping import interpolation, resized
from costmodel_keras.layers.unsupported import UnsupportedBase, UnsupportedError

_TRAINING_ONLY = """
    AugMix CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip
    RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective
    RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
    RandomTranslation RandomZoom Solarization
"""

_PLANE: Final = 2


@frozen(slots=False)
class Augmentation(Layer):
    """A layer that changes images in training and passes them on at inference."""

    kinds: ClassVar = tuple(f"keras.{name}" for name in _TRAINING_ONLY.split())  # a table

    def operators(self) -> Work:
        """No work at inference."""
        return Free("acts only in training")


@frozen(slots=False)
class Sized(Layer):
    """An image brought to a size."""

    height: int = setting(settings.whole)
    width: int = setting(settings.whole)
    data_format: str = setting(settings.data_format, default="channels_last")

    def output_shapes(self) -> Sequence[Shape]:
        """The sides as asked for, by the channels."""
        _, channels = spatial_axes(self.input_shape, _PLANE, self.data_format)
        return (image_shape((self.height, self.width), channels, self.data_format),)


@frozen(slots=False)
class Resizing(Sized):
    """An image of another size."""

    kinds: ClassVar = ("keras.Resizing",)

    interpolation: str = setting(interpolation, default="bilinear")
    antialias: bool = setting(settings.flag, default=False)
    crops: bool = setting(settings.flag, default=False, source="crop_to_aspect_ratio")
    pads: bool = setting(settings.flag, default=False, source="pad_to_aspect_ratio")

    def output_shapes(self) -> Sequence[Shape]:
        """The sides as asked for, by the channels."""
        if self.antialias:
            message = "how many elements a filter against aliasing weighs is the library's choice"
            error = UnsupportedError(message)
            error.name(self)
            raise error
        return super().output_shapes()

    def operators(self) -> Work:
        """The weighing of the neighbours of every output element."""
        return resized(
            self, self.interpolation, self.data_format, keeps_aspect=self.crops or self.pads
        )


@frozen(slots=False)
class CenterCrop(Sized):
    """The middle of an image; one that is too small is enlarged."""

    kinds: ClassVar = ("keras.CenterCrop",)

    def operators(self) -> Work:
        """A movement, or the weighing of four neighbours of every output element."""
        (height, width), _ = spatial_axes(self.input_shape, _PLANE, self.data_format)
        fits = (height or 0) >= self.height and (width or 0) >= self.width
        if not fits:
            return resized(self, "bilinear", self.data_format, keeps_aspect=True)
        axes = (0, 1) if self.data_format == "channels_last" else (1, 2)
        starts = [0, 0, 0]
        for axis, side in zip(axes, (self.height, self.width), strict=True):
            starts[axis] = -(((self.input_shape[axis] or side) - side) // 2)
        return (shift("cropping", self.inputs[0], self.outputs[0], starts),)


@frozen(slots=False)
class AutoContrast(Layer):
    """Every channel stretched from its least to its greatest value."""

    kinds: ClassVar = ("keras.AutoContrast",)

    def operators(self) -> Work:
        """Both extremes of a channel, a scale and a shift, two bounds and the choice of numbers.

        The changes of the range of values before and after are one more scaling each.
        """
        image, result = self.inputs[0], self.outputs[0]
        channels = Tensor(image.shape[-1:])
        axes = range(len(image.shape) - 1)
        return (
            *[reduce(name, image, axes, output=channels) for name in ("min", "max")],
            elementwise("affine", image, channels, channels, steps=3, output=result),
            *[
                elementwise(name, result, in_place=True)
                for name in ("maximum", "minimum", "compare", "select")
            ],
        )


@frozen(slots=False)
class Masking(Layer):
    """Steps that hold one value only are set to zero and marked."""

    kinds: ClassVar = ("keras.Masking",)

    def operators(self) -> Work:
        """A comparison of every element, one of all in a step, and a choice for every element."""
        tensor = self.inputs[0]
        marked = reduce("max", tensor, [-1], keep_axes=True)
        return (
            elementwise("compare", tensor, in_place=True),
            marked,
            elementwise("select", tensor, marked.outputs[0], output=self.outputs[0]),
        )


@frozen(slots=False)
class Identity(Layer):
    """A layer that passes its input on."""

    kinds: ClassVar = ("keras.Identity",)

    def output_shapes(self) -> Sequence[Shape]:
        """The shapes of all inputs."""
        return tuple(tensor.shape for tensor in self.inputs)

    def operators(self) -> Work:
        """No work."""
        return Free("passes its input on")


# ------------------------------------------------------------------ categories

_MODES: Final = ("int", "one_hot", "multi_hot", "count")


@frozen(slots=False)
class CategoryEncoding(Layer):
    """Categories as vectors of zeros and ones, or of how often they occur."""

    kinds: ClassVar = ("keras.CategoryEncoding",)

    num_tokens: int = setting(settings.whole)
    output_mode: str = setting(settings.one_of(*_MODES), default="multi_hot")

    def output_shapes(self) -> Sequence[Shape]:
        """One more axis for one category each; else it replaces the last."""
        shape = self.input_shape
        if self.output_mode == "one_hot" and (not shape or shape[-1] != 1):
            return ((*shape, self.num_tokens),)
        return ((*shape[:-1], self.num_tokens),)

    def operators(self) -> Work:
        """A movement; counting adds as often as there are categories."""
        shape = self.input_shape
        is_replaced = len(shape) == len(self.outputs[0].shape)
        moved = one_hot(
            self.inputs[0], self.num_tokens, merged_axis=-2 if is_replaced and shape else None,
            output=self.outputs[0],
        )  # fmt: skip
        if self.output_mode != "count":
            return (moved,)
        source = self.inputs[0]
        return (
            moved,
            elementwise("add", source, in_place=True),
        )


def _boundaries(value: Any) -> tuple[float, ...] | None:
    return None if value is None else tuple(map(settings.number, value))


@frozen(slots=False)
class Discretization(Layer):
    """The number of the bin that each element falls into."""

    kinds: ClassVar = ("keras.Discretization",)

    bin_boundaries: tuple[float, ...] | None = setting(_boundaries, default=None)
    num_bins: int | None = setting(settings.optional(settings.whole), default=None)
    output_mode: str = setting(settings.one_of(*_MODES), default="int")

    @property
    def depth(self) -> int:
        """The number of bins: one more than boundaries."""
        if self.bin_boundaries is not None:
            return len(self.bin_boundaries) + 1
        if self.num_bins is None:
            message = "expected bin_boundaries or num_bins"
            raise ValueError(message)
        return self.num_bins

    def output_shapes(self) -> Sequence[Shape]:
        """The same shape; encoded, one axis more, or in the place of the first."""
        shape = self.input_shape
        if self.output_mode == "int":
            return (shape,)
        if self.output_mode == "one_hot":
            return ((*(shape[:-1] if shape[-1:] == (1,) else shape), self.depth),)
        return ((*shape[1:], self.depth),)

    def operators(self) -> Work:
        """A comparison for each halving of the bins, and the encoding."""
        source, steps = self.inputs[0], max((self.depth - 1).bit_length(), 1)
        if self.output_mode == "int":
            return (elementwise("compare", source, steps=steps, output=self.outputs[0]),)
        merged = None
        if len(source.shape) == len(self.outputs[0].shape):
            merged = -2 if self.output_mode == "one_hot" else 0
        return (
            elementwise("compare", source, steps=steps, output=source),
            one_hot(source, self.depth, merged_axis=merged, output=self.outputs[0]),
        )


# ------------------------------------------------------------------ without a count

_TABLES: Final = "it looks words up in a table on the host, which is not part of the network"
_HASHES: Final = "a hash is not arithmetic that a device has a price for"
_FOREIGN: Final = "it runs a program of another library, which is not looked into"

REASONS: Final[Mapping[str, str]] = {
    "keras.ContrastLimitedAdaptiveHistogramEqualization":
        "which steps a histogram takes depends on the data",
    "keras.FlaxLayer": _FOREIGN,
    "keras.HashedCrossing": _HASHES,
    "keras.Hashing": _HASHES,
    "keras.IntegerLookup": _TABLES,
    "keras.JaxLayer": _FOREIGN,
    "keras.Lambda": "it runs a function of the program, which is never called here",
    "keras.MaxNumBoundingBoxes": "how many boxes it moves depends on the data",
    "keras.Pipeline": "it runs several layers on the host, before the network",
    "keras.RandomCrop": "what it gives at inference is not of the shape that Keras declares",
    "keras.StringLookup": _TABLES,
    "keras.TFSMLayer": _FOREIGN,
    "keras.TextVectorization": _TABLES,
    "keras.TorchModuleWrapper": _FOREIGN,
}  # fmt: skip
"""Why a layer of this kind stays unpriced."""


@frozen(slots=False)
class UnsupportedLayer(UnsupportedBase):
    """A layer whose work does not follow from its settings: unpriced, with the reason."""

    kinds: ClassVar = tuple(REASONS)
    reasons: ClassVar = REASONS


LAYERS: tuple[type[Layer], ...] = (
    Augmentation,
    AutoContrast,
    CategoryEncoding,
    CenterCrop,
    Discretization,
    Identity,
    Masking,
    Resizing,
    UnsupportedLayer,
)
