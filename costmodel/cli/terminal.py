"""Tables on a terminal: as wide as it is, and never a number cut off."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from attrs import evolve
from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from costmodel.report.table import Table, folded, total_width

DISPENSABLE: Final = ("Kind", "Output", "Layers", "Parameters")
"""Columns that give way first, before the names of layers are folded."""
LAST: Final = ("MACs", "MACs/example", "Because")
"""Columns that give way when folded names do not help."""

_FOLDED: Final = 16
"""The narrowest that a column of words becomes."""
_STYLES: Final = {"free": "dim", "unpriced": "yellow", "absent": "dim"}


def draw(tables: Sequence[Table], console: Console | None = None) -> None:
    """Write tables one below the other."""
    console = console or Console(file=sys.stdout, highlight=False)
    for index, table in enumerate(tables):
        if index:
            console.print()
        _draw(table, console)


def fit(table: Table, width: int) -> tuple[Table, ...]:
    """The table in `width` columns: columns left out, and where that is not enough, blocks.

    Numbers stay whole: words are folded, and what is left out is said in a note.
    """
    fitted, dropped = table, list[str]()
    for titles, measure in ((DISPENSABLE, _natural), (LAST, _narrowest)):
        for title in titles:
            if measure(fitted) > width and _has(fitted, title):
                fitted, dropped = fitted.without(title), [*dropped, title]
    if dropped:
        hidden = f"hidden to fit {width} columns: {', '.join(dropped)}"
        fitted = evolve(fitted, notes=(*fitted.notes, f"{hidden} (--format csv has all)"))
    return fitted.blocks(width, _least(fitted))


def _natural(table: Table) -> int:
    """The width in which nothing is folded."""
    return table.width


def _narrowest(table: Table) -> int:
    """The width in which words are folded as far as they may be."""
    return total_width(_least(table))


def _least(table: Table) -> list[int]:
    pairs = zip(table.columns, table.widths, strict=True)
    return [width if column.numeric else min(width, _FOLDED) for column, width in pairs]


def _has(table: Table, title: str) -> bool:
    """Whether it has such a column beside its first, which says what a row is about."""
    return any(column.title == title for column in table.columns[1:])


def _draw(table: Table, console: Console) -> None:
    for block in fit(table, console.width):
        if block.title:
            console.print(Text(block.title, style="bold"))
        console.print()
        console.print(_grid(block, _folding(block, console.width)))
        if block.notes:
            console.print()
        for note in block.notes:
            console.print(Text(note, style="dim"))


def _folding(table: Table, width: int) -> Callable[[Sequence[str]], Sequence[str]]:
    """How a row is folded: the only column of words, where a name has a joint."""
    words = [index for index, column in enumerate(table.columns) if not column.numeric]
    longest = table.widths[words[0]]
    room = width - _natural(table) + longest
    if len(words) != 1 or room >= longest or room < _FOLDED:
        return list
    return partial(_fold_row, index=words[0], room=room)


def _fold_row(row: Sequence[str], index: int, room: int) -> list[str]:
    return ["\n".join(folded(cell, room)) if i == index else cell for i, cell in enumerate(row)]


def _grid(table: Table, fold: Callable[[Sequence[str]], Sequence[str]]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns:
        grid.add_column(
            Text(column.title),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*map(_cell, fold(row)))
    grid.add_section()
    for row in table.footer:
        grid.add_row(*map(_cell, fold(row)), style="bold")
    return grid


def _cell(text: str) -> Text:
    return Text(text, style=_STYLES.get(text, ""))
