"""Spatial accelerators: mappings counted in a second, layers searched, and whole networks.

Run with: pytest benchmarks/test_spatial.py
ZigZag and its own accounting are timed in benchmarks/test_zigzag.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import costmodel
from costmodel import Scenario
from costmodel.formats import parse_format
from costmodel_hardware.spatial.accountings import mapped
from costmodel_hardware.spatial.check import read
from costmodel_hardware.spatial.counting.accounting import costs
from costmodel_hardware.spatial.counting.footprints import newcomers, positions
from costmodel_hardware.spatial.counting.links import Spatial, energy
from costmodel_hardware.spatial.counting.scale_sim import Convolution, Product, SystolicArray
from costmodel_hardware.spatial.plan import OBJECTIVES
from costmodel_hardware.spatial.search.lattice import Lattice
from costmodel_hardware.spatial.search.mapper import Search, best_mapping
from costmodel_hardware.spatial.zigzag.golden_cases import accelerator_of, nest_of_layer

ROOT = Path(__file__).parents[1]
FILE = read(ROOT / "tests" / "golden" / "zigzag.json.gz")
ACCELERATORS = {name: accelerator_of(one) for name, one in FILE["accelerators"].items()}
SEARCHED = [case for case in FILE["cases"] if "best" in case]
SHIPPED = ("eyeriss-v1", "systolic-array", "tpu-v1")
LAYERS = 1_000
"""Layers of a systolic array that are counted together."""


def spread(case: Any) -> Spatial:
    """A layer over the array of its accelerator, as the file says."""
    accelerator, nest = ACCELERATORS[case["accelerator"]], nest_of_layer(case["layer"])
    return Spatial(nest, accelerator.architecture, accelerator.spatial(nest))


def forget() -> None:
    for remembered in (positions, newcomers, mapped):
        remembered.cache_clear()


@pytest.mark.parametrize("is_ragged", [False, True], ids=["divisors", "ragged"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_golden_layers_searched(benchmark: Any, objective: Any, is_ragged: Any) -> None:
    """A round is one layer, so that the median is that of the layers; nothing is remembered."""
    cases = iter(SEARCHED)
    gaps = []

    def setup() -> Any:
        forget()
        return (spread(next(cases)),), {}

    def search(spatial: Spatial) -> None:
        found = best_mapping(
            spatial.nest, spatial.architecture, [spatial.loops],
            Search(objective=objective, is_ragged=is_ragged),
        )  # fmt: skip
        gaps.append(found.gap)

    benchmark.pedantic(search, setup=setup, rounds=len(SEARCHED))
    benchmark.extra_info["proven"] = sum(gap == 0 for gap in gaps) / len(gaps)
    benchmark.extra_info["median_gap"] = float(np.median(gaps))
    assert objective != "energy" or not any(gaps)


def test_tiles_counted_together(benchmark: Any) -> None:
    """Words, accesses and energy of every tile on every link of a layer: a mapping is one of each.

    The layer is the one with most tiles; the space of the search is all chains of them.
    """
    spatial = max(map(spread, SEARCHED), key=lambda one: Lattice.of(one.steps).size)
    lattice = Lattice.of(spatial.steps)

    def count() -> float:
        forget()
        total = np.zeros(lattice.shape)
        for link in spatial.links:
            for place, flow, _, bits in spatial.flows(link, lattice.tiles):
                total = total + energy(spatial.architecture.levels[place], flow, bits)
        return float(total.min())

    assert benchmark(count) > 0
    benchmark.extra_info["mappings_per_second"] = lattice.size / benchmark.stats["median"]


def test_one_mapping_counted_alone(benchmark: Any) -> None:
    """All of it: words, energy, the parts of latency, and whether it fits."""
    spatial = spread(SEARCHED[0])
    found = best_mapping(spatial.nest, spatial.architecture, [spatial.loops])
    benchmark(costs, spatial.nest, spatial.architecture, found.mapping)


@pytest.mark.parametrize("kind", ["product", "convolution"])
def test_systolic_layers_in_a_batch(benchmark: Any, kind: str) -> None:
    """The closed forms of SCALE-Sim; nothing is remembered."""
    sizes = np.random.default_rng(0).integers(1, 513, (LAYERS, 3)).tolist()
    layers: list[Product | Convolution] = [
        Product(*one) if kind == "product" else Convolution(*one[:2], 1, 1, one[2], 64, 1)
        for one in sizes
    ]
    array = SystolicArray(32, 32, "ws")
    benchmark(lambda: [array.counts(layer) for layer in layers])
    benchmark.extra_info["microseconds_per_layer"] = benchmark.stats["median"] * 1e6 / LAYERS


@pytest.mark.parametrize("name", SHIPPED)
def test_resnet50_whole(benchmark: Any, resnet50: Any, name: str) -> None:
    """From the live model to the total; nothing is remembered."""
    number = "int16" if name == "eyeriss-v1" else "int8"
    scenario = Scenario(default_format=parse_format(number))

    def total() -> float:
        found = costmodel.estimate(resnet50, name, scenario=scenario, on_unpriced="bound")
        return found.total(name).energy_joules

    assert benchmark.pedantic(total, setup=forget, rounds=3) > 0
