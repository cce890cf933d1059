"""Where QTools' format rules lose a value, each by its smallest example.

The rules of the core hold every product and sum (tests/test_numerics.py tries them all); these
are the rules of QTools that do not, and what the core infers in their place.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from costmodel import formats as arithmetic
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.parsing import parse
from costmodel_qkeras.qtools.datatypes import Datatype, Mode, datatype
from costmodel_qkeras.qtools.merges import MERGES
from costmodel_qkeras.qtools.operations import exponents
from costmodel_qkeras.qtools.products import multiply
from costmodel_qkeras.qtools.sums import accumulate, add

if TYPE_CHECKING:
    from collections.abc import Callable

    from costmodel.formats import NumericFormat

HALF = Fraction(1, 2)
SMALL: dict[Mode, set[int]] = {
    Mode.TERNARY: {-1, 0, 1}, Mode.SIGN: {-1, 1}, Mode.ZERO_ONE: {0, 1},
}  # fmt: skip


def holds(kind: Datatype, value: Fraction) -> bool:
    """Whether a datatype of QTools represents a value."""
    if kind.mode in SMALL:
        return value in SMALL[kind.mode]
    if kind.mode is Mode.PO2:
        right, left = exponents(kind)
        powers = {Fraction(2) ** exponent for exponent in range(-right, left + 1)}
        return abs(value) in powers and (value > 0 or bool(kind.is_signed))
    steps = value * Fraction(2) ** kind.fraction_bits
    lowest = -(2 ** (kind.bits - 1)) if kind.is_signed else 0
    return steps.denominator == 1 and lowest <= steps < lowest + 2**kind.bits


@frozen
class Loss:
    """A rule, its operands, and values of them whose result QTools' format does not hold."""

    rule: str
    operands: tuple[str, ...]
    values: tuple[Fraction | int, ...]


LOSSES = {
    "the product of both lowest values": Loss(
        "multiply", ("quantized_bits(2,0)", "quantized_bits(2,0)"), (-1, -1)),
    "a shift of the lowest value by a negative power": Loss(
        "multiply", ("quantized_bits(2,0)", "quantized_po2(2)"), (-1, -1)),
    "the negative of the lowest value, chosen by a sign": Loss(
        "multiply", ("quantized_bits(2,0)", "binary()"), (-1, -1)),
    "the negative of the lowest value, chosen by a ternary": Loss(
        "multiply", ("quantized_bits(2,0)", "ternary()"), (-1, -1)),
    "a power of two times zero, chosen by a ternary": Loss(
        "multiply", ("quantized_po2(2)", "ternary()"), (1, 0)),
    "a power of two times zero, by an and gate": Loss(
        "multiply", ("quantized_po2(2)", "binary(use_01=1)"), (1, 0)),
    "powers of two of unlike range": Loss(
        "multiply", ("quantized_po2(2)", "quantized_po2(3,1)"), (HALF, Fraction(1, 16))),
    "an and gate that is not named binary": Loss(
        "multiply", ("quantized_relu(1,1)", "quantized_bits(2,0)"), (1, -HALF)),
    "the highest power of two as a word": Loss(
        "add", ("quantized_po2(2)", "quantized_po2(2)"), (1, 1)),
    "a power of two and a bit, in this order": Loss(
        "add", ("quantized_po2(2)", "binary(use_01=1)"), (HALF, 0)),
    "an odd sum of ternaries": Loss("add", ("ternary()", "ternary()"), (1, 0)),
    "an odd sum of many ternaries": Loss("accumulate", ("ternary()",) * 2, (1, 0)),
    "a sum of many signs": Loss("accumulate", ("binary()",) * 3, (1, 1, 1)),
    "the integer bits of a tanh": Loss("alone", ("quantized_tanh(3)",), (-1,)),
    "one bit with a sign": Loss("alone", ("quantized_bits(1)",), (1,)),
    "a power of two that never exceeds one": Loss(
        "alone", ("quantized_po2(3,1)",), (Fraction(1, 16),)),
    "a sum of words whose points differ": Loss(
        "Add", ("quantized_bits(4,0)", "quantized_bits(4,3)"), (-Fraction(7, 8), 0)),
    "the larger of words whose points differ": Loss(
        "Maximum", ("quantized_bits(4,0)", "quantized_bits(4,3)"), (Fraction(1, 8), -8)),
    "a sum of three words": Loss(
        "Add", ("quantized_bits(2,1)",) * 3, (-2, -2, -2)),
}  # fmt: skip

