"""TensorFlow's functions in networks of Keras 2, live and from files, against TensorFlow itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_calls import CALLS, Call, model, ones
from tensorflow_counts import multiply_accumulates
from workload_checks import check_workload
from worlds import REGISTRY

from costmodel import Network, Unpriced, read
from costmodel.errors import ReadError, ShapeError
from costmodel.network.layer import UnknownLayer, work_of
from costmodel_keras.keras2.function_table import FUNCTIONS, SPECIAL
from costmodel_keras.layers import MODULES

tf_keras = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")

# What Keras and TensorFlow themselves warn of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

new = tf_keras.layers


def network(source: object, **shapes: Any) -> Network:
    return read(source, registry=REGISTRY, **({"input_shapes": shapes} if shapes else {}))


def kinds(found: Network) -> str:
    """The kinds of all rows but the inputs, without the packages that go without saying."""
    named = [layer.kind for layer in found.layers if layer.kind != "keras.InputLayer"]
    return " ".join(re.sub(r"^keras\.(ops\.)?", "", kind) for kind in named)


def output_shapes(found: Network) -> Any:
    return [found.layer(port.layer).outputs[port.output].shape for port in found.outputs]


def assert_same_outputs(found: Network, built: Any) -> None:
    """The shapes are TensorFlow's, which leaves some axes open that follow from the call."""
    for ours, tensor in zip(output_shapes(found), built.outputs, strict=True):
        axes = zip(ours, tensor.shape[1:], strict=True)
        assert ours == tuple([one if two is None else two for one, two in axes])


@pytest.fixture(scope="module", params=CALLS, ids=[call.label for call in CALLS])
def case(request: pytest.FixtureRequest) -> tuple[Call, Any]:
    return request.param, model(request.param)


# ------------------------------------------------------------------ one call


def test_a_call_has_the_rows_and_the_shapes_that_it_should(case: tuple[Call, Any]) -> None:
    call, built = case
    found = network(built)
    assert kinds(found) == call.kinds
    assert_same_outputs(found, built)


def test_the_json_and_the_form_of_our_own_are_the_live_network(case: tuple[Call, Any]) -> None:
    found = network(case[1])
    assert network(case[1].to_json()) == found
    assert network(found.to_json()) == found


def test_a_call_has_a_workload(case: tuple[Call, Any]) -> None:
    check_workload(network(case[1]))


def test_a_call_multiplies_as_often_as_tensorflows_graph(case: tuple[Call, Any]) -> None:
    call, built = case
    if call.label == "rot90":
        pytest.skip("TensorFlow turns an image in branches of its graph")
    assert network(built).macs == multiply_accumulates(built)


def test_every_function_of_tensorflow_with_a_rule_of_its_own_is_tried() -> None:
    tried = {kind for call in CALLS for kind in call.kinds.split() if kind.startswith("tf.")}
    # HSV is made RGB as RGB is made HSV.
    assert {*MODULES["tensorflow_functions"]} - tried == {"tf.image.hsv_to_rgb"}


def test_all_calls_in_one_model_are_the_same_from_its_files(tmp_path: Path) -> None:
    models = [model(call) for call in CALLS if call.label != "getitem_dots"]
    inputs = [tensor for each in models for tensor in each.inputs]
    for place, tensor in enumerate(inputs):
        tensor.node.layer._name = f"input{place}"
    whole = tf_keras.Model(inputs, [tensor for each in models for tensor in each.outputs])
    live = network(whole)
    assert [network(path) == live for path in written(whole, tmp_path)] == [True, True]


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *SPECIAL}))
def test_the_table_names_functions_that_tensorflow_has(name: str) -> None:
    if name.startswith("__operators__"):
        return
    homes = (tf, tf.compat.v1)
    assert any(_has(home, name) for home in homes)


def _has(home: Any, name: str) -> bool:
    for part in name.split("."):
        if not hasattr(home, part):
            return False
        home = getattr(home, part)
    return callable(home)


# ------------------------------------------------------------------ index maps


