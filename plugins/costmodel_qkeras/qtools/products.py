"""Products: which circuit multiplies which datatypes, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from attrs import evolve

from costmodel_qkeras.qtools.datatypes import (
    UNSET,
    Datatype,
    Mode,
    binary,
    fixed,
    floating,
    po2,
    ternary,
)
from costmodel_qkeras.qtools.numbers import root
from costmodel_qkeras.qtools.operations import MUX_GATE, Operation, exponents, scaled, shifter

# Sizes of gates beside an adder of the same width (QTools, multiplier_impl).
_AND_GATE: Final = 0.1
_XOR_GATE: Final = 0.3

Rule: TypeAlias = Callable[[Datatype, Datatype, Datatype], Operation]
"""From two operands and the class of the output to the operation."""


def multiply(weight: Datatype, value: Datatype) -> Operation:
    """The multiplication of a weight and a value."""
    rule, out = _PRODUCTS[weight.mode, value.mode]
    return rule(weight, value, out)


def _shift(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    po2_operand, word = (weight, value) if weight.mode is Mode.PO2 else (value, weight)
    right, left = exponents(po2_operand)
    return shifter(scaled(word, left, right, po2_operand, out), po2_operand, word)


def _multiply_fixed(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    # Forgets the digit that (-1) * (-1) needs.
    int_bits = value.int_bits + weight.int_bits
    signed = value.is_signed | weight.is_signed
    bits = int_bits + value.fraction_bits + weight.fraction_bits + int(signed)
    output = out.sized(bits, int_bits, signed)
    return Operation(output, "mul", 1.0, root(value.bits * weight.bits))


def _is_selector(kind: Datatype) -> bool:
    # QTools goes by the name.
    return "binary" in kind.name or "ternary" in kind.name


def _mux(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    by_weight = _is_selector(weight)
    control, word = (weight, value) if by_weight else (value, weight)
    # A stochastic binary is cheap as a weight, dear as an input.
    is_cheap = "binary" in control.name if by_weight else control.name == "binary"
    bits = word.bits + int(not word.is_signed and bool(control.is_signed))
    signed = value.is_signed | weight.is_signed
    output = out.sized(bits, word.int_bits, signed)
    if out.mode is Mode.PO2:
        output = po2(bits, signed, _cap(weight, value))
    # A ternary operand chooses among x, -x and 0: two multiplexers in a row.
    return Operation(output, "mux", MUX_GATE if is_cheap else 2 * MUX_GATE, word.bits)


def _cap(weight: Datatype, value: Datatype) -> float:
    return (weight if "po2" in weight.name else value).max_value


def _and(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    if out.mode is Mode.TERNARY:
        return Operation(out, "and", _AND_GATE, out.bits)
    bits = max(value.bits, weight.bits)
    signed = value.is_signed | weight.is_signed
    # Only a weight that is named `binary` passes on the other's integer bits.
    by_weight = weight.name == "binary" and weight.mode is Mode.ZERO_ONE
    int_bits = value.int_bits if by_weight else weight.int_bits
    output = out.sized(bits, int_bits, signed)
    if out.mode is Mode.PO2:
        output = evolve(po2(bits, signed, _cap(weight, value)), int_bits=int_bits)
    return Operation(output, "and", _AND_GATE, bits)


def _xor(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    output = out.sized(
        max(value.bits, weight.bits),
        max(value.int_bits, weight.int_bits),
        value.is_signed | weight.is_signed,
    )
    return Operation(output, "xor", _XOR_GATE, 1)


def _add_exponents(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    # The wider word grows by one even if the signs differ.
    bits = max(value.bits, weight.bits) + 1
    is_capped = UNSET not in {value.max_value, weight.max_value}
    cap = value.max_value * weight.max_value if is_capped else UNSET
    int_bits = max(value.int_bits, weight.int_bits) + 1
    output = evolve(po2(bits, value.is_signed | weight.is_signed, cap), int_bits=int_bits)
    return Operation(output, "add", 1.0, bits)


def _multiply_float(weight: Datatype, value: Datatype, out: Datatype) -> Operation:
    # As wide as the operands that are floating point; the others do not count.
    bits = max(kind.bits for kind in (value, weight) if kind.mode is Mode.FLOAT)
    return Operation(floating(bits), "mul", 1.0, bits)


TO_FIXED: Final = fixed(UNSET, UNSET)
TO_PO2: Final = po2(UNSET, is_signed=1)
_TO_TERNARY: Final = ternary()

_HALF: Final[Mapping[tuple[Mode, Mode], tuple[Rule, Datatype]]] = {
    (Mode.FIXED, Mode.FIXED): (_multiply_fixed, TO_FIXED),
    (Mode.FIXED, Mode.PO2): (_shift, TO_FIXED),
    (Mode.FIXED, Mode.TERNARY): (_mux, TO_FIXED),
    (Mode.FIXED, Mode.SIGN): (_mux, TO_FIXED),
    (Mode.FIXED, Mode.ZERO_ONE): (_and, TO_FIXED),
    (Mode.PO2, Mode.PO2): (_add_exponents, TO_PO2),
    (Mode.PO2, Mode.TERNARY): (_mux, TO_PO2),
    (Mode.PO2, Mode.SIGN): (_mux, TO_PO2),
    (Mode.PO2, Mode.ZERO_ONE): (_and, TO_PO2),
    (Mode.TERNARY, Mode.TERNARY): (_mux, _TO_TERNARY),
    (Mode.TERNARY, Mode.SIGN): (_mux, _TO_TERNARY),
    (Mode.TERNARY, Mode.ZERO_ONE): (_and, _TO_TERNARY),
    (Mode.SIGN, Mode.SIGN): (_xor, binary("binary", zero_one=False)),
    (Mode.SIGN, Mode.ZERO_ONE): (_and, _TO_TERNARY),
    (Mode.ZERO_ONE, Mode.ZERO_ONE): (_and, binary("binary", zero_one=True)),
    **{(mode, Mode.FLOAT): (_multiply_float, floating(0)) for mode in Mode},
}

_PRODUCTS: Final = {
    **{(value, weight): entry for (weight, value), entry in _HALF.items()},
    **_HALF,
}
"""(weight, value): circuit and class of the output, the same in either order."""
