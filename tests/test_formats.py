"""Formats represent what they say, and hold every result of exact arithmetic."""

from __future__ import annotations

import itertools
import json
import math
import operator
from fractions import Fraction
from itertools import product, starmap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import formats as arithmetic
from costmodel.errors import FormatError
from costmodel.formats import (
    BLOCKS,
    Binary,
    BlockFormat,
    Circuit,
    FixedPoint,
    FloatingPoint,
    MixedPrecision,
    NumericFormat,
    PowerOfTwo,
    Ternary,
    format_name,
    parse_format,
)
from costmodel.testing.strategies import mixed_precisions

SMALL: list[NumericFormat] = [
    *(
        FixedPoint(bits, integer, signed)
        for bits in (1, 2, 3)
        for integer in range(-1, bits + 1)
        for signed in (True, False)
        if bits + integer > 0
    ),
    *(PowerOfTwo(bits, signed) for bits in (2, 3) for signed in (True, False)),
    *(PowerOfTwo(3, signed, cap) for cap in (-1, 0, 1) for signed in (True, False)),
    Ternary(),
    Binary(),
    Binary(zero_one=True),
]
"""Formats of so few bits that every pair of their values can be tried."""

PAIRS = list(itertools.combinations_with_replacement(SMALL, 2))


def holds(result: NumericFormat, values: Any) -> bool:
    return set(values) <= set(result.values())


@pytest.mark.parametrize(
    ("name", "operation"),
    [("product", operator.mul), ("addition", operator.add), ("difference", operator.sub)],
)
def test_every_result_of_a_pair_is_in_the_format_of_the_result(name: str, operation: Any) -> None:
    circuit = getattr(arithmetic, name)
    failing = [
        (str(a), str(b))
        for a, b in PAIRS
        if not holds(circuit(a, b).result, starmap(operation, product(a.values(), b.values())))
    ]
    assert failing == []


def test_the_union_holds_both() -> None:
    failing = [
        (str(a), str(b))
        for a, b in PAIRS
        if not holds(arithmetic.union(a, b), (*a.values(), *b.values()))
    ]
    assert failing == []


@pytest.mark.parametrize("term", SMALL, ids=str)
def test_an_accumulator_holds_every_sum_of_its_terms(term: NumericFormat) -> None:
    sums = {Fraction(0)}
    for count in (1, 2, 3, 4):
        sums = {total + value for total in sums for value in term.values()}
        assert holds(arithmetic.accumulation(term, count).result, sums), count


FEW: list[NumericFormat] = [
    FixedPoint(2), FixedPoint(2, 1), FixedPoint(2, 2, signed=False), FixedPoint(3, -1),
    PowerOfTwo(2), Ternary(), Binary(), Binary(zero_one=True),
]  # fmt: skip
MERGED = {
    "add": sum,
    "subtract": lambda values: values[0] - values[1] - values[2],
    "multiply": math.prod,
    "maximum": max,
    "minimum": min,
    "concatenate": lambda values: values[0],
}


@pytest.mark.parametrize("name", MERGED)
def test_a_merge_of_three_holds_every_result(name: str) -> None:
    failing = [
        tuple(map(str, formats))
        for formats in itertools.combinations_with_replacement(FEW, 3)
        if not holds(
            arithmetic.merge(name, *formats).result,
            map(MERGED[name], product(*(each.values() for each in formats))),
        )
    ]
    assert failing == []


@pytest.mark.parametrize("a", FEW, ids=str)
def test_a_sum_of_products_holds_its_bias(a: NumericFormat) -> None:
    for b in FEW:
        _, total = arithmetic.multiply_accumulate(a, b, 1, a)
        results = (x * y + bias for x, y, bias in product(a.values(), b.values(), a.values()))
        assert holds(total.result, results), str(b)


