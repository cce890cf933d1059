"""Which is better: several networks on several devices, and ratios with their ranges."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from console import DENSE, TWO_INPUTS, VISION, good, run
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY

import costmodel
from costmodel import Estimate, Network, Scenario
from costmodel.errors import CostModelError
from costmodel.estimates.comparison import are_related, compare
from costmodel.estimates.matrix import matrix
from costmodel.estimates.ratios import Ratio, energy_ratio, latency_ratio
from costmodel.formats import FLOAT32

MODELS = (DENSE, VISION, TWO_INPUTS)


def estimate(model: str | Network, *devices: Any, **settings: Any) -> Estimate:
    network = model if isinstance(model, Network) else REGISTRY.read(model)
    return costmodel.estimate(
        network, devices, on_unpriced="bound", registry=REGISTRY, scenario=Scenario(**settings)
    )


@given(st.floats(0.1, 1.0), st.floats(1.0, 10.0))
def test_a_figure_that_both_share_cancels(low: float, high: float) -> None:
    device = REGISTRY.device("cpu")
    changes = {
        name: evolve(getattr(device, name), low=low * figure.value, high=high * figure.value)
        for name, figure in device.parameters.items()
    }
    chip: Any = evolve(device, **changes)
    one, other = (estimate(model, chip).bill("cpu") for model in (DENSE, DENSE))
    found = energy_ratio(other, one)
    assert found is not None
    assert (found.low, found.value, found.high) == (near(1.0), near(1.0), near(1.0))


def test_the_range_of_a_ratio_is_that_of_the_corners() -> None:
    """All corners of the box of figures, one by one, against the search."""
    device = REGISTRY.device("horowitz-45nm")
    one, other = (estimate(model, device).bill(device.name) for model in (DENSE, VISION))
    found = energy_ratio(other, one)
    assert found is not None
    ranged = [figure for figure in device.parameters.values() if figure.low < figure.high]
    used = [
        figure for figure in ranged
        if any(figure.name == part.name for bill in (one, other)
               for charge in bill.total.charges for part, _ in charge.unit_cost.parts)
    ]  # fmt: skip
    assert used
    corners = []
    for mask in range(1 << len(used)):
        changes: Any = {
            figure.name: f"{(figure.high if mask >> place & 1 else figure.low)!r} {figure.unit}"
            for place, figure in enumerate(used)
        }
        chip = device.with_parameters(**changes)
        pair = [estimate(model, chip).total(device.name).energy_joules for model in (DENSE, VISION)]
        corners.append(pair[1] / pair[0])
    assert found.low == near(min(corners), rel=1e-6)
    assert found.high == near(max(corners), rel=1e-6)
    assert found.low <= found.value <= found.high


def test_spreads_of_measured_times_add_as_independent_errors() -> None:
    one, other = (estimate(model, "raspberry-pi-4").bill("raspberry-pi-4") for model in MODELS[:2])
    residual = one.device.residuals[0]
    assert residual.formats == (FLOAT32,)
    found = latency_ratio(other, one)
    assert found is not None
    wide = residual.high / residual.low
    assert found.high / found.low > wide ** (1 / 2)
    assert found.high / found.low < wide**2
    assert found.low < found.value < found.high


def test_a_ratio_is_clear_where_its_range_leaves_out_one() -> None:
    assert Ratio(2.0, 1.1, 3.0).is_clear
    assert not Ratio(2.0, 0.9, 3.0).is_clear
    assert str(Ratio(2.0, 1.1, 3.0)) == "2x (1.1 to 3)"


def test_a_total_that_is_not_known_has_no_ratio() -> None:
    one, other = (estimate(model, "loihi", rates=10.0).bill("loihi") for model in (DENSE, VISION))
    assert energy_ratio(other, one) is None
    assert latency_ratio(other, one) is None


def test_the_first_network_is_the_baseline() -> None:
    found = matrix([estimate(model, "cpu", "raspberry-pi-4") for model in MODELS])
    assert found.devices == ("cpu", "raspberry-pi-4")
    for (place, _), entry in found.entries.items():
        if place == 0 and entry.energy is not None:
            assert entry.energy.value == near(1.0)
    total = [found.entries[place, "cpu"].energy_joules for place in range(2)]
    ratio = found.entries[1, "cpu"].energy
    assert ratio is not None
    assert None not in total
    assert ratio.value == near(total[1] / total[0])  # type: ignore[operator]  # see above


def test_six_devices_stand_in_tables_of_a_hundred_characters() -> None:
    names = "raspberry-pi-4,rtx-4090,stm32h743,m2-pro,h100-sxm,jetson-agx-orin"
    shown = good("compare", *MODELS, "-d", names)
    body, _, _ = shown.partition("~: no clear difference")
    assert max(map(len, body.splitlines())) <= 100
    assert all(name in body for name in names.split(","))


def test_a_device_has_no_columns_of_what_it_does_not_model() -> None:
    devices = ("raspberry-pi-4", "horowitz-45nm", "cpu")
    found = matrix([estimate(model, *devices) for model in (DENSE, VISION)])
    _, *measures = found.tables()
    shown = [[one.title for one in each.columns if one.title in devices] for each in measures]
    assert shown == [["raspberry-pi-4"], list(devices), ["raspberry-pi-4"]]


def test_a_saved_estimate_takes_part_with_its_own_figures(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    good("estimate", DENSE, "-d", "cpu,raspberry-pi-4", "-o", file)
    found = json.loads(good("compare", file, VISION, "-d", "raspberry-pi-4", "--format", "json"))
    before, after = found["entries"]
    assert before["is_saved"]
    assert not after["is_saved"]
    alone = estimate(DENSE, "raspberry-pi-4").total("raspberry-pi-4")
    assert before["latency_seconds"] == near(alone.latency_seconds)
    ratio = after["latency_ratio"]
    assert ratio["value"] == near(after["latency_seconds"] / before["latency_seconds"])
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert "dense (saved)" in good("compare", file, VISION, "-d", "raspberry-pi-4")


def test_a_saved_estimate_under_other_conditions_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    good("estimate", DENSE, "-d", "cpu", "--batch", "4", "-o", file)
    assert "not all under the same conditions" in good("compare", file, VISION, "-d", "cpu")


def test_a_saved_estimate_without_the_device_and_its_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    values = json.loads(good("estimate", DENSE, "-d", "cpu", "--format", "json"))
    del values["graph"]
    file.write_text(json.dumps(values))
    result = run("compare", file, VISION, "-d", "gpu")
    assert result.exit_code == 2
    assert f"{file} has no figures of gpu" in result.stderr
    assert "this saved estimate holds no network" in result.stderr


def test_a_matrix_says_what_does_not_fit() -> None:
    vgg = "examples/vgg9.json"
    found = str(matrix([estimate(model, "stm32h743", "cpu", "gpu") for model in (DENSE, vgg)]))
    assert "flash 31.6 MB, does not fit" in found
    assert "flash needs 31.6 MB and has 2 MB" in found
    assert "~: no clear difference" in found


@pytest.mark.parametrize(
    ("estimates", "message"),
    [
        ([(DENSE, "cpu")], "at least 2 networks, found 1"),
        ([(DENSE, "cpu"), (VISION, "gpu")], "was estimated on gpu; expected the devices of dense"),
    ],
    ids=["one", "other devices"],
)
def test_what_cannot_be_compared_is_refused(estimates: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        matrix([estimate(*one) for one in estimates])


def test_three_models_on_two_devices_are_a_matrix() -> None:
    shown = good("compare", *MODELS, "-d", "cpu,raspberry-pi-4")
    assert "latency, and its ratio to dense" in shown
    assert "energy, and its ratio to dense" in shown
    found = json.loads(good("compare", *MODELS, "-d", "cpu,raspberry-pi-4", "--format", "json"))
    assert found["schema"] == "costmodel/matrix/1"
    assert len(found["entries"]) == 6
    text = good("compare", *MODELS, "-d", "cpu,raspberry-pi-4", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6
    assert float(rows[0]["energy ratio"]) == near(1.0)


def test_two_networks_of_different_kinds_are_compared_by_groups() -> None:
    assert not are_related(REGISTRY.read(DENSE), REGISTRY.read(VISION))
    shown = good("compare", DENSE, VISION, "-d", "cpu")
    assert "energy by kind" in shown
    assert "only in" not in shown
    assert "only in" in good("compare", DENSE, VISION, "-d", "cpu", "--layers")


def renamed(network: Network) -> Network:
    """The same layers under other names."""
    names = {layer.name: f"other {place}" for place, layer in enumerate(network.layers)}
    edges = {
        names[layer.name]: [names[port.layer] for port in network.sources(layer.name)]
        for layer in network.layers
        if network.sources(layer.name)
    }
    return Network("renamed", [one.renamed(names[one.name]) for one in network.layers], edges)


def test_layers_of_a_renamed_network_meet_by_their_place() -> None:
    network = REGISTRY.read(VISION)
    other = renamed(network)
    assert are_related(network, other)
    found = compare(estimate(network, "cpu"), "cpu", estimate(other, "cpu"), "cpu")
    assert not found.differences
    assert found.same == len(network.layers)


def test_a_layer_that_was_left_out_is_alone_on_its_side() -> None:
    network = REGISTRY.read(VISION)
    shorter = Network("shorter", network.layers[:-1], {
        layer.name: [port.layer for port in network.sources(layer.name)]
        for layer in network.layers[:-1] if network.sources(layer.name)
    })  # fmt: skip
    found = compare(estimate(network, "cpu"), "cpu", estimate(renamed(shorter), "cpu"), "cpu")
    assert [item.layer for item in found.differences] == [network.layers[-1].name]


def test_layers_are_compared_by_time_where_energy_is_a_power_over_it() -> None:
    shown = good("compare", DENSE, "-d", "raspberry-pi-4,raspberry-pi-5")
    assert shown.startswith("dense: latency by raspberry-pi-4 and by raspberry-pi-5")


def test_layers_of_several_devices_are_not_compared(tmp_path: Path) -> None:
    result = run("compare", *MODELS, "-d", "cpu", "--layers", "-o", tmp_path / "a.json")
    assert result.exit_code == 2
    assert "--layers compares two models on one device" in result.stderr
    assert not list(tmp_path.iterdir())
