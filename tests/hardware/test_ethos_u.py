"""An Ethos-U takes the cycles that Arm's compiler estimates, from shapes alone."""

from __future__ import annotations

import functools
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY

from costmodel import Scenario
from costmodel.devices import Cost, Device
from costmodel.formats import parse_format
from costmodel.tensor.sizes import Symbol
from costmodel.workload.builders import (
    activation,
    concatenate,
    conv,
    conv_transpose,
    elementwise,
    embedding,
    matmul,
    pool,
    softmax,
)
from costmodel.workload.graph import Node, Workload
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Unpriced
from costmodel_hardware.ethos_u.blocks import LARGEST, block_for
from costmodel_hardware.ethos_u.check import device_of, operation_of, read_file, summary
from costmodel_hardware.ethos_u.cycles import array_cycles, moved_bytes, npu_cycles
from costmodel_hardware.ethos_u.device import EthosU, block_of
from costmodel_hardware.ethos_u.lowering import operations_of
from costmodel_hardware.ethos_u.operation import OF_ARRAY, Area, Kind, Map, Operation, Port
from costmodel_validation.ethos_u import parts, tables, text_of

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "vela.json.gz"
DATA = read_file(GOLDEN)
NAMES = tuple(name for name in REGISTRY.device_names if name.startswith("ethos-u"))
INT8 = Scenario(default_format=parse_format("int8"))
BITS = (8, 8)


def device(name: str = "ethos-u55-128", runtime: str = "") -> EthosU:
    found = REGISTRY.device(name)
    chosen = found.with_runtime(runtime) if runtime else found
    assert isinstance(chosen, EthosU)
    return chosen


@functools.cache
def compared() -> Any:
    """Every case of the compiler, by the part of the table."""
    return parts(GOLDEN.parent)


@functools.cache
def rows() -> tuple[tuple[EthosU, dict[str, Any], dict[str, Any]], ...]:
    """The rows of the NPU, each with its device and the assumptions of its configuration."""
    return tuple(_rows())


def _rows() -> Iterator[tuple[EthosU, dict[str, Any], dict[str, Any]]]:
    columns = DATA["op_columns"]["regor"]
    for case in DATA["cases"]:
        key = "|".join([case["accelerator"], case["system_config"], case["memory_mode"]])
        npu = device_of(case)
        for values in case.get("ops", ()):
            row = dict(zip(columns, values, strict=True))
            if row["op"] not in {"Passthrough", "MatMul"}:
                yield npu, DATA["configurations"][key], row


# ------------------------------------------------------------------ against the compiler


def bias_latency(assumed: dict[str, Any], row: dict[str, Any]) -> float:
    home = assumed["fast_mem" if row["weight_buffering"] else "const_mem"]
    latency: float = assumed["latency_rw"][home][0]
    return latency if row["weight_bytes"] else 0.0


def test_the_array_takes_the_cycles_of_every_row_in_the_block_of_the_row() -> None:
    """Convolution, depthwise, fully connected, pooling and sums over channels."""
    kinds = {"Conv2D", "DepthwiseConv2D", "FullyConnected", "MaxPool", "AvgPool", "ReduceSum"}
    checked = 0
    for npu, assumed, row in rows():
        if row["op"] not in kinds:
            continue
        operation = operation_of(row)
        block = block_for(operation, npu.accelerator, Area(*row["ofm_block"][1:]))
        found = array_cycles(operation, npu.accelerator, block, bias_latency(assumed, row))
        array = found.array * found.blocks + found.output
        output_cost = array_cycles(operation, npu.accelerator, block).output
        output = output_cost * found.blocks + found.array
        assert abs(array - row["mac_cycles"]) <= 1, row
        assert abs(output - row["output_cycles"]) <= 1, row
        checked += 1
    assert checked == 1741


def test_the_block_of_the_input_and_the_walk_follow_from_the_block_of_the_output() -> None:
    for npu, _, row in rows():
        operation = operation_of(row)
        block = block_for(operation, npu.accelerator, Area(*row["ofm_block"][1:]))
        assert list(block.input) == row["ifm_block"][1:], row
        assert block.by_part_of_kernel is (row["traversal"] == "PartKernel"), row


