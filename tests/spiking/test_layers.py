"""KerasSpiking's own layers under the true count."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from spiking import lookalikes

import costmodel
from costmodel import Scenario
from costmodel.errors import ScenarioError
from costmodel.network.layer import UnknownLayer


def read(layer: Any, shape: tuple[int | None, ...] = (10, 4)) -> costmodel.Network:
    inputs = keras.Input(shape)
    return costmodel.read(keras.Model(inputs, layer(inputs)))


def operations(layer: Any) -> dict[str, int]:
    (work,) = read(layer).layers[-1].operators()
    return dict(work.operations)


def test_a_spiking_activation_updates_every_neuron_in_every_timestep() -> None:
    assert operations(lookalikes.SpikingActivation("relu")) == {"activation": 40}


def test_a_low_pass_filter_takes_two_multiply_adds_for_each_element_and_timestep() -> None:
    assert operations(lookalikes.Lowpass()) == {"multiply-add": 80}


def test_an_alpha_filter_is_two_low_pass_filters() -> None:
    assert operations(lookalikes.Alpha()) == {"multiply-add": 160}


def test_the_last_timestep_alone_takes_the_work_of_all() -> None:
    layer = lookalikes.SpikingActivation("relu", return_sequences=False)
    assert read(layer).layers[-1].outputs[0].shape == (4,)
    assert operations(layer) == {"activation": 40}


def test_a_filter_holds_a_level_and_a_time_constant_for_each_element() -> None:
    network = read(lookalikes.Lowpass())
    assert network.parameter_count == 8


@pytest.mark.parametrize("layer", [lookalikes.SpikingActivation("relu"), lookalikes.Alpha()])
def test_every_device_of_the_registry_has_an_answer(layer: Any) -> None:
    devices = ["cpu", "loihi"]
    estimate = costmodel.estimate(
        read(layer), devices, scenario=Scenario(rates=10.0), on_unpriced="error"
    )
    assert all(estimate.total(device).energy_joules > 0 for device in devices)


def test_a_layer_without_time_has_no_price() -> None:
    layer = read(lookalikes.SpikingActivation("relu"), (4,)).layers[-1]
    assert isinstance(layer, UnknownLayer)
    assert "expected time as the first axis" in layer.reason


def test_a_file_names_them_by_the_package_that_they_come_from() -> None:
    inputs = keras.Input((10, 4), name="in")
    config = json.loads(keras.Model(inputs, keras.layers.Flatten(name="out")(inputs)).to_json())
    (entry,) = (item for item in config["config"]["layers"] if item["name"] == "out")
    entry.update(
        module="keras_spiking.layers",
        class_name="SpikingActivation",
        config={"name": "out", "activation": "relu", "return_sequences": True},
    )
    layer = costmodel.read(json.dumps(config)).layer("out")
    assert layer.kind == "keras_spiking.SpikingActivation"
    assert layer.outputs[0].shape == (10, 4)


@pytest.mark.parametrize(
    "layer", [lambda: lookalikes.SpikingActivation("relu"), lookalikes.Lowpass, lookalikes.Alpha]
)
def test_the_time_of_a_spiking_layer_does_not_multiply_the_timesteps(layer: Any) -> None:
    network = read(layer())
    with pytest.raises(ScenarioError, match="as time, and the scenario has timesteps=10 as well"):
        costmodel.work_by_layer(network, Scenario(timesteps=10))
    once, declared = (
        costmodel.estimate(network, "cpu", scenario=scenario).total("cpu")
        for scenario in (Scenario(), Scenario(timesteps=10, time_axis=0))
    )
    assert declared == once
