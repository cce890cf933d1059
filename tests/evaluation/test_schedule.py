"""Schedules and durations against simulations."""

from __future__ import annotations

from typing import Any

import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from plans import figure

from costmodel.devices import Charge, Cost, Duration, Schedule
from costmodel.errors import ScenarioError

RATE = figure("clock", 4.0, "Hz", low=2.0)
"""A rate of 2 to 8 in a second."""
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


def test_a_time_that_is_given_overlaps_with_the_durations_of_a_group() -> None:
    said = Cost([Charge("array", "compute", 1, JOULE)], 3.0, latency_seconds_high=9.0)
    other = Cost((), 1.0)
    timed = Cost(durations=[Duration("array", 8, RATE)])
    group = Cost.of_group([timed, said, other])
    assert (group.latency_seconds_low, group.latency_seconds) == (4.0, 4.0)
    assert group.latency_seconds_high == 10.0
    assert group.energy_joules == 1.0
    nested = Cost.of_group(
        [Cost.of_group([said, other]), Cost(durations=[Duration("array", 8, RATE)])]
    )
    assert nested.latency_seconds == group.latency_seconds


def test_the_time_of_a_group_is_not_known_where_something_is_due_without_one() -> None:
    due = Cost([Charge("array", "compute", 1, JOULE)])
    group = Cost.of_group([due, Cost(durations=[Duration("array", 8, RATE)])])
    assert group.latency_seconds is None
    assert group.energy_joules == 1.0


@given(st.lists(durations, min_size=1), st.integers(1, 5))
def test_a_cost_several_times_over_takes_as_many_times_as_long(given_: Any, count: int) -> None:
    cost = Cost([Charge("array", "compute", 2, JOULE)], durations=given_)
    longer = cost.times(count, "steps")
    assert longer.latency_seconds == near(count * cost.latency_seconds)
    assert longer.energy_joules == 2 * count


def test_a_power_is_drawn_over_the_range_of_the_makespan() -> None:
    costs = [Cost(durations=[Duration("array", 8, RATE)])]  # 1 to 4 seconds, usually 2
    charge = Schedule.serial(["a"], costs).drawn(figure("idle", 3.0, "W", low=2.0), "chip")
    assert (charge.energy_joules_low, charge.energy_joules) == (2.0, 6.0)
    assert charge.energy_joules_high == 24.0
    assert (charge.resource, charge.role) == ("chip", "static")
    with pytest.raises(ValueError, match="expected a power in W and a known makespan"):
        Schedule((), None).drawn(figure("idle", 3.0, "W"), "chip")


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
    costs = [Cost((), 1.0), Cost([Charge("array", "compute", 1, JOULE)])]
    assert Schedule.serial(["a", "b"], costs) == Schedule((), None)


def test_a_group_that_costs_nothing_takes_no_time() -> None:
    schedule = Schedule.serial(["a", "free"], [Cost((), 1.0), Cost()])
    assert schedule.makespan == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"phase": "later"}, ValueError, "expected a phase of start, run, finish, found 'later'"),
        ({"count": -1}, ScenarioError, "expected a count of 0 or more, found -1"),
        (
            {"count": 1e300, "rate": figure("slow", 1e-30, "Hz")}, ScenarioError,
            "larger than a number can be",
        ),
        ({"rate": figure("clock", 0.0, "Hz")}, ValueError, "expected a rate above 0"),
        ({"rate": figure("energy", 1.0, "J")}, TypeError, "expected a Parameter in s, Hz or such"),
        ({"rate": 5}, TypeError, "expected a Parameter in s, Hz or such as B/s, found 5"),
    ],
)  # fmt: skip
def test_a_duration_that_cannot_be_is_refused(change: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        Duration(**{"resource": "array", "count": 1, "rate": RATE, **change})


def test_a_time_is_derived_or_given_and_not_both() -> None:
    with pytest.raises(ValueError, match="expected durations or latency_seconds"):
        Cost((), 1.0, durations=[Duration("array", 1, RATE)])


@pytest.mark.parametrize("items", [0, 2.5, "2"])
def test_a_pipeline_of_no_whole_number_of_items_is_refused(items: Any) -> None:
    with pytest.raises(ValueError, match="expected a whole number of at least 1"):
        Schedule.pipelined([], [], items)


def test_a_schedule_wants_a_cost_for_each_group() -> None:
    with pytest.raises(ValueError, match="2 costs for 1 groups; expected one for each"):
        Schedule.serial(["a"], [Cost(), Cost()])


def test_a_time_may_be_nothing_at_least() -> None:
    overhead = Duration("host", 1, figure("overhead", 1.0, "s", low=0.0))
    assert (overhead.seconds_low, overhead.seconds_high) == (0.0, 2.0)
