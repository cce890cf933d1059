"""Networks of Keras 2: live, and in every form of file."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from figures import near
from keras2_networks import NETWORKS
from worlds import HOUSE, REGISTRY, world

import costmodel_qkeras.hooks
from costmodel import Network, measure_rates, read
from costmodel.errors import ReadError

# What Keras itself warns of when it writes HDF5.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SAMPLES = Path(__file__).parent / "samples"
VERSION = "2.21.0"


def network(source: object) -> Network:
    return read(source, registry=REGISTRY)


def sample(name: str) -> str:
    return (SAMPLES / f"keras2.{name}.json").read_text()


def without_versions(text: str) -> Any:
    """The configuration as it stands in files that keep the version beside it."""
    config = json.loads(text)
    del config["keras_version"], config["backend"]
    return config


def as_hdf5(text: str, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = VERSION
        file.attrs["model_config"] = json.dumps(without_modules(without_versions(text)))
    return path


def as_archive(text: str, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        config = {"module": "tf_keras.src.engine.functional", **without_versions(text)}
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": VERSION}))
    return path


def without_modules(value: Any) -> Any:
    """What HDF5 files and releases before 2.11 leave out."""
    if isinstance(value, list):
        return [without_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    dropped = {"module", "registered_name", "build_config"}
    return {key: without_modules(item) for key, item in value.items() if key not in dropped}


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_2_and_keras_3_forms_of_a_network_are_equal(name: str, tmp_path: Path) -> None:
    expected = network(NETWORKS[name](keras))
    text = sample(name)
    assert network(text) == expected
    assert network(as_hdf5(text, tmp_path / "model.h5")) == expected
    assert network(as_archive(text, tmp_path / "model.keras")) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_a_live_model_of_keras_2_is_that_of_keras_3(name: str) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    model = NETWORKS[name](tf_keras)
    found = network(model)
    assert found == network(NETWORKS[name](keras))
    assert found.parameter_count == model.count_params()
    assert [found.layer(port.layer).outputs[port.output].shape for port in found.outputs] == [
        tuple(tensor.shape)[1:] for tensor in model.outputs
    ]


@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".keras"])
@pytest.mark.parametrize("name", ["branches", "nested", "perceptron"])
def test_what_keras_2_itself_saves_is_read(name: str, ending: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    model, path = NETWORKS[name](tf_keras), tmp_path / f"model{ending}"
    model.save(path)
    assert network(path) == network(model)


# ------------------------------------------------------------------ older dialects


def entry(sort: str, **config: Any) -> Any:
    return {"class_name": sort, "config": config}


DENSE = {"name": "out", "units": 2, "activation": "linear", "use_bias": True}


def test_a_sequential_model_may_be_a_bare_list() -> None:
    first = entry("Dense", **DENSE, batch_input_shape=[None, 4])
    found = network(json.dumps(entry("Sequential") | {"config": [first]}))
    assert [layer.name for layer in found.layers] == ["out_input", "out"]
    assert found.layer("out").outputs[0].shape == (2,)


def test_early_releases_called_a_functional_model_model() -> None:
    text = sample("nested").replace('"class_name": "Functional"', '"class_name": "Model"')
    assert '"Model"' in text
    assert network(text) == network(sample("nested"))


@pytest.mark.parametrize("sort", ["Conv2DTranspose", "DepthwiseConv2D"])
def test_what_early_releases_did_not_write_has_their_default(sort: str) -> None:
    config = {
        "name": "layer", "filters": 2, "kernel_size": [3, 3], "strides": [1, 1],
        "padding": "valid", "batch_input_shape": [None, 8, 8, 3],
    }  # fmt: skip
    layer = network(json.dumps(entry("Sequential", layers=[entry(sort, **config)]))).layers[-1]
    assert layer.kind == f"keras.{sort}"
    assert layer.dilation_rate == (1, 1)  # type: ignore[attr-defined]


def sequence(*entries: Any) -> str:
    config = {"name": "net", "layers": list(entries), "build_input_shape": [None, 4]}
    return json.dumps({"class_name": "Sequential", "config": config, "keras_version": "2.4.0"})


@pytest.mark.parametrize(
    ("class_name", "kind"),
    [
        ("Dense", "keras.Dense"),
        ("QDense", "qkeras.QDense"),
        ("Custom>Dense", "custom.Dense"),
        ("Acme>QDense", "qkeras.QDense"),
        ("Octave", "custom.Octave"),
        ("SyncBatchNormalization", "keras.BatchNormalization"),
    ],
)
def test_a_class_without_its_package_is_found(class_name: str, kind: str) -> None:
    registry = world(**HOUSE, qkeras=costmodel_qkeras.hooks)
    found = registry.read(sequence(entry(class_name, **DENSE)))
    assert found.layers[-1].kind == kind


def test_a_layer_of_the_second_keras_with_the_batch_on_the_second_axis_is_refused() -> None:
    text = sequence(entry("LSTM", name="steps", units=2, time_major=True))
    with pytest.raises(ReadError, match=r"'steps' has time_major=True.*expected the batch first"):
        network(text)


# ------------------------------------------------------------------ functions of TensorFlow


def functional(*layers: Any) -> str:
    inputs = {**entry("InputLayer", name="in", batch_input_shape=[None, 4, 6]), "name": "in"}
    config = {
        "name": "net", "layers": [{**inputs, "inbound_nodes": []}, *layers],
        "input_layers": [["in", 0, 0]], "output_layers": [["f", 0, 0]],
    }  # fmt: skip
    return json.dumps({"class_name": "Functional", "config": config, "keras_version": VERSION})


def function(name: str, node: Any) -> Any:
    sort = "SlicingOpLambda" if name.endswith("getitem") else "TFOpLambda"
    found = entry(sort, name="f", function=name, dtype="float32", trainable=True)
    return {**found, "name": "f", "inbound_nodes": [node]}


FUNCTIONS = [
    ("math.multiply", ["in", 0, 0, {"y": 2.0, "name": None}], "Multiply"),
    ("__operators__.add", ["in", 0, 0, {"y": ["in", 0, 0], "name": None}], "Add"),
    ("concat", [["in", 0, 0, {"axis": -1}], ["in", 0, 0, {"axis": -1}]], "Concatenate"),
    ("math.reduce_mean", ["in", 0, 0, {"axis": [1], "keepdims": True}], "Mean"),
    ("reshape", ["in", 0, 0, {"shape": [-1, 24]}], "Reshape"),
    ("linalg.matmul", ["in", 0, 0, {"b": [[1.0, 2.0]] * 6}], "Matmul"),
    ("nn.relu", ["in", 0, 0, {"name": None}], "Relu"),
    (
        "__operators__.getitem",
        ["in", 0, 0, {"slice_spec": [{"start": None, "stop": None, "step": None}, 0]}],
        "GetItem",
    ),
]


@pytest.mark.parametrize(
    ("name", "node", "operation"), FUNCTIONS, ids=[row[0] for row in FUNCTIONS]
)
def test_a_function_of_tensorflow_is_an_operation_of_keras(
    name: str, node: Any, operation: str
) -> None:
    assert network(functional(function(name, node))).layer("f").kind == f"keras.ops.{operation}"


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("linalg.svd", ["in", 0, 0, {}]),
        ("linalg.matmul", ["in", 0, 0, {"b": ["in", 0, 0], "precision": 2}]),
    ],
)
def test_a_function_without_a_counterpart_stays_unpriced_under_its_name(
    name: str, node: Any
) -> None:
    layer = network(functional(function(name, node))).layer("f")
    assert layer.kind == f"tf.{name}"
    assert "no rule" in str(layer.operators())


def calls(np: Any, tf: Any, tensor: Any) -> Any:
    yield tensor * 2.0
    yield 1.0 - tensor
    yield tf.concat([tensor, tensor], axis=-1)
    yield tf.reduce_mean(tensor, axis=[1], keepdims=True)
    yield tf.matmul(tensor, np.ones((6, 2), "float32"))
    yield tensor[:, 0]
    yield tensor[:, 1:, ::2]
    yield tf.reshape(tensor, (-1, 24))
    yield tf.nn.softmax(tensor)
    yield tf.linalg.svd(tensor)[0]


def test_live_functions_of_tensorflow_are_those_of_the_file() -> None:
    tf_keras = pytest.importorskip("tf_keras")
    import numpy as np  # noqa: PLC0415  # after the check for the framework
    import tensorflow as tf  # noqa: PLC0415

    inputs = tf_keras.Input((4, 6), name="in")
    model = tf_keras.Model(inputs, list(calls(np, tf, inputs)), name="net")
    live, text = network(model), network(model.to_json())
    assert [(layer.name, layer.kind) for layer in live.layers] == [
        (layer.name, layer.kind) for layer in text.layers
    ]


# ------------------------------------------------------------------ what is refused


def test_weights_alone_are_refused_with_the_reason(tmp_path: Path) -> None:
    model, path = NETWORKS["perceptron"](keras), tmp_path / "model.weights.h5"
    model.save_weights(path)
    with pytest.raises(ReadError, match=r"weights without an architecture.*save the whole model"):
        network(path)


def test_files_of_the_first_keras_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "1.2.2"
        file.attrs["model_config"] = json.dumps(entry("Sequential") | {"config": []})
    with pytest.raises(ReadError, match=r"written by Keras 1\.2\.2; load it in Keras 2"):
        network(path)


def test_a_subclassed_model_in_a_file_is_refused_with_what_to_do() -> None:
    text = json.dumps({"class_name": "Mine", "config": {}, "keras_version": VERSION})
    with pytest.raises(ReadError, match=r"'custom\.Mine' without a graph.*live model"):
        network(text)


NODES: list[tuple[Any, str]] = [
    *(
        (node, f"expected [layer, call, output], found {node!r}")
        for node in ([], "in", [[]], [["in", 0]], {"a": 1}, 7, None)
    ),
    (["in", 0, 0, 5], "expected arguments by name, found 5"),
    ([["nowhere", 0, 0, {}]], "reads from ('nowhere', 0), which is not in the model"),
]


@pytest.mark.parametrize(("node", "words"), NODES, ids=str)
def test_a_node_that_is_none_is_answered_in_words(node: Any, words: str) -> None:
    layer = {**entry("Dense", **{**DENSE, "name": "f"}), "name": "f", "inbound_nodes": [node]}
    with pytest.raises(ReadError, match=re.escape("layer 'f'") + ".*" + re.escape(words)):
        network(functional(layer))


# ------------------------------------------------------------------ HDF5


@pytest.mark.parametrize("name", ["nested", "branches", "distributed"])
def test_an_hdf5_file_of_keras_3_is_the_live_model(name: str, tmp_path: Path) -> None:
    model, path = NETWORKS[name](keras), tmp_path / "model.h5"
    model.save(path)
    assert network(path) == network(model)


def test_a_function_is_reported_from_a_layer_of_its_name_in_an_hdf5_file(tmp_path: Path) -> None:
    inputs, path = keras.Input((4,), name="in"), tmp_path / "model.h5"
    hidden = keras.layers.Dense(4, name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Add(name="sum")([inputs, hidden]) + hidden)
    model.save(path)
    kinds = [layer.kind for layer in network(path).layers]
    assert kinds == [layer.kind for layer in network(model).layers]
    assert kinds[2:] == ["keras.Add", "keras.ops.Add"]


def test_what_is_not_an_hdf5_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_text("{}")
    with pytest.raises(ReadError, match="not an HDF5 file"):
        network(path)


def test_a_missing_hdf5_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such file"):
        network(tmp_path / "none.h5")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:600] + bytes(255 - byte for byte in content[600:1400]) + content[1400:]


@pytest.mark.parametrize("damage", [cut, flipped])
def test_a_damaged_hdf5_file_is_answered_in_words(damage: Any, tmp_path: Path) -> None:
    path = as_hdf5(sample("nested"), tmp_path / "model.h5")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ReadError, match=r"model\.h5: damaged: "):
        network(path)


def test_links_in_an_hdf5_file_are_not_followed(tmp_path: Path) -> None:
    secret = as_hdf5(sample("nested"), tmp_path / "secret.h5")
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["model_config"] = h5py.ExternalLink(str(secret), "/")
    with pytest.raises(ReadError, match="without an architecture"):
        network(path)


def test_an_attribute_beyond_the_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_hdf5(sample("nested"), tmp_path / "model.h5")
    monkeypatch.setattr("costmodel.safe_io.SIZE_LIMIT", 100)
    with pytest.raises(ReadError, match="limit is 100"):
        network(path)


def with_library(code: str, folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """A good file, and `code` as the HDF5 library of the process that reads it."""
    (folder / "h5py.py").write_text(code)
    patch.setenv("PYTHONPATH", str(folder))
    return as_hdf5(sample("nested"), folder / "model.h5")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ImportError", r"needs h5py.*pip install h5py"),
        ("import os; os.abort()", "the HDF5 library broke down"),
    ],
)
def test_a_library_that_is_missing_or_breaks_down_is_reported(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_library(code, tmp_path, monkeypatch)
    with pytest.raises(ReadError, match=words):
        network(path)


def test_a_file_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_library("import time; time.sleep(60)", tmp_path, monkeypatch)
    monkeypatch.setattr("costmodel.frontend.hdf5.reading.TIME_LIMIT_SECONDS", 0.5)
    with pytest.raises(ReadError, match="not read within"):
        network(path)


@pytest.mark.parametrize("of", ["outputs", "inputs"])
# TensorFlow has no convolution with channels first on a processor.
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "channels_first"])
def test_rates_of_a_live_model_are_those_of_the_same_model_of_keras_3(name: str, of: Any) -> None:
    models = [NETWORKS[name](package) for package in (pytest.importorskip("tf_keras"), keras)]
    found = []
    for model in models:
        model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
        shapes = [(2, *(length or 3 for length in each.shape[1:])) for each in model.inputs]
        examples = [np.arange(float(np.prod(shape))).reshape(shape) % 4 for shape in shapes]
        found.append(measure_rates(model, examples, of=of, registry=REGISTRY))
        assert set(found[-1]) == {layer.name for layer in network(model).layers}
    assert list(found[0].values()) == near(list(found[1].values()), rel=1e-5)
