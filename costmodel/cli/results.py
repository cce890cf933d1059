"""Estimates, comparisons, counts and checks in the format that was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from costmodel.cli.output import Output
from costmodel.report.table import Column, Table
from costmodel.safe_io import json_text


class Result(Protocol):
    """What a command can write: an estimate, a comparison, counts and others."""

    def table(self, *, exact: bool = False) -> Table:
        """The result as a table, with bare numbers if `exact`."""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""


def write(results: Sequence[Result], form: str, output: Output) -> None:
    """Write all results as one text of the format `form`."""
    if form == "json":
        values = [result.to_dict() for result in results]
        shown = values if len(values) > 1 else values[0]
        output.text(json_text(shown))
        return
    write_tables([result.table(exact=form == "csv") for result in results], form, output)


def write_tables(tables: Sequence[Table], form: str, output: Output) -> None:
    """Write tables as one text of the format `form`, which is not JSON."""
    if form == "table":
        output.tables(tables)
    else:
        output.text("\n\n".join(_plain(tables, form)))


def _plain(tables: Sequence[Table], form: str) -> Iterator[str]:
    if form == "csv":
        yield from (table.csv() for table in _stacked(tables))
    else:
        yield from (table.markdown() for table in tables)


def _stacked(tables: Sequence[Table]) -> Iterator[Table]:
    """Tables of the same columns as one, each row behind the title of its table."""
    if len(tables) == 1:
        yield tables[0]
        return
    by_columns: dict[tuple[Column, ...], list[tuple[str, ...]]] = {}
    for table in tables:
        rows = [(table.title, *row) for row in table.rows]
        by_columns.setdefault(table.columns, []).extend(rows)
    for columns, rows in by_columns.items():
        yield Table("", (Column("Table"), *columns), rows)
