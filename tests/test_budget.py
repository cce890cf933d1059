"""Budgets: each kind of limit, growth against a baseline, and what a budget file may not say."""

from __future__ import annotations

import copy
import functools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chains
import pytest
from attrs import evolve
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY

import costmodel
from costmodel import Network, Scenario
from costmodel.budgets.budget import Budget, Limit, Verdict
from costmodel.budgets.budget_file import budget_of, budget_on, read_budget
from costmodel.budgets.check import Check, Checking, check, devices_of
from costmodel.errors import BudgetError, ReadError
from costmodel.estimates.saved import read_saved, saved
from costmodel.formats import FLOAT32
from costmodel.network.layer import Input
from costmodel.tensor.shapes import Tensor
from costmodel_keras.layers.basic import Dense

if TYPE_CHECKING:
    from collections.abc import Mapping

PI, MCU, CPU = "raspberry-pi-4", "stm32h743", "cpu"


@functools.cache
def dense(*units: int) -> str:
    """A chain of dense layers of these widths: layer0, layer1 and so on."""
    return chains.saved((20,), *({"kind": "Dense", "units": width} for width in units))


def conv(filters: int) -> dict[str, Any]:
    """A convolution with a window of one pixel."""
    settings = {"strides": 1, "padding": "valid", "dilation_rate": 1}
    return {"kind": "Conv2D", "filters": filters, "kernel_size": [1, 1], **settings}


POOL = {"kind": "MaxPooling2D", "pool_size": [2, 2], "strides": [2, 2], "padding": "valid"}
SMALL = dense(10, 300, 5)
"""Its layer1 is the largest in weights, layer2 in nothing."""
POOLED = chains.saved((8, 8, 2), POOL)
"""Loihi has no price for it."""
STRANGE = chains.saved((8,), {"kind": "Dense", "units": 4}, {"kind": "Riddle", "module": "odd"})
"""No rule knows its second layer."""


def held(source: Any, *limits: Limit, **given: Any) -> Check:
    """A network against limits, on the devices that they name."""
    devices: dict[str, dict[str, str | float]] = {
        limit.device: {} for limit in limits if limit.device
    }
    budget = Budget(source="budget", limits=limits, devices=devices, **given)
    return check(source, budget, registry=REGISTRY)


def amount(source: Any, limit: Limit) -> float:
    """What a limit is about."""
    (verdict,) = held(source, evolve(limit, most=math.inf)).verdicts
    assert verdict.found is not None
    return verdict.found


def one(**given: Any) -> Limit:
    return Limit(**{"most": 0.0, **given})


KINDS = {
    "macs": one(quantity="macs"),
    "parameters": one(quantity="parameters"),
    "weights": one(quantity="weights"),
    "energy on cpu": one(quantity="energy", device=CPU),
    "energy on cpu (high end)": one(quantity="energy", device=CPU, at="high"),
    "energy on raspberry-pi-4": one(quantity="energy", device=PI),
    "latency on raspberry-pi-4": one(quantity="latency", device=PI),
    "latency on raspberry-pi-4 (high end)": one(quantity="latency", device=PI, at="high"),
    "peak_memory.dram on raspberry-pi-4": one(quantity="peak_memory", device=PI, memory="dram"),
    "peak_memory.flash on stm32h743": one(quantity="peak_memory", device=MCU, memory="flash"),
}
"""Every kind of limit by its name."""


# ------------------------------------------------------------------ laws