def test_the_block_is_that_of_the_compiler_but_for_few() -> None:
    """Where it differs, two blocks fetch equally much, or the compiler worked in slices."""
    same: dict[str, list[bool]] = {}
    for npu, _, row in rows():
        operation = operation_of(row)
        if operation.kind in OF_ARRAY:
            block = block_of(operation, npu.accelerator)
            is_same = list(block.output) == row["ofm_block"][1:]
            same.setdefault(row["op"], []).append(is_same)
    differing = {name: several.count(False) for name, several in same.items()}
    assert differing == {
        "Conv2D": 6, "MaxPool": 6, "DepthwiseConv2D": 0, "FullyConnected": 0, "MemoryCopy": 0,
        "ReduceSum": 6, "AvgPool": 0, "Clamp": 0, "Tanh": 0,
    }  # fmt: skip


def test_the_npu_takes_the_estimated_cycles_where_memory_is_sram_alone() -> None:
    """With the layout that the compiler chose: within 4 % everywhere, equal in most rows."""
    errors = []
    for npu, assumed, row in rows():
        if assumed["const_mem"] != "OnChipFlash" or row["op"] in {"MemoryCopy", "CLZ", "Asr"}:
            continue
        operation = operation_of(row)
        block = block_for(operation, npu.accelerator, Area(*row["ofm_block"][1:]))
        sram = Port(assumed["bytes_per_cycle"]["Sram"], 32, 32, 32)
        reads, writes = (Map(sram, row[f"{which}_format"] == "NHCWB16") for which in ("ifm", "ofm"))
        latency = bias_latency(assumed, row)
        found = npu_cycles(operation, npu.accelerator, block, reads, writes, latency)
        errors.append(abs(found / row["estimated_cycles_unbuffered"] - 1))
    assert len(errors) > 1000
    assert statistics.median(errors) < 0.002
    assert statistics.quantiles(errors, n=20)[-1] < 0.04


def test_every_network_of_the_compiler_is_predicted_within_a_quarter_in_the_median() -> None:
    """Per network through the Keras form of the same network, over 38 configurations each."""
    found = {name: median for name, _, median, *_ in summary(compared()["network"])}
    assert len(found) == 7
    assert max(found.values()) < 0.12
    errors = [one.error for one in compared()["network"]]
    assert len(errors) == 266
    assert statistics.median(errors) < 0.03
    assert max(errors) < 0.33


def test_networks_that_were_made_after_the_formulas_are_predicted_as_well() -> None:
    """Nine networks; five rules of the lowering were mended after seeing four of them."""
    found = {name: median for name, _, median, *_ in summary(compared()["more"])}
    assert len(found) == 9
    assert max(found.values()) < 0.19
    assert statistics.median([one.error for one in compared()["more"]]) < 0.025


def test_every_kind_of_operation_is_predicted_from_its_shapes() -> None:
    found = {name: median for name, _, median, *_ in summary(compared()["operation"])}
    assert len(found) == 17
    assert max(found.values()) < 0.14
    assert statistics.median([one.error for one in compared()["operation"]]) < 0.005


def test_the_older_core_of_the_compiler_is_farther_off() -> None:
    """The two cores of the compiler differ by more among themselves."""
    errors = [one.error for one in compared()["legacy"]]
    assert len(errors) == 140
    assert statistics.median(errors) < 0.11


def test_the_tables_are_those_of_this_code() -> None:
    assert (ROOT / "validation" / "ethos_u.csv").read_text() == text_of(compared()), (
        "run python validation/write_ethos_u.py"
    )
    page = (ROOT / "docs" / "hardware.md").read_text()
    for line in tables(compared()).splitlines():
        assert line in page, "copy what python validation/write_ethos_u.py prints"


