"""Which circuit forms an operation, how large it is, and the exact format of what it yields."""

from __future__ import annotations

import math
from typing import Any

import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st

from costmodel import formats as arithmetic
from costmodel.errors import FormatError
from costmodel.formats import (
    FLOAT32,
    Binary,
    Circuit,
    FixedPoint,
    FloatingPoint,
    NumericFormat,
    Operation,
    PowerOfTwo,
    Ternary,
    parse_format,
)

SIGN, BIT, TERNARY = Binary(), Binary(zero_one=True), Ternary()


def of(text: str) -> NumericFormat:
    return parse_format(text)


def adder(result: NumericFormat, bits: float | None = None) -> Operation:
    return Operation(result, Circuit.ADDER, 1.0, result.bits if bits is None else bits)


def multiplier(result: str, bits: float) -> Operation:
    return Operation(of(result), Circuit.MULTIPLIER, 1.0, bits)


def shifter(result: str, positions: int, bits: int) -> Operation:
    size = math.sqrt(positions * bits)
    return Operation(of(result), Circuit.SHIFTER, 1.0, size * math.log10(size))


# ------------------------------------------------------------------ products

PRODUCTS = [
    # A digit more where both are signed: (-1) * (-1).
    ("fixed<8,0>", "fixed<4,0>", multiplier("fixed<12,1>", math.sqrt(32))),
    ("ufixed<8,8>", "fixed<4,2>", multiplier("fixed<12,10>", math.sqrt(32))),
    ("ufixed<8,3>", "ufixed<2,1>", multiplier("ufixed<10,4>", 4)),
    ("float16", "fixed<8,0>", multiplier("float16", 16)),
    ("float16", "float32", multiplier("float32", 32)),
    ("ternary", "float64", multiplier("float64", 64)),
    # The exponents of po2<4> run from -4 to 3, those of upo2<4> from -8 to 7.
    ("po2<4>", "fixed<8,0>", shifter("fixed<16,4>", 2**4, 8)),
    ("upo2<4>", "ufixed<6,6>", shifter("ufixed<21,13>", 2**4, 6)),
    ("upo2<4>", "fixed<8,0>", shifter("fixed<23,7>", 2**4, 8)),
    ("po2<4>", "po2<3>", adder(PowerOfTwo(5, signed=True, max_exponent=4))),
    ("upo2<2>", "upo2<2>", adder(PowerOfTwo(3, signed=False, max_exponent=2))),
    ("po2<3>", "upo2<3>", adder(PowerOfTwo(5, signed=True, max_exponent=4))),
    # A sign selects x or -x, a ternary x, -x or 0.
    (SIGN, "fixed<8,0>", Operation(of("fixed<9,1>"), Circuit.MUX, 1, 8)),
    (SIGN, "ufixed<8,3>", Operation(of("fixed<9,3>"), Circuit.MUX, 1, 8)),
    (SIGN, "po2<4>", Operation(of("po2<4>"), Circuit.MUX, 1, 4)),
    (SIGN, "upo2<4>", Operation(PowerOfTwo(5, max_exponent=7), Circuit.MUX, 1, 4)),
    (SIGN, "upo2<1>", Operation(PowerOfTwo(2, max_exponent=0), Circuit.MUX, 1, 1)),
    (SIGN, TERNARY, Operation(TERNARY, Circuit.MUX, 1, 2)),
    (SIGN, SIGN, Operation(SIGN, Circuit.XOR, 1, 1)),
    (TERNARY, TERNARY, Operation(TERNARY, Circuit.MUX, 2, 2)),
    (TERNARY, "fixed<8,0>", Operation(of("fixed<9,1>"), Circuit.MUX, 2, 8)),
    (TERNARY, "po2<4>", Operation(of("fixed<9,4>"), Circuit.MUX, 2, 4)),
    # A bit lets pass or not.
    (BIT, "fixed<8,3>", Operation(of("fixed<8,3>"), Circuit.AND, 1, 8)),
    (BIT, "po2<4>", Operation(of("fixed<9,4>"), Circuit.AND, 1, 4)),
    (BIT, TERNARY, Operation(TERNARY, Circuit.AND, 1, 2)),
    (BIT, SIGN, Operation(TERNARY, Circuit.AND, 1, 1)),
    (BIT, BIT, Operation(BIT, Circuit.AND, 1, 1)),
]


