"""The command line, in process where that is enough and as a real command where it is not."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import click
import pytest
import worlds
from attrs import frozen
from console import DENSE, OPEN_AXES, TWO_INPUTS, VISION, good, run
from figures import near
from reports import chain

import costmodel
from costmodel import Convention, Device, Scenario
from costmodel import registry as registrys
from costmodel.devices import Charge, Cost, Factor, Parameter, handles, parameter, setting
from costmodel.workload.operators import Contraction, Reduction, unmapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

COMMAND = Path(sys.executable).with_name("costmodel")


def command(*arguments: str, **extra: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # our own command
        [COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60, **extra
    )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A way to replace the installed registry by the house and further plugins."""

    def use(**plugins: object) -> None:
        made = worlds.world(**worlds.HOUSE, **plugins)
        monkeypatch.setattr(registrys, "installed", lambda: made)

    return use


@frozen
class Pooler(Device):
    """Pays for pooling alone.

    Nobody builds such a thing.
    """

    family: ClassVar = "pooler"
    resources: ClassVar = ("windows",)

    windows: Parameter = parameter("")
    mode: int = setting(int, default=1)

    @handles(Reduction)
    def pooling(self, operator: Reduction, scenario: Scenario) -> Cost:
        factors = (Factor("elements", operator.elements), Factor("examples", scenario.batch))
        return Cost([Charge("windows", "compute", factors, self.windows)])


# ------------------------------------------------------------------ estimate


def test_an_estimate_lists_every_layer_and_the_total() -> None:
    shown = good("estimate", DENSE, "-d", "cpu", "--layers")
    assert [line.split()[0] for line in shown.splitlines()[4:7]] == ["features", "first", "second"]
    assert "6.75 µJ" in next(line for line in shown.splitlines() if line.startswith("Total"))


def test_devices_may_be_repeated_or_separated_by_commas() -> None:
    repeated = good("estimate", DENSE, "-d", "cpu", "-d", "gpu", "-d", "arm")
    assert repeated == good("estimate", DENSE, "-d", "cpu, gpu", "-d", "arm")


def test_a_device_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine, too.yaml"
    file.write_text(Path(str(worlds.REGISTRY.device("cpu").file)).read_text())
    assert "6.75 µJ" in good("estimate", DENSE, "-d", file)


def test_without_a_device_the_known_ones_are_reported() -> None:
    result = run("estimate", DENSE)
    assert result.exit_code == 2
    assert "known: a10, a100-pcie-40gb, " in result.stderr
    assert "see them all: costmodel devices" in result.stderr
    assert result.stdout == ""


def test_several_models_give_several_tables() -> None:
    shown = good("estimate", DENSE, TWO_INPUTS, "-d", "cpu")
    assert shown.startswith("dense: ")
    assert "\n\ntwo_inputs: " in shown


def test_one_model_as_json_is_one_object_and_several_are_a_list() -> None:
    one = json.loads(good("estimate", DENSE, "-d", "cpu", "--format", "json"))
    two = json.loads(good("estimate", DENSE, TWO_INPUTS, "-d", "cpu", "--format", "json"))
    assert one["devices"]["cpu"]["energy_joules"]["value"] == near(785 * 8.6e-9)
    assert [item["network"]["name"] for item in two] == ["dense", "two_inputs"]
    assert two[0] == one


def test_several_models_as_csv_are_one_table_that_names_them() -> None:
    rows = list(
        csv.reader(io.StringIO(good("estimate", DENSE, DENSE, "-d", "cpu", "--format", "csv")))
    )
    assert rows[0][:2] == ["Table", "Layer"]
    assert [row[1] for row in rows[1:]] == ["features", "first", "second"] * 2


def test_markdown_is_a_github_table() -> None:
    shown = good("estimate", DENSE, "-d", "cpu", "--format", "markdown", "--layers")
    assert "| Layer | Kind |" in shown


