"""Recurrent layers and what holds them: what changes the work, and what does not."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from keras import layers
from keras_cases import STEPS
from worlds import REGISTRY

from costmodel import Scenario, UnpricedWarning, estimate, read
from costmodel.errors import ReadError, ShapeError
from costmodel.network.layer import UnknownLayer

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

SOURCES = {"live": lambda model: model, "json": lambda model: model.to_json()}
sources = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())


def over_sequences(layer: Any, shape: Any = STEPS) -> Any:
    inputs = keras.Input(shape, name="in")
    return keras.Model(inputs, layer(inputs), name="net")


def work(layer: Any, shape: Any = STEPS) -> Any:
    """The operators of a layer over a sequence."""
    network = read(over_sequences(layer, shape), registry=REGISTRY)
    return network.layer(layer.name).operators()


def total(operators: Any) -> Any:
    """Operations by type."""
    counts: dict[str, int] = {}
    for operator in operators:
        for name, count in operator.operations.items():
            counts[name] = counts.get(name, 0) + count
    return counts


# ------------------------------------------------------------------ what changes nothing

ALIKE = {
    "running backwards": {"go_backwards": True},
    "writing the steps out": {"unroll": True},
    "returning all steps": {"return_sequences": True},
    "returning the states": {"return_state": True},
    "dropout, which acts in training": {"dropout": 0.5, "recurrent_dropout": 0.5},
}


@pytest.mark.parametrize("more", ALIKE.values(), ids=ALIKE.keys())
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_the_work_does_not_depend_on_how_the_steps_are_run(name: str, more: Any) -> None:
    make = getattr(layers, name)
    assert total(work(make(3, **more))) == total(work(make(3)))


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_both_implementations_are_the_same_work(name: str) -> None:
    cells = [getattr(layers, f"{name}Cell")(3, implementation=number) for number in (1, 2)]
    first, second = (total(work(layers.RNN(cell))) for cell in cells)
    assert first == second


def test_a_layer_that_keeps_its_state_does_the_same_work() -> None:
    inputs = keras.Input(batch_shape=(1, *STEPS))
    kept = keras.Model(inputs, layers.LSTM(3, stateful=True)(inputs))
    assert (
        read(kept, registry=REGISTRY).macs
        == read(over_sequences(layers.LSTM(3)), registry=REGISTRY).macs
    )


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_a_layer_and_its_cell_in_a_loop_are_the_same_work(name: str) -> None:
    cell = getattr(layers, f"{name}Cell")(3)
    assert work(layers.RNN(cell)) == work(getattr(layers, name)(3))


def test_twice_the_steps_are_twice_the_work() -> None:
    once, twice = (total(work(layers.GRU(3), (steps, 4))) for steps in (5, 10))
    assert twice == {name: 2 * count for name, count in once.items()}


def test_both_directions_are_twice_the_work_and_a_merge() -> None:
    single = total(work(layers.LSTM(3)))
    both = total(work(layers.Bidirectional(layers.LSTM(3), merge_mode="sum")))
    merged = {**single, "add": single["add"] + 3 / 2}
    assert both == {name: 2 * count for name, count in merged.items()}


def test_stacked_cells_are_the_work_of_each_on_the_output_before_it() -> None:
    stacked = work(layers.RNN([layers.GRUCell(3), layers.LSTMCell(6)]))
    assert stacked == (*work(layers.GRU(3)), *work(layers.LSTM(6), (5, 3)))


def test_a_mask_is_read_and_saves_nothing() -> None:
    words = keras.Input((5,), dtype="bool", name="mask")
    inputs, layer = keras.Input(STEPS, name="in"), layers.LSTM(3, name="layer")
    masked = keras.Model([inputs, words], layer(inputs, mask=words))
    read_mask, *rest = read(masked, registry=REGISTRY).layer("layer").operators()
    assert read_mask.inputs[0].shape == (5,)
    assert tuple(rest) == work(layers.LSTM(3))


# ------------------------------------------------------------------ time


@sources
def test_an_open_time_axis_is_bound_by_the_scenario(source: Any) -> None:
    layer = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="layer")
    network = read(source(over_sequences(layer, (None, 4))), registry=REGISTRY)
    assert network.layer("layer").outputs[0].shape == (None, 6)
    bound = network.bind({"in": STEPS})
    closed = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
    assert bound.macs == read(over_sequences(closed), registry=REGISTRY).macs
    scenario = Scenario(input_shapes={"in": STEPS})
    bill = estimate(network, "cpu", scenario=scenario, registry=REGISTRY)
    assert bill.coverage("cpu").is_complete


# ------------------------------------------------------------------ cells without a rule


@keras.saving.register_keras_serializable("acme")
class Mystery(layers.Layer):
    """A third party's cell, of which no symbolic tensor tells what it does."""

    def __init__(self, units: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, inputs: Any, states: Any) -> Any:
        if isinstance(inputs, keras.KerasTensor):
            message = "it works on numbers alone"
            raise TypeError(message)
        return keras.ops.matmul(inputs, self.kernel), states

    def get_config(self) -> Any:
        return {**super().get_config(), "units": self.units}


