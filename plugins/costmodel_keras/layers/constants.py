"""What an opened layer holds beside layers with work: own weights, constants, inputs it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, as_shape
from costmodel.workload.reasons import Free, Unpriced

_MAY_BE_RANDOM: Final = (
    "it may depend on random numbers that are drawn in a shape without the batch, so it is not "
    "known how often it is computed; make them an input of the layer"
)


@frozen(slots=False)
class Constant(Layer):
    """A value that depends on no input of the network, and the weights of the layer that made it.

    It has no batch axis, so its shape is the whole one; only a constant that leaves a model
    leaves out the batch axis, as every output does.
    """

    kinds: ClassVar = ("keras.Constant",)

    shape: Shape = setting(as_shape)
    maker: str = setting(str, default="")
    """The kind of the layer that computes it, if it is one layer."""

    weights: tuple[tuple[str, Shape], ...] = setting(default=())
    is_array: bool = setting(bool, default=False)
    """Whether it is a weight or an array as it is, which another row holds."""

    may_be_random: bool = setting(bool, default=False)
    """Whether random numbers were drawn before it was made, in a shape without the batch."""

    def output_shapes(self) -> Sequence[Shape]:
        """Its shape."""
        return (self.shape,)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The weights of its maker by their paths."""
        return dict(self.weights)

    def operators(self) -> Work:
        """No work at inference: it is computed once, before."""
        if self.is_array:
            return Free("the same for every example; the layer that reads it is charged for it")
        if not self.maker:
            without = "without any input of the network; random numbers, if any, are not counted"
            return Free(f"computed once, {without}")
        if self.may_be_random:
            return Unpriced(_MAY_BE_RANDOM)
        made = f"computed once by a {self.maker!r}, from weights and constants alone"
        return Free(f"{made}: no inference repeats it")


def _shapes(value: Any) -> tuple[Shape, ...]:
    return tuple(map(as_shape, value))


_RANDOM: Final = "tf.random."


@frozen(slots=False)
class FromShapes(Layer):
    """Values that follow from the shapes of tensors, such as the target of a reshape."""

    kinds: ClassVar = ("keras.FromShapes",)

    shapes: tuple[Shape, ...] = setting(_shapes)
    maker: str = setting(str)
    """The kind of the function that computes them."""

    def output_shapes(self) -> Sequence[Shape]:
        """Their own shapes, without a batch axis."""
        return self.shapes

    def operators(self) -> Work:
        """No work at inference, since shapes are known before; but for random numbers."""
        if self.maker.startswith(_RANDOM):
            return Unpriced("it draws random numbers at every inference")
        return Free(f"a {self.maker!r} of shapes alone, which are known before an inference")


@frozen(slots=False)
class Variables(Layer):
    """Weights that belong to no layer with a rule: functions of keras.ops or layers read them."""

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


def _places(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value))


@frozen(slots=False)
class Returned(Layer):
    """A layer or model that returns inputs of its own, unchanged."""

    kinds: ClassVar = ("keras.Returned",)

    returned: tuple[int, ...] = setting(_places)
    """The places among the inputs of what it returns."""

    maker: str = setting(str)
    """The kind of the layer itself."""

    def output_shapes(self) -> Sequence[Shape]:
        """Those of the inputs that it returns.

        Raises:
            ValueError: it returns an input that it does not have.

        """
        if not all(0 <= place < len(self.inputs) for place in self.returned):
            message = f"it returns inputs {self.returned}; expected places below {len(self.inputs)}"
            raise ValueError(message)
        return tuple(self.inputs[place].shape for place in self.returned)

    def operators(self) -> Work:
        """No work."""
        return Free(f"the {self.maker!r} returns its input unchanged")


LAYERS: tuple[type[Layer], ...] = (
    Constant,
    FromShapes,
    Returned,
    Variables,
)
