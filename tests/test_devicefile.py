"""Device files: a good one, and every way to spoil it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from worlds import REGISTRY

from costmodel.cli import main
from costmodel.devicefile import DEPTH_LIMIT, SIZE_LIMIT, load_device
from costmodel.devices import Evidence
from costmodel.errors import DeviceFileError
from costmodel.testing.devices import as_file

GOOD = """\
schema: costmodel/device/2
name: toy
class: event-driven
title: A toy
process: 14 nm
sources:
  paper: "A. Author, A Paper, 2020"
parameters:
  energy_per_synaptic_operation: {value: 2 pJ, source: paper, evidence: measured}
  energy_per_spike_hop:
    {value: 3.5 pJ, low: 3 pJ, high: 4 pJ, source: paper, evidence: derived, note: mean}
  energy_per_neuron_update: {value: 81 pJ, source: paper, evidence: simulated}
"""
SYNAPSE = "{value: 2 pJ, source: paper, evidence: measured}"


def load(text: str) -> Any:
    return load_device(text.encode(), "toy.yaml", REGISTRY.device_families)


def mistakes(text: str) -> Any:
    with pytest.raises(DeviceFileError) as caught:
        load(text)
    assert str(caught.value).startswith("toy.yaml: ")
    return caught.value.mistakes


def test_a_good_file_is_a_device() -> None:
    device = load(GOOD)
    assert (device.name, device.title, device.process) == ("toy", "A toy", "14 nm")
    assert (device.family, device.file) == ("event-driven", "toy.yaml")
    hop = device.energy_per_spike_hop
    assert (hop.value, hop.low, hop.high, hop.unit) == (3.5e-12, 3e-12, 4e-12, "J")
    assert (hop.source, hop.note) == ("A. Author, A Paper, 2020", "mean")
    assert hop.evidence is Evidence.DERIVED
    assert device.energy_per_spike is None


@pytest.mark.parametrize(
    ("value", "joules"),
    [("0 J", 0), ("0.0 pJ", 0), ("0e-9 J", 0), ("1 J", 1), ("1e-30 J", 1e-30)],
)
def test_zero_is_a_value_and_so_is_whatever_a_number_can_hold(value: str, joules: float) -> None:
    device = load(GOOD.replace("value: 2 pJ", f"value: {value}"))
    assert device.energy_per_synaptic_operation.value == joules


@pytest.mark.parametrize("name", ["t", "toy-2", "Toy_2.1", "7nm", "t" * 64])
def test_a_name_of_letters_digits_and_joints_is_good(name: str) -> None:
    assert load(GOOD.replace("name: toy", f"name: {name!r}")).name == name


def test_a_source_that_no_source_answers_to_is_reported_where_there_are_none_at_all() -> None:
    said = mistakes(GOOD.replace('sources:\n  paper: "A. Author, A Paper, 2020"', "sources: {}"))
    assert len(said) == 3
    assert all("source: 'paper' is not known; none is given" in mistake for mistake in said)


def test_the_content_hash_is_that_of_the_bytes() -> None:
    assert load(GOOD).content_hash != load(GOOD + "\n").content_hash
    assert len(load(GOOD).content_hash) == 64


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # the head
        ("schema: costmodel/device/2", "schema: costmodel/device/3", "schema: expected"),
        ("schema: costmodel/device/2\n", "", "schema: missing"),
        ("name: toy\n", "", "name: missing"),
        ("name: toy", "name: 7", "name: expected text, found 7"),
        ("name: toy", "name: yes", "name: expected text, found True"),
        ("class: event-driven\n", "", "class: missing"),
        ("class: event-driven", "class: event-drive",
         "class: 'event-drive' is not known; nearest 'event-driven'"),
        ("class: event-driven", "class: [a]", "class: expected text"),
        ("title: A toy", "titel: A toy", "file: 'titel' is not known; nearest 'title'"),
        ("process: 14 nm", "process: 14", "process: expected text, found 14"),
        ("process: 14 nm", "not_modelled: 14", "not_modelled: expected text, found 14"),
        ("process: 14 nm", "not_modelled:", "not_modelled: expected text, found None"),
        ("process: 14 nm", "not_modeled: time", "nearest 'not_modelled'"),
        ("process: 14 nm", "7: seven", "file: '7' is not known"),
        ("name: toy", "name: toy,other", "name: expected 1 to 64 letters.*'toy,other'"),
        ("name: toy", 'name: "toy\\n"', r"name: expected 1 to 64 letters"),
        ("name: toy", 'name: "\\e[2J"', r"name: expected .*x1b"),
        ("name: toy", "name: -toy", "the first of them a letter or digit; found '-toy'"),
        ("name: toy", 'name: ""', "name: expected 1 to 64 letters"),
        ("name: toy", "name: " + "t" * 65, "name: expected 1 to 64 letters"),
        # sources
        ('paper: "A. Author, A Paper, 2020"', 'paper: ""',
         "sources.paper: expected a citation, found ''"),
        ('paper: "A. Author, A Paper, 2020"', 'paper: " "', "sources.paper: expected a citation"),
        ('paper: "A. Author, A Paper, 2020"', "paper: 2020",
         "sources.paper: expected text, found 2020"),
        ('paper: "A. Author, A Paper, 2020"', 'paper: "A Paper"\n  brief:',
         "sources.brief: expected text, found None"),
        ('paper: "A. Author, A Paper, 2020"', 'paper: "A Paper"\n  7: "Seven"',
         "sources: expected text as a key, found 7"),
        ('sources:\n  paper: "A. Author, A Paper, 2020"\n', "", "sources: missing"),
        ('sources:\n  paper: "A. Author, A Paper, 2020"\n', "sources: []\n",
         r"sources: expected a mapping, found \[\]"),
        ("source: paper, evidence: measured", "source: papper, evidence: measured",
         r"energy_per_synaptic_operation.source: 'papper' is not known; nearest 'paper'"),
        ("source: paper, evidence: measured", "evidence: measured", "source: missing"),
        # evidence
        ("evidence: measured", "evidence: guessed",
         "evidence: expected one of measured, .*'guessed'"),
        (", evidence: measured", "", "energy_per_synaptic_operation.evidence: missing"),
        # parameters
        ("energy_per_spike_hop", "energy_per_spike_hopp", "nearest 'energy_per_spike_hop'"),
        ("  energy_per_neuron_update: {value: 81 pJ, source: paper, evidence: simulated}\n", "",
         "parameters.energy_per_neuron_update: missing, 'event-driven' needs it"),
        (SYNAPSE, "2 pJ", "synaptic_operation: expected a mapping such as .*, found '2 pJ'"),
        (SYNAPSE, "", "energy_per_synaptic_operation: expected a mapping such as .*, found None"),
        ("note: mean", "nota: mean", "energy_per_spike_hop: 'nota' is not known; nearest 'note'"),
        ("note: mean", "note: 3", "energy_per_spike_hop.note: expected text"),
        # values
        ("value: 2 pJ, ", "", "energy_per_synaptic_operation.value: missing"),
        ("value: 2 pJ", "value: 2", "value: expected a quantity in J, such as '2 nJ', found '2'"),
        ("value: 2 pJ", "value: 2 pW", "expected a quantity in J, such as '2 nJ', found '2 pW'"),
        ("value: 2 pJ", "value: 2 px", "unit 'px' in '2 px' is not known; expected a quantity"),
        ("value: 2 pJ", "value: -2 pJ", "expected a value that is not negative, found '-2 pJ'"),
        ("value: 2 pJ", "value: .nan", "value: 'nan' is not a quantity"),
        ("value: 2 pJ", "value: .inf", "value: 'inf' is not a quantity"),
        ("value: 2 pJ", "value: 1e400 J", "too large"),
        ("value: 2 pJ", "value: 1e-400 J", "value: expected a value large enough .*'1e-400 J'"),
        ("value: 2 pJ", "value: .00005e-400 J", "value: expected a value large enough"),
        ("value: 2 pJ", "value: 2 J", "expected at most 1 J for one operation .*found '2 J'"),
        ("high: 4 pJ", "high: 4 kJ", "high: expected at most 1 J for one operation"),
        ("value: 2 pJ", "value: true", "expected a quantity such as '23.6 pJ', found True"),
        ("value: 2 pJ", "value: [2 pJ]", "expected a quantity such as"),
        ("value: 2 pJ", "value: null", "expected a quantity such as"),
        ("low: 3 pJ", "low: 5 pJ",
         "energy_per_spike_hop.low: expected at most the value '3.5 pJ', found '5 pJ'"),
        ("high: 4 pJ", "high: 1 pJ",
         "energy_per_spike_hop.high: expected at least the value '3.5 pJ', found '1 pJ'"),
        ("low: 3 pJ", "low: 3 s", "low: expected a quantity in J"),
    ],
)  # fmt: skip
def test_one_change_makes_one_clear_mistake(old: str, new: str, message: str) -> None:
    assert old in GOOD
    said = mistakes(GOOD.replace(old, new, 1))
    assert len(said) == 1
    with pytest.raises(DeviceFileError, match=message):
        load(GOOD.replace(old, new, 1))


def test_a_file_adds_to_what_its_class_does_not_model() -> None:
    device = load(GOOD.replace("process: 14 nm", "not_modelled: >\n  idle\n  power"))
    assert device.also_not_modelled == "idle power"
    assert device.all_not_modelled == f"{load(GOOD).not_modelled}; idle power"
    assert load(GOOD).all_not_modelled == load(GOOD).not_modelled
    changed = device.with_parameters(energy_per_neuron_update="1 pJ")
    assert changed.all_not_modelled == device.all_not_modelled


CLASSES = "`costmodel devices classes` lists the others"
LATER = "names and units of parameters and settings are checked once the class is known"


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("process: 14 nm", "settings: {cores: 2}", CLASSES),
        (SYNAPSE, f"{SYNAPSE}\n  idle_power: {SYNAPSE}", f"{CLASSES}.*docs/extending/device.md"),
        (SYNAPSE, f"{SYNAPSE}\n  x: {SYNAPSE}", "'event-driven' does not model static power, host"),
        ("class: event-driven\n", "", LATER),
        ("class: event-driven", "class: event-drive", LATER),
        ("class: event-driven", "class: event-drive", "plugin 'late': cannot be imported"),
    ],
)
def test_the_last_line_says_what_to_do_about_the_class(old: str, new: str, hint: str) -> None:
    text = GOOD.replace(old, new, 1).encode()
    problems = ["plugin 'late': cannot be imported"]
    with pytest.raises(DeviceFileError, match=hint):
        load_device(text, "toy.yaml", REGISTRY.device_families, None, problems)


@pytest.mark.parametrize("spoiled", ["note: 3", "process: 14"])
def test_a_file_whose_class_is_right_is_reported_nothing_of_classes(spoiled: str) -> None:
    old = "note: mean" if "note" in spoiled else "process: 14 nm"
    with pytest.raises(DeviceFileError) as caught:
        load(GOOD.replace(old, spoiled))
    assert "class" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value: 2 pJ", "value: 2", "expected a quantity in J, .*found '2'"),
        ("low: 3 pJ", "low: 5 pJ", "low: expected at most the value '3.5 pJ', found '5 pJ'"),
        ("{value: 3.5 pJ, low: 3 pJ", "{value: 3.5 pJ, low: 3 pW", "expected a quantity in J"),
        ("energy_per_neuron_update: {value: 81 pJ", "mine: {value: 1 V, low: 2 mW", "low: .* in V"),
        ("source: paper", "source: papper", "'papper' is not known"),
    ],
)
def test_without_a_class_all_that_can_be_checked_is(old: str, new: str, message: str) -> None:
    said = mistakes(GOOD.replace("class: event-driven\n", "").replace(old, new, 1))
    assert len(said) == 2
    assert "class: missing" in said
    assert re.search(message, "\n".join(said))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("- a list", "expected a mapping"),
        ("just text", "expected a mapping"),
        ("a: [", "not YAML: .* at line 2, column 1"),
        ("a: b: c", "not YAML"),
        ("\t", "not YAML"),
        ("a: \x00", "not YAML"),
        (GOOD + "name: again\n", "key 'name' stands twice"),
        (GOOD.replace("note: mean", "source: paper"), "key 'source' stands twice"),
        ("a: &x [1]\nb: *x\n", r"aliases \(\*name\) are not taken"),
        ("a: &x {<<: *x}\n", "aliases"),
        ("a: " + "[" * 50 + "]" * 50, f"nested more than {DEPTH_LIMIT} levels deep"),
        ("a: " + "[" * 200_000, f"nested more than {DEPTH_LIMIT} levels deep"),
        ("#" * (SIZE_LIMIT + 1), "expected at most 1,048,576 bytes"),
        ("a: !!python/object/apply:os.system [ls]\n", "not YAML"),
        ("a: !!python/name:os.system\n", "not YAML"),
        ("name: a\n---\nname: b\n", "not YAML"),
        ("? [1, 2]\n: 3\n", "not YAML|is not known"),
        ("? {a: 1}\n: 3\n", "not YAML"),
        ("a: 2020-13-45\n", "not YAML|is not known"),
    ],
)
def test_a_text_that_is_not_a_device_file_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(DeviceFileError, match=message):
        load(text)


@pytest.mark.parametrize("figure", ["value: 1e308", "value: 2, high: 1e101"])
def test_a_figure_beyond_what_a_parameter_can_have_is_a_mistake(figure: str) -> None:
    text = f"""\
