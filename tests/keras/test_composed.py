"""Layers as people write them: weights of their own, functions of keras.ops, layers of layers."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from worlds import REGISTRY

from costmodel import estimate, read
from costmodel.network.layer import UnknownLayer


class Weighted(layers.Layer):
    """A layer of one call and of weights whose shapes follow from the last axis of its input."""

    def __init__(self, call: Any, *shapes: Any) -> None:
        super().__init__()
        self.function, self.shapes = call, shapes

    def build(self, shape: Any) -> None:
        depth = shape[0][-1] if isinstance(shape, list) else shape[-1]
        self.held = [
            self.add_weight(shape=[depth if axis == "depth" else axis for axis in axes])
            for axes in self.shapes
        ]

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, *self.held)


class Own(layers.Dense):
    """A class of the program, with nothing of its own."""


class Halved(layers.Conv2D):
    """A known layer and a step behind it."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) * 0.5


class Mixture(layers.Layer):
    """Several layers, of which a learnt gate takes the mean."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.experts = [layers.Dense(width, activation="relu") for _ in range(count)]
        self.gate = layers.Dense(count, activation="softmax")

    def call(self, x: Any) -> Any:
        answers = ops.stack([expert(x) for expert in self.experts], axis=-1)
        return ops.sum(answers * ops.expand_dims(self.gate(x), 1), axis=-1)


class Excited(layers.Layer):
    """Channels weighted by what is in them."""

    def build(self, shape: Any) -> None:
        self.squeeze = layers.GlobalAveragePooling2D(keepdims=True)
        self.narrow = layers.Dense(shape[-1] // 4, activation="relu")
        self.wide = layers.Dense(shape[-1], activation="sigmoid")

    def call(self, x: Any) -> Any:
        return x * self.wide(self.narrow(self.squeeze(x)))


class Transformer(layers.Layer):
    """Attention and a perceptron, each with a residual and a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.perceptron = keras.Sequential(
            [layers.Dense(2 * width, activation="gelu"), layers.Dense(width)]
        )
        self.first, self.second = layers.LayerNormalization(), layers.LayerNormalization()
        self.drop = layers.Dropout(0.1)

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  # Keras's own form
        x = self.first(x + self.drop(self.attention(x, x), training=training))
        return self.second(x + self.perceptron(x))


def linear(x: Any, weight: Any, bias: Any) -> Any:
    return ops.matmul(x, weight) + bias


def responses(x: Any, scale: Any, offset: Any) -> Any:
    norm = ops.sqrt(ops.sum(ops.square(x), axis=(1, 2), keepdims=True))
    return scale * (x * norm / (ops.mean(norm, axis=-1, keepdims=True) + 1e-6)) + offset + x


def attended(x: Any, weight: Any) -> Any:
    return ops.sum(x * ops.softmax(ops.tanh(ops.dot(x, weight)), axis=1), axis=1)


def factorised(x: Any, factors: Any) -> Any:
    both = ops.square(ops.dot(x, factors)), ops.dot(ops.square(x), ops.square(factors))
    return 0.5 * ops.sum(both[0] - both[1], axis=1, keepdims=True)


def crossed(inputs: Any, weight: Any) -> Any:
    first, x = inputs
    return first * (x @ weight) + x


def normalised(x: Any, direction: Any, length: Any) -> Any:
    return ops.matmul(x, direction * length / ops.norm(direction, axis=0))


CASES = {
    "linear of a vector": ([(5,)], lambda: Weighted(linear, ["depth", 4], [4])),
    "linear of rows": ([(7, 5)], lambda: Weighted(linear, ["depth", 4], [4])),
    "linear of an image": ([(3, 7, 5)], lambda: Weighted(linear, ["depth", 4], [4])),
    "a vector by a vector": ([(5,)], lambda: Weighted(ops.matmul, ["depth"])),
    "a weight on the left": ([(4, 5)], lambda: Weighted(lambda x, w: w @ x, [3, 4])),
    "a class of its own": ([(5,)], lambda: Own(3)),
    "a class of its own, of rows": ([(4, 5)], lambda: Own(3)),
    "a step behind a known layer": ([(8, 8, 3)], lambda: Halved(4, 3)),
    "scale": ([(6, 8)], lambda: Weighted(lambda x, scale: scale * x, ["depth"])),
    "from the left": (
        [(6, 8)],
        lambda: Weighted(lambda x, w: (w - x) / (w + x) - w**2 // (w % x + w**x), ["depth"]),
    ),
    "compared from the left": (
        [(6, 8)],
        lambda: Weighted(lambda x, w: ops.where(w > x, x, ops.where(w <= x, 1.0, 2.0)), ["depth"]),
    ),
    "response norm": ([(6, 6, 8)], lambda: Weighted(responses, [1, 1, 1, "depth"], ["depth"])),
    "attention over time": ([(5, 6)], lambda: Weighted(attended, ["depth", 1])),
    "factorisation machine": ([(6,)], lambda: Weighted(factorised, ["depth", 4])),
    "cross network": ([(6,), (6,)], lambda: Weighted(crossed, ["depth", 6])),
    "weight norm": ([(6,)], lambda: Weighted(normalised, ["depth", 3], [3])),
    "mixture": ([(6,)], lambda: Mixture(4, 3)),
    "squeeze and excite": ([(6, 6, 8)], Excited),
    "transformer": ([(7, 16)], lambda: Transformer(16, 4)),
}


@functools.cache
def built(name: str) -> Any:
    shapes, make = CASES[name]
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs, make()(inputs if len(inputs) > 1 else inputs[0]))


