"""Comparisons: what differs between two bills, and why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import worlds
from attrs import evolve
from figures import near

import costmodel
from costmodel import Convention, CostModelError, Device, Estimate, Operator, Scenario
from costmodel.devices import Adapted, Cost, Factor, Outcome
from costmodel.estimates.comparison import SCHEMA, Comparison, compare

NETWORKS = Path(__file__).parent / "networks"


def bill(name: str = "vision", *devices: str, rate: float = 10.0, timesteps: int = 1) -> Estimate:
    return costmodel.estimate(
        NETWORKS / f"{name}.json", devices or ("cpu", "gpu", "loihi"), on_unpriced="bound",
        scenario=Scenario(rates=rate, timesteps=timesteps), registry=worlds.REGISTRY,
    )  # fmt: skip


def why(comparison: Comparison, layer: str) -> tuple[str, ...]:
    return next(item.why for item in comparison.differences if item.layer == layer)


def reasons(comparison: Comparison, layer: str) -> tuple[str, ...]:
    return next(item.reasons for item in comparison.differences if item.layer == layer)


def shown(comparison: Comparison, row: str) -> str:
    """The cell of a row for the difference."""
    table = comparison.table()
    return next(cells[4] for cells in (*table.rows, *table.footer) if cells[0] == row)


def test_a_bill_does_not_differ_from_itself() -> None:
    made = bill()
    found = compare(made, "cpu", made, "cpu")
    assert found.differences == ()
    assert found.same == len(made.network.layers)
    assert found.energy_joules == 0


def test_the_differences_add_up_to_the_difference_of_the_totals() -> None:
    made = bill()
    found = compare(made, "cpu", made, "loihi")
    parts = sum(item.energy_joules for item in found.differences)
    assert parts == near(found.energy_joules, rel=1e-12)
    assert found.energy_joules == near(
        made.total("loihi").energy_joules - made.total("cpu").energy_joules
    )


def test_the_largest_difference_comes_first() -> None:
    made = bill()
    sizes = [abs(item.energy_joules) for item in compare(made, "cpu", made, "gpu").differences]
    assert sizes == sorted(sizes, reverse=True)


def test_the_other_way_round_is_the_same_with_the_other_sign() -> None:
    made = bill()
    there, back = compare(made, "cpu", made, "gpu"), compare(made, "gpu", made, "cpu")
    assert there.energy_joules == -back.energy_joules
    assert {item.layer for item in there.differences} == {item.layer for item in back.differences}


def test_two_devices_of_a_class_differ_in_price() -> None:
    made = bill()
    found = compare(made, "cpu", made, "gpu")
    assert {item.reasons for item in found.differences} == {("price",)}
    assert why(found, "relu") == ("energy_per_neuron_update 8.6 nJ -> 300 pJ",)


def test_what_one_device_prices_and_the_other_does_not_is_coverage() -> None:
    made = bill()
    found = compare(made, "cpu", made, "loihi")
    assert why(found, "pool") == (
        "cpu: charged for 1,536 operations",
        "loihi: unpriced: 'max' pooling has no spiking form",
    )


def test_a_rate_is_another_reason_than_a_count_and_each_factor_is_named() -> None:
    found = compare(bill(rate=10.0), "loihi", bill(rate=20.0, timesteps=3), "loihi")
    assert (found.before.label, found.after.label) == ("before", "after")
    assert why(found, "conv") == (
        "compute: 10 -> 20 Hz source firing rate", "compute: 1 -> 3 timesteps",
        "input: 10 -> 20 Hz source firing rate", "input: 1 -> 3 timesteps",
    )  # fmt: skip
    assert reasons(found, "conv") == ("rate", "count")
    assert reasons(compare(bill(rate=10.0), "loihi", bill(rate=20.0), "loihi"), "conv") == ("rate",)


def test_rates_of_outputs_and_of_inputs_are_compared_as_rates() -> None:
    before, after = (
        costmodel.estimate(
            NETWORKS / "vision.json", "loihi", on_unpriced="bound",
            scenario=scenario, registry=worlds.REGISTRY,
        )
        for scenario in (Scenario(rates=10.0), Scenario(input_rates=20.0))
    )  # fmt: skip
    found = compare(before, "loihi", after, "loihi")
    assert why(found, "conv") == (
        "compute: 10 -> 20 Hz input firing rate",
        "input: 10 -> 20 Hz input firing rate",
    )
    assert reasons(found, "conv") == ("rate",)


def test_devices_of_two_classes_charge_for_different_things() -> None:
    made = bill()
    found = compare(made, "cpu", made, "loihi")
    conv = next(line.macs for line in made.lowered if line.layer.name == "conv")
    assert reasons(found, "conv") == ("charges",)
    assert why(found, "conv") == (
        f"only cpu charges {conv:,} multiply-accumulates at energy_per_multiply_accumulate 8.6 nJ",
        f"only loihi charges {conv:,} connections x 0.01 at energy_per_synaptic_operation 23.6 pJ",
        f"only loihi charges {conv:,} connections x 0.01 at energy_per_spike_hop 3.5 pJ",
    )
    product = "connections x source firing rate x dt at energy_per_synaptic_operation 23.6 pJ"
    assert any(note.endswith(f"only loihi charges {product}") for note in found.table().notes)


class Renaming(Convention):
    """Calls every role by another name, and counts so many times as much."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__("renaming")
        object.__setattr__(self, "times", times)

    def adapt(self, device: Device) -> Device:
        return Adapted.of(device, self.charged)

    def charged(self, device: Device, operator: Operator, scenario: Scenario) -> Outcome:
        answer = device.price(operator, scenario)
        if not isinstance(answer, Cost):
            return answer
        return Cost(
            evolve(item, role="static", count=(*item.factors, Factor("times", self.times)))  # type: ignore[attr-defined]
            for item in answer.charges
        )


