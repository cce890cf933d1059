"""Tables: what a person or a spreadsheet reads, as text, Markdown or CSV.

Names and texts come from files of others. A table writes what steers a terminal or breaks a line
as an escape; in CSV, it quotes what a spreadsheet would take for a formula.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GAP: Final = "  "
_FORMULA: Final = ("=", "+", "-", "@")
"""How a text begins that a spreadsheet would calculate."""
_BAR: Final = re.compile(r"(\\*)\|")
_QUOTE: Final = "'"
"""What tells a spreadsheet that a cell is text."""


def escaped(text: str, keep: str = "") -> str:
    """The text on one line, with nothing that steers a terminal but the characters to `keep`."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text
    )


def _row(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(escaped, row))


def _rows(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(map(_row, rows))


@frozen
class Column:
    """One column: its title, and whether its cells are numbers (set flush right)."""

    title: str = field(converter=escaped)
    numeric: bool = False


def _columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(columns)


@frozen
class Table:
    """Rows under columns, totals in `footer`, and sentences below it, each on one line."""

    title: str = field(converter=escaped)
    columns: tuple[Column, ...] = field(converter=_columns)
    rows: tuple[tuple[str, ...], ...] = field(converter=_rows)
    footer: tuple[tuple[str, ...], ...] = field(default=(), converter=_rows)
    notes: tuple[str, ...] = field(default=(), converter=_row)

    @property
    def width(self) -> int:
        """How many columns of characters the plain text takes, its notes left out."""
        widths = self._widths()
        return sum(widths) + len(_GAP) * (len(widths) - 1)

    def without(self, title: str) -> Table:
        """The table without the column of this title."""
        kept = [place for place, column in enumerate(self.columns) if column.title != title]

        def rest(rows: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
            return [tuple([row[place] for place in kept]) for row in rows]

        columns = [self.columns[place] for place in kept]
        return evolve(self, columns=columns, rows=rest(self.rows), footer=rest(self.footer))

    def text(self) -> str:
        """Plain text, columns as wide as their widest cell."""
        widths = self._widths()
        rule = _GAP.join("-" * width for width in widths)
        body = [self._line(row, widths) for row in self.rows]
        foot = [rule, *(self._line(row, widths) for row in self.footer)] if self.footer else []
        head = [self.title, "", self._line([column.title for column in self.columns], widths), rule]
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([*head, *body, *foot, *notes])

    def markdown(self) -> str:
        """A GitHub table, with the notes as a list."""
        titles = [column.title for column in self.columns]
        rule = ["---:" if column.numeric else "---" for column in self.columns]
        footer = [[f"**{cell}**" if cell else "" for cell in row] for row in self.footer]
        rows = [titles, rule, *map(list, self.rows), *footer]
        lines = ["| " + " | ".join(map(_in_markdown, row)) + " |" for row in rows]
        notes = ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join([f"**{self.title}**", "", *lines, *notes])

    def csv(self) -> str:
        """Comma-separated values of the rows, without totals and notes.

        A text that a spreadsheet would take for a formula has an apostrophe before it.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([_as_text(column.title) for column in self.columns])
        writer.writerows([map(_as_text, row) for row in self.rows])
        return out.getvalue().rstrip("\n")

    def _widths(self) -> list[int]:
        cells = [[column.title for column in self.columns], *self.rows, *self.footer]
        return [max(len(row[i]) for row in cells) for i in range(len(self.columns))]

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = zip(row, self.columns, widths, strict=True)
        return _GAP.join(
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, column, width in cells
        ).rstrip()


def _as_text(cell: str) -> str:
    """The cell as a spreadsheet keeps it: a formula as the text that it is."""
    return f"{_QUOTE}{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _in_markdown(cell: str) -> str:
    """The cell with its bars escaped; a backslash before one would undo that."""
    return _BAR.sub(r"\1\1\\|", cell)
