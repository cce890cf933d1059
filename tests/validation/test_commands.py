"""`costmodel validate` and `costmodel fit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from console import good, run
from worlds import REGISTRY

from costmodel.formats import parse_format
from costmodel_validation.measurements import by_system, shipped_measurements

CHIP = """\
schema: costmodel/device/2
name: my-board
class: processor
sources: {sheet: data sheet}
parameters:
  peak_rate:
    float32: {value: 48 GFLOP/s, source: sheet, evidence: vendor}
    int8: {value: 96 GOP/s, source: sheet, evidence: vendor}
memories:
  - {name: dram, size: 4 GB, bandwidth: 12.8 GB/s, source: sheet, evidence: vendor}
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board without a runtime."""
    file = tmp_path / "my-board.yaml"
    file.write_text(CHIP)
    return file


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """What was measured of small networks on a Raspberry Pi, as somebody's own table."""
    rows = by_system(shipped_measurements())["raspberry-pi-4", "tflite"]
    file = tmp_path / "mine.csv"
    lines = [
        f"tflite,{one.network},1,{one.format_name},{one.seconds * 1e3},{one.power_watts}"
        for one in rows
        if "_128" in one.network or "_160" in one.network
    ]
    file.write_text("\n".join(["runtime,network,batch,format,latency_ms,power_w", *lines]))
    return file


def test_a_fitted_board_is_a_device_with_a_stated_error(
    board: Path, table: Path, tmp_path: Path
) -> None:
    new = tmp_path / "fitted.yaml"
    result = run("fit", board, table, "-o", new)
    assert result.exit_code == 0, result.stderr
    assert "median error on networks left out" in result.stderr
    device = REGISTRY.load_device(new)
    assert device.runtime == "tflite"
    formats = [(parse_format("float32"),), (parse_format("int8"),), None]
    assert [one.formats for one in device.residuals] == formats
    assert device.parameters["busy_power"].evidence == "measured"
    assert good("devices", "validate", new).startswith(str(new))
    shown = good("estimate", Path("examples/vgg9.json").resolve(), "-d", new)
    assert "Latency, low to high" in shown
    assert board.read_text() == CHIP


@pytest.mark.slow
def test_a_fit_of_another_runtime_keeps_the_first(board: Path, table: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.yaml", tmp_path / "twice.yaml"
    good("fit", board, table, "-o", once)
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace("\ntflite,", "\narmnn,"))
    good("fit", once, other, "-o", twice)
    device = REGISTRY.load_device(twice)
    assert set(device.runtimes) == {"tflite", "armnn"}
    assert device.runtime == "armnn"


def test_the_same_measurements_give_the_same_file(board: Path, table: Path) -> None:
    assert good("fit", board, table) == good("fit", board, table)


SIX = "\n".join(
    f"tflite,mobilenet_v1_{width}_{size},1,float32,{width * size},"
    for width, size in ((0.25, 128), (0.25, 192), (0.5, 160), (0.5, 224), (0.75, 128), (0.75, 224))
)


