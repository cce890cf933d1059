"""What a layer was called with, from a live model and from a file."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from attrs import frozen
from keras import layers, ops
from worlds import HOUSE, plugin, world

from costmodel import read
from costmodel.errors import ReadError
from costmodel.network.layer import Layer, setting
from costmodel_keras.arguments import CALL, Arguments, Array, LayerInput, Opaque, Span, layer_inputs
from costmodel_keras.graph import kind_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)


@keras.saving.register_keras_serializable("acme")
class Odd(layers.Layer):
    """A third party's layer that takes anything."""

    def call(self, x: Any, *more: Any, **named: Any) -> Any:
        return x

    def compute_output_spec(self, x: Any, *more: Any, **named: Any) -> Any:
        return keras.KerasTensor(x.shape)


@frozen(slots=False)
class Asking(Layer):
    """A rule that keeps what the layer was called with."""

    kinds: ClassVar = (kind_of(Odd.__module__, "Odd"),)
    arguments: Arguments = setting(source=CALL)


WORLD = world(**HOUSE, acme=plugin(layers=[Asking]))


def seen(model: Any) -> Any:
    """The arguments of the layer called odd, which the live model and its JSON agree on."""
    live, text = (read(source, registry=WORLD).layer("odd") for source in (model, model.to_json()))
    assert live.arguments == text.arguments
    return live.arguments


def called(*more: Any, **named: Any) -> Any:
    inputs = keras.Input((4, 5))
    return seen(keras.Model(inputs, Odd(name="odd")(inputs, *more, **named)))


CONSTANTS = {
    "a number": (2.5, 2.5),
    "no number": (float("nan"), pytest.approx(float("nan"), abs=0, nan_ok=True)),
    "a NumPy number": (np.float32(0.5), 0.5),
    "a text": ("same", "same"),
    "nothing": (None, None),
    "truth": (True, True),
    "an array": (np.ones((2, 3), "int32"), Array((2, 3), "int32")),
    "an empty array": (np.ones((0,)), Array((0,), "float64")),
    "a tensor": (ops.ones((2, 1, 3)), Array((2, 1, 3), "float32")),
    "a tensor without axes": (ops.ones(()), Array((), "float32")),
    "a shape": ((-1, 3), (-1, 3)),
    "a list": ([1, [2, 3]], (1, (2, 3))),
    "a slice": (slice(1, None, 2), Span(1, None, 2)),
    "an index": ((slice(None), ..., 0), (Span(None, None, None), ..., 0)),
    "a mapping": ({"b": 1, "a": (2, 3)}, (("a", (2, 3)), ("b", 1))),
    "a function": (keras.activations.relu, Opaque()),
}


@pytest.mark.parametrize(("given", "expected"), CONSTANTS.values(), ids=CONSTANTS.keys())
def test_a_constant_beside_a_tensor_is_kept(given: Any, expected: Any) -> None:
    assert called(more=given).positional == (LayerInput(0),)
    assert called(more=given).named == (("more", expected),)


def test_arguments_of_any_form_hold_the_tensors_that_they_were_given() -> None:
    x, y, z = (keras.Input((4, 5)) for _ in range(3))
    model = keras.Model([x, y, z], Odd(name="odd")(x, [y, x], last=z, extra={"k": y, "j": z}))
    bound = seen(model).bound("x", "pair")
    held = {name: [one.index for one in layer_inputs(value)] for name, value in bound.items()}
    assert held == {"x": [0], "pair": [1, 2], "extra": [3, 4], "last": [5]}


def test_a_layer_of_a_sequential_model_is_called_on_its_input() -> None:
    model = keras.Sequential([keras.Input((4,)), Odd(name="odd")])
    assert seen(model) == Arguments((LayerInput(0),))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (Arguments((1, 2, 3)), "called with 3 arguments; expected x, y"),
        (Arguments((1, 2), (("x", 3),)), "argument 'x' is given twice"),
    ],
)
def test_arguments_that_do_not_fit_the_parameters_are_refused(
    arguments: Arguments, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        arguments.bound("x", "y")


def damaged(**changes: Any) -> Any:
    inputs = keras.Input((4, 5))
    model = keras.Model(inputs, Odd(name="odd")(inputs))
    config = json.loads(model.to_json())
    node = config["config"]["layers"][1]["inbound_nodes"][0]
    node.update({key: change(node[key]) for key, change in changes.items()})
    return json.dumps(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"args": lambda args: {"more": args}}, "expected args and kwargs"),
        ({"kwargs": lambda _: [1]}, "expected args and kwargs"),
        ({"args": lambda args: [args[0], array([[1, 2], [3]])]}, "rows of several lengths"),
        ({"args": lambda args: [args[0], array([[1], 2])]}, "rows of several lengths"),
    ],
)
def test_damaged_arguments_of_a_file_are_refused(change: Any, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(damaged(**change), registry=WORLD)


def array(rows: Any) -> Any:
    return {"class_name": "__numpy__", "config": {"value": rows, "dtype": "float64"}}
