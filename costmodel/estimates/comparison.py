"""Comparisons: where two bills differ, layer by layer, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from costmodel.devices import Charge, Factor, Parameter
from costmodel.estimates.estimate import Estimate
from costmodel.report import ignored
from costmodel.report.bills import Bill, LayerCost
from costmodel.report.columns import (
    has_energy_by_layer,
    is_in_static,
    shown_energy,
    shown_latency,
    standing,
    totals,
)
from costmodel.report.estimate_json import scenario_dict
from costmodel.report.estimate_table import (
    assumed,
    assumptions,
    conditions,
    not_modelled,
    some,
)
from costmodel.report.table import Column, Table
from costmodel.scenario import Scenario
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from costmodel.network.graph import Network

SCHEMA: Final = "costmodel/comparison/2"

REASONS: Final = {
    "coverage": "one side prices what the other has free or unpriced",
    "charges": "one side charges for something that the other does not",
    "rate": "the sides assume different firing rates",
    "count": "the sides count different amounts of the same work",
    "price": "the sides have different unit prices",
    "time": "the sides take different times",
    "traffic": "the sides move different amounts of data through a memory that both have",
    "layer": "only one side has the layer",
}
"""Why a layer costs differently on two sides."""

_SHORT_FACTS: Final = 3
"""As many stand in the row of a layer; JSON and CSV have all."""
_PER_SECOND: Final = "Hz"
"""The unit of a factor that is a rate."""


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
class Fact:
    """One fact behind a difference: its reason, a key of REASONS, and a whole sentence.

    A table has `short` in the row of the layer, and `shared`, which other layers may have too,
    once below it.
    """

    reason: str
    sentence: str
    short: str = ""
    shared: tuple[str, ...] = ()


@frozen
class Difference:
    """One layer that the two sides charge differently; a side without it has no line."""

    layer: str
    kind: str
    before: LayerCost | None
    after: LayerCost | None
    facts: tuple[Fact, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the layer costs differently, as keys of REASONS."""
        found = {fact.reason for fact in self.facts}
        return tuple(reason for reason in REASONS if reason in found)

    @property
    def why(self) -> tuple[str, ...]:
        """A sentence for each fact behind the reasons."""
        return tuple(dict.fromkeys(fact.sentence for fact in self.facts))

    @property
    def energy_joules(self) -> float:
        """How much more of the layer is in the total after than before.

        Less is known where a side is unpriced: `shown` says so.
        """
        return _joules(self.after) - _joules(self.before)

    @property
    def latency_seconds(self) -> float:
        """How much longer the layer takes after than before; a side without a time counts as 0."""
        return _seconds(self.after) - _seconds(self.before)

    def shown(self, *, of_time: bool) -> str:
        """The difference as far as it is known: a side without a price may be any."""
        if not of_time and _mixes_static(self):
            return ""
        difference, unit = (self.latency_seconds, "s") if of_time else (self.energy_joules, "J")
        return _bounded(difference, _are_whole(self), unit)


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

    @property
    def is_of_time(self) -> bool:
        """Whether layers are compared by time: all energy of both is a power over the makespan."""
        sides = (self.before, self.after)
        return not any(has_energy_by_layer(side.bill) for side in sides)

    def table(self, *, exact: bool = False) -> Table:
        """A row for each layer that differs.

        `exact` has bare numbers in joules, and whole sentences beside them in place of notes.
        """
        titles = [self.before.label, self.after.label, "Difference"]
        of_time = self.is_of_time
        unit = "s" if of_time else "J"
        columns = [
            Column("Layer"), Column("Kind"),
            *(Column(f"{title} ({unit})" if exact else title, numeric=True) for title in titles),
            Column("Because"), Column("Why"),
        ]  # fmt: skip
        shared = _footnotes(self.differences)
        numbers = {text: number for number, text in enumerate(shared, start=1)}
        rows = [
            _exact_row(item, of_time=of_time) if exact else _row(item, numbers, of_time=of_time)
            for item in self.differences
        ]
        notes = _notes(self, shared)
        return Table(_title(self), columns, rows, _footer(self), notes, folds=True)

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
    """Where two bills differ, of one estimate or of two.

    Layers meet by their names. Where few names are in both and nearly all kinds agree, as in a
    network whose layers were renamed, they meet by their place.

    Raises:
        UnknownNameError: an estimate has no such device.

    """
    sides = _sides(before, before_device, after, after_device)
    pairs = _Pairs(sides[0].label, sides[1].label)
    lines = sides[0].bill.lines, sides[1].bill.lines
    found = [pairs.difference(*pair) for pair in _aligned(*lines)]
    differences = [difference for difference in found if difference is not None]
    same = len(found) - len(differences)
    made = Comparison(*sides, tuple(differences), same=same)
    measure = "latency_seconds" if made.is_of_time else "energy_joules"
    differences.sort(key=lambda difference: -abs(getattr(difference, measure)))
    return evolve(made, differences=tuple(differences))


