"""Parameters of devices, and how a device class declares them and its settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from numbers import Real
from typing import Any, Final, NamedTuple

from attrs import Converter, evolve, field, frozen

from costmodel.errors import UnitError, UnknownNameError
from costmodel.formats import NumericFormat, format_name, parse_format
from costmodel.tensor.sizes import SizeArray
from costmodel.units import format_quantity, parse_quantity
from costmodel.workload.reasons import Unpriced

GIVEN: Final = "given by the caller"
"""The source of a number that no file holds."""


class Evidence(StrEnum):
    """How well a number is known."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    VENDOR = "vendor"
    DERIVED = "derived"
    ASSUMED = "assumed"


LARGEST_FIGURE: Final = 1e100
"""The largest parameter that there can be, in any unit."""


def _figure(_: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Real):
        message = f"{attribute.name} is {value!r:.80}; expected a number"
        raise TypeError(message)
    if not (math.isfinite(value) and 0 <= value <= LARGEST_FIGURE):  # type: ignore[operator]  # a Real compares with numbers
        found = f"{attribute.name} is {value!r}"
        message = f"{found}; expected a finite number, not negative, of at most {LARGEST_FIGURE:g}"
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


def _entries(given: Any, table: Any) -> tuple[tuple[NumericFormat, Parameter], ...]:
    """The figures in the order of their names, each called after the table and its format."""
    pairs = tuple(given.items() if isinstance(given, Mapping) else given)
    if not pairs:
        message = f"{table.name}: expected figures by format, such as {{'int8': ...}}, found none"
        raise ValueError(message)
    found: dict[str, tuple[NumericFormat, Parameter]] = {}
    for key, figure in pairs:
        number = _as_format(key)
        _check_format(table.name, number)
        name = f"{table.name}.{format_name(number)}"
        if not isinstance(figure, Parameter):
            message = f"{name}: expected a Parameter, found {figure!r:.80}"
            raise TypeError(message)
        if name in found:
            message = f"{table.name}: {format_name(number)!r} is given twice"
            raise ValueError(message)
        found[name] = number, evolve(figure, name=name)
    units = sorted({figure.unit for _, figure in found.values()})
    if len(units) > 1:
        message = f"{table.name}: expected figures in one unit, found {', '.join(units)}"
        raise ValueError(message)
    return tuple([found[name] for name in sorted(found)])


def _as_format(given: Any) -> Any:
    return parse_format(given) if isinstance(given, str) else given


def _check_format(table: str, number: Any) -> None:
    if not isinstance(number, NumericFormat):
        message = f"{table}: expected a numeric format such as int8, found {number!r:.80}"
        raise TypeError(message)
    if parse_format(format_name(number)) != number:
        message = f"{table}: {number!r:.80} has no name by which a file could give it"
        raise ValueError(message)


