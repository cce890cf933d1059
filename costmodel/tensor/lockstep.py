"""Lockstep: one call of a rule for many operators, while they answer its questions alike."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    Array = np.ndarray[Any, Any]


class Lockstep:
    """The rows of one call: those that answer as the first row does, and those set aside.

    A rule is written for one operator, and asks questions: `if size > 64`, `size.bit_length()`.
    The first active row answers. Rows that answer otherwise leave the call and wait, in groups of
    equal answers, for a call of their own. So every call prices one row at least, and what it
    says holds for all rows that are active at its end, unless they are to be priced `one_by_one`.
    """

    def __init__(self, count: int) -> None:
        """Start with `count` active rows."""
        self.count: Final = count
        self.active: Array | slice = slice(None)
        """The places of the active rows in the arrays of the call."""
        self.aside: list[Array] = []
        """The places of the other rows, in groups of equal answers."""
        self.one_by_one = False
        """Whether what the rule says holds for the first row alone."""

    def first(self) -> int:
        """The place of the first active row, for what is said of one operator alone.

        The active rows are then priced one by one.
        """
        self.one_by_one = True
        return 0 if isinstance(self.active, slice) else int(self.active[0])

    def answer(self, answers: Array) -> Any:
        """The answer of the first active row; rows of other answers are set aside."""
        known = answers[self.active]
        differs = known != known[0]
        differs[0] = False  # what is not a number differs from itself
        if differs.any():
            places = _arange(self.count)[self.active]
            self.aside += _grouped(places[differs], known[differs])
            self.active = places[~differs]
        return known[0]


def _grouped(places: Array, answers: Array) -> list[Array]:
    """The places, those of equal answers together."""
    order = answers.argsort(kind="stable")
    sorted_answers = answers[order]
    (ends,) = (sorted_answers[1:] != sorted_answers[:-1]).nonzero()
    bounds = [0, *(ends + 1).tolist(), len(places)]
    grouped = places[order]
    return [grouped[start:end] for start, end in pairwise(bounds)]


_CURRENT: ContextVar[Lockstep | None] = ContextVar("lockstep", default=None)
"""The call under way; each thread has its own. Operators hold sizes, so no argument carries it."""


@contextmanager
def lockstep(count: int) -> Iterator[Lockstep]:
    """A call of a rule for `count` rows, for as long as the context lasts."""
    call = Lockstep(count)
    token = _CURRENT.set(call)
    try:
        yield call
    finally:
        _CURRENT.reset(token)


def current() -> Lockstep | None:
    """The call under way, if there is one."""
    return _CURRENT.get()


def current_of(count: int) -> Lockstep | None:
    """The call under way, if its arrays have `count` places."""
    call = _CURRENT.get()
    return call if call is not None and call.count == count else None


def active(values: Array) -> Array:
    """The values of the active rows; all of them outside of a call."""
    call = _CURRENT.get()
    return values if call is None or call.count != len(values) else values[call.active]


def active_places(count: int) -> list[int]:
    """The places of the active rows; all of them outside of a call."""
    places: list[int] = active(_arange(count)).tolist()
    return places


def _arange(count: int) -> Array:
    import numpy as np  # noqa: PLC0415  # one operator needs none of it

    return np.arange(count)
