"""`costmodel compare`: two models, two devices or two conventions."""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path
from typing import Any

import console
import pytest
import worlds
from console import DENSE, VISION
from figures import near

RATE = ("--rate", "10")


run, good = functools.partial(console.run, "compare"), functools.partial(console.good, "compare")


def values(*arguments: str | Path) -> Any:
    return json.loads(good(*arguments, "--format", "json"))


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    """The dense network with twice the units in its first layer."""
    file = tmp_path / "wider.json"
    config = json.loads(Path(DENSE).read_text())
    _, first, second = config["config"]["layers"]
    first["config"]["units"] = 60
    second["build_config"]["input_shape"] = [None, 60]
    file.write_text(json.dumps(config))
    return file


def test_two_devices_differ_layer_by_layer_the_largest_first() -> None:
    found = values(VISION, "-d", "cpu", "-d", "loihi", *RATE)
    sizes = [abs(item["energy_joules"]) for item in found["differences"]]
    assert sizes == sorted(sizes, reverse=True)
    assert found["schema"] == "costmodel/comparison/2"
    assert [found[side]["device"] for side in ("before", "after")] == ["cpu", "loihi"]
    reasons = {item["layer"]: item["reasons"] for item in found["differences"]}
    assert reasons["conv"] == ["charges"]
    assert reasons["pool"] == ["coverage"]


def test_two_devices_may_be_one_option() -> None:
    assert good(DENSE, "-d", "cpu,gpu") == good(DENSE, "-d", "cpu", "-d", "gpu")


def test_networks_with_the_same_name_are_called_like_their_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json", "old/b.json")]
    files[2].parent.mkdir()
    for file in files:
        file.write_text(Path(DENSE).read_text())
    found = values(*files, VISION, "-d", "cpu")
    assert [one["name"] for one in found["networks"]] == [
        "a.json", str(files[1]), str(files[2]), "vision",
    ]  # fmt: skip
    report = tmp_path / "report.html"
    console.good("report", files[0], files[1], "-d", "cpu", "-o", report)
    assert "a.json, b.json" in report.read_text()


def test_two_models_differ_in_counts(wider: Path) -> None:
    found = values(DENSE, wider, "-d", "cpu")
    assert {tuple(item["reasons"]) for item in found["differences"]} == {("count",)}
    assert "600 -> 1,200 multiply-accumulates" in found["differences"][0]["why"][0]


def test_models_of_one_name_are_before_and_after(wider: Path) -> None:
    assert "energy by before and by after" in good(DENSE, wider, "-d", "cpu").splitlines()[0]


def test_two_conventions_differ_in_coverage() -> None:
    both = ["--convention", "costmodel", "--convention", "keras-spiking"]
    shown = good(VISION, "-d", "cpu", *both)
    assert "energy by costmodel and by keras-spiking" in shown
    assert "coverage: one side prices what the other has free or unpriced" in shown


def test_the_conditions_are_in_the_result() -> None:
    options = ["--batch", "4", "--timesteps", "3", "--default-format", "int8"]
    found = values(DENSE, "-d", "cpu,loihi", *RATE, *options)
    for side in ("before", "after"):
        scenario = found[side]["scenario"]
        assert (scenario["batch"], scenario["timesteps"]) == (4, 3)
        assert (scenario["rates_hertz"], scenario["default_format"]) == (10.0, "fixed<8,7>")


def test_a_reason_that_layers_share_stands_once_below_the_table() -> None:
    shown = good(DENSE, "-d", "cpu,gpu")
    sentence = "energy_per_multiply_accumulate 8.6 nJ -> 300 pJ"
    assert shown.count(sentence) == 1
    assert f"[1] first, second: {sentence}" in shown


def test_a_spreadsheet_has_bare_numbers_and_whole_sentences() -> None:
    text = good(DENSE, "-d", "cpu,gpu", "--format", "csv")
    found = list(csv.DictReader(io.StringIO(text)))
    assert float(found[0]["cpu (J)"]) == near(630 * 8.6e-9)
    assert "energy_per_multiply_accumulate 8.6 nJ ->" in found[0]["Why"]


def test_a_file_gets_the_format_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "difference.json"
    assert good(DENSE, "-d", "cpu,gpu", "-o", file) == ""
    assert json.loads(file.read_text())["schema"] == "costmodel/comparison/2"


def test_a_changed_copy_of_a_device_is_another_device(tmp_path: Path) -> None:
    file = tmp_path / "cpu.yaml"
    text = Path(str(worlds.REGISTRY.device("cpu").file)).read_text()
    file.write_text(text.replace("8.6 nJ", "4.3 nJ"))
    found = values(DENSE, "-d", "cpu", "-d", file)
    assert found["energy_joules"] == near(-785 * 4.3e-9)


BOTH = ("--convention", "costmodel", "--convention", "keras-spiking")
EXPECTED = "give several models, or one model with two devices (-d cpu,loihi) or two conventions"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([DENSE, "-d", "cpu"], "found 1 model, 1 device, 1 convention; `costmodel estimate`"),
        ([DENSE, "-d", "cpu,gpu,arm"], "`costmodel estimate` shows one model on several devices"),
        ([DENSE, "-d", "cpu,gpu", *BOTH], EXPECTED),
        ([DENSE, VISION, DENSE, "-d", "cpu"], "dense.json' is given more than once"),
        ([DENSE, DENSE, "-d", "cpu"], "the two models are the same"),
        ([DENSE, "-d", "cpu,cpu"], "the two devices are the same"),
        ([DENSE, "-d", "cpu", *BOTH[:2], *BOTH[:2]], "the two conventions are the same"),
        ([DENSE, VISION], "give a device"),
        ([DENSE, "-", "-d", "cpu"], "a network is not read from standard input"),
        ([DENSE, "-d", "cpu,gpu", "-o", "a.xlsx"], "'.xlsx' says no format"),
        ([DENSE, "-d", "cpu,loihi"], "an event-driven device needs the firing rate"),
    ],
)
def test_what_is_not_a_comparison_is_wrong_use(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
