"""Devices: the prices of operators. The class holds the formula, a YAML file the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property, wraps
from itertools import chain
from numbers import Real
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias, TypeVar, overload

from attrs import Attribute, evolve, field, fields, frozen

from costmodel.errors import (
    CostModelError,
    PluginError,
    ScenarioError,
    UnitError,
    UnknownNameError,
    fault,
    nearest,
)
from costmodel.operator_batch import CostTable, Pricing, of_first
from costmodel.scenario import CONDITIONS, Scenario
from costmodel.sizes import SizeArray, as_float, least, most
from costmodel.units import format_quantity, parse_quantity
from costmodel.workload.format_inference import between
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Free, Reason, Unpriced

GIVEN: Final = "given by the caller"
"""The source of a number that no file holds."""


class Evidence(StrEnum):
    """How well a number is known."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    VENDOR = "vendor"
    DERIVED = "derived"
    ASSUMED = "assumed"


_LARGEST: Final = 1e100
"""The largest parameter that there can be, in any unit."""
_USUAL_COUNT: Final = 1e150
_USUAL_ENERGY: Final = 1e280
"""Up to these, a product with a parameter, and a sum of energies, are numbers."""


def _figure(_: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Real):
        message = f"{attribute.name} is {value!r:.80}; expected a number"
        raise TypeError(message)
    if not (math.isfinite(value) and 0 <= value <= _LARGEST):  # type: ignore[operator]  # a Real compares with numbers
        found = f"{attribute.name} is {value!r}"
        message = f"{found}; expected a finite number, not negative, of at most {_LARGEST:g}"
        raise ValueError(message)


def _one_number(value: Any) -> Any:
    """The number; of many sizes, that of the operator which is priced."""
    return float(value) if isinstance(value, SizeArray) else value


