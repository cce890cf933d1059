"""What the keras-spiking convention counts, and how that becomes a bill."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from figures import near
from keras import layers
from spiking import lookalikes

import costmodel
from costmodel import Free, Scenario, Unpriced
from costmodel.errors import ShapeError
from costmodel_spiking.convention import CONVENTION, Stats

SILENT = Stats(0, 0, spiking=True)

COUNTS = [
    ((3,), layers.Dense(5), Stats(15, 0, spiking=True)),
    ((3,), layers.Dense(5, activation="relu"), Stats(15, 5, spiking=False)),
    ((4, 3), layers.Dense(5), Stats(60, 0, spiking=True)),
    ((None, 3), layers.Dense(5, activation="tanh"), Stats(15, 5, spiking=False)),
    ((8, 2), layers.Conv1D(4, 3), Stats(6 * 4 * 3 * 2, 0, spiking=True)),
    ((8, 8, 2), layers.Conv2D(4, 3, groups=2), Stats(6 * 6 * 4 * 9, 0, spiking=True)),
    ((4, 4, 4, 2), layers.Conv3D(4, 2), Stats(27 * 4 * 8 * 2, 0, spiking=True)),
    ((None, 2), layers.Conv1D(4, 3, activation="relu"), Stats(24, 4, spiking=False)),
    ((8,), layers.Activation("relu"), Stats(0, 8, spiking=False)),
    ((8,), layers.Activation("linear"), SILENT),
    ((None, 8), layers.ReLU(), Stats(0, 8, spiking=False)),
    ((8, 2), layers.LeakyReLU(), Stats(0, 16, spiking=False)),
    ((10, 8), lookalikes.SpikingActivation("relu"), Stats(0, 8, spiking=True)),
    ((None, 8), lookalikes.SpikingActivation("relu"), Stats(0, 8, spiking=True)),
    ((10, 8), layers.TimeDistributed(layers.Dense(5)), Stats(40, 0, spiking=True)),
    ((None, 8), layers.TimeDistributed(layers.ReLU()), Stats(0, 8, spiking=False)),
    ((None, 8), layers.TimeDistributed(layers.Dropout(0.5)), SILENT),
    ((8,), layers.Dropout(0.5), SILENT),
    ((8, 2), layers.Flatten(), SILENT),
    ((8, 2), layers.SpatialDropout1D(0.5), SILENT),
    ((8, 8, 2), layers.GlobalAveragePooling2D(), SILENT),
    ((8, 2), layers.Reshape((16,)), SILENT),
]


def network(shape: tuple[int | None, ...], layer: Any) -> costmodel.Network:
    inputs = keras.Input(shape)
    return costmodel.read(keras.Model(inputs, layer(inputs)))


def last(shape: tuple[int | None, ...], layer: Any) -> costmodel.Layer:
    return network(shape, layer).layers[-1]


@pytest.mark.parametrize(("shape", "layer", "stats"), COUNTS)
def test_connections_and_neurons_of_each_layer(
    shape: tuple[int | None, ...], layer: Any, stats: Stats
) -> None:
    assert CONVENTION.counts(last(shape, layer)) == stats


@pytest.mark.parametrize(
    "layer",
    [
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(4, 3),
        layers.MaxPooling2D(),
        layers.AveragePooling2D(2),
        layers.BatchNormalization(),
        layers.Softmax(),
        layers.TimeDistributed(layers.MaxPooling1D(2)),
    ],
)
def test_every_other_layer_is_unpriced_because_it_counts_nothing_there(layer: Any) -> None:
    counted = CONVENTION.work(last((8, 8, 2), layer))
    assert isinstance(counted, Unpriced)
    assert "KerasSpiking has no rule for kind 'keras." in counted.reason


def test_a_transposed_convolution_counts_eight_times_too_much() -> None:
    layer = last((4, 4, 2), layers.Conv2DTranspose(4, 2, strides=2))
    (true_count,) = layer.operators()
    (counted,) = CONVENTION.work(layer)
    assert counted.macs == 8 * true_count.macs


def test_a_layer_without_connections_and_neurons_is_free_for_a_stated_reason() -> None:
    work = CONVENTION.work(last((8,), layers.Flatten()))
    assert work == Free("KerasSpiking counts no connection and no neuron in this 'keras.Flatten'")


def test_an_open_axis_other_than_time_is_an_error_in_a_counted_layer() -> None:
    layer = last((None, None, 3), layers.Conv2D(4, 3, padding="same"))
    with pytest.raises(ShapeError, match=r"'conv2d.*': an axis other than time .* \? x 4"):
        CONVENTION.work(layer)


def test_a_layer_in_a_time_distributed_one_has_no_time_of_its_own() -> None:
    layer = last((10, None, 3), layers.TimeDistributed(layers.Dense(4)))
    with pytest.raises(ShapeError, match="an axis other than time"):
        CONVENTION.work(layer)


def test_an_open_axis_does_not_matter_where_nothing_is_counted() -> None:
    assert isinstance(CONVENTION.work(last((None, None, 3), layers.Dropout(0.5))), Free)


def test_the_default_convention_asks_for_the_length_of_time_and_this_one_does_not() -> None:
    inputs = network((None, 3), layers.Dense(5))
    estimate = costmodel.estimate(inputs, "cpu", convention="keras-spiking")
    assert estimate.total("cpu").energy_joules == near(15 * 8.6e-9)
    with pytest.raises(ShapeError, match="open axis"):
        costmodel.estimate(inputs, "cpu")


def test_batch_normalization_is_not_folded() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.BatchNormalization(name="bn")(layers.Dense(2)(inputs)))
    estimate = costmodel.estimate(model, "cpu", convention="keras-spiking", on_unpriced="bound")
    assert list(estimate.coverage("cpu").unpriced) == ["bn"]


DEVICES = [
    # device, joules of a connection and of a neuron, how often each in the scenario below
    ("cpu", 8.6e-9, 8.6e-9, 1, 1),
    ("gpu", 0.3e-9, 0.3e-9, 1, 1),
    ("arm", 0.9e-9, 0.9e-9, 1, 1),
    ("loihi", 27.1e-12, 81e-12, 50.0 * 0.002 * 20, 20),
    ("spinnaker", 13.3e-9, 26e-9, 50.0 * 0.002 * 20, 20),
    ("spinnaker2", 450e-12, 2.19e-9, 50.0 * 0.002 * 20, 20),
]


@pytest.mark.parametrize(("device", "synapse", "neuron", "spikes", "updates"), DEVICES)
def test_the_formula_on_each_device(
    device: str, synapse: float, neuron: float, spikes: float, updates: int
) -> None:
    estimate = costmodel.estimate(
        network((3,), layers.Dense(5, activation="relu")),
        device,
        scenario=Scenario(timesteps=20, dt=0.002, rates=50.0),
        convention="keras-spiking",
    )
    found = {"synapse": 0.0, "neuron": 0.0}
    for charge in estimate.total(device).charges:
        is_neuron = charge.unit_cost.name == "energy_per_neuron_update"
        found["neuron" if is_neuron else "synapse"] += charge.energy_joules
    expected = {"synapse": 15 * spikes * synapse, "neuron": 5 * updates * neuron}
    assert found == near(expected)


def test_a_device_that_charges_for_sent_spikes_sees_the_inputs_of_one_timestep() -> None:
    layer = last((10, 8), layers.TimeDistributed(layers.Dense(5)))
    (contraction,) = CONVENTION.work(layer)
    assert [tensor.size for tensor in contraction.inputs] == [8]
