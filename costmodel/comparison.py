"""Comparisons: where two bills differ, layer by layer, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from costmodel.bills import Bill, Line
from costmodel.devices import Charge
from costmodel.estimates import Estimate
from costmodel.report import Column, Table
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA: Final = "costmodel/comparison/1"

REASONS: Final = {
    "coverage": "one side prices what the other has free or unpriced",
    "count": "the sides charge for different counts",
    "price": "the sides have different unit prices",
    "layer": "only one side has the layer",
}
"""Why a layer costs differently on two sides."""


@frozen
class Side:
    """One of the two bills, under the `label` that tells it from the other."""

    label: str
    estimate: Estimate = field(repr=False)
    device: str

    @property
    def bill(self) -> Bill:
        """The bill that is compared."""
        return self.estimate.bill(self.device)

    @property
    def energy_joules(self) -> float:
        """The total of the bill."""
        return self.bill.total.energy_joules


@frozen
class Difference:
    """One layer that the two sides charge differently; a side without it has no line.

    `reasons` are keys of REASONS, `why` is a sentence for each fact behind them.
    """

    layer: str
    kind: str
    before: Line | None
    after: Line | None
    reasons: tuple[str, ...]
    why: tuple[str, ...]

    @property
    def energy_joules(self) -> float:
        """How much more the layer costs after than before."""
        return _joules(self.after) - _joules(self.before)


@frozen
class Comparison:
    """The layers that two bills charge differently, the largest difference first."""

    before: Side
    after: Side
    differences: tuple[Difference, ...]
    same: int
    """How many layers both sides charge alike."""

    @property
    def energy_joules(self) -> float:
        """How much more the network costs after than before."""
        return self.after.energy_joules - self.before.energy_joules

    def table(self) -> Table:
        """A row for each layer that differs."""
        columns = [
            Column("Layer"), Column("Kind"),
            Column(self.before.label, numeric=True), Column(self.after.label, numeric=True),
            Column("Difference", numeric=True), Column("Because"), Column("Why"),
        ]  # fmt: skip
        rows = map(_row, self.differences)
        return Table(_title(self), columns, rows, _footer(self), _notes(self))

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values, in SI units; the schema is named in it."""
        return {
            "schema": SCHEMA,
            "before": _side_dict(self.before),
            "after": _side_dict(self.after),
            "energy_joules": self.energy_joules,
            "same_layers": self.same,
            "differences": [_difference_dict(item) for item in self.differences],
        }

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()


def compare(before: Estimate, before_device: str, after: Estimate, after_device: str) -> Comparison:
    """Where two bills differ, of one estimate or of two; layers meet by their names.

    Raises:
        UnknownNameError: an estimate has no such device.

    """
    sides = _sides(before, before_device, after, after_device)
    lines = [{line.layer.name: line for line in side.bill.lines} for side in sides]
    names = dict.fromkeys([*lines[0], *lines[1]])
    pairs = _Pairs(sides[0].label, sides[1].label, same_device=before_device == after_device)
    found = [pairs.difference(lines[0].get(name), lines[1].get(name)) for name in names]
    differences = [difference for difference in found if difference is not None]
    differences.sort(key=lambda difference: -abs(difference.energy_joules))
    return Comparison(*sides, tuple(differences), same=len(found) - len(differences))


def _sides(
    before: Estimate, before_device: str, after: Estimate, after_device: str
) -> tuple[Side, Side]:
    facts = zip(_facts(before, before_device), _facts(after, after_device), strict=True)
    differing = [pair for pair in facts if pair[0] != pair[1]]
    labels = [" ".join(words) for words in zip(*differing, strict=True)] or ["before", "after"]
    return Side(labels[0], before, before_device), Side(labels[1], after, after_device)


def _facts(estimate: Estimate, device: str) -> tuple[str, str, str]:
    return estimate.network.name, device, estimate.convention.name


@frozen
class _Pairs:
    """How two lines of one layer are held against each other."""

    before: str
    after: str
    same_device: bool

    def difference(self, before: Line | None, after: Line | None) -> Difference | None:
        """The difference of two lines, or None where they charge alike."""
        line = before or after
        if line is None:
            return None
        facts = list(self._facts(before, after))
        if not facts:
            return None
        reasons = {reason for reason, _ in facts}
        return Difference(
            line.layer.name, line.layer.kind, before, after,
            tuple(reason for reason in REASONS if reason in reasons),
            tuple(dict.fromkeys(sentence for _, sentence in facts)),
        )  # fmt: skip

    def _facts(self, before: Line | None, after: Line | None) -> Iterator[tuple[str, str]]:
        if before is None or after is None:
            only = self.before if after is None else self.after
            yield "layer", f"only in {only}"
        elif _standing(before) != _standing(after):
            yield "coverage", f"{self.before}: {_stated(before)}"
            yield "coverage", f"{self.after}: {_stated(after)}"
        else:
            yield from self._charged(_account(before), _account(after))

    def _charged(self, before: _Account, after: _Account) -> Iterator[tuple[str, str]]:
        for key in dict.fromkeys([*before, *after]):
            old, new = before.get(key), after.get(key)
            if old and new:
                yield from _both(old, new)
            else:
                reason = "count" if self.same_device else "price"
                yield reason, self._one_sided(old, new)

    def _one_sided(self, old: list[Charge] | None, new: list[Charge] | None) -> str:
        charges = old or new or []
        label = self.before if old else self.after
        return f"only {label} charges {_counted(charges)} at {_priced(charges[0])}"


