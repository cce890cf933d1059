"""Layers that hold layers: their numeric formats, and those that nobody priced."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from attrs import frozen
from keras import layers
from tensorflow_counts import multiply_accumulates
from worlds import HOUSE, REGISTRY, plugin, world

from costmodel import Scenario, estimate, lower, measure_rates, read
from costmodel.formats import FixedPoint, parse_format
from costmodel.network.layer import UnknownLayer
from costmodel.network.layer_formats import infer
from costmodel_keras.graph import kind_of
from costmodel_keras.layers.basic import Dense

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)


@keras.saving.register_keras_serializable("acme")
class Coarse(layers.Dense):
    """A third party's dense layer of few bits."""


KERNEL, RESULT = FixedPoint(bits=4, integer_bits=1), FixedPoint(bits=8, integer_bits=3)


@frozen(slots=False)
class CoarseRule(Dense):
    """A dense layer that declares what it rounds to."""

    kinds: ClassVar = (kind_of(Coarse.__module__, "Coarse"),)

    def declared_formats(self) -> Any:
        return {"kernel": KERNEL}

    def declared_result(self) -> Any:
        return RESULT


WORLD = world(**HOUSE, acme=plugin(layers=[CoarseRule]))

HOLDERS = {
    "every step": lambda layer: layers.TimeDistributed(layer, name="holder"),
    "every step of every step": lambda layer: layers.TimeDistributed(
        layers.TimeDistributed(layer), name="holder"
    ),
    "a normalised kernel": lambda layer: layers.SpectralNormalization(layer, name="holder"),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS.keys())
def test_what_a_held_layer_declares_reaches_its_operators_and_its_holder(hold: Any) -> None:
    inputs = keras.Input((2, 3, 5))
    holder = hold(Coarse(4))
    model = keras.Model(inputs, layers.Dense(2, name="after")(holder(inputs)))
    network = infer(read(model, registry=WORLD), Scenario())
    (work,) = network.layer("holder").operators()
    assert work.weights[0].format == KERNEL
    assert network.layer("holder").outputs[0].format == RESULT
    assert network.layer("after").operators()[0].inputs[0].format == RESULT


def test_a_held_layer_knows_the_format_of_what_it_takes() -> None:
    inputs = keras.Input((3, 5))
    holder = layers.TimeDistributed(layers.Dense(2), name="holder")
    network = infer(
        read(keras.Model(inputs, holder(Coarse(4)(inputs))), registry=WORLD), Scenario()
    )
    assert network.layer("holder").operators()[0].inputs[0].format == RESULT


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_a_normalised_kernel_costs_what_the_layer_itself_does(source: Any) -> None:
    inputs = keras.Input((3, 5))
    plain, normalised = (
        read(source(keras.Model(inputs, layer(inputs))), registry=REGISTRY).layers[-1]
        for layer in (layers.Dense(4), layers.SpectralNormalization(layers.Dense(4)))
    )
    assert normalised.operators() == plain.operators()
    assert normalised.parameter_count == plain.parameter_count + 4


# ------------------------------------------------------------------ models over time

FRAME = (8, 8, 3)


def convolutional() -> Any:
    return keras.Sequential(
        [keras.Input(FRAME), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)]
    )


def branching() -> Any:
    """Branches, functions of keras.ops with numbers of their own, and attention."""
    image = keras.Input(FRAME)
    one = layers.Conv2D(4, 3, padding="same")(image)
    both = layers.concatenate([layers.add([one, layers.Conv2D(4, 1)(image)]), one])
    rows = keras.ops.reshape(both * 2.0 + 1.0, (-1, 64, 8))
    return keras.Model(
        image, layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(rows, rows))
    )


def nested() -> Any:
    stem = keras.Sequential([layers.Conv2D(2, 3), layers.BatchNormalization(), layers.ReLU()])
    return keras.Sequential([keras.Input(FRAME), stem, layers.Flatten(), layers.Dense(3)])


@pytest.mark.parametrize("axes", [(6,), (2, 3)], ids=["steps", "steps of steps"])
@pytest.mark.parametrize("make", [convolutional, branching, nested])
def test_a_model_over_time_is_its_layers_over_time(make: Any, axes: Any) -> None:
    inner = make()
    holder = inner
    for _ in axes:
        holder = layers.TimeDistributed(holder)
    inputs = keras.Input((*axes, *FRAME))
    model = keras.Model(inputs, holder(inputs))
    network, alone = read(model, registry=REGISTRY), read(inner, registry=REGISTRY)
    assert network.macs == multiply_accumulates(model) == 6 * alone.macs
    assert network.parameter_count == alone.parameter_count == model.count_params()
    assert network.layers[-1].outputs[0].shape == (*axes, *alone.layers[-1].outputs[0].shape)
    assert estimate(network, "cpu", registry=REGISTRY).coverage("cpu").is_complete
    assert read(model.to_json(), registry=REGISTRY) == network
    assert read(network.to_json(), registry=REGISTRY) == network


def test_a_model_over_time_takes_a_number_of_steps() -> None:
    inputs = keras.Input((None, *FRAME), name="frames")
    model = keras.Model(inputs, layers.TimeDistributed(convolutional())(inputs))
    one, five = (
        read(model, input_shapes={"frames": (steps, *FRAME)}, registry=REGISTRY).macs
        for steps in (1, 5)
    )
    assert five == 5 * one > 0


def test_a_layer_that_nobody_knows_in_a_model_over_time_is_named_with_its_weights() -> None:
    class Mystery(layers.Dense):
        pass

    inner = keras.Sequential([keras.Input((5,)), Mystery(4, name="odd"), layers.ReLU()])
    inputs = keras.Input((3, 5))
    network = read(
        keras.Model(inputs, layers.TimeDistributed(inner, name="holder")(inputs)),
        registry=REGISTRY,
    )
    assert isinstance(network.layer("holder/odd"), UnknownLayer)
    assert network.parameter_count == 24
    assert network.macs == 0


def test_measured_rates_reach_the_layers_of_a_model_over_time() -> None:
    inputs = keras.Input((3, *FRAME))
    model = keras.Model(inputs, layers.TimeDistributed(convolutional(), name="frames")(inputs))
    rates = measure_rates(model, np.ones((2, 3, *FRAME), "float32"))
    found = estimate(model, "loihi", scenario=Scenario(rates=rates), registry=REGISTRY)
    (convolution,) = [line for line in found.bill("loihi").lines if "conv2d" in line.layer.name]
    assert convolution.layer.name.startswith("frames/")
    assert convolution.cost.energy_joules > 0


HOLDING = {
    "recurrent": lambda: layers.SimpleRNN(3, name="held"),
    "gated": lambda: layers.LSTM(3, return_sequences=True, name="held"),
    "stacked": lambda: layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], name="held"),
    "both ways": lambda: layers.Bidirectional(layers.GRU(3), name="held"),
    "each step": lambda: layers.TimeDistributed(layers.Dense(3), name="held"),
}


@pytest.mark.parametrize("name", HOLDING)
def test_a_format_of_a_layer_reaches_the_layers_that_it_holds(name: str) -> None:
    entry = keras.Input((5, 4))
    network = read(keras.Model(entry, HOLDING[name]()(entry)))
    number = parse_format("int4")
    work = lower(network, Scenario(formats={"held": number}))
    parameters = [f"held/{one}" for one in network.layer("held").parameters]
    assert {work.tensors[one].format for one in (*parameters, *work.outputs)} == {number}
