"""Scenarios: conditions that make sense, and a clear answer to those that do not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from attrs import evolve
from figures import near
from worlds import REGISTRY

from costmodel import Network, Scenario, estimate
from costmodel.errors import ScenarioError, ShapeError
from costmodel.network.layer import Input
from costmodel.tensor.shapes import Tensor
from costmodel_keras.layers.basic import Dense

NETWORK = Network(
    "net",
    [
        Input("in", "input", shape=(4,)),
        Dense("one", "keras.Dense", (Tensor((4,)),), units=3),
        Dense("two", "keras.Dense", (Tensor((3,)),), units=2),
    ],
    {"one": ["in"], "two": ["one"]},
)


def synapse_energy(layer: Any, device: str = "loihi", **conditions: Any) -> Any:
    bill = estimate(NETWORK, device, scenario=Scenario(**conditions), registry=REGISTRY)
    return bill.bill(device).line(layer).cost.energy_joules_by_resource["synapses"]


def test_a_part_of_a_composed_layer_has_the_rate_of_the_whole() -> None:
    given = {"block": 3.0, "block/dense": 5.0, "other": 7.0}
    parts = ("block", "block/dense", "block/dense/matmul", "block/norm", "blocks", "other/a/b")
    expected = [3.0, 5.0, 5.0, 3.0, None, 7.0]
    taken, made = Scenario(input_rates=given), Scenario(rates=given)
    assert [taken.at(name).input_rates for name in parts] == expected
    assert [made.output_rate(name) for name in parts] == expected
    for scenario in (taken, made):
        scenario.check_rates(["block/dense/matmul", "other"])
        with pytest.raises(ScenarioError, match="given for 'other', which is not a layer"):
            scenario.check_rates(["block/dense", "others/a"])


def test_a_star_stands_for_all_layers_that_are_not_named() -> None:
    given = {"*": 2.0, "block": 3.0}
    assert Scenario(input_rates=given).at("one").rate == 2.0
    assert Scenario(input_rates=given).at("block/a").rate == 3.0
    assert Scenario(rates=given).other_output_rate == 2.0
    Scenario(rates=given).check_rates(["block/a"])


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"batch": 0}, "batch is 0; expected a whole number"),
        ({"batch": -1}, "batch is -1"),
        ({"batch": 1.5}, "batch is 1.5"),
        ({"batch": True}, "batch is True"),
        ({"batch": "2"}, "batch is '2'"),
        ({"batch": None}, "batch is None"),
        ({"timesteps": 0}, "timesteps is 0; expected a whole number"),
        ({"timesteps": -3}, "timesteps is -3"),
        ({"timesteps": math.nan}, "timesteps is nan"),
        ({"time_axis": -1}, "time_axis is -1; expected an axis of the inputs, counted from 0"),
        ({"time_axis": True}, "time_axis is True"),
        ({"time_axis": 0.0}, "time_axis is 0.0"),
        ({"dt": 0}, "dt is 0; expected a positive number of seconds"),
        ({"dt": -0.001}, "dt is -0.001"),
        ({"dt": math.nan}, "dt is nan"),
        ({"dt": math.inf}, "dt is inf"),
        ({"dt": "1 ms"}, "dt is '1 ms'"),
        ({"rates": -1}, "the firing rate of all layers is -1; expected hertz, finite"),
        ({"rates": math.nan}, "of all layers is nan"),
        ({"rates": math.inf}, "of all layers is inf"),
        ({"rates": "fast"}, "of all layers is 'fast'"),
        ({"rates": [1.0]}, r"of all layers is \[1.0\]"),
        ({"rates": {"one": -2}}, "of layer 'one' is -2"),
        ({"rates": {"one": math.nan}}, "of layer 'one' is nan"),
        ({"rates": {"one": None}}, "of layer 'one' is None"),
        ({"rates": True}, "of all layers is True"),
    ],
)
def test_a_condition_that_no_experiment_has_is_refused(conditions: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        Scenario(**conditions)


@pytest.mark.parametrize("shape", [(0,), (-1,), (1.5,)])
def test_a_shape_that_no_input_has_is_refused(shape: Any) -> None:
    with pytest.raises(ShapeError, match="not an axis length"):
        Scenario(input_shapes={"in": shape})


def test_a_change_to_a_scenario_is_checked_as_a_new_one() -> None:
    with pytest.raises(ScenarioError, match="batch is 0"):
        evolve(Scenario(), batch=0)


@pytest.mark.parametrize("kind", ["rates", "input_rates"])
def test_the_rate_of_all_layers_is_the_rate_of_each(kind: str) -> None:
    assert Scenario(**{kind: 10}).at("one").rate == 10.0
    assert Scenario(**{kind: 0}).rate == 0.0


def test_one_rate_for_all_outputs_and_for_all_inputs_is_the_same_cost() -> None:
    for layer in ("one", "two"):
        found = synapse_energy(layer, rates=10.0)
        assert found == synapse_energy(layer, input_rates=10.0)


def test_input_rates_reach_their_layers() -> None:
    rates = {"one": 10.0, "two": 20.0}
    assert synapse_energy("one", input_rates=rates) == synapse_energy("one", rates=10.0)
    assert synapse_energy("two", input_rates=rates) == synapse_energy("two", rates=20.0)


def test_output_rates_reach_the_layers_that_they_feed() -> None:
    rates = {"in": 10.0, "one": 20.0}
    assert synapse_energy("one", rates=rates) == synapse_energy("one", rates=10.0)
    assert synapse_energy("two", rates=rates) == synapse_energy("two", rates=20.0)


def test_rates_of_outputs_and_of_inputs_together_are_refused() -> None:
    with pytest.raises(ScenarioError, match="rates and input_rates are both given"):
        Scenario(rates=1.0, input_rates=1.0)


def test_a_mapping_of_rates_does_not_follow_later_changes() -> None:
    rates = {"one": 10.0}
    scenario = Scenario(input_rates=rates)
    rates["one"] = 99.0
    assert scenario.at("one").rate == 10.0


def test_a_missing_rate_is_an_error_that_says_how_to_give_one() -> None:
    with pytest.raises(ScenarioError, match=r"Scenario\(rates=10.0\), --rate 10.*measure_rates"):
        synapse_energy("one")


def test_a_missing_input_rate_of_one_layer_names_the_layer() -> None:
    with pytest.raises(ScenarioError, match="'two'"):
        synapse_energy("one", input_rates={"one": 10.0})


def test_a_missing_output_rate_names_the_layer_and_what_feeds_it() -> None:
    with pytest.raises(ScenarioError, match=r"layer 'one' .* the output rate of 'in', which feeds"):
        synapse_energy("one", rates={"one": 10.0})


def test_a_rate_for_a_layer_that_is_not_there_is_reported_with_the_nearest() -> None:
    with pytest.raises(
        ScenarioError, match="given for 'onee', which is not a layer; nearest known: 'one'"
    ):
        synapse_energy("one", rates={"onee": 10.0, "two": 1.0, "one": 1.0})


def test_of_rates_for_layers_that_are_not_there_the_first_given_is_reported() -> None:
    names = [f"layer{place}" for place in range(40)]
    scenario = Scenario(rates=dict.fromkeys(names, 1.0))
    with pytest.raises(ScenarioError, match="'layer0', which is not a layer"):
        scenario.check_rates(["dense"])


def test_one_rate_cannot_be_taken_from_many() -> None:
    with pytest.raises(ScenarioError, match=r"Scenario\.at"):
        _ = Scenario(input_rates={"one": 1.0}).rate
    with pytest.raises(ScenarioError, match="takes them along the edges"):
        _ = Scenario(rates={"one": 1.0}).rate


def test_a_processor_needs_no_rate() -> None:
    assert estimate(NETWORK, "cpu", registry=REGISTRY).total("cpu").energy_joules > 0


def test_timesteps_dt_and_rate_multiply() -> None:
    base = synapse_energy("one", rates=10.0, timesteps=10, dt=0.001)
    for more in ({"rates": 20.0}, {"timesteps": 20}, {"dt": 0.002}, {"batch": 2}):
        conditions = {"rates": 10.0, "timesteps": 10, "dt": 0.001, **more}
        assert synapse_energy("one", **conditions) == near(2 * base, rel=1e-12)


def test_a_scenario_is_a_value() -> None:
    assert Scenario(rates={"one": 1.0}) == Scenario(rates={"one": 1})
    assert Scenario(batch=2) != Scenario(batch=3)
    with pytest.raises(AttributeError):
        Scenario().batch = 4
