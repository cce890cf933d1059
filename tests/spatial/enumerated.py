"""Every mapping of a small nest in the stated space: all orders of prime factors, all cuts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from spatial.drawn import primes

from costmodel_hardware.spatial.architecture import SLOTS, Architecture
from costmodel_hardware.spatial.counting.accounting import Costs, costs
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Loop, Nest


def every_mapping(
    nest: Nest, architecture: Architecture, spatial: tuple[tuple[str, tuple[Loop, ...]], ...]
) -> Iterator[Mapping]:
    units = Mapping(spatial, (), dict.fromkeys(SLOTS, ())).unrolled
    factors = [
        Loop(dim, prime)
        for dim, size in nest.dims
        for prime in primes(-(-size // units.get(dim, 1)))
    ]
    for order in sorted(set(itertools.permutations(factors))):
        ends = range(len(order) + 1)
        for cuts in itertools.product(
            *[
                itertools.combinations_with_replacement(ends, len(architecture.chain(slot)) - 1)
                for slot in SLOTS
            ]
        ):
            yield Mapping(spatial, order, dict(zip(SLOTS, cuts, strict=True)))


def every_cost(
    nest: Nest, architecture: Architecture, spatial: tuple[tuple[str, tuple[Loop, ...]], ...]
) -> Iterator[Costs]:
    """Of those that fit."""
    for mapping in every_mapping(nest, architecture, spatial):
        try:
            yield costs(nest, architecture, mapping)
        except MappingError:
            continue