schema: costmodel/device/2
name: toy
class: horowitz
title: A toy
sources: {{paper: A Paper}}
parameters:
  adder_growth: {{{figure}, source: paper, evidence: derived}}
"""
    said = [one for one in mistakes(text) if "adder_growth" in one]
    key, number = figure.rsplit(", ", maxsplit=1)[-1].split(": ")
    where = f"parameters.adder_growth.{key}"
    assert said == [f"{where}: expected at most 1e+100 in SI units, found {number!r}"]


def test_bytes_that_are_not_a_text_are_refused() -> None:
    with pytest.raises(DeviceFileError, match="not YAML"):
        load_device(b"\xff\xfe\xff", "toy.yaml", REGISTRY.device_families)


def test_all_mistakes_are_reported_at_once() -> None:
    text = """\
schema: costmodel/device/9
class: event-driven
titel: A toy
sources: {paper: A Paper}
parameters:
  energy_per_synaptic_operation: {value: 2 pW, source: papper, evidence: guessed}
  energy_per_spike_hop: {value: -3 pJ, source: paper, evidence: derived}
  energy_per_spike: {value: .nan, low: 3, source: paper, evidence: measured}
  energy_per_foo: {value: 3 pJ, source: paper, evidence: measured}
"""
    said = "\n".join(mistakes(text))
    for place in (
        "schema", "name: missing", "titel", "operation.evidence", "spike_hop.value",
        "spike.value", "spike.low", "energy_per_foo", "energy_per_neuron_update: missing",
    ):  # fmt: skip
        assert place in said
    assert "9 mistakes" in str(DeviceFileError("toy.yaml", ["x"] * 9))


def test_a_wrong_entry_tells_its_unit_and_source_beside_its_evidence() -> None:
    spoiled = "{value: 2 pW, source: papper, evidence: guessed}"
    said = "\n".join(mistakes(GOOD.replace(SYNAPSE, spoiled)))
    for place in (".value", ".source", ".evidence"):
        assert f"energy_per_synaptic_operation{place}" in said


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceFileError, match="cannot be read: No such file"):
        REGISTRY.device(tmp_path / "none.yaml")
    with pytest.raises(DeviceFileError, match="cannot be read: Is a directory"):
        REGISTRY.load_device(tmp_path)


def test_a_device_is_taken_from_a_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    assert REGISTRY.device(str(file)) == REGISTRY.device(file)
    assert REGISTRY.device(file).name == "toy"


DRAM = "{energy: {value: 640 pJ, source: paper, evidence: measured}, width: 64 bit}"
WITH_MEMORIES = f"""\
{GOOD}memories:
  - name: buffer
    holds: [input, output]
    size: {{value: 2 KiB, source: paper, evidence: vendor}}
    bandwidth: {{value: 8 GB/s, low: 6 GB/s, source: paper, evidence: vendor}}
  - name: dram
    size: unlimited
    read: {DRAM}
    write: {DRAM}