def changed(text: str, **values: Any) -> str:
    raw = yaml.safe_load(text)
    raw.update(values)
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("chip", "rows", "expected"),
    [
        (changed(CHIP, **{"class": "horowitz"}), "", "expected a device of class 'processor'"),
        ("[1, 2]", "", "expected a device of class 'processor', found [1, 2]"),
        ("a: [", "", "chip.yaml: 1 mistake"),
        (f"a: &a [1]\nb: *a\n{CHIP}", "", "aliases (*name) are not taken"),
        (changed(CHIP, memories=[]), "tflite,kws,1,int8,1,", "expected one with a bandwidth"),
        (changed(CHIP, sources=[1]), "tflite,kws,1,int8,1,", "sources: expected a mapping"),
        (CHIP.replace("48 GFLOP/s", "48 mOP/s"), SIX, "check the units of the times and of the"),
        (changed(CHIP, parameters={}), "tflite,kws,1,int8,1,", "parameters.peak_rate: missing"),
        (CHIP, "tflite,kws,1,int8,1,", "expected at least 6 measurements of several networks"),
        (CHIP, "tflite,kws,1,int8,1,\narmnn,kws,1,int8,1,", "expected one runtime; found tflite"),
        (CHIP, ",kws,1,int8,1,", "expected one runtime; found none; choose one with --runtime"),
        (CHIP, "", "expected measurements below the head of the table, found none"),
    ],
    ids=[
        "another class", "a list", "no YAML", "an alias", "no memory", "a list of sources",
        "a wrong unit", "no parameters", "too few",
        "two runtimes", "no runtime", "no rows",
    ],
)  # fmt: skip
def test_a_fit_that_cannot_be_made_is_reported_and_writes_nothing(
    tmp_path: Path, chip: str, rows: str, expected: str
) -> None:
    board, table, new = (tmp_path / name for name in ("chip.yaml", "mine.csv", "new.yaml"))
    board.write_text(chip)
    table.write_text(f"runtime,network,batch,format,latency_ms,power_w\n{rows}")
    result = run("fit", board, table, "-o", new)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert not new.exists()


def test_a_device_is_compared_with_what_was_measured_on_it() -> None:
    shown = good("validate", "quadro-k4000")
    (row,) = [line for line in shown.splitlines() if line.startswith("quadro-k4000")]
    assert row.split()[:3] == ["quadro-k4000", "tensorflow", "7"]


def test_rows_are_shown_on_request() -> None:
    rows = [
        line
        for line in good("validate", "quadro-k4000", "--rows").splitlines()
        if line.startswith("quadro-k4000")
    ]
    assert len(rows) == 7
    assert all("blouw_kws" in row for row in rows)


def test_programs_get_every_figure() -> None:
    found = json.loads(good("validate", "quadro-k4000", "--format", "json"))
    assert found["schema"] == "costmodel/validation/1"
    (system,) = found["systems"]
    assert system["rows"] == len(system["measurements"]) == 7
    errors = sorted(
        abs(one["predicted_seconds"] / one["measured_seconds"] - 1)
        for one in system["measurements"]
    )
    assert system["median_error"] == pytest.approx(errors[3], abs=0)


def test_own_measurements_are_compared(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(
        "device,runtime,network,batch,format,latency_ms\nt4,tensorrt,resnet50_v1.5,1,int8,0.83\n"
    )
    assert "t4" in good("validate", "--measurements", table)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["loihi"], "unknown device with measurements 'loihi'"),
        (["--measurements", "nowhere.csv"], "nowhere.csv: cannot be read"),
    ],
    ids=["not measured", "no file"],
)
def test_what_cannot_be_compared_is_reported(words: list[str], expected: str) -> None:
    result = run("validate", *words)
    assert result.exit_code == 2
    assert expected in result.stderr


def test_measurements_without_a_device_are_not_compared(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("network,batch,format,latency_ms\nkws,1,int8,1\n")
    result = run("validate", "--measurements", table)
    assert "expected a device and a runtime in every row" in result.stderr


@pytest.mark.parametrize("name", ["my-board.yaml", "mine.csv"])
def test_a_fit_never_overwrites_what_it_reads(board: Path, table: Path, name: str) -> None:
    before = board.read_bytes(), table.read_bytes()
    result = run("fit", board, table, "-o", board.parent / name)
    assert result.exit_code == 2
    assert "the command reads this file" in result.stderr
    assert (board.read_bytes(), table.read_bytes()) == before


def test_a_comparison_never_overwrites_its_measurements(table: Path) -> None:
    before = table.read_bytes()
    result = run("validate", "--measurements", table, "-o", table)
    assert result.exit_code == 2
    assert "the command reads this file" in result.stderr
    assert table.read_bytes() == before


def test_a_measurement_never_overwrites_its_model(tmp_path: Path) -> None:
    model = tmp_path / "mine.keras"
    model.write_text("a network")
    result = run("measure", model, "--runtime", "tensorflow", "-o", model)
    assert result.exit_code == 2
    assert "the command reads this file" in result.stderr
    assert model.read_text() == "a network"
