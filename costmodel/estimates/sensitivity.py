"""Which figures of a device change a total most: each moved within its range, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.estimates.estimate import estimate, html_module, read
from costmodel.network.graph import Network
from costmodel.registry import installed
from costmodel.report.columns import least
from costmodel.report.estimate_table import conditions
from costmodel.report.table import WIDE, Column, Table
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.devices import Device, Parameter
    from costmodel.report.bills import Bill
    from costmodel.scenario import Scenario

MEASURES: Final = {"energy": "J", "time": "s"}
"""The totals that figures change, and their units."""
SCHEMA: Final = "costmodel/sensitivity/1"
_BARS: Final = (6, 30)
"""Characters of the longest bar: at least, where the table is wide, and at most."""
_MODEL: Final = "measured over predicted time"


@frozen
class Swing:
    """A figure at both ends of its range, and the total there."""

    name: str
    unit: str
    low: float
    value: float
    high: float
    at_low: float
    """The total with the figure at its low end, in joules or seconds."""
    at_high: float
    evidence: str
    source: str

    @property
    def swing(self) -> float:
        """How far both totals are apart."""
        return abs(self.at_high - self.at_low)

    def to_dict(self) -> dict[str, Any]:
        """The swing as plain values, in SI units."""
        return {
            "parameter": self.name, "unit": self.unit, "low": self.low, "value": self.value,
            "high": self.high, "total_at_low": self.at_low, "total_at_high": self.at_high,
            "evidence": self.evidence, "source": self.source,
        }  # fmt: skip


@frozen
class Sensitivity:
    """The figures of a device that change a total of a network, the largest change first."""

    network: str
    device: str
    measure: str
    total: float
    swings: tuple[Swing, ...]
    without_range: tuple[str, ...]
    """Figures that change the total and of which no range is known."""
    conditions: str
    is_complete: bool = True
    """Whether nothing is missing from the total."""

    def table(self, *, exact: bool = False) -> Table:
        """A row for each figure, with a bar for the share of the largest change."""
        unit = MEASURES[self.measure]
        if exact:
            titles = ("low", "value", "high", f"total at low ({unit})", f"total at high ({unit})")
            columns = [
                Column("Parameter"), Column("Unit"), *(Column(one, numeric=True) for one in titles),
                Column("Evidence"),
            ]  # fmt: skip
            figures = [
                (one.name, one.unit, repr(one.low), repr(one.value), repr(one.high),
                 repr(one.at_low), repr(one.at_high), one.evidence)
                for one in self.swings
            ]  # fmt: skip
            return Table(self._title, columns, figures)
        columns = [
            Column("Parameter"), Column("Low", numeric=True), Column("High", numeric=True),
            Column("Total at low", numeric=True), Column("Total at high", numeric=True),
            Column("Change"),
        ]  # fmt: skip
        shown = [
            (
                one.name,
                format_quantity(one.low, one.unit),
                format_quantity(one.high, one.unit),
                format_quantity(one.at_low, unit),
                format_quantity(one.at_high, unit),
            )
            for one in self.swings
        ]
        room = WIDE - Table("", [*columns[:-1], Column("")], [(*row, "") for row in shown]).width
        bars = self._bars(min(max(room, _BARS[0]), _BARS[1]))
        rows = [(*row, bar) for row, bar in zip(shown, bars, strict=True)]
        return Table(self._title, columns, rows, notes=tuple(self._notes()))

    def _bars(self, length: int) -> list[str]:
        """A bar for each figure, the longest of this length."""
        largest = max((one.swing for one in self.swings), default=0.0)
        return [
            "#" * max(1, round(length * one.swing / largest)) if largest else ""
            for one in self.swings
        ]

    def to_dict(self) -> dict[str, Any]:
        """The sensitivity as plain values, in SI units; the schema is named in it."""
        return {
            "schema": SCHEMA,
            "network": self.network,
            "device": self.device,
            "measure": self.measure,
            "total": self.total,
            "swings": [one.to_dict() for one in self.swings],
            "without_range": list(self.without_range),
        }

    def plot(self) -> Any:
        """A plotly figure: a bar for each figure, the largest change first.

        Raises:
            CostModelError: `costmodel-nn[report]` is not installed.

        """
        return html_module("pictures").plot_sensitivity(self)

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()

    @property
    def _title(self) -> str:
        shown = least(self.is_complete) + format_quantity(self.total, MEASURES[self.measure])
        return f"{self.network} on {self.device}: {self.measure} {shown}, {self.conditions}"

    def _notes(self) -> Iterator[str]:
        if self.without_range:
            yield (
                "no range is known of "
                f"{', '.join(self.without_range)}; --around '10 %' moves every figure by so much"
            )


def sensitivity(
    source: object,
    device: str | Path | Device,
    scenario: Scenario | None = None,
    *,
    measure: str = "energy",
    around: float | None = None,
) -> Sensitivity:
    """How far each figure of a device moves a total, within its range or by a share `around`.

    `source` and `device` are what `costmodel.estimate` takes.

    `around` 0.1 moves each figure 10 % down and up, whatever its range.

    Raises:
        UnknownNameError: no such measure.
        CostModelError: the total is not known, or `around` is not between 0 and 1.

    """
    _check(measure, around)
    network = source if isinstance(source, Network) else read(source)
    device = installed().device(device)

    def bill_of(changed: Device) -> Bill:
        made = estimate(network, changed, scenario=scenario, on_unpriced="bound")
        return made.bill(device.name)

    usual = bill_of(device)
    total = _total(usual, measure)
    if total is None:
        message = f"the {measure} of {network.name} on {device.name} is not known"
        raise CostModelError(message)
    swings, unknown = [], []
    for figure in device.parameters.values():
        low, high = _ends(figure, around)
        if low == high and around is not None:
            continue  # too small a share to make a difference
        if low == high:
            if _moves(bill_of(_with(device, figure, 1.01 * figure.value)), measure, total):
                unknown.append(figure.name)
            continue
        ends = [_total(bill_of(_with(device, figure, end)), measure) for end in (low, high)]
        at_low, at_high = ends
        if at_low is not None and at_high is not None and at_low != at_high:
            swings.append(_swing(figure, low, high, at_low, at_high))
    if around is None and (model := _of_the_model(usual, measure)) is not None:
        swings.append(model)
    swings.sort(key=lambda one: one.swing, reverse=True)
    return Sensitivity(
        network.name, device.name, measure, total, tuple(swings), tuple(unknown),
        conditions(usual.evaluation.scenario), usual.is_complete,
    )  # fmt: skip


def _check(measure: str, around: Any) -> None:
    if measure not in MEASURES:
        raise UnknownNameError(str(measure), MEASURES, "measure")
    if around is not None and (not isinstance(around, int | float) or not 0 < around < 1):
        message = f"around is {around!r}; expected a share between 0 and 1, such as 0.1"
        raise CostModelError(message)


def _ends(figure: Parameter, around: float | None) -> tuple[float, float]:
    if around is None:
        return figure.low, figure.high
    return figure.value * (1 - around), figure.value * (1 + around)


def _with(device: Device, figure: Parameter, value: float) -> Device:
    return device.with_parameters(**{figure.name: f"{value!r} {figure.unit}".strip()})


def _total(bill: Bill, measure: str) -> float | None:
    if measure == "time":
        return bill.total.latency_seconds
    return None if bill.evaluation.unknown_static else bill.total.energy_joules


def _moves(bill: Bill, measure: str, total: float) -> bool:
    return _total(bill, measure) != total


def _swing(figure: Parameter, low: float, high: float, at_low: float, at_high: float) -> Swing:
    return Swing(
        figure.name, figure.unit, low, figure.value, high, at_low, at_high,
        figure.evidence.value, figure.source,
    )  # fmt: skip


def _of_the_model(bill: Bill, measure: str) -> Swing | None:
    """The spread of measured times around predicted ones, as one more figure."""
    here = bill.evaluation.residual
    total = _total(bill, measure)
    if here is None or total is None:
        return None
    static = bill.evaluation.static.energy_joules
    moved = total if measure == "time" else static
    evidence = "" if here.evidence is None else here.evidence.value
    return Swing(
        _MODEL, "", here.low, 1.0, here.high, total + moved * (here.low - 1),
        total + moved * (here.high - 1), evidence, here.source,
    )  # fmt: skip
