"""Dense layers, convolutions and contractions that an equation names."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, show_shape
from costmodel.workload.builders import contract
from costmodel.workload.reasons import Unpriced
from costmodel_hgq.layers.merging import SeveralInputs
from costmodel_hgq.layers.quantized import INPUT, KERNEL, OUTPUT, Quantized
from costmodel_keras.layers.basic import Dense
from costmodel_keras.layers.convolution import Conv
from costmodel_keras.layers.einsum import EinsumDense
from costmodel_keras.layers.merging import Dot

_PAIR: Final = 2


@frozen(slots=False)
class QDense(Quantized, Dense):
    """A dense layer whose weights have widths of their own.

    A batch normalization of its inputs is part of the weights before they are quantized.
    """

    kinds: ClassVar[Any] = ("hgq.QBatchNormDense", "hgq.QDense")
    quantizer_places: ClassVar = {**INPUT, **KERNEL, **OUTPUT}


@frozen(slots=False)
class QConv(Quantized, Conv):
    """A convolution whose weights have widths of their own."""

    kinds: ClassVar[tuple[str, ...]] = ("hgq.QConv1D", "hgq.QConv2D", "hgq.QConv3D")
    quantizer_places: ClassVar = {**INPUT, **KERNEL, **OUTPUT}


@frozen(slots=False)
class QEinsumDense(Quantized, EinsumDense):
    """A weighted sum along axes that an equation names, weights with widths of their own.

    A batch normalization of its outputs is part of the weights before they are quantized.
    """

    kinds: ClassVar[Any] = ("hgq.QEinsumDense", "hgq.QEinsumDenseBatchnorm")
    quantizer_places: ClassVar = {**INPUT, **KERNEL, **OUTPUT}


# ------------------------------------------------------------------ of several inputs


@frozen(slots=False)
class QDot(SeveralInputs, Dot):
    """The sum of products of two inputs along an axis of each."""

    kinds: ClassVar = ("hgq.QDot",)


def _axes(value: Any) -> tuple[str, ...]:
    """The letters of each operand and of the result, that of the batch first."""
    if isinstance(value, tuple):
        return value
    sources, arrow, result = str(value).replace(" ", "").partition("->")
    groups = (*sources.split(","), result)
    if not arrow or not all(group.isalpha() and group[0] == result[:1] for group in groups):
        message = "expected letters such as 'bij,bjk->bik', that of the batch first in each"
        raise ValueError(message)
    return groups


@frozen(slots=False)
class QEinsum(SeveralInputs, Layer):
    """The sum of products of inputs along axes that an equation names."""

    kinds: ClassVar = ("hgq.QEinsum",)

    equation: tuple[str, ...] = setting(_axes)

    @property
    def _named(self) -> list[list[str]]:
        """The letters of the axes of each input without the batch."""
        named = [list(letters[1:]) for letters in self.equation[:-1]]
        shapes = [tensor.shape for tensor in self.inputs]
        if list(map(len, named)) != list(map(len, shapes)):
            shown = " and ".join(map(show_shape, shapes))
            message = f"the equation names axes of {','.join(self.equation[:-1])}, found {shown}"
            raise ValueError(message)
        return named

    def output_shapes(self) -> tuple[Shape, ...]:
        """The axes of the result, as long as in the inputs."""
        lengths: dict[str, int | None] = {}
        for letters, tensor in zip(self._named, self.inputs, strict=True):
            lengths |= dict(zip(letters, tensor.shape, strict=True))
        return (tuple([lengths[letter] for letter in self.equation[-1][1:]]),)

    def operators(self) -> Work:
        """One contraction over every axis of the equation."""
        if len(self.inputs) != _PAIR:
            return Unpriced(f"a product of {len(self.inputs)} tensors has a rule for two alone")
        kept = list(self.equation[-1][1:])
        work = contract(
            self.inputs, self._named, kept, roles=("input", "input"), output=self.outputs[0]
        )
        return (work,)
