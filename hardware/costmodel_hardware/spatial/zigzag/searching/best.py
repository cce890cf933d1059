"""The best mapping of a space by energy, latency, their product, or a function of both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from attrs import frozen

from costmodel.errors import CostModelError, UnknownNameError
from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.counting.validity import OutOfTimeError
from costmodel_hardware.spatial.mapping import Mapping as LoopMapping
from costmodel_hardware.spatial.zigzag.accounting import ZigZagCount, count
from costmodel_hardware.spatial.zigzag.searching.batch import Cuts, Orders, counts_of
from costmodel_hardware.spatial.zigzag.searching.bounds import Best, Objective, Outcome, search
from costmodel_hardware.spatial.zigzag.searching.energy import least_energy
from costmodel_hardware.spatial.zigzag.searching.greedy import greedy_cuts
from costmodel_hardware.spatial.zigzag.searching.orders import distinct_orders, number_of_orders
from costmodel_hardware.spatial.zigzag.searching.space import Space, Vector, too_small

SECONDS: Final = 60.0
"""How long a search takes at most."""
MOST_ORDERS: Final = 50_000
"""Orders that are tried one by one; the least energy needs none of them."""
_EQUAL: Final = 1e-12
"""Energies that differ by less than this share are equal."""


def _energy(energy: Vector, cycles: Vector) -> Vector:
    return np.where(cycles < math.inf, energy, math.inf)


def _latency(energy: Vector, cycles: Vector) -> Vector:
    return np.where(energy < math.inf, cycles, math.inf)


def _energy_delay(energy: Vector, cycles: Vector) -> Vector:
    product: Vector = energy * cycles
    return product


GOALS: Final[Mapping[str, Objective]] = {
    "energy": _energy,
    "latency": _latency,
    "edp": _energy_delay,
}
"""What can be made small, by name; joules and cycles give the value."""


@frozen
class Found:
    """The best mapping that was found, what ZigZag counts for it, its value, and a bound.

    No mapping of the space has a value below the bound; where both are equal, it is an optimum.
    """

    mapping: LoopMapping
    count: ZigZagCount
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """The share of the value by which an optimum may be lower."""
        return max(0.0, 1 - self.bound / self.value) if self.value else 0.0


def best_mapping(
    space: Space, goal: str | Objective = "energy", *, seconds: float = SECONDS
) -> Found:
    """The best mapping of a space, in all orders and all allocations.

    The least energy is exact. Among mappings of equal energy, the one of least latency is chosen if
    there are at most `MOST_ORDERS` orders. Other goals are searched until no mapping can be better,
    or until the time is over. A goal may be a function of joules and cycles that never falls when
    one of them rises; it takes and returns arrays.

    Raises:
        CostModelError: no mapping fits into the memories, or there are too many orders.
        OutOfTimeError: none was found within the time.

    """
    objective = _objective(goal)
    few = number_of_orders(space.loops) <= MOST_ORDERS
    if goal == "energy":
        mapping = least_energy(space)
        counted = count(space.nest, space.architecture, mapping)
        if few:
            mapping = _least_latency(space, mapping, counted, seconds)
            counted = count(space.nest, space.architecture, mapping)
        return Found(mapping, counted, counted.energy, counted.energy)
    if not few:
        message = (
            f"{len(space.loops)} loops have {number_of_orders(space.loops)} orders, more than "
            f"{MOST_ORDERS}; merge more of them by a lower limit, or search for energy"
        )
        raise CostModelError(message)
    orders = _orders(space)
    outcome = search(orders, objective, _best_of_greedy(orders, objective), seconds)
    if math.isfinite(outcome.bound) and not math.isfinite(outcome.best.value):
        raise OutOfTimeError.after(seconds)
    return _found(orders, objective, outcome)


def best_greedy_mapping(space: Space, goal: str | Objective = "energy") -> Found:
    """The best mapping that ZigZag finds: in all orders, with its own allocation of each.

    Of equal ones, the one with less of the other quantity. Its bound is 0: nothing is proven.

    Raises:
        CostModelError: no mapping fits into the memories, or there are too many orders.

    """
    orders, objective = _orders(space), _objective(goal)
    return _found(orders, objective, Outcome(_best_of_greedy(orders, objective), 0.0))


def best_allocation(space: Space, order: LoopMapping, goal: str | Objective) -> Found:
    """The best mapping with the order of another one, in all allocations.

    Raises:
        CostModelError: no mapping fits into the memories.

    """
    kinds = [[space.kinds.index(loop) for loop in order.temporal]]
    orders = Orders.of(space, kinds)
    objective = _objective(goal)
    return _found(orders, objective, search(orders, objective, Best(math.inf, 0, {}), SECONDS))


def _found(orders: Orders, objective: Objective, outcome: Outcome) -> Found:
    """What a search found; the value is that of the mapping counted alone.

    Where a product of fractions ends in a half, it is rounded by its last digit, which may differ
    from that of the search.
    """
    best = outcome.best
    if not math.isfinite(best.value):
        raise CostModelError(too_small(orders.space))
    mapping = orders.mapping(best.row, best.cuts)
    counted = count(orders.space.nest, orders.space.architecture, mapping)
    value = float(objective(np.array(counted.energy), np.array(counted.latency_cycles)))
    bound = value if outcome.bound >= best.value else outcome.bound
    return Found(mapping, counted, value, bound)


def _objective(goal: str | Objective) -> Objective:
    if not isinstance(goal, str):
        return goal
    if goal not in GOALS:
        raise UnknownNameError(goal, GOALS, "goal of a search")
    return GOALS[goal]


def _orders(space: Space) -> Orders:
    return Orders.of(space, list(distinct_orders(space.numbers)))


def _best_of_greedy(orders: Orders, objective: Objective) -> Best:
    """The best order with ZigZag's allocation; infinite where none fits."""
    fits, cuts = greedy_cuts(orders)
    counts = counts_of(orders, cuts)
    fits &= np.isfinite(counts.energy)
    values = np.where(fits, objective(counts.energy, counts.cycles), math.inf)
    row = int(np.lexsort((counts.cycles, counts.energy, values))[0])
    return Best(float(values[row]), row, _row(cuts, row))


def _row(cuts: Cuts, row: int) -> Mapping[Slot, list[int]]:
    return {slot: [int(cut) for cut in cuts[slot][row]] for slot in SLOTS}


def _least_latency(
    space: Space, mapping: LoopMapping, counted: ZigZagCount, seconds: float
) -> LoopMapping:
    """The mapping of least latency among those of least energy."""
    limit = counted.energy * (1 + _EQUAL)

    def objective(energy: Vector, cycles: Vector) -> Vector:
        return np.where(energy <= limit, cycles, math.inf)

    orders = _orders(space)
    first = Best(float(counted.latency_cycles), -1, {})
    best = search(orders, objective, first, seconds).best
    return mapping if best.row < 0 else orders.mapping(best.row, best.cuts)