def test_a_file_of_results_is_compared_by_one_command(tmp_path: Path) -> None:
    networks = read_file(GOLDEN.parent / "vela_networks.json.gz")
    model = tmp_path / "cnn.json"
    model.write_text(json.dumps(networks["cnn.int8.tflite"]))
    command = [sys.executable, "-m", "costmodel_hardware.ethos_u.check", str(GOLDEN), "--all"]
    ran = subprocess.run(
        [*command, "--network", f"cnn.int8.tflite={model}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "networks, core regor: 38" in ran.stdout
    assert "in the blocks of Vela: median error" in ran.stdout
    listed = [line for line in ran.stdout.splitlines() if line.startswith("cnn.int8.tflite ")]
    assert len(listed) == 38 + 20


# ------------------------------------------------------------------ blocks and cycles

convolutions = st.builds(
    lambda size, channels, kernel, stride, bits: Operation(
        Kind.CONVOLUTION,
        Area(size[0], size[1], channels[1]),
        Area(size[0] * stride, size[1] * stride, channels[0]),
        kernel=kernel, stride=(stride, stride), input_bits=bits, output_bits=bits,
    ),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 80), st.integers(1, 160)),
    st.tuples(st.integers(1, 11), st.integers(1, 11)),
    st.integers(1, 3), st.sampled_from([8, 16]),
)  # fmt: skip
npus = st.sampled_from([device(name) for name in NAMES])
FAST = Map(Port(1e9, 0, 0, 1), is_bricks=True)


@given(convolutions, npus)
def test_a_block_is_made_of_microblocks_and_fits(operation: Operation, npu: EthosU) -> None:
    block = block_of(operation, npu.accelerator)
    for size, unit, most in zip(block.output, npu.accelerator.microblock, LARGEST, strict=True):
        assert size % unit == 0
        assert unit <= size <= most
    buffered = 2 * block.input.height * block.input.width * block.input.depth
    assert buffered * operation.input_bits // 8 <= npu.shared_buffer.value


@given(convolutions, npus)
def test_no_more_is_multiplied_than_the_array_can(operation: Operation, npu: EthosU) -> None:
    block = block_of(operation, npu.accelerator)
    found = npu_cycles(operation, npu.accelerator, block, FAST, FAST)
    peak = npu.accelerator.microblock.size * 8 * npu.accelerator.cores
    assert found * peak * (1 + 1e-9) >= operation.weights * operation.output.height * (
        operation.output.width
    )


@given(convolutions, npus)
def test_all_inputs_and_weights_are_read_at_least_once(operation: Operation, npu: EthosU) -> None:
    moved = moved_bytes(operation, npu.accelerator, block_of(operation, npu.accelerator), FAST)
    whole = operation.output
    assert moved.weights >= operation.weights
    assert moved.output == whole.size * operation.output_bits / 8
    assert moved.readings >= 1


def test_a_block_that_does_not_fit_is_named() -> None:
    npu = evolve(device().accelerator, banks=3)
    wide = Operation(Kind.CONVOLUTION, Area(8, 8, 16), Area(8, 8, 64), kernel=(8, 8))
    with pytest.raises(ValueError, match="no block of convolution fits into 3 KiB"):
        block_of(wide, npu)


# ------------------------------------------------------------------ operators


def lowered(operator: Operator, bits: tuple[int, int] = BITS) -> tuple[Operation, ...]:
    found = operations_of(operator, bits)
    assert not isinstance(found, Unpriced), found.reason
    return found


def test_a_convolution_is_one_operation_of_its_shapes() -> None:
    (found,) = lowered(
        conv((1, 30, 20, 3), (8, 3, 5, 3), stride=(2, 1), padding=(2, 1), input_layout="N*C")
    )
    assert found == Operation(
        Kind.CONVOLUTION, Area(15, 20, 8), Area(30, 20, 3), kernel=(5, 3), stride=(2, 1)
    )


def test_channels_may_come_first() -> None:
    last = conv((1, 30, 20, 3), (8, 3, 5, 3), input_layout="N*C")
    assert lowered(conv((1, 3, 30, 20), (8, 3, 5, 3))) == lowered(last)
    first = pool("max", (1, 16, 8, 8), 2)
    assert lowered(first) == lowered(pool("max", (1, 8, 8, 16), 2, input_layout="N*C"))


def test_a_depthwise_convolution_is_one_operation_and_a_grouped_one_several_runs() -> None:
    (depthwise,) = lowered(conv((1, 16, 8, 8), (16, 1, 3, 3), groups=16))
    assert (depthwise.kind, depthwise.output.depth, depthwise.repeats) == (Kind.DEPTHWISE, 16, 1)
    (grouped,) = lowered(conv((1, 16, 8, 8), (32, 4, 3, 3), groups=4))
    assert (grouped.kind, grouped.input.depth, grouped.output.depth) == (Kind.CONVOLUTION, 4, 8)
    assert grouped.repeats == 4


