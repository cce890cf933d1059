"""Processors: the time of groups, overheads, power, formats and what a host does for them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from attrs import evolve
from console import good
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from workloads import BATCH, classifier, recurrent

from costmodel import Scenario
from costmodel.devicefile import load_device
from costmodel.devices import Cost, DeviceEstimate
from costmodel.errors import CostModelError, DeviceFileError
from costmodel.formats import parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import activation, conv, elementwise, matmul
from costmodel.workload.graph import Node, Workload
from costmodel.workload.reasons import Unpriced
from costmodel_hardware.processor.device import Processor, is_dense

GIVEN = {"source": "us", "evidence": "assumed"}


def by_format(**values: Any) -> dict[str, Any]:
    return {name: {"value": value, **GIVEN} for name, value in values.items()}


def file(**changed: Any) -> dict[str, Any]:
    """A processor of round numbers: 1 TFLOP/s, 100 GB/s, 10 us per operator, 1 ms per call."""
    parameters = {
        "peak_rate": by_format(float32="1 TFLOP/s", int8="4 TOP/s"),
        "efficiency": by_format(float32=0.5, int8=0.25),
        "contraction_bandwidth_efficiency": by_format(float32=0.8),
        "bandwidth_efficiency": by_format(float32=0.4),
        "overhead_per_operator": by_format(float32="10 us"),
        "overhead_per_call": by_format(float32="1 ms"),
        "busy_power": {"value": "10 W", **GIVEN},
    }
    raw = {
        "schema": "costmodel/device/2", "name": "round", "class": "processor",
        "sources": {"us": "round numbers"}, "parameters": parameters,
        "memories": [{"name": "dram", "size": "1 GB", "bandwidth": "100 GB/s", **GIVEN}],
    }  # fmt: skip
    parameters.update(changed.pop("parameters", {}))
    return {**raw, **changed}


def processor(**changed: Any) -> Processor:
    text = json.dumps(file(**changed)).encode()
    found = load_device(text, "round.yaml", {"processor": Processor})
    assert isinstance(found, Processor)
    return found


def alone(operator: Any, *names: str) -> Workload:
    shapes = [one.shape for one in operator.operands]
    tensors = dict(zip(names, shapes, strict=True))
    weights = [name for name in names if name == "w"]
    return Workload(
        "one", tensors, [Node("it", operator, names)],
        inputs=["x"], outputs=["y"], weights=weights,
    )  # fmt: skip


def time_of(device: Processor, workload: Workload, **scenario: Any) -> float:
    found = device.evaluate(workload, Scenario(**scenario)).latency_seconds
    assert found is not None
    return found


SQUARE = alone(matmul((512, 512), (512, 512)), "x", "w", "y")
VECTOR = alone(matmul((1, 4096), (4096, 4096)), "x", "w", "y")
DEPTHWISE = alone(
    conv((1, 64, 56, 56), (64, 1, 5, 5), padding=2, groups=64), "x", "w", "y"
)  # fmt: skip


def test_a_product_takes_its_operations_at_a_share_of_the_peak() -> None:
    operations = 2 * 512**3
    expected = 1e-3 + 10e-6 + operations / (1e12 * 0.5)
    assert math.isclose(time_of(processor(), SQUARE), expected, rel_tol=1e-12)


def test_a_product_of_a_vector_takes_the_time_of_its_weights() -> None:
    moved = 4 * (4096 * 4096 + 4096 + 4096)
    expected = 1e-3 + 10e-6 + moved / (100e9 * 0.8)
    assert math.isclose(time_of(processor(), VECTOR), expected, rel_tol=1e-12)


def test_a_depthwise_convolution_takes_the_time_of_its_bytes() -> None:
    moved = 4 * (2 * 64 * 56 * 56 + 64 * 25)
    expected = 1e-3 + 10e-6 + moved / (100e9 * 0.4)
    assert math.isclose(time_of(processor(), DEPTHWISE), expected, rel_tol=1e-12)


DENSE = {
    "product": matmul((8, 16), (16, 4)),
    "convolution": conv((1, 3, 8, 8), (16, 3, 3, 3)),
    "of one channel": conv((1, 1, 8, 8), (16, 1, 3, 3)),
    "in groups": conv((1, 16, 8, 8), (16, 4, 3, 3), groups=4),
}
MOVING = {
    "depthwise": conv((1, 16, 8, 8), (16, 1, 3, 3), groups=16),
    "of one output": matmul((1, 16), (16, 1)),
    "elementwise": elementwise("add", (4, 4), (4, 4)),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_contraction_that_uses_an_input_for_several_outputs_is_dense(name: str) -> None:
    assert is_dense(DENSE[name])


@pytest.mark.parametrize("name", MOVING)
def test_work_that_uses_an_input_for_one_output_is_not_dense(name: str) -> None:
    assert not is_dense(MOVING[name])


def test_an_activation_that_is_fused_takes_no_time_of_its_own() -> None:
    scenario = Scenario()
    found = processor().evaluate(classifier(), scenario)
    assert [each.group.name for each in found.groups] == ["conv", "pool", "dense"]
    apart = processor(settings={"fuses": []}).evaluate(classifier(), scenario)
    assert [each.group.name for each in apart.groups] == ["conv", "relu", "pool", "dense"]
    assert apart.latency_seconds > found.latency_seconds  # type: ignore[operator]


def test_the_steps_of_a_loop_each_have_overheads_and_the_call_has_one() -> None:
    bare = by_format(float32="0 s")
    silent = {"overhead_per_operator": bare, "overhead_per_call": bare}
    for steps in (1, 100):
        slow = time_of(processor(), recurrent(steps))
        fast = time_of(processor(parameters=silent), recurrent(steps))
        assert math.isclose(slow - fast, 1e-3 + 3 * steps * 10e-6, rel_tol=1e-9)


def fused(steps: int) -> Workload:
    whole = recurrent(steps)
    (loop,) = whole.steps
    return evolve(whole, steps=[evolve(loop, fused=True)])


@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_a_recurrent_layer_that_is_one_operator_has_one_overhead(*, is_asynchronous: bool) -> None:
    step = {"overhead_per_step": {"value": "2 us", **GIVEN}}
    bare = by_format(float32="0 s")
    silent = {"overhead_per_operator": bare, "overhead_per_call": bare}
    for steps in (1, 100):
        one = evolve(processor(parameters=step), asynchronous=is_asynchronous)
        found = one.evaluate(fused(steps), Scenario())
        assert found.latency_seconds is not None
        work = time_of(processor(parameters=silent), recurrent(steps))
        overhead = 10e-6 + steps * 2e-6
        assert math.isclose(found.latency_seconds, 1e-3 + overhead + work, rel_tol=1e-9)
        assert math.isclose(found.groups[0].busy_seconds["overhead"], overhead, rel_tol=1e-9)
        # Any other loop, and a runtime without such an operator, run each operator by itself.
        apart = time_of(processor(parameters=step), recurrent(steps))
        assert apart == time_of(processor(), fused(steps))
        assert apart == time_of(processor(), recurrent(steps))


def test_weights_are_read_at_the_bandwidth_at_most() -> None:
    cached = {"contraction_bandwidth_efficiency": by_format(float32=4.0)}
    weights, rest = 4 * 4096 * 4096, 4 * 2 * 4096
    expected = 1e-3 + 10e-6 + weights / 100e9 + rest / (100e9 * 4.0)
    assert math.isclose(time_of(processor(parameters=cached), VECTOR), expected, rel_tol=1e-12)


@pytest.mark.parametrize("workload", [SQUARE, VECTOR, DEPTHWISE], ids=["square", "vector", "depth"])
@pytest.mark.parametrize("overhead", [1e-6, 1e-4, 1e-2])
def test_an_asynchronous_operator_takes_its_launch_or_its_work(
    workload: Workload, overhead: float
) -> None:
    figures = {"overhead_per_operator": by_format(float32=f"{overhead} s")}
    waits = processor(parameters=figures)
    queues = evolve(waits, asynchronous=True)
    call = 1e-3
    work = time_of(waits, workload) - overhead - call
    assert time_of(queues, workload) == near(max(work, overhead) + call, rel=1e-6)


def test_a_core_that_does_not_overlap_traffic_takes_it_after_the_arithmetic() -> None:
    overlaps = processor()
    in_order = evolve(overlaps, overlap_traffic=False)
    moved = 4 * 3 * 512**2
    traffic = moved / (100e9 * 0.8)
    assert time_of(in_order, SQUARE) == near(time_of(overlaps, SQUARE) + traffic, rel=1e-9)
    assert time_of(in_order, DEPTHWISE) == near(time_of(overlaps, DEPTHWISE), rel=1e-9)


def test_a_format_that_a_runtime_has_no_operators_for_has_no_price() -> None:
    device = processor(settings={"unsupported_formats": ["int8"]})
    answer = device.price(matmul((8, 8), (8, 8)), Scenario(default_format="int8"))
    assert isinstance(answer, Unpriced)
    assert "cannot run contraction operators in int8" in answer.reason
    assert "it runs float32 (" in answer.reason
    assert isinstance(device.price(matmul((8, 8), (8, 8))), Cost)


def test_a_format_without_operators_names_the_runtimes_that_have_them() -> None:
    without = {"unsupported_formats": ["int8"]}
    runtimes = {
        "default": "eager",
        "eager": {"settings": without},
        "engine": {},
        "other": {"settings": without},
    }
    answer = processor(runtimes=runtimes).price(
        matmul((8, 8), (8, 8)), Scenario(default_format="int8")
    )
    assert isinstance(answer, Unpriced)
    assert answer.reason.endswith("; -d round:NAME chooses a runtime that does: engine")
    moving = {"unsupported": ["contraction"]}
    runtimes = {"default": "eager", "eager": {"settings": without}, "other": {"settings": moving}}
    answer = processor(runtimes=runtimes).price(
        matmul((8, 8), (8, 8)), Scenario(default_format="int8")
    )
    assert isinstance(answer, Unpriced)
    assert "chooses" not in answer.reason


def test_the_overhead_of_a_call_counts_among_what_limits() -> None:
    call = {"overhead_per_call": by_format(float32="2 ms")}
    device = processor(parameters=call)
    work = time_of(device, VECTOR) - 2e-3
    assert 0 < work < 2e-3
    found = device.evaluate(VECTOR)
    assert max(found.busy_seconds, key=lambda name: found.busy_seconds[name]) == "dram"
    assert found.limiting_resource == "overhead"
    call = {"overhead_per_call": by_format(float32="1 us")}
    assert processor(parameters=call).evaluate(VECTOR).limiting_resource == "dram"


def test_energy_is_the_power_over_the_time() -> None:
    found = processor().evaluate(SQUARE)
    assert math.isclose(found.energy_joules, 10 * found.latency_seconds, rel_tol=1e-12)  # type: ignore[operator]
    assert math.isclose(found.average_power_watts or 0, 10, rel_tol=1e-12)


def test_idle_power_is_a_part_of_the_busy_power() -> None:
    idle = {"idle_power": {"value": "4 W", **GIVEN}}
    found = processor(parameters=idle).evaluate(SQUARE)
    names = {charge.unit_cost.name: charge.energy_joules for charge in found.static.charges}
    assert len(names) == 2
    whole = processor().evaluate(SQUARE)
    assert math.isclose(sum(names.values()), whole.energy_joules, rel_tol=1e-12)


def test_without_a_power_the_energy_is_not_known_and_the_time_is() -> None:
    raw = file()
    del raw["parameters"]["busy_power"]
    device = load_device(json.dumps(raw).encode(), "round.yaml", {"processor": Processor})
    found = device.evaluate(SQUARE)
    assert "no power of 'round' is known" in found.unpriced["static"]
    assert not found.is_complete
    assert found.is_priced
    assert found.latency_seconds == processor().evaluate(SQUARE).latency_seconds


@pytest.mark.parametrize(
    ("asked", "rate"),
    [("float32", 1e12), ("int8", 4e12), ("uint8", 4e12), ("int4", 4e12), ("float16", 1e12)],
)
def test_a_format_without_a_rate_runs_at_the_next_wider_one_of_its_kind(
    asked: str, rate: float
) -> None:
    device = processor(parameters={"efficiency": by_format(float32=1.0)})
    work = device.price(matmul((512, 512), (512, 512)), Scenario(default_format=asked))
    assert isinstance(work, Cost)
    (arithmetic,) = [one for one in work.durations if one.resource == "arithmetic"]
    assert math.isclose(arithmetic.seconds, 2 * 512**3 / rate, rel_tol=1e-12)


@pytest.mark.parametrize(("narrow", "wide"), [("float16", "float32"), ("int4", "int8")])
@pytest.mark.parametrize("workload", [SQUARE, VECTOR, DEPTHWISE], ids=["dense", "vector", "moved"])
def test_a_format_without_arithmetic_is_stored_in_the_one_that_it_runs_in(
    narrow: str, wide: str, workload: Workload
) -> None:
    found, plain = (
        processor().evaluate(workload, Scenario(default_format=one)) for one in (narrow, wide)
    )
    assert found.latency_seconds == plain.latency_seconds
    assert found.traffic_bytes == plain.traffic_bytes
    assert found.weight_bytes < plain.weight_bytes


def test_a_runtime_that_keeps_tensors_narrow_saves_their_traffic() -> None:
    device = processor(settings={"keeps_narrow": True})
    half, whole = (time_of(device, VECTOR, default_format=one) for one in ("float16", "float32"))
    assert math.isclose(half - 1.01e-3, (whole - 1.01e-3) / 2, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("activations", "moved_bits"), [("int8", 8), ("float32", 32), ("float16", 32)]
)
def test_weights_that_alone_are_narrow_stay_narrow(activations: str, moved_bits: int) -> None:
    """The saving of weight-only formats is real: it does not need arithmetic in their format."""
    device = processor(
        parameters={"contraction_bandwidth_efficiency": by_format(float32=1.0, int8=1.0)}
    )
    read, weights = (parse_format(one) for one in (activations, "int4"))
    product = matmul(Tensor((1, 4096), read), Tensor((4096, 4096), weights), output=(1, 4096))
    tensors = dict(zip("xwy", [one.tensor for one in product.operands], strict=True))
    workload = Workload("it", tensors, [Node("it", product, ("x", "w", "y"))], ["x"], ["y"], ["w"])
    bits = 4096**2 * 4 + 2 * 4096 * moved_bits
    found = time_of(device, workload, default_format=activations)
    assert math.isclose(found, 1.01e-3 + bits / 8 / 100e9, rel_tol=1e-12)


def test_a_format_that_nobody_would_use_is_not_run_in_a_wider_one() -> None:
    device = processor(settings={"unsupported_formats": ["float16"]})
    assert device.computes_in(parse_format("float16")) is None
    answer = device.price(matmul((8, 8), (8, 8)), Scenario(default_format="float16"))
    assert isinstance(answer, Unpriced)
    assert "cannot run contraction operators in float16" in answer.reason


TF32 = {"tf32_rate": {"value": "8 TFLOP/s", **GIVEN}}
CONVOLUTION = alone(conv((1, 64, 56, 56), (64, 64, 1, 1)), "x", "w", "y")


@pytest.mark.parametrize("number", ["float32", "int8"])
@pytest.mark.parametrize(
    ("rounds", "of_convolutions", "of_products"),
    [("none", 1, 1), ("convolutions", 8, 1), ("all", 8, 8)],
)
def test_products_of_float32_run_at_the_rate_of_tf32_where_the_runtime_rounds_them(
    rounds: str, of_convolutions: int, of_products: int, number: str
) -> None:
    device = processor(parameters=TF32, settings={"tf32": rounds})
    plain = processor()
    for workload, faster in ((CONVOLUTION, of_convolutions), (SQUARE, of_products)):
        scenario = Scenario(default_format=number)
        busy, before = (one.evaluate(workload, scenario) for one in (device, plain))
        ratio = before.busy_seconds["arithmetic"] / busy.busy_seconds["arithmetic"]
        assert math.isclose(ratio, faster if number == "float32" else 1, rel_tol=1e-12)
        assert busy.traffic_bytes == before.traffic_bytes


def test_products_are_not_rounded_to_a_format_without_a_rate() -> None:
    with pytest.raises(DeviceFileError, match="expected none, as there is no tf32_rate; found all"):
        processor(settings={"tf32": "all"})


def test_a_format_that_is_too_wide_has_no_price() -> None:
    only_int8 = {"peak_rate": by_format(int8="4 TOP/s")}
    answer = processor(parameters=only_int8).price(matmul((8, 8), (8, 8)))
    assert isinstance(answer, Unpriced)
    assert "cannot run contraction operators in float32" in answer.reason


def test_a_host_takes_what_the_device_cannot_run() -> None:
    helped = {
        "peak_rate": by_format(int8="4 TOP/s"),
        "host_rate": {"value": "10 GOP/s", **GIVEN},
        "transfer_bandwidth": {"value": "1 GB/s", **GIVEN},
    }
    device = processor(parameters=helped, settings={"unsupported": ["softmax"]})
    cost = device.price(matmul((8, 16), (16, 4)))
    assert isinstance(cost, Cost)
    times = {(one.resource, one.phase): one.seconds for one in cost.durations}
    assert times["transfer", "start"] == pytest.approx(8 * 16 * 4 / 1e9, abs=0)
    assert times["host", "run"] == pytest.approx(2 * 8 * 16 * 4 / 10e9, abs=0)
    assert times["transfer", "finish"] == pytest.approx(8 * 4 * 4 / 1e9, abs=0)


def test_an_operator_that_is_not_supported_has_no_price_without_a_host() -> None:
    device = processor(settings={"unsupported": ["activation"]})
    answer = device.price(activation("tanh", (4, 4)))
    assert isinstance(answer, Unpriced)
    assert "cannot run activation operators" in answer.reason


def test_sums_as_narrow_as_the_operands_are_faster_on_request() -> None:
    faster = {
        "peak_rate": by_format(float32="1 TFLOP/s", float16="2 TFLOP/s"),
        "fast_accumulation_rate": by_format(float16="4 TFLOP/s"),
    }
    slow = processor(parameters=faster)
    half = {"default_format": "float16"}
    quick = evolve(slow, fast_accumulation=True)
    assert time_of(quick, SQUARE, **half) < time_of(slow, SQUARE, **half)
    assert time_of(quick, SQUARE) == time_of(slow, SQUARE)


# ------------------------------------------------------------------ laws

PATHS = st.sampled_from([SQUARE, VECTOR, DEPTHWISE, classifier()])
FACTORS = st.floats(1.0, 100.0)


def evaluated(device: Processor, workload: Workload, batch: int = 1) -> DeviceEstimate:
    return device.evaluate(workload, Scenario(batch=batch if BATCH in workload.symbols else 1))


@given(PATHS, FACTORS, st.integers(1, 64))
def test_a_better_processor_is_never_slower(workload: Workload, factor: float, batch: int) -> None:
    usual = evaluated(processor(), workload, batch).latency_seconds
    for better in (
        {"dram.bandwidth": f"{100 * factor} GB/s"},
        {"peak_rate.float32": f"{factor} TFLOP/s"},
        {"efficiency.float32": 0.5 * factor},
        {"bandwidth_efficiency.float32": 0.4 * factor},
        {"overhead_per_operator.float32": f"{10 / factor} us"},
        {"overhead_per_call.float32": f"{1 / factor} ms"},
    ):
        device = processor().with_parameters(**better)
        assert isinstance(device, Processor)
        assert evaluated(device, workload, batch).latency_seconds <= usual  # type: ignore[operator]


@given(st.integers(1, 512))
def test_a_larger_batch_takes_longer_and_each_example_less(batch: int) -> None:
    one, more = (
        evaluated(processor(), classifier(), size).latency_seconds for size in (batch, batch + 1)
    )
    assert one is not None
    assert more is not None
    assert more >= one
    assert more / (batch + 1) <= one / batch


# ------------------------------------------------------------------ runtimes and mistakes


RUNTIMES = {
    "default": "measured",
    "measured": {
        "known": "5% median error",
        "parameters": {"overhead_per_call": by_format(float32="2 ms")},
        "residuals": [
            {"low": 0.9, "high": 1.2, "batch": [1, 4], "formats": ["float32"], **GIVEN},
            {"low": 0.8, "high": 1.5, "formats": ["float16"], **GIVEN},
            {"low": 0.2, "high": 5, **GIVEN},
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("scenario", "low", "high"),
    [
        (Scenario(batch=4), 0.9, 1.2),
        (Scenario(batch=5), 0.2, 5.0),
        (Scenario(default_format="float16", batch=5), 0.8, 1.5),
        (Scenario(default_format="int8"), 0.2, 5.0),
    ],
    ids=["measured", "another batch", "of its own format", "another format"],
)
def test_conditions_that_nobody_measured_have_a_wider_range(
    scenario: Scenario, low: float, high: float
) -> None:
    device = processor(runtimes=RUNTIMES)
    assert device.known == "5% median error"
    cost = device.evaluate(classifier(), scenario).cost
    assert cost.latency_seconds_low == pytest.approx(cost.latency_seconds * low, rel=1e-12, abs=0)
    assert cost.latency_seconds_high == pytest.approx(cost.latency_seconds * high, rel=1e-12, abs=0)


@pytest.mark.parametrize(("shortest", "low"), [("1 ms", 0.9), ("10 s", 0.2)])
def test_a_time_below_all_measured_ones_has_a_wider_range(shortest: str, low: float) -> None:
    measured = RUNTIMES["measured"]
    first, *others = measured["residuals"]  # type: ignore[index]
    residuals = [{**first, "shortest": shortest}, *others]
    runtimes = {**RUNTIMES, "measured": {**measured, "residuals": residuals}}  # type: ignore[dict-item]
    found = processor(runtimes=runtimes).evaluate(classifier(), Scenario())
    assert found.cost.latency_seconds_low == near(found.cost.latency_seconds * low)
    assert found.residual is not None
    assert found.residual.low == low


@pytest.mark.parametrize(
    ("residual", "expected"),
    [
        ({"shortest": {"float32": "3 ms"}}, "residuals[0].shortest: "),
        ({"shortest": "3 J"}, "residuals[0].shortest: expected a quantity in s"),
        ({"shortest": "0 s"}, "residuals[0].shortest is 0.0; expected a finite number above 0"),
        ({"batch": [4, 1]}, "batch is [4, 1]; expected the least first"),
        ({"batch": 4}, "the least and the largest, whole numbers from 1, such as [1, 64]"),
        ({"batch": [0, 4]}, "batch is [0, 4]; expected the least and the largest"),
        ({"formats": "int8"}, "formats: expected numeric formats, such as [float16, int8]"),
        ({"formats": ["intt8"]}, "'intt8' is not a numeric format"),
        ({"otherwise": {"low": 1}}, "residuals[0]: 'otherwise' is not known"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_a_wrong_condition_of_a_residual_is_reported(
    residual: dict[str, Any], expected: str
) -> None:
    last = {"low": 0.2, "high": 5, **GIVEN}
    first = {"low": 0.9, "high": 1.1, **GIVEN, **residual}
    runtime = {"parameters": {}, "residuals": [first, last]}
    with pytest.raises(DeviceFileError) as described:
        processor(runtimes={"mine": runtime})
    assert expected in str(described.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"fuses": ["activations"]}, "expected names among activation, addition, bias"),
        ({"fuses": 3}, "expected names among activation, addition, bias, padding, found 3"),
        ({"folds_normalization": "maybe"}, "expected true or false, found 'maybe'"),
        ({"unsupported": ["conv"]}, "expected names among contraction, activation"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_a_wrong_setting_is_reported(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(DeviceFileError) as described:
        processor(settings=settings)
    assert expected in str(described.value)


def test_a_setting_of_several_names_is_given_with_commas() -> None:
    device = processor().with_parameters(fuses="bias,padding")
    assert device.settings["fuses"] == ("bias", "padding")
    with pytest.raises(CostModelError, match="expected names among"):
        processor().with_parameters(fuses="bias,paddings")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"memories": []}, "memories: expected one with a bandwidth"),
        (
            {"memories": [{"name": "dram", "size": "1 GB", **GIVEN}]},
            "expected one with a bandwidth",
        ),
        (
            {"parameters": {"idle_power": {"value": "20 W", **GIVEN}}},
            "idle_power: expected at most busy_power, 10 W; found 20 W",
        ),
        (
            {"memories": [{"name": "board", "bandwidth": "1 GB/s", **GIVEN}]},
            "memory 'board' is called as a resource",
        ),
    ],
    ids=["no memory", "no bandwidth", "idle power", "a resource"],
)
def test_figures_that_do_not_fit_together_are_mistakes_of_the_file(
    changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(DeviceFileError) as described:
        processor(**changes)
    assert expected in str(described.value)


def test_a_rate_of_powers_of_two_is_that_of_nothing_else() -> None:
    rates = by_format(**{"po2<4>": "8 TOP/s", "ternary": "9 TOP/s", "int8": "4 TOP/s"})
    device = processor(parameters={"peak_rate": rates, "efficiency": by_format(int8=1.0)})
    work = device.price(matmul((512, 512), (512, 512)), Scenario(default_format="int4"))
    assert isinstance(work, Cost)
    (arithmetic,) = [one for one in work.durations if one.resource == "arithmetic"]
    assert math.isclose(arithmetic.seconds, 2 * 512**3 / 4e12, rel_tol=1e-12)


def test_an_unknown_energy_is_not_a_zero_anywhere(tmp_path: Any) -> None:
    raw = file()
    del raw["parameters"]["busy_power"]
    path = tmp_path / "round.yaml"
    path.write_text(json.dumps(raw))
    model = "examples/vgg9.json"
    found = json.loads(good("estimate", model, "-d", path, "--format", "json"))["devices"]["round"]
    assert found["energy_joules"] is None
    assert found["energy_joules_per_inference"] is None
    assert found["latency_seconds"]["high"] is not None
    assert "no power of 'round' is known" in found["unknown_energy"]
    assert all(one["energy_joules"] is None for one in found["layers"] if one["status"] == "priced")
    assert "no power of 'round' is known" in good("estimate", model, "-d", path)
    assert "0 J" not in good("explain", model, "dense", "-d", path)
