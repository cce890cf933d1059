"""Bills: sums over layers, and how much of a network they cover."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest
from attrs import frozen
from figures import near

from costmodel import (
    Convention,
    Device,
    Free,
    Network,
    Scenario,
    Unpriced,
    activation,
    estimate,
    matmul,
)
from costmodel.devices import Adapted, Charge, Cost, Evidence, Factor, Parameter, handles
from costmodel.errors import UnknownNameError
from costmodel.network.layer import Input, OperatorLayer, UnknownLayer
from costmodel.report.bills import Bill, Coverage, Share
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import copy
from costmodel.workload.operators import Activation, Contraction, Movement

PRICE = Parameter("energy_per_one", 2.0, "J", "a test", Evidence.ASSUMED, low=1.0, high=4.0)


def charged(count: float, seconds: float | None = None) -> Cost:
    return Cost([Charge("ones", "compute", (Factor("ones", count),), PRICE)], seconds)


@frozen
class Tariff(Device):
    """2 J for a multiply-accumulate or an activation, whose time alone it may know."""

    resources: ClassVar = ("ones",)

    seconds: float | None = 0.25

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Any:
        return charged(operator.macs, 1.0)

    @handles(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Any:
        if operator.function == "riddle":
            return Unpriced("nobody solves it")
        return charged(operator.elements, self.seconds)

    @handles(Movement)
    def movement(self, operator: Movement, scenario: Scenario) -> Free:
        return Free("it is wired")


def product(inputs: int, outputs: int) -> Contraction:
    return matmul((inputs,), (inputs, outputs))


def update(size: int, function: str = "relu") -> Activation:
    return activation(function, (size,))


def move(size: int) -> Movement:
    return copy("a test", (size,))


def layer(name: str, *work: Any, size: int = 4, **more: Any) -> OperatorLayer:
    given = work[0] if len(work) == 1 and isinstance(work[0], Free | Unpriced) else work
    return OperatorLayer(name, "operators", (Tensor((size,)),), work=given, **more)


def bill(*layers: Any, seconds: float | None = 0.25) -> Bill:
    """The bill of a chain of layers behind an input of four elements."""
    chain = [Input("in", "input", shape=(4,)), *layers]
    edges = {after.name: [before.name] for before, after in itertools.pairwise(chain)}
    return priced(Network("net", chain, edges), Tariff("tariff", seconds))


def priced(network: Network, device: Device, convention: Convention | None = None) -> Bill:
    rules = convention or Convention()
    found = estimate(network, device, convention=rules, on_unpriced="bound")
    return found.bill(device.name)


def shares(coverage: Coverage) -> Any:
    found = {
        name: getattr(coverage, name)
        for name in ("layers", "operators", "macs", "parameters", "activations")
    }
    return {name: (share.covered, share.total) for name, share in found.items()}


WIDE = layer("wide", product(4, 3), update(3))
"""12 multiply-accumulates and weights, 3 activations."""
ODD = layer("odd", product(3, 5), update(5, "riddle"), size=3)
"""15 multiply-accumulates and weights, and activations that have no price."""


# ------------------------------------------------------------------ what is covered


def test_a_priced_network_is_covered_in_full() -> None:
    coverage = bill(WIDE).coverage
    assert shares(coverage) == {
        "layers": (2, 2), "operators": (2, 2), "macs": (12, 12),
        "parameters": (12, 12), "activations": (7, 7),
    }  # fmt: skip
    assert coverage.fraction == 1
    assert coverage.is_complete
    assert coverage.unpriced == {}
    assert coverage.free == {"in": ("the data arrives from outside",)}


def test_an_operator_without_a_price_takes_its_layer_but_not_its_neighbours_out() -> None:
    coverage = bill(WIDE, ODD).coverage
    assert shares(coverage) == {
        "layers": (2, 3), "operators": (3, 4), "macs": (27, 27),
        "parameters": (12, 27), "activations": (7, 12),
    }  # fmt: skip
    assert coverage.fraction == near(2 / 3)
    assert not coverage.is_complete
    assert coverage.unpriced == {"odd": ("nobody solves it",)}


def test_the_multiply_accumulates_of_unpriced_operators_are_not_covered() -> None:
    class Thrifty(Convention):
        """It has no price for small products."""

        def adapt(self, device: Device) -> Device:
            return Adapted.of(device, self.charged)

        def charged(self, device: Device, operator: Any, scenario: Scenario) -> Any:
            if 0 < operator.macs < 15:
                return Unpriced("too small")
            return device.price(operator, scenario)

    lowered = [line.layer for line in bill(WIDE, ODD).lines]
    network = Network("net", lowered, {"wide": ["in"], "odd": ["wide"]})
    found = priced(network, Tariff("tariff"), Thrifty())
    assert shares(found.coverage)["macs"] == (15, 27)


def test_work_without_operators_and_price_leaves_the_whole_unknown() -> None:
    """Nobody knows how many operators and multiply-accumulates the total lacks."""
    found = shares(bill(WIDE, layer("dark", Unpriced("no rule"), size=3)).coverage)
    assert (found["operators"], found["macs"]) == ((2, None), (12, None))
    assert (found["parameters"], found["activations"]) == ((12, 12), (7, 10))


def test_work_that_is_free_without_operators_leaves_the_whole_known() -> None:
    found = bill(WIDE, layer("gone", Free("folded"), size=3)).coverage
    assert shares(found)["macs"] == (12, 12)
    assert found.free["gone"] == ("folded",)


def test_a_layer_that_no_rule_knows_leaves_its_parameters_and_outputs_unknown() -> None:
    unknown = UnknownLayer("dark", "acme.Dark", (Tensor((3,)),), reason="no rule")
    assert shares(bill(WIDE, unknown).coverage) == {
        "layers": (2, 3), "operators": (2, None), "macs": (12, None),
        "parameters": (12, None), "activations": (7, None),
    }  # fmt: skip


def test_parameters_that_two_layers_share_are_covered_once() -> None:
    square = layer("square", product(4, 4))
    found = bill(square, square.renamed("again", "square")).coverage
    assert shares(found)["parameters"] == (16, 16)
    assert shares(found)["macs"] == (32, 32)


def test_a_reason_that_several_operators_have_is_reported_once() -> None:
    found = bill(layer("moves", move(4), move(4)))
    assert found.line("moves").free == ("it is wired",)
    assert found.coverage.free["moves"] == ("it is wired",)


@pytest.mark.parametrize(
    ("covered", "total", "fraction"), [(3, 4, 0.75), (0, 4, 0.0), (0, 0, 1.0), (3, None, None)]
)
def test_a_share_is_a_fraction_where_the_whole_is_known(
    covered: int, total: int | None, fraction: float | None
) -> None:
    assert Share(covered, total).fraction == fraction


# ------------------------------------------------------------------ what it costs


def test_a_layer_costs_all_its_operators_and_takes_the_time_of_all() -> None:
    line = bill(WIDE).line("wide")
    assert line.cost.energy_joules == 2 * (12 + 3)
    assert line.cost.latency_seconds == 1.25
    assert line.unpriced == ()


def test_a_network_costs_all_its_layers_and_takes_the_time_of_all() -> None:
    total = bill(WIDE, layer("next", product(3, 2), size=3)).total
    assert (total.energy_joules_low, total.energy_joules) == (12 + 3 + 6, 2 * (12 + 3 + 6))
    assert total.latency_seconds == 2.25


def test_time_that_costs_no_energy_is_time() -> None:
    @frozen
    class Slow(Tariff):
        @handles(Movement)
        def movement(self, operator: Movement, scenario: Scenario) -> Cost:  # type: ignore[override]  # it waits
            return Cost((), 0.5)

    chain = [Input("in", "input", shape=(4,)), layer("waits", move(4), move(4)), WIDE]
    found = priced(Network("net", chain, {"waits": ["in"], "wide": ["waits"]}), Slow("slow"))
    assert found.line("waits").cost.latency_seconds == 1.0
    assert found.line("waits").cost.energy_joules == 0
    assert found.total.latency_seconds == 2.25


def test_what_costs_nothing_takes_no_time() -> None:
    """A free layer says nothing of time, and does not hide that of the others."""
    total = bill(layer("moves", move(4)), WIDE).total
    assert total.latency_seconds == 1.25


def test_the_time_of_a_layer_and_a_network_is_unknown_where_one_part_is() -> None:
    found = bill(WIDE, layer("next", product(3, 2), size=3), seconds=None)
    assert found.line("wide").cost.latency_seconds is None
    assert found.line("next").cost.latency_seconds == 1
    assert found.total.latency_seconds is None


def test_a_bill_without_charges_is_zero_and_knows_no_time() -> None:
    found = bill(layer("moves", move(4)))
    for cost in (found.total, found.line("moves").cost):
        assert cost.charges == ()
        assert cost.latency_seconds is None


def test_only_work_without_a_price_makes_a_bill_incomplete() -> None:
    assert bill(WIDE, layer("moves", move(3), size=3)).is_complete
    assert not bill(WIDE, ODD).is_complete


def test_a_layer_that_is_not_on_the_bill_is_reported_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown layer 'wild'\n  nearest known: 'wide'"):
        bill(WIDE).line("wild")


@pytest.mark.parametrize("names", [("alpha", "zeta"), ("zeta", "alpha")])
def test_a_fused_layer_names_the_layer_that_it_joins_whatever_their_names(
    names: tuple[str, str],
) -> None:
    linear, relu = names
    chain = Network(
        "chain",
        [
            Input("in", "input", shape=(4,)),
            OperatorLayer(linear, "operators", (Tensor((4,)),), work=[matmul((4,), (4, 4))]),
            OperatorLayer(relu, "operators", (Tensor((4,)),), work=[activation("relu", (4,))]),
        ],
        {linear: ["in"], relu: [linear]},
    )
    bill = estimate(chain, "raspberry-pi-4").bill("raspberry-pi-4")
    assert bill.line(relu).fused_into == (linear,)
    assert bill.line(linear).fused_into == ()
    assert bill.line(relu).fused


def test_macs_without_a_price_are_in_the_total_alone() -> None:
    made = estimate("examples/alexnet.json", "b200", on_unpriced="bound").bill("b200")
    share = made.coverage.macs
    assert share.covered == 0
    assert share.total == sum(lowered.macs for lowered in made.lowered)
