"""`costmodel sweep`, and spaces in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from design_spaces import SMALL

from costmodel import DesignSpace, Scenario
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.sweeps.space import Range, SpaceError
from costmodel.sweeps.table import SweepTable

pytest.importorskip("pyarrow")

SPACE = {
    "schema": "costmodel/space/1", "network": "small.json", "device": "horowitz-45nm",
    "weights": {"*": ["int4", "int8"]}, "default_format": "int8", "batch": [1, 2],
    "parameters": {"energy_per_dram_access": ["1 nJ", "2 nJ"]},
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.json").write_text(SMALL.to_json())
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["sweep", *arguments])


@pytest.mark.usefixtures("here")
def test_a_dry_run_needs_no_file_of_results() -> None:
    assert "32 designs, 5 axes" in run("space.yaml", "--dry-run").stderr
    done = run("space.yaml")
    assert done.exit_code == 2
    assert "give the file of results: -o results.parquet" in done.output


def test_a_sweep_writes_a_row_for_each_design(here: Path) -> None:
    done = run("space.yaml", "-o", "results.parquet")
    assert done.exit_code == 0, done.output
    assert "32 designs, 5 axes" in done.stderr
    assert "32 designs in results.parquet" in done.stdout
    assert "32 designs: groups of operators tabled by format" in done.stdout
    table = SweepTable.from_parquet("results.parquet")
    assert len(table) == 32
    assert table.axes[0] == "batch"
    assert not list(here.glob("*.parts"))


def test_designs_may_be_drawn_on_another_device_and_model(here: Path) -> None:
    (here / "other.json").write_text(SMALL.to_json())
    given = ("space.yaml", "other.json", "-o", "results.parquet", "--sample", "9", "--seed", "3")
    done = run(*given)
    assert done.exit_code == 0, done.output
    assert len(SweepTable.from_parquet("results.parquet")) == 9
    unknown = run(*given, "-d", "cpu")
    assert unknown.exit_code == 2
    assert "energy_per_dram_access" in unknown.stderr


def test_a_dry_run_costs_nothing(here: Path) -> None:
    done = run("space.yaml", "-o", "results.parquet", "--dry-run")
    assert done.exit_code == 0
    assert "weights.layer0: int4, int8" in done.stderr
    assert not (here / "results.parquet").exists()


def test_a_space_without_a_network_needs_one(here: Path) -> None:
    (here / "bare.yaml").write_text(yaml.safe_dump({**SPACE, "network": None}))
    done = run("bare.yaml", "-o", "results.parquet")
    assert done.exit_code == 2
    assert "names no network; give MODEL" in done.stderr


def test_all_mistakes_of_a_space_come_at_once(here: Path) -> None:
    wrong = {
        **SPACE, "schema": "costmodel/space/2", "wieghts": 1, "limits": {"time": 1},
        "arguments": {"width": [1]}, "scenario": {"batch": 0},
    }  # fmt: skip
    (here / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    done = run("wrong.yaml", "-o", "results.parquet")
    assert done.exit_code == 2
    for said in (
        "5 mistakes", "expected costmodel/space/1", "wieghts", "'time' has no limit",
        "those of a function", "batch is 0",
    ):  # fmt: skip
        assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "not YAML"), ("- 1", "expected a mapping with a schema"), (None, "cannot be read")],
)
def test_a_file_that_holds_no_space_is_refused(text: str | None, said: str, here: Path) -> None:
    if text is not None:
        (here / "odd.yaml").write_text(text)
    with pytest.raises(SpaceError, match=said):
        DesignSpace.from_file(here / "odd.yaml")


def test_json_is_read_as_yaml_is(here: Path) -> None:
    (here / "space.json").write_text(json.dumps(SPACE))
    assert DesignSpace.from_file("space.json") == DesignSpace.from_file("space.yaml")


def test_a_space_comes_back_from_its_plain_values(here: Path) -> None:
    space = DesignSpace(
        device=["cpu", "horowitz-45nm"], weights=["int4"], rates={"a": [1.0, 2.0]},
        parameters={"cpu.energy_per_neuron_update": Range("1 pJ", "2 pJ", log=True)},
        limits={"energy": "1 mJ"}, fits=True, equal=[["a", "b"]], input_shapes=[[3, 4], [5, 6]],
        scenario=Scenario(timesteps=3),
    )  # fmt: skip
    (here / "made.yaml").write_text(yaml.safe_dump(space.to_dict()))
    read, network = DesignSpace.from_file("made.yaml")
    assert read == space
    assert network is None


def test_a_range_is_in_order_and_of_its_unit() -> None:
    assert Range("1 pJ", "2 nJ").ends("J") == pytest.approx((1e-12, 2e-9), abs=0)
    for wrong in (Range("2 pJ", "1 pJ"), Range("0 J", "1 J", log=True), Range("1 W", "2 W")):
        with pytest.raises((ValueError, CostModelError)):
            wrong.ends("J")
