"""Constants of functions are not parameters, live and in files."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from worlds import REGISTRY

from costmodel import estimate, read

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's own
    pytest.mark.filterwarnings("ignore:You are saving your model:UserWarning"),
]

ROWS = np.ones((6, 8), "float32")


def between(function: Any) -> Any:
    inputs = keras.Input((6, 8))
    return keras.Model(inputs, layers.Dense(3)(function(inputs)))


def preprocessed() -> Any:
    conv = layers.Conv2D(4, 3)
    inputs = [keras.Input((8, 8, 3)) for _ in range(3)]
    prepared = [keras.applications.resnet50.preprocess_input(each) for each in inputs]
    return keras.Model(inputs, layers.Add()([conv(each) for each in prepared]))


def normalised(**settings: Any) -> Any:
    layer = layers.Normalization(**settings)
    if not settings:
        layer.adapt(np.random.default_rng(0).random((20, 6, 8)))
    return between(layer)


MODELS = {
    "an array added": lambda: between(lambda x: x + ROWS),
    "an array on the left": lambda: between(lambda x: ops.subtract(ROWS, x)),
    "a function of an array": lambda: between(lambda x: ops.multiply(x, ROWS)),
    "a tensor": lambda: between(lambda x: ops.add(x, ops.convert_to_tensor(ROWS))),
    "a matrix": lambda: between(lambda x: ops.matmul(x, np.ones((8, 4), "float32"))),
    "a choice": lambda: between(lambda x: ops.where(ROWS > 0, x, ROWS)),
    "a kernel": lambda: between(lambda x: ops.conv(x, np.ones((3, 8, 4), "float32"))),
    "the same array twice": lambda: between(lambda x: (x + ROWS) * ROWS),
    "means of preprocessing": preprocessed,
    "statistics that are weights": normalised,
    "statistics that are constants": lambda: normalised(mean=0.5, variance=2.0),
}


@pytest.mark.parametrize("source", ["live", "keras", "h5", "config", "network"])
@pytest.mark.parametrize("name", MODELS)
def test_constants_of_functions_are_not_parameters(name: str, source: str, tmp_path: Any) -> None:
    model = MODELS[name]()
    given: Any = model
    if source in {"keras", "h5"}:
        given = tmp_path / f"model.{source}"
        model.save(given)
    elif source == "config":
        given = model.to_json()
    elif source == "network":
        given = read(model, registry=REGISTRY).to_json()
    assert read(given, registry=REGISTRY).parameter_count == model.count_params()


def test_a_constant_in_a_composed_layer_is_not_a_parameter() -> None:
    class Offset(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * ROWS + ops.convert_to_tensor(ROWS)

    model = between(Offset())
    assert read(model, registry=REGISTRY).parameter_count == model.count_params()


def test_a_product_with_a_constant_matrix_is_still_counted() -> None:
    model = between(lambda x: ops.matmul(x, np.ones((8, 4), "float32")))
    assert read(model, registry=REGISTRY).macs == 6 * 8 * 4 + 6 * 4 * 3


LEFT = {
    "a product": lambda rows, x: rows * x,
    "a difference": lambda rows, x: rows - x,
    "a quotient": lambda rows, x: rows / x,
    "a comparison": lambda rows, x: ops.cast(rows < x, "float32"),
    "a matrix product": lambda rows, x: ops.transpose(rows) @ x,
}


@pytest.mark.parametrize("calculate", LEFT.values(), ids=LEFT)
def test_a_tensor_of_the_backend_may_stand_on_the_left_of_a_symbol(calculate: Any) -> None:
    class Calculated(layers.Layer):
        def call(self, x: Any) -> Any:
            return calculate(ops.convert_to_tensor(ROWS), x)

    model = between(Calculated())
    network = read(model, registry=REGISTRY)
    assert not estimate(network, "cpu", registry=REGISTRY).coverage("cpu").unpriced
    assert network.macs == multiply_accumulates(model)
