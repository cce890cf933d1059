"""One device under several runtimes side by side, by names that carry the runtime."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from console import DENSE, VISION, good, run

import costmodel
from costmodel import DesignSpace, Device
from costmodel.errors import CostModelError, UnknownNameError
from costmodel.html.page import report
from costmodel.optimize.ranges import Figure
from costmodel.pytest_plugin import assert_costs
from costmodel.registry import installed

BOARD, FIRST, SECOND = "stm32l4r5", "x-cube-ai-9.0", "plumerai"
BOTH = [f"{BOARD}:{FIRST}", f"{BOARD}:{SECOND}"]
INT8 = costmodel.Scenario(default_format="int8")


def under(runtime: str, **figures: Any) -> Device:
    return costmodel.device(BOARD, runtime=runtime, **figures)


def seconds(of: Any) -> list[float | None]:
    return [of.total(name).latency_seconds for name in of.bills]


def alone(runtime: str) -> float | None:
    return costmodel.estimate(VISION, under(runtime), scenario=INT8).total(BOARD).latency_seconds


@pytest.fixture(scope="module")
def both() -> costmodel.Estimate:
    return costmodel.estimate(VISION, BOTH, scenario=INT8)


def test_each_has_the_figures_that_it_has_alone(both: costmodel.Estimate) -> None:
    assert list(both.bills) == BOTH
    assert seconds(both) == [alone(FIRST), alone(SECOND)]


def test_names_and_devices_give_the_same(both: costmodel.Estimate) -> None:
    found = costmodel.estimate(VISION, [under(FIRST), under(SECOND)], scenario=INT8)
    assert list(found.bills) == BOTH
    assert seconds(found) == seconds(both)


def test_evaluations_of_one_device_are_collected_side_by_side() -> None:
    network = costmodel.read(VISION)
    work = costmodel.lower(network, INT8)
    made = [under(runtime).evaluate(work, INT8) for runtime in (FIRST, SECOND)]
    found = costmodel.collect(network, made, INT8)
    assert list(found.bills) == BOTH
    assert seconds(found) == [alone(FIRST), alone(SECOND)]


def test_the_runtime_that_a_device_has_at_first_may_stand_beside_another() -> None:
    found = costmodel.estimate(VISION, [BOARD, BOTH[1]], scenario=INT8)
    assert list(found.bills) == [BOARD, BOTH[1]]


@pytest.mark.parametrize(
    "devices",
    [
        [BOTH[0], BOTH[0]],
        [BOARD, BOTH[0]],
        [under(FIRST), under(FIRST, **{"sram.bandwidth": "1 GB/s"})],
    ],
)
def test_one_runtime_twice_is_refused(devices: list[Any]) -> None:
    with pytest.raises(CostModelError, match=f"device '{BOARD}.*is given more than once"):
        costmodel.estimate(VISION, devices, scenario=INT8)


def test_devices_of_one_name_from_different_files_are_refused() -> None:
    other = evolve(under(SECOND), file="another.yaml")
    with pytest.raises(CostModelError, match="results tell devices apart by name"):
        costmodel.estimate(VISION, [under(FIRST), other], scenario=INT8)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{BOARD}:plumeria", f"nearest known: '{SECOND}'"),
        (f"{BOARD}:", f"unknown runtime ''.*{FIRST}.*these are all of device '{BOARD}'"),
        ("stm32l4r:plumerai", f"unknown device 'stm32l4r'\n  nearest known: '{BOARD}'"),
    ],
)
def test_an_unknown_part_of_the_name_is_explained(name: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        costmodel.device(name)
    assert re.search(message, str(caught.value), re.DOTALL)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cpu:tflite", "'cpu:tflite': expected no runtime, as 'cpu' has none in its file"),
        (f"{BOTH[0]}:{SECOND}", "expected NAME:RUNTIME, found two runtimes"),
    ],
)
def test_a_name_with_a_runtime_too_many_is_refused(name: str, message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        costmodel.device(name)


def test_a_runtime_that_contradicts_the_name_is_refused() -> None:
    change = f"{BOTH[0]}.runtime={SECOND}"
    result = run("estimate", VISION, "-d", BOTH[0], "--set", change)
    assert result.exit_code != 0
    assert f"expected {FIRST}, which its name says" in result.stderr
    assert f"write {BOTH[1]} in its place" in result.stderr


def test_a_name_that_carries_its_runtime_follows_it() -> None:
    device = costmodel.device(BOTH[0])
    assert (device.name, device.plain_name, device.runtime) == (BOTH[0], BOARD, FIRST)
    assert device.with_runtime(SECOND) == costmodel.device(BOTH[1])
    assert device.named_by_runtime() is device
    assert costmodel.device(BOARD, runtime=SECOND).name == BOARD


def test_a_file_may_be_given_with_a_runtime(tmp_path: Path) -> None:
    file = tmp_path / "a,b.yaml"
    file.write_text(Path(str(under(FIRST).file)).read_text())
    assert costmodel.device(f"{file}:{SECOND}") == evolve(costmodel.device(BOTH[1]), file=str(file))
    found = good("devices", "show", f"{file}:{SECOND}")
    assert f"{BOARD}:{SECOND}" in found
    good("estimate", VISION, "-d", f"{file}:{SECOND}", "--default-format", "int8")
    assert DesignSpace(device=f"{file}:{SECOND}").files == (str(file),)


def test_tables_json_and_saved_estimates_call_them_so(tmp_path: Path) -> None:
    options = ("-d", ",".join(BOTH), "--default-format", "int8")
    found = json.loads(good("estimate", VISION, *options, "--format", "json"))
    assert {name: one["runtime"] for name, one in found["devices"].items()} == dict(
        zip(BOTH, (FIRST, SECOND), strict=True)
    )
    table = good("estimate", VISION, *options)
    assert all(name in table for name in BOTH)
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(found))
    result = run("compare", saved, DENSE, "-d", BOTH[1], "--default-format", "int8")
    assert result.exit_code == 0, result.output
    assert "has no figures" not in result.stderr
    assert BOTH[1] in result.stdout


def test_a_setting_is_that_of_the_runtime_that_it_names() -> None:
    options = ("-d", ",".join(BOTH), "--default-format", "int8", "--format", "json")
    change = f"{BOTH[1]}.busy_power=1 W"
    found = json.loads(good("estimate", VISION, *options, "--set", change))["devices"]
    powers = [found[name]["parameters"]["busy_power"]["value"] for name in BOTH]
    assert powers[1] == 1.0 != powers[0]
    result = run("estimate", VISION, *options, "--set", f"{BOARD}.busy_power=1 W")
    assert "--set changes devices that are given with -d, by the names given there" in result.stderr


def test_compare_shows_two_runtimes_of_one_device() -> None:
    found = json.loads(
        good("compare", VISION, "-d", ",".join(BOTH), "--default-format", "int8",
             "--format", "json")
    )  # fmt: skip
    assert [found[side]["device"] for side in ("before", "after")] == BOTH


def test_a_report_shows_both(both: costmodel.Estimate) -> None:
    text = report([both])
    assert all(name in text for name in BOTH)


def test_a_sweep_takes_both() -> None:
    space = DesignSpace(device=[under(FIRST), under(SECOND)], default_format="int8")
    table = costmodel.sweep(VISION, space)
    assert list(table["device"]) == BOTH
    assert list(table["latency"]) == [alone(FIRST), alone(SECOND)]


def test_a_budget_holds_for_a_runtime() -> None:
    assert_costs(VISION, devices=BOTH, latency="1000 s", scenario={"default_format": "int8"})
    with pytest.raises(AssertionError, match=BOTH[1]):
        assert_costs(VISION, devices=BOTH[1], latency="1 ns", scenario={"default_format": "int8"})


def test_a_figure_of_the_chip_is_one_figure_under_all_runtimes() -> None:
    first, second = map(costmodel.device, BOTH)
    owners = [Figure.of(one, one.parameters["peak_rate.int8"]).owner for one in (first, second)]
    assert owners == [BOARD, BOARD]
    own = [Figure.of(one, one.parameters["efficiency.int8"]).owner for one in (first, second)]
    assert own == BOTH


def test_show_tells_how_to_choose_a_runtime() -> None:
    assert f"-d {BOARD}:NAME" in good("devices", "show", BOARD)


def test_no_shipped_name_has_the_mark() -> None:
    for name in installed().device_names:
        device = installed().device(name)
        assert ":" not in "".join((device.name, *device.runtimes))
