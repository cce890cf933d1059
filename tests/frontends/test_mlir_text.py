"""The workload of every model file comes back from its MLIR text, or is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import costmodel
from costmodel.errors import LinalgError
from costmodel.workload.graph import Branch, Loop

pytest.importorskip("xdsl")

MODELS = Path(__file__).parent / "models"
KINDS = {".onnx", ".tflite", ".pt2", ".mlir", ".nir", ".keras", ".h5"}
FILES = sorted(str(path.relative_to(MODELS)) for path in MODELS.rglob("*") if path.suffix in KINDS)
OPEN = {"torch/encoder.pt2": {"tokens": (12,)}}
"""The shapes of inputs that have open axes."""


@pytest.mark.parametrize("name", FILES)
def test_the_workload_of_a_file_comes_back(name: str) -> None:
    network = costmodel.read(MODELS / name, input_shapes=OPEN.get(name))
    workload = costmodel.lower(network).bind(batch=1)
    if any(isinstance(step, Loop | Branch) for step in workload.steps):
        with pytest.raises(LinalgError, match="write its body as a workload of its own"):
            costmodel.to_mlir(workload)
        return
    assert costmodel.from_mlir(costmodel.to_mlir(workload)) == workload
