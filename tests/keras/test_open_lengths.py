"""Shapes may be given when a network is read, afterwards, or in a scenario: the answer is one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from public_networks import CausalBlock, TokenAndPosition

from costmodel import Network, Scenario, estimate, read
from costmodel.errors import ShapeError, UnknownNameError
from costmodel.network.layer import UnknownLayer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Cut(layers.Layer):
    """The first rows of a table, as many as the input is long."""

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(shape=(50, shape[-1]), name="table")

    def call(self, x: Any) -> Any:
        return x + ops.convert_to_tensor(self.table)[: x.shape[1]]


class Pool(keras.Model):
    """Learned queries over a sequence; its `build` calls the shape as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 4)

    def build(self, shape: Any) -> None:
        self.queries = self.add_weight(shape=(1, 5, 8), name="queries")
        self.built = True

    def call(self, x: Any) -> Any:
        return self.attention(self.queries, x)


class Unknown(layers.Layer):
    """A layer that a file knows nothing of."""

    def call(self, x: Any) -> Any:
        return x * 2.0


def places_by_length() -> Any:
    inputs = keras.Input((None,), name="x")
    return keras.Model(inputs, layers.Dense(2)(TokenAndPosition(200, 2000, 32)(inputs)))


def causal() -> Any:
    inputs = keras.Input((None,), dtype="int32", name="x")
    hidden = CausalBlock(16, 2)(TokenAndPosition(60, 50, 16)(inputs))
    return keras.Model(inputs, layers.Dense(50)(hidden))


def a_table_that_is_cut() -> Any:
    inputs = keras.Input((None, 8), name="x")
    return keras.Model(inputs, layers.Dense(3)(Cut()(inputs)))


def subclassed() -> Any:
    model = Pool()
    model(np.zeros((1, 6, 8), "float32"))
    return model


def only_known_layers() -> Any:
    inputs = keras.Input((None, 8), name="x")
    return keras.Model(inputs, layers.Dense(3)(layers.LSTM(4, return_sequences=True)(inputs)))


MODELS: dict[str, tuple[Any, Any, int]] = {
    "places by the length": (places_by_length, (50,), 50 * 32 * 2),
    "a causal mask": (
        causal, (7,), 7 * (4 * 16 * 32 + 2 * 16 * 16 + 16 * 50) + 2 * 2 * 7 * 7 * 16,
    ),
    "a table that is cut": (a_table_that_is_cut, (9, 8), 9 * 8 * 3),
    "a subclassed model": (
        subclassed, (11, 8), (5 + 5) * 8 * 8 + 2 * 11 * 8 * 8 + 2 * 2 * 5 * 11 * 4,
    ),
    "known layers": (only_known_layers, (9, 8), 9 * ((8 + 4) * 16 + 4 * 3)),
}  # fmt: skip

models = pytest.mark.parametrize(("make", "shape", "macs"), MODELS.values(), ids=MODELS)


def check_same(found: Network, expected: Network) -> None:
    assert (found.macs, found.parameter_count) == (expected.macs, expected.parameter_count)
    assert [layer.name for layer in found.layers] == [layer.name for layer in expected.layers]
    assert [layer.outputs for layer in found.layers] == [layer.outputs for layer in expected.layers]


@models
def test_shapes_may_be_given_at_any_time(make: Any, shape: Any, macs: int) -> None:
    model = make()
    expected = read(model, input_shapes={"x": shape})
    assert expected.macs == macs
    assert expected.parameter_count == model.count_params()
    network = read(model)
    check_same(network.bind({"x": shape}), expected)
    check_same(network.bind(shape), expected)
    scenario = Scenario(input_shapes={"x": shape})
    for source in (model, network, expected, network.bind({"x": shape})):
        found = estimate(source, "cpu", scenario=scenario)
        assert found.macs == macs
        assert found.coverage("cpu").is_complete
        check_same(found.network if make is not only_known_layers else expected, expected)


@models
def test_a_network_that_is_read_again_may_be_bound_again(make: Any, shape: Any, macs: int) -> None:
    if read(make()).read_again is None:
        return  # an axis of it that is bound stays bound
    longer = (shape[0] + 3, *shape[1:])
    model = make()
    check_same(
        read(model, input_shapes={"x": shape}).bind(longer), read(model, input_shapes=longer)
    )


def test_names_and_shapes_that_do_not_fit_are_reported() -> None:
    network = read(places_by_length())
    with pytest.raises(UnknownNameError, match="input 'y'"):
        network.bind({"y": (5,)})
    with pytest.raises(ShapeError, match="does not fit"):
        network.bind({"x": (5, 3)})


def test_a_network_without_its_source_says_what_would_help(tmp_path: Path) -> None:
    inputs = keras.Input((None, 8), name="x")
    model = keras.Model(inputs, layers.Dense(3)(Unknown(name="odd")(inputs)))
    model.save(tmp_path / "net.keras")
    network = read(tmp_path / "net.keras")
    alone = pickle.loads(pickle.dumps(network))  # noqa: S301  # what this test wrote
    with pytest.raises(ShapeError, match=r"'odd' gives .*; read the network .* from its source"):
        estimate(alone, "cpu", scenario=Scenario(input_shapes={"x": (5, 8)}))


def test_a_file_with_a_layer_that_nobody_knows_is_bound_alike(tmp_path: Path) -> None:
    inputs = keras.Input((None, 8), name="x")
    hidden = Unknown(name="odd")(layers.Dense(8, name="before")(inputs))
    model = keras.Model(inputs, layers.Dense(3, name="behind")(hidden))
    model.save(tmp_path / "net.keras")
    expected = read(tmp_path / "net.keras", input_shapes={"x": (5, 8)})
    check_same(read(tmp_path / "net.keras").bind((5, 8)), expected)
    unknown = [layer.name for layer in expected.layers if isinstance(layer, UnknownLayer)]
    assert unknown == ["odd", "behind"]
    assert expected.macs == 5 * 8 * 8
    assert expected.parameter_count == model.count_params()
