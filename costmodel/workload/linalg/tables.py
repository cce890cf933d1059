"""Element types, and the operations of `arith` and `math` that stand for functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from costmodel.errors import FormatError, LinalgError
from costmodel.formats import (
    IEEE_EXPONENT_BITS,
    BlockFormat,
    FixedPoint,
    FloatingPoint,
    MixedPrecision,
    NumericFormat,
    parse_format,
)

PREFIX: Final = "costmodel."
"""Of the attributes and functions that this module writes."""
FARTHEST: Final = 2**62
"""Numbers of an index map that 64 bits hold, with room for a sum."""
UNDECLARED: Final = "undeclared"
"""In place of the format of a tensor that declares none."""

_FLOAT: Final = re.compile(r"(?P<brain>b)?f(?P<bits>\d{1,3})(E(?P<exponent>\d{1,2})M\d+\w*)?")
_INTEGER: Final = re.compile(r"(?P<sign>[su]?)i(?P<bits>\d{1,4})")


@frozen
class Element:
    """The element type of a tensor, and whether its bits have a sign."""

    is_float: bool
    bits: int
    signed: bool = True
    exponent: int | None = None
    """Bits of the exponent, where it is not that of IEEE 754."""

    @classmethod
    def of(cls, declared: NumericFormat | None) -> Element:
        """The type that holds a format; `f32` where none is declared.

        Of a format in blocks, or of mixed precision, it is the type of an element: MLIR has none
        with a scale, and one width for all elements.
        """
        if declared is None:
            return cls(is_float=True, bits=32)
        if isinstance(declared, BlockFormat | MixedPrecision):
            return cls.of(declared.element)
        if isinstance(declared, FloatingPoint):
            return cls(is_float=True, bits=declared.bits, exponent=declared.exponent_bits)
        return cls(is_float=False, bits=declared.bits, signed=declared.signed)

    def __str__(self) -> str:
        """Write it as MLIR does; integers have no sign there."""
        if self.is_float:
            return _OTHERS.get((self.bits, self.exponent), f"f{self.bits}")
        return f"i{self.bits}"

    def constant(self, number: int) -> str:
        """A whole number as a constant of the type."""
        return f"{number}.0" if self.is_float else str(number)

    def lowest(self) -> str:
        """The constant below every other."""
        if self.is_float:
            return self._infinite(negative=True)
        return str(-(2 ** (self.bits - 1)) if self.signed else 0)

    def highest(self) -> str:
        """The constant above every other."""
        if self.is_float:
            return self._infinite(negative=False)
        return str(2 ** (self.bits - self.signed) - 1)

    def _infinite(self, *, negative: bool) -> str:
        """An infinity as the bits of the word: a sign, an exponent of ones, a mantissa of 0.

        A type without one has its largest number there.
        """
        exponent = self.exponent or {8: 5, **IEEE_EXPONENT_BITS}[self.bits]
        word = (2**exponent - 1) << (self.bits - 1 - exponent)
        if str(self).endswith("FN"):
            word = 2 ** (self.bits - 1) - (2 if (self.bits, exponent) == _WITH_NAN else 1)
        return f"0x{word | negative << (self.bits - 1):0{-(-self.bits // 4)}X}"


_OTHERS: Final[Mapping[tuple[int, int | None], str]] = {
    (4, 2): "f4E2M1FN", (6, 2): "f6E2M3FN", (6, 3): "f6E3M2FN",
    (8, 4): "f8E4M3FN", (8, 5): "f8E5M2", (8, None): "f8E5M2", (16, 8): "bf16",
}  # fmt: skip
"""The names of types that are not IEEE 754's, by their bits and those of the exponent."""
_WITH_NAN: Final = (8, 4)
"""Of the types without an infinity, the one whose largest word is not a number."""