@frozen(cache_hash=True)
class FormatTable:
    """Figures of one quantity by numeric format, such as a peak rate: `{int8: 4 TOP/s, ...}`.

    Each is a Parameter called after the table and its format, such as `peak_rate.int8`. A format
    that is not in the table has no figure: none is taken from another format.

    Raises:
        FormatError: a text that names no format.
        TypeError: a key is not a format, or a figure is not a Parameter.
        ValueError: there are no figures, a format is given twice or has no name, or the units
            differ.

    """

    name: str
    entries: tuple[tuple[NumericFormat, Parameter], ...] = field(
        converter=Converter(_entries, takes_self=True)  # type: ignore[misc]  # mypy knows no such converters
    )
    _by_format: Mapping[NumericFormat, Parameter] = field(init=False, repr=False, eq=False)

    @_by_format.default
    def _mapped(self) -> Mapping[NumericFormat, Parameter]:
        return dict(self.entries)

    @property
    def unit(self) -> str:
        """The unit of all figures."""
        return self.entries[0][1].unit

    @property
    def formats(self) -> tuple[NumericFormat, ...]:
        """The formats that have a figure."""
        return tuple([number for number, _ in self.entries])

    @property
    def figures(self) -> Mapping[str, Parameter]:
        """The figures by their names, such as `peak_rate.int8`."""
        return {figure.name: figure for _, figure in self.entries}

    def get(self, number: NumericFormat | str) -> Parameter | None:
        """The figure of exactly this format, or None.

        Raises:
            FormatError: a text that names no format.

        """
        return self._by_format.get(_as_format(number))

    def __getitem__(self, number: NumericFormat | str) -> Parameter:
        """The figure of exactly this format.

        Raises:
            FormatError: a text that names no format.
            UnknownNameError: the table has none.

        """
        figure = self.get(number)
        if figure is None:
            names = [format_name(one) for one in self.formats]
            asked = format_name(_as_format(number))
            raise UnknownNameError(asked, names, f"format of {self.name!r}")
        return figure

    def __contains__(self, number: NumericFormat | str) -> bool:
        """Whether it has a figure of exactly this format."""
        return self.get(number) is not None

    def __iter__(self) -> Iterator[NumericFormat]:
        """The formats that have a figure."""
        return iter(self.formats)

    def __len__(self) -> int:
        """How many formats have a figure."""
        return len(self.entries)

    def unpriced(self, number: NumericFormat) -> Unpriced:
        """What a rule answers where the table has no figure for a format."""
        known = ", ".join(map(format_name, self.formats))
        return Unpriced(f"{self.name} is not known for {format_name(number)}; known for {known}")

    def with_figures(self, figures: Iterable[tuple[NumericFormat, Parameter]]) -> FormatTable:
        """The same table with some figures replaced or added."""
        return FormatTable(self.name, {**self._by_format, **dict(figures)})

    def __str__(self) -> str:
        """Write the figure of each format."""
        return ", ".join(f"{format_name(number)}: {figure}" for number, figure in self.entries)


ABOVE_ZERO: Final = "a value above 0, since a formula divides by it"
"""What a parameter that is declared positive takes."""

UNIT = "costmodel.unit"
POSITIVE = "costmodel.positive"
BY_FORMAT = "costmodel.by_format"
CHOICE = "costmodel.choice"
TAKES = "costmodel.takes"


def parameter(
    unit: str, *, optional: bool = False, positive: bool = False, by_format: bool = False
) -> Any:
    """Declare a parameter of a device class; a file must give it in `unit` unless `optional`.

    A parameter that a formula divides by is `positive`: its value, low and high are above 0.
    A parameter `by_format` is a `FormatTable`, with such a figure for each numeric format.

    Raises:
        UnitError: `unit` is not an SI unit, a quotient of two, or empty for a plain number.

    """
    _check_si(unit)
    demanded = FormatTable if by_format else Parameter

    def check(_: Any, attribute: Any, value: Any) -> None:
        if value is None and optional:
            return
        if not isinstance(value, demanded) or value.unit != unit:
            is_figure = isinstance(value, Parameter | FormatTable)
            found = f"a {type(value).__name__} in {value.unit!r}" if is_figure else repr(value)
            expected = f"expected a {demanded.__name__} in {unit!r}"
            message = f"{attribute.name}: {expected}, found {found:.80}"
            raise TypeError(message)
        if positive:
            for figure in figures_of(value):
                _check_above_zero(attribute.name if figure is value else figure.name, figure)

    default: Any = {"default": None} if optional else {}
    metadata = {UNIT: unit, POSITIVE: positive, BY_FORMAT: by_format}
    return field(kw_only=True, validator=check, metadata=metadata, **default)


def figures_of(value: Parameter | FormatTable) -> tuple[Parameter, ...]:
    """The figure, or all figures of a table."""
    return (value,) if isinstance(value, Parameter) else tuple(value.figures.values())


def _check_above_zero(name: str, figure: Parameter) -> None:
    if figure.low <= 0:  # low is the least of the three
        found = f"value {figure.value:g}, low {figure.low:g}"
        message = f"{name}: expected {ABOVE_ZERO}, found {found}"
        raise ValueError(message)


def _check_si(unit: str) -> None:
    try:
        canonical = parse_quantity(f"1 {unit}").unit
    except UnitError:
        canonical = None
    if canonical != unit:
        hint = f"; write {canonical!r}" if canonical else ""
        demand = "parameter() takes an SI unit without a prefix, such as J or J/B"
        message = f"{demand}; found {unit!r}{hint}"
        raise UnitError(message)


class Choice(NamedTuple):
    """What a setting takes, in words, and what it is by default."""

    takes: str
    default: Any


def setting(convert: Callable[[Any], Any], *, default: Any, takes: str = "") -> Any:
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
