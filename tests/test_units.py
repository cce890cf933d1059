"""Quantities, with pint as the oracle."""

from __future__ import annotations

import functools
import math
from typing import Any

import pint
import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError, UnitError
from costmodel.units import (
    BINARY_PREFIXES,
    DECIMAL_PREFIXES,
    SPELLINGS,
    UNITS,
    Quantity,
    demanded,
    format_quantity,
    parse_quantity,
)

IN_PINT = {"B": "byte", "m2": "m**2"}
"""Where pint calls a unit otherwise: its `B` is the bel."""

PREFIXED = [(prefix, unit) for prefix in DECIMAL_PREFIXES for unit in SPELLINGS] + [
    (prefix, unit) for prefix in BINARY_PREFIXES for unit in ("B", "byte", "bit")
]
prefixed_units = st.sampled_from(PREFIXED)
numbers = st.floats(1e-30, 1e30) | st.integers(1, 10**6).map(float)


@functools.cache
def pint_factor(prefix: str, unit: str) -> Any:
    """How many of `unit` pint takes one prefixed unit for."""
    name = IN_PINT.get(unit, unit)
    return registry().Quantity(1.0, f"{prefix}{name}").to(name).magnitude


@functools.cache
def registry() -> Any:
    made: Any = pint.UnitRegistry()
    for line in ("OP = [operation]", "FLOP = OP", "token = [token]"):
        made.define(line)
    return made


@given(number=numbers, prefixed=prefixed_units)
def test_a_quantity_is_what_pint_takes_it_for(number: float, prefixed: Any) -> None:
    value, unit = parse_quantity(f"{number!r} {''.join(prefixed)}")
    assert unit == SPELLINGS[prefixed[1]]
    assert value == near(number * pint_factor(*prefixed), rel=1e-15)


@given(number=numbers, above=prefixed_units, below=prefixed_units)
def test_a_quotient_is_what_pint_takes_it_for(number: float, above: Any, below: Any) -> None:
    value, unit = parse_quantity(f"{number!r} {''.join(above)}/{''.join(below)}")
    assert unit == f"{SPELLINGS[above[1]]}/{SPELLINGS[below[1]]}"
    expected = number * pint_factor(*above) / pint_factor(*below)
    assert value == near(expected, rel=1e-15)


