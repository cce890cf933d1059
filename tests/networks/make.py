"""Make the networks of this folder with Keras: `python tests/networks/make.py`."""

from __future__ import annotations

import json
from pathlib import Path

import keras
from keras import layers

HERE = Path(__file__).parent


def vision() -> keras.Model:
    """Every sort of convolution, a folded normalisation, both poolings and a classifier."""
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.SeparableConv2D(12, 3, name="separable")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, name="transpose")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(
        image, layers.Dense(10, activation="softmax", name="classes")(x), name="vision"
    )


def dense() -> keras.Model:
    """Two dense layers, each with a ReLU."""
    return keras.Sequential(
        [
            keras.Input((20,), name="features"),
            layers.Dense(30, activation="relu", name="first"),
            layers.Dense(5, activation="relu", name="second"),
        ],
        name="dense",
    )


def two_inputs() -> keras.Model:
    """Two inputs that meet."""
    left, right = keras.Input((4,), name="left"), keras.Input((6,), name="right")
    met = layers.Concatenate(name="meet")([left, right])
    return keras.Model([left, right], layers.Dense(3, name="out")(met), name="two_inputs")


def open_axes() -> keras.Model:
    """An image of any size."""
    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(4, 3, name="conv")(image)
    return keras.Model(image, layers.GlobalMaxPooling2D(name="top")(x), name="open_axes")


def main() -> None:
    """Write the JSON of every network."""
    for make in (vision, dense, two_inputs, open_axes):
        model = make()
        text = json.dumps(json.loads(model.to_json()), indent=1)
        (HERE / f"{model.name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