def test_a_transposed_matrix_is_read_along_its_rows() -> None:
    inputs = [tf_keras.Input((6, 4), name=name) for name in "ab"]
    found = network(tf_keras.Model(inputs, tf.matmul(*inputs, transpose_b=True)))
    (work,) = work_of(found.layers[-1])  # type: ignore[misc]  # operators
    left, right, result = (operand.index for operand in work.operands)
    rows, depth = left
    columns, summed = right
    assert depth == summed
    assert result == (rows, columns)
    assert [work.dims[str(index)] for index in (rows, columns, depth)] == [6, 6, 4]


def test_a_constant_of_a_call_stays_on_the_device_and_is_not_a_parameter() -> None:
    inputs = tf_keras.Input((6, 4))
    for constant in (ones(4, 5), tf.constant(ones(4, 5)), tf.Variable(ones(4, 5))):
        found = network(tf_keras.Model(inputs, tf.matmul(inputs, constant)))
        (work,) = work_of(found.layers[-1])  # type: ignore[misc]  # operators
        assert [operand.role for operand in work.operands] == ["input", "weight", "output"]
        assert found.parameter_count == 0
        assert found.macs == 6 * 4 * 5


def test_an_equation_is_read_from_the_live_model_alone() -> None:
    inputs = [tf_keras.Input((6, 4), name=name) for name in "ab"]
    built = tf_keras.Model(inputs, tf.einsum("bij,bkj->bik", *inputs))
    assert network(built).macs == multiply_accumulates(built) == 6 * 6 * 4
    layer = network(built.to_json()).layers[-1]
    assert layer.kind == "tf.einsum"
    assert "keeps the equation alone; read the live model" in str(layer.operators())


# ------------------------------------------------------------------ small networks


def attention() -> Any:
    """Scaled dot-product attention of two heads, shaped with tf.shape."""
    tokens = tf_keras.Input((10, 8), name="tokens")

    def heads(name: str) -> Any:
        projected = new.Dense(8, name=name)(tokens)
        split = tf.reshape(projected, (tf.shape(tokens)[0], -1, 2, 4))
        return tf.transpose(split, perm=[0, 2, 1, 3])

    query, key, value = map(heads, ("query", "key", "value"))
    scores = tf.matmul(query, key, transpose_b=True) / tf.math.sqrt(4.0)
    merged = tf.transpose(tf.matmul(tf.nn.softmax(scores, axis=-1), value), perm=[0, 2, 1, 3])
    return tf_keras.Model(tokens, tf.reshape(merged, (tf.shape(tokens)[0], -1, 8)))


def super_resolution() -> Any:
    """ESPCN: convolutions, then channels spread over the image."""
    image = tf_keras.Input((12, 10, 1), name="image")
    hidden = new.Conv2D(8, 5, padding="same", activation="tanh")(image)
    hidden = new.Conv2D(9, 3, padding="same")(hidden)
    spread = tf.nn.depth_to_space(hidden, 3)
    return tf_keras.Model(image, tf.clip_by_value(spread, 0.0, 1.0))


def squeeze_and_excite() -> Any:
    """Channels weighed by their means."""
    image = tf_keras.Input((6, 6, 8), name="image")
    hidden = new.Dense(2, activation="relu")(tf.reduce_mean(image, axis=[1, 2]))
    weights = tf.nn.sigmoid(new.Dense(8)(hidden))
    return tf_keras.Model(image, image * weights[:, tf.newaxis, tf.newaxis, :])


def positional_encoding() -> Any:
    """A table of sines that is added to embedded tokens."""
    tokens = tf_keras.Input((7,), name="tokens")
    table = np.sin(np.arange(20 * 6).reshape(1, 20, 6)).astype("float32")
    embedded = new.Embedding(11, 6)(tokens) * tf.math.sqrt(6.0)
    return tf_keras.Model(tokens, new.Dense(3)(embedded + table[:, :7, :]))


def learned_positions() -> Any:
    """Embeddings of tokens and of their places, for sequences of any length."""
    tokens = tf_keras.Input((None,), name="tokens")
    places = new.Embedding(20, 6, name="places")(tf.range(tf.shape(tokens)[1]))
    embedded = new.Embedding(11, 6, name="words")(tokens) + places
    return tf_keras.Model(tokens, new.Dense(3)(embedded))


