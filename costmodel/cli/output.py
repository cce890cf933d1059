"""Where data goes: standard output, fitted to a terminal or plain, or a file in one piece."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.report.table import Table, escaped
from costmodel.safe_io import replaced, writing

FORMATS = ("table", "json", "csv", "markdown")
_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown", ".txt": "table", "": "table"}
_NARROWEST = 40
"""Columns; a narrower terminal folds by itself."""


@frozen
class Output:
    """A place for data: standard output where there is no path."""

    path: Path | None = None
    name: Path | None = None
    """What the user calls it, where that is another path."""

    def tables(self, tables: Sequence[Table]) -> None:
        """Write tables for a person, each fitted to the terminal if there is one."""
        if self.path is None and is_terminal():
            from costmodel.cli.terminal import draw  # noqa: PLC0415  # brings rich

            with writing_standard_output():
                draw(tables)
        else:
            self.text("\n\n".join(table.text() for table in tables))

    def prose(self, text: str) -> None:
        """Write sentences for a person, folded to the terminal if there is one."""
        shown = escaped(text, keep="\n")
        self.text(_folded(shown) if is_terminal() else shown)

    def text(self, text: str) -> None:
        """Write a text as it is."""
        if self.path is None:
            _print(text)
        else:
            with writing(self.name or self.path):
                self.path.write_text(f"{text}\n", encoding="utf-8")


@contextmanager
def opened(
    path: Path | None = None, inputs: Iterable[str | Path] = (), option: str = "-o"
) -> Iterator[Output]:
    """The output for `path`, tried before anything is computed for it.

    A file appears in one piece when all went well; until then an older one stays. `inputs` are
    the files that the command reads, which it never overwrites; names of no file count for none.
    `option` is the one that gave the path.

    Raises:
        CostModelError: the path cannot be written, or is that of an input.

    """
    if path is None or str(path) == "-":
        yield Output()
        return
    check_no_input(path, inputs, option)
    if _is_special(path):
        yield Output(path)
    else:
        with replaced(path) as temporary:
            yield Output(temporary, path)


def check_appendable(path: Path, inputs: Iterable[str | Path], option: str) -> None:
    """Check that a text can be appended to a file, before anything is computed for it.

    Raises:
        CostModelError: the path cannot be written, or is that of an input.

    """
    check_no_input(path, inputs, option)
    with writing(path):
        is_new = not path.exists()
        path.open("a", encoding="utf-8").close()
        if is_new:
            path.unlink()


def append(path: Path, text: str, inputs: Iterable[str | Path], option: str) -> None:
    """Append a text to a file, behind an empty line where there is something in it.

    Raises:
        CostModelError: the path cannot be written, or is that of an input.

    """
    check_no_input(path, inputs, option)
    with writing(path), path.open("a", encoding="utf-8") as file:
        is_behind = file.seekable() and file.tell()  # a pipe has no place
        file.write(f"{chr(10) if is_behind else ''}{text}\n")


def check_no_input(path: Path, inputs: Iterable[str | Path], option: str = "-o") -> None:
    """Check that an output is none of the files that a command reads.

    Raises:
        CostModelError: it is one of them.

    """
    for given in inputs:
        if _is_same_file(path, given):
            same = "" if str(path) == str(given) else f", the same file as {given}"
            message = (
                f"{option} {path}: the command reads this file{same}; give another name for the "
                "output"
            )
            raise CostModelError(message)


def check_new_file(path: Path, inputs: Iterable[str | Path]) -> None:
    """Check that an output is a file that can be put in place whole, and none that is read.

    Raises:
        CostModelError: it is one of the files that are read, a folder, a device or a pipe.

    """
    check_no_input(path, inputs)
    if path.exists() and not path.is_file():
        message = f"-o {path}: expected the name of a file; this is a folder, a device or a pipe"
        raise CostModelError(message)


def _is_same_file(path: Path, given: str | Path) -> bool:
    """Whether both lead to one file, through links or in another spelling too."""
    try:
        return path.samefile(given) or path.resolve() == Path(given).resolve()
    except (OSError, ValueError):  # one of them is not there, or no path at all
        return _resolved(path) == _resolved(given) is not None


def _resolved(path: str | Path) -> Path | None:
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError):
        return None


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


def note(text: str) -> None:
    """Say something that is not data, on standard error."""
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
    with writing(path):
        special = path.exists() and not path.is_file()
        if special:
            path.open("ab").close()  # a folder is refused here
    return special


@contextmanager
def writing_standard_output() -> Iterator[None]:
    """Say of an error of the system that standard output cannot be written.

    Raises:
        CostModelError: instead of an OSError.
        BrokenPipeError: the reader went away, which is not a fault.

    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_standard_output()
        raise CostModelError(unwritable_output(error)) from None


def forget_standard_output() -> None:
    """Send what is still buffered nowhere, so that Python's exit does not complain about it."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # no real file, as in a test
        return


def unwritable_output(error: OSError) -> str:
    """What to say where standard output cannot be written."""
    return f"standard output cannot be written: {error.strerror or error}"


class ClosedOutput(io.TextIOBase):
    """Standard output that was closed when the program started: Python itself would say nothing."""

    def write(self, text: str, /) -> int:
        """Refuse.

        Raises:
            CostModelError: always.

        """
        message = "standard output is closed; open it, or give -o FILE"
        raise CostModelError(message)


def _print(text: str) -> None:
    with writing_standard_output():
        click.echo(_encodable(text))


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, _STAND_IN).decode(encoding)


_STAND_IN = "costmodel.stand_in"
_MICRO = ("\u00b5", "\u03bc")
"""The micro sign and the Greek letter mu, which look alike."""


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # u is the accepted stand-in for the micro sign, and costmodel.units reads it as such.
    wrong = error.object[error.start : error.end]
    return "".join("u" if char in _MICRO else "?" for char in wrong), error.end


codecs.register_error(_STAND_IN, _stand_in)
