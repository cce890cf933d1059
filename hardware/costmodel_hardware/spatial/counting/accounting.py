"""What a mapping costs under the `costmodel` accounting: words, energy, parts of latency."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from itertools import combinations, pairwise
from typing import NamedTuple, TypeAlias

from attrs import astuple, frozen

from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Flow, Slot
from costmodel_hardware.spatial.counting.links import (
    ARRAY,
    Link,
    Spatial,
    Swept,
    accesses,
    energy,
    ports,
)
from costmodel_hardware.spatial.counting.validity import MappingError, check
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Loop, Nest

Tile = Map[str, int]
"""Steps in time of each dimension that a memory keeps the same tile for."""


@frozen
class Transfer:
    """What one memory reads or writes of one operand, for one link: words, bits and accesses."""

    level: str
    operand: Slot
    flow: Flow
    link: Link
    words: int
    bits: int
    accesses: float
    energy: float
    cycles: float
    """Cycles that the slowest of its ports is busy with it, in each instance that has work."""
    stays: int
    """How many tiles follow each other in the inner memory."""


@frozen
class Latency:
    """Cycles of a nest, by part, which follow each other.

    `onload` until the first tiles are in place; `compute`, and `exposed` transfers for which the
    array waits, since there is no room for the next tile beside the one in use; `stall`, by which
    the busiest port takes longer than both; `fill_and_drain` of the hops along systolic axes;
    `offload` of the last results.
    """

    onload: float
    compute: float
    exposed: float
    stall: float
    fill_and_drain: float
    offload: float

    @property
    def total(self) -> float:
        """All parts together."""
        return math.fsum(astuple(self))


@frozen
class Costs:
    """What a nest costs on an architecture under a mapping. Energies in joules, times in cycles."""

    transfers: tuple[Transfer, ...]
    mac_energy: float
    leakage_energy: float
    latency: Latency
    utilization: float
    """Multiply-accumulates over those that all units could do in the cycles of `compute`."""
    used_bits: Map[str, int]
    """Bits that the tiles take in one instance of each memory."""
    tile_bits: Map[tuple[Slot, int], int]
    """The same of each operand, by the place of the memory."""
    port_cycles: Map[str, float]
    """Cycles that each port is busy, by `memory.port`."""
    steady_cycles: Map[str, float]
    """The same without what `onload` and `offload` of the latency hold."""
    weight_onload: float
    """Cycles of `onload` that only the first weights take: they could be there before."""

    @property
    def memory_energy(self) -> Map[str, float]:
        """Joules by memory."""
        found: dict[str, float] = {}
        for one in self.transfers:
            found[one.level] = found.get(one.level, 0.0) + one.energy
        return found

    @property
    def energy(self) -> float:
        """Joules of multiply-accumulates, memories and leakage."""
        return math.fsum((self.mac_energy, *self.memory_energy.values(), self.leakage_energy))

    @property
    def limit(self) -> str:
        """What the time is bound by: `compute`, or the busiest port if the array waits for it."""
        waits = self.latency.stall > 0 or self.latency.exposed > self.latency.compute
        if not waits or not self.port_cycles:
            return "compute"
        busiest = max(self.port_cycles.items(), key=lambda item: item[1], default=("memories", 0.0))
        return busiest[0]


class Kept(NamedTuple):
    """Tiles that a memory keeps of an operand: as cut, and for as long as it stays the same.

    `passes` is how often the whole tile is used before the next one replaces it. Tiles then step
    through the dimension that is `swept`.
    """

    tile: Tile
    stay: Tile
    passes: int
    swept: Swept | None = None


def costs(
    nest: Nest,
    architecture: Architecture,
    mapping: Mapping,
    *,
    homes: Map[Slot, int] | None = None,
    seconds_per_cycle: float = 0.0,
) -> Costs:
    """Count what a mapping costs.

    `homes` are the places of the memories that operands come from and go to, by default their
    outermost ones. Leakage is counted for `seconds_per_cycle`.

    Raises:
        MappingError: the mapping is not one of the nest on this architecture, or a tile does not
            fit into its memory.

    """
    spatial = spatial_of(nest, architecture, mapping, homes)
    check(spatial, mapping)
    kept = tiles_of(spatial, mapping)
    tiles = {key: one.tile for key, one in kept.items()}
    used = used_bits(spatial, tiles, {key: one.stay for key, one in kept.items()})
    _check_room(spatial, used, tiles)
    return _costs(spatial, kept, used, seconds_per_cycle)


def spatial_of(
    nest: Nest, architecture: Architecture, mapping: Mapping, homes: Map[Slot, int] | None = None
) -> Spatial:
    """The nest spread over the array as a mapping says."""
    given = () if homes is None else tuple((slot, homes[slot]) for slot in SLOTS if slot in homes)
    return Spatial(nest, architecture, mapping.spatial, given)


def tiles_of(spatial: Spatial, mapping: Mapping) -> Map[tuple[Slot, int], Kept]:
    """For the array and each memory of each operand: the tile, and for how long it stays.

    A tile stays while loops that the operand does not read follow each other directly above it.
    The units of the array hold a factor as long as it stays the same, but a sum for one step.
    """
    found = {}
    for slot in SLOTS:
        chain = (ARRAY, *spatial.chains[slot])
        cuts = (0, *mapping.cuts_of(slot), len(mapping.temporal))
        for place, cut in zip(chain, cuts, strict=True):
            end = cut
            if (slot, place) != ("output", ARRAY):
                end += _unread(spatial, slot, mapping.temporal[cut:])
            inner = 0 if place == ARRAY else cuts[chain.index(place) - 1]
            top = _unread(spatial, slot, mapping.temporal[inner:end][::-1])
            found[slot, place] = Kept(
                _product(spatial, mapping, cut),
                _product(spatial, mapping, end),
                math.prod(loop.size for loop in mapping.temporal[end - top : end]),
                _swept(spatial, mapping, end),
            )
    return found


def _unread(spatial: Spatial, slot: Slot, loops: Sequence[Loop]) -> int:
    """How many loops, from the first, an operand does not read."""
    return next(
        (
            place
            for place, loop in enumerate(loops)
            if loop.size > 1 and spatial.nest.reads(slot, loop.dim)
        ),
        len(loops),
    )


def _swept(spatial: Spatial, mapping: Mapping, end: int) -> Swept | None:
    """The dimension of the loops directly above a tile, and its steps up to the last of them."""
    above = [
        place for place in range(end, len(mapping.temporal)) if mapping.temporal[place].size > 1
    ]
    if not above:
        return None
    dim = mapping.temporal[above[0]].dim
    last = next((at for at in above if mapping.temporal[at].dim != dim), len(mapping.temporal))
    return Swept(dim, _product(spatial, mapping, last)[dim]) if dim in spatial.steps else None


def _product(spatial: Spatial, mapping: Mapping, cut: int) -> Tile:
    tile = dict.fromkeys(spatial.nest.sizes, 1)
    for dim, size in mapping.temporal[:cut]:
        if dim in tile:
            tile[dim] *= size
    return {dim: min(steps, spatial.steps[dim]) for dim, steps in tile.items()}


def _as_lists(tile: Tile) -> Map[str, Sequence[int]]:
    return {dim: [steps] for dim, steps in tile.items()}


def used_bits(
    spatial: Spatial, tiles: Map[tuple[Slot, int], Tile], stays: Map[tuple[Slot, int], Tile]
) -> Map[tuple[Slot, int], int]:
    """Bits that the tile of each operand takes in one instance of each of its memories."""
    found = {}
    for slot in SLOTS:
        for below, place in pairwise((ARRAY, *spatial.chains[slot])):
            is_complete = spatial.is_reduced(_as_lists(stays[slot, below])).item()
            bits = spatial.tile_bits(slot, place, _as_lists(tiles[slot, place]))
            found[slot, place] = int((bits.complete if is_complete else bits.partial).item())
    return found


def by_level(spatial: Spatial, used: Map[tuple[Slot, int], int]) -> Map[str, int]:
    """The same, of all operands together, by the name of the memory."""
    found: dict[str, int] = {}
    for (_, place), bits in used.items():
        name = spatial.architecture.levels[place].name
        found[name] = found.get(name, 0) + bits
    return found


def _check_room(
    spatial: Spatial, used: Map[tuple[Slot, int], int], tiles: Map[tuple[Slot, int], Tile]
) -> None:
    for place, level in enumerate(spatial.architecture.levels):
        own = {slot: bits for (slot, where), bits in used.items() if where == place}
        bits = sum(own.values())
        if level.has_room_for(bits):
            continue
        size = level.size_bits or 0
        whole = [slot for slot in own if spatial.chains[slot][-1] == place]
        doubled = [slot for slot in own if slot not in whole]
        twice = ""
        if level.double_buffered and doubled:
            which = "each" if not whole else " and ".join(doubled)
            twice = f", {which} twice since it is double-buffered"
        parts = []
        for slot, part in own.items():
            loops = [f"{dim} {steps}" for dim, steps in tiles[slot, place].items() if steps > 1]
            parts.append(f"{slot} {part:,} (steps in time: {' x '.join(loops) or 'one'})")
        message = (
            f"memory {level.name!r} has {size:,} bits; its tiles take {bits:,}, "
            f"{bits - size:,} too many{twice}: {'; '.join(parts)}"
        )
        raise MappingError(message)


def _costs(
    spatial: Spatial,
    kept: Map[tuple[Slot, int], Kept],
    used: Map[tuple[Slot, int], int],
    seconds_per_cycle: float,
) -> Costs:
    architecture = spatial.architecture
    transfers = tuple(_transfers(spatial, kept))
    busy = _port_cycles(spatial, transfers)
    steady = _steady(spatial, transfers, busy)
    latency = _latency(spatial, transfers, kept, used, steady)
    return Costs(
        transfers,
        mac_energy=spatial.nest.macs * architecture.mac_energy,
        leakage_energy=architecture.leakage * latency.total * seconds_per_cycle,
        latency=latency,
        utilization=spatial.nest.macs / (architecture.units * math.prod(spatial.steps.values())),
        used_bits=by_level(spatial, used),
        tile_bits=used,
        port_cycles={f"{name}.{port}": cycles for (name, port), cycles in busy.items()},
        weight_onload=latency.onload - _onload(spatial, transfers, ("input",)),
        steady_cycles={f"{name}.{port}": cycles for (name, port), cycles in steady.items()},
    )


def _transfers(spatial: Spatial, kept: Map[tuple[Slot, int], Kept]) -> Iterator[Transfer]:
    for link in spatial.links:
        _, stay, _, swept = kept[link.operand, link.child]
        count = math.prod(-(-spatial.steps[dim] // steps) for dim, steps in stay.items())
        for place, flow, words, bits in spatial.flows(link, _as_lists(stay), swept):
            level = spatial.architecture.levels[place]
            each = bits.item() / spatial.instances(place)
            rates = [rate for _, rate in ports(level, link.operand, flow)]
            yield Transfer(
                level.name, link.operand, flow, link,
                words=round(words.item()), bits=round(bits.item()),
                accesses=accesses(level, flow, bits).item(),
                energy=energy(level, flow, bits).item(),
                cycles=each / min(rates) if rates else 0.0,
                stays=count,
            )  # fmt: skip


PortCycles: TypeAlias = Map[tuple[str, str], float]
"""Cycles that each port is busy in each instance that has work, by memory and port."""


def _port_cycles(
    spatial: Spatial, transfers: Iterable[Transfer], *, only_first: bool = False
) -> PortCycles:
    found: dict[tuple[str, str], float] = {}
    for one in transfers:
        level = spatial.architecture.level(one.level)
        each = one.bits / spatial.instances(spatial.architecture.levels.index(level))
        for port, rate in ports(level, one.operand, one.flow):
            key, cycles = (one.level, port), each / rate
            found[key] = found.get(key, 0.0) + (cycles / one.stays if only_first else cycles)
    return found


def _steady(spatial: Spatial, transfers: Sequence[Transfer], busy: PortCycles) -> PortCycles:
    """Cycles of each port but for the first inputs and weights, and the last results."""
    between = [one for one in transfers if one.link.child != ARRAY]
    ends = _port_cycles(spatial, between, only_first=True)
    return {key: cycles - ends.get(key, 0.0) for key, cycles in busy.items()}


def _onload(spatial: Spatial, transfers: Sequence[Transfer], slots: Sequence[Slot]) -> float:
    """Cycles until the first tiles of some operands are in place.

    A tile passes one link after the other; operands pass side by side where their ports differ.
    """
    own = [one for one in transfers if one.operand in slots and one.link.child != ARRAY]
    chains = dict.fromkeys(slots, 0.0)
    for link in dict.fromkeys(one.link for one in own):
        cycles = _port_cycles(spatial, [one for one in own if one.link == link], only_first=True)
        chains[link.operand] += max(cycles.values(), default=0.0)
    together = _port_cycles(spatial, own, only_first=True)
    return max(0.0, *chains.values(), *together.values())


def _latency(
    spatial: Spatial,
    transfers: Sequence[Transfer],
    kept: Map[tuple[Slot, int], Kept],
    used: Map[tuple[Slot, int], int],
    steady: PortCycles,
) -> Latency:
    """The parts of latency, from the transfers between memories.

    Where the next tile has no room beside the one in use, it may come only while the last pass over
    this one goes on, word by word in its place.
    """
    between = [one for one in transfers if one.link.child != ARRAY]
    offload = 0.0
    waits: dict[tuple[Slot, int], float] = {}
    for link in dict.fromkeys(one.link for one in between):
        own = [one for one in between if one.link == link]
        count = own[0].stays
        each = max(_port_cycles(spatial, own).values(), default=0.0) / count
        offload += each if link.operand == "output" else 0.0
        window = spatial.cycles / count / kept[link.operand, link.child].passes
        waits[link.operand, link.child] = max(each - window, 0.0) * (count - 1)
    exposed = math.fsum(
        _least_wait(spatial, place, waits, used)
        for place in range(len(spatial.architecture.levels))
    )
    compute = float(spatial.cycles)
    return Latency(
        onload=_onload(spatial, transfers, ("input", "weight")),
        compute=compute,
        exposed=exposed,
        stall=max(max(steady.values(), default=0.0) - compute - exposed, 0.0),
        fill_and_drain=float(
            sum(max(spatial.used(axis) - 1, 0) for axis in spatial.architecture.systolic)
        ),
        offload=offload,
    )


def _least_wait(
    spatial: Spatial,
    place: int,
    waits: Map[tuple[Slot, int], float],
    used: Map[tuple[Slot, int], int],
) -> float:
    """Cycles of waiting for tiles beside which the next one has no room in a memory.

    The room that is left goes to those next tiles with which the waiting is least.
    """
    level = spatial.architecture.levels[place]
    own = [slot for slot in SLOTS if (slot, place) in waits]
    if level.double_buffered or not own:
        return 0.0
    taken = sum(bits for (_, where), bits in used.items() if where == place)
    subsets = (several for many in range(len(own) + 1) for several in combinations(own, many))
    return min(
        math.fsum(waits[slot, place] for slot in own if slot not in twice)
        for twice in subsets
        if level.has_room_for(taken + sum(used[slot, place] for slot in twice))
    )