@pytest.mark.parametrize("name", KINDS)
@given(units=st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_a_limit_at_what_is_found_holds_and_one_below_is_broken(
    name: str, units: list[int]
) -> None:
    source = REGISTRY.read(dense(*units))
    found = amount(source, KINDS[name])
    assert found > 0
    exact, below = [
        evolve(KINDS[name], most=most) for most in (found, math.nextafter(float(found), 0))
    ]
    assert held(source, exact).is_met
    assert [verdict.status for verdict in held(source, below).verdicts] == ["broken"]


@pytest.mark.parametrize("name", KINDS)
@given(width=st.integers(2, 40), more=st.integers(1, 40))
def test_a_growth_at_its_limit_holds_and_one_above_is_broken(
    name: str, width: int, more: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before, after = REGISTRY.read(dense(width)), REGISTRY.read(dense(width + more))
    file = baseline_of(before, KINDS[name], tmp_path_factory.getbasetemp() / f"{width}.json")
    old, new = amount(before, KINDS[name]), amount(after, KINDS[name])
    assert new > old
    growth = evolve(KINDS[name], is_growth=True)
    enough, too_little = new / old - 1 + 1e-9, new / old - 1 - 1e-6
    for most, status in ((enough, "within"), (too_little, "broken"), (0.0, "broken")):
        found = held(after, evolve(growth, most=most), baseline=file)
        assert [verdict.status for verdict in found.verdicts] == [status]
    assert held(before, evolve(growth, most=0.0), baseline=file).is_met


@given(units=st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_the_layers_have_all_of_an_energy_that_is_a_power_over_the_time(units: list[int]) -> None:
    (verdict,) = held(REGISTRY.read(dense(*units)), KINDS["energy on raspberry-pi-4"]).verdicts
    assert math.fsum(cause.amount for cause in verdict.causes) == near(verdict.found)


@pytest.mark.parametrize("device", [CPU, PI])
def test_the_end_of_the_range_that_counts_is_the_one_that_is_asked_for(device: str) -> None:
    total = costmodel.estimate(SMALL, device, registry=REGISTRY).total(device)
    energy = one(quantity="energy", device=device)
    assert amount(SMALL, energy) == total.energy_joules
    assert amount(SMALL, evolve(energy, at="high")) == total.energy_joules_high
    assert total.energy_joules < total.energy_joules_high


def test_the_high_end_of_a_latency_is_that_of_the_total() -> None:
    total = costmodel.estimate(SMALL, PI, registry=REGISTRY).total(PI)
    assert amount(SMALL, KINDS["latency on raspberry-pi-4"]) == total.latency_seconds
    high = amount(SMALL, KINDS["latency on raspberry-pi-4 (high end)"])
    assert high == total.latency_seconds_high
    assert high > (total.latency_seconds or 0)


def test_layers_have_the_same_share_of_both_ends_of_a_latency() -> None:
    """The range is that of the whole: of how well the device is known, not of a layer."""
    made = costmodel.estimate(dense(10, 30, 5), PI, registry=REGISTRY)
    found = saved(made.to_dict(), "this").device(PI)
    plain, high = found.latency("value"), found.latency("high")
    assert high.value is not None
    assert plain.value is not None
    assert high.value > plain.value
    for layer, seconds in plain.by_layer.items():
        assert high.by_layer[layer] / high.value == near(seconds / plain.value)


@pytest.mark.parametrize("name", ["energy on cpu (high end)", "energy on raspberry-pi-4"])
def test_the_layers_have_all_of_an_energy_at_its_end(name: str) -> None:
    (verdict,) = held(SMALL, KINDS[name]).verdicts
    assert math.fsum(cause.amount for cause in verdict.causes) == near(verdict.found)


def test_a_layer_that_shares_its_weights_has_none_of_its_own() -> None:
    held_by = Dense("a", "keras.Dense", (Tensor((4,)),), units=4)
    again = Dense("b", "keras.Dense", (Tensor((4,)),), units=4, shares="a")
    assert held_by.weight_bits(FLOAT32) == 32 * (4 * 4 + 4)
    layers = [Input("in", "input", shape=(4,)), held_by, again]
    network = Network("net", layers, {"a": ["in"], "b": ["a"]})
    found = costmodel.collect(network, [], registry=REGISTRY).to_dict()
    assert sum(layer["parameters"] for layer in found["layers"]) == found["network"]["parameters"]
    assert [layer["weight_bytes"] for layer in found["layers"]] == [
        0, found["network"]["weight_bytes"], 0,
    ]  # fmt: skip


def baseline_of(source: Any, limit: Limit, file: Path) -> Path:
    """A saved estimate on the device of a limit."""
    if limit.device is None:
        found = costmodel.collect(source, [], registry=REGISTRY)
    else:
        found = costmodel.estimate(source, limit.device, registry=REGISTRY)
    file.write_text(found.to_json())
    return file


# ------------------------------------------------------------------ what an answer names


LARGEST = dict.fromkeys(KINDS, "layer1")


@pytest.mark.parametrize("name", KINDS)
def test_a_broken_limit_is_explained_by_its_name_its_amounts_and_the_largest_layer(
    name: str,
) -> None:
    found = held(SMALL, evolve(KINDS[name], most=1e-12))
    head, line = found.explanation
    assert head == "chain: 0 of 1 limit of budget met"
    assert line.startswith(f"broken: {name} must not exceed ")
    assert "found" in line
    assert found.verdicts[0].causes[0].layer == LARGEST[name]
    assert line.partition(";")[2].split(": ")[1].split()[0].strip(",") == LARGEST[name]
    assert line in found.table().text()
    assert line in found.summary()


def test_a_name_that_steers_a_terminal_is_escaped() -> None:
    source = dense(10).replace("layer0", "a\\u001b[31mb")
    (_, line) = held(source, KINDS["macs"]).explanation
    assert line.endswith("largest layers: a\\x1b[31mb 200 (100%)")


def test_a_peak_names_the_layer_at_which_it_occurs() -> None:
    source = chains.saved(
        (8, 8, 1),
        conv(64),
        conv(32),
        conv(1),
    )
    limit = one(quantity="peak_memory", device=MCU, memory="sram", most=1000.0)
    (verdict,) = held(source, limit).verdicts
    assert verdict.found == 8 * 8 * (64 + 32) * 4
    assert [cause.layer for cause in verdict.causes] == ["layer1"]


def grown(before: str, after: str, limit: Limit, tmp_path: Path, **given: Any) -> Verdict:
    """The verdict on a growth from one network to another."""
    file = baseline_of(REGISTRY.read(before), limit, tmp_path / "baseline.json")
    return held(after, evolve(limit, is_growth=True), baseline=file, **given).verdicts[0]


@pytest.mark.parametrize("name", [name for name in KINDS if "peak" not in name])
def test_a_growth_names_the_layers_that_grew_most_and_no_other(name: str, tmp_path: Path) -> None:
    verdict = grown(dense(10, 30, 5), dense(10, 60, 5), KINDS[name], tmp_path)
    assert verdict.status == "broken"
    assert [cause.layer for cause in verdict.causes] == ["layer1", "layer2"]
    assert all(cause.before is not None and cause.growth > 0 for cause in verdict.causes)


def test_a_layer_that_the_baseline_lacks_is_new(tmp_path: Path) -> None:
    verdict = grown(dense(10), dense(10, 5), KINDS["macs"], tmp_path)
    assert [(cause.layer, cause.is_new) for cause in verdict.causes] == [("layer1", True)]
    assert (verdict.before, verdict.found, verdict.allowed) == (200, 250, 200)


def test_a_growth_within_the_tolerance_is_noise(tmp_path: Path) -> None:
    for tolerance, status in ((0.25, "within"), (0.2, "broken")):
        verdict = grown(dense(8), dense(10), KINDS["macs"], tmp_path, tolerance=tolerance)
        assert verdict.status == status


def test_amounts_that_would_read_alike_get_more_digits() -> None:
    found = amount(SMALL, KINDS["energy on cpu"])
    limit = evolve(KINDS["energy on cpu"], most=found * (1 - 1e-6))
    allowed, shown = next(row[1:3] for row in held(SMALL, limit).table().rows)
    assert allowed != shown


def test_the_json_has_every_layer_and_the_table_the_largest_three() -> None:
    found = held(dense(5, 6, 7, 8, 9), KINDS["macs"])
    assert "and 2 more" in found.explanation[1]
    (limit,) = found.to_dict()["limits"]
    assert [layer["name"] for layer in limit["layers"]] == [f"layer{i}" for i in (0, 4, 3, 2, 1)]
    json.dumps(found.to_dict(), allow_nan=False)


# ------------------------------------------------------------------ what is not known


LOIHI = one(quantity="energy", device="loihi", most=1.0)
SPIKING = {"scenario": Scenario(rates=10.0)}


def test_an_unpriced_layer_makes_a_limit_unknown_and_is_named() -> None:
    found = held(POOLED, LOIHI, **SPIKING)
    assert [verdict.status for verdict in found.verdicts] == ["unknown"]
    assert not found.is_met
    assert found.explanation[1].endswith("layer0: 'max' pooling has no spiking form")


def test_a_budget_may_take_the_lower_bound() -> None:
    limit = evolve(LOIHI, on_unpriced="bound")
    assert held(POOLED, limit, **SPIKING).is_met


@pytest.mark.parametrize("when", ["error", "bound"])
def test_a_lower_bound_above_its_limit_is_broken(when: Any) -> None:
    source = chains.saved(
        (8, 8, 1),
        conv(2),
        POOL,
    )
    found = held(source, evolve(LOIHI, most=0.0, on_unpriced=when), **SPIKING)
    assert [verdict.status for verdict in found.verdicts] == ["broken"]


@pytest.mark.parametrize("quantity", ["macs", "parameters", "weights"])
def test_a_layer_without_a_rule_makes_a_count_unknown(quantity: str) -> None:
    (verdict,) = held(STRANGE, one(quantity=quantity, most=1e9)).verdicts
    assert (verdict.status, verdict.missing[0].split(":")[0]) == ("unknown", "layer1")


def test_a_layer_without_a_rule_makes_a_peak_unknown() -> None:
    limit = evolve(KINDS["peak_memory.dram on raspberry-pi-4"], most=1e9)
    (verdict,) = held(STRANGE, limit).verdicts
    assert (verdict.status, verdict.missing[0].split(":")[0]) == ("unknown", "layer1")


def test_a_layer_without_a_price_makes_a_latency_unknown() -> None:
    limit = evolve(KINDS["latency on raspberry-pi-4"], most=1.0)
    (verdict,) = held(STRANGE, limit).verdicts
    assert (verdict.status, verdict.missing[0].split(":")[0]) == ("unknown", "layer1")


def test_a_device_without_time_keeps_no_limit_on_latency() -> None:
    for when in ("error", "bound"):
        limit = one(quantity="latency", device=CPU, most=1.0, on_unpriced=when)
        (verdict,) = held(SMALL, limit).verdicts
        assert (verdict.status, verdict.missing) == ("unknown", ("the device does not model time",))


def test_a_baseline_with_unpriced_work_allows_nothing_that_is_known(tmp_path: Path) -> None:
    for when, status in (("error", "unknown"), ("bound", "broken")):
        limit = one(quantity="parameters", on_unpriced=when)
        verdict = grown(STRANGE, dense(50), limit, tmp_path)
        assert verdict.status == status


# ------------------------------------------------------------------ devices of a budget


def test_the_only_memory_of_a_device_needs_no_name() -> None:
    (verdict,) = held(SMALL, one(quantity="peak_memory", device=PI)).verdicts
    assert verdict.limit.memory == "dram"


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (
            one(quantity="peak_memory", device=MCU),
            (
                "devices.stm32h743.peak_memory: the device has 2 memories (sram, flash); "
                "limit one or more: peak_memory.flash = ..."
            ),
        ),
        (
            one(quantity="peak_memory", device=MCU, memory="flsh"),
            "devices.stm32h743.peak_memory: 'flsh' is not known; nearest 'flash'",
        ),
        (
            one(quantity="peak_memory", device=CPU),
            "devices.cpu.peak_memory: device 'cpu' models no memories; remove the limit",
        ),
    ],
)
def test_a_limit_on_a_memory_that_is_not_there_is_refused(limit: Limit, message: str) -> None:
    with pytest.raises(BudgetError) as error:
        held(SMALL, limit)
    assert error.value.mistakes == (message,)


def test_all_mistakes_of_a_budget_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(
        '[network]\nmacs = "many"\n[devices.raspbery-pi-4]\nenergy = "1 J"\n'
        f'[devices.{CPU}]\npeak_memory = "1 MB"\nset = {{x = 1}}\n'
        f'[devices.{PI}]\npeak_memory.cache = "1 MB"\nset = {{runtime = true}}\n'
        '[scenario]\nbatch = 0\n'
    )  # fmt: skip
    with pytest.raises(BudgetError) as error:
        check(SMALL, file, registry=REGISTRY)
    assert [mistake.partition(": ")[0] for mistake in error.value.mistakes] == [
        "network.macs", "scenario.batch", f"devices.{PI}.set.runtime",
        "devices.raspbery-pi-4", f"devices.{CPU}", f"devices.{PI}.peak_memory",
    ]  # fmt: skip


def test_every_device_that_is_not_there_is_named() -> None:
    budget = budget_of({
        "devices": {"raspbery-pi-4": {"energy": "1 J"}, "cpu": {"energy": "1 J", "set": {"x": 1}}}
    })  # fmt: skip
    with pytest.raises(BudgetError) as error:
        devices_of(budget, REGISTRY)
    assert [mistake.partition(": ")[0] for mistake in error.value.mistakes] == [
        "devices.raspbery-pi-4",
        "devices.cpu",
    ]
    assert "nearest known: 'raspberry-pi-4'" in error.value.mistakes[0]


def test_a_device_has_its_limits_under_one_name() -> None:
    file = REGISTRY.device(CPU).file or ""
    budget = budget_of({"devices": {CPU: {"energy": "1 J"}, file: {"energy": "2 J"}}})
    with pytest.raises(BudgetError) as error:
        devices_of(budget, REGISTRY)
    assert error.value.mistakes == (
        "devices.cpu: its device 'cpu' has limits under another name too",
        f"devices.{file}: its device 'cpu' has limits under another name too",
    )


def test_what_a_budget_sets_is_set() -> None:
    values = {"devices": {PI: {"energy": "1 J", "set": {"busy_power": "1 W"}}}}
    (given,) = devices_of(budget_of(values), REGISTRY).values()
    assert given.parameters["busy_power"].value == 1.0


# ------------------------------------------------------------------ budget files


WHOLE = """
[network]
macs = 600_000_000
parameters = 4e6
weights = "16 MB"
growth = {macs = "0 %"}
on_unpriced = "bound"

[devices.raspberry-pi-4]
latency = "60 ms"
energy = "0.4 J"
peak_memory = "64 MB"
at = "high"
set.runtime = "tflite"

[devices.raspberry-pi-4.growth]
latency = "5 %"
peak_memory.dram = "1 %"

[devices."./chip.yaml"]
energy = "1 J"

[scenario]
batch = 8
dt = "2 ms"
default_format = "int8"
input_shapes = [224, 224, 3]
rates = {conv = 10}

[baseline]
file = "saved/baseline.json"
tolerance = "0.5 %"
"""


def test_a_budget_file_has_limits_devices_conditions_and_a_baseline(tmp_path: Path) -> None:
    (tmp_path / "budget.toml").write_text(WHOLE)
    found = read_budget(tmp_path / "budget.toml")
    chip = f"{tmp_path}/./chip.yaml"
    assert [(limit.name, limit.most) for limit in found.limits] == [
        ("macs", 600_000_000),
        ("parameters", 4_000_000),
        ("weights", 16e6),
        ("growth of macs", 0.0),
        ("latency on raspberry-pi-4 (high end)", 0.06),
        ("energy on raspberry-pi-4 (high end)", 0.4),
        ("peak_memory on raspberry-pi-4", 64e6),
        ("growth of latency on raspberry-pi-4 (high end)", 0.05),
        ("growth of peak_memory.dram on raspberry-pi-4", 0.01),
        (f"energy on {chip}", 1.0),
    ]
    assert {limit.on_unpriced for limit in found.limits if limit.device} == {"error"}
    assert {limit.on_unpriced for limit in found.limits if not limit.device} == {"bound"}
    assert found.devices == {PI: {"runtime": "tflite"}, chip: {}}
    assert found.scenario == Scenario(
        batch=8, dt=0.002, default_format="int8", input_shapes=(224, 224, 3), rates={"conv": 10}
    )
    assert found.baseline == tmp_path / "saved/baseline.json"
    assert found.tolerance == 0.005


BAD = [
    (
        "energy = 1",
        [
            (
                "file: 'energy' is not known; expected one of 'network', 'devices', "
                "'scenario', 'baseline'"
            )
        ],
    ),
    ("network = 1", ["network: expected a table, found 1"]),
    ("devices.cpu = 1", ["devices.cpu: expected a table, found 1"]),
    (
        "",
        [
            (
                "expected at least one limit, such as [devices.cpu] and energy = '2 mJ' below "
                "it, found none"
            )
        ],
    ),
    (
        "[devices.cpu]",
        ["devices.cpu: expected at least one limit, such as energy = '2 mJ', found none"],
    ),
    ("[network]\nmac = 1", ["network: 'mac' is not known; nearest 'macs'"]),
    (
        "[network]\nmacs = '600 M'",
        ["network.macs: expected a plain number, such as 600_000_000, found '600 M'"],
    ),
    (
        "[network]\nmacs = true",
        ["network.macs: expected a plain number, such as 600_000_000, found True"],
    ),
    ("[network]\nmacs = 1e31", ["network.macs: expected a limit from 0 to 1e+30, found 1e+31"]),
    (
        "[devices.cpu.growth]\nenergy = '1e300 %'",
        [
            "devices.cpu.growth.energy: expected a limit from 0 to 1e+30, found '1e300 %'",
        ],
    ),
    (
        "[network]\nmacs = nan",
        ["network.macs: expected a plain number, such as 600_000_000, found nan"],
    ),
    ("[network]\nmacs = -1", ["network.macs: expected a limit from 0 to 1e+30, found -1"]),
    (
        "[network]\nweights = 16",
        ["network.weights: expected a quantity in B, such as '2 GB', found 16"],
    ),
    (
        "[network]\nat = 'high'\nmacs = 1",
        [
            (
                "network: 'at' is not known; expected one of 'macs', 'parameters', 'weights', "
                "'growth', 'on_unpriced'"
            )
        ],
    ),
    ("[devices.cpu]\nenergie = '1 J'", ["devices.cpu: 'energie' is not known; nearest 'energy'"]),
    (
        "[devices.cpu]\nenergy = '1 s'",
        ["devices.cpu.energy: expected a quantity in J, such as '2 nJ', found '1 s'"],
    ),
    (
        "[devices.cpu]\nenergy = '-1 J'",
        ["devices.cpu.energy: expected a limit from 0 to 1e+30, found '-1 J'"],
    ),
    (
        "[devices.cpu]\nenergy = '1 Joule'",
        [
            (
                "devices.cpu.energy: unit 'Joule' in '1 Joule' is not known; expected a "
                "quantity in J, such as '2 nJ'"
            )
        ],
    ),
    (
        "[devices.cpu]\nlatency = {dram = '1 s'}",
        [("devices.cpu.latency: expected a quantity in s, such as '2 ms', found {'dram': '1 s'}")],
    ),
    (
        "[devices.cpu]\npeak_memory = {}",
        [("devices.cpu.peak_memory: expected a size or a table of memories, found an empty table")],
    ),
    (
        "[devices.cpu]\npeak_memory.dram = 1",
        ["devices.cpu.peak_memory.dram: expected a quantity in B, such as '2 GB', found 1"],
    ),
    (
        "[devices.cpu.growth]\nenergy = 0.05",
        ["devices.cpu.growth.energy: expected a growth in %, such as '5 %', found 0.05"],
    ),
    (
        "[devices.cpu.growth]\nenergy = 'x %'",
        ["devices.cpu.growth.energy: expected a growth in %, such as '5 %', found 'x %'"],
    ),
    (
        "[devices.cpu.growth]\nenergy = '-5 %'",
        ["devices.cpu.growth.energy: expected a limit from 0 to 1e+30, found '-5 %'"],
    ),
    (
        "[devices.cpu.growth]\nmacs = '5 %'",
        [
            (
                "devices.cpu.growth: 'macs' is not known; expected one of 'latency', 'energy', "
                "'peak_memory'"
            )
        ],
    ),
    (
        "[devices.cpu]\nenergy = '1 J'\nat = 'low'",
        ["devices.cpu.at: expected 'value' or 'high', found 'low'"],
    ),
    (
        "[devices.cpu]\nenergy = '1 J'\non_unpriced = []",
        ["devices.cpu.on_unpriced: expected 'error' or 'bound', found []"],
    ),
    (
        "[devices.cpu]\nenergy = '1 J'\nset.peak_rate.int8 = 1",
        [
            (
                "devices.cpu.set.peak_rate: expected text or a number; a name with dots is one "
                "key in quotation marks: 'peak_rate.int8' = '4 TOP/s', found {'int8': 1}"
            )
        ],
    ),
    (
        "[network]\nmacs = 1\n[scenario]\nbatches = 2",
        ["scenario: 'batches' is not known; nearest 'batch'"],
    ),
    (
        "[network]\nmacs = 1\n[scenario]\nbatch = 0\ndt = '1 J'",
        [
            ("scenario.batch: batch is 0; expected a whole number from 1 to 9,007,199,254,740,992"),
            "scenario.dt: dt is '1 J'; expected a positive number of seconds",
        ],
    ),
    (
        "[network]\nmacs = 1\n[scenario]\nrates = 1\ninput_rates = 1",
        [
            (
                "scenario: rates and input_rates are both given; expected rates (of a layer's "
                "own output) or input_rates (of its incoming connections)"
            )
        ],
    ),
    (
        "[network]\nmacs = 1\n[baseline]\nfile = 1",
        ["baseline.file: expected the path of a file, found 1"],
    ),
    (
        "[network]\nmacs = 1\n[baseline]\ntolerance = 1",
        ["baseline.tolerance: expected a growth in %, such as '5 %', found 1"],
    ),
    (
        "[network]\nmac = 1\nweights = 1\n[basline]",
        [
            "file: 'basline' is not known; nearest 'baseline'",
            "network: 'mac' is not known; nearest 'macs'",
            "network.weights: expected a quantity in B, such as '2 GB', found 1",
        ],
    ),
    (
        "[network\n",
        ["not TOML: Expected ']' at the end of a table declaration (at line 1, column 9)"],
    ),
    ("[network]\nmacs = 1\nmacs = 2", ["not TOML: Cannot overwrite a value (at end of document)"]),
    ("x = " + "[" * 5000 + "]" * 5000, ["the TOML is nested too deeply"]),
    ("x = " + "9" * 5000, ["a whole number has more than 4,300 digits"]),
    ("#" * (2**20 + 1), ["the file has more than 1,048,576 bytes"]),
]
"""Budget files, and all the mistakes that a message lists."""


@pytest.mark.parametrize(("text", "mistakes"), BAD, ids=range(len(BAD)))
def test_a_bad_budget_file_is_refused_with_all_its_mistakes(
    text: str, mistakes: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(text)
    with pytest.raises(BudgetError) as error:
        read_budget(file)
    assert list(error.value.mistakes) == mistakes
    assert str(error.value).startswith(f"{file}: ")


def test_a_budget_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    for name, reason in (("none.toml", "No such file"), (".", "Is a directory"),
                         ("bytes.toml", "not TOML: no Unicode")):  # fmt: skip
        with pytest.raises(BudgetError, match=reason):
            read_budget(tmp_path / name)


def test_limits_for_several_devices_hold_on_each() -> None:
    found = budget_on([CPU, PI], {"energy": "1 J", "macs": 5, "growth": {"energy": "1 %"}}, {})
    assert [limit.name for limit in found.limits] == [
        "macs", "energy on cpu", "growth of energy on cpu", "energy on raspberry-pi-4",
        "growth of energy on raspberry-pi-4",
    ]  # fmt: skip


# ------------------------------------------------------------------ baselines


GROWTH = evolve(KINDS["energy on cpu"], is_growth=True, most=0.05)


def good_baseline() -> Any:
    return costmodel.estimate(SMALL, CPU, registry=REGISTRY).to_dict()


@functools.cache
def baseline_text() -> str:
    return json.dumps(good_baseline())


def changed(path: str, value: Any) -> str:
    """The text of a saved estimate with one value replaced, or removed by `...`."""
    values = json.loads(baseline_text())
    *parents, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
    place = values
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(values)


BAD_BASELINES = [
    ("{", "not JSON: Expecting property name"),
    ("", "not JSON: it is empty"),
    ("[]", "expected one estimate, found 0; save that of one model"),
    ("3", "schema: expected 'costmodel/estimate/2', found None"),
    (
        '{"schema": "costmodel/comparison/2"}',
        "schema: expected 'costmodel/estimate/2', found 'costmodel/comparison/2'; `costmodel check",
    ),
]
BAD_PLACES = [
    ("network/macs", ..., "network.macs: missing; `costmodel check --update-baseline` writes one"),
    ("network/macs", 1.5, "network.macs: expected a whole number from 0 to 1e+100, found 1.5"),
    ("network/macs", True, "network.macs: expected a whole number from 0 to 1e+100, found True"),
    ("network/weight_bytes", -1, "network.weight_bytes: expected a whole number from 0 to 1e+100"),
    ("layers", {}, "layers: expected a list, found {}"),
    ("layers/0/kind", None, "layers[0].kind: expected text, found None"),
    ("layers/1/macs", "many", "layers[1].macs: expected a whole number from 0 to 1e+100"),
    ("devices", [], "devices: expected an object, found []"),
    ("devices/cpu/energy_joules/value", None, "devices.cpu.energy_joules.value: expected a number"),
    ("devices/cpu/energy_joules/value", math.nan, "devices.cpu.energy_joules.value: expected a n"),
    (
        "devices/cpu/is_lower_bound",
        0,
        "devices.cpu.is_lower_bound: expected true or false, found 0",
    ),
    ("devices/cpu/layers/2/latency_seconds", ..., "devices.cpu.layers[2].latency_seconds: missing"),
]


def refused(text: str, tmp_path: Path) -> str:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    with pytest.raises(ReadError) as error:
        held(SMALL, GROWTH, baseline=file)
    return str(error.value).removeprefix(f"{file}: ")


@pytest.mark.parametrize(("text", "message"), BAD_BASELINES)
def test_a_baseline_that_is_no_estimate_is_refused(text: str, message: str, tmp_path: Path) -> None:
    assert refused(text, tmp_path).startswith(message)


@pytest.mark.parametrize(("path", "value", "message"), BAD_PLACES)
def test_a_damaged_baseline_is_refused_with_the_place(
    path: str, value: Any, message: str, tmp_path: Path
) -> None:
    assert refused(changed(path, value), tmp_path).startswith(message)


def test_a_baseline_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be read: No such file or directory"):
        held(SMALL, GROWTH, baseline=tmp_path / "none.json")


UNFIT = [
    ("scenario/batch", 8, "{}: batch: expected 1 as in the budget, found 8"),
    ("scenario/default_format", "int8", "{}: default_format: expected 'float32' as in the budget"),
    (
        "convention",
        "qtools",
        "{}: convention: expected 'costmodel' as in the budget, found 'qtools",
    ),
    ("devices", {}, "{}: devices: 'cpu' is not known; none is given"),
]


@pytest.mark.parametrize(("path", "value", "message"), UNFIT)
def test_a_baseline_of_other_conditions_is_refused(
    path: str, value: Any, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(changed(path, value))
    with pytest.raises(BudgetError) as error:
        held(SMALL, GROWTH, baseline=file)
    (mistake,) = error.value.mistakes
    assert mistake.startswith(message.format(file))
    assert "--update-baseline` writes one" in str(error.value)


def test_a_baseline_without_the_memory_is_refused(tmp_path: Path) -> None:
    limit = evolve(KINDS["peak_memory.dram on raspberry-pi-4"], is_growth=True)
    values = costmodel.estimate(SMALL, PI, registry=REGISTRY).to_dict()
    values["devices"][PI]["memories"] = {}
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps(values))
    with pytest.raises(BudgetError) as error:
        held(SMALL, limit, baseline=file)
    (mistake,) = error.value.mistakes
    assert mistake == f"{file}: devices.raspberry-pi-4.memories: 'dram' is missing"


def test_a_growth_without_a_baseline_is_refused() -> None:
    with pytest.raises(BudgetError, match="a growth is limited and there is no baseline"):
        held(SMALL, GROWTH)


def test_a_baseline_that_nothing_needs_is_not_read(tmp_path: Path) -> None:
    limit = evolve(KINDS["macs"], most=1e9)
    assert held(SMALL, limit, baseline=tmp_path / "none.json").is_met


def test_a_device_that_changed_since_the_baseline_is_noted(tmp_path: Path) -> None:
    values = copy.deepcopy(good_baseline())
    device = values["devices"]["cpu"]
    device["content_hash"] = "another"
    device["energy_joules"]["value"] /= 2
    values["costmodel"] = "0.0.1"
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps(values))
    found = held(SMALL, GROWTH, baseline=file)
    assert found.notes[0].startswith("the baseline is of costmodel 0.0.1, this is ")
    assert found.notes[1] == "cpu has changed since the baseline: content_hash"
    assert set(found.notes) <= set(found.table().notes)


def test_an_estimate_is_the_same_from_its_file(tmp_path: Path) -> None:
    made = costmodel.estimate(SMALL, [CPU, PI, MCU], registry=REGISTRY)
    file = tmp_path / "saved.json"
    file.write_text(made.to_json())
    assert read_saved(file) == saved(json.loads(made.to_json()), str(file))


def test_a_network_is_its_own_baseline(tmp_path: Path) -> None:
    limits = tuple(evolve(limit, is_growth=True) for limit in KINDS.values())
    devices: Mapping[str, Any] = {limit.device: {} for limit in limits if limit.device}
    budget = Budget(source="budget", limits=limits, devices=devices)
    checking = Checking(SMALL, budget, devices=devices_of(budget, REGISTRY), registry=REGISTRY)
    file = tmp_path / "baseline.json"
    file.write_text(checking.estimate.to_json())
    assert checking.against(file).is_met
