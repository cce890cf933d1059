"""How many operators are priced in a second, one by one and together, and what a plugin adds.

Run with: pytest benchmarks/test_throughput.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import costmodel
from costmodel import Scenario
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.formats import NumericFormat, parse_format
from costmodel.registry import installed
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.operators import Contraction

SCENARIO = Scenario(rates=10.0)
COUNT = 20_000
"""Operators that are priced together."""
SINGLE = 1_000
"""Operators that are priced one by one in a round."""
FORMATS = {"undeclared": None, "int8": parse_format("int8")}

every_device = pytest.mark.parametrize("name", installed().device_names)
every_format = pytest.mark.parametrize("word", FORMATS)


def product(m: int, n: int, k: int, word: NumericFormat | None) -> Contraction:
    return costmodel.matmul(Tensor((m, k), word), Tensor((k, n), word), output=Tensor((m, n), word))


def many(word: str) -> OperatorBatch:
    """Matrix products of all sizes from 1 to 512."""
    sizes = np.random.default_rng(0).integers(1, 513, (3, COUNT))
    m, n, k = map(SizeArray, sizes)
    return OperatorBatch(product(m, n, k, FORMATS[word]))


def one_by_one(device: costmodel.Device, operators: list[Contraction]) -> None:
    """Price every operator and read its energy."""
    for operator in operators:
        _ = device.price(operator, SCENARIO).energy_joules  # type: ignore[union-attr]  # all have one


@every_device
@every_format
def test_single_prices_of_one_operator(benchmark: Any, name: str, word: str) -> None:
    """A compiler that asks again and again for what it asked before."""
    operators = [product(196, 128, 1152, FORMATS[word])] * SINGLE
    benchmark(one_by_one, costmodel.device(name), operators)
    benchmark.extra_info["operators_per_second"] = SINGLE / benchmark.stats["min"]


@every_device
@every_format
def test_single_prices_of_operators_that_all_differ(benchmark: Any, name: str, word: str) -> None:
    """A compiler that never asks twice."""
    operators: Any = list(many(word)[:SINGLE])

    def fresh() -> Any:
        return (costmodel.device(name).with_parameters(), operators), {}

    benchmark.pedantic(one_by_one, setup=fresh, rounds=20)
    benchmark.extra_info["operators_per_second"] = SINGLE / benchmark.stats["min"]


@every_device
@every_format
def test_batches_and_single_prices_side_by_side(benchmark: Any, name: str, word: str) -> None:
    device, batch = costmodel.device(name), many(word)
    operators: Any = [product(196, 128, 1152, FORMATS[word])] * SINGLE
    benchmark(lambda: device.price(batch, SCENARIO).energy_joules)
    together = COUNT / benchmark.stats["min"]
    single = SINGLE / min(_seconds(device, operators) for _ in range(20))
    benchmark.extra_info["operators_per_second"] = together
    benchmark.extra_info["single_per_second"] = single
    benchmark.extra_info["ratio"] = together / single


def _seconds(device: costmodel.Device, operators: list[Contraction]) -> float:
    start = time.perf_counter()
    one_by_one(device, operators)
    return time.perf_counter() - start


# ------------------------------------------------------------------ what a plugin adds

PLUGINS = 100
"""Plugins in the synthetic environment; the difference is divided by their number."""
PROGRAM = """
import time
import costmodel
from costmodel.registry import installed
start = time.process_time()
installed().ask_everything()
print(time.process_time() - start)
"""


def _install(folder: Path, name: str) -> None:
    """A distribution as an installer leaves it, with one small plugin."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[costmodel]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(
        "from costmodel.plugins.hookspecs import hookimpl\n"
        "@hookimpl\ndef costmodel_device_files():\n    return []\n"
    )


def _start(folder: Path) -> float:
    """Seconds of the processor in which a new process finds and asks every plugin."""
    command = [sys.executable, "-c", PROGRAM]
    path = [str(folder), *filter(None, sys.path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(path)}
    )
    return float(done.stdout)


def test_what_a_plugin_adds_to_the_start(benchmark: Any, tmp_path: Path) -> None:
    bare, crowded = tmp_path / "bare", tmp_path / "crowded"
    bare.mkdir()
    crowded.mkdir()
    for number in range(PLUGINS):
        _install(crowded, f"stranger_{number}")
    _start(crowded)  # leaves compiled files, as an installer does
    pairs = [(_start(crowded), _start(bare)) for _ in range(10)]
    benchmark.pedantic(_start, (bare,), rounds=1)
    with_plugins, without = map(statistics.median, zip(*pairs, strict=True))
    added = (with_plugins - without) / PLUGINS
    benchmark.extra_info["milliseconds_for_each_plugin"] = added * 1e3
