"""The workloads of Keras networks, run operator by operator, against what Keras computes.

A wrong link between two operators changes no count; it changes the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from loop_nest import Array
from run_workload import EPSILON, run
from workload_checks import check_workload
from worlds import REGISTRY

import costmodel
from costmodel.workload.graph import Loop, Node, View

BATCH = 2

pytestmark = pytest.mark.filterwarnings(
    # Keras itself, under NumPy 2 and in tensordot of axes
    "ignore:__array__ implementation:DeprecationWarning",
    "ignore:NotImplemented should not be used:DeprecationWarning",
)


def _sequence(*lengths: int) -> Any:
    return keras.Input(lengths or (5, 4))


def recurrent(name: str, shape: tuple[int, ...] = (5, 4), **settings: Any) -> Callable[[], Any]:
    def make() -> Any:
        source = keras.Input(shape)
        given = getattr(layers, name)(**settings)(source)
        return keras.Model(source, given)

    return make


def over_cells(*cells: str) -> Callable[[], Any]:
    def make() -> Any:
        source = _sequence()
        made = [getattr(layers, name)(3 + place) for place, name in enumerate(cells)]
        cell = made[0] if len(made) == 1 else layers.StackedRNNCells(made)
        return keras.Model(source, layers.RNN(cell, return_sequences=True)(source))

    return make


def both_ways(mode: str | None, **settings: Any) -> Callable[[], Any]:
    def make() -> Any:
        source = _sequence()
        layer = layers.Bidirectional(layers.LSTM(3, **settings), merge_mode=mode)
        return keras.Model(source, layer(source))

    return make


def with_a_state() -> Any:
    source, state = _sequence(), keras.Input((3,))
    last, new = layers.GRU(3, return_state=True)(source, initial_state=state)
    return keras.Model([source, state], [last, new])


def heads(*shapes: tuple[int, int], **settings: Any) -> Callable[[], Any]:
    def make() -> Any:
        sources = [keras.Input(shape) for shape in shapes]
        layer = layers.MultiHeadAttention(2, 3, **settings)
        given = {"query": sources[0], "value": sources[1 % len(sources)]}
        if len(sources) > 2:
            given["key"] = sources[2]
        return keras.Model(sources if len(sources) > 1 else sources[0], layer(**given))

    return make


def grouped() -> Any:
    source = keras.Input((4, 6))
    layer = layers.GroupQueryAttention(head_dim=3, num_query_heads=4, num_key_value_heads=2)
    return keras.Model(source, layer(source, source))


def plain(name: str, **settings: Any) -> Callable[[], Any]:
    def make() -> Any:
        sources = [keras.Input((3, 5)), keras.Input((4, 5)), keras.Input((4, 5))]
        return keras.Model(sources, getattr(layers, name)(**settings)(sources))

    return make


def cosine() -> Any:
    sources = [keras.Input((5,)), keras.Input((5,))]
    return keras.Model(sources, layers.Dot(1)(sources))


def residual() -> Any:
    source = keras.Input((6, 5, 4))
    one = layers.Conv2D(4, 3, padding="same", activation="relu")(source)
    one = layers.DepthwiseConv2D(3, padding="same")(one)
    joined = layers.Add()([source, one])
    pooled = layers.MaxPooling2D(2)(joined)
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(pooled))
    scaled = layers.Multiply()([pooled, layers.Reshape((1, 1, 4))(gate)])
    return keras.Model(source, layers.Dense(3, activation="softmax")(layers.Flatten()(scaled)))


def siamese() -> Any:
    sources = [keras.Input((4,)), keras.Input((4,))]
    encoder = keras.Sequential([layers.Dense(6, activation="tanh"), layers.Dense(3)])
    one, other = map(encoder, sources)
    return keras.Model(sources, layers.Subtract()([one, other]))


def encoder_block() -> Any:
    source = keras.Input((4, 6))
    attended = layers.MultiHeadAttention(2, 3)(source, source)
    kept = layers.LayerNormalization(epsilon=EPSILON)(layers.Add()([source, attended]))
    wide = layers.Dense(8, activation="relu")(kept)
    return keras.Model(source, layers.Add()([kept, layers.Dense(6)(layers.Dropout(0.5)(wide))]))


def on_every_step() -> Any:
    source = keras.Input((3, 6, 2))
    inner = layers.Conv1D(3, 2, activation="relu")
    return keras.Model(source, layers.TimeDistributed(inner)(source))


class Mixing(layers.Layer):
    """A custom layer, which is read by tracing its call."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = layers.Dense(5), layers.Dense(5)

    def call(self, x: Any) -> Any:
        left, right = self.one(x), self.other(x)
        return keras.ops.tanh(left) * right + left


def traced() -> Any:
    source = keras.Input((4,))
    return keras.Model(source, layers.Dense(2)(Mixing()(source)))


