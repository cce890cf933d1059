"""Runtimes of a device: files, the choice of one, and the range of time that they bring."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import console
import pytest
import yaml
from attrs import evolve
from console import DENSE
from figures import near
from format_tables import EFFICIENCY, FAMILIES, RUNTIMES, WITH_RUNTIMES, Rated, load
from hypothesis import given
from hypothesis import strategies as st
from plans import figure, sheet
from workloads import classifier, recurrent
from worlds import REGISTRY

from costmodel.devicefile import load_device
from costmodel.devices import Evidence, Residual, Runtime, Schedule
from costmodel.errors import DeviceFileError, UnknownNameError
from costmodel.testing.devices import as_file


def values(device: Any) -> tuple[Any, ...]:
    """What the runtimes of the file change, and what they do not."""
    share = None if device.efficiency is None else device.efficiency.value
    return device.runtime, share, device.layout, device.energy.value


def test_a_device_has_the_values_of_the_default_runtime() -> None:
    device = load(WITH_RUNTIMES)
    assert values(device) == ("tflite", 0.8, "nhwc", 1e-12)
    assert device.runtimes == ("tflite", "onnx")
    assert device.efficiency.source == "A benchmark"
    residual = Residual(0.8, 1.5, source="A benchmark", evidence=Evidence.MEASURED)
    assert device.residuals == (residual,)


def test_another_runtime_replaces_what_the_first_replaced() -> None:
    device = load(WITH_RUNTIMES)
    other = device.with_runtime("onnx")
    assert values(other) == ("onnx", 0.5, "nchw", 1e-12)
    assert other.residuals == ()
    assert other.with_runtime("tflite") == device
    assert device.with_runtime("tflite") == device
    assert hash(other) != hash(device)
    assert copy.deepcopy(other) == other


def test_without_a_default_the_values_of_the_file_hold() -> None:
    device = load(WITH_RUNTIMES.replace("  default: tflite\n", ""))
    assert values(device) == (None, None, "nchw", 1e-12)
    assert device.residuals == ()
    assert values(device.with_runtime("tflite")) == ("tflite", 0.8, "nhwc", 1e-12)
    assert device.with_runtime("tflite").with_runtime("onnx").layout == "nchw"


def test_a_device_without_runtimes_has_none() -> None:
    device = load()
    assert (device.runtime, device.runtimes, device.residuals) == (None, (), ())
    with pytest.raises(UnknownNameError, match="unknown runtime 'tflite'"):
        device.with_runtime("tflite")


def test_a_table_of_a_runtime_replaces_the_whole_table() -> None:
    table = "peak_rate: {int4: {value: 9 TOP/s, source: sheet, evidence: vendor}}"
    text = WITH_RUNTIMES.replace(f"{{{EFFICIENCY}}}", f"{{{EFFICIENCY}, {table}}}")
    device = load(text)
    assert list(device.peak_rate.figures) == ["peak_rate.int4"]
    assert list(device.with_runtime("onnx").peak_rate.figures) == [
        "peak_rate.float16", "peak_rate.int8",
    ]  # fmt: skip


def test_a_runtime_may_have_memories_of_its_own() -> None:
    npu = REGISTRY.device("ethos-u55-128")
    assert [one.name for one in npu.memories] == ["sram", "flash"]
    alone = npu.with_runtime("high-end-embedded-sram-only")
    assert [one.name for one in alone.memories] == ["sram"]
    assert alone.with_runtime("high-end-embedded-shared-sram") == npu


@pytest.mark.parametrize(
    ("memories", "message"),
    [
        ("[{name: sram, holds: [input, output]}]",
         "runtimes.sole.memories: expected one that holds weight, found none"),
        ("{name: sram}", "runtimes.sole.memories: expected a list of memories from the innermost"),
        ("[{name: sram, sise: 1 MB}]", "runtimes.sole.memories.0.: 'sise' is not known; nearest"),
    ],
)  # fmt: skip
def test_mistakes_in_the_memories_of_a_runtime_are_named(memories: str, message: str) -> None:
    npu = REGISTRY.device("raspberry-pi-4")
    raw = as_file(npu)
    runtime = next(name for name in raw["runtimes"] if name != "default")
    raw["runtimes"] = {"default": "sole", "sole": raw["runtimes"][runtime]}
    raw["runtimes"]["sole"]["memories"] = yaml.safe_load(memories)
    family = type(npu)
    with pytest.raises(DeviceFileError) as caught:
        load_device(json.dumps(raw).encode(), "a.yaml", {family.family: family})
    assert any(re.search(message, said) for said in caught.value.mistakes), caught.value.mistakes


def test_what_a_class_needs_may_stand_in_the_runtimes_alone() -> None:
    text = WITH_RUNTIMES.replace("class: rated", "class: efficient")
    assert load(text).efficiency.value == 0.8
    assert load(text).with_runtime("onnx").efficiency.value == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(f"    parameters: {{{EFFICIENCY}}}\n", "")],
         "runtimes.tflite.parameters.efficiency: missing, 'efficient' needs it, here or in param"),
        ([("  default: tflite\n", "")],
         "parameters.efficiency: missing, 'efficient' needs it, as no runtime is the default"),
        ([(RUNTIMES, "")], "parameters.efficiency: missing, 'efficient' needs it$"),
        ([(RUNTIMES, "runtimes: {default: a, a: {}, b: {}}\n")],
         "parameters.efficiency: missing, 'efficient' needs it$"),
    ],
)  # fmt: skip
def test_what_a_class_needs_is_missing_where_a_runtime_lacks_it(
    changes: list[tuple[str, str]], message: str
) -> None:
    text = WITH_RUNTIMES.replace("class: rated", "class: efficient")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(DeviceFileError) as caught:
        load(text)
    (said,) = caught.value.mistakes
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (RUNTIMES, "runtimes: tflite\n", "runtimes: expected a mapping, found 'tflite'"),
        (RUNTIMES, "runtimes: {default: tflite}\n", "runtimes: expected a runtime, such as"),
        (RUNTIMES, "runtimes: {tflite: fast}\n",
         "tflite: expected a mapping with parameters, settings or residuals, found 'fast'"),
        (RUNTIMES, "runtimes: {two words: {}}\n", "runtimes: expected a word .*'two words'"),
        (RUNTIMES, "runtimes: {7: {}}\n", "runtimes: expected a word such as tflite .*found 7"),
        ("default: tflite", "default: tflit",
         "runtimes.default: 'tflit' is not known; nearest 'tflite'"),
        ("default: tflite", "default: [tflite]", "runtimes.default: expected text, found"),
        ("default: tflite", "default:", "runtimes.default: expected text, found None"),
        ("    settings:", "    setings:", "runtimes.tflite: 'setings' is not known; nearest 'sett"),
        ("layout: nhwc", "layout: nwhc", "runtimes.tflite.settings.layout: expected one of nchw"),
        ("layout: nhwc", "layuot: nhwc", "runtimes.tflite.settings: 'layuot' is not known"),
        ("settings: {layout: nhwc}", "settings: nhwc", "runtimes.tflite.settings: expected a map"),
        ("value: 80 %", "value: 80 J", "runtimes.tflite.parameters.efficiency.value: expected a n"),
        ("value: 80 %", "value: 0 %", "runtimes.tflite.parameters.efficiency.value: .* above 0"),
        (EFFICIENCY, EFFICIENCY.replace("efficiency", "efficency"),
         "runtimes.tflite.parameters: 'efficency' is not known; nearest 'efficiency'"),
        ("residuals: [{low: 0.8, high: 150 %", "residuals: [{low: 0.8, hihg: 150 %",
         "tflite.residuals.0.: 'hihg' is not known; nearest 'high'"),
        ("residuals: [{low: 0.8, high: 150 %", "residuals: [{high: 150 %",
         "tflite.residuals.0..low: missing"),
        ("low: 0.8", "low: 0", "tflite.residuals.0..low: expected a number above 0, found 0"),
        ("low: 0.8", "low: -1", "tflite.residuals.0..low: expected a value that is not neg"),
        ("low: 0.8", "low: 2", "tflite.residuals.0..high: expected at least low, 2, found"),
        ("low: 0.8", "low: 1 s", "tflite.residuals.0..low: expected a number without a unit"),
        ("low: 0.8", "low: [1]", "tflite.residuals.0..low: .* is not a quantity"),
        ("high: 150 %, source: bench", "high: 2, source: bnch",
         "tflite.residuals.0..source: 'bnch' is not known; nearest 'bench'"),
        ("source: bench, evidence: measured}]\n  onnx", "source: bench, evidence: seen}]\n  onnx",
         "tflite.residuals.0..evidence: expected one of measured, .*found 'seen'"),
        ("    residuals: [{low: 0.8, high: 150 %, source: bench, evidence: measured}]\n",
         "    residuals: 0.8\n", "runtimes.tflite.residuals: expected a list of measured over"),
        ("residuals: [{low: 0.8", "residuals: [3, {low: 0.8",
         "tflite.residuals.0.: expected measured over predicted times, .* found 3"),
        ("residuals: [{", "residuals: [{low: 1, high: 2, source: bench, evidence: measured}, {",
         "tflite.residuals.0.: expected batch, formats or shortest, as others follow it"),
        ("residuals: [{low", "residuals: [{formats: [int8], low",
         "tflite.residuals: expected one without batch, formats and shortest at the end"),
        ("residuals: [{low: 0.8, high: 150 %, source: bench, evidence: measured}]", "residuals: []",
         "tflite.residuals: expected a list of measured over predicted times, .* found \\[\\]"),
        ("high: 150 %, source: bench", "high: 2", "tflite.residuals.0..source: missing"),
    ],
)  # fmt: skip
def test_one_change_of_a_runtime_makes_a_clear_mistake(old: str, new: str, message: str) -> None:
    assert old in WITH_RUNTIMES
    with pytest.raises(DeviceFileError, match=message):
        load(WITH_RUNTIMES.replace(old, new, 1))


def test_all_mistakes_of_the_runtimes_are_reported_at_once() -> None:
    text = WITH_RUNTIMES.replace("value: 80 %", "value: much").replace("low: 0.8", "low: 0")
    with pytest.raises(DeviceFileError) as caught:
        load(text.replace("default: tflite", "default: none").replace("value: 1 pJ", "value: 1"))
    said = "\n".join(caught.value.mistakes)
    for place in (
        "parameters.energy.value", "runtimes.tflite.parameters.efficiency.value",
        "runtimes.tflite.residuals[0].low", "runtimes.default: 'none' is not known",
    ):  # fmt: skip
        assert place in said
    assert len(caught.value.mistakes) == 4


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"runtime": "none"}, ValueError, "runtime 'none' is not among its runtimes: tflite, onnx"),
        ({"runtimes": [3]}, TypeError, "expected runtimes, such as .* found 3"),
        ({"runtimes": [Runtime("a"), Runtime("a")]}, ValueError, "runtime 'a' is given twice"),
    ],
)
def test_runtimes_that_cannot_be_are_refused(changes: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        evolve(load(WITH_RUNTIMES), **changes)


@pytest.mark.parametrize(
    ("ends", "error", "message"),
    [
        ((0, 1), ValueError, "low is 0; expected a finite number above 0"),
        ((1, float("inf")), ValueError, "high is inf; expected a finite number above 0"),
        ((2, 1), ValueError, "expected low <= high, found 2, 1"),
        (("1", 2), TypeError, "low is '1'; expected a number"),
        ((True, 2), TypeError, "low is True; expected a number"),
    ],
)
def test_a_residual_that_cannot_be_is_refused(ends: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        Residual(*ends)


# ------------------------------------------------------------------ choosing one


def test_a_call_chooses_a_runtime_before_it_changes_numbers() -> None:
    device = load(WITH_RUNTIMES).with_parameters(efficiency="0.25", runtime="onnx")
    assert values(device) == ("onnx", 0.25, "nchw", 1e-12)
    with pytest.raises(UnknownNameError, match="nearest known: 'onnx'"):
        device.with_parameters(runtime="onxn")


@pytest.fixture
def npu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The device, as the command line finds it."""
    made = load(WITH_RUNTIMES)
    monkeypatch.setattr("costmodel.registry.Registry._named", lambda *_: made)
    return made


