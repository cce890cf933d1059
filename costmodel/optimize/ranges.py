"""Costs of designs as linear functions of what is known of their devices within ranges.

An energy is a sum of counts, each times a figure of the device, so that it is linear in these. A
time is a count over a rate, and linear in the reciprocal of the rate, as long as one resource of a
group takes longest for all values. Where that is not so, by how much the time of the group is above
that of one resource, or of another group, is a term of its own between ends that are known; so is a
power times a time. These terms then move alone, which leaves more values open than there are: what
is worse for all of them is worse.

No term is believed: costs are compared with those that the device gives at some values.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import frozen

from costmodel.devices import Parameter
from costmodel.devices.cost import Cost, Duration, Seconds
from costmodel.errors import CostModelError
from costmodel.optimize.robust import LinearCosts
from costmodel.sweeps.designs import Designs
from costmodel.sweeps.grouped import static_watts
from costmodel.sweeps.rows import rows_of
from costmodel.sweeps.table import COSTS

if TYPE_CHECKING:
    from costmodel.devices import Device
    from costmodel.sweeps.designs import DesignsOfOneBlock
    from costmodel.sweeps.grid import Grid
    from costmodel.sweeps.table import SweepTable

Array: TypeAlias = "np.ndarray[Any, Any]"
Values: TypeAlias = "Mapping[Parameter, float]"
"""Values of figures within their ranges."""
RANGED: Final = ("energy", "latency", "area")
"""The columns of a sweep that depend on figures which have ranges."""
PRICES: Final = ("J", "J/OP", "J/B", "J/bit")
_POWER, _AREA = "W", "m2"
_SAME: Final = 1e-9
"""How far the costs that a device gives may be from the sum of terms, by rounding."""


# ------------------------------------------------------------------ terms


@frozen
class Term:
    """Something that costs are linear in."""

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """The names of the figures that it depends on."""

    @abstractmethod
    def at(self, values: Values) -> tuple[float, float]:
        """The least and the largest that it can be at some values of figures."""

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest that it can be at all."""
        return self.at({})


@frozen(cache_hash=True)
class Figure(Term):
    """A figure of a device, or one that it derives from several.

    What runtimes of a device give is not the same, even in equal ranges: `owner` names both.
    """

    owner: str
    parameter: Parameter

    @classmethod
    def of(cls, device: Device, parameter: Parameter) -> Figure:
        """The figure of a device, which its runtime may give."""
        is_memory = parameter.name in device.memory_parameters
        declared = "memories" if is_memory else parameter.name.partition(".")[0]
        is_own = parameter.name in device.parameters and declared not in device.runtime_values
        is_common = is_own or device.runtime is None
        owner = device.plain_name if is_common else device.named_by_runtime().name
        return cls(owner, parameter)

    @property
    def names(self) -> frozenset[str]:
        """Its own, with that of the device."""
        return frozenset([f"{self.owner}.{self.parameter.name}"])

    def at(self, values: Values) -> tuple[float, float]:
        """Its value, if it is given, or else its range."""
        known = values.get(self.parameter)
        return (self.parameter.low, self.parameter.high) if known is None else (known, known)


@frozen(cache_hash=True)
class Reciprocal(Term):
    """One over a rate: the time that each takes."""

    rate: Figure

    @property
    def names(self) -> frozenset[str]:
        """That of the rate."""
        return self.rate.names

    def at(self, values: Values) -> tuple[float, float]:
        """One over the ends of the rate."""
        low, high = self.rate.at(values)
        return 1.0 / high, 1.0 / low


@frozen(cache_hash=True)
class Longest(Term):
    """The longest of several times, of which any may be it."""

    times: frozenset[Sum]

    @property
    def names(self) -> frozenset[str]:
        """Those that one of the times depends on."""
        terms = [term for time in self.times for term, _ in time if term is not None]
        return frozenset().union(*[term.names for term in terms])

    def at(self, values: Values) -> tuple[float, float]:
        """The longest at the best, and at the worst."""
        lows, highs = zip(*[_ends(time, values) for time in self.times], strict=True)
        return max(lows), max(highs)


