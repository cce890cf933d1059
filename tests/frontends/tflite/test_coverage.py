"""Every operator of the TFLite schema has a rule or a stated reason; forms of one network agree."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import costmodel
from costmodel.errors import ReadError
from costmodel.network.graph import Network
from costmodel.workload.operators import Contraction

tflite = pytest.importorskip("tflite")
MODELS = Path(__file__).parent.parent / "models"


def test_every_builtin_operator_has_a_rule_or_a_reason() -> None:
    from costmodel_tflite.operators import TFLITE  # noqa: PLC0415  # where the parser is installed

    schema = [name for name in vars(tflite.BuiltinOperator) if name.isupper()]
    assert len(schema) > 200
    assert not [name for name in schema if name not in TFLITE]
    own = [name for name in TFLITE.operators if not name.startswith("CUSTOM:")]
    assert not set(own) - set(schema)


def read(name: str) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return costmodel.read(MODELS / name)


def contractions(name: str) -> Counter[tuple[int, ...]]:
    workload = costmodel.lower(read(name)).bind(batch=1)
    return Counter(
        tuple(sorted(size for size in node.operator.dims.values() if size != 1))
        for node, _ in workload.nodes
        if isinstance(node.operator, Contraction)
    )


def test_the_three_forms_of_resnet8_have_the_same_contractions() -> None:
    keras, real, quantized = (
        contractions(f"pretrainedResnet{end}") for end in (".h5", ".tflite", "_quant.tflite")
    )
    assert sum(keras.values()) == 10
    assert keras == real == quantized


def test_a_quantised_file_declares_its_formats() -> None:
    network = read("kws_ref_model.tflite")
    int8 = costmodel.formats.parse_format("int8")
    workload: Any = costmodel.lower(network).bind(batch=1)
    products = [node for node, _ in workload.nodes if isinstance(node.operator, Contraction)]
    for node in products:
        image, kernel = node.operator.operands[:2]
        assert (image.tensor.format, kernel.tensor.format) == (int8, int8)


def test_a_custom_operator_that_multiplies_is_counted() -> None:
    network = read("selfie_segmentation.tflite")
    kinds = {layer.kind for layer in network.layers}
    assert "tflite.CUSTOM:Convolution2DTransposeBias" in kinds
    estimate = costmodel.estimate(network, ["raspberry-pi-4"])
    assert not estimate.coverage("raspberry-pi-4").unpriced


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a TFLite file"),
        (b"\x1c\x00\x00\x00TFL3", "damaged|shorter|beyond|expected"),
        (b"\x1c\x00\x00\x00ABCD" + bytes(100), "not a TFLite file"),
        (b"\xff\xff\xff\x7fTFL3" + bytes(1000), "damaged|beyond|outside|expected"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=words):
        costmodel.read(path)


def test_each_prefix_of_a_file_is_refused_or_read(tmp_path: Path) -> None:
    whole = (MODELS / "pairs" / "cnn.int8.tflite").read_bytes()
    path = tmp_path / "net.tflite"
    for length in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(ReadError):
            costmodel.read(path)