"""


@pytest.fixture
def uses_memories(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class of the file leaves out what is moved."""
    monkeypatch.setattr(REGISTRY.device_families["event-driven"], "uses_memories", True)


def test_a_class_that_prices_what_is_moved_refuses_memories() -> None:
    (said,) = mistakes(WITH_MEMORIES)
    assert said == "memories: class 'event-driven' has what is moved in its prices; expected none"


@pytest.mark.usefixtures("uses_memories")
def test_a_file_states_memories_from_the_innermost() -> None:
    buffer, dram = load(WITH_MEMORIES).memories
    assert (buffer.name, buffer.holds) == ("buffer", ("input", "output"))
    assert buffer.size.value == 2048
    assert (buffer.bandwidth.low, buffer.bandwidth.value) == (6e9, 8e9)
    assert buffer.read is buffer.write is None
    assert (dram.name, dram.holds) == ("dram", ("input", "weight", "output"))
    assert dram.size is dram.bandwidth is None
    assert (dram.read.energy.value, dram.read.width_bits) == (640e-12, 64)
    assert dram.write.energy.source == "A. Author, A Paper, 2020"
    names = [figure.name for memory in (buffer, dram) for figure in memory.parameters]
    assert names == ["buffer.size", "buffer.bandwidth", "dram.read.energy", "dram.write.energy"]
    assert load(GOOD).memories == ()


