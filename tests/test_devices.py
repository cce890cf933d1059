"""Parameters, charges, costs, and what every device does whatever its formulas."""

from __future__ import annotations

import math
import pickle
import re
from copy import copy, deepcopy
from decimal import Decimal
from functools import cached_property
from threading import Lock
from typing import Any

import pytest
from attrs import evolve, frozen
from figures import near

from costmodel import (
    Device,
    Free,
    Operator,
    Scenario,
    Unpriced,
    activation,
    device,
    elementwise,
    matmul,
    reduce,
    transpose,
)
from costmodel.devices import (
    Charge,
    Choice,
    Cost,
    Evidence,
    Factor,
    Parameter,
    UnitCost,
    handles,
    one_of,
    parameter,
    setting,
    yes_or_no,
)
from costmodel.errors import (
    CostModelError,
    PluginError,
    ScenarioError,
    UnitError,
    UnknownNameError,
)
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray, always
from costmodel.workload.builders import embedding, read
from costmodel.workload.operators import Activation, Contraction, Gather, Movement


def number(value: float = 2.0, **more: Any) -> Parameter:
    return Parameter("energy_per_one", value, "J", "a test", Evidence.MEASURED, **more)


def charge(*factors: float, role: str = "compute", price: Any = None) -> Charge:
    named = tuple(Factor(f"factor {place}", factor) for place, factor in enumerate(factors))
    return Charge("core", role, named, price or number(low=0.5, high=5.0))


# ------------------------------------------------------------------ parameters


def test_the_range_of_a_parameter_is_its_value_unless_given() -> None:
    assert (number().low, number().high, number().note) == (2.0, 2.0, "")
    assert number(low=1.0).high == 2.0
    assert number(high=3.0).low == 2.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"value": math.nan}, "value is nan; expected a finite number, not negative"),
        ({"value": math.inf}, "value is inf"),
        ({"high": 1e101}, r"high is 1e\+101; expected a finite number, .* at most 1e\+100"),
        ({"value": -1.0}, "value is -1.0"),
        ({"low": -1.0}, "low is -1.0"),
        ({"high": math.inf}, "high is inf"),
        ({"low": 2.5}, "expected low <= value <= high, found 2.5, 2.0, 2.0"),
        ({"high": 1.5}, "expected low <= value <= high, found 2.0, 2.0, 1.5"),
    ],
)
def test_a_parameter_that_no_device_has_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        number(**given)


@pytest.mark.parametrize("value", ["3 pJ", None, Decimal(3), [3.0], 3j])
def test_a_parameter_is_a_number(value: Any) -> None:
    with pytest.raises(TypeError, match=r"value is .*; expected a number"):
        number(value)


