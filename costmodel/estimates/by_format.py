"""Quantisation at a glance: one network in several numeric formats, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from costmodel.errors import CostModelError
from costmodel.estimates.estimate import Estimate, estimate, read
from costmodel.formats import format_name, parse_format
from costmodel.network.graph import Network
from costmodel.report.columns import UNKNOWN, is_timed, joules, least
from costmodel.report.estimate_table import (
    assumed,
    changed,
    conditions,
    listed_reasons,
    not_modelled,
    unfit,
)
from costmodel.report.table import Column, Table
from costmodel.scenario import Scenario
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.devices import Device
    from costmodel.formats import NumericFormat
    from costmodel.report.bills import Bill

SCHEMA: Final = "costmodel/by-format/1"


@frozen
class ByFormat:
    """Estimates of one network, each with another default format."""

    estimates: Mapping[NumericFormat, Estimate]

    def table(self, *, exact: bool = False) -> Table:
        """A row for each format: the memory of weights, and latency and energy on each device."""
        first = next(iter(self.estimates.values()))
        columns = [Column("Format"), Column("Weights (B)" if exact else "Weights", numeric=True)]
        for name in first.bills:
            timed, group = self._is_timed(name), "" if exact else name
            if timed:
                title = f"{name} latency (s)" if exact else name
                columns.append(Column(title, numeric=True, group=group))
            alone = "Energy" if timed else name
            title = f"{name} energy (J)" if exact else alone
            used = f"{name} computes in" if exact else "Computed in"
            columns += [Column(title, numeric=True, group=group), Column(used, group=group)]
        rows = [
            tuple(self._row(number, made, exact=exact)) for number, made in self.estimates.items()
        ]
        plain = evolve(first.scenario, default_format="float32")
        title = f"{first.network.name} by default format, {conditions(plain)}"
        return Table(title, columns, rows, notes=() if exact else tuple(self._notes()))

    def to_dict(self) -> dict[str, Any]:
        """The formats with the whole estimate of each; the schema is named in it."""
        return {
            "schema": SCHEMA,
            "formats": {format_name(one): made.to_dict() for one, made in self.estimates.items()},
        }

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()

    def _is_timed(self, device: str) -> bool:
        """Whether the time of a device is known in any of the formats."""
        return any(is_timed(made.bill(device)) for made in self.estimates.values())

    def _row(self, number: NumericFormat, made: Estimate, *, exact: bool) -> Iterator[str]:
        yield format_name(number)
        size = next(iter(made.bills.values())).evaluation.weight_bytes
        yield str(size) if exact else format_quantity(size, "B")
        for name, bill in made.bills.items():
            if self._is_timed(name):
                yield _latency(bill, exact=exact)
            yield _energy(bill, exact=exact)
            used = bill.device.computes_in(number)
            yield "" if _ignores_formats(bill.device) or used is None else format_name(used)

    def _notes(self) -> Iterator[str]:
        yield from self._by_format(_missing)
        yield from self._by_format(_without_room)
        first = next(iter(self.estimates.values()))
        one_price = [name for name, bill in first.bills.items() if _ignores_formats(bill.device)]
        if one_price:
            yield f"one price for all formats on {', '.join(one_price)}"
        yield from changed(bill.device for bill in first.bills.values())
        yield from self._by_format(lambda made: assumed(made.bills.values()))
        yield from not_modelled(bill.device for bill in first.bills.values())

    def _by_format(self, lines_of: Callable[[Estimate], Iterable[str]]) -> Iterator[str]:
        """Each line once, with the formats that it holds for."""
        by_line: dict[str, list[str]] = {}
        for number, made in self.estimates.items():
            for line in lines_of(made):
                by_line.setdefault(line, []).append(format_name(number))
        for line, numbers in by_line.items():
            everywhere = len(numbers) == len(self.estimates)
            yield line if everywhere else f"{', '.join(numbers)}: {line}"


def _without_room(made: Estimate) -> Iterator[str]:
    for bill in made.bills.values():
        yield from unfit(bill)


def _missing(made: Estimate) -> Iterator[str]:
    """What has no price on each device, and why."""
    for name, bill in made.bills.items():
        for line in listed_reasons(bill.coverage.unpriced):
            yield f"unpriced on {name}: {line}"


def by_format(
    source: object,
    devices: str | Path | Device | Sequence[str | Path | Device],
    formats: Iterable[str | NumericFormat],
    *,
    scenario: Scenario | None = None,
) -> ByFormat:
    """Estimate a network with each of several default formats.

    Raises:
        CostModelError: no format is given, one is given twice, or as `estimate`.

    """
    given = [formats] if isinstance(formats, str) else formats
    numbers = [parse_format(one) if isinstance(one, str) else one for one in given]
    if not numbers or len(set(numbers)) < len(numbers):
        found = ", ".join(map(format_name, numbers)) or "none"
        message = f"expected different formats, such as float32 and int8; found {found}"
        raise CostModelError(message)
    plain = scenario or Scenario()
    network = source if isinstance(source, Network) else read(source)
    return ByFormat({
        number: estimate(
            network, devices, scenario=evolve(plain, default_format=number), on_unpriced="bound"
        )
        for number in numbers
    })  # fmt: skip


def _ignores_formats(device: Device) -> bool:
    return "formats" in device.ignores


def _latency(bill: Bill, *, exact: bool) -> str:
    seconds = bill.total.latency_seconds
    if seconds is None or (exact and not bill.evaluation.is_priced):
        return "" if exact else UNKNOWN
    shown = least(bill.evaluation.is_priced) + format_quantity(seconds, "s")
    return repr(seconds) if exact else shown


def _energy(bill: Bill, *, exact: bool) -> str:
    if bill.evaluation.unknown_static or (exact and not bill.is_complete):
        return "" if exact else UNKNOWN
    energy = bill.total.energy_joules
    return repr(energy) if exact else least(bill.is_complete) + joules(energy)