STATED_ONCE = f"""\
{GOOD}memories:
  - name: buffer
    per: [cluster, row]
    double_buffered: true
    shared_port: false
    source: paper
    evidence: vendor
    size: 2 KiB
    bandwidth: {{value: 8 GB/s, low: 6 GB/s, evidence: measured}}
    area: 0.3 mm2
    read: {{energy: 5 pJ, width: 64 bit}}
    write: {{energy: {{value: 6 pJ, source: other, evidence: assumed}}, width: 32 bit}}
""".replace('2020"\n', '2020"\n  other: "B. Author"\n')


@pytest.mark.usefixtures("uses_memories")
def test_source_and_evidence_of_a_memory_hold_for_all_of_its_numbers() -> None:
    device = load(STATED_ONCE)
    (buffer,) = device.memories
    paper = ("A. Author, A Paper, 2020", Evidence.VENDOR)
    assert [(one.source, one.evidence) for one in (buffer.size, buffer.area)] == [paper] * 2
    assert buffer.bandwidth.source == paper[0]
    assert buffer.bandwidth.evidence is Evidence.MEASURED
    assert (buffer.read.energy.value, buffer.read.energy.source) == (5e-12, paper[0])
    assert (buffer.write.energy.source, buffer.write.width_bits) == ("B. Author", 32)
    assert buffer.write.energy.evidence is Evidence.ASSUMED
    assert (buffer.size.value, buffer.area.value, buffer.area.name) == (2048, 0.3e-6, "buffer.area")


