"""Checks: a network held against its budget, as a table, as plain values and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from costmodel import registry as registrys
from costmodel.budgets.budget import Budget, Cause, Limit, Verdict, differences, verdicts
from costmodel.budgets.budget_file import draft, read_budget
from costmodel.devices import Device
from costmodel.errors import BudgetError, CostModelError
from costmodel.estimates.estimate import Estimate, collect, estimate, read
from costmodel.estimates.saved import SavedEstimate, read_saved, saved
from costmodel.network.files import holds_network
from costmodel.network.graph import Network
from costmodel.registry import Registry
from costmodel.report.estimate_json import scenario_dict
from costmodel.report.estimate_table import conditions
from costmodel.report.table import Column, Table, escaped
from costmodel.scenario import Scenario
from costmodel.units import format_quantity

SCHEMA: Final = "costmodel/check/1"

_SHOWN_CAUSES: Final = 3
"""As many layers are named for a limit; JSON has all."""
_DIGITS: Final = 3
_MOST_DIGITS: Final = 17
"""Enough to show any two numbers as different."""


@frozen
class Check:
    """The verdict on each limit of a budget, for one network."""

    network: str
    budget: Budget
    scenario: Scenario
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    """What beside the network may explain a growth."""

    @property
    def is_met(self) -> bool:
        """Whether every limit holds."""
        return not self.failed

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The verdicts on limits that are broken or unknown."""
        return tuple(one for one in self.verdicts if one.status != "within")

    @property
    def headline(self) -> str:
        """The network, and how many limits of which budget hold."""
        count = len(self.verdicts)
        held = count - len(self.failed)
        plural = "" if count == 1 else "s"
        return f"{self.network}: {held} of {count} limit{plural} of {self.budget.source} met"

    @property
    def explanation(self) -> tuple[str, ...]:
        """How many limits hold, and a sentence for each that does not."""
        return tuple(map(escaped, [self.headline, *map(explained, self.failed)]))

    def table(self, *, exact: bool = False) -> Table:
        """A row for each limit, and a sentence below for each that does not hold.

        `exact` has bare numbers in SI units, and the sentences in the rows.
        """
        if exact:
            return Table(self.headline, _EXACT_COLUMNS, map(_exact_row, self.verdicts))
        notes = [explained(one) for one in self.failed]
        notes += self.notes
        notes += [_ROOM] if any(map(_has_room, self.verdicts)) else []
        notes.append(f"conditions: {conditions(self.scenario)}")
        return Table(self.headline, _COLUMNS, map(_row, self.verdicts), (), notes)

    def summary(self) -> str:
        """The table as a section of Markdown, for the summary of a pull request."""
        return f"### Cost budget\n\n{self.table().markdown()}"

    def to_dict(self) -> dict[str, Any]:
        """The verdicts as plain values, in SI units; the schema is named in it."""
        return {
            "schema": SCHEMA,
            "network": self.network,
            "budget": self.budget.source,
            "scenario": scenario_dict(self.scenario),
            "is_met": self.is_met,
            "limits": [_verdict_dict(one) for one in self.verdicts],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()


def check(
    source: object,
    budget: Budget | str | Path,
    *,
    baseline: str | Path | None = None,
    devices: Mapping[str, Device] | None = None,
    registry: Registry | None = None,
) -> Check:
    """Hold a network against a budget, or the file of one.

    `source` is a `Network` or anything that `costmodel.read` takes. `baseline` is a saved
    estimate, in place of the one that the budget names. `devices` are all devices of the budget
    by the names that it has for them; without them, they are looked up.

    Raises:
        CostModelError: the source, the budget, a device or the baseline is not usable.

    """
    if isinstance(budget, Budget):
        chosen = devices or devices_of(budget, registry)
    elif devices:
        budget, chosen = read_budget(budget), devices
    else:
        budget, chosen = read_with_devices(budget, registry)
    return Checking(source, budget, devices=chosen, registry=registry).against(baseline)


class Checking:
    """A network that is estimated under the conditions of a budget, to be held against it."""

    def __init__(
        self,
        source: object,
        budget: Budget,
        *,
        devices: Mapping[str, Device],
        registry: Registry | None = None,
    ) -> None:
        """Estimate the network on the devices of the budget, by the names that it has for them.

        Raises:
            CostModelError: the source or the budget is not usable.

        """
        registry = registry or registrys.installed()
        self.budget = budget.on(devices)
        self.estimate = _estimate(source, list(devices.values()), budget.scenario, registry)
        self._devices, self._registry = tuple(devices.values()), registry

    def against(self, baseline: str | Path | None = None) -> Check:
        """Hold it against the budget, and a baseline in place of the one that the budget names.

        Raises:
            CostModelError: the baseline is not usable.

        """
        path = baseline or self.budget.baseline
        before = self._baseline(path) if path and self.budget.needs_baseline else None
        found = _as_saved(self.estimate, "this estimate")
        return Check(
            self.estimate.network.name, self.budget, self.estimate.scenario,
            verdicts(self.budget, found, before),
            tuple(differences(found, before)) if before else (),
        )  # fmt: skip

    def _baseline(self, path: str | Path) -> SavedEstimate:
        """A saved estimate, or that of the network in a file, under the same conditions."""
        if not holds_network(path):
            return read_saved(path)
        made = _estimate(str(path), self._devices, self.budget.scenario, self._registry)
        return _as_saved(made, str(path))


def _as_saved(made: Estimate, source: str) -> SavedEstimate:
    """The estimate by way of its text, so that it equals the same estimate from a file."""
    return saved(json.loads(made.to_json()), source)


def devices_of(budget: Budget, registry: Registry | None = None) -> Mapping[str, Device]:
    """The devices of a budget by the names that it has for them, with what it sets.

    Raises:
        BudgetError: there is no such device or parameter, or two names are of one device.

    """
    found, mistakes = _looked_up(budget, registry)
    if mistakes:
        raise BudgetError(budget.source, mistakes)
    return found


def read_with_devices(
    path: str | Path, registry: Registry | None = None
) -> tuple[Budget, Mapping[str, Device]]:
    """The budget in a file, and its devices by the names that it has for them.

    Raises:
        BudgetError: the mistakes of the file, of its devices and of limits that do not fit these.

    """
    budget, mistakes = draft(path)
    devices, unknown = _looked_up(budget, registry)
    mistakes = [*mistakes, *unknown, *budget.misfits(devices)]
    if mistakes:
        raise BudgetError(budget.source, mistakes)
    return budget, devices


def _looked_up(budget: Budget, registry: Registry | None) -> tuple[dict[str, Device], list[str]]:
    """The devices that there are, and what is wrong with the others."""
    known = registry or registrys.installed()
    found: dict[str, Device] = {}
    mistakes: list[str] = []
    for name, values in budget.devices.items():
        try:
            found[name] = known.device(name, **values)
        except CostModelError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            mistakes.append(f"devices.{name}: {'; '.join(lines)}")
    names = [device.name for device in found.values()]
    mistakes += [
        f"devices.{name}: its device {device.name!r} has limits under another name too"
        for name, device in found.items()
        if names.count(device.name) > 1
    ]
    return found, mistakes


def _estimate(
    source: object, devices: Sequence[Device], scenario: Scenario, registry: Registry
) -> Estimate:
    if devices:
        return estimate(
            source, devices, scenario=scenario, on_unpriced="bound", registry=registry
        )  # fmt: skip
    network = (
        source
        if isinstance(source, Network)
        else read(source, input_shapes=scenario.input_shapes, registry=registry)
    )
    return collect(network, [], scenario, on_unpriced="bound", registry=registry)


# ------------------------------------------------------------------ for people


_COLUMNS: Final = (
    Column("Limit"), Column("Allowed", numeric=True), Column("Found", numeric=True),
    Column("Room left", numeric=True), Column("Verdict"),
)  # fmt: skip
_ROOM: Final = (
    "room left: the share of what is allowed that is not used; negative where it is exceeded"
)


def _row(verdict: Verdict) -> tuple[str, ...]:
    allowed, found = shown(verdict)
    if verdict.limit.is_growth and verdict.before is not None:
        allowed = f"{allowed} ({_amount(verdict.before, verdict.limit)} +{_growth(verdict)})"
    return (verdict.limit.name, allowed, found, _margin(verdict), verdict.status)


def shown(verdict: Verdict) -> tuple[str, str]:
    """What is allowed and what was found, with as many digits as tell them apart."""
    limit, allowed, found = verdict.limit, verdict.allowed, verdict.found
    digits = _DIGITS if None in {allowed, found} else _telling(allowed, found)
    least = ">= " if verdict.missing else ""
    return (
        "?" if allowed is None else _amount(allowed, limit, digits),
        "?" if found is None else f"{least}{_amount(found, limit, digits)}",
    )


def _telling(value: float | None, other: float | None) -> int:
    """As few digits as show two numbers as different; for equal ones the usual."""
    if value == other:
        return _DIGITS
    several = range(_DIGITS, _MOST_DIGITS)
    return next((n for n in several if f"{value:.{n}g}" != f"{other:.{n}g}"), _MOST_DIGITS)


def _amount(value: float, limit: Limit, digits: int = _DIGITS) -> str:
    """A quantity with its unit; a count in full."""
    return format_quantity(value, limit.unit, digits) if limit.unit else f"{value:,.15g}"


def _has_room(verdict: Verdict) -> bool:
    return _margin(verdict).endswith("%") and not _margin(verdict).startswith("grew")


def _margin(verdict: Verdict) -> str:
    margin, before = verdict.margin, verdict.before
    if verdict.limit.is_growth and before and verdict.found is not None and not verdict.missing:
        return f"grew {verdict.found / before - 1:+.1%}"
    if margin is None or verdict.status == "unknown":
        return ""
    return f"{'<= ' if verdict.missing else ''}{_percent(margin)}"


def _percent(share: float) -> str:
    """A share with one digit behind the point; one that is not 0 never reads as 0."""
    return f"{share:.1%}" if not share or abs(share) >= 0.0005 else f"{share:.1e}"  # noqa: PLR2004  # half of the last digit


def _growth(verdict: Verdict) -> str:
    allowed = verdict.allowed or 0.0
    return "0 %" if not verdict.before else f"{100 * (allowed / verdict.before - 1):.4g} %"


def explained(verdict: Verdict) -> str:
    """Why a limit does not hold: the amounts, and the layers that cause it."""
    head = f"{verdict.status}: {verdict.limit.name}"
    allowed, found = shown(verdict)
    if verdict.status == "unknown":
        reason = "; ".join(verdict.missing) or "it is not known"
        return f"{head} must not exceed {allowed}, found {found}: {reason}"
    before = ""
    if verdict.before is not None:
        before = f", in the baseline {_amount(verdict.before, verdict.limit, _DIGITS)}"
    return f"{head} must not exceed {allowed}, found {found}{before}; {_caused(verdict)}"


def _caused(verdict: Verdict) -> str:
    """The layers behind a broken limit."""
    if not verdict.causes:
        return "no single layer causes it"
    words = [_cause(one, verdict) for one in verdict.causes[:_SHOWN_CAUSES]]
    more = len(verdict.causes) - _SHOWN_CAUSES
    rest = [f"and {more} more"] if more > 0 else []
    return f"{_how(verdict)}: {', '.join([*words, *rest])}"


def _how(verdict: Verdict) -> str:
    """What the layers that are named have in common."""
    if verdict.layers_have == "peaks":
        return "the peak is at layer"
    of = "weights of layers" if verdict.layers_have == "weights" else "layers"
    return f"{of} that grew most" if verdict.limit.is_growth else f"largest {of}"


def _cause(cause: Cause, verdict: Verdict) -> str:
    limit, amount = verdict.limit, _amount(cause.amount, verdict.limit)
    if cause.is_new:
        return f"{cause.layer} {amount} (new)"
    if cause.before is not None:
        digits = _telling(cause.before, cause.amount)
        before, now = [_amount(one, limit, digits) for one in (cause.before, cause.amount)]
        return f"{cause.layer} {before} -> {now}"
    if verdict.layers_have == "peaks":
        return cause.layer
    share = f" ({cause.amount / verdict.found:.0%})" if verdict.found else ""
    return f"{cause.layer} {amount}{share}"


# ------------------------------------------------------------------ for programs


_EXACT_COLUMNS: Final = (
    *(Column(title) for title in ("Limit", "Quantity", "Memory", "Device", "Unit", "At")),
    *(Column(title, numeric=True) for title in ("Baseline", "Allowed", "Found", "Margin")),
    *(Column(title) for title in ("Verdict", "Layers", "Why")),
)


def _exact_row(verdict: Verdict) -> tuple[str, ...]:
    limit = verdict.limit
    numbers = (verdict.before, verdict.allowed, verdict.found, verdict.margin)
    return (
        limit.name, limit.quantity, limit.memory or "", limit.device or "", limit.unit, limit.at,
        *("" if number is None else repr(number) for number in numbers),
        verdict.status,
        "; ".join(cause.layer for cause in verdict.causes),
        "" if verdict.status == "within" else explained(verdict),
    )  # fmt: skip


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    limit = verdict.limit
    return {
        "name": limit.name,
        "device": limit.device,
        "quantity": limit.quantity,
        "memory": limit.memory,
        "unit": limit.unit or None,
        "at": limit.at,
        "growth": limit.most if limit.is_growth else None,
        "baseline": verdict.before,
        "allowed": verdict.allowed,
        "found": verdict.found,
        "margin": verdict.margin,
        "verdict": verdict.status,
        "missing": list(verdict.missing),
        "layers_have": verdict.layers_have,
        "layers": [_cause_dict(cause, limit) for cause in verdict.causes],
    }


def _cause_dict(cause: Cause, limit: Limit) -> Mapping[str, Any]:
    values = {"name": cause.layer, "kind": cause.kind, "amount": cause.amount}
    return {**values, "baseline": cause.before} if limit.is_growth else values
