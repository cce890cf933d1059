"""Every reader that ships keeps the laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from worlds import EVERYTHING

from costmodel.testing import ReaderContract
from costmodel.testing.readers import Reading

HERE = Path(__file__).parents[1] / "networks"
KERAS = [HERE / "dense.json", HERE / "two_inputs.json", (HERE / "dense.json").read_text()]
MODELS = Path(__file__).parents[1] / "frontends" / "models"
SOURCES = {
    "keras": KERAS,
    "costmodel": [EVERYTHING.read(KERAS[0]).to_json()],
    "nir": [MODELS / "cnn_sinabs.nir"],
    "onnx": [MODELS / "pairs" / "cnn.qdq.onnx", MODELS / "TFC_2W2A.onnx"],
    "stablehlo": [MODELS / "pairs" / "cnn.mlir"],
    "tflite": [MODELS / "pairs" / "cnn.int8.tflite"],
    "torch": [MODELS / "pairs" / "cnn.pt2"],
}
"""What each reader is tried on, by its name."""


class TestEveryReader(ReaderContract):
    """What ships, on files and on texts."""

    @pytest.fixture(
        params=[(name, source) for name in SOURCES for source in SOURCES[name]],
        ids=lambda param: param[0],
    )
    def reading(self, request: pytest.FixtureRequest) -> Any:
        name, source = request.param
        return Reading(EVERYTHING.readers[name], source, EVERYTHING.layer_registry)


def test_no_reader_that_ships_is_left_out() -> None:
    assert SOURCES.keys() == EVERYTHING.readers.keys()
