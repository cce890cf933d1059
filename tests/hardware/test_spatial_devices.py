"""Architectures that ship as files of class `spatial`."""

from __future__ import annotations

from typing import Any

import pytest
from figures import near
from worlds import REGISTRY

from costmodel.formats import parse_format
from costmodel.scenario import Scenario
from costmodel.workload.builders import conv, matmul
from costmodel.workload.graph import Node, Workload
from costmodel_hardware.components.arithmetic import mac
from costmodel_hardware.components.memories import dram, register_file, sram

INT8 = Scenario(default_format=parse_format("int8"))
COMPONENTS = {
    "systolic-array": {
        "weights": (register_file(28, "2 B", 8), 1024),
        "accumulators": (sram(28, "4 KiB", 32), 32),
        "buffer": (sram(28, "1 MiB", 256), 1),
        "dram": (dram("lpddr4", 64), 1),
    },
    "tpu-v1": {
        "weights": (register_file(28, "2 B", 8), 65_536),
        "accumulators": (sram(28, "16 KiB", 32), 256),
        "fifo": (sram(28, "256 KiB", 2048), 1),
        "buffer": (sram(28, "24 MiB", 2048), 1),
        "dram": (dram("ddr3", 64), 1),
    },
}
"""Where the figures of a memory come from, and how many of these there are."""
MEMORIES = [(chip, name) for chip, several in COMPONENTS.items() for name in several]


def product(rows: int, depth: int, columns: int) -> Workload:
    work = matmul((rows, depth), (depth, columns))
    return Workload(
        "product", {"x": (rows, depth), "w": (depth, columns), "y": (rows, columns)},
        [Node("product", work, ("x", "w", "y"))], inputs=["x"], outputs=["y"], weights=["w"],
    )  # fmt: skip


@pytest.mark.parametrize(("chip", "name"), MEMORIES)
def test_figures_of_a_memory_are_those_of_the_components(chip: str, name: str) -> None:
    component, number = COMPONENTS[chip][name]
    figures = REGISTRY.device(chip).parameters
    for way in ("read", "write"):
        own, source = figures.get(f"{name}.{way}.energy"), getattr(component, f"{way}_energy")
        if own is not None:
            shown = [(one.value, one.low, one.high) for one in (own, source)]
            assert shown[0] == tuple(near(value, rel=0.005) for value in shown[1])
    for key in ("area", "leakage"):
        own, source = figures.get(f"{name}.{key}"), getattr(component, key)
        if own is not None:
            assert own.value == near(number * source.value, rel=0.005)


@pytest.mark.parametrize("chip", COMPONENTS)
def test_a_multiply_accumulate_is_that_of_the_components(chip: str) -> None:
    figures, unit = REGISTRY.device(chip).parameters, mac(28, "int8")
    assert unit.energy is not None
    assert figures["energy_per_mac.int8"].value == near(unit.energy.value, rel=0.005)
    assert unit.area is not None
    assert figures["mac_area"].value == near(unit.area.value, rel=0.005)


def test_eyeriss_keeps_the_ratios_of_its_paper() -> None:
    figures = REGISTRY.device("eyeriss-v1").parameters
    unit = figures["energy_per_mac.int16"]
    for name, ratio in (("sum-scratchpad", 1), ("buffer", 6 * 4), ("dram", 200 * 4)):
        for way in ("read", "write"):
            own = figures[f"{name}.{way}.energy"]
            assert own.value == near(ratio * unit.value)
            assert own.low == near(ratio * unit.low)
            assert own.high == near(ratio * unit.high, rel=0.005)


def test_eyeriss_states_its_range_of_a_multiply_accumulate_from_the_components() -> None:
    figure = REGISTRY.device("eyeriss-v1").parameters["energy_per_mac.int16"]
    nominal = mac(65, "int16", "int16").energy
    assert nominal is not None
    assert nominal.value == near(figure.value, rel=0.01)
    assert nominal.high == near(figure.high, rel=0.01)


def test_tpu_v1_has_its_published_peak_and_sizes() -> None:
    chip: Any = REGISTRY.device("tpu-v1")
    assert 2 * chip.macs_per_second == near(92e12, rel=0.005)
    assert 256 * chip.architecture.level("accumulators").size_bits == 4 * 8 * 1024**2
    assert chip.architecture.level("fifo").size_bits == 4 * 256 * 256 * 8


@pytest.mark.parametrize("size", [8, 64])
def test_the_array_is_a_parameter(size: int) -> None:
    chip: Any = REGISTRY.device("systolic-array", array={"rows": size, "columns": size})
    found = chip.evaluate(product(256, 128, 128), INT8)
    own = found.placement.mapped["product"].costs
    assert chip.architecture.units == size * size
    assert own.latency.compute == near(256 * 128 * 128 / size**2)
    assert own.latency.fill_and_drain == 2 * (size - 1)


def test_the_dataflow_and_a_buffer_are_parameters() -> None:
    work = product(512, 512, 512)
    usual = REGISTRY.device("systolic-array").evaluate(work, INT8)
    small = REGISTRY.device("systolic-array", **{"buffer.size": "64 KiB"}).evaluate(work, INT8)
    assert sum(small.traffic_bytes["dram"]) > sum(usual.traffic_bytes["dram"])
    other = REGISTRY.device("systolic-array", dataflow="output stationary").evaluate(work, INT8)
    assert other.traffic_bytes != usual.traffic_bytes


@pytest.mark.parametrize("name", ["systolic-array", "tpu-v1"])
def test_weights_stay_in_the_array_while_all_rows_pass(name: str) -> None:
    found = REGISTRY.device(name).evaluate(product(64, 512, 256), INT8)
    read, written = found.traffic_bytes["weights"]
    assert read == written == 512 * 256


def test_a_depthwise_convolution_leaves_most_of_a_systolic_array_idle() -> None:
    image, kernel = (1, 64, 16, 16), (64, 1, 3, 3)
    work = Workload(
        "depthwise", {"x": image, "w": kernel, "y": image},
        [Node("depthwise", conv(image, kernel, padding=1, groups=64), ("x", "w", "y"))],
        inputs=["x"], outputs=["y"], weights=["w"],
    )  # fmt: skip
    found: Any = REGISTRY.device("systolic-array").evaluate(work, INT8)
    assert found.placement.mapped["depthwise"].costs.utilization < 0.05