MODELS: Mapping[str, Callable[[], Any]] = {
    "a simple recurrence": recurrent("SimpleRNN", units=3),
    "long short-term memory": recurrent("LSTM", units=3),
    "all its steps": recurrent("LSTM", units=3, return_sequences=True),
    "its states": recurrent("LSTM", units=3, return_state=True),
    "without bias": recurrent("LSTM", units=3, use_bias=False),
    "backwards": recurrent("LSTM", units=3, go_backwards=True),
    "gates reset after": recurrent("GRU", units=3, return_sequences=True),
    "gates reset before": recurrent("GRU", units=3, reset_after=False),
    "gates reset after, without bias": recurrent("GRU", units=3, use_bias=False),
    "a convolution in time": recurrent("ConvLSTM1D", (3, 6, 2), filters=2, kernel_size=3),
    "one cell": over_cells("LSTMCell"),
    "cells on cells": over_cells("LSTMCell", "GRUCell", "SimpleRNNCell"),
    "both ways, side by side": both_ways("concat"),
    "both ways, all steps": both_ways("sum", return_sequences=True),
    "both ways apart": both_ways(None, return_sequences=True),
    "an initial state": with_a_state,
    "attention to itself": heads((4, 6)),
    "attention to another": heads((4, 6), (3, 5)),
    "attention by keys": heads((4, 6), (3, 5), (3, 7), value_dim=4),
    "attention in groups": grouped,
    "plain attention": plain("Attention", use_scale=True),
    "attention by sums": plain("Attention", score_mode="concat"),
    "additive attention": plain("AdditiveAttention"),
    "a product": cosine,
    "a residual network": residual,
    "one encoder twice": siamese,
    "a transformer block": encoder_block,
    "one layer on every step": on_every_step,
    "a custom layer": traced,
    "two convolutions in one": recurrent("SeparableConv1D", filters=3, kernel_size=2),
    "unit vectors": recurrent("UnitNormalization"),
}


def arrays_of(network: Any, workload: Any, model: Any) -> dict[str, Array]:
    """The values of inputs and weights, by the names of the workload."""
    generator = np.random.default_rng(1)
    given = {}
    for name in workload.inputs:
        given[name] = generator.standard_normal(workload.tensors[name].shape)
    values = iter([np.asarray(weight) for weight in model.weights])
    by_owner = {layer.name: layer for layer in network.layers if layer.shares is None}
    for layer in by_owner.values():
        for name in layer.parameters:
            given[f"{layer.name}/{name}"] = next(values)
    for name in workload.weights:
        given.setdefault(name, np.ones(workload.tensors[name].shape))
    return given


def _input_names(model: Any) -> list[str]:
    return [
        tensor._keras_history.operation.name for tensor in model.inputs
    ]  # Keras has no public way


@pytest.mark.parametrize("label", MODELS)
def test_a_workload_computes_what_its_network_does(label: str) -> None:
    keras.utils.set_random_seed(3)
    model = MODELS[label]()
    generator = np.random.default_rng(2)
    model.set_weights([generator.standard_normal(one.shape) for one in model.get_weights()])
    network = costmodel.read(model, registry=REGISTRY)
    workload = costmodel.lower(network).bind(batch=BATCH)
    given = arrays_of(network, workload, model)
    found = list(run(workload, given).values())
    sources = [given[name].astype("float32") for name in _input_names(model)]
    due = model(sources if len(sources) > 1 else sources[0])
    due = due if isinstance(due, list | tuple) else [due]
    for one, other in zip(found, due, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("label", MODELS)
def test_the_nodes_of_a_workload_are_what_devices_price(label: str) -> None:
    check_workload(costmodel.read(MODELS[label](), registry=REGISTRY))


@pytest.mark.parametrize("label", MODELS)
def test_a_workload_counts_what_its_layers_do(label: str) -> None:
    network = costmodel.read(MODELS[label](), registry=REGISTRY)
    workload = costmodel.lower(network)
    one = workload.bind(batch=1)
    assert one.macs == network.macs
    assert workload.bind(batch=7).macs == 7 * network.macs
    named = {f"{layer.name}/{name}" for layer in network.layers for name in layer.parameters}
    held = [one.tensors[name].size for name in one.weights if name in named]
    assert sum(held) == network.parameter_count


def test_ten_thousand_steps_are_one_loop() -> None:
    network = costmodel.read(recurrent("LSTM", (10_000, 4), units=3)(), registry=REGISTRY)
    (loop,) = costmodel.lower(network).steps
    assert isinstance(loop, Loop)
    assert (loop.steps, loop.zeros) == (10_000, ("state", "state:1"))
    short = costmodel.read(recurrent("LSTM", (10, 4), units=3)(), registry=REGISTRY)
    (other,) = costmodel.lower(short).steps
    assert isinstance(other, Loop)
    assert other.body == loop.body


def test_an_encoder_that_runs_twice_has_its_weights_once() -> None:
    network = costmodel.read(siamese(), registry=REGISTRY)
    workload = costmodel.lower(network)
    products = [step for step in workload if isinstance(step, Node) and step.operator.weights]
    read = [name for step in products for name in step.reads if name in workload.weights]
    assert len(products) == 4
    assert len(read) == 8
    assert len(set(read)) == len(workload.weights) == 4


def test_a_reshape_is_a_view() -> None:
    source = keras.Input((4, 6))
    model = keras.Model(source, layers.Flatten()(layers.Reshape((6, 4))(source)))
    workload = costmodel.lower(costmodel.read(model, registry=REGISTRY))
    assert [type(step) for step in workload] == [View, View]
    assert not workload.bind(batch=3).operations
    assert list(workload.liveness) == list(workload.inputs)


def test_a_folded_normalization_says_into_which_node() -> None:
    source = keras.Input((6, 6, 3))
    folded = layers.BatchNormalization(name="scale")(layers.Conv2D(4, 3, name="conv")(source))
    workload = costmodel.lower(costmodel.read(keras.Model(source, folded), registry=REGISTRY))
    conv, scale = workload
    assert isinstance(scale, Node)
    assert scale.folds_into == conv.name
    assert "folds into conv/contraction" in str(scale)
