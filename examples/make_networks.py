"""Makes the four networks beside this file: two pairs of a parent and its slimmer offspring.

Run with Keras installed: python examples/make_networks.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

CLASSES = {"lcrm_vgg9": 62, "vgg9": 100, "lcrm_alexnet": 10, "alexnet": 10}


def pool(x: Any) -> Any:
    """Halve both sides."""
    return layers.MaxPooling2D(pool_size=3, strides=2)(x)


def normalized(x: Any) -> Any:
    """Batch normalization and a rectifier."""
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def conv(x: Any, filters: int, size: int) -> Any:
    """A convolution that keeps the size, normalised."""
    return normalized(layers.Conv2D(filters, size, padding="same")(x))


def depthwise(x: Any, multiplier: int, size: int = 3) -> Any:
    """A depthwise convolution that keeps the size."""
    return layers.DepthwiseConv2D(size, padding="same", depth_multiplier=multiplier)(x)


def classifier(x: Any, classes: int) -> Any:
    """Two hidden dense layers and a softmax."""
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dropout(0.5)(layers.Dense(1024, activation="relu")(x))
    return layers.Dense(classes, activation="softmax")(x)


def vgg9(x: Any) -> Any:
    """Six convolutions after one another."""
    x = pool(normalized(layers.Conv2D(64, 11, strides=4)(x)))
    x = pool(conv(x, 128, 5))
    x = conv(conv(x, 256, 3), 256, 3)
    x = pool(conv(x, 512, 3))
    return pool(conv(x, 512, 3))


def lcrm_vgg9(x: Any) -> Any:
    """The same shape with depthwise convolutions in most places."""
    x = pool(normalized(layers.Conv2D(64, 11, strides=4)(x)))
    x = pool(conv(depthwise(x, 2, 5), 128, 5))
    for multiplier in (2, 1, 2):
        x = normalized(depthwise(x, multiplier))
    return pool(normalized(depthwise(pool(x), 1)))


def alexnet(x: Any) -> Any:
    """Five convolutions, each rectified and then normalised."""
    x = layers.Conv2D(96, 11, strides=4, activation="relu")(x)
    x = pool(layers.BatchNormalization()(x))
    x = layers.Conv2D(256, 5, padding="same", activation="relu")(x)
    x = pool(layers.BatchNormalization()(x))
    for filters in (384, 384, 256):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
    return pool(x)


def lcrm_alexnet(x: Any) -> Any:
    """Depthwise convolutions, with a branch of pointwise ones."""
    x = pool(normalized(layers.Conv2D(64, 11, strides=4)(x)))
    x = pool(normalized(depthwise(x, 4, 5)))
    x = layers.Concatenate()([normalized(depthwise(x, 1)), conv(x, 128, 1)])
    x = normalized(depthwise(x, 1))
    return pool(conv(x, 256, 1))


SHAPES = {
    "lcrm_vgg9": (224, 224, 1),
    "vgg9": (224, 224, 1),
    "lcrm_alexnet": (224, 224, 3),
    "alexnet": (227, 227, 3),
}
BODIES = {"lcrm_vgg9": lcrm_vgg9, "vgg9": vgg9, "lcrm_alexnet": lcrm_alexnet, "alexnet": alexnet}


def build(name: str) -> keras.Model:
    """The network called `name`."""
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input(SHAPES[name], name="input")
    return keras.Model(inputs, classifier(BODIES[name](inputs), CLASSES[name]), name=name)


if __name__ == "__main__":
    for name in BODIES:
        path = Path(__file__).with_name(f"{name}.json")
        path.write_text(build(name).to_json(indent=1) + "\n")
        print(path)
