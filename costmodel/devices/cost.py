"""Charges and costs: what is due for work, the unit prices, and the time that it takes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from numbers import Real
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from attrs import evolve, field, frozen

from costmodel.devices.parameters import GIVEN, Evidence, Parameter
from costmodel.errors import PluginError, ScenarioError, nearest
from costmodel.sizes import SizeArray, as_float, larger, least, most
from costmodel.units import format_quantity
from costmodel.workload.reasons import Reason

_USUAL_COUNT: Final = 1e150
_USUAL_ENERGY: Final = 1e280
"""Up to these, a product with a parameter, and a sum of energies, are numbers."""

COMPONENTS: Final = ("inputs", "parameters", "outputs", "compute", "synapse", "neuron", "static")
"""The components of a bill, in the order in which they are shown."""
_COMPONENTS: Final = frozenset(COMPONENTS)


class Factor(NamedTuple):
    """One factor of a count: what it is, how much, in which unit."""

    label: str
    value: float
    unit: str = ""


_VALUE = itemgetter(1)


Share: TypeAlias = tuple[Parameter, float]
"""A unit price, and how much of it goes into another price."""

Due: TypeAlias = tuple[str, float, tuple[Share, ...]]
"""A component, how many are due, and the price of one: shares of unit prices, one or more."""


@frozen
class Charge:
    """One line of the bill: a count, the product of its factors, times a unit price.

    Raises:
        ScenarioError: the product is negative, or times the price larger than a number can be.
        ValueError: the component is none of COMPONENTS.

    """

    component: str
    parameter: Parameter
    factors: tuple[Factor, ...]
    resource: str = field(default="", kw_only=True)
    """What the energy is spent in, such as `dram`; unless told, the unit price names it."""
    count: float = field(init=False, eq=False)
    """How many times the unit price is due: the product of the factors."""

    @count.default
    def _product(self) -> float:
        try:
            return as_float(math.prod(map(_VALUE, self.factors)))
        except (TypeError, IndexError, ValueError):
            message = (
                "expected factors such as (Factor('operations', 8), Factor('examples', 2)), "
                f"found {self.factors!r:.80}"
            )
            raise TypeError(message) from None

    def __attrs_post_init__(self) -> None:
        """Check the component, the price and the product."""
        _check_component(self.component)
        count = self.count
        price: Any = self.parameter
        if not isinstance(price, Parameter):
            message = f"expected a Parameter as the price of a charge, found {price!r:.80}"
            raise TypeError(message)
        if count.__class__ is SizeArray or not 0.0 <= count <= _USUAL_COUNT:
            _check_count(count, price, self.factors)

    @property
    def due(self) -> tuple[Due, ...]:
        """The count, at the one unit price."""
        return ((self.component, self.count, ((self.parameter, 1.0),)),)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """This one."""
        return (self,)

    @property
    def energy_joules(self) -> float:
        """Count times price."""
        return self.count * self.parameter.value

    @property
    def energy_joules_low(self) -> float:
        """Count times the lowest price."""
        return self.count * self.parameter.low

    @property
    def energy_joules_high(self) -> float:
        """Count times the highest price."""
        return self.count * self.parameter.high

    def __str__(self) -> str:
        """Write the component, the factors, the unit price and their product."""
        factors = " x ".join(
            f"{value:,.6g} {unit} {label}".replace("  ", " ") for label, value, unit in self.factors
        )
        energy = format_quantity(self.energy_joules, "J")
        return f"{self.component}: {factors} x {self.parameter.name} {self.parameter} = {energy}"


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
        return (
            f"{self.resource}{phase}: {self.count:,.6g} {per} {self.rate.name} {self.rate} = {time}"
        )


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
        before = of_phase.get(one.resource, Seconds(0.0, 0.0, 0.0))
        times = (one.seconds, one.seconds_low, one.seconds_high)
        of_phase[one.resource] = Seconds(*map(sum, zip(before, times, strict=True)))
    return found


def latency(durations: Iterable[Duration]) -> Seconds:
    """The time of one group: in each phase the resource that takes longest, one after the other."""
    phases = [list(of_phase.values()) for of_phase in busy(durations).values()]
    longest = [
        [functools.reduce(larger, end) for end in zip(*times, strict=True)] for times in phases
    ]
    return Seconds(*map(sum, zip(*longest, strict=True)))


class Charges(Protocol):
    """Charges of which it is known at once what is due, and that are written out when asked for.

    A device that makes many for each operator saves most of its time so. What is due must be
    what the charges say.
    """

    @property
    def due(self) -> Sequence[Due]:
        """What the charges come to."""

    @property
    def charges(self) -> Iterable[Charge]:
        """The charges."""


def _check_component(component: str) -> None:
    if component not in _COMPONENTS:
        near = nearest(component, COMPONENTS)
        message = f"{component!r:.80} is not a component; expected one of {', '.join(COMPONENTS)}"
        raise ValueError(f"{message} (nearest: {near!r})" if near else message)


def _is_sound(count: float, price: Parameter) -> bool:
    """Whether the count and the energy are numbers, and not negative, for each operator."""
    return least(count) >= 0 and most(count) * price.high < math.inf


def _check_count(count: float, parameter: Parameter, factors: tuple[Factor, ...]) -> None:
    if not _is_sound(count, parameter):
        found = f"is {least(count)}; expected 0 or more"
        if least(count) >= 0:
            found = "is larger than a number can be"
        message = f"{' x '.join(factor.label for factor in factors)}: the product {found}"
        raise ScenarioError(message)


def _usual_energy(due: Iterable[Any]) -> float | None:
    """The energy of all shares; None where something is not as it nearly always is."""
    energies = []
    try:
        for component, count, price in due:
            if count.__class__ is SizeArray or not 0.0 <= count <= _USUAL_COUNT:
                return None
            if component not in _COMPONENTS or not price or price.__class__ is not tuple:
                return None
            for figure, share in price:
                if share.__class__ is SizeArray:
                    return None
                energies.append(count * share * figure.value)
        total = math.fsum(energies)
        # A share that is negative, or no number, shows here; an energy of zero may hide one.
        return total if total < _USUAL_ENERGY and min(energies) > 0.0 else None
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _check_due(due: Iterable[Any], cost: Cost) -> None:
    for line in due:
        match line:
            case (str(component), Real() | SizeArray() as count, tuple(price)) if _is_price(price):
                _check_line(component, count, price, cost)
            case _:
                message = (
                    "what is due is a component, a count, and a tuple of shares of unit prices, "
                    f"such as ('compute', 8, ((price, 1.0),)); found {line!r:.80}"
                )
                raise TypeError(message)


def _is_price(price: tuple[Any, ...]) -> bool:
    for share in price:
        match share:
            case (Parameter(), Real() | SizeArray()):
                continue
            case _:
                return False
    return bool(price)


def _check_line(component: str, count: Any, price: tuple[Share, ...], cost: Cost) -> None:
    numbers = [("count", count), *(("share", share) for _, share in price)]
    ends = [(word, least(one), most(one)) for word, one in numbers]
    strange = [(word, low) for word, low, high in ends if not 0 <= low <= high < math.inf]
    (_, _, largest), *shares = ends
    pairs = zip(shares, price, strict=True)
    bounds = [largest * share * figure.high for (_, _, share), (figure, _) in pairs]
    if component in _COMPONENTS and not strange and all(bound < math.inf for bound in bounds):
        return
    _ = cost.charges  # a charge tells best what is wrong with it
    _check_component(component)
    for word, low in strange:
        message = f"{component}: a {word} is {low}; expected a finite number, not negative"
        raise ScenarioError(message)
    for figure, share in price:
        owed = count * share
        _check_count(owed, figure, (Factor(figure.name, owed),))


def _check_time(seconds: float) -> None:
    for time in (least(seconds), most(seconds)):
        if not (math.isfinite(time) and time >= 0):
            message = f"latency_seconds is {time!r}; expected a finite number, not negative"
            raise ValueError(message)


def _parts(charges: Iterable[Charges]) -> tuple[Charges, ...]:
    """Charges in order, and of a cost its parts: sums of sums stay as flat as one sum."""
    if not hasattr(charges, "__iter__"):
        message = f"expected several charges, such as Cost([charge]), found {charges!r:.80}"
        raise TypeError(message)
    parts = tuple(charges)
    for part in parts:
        if isinstance(part, Cost):
            flat = [one._parts if isinstance(one, Cost) else (one,) for one in parts]  # noqa: SLF001  # its own class
            return tuple(chain(*flat))
    return parts


def _told(part: Charges) -> tuple[Due, ...]:
    """What a part of a cost says is due, if that can be."""
    if part.__class__ is Charge:
        return part.due
    try:
        told = tuple(part.due)
    except AttributeError:
        if hasattr(type(part), "due"):
            raise
        message = (
            "a cost is made of charges, costs, or what says what is `due` and writes its "
            f"`charges`; found {part!r:.80}"
        )
        raise TypeError(message) from None
    return told


def _durations(given: Iterable[Duration]) -> tuple[Duration, ...]:
    if given.__class__ is tuple and not given:  # nearly always
        return ()
    durations: tuple[Any, ...] = tuple(given) if hasattr(given, "__iter__") else (given,)
    for one in durations:
        if not isinstance(one, Duration):
            message = f"expected durations, such as [Duration(...)], found {one!r:.80}"
            raise TypeError(message)
    return durations


_FIGURE, _LOW, _HIGH = attrgetter("value"), attrgetter("low"), attrgetter("high")


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

    It takes charges, other costs, and whatever else tells its `Charges`. The time follows from
    `durations`, or is given.
    """

    _parts: tuple[Charges, ...] = field(default=(), converter=_parts, alias="charges")
    latency_seconds: float | None = None
    durations: tuple[Duration, ...] = field(default=(), kw_only=True, converter=_durations)
    """How long each resource works; those of a cost are of one group of operators."""
    latency_seconds_low: float | None = field(default=None, kw_only=True)
    latency_seconds_high: float | None = field(default=None, kw_only=True)
    due: tuple[Due, ...] = field(init=False)
    """What the charges come to."""
    _energy: float | None = field(init=False)

    @due.default
    def _due(self) -> tuple[Due, ...]:
        parts = self._parts
        return _told(parts[0]) if len(parts) == 1 else tuple(chain(*map(_told, parts)))

    @_energy.default
    def _checked(self) -> float | None:
        """Check what is due, and the time; the energy, where that was found on the way."""
        if self.durations:
            self._derive_time()
        if self.latency_seconds is not None:
            self._check_times(self.latency_seconds)
        for part in self._parts:
            if part.__class__ is not Charge:  # which has checked itself
                break
        else:
            return None
        energy = _usual_energy(self.due)
        if energy is None:
            _check_due(self.due, self)
        return energy

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

    @cached_property
    def charges(self) -> tuple[Charge, ...]:
        """The lines of the bill, which are made when they are asked for."""
        return tuple([charge for part in self._parts for charge in part.charges])

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
    def energy_joules(self) -> float:
        """Energy of all charges."""
        return self._total(_FIGURE) if self._energy is None else self._energy

    @property
    def energy_joules_low(self) -> float:
        """Energy of all charges at their lowest prices."""
        return self._total(_LOW)

    @property
    def energy_joules_high(self) -> float:
        """Energy of all charges at their highest prices."""
        return self._total(_HIGH)

    def _total(self, of: Callable[[Parameter], float]) -> float:
        return _sum(
            [count * share * of(price) for _, count, shares in self.due for price, share in shares]
        )

    @property
    def components(self) -> Mapping[str, float]:
        """Energy in joules by component."""
        sums: dict[str, list[float]] = {}
        for component, count, shares in self.due:
            energies = [count * share * price.value for price, share in shares]
            sums.setdefault(component, []).extend(energies)
        return {component: _sum(parts) for component, parts in sums.items()}

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
        group is not known where something is due without one.
        """
        costs = list(costs)
        if any(cost.due and cost.latency_seconds is None for cost in costs):
            return Cost([evolve(cost, durations=(), latency_seconds=None) for cost in costs])
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
            evolve(charge, factors=(*charge.factors, Factor(what, count)))
            for charge in self.charges
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
    if isinstance(answer, Reason) or (is_cost and (answer.due or answer.latency_seconds)):
        known: Outcome = answer
        return known
    found = "a Cost with nothing due" if is_cost else repr(answer)
    message = (
        f"{who}: expected a Cost with charges, Free(reason) or Unpriced(reason), "
        f"found {found:.80} (is a `return` missing?)"
    )
    raise PluginError(message)