@pytest.mark.parametrize(
    ("price", "factors", "message"),
    [
        (3.0, (Factor("moves", 2),), "expected a Parameter or UnitCost as the unit cost of a"),
        (number(), Factor("moves", 2), "expected a number or factors as the count of a charge"),
        (number(), (2.0,), "expected a number or factors as the count"),
        (number(), (Factor("moves", "8"),), "expected a number or factors as the count"),
        (number(), "moves", "expected a number or factors as the count"),
        (number(), None, "expected a number or factors as the count"),
    ],
)  # fmt: skip
def test_what_a_charge_is_not_made_of_is_reported(price: Any, factors: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        Charge("core", "compute", factors, price)


@pytest.mark.parametrize("name", ["", None, 3, ("dram",)])
@pytest.mark.parametrize("what", ["resource", "role"])
def test_a_charge_names_its_resource_and_its_role(what: str, name: Any) -> None:
    names = {"resource": "dram", "role": "input", what: name}
    message = f"expected a name as the {what} of a charge, found {name!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        Charge(**names, count=1, unit_cost=number())


@pytest.mark.parametrize("count", [8, 8.0, [Factor("a", 2), Factor("b", 4)]])
def test_a_count_is_a_number_or_factors(count: Any) -> None:
    made = Charge("core", "compute", count, number())
    assert (made.count, made.energy_joules) == (8, 16)
    assert math.prod(factor.value for factor in made.factors) == 8
    assert evolve(made) == made
    assert evolve(made, count=3).count == 3


@pytest.mark.parametrize(
    ("given", "found"),
    [(3.0, "found 3.0"), ("3 pJ", "found '3 pJ'"), (None, "found None"),
     (Parameter("p", 1.0, "W", "a test", Evidence.VENDOR), "found a Parameter in 'W'")],
)  # fmt: skip
def test_a_device_takes_parameters_in_the_unit_that_it_declares(given: Any, found: str) -> None:
    message = f"energy_per_element: expected a Parameter in 'J', {found}"
    with pytest.raises(TypeError, match=re.escape(message)):
        Toy("toy", energy_per_element=given)


def test_nothing_may_cost_nothing() -> None:
    assert number(0.0).value == 0


def test_a_parameter_reads_as_its_value_and_its_range() -> None:
    assert str(number()) == "2 J"
    assert str(number(low=float("2"), high=float("2"))) == "2 J"
    assert str(number(low=1.0)) == "2 J (1 J to 2 J)"
    assert str(number(high=3.0)) == "2 J (2 J to 3 J)"


# ------------------------------------------------------------------ charges and costs


def test_a_charge_is_the_product_of_its_factors_times_its_price() -> None:
    made = charge(3, 0.5, 4)
    assert made.count == 6
    assert (made.energy_joules_low, made.energy_joules, made.energy_joules_high) == (3, 12, 30)
    assert isinstance(made.count, float)
    assert charge().count == 1


def test_charges_of_other_factors_are_other_charges() -> None:
    assert charge(2, 3) == charge(2, 3)
    assert charge(2, 3) != charge(3, 2)


def test_a_charge_reads_as_a_formula() -> None:
    factors = (Factor("events", 1234567.0), Factor("rate", 2.0, "Hz"))
    made = Charge("synapses", "compute", factors, number())
    assert str(made) == (
        "compute (synapses): 1.23457e+06 events x 2 Hz rate x energy_per_one 2 J = 4.94 MJ"
    )
    assert str(Charge("core", "static", 8, number())) == (
        "static (core): 8 x energy_per_one 2 J = 16 J"
    )


@pytest.mark.parametrize(
    "factors",
    [(10**400,), (1e308, 10.0), (math.inf,), (1e308,)],
    ids=str,
)
def test_a_product_larger_than_any_number_is_reported_by_its_factors(factors: Any) -> None:
    """The highest price counts: 1e308 of them at 5 J are beyond every number, at 1 J not."""
    with pytest.raises(ScenarioError, match=r"factor 0.*: the product is larger than a number"):
        charge(*factors)


@pytest.mark.parametrize(
    "factors", [(-1,), (2, -0.5), (math.nan,), (SizeArray([1, 2]), -1)], ids=str
)
def test_a_product_below_zero_is_reported_by_its_factors(factors: Any) -> None:
    with pytest.raises(ScenarioError, match=r"factor 0.*: the product is .*; expected 0 or more"):
        charge(*factors)


def test_a_product_that_is_a_number_is_none_too_large() -> None:
    assert charge(1e308, price=number(1.0)).energy_joules == 1e308
    assert charge(SizeArray([1, 2]), 1e307).count[1] == 2e307  # type: ignore[index]


def test_a_cost_is_the_sum_of_its_charges_by_role_and_by_resource() -> None:
    read = evolve(charge(2, role="input"), resource="dram")
    cost = Cost([charge(1), read, charge(4)])
    assert (cost.energy_joules_low, cost.energy_joules, cost.energy_joules_high) == (3.5, 14, 35)
    assert dict(cost.energy_joules_by_role) == {"compute": 10, "input": 4}
    assert dict(cost.energy_joules_by_resource) == {"core": 10, "dram": 4}
    assert cost.resources == ("core", "dram")
    assert Cost().energy_joules == 0


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [(1.0, 2.0, 3.0), (0.0, 2.0, 2.0), (None, 2.0, None), (1.0, None, None), (None, None, None)],
)
def test_costs_add_their_charges_and_the_times_that_are_known(
    one: float | None, other: float | None, both: float | None
) -> None:
    total = Cost.together([Cost([charge(1)], one), Cost([charge(2)], other)])
    assert total.charges == (charge(1), charge(2))
    assert total.latency_seconds == both


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, SizeArray([2, 1]) - 2])
def test_a_time_that_nothing_takes_is_refused(seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"latency_seconds is .*expected a finite number, not neg"):
        Cost(latency_seconds=seconds)


