"""Tables on a terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import worlds
from rich.console import Console

import costmodel
from costmodel import Scenario
from costmodel.cli import terminal
from costmodel.report.table import Column, Table

VISION = Path(__file__).parent / "networks" / "vision.json"
COMMAND = Path(sys.executable).with_name("costmodel")
SIX = ("cpu", "gpu", "arm", "loihi", "spinnaker", "spinnaker2")


@pytest.fixture(scope="module")
def deep() -> Table:
    """An estimate on six devices, its layers under names as long as those of deep networks."""
    made = costmodel.estimate(
        VISION, SIX, scenario=Scenario(rates=10.0), on_unpriced="bound", registry=worlds.REGISTRY
    ).table()
    rows = [(f"conv5_block3_{row[0]}_{row[0]}", *row[1:]) for row in made.rows]
    return Table(made.title, made.columns, rows, made.footer, made.notes)


def drawn(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    terminal.draw([table], console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140, 200])
def test_no_number_is_ever_cut_off(deep: Table, width: int) -> None:
    words = drawn(deep, width)
    for index, column in enumerate(deep.columns):
        if column.title in SIX:
            cells = [row[index] for row in (*deep.rows, *deep.footer)]
            assert [cell for cell in cells if cell not in words] == []
    assert "…" not in words


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_a_table_is_as_wide_as_the_terminal_at_most(deep: Table, width: int) -> None:
    assert max(len(line.rstrip()) for line in drawn(deep, width).splitlines()) <= width


def test_columns_give_way_in_order_and_it_is_said(deep: Table) -> None:
    for width, gone in ((95, ["Output"]), (80, ["Output", "MACs"])):
        (fitted, *_) = terminal.fit(deep, width)
        assert not set(gone) & set(titles(fitted))
    (fitted,) = terminal.fit(deep, 80)
    assert titles(fitted) == ["Layer", *SIX]
    assert "hidden to fit 80 columns: Kind, Output, Parameters, MACs" in fitted.notes[-1]


def test_a_wide_terminal_shows_everything(deep: Table) -> None:
    assert terminal.fit(deep, 300) == (deep,)


def test_devices_that_do_not_fit_beside_each_other_follow_below(deep: Table) -> None:
    blocks = terminal.fit(deep, 50)
    assert len(blocks) > 1
    assert [name for block in blocks for name in titles(block)[1:]] == list(SIX)
    assert [bool(block.title) for block in blocks] == [True] + [False] * (len(blocks) - 1)
    assert [bool(block.notes) for block in blocks] == [False] * (len(blocks) - 1) + [True]


def test_a_part_has_no_footer_that_says_nothing(deep: Table) -> None:
    (whole,) = terminal.fit(deep, 300)
    assert [row[0] for row in whole.footer] == [
        "Total", "Total, low", "Total, high", "Layers covered", "Activations covered",
    ]  # fmt: skip
    kinds = Table(
        "t", [Column("Layer"), Column("Kind" * 9), Column("cpu", numeric=True)],
        [["a", "b", "1 J"]], [["Total", "", "1 J"], ["Layers covered", "", "100.0%"]],
    )  # fmt: skip
    first, second = terminal.fit(kinds, 20)
    assert [first.footer, len(second.footer)] == [(), 2]


def test_macs_of_one_example_give_way_as_macs_do(deep: Table) -> None:
    columns = [
        Column("MACs/example", numeric=True) if column.title == "MACs" else column
        for column in deep.columns
    ]
    (fitted,) = terminal.fit(Table(deep.title, columns, deep.rows, deep.footer), 80)
    assert "MACs/example" not in titles(fitted)


def test_names_are_folded_at_their_joints(deep: Table) -> None:
    assert any(line.startswith("conv5_block3_ ") for line in drawn(deep, 80).splitlines())


def test_words_of_several_columns_are_folded() -> None:
    table = Table("t", [Column("Name"), Column("Why")], [["a" * 30, "because " * 20]])
    assert max(map(len, drawn(table, 50).splitlines())) <= 50


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    table = Table("[bold]t", [Column("[red]Layer")], [["[link=x]conv[/]"]], notes=["[i]note"])
    words = drawn(table, 80)
    for text in ("[bold]t", "[red]Layer", "[link=x]conv[/]", "[i]note"):
        assert text in words


def test_a_network_without_rows_is_drawn() -> None:
    assert "Layer" in drawn(Table("t", [Column("Layer"), Column("cpu", numeric=True)], []), 80)


def on_a_terminal(columns: int, *arguments: str, **environment: str) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    outer = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [COMMAND, *arguments], stdout=theirs, env={**outer, "TERM": "xterm-256color", **environment}
    ) as running:
        os.close(theirs)
        words = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
    assert running.returncode == 0
    return words.decode().replace("\r\n", "\n")


def _read(terminal_: int) -> bytes:
    try:
        return os.read(terminal_, 2**16)
    except OSError:  # the other end is closed
        return b""


ESTIMATE = [
    "estimate",
    str(VISION),
    "-d",
    "loihi",
    "--rate",
    "10",
    "--on-unpriced",
    "bound",
    "--layers",
]
YELLOW = "\x1b[33m"


def test_a_terminal_gets_a_table_of_its_width_in_colour() -> None:
    words = on_a_terminal(60, *ESTIMATE)
    assert "hidden to fit 60 columns: Kind" in " ".join(words.split())
    assert YELLOW in words


def test_a_summary_fits_a_narrow_terminal() -> None:
    words = on_a_terminal(60, *ESTIMATE[:-1])
    assert "keras.Conv2D" in words
    assert "hidden to fit 60 columns: Layers" in " ".join(words.split())


def test_no_color_is_respected() -> None:
    assert YELLOW not in on_a_terminal(60, *ESTIMATE, NO_COLOR="1")


def test_an_explanation_is_folded_to_the_terminal() -> None:
    words = on_a_terminal(60, "explain", str(VISION), "conv", "-d", "loihi", "--rate", "10")
    assert max(map(len, words.splitlines())) <= 60
    assert "23.6 pJ" in words