def renamed(times: float = 1.0) -> Comparison:
    made = costmodel.estimate(
        NETWORKS / "dense.json", "cpu", convention=Renaming(times), registry=worlds.REGISTRY
    )
    return compare(bill("dense", "cpu"), "cpu", made, "cpu")


def test_charges_meet_by_their_unit_cost_whatever_the_role_is_called() -> None:
    assert renamed().differences == ()
    assert why(renamed(2.0), "second") == (
        "energy_per_multiply_accumulate: 150 multiply-accumulates -> 150 multiply-accumulates x 2",
        "energy_per_neuron_update: 5 neuron updates -> 5 neuron updates x 2",
    )
    assert reasons(renamed(2.0), "second") == ("count",)


def test_charges_at_one_unit_cost_are_reported_apart_by_their_roles() -> None:
    narrow = costmodel.estimate(
        NETWORKS / "dense.json", "horowitz-45nm", registry=worlds.REGISTRY,
        scenario=Scenario(default_format="int8"),
    )  # fmt: skip
    wide = bill("dense", "horowitz-45nm")
    found = why(compare(narrow, "horowitz-45nm", wide, "horowitz-45nm"), "first")
    assert "input: 3 -> 10 64-bit accesses" in found
    assert any(sentence.startswith("weight: ") for sentence in found)


def test_a_difference_from_what_has_no_price_is_a_bound() -> None:
    made = bill()
    there, back = compare(made, "cpu", made, "loihi"), compare(made, "loihi", made, "cpu")
    assert shown(there, "pool") == ">= -13.2 µJ"
    assert shown(back, "pool") == "<= +13.2 µJ"
    assert shown(there, "relu").startswith("-")
    assert shown(there, "Total of the network").startswith(">= -")
    pool = next(row for row in there.table(exact=True).rows if row[0] == "pool")
    assert pool[4] == ""


def test_two_totals_that_both_leave_something_out_differ_by_nobody_knows_what() -> None:
    made = bill("vision", "loihi", "spinnaker")
    found = compare(made, "loihi", made, "spinnaker")
    assert shown(found, "Total of the network") == "?"


