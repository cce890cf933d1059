"""Numeric formats and their arithmetic: what a result needs, and which circuit forms it.

The rules are exact: every product and sum of representable operands is representable in the
format that is inferred for it. Floating point is the exception, it rounds by nature.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, StrEnum
from fractions import Fraction
from functools import cache, reduce
from operator import ge
from typing import Any, ClassVar, Final, TypeAlias

import attrs
from attrs import field, frozen
from attrs.validators import optional

from costmodel.errors import FormatError
from costmodel.safe_io import TOO_MANY_DIGITS

MAX_BITS: Final = 4096
"""No datapath is wider; the limit also bounds the work that a hostile file can ask for."""
MAX_EXPONENT_BITS: Final = 11
"""Exponents of this many bits span 2**1024, the range of IEEE double precision."""
FLOAT_WIDTHS: Final = (8, 16, 32, 64, 128)
"""The interchange formats of IEEE 754, and 8 bits, which it does not define."""
IEEE_EXPONENT_BITS: Final = {16: 5, 32: 8, 64: 11, 128: 15}
"""The bits of the exponent by width: IEEE 754-2019, table 3.5."""
OTHER_FLOATS: Final = {
    "float4_e2m1": (4, 2), "float6_e2m3": (6, 2), "float6_e3m2": (6, 3),
    "float8_e4m3": (8, 4), "float8_e5m2": (8, 5), "bfloat16": (16, 8),
}  # fmt: skip
"""Width and bits of the exponent of other formats: OCP MX 1.0, section 5.3, and bfloat16."""

TERNARY_GATES: Final = 2.0
"""Multiplexers by which a ternary operand chooses among +x, -x and 0: two in a row."""


class Circuit(StrEnum):
    """What carries out an operation."""

    MULTIPLIER = "multiplier"
    SHIFTER = "shifter"
    MUX = "mux"
    AND = "and"
    XOR = "xor"
    ADDER = "adder"


class NumericFormat:
    """How one number is stored, in `bits` bits."""

    name: ClassVar[str]

    __slots__ = ()

    @property
    @abstractmethod
    def bits(self) -> int:
        """Width of the word."""

    @property
    @abstractmethod
    def signed(self) -> bool:
        """Whether it can be negative."""

    @property
    def mean_bits(self) -> Fraction | int:
        """Bits of an element on average: those of the word, unless elements differ in width."""
        return self.bits

    @abstractmethod
    def values(self) -> Iterator[Fraction]:
        """Every number that the format represents."""

    def stored_bits(self, count: int) -> int:
        """Bits of `count` numbers in memory."""
        return count * self.bits

    def to_dict(self) -> dict[str, Any]:
        """The format as plain values; `from_dict` reads it back."""
        return {"format": self.name, **attrs.asdict(self)}  # type: ignore[arg-type]  # all are attrs classes

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> NumericFormat:
        """The format that `to_dict` wrote.

        Raises:
            FormatError: no such format.

        """
        settings = dict(values)
        if isinstance(settings.get("element"), Mapping):
            settings["element"] = NumericFormat.from_dict(settings["element"])
        cls = FORMATS.get(settings.pop("format", None))
        if cls is None:
            message = f"{values!r:.80} is not a numeric format; known: {', '.join(FORMATS)}"
            raise FormatError(message)
        try:
            return cls(**settings)
        except TypeError:
            known = ", ".join(item.name for item in attrs.fields(cls))  # type: ignore[arg-type]  # as above
            message = f"{values!r:.80} is not a {cls.name} format; its fields: {known or 'none'}"
            raise FormatError(message) from None


def _whole(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_BITS:
        message = f"{attribute.name} is {value!r:.40}; expected a whole number from 1 to {MAX_BITS}"
        raise FormatError(message)


def _integer(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{attribute.name} is {value!r:.40}; expected a whole number"
        raise FormatError(message)


def _truth(instance: object, attribute: attrs.Attribute[bool], value: Any) -> None:
    if not isinstance(value, bool):
        message = f"{attribute.name} is {value!r:.40}; expected true or false"
        raise FormatError(message)


@frozen(cache_hash=True)
class FixedPoint(NumericFormat):
    """Two's complement or unsigned: multiples of 2**-fraction_bits.

    `integer_bits` stand before the binary point; the sign bit is counted apart.
    """

    name: ClassVar = "fixed"

    bits: int = field(validator=_whole)
    integer_bits: int = field(default=0, validator=_integer)
    signed: bool = field(default=True, validator=_truth)

    def __attrs_post_init__(self) -> None:
        """Refuse an integer part that leaves no bit of the word."""
        if not -MAX_BITS <= self.integer_bits <= self.bits:
            message = (
                f"integer_bits is {self.integer_bits} in a word of {self.bits} bits; "
                f"expected at most {self.bits} and at least -{MAX_BITS}"
            )
            raise FormatError(message)

    def __str__(self) -> str:
        """Write `fixed<8,3>`, unsigned `ufixed<8,3>`: the width and the integer bits."""
        return f"{'' if self.signed else 'u'}fixed<{self.bits},{self.integer_bits}>"

    @property
    def fraction_bits(self) -> int:
        """Binary digits after the point; negative where the step is larger than one."""
        return self.bits - self.integer_bits - self.signed

    def values(self) -> Iterator[Fraction]:
        """Every number that the format represents."""
        lowest = -(2 ** (self.bits - 1)) if self.signed else 0
        step = Fraction(2) ** -self.fraction_bits
        return (step * (lowest + index) for index in range(2**self.bits))


@frozen(cache_hash=True)
class PowerOfTwo(NumericFormat):
    """A power of two whose exponent is stored: +-2**e, never zero.

    The word is a sign, if `signed`, and an exponent, which has a sign of its own unless
    `max_exponent` is zero or below.
    """

    name: ClassVar = "power of two"

    bits: int = field(validator=_whole)
    signed: bool = field(default=True, validator=_truth)
    max_exponent: int | None = field(default=None, validator=optional(_integer))

    def __attrs_post_init__(self) -> None:
        """Refuse an exponent of no bits, of more than any number needs, or of no value."""
        if not 1 <= self.exponent_bits <= MAX_EXPONENT_BITS:
            message = (
                f"bits is {self.bits}, which leaves {self.exponent_bits} for the exponent; "
                f"expected 1 to {MAX_EXPONENT_BITS}"
            )
            raise FormatError(message)
        if self.highest_exponent < self.lowest_exponent:
            message = (
                f"max_exponent is {self.max_exponent} in a word of {self.bits} bits; "
                f"expected at least {self.lowest_exponent}"
            )
            raise FormatError(message)

    def __str__(self) -> str:
        """Write `po2<4>`, unsigned `upo2<4>`: the width."""
        return f"{'' if self.signed else 'u'}po2<{self.bits}>"

    @property
    def exponent_bits(self) -> int:
        """Bits of the exponent, its own sign among them."""
        return self.bits - self.signed

    @property
    def _magnitude_bits(self) -> int:
        return self.exponent_bits - (self.max_exponent is None or self.max_exponent > 0)

    @property
    def lowest_exponent(self) -> int:
        """Exponent of the smallest magnitude."""
        return -(1 << self._magnitude_bits)

    @property
    def highest_exponent(self) -> int:
        """Exponent of the largest magnitude."""
        highest = (1 << self._magnitude_bits) - 1
        return highest if self.max_exponent is None else min(highest, self.max_exponent)

    def values(self) -> Iterator[Fraction]:
        """Every number that the format represents."""
        signs = (1, -1) if self.signed else (1,)
        exponents = range(self.lowest_exponent, self.highest_exponent + 1)
        return (sign * Fraction(2) ** exponent for exponent in exponents for sign in signs)


@frozen(cache_hash=True)
class Ternary(NumericFormat):
    """One of -1, 0 and +1."""

    name: ClassVar = "ternary"

    @property
    def bits(self) -> int:
        """Two bits tell three values apart."""
        return 2

    @property
    def signed(self) -> bool:
        """-1 is negative."""
        return True

    def __str__(self) -> str:
        """Write `ternary`."""
        return self.name

    def values(self) -> Iterator[Fraction]:
        """Every number that the format represents."""
        return map(Fraction, (-1, 0, 1))


@frozen(cache_hash=True)
class Binary(NumericFormat):
    """One of -1 and +1, or of 0 and 1."""

    name: ClassVar = "binary"

    zero_one: bool = field(default=False, validator=_truth)

    @property
    def bits(self) -> int:
        """One bit tells two values apart."""
        return 1

    def __str__(self) -> str:
        """Write `binary<-1,1>` or `binary<0,1>`."""
        return f"binary<{'0' if self.zero_one else '-1'},1>"

    @property
    def signed(self) -> bool:
        """Whether the lower of the two values is negative."""
        return not self.zero_one

    def values(self) -> Iterator[Fraction]:
        """Every number that the format represents."""
        return map(Fraction, (0, 1) if self.zero_one else (-1, 1))


@frozen(cache_hash=True)
class FloatingPoint(NumericFormat):
    """Floating point of the given width: IEEE 754's, unless the bits of the exponent say otherwise.

    `FloatingPoint(16, 8)` is bfloat16, `FloatingPoint(8, 4)` float8_e4m3.
    """

    name: ClassVar = "float"

    bits: int = 32
    exponent_bits: int | None = None
    """None in a format of IEEE 754, and where 8 bits are divided in a way that nobody states."""

    @property
    def signed(self) -> bool:
        """A sign bit is part of every width."""
        return True

    def __attrs_post_init__(self) -> None:
        """Refuse formats in which nobody computes."""
        if self.exponent_bits is not None:
            if self.exponent_bits == IEEE_EXPONENT_BITS.get(self.bits):
                object.__setattr__(self, "exponent_bits", None)
            elif (self.bits, self.exponent_bits) not in OTHER_FLOATS.values():
                known = ", ".join(OTHER_FLOATS)
                message = (
                    f"no floating point of {self.bits!r:.40} bits has an exponent of "
                    f"{self.exponent_bits!r:.40}; known besides IEEE 754: {known}"
                )
                raise FormatError(message)
        elif self.bits not in FLOAT_WIDTHS:
            message = f"bits is {self.bits!r:.40}; expected one of {FLOAT_WIDTHS} in floating point"
            raise FormatError(message)

    def to_dict(self) -> dict[str, Any]:
        """The format as plain values, without the exponent where it is IEEE 754's."""
        exponent = {} if self.exponent_bits is None else {"exponent_bits": self.exponent_bits}
        return {"format": self.name, "bits": self.bits, **exponent}

    def __str__(self) -> str:
        """Write `float32`, or `bfloat16`."""
        division = self.bits, self.exponent_bits
        names = (name for name, other in OTHER_FLOATS.items() if other == division)
        return next(names, f"float{self.bits}")

    def values(self) -> Iterator[Fraction]:
        """Not listed: floating point rounds, and no law of exactness holds for it."""
        message = f"the values of {self} are not listed"
        raise FormatError(message)