@pytest.mark.parametrize("name", CASES)
def test_a_composed_layer_counts_what_its_graph_computes(name: str) -> None:
    model = built(name)
    network = read(model, registry=REGISTRY)
    assert network.macs == multiply_accumulates(model)
    assert network.parameter_count == model.count_params()
    assert [layer.outputs[0].shape for layer in network.layers if layer.outputs][-1] == tuple(
        model.outputs[0].shape[1:]
    )


@pytest.mark.parametrize("name", CASES)
def test_every_part_of_a_composed_layer_has_a_price(name: str) -> None:
    found = estimate(built(name), ["cpu", "horowitz-45nm"], registry=REGISTRY)
    assert found.coverage("cpu").is_complete
    assert found.coverage("horowitz-45nm").is_complete


def test_a_loss_is_not_work_of_an_inference() -> None:
    class Regularised(layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(0.1 * ops.mean(ops.square(x)))
            return x * 2.0

    layer = Regularised()
    inputs = keras.Input((6,))
    network = read(keras.Model(inputs, layer(inputs)), registry=REGISTRY)
    assert [found.kind for found in network.layers] == ["keras.InputLayer", "keras.ops.Multiply"]
    layer(np.ones((2, 6), "float32"))
    assert len(layer.losses) == 1


def test_a_choice_between_functions_stays_closed() -> None:
    double = Weighted(lambda x: ops.cond(ops.sum(x) > 0, lambda: x, lambda: -x))
    inputs = keras.Input((6,))
    network = read(keras.Model(inputs, double(inputs)), registry=REGISTRY)
    (closed,) = [layer for layer in network.layers if isinstance(layer, UnknownLayer)]
    assert closed.reason.endswith("it runs a function of the program that reads tensors of its own")


@pytest.mark.parametrize("name", ["scale", "transformer"])
def test_weights_are_as_they_were_after_reading(name: str) -> None:
    model = built(name)
    classes = [type(weight) for weight in model.weights]
    read(model, registry=REGISTRY)
    assert [type(weight) for weight in model.weights] == classes
    shape = (1, *model.inputs[0].shape[1:])
    assert np.isfinite(np.asarray(model([np.ones(shape, "float32")]))).all()


def test_a_model_that_many_threads_read_is_left_as_it_was() -> None:
    model = built("transformer")
    classes = [type(weight) for weight in model.weights]
    alone = read(model, registry=REGISTRY)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: read(model, registry=REGISTRY), range(24)))
    assert all(network == alone for network in found)
    assert [type(weight) for weight in model.weights] == classes


def test_a_code_book_for_rows_folded_into_the_batch_is_counted_for_one_example() -> None:
    def quantised(x: Any, book: Any) -> Any:
        rows = ops.reshape(x, (-1, 8))
        chosen = ops.one_hot(ops.argmin(ops.matmul(rows, book), axis=1), 16)
        return ops.reshape(ops.matmul(chosen, ops.transpose(book)), ops.shape(x))

    inputs = keras.Input((4, 8))
    model = keras.Model(inputs, layers.Dense(3)(Weighted(quantised, ["depth", 16])(inputs)))
    network = read(model, registry=REGISTRY)
    assert network.macs == 2 * 4 * 8 * 16 + 4 * 8 * 3
    assert network.macs == multiply_accumulates(model)
    assert estimate(network, "cpu", registry=REGISTRY).coverage("cpu").is_complete


def test_what_follows_a_sum_over_the_batch_is_unpriced() -> None:
    """Its recorded shapes are of all examples together, and would be counted as those of one."""

    def centred(x: Any, weight: Any) -> Any:
        return ops.matmul(x - ops.mean(x, axis=0, keepdims=True), weight)

    inputs = keras.Input((4, 8))
    model = keras.Model(inputs, layers.Dense(3)(Weighted(centred, ["depth", 8])(inputs)))
    network = read(model, registry=REGISTRY)
    assert network.macs == 0
    said = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert said.macs.total is None
    assert "no batch axis" in next(iter(said.unpriced.values()))[0]


def test_a_product_of_examples_by_examples_is_unpriced() -> None:
    inputs = keras.Input((6,))
    similarity = Weighted(lambda x: ops.matmul(x, ops.transpose(x)))
    model = keras.Model(inputs, similarity(inputs))
    found = estimate(model, "cpu", registry=REGISTRY, on_unpriced="bound")
    ((reason,),) = found.coverage("cpu").unpriced.values()
    assert reason.startswith("its result has several batch axes")
