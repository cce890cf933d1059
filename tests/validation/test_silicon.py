"""Chips with an array of units, against what was measured on them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from worlds import REGISTRY

from costmodel.formats import parse_format
from costmodel.scenario import Scenario
from costmodel_validation.silicon import eyeriss, tpu

ALEXNET = {one.name: one for one in eyeriss.layers("alexnet", REGISTRY)}
APPLICATIONS = {one.name: one for one in tpu.applications(REGISTRY)}
ACTIVE = {"conv1": 154, "conv2": 135, "conv3": 156, "conv4": 156, "conv5": 156}
"""Units that have work, of Table V."""


def within(share: float, measured: float) -> Any:
    return pytest.approx(measured, rel=share, abs=0)


def test_the_mappings_of_eyeriss_are_up_to_date() -> None:
    file = files("costmodel_validation.silicon") / eyeriss.MAPPINGS
    assert file.read_text(encoding="utf-8") == eyeriss.mappings_text(REGISTRY), "write_accuracy.py"


@pytest.mark.parametrize("name", ALEXNET)
def test_a_published_mapping_has_the_units_at_work_that_the_paper_counts(name: str) -> None:
    mapping, layer = eyeriss.published(name), eyeriss.facts()["layers"][name]
    rows, columns = (mapping.used(axis) for axis in ("rows", "columns"))
    idle = layer["window"] if name == "conv2" else 0  # 27 rows over 2 x 14 columns
    assert rows * columns - idle == ACTIVE[name]


@pytest.mark.parametrize("name", ALEXNET)
def test_alexnet_on_eyeriss_takes_the_measured_time_within_a_fifth(name: str) -> None:
    one = ALEXNET[name]
    assert one.predicted_processing == within(0.2, one.processing)


def test_the_energy_of_conv1_and_conv2_is_the_measured_one_within_a_quarter() -> None:
    both = [ALEXNET["conv1"], ALEXNET["conv2"]]
    measured = sum(one.energy for one in both)
    assert sum(one.predicted_energy for one in both) == within(0.25, measured)


@pytest.mark.parametrize("name", ["conv3", "conv4", "conv5"])
def test_measured_energy_lies_between_that_with_all_zeros_gated_and_that_with_none(
    name: str,
) -> None:
    one = ALEXNET[name]
    assert one.gated_energy < one.energy < one.predicted_energy


@pytest.mark.parametrize("name", ["conv1", "conv2", "conv4", "conv5"])
def test_traffic_of_the_buffer_of_eyeriss_is_the_measured_one_within_5_percent(name: str) -> None:
    one = ALEXNET[name]
    assert one.predicted_buffer == within(0.05, one.buffer)


def test_dram_traffic_of_a_dense_model_is_above_the_compressed_one_of_the_chip() -> None:
    assert all(one.dram < one.predicted_dram < 1.8 * one.dram for one in ALEXNET.values())


@pytest.mark.parametrize("name", ["mlp0", "mlp1", "lstm0", "cnn0"])
def test_applications_of_tpu_v1_run_at_its_roofline_within_a_quarter(name: str) -> None:
    assert APPLICATIONS[name].roofline == within(0.25, APPLICATIONS[name].achieved)


@pytest.mark.parametrize("name", ["mlp0", "mlp1", "lstm0"])
def test_square_layers_of_tpu_v1_run_at_the_measured_rate_within_a_quarter(name: str) -> None:
    assert APPLICATIONS[name].on_layers == within(0.25, APPLICATIONS[name].achieved)


@pytest.mark.parametrize("one", APPLICATIONS.values(), ids=lambda one: one.name)
def test_no_stand_in_is_faster_than_its_roofline(one: tpu.Application) -> None:
    assert one.on_layers <= one.roofline


def test_a_stand_in_has_the_stated_weights_and_intensity() -> None:
    for name, row in tpu.facts().items():
        own = tpu.workload(name)
        weights = sum(own.tensors[weight].size for weight in own.weights)
        assert weights == within(0.01, row["weights"] * 1e6)
        macs = sum(node.operator.macs for node, _ in own.nodes)
        assert macs / weights == within(0.11, row["intensity"])  # 7 x 7 for 1,750 / 32 positions


def test_mappings_are_given_by_the_name_of_an_operator() -> None:
    mappings = json.loads(eyeriss.mappings_text(REGISTRY, ["conv5"]))
    chip = REGISTRY.device("eyeriss-v1", mapping=mappings)
    scenario = Scenario(default_format=parse_format("int16"))
    found = chip.evaluate(eyeriss.workload("conv5", 4), scenario)
    assert found.latency_seconds == ALEXNET["conv5"].predicted_processing
    assert found.placement.mapped["conv5"].mapping == eyeriss.published("conv5")  # type: ignore[attr-defined]  # the class has it
