"""What a model costs while it is trained."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import qkeras
from figures import near

import costmodel
from costmodel import Scenario
from costmodel_keras.running.training import cost_logger


def model() -> keras.Model:
    """A dense layer of 8 bits."""
    quantizer = qkeras.quantized_bits(8, 0, 1)
    dense = qkeras.QDense(4, kernel_quantizer=quantizer, bias_quantizer=quantizer, name="dense")
    made = keras.Sequential([keras.Input((6,)), dense], name="small")
    made.compile("sgd", "mse")
    return made


DATA = np.zeros((8, 6)), np.zeros((8, 4))


def test_each_epoch_logs_the_estimate_of_the_model() -> None:
    trained = model()
    history = trained.fit(
        *DATA, epochs=2, verbose=0, callbacks=[cost_logger(["horowitz-45nm", "raspberry-pi-4"])]
    ).history
    found = costmodel.estimate(trained, ["horowitz-45nm", "raspberry-pi-4"], on_unpriced="bound")
    for name in ("horowitz-45nm", "raspberry-pi-4"):
        assert history[f"{name}_energy"] == [near(found.total(name).energy_joules)] * 2
    latency = found.total("raspberry-pi-4").latency_seconds
    assert history["raspberry-pi-4_latency"][0] == near(latency)


def test_a_quantizer_that_changes_in_training_changes_the_energy() -> None:
    trained = model()

    class Narrower(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch == 1:
                layer = self.model.get_layer("dense")
                layer.kernel_quantizer = qkeras.quantized_bits(4, 0, 1)
                layer.kernel_quantizer_internal = layer.kernel_quantizer

    scenario = Scenario(default_format="int8")
    logger = cost_logger("horowitz-45nm", scenario=scenario)
    history = trained.fit(*DATA, epochs=2, verbose=0, callbacks=[Narrower(), logger]).history
    wide, narrow = history["horowitz-45nm_energy"]
    assert narrow < wide


def test_between_the_epochs_that_are_asked_for_the_last_value_stands() -> None:
    history = (
        model().fit(*DATA, epochs=3, verbose=0, callbacks=[cost_logger("cpu", every=2)]).history
    )
    assert len(history["cpu_energy"]) == 3


def test_a_training_that_goes_on_between_them_logs_a_value_of_its_own() -> None:
    history = (
        model()
        .fit(*DATA, epochs=3, initial_epoch=1, verbose=0, callbacks=[cost_logger("cpu", every=5)])
        .history
    )
    assert len(history["cpu_energy"]) == 2


@pytest.mark.parametrize("every", [0, 1.5, True])
def test_a_number_of_epochs_is_whole(every: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        cost_logger("cpu", every=every)
