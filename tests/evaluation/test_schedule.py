"""Schedules and durations against simulations."""

from __future__ import annotations

from typing import Any

import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from plans import figure

from costmodel.devices import Charge, Cost, Duration, Factor, Schedule
from costmodel.errors import ScenarioError

RATE = figure("clock", 4.0, "Hz", low=2.0)
TIME = figure("overhead", 0.5, "s", low=0.25)
JOULE = figure("energy", 1.0, "J")
durations = st.builds(
    Duration,
    st.sampled_from(["array", "dram", "vector"]),
    st.integers(0, 20),
    st.sampled_from([RATE, TIME]),
    st.sampled_from(["start", "run", "finish"]),
)


def simulated(durations: Any, pick: str) -> float:
    """The time of one group: a clock for each resource, which the phases set to the latest."""
    now = 0.0
    for phase in ("start", "run", "finish"):
        clocks: dict[str, float] = {}
        for one in durations:
            if one.phase == phase:
                clocks[one.resource] = clocks.get(one.resource, now) + getattr(one, pick)
        now = max(clocks.values(), default=now)
    return now


@given(st.lists(durations, min_size=1))
def test_resources_overlap_within_a_phase_and_phases_follow_each_other(given_: Any) -> None:
    cost = Cost(durations=given_)
    assert cost.latency_seconds == near(simulated(given_, "seconds"))
    assert cost.latency_seconds_low == near(simulated(given_, "seconds_low"))
    assert cost.latency_seconds_high == near(simulated(given_, "seconds_high"))


@given(st.lists(st.lists(durations, min_size=1), min_size=1))
def test_operators_of_a_group_share_its_phases(several: Any) -> None:
    group = Cost.of_group([Cost(durations=one) for one in several])
    every = [duration for one in several for duration in one]
    assert group.latency_seconds == near(simulated(every, "seconds"))
    apart = Cost.together([Cost(durations=one) for one in several])
    assert group.latency_seconds <= apart.latency_seconds * (1 + 1e-9)


def test_a_time_that_is_given_adds_to_the_durations_of_a_group() -> None:
    told = Cost([Charge("compute", JOULE, (Factor("x", 1),))], 2.0, latency_seconds_high=3.0)
    group = Cost.of_group([Cost(durations=[Duration("array", 8, RATE)]), told])
    assert (group.latency_seconds, group.latency_seconds_low) == (4.0, 3.0)
    assert group.latency_seconds_high == 7.0
    assert group.energy_joules == 1.0


def finished(times: list[float], items: int) -> list[float]:
    """When the last item leaves each group: it waits for the item before it."""
    done = [[0.0] * (items + 1) for _ in range(len(times) + 1)]
    for group, time in enumerate(times, 1):
        for item in range(1, items + 1):
            done[group][item] = max(done[group - 1][item], done[group][item - 1]) + time
    return [row[-1] for row in done[1:]]


times = st.lists(st.integers(0, 20), max_size=6)


@given(times, st.integers(1, 5))
def test_a_pipeline_ends_when_a_simulation_of_its_items_does(each: Any, items: int) -> None:
    names = [f"g{place}" for place in range(len(each))]
    costs = [Cost((), float(time * items)) for time in each]
    schedule = Schedule.pipelined(names, costs, items)
    assert schedule.makespan is not None
    expected = finished([float(time) for time in each], items)
    assert [span.end.value for span in schedule.spans] == near(expected)
    assert schedule.makespan.value == near(max(expected, default=0.0))


@given(times)
def test_groups_one_after_the_other_take_the_sum_of_their_times(each: Any) -> None:
    costs = [Cost((), float(time), latency_seconds_high=2.0 * time) for time in each]
    schedule = Schedule.serial([f"g{place}" for place in range(len(each))], costs)
    assert schedule.makespan == near((sum(each), sum(each), 2 * sum(each)))
    ends = [span.end for span in schedule.spans]
    assert [span.begin for span in schedule.spans[1:]] == ends[:-1]


def test_a_group_of_unknown_time_leaves_the_makespan_unknown() -> None:
    costs = [Cost((), 1.0), Cost([Charge("compute", JOULE, (Factor("x", 1),))])]
    assert Schedule.serial(["a", "b"], costs) == Schedule((), None)


def test_a_group_that_costs_nothing_takes_no_time() -> None:
    schedule = Schedule.serial(["a", "free"], [Cost((), 1.0), Cost()])
    assert schedule.makespan == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"phase": "later"}, ValueError, "'later' is no phase; expected one of start, run, finish"),
        ({"count": -1}, ScenarioError, "is no time"),
        ({"rate": figure("clock", 0.0, "Hz")}, ValueError, "expected a rate above 0"),
        ({"rate": 5}, ValueError, "expected a rate above 0, found 5"),
    ],
)
def test_a_duration_that_cannot_be_is_refused(change: Any, error: Any, told: str) -> None:
    with pytest.raises(error, match=told):
        Duration(**{"resource": "array", "count": 1, "rate": RATE, **change})


def test_a_time_is_derived_or_given_and_not_both() -> None:
    with pytest.raises(ValueError, match="expected durations or latency_seconds"):
        Cost((), 1.0, durations=[Duration("array", 1, RATE)])


def test_a_pipeline_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="items is 0; expected a whole number of at least 1"):
        Schedule.pipelined([], [], 0)
