"""The parts of a latency as ZigZag adds them: stalls of ports, first loads and last stores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from costmodel_hardware.spatial.architecture import Flow, Port, Slot

FACTORS: Final[tuple[Slot, ...]] = ("input", "weight")
ORDER: Final[tuple[Flow, ...]] = (
    "write_from_above",
    "read_to_below",
    "write_from_below",
    "read_to_above",
)
"""The order in which transfers of equal length and operand are shortened."""
REFILLS: Final = frozenset({("output", "read_to_below"), ("output", "write_from_above")})
"""Transfers that neither the first load nor the last store has."""


class Transfer(NamedTuple):
    """What a port does for one flow of one operand, in each of `periods`."""

    operand: Slot
    place: int
    """The memory, in the architecture."""
    link: int
    """The link of the operand, from the inside."""
    flow: Flow
    port: Port
    cycles: int
    """Cycles that it takes in a period."""
    need: int
    """Bits per cycle that it needs on average."""
    period: int
    periods: int
    window: int
    """Cycles of a period in which it may take place."""
    smallest: int
    """Bits of the innermost data of its operand."""

    @property
    def stall(self) -> int:
        """Cycles by which all periods but one are too short; below 0 the slack."""
        return (self.cycles - self.window) * (self.periods - 1)


class Latency(NamedTuple):
    """The parts of a latency beside the computation, in cycles."""

    stall: int
    onload: float
    offload: float


Ports = Mapping[tuple[int, str], Sequence[Transfer]]
"""Transfers by memory and name of the port."""


def latency_of(transfers: Iterable[Transfer], computing: int) -> Latency:
    """The latency of transfers beside a computation of so many cycles."""
    ports: dict[tuple[int, str], list[Transfer]] = {}
    for one in transfers:
        ports.setdefault((one.place, one.port.name), []).append(one)
    for several in ports.values():
        several.sort(key=lambda one: (FACTORS.index(one.operand) if one.operand in FACTORS else 2,
                                      ORDER.index(one.flow)))  # fmt: skip
    stall = max((stall_of(several) for several in ports.values()), default=0)
    loads = [pair for several in ports.values() for pair in _loads(several, computing + stall)]
    return Latency(max(0, stall), _onload(loads), _offload(loads))


def stall_of(transfers: Sequence[Transfer]) -> int:
    """Cycles by which one port is late; below 0 its slack, where it has one transfer."""
    if len(transfers) == 1:
        return transfers[0].stall
    late = sum(one.stall for one in transfers if one.stall > 0)
    slack = sum(one.stall for one in transfers if one.stall <= 0)
    windows = sum(one.window * (one.periods - 1) for one in transfers)
    return late + max(0, slack + windows - union_of_windows(transfers))


def union_of_windows(transfers: Sequence[Transfer]) -> int:
    """Cycles of the whole run in which at least one transfer may take place.

    Windows begin with their periods, and each period is a multiple of the next shorter one.
    """
    for one in transfers:
        if one.window == one.period:
            return one.period * one.periods
    nested = sorted({(one.period, one.window) for one in transfers})
    longest = max(one.period for one in transfers)
    periods = next(one.periods for one in transfers if one.period == longest)
    return _covered(longest, nested) * periods


def _covered(cycles: int, nested: Sequence[tuple[int, int]]) -> int:
    """Cycles from the first on that lie in a window of any of these periods."""
    if not nested:
        return 0
    (period, window), inner = nested[-1], nested[:-1]
    repeated, rest = divmod(cycles, period)
    within = _covered(window, inner)
    whole = window + _covered(period, inner) - within
    last = rest if rest <= window else window + _covered(rest, inner) - within
    return repeated * whole + last


_Load = tuple[Transfer, float]
"""A transfer, and the cycles of it before or after the computation."""


def _loads(transfers: Sequence[Transfer], computing: int) -> list[_Load]:
    """What of each transfer of a port happens outside of the computation.

    Those that happen once are shortened by the bandwidth that the others leave, the longest first,
    not below the cycles of the innermost data.
    """
    transfers = [one for one in transfers if (one.operand, one.flow) not in REFILLS]
    often = [one for one in transfers if one.periods > 1]
    once = sorted((one for one in transfers if one.periods == 1), key=lambda one: -one.cycles)
    found: list[_Load] = [(one, one.cycles) for one in often]
    for one in once:
        width = one.port.bits_per_cycle
        if one is once[0]:
            spare = (width - sum(other.need for other in often)) / width * computing
        least = math.ceil(one.smallest / width)
        saved = min(max(0.0, one.cycles - least), spare) if spare > 0 else 0
        spare -= saved
        found.append((one, one.cycles - saved))
    return found


def _onload(loads: Iterable[_Load]) -> float:
    """The first loads: inputs and weights beside each other where their ports are apart."""
    links: dict[tuple[Slot, int], list[_Load]] = {}
    for one, cycles in loads:
        if one.operand in FACTORS and one.link > 0:
            links.setdefault((one.operand, one.link), []).append((one, cycles))
    alone = dict.fromkeys(FACTORS, 0.0)
    half = dict.fromkeys(FACTORS, 0.0)
    shared = dict.fromkeys(FACTORS, 0.0)
    for (operand, _), pair in sorted(links.items()):
        longer = max(cycles for _, cycles in pair)
        sharing = sum(serves_both(one.port) for one, _ in pair)
        if sharing == 0:
            alone[operand] += longer
        elif sharing == len(pair):
            shared[operand] += longer
        else:
            half[operand] = longer  # the program keeps the outermost such link
    first, second = FACTORS
    own = {operand: half[operand] + alone[operand] for operand in FACTORS}
    return min(
        shared[first] + max(shared[second] + own[second], own[first]),
        shared[second] + max(shared[first] + own[first], own[second]),
    )


def serves_both(port: Port) -> bool:
    """Whether a port serves inputs and weights."""
    return {use.operand for use in port.uses}.issuperset(FACTORS)


def _offload(loads: Iterable[_Load]) -> float:
    """The last stores: link after link, the longer of both ends."""
    links: dict[int, float] = {}
    for one, cycles in loads:
        if one.operand == "output" and one.link > 0:
            links[one.link] = max(links.get(one.link, 0), cycles)
    return sum(links.values())
