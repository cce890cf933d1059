"""Pareto fronts of any number of objectives, exact: fronts, ranks, hypervolumes and knees.

A design dominates another where it is as good in all objectives and better in one. Equal designs do
not dominate each other: a front holds all of them. A design with an objective that is not a number
(NaN: nothing priced it) is not comparable: it dominates nothing, and no front holds it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Array: TypeAlias = "np.ndarray[Any, Any]"

NO_RANK: Final = -1
"""The rank of a design that is not comparable."""
_TOGETHER: Final = 64
"""So many designs of a front are compared with all others together."""


def front(values: ArrayLike, maximize: Sequence[int] = ()) -> Array:
    """Which designs no other dominates: truth values of shape `(designs,)`.

    `values` has the shape `(designs, objectives)`. Objectives are minimised, but for those at the
    places `maximize`. Time grows as n log n in the designs for up to three objectives, and with the
    designs times the size of the front for more.

    Raises:
        CostModelError: `values` has another shape, or `maximize` names an objective that it lacks.

    """
    costs = _minimised(values, maximize)
    rows, places = _distinct(costs)
    found = np.zeros(len(costs) + 1, dtype=bool)
    found[:-1][_comparable(costs)] = _undominated(rows)[places]
    return found[:-1]


def ranks(values: ArrayLike, maximize: Sequence[int] = ()) -> Array:
    """The rank of each design, shape `(designs,)`: 0 on the front, 1 on that of the others, ...

    A design that is not comparable has the rank -1. `values` and `maximize` are those of `front`.
    Time grows as n log n in the designs for up to two objectives, and with the number of ranks for
    more.

    Raises:
        CostModelError: as of `front`.

    """
    costs = _minimised(values, maximize)
    rows, places = _distinct(costs)
    found = np.full(len(costs), NO_RANK)
    few = rows.shape[1] <= 2  # noqa: PLR2004  # two objectives
    found[_comparable(costs)] = (_ranked_by_chains(rows) if few else _ranked_by_peeling(rows))[
        places
    ]
    return found


def hypervolume(
    values: ArrayLike, reference: ArrayLike, maximize: Sequence[int] = ()
) -> float:  # a number, whose unit is the product of those of the objectives
    """The volume of what the designs dominate, up to a reference point of shape `(objectives,)`.

    Designs that are not better than the reference in all objectives add nothing. Exact: by sweeping
    for up to three objectives, and by exclusive volumes for more (While, Bradstreet and Barone, A
    fast way of calculating exact hypervolumes, 2012), which takes long for large fronts of many.

    Raises:
        CostModelError: as of `front`, or the reference has another shape, or is not finite.

    """
    costs = _minimised(values, maximize)
    point = np.asarray(reference, dtype=float)
    if point.shape != (costs.shape[1],) or not np.isfinite(point).all():
        message = f"reference: expected {costs.shape[1]} finite numbers, found {reference!r:.80}"
        raise CostModelError(message)
    end = _minimised(point[np.newaxis], maximize)[0]
    rows, _ = _distinct(costs[(costs < end).all(axis=1)])
    rows = rows[_undominated(rows)]
    if np.isinf(rows).any():
        return float("inf")
    return _volume(rows, end) if len(rows) else 0.0


def knee(values: ArrayLike, maximize: Sequence[int] = ()) -> int | None:
    """The place of the design at the knee of the front; None where no design is comparable.

    Each objective is scaled from 0 at the best of the front to 1 at the worst. The knee is the
    design with the least sum: it lies farthest before the plane through the ends of all axes (Das,
    On characterizing the knee of the Pareto curve, 1999). Of several, it is the first.

    Raises:
        CostModelError: as of `front`.

    """
    costs = _minimised(values, maximize)
    places = np.flatnonzero(front(costs))
    places = places[np.isfinite(costs[places]).all(axis=1)]
    if not len(places):
        return None
    rows = costs[places]
    best, worst = rows.min(axis=0), rows.max(axis=0)
    scaled = (rows - best) / np.where(worst > best, worst - best, 1.0)
    return int(places[np.argmin(scaled.sum(axis=1))])


# ------------------------------------------------------------------ values


def _minimised(values: ArrayLike, maximize: Sequence[int]) -> Array:
    """The values with signs such that less is better."""
    costs = np.array(values, dtype=float)
    if costs.ndim != 2 or not costs.shape[1]:  # noqa: PLR2004  # designs and objectives
        message = f"expected values of shape (designs, objectives), found {costs.shape}"
        raise CostModelError(message)
    for place in maximize:
        if not 0 <= place < costs.shape[1]:
            message = (
                f"maximize: expected places from 0 to {costs.shape[1] - 1}, found {place!r:.40}"
            )
            raise CostModelError(message)
        costs[:, place] *= -1.0
    return costs


def _comparable(costs: Array) -> Array:
    return ~np.asarray(np.isnan(costs).any(axis=1))


def _distinct(costs: Array) -> tuple[Array, Array]:
    """The different comparable rows in lexicographic order, and which each comparable row is.

    A row comes behind all that dominate it.
    """
    known = costs[_comparable(costs)]
    order = np.lexsort(known.T[::-1])
    ordered = known[order]
    is_new = np.ones(len(known), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    places = np.empty(len(known), dtype=np.intp)
    places[order] = np.cumsum(is_new) - 1
    return ordered[is_new], places


# ------------------------------------------------------------------ fronts


def _undominated(rows: Array) -> Array:
    """Which of different rows in lexicographic order no other dominates."""
    match rows.shape[1]:
        case 1 | 2:
            return _falling(rows[:, -1]) if rows.shape[1] > 1 else np.arange(len(rows)) == 0
        case 3:
            return ~_dominated_of_three(rows)
        case _:
            return _sieved(rows)


def _falling(last: Array) -> Array:
    """Which values are less than all before them."""
    found = np.ones(len(last), dtype=bool)
    found[1:] = last[1:] < np.minimum.accumulate(last)[:-1]
    return found


def _dominated_of_three(rows: Array) -> Array:
    """Which rows of three objectives are dominated, by divide and conquer over their places.

    Rows at earlier places are as good in the first objective. Each round divides blocks of places
    into halves, and finds what the first half dominates in the second by the least third objective
    among those with as good a second one (Kung, Luccio and Preparata, 1975), in all blocks at once.
    """
    count = len(rows)
    dominated = np.zeros(count, dtype=bool)
    order = np.argsort(rows[:, 1], kind="stable")
    third = np.unique(rows[:, 2], return_inverse=True)[1].reshape(-1)
    most = int(third.max(initial=0)) + 1
    for level in reversed(range(max(count - 1, 0).bit_length())):
        half, block, own = 1 << level, order >> (level + 1), third[order]
        is_second = (order >> level & 1).astype(bool)
        # Later blocks have smaller numbers, so that the minimum starts anew in each.
        offset = block * (most + 1)
        least = np.minimum.accumulate(np.where(is_second, most, own) - offset) + offset
        dominated[order[is_second & (least <= own)]] = True
        seconds = np.cumsum(is_second) - block * half
        firsts = np.arange(1, count + 1) - np.cumsum(is_second) - block * half
        target = block * (2 * half) + np.where(is_second, half + seconds, firsts) - 1
        order[target] = order.copy()
    return dominated


def _sieved(rows: Array) -> Array:
    """Which rows no other dominates: those found so far take out what they dominate."""
    places = np.stack(
        [np.unique(column, return_inverse=True)[1].reshape(-1) for column in rows.T], axis=1
    )
    left = np.argsort(places.sum(axis=1), kind="stable")  # behind what dominates it
    found = np.zeros(len(rows), dtype=bool)
    while len(left):
        first = places[left[:_TOGETHER]]
        own = ~_any_dominates(first, first)
        found[left[:_TOGETHER][own]] = True
        left = left[_TOGETHER:]
        left = left[~_any_dominates(first[own], places[left])]
    return found


def _any_dominates(beaters: Array, rows: Array) -> Array:
    """Which rows one of the beaters, which may be among them, dominates."""
    found = np.zeros(len(rows), dtype=bool)
    for beater in beaters:
        found |= (beater <= rows).all(axis=1) & (beater < rows).any(axis=1)
    return found


# ------------------------------------------------------------------ ranks


def _ranked_by_chains(rows: Array) -> Array:
    """The ranks of one or two objectives: the last row of a rank has the least second one."""
    ends: list[float] = []
    found = []
    for value in rows[:, -1].tolist():
        rank = bisect_right(ends, value)
        ends[rank : rank + 1] = [value]
        found.append(rank)
    return np.array(found, dtype=np.intp)


def _ranked_by_peeling(rows: Array) -> Array:
    found = np.empty(len(rows), dtype=np.intp)
    left, rank = np.arange(len(rows)), 0
    while len(left):
        is_best = _undominated(rows[left])
        found[left[is_best]] = rank
        left, rank = left[~is_best], rank + 1
    return found


# ------------------------------------------------------------------ volumes


def _volume(rows: Array, end: Array) -> float:
    """The volume between rows that do not dominate each other and an end beyond all of them."""
    match rows.shape[1]:
        case 1:
            return float(end[0] - rows[:, 0].min())
        case 2:
            ordered = rows[np.argsort(rows[:, 0])]
            widths = np.diff(ordered[:, 0], append=end[0])
            return float((widths * (end[1] - ordered[:, 1])).sum())
        case 3:
            return _volume_of_three(rows, end)
        case _:
            return _sum_of_exclusive(rows, end)


def _volume_of_three(rows: Array, end: Array) -> float:
    """The area that rows dominate in two objectives, summed up over the third."""
    area = total = 0.0
    before = float(end[2])
    firsts, seconds = [-np.inf, float(end[0])], [float(end[1]), -np.inf]
    for first, second, third in rows[np.argsort(rows[:, 2], kind="stable")].tolist():
        total += area * (third - before)
        before = third
        place = bisect_left(firsts, first)
        height = seconds[place - 1]  # of the step in which it stands
        if height <= second:
            continue  # in its two first objectives, it is no better
        right = place
        left_edge = first
        while seconds[right] >= second:
            area += (firsts[right] - left_edge) * (height - second)
            left_edge, height = firsts[right], seconds[right]
            right += 1
        area += (firsts[right] - left_edge) * (height - second)
        firsts[place:right], seconds[place:right] = [first], [second]
    return total + area * (float(end[2]) - before)


def _sum_of_exclusive(rows: Array, end: Array) -> float:
    """What each row dominates and no later one does, summed up."""
    total = 0.0
    for place, row in enumerate(rows):
        limited, _ = _distinct(np.maximum(rows[place + 1 :], row))
        limited = limited[_undominated(limited)]
        shared = _volume(limited, end) if len(limited) else 0.0
        total += float(np.prod(end - row)) - shared
    return total
