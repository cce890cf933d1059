"""Masks travel with tensors into models within models, and are not inputs of these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

import costmodel

pytestmark = [  # Keras itself: what it does with a mask, and on NumPy 2
    pytest.mark.filterwarnings("ignore:.*destroy the mask:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def into_functional() -> tuple[Any, int]:
    source = keras.Input((5, 8))
    inner = keras.Model(source, layers.LSTM(4)(source), name="inner")
    words = keras.Input((5,), dtype="int32")
    embedded = layers.Embedding(10, 8, mask_zero=True)(words)
    return keras.Model(words, layers.Dense(2)(inner(embedded))), 5 * (8 + 4) * 16 + 4 * 2


def into_sequential() -> tuple[Any, int]:
    source = keras.Input((5, 8))
    inner = keras.Sequential([keras.Input((5, 8)), layers.GRU(4), layers.Dense(3)])
    return keras.Model(source, inner(layers.Masking()(source))), 5 * (8 + 4) * 12 + 4 * 3


def into_two_inputs() -> tuple[Any, int]:
    """Each of two tensors has a mask of its own."""
    first, second = keras.Input((5, 8)), keras.Input((5, 8))
    joined = layers.Concatenate()([layers.Dense(4)(first), layers.Dense(3)(second)])
    inner = keras.Model([first, second], layers.LSTM(2)(joined))
    words = keras.Input((5,), dtype="int32")
    given = [layers.Embedding(10, 8, mask_zero=True)(words) for _ in range(2)]
    return keras.Model(words, inner(given)), 5 * 8 * 7 + 5 * (7 + 2) * 8


def two_levels_down() -> tuple[Any, int]:
    source = keras.Input((5, 8))
    innermost = keras.Sequential([keras.Input((5, 8)), layers.LSTM(4)])
    inner = keras.Model(source, innermost(source))
    words = keras.Input((5,), dtype="int32")
    embedded = layers.Embedding(10, 8, mask_zero=True)(words)
    return keras.Model(words, inner(embedded)), 5 * (8 + 4) * 16


def given_by_name() -> tuple[Any, int]:
    source, mask = keras.Input((5, 8)), keras.Input((5,), dtype="bool")
    inner = keras.Sequential([keras.Input((5, 8)), layers.LSTM(4)])
    return keras.Model([source, mask], inner(source, mask=mask)), 5 * (8 + 4) * 16


@pytest.mark.parametrize("make", [
    into_functional, into_sequential, into_two_inputs, two_levels_down, given_by_name,
])  # fmt: skip
def test_a_mask_is_not_an_input_of_a_model_within_a_model(make: Any, tmp_path: Path) -> None:
    model, macs = make()
    live = costmodel.read(model)
    assert live.macs == macs
    assert live.parameter_count == model.count_params()
    json_file = tmp_path / "model.json"
    json_file.write_text(model.to_json())
    sources = [json_file]
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"model{suffix}")
        sources.append(tmp_path / f"model{suffix}")
    for source in sources:
        found = costmodel.read(source)
        assert found.macs == macs, source.name
        assert found.parameter_count == model.count_params(), source.name
        assert [layer.name for layer in found.layers] == [layer.name for layer in live.layers]
    estimate = costmodel.estimate(live, "horowitz-45nm", on_unpriced="error")
    assert estimate.macs == macs
