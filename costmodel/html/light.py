"""Estimates in notebooks: a table of HTML without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.html.markup import Child, Markup, tag
from costmodel.report.summary import summary

if TYPE_CHECKING:
    from costmodel.report.estimate_table import Reported
    from costmodel.report.table import Table

_RIGHT = "text-align:right"
_LEFT = "text-align:left"


def light(estimate: Reported) -> str:
    """The summary of an estimate as HTML, in the colours of the page around it."""
    totals, largest = summary(estimate)
    notes = [tag("li", note) for note in largest.notes]
    more = tag("details", tag("summary", f"{len(notes)} notes"), tag("ul", notes))
    return tag("div", _table(totals), _table(largest), more if notes else None)


def _table(table: Table) -> Markup:
    """A table with its title; numbers stand at the right."""
    styles = [_RIGHT if column.numeric else _LEFT for column in table.columns]

    def row(cells: tuple[str, ...]) -> Child:
        return tag("tr", [_cell(place, text, styles[place]) for place, text in enumerate(cells)])

    titles = [
        tag("th", column.title, scope="col", style=style)
        for column, style in zip(table.columns, styles, strict=True)
    ]
    caption = tag("caption", table.title, style=f"{_LEFT};font-weight:bold;caption-side:top")
    head, body = tag("thead", tag("tr", titles)), tag("tbody", list(map(row, table.rows)))
    return tag("table", caption, head, body, style="margin-bottom:1em")


def _cell(place: int, text: str, style: str) -> Markup:
    if place == 0:
        return tag("th", text, scope="row", style=style)
    return tag("td", text, style=style)
