"""Subclassed models and composed layers, opened by a call on symbolic tensors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from worlds import REGISTRY

from costmodel import Network, Scenario, estimate, read
from costmodel.errors import ReadError, ShapeError, UnknownNameError
from costmodel.network.layer import UnknownLayer


def network(model: Any, **input_shapes: Any) -> Network:
    return read(model, input_shapes=input_shapes or None, registry=REGISTRY)


def names(found: Network) -> list[str]:
    return [layer.name for layer in found.layers]


def outputs(found: Network) -> Any:
    return [found.layer(port.layer).outputs[port.output].shape for port in found.outputs]


class Attention(layers.Layer):
    """Layers, functions of keras.ops, and nothing else."""

    def __init__(self, width: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.query = layers.Dense(width, use_bias=False, name="query")
        self.key = layers.Dense(width, use_bias=False, name="key")
        self.value = layers.Dense(width, use_bias=False, name="value")

    def call(self, x: Any) -> Any:
        scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1)))
        return ops.matmul(ops.softmax(scores), self.value(x))


class Block(layers.Layer):
    """A layer of layers of layers."""

    def __init__(self, width: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.attention = Attention(width, name="attention")
        self.norm = layers.LayerNormalization(name="norm")
        self.drop = layers.Dropout(0.5, name="drop")

    def call(self, x: Any, training: Any = None) -> Any:
        return self.norm(x + self.drop(self.attention(x), training=training))


class Encoder(keras.Model):
    """A subclassed model."""

    def __init__(self, width: int = 6, depth: int = 2) -> None:
        super().__init__(name="encoder")
        self.blocks = [Block(width, name=f"layer_{place}") for place in range(depth)]
        self.head = layers.Dense(3, name="head")

    def call(self, inputs: Any) -> Any:
        for block in self.blocks:
            inputs = block(inputs)
        return self.head(inputs)


def encoder() -> Any:
    model = Encoder()
    model(np.zeros((2, 5, 6), "float32"))
    return model


def test_nested_layers_are_flattened_into_their_path() -> None:
    found = names(network(encoder()))
    assert "layer_0/attention/query" in found
    assert "layer_1/norm" in found
    assert found[-1] == "head"


def test_a_subclassed_model_costs_what_its_layers_cost() -> None:
    model = encoder()
    found = network(model)
    projections, products, head = 3 * 5 * 6 * 6, 2 * 5 * 5 * 6, 5 * 6 * 3
    assert found.macs == 2 * (projections + products) + head
    assert found.parameter_count == model.count_params()
    assert outputs(found) == [(5, 3)]


def test_everything_in_an_opened_model_is_priced() -> None:
    coverage = estimate(encoder(), "cpu", registry=REGISTRY).coverage("cpu")
    assert not coverage.unpriced
    assert coverage.macs.fraction == coverage.parameters.fraction == 1


def test_a_subclassed_model_is_the_functional_model_of_the_same_calls() -> None:
    model = encoder()
    inputs = keras.Input((5, 6), name="inputs")
    functional = keras.Model(inputs, model(inputs), name="encoder")
    assert network(functional).macs == network(model).macs


def test_a_model_reads_the_same_every_time() -> None:
    model = encoder()
    assert network(model) == network(model)


def traces(model: Any) -> Any:
    return [
        (layer.path, len(layer._inbound_nodes), len(layer._outbound_nodes), sorted(vars(layer)))
        for layer in model._flatten_layers()
    ]


def test_reading_leaves_the_model_as_it_was() -> None:
    model = encoder()
    before, answer = traces(model), np.asarray(model(np.ones((1, 5, 6))))
    network(model)
    assert traces(model) == before
    assert (np.asarray(model(np.ones((1, 5, 6)))) == answer).all()


def test_a_model_that_fails_when_opened_is_left_as_it_was() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), Foreign(name="odd")])
    before = traces(model)
    network(model)
    assert traces(model) == before


def test_given_shapes_go_before_those_the_model_was_built_for() -> None:
    assert outputs(network(encoder(), inputs=(9, 6))) == [(9, 3)]


def test_the_shape_of_an_input_that_a_call_does_not_take_is_reported() -> None:
    with pytest.raises(ReadError, match="'foo' is not an input of its call, which takes inputs"):
        network(Encoder(), foo=(5, 6))


def test_a_model_that_was_never_called_needs_the_shapes() -> None:
    with pytest.raises(ReadError, match=r"was not built: give the shape.*input_shapes="):
        network(Encoder())
    assert outputs(network(Encoder(), inputs=(7, 6))) == [(7, 3)]


def test_a_scenario_gives_the_shapes_too() -> None:
    scenario = Scenario(input_shapes={"inputs": (7, 6)})
    assert outputs(estimate(Encoder(), "cpu", scenario=scenario, registry=REGISTRY).network) == [
        (7, 3)
    ]


# ------------------------------------------------------------------ arguments


class Pair(keras.Model):
    """Two arguments, one of them optional, and a dictionary of results."""

    def __init__(self) -> None:
        super().__init__(name="pair")
        self.dense = layers.Dense(4, name="dense")

    def call(self, left: Any, right: Any = None, *, scale: float = 2.0) -> Any:
        both = self.dense(left) if right is None else self.dense(left) + self.dense(right)
        return {"sum": both * scale, "left": left}


def test_arguments_are_given_by_their_names() -> None:
    found = network(Pair(), left=(3,), right=(3,))
    assert [layer.name for layer in found.inputs] == ["left", "right"]
    assert found.layer("dense@2").shares == "dense"
    assert found.macs == 2 * 3 * 4


def test_an_optional_argument_may_be_left_out() -> None:
    assert network(Pair(), left=(3,)).macs == 3 * 4


class OfStructure(keras.Model):
    """A dictionary, or a list, as the one argument."""

    def __init__(self) -> None:
        super().__init__(name="structure")
        self.join = layers.Concatenate(name="join")

    def call(self, inputs: Any) -> Any:
        parts = inputs.values() if isinstance(inputs, dict) else inputs
        return self.join(list(parts))


def test_a_dictionary_is_given_by_its_keys() -> None:
    found = network(OfStructure(), a=(3,), b=(4,))
    assert outputs(found) == [(7,)]


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ({"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}, ["a", "b"]),
        ([np.zeros((2, 3)), np.zeros((2, 4))], ["input_0", "input_1"]),
    ],
)
def test_a_structure_is_that_which_the_model_was_built_for(example: Any, expected: Any) -> None:
    model = OfStructure()
    model(example)
    found = network(model)
    assert [layer.name for layer in found.inputs] == expected
    assert outputs(found) == [(7,)]


# ------------------------------------------------------------------ composed layers


class LowRank(layers.Layer):
    """Weights of its own, read by functions of keras.ops; and one function of weights alone."""

    def build(self, shape: Any) -> None:
        self.down = self.add_weight(shape=(shape[-1], 2), name="down")
        self.up = self.add_weight(shape=(2, shape[-1]), name="up")
        self.table = self.add_weight(shape=(50, shape[-1]), name="table")

    def call(self, x: Any) -> Any:
        positions = ops.convert_to_tensor(self.table)[: x.shape[1]]
        return ops.matmul(ops.matmul(x, self.down), self.up) + positions


def between(odd: Any, shape: Any = (5, 6)) -> Any:
    inputs = keras.Input(shape, name="in")
    hidden = layers.Dense(6, name="before")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="after")(odd(hidden)), name="net")


def test_weights_of_an_opened_layer_are_counted_once_as_keras_counts_them() -> None:
    model = between(LowRank(name="odd"))
    found = network(model)
    assert found.macs == 5 * (6 * 6 + 6 * 2 + 2 * 6 + 6 * 2)
    assert found.parameter_count == model.count_params()
    assert set(found.layer("odd/weights").parameters) == {"odd/down", "odd/up", "odd/table"}


def test_a_layer_that_is_called_twice_holds_its_weights_once() -> None:
    inputs, odd = keras.Input((5, 6), name="in"), LowRank(name="odd")
    model = keras.Model(inputs, odd(odd(inputs)))
    found = network(model)
    assert found.parameter_count == model.count_params()
    assert found.macs == 2 * 5 * (6 * 2 + 2 * 6)


class Positions(layers.Layer):
    """A layer that is called on a constant."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.table = layers.Embedding(20, 6, name="table")

    def call(self, x: Any) -> Any:
        return x + self.table(ops.arange(x.shape[1]))