def _element(instance: object, attribute: attrs.Attribute[NumericFormat], value: Any) -> None:
    if not isinstance(value, FixedPoint | FloatingPoint):
        message = (
            f"{attribute.name} is {value!s:.40}; expected fixed or floating point in blocks, "
            "such as int4 or float4_e2m1"
        )
        raise FormatError(message)


@frozen(cache_hash=True)
class BlockFormat(NumericFormat):
    """Elements that share a scale in blocks of `length`: the formats of OCP MX, NVFP4 and others.

    An element alone is of the format `element`. A product of two is one of their elements, in
    `float32` as OCP MX 1.0 has it (section 6.2); all other arithmetic is in `float32`. The scales
    are stored, and multiplying by them is not counted: it is done once for a block.
    """

    name: ClassVar = "block"

    element: NumericFormat = field(validator=_element)
    length: int = field(default=32, validator=_whole)
    scale_bits: int = field(default=8, validator=_whole)

    @property
    def bits(self) -> int:
        """Width of an element, without its part of the scale."""
        return self.element.bits

    @property
    def signed(self) -> bool:
        """Whether an element can be negative."""
        return self.element.signed

    def stored_bits(self, count: int) -> int:
        """Bits of the elements, and a scale for each block that is begun."""
        blocks = (count + self.length - 1) // self.length
        return count * self.element.bits + blocks * self.scale_bits

    def values(self) -> Iterator[Fraction]:
        """Not listed: they depend on the scale."""
        message = f"the values of {self} are not listed"
        raise FormatError(message)

    def to_dict(self) -> dict[str, Any]:
        """The format as plain values."""
        sizes = {"length": self.length, "scale_bits": self.scale_bits}
        return {"format": self.name, "element": self.element.to_dict(), **sizes}

    def __str__(self) -> str:
        """Write `mxfp4`, or `block<int4,128,16>`: element, length, bits of the scale."""
        names = (name for name, known in BLOCKS.items() if known == self)
        shown = f"{format_name(self.element)},{self.length},{self.scale_bits}"
        return next(names, f"block<{shown}>")


