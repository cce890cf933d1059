"""Devices that count as SCALE-Sim or ZigZag do, through the same file and network."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from figures import near
from spatial.drawn import INT8, nest
from spatial.test_device import NPU, device

import costmodel
from costmodel import Scenario
from costmodel.workload.graph import Node, Workload
from costmodel.workload.operators import Contraction
from costmodel_hardware.spatial.accountings import mapped
from costmodel_hardware.spatial.architecture import Architecture
from costmodel_hardware.spatial.counting.validity import MappingError, OutOfTimeError
from costmodel_hardware.spatial.dataflow import ways
from costmodel_hardware.spatial.plan import Plan
from costmodel_hardware.spatial.showing.mapped_layers import MappedNetwork
from costmodel_hardware.spatial.zigzag.accounting import count
from costmodel_hardware.spatial.zigzag.device_text import device_text
from costmodel_hardware.spatial.zigzag.golden_cases import accelerator_of, nest_of_layer
from costmodel_hardware.spatial.zigzag.searching import best
from costmodel_hardware.spatial.zigzag.searching.best import best_mapping
from costmodel_hardware.spatial.zigzag.searching.bounds import Best
from costmodel_hardware.spatial.zigzag.searching.space import space_of
from costmodel_hardware.spatial.zigzag.yaml_import import read_accelerator

GOLDEN = Path(__file__).parents[1] / "golden"
SCALE_SIM = json.loads(gzip.decompress((GOLDEN / "scalesim.json.gz").read_bytes()))
NAMES = {"ws": "weight stationary", "os": "output stationary", "is": "input stationary"}
PRODUCTS = [
    case for case in SCALE_SIM if case["suite"] == "ideal" and case["layer"]["kind"] == "gemm"
]  # fmt: skip


@pytest.fixture
def npu(tmp_path: Path) -> Architecture:
    text = NPU.replace("holds: [input, output]\n    size: 512 KiB", "size: unlimited")
    return device(tmp_path, text).architecture


@pytest.mark.parametrize("dataflow", NAMES)
def test_products_are_counted_as_by_scale_sim(dataflow: str, npu: Architecture) -> None:
    cases = [case for case in PRODUCTS if case["config"]["dataflow"] == dataflow]
    assert len(cases) > 10
    for case in cases:
        m, n, k = (case["layer"][name] for name in "mnk")
        axes = {"rows": case["config"]["rows"], "columns": case["config"]["columns"]}
        shaped = Architecture(name="array", axes=axes, levels=npu.levels)
        plan = Plan(shaped, NAMES[dataflow], "energy", 0.0, "scale-sim")
        costs = mapped(nest(costmodel.matmul((m, k), (k, n))), plan, ()).costs
        words: Counter[Any] = Counter()
        for one in costs.transfers:
            words[one.level, one.operand, one.flow] += one.words
        expected = case["expected"]
        assert words["buffer", "input", "read_to_below"] == expected["sram_input_reads"]
        assert words["buffer", "weight", "read_to_below"] == expected["sram_weight_reads"]
        assert words["buffer", "output", "write_from_below"] == expected["sram_output_writes"]
        assert words["dram", "input", "read_to_below"] == expected["dram_input_reads"]
        assert words["dram", "weight", "read_to_below"] == expected["dram_weight_reads"]
        assert words["dram", "output", "write_from_below"] == expected["dram_output_writes"]
        assert costs.latency.total == expected["total_cycles"]


def test_scale_sim_knows_two_axes_and_three_dataflows(npu: Architecture) -> None:
    plan = Plan(npu, "row stationary", "energy", 0.0, "scale-sim")
    with pytest.raises(MappingError, match="expected two axes and weight, output or input"):
        mapped(nest(costmodel.matmul((4, 4), (4, 4))), plan, ())


def test_layers_are_counted_as_by_zigzag() -> None:
    file = json.loads(gzip.decompress((GOLDEN / "zigzag.json.gz").read_bytes()))
    case = next(one for one in file["cases"] if one["id"] == "tpu_like/square_gemm_128/lpf6")
    layer = nest_of_layer(case["layer"])
    architecture = accelerator_of(file["accelerators"]["tpu_like"]).architecture
    dataflow = (("D1", ("K",)), ("D2", ("C",)))
    found = mapped(layer, Plan(architecture, dataflow, "energy", 0.0, "zigzag"), ())
    (loops,) = ways(layer, architecture, dataflow)
    expected = best_mapping(space_of(layer, architecture, loops), "energy").count
    assert found.costs.energy == near(expected.energy)
    assert found.costs.energy <= case["best"]["energy"]["energy_pj"] * 1e-12 * (1 + 1e-12)
    assert found.costs.latency.total == expected.latency_cycles
    assert found.costs.memory_energy == {
        name: near(energy) for name, energy in expected.memory_energy.items()
    }


@pytest.mark.parametrize("accounting", ["costmodel", "scale-sim", "zigzag"])
def test_a_whole_network_has_energy_and_time_in_each(tmp_path: Path, accounting: str) -> None:
    one = device(tmp_path, NPU.replace("    size: 4 B", "    size: 8 B"))
    one = one.with_parameters(accounting=accounting, dataflow="weight stationary")  # type: ignore[assignment]  # as before
    network = costmodel.read(str(Path(__file__).parents[2] / "examples" / "vgg9.json"))
    scenario = Scenario(default_format="int8")
    found = one.evaluate(costmodel.lower(network, scenario), scenario)
    assert found.is_complete, found.unpriced
    assert found.latency_seconds


@pytest.mark.parametrize("accounting", ["costmodel", "zigzag"])
@pytest.mark.parametrize("name", ["ascend_like", "edge_tpu_like", "meta_prototype"])
def test_a_way_whose_tiles_have_no_room_leaves_the_others(
    tmp_path: Path, name: str, accounting: str
) -> None:
    """The ways of fewest cycles would need several weights or sums in a register of one."""
    file = GOLDEN / "zigzag_hardware" / f"{name}.yaml"
    text = device_text(read_accelerator(file).accelerator)
    one = device(tmp_path, text).with_parameters(accounting=accounting)
    work = one_layer(costmodel.conv((1, 64, 26, 26), (128, 64, 5, 5), padding=2))
    found = one.evaluate(work, Scenario(default_format="int8"))
    assert found.is_complete, found.unpriced
    units = found.placement.mapped["layer"].costs.utilization  # type: ignore[attr-defined]  # the class has it
    assert 0.8 < units <= 1


def one_layer(operator: Contraction) -> Workload:
    tensors = {name: one.tensor for name, one in zip("xwy", operator.operands, strict=True)}
    node = Node("layer", operator, ("x", "w", "y"))
    return Workload("one", tensors, [node], inputs=["x"], outputs=["y"], weights=["w"])


def test_a_mapping_that_is_given_is_counted_by_the_accounting_of_the_device(tmp_path: Path) -> None:
    """Another than the one that it was made for: a difference of two tools can be explained."""
    network = costmodel.read(str(Path(__file__).parents[2] / "examples" / "vgg9.json"))
    scenario = Scenario(default_format="int8")
    workload = costmodel.lower(network, scenario)
    npu = device(tmp_path, NPU.replace("    size: 4 B", "    size: 8 B"))
    own = MappedNetwork.of(workload, npu, scenario).layer("conv2d_1").to_dict()["mapping"]
    given = npu.with_parameters(mapping={"conv2d_1": own}, accounting="zigzag")
    layer = MappedNetwork.of(workload, given, scenario).layer("conv2d_1").mapped  # type: ignore[arg-type]  # as before
    assert layer.mapping is not None
    expected = count(layer.nest, given.plan(INT8).architecture, layer.mapping)  # type: ignore[attr-defined]  # as before
    assert layer.costs.energy == near(expected.energy + layer.costs.leakage_energy)
    assert layer.costs.latency.total == expected.latency_cycles
    other = npu.with_parameters(mapping={"conv2d_1": own}).evaluate(workload, scenario)
    assert other.placement.mapped["conv2d_1/contraction"].costs.energy < layer.costs.energy  # type: ignore[attr-defined]  # the class has it


def test_scale_sim_takes_no_mapping(tmp_path: Path) -> None:
    own = {
        "schema": "costmodel/mapping/1", "spatial": {}, "temporal": [["m", 4], ["n", 4], ["k", 4]],
        "keeps": {"input": {}, "weight": {}, "output": {}},
    }  # fmt: skip
    one = device(tmp_path).with_parameters(
        mapping={"layer": own}, accounting="scale-sim", dataflow="weight stationary"
    )
    work = one_layer(costmodel.matmul((4, 4), (4, 4)))
    found = one.evaluate(work, Scenario(default_format="int8"))
    assert "scale-sim knows no mapping but its dataflow" in found.unpriced["layer"]


def test_a_search_of_zigzag_that_ran_out_of_time_does_not_blame_a_memory(
    npu: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its own allocation has no room, all others are tried."""
    monkeypatch.setattr(best, "_best_of_greedy", lambda *_: Best(math.inf, 0, {}))
    layer = nest(costmodel.matmul((24, 64), (64, 36)))
    plan = Plan(npu, "search", "edp", 0.0, "zigzag")
    assert mapped(layer, plan, ()).costs.energy > 0
    with pytest.raises(OutOfTimeError, match="found in 1e-09 s; expected a longer time limit"):
        mapped(layer, evolve(plan, limit_seconds=1e-9), ())
