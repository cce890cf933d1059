"""Layers and models that hold weights of their own, for tests of what they count."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers


class Holding(layers.Layer):
    """A layer of one function, which reads weights and layers of its own."""

    def __init__(
        self, function: Any, *shapes: Any, parts: Any = (), trainable: bool = True, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.function, self.shapes, self.parts = function, shapes, list(parts)
        self.is_trained = trainable

    def build(self, _: Any) -> None:
        self.held = [
            self.add_weight(shape=shape, trainable=self.is_trained, name=f"held_{place}")
            for place, shape in enumerate(self.shapes)
        ]

    def call(self, x: Any) -> Any:
        return self.function(x, *self.held, *self.parts)


class HoldingModel(keras.Model):
    """The same as a subclassed model."""

    def __init__(self, function: Any, *shapes: Any, parts: Any = ()) -> None:
        super().__init__(name="holding")
        self.function, self.shapes, self.parts = function, shapes, list(parts)

    def build(self, _: Any) -> None:
        self.held = [
            self.add_weight(shape=shape, name=f"held_{place}")
            for place, shape in enumerate(self.shapes)
        ]
        self.built = True

    def call(self, x: Any) -> Any:
        return self.function(x, *self.held, *self.parts)


def around(layer: Any, shape: Any = (6, 8)) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Dense(3, name="last")(layer(inputs)))


def called(model: Any, shape: Any = (6, 8)) -> Any:
    model(np.zeros((1, *shape), "float32"))
    return model
