"""Arithmetic operations as QTools sees them, and shifts by powers of two."""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

from costmodel_qkeras.qtools.datatypes import UNSET, Datatype, fixed
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.numbers import log2, log10, root, single

MUX_GATE: Final = 0.3
"""Size of a multiplexer beside an adder of the same width (QTools, multiplier_impl)."""


@frozen
class Operation:
    """An operation: its output, and the circuit that builds it with its size in adder gates."""

    output: Datatype
    implementation: str
    gate_factor: float = 1.0
    gate_bits: float = UNSET

    def yielding(self, output: Datatype) -> Operation:
        """The same circuit with another output, as the reference mode makes it."""
        return Operation(output, self.implementation, self.gate_factor, self.gate_bits)


def exponents(po2: Datatype) -> tuple[int, int]:
    """The digits right and left of the point that the exponents of a power of two reach.

    QTools always keeps a sign for the exponent and never lets the cap go below one.
    """
    exponent_bits = po2.bits - 1 if po2.is_signed else po2.bits
    right: int = 2 ** (exponent_bits - 1)
    left = right - 1
    if po2.max_value != UNSET:
        left = min(_cap(po2.max_value), left)
    return right, max(0, left)


def _cap(max_value: float) -> int:
    if math.isinf(max_value):
        message = "QTools raises OverflowError: the cap of a power of two is infinite"
        raise QToolsError(message)
    return 0 if max_value <= 0 else math.ceil(log2(max_value))


def as_fixed(po2: Datatype) -> Datatype:
    """A power of two as fixed point; its highest value would need a digit more."""
    right, left = exponents(po2)
    return fixed(int(po2.is_signed + right + left), left, po2.is_signed)


def scaled(word: Datatype, left: int, right: int, po2: Datatype, out: Datatype) -> Datatype:
    """A word shifted by up to `left` and `right` places, in the class of `out`."""
    sign = int(not word.is_signed and bool(po2.is_signed))
    bits = int(word.bits + left + right) + sign
    int_bits = int(word.int_bits + left)
    return out.sized(bits, int_bits, word.is_signed | po2.is_signed)


def shifter(output: Datatype, po2: Datatype, word: Datatype) -> Operation:
    """A shifter with its size: constants that are known need a fixed shift each."""
    if po2.distinct_values > 0:
        return Operation(output, "shifter", po2.distinct_values * MUX_GATE, word.bits)
    # A programmable shifter: b log10(b) gates with b = sqrt(positions * bits).
    size = root(2**po2.bits * word.bits)
    return Operation(output, "shifter", 1.0, single(size * log10(size)))
