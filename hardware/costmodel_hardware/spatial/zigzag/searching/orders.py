"""The orders of loops that ZigZag's LOMA tries, and how it gives their loops to memories.

Each dimension's steps in time are split into prime factors. While there are more than a limit, the
two smallest of the dimension with the most factors are multiplied. Every distinct order is tried.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from costmodel_hardware.spatial.mapping import Mapping as LoopMapping
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.search.lattice import prime_factors
from costmodel_hardware.spatial.zigzag.spreading import Spatial

LIMIT: Final = 6
"""Loops of an order, unless more dimensions than that have steps in time."""


def temporal_steps(nest: Nest, spatial: Spatial) -> Mapping[str, int]:
    """The steps in time of each dimension, of those that have more than one."""
    unrolled = LoopMapping(spatial, (), dict.fromkeys(("input", "weight", "output"), ())).unrolled
    steps = {dim: math.ceil(size / unrolled.get(dim, 1)) for dim, size in nest.dims}
    return {dim: number for dim, number in steps.items() if number > 1}


def merged_loops(steps: Mapping[str, int], limit: int = LIMIT) -> tuple[Loop, ...]:
    """The loops that are put in order: prime factors, merged to a limit.

    Of dimensions with equally many factors, the one that comes first is merged.
    """
    factors = {dim: list(prime_factors(number)) for dim, number in steps.items()}
    while sum(map(len, factors.values())) > max(limit, len(steps)):
        dim = max(factors, key=lambda name: len(factors[name]))
        first, second, *others = factors[dim]
        factors[dim] = sorted([first * second, *others])
    return tuple(Loop(dim, size) for dim, sizes in factors.items() for size in sizes)


def number_of_orders(loops: Sequence[Loop]) -> int:
    """How many distinct orders there are."""
    same = math.prod(math.factorial(number) for number in Counter(loops).values())
    return math.factorial(len(loops)) // same


def distinct_orders(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every order of so many loops of each kind, as numbers of kinds, in lexicographic order."""
    if not any(numbers):
        yield ()
    for kind, number in enumerate(numbers):
        if number:
            left = [one - (place == kind) for place, one in enumerate(numbers)]
            for rest in distinct_orders(left):
                yield (kind, *rest)