_SAME_NAMES: Final = 0.5
"""The share of names, of the smaller network, from which on layers meet by name."""
_SAME_KINDS: Final = 0.9
"""How much of two sequences of kinds must agree for layers to meet by place."""


def are_related(before: Network, after: Network) -> bool:
    """Whether two networks are versions of one, so that their layers can be held side by side."""
    layers = [[(layer.name, layer.kind) for layer in one.layers] for one in (before, after)]
    return _share_names(*layers) or _kinds(*layers).ratio() >= _SAME_KINDS


_NamesAndKinds = list[tuple[str, str]]


def _share_names(before: _NamesAndKinds, after: _NamesAndKinds) -> bool:
    names = [{name for name, _ in side} for side in (before, after)]
    return len(names[0] & names[1]) >= _SAME_NAMES * min(map(len, names))


def _kinds(before: _NamesAndKinds, after: _NamesAndKinds) -> SequenceMatcher[str]:
    sides = [[kind for _, kind in side] for side in (before, after)]
    return SequenceMatcher(a=sides[0], b=sides[1], autojunk=False)


_Pair = tuple["LayerCost | None", "LayerCost | None"]


def _aligned(before: Sequence[LayerCost], after: Sequence[LayerCost]) -> Iterator[_Pair]:
    """The lines of the same layer, or of one side alone."""
    layers = [[(line.layer.name, line.layer.kind) for line in side] for side in (before, after)]
    kinds = None if _share_names(*layers) else _kinds(*layers)
    if kinds is None or kinds.ratio() < _SAME_KINDS:
        lines = [{line.layer.name: line for line in side} for side in (before, after)]
        for name in dict.fromkeys([*lines[0], *lines[1]]):
            yield lines[0].get(name), lines[1].get(name)
        return
    done = [0, 0]
    for block in kinds.get_matching_blocks():
        yield from ((line, None) for line in before[done[0] : block.a])
        yield from ((None, line) for line in after[done[1] : block.b])
        done = [block.a + block.size, block.b + block.size]
        yield from zip(before[block.a : done[0]], after[block.b : done[1]], strict=True)


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

    def difference(self, before: LayerCost | None, after: LayerCost | None) -> Difference | None:
        """The difference of two lines, or None where they charge alike."""
        line = before or after
        if line is None:
            return None
        facts = list(self._facts(before, after))
        if not facts:
            return None
        names = dict.fromkeys(one.layer.name for one in (before, after) if one is not None)
        return Difference(" -> ".join(names), line.layer.kind, before, after, tuple(facts))

    def _facts(self, before: LayerCost | None, after: LayerCost | None) -> Iterator[Fact]:
        if before is None or after is None:
            only = f"only in {self.before if after is None else self.after}"
            yield Fact("layer", only, only)
        elif standing(before) != standing(after):
            yield _stated(self.before, before)
            yield _stated(self.after, after)
        else:
            yield from self._charged(_account(before), _account(after))
            yield from _timed(before, after)
            yield from _moved(before, after)

    def _charged(self, before: _Account, after: _Account) -> Iterator[Fact]:
        for unit_cost in dict.fromkeys([*before, *after]):
            old, new = before.get(unit_cost), after.get(unit_cost)
            if old and new:
                yield from _both(old, new)
            else:
                yield self._one_sided(old, new)

    def _one_sided(self, old: list[Charge] | None, new: list[Charge] | None) -> Fact:
        charges = old or new or []
        label = self.before if old else self.after
        counted, product = _counted(charges), _product(charges)
        # A derived unit cost has another value in each layer.
        is_derived = not isinstance(charges[0].unit_cost, Parameter)
        price = charges[0].unit_cost.name if is_derived else _priced(charges)
        return Fact(
            "charges",
            f"only {label} charges {counted} at {_priced(charges)}",
            f"{label}: {counted}",
            (f"only {label} charges {product} at {price}",),
        )


