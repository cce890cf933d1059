"""QKeras's layers: from live models and from what both releases save."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from worlds import HOUSE, world

import costmodel_qkeras.hooks
from costmodel.errors import ReadError
from costmodel.formats import FixedPoint
from costmodel.network.layer import UnknownLayer
from costmodel.tensor.shapes import Tensor
from costmodel.workload.operators import Contraction
from costmodel_qkeras.layers.quantized import Quantized

REGISTRY = world(**HOUSE, qkeras=costmodel_qkeras.hooks)
RULES = REGISTRY.layer_registry
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
LATEST = [path for path in SAMPLES if path.stem.startswith("qkeras-v3")]


def sample(path: Path) -> Any:
    return json.loads(path.read_text())


def as_shapes(shapes: Any) -> list[tuple[int, ...]]:
    return [tuple(shape) for shape in shapes]


@pytest.mark.parametrize("path", LATEST, ids=lambda path: path.stem)
def test_a_saved_layer_has_the_weights_that_qkeras_says_it_has(path: Path) -> None:
    found = sample(path)
    network = REGISTRY.read(json.dumps(found["config"]))
    assert not [layer for layer in network.layers if isinstance(layer, UnknownLayer)]
    shapes = [each.shape for layer in network.layers for each in layer.parameters.values()]
    assert shapes == as_shapes(found["facts"]["weights"])


LISTING = [path for path in LATEST if sample(path)["facts"]["get_quantizers"] is not None]


@pytest.mark.parametrize("path", LISTING, ids=lambda path: path.stem)
def test_a_saved_layer_lists_the_quantizers_that_qkeras_lists(path: Path) -> None:
    found = sample(path)
    layer: Any = REGISTRY.read(json.dumps(found["config"])).layers[-1]
    names = [text.partition("(")[0] for text in found["facts"]["get_quantizers"]]
    assert [getattr(each, "name", "None") for each in layer.quantizers] == names


OLD = [path for path in SAMPLES if path.stem.startswith("qkeras-0.9")]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_layer_of_qkeras_09_is_that_of_the_latest_release(path: Path) -> None:
    found = sample(path)
    entries = found["config"]["config"]["layers"]
    tensor = Tensor(tuple(entries[0]["config"]["batch_input_shape"][1:]))
    shapes: list[tuple[int | None, ...]] = []
    for entry in entries[1:]:
        kind = f"qkeras.{entry['class_name']}"
        cls = RULES.find(kind)
        assert cls is not None
        layer = cls.from_settings(entry["name"], kind, (tensor,), entry["config"])
        tensor = layer.outputs[0]
        shapes += [each.shape for each in layer.parameters.values()]
    # The order of the vectors differs between the releases.
    assert sorted(shapes) == sorted(as_shapes(found["facts"]["weights"]))
    assert f"(None, {', '.join(map(str, tensor.shape))})" == found["facts"]["output"]


B = "quantized_bits(4, 0, 1)"


def made(kind: str, shape: tuple[int, ...], **settings: Any) -> Any:
    cls = RULES.find(kind)
    assert cls is not None
    return cls.from_settings("layer", kind, (Tensor(shape),), settings)


CONV = {"kernel_size": 3, "strides": 1, "padding": "same", "dilation_rate": 1}


@pytest.mark.parametrize(
    ("kind", "plain", "shape", "settings"),
    [
        ("qkeras.QConv2D", "keras.Conv2D", (8, 8, 4), {**CONV, "filters": 6, "groups": 2}),
        ("qkeras.QConv1D", "keras.Conv1D", (8, 4), {**CONV, "kernel_size": [3], "filters": 6}),
        ("qkeras.QConv2DTranspose", "keras.Conv2DTranspose", (8, 8, 4), {**CONV, "filters": 6}),
        ("qkeras.QDepthwiseConv2D", "keras.DepthwiseConv2D", (8, 8, 4),
         {**CONV, "depth_multiplier": 2}),
        ("qkeras.QSeparableConv2D", "keras.SeparableConv2D", (8, 8, 4), {**CONV, "filters": 6}),
        ("qkeras.QDense", "keras.Dense", (5, 4), {"units": 6}),
        ("qkeras.QConv2DBatchnorm", "keras.Conv2D", (8, 8, 4), {**CONV, "filters": 6}),
        ("qkeras.QDepthwiseConv2DBatchnorm", "keras.DepthwiseConv2D", (8, 8, 4), CONV),
        ("qkeras.QDenseBatchnorm", "keras.Dense", (5,), {"units": 6}),
    ],
)  # fmt: skip
def test_a_quantized_layer_does_the_work_of_the_plain_one(
    kind: str, plain: str, shape: tuple[int, ...], settings: dict[str, Any]
) -> None:
    if "2D" in kind:
        settings = {**settings, "kernel_size": [3, 3]}
    assert made(kind, shape, **settings).operators() == made(plain, shape, **settings).operators()


@pytest.mark.parametrize(("kind", "gates"), [
    ("qkeras.QSimpleRNN", 1), ("qkeras.QLSTM", 4), ("qkeras.QGRU", 3),
])  # fmt: skip
def test_a_recurrent_layer_multiplies_inputs_and_state_in_every_step(kind: str, gates: int) -> None:
    layer = made(kind, (7, 5), units=3, return_sequences=True)
    assert layer.outputs[0].shape == (7, 3)
    contractions = [each for each in layer.operators() if isinstance(each, Contraction)]
    assert [each.macs for each in contractions] == [7 * gates * 3 * 5, 7 * gates * 3 * 3]
    assert layer.parameter_count == gates * 3 * (5 + 3 + 1)


def test_a_bidirectional_layer_does_the_work_twice() -> None:
    inner = {"class_name": "QLSTM", "module": "qkeras.qrecurrent", "config": {"units": 3}}
    both = made("qkeras.QBidirectional", (7, 5), layer=inner)
    one = made("qkeras.QLSTM", (7, 5), units=3)
    macs = sum(each.macs for each in one.operators())
    assert sum(each.macs for each in both.operators()) == 2 * macs
    assert both.outputs[0].shape == (6,)
    assert both.parameter_count == 2 * one.parameter_count


def test_a_layer_says_which_formats_it_declares() -> None:
    layer = made("qkeras.QDense", (4,), units=3, kernel_quantizer=B, activation="quantized_relu(4)")
    assert isinstance(layer, Quantized)
    declared = layer.declared_quantizers()
    assert str(declared["kernel"]) == "quantized_bits(bits=4, symmetric=1)"
    assert declared["bias"] is None
    assert layer.declared_formats() == {"kernel": FixedPoint(4, 0)}
    assert layer.declared_result() == FixedPoint(4, 0, signed=False)
    assert layer.output_quantizer.bits == 4
    assert layer.activation == "quantized_relu"


@pytest.mark.parametrize(("text", "message"), [
    ("__import__('os').system('true')", "code in a quantizer is refused"),
    ("quantised_bits(4)", "unknown quantizer 'quantised_bits'; nearest known: 'quantized_bits'"),
    ("quantized_bits(0)", "bits is 0; expected 1 to 4096"),
    ("quantized_bits(-4)", "bits is -4; expected 1 to 4096"),
    ("quantized_bits(10000)", "bits is 10000; expected 1 to 4096"),
    ("quantized_po2(1)", "leaves 0 for the exponent"),
    ("quantized_bits(4, 9)", "an integer part that is not wider than the word"),
    (7, "unknown quantizer 'int'"),
    ({"class_name": "quantized_bits"}, "'class_name' and 'config'"),
])  # fmt: skip
def test_a_bad_quantizer_is_refused_with_its_layer_and_field(text: Any, message: str) -> None:
    where = "layer 'layer' of kind 'qkeras.QDense': 'kernel_quantizer' is "
    with pytest.raises(ReadError, match=re.escape(where) + ".*" + re.escape(message)):
        made("qkeras.QDense", (4,), units=3, kernel_quantizer=text)