@pytest.mark.usefixtures("npu")
def test_the_command_line_chooses_a_runtime() -> None:
    shown = [
        console.good(
            "estimate", DENSE, "-d", "npu", "--default-format", "int8", "--format", "json",
            *[f"--set=npu.runtime={name}" for name in names],
        )
        for names in ([], ["tflite"], ["onnx"])
    ]  # fmt: skip
    devices = [json.loads(text)["devices"]["npu"] for text in shown]
    assert [each["runtime"] for each in devices] == ["tflite", "tflite", "onnx"]
    first, second, other = [each["latency_seconds"] for each in devices]
    assert first == second
    assert other["value"] == near(first["value"] * 0.8 / 0.5)
    assert first["low"] == near(first["value"] * 0.8)
    assert other["low"] == other["value"]


@pytest.mark.usefixtures("npu")
def test_a_table_says_under_which_runtime_its_numbers_hold() -> None:
    arguments = ["estimate", DENSE, "-d", "npu", "--default-format", "int8"]
    assert "set on npu: runtime tflite\n" in console.good(*arguments)
    changed = console.good(*arguments, "--set", "npu.layout=nchw")
    assert "set on npu: runtime tflite; layout nchw\n" in changed
    assert "set on npu: runtime onnx" in console.good(*arguments, "--set", "npu.runtime=onnx")


