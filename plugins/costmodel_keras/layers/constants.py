"""What an opened layer holds beside layers: weights of its own, and constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from costmodel.layer import Layer, Work, setting
from costmodel.tensor import Shape, as_shape
from costmodel.workload.reasons import Free


@frozen(slots=False)
class Constant(Layer):
    """A value that depends on no input of the network."""

    kinds: ClassVar = ("keras.Constant",)

    shape: Shape = setting(as_shape)

    def output_shapes(self) -> Sequence[Shape]:
        """Its shape."""
        return (self.shape,)

    def operators(self) -> Work:
        """No work at inference."""
        return Free("depends on no input: computed once")


@frozen(slots=False)
class Variables(Layer):
    """Weights that belong to no layer with a rule: functions of keras.ops read them."""

    kinds: ClassVar = ("keras.Variable",)

    weights: tuple[tuple[str, Shape], ...] = setting()

    def output_shapes(self) -> Sequence[Shape]:
        """None: the operations that read the weights are charged for them."""
        return ()

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The weights by their paths."""
        return dict(self.weights)

    def operators(self) -> Work:
        """No work of its own."""
        return Free("holds weights; the operations that read them are charged for it")


LAYERS: tuple[type[Layer], ...] = (
    Constant,
    Variables,
)
