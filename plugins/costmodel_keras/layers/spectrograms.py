"""Spectrograms of waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.builders import activation, elementwise, rearrange
from costmodel.workload.builders.windows import same_padding
from costmodel.workload.operators import Activation, Contraction, Operand, Operator
from costmodel.workload.reasons import Unpriced
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import present
from costmodel_keras.layers.convolution import image_shape, spatial_axes, window_length

_POWERS: Final[Mapping[str, tuple[str, ...]]] = {
    # What follows the sum of both squares.
    "psd": ("add",),
    "magnitude": ("maximum", "sqrt"),
    "log": ("maximum", "sqrt", "maximum", "log"),
}
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "real": ("real",), "imag": ("imag",),
    **dict.fromkeys(("angle", "stft", *_POWERS), ("real", "imag")),
}  # fmt: skip
"""The modes of a short-time Fourier transform, and the parts of the signal that they need."""

_ELEMENTWISE: Final = frozenset({"add", "maximum"})


@frozen(slots=False)
class ShortTimeSpectrogram(Layer):
    """Windows of each channel times a real and an imaginary kernel: Fourier's as a convolution."""

    kinds: ClassVar = ("keras.STFTSpectrogram",)

    mode: str = setting(settings.one_of(*_PARTS), default="log")
    frame_length: int = setting(settings.whole, default=256)
    frame_step: int | None = setting(settings.optional(settings.whole), default=None)
    fft_length: int | None = setting(settings.optional(settings.whole), default=None)
    padding: str = setting(settings.padding, default="valid")
    expand_dims: bool = setting(settings.flag, default=False)
    data_format: str = setting(settings.data_format, default="channels_last")

    @property
    def frequencies(self) -> int:
        """Frequencies of a window, half of the length that is transformed: a power of two."""
        power_of_two = 1 << (self.frame_length - 1).bit_length()
        return (self.fft_length or power_of_two) // 2 + 1

    def _frames(self) -> tuple[int | None, int]:
        (length,), channels = spatial_axes(self.input_shape, 1, self.data_format)
        step = self.frame_step or self.frame_length // 2
        return window_length(length, self.frame_length, step, self.padding), channels

    def output_shapes(self) -> Sequence[Shape]:
        """The windows by frequencies of each channel, side by side unless they are expanded."""
        frames, channels = self._frames()
        frequencies = self.frequencies * (2 if self.mode == "stft" else 1)
        if not self.expand_dims:
            return (image_shape((frames,), frequencies * channels, self.data_format),)
        return (image_shape((frames, frequencies), channels, self.data_format),)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A kernel (window, 1, frequencies) for each part of the signal."""
        kernel = (self.frame_length, 1, self.frequencies)
        return present((f"{part}_kernel", kernel, True) for part in _PARTS[self.mode])

    def operators(self) -> Work:
        """A contraction for each part of the signal, and what the mode makes of the parts."""
        parts = [self._part(kernel) for kernel in self.parameters.values()]
        return (*parts, *self._after(parts[0].outputs[0].tensor))

    def _part(self, kernel: Tensor) -> Operator:
        """Every channel is a signal of its own, convolved with the same kernel."""
        frames, channels = self._frames()
        (length,), _ = spatial_axes(self.input_shape, 1, self.data_format)
        step = self.frame_step or self.frame_length // 2
        before = 0
        if self.padding == "same":
            before, _ = same_padding(length or 1, self.frame_length, step)
        window = Affine((("p", step), ("r", 1)), -before)
        dims = {
            "c": channels, "k": self.frequencies, "p": frames or 1, "r": self.frame_length,
        }  # fmt: skip
        read: list[Affine | str] = [window, "c"]
        operands = [
            Operand("input", self.inputs[0], read[:: 1 if self._is_last else -1]),
            Operand("weight", kernel, ("r", Affine(), "k")),
            Operand("output", (dims["p"], dims["k"], dims["c"]), ("p", "k", "c")),
        ]
        return Contraction(dims=dims, operands=operands)

    @property
    def _is_last(self) -> bool:
        return self.data_format == "channels_last"

    def _after(self, part: Tensor) -> Sequence[Operator]:
        result = self.outputs[0]
        whole = Tensor(part.shape, result.format)
        if self.mode == "stft":
            return (rearrange("concatenation", [part, part], [result]),)
        if self.mode == "angle":
            parts = elementwise("add", part, part, output=whole)
            return (Activation(dims=parts.dims, operands=parts.operands, function="arctan2"),)
        if self.mode not in _POWERS:
            return ()
        square = elementwise("multiply", part, part, in_place=True)
        total = elementwise("add", part, part, output=whole)
        return (square, square, total, *[_function(name, whole) for name in _POWERS[self.mode]])


def _function(name: str, whole: Tensor) -> Operator:
    if name in _ELEMENTWISE:
        return elementwise(name, whole, whole, in_place=True)
    return activation(name, whole, in_place=True)


@frozen(slots=False)
class MelSpectrogram(Layer):
    """Energies of a wave in bands of the mel scale."""

    kinds: ClassVar = ("keras.MelSpectrogram",)

    num_mel_bins: int = setting(settings.whole, default=128)
    sequence_stride: int = setting(settings.whole, default=512)

    def output_shapes(self) -> Sequence[Shape]:
        """The bands by windows."""
        (length,) = self.input_shape
        stride = self.sequence_stride
        return ((self.num_mel_bins, None if length is None else (length + stride + 1) // stride),)

    def operators(self) -> Work:
        """Unpriced: the work of a fast Fourier transform depends on who writes it."""
        return Unpriced("it is a fast Fourier transform, whose arithmetic no operator counts")


LAYERS: tuple[type[Layer], ...] = (
    MelSpectrogram,
    ShortTimeSpectrogram,
)
