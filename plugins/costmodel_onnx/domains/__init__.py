"""The operators of all domains: ai.onnx, ONNX Runtime, QONNX and FINN."""

from __future__ import annotations

from costmodel_onnx import operators
from costmodel_onnx.domains import microsoft, qonnx, reasons, transformers
from costmodel_onnx.operators.table import ONNX as TABLE

__all__ = ["TABLE", "microsoft", "operators", "qonnx", "reasons", "transformers"]
