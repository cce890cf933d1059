"""What a layer gives that depends on no input, such as a table of positions."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from worlds import REGISTRY

from costmodel import estimate, read


class Positions(layers.Layer):
    """A table with a row for each position of its input."""

    def call(self, x: Any) -> Any:
        places = ops.arange(ops.shape(x)[1], dtype="float32")
        return ops.outer(places, ops.arange(8, dtype="float32"))


class Angles(layers.Layer):
    """The cosines and sines of the positions."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = Positions()

    def call(self, x: Any) -> Any:
        table = self.positions(x)
        return ops.cos(table), ops.sin(table)


class Rotated(layers.Layer):
    """A rotation by cosines and sines that it is given."""

    def call(self, x: Any, cos: Any, sin: Any) -> Any:
        return x * cos + ops.flip(x, -1) * ops.expand_dims(sin, 0)


class Scale(layers.Layer):
    """One number for all."""

    def call(self, x: Any) -> Any:
        return ops.convert_to_tensor(0.5)


class Block(layers.Layer):
    """Layers that give and take constants, in one that is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.angles, self.rotated, self.scale = Angles(), Rotated(), Scale()

    def call(self, x: Any) -> Any:
        return self.rotated(x, *self.angles(x)) * self.scale(x)


class Rows(layers.Layer):
    """A row of zeros for each example."""

    def call(self, x: Any) -> Any:
        return ops.zeros((ops.shape(x)[0], 6, 8))


USES = {
    "a function of both": lambda x: x * Positions()(x),
    "a function of both that broadcasts": lambda x: ops.add(ops.expand_dims(x, 1), Positions()(x)),
    "a function of the constant": lambda x: x + ops.expand_dims(ops.cos(Positions()(x)), 0),
    "a product of both": lambda x: x @ ops.transpose(Positions()(x)),
    "an einsum of both": lambda x: ops.einsum("bij,kj->bik", x, Positions()(x)),
    "two constants": lambda x: Rotated()(x, *Angles()(x)),
    "a layer that merges": lambda x: layers.Add()([x, ops.expand_dims(Positions()(x), 0)]),
    "a number": lambda x: x * Scale()(x),
    "in a layer": Block(),
    "a row for each example": lambda x: ops.concatenate([x, Rows()(x)], 1),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_constant_of_a_layer_is_the_same_for_all_examples(use: Any) -> None:
    inputs = keras.Input((6, 8))
    model = keras.Model(inputs, layers.Dense(3)(use(inputs)))
    network = read(model, registry=REGISTRY)
    assert not estimate(network, "cpu", registry=REGISTRY).coverage("cpu").unpriced
    assert network.parameter_count == model.count_params()
    assert network.macs == multiply_accumulates(model, for_each_example=True)


def test_a_layer_on_a_constant_of_a_layer_is_computed_once() -> None:
    inputs = keras.Input((6, 8))
    table = layers.Dense(8, name="wide")(Positions(name="positions")(inputs))
    network = read(keras.Model(inputs, inputs + table), registry=REGISTRY)
    rows = {layer.name: layer for layer in network.layers}
    assert rows["wide"].outputs[0].shape == (6, 8)
    assert (rows["wide"].parameter_count, network.macs) == (8 * 8 + 8, 0)


def test_a_constant_of_a_layer_follows_the_length_that_is_given() -> None:
    inputs = keras.Input((None, 8), name="in")
    model = keras.Model(inputs, layers.Dense(3)(inputs * Positions()(inputs)))
    for length in (5, 9):
        network = read(model, input_shapes={"in": (length, 8)}, registry=REGISTRY)
        assert not estimate(network, "cpu", registry=REGISTRY).coverage("cpu").unpriced
        assert network.macs == length * 8 * 3


def test_a_constant_without_elements_that_a_layer_gives_takes_no_part() -> None:
    class Empty(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2, ops.zeros((0, 8))

    inputs = keras.Input((6, 8))
    network = read(keras.Model(inputs, layers.Dense(3)(Empty()(inputs)[0])), registry=REGISTRY)
    assert network.macs == 6 * 8 * 3
