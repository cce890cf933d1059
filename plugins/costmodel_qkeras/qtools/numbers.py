"""Numbers as QTools' backend has them: single precision, 32-bit counts, elements of variables."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import Final


class InVariable(int):
    """A whole number that QTools keeps in a tensor of one element and prints as a list.

    It comes from the variable of an adaptive activation and infects the sums it takes part in;
    comparisons, products and int() work as for any number.
    """

    def __add__(self, other: int) -> InVariable:
        """Stay in the variable."""
        return InVariable(int(self) + int(other))

    def __sub__(self, other: int) -> InVariable:
        """Stay in the variable."""
        return InVariable(int(self) - int(other))

    def __rsub__(self, other: int) -> InVariable:
        """Stay in the variable."""
        return InVariable(int(other) - int(self))

    __radd__ = __add__


def typed(value: object) -> tuple[type, object]:
    """A key that tells True from 1 and a variable from a number, which are equal."""
    return value.__class__, value


def printed(number: int) -> int | list[int]:
    """A number as QTools prints it."""
    return [int(number)] if isinstance(number, InVariable) else number


_FLOAT32: Final = struct.Struct("f")


def single(value: float) -> float:
    """Round to single precision."""
    rounded: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    return rounded


_LN_2: Final = single(math.log(2.0))
_LN_10: Final = single(math.log(10.0))


@cache
def log2(value: float) -> float:
    """The logarithm as a quotient of two in single precision."""
    return single(single(math.log(single(value))) / _LN_2)


def log10(value: float) -> float:
    """The logarithm as a quotient of two in single precision."""
    return single(single(math.log(value)) / _LN_10)


def root(value: float) -> float:
    """The square root of a number in single precision."""
    return single(math.sqrt(single(value)))


def counted(number: int) -> int:
    """A count of bits or words: it wraps around at 32 bits, and is then in single precision."""
    if 0 <= number <= _EXACT:
        return number
    return int(single((number + 2**31) % 2**32 - 2**31))


_EXACT: Final = 2**24
"""Up to here single precision has every whole number."""