@pytest.mark.parametrize(
    ("dilation", "kernel", "step"), [(1, 3, 1), (2, 3, 2), (3, 7, 1), (4, 5, 2), (8, 9, 2)]
)
def test_a_wide_gap_in_a_kernel_is_filled_with_zeros(dilation: int, kernel: int, step: int) -> None:
    (found,) = lowered(conv((1, 4, 40), (4, 4, 3), dilation=dilation))
    assert (found.kernel, found.dilation) == ((1, kernel), (1, step))


def test_a_transposed_convolution_makes_every_output_through_the_kernel() -> None:
    (found,) = lowered(conv_transpose((1, 8, 16, 16), (8, 4, 2, 2), stride=2))
    assert (found.output, found.kernel, found.stride) == (Area(32, 32, 4), (2, 2), (1, 1))
    assert found.weights == 2 * 2 * 8 * 4


def test_rows_of_a_dense_layer_lie_in_a_square() -> None:
    (found,) = lowered(matmul((1, 16, 32), (32, 64)))
    assert (found.kind, found.output) == (Kind.FULLY_CONNECTED, Area(4, 4, 64))


def test_a_softmax_is_as_many_operations_as_the_compiler_makes() -> None:
    """Vela: 25 to 37."""
    found = lowered(softmax((1, 4, 16, 16)))
    assert 25 <= len(found) <= 37
    rows = [one for one in found if one.output.size == 64]
    assert len(rows) > 15


def test_a_product_of_two_feature_maps_is_elementwise() -> None:
    products, sums = lowered(matmul((4, 16, 8), (4, 8, 16), right_role="input"))
    assert products.output.size == 4 * 16 * 16 * 8
    assert (sums.kind, sums.output.size, sums.starts) == (Kind.REDUCE_SUM, 4 * 16 * 16, 64)


@pytest.mark.parametrize(
    "operator",
    [embedding((100, 8), (1, 5)), elementwise("divide", (1, 8), (1, 8)),
     elementwise("select", (1, 8), (1, 8), (1, 8))],
)  # fmt: skip
def test_what_the_npu_cannot_do_has_no_price(operator: Operator) -> None:
    answer = device().price(operator, INT8)
    assert isinstance(answer, Unpriced)
    assert "to the CPU" in answer.reason or "no price" in answer.reason


@pytest.mark.parametrize("name", ["float32", "float16", "int32", "ternary"])
def test_other_formats_are_left_to_the_cpu(name: str) -> None:
    scenario = Scenario(default_format=parse_format(name))
    answer = device().price(conv((1, 3, 8, 8), (8, 3, 3, 3)), scenario)
    assert isinstance(answer, Unpriced)
    assert "to the CPU" in answer.reason
    assert "--default-format int8" in answer.reason


# ------------------------------------------------------------------ whole networks

BATCH = Symbol("batch")


def two_layers(count: int = 64) -> Workload:
    """Two convolutions, with an activation between them."""
    image = (BATCH, 32, 16, 16)
    return Workload(
        "two layers",
        {
            "image": image, "first": (32, 32, 3, 3), "sums": image, "features": image,
            "second": (count, 32, 3, 3), "result": (BATCH, count, 16, 16),
        },
        [
            Node("one", conv(image, (32, 32, 3, 3), padding=1), ("image", "first", "sums")),
            Node("relu", activation("relu", image), ("sums", "features")),
            Node("two", conv(image, (count, 32, 3, 3), padding=1),
                 ("features", "second", "result")),
        ],
        inputs=["image"], outputs=["result"], weights=["first", "second"],
    )  # fmt: skip


def seconds(npu: Device, workload: Workload, scenario: Scenario = INT8) -> float:
    found = npu.evaluate(workload, scenario).latency_seconds
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_prices_a_network(name: str) -> None:
    for runtime in device(name).runtimes:
        npu = device(name, runtime)
        found = npu.evaluate(two_layers(), INT8)
        assert found.is_priced
        assert found.utilisation is not None
        assert 0 < found.utilisation <= 1
        assert found.latency_seconds is not None
        assert not found.energy_joules
        assert "no power" in found.unpriced["static"]


