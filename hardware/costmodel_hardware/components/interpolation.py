"""Lines between known points, straight or straight in logarithms, that keep what they rest on."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from attrs import frozen

Place = tuple[int, float, float]
"""Node in nm, size in KiB and width in bits of a point of a table."""


@frozen
class Estimate:
    """A value, the names of the laws that led to it, and the points that it rests on."""

    value: float
    laws: frozenset[str] = frozenset()
    used: frozenset[Place] = frozenset()

    def times(self, factor: float, *laws: str) -> Estimate:
        """The value times a number, by further laws."""
        return Estimate(self.value * factor, self.laws | set(laws), self.used)

    def with_factor(self, factor: Estimate) -> Estimate:
        """The product of two estimates."""
        return Estimate(
            self.value * factor.value, self.laws | factor.laws, self.used | factor.used
        )  # fmt: skip


Knot = tuple[float, Estimate]
"""A place on an axis and what is known there."""


def straight(at: float, knots: Sequence[Knot], *laws: str) -> Estimate:
    """The value on the straight line through two knots."""
    lower, upper = knots
    share = (at - lower[0]) / (upper[0] - lower[0])
    value = lower[1].value + share * (upper[1].value - lower[1].value)
    return _joined(value, knots, laws)


def log_log(at: float, knots: Sequence[Knot], *laws: str) -> Estimate:
    """The value on the line through two knots that is straight in the logarithms of both axes."""
    lower, upper = knots
    share = math.log(at / lower[0]) / math.log(upper[0] / lower[0])
    value = lower[1].value * (upper[1].value / lower[1].value) ** share
    return _joined(value, knots, laws)


def _joined(value: float, knots: Iterable[Knot], laws: Iterable[str]) -> Estimate:
    held = [estimate for _, estimate in knots]
    return Estimate(
        value,
        frozenset(laws).union(*(one.laws for one in held)),
        frozenset[Place]().union(*(one.used for one in held)),
    )


def neighbours(at: float, places: Sequence[float]) -> tuple[float, float] | None:
    """The places of a sorted list on both sides of `at`, or the two at the end that it is beyond.

    None where the list has fewer than two.
    """
    if len(places) < 2:  # noqa: PLR2004  # a line needs two points
        return None
    upper = min(max(bisect_left(places, at), 1), len(places) - 1)
    return places[upper - 1], places[upper]
