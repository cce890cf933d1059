"""Weights that belong to no layer of Keras are counted, each once, as Keras counts them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from holding import Holding, HoldingModel, around, called
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from worlds import REGISTRY

from costmodel import Network, estimate, read


def network(source: Any) -> Network:
    return read(source, registry=REGISTRY)


class Reading(layers.Layer):
    """Attention of a few queries over a sequence."""

    def __init__(self) -> None:
        super().__init__(name="reading")
        self.norm = layers.LayerNormalization(name="norm")
        self.attention = layers.MultiHeadAttention(2, 4, name="attention")

    def call(self, queries: Any, x: Any) -> Any:
        return self.attention(self.norm(queries), x)


class Shifted(keras.Model):
    """A subclassed model with a weight, to stand in another one."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.dense = layers.Dense(8, name="dense")

    def build(self, shape: Any) -> None:
        self.shift = self.add_weight(shape=shape[1:], name="shift")
        self.dense.build(shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.dense(x + self.shift)


class Nested(keras.Model):
    """A subclassed model with a weight, of two with weights of their own."""

    def __init__(self) -> None:
        super().__init__(name="nested")
        self.first, self.second = Shifted("first"), Shifted("second")

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=shape[-1:], name="scale")
        self.first.build(shape)
        self.second.build(shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.second(self.first(x) * self.scale)


class Extended(keras.Model):
    """A functional model, and a subclass that adds a weight and an unused layer."""

    def __init__(self) -> None:
        inputs = keras.Input((6, 8))
        super().__init__(inputs, layers.Dense(3)(inputs), name="extended")
        self.extra = self.add_weight(shape=(5,), name="extra")
        self.auxiliary = layers.Dense(4)
        self.auxiliary.build((None, 8))


class ExtendedSequential(keras.Sequential):
    """A sequential model with a weight of its own."""

    def __init__(self) -> None:
        super().__init__([keras.Input((6, 8)), layers.Dense(3)])
        self.extra = self.add_weight(shape=(5,), name="extra")


class Scaling(layers.Layer):
    """A layer of a weight that was made elsewhere."""

    def __init__(self, weight: Any) -> None:
        super().__init__()
        self.weight = weight

    def call(self, x: Any) -> Any:
        return x * self.weight


def one_weight_in_two_layers() -> Any:
    weight = keras.Variable(np.ones(8, "float32"), name="shared")
    return around(lambda x: Scaling(weight)(Scaling(weight)(x)))


def two_weights_of_one_name() -> Any:
    weights = [keras.Variable(np.ones(8, "float32"), name="same") for _ in range(2)]

    class Twice(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.weights_read = weights

        def call(self, x: Any) -> Any:
            return x * self.weights_read[0] + self.weights_read[1]

    return around(Twice())


class Tied(layers.Layer):
    """A layer whose kernel is read a second time."""

    def __init__(self, *, transposed: bool) -> None:
        super().__init__(name="tied")
        self.dense, self.transposed = layers.Dense(8, name="dense"), transposed

    def call(self, x: Any) -> Any:
        hidden, kernel = self.dense(x), self.dense.kernel
        return ops.matmul(hidden, ops.transpose(kernel) if self.transposed else kernel)


def a_kernel_in_a_functional_graph() -> Any:
    dense = layers.Dense(8, name="dense")
    return around(lambda x: ops.matmul(dense(x), dense.kernel))


def first_token(x: Any, token: Any) -> Any:
    shape = (ops.shape(x)[0], 1, 8)
    return ops.concatenate([ops.broadcast_to(token, shape), x], axis=1)


def tiled_token(x: Any, token: Any) -> Any:
    return ops.concatenate([ops.tile(token, (ops.shape(x)[0], 1, 1)), x], axis=1)


def first_state(x: Any, state: Any, layer: Any) -> Any:
    return layer(x, initial_state=[ops.tile(state, (ops.shape(x)[0], 1))])


def attention() -> Any:
    return layers.MultiHeadAttention(2, 4, name="attention")


def joined() -> Any:
    """A functional model of two inputs, of which a caller may give a weight for the first."""
    first, second = keras.Input((4, 8)), keras.Input((6, 8))
    attended = layers.Attention()([layers.Dense(8)(first), second])
    return keras.Model([first, second], attended, name="joined")


class Residual(layers.Layer):
    """Layers of which the first input may be a weight: it stands on the left of sums."""

    def __init__(self) -> None:
        super().__init__(name="residual")
        self.attention, self.dense = attention(), layers.Dense(8, name="dense")

    def call(self, queries: Any, x: Any) -> Any:
        hidden = queries + self.attention(queries, x)
        return hidden + self.dense(hidden)


MODELS = {
    "given to a model": lambda: around(
        Holding(lambda x, w, model: model([w, x]), (1, 4, 8), parts=[joined()])
    ),
    "given to a model, for every example": lambda: around(
        Holding(
            lambda x, w, model: model([ops.tile(w, (ops.shape(x)[0], 1, 1)), x]),
            (1, 4, 8),
            parts=[joined()],
        )
    ),
    "given to a model through a layer": lambda: around(
        Holding(
            lambda x, w, norm, model: model([norm(w), x]),
            (1, 4, 8),
            parts=[layers.LayerNormalization(name="norm"), joined()],
        )
    ),
    "given to a model in a subclassed one": lambda: called(
        HoldingModel(lambda x, w, model: model([w, x]), (1, 4, 8), parts=[joined()])
    ),
    "given to a model twice": lambda: around(
        Holding(lambda x, w, model: model([model([w, x]), x]), (1, 4, 8), parts=[joined()])
    ),
    "given to a composed layer": lambda: around(
        Holding(lambda x, w, layer: layer(w, x), (1, 4, 8), parts=[Residual()])
    ),
    "joined by a layer": lambda: around(
        Holding(
            lambda x, w, layer: layer([ops.repeat(w, ops.shape(x)[0], axis=0), x]),
            (1, 1, 8),
            parts=[layers.Concatenate(axis=1)],
        )
    ),
    "first operand of a layer": lambda: around(
        Holding(lambda x, w, layer: layer([w, x]), (1, 5, 8), parts=[layers.Dot(axes=2)])
    ),
    "read by a function": lambda: around(Holding(ops.matmul, (8, 8))),
    "read by two functions": lambda: around(Holding(lambda x, w: x @ w + x * w[0], (8, 8))),
    "read twice by functions": lambda: around(Holding(lambda x, w: x * w + w, (8,))),
    "not trainable": lambda: around(Holding(lambda x, w: x * w, (8,), trainable=False)),
    "class token": lambda: called(HoldingModel(first_token, (1, 1, 8))),
    "tiled token": lambda: called(HoldingModel(tiled_token, (1, 1, 8))),
    "token of a layer": lambda: around(Holding(first_token, (1, 1, 8))),
    "queries of attention": lambda: called(
        HoldingModel(lambda x, q, layer: layer(q, x), (1, 40, 8), parts=[attention()])
    ),
    "queries of a composed layer": lambda: called(
        HoldingModel(lambda x, q, layer: layer(q, x), (1, 40, 8), parts=[Reading()])
    ),
    "first state": lambda: called(HoldingModel(first_state, (1, 4), parts=[layers.GRU(4)])),
    "given to a layer alone": lambda: around(
        Holding(lambda x, w, layer: x + layer(w), (1, 6, 8), parts=[layers.Dense(8)])
    ),
    "nested models": lambda: called(Nested()),
    "a subclassed model as a layer": lambda: around(Shifted("shifted")),
    "added to a functional model": Extended,
    "added to a sequential model": ExtendedSequential,
    "of a functional model in another": lambda: around(Extended()),
    "one weight in two layers": one_weight_in_two_layers,
    "two weights of one name": two_weights_of_one_name,
    "a kernel read again": lambda: around(Tied(transposed=False)),
    "a kernel read again, transposed": lambda: around(Tied(transposed=True)),
    "a kernel in a functional graph": a_kernel_in_a_functional_graph,
}


@pytest.mark.parametrize("name", MODELS)
def test_own_weights_are_counted_once_as_keras_counts_them(name: str) -> None:
    model = MODELS[name]()
    found = network(model)
    assert found.parameter_count == model.count_params()
    assert network(found.to_json()) == found


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_own_weights_is_covered_whole(name: str) -> None:
    coverage = estimate(MODELS[name](), "cpu", registry=REGISTRY).coverage("cpu")
    assert not coverage.unpriced
    assert coverage.parameters.fraction == coverage.activations.fraction == 1


def test_a_layer_that_a_model_applies_to_a_weight_alone_is_computed_once() -> None:
    model = MODELS["given to a model"]()
    found = network(model)
    (dense,) = [layer for layer in found.layers if "/joined/dense" in layer.name]
    assert "computed once by a 'keras.Dense'" in str(dense.operators())
    assert dense.parameter_count == 8 * 8 + 8
    assert found.macs == multiply_accumulates(model) - 4 * 8 * 8


def test_numbers_on_the_left_of_a_tensor_take_part() -> None:
    mask = np.asarray([[0.0, 1.0] * 4], "float32")
    model = around(Holding(lambda x, w: mask * (x @ w) + np.float32(2) * x, (8, 8)))
    found = network(model)
    assert found.macs == multiply_accumulates(model)
    assert [layer.kind for layer in found.layers].count("keras.ops.Multiply") == 2


def test_own_weights_have_a_row_in_the_model_that_they_belong_to() -> None:
    found = network(called(Nested()))
    rows = {layer.name: layer.parameter_count for layer in found.layers if "weights" in layer.name}
    assert rows == {"weights": 8, "first/weights": 48, "second/weights": 48}


def test_a_function_shares_a_weight_with_the_row_that_holds_it() -> None:
    found = network(around(Tied(transposed=False)))
    assert found.layer("tied/matmul").shares == "tied/dense"
    assert "tied/weights" not in {layer.name for layer in found.layers}


def test_a_variable_that_no_model_tracks_is_none_of_its_parameters() -> None:
    variable = keras.Variable(np.ones(8, "float32"))
    model = around(lambda x: x * variable)
    assert network(model).parameter_count == model.count_params() == 8 * 3 + 3


def test_layers_behind_an_unpriced_one_keep_their_weights() -> None:
    inputs = keras.Input((6, 8))
    mixed = layers.Lambda(lambda x: x, name="mixed")(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.Dense(4)(mixed)))
    assert network(model).parameter_count == model.count_params()


class Positions(layers.Layer):
    """Merges its input with tables of its own."""

    def __init__(self, merge: Any, shape: Any, count: int = 1) -> None:
        super().__init__()
        self.merge, self.shape, self.count = merge, shape, count

    def build(self, _: Any) -> None:
        self.tables = [
            self.add_weight(shape=self.shape, name=f"table{place}") for place in range(self.count)
        ]
        self.built = True

    def call(self, x: Any) -> Any:
        return self.merge([x, *self.tables])


@pytest.mark.parametrize("shape", [(1, 6, 8), (6, 8), (1, 1, 8)], ids=str)
@pytest.mark.parametrize(
    "merge", [layers.Add, layers.Multiply, layers.Subtract, layers.Average, layers.Maximum]
)
def test_a_layer_merges_a_tensor_with_a_weight(merge: Any, shape: Any) -> None:
    source = keras.Input((6, 8))
    model = keras.Model(source, layers.Dense(3)(Positions(merge(), shape)(source)))
    network = read(model)
    assert network.macs == 6 * 8 * 3
    assert network.parameter_count == model.count_params()
    name = next(each.name for each in network.layers if each.kind == f"keras.{merge.__name__}")
    assert network.layer(name).outputs[0].shape == (6, 8)
    found = estimate(network, "horowitz-45nm", on_unpriced="error")
    assert found.bill("horowitz-45nm").line(name).cost.energy_joules > 0
    again = Network.from_dict(network.to_dict(), REGISTRY.layer_registry)
    assert estimate(again, "cpu").macs == 144


def test_layers_join_and_multiply_tensors_with_weights() -> None:
    source = keras.Input((6, 8))
    joined = Positions(layers.Concatenate(), (1, 6, 8))(source)
    model = keras.Model(source, layers.Dense(3)(joined))
    assert read(model).macs == 6 * 16 * 3
    assert read(model).parameter_count == model.count_params()
    products = Positions(layers.Dot(axes=2), (1, 5, 8))(source)
    model = keras.Model(source, layers.Dense(3)(products))
    network = read(model)
    assert network.macs == 6 * 8 * 5 + 6 * 5 * 3
    assert network.parameter_count == model.count_params()
    three = keras.Model(source, Positions(layers.Add(), (6, 8), count=2)(source))
    assert read(three).parameter_count == 2 * 48
