"""Reasons: why work has no cost."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen


def _in_words(instance: object, _: object, reason: Any) -> None:
    if not isinstance(reason, str) or not reason.strip():
        message = f"{type(instance).__name__}({reason!r:.80}): expected a reason in words"
        raise ValueError(message)


@frozen
class Reason:
    """Why there is no charge.

    Raises:
        ValueError: no words.

    """

    reason: str = field(validator=_in_words)


@frozen
class Free(Reason):
    """Work that costs nothing, and why."""


@frozen
class Unpriced(Reason):
    """Work that could not be priced, and why."""