@pytest.mark.usefixtures("npu")
def test_a_runtime_that_is_not_there_is_reported_with_those_that_are() -> None:
    done = console.run("estimate", DENSE, "-d", "npu", "--set", "npu.runtime=tflit")
    assert done.exit_code == 2
    for words in ("unknown runtime 'tflit'", "nearest known: 'tflite'", "known: onnx, tflite"):
        assert words in done.stderr


@pytest.mark.usefixtures("npu")
def test_a_device_is_shown_with_its_runtimes() -> None:
    shown = " ".join(console.good("devices", "show", "npu").split())
    assert "runtime tflite" in shown
    assert "runtimes tflite, onnx; choose with -d npu:NAME, or several side by side" in shown
    assert "residuals measured times are of these 0.8 to 1.5" in shown


# ------------------------------------------------------------------ time


def with_residual(low: float, high: float, **changes: Any) -> Any:
    runtime = Runtime("only", residuals=(Residual(low, high),))
    return evolve(sheet(), runtimes=[runtime], runtime="only", **changes)


@given(st.floats(0.01, 100), st.floats(1, 10))
def test_the_range_of_the_latency_is_as_wide_as_measured_times_spread(
    low: float, ratio: float
) -> None:
    plain = sheet().evaluate(classifier()).cost
    spread = with_residual(low, low * ratio).evaluate(classifier()).cost
    assert spread.latency_seconds == plain.latency_seconds
    assert spread.latency_seconds_low == near(
        min(plain.latency_seconds_low * low, plain.latency_seconds)  # type: ignore[operator]  # the device is timed
    )
    assert spread.latency_seconds_high == near(
        max(plain.latency_seconds_high * low * ratio, plain.latency_seconds)  # type: ignore[operator]  # as before
    )


