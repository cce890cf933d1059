"""Parameters in tables by numeric format: files, lookups, changes and the kit."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any, ClassVar

import console
import pytest
import yaml
from attrs import evolve, frozen
from console import DENSE
from format_tables import FAMILIES, GOOD, WITH_RUNTIMES, Rated, load
from hypothesis import given
from hypothesis import strategies as st

import costmodel
from costmodel import Unpriced
from costmodel.devicefile import load_device
from costmodel.devices import Evidence, FormatTable, Parameter, parameter
from costmodel.errors import CostModelError, DeviceFileError, FormatError, UnknownNameError
from costmodel.formats import FixedPoint, PowerOfTwo, parse_format
from costmodel.testing import DeviceContract, strategies
from costmodel.testing.devices import as_file

INT8, FLOAT16 = parse_format("int8"), parse_format("float16")


def figure(value: float = 1.0, unit: str = "OP/s", **ends: float) -> Parameter:
    return Parameter("any", value, unit, "a data sheet", Evidence.VENDOR, **ends)


def test_a_file_gives_a_figure_for_each_format() -> None:
    rates = load().peak_rate
    assert rates.formats == (FLOAT16, INT8)
    assert (rates.name, rates.unit) == ("peak_rate", "OP/s")
    assert (rates[INT8].low, rates[INT8].value, rates[INT8].name) == (3e12, 4e12, "peak_rate.int8")
    assert (rates[FLOAT16].value, rates[FLOAT16].unit) == (2e12, "OP/s")
    assert rates[FLOAT16].note == "with sparsity: twice"
    assert str(rates) == "float16: 2 TOP/s, int8: 4 TOP/s (3 TOP/s to 4 TOP/s)"


def test_the_parameters_of_a_device_hold_each_figure_of_a_table() -> None:
    device = load()
    assert list(device.parameters) == ["energy", "peak_rate.float16", "peak_rate.int8"]
    assert device.parameters["peak_rate.int8"] is device.peak_rate[INT8]
    assert device.cost_per_area is None
    assert Rated.parameter_tables() == {"peak_rate", "cost_per_area"}
    assert Rated.parameter_units()["peak_rate"] == "OP/s"


@pytest.mark.parametrize("text", ["int4", "uint8", "fixed<8,3>", "float32", "binary"])
def test_a_format_that_is_not_in_the_table_is_unpriced_and_never_guessed(text: str) -> None:
    device, number = load(), parse_format(text)
    assert device.peak_rate.get(number) is None
    with pytest.raises(UnknownNameError, match=f"unknown format of 'peak_rate' '{text}"):
        device.peak_rate[number]
    work = costmodel.matmul((4,), (4, 5))
    answer = device.price(work, costmodel.Scenario(default_format=text))
    assert isinstance(answer, Unpriced)
    assert answer.reason.startswith(f"peak_rate is not known for {text}")
    assert answer.reason.endswith("; known for float16, int8")
    known = device.price(work, costmodel.Scenario(default_format="int8"))
    assert known.latency_seconds == 2 * 20 / 4e12


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "block<int4,128,16>"])
def test_a_table_may_have_a_figure_for_elements_in_blocks(name: str) -> None:
    entry = f"    {name}: {{value: 9 TOP/s, source: sheet, evidence: vendor}}\n"
    device = load(GOOD + entry)
    assert device.peak_rate[name].value == 9e12
    cost = device.price(costmodel.matmul((4,), (4, 5)), costmodel.Scenario(default_format=name))
    assert cost.latency_seconds == 2 * 20 / 9e12


def test_a_format_is_looked_up_by_its_name_too() -> None:
    rates = load().peak_rate
    assert rates["int8"] is rates.get("fixed<8,7>") is rates[INT8]
    assert rates.get("int4") is None
    assert "int8" in rates
    assert INT8 in rates
    assert "int4" not in rates
    assert list(rates) == [FLOAT16, INT8]
    assert len(rates) == 2
    with pytest.raises(FormatError, match="'int' is not a numeric format"):
        rates.get("int")


def test_a_format_has_one_entry_whatever_it_is_called() -> None:
    table = FormatTable("rate", {"fixed<8,7>": figure()})
    assert table[INT8].name == "rate.int8"
    assert table == FormatTable("rate", {INT8: figure()})
    assert hash(table) == hash(FormatTable("rate", {FixedPoint(8, 7): figure()}))
    assert evolve(table, name="other")[INT8].name == "other.int8"


def pickled(device: Any) -> Any:
    return pickle.loads(pickle.dumps(device))  # noqa: S301  # the bytes are our own


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_of_a_device_with_a_table_is_equal_to_it(how: Any) -> None:
    device = load()
    assert how(device) == device
    assert hash(how(device)) == hash(device)
    assert how(device).peak_rate.get(INT8) == device.peak_rate[INT8]


@pytest.mark.parametrize(
    ("given_", "error", "message"),
    [
        ({}, ValueError, "rate: expected figures by format, .* found none"),
        ({"int": figure()}, FormatError, "'int' is not a numeric format"),
        ({8: figure()}, TypeError, "rate: expected a numeric format such as int8, found 8"),
        ({"int8": 3}, TypeError, "rate.int8: expected a Parameter, found 3"),
        ({"int8": figure(), "fixed<8,7>": figure()}, ValueError, "rate: 'int8' is given twice"),
        (
            {"int8": figure(), "int4": figure(unit="J")}, ValueError,
            "rate: expected figures in one unit, found J, OP/s",
        ),
        ({PowerOfTwo(4, max_exponent=1): figure()}, ValueError, "has no name by which a file"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused(given_: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        FormatTable("rate", given_)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (figure(), TypeError, "peak_rate: expected a FormatTable in 'OP/s', found a Parameter"),
        (None, TypeError, "peak_rate: expected a FormatTable in 'OP/s', found None"),
        (
            FormatTable("peak_rate", {"int8": figure(unit="J")}), TypeError,
            "peak_rate: expected a FormatTable in 'OP/s', found a FormatTable in 'J'",
        ),
        (
            FormatTable("peak_rate", {"int8": figure(0.0)}), ValueError,
            "peak_rate.int8: expected a value above 0",
        ),
    ],
)  # fmt: skip
def test_a_device_refuses_what_is_not_a_table_of_its_unit(
    table: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        Rated("npu", energy=figure(unit="J"), peak_rate=table)


def test_a_table_is_not_a_single_parameter() -> None:
    table = FormatTable("energy", {"int8": figure(unit="J")})
    with pytest.raises(TypeError, match="energy: expected a Parameter in 'J', found a FormatTable"):
        Rated("npu", energy=table, peak_rate=FormatTable("peak_rate", {"int8": figure()}))


@pytest.mark.parametrize(("unit", "known"), [("FLOP/B", "'OP/B'"), ("mm2", "'m2'")])
def test_another_spelling_of_a_unit_names_the_one_to_write(unit: str, known: str) -> None:
    with pytest.raises(CostModelError, match=f"; write {known}"):
        parameter(unit)


# ------------------------------------------------------------------ changes


def test_a_figure_of_a_table_is_replaced_or_added() -> None:
    device = load().with_parameters(
        **{
            "peak_rate.int8": "8 TOP/s",
            "peak_rate.int4": "16 TOP/s",
            "cost_per_area.int8": "1 J/m2",
        }
    )
    rates = device.peak_rate
    assert [rates[parse_format(text)].value for text in ("int4", "int8", "float16")] == [
        16e12, 8e12, 2e12,
    ]  # fmt: skip
    assert rates[INT8].source == "given by the caller"
    assert device.cost_per_area.formats == (INT8,)
    assert (
        load().with_parameters(**{"peak_rate.fixed<8,7>": "8 TOP/s"}).peak_rate[INT8].value == 8e12
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("peak_rate", "4 TOP/s", "peak_rate is a table by format; .* for npu.peak_rate.int8$"),
        ("energy.int8", "4 pJ", "energy is one value, not a table by format; .* for npu.energy$"),
        ("peak_rate.int", "4 TOP/s", "npu.peak_rate.int: 'int' is not a numeric format"),
        ("peak_rate.int8", "4 pJ", "npu.peak_rate.int8: expected a quantity in OP/s"),
        ("peak_rate.int8", "0 OP/s", "npu.peak_rate.int8: expected a value above 0"),
        ("peek_rate.int8", "4 TOP/s", "unknown parameter or setting 'peek_rate.int8'"),
        ("layout.int8", "nhwc", "unknown parameter or setting 'layout.int8'"),
    ],
)  # fmt: skip
def test_a_change_that_fits_no_table_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        load().with_parameters(**{name: value})


@pytest.fixture
def npu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The device, as the command line finds it."""
    made = load()
    monkeypatch.setattr("costmodel.registry.Registry._named", lambda *_: made)
    return made


