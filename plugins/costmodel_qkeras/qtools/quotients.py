"""Quotients, which batch normalisation needs: divisions by powers of two are shifts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from attrs import evolve

from costmodel_qkeras.qtools.datatypes import UNSET, Datatype, Mode, floating, po2
from costmodel_qkeras.qtools.errors import UnacceptedQuantizerError
from costmodel_qkeras.qtools.numbers import single
from costmodel_qkeras.qtools.operations import Operation, exponents, scaled, shifter
from costmodel_qkeras.qtools.products import TO_FIXED, TO_PO2, Rule


def divide(a: Datatype, b: Datatype) -> Operation:
    """The division of two datatypes.

    Raises:
        UnacceptedQuantizerError: QTools cannot divide by ternary and binary.

    """
    if (a.mode, b.mode) not in _QUOTIENTS:
        message = f"QTools raises UnacceptedQuantizerError: it cannot divide by {b.name}"
        raise UnacceptedQuantizerError(message)
    rule, out = _QUOTIENTS[a.mode, b.mode]
    return rule(a, b, out)


def _shift(a: Datatype, b: Datatype, out: Datatype) -> Operation:
    # Dividing swaps the digits left and right.
    left, right = exponents(b)
    return shifter(scaled(a, left, right, b, out), b, a)


def _subtract_exponents(a: Datatype, b: Datatype, out: Datatype) -> Operation:
    bits = max(a.bits, b.bits) + 1
    is_capped = UNSET not in {a.max_value, b.max_value}
    # QTools takes the output for signed.
    output = po2(bits, 1, _quotient(a.max_value, b.max_value) if is_capped else UNSET)
    int_bits = max(a.int_bits, b.int_bits) + 1
    return Operation(evolve(output, int_bits=int_bits), "add", 1.0, bits)


def _quotient(a: float, b: float) -> float:
    # A small cap was rounded to zero.
    return single(a / b) if b else math.inf


def _divide_float(a: Datatype, b: Datatype, out: Datatype) -> Operation:
    # Priced as a multiplication; 32 bits unless an operand is floating point.
    bits = out.bits or max(kind.bits for kind in (a, b) if kind.mode is Mode.FLOAT)
    return Operation(floating(bits), "mul", 1.0, bits)


_EXACT: Final = (Mode.FIXED, Mode.PO2, Mode.TERNARY, Mode.SIGN, Mode.ZERO_ONE)

_QUOTIENTS: Final[Mapping[tuple[Mode, Mode], tuple[Rule, Datatype]]] = {
    **{(mode, Mode.FIXED): (_divide_float, floating(32)) for mode in _EXACT},
    **{(mode, Mode.FLOAT): (_divide_float, floating(0)) for mode in Mode},
    (Mode.FLOAT, Mode.FIXED): (_divide_float, floating(0)),
    (Mode.FLOAT, Mode.PO2): (_divide_float, floating(0)),
    (Mode.FIXED, Mode.PO2): (_shift, TO_FIXED),
    (Mode.PO2, Mode.PO2): (_subtract_exponents, TO_PO2),
    (Mode.TERNARY, Mode.PO2): (_shift, TO_FIXED),
    (Mode.SIGN, Mode.PO2): (_shift, TO_PO2),
    (Mode.ZERO_ONE, Mode.PO2): (_shift, TO_PO2),
}
"""(numerator, denominator): circuit and class of the output."""
