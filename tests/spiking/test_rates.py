"""Firing rates: example data run through a live model."""

from __future__ import annotations

import contextlib
import sys
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from figures import near
from keras import layers

import costmodel
from costmodel import Scenario
from costmodel.errors import ReadError, ScenarioError
from costmodel_keras.running import rates


def ones(units: int, name: str) -> Any:
    return layers.Dense(units, kernel_initializer="ones", name=name)


@pytest.fixture
def chain() -> Any:
    inputs = keras.Input((2,), name="in")
    return keras.Model(inputs, ones(1, "second")(ones(3, "first")(inputs)))


def test_a_rate_is_the_mean_absolute_output_of_a_layer_or_its_input(chain: Any) -> None:
    examples = np.array([[1.0, -3.0], [2.0, 2.0]])
    given = costmodel.measure_rates(chain, examples)
    taken = costmodel.measure_rates(chain, examples, of="inputs")
    assert given == {"in": 2.0, "first": 3.0, "second": 9.0}
    assert taken == {"in": 2.0, "first": 2.0, "second": 3.0}


def test_every_layer_of_the_network_has_a_rate_under_its_name(chain: Any) -> None:
    nested = keras.Sequential([keras.Input((1,)), ones(2, "deep")], name="inner")
    shared = ones(1, "shared")
    inputs = chain.output
    outputs = nested(nested(shared(shared(inputs)))[:, :1])
    model = keras.Model(chain.input, outputs)
    names = {layer.name for layer in costmodel.read(model).layers}
    found = costmodel.measure_rates(model, np.ones((4, 2)))
    assert set(found) == names
    assert {"shared@2", "inner/deep", "inner/deep@2"} < names


def test_nested_models_see_what_the_outer_model_gives_them() -> None:
    inner_inputs = keras.Input((2,))
    inner = keras.Model(inner_inputs, ones(1, "b")(ones(2, "a")(inner_inputs)), name="inner")
    inputs = keras.Input((3,), name="in")
    again = ones(2, "between")(inner(ones(2, "first")(inputs)))
    model = keras.Model(inputs, inner(again))
    found = costmodel.measure_rates(model, np.ones((1, 3)), of="inputs")
    expected = {"inner/a": 3.0, "inner/b": 6.0, "inner/a@2": 12.0, "inner/b@2": 24.0}
    assert {name: found[name] for name in expected} == expected


def test_several_inputs_weigh_by_their_elements() -> None:
    small, large = keras.Input((1,), name="small"), keras.Input((3,), name="large")
    model = keras.Model([small, large], layers.Concatenate(name="both")([small, large]))
    given = [np.full((2, 1), 5.0), np.full((2, 3), 1.0)]
    for of in ("inputs", "outputs"):
        found = costmodel.measure_rates(model, given, of=of)
        assert found == {"small": 5.0, "large": 1.0, "both": 2.0}


def test_several_inputs_may_be_given_by_name_in_any_order() -> None:
    first, second = keras.Input((1,), name="first"), keras.Input((1,), name="second")
    model = keras.Model([first, second], layers.Add(name="sum")([first, second]))
    given = {"second": np.full((2, 1), 4.0), "first": np.full((2, 1), 2.0)}
    found = costmodel.measure_rates(model, given, of="inputs")
    assert found == {"first": 2.0, "second": 4.0, "sum": 3.0}
    assert costmodel.measure_rates(model, given)["sum"] == 6.0


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 100])
def test_the_size_of_a_batch_changes_nothing(chain: Any, batch_size: int) -> None:
    examples = np.arange(10.0).reshape(5, 2)
    taken = costmodel.measure_rates(chain, examples, of="inputs", batch_size=batch_size)
    given = costmodel.measure_rates(chain, examples, batch_size=batch_size)
    assert taken == near({"in": 4.5, "first": 4.5, "second": 9.0})
    assert given == near({"in": 4.5, "first": 9.0, "second": 27.0})


def test_progress_is_reported_after_each_batch(chain: Any) -> None:
    said: list[tuple[int, int]] = []
    costmodel.measure_rates(
        chain, np.ones((5, 2)), batch_size=2, progress=lambda *done: said.append(done)
    )
    assert said == [(2, 5), (4, 5), (5, 5)]


def test_measuring_leaves_the_model_as_it_is(chain: Any) -> None:
    layer = chain.get_layer("first")
    before = len(layer._inbound_nodes), len(layer._outbound_nodes)
    costmodel.measure_rates(chain, np.ones((1, 2)))
    assert (len(layer._inbound_nodes), len(layer._outbound_nodes)) == before


def test_dropout_and_batch_normalization_act_as_at_inference() -> None:
    steps = [keras.Input((2,)), layers.BatchNormalization(epsilon=0), layers.Dropout(0.9)]
    model = keras.Sequential([*steps, ones(1, "last")])
    found = costmodel.measure_rates(model, np.full((8, 2), 3.0), of="inputs")
    assert found["last"] == near(3.0)


