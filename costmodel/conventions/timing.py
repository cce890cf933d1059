"""The time axis of a network and the timesteps of a scenario, which must not both multiply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from costmodel.errors import ScenarioError
from costmodel.tensor.shapes import show_shape

if TYPE_CHECKING:
    from costmodel.conventions.convention import Convention
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer
    from costmodel.scenario import Scenario


def check(network: Network, scenario: Scenario, convention: Convention) -> None:
    """Check that the timesteps of a scenario do not come on top of the network's own time.

    Raises:
        ScenarioError: a layer runs over a time axis under several timesteps, and no `time_axis`
            says that they are the same; or that axis has another length, or is not there.

    """
    if scenario.time_axis is not None:
        for layer in network.inputs:
            _check_input(layer, scenario.timesteps, scenario.time_axis)
    elif scenario.timesteps > 1 and not convention.counts_one_timestep:
        for each in network.layers:
            if each.steps_along is not None:
                _refuse(each, each.steps_along, scenario.timesteps)


def of_one_pricing(scenario: Scenario, convention: Convention) -> Scenario:
    """The conditions under which a device prices work once.

    Where the timesteps are an axis of the network, its work is that of all of them already.
    """
    if scenario.time_axis is None or convention.counts_one_timestep:
        return scenario
    return evolve(scenario, timesteps=1, time_axis=None)


def _check_input(layer: Layer, timesteps: int, axis: int) -> None:
    shape = layer.outputs[0].shape
    if axis >= len(shape):
        message = (
            f"time_axis is {axis}, but input {layer.name!r} of shape {show_shape(shape)} "
            f"has no such axis; expected one from 0 to {len(shape) - 1}, counted after the batch"
            if shape
            else f"time_axis is {axis}, but input {layer.name!r} has no axis after the batch"
        )
        raise ScenarioError(message)
    if shape[axis] not in {None, timesteps}:
        message = (
            f"axis {axis} of input {layer.name!r} of shape {show_shape(shape)} has length "
            f"{shape[axis]}, but the scenario has {timesteps} timesteps along it; "
            f"expected timesteps={shape[axis]}, or another time_axis"
        )
        raise ScenarioError(message)


def _refuse(layer: Layer, axis: int, timesteps: int) -> None:
    shape = layer.input_shape
    length = shape[axis] if axis < len(shape) else None
    message = (
        f"layer {layer.name!r} of kind {layer.kind!r} runs over axis {axis} of its input "
        f"{show_shape(shape)} as time, and the scenario has timesteps={timesteps} as well: the "
        f"work would be multiplied by both. If the timesteps are an axis of the network's inputs, "
        f"name it: Scenario(timesteps={length or timesteps}, time_axis={axis}), or "
        f"--timesteps {length or timesteps} --time-axis {axis}; "
        "if one inference runs the network once, leave timesteps at 1"
    )
    raise ScenarioError(message)
