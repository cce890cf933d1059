"""What dominates: blocks by name, parts of a network, and the summary."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
from console import DENSE, VISION, good, run
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY

import costmodel
from costmodel import Estimate, Network, Scenario
from costmodel.errors import CostModelError, UnknownNameError
from costmodel.network.blocks import path_of
from costmodel.network.layer import Input
from costmodel.report.breakdown import (
    GROUPINGS,
    MEASURES,
    PER_CALL,
    blocks_of,
    breakdown_table,
    ranked,
    whole,
)
from costmodel.report.summary import grouping

DEVICES = ("raspberry-pi-4", "horowitz-45nm", "cpu")


def estimate(model: str = VISION, *devices: str, **settings: Any) -> Estimate:
    return costmodel.estimate(
        REGISTRY.read(model), devices or DEVICES, on_unpriced="bound", registry=REGISTRY,
        scenario=Scenario(**settings),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "path"),
    [
        ("conv2d_17", ("conv2d_17",)),
        ("block_3_add", ("block_3", "block_3_add")),
        ("conv2_block1_out", ("conv2", "conv2_block1", "conv2_block1_out")),
        ("block1a_expand_conv", ("block1a", "block1a_expand", "block1a_expand_conv")),
        ("encoder/layer/dense", ("encoder", "encoder/layer", "encoder/layer/dense")),
        ("input", ("input",)),
    ],
)
def test_a_name_tells_the_blocks_that_a_layer_lies_in(layer: str, path: tuple[str, ...]) -> None:
    assert path_of(layer) == path


def test_a_block_of_one_layer_is_that_layer() -> None:
    found = blocks_of(["a_one", "a_two", "b_one", "c"])
    assert found == {"a_one": "a", "a_two": "a", "b_one": "b_one", "c": "c"}


@given(st.lists(st.text("ab_/1", min_size=1, max_size=9), min_size=1, max_size=8, unique=True))
def test_every_layer_lies_in_a_block_whose_name_begins_its_own(names: list[str]) -> None:
    found = blocks_of(names)
    assert list(found) == names
    assert all(name.startswith(block) or block == name for name, block in found.items())


@pytest.mark.parametrize("by", ["layer", "kind", "block", "operator"])
def test_the_parts_of_a_network_have_all_of_its_time_macs_and_energy(by: str) -> None:
    made = estimate(batch=2)
    parts = made.breakdown(by)
    assert sum(part.macs for part in parts) == made.macs
    for name, bill in made.bills.items():
        assert whole(parts, "energy", name) == near(bill.total.energy_joules)
        times = [part.value("time", name) for part in parts]
        expected = bill.total.latency_seconds or 0.0
        assert math.fsum(time or 0.0 for time in times) == near(expected)


@pytest.mark.parametrize("by", ["layer", "kind", "block", "operator"])
def test_what_no_layer_takes_is_a_part_of_its_own(by: str) -> None:
    made = estimate(DENSE, "rk3588s", "cpu")
    (rest,) = [part for part in made.breakdown(by) if part.name == PER_CALL]
    layers = math.fsum(line.cost.latency_seconds or 0.0 for line in made.bill("rk3588s").lines)
    total = made.total("rk3588s")
    assert total.latency_seconds is not None
    assert rest.value("time", "rk3588s") == near(total.latency_seconds - layers)
    assert "cpu" not in rest.costs
    *_, last = made.breakdown_table(by).rows
    assert last[0] == PER_CALL


def test_static_energy_is_not_lost_where_no_layer_takes_time() -> None:
    free = Network("free", [Input("in", "input", shape=(4,))], {})
    made = costmodel.estimate(free, "raspberry-pi-4", registry=REGISTRY)
    assert made.total("raspberry-pi-4").energy_joules > 0
    parts = made.breakdown("kind")
    assert whole(parts, "energy", "raspberry-pi-4") == near(
        made.total("raspberry-pi-4").energy_joules
    )


def test_layers_without_a_price_do_not_vanish_below_the_top() -> None:
    made = estimate("examples/alexnet.json", "b200")
    rows = made.breakdown_table("layer", top=1).rows
    assert [row[0] for row in rows][1:] == ["19 more layers", PER_CALL]


def test_a_measure_that_a_device_does_not_model_is_named() -> None:
    table = breakdown_table(estimate(VISION, *DEVICES), sort="time")
    assert "no time is known on horowitz-45nm, cpu" in table.notes
    assert not [note for note in breakdown_table(estimate(VISION, "cpu")).notes if "known" in note]


def test_a_device_without_memories_has_an_unknown_memory_and_not_0() -> None:
    rows = estimate(VISION, "cpu").breakdown_table(sort="memory").rows
    assert {row[-2] for row in rows} == {"?"}
    with pytest.raises(CostModelError, match="a breakdown by resource has no macs"):
        estimate().breakdown_table("resource", "macs")


@pytest.mark.parametrize("top", [0, -1, 1.5, True])
def test_a_number_of_parts_that_is_none_is_refused(top: Any) -> None:
    with pytest.raises(CostModelError, match="expected a whole number from 1 on"):
        estimate().breakdown_table(top=top)


def test_every_layer_is_in_one_part() -> None:
    made = estimate()
    names = [lowered.layer.name for lowered in made.lowered]
    for by in ("layer", "kind", "block"):
        found = [layer for part in made.breakdown(by) for layer in part.layers]
        assert sorted(found) == sorted(names)


def test_resources_have_the_whole_energy() -> None:
    made = estimate()
    parts = made.breakdown("resource")
    for name, bill in made.bills.items():
        assert whole(parts, "energy", name) == near(bill.total.energy_joules)
    (board,) = [part for part in parts if part.name == "board"]
    assert board.value("energy", "raspberry-pi-4") == near(
        made.total("raspberry-pi-4").energy_joules
    )


def test_static_energy_is_shared_out_by_time() -> None:
    made = estimate(VISION, "raspberry-pi-4")
    parts = made.breakdown()
    energy, time = (whole(parts, measure, "raspberry-pi-4") for measure in ("energy", "time"))
    for part in parts:
        joules, seconds = (part.value(one, "raspberry-pi-4") for one in ("energy", "time"))
        assert joules is not None
        assert seconds is not None
        assert joules / energy == near(seconds / time)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_largest_part_comes_first(measure: str) -> None:
    parts = ranked(estimate(VISION, "raspberry-pi-4").breakdown(), measure)
    values = [part.value(measure, "raspberry-pi-4") or 0.0 for part in parts]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0


def test_what_is_not_at_the_top_is_one_more_row() -> None:
    table = breakdown_table(estimate(VISION, "raspberry-pi-4"), "layer", top=2)
    assert [row[0] for row in table.rows][2] == "8 more layers"
    shares = [float(row[-1].removesuffix("%")) for row in table.rows]
    assert sum(shares) == near(100, rel=0.002)


def test_an_unknown_grouping_or_measure_is_reported() -> None:
    made = estimate()
    with pytest.raises(UnknownNameError, match="unknown grouping 'kinds'"):
        made.breakdown("kinds")
    with pytest.raises(UnknownNameError, match="unknown measure 'power'"):
        made.breakdown_table(sort="power")


def test_a_summary_names_totals_largest_parts_and_what_is_missing() -> None:
    totals, largest = estimate(VISION, "loihi", rates=10.0).summary()
    assert totals.rows[0][0] == "Energy"
    assert totals.rows[0][1].startswith(">= ")
    assert len(largest.rows) <= 6
    notes = " ".join(largest.notes)
    assert "without a price: 1 of 10 layers on loihi" in notes
    assert "not modelled on loihi" in notes


def test_names_that_count_kinds_are_no_blocks() -> None:
    assert grouping(estimate("examples/lcrm_vgg9.json", "cpu")) == "kind"


def test_a_network_with_named_blocks_is_shown_by_block() -> None:
    named = REGISTRY.read(VISION)
    assert grouping(estimate()) == "kind"
    layers = [
        layer.renamed(layer.name if not place else f"stage{place // 3}_{layer.name}")
        for place, layer in enumerate(named.layers)
    ]
    renamed = dict(
        zip([one.name for one in named.layers], [one.name for one in layers], strict=True)
    )
    edges = {
        renamed[one.name]: [renamed[port.layer] for port in named.sources(one.name)]
        for one in named.layers
        if named.sources(one.name)
    }
    blocks = Network("blocks", layers, edges)
    made = costmodel.estimate(blocks, "raspberry-pi-4", on_unpriced="bound", registry=REGISTRY)
    assert grouping(made) == "block"


def test_the_command_line_shows_a_summary_and_every_layer_on_request() -> None:
    shown = good("estimate", VISION, "-d", "raspberry-pi-4")
    assert "time by kind" in shown
    assert len(shown.splitlines()) < 40
    assert "Layer " in good("estimate", VISION, "-d", "raspberry-pi-4", "--layers")


def test_a_summary_of_six_devices_has_a_hundred_characters_in_a_line() -> None:
    names = "raspberry-pi-4,rtx-4090,stm32h743,m2-pro,h100-sxm,jetson-agx-orin"
    totals, largest = estimate("examples/vgg9.json", *names.split(",")).summary()
    assert totals.width <= 100
    assert largest.width <= 100
    assert [column.title for column in totals.columns[1:]] == names.split(",")


@pytest.mark.parametrize("by", GROUPINGS)
def test_csv_of_a_breakdown_has_bare_numbers(by: str) -> None:
    text = good(
        "estimate", VISION, "-d", "raspberry-pi-4", "--group-by", by, "--top", "2", "--format",
        "csv",
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(text)))
    names = [next(iter(row.values())) for row in rows]
    assert names[2:] == ([] if by == "resource" else [PER_CALL])
    assert all(float(row["raspberry-pi-4 (s)"]) >= 0 for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "--top", "3"], "--layers shows all in the order of the network"),
        (["--top", "3", "--format", "json"], "JSON has every layer"),
        (["--top", "0"], "0 is not in the range"),
        (["--sort", "energy", "--convention", "costmodel", "--convention", "keras-spiking"],
         "take one convention"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_refused(options: list[str], message: str) -> None:
    result = run("estimate", DENSE, "-d", "cpu", *options)
    assert result.exit_code == 2
    assert message in result.stderr