@frozen(cache_hash=True)
class Parameter:
    """One number of a device, in the SI `unit` beside it, with where it comes from."""

    name: str
    value: float = field(converter=_one_number, validator=_figure)
    unit: str
    source: str
    evidence: Evidence
    low: float = field(kw_only=True, converter=_one_number, validator=_figure)
    high: float = field(kw_only=True, converter=_one_number, validator=_figure)
    note: str = field(default="", kw_only=True)

    @low.default
    def _low(self) -> float:
        return self.value

    @high.default
    def _high(self) -> float:
        return self.value

    def __attrs_post_init__(self) -> None:
        """Check that the range holds the value."""
        if not self.low <= self.value <= self.high:
            message = f"expected low <= value <= high, found {self.low}, {self.value}, {self.high}"
            raise ValueError(message)

    def __str__(self) -> str:
        """Write the value with its unit, and the range where there is one."""
        shown = format_quantity(self.value, self.unit)
        if self.low == self.high:
            return shown
        low, high = format_quantity(self.low, self.unit), format_quantity(self.high, self.unit)
        return f"{shown} ({low} to {high})"


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
        message = f"{component!r:.80} is no component; expected one of {', '.join(COMPONENTS)}"
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

    It takes charges, other costs, and whatever else tells its `Charges`.
    """

    _parts: tuple[Charges, ...] = field(default=(), converter=_parts, alias="charges")
    latency_seconds: float | None = None
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
        if self.latency_seconds is not None:
            _check_time(self.latency_seconds)
        for part in self._parts:
            if part.__class__ is not Charge:  # which has checked itself
                break
        else:
            return None
        energy = _usual_energy(self.due)
        if energy is None:
            _check_due(self.due, self)
        return energy

    @cached_property
    def charges(self) -> tuple[Charge, ...]:
        """The lines of the bill, which are made when they are asked for."""
        return tuple([charge for part in self._parts for charge in part.charges])

    def __eq__(self, other: object) -> bool:
        """Whether it is the same charges and takes the same time."""
        if not isinstance(other, Cost):
            return NotImplemented
        one, two = (self.charges, self.latency_seconds), (other.charges, other.latency_seconds)
        return one == two

    def __hash__(self) -> int:
        return hash((self.charges, self.latency_seconds))

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
        return f"{name}(charges={self.charges!r}, latency_seconds={self.latency_seconds!r})"

    def __str__(self) -> str:
        """Write the energy, its range, the time where it is known, and a line for each charge."""
        values = (self.energy_joules, self.energy_joules_low, self.energy_joules_high)
        energy, low, high = (format_quantity(value, "J") for value in values)
        bounds = "" if values[1] == values[2] else f" ({low} to {high})"
        known = self.latency_seconds is not None
        time = f", {format_quantity(self.latency_seconds, 's')}" if known else ""  # type: ignore[arg-type]  # known is not None
        return "\n  ".join([f"{energy}{bounds}{time}", *map(str, self.charges)])

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost.together([self, other])

    @staticmethod
    def together(costs: Iterable[Cost]) -> Cost:
        """All charges; the times one after the other, where every one is known."""
        costs = list(costs)
        if len(costs) == 1:
            return costs[0]
        times = [cost.latency_seconds for cost in costs if cost.latency_seconds is not None]
        if not times or len(times) != len(costs):
            return Cost(costs)
        return Cost(costs, sum(times) if SizeArray in map(type, times) else math.fsum(times))


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


ABOVE_ZERO: Final = "a value above 0, since a formula divides by it"
"""What a parameter that is declared positive takes."""

_UNIT = "costmodel.unit"
_POSITIVE = "costmodel.positive"
_CHOICE = "costmodel.choice"
_TAKES = "costmodel.takes"
_Rule = TypeVar("_Rule", bound=Callable[..., Outcome])


def parameter(unit: str, *, optional: bool = False, positive: bool = False) -> Any:
    """Declare a parameter of a device class; a file must give it in `unit` unless `optional`.

    A parameter that a formula divides by is `positive`: its value, low and high are above 0.

    Raises:
        UnitError: `unit` is not an SI unit, a quotient of two, or empty for a plain number.

    """
    _check_si(unit)

    def check(_: Any, attribute: Any, value: Any) -> None:
        is_missing = value is None and optional
        if not is_missing and (not isinstance(value, Parameter) or value.unit != unit):
            found = (
                f"a Parameter in {value.unit!r}" if isinstance(value, Parameter) else repr(value)
            )
            message = f"{attribute.name}: expected a Parameter in {unit!r}, found {found:.80}"
            raise TypeError(message)
        if positive and not is_missing and value.low <= 0:  # low is the least of the three
            found = f"value {value.value:g}, low {value.low:g}"
            message = f"{attribute.name}: expected {ABOVE_ZERO}, found {found}"
            raise ValueError(message)

    default: Any = {"default": None} if optional else {}
    metadata = {_UNIT: unit, _POSITIVE: positive}
    return field(kw_only=True, validator=check, metadata=metadata, **default)


def _check_si(unit: str) -> None:
    try:
        canonical = parse_quantity(f"1 {unit}").unit
    except UnitError:
        canonical = None
    if canonical != unit:
        message = f"parameter() takes an SI unit without a prefix, such as J or J/B; found {unit!r}"
        raise UnitError(message)


class Choice(NamedTuple):
    """What a setting takes, in words, and what it is unless told otherwise."""

    takes: str
    default: Any


def option(convert: Callable[[Any], Any], *, default: Any, takes: str = "") -> Any:
    """Declare a setting of a device class: something that is chosen and not measured.

    `convert` takes what a file, a caller or the command line gives, and raises ValueError
    where it cannot. `takes` says in words what that is; `one_of` and `yes_or_no` know theirs.
    """
    words = takes or getattr(convert, _TAKES, "")
    metadata = {_CHOICE: convert, _TAKES: words}
    return field(kw_only=True, default=default, converter=convert, metadata=metadata)


def one_of(*allowed: str) -> Callable[[Any], str]:
    """A converter for `option` that takes one of `allowed`."""

    def check(value: Any) -> str:
        if value not in allowed:
            message = f"expected one of {', '.join(allowed)}, found {value!r:.40}"
            raise ValueError(message)
        return str(value)

    setattr(check, _TAKES, ", ".join(allowed))
    return check


def yes_or_no(value: Any) -> bool:
    """A converter for `option` that takes a truth value or its name."""
    known = {True: True, False: False, "true": True, "false": False, "yes": True, "no": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    message = f"expected true or false, found {value!r:.40}"
    raise ValueError(message)


setattr(yes_or_no, _TAKES, "true, false")


def prices(*operators: type[Operator], batched: bool = True) -> Callable[[_Rule], _Rule]:
    """Mark a method of a device class as its price for exactly these operator types.

    The method takes the operator and the scenario and returns a Cost, Free or Unpriced. It gets
    all operators of a batch in one call; with `batched=False` always one ordinary operator, for
    a rule that calls a program or looks up a table by size.

    Raises:
        TypeError: something that is no class of operators, or nothing at all.

    """
    strange = [
        one
        for one in operators
        if not (isinstance(one, type) and issubclass(one, Operator) and one is not Operator)
    ]
    if strange or not operators:
        found = f"{strange[0]!r:.80}" if strange else "nothing"
        message = f"prices() takes classes of operators, as in @prices(Contraction); found {found}"
        raise TypeError(message)

    def mark(rule: _Rule) -> _Rule:
        marked: Any = rule if batched else _unbatched(rule)
        marked.__prices__ = operators
        return marked  # type: ignore[no-any-return]  # a rule as before

    return mark


def _unbatched(rule: Callable[..., Outcome]) -> Callable[..., Outcome]:
    @wraps(rule)
    def of_one(device: Device, operator: Operator, scenario: Scenario) -> Outcome:
        return rule(device, of_first(operator), scenario)

    return of_one


@frozen(slots=False)
class Device:
    """Prices operators. Subclasses name their `family`, declare parameters and mark rules."""

    family: ClassVar[str] = ""
    leaves_out: ClassVar[str] = ""
    """What no price of the class holds, in a few words; stands below every table of prices."""
    ignores: ClassVar[tuple[str, ...]] = ()
    """The `CONDITIONS` that no price of the class depends on, such as `("rates", "formats")`.

    A setting that is given for one of them is named beside the numbers, as it changes nothing.
    """
    _rules: ClassVar[Mapping[type[Operator], str]] = {}

    name: str
    title: str = field(default="", kw_only=True)
    process: str | None = field(default=None, kw_only=True)
    also_leaves_out: str = field(default="", kw_only=True)
    """What the prices of this device do not hold beyond that: a file's `leaves_out`."""
    assumes: str = field(default="", kw_only=True)
    """The conditions under which its figures hold; shown below every table of prices."""
    file: str | None = field(default=None, kw_only=True)
    content_hash: str | None = field(default=None, kw_only=True)

    def __getstate__(self) -> object:
        """Everything but cached properties: a copy works them out anew."""
        state: Any = super().__getstate__()
        held, slots = state if isinstance(state, tuple) else (state, None)
        kept = {
            name: value
            for name, value in held.copy().items()
            if not isinstance(getattr(type(self), name, None), cached_property)
        }
        return kept if slots is None else (kept, slots)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        """Check what is ignored and collect the marked rules once, when the class is made."""
        _check_ignored(cls)
        rules: dict[type[Operator], str] = {}
        for name, member in vars(cls).items():
            for operator in getattr(member, "__prices__", ()):
                if operator in rules:
                    both = f"{rules[operator]!r} and {name!r}"
                    message = f"{cls.__name__} has two rules for {operator.__name__}: {both}"
                    raise TypeError(message)
                rules[operator] = name
        cls._rules = MappingProxyType({**cls._rules, **rules})

    @overload
    def price(self, operator: Operator, scenario: Scenario | None = None) -> Outcome: ...

    @overload
    def price(
        self, operator: Iterable[Operator], scenario: Scenario | None = None
    ) -> CostTable: ...

    def price(
        self, operator: Operator | Iterable[Operator], scenario: Scenario | None = None
    ) -> Outcome | CostTable:
        """The cost of one operator, or why it is free, or why it has no price here.

        An operator without a rule of its own is priced by its parts, where it names them.
        Several operators get a `CostTable`, one row for each; fastest as an `OperatorBatch`.
        """
        scenario = Scenario() if scenario is None else scenario
        if scenario.__class__ is not Scenario:
            _check_scenario(scenario)
        rule = self._rules.get(type(operator))  # type: ignore[arg-type]  # several have none
        if rule is not None:
            try:
                answer = getattr(self, rule)(operator, scenario)
            except OverflowError as error:
                place = fault(error, type(self))
                message = f"device {self.name!r}: larger than a number can be: {place}"
                raise ScenarioError(message) from error
            except TypeError:
                if isinstance(operator, Operator):
                    operator.check_bound()
                raise
            if isinstance(answer, Cost) and answer.due:
                return answer
            return checked(answer, f"device class {type(self).__name__!r}, rule {rule!r}")
        if isinstance(operator, Operator):
            return self._price_parts(operator, scenario)
        several = Pricing(operator, lambda one: self.price(one, scenario), type(self), self._rules)
        return several.costs()

    def with_parameters(self, **values: Any) -> Device:
        """The same device with other numbers, each a quantity with its unit, or settings.

        Raises:
            UnknownNameError: the device has no such parameter or setting.
            CostModelError: a value of the wrong unit, or not finite, negative, or beyond 1e100.

        """
        units, options = self.parameter_units(), self.option_names()
        changed: dict[str, Any] = {}
        for name, value in values.items():
            if name not in units and name not in options:
                hint = f"these are all of device {self.name!r}"
                raise UnknownNameError(name, [*units, *options], "parameter or setting", hint)
            if name in units:
                changed[name] = _given(f"{self.name}.{name}", name, value, units[name])
                self._check_positive(changed[name], value)
            else:
                changed[name] = value
        try:
            return evolve(self, **changed)
        except ValueError as error:
            message = f"{self.name}: {', '.join(values)}: {error}"
            raise CostModelError(message) from None

    def _check_positive(self, figure: Parameter, given: str | float) -> None:
        if figure.value <= 0 and figure.name in self.positive_parameters():
            message = f"{self.name}.{figure.name}: expected {ABOVE_ZERO}, found {str(given)!r:.80}"
            raise CostModelError(message)

    @property
    def left_out(self) -> str:
        """What no price of this device holds: what its class leaves out, and its file."""
        return "; ".join(filter(None, (self.leaves_out, self.also_leaves_out)))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of this device, by name."""
        return {name: getattr(self, name) for name in self.option_names()}

    @classmethod
    def option_names(cls) -> Mapping[str, Callable[[Any], Any]]:
        """The declared settings of the class, each with its converter."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return {item.name: item.metadata[_CHOICE] for item in declared if _CHOICE in item.metadata}

    @classmethod
    def option_choices(cls) -> Mapping[str, Choice]:
        """The declared settings of the class, each with what it takes."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return {
            item.name: Choice(item.metadata[_TAKES], item.default)
            for item in declared
            if _TAKES in item.metadata
        }

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters that this device has, by name."""
        values = {name: getattr(self, name) for name in self.parameter_units()}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def parameter_units(cls) -> Mapping[str, str]:
        """The declared parameters of the class and their units."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return {item.name: item.metadata[_UNIT] for item in declared if _UNIT in item.metadata}

    @classmethod
    def required_parameters(cls) -> frozenset[str]:
        """The names of the parameters that a file of this class must give."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return frozenset(
            item.name for item in declared if _UNIT in item.metadata and item.default is not None
        )

    @classmethod
    def positive_parameters(cls) -> frozenset[str]:
        """The names of the parameters that must be above 0, since a formula divides by them."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return frozenset(item.name for item in declared if item.metadata.get(_POSITIVE))

    @classmethod
    def priced_operators(cls) -> tuple[type[Operator], ...]:
        """The types of operators that the class has a rule for."""
        return tuple(cls._rules)

    def parts(self, operator: Operator, scenario: Scenario) -> tuple[Operator, ...]:
        """What the device prices in place of an operator: itself, or its parts if it has no rule.

        Parts that have no rule either are decomposed in turn, as far as they can be.
        """
        if type(operator) in self._rules:
            return (operator,)
        parts = between(operator.decompose(), scenario.default_format)
        if not parts:
            return (operator,)
        return tuple([one for part in parts for one in self.parts(part, scenario)])

    def _price_parts(self, operator: Operator, scenario: Scenario) -> Outcome:
        parts = between(operator.decompose(), scenario.default_format)
        if not parts:
            kind = type(operator).__name__
            reason = Unpriced(f"device {self.name!r} has no price for {kind!r} operators")
            return operator.unpriced or reason
        costs, reasons = [], []
        for part in parts:
            answer = self.price(part, scenario)
            if isinstance(answer, Unpriced):
                return answer
            if isinstance(answer, Reason):
                reasons.append(answer.reason)
            else:
                costs.append(answer)
        return Cost.together(costs) if costs else Free("; ".join(dict.fromkeys(reasons)))


def _check_ignored(cls: type[Device]) -> None:
    names = vars(cls).get("ignores", ())
    if isinstance(names, property):
        return  # it depends on the settings of the device
    is_tuple = isinstance(names, tuple)
    strange = [name for name in names if name not in CONDITIONS] if is_tuple else []
    if strange or not is_tuple:
        near = nearest(str(strange[0]), CONDITIONS) if strange else None
        hint = f" (nearest: {near!r})" if near else ""
        demand = f"expected a tuple of names among {', '.join(CONDITIONS)}"
        message = f"{cls.__name__}.ignores: {demand}; found {names!r:.80}{hint}"
        raise TypeError(message)


def _check_scenario(given: object) -> None:
    if not isinstance(given, Scenario):
        message = f"scenario is {given!r:.80}; expected a Scenario"
        raise TypeError(message)


def _given(where: str, name: str, value: str | float, unit: str) -> Parameter:
    try:
        quantity = parse_quantity(str(value), unit)
        return Parameter(name, quantity.value, unit, GIVEN, Evidence.ASSUMED)
    except UnitError as error:
        message = f"{where}: {error}"
        raise CostModelError(message) from None
    except ValueError as error:
        message = f"{where} = {value!r}: {error}"
        raise CostModelError(message) from None


Charging: TypeAlias = Callable[[Device, Operator, Scenario], Outcome]
"""What is charged for an operator on a device."""


@frozen(slots=False)
class Adapted(Device):
    """A device on which a convention charges otherwise; everything else is the device's own."""

    device: Device = field(kw_only=True)
    charging: Charging = field(kw_only=True)

    @classmethod
    def of(cls, device: Device, charging: Charging) -> Adapted:
        """The device, with what `charging(device, operator, scenario)` says as its prices."""
        return cls(device.name, device=device, charging=charging)

    def price(self, operator: Any, scenario: Scenario | None = None) -> Any:
        """What is charged for one operator, or for several."""
        scenario = Scenario() if scenario is None else scenario
        if isinstance(operator, Operator):
            return self.charging(self.device, operator, scenario)
        charged = Pricing(
            operator,
            lambda one: self.charging(self.device, one, scenario),
            type(self.device),
            self.device._rules,  # noqa: SLF001  # its own class
        )
        return charged.costs()

    def parts(self, operator: Operator, scenario: Scenario) -> tuple[Operator, ...]:
        """As the device itself divides it."""
        return self.device.parts(operator, scenario)
