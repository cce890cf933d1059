"""Numeric formats: how the elements of a tensor are stored."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge, in_, le

MAX_BITS = 1024
"""No format of any published accelerator comes near; more is taken for a slip of the pen."""

_BITS = (ge(1), le(MAX_BITS))


@frozen
class NumericFormat:
    """How one number is stored. Subclasses say what the bits mean."""

    bits: int = field(validator=_BITS)


@frozen
class FixedPoint(NumericFormat):
    """Fixed point: `integer_bits` before the binary point, the sign bit apart if `signed`."""

    integer_bits: int = 0
    signed: bool = True

    def __str__(self) -> str:
        """Write the format as hardware people do: `fixed<8,3>`, unsigned `ufixed<8,3>`."""
        return f"{'' if self.signed else 'u'}fixed<{self.bits},{self.integer_bits}>"


@frozen
class FloatingPoint(NumericFormat):
    """Binary floating point of 16, 32 or 64 bits (IEEE 754), or 8 bits."""

    WIDTHS: ClassVar = (8, 16, 32, 64)

    bits: int = field(validator=in_(WIDTHS))

    def __str__(self) -> str:
        """Write the format as frameworks do: `float32`."""
        return f"float{self.bits}"


FLOAT32 = FloatingPoint(32)
