"""The same network from every frontend: contractions agree to the unit."""

from __future__ import annotations

import functools
import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import costmodel
from costmodel.estimates.operator_difference import operator_table
from costmodel.formats import FLOAT32
from costmodel.network.graph import Network
from costmodel.workload.composite import Attention
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Contraction

MODELS = Path(__file__).parent / "models"
PAIRS = json.loads((MODELS / "pairs" / "pairs.json").read_text())
EXPECTED = json.loads((MODELS / "expected.json").read_text())
INVALID = "transformer.keras.onnx"
FORMS = sorted(
    file.name for file in (MODELS / "pairs").iterdir() if file.name not in {"pairs.json", INVALID}
)


@functools.cache
def read(path: Path) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return costmodel.read(path)


@functools.cache
def workload(path: Path) -> Workload:
    return costmodel.Convention().lower(read(path), costmodel.Scenario()).bind(batch=1)


def contractions(whole: Workload) -> Counter[tuple[int, ...]]:
    """How often each contraction runs, by its sizes in order, those of 1 left out."""
    found: Counter[tuple[int, ...]] = Counter()
    for node, times in whole.nodes:
        operator: Any = node.operator
        parts = operator.decompose() if isinstance(operator, Attention) else [operator]
        for part in parts:
            if isinstance(part, Contraction):
                sizes = tuple(sorted(size for size in part.dims.values() if size != 1))
                found[sizes] += times
    return found


@pytest.mark.parametrize("name", FORMS)
def test_each_form_has_the_expected_multiply_accumulates(name: str) -> None:
    assert workload(MODELS / "pairs" / name).macs == PAIRS[name.partition(".")[0]]["macs"]


@pytest.mark.parametrize("name", FORMS)
def test_each_form_has_the_contractions_of_the_keras_form(name: str) -> None:
    own = contractions(workload(MODELS / "pairs" / name))
    keras = contractions(workload(MODELS / "pairs" / f"{name.partition('.')[0]}.keras"))
    assert _macs(own) == _macs(keras)


def _macs(found: Counter[tuple[int, ...]]) -> Counter[int]:
    """How many multiply-accumulates of each contraction; a loop's may be one whole or many."""
    totals: Counter[int] = Counter()
    for sizes, times in found.items():
        product = 1
        for size in sizes:
            product *= size
        totals[product] += times
    return totals


DIFFERENT = {
    "cnn.dynamic.onnx": "the file quantises each activation by its range while it runs",
    "transformer.dynamic.onnx": "the file quantises each activation by its range while it runs",
    "cnn.qdq.onnx": "quantisation to unsigned numbers took the place of the rectifiers",
    "cnn.qdq4.onnx": "quantisation to unsigned numbers took the place of the rectifiers",
    "cnn.qoperator.onnx": "quantisation to unsigned numbers took the place of the rectifiers",
    "transformer.qdq.onnx": "each step of the GELU is rounded, so that it is another function",
    "transformer.qdq4.onnx": "each step of the GELU is rounded, so that it is another function",
    "transformer.qoperator.onnx": "queries and keys are scaled, each by the root of the scale",
    "transformer.mlir": "the scores are scaled, not the queries",
    "transformer.int8.tflite": "the scores are scaled, not the queries",
    "lstm.tflite": "the loop counts its steps, and fetches each slice",
    "lstm.mlir": "the loop counts its steps",
    "embedding.mlir": "the lookup checks its indices",
    "embedding.tflite": "the lookup wraps negative indices",
    "embedding.int8.tflite": "the lookup wraps negative indices",
    "embedding.keras.onnx": "the lookup wraps negative indices",
}
"""The files that hold other elementwise work than the Keras form, and which."""


@pytest.mark.parametrize("name", FORMS)
def test_each_form_has_the_operators_of_the_keras_form(name: str) -> None:
    keras = f"{name.partition('.')[0]}.keras"
    sides = [
        costmodel.estimate(read(MODELS / "pairs" / one), ["cpu"], on_unpriced="bound")
        for one in (keras, name)
    ]
    title = operator_table(*sides).title
    assert title.startswith("operators: the same in both") == (name not in DIFFERENT), title


PARAMETERS = {
    **dict.fromkeys(["cnn.tflite", "cnn.int8.tflite"], (-10, "a bias of zeros is left out")),
    **dict.fromkeys(["conv1d.tflite", "conv1d.int8.tflite"], (-5, "a bias of zeros is left out")),
    "lstm.tflite": (-4, "a bias of zeros is left out"),
    "cnn.keras.onnx": (-58, "biases of zeros are left out"),
    "conv1d.keras.onnx": (-53, "biases of zeros are left out"),
    **dict.fromkeys(
        ["embedding.tflite", "embedding.int8.tflite", "embedding.keras.onnx"],
        (-36, "biases of zeros are left out"),
    ),
    "lstm.keras.onnx": (124, "gates have a second bias of 128; a bias of zeros is left out"),
    **dict.fromkeys(
        ["lstm.pt2", "lstm.torch.onnx", "lstm.torchscript.onnx"],
        (128, "the gates have a second bias"),
    ),
    **dict.fromkeys(
        ["resblock.keras.onnx", "resblock.torch.onnx"],
        (-384, "normalisations are folded, and biases of zeros left out"),
    ),
    "resblock.torchscript.onnx": (-288, "normalisations of 4 x 96 became biases of 96"),
    **dict.fromkeys(
        ["resblock.tflite", "resblock.int8.tflite"],
        (-288, "normalisations of 4 x 96 became biases of 96"),
    ),
    **dict.fromkeys(
        ["resblock.pt2", "resblock.mlir"],
        (-192, "a normalisation keeps a scale and an offset of its four"),
    ),
    **dict.fromkeys(
        ["transformer.torch.onnx", "transformer.torchscript.onnx", "transformer.dynamic.onnx",
         "transformer.qoperator.onnx"],
        (-64, "two equal normalisations share their tensors"),
    ),
    **dict.fromkeys(
        ["transformer.tflite", "transformer.int8.tflite"],
        (-288, "biases and offsets of zeros are left out"),
    ),
}  # fmt: skip
"""The files that hold more or fewer parameters than the Keras form, how many, and why."""


