"""Which is better: several networks on several devices, with ratios to a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.estimates.estimate import Estimate
from costmodel.estimates.ratios import Ratio, energy_ratio, latency_ratio
from costmodel.report.columns import UNKNOWN, is_timed, joules, least
from costmodel.report.estimate_table import assumed, conditions, not_modelled, unfit
from costmodel.report.table import Column, Table
from costmodel.units import format_count, format_quantity

if TYPE_CHECKING:
    from costmodel.report.bills import Bill

SCHEMA: Final = "costmodel/matrix/1"
_UNCLEAR: Final = "no clear difference"
_WITH_RANGES: Final = 2
"""Of so many devices ratios have their range in the table; JSON always has it."""


@frozen
class Entry:
    """One network on one device, and how it compares with the baseline there."""

    network: str
    device: str
    bill: Bill
    latency: Ratio | None
    """The latency over that of the baseline."""
    energy: Ratio | None

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain values, in SI units."""
        total, evaluation = self.bill.total, self.bill.evaluation
        is_known = not evaluation.unknown_static
        return {
            "network": self.network,
            "device": self.device,
            "latency_seconds": total.latency_seconds,
            "energy_joules": total.energy_joules if is_known else None,
            "is_lower_bound": not self.bill.is_complete,
            "peak_bytes": dict(evaluation.peak_bytes),
            "fits": evaluation.fits,
            "latency_ratio": _ratio_dict(self.latency),
            "energy_ratio": _ratio_dict(self.energy),
        }


