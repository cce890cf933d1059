"""Tables, explanations, JSON and comparisons of a device that models time and memories."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from figures import near
from plans import Sheet, powered, sheet
from worlds import REGISTRY

import costmodel
from costmodel import Estimate, Free, Scenario, Unpriced
from costmodel.devices import Cost, handles
from costmodel.errors import CostModelError
from costmodel.network.layer import Input, OperatorLayer
from costmodel.workload.operators import Contraction, Counted

NETWORKS = Path(__file__).parents[1] / "networks"
VISION = NETWORKS / "vision.json"
NETWORK = REGISTRY.read(VISION)
RECURRENT = Path(__file__).parents[1] / "keras" / "samples" / "keras2.recurrent.json"


def of(batch: int = 1, buffer_bytes: float = 4000.0, source: Any = VISION) -> Estimate:
    return costmodel.estimate(
        source, [sheet(buffer_bytes), "cpu"], scenario=Scenario(batch=batch, default_format="int8"),
        on_unpriced="bound", registry=REGISTRY,
    )  # fmt: skip


def plain(estimate: Estimate) -> Any:
    return json.loads(estimate.to_json())["devices"]["sheet"]


def rows(estimate: Estimate) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(estimate.table(exact=True).csv())))


@pytest.mark.parametrize("batch", [1, 8])
def test_the_layers_add_up_to_the_network(batch: int) -> None:
    estimate = of(batch)
    bill = estimate.bill("sheet")
    lines, whole = bill.lines, bill.evaluation
    assert sum(line.cost.energy_joules for line in lines) == near(whole.energy_joules)
    assert sum(line.cost.latency_seconds or 0.0 for line in lines) == near(whole.latency_seconds)
    assert sum(line.macs for line in lines) == whole.macs == batch * estimate.macs
    for resource, seconds in whole.busy_seconds.items():
        assert sum(line.busy_seconds.get(resource, 0.0) for line in lines) == near(seconds)
    for memory, peak in whole.peak_bytes.items():
        assert max(line.peak_bytes.get(memory, 0) for line in lines) == peak


def test_json_has_the_groups_with_their_members_time_and_traffic() -> None:
    estimate = of(batch=4)
    whole, device = estimate.bill("sheet").evaluation, plain(estimate)
    groups = device["groups"]
    assert [one["name"] for one in groups] == [each.group.name for each in whole.groups]
    members = [name for one in groups for name in one["members"]]
    assert sorted(members) == sorted(whole.outcomes)
    layers = {line["name"] for line in device["layers"]}
    assert {one["layer"] for one in groups} <= layers
    dynamic = sum(one["energy_joules"]["value"] for one in groups)
    assert dynamic == near(whole.energy_joules - whole.static.energy_joules)
    assert [one["end_seconds"] for one in groups[:-1]] == [
        one["begin_seconds"] for one in groups[1:]
    ]
    assert groups[-1]["end_seconds"] == near(whole.latency_seconds)
    for memory, (read, written) in whole.traffic_bytes.items():
        moved = [
            one["memories"].get(memory, {"read_bytes": 0, "written_bytes": 0}) for one in groups
        ]
        assert sum(one["read_bytes"] for one in moved) >= read
        assert sum(one["written_bytes"] for one in moved) >= written


def test_coverage_is_that_of_one_example_loops_included() -> None:
    network = REGISTRY.read(RECURRENT)
    for batch in (1, 4):
        found = costmodel.estimate(
            network, [sheet(), "horowitz-45nm"], scenario=Scenario(batch=batch),
            on_unpriced="bound", registry=REGISTRY,
        )  # fmt: skip
        for name in ("sheet", "horowitz-45nm"):
            macs = found.coverage(name).macs
            assert (macs.covered, macs.total) == (found.macs, found.macs)


def test_what_a_device_does_not_model_is_named() -> None:
    estimate = of()
    assert plain(estimate)["not_modelled"] == ["utilisation", "static energy", "area"]
    cpu = json.loads(estimate.to_json())["devices"]["cpu"]
    assert cpu["not_modelled"] == ["time", "utilisation", "memory", "static energy", "area"]
    assert cpu["latency_seconds"] is None
    assert cpu["fits"] is None
    drawn = powered().evaluate(costmodel.lower(NETWORK))
    assert "static energy" not in drawn.not_modelled


def test_json_and_csv_have_what_the_evaluation_says() -> None:
    estimate = of(batch=4)
    bill, device = estimate.bill("sheet"), plain(estimate)
    whole = bill.evaluation
    assert device["latency_seconds"]["value"] == whole.latency_seconds
    assert device["throughput_per_second"] == near(4 / (whole.latency_seconds or 0.0))
    assert device["average_power_watts"] == near(whole.average_power_watts)
    assert device["energy_joules_per_inference"] == near(whole.energy_joules / 4)
    assert device["limiting_resource"] == whole.limiting_resource
    assert device["fits"] is True
    assert device["memories"]["buffer"]["size_bytes"] == 4000
    assert device["memories"]["dram"]["read_bytes"] == whole.traffic_bytes["dram"][0]
    assert device["weight_bytes"] == sum(
        t.size for x in estimate.network.layers for t in x.parameters.values()
    )
    for line, said, cells in zip(bill.lines, device["layers"], rows(estimate), strict=True):
        assert said["limiting_resource"] == line.limiting_resource
        assert cells["sheet limit"] == (line.limiting_resource or "")
        if line.cost.latency_seconds is not None:
            low = said["latency_seconds"]["low"]
            assert low == line.cost.latency_seconds_low == float(cells["sheet latency low (s)"])
        for name, (read, written) in line.traffic_bytes.items():
            memory = said["memories"][name]
            assert (memory["read_bytes"], memory["written_bytes"]) == (read, written)
            assert cells[f"sheet {name} read (B)"] == str(read)
            assert cells[f"sheet {name} peak (B)"] == str(memory["peak_bytes"])


def test_what_a_device_does_not_model_is_none_in_json_and_absent_in_tables() -> None:
    estimate = of()
    cpu = json.loads(estimate.to_json())["devices"]["cpu"]
    for name in ("latency_seconds", "throughput_per_second", "average_power_watts", "fits",
                 "utilisation", "limiting_resource", "area_square_metres"):  # fmt: skip
        assert cpu[name] is None, name
    assert cpu["memories"] == {}
    columns = {name: [column.title for column in estimate.table().columns if column.group == name]
               for name in ("cpu", "sheet")}  # fmt: skip
    assert columns == {"cpu": ["cpu"], "sheet": ["sheet", "Latency", "Limit", "dram"]}


def test_a_network_without_work_takes_no_time_only_where_time_is_modelled() -> None:
    source = Input("x", "input", shape=(4,))
    nothing = OperatorLayer("y", "nothing", source.outputs, work=Free("it does nothing"))
    network = costmodel.Network("free", [source, nothing], {"y": ["x"]})
    found = costmodel.estimate(network, ["cpu", sheet()], registry=REGISTRY)
    for name, seconds in (("cpu", None), ("sheet", 0.0)):
        evaluation = found.bill(name).evaluation
        assert not evaluation.groups
        assert found.total(name).latency_seconds == seconds
        assert ("time" in evaluation.not_modelled) == (seconds is None)
        assert evaluation.is_timed == (seconds is not None)


def test_a_table_shows_time_traffic_and_memory_of_the_device_that_models_them() -> None:
    estimate = of(batch=2)
    table = estimate.table()
    titles = [column.title for column in table.columns]
    assert {"sheet", "Latency", "Limit", "dram"} <= set(titles)
    footer = {row[0]: row[titles.index("sheet")] for row in table.footer}
    assert footer["Fits"] == "yes"
    assert footer["Limited by"] == estimate.bill("sheet").evaluation.limiting_resource
    assert footer["buffer: peak of size"].endswith("of 4 kB")
    assert footer["Throughput"].endswith("/s")
    assert {len(row) for row in (*table.rows, *table.footer)} == {len(titles)}


def test_an_explanation_tells_durations_traffic_and_each_source_once() -> None:
    text = of().explain("conv", "sheet")
    assert "latency: " in text
    assert "  what conv/" in text
    assert "dram: " in text
    assert text.count("[1] assumed: a test") == 1


def test_a_comparison_tells_times_and_traffic_that_differ() -> None:
    roomy, tight = of(), of(buffer_bytes=0.0)
    found = costmodel.compare(roomy, "sheet", tight, "sheet")
    reasons = {reason for each in found.differences for reason in each.reasons}
    assert {"time", "traffic"} <= reasons
    whys = [why for each in found.differences for why in each.why]
    assert any(why.startswith("latency: ") for why in whys)
    assert any(why.startswith("buffer: ") for why in whys)
    footer = {row[0]: row for row in found.table().footer}
    assert footer["Latency"][4].startswith("+")
    before = found.to_dict()["before"]
    assert before["latency_seconds"] == roomy.total("sheet").latency_seconds


def test_utilisation_is_work_over_the_most_that_the_time_allows() -> None:
    class Fast(Sheet):
        @property
        def macs_per_second(self) -> float:
            return 100.0

        @handles(Counted)
        def counted(self, operator: Counted, scenario: Scenario) -> Any:
            return Free("nothing of this is counted here")

    plain_sheet = sheet()
    device = Fast("fast", energy=plain_sheet.energy, clock=plain_sheet.clock)
    bill = costmodel.estimate(
        VISION, device, scenario=Scenario(batch=3), on_unpriced="bound", registry=REGISTRY
    ).bill("fast")
    whole = bill.evaluation
    assert whole.utilisation == near(whole.macs / (100.0 * (whole.latency_seconds or 0.0)))
    line = bill.line("conv")
    assert isinstance(line.cost, Cost)
    assert bill.utilisation(line) == near(line.macs / (100.0 * (line.cost.latency_seconds or 0.0)))


def test_where_work_has_no_price_no_share_of_the_time_is_reported() -> None:
    @frozen(slots=False)
    class Picky(Sheet):
        @property
        def macs_per_second(self) -> float:
            return 100.0

        def price(self, operator: Any, scenario: Any = None) -> Any:
            if isinstance(operator, Contraction) and operator.macs > 10_000:
                return Unpriced("too large")
            return super().price(operator, scenario)

    plain_sheet = sheet()
    device = Picky("picky", energy=plain_sheet.energy, clock=plain_sheet.clock,
                   memories=plain_sheet.memories)  # fmt: skip
    estimate = costmodel.estimate(VISION, device, on_unpriced="bound", registry=REGISTRY)
    bill = estimate.bill("picky")
    missing = [line for line in bill.lines if line.unpriced]
    assert missing
    for line in missing:
        assert bill.utilisation(line) is None
    whole = bill.evaluation
    assert whole.utilisation is None
    assert whole.average_power_watts is None
    assert whole.energy_joules > 0


def test_static_energy_is_in_the_total_and_in_no_layer() -> None:
    device = powered()
    estimate = costmodel.estimate(VISION, device, on_unpriced="bound", registry=REGISTRY)
    bill = estimate.bill(device.name)
    layers = sum(line.cost.energy_joules for line in bill.lines)
    static = bill.evaluation.static.energy_joules
    assert static > 0
    assert layers + static == near(bill.total.energy_joules)
    said = json.loads(estimate.to_json())["devices"][device.name]
    assert said["static_energy_joules"] == static
    assert "Static, in the total" in {row[0] for row in estimate.table().footer}


def test_figures_of_memories_are_parameters_that_can_be_changed() -> None:
    device = sheet(4000.0)
    names = [
        "buffer.size", "buffer.bandwidth", "buffer.read.energy", "buffer.write.energy",
        "dram.bandwidth", "dram.read.energy", "dram.write.energy",
    ]  # fmt: skip
    assert [name for name in device.parameters if "." in name] == names
    changes = {"buffer.size": "8 kB", "dram.bandwidth": "4 B/s", "dram.read.energy": "30 J"}
    other = device.with_parameters(**changes)
    buffer, dram = other.memories
    assert buffer.size is not None
    assert (buffer.size.value, buffer.size.source) == (8000.0, "given by the caller")
    assert buffer.read == device.memories[0].read
    before, after = (one.evaluate(costmodel.lower(NETWORK)) for one in (device, other))
    assert after.traffic_bytes["buffer"] > before.traffic_bytes["buffer"]
    charged = {
        parameter.name for charge in after.cost.charges for parameter, _ in charge.unit_cost.parts
    }
    assert "dram.read.energy" in charged
    assert dram.read is not None
    assert dram.read.energy.value == 30.0
    shown = json.loads(of().to_json())["devices"]["sheet"]["parameters"]
    assert [name for name in shown if "." in name] == names


def test_a_memory_may_be_given_a_figure_that_its_file_does_not_state() -> None:
    device = sheet(4000.0)
    assert "dram.size" not in device.parameters
    other = device.with_parameters(**{"dram.size": "64 B", "dram.area": "2 mm2"})
    _, dram = other.memories
    assert dram.size is not None
    assert (dram.size.value, dram.size.source) == (64.0, "given by the caller")
    assert other.area_square_metres == near(2e-6)
    fits = [one.evaluate(costmodel.lower(NETWORK)).fits for one in (device, other)]
    assert fits == [True, False]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("buffer.size", "8 J", "sheet.buffer.size: expected a quantity in B"),
        ("dram.bandwidth", "0 B/s", "sheet.dram.bandwidth = '0 B/s': .*above 0"),
        ("dram.bandwith", "1 B/s", "nearest known: 'dram.bandwidth'"),
        ("dram.size", "1 J", "sheet.dram.size: expected a quantity in B"),
        ("dram.leakage", "1 W", "unknown figure of memory 'dram' 'dram.leakage'"),
        ("dram.bandwith", "1 B/s", "known: dram.area, dram.bandwidth, .*, dram.size"),
        (
            "buffer.read.width",
            "8 bit",
            "stated in the file of the device, such as read: .*, double_buffered: true",
        ),
    ],
)
def test_a_figure_of_a_memory_that_cannot_be_is_refused(
    name: str, value: str, message: str
) -> None:
    with pytest.raises(CostModelError, match=message):
        sheet().with_parameters(**{name: value})
