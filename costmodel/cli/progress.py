"""How far long work is, in a line on standard error, if that is a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from costmodel.devices.progress import Step, progress_to
from costmodel.report.table import escaped

SHOWN_AFTER: Final = 2.0
"""Seconds that work takes before a line shows how far it is."""
_EACH: Final = 0.1
"""Seconds from one line to the next."""


@contextmanager
def shown_progress() -> Iterator[None]:
    """Show how far devices are within the block, such as in a search for mappings."""
    line, began = ProgressLine(), list[float]()

    def show(steps: tuple[Step, ...]) -> None:
        if not steps:
            line.clear()
            began.clear()
            return
        if not began:
            began.append(time.monotonic())
        if time.monotonic() - began[0] >= SHOWN_AFTER:
            line.show(": ".join(map(str, steps)))

    with progress_to(show if line.is_shown else None):
        yield


class ProgressLine:
    """A line that each text takes the place of; nothing where no person reads standard error."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._width = 0
        self._last = 0.0
        self.is_shown = _reads_a_person()

    def show(self, text: str) -> None:
        """Show a text, unless another one has just been shown."""
        now = time.monotonic()
        if self.is_shown and now - self._last >= _EACH:
            shown = escaped(text)[: _columns() - 1]
            click.echo(f"\r{shown.ljust(self._width)}", nl=False, err=True)
            self._width, self._last = len(shown), now

    def clear(self) -> None:
        """Remove the text, so that another one may stand there."""
        if self._width:
            click.echo(f"\r{' ' * self._width}\r", nl=False, err=True)
            self._width = 0


def _reads_a_person() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def _columns() -> int:
    """The width of the terminal that standard error is."""
    try:
        known = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # no real file, as in a test
        known = 0
    return known or shutil.get_terminal_size().columns
