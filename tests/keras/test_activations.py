"""Activation functions by their names: those that are known, and those that nobody knows."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers
from worlds import REGISTRY, SHIPPED

from costmodel import Scenario, estimate, read
from costmodel.workload.operators import Activation
from costmodel_keras.layers.activations import FUNCTIONS

NO_FUNCTIONS = {"deserialize", "get", "serialize"}
SPLITS = {"glu"}
"""Half of its input gates the other, so no layer takes it as the function of its elements."""


def test_every_activation_of_keras_is_known() -> None:
    names = {name for name, value in vars(keras.activations).items() if callable(value)}
    assert names - FUNCTIONS == NO_FUNCTIONS | SPLITS


def on(shape: Any, layer: Any) -> Any:
    """A network of an input and a layer, the same from the live model and from its JSON."""
    inputs = keras.Input(shape, name="in")
    model = keras.Model(inputs, layer(inputs))
    live, text = (read(source, registry=REGISTRY) for source in (model, model.to_json()))
    assert live == text
    return live


@keras.saving.register_keras_serializable("mine")
def rellu(x: Any) -> Any:
    """What somebody made: its name is close to that of another function."""
    return keras.ops.maximum(x, 0.1)


IMAGE, STEPS = (8, 8, 3), (5, 4)
APPLYING: dict[str, tuple[Any, Any]] = {
    "Activation": (IMAGE, lambda f: layers.Activation(f, name="f")),
    "Conv2D": (IMAGE, lambda f: layers.Conv2D(4, 3, activation=f, name="f")),
    "Conv2DTranspose": (IMAGE, lambda f: layers.Conv2DTranspose(4, 3, activation=f, name="f")),
    "Dense": (STEPS, lambda f: layers.Dense(3, activation=f, name="f")),
    "DepthwiseConv2D": (IMAGE, lambda f: layers.DepthwiseConv2D(3, activation=f, name="f")),
    "EinsumDense": (
        STEPS, lambda f: layers.EinsumDense("abc,cd->abd", (5, 3), activation=f, name="f"),
    ),
    "GRU": (STEPS, lambda f: layers.GRU(3, recurrent_activation=f, name="f")),
    "LSTM": (STEPS, lambda f: layers.LSTM(3, activation=f, name="f")),
    "SeparableConv2D": (IMAGE, lambda f: layers.SeparableConv2D(4, 3, activation=f, name="f")),
    "TimeDistributed": (
        STEPS, lambda f: layers.TimeDistributed(layers.Dense(3, activation=f), name="f"),
    ),
}  # fmt: skip
UNKNOWN = "no rule says what the activation 'rellu' computes; nearest known: 'relu'"


@pytest.mark.parametrize("name", APPLYING)
def test_an_unknown_function_is_counted_and_has_no_price_on_any_device(name: str) -> None:
    shape, make = APPLYING[name]
    unknown, known = on(shape, make(rellu)), on(shape, make("tanh"))
    scenario = Scenario(rates=10.0)
    odd, usual = (
        estimate(network, SHIPPED, scenario=scenario, registry=REGISTRY, on_unpriced="bound")
        for network in (unknown, known)
    )
    assert unknown.macs == known.macs
    for device in SHIPPED:
        reasons = {*odd.bill(device).line("f").unpriced}
        assert reasons == {UNKNOWN, *usual.bill(device).line("f").unpriced}
        assert odd.total(device).energy_joules < usual.total(device).energy_joules


def functions(network: Any) -> list[str]:
    work = network.layer("f").operators()
    return [each.function for each in work if isinstance(each, Activation)]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("swish", "silu"), (tf.nn.swish, "swish"), (keras.ops.sin, "sin"), (tf.tanh, "tanh"),
        (layers.LeakyReLU(), "LeakyReLU"), (layers.Activation("relu"), "relu"),
        (tf.nn.softmax, "softmax"), (tf.nn.log_softmax, "log_softmax_v2"),
    ],
    ids=("name", "TensorFlow", "keras.ops", "alias", "layer", "Activation", "softmax", "log"),
)  # fmt: skip
def test_a_function_by_another_name_or_in_a_layer_is_known(given: Any, name: str) -> None:
    network = on(STEPS, layers.Dense(3, activation=given, name="f"))
    assert functions(network) == [name]
    bill = estimate(network, "cpu", registry=REGISTRY, on_unpriced="error")
    assert bill.coverage("cpu").is_complete


def test_a_function_without_a_name_is_unknown() -> None:
    inputs = keras.Input(STEPS)
    model = keras.Model(inputs, layers.Dense(3, activation=lambda x: x, name="f")(inputs))
    bill = estimate(model, "cpu", registry=REGISTRY, on_unpriced="bound")
    (reason,) = bill.bill("cpu").line("f").unpriced
    assert reason == "no rule says what the activation '<lambda>' computes"


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")
def test_a_file_with_a_function_without_a_name_is_read_without_running_it() -> None:
    inputs = keras.Input(STEPS)
    model = keras.Model(inputs, layers.Dense(3, activation=lambda x: x, name="f")(inputs))
    assert read(model.to_json(), registry=REGISTRY) == read(model, registry=REGISTRY)


@keras.saving.register_keras_serializable("mine")
def relu(x: Any) -> Any:
    """What somebody made under a name that Keras has."""
    return x


def test_a_function_of_a_program_is_not_that_of_keras_of_the_same_name() -> None:
    inputs = keras.Input(STEPS)
    model = keras.Model(inputs, layers.Dense(3, activation=relu, name="f")(inputs))
    network = read(model, registry=REGISTRY)
    assert network == read(model.to_json(), registry=REGISTRY)
    (reason,) = estimate(network, "cpu", on_unpriced="bound").bill("cpu").line("f").unpriced
    assert reason.startswith("no rule says what the activation 'custom>relu' computes")


@keras.saving.register_keras_serializable("mine")
class Softmax(layers.Layer):  # type: ignore[misc]  # Keras is not typed
    """What somebody made under a name that Keras has for a layer."""


def test_a_layer_of_a_program_is_not_that_of_keras_of_the_same_name() -> None:
    assert functions(on(STEPS, layers.Dense(3, activation=Softmax(), name="f"))) == [
        "custom>Softmax"
    ]


def test_a_layer_of_a_third_party_that_holds_a_function_is_not_that_function() -> None:
    class Scaled(layers.Layer):  # type: ignore[misc]  # Keras is not typed
        activation = "relu"

        def call(self, x: Any) -> Any:
            return 2 * x

    inputs = keras.Input(STEPS)
    model = keras.Model(inputs, layers.Dense(3, activation=Scaled(), name="f")(inputs))
    assert functions(read(model, registry=REGISTRY)) == ["Scaled"]
