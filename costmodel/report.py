"""Tables: what a person or a spreadsheet reads, as text, Markdown or CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GAP: Final = "  "


def _rows(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)


@frozen
class Column:
    """One column: its title, and whether its cells are numbers (set flush right)."""

    title: str
    numeric: bool = False


def _columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(columns)


def _notes(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(notes)


@frozen
class Table:
    """Rows under columns, totals in `footer`, and sentences below it."""

    title: str
    columns: tuple[Column, ...] = field(converter=_columns)
    rows: tuple[tuple[str, ...], ...] = field(converter=_rows)
    footer: tuple[tuple[str, ...], ...] = field(default=(), converter=_rows)
    notes: tuple[str, ...] = field(default=(), converter=_notes)

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
        lines = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows]
        notes = ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join([f"**{self.title}**", "", *lines, *notes])

    def csv(self) -> str:
        """Comma-separated values of the rows, without totals and notes."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        writer.writerows(self.rows)
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


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
