"""Layers whose weights Keras itself quantises: named, with their shapes, and not mispriced."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers
from worlds import REGISTRY

from costmodel import UnpricedWarning, estimate, read

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
    "ignore:Layer .* does not have a `quantize` method:UserWarning",  # Keras says so of each
)

LAYERS = {
    "dense": lambda **options: layers.Dense(4, name="odd", **options),
    "einsum": lambda **options: layers.EinsumDense("...x,xy->...y", 4, name="odd", **options),
    "in another": lambda **options: layers.TimeDistributed(layers.Dense(4, **options), name="odd"),
}


def model_of(layer: Any) -> Any:
    inputs = keras.Input((3, 6))
    return keras.Model(inputs, layers.Dense(2, name="after")(layer(inputs)))


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("dense", "int8"),
        ("dense", "float8"),
        ("einsum", "float8"),  # Keras 3.15 cannot build it as int8
        ("in another", "int8"),
    ],
)
def test_a_layer_that_keras_quantises_is_unpriced_and_named(
    name: str, mode: str, source: Any
) -> None:
    model = model_of(LAYERS[name](dtype=f"{mode}_from_float32"))
    network = read(source(model), registry=REGISTRY)
    assert network.layer("odd").outputs[0].shape == (3, 4)
    with pytest.warns(UnpricedWarning, match=f"odd: its weights are kept as '{mode}'"):
        bill = estimate(network, "cpu", registry=REGISTRY)
    assert list(bill.coverage("cpu").unpriced) == ["odd"]


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_a_model_that_was_quantised_is_the_same_live_and_as_json(mode: str) -> None:
    model = model_of(LAYERS["dense"]())
    model.quantize(mode)
    live, text = (read(source, registry=REGISTRY) for source in (model, model.to_json()))
    assert live == text
    assert live.parameter_count == model.count_params()


@pytest.mark.parametrize("convention", ["keras-spiking", "qtools"])
def test_the_ancestors_have_no_count_for_it_either(convention: str) -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="dense"), layers.ReLU()])
    model.quantize("int8")
    found = estimate(model, "horowitz-45nm", convention=convention, on_unpriced="bound")
    assert "'int8'" in found.coverage("horowitz-45nm").unpriced["dense"][0]


def test_mixed_precision_is_no_quantisation() -> None:
    model = model_of(LAYERS["dense"](dtype="mixed_bfloat16"))
    assert read(model, registry=REGISTRY).macs == 3 * 6 * 4 + 3 * 4 * 2
