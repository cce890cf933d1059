"""Tiles of a contraction, each priced alone, against the whole, on the devices that ship."""

from __future__ import annotations

import math
from typing import Any

import pytest
from worlds import REGISTRY, SHIPPED

from costmodel import Scenario
from costmodel.devices import Cost
from costmodel.workload.builders import matmul

SIZES = [1, 2, 64, 1024, 4096, 32768]


def energy(device: Any, sizes: Any, scenario: Scenario) -> float:
    rows, columns, depth = sizes
    cost = device.price(matmul((rows, depth), (depth, columns)), scenario)
    assert isinstance(cost, Cost)
    return cost.energy_joules


@pytest.mark.parametrize("name", SHIPPED)
def test_halves_of_a_product_cost_at_least_the_whole(name: str) -> None:
    device = REGISTRY.device(name)
    cheaper = []
    for declared in ("float32", "int8"):
        scenario = Scenario(rates=10.0, default_format=declared)
        for sizes in [(rows, n, k) for rows in (1, 2, 64) for n in SIZES for k in SIZES]:
            whole = energy(device, sizes, scenario)
            for axis in (place for place, size in enumerate(sizes) if size > 1):
                half = [*sizes[:axis], sizes[axis] // 2, *sizes[axis + 1 :]]
                tiles = 2 * energy(device, half, scenario)
                if tiles < whole and not math.isclose(tiles, whole, rel_tol=1e-12):
                    cheaper.append((declared, sizes, axis, tiles / whole))
    assert cheaper == []
