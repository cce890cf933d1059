"""Layers that an equation describes."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers
from worlds import REGISTRY

from costmodel import read
from costmodel.errors import ReadError, ShapeError

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)


def on(shape: Any, equation: str, output_shape: Any, **options: Any) -> Any:
    """A model of one einsum layer, called layer, behind an input called in."""
    inputs = keras.Input(shape, name="in")
    layer = layers.EinsumDense(equation, output_shape, name="layer", **options)
    return keras.Model(inputs, layer(inputs))


def test_an_axis_that_the_setting_leaves_open_is_that_of_the_input() -> None:
    model = on((10, 6), "abc,cd->abd", (None, 4))
    network = read(model, registry=REGISTRY)
    assert network.layer("layer").outputs[0].shape == (10, 4)
    assert network == read(model.to_json(), registry=REGISTRY)


def test_an_open_axis_of_the_input_is_bound_later() -> None:
    network = read(on((None, 6), "abc,cd->abd", (None, 4)), registry=REGISTRY)
    assert network.layer("layer").outputs[0].shape == (None, 4)
    assert network.bind({"in": (10, 6)}).macs == 10 * 6 * 4


@pytest.mark.parametrize("features", [(5,), (2, 5), (2, 3, 5)])
def test_the_equation_of_a_dense_layer_is_that_layer(features: Any) -> None:
    inputs = keras.Input(features)
    dense = keras.Model(inputs, layers.Dense(4, activation="relu", name="layer")(inputs))
    einsum = on(features, "...x,xy->...y", 4, bias_axes="y", activation="relu")
    work = [read(model, registry=REGISTRY).layer("layer") for model in (dense, einsum)]
    assert work[0].parameters == work[1].parameters
    assert [op.operations for op in work[0].operators()] == [
        op.operations for op in work[1].operators()
    ]
    assert work[0].operators()[0].reduction_size == work[1].operators()[0].reduction_size


WRONG = [
    ('"equation": "abc,cd->abd"', '"equation": "abc->abd"', ReadError,
     "expected input and kernel to output"),
    ('"equation": "abc,cd->abd"', '"equation": "...bc,cd->bd"', ReadError,
     "expected the ellipsis on one side"),
    ('"equation": "abc,cd->abd"', '"equation": 3', ReadError, "'equation' is 3"),
    ('"equation": "abc,cd->abd"', '"equation": "ab,bd->ad"', ShapeError,
     "the equation names 2 axes with the batch, there are 3"),
    ('"equation": "abc,cd->abd"', '"equation": "abce,cd->abd"', ShapeError,
     "the equation names 4 axes with the batch, there are 3"),
    ('"output_shape": [10, 4]', '"output_shape": [9, 4]', ShapeError,
     "axis 'b' is 10 long in the input and 9 in the output"),
    ('"output_shape": [10, 4]', '"output_shape": [10, null]', ShapeError,
     "the kernel is 6 x \\?; expected no open axis"),
    ('"output_shape": [10, 4]', '"output_shape": [10, 0]', ReadError, "whole number of 1 or more"),
    ('"output_shape": [10, 4]', '"output_shape": [4]', ShapeError,
     "output_shape has 1 axes, the equation 2 with a letter"),
    ('"bias_axes": "d"', '"bias_axes": "c"', ShapeError, "cannot take input"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "error", "message"), WRONG)
def test_a_wrong_setting_is_named(before: str, after: str, error: Any, message: str) -> None:
    text = on((10, 6), "abc,cd->abd", (10, 4), bias_axes="d").to_json()
    assert before in text
    with pytest.raises(error, match=message):
        read(text.replace(before, after), registry=REGISTRY)