def _timed(before: LayerCost, after: LayerCost) -> Iterator[Fact]:
    """How long both sides take, and what limits them, where both say it and differ."""
    old, new = before.cost.latency_seconds, after.cost.latency_seconds
    if old is None or new is None or old == new:
        return
    limits = [line.limiting_resource for line in (before, after)]
    by = f", limited by {limits[0]} -> {limits[1]}" if None not in limits else ""
    sentence = f"latency: {format_quantity(old, 's')} -> {format_quantity(new, 's')}{by}"
    yield Fact("time", sentence, sentence)


def _moved(before: LayerCost, after: LayerCost) -> Iterator[Fact]:
    """What both sides move through memories of one name, where they differ."""
    old, new = before.traffic_bytes, after.traffic_bytes
    for memory in (name for name in before.peak_bytes if name in after.peak_bytes):
        sizes = [sum(moved.get(memory, (0, 0))) for moved in (old, new)]
        if sizes[0] != sizes[1]:
            sentence = f"{memory}: {sizes[0]:,} -> {sizes[1]:,} bytes"
            yield Fact("traffic", sentence, sentence)


_Account = dict[str, list[Charge]]


def _account(line: LayerCost) -> _Account:
    """The charges of a line by the name of their unit cost."""
    account: _Account = {}
    for charge in line.cost.charges:
        account.setdefault(charge.unit_cost.name, []).append(charge)
    return account


def _both(old: list[Charge], new: list[Charge]) -> Iterator[Fact]:
    for what, before, after in _matched(old, new):
        if _count(before) != _count(after):
            for reason, changed in _changed(before, after):
                sentence = f"{what}: {changed}"
                yield Fact(reason, sentence, sentence)
        if _weights(before) != _weights(after):
            sentence = f"{what}: {_priced(before)} -> {_joules_each(after)}"
            yield Fact("price", sentence, sentence)
    before_parts, after_parts = _parameters(old), _parameters(new)
    for name in [name for name in before_parts if name in after_parts]:
        figures = (before_parts[name], after_parts[name])
        if figures[0].value != figures[1].value:
            described = [format_quantity(one.value, one.unit) for one in figures]
            sentence = f"{name} {' -> '.join(described)}"
            yield Fact("price", sentence, shared=(sentence,))


def _matched(old: list[Charge], new: list[Charge]) -> list[tuple[str, list[Charge], list[Charge]]]:
    """Charges at one unit cost by role, where both sides have the same ones."""
    before, after = _by_role(old), _by_role(new)
    if before.keys() == after.keys():
        return [(role, part, after[role]) for role, part in before.items()]
    return [(old[0].unit_cost.name, old, new)]


def _by_role(charges: Iterable[Charge]) -> Mapping[str, list[Charge]]:
    parts: dict[str, list[Charge]] = {}
    for charge in charges:
        parts.setdefault(charge.role, []).append(charge)
    return parts


def _weights(charges: Iterable[Charge]) -> list[list[tuple[str, float]]]:
    """The names and weights of the parts of each unit cost."""
    return [[(one.name, weight) for one, weight in charge.unit_cost.parts] for charge in charges]


def _parameters(charges: Iterable[Charge]) -> Mapping[str, Parameter]:
    return {one.name: one for charge in charges for one, _ in charge.unit_cost.parts}


def _changed(old: Sequence[Charge], new: Sequence[Charge]) -> Iterator[tuple[str, str]]:
    """The factors that changed, where both counts are made of the same ones, and the reason."""
    factors = [(charges[0].factors if len(charges) == 1 else ()) for charges in (old, new)]
    if factors[0] and list(map(_meaning, factors[0])) == list(map(_meaning, factors[1])):
        for before, after in zip(*factors, strict=True):
            if before[1:] != after[1:]:
                counts = f"{_number(before.value)} -> {_number(after.value)}"
                change = " ".join(filter(None, [counts, after.unit, after.label]))
                yield "rate" if after.unit == _PER_SECOND else "count", change
    else:
        yield "count", f"{_counted(old)} -> {_counted(new)}"


def _meaning(factor: Factor) -> str:
    """What a factor is: rates of outputs and of inputs are both rates."""
    return factor.unit if factor.unit == _PER_SECOND else factor.label


def _count(charges: Iterable[Charge]) -> float:
    return math.fsum(charge.count for charge in charges)


