"""Attention that programs write with functions of Keras is counted as TensorFlow counts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from worlds import REGISTRY

from costmodel import estimate, read

TOKENS, WIDTH, HEADS = 16, 8, 2


class Attending(layers.Layer):
    """Attention with a term that is added to its scores."""

    def __init__(self, term: Callable[[Any, Any, Any], Any]) -> None:
        super().__init__()
        self.term = term

    def build(self, _: Any) -> None:
        self.table = self.add_weight(shape=(2 * TOKENS - 1, HEADS), name="table")
        self.places = self.add_weight(shape=(10, WIDTH), name="places")

    def call(self, x: Any) -> Any:
        query = heads_of(x)
        scores = ops.einsum("bqhd,bkhd->bhqk", query, query) + self.term(self, x, query)
        attended = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(scores), query)
        return ops.reshape(attended, (-1, TOKENS, WIDTH))


def heads_of(x: Any) -> Any:
    return ops.reshape(x, (-1, *x.shape[1:-1], HEADS, WIDTH // HEADS))


def distances(x: Any) -> Any:
    places = ops.arange(ops.shape(x)[1])
    return places[None, :] - places[:, None]


def alibi(_: Any, x: Any, __: Any) -> Any:
    slopes = ops.power(2.0, -ops.arange(1, HEADS + 1, dtype="float32"))
    return slopes[None, :, None, None] * ops.cast(distances(x), "float32")[None, None]


def relative(layer: Any, x: Any, _: Any) -> Any:
    bias = ops.take(layer.table, distances(x) + TOKENS - 1, axis=0)
    return ops.transpose(bias, (2, 0, 1))[None]


def disentangled(layer: Any, x: Any, query: Any) -> Any:
    keys = ops.repeat(heads_of(layer.places[None]), ops.shape(x)[0], axis=0)
    near = ops.clip(distances(x) + 5, 0, 9)[None, None]
    wanted = ops.broadcast_to(near, (ops.shape(x)[0], HEADS, TOKENS, TOKENS))
    return ops.take_along_axis(ops.einsum("bqhd,bkhd->bhqk", query, keys), wanted, axis=3)


def masked(_: Any, x: Any, __: Any) -> Any:
    return ops.where(ops.tril(ops.ones((TOKENS, TOKENS))) > 0, 0.0, -1e9) * x[:, :1, :1, None]


class Windows(layers.Layer):
    """Attention within windows of an image that is shifted, with a mask of each window."""

    def call(self, x: Any) -> Any:
        shape = ops.shape(x)
        moved = ops.roll(x, (-2, -2), (1, 2))
        parts = ops.reshape(moved, (shape[0], 2, 4, 2, 4, WIDTH))
        windows = ops.reshape(ops.transpose(parts, (0, 1, 3, 2, 4, 5)), (-1, 16, WIDTH))
        scores = ops.reshape(windows @ ops.swapaxes(windows, 1, 2), (shape[0], 4, 16, 16))
        apart = np.where(np.arange(16) % 3 > 0, 0.0, -100.0).astype("float32")
        weights = ops.softmax(ops.reshape(scores + apart, (-1, 16, 16)))
        back = ops.reshape(weights @ windows, (shape[0], 2, 2, 4, 4, WIDTH))
        return ops.roll(ops.reshape(ops.transpose(back, (0, 1, 3, 2, 4, 5)), shape), (2, 2), (1, 2))


class Cached(layers.Layer):
    """One step with the keys of the steps before."""

    def __init__(self) -> None:
        super().__init__()
        self.key = layers.Dense(WIDTH)

    def call(self, x: Any, cache: Any) -> Any:
        keys = ops.slice_update(cache, (0, 3, 0), self.key(x))
        return ops.softmax(x @ ops.swapaxes(keys, 1, 2)) @ keys, keys


def cached() -> Any:
    step, cache = keras.Input((1, WIDTH)), keras.Input((TOKENS, WIDTH))
    return keras.Model([step, cache], Cached()(step, cache))


def on(shape: Any, layer: Any) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


NETWORKS = {
    "alibi": lambda: on((TOKENS, WIDTH), Attending(alibi)),
    "a bias of distances": lambda: on((TOKENS, WIDTH), Attending(relative)),
    "disentangled": lambda: on((TOKENS, WIDTH), Attending(disentangled)),
    "a mask of constants": lambda: on((TOKENS, WIDTH), Attending(masked)),
    "shifted windows": lambda: on((8, 8, WIDTH), Windows()),
    "a cache that is given": cached,
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_attention_of_a_program_is_counted_as_tensorflow_counts_it(make: Any) -> None:
    model = make()
    network = read(model, registry=REGISTRY)
    assert not estimate(network, "cpu", registry=REGISTRY).coverage("cpu").unpriced
    assert network.parameter_count == model.count_params()
    assert network.macs == multiply_accumulates(model)