@frozen(cache_hash=True)
class Increase(Term):
    """By how much the longest of several times is longer than that of others."""

    times: frozenset[Sum]
    others: frozenset[Sum]

    @property
    def names(self) -> frozenset[str]:
        """Those that one of the times depends on."""
        return Longest(self.times | self.others).names

    def at(self, values: Values) -> tuple[float, float]:
        """The least and the largest difference, as the differences of two times bound it."""
        low = 0.0 - _most_above(self.others, self.times, values)
        return low, _most_above(self.times, self.others, values)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest that it can be.

        One that is not seen above the least might never be above it, and then makes no design worse
        than another: the least is put a little lower, so that nothing is dropped for it.
        """
        low, high = self.at({})
        seen = max(self.at(values)[0] for values in self._some_values())
        room = _SAME * (high - low)
        return (low, high) if seen > low + room else (low - room, high)

    def _some_values(self) -> Iterator[Values]:
        """The usual values, and each figure at one end with all others at the other."""
        terms = [term for time in self.times | self.others for term, _ in time]
        rates = [term.rate if isinstance(term, Reciprocal) else term for term in terms]
        figures = [one.parameter for one in rates if isinstance(one, Figure)]
        yield {figure: figure.value for figure in figures}
        for one in figures:
            yield {figure: figure.high if figure == one else figure.low for figure in figures}
            yield {figure: figure.low if figure == one else figure.high for figure in figures}


@frozen(cache_hash=True)
class Product(Term):
    """A power times a time."""

    power: Figure
    time: Term

    @property
    def names(self) -> frozenset[str]:
        """Those of both."""
        return self.power.names | self.time.names

    def at(self, values: Values) -> tuple[float, float]:
        """The products of the ends, none of which is negative."""
        (low, high), (least, most) = self.power.at(values), self.time.at(values)
        return low * least, high * most


@frozen(cache_hash=True)
class Overhead(Term):
    """The time that each call of a device adds under some conditions."""

    owner: str
    conditions: str
    seconds: Seconds

    @property
    def names(self) -> frozenset[str]:
        """What it is, and whose."""
        return frozenset([f"{self.owner}.overhead of a call"])

    def at(self, values: Values) -> tuple[float, float]:
        """Its range: which figures it follows from is not known."""
        del values
        return self.seconds.low, self.seconds.high


Expression: TypeAlias = "dict[Term | None, float]"
"""Amounts of terms, and of 1 by None: what a cost is the sum of."""
Sum: TypeAlias = "frozenset[tuple[Term | None, float]]"
"""An expression as a value that can be compared."""


def _ends(terms: Iterable[tuple[Term | None, float]], values: Values) -> tuple[float, float]:
    """The least and the largest of a sum of amounts of terms, which may be negative."""
    ends = [
        sorted(amount * end for end in ((1.0, 1.0) if term is None else term.at(values)))
        for term, amount in terms
    ]
    return math.fsum(low for low, _ in ends), math.fsum(high for _, high in ends)


def _most_above(times: Iterable[Sum], others: Iterable[Sum], values: Values) -> float:
    """At most by how much the longest of times is above that of others.

    Whichever is the longest, it is above each of the others by no more than both differ.
    """
    return max(min(_ends(_minus(time, other), values)[1] for other in others) for time in times)


def _minus(time: Sum, other: Sum) -> Sum:
    negative = {term: -amount for term, amount in other}
    return frozenset(_added([dict(time), negative]).items())


def _added(expressions: Iterable[Expression]) -> Expression:
    found: Expression = {}
    for one in expressions:
        for term, amount in one.items():
            found[term] = found.get(term, 0.0) + amount
    return found


# ------------------------------------------------------------------ the cost of a group


@frozen
class _Groups:
    """What the costs of groups on a device are sums of."""

    device: Device
    chosen: frozenset[str] = frozenset()
    """Figures that designs choose, which are terms even without a range."""

    def energy(self, cost: Cost) -> Expression:
        """The energy of charges by the figures that they are counts of."""
        found: Expression = {}
        for charge in cost.charges:
            for parameter, weight in charge.unit_cost.parts:
                amount = charge.count * weight
                if parameter.low < parameter.high or parameter.name in self.chosen:
                    term: Term | None = Figure.of(self.device, parameter)
                else:
                    term, amount = None, amount * parameter.value
                found[term] = found.get(term, 0.0) + amount
        return found

    def time(self, cost: Cost) -> Expression:
        """The time by the rates that it follows from.

        Raises:
            CostModelError: it has a range and follows from no durations.

        """
        seconds = cost.latency_seconds
        if seconds is None:
            return {None: math.nan} if cost.charges else {}
        if cost.latency_seconds_low == cost.latency_seconds_high:
            return {None: seconds}
        if not cost.durations:
            message = (
                f"latency: device {self.device.name!r} gives the time of a group, such as a loop, "
                "within a range, and no durations that say which figures it follows from; give "
                "these figures one value"
            )
            raise CostModelError(message)
        phases: dict[str, dict[str, list[Expression]]] = {}
        for one in cost.durations:
            phases.setdefault(one.phase, {}).setdefault(one.resource, []).append(self._busy(one))
        return _added([self._longest(map(_added, one.values())) for one in phases.values()])

    def _busy(self, duration: Duration) -> Expression:
        rate = duration.rate
        if rate.low == rate.high:
            return {None: duration.seconds}
        figure = Figure.of(self.device, rate)
        return {figure if rate.unit == "s" else Reciprocal(figure): duration.count}

    @staticmethod
    def _longest(times: Iterable[Expression]) -> Expression:
        """The longest of times: that which is so for all values, or a term of its own."""
        left: list[Expression] = []
        for time in times:
            if any(_is_never_longer(time, other) for other in left):
                continue
            left = [other for other in left if not _is_never_longer(other, time)]
            left.append(time)
        if len(left) == 1:
            return left[0]
        return {Longest(frozenset([frozenset(time.items()) for time in left])): 1.0}


def _is_never_longer(time: Expression, other: Expression) -> bool:
    difference = _minus(frozenset(time.items()), frozenset(other.items()))
    return _ends(difference, {})[1] <= 0.0


# ------------------------------------------------------------------ what belongs to a device


def _ranged(device: Device, units: Iterable[str] | None = None) -> list[Parameter]:
    """The figures that have a range, of some units."""
    return [
        figure
        for figure in device.parameters.values()
        if figure.low < figure.high and (units is None or figure.unit in units)
    ]


def _with(device: Device, values: Values) -> Device:
    """The device with other values of figures."""
    changed = {
        figure.name: f"{value!r} {figure.unit}".strip()
        for figure, value in values.items()
        if value != figure.value
    }
    return device.with_parameters(**changed) if changed else device


def _by_figure(device: Device, unit: str, total: Callable[[Device], float | None]) -> Expression:
    """A total of a device that is linear in its figures of a unit."""
    usual = total(device)
    if usual is None or math.isnan(usual):
        return {None: math.nan}
    found: Expression = {None: usual}
    for figure in _ranged(device, [unit]):
        low, high = [
            total(_with(device, {figure: end})) or 0.0 for end in (figure.low, figure.high)
        ]
        share = (high - low) / (figure.high - figure.low)
        if share:
            found[Figure.of(device, figure)] = share
            found[None] -= share * figure.value
    return found


# ------------------------------------------------------------------ designs


class _Columns:
    """An expression for each of many designs."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.terms: dict[Term | None, Array] = {None: np.zeros(count)}

    def add(self, term: Term | None, amounts: Array | float, rows: Any = slice(None)) -> None:
        """Add amounts of a term to some designs."""
        if term not in self.terms:
            self.terms[term] = np.zeros(self.count)
        self.terms[term][rows] += amounts

    def gather(self, entries: Sequence[Expression], places: Array) -> None:
        """Add to each design the expression that it has."""
        for term in dict.fromkeys([term for one in entries for term in one]):
            self.add(term, np.array([one.get(term, 0.0) for one in entries]).take(places))

    def ends(self, values: Values) -> tuple[Array, Array]:
        """The least and the largest of each design at some values of figures."""
        least, most = np.zeros(self.count), np.zeros(self.count)
        for term, amounts in self.terms.items():
            low, high = (1.0, 1.0) if term is None else term.at(values)
            least += np.minimum(amounts * low, amounts * high)
            most += np.maximum(amounts * low, amounts * high)
        return least, most