def test_timesteps_rate_and_dt_scale_what_spikes_cost() -> None:
    def synapses(*options: str) -> float:
        shown = good("estimate", DENSE, "-d", "spinnaker", "--format", "json", *options)
        return json.loads(shown)["devices"]["spinnaker"]["energy_joules_by_resource"]["synapses"]  # type: ignore[no-any-return]

    once = synapses("--rate", "10")
    assert synapses("--rate", "20") == near(2 * once)
    assert synapses("--rate", "0.01 kHz", "--timesteps", "3") == near(3 * once)
    assert synapses("--rate", "10 Hz", "--dt", "2 ms") == near(2 * once)
    assert synapses("--rate", "10", "--dt", "0.004") == near(4 * once)
    assert synapses("--rate", "10", "--batch", "5") == near(5 * once)


def test_a_rate_of_one_layer_replaces_the_rate_of_all() -> None:
    def synapses(option: str) -> list[float]:
        options = [option, "0", option, "first=10", "--format", "json"]
        found = json.loads(good("estimate", DENSE, "-d", "spinnaker", *options))
        by_name = {item["name"]: item for item in found["devices"]["spinnaker"]["layers"]}
        return [
            by_name[name]["energy_joules_by_resource"]["synapses"] for name in ("first", "second")
        ]

    first, second = (count * 10 * 0.001 * 13.3e-9 for count in (600, 150))
    assert synapses("--input-rate") == near([first, 0.0])
    assert synapses("--rate") == near([0.0, second])


def test_rates_of_outputs_and_of_inputs_together_are_refused() -> None:
    result = run("estimate", DENSE, "-d", "loihi", "--rate", "1", "--input-rate", "1")
    assert result.exit_code == 2
    assert "rates and input_rates are both given" in result.stderr


def test_help_says_which_rate_an_option_takes() -> None:
    shown = " ".join(good("estimate", "--help").split())
    assert "--rate [LAYER=]HZ Mean firing rate in hertz of the output" in shown
    assert "--input-rate [LAYER=]HZ In place of --rate: mean firing rate in hertz of the" in shown


def test_set_replaces_a_parameter_of_one_device() -> None:
    setting = "cpu.energy_per_multiply_accumulate=17.2 nJ"
    shown = good("explain", DENSE, "first", "-d", "cpu,gpu", "--set", setting)
    assert "17.2 nJ" in shown
    assert "given by the caller" in shown
    assert "300 pJ" in shown


def test_the_shape_of_the_only_input_needs_no_name() -> None:
    layers = ("estimate", OPEN_AXES, "-d", "cpu", "--layers")
    named = good(*layers, "--input-shape", "image=12x12x3")
    assert "10 x 10 x 4" in named
    assert named == good(*layers, "--input-shape", "12x12x3")


def test_the_shape_of_one_of_two_inputs_needs_a_name() -> None:
    result = run("estimate", TWO_INPUTS, "-d", "cpu", "--input-shape", "4")
    assert result.exit_code == 2
    assert "needs a name, as in NAME=224x224x3; inputs: left, right" in result.stderr


def test_unpriced_work_is_one_note_on_standard_error() -> None:
    result = run("estimate", VISION, "-d", "loihi,spinnaker", "--rate", "10")
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1
    assert "not in the total of vision: 1 of 10 layers on loihi, spinnaker" in result.stderr


def test_a_bound_needs_no_note() -> None:
    options = ["--rate", "10", "--on-unpriced", "bound"]
    assert run("estimate", VISION, "-d", "loihi", *options).stderr == ""


def test_unpriced_work_answers_no_where_asked_to() -> None:
    result = run("estimate", VISION, "-d", "loihi", "--rate", "1", "--on-unpriced", "error")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "pool" in result.stderr
    assert "--on-unpriced bound" in result.stderr
    assert "on_unpriced" not in result.stderr


