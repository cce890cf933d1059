"""Layers that hold another layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import evolve, frozen

from costmodel.layer import Layer, Work, setting
from costmodel.operators import Reason
from costmodel.tensor import Shape, Tensor


@frozen(slots=False)
class Wrapper(Layer):
    """A layer whose work is that of the layer in it."""

    inner: Layer = setting(source="layer")

    @classmethod
    def inner_inputs(cls, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the inner layer takes, given what the wrapper takes."""
        return inputs

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same wrapper for other inputs, and the inner layer for what it then takes."""
        inner = self.inner.with_inputs(self.inner_inputs(inputs))
        return evolve(self, inputs=inputs, inner=inner)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the inner layer."""
        return {name: tensor.shape for name, tensor in self.inner.parameters.items()}


@frozen(slots=False)
class TimeDistributed(Wrapper):
    """The inner layer applied to every step along the first axis."""

    kinds: ClassVar = ("keras.TimeDistributed",)

    @classmethod
    def inner_inputs(cls, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The input without its first axis."""
        return tuple(Tensor(tensor.shape[1:], tensor.format) for tensor in inputs)

    def output_shapes(self) -> Sequence[Shape]:
        """The output of one step, with the steps in front."""
        return tuple((self.input_shape[0], *tensor.shape) for tensor in self.inner.outputs)

    def operators(self) -> Work:
        """The inner layer's operators, once for each step."""
        work = self.inner.operators()
        if isinstance(work, Reason):
            return work
        steps = self.input_shape[0] or 1
        return tuple(operator.repeated(steps) for operator in work)
