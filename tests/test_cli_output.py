"""Standard output that fails, and texts of third parties that would forge what is shown."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from console import DENSE, good, run

import costmodel
from costmodel import registry
from costmodel.report.table import Column, Table, escaped

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = Path(sys.executable).with_name("costmodel")
WRITING = {
    "a table": ["estimate", DENSE, "-d", "cpu"],
    "JSON": ["count", DENSE, "--format", "json"],
    "an explanation": ["explain", DENSE, "first", "-d", "cpu"],
    "a list": ["devices"],
    "a contract": ["hooks", "layers"],
    "a page": ["hooks", "--markdown"],
    "help": ["--help"],
    "the help of a command": ["estimate", "--help"],
    "the version": ["--version"],
}
"""What goes to standard output, by every way in which a command writes."""


def redirected(arguments: list[str], to: str) -> subprocess.CompletedProcess[str]:
    """What a shell runs with standard output sent elsewhere, and buffered as it usually is."""
    words = ["sh", "-c", f'"$@" {to}', "sh", str(COMMAND), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        words, env=environment, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("what", WRITING)
def test_a_closed_standard_output_is_one_line(what: str) -> None:
    done = redirected(WRITING[what], ">&-")
    assert done.returncode == 2
    assert done.stderr == "Error: standard output is closed; open it, or give -o FILE\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("what", WRITING)
def test_a_full_standard_output_is_one_line(what: str) -> None:
    done = redirected(WRITING[what], ">/dev/full")
    assert done.returncode == 2
    assert done.stderr == ("Error: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("what", WRITING)
def test_a_reader_that_went_away_ends_quietly(what: str) -> None:
    first, second = os.pipe()
    os.close(first)
    with os.fdopen(second, "w") as closed:
        done = subprocess.run(
            [COMMAND, *WRITING[what]],
            stdout=closed, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_a_file_is_written_where_standard_output_is_closed(tmp_path: Path) -> None:
    done = redirected(["count", DENSE, "-o", str(tmp_path / "out.json")], ">&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.json").read_text() == good("count", DENSE, "--format", "json")


# ------------------------------------------------------------------ texts that forge

FORGED = {
    "a line break": ("a\nTotal  0 J", "a\\nTotal  0 J"),
    "a carriage return": ("a\rb", "a\\rb"),
    "a vertical tab": ("a\x0bb", "a\\x0bb"),
    "a form feed": ("a\x0cb", "a\\x0cb"),
    "a line separator": ("a\u2028b", "a\\u2028b"),
    "a next line": ("a\x85b", "a\\x85b"),
    "a colour": ("\x1b[31mred", "\\x1b[31mred"),
    "a title of the terminal": ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
    "a backspace": ("ab\b\b", "ab\\x08\\x08"),
    "text from right to left": ("a\u202eb", "a\\u202eb"),
    "nothing at all": ("\x00", "\\x00"),
}


def table(text: str) -> Table:
    """A table with this text in every place."""
    return Table(
        text, [Column(text), Column("n", numeric=True)], [[text, "1"]], [[text, "2"]], [text]
    )


RENDERED: dict[str, Callable[[Table], str]] = {
    "text": Table.text, "Markdown": Table.markdown, "CSV": Table.csv,
}  # fmt: skip


@pytest.mark.parametrize("form", RENDERED)
@pytest.mark.parametrize("case", FORGED)
def test_no_text_forges_a_line_or_steers_a_terminal(case: str, form: str) -> None:
    text, shown = FORGED[case]
    render = RENDERED[form]
    written = render(table(text))
    assert shown in written
    assert all(char.isprintable() or char == "\n" for char in written)
    assert len(written.splitlines()) == len(render(table("plain")).splitlines())


@pytest.mark.parametrize("case", FORGED)
def test_an_estimate_of_the_library_is_as_harmless_as_the_command(case: str) -> None:
    text, shown = FORGED[case]
    network = costmodel.read(DENSE)
    device = evolve(registry.installed().device("cpu"), title=text)
    estimate = costmodel.estimate(evolve(network, name=text), device)
    assert shown in str(estimate)
    assert shown in estimate.explain("first", "cpu")
    for said in (str(estimate), estimate.explain("first", "cpu")):
        assert all(char.isprintable() or char == "\n" for char in said)


@pytest.mark.parametrize("command", ["show", "validate"])
def test_a_text_on_several_lines_in_a_device_file_is_one_line(command: str, tmp_path: Path) -> None:
    shipped = Path(registry.installed().device("cpu").file).read_text()
    forged = "  |\n  A chip\n  unit      9 J\n"
    lines = [
        f"title:{forged}" if line.startswith("title:") else f"{line}\n"
        for line in shipped.splitlines()
    ]
    file = tmp_path / "chip.yaml"
    file.write_text("".join(lines))
    shown = good("devices", command, file)
    assert not any(line.lstrip().startswith("unit      9 J") for line in shown.splitlines())
    if command == "show":
        assert "A chip unit 9 J" in shown


def test_a_path_with_a_line_break_forges_no_verdict(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml\ngood.yaml: good"
    file.write_text(Path(registry.installed().device("cpu").file).read_text())
    shown = run("devices", "validate", file).stdout
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_a_text_that_a_spreadsheet_would_calculate_is_text_in_csv(text: str) -> None:
    title, row = csv.reader(io.StringIO(table(text).csv()))
    assert title[0] == row[0] == f"'{text}"


@pytest.mark.parametrize("number", ["-1", "+2.5", "-1e-12", "1", "-inf", ""])
def test_a_number_stays_a_number_in_csv(number: str) -> None:
    _, row = csv.reader(io.StringIO(Table("", [Column("a")], [[number, "x"]]).csv()))
    assert row[0] == number


@pytest.mark.parametrize(
    ("cell", "written"), [("a|b", "a\\|b"), ("a\\|b", "a\\\\\\|b"), ("a\\b", "a\\b")]
)
def test_no_name_ends_a_cell_of_markdown(cell: str, written: str) -> None:
    row = Table("", [Column("a")], [[cell]]).markdown().splitlines()[-1]
    assert row == f"| {written} |"


HOSTILE = {
    "<img src=x onerror=alert(1)>": "\\<img src=x onerror=alert(1)>",
    "**bold** and *slanted*": "\\*\\*bold\\*\\* and \\*slanted\\*",
    "__init__": "\\_\\_init\\_\\_", "conv2d_1": "conv2d_1",
    "`code`": "\\`code\\`", "[text](https://example.org)": "\\[text](https://example.org)",
    "![a][b]": "!\\[a][b]", "[1] first, second: why": "[1] first, second: why",
    "&lt;b&gt;": "\\&lt;b\\&gt;", "a & b": "a & b", "~~gone~~": "\\~\\~gone\\~\\~",
    "1.36x ~": "1.36x ~", ">= 14.8 mJ, < 3": ">= 14.8 mJ, < 3", "a\\*b": "a\\\\\\*b",
}  # fmt: skip
"""Names that Markdown would take for markup, or not, and what is written."""


@pytest.mark.parametrize(("name", "written"), HOSTILE.items())
def test_names_are_no_markup_in_markdown(name: str, written: str) -> None:
    made = Table(name, [Column(name)], [[name]], [[name]], [f"of {name}"])
    title, _, head, _, row, foot, _, note = made.markdown().splitlines()
    assert title == f"**{written}**"
    assert head == row == f"| {written} |"
    assert foot == f"| **{written}** |"
    assert note == f"- of {written}"


@pytest.mark.parametrize("mark", ["# a", "> a", "+ a", "- a"])
def test_a_note_begins_no_block_of_markdown(mark: str) -> None:
    made = Table("t", [Column("a")], [], (), [mark, "1. a"])
    assert made.markdown().splitlines()[-2:] == [f"- \\{mark}", "- 1\\. a"]


def test_what_is_printable_stays_as_it_is() -> None:
    assert escaped("größe µ μ 層 a=b") == "größe µ μ 層 a=b"
    assert escaped("a\nb", keep="\n") == "a\nb"


@pytest.mark.parametrize("mu", ["\u00b5", "\u03bc"])
def test_an_output_that_knows_only_ascii_gets_u_for_either_micro(mu: str) -> None:
    code = f"from costmodel.cli.output import Output; Output().text({mu!r} + 'J')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "uJ\n"


# ------------------------------------------------------------------ numbers of many digits

LONG = "9" * 5000
LONG_OPTIONS = [
    ["--batch", LONG],
    ["--timesteps", LONG],
    ["--rate", LONG],
    ["--rate", f"first={LONG}"],
    ["--rate", f"{LONG} kHz"],
    ["--dt", LONG],
    ["--dt", f"1e-{LONG}"],
    ["--input-shape", LONG],
    ["--input-shape", f"2x{LONG}"],
    ["--set", f"cpu.energy_per_multiply_accumulate={LONG}"],
    ["--set", f"cpu.energy_per_multiply_accumulate={LONG} pJ"],
    ["--default-format", f"int{LONG}"],
    ["--source-format", f"fixed<8,{LONG}>"],
    ["--default-format", f"po2<{LONG}>"],
    ["-d", LONG],
    ["--convention", LONG],
]


@pytest.mark.parametrize("options", LONG_OPTIONS, ids=lambda options: options[0])
def test_a_number_of_5000_digits_in_an_option_is_refused_in_our_words(options: list[str]) -> None:
    result = run("estimate", DENSE, "-d", "cpu", *options)
    assert result.exit_code == 2
    assert "set_int_max_str_digits" not in result.stderr
    assert "unexpected" not in result.stderr
    assert len(result.stderr) < 1500


@pytest.mark.parametrize("option", ["--batch", "--timesteps", "--input-shape", "--default-format"])
def test_the_digits_of_a_whole_number_are_what_is_refused(option: str) -> None:
    value = f"int{LONG}" if option == "--default-format" else LONG
    result = run("estimate", DENSE, "-d", "cpu", option, value)
    assert "more than 4,300 digits" in result.stderr
