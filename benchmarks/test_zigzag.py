"""ZigZag's accounting: mappings counted in a second, and layers searched to a proven optimum.

ZigZag runs beside it where it is installed (`pip install zigzag-dse 'numpy<2.4'`). What it took for
each layer when the golden file was made is in that file, as `cpu_seconds`. Nothing fails on a
clock.

Run with: pytest benchmarks/test_zigzag.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel_hardware.spatial.architecture import SLOTS
from costmodel_hardware.spatial.check import read
from costmodel_hardware.spatial.zigzag.accounting import count
from costmodel_hardware.spatial.zigzag.golden_cases import (
    accelerator_of,
    mapping_of,
    nest_of_layer,
)
from costmodel_hardware.spatial.zigzag.searching.batch import Orders, counts_of
from costmodel_hardware.spatial.zigzag.searching.best import GOALS, best_mapping
from costmodel_hardware.spatial.zigzag.searching.orders import distinct_orders
from costmodel_hardware.spatial.zigzag.searching.space import Space, space_of

ROOT = Path(__file__).parents[1]
FILE = read(ROOT / "tests" / "golden" / "zigzag.json.gz")
ACCELERATORS = {name: accelerator_of(one) for name, one in FILE["accelerators"].items()}
SEARCHED = [case for case in FILE["cases"] if "best" in case]
TOGETHER = 50_000
"""Mappings that are counted together."""


def space_of_case(case: Any) -> Space:
    accelerator, nest = ACCELERATORS[case["accelerator"]], nest_of_layer(case["layer"])
    limit = case["search"]["lpf_limit"]
    return space_of(nest, accelerator.architecture, accelerator.spatial(nest), limit)


@pytest.mark.parametrize("goal", GOALS)
def test_all_layers_searched_to_a_proven_optimum(benchmark: Any, goal: str) -> None:
    """A round is one layer, so that the median is that of the layers."""
    cases = iter(SEARCHED)

    def search(case: Any) -> None:
        assert best_mapping(space_of_case(case), goal).gap == 0

    benchmark.pedantic(search, setup=lambda: ((next(cases),), {}), rounds=len(SEARCHED))


@pytest.mark.parametrize("name", ACCELERATORS)
def test_mappings_counted_together(benchmark: Any, name: str) -> None:
    space = space_of_case(next(case for case in SEARCHED if case["accelerator"] == name))
    chance = np.random.default_rng(0)
    every = list(distinct_orders(space.numbers))
    orders = Orders.of(space, [every[one] for one in chance.integers(0, len(every), TOGETHER)])
    shapes = {slot: (TOGETHER, len(space.architecture.chain(slot)) - 1) for slot in SLOTS}
    cuts = {
        slot: np.sort(chance.integers(0, len(space.loops) + 1, shape))
        for slot, shape in shapes.items()
    }
    benchmark(counts_of, orders, cuts)


def test_one_mapping_counted_alone(benchmark: Any) -> None:
    case = SEARCHED[0]
    accelerator, nest = ACCELERATORS[case["accelerator"]], nest_of_layer(case["layer"])
    mapping = mapping_of(accelerator, nest, case["best"]["energy"])
    benchmark(count, nest, accelerator.architecture, mapping)


def test_one_layer_searched_by_zigzag_itself(benchmark: Any, tmp_path: Path) -> None:
    """The first layer that it searched, by energy: 720 orders."""
    api = pytest.importorskip("zigzag.api")
    case = SEARCHED[0]
    files = _zigzag_files(case, tmp_path)
    benchmark.pedantic(
        api.get_hardware_performance_zigzag, args=files, rounds=1,
        kwargs={"opt": "energy", "lpf_limit": 6, "dump_folder": str(tmp_path),
                "loma_show_progress_bar": False},
    )  # fmt: skip


def _zigzag_files(case: Any, folder: Path) -> list[str]:
    """The files of a workload, a hardware and a mapping, as its interface takes them."""
    yaml = pytest.importorskip("yaml")
    accelerator, nest = ACCELERATORS[case["accelerator"]], nest_of_layer(case["layer"])
    stride, bits = case["layer"]["stride"], case["layer"]["bits"]
    layer = {
        "id": 0,
        "name": "layer",
        "operator_type": "Conv",
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "dimension_relations": [f"iy={stride}*oy+1*fy", f"ix={stride}*ox+1*fx"],
        "loop_dims": list(nest.sizes),
        "loop_sizes": list(nest.sizes.values()),
        "operand_precision": bits,
        "operand_source": {"I": 0, "W": 0},
    }
    loops = {axis: [f"{dim}, {size}" for dim, size in one]
             for axis, one in accelerator.spatial(nest)}  # fmt: skip
    links = {"O": "O", "W": "I2", "I": "I1"}
    mapping = {"name": "default", "spatial_mapping": loops, "memory_operand_links": links}
    for name, content in (("layer", [layer]), ("mapping", [mapping])):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    hardware = ROOT / "tests" / "golden" / "zigzag_hardware" / f"{case['accelerator']}.yaml"
    return [str(folder / "layer.yaml"), str(hardware), str(folder / "mapping.yaml")]
