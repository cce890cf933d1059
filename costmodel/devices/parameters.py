"""Parameters of devices, and how a device class declares them and its settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from numbers import Real
from typing import Any, Final, NamedTuple

from attrs import field, frozen

from costmodel.errors import UnitError
from costmodel.sizes import SizeArray
from costmodel.units import format_quantity, parse_quantity

GIVEN: Final = "given by the caller"
"""The source of a number that no file holds."""


class Evidence(StrEnum):
    """How well a number is known."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    VENDOR = "vendor"
    DERIVED = "derived"
    ASSUMED = "assumed"


_LARGEST: Final = 1e100
"""The largest parameter that there can be, in any unit."""


def _figure(_: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Real):
        message = f"{attribute.name} is {value!r:.80}; expected a number"
        raise TypeError(message)
    if not (math.isfinite(value) and 0 <= value <= _LARGEST):  # type: ignore[operator]  # a Real compares with numbers
        found = f"{attribute.name} is {value!r}"
        message = f"{found}; expected a finite number, not negative, of at most {_LARGEST:g}"
        raise ValueError(message)


def _one_number(value: Any) -> Any:
    """The number; of many sizes, that of the operator which is priced."""
    return float(value) if isinstance(value, SizeArray) else value


@frozen(cache_hash=True)
class Parameter:
    """One number of a device, in the SI `unit` beside it, with where it comes from."""

    name: str
    value: float = field(converter=_one_number, validator=_figure)
    unit: str
    source: str
    evidence: Evidence
    low: float = field(kw_only=True, converter=_one_number, validator=_figure)
    high: float = field(kw_only=True, converter=_one_number, validator=_figure)
    note: str = field(default="", kw_only=True)

    @low.default
    def _low(self) -> float:
        return self.value

    @high.default
    def _high(self) -> float:
        return self.value

    def __attrs_post_init__(self) -> None:
        """Check that the range holds the value."""
        if not self.low <= self.value <= self.high:
            message = f"expected low <= value <= high, found {self.low}, {self.value}, {self.high}"
            raise ValueError(message)

    @property
    def parts(self) -> tuple[tuple[Parameter, float], ...]:
        """Itself, once: as a unit cost it is made of nothing else."""
        return ((self, 1.0),)

    def __str__(self) -> str:
        """Write the value with its unit, and the range where there is one."""
        shown = format_quantity(self.value, self.unit)
        if self.low == self.high:
            return shown
        low, high = format_quantity(self.low, self.unit), format_quantity(self.high, self.unit)
        return f"{shown} ({low} to {high})"


ABOVE_ZERO: Final = "a value above 0, since a formula divides by it"
"""What a parameter that is declared positive takes."""

UNIT = "costmodel.unit"
POSITIVE = "costmodel.positive"
CHOICE = "costmodel.choice"
TAKES = "costmodel.takes"


def parameter(unit: str, *, optional: bool = False, positive: bool = False) -> Any:
    """Declare a parameter of a device class; a file must give it in `unit` unless `optional`.

    A parameter that a formula divides by is `positive`: its value, low and high are above 0.

    Raises:
        UnitError: `unit` is not an SI unit, a quotient of two, or empty for a plain number.

    """
    _check_si(unit)

    def check(_: Any, attribute: Any, value: Any) -> None:
        is_missing = value is None and optional
        if not is_missing and (not isinstance(value, Parameter) or value.unit != unit):
            found = (
                f"a Parameter in {value.unit!r}" if isinstance(value, Parameter) else repr(value)
            )
            message = f"{attribute.name}: expected a Parameter in {unit!r}, found {found:.80}"
            raise TypeError(message)
        if positive and not is_missing and value.low <= 0:  # low is the least of the three
            found = f"value {value.value:g}, low {value.low:g}"
            message = f"{attribute.name}: expected {ABOVE_ZERO}, found {found}"
            raise ValueError(message)

    default: Any = {"default": None} if optional else {}
    metadata = {UNIT: unit, POSITIVE: positive}
    return field(kw_only=True, validator=check, metadata=metadata, **default)


def _check_si(unit: str) -> None:
    try:
        canonical = parse_quantity(f"1 {unit}").unit
    except UnitError:
        canonical = None
    if canonical != unit:
        message = f"parameter() takes an SI unit without a prefix, such as J or J/B; found {unit!r}"
        raise UnitError(message)


class Choice(NamedTuple):
    """What a setting takes, in words, and what it is unless told otherwise."""

    takes: str
    default: Any


def option(convert: Callable[[Any], Any], *, default: Any, takes: str = "") -> Any:
    """Declare a setting of a device class: something that is chosen and not measured.

    `convert` takes what a file, a caller or the command line gives, and raises ValueError
    where it cannot. `takes` says in words what that is; `one_of` and `yes_or_no` know theirs.
    """
    words = takes or getattr(convert, TAKES, "")
    metadata = {CHOICE: convert, TAKES: words}
    return field(kw_only=True, default=default, converter=convert, metadata=metadata)


def one_of(*allowed: str) -> Callable[[Any], str]:
    """A converter for `option` that takes one of `allowed`."""

    def check(value: Any) -> str:
        if value not in allowed:
            message = f"expected one of {', '.join(allowed)}, found {value!r:.40}"
            raise ValueError(message)
        return str(value)

    setattr(check, TAKES, ", ".join(allowed))
    return check


def yes_or_no(value: Any) -> bool:
    """A converter for `option` that takes a truth value or its name."""
    known = {True: True, False: False, "true": True, "false": False, "yes": True, "no": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    message = f"expected true or false, found {value!r:.40}"
    raise ValueError(message)


setattr(yes_or_no, TAKES, "true, false")
