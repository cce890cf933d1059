"""The table of StableHLO operations."""

from __future__ import annotations

from costmodel_stablehlo.operators import (
    control,
    indexing,
    movements,
    pointwise,
    products,
    reasons,
    reductions,
)
from costmodel_stablehlo.operators.table import STABLEHLO

__all__ = [
    "STABLEHLO", "control", "indexing", "movements", "pointwise", "products", "reasons",
    "reductions",
]  # fmt: skip
