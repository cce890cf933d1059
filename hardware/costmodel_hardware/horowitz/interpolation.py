"""The law between and beyond published figures, linear in the figures."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen
from attrs.validators import min_len

from costmodel.tensor.sizes import SizeArray, always, clipped, larger, smaller

if TYPE_CHECKING:
    from costmodel.devices import Parameter

Point: TypeAlias = tuple[float, "Parameter"]
"""Where a figure was published, in bits, and the figure."""

Parts: TypeAlias = "tuple[tuple[Parameter, float], ...]"
"""Published figures, each with its weight."""

_Way: TypeAlias = tuple[float, "Parameter", float, "Parameter", float]
"""Where a figure stands and it, where the next one stands and it, and how far that is."""


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

    points: tuple[Point, ...] = field(validator=min_len(2))
    exponent: float
    least: float = 0.0
    most: float = math.inf
    _ways: tuple[_Way, ...] = field(init=False, repr=False, eq=False)

    @_ways.default
    def _paired(self) -> tuple[_Way, ...]:
        """The ways between the points, the last one first: tensors are large."""
        places = [(bits**self.exponent, figure) for bits, figure in self.points]
        ways = [(*start, *end, end[0] - start[0]) for start, end in pairwise(places)]
        return tuple(reversed(ways))

    def parts(self, bits: Any) -> Parts:
        """The price at `bits`, a number or a `SizeArray`: published figures and their weights."""
        if bits.__class__ is SizeArray:
            return self._parts_of_many(bits)
        if not self.least <= bits <= self.most:
            bits = clipped(bits, self.least, self.most)
        at = bits**self.exponent
        for start, figure, end, following, length in self._ways:
            if at >= end:
                return ((following, 1.0 + (at / end - 1.0)),)
            if at > start:
                # A figure counts less the more of the way to the next one is gone.
                gone = (at - start) / length
                return ((figure, 1.0 - gone), (following, gone))
        return ((figure, at / start),)

    def _parts_of_many(self, bits: Any) -> Parts:
        """The same for many sizes, which lie on either side of a figure."""
        at = clipped(bits, self.least, self.most) ** self.exponent
        places = [place**self.exponent for place, _ in self.points]
        weights = [smaller(at / places[0], 1.0)]
        for start, end in pairwise(places):
            gone = clipped((at - start) / (end - start), 0.0, 1.0)
            weights[-1] -= gone
            weights.append(gone)
        weights[-1] += larger(at / places[-1], 1.0) - 1.0
        parts = [(figure, weight) for (_, figure), weight in zip(self.points, weights, strict=True)]
        return tuple([one for one in parts if not always(one[1] == 0)])
