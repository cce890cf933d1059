"""Where data goes: standard output, fitted to a terminal or plain, or a file in one piece."""

from __future__ import annotations

import codecs
import os
import secrets
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.report import Column, Table

FORMATS = ("table", "json", "csv", "markdown")
_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown", ".txt": "table", "": "table"}
_NARROWEST = 40
"""Columns; a narrower terminal folds by itself."""


@frozen
class Output:
    """A place for data: standard output where there is no path."""

    path: Path | None = None

    def tables(self, tables: Sequence[Table]) -> None:
        """Write tables for a person, each fitted to the terminal if there is one."""
        if self.path is None and is_terminal():
            from costmodel.cli.terminal import draw  # noqa: PLC0415  # brings rich

            draw(tables)
        else:
            self.text("\n\n".join(safe(table).text() for table in tables))

    def prose(self, text: str) -> None:
        """Write sentences for a person, folded to the terminal if there is one."""
        self.text(_folded(escaped(text)) if is_terminal() else escaped(text))

    def text(self, text: str) -> None:
        """Write a text as it is."""
        if self.path is None:
            _print(text)
        else:
            with _told(self.path):
                self.path.write_text(f"{text}\n", encoding="utf-8")


@contextmanager
def opened(path: Path | None = None) -> Iterator[Output]:
    """The output for `path`, tried before anything is computed for it.

    A file appears in one piece when all went well; until then an older one stays.

    Raises:
        CostModelError: the path cannot be written.

    """
    if path is None or str(path) == "-":
        yield Output()
    elif _is_special(path):
        yield Output(path)
    else:
        with _replaced(path) as temporary:
            yield Output(temporary)


def chosen_format(given: str | None, path: Path | None) -> str:
    """The format asked for, else the one that the name of the file ends in, else a table.

    Raises:
        click.UsageError: the name ends in something that stands for no format.

    """
    suffix = path.suffix.lower() if path else ""
    if given is None and suffix not in _BY_SUFFIX:
        known = ", ".join(filter(None, _BY_SUFFIX))
        message = f"{suffix!r} says no format: end FILE in one of {known}, or give --format"
        raise click.UsageError(message)
    return given or _BY_SUFFIX[suffix]


def escaped(text: str, keep: str = "\n") -> str:
    """The text with nothing that steers a terminal: names in a file are a stranger's."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text
    )


def safe(table: Table) -> Table:
    """The table with nothing that steers a terminal, and no cell of several lines."""
    return Table(
        escaped(table.title),
        [Column(escaped(column.title, keep=""), column.numeric) for column in table.columns],
        [[escaped(cell, keep="") for cell in row] for row in table.rows],
        [[escaped(cell, keep="") for cell in row] for row in table.footer],
        [escaped(line, keep="") for line in table.notes],
    )


def note(text: str) -> None:
    """Say something that is no data, on standard error."""
    click.echo(escaped(text), err=True)


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def _folded(text: str) -> str:
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    return "\n".join(_fold(line, width) for line in text.splitlines())


def _fold(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _is_special(path: Path) -> bool:
    """Whether it is a device or a pipe, which is written to and never replaced."""
    with _told(path):
        special = path.exists() and not path.is_file()
        if special:
            path.open("ab").close()  # a folder is refused here
    return special


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place in the end."""
    target = Path(os.path.realpath(path))
    with _told(path):
        temporary = _beside(target)
    try:
        yield temporary
        with _told(path):
            temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _beside(target: Path) -> Path:
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}")
    is_there = target.exists()
    target.open("ab").close()  # refused where the user has no right to write
    if not is_there:
        target.unlink()
    temporary.open("xb").close()
    if is_there:
        shutil.copymode(target, temporary)
    return temporary


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise CostModelError(message) from None


def _print(text: str) -> None:
    try:
        click.echo(_encodable(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"standard output cannot be written: {error.strerror or error}"
        raise CostModelError(message) from None


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, _STAND_IN).decode(encoding)


_STAND_IN = "costmodel.stand_in"


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # u is the accepted stand-in for the micro sign, and costmodel.units reads it as such.
    wrong = error.object[error.start : error.end]
    return "".join("u" if char == "µ" else "?" for char in wrong), error.end


codecs.register_error(_STAND_IN, _stand_in)
