"""The laws of what must change nothing: names, order, form, repetition and threads."""

from __future__ import annotations

import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st
from strategies import UNKNOWN, WITHOUT_TIME, Node, Sketch, networks, sketches
from worlds import HOUSE, REGISTRY, RULES, SHIPPED, world

from costmodel import Network, Scenario, estimate, lower, read, work_by_layer
from costmodel.registry import Registry
from costmodel.testing.strategies import scenarios
from costmodel.units import parse_quantity

RECIPES = (*WITHOUT_TIME, UNKNOWN)
any_network = networks(RULES, recipes=RECIPES)


def estimate_on_all(source: Any, scenario: Scenario, registry: Registry = REGISTRY) -> Any:
    return estimate(source, SHIPPED, scenario=scenario, registry=registry, on_unpriced="bound")


@given(sketch=sketches(rules=RULES, recipes=RECIPES), scenario=scenarios())
def test_renaming_the_layers_changes_nothing_but_names(sketch: Sketch, scenario: Scenario) -> None:
    renamed = sketch.renamed(lambda name: f"{name} in other words")
    before, after = (
        estimate_on_all(drawn.network(RULES), scenario).to_json() for drawn in (sketch, renamed)
    )
    assert after.replace(" in other words", "") == before


@given(sketch=sketches(rules=RULES, recipes=RECIPES, branching=False), data=st.data())
def test_the_order_in_which_layers_are_given_does_not_change_the_network_costs(
    sketch: Sketch, data: st.DataObject
) -> None:
    network = sketch.network(RULES)
    shuffled = evolve(network, layers=data.draw(st.permutations(network.layers)))
    assert shuffled.layers == network.layers
    assert shuffled == network


@given(network=any_network, scenario=scenarios())
def test_the_order_of_the_plugins_changes_nothing(network: Network, scenario: Scenario) -> None:
    worlds = [world(**dict(order)) for order in itertools.permutations(HOUSE.items())]
    bills = {estimate_on_all(network, scenario, each).to_json() for each in worlds}
    assert len(bills) == 1


@given(sketch=sketches(rules=RULES, recipes=WITHOUT_TIME))
def test_the_json_of_a_network_reads_as_the_network(sketch: Sketch) -> None:
    assert read(sketch.json(RULES), registry=REGISTRY) == sketch.network(RULES)


@given(sketch=sketches(rules=RULES, recipes=WITHOUT_TIME), scenario=scenarios())
def test_a_file_its_text_and_the_network_have_one_bill(
    tmp_path_factory: pytest.TempPathFactory, sketch: Sketch, scenario: Scenario
) -> None:
    file = tmp_path_factory.mktemp("file") / "network.json"
    file.write_text(sketch.json(RULES))
    sources = [sketch.network(RULES), sketch.json(RULES), file, str(file)]
    assert len({estimate_on_all(source, scenario).to_json() for source in sources}) == 1


def test_layers_with_other_settings_left_out_are_not_taken_for_each_other() -> None:
    nodes = [Node("in", "keras.InputLayer", {"batch_shape": [None, 4]}, ())]
    for left_out in ("center", "scale"):
        given = {"axis": -1, left_out: False}
        nodes.append(Node(left_out, "keras.BatchNormalization", given, ("in",)))
    network = read(Sketch(tuple(nodes)).json(RULES), registry=REGISTRY)
    assert "gamma" in network.layer("center").parameters
    assert "beta" in network.layer("scale").parameters


@given(network=any_network, scenario=scenarios())
def test_an_estimate_as_json_parses_back_to_its_values(
    network: Network, scenario: Scenario
) -> None:
    bill = estimate_on_all(network, scenario)
    assert json.loads(bill.to_json()) == bill.to_dict()
    for name in SHIPPED:
        energy = json.loads(bill.to_json())["devices"][name]["energy_joules"]
        assert energy["value"] == bill.total(name).energy_joules


@given(network=any_network, scenario=scenarios())
def test_the_same_question_has_the_same_answer(network: Network, scenario: Scenario) -> None:
    first, second = (estimate_on_all(network, scenario) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert str(first) == str(second)


@given(network=any_network, scenario=scenarios())
def test_a_network_for_its_own_input_shape_is_itself(network: Network, scenario: Scenario) -> None:
    shape = network.layer("input").shape
    rebound = network.bind({"input": shape})
    assert rebound == network
    bound = evolve(scenario, input_shapes={"input": shape})
    assert work_by_layer(network, bound) == work_by_layer(network, scenario)


@pytest.mark.parametrize("name", SHIPPED)
def test_threads_that_price_one_network_at_once_agree(name: str) -> None:
    network = read_example()
    lowered, device = lower(network), REGISTRY.device(name)
    scenario = Scenario(rates=10.0)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: device.evaluate(lowered, scenario), range(64))
    assert len({one.energy_joules for one in found}) == 1


def test_threads_that_ask_a_new_world_at_once_get_one_device_each() -> None:
    fresh = world(**HOUSE)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fresh.device, SHIPPED * 8))
    assert {device.name for device in found} == set(SHIPPED)
    assert not fresh.plugins.problems


@given(network=any_network, scenario=scenarios(), name=st.sampled_from(SHIPPED))
def test_the_charges_that_an_explanation_shows_add_up_to_its_energy(
    network: Network, scenario: Scenario, name: str
) -> None:
    bill = estimate_on_all(network, scenario)
    for layer in network.layers:
        lines = bill.explain(layer.name, name).splitlines()
        shown = [joules(line) for line in lines if line.startswith("      x ")]
        (energy,) = [line for line in lines if line.startswith("  energy: ")]
        if energy.endswith("not known"):
            assert not shown
            continue
        # Each figure is shown with three digits.
        assert joules(energy) == pytest.approx(sum(shown), rel=0.011, abs=1e-30)


@given(network=any_network, scenario=scenarios(), name=st.sampled_from(SHIPPED))
def test_an_explanation_names_the_parameter_evidence_and_source_of_every_charge(
    network: Network, scenario: Scenario, name: str
) -> None:
    bill = estimate_on_all(network, scenario)
    for line in bill.bill(name).lines:
        text = bill.explain(line.layer.name, name)
        for charge in line.cost.charges:
            assert f"x {charge.unit_cost.name} " in text
            for parameter, _ in charge.unit_cost.parts:
                assert f"x {parameter.name} " in text
                number = re.search(rf"x {re.escape(parameter.name)} .*\[(\d+)\]", text)
                assert number is not None
                source = f"[{number.group(1)}] {parameter.evidence.value}: {parameter.source}"
                assert source in text


def joules(line: str) -> Any:
    """The energy that a line of an explanation ends with, or states behind `energy:`."""
    found = re.search(r"(?:= |energy: (?:at least )?)(\S+ \S*J)", line)
    return parse_quantity(found.group(1)).value


def read_example() -> Any:
    text = {
        "class_name": "Sequential",
        "config": {
            "name": "example",
            "layers": [
                {"class_name": "InputLayer", "config": {"batch_shape": [None, 64], "name": "in"}},
                {"class_name": "Dense", "config": {"units": 10, "name": "out"}},
            ],
        },
    }
    return read(json.dumps(text), registry=REGISTRY)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_field_of_a_shipped_parameter_is_filled_in(name: str) -> None:
    for parameter in REGISTRY.device(name).parameters.values():
        for attribute in fields(type(parameter)):
            may_be_empty = attribute.name in {"note", "unit"}  # a plain number has no unit
            assert may_be_empty or getattr(parameter, attribute.name) not in {None, ""}
