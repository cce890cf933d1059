"""Which figures of a device change a total most, and one network in several formats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from console import DENSE, VISION, good, run
from figures import near
from reports import chain
from worlds import REGISTRY

import costmodel
from costmodel import Scenario
from costmodel.errors import CostModelError, ScenarioError, UnknownNameError
from costmodel.estimates.by_format import by_format
from costmodel.estimates.sensitivity import sensitivity
from costmodel.formats import FLOAT32
from costmodel.network.blocks import meant

NETWORK = REGISTRY.read(DENSE)
CPU = REGISTRY.device("cpu")
BOARD = REGISTRY.device("raspberry-pi-4")
LARGE = REGISTRY.read("examples/vgg9.json")
"""Large enough for all figures of a processor to count."""


def total(device: Any, scenario: Scenario | None = None) -> Any:
    made = costmodel.estimate(NETWORK, device, scenario=scenario, registry=REGISTRY)
    return made.total(device.name)


def test_each_figure_goes_to_both_ends_of_its_range() -> None:
    found = sensitivity(NETWORK, CPU)
    assert found.total == near(total(CPU).energy_joules)
    names = [one.name for one in found.swings]
    assert names[0] == "energy_per_multiply_accumulate"
    for one in found.swings:
        for end, there in ((one.low, one.at_low), (one.high, one.at_high)):
            changed: Any = {one.name: f"{end!r} {one.unit}"}
            assert there == near(total(CPU.with_parameters(**changed)).energy_joules)


def test_the_largest_change_comes_first() -> None:
    for device, measure in ((CPU, "energy"), (BOARD, "time")):
        swings = [one.swing for one in sensitivity(NETWORK, device, measure=measure).swings]
        assert swings == sorted(swings, reverse=True)


def test_the_spread_of_measured_times_is_one_of_the_figures() -> None:
    found = sensitivity(LARGE, BOARD, measure="time")
    (model,) = [one for one in found.swings if one.name == "measured over predicted time"]
    residual = BOARD.residual(1, FLOAT32)
    assert residual is not None
    assert model.at_high == near(found.total * residual.high)
    assert "peak_rate.float32" in found.without_range


def test_around_moves_every_figure_by_the_same_share() -> None:
    found = sensitivity(LARGE, BOARD, measure="time", around=0.1)
    peak = next(one for one in found.swings if one.name == "peak_rate.float32")
    assert (peak.low, peak.high) == (near(0.9 * peak.value), near(1.1 * peak.value))
    assert peak.at_low > found.total > peak.at_high
    assert not found.without_range


def test_a_total_that_is_not_known_has_no_sensitivity() -> None:
    with pytest.raises(CostModelError, match="the time of dense on cpu is not known"):
        sensitivity(NETWORK, CPU, measure="time")
    with pytest.raises(UnknownNameError, match="unknown measure 'area'"):
        sensitivity(NETWORK, CPU, measure="area")
    with pytest.raises(CostModelError, match="expected a share between 0 and 1"):
        sensitivity(NETWORK, CPU, around=10.0)


def test_the_command_draws_a_tornado() -> None:
    shown = good("sensitivity", DENSE, "-d", "cpu")
    assert "energy_per_multiply_accumulate" in shown
    assert "##########" in shown
    found = json.loads(good("sensitivity", DENSE, "-d", "cpu", "--format", "json"))
    assert found["schema"] == "costmodel/sensitivity/1"
    text = good("sensitivity", DENSE, "-d", "cpu", "--around", "10 %", "--format", "csv")
    assert all(float(row["low"]) < float(row["high"]) for row in csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("share", ["0", "100 %", "-3", "2 J", "much"])
def test_a_share_that_is_none_is_refused(share: str) -> None:
    result = run("sensitivity", DENSE, "-d", "cpu", "--around", share)
    assert result.exit_code == 2
    assert "'10 %'" in result.stderr


# ------------------------------------------------------------------ formats


def test_formats_stand_side_by_side() -> None:
    found = by_format(NETWORK, ["raspberry-pi-4", "cpu"], ["float32", "int8", "int4"])
    for number, made in found.estimates.items():
        alone = total(BOARD, Scenario(default_format=number))
        assert made.total("raspberry-pi-4").latency_seconds == near(alone.latency_seconds)
    sizes = [made.bill("cpu").evaluation.weight_bytes for made in found.estimates.values()]
    assert sizes == [785 * 4, 785, 393]


def test_a_table_says_in_which_format_a_device_computes() -> None:
    shown = good(
        "estimate", DENSE, "-d", "raspberry-pi-4", "--default-format", "float16,int4,fixed<8,3>"
    )
    rows = {line.split()[0]: line.split()[-1] for line in shown.splitlines()[4:7]}
    assert rows == {"float16": "float32", "int4": "int8", "fixed<8,3>": "int8"}


def test_what_a_format_leaves_out_is_said_with_the_reason() -> None:
    result = run("estimate", DENSE, "-d", "rtx-4090", "--default-format", "float32,int8,int4")
    found = [line for line in result.stdout.splitlines() if "unpriced on" in line]
    for number, line in zip(("int8", "int4"), found, strict=True):
        assert line.startswith(f"{number}: unpriced on rtx-4090: first, second")
        assert f"cannot run contraction operators in {number}" in line
        assert f"not in the total of dense in {number}:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DENSE, VISION, "--default-format", "int8,int4"], "take one model"),
        ([DENSE, "--default-format", "int8,int4", "--layers"], "take one model"),
        ([DENSE, "--default-format", "int8,int8"], "expected different formats"),
        ([DENSE, "--default-format", "int8,inte4"], "'inte4' is not a numeric format"),
    ],
)
def test_formats_that_cannot_be_compared_are_refused(arguments: list[str], message: str) -> None:
    result = run("estimate", *arguments, "-d", "cpu")
    assert result.exit_code == 2
    assert message in result.stderr


def test_one_layer_can_have_another_format() -> None:
    plain = costmodel.estimate(NETWORK, BOARD, registry=REGISTRY)
    scenario = Scenario(formats={"first": "int4"})
    changed = costmodel.estimate(NETWORK, BOARD, scenario=scenario, registry=REGISTRY)
    held = next(one.layer for one in changed.lowered if one.layer.name == "first")
    bits = {str(tensor.format) for tensor in held.parameters.values()}
    assert bits == {"fixed<4,3>"}
    weights = [one.bill(BOARD.name).evaluation.weight_bytes for one in (plain, changed)]
    first = sum(tensor.size for tensor in held.parameters.values())
    assert weights[0] - weights[1] == first * 4 - (first + 1) // 2
    assert changed.to_dict()["scenario"]["formats"] == {"first": "fixed<4,3>"}
    assert "first in int4" in str(changed)


def test_a_block_by_its_name_can_have_another_format_and_its_parts_again_others(
    tmp_path: Path,
) -> None:
    model = tmp_path / "model.json"
    model.write_text(chain(["stem", "block_1_a", "block_1_b", "block_2_a"]))
    formats = {"block_1": "int8", "block_1_b": "int4", "stem": "float16"}
    scenario = Scenario(formats=formats)
    made = costmodel.estimate(model, BOARD, scenario=scenario, registry=REGISTRY)
    held = {
        lowered.layer.name: {str(tensor.format) for tensor in lowered.layer.parameters.values()}
        for lowered in made.lowered
        if lowered.layer.parameters
    }
    assert held["block_1_a"] == {"fixed<8,7>"}
    assert held["block_1_b"] == {"fixed<4,3>"}
    assert held["block_2_a"].isdisjoint({"fixed<8,7>", "fixed<4,3>"})


def test_a_name_of_a_layer_means_no_other_layer_that_begins_alike() -> None:
    assert meant("dense", ["dense", "dense_relu", "dense/part"]) == ("dense", "dense/part")
    assert meant("dense", ["dense_relu", "dense_1"]) == ("dense_relu",)
    assert meant("other", ["dense"]) == ()


def test_a_format_of_no_layer_is_reported_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="nearest known: 'first'"):
        costmodel.estimate(
            NETWORK, CPU, scenario=Scenario(formats={"frist": "int4"}), registry=REGISTRY
        )
    result = run("estimate", DENSE, "-d", "cpu", "--format-of", "int4")
    assert result.exit_code == 2
    assert "expected LAYER=FORMAT, such as dense=int4" in result.stderr


def test_a_scenario_refuses_formats_that_are_none() -> None:
    with pytest.raises(ScenarioError, match="expected formats by layer"):
        Scenario(formats="int8")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(CostModelError, match="'int8x' is not a numeric format"):
        evolve(Scenario(), formats={"dense": "int8x"})