class _Block:
    """The designs of a block, as sums of terms."""

    def __init__(self, part: DesignsOfOneBlock, names: Sequence[str]) -> None:
        self.part, self.device, self.count = part, part.costing.device, len(part.rows)
        self._check_prices()
        self.usual = part.costing.costs(part.chosen, part.figures, self.count)
        self.columns: dict[str, _Columns] = {}
        watts = self._watts() if "energy" in names else {}
        time, is_timed = _Columns(self.count), np.zeros(self.count, dtype=bool)
        if watts or "latency" in names:
            is_timed = self._time(time)
        if "energy" in names:
            self.columns["energy"] = self._energy(time, watts)
        if "latency" in names:
            time.terms[None][~is_timed] = math.nan
            self.columns["latency"] = time
        if "area" in names:
            self.columns["area"] = _Columns(self.count)
            total = _by_figure(self.device, _AREA, lambda device: device.area_square_metres)
            self.columns["area"].gather([total], np.zeros(self.count, dtype=np.intp))
        self.check(names)

    def _check_prices(self) -> None:
        ranged = _ranged(self.device, PRICES)
        if ranged and "price-linear" not in self.device.capabilities:
            message = (
                f"energy: what device {self.device.name!r} counts depends on its prices, as a "
                f"mapping that is searched does, so that it is not linear in {ranged[0].name}; "
                "give figures that have a range one value"
            )
            raise CostModelError(message)

    def _watts(self) -> Expression:
        device = self.device
        return _by_figure(device, _POWER, static_watts) if device.has_static_charges else {}

    def _energy(self, time: _Columns, watts: Expression) -> _Columns:
        """The charges of groups, and the power over the makespan, where that is known."""
        part, found = self.part, _Columns(self.count)
        chosen = dict(zip([a.target[0] for a in part.costing.linear], part.figures, strict=True))
        groups = _Groups(self.device, frozenset(chosen))
        for places, entries in part.costing.group_costs(part.chosen, part.figures, self.count):
            found.gather([_added(map(groups.energy, costs)) for costs in entries], places)
        for term in list(found.terms):
            if isinstance(term, Figure) and term.parameter.name in chosen:
                found.add(None, found.terms.pop(term) * chosen[term.parameter.name])
        is_known = ~np.isnan(time.terms[None])
        for term, amounts in time.terms.items():
            for power, share in watts.items():
                drawn = np.where(is_known, amounts, 0.0) * share
                found.add(_product(power, term), drawn)
        return found

    def _time(self, found: _Columns) -> Array:
        """Add the times of groups one after the other, and the overhead of the call.

        Returns which designs have a group whose time is known.
        """
        part, groups = self.part, _Groups(self.device)
        is_timed = np.zeros(self.count, dtype=bool)
        for places, entries in part.costing.group_costs(part.chosen, part.figures, self.count):
            found.gather([_added(map(groups.time, costs)) for costs in entries], places)
            known = [any(one.latency_seconds is not None for one in costs) for costs in entries]
            is_timed |= np.array(known, dtype=bool).take(places)
        places, calls = part.costing.calls(part.chosen, part.figures, self.count)
        found.gather([self._call(seconds) for seconds in calls], places)
        return is_timed

    def _call(self, seconds: Seconds) -> Expression:
        """What a call adds to the time of all groups."""
        if seconds.low == seconds.high:
            return {None: seconds.value}
        owner = self.device.named_by_runtime().name
        return {Overhead(owner, repr(self.part.costing.conditions), seconds): 1.0}

    # -------------------------------------------------------------- checks

    def check(self, names: Sequence[str]) -> None:
        """Compare with what the device gives at several values of its figures.

        Raises:
            CostModelError: something else, so that a cost is no sum of these terms.

        """
        figures = _ranged(self.device)
        for shares in _POINTS:
            values = {
                figure: _between(figure, shares[place % len(shares)])
                for place, figure in enumerate(figures)
            }
            name = self._wrong(values, names) if figures else None
            if name is not None:
                self._refuse(name, figures)

    def _wrong(self, values: Values, names: Iterable[str]) -> str | None:
        """A cost that is something else at some values, if there is one."""
        part = self.part
        moved = part.costing.on(_with(self.device, values))
        found = moved.costs(part.chosen, part.figures, self.count)
        everything = {figure: figure.value for figure in _ranged(self.device)} | dict(values)
        for name in names:
            if name in self.columns:
                ends = self.columns[name].ends(everything)
            else:
                ends = self.usual[name], self.usual[name]
            if not _is_between(found[name], *ends):
                return name
        return None

    def _refuse(self, name: str, figures: Sequence[Parameter]) -> None:
        guilty = [
            figure.name
            for figure in figures
            for share in (0.0, 1.0)
            if self._wrong({figure: _between(figure, share)}, [name])
        ]
        which = next(iter(guilty), "several figures together")
        message = (
            f"{name} is no sum of counts and times that is linear in {which} of device "
            f"{self.device.name!r}, which has a range; give it one value among the parameters of "
            "the space"
        )
        raise CostModelError(message)