def _counted(charges: Sequence[Charge]) -> str:
    """What is counted, and how often each is due, such as `600 connections x 0.01`."""
    counted = sum(charge.factors[0].value for charge in charges)
    labels = " + ".join(dict.fromkeys(charge.factors[0].label for charge in charges))
    each = _count(charges) / counted if counted else 1.0
    times = "" if math.isclose(each, 1.0) else f" x {_number(each)}"
    return f"{_number(counted)} {labels}".rstrip() + times


def _product(charges: Iterable[Charge]) -> str:
    """What is multiplied, in words; factors of one aside."""
    products = (
        " x ".join(f.label for i, f in enumerate(charge.factors) if not i or f.value != 1) or "1"
        for charge in charges
    )
    return " + ".join(dict.fromkeys(products))


def _priced(charges: Sequence[Charge]) -> str:
    return f"{charges[0].unit_cost.name} {_joules_each(charges)}"


def _joules_each(charges: Sequence[Charge]) -> str:
    """The value of the unit cost of charges; the mean where they differ."""
    unit_cost, count = charges[0].unit_cost, _count(charges)
    value = unit_cost.value
    if count and any(charge.unit_cost.value != value for charge in charges):
        value = math.fsum(charge.energy_joules for charge in charges) / count
    return format_quantity(value, unit_cost.unit)


def _stated(label: str, line: LayerCost) -> Fact:
    """What is said of a line: what it is charged for, or why it is not."""
    charged = dict.fromkeys(f"charged for {_counted(part)}" for part in _account(line).values())
    missing = [f"unpriced: {reason}" for reason in line.unpriced]
    free = [f"free: {reason}" for reason in line.free] if not charged else []
    said = "; ".join([*charged, *missing, *free]) or "nothing to charge"
    short = f"{label}: {'; '.join(charged)}" if charged else ""
    shared = tuple(f"{label}: {reason}" for reason in (*missing, *free))
    return Fact("coverage", f"{label}: {said}", short, shared)


def _are_whole(difference: Difference) -> tuple[bool, bool]:
    """Whether nothing is missing from the energy of the layer before, and after."""
    before, after = difference.before, difference.after
    return before is None or not before.unpriced, after is None or not after.unpriced


def _joules(line: LayerCost | None) -> float:
    return 0.0 if line is None else line.cost.energy_joules


def _seconds(line: LayerCost | None) -> float:
    return 0.0 if line is None else line.cost.latency_seconds or 0.0


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


# ------------------------------------------------------------------ as a table


def _title(comparison: Comparison) -> str:
    sides = (comparison.before, comparison.after)
    networks = {side.estimate.network.name for side in sides}
    devices = {side.device for side in sides}
    network = networks.pop() if len(networks) == 1 else "two networks"
    where = f"{network} on {devices.pop()}" if len(devices) == 1 else network
    measure = "latency" if comparison.is_of_time else "energy"
    title = f"{where}: {measure} by {sides[0].label} and by {sides[1].label}"
    described = dict.fromkeys(conditions(side.estimate.scenario) for side in sides)
    if list(described) == [conditions(Scenario())]:
        return title
    return f"{title}, {' and '.join(described)}"


def _footnotes(differences: Iterable[Difference]) -> Mapping[str, list[str]]:
    """The layers of each text that rows share, in the order in which the texts come up."""
    found: dict[str, list[str]] = {}
    for item in differences:
        for text in dict.fromkeys(text for fact in item.facts for text in fact.shared):
            found.setdefault(text, []).append(item.layer)
    return found


def _row(difference: Difference, numbers: Mapping[str, int], *, of_time: bool) -> tuple[str, ...]:
    marks = sorted({numbers[text] for fact in difference.facts for text in fact.shared})
    facts = list(dict.fromkeys(fact.short for fact in difference.facts if fact.short))
    more = len(facts) - _SHORT_FACTS
    short = "; ".join([*facts[:_SHORT_FACTS], *([f"and {more} more"] if more > 0 else [])])
    return (
        difference.layer,
        difference.kind,
        _cell(difference.before, of_time=of_time),
        _cell(difference.after, of_time=of_time),
        difference.shown(of_time=of_time),
        ", ".join(difference.reasons),
        " ".join(filter(None, [short, *(f"[{number}]" for number in marks)])),
    )


def _exact_row(difference: Difference, *, of_time: bool) -> tuple[str, ...]:
    known = difference.latency_seconds if of_time else difference.energy_joules
    is_known = all(_are_whole(difference)) and (of_time or not _mixes_static(difference))
    return (
        difference.layer,
        difference.kind,
        *(_exact_cell(side, of_time=of_time) for side in (difference.before, difference.after)),
        repr(known) if is_known else "",
        ", ".join(difference.reasons),
        "; ".join(difference.why),
    )


