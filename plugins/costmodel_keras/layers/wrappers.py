"""Layers that hold other layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from attrs import evolve, frozen

from costmodel.errors import ShapeError
from costmodel.network.layer import Layer, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.graph import Workload
from costmodel.workload.reasons import Reason

if TYPE_CHECKING:
    from typing import Self

    from costmodel.formats import NumericFormat
    from costmodel_keras.graph import LayerView

Maker: TypeAlias = Callable[[tuple[Tensor, ...]], Layer]
"""What makes a layer for the inputs that it gets."""


@frozen(slots=False)
class Wrapper(Layer):
    """A layer whose work is that of the layers that it holds."""

    held: tuple[Layer, ...] = setting(tuple)

    @classmethod
    def makers(cls, view: LayerView, maker: Callable[[LayerView], Maker]) -> Sequence[Maker]:
        """What makes each held layer; `maker` knows how to make the layer that a view shows."""
        return (maker(view.child("layer")),)

    @classmethod
    def fitted(cls, inputs: tuple[Tensor, ...], makers: Sequence[Maker]) -> tuple[Layer, ...]:
        """The held layers for what the wrapper takes."""
        return tuple(make(cls.inner_inputs(inputs)) for make in makers)

    @classmethod
    def inner_inputs(cls, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What a held layer takes, given what the wrapper takes."""
        return inputs

    @property
    def inner(self) -> Layer:
        """The first of the held layers."""
        return self.held[0]

    @property
    def prefixes(self) -> Sequence[str]:
        """What stands before the names of the parameters of each held layer."""
        return ("",)

    @property
    def is_counted(self) -> bool:
        """Whether all that it holds is."""
        return all(layer.is_counted for layer in self.held)

    @property
    def has_known_outputs(self) -> bool:
        """Whether every held layer says what it gives: one without a rule need not."""
        return all(layer.outputs for layer in self.held)

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same wrapper for other inputs, and the held layers for what they then take."""
        try:
            held = self.fitted(inputs, [layer.with_inputs for layer in self.held])
        except (ShapeError, IndexError) as error:
            message = f"layer {self.name!r} of kind {self.kind!r}: {error}"
            raise ShapeError(message) from error
        return evolve(self, inputs=inputs, held=held)

    def of_one_row(self) -> Self:
        """The same wrapper, and the held layers, for one row of the batch axis."""
        one = super().of_one_row()
        if one is self:
            return self
        return one._twin(held=tuple([layer.of_one_row() for layer in self.held]))  # noqa: SLF001  # of its own class

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the held layers."""
        return {
            prefix + name: tensor.shape
            for prefix, layer in zip(self.prefixes, self.held, strict=True)
            for name, tensor in layer.parameters.items()
        }

    def workload(self) -> Workload | Reason:
        """The workload of the held layer; a wrapper of several says how they are joined."""
        (inner,) = self.held
        body = inner.workload()
        if isinstance(body, Reason):
            return body
        made = self.assembly()
        return self.assembled(made, *made.inline(body, self.given(body)))

    def given(self, body: Workload, place: int = 0) -> Mapping[str, str]:
        """The tensors of the wrapper that a held layer at this place reads under other names."""
        prefix = self.prefixes[place]
        arrived = {name: name for name in body.inputs}
        held = [name for name in body.weights if prefix + name in self.parameters]
        return arrived | {name: prefix + name for name in held}

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """Its own, or else those of the held layers."""
        held = {
            prefix + name: declared
            for prefix, layer in zip(self.prefixes, self.held, strict=True)
            for name, declared in layer.declared_formats().items()
        }
        return {**held, **super().declared_formats()}

    def declared_result(self) -> NumericFormat | None:
        """Its own, or else that of the held layers, where they declare the same."""
        first, *others = (layer.declared_result() for layer in self.held)
        held = first if all(other == first for other in others) else None
        return super().declared_result() or held

    def with_formats(
        self,
        inputs: tuple[Tensor, ...],
        parameters: Mapping[str, NumericFormat],
        result: NumericFormat | None,
    ) -> Self:
        """The same wrapper with formats, which reach the held layers too."""
        twin = super().with_formats(inputs, parameters, result)
        makers = [
            functools.partial(_with_formats, layer, _behind(prefix, parameters))
            for prefix, layer in zip(self.prefixes, self.held, strict=True)
        ]
        object.__setattr__(twin, "held", self.fitted(inputs, makers))
        return twin


def _behind(prefix: str, formats: Mapping[str, NumericFormat]) -> Mapping[str, NumericFormat]:
    return {
        name.removeprefix(prefix): found
        for name, found in formats.items()
        if name.startswith(prefix)
    }


def _with_formats(
    layer: Layer, parameters: Mapping[str, NumericFormat], inputs: tuple[Tensor, ...]
) -> Layer:
    return layer.with_formats(inputs, parameters, layer.declared_result())


@frozen(slots=False)
class TimeDistributed(Wrapper):
    """The inner layer applied to every step along the first axis."""

    kinds: ClassVar = ("keras.TimeDistributed",)

    @classmethod
    def inner_inputs(cls, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The input without its first axis."""
        return tuple(step(tensor) for tensor in inputs)

    @property
    def steps_along(self) -> int | None:
        """The first axis: time."""
        return 0

    def declared_inputs(self) -> Sequence[NumericFormat | None]:
        """What the inner layer converts its inputs to, unless the wrapper does."""
        pairs = zip(super().declared_inputs(), self.inner.declared_inputs(), strict=True)
        return [own or held for own, held in pairs]

    def output_shapes(self) -> Sequence[Shape]:
        """The output of one step, with the steps in front."""
        return [tensor.shape for tensor in self.output_tensors()]

    @property
    def _steps(self) -> int | None:
        first = self.inputs[0]
        return first.shape[first.batch_axis]

    def output_tensors(self) -> Sequence[Tensor]:
        """Those of one step, with the steps behind the batch, wherever the inner layer has it."""
        return [_with_steps(tensor, self._steps) for tensor in self.inner.outputs]

    def workload(self) -> Workload | Reason:
        """The inner layer's workload on all steps at once."""
        body = self.inner.workload()
        if isinstance(body, Reason):
            return body
        body = body.repeated(self.input_shape[0] or 1, "repeat")
        made = self.assembly()
        return self.assembled(made, *made.inline(body, self.given(body)))


def step(tensor: Tensor) -> Tensor:
    """One step of a tensor whose first axis behind the batch is time."""
    place = tensor.batch_axis
    return evolve(tensor, shape=(*tensor.shape[:place], *tensor.shape[place + 1 :]))


def _with_steps(tensor: Tensor, steps: int | None) -> Tensor:
    place = tensor.batch_axis
    shape = (*tensor.shape[:place], steps, *tensor.shape[place:])
    return Tensor(shape, rows=tensor.rows, batch_axis=place)


@frozen(slots=False)
class SpectralNormalization(Wrapper):
    """The inner layer; in training its kernel is divided by its largest singular value."""

    kinds: ClassVar = ("keras.SpectralNormalization",)

    def output_shapes(self) -> Sequence[Shape]:
        """Those of the inner layer."""
        return tuple(tensor.shape for tensor in self.inner.outputs)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the inner layer, and the vector (1, outputs) that training iterates on."""
        held = super().parameter_shapes()
        kernel = held.get("kernel") or held["embeddings"]
        return {**held, "vector_u": (1, kernel[-1])}


LAYERS: tuple[type[Layer], ...] = (
    SpectralNormalization,
    TimeDistributed,
)
