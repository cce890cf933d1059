"""Dense, activation and embedding layers, inputs, and layers that only act in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from costmodel.network.layer import Input, Layer, Source, Work, setting
from costmodel.tensor.shapes import Shape, as_shape
from costmodel.workload.builders import embedding, matmul
from costmodel.workload.reasons import Free
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.merging import own_axis

if TYPE_CHECKING:
    from collections.abc import Iterable


def present(parameters: Iterable[tuple[str, Shape, bool]]) -> Mapping[str, Shape]:
    """The parameters that the settings ask for."""
    return {name: shape for name, shape, is_there in parameters if is_there}


def adapters(name: str, kernel: Shape, rank: int | None) -> Sequence[tuple[str, Shape, bool]]:
    """The two thin factors of a low-rank change of a kernel, as `present` takes them.

    Their product is a constant: it is added to the kernel once, not for every example.
    """
    thin = rank or 1
    factors = ((*kernel[:-1], thin), (thin, kernel[-1]))
    return [
        (f"{name}_{way}", shape, rank is not None) for way, shape in zip("ab", factors, strict=True)
    ]


def _without_batch(value: Any) -> Shape:
    if not isinstance(value, list | tuple) or not value:
        message = f"'batch_shape' is {value!r:.80}; expected a shape with the batch axis first"
        raise ValueError(message)
    return as_shape(value[1:])


@frozen(slots=False)
class InputLayer(Input):
    """Where data enters a Keras network."""

    kinds: ClassVar = ("keras.InputLayer",)

    @classmethod
    def read_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The shape, which Keras keeps with the batch axis in front."""
        for name in ("batch_shape", "batch_input_shape"):
            if name in settings:
                return {"shape": _without_batch(settings[name])}
        message = "'batch_shape' is missing"
        raise ValueError(message)


@frozen(slots=False)
class RandomNumbers(Source):
    """Random numbers that a layer of the program draws for every example."""

    kinds: ClassVar = ("keras.RandomNumbers",)

    shape: Shape = setting(as_shape)

    def operators(self) -> Work:
        """No work: what a random number costs is in no model."""
        return Free("random numbers, drawn for every example; drawing them is not counted")


@frozen(slots=False)
class Dense(Activating, Layer):
    """Every output element is a weighted sum along the last axis."""

    kinds: ClassVar = ("keras.Dense",)

    units: int = setting(settings.whole)
    use_bias: bool = setting(settings.flag, default=True)
    activation: str = setting(settings.activation, default="linear")
    lora_rank: int | None = setting(settings.optional(settings.whole), default=None)

    def output_shapes(self) -> Sequence[Shape]:
        """The last axis becomes `units` long."""
        return ((*self.input_shape[:-1], self.units),)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernel (inputs, units), bias (units) and adapters."""
        kernel = (self.input_shape[-1], self.units)
        return present([
            ("kernel", kernel, True), ("bias", (self.units,), self.use_bias),
            *adapters("lora_kernel", kernel, self.lora_rank),
        ])  # fmt: skip

    @property
    def absorbs_along(self) -> int | None:
        """The last axis: a column of the kernel makes each of its elements."""
        return len(self.input_shape) - 1

    def operators(self) -> Work:
        """One contraction over the last axis, then the activation."""
        work = matmul(
            self.inputs[0], self.parameters["kernel"], bias=self.parameters.get("bias"),
            output=self.outputs[0],
        )  # fmt: skip
        return self.activated(work, self.activation)


@frozen(slots=False)
class ActivationLayer(Activating, Layer):
    """A non-linear function of every element, which the class of the layer names."""

    kinds: ClassVar[tuple[str, ...]] = (
        "keras.ELU",
        "keras.LeakyReLU",
        "keras.ReLU",
        "keras.ThresholdedReLU",
    )

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which a softmax sums."""
        return (-1,)

    @property
    def function(self) -> str:
        """The name of the function."""
        return _FUNCTIONS[self.kind]

    def operators(self) -> Work:
        """One activation; a linear one is free."""
        if self.function == "linear":
            return Free("a linear activation is the identity")
        work = self.activation_of(
            self.function, self.inputs[0], axes=self.axes, output=self.outputs[0],
            weights=tuple(self.parameters.values()),
        )  # fmt: skip
        return (work,)


@frozen(slots=False)
class NamedActivation(ActivationLayer):
    """A function of every element, given by its name."""

    kinds: ClassVar = ("keras.Activation",)

    activation: str = setting(settings.activation)

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.activation


@frozen(slots=False)
class SoftmaxLayer(ActivationLayer):
    """Exponentials over their sum along some axes."""

    kinds: ClassVar = ("keras.Softmax",)

    axis: tuple[int, ...] = setting(settings.integers, default=(-1,))

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which it sums, without the batch."""
        rank = len(self.input_shape)
        return tuple([own_axis(axis, rank) for axis in self.axis])


def _axes(value: Any) -> tuple[int, ...]:
    return settings.integers(value) if value else ()


@frozen(slots=False)
class ParametricRectifier(ActivationLayer):
    """A rectifier with a trained slope for negative elements."""

    kinds: ClassVar = ("keras.PReLU",)

    shared_axes: tuple[int, ...] = setting(_axes, default=())

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The slopes, one for each element that shares none."""
        axes = enumerate(self.input_shape, start=1)
        return {"alpha": tuple(1 if axis in self.shared_axes else size for axis, size in axes)}


_FUNCTIONS = {
    "keras.ELU": "elu",
    "keras.LeakyReLU": "leaky_relu",
    "keras.PReLU": "prelu",
    "keras.ReLU": "relu",
    "keras.Softmax": "softmax",
    "keras.ThresholdedReLU": "thresholded_relu",
}


@frozen(slots=False)
class Embedding(Layer):
    """A row of a table for every index."""

    kinds: ClassVar = ("keras.Embedding",)

    input_dim: int = setting(settings.whole)
    output_dim: int = setting(settings.whole)
    lora_rank: int | None = setting(settings.optional(settings.whole), default=None)

    def output_shapes(self) -> Sequence[Shape]:
        """One more axis, of `output_dim`."""
        return ((*self.input_shape, self.output_dim),)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The table (input_dim, output_dim) and adapters."""
        table = (self.input_dim, self.output_dim)
        return present([
            ("embeddings", table, True), *adapters("lora_embeddings", table, self.lora_rank)
        ])  # fmt: skip

    def operators(self) -> Work:
        """One lookup."""
        table = self.parameters["embeddings"]
        return (embedding(self.inputs[0], table, output=self.outputs[0]),)


@frozen(slots=False)
class TrainingOnly(Layer):
    """A layer that passes its input on at inference."""

    kinds: ClassVar = (
        "keras.ActivityRegularization", "keras.AlphaDropout", "keras.Dropout",
        "keras.GaussianDropout", "keras.GaussianNoise", "keras.SpatialDropout1D",
        "keras.SpatialDropout2D", "keras.SpatialDropout3D", "keras.StochasticDepth",
    )  # fmt: skip

    def operators(self) -> Work:
        """No work at inference."""
        return Free("acts only in training")


LAYERS: tuple[type[Layer], ...] = (
    ActivationLayer,
    Dense,
    Embedding,
    InputLayer,
    RandomNumbers,
    NamedActivation,
    ParametricRectifier,
    SoftmaxLayer,
    TrainingOnly,
)