@pytest.mark.parametrize(
    ("a", "b", "circuit"),
    [
        (FixedPoint(8), FixedPoint(4), Circuit.MULTIPLIER),
        (PowerOfTwo(4), FixedPoint(8), Circuit.SHIFTER),
        (PowerOfTwo(4), PowerOfTwo(4), Circuit.ADDER),
        (Ternary(), FixedPoint(8), Circuit.MUX),
        (Binary(), FixedPoint(8), Circuit.MUX),
        (Binary(), Binary(), Circuit.XOR),
        (Binary(zero_one=True), FixedPoint(8), Circuit.AND),
        (FloatingPoint(16), FixedPoint(8), Circuit.MULTIPLIER),
    ],
)
def test_a_product_is_formed_by_the_cheapest_circuit_that_can(
    a: NumericFormat, b: NumericFormat, circuit: Circuit
) -> None:
    assert arithmetic.product(a, b).circuit is circuit
    assert arithmetic.product(b, a) == arithmetic.product(a, b)


fixed = st.builds(
    lambda bits, integer, signed: FixedPoint(bits, min(integer, bits), signed),
    st.integers(1, 64), st.integers(-64, 64), st.booleans(),
)  # fmt: skip
any_format = st.one_of(
    fixed,
    st.builds(PowerOfTwo, st.integers(2, 11), st.booleans()),
    st.just(Ternary()),
    st.builds(Binary, st.booleans()),
    st.sampled_from([FloatingPoint(bits) for bits in arithmetic.FLOAT_WIDTHS]),
    st.sampled_from([FloatingPoint(*one) for one in arithmetic.OTHER_FLOATS.values()]),
    st.sampled_from(list(BLOCKS.values())),
    st.builds(BlockFormat, fixed, st.integers(1, 300), st.integers(1, 32)),
    mixed_precisions(),
    st.just(MixedPrecision(FloatingPoint(8, 4), 6)),
)


@pytest.mark.parametrize(
    ("text", "name", "bits", "exponent"),
    [
        ("fp32", "float32", 32, None),
        ("fp16", "float16", 16, None),
        ("bf16", "bfloat16", 16, 8),
        ("bfloat16", "bfloat16", 16, 8),
        ("float8_e4m3", "float8_e4m3", 8, 4),
        ("float8_e5m2", "float8_e5m2", 8, 5),
        ("float4_e2m1", "float4_e2m1", 4, 2),
    ],
)
def test_a_float_is_read_in_its_spellings_and_written_in_one(
    text: str, name: str, bits: int, exponent: int | None
) -> None:
    found = parse_format(text)
    assert found == FloatingPoint(bits, exponent)
    assert str(found) == name


def test_the_exponent_of_ieee_754_need_not_be_stated() -> None:
    assert FloatingPoint(16, 5) == FloatingPoint(16)
    assert FloatingPoint(16).to_dict() == {"format": "float", "bits": 16}
    assert FloatingPoint(16, 8).to_dict() == {"format": "float", "bits": 16, "exponent_bits": 8}


def largest_exponent_and_digits(number: NumericFormat) -> tuple[int, int]:
    exponent = {"float16": 5, "float32": 8, "float64": 11, "float128": 15}.get(str(number))
    exponent = exponent or getattr(number, "exponent_bits", None) or 5
    return exponent, number.bits - exponent - 1


FLOATS = [
    *[FloatingPoint(bits) for bits in (16, 32, 64, 128)],
    *[FloatingPoint(*one) for one in arithmetic.OTHER_FLOATS.values()],
]


@given(st.sampled_from(FLOATS), st.sampled_from(FLOATS))
def test_the_union_of_two_floats_has_room_for_both(a: NumericFormat, b: NumericFormat) -> None:
    found = largest_exponent_and_digits(arithmetic.union(a, b))
    for one in (a, b):
        exponent, digits = largest_exponent_and_digits(one)
        assert found[0] >= exponent
        assert found[1] >= digits


@pytest.mark.parametrize(
    ("text", "element", "length", "bits_of_128"),
    [
        ("mxfp8_e4m3", "float8_e4m3", 32, 128 * 8 + 4 * 8),
        ("mxfp6_e2m3", "float6_e2m3", 32, 128 * 6 + 4 * 8),
        ("mxfp4", "float4_e2m1", 32, 128 * 4 + 4 * 8),
        ("mxfp4_e2m1", "float4_e2m1", 32, 128 * 4 + 4 * 8),
        ("nvfp4", "float4_e2m1", 16, 128 * 4 + 8 * 8),
        ("mxint8", "fixed<8,1>", 32, 128 * 8 + 4 * 8),
        ("block<int4,128,16>", "int4", 128, 128 * 4 + 16),
        ("block<fixed<8,3>,50,10>", "fixed<8,3>", 50, 128 * 8 + 3 * 10),
    ],
)
def test_elements_in_blocks_are_stored_with_their_scales(
    text: str, element: str, length: int, bits_of_128: int
) -> None:
    found = parse_format(text)
    assert isinstance(found, BlockFormat)
    assert (found.element, found.length) == (parse_format(element), length)
    assert found.stored_bits(128) == bits_of_128


