"""Attention: what changes its work, what does not, and what no attention can take."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from worlds import REGISTRY

from costmodel import read
from costmodel.errors import ReadError, ShapeError
from costmodel.workload.operators import Activation, Contraction, Gather

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

QUERY, VALUE, KEY = (5, 6), (7, 3), (7, 2)
HEADS, DEPTH = 3, 4


def heads(**options: Any) -> Any:
    return layers.MultiHeadAttention(HEADS, DEPTH, name="layer", **options)


def read_layer(model: Any) -> Any:
    """The layer called layer, which the live model and its JSON agree on."""
    live, text = (read(source, registry=REGISTRY) for source in (model, model.to_json()))
    assert live == text
    return live.layer("layer")


def attended(layer: Any, **call: Any) -> Any:
    """The layer on queries and values."""
    query, value = keras.Input(QUERY), keras.Input(VALUE)
    return read_layer(keras.Model([query, value], layer(query, value, **call)))


def arithmetic(layer: Any) -> Any:
    return [operator.operations for operator in layer.operators() if operator.operations]


def steps(layer: Any) -> list[Any]:
    """The operators of a layer, attention as its parts."""
    return [part for one in layer.operators() for part in one.decompose() or (one,)]


def test_the_contractions_of_attention_are_those_of_its_definition() -> None:
    (queries, query_depth), (keys, value_depth) = QUERY, VALUE
    work = [op.macs for op in steps(attended(heads())) if isinstance(op, Contraction)]
    assert work == [
        queries * query_depth * HEADS * DEPTH,
        keys * value_depth * HEADS * DEPTH,
        keys * value_depth * HEADS * DEPTH,
        HEADS * queries * keys * DEPTH,
        HEADS * queries * keys * DEPTH,
        queries * HEADS * DEPTH * query_depth,
    ]


def test_every_score_goes_through_the_softmax() -> None:
    (softmax,) = (op for op in steps(attended(heads())) if isinstance(op, Activation))
    assert (softmax.function, softmax.elements) == ("softmax", HEADS * QUERY[0] * VALUE[0])


ALIKE = {
    "a causal mask": lambda: attended(heads(), use_causal_mask=True),
    "a window": lambda: attended(heads(sliding_window=2)),
    "dropout": lambda: attended(heads(dropout=0.5)),
    "returning the scores": lambda: attended(heads(), return_attention_scores=True),
    "fused attention": lambda: attended(heads(flash_attention=True)),
}


@pytest.mark.parametrize("other", ALIKE.values(), ids=ALIKE.keys())
def test_the_arithmetic_is_dense_whatever_is_left_out_or_returned(other: Any) -> None:
    assert arithmetic(other()) == arithmetic(attended(heads()))


def test_tensors_by_name_are_the_same_as_by_place() -> None:
    query, value, key = keras.Input(QUERY), keras.Input(VALUE), keras.Input(KEY)
    model = keras.Model([query, value, key], heads()(value=value, key=key, query=query))
    other = keras.Model([query, value, key], heads()(query, value, key))
    assert arithmetic(read_layer(model)) == arithmetic(read_layer(other))


def test_a_mask_is_read_and_saves_nothing() -> None:
    query, value = keras.Input(QUERY), keras.Input(VALUE)
    mask = keras.Input((QUERY[0], VALUE[0]), dtype="bool")
    layer = read_layer(
        keras.Model([query, value, mask], heads()(query, value, attention_mask=mask))
    )
    first, *_ = layer.operators()
    assert [tensor.shape for tensor in first.inputs] == [(QUERY[0], VALUE[0])]
    assert arithmetic(layer) == arithmetic(attended(heads()))


def test_a_constant_may_be_what_is_attended_to() -> None:
    query = keras.Input(QUERY)
    layer = read_layer(keras.Model(query, heads()(query, np.ones((1, *VALUE), np.float32))))
    assert arithmetic(layer) == arithmetic(attended(heads()))


def test_as_many_heads_of_keys_as_of_queries_is_attention_without_groups() -> None:
    grouped = layers.GroupQueryAttention(DEPTH, HEADS, HEADS, name="layer")
    query, value = keras.Input(QUERY), keras.Input(QUERY)
    pair = [
        read_layer(keras.Model([query, value], layer(query, value))) for layer in (grouped, heads())
    ]
    assert arithmetic(pair[0]) == arithmetic(pair[1])
    assert pair[0].parameters == pair[1].parameters


# ------------------------------------------------------------------ embeddings in reverse


def test_a_reversible_embedding_looks_up_and_multiplies_with_one_table() -> None:
    words = keras.Input((5,), dtype="int32")
    table = layers.ReversibleEmbedding(11, 3, name="table")
    model = keras.Model(words, table(table(words), reverse=True))
    network = read(model, registry=REGISTRY)
    there, back = network.layer("table").operators(), network.layer("table@2").operators()
    assert isinstance(there[0], Gather)
    assert [operator.macs for operator in back] == [5 * 3 * 11]
    assert network.parameter_count == model.count_params() == 33


# ------------------------------------------------------------------ bad input


def text_of(layer: Any, *shapes: Any) -> Any:
    inputs = [keras.Input(shape) for shape in shapes]
    lists = isinstance(layer, layers.Attention)
    return keras.Model(inputs, layer(inputs) if lists else layer(*inputs)).to_json()


WRONG = [
    (heads(), (QUERY, VALUE), '"num_heads": 3', '"num_heads": 0', ReadError,
     "'num_heads' is 0; expected a whole number of 1 or more"),
    (heads(), (QUERY, VALUE), '"attention_axes": [1]', '"attention_axes": [4]', ShapeError,
     "there is no axis 4"),
    (heads(), (QUERY, VALUE, KEY), "[null, 7, 2]", "[null, 9, 2]", ShapeError,
     "keys 9 x 2 and values 7 x 3 differ in more than their features"),
    (heads(), (QUERY, VALUE), "[null, 5, 6]", "[null, 5, null]", ShapeError,
     "expected features in the last axis"),
    (layers.Attention(), ((5, 6), (7, 6)), '"score_mode": "dot"', '"score_mode": "sum"', ReadError,
     "'score_mode' is 'sum'; expected one of dot, concat"),
    (layers.Attention(), ((5, 6), (7, 6)), "[null, 7, 6]", "[null, 7, 4]", ShapeError,
     "do not fit together"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shapes", "before", "after", "error", "message"), WRONG)
def test_a_wrong_setting_or_shape_is_named(
    layer: Any, shapes: Any, before: str, after: str, error: Any, message: str
) -> None:
    text = text_of(layer, *shapes)
    assert before in text
    with pytest.raises(error, match=message):
        read(text.replace(before, after), registry=REGISTRY)


def test_a_layer_called_on_too_little_says_what_it_takes() -> None:
    text = text_of(layers.Attention(), (5, 6), (7, 6))
    start = text.index('{"class_name": "__keras_tensor__"')
    one = text[start : text.index("}}, {", start) + 2]
    with pytest.raises(ShapeError, match="expected queries and values"):
        read(text.replace(f"{one}, ", "", 1), registry=REGISTRY)
