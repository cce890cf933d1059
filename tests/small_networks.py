"""Small networks whose designs can be enumerated."""

from __future__ import annotations

from typing import Any

import keras


def plain() -> Any:
    """Two convolutions and a classifier, one after the other."""
    inputs = keras.Input((8, 8, 3))
    found = keras.layers.Conv2D(8, 3, activation="relu", name="conv1")(inputs)
    found = keras.layers.MaxPooling2D(name="pool")(found)
    found = keras.layers.Conv2D(16, 3, activation="relu", name="conv2")(found)
    found = keras.layers.Flatten(name="flatten")(found)
    return keras.Model(inputs, keras.layers.Dense(10, name="dense")(found), name="plain")


def residual() -> Any:
    """A block whose sum joins two convolutions, so that their formats meet."""
    inputs = keras.Input((8, 8, 4))
    first = keras.layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    second = keras.layers.Conv2D(4, 3, padding="same", name="second")(first)
    joined = keras.layers.Add(name="add")([first, second])
    found = keras.layers.GlobalAveragePooling2D(name="mean")(joined)
    return keras.Model(inputs, keras.layers.Dense(3, name="dense")(found), name="residual")
