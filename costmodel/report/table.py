"""Tables: what a person or a spreadsheet reads, as text, Markdown or CSV.

Names and texts come from files of others. A table writes what steers a terminal or breaks a line
as an escape; in CSV, it quotes what a spreadsheet would take for a formula.
"""

from __future__ import annotations

import csv
import io
import re
import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WIDE: Final = 100
"""Characters; a wider table of several devices gives columns up, and then stands in blocks."""
_WORDS: Final = 32
"""Characters; where a table that folds is too wide, a column of words has so many at least."""
_JOINTS: Final = "_-/.@:"
"""Characters behind which a long name is cut."""
_SPARE: Final = ("Kind", "Parameters")
"""Columns that such a table leaves out first, where that keeps it in one block."""
_GAP: Final = "  "
_FORMULA: Final = ("=", "+", "-", "@")
"""How a text begins that a spreadsheet would calculate."""
_FIRST_MARK: Final = "\u0300"
"""All letters before it, among them the micro sign, take one column."""
_MARKUP: Final = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|[|*`]"  # a backslash that would escape; bars, stars, code
    r"|(?<![^\W_])_|_(?![^\W_])"  # not those within a word, which mean nothing
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)"  # elements and characters of HTML
    r"|\[(?=[^\]]*\]\s*[(\[:])|~(?=\S)|(?<=\S)~"  # links, and what is crossed out
)
"""What Markdown takes for markup."""
_BEGINNING: Final = re.compile(r"^(?=[#>+-])|(?<=^\d)(?=[.)]\s)")
"""Where an item of a list would become a heading, a quotation or a list of its own."""
_ESCAPE: Final = r"\\"
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
    """One column: its title, and whether its cells are numbers (set flush right).

    Neighbours of one `group`, such as the columns of a device, stay together where a table stands
    in blocks.
    """

    title: str = field(converter=escaped)
    numeric: bool = False
    group: str = ""


def _columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(columns)


@frozen
class Table:
    """Rows under columns, totals in `footer`, and sentences below it, each on one line.

    One that `folds` stands as text in blocks, where it is too wide, and folds long words in them.
    """

    title: str = field(converter=escaped)
    columns: tuple[Column, ...] = field(converter=_columns)
    rows: tuple[tuple[str, ...], ...] = field(converter=_rows)
    footer: tuple[tuple[str, ...], ...] = field(default=(), converter=_rows)
    notes: tuple[str, ...] = field(default=(), converter=_row)
    folds: bool = False

    @property
    def widths(self) -> list[int]:
        """How many columns of characters each column takes."""
        cells = [[column.title for column in self.columns], *self.rows, *self.footer]
        return [max(text_width(row[i]) for row in cells) for i in range(len(self.columns))]

    @property
    def width(self) -> int:
        """How many columns of characters the plain text takes, its notes left out."""
        return total_width(self.widths)

    def without(self, title: str) -> Table:
        """The table without the column of this title."""
        return self._picked([
            place for place, column in enumerate(self.columns) if column.title != title
        ])  # fmt: skip

    def blocks(self, width: int, widths: Sequence[int] | None = None) -> tuple[Table, ...]:
        """The first column with as many others as fit into `width`, again and again.

        The title stands above the first block, the notes below the last. `widths` are those of
        the columns, by default as wide as their widest cells. Columns of one group stay together,
        also where they are wider.
        """
        found = list(_shared_out(self._units(), widths or self.widths, width))
        made = []
        for place, taken in enumerate(found):
            part = self._picked([0, *taken])
            made.append(evolve(
                part,
                title=self.title if place == 0 else "",
                footer=[row for row in part.footer if any(row[1:])],
                notes=self.notes if place == len(found) - 1 else (),
            ))  # fmt: skip
        return tuple(made)

    def text(self) -> str:
        """Plain text, columns as wide as their widest cell.

        A table with groups of columns is at most 100 characters wide: it leaves out the kind and
        the parameters of layers where that is enough, and else stands in blocks. So is one that
        folds; it leaves nothing out.
        """
        if self.folds:
            return "\n\n".join(one.plain(WIDE) for one in self.blocks(WIDE, self._least()))
        is_grouped = any(column.group for column in self.columns)
        shown = self._narrowed().blocks(WIDE) if is_grouped else (self,)
        return "\n\n".join(one.plain() for one in shown)

    def plain(self, width: int | None = None) -> str:
        """Plain text in one block: however wide, or with words folded to have a width."""
        widths = self.widths if width is None else self._within(width)
        rule = _GAP.join("-" * one for one in widths)
        body = [line for row in self.rows for line in self._lines(row, widths)]
        below = [line for row in self.footer for line in self._lines(row, widths)]
        foot = [rule, *below] if below else []
        title = [*textwrap.wrap(self.title, WIDE, break_long_words=False), ""]
        head = [*self._lines([column.title for column in self.columns], widths), rule]
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([*(title if self.title else []), *head, *body, *foot, *notes])

    def markdown(self) -> str:
        """A GitHub table, with the notes as a list."""
        titles = [column.title for column in self.columns]
        rule = ["---:" if column.numeric else "---" for column in self.columns]
        footer = [
            [f"**{_in_markdown(cell)}**" if cell else "" for cell in row] for row in self.footer
        ]
        above, *below = [list(map(_in_markdown, row)) for row in (titles, *self.rows)]
        lines = ["| " + " | ".join(row) + " |" for row in (above, rule, *below, *footer)]
        items = [f"- {_BEGINNING.sub(_ESCAPE, _in_markdown(note))}" for note in self.notes]
        title = [f"**{_in_markdown(self.title)}**", ""] if self.title else []
        return "\n".join([*title, *lines, *(["", *items] if items else [])])

    def csv(self) -> str:
        """Comma-separated values of the rows, without totals and notes.

        A text that a spreadsheet would take for a formula has an apostrophe before it.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([_as_text(column.title) for column in self.columns])
        writer.writerows([map(_as_text, row) for row in self.rows])
        return out.getvalue().rstrip("\n")

    def _narrowed(self) -> Table:
        """The table without a few columns, where that spares it to stand in blocks."""
        narrower = self
        for place, title in enumerate(_SPARE, start=1):
            if self.width > WIDE >= (narrower := narrower.without(title)).width:
                left_out = f"left out: {', '.join(_SPARE[:place])} (--format csv has all)"
                return evolve(narrower, notes=(*narrower.notes, left_out))
        return self

    def _picked(self, places: Sequence[int]) -> Table:
        """The table of the columns at these places."""

        def rest(rows: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
            return [tuple([row[place] for place in places]) for row in rows]

        columns = [self.columns[place] for place in places]
        return evolve(self, columns=columns, rows=rest(self.rows), footer=rest(self.footer))

    def _units(self) -> Iterator[list[int]]:
        """The places of the columns that stay together, the first column left out."""
        unit: list[int] = []
        for place, column in enumerate(self.columns[1:], start=1):
            if unit and (not column.group or column.group != self.columns[unit[-1]].group):
                yield unit
                unit = []
            unit.append(place)
        if unit:
            yield unit

    def _least(self) -> list[int]:
        """The widths of columns in which words are folded, unless all has room."""
        if self.width <= WIDE:
            return self.widths
        pairs = zip(self.columns, self.widths, strict=True)
        return [width if column.numeric else min(width, _WORDS) for column, width in pairs]

    def _within(self, width: int) -> list[int]:
        """The widths of columns within that of the table; the narrowest have theirs first."""
        natural, found = self.widths, self._least()
        room = max(width - total_width(found), 0)
        for place in sorted(range(len(found)), key=natural.__getitem__):
            more = min(natural[place] - found[place], room)
            found[place] += more
            room -= more
        return found

    def _lines(self, row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
        """A row with its words folded to the widths of their columns."""
        cells = [folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*cells, fillvalue=""):
            yield self._line(line, widths)

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = zip(row, self.columns, widths, strict=True)
        return _GAP.join(
            _padded(cell, width, is_right=column.numeric) for cell, column, width in cells
        ).rstrip()


def text_width(text: str) -> int:
    """How many columns of characters a text takes: some letters take two, some marks none."""
    if text.isascii() or max(text) < _FIRST_MARK:
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  # most texts do without

    return cell_len(text)


def folded(text: str, width: int) -> list[str]:
    """The lines of a text of which none takes more than so many columns of characters.

    It is cut behind a space, else at a joint of a name, else anywhere. Further lines are indented.
    """
    lines = []
    while text_width(text) > width:
        end = _fitting(text, width)
        cut = _last(text, end + 1, " ") or _last(text, end, _JOINTS) or end
        lines.append(text[:cut].rstrip())
        text = f" {text[cut:].lstrip()}"
    return [*lines, text]


def _fitting(text: str, width: int) -> int:
    """How many characters of a text take so many columns; two at least, so that it grows less."""
    if text.isascii():
        return max(width, 2)
    end = 2
    while end < len(text) and text_width(text[: end + 1]) <= width:
        end += 1
    return end


def _last(text: str, end: int, joints: str) -> int:
    """The place behind the last joint in the second half of what fits; 0 if there is none."""
    return next((at + 1 for at in range(end - 1, end // 2, -1) if text[at] in joints), 0)


def total_width(widths: Sequence[int]) -> int:
    """How wide columns of these widths are side by side."""
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _padded(cell: str, width: int, *, is_right: bool) -> str:
    space = " " * (width - text_width(cell))
    return space + cell if is_right else cell + space


def _shared_out(
    units: Iterable[Sequence[int]], widths: Sequence[int], width: int
) -> Iterator[list[int]]:
    """The places of columns by block, each with the first column."""
    block: list[int] = []
    for unit in units:
        needed = total_width([widths[0], *(widths[place] for place in (*block, *unit))])
        if block and needed > width:
            yield block
            block = []
        block += unit
    yield block


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
    """The cell as it is, in place of what Markdown would make of it."""
    return _MARKUP.sub(r"\\\g<0>", cell)