def _fraction(given: Any) -> Any:
    """The number of bits as an exact fraction; as it is where it is none."""
    if isinstance(given, bool) or not isinstance(given, int | float | str | Fraction):
        return given
    shown = repr(given) if isinstance(given, float) else given
    try:
        if isinstance(shown, str) and not _NUMBER.fullmatch(shown):
            return given
        return Fraction(shown)
    except (ValueError, ZeroDivisionError):
        return given


_NUMBER: Final = re.compile(r"\d{1,20}(\.\d{1,20}|/\d{1,20})?")
"""How a number of bits is written: whole, decimal or a ratio."""


def _mean_width(instance: MixedPrecision, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Fraction) or not 0 <= value <= instance.element.bits:
        message = (
            f"{attribute.name} is {value!s:.40}; expected a number from 0 to the "
            f"{instance.element.bits} bits of {format_name(instance.element)}"
        )
        raise FormatError(message)


@frozen(cache_hash=True)
class MixedPrecision(NumericFormat):
    """Elements of different widths, or of a width that is no whole number of bits.

    `element` represents every value of every element, and results are inferred from it. An element
    has `mean_bits` on average, those of no bits (pruned) among them: a multiplier is as large as
    its mean operands ask, so that the mean over independent operands of the product of their
    widths is kept. `packed` elements are stored each in its own width; others in the word of
    `element`, as one of 2.5 bits has to be.
    """

    name: ClassVar = "mixed"

    element: NumericFormat = field(validator=_element)
    mean_bits: Fraction = field(converter=_fraction, validator=_mean_width)
    packed: bool = field(default=True, validator=_truth)

    @property
    def bits(self) -> int:
        """Width of the word that holds any element."""
        return self.element.bits

    @property
    def signed(self) -> bool:
        """Whether an element can be negative."""
        return self.element.signed

    def stored_bits(self, count: int) -> int:
        """Bits of `count` elements: their mean times their number, rounded up, where packed."""
        if not self.packed:
            return self.element.stored_bits(count)
        return -(-count * self.mean_bits.numerator // self.mean_bits.denominator)

    def values(self) -> Iterator[Fraction]:
        """Every number that the format represents."""
        return self.element.values()

    def to_dict(self) -> dict[str, Any]:
        """The format as plain values; the mean is text, exact."""
        sizes = {"mean_bits": _written(self.mean_bits), "packed": self.packed}
        return {"format": self.name, "element": self.element.to_dict(), **sizes}

    def __str__(self) -> str:
        """Write `mixed<int3,2.5>`: element, mean bits; with `,padded` where not packed."""
        padded = "" if self.packed else ",padded"
        return f"mixed<{format_name(self.element)},{_written(self.mean_bits)}{padded}>"


def _written(bits: Fraction) -> str:
    """A number of bits as a short decimal where that is exact, else as a ratio."""
    shown = f"{float(bits):.6g}"
    return shown if _fraction(shown) == bits else str(bits)


BLOCKS: Final = {
    "mxfp8_e4m3": BlockFormat(FloatingPoint(8, 4)),
    "mxfp8_e5m2": BlockFormat(FloatingPoint(8, 5)),
    "mxfp6_e3m2": BlockFormat(FloatingPoint(6, 3)),
    "mxfp6_e2m3": BlockFormat(FloatingPoint(6, 2)),
    "mxfp4": BlockFormat(FloatingPoint(4, 2)),
    "mxint8": BlockFormat(FixedPoint(8, 1)),
    "nvfp4": BlockFormat(FloatingPoint(4, 2), 16),
}
"""Block formats by name: OCP MX 1.0, table 1, and NVIDIA's 4 bits with a scale for 16 elements."""

FORMATS: Final[Mapping[Any, type[NumericFormat]]] = {
    cls.name: cls for cls in (
        FixedPoint, PowerOfTwo, Ternary, Binary, FloatingPoint, BlockFormat, MixedPrecision,
    )
}  # fmt: skip
FLOAT32: Final = FloatingPoint(32)

_TEXT: Final = re.compile(
    r"(?P<unsigned>u)?(?P<name>int|fixed|po2|float)<?(?P<bits>\d+)(,(?P<integer>-?\d+))?>?"
)
_BLOCK: Final = re.compile(r"block<(?P<element>[^<>]+(<[^<>]*>)?),(?P<length>\d+),(?P<scale>\d+)>")
_MIXED: Final = re.compile(
    r"mixed<(?P<element>[^<>]+(<[^<>]*>)?),(?P<mean>[\d./]+)(?P<padded>,padded)?>"
)
_NAMED: Final = {
    **BLOCKS,
    "mxfp4_e2m1": BLOCKS["mxfp4"],
    "ternary": Ternary(),
    "binary": Binary(),
    "binary<-1,1>": Binary(),
    "binary<0,1>": Binary(zero_one=True),
    **{name: FloatingPoint(*division) for name, division in OTHER_FLOATS.items()},
    "bf16": FloatingPoint(16, 8),
    "fp16": FloatingPoint(16),
    "fp32": FloatingPoint(32),
    "fp64": FloatingPoint(64),
}


def parse_format(text: str) -> NumericFormat:
    """The format that a text names: `int8`, `fixed<8,3>`, `po2<4>`, `float16`, `ternary`, `binary`.

    A leading `u` makes it unsigned; `int8` has all its digits before the binary point. Other
    floating point is `bfloat16`, `float8_e4m3`, `float8_e5m2` and so on; `fp32`, `fp16` and `bf16`
    are other spellings. Elements that share a scale in blocks are `mxfp8_e4m3`, `mxfp4`, `nvfp4`
    and so on, or `block<int4,128,16>`: the element, the length of a block, the bits of its scale.
    Elements of different widths are `mixed<fixed<8,3>,2.5>`: what holds them all, and their mean
    width; `mixed<int3,2.5,padded>` where each is stored in that word.

    Raises:
        FormatError: no such format.

    """
    known = _NAMED.get(text)
    matched = _TEXT.fullmatch(text)
    parts = _BLOCK.fullmatch(text) or _MIXED.fullmatch(text)
    if known is not None or (matched is None and parts is None):
        return known or _no_format(text)
    try:
        made = _of_elements(parts) if matched is None else _made(matched)
    except FormatError as error:
        message = f"{text!r:.40}: {error}"
        raise FormatError(message) from None
    except ValueError:  # Python reads no more digits
        message = f"{text!r:.40}: {TOO_MANY_DIGITS}"
        raise FormatError(message) from None
    return made or _no_format(text)


def format_name(number: NumericFormat) -> str:
    """The shortest text that `parse_format` reads as a format: `int8` for `fixed<8,7>`."""
    is_whole = isinstance(number, FixedPoint) and number.fraction_bits == 0
    return f"{'' if number.signed else 'u'}int{number.bits}" if is_whole else str(number)


def _made(matched: re.Match[str]) -> NumericFormat | None:
    signed, bits = not matched["unsigned"], int(matched["bits"])
    integer = matched["integer"]
    if matched["name"] == "int" and integer is None:
        return FixedPoint(bits, bits - signed, signed)
    if matched["name"] == "fixed":
        return FixedPoint(bits, int(integer or 0), signed)
    if matched["name"] == "po2" and integer is None:
        return PowerOfTwo(bits, signed)
    if matched["name"] == "float" and signed and integer is None:
        return FloatingPoint(bits)
    return None


def _of_elements(matched: Any) -> NumericFormat:
    element = parse_format(matched["element"])
    if matched.re is _MIXED:
        return MixedPrecision(element, matched["mean"], matched["padded"] is None)
    return BlockFormat(element, int(matched["length"]), int(matched["scale"]))


def _no_format(text: str) -> NumericFormat:
    message = (
        f"{text!r:.40} is not a numeric format; expected one such as int8, uint4, fixed<8,3>, "
        "po2<4>, float16, bfloat16, float8_e4m3, mxfp4, mixed<int3,2.5>, ternary, binary<-1,1> or "
        "binary<0,1>"
    )
    raise FormatError(message)


Rule: TypeAlias = "Callable[..., Operation]"
"""Takes two formats of the classes that it is for."""


@frozen(cache_hash=True)
class Operation:
    """One arithmetic operation: what it yields, what forms it, and how large that is.

    It takes `gates` of the named circuit, each over `gate_bits` bits. How large such a circuit is
    compared with an adder depends on the chip.
    """

    result: NumericFormat
    circuit: Circuit
    gates: float
    gate_bits: float
    is_floating: bool = field(kw_only=True)
    """Whether the circuit is one of floating point; unless given, as its result is."""

    @is_floating.default
    def _is_floating(self) -> bool:
        return isinstance(self.result, FloatingPoint)


def _fixed(integer: int, fraction: int, *, signed: bool) -> FixedPoint:
    """The narrowest valid fixed-point format with at least these parts."""
    sign = int(signed)
    # A word is never narrower than its integer part, nor empty.
    bits = max(integer + sign + max(fraction, -sign), 1)
    return FixedPoint(bits, integer, signed)


def _power_of_two(lowest: int, highest: int, *, signed: bool) -> PowerOfTwo:
    """The narrowest power-of-two format that holds these exponents."""
    # The lowest exponent of every format is farther from zero than its highest.
    exponent_bits = max((-lowest - 1).bit_length() + (highest > 0), 1)
    return PowerOfTwo(exponent_bits + signed, signed, highest)


_SMALL_AS_FIXED: dict[NumericFormat, FixedPoint] = {
    Ternary(): FixedPoint(2, 1, signed=True),
    Binary(zero_one=False): FixedPoint(2, 1, signed=True),
    Binary(zero_one=True): FixedPoint(1, 1, signed=False),
}


@cache
def as_fixed_point(number: NumericFormat) -> FixedPoint:
    """The narrowest fixed-point format that holds every value of a format."""
    if isinstance(number, FixedPoint):
        return number
    if isinstance(number, PowerOfTwo):
        # 2**highest needs one digit more than the highest exponent.
        return _fixed(number.highest_exponent + 1, -number.lowest_exponent, signed=number.signed)
    if isinstance(number, MixedPrecision):
        return as_fixed_point(number.element)
    if isinstance(number, FloatingPoint | BlockFormat):
        message = f"floating point of {number.bits} bits has no fixed-point equivalent"
        raise FormatError(message)
    return _SMALL_AS_FIXED[number]


def narrowest_float(exponent_bits: int, mantissa_bits: int) -> FloatingPoint:
    """The narrowest known floating point with at least these bits of exponent and mantissa.

    Raises:
        FormatError: no known format has as many.

    """
    needed = exponent_bits, mantissa_bits
    for one in _FLOATS:
        if all(map(ge, _divided(one), needed)):
            return one
    shown = f"{exponent_bits} bits of exponent and {mantissa_bits} of mantissa"
    message = f"no known floating point has {shown}"
    raise FormatError(message)


def narrowest_fixed(integer_bits: int, fraction_bits: int, *, signed: bool) -> FixedPoint:
    """The narrowest fixed point with at least these bits before and after the binary point."""
    return _fixed(integer_bits, fraction_bits, signed=signed)


def held_in(number: NumericFormat) -> NumericFormat:
    """The format of a word that holds any element: of mixed precision the widest, else itself."""
    return number.element if isinstance(number, MixedPrecision) else number


def _width(number: NumericFormat) -> float:
    """Bits of an operand that a circuit sees, on average."""
    return float(number.mean_bits) if isinstance(number, MixedPrecision) else number.bits


def _widest_float(*numbers: NumericFormat) -> FloatingPoint | None:
    """The narrowest floating point that holds all operands in floating point, if any is.

    A number of a block is one in `float32` by its scale.
    """
    alone = [FLOAT32 if isinstance(number, BlockFormat) else held_in(number) for number in numbers]
    floats = {number for number in alone if isinstance(number, FloatingPoint)}
    if len(floats) < 2:  # noqa: PLR2004  # nothing to compare
        return next(iter(floats), None)
    exponents, mantissas = zip(*map(_divided, floats), strict=True)
    return narrowest_float(max(exponents), max(mantissas))


def _divided(number: FloatingPoint) -> tuple[int, int]:
    """The bits of the exponent and of the mantissa: the most of both where nobody states it."""
    exponent = number.exponent_bits or IEEE_EXPONENT_BITS.get(number.bits)
    return (5, 3) if exponent is None else (exponent, number.bits - 1 - exponent)


_FLOATS: Final = sorted(
    [FloatingPoint(bits) for bits in IEEE_EXPONENT_BITS]
    + [FloatingPoint(*division) for division in OTHER_FLOATS.values()],
    key=lambda number: number.bits,
)


def _multiply_fixed(a: NumericFormat, b: NumericFormat) -> Operation:
    """Multiply two fixed-point numbers.

    Two signed operands need a digit more: the product of both lowest values is positive.
    """
    x, y = as_fixed_point(a), as_fixed_point(b)
    result = _fixed(
        x.integer_bits + y.integer_bits + (x.signed and y.signed),
        x.fraction_bits + y.fraction_bits,
        signed=x.signed or y.signed,
    )
    return Operation(result, Circuit.MULTIPLIER, 1.0, math.sqrt(_width(a) * _width(b)))


def _shift(power: PowerOfTwo, number: NumericFormat) -> Operation:
    """Multiply a fixed-point number by a power of two: a programmable shifter.

    Its size is that of b*log10(b) adder cells with b the geometric mean of the positions and
    the word (QKeras QTools, multiplier_impl.Shifter).
    """
    word = as_fixed_point(number)
    result = _fixed(
        word.integer_bits + power.highest_exponent + (word.signed and power.signed),
        word.fraction_bits - power.lowest_exponent,
        signed=word.signed or power.signed,
    )
    size = math.sqrt(2**power.bits * _width(number))
    return Operation(result, Circuit.SHIFTER, 1.0, size * math.log10(max(size, 1.0)))


def _add_exponents(a: PowerOfTwo, b: PowerOfTwo) -> Operation:
    """Multiply two powers of two: an adder of their exponents."""
    result = _power_of_two(
        a.lowest_exponent + b.lowest_exponent,
        a.highest_exponent + b.highest_exponent,
        signed=a.signed or b.signed,
    )
    return Operation(result, Circuit.ADDER, 1.0, result.bits)


def _multiply_float(a: NumericFormat, b: NumericFormat) -> Operation:
    """Multiply in the widest floating-point format of the operands."""
    result = union(held_in(a), held_in(b))
    return Operation(result, Circuit.MULTIPLIER, 1.0, result.bits)


def _signed_by(number: NumericFormat) -> NumericFormat:
    """The format that holds a number and its negative."""
    if isinstance(number, PowerOfTwo):
        return (
            number
            if number.signed
            else _power_of_two(number.lowest_exponent, number.highest_exponent, signed=True)
        )
    number = held_in(number)
    if isinstance(number, FixedPoint):
        # The negative of the lowest two's complement value needs a digit more.
        return _fixed(number.integer_bits + number.signed, number.fraction_bits, signed=True)
    return number


def _select(gates: float, zero: bool) -> Rule:  # noqa: FBT001 - a table entry
    """The rule that chooses among +x, -x and, if `zero`, 0."""

    def rule(_: NumericFormat, b: NumericFormat) -> Operation:
        """Select by the first operand, whose values never come out themselves."""
        number = _signed_by(b)
        if zero and isinstance(number, PowerOfTwo):
            number = as_fixed_point(number)
        return Operation(number, Circuit.MUX, gates, _width(b))

    return rule


def _gate(_: NumericFormat, b: NumericFormat) -> Operation:
    """Multiply by 0 or 1: an AND gate per bit."""
    number = b
    if isinstance(b, PowerOfTwo):
        number = as_fixed_point(b)
    if b == Binary(zero_one=False):
        number = Ternary()
    return Operation(number, Circuit.AND, 1.0, _width(b))


def _exclusive_or(_a: NumericFormat, _b: NumericFormat) -> Operation:
    """Multiply two signs: an exclusive-or gate."""
    return Operation(Binary(zero_one=False), Circuit.XOR, 1.0, 1.0)


class _Class(Enum):
    """The classes of operand that the table of products tells apart, cheapest circuit first."""

    ZERO_ONE = 0
    SIGN = 1
    TERNARY = 2
    POWER = 3
    FIXED = 4
    FLOAT = 5


_CLASSES: dict[type, _Class] = {
    Ternary: _Class.TERNARY,
    PowerOfTwo: _Class.POWER,
    FixedPoint: _Class.FIXED,
    FloatingPoint: _Class.FLOAT,
}


def _class_of(number: NumericFormat) -> _Class:
    """The class of operand a format belongs to."""
    if isinstance(number, Binary):
        return _Class.ZERO_ONE if number.zero_one else _Class.SIGN
    return _CLASSES[type(held_in(number))]


_BY_SIGN = _select(1.0, zero=False)
_BY_TERNARY = _select(TERNARY_GATES, zero=True)
# Keyed by the two classes in order: the cheaper operand controls the circuit.
_PRODUCTS: dict[tuple[_Class, _Class], Rule] = {
    (_Class.SIGN, _Class.SIGN): _exclusive_or,
    (_Class.POWER, _Class.POWER): _add_exponents,
    (_Class.POWER, _Class.FIXED): _shift,
    (_Class.FIXED, _Class.FIXED): _multiply_fixed,
    **{(_Class.ZERO_ONE, other): _gate for other in list(_Class)[:5]},
    **{(_Class.SIGN, other): _BY_SIGN for other in list(_Class)[2:5]},
    **{(_Class.TERNARY, other): _BY_TERNARY for other in list(_Class)[2:5]},
    **{(other, _Class.FLOAT): _multiply_float for other in _Class},
}


@cache
def product(a: NumericFormat, b: NumericFormat) -> Operation:
    """The product of two formats and the circuit that forms it."""
    blocks = [one for one in (a, b) if isinstance(one, BlockFormat)]
    if blocks:
        elements = [one.element if isinstance(one, BlockFormat) else one for one in (a, b)]
        return attrs.evolve(product(*elements), result=FLOAT32)
    first, second = sorted((a, b), key=lambda number: _class_of(number).value)
    return _PRODUCTS[_class_of(first), _class_of(second)](first, second)


@cache
def addition(a: NumericFormat, b: NumericFormat) -> Operation:
    """The sum of two formats: a digit more than the wider one."""
    floating = _widest_float(a, b)
    if floating is not None:
        return Operation(floating, Circuit.ADDER, 1.0, floating.bits)
    x, y = as_fixed_point(a), as_fixed_point(b)
    result = _fixed(
        max(x.integer_bits, y.integer_bits) + 1,
        max(x.fraction_bits, y.fraction_bits),
        signed=x.signed or y.signed,
    )
    return Operation(result, Circuit.ADDER, 1.0, result.bits)


def accumulation(term: NumericFormat, count: int) -> Operation:
    """The sum of `count` terms of one format: ceil(log2(count)) digits more."""
    if count < 1:
        message = f"an accumulation needs at least one term, got {count}"
        raise FormatError(message)
    return _grown(term, (count - 1).bit_length())


@cache
def _grown(term: NumericFormat, growth: int) -> Operation:
    """The sum that needs `growth` digits more than a term, where digits can grow."""
    floating = _widest_float(term)
    if floating is not None:
        return Operation(floating, Circuit.ADDER, 1.0, floating.bits)
    word = as_fixed_point(term)
    result = _fixed(word.integer_bits + growth, word.fraction_bits, signed=word.signed)
    return Operation(result, Circuit.ADDER, 1.0, result.bits)


def multiply_accumulate(
    weight: NumericFormat,
    value: NumericFormat,
    count: int,
    bias: NumericFormat | None = None,
) -> tuple[Operation, Operation]:
    """The product and the sum, with the bias in it, of a contraction over `count` terms."""
    multiplication = product(weight, value)
    total = accumulation(multiplication.result, count)
    return multiplication, total if bias is None else addition(total.result, bias)


@cache
def union(*numbers: NumericFormat) -> NumericFormat:
    """The narrowest format that holds every value of all formats (concatenation)."""
    if len(set(numbers)) == 1:
        return numbers[0]
    floating = _widest_float(*numbers)
    if floating is not None:
        return floating
    words = [as_fixed_point(number) for number in numbers]
    return _fixed(
        max(word.integer_bits for word in words),
        max(word.fraction_bits for word in words),
        signed=any(word.signed for word in words),
    )


def _chain(rule: Callable[[NumericFormat, NumericFormat], Operation]) -> Merge:
    """The merge that applies a rule of two operands from left to right."""

    def merged(*numbers: NumericFormat) -> Operation:
        """Apply the rule to each operand in turn."""
        first, second, *rest = numbers
        return reduce(lambda done, number: rule(done.result, number), rest, rule(first, second))

    return merged


def difference(a: NumericFormat, b: NumericFormat) -> Operation:
    """The difference of two formats: a sum with the second negated."""
    if _widest_float(a, b) is not None:
        return addition(a, b)
    return addition(a, _signed_by(as_fixed_point(b)))


def _compare(*numbers: NumericFormat) -> Operation:
    """Choose among operands after comparing them: an adder, and the union holds the result."""
    result = union(*numbers)
    return Operation(result, Circuit.ADDER, 1.0, _width(result))


def _sum_all(*numbers: NumericFormat) -> Operation:
    """Sum operands of different formats as terms of their union."""
    if len(numbers) == 2:  # noqa: PLR2004 - two operands have a tighter rule
        return addition(*numbers)
    return accumulation(union(*numbers), len(numbers))


def _mean(*numbers: NumericFormat) -> Operation:
    """Average operands: the sum's adder; the mean lies in the union's range, rounded to it."""
    return Operation(union(*numbers), Circuit.ADDER, 1.0, _sum_all(*numbers).gate_bits)


def _no_arithmetic(*numbers: NumericFormat) -> Operation:
    """Join operands without computing."""
    return Operation(union(*numbers), Circuit.MUX, 0.0, 0.0)


Merge: TypeAlias = Callable[..., Operation]
MERGES: dict[str, Merge] = {
    "add": _sum_all,
    "subtract": _chain(difference),
    "multiply": _chain(product),
    "maximum": _compare,
    "minimum": _compare,
    "average": _mean,
    "concatenate": _no_arithmetic,
}


def merge(name: str, *numbers: NumericFormat) -> Operation:
    """Return what an elementwise merge of at least two operands yields."""
    if name not in MERGES:
        message = f"unknown merge {name!r}; known: {', '.join(MERGES)}"
        raise FormatError(message)
    if not numbers:
        message = f"merge {name!r} needs an operand"
        raise FormatError(message)
    if len(numbers) == 1:
        return _no_arithmetic(*numbers)
    return MERGES[name](*numbers)