_Account = dict[tuple[str, str], list[Charge]]


def _account(line: Line) -> _Account:
    """The charges of a line by what they are for: component and parameter."""
    account: _Account = {}
    for charge in line.cost.charges:
        account.setdefault((charge.component, charge.parameter.name), []).append(charge)
    return account


def _both(old: list[Charge], new: list[Charge]) -> Iterator[tuple[str, str]]:
    if _count(old) != _count(new):
        yield "count", f"{old[0].component}: {_changed_count(old, new)}"
    if old[0].parameter.value != new[0].parameter.value:
        yield "price", f"{_priced(old[0])} -> {_priced(new[0])}"


def _changed_count(old: list[Charge], new: list[Charge]) -> str:
    """The factors that changed, where both counts are made of the same ones."""
    factors = [(charges[0].factors if len(charges) == 1 else ()) for charges in (old, new)]
    if factors[0] and [f.label for f in factors[0]] == [f.label for f in factors[1]]:
        pairs = zip(*factors, strict=True)
        return ", ".join(
            f"{_number(a.value)} -> {_number(b.value)} {a.label}" for a, b in pairs if a != b
        )
    return f"{_counted(old)} -> {_counted(new)}"


def _count(charges: Iterable[Charge]) -> float:
    return math.fsum(charge.count for charge in charges)


def _counted(charges: list[Charge]) -> str:
    labels = " + ".join(dict.fromkeys(charge.factors[0].label for charge in charges))
    return f"{_number(sum(charge.factors[0].value for charge in charges))} {labels}"


def _priced(charge: Charge) -> str:
    return (
        f"{charge.parameter.name} {format_quantity(charge.parameter.value, charge.parameter.unit)}"
    )


def _standing(line: Line) -> str:
    if line.unpriced:
        return "priced in part" if line.cost.charges else "unpriced"
    return "priced" if line.cost.charges else "free"


def _stated(line: Line) -> str:
    """What is said of a line: what it is charged for, or why it is not."""
    charged = [f"charged for {_counted(charges)}" for charges in _account(line).values()]
    missing = [f"unpriced: {reason}" for reason in line.unpriced]
    free = [f"free: {reason}" for reason in line.free] if not charged else []
    return "; ".join(dict.fromkeys([*charged, *missing, *free])) or "nothing to charge"


def _joules(line: Line | None) -> float:
    return 0.0 if line is None else line.cost.energy_joules


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


# ------------------------------------------------------------------ as a table


def _title(comparison: Comparison) -> str:
    sides = (comparison.before, comparison.after)
    networks = {side.estimate.network.name for side in sides}
    devices = {side.device for side in sides}
    network = networks.pop() if len(networks) == 1 else "two networks"
    where = f"{network} on {devices.pop()}" if len(devices) == 1 else network
    return f"{where}: energy by {sides[0].label} and by {sides[1].label}"


def _row(difference: Difference) -> tuple[str, ...]:
    return (
        difference.layer,
        difference.kind,
        _cell(difference.before),
        _cell(difference.after),
        _signed(difference.energy_joules),
        ", ".join(difference.reasons),
        "; ".join(difference.why),
    )


def _cell(line: Line | None) -> str:
    if line is None:
        return "absent"
    standing = _standing(line)
    return format_quantity(_joules(line), "J") if line.cost.charges else standing


def _signed(energy_joules: float) -> str:
    return f"{'+' if energy_joules > 0 else ''}{format_quantity(energy_joules, 'J')}"


def _footer(comparison: Comparison) -> list[tuple[str, ...]]:
    totals = [_total(side) for side in (comparison.before, comparison.after)]
    bills = (comparison.before.bill, comparison.after.bill)
    covered = [f"{bill.coverage.fraction:.1%}" for bill in bills]
    return [
        ("Total of the network", "", *totals, _signed(comparison.energy_joules), "", ""),
        ("Layers covered", "", *covered, "", "", ""),
    ]


def _total(side: Side) -> str:
    least = "" if side.bill.is_complete else ">= "
    return least + format_quantity(side.energy_joules, "J")


def _notes(comparison: Comparison) -> Iterator[str]:
    yield f"{comparison.same} further layers are charged alike on both sides"
    used = dict.fromkeys(reason for item in comparison.differences for reason in item.reasons)
    yield from (f"{reason}: {meaning}" for reason, meaning in REASONS.items() if reason in used)


# ------------------------------------------------------------------ as plain values


def _side_dict(side: Side) -> dict[str, Any]:
    return {
        "label": side.label,
        "network": side.estimate.network.name,
        "device": side.device,
        "convention": side.estimate.convention.name,
        "energy_joules": side.energy_joules,
        "is_lower_bound": not side.bill.is_complete,
    }


def _difference_dict(difference: Difference) -> dict[str, Any]:
    return {
        "layer": difference.layer,
        "kind": difference.kind,
        "energy_joules": difference.energy_joules,
        "reasons": list(difference.reasons),
        "why": list(difference.why),
        "before": _line_dict(difference.before),
        "after": _line_dict(difference.after),
    }


def _line_dict(line: Line | None) -> Mapping[str, Any] | None:
    if line is None:
        return None
    charges = [
        {"component": component, "parameter": name, "count": _count(parts)}
        for (component, name), parts in _account(line).items()
    ]
    return {"standing": _standing(line), "energy_joules": _joules(line), "charges": charges}
