"""Work on weights and constants alone has a row: free, because it is done once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from holding import Holding, HoldingModel, around, called
from keras import layers, ops
from worlds import REGISTRY

from costmodel import Free, Network, estimate, read
from costmodel.network.layer import work_of


def once(network: Network) -> list[str]:
    """The layers whose work is done once."""
    works = {layer.name: work_of(layer) for layer in network.layers}
    return [
        name
        for name, work in works.items()
        if isinstance(work, Free) and work.reason.startswith("computed once")
    ]


def normed(**settings: Any) -> Any:
    class Normed(layers.Layer):
        def __init__(self) -> None:
            super().__init__(**settings)
            self.norm = layers.LayerNormalization(name="norm")
            self.dense = layers.Dense(8, name="dense")

        def call(self, x: Any) -> Any:
            return x + self.dense(self.norm(x))

    return Normed()


def perceptron() -> Any:
    parts = [layers.Dense(16, name="wide"), layers.Dense(8, name="narrow")]
    return keras.Sequential(parts, name="perceptron")


def dense(name: str = "dense") -> Any:
    return layers.Dense(8, name=name)


def positions(x: Any, table: Any) -> Any:
    return x + table(ops.arange(6))


TABLE = (1, 6, 8)

MODELS: dict[str, tuple[Any, list[str]]] = {
    "a layer on a constant": (
        lambda: around(
            Holding(positions, parts=[layers.Embedding(10, 8, name="table")], name="odd")
        ),
        ["odd/constant", "odd/table"],
    ),
    "a layer on a constant in a model": (
        lambda: called(HoldingModel(positions, parts=[layers.Embedding(10, 8, name="table")])),
        ["constant", "table"],
    ),
    "a layer on a weight": (
        lambda: around(Holding(lambda x, w, d: x + d(w), TABLE, parts=[dense()], name="odd")),
        ["odd/dense"],
    ),
    "a chain of layers": (
        lambda: around(
            Holding(
                lambda x, w, d, e: x + e(d(w)), TABLE, parts=[dense("d"), dense("e")], name="odd"
            )
        ),
        ["odd/d", "odd/e"],
    ),
    "a chain of functions": (
        lambda: around(
            Holding(lambda x, a, b: x @ ops.softmax(ops.matmul(a, b)), (8, 4), (4, 8), name="odd")
        ),
        ["odd/constant"],
    ),
    "a chain of operators": (
        lambda: around(Holding(lambda x, a, b: x @ (a @ b * 2.0), (8, 4), (4, 8), name="odd")),
        ["odd/constant"],
    ),
    "layers and functions in turn": (
        lambda: around(
            Holding(
                lambda x, w, d, e: x + e(ops.relu(d(w)) * 2.0),
                TABLE, parts=[dense("d"), dense("e")], name="odd",
            )
        ),
        ["odd/d", "odd/constant", "odd/e"],
    ),
    "a scalar": (
        lambda: around(Holding(lambda x, w: x * ops.softplus(w), (), name="odd")),
        ["odd/constant"],
    ),
    "a composed layer on a weight": (
        lambda: around(
            Holding(lambda x, w, d: x + d(w), TABLE, parts=[normed(name="normed")], name="odd")
        ),
        ["odd/normed/norm", "odd/normed/dense", "odd/constant"],
    ),
    "a model on a weight": (
        lambda: around(
            Holding(lambda x, w, d: x + d(w), TABLE, parts=[perceptron()], name="odd")
        ),
        ["odd/perceptron/wide", "odd/perceptron/narrow"],
    ),
    "a recurrent layer on a weight": (
        lambda: around(
            Holding(
                lambda x, w, d: x + d(w),
                TABLE, parts=[layers.LSTM(8, return_sequences=True, name="lstm")], name="odd",
            )
        ),
        ["odd/lstm"],
    ),
    "a layer on a weight, and on data": (
        lambda: around(Holding(lambda x, w, d: d(x) + d(w), TABLE, parts=[dense()], name="odd")),
        ["odd/dense"],
    ),
    "a layer on data, and on a weight": (
        lambda: called(HoldingModel(lambda x, w, d: d(d(x) + d(w)), TABLE, parts=[dense()])),
        ["dense"],
    ),
    "a composed layer on a weight, and on data": (
        lambda: around(
            Holding(lambda x, w, d: d(w) + d(x), TABLE, parts=[normed(name="normed")], name="odd")
        ),
        ["odd/normed/norm", "odd/normed/dense", "odd/constant"],
    ),
    "what a model returns": (
        lambda: called(HoldingModel(lambda x, w, d: [d(x), d(w)], TABLE, parts=[dense()])),
        ["dense", "constant"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_work_on_weights_and_constants_alone_has_a_free_row(name: str) -> None:
    make, rows = MODELS[name]
    assert once(read(make(), registry=REGISTRY)) == rows


@pytest.mark.parametrize("name", MODELS)
def test_the_weights_of_work_that_is_done_once_are_counted_once(name: str) -> None:
    model = MODELS[name][0]()
    network = read(model, registry=REGISTRY)
    assert network.parameter_count == model.count_params()
    assert read(network.to_json(), registry=REGISTRY) == network


def test_the_report_says_why_work_on_weights_alone_is_free() -> None:
    make, _ = MODELS["a layer on a weight"]
    free = estimate(make(), "cpu", registry=REGISTRY).coverage("cpu").free
    (reason,) = free["odd/dense"]
    assert reason == (
        "computed once by a 'keras.Dense', from weights and constants alone: "
        "no inference repeats it"
    )


def test_a_weight_itself_is_not_work() -> None:
    model = around(Holding(lambda x, w: x * w, (8,), name="odd"))
    assert not once(read(model, registry=REGISTRY))


def test_a_constant_that_a_layer_holds_since_it_was_made_is_not_work() -> None:
    class Keeping(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.kept = ops.convert_to_tensor(np.ones(8, "float32"))

        def call(self, x: Any) -> Any:
            return x * self.kept

    assert not once(read(around(Keeping()), registry=REGISTRY))


def test_recording_leaves_the_layers_as_they_were() -> None:
    model = around(Holding(lambda x, w, d: x + d(w), TABLE, parts=[dense()], name="odd"))
    before = [sorted(vars(layer)) for layer in model._flatten_layers()]
    read(model, registry=REGISTRY)
    assert [sorted(vars(layer)) for layer in model._flatten_layers()] == before
