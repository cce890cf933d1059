"""Every mapping of a small nest in the stated spaces: all orders of loops, all cuts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

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
        yield from _cut(architecture, spatial, order)


def every_ragged_mapping(
    nest: Nest,
    architecture: Architecture,
    spatial: tuple[tuple[str, tuple[Loop, ...]], ...],
    sizes: Callable[[int], Collection[int]] = lambda steps: range(1, steps + 1),
) -> Iterator[Mapping]:
    """Those with tiles of any size, or of some `sizes` of the steps of their dimension."""
    units = Mapping(spatial, (), dict.fromkeys(SLOTS, ())).unrolled
    steps = {dim: -(-size // units.get(dim, 1)) for dim, size in nest.dims}
    several = [
        [[Loop(dim, size) for size in one] for one in _sequences(many, sizes(many))]
        for dim, many in steps.items()
    ]
    for chosen in itertools.product(*several):
        for order in _merged(chosen):
            yield from _cut(architecture, spatial, order)


def _sequences(steps: int, sizes: Collection[int], tile: int = 1) -> Iterator[tuple[int, ...]]:
    """Loops from a tile to all steps, whose tiles between are of some sizes."""
    if tile >= steps:
        yield ()
        return
    for larger in sizes:
        if tile < larger < steps and larger % tile == 0:
            for rest in _sequences(steps, sizes, larger):
                yield (larger // tile, *rest)
    yield (-(-steps // tile),)


def _merged(several: Sequence[Sequence[Loop]]) -> Iterator[tuple[Loop, ...]]:
    """All orders in which those of each sequence keep theirs."""
    if not any(several):
        yield ()
    for place, (first, *rest) in [(at, one) for at, one in enumerate(several) if one]:
        for others in _merged([*several[:place], rest, *several[place + 1 :]]):
            yield (first, *others)


def _cut(
    architecture: Architecture,
    spatial: tuple[tuple[str, tuple[Loop, ...]], ...],
    order: Sequence[Loop],
) -> Iterator[Mapping]:
    """All cuts of one order."""
    ends = range(len(order) + 1)
    several = [
        itertools.combinations_with_replacement(ends, len(architecture.chain(slot)) - 1)
        for slot in SLOTS
    ]
    for cuts in itertools.product(*several):
        yield Mapping(spatial, order, dict(zip(SLOTS, cuts, strict=True)))


def costs_of(
    nest: Nest, architecture: Architecture, mappings: Iterable[Mapping]
) -> Iterator[Costs]:
    """Of those that fit."""
    for mapping in mappings:
        try:
            yield costs(nest, architecture, mapping)
        except MappingError:
            continue
