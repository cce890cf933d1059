"""The laws of whole networks, on every device that ships and on drawn ones.

Those of a device alone stand in `costmodel.testing`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from any_device import any_device
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from strategies import UNKNOWN, WITHOUT_TIME, Sketch, networks, sketches
from worlds import REGISTRY, RULES, SHIPPED

from costmodel import Device, Network, Scenario, estimate, work_by_layer
from costmodel.devices import Cost, Outcome
from costmodel.testing.strategies import scenarios

SPIKE_DRIVEN = {"synapses", "hops", "spikes"}
"""The resources of an event-driven device that are paid by the spike."""

CHIPS = {
    **{name: st.just(REGISTRY.device(name)) for name in SHIPPED},
    **{
        f"any {name}": any_device(family)
        for name, family in REGISTRY.device_families.items()
        if name not in {"processor", "spatial"}  # their energy is that of a whole network
    },
}
every_chip = pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS.keys())
event_driven = pytest.mark.parametrize(
    "name", ["loihi", "loihi-silicon", "spinnaker", "spinnaker2"]
)

RECIPES = (*WITHOUT_TIME, UNKNOWN)


def bill_of(network: Network, device: Device, scenario: Scenario) -> Any:
    found = estimate(network, device, scenario=scenario, on_unpriced="bound", registry=REGISTRY)
    return found.bill(device.name)


def charges(outcome: Outcome) -> Any:
    return outcome.charges if isinstance(outcome, Cost) else ()


def by_resource(cost: Cost, wanted: set[str]) -> Any:
    return [charge.energy_joules for charge in cost.charges if charge.resource in wanted]


def close(one: Any, other: Any) -> Any:
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-300)


@every_chip
@given(data=st.data(), network=networks(RULES, recipes=RECIPES), scenario=scenarios())
def test_a_network_costs_the_sum_of_its_layers(
    chip: st.SearchStrategy[Device], data: st.DataObject, network: Network, scenario: Scenario
) -> None:
    bill = bill_of(network, data.draw(chip), scenario)
    layers = [bill.line(layer.name).cost.energy_joules for layer in network.layers]
    assert close(bill.total.energy_joules, sum(layers))


@every_chip
@given(data=st.data(), network=networks(RULES, recipes=RECIPES), scenario=scenarios())
def test_nothing_is_free_or_missing_without_a_reason(
    chip: st.SearchStrategy[Device], data: st.DataObject, network: Network, scenario: Scenario
) -> None:
    for line in bill_of(network, data.draw(chip), scenario).lines:
        assert line.cost.charges or line.free or line.unpriced or line.fused_into
        for item in line.items:
            assert charges(item.outcome) or item.outcome.reason


@every_chip
@given(data=st.data(), network=networks(RULES, recipes=RECIPES), scenario=scenarios())
def test_coverage_is_a_fraction_and_complete_only_if_nothing_is_unpriced(
    chip: st.SearchStrategy[Device], data: st.DataObject, network: Network, scenario: Scenario
) -> None:
    bill = bill_of(network, data.draw(chip), scenario)
    coverage = bill.coverage
    for name in ("layers", "operators", "macs", "parameters"):
        fraction = getattr(coverage, name).fraction
        assert fraction is None or 0 <= fraction <= 1
    missing = {line.layer.name for line in bill.lines if line.unpriced}
    assert coverage.unpriced.keys() == missing
    assert coverage.is_complete == (coverage.fraction == 1) == (not missing)


@every_chip
@given(
    data=st.data(),
    sketch=sketches(rules=RULES, recipes=WITHOUT_TIME, branching=False),
    scenario=scenarios(),
)
def test_a_wider_layer_never_makes_a_network_cheaper(
    chip: st.SearchStrategy[Device], data: st.DataObject, sketch: Sketch, scenario: Scenario
) -> None:
    device = data.draw(chip)
    widest = data.draw(st.sampled_from([node.name for node in sketch.nodes]))
    wider = sketch.widened(widest, data.draw(st.integers(2, 4)))
    before, after = (
        bill_of(drawn.network(RULES), device, scenario).total for drawn in (sketch, wider)
    )
    assert after.energy_joules >= before.energy_joules * (1 - 1e-12)


@event_driven
@given(network=networks(RULES, recipes=WITHOUT_TIME), scenario=scenarios(rates=st.just(0.0)))
def test_no_spikes_cost_no_synaptic_energy(name: str, network: Network, scenario: Scenario) -> None:
    total = bill_of(network, REGISTRY.device(name), scenario).total
    assert not any(by_resource(total, SPIKE_DRIVEN))


@event_driven
@given(network=networks(RULES, recipes=WITHOUT_TIME), scenario=scenarios())
def test_twice_the_rate_costs_twice_the_synaptic_energy_and_no_more_for_neurons(
    name: str, network: Network, scenario: Scenario
) -> None:
    device = REGISTRY.device(name)
    twice = evolve(scenario, rates=2 * scenario.rate)
    one, two = (bill_of(network, device, item).total for item in (scenario, twice))
    assert close(2 * sum(by_resource(one, SPIKE_DRIVEN)), sum(by_resource(two, SPIKE_DRIVEN)))
    assert by_resource(one, {"neurons"}) == by_resource(two, {"neurons"})


@every_chip
@given(data=st.data(), network=networks(RULES, recipes=WITHOUT_TIME), scenario=scenarios())
def test_counts_times_prices_as_a_matrix_product_is_the_energy_of_every_layer(
    chip: st.SearchStrategy[Device], data: st.DataObject, network: Network, scenario: Scenario
) -> None:
    device = data.draw(chip)
    bill = bill_of(network, device, scenario)
    names = list(device.parameters)
    counts = np.zeros((len(bill.lines), len(names)))
    for row, line in enumerate(bill.lines):
        for charge in line.cost.charges:
            for parameter, weight in charge.unit_cost.parts:
                counts[row, names.index(parameter.name)] += charge.count * weight
    prices = np.array([device.parameters[name].value for name in names])
    energies = [line.cost.energy_joules for line in bill.lines]
    np.testing.assert_allclose(counts @ prices, energies, rtol=1e-12, atol=0)


@given(network=networks(RULES, recipes=WITHOUT_TIME))
def test_folding_a_layer_away_loses_no_multiply_accumulate(network: Network) -> None:
    assert sum(layer.macs for layer in work_by_layer(network)) == network.macs
