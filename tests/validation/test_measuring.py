"""`costmodel measure`: networks are timed where the command runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from console import run

from costmodel import CostModelError, Scenario
from costmodel_validation.measurements import (
    Measurement,
    family_of,
    measurements_in,
    read_measurements,
    shipped_networks,
)
from costmodel_validation.measuring import runs as measuring
from costmodel_validation.measuring import worker


def test_the_suite_has_thirty_networks_of_many_families() -> None:
    assert len(set(measuring.SUITE)) == 30
    assert set(measuring.SUITE) <= shipped_networks().keys()
    assert len({family_of(name) for name in measuring.SUITE}) >= 12


def test_what_is_written_is_read_again() -> None:
    rows = [
        Measurement(
            "kws", Scenario(batch=4, default_format="int8"), 1.25e-3, "mine", "tflite", 2.5,
            "CPU package (RAPL)", "2 threads, warm", "costmodel measure",
        ),
        Measurement("ad", Scenario(), 2e-3, "mine", "torch"),
    ]  # fmt: skip
    assert measurements_in(measuring.as_table(rows).splitlines(), "mine.csv") == tuple(rows)


def test_the_median_of_the_calls_after_the_warm_up_counts(monkeypatch: Any) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock) / 100)
    monkeypatch.setattr(worker, "_energy_joules", lambda **_: {})
    calls: list[int] = []
    found = worker.timed(lambda: calls.append(1), 0.1, 5, on_gpu=False)
    assert found["latency_seconds"] == pytest.approx(0.01, rel=1e-9, abs=0)
    assert found["calls"] >= 5
    assert len(calls) > found["calls"]  # the warm-up does not count
    assert "power_watts" not in found


def test_counters_of_energy_give_the_mean_power(monkeypatch: Any) -> None:
    clock = iter(range(10_000))
    joules = iter([100.0, 130.0])
    monkeypatch.setattr(worker.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(worker, "_energy_joules", lambda **_: {"CPU": next(joules)})
    found = worker.timed(lambda: None, 0.0, 2, on_gpu=False)
    assert found["power_boundary"] == "CPU"
    assert found["power_watts"] > 0


def test_an_error_of_a_framework_is_an_answer(tmp_path: Path) -> None:
    request = {
        "path": str(tmp_path / "none.json"), "runtime": "no such", "format": "float32",
        "batch": 1, "threads": 0, "repeats": 1, "seconds": 0,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "costmodel_validation.measuring.worker"],
        input=json.dumps(request), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1]) == {"error": "KeyError: 'no such'"}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (measuring.Conditions("keras"), "runtime 'keras' cannot be measured; expected one of tens"),
        (measuring.Conditions("tflite", "float16"), "tflite is measured in float32, int8; found"),
        (measuring.Conditions("onnxruntime", "int8"), "onnxruntime is measured in float32; found"),
    ],
    ids=["runtime", "format", "another format"],
)
def test_conditions_that_cannot_be_measured_are_reported(
    conditions: measuring.Conditions, expected: str
) -> None:
    with pytest.raises(CostModelError) as described:
        conditions.check()
    assert expected in str(described.value)


def test_a_package_that_is_missing_is_named(monkeypatch: Any) -> None:
    monkeypatch.setattr(measuring, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(CostModelError, match="to measure torch, install torch: pip install torch"):
        measuring.Conditions("torch").check()


def test_a_network_that_does_not_exist_is_reported_before_anything_runs(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    result = run("measure", "add", "--runtime", "tensorflow", "-o", table)
    assert result.exit_code == 2
    assert "no network 'add' ships with costmodel; nearest: 'ad'" in result.stderr
    assert not table.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "number", "batch"), [("tensorflow", "float32", 4), ("tflite", "int8", 1)]
)
def test_small_networks_are_measured(tmp_path: Path, runtime: str, number: str, batch: int) -> None:
    table = tmp_path / "mine.csv"
    result = run(
        "measure", "ad", "kws", "--runtime", runtime, "--format", number, "--batch", str(batch),
        "--threads", "1", "--device", "here", "-o", table,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    rows = read_measurements(table)
    assert [one.network for one in rows] == ["ad", "kws"]
    for one in rows:
        assert (one.device, one.runtime) == ("here", runtime)
        assert (one.scenario.batch, one.format_name) == (batch, number)
        assert 1e-6 < one.seconds < 10
        assert "1 threads; median of " in one.conditions


@pytest.mark.slow
def test_a_network_that_a_runtime_cannot_run_is_left_out_with_a_note(tmp_path: Path) -> None:
    broken, table = tmp_path / "broken.json", tmp_path / "mine.csv"
    broken.write_text("{}")
    result = run("measure", broken, "ad", "--runtime", "tensorflow", "-o", table)
    assert result.exit_code == 0, result.stderr
    assert "broken.json is left out" in result.stderr
    assert [one.network for one in read_measurements(table)] == ["ad"]
