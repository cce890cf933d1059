"""Small networks and spaces, and what their designs cost one by one."""

from __future__ import annotations

import json
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


def residual(width: int = 4) -> Any:
    """Blocks whose results are added to what they read: formats follow through all of them."""
    return keras_network(
        (6, 6, 3),
        ("first", convolution(width), "input"),
        *(
            layer
            for number in range(3)
            for before in ["first" if number == 0 else f"add{number - 1}"]
            for layer in (
                (f"conv{number}", convolution(width, use_bias=number == 1), before),
                (f"relu{number}", {"kind": "ReLU"}, f"conv{number}"),
                (f"norm{number}", NORMALIZATION, f"relu{number}"),
                (f"other{number}", convolution(width), f"norm{number}"),
                (f"add{number}", {"kind": "Add"}, before, f"other{number}"),
            )
        ),
    )


def keras_network(shape: tuple[int, ...], *layers: tuple[Any, ...]) -> Any:
    """A network of named layers and what feeds them, as Keras would save it."""
    entries: list[dict[str, Any]] = [{
        "class_name": "InputLayer", "module": "keras.layers", "name": "input",
        "config": {"name": "input", "batch_shape": [None, *shape]}, "inbound_nodes": [],
    }]  # fmt: skip
    shapes = [None, *shape[:2], layers[0][1]["filters"]]
    for name, settings, *sources in layers:
        config = {key: value for key, value in settings.items() if key != "kind"}
        tensors = [
            {"class_name": "__keras_tensor__", "config": {
                "shape": [None, *shape] if source == "input" else shapes, "dtype": "float32",
                "keras_history": [source, 0, 0]}}
            for source in sources
        ]  # fmt: skip
        entries.append({
            "class_name": settings["kind"], "module": "keras.layers", "name": name,
            "config": {**config, "name": name},
            "inbound_nodes": [{"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}],
        })  # fmt: skip
    config = {
        "name": "residual", "layers": entries, "input_layers": [["input", 0, 0]],
        "output_layers": [[layers[-1][0], 0, 0]],
    }  # fmt: skip
    text = {"class_name": "Functional", "module": "keras", "config": config}
    return REGISTRY.read(json.dumps(text))


SMALL = small()
RESIDUAL = residual()


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
        is_power_unknown = whole.unknown_static and whole.schedule.makespan is not None
        same(row["energy"], None if is_power_unknown else whole.energy_joules)
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