@pytest.mark.usefixtures("npu")
def test_the_command_line_sets_a_figure_of_a_table() -> None:
    shown = console.good(
        "estimate", DENSE, "-d", "npu", "--default-format", "int8",
        "--set", "npu.peak_rate.int8=8 TOP/s", "--set", "npu.layout=nhwc",
    )  # fmt: skip
    assert "set on npu: layout nhwc; peak_rate.int8 8 TOP/s" in shown


@pytest.mark.parametrize("name", ["npu.2", "npu.peak_rate"])
def test_the_name_of_a_device_may_have_dots_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = load(GOOD.replace("name: npu", f"name: {name}"))
    monkeypatch.setattr("costmodel.registry.Registry._named", lambda *_: made)
    shown = console.good(
        "estimate", DENSE, "-d", name, "--default-format", "int8",
        "--set", f"{name}.peak_rate.int8=8 TOP/s",
    )  # fmt: skip
    assert "peak_rate.int8 8 TOP/s" in shown


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("npu.peak_rate=8 TOP/s", "npu.peak_rate: peak_rate is a table by format"),
        ("npuu.peak_rate.int8=8 TOP/s", "unknown device in --set 'npuu'"),
        ("npu.peak_rate.int8=8 pJ", "npu.peak_rate.int8: expected a quantity in OP/s"),
    ],
)
@pytest.mark.usefixtures("npu")
def test_the_command_line_refuses_what_fits_no_table(setting: str, words: str) -> None:
    done = console.run("estimate", DENSE, "-d", "npu", "--set", setting)
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.usefixtures("npu")
def test_a_device_is_shown_with_each_figure_of_a_table() -> None:
    blocks = console.good("devices", "show", "npu").split("\n\n")
    assert any(block.startswith("peak_rate.int8\n  value     4 TOP/s\n") for block in blocks)


