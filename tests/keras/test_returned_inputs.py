"""A layer that returns its input has a row: free, with the reason."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tf_keras
from keras import layers
from worlds import REGISTRY

from costmodel import Free, estimate, read
from costmodel.network.layer import UnknownLayer, work_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's own
    pytest.mark.filterwarnings("ignore:You are saving your model:UserWarning"),
]


class Passing(layers.Layer):
    """Returns its input."""

    def call(self, x: Any) -> Any:
        return x


class Second(layers.Layer):
    """Returns one of its inputs."""

    def call(self, inputs: Any) -> Any:
        return inputs[1]


class Swapped(layers.Layer):
    """Returns its inputs in another order."""

    def call(self, inputs: Any) -> Any:
        return [inputs[1], inputs[0]]


class Around(layers.Layer):
    """A layer that returns its input, within another one."""

    def __init__(self, *, with_work: bool) -> None:
        super().__init__(name="around")
        self.passing = Passing(name="passing")
        self.dense = layers.Dense(8) if with_work else None

    def call(self, x: Any) -> Any:
        passed = self.passing(x)
        return self.dense(passed) if self.dense else passed


def between(layer: Any) -> Any:
    inputs = keras.Input((6, 8))
    return keras.Model(inputs, layers.Dense(3)(layer(inputs)))


def of_two(layer: Any) -> Any:
    inputs = [keras.Input((6, 8)), keras.Input((5, 8))]
    return keras.Model(inputs, keras.tree.map_structure(layers.Dense(3), layer(inputs)))


def sequential() -> Any:
    return keras.Sequential([keras.Input((6, 8)), Passing(name="passing"), layers.Dense(3)])


def empty_model() -> Any:
    inputs = keras.Input((6, 8))
    return keras.Model(inputs, inputs, name="passing")


MODELS = {
    "a layer": lambda: between(Passing(name="passing")),
    "a layer, called twice": lambda: between(keras.Sequential([Passing(name="passing")])),
    "in a sequential model": sequential,
    "one of several inputs": lambda: of_two(Second(name="passing")),
    "a list of its inputs": lambda: of_two(Swapped(name="passing")),
    "within a composed layer": lambda: between(Around(with_work=True)),
    "alone within a composed layer": lambda: between(Around(with_work=False)),
    "a functional model without layers": lambda: between(empty_model()),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_that_returns_its_input_has_a_free_row_with_the_reason(name: str) -> None:
    model = MODELS[name]()
    network = read(model, registry=REGISTRY)
    (row,) = [layer for layer in network.layers if layer.name.endswith("passing")]
    work = work_of(row)
    assert isinstance(work, Free)
    assert work.reason.endswith("returns its input unchanged")
    assert network.parameter_count == model.count_params()
    assert read(network.to_json(), registry=REGISTRY) == network
    assert estimate(network, "cpu", registry=REGISTRY).coverage("cpu").is_complete


def test_what_reads_a_returned_input_reads_it_from_the_row() -> None:
    network = read(of_two(Swapped(name="passing")), registry=REGISTRY)
    assert [tensor.shape for tensor in network.layer("passing").outputs] == [(5, 8), (6, 8)]
    readers = [port.layer for ports in network.edges.values() for port in ports]
    assert readers.count("passing") == 2


def test_the_rows_of_a_layer_that_is_called_twice_have_names_of_their_own() -> None:
    layer = Passing(name="passing")
    network = read(between(lambda x: layer(layer(x))), registry=REGISTRY)
    assert [each.name for each in network.layers][1:3] == ["passing", "passing@2"]


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_in_a_file_a_layer_that_returns_its_input_has_a_row_without_a_price(
    ending: str, tmp_path: Any
) -> None:
    """A file holds no code, so that nobody can know that it does nothing."""
    path = tmp_path / f"model.{ending}"
    between(Passing(name="passing")).save(path)
    row = read(path, registry=REGISTRY).layer("passing")
    assert isinstance(row, UnknownLayer)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_in_a_file_a_model_without_layers_has_a_free_row(ending: str, tmp_path: Any) -> None:
    path = tmp_path / f"model.{ending}"
    between(empty_model()).save(path)
    assert isinstance(work_of(read(path, registry=REGISTRY).layer("passing")), Free)


class PassingOfKeras2(tf_keras.layers.Layer):
    """Returns its input."""

    def call(self, x: Any) -> Any:
        return x


def test_in_keras_2_a_layer_of_the_program_has_a_row_without_a_price() -> None:
    inputs = tf_keras.Input((6, 8))
    passed = PassingOfKeras2(name="passing")(inputs)
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(3)(passed))
    network = read(model, registry=REGISTRY)
    assert isinstance(network.layer("passing"), UnknownLayer)
    assert network.parameter_count == model.count_params()


def test_in_keras_2_a_model_without_layers_has_a_free_row() -> None:
    inputs = tf_keras.Input((6, 8))
    same = tf_keras.Model(inputs, inputs, name="same")
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(3)(same(inputs)))
    assert isinstance(work_of(read(model, registry=REGISTRY).layer("same")), Free)


def test_weights_added_to_a_functional_model_of_keras_2_are_counted() -> None:
    class Extended(tf_keras.Model):
        def __init__(self) -> None:
            inputs = tf_keras.Input((8,))
            super().__init__(inputs, tf_keras.layers.Dense(3)(inputs))
            self.extra = self.add_weight(shape=(5,), name="extra")

    model = Extended()
    assert read(model, registry=REGISTRY).parameter_count == model.count_params() == 32