@given(st.sampled_from(list(BLOCKS.values())), st.integers(0, 10**6), st.integers(0, 10**6))
def test_parts_of_a_tensor_in_blocks_never_take_less_than_the_whole(
    block: BlockFormat, one: int, other: int
) -> None:
    parts = block.stored_bits(one) + block.stored_bits(other)
    assert block.bits * (one + other) <= block.stored_bits(one + other) <= parts


def test_a_product_in_blocks_is_one_of_elements_and_its_sum_in_float32() -> None:
    for text in ("mxfp4", "mxint8"):
        block: Any = parse_format(text)
        alone, found = (arithmetic.product(one, one) for one in (block.element, block))
        assert (found.circuit, found.gate_bits) == (alone.circuit, alone.gate_bits)
        assert found.is_floating == alone.is_floating
        assert found.result == FloatingPoint(32)
        assert arithmetic.accumulation(found.result, 1000).result == FloatingPoint(32)
        assert arithmetic.addition(block, block).result == FloatingPoint(32)
        assert arithmetic.union(block, block) == block


@pytest.mark.parametrize(
    ("text", "element", "mean", "bits_of_5"),
    [
        ("mixed<int3,2.5>", "int3", Fraction(5, 2), 13),
        ("mixed<int3,2.5,padded>", "int3", Fraction(5, 2), 15),
        ("mixed<fixed<8,3>,17/5>", "fixed<8,3>", Fraction(17, 5), 17),
        ("mixed<ufixed<1,0>,0>", "ufixed<1,0>", Fraction(0), 0),
        ("mixed<float8_e4m3,7>", "float8_e4m3", Fraction(7), 35),
    ],
)
def test_elements_of_mixed_precision_are_stored_in_their_mean_width(
    text: str, element: str, mean: Fraction, bits_of_5: int
) -> None:
    found = parse_format(text)
    assert isinstance(found, MixedPrecision)
    assert (found.element, found.mean_bits) == (parse_format(element), mean)
    assert found.bits == parse_format(element).bits
    assert found.stored_bits(5) == bits_of_5
    assert parse_format(format_name(found)) == found


@given(st.integers(1, 10**9), st.integers(0, 64 * 10**9))
def test_the_bits_of_a_whole_tensor_of_mixed_precision_are_exact(elements: int, total: int) -> None:
    total = min(total, 64 * elements)
    found = MixedPrecision(FixedPoint(64), Fraction(total, elements))
    assert parse_format(str(found)) == found
    assert found.stored_bits(elements) == total


@given(mixed_precisions(), any_format)
def test_results_of_mixed_precision_are_those_of_the_word_that_holds_any_element(
    mixed: MixedPrecision, other: NumericFormat
) -> None:
    whole, found = (arithmetic.product(one, other) for one in (mixed.element, mixed))
    assert arithmetic.held_in(found.result) == arithmetic.held_in(whole.result)
    assert found.circuit is whole.circuit
    assert 0 <= found.gate_bits <= whole.gate_bits
    assert arithmetic.addition(mixed, other) == arithmetic.addition(mixed.element, other)


def test_a_multiplier_of_mixed_precision_is_as_large_as_the_mean_of_its_operands() -> None:
    weights, values = MixedPrecision(FixedPoint(8), 2.5), MixedPrecision(FixedPoint(6), "10/3")
    found = arithmetic.product(weights, values)
    assert found.gate_bits**2 == pytest.approx(2.5 * 10 / 3, rel=1e-12, abs=0)
    for one, circuit in ((Ternary(), Circuit.MUX), (Binary(zero_one=True), Circuit.AND)):
        chosen = arithmetic.product(one, weights)
        assert (chosen.circuit, chosen.gate_bits) == (circuit, 2.5)


