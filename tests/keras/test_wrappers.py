"""Layers that hold layers: their numeric formats, and those that nobody priced."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import pytest
from attrs import frozen
from keras import layers
from worlds import CATALOGUE, HOUSE, plugin, world

from costmodel import Scenario, read
from costmodel.formats import infer
from costmodel.numerics import FixedPoint
from costmodel_keras.graph import kind_of
from costmodel_keras.layers.basic import Dense

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)


@keras.saving.register_keras_serializable("acme")
class Coarse(layers.Dense):
    """A stranger's dense layer of few bits."""


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
    network = infer(read(model, catalogue=WORLD), Scenario())
    (work,) = network.layer("holder").operators()
    assert work.parameters[0].format == KERNEL
    assert network.layer("holder").outputs[0].format == RESULT
    assert network.layer("after").operators()[0].inputs[0].format == RESULT


def test_a_held_layer_knows_the_format_of_what_it_takes() -> None:
    inputs = keras.Input((3, 5))
    holder = layers.TimeDistributed(layers.Dense(2), name="holder")
    network = infer(
        read(keras.Model(inputs, holder(Coarse(4)(inputs))), catalogue=WORLD), Scenario()
    )
    assert network.layer("holder").operators()[0].inputs[0].format == RESULT


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_a_normalised_kernel_costs_what_the_layer_itself_does(source: Any) -> None:
    inputs = keras.Input((3, 5))
    plain, normalised = (
        read(source(keras.Model(inputs, layer(inputs))), catalogue=CATALOGUE).layers[-1]
        for layer in (layers.Dense(4), layers.SpectralNormalization(layers.Dense(4)))
    )
    assert normalised.operators() == plain.operators()
    assert normalised.parameter_count == plain.parameter_count + 4
