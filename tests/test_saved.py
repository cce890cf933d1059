"""Saved estimates as operands: every command takes one in place of its model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from console import DENSE, OPEN_AXES, VISION, good, run
from reports import chain
from worlds import REGISTRY

import costmodel
from costmodel import Network, Scenario
from costmodel.errors import ReadError
from costmodel.network.layer import Input, Layer
from costmodel.safe_io import SIZE_LIMIT, json_text, json_values

COMMANDS = {
    "estimate": ["estimate", "MODEL", "-d", "cpu,raspberry-pi-4"],
    "breakdown": ["estimate", "MODEL", "-d", "cpu", "--group-by", "kind"],
    "formats": ["estimate", "MODEL", "-d", "cpu", "--default-format", "float32,int8"],
    "explain": ["explain", "MODEL", "conv", "-d", "cpu"],
    "count": ["count", "MODEL"],
    "sensitivity": ["sensitivity", "MODEL", "-d", "horowitz-45nm"],
    "two devices": ["compare", "MODEL", "-d", "cpu,gpu"],
    "layers": ["compare", "MODEL", DENSE, "-d", "cpu", "--layers"],
    "check": ["check", "MODEL", "--budget", "budget.toml"],
}
"""What takes a model, other than as figures that were computed before."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a network, its estimate and a budget."""
    monkeypatch.chdir(tmp_path)
    Path("network.json").write_text(costmodel.read(VISION).to_json())
    Path("budget.toml").write_text('[devices.cpu]\nenergy = "1 J"\n')
    good("estimate", VISION, "-d", "cpu", "-o", "saved.json")
    return tmp_path


def answers(command: list[str], model: str) -> str:
    return good(*[model if part == "MODEL" else part for part in command])


@pytest.mark.parametrize("operand", ["saved.json", "network.json"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_takes_it_for_its_model(
    folder: Path, command: list[str], operand: str
) -> None:
    assert answers(command, operand) == answers(command, VISION)


@pytest.mark.parametrize("operand", ["saved.json", "network.json"])
def test_a_report_takes_it_for_its_model(folder: Path, operand: str) -> None:
    pages = []
    for model in (operand, VISION):
        good("report", model, "-d", "cpu", "-o", "report.html")
        pages.append(Path("report.html").read_text())
    assert pages[0] == pages[1]


def test_its_conditions_are_those_of_the_command_and_a_note_says_so(folder: Path) -> None:
    good("estimate", VISION, "-d", "cpu", "--batch", "8", "-o", "saved.json")
    done = run("estimate", "saved.json", "-d", "cpu")
    assert done.stdout == good("estimate", VISION, "-d", "cpu")
    assert "saved.json: the network of a saved estimate, under the conditions given" in done.stderr


def test_its_network_has_the_input_shapes_of_the_estimate(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    good("estimate", OPEN_AXES, "-d", "cpu", "--input-shape", "64x64x3", "-o", file)
    network = costmodel.read(file)
    assert network.is_bound
    assert network == costmodel.read(OPEN_AXES, input_shapes=(64, 64, 3))
    assert good("count", file) == good("count", OPEN_AXES, "--input-shape", "64x64x3")


def test_a_comparison_estimates_its_network_on_devices_that_it_lacks(folder: Path) -> None:
    done = run("compare", "saved.json", DENSE, "-d", "cpu,gpu")
    assert done.exit_code == 0, done.output
    assert "saved.json has no figures of gpu" in done.stderr
    assert done.stdout == good("compare", VISION, DENSE, "-d", "cpu,gpu")


def test_a_network_is_a_baseline(folder: Path) -> None:
    Path("budget.toml").write_text('[devices.cpu.growth]\nenergy = "5 %"\n')
    check = ("check", DENSE, "--budget", "budget.toml", "--baseline")
    found = [run(*check, baseline) for baseline in ("saved.json", "network.json")]
    assert [one.exit_code for one in found] == [0, 0], found[0].output
    assert found[0].stdout == found[1].stdout
    refused = run("check", DENSE, "--baseline", "network.json", "--update-baseline")
    assert refused.exit_code == 2
    assert "would overwrite network.json, which holds a network" in refused.output
    assert costmodel.read("network.json") == costmodel.read(VISION)


def test_an_estimate_holds_its_network_as_it_is() -> None:
    network = costmodel.read(VISION)
    for devices in ("cpu", "raspberry-pi-4"):
        made = costmodel.estimate(network, devices, scenario=Scenario(batch=4))
        assert costmodel.read(made.to_json()) == network


# ------------------------------------------------------------------ what cannot be read


def changed(change: Any) -> str:
    values = costmodel.estimate(DENSE, "cpu").to_dict()
    change(values)
    return json.dumps(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda values: values.pop("graph"),
            r"JSON text: this saved estimate holds no network \(an older version wrote it\)",
        ),
        (
            lambda values: values.update(graph=None, graph_missing="layer 'a' holds a 'Thing'"),
            r"holds no network \(layer 'a' holds a 'Thing'\)",
        ),
        (lambda values: values.update(graph=[]), "expected a network of the schema"),
        (
            lambda values: values["graph"].update(schema="costmodel/network/1"),
            "expected a network of the schema 'costmodel/network/2', found 'costmodel/network/1'",
        ),
        (lambda values: values["graph"].update(layers=[3]), "expected a JSON object, found 3"),
        (
            lambda values: values["graph"]["layers"][1].update(kind="no.Such"),
            "JSON text: .*'no.Such'",
        ),
    ],
)
def test_an_estimate_without_a_network_is_refused_in_words(change: Any, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        costmodel.read(changed(change))


def test_a_list_of_estimates_is_no_network(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    good("estimate", DENSE, VISION, "-d", "cpu", "-o", file)
    with pytest.raises(ReadError, match="expected one network or estimate, found a list of 2"):
        costmodel.read(file)


def test_a_network_that_no_file_can_hold_is_estimated_and_saved_without_it() -> None:
    class Nameless(Layer):
        """A layer that serves no kind."""

        def infer_outputs(self) -> Any:
            return self.inputs

        def lower(self) -> Any:
            return costmodel.Free("it does nothing")

    source = Input("input", "Input", shape=(4,))
    network = Network("odd", [source, Nameless("odd", "odd", source.outputs)], {"odd": ["input"]})
    values = costmodel.estimate(network, "cpu", on_unpriced="bound").to_dict()
    assert values["graph"] is None
    assert "serves no kind by which a file names it" in values["graph_missing"]


# ------------------------------------------------------------------ size


@pytest.mark.slow
def test_an_estimate_of_2000_layers_on_six_devices_can_be_read() -> None:
    network = costmodel.read(chain([f"block_{place // 10}_dense_{place}" for place in range(1998)]))
    devices = ["raspberry-pi-4", "horowitz-45nm", "rtx-4090", "stm32h743", "cpu", "gpu"]
    made = costmodel.estimate(network, devices, on_unpriced="bound", registry=REGISTRY)
    text = made.to_json()
    graph = json_text(network.to_dict())
    assert len(graph) < 0.15 * len(text) / len(devices)
    assert len(text) < SIZE_LIMIT
    assert costmodel.read(text) == network


@pytest.mark.parametrize("opened", [0, 1, 2, 5])
def test_json_on_few_lines_has_the_same_values(opened: int) -> None:
    values = {"a": [1, {"b": [2.5, None]}, []], "c": {}, "é\n": {"d": {"e": {"f": "g"}}}}
    text = json_text(values, opened)
    assert json_values(text, "text") == values
    assert (text.count("\n") == 0) == (opened == 0)
