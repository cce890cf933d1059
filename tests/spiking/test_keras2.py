"""The drop-in for KerasSpiking's ModelEnergy on live models of Keras 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figures import near

import costmodel
from costmodel import UnpricedWarning
from costmodel.errors import ReadError
from costmodel_spiking import ModelEnergy

tf_keras = pytest.importorskip("tf_keras")
layers = tf_keras.layers

EXAMPLES = np.full((2, 3), 10.0, "float32")


def model(*steps: Any, shape: tuple[int | None, ...] = (3,)) -> Any:
    inputs = outputs = tf_keras.Input(shape, name="in")
    for step in steps:
        outputs = step(outputs)
    return tf_keras.Model(inputs, outputs)


def ones(units: int, **settings: Any) -> Any:
    return layers.Dense(units, kernel_initializer="ones", **settings)


def test_a_functional_model_has_its_input_layer_and_a_sequential_one_does_not() -> None:
    steps = [layers.Flatten(), ones(2)]
    functional = model(*steps, shape=(2, 3))
    sequential = tf_keras.Sequential([tf_keras.Input((2, 3)), *steps])
    examples = np.ones((1, 2, 3))
    assert list(ModelEnergy(functional, examples).layer_rates) == functional.layers
    assert list(ModelEnergy(sequential, examples).layer_rates) == steps
    stats = ModelEnergy(sequential).layer_stats[steps[1]]
    assert stats == {"connections": 12, "neurons": 0, "spiking": True}


def test_a_layer_that_is_called_twice_counts_twice() -> None:
    shared = ones(3, activation="relu")
    energy = ModelEnergy(model(shared, shared), EXAMPLES)
    assert energy.layer_stats[shared] == {"connections": 18, "neurons": 6, "spiking": False}
    assert energy.layer_rates[shared] == near(10.0 + 30.0)
    synapse, neuron = energy.layer_energy(shared, "loihi")
    assert synapse == near(27.1e-12 * 18 * 40.0 * 0.001)
    assert neuron == near(81e-12 * 6)


def test_calls_outside_the_model_do_not_count() -> None:
    layer = ones(5)
    made = model(layer)
    layer(tf_keras.Input((3,)))
    assert ModelEnergy(made).layer_stats[layer]["connections"] == 15


def test_a_class_counts_as_the_one_that_it_derives_from() -> None:
    class Mine(layers.Dense):  # type: ignore[misc]  # the package has no types
        pass

    for layer in (Mine(5), layers.TimeDistributed(Mine(5))):
        energy = ModelEnergy(model(layer, shape=(None, 3)))
        assert energy.layer_stats[layer]["connections"] == 15


def test_functions_and_models_in_the_model_count_nothing_and_warn() -> None:
    inner = tf_keras.Sequential([tf_keras.Input((3,)), ones(4)], name="inner")
    outer = model(inner, lambda tensor: tensor * 2.0, ones(2, name="last"))
    with pytest.warns(UnpricedWarning, match=r"layer of type .*Sequential \(inner\)") as caught:
        energy = ModelEnergy(outer, EXAMPLES)
    assert len(caught) == 1
    assert [layer.name for layer in energy.uncounted] == [each.name for each in outer.layers[1:3]]
    assert [energy.layer_rates[layer] for layer in outer.layers] == near([10.0, 10.0, 30.0, 60.0])


def test_a_registered_function_gets_the_node_of_keras_2() -> None:
    class Own(ModelEnergy):
        pass

    @Own.register_layer(layers.Softmax)
    def count(node: Any) -> dict[str, Any]:
        assert node.input_shapes == node.output_shapes == (None, 3)
        assert node.node.layer is node.layer
        return {"neurons": np.prod(node.output_shapes[1:])}

    softmax = layers.Softmax()
    assert Own(model(softmax)).layer_stats[softmax]["neurons"] == 3


def test_the_table_of_a_model_of_keras_2() -> None:
    steps = [ones(5, activation="relu", name="dense"), ones(2, name="last")]
    energy = ModelEnergy(model(*steps, shape=(10,)))
    assert energy.summary_string(print_warnings=False).splitlines() == [
        "Layer (type)   |Output shape|Param #|Conn #|Neuron #|J/inf (cpu)",
        "---------------|------------|-------|------|--------|-----------",
        "in (InputLayer)|[(None, 10)]|      0|     0|       0|          0",
        "dense (Dense)  |   (None, 5)|     55|    50|       5|    4.7e-07",
        "last (Dense)   |   (None, 2)|     12|    10|       0|    8.6e-08",
        "================================================================",
        "Total energy per inference [Joules/inf] (cpu): 5.59e-07",
    ]


def test_a_model_without_a_graph_is_an_error() -> None:
    class Subclassed(tf_keras.Model):  # type: ignore[misc]  # the package has no types
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(ReadError, match="is not built"):
        ModelEnergy(tf_keras.Sequential([layers.Dense(2)]))
    with pytest.raises(ReadError, match="without a graph of layers"):
        costmodel.measure_rates(Subclassed(name="mine"), EXAMPLES)


BAD_USE = [
    (lambda: ModelEnergy(model(ones(2), shape=(None, None, 5))), r"output shape \(None, 2\) con"),
    (lambda: ModelEnergy(model(ones(2))).total_energy("loihi"), "example_data must be given"),
    (lambda: ModelEnergy(model(ones(2))).total_energy("lohi"), "Energy specs unknown for device"),
    (lambda: ModelEnergy(model(ones(2))).summary(["nme"]), "Unknown column type 'nme'"),
    (lambda: ModelEnergy.compute_layer_stats(ones(2)), "never been applied to any inputs"),
]


@pytest.mark.parametrize(("use", "message"), BAD_USE)
def test_errors_are_value_errors_with_the_words_of_keras_spiking(use: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use()
