"""The time axis of a network and the timesteps of a scenario do not both multiply."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
import tf_keras
from console import good, run
from figures import near
from keras import layers
from worlds import EVERYTHING, REGISTRY

from costmodel import Estimate, Network, Scenario, estimate, read, work_by_layer
from costmodel.errors import ScenarioError

STEPS = 25


def of(layer: Any, shape: Any = (STEPS, 8)) -> Any:
    inputs = keras.Input(shape, name="sequence")
    return keras.Model(inputs, layer(inputs))


def distributed() -> Any:
    return of(layers.TimeDistributed(layers.Dense(4), name="each"))


def distributed_model() -> Any:
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="dense")])
    return of(layers.TimeDistributed(inner, name="each"))


def of_keras_2() -> Any:
    inputs = tf_keras.Input((STEPS, 8))
    return tf_keras.Model(inputs, tf_keras.layers.LSTM(4)(inputs))


def nested() -> Any:
    inner = of(layers.GRU(4, name="inner"))
    return of(lambda x: layers.Dense(2)(inner(x)))


WITH_TIME = {
    "TimeDistributed": distributed,
    "TimeDistributed over a model": distributed_model,
    "LSTM": lambda: of(layers.LSTM(4)),
    "GRU": lambda: of(layers.GRU(4)),
    "SimpleRNN": lambda: of(layers.SimpleRNN(4)),
    "RNN": lambda: of(layers.RNN(layers.LSTMCell(4))),
    "Bidirectional": lambda: of(layers.Bidirectional(layers.LSTM(4))),
    "ConvLSTM1D": lambda: of(layers.ConvLSTM1D(4, 3), (STEPS, 8, 3)),
    "ConvLSTM2D": lambda: of(layers.ConvLSTM2D(4, 3), (STEPS, 8, 8, 3)),
    "nested": nested,
    "Keras 2": of_keras_2,
}


def priced(network: Any, **conditions: Any) -> Estimate:
    scenario = Scenario(rates=10.0, **conditions)
    devices = ["cpu", "loihi"]
    return estimate(network, devices, scenario=scenario, registry=REGISTRY, on_unpriced="bound")


@pytest.mark.parametrize("name", WITH_TIME)
@pytest.mark.parametrize("is_from_json", [False, True])
def test_a_time_axis_and_timesteps_without_a_declaration_are_refused(
    name: str, *, is_from_json: bool
) -> None:
    network = read(WITH_TIME[name](), registry=REGISTRY)
    if is_from_json:
        network = read(network.to_json(), registry=REGISTRY)
    with pytest.raises(ScenarioError, match=r"as time, and the scenario has timesteps=25"):
        work_by_layer(network, Scenario(timesteps=STEPS))


def test_the_error_names_the_layer_the_axis_the_timesteps_and_what_to_give() -> None:
    with pytest.raises(ScenarioError) as caught:
        priced(distributed(), timesteps=10)
    assert str(caught.value).startswith(
        "layer 'each' of kind 'keras.TimeDistributed' runs over axis 0 of its input 25 x 8 as "
        "time, and the scenario has timesteps=10 as well"
    )
    assert "Scenario(timesteps=25, time_axis=0)" in str(caught.value)
    assert "--timesteps 25 --time-axis 0" in str(caught.value)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:You are saving your model:UserWarning")
def test_a_time_axis_in_a_file_is_refused_too(ending: str, tmp_path: Any) -> None:
    path = tmp_path / f"model.{ending}"
    distributed().save(path)
    with pytest.raises(ScenarioError, match="time_axis=0"):
        priced(path, timesteps=STEPS)
    assert priced(path, timesteps=STEPS, time_axis=0).macs == STEPS * 8 * 4


@pytest.mark.parametrize("name", WITH_TIME)
def test_a_declared_time_axis_costs_what_the_network_costs_once(name: str) -> None:
    network = read(WITH_TIME[name](), registry=REGISTRY)
    once, declared = priced(network), priced(network, timesteps=STEPS, time_axis=0)
    assert declared.macs == once.macs
    for device in ("cpu", "loihi"):
        assert declared.total(device) == once.total(device)


def test_a_declared_time_axis_counts_every_timestep_once() -> None:
    found = priced(distributed(), timesteps=STEPS, time_axis=0)
    assert found.macs == STEPS * 8 * 4
    assert (
        "connections 800 x source firing rate 10 Hz x dt 0.001 s x timesteps 1 = 8"
        in found.explain("each", "loihi")
    )


def test_one_timestep_needs_no_declaration() -> None:
    assert priced(distributed()).macs == STEPS * 8 * 4


def plain() -> Network:
    return read(of(layers.Dense(4)), registry=REGISTRY)


def test_a_network_without_time_is_multiplied_by_the_timesteps() -> None:
    once, often = (priced(plain(), timesteps=steps).total("loihi") for steps in (1, 10))
    assert often.energy_joules == near(10 * once.energy_joules)


def test_timesteps_along_an_axis_of_any_network_are_counted_once() -> None:
    once, declared = priced(plain()), priced(plain(), timesteps=STEPS, time_axis=0)
    assert declared.total("loihi") == once.total("loihi")


WRONG = [
    ({"timesteps": 24, "time_axis": 0}, "has length 25, but the scenario has 24 timesteps"),
    ({"time_axis": 0}, "has length 25, but the scenario has 1 timesteps along it"),
    ({"timesteps": 25, "time_axis": 1}, "axis 1 of input 'sequence' of shape 25 x 8 has length 8"),
    ({"timesteps": 25, "time_axis": 2}, "has no such axis; expected one from 0 to 1"),
]


@pytest.mark.parametrize(("conditions", "message"), WRONG)
def test_a_declared_axis_that_does_not_hold_the_timesteps_is_refused(
    conditions: Any, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        work_by_layer(read(distributed(), registry=REGISTRY), Scenario(**conditions))


def test_a_declared_axis_of_an_input_without_axes_is_refused() -> None:
    inputs = keras.Input((), name="number")
    model = keras.Model(inputs, layers.Rescaling(2.0)(inputs))
    with pytest.raises(ScenarioError, match="input 'number' has no axis after the batch"):
        priced(model, timesteps=STEPS, time_axis=0)


def test_an_open_time_axis_is_bound_before_it_is_checked() -> None:
    network = read(of(layers.TimeDistributed(layers.Dense(4)), (None, 8)), registry=REGISTRY)
    bound = {"timesteps": STEPS, "time_axis": 0, "input_shapes": {"sequence": (STEPS, 8)}}
    assert priced(network, **bound).macs == STEPS * 8 * 4
    with pytest.raises(ScenarioError, match="has length 24"):
        priced(network, **{**bound, "input_shapes": {"sequence": (24, 8)}})


def test_the_convention_of_keras_spiking_takes_time_as_it_did() -> None:
    network = read(of(layers.TimeDistributed(layers.Dense(4)), (None, 8)), registry=REGISTRY)
    energies = [
        estimate(
            network, "loihi", scenario=Scenario(rates=10.0, timesteps=steps),
            convention="keras-spiking", registry=EVERYTHING,
        ).total("loihi").energy_joules
        for steps in (1, STEPS)
    ]  # fmt: skip
    assert energies[1] == near(STEPS * energies[0])


def test_the_json_of_an_estimate_has_the_time_axis_and_its_title_too() -> None:
    found = priced(distributed(), timesteps=STEPS, time_axis=0)
    assert found.to_dict()["scenario"]["time_axis"] == 0
    assert "25 timesteps of 1 ms along input axis 0" in found.table().title


def test_the_command_line_refuses_two_times_and_takes_the_axis(tmp_path: Any) -> None:
    path = tmp_path / "distributed.json"
    path.write_text(read(distributed(), registry=REGISTRY).to_json())
    command = ["estimate", path, "-d", "loihi", "--rate", "10", "--timesteps", "25"]
    refused = run(*command)
    assert refused.exit_code == 2
    assert "--timesteps 25 --time-axis 0" in " ".join(refused.output.split())
    found = json.loads(good(*command, "--time-axis", "0", "--format", "json"))
    assert (found["scenario"]["time_axis"], found["network"]["macs"]) == (0, STEPS * 8 * 4)