@pytest.mark.parametrize(
    ("cost", "lines"),
    [
        (Cost(), ["0 J"]),
        (Cost(latency_seconds=0.0), ["0 J, 0 s"]),
        (Cost([charge(3)]), ["6 J (1.5 J to 15 J)", f"  {charge(3)}"]),
        (
            Cost([charge(3, price=number(low=1.0))]),
            ["6 J (3 J to 6 J)", f"  {charge(3, price=number(low=1.0))}"],
        ),
        (
            Cost([charge(3, price=number())], 0.5),
            ["6 J, 500 ms", f"  {charge(3, price=number())}"],
        ),
    ],
)
def test_a_cost_reads_as_its_energy_and_its_time_and_its_charges(
    cost: Cost, lines: list[str]
) -> None:
    assert str(cost).splitlines() == lines


# ------------------------------------------------------------------ devices


@frozen(kw_only=True)
class Pair(Operator):
    """An operator of two parts, which no device of these tests knows."""

    parts: tuple[Operator, ...] = ()

    def decompose(self) -> tuple[Operator, ...]:
        return self.parts


@frozen
class Toy(Device):
    """Charges one joule for an element, and knows the time of an activation."""

    family = "toy"
    resources = ("neurons",)

    energy_per_element: Parameter = parameter("J")
    bandwidth: Parameter | None = parameter("B/s", optional=True)
    memory: str = setting(one_of("dram", "sram"), default="dram")
    is_fast: bool = setting(yes_or_no, default=False)
    ceiling: float = setting(float, default=1.0, takes="a number of joules")

    @handles(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Cost:
        factors = (Factor("elements", operator.elements), Factor("batch", scenario.batch))
        return Cost([Charge("neurons", "compute", factors, self.energy_per_element)], 0.5)

    @handles(Movement, Gather)
    def nothing(self, operator: Operator, scenario: Scenario) -> Free:
        return Free(f"{self.memory} is wired")


@frozen
class Stern(Toy):
    """As its parent, but for lookups."""

    @handles(Gather)
    def lookup(self, operator: Gather, scenario: Scenario) -> Unpriced:
        return Unpriced("tables are unknown")


PRICE = Parameter("energy_per_element", 1.0, "J", "a test", Evidence.VENDOR)
TOY = Toy("toy", energy_per_element=PRICE)
STERN = Stern("stern", energy_per_element=PRICE)
UPDATE = activation("relu", (3,))
MOVE = transpose((3,), (0,))
TABLE = embedding((3,), (9,), output=(3,))


def test_a_device_prices_by_the_rule_for_the_type_under_the_conditions_given() -> None:
    assert TOY.price(UPDATE).energy_joules == 3
    assert TOY.price(UPDATE, Scenario(batch=2)).energy_joules == 6
    assert TOY.price(MOVE) == TOY.price(TABLE) == Free("dram is wired")


def test_a_class_tells_what_it_has_rules_for() -> None:
    assert set(TOY.priced_operators()) == set(STERN.priced_operators())
    assert set(TOY.priced_operators()) == {Activation, Movement, Gather}


def test_a_class_tells_what_its_settings_take_and_are_unless_chosen() -> None:
    assert TOY.setting_choices() == {
        "memory": Choice("dram, sram", "dram"),
        "is_fast": Choice("true, false", default=False),
        "ceiling": Choice("a number of joules", 1.0),
    }


def test_a_class_keeps_the_rules_of_its_parent_and_leaves_them_to_it() -> None:
    assert STERN.price(TABLE) == Unpriced("tables are unknown")
    assert STERN.price(MOVE) == Free("dram is wired")
    assert STERN.price(UPDATE) == TOY.price(UPDATE)
    assert isinstance(TOY.price(TABLE), Free)


def test_an_unknown_operator_is_unpriced_and_names_itself_and_the_device() -> None:
    work = Contraction(dims={"k": 3})
    assert TOY.price(work) == Unpriced("device 'toy' has no price for 'Contraction' operators")


def test_work_that_nobody_can_price_says_so_itself() -> None:
    class Riddle(Operator):
        @property
        def unpriced(self) -> Unpriced:
            return Unpriced("nobody solves it")

    assert TOY.price(Riddle()) == Unpriced("nobody solves it")


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ((UPDATE, UPDATE), Cost.together([TOY.price(UPDATE)] * 2)),  # type: ignore[list-item]
        ((MOVE, UPDATE), TOY.price(UPDATE)),
        ((MOVE, MOVE), Free("dram is wired")),
        ((MOVE, TABLE, UPDATE), Unpriced("tables are unknown")),
        ((TABLE, UPDATE), Unpriced("tables are unknown")),
        ((Pair(parts=(UPDATE,)), UPDATE), Cost.together([TOY.price(UPDATE)] * 2)),  # type: ignore[list-item]
    ],
)
def test_an_operator_without_a_rule_costs_what_its_parts_cost(parts: Any, answer: Any) -> None:
    """The time of parts is known where that of each is; free parts take none."""
    assert STERN.price(Pair(parts=parts)) == answer


