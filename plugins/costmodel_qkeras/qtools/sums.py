"""Sums: of two datatypes, and of many products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from attrs import evolve

from costmodel_qkeras.qtools.datatypes import UNSET, Datatype, Mode, fixed, floating
from costmodel_qkeras.qtools.numbers import log2
from costmodel_qkeras.qtools.operations import Operation, as_fixed

_UNCONVERTED: Final = (Mode.PO2, Mode.ZERO_ONE)
"""Operands, in this order, of which QTools takes the first for a word of integer bits."""


def add(a: Datatype, b: Datatype) -> Operation:
    """The addition of two datatypes."""
    if Mode.FLOAT in {a.mode, b.mode}:
        # QTools takes the wider operand even if that is the fixed-point one.
        return Operation(floating(max(a.bits, b.bits)), "add")
    if (a.mode, b.mode) == _UNCONVERTED:
        return Operation(_add_words(a, b), "add")
    # Of two equal widths the first counts, and powers of two come first.
    ordered = (a, b) if a.mode is Mode.PO2 or b.mode is not Mode.PO2 else (b, a)
    return Operation(_add_words(*map(_word, ordered)), "add")


def _word(kind: Datatype) -> Datatype:
    return as_fixed(kind) if kind.mode is Mode.PO2 else kind


def _add_words(a: Datatype, b: Datatype) -> Datatype:
    int_bits = max(a.int_bits, b.int_bits) + 1
    signed = a.is_signed | b.is_signed
    bits = int_bits + int(signed) + max(a.fraction_bits, b.fraction_bits)
    return fixed(bits, int_bits, signed)


def accumulate(product: Datatype, terms: int) -> Operation:
    """The accumulator of `terms` products; single precision loses a digit beyond 2**21."""
    if product.mode is Mode.FLOAT:
        return Operation(evolve(floating(product.bits), is_signed=product.is_signed), "add")
    growth = math.ceil(log2(terms))
    word = _word(product)
    output = fixed(growth + word.bits, growth + word.int_bits, product.is_signed)
    return Operation(output, "add")


def widest(inputs: Sequence[Datatype], grow: int) -> Datatype:
    """The widest bits and the widest integer bits, each on its own, with `grow` digits more."""
    signed: int = False
    for kind in inputs:
        signed |= kind.is_signed
    floats = [kind.bits for kind in inputs if kind.mode is Mode.FLOAT]
    if floats:
        return floating(max(floats))
    words = [_word(kind) for kind in inputs]
    # Of equals the last counts: it decides whether the number lives in a variable.
    bits = max([word.bits for word in reversed(words)])
    int_bits = max([*(word.int_bits for word in reversed(words)), UNSET])
    return fixed(bits + grow, int_bits + grow, signed)