def test_measured_times_spread_once_whatever_loops_a_workload_has() -> None:
    for memories in (sheet().memories, ()):
        work = recurrent(5)
        plain = evolve(sheet(), memories=memories).evaluate(work).cost
        spread = with_residual(0.5, 2.0, memories=memories).evaluate(work).cost
        assert spread.latency_seconds_low == near(plain.latency_seconds_low * 0.5)  # type: ignore[operator]  # the device is timed
        assert spread.latency_seconds_high == near(plain.latency_seconds_high * 2.0)  # type: ignore[operator]  # as before
        assert spread.energy_joules == plain.energy_joules


def test_a_time_that_is_not_known_has_no_range() -> None:
    assert Schedule((), None).spread(Residual(0.5, 2.0)) == Schedule((), None)


# ------------------------------------------------------------------ the kit


@pytest.mark.parametrize("default", ["  default: tflite\n", "  default: onnx\n", ""])
def test_a_device_with_runtimes_is_the_same_after_it_is_written(default: str) -> None:
    device = load(WITH_RUNTIMES.replace("  default: tflite\n", default))
    again = load_device(json.dumps(as_file(device)).encode(), "npu.yaml", FAMILIES)
    for name in (None, *device.runtimes):
        one, other = (each if name is None else each.with_runtime(name) for each in (device, again))
        assert values(one) == values(other)
        assert one.parameters == other.parameters
        assert one.residuals == other.residuals