def test_whole_numbers_are_measured_as_numbers() -> None:
    inputs = keras.Input((3,), dtype="int32", name="tokens")
    model = keras.Model(inputs, layers.Embedding(5, 2, name="rows")(inputs))
    found = costmodel.measure_rates(model, np.array([[1, 2, 3]]), of="inputs")
    assert found["rows"] == 2.0


def test_layers_of_several_outputs_are_followed() -> None:
    inputs = keras.Input((4,), name="in")
    left, right = keras.ops.split(inputs, [1], axis=1)
    model = keras.Model(inputs, [ones(1, "left")(left), ones(1, "right")(right)])
    found = costmodel.measure_rates(model, np.array([[8.0, 1.0, 1.0, 1.0]]), of="inputs")
    assert (found["left"], found["right"]) == (8.0, 1.0)


def test_no_activation_is_kept_longer_than_needed(
    chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    call = rates._Running._call

    def spy(self: Any, step: Any, values: Any, prefix: str) -> Any:
        held.append(len(values))
        return call(self, step, values, prefix)

    monkeypatch.setattr(rates._Running, "_call", spy)
    costmodel.measure_rates(chain, np.ones((1, 2)))
    assert held == [1, 1]


def test_torch_is_reported_that_no_gradients_are_needed(
    chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[bool] = []

    @contextlib.contextmanager
    def no_grad() -> Any:
        entered.append(True)
        yield

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", SimpleNamespace(no_grad=no_grad))
        with rates._no_gradients():
            pass
    assert entered == [True]


def test_measured_output_rates_and_measured_input_rates_cost_the_same() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 2), name="in")
    first = layers.Conv2D(3, 3, activation="relu", padding="same", name="first")(inputs)
    second = layers.Conv2D(3, 3, activation="tanh", padding="same", name="second")(first)
    added = layers.Add(name="sum")([first, second])
    flat = layers.Dropout(0.5)(layers.Flatten()(added))
    model = keras.Model(inputs, layers.Dense(2, name="last")(flat))
    examples = np.random.default_rng(0).uniform(-9, 9, (5, 6, 6, 2))
    given, taken = (costmodel.measure_rates(model, examples, of=of) for of in ("outputs", "inputs"))
    bills = [
        costmodel.estimate(model, "loihi-silicon", scenario=Scenario(**rates)).bill("loihi-silicon")
        for rates in ({"rates": given}, {"input_rates": taken})
    ]
    one, other = (
        {line.layer.name: line.cost.energy_joules for line in bill.lines} for bill in bills
    )
    assert one == near(other, rel=1e-6)
    assert given["sum"] != near(taken["sum"], rel=0.1)


BAD_EXAMPLES = [
    (np.ones((2, 3)), r"input 'in' has shape \(2, 3\); expected \(examples, 2\)"),
    (np.ones(2), r"input 'in' has shape \(2,\); expected \(examples, 2\)"),
    (np.ones((0, 2)), "input 'in' is empty"),
    (np.array([[np.nan, 1.0]]), "input 'in' is not finite everywhere"),
    (np.array([["a", "b"]]), "expected numbers"),
    ([[1.0], [1.0, 2.0]], "input 'in' is not an array"),
    ([np.ones((1, 2)), np.ones((1, 2))], r"for 1 input \(in\), found 2 arrays"),
    ({"inn": np.ones((1, 2))}, "'inn', which is not an input of the model; nearest known: 'in'"),
    ({}, "example data for input 'in' is missing"),
    (np.full((1, 2), 1e38), "mean absolute output of layer 'first' is inf"),
]


@pytest.mark.parametrize(("examples", "message"), BAD_EXAMPLES)
@pytest.mark.filterwarnings("ignore:overflow")
def test_examples_that_do_not_fit_are_an_error(chain: Any, examples: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        costmodel.measure_rates(chain, examples)


def test_inputs_with_different_numbers_of_examples_are_an_error() -> None:
    first, second = keras.Input((1,), name="first"), keras.Input((1,), name="second")
    model = keras.Model([first, second], layers.Add()([first, second]))
    with pytest.raises(ScenarioError, match="numbers of examples: 'first' 2, 'second' 3"):
        costmodel.measure_rates(model, [np.ones((2, 1)), np.ones((3, 1))])


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True])
def test_a_batch_size_that_no_run_can_have_is_an_error(chain: Any, batch_size: Any) -> None:
    with pytest.raises(ScenarioError, match="batch_size is"):
        costmodel.measure_rates(chain, np.ones((1, 2)), batch_size=batch_size)


def test_a_model_that_is_not_built_cannot_be_run() -> None:
    with pytest.raises(ReadError, match="is not built"):
        costmodel.measure_rates(keras.Sequential([layers.Dense(2)]), np.ones((1, 2)))


def test_a_model_without_a_graph_cannot_be_run() -> None:
    class Subclassed(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(ReadError, match="without a graph of layers"):
        costmodel.measure_rates(Subclassed(name="mine"), np.ones((1, 2)))
