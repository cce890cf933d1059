"""Every family of keras.applications: live, file and JSON, against Keras and TensorFlow."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from tensorflow_counts import multiply_accumulates
from worlds import REGISTRY

from costmodel import Scenario, estimate, read
from costmodel.report.bills import Share

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

FAMILIES = {
    "ConvNeXtTiny": ["ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"],
    "DenseNet121": ["DenseNet169", "DenseNet201"],
    "EfficientNetB0": [f"EfficientNetB{size}" for size in range(1, 8)],
    "EfficientNetV2B0": ["EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3"],
    "EfficientNetV2S": ["EfficientNetV2M", "EfficientNetV2L"],
    "InceptionResNetV2": [],
    "InceptionV3": [],
    "MobileNet": [],
    "MobileNetV2": [],
    "MobileNetV3Small": ["MobileNetV3Large"],
    "NASNetMobile": ["NASNetLarge"],
    "ResNet50": ["ResNet101", "ResNet152"],
    "ResNet50V2": ["ResNet101V2", "ResNet152V2"],
    "VGG16": ["VGG19"],
    "Xception": [],
}
"""The smallest network of each family, which is tried, and those that repeat its blocks."""

SAVED = ("MobileNetV2", "ResNet50", "VGG16", "DenseNet121", "InceptionV3")
"""Networks that are saved with their weights, as a user saves them."""

QUICK = "MobileNetV2"
"""The network that is tried also where slow tests are left out."""

TWO = ("horowitz-45nm", "loihi")
"""Devices that look at formats, sizes and rates."""

SCENARIO = Scenario(rates=10.0, timesteps=5)
SIDE = 224
"""Length of an axis of the image where the network leaves it open."""


@pytest.fixture(scope="module")
def quick_weights() -> Iterator[None]:
    """Weights of zero, which cost no time to draw."""
    import keras  # noqa: PLC0415  # only where a test runs

    def zeros(initializer: Any, shape: Any, dtype: Any = None) -> Any:
        return keras.ops.zeros(shape, dtype)

    with pytest.MonkeyPatch.context() as patch:
        for cls in (keras.initializers.VarianceScaling, keras.initializers.TruncatedNormal):
            patch.setattr(cls, "__call__", zeros)
        yield


@pytest.fixture(
    scope="module",
    params=[
        name if name == QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES
    ],
)
def app(request: Any, quick_weights: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One of the networks, built once and read from all three sources."""
    import keras  # noqa: PLC0415  # only where a test runs

    model = getattr(keras.applications, request.param)(weights=None)
    if None in model.input_shape[1:]:
        shape = (SIDE, SIDE, model.input_shape[-1])
        model = getattr(keras.applications, request.param)(weights=None, input_shape=shape)
    file = tmp_path_factory.getbasetemp() / f"{request.param}.keras"
    if request.param in SAVED:
        model.save(file)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            config = keras.saving.serialize_keras_object(model)
            archive.writestr("config.json", json.dumps(config))
    sources = (model, file, model.to_json())
    live, from_file, text = (read(source, registry=REGISTRY) for source in sources)
    file.unlink()  # half a gigabyte of weights
    yield SimpleNamespace(name=request.param, model=model, live=live, file=from_file, json=text)
    keras.backend.clear_session()


def test_the_live_model_the_file_and_the_json_are_one_network(app: Any) -> None:
    assert app.live == app.file
    assert app.live == app.json


def test_the_live_model_the_file_and_the_json_have_one_bill(app: Any) -> None:
    sources = (app.live, app.file, app.json)
    bills = [
        estimate(source, TWO, scenario=SCENARIO, registry=REGISTRY, on_unpriced="bound")
        for source in sources
    ]
    assert len({bill.to_json() for bill in bills}) == 1


def inner(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All layers of a model by their paths, those of models within it for these."""
    for layer in model.operations:
        graph = getattr(layer, "_functional", layer)
        if hasattr(graph, "operations"):
            inside = inner(graph, f"{prefix}{layer.name}/")
            yield from ((path, found) for path, found in inside if not is_input(found))
        else:
            yield prefix + layer.name, layer


def is_input(layer: Any) -> bool:
    return type(layer).__name__ == "InputLayer"


def test_every_layer_has_keras_own_output_shape(app: Any) -> None:
    shapes = {path: tuple(layer.output.shape[1:]) for path, layer in inner(app.model)}
    assert {layer.name: layer.outputs[0].shape for layer in app.live.layers} == shapes


def test_every_layer_has_keras_own_parameter_count(app: Any) -> None:
    counts = {
        path: layer.count_params() if hasattr(layer, "count_params") else 0
        for path, layer in inner(app.model)
    }
    assert {layer.name: layer.parameter_count for layer in app.live.layers} == counts
    assert app.live.parameter_count == app.model.count_params()


def test_a_processor_prices_every_layer(app: Any) -> None:
    bill = estimate(app.live, "cpu", registry=REGISTRY, on_unpriced="error")
    coverage = bill.coverage("cpu")
    shares = [part for part in attrs.astuple(coverage, recurse=False) if isinstance(part, Share)]
    assert [share.fraction for share in shares] == [1.0] * 5
    assert bill.total("cpu").energy_joules > 0


WELL_KNOWN = {
    "MobileNetV2": 300_774_272,
    "EfficientNetB0": 385_814_752,
    "VGG16": 15_470_264_320,
    "Xception": 8_357_403_496,
}


def test_the_multiply_accumulates_are_those_of_tensorflows_own_graph(app: Any) -> None:
    counted = multiply_accumulates(app.model)
    assert app.live.macs == counted
    assert counted == WELL_KNOWN.get(app.name, counted)


def test_every_network_of_keras_is_of_a_family_that_is_tried() -> None:
    import keras  # noqa: PLC0415  # only where a test runs

    found = vars(keras.applications).items()
    networks = {name for name, value in found if callable(value) and name[0].isupper()}
    assert {*FAMILIES, *itertools.chain(*FAMILIES.values())} == networks
    assert WELL_KNOWN.keys() <= FAMILIES.keys()
