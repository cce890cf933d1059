"""Every layer that ships keeps the laws."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from keras_cases import CASES, built
from worlds import EVERYTHING

from costmodel import Input, Layer, Tensor
from costmodel.testing import LayerContract, strategies

SAMPLES = Path(__file__).parents[1] / "qkeras" / "samples"
KINDS = sorted(EVERYTHING.layer_rules.by_kind)

NOT_IN_KERAS_3: dict[str, Any] = {
    "keras.ThresholdedReLU": ((3, 4), {"theta": 1.0}),
    "keras_spiking.Alpha": ((5, 4), {}),
    "keras_spiking.Lowpass": ((5, 4), {"return_sequences": False}),
    "keras_spiking.SpikingActivation": ((5, 4), {"activation": "relu"}),
    "qkeras.QAdaptiveActivation": ((3, 4), {"activation": "quantized_bits", "total_bits": 8}),
}
"""Kinds that the Keras at hand cannot make: an input shape and the settings."""


@functools.cache
def layers_by_kind() -> Any:
    """Layers of every kind, in many forms of their settings."""
    found = defaultdict(list)
    for layer in (*from_keras(), *from_samples(), *from_settings()):
        found[layer.kind].append(layer)
    return found


def from_keras() -> Iterator[Layer]:
    for case in CASES:
        yield from EVERYTHING.read(built(case)[0]).layers


def from_samples() -> Iterator[Layer]:
    for file in sorted(SAMPLES.glob("qkeras-v3.*.json")):
        yield from EVERYTHING.read(json.dumps(json.loads(file.read_text())["config"])).layers


def from_settings() -> Iterator[Layer]:
    yield Input("input", "input", shape=(3, 4))
    for kind, (shape, settings) in NOT_IN_KERAS_3.items():
        cls = EVERYTHING.layer_rules.find(kind)
        assert cls is not None
        yield cls.from_settings("layer", kind, (Tensor(shape),), settings)


class TestEveryLayer(LayerContract):
    """What ships, in every form that is tested anywhere."""

    @pytest.fixture(params=KINDS)
    def layer(self, request: pytest.FixtureRequest) -> Any:
        found = layers_by_kind()[request.param]
        bound = [layer for layer in found if all(tensor.is_bound for tensor in layer.inputs)]
        if not bound:
            pytest.fail(f"{request.param} has no case; add one to keras_cases.py", pytrace=False)
        return st.sampled_from(bound)


class TestALayerThatIsToldWhatToDo(LayerContract):
    """The layer of the kit itself, which is given its work."""

    known_failures: ClassVar = {
        "test_its_work_gives_all_that_it_gives": "its work is drawn apart from its shapes"
    }

    @pytest.fixture
    def layer(self) -> Any:
        return strategies.layers()
