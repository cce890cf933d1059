"""Write the networks of MLPerf Inference beside ResNet-50, as Keras configurations without weights.

    pip install keras torch      # or another backend of Keras
    python validation/make_networks.py            # all of them
    python validation/make_networks.py bert_large_squad

They end where TensorRT's engines have plugins: boxes are neither decoded nor suppressed.
`tests/validation/test_measurements.py` compares their counts with published ones.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import keras
from keras import layers

FOLDER: Final = Path(__file__).parent / "costmodel_validation" / "networks"
Tensor = Any
"""A symbolic tensor of Keras."""

TOKENS: Final = 177
"""The mean length of a question of SQuAD v1.1 with its paragraph, in tokens.

Padding to 384 makes up 54 % of all tokens (openreview.net/forum?id=3nzKUh9a4M). NVIDIA's engines
remove it (NVIDIA/TensorRT, demo/BERT/README.md, Variable sequence length), and the times of single
streams show it: on Xavier the shortest is 0.45 of the mean.
"""


def _convolution(
    x: Tensor,
    filters: int,
    size: int,
    strides: int = 1,
    *,
    groups: int = 1,
    padding: int | None = None,
) -> Tensor:
    """A convolution as PyTorch pads it: by half of its size at both ends, or as stated."""
    ends = size // 2 if padding is None else padding
    if ends and strides > 1:
        x = layers.ZeroPadding2D(ends)(x)
    at_once = "same" if ends and strides == 1 else "valid"
    return layers.Conv2D(filters, size, strides, at_once, groups=groups, use_bias=False)(x)


def _normalized(x: Tensor, *, active: bool = True) -> Tensor:
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if active else x


def _biased(x: Tensor, filters: int, size: int, **how: Any) -> Tensor:
    return layers.Conv2D(filters, size, **how)(x)


def _stem(x: Tensor) -> Tensor:
    """The beginning of torchvision's residual networks: stride 4."""
    x = _normalized(_convolution(x, 64, 7, 2))
    return layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))


# ------------------------------------------------------------------ SSD-ResNet34


def _basic_block(x: Tensor, filters: int, strides: int) -> Tensor:
    inner = _normalized(_convolution(x, filters, 3, strides))
    inner = _normalized(_convolution(inner, filters, 3), active=False)
    if strides > 1 or x.shape[-1] != filters:
        x = _normalized(_convolution(x, filters, 1, strides), active=False)
    return layers.ReLU()(layers.Add()([inner, x]))


def ssd_resnet34() -> keras.Model:
    """SSD on the first three stages of ResNet-34, the third at stride 1; 15130 boxes.

    mlcommons/inference, vision/classification_and_detection/python/models/ssd_r34.py and
    base_model_r34.py.
    """
    image = keras.Input((1200, 1200, 3))
    x = _stem(image)
    for filters, depth, strides in ((64, 3, 1), (128, 4, 2), (256, 6, 1)):
        for place in range(depth):
            x = _basic_block(x, filters, strides if place == 0 else 1)
    maps = [x]
    more = (
        (256, 512, 2, 1),
        (256, 512, 2, 1),
        (128, 256, 2, 1),
        (128, 256, 2, 0),
        (128, 256, 1, 0),
    )
    for inner, filters, strides, padding in more:
        x = layers.ReLU()(_biased(x, inner, 1))
        x = layers.ZeroPadding2D(1)(x) if padding else x
        x = layers.ReLU()(_biased(x, filters, 3, strides=strides))
        maps.append(x)
    boxes = []
    for one, anchors, strides in zip(maps, (4, 6, 6, 6, 4, 4), (3, 3, 2, 2, 2, 2), strict=True):
        padded = layers.ZeroPadding2D(1)(one)
        boxes += [_biased(padded, anchors * outputs, 3, strides=strides) for outputs in (4, 81)]
    return keras.Model(image, boxes)


# ------------------------------------------------------------------ SSD-MobileNet


def _apart(x: Tensor, filters: int, strides: int = 1) -> Tensor:
    depthwise = layers.DepthwiseConv2D(3, strides, "same", use_bias=False)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(depthwise(x)))
    return _six(layers.Conv2D(filters, 1, use_bias=False)(x))


def _six(x: Tensor) -> Tensor:
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))


