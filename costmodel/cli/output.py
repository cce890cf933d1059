"""Where data goes: standard output, fitted to a terminal or plain, or a file in one piece."""

from __future__ import annotations

import codecs
import os
import secrets
import shutil
import stat
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import frozen

from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from costmodel.report import Table

FORMATS = ("table", "json", "csv", "markdown")
_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown"}
_NARROWEST = 40
"""Columns; a narrower terminal folds by itself."""


@frozen
class Output:
    """A place for data: a path, or standard output where there is none."""

    path: Path | None
    temporary: Path | None

    def tables(self, tables: Sequence[Table]) -> None:
        """Write tables for a person, each fitted to the terminal if there is one."""
        if self.path is None and is_terminal():
            from costmodel.cli.terminal import draw  # noqa: PLC0415  # brings rich

            draw(tables)
        else:
            self.text("\n\n".join(escaped(table.text()) for table in tables))

    def prose(self, text: str) -> None:
        """Write sentences for a person, folded to the terminal if there is one."""
        self.text(_folded(escaped(text)) if is_terminal() else escaped(text))

    def text(self, text: str) -> None:
        """Write a text as it is."""
        if self.path is None:
            _print(text)
        else:
            (self.temporary or self.path).write_text(f"{text}\n", encoding="utf-8")


@contextmanager
def opened(path: Path | None) -> Iterator[Output]:
    """The output for `path`, tried before anything is computed for it.

    A file appears in one piece when all went well; until then an older one stays.

    Raises:
        CostModelError: the path cannot be written.

    """
    if path is None or str(path) == "-":
        yield Output(None, None)
        return
    target = Path(os.path.realpath(path))
    try:
        with _written(target) as temporary:
            yield Output(target, temporary)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise CostModelError(message) from None


def chosen_format(given: str | None, path: Path | None) -> str:
    """The format asked for, else the one that the name of the file ends in, else a table."""
    return given or _BY_SUFFIX.get(path.suffix.lower() if path else "", "table")


def escaped(text: str) -> str:
    """The text with nothing that steers a terminal: names in a file are a stranger's."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text
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


@contextmanager
def _written(target: Path) -> Iterator[Path | None]:
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with target.open("ab"):  # a device, a pipe; a directory is refused here
            yield None
        return
    if target.exists():
        with target.open("ab"):
            """Refuse a file that the user may not write."""
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}")
    temporary.open("xb").close()
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


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