def u_net() -> Any:
    """A U-Net that is enlarged by TensorFlow's resizing to the size of the skip."""
    image = tf_keras.Input((9, 8, 3), name="image")
    skip = new.Conv2D(4, 3, padding="same")(image)
    deep = new.Conv2D(8, 3, padding="same")(tf.nn.max_pool2d(skip, 2, 2, "SAME"))
    up = tf.image.resize(deep, tf.shape(skip)[1:3], method="bilinear")
    merged = tf.concat([skip, up], axis=-1)
    return tf_keras.Model(image, tf.nn.softmax(new.Conv2D(2, 1)(merged)))


def preprocessed() -> Any:
    """The preprocessing of Keras's applications, in the graph."""
    image = tf_keras.Input((8, 8, 3), name="image")
    prepared = tf_keras.applications.resnet50.preprocess_input(image)
    return tf_keras.Model(image, new.Conv2D(4, 3)(prepared))


def class_token() -> Any:
    """A token of zeros in front of each sequence, as many as the batch is long."""
    patches = tf_keras.Input((5, 4), name="patches")
    front = tf.zeros((tf.shape(patches)[0], 1, 4))
    return tf_keras.Model(patches, new.Dense(3)(tf.concat([front, patches], axis=1)))


NETWORKS = [
    attention, class_token, learned_positions, positional_encoding, preprocessed,
    squeeze_and_excite, super_resolution, u_net,
]  # fmt: skip


def written(built: Any, folder: Path) -> list[Path]:
    """Files of a model; Keras 2 writes no `...` of an index into a .keras file."""
    has_dots = "__ellipsis__" in built.to_json()
    paths = [folder / f"model{ending}" for ending in (".h5", ".keras")[: 1 if has_dots else 2]]
    for path in paths:
        built.save(path)
    return paths


@pytest.mark.parametrize("build", NETWORKS)
def test_a_network_of_functions_counts_as_tensorflow_counts_it(build: Any, tmp_path: Path) -> None:
    built = build()
    shapes = {each.node.layer.name: (7,) for each in built.inputs if None in each.shape[1:]}
    found = network(built, **shapes)
    if not shapes:
        assert found.macs == multiply_accumulates(built)
        assert_same_outputs(found, built)
    assert found.parameter_count == built.count_params()
    assert not [layer for layer in found.layers if isinstance(work_of(layer), Unpriced)]
    assert network(built.to_json(), **shapes) == found
    for path in written(built, tmp_path):
        assert network(path, **shapes) == found


def test_what_follows_from_an_open_length_is_known_once_the_length_is_bound() -> None:
    built = learned_positions()
    expected = 7 * 6 * 3
    assert network(built, tokens=(7,)).macs == expected
    assert network(built).bind({"tokens": (7,)}).macs == expected
    assert network(built.to_json()).bind({"tokens": (7,)}).macs == expected


def test_a_network_that_is_bound_to_another_shape_is_shaped_by_that_one() -> None:
    image = tf_keras.Input((None, None, 2), name="image")
    folded = tf.reshape(image, (tf.shape(image)[0], tf.shape(image)[1] * tf.shape(image)[2], 2))
    built = tf_keras.Model(image, new.Dense(5)(folded))
    for source in (built, built.to_json()):
        assert network(source).bind({"image": (4, 3, 2)}).macs == 4 * 3 * 2 * 5
        assert network(source, image=(6, 2, 2)).macs == 6 * 2 * 2 * 5


def test_a_batch_that_is_spread_over_is_counted_for_one_example() -> None:
    image = tf_keras.Input((8, 8, 4), name="image")
    built = tf_keras.Model(image, tf.space_to_batch(image, [2, 2], [[0, 0], [0, 0]]))
    found = network(built)
    assert found.layers[-1].outputs[0].rows == 4
    assert found.layers[-1].outputs[0].shape == (4, 4, 4)


# ------------------------------------------------------------------ no rule


def unpriced(call: Any, *shapes: Any) -> tuple[Any, Any]:
    """The only row without a price, live and from JSON."""
    inputs = [tf_keras.Input(shape, name=f"in{i}") for i, shape in enumerate(shapes)]
    built = tf_keras.Model(inputs, call(*inputs))
    found = []
    for source in (built, built.to_json()):
        (layer,) = [
            layer for layer in network(source).layers if isinstance(work_of(layer), Unpriced)
        ]
        found.append(layer)
    return found[0], found[1]


