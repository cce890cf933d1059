"""The rules of TFLite operators, by subject; each module fills the table."""

from costmodel_tflite.operators import (
    control,
    convolutions,
    matrices,
    movements,
    pointwise,
    recurrence,
    reductions,
    stablehlo,
)
from costmodel_tflite.table import TFLITE

__all__ = [
    "TFLITE", "control", "convolutions", "matrices", "movements", "pointwise", "recurrence",
    "reductions", "stablehlo",
]  # fmt: skip