@pytest.mark.parametrize("conditions", [{"batch": 2}, 3, Scenario])
def test_conditions_are_a_scenario(conditions: Any) -> None:
    with pytest.raises(TypeError, match=r"^scenario is .*; expected a Scenario"):
        TOY.price(UPDATE, conditions)


def test_a_scenario_may_be_of_a_class_of_its_own() -> None:
    class Night(Scenario):
        pass

    assert TOY.price(UPDATE, Night(batch=2)) == TOY.price(UPDATE, Scenario(batch=2))


def test_several_operators_have_their_costs_in_order() -> None:
    costs = TOY.price([UPDATE, MOVE, UPDATE.repeated(2)], Scenario(batch=2))
    assert costs.energy_joules.tolist() == [6, 0, 12]


def test_a_device_tells_its_parameters_and_its_settings() -> None:
    assert dict(TOY.parameters) == {"energy_per_element": PRICE}
    assert dict(Toy.parameter_units()) == {"energy_per_element": "J", "bandwidth": "B/s"}
    assert Toy.required_parameters() == {"energy_per_element"}
    assert TOY.settings == {"memory": "dram", "is_fast": False, "ceiling": 1.0}
    assert list(Toy.setting_names()) == ["memory", "is_fast", "ceiling"]
    assert (TOY.title, TOY.process, TOY.file, TOY.content_hash) == ("", None, None, None)


def test_a_device_is_a_value_whatever_it_has_been_asked() -> None:
    other = Toy("toy", energy_per_element=PRICE)
    TOY.price(UPDATE)
    assert other == TOY
    assert hash(other) == hash(TOY)
    assert "_memory" not in repr(TOY)
    with pytest.raises(AttributeError):
        other.name = "mine"  # type: ignore[misc]