def test_a_layer_called_on_a_constant_keeps_its_weights_in_the_count() -> None:
    model = between(Positions(name="odd"))
    found = network(model)
    assert found.parameter_count == model.count_params()
    assert "computed once by a 'keras.Embedding'" in str(found.layer("odd/table").operators())
    assert "computed once" not in str(found.layer("odd/add").operators())


class ByLength(layers.Layer):
    """Code that asks for the length of the batch."""

    def call(self, x: Any) -> Any:
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        rows = ops.broadcast_to(
            ops.arange(length, dtype="float32")[None, :, None], (batch, length, 1)
        )
        return ops.concatenate([x, rows], axis=-1)


def test_code_that_asks_for_the_length_of_the_batch_is_opened_for_one_example() -> None:
    assert outputs(network(between(ByLength(name="odd")))) == [(5, 2)]
    assert network(between(ByLength(name="odd"))).layer("odd/concatenate").outputs[0].shape == (
        5,
        7,
    )


class Foreign(layers.Layer):
    """Work that Keras cannot see."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")

    def call(self, x: Any) -> Any:
        return tf.multiply(x, self.scale)


def test_a_layer_that_leaves_keras_stays_unpriced_and_named_with_the_reason() -> None:
    layer = network(between(Foreign(name="odd"))).layer("odd")
    assert isinstance(layer, UnknownLayer)
    assert layer.reason.startswith("no rule for kind")
    assert "cannot be called on symbolic tensors" in layer.reason
    assert layer.parameter_count == 6


class HalfForeign(layers.Layer):
    """A known layer, and work behind it that Keras cannot see."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.dense = layers.Dense(6, name="dense")

    def call(self, x: Any) -> Any:
        return tf.matmul(self.dense(x), tf.ones((6, 6)))


