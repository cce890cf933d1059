"""Contractions that an equation names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.builders import contract
from costmodel.workload.operators import Operator
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.basic import adapters, present

_EQUATION: Final = re.compile(
    r"(?P<left>\.\.\.)?(?P<inputs>[a-zA-Z]+)(?P<right>\.\.\.)?,(?P<kernel>[a-zA-Z]+)"
    r"->(?P<left_out>\.\.\.)?(?P<outputs>[a-zA-Z]+)(?P<right_out>\.\.\.)?"
)


@frozen
class Equation:
    """The axes of input, kernel and output by letter, the batch among them; `elided` is a side."""

    inputs: str
    kernel: str
    outputs: str
    elided: str | None

    @classmethod
    def of(cls, text: Any) -> Equation:
        """The equation that a text writes; one that is read already stays as it is.

        Raises:
            ValueError: it is none of input and kernel to output, or not with one ellipsis each.

        """
        if isinstance(text, Equation):
            return text
        match = _EQUATION.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            message = "expected input and kernel to output, such as 'ab,bc->ac' or '...a,ab->...b'"
            raise ValueError(message)
        sides = [side for side in ("left", "right") if match[side]]
        if len(sides) > 1 or sides != [side for side in ("left", "right") if match[f"{side}_out"]]:
            message = "expected the ellipsis on one side, the same of the input and the output"
            raise ValueError(message)
        return cls(match["inputs"], match["kernel"], match["outputs"], *sides or (None,))

    def with_elided(self, letters: str, unnamed: Sequence[str]) -> list[str]:
        """The axes of the input or output, with those that are elided on their side."""
        return [*letters, *unnamed] if self.elided == "right" else [*unnamed, *letters]


@frozen(slots=False)
class EinsumDense(Activating, Layer):
    """A weighted sum along the axes that an equation names."""

    kinds: ClassVar = ("keras.EinsumDense",)

    equation: Equation = setting(Equation.of, holds=(Equation,))
    output_lengths: tuple[int | None, ...] = setting(
        settings.lengths, source=("partial_output_shape", "output_shape")
    )
    bias_axes: str | None = setting(settings.optional(settings.text), default=None)
    activation: str = setting(settings.activation, default="linear")
    lora_rank: int | None = setting(settings.optional(settings.whole), default=None)

    @property
    def elided(self) -> Sequence[str]:
        """Names for the axes of the input that the equation does not name."""
        rank, named = 1 + len(self.input_shape), len(self.equation.inputs)
        if rank < named or (rank > named and self.equation.elided is None):
            message = f"the equation names {named} axes with the batch, there are {rank}"
            raise ValueError(message)
        return [f"axis {index}" for index in range(rank - named)]

    @property
    def input_axes(self) -> Sequence[str]:
        """The axes of the input, without the batch."""
        return self.equation.with_elided(self.equation.inputs, self.elided)[1:]

    @property
    def output_axes(self) -> Sequence[str]:
        """The axes of the output, without the batch."""
        elided = self.elided
        if self.equation.elided == "left":
            # Keras declares those between the batch and the first letter in reverse.
            elided = [*elided[:1], *elided[:0:-1]]
        return self.equation.with_elided(self.equation.outputs, elided)[1:]

    @property
    def lengths(self) -> Mapping[str, int | None]:
        """The length of every axis, as far as the input and the settings know it."""
        lengths: dict[str, int | None] = dict(zip(self.input_axes, self.input_shape, strict=True))
        named = [axis for axis in self.output_axes if axis in self.equation.outputs]
        if len(named) != len(self.output_lengths):
            known = len(self.output_lengths)
            message = f"output_shape has {known} axes, the equation {len(named)} with a letter"
            raise ValueError(message)
        for axis, length in zip(named, self.output_lengths, strict=True):
            before = lengths.get(axis)
            if None not in {before, length} and before != length:
                message = f"axis {axis!r} is {before} long in the input and {length} in the output"
                raise ValueError(message)
            lengths[axis] = before or length
        return lengths

    def output_shapes(self) -> Sequence[Shape]:
        """The axes of the output, those that the setting leaves open as long as in the input."""
        lengths = self.lengths
        return (tuple(lengths[axis] for axis in self.output_axes),)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The axes of the kernel, those of the bias from its first in the output on, adapters."""
        lengths = self.lengths
        kernel = tuple(lengths[axis] for axis in self.equation.kernel)
        if None in kernel:
            message = f"the kernel is {show_shape(kernel)}; expected no open axis"
            raise ValueError(message)
        return present([
            ("kernel", kernel, True), ("bias", self._bias_shape(), bool(self.bias_axes)),
            *adapters("lora_kernel", kernel, self.lora_rank),
        ])  # fmt: skip

    def _bias_shape(self) -> Shape:
        along = self.bias_axes or ""
        axes, lengths = list(self.output_axes), self.lengths
        first = min((axes.index(axis) for axis in along), default=0)
        return tuple(lengths[axis] if axis in along else 1 for axis in axes[first:])

    def operators(self) -> Work:
        """One contraction over every axis of the equation, then the activation."""
        bias = self.parameters.get("bias")
        work = self.contraction(self.inputs[0], self.outputs[0], bias)
        return self.activated(work, self.activation)

    def contraction(self, tensor: Tensor, result: Tensor, bias: Tensor | None = None) -> Operator:
        """The contraction of a tensor in the place of the input with the kernel."""
        names = self._dim_names()
        axes = (self.input_axes, self.equation.kernel, self.output_axes)
        left, right, kept = ([names[axis] for axis in group] for group in axes)
        kernel = self.parameters["kernel"]
        return contract([tensor, kernel], [left, right], kept, bias=bias, output=result)

    def _dim_names(self) -> Mapping[str, str]:
        """A name of a dimension for every axis; elided ones are numbered."""
        elided = {axis: f"e{place}" for place, axis in enumerate(self.elided)}
        return {axis: elided.get(axis, axis) for axis in self.lengths}


LAYERS: tuple[type[Layer], ...] = (EinsumDense,)
