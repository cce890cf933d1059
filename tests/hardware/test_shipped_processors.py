"""The processors that ship: what they are, how well they are known, and what they predict."""

from __future__ import annotations

import re
import statistics
from typing import Any

import pytest
from attrs import evolve
from console import VISION, good
from workloads import classifier, recurrent
from worlds import ALL, REGISTRY

import costmodel
from costmodel import Scenario
from costmodel.devices import Cost
from costmodel.formats import format_name, parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import conv, matmul
from costmodel.workload.graph import Node, Workload
from costmodel_hardware.processor.device import Processor, figure_of
from costmodel_validation.checking import checked
from costmodel_validation.measurements import by_system, shipped_measurements, workload_of

PROCESSORS = [name for name in ALL if REGISTRY.device(name).family == "processor"]
SYSTEMS = by_system(shipped_measurements())
NARROW = (
    "float16", "bfloat16", "float8_e4m3", "int4", "fixed<6,3>", "ternary", "mxfp8_e4m3",
    "mixed<int3,2.5>",
)  # fmt: skip
NARROW_NETWORKS = (
    costmodel.lower(costmodel.read(VISION)), classifier(), recurrent(3),
)  # fmt: skip
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
        says_how_well = "median error" in known or "no error can be stated" in known
        assert says_how_well is is_measured, runtime


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_runtime_without_measurements_has_a_wide_range(name: str) -> None:
    device = REGISTRY.device(name)
    for runtime in device.runtimes:
        chosen = device.with_runtime(runtime)
        if (name, runtime) not in SYSTEMS:
            assert all(one.high / one.low >= 4 for one in chosen.residuals), runtime


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_borrowed_runtime_has_no_narrower_range_than_the_lender(name: str) -> None:
    """Nor one for times that are shorter than all that were measured on the lender."""
    device = REGISTRY.device(name)
    for runtime in device.runtimes:
        borrower = device.with_runtime(runtime)
        found = re.match(r"not measured: efficiencies of ([^,]+),", borrower.known)
        if found is None:
            continue
        lender = REGISTRY.device(found[1]).with_runtime(runtime)
        pairs = zip(borrower.residuals, lender.residuals, strict=True)
        for own, lent in pairs:
            assert (own.formats, own.batches) == (lent.formats, lent.batches)
            assert own.low <= lent.low, runtime
            assert own.high >= lent.high, runtime
            assert (own.shortest is None) is own.is_for_all, runtime


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
    assert found.residual is found.device.residuals[-1]
    assert found.residual.is_for_all


def test_a_batch_that_nobody_measured_has_the_range_of_no_measurement() -> None:
    device = REGISTRY.device("rtx-3090")
    half = Scenario(default_format="float16").default_format
    measured, other = device.residual(256, half), device.residual(1, half)
    assert measured is not None
    assert measured.formats == (half,)
    assert other is not None
    assert other.is_for_all
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
    others = f"-d {name}:NAME chooses a runtime that does: tensorrt"
    assert (others in reason) == ("tensorrt" in device.runtimes)


def test_shipped_networks_of_the_law_reach_every_kind_of_traffic() -> None:
    kinds = {type(node.operator).__name__ for one in NARROW_NETWORKS for node, _ in one.nodes}
    assert {"Contraction", "Activation", "Reduction", "Elementwise"} <= kinds


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_format_without_arithmetic_is_never_faster_than_the_one_it_is_computed_in(
    name: str,
) -> None:
    """float16 on a CPU that has none: emulated, at the least at the time of float32."""
    plain = REGISTRY.device(name)
    tried = 0
    for runtime in plain.runtimes:
        device = plain.with_runtime(runtime)
        assert isinstance(device, Processor)
        if device.keeps_narrow:
            continue
        for text in NARROW:
            number = parse_format(text)
            found = device.computes_in(number)
            if found is None or found == number:
                continue
            for network in NARROW_NETWORKS:
                narrow, wide = (
                    device.evaluate(network, Scenario(default_format=one)).latency_seconds
                    for one in (number, found)
                )
                assert narrow is not None
                assert wide is not None
                assert narrow >= wide, (runtime, text, format_name(found), network.name)
                tried += 1
    assert tried


@pytest.mark.parametrize("name", ["core-i9-10940x", "epyc-9654", "xeon-e5-2630"])
def test_frameworks_run_no_float16_on_cpus_without_it(name: str) -> None:
    """Measured 8 to 500 times as long as float32: nobody runs it."""
    found = REGISTRY.device(name).evaluate(classifier(), Scenario(default_format="float16"))
    assert not found.is_priced
    assert "cannot run contraction operators in float16" in found.unpriced["conv"]


def test_float16_on_a_raspberry_pi_takes_the_time_of_float32() -> None:
    """TensorFlow Lite converts a float16 file to float32 as it loads it."""
    device = REGISTRY.device("raspberry-pi-4").with_runtime("tflite")
    half, whole = (
        device.evaluate(classifier(), Scenario(default_format=one)).latency_seconds
        for one in ("float16", "float32")
    )
    assert half == whole


