"""The processors that ship: what they are, how well they are known, and what they predict."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from console import good
from worlds import ALL, REGISTRY

from costmodel import Scenario
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import matmul
from costmodel.workload.graph import Node, Workload
from costmodel_hardware.processor.device import Processor
from costmodel_validation.checking import checked
from costmodel_validation.measurements import by_system, shipped_measurements, workload_of

PROCESSORS = [name for name in ALL if REGISTRY.device(name).family == "processor"]
SYSTEMS = by_system(shipped_measurements())
NAMED = (
    "rtx-3090", "rtx-4090", "rtx-5090", "a100-sxm-80gb", "h100-sxm", "jetson-agx-xavier", "m2-pro",
    "raspberry-pi-4", "raspberry-pi-5", "rk3399", "stm32l4r5", "stm32h743", "gap9", "edge-tpu",
    "hailo-8", "tpu-v4", "epyc-9654", "mi300x",
)  # fmt: skip


def test_at_least_forty_processors_ship_under_the_names_that_people_write() -> None:
    assert len(PROCESSORS) >= 40
    assert set(NAMED) <= set(PROCESSORS)


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_processor_says_how_well_it_is_known(name: str) -> None:
    device = REGISTRY.device(name)
    assert isinstance(device, Processor)
    for runtime in device.runtimes:
        known = device.with_runtime(runtime).known
        is_measured = (name, runtime) in SYSTEMS
        assert known.startswith("not measured") is not is_measured, runtime
        assert ("median error" in known) is is_measured, runtime


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_runtime_without_measurements_has_a_wide_range(name: str) -> None:
    device = REGISTRY.device(name)
    for runtime in device.runtimes:
        chosen = device.with_runtime(runtime)
        if (name, runtime) not in SYSTEMS and chosen.residual is not None:
            assert chosen.residual.high / chosen.residual.low >= 4, runtime


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_large_layer_takes_as_long_as_its_weights_take_to_be_read(name: str) -> None:
    """At batch 1 no cache holds them, whatever was fitted: the answer for language models."""
    device = REGISTRY.device(name)
    assert isinstance(device, Processor)
    number = max(device.peak_rate, key=lambda one: one.bits)
    product = matmul(Tensor((1, 8192), number), Tensor((8192, 8192), number))
    tensors = dict(zip("xwy", [one.tensor for one in product.operands], strict=True))
    node = Node("layer", product, ("x", "w", "y"))
    workload = Workload("layer", tensors, [node], ["x"], ["y"], ["w"])
    found = device.evaluate(workload, Scenario(default_format=number))
    fastest = max(one.bandwidth.value for one in device.memories if one.bandwidth is not None)
    assert found.latency_seconds is not None
    assert found.latency_seconds >= 8192**2 * number.bits / 8 / fastest


@pytest.mark.parametrize("number", ["float32", "int8"])
def test_a_network_of_overheads_alone_has_the_range_of_no_measurement(number: str) -> None:
    """The intercept of networks of milliseconds says little about one that takes microseconds."""
    product = matmul((1, 64), (64, 64))
    node = Node("layer", product, ("x", "w", "y"))
    shapes = {"x": (1, 64), "w": (64, 64), "y": (1, 64)}
    tiny = Workload("tiny", shapes, [node], ["x"], ["y"], ["w"])
    found = REGISTRY.device("raspberry-pi-4").evaluate(tiny, Scenario(default_format=number))
    known = found.device.residual
    assert known is not None
    assert found.residual is known.otherwise


def test_a_batch_that_nobody_measured_has_the_range_of_no_measurement() -> None:
    residual = REGISTRY.device("rtx-3090").residual
    assert residual is not None
    half = Scenario(default_format="float16").default_format
    measured, other = residual.under(256, half), residual.under(1, half)
    assert measured is residual
    assert other is residual.otherwise
    assert other is not None
    assert other.high / other.low > measured.high / measured.low


@pytest.mark.parametrize("name", ["t4", "a100-sxm-80gb", "jetson-agx-xavier"])
def test_resnet_50_in_int8_is_within_a_quarter_of_what_was_measured(name: str) -> None:
    batches = set()
    for runtime in ("tensorrt", "tensorrt-dla"):
        for one in SYSTEMS.get((name, runtime), ()):
            if one.network == "resnet50_v1.5":
                device = REGISTRY.device(name).with_runtime(runtime)
                assert checked(device, one).error <= 0.25, one.conditions
                batches.add(one.scenario.batch)
    assert 1 in batches
    assert max(batches) >= 64


@pytest.mark.parametrize("name", ["t4", "a100-sxm-80gb", "a100-pcie-40gb", "jetson-agx-xavier"])
def test_the_interval_of_tensorrt_holds_bert_large(name: str) -> None:
    device = REGISTRY.device(name).with_runtime("tensorrt")
    rows = [one for one in SYSTEMS[name, "tensorrt"] if one.network == "bert_large_squad"]
    assert rows
    assert all(checked(device, one).is_inside for one in rows)


@pytest.mark.parametrize("name", ["xeon-e5-2630", "quadro-k4000", "jetson-tx1"])
def test_a_batch_sweep_follows_one_set_of_parameters(name: str) -> None:
    device = REGISTRY.device(name).with_runtime("tensorflow")
    found = [checked(device, one) for one in SYSTEMS[name, "tensorflow"]]
    assert sorted(one.error for one in found)[3] <= 0.20
    energies: list[Any] = [one.energy_error for one in found]
    assert sorted(energies)[3] <= 0.30


@pytest.mark.parametrize("name", ["rtx-3090", "rtx-4090", "m2-pro"])
def test_eager_pytorch_has_no_int8_on_gpus(name: str) -> None:
    device = REGISTRY.device(name).with_runtime("pytorch-eager")
    row = SYSTEMS["rtx-3090", "pytorch-eager"][0]
    scenario = evolve(row.scenario, default_format="int8")
    estimate = device.evaluate(workload_of(row), scenario)
    assert not estimate.is_priced
    reason = next(why for name, why in estimate.unpriced.items() if name != "static")
    assert "under pytorch-eager cannot run" in reason
    assert "operators in int8" in reason
    assert "float16, float32 (" in reason
    others = f"--set {name}.runtime=NAME chooses one that does: tensorrt"
    assert (others in reason) == ("tensorrt" in device.runtimes)


def test_the_median_interval_of_fitted_systems_is_no_wider_than_a_factor_of_two() -> None:
    many = {key: rows for key, rows in SYSTEMS.items() if len({one.network for one in rows}) >= 6}
    residuals = [REGISTRY.device(name).with_runtime(runtime).residual for name, runtime in many]
    widths = sorted(one.high / one.low for one in residuals if one is not None)
    assert len(widths) == len(many) >= 15
    assert widths[len(widths) // 2] <= 2


def test_another_runtime_changes_the_time_as_it_does_on_the_bench() -> None:
    """The same Cortex-M4 at the same clock: microTVM takes 2 to 4 times as long as X-CUBE-AI."""
    slow, fast = (
        next(one for one in SYSTEMS["stm32l4r5", runtime] if one.network == "ic")
        for runtime in ("microtvm", "x-cube-ai-9.0")
    )
    device = REGISTRY.device("stm32l4r5")
    ratio = (
        checked(device.with_runtime("microtvm"), slow).seconds
        / checked(device.with_runtime("x-cube-ai-9.0"), fast).seconds
    )
    assert slow.seconds / fast.seconds == pytest.approx(2.3, rel=0.1, abs=0)
    assert 1.5 < ratio < 4


def test_three_processors_fit_into_100_columns() -> None:
    shown = good("estimate", "examples/vgg9.json", "-d", "rtx-4090,raspberry-pi-4,stm32h743")
    table = shown.split("\n\n")[1]
    assert max(map(len, table.splitlines())) <= 100
    (fits,) = [line for line in table.splitlines() if line.startswith("Fits")]
    assert fits.split() == ["Fits", "yes", "yes", "no"]
    assert "does not fit on stm32h743: flash needs 31.6 MB and has 2 MB" in shown
