"""Fronts of designs whose costs depend on figures that are known within ranges.

Costs are linear in the figures, as energy is in unit costs. A figure has one value for all designs
at a time, wherever in its range that lies: figures that designs share move together.

- A design is *beaten* where one other design is as good in every objective at all values of the
  figures, and better in one at some of them. `unbeaten` are the others: no single design is known
  to be better, whatever the figures are.
- A design is *safe* where at no values of the figures any other design dominates it: it is on the
  Pareto front for all of them. Every safe design is unbeaten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel.errors import CostModelError
from costmodel.optimize import pareto
from costmodel.packages import needed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Array: TypeAlias = "np.ndarray[Any, Any]"

_AT_ONCE: Final = 2**22
"""So many numbers a step holds at most, about."""
_FEW: Final = 6
"""With up to so many figures, costs are compared at all corners of the box of their ranges."""
_TOLERANCE: Final = 1e-9
"""How exact the linear programmes are, relative to the largest difference of a pair."""


def _array(given: ArrayLike) -> Array:
    return np.array(given, dtype=float)


@frozen(eq=False)
class LinearCosts:
    """The costs of designs as linear functions of figures that move within ranges.

    An objective of a design is its constant and, for each figure, a coefficient times its value. A
    design with a number that is not one (NaN) is not comparable, as on a Pareto front.

    Args:
        constants: shape `(designs, objectives)`.
        coefficients: shape `(designs, objectives, figures)`.
        low: the least value of each figure, shape `(figures,)`.
        high: the largest.
        maximize: the places of objectives that are maximised; all others are minimised.

    Raises:
        CostModelError: shapes that disagree, or a range that is not finite or not in order.

    """

    constants: Array = field(converter=_array, repr=False)
    coefficients: Array = field(converter=_array, repr=False)
    low: Array = field(converter=_array)
    high: Array = field(converter=_array)
    maximize: Sequence[int] = ()

    def __attrs_post_init__(self) -> None:
        """Check them together, and turn what is maximised around."""
        shape = (*self.constants.shape, *self.low.shape)
        given = self.constants.ndim, self.low.ndim
        if given != (2, 1) or self.coefficients.shape != shape or self.high.shape != self.low.shape:
            message = (
                "expected shapes (designs, objectives), (designs, objectives, figures), (figures,) "
                f"and (figures,), found {self.constants.shape}, {self.coefficients.shape}, "
                f"{self.low.shape} and {self.high.shape}"
            )
            raise CostModelError(message)
        if not (np.isfinite([self.low, self.high]).all() and (self.low <= self.high).all()):
            message = f"expected finite ranges, low <= high; found {self.low} to {self.high}"
            raise CostModelError(message)
        for place in self.maximize:
            self.constants[:, place] *= -1.0
            self.coefficients[:, place] *= -1.0

    def at(self, values: ArrayLike) -> Array:
        """The objectives at some values of the figures, less being better, shape as `constants`."""
        return self.constants + self.coefficients @ np.asarray(values, dtype=float)  # type: ignore[no-any-return]  # an array

    @property
    def is_comparable(self) -> Array:
        """Which designs have nothing but numbers, shape `(designs,)`."""
        is_missing = np.asarray(np.isnan(self.constants).any(axis=1))
        return ~(is_missing | np.isnan(self.coefficients).any(axis=(1, 2)))

    def take(self, rows: Array) -> LinearCosts:
        """Some of the designs; what was maximised stays turned around."""
        return LinearCosts(self.constants[rows], self.coefficients[rows], self.low, self.high)

    def differences(self, beaters: Array, rows: Array) -> tuple[Array, Array]:
        """Constants and coefficients of beaters less those of rows.

        Shapes `(beaters, rows, objectives)` and `(beaters, rows, objectives, figures)`.
        """
        return (
            self.constants[beaters][:, np.newaxis] - self.constants[rows],
            self.coefficients[beaters][:, np.newaxis] - self.coefficients[rows],
        )

    def ends(self, constants: Array, coefficients: Array) -> tuple[Array, Array]:
        """The least and the largest of linear functions over all values of the figures.

        Each figure is at the end of its range that the sign of its coefficient asks for.
        """
        at_low, at_high = coefficients * self.low, coefficients * self.high
        least = constants + np.minimum(at_low, at_high).sum(axis=-1)
        return least, constants + np.maximum(at_low, at_high).sum(axis=-1)


def unbeaten(costs: LinearCosts) -> Array:
    """The designs that no other design beats: truth values of shape `(designs,)`.

    A linear function is largest at a corner of the box of all ranges. With few figures, each
    objective at each corner is an objective of a Pareto front; with many, pairs are compared by
    the ends of their differences, in time that grows with the square of the designs.
    """
    moving = _moving(costs)
    if max(map(len, moving), default=0) <= _FEW:
        return pareto.front(_at_corners(costs, moving))
    known = np.flatnonzero(costs.is_comparable)
    middle = costs.at((costs.low + costs.high) / 2)[known]
    known = known[np.argsort(pareto.ranks(middle), kind="stable")]
    left = np.zeros(len(costs.constants), dtype=bool)
    left[known] = True
    for beaters in _parts(known, costs):
        beaters = beaters[left[beaters]]  # noqa: PLW2901  # those that are out are beaten by others
        rows = np.flatnonzero(left)
        for some in _parts(rows, costs, len(beaters)):
            least, largest = costs.ends(*costs.differences(beaters, some))
            beats = (largest <= 0).all(axis=-1) & (least < 0).any(axis=-1)
            left[some[beats.any(axis=0)]] = False
    return left


def safe(costs: LinearCosts) -> Array:
    """The designs that are on the Pareto front at all values of the figures, shape `(designs,)`.

    Where no figure moves two objectives, some values are the best for a rival in all objectives at
    once. Else a linear programme for each pair of designs finds values at which the rival wins.

    Raises:
        CostModelError: SciPy is needed and not installed.

    """
    moving = costs.low < costs.high
    moves = (costs.coefficients[costs.is_comparable] != 0).any(axis=0) & moving
    is_shared = bool((moves.sum(axis=0) > 1).any())
    # What a beaten design wins against, the design that beats it wins against as well.
    found = unbeaten(costs)
    known = np.flatnonzero(found)
    for rows in _parts(known, costs):
        for rivals in _parts(known, costs, len(rows)):
            constants, coefficients = costs.differences(rivals, rows)
            least, _ = costs.ends(constants, coefficients)
            wins = (least <= 0).all(axis=-1) & (least < 0).any(axis=-1)
            if is_shared:
                for rival, row in zip(*np.nonzero(wins), strict=True):
                    if found[rows[row]]:
                        pair = constants[rival, row], coefficients[rival, row]
                        found[rows[row]] = not _wins_somewhere(*pair, costs.low, costs.high)
            else:
                found[rows[wins.any(axis=0)]] = False
    return found


def _moving(costs: LinearCosts) -> list[Array]:
    """For each objective the figures that move its designs apart: none that moves all alike."""
    has_range = costs.low < costs.high
    differ = (costs.coefficients != costs.coefficients[:1]).any(axis=0)
    return [np.flatnonzero(own & has_range) for own in differ]


def _at_corners(costs: LinearCosts, moving: Sequence[Array]) -> Array:
    """The objectives at all corners of the ranges that matter to them, side by side."""
    columns = []
    for place, matters in enumerate(moving):
        own = costs.coefficients[:, place]
        for corner in range(1 << len(matters)):
            values = costs.low.copy()
            ends = matters[corner >> np.arange(len(matters)) & 1 == 1]
            values[ends] = costs.high[ends]
            # One figure after the other: equal designs have equal costs, wherever they stand.
            column = costs.constants[:, place]
            for figure in np.flatnonzero((own != 0).any(axis=0)):
                column = column + own[:, figure] * values[figure]
            columns.append(column)
    return np.stack(columns, axis=1)


def _parts(rows: Array, costs: LinearCosts, beside: int = 1) -> Iterator[Array]:
    """The rows in parts whose differences to so many others fit in memory."""
    numbers = costs.constants.shape[1] * (len(costs.low) + 1) * max(beside, 1)
    size = max(1, _AT_ONCE // numbers) if beside > 1 else 128
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _wins_somewhere(constants: Array, coefficients: Array, low: Array, high: Array) -> bool:
    """Whether differences are all at most 0 and one is below, at some values within the ranges."""
    optimize = needed("a front under ranges", "scipy.optimize", extra="search")
    terms = [constants[:, np.newaxis], coefficients * low, coefficients * high]
    scale = np.abs(np.concatenate(terms, axis=1)).max() or 1.0
    sums = coefficients.sum(axis=0)
    found = optimize.linprog(
        sums / scale, A_ub=coefficients / scale, b_ub=-constants / scale,
        bounds=np.stack([low, high], axis=1), method="highs",
    )  # fmt: skip
    return bool(found.status == 0 and found.fun + constants.sum() / scale < -_TOLERANCE)
