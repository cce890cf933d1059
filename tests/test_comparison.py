"""Comparisons: what differs between two bills, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import worlds

import costmodel
from costmodel import Convention, CostModelError, Estimate, Scenario
from costmodel.comparison import SCHEMA, Comparison, compare

NETWORKS = Path(__file__).parent / "networks"


def bill(name: str = "vision", *devices: str, rate: float = 10.0, timesteps: int = 1) -> Estimate:
    return costmodel.estimate(
        NETWORKS / f"{name}.json", devices or ("cpu", "gpu", "loihi"), on_unpriced="bound",
        scenario=Scenario(rates=rate, timesteps=timesteps), catalogue=worlds.CATALOGUE,
    )  # fmt: skip


def why(comparison: Comparison, layer: str) -> tuple[str, ...]:
    return next(item.why for item in comparison.differences if item.layer == layer)


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
    assert parts == pytest.approx(found.energy_joules, rel=1e-12)
    assert found.energy_joules == pytest.approx(
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
    assert why(found, "relu") == (
        "energy_per_neuron_update 8.6 nJ -> energy_per_neuron_update 300 pJ",
    )


def test_what_one_device_prices_and_the_other_does_not_is_coverage() -> None:
    made = bill()
    found = compare(made, "cpu", made, "loihi")
    assert why(found, "pool") == (
        "cpu: charged for 1,536 operations",
        "loihi: unpriced: 'max' pooling has no spiking form",
    )


def test_two_rates_differ_in_count_and_the_factor_is_named() -> None:
    found = compare(bill(rate=10.0), "loihi", bill(rate=20.0, timesteps=3), "loihi")
    assert (found.before.label, found.after.label) == ("before", "after")
    assert why(found, "conv") == ("synapse: 10 -> 20 firing rate, 1 -> 3 timesteps",)
    assert next(i for i in found.differences if i.layer == "conv").reasons == ("count",)


def test_a_layer_that_one_network_has_not_is_told() -> None:
    found = compare(bill("dense"), "cpu", bill("two_inputs"), "cpu")
    assert (found.before.label, found.after.label) == ("dense", "two_inputs")
    assert why(found, "second") == ("only in dense",)
    assert why(found, "out") == ("only in two_inputs",)


def test_a_charge_that_only_one_convention_makes_is_a_count() -> None:
    class Bare(Convention):
        def work(self, layer: costmodel.Layer) -> object:  # type: ignore[override]
            work = super().work(layer)
            return work[:1] if isinstance(work, list | tuple) else work

    bare = costmodel.estimate(
        NETWORKS / "dense.json", "cpu", convention=Bare("bare"), catalogue=worlds.CATALOGUE
    )
    found = compare(bill("dense", "cpu"), "cpu", bare, "cpu")
    assert why(found, "first") == (
        "only costmodel charges 30 neuron updates at energy_per_neuron_update 8.6 nJ",
    )
    assert found.differences[0].reasons == ("count",)


def test_the_table_shows_both_sides_and_the_sum() -> None:
    made = bill()
    text = str(compare(made, "cpu", made, "loihi"))
    assert text.splitlines()[0] == "vision: energy by cpu and by loihi"
    assert "Total of the network" in text
    assert "price: the sides have different unit prices" in text


def test_what_both_sides_leave_out_stands_below_the_table() -> None:
    made = bill()
    found = compare(made, "cpu", made, "gpu").table().notes
    assert "left out on cpu, gpu: idle power, time, batching, caches, utilisation" in found


def test_a_comparison_is_plain_values_for_programs() -> None:
    made = bill()
    values = json.loads(json.dumps(compare(made, "cpu", made, "loihi").to_dict(), allow_nan=False))
    assert values["schema"] == SCHEMA
    assert values["after"]["is_lower_bound"] is True
    pool = next(item for item in values["differences"] if item["layer"] == "pool")
    assert pool["after"] == {"standing": "unpriced", "energy_joules": None, "charges": []}


def test_a_reason_that_many_layers_share_stands_once_below_the_table() -> None:
    made = bill()
    text = compare(made, "cpu", made, "gpu").table().text()
    assert text.count("energy_per_neuron_update 8.6 nJ -> energy_per_neuron_update 300 pJ") == 1


def test_the_table_of_a_comparison_is_narrow() -> None:
    made = bill()
    for row in compare(made, "cpu", made, "loihi").table().rows:
        assert len(row[-1]) < 80


def test_an_exact_table_has_bare_numbers_and_whole_sentences() -> None:
    made = bill()
    rows = {row[0]: row for row in compare(made, "cpu", made, "loihi").table(exact=True).rows}
    assert float(rows["pool"][2]) == pytest.approx(1536 * 8.6e-9)
    assert rows["pool"][3] == ""
    assert rows["pool"][-1].endswith("loihi: unpriced: 'max' pooling has no spiking form")


def test_a_device_that_was_not_estimated_is_told() -> None:
    made = bill()
    with pytest.raises(CostModelError, match="nearest known: 'loihi'"):
        compare(made, "cpu", made, "lohi")
