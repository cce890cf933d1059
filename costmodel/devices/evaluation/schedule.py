"""Schedules: when each group of a workload runs, and how long all of them take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from costmodel.devices.cost import Charge, Cost, Factor, Seconds, busy
from costmodel.devices.parameters import Parameter
from costmodel.devices.runtimes import Residual


@frozen
class Span:
    """When a group runs, in seconds from the beginning."""

    group: str
    begin: Seconds
    end: Seconds


@frozen
class Schedule:
    """When each group runs; `makespan` is the time from the beginning to the end of all.

    It is None where the time of a group is not known.
    """

    spans: tuple[Span, ...]
    makespan: Seconds | None
    overhead: Seconds = Seconds(0.0, 0.0, 0.0)
    """The time before the first group, in which no group runs."""

    @classmethod
    def serial(cls, groups: Sequence[str], costs: Sequence[Cost]) -> Schedule:
        """One group after the other. A group of an empty cost takes no time.

        Raises:
            ValueError: there is not one cost for each group.

        """
        return cls._staggered(groups, costs, 1)

    @classmethod
    def pipelined(cls, groups: Sequence[str], costs: Sequence[Cost], items: int) -> Schedule:
        """Groups that work at the same time, each on another of `items` parts of the work.

        The cost of a group is that of all items. An item passes the groups one after the other;
        a group takes the next item as soon as it is done with one. The spans are those of the
        first to the last item, as if each group had its resources to itself; what groups share
        works for one at a time, so that the makespan is never shorter than any resource works.

        Raises:
            ValueError: `items` is not a whole number of at least 1, or there is not one cost for
                each group.

        """
        if items.__class__ is not int or items < 1:
            message = f"items is {items!r:.40}; expected a whole number of at least 1"
            raise ValueError(message)
        staggered = cls._staggered(groups, costs, items)
        if staggered.makespan is None:
            return staggered
        ends = zip(staggered.makespan, _busiest(costs), strict=True)
        return evolve(staggered, makespan=Seconds(*map(max, ends)))

    @classmethod
    def _staggered(cls, groups: Sequence[str], costs: Sequence[Cost], items: int) -> Schedule:
        if len(groups) != len(costs):
            message = f"{len(costs)} costs for {len(groups)} groups; expected one for each"
            raise ValueError(message)
        times = []
        for cost in costs:
            time = _times(cost)
            if time is None:
                return cls((), None)
            times.append(time)
        begin, slowest = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        spans = []
        for name, time in zip(groups, times, strict=True):
            each = [end / items for end in time]
            slowest = [max(pair) for pair in zip(slowest, each, strict=True)]
            first = [sum(pair) for pair in zip(begin, each, strict=True)]
            # The last item waits for the slowest group so far, once for each item before it.
            end = [one + (items - 1) * slow for one, slow in zip(first, slowest, strict=True)]
            spans.append(Span(name, Seconds(*begin), Seconds(*end)))
            begin = first
        return cls(tuple(spans), spans[-1].end if spans else Seconds(0.0, 0.0, 0.0))

    def delayed(self, overhead: Parameter) -> Schedule:
        """The same with a time before the first group, such as the overhead of a call.

        Raises:
            ValueError: the overhead is not in s.

        """
        if overhead.unit != "s":
            message = f"expected an overhead in s, found {overhead}"
            raise ValueError(message)
        if self.makespan is None:
            return self
        by = Seconds(overhead.value, overhead.low, overhead.high)
        spans = [
            evolve(one, begin=_sum_of(one.begin, by), end=_sum_of(one.end, by))
            for one in self.spans
        ]
        return Schedule(tuple(spans), _sum_of(self.makespan, by), _sum_of(self.overhead, by))

    @property
    def seconds(self) -> float | None:
        """The makespan as it is predicted; None where it is not known."""
        return None if self.makespan is None else self.makespan.value

    def spread(self, residual: Residual) -> Schedule:
        """The same with the range of the makespan as wide as measured times spread.

        The range holds the predicted time even where all measured ones are longer or shorter.
        The spans stay as they are predicted.
        """
        if self.makespan is None:
            return self
        value, low, high = self.makespan
        low, high = min(low * residual.low, value), max(high * residual.high, value)
        return evolve(self, makespan=Seconds(value, low, high))

    def drawn(self, power: Parameter, resource: str) -> Charge:
        """The energy of a power that a resource draws over the whole makespan: a static charge.

        Raises:
            ValueError: the makespan is not known, or the power is not in W.

        """
        if self.makespan is None or power.unit != "W":
            message = (
                f"expected a power in W and a known makespan, found {power} and {self.makespan}"
            )
            raise ValueError(message)
        value, low, high = self.makespan
        energy = evolve(
            power, name=f"{power.name} over the makespan", unit="J",
            value=power.value * value, low=power.low * low, high=power.high * high,
        )  # fmt: skip
        return Charge(resource, "static", (Factor("evaluation", 1),), energy)


def _sum_of(time: Seconds, other: Seconds) -> Seconds:
    return Seconds(*map(sum, zip(time, other, strict=True)))


def _busiest(costs: Iterable[Cost]) -> Seconds:
    """How long the resource works that works longest for all groups together."""
    total: dict[str, list[Seconds]] = {}
    for cost in costs:
        for of_phase in busy(cost.durations).values():
            for resource, seconds in of_phase.items():
                total.setdefault(resource, []).append(seconds)
    sums = [map(math.fsum, zip(*times, strict=True)) for times in total.values()]
    return Seconds(*map(max, zip((0.0, 0.0, 0.0), *sums, strict=True)))


def _times(cost: Cost) -> Seconds | None:
    """The time of a cost; none at all where it is empty, None where it is not known."""
    value, low, high = cost.latency_seconds, cost.latency_seconds_low, cost.latency_seconds_high
    if value is None or low is None or high is None:
        return None if cost.charges else Seconds(0.0, 0.0, 0.0)
    return Seconds(value, low, high)
