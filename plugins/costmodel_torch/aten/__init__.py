"""The table of the operators of PyTorch."""

from __future__ import annotations

from costmodel_torch.aten import (
    indexing,
    movement,
    pointwise,
    products,
    recurrent,
    sources,
    statistics,
    windows,
)
from costmodel_torch.aten.table import ATEN

__all__ = [
    "ATEN",
    "indexing",
    "movement",
    "pointwise",
    "products",
    "recurrent",
    "sources",
    "statistics",
    "windows",
]