def ssd_mobilenet_v1() -> keras.Model:
    """SSD on MobileNet v1; 1917 boxes.

    ssd_mobilenet_v1_coco_2018_01_28 of tensorflow/models, as mlcommons/inference has it in
    vision/classification_and_detection/python/models/ssd_mobilenet_v1.py.
    """
    image = keras.Input((300, 300, 3))
    x = _six(layers.Conv2D(32, 3, 2, "same", use_bias=False)(image))
    for filters, strides in (
        (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
    ):  # fmt: skip
        x = _apart(x, filters, strides)
    maps = [x]
    x = _apart(_apart(x, 1024, 2), 1024)
    maps.append(x)
    for inner, filters in ((256, 512), (128, 256), (128, 256), (64, 128)):
        x = _six(layers.Conv2D(inner, 1, use_bias=False)(x))
        x = _six(layers.Conv2D(filters, 3, 2, "same", use_bias=False)(x))
        maps.append(x)
    boxes = [
        _biased(one, anchors * outputs, 1)
        for one, anchors in zip(maps, (3, 6, 6, 6, 6, 6), strict=True)
        for outputs in (4, 91)
    ]
    return keras.Model(image, boxes)


# ------------------------------------------------------------------ RetinaNet


def _aggregated_block(x: Tensor, filters: int, strides: int) -> Tensor:
    """A block of ResNeXt-50 32x4d: a grouped convolution half as wide as the output."""
    inner = _normalized(_convolution(x, filters // 2, 1))
    inner = _normalized(_convolution(inner, filters // 2, 3, strides, groups=32))
    inner = _normalized(_convolution(inner, filters, 1), active=False)
    if strides > 1 or x.shape[-1] != filters:
        x = _normalized(_convolution(x, filters, 1, strides), active=False)
    return layers.ReLU()(layers.Add()([inner, x]))


def _pyramid(maps: Sequence[Tensor]) -> list[Tensor]:
    """The feature pyramid of torchvision, with two more levels on its last."""
    sides = [_biased(one, 256, 1) for one in maps]
    merged = sides[-1]
    found = [_biased(merged, 256, 3, padding="same")]
    for side in reversed(sides[:-1]):
        larger = layers.UpSampling2D(2)(merged)
        merged = layers.Add()([side, larger])
        found.insert(0, _biased(merged, 256, 3, padding="same"))
    sixth = _biased(layers.ZeroPadding2D(1)(found[-1]), 256, 3, strides=2)
    active = layers.ReLU()(sixth)
    return [*found, sixth, _biased(layers.ZeroPadding2D(1)(active), 256, 3, strides=2)]


def _head(x: Tensor, outputs: int) -> Tensor:
    for _ in range(4):
        x = layers.ReLU()(_biased(x, 256, 3, padding="same"))
    return _biased(x, outputs, 3, padding="same")


def retinanet_resnext50() -> keras.Model:
    """RetinaNet on ResNeXt-50 32x4d for the 264 classes of OpenImages; 9 boxes at each place.

    mlcommons/inference, vision/classification_and_detection/python/models/resnext50. The heads are
    written out for each level, with weights of their own: their count of weights is no matter here.
    """
    image = keras.Input((800, 800, 3))
    x = _stem(image)
    maps = []
    for filters, depth, strides in ((256, 3, 1), (512, 4, 2), (1024, 6, 2), (2048, 3, 2)):
        for place in range(depth):
            x = _aggregated_block(x, filters, strides if place == 0 else 1)
        maps.append(x)
    levels = _pyramid(maps[1:])
    boxes = [_head(one, 9 * outputs) for one in levels for outputs in (264, 4)]
    return keras.Model(image, boxes)


# ------------------------------------------------------------------ BERT


def bert_large_squad() -> keras.Model:
    """BERT-large with the two scores of each token that SQuAD needs, at its mean length.

    Devlin et al., arXiv 1810.04805: 24 layers of 1024, 16 heads, 4096 inside.
    """
    word, place, segment = (
        keras.Input((TOKENS,), dtype="int32", name=name) for name in ("words", "places", "segments")
    )
    tables = ((word, 30522), (place, 512), (segment, 2))
    x = layers.Add()([layers.Embedding(many, 1024)(one) for one, many in tables])
    x = layers.LayerNormalization(epsilon=1e-12)(x)
    for _ in range(24):
        attention = layers.MultiHeadAttention(16, 64)(x, x)
        x = layers.LayerNormalization(epsilon=1e-12)(layers.Add()([x, attention]))
        inner = layers.Dense(1024)(layers.Dense(4096, activation="gelu")(x))
        x = layers.LayerNormalization(epsilon=1e-12)(layers.Add()([x, inner]))
    return keras.Model([word, place, segment], layers.Dense(2)(x))


NETWORKS: Final[Mapping[str, Callable[[], keras.Model]]] = {
    "bert_large_squad": bert_large_squad,
    "retinanet_resnext50_800": retinanet_resnext50,
    "ssd_mobilenet_v1_300": ssd_mobilenet_v1,
    "ssd_resnet34_1200": ssd_resnet34,
}


def main(names: Sequence[str]) -> None:
    """Write some networks, or all."""
    for name in names or NETWORKS:
        keras.backend.clear_session()
        text = NETWORKS[name]().to_json()
        (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        print(name, flush=True)  # noqa: T201  # a script


if __name__ == "__main__":
    main(sys.argv[1:])
