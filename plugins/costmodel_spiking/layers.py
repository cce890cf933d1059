"""The layers of KerasSpiking, recognised by kind; the first axis of their inputs is time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape
from costmodel.workload.builders import activation, elementwise
from costmodel_keras.layers import settings


@frozen(slots=False)
class Temporal(Layer):
    """The same small state machine at every element, one step for each timestep."""

    return_sequences: bool = setting(settings.flag, default=True)

    @property
    def step_shape(self) -> Shape:
        """One timestep of the input.

        Raises:
            ValueError: the input has no axis for time.

        """
        if len(self.input_shape) < 2:  # noqa: PLR2004  # time and at least one more
            message = "expected time as the first axis and at least one axis behind it"
            raise ValueError(message)
        return self.input_shape[1:]

    @property
    def steps_along(self) -> int | None:
        """The first axis: time."""
        return 0

    def output_shapes(self) -> Sequence[Shape]:
        """All timesteps, or the last one alone."""
        last = self.step_shape
        return (self.input_shape if self.return_sequences else last,)


@frozen(slots=False)
class SpikingActivation(Temporal):
    """Neurons that fire at the rate of an activation function."""

    kinds: ClassVar = ("keras_spiking.SpikingActivation",)

    activation: str = setting(settings.activation)

    def operators(self) -> Work:
        """A neuron update for every element and timestep, linear or not: it may fire."""
        function = f"spiking {self.activation}"
        return (activation(function, self.inputs[0], output=self.inputs[0]),)


_STAGES: Mapping[str, int] = {"keras_spiking.Lowpass": 1, "keras_spiking.Alpha": 2}


@frozen(slots=False)
class Filter(Temporal):
    """A synaptic filter: one low-pass stage, or two of equal time constant (alpha)."""

    kinds: ClassVar = tuple(_STAGES)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """For every element of a timestep its initial level and its time constant."""
        return {"initial_level": self.step_shape, "tau": self.step_shape}

    def operators(self) -> Work:
        """Two multiply-adds for every element, timestep and stage.

        The state decays by one factor and the input enters by another. On an event-driven
        device both count when a spike arrives; that the state also decays between spikes is
        taken as part of the neuron that it belongs to, for which no published figure stands apart.
        """
        steps = 2 * _STAGES[self.kind]
        weights = tuple(self.parameters.values())
        return (
            elementwise(
                "affine", self.inputs[0], weights=weights, steps=steps, output=self.inputs[0]
            ),
        )


LAYERS: tuple[type[Layer], ...] = (Filter, SpikingActivation)