@pytest.mark.parametrize(
    ("runtime", "convolutions", "products"),
    [("pytorch-eager", 155.9, 19.49), ("tensorrt", 155.9, 155.9)],
)
def test_float32_on_an_a100_is_rounded_to_tf32_as_the_runtime_does_by_default(
    runtime: str, convolutions: float, products: float
) -> None:
    device = REGISTRY.device("a100-sxm-80gb").with_runtime(runtime)
    assert isinstance(device, Processor)
    number = parse_format("float32")
    for operator, rate in (
        (conv((8, 64, 56, 56), (64, 64, 3, 3)), convolutions),
        (matmul((512, 512), (512, 512)), products),
    ):
        work = device.price(operator, Scenario(default_format=number))
        assert isinstance(work, Cost)
        (seconds,) = [one.seconds for one in work.durations if one.resource == "arithmetic"]
        share = figure_of(device.efficiency, number).value
        assert seconds == pytest.approx(2 * operator.macs / (rate * 1e12 * share), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("name", "number", "rate"),
    [
        ("jetson-agx-orin", "bfloat16", 42.5e12),
        ("epyc-9654", "int8", 29.491e12),
        ("xeon-platinum-8480plus", "bfloat16", 114.688e12),
        ("v100-sxm2", "int8", 62.68e12),
        ("h100-sxm", "float8_e4m3", 1978.9e12),
    ],
)
def test_peak_rates_that_have_a_source_of_their_own_ship(
    name: str, number: str, rate: float
) -> None:
    found = REGISTRY.device(name).parameters[f"peak_rate.{number}"]
    assert found.value == pytest.approx(rate, rel=1e-12, abs=0)
    assert found.source


def rates_of(device: Any) -> dict[str, float]:
    """The peak rates of a processor, by the names of formats."""
    return {format_name(one): device.peak_rate[one].value for one in device.peak_rate}


TENSOR_CORES = [
    name
    for name in PROCESSORS
    if REGISTRY.device(name).title.startswith("NVIDIA")
    and {"float16", "int8"} <= rates_of(REGISTRY.device(name)).keys()
]


@pytest.mark.parametrize("name", TENSOR_CORES)
def test_rates_of_tensor_cores_are_dense(name: str) -> None:
    """With structured sparsity they are twice as high: int8 above twice float16 would be so.

    On GeForce cards float16 with sums in float32 has half the rate, and int8 four times that.
    """
    device = REGISTRY.device(name)
    assert isinstance(device, Processor)
    rates = rates_of(device)
    fast = device.fast_accumulation_rate
    half = rates["float16"] if fast is None else fast[parse_format("float16")].value
    is_geforce = "GeForce" in device.title
    assert is_geforce == (fast is not None)
    assert half == pytest.approx(rates["float16"] * (2 if is_geforce else 1), rel=2e-3, abs=0)
    assert rates["int8"] <= 2.01 * half
    assert rates.get("bfloat16", rates["float16"]) == rates["float16"]
    if device.tf32_rate is not None:
        assert device.tf32_rate.value == pytest.approx(rates["float16"] / 2, rel=3e-3, abs=0)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in PROCESSORS
        if name.startswith("jetson-") and "pytorch-eager" in REGISTRY.device(name).runtimes
    ],
)
def test_the_launch_of_a_slower_host_is_not_taken_for_that_of_a_server(name: str) -> None:
    device = REGISTRY.device(name)
    (figure,) = (
        one
        for path, one in device.with_runtime("pytorch-eager").parameters.items()
        if path.startswith("overhead_per_operator.")
    )
    assert figure.low == figure.value
    assert figure.high > 2 * figure.value
    assert "slower" in figure.note


def test_the_median_interval_of_fitted_systems_is_no_wider_than_a_factor_of_two() -> None:
    many = {key: rows for key, rows in SYSTEMS.items() if len({one.network for one in rows}) >= 6}
    devices = [REGISTRY.device(name).with_runtime(runtime) for name, runtime in many]
    widths = [
        statistics.median(one.high / one.low for one in device.residuals if not one.is_for_all)
        for device in devices
    ]
    assert len(widths) >= 15
    assert statistics.median(widths) <= 2


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


@pytest.mark.parametrize("name", ["rtx-4090", "rtx-5090", "rtx-pro-6000-max-q"])
def test_compiled_pytorch_is_faster_where_it_was_measured_to_be(name: str) -> None:
    eager, compiled = (
        {(one.network, one.scenario.batch): one for one in SYSTEMS[name, runtime]}
        for runtime in ("pytorch-eager-nchw", "pytorch-compiled")
    )
    pairs = [(eager[key], compiled[key]) for key in eager.keys() & compiled.keys()]
    small = sorted(pairs, key=lambda pair: pair[0].seconds)[:6]
    assert len(small) == 6
    for pair in small:
        measured = pair[1].seconds / pair[0].seconds
        predicted = [
            checked(REGISTRY.device(name).with_runtime(one.runtime), one).seconds for one in pair
        ]
        assert measured < 1, pair
        assert predicted[1] / predicted[0] < 1, pair


def test_the_layout_that_was_measured_is_the_one_at_first() -> None:
    assert REGISTRY.device("rtx-5090").runtime == "pytorch-eager-nchw"
    assert REGISTRY.device("rtx-4090").runtime == "pytorch-eager"


def test_a_fit_of_all_rows_states_no_error() -> None:
    known = REGISTRY.device("m3").with_runtime("llama.cpp-metal").known
    assert known.startswith("fitted to 4 measurements, none left out: no error can be stated")


def test_three_processors_fit_into_100_columns() -> None:
    shown = good("estimate", "examples/vgg9.json", "-d", "rtx-4090,raspberry-pi-4,stm32h743")
    table = shown.split("\n\n")[1]
    assert max(map(len, table.splitlines())) <= 100
    (fits,) = [line for line in table.splitlines() if line.startswith("Fits")]
    assert fits.split() == ["Fits", "yes", "yes", "no"]
    assert "does not fit on stm32h743: flash needs 31.6 MB and has 2 MB" in shown