def _cell(line: LayerCost | None, *, of_time: bool) -> str:
    if line is None:
        return "absent"
    return (shown_latency(line) or standing(line)) if of_time else shown_energy(line)


def _exact_cell(line: LayerCost | None, *, of_time: bool) -> str:
    if line is None or standing(line) == "unpriced":
        return ""
    if of_time:
        return "" if line.cost.latency_seconds is None else repr(line.cost.latency_seconds)
    return "" if is_in_static(line) else repr(_joules(line))


def _mixes_static(difference: Difference) -> bool:
    """Whether the energy of a side is in the static energy of the whole network."""
    sides = (difference.before, difference.after)
    return any(line is not None and is_in_static(line) for line in sides)


def _bounded(difference: float, are_whole: tuple[bool, bool], unit: str = "J") -> str:
    """A difference of two amounts, each of which is the whole one or at least so much."""
    if not any(are_whole):
        return "?"
    before, after = are_whole
    bound = "" if before and after else ">= " if before else "<= "
    return f"{bound}{'+' if difference > 0 else ''}{format_quantity(difference, unit)}"


def _footer(comparison: Comparison) -> list[tuple[str, ...]]:
    bills = [comparison.before.bill, comparison.after.bill]
    are_whole = (bills[0].is_complete, bills[1].is_complete)
    differences = {
        "Total": _bounded(comparison.energy_joules, are_whole),
        "Latency": _difference_of_time(comparison) if all(are_whole) else "",
    }
    return [
        (_TITLES.get(title, title), "", *map(text_of, bills), differences.get(title, ""), "", "")
        for title, text_of in totals(bills).items()
    ]


_TITLES: Final = {"Total": "Total of the network"}
"""What a row of totals is called here, where layers that cost the same have no row."""


def _difference_of_time(comparison: Comparison) -> str:
    old, new = [side.bill.total.latency_seconds for side in (comparison.before, comparison.after)]
    if old is None or new is None:
        return ""
    return f"{'+' if new > old else ''}{format_quantity(new - old, 's')}"


def _notes(comparison: Comparison, shared: Mapping[str, Sequence[str]]) -> Iterator[str]:
    plural = "layer is" if comparison.same == 1 else "layers are"
    yield f"{comparison.same} further {plural} charged alike on both sides"
    used = dict.fromkeys(reason for item in comparison.differences for reason in item.reasons)
    yield from (f"{reason}: {meaning}" for reason, meaning in REASONS.items() if reason in used)
    for number, (text, layers) in enumerate(shared.items(), start=1):
        yield f"[{number}] {some(layers)}: {text}"
    sides = (comparison.before, comparison.after)
    yield from dict.fromkeys(line for side in sides for line in _ignored(side))
    yield from assumed({side.device: side.bill for side in sides}.values())
    yield from not_modelled({side.device: side.bill.device for side in sides}.values())


def _ignored(side: Side) -> Iterator[str]:
    return ignored.notes([side.bill], side.estimate.scenario)


# ------------------------------------------------------------------ as plain values


def _side_dict(side: Side) -> dict[str, Any]:
    return {
        "label": side.label,
        "network": side.estimate.network.name,
        "device": side.device,
        "convention": side.estimate.convention.name,
        "scenario": scenario_dict(side.estimate.scenario),
        "energy_joules": side.energy_joules,
        "latency_seconds": side.bill.total.latency_seconds,
        "is_lower_bound": not side.bill.is_complete,
        "assumptions": list(assumptions(side.bill)),
        "ignored": dict(side.estimate.ignored(side.device)),
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


def _line_dict(line: LayerCost | None) -> Mapping[str, Any] | None:
    if line is None:
        return None
    charges = [
        {"role": role, "unit_cost": unit_cost, "count": _count(parts)}
        for unit_cost, priced in _account(line).items()
        for role, parts in _by_role(priced).items()
    ]
    known = None if standing(line) == "unpriced" else _joules(line)
    return {
        "standing": standing(line),
        "energy_joules": known,
        "latency_seconds": line.cost.latency_seconds,
        "limiting_resource": line.limiting_resource,
        "bytes_moved": {name: sum(moved) for name, moved in line.traffic_bytes.items()},
        "charges": charges,
    }
