"""Spatial accelerators: layers counted, mappings counted together, layers and networks searched.

Run with: pytest benchmarks/test_spatial.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import costmodel
from costmodel import Scenario
from costmodel_hardware.spatial.accountings import mapped
from costmodel_hardware.spatial.check import read
from costmodel_hardware.spatial.counting.links import Spatial, energy
from costmodel_hardware.spatial.counting.scale_sim import Product, SystolicArray
from costmodel_hardware.spatial.dataflow import ways
from costmodel_hardware.spatial.search.lattice import Lattice
from costmodel_hardware.spatial.search.mapper import best_mapping
from costmodel_hardware.spatial.zigzag.golden_cases import accelerator_of, nest_of_layer

ROOT = Path(__file__).parents[1]
FILE = read(ROOT / "tests" / "golden" / "zigzag.json.gz")
ACCELERATORS = {name: accelerator_of(one) for name, one in FILE["accelerators"].items()}
LAYERS = [case for case in FILE["cases"] if "best" in case]
ARRAYS = ("systolic-array", "tpu-v1", "eyeriss-v1")


def nests() -> list[Any]:
    found = []
    for case in LAYERS:
        accelerator, nest = ACCELERATORS[case["accelerator"]], nest_of_layer(case["layer"])
        found.append((nest, accelerator.architecture, accelerator.spatial(nest)))
    return found


def test_a_systolic_layer_in_a_batch(benchmark: Any) -> None:
    array = SystolicArray(32, 32, "ws")
    products = [Product(m, n, k) for m in (1, 49, 3136) for n in (16, 512) for k in (27, 4608)]
    batch = products * 50
    counted = benchmark(lambda: [array.counts(one) for one in batch])
    benchmark.extra_info["seconds per layer"] = benchmark.stats.stats.median / len(batch)
    assert len(counted) == len(batch)


def test_mappings_counted_in_columns(benchmark: Any) -> None:
    """All tiles of a layer at each link: a mapping chooses one tile for each."""
    nest, architecture, loops = max(nests(), key=lambda one: Lattice.of(
        Spatial(*one).steps
    ).size)  # fmt: skip
    spatial = Spatial(nest, architecture, loops)
    lattice = Lattice.of(spatial.steps)

    def counted() -> float:
        total = 0.0
        for link in spatial.links:
            for place, flow, _, bits in spatial.flows(link, lattice.tiles):
                joules = energy(architecture.levels[place], flow, bits)
                total += float(np.sum(np.broadcast_to(joules, lattice.shape)))
        return total

    assert benchmark(counted) > 0
    rate = lattice.size / benchmark.stats.stats.median
    benchmark.extra_info["mappings in a second"] = rate


def test_golden_layers_searched_to_a_proven_optimum(benchmark: Any) -> None:
    """Each round is another layer, so that the median is that of the layers."""
    layers = iter(nests() * 2)

    def searched() -> Any:
        nest, architecture, loops = next(layers)
        return best_mapping(nest, architecture, [loops])

    found = benchmark.pedantic(searched, rounds=len(LAYERS), warmup_rounds=0)
    assert found.gap == 0


@pytest.mark.parametrize("name", ARRAYS)
def test_resnet50_whole(benchmark: Any, name: str) -> None:
    keras = pytest.importorskip("keras")
    network = costmodel.read(keras.applications.ResNet50(weights=None))
    device = costmodel.device(name)
    number = next(iter(device.energy_per_mac))  # type: ignore[attr-defined]  # arrays have one
    scenario = Scenario(default_format=number)
    workload = costmodel.lower(network, scenario)

    def evaluated() -> Any:
        mapped.cache_clear()
        return device.evaluate(workload, scenario)

    found = benchmark.pedantic(evaluated, rounds=3, warmup_rounds=0)
    assert found.is_complete


def test_all_ways_to_spread_a_layer(benchmark: Any) -> None:
    nest, architecture, _ = nests()[0]
    assert benchmark(lambda: ways(nest, architecture, "search"))
