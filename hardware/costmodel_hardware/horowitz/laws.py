"""The law between and beyond published figures, linear in the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from costmodel.sizes import always, larger, smaller

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
    at = x**exponent
    places = [place**exponent for place, _ in points]
    ends = zip([0.0, *places], places, [*places[1:], None], points, strict=False)
    found = [
        (figure, _hat(at, before, place, after)) for before, place, after, (_, figure) in ends
    ]
    return tuple([(figure, share) for figure, share in found if not always(share == 0)])


def _hat(at: float, before: float, place: float, after: float | None) -> float:
    """How much of the figure at `place` counts: all there, nothing at its neighbours."""
    if after is None:  # the last one grows on
        return larger(0.0, smaller((at - before) / (place - before), at / place))
    return larger(0.0, smaller((at - before) / (place - before), (after - at) / (after - place)))