def test_every_prefix_goes_with_every_unit() -> None:
    for prefix, unit in PREFIXED:
        expected = (near(pint_factor(prefix, unit), rel=1e-15), SPELLINGS[unit])
        assert parse_quantity(f"1{prefix}{unit}") == expected, f"{prefix}{unit}"


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("23.6 pJ", 23.6e-12, "J"),
        ("  23.6pJ ", 23.6e-12, "J"),
        ("614 GB/s", 614e9, "B/s"),
        ("64 KiB", 65536, "B"),
        ("0.3", 0.3, ""),
        ("1e3", 1000, ""),
        (".5 V", 0.5, "V"),
        ("5. V", 5, "V"),
        ("+2 us", 2e-6, "s"),
        ("2 µs", 2e-6, "s"),
        ("-1 J", -1, "J"),
        ("1 MHz", 1e6, "Hz"),
        ("1 Pbit", 1e15, "bit"),
        ("2.5 pJ / bit", 2.5e-12, "J/bit"),
        ("0 J", 0, "J"),
        ("1.9 pJ/byte", 1.9e-12, "J/B"),
        ("64 byte", 64, "B"),
        ("1.3 mm2", 1.3e-6, "m2"),
        ("450 um2", 450e-12, "m2"),
        ("450 µm2", 450e-12, "m2"),
        ("2 pJ/um2", 2, "J/m2"),
        ("4 TOP/s", 4e12, "OP/s"),
        ("2 TFLOP/s", 2e12, "OP/s"),
        ("0.5 pJ/OP", 0.5e-12, "J/OP"),
        ("0.5 pJ/FLOP", 0.5e-12, "J/OP"),
        ("10 FLOP/B", 10, "OP/B"),
        ("3 TOP/W", 3e12, "OP/W"),
        ("20 token/s", 20, "token/s"),
        ("1.5 ktoken", 1500, "token"),
        ("80 %", 0.8, ""),
        ("0.1%", 0.001, ""),
        ("128", 128, ""),
    ],
)
def test_a_text_is_read_as_the_nearest_float(text: str, value: float, unit: str) -> None:
    assert parse_quantity(text) == Quantity(value, unit)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("2", "J", "expected a quantity in J, such as '2 nJ', found '2'"),
        ("2 pJ/B", "J", "expected a quantity in J, such as '2 nJ', found '2 pJ/B'"),
        ("2 pJ/octet", "J/B", "unit 'octet' in .*; expected a quantity in J/B, such as '2 nJ/B'"),
        ("2 bytes", "B", "unit 'bytes' in .*; expected a quantity in B, such as '2 GB'"),
        ("2 B/s", "bit/s", "expected a quantity in bit/s, such as '2 bit/s', found '2 B/s'"),
        ("two", "bit", "'two' is not a quantity; expected a quantity in bit, such as '2 bit'"),
        ("2 J", "", "expected a number without a unit or in %, such as '2', found '2 J'"),
        ("80 %", "J", "expected a quantity in J, such as '2 nJ', found '80 %'"),
        ("2 mm", "m2", "unit 'mm' in '2 mm' .*; expected a quantity in m2, such as '2 mm2'"),
        ("4 TMAC/s", "OP/s", "unit 'TMAC' in .*; expected a quantity in OP/s, such as '2 TOP/s'"),
        ("1e999 J", "J", "too large"),
    ],
)
def test_a_wanted_unit_is_reported_with_an_example(text: str, unit: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        parse_quantity(text, unit)


@pytest.mark.parametrize("unit", ["", *UNITS, "J/B", "B/s", "W/Hz", "OP/s", "J/m2"])
def test_the_example_of_a_unit_is_a_quantity_in_it(unit: str) -> None:
    example = demanded(unit).partition("such as ")[2].strip("'")
    assert parse_quantity(example, unit).unit == unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a quantity"),
        ("pJ", "is not a quantity"),
        ("nan J", "is not a quantity"),
        ("inf J", "is not a quantity"),
        ("-inf", "is not a quantity"),
        ("1.2.3 J", r"unit '.3 J' in '1.2.3 J' is not known"),
        ("1,5 J", "unit ',5 J'"),
        ("1_000 J", "unit '_000 J'"),
        ("0x10 J", "unit 'x10 J'"),
        ("1 j", "unit 'j' in '1 j' is not known; expected one of J, W, s, Hz, B, bit, V"),
        ("1 joule", "unit 'joule'"),
        ("1 cal", "unit 'cal'"),
        ("1 KJ", "unit 'KJ'"),
        ("1 ppJ", "unit 'ppJ'"),
        ("1 KiJ", "unit 'KiJ'"),
        ("1 kib", "unit 'kib'"),
        ("1 J/", "unit ''"),
        ("1 /s", "unit ''"),
        ("1 J/s/s", "unit 's/s'"),
        ("1 J s", "unit 'J s'"),
        ("1e999 J", "too large"),
        ("1e308 PJ", "too large"),
        ("1 p", "unit 'p'"),
        ("1 k%", "unit 'k%'"),
        ("1 %/s", "unit '%'"),
        ("1 J/%", "unit '%'"),
        ("1 KiOP", "unit 'KiOP'"),
        ("1 mm", "unit 'mm'"),
        ("1 m", "unit 'm'"),
        ("1 OPS", "unit 'OPS'"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        parse_quantity(text)


def test_a_unit_error_is_a_value_error_and_one_of_ours() -> None:
    assert issubclass(UnitError, ValueError)
    assert issubclass(UnitError, CostModelError)


@given(text=st.text(max_size=20) | st.from_regex(r"\A[0-9.eE+-]{1,8} ?[a-zA-Z/µ]{0,6}\Z"))
def test_no_text_does_anything_but_parse_or_fail_as_a_unit_error(text: str) -> None:
    try:
        value, _ = parse_quantity(text)
    except UnitError:
        return
    assert math.isfinite(value)


@given(value=st.floats(1e-17, 1e17), unit=st.sampled_from(UNITS), digits=st.integers(3, 15))
def test_what_is_written_reads_back_within_its_digits(value: float, unit: str, digits: int) -> None:
    read = parse_quantity(format_quantity(value, unit, digits))
    assert read.unit == unit
    assert read.value == near(value, rel=0.51 * 10.0 ** (1 - digits))


@given(value=st.floats(1e-17, 9e17), unit=st.sampled_from(UNITS))
def test_one_to_three_digits_stand_before_the_point_and_of_an_area_up_to_four(
    value: float, unit: str
) -> None:
    number = format_quantity(value, unit).partition(" ")[0]
    if unit == "m2" and 1e-30 < value < 1e15:
        assert 0.01 <= float(number) < 10_000
    elif unit != "m2":
        assert 1 <= len(number.partition(".")[0]) <= 3


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (23.6e-12, "J", "23.6 pJ"),
        (0, "J", "0 J"),
        (-2.5e-9, "J", "-2.5 nJ"),
        (1e-6, "s", "1 µs"),
        (999e-12, "J", "999 pJ"),
        (1e-25, "J", "1e-07 aJ"),
        (0.25, "", "0.25"),
        (math.inf, "J", "inf J"),
        (math.nan, "J", "nan J"),
        (12.0, "J", "12 J"),
        (1.3e-6, "m2", "1.3 mm2"),
        (600e-6, "m2", "600 mm2"),
        (0.3e-6, "m2", "0.3 mm2"),
        (9000e-6, "m2", "9000 mm2"),
        (0.12, "m2", "0.12 m2"),
        (450e-12, "m2", "450 µm2"),
        (4e12, "OP/s", "4 TOP/s"),
        (0.5e-12, "J/OP", "500 fJ/OP"),
    ],
)
def test_a_value_is_written_as_people_write_it(value: float, unit: str, shown: str) -> None:
    assert format_quantity(value, unit) == shown


@pytest.mark.parametrize("micro", ["u", "\u00b5", "\u03bc"])
@pytest.mark.parametrize("unit", UNITS)
def test_every_spelling_of_micro_is_read_and_one_is_written(micro: str, unit: str) -> None:
    value = 2e-12 if unit == "m2" else 2e-6
    assert parse_quantity(f"2 {micro}{unit}") == (value, unit)
    assert format_quantity(parse_quantity(f"2 {micro}{unit}").value, unit) == f"2 \u00b5{unit}"


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 5000 + " pJ", "1 " + "x" * 5000, "x" * 5000])
def test_a_long_text_that_is_not_a_quantity_is_refused_in_a_short_message(text: str) -> None:
    with pytest.raises(UnitError) as refused:
        parse_quantity(text)
    assert len(str(refused.value)) < 400
