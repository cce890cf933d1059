"""Errors inside a third party's rule: whose it is, in which layer and device, and on which line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from costmodel import Device, Layer, Network, Scenario, activation, estimate, matmul
from costmodel.devices import Charge, Cost, Evidence, Parameter, handles, parameter
from costmodel.errors import PluginError, ReadError, ScenarioError, ShapeError
from costmodel.network.layer import Input, OperatorLayer, setting, work_of
from costmodel.tensor.shapes import Tensor
from costmodel.workload.operators import Activation, Contraction

VECTOR = (Tensor((4,)),)
PRICE = Parameter("energy", 1e-12, "J", "a test", Evidence.ASSUMED)


@frozen
class Clumsy(Device):
    """Rules with mistakes of every sort."""

    family = "clumsy"

    energy: Parameter = parameter("J")

    @handles(Contraction)
    def contraction(self, operator: Any, scenario: Any) -> Any:
        """Leave out an argument."""
        return Cost([Charge("array", "compute", 1)])  # type: ignore[call-arg]

    @handles(Activation)
    def activation(self, operator: Any) -> Any:
        """Take no scenario."""


@frozen
class Endless(Device):
    """Counts further than numbers go."""

    family = "endless"

    @handles(Contraction)
    def contraction(self, operator: Any, scenario: Any) -> Any:
        """Raise to a power."""
        return 2.0 ** (operator.macs * 1000)


@frozen
class Vague(Device):
    """Answers with a number."""

    family = "vague"

    @handles(Contraction, Activation)
    def anything(self, operator: Any, scenario: Any) -> Any:
        """Leave out the unit, the source and the reason."""
        return 3.0


def one_layer(work: Any) -> Network:
    layer = OperatorLayer("dense", "operators", VECTOR, work=[work])
    return Network("n", [Input("in", "input", shape=(4,)), layer], {"dense": ["in"]})


PRODUCTS = matmul(*VECTOR, (4, 3))
UPDATES = activation("relu", *VECTOR)
HERE = re.escape(__file__)


def line_of(text: str) -> int:
    """The line of this file that ends in `text`, apart from a comment."""
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123  # as short as can be
        lines = [line.partition("  #")[0].strip() for line in file]
    return lines.index(text) + 1


def test_a_fault_in_the_rule_of_a_device_is_reported_with_its_place() -> None:
    line = line_of('return Cost([Charge("array", "compute", 1)])')
    place = rf"in Clumsy.contraction \({HERE}, line {line}\)"
    missing = "TypeError: .*missing 1 required positional argument: 'unit_cost'"
    message = f"^layer 'dense' on 'toy' cannot be priced: {missing}, {place}$"
    with pytest.raises(PluginError, match=message):
        estimate(one_layer(PRODUCTS), Clumsy("toy", energy=PRICE))


def test_a_number_that_is_too_large_is_reported_with_the_device_and_the_place() -> None:
    line = line_of("return 2.0 ** (operator.macs * 1000)")
    place = rf"OverflowError: .*, in Endless.contraction \({HERE}, line {line}\)"
    with pytest.raises(
        ScenarioError, match=f"^device 'toy': larger than a number can be: {place}$"
    ):
        Endless("toy").price(PRODUCTS)
    with pytest.raises(ScenarioError, match=f"^layer 'dense' on 'toy': device 'toy': .*{place}$"):
        estimate(one_layer(PRODUCTS), Endless("toy"))


def test_a_rule_that_cannot_be_called_is_reported_with_its_class() -> None:
    wrong = r"TypeError: Clumsy.activation\(\) takes 2 positional arguments but 3 were given"
    place = rf"in Clumsy \({HERE}, line {line_of('class Clumsy(Device):') - 1}\)"
    with pytest.raises(PluginError, match=f"cannot be priced: {wrong}, {place}$"):
        estimate(one_layer(UPDATES), Clumsy("toy", energy=PRICE))


def test_a_price_that_is_none_is_reported_with_what_was_expected() -> None:
    message = "layer 'dense' on 'toy': device class 'Vague', rule 'anything': expected a Cost"
    with pytest.raises(PluginError, match=re.escape(message)):
        estimate(one_layer(PRODUCTS), Vague("toy"))


@pytest.mark.parametrize("scenario", [3, "batch", {"batch": 2}])
def test_what_is_not_a_scenario_is_reported(scenario: Any) -> None:
    with pytest.raises(
        TypeError, match=re.escape(f"scenario is {scenario!r}; expected a Scenario")
    ):
        Vague("toy").price(PRODUCTS, scenario)
    with pytest.raises(PluginError, match=r"found 3\.0"):
        Vague("toy").price(PRODUCTS, Scenario())


# ------------------------------------------------------------------ layers


class Misspelt(Layer):
    """Its rule looks for a parameter that it does not have."""

    def operators(self) -> Any:
        """Look for it."""
        return [self.parameters["kernl"]]


class Lonely(Layer):
    """Its rule gives one operator."""

    def operators(self) -> Any:
        """One alone."""
        return PRODUCTS


class Strange(Layer):
    """Its rule gives what is not an operator."""

    def operators(self) -> Any:
        """Give a number."""
        return [3]


class Shapeless(Layer):
    """Its shapes are nowhere."""

    def output_shapes(self) -> Any:
        """Ask for what nobody has."""
        return self.shaps  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Misspelt, r"its work on input 4: KeyError: 'kernl', in Misspelt.operators \(FILE, line"),
        (Lonely, "work is Contraction.*; expected a list of operators"),
        (Strange, "work holds 3; expected operators"),
        (Shapeless, r"AttributeError: .*'shaps', in Shapeless.output_shapes \(FILE, line \d"),
    ],
)
def test_a_fault_in_the_rule_of_a_layer_is_reported_with_its_place(
    make: Callable[..., Layer], message: str
) -> None:
    said = f"^layer 'a' of kind 'acme.A'.*{message.replace('FILE', HERE)}"
    with pytest.raises(ShapeError, match=said):
        work_of(make("a", "acme.A", VECTOR))


# ------------------------------------------------------------------ settings


@frozen(slots=False)
class Units(Layer):
    """Two settings with Python's own converters, under the names of a framework."""

    units: int = setting(int, source="unit")
    share: float = setting(float, source=("rate", "share"), default=0.5)


@frozen(slots=False)
class Rated(Units):
    """A setting that has two names."""

    share: float = setting(float, source=("rate", "share"))


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (Units, {}, "'unit' is missing"),
        (Units, {"units": 3}, "'unit' is missing"),
        (Rated, {"unit": 3}, "'rate' or 'share' is missing"),
        (Units, {"unit": "many"}, "'unit' is 'many'; expected a whole number"),
        (Units, {"unit": None}, "'unit' is None; expected a whole number"),
        (Units, {"unit": 3, "rate": "half"}, "'rate' is 'half'; expected a number"),
    ],
)
def test_a_setting_that_is_wrong_is_reported_by_the_name_that_was_looked_for(
    make: Any, given: Any, message: str
) -> None:
    with pytest.raises(ReadError, match=f"^layer 'a' of kind 'acme.A': {message}$"):
        make.from_settings("a", "acme.A", VECTOR, given)