QTOOLS: dict[str, Callable[[list[Datatype]], Datatype]] = {
    "multiply": lambda kinds: multiply(*kinds).output,
    "add": lambda kinds: add(*kinds).output,
    "accumulate": lambda kinds: accumulate(kinds[0], len(kinds)).output,
    "alone": lambda kinds: kinds[0],
    "Add": lambda kinds: MERGES["Add"](kinds).output,
    "Maximum": lambda kinds: MERGES["Maximum"](kinds).output,
}
EXACT: dict[str, Callable[[list[NumericFormat]], NumericFormat]] = {
    "multiply": lambda formats: arithmetic.product(*formats).result,
    "add": lambda formats: arithmetic.addition(*formats).result,
    "accumulate": lambda formats: arithmetic.accumulation(formats[0], len(formats)).result,
    "alone": lambda formats: formats[0],
    "Add": lambda formats: arithmetic.merge("add", *formats).result,
    "Maximum": lambda formats: arithmetic.merge("maximum", *formats).result,
}
VALUES: dict[str, Callable[[Any], Any]] = {
    "multiply": lambda values: values[0] * values[1],
    "add": sum,
    "accumulate": sum,
    "alone": lambda values: values[0],
    "Add": sum,
    "Maximum": max,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_rule_of_qtools_loses_a_value_that_the_exact_rule_holds(name: str) -> None:
    loss = LOSSES[name]
    quantizers = [parse(text) for text in loss.operands]
    formats = [numeric_format(quantizer) for quantizer in quantizers]
    for value, declared in zip(loss.values, formats, strict=True):
        assert value in set(declared.values())
    result = VALUES[loss.rule](loss.values)
    assert not holds(QTOOLS[loss.rule]([datatype(each) for each in quantizers]), Fraction(result))
    assert result in set(EXACT[loss.rule](formats).values())


def test_single_precision_loses_a_digit_of_a_long_accumulator() -> None:
    """2**21 + 1 terms need 22 digits more; a logarithm in single precision finds 21."""
    terms, word = 2**21 + 1, parse("quantized_bits(2,0)")
    exact = arithmetic.accumulation(numeric_format(word), terms).result
    assert (exact.bits, accumulate(datatype(word), terms).output.bits) == (2 + 22, 2 + 21)


KNOWN = {
    "multiply": {
        ("fixed", "fixed"), ("fixed", "po2"), ("fixed", "ternary"), ("fixed", "sign"),
        ("fixed", "zero_one"), ("po2", "po2"), ("po2", "ternary"), ("po2", "zero_one"),
    },
    "add": {
        ("po2", "po2"), ("po2", "zero_one"), ("ternary", "ternary"), ("ternary", "sign"),
    },
}  # fmt: skip
"""The pairs of classes of which QTools' rule loses a value of some formats."""

TRIED = [
    "quantized_bits(2,0)", "quantized_bits(3,1)", "quantized_bits(2,1,keep_negative=False)",
    "quantized_relu(2,1)", "quantized_relu(1,1)", "quantized_po2(2)", "quantized_po2(3)",
    "quantized_po2(3,2)", "quantized_relu_po2(2)", "ternary()", "binary()", "binary(use_01=1)",
    "bernoulli()",
]  # fmt: skip


@pytest.mark.parametrize("rule", KNOWN)
def test_no_other_classes_of_operands_lose_a_value(rule: str) -> None:
    lossy = set()
    for texts in itertools.product(TRIED, repeat=2):
        quantizers = [parse(text) for text in texts]
        kinds = [datatype(quantizer) for quantizer in quantizers]
        output = QTOOLS[rule](kinds)
        pairs = itertools.product(*(numeric_format(each).values() for each in quantizers))
        if not all(holds(output, VALUES[rule](pair)) for pair in pairs):
            first, second = sorted(kinds, key=lambda kind: kind.mode)
            lossy.add((first.mode.name.lower(), second.mode.name.lower()))
    assert lossy == KNOWN[rule]