def _ratio_dict(ratio: Ratio | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    return {
        "value": ratio.value, "low": ratio.low, "high": ratio.high, "is_clear": ratio.is_clear,
    }  # fmt: skip


@frozen
class Matrix:
    """Several networks on the same devices; the first network is the baseline."""

    estimates: tuple[Estimate, ...]
    entries: Mapping[tuple[int, str], Entry]
    """By the place of the network and the name of the device."""

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of the devices."""
        return tuple(self.estimates[0].bills)

    def tables(self, *, exact: bool = False) -> tuple[Table, ...]:
        """A table of what does not depend on a device, and one for each measure that is known."""
        if exact:
            return (self._exact_table(),)
        made = [self._work_table()]
        for title, is_known, cell in _MEASURES:
            if any(is_known(entry.bill) for entry in self.entries.values()):
                made.append(self._table(title, cell))
        last = made[-1]
        made[-1] = Table(last.title, last.columns, last.rows, notes=tuple(self._notes()))
        return tuple(made)

    def to_dict(self) -> dict[str, Any]:
        """The matrix as plain values, in SI units; the schema is named in it."""
        return {
            "schema": SCHEMA,
            "baseline": self.estimates[0].network.name,
            "networks": [
                {"name": one.network.name, "macs": one.macs,
                 "parameters": one.network.parameter_count}
                for one in self.estimates
            ],
            "entries": [entry.to_dict() for entry in self.entries.values()],
        }  # fmt: skip

    def __str__(self) -> str:
        """Write the tables as plain text."""
        return "\n\n".join(table.text() for table in self.tables())

    def _work_table(self) -> Table:
        columns = [
            Column("Network"), Column("MACs", numeric=True), Column("Parameters", numeric=True),
            Column("Weights", numeric=True),
        ]  # fmt: skip
        rows = [
            (
                one.network.name,
                format_count(one.macs),
                format_count(one.network.parameter_count),
                format_quantity(next(iter(one.bills.values())).evaluation.weight_bytes, "B"),
            )
            for one in self.estimates
        ]
        first = self.estimates[0]
        return Table(f"compared, {conditions(first.scenario)}", columns, rows)

    def _table(self, title: str, cell: _Cells) -> Table:
        has_ranges = len(self.devices) <= _WITH_RANGES
        columns, rows = [Column("Network")], []
        for device in self.devices:
            columns += [Column(device, numeric=True), Column("Ratio", numeric=True)]
        for place, one in enumerate(self.estimates):
            row = [one.network.name]
            for device in self.devices:
                row += cell(self.entries[place, device], is_base=place == 0, has_range=has_ranges)
            rows.append(tuple(row))
        if not any(ratio for row in rows for ratio in row[2::2]):
            return Table(title, columns, rows).without("Ratio")
        return Table(f"{title}, and its ratio to {self.estimates[0].network.name}", columns, rows)

    def _exact_table(self) -> Table:
        titles = (
            "macs", "parameters", "latency (s)", "latency ratio", "latency ratio low",
            "latency ratio high", "energy (J)", "energy ratio", "energy ratio low",
            "energy ratio high", "fits",
        )  # fmt: skip
        columns = [
            Column("Network"), Column("Device"), *(Column(one, numeric=True) for one in titles),
        ]  # fmt: skip
        rows = []
        for (place, _), entry in self.entries.items():
            total, network = entry.bill.total, self.estimates[place].network
            is_known = not entry.bill.evaluation.unknown_static
            rows.append((
                entry.network, entry.device, str(self.estimates[place].macs),
                str(network.parameter_count), _exact(total.latency_seconds),
                *_exact_ratio(entry.latency), _exact(total.energy_joules if is_known else None),
                *_exact_ratio(entry.energy), _fits(entry.bill),
            ))  # fmt: skip
        return Table("compared", columns, rows)

    def _notes(self) -> Iterator[str]:
        mark = _UNCLEAR if len(self.devices) <= _WITH_RANGES else f"~: {_UNCLEAR}"
        yield f"{mark}: the range of the ratio, with shared figures moved together, holds 1"
        for entry in self.entries.values():
            yield from (f"{entry.network}: {line}" for line in unfit(entry.bill))
            missing = len(entry.bill.coverage.unpriced)
            if missing:
                yield f"{entry.network} on {entry.device}: {missing} layers without a price"
        bills = list(self.estimates[0].bills.values())
        yield from assumed(bills)
        yield from not_modelled(bill.device for bill in bills)


def matrix(estimates: Sequence[Estimate]) -> Matrix:
    """Compare estimates of several networks on the same devices; the first is the baseline.

    Raises:
        CostModelError: fewer than two, or on other devices.

    """
    made = tuple(estimates)
    if len(made) < 2:  # noqa: PLR2004  # one to compare with the other
        message = f"a comparison needs at least 2 networks, found {len(made)}"
        raise CostModelError(message)
    devices = list(made[0].bills)
    for one in made:
        if list(one.bills) != devices:
            message = (
                f"{one.network.name} was estimated on {', '.join(one.bills)}; expected the devices "
                f"of {made[0].network.name}: {', '.join(devices)}"
            )
            raise CostModelError(message)
    entries = {}
    for place, one in enumerate(made):
        for device, bill in one.bills.items():
            base = made[0].bills[device]
            entries[place, device] = Entry(
                one.network.name, device, bill, latency_ratio(bill, base), energy_ratio(bill, base)
            )
    return Matrix(made, entries)


# ------------------------------------------------------------------ cells

_Cells = Callable[..., "list[str]"]


def _latency_cells(entry: Entry, *, is_base: bool, has_range: bool) -> list[str]:
    seconds = entry.bill.total.latency_seconds
    if seconds is None:
        return [UNKNOWN if is_timed(entry.bill) else "", ""]
    shown = least(entry.bill.evaluation.is_priced) + format_quantity(seconds, "s")
    return [shown, _ratio_text(entry.latency, is_base=is_base, has_range=has_range)]


def _energy_cells(entry: Entry, *, is_base: bool, has_range: bool) -> list[str]:
    if entry.bill.evaluation.unknown_static:
        return [UNKNOWN, ""]
    shown = least(entry.bill.is_complete) + joules(entry.bill.total.energy_joules)
    return [shown, _ratio_text(entry.energy, is_base=is_base, has_range=has_range)]


def _memory_cells(entry: Entry, *, is_base: bool, has_range: bool) -> list[str]:  # one form
    peaks = entry.bill.evaluation.peak_bytes
    if not peaks:
        return ["", ""]
    shown = ", ".join(f"{name} {format_quantity(size, 'B')}" for name, size in peaks.items())
    fits = _fits(entry.bill)
    return [f"{shown}, does not fit" if fits == "no" else shown, ""]


_MEASURES: Final[tuple[tuple[str, Callable[[Bill], object], _Cells], ...]] = (
    ("latency", is_timed, _latency_cells),
    ("energy", lambda bill: not bill.evaluation.unknown_static, _energy_cells),
    ("peak memory", lambda bill: bill.evaluation.peak_bytes, _memory_cells),
)


def _ratio_text(ratio: Ratio | None, *, is_base: bool, has_range: bool) -> str:
    if is_base:
        return "1x"
    if ratio is None:
        return ""
    shown = str(ratio) if has_range else f"{ratio.value:.3g}x"
    return shown if ratio.is_clear else f"{shown} {_UNCLEAR}" if has_range else f"{shown} ~"


def _fits(bill: Bill) -> str:
    fits = bill.evaluation.fits
    return "" if fits is None else "yes" if fits else "no"


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def _exact_ratio(ratio: Ratio | None) -> list[str]:
    return (
        [""] * 3 if ratio is None else [repr(one) for one in (ratio.value, ratio.low, ratio.high)]
    )
