"""Quantities as text, read and written by a closed table of prefixes and units."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final, NamedTuple

from costmodel.errors import UnitError

UNITS: Final = ("J", "W", "s", "Hz", "B", "bit", "V", "m2", "OP", "token")
"""Joule, watt, second, hertz, byte, bit, volt, square metre, operation, token.

A multiply-accumulate is 2 OP by the words of data sheets; nothing converts one into the other.
"""

SPELLINGS: Final = {"byte": "B", "FLOP": "OP", **{unit: unit for unit in UNITS}}
"""The units by what a text may call them; what is written has the names of `UNITS`.

A FLOP is an OP on floating-point numbers.
"""

PERCENT: Final = "%"
"""A hundredth of a plain number; it takes no prefix and stands in no quotient."""

DECIMAL_PREFIXES: Final = {
    "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "\u03bc": -6, "m": -3,
    "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15,
}  # fmt: skip
"""Powers of ten; micro is a letter u, the micro sign or a Greek mu, which look alike."""
BINARY_PREFIXES: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

_TYPICAL: Final = {
    "J": "n", "W": "m", "s": "m", "Hz": "M", "B": "G", "V": "m", "m2": "m", "OP": "T",
}  # fmt: skip
"""Prefixes for the examples of messages."""
_DIMENSIONS: Final = {"m2": 2}
"""How many times a prefix counts, if not once: 1 mm2 is (1 mm)2."""
_ANY_UNIT: Final = f"one of {', '.join(UNITS)} with an SI prefix, or a quotient of two"
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_SHOWN_PREFIXES: Final = ("a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P")
_SHOWN_LOWEST: Final = -18
_LONGEST_PLAIN: Final = 10**6
_SHOWN_LENGTH: Final = 80
"""Characters of a text that a message repeats."""


class Quantity(NamedTuple):
    """A value in the SI unit named beside it."""

    value: float
    unit: str


def parse_quantity(text: str, wanted: str | None = None) -> Quantity:
    """Read a quantity such as `23.6 pJ`, `614 GB/s` or `0.3` (no unit: a plain number).

    Raises:
        UnitError: not a number followed by at most one unit or quotient of units, or not in the
            SI unit that is `wanted`.

    """
    matched = _NUMBER.match(text.strip())
    if matched is None:
        demand = "a number and a unit, such as '23.6 pJ'" if wanted is None else demanded(wanted)
        message = f"{_shown(text)} is not a quantity; expected {demand}"
        raise UnitError(message)
    unit_text = text.strip()[matched.end() :].strip()
    try:
        exponent, factor, unit = _scale(unit_text)
    except UnitError as error:
        demand = _ANY_UNIT if wanted is None else demanded(wanted)
        message = f"unit {_shown(str(error))} in {_shown(text)} is not known; expected {demand}"
        raise UnitError(message) from None
    if wanted is not None and unit != wanted:
        message = f"expected {demanded(wanted)}, found {_shown(text)}"
        raise UnitError(message)
    # Shifting the decimal point keeps '23.6 pJ' the float nearest to 23.6e-12.
    value = float(Decimal(matched.group()).scaleb(exponent)) * factor
    if not math.isfinite(value):
        message = f"{_shown(text)} is too large for a number"
        raise UnitError(message)
    return Quantity(value, unit)


def _shown(text: str) -> str:
    """The text in quotation marks, of a long one the beginning."""
    return repr(text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}...")


def format_quantity(value: float, unit: str, digits: int = 3) -> str:
    """Write `value` with the SI prefix that leaves one to three digits before the point.

    The prefix of an area counts twice: such a number lies between 0.01 and 10,000.
    """
    if value == 0 or not math.isfinite(value) or not unit:
        return f"{value:.{digits}g} {unit}".strip()
    # Rounding first, so that 999.9 mJ become 1 J and not 1000 mJ.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    times = _DIMENSIONS.get(unit.partition("/")[0], 1)
    # Of a prefix that counts twice two digits may stand behind the point: 0.3 mm2.
    step = (exponent + 2 * (times - 1)) // (3 * times) - _SHOWN_LOWEST // 3
    power = max(0, min(step, len(_SHOWN_PREFIXES) - 1))
    scaled = value / 10.0 ** (times * (power * 3 + _SHOWN_LOWEST))
    return f"{_significant(scaled, digits)} {_SHOWN_PREFIXES[power]}{unit}"


def format_count(value: float, digits: int = 3) -> str:
    """Write a number of things, from 1,000 on with an SI prefix: 521 M."""
    if not _MANY_THINGS <= abs(value) < math.inf:
        return f"{value:.{digits}g}"
    return format_quantity(value, _THINGS, digits).removesuffix(_THINGS)


_THINGS: Final = "#"
_MANY_THINGS: Final = 1000


def _significant(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    # '%g' turns 9996 into '1e+04'; the plain form reads better here.
    return f"{float(text):.0f}" if "e" in text and 1 <= abs(value) < _LONGEST_PLAIN else text


def demanded(unit: str) -> str:
    """What to give where a quantity in an SI unit is wanted, with an example."""
    if not unit:
        return "a number without a unit or in %, such as '2'"
    return f"a quantity in {unit}, such as '2 {_TYPICAL.get(unit.partition('/')[0], '')}{unit}'"


def _scale(unit_text: str) -> tuple[int, int | float, str]:
    """The powers of ten and other factor to the SI unit, and that; an error names the culprit."""
    if not unit_text:
        return 0, 1, ""
    if unit_text == PERCENT:
        return -2, 1, ""
    upper, slash, lower = unit_text.partition("/")
    exponent, factor, unit = _prefixed(upper.strip())
    if not slash:
        return exponent, factor, unit
    below_exponent, below_factor, below = _prefixed(lower.strip())
    return exponent - below_exponent, factor / below_factor, f"{unit}/{below}"


def _prefixed(text: str) -> tuple[int, int, str]:
    for spelling, unit in SPELLINGS.items():
        prefix = text.removesuffix(spelling)
        if prefix != text and prefix in DECIMAL_PREFIXES:
            return DECIMAL_PREFIXES[prefix] * _DIMENSIONS.get(unit, 1), 1, unit
        if prefix != text and prefix in BINARY_PREFIXES and unit in {"B", "bit"}:
            return 0, BINARY_PREFIXES[prefix], unit
    raise UnitError(text)