@pytest.mark.usefixtures("uses_memories")
def test_a_file_says_how_a_memory_is_built() -> None:
    (built,) = load(STATED_ONCE).memories
    assert (built.per, built.double_buffered, built.shared_port) == (
        ("cluster", "row"),
        True,
        False,
    )
    plain = load(WITH_MEMORIES).memories[0]
    assert (plain.per, plain.double_buffered, plain.shared_port) == ((), False, True)
    assert plain.area is None


@pytest.mark.usefixtures("uses_memories")
def test_a_device_with_memories_is_the_same_after_it_is_written() -> None:
    for text in (STATED_ONCE, WITH_MEMORIES):
        device = load(text)
        assert load(json.dumps(as_file(device))).memories == device.memories


@pytest.mark.usefixtures("uses_memories")
def test_the_area_of_a_device_is_that_of_its_memories_as_far_as_it_is_stated() -> None:
    assert load(STATED_ONCE).area_square_metres == 0.3e-6
    second = "  - {name: dram, area: {value: 2 mm2, source: paper, evidence: vendor}}\n"
    assert load(STATED_ONCE + second).area_square_metres == 2.3e-6
    assert load(WITH_MEMORIES).area_square_metres is None
    assert load(GOOD).area_square_metres is None


@pytest.mark.usefixtures("uses_memories")
@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("source: paper\n", "source: papper\n",
         [r"memories\[0\].source: 'papper' is not known; nearest 'paper'"]),
        ("source: paper\n", "source: 7\n", [r"memories\[0\].source: expected text, found 7"]),
        ("evidence: vendor\n", "evidence: guessed\n",
         [r"memories\[0\].evidence: expected one of measured, .*found 'guessed'"]),
        ("evidence: vendor\n", "evidence: [vendor]\n", [r"memories\[0\].evidence: expected one"]),
        ("size: 2 KiB", "size: endless", [r"memories\[0\].size.value: 'endless' is not a quan"]),
        ("size: 2 KiB", "size: true", [r"memories\[0\].size: expected a mapping such as .*True"]),
        ("size: 2 KiB", "size: {valu: 2 KiB}", [
            r"memories\[0\].size: 'valu' is not known; nearest 'value'",
            r"memories\[0\].size.value: missing",
        ]),
        ("    evidence: vendor\n", "", [
            r"memories\[0\].size: expected a mapping such as",
            r"memories\[0\].area: expected a mapping such as",
            r"memories\[0\].read.energy: expected a mapping such as",
        ]),
        ("area: 0.3 mm2", "area: 0.3 mm", [r"memories\[0\].area.value: .* quantity in m2"]),
        ("per: [cluster, row]", "per: cluster", [r"memories\[0\].per: expected a list of axes"]),
        ("per: [cluster, row]", "per: [7]", [r"memories\[0\].per: expected a list of axes"]),
        ("shared_port: false", "shared_port: 0",
         [r"memories\[0\].shared_port: expected true or false, found 0"]),
        ("double_buffered: true", "double_buffered: perhaps",
         [r"memories\[0\].double_buffered: expected true or false, found 'perhaps'"]),
        ("source: other", "source: others",
         [r"memories\[0\].write.energy.source: 'others' is not known; nearest 'other'"]),
    ],
)  # fmt: skip
def test_a_mistake_of_what_holds_for_a_memory_is_reported_once(
    old: str, new: str, messages: list[str]
) -> None:
    assert old in STATED_ONCE
    said = mistakes(STATED_ONCE.replace(old, new, 1))
    assert len(said) == len(messages), said
    for message in messages:
        assert re.search(message, "\n".join(said))


