"""The drop-in for KerasSpiking's ModelEnergy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from figures import near
from keras import layers

import costmodel
import costmodel_spiking
from costmodel import CostModelError, UnpricedWarning
from costmodel.errors import ReadError
from costmodel_spiking import ModelEnergy

EXAMPLES = np.full((2, 3), 10.0)


def model(*steps: Any, shape: tuple[int | None, ...] = (3,)) -> Any:
    inputs = outputs = keras.Input(shape, name="in")
    for step in steps:
        outputs = step(outputs)
    return keras.Model(inputs, outputs)


@pytest.fixture
def dense() -> Any:
    return model(layers.Dense(5, activation="relu", name="dense"))


@pytest.fixture
def own() -> type[ModelEnergy]:
    """A class of its own, so that a test registers for itself alone."""

    class Own(ModelEnergy):
        pass

    return Own


# ------------------------------------------------------------------ statistics


def test_every_layer_of_the_model_has_its_statistics(dense: Any) -> None:
    inputs, layer = dense.layers
    assert ModelEnergy(dense).layer_stats == {
        inputs: {"connections": 0, "neurons": 0, "spiking": True},
        layer: {"connections": 15, "neurons": 5, "spiking": False},
    }


def test_a_sequential_model_has_no_input_layer() -> None:
    steps = [layers.Flatten(), layers.Dense(2)]
    sequential = keras.Sequential([keras.Input((2, 3)), *steps])
    assert list(ModelEnergy(sequential, np.ones((1, 2, 3))).layer_rates) == steps


def test_a_layer_that_is_called_twice_counts_twice() -> None:
    shared = layers.Dense(3, kernel_initializer="ones", activation="relu")
    energy = ModelEnergy(model(shared, shared), EXAMPLES)
    assert energy.layer_stats[shared] == {"connections": 18, "neurons": 6, "spiking": False}
    assert energy.layer_rates[shared] == near(10.0 + 30.0)
    synapse, neuron = energy.layer_energy(shared, "loihi")
    assert synapse == near(27.1e-12 * 18 * 40.0 * 0.001)
    assert neuron == near(81e-12 * 6)


def test_calls_outside_the_model_do_not_count(dense: Any) -> None:
    layer = dense.get_layer("dense")
    layer(keras.Input((3,)))
    assert ModelEnergy(dense).layer_stats[layer]["connections"] == 15


def test_the_rate_of_several_inputs_is_the_mean_over_all_of_them() -> None:
    first, second = keras.Input((3,)), keras.Input((3,))
    add = layers.Add()
    merged = keras.Model([first, second], add([first, second]))
    energy = ModelEnergy(merged, [EXAMPLES, 3 * EXAMPLES])
    assert energy.layer_rates[add] == 20.0


def test_a_model_in_the_model_counts_nothing_and_warns() -> None:
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4)], name="inner")
    outer = model(inner, layers.Dense(2))
    with pytest.warns(UnpricedWarning, match=r"no rule for Sequential \(inner\)"):
        energy = ModelEnergy(outer, EXAMPLES)
    assert energy.layer_stats[inner]["connections"] == 0
    assert energy.layer_rates[inner] == 10.0
    assert energy.uncounted == (inner,)


def test_an_operation_that_is_not_a_layer_counts_nothing_and_warns() -> None:
    inputs = keras.Input((3,))
    with pytest.warns(UnpricedWarning, match="Multiply"):
        ModelEnergy(keras.Model(inputs, inputs * 2.0))


def test_layers_without_a_rule_are_named_once_by_their_class() -> None:
    steps = [layers.BatchNormalization(name=f"bn_{index}") for index in range(7)]
    with pytest.warns(UnpricedWarning) as caught:
        ModelEnergy(model(*steps))
    assert len(caught) == 1
    assert "BatchNormalization (bn_0, bn_1, bn_2, bn_3, bn_4 and 2 more)" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_class_counts_as_the_one_that_it_derives_from() -> None:
    class Mine(layers.Dense):
        pass

    layer = Mine(5)
    assert ModelEnergy(model(layer)).layer_stats[layer]["connections"] == 15


def test_a_class_in_a_time_distributed_layer_counts_as_the_one_that_it_derives_from() -> None:
    class Mine(layers.Dense):
        pass

    layer = layers.TimeDistributed(Mine(5))
    energy = ModelEnergy(model(layer, shape=(None, 3)))
    assert energy.layer_stats[layer]["connections"] == 15


def test_an_undefined_axis_is_an_error() -> None:
    open_model = model(layers.Conv2D(4, 3, name="conv"), shape=(None, None, 3))
    with pytest.raises(ValueError, match=r"'conv'.* an axis other than time"):
        ModelEnergy(open_model)


def test_statistics_of_one_layer(dense: Any) -> None:
    stats = ModelEnergy.compute_layer_stats(dense.get_layer("dense"))
    assert stats == {"connections": 15, "neurons": 5, "spiking": False}


def test_statistics_of_one_layer_without_a_rule_are_zero_with_a_warning() -> None:
    layer = layers.Softmax(name="last")
    model(layer)
    with pytest.warns(UnpricedWarning, match=r"Softmax \(last\)") as caught:
        stats = ModelEnergy.compute_layer_stats(layer)
    assert stats == {"connections": 0, "neurons": 0, "spiking": True}
    assert caught[0].filename == __file__


def test_a_layer_of_several_calls_needs_the_node_of_one() -> None:
    layer = layers.Dense(2, name="shared")
    layer(keras.Input((3,)))
    layer(keras.Input((4, 3)))
    with pytest.raises(ValueError, match="'shared' was called 2 times"):
        ModelEnergy.compute_layer_stats(layer)
    found = [
        ModelEnergy.compute_layer_stats(layer, node)["connections"] for node in layer._inbound_nodes
    ]
    assert found == [6, 24]


def test_a_layer_that_was_never_called_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="was called 0 times"):
        ModelEnergy.compute_layer_stats(layers.Dense(2))


# ------------------------------------------------------------------ energies


def test_energy_of_a_layer_on_a_device_that_does_not_spike(dense: Any) -> None:
    synapse, neuron = ModelEnergy(dense).layer_energy(
        dense.get_layer("dense"), "cpu", timesteps_per_inference=10, dt=0.1
    )
    assert (synapse, neuron) == near((15 * 8.6e-9, 5 * 8.6e-9))


def test_energy_of_a_layer_on_a_device_that_spikes(dense: Any) -> None:
    synapse, neuron = ModelEnergy(dense, EXAMPLES).layer_energy(
        dense.get_layer("dense"), "spinnaker2", timesteps_per_inference=20, dt=0.002
    )
    assert synapse == near(15 * 10.0 * 0.002 * 20 * 450e-12)
    assert neuron == near(5 * 20 * 2.19e-9)


def test_a_timestep_is_a_millisecond_unless_told_otherwise(dense: Any) -> None:
    energy = ModelEnergy(dense, EXAMPLES)
    assert energy.total_energy("loihi") == energy.total_energy("loihi", dt=0.001)


def test_the_total_is_the_sum_of_the_layers() -> None:
    energy = ModelEnergy(model(layers.Dense(5), layers.ReLU()), EXAMPLES)
    parts = [part for layer in energy.layer_stats for part in energy.layer_energy(layer, "loihi")]
    assert energy.total_energy("loihi") == near(sum(parts))


def test_a_device_that_spikes_needs_example_data(dense: Any) -> None:
    energy = ModelEnergy(dense)
    with pytest.raises(ValueError, match="example_data"):
        energy.total_energy("loihi")
    with pytest.raises(CostModelError, match="example_data"):
        _ = energy.layer_rates


def test_an_unknown_device_is_an_error_that_names_the_nearest(dense: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown device .* 'lohi'\n  nearest known: 'loihi'"):
        ModelEnergy(dense).total_energy("lohi")


def test_a_layer_of_another_model_is_an_error(dense: Any) -> None:
    with pytest.raises(ValueError, match="unknown layer 'other'"):
        ModelEnergy(dense).layer_energy(layers.Dense(2, name="other"), "cpu")


def test_a_name_in_place_of_a_layer_is_reported_to_be_one(dense: Any) -> None:
    with pytest.raises(ValueError, match=r"give the layer object .* model.get_layer\('dense'\)"):
        ModelEnergy(dense).layer_energy("dense", "cpu")


def test_something_without_a_hash_is_not_a_layer(dense: Any) -> None:
    with pytest.raises(ValueError, match="give a layer object of the model"):
        ModelEnergy(dense).layer_energy([], "cpu")


@pytest.mark.parametrize("given", [3, "model.keras", None, layers.Dense(2), keras.Model])
def test_what_is_not_a_model_is_reported_so(given: Any) -> None:
    with pytest.raises(ReadError, match="expected a built Functional or Sequential model"):
        ModelEnergy(given)


@pytest.mark.parametrize("conditions", [{"timesteps_per_inference": 0}, {"dt": -1.0}])
def test_conditions_that_no_experiment_can_have_are_errors(dense: Any, conditions: Any) -> None:
    with pytest.raises(CostModelError, match="expected a"):
        ModelEnergy(dense).total_energy("cpu", **conditions)


def test_a_model_without_a_graph_is_an_error() -> None:
    with pytest.raises(ReadError, match="is not built"):
        ModelEnergy(keras.Sequential([layers.Dense(2)]))


# ------------------------------------------------------------------ registrations


def test_the_devices_are_those_of_keras_spiking() -> None:
    assert list(ModelEnergy.devices) == ["cpu", "gpu", "arm", "loihi", "spinnaker", "spinnaker2"]
    assert ModelEnergy.devices["loihi"] == {
        "spiking": True,
        "energy_per_synop": near(27.1e-12),
        "energy_per_neuron": near(81e-12),
    }


@pytest.mark.parametrize(
    ("spiking", "expected"), [(False, 15 * 2.0 + 5 * 3.0), (True, 15 * 0.1 * 2.0 + 5 * 10 * 3.0)]
)
def test_a_registered_device_prices_by_its_figures(
    own: type[ModelEnergy], dense: Any, *, spiking: bool, expected: float
) -> None:
    own.register_device("mine", energy_per_synop=2.0, energy_per_neuron=3.0, spiking=spiking)
    energy = own(dense, EXAMPLES)
    assert energy.total_energy("mine", timesteps_per_inference=10) == near(expected)
    assert own.devices["mine"]["energy_per_synop"] == 2.0


def test_a_device_may_be_set_as_an_item(own: type[ModelEnergy], dense: Any) -> None:
    own.devices["mine"] = {"spiking": False, "energy_per_synop": 1.0, "energy_per_neuron": 0.0}
    assert own(dense).total_energy("mine") == 15.0
    del own.devices["mine"]
    assert "mine" not in own.devices


def test_a_registered_device_replaces_one_of_its_name(own: type[ModelEnergy], dense: Any) -> None:
    with pytest.warns(UserWarning, match="Device 'cpu' already registered") as caught:
        own.register_device("cpu", 1.0, 0.0, spiking=False)
    assert caught[0].filename == __file__
    assert own(dense).total_energy("cpu") == 15.0
    assert ModelEnergy(dense).total_energy("cpu") == near(20 * 8.6e-9)


def test_registrations_stay_on_the_class_and_reach_its_subclasses(own: type[ModelEnergy]) -> None:
    class Below(own):  # type: ignore[misc,valid-type]
        pass

    own.register_device("mine", 1.0, 1.0, spiking=False)
    assert "mine" in Below.devices
    assert "mine" not in ModelEnergy.devices
    with pytest.raises(CostModelError, match="unknown device 'mine'"):
        costmodel.device("mine")


BAD_FIGURES = [
    ({"energy_per_synop": -1.0}, "energy_per_synop is -1.0; expected joules"),
    ({"energy_per_neuron": float("nan")}, "energy_per_neuron is nan; expected joules"),
    ({"energy_per_neuron": "much"}, "energy_per_neuron is 'much'; expected joules"),
    ({"spiking": "yes"}, "spiking is 'yes'; expected true or false"),
    ({"colour": "red"}, "expected spiking, energy_per_synop, energy_per_neuron; found"),
]


@pytest.mark.parametrize(("change", "message"), BAD_FIGURES)
def test_figures_that_make_no_device_are_errors(
    own: type[ModelEnergy], change: dict[str, Any], message: str
) -> None:
    figures = {"spiking": True, "energy_per_synop": 1.0, "energy_per_neuron": 1.0}
    with pytest.raises(ValueError, match=message):
        own.devices["bad"] = {**figures, **change}


def test_a_registered_layer_is_counted_by_its_function(own: type[ModelEnergy]) -> None:
    @own.register_layer(layers.Softmax)
    def count(layer: Any, node: Any) -> dict[str, Any]:
        assert layer.axis == -1
        assert node.output_shapes == node.input_shapes == (None, 3)
        assert node.operation is layer
        return {"neurons": np.prod(node.output_shapes[1:]), "spiking": False}

    assert count.__name__ == "count"
    softmax = layers.Softmax()
    stats = own(model(softmax)).layer_stats[softmax]
    assert stats == {"connections": 0, "neurons": 3, "spiking": False}


def test_a_registered_layer_goes_for_its_subclasses_and_before_the_convention(
    own: type[ModelEnergy],
) -> None:
    class Mine(layers.Dense):
        pass

    with pytest.warns(UserWarning, match="Layer 'Dense' already registered"):
        own.register_layer(layers.Dense)(lambda *_: {"connections": 7})
    assert [step["connections"] for step in _stats(own, Mine(5))] == [0, 7]
    own.register_layer(Mine)(lambda *_: {"connections": 8})
    assert [step["connections"] for step in _stats(own, Mine(5))] == [0, 8]
    assert [step["connections"] for step in _stats(ModelEnergy, Mine(5))] == [0, 15]


def test_a_registered_layer_is_counted_by_the_step_in_a_time_distributed_one(
    own: type[ModelEnergy],
) -> None:
    @own.register_layer(layers.Softmax)
    def count(layer: Any, node: Any) -> dict[str, Any]:
        return {"neurons": int(np.prod(node.output_shapes[1:]))}

    wrapped = layers.TimeDistributed(layers.Softmax())
    assert own(model(wrapped, shape=(10, 4))).layer_stats[wrapped]["neurons"] == 4


def test_a_registered_layer_leaves_the_registry_alone(own: type[ModelEnergy]) -> None:
    own.register_layer(layers.Softmax)(lambda *_: {"connections": 7})
    estimate = costmodel.estimate(
        model(layers.Softmax(name="last")), "cpu", convention="keras-spiking", on_unpriced="bound"
    )
    assert "last" in estimate.coverage("cpu").unpriced


BAD_STATS = [
    ({"connection": 3}, "invalid stat 'connection'; expected connections, neurons, spiking"),
    ({"neurons": 1.5}, "neurons is 1.5; expected a whole number"),
    ({"neurons": -1}, "neurons is -1; expected a whole number"),
    (None, "returned None"),
]


def test_a_function_that_takes_one_argument_gets_the_node_alone(own: type[ModelEnergy]) -> None:
    @own.register_layer(layers.Softmax)
    def count(node: Any, scale: int = 2, **_: Any) -> dict[str, Any]:
        assert node.layer.name == "last"
        return {"connections": scale * node.output_shapes[-1]}

    softmax = layers.Softmax(name="last")
    assert own(model(softmax)).layer_stats[softmax]["connections"] == 6


def test_a_layer_may_be_registered_twice_with_a_warning(own: type[ModelEnergy]) -> None:
    own.register_layer(layers.Softmax)(lambda *_: {"connections": 1})
    with pytest.warns(UserWarning, match="Layer 'Softmax' already registered") as caught:
        own.register_layer(layers.Softmax)(lambda *_: {"connections": 2})
    assert caught[0].filename == __file__
    assert [step["connections"] for step in _stats(own, layers.Softmax())] == [0, 2]


def test_something_that_is_not_a_layer_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="Cannot compute stats for layer of type 'object'"):
        ModelEnergy.compute_layer_stats(object())


@pytest.mark.parametrize(("returned", "message"), BAD_STATS)
def test_what_is_not_statistics_is_an_error(
    own: type[ModelEnergy], returned: Any, message: str
) -> None:
    own.register_layer(layers.Softmax)(lambda *_: returned)
    with pytest.raises(ValueError, match=message):
        own(model(layers.Softmax()))


def test_shapes_of_several_inputs_are_a_list(own: type[ModelEnergy]) -> None:
    seen = SimpleNamespace()

    @own.register_layer(layers.Multiply)
    def count(layer: Any, node: Any) -> dict[str, Any]:
        seen.inputs = node.input_shapes
        return {}

    first, second = keras.Input((3,)), keras.Input((3,))
    own(keras.Model([first, second], layers.Multiply()([first, second])))
    assert seen.inputs == [(None, 3), (None, 3)]


def _stats(cls: type[ModelEnergy], layer: Any) -> list[dict[str, Any]]:
    return list(cls(model(layer)).layer_stats.values())


def test_the_package_offers_the_class_and_nothing_else() -> None:
    assert costmodel_spiking.__all__ == ["ModelEnergy"]
    with pytest.raises(AttributeError, match="'Nothing'"):
        _ = costmodel_spiking.Nothing