def test_a_device_with_other_numbers_says_who_gave_them() -> None:
    changed = TOY.with_parameters(energy_per_element="3 mJ", bandwidth="2 GB/s", memory="sram")
    given = changed.parameters["energy_per_element"]
    assert (given.name, given.value, given.unit) == ("energy_per_element", 3e-3, "J")
    assert (given.low, given.high) == (3e-3, 3e-3)
    assert (given.source, given.evidence) == ("given by the caller", Evidence.ASSUMED)
    assert changed.parameters["bandwidth"].value == 2e9
    assert changed.settings["memory"] == "sram"
    assert TOY.settings["memory"] == "dram"
    assert TOY.with_parameters() == TOY


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"energy_per_element": "3 s"},
            "toy.energy_per_element: expected a quantity in J, .*'3 s'",
        ),
        ({"energy_per_element": 3}, "toy.energy_per_element: expected a quantity in J, .* '3'"),
        ({"energy_per_element": "-3 J"}, "expected a finite number, not negative"),
        (
            {"bandwidth": "fast"},
            "toy.bandwidth: 'fast' is not a quantity; expected a quantity in B/s, such as '2 GB/s'",
        ),
        ({"memory": "tape"}, "toy: memory: expected one of dram, sram, found 'tape'"),
        ({"is_fast": 1}, "toy: is_fast: expected true or false, found 1"),
    ],
)
def test_a_number_that_a_device_cannot_have_is_refused(values: Any, message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        TOY.with_parameters(**values)


@pytest.mark.parametrize(
    ("name", "nearest"), [("energy_per_elemnt", "energy_per_element"), ("memry", "memory")]
)
def test_a_number_that_a_device_has_not_gets_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(
        UnknownNameError, match=f"unknown parameter or setting {name!r}\n.*{nearest!r}"
    ):
        TOY.with_parameters(**{name: "1 J"})


@pytest.mark.parametrize(
    ("given", "meant"),
    [(True, True), ("true", True), ("yes", True), (False, False), ("false", False), ("no", False)],
)
def test_a_truth_value_is_taken_by_its_names(given: Any, meant: bool) -> None:  # noqa: FBT001
    assert yes_or_no(given) is meant


@pytest.mark.parametrize("given", ["maybe", "", 0, 1, 1.0, None, []])
def test_what_is_not_a_truth_value_is_none(given: Any) -> None:
    with pytest.raises(ValueError, match="expected true or false, found"):
        yes_or_no(given)


def test_what_a_number_stands_for_is_reported_beside_it() -> None:
    """Bounds, titles, figures and defaults are given by name."""
    for make in (
        lambda: Parameter("energy", 2.0, "J", "a test", Evidence.VENDOR, 1.0),
        lambda: Device("toy", "Toy"),
        lambda: Toy("toy", PRICE),
        lambda: parameter("J", True),  # type: ignore[misc]  # noqa: FBT003
        lambda: setting(float, 1.0),  # type: ignore[misc]
    ):
        with pytest.raises(TypeError, match="positional argument"):
            make()


@pytest.mark.parametrize("unit", ["pJ", "J/byte", "kB", "KiB", "joule", "J/mB", "J ", "%"])
def test_a_parameter_is_declared_in_an_si_unit_without_a_prefix(unit: str) -> None:
    message = "parameter() takes an SI unit without a prefix, such as J or J/B; found"
    with pytest.raises(UnitError, match=re.escape(f"{message} {unit!r}")):
        parameter(unit)


def test_costs_of_the_same_charges_are_equal_however_they_were_made() -> None:
    one, other = charge(3), charge(4, role="input")
    plain = Cost([one, other], 2.0)
    for cost in (
        Cost(iter([one, other]), 2.0),
        Cost([Cost([one]), Cost([other])], 2.0),
        Cost.together([Cost([one], 2.0), Cost([other], 0.0)]),
        evolve(Cost([one], 2.0), charges=[one, other]),
        pickle.loads(pickle.dumps(plain)),  # noqa: S301  # its own
        deepcopy(plain),
    ):
        assert (cost, hash(cost), repr(cost)) == (plain, hash(plain), repr(plain))
        assert cost.charges == plain.charges == (one, other)
    assert plain != Cost([other, one], 2.0)
    assert plain != Cost([one, other])


@pytest.mark.parametrize("count", [0.0, 0, SizeArray([0, 1]), SizeArray([0])])
def test_a_count_of_zero_is_a_charge(count: Any) -> None:
    assert always(charge(count).count == count)


@pytest.mark.parametrize("count", [-3.0, -3, -1e-320, SizeArray([2]) - 3, math.nan])
def test_a_count_below_zero_is_refused_at_any_unit_cost(count: Any) -> None:
    for price in (number(0.0), UnitCost("free", ((number(), 0.0),))):
        with pytest.raises(ScenarioError, match=r"factor 0: the product is .*; expected 0 or more"):
            charge(count, price=price)


# ------------------------------------------------------------------ unit costs


def test_a_unit_cost_is_the_sum_of_its_parts_times_their_weights() -> None:
    one, other = number(low=1.0, high=8.0), evolve(number(16.0, low=12.0), name="other")
    derived = UnitCost("derived", ((one, 0.5), (other, 0.25)))
    assert (derived.low, derived.value, derived.high, derived.unit) == (3.5, 5, 8, "J")
    cost = Cost([charge(3, price=derived), charge(2, role="input", price=one)])
    sums = (cost.energy_joules_low, cost.energy_joules, cost.energy_joules_high)
    assert sums == (10.5 + 2, 15 + 4, 24 + 16)
    assert cost.energy_joules_by_role == {"compute": 15, "input": 4}
    assert str(derived) == "5 J (3.5 J to 8 J) [0.5 x energy_per_one + 0.25 x other]"
    assert one.parts == ((one, 1.0),)
    assert UnitCost("derived", [*derived.parts]) == derived  # type: ignore[arg-type]  # any iterable


@pytest.mark.parametrize(
    "parts",
    [
        (), number(), 3.0, None, (number(), 1.0), ((1.0, number()),), ((number(),),),
        ((number(), 1.0, 2.0),), [[number(), 1.0]], ((UnitCost("u", ((number(), 1.0),)), 1.0),),
    ],
)  # fmt: skip
def test_parts_of_a_unit_cost_are_parameters_with_weights(parts: Any) -> None:
    said = "unit cost 'derived': expected parameters with weights, such as ((parameter, 0.5), "
    with pytest.raises(TypeError, match=re.escape(said)):
        UnitCost("derived", parts)


@pytest.mark.parametrize("weight", ["1", None, 3j, Decimal(1)])
def test_a_weight_is_a_number(weight: Any) -> None:
    said = "unit cost 'derived': the weight of energy_per_one is .*; expected a number"
    with pytest.raises(TypeError, match=said):
        UnitCost("derived", ((number(), weight),))


@pytest.mark.parametrize(
    "weight", [-5.0, -1e-320, -1, math.nan, math.inf, 1e51, SizeArray([1, 2]) - 3]
)
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_a_weight_is_finite_and_not_negative(weight: Any, value: float) -> None:
    said = r"the weight of energy_per_one is .*; expected 0 to 1e\+50"
    with pytest.raises(ScenarioError, match=said):
        UnitCost("derived", ((number(), 0.5), (number(value), weight)))


@pytest.mark.parametrize("weight", [0, 2, 0.0, SizeArray([0, 1])])
def test_a_weight_may_be_zero_or_whole_or_many(weight: Any) -> None:
    assert always(UnitCost("derived", ((number(), weight),)).value == 2.0 * weight)


def test_the_parts_of_a_unit_cost_are_in_one_unit() -> None:
    power = Parameter("idle_power", 1.0, "W", "a test", Evidence.VENDOR)
    with pytest.raises(ValueError, match="'derived': expected parts in one unit, found 'J' and"):
        UnitCost("derived", ((number(), 1.0), (power, 1.0)))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (3, "expected several charges, such as Cost([charge]), found 3"),
        (charge(3), "expected several charges, such as Cost([charge]), found Charge(resource="),
        ([3], "a cost is made of charges and costs; found 3"),
        ([Free("no reason")], "a cost is made of charges and costs; found Free"),
    ],
)
def test_what_is_not_a_charge_is_reported(given: Any, found: str) -> None:
    with pytest.raises(TypeError, match=re.escape(found)):
        Cost(given)


