"""Keras 3 stand-ins for the layers of KerasSpiking, which itself needs Keras 2."""

from __future__ import annotations

from typing import Any

import keras


class SpikingActivation(keras.layers.Layer):
    """What the original says of itself; it spikes not at all."""

    def __init__(self, activation: Any, *, return_sequences: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.activation, self.return_sequences = activation, return_sequences

    def call(self, inputs: Any) -> Any:
        return inputs if self.return_sequences else inputs[:, -1]


class Lowpass(keras.layers.Layer):
    """As above."""

    def __init__(self, *, return_sequences: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.return_sequences = return_sequences

    def build(self, shape: Any) -> None:
        self.initial_level = self.add_weight(shape=(1, *shape[2:]))
        self.tau = self.add_weight(shape=(1, *shape[2:]))

    def call(self, inputs: Any) -> Any:
        return inputs if self.return_sequences else inputs[:, -1]


class Alpha(Lowpass):
    """As above."""


for cls in (SpikingActivation, Lowpass, Alpha):
    cls.__module__ = "keras_spiking.layers"
