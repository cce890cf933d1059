"""The array keeps the laws, and its numbers are those of a calculation by hand."""

from __future__ import annotations

from typing import Any

import pytest
from acme_costmodel.array import WeightStationary

import costmodel
from costmodel import Free, Scenario, Unpriced, attention, conv, matmul
from costmodel.devices import Cost, DeviceEstimate
from costmodel.tensor.sizes import Symbol
from costmodel.testing import DeviceContract, strategies
from costmodel.workload.builders import activation, copy
from costmodel.workload.graph import Node, Workload

INT8 = Scenario(default_format="int8")
CYCLE = 2e-9
"""Seconds, at 500 MHz."""


class TestArray(DeviceContract):
    @pytest.fixture
    def device(self) -> Any:
        return costmodel.device("acme-array")


class TestAnyArray(DeviceContract):
    @pytest.fixture
    def device(self) -> Any:
        return strategies.devices(WeightStationary)


def array(**values: str) -> WeightStationary:
    device = costmodel.device("acme-array", **values)
    assert isinstance(device, WeightStationary)
    return device


def cycles(operator: costmodel.Operator, scenario: Scenario = INT8) -> dict[str, float]:
    """The cycles of each phase."""
    cost = array().price(operator, scenario)
    assert isinstance(cost, Cost)
    return {one.phase: one.count for one in cost.durations}


def perceptron(hidden: int) -> Workload:
    """Two layers: 64 inputs, some hidden values, 10 scores."""
    batch = Symbol("batch")
    return Workload(
        "perceptron",
        {
            "x": (batch, 64), "w1": (64, hidden), "sums": (batch, hidden),
            "hidden": (batch, hidden), "w2": (hidden, 10), "scores": (batch, 10),
        },
        [
            Node("first", matmul((batch, 64), (64, hidden)), ("x", "w1", "sums")),
            Node("relu", activation("relu", (batch, hidden)), ("sums", "hidden")),
            Node("second", matmul((batch, hidden), (hidden, 10)), ("hidden", "w2", "scores")),
        ],
        inputs=["x"], outputs=["scores"], weights=["w1", "w2"],
    )  # fmt: skip


def evaluated(hidden: int, batch: int, **values: str) -> DeviceEstimate:
    scenario = Scenario(batch=batch, default_format="int8")
    return array(**values).evaluate(perceptron(hidden), scenario)


TILES = {
    "2 x 3 full tiles": (matmul((5, 64), (64, 96)), 6, 5),
    "tiles that are not full": (matmul((5, 33), (33, 10)), 2, 5),
    "a convolution of 3 x 3 x 16 on 32": (
        conv((16, 8, 8), (32, 16, 3, 3), input_layout="C*"),
        5,
        6 * 6,
    ),
    "a depthwise convolution": (
        conv((16, 8, 8), (16, 1, 3, 3), groups=16, input_layout="C*"),
        16,
        6 * 6,
    ),
}


@pytest.mark.parametrize(("operator", "tiles", "vectors"), TILES.values(), ids=TILES)
def test_a_tile_takes_its_fill_its_vectors_and_its_drain(
    operator: costmodel.Operator, tiles: int, vectors: int
) -> None:
    expected = {"start": tiles * 32, "run": tiles * vectors, "finish": tiles * 62}
    assert cycles(operator) == expected


def test_the_examples_of_a_batch_share_the_fill_and_the_drain() -> None:
    alone = cycles(matmul((5, 64), (64, 96)))
    eight = cycles(matmul((5, 64), (64, 96)), Scenario(batch=8, default_format="int8"))
    assert eight == {**alone, "run": 8 * alone["run"]}


def test_a_layer_takes_its_fill_then_the_slowest_resource_then_its_drain() -> None:
    layer = evaluated(96, 1).group("first")
    weights = 64 * 96 / 3.2e9
    inputs = 64 / 3.2e9
    expected = 6 * 32 * CYCLE + (weights + inputs) + 6 * 62 * CYCLE
    assert layer.cost.latency_seconds == pytest.approx(expected, rel=1e-9, abs=0)
    assert layer.limiting_resource == "dram"


def test_memory_and_multipliers_work_at_the_same_time() -> None:
    layer = evaluated(96, 8192).group("first")
    weights, inputs = 64 * 96 / 3.2e9, 8192 * 64 / 3.2e9
    run = 6 * 8192 * CYCLE
    assert run < weights + inputs
    assert layer.cost.latency_seconds == pytest.approx(
        6 * (32 + 62) * CYCLE + weights + inputs, rel=1e-9, abs=0
    )
    slow = evaluated(96, 8192, clock="50 MHz").group("first")
    expected = 10 * (6 * (32 + 62) * CYCLE + run)
    assert slow.limiting_resource == "array"
    assert slow.cost.latency_seconds == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize("batch", [1, 8])
def test_weights_are_read_once_per_batch_and_hidden_values_stay_on_the_chip(batch: int) -> None:
    found = evaluated(96, batch).traffic_bytes
    assert found["dram"] == (64 * 96 + 96 * 10 + batch * 64, batch * 10)
    assert found["buffer"] == (batch * 96, batch * 96)


def test_hidden_values_that_exceed_the_buffer_go_to_dram_and_back() -> None:
    hidden, weights = 300_000, 74 * 300_000
    assert evaluated(hidden, 1).traffic_bytes["dram"] == (weights + 64, 10)
    assert evaluated(hidden, 8).traffic_bytes["dram"] == (
        weights + 8 * 64 + 8 * hidden,
        8 * 10 + 8 * hidden,
    )
    assert evaluated(hidden, 8).traffic_bytes["buffer"] == (0, 0)


def test_utilisation_is_products_over_those_of_all_multipliers_in_the_time() -> None:
    found = evaluated(96, 8)
    assert found.latency_seconds is not None
    most = 32 * 32 * found.latency_seconds / CYCLE
    expected = 8 * (64 * 96 + 96 * 10) / most
    assert found.utilisation == pytest.approx(expected, rel=1e-9, abs=0)


def test_static_energy_is_the_power_over_the_makespan() -> None:
    found = evaluated(96, 8)
    assert found.latency_seconds is not None
    static = found.energy_joules_by_resource["chip"]
    assert static == pytest.approx(20e-3 * found.latency_seconds, rel=1e-9, abs=0)


def test_area_is_that_of_the_multipliers_and_of_the_buffer() -> None:
    expected = 1024 * 600e-12 + 4e-6
    assert array().area_square_metres == pytest.approx(expected, rel=1e-9, abs=0)


def test_products_of_a_format_without_a_figure_are_unpriced() -> None:
    assert isinstance(array().price(matmul((5, 64), (64, 96)), Scenario()), Unpriced)


def test_a_movement_is_free_of_arithmetic() -> None:
    assert isinstance(array().price(copy("identity", (4, 6)), INT8), Free)


def test_both_products_of_an_attention_have_tiles() -> None:
    device, heads = array(), 2
    operator = attention((heads, 10, 64), (heads, 40, 64), (heads, 40, 64), layout="hmd")
    products = [one for one in device.parts(operator, INT8) if one.macs]
    queries_stay, values_stay = heads * 2 * 1 * 40, heads * 2 * 2 * 10
    assert [cycles(one)["run"] for one in products] == [queries_stay, values_stay]