@pytest.mark.parametrize(("a", "b", "operation"), PRODUCTS, ids=str)
def test_a_product_has_its_circuit_its_size_and_its_exact_format(
    a: str | NumericFormat, b: str | NumericFormat, operation: Operation
) -> None:
    x, y = (of(item) if isinstance(item, str) else item for item in (a, b))
    for found in (arithmetic.product(x, y), arithmetic.product(y, x)):
        assert found.result == operation.result
        assert found.circuit is operation.circuit
        assert found.gates == near(operation.gates)
        assert found.gate_bits == near(operation.gate_bits)


# ------------------------------------------------------------------ sums


@pytest.mark.parametrize(
    ("a", "b", "added", "subtracted", "joined"),
    [
        ("fixed<8,0>", "ufixed<6,3>", "fixed<12,4>", "fixed<12,4>", "fixed<11,3>"),
        ("fixed<8,0>", "fixed<8,0>", "fixed<9,1>", "fixed<10,2>", "fixed<8,0>"),
        ("ufixed<4,4>", "ufixed<4,4>", "ufixed<5,5>", "fixed<6,5>", "ufixed<4,4>"),
        ("ufixed<4,4>", "ufixed<6,2>", "ufixed<9,5>", "fixed<10,5>", "ufixed<8,4>"),
        # The step of fixed<3,3> is two.
        ("fixed<3,3>", "fixed<2,2>", "fixed<4,4>", "fixed<4,4>", "fixed<3,3>"),
        ("ternary", "binary<0,1>", "fixed<3,2>", "fixed<3,2>", "fixed<2,1>"),
        ("binary", "binary", "fixed<3,2>", "fixed<4,3>", "binary"),
        ("binary<0,1>", "binary<0,1>", "ufixed<2,2>", "fixed<3,2>", "binary<0,1>"),
        ("po2<3>", "po2<3>", "fixed<6,3>", "fixed<7,4>", "po2<3>"),
        ("upo2<3>", "ternary", "fixed<10,5>", "fixed<10,5>", "fixed<9,4>"),
        ("float16", "fixed<8,0>", "float16", "float16", "float16"),
        ("float64", "float32", "float64", "float64", "float64"),
    ],
)
def test_a_sum_a_difference_and_a_union_have_the_exact_format(
    a: str, b: str, added: str, subtracted: str, joined: str
) -> None:
    assert arithmetic.addition(of(a), of(b)) == adder(of(added))
    assert arithmetic.difference(of(a), of(b)) == adder(of(subtracted))
    assert arithmetic.union(of(a), of(b)) == arithmetic.union(of(b), of(a)) == of(joined)


@pytest.mark.parametrize(
    ("term", "count", "result"),
    [
        *(("fixed<8,0>", 2**n, f"fixed<{8 + n},{n}>") for n in range(4)),
        *(("fixed<8,0>", 2**n + 1, f"fixed<{9 + n},{n + 1}>") for n in range(1, 4)),
        ("ternary", 5, "fixed<5,4>"),
        ("binary<0,1>", 1, "ufixed<1,1>"),
        ("po2<3>", 3, "fixed<7,4>"),
        ("float16", 1000, "float16"),
    ],
)
def test_an_accumulator_has_a_digit_more_for_twice_the_terms(
    term: str, count: int, result: str
) -> None:
    assert arithmetic.accumulation(of(term), count) == adder(of(result))


