"""An honest device, and devices that break one law each."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from attrs import evolve, field, frozen

from costmodel import Device, Free, Operator, Scenario, Unpriced
from costmodel.devices import (
    Charge,
    Cost,
    Duration,
    Evidence,
    Factor,
    Outcome,
    Parameter,
    handles,
    one_of,
    parameter,
    setting,
)
from costmodel.errors import CostModelError
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.operators import STANDARD, Contraction, Movement


def figure(name: str, value: float = 1e-12) -> Parameter:
    return Parameter(name, value, "J", "a data sheet", Evidence.VENDOR)


def bits(operator: Operator, scenario: Scenario) -> int:
    """Bits of one element of each tensor."""
    return sum((each.format or scenario.default_format).bits for each in operator.operands)


@frozen
class Honest(Device):
    """A price for every operation and one for every result."""

    family: ClassVar = "honest"
    ignores: ClassVar[tuple[str, ...]] = ("timesteps", "dt", "rates", "formats")
    resources: ClassVar[tuple[str, ...]] = ("core",)

    energy_per_operation: Parameter = parameter("J")
    energy_per_result: Parameter = parameter("J")
    mode: str = setting(one_of("fast", "slow"), default="fast")

    @classmethod
    def made(cls, **settings: Any) -> Honest:
        """One with figures."""
        operation, result = figure("energy_per_operation"), figure("energy_per_result", 2e-12)
        return cls("honest", energy_per_operation=operation, energy_per_result=result, **settings)

    @handles(*STANDARD)
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        return Cost(self.charges(operator, scenario))

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        work = Factor("operations", sum(operator.operations.values()))
        results = Factor("results", operator.elements)
        yield self.charge(self.energy_per_operation, scenario, work)
        yield self.charge(self.energy_per_result, scenario, results)

    def charge(self, price: Parameter, scenario: Scenario, *factors: Factor) -> Charge:
        return Charge("core", "compute", (*factors, Factor("examples", scenario.batch)), price)

    def times(self, operator: Operator, scenario: Scenario, factor: float) -> Iterable[Charge]:
        """The honest charges, times a factor."""
        for item in Honest.charges(self, operator, scenario):
            yield evolve(item, count=(*item.factors, Factor("lie", factor)))


def unchecked(role: str, price: Parameter, *factors: Factor) -> Charge:
    """A charge that nobody has looked at."""
    charge = object.__new__(Charge)
    count = math.prod(factor.value for factor in factors)
    values = {
        "resource": "core", "role": role, "factors": factors, "unit_cost": price, "count": count,
    }  # fmt: skip
    for name, value in values.items():
        object.__setattr__(charge, name, value)
    return charge


@frozen
class PaysARebate(Honest):
    capabilities = Honest.capabilities - {"tiles-not-cheaper"}  # each tile gets a rebate

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        yield from super().charges(operator, scenario)
        rebate = Factor("rebate", -1e-9), Factor("examples", scenario.batch)
        yield unchecked("compute", self.energy_per_operation, *rebate)


@frozen
class _HonestInWorkloads(Honest):
    """Lies to those who ask for an operator alone."""

    capabilities = Honest.capabilities - {"per-operator"}

    def price_group(self, *given: Any) -> Any:
        return Honest.made().price_group(*given)


@frozen
class HasNoReason(_HonestInWorkloads):
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        blank = Free("a reason")
        object.__setattr__(blank, "reason", " ")
        return blank if isinstance(operator, Movement) else super().answer(operator, scenario)

    def _price_parts(self, operator: Operator, scenario: Scenario) -> Outcome:
        try:
            return super()._price_parts(operator, scenario)
        except ValueError:  # blank reasons alone make no other
            return Free("none of its parts costs anything")


@frozen
class ChargesNothingInSilence(_HonestInWorkloads):
    def price(self, operator: Any, scenario: Scenario | None = None) -> Any:
        is_moved = isinstance(operator, Movement)
        return Cost() if is_moved else super().price(operator, scenario)


@frozen
class _LowIsHigh(Cost):
    @property
    def energy_joules_low(self) -> float:
        return 2 * self.energy_joules


@frozen
class TurnsItsRangeRound(_HonestInWorkloads):
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        return _LowIsHigh(tuple(self.charges(operator, scenario)))


@frozen
class _OneRole(Cost):
    @property
    def energy_joules_by_role(self) -> Mapping[str, float]:
        return {"compute": self.charges[0].energy_joules}


@frozen
class ForgetsARole(Honest):
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        return _OneRole(tuple(self.charges(operator, scenario)))


@frozen
class _OneResource(Cost):
    @property
    def energy_joules_by_resource(self) -> Mapping[str, float]:
        return {"core": self.charges[0].energy_joules}


@frozen
class ForgetsAResource(Honest):
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        return _OneResource(tuple(self.charges(operator, scenario)))


@frozen
class SpendsWhereItDoesNotSay(_HonestInWorkloads):
    def charge(self, price: Parameter, scenario: Scenario, *factors: Factor) -> Charge:
        return evolve(super().charge(price, scenario, *factors), resource="corr")


@frozen
class KeepsBusyWhatItDoesNotSay(_HonestInWorkloads):
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        rate = Parameter("clock", 1e9, "Hz", "a data sheet", Evidence.VENDOR)
        works = [Duration("pipeline", operator.elements, rate)]
        return Cost(self.charges(operator, scenario), durations=works)


@frozen
class _Padded(Charge):
    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "count", 2 * self.count)


@frozen
class PadsItsCounts(Honest):
    def charge(self, price: Parameter, scenario: Scenario, *factors: Factor) -> Charge:
        return _Padded("core", "compute", (*factors, Factor("examples", scenario.batch)), price)


@frozen
class ForgetsTheSeconds(Honest):
    idle_power: Parameter = parameter("W")

    @classmethod
    def made(cls, **settings: Any) -> Honest:
        idle = Parameter("idle_power", 1e-3, "W", "a data sheet", Evidence.VENDOR)
        return super().made(idle_power=idle, **settings)

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        yield from super().charges(operator, scenario)
        yield self.charge(self.idle_power, scenario, Factor("operations", operator.elements))


@frozen
class CountsSecondsTwice(Honest):
    def charge(self, price: Parameter, scenario: Scenario, *factors: Factor) -> Charge:
        time = Factor("time", 1e-3, "s")
        examples = Factor("examples", scenario.batch)
        return Charge("core", "compute", (*factors, time, examples), price)


@frozen
class HasAPriceUpItsSleeve(Honest):
    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        yield from super().charges(operator, scenario)
        yield self.charge(figure("energy_per_favour"), scenario, Factor("favours", 1))


def without_a_source() -> Device:
    device = Honest.made()
    bare = Parameter("energy_per_operation", 1e-12, "J", " ", Evidence.VENDOR)
    object.__setattr__(device, "energy_per_operation", bare)
    return device


@frozen
class DoesNotModelWhatNobodyCanRead(Honest):
    not_modelled: ClassVar = ("time", "static power")


@frozen
class TakesTheUnknownForFree(Honest):
    def price(self, operator: Operator, scenario: Scenario | None = None) -> Outcome:
        answer = super().price(operator, scenario)
        is_named = type(operator).__name__ in getattr(answer, "reason", "")
        return Free(answer.reason) if is_named else answer  # type: ignore[union-attr]


@frozen
class DoesNotSayWhatItDoesNotKnow(Honest):
    def price(self, operator: Operator, scenario: Scenario | None = None) -> Outcome:
        answer = super().price(operator, scenario)
        return Unpriced("ask the vendor") if isinstance(answer, Unpriced) else answer


@frozen
class LosesAPart(Honest):
    def _price_parts(self, operator: Operator, scenario: Scenario) -> Outcome:
        parts = operator.decompose()
        if not parts:
            return super()._price_parts(operator, scenario)
        return Cost(c for part in parts[:-1] for c in self.charges(part, scenario))


@frozen
class GivesADiscountOnRepetition(Honest):
    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        is_again = isinstance(operator, Contraction) and "repeat" in operator.dims
        return self.times(operator, scenario, 0.1 if is_again else 1)


@frozen
class GivesADiscountOnDepth(Honest):
    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        depth = operator.reduction_size
        return self.times(operator, scenario, 1 / depth**2)


@frozen
class GivesADiscountOnWidth(Honest):
    ignores: ClassVar = ("timesteps", "dt", "rates")

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        return self.times(operator, scenario, 1 / bits(operator, scenario))


@frozen
class GivesADiscountOnRate(Honest):
    ignores: ClassVar = ("timesteps", "dt", "formats")

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        rate = scenario.rates if isinstance(scenario.rates, float) else 0.0
        return self.times(operator, scenario, 1 / (1 + rate))


@frozen
class GivesADiscountOnQuantity(Honest):
    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        are_many = isinstance(operator.elements, SizeArray)
        return self.times(operator, scenario, 0.5 if are_many else 1)


@frozen
class ForgetsTheBatch(Honest):
    def charge(self, price: Parameter, scenario: Scenario, *factors: Factor) -> Charge:
        return Charge("core", "compute", factors, price)


@frozen
class ChargesThePriceTwice(Honest):
    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        return self.times(operator, scenario, self.energy_per_operation.value * 1e12)


@frozen
class ChargesMoreForACopy(Honest):
    is_copy: bool = field(init=False, eq=False, default=True)

    @classmethod
    def made(cls, **settings: Any) -> Honest:
        first = super().made(**settings)
        object.__setattr__(first, "is_copy", False)
        return first

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        figures = (self.energy_per_operation.value, self.energy_per_result.value)
        has_its_figures = figures == (1e-12, 2e-12)
        return self.times(operator, scenario, 2 if self.is_copy and has_its_figures else 1)


@frozen
class CannotBeCopied(Honest):
    lock: Any = field(init=False, eq=False, factory=threading.Lock)


@frozen
class ForgetsItselfInACopy(Honest):
    rounds: int = field(init=False, eq=False, default=1)

    def __deepcopy__(self, memory: Any) -> Any:
        twin = evolve(self)
        object.__setattr__(twin, "rounds", 2)
        return twin

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        return self.times(operator, scenario, self.rounds)


@frozen
class HandsOutItsBooks(Honest):
    books: dict[str, Parameter] = field(init=False, eq=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.books.update(super().parameters)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        return self.books

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        return self.times(operator, scenario, 1 if self.books else 3)


def _lanes(value: Any) -> frozenset[int]:
    if not isinstance(value, frozenset):
        message = f"expected a set of lanes, found {value!r}"
        raise ValueError(message)  # noqa: TRY004  # the interface of a converter
    return value


@frozen
class CannotBeWritten(Honest):
    lanes: frozenset[int] = setting(_lanes, default=frozenset({1}))


@frozen
class TakesAnyName(Honest):
    def with_parameters(self, **values: Any) -> Device:
        known = [*self.parameter_units(), *self.setting_names()]
        return super().with_parameters(**{k: v for k, v in values.items() if k in known})


@frozen
class TakesAnyValue(Honest):
    def with_parameters(self, **values: Any) -> Device:
        try:
            return super().with_parameters(**values)
        except CostModelError:
            if values.keys() <= self.parameter_units().keys():
                return self
            raise


@frozen
class TakesAnySetting(Honest):
    cores: Any = setting(lambda value: value, default=1)


@frozen
class SaysThatItIgnoresTheBatch(Honest):
    ignores: ClassVar = (*Honest.ignores, "batch")


@frozen
class DoesNotSayThatItIgnoresFormats(Honest):
    ignores: ClassVar = ("timesteps", "dt", "rates")


NONCONFORMING = {
    PaysARebate.made: "test_every_charge_is_finite_and_not_negative",
    HasNoReason.made: "test_every_operator_has_a_charge_or_a_reason",
    ChargesNothingInSilence.made: "test_every_operator_has_a_charge_or_a_reason",
    TurnsItsRangeRound.made: "test_low_value_and_high_stand_in_this_order",
    ForgetsARole.made: "test_the_explanation_adds_up_to_the_energy",
    ForgetsAResource.made: "test_the_explanation_adds_up_to_the_energy",
    SpendsWhereItDoesNotSay.made: "test_every_resource_is_one_that_the_device_declares",
    KeepsBusyWhatItDoesNotSay.made: "test_every_resource_is_one_that_the_device_declares",
    PadsItsCounts.made: "test_the_explanation_adds_up_to_the_energy",
    ForgetsTheSeconds.made: "test_the_units_of_every_charge_make_joules",
    CountsSecondsTwice.made: "test_the_units_of_every_charge_make_joules",
    HasAPriceUpItsSleeve.made: "test_every_charge_is_at_a_price_that_the_device_declares",
    without_a_source: "test_every_parameter_has_a_unit_a_source_and_evidence",
    DoesNotModelWhatNobodyCanRead.made: "test_what_it_does_not_model_is_said_in_words",
    TakesTheUnknownForFree.made: "test_an_operator_that_nobody_knows_is_unpriced_and_named",
    DoesNotSayWhatItDoesNotKnow.made: "test_an_operator_that_nobody_knows_is_unpriced_and_named",
    LosesAPart.made: "test_an_operator_that_it_does_not_know_costs_the_sum_of_its_parts",
    GivesADiscountOnRepetition.made: "test_work_done_more_often_never_costs_less",
    GivesADiscountOnDepth.made: "test_larger_work_never_costs_less",
    GivesADiscountOnWidth.made: "test_wider_numbers_never_cost_less",
    GivesADiscountOnRate.made: "test_a_higher_rate_never_costs_less",
    GivesADiscountOnQuantity.made: "test_a_batch_costs_what_each_of_its_operators_costs",
    ForgetsTheBatch.made: "test_twice_the_batch_costs_twice_the_dynamic_energy",
    ChargesThePriceTwice.made:
        "test_twice_a_price_costs_twice_its_charges_and_changes_nothing_else",
    SaysThatItIgnoresTheBatch.made: "test_what_it_ignores_changes_no_price",
    DoesNotSayThatItIgnoresFormats.made: "test_what_it_does_not_ignore_changes_a_price",
    ChargesMoreForACopy.made: "test_the_same_question_has_the_same_answer",
    CannotBeCopied.made: "test_a_copy_of_it_prices_the_same",
    ForgetsItselfInACopy.made: "test_a_copy_of_it_prices_the_same",
    HandsOutItsBooks.made: "test_a_caller_cannot_change_it",
    CannotBeWritten.made: "test_it_is_the_same_after_it_is_written_to_a_file",
    TakesAnyName.made: "test_a_parameter_that_it_does_not_have_is_reported",
    TakesAnyValue.made: "test_a_value_that_a_parameter_cannot_have_is_reported",
    TakesAnySetting.made: "test_a_value_that_a_setting_cannot_have_is_reported",
}  # fmt: skip
"""How to make each class, and the law that it breaks."""