def test_an_estimate_that_leaves_nothing_out_is_reported_where_asked_to() -> None:
    options = ["-d", "cpu", "--on-unpriced", "error", "--format", "json"]
    assert json.loads(good("estimate", VISION, *options))["on_unpriced"] == "error"


def test_the_formats_of_what_a_network_does_not_declare_are_chosen() -> None:
    options = ["--default-format", "int8", "--source-format", "float16", "--format", "json"]
    scenario = json.loads(good("estimate", DENSE, "-d", "cpu", *options))["scenario"]
    assert (scenario["default_format"], scenario["source_format"]) == ("fixed<8,7>", "float16")
    eight, full = (
        good("estimate", DENSE, "-d", "horowitz-45nm", "--default-format", name)
        for name in ("int8", "float32")
    )
    assert eight != full


@pytest.mark.parametrize("option", ["--default-format", "--source-format"])
def test_a_format_that_is_none_is_wrong_use(option: str) -> None:
    result = run("estimate", DENSE, "-d", "cpu", option, "int8x")
    assert result.exit_code == 2
    assert "int8x" in result.stderr


def test_the_same_convention_twice_is_wrong_use() -> None:
    result = run("estimate", DENSE, "-d", "cpu", *["--convention", "costmodel"] * 2)
    assert result.exit_code == 2
    assert "convention 'costmodel' is given more than once" in result.stderr


