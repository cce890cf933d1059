"""Tables of several devices: at most 100 columns of characters, and nothing cut."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from console import DENSE, NETWORKS, VISION, good
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from costmodel import registry
from costmodel.report.table import WIDE, Column, Table, folded

VGG9 = str(NETWORKS.parents[1] / "examples" / "vgg9.json")
KWS = NETWORKS.parents[1] / "examples" / "kws.tflite"
LONGEST = sorted(registry.installed().device_names, key=len, reverse=True)[:6]
LIMITS = "".join(f'[devices.{name}]\nenergy = "9 J"\nlatency = "9 s"\n' for name in LONGEST)
COMMANDS = {
    "summary": ["estimate", VGG9],
    "layers": ["estimate", VGG9, "--layers"],
    "top": ["estimate", VGG9, "--top", "3"],
    "memory": ["estimate", VGG9, "--sort", "memory"],
    **{
        by: ["estimate", VGG9, "--group-by", by] for by in ("kind", "block", "operator", "resource")
    },
    "two models": ["estimate", VGG9, VISION],
    "formats": ["estimate", VGG9, "--default-format", "float32,int8,int4"],
    "compare": ["compare", VGG9, DENSE, VISION],
    "sensitivity": ["sensitivity", DENSE, "--around", "10 %"],
}
"""Every command that shows several devices in a table."""
ROW = re.compile(r"^(?:\S+(?: \S+)*)?(?: {2,}\S+(?: \S+)*)+$|^[- ]+$")
"""A line of a table, not a sentence."""
RULE = re.compile(r"^-+(  -+)+$", re.MULTILINE)
"""The line below the titles of a table."""


def lines_of(command: list[str]) -> list[str]:
    return [line for line in good(*command, "-d", ",".join(LONGEST)).splitlines() if line]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_six_devices_with_long_names_take_100_columns(command: list[str]) -> None:
    lines = lines_of(command)
    rows = [line for line in lines if ROW.match(line)]
    assert len(rows) > 5
    assert max(map(cell_len, rows)) <= WIDE
    for name in LONGEST:
        assert any(name in line for line in lines), name


@pytest.mark.parametrize("command", [*COMMANDS][:6])
def test_every_number_of_six_devices_stands_in_some_block(command: str) -> None:
    shown = [line.split() for line in lines_of(COMMANDS[command])]
    options = COMMANDS[command][2:]
    for name in LONGEST:
        alone = good("estimate", VGG9, *options, "-d", name)
        (latency,) = re.findall(r"^Latency +([\d.]+) (\S+)", alone, re.MULTILINE)[:1] or [("", "")]
        assert not latency[0] or any(latency[0] in line and latency[1] in line for line in shown)


@pytest.mark.parametrize("devices", ["raspberry-pi-4,rtx-4090", "systolic-array,horowitz-45nm"])
def test_the_layers_of_two_devices_take_100_columns(devices: str) -> None:
    text = good("estimate", VGG9, "-d", devices, "--layers")
    rows = [line for line in text.splitlines() if ROW.match(line)]
    assert max(map(cell_len, rows)) <= WIDE
    heads = [line.split() for line in rows if line.startswith("Layer  ")]
    assert heads[0] == ["Layer", "Kind", "Output", "Parameters", "MACs"]
    for name in devices.split(","):
        assert any(name in head for head in heads[1:])


def test_the_layers_of_one_device_stand_in_one_block_and_its_column_has_what_it_models() -> None:
    board = good("estimate", VGG9, "-d", "raspberry-pi-4", "--layers").splitlines()
    assert board[0].startswith("vgg9: latency of one batch")
    assert board[2].split() == [
        "Layer", "Kind", "Output", "Parameters", "MACs", "raspberry-pi-4", "Limit", "dram",
    ]  # fmt: skip
    (total,) = [line.split() for line in board if line.startswith("Total")]
    assert total == ["Total", "7,895,140", "520,528,128"]
    array = good("estimate", VGG9, "-d", "systolic-array", "--layers").splitlines()
    assert array[0].startswith("vgg9: energy of one batch")
    assert {"systolic-array", "Latency", "Limit", "Utilisation"} <= set(array[2].split())


def test_columns_of_layers_give_way_where_that_keeps_one_block_and_it_is_said() -> None:
    text = good("estimate", VGG9, "-d", "cpu,loihi", "--rate", "10", "--layers")
    heads = [line.split() for line in text.splitlines() if line.startswith("Layer  ")]
    assert heads == [["Layer", "Output", "Parameters", "MACs", "cpu", "loihi"]]
    assert text.splitlines()[-1] == "left out: Kind (--format csv has all)"
    markdown = good("estimate", VGG9, "-d", "cpu,arm", "--layers", "--format", "markdown")
    assert "| Layer | Kind | Output |" in markdown


def test_a_budget_of_six_devices_takes_100_columns(tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text(LIMITS)
    lines = good("check", VGG9, "--budget", budget).splitlines()
    assert max(map(cell_len, filter(ROW.match, lines))) <= WIDE


def test_the_title_is_folded_where_it_is_longer() -> None:
    first, second, *_ = lines_of(COMMANDS["summary"])
    assert cell_len(first) <= WIDE
    assert f"{first} {second}".endswith("convention costmodel")


# ------------------------------------------------------------------ blocks


def table(*groups: tuple[str, int], first: int = 5) -> Table:
    """A table of one row, whose columns are of these groups and widths."""
    columns = [Column("a"), *(Column("b", numeric=True, group=group) for group, _ in groups)]
    row = ["x" * first, *("1" * width for _, width in groups)]
    total = ["", *("2" if place == 0 else "" for place, _ in enumerate(groups))]
    return Table("title", columns, [row], [row, total], ["note"])


def shapes(blocks: tuple[Table, ...]) -> list[list[int]]:
    return [[len(cell) for cell in block.rows[0]] for block in blocks]


def test_a_table_that_fits_is_one_block() -> None:
    made = table(("p", 10), ("q", 10))
    assert made.blocks(made.width) == (made,)
    assert shapes(made.blocks(made.width - 1)) == [[5, 10], [5, 10]]


def test_columns_of_a_group_stay_together() -> None:
    made = table(("", 8), ("p", 10), ("p", 10), ("q", 10), ("q", 10), ("q", 30))
    assert shapes(made.blocks(38)) == [[5, 8], [5, 10, 10], [5, 10, 10, 30]]
    assert shapes(made.blocks(39)) == [[5, 8, 10, 10], [5, 10, 10, 30]]


def test_neighbours_without_a_group_may_part() -> None:
    assert shapes(table(("", 10), ("", 10), ("", 10)).blocks(20)) == [[5, 10], [5, 10], [5, 10]]


def test_the_title_stands_above_and_the_notes_below_all_blocks() -> None:
    first, last = table(("p", 10), ("q", 10)).blocks(20)
    assert (first.title, last.title) == ("title", "")
    assert (first.notes, last.notes) == ((), ("note",))
    assert (len(first.footer), len(last.footer)) == (2, 1)  # an empty row of totals goes


def test_a_table_of_one_column_is_one_block() -> None:
    made = Table("title", [Column("a")], [["x" * 50]])
    assert made.blocks(20) == (made,)


def test_a_table_without_groups_is_never_parted_as_text() -> None:
    assert table(("", 60), ("", 60)).text().count("title") == 1
    assert max(map(len, table(("", 60), ("", 60)).text().splitlines())) == 5 + 62 + 62
    assert max(map(len, table(("p", 60), ("q", 60)).text().splitlines())) == 5 + 62


FOLDED = {
    "count": ["count", VGG9, "--flops"],
    "count of long names": ["count", str(KWS)],
    "layers": ["layers"],
    "devices by layer": ["compare", VGG9, "-d", "cpu,loihi", "--rate", "10"],
    "conventions by layer": [
        "compare", VGG9, "-d", "cpu", "--convention", "costmodel", "--convention", "keras-spiking",
    ],
    "operators that differ": ["compare", VGG9, str(KWS), "-d", "raspberry-pi-4"],
}  # fmt: skip
"""Commands whose tables fold."""


@pytest.mark.parametrize("command", FOLDED.values(), ids=FOLDED)
def test_a_table_in_a_pipe_takes_100_columns(command: list[str]) -> None:
    tables = [block for block in good(*command).split("\n\n") if RULE.search(block)]
    assert len(tables) > 1
    assert max(cell_len(line) for block in tables for line in block.splitlines()) <= WIDE


@pytest.mark.parametrize("command", ["count", "count of long names", "devices by layer"])
def test_every_cell_of_a_table_in_a_pipe_is_shown(command: str) -> None:
    rows = list(csv.reader(io.StringIO(good(*FOLDED[command], "--format", "csv"))))
    shown = _without_spaces(good(*FOLDED[command]))
    markdown = good(*FOLDED[command], "--format", "markdown")
    for row in rows[1:]:
        assert _without_spaces(row[0]) in shown
        assert any(row[0] in line.replace("\\", "") for line in markdown.splitlines())
    wide = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert {line.count(" |") for line in wide} == {wide[0].count(" |")}


def _without_spaces(text: str) -> str:
    return "".join(text.split())


words = st.text(alphabet="ab_/.- 層", min_size=1, max_size=150)


@given(
    names=st.lists(words, min_size=1, max_size=4),
    others=st.lists(st.sampled_from(["one two three " * 9, "x" * 70, "12", ""]), min_size=1,
                    max_size=6),
)  # fmt: skip
def test_a_table_that_folds_is_never_wider_and_loses_nothing(
    names: list[str], others: list[str]
) -> None:
    columns = [Column("Name"), *[Column(f"c{place}") for place in range(len(others))]]
    made = Table("", columns, [[name, *others] for name in names], folds=True)
    text = made.text()
    assert max(map(cell_len, text.splitlines())) <= WIDE
    if made.width <= WIDE:
        assert text == made.plain()
    for cell in (*names, *others):
        lines = folded(cell, 32)
        assert max(map(cell_len, lines)) <= 32
        assert _without_spaces("".join(lines)) == _without_spaces(cell)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", " three"]),
        ("block_1/conv", ["block_1/", " conv"]),
        ("abcdefghijkl", ["abcdefgh", " ijkl"]),
        ("x 0.01 and 3", ["x 0.01", " and 3"]),
        ("層層層層層", ["層層層層", " 層"]),
        ("short", ["short"]),
    ],
)
def test_a_text_is_folded_at_spaces_before_joints(text: str, lines: list[str]) -> None:
    assert folded(text, 8) == lines


def test_a_column_of_numbers_is_never_folded() -> None:
    numbers = [Column(f"n{place}", numeric=True) for place in range(4)]
    made = Table("", [Column("Name"), *numbers], [["layer", *["1" * 40] * 4]], folds=True)
    assert made.text().count("1" * 40) == 4


def test_letters_of_two_columns_keep_numbers_below_each_other() -> None:
    rows = [["层一", "1"], ["layer", "2"], ["e\u0301", "3"]]
    lines = Table("t", [Column("Layer"), Column("MACs", numeric=True)], rows).text().splitlines()
    assert {cell_len(line) for line in lines[2:]} == {11}
