"""Devices: the prices of operators. The class holds the formula, a YAML file the numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, NoReturn, TypeAlias, TypeVar, overload

from attrs import Attribute, evolve, field, fields, frozen

from costmodel.errors import (
    CostModelError,
    PluginError,
    ScenarioError,
    UnitError,
    UnknownNameError,
    nearest,
)
from costmodel.operators import Free, Operator, Reason, Unpriced
from costmodel.scenario import Scenario
from costmodel.sizes import Sizes, always, least, most
from costmodel.units import format_quantity, parse_quantity
from costmodel.variants import Costs, costs_of


class Evidence(StrEnum):
    """How well a number is known."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    VENDOR = "vendor"
    DERIVED = "derived"
    ASSUMED = "assumed"


def _finite(_: Any, attribute: Any, value: Any) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        message = f"{attribute.name} is {value!r}; expected a finite number, not negative"
        raise ValueError(message)


@frozen(cache_hash=True)
class Parameter:
    """One number of a device, in the SI `unit` beside it, with where it comes from."""

    name: str
    value: float = field(validator=_finite)
    unit: str
    source: str
    evidence: Evidence
    low: float = field(kw_only=True, validator=_finite)
    high: float = field(kw_only=True, validator=_finite)
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


@frozen(init=False)
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
        """What a subclass of attrs fills in."""
        return Charge(self.component, self.parameter, self.factors).count

    def __init__(self, component: str, parameter: Parameter, factors: tuple[Factor, ...]) -> None:
        """Multiply the factors."""
        count = _as_float(math.prod(map(_VALUE, factors)))
        _fill(self, component, parameter, factors, count)

    @staticmethod
    def shared(
        component: str,
        factors: tuple[Factor, ...],
        shares: Iterable[tuple[Parameter, float]],
        label: str = "share of the published figure",
    ) -> tuple[Charge, ...]:
        """A charge for each share of a price that lies between published figures.

        A share is a parameter and how much of it is due; `label` is what that factor is called.
        """
        whole = _as_float(math.prod(map(_VALUE, factors)))
        charges = []
        for parameter, share in shares:
            charge = object.__new__(Charge)
            if always(share == 1):
                _fill(charge, component, parameter, factors, whole)
            else:
                parts = (*factors, Factor(label, share))
                _fill(charge, component, parameter, parts, whole * share)
            charges.append(charge)
        return tuple(charges)

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


# A price is made of some ten charges, so they are filled as attrs would, but in half the time.
_set_component = vars(Charge)["component"].__set__
_set_parameter = vars(Charge)["parameter"].__set__
_set_factors = vars(Charge)["factors"].__set__
_set_count = vars(Charge)["count"].__set__


def _fill(
    charge: Charge,
    component: str,
    parameter: Parameter,
    factors: tuple[Factor, ...],
    count: float,
) -> None:
    if count.__class__ is float:
        is_sound = count >= 0.0 and count * parameter.high < math.inf
    else:
        is_sound = least(count) >= 0 and most(count) * parameter.high < math.inf
    if not is_sound:
        _refuse_product(count, factors)
    if component not in _COMPONENTS:
        near = nearest(component, COMPONENTS)
        message = f"{component!r:.80} is no component; expected one of {', '.join(COMPONENTS)}"
        raise ValueError(f"{message} (nearest: {near!r})" if near else message)
    _set_component(charge, component)
    _set_parameter(charge, parameter)
    _set_factors(charge, factors)
    _set_count(charge, count)


def _refuse_product(count: float, factors: tuple[Factor, ...]) -> NoReturn:
    found = f"is {least(count)}; expected 0 or more"
    if least(count) >= 0:
        found = "is larger than a number can be"
    message = f"{' x '.join(factor.label for factor in factors)}: the product {found}"
    raise ScenarioError(message)


def _as_float(number: float) -> float:
    """The number as floating point, for each variant."""
    if number.__class__ is float or number.__class__ is Sizes:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _charges(charges: Iterable[Charge]) -> tuple[Charge, ...]:
    return tuple(charges)