# ------------------------------------------------------------------ files

ENTRY = '{value: 2 TFLOP/s, source: sheet, evidence: vendor, note: "with sparsity: twice"}'
TABLE = GOOD[GOOD.index("  peak_rate:") :]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TABLE, "  peak_rate: 4 TOP/s\n",
         "parameters.peak_rate: expected a figure for each numeric format, .* found '4 TOP/s'"),
        (TABLE, "  peak_rate: {value: 4 TOP/s, source: sheet, evidence: vendor}\n",
         "parameters.peak_rate: expected a figure for each numeric format"),
        (TABLE, "  peak_rate: {}\n", "parameters.peak_rate: expected a figure for each .*{}"),
        (TABLE, "  peak_rate: [int8]\n", "parameters.peak_rate: expected a figure for each"),
        (TABLE, "", "parameters.peak_rate: missing, 'rated' needs it"),
        ("    int8:", "    int:", "parameters.peak_rate.int: 'int' is not a numeric format"),
        ("    int8:", "    8:", "parameters.peak_rate.8: '8' is not a numeric format"),
        ("    float16:", "    fixed<8,7>:",
         "parameters.peak_rate.fixed<8,7>: the format 'int8' is there before"),
        ("value: 4 TOP/s", "value: 4 TOP", "parameters.peak_rate.int8.value: expected a .*OP/s"),
        ("low: 3 TOP/s", "low: 0 OP/s", "parameters.peak_rate.int8.low: expected a value above 0"),
        ("low: 3 TOP/s", "low: 5 TOP/s", "parameters.peak_rate.int8.low: expected at most"),
        (ENTRY, "2 TFLOP/s", "parameters.peak_rate.float16: expected a mapping such as"),
        (ENTRY, "{value: 2 TFLOP/s, source: sheet}", "peak_rate.float16.evidence: missing"),
        (ENTRY, ENTRY.replace("sheet", "shet"),
         "parameters.peak_rate.float16.source: 'shet' is not known; nearest 'sheet'"),
        ("{value: 1 pJ, source: sheet, evidence: vendor}",
         "{int8: {value: 1 pJ, source: sheet, evidence: vendor}}",
         "parameters.energy: expected one value, found a table by format: int8"),
    ],
)  # fmt: skip
def test_one_change_of_a_table_makes_one_clear_mistake(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(DeviceFileError, match=message) as caught:
        load(GOOD.replace(old, new, 1))
    assert len(caught.value.mistakes) == 1


def test_all_mistakes_of_a_table_are_reported_at_once() -> None:
    text = GOOD.replace("value: 4 TOP/s", "value: 4 J").replace("float16", "float17")
    with pytest.raises(DeviceFileError) as caught:
        load(text.replace("2 TFLOP/s", "2 TFLOPS"))
    said = "\n".join(caught.value.mistakes)
    for place in ("int8.value", "float17:", "float17.value"):
        assert f"parameters.peak_rate.{place}" in said


def test_without_a_class_the_figures_of_a_table_are_checked() -> None:
    text = GOOD.replace("class: rated\n", "").replace("2 TFLOP/s", "2 TFLOPS")
    with pytest.raises(DeviceFileError) as caught:
        load_device(text.encode(), "npu.yaml", FAMILIES)
    assert "class: missing" in caught.value.mistakes
    assert any(
        one.startswith("parameters.peak_rate.float16.value") for one in caught.value.mistakes
    )
    assert len(caught.value.mistakes) == 2


# ------------------------------------------------------------------ the kit


@given(strategies.devices(Rated))
def test_drawn_tables_keep_the_declared_unit_and_domain(device: Any) -> None:
    assert device.peak_rate.unit == "OP/s"
    assert all(one.low > 0 for one in device.peak_rate.figures.values())


class TestRated(DeviceContract):
    """A class with tables keeps the laws of the kit, with any figures in them."""

    @pytest.fixture
    def device(self) -> Any:
        return strategies.devices(Rated)


# ------------------------------------------------------------------ anything in any place


ODD = st.sampled_from(
    [
        None, True, 0, -1, 1.5, float("nan"), 10**30, "", "1 pJ", "int8", "unlimited", "x" * 1999,
        [], [[]], [{}], {}, {"value": 1}, {"int8": {}}, {7: 7}, {"default": "default"},
        {"default": []},
    ]
)  # fmt: skip
MEMORY = {
    "name": "dram", "size": "unlimited", "source": "sheet", "evidence": "vendor", "per": ["row"],
    "bandwidth": "2 GB/s", "read": {"energy": "2 pJ", "width": "8 bit"}, "shared_port": False,
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """The path to every value of nested mappings and lists."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else items:
        yield from places(each, (*path, key))


@frozen
class Placed(Rated):
    """The same, and it has memories."""

    family: ClassVar = "placed"
    uses_memories: ClassVar = True


@given(data=st.data(), times=st.integers(1, 3))
def test_whatever_stands_in_any_place_makes_a_device_or_clear_mistakes(
    data: st.DataObject, times: int
) -> None:
    content: Any = yaml.safe_load(WITH_RUNTIMES.replace("class: rated", "class: placed"))
    content["memories"] = [copy.deepcopy(MEMORY)]
    for _ in range(times):
        *way, last = data.draw(st.sampled_from([path for path in places(content) if path]))
        inner = content
        for key in way:
            inner = inner[key]
        inner[last] = copy.deepcopy(data.draw(ODD))
    text = yaml.safe_dump(content).encode()
    try:
        device = load_device(text, "npu.yaml", {"placed": Placed})
    except DeviceFileError as error:
        assert all(": " in mistake for mistake in error.mistakes)  # noqa: PT017  # either is right
    else:
        again = load_device(json.dumps(as_file(device)).encode(), "npu.yaml", {"placed": Placed})
        assert again.parameters == device.parameters
        assert again.memories == device.memories
        assert again.runtimes == device.runtimes
