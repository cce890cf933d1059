"""An honest convention, and conventions that break one law each."""

from __future__ import annotations

from typing import Any

from attrs import evolve, field, frozen

from costmodel import Convention, Device, Free, Network, Operator, Scenario
from costmodel.conventions.convention import LayerWork
from costmodel.devices import Adapted, Cost, Factor, Outcome
from costmodel.network.layer import Layer, UnknownLayer, Work
from costmodel.workload.operators import Movement
from nonconforming.devices import unchecked

NOTHING = Movement(purpose="nothing")


def honest() -> Convention:
    return Convention("honest", "what there is")


def without_a_title() -> Convention:
    return Convention("honest", " ")


class LosesWhatIsFree(Convention):
    def work_by_layer(self, network: Network, scenario: Scenario) -> tuple[LayerWork, ...]:
        found = super().work_by_layer(network, scenario)
        return tuple(item for item in found if not isinstance(item.work, Free))


class SaysNothing(Convention):
    def work(self, layer: Layer) -> Work:
        found = super().work(layer)
        return () if isinstance(found, Free) else found


class TakesTheUnknownForFree(Convention):
    def work(self, layer: Layer) -> Work:
        is_unknown = isinstance(layer, UnknownLayer)
        return Free("nobody knows it") if is_unknown else super().work(layer)


class GivesADiscountOnSize(Convention):
    def work_by_layer(self, network: Network, scenario: Scenario) -> tuple[LayerWork, ...]:
        *found, last = super().work_by_layer(network, scenario)
        if len(found) > 4:  # the networks that are drawn have at most five layers
            last = LayerWork(last.layer, Free("one goes on the house"))
        return (*found, last)


class ListensToNames(Convention):
    def work_by_layer(self, network: Network, scenario: Scenario) -> tuple[LayerWork, ...]:
        return tuple(
            LayerWork(item.layer, Free("it has a lovely name"))
            if item.layer.name.startswith("in other words") and item.operators
            else item
            for item in super().work_by_layer(network, scenario)
        )


@frozen
class RemembersThePast(Convention):
    past: list[Network] = field(factory=list, eq=False)

    def work_by_layer(self, network: Network, scenario: Scenario) -> tuple[LayerWork, ...]:
        *found, last = super().work_by_layer(network, scenario)
        if last.operators and self.past[-2:-1] == [network]:
            last = LayerWork(last.layer, (*last.operators, NOTHING))
        self.past.append(network)
        return (*found, last)


def with_a_rebate(device: Device, operator: Operator, scenario: Scenario) -> Outcome:
    found = device.price(operator, scenario)
    if not isinstance(found, Cost):
        return found
    price = evolve(next(iter(device.parameters.values())), value=1e-15, low=0, high=1)
    factors = (Factor("rebate", -1), Factor("examples", scenario.batch))
    return Cost((*found.charges, unchecked("compute", price, *factors)))


class PaysARebate(Convention):
    def adapt(self, device: Device) -> Device:
        return Adapted.of(device, with_a_rebate)


def for_a_batch_of_one(device: Device, operator: Operator, scenario: Scenario) -> Outcome:
    return device.price(operator, evolve(scenario, batch=1))


class ForgetsTheBatch(Convention):
    def adapt(self, device: Device) -> Device:
        return Adapted.of(device, for_a_batch_of_one)


class CanBeChanged(Convention):
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


NONCONFORMING = {
    without_a_title: "test_it_has_a_name_and_a_title",
    LosesWhatIsFree: "test_every_layer_stays_in_its_place",
    SaysNothing: "test_every_layer_has_work_or_says_why_not",
    TakesTheUnknownForFree: "test_a_layer_that_no_rule_knows_stays_unpriced",
    GivesADiscountOnSize: "test_two_networks_side_by_side_need_the_work_of_both",
    ListensToNames: "test_other_names_change_nothing_else",
    RemembersThePast: "test_the_same_network_has_the_same_count",
    PaysARebate: "test_every_charge_is_finite_and_not_negative",
    ForgetsTheBatch: "test_twice_the_batch_costs_twice_the_dynamic_energy",
    CanBeChanged: "test_a_caller_cannot_change_it",
}
"""How to make each class, and the law that it breaks."""
