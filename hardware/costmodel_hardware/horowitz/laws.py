"""The law between and beyond published figures, linear in the figures."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from costmodel.sizes import Sizes, always, clipped, larger, smaller

if TYPE_CHECKING:
    from costmodel.devices import Parameter

Point: TypeAlias = tuple[float, "Parameter"]
"""Where a figure was published, in bits, and the figure."""

Share: TypeAlias = tuple["Parameter", float]
"""A figure, and how much of it goes into a price."""


@frozen
class Curve:
    """Prices between and beyond published figures: straight lines over bits**exponent.

    Exact at the points, and beyond them in proportion to bits**exponent. An adder is a row of
    like cells (exponent 1), a multiplier an array of them (2), and the wires of a memory grow
    with the side of its square (0.5). Against what else is known at 45 nm: 0.78 pJ for a
    multiplier of 16 bits, where QTools has 0.78 and others interpolate 1.0; Horowitz's three
    adders leave proportion by a fifth at 8 bits.
    What has fewer bits than `least` or more than `most` is priced as these.
    """

    points: tuple[Point, ...]
    exponent: float
    least: float = 0.0
    most: float = math.inf
    _figures: tuple[Parameter, ...] = field(init=False, repr=False, eq=False)
    _first: float = field(init=False, repr=False, eq=False)
    _last: float = field(init=False, repr=False, eq=False)
    _ways: tuple[tuple[float, float], ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Work out what depends on the points alone."""
        places = [bits**self.exponent for bits, _ in self.points]
        for name, value in (
            ("_figures", tuple(figure for _, figure in self.points)),
            ("_first", places[0]),
            ("_last", places[-1]),
            ("_ways", tuple((start, end - start) for start, end in pairwise(places))),
        ):
            object.__setattr__(self, name, value)

    def shares(self, bits: float) -> tuple[Share, ...]:
        """The price at `bits` as shares of the published figures."""
        if isinstance(bits, Sizes):
            return self._shares_of_many(bits)
        if not self.least <= bits <= self.most:
            bits = clipped(bits, self.least, self.most)
        at = bits**self.exponent
        figures = self._figures
        if at <= self._first:
            return ((figures[0], at / self._first),)
        for index, (start, length) in enumerate(self._ways):
            # A figure counts less the more of the way to the next one is gone.
            gone = (at - start) / length
            if gone == 0.0:
                return ((figures[index], 1.0),)
            if gone < 1.0:
                return ((figures[index], 1.0 - gone), (figures[index + 1], gone))
        return ((figures[-1], 1.0 + (at / self._last - 1.0)),)

    def _shares_of_many(self, bits: Any) -> tuple[Share, ...]:
        """The same for many sizes, which lie on either side of a figure."""
        at = clipped(bits, self.least, self.most) ** self.exponent
        held = [smaller(at / self._first, 1.0)]
        for start, length in self._ways:
            gone = clipped((at - start) / length, 0.0, 1.0)
            held[-1] -= gone
            held.append(gone)
        held[-1] += larger(at / self._last, 1.0) - 1.0
        shares = zip(self._figures, held, strict=True)
        return tuple([share for share in shares if not always(share[1] == 0)])