@pytest.mark.parametrize(
    ("call", "shape", "kind"),
    [
        (lambda x: tf.signal.stft(x, 16, 8), (64,), "tf.signal.stft"),
        (lambda x: tf.linalg.svd(x)[0], (6, 6), "tf.linalg.svd"),
        (lambda x: tf.math.segment_sum(x, [0]), (6, 4), "tf.math.segment_sum"),
        (lambda x: tf.scan(lambda a, b: a + b, x), (6, 4), "tf.scan"),
        (lambda x: tf.nn.crelu(x), (6, 4), "tf.nn.crelu"),  # noqa: PLW0108  # as a program has it
        (lambda x: tf.boolean_mask(x, [True, False], axis=1), (2, 4), "tf.boolean_mask"),
        (lambda x: tf.image.resize(x, [4, 4], method="area"), (8, 8, 3), "tf.image.resize"),
        (lambda x: tf.image.resize_with_crop_or_pad(x, 4, 9), (8, 8, 3),
         "tf.image.resize_with_crop_or_pad"),
        (lambda x: tf.linalg.band_part(x, 1, 1), (6, 6), "tf.linalg.band_part"),
        (lambda x: tf.where(x > 0), (6, 4), "keras.ops.Where"),
        (lambda x: tf.sort(x), (6, 4), "tf.sort"),  # noqa: PLW0108  # likewise
        (lambda x: tf.reduce_sum(x), (6, 4), "keras.ops.Sum"),  # noqa: PLW0108  # likewise
    ],
)  # fmt: skip
def test_a_call_without_a_rule_is_one_row_under_its_name(call: Any, shape: Any, kind: str) -> None:
    live, text = unpriced(call, shape)
    assert live.kind == text.kind == kind
    assert live.parameter_count == text.parameter_count == 0


def test_what_a_sort_gives_is_known_although_its_work_is_not() -> None:
    inputs = tf_keras.Input((6, 4))
    built = tf_keras.Model(inputs, new.Dense(3)(tf.math.top_k(inputs, 2)[0]))
    assert network(built).macs == network(built.to_json()).macs == 6 * 2 * 3


@pytest.mark.parametrize("call", ["where", "boolean_mask", "shuffle"])
def test_what_may_not_be_of_one_example_is_not_counted_as_if_it_were(call: str) -> None:
    inputs = tf_keras.Input((4,))
    made = {
        "where": lambda: tf.cast(tf.where(inputs > 0), "float32"),
        "boolean_mask": lambda: tf.boolean_mask(inputs, inputs[:, 0] > 0),
        "shuffle": lambda: tf.reshape(inputs, tf.cast(tf.reduce_max(inputs[:1] * 0) + 8, "int32")
                                      [tf.newaxis] * [1])[:, tf.newaxis],
    }[call]()  # fmt: skip
    found = network(tf_keras.Model(inputs, new.Dense(3)(made)))
    assert found.macs == 0
    assert isinstance(found.layers[-1], UnknownLayer)


def test_a_result_that_is_not_read_refuses_no_network() -> None:
    inputs = tf_keras.Input((8, 8, 4))
    held = [ones(4)] * 4
    outputs = tf.compat.v1.nn.fused_batch_norm(inputs, *held, is_training=False)
    found = network(tf_keras.Model(inputs, outputs))
    assert kinds(found) == "BatchNorm"
    assert output_shapes(found) == [(8, 8, 4)]


# ------------------------------------------------------------------ damaged files


def text_of(name: str, *node: Any, shape: Any = (8, 8, 4)) -> str:
    inputs = {"name": "in", "batch_input_shape": [None, *shape]}
    function = {"name": "f", "function": name, "dtype": "float32", "trainable": True}
    layers = [
        {"class_name": "InputLayer", "config": inputs, "name": "in", "inbound_nodes": []},
        {"class_name": "TFOpLambda", "config": function, "name": "f", "inbound_nodes": [*node]},
    ]
    config = {
        "name": "net", "layers": layers, "input_layers": [["in", 0, 0]],
        "output_layers": [["f", 0, 0]],
    }  # fmt: skip
    return json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.15.0"})