_POINTS: Final = ((0.0,), (1.0,), (0.0, 1.0), (1.0, 0.0), (0.5,), (0.25, 0.75, 0.5))
"""Where costs are checked: shares of the ranges of figures, in turn."""


def _between(figure: Parameter, share: float) -> float:
    return min(figure.low + share * (figure.high - figure.low), figure.high)


def _is_between(found: Array, least: Array, most: Array) -> bool:
    """Whether values lie between others, up to rounding; what is not a number lies nowhere."""
    room = _SAME * np.abs(found)
    is_within = (least - room <= found) & (found <= most + room)
    return bool((is_within | (np.isnan(found) & np.isnan(least))).all())


def _product(power: Term | None, time: Term | None) -> Term | None:
    if isinstance(power, Figure) and time is not None:
        return Product(power, time)
    return time if power is None else power


def _in_steps(totals: Iterable[_Columns]) -> None:
    """Write the longest of some times as one of these, and what is added to it.

    Times of groups that grow alike, as with the bits that they move, are longer one than the other
    for all values. As sums of increases, none of which is negative, they show that.
    """
    totals = list(totals)
    found = [_parts_of(term)[1] for one in totals for term in one.terms]
    for chain in _chains(dict.fromkeys(term for term in found if isinstance(term, Longest))):
        first = max(chain[0].times, key=lambda time: sum(_ends(time, {})))
        steps = [Increase(after.times, before) for after, before in zip(
            chain, [frozenset([first]), *[one.times for one in chain]], strict=False)]  # fmt: skip
        for columns in totals:
            _replace(columns, chain, steps, first)