@given(any_format)
def test_a_format_survives_json(given: NumericFormat) -> None:
    assert NumericFormat.from_dict(json.loads(json.dumps(given.to_dict()))) == given


@given(any_format)
def test_a_format_is_read_from_its_own_text(given: NumericFormat) -> None:
    assert parse_format(str(given)) == given


@given(fixed, fixed, st.integers(1, 10**6))
def test_more_terms_never_need_fewer_bits(a: FixedPoint, b: FixedPoint, count: int) -> None:
    product = arithmetic.product(a, b).result
    sums = [arithmetic.accumulation(product, terms).result.bits for terms in (count, count + 1)]
    assert sums == sorted(sums)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FixedPoint(0), "bits is 0; expected a whole number from 1"),
        (lambda: FixedPoint(-3), "bits is -3"),
        (lambda: FixedPoint(10_000), "bits is 10000"),
        (lambda: FixedPoint(bits=True), "bits is True"),
        (lambda: FixedPoint(8, 9), "integer_bits is 9 in a word of 8 bits"),
        (lambda: FixedPoint(8, 1.5), "integer_bits is 1.5; expected a whole number"),
        (lambda: FixedPoint(8, signed="yes"), "signed is 'yes'; expected true or false"),  # type: ignore[arg-type]
        (lambda: Binary(zero_one=1), "zero_one is 1; expected true or false"),
        (lambda: PowerOfTwo(1), "leaves 0 for the exponent"),
        (lambda: PowerOfTwo(40), "leaves 39 for the exponent"),
        (lambda: FloatingPoint(12), "bits is 12; expected one of"),
        (lambda: FloatingPoint(16, 7), "no floating point of 16 bits has an exponent of 7"),
        (lambda: NumericFormat.from_dict({"format": "float", "bits": []}), "expected one of"),
        (lambda: parse_format("block<int4,0,8>"), "length is 0; expected a whole number from 1"),
        (lambda: parse_format("block<mxfp4,2,8>"), "element is mxfp4; expected fixed or floating"),
        (lambda: parse_format("block<po2<4>,2,8>"), "element is po2<4>; expected fixed or float"),
        (lambda: parse_format("block<" * 9_000), "not a numeric format"),
        (lambda: parse_format(f"block<int4,{'9' * 5000},8>"), "more than 4,300 digits"),
        (lambda: parse_format("mixed<int4,4.5>"), "mean_bits is 9/2; expected a number from 0 to"),
        (lambda: parse_format("mixed<int4,1/0>"), "mean_bits is 1/0; expected a number"),
        (lambda: parse_format("mixed<int4,1.2.3>"), "mean_bits is 1.2.3; expected a number"),
        (lambda: parse_format(f"mixed<int4,{'9' * 5000}>"), "mean_bits is 999"),
        (lambda: parse_format("mixed<ternary,1>"), "element is ternary; expected fixed or float"),
        (lambda: parse_format("mixed<int4,1,packed>"), "not a numeric format"),
        (lambda: MixedPrecision(FixedPoint(8), float("nan")), "mean_bits is nan; expected"),
        (lambda: MixedPrecision(FixedPoint(8), -1), "mean_bits is -1; expected a number from 0"),
        (lambda: MixedPrecision(FixedPoint(8), mean_bits=True), "mean_bits is True; expected"),
        (lambda: MixedPrecision(FixedPoint(8), 1, "yes"), "packed is 'yes'; expected true"),
        (lambda: BlockFormat("int4"), "element is int4; expected fixed or floating"),  # type: ignore[arg-type]
        (lambda: parse_format("int"), "'int' is not a numeric format; expected one such as int8"),
        (lambda: parse_format("ufloat16"), "not a numeric format"),
        (lambda: parse_format("__import__('os')"), "not a numeric format"),
        (lambda: NumericFormat.from_dict({"format": "decimal"}), "not a numeric format; known"),
        (lambda: NumericFormat.from_dict({"format": "fixed", "width": 3}), "not a fixed format"),
        (lambda: arithmetic.accumulation(Ternary(), 0), "at least one term"),
        (lambda: arithmetic.merge("concat", Ternary()), "unknown merge 'concat'"),
    ],
)
def test_a_format_that_cannot_be_is_refused(make: Any, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        make()