def test_a_multiply_accumulate_is_a_product_and_a_sum_that_holds_the_bias() -> None:
    weight, value = of("fixed<4,0>"), of("fixed<8,0>")
    multiplied, total = arithmetic.multiply_accumulate(weight, value, 9)
    assert multiplied == arithmetic.product(weight, value)
    assert total == adder(of("fixed<16,5>"))
    _, biased = arithmetic.multiply_accumulate(weight, value, 9, of("fixed<20,2>"))
    assert biased == adder(of("fixed<24,6>"))


# ------------------------------------------------------------------ merges

A, B, C = of("fixed<8,0>"), of("ufixed<6,3>"), of("fixed<4,2>")


@pytest.mark.parametrize(
    ("name", "formats", "operation"),
    [
        ("add", (A, B), adder(of("fixed<12,4>"))),
        ("add", (A, B, C), adder(of("fixed<13,5>"))),
        ("subtract", (A, B), adder(of("fixed<12,4>"))),
        ("subtract", (A, B, C), adder(of("fixed<13,5>"))),
        ("multiply", (A, C), arithmetic.product(A, C)),
        ("multiply", (A, C, B), arithmetic.product(arithmetic.product(A, C).result, B)),
        ("maximum", (A, B, C), adder(of("fixed<11,3>"))),
        ("minimum", (A, B), adder(of("fixed<11,3>"))),
        # The adder of the sum, but a mean lies among its operands.
        ("average", (A, B), adder(of("fixed<11,3>"), 12)),
        ("average", (A, B, C), adder(of("fixed<11,3>"), 13)),
        ("concatenate", (A, B, C), Operation(of("fixed<11,3>"), Circuit.MUX, 0.0, 0.0)),
        *(
            (name, (FloatingPoint(16), A), adder(FloatingPoint(16)))
            for name in ("add", "subtract", "maximum", "average")
        ),
    ],
)
def test_a_merge_has_its_circuit_its_size_and_its_exact_format(
    name: str, formats: tuple[NumericFormat, ...], operation: Operation
) -> None:
    assert arithmetic.merge(name, *formats) == operation


@pytest.mark.parametrize("name", arithmetic.MERGES)
def test_a_merge_of_one_is_not_work_and_of_none_is_refused(name: str) -> None:
    assert arithmetic.merge(name, A) == Operation(A, Circuit.MUX, 0.0, 0.0)
    with pytest.raises(FormatError, match=f"merge '{name}' needs an operand"):
        arithmetic.merge(name)


# ------------------------------------------------------------------ formats as words


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (FixedPoint(2, 1), [-2, -1, 0, 1]),
        (FixedPoint(2, 2, signed=False), [0, 1, 2, 3]),
        (FixedPoint(2, 2), [-4, -2, 0, 2]),
        (FixedPoint(2, -1), [-0.5, -0.25, 0, 0.25]),
        (PowerOfTwo(3), [0.25, -0.25, 0.5, -0.5, 1, -1, 2, -2]),
        (PowerOfTwo(2, signed=False), [0.25, 0.5, 1, 2]),
        (PowerOfTwo(2, signed=False, max_exponent=1), [0.25, 0.5, 1, 2]),
        # An exponent that is never positive needs no sign of its own.
        (PowerOfTwo(2, signed=False, max_exponent=0), [0.0625, 0.125, 0.25, 0.5, 1]),
        (PowerOfTwo(2, signed=False, max_exponent=-2), [0.0625, 0.125, 0.25]),
        (PowerOfTwo(2, signed=False, max_exponent=9), [0.25, 0.5, 1, 2]),
        (TERNARY, [-1, 0, 1]),
        (SIGN, [-1, 1]),
        (BIT, [0, 1]),
    ],
    ids=str,
)
def test_a_format_represents_its_values_and_no_others(
    number: NumericFormat, values: list[float]
) -> None:
    found = list(number.values())
    assert found == values
    assert number.signed == any(value < 0 for value in values)
    held = arithmetic.as_fixed_point(number)
    assert set(found) <= set(held.values())
    # A digit fewer before or behind the point would lose one of them.
    assert max(map(abs, values)) >= 2 ** (held.integer_bits - 1)
    assert any((value * 2 ** (held.fraction_bits - 1)) % 1 for value in values)