KERNEL = ones(3, 3, 4, 8).tolist()
DAMAGED: list[tuple[str, Any, str]] = [
    ("linalg.matmul", {}, "lacks b"),
    ("linalg.matmul", {"b": KERNEL, "transpose_c": True}, "called with transpose_c=True"),
    ("nn.conv2d", {"filters": KERNEL, "padding": 3}, "called with padding=3"),
    ("nn.conv2d", {"filters": KERNEL, "padding": [[0, 1]]}, r"called with padding=\(\(0, 1\),\)"),
    ("nn.conv2d", {"filters": KERNEL, "padding": "SAME", "strides": "2"}, "strides='2'"),
    ("nn.conv2d", {"filters": KERNEL, "padding": "SAME", "strides": [1, 2, 3]}, "strides="),
    ("nn.conv2d", {"filters": KERNEL, "padding": "SAME", "data_format": "X"}, "data_format='X'"),
    ("nn.conv2d", {"filters": KERNEL, "padding": "SAME", "dilations": True}, "dilations=True"),
    ("nn.max_pool2d", {"ksize": None, "strides": None, "padding": "SAME"}, "strides=None"),
    ("image.resize", {"size": 3}, "called with size=3"),
    ("image.resize", {"size": [3, "4"]}, "called with size="),
    ("image.resize", {"size": [3, 4], "method": "blurred"}, "method='blurred'"),
    ("image.resize", {"size": [3, 4], "method": [1]}, "method="),
    ("image.resize", {"size": [3, 4], "preserve_aspect_ratio": True}, "preserve_aspect_ratio"),
    ("image.central_crop", {"central_fraction": 7}, "central_fraction=7"),
    ("compat.v1.pad", {"paddings": [[1, 1]]}, "paddings="),
    ("compat.v1.pad", {"paddings": [[0, 0], [1, -1], [0, 0], [0, 0]]}, "paddings="),
    ("compat.v1.pad", {"paddings": [[0, 0]] * 4, "mode": "WRAP"}, "mode='WRAP'"),
    ("slice", {"begin": [0, 0], "size": 3}, "begin="),
    ("slice", {"begin": [0, "x", 0, 0], "size": [1, 1, 1, 1]}, "size="),
    ("linalg.band_part", {"num_lower": "a", "num_upper": 1}, "num_lower='a'"),
    ("clip_by_value", {"clip_value_min": ["in", 0, 0], "clip_value_max": 1}, "a number is"),
    ("split", {"num_or_size_splits": ["a", "b"]}, "unsupported operand"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), DAMAGED)
def test_a_call_that_no_rule_understands_is_one_row_with_the_reason(
    name: str, arguments: Any, words: str
) -> None:
    layer = network(text_of(name, ["in", 0, 0, arguments])).layers[-1]
    assert layer.kind == f"tf.{name.removeprefix('compat.v1.')}"
    work = work_of(layer)
    assert isinstance(work, Unpriced)
    assert re.search(words, work.reason)


