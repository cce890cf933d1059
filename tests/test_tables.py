"""Tables of several devices: at most 100 columns of characters, and nothing cut."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console import DENSE, NETWORKS, VISION, good
from rich.cells import cell_len

from costmodel import registry
from costmodel.report.table import WIDE, Column, Table

VGG9 = str(NETWORKS.parents[1] / "examples" / "vgg9.json")
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


def test_letters_of_two_columns_keep_numbers_below_each_other() -> None:
    rows = [["层一", "1"], ["layer", "2"], ["e\u0301", "3"]]
    lines = Table("t", [Column("Layer"), Column("MACs", numeric=True)], rows).text().splitlines()
    assert {cell_len(line) for line in lines[2:]} == {11}
