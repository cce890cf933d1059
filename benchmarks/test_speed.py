"""How long things take: medians, side by side in one run. Nothing fails on a clock.

Run with: pytest benchmarks
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import costmodel

DEVICES = ("cpu", "gpu", "arm", "loihi", "spinnaker", "spinnaker2")
SCENARIO = costmodel.Scenario(rates=10.0)
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


def _run(*arguments: str) -> None:
    """Run Python as a user does: with the bytecode that an installation has."""
    environment = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)


def _chain(length: int) -> str:
    """The JSON of a Sequential network of `length` dense layers."""
    first = {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 8]}}
    dense = [
        {"class_name": "Dense", "module": "keras.layers", "config": {"name": f"d{i}", "units": 8}}
        for i in range(length)
    ]
    config = {"name": "chain", "layers": [first, *dense]}
    return json.dumps({"class_name": "Sequential", "module": "keras", "config": config})


def test_starting_python(benchmark: Any) -> None:
    benchmark.pedantic(_run, ("-c", "pass"), rounds=10)


def test_importing_costmodel(benchmark: Any) -> None:
    benchmark.pedantic(_run, ("-c", "import costmodel"), rounds=10, warmup_rounds=1)


def test_importing_all_public_names(benchmark: Any) -> None:
    benchmark.pedantic(_run, ("-c", "from costmodel import *"), rounds=10, warmup_rounds=1)


def test_cold_command_on_six_devices(benchmark: Any, resnet50_file: Path) -> None:
    devices = [item for device in DEVICES for item in ("-d", device)]
    command = ("-m", "costmodel", "estimate", str(resnet50_file), *devices, "--rate", "10")
    benchmark.pedantic(_run, command, rounds=5, warmup_rounds=1)


def test_file_to_totals_on_six_devices(benchmark: Any, resnet50_file: Path) -> None:
    def totals() -> list[float]:
        bill = costmodel.estimate(resnet50_file, DEVICES, scenario=SCENARIO, on_unpriced="bound")
        return [bill.total(device).energy_joules for device in DEVICES]

    assert all(benchmark(totals))


def test_keras_describing_the_live_model(benchmark: Any, resnet50: Any) -> None:
    """What reading `get_config()` would cost, for comparison with the next."""
    assert benchmark(resnet50.get_config)


def test_live_model_on_one_device(benchmark: Any, resnet50: Any) -> None:
    assert benchmark(lambda: costmodel.estimate(resnet50, "cpu").total("cpu").energy_joules)


@pytest.mark.parametrize("length", [10, 100, 1_000, 10_000])
def test_chain_of_dense_layers(benchmark: Any, length: int) -> None:
    source = _chain(length)

    def total() -> float:
        return costmodel.estimate(source, "cpu").total("cpu").energy_joules

    assert benchmark.pedantic(total, rounds=5, warmup_rounds=1)
    benchmark.extra_info["microseconds_per_layer"] = benchmark.stats["median"] * 1e6 / length


@pytest.mark.parametrize("asked", ["alone", "after another"])
def test_a_processor(benchmark: Any, resnet50_file: Path, asked: str) -> None:
    """A device has less to do where another was asked for the same batch before it."""
    scenario = costmodel.Scenario(batch=8)
    lowered = costmodel.lower(costmodel.read(resnet50_file), scenario)
    others = {"alone": (), "after another": ("raspberry-pi-4",)}

    def prepared() -> tuple[tuple[Any], dict[str, Any]]:
        workload = evolve(lowered)  # one that nobody has asked about
        for name in others[asked]:
            costmodel.device(name).evaluate(workload, scenario)
        return (workload,), {}

    device = costmodel.device("rtx-4090")
    assert benchmark.pedantic(
        lambda workload: device.evaluate(workload, scenario).latency_seconds,
        setup=prepared, rounds=20, warmup_rounds=2,
    )  # fmt: skip
