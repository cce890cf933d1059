"""Small networks and spaces, and what their designs cost one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from chains import network
from worlds import REGISTRY

from costmodel import DesignSpace
from costmodel.sweeps.grid import Grid, grid_of
from costmodel.sweeps.rows import rows_of
from costmodel.sweeps.running import Options, chunks_of, run
from costmodel.sweeps.table import SweepTable

FORMATS = ["int2", "int4", "int8"]


def convolution(filters: int, **settings: Any) -> dict[str, Any]:
    return {
        "kind": "Conv2D", "filters": filters, "kernel_size": [3, 3], "strides": [1, 1],
        "dilation_rate": [1, 1], "data_format": "channels_last", "groups": 1, "padding": "same",
        "activation": "linear", "use_bias": True, **settings,
    }  # fmt: skip


NORMALIZATION = {"kind": "BatchNormalization", "axis": -1, "scale": True, "center": True}
HEAD = [
    {"kind": "Flatten"},
    {"kind": "Dense", "units": 5, "activation": "softmax", "use_bias": True},
]


def small(width: int = 4, depth: int = 2) -> Any:
    """Convolutions with a normalization that folds, a rectifier, and a dense layer."""
    layers: list[dict[str, Any]] = []
    for _ in range(depth):
        layers += [convolution(width, use_bias=False), NORMALIZATION, {"kind": "ReLU"}]
    return network((6, 6, 3), *layers, *HEAD)


SMALL = small()


def grid(space: DesignSpace, source: Any = SMALL) -> Grid:
    return grid_of(source, space, REGISTRY)


def swept(found: Grid, chunk: int = 64, **chosen: Any) -> SweepTable:
    """The table of a grid."""
    rows = rows_of(found, **chosen)
    parts = list(run(found, rows, chunks_of(rows.count, chunk), Options(chunk=chunk)))
    return SweepTable.joined([table for _, table, _ in parts])


def check_against_estimates(found: Grid, table: SweepTable, places: Any) -> None:
    """Every column of some rows is what `estimate` says of that design."""
    for place in places:
        row = table.row(int(place))
        design = found.design(row)
        estimate = design.estimate(on_unpriced="bound", registry=REGISTRY)
        bill = estimate.bills[design.device.name]
        whole = bill.evaluation
        peaks = whole.peak_bytes
        same(row["energy"], whole.energy_joules)
        same(row["latency"], whole.latency_seconds)
        same(row["weights"], whole.weight_bytes)
        same(row["memory"], sum(peaks.values()) if peaks else whole.weight_bytes)
        same(row["area"], whole.area_square_metres)
        same(row["coverage"], bill.coverage.fraction)
        assert bool(row["fits"]) == (whole.fits is not False)


def same(found: float, expected: float | None) -> None:
    if expected is None:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(expected, rel=1e-12, abs=0)
