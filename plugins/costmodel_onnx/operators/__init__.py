"""The table of ONNX operators."""

from __future__ import annotations

from costmodel_onnx.operators import layers
from costmodel_onnx.operators.table import ONNX

__all__ = ["ONNX", "layers"]
