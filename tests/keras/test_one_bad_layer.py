"""A layer that cannot be traced, or whose recorded shape is wrong, costs one row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers

from costmodel import Network, estimate, read
from costmodel.network.layer import UnknownLayer


class Raising(layers.Layer):
    """Its call raises wherever it is traced."""

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, _: Any) -> Any:
        message = "not here"
        raise RuntimeError(message)


class Misdeclared(layers.Layer):
    """It says that it gives another shape than its call does."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.dense = layers.Dense(8)

    def build(self, shape: Any) -> None:
        self.dense.build(shape)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((x.shape[0], 8), x.dtype)

    def call(self, x: Any) -> Any:
        return self.dense(x)


class Unkeras(layers.Layer):
    """Work that Keras cannot see, with two results."""

    def call(self, x: Any) -> Any:
        return tf.multiply(x, 2.0), tf.multiply(x, 3.0)


def between(odd: Any, *, several: bool = False) -> Any:
    inputs = keras.Input((6, 8), name="in")
    result = odd(layers.Dense(8, name="before")(inputs))
    first = result[0] if several else result
    outputs = [layers.Dense(3, name="after")(first), *(result[1:] if several else ())]
    return keras.Model(inputs, outputs, name="net")


def live(model: Any, _: Path) -> Any:
    return model


def saved(model: Any, folder: Path) -> Any:
    model.save(folder / "net.keras")
    return folder / "net.keras"


def saved_in_hdf5(model: Any, folder: Path) -> Any:
    model.save(folder / "net.h5")
    return folder / "net.h5"


def as_json(model: Any, _: Path) -> Any:
    return model.to_json()


SOURCES = {"live": live, "keras": saved, "h5": saved_in_hdf5, "json": as_json}
sources = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)

pytestmark = pytest.mark.filterwarnings(
    "ignore:You are saving your model as an HDF5 file",
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
)


def unpriced(network: Network) -> dict[str, str]:
    return {row.name: row.reason for row in network.layers if isinstance(row, UnknownLayer)}


@sources
@pytest.mark.parametrize("odd", [Raising, Misdeclared])
def test_one_bad_layer_is_one_row_with_the_recorded_shape(
    odd: Any, source: Any, tmp_path: Path
) -> None:
    model = between(odd(name="odd"))
    found = read(source(model, tmp_path))
    assert list(unpriced(found)) == ["odd"]
    shape = tuple(model.get_layer("odd").output.shape[1:])
    assert found.layer("odd").outputs[0].shape == shape
    rows = shape[0] if len(shape) > 1 else 1
    assert found.macs == 6 * 8 * 8 + rows * 8 * 3
    assert [found.layer(name).parameter_count for name in ("before", "after")] == [72, 27]


def test_the_reason_says_what_is_wrong_with_the_layer() -> None:
    said = {
        odd.__name__: unpriced(read(between(odd(name="odd"))))["odd"]
        for odd in (Raising, Misdeclared)
    }
    assert "cannot be called on symbolic tensors: RuntimeError: not here" in said["Raising"]
    assert "its call gives 6 x 8, but 8 is recorded" in said["Misdeclared"]


def test_a_bad_layer_leaves_nothing_of_itself_behind() -> None:
    model = between(Misdeclared(name="odd"))
    found = read(model)
    assert [layer.name for layer in found.layers] == ["in", "before", "odd", "after"]
    assert found.parameter_count == model.count_params()


@sources
def test_results_of_a_bad_layer_that_nobody_reads_have_no_shape(
    source: Any, tmp_path: Path
) -> None:
    found = read(source(between(Unkeras(name="odd"), several=True), tmp_path))
    assert list(unpriced(found)) == ["odd"]
    assert found.layer("after").parameter_count == 27


def test_a_recorded_shape_that_contradicts_the_rules_costs_rows_not_the_network() -> None:
    inputs = keras.Input((16, 16, 3), name="in")
    x = layers.Conv2D(8, 3, name="conv")(inputs)
    x = layers.ReLU(name="relu")(x)
    model = keras.Model(inputs, layers.Conv2D(4, 3, name="last")(x))
    config = json.loads(model.to_json())
    (relu,) = [each for each in config["config"]["layers"] if each["name"] == "relu"]
    relu["inbound_nodes"][0]["args"][0]["config"]["shape"] = [None, 14, 14, 9]
    found = read(json.dumps(config))
    reasons = unpriced(found)
    assert (
        reasons["conv"] == "its settings and sources give 14 x 14 x 8, but 14 x 14 x 9 is recorded"
    )
    assert found.layer("conv").outputs[0].shape == (14, 14, 9)
    assert found.layer("last").parameter_count == read(model).layer("last").parameter_count


class Unnamed(layers.Layer):
    """A class whose configuration leaves out the name."""

    def get_config(self) -> Any:
        return {}

    def call(self, x: Any) -> Any:
        return x * 2.0


def test_layers_of_a_sequential_file_without_names_are_numbered(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((6, 8)), Unnamed(), layers.Dense(3), Unnamed(), layers.Dense(2, name="last")]
    )
    found = read(saved(model, tmp_path))
    assert list(unpriced(found)) == ["Unnamed", "Unnamed_1"]
    estimate(found, "cpu", on_unpriced="bound")


def test_what_is_behind_a_bad_layer_is_counted_at_the_length_that_is_given() -> None:
    inputs = keras.Input((None, 8), name="in")
    first, second = Unkeras(name="odd")(inputs)
    model = keras.Model(inputs, layers.Dense(3)(first + second))
    found = read(model, input_shapes={"in": (5, 8)})
    assert list(unpriced(found)) == ["odd"]
    assert found.macs == 5 * 8 * 3


def test_the_reason_says_where_the_code_leaves_keras() -> None:
    said = unpriced(read(between(Unkeras(name="odd"), several=True)))["odd"]
    line = Unkeras.call.__code__.co_firstlineno + 1
    assert f"TensorFlow function, in line {line} of {__name__}" in said