def format_of(element: str) -> NumericFormat:
    """The format that an element type states: `f16` is `float16`, `bf16` `bfloat16`, `i8` `int8`.

    Raises:
        LinalgError: no format is that.

    """
    floating, integer = _FLOAT.fullmatch(element), _INTEGER.fullmatch(element)
    try:
        if floating:
            exponent = "8" if floating["brain"] else floating["exponent"]
            return FloatingPoint(int(floating["bits"]), int(exponent) if exponent else None)
        if integer:
            signed = integer["sign"] != "u"
            bits = int(integer["bits"])
            return FixedPoint(bits, bits - signed, signed)
    except FormatError as error:
        message = f"element type {element!r:.40}: {error}"
        raise LinalgError(message) from None
    message = f"element type {element!r:.40}: expected a type such as f32 or i8"
    raise LinalgError(message)


def is_stated(declared: NumericFormat | None) -> bool:
    """Whether the element type alone says the format."""
    return declared is not None and format_of(str(Element.of(declared))) == declared


def format_text(declared: NumericFormat | None) -> str:
    """A format in words, for an attribute.

    Raises:
        LinalgError: no text states it.

    """
    if declared is None:
        return UNDECLARED
    text = str(declared)
    if parse_format(text) != declared:
        message = f"the format {declared!r:.80} has no text that states all of it"
        raise LinalgError(message)
    return text


ARITHMETIC: Final = {
    # function: operations of arith for floating point, for integers with a sign, for others
    "add": ("addf", "addi", "addi"),
    "subtract": ("subf", "subi", "subi"),
    "multiply": ("mulf", "muli", "muli"),
    "divide": ("divf", "divsi", "divui"),
    "maximum": ("maximumf", "maxsi", "maxui"),
    "minimum": ("minimumf", "minsi", "minui"),
}
"""The elementwise functions that are one operation of two numbers."""

MATH: Final = {
    "abs": "math.absf",
    "ceil": "math.ceil",
    "cos": "math.cos",
    "erf": "math.erf",
    "exp": "math.exp",
    "floor": "math.floor",
    "log": "math.log",
    "rsqrt": "math.rsqrt",
    "sin": "math.sin",
    "sqrt": "math.sqrt",
    "tanh": "math.tanh",
}
"""The activations that are one operation of a floating-point number."""

STEPS: Final = {"sum": "add", "mean": "add", "max": "maximum", "min": "minimum"} | {
    "product": "multiply"
}
"""The function that each step of a reduction is."""

ELEMENTWISE_OF: Final = {
    **{f"arith.{name}": function for function, names in ARITHMETIC.items() for name in names},
    "arith.maxnumf": "maximum",
    "arith.minnumf": "minimum",
    "arith.cmpf": "compare",
    "arith.cmpi": "compare",
    "arith.select": "select",
    "arith.andi": "logic",
    "arith.ori": "logic",
    "arith.xori": "logic",
}
"""The elementwise function that an operation is."""

ACTIVATION_OF: Final = {
    **{name: function for function, name in MATH.items()},
    "arith.negf": "negate",
    "math.absi": "abs",
    "math.exp2": "exp2",
    "math.log1p": "log1p",
    "math.round": "round",
    "math.tan": "tan",
}
"""The activation that an operation is."""

CONVERSIONS: Final = frozenset(
    f"arith.{name}"
    for name in (
        "extf", "truncf", "extsi", "extui", "trunci", "sitofp", "uitofp", "fptosi", "fptoui",
        "index_cast", "index_castui",
    )
)  # fmt: skip
"""Operations that give the same number in another type."""


def conversion(source: Element, target: Element) -> str | None:
    """The operation that gives a number in another type; None where it is the same type."""
    if str(source) == str(target):
        return None
    if source.is_float and target.is_float:
        return "extf" if target.bits > source.bits else "truncf"
    if source.is_float:
        return "fptosi" if target.signed else "fptoui"
    if target.is_float:
        return "sitofp" if source.signed else "uitofp"
    if target.bits < source.bits:
        return "trunci"
    return "extsi" if source.signed else "extui"