@pytest.mark.parametrize(
    ("number", "bits", "text"),
    [
        (FixedPoint(8, 3), 8, "fixed<8,3>"), (FixedPoint(8, -3, signed=False), 8, "ufixed<8,-3>"),
        (PowerOfTwo(4), 4, "po2<4>"), (PowerOfTwo(4, signed=False), 4, "upo2<4>"),
        (TERNARY, 2, "ternary"), (SIGN, 1, "binary<-1,1>"), (BIT, 1, "binary<0,1>"),
        (FLOAT32, 32, "float32"), (FloatingPoint(16), 16, "float16"),
    ],
)  # fmt: skip
def test_a_format_has_a_width_and_a_text(number: NumericFormat, bits: int, text: str) -> None:
    assert (number.bits, str(number)) == (bits, text)
    assert parse_format(text) == number
    assert number.signed is not (text.startswith("u") or number == BIT)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("int8", FixedPoint(8, 7)), ("uint4", FixedPoint(4, 4, signed=False)),
        ("int<8>", FixedPoint(8, 7)), ("fixed<8>", FixedPoint(8, 0)),
        ("fixed<8,-2>", FixedPoint(8, -2)), ("upo2<4>", PowerOfTwo(4, signed=False)),
        ("float<16>", FloatingPoint(16)), ("binary", SIGN),
    ],
)  # fmt: skip
def test_a_format_has_short_texts_too(text: str, number: NumericFormat) -> None:
    assert parse_format(text) == number


@pytest.mark.parametrize(
    "text", ["int<8,3>", "po2<4,1>", "float<32,8>", "ufloat32", "uternary", "", "8", "fixed<8,>"]
)
def test_a_text_that_names_no_format_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="is not a numeric format; expected one such as int8"):
        parse_format(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedPoint(arithmetic.MAX_BITS + 1), "bits is 4097; expected .* from 1 to 4096"),
        (lambda: FixedPoint(8, -arithmetic.MAX_BITS - 1), "expected at most 8 and at least -4096"),
        (lambda: FixedPoint(8, integer_bits=True), "integer_bits is True"),
        (lambda: FixedPoint(8.0), "bits is 8.0"),  # type: ignore[arg-type]
        (lambda: PowerOfTwo(13), "leaves 12 for the exponent; expected 1 to 11"),
        (lambda: PowerOfTwo(12, signed=False), "leaves 12 for the exponent"),
        (lambda: PowerOfTwo(4, max_exponent=0.5), "max_exponent is 0.5; expected a whole number"),  # type: ignore[arg-type]
        (lambda: PowerOfTwo(3, max_exponent=-5), "max_exponent is -5 .*; expected at least -4"),
        (lambda: FloatingPoint(16).values(), "the values of float16 are not listed"),
        (lambda: arithmetic.as_fixed_point(FLOAT32), "32 bits has no fixed-point equivalent"),
    ],
)  # fmt: skip
def test_a_format_beyond_its_limits_is_refused(make: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedPoint(arithmetic.MAX_BITS), lambda: FixedPoint(1, 1),
        lambda: FixedPoint(8, -arithmetic.MAX_BITS), lambda: PowerOfTwo(12),
        lambda: PowerOfTwo(2), lambda: PowerOfTwo(1, signed=False),
        lambda: PowerOfTwo(3, max_exponent=-4),
    ],
)  # fmt: skip
def test_the_limits_themselves_are_formats(make: Any) -> None:
    assert make() == make()


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 8))
def test_a_multiplier_grows_with_each_operand(a: int, b: int, more: int) -> None:
    sizes = [arithmetic.product(FixedPoint(a + n), FixedPoint(b)).gate_bits for n in (0, more)]
    assert sizes[0] < sizes[1]