@pytest.mark.parametrize("command", [["estimate", "-"], ["explain", "-", "first"]])
def test_a_network_is_not_read_from_standard_input(command: list[str]) -> None:
    result = run(*command, "-d", "cpu")
    assert result.exit_code == 2
    assert "a network is not read from standard input; give a file" in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["pipe.json", "pipe.keras"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    result = run("estimate", tmp_path / name, "-d", "cpu")
    assert result.exit_code == 2
    assert "a pipe or device is not read; expected a regular file" in result.stderr


# ------------------------------------------------------------------ two conventions


@pytest.fixture
def halving(world: Any) -> None:
    """A convention that counts half of every kernel and knows no pooling."""
    from costmodel import Convention, Unpriced  # noqa: PLC0415

    class Half(Convention):
        def work(self, layer: Any) -> Any:
            work = super().work(layer)
            if not isinstance(work, list | tuple):
                return work
            if any(isinstance(operator, Reduction) for operator in work):
                return Unpriced("pooling is unknown here")
            return [halved(operator) for operator in work]

    def halved(operator: Any) -> Any:
        if not isinstance(operator, Contraction):
            return operator
        operands = [one for item in operator.operands for one in unmapped(item.role, [item.tensor])]
        return Contraction(dims={"half": operator.macs // 2}, operands=operands)

    world(half=worlds.plugin(conventions=[Half("half", "half of everything")]))


@pytest.mark.usefixtures("halving")
def test_two_conventions_show_which_layers_differ_and_why() -> None:
    shown = good(
        "estimate", VISION, "-d", "cpu", "--convention", "costmodel", "--convention", "half"
    )
    assert "55,296 -> 27,648 multiply-accumulates" in shown
    assert "half: unpriced: pooling is unknown here" in shown
    rows = [line.partition(" ")[0] for line in shown.splitlines()[4:]]
    assert rows[0] == "conv"
    assert "relu" not in rows
    assert "3 further layers are charged alike on both sides" in shown


@pytest.mark.usefixtures("halving")
def test_two_conventions_on_two_devices_are_a_list_in_json() -> None:
    both = ["--convention", "costmodel", "--convention", "half"]
    found = json.loads(good("estimate", VISION, "-d", "cpu,gpu", *both, "--format", "json"))
    assert [item["before"]["device"] for item in found] == ["cpu", "gpu"]
    assert {item["schema"] for item in found} == {"costmodel/comparison/2"}


# ------------------------------------------------------------------ explain


def test_an_explanation_has_operands_unit_and_source() -> None:
    shown = good("explain", DENSE, "first", "-d", "loihi", "--rate", "10")
    for words in ("connections 600", "firing rate 10 Hz", "23.6 pJ", "simulated", "Davies"):
        assert words in shown


def test_an_explanation_names_the_layer_whose_rate_is_missing() -> None:
    for given, silent in (("--input-rate", "second"), ("--rate", "first")):
        result = run("explain", DENSE, "second", "-d", "loihi", given, "first=10")
        assert result.exit_code == 2
        assert f"layer {silent!r} on 'loihi'" in result.stderr
        rest = "*=1"
        shown = good("explain", DENSE, "second", "-d", "loihi", given, "first=10", given, rest)
        assert "firing rate" in shown


def test_an_explanation_is_that_of_the_whole_estimate() -> None:
    whole = worlds.REGISTRY
    made = costmodel.estimate(DENSE, "cpu", registry=whole)
    assert good("explain", DENSE, "second", "-d", "cpu") == f"{made.explain('second', 'cpu')}\n"


def test_a_rate_of_no_layer_is_wrong_in_an_explanation_too() -> None:
    result = run("explain", DENSE, "first", "-d", "loihi", "--rate", "1", "--rate", "frist=1")
    assert "which is not a layer; nearest known: 'first'" in result.stderr


def test_a_device_twice_is_wrong_in_an_explanation_too() -> None:
    result = run("explain", DENSE, "first", "-d", "cpu,cpu")
    assert result.exit_code == 2
    assert "device 'cpu' is given more than once" in result.stderr


def test_a_block_that_is_to_be_explained_is_one_and_its_costliest_layers_are_named(
    tmp_path: Path,
) -> None:
    model = tmp_path / "model.json"
    model.write_text(chain(["block_1_a", "block_1_b", "block_2_a", "block_2_b"]))
    result = run("explain", model, "block_1", "-d", "cpu")
    assert result.exit_code == 2
    assert "'block_1' is a block of 2 layers, the costliest on cpu are block_1_a" in result.stderr
    assert "`costmodel estimate MODEL --group-by block`" in result.stderr
    assert "known: block_1_a, block_1_b\n" in result.stderr


def test_an_unknown_layer_is_reported_with_the_nearest() -> None:
    result = run("explain", DENSE, "frist", "-d", "cpu")
    assert result.exit_code == 2
    assert "unknown layer 'frist'\n  nearest known: 'first'" in result.stderr


# ------------------------------------------------------------------ devices and plugins


def test_devices_lists_every_device_with_its_plugin() -> None:
    shown = good("devices")
    blocks = shown.split("\n\n")
    heads = [block for block in blocks if block.startswith("class ")]
    assert heads == [
        "class ethos-u", "class event-driven", "class horowitz", "class per-operation",
        "class processor", "class spatial",
    ]  # fmt: skip
    rows = {line.split()[0]: line for block in blocks for line in block.splitlines()[2:]}
    assert set(rows) >= set(worlds.ALL)
    assert rows["loihi"].endswith("hardware")
    assert "loihi" in blocks[blocks.index("class event-driven") + 1]


def test_the_list_says_how_well_times_are_known() -> None:
    lines = good("devices", "--class", "processor").splitlines()
    errors = {line.split()[0]: line.split()[-2] for line in lines if line.endswith(" hardware")}
    assert errors["raspberry-pi-4"].endswith("%")
    assert errors["rtx-4080"] == "?"
    assert "loihi" not in errors


def test_devices_are_found_by_a_part_of_their_title_or_runtime() -> None:
    assert "jetson-agx-orin" in good("devices", "--search", "JETSON")
    assert "rtx-3090" not in good("devices", "--search", "JETSON")
    assert "raspberry-pi-4" in good("devices", "--search", "tflite")
    assert "no device is like that" in good("devices", "--search", "nothing like it")


def test_a_class_of_devices_that_does_not_exist_is_reported() -> None:
    result = run("devices", "--class", "procesor")
    assert result.exit_code == 2
    assert "unknown class of devices 'procesor'\n  nearest known: 'processor'" in result.stderr


def test_a_device_is_shown_with_every_fact() -> None:
    shown = good("devices", "show", "loihi")
    for words in ("81 pJ", "52 pJ to 81 pJ", "simulated", "Davies", "an active neuron", "14 nm"):
        assert words in shown


def test_the_list_of_devices_fits_a_terminal() -> None:
    assert max(map(len, good("devices").splitlines())) <= 80


def test_a_device_shows_its_settings_and_what_it_does_not_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = Path(str(worlds.REGISTRY.device("horowitz-45nm").file)).read_text()
    text = text.replace("weights_on_memory: dram", "weights_on_memory: sram")
    file.write_text(text.replace("rd_wr_on_io: true", "rd_wr_on_io: false"))
    shown = good("devices", "show", file)
    blocks = {block.splitlines()[0]: block.split() for block in shown.split("\n\n")}
    assert blocks["weights_on_memory"][1:] == (
        ["setting", "sram", "takes", "dram,", "sram,", "fixed", "default", "dram"]
    )
    assert blocks["rd_wr_on_io"][1:3] == ["setting", "false"]
    assert "not modelled  control, clock" in shown
    assert "--set horowitz-45nm.NAME=VALUE" in shown


def test_classes_of_devices_are_listed_with_what_they_take_and_price() -> None:
    blocks = good("devices", "classes").split("\n\n")
    found = {block.splitlines()[0]: block for block in blocks}
    assert list(found) == [
        "ethos-u", "event-driven", "horowitz", "per-operation", "processor", "spatial",
    ]  # fmt: skip
    effective = "One effective energy per operation, of the whole chip with memory, for every"
    assert f"formula       {effective} numeric format." in found["per-operation"]
    for words in (
        "plugin        hardware",
        "formula       Arithmetic by the circuit",
        "prices        Contraction, Counted, Elementwise, Reduction, Activation, Softmax, Gather",
        "not modelled  control, clock",
        "energy_per_dram_access        J\n",
        "energy_per_16_bit_add         J, optional\n",
        "weights_on_memory      dram, sram, fixed; default dram",
        "min_sram_size          a number of bits; default 0",
        "rd_wr_on_io            true, false; default true",
    ):
        assert words in found["horowitz"]
    assert "settings" not in found["per-operation"]


def test_a_class_of_devices_tells_which_work_it_has_no_price_for(world: Any) -> None:
    world(acme=worlds.plugin(devices=[Pooler]))
    block = next(text for text in good("devices", "classes").split("\n\n") if "acme" in text)
    assert block.splitlines() == [
        "pooler",
        "  plugin    acme",
        "  formula   Pays for pooling alone.",
        "  prices    Reduction",
        "  unpriced  Contraction, Elementwise, Activation, Gather, Movement",
        "  parameters",
        "    windows  a plain number",
        "  settings",
        "    mode  default 1",
    ]


def test_a_broken_device_is_a_row_and_a_note(world: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: broken")
    world(bad=worlds.plugin(device_files=[broken]))
    result = run("devices")
    assert result.exit_code == 0
    assert "cannot be loaded" in result.stdout
    assert "plugin 'bad'" in result.stderr


def test_what_a_plugin_prints_is_not_data(world: Any) -> None:
    def devices() -> Any:
        print("hello from the hook")  # noqa: T201  # what a careless plugin does
        return []

    world(chatty=worlds.plugin(devices=devices))
    result = run("devices")
    assert "hello" not in result.stdout
    assert "hello from the hook" in result.stderr


def test_good_device_files_are_said_to_be_good() -> None:
    files = [str(worlds.REGISTRY.device(name).file) for name in worlds.SHIPPED]
    shown = good("devices", "validate", *files)
    assert shown.count(": good (") == len(worlds.SHIPPED)


def test_a_wrong_device_file_answers_no_with_all_its_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "schema: costmodel/device/2\nname: 3\nclass: event-drivn\nsources: {}\ncolour: 1\n"
    )
    result = run("devices", "validate", file, tmp_path / "missing.yaml")
    assert result.exit_code == 1
    for words in ("name: expected text", "nearest 'event-driven'", "'colour'", "cannot be read"):
        assert words in result.stdout


def test_plugins_are_listed_with_their_hooks() -> None:
    rows = {line.split()[0]: line for line in good("plugins").splitlines()[4:]}
    assert set(rows) == {
        "hardware", "hgq", "keras", "nir", "onnx", "qkeras", "spiking", "stablehlo", "tflite",
        "torch", "validation",
    }  # fmt: skip
    assert "device_files, devices" in rows["hardware"]


def test_what_is_wrong_with_a_plugin_is_in_its_row(world: Any) -> None:
    def fail() -> Iterator[Any]:
        message = "no luck"
        raise RuntimeError(message)

    world(unlucky=worlds.plugin(readers=fail))
    row = next(line for line in good("plugins").splitlines() if line.startswith("unlucky"))
    assert "costmodel_readers: RuntimeError: no luck" in row


def test_a_broken_device_of_a_plugin_is_reported_in_its_row_before_anybody_asks_for_it(
    world: Any, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("schema: costmodel/device/2\nname: broken\nclass: per-opration\n")
    world(bad=worlds.plugin(device_files=[broken, tmp_path / "missing.yaml"]))
    shown = good("plugins")
    row = next(line for line in shown.splitlines() if line.startswith("bad"))
    assert "broken.yaml: 2 mistakes" in row
    assert "class: 'per-opration' is not known; nearest 'per-operation'" in row
    assert "missing.yaml: 1 mistake cannot be read: No such file or directory" in row
    hardware = next(line for line in shown.splitlines() if line.startswith("hardware"))
    assert hardware.endswith("device_files, devices")


@pytest.mark.parametrize("hook", ["commands", "device_files"])
def test_a_plugin_that_offers_something_else_is_reported_in_its_row(world: Any, hook: str) -> None:
    world(odd=worlds.plugin(**{hook: [lambda: None]}))
    row = next(line for line in good("plugins").splitlines() if line.startswith("odd"))
    assert f"costmodel_{hook}" in row


def test_a_command_of_a_plugin_joins_the_group(world: Any) -> None:
    @click.command()
    def greet() -> None:
        """Say hello."""
        click.echo("hello")

    world(polite=worlds.plugin(commands=[greet]))
    assert good("greet") == "hello\n"
    assert "Say hello." in good("--help")


def test_a_plugin_cannot_take_the_name_of_a_command(world: Any) -> None:
    @click.command("estimate")
    def stranger() -> None:
        click.echo("mine")

    world(greedy=worlds.plugin(commands=[stranger]))
    assert "dense" in good("estimate", DENSE, "-d", "cpu")
    row = next(line for line in good("plugins").splitlines() if line.startswith("greedy"))
    assert "'estimate' is a command of costmodel" in row


# ------------------------------------------------------------------ how it ends


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["estimate", "--help"], ["explain", "--help"], ["compare", "--help"],
        ["devices", "--help"],
        ["devices", "show", "--help"], ["devices", "validate", "--help"], ["plugins", "--help"],
    ],
)  # fmt: skip
def test_every_help_text_has_an_example(arguments: list[str]) -> None:
    example = " ".join(["  costmodel", *arguments[:-1]])
    assert example in good(*arguments)


def test_an_unexpected_error_is_one_line_without_a_traceback(world: Any) -> None:
    result = _crash(world)
    assert result.exit_code == 2
    assert "unexpected ZeroDivisionError" in result.stderr
    assert "please report it" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unexpected_error_can_be_looked_into(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTMODEL_TRACEBACK", "1")
    assert "Traceback" in _crash(world).stderr


def test_ctrl_c_leaves_with_130(world: Any) -> None:
    @click.command()
    def stop() -> None:
        raise KeyboardInterrupt

    world(stop=worlds.plugin(commands=[stop]))
    assert run("stop").exit_code == 130


def _crash(world: Any) -> Result:
    @click.command()
    def crash() -> None:
        _ = 1 / 0

    world(crash=worlds.plugin(commands=[crash]))
    return run("crash")


# ------------------------------------------------------------------ -o


def test_a_file_gets_what_standard_output_would(tmp_path: Path) -> None:
    file = tmp_path / "bill.json"
    assert good("estimate", DENSE, "-d", "cpu", "-o", file) == ""
    assert file.read_text() == good("estimate", DENSE, "-d", "cpu", "--format", "json")
    assert list(tmp_path.iterdir()) == [file]


def test_the_format_asked_for_beats_the_name_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bill.json"
    good("estimate", DENSE, "-d", "cpu", "-o", file, "--format", "csv")
    assert file.read_text().startswith("Layer,Kind")


def test_a_name_that_stands_for_no_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bill.xlsx"
    result = run("estimate", DENSE, "-d", "cpu", "-o", file)
    assert result.exit_code == 2
    assert "'.xlsx' says no format: end FILE in one of .json, .csv, .md, .txt" in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert good("estimate", DENSE, "-d", "cpu", "-o", file, "--format", "csv") == ""


def test_a_file_is_kept_when_the_run_fails(tmp_path: Path) -> None:
    file = tmp_path / "bill.txt"
    file.write_text("before")
    assert run("estimate", DENSE, "missing.json", "-d", "cpu", "-o", file).exit_code == 2
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_and_the_rights_of_a_file_are_kept(tmp_path: Path) -> None:
    file, link = tmp_path / "bill.txt", tmp_path / "link.txt"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    good("estimate", DENSE, "-d", "cpu", "-o", link)
    assert link.is_symlink()
    assert file.read_text().startswith("dense")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_dash_is_standard_output() -> None:
    assert good("estimate", DENSE, "-d", "cpu", "-o", "-").startswith("dense")


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a Unix device")
def test_a_device_of_the_system_is_written_to_and_not_replaced() -> None:
    good("estimate", DENSE, "-d", "cpu", "-o", "/dev/null")
    assert Path("/dev/null").is_char_device()


def test_the_path_of_standard_output_is_standard_output() -> None:
    done = command("estimate", DENSE, "-d", "cpu", "-o", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dense")


# ------------------------------------------------------------------ the real command


def test_data_and_notes_go_different_ways() -> None:
    done = command("estimate", VISION, "-d", "loihi", "--rate", "10", "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["network"]["name"] == "vision"
    assert done.stderr.startswith("note: not in the total of vision")


def test_a_pipe_gets_plain_text_as_wide_as_it_needs() -> None:
    done = command("estimate", VISION, "-d", "cpu,gpu,arm", env={**os.environ, "COLUMNS": "40"})
    assert "\x1b" not in done.stdout
    assert "Parameters" in done.stdout
    assert max(map(len, done.stdout.splitlines())) > 80


def test_the_module_is_the_command() -> None:
    arguments = [sys.executable, "-m", "costmodel", "--version"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout == command("--version").stdout
    assert done.stdout.startswith("costmodel 0.")


def test_a_reader_that_goes_away_is_not_an_error() -> None:
    first, second = os.pipe()
    os.close(first)
    with os.fdopen(second, "w") as closed:
        done = subprocess.run(
            [COMMAND, "estimate", VISION, "-d", "cpu"],
            stdout=closed, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_reported() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "estimate", VISION, "-d", "cpu"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert "standard output cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_knows_only_ascii_gets_u_for_micro() -> None:
    done = command("estimate", DENSE, "-d", "cpu", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "6.75 uJ" in done.stdout


def test_a_cold_estimate_loads_neither_rich_nor_numpy_nor_a_framework() -> None:
    code = (
        "import sys; from costmodel.cli import main\n"
        f"main(['estimate', {DENSE!r}, '-d', 'cpu'], standalone_mode=False)\n"
        "print(sorted({'rich', 'numpy', 'h5py', 'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_that_steer_a_terminal_are_shown_harmless(tmp_path: Path) -> None:
    text = Path(DENSE).read_text().replace("first", "fi\\u001b[2Jrst\\nnext")
    file = tmp_path / "evil.json"
    file.write_text(text)
    shown = good("estimate", file, "-d", "cpu", "--layers")
    assert "\x1b" not in shown
    assert "fi\\x1b[2Jrst\\nnext" in shown


@pytest.mark.parametrize(("form", "said"), [("table", 0), ("markdown", 0), ("csv", 1), ("json", 1)])
def test_faults_of_plugins_are_reported_once(form: str, said: int, world: Any) -> None:
    world(bad=SimpleNamespace(costmodel_devices=list))
    result = run("estimate", DENSE, DENSE, "-d", "cpu", "--format", form)
    assert result.stderr.count("plugin 'bad': defines costmodel_devices without @hookimpl") == said
    assert ("plugin 'bad'" in result.stdout) == (form != "csv")


def test_a_comparison_of_conventions_tells_what_is_wrong_with_plugins(world: Any) -> None:
    mine = worlds.plugin(conventions=[Convention("mine")])
    world(mine=mine, bad=SimpleNamespace(costmodel_devices=list))
    both = ["--convention", "costmodel", "--convention", "mine"]
    assert "plugin 'bad'" in run("estimate", DENSE, "-d", "cpu", *both).stderr


@pytest.mark.parametrize(("typed", "meant"), [("device", "devices"), ("estmate", "estimate")])
def test_an_unknown_command_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    result = run(typed)
    assert result.exit_code == 2
    assert f"unknown command {typed!r}\n  nearest known: {meant!r}" in result.stderr


def test_an_unknown_command_is_answered_with_what_is_wrong_with_plugins(world: Any) -> None:
    world(bad=SimpleNamespace(costmodel_commands=list))
    assert "plugin 'bad': defines costmodel_commands" in run("tune").stderr


# ------------------------------------------------------------------ hooks


def test_hooks_lists_every_hook() -> None:
    shown = good("hooks")
    for name in ("readers", "layers", "devices", "device_files", "conventions", "commands"):
        assert f"\n{name} " in shown


@pytest.mark.parametrize("name", ["layers", "costmodel_layers"])
def test_hooks_shows_the_contract_of_one(name: str) -> None:
    shown = good("hooks", name)
    assert shown.startswith("@hookimpl\ndef costmodel_layers() -> Iterable[type[Layer]]:")
    assert "Two classes for one kind are an error." in shown


def test_an_unknown_hook_is_answered_with_the_nearest() -> None:
    result = run("hooks", "layer")
    assert result.exit_code == 2
    assert "nearest known: 'layers'" in result.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("costmodel estimate m.keras -d rasp", ["plain,raspberry-pi-4", "plain,raspberry-pi-5"]),
        ("costmodel report m.keras -d cpu,rtx-409", ["plain,cpu,rtx-4090"]),
        ("costmodel devices show loi", ["plain,loihi"]),
        ("costmodel estimate m.keras -d ./my", ["file,./my"]),
        ("costmodel estimate m.keras --group-by o", ["plain,operator"]),
    ],
)
def test_a_shell_offers_the_names_of_devices(words: str, offered: list[str]) -> None:
    words_before = str(len(words.split()) - 1)
    done = subprocess.run(
        [sys.executable, "-c", "from costmodel.cli import main; main(prog_name='costmodel')"],
        env={**os.environ, "COMP_WORDS": words, "COMP_CWORD": words_before,
             "_COSTMODEL_COMPLETE": "bash_complete"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert set(offered) <= set(lines)
    assert all(line.startswith(offered[0][:9]) for line in lines)