WRONG: list[tuple[str, Any, str]] = [
    ("compat.v1.gather", {"indices": [0], "batch_dims": "x"}, "'batch_dims' is 'x'"),
    ("reshape", {"shape": "x"}, "'newshape' is 'x'"),
    ("nn.depth_to_space", {"block_size": 3}, "4 does not divide by 9"),
    ("nn.depth_to_space", {"block_size": "b"}, "'block_size' is 'b'"),
    ("tile", {"multiples": "x"}, "'repeats' is 'x'"),
    ("nn.conv2d", {"filters": ones(3, 3, 5, 8).tolist(), "padding": "SAME"}, "do not divide"),
    ("linalg.matmul", {"b": ones(3, 8, 5).tolist()}, "cannot be summed together|axes"),
    ("expand_dims", {"axis": 9}, "no axis 9"),
    ("math.reduce_mean", {"axis": "x"}, "'axis' is 'x'"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
def test_a_call_that_is_wrong_is_an_error_that_names_it(
    name: str, arguments: Any, words: str
) -> None:
    with pytest.raises((ReadError, ShapeError), match=rf"layer 'f' of kind .*({words})"):
        network(text_of(name, ["in", 0, 0, arguments]))


def test_a_value_of_shapes_that_is_not_there_is_one_row_with_the_reason() -> None:
    inputs = tf_keras.Input((6, 4), name="in")
    text = tf_keras.Model(inputs, tf.shape(inputs)[1] * 2).to_json()
    damaged = text.replace('"slice_spec": 1', '"slice_spec": 7')
    assert damaged != text
    found = network(damaged)
    assert "there is no element 7 in 3" in str(work_of(found.layers[2]))
    assert network(text).layers[2].kind == "keras.FromShapes"


def test_a_part_of_a_shape_that_is_empty_is_one_row_with_the_reason() -> None:
    inputs = tf_keras.Input((6, 4), name="in")
    text = tf_keras.Model(inputs, tf.shape(inputs)[1:3] * 2).to_json()
    damaged = text.replace('"start": 1', '"start": 3')
    assert damaged != text
    assert "expected numbers that follow from shapes" in str(work_of(network(damaged).layers[2]))


def repeated(name: str, times: int, node: Any) -> str:
    """The text of a network whose functions each work on what the one before makes of a shape."""
    config = json.loads(text_of("compat.v1.shape", ["in", 0, 0, {}]))
    layers = config["config"]["layers"]
    # The number of axes is a number, which the length of the batch is not.
    layers[1]["config"]["function"] = "compat.v1.shape" if name == "concat" else "compat.v1.rank"
    for place in range(times):
        source, own = ("f", *[f"g{number}" for number in range(times)])[place : place + 2]
        function = {**layers[1]["config"], "name": own, "function": name}
        inbound = [node([source, 0, 0])]
        layers.append({**layers[1], "name": own, "config": function, "inbound_nodes": inbound})
    config["config"]["output_layers"] = [[f"g{times - 1}", 0, 0]]
    return json.dumps(config)


@pytest.mark.parametrize(
    ("name", "node", "words"),
    [
        ("math.multiply", lambda each: [*each, {"y": each}], "larger than any length"),
        ("math.pow", lambda each: [*each, {"y": 10**9}], "a power of 1e"),
        ("concat", lambda each: [[*each, {"axis": 0}], each], "numbers follow from shapes"),
    ],
)
def test_values_of_shapes_do_not_fill_the_memory(name: str, node: Any, words: str) -> None:
    works = map(work_of, network(repeated(name, 40, node)).layers)
    reasons = [work.reason for work in works if isinstance(work, Unpriced)]
    assert re.search(words, reasons[0])


# ------------------------------------------------------------------ within other layers


def test_functions_within_a_model_for_every_step_are_counted_for_every_step() -> None:
    step = tf_keras.Input((6, 4))
    turned = tf.reshape(step, (tf.shape(step)[0], 4, 6))
    inner = tf_keras.Model(step, tf.nn.relu(tf.matmul(turned, step)))
    steps = tf_keras.Input((5, 6, 4))
    built = tf_keras.Model(steps, new.TimeDistributed(inner)(steps))
    for source in (built, built.to_json()):
        found = network(source)
        assert found.macs == 5 * 4 * 4 * 6
        assert output_shapes(found) == [(5, 4, 4)]


def test_functions_within_a_model_that_is_called_twice_are_counted_twice() -> None:
    inputs = tf_keras.Input((6, 4))
    inner = tf_keras.Model(inputs, tf.matmul(inputs, ones(4, 4)), name="inner")
    outer = tf_keras.Input((6, 4))
    built = tf_keras.Model(outer, inner(inner(outer)))
    for source in (built, built.to_json()):
        assert network(source).macs == 2 * 6 * 4 * 4


def test_a_layer_may_take_what_follows_from_shapes() -> None:
    inputs = tf_keras.Input((6, 4))
    zeros = tf.zeros((tf.shape(inputs)[0], 2, 4))
    built = tf_keras.Model(inputs, new.Dense(3)(new.Concatenate(axis=1)([inputs, zeros])))
    for source in (built, built.to_json()):
        assert network(source).macs == 8 * 4 * 3


def test_a_table_that_a_layer_holds_is_counted_once() -> None:
    tokens = tf_keras.Input((6,))
    words = new.Embedding(11, 4)
    built = tf_keras.Model(tokens, tf.matmul(words(tokens), words.embeddings, transpose_b=True))
    found = network(built)
    assert found.parameter_count == built.count_params() == 44
    assert found.macs == 6 * 4 * 11