def test_an_activation_runs_with_the_operator_before_it() -> None:
    found = device().evaluate(two_layers(), INT8)
    assert [str(each.group) for each in found.groups] == ["one + relu", "two"]
    with_table = device().price(conv((1, 16, 8, 8), (16, 16, 1, 1)), INT8)
    assert isinstance(with_table, Cost)


def test_weights_are_copied_while_the_operation_before_runs() -> None:
    """Shorter than one after the other, by at most the copy of the second layer."""
    npu = device("ethos-u55-128", "deep-embedded-shared-sram")
    found = npu.evaluate(two_layers(), INT8)
    alone = [each.cost.latency_seconds or 0.0 for each in found.groups]
    copies = [
        sum([one.seconds for one in each.cost.durations if one.phase == "start"])
        for each in found.groups
    ]
    assert all(copies)
    assert found.latency_seconds is not None
    assert 0 < sum(alone) - found.latency_seconds <= copies[1] * (1 + 1e-9)


def test_memories_follow_the_memory_mode() -> None:
    shared, only = device(), device(runtime="high-end-embedded-sram-only")
    dedicated = device("ethos-u65-256")
    assert [one.name for one in shared.memories] == ["sram", "flash"]
    assert [one.name for one in only.memories] == ["sram"]
    assert [one.name for one in dedicated.memories] == ["sram", "dram"]
    assert only.evaluate(two_layers(), INT8).peak_bytes["sram"] > 27_000  # with the weights
    assert seconds(only, two_layers()) <= seconds(shared, two_layers())


def test_a_faster_memory_or_clock_never_takes_longer() -> None:
    npu = device("ethos-u55-256", "deep-embedded-shared-sram")
    faster = npu.with_parameters(**{"flash.bandwidth": "800 MB/s"})
    assert seconds(faster, two_layers()) < seconds(npu, two_layers())
    assert seconds(npu.with_parameters(clock="400 MHz"), two_layers()) <= seconds(npu, two_layers())


def test_more_multipliers_take_less_time() -> None:
    names = ("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256")
    times = [seconds(device(name, "high-end-embedded-sram-only"), two_layers()) for name in names]
    assert times == sorted(times, reverse=True)


def test_a_batch_runs_one_example_after_the_other() -> None:
    npu = device(runtime="high-end-embedded-sram-only")
    assert seconds(npu, two_layers(), evolve(INT8, batch=3)) == near(3 * seconds(npu, two_layers()))


def test_a_given_power_gives_the_energy() -> None:
    found = device().with_parameters(busy_power="50 mW").evaluate(two_layers(), INT8)
    assert found.is_complete
    assert found.energy_joules == near(0.05 * (found.latency_seconds or 0.0))


def test_compressed_weights_take_less_time_where_flash_limits() -> None:
    npu = device(runtime="deep-embedded-shared-sram")
    smaller = npu.with_parameters(weight_share="0.5")
    dense = Workload(
        "dense", {"x": (BATCH, 512), "w": (512, 512), "y": (BATCH, 512)},
        [Node("dense", matmul((BATCH, 512), (512, 512)), ("x", "w", "y"))],
        inputs=["x"], outputs=["y"], weights=["w"],
    )  # fmt: skip
    assert seconds(smaller, dense) < 0.6 * seconds(npu, dense)


def test_a_concatenation_copies_what_others_read() -> None:
    half, whole = (BATCH, 8, 8, 16), (BATCH, 8, 8, 32)
    tensors = {"x": half, "a": half, "b": half, "both": whole, "c": half}
    steps = [
        Node("one", activation("sigmoid", half), ("x", "a")),
        Node("two", activation("sigmoid", half), ("a", "b")),
        Node("join", concatenate([half, half], axis=-1), ("a", "b", "both")),
    ]
    found = device().evaluate(
        Workload("join", tensors, steps, inputs=["x"], outputs=["both"]), INT8
    )
    moved = {one.role: one for one in found.group("join").traffic}
    assert moved["input"].read_bits == 8 * 8 * 16 * 8  # of `a`, which `two` reads; `b` is in place


def test_a_device_without_memories_is_refused() -> None:
    with pytest.raises(ValueError, match="memories: expected that of the feature maps first"):
        evolve(device(), memories=())