def test_a_layer_is_not_priced_as_whole_where_a_part_of_it_is_hidden() -> None:
    found = network(between(HalfForeign(name="odd")))
    assert isinstance(found.layer("odd"), UnknownLayer)
    assert "odd/dense" not in names(found)


class Learned(layers.Dense):
    """A subclass of a known layer, which may do more than that."""

    def call(self, x: Any) -> Any:
        return super().call(x) * 2.0


def test_a_subclass_of_a_known_layer_is_opened_rather_than_taken_for_it() -> None:
    model = between(Learned(6, name="odd"))
    found = network(model)
    assert "odd/matmul" in names(found)
    assert found.macs == 5 * (6 * 6 + 6 * 6 + 6 * 2)
    assert found.parameter_count == model.count_params()


def test_a_lambda_is_never_run() -> None:
    def never(_: Any) -> None:
        raise AssertionError

    layer = layers.Lambda(never, output_shape=(5, 6), name="odd")
    assert "keras.Lambda" in {each.kind for each in network(between(layer)).layers}


# ------------------------------------------------------------------ open sizes


def open_network() -> Any:
    return between(Block(6, name="odd"), (None, 6))


def test_an_opened_layer_is_called_at_the_shapes_that_are_bound() -> None:
    found = network(open_network(), **{"in": (8, 6)})
    assert found.is_bound
    assert found.layer("odd/attention/matmul").outputs[0].shape == (8, 8)


def test_a_name_that_is_not_an_input_is_reported() -> None:
    with pytest.raises(UnknownNameError, match="input 'im'"):
        network(open_network(), im=(8, 6))


def test_a_shape_that_does_not_fit_is_reported() -> None:
    with pytest.raises(ShapeError, match="does not fit"):
        network(open_network(), **{"in": (8, 7)})


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_live_and_saved_networks_are_bound_alike(source: Any) -> None:
    inputs = keras.Input((None, None, 3), name="in")
    hidden = layers.Conv2D(4, 3, name="conv")(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool")(hidden), name="net")
    bound = network(model).bind({"in": (9, 8, 3)})
    assert network(source(model), **{"in": (9, 8, 3)}) == bound
    assert bound.is_bound