@pytest.mark.usefixtures("uses_memories")
def test_what_a_memory_is_built_of_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "toy.yaml"
    file.write_text(STATED_ONCE)
    shown = " ".join(CliRunner().invoke(main, ["devices", "show", str(file)]).stdout.split())
    assert "memory buffer: holds input, weight, output once per cluster, row" in shown
    assert "ports reads and writes overlap buffers double" in shown
    assert "area 0.3 mm2" in shown


@pytest.mark.usefixtures("uses_memories")
def test_the_memories_of_a_device_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "toy.yaml"
    file.write_text(WITH_MEMORIES)
    shown = CliRunner().invoke(main, ["devices", "show", str(file)]).stdout
    assert "memory buffer: holds input, output\n" in shown
    assert "memory dram: holds input, weight, output, without an end\n" in shown
    assert "dram.read.energy" in shown
    assert "640 pJ" in shown


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- name: dram", "- name: buffer", r"memories\[1\].name: 'buffer' is there before"),
        ("- name: dram", "- nam: dram", r"memories\[1\]: 'nam' is not known; nearest 'name'"),
        ("- name: buffer", "- name: [a]", r"memories\[0\].name: expected a word such as dram"),
        ("- name: buffer", "- name: two words", r"memories\[0\].name: expected a word"),
        ("holds: [input, output]", "holds: [inputs]",
         r"memories\[0\].holds: expected a list of input, weight, output, found \['inputs'\]"),
        ("holds: [input, output]", "holds: [[input]]", r"memories\[0\].holds: expected a list"),
        ("holds: [input, output]", "holds: []", r"memories\[0\].holds: expected a list"),
        ("holds: [input, output]", "holds: input", r"memories\[0\].holds: expected a list"),
        ("value: 2 KiB", "value: 2 kJ", r"memories\[0\].size.value: expected a quantity in B"),
        ("size: unlimited", "size: endless", r"memories\[1\].size: expected a mapping"),
        ("value: 8 GB/s, low: 6 GB/s", "value: 0 GB/s",
         r"memories\[0\].bandwidth.value: expected a value above 0"),
        ("value: 8 GB/s, low: 6 GB/s, source: paper", "value: 8 GB/s, source: papper",
         r"memories\[0\].bandwidth.source: 'papper' is not known; nearest 'paper'"),
        (f"read: {DRAM}", "read: 640 pJ", r"memories\[1\].read: expected a mapping such as"),
        (f"read: {DRAM}", f"read: {DRAM.replace('64 bit', '0.5 bit')}",
         r"memories\[1\].read.width: expected a whole number of bits, found '0.5 bit'"),
        (f"read: {DRAM}", f"read: {DRAM.replace('64 bit', '8 B')}",
         r"memories\[1\].read.width: expected a quantity in bit"),
        (f"read: {DRAM}", f"read: {DRAM.replace('width', 'wide')}",
         r"memories\[1\].read: expected a mapping such as"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("uses_memories")
def test_one_change_of_a_memory_makes_a_clear_mistake(old: str, new: str, message: str) -> None:
    assert old in WITH_MEMORIES
    with pytest.raises(DeviceFileError, match=message):
        load(WITH_MEMORIES.replace(old, new, 1))


@pytest.mark.usefixtures("uses_memories")
@pytest.mark.parametrize(
    ("memories", "roles"),
    [
        ("[{name: flash, holds: [weight]}]", "input and output"),
        ("[{name: ram, holds: [input, output]}]", "weight"),
    ],
)
def test_memories_hold_all_that_a_network_has(memories: str, roles: str) -> None:
    said = mistakes(f"{GOOD}memories: {memories}\n")
    assert said == (f"memories: expected one that holds {roles}, found none",)


@pytest.mark.parametrize("memories", ["dram", "{name: dram}", "[dram]", "[[]]", "7"])
def test_memories_that_are_none_are_refused(memories: str) -> None:
    with pytest.raises(DeviceFileError, match=r"memories.*: expected a"):
        load(f"{GOOD}memories: {memories}\n")