def test_a_row_has_a_few_facts_and_programs_have_all() -> None:
    made = bill("vision", "loihi-silicon", "horowitz-45nm")
    found = compare(made, "loihi-silicon", made, "horowitz-45nm")
    row = next(row for row in found.table().rows if row[0] == "conv")
    (conv,) = [item for item in found.differences if item.layer == "conv"]
    assert re.search(r"; and \d+ more \[1\]", row[-1])
    assert len(conv.why) > 4


def test_a_layer_that_one_network_has_not_is_reported() -> None:
    found = compare(bill("dense"), "cpu", bill("two_inputs"), "cpu")
    assert (found.before.label, found.after.label) == ("dense", "two_inputs")
    assert why(found, "second") == ("only in dense",)
    assert why(found, "out") == ("only in two_inputs",)


def test_a_charge_that_only_one_convention_makes_is_reported() -> None:
    class Bare(Convention):
        def work(self, layer: costmodel.Layer) -> object:  # type: ignore[override]
            work = super().work(layer)
            return work[:1] if isinstance(work, list | tuple) else work

    bare = costmodel.estimate(
        NETWORKS / "dense.json", "cpu", convention=Bare("bare"), registry=worlds.REGISTRY
    )
    found = compare(bill("dense", "cpu"), "cpu", bare, "cpu")
    assert why(found, "first") == (
        "only costmodel charges 30 neuron updates at energy_per_neuron_update 8.6 nJ",
    )
    assert found.differences[0].reasons == ("charges",)


def test_the_table_shows_both_sides_and_the_sum() -> None:
    made = bill()
    text = str(compare(made, "cpu", made, "loihi"))
    assert text.splitlines()[0] == (
        "vision: energy by cpu and by loihi, one batch of 1, 1 timestep of 1 ms, output rate 10 Hz"
    )
    assert "Total of the network" in text
    assert "price: the sides have different unit prices" in text


def test_what_both_sides_leave_out_stands_below_the_table() -> None:
    made = bill()
    found = compare(made, "cpu", made, "gpu").table().notes
    assert (
        "not modelled on cpu, gpu: idle power, time, batching, caches, utilisation, formats"
        in found
    )


def test_a_comparison_is_plain_values_for_programs() -> None:
    made = bill()
    values = json.loads(json.dumps(compare(made, "cpu", made, "loihi").to_dict(), allow_nan=False))
    assert values["schema"] == SCHEMA
    assert values["after"]["is_lower_bound"] is True
    pool = next(item for item in values["differences"] if item["layer"] == "pool")
    assert pool["after"] == {
        "standing": "unpriced", "energy_joules": None, "charges": [], "latency_seconds": None,
        "limiting_resource": None, "bytes_moved": {},
    }  # fmt: skip


def test_a_reason_that_many_layers_share_stands_once_below_the_table() -> None:
    made = bill()
    text = compare(made, "cpu", made, "gpu").table().text()
    assert text.count("energy_per_neuron_update 8.6 nJ -> 300 pJ") == 1


def test_the_table_of_a_comparison_is_narrow() -> None:
    made = bill()
    for row in compare(made, "cpu", made, "loihi").table().rows:
        assert len(row[-1]) < 80


def test_an_exact_table_has_bare_numbers_and_whole_sentences() -> None:
    made = bill()
    rows = {row[0]: row for row in compare(made, "cpu", made, "loihi").table(exact=True).rows}
    assert float(rows["pool"][2]) == near(1536 * 8.6e-9)
    assert rows["pool"][3] == ""
    assert rows["pool"][-1].endswith("loihi: unpriced: 'max' pooling has no spiking form")


def test_a_device_that_was_not_estimated_is_reported() -> None:
    made = bill()
    with pytest.raises(CostModelError, match="nearest known: 'loihi'"):
        compare(made, "cpu", made, "lohi")