HOLDERS = {
    "a loop": lambda: layers.RNN(Mystery(3), name="odd"),
    "a stack": lambda: layers.RNN([Mystery(3), layers.LSTMCell(3)], name="odd"),
    "the end of a stack": lambda: layers.RNN([layers.LSTMCell(3), Mystery(3)], name="odd"),
    "both directions": lambda: layers.Bidirectional(layers.RNN(Mystery(3)), name="odd"),
    "a loop over loops": lambda: layers.TimeDistributed(layers.RNN(Mystery(3)), name="odd"),
}


@sources
@pytest.mark.parametrize("last", [False, True], ids=["before another", "at the end"])
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_what_holds_a_cell_without_a_rule_is_unpriced_and_names_it(
    holder: Any, last: Any, source: Any
) -> None:
    layer = holder()
    inputs = keras.Input((2, *STEPS) if isinstance(layer, layers.TimeDistributed) else STEPS)
    tensor = layer(inputs)
    model = keras.Model(inputs, tensor if last else layers.Dense(2)(tensor))
    network = read(source(model), registry=REGISTRY)
    with pytest.warns(UnpricedWarning, match=r"odd: no rule for kind '\w*\.?Mystery'"):
        bill = estimate(network, "cpu", registry=REGISTRY)
    assert list(bill.coverage("cpu").unpriced) == ["odd"]
    assert bill.coverage("cpu").parameters.fraction != 1


# ------------------------------------------------------------------ bad input


def test_directions_of_two_widths_whose_sum_keras_gets_wrong_are_unpriced() -> None:
    other = layers.GRU(7, go_backwards=True)
    layer = layers.Bidirectional(layers.LSTM(3), backward_layer=other, name="both")
    found = read(over_sequences(layer), registry=REGISTRY).layer("both")
    assert isinstance(found, UnknownLayer)
    assert "give 10, but 6 is recorded" in found.reason
    assert found.outputs[0].shape == (6,)


def changed(layer: Any, /, **changes: Any) -> Any:
    """The JSON of a model over sequences with other settings of its layer; ... takes one away."""
    config = json.loads(over_sequences(layer).to_json())
    found = config["config"]["layers"][1]["config"]
    for name, value in changes.items():
        found.pop(name)
        if value is not ...:
            found[name] = value
    return json.dumps(config)


def test_a_file_may_leave_out_the_way_back() -> None:
    layer = layers.Bidirectional(layers.LSTM(3), name="layer")
    full, partial = changed(layer), changed(layer, backward_layer=...)
    assert read(full, registry=REGISTRY) == read(partial, registry=REGISTRY)


WRONG = [
    (lambda: layers.LSTM(3), {"units": 0}, "'units' is 0; expected a whole number of 1 or more"),
    (lambda: layers.LSTM(3), {"units": ...}, "'units' is missing"),
    (lambda: layers.GRU(3), {"reset_after": "no"}, "'reset_after' is 'no'; expected true or false"),
    (lambda: layers.GRU(3), {"return_state": 1}, "'return_state' is 1; expected true or false"),
    (lambda: layers.RNN(layers.GRUCell(3)), {"cell": 3}, "expected a layer with a class_name"),
    (lambda: layers.RNN([layers.GRUCell(3)]), {"cell": {"class_name": "StackedRNNCells",
     "config": {"cells": 3}}}, "'cells' of layer 'StackedRNNCells': expected a list of layers"),
    (lambda: layers.Bidirectional(layers.GRU(3)), {"merge_mode": "max"},
     "'merge_mode' is 'max'; expected one of sum, ave, mul, concat, None"),
    (lambda: layers.Bidirectional(layers.GRU(3)), {"layer": None}, "'layer' of layer"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "changes", "message"), WRONG)
def test_a_wrong_setting_is_named(make: Any, changes: Any, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(changed(make(), **changes), registry=REGISTRY)


@pytest.mark.parametrize("shape", [[None, 4], [None, 5, 4, 3], [None, 5, None]], ids=str)
def test_a_sequence_of_other_rank_or_of_open_features_is_refused(shape: Any) -> None:
    text = over_sequences(layers.LSTM(3)).to_json()
    with pytest.raises(ShapeError, match="expected the features of one step"):
        read(text.replace("[null, 5, 4]", json.dumps(shape)), registry=REGISTRY)


def test_a_sequence_behind_a_state_is_unpriced() -> None:
    sequence, state = keras.Input(STEPS), keras.Input((3,))
    outputs = layers.SimpleRNN(3, name="odd")(sequences=sequence, initial_state=state)
    found = read(keras.Model([sequence, state], outputs), registry=REGISTRY).layer("odd")
    assert isinstance(found, UnknownLayer)
    assert "expected the features of one step" in found.reason