@pytest.mark.parametrize("name", FORMS)
def test_each_form_has_the_parameters_of_the_keras_form_up_to_folding(name: str) -> None:
    keras = read(MODELS / "pairs" / f"{name.partition('.')[0]}.keras").parameter_count
    more, _ = PARAMETERS.get(name, (0, ""))
    assert read(MODELS / "pairs" / name).parameter_count == keras + more


def _widths(whole: Workload) -> Counter[tuple[int, float, float]]:
    """How often a contraction runs, by its products and the widths of its two operands."""
    found: Counter[tuple[int, float, float]] = Counter()
    for node, times in whole.nodes:
        operator: Any = node.operator
        parts = operator.decompose() if isinstance(operator, Attention) else [operator]
        for part in parts:
            if isinstance(part, Contraction):
                read = [one for one in part.operands if one.role != "output"][:2]
                widths = [(one.format or FLOAT32).bits for one in read]
                found[part.macs, max(widths), min(widths)] += times
    return found


@pytest.mark.parametrize("name", FORMS)
def test_forms_that_are_quantised_alike_have_contractions_of_the_same_widths(name: str) -> None:
    network, *how, _ = name.split(".")
    is_4_bit, is_8_bit = how == ["qdq4"], how[:1] in (["int8"], ["qdq"], ["qoperator"], ["dynamic"])
    keras = _widths(workload(MODELS / "pairs" / f"{network}.keras"))
    expected: Counter[tuple[int, float, float]] = Counter()
    for (macs, *_), times in keras.items():
        # Between activations, such as scores and values, both operands have those of activations.
        between = network == "transformer" and macs == 16 * 16 * 32
        if is_4_bit:
            widths = (8.0, 8.0 if between else 4.0)
        elif is_8_bit and not (between and how == ["dynamic"]):
            widths = (8.0, 8.0)
        else:
            widths = (32.0, 32.0)
        expected[macs, *widths] += times
    assert _widths(workload(MODELS / "pairs" / name)) == expected


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_file_has_the_expected_multiply_accumulates(name: str) -> None:
    assert workload(MODELS / name).macs == EXPECTED[name]["macs"]


def _latency(name: str, device: str, default: str = "float32") -> float:
    scenario = costmodel.Scenario(default_format=default)
    network = read(MODELS / "pairs" / name)
    found = costmodel.estimate(network, device, scenario=scenario, on_unpriced="bound")
    seconds = found.total(device).latency_seconds
    assert seconds is not None
    return seconds


@pytest.mark.parametrize("device", ["rtx-4090", "raspberry-pi-4", "core-i9-10940x"])
@pytest.mark.parametrize(
    "form",
    [
        "cnn.tflite",
        "cnn.mlir",
        "cnn.pt2",
        "cnn.torch.onnx",
        "transformer.pt2",
        "transformer.tflite",
    ],
)  # fmt: skip
def test_each_form_takes_as_long_as_the_keras_form(form: str, device: str) -> None:
    """Whether or not a form has activations within its layers, or heads before positions."""
    keras = f"{form.partition('.')[0]}.keras"
    assert _latency(form, device) == pytest.approx(_latency(keras, device), rel=1e-3, abs=0)


@pytest.mark.parametrize("device", ["rtx-4090", "core-i9-10940x"])
@pytest.mark.parametrize("form", [one for one in FORMS if one.startswith("lstm.")])
def test_an_lstm_is_one_operator_also_where_a_loop_writes_out_its_cell(
    form: str, device: str
) -> None:
    """In all forms but Keras's the slice of the last step is an operator: one overhead more."""
    (overhead,) = [
        figure.value
        for _, figure in costmodel.device(device).overhead_per_operator.entries  # type: ignore[attr-defined]
    ]
    more = _latency(form, device) - _latency("lstm.keras", device)
    expected = 0.0 if form == "lstm.keras" else overhead
    assert more == pytest.approx(expected, rel=0.02, abs=1e-9)


@pytest.mark.parametrize("device", ["raspberry-pi-4", "rtx-3090", "ethos-u55-128"])
def test_an_int8_file_is_called_in_int8_whatever_the_default_format(device: str) -> None:
    given = _latency("cnn.int8.tflite", device, "int8")
    assert _latency("cnn.int8.tflite", device) == pytest.approx(given, rel=1e-3, abs=0)
