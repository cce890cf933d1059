"""The rules of all TFLite operators, by subject."""

from __future__ import annotations

from costmodel_tflite.operators import (
    control,
    convolutions,
    custom,
    matrices,
    movements,
    pointwise,
    recurrence,
    reductions,
    stablehlo,
)
from costmodel_tflite.table import TFLITE

__all__ = [
    "TFLITE",
    "control",
    "convolutions",
    "custom",
    "matrices",
    "movements",
    "pointwise",
    "recurrence",
    "reductions",
    "stablehlo",
]
