"""The operators of ai.onnx."""

from __future__ import annotations

from costmodel_onnx.operators import (
    contractions,
    control,
    movements,
    pointwise,
    quantization,
    recurrence,
    statistics,
    windows,
)

__all__ = [
    "contractions",
    "control",
    "movements",
    "pointwise",
    "quantization",
    "recurrence",
    "statistics",
    "windows",
]
