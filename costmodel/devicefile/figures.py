"""Figures of a device file: quantities with a unit, a source and evidence, and tables of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.devicefile.schema import Entry, not_known, structured
from costmodel.devices import ABOVE_ZERO, Evidence, FormatTable, Parameter
from costmodel.devices.parameters import LARGEST_FIGURE
from costmodel.errors import FormatError, UnitError
from costmodel.formats import format_name, parse_format
from costmodel.units import Quantity, parse_quantity

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat

MOST_JOULES: Final = 1.0
"""Of one operation: more is a prefix that was forgotten or mistyped."""

_NOT_ZERO: Final = re.compile(r"[+-]?[0.]*[1-9]")
_TABLE: Final = "a figure for each numeric format, such as {int8: {value: 2 TOP/s, ...}}"


@frozen(kw_only=True)
class Wanted:
    """What a figure must be: its name on the device, its unit, and whether 0 is refused.

    Without a `unit` the class is not known: any will do. `given` are the source and evidence that
    hold where the figure has none of its own.
    """

    name: str
    unit: str | None
    is_positive: bool = False
    given: Mapping[str, str] = {}

    def called(self, name: str) -> Wanted:
        """The same under another name."""
        return Wanted(
            name=name, unit=self.unit, is_positive=self.is_positive, given=self.given
        )  # fmt: skip


class FigureReader:
    """Reads the figures of one file, whose sources it knows, and adds what is wrong to a list."""

    def __init__(self, sources: Any, mistakes: list[str]) -> None:
        """Read figures whose citations are in `sources`, as far as that is a mapping."""
        self.sources, self.mistakes = sources, mistakes

    def figure(self, path: str, raw: Any, wanted: Wanted) -> Parameter | None:
        """One figure, or None where it has a mistake."""
        before = len(self.mistakes)
        completed = _completed(raw, wanted.given)
        if not wanted.given and (formats := _formats_of(raw)):
            self.mistakes.append(f"{path}: expected one value, found a table by format: {formats}")
            return None
        entry: Entry | None = structured(completed, Entry, path, self.mistakes)
        source = self._citation(path, raw, completed)
        unit = wanted.unit
        if entry is None:
            self._check_value(path, completed, unit)
            return None
        value = self.quantity(f"{path}.value", entry.value, unit)
        if unit is None and value is not None:
            unit = value.unit  # the class is not known, but the three are of one unit
        low = value if entry.low is None else self.quantity(f"{path}.low", entry.low, unit)
        high = value if entry.high is None else self.quantity(f"{path}.high", entry.high, unit)
        self._check_order(f"{path}.low", "at most", entry, entry.low, low, value)
        self._check_order(f"{path}.high", "at least", entry, entry.high, value, high)
        if wanted.is_positive:
            self._check_positive(f"{path}.value", entry.value, value)
            if entry.low is not None:
                self._check_positive(f"{path}.low", entry.low, low)
        if len(self.mistakes) > before or value is None or low is None or high is None:
            return None
        return Parameter(
            wanted.name, value.value, value.unit, on_one_line(source), entry.evidence,
            low=low.value, high=high.value, note=on_one_line(entry.note),
        )  # fmt: skip

    def table(self, path: str, raw: Any, wanted: Wanted) -> FormatTable | None:
        """A figure for each format that the file has one for, or None where one has a mistake."""
        if not isinstance(raw, dict) or not raw or "value" in raw:
            self.mistakes.append(f"{path}: expected {_TABLE}, found {raw!r:.80}")
            return None
        before = len(self.mistakes)
        found: dict[NumericFormat, Parameter] = {}
        for key, value in raw.items():
            number = self._format(f"{path}.{key}", key)
            if number in found:
                same = f"the format {format_name(number)!r} is there before"
                self.mistakes.append(f"{path}.{key}: {same}")
            figure = self.figure(f"{path}.{key}", value, wanted.called(f"{wanted.name}.{key}"))
            if number is not None and figure is not None:
                found[number] = figure
        return None if len(self.mistakes) > before else FormatTable(wanted.name, found)

    def quantity(self, path: str, text: str | float, unit: str | None) -> Quantity | None:
        """A quantity that is not negative, in `unit`, or None where it is not."""
        try:
            quantity = parse_quantity(str(text), unit)
        except UnitError as error:
            self.mistakes.append(f"{path}: {error}")
            return None
        if quantity.value < 0:
            self.mistakes.append(f"{path}: expected a value that is not negative, found {text!r}")
            return None
        if problem := _implausible(quantity, str(text)):
            self.mistakes.append(f"{path}: {problem}, found {str(text)!r}")
            return None
        return quantity

    def defaults(self, path: str, raw: Mapping[str, Any]) -> Mapping[str, str]:
        """The source and evidence of a mapping, which hold for the figures in it."""
        found = {}
        if "source" in raw and self._is_source(f"{path}.source", raw["source"]):
            found["source"] = raw["source"]
        if "evidence" in raw:
            known = [one.value for one in Evidence]
            if raw["evidence"] in known:
                found["evidence"] = raw["evidence"]
            else:
                expected = f"expected one of {', '.join(known)}"
                self.mistakes.append(f"{path}.evidence: {expected}, found {raw['evidence']!r:.80}")
        # What is wrong once is reported once, and not for each figure.
        for key, stand_in in (("source", ""), ("evidence", Evidence.ASSUMED.value)):
            if key in raw:
                found.setdefault(key, stand_in)
        return found

    def source(self, path: str, raw: Mapping[str, Any]) -> str:
        """The citation that a mapping names as its source; nothing where it names none."""
        if "source" not in raw or not self._is_source(f"{path}.source", raw["source"]):
            return ""
        return self._cited(raw["source"])

    def _is_source(self, path: str, key: Any) -> bool:
        if not isinstance(key, str):
            self.mistakes.append(f"{path}: expected text, found {key!r:.80}")
            return False
        if isinstance(self.sources, dict) and key not in self.sources:
            self.mistakes.append(not_known(path, key, self.sources))
            return False
        return True

    def _cited(self, key: str) -> str:
        return str(self.sources.get(key, key)) if isinstance(self.sources, dict) else key

    def _citation(self, path: str, raw: Any, completed: Any) -> str:
        """The citation of a figure, its own or the one that holds for it."""
        key = completed.get("source") if isinstance(completed, dict) else None
        if not isinstance(key, str):
            return ""
        if isinstance(raw, dict) and "source" in raw:
            self._is_source(f"{path}.source", key)
        return self._cited(key)

    def _check_value(self, path: str, raw: Any, unit: str | None) -> None:
        """Show what is wrong with the value of an entry that is wrong elsewhere."""
        value = raw.get("value") if isinstance(raw, dict) else None
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            self.quantity(f"{path}.value", value, unit)

    def _check_order(
        self, path: str, demand: str, entry: Entry, given: object,
        less: Quantity | None, more: Quantity | None,
    ) -> None:  # fmt: skip
        """Report an end of the range that is on the wrong side of the value."""
        if less and more and less.value > more.value:
            value = f"expected {demand} the value {str(entry.value)!r}"
            self.mistakes.append(f"{path}: {value}, found {str(given)!r}")

    def _check_positive(self, path: str, given: object, found: Quantity | None) -> None:
        if found is not None and found.value <= 0:
            self.mistakes.append(f"{path}: expected {ABOVE_ZERO}; found {str(given)!r}")

    def _format(self, path: str, key: Any) -> NumericFormat | None:
        try:
            return parse_format(str(key))
        except FormatError as error:
            self.mistakes.append(f"{path}: {error}")
            return None


def looks_like_a_table(raw: Any) -> bool:
    """Whether a value has a mapping for each of its keys, as a table by format has."""
    return (
        isinstance(raw, dict) and bool(raw) and all(isinstance(one, dict) for one in raw.values())
    )


def on_one_line(text: str) -> str:
    """The text with a space for each line break: YAML may have it on several lines."""
    return " ".join(text.split())


def _completed(raw: Any, given: Mapping[str, str]) -> Any:
    """The entry with the source and evidence that hold for it; a value alone is enough then."""
    if isinstance(raw, dict):
        return {**given, **raw}
    is_value = isinstance(raw, str | int | float) and not isinstance(raw, bool)
    return {"value": raw, **given} if is_value and given.keys() >= {"source", "evidence"} else raw


def _formats_of(raw: Any) -> str:
    """The formats that a value is a table of, if it is one."""
    if not looks_like_a_table(raw):
        return ""
    try:
        return ", ".join(format_name(parse_format(str(key))) for key in raw)
    except FormatError:
        return ""


def _implausible(quantity: Quantity, text: str) -> str | None:
    if quantity.value == 0 and _NOT_ZERO.match(text.strip()):
        return "expected a value large enough for a number, or 0"
    if quantity.unit == "J" and quantity.value > MOST_JOULES:
        return f"expected at most {MOST_JOULES:g} J for one operation (is the prefix missing?)"
    if quantity.value > LARGEST_FIGURE:
        return f"expected at most {LARGEST_FIGURE:g} in SI units"
    return None