def _parts_of(term: Term | None) -> tuple[Figure | None, Term | None]:
    """The power and the time of a term, if it has a power."""
    return (term.power, term.time) if isinstance(term, Product) else (None, term)


def _chains(terms: Iterable[Longest]) -> list[list[Longest]]:
    """Terms in rows in which none is longer than the next, whatever the values."""
    chains: list[list[Longest]] = []
    for term in sorted(terms, key=lambda term: (term.ends[1], term.ends[0])):
        for chain in chains:
            if _most_above(chain[-1].times, term.times, {}) <= 0.0:
                chain.append(term)
                break
        else:
            chains.append([term])
    return chains


def _replace(
    columns: _Columns, chain: Sequence[Longest], steps: Sequence[Increase], first: Sum
) -> None:
    """Put steps in place of the terms of a chain, alone and times a power."""
    parts = [_parts_of(term) for term in columns.terms]
    for power in dict.fromkeys([power for power, time in parts if time in chain]):
        amounts: Any = 0.0
        for term, step in zip(reversed(chain), reversed(steps), strict=True):
            amounts = amounts + columns.terms.pop(_product(power, term), 0.0)
            columns.add(_product(power, step), amounts)
        for time, share in first:
            columns.add(_product(power, time), amounts * share)


def linear_costs(
    designs: SweepTable, grid: Grid, objectives: Sequence[str], maximize: Sequence[int] = ()
) -> tuple[LinearCosts, tuple[Term, ...]]:
    """The objectives of designs of a grid as linear functions of terms, and these terms.

    Energy, latency and area depend on figures that have ranges; all other columns are what they
    are. `maximize` are the places of objectives that are maximised.

    Raises:
        CostModelError: the table is not one of this grid, or an objective depends on a figure that
            has a range in a way that is not linear.

    """
    count = len(designs)
    rows = rows_of(grid, designs)
    names = [name for name in objectives if name in COSTS]
    totals = {name: _Columns(count) for name in objectives if name in RANGED}
    for part in Designs(grid).parts(rows.choices(0, count), count):
        block = _Block(part, names)
        _check_same(designs, block)
        for name, columns in block.columns.items():
            for term, amounts in columns.terms.items():
                totals[name].add(term, amounts, part.rows)
    _in_steps(totals.values())
    terms = [
        term for one in totals.values() for term, amounts in one.terms.items()
        if term is not None and amounts.any()
    ]  # fmt: skip
    places = {term: place for place, term in enumerate(dict.fromkeys(terms))}
    constants = np.empty((count, len(objectives)))
    coefficients = np.zeros((count, len(objectives), len(places)))
    for place, name in enumerate(objectives):
        own = totals.get(name)
        constants[:, place] = designs[name] if own is None else own.terms[None]
        for term, amounts in {} if own is None else own.terms.items():
            if term in places:
                coefficients[:, place, places[term]] = amounts
    ends = np.array([term.ends for term in places]).reshape(-1, 2)
    costs = LinearCosts(constants, coefficients, ends[:, 0], ends[:, 1], maximize)
    return costs, tuple(places)


def _check_same(designs: SweepTable, block: _Block) -> None:
    rows = block.part.rows
    for name in ("weights", "energy", "latency"):
        if name in designs and not _is_between(
            designs[name][rows], block.usual[name], block.usual[name]
        ):
            message = (
                f"the {name} of designs of the table is not that of the same designs of this "
                "network and space; give those that the sweep was made with"
            )
            raise CostModelError(message)
