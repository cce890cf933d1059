"""Charges, durations and costs: what is spent on work, and the time that it takes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from numbers import Real
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import evolve, field, frozen

from costmodel.devices.parameters import GIVEN, Evidence, Parameter
from costmodel.errors import PluginError, ScenarioError
from costmodel.tensor.sizes import SizeArray, as_float, larger, least, most
from costmodel.units import format_quantity
from costmodel.workload.reasons import Reason

_LARGEST_WEIGHT: Final = 1e50
"""The largest share of a parameter in a unit cost."""
_USUAL_COUNT: Final = 1e150
"""Up to this, a count times any unit cost is a number."""


class Factor(NamedTuple):
    """One factor of a count: what it is, how much, in which unit."""

    label: str
    value: float
    unit: str = ""


_VALUE = itemgetter(1)


def _parts(
    given: Iterable[tuple[Parameter, float]],
) -> tuple[tuple[Parameter, float], ...]:
    return tuple(given) if isinstance(given, Iterable) else given


@frozen
class UnitCost:
    """A unit cost that is derived from parameters: the sum of each times its weight.

    A `Parameter` is a unit cost too: one that is given as it is.

    Raises:
        TypeError: there are no parts, or one is not a Parameter and a number.
        ScenarioError: a weight is negative, not a number, or beyond 1e50.
        ValueError: the parts are in different units.

    """

    name: str
    parts: tuple[tuple[Parameter, float], ...] = field(converter=_parts)
    """Each parameter and its weight, which may be a `SizeArray`."""

    def __attrs_post_init__(self) -> None:
        """Check the parts."""
        parts: Any = self.parts
        if not isinstance(parts, tuple) or not parts:
            _refuse_parts(self.name, parts)
        for part in parts:
            if not isinstance(part, tuple) or len(part) != _PAIR:
                _refuse_parts(self.name, parts)
            parameter, weight = part
            if not isinstance(parameter, Parameter):
                _refuse_parts(self.name, parts)
            if parameter.unit != parts[0][0].unit:
                units = f"{parts[0][0].unit!r} and {parameter.unit!r}"
                message = f"unit cost {self.name!r}: expected parts in one unit, found {units}"
                raise ValueError(message)
            if weight.__class__ is not float or not 0.0 <= weight <= _LARGEST_WEIGHT:
                _check_weight(self.name, parameter, weight)

    @property
    def unit(self) -> str:
        """The unit of the parts."""
        return self.parts[0][0].unit

    @cached_property
    def value(self) -> float:
        """The sum of the usual values."""
        return sum([weight * parameter.value for parameter, weight in self.parts])

    @cached_property
    def low(self) -> float:
        """The sum of the lowest values."""
        return sum([weight * parameter.low for parameter, weight in self.parts])

    @cached_property
    def high(self) -> float:
        """The sum of the highest values."""
        return sum([weight * parameter.high for parameter, weight in self.parts])

    @property
    def amount(self) -> str:
        """The value with its unit, and the range where there is one."""
        low, value, high = self.low, self.value, self.high
        shown = format_quantity(value, self.unit)
        if low == high:
            return shown
        return f"{shown} ({format_quantity(low, self.unit)} to {format_quantity(high, self.unit)})"

    def __str__(self) -> str:
        """Write the value with its unit, the range where there is one, and the parts."""
        parts = " + ".join(f"{weight:.6g} x {parameter.name}" for parameter, weight in self.parts)
        return f"{self.amount} [{parts}]"


_PAIR: Final = 2
"""A parameter and its weight."""


def _refuse_parts(name: str, parts: Any) -> None:
    message = (
        f"unit cost {name!r}: expected parameters with weights, "
        f"such as ((parameter, 0.5), (other, 0.5)); found {parts!r:.80}"
    )
    raise TypeError(message)


def _check_weight(name: str, parameter: Parameter, weight: Any) -> None:
    where = f"unit cost {name!r}: the weight of {parameter.name}"
    if not isinstance(weight, Real | SizeArray):
        message = f"{where} is {weight!r:.80}; expected a number"
        raise TypeError(message)
    ends: tuple[Any, Any] = (least(weight), most(weight))  # type: ignore[type-var]  # a number of any type
    for end in ends:
        if not 0 <= end <= _LARGEST_WEIGHT:
            message = f"{where} is {end}; expected 0 to {_LARGEST_WEIGHT:g}"
            raise ScenarioError(message)


def _factors(given: float | Iterable[Factor]) -> tuple[Factor, ...]:
    if isinstance(given, tuple):
        return given  # its items are checked when they are multiplied
    return tuple(given) if isinstance(given, Iterable) else (Factor("", given),)


@frozen
class Charge:
    """A count times a unit cost: energy that is spent in a resource, on a role.

    Raises:
        ScenarioError: the count is negative, or times the unit cost larger than a number can be.
        TypeError: the count is neither a number nor factors, or the unit cost is not one.
        ValueError: the resource or the role has no name.

    """

    resource: str
    """What the energy is spent in, such as `dram` or `multipliers`."""
    role: str
    """What it is spent on: `input`, `weight`, `output`, `compute`, `static` or another name."""
    factors: tuple[Factor, ...] = field(converter=_factors, alias="count")
    unit_cost: Parameter | UnitCost
    count: float = field(init=False, eq=False)
    """How many times the unit cost is spent: the product of the factors."""

    @count.default
    def _product(self) -> float:
        factors = self.factors
        try:
            # Most counts have one factor.
            one = factors[0].value if len(factors) == 1 else math.prod(map(_VALUE, factors))
            return as_float(one)
        except (AttributeError, TypeError, IndexError, ValueError):
            message = (
                "expected a number or factors as the count of a charge, such as "
                f"(Factor('operations', 8), Factor('examples', 2)); found {self.factors!r:.80}"
            )
            raise TypeError(message) from None

    def __attrs_post_init__(self) -> None:
        """Check the names, the unit cost and the product."""
        for what, name in (("resource", self.resource), ("role", self.role)):
            if not name or name.__class__ is not str:
                message = f"expected a name as the {what} of a charge, found {name!r:.80}"
                raise ValueError(message)
        if not isinstance(self.unit_cost, _UNIT_COSTS):
            message = (  # type: ignore[unreachable]  # a caller may have no types
                "expected a Parameter or UnitCost as the unit cost of a charge, "
                f"found {self.unit_cost!r:.80}"
            )
            raise TypeError(message)
        count = self.count
        if count.__class__ is SizeArray or not 0.0 <= count <= _USUAL_COUNT:
            self._check_count()

    def _check_count(self) -> None:
        lowest, highest = least(self.count), most(self.count)
        if lowest >= 0 and (
            highest <= _USUAL_COUNT or highest * most(self.unit_cost.high) < math.inf
        ):
            return
        found = _TOO_LARGE if lowest >= 0 else f"is {lowest}; expected 0 or more"
        labels = " x ".join(filter(None, [factor.label for factor in self.factors]))
        message = f"{labels or f'count of {self.role!r}'}: the product {found}"
        raise ScenarioError(message)

    @property
    def energy_joules(self) -> float:
        """Count times unit cost."""
        return self.count * self.unit_cost.value

    @property
    def energy_joules_low(self) -> float:
        """Count times the lowest unit cost."""
        return self.count * self.unit_cost.low

    @property
    def energy_joules_high(self) -> float:
        """Count times the highest unit cost."""
        return self.count * self.unit_cost.high

    def __str__(self) -> str:
        """Write the role, the resource, the factors, the unit cost and their product."""
        factors = " x ".join(
            " ".join(filter(None, [f"{value:,.6g}", unit, label]))
            for label, value, unit in self.factors
        )
        energy = format_quantity(self.energy_joules, "J")
        name = self.unit_cost.name
        return f"{self.role} ({self.resource}): {factors} x {name} {self.unit_cost} = {energy}"


_UNIT_COSTS: Final = (Parameter, UnitCost)
_TOO_LARGE: Final = "is larger than a number can be"


UNNAMED: Final = "unnamed"
"""The resource that works where a time is given and no resource."""
PHASES: Final = ("start", "run", "finish")
"""The phases of a group of operators, in order: filling a pipeline, working, and draining it."""


@frozen
class Duration:
    """How long a resource is busy: a count, such as of cycles or bytes, at a rate.

    Within a phase resources work at the same time; the phases of a group follow each other. The
    rate is in Hz, B/s and the like, or in s: the time that each takes.

    Raises:
        ScenarioError: the count is negative, or the time is not a finite number.
        TypeError: the rate is not a Parameter in s, Hz, or something per second.
        ValueError: the phase is not one of PHASES, or a rate that divides is not above 0.

    """

    resource: str
    count: float = field(converter=as_float)
    rate: Parameter
    phase: str = "run"

    def __attrs_post_init__(self) -> None:
        """Check the phase, the rate, the count and the time."""
        where = f"duration of {self.resource!r}"
        if self.phase not in PHASES:
            message = f"{where}: expected a phase of {', '.join(PHASES)}, found {self.phase!r:.80}"
            raise ValueError(message)
        if not isinstance(self.rate, Parameter) or not _is_rate(self.rate.unit):
            message = f"{where}: expected a Parameter in s, Hz or such as B/s, found {self.rate!s}"
            raise TypeError(message)
        if self.rate.low <= 0 and not self._is_time:
            message = f"{where}: expected a rate above 0, found {self.rate!s}"
            raise ValueError(message)
        if least(self.count) < 0:
            message = f"{where}: expected a count of 0 or more, found {least(self.count)}"
            raise ScenarioError(message)
        if not most(self.seconds_high) < math.inf:
            message = f"{where}: {self.count!s:.40} at {self.rate} is larger than a number can be"
            raise ScenarioError(message)

    @property
    def seconds(self) -> float:
        """The time at the usual rate."""
        return self._at(self.rate.value)

    @property
    def seconds_low(self) -> float:
        """The time at the best rate."""
        return self._at(self.rate.low if self._is_time else self.rate.high)

    @property
    def seconds_high(self) -> float:
        """The time at the worst rate."""
        return self._at(self.rate.high if self._is_time else self.rate.low)

    @property
    def _is_time(self) -> bool:
        return self.rate.unit == "s"

    def _at(self, rate: float) -> float:
        return self.count * rate if self._is_time else self.count / rate

    def __str__(self) -> str:
        """Write the resource, the count, the rate and the time."""
        per = "x" if self._is_time else "at"
        time = format_quantity(self.seconds, "s")
        phase = "" if self.phase == "run" else f" ({self.phase})"
        unit = "" if self._is_time or self.rate.unit == "Hz" else self.rate.unit.partition("/")[0]
        count = format_quantity(self.count, unit) if unit else f"{self.count:,.6g}"
        return f"{self.resource}{phase}: {count} {per} {self.rate.name} {self.rate} = {time}"


def _is_rate(unit: str) -> bool:
    return unit in {"s", "Hz"} or unit.endswith("/s")


class Seconds(NamedTuple):
    """A time, and the least and the most that it may be."""

    value: float
    low: float
    high: float


def busy(durations: Iterable[Duration]) -> Mapping[str, Mapping[str, Seconds]]:
    """How long each resource is busy in each phase: `{phase: {resource: seconds}}`."""
    found: dict[str, dict[str, Seconds]] = {}
    for one in durations:
        of_phase = found.setdefault(one.phase, {})
        value, low, high = of_phase.get(one.resource, (0.0, 0.0, 0.0))
        of_phase[one.resource] = Seconds(
            value + one.seconds, low + one.seconds_low, high + one.seconds_high
        )
    return found


def latency(durations: Iterable[Duration]) -> Seconds:
    """The time of one group: in each phase the resource that takes longest, one after the other."""
    phases = [list(of_phase.values()) for of_phase in busy(durations).values()]
    longest = [
        [functools.reduce(larger, end) for end in zip(*times, strict=True)] for times in phases
    ]
    return Seconds(*map(sum, zip(*longest, strict=True)))


def _check_time(seconds: float) -> None:
    for time in (least(seconds), most(seconds)):
        if not (math.isfinite(time) and time >= 0):
            message = f"latency_seconds is {time!r}; expected a finite number, not negative"
            raise ValueError(message)


def _charges(given: Iterable[Charge | Cost]) -> tuple[Charge, ...]:
    """Charges in order; a cost stands for its own."""
    if not hasattr(given, "__iter__"):
        message = f"expected several charges, such as Cost([charge]), found {given!r:.80}"
        raise TypeError(message)
    charges: list[Charge] = []
    for one in given:
        if isinstance(one, Charge):
            charges.append(one)
        elif isinstance(one, Cost):
            charges += one.charges
        else:
            message = f"a cost is made of charges and costs; found {one!r:.80}"  # type: ignore[unreachable]  # a caller may have no types
            raise TypeError(message)
    return tuple(charges)


def _durations(given: Iterable[Duration]) -> tuple[Duration, ...]:
    if given.__class__ is tuple and not given:  # nearly always
        return ()
    durations: tuple[Any, ...] = tuple(given) if hasattr(given, "__iter__") else (given,)
    for one in durations:
        if not isinstance(one, Duration):
            message = f"expected durations, such as [Duration(...)], found {one!r:.80}"
            raise TypeError(message)
    return durations


def _sum(energies: Iterable[float]) -> float:
    try:
        total = math.fsum(energies)
    except OverflowError:
        total = math.inf
    if total == math.inf:
        message = "the sum of the energies is larger than a number can be"
        raise ScenarioError(message)
    return total


@frozen(eq=False, repr=False, slots=False)
class Cost:
    """A sum of charges; `latency_seconds` is None where the device does not model time.

    Other costs stand for their charges. The time follows from `durations`, or is given.
    """

    charges: tuple[Charge, ...] = field(default=(), converter=_charges)
    latency_seconds: float | None = None
    durations: tuple[Duration, ...] = field(default=(), kw_only=True, converter=_durations)
    """How long each resource works; those of a cost are of one group of operators."""
    latency_seconds_low: float | None = field(default=None, kw_only=True)
    latency_seconds_high: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Work out the time, and check it."""
        if self.durations:
            self._derive_time()
        if self.latency_seconds is not None:
            self._check_times(self.latency_seconds)

    def _derive_time(self) -> None:
        if self.latency_seconds is not None:
            message = "expected durations or latency_seconds, which follows from them; found both"
            raise ValueError(message)
        value, low, high = latency(self.durations)
        object.__setattr__(self, "latency_seconds", value)
        object.__setattr__(self, "latency_seconds_low", low)
        object.__setattr__(self, "latency_seconds_high", high)

    def _check_times(self, usual: float) -> None:
        low, high = self.latency_seconds_low, self.latency_seconds_high
        if low is None:
            object.__setattr__(self, "latency_seconds_low", usual)
        if high is None:
            object.__setattr__(self, "latency_seconds_high", usual)
        for time in (low, usual, high):
            if time is not None:
                _check_time(time)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same charges and takes the same time, for the same reason."""
        if not isinstance(other, Cost):
            return NotImplemented
        return self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

    @property
    def _compared(self) -> tuple[Any, ...]:
        return self.charges, self.durations, self.latency_seconds, self._range

    @property
    def _range(self) -> tuple[float | None, float | None]:
        return self.latency_seconds_low, self.latency_seconds_high

    @property
    def resources(self) -> tuple[str, ...]:
        """What the charges are spent in, and what the durations keep busy."""
        names = [charge.resource for charge in self.charges]
        return tuple(dict.fromkeys([*names, *(one.resource for one in self.durations)]))

    @property
    def energy_joules(self) -> float:
        """Energy of all charges."""
        return _sum([charge.energy_joules for charge in self.charges])

    @property
    def energy_joules_low(self) -> float:
        """Energy of all charges at their lowest unit costs."""
        return _sum([charge.energy_joules_low for charge in self.charges])

    @property
    def energy_joules_high(self) -> float:
        """Energy of all charges at their highest unit costs."""
        return _sum([charge.energy_joules_high for charge in self.charges])

    @property
    def energy_joules_by_role(self) -> Mapping[str, float]:
        """Energy by what it is spent on: inputs, weights, outputs, computing and so on."""
        return self._energy_by(attrgetter("role"))

    @property
    def energy_joules_by_resource(self) -> Mapping[str, float]:
        """Energy by what it is spent in, such as a memory or multipliers."""
        return self._energy_by(attrgetter("resource"))

    def _energy_by(self, name_of: Callable[[Charge], str]) -> Mapping[str, float]:
        found: dict[str, list[float]] = {}
        for charge in self.charges:
            found.setdefault(name_of(charge), []).append(charge.energy_joules)
        return {name: _sum(energies) for name, energies in found.items()}

    def __repr__(self) -> str:
        """Write how it is made."""
        name = type(self).__qualname__
        if self.durations:
            return f"{name}(charges={self.charges!r}, durations={self.durations!r})"
        return f"{name}(charges={self.charges!r}, latency_seconds={self.latency_seconds!r})"

    def __str__(self) -> str:
        """Write the energy, the time where it is known, and a line for each of their parts."""
        values = (self.energy_joules, self.energy_joules_low, self.energy_joules_high)
        energy, low, high = (format_quantity(value, "J") for value in values)
        bounds = "" if values[1] == values[2] else f" ({low} to {high})"
        known = self.latency_seconds is not None
        time = f", {format_quantity(self.latency_seconds, 's')}" if known else ""  # type: ignore[arg-type]  # known is not None
        return "\n  ".join([f"{energy}{bounds}{time}", *map(str, (*self.charges, *self.durations))])

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost.together([self, other])

    @staticmethod
    def together(costs: Iterable[Cost]) -> Cost:
        """All charges; the times one after the other, where every one is known."""
        costs = list(costs)
        if len(costs) == 1:
            return costs[0]
        if not costs or any(cost.latency_seconds is None for cost in costs):
            return Cost(costs)
        times: list[Any] = [
            (cost.latency_seconds, cost.latency_seconds_low, cost.latency_seconds_high)
            for cost in costs
        ]
        value, low, high = map(_sum_of_times, zip(*times, strict=True))
        return Cost(costs, value, latency_seconds_low=low, latency_seconds_high=high)

    @staticmethod
    def of_group(costs: Iterable[Cost]) -> Cost:
        """All charges and durations of operators that run as one: their resources overlap.

        A time that is given without durations is that of a resource `UNNAMED`. The time of the
        group is not known where something is charged without one.
        """
        costs = list(costs)
        if any(cost.charges and cost.latency_seconds is None for cost in costs):
            return Cost(costs)
        return Cost(costs, durations=[one for cost in costs for one in cost.timed])

    @property
    def timed(self) -> tuple[Duration, ...]:
        """The durations; a time that is given without any is one of a resource `UNNAMED`."""
        usual, low, high = self.latency_seconds, self.latency_seconds_low, self.latency_seconds_high
        if self.durations or usual is None or low is None or high is None:
            return self.durations
        given = Parameter(
            "given time", usual, "s", GIVEN, Evidence.ASSUMED, low=low, high=high
        )  # fmt: skip
        return (Duration(UNNAMED, 1, given),)

    def times(self, count: int, what: str) -> Cost:
        """The same cost `count` times over, one after the other; `what` names what is counted."""
        charges = [
            evolve(charge, count=(*charge.factors, Factor(what, count))) for charge in self.charges
        ]
        if self.durations:
            longer = [evolve(one, count=one.count * count) for one in self.durations]
            return Cost(charges, durations=longer)
        times = (self.latency_seconds, self.latency_seconds_low, self.latency_seconds_high)
        value, low, high = [None if time is None else time * count for time in times]
        return Cost(charges, value, latency_seconds_low=low, latency_seconds_high=high)


def _sum_of_times(times: Sequence[Any]) -> Any:
    return sum(times) if SizeArray in map(type, times) else math.fsum(times)


Outcome: TypeAlias = Cost | Reason
"""What a device answers to an operator."""


def checked(answer: Any, who: str) -> Outcome:
    """The answer of `who` to an operator, if it is one.

    Raises:
        PluginError: it is none: a rule without `return`, or a cost that nothing is charged for.

    """
    is_cost = isinstance(answer, Cost)
    if isinstance(answer, Reason) or (is_cost and (answer.charges or answer.latency_seconds)):
        known: Outcome = answer
        return known
    found = "a Cost without charges" if is_cost else repr(answer)
    message = (
        f"{who}: expected a Cost with charges, Free(reason) or Unpriced(reason), "
        f"found {found:.80} (is a `return` missing?)"
    )
    raise PluginError(message)
