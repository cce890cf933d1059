"""Estimates as tables, explanations and plain values, where something is not known."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import worlds
from attrs import frozen
from figures import near

import costmodel
from costmodel import Device, Estimate, Scenario
from costmodel.devices import Adapted, Cost
from costmodel.report import estimate_table
from costmodel.units import format_quantity
from costmodel.workload.operators import Activation, Contraction, Operand
from costmodel_hardware.per_operation.device import PerOperation

NETWORKS = Path(__file__).parent / "networks"


def of(source: Any, *devices: str | Device, batch: int = 1) -> Estimate:
    return costmodel.estimate(
        source, devices or ("cpu", "loihi"), on_unpriced="bound",
        scenario=Scenario(rates=10.0, batch=batch), registry=worlds.REGISTRY,
    )  # fmt: skip


@pytest.fixture
def unknown() -> str:
    """The dense network with a last layer that no rule knows."""
    config = json.loads((NETWORKS / "dense.json").read_text())
    config["config"]["layers"][-1] |= {"module": "acme", "class_name": "Oracle"}
    return json.dumps(config)


@frozen
class Silent(PerOperation):
    """A processor that is said to leave out nothing."""

    not_modelled: ClassVar = ""


@pytest.fixture
def silent() -> Device:
    """The figures of cpu in a class that says nothing of what it leaves out."""
    return Silent("silent", **worlds.REGISTRY.device("cpu").parameters)


@frozen
class Timed(PerOperation):
    """A processor that takes a millisecond for every operator."""

    def price(self, operator: Any, scenario: Scenario | None = None) -> Any:
        answer = super().price(operator, scenario)
        return Cost(answer.charges, 1e-3) if isinstance(answer, Cost) else answer


@pytest.fixture
def timed() -> Device:
    """The figures of cpu in a class that models time."""
    return Timed("timed", **worlds.REGISTRY.device("cpu").parameters)


@pytest.fixture
def partial(monkeypatch: pytest.MonkeyPatch) -> Estimate:
    """An estimate whose last layer has a part that cpu does not price."""
    from costmodel import Convention, Unpriced  # noqa: PLC0415

    class Picky(Convention):
        def adapt(self, device: Device) -> Device:
            return Adapted.of(device, self.charged)

        def charged(self, device: Device, operator: Any, scenario: Scenario) -> Any:
            if isinstance(operator, Activation) and operator.elements == 5:
                return Unpriced("five is too much")
            return device.price(operator, scenario)

    return costmodel.estimate(
        NETWORKS / "dense.json", "cpu", convention=Picky("picky"), on_unpriced="bound",
        registry=worlds.REGISTRY,
    )  # fmt: skip


def row(estimate: Estimate, layer: str) -> dict[str, str]:
    table = estimate.table()
    cells = next(row for row in (*table.rows, *table.footer) if row[0] == layer)
    return {column.title: cell for column, cell in zip(table.columns, cells, strict=True)}


def line(estimate: Estimate, layer: str, device: str = "cpu") -> Any:
    lines = estimate.to_dict()["devices"][device]["layers"]
    return next(item for item in lines if item["name"] == layer)


def rows(estimate: Estimate) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(estimate.table(exact=True).csv())))


# ------------------------------------------------------------------ what nobody knows


def test_what_a_layer_without_a_rule_holds_and_does_is_a_question_mark(unknown: str) -> None:
    shown = row(of(unknown), "second")
    assert (shown["Parameters"], shown["MACs"], shown["cpu"]) == ("?", "?", "unpriced")


def test_totals_with_something_unknown_in_them_are_at_least_so_much(unknown: str) -> None:
    shown = row(of(unknown), "Total")
    assert (shown["Parameters"], shown["MACs"]) == (">= 630", ">= 600")
    assert shown["cpu"].startswith(">= ")


def test_totals_of_a_known_network_are_plain() -> None:
    shown = row(of(NETWORKS / "dense.json"), "Total")
    assert (shown["Parameters"], shown["MACs"]) == ("785", "750")


def test_unknown_values_are_null_for_programs(unknown: str) -> None:
    made = of(unknown)
    found = line(made, "second")
    for name in ("parameters", "macs", "energy_joules", "latency_seconds"):
        assert found[name] is None
    network = made.to_dict()["network"]
    assert network["macs_are_lower_bound"]
    assert network["parameters_are_lower_bound"]


def test_a_lower_bound_has_no_upper_one(unknown: str) -> None:
    total = of(unknown).to_dict()["devices"]["loihi"]
    assert total["is_lower_bound"]
    assert total["energy_joules"]["high"] is None
    assert total["energy_joules"]["low"] <= total["energy_joules"]["value"]


def test_a_known_layer_has_its_macs_and_bounds() -> None:
    found = line(of(NETWORKS / "dense.json"), "first", "loihi")
    assert found["macs"] == 600
    assert found["status"] == "priced"
    energy = found["energy_joules"]
    assert energy["low"] < energy["value"] < energy["high"]


def test_time_is_null_on_a_device_that_does_not_model_it() -> None:
    device = of(NETWORKS / "vision.json", "cpu").to_dict()["devices"]["cpu"]
    assert {item["latency_seconds"] for item in (device, *device["layers"])} == {None}


def test_an_explanation_of_the_unknown_says_so(unknown: str) -> None:
    words = of(unknown).explain("second", "cpu")
    assert "holds an unknown number of parameters" in words
    assert words.endswith("energy: not known")


def test_a_layer_priced_in_part_costs_at_least_that(partial: Estimate) -> None:
    assert "\n  energy: at least 1.29 µJ\n" in partial.explain("second", "cpu")
    assert row(partial, "second")["cpu"] == "1.29 µJ + unpriced"
    found = line(partial, "second")
    assert found["energy_joules"]["value"] == near(150 * 8.6e-9)
    assert found["energy_joules"]["high"] is None


# ------------------------------------------------------------------ resources and roles


@pytest.mark.parametrize(
    ("device", "resources", "roles"),
    [
        ("cpu", {"processor"}, {"compute"}),
        ("loihi", {"synapses", "hops", "neurons"}, {"compute", "input"}),
        ("loihi-silicon", {"synapses", "spikes", "neurons"}, {"compute", "input"}),
        (
            "horowitz-45nm", {"dram", "sram", "adders", "multipliers"},
            {"input", "weight", "output", "compute"},
        ),
    ],
)  # fmt: skip
def test_energies_are_reported_by_the_resources_of_the_device_and_by_role(
    device: str, resources: set[str], roles: set[str]
) -> None:
    found = of(NETWORKS / "vision.json", device).to_dict()["devices"][device]
    for name, expected in (("resource", resources), ("role", roles)):
        sums = found[f"energy_joules_by_{name}"]
        assert set(sums) == expected
        assert sum(sums.values()) == near(found["energy_joules"]["value"])


# ------------------------------------------------------------------ ranges and times


def test_the_range_of_a_total_has_rows_where_a_device_has_one() -> None:
    found = of(NETWORKS / "dense.json", "spinnaker2", "loihi")
    low, high = row(found, "Total, low"), row(found, "Total, high")
    assert (low["spinnaker2"], high["spinnaker2"]) == ("", "")
    total = found.total("loihi")
    shown = [format_quantity(x, "J") for x in (total.energy_joules_low, total.energy_joules_high)]
    assert [low["loihi"], high["loihi"]] == shown
    assert "Total, low" not in str(of(NETWORKS / "dense.json", "spinnaker2"))


def test_nobody_knows_how_high_a_lower_bound_may_be() -> None:
    found = of(NETWORKS / "vision.json", "loihi")
    assert row(found, "Total, low")["loihi"].startswith(">= ")
    assert row(found, "Total, high")["loihi"] == "?"


def test_the_time_has_a_row_where_a_device_models_it(timed: Device, unknown: str) -> None:
    found = row(of(NETWORKS / "dense.json", "cpu", timed), "Latency")
    assert (found["cpu"], found["timed"]) == ("?", "4 ms")
    assert row(of(unknown, timed), "Latency")["timed"] == ">= 2 ms"
    assert "Latency" not in str(of(NETWORKS / "dense.json", "cpu", "loihi"))


def test_a_spreadsheet_has_ranges_and_times(timed: Device, partial: Estimate) -> None:
    found = {item["Layer"]: item for item in rows(of(NETWORKS / "vision.json", "loihi", timed))}
    conv, pool = found["conv"], found["pool"]
    low, value, high = (float(conv[f"loihi{x} (J)"]) for x in (" low", "", " high"))
    assert low < value < high
    assert float(conv["timed latency (s)"]) == 0.001
    assert conv["loihi latency (s)"] == ""
    assert [pool[f"loihi{x} (J)"] for x in (" low", "", " high")] == ["", "", ""]
    second = next(item for item in rows(partial) if item["Layer"] == "second")
    assert float(second["cpu low (J)"]) == near(150 * 2.0e-9)
    assert second["cpu high (J)"] == ""


def test_the_footer_of_an_exact_table_stands_under_its_columns(timed: Device) -> None:
    table = of(NETWORKS / "dense.json", "loihi", timed).table(exact=True)
    titles = [column.title for column in table.columns]
    (latency,) = [row for row in table.footer if row[0] == "Latency"]
    assert latency[titles.index("timed (J)")] == "4 ms"
    assert len(latency) == len(titles)


# ------------------------------------------------------------------ what is never in a price


def test_what_the_classes_of_devices_leave_out_stands_once_below_the_table() -> None:
    lines = str(of(NETWORKS / "dense.json", "cpu", "loihi", "gpu")).splitlines()
    assert [line for line in lines if line.startswith("not modelled on ")] == [
        "not modelled on cpu, gpu: idle power, time, batching, caches, utilisation, formats",
        "not modelled on loihi: static power, host traffic, time",
    ]


@pytest.mark.parametrize("name", worlds.TRIED)
def test_every_device_that_ships_says_on_a_line_what_it_does_not_model(name: str) -> None:
    (line,) = estimate_table.not_modelled([worlds.REGISTRY.device(name)])
    assert len(line) <= 80


def test_a_class_that_leaves_nothing_out_has_no_line(silent: Device) -> None:
    found = of(NETWORKS / "dense.json", silent, "loihi")
    assert [line for line in str(found).splitlines() if line.startswith("not modelled on ")] == [
        "not modelled on loihi: static power, host traffic, time"
    ]


def test_programs_find_what_is_not_modelled(silent: Device) -> None:
    devices = of(NETWORKS / "dense.json", "loihi", silent).to_dict()["devices"]
    assert devices["loihi"]["not_modelled_in_prices"] == "static power, host traffic, time"
    assert devices["silent"]["not_modelled_in_prices"] == ""


def test_what_a_file_does_not_model_stands_behind_that_of_its_class(tmp_path: Path) -> None:
    text = (
        Path(str(worlds.REGISTRY.device("cpu").file)).read_text().replace("name: cpu", "name: k1")
    )
    (tmp_path / "k1.yaml").write_text(f"{text}\nnot_modelled: memory\n")
    found = of(NETWORKS / "dense.json", str(tmp_path / "k1.yaml"), "cpu")
    own = "idle power, time, batching, caches, utilisation, formats"
    assert f"not modelled on k1: {own}; memory" in str(found).splitlines()
    words = found.to_dict()["devices"]["k1"]["not_modelled_in_prices"]
    assert words == f"{own}; memory"


# ------------------------------------------------------------------ CSV


def test_a_spreadsheet_tells_the_status_of_every_energy() -> None:
    found = {item["Layer"]: item for item in rows(of(NETWORKS / "vision.json"))}
    assert found["conv"]["cpu status"] == "priced"
    assert (found["pool"]["loihi (J)"], found["pool"]["loihi status"]) == ("", "unpriced")
    assert (found["image"]["cpu (J)"], found["image"]["cpu status"]) == ("0.0", "free")


def test_a_spreadsheet_has_the_known_part_of_an_energy(partial: Estimate) -> None:
    found = {item["Layer"]: item for item in rows(partial)}
    assert found["second"]["cpu status"] == "partial"
    assert float(found["second"]["cpu (J)"]) == near(150 * 8.6e-9)


def test_a_spreadsheet_leaves_the_unknown_empty(unknown: str) -> None:
    found = {item["Layer"]: item for item in rows(of(unknown))}
    assert (found["second"]["Parameters"], found["second"]["MACs"]) == ("", "")


def test_an_exact_table_is_whole_as_text_too(unknown: str) -> None:
    assert "second" in of(unknown).table(exact=True).text()


# ------------------------------------------------------------------ the rest


@pytest.mark.parametrize(("batch", "title"), [(1, "MACs"), (8, "MACs/example")])
def test_macs_are_those_of_one_example_and_say_so(batch: int, title: str) -> None:
    assert row(of(NETWORKS / "dense.json", "cpu", batch=batch), "Total")[title] == "750"


def test_the_formats_of_a_scenario_are_in_the_result() -> None:
    made = costmodel.estimate(
        NETWORKS / "dense.json", "cpu", registry=worlds.REGISTRY,
        scenario=Scenario(default_format="int8", source_format="float16"),
    )  # fmt: skip
    scenario = made.to_dict()["scenario"]
    assert (scenario["default_format"], scenario["source_format"]) == ("fixed<8,7>", "float16")
    assert of(NETWORKS / "dense.json").to_dict()["scenario"]["source_format"] is None


def test_a_cost_reads_as_its_energy_and_its_charges() -> None:
    layer = Contraction(dims={"n": 10, "k": 64}, operands=[Operand("input", (64,), ["k"])])
    shown = str(worlds.REGISTRY.device("loihi").price(layer, Scenario(rates=10.0)))
    assert shown.splitlines() == [
        "173 pJ (170 pJ to 253 pJ)",
        (
            "  compute (synapses): 640 connections x 10 Hz source firing rate x 0.001 s dt"
            " x 1 timesteps x energy_per_synaptic_operation 23.6 pJ (23.6 pJ to 35.5 pJ) = 151 pJ"
        ),
        (
            "  input (hops): 640 connections x 10 Hz source firing rate x 0.001 s dt"
            " x 1 timesteps x energy_per_spike_hop 3.5 pJ (3 pJ to 4 pJ) = 22.4 pJ"
        ),
    ]


def test_a_cost_tells_its_time_where_it_is_known() -> None:
    assert str(Cost(latency_seconds=2e-3)) == "0 J, 2 ms"


def test_a_hop_belongs_to_a_spike_and_not_to_each_of_its_synapses() -> None:
    chip = worlds.REGISTRY.device("loihi-silicon")
    assert "energy_per_spike_hop" not in chip.parameters
    assert chip.parameters["energy_per_spike"].value == near(183.9e-12)
    assert {item.evidence.value for item in chip.parameters.values()} == {"derived"}


# ------------------------------------------------------------------ under which conditions


def test_formats_that_are_not_the_usual_stand_above_the_table() -> None:
    said = [
        estimate_table.conditions(Scenario(**given))
        for given in (
            {}, {"default_format": "int8"}, {"source_format": "float16"},
            {"batch": 4, "timesteps": 3, "rates": 10.0, "default_format": "ternary"},
        )
    ]  # fmt: skip
    assert said == [
        "one batch of 1, 1 timestep of 1 ms",
        "one batch of 1, 1 timestep of 1 ms, default format int8",
        "one batch of 1, 1 timestep of 1 ms, source format float16",
        "one batch of 4, 3 timesteps of 1 ms, output rate 10 Hz, default format ternary",
    ]
    found = costmodel.estimate(
        NETWORKS / "dense.json", "cpu", scenario=Scenario(default_format="int8")
    )
    assert "1 ms, default format int8, convention costmodel" in " ".join(
        str(found).splitlines()[:2]
    )


def test_what_was_set_on_a_device_stands_below_the_table() -> None:
    plain, cheap = costmodel.device("horowitz-45nm"), costmodel.device("cpu")
    chosen = plain.with_parameters(weights_on_memory="sram", energy_per_dram_access="900 pJ")
    lines = str(of(NETWORKS / "dense.json", chosen, cheap)).splitlines()
    assert [line for line in lines if line.startswith("set on ")] == [
        "set on horowitz-45nm: weights_on_memory sram; energy_per_dram_access 900 pJ"
    ]
    assert "set on" not in str(of(NETWORKS / "dense.json", plain, cheap))
