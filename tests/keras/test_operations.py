"""Functions of keras.ops as layers, against Keras itself."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from keras import layers, ops
from operation_cases import CASES, LINE, ONES, PRODUCTS, all_operations, built
from workload_checks import check_workload
from worlds import REGISTRY, SHIPPED

from costmodel import Scenario, Unpriced, estimate, read
from costmodel.errors import ReadError, ShapeError
from costmodel.network.layer import UnknownLayer, work_of
from costmodel_keras.layers.operations import OPERATIONS
from costmodel_keras.layers.operations.sorting import Sort, TopK
from costmodel_keras.layers.operations.unsupported import BATCHLESS, REASONS

SCHEMA = Draft202012Validator(
    json.loads((files("costmodel.network") / "network.schema.json").read_text())
)
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.label)
def model(request: pytest.FixtureRequest) -> Any:
    """A model of one call."""
    return built(request.param)


def test_every_output_has_keras_own_shape(model: Any) -> None:
    network = read(model, registry=REGISTRY)
    assert not [layer for layer in network.layers if isinstance(layer, UnknownLayer)]
    for port, tensor in zip(network.outputs, model.outputs, strict=True):
        ours = network.layer(port.layer).outputs[port.output].shape
        # Keras leaves an axis open that a reshape to an unknown batch settles.
        known = [
            one if two is None else two for one, two in zip(ours, tensor.shape[1:], strict=True)
        ]
        assert list(ours) == known


# The laws that need no Keras, such as work or a reason, are those of contracts/test_layers.py,
# which runs them on all of these functions.


def test_the_live_model_its_json_and_the_form_of_our_own_are_one_network(model: Any) -> None:
    network = read(model, registry=REGISTRY)
    assert read(model.to_json(), registry=REGISTRY) == network
    written = network.to_json()
    assert read(written, registry=REGISTRY) == network
    SCHEMA.validate(json.loads(written))


def test_every_function_has_a_workload(model: Any) -> None:
    check_workload(read(model, registry=REGISTRY))


def test_every_operation_of_keras_has_a_rule_or_a_reason() -> None:
    ruled = {kind for rule in OPERATIONS for kind in rule.kinds}
    assert ruled == {f"keras.ops.{name}" for name in all_operations()}


def test_every_operation_that_has_a_rule_is_tried() -> None:
    tried = {layer.kind for case in CASES for layer in read(built(case), registry=REGISTRY).layers}
    ruled = {kind for rule in OPERATIONS for kind in rule.kinds}
    ruled -= {*REASONS, *BATCHLESS, *Sort.kinds, *TopK.kinds}
    # Keras writes both as one function, and makes the other class for neither.
    assert ruled - tried == {"keras.ops.Abs"}


def test_all_calls_in_one_model_are_the_same_from_its_file(tmp_path: Path) -> None:
    models = [built(case) for case in CASES]
    inputs = [tensor for model in models for tensor in model.inputs]
    whole = keras.Model(inputs, [tensor for model in models for tensor in model.outputs])
    whole.save(tmp_path / "all.keras")
    from_file = read(tmp_path / "all.keras", registry=REGISTRY)
    live = read(whole, registry=REGISTRY)
    assert from_file == live
    scenario = Scenario(rates=10.0)
    bill = estimate(live, SHIPPED, scenario=scenario, registry=REGISTRY, on_unpriced="bound")
    assert bill.coverage("horowitz-45nm").is_complete
    assert bill.coverage("cpu").is_complete


# ------------------------------------------------------------------ counts


COUNTED = [
    case
    for case in PRODUCTS
    if not any(
        word in case.label
        for word in ("attention", "cdist", "same", "image", "bij->b", "sep", "conv_t")
    )
]
"""Products of which each adds exactly one to the output where all operands are ones."""


@pytest.mark.parametrize("case", COUNTED, ids=lambda case: case.label)
def test_the_products_that_keras_adds_up_are_the_multiply_accumulates(case: Any) -> None:
    model = built(case)
    ones = [np.ones((1, *shape), np.float32) for shape in case.shapes]
    scale = 2 if "2.0" in case.label else 1
    total = float(np.sum(model(ones))) / scale
    network = read(model, registry=REGISTRY)
    assert network.macs == total


def work(shapes: Any, call: Any) -> Any:
    """The operations by type of one call, over all of its layers."""
    tensors = [keras.Input(shape) for shape in shapes]
    network = read(keras.Model(tensors, call(*tensors)), registry=REGISTRY)
    counts: Counter[str] = Counter()
    for layer in network.layers:
        found = layer.operators()
        for operator in () if hasattr(found, "reason") else found:
            counts.update(operator.operations)
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize(
    ("shapes", "call", "expected"),
    [
        ([(4, 6)], lambda x: x + 1.0, {"add": 24}),
        ([(4, 1), (1, 6)], lambda x, y: x * y, {"multiply": 24}),
        ([(4, 6)], lambda x: ops.clip(x, 0, 1), {"compare": 48}),
        ([(4, 6)], lambda x: x % 3, {"divide": 24, "activation": 24, "multiply": 24, "add": 24}),
        ([(4, 6)], lambda x: ops.where(x > 0, x, 0.0), {"compare": 24, "select": 24}),
        ([(4, 6)], lambda x: ops.sum(x, axis=-1), {"add": 4 * 5}),
        ([(4, 6)], lambda x: ops.mean(x, axis=-1), {"add": 4 * 5, "multiply": 4}),
        ([(4, 6)], lambda x: ops.argmax(x, axis=1), {"compare": 6 * 3}),
        ([(4, 6)], lambda x: ops.prod(x, axis=1), {"multiply": 6 * 3}),
        ([(4, 6)], lambda x: ops.min(x, axis=1), {"compare": 6 * 3}),
        # A mean, then differences, their squares and the mean of these
        (
            [(4, 6)],
            lambda x: ops.var(x, axis=-1),
            {"add": 2 * 4 * 5 + 24, "multiply": 2 * 4 + 24},
        ),
        (
            [(4, 6)],
            lambda x: ops.logsumexp(x, axis=-1),
            {"compare": 4 * 5, "add": 24 + 4 * 5 + 4, "activation": 24 + 4},
        ),
        ([(4, 6)], lambda x: ops.norm(x, axis=-1), {"multiply": 24, "add": 20, "activation": 4}),
        ([(4, 6)], lambda x: ops.einsum("bij->bi", x), {"add": 20}),
        ([(4, 6)], lambda x: ops.diff(x, n=2), {"add": 4 * 5 + 4 * 4}),
        ([(4, 6)], lambda x: ops.digitize(x, ONES((7,))), {"compare": 24 * 3}),
        ([(4, 6)], lambda x: ops.isin(x, ONES((7,), "float32")), {"compare": 24 * 7}),
        ([(8, 6, 4)], lambda x: ops.max_pool(x, 2), {"compare": 4 * 3 * 4 * 3}),
        # Windows of 3, 4 and 3 of 8 by windows of 3 and 3 of 6
        (
            [(4, 8, 6)],
            lambda x: ops.adaptive_max_pool(x, (3, 2), data_format="channels_first"),
            {"compare": 4 * 2 * ((9 - 1) * 2 + (12 - 1))},
        ),
        ([(8, 6, 4)], lambda x: ops.image.resize(x, (4, 5)), {"multiply-add": 4 * 5 * 4 * 4}),
        ([(8, 6, 3)], ops.image.rgb_to_grayscale, {"multiply-accumulate": 8 * 6 * 3}),
        (
            [(8, 6, 4)],
            lambda x: ops.separable_conv(x, ONES((3, 3, 4, 2)), ONES((1, 1, 8, 5))),
            {"multiply-accumulate": 6 * 4 * 8 * 9 + 6 * 4 * 8 * 5},
        ),
        (
            [(8, 6, 4)],
            lambda x: ops.conv_transpose(x, ONES((3, 3, 5, 4)), 2, data_format="channels_last"),
            {"multiply-accumulate": 8 * 6 * 4 * 9 * 5},
        ),
        ([(4, 6)], lambda x: ops.transpose(x, (0, 2, 1))[:, 0], {}),
        (
            [(4, 3, 8), (5, 3, 8)],
            lambda q, k: ops.dot_product_attention(q, k, k),
            {"multiply-accumulate": 2 * 4 * 5 * 3 * 8, "multiply": 60, "activation": 60},
        ),
    ],
)
def test_the_operations_are_those_of_the_definition(shapes: Any, call: Any, expected: Any) -> None:
    assert work(shapes, call) == expected


# ------------------------------------------------------------------ constants


def one(shape: Any, call: Any) -> Any:
    tensor = keras.Input(shape)
    return read(keras.Model(tensor, call(tensor)), registry=REGISTRY).layers[-1]


def test_a_constant_of_a_function_takes_part_in_its_work_and_is_not_a_parameter() -> None:
    layer = one(LINE, lambda x: x + ONES((6,)))
    assert layer.parameter_count == 0
    assert [tensor.shape for tensor in layer.operators()[0].weights] == [(6,)]
    assert one(LINE, lambda x: x + 1.0).parameter_count == 0


def test_rows_of_a_constant_table_are_looked_up() -> None:
    layer = one((4,), lambda x: ops.take(ONES((9, 5)), x, axis=0))
    (operator,) = layer.operators()
    assert type(operator).__name__ == "Gather"
    assert [tensor.size for tensor in operator.weights] == [45]
    assert layer.parameter_count == 0


# ------------------------------------------------------------------ open axes


def over_any_length(x: Any) -> list[Any]:
    scores = ops.softmax(ops.einsum("btf,bsf->bts", x, x))[:, 1:]
    padded = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
    return [
        scores,
        ops.mean(ops.concatenate([scores, scores], axis=1), axis=-1),
        ops.matmul(padded, ops.transpose(padded, (0, 2, 1))),
        ops.split(x, 2, axis=-1)[1],
        ops.tile(x, (1, 2, 1)),
        ops.stack([x, x], axis=2),
        ops.cumsum(x, axis=1) * 2,
    ]


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_open_axes_once_bound_are_those_of_a_network_built_for_them(source: Any) -> None:
    free, fixed = keras.Input((None, 8), name="words"), keras.Input((10, 8), name="words")
    model = keras.Model(free, over_any_length(free))
    bound = read(source(model), input_shapes={"words": (10, 8)}, registry=REGISTRY)
    built_for_it = read(keras.Model(fixed, over_any_length(fixed)), registry=REGISTRY)
    assert bound.is_bound
    assert bound.macs == built_for_it.macs == 10 * 10 * 8 + 12 * 12 * 8
    assert [layer.outputs for layer in bound.layers] == [
        layer.outputs for layer in built_for_it.layers
    ]


def test_a_length_at_which_examples_are_mixed_is_refused_or_unpriced() -> None:
    inputs = keras.Input((None, 8), name="words")
    model = keras.Model(inputs, ops.reshape(inputs, (-1, 80)))
    assert read(model, input_shapes={"words": (10, 8)}, registry=REGISTRY).is_bound
    with pytest.raises(ShapeError, match=r"'reshape.*' of kind 'keras.ops.Reshape': for these"):
        read(model, registry=REGISTRY).bind({"words": (11, 8)})
    mixed = read(model, input_shapes={"words": (11, 8)}, registry=REGISTRY).layers[-1]
    assert "88*batch elements does not divide by 80" in mixed.operators().reason


# ------------------------------------------------------------------ what stays unpriced


UNRULED = {
    "the batch summed": (lambda x: ops.sum(x, axis=0), "its result has no batch axis"),
    "everything summed": (ops.sum, "its result has no batch axis"),
    "one example": (lambda x: x[0], "its result has no batch axis"),
    "some examples": (lambda x: x[1:, :], "it takes some of the examples"),
    "every other example": (lambda x: x[::2, :], "it takes some of the examples"),
    "examples taken apart": (
        lambda x: ops.unstack(x, 2)[0],
        "takes the examples of the batch apart",
    ),
    "examples padded": (lambda x: ops.pad(x, 1), "elements beside the examples of the batch"),
    "a constant beside the examples": (
        lambda x: ops.concatenate([ops.ones((1, 4, 6)), x], axis=0),
        "rows of no example stand beside those of the batch",
    ),
    "differences between examples": (lambda x: ops.diff(x, axis=0), "differences between examples"),
    "a diagonal through the batch": (ops.diagonal, "its diagonal runs along the batch"),
    "windows that not every batch divides into": (
        lambda x: ops.reshape(x, (-1, 5)),
        "24*batch elements does not divide by 5",
    ),
    "examples by examples": (
        lambda x: ops.tensordot(x, ops.transpose(x), axes=1),
        "its result has several batch axes",
    ),
    "a sum over the batch": (
        lambda x: ops.einsum("bij,bjk->ik", x, ops.transpose(x, (0, 2, 1))),
        "sums over the batch",
    ),
    "three operands": (
        lambda x: ops.einsum("bij,jk,kl->bil", x, ONES((6, 5)), ONES((5, 4))),
        "order in which more than two",
    ),
    "a sort": (ops.sort, "how many comparisons a sort takes"),
    "an order": (ops.argsort, "how many comparisons a sort takes"),
    "a partition": (lambda x: ops.argpartition(x, 2), "how many comparisons a sort takes"),
    "the greatest": (lambda x: ops.top_k(x, 2)[0], "how many comparisons a sort takes"),
    "a sort of examples": (lambda x: ops.sort(x, axis=0), "no part of it is that of one"),
    "greatest examples": (lambda x: ops.top_k(ops.transpose(x), 2)[0], "no part of it is that"),
    "a decomposition": (lambda x: ops.svd(x)[0], "matrix algorithm"),
    "a Fourier transform": (lambda x: ops.rfft(x)[0], "Fourier transform"),
    "a loop over steps": (
        lambda x: ops.scan(lambda held, step: (held + step, held), x[:, 0], ops.swapaxes(x, 0, 1))[
            1
        ],
        "function of the program",
    ),
    "a loop": (lambda x: ops.vectorized_map(lambda y: y, x), "function of the program"),
    "a filter": (
        lambda x: ops.image.resize(ops.expand_dims(x, -1), (2, 2), antialias=True),
        "against aliasing",
    ),
}


@pytest.mark.parametrize(("call", "reason"), UNRULED.values(), ids=UNRULED.keys())
def test_what_has_no_honest_count_is_unpriced_for_its_reason(call: Any, reason: str) -> None:
    inputs = keras.Input(LINE, name="in")
    model = keras.Model(inputs, [call(inputs), inputs])
    network = read(model, registry=REGISTRY)
    work = [work_of(layer) for layer in network.layers]
    reasons = [one.reason for one in work if isinstance(one, Unpriced)]
    assert [reason in one for one in reasons] == [True]


def test_what_is_behind_a_sort_of_a_folded_batch_is_counted() -> None:
    class Routed(layers.Layer):
        def call(self, x: Any) -> Any:
            best, places = ops.top_k(ops.reshape(x, (-1, 6)), 2)
            order = ops.argsort(best)
            picked = ops.one_hot(places, 6) * ops.expand_dims(ops.cast(order, "float32"), -1)
            return ops.reshape(ops.sum(picked, axis=-2), (-1, 4, 6))

    inputs = keras.Input(LINE)
    network = read(keras.Model(inputs, layers.Dense(5)(Routed()(inputs))), registry=REGISTRY)
    coverage = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert [name.rpartition("/")[2] for name in coverage.unpriced] == ["top_k", "argsort"]
    assert network.macs == 4 * 6 * 5


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_nothing_is_priced_behind_a_result_that_mixes_examples(source: Any) -> None:
    inputs = keras.Input(LINE)
    mixed = ops.expand_dims(ops.sum(inputs, axis=0), 0)
    model = keras.Model(inputs, [layers.Dense(5, name="behind")(mixed), layers.Dense(2)(inputs)])
    network = read(source(model), registry=REGISTRY)
    coverage = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert "behind" in coverage.unpriced
    assert network.macs == 4 * 6 * 2


def test_each_function_without_a_rule_names_its_reason() -> None:
    assert all(len(reason) > 20 for reason in REASONS.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"newshape": "x"}, "expected a whole number"),
        ({"newshape": [-1, 2.5]}, "expected a whole number"),
        ({"newshape": [-1, 0]}, "not an axis length"),
    ],
)
def test_a_damaged_setting_of_a_function_is_refused(changes: Any, message: str) -> None:
    inputs = keras.Input(LINE)
    config = json.loads(
        keras.Model(inputs, layers.Dense(2)(ops.reshape(inputs, (-1, 24)))).to_json()
    )
    config["config"]["layers"][1]["config"].update(changes)
    with pytest.raises((ReadError, ShapeError), match=message):
        read(json.dumps(config), registry=REGISTRY)