def test_a_cost_of_many_costs_is_as_flat_as_one() -> None:
    total = Cost(latency_seconds=0.0)
    for _ in range(1000):
        total = total + Cost([charge(1)], 0.1)
    assert len(total.charges) == 1000
    assert total.latency_seconds == near(100)
    assert pickle.loads(pickle.dumps(total)) == total  # noqa: S301  # its own
    assert Cost.together([Cost(latency_seconds=0.1)] * 10).latency_seconds == 1.0


def test_a_cost_of_a_class_of_its_own_says_so() -> None:
    class Own(Cost):
        pass

    assert repr(Own([], 0.5)) == (
        "test_a_cost_of_a_class_of_its_own_says_so.<locals>.Own(charges=(), latency_seconds=0.5)"
    )
    assert Own([charge(1)]) == Cost([charge(1)])
    assert Cost([charge(1)]) != 3


@pytest.mark.parametrize("copied", [copy, deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  # its own
def test_a_copy_of_a_device_prices_the_same(copied: Any) -> None:
    work = (
        matmul((8,), (8, 8)),
        elementwise("affine", (8,)),
        elementwise("select", (8,)),
        reduce("mean", (8,), []),
        activation("relu", (8,)),
    )
    for name in ("horowitz-45nm", "cpu", "loihi"):
        one = device(name)
        before = [one.price(operator, Scenario(rates=10.0)) for operator in work]
        twin = copied(one)
        assert twin == one
        assert [twin.price(operator, Scenario(rates=10.0)) for operator in work] == before


def test_energies_are_numbers_however_much_is_charged() -> None:
    price = UnitCost("derived", ((number(1e-300), 0.5), (number(1e100), 1.0)))
    assert charge(1e200, price=price).energy_joules == 1e300
    assert charge(1e300, price=UnitCost("small", price.parts[:1])).energy_joules == 0.5
    with pytest.raises(ScenarioError, match="factor 0: the product is larger than a number"):
        charge(1e300, price=price)
    with pytest.raises(ScenarioError, match="factor 0: the product is larger than a number"):
        charge(SizeArray([1, 0]) * 1e300, price=price)
    much = Cost([charge(1.7e208, price=price)] * 9)
    for name in (
        "energy_joules", "energy_joules_low", "energy_joules_high", "energy_joules_by_role",
        "energy_joules_by_resource",
    ):  # fmt: skip
        with pytest.raises(ScenarioError, match="the sum of the energies is larger than a number"):
            getattr(much, name)


@frozen(slots=False, cache_hash=True)
class Own(Device):
    """A device that holds more than its fields."""

    energy: Parameter = parameter("J")

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "scale", 3.0)

    @cached_property
    def threads(self) -> Any:
        """What no copy can take along."""
        return Lock()


class Slotted(Own):
    __slots__ = ("more",)


@pytest.mark.parametrize("copied", [copy, deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  # its own
def test_a_copy_keeps_all_but_what_was_worked_out(copied: Any) -> None:
    one: Any = Own("own", energy=number())
    assert one.threads is one.threads
    hash(one)
    twin = copied(one)
    assert (twin, hash(twin), twin.scale) == (one, hash(one), 3.0)
    assert twin.threads is not one.threads
    slotted: Any = Slotted("own", energy=number())
    object.__setattr__(slotted, "more", 4.0)
    assert slotted.__getstate__()[1] == {"more": 4.0}


# ------------------------------------------------------------------ resources


@pytest.mark.parametrize("names", ["dram", ["dram"], ("dram", 3), ("",), None])
def test_resources_are_a_tuple_of_names(names: Any) -> None:
    demand = "expected a tuple of names, such as ('multipliers', 'sram')"
    message = f"Odd.resources: {demand}; found {names!r}"
    with pytest.raises(TypeError, match=re.escape(message)):
        frozen(type("Odd", (Device,), {"resources": names}))


# ------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (None, "None"), (3.0, "3.0"), (Free, "<class"), (Cost(), "a Cost without charges"),
        (charge(1), "Charge"), ([charge(1)], r"\[Charge"),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_that_is_none_is_reported(answer: Any, found: str) -> None:
    @frozen
    class Forgetful(Device):
        @handles(Movement)
        def movement(self, operator: Operator, scenario: Scenario) -> Any:
            return answer

    said = f"device class 'Forgetful', rule 'movement': expected a Cost .*, found {found}"
    with pytest.raises(PluginError, match=said):
        Forgetful("forgetful").price(Movement(purpose="test"))


_OVERFLOW = "device 'horowitz-45nm': larger than a number can be: OverflowError: "
_PRODUCT = "multiply-accumulates: the product is larger than a number can be"


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (read((2**62,) * 20, purpose="test"), _OVERFLOW),
        (Contraction(dims=[(f"d{axis}", 2**62) for axis in range(20)]), _PRODUCT),
        (Contraction(dims=[(f"d{axis}", 2**62) for axis in range(2000)]), _PRODUCT),
    ],
    ids=["memory", "arithmetic", "beyond what Python writes"],
)
def test_what_no_number_can_hold_is_reported(operator: Operator, said: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{said}"):
        device("horowitz-45nm").price(operator)


@pytest.mark.parametrize("reason", ["", " ", None])
@pytest.mark.parametrize("sort", [Free, Unpriced])
def test_a_reason_is_in_words(sort: Any, reason: Any) -> None:
    with pytest.raises(ValueError, match=f"{sort.__name__}.*: expected a reason in words"):
        sort(reason)


def test_two_rules_of_a_class_for_one_operator_are_refused() -> None:
    with pytest.raises(TypeError, match="Twice has two rules for Movement: 'one' and 'other'"):

        @frozen
        class Twice(Device):
            @handles(Movement)
            def one(self, operator: Operator, scenario: Scenario) -> Any: ...

            @handles(Gather, Movement)
            def other(self, operator: Operator, scenario: Scenario) -> Any: ...


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), "nothing"),
        ((Movement, "Movement"), "'Movement'"),
        ((str, Tensor), "<class 'str'>"),
        ((number,), "<function number"),
        ((Movement, Operator), "<class 'costmodel.workload.operators.Operator'>"),
    ],
)
def test_a_rule_names_classes_of_operators(given: Any, found: str) -> None:
    with pytest.raises(TypeError, match=rf"handles\(\) takes classes of operators.*found {found}"):
        handles(*given)