def _finite_times(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None:
        _finite(instance, attribute, least(value))
        _finite(instance, attribute, most(value))


@frozen
class Cost:
    """A sum of charges; `latency_seconds` is None where the device does not model time."""

    charges: tuple[Charge, ...] = field(default=(), converter=_charges)
    latency_seconds: float | None = field(default=None, validator=_finite_times)

    @property
    def energy_joules(self) -> float:
        """Energy of all charges."""
        return math.fsum([charge.energy_joules for charge in self.charges])

    @property
    def energy_joules_low(self) -> float:
        """Energy of all charges at their lowest prices."""
        return math.fsum([charge.energy_joules_low for charge in self.charges])

    @property
    def energy_joules_high(self) -> float:
        """Energy of all charges at their highest prices."""
        return math.fsum([charge.energy_joules_high for charge in self.charges])

    @property
    def components(self) -> Mapping[str, float]:
        """Energy in joules by component."""
        sums: dict[str, list[float]] = {}
        for charge in self.charges:
            sums.setdefault(charge.component, []).append(charge.energy_joules)
        return {component: math.fsum(parts) for component, parts in sums.items()}

    def __str__(self) -> str:
        """Write the energy, its range, the time where it is known, and a line for each charge."""
        values = (self.energy_joules, self.energy_joules_low, self.energy_joules_high)
        energy, low, high = (format_quantity(value, "J") for value in values)
        bounds = "" if values[1] == values[2] else f" ({low} to {high})"
        known = self.latency_seconds is not None
        time = f", {format_quantity(self.latency_seconds, 's')}" if known else ""  # type: ignore[arg-type]
        return "\n  ".join([f"{energy}{bounds}{time}", *map(str, self.charges)])

    def __add__(self, other: Cost) -> Cost:
        """Both sets of charges; the times one after the other, where both are known."""
        known = self.latency_seconds is not None and other.latency_seconds is not None
        latency = self.latency_seconds + other.latency_seconds if known else None  # type: ignore[operator]
        return Cost(self.charges + other.charges, latency)


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


_UNIT = "costmodel.unit"
_CHOICE = "costmodel.choice"
_TAKES = "costmodel.takes"
_Rule = TypeVar("_Rule", bound=Callable[..., Outcome])


def parameter(unit: str, *, optional: bool = False) -> Any:
    """Declare a parameter of a device class; a file must give it in `unit` unless `optional`.

    Raises:
        UnitError: `unit` is not an SI unit, a quotient of two, or empty for a plain number.

    """
    _check_si(unit)
    metadata = {_UNIT: unit}
    if optional:
        return field(kw_only=True, default=None, metadata=metadata)
    return field(kw_only=True, metadata=metadata)


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


def prices(*operators: type[Operator]) -> Callable[[_Rule], _Rule]:
    """Mark a method of a device class as its price for exactly these operator types.

    The method takes the operator and the scenario and returns a Cost, Free or Unpriced.

    Raises:
        TypeError: something that is no class of operators, or nothing at all.

    """
    strange = [
        one for one in operators if not (isinstance(one, type) and issubclass(one, Operator))
    ]
    if strange or not operators:
        found = f"{strange[0]!r:.80}" if strange else "nothing"
        message = f"prices() takes classes of operators, as in @prices(Contraction); found {found}"
        raise TypeError(message)

    def mark(rule: _Rule) -> _Rule:
        rule.__prices__ = operators  # type: ignore[attr-defined]
        return rule

    return mark


_REMEMBERED: Final = 1024
"""How many answers of a method a device remembers: the latest ones."""
_Method = TypeVar("_Method", bound=Callable[..., Any])


def remembered(method: _Method) -> _Method:
    """Let each device remember what a method of its class answers to an argument.

    A device never changes, so neither do its answers. What no table can hold, such as `Sizes`,
    is worked out every time.
    """

    @functools.wraps(method)
    def recall(self: Device, *given: Any) -> Any:
        memory = self._memory
        try:
            known = memory[method]
        except KeyError:
            ask = functools.partial(method, self)
            known = memory[method] = functools.lru_cache(_REMEMBERED)(ask)
        try:
            return known(*given)
        except TypeError:
            if _is_key(given):
                raise
            return method(self, *given)

    return recall  # type: ignore[return-value]  # it takes and gives the same


def _is_key(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


class _Memory(dict[Any, Any]):
    """The answers that a device remembers, by method; a device that was sent begins anew."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return _Memory, ()


@frozen
class Device:
    """Prices operators. Subclasses name their `family`, declare parameters and mark rules."""

    family: ClassVar[str] = ""
    leaves_out: ClassVar[str] = ""
    """What no price of the class holds, in a few words; stands below every table of prices."""
    _rules: ClassVar[Mapping[type[Operator], str]] = {}

    name: str
    title: str = field(default="", kw_only=True)
    process: str | None = field(default=None, kw_only=True)
    also_leaves_out: str = field(default="", kw_only=True)
    """What the prices of this device do not hold beyond that: a file's `leaves_out`."""
    file: str | None = field(default=None, kw_only=True)
    content_hash: str | None = field(default=None, kw_only=True)
    _memory: _Memory = field(factory=_Memory, init=False, eq=False, repr=False)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        """Collect the marked rules once, when the class is made."""
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
    def price(self, operator: Iterable[Operator], scenario: Scenario | None = None) -> Costs: ...

    def price(
        self, operator: Operator | Iterable[Operator], scenario: Scenario | None = None
    ) -> Outcome | Costs:
        """The cost of one operator, or why it is free, or why it has no price here.

        An operator without a rule of its own is priced by its parts, where it names them.
        Several operators get their `Costs`, one row for each; fastest as `Variants`.
        """
        scenario = Scenario() if scenario is None else scenario
        if scenario.__class__ is not Scenario:
            _check_scenario(scenario)
        rule = self._rules.get(type(operator))  # type: ignore[arg-type]  # several have none
        if rule is not None:
            answer = getattr(self, rule)(operator, scenario)
            if isinstance(answer, Cost) and answer.charges:
                return answer
            return checked(answer, f"device class {type(self).__name__!r}, rule {rule!r}")
        if isinstance(operator, Operator):
            return self._price_parts(operator, scenario)
        return costs_of(operator, lambda one: self.price(one, scenario))

    def with_parameters(self, **values: Any) -> Device:
        """The same device with other numbers, each a quantity with its unit, or settings.

        Raises:
            UnknownNameError: the device has no such parameter or setting.
            CostModelError: a value of the wrong unit, or not finite, or negative.

        """
        units, options = self.parameter_units(), self.option_names()
        changed: dict[str, Any] = {}
        for name, value in values.items():
            if name not in units and name not in options:
                hint = f"these are all of device {self.name!r}"
                raise UnknownNameError(name, [*units, *options], "parameter or setting", hint)
            if name in units:
                changed[name] = _given(f"{self.name}.{name}", name, value, units[name])
            else:
                changed[name] = value
        try:
            return evolve(self, **changed)
        except ValueError as error:
            message = f"{self.name}: {', '.join(values)}: {error}"
            raise CostModelError(message) from None

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
    def priced_operators(cls) -> tuple[type[Operator], ...]:
        """The types of operators that the class has a rule for."""
        return tuple(cls._rules)

    def _price_parts(self, operator: Operator, scenario: Scenario) -> Outcome:
        parts = operator.decompose()
        if not parts:
            kind = type(operator).__name__
            reason = Unpriced(f"device {self.name!r} has no price for {kind!r} operators")
            return operator.unpriced or reason
        total = Cost(latency_seconds=0.0)
        reasons = []
        for part in parts:
            answer = self.price(part, scenario)
            if isinstance(answer, Unpriced):
                return answer
            if isinstance(answer, Reason):
                reasons.append(answer.reason)
            else:
                total = total + answer
        return total if total.charges or not reasons else Free("; ".join(dict.fromkeys(reasons)))


def _check_scenario(given: object) -> None:
    if not isinstance(given, Scenario):
        message = f"scenario is {given!r:.80}; expected a Scenario"
        raise TypeError(message)


def _given(where: str, name: str, value: str | float, unit: str) -> Parameter:
    try:
        quantity = parse_quantity(str(value), unit)
        return Parameter(name, quantity.value, unit, "given by the caller", Evidence.ASSUMED)
    except UnitError as error:
        message = f"{where}: {error}"
        raise CostModelError(message) from None
    except ValueError as error:
        message = f"{where} = {value!r}: {error}"
        raise CostModelError(message) from None
