"""Networks that Keras itself exports to ONNX (by tf2onnx): the counts, and what is left of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import costmodel

if TYPE_CHECKING:
    from pathlib import Path

    from costmodel.network.graph import Network
    from costmodel.workload.graph import Workload

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tf2onnx")
keras: Any = pytest.importorskip("keras")
np: Any = pytest.importorskip("numpy")
layers: Any = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore")


def _exported(model: Any, folder: Path) -> tuple[Network, Network]:
    """What is read of a model, and of its export."""
    model(np.zeros((1, *model.inputs[0].shape[1:]), "float32"))
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    return costmodel.read(model), costmodel.read(folder / "model.onnx")


def _work(network: Network) -> Workload:
    return costmodel.Convention().lower(network, costmodel.Scenario()).bind(batch=1)


def _unpriced(network: Network) -> list[str]:
    """Why layers have no price."""
    works = [layer.operators() for layer in network.layers]
    return [work.reason for work in works if isinstance(work, costmodel.Unpriced)]


def convolutions() -> Any:
    x = layers.Input((32, 32, 3))
    y = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.Add()([layers.Conv2D(8, 1)(y), y])
    y = layers.Conv2D(12, 3, dilation_rate=2)(y)
    y = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(y)
    y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(y))
    return keras.Model(x, layers.Dense(10, activation="softmax")(y))


def attention() -> Any:
    x = layers.Input((16, 24))
    y = layers.LayerNormalization()(x)
    y = layers.Add()([layers.MultiHeadAttention(4, 6)(y, y), x])
    z = layers.Dense(48)(layers.LayerNormalization()(y))
    z = layers.Dense(24)(keras.ops.gelu(z, approximate=True))
    return keras.Model(x, layers.Add()([y, z]))


def looped() -> Any:
    x = layers.Input((12, 5))
    return keras.Model(x, layers.Dense(3)(layers.LSTM(7)(x)))


@pytest.mark.parametrize("network", [convolutions, attention, looped])
def test_an_export_has_the_multiply_accumulates_of_its_model(network: Any, tmp_path: Path) -> None:
    own, export = _exported(network(), tmp_path)
    assert _work(export).macs == _work(own).macs > 0
    assert _unpriced(export) == []


def test_an_unrolled_export_leaves_out_the_product_with_the_first_state(tmp_path: Path) -> None:
    """The first state is zero, and the export folds what the zeros give."""
    x = layers.Input((12, 5))
    y = layers.LSTM(7, return_sequences=True, unroll=True)(x)
    own, export = _exported(keras.Model(x, layers.GRU(6, unroll=True)(y)), tmp_path)
    assert _work(export).macs == _work(own).macs - (4 * 7 * 7 + 3 * 6 * 6)
    assert _unpriced(export) == []


def test_a_grouped_convolution_is_left_as_a_call_that_no_rule_knows(tmp_path: Path) -> None:
    x = layers.Input((16, 16, 8))
    y = layers.Conv2D(16, 3, groups=4, padding="same")(x)
    own, export = _exported(keras.Model(x, layers.ReLU()(y)), tmp_path)
    assert _work(own).macs == 16 * 16 * 16 * 9 * 2
    assert "'StatefulPartitionedCall'" in _unpriced(export)[0]


def test_an_exact_gelu_is_left_as_erfc_that_no_rule_knows(tmp_path: Path) -> None:
    x = layers.Input((32,))
    y = keras.ops.gelu(layers.Dense(64)(x), approximate=False)
    own, export = _exported(keras.Model(x, layers.Dense(10)(y)), tmp_path)
    assert _work(own).macs == 32 * 64 + 64 * 10
    assert _work(export).macs == 32 * 64
    assert "'Erfc'" in _unpriced(export)[0]
