"""What ZigZag 3.9.1 counts for a mapping, digit for digit, oddities included.

Steps over more units than divide them are counted as fractions of units for words and energy, as
whole units for time. An irrelevant loop directly outside a tile leaves the tile in place. The first
read of a partial sum is not left out. The halo of a window is read again. There are no wires and
no leakage. Stalls, loads and stores are those of `latency`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from attrs import frozen

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.architecture import FLOWS, SLOTS, Architecture, Flow, Slot, Use
from costmodel_hardware.spatial.mapping import Mapping as LoopMapping
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.zigzag.latency import Transfer, latency_of
from costmodel_hardware.spatial.zigzag.spreading import Tiles, products_by_level, spread_of
from costmodel_hardware.spatial.zigzag.traffic import READS, OperandTraffic, port_for, traffic_of

ASKED: Final[tuple[Slot, ...]] = ("output", "weight", "input")
"""The order in which operands are asked whether they are double buffered."""
_HALF: Final = 0.5


@frozen
class MemoryCount:
    """What one memory does for one operand: accesses of full width, joules, and its buffering."""

    operand: Slot
    memory: str
    words: Mapping[Flow, int]
    energy: float
    double_buffered: bool


@frozen(kw_only=True)
class ZigZagCount:
    """What ZigZag counts for a mapping: accesses, energy in joules, and cycles."""

    memories: tuple[MemoryCount, ...]
    mac_energy: float
    compute_cycles_ideal: int
    compute_cycles_mapped: int
    stall_cycles: int
    onload_cycles: float
    offload_cycles: float
    drain_cycles: int

    @property
    def energy(self) -> float:
        """Joules of the arithmetic and of all memories."""
        return self.mac_energy + math.fsum(one.energy for one in self.memories)

    @property
    def memory_energy(self) -> Mapping[str, float]:
        """Joules of each memory."""
        found: dict[str, float] = {}
        for one in self.memories:
            found[one.memory] = found.get(one.memory, 0.0) + one.energy
        return found

    @property
    def latency_cycles(self) -> float:
        """Cycles from the first load to the last store."""
        return (
            self.compute_cycles_mapped
            + self.stall_cycles
            + self.onload_cycles
            + self.offload_cycles
            + self.drain_cycles
        )

    @property
    def energy_delay(self) -> float:
        """Energy times latency, in joules and cycles."""
        return self.energy * self.latency_cycles

    @property
    def spatial_utilization(self) -> float:
        """Cycles of a full array over those of the computation."""
        return self.compute_cycles_ideal / self.compute_cycles_mapped

    @property
    def overall_utilization(self) -> float:
        """Cycles of a full array over the latency."""
        return self.compute_cycles_ideal / self.latency_cycles

    def of(self, operand: Slot, memory: str) -> MemoryCount:
        """What a memory does for an operand.

        Raises:
            KeyError: it does not hold that operand.

        """
        return {(one.operand, one.memory): one for one in self.memories}[operand, memory]


def count(nest: Nest, architecture: Architecture, mapping: LoopMapping) -> ZigZagCount:
    """What ZigZag counts for a mapping.

    Raises:
        CostModelError: the mapping is not one of this nest and architecture, a memory is too small
            for its tiles, or ZigZag has no rule for an index of an operand.

    """
    check_loops(nest, architecture, mapping)
    tiles = _prefixes(nest, mapping.temporal)
    runs = []
    for slot in ASKED:
        rounded = _rounded(nest, architecture, mapping, slot)
        traffic = traffic_of(nest, architecture, mapping.spatial, slot, tiles, rounded)
        runs.append(run_of(traffic, mapping.temporal, mapping.cuts_of(slot)))
    _check_ports(architecture, runs)
    _check_room(architecture, runs)
    return counted(nest, architecture, mapping, tiles, runs)


def _rounded(nest: Nest, architecture: Architecture, mapping: LoopMapping, slot: Slot) -> list[int]:
    """Whole elements of an operand in one instance of each level."""
    spread = spread_of(nest, architecture, mapping.spatial, slot, whole=False)
    order, dims = mapping.temporal, spread.footprint.dims
    cuts = [0, *(_lifted(dims, order, cut) for cut in mapping.cuts_of(slot)), len(order)]
    loops = [
        [*order[low:high], *units.items()]
        for (low, high), units in zip(itertools.pairwise(cuts), spread.spread, strict=False)
    ]
    products = products_by_level(spread.footprint, loops)
    return [round(math.prod(products[:level])) for level in range(len(products) + 1)]


@frozen(eq=False)
class OperandRun:
    """An operand in a mapping: its traffic, and the tile that lies below each of its links.

    `tiles[n]` is the index of the tile below link n. `stays[n]` and `changes[n]` are the steps of
    the outermost loops of level n along which its data stay in place, or all of it changes.
    """

    traffic: OperandTraffic
    tiles: tuple[int, ...]
    stays: tuple[int, ...]
    changes: tuple[int, ...]


def run_of(traffic: OperandTraffic, order: Sequence[Loop], cuts: Sequence[int]) -> OperandRun:
    """An operand in a mapping whose tiles are numbered by how many loops of an order they have.

    Loops that are irrelevant to it, directly outside a tile, are moved into it.
    """
    reached = [_lifted(traffic.dims, order, cut) for cut in cuts]
    begin = 0 if traffic.slot == "output" else _lifted(traffic.dims, order, 0)
    ends = [0, *reached, len(order)]
    inside = [order[low:high] for low, high in itertools.pairwise(ends)]
    return OperandRun(
        traffic,
        (begin, *reached),
        (1, *(_outer_run(loops, lambda dim: dim not in traffic.dims) for loops in inside)),
        (1, *(_outer_run(loops, traffic.plain.__contains__) for loops in inside)),
    )


def _lifted(dims: Collection[str], order: Sequence[Loop], cut: int) -> int:
    """A cut, moved outwards over loops that are irrelevant to an operand of these dimensions."""
    while cut < len(order) and order[cut].dim not in dims:
        cut += 1
    return cut


def _outer_run(loops: Sequence[Loop], belongs: Callable[[str], bool]) -> int:
    steps = 1
    for dim, size in reversed(loops):
        if not belongs(dim):
            break
        steps *= size
    return steps


def counted(
    nest: Nest,
    architecture: Architecture,
    mapping: LoopMapping,
    tiles: Tiles,
    runs: Sequence[OperandRun],
) -> ZigZagCount:
    """What ZigZag counts for operands in a mapping, in the order in which they are asked."""
    buffered = double_buffered(architecture, runs)
    latency = latency_of(_transfers(tiles, runs, buffered), tiles.total)
    macs = nest.macs
    return ZigZagCount(
        memories=tuple(_memories(architecture, runs, buffered)),
        mac_energy=architecture.mac_energy * macs,
        compute_cycles_ideal=math.ceil(macs / architecture.units),
        compute_cycles_mapped=tiles.total,
        stall_cycles=latency.stall,
        onload_cycles=latency.onload,
        offload_cycles=latency.offload,
        drain_cycles=sum(max(0, mapping.used(axis) - 1) for axis in architecture.systolic),
    )


def double_buffered(
    architecture: Architecture, runs: Sequence[OperandRun]
) -> Mapping[tuple[Slot, int], bool]:
    """Whether each memory takes the next data of an operand beside those in use.

    It does if at most half of it is in use, or what the operand uses fits a second time. Data are
    in use but for the outermost loops along which all of them change. Operands are asked in turn,
    and each second place counts for those asked after it.
    """
    use = {
        (run.traffic.slot, place): _use(architecture, run, level)
        for run in runs
        for level, place in enumerate(run.traffic.places)
    }
    filled: dict[int, float] = {}
    for (_, place), share in use.items():
        filled[place] = filled.get(place, 0.0) + share
    granted = {}
    for (slot, place), share in use.items():
        granted[slot, place] = filled[place] <= _HALF or share <= 1 - filled[place]
        if filled[place] > _HALF and granted[slot, place]:
            filled[place] += share
    return granted


def _use(architecture: Architecture, run: OperandRun, level: int) -> float:
    """The share of its nth memory that the data in use of an operand take."""
    size = architecture.levels[run.traffic.places[level]].size_bits
    if size is None:
        return 0.0
    inside = level + 1
    tile = run.tiles[inside] if inside < len(run.tiles) else -1
    bits = run.traffic.rounded[inside][tile] * run.traffic.widths[inside][tile]
    return float(bits // run.changes[inside] / size)


def _transfers(
    tiles: Tiles, runs: Sequence[OperandRun], buffered: Mapping[tuple[Slot, int], bool]
) -> Iterator[Transfer]:
    """What the ports do in each period of their links."""
    for run in runs:
        traffic = run.traffic
        inner = run.tiles[1] if len(run.tiles) > 1 else -1
        smallest = int(traffic.whole_bits[1][inner])
        for number, (link, tile) in enumerate(zip(traffic.links, run.tiles, strict=True)):
            period = int(tiles.period[tile])
            at_once = number > 0 and buffered[traffic.slot, traffic.places[number - 1]]
            window = period if at_once else period // run.stays[number]
            for end in link.ends:
                if end.bits[tile] > 0:
                    yield Transfer(
                        end.operand,
                        end.place,
                        number,
                        end.flow,
                        end.port,
                        int(end.cycles[tile]),
                        int(end.need[tile]),
                        period,
                        tiles.total // period,
                        window,
                        smallest,
                    )


def _memories(
    architecture: Architecture,
    runs: Sequence[OperandRun],
    buffered: Mapping[tuple[Slot, int], bool],
) -> Iterator[MemoryCount]:
    for run in runs:
        words: dict[int, dict[Flow, int]] = {place: {} for place in run.traffic.places}
        for link, tile in zip(run.traffic.links, run.tiles, strict=True):
            for end in link.ends:
                words[end.place][end.flow] = int(end.words[tile])
        for place, flows in words.items():
            level = architecture.levels[place]
            energy = sum(
                number * (level.read_energy if flow in READS else level.write_energy)
                for flow, number in flows.items()
            )
            slot = run.traffic.slot
            yield MemoryCount(slot, level.name, flows, energy, buffered[slot, place])


def _check_ports(architecture: Architecture, runs: Sequence[OperandRun]) -> None:
    for run in runs:
        for link, tile in zip(run.traffic.links, run.tiles, strict=True):
            if math.isinf(link.energy[tile]):
                levels = [architecture.levels[place] for place in run.traffic.places]
                lacking = [
                    f"{level.name!r} for {flow}"
                    for level in levels
                    for flow in FLOWS
                    if port_for(level, Use(run.traffic.slot, flow)) is None
                ]
                message = (
                    f"mapping: the {run.traffic.slot} takes a way without a port; there is none at "
                    f"{', '.join(lacking)}"
                )
                raise CostModelError(message)


def _check_room(architecture: Architecture, runs: Sequence[OperandRun]) -> None:
    held: dict[int, dict[Slot, float]] = {}
    for run in runs:
        traffic = run.traffic
        for level, place in enumerate(traffic.places):
            inside = run.tiles[level + 1] if level + 1 < len(run.tiles) else -1
            partial = bool(traffic.partial[level][run.tiles[level]])
            bits = traffic.held(level, partial=partial)
            held.setdefault(place, {})[traffic.slot] = float(bits[inside])
    for place, several in held.items():
        memory, needed = architecture.levels[place], math.ceil(sum(several.values()))
        room = memory.size_bits
        if room is not None and needed > room:
            tiles = ", ".join(f"{slot} {bits:.12g}" for slot, bits in several.items())
            message = (
                f"mapping: memory {memory.name!r} holds {room} bits; its tiles take {needed}, "
                f"{needed - room} more: {tiles}"
            )
            raise CostModelError(message)


def _prefixes(nest: Nest, order: Sequence[Loop]) -> Tiles:
    """The tiles of an order: of none of its loops, of the innermost, and so on to all."""
    steps = {}
    for dim, _ in nest.dims:
        inside = [1, *(size if name == dim else 1 for name, size in order)]
        steps[dim] = np.cumprod(np.array(inside, np.int64))
    return Tiles(steps, {dim: int(one[-1]) for dim, one in steps.items()})


def check_loops(nest: Nest, architecture: Architecture, mapping: LoopMapping) -> None:
    """Check that a mapping has the loops of a nest, and cuts for the memories of each operand.

    Raises:
        CostModelError: it does not.

    """
    unrolled = mapping.unrolled
    found: dict[str, int] = {}
    for dim, size in mapping.temporal:
        found[dim] = found.get(dim, 1) * size
    for dim in [*unrolled, *found]:
        if dim not in nest.sizes:
            known = ", ".join(nest.sizes)
            message = f"mapping: the nest has no dimension {dim!r:.40}; it has {known}"
            raise CostModelError(message)
    for dim, size in nest.dims:
        expected = math.ceil(size / unrolled.get(dim, 1))
        if found.get(dim, 1) != expected:
            message = (
                f"mapping: {dim} runs for {found.get(dim, 1)} steps in time; expected {expected}, "
                f"as {unrolled.get(dim, 1)} of its {size} steps are spread over the array"
            )
            raise CostModelError(message)
    for axis, _ in mapping.spatial:
        if mapping.used(axis) > architecture.size.get(axis, 0):
            message = (
                f"mapping: {mapping.used(axis)} units along axis {axis!r:.40}; the array has "
                f"{architecture.size.get(axis, 0)}"
            )
            raise CostModelError(message)
    for slot in SLOTS:
        cuts, wanted = mapping.cuts_of(slot), len(architecture.chain(slot)) - 1
        places = [0, *cuts, len(mapping.temporal)]
        if len(cuts) != wanted or places != sorted(places):
            message = (
                f"mapping: the loops of the {slot} are cut at {cuts}; expected {wanted} places "
                f"from 0 to {len(mapping.temporal)}, none before the one within it"
            )
            raise CostModelError(message)
