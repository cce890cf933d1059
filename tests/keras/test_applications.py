"""Seven networks of keras.applications: live, file and JSON, against Keras and TensorFlow."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from worlds import CATALOGUE, SHIPPED

from costmodel import Scenario, estimate, read

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

SMALL = ["MobileNetV2", "MobileNetV3Small"]
LARGE = ["ResNet50", "VGG16", "DenseNet121", "InceptionV3", "MobileNetV3Large"]
OPEN = {"MobileNetV3Small": (224, 224, 3), "MobileNetV3Large": (224, 224, 3)}
"""Networks whose size is open unless it is given."""
SCENARIO = Scenario(rates=10.0, timesteps=5)


@functools.cache
def application(name: str, folder: Path) -> Any:
    """A network of keras.applications without its weights, read from all three sources."""
    import keras  # noqa: PLC0415  # only where a test runs

    model = getattr(keras.applications, name)(weights=None, input_shape=OPEN.get(name))
    file = folder / f"{name}.keras"
    model.save(file)
    sources = (model, file, model.to_json())
    networks = [read(source, catalogue=CATALOGUE) for source in sources]
    file.unlink()  # half a gigabyte of weights
    live, from_file, text = networks
    return SimpleNamespace(model=model, live=live, file=from_file, json=text)


@pytest.fixture(
    scope="session", params=[*SMALL, *(pytest.param(n, marks=pytest.mark.slow) for n in LARGE)]
)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One of the networks, built once."""
    return application(request.param, tmp_path_factory.getbasetemp())


def test_the_live_model_the_file_and_the_json_are_one_network(app: Any) -> None:
    assert app.live == app.file
    assert app.live == app.json


def test_the_live_model_the_file_and_the_json_have_one_bill(app: Any) -> None:
    sources = (app.live, app.file, app.json)
    bills = [
        estimate(source, SHIPPED, scenario=SCENARIO, catalogue=CATALOGUE, on_unpriced="bound")
        for source in sources
    ]
    assert len({bill.to_json() for bill in bills}) == 1


def test_every_layer_has_keras_own_output_shape(app: Any) -> None:
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in app.model.operations}
    assert {layer.name: layer.outputs[0].shape for layer in app.live.layers} == shapes


def test_every_layer_has_keras_own_parameter_count(app: Any) -> None:
    counts = {layer.name: layer.count_params() for layer in app.model.layers}
    ours = {layer.name: layer.parameter_count for layer in app.live.layers}
    assert ours == {name: counts.get(name, 0) for name in ours}
    assert counts.keys() <= ours.keys()
    assert app.live.parameter_count == app.model.count_params()


def test_a_processor_prices_every_layer(app: Any) -> None:
    bill = estimate(app.live, "cpu", catalogue=CATALOGUE, on_unpriced="error")
    assert bill.coverage("cpu").is_complete
    assert bill.total("cpu").energy_joules > 0


def test_the_multiply_accumulates_are_half_of_the_operations_that_tensorflow_counts(
    app: Any,
) -> None:
    assert 2 * app.live.macs == tensorflow_operations(app.model)


def tensorflow_operations(model: Any) -> Any:
    """Floating point operations of all convolutions and products in TensorFlow's own graph."""
    import tensorflow as tf  # noqa: PLC0415  # only where a test runs

    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature).graph
    options = {
        **tf.compat.v1.profiler.ProfileOptionBuilder.float_operation(),
        "output": "none",
        "account_type_regexes": ["Conv2D", "MatMul", "DepthwiseConv2dNative"],
    }
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
