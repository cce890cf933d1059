"""The law between and beyond published figures, linear in the figures."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from costmodel.devices import Parameter

Point: TypeAlias = tuple[float, "Parameter"]
"""Where a figure was published, in bits, and the figure."""

Share: TypeAlias = tuple["Parameter", float]
"""A figure, and how much of it goes into a price."""


def shares(points: tuple[Point, ...], x: float, exponent: float) -> tuple[Share, ...]:
    """The price at `x` as shares of the published figures: straight lines over x**exponent.

    Exact at the points, and beyond them in proportion to x**exponent. An adder is a row of like
    cells (exponent 1), a multiplier an array of them (2), and the wires of a memory grow with
    the side of its square (0.5). Against what else is known at 45 nm: 0.78 pJ for a multiplier
    of 16 bits, where QTools has 0.78 and others interpolate 1.0; Horowitz's three adders leave
    proportion by a fifth at 8 bits.
    """
    first, last = points[0], points[-1]
    if x <= first[0]:
        return ((first[1], (x / first[0]) ** exponent),)
    if x >= last[0]:
        return ((last[1], (x / last[0]) ** exponent),)
    lower, upper = next(pair for pair in pairwise(points) if x <= pair[1][0])
    start, end = lower[0] ** exponent, upper[0] ** exponent
    along = (x**exponent - start) / (end - start)
    found = ((lower[1], 1 - along), (upper[1], along))
    return tuple((parameter, share) for parameter, share in found if share)
