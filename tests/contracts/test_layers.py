"""Every layer that ships keeps the laws."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import evolve
from hypothesis import strategies as st
from keras_cases import CASES, built
from operation_cases import CASES as CALLS
from operation_cases import built as built_call
from worlds import EVERYTHING

from costmodel import Free, Input, Layer, OperatorLayer, Tensor
from costmodel.layer import UnknownLayer
from costmodel.testing import LayerContract, strategies
from costmodel_keras.arguments import CALL, Arguments
from costmodel_keras.layers.applications import CustomScaleLayer
from costmodel_keras.layers.unruled import Unruled

SAMPLES = Path(__file__).parents[1] / "qkeras" / "samples"
KINDS = sorted(
    kind
    for kind, rule in EVERYTHING.layer_rules.by_kind.items()
    if not issubclass(rule, Unruled)  # of these the reader keeps no more than the reason
)

BY_HAND: dict[str, Any] = {
    "keras.Constant": (None, {"shape": (2, 3)}),
    "keras.Equalization": ((8, 7, 3), {}),
    "keras.ThresholdedReLU": ((3, 4), {"theta": 1.0}),
    "keras.Variable": (None, {"weights": (("kernel", (2, 3)),)}),
    "keras.ops.Abs": ((3, 4), {CALL: Arguments.of_inputs(1)}),
    "keras_spiking.Alpha": ((5, 4), {}),
    "keras.LayerScale": ((8, 7, 6), {"projection_dim": 6}),
    "keras.StochasticDepth": ((3, 4), {}),
    "keras_spiking.Lowpass": ((5, 4), {"return_sequences": False}),
    "keras_spiking.SpikingActivation": ((5, 4), {"activation": "relu"}),
    "qkeras.QAdaptiveActivation": ((3, 4), {"activation": "quantized_bits", "total_bits": 8}),
}
"""Kinds that have no case elsewhere: an input shape, if there is any, and the settings."""

SCALED = Tensor((8, 7, 6))


@functools.cache
def layers_by_kind() -> Any:
    """Layers of every kind, in many forms of their settings."""
    found = defaultdict(list)
    for layer in (*from_keras(), *from_samples(), *from_settings()):
        for each in (layer, *held_by(layer)):
            found[each.kind].append(each)
    return found


def held_by(layer: Layer) -> Iterator[Layer]:
    """The layers in a layer, such as the cell of a recurrent one."""
    for inner in getattr(layer, "held", ()):
        yield from (inner, *held_by(inner))


def from_keras() -> Iterator[Layer]:
    for case in CASES:
        yield from EVERYTHING.read(built(case)[0]).layers
    for call in CALLS:
        yield from EVERYTHING.read(built_call(call)).layers


def from_samples() -> Iterator[Layer]:
    for file in sorted(SAMPLES.glob("qkeras-v3.*.json")):
        yield from EVERYTHING.read(json.dumps(json.loads(file.read_text())["config"])).layers


def from_settings() -> Iterator[Layer]:
    yield Input("input", "input", shape=(3, 4))
    yield UnknownLayer("layer", "unknown", (Tensor((3,)),), recorded=((2,),), reason="no rule")
    yield OperatorLayer("layer", "operators", (Tensor((3,)),), work=Free("nothing is done"))
    yield CustomScaleLayer("layer", "keras.CustomScaleLayer", (SCALED, SCALED))
    for kind, (shape, settings) in BY_HAND.items():
        cls = EVERYTHING.layer_rules.find(kind)
        assert cls is not None
        inputs = () if shape is None else (Tensor(shape),)
        yield cls.from_settings("layer", kind, inputs, settings)


def layers_of(kind: str) -> Any:
    """Any of the layers of a kind whose inputs are bound."""
    found = layers_by_kind()[kind]
    bound = [layer for layer in found if all(tensor.is_bound for tensor in layer.inputs)]
    if not bound:
        pytest.fail(f"{kind} has no case; add one to keras_cases.py", pytrace=False)
    return st.sampled_from(bound)


UNEVEN = {f"keras.Adaptive{name}Pooling{rank}D" for name in ("Average", "Max") for rank in (2, 3)}
ENLARGED = {"keras.CenterCrop"}
SQUEEZED = {"keras.CategoryEncoding", "keras.ops.Squeeze"}


class TestLayersOfUnevenWindows(LayerContract):
    """Pooling whose windows are not all of one size."""

    known_failures: ClassVar = {
        "test_its_work_gives_all_that_it_gives": "windows of each size are an operator of their own"
    }

    @pytest.fixture(params=sorted(UNEVEN))
    def layer(self, request: pytest.FixtureRequest) -> Any:
        return layers_of(request.param)


class TestLayersThatEnlarge(LayerContract):
    """Crops."""

    known_failures: ClassVar = {
        "test_larger_inputs_never_need_less_work": "only an image that is too small is interpolated"
    }

    @pytest.fixture(params=sorted(ENLARGED))
    def layer(self, request: pytest.FixtureRequest) -> Any:
        return layers_of(request.param)


class TestLayersThatDropAxesOfOne(LayerContract):
    """Layers that leave an axis out if it is 1 long."""

    known_failures: ClassVar = {
        "test_an_axis_that_becomes_known_changes_no_other": "whether an open axis is 1 is not known"
    }

    @pytest.fixture(params=sorted(SQUEEZED))
    def layer(self, request: pytest.FixtureRequest) -> Any:
        return layers_of(request.param)


class TestEveryLayer(LayerContract):
    """What ships, in every form that is tested anywhere."""

    @pytest.fixture(params=sorted({*KINDS} - UNEVEN - ENLARGED - SQUEEZED))
    def layer(self, request: pytest.FixtureRequest) -> Any:
        return layers_of(request.param)


class TestLayersOfGivenOperators(LayerContract):
    """What a program gives that knows its work and has no framework."""

    @pytest.fixture
    def layer(self) -> Any:
        # Results that are given apart from the work may be any.
        return strategies.layers().map(lambda layer: evolve(layer, results=None))
