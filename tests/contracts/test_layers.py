"""Every layer that ships keeps the laws."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import evolve, frozen
from hypothesis import settings
from hypothesis import strategies as st
from keras_cases import CASES, built
from operation_cases import CASES as CALLS
from operation_cases import built as built_call
from worlds import EVERYTHING

from costmodel import Free, Layer
from costmodel.frontend.layers import TranslatedLayer
from costmodel.network.layer import Input, OperatorLayer, UnknownLayer
from costmodel.tensor.shapes import Tensor
from costmodel.testing import LayerContract, strategies
from costmodel_keras.arguments import CALL, Arguments, Array, LayerInput
from costmodel_keras.layers.applications import CustomScaleLayer
from costmodel_keras.layers.basic import Dense
from costmodel_keras.layers.quantized import QUANTIZATION
from costmodel_keras.layers.tensorflow_functions import STEPS, UNCOUNTED
from costmodel_keras.layers.unsupported import UnsupportedBase
from costmodel_keras.policies import Quantization

SAMPLES = Path(__file__).parents[1] / "qkeras" / "samples"
WIDTHS = Path(__file__).parents[1] / "hgq2" / "samples"
RULES = {
    kind: rule
    for kind, rule in EVERYTHING.layer_registry.by_kind.items()
    # Of the first the reader keeps no more than the reason; the second are given workloads.
    if not issubclass(rule, UnsupportedBase | TranslatedLayer)
}

_HELD = Dense("dense", "keras.Dense", (Tensor((4,)),), units=3)

BY_HAND: dict[str, Any] = {
    "keras.Constant": (None, {"shape": (2, 3)}),
    "keras.Equalization": ((8, 7, 3), {}),
    "keras.RandomNumbers": (None, {"shape": (3, 4)}),
    "keras.FromShapes": (None, {"shapes": ((3,), ()), "maker": "tf.unstack"}),
    "keras.Returned": ((3, 4), {"returned": (0, 0), "maker": "custom.Passing"}),
    "keras.ThresholdedReLU": ((3, 4), {"theta": 1.0}),
    "keras.TracedCell": (
        (4,),
        {
            "maker": "custom.Cell",
            "held": (_HELD,),
            "feeds": (((0, 0),),),
            "results": ((2, 0), (2, 0)),
            "states": ((3,),),
        },
    ),
    "keras.Variable": (None, {"weights": (("kernel", (2, 3)),)}),
    "keras.ops.Abs": ((3, 4), {CALL: Arguments.of_inputs(1)}),
    "keras.ops.Argpartition": ((3, 4), {CALL: Arguments.of_inputs(1)}),
    "keras.ops.Argsort": ((3, 4), {CALL: Arguments.of_inputs(1)}),
    "keras.ops.Sort": ((3, 4), {CALL: Arguments.of_inputs(1), "axis": 1}),
    "keras.ops.TopK": ((3, 4), {CALL: Arguments.of_inputs(1), "k": 2}),
    **{kind: ((3, 4), {CALL: Arguments.of_inputs(1)}) for kind in (*STEPS, *UNCOUNTED)},
    "tf.batch_to_space_nd": (
        Tensor((4, 6, 3), rows=4),
        {CALL: Arguments.of_inputs(1), "block_shape": (2, 2), "edges": ((0, 0), (1, 1))},
    ),
    "tf.gather_nd": (
        (3, 1),
        {CALL: Arguments((Array((5, 7), "float32"), LayerInput(0)))},
    ),
    "tf.gather": (
        (5, 4),
        {CALL: Arguments((LayerInput(0), Array((3,), "int32"))), "axis": 1},
    ),
    "tf.image.per_image_standardization": ((8, 7, 3), {CALL: Arguments.of_inputs(1)}),
    "tf.linalg.diag": ((3, 4), {CALL: Arguments.of_inputs(1)}),
    "tf.math.add_n": ((3, 4), {CALL: Arguments(((LayerInput(0), Array((4,), "float32")),))}),
    "tf.nn.local_response_normalization": ((8, 7, 3), {CALL: Arguments.of_inputs(1)}),
    "tf.sequence_mask": ((3,), {CALL: Arguments.of_inputs(1), "maxlen": 5}),
    "tf.space_to_batch_nd": (
        (8, 6, 3),
        {CALL: Arguments.of_inputs(1), "block_shape": (2, 2), "edges": ((0, 0), (1, 1))},
    ),
    "keras_spiking.Alpha": ((5, 4), {}),
    "keras.LayerScale": ((8, 7, 6), {"projection_dim": 6}),
    "keras.StochasticDepth": ((3, 4), {}),
    "keras_spiking.Lowpass": ((5, 4), {"return_sequences": False}),
    "keras_spiking.SpikingActivation": ((5, 4), {"activation": "relu"}),
    "qkeras.QAdaptiveActivation": ((3, 4), {"activation": "quantized_bits", "total_bits": 8}),
}
"""Kinds that have no case elsewhere: an input shape or tensor, if any, and the settings."""

SCALED = Tensor((8, 7, 6))

QUANTIZED: dict[str, Any] = {
    "keras.QuantizedDense": ((3, 6), {"units": 4, "activation": "relu"}),
    "keras.QuantizedEinsumDense": (
        (3, 6), {"equation": "abx,xhy->abhy", "output_shape": (3, 2, 4), "bias_axes": "y"},
    ),
    "keras.QuantizedEmbedding": ((3,), {"input_dim": 11, "output_dim": 6}),
}  # fmt: skip
MODES = [
    Quantization("int8"), Quantization("int8", takes_quantized=False), Quantization("int4"),
    Quantization("int4", 4, takes_quantized=False), Quantization("float8", history=16),
]  # fmt: skip


@functools.cache
def shipped() -> Any:
    """Bound layers of every rule, of all its kinds and in many forms of their settings."""
    found = defaultdict(dict)
    for layer in (*from_keras(), *from_samples(), *from_widths(), *from_settings()):
        for each in (layer, *held_by(layer)):
            if each.kind in RULES and all(tensor.is_bound for tensor in each.inputs):
                found[type(each)][each.renamed("layer")] = None
    return {rule: list(layers) for rule, layers in found.items()}


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


def from_widths() -> Iterator[Layer]:
    for file in sorted(WIDTHS.glob("*.keras")):
        yield from EVERYTHING.read(file).layers


def from_settings() -> Iterator[Layer]:
    yield Input("input", "input", shape=(3, 4))
    yield UnknownLayer("layer", "unknown", (Tensor((3,)),), recorded=((2,),), reason="no rule")
    yield OperatorLayer("layer", "operators", (Tensor((3,)),), work=Free("nothing is done"))
    yield CustomScaleLayer("layer", "keras.CustomScaleLayer", (SCALED, SCALED))
    for kind, (shape, held) in BY_HAND.items():
        cls = EVERYTHING.layer_registry.find(kind)
        assert cls is not None
        inputs = () if shape is None else (as_tensor(shape),)
        yield cls.from_settings("layer", kind, inputs, held)
    for kind, (shape, held) in QUANTIZED.items():
        for mode in MODES[:-1] if kind == "keras.QuantizedEmbedding" else MODES:
            settings_ = {**held, QUANTIZATION: mode}
            yield RULES[kind].from_settings("layer", kind, (Tensor(shape),), settings_)


def as_tensor(shape: Any) -> Tensor:
    return shape if isinstance(shape, Tensor) else Tensor(shape)


def title(rule: type[Layer]) -> str:
    return rule.__name__


def rules(*kinds: str) -> frozenset[type[Layer]]:
    return frozenset(RULES[kind] for kind in kinds)


@frozen
class Sort:
    """Layers that keep the same laws: all of some rules, and of others those that `are`."""

    wholly: frozenset[type[Layer]] = frozenset()
    partly: frozenset[type[Layer]] = frozenset()
    are: Callable[[Any], bool] = bool

    def __contains__(self, layer: Layer) -> bool:
        return type(layer) in self.wholly or (type(layer) in self.partly and self.are(layer))

    @property
    def rules(self) -> list[type[Layer]]:
        return sorted(self.wholly | self.partly, key=lambda rule: (rule.__module__, rule.__name__))

    @property
    def modules(self) -> list[str]:
        return sorted({rule.__module__ for rule in self.rules})

    def drawn(self, *rules: type[Layer]) -> Iterator[st.SearchStrategy[Layer]]:
        """Its layers of some rules; laws are tried often enough to draw each of them."""
        layers = [layer for rule in rules for layer in shipped()[rule] if layer in self]
        before = settings.get_current_profile_name()
        most = max(3 * len(layers), settings().max_examples * -(-len(rules) // 3))
        settings.register_profile("each", settings.get_profile(before), max_examples=most)
        settings.load_profile("each")
        yield st.sampled_from(layers)
        settings.load_profile(before)


def is_idle(layer: Layer) -> bool:
    of_training = ("lora_", "reverse_", "g_idx", "outputs_grad_")
    return any(name.startswith(of_training) for name in layer.parameters)


UNEVEN = Sort(partly=rules("keras.AdaptiveMaxPooling2D"), are=lambda layer: layer.rank > 1)
ENLARGING = Sort(rules("keras.CenterCrop"))
DROPPING = Sort(rules("keras.CategoryEncoding", "keras.ops.Squeeze"))
IDLE = Sort(
    rules(
        "keras.SpectralNormalization", "qkeras.QAdaptiveActivation", "qkeras.QConv2DBatchnorm",
        "qkeras.QDenseBatchnorm", "qkeras.QDepthwiseConv2DBatchnorm",
        "qkeras.QDepthwiseConv2DTranspose",
    ),
    rules(
        "keras.Dense", "keras.EinsumDense", "keras.Embedding", "keras.ReversibleEmbedding",
        *QUANTIZED,
    ),
    is_idle,
)  # fmt: skip
EXCEPTIONS = (UNEVEN, ENLARGING, DROPPING, IDLE)
REGULAR = Sort(
    partly=rules(*RULES).difference(*(sort.wholly for sort in EXCEPTIONS)),
    are=lambda layer: not any(layer in sort for sort in EXCEPTIONS),
)


class TestLayersOfUnevenWindows(LayerContract):
    """Pooling whose windows are not all of one size."""

    known_failures: ClassVar = {
        "test_its_outputs_are_outputs_of_its_operators":
            "windows of each size are an operator of their own",
    }  # fmt: skip

    @pytest.fixture(params=UNEVEN.rules, ids=title)
    def layer(self, request: pytest.FixtureRequest) -> Any:
        yield from UNEVEN.drawn(request.param)


class TestLayersThatEnlarge(LayerContract):
    """Crops."""

    known_failures: ClassVar = {
        "test_larger_inputs_never_need_less_work": "only an image that is too small is interpolated"
    }

    @pytest.fixture(params=ENLARGING.rules, ids=title)
    def layer(self, request: pytest.FixtureRequest) -> Any:
        yield from ENLARGING.drawn(request.param)


class TestLayersThatDropAxesOfOne(LayerContract):
    """Layers that leave an axis out if it is 1 long."""

    known_failures: ClassVar = {
        "test_an_axis_that_becomes_known_changes_no_other": "whether an open axis is 1 is not known"
    }

    @pytest.fixture(params=DROPPING.rules, ids=title)
    def layer(self, request: pytest.FixtureRequest) -> Any:
        yield from DROPPING.drawn(request.param)


class TestLayersWithIdleParameters(LayerContract):
    """Layers of which some parameters serve training, another call, or nothing."""

    known_failures: ClassVar = {
        "test_its_parameters_are_read_by_its_operators":
            "what training adds is merged into the others or left out, as scales of blocks are; "
            "QKeras never adds one bias",
    }  # fmt: skip

    @pytest.fixture(params=IDLE.rules, ids=title)
    def layer(self, request: pytest.FixtureRequest) -> Any:
        yield from IDLE.drawn(request.param)


class TestEveryLayer(LayerContract):
    """What ships, in every form that is tested anywhere."""

    @pytest.fixture(params=REGULAR.modules)
    def layer(self, request: pytest.FixtureRequest) -> Any:
        yield from REGULAR.drawn(
            *(rule for rule in REGULAR.rules if rule.__module__ == request.param)
        )


class TestLayersOfGivenOperators(LayerContract):
    """What a program gives that knows its work and has no framework."""

    @pytest.fixture
    def layer(self) -> Any:
        # Results that are given apart from the work may be any.
        return strategies.layers().map(lambda layer: evolve(layer, results=None))


def test_no_layer_that_ships_is_left_out() -> None:
    """Every kind has a case; every case is of the sort, and of a rule, that runs the laws."""
    kinds = {layer.kind for layers in shipped().values() for layer in layers}
    # Of HGQ2, kinds that differ in their number of axes have one rule and one case.
    kinds |= {kind for kind, rule in RULES.items() if kind.startswith("hgq.") and rule in shipped()}
    assert kinds == RULES.keys()
    ran = {(rule, sort) for sort in (*EXCEPTIONS, REGULAR) for rule in sort.rules}
    found = {
        (rule, sort)
        for rule, layers in shipped().items()
        for layer in layers
        for sort in (*EXCEPTIONS, REGULAR)
        if layer in sort
    }
    assert ran == found
