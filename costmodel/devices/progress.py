"""How far long work is, such as a search for mappings: reported to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple, TypeAlias


class Step(NamedTuple):
    """Work that is under way: the `number`-th, from 1, of `total` such steps."""

    what: str
    number: int = 1
    total: int = 1

    def __str__(self) -> str:
        """In words, such as `mapping conv1 (3 of 28)`."""
        return self.what if self.total == 1 else f"{self.what} ({self.number:,} of {self.total:,})"


Listener: TypeAlias = Callable[[tuple[Step, ...]], None]
"""What is called with the steps under way, from the outer to the inner; with none at the end."""

_LISTENER: Final[ContextVar[Listener | None]] = ContextVar("listener", default=None)
_UNDER_WAY: Final[ContextVar[tuple[Step, ...]]] = ContextVar("under way", default=())


@contextmanager
def progress_to(listener: Listener | None) -> Iterator[None]:
    """Report progress within the block to a listener of this thread, or to none.

    It hears of the steps that begin within the block. An exception that it raises stops the work.
    """
    token, outer = _LISTENER.set(listener), _UNDER_WAY.set(())
    try:
        yield
    finally:
        _UNDER_WAY.reset(outer)
        _LISTENER.reset(token)


@contextmanager
def step(what: str, number: int = 1, total: int = 1) -> Iterator[None]:
    """A step of long work, which lasts as long as the block."""
    listener = _LISTENER.get()
    if listener is None:
        yield
        return
    token = _UNDER_WAY.set((*_UNDER_WAY.get(), Step(what, number, total)))
    try:
        listener(_UNDER_WAY.get())
        yield
    finally:
        _UNDER_WAY.reset(token)
        if not _UNDER_WAY.get():
            listener(())


def report(what: str) -> None:
    """Say how far the step that is under way is, in words."""
    listener = _LISTENER.get()
    if listener is not None:
        listener((*_UNDER_WAY.get(), Step(what)))