def test_what_a_caller_changed_of_a_runtime_is_written() -> None:
    device = load(WITH_RUNTIMES).with_parameters(efficiency="0.25")
    again = load_device(json.dumps(as_file(device)).encode(), "npu.yaml", FAMILIES)
    assert values(again) == ("tflite", 0.25, "nhwc", 1e-12)
    assert isinstance(again, Rated)


def test_a_static_energy_has_the_range_of_the_spread_time() -> None:
    schedule = sheet().evaluate(classifier()).schedule.spread(Residual(0.5, 2.0))
    charge = schedule.drawn(figure("idle", 3.0, "W"), "chip")
    assert schedule.makespan is not None
    assert charge.energy_joules_low == near(3.0 * schedule.makespan.low)
    assert charge.energy_joules_high == near(6.0 * schedule.makespan.high)


@pytest.mark.parametrize(
    ("changes", "is_wide"),
    [
        ({"peak_rate.float32": "60 GOP/s"}, True), ({"dram.bandwidth": "8 GB/s"}, True),
        ({"busy_power": "6 W"}, False), ({}, False),
    ],
    ids=["peak", "bandwidth", "power", "nothing"],
)  # fmt: skip
def test_a_changed_figure_widens_the_range_of_measured_times(
    changes: dict[str, str], *, is_wide: bool
) -> None:
    given: Any = changes
    plain = REGISTRY.device("raspberry-pi-4")
    pairs = zip(plain.with_parameters(**given).residuals, plain.residuals, strict=True)
    for residual, before in pairs:
        assert (residual.low <= 0.5 and residual.high >= 2.0) is (is_wide or before.is_for_all)
        assert residual.low <= before.low
        assert residual.high >= before.high
        assert residual.is_for_all is before.is_for_all


@pytest.mark.parametrize("name", ["raspberry-pi-4", "stm32l4r5", "rtx-3090"])
def test_each_runtime_has_its_own_word_and_values(name: str) -> None:
    device = REGISTRY.device(name)
    raw = yaml.safe_load(Path(str(device.file)).read_text())["runtimes"]
    for runtime in device.runtimes:
        chosen = device.with_runtime(runtime)
        assert chosen.known == raw[runtime]["known"]
        assert chosen.runtime_values["efficiency"] == chosen.efficiency  # type: ignore[attr-defined]
    words = {device.with_runtime(one).known for one in device.runtimes}
    assert len(words) > 1
