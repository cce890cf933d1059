"""Which is better: several networks on several devices, with ratios to a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.estimates.estimate import Estimate
from costmodel.estimates.ratios import Ratio, energy_ratio, independent_ratio, latency_ratio
from costmodel.estimates.saved import SavedDevice, SavedEstimate, saved
from costmodel.report.columns import UNKNOWN, joules, least
from costmodel.report.estimate_table import assumed, changed, conditions, not_modelled, unfit
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
    figures: SavedDevice
    """What the estimate says of the device, whether it was made now or read from a file."""
    bill: Bill | None
    """None for a saved estimate."""
    latency: Ratio | None
    """The latency over that of the baseline."""
    energy: Ratio | None

    @property
    def latency_seconds(self) -> float | None:
        """Of the whole batch; None where the device models no time."""
        return self.figures.total.latency.get("value")

    @property
    def energy_joules(self) -> float | None:
        """Of the whole batch; None where a part of it is not known."""
        return None if self.figures.unknown_energy else self.figures.total.energy.get("value")

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain values, in SI units."""
        return {
            "network": self.network,
            "device": self.device,
            "is_saved": self.bill is None,
            "latency_seconds": self.latency_seconds,
            "energy_joules": self.energy_joules,
            "is_lower_bound": not self.figures.has_whole_energy,
            "peak_bytes": dict(self.figures.total.peaks),
            "fits": self.figures.fits,
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

    networks: tuple[SavedEstimate, ...]
    entries: Mapping[tuple[int, str], Entry]
    """By the place of the network and the name of the device."""

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of the devices."""
        return tuple(self.networks[0].devices)

    def tables(self, *, exact: bool = False) -> tuple[Table, ...]:
        """A table of what does not depend on a device, and one for each measure that is known."""
        if exact:
            return (self._exact_table(),)
        made = [self._work_table()]
        for title, is_known, cell in _MEASURES:
            if any(map(is_known, self.entries.values())):
                made.append(self._table(title, is_known, cell))
        last = made[-1]
        made[-1] = Table(last.title, last.columns, last.rows, notes=tuple(self._notes()))
        return tuple(made)

    def to_dict(self) -> dict[str, Any]:
        """The matrix as plain values, in SI units; the schema is named in it."""
        return {
            "schema": SCHEMA,
            "baseline": self.networks[0].network,
            "networks": [{"name": one.network, **one.totals} for one in self.networks],
            "entries": [entry.to_dict() for entry in self.entries.values()],
        }

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
                _label(one),
                *(
                    least(not one.count(kind).missing) + format_count(one.totals[kind])
                    for kind in ("macs", "parameters")
                ),
                format_quantity(one.totals["weights"], "B"),
            )
            for one in self.networks
        ]
        return Table(f"compared, {self._conditions()}", columns, rows)

    def _conditions(self) -> str:
        bills = [entry.bill for entry in self.entries.values() if entry.bill is not None]
        return conditions(bills[0].evaluation.scenario) if bills else "saved estimates"

    def _table(self, title: str, is_known: _Known, cell: _Cells) -> Table:
        """The table of one measure; a device that does not model it has no columns."""
        known = {device for (_, device), entry in self.entries.items() if is_known(entry)}
        devices = [device for device in self.devices if device in known]
        has_ranges = len(self.devices) <= _WITH_RANGES
        columns, rows = [Column("Network")], []
        for device in devices:
            titles = (device, "Ratio")
            columns += [Column(one, numeric=True, group=device) for one in titles]
        for place, one in enumerate(self.networks):
            row = [_label(one)]
            for device in devices:
                row += cell(self.entries[place, device], is_base=place == 0, has_range=has_ranges)
            rows.append(tuple(row))
        if not any(ratio for row in rows for ratio in row[2::2]):
            return Table(title, columns, rows).without("Ratio")
        return Table(f"{title}, and its ratio to {self.networks[0].network}", columns, rows)

    def _exact_table(self) -> Table:
        titles = (
            "macs", "parameters", "latency (s)", "latency ratio", "latency ratio low",
            "latency ratio high", "energy (J)", "energy ratio", "energy ratio low",
            "energy ratio high", "fits", "lower bound",
        )  # fmt: skip
        columns = [
            Column("Network"), Column("Device"), *(Column(one, numeric=True) for one in titles),
        ]  # fmt: skip
        rows = []
        for (place, _), entry in self.entries.items():
            totals = self.networks[place].totals
            rows.append((
                entry.network, entry.device, str(totals["macs"]), str(totals["parameters"]),
                _exact(entry.latency_seconds), *_exact_ratio(entry.latency),
                _exact(entry.energy_joules), *_exact_ratio(entry.energy), _fits(entry.figures),
                "no" if entry.figures.has_whole_energy else "yes",
            ))  # fmt: skip
        return Table("compared", columns, rows)

    def _notes(self) -> Iterator[str]:
        if any(one for entry in self.entries.values() for one in (entry.latency, entry.energy)):
            mark = _UNCLEAR if len(self.devices) <= _WITH_RANGES else f"~: {_UNCLEAR}"
            yield f"{mark}: the range of the ratio includes 1; a shared figure has one value"
        saved_ones = [one.source for one in self.networks if one.source]
        if saved_ones:
            yield f"saved estimates, which share no figures with others: {', '.join(saved_ones)}"
        if any(one.scenario != self.networks[0].scenario for one in self.networks):
            yield "not all under the same conditions: see `scenario` in the saved estimates"
        for entry in self.entries.values():
            if entry.bill is not None:
                yield from (f"{entry.network}: {line}" for line in unfit(entry.bill))
            elif entry.figures.fits is False:
                yield f"{entry.network}: does not fit on {entry.device}"
            missing = len(entry.figures.unpriced)
            if missing:
                layers = f"{missing} layer{'s' * (missing > 1)}"
                yield f"{entry.network} on {entry.device}: {layers} without a price"
        bills = {
            entry.device: entry.bill for entry in self.entries.values() if entry.bill is not None
        }
        yield from changed(bill.device for bill in bills.values())
        yield from assumed(bills.values())
        yield from not_modelled(bill.device for bill in bills.values())


def matrix(estimates: Sequence[Estimate | SavedEstimate]) -> Matrix:
    """Compare estimates of several networks on the same devices; the first is the baseline.

    A saved estimate takes part with the figures that it holds; nothing is computed anew.

    Raises:
        CostModelError: fewer than two, or on other devices.

    """
    made = tuple(estimates)
    if len(made) < 2:  # noqa: PLR2004  # one to compare with the other
        message = f"a comparison needs at least 2 networks, found {len(made)}"
        raise CostModelError(message)
    _check_alike([one for one in made if isinstance(one, Estimate)])
    networks = [one if isinstance(one, SavedEstimate) else saved(one.to_dict(), "") for one in made]
    devices = list(networks[0].devices)
    for one in networks:
        if missing := [name for name in devices if name not in one.devices]:
            message = (
                f"{one.network} was estimated on {', '.join(one.devices)}; expected the devices "
                f"of {networks[0].network}, also {', '.join(missing)}"
            )
            raise CostModelError(message)
    entries = {}
    for place, (estimate, one) in enumerate(zip(made, networks, strict=True)):
        for device in devices:
            bills = [_bill(each, device) for each in (estimate, made[0])]
            figures = one.devices[device], networks[0].devices[device]
            entries[place, device] = Entry(
                one.network, device, figures[0], bills[0],
                _ratio("latency", bills, figures), _ratio("energy", bills, figures),
            )  # fmt: skip
    return Matrix(tuple(networks), entries)


def _check_alike(estimates: Sequence[Estimate]) -> None:
    """Refuse estimates under other conditions, conventions or with other figures of a device."""
    for one in estimates[1:]:
        first = estimates[0]
        differing = {
            "scenario": one.scenario != first.scenario,
            "convention": one.convention != first.convention,
            **{
                f"device {name}": name in first.bills and bill.device != first.bills[name].device
                for name, bill in one.bills.items()
            },
        }
        for what, differs in differing.items():
            if differs:
                message = (
                    f"{one.network.name} was estimated with another {what} than "
                    f"{first.network.name}; estimate both alike to compare them"
                )
                raise CostModelError(message)


def _label(network: SavedEstimate) -> str:
    return f"{network.network} (saved)" if network.source else network.network


def _bill(estimate: Estimate | SavedEstimate, device: str) -> Bill | None:
    return None if isinstance(estimate, SavedEstimate) else estimate.bill(device)


def _ratio(
    measure: str, bills: Sequence[Bill | None], figures: tuple[SavedDevice, SavedDevice]
) -> Ratio | None:
    """With shared figures where both estimates were made now, else as if nothing was shared."""
    bill, base = bills
    if bill is not None and base is not None:
        return (latency_ratio if measure == "latency" else energy_ratio)(bill, base)
    ends = []
    for one in figures:
        is_whole = one.has_whole_latency if measure == "latency" else one.has_whole_energy
        found = one.total.latency if measure == "latency" else one.total.energy
        if not is_whole or not {"low", "value", "high"} <= found.keys():
            return None
        ends.append((found["value"], found["low"], found["high"]))
    return independent_ratio(ends[0], ends[1])


# ------------------------------------------------------------------ cells

_Known = Callable[["Entry"], object]
_Cells = Callable[..., "list[str]"]


def _latency_cells(entry: Entry, *, is_base: bool, has_range: bool) -> list[str]:
    seconds = entry.latency_seconds
    if seconds is None:
        return ["", ""]
    shown = least(entry.figures.has_whole_latency) + format_quantity(seconds, "s")
    return [shown, _ratio_text(entry.latency, is_base=is_base, has_range=has_range)]


def _energy_cells(entry: Entry, *, is_base: bool, has_range: bool) -> list[str]:
    if entry.energy_joules is None:
        return [UNKNOWN, ""]
    shown = least(entry.figures.has_whole_energy) + joules(entry.energy_joules)
    return [shown, _ratio_text(entry.energy, is_base=is_base, has_range=has_range)]


def _memory_cells(entry: Entry, *, is_base: bool, has_range: bool) -> list[str]:  # one form
    peaks = entry.figures.total.peaks
    if not peaks:
        return ["", ""]
    shown = ", ".join(f"{name} {format_quantity(size, 'B')}" for name, size in peaks.items())
    return [f"{shown}, does not fit" if entry.figures.fits is False else shown, ""]


_MEASURES: Final[tuple[tuple[str, _Known, _Cells], ...]] = (
    ("latency", lambda entry: entry.latency_seconds is not None, _latency_cells),
    ("energy", lambda entry: entry.energy_joules is not None, _energy_cells),
    ("peak memory", lambda entry: entry.figures.total.peaks, _memory_cells),
)


def _ratio_text(ratio: Ratio | None, *, is_base: bool, has_range: bool) -> str:
    if is_base:
        return "1x"
    if ratio is None:
        return ""
    shown = str(ratio) if has_range else f"{ratio.value:.3g}x"
    return shown if ratio.is_clear else f"{shown} {_UNCLEAR}" if has_range else f"{shown} ~"


def _fits(figures: SavedDevice) -> str:
    return "" if figures.fits is None else "yes" if figures.fits else "no"


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def _exact_ratio(ratio: Ratio | None) -> list[str]:
    ends = () if ratio is None else (ratio.value, ratio.low, ratio.high)
    return list(map(repr, ends)) or [""] * 3
