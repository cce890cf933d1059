"""The search against every mapping of small spaces."""

from __future__ import annotations

import math
from typing import Any

import pytest
from attrs import evolve
from figures import near
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, level, mappings, nest
from spatial.enumerated import costs_of, every_mapping

import costmodel
from costmodel.devices import Step, progress_to
from costmodel.errors import UnknownNameError
from costmodel_hardware.spatial.architecture import SLOTS, Architecture
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.search.mapper import Function, Search, best_mapping


@pytest.mark.slow
@settings(max_examples=50)
@given(st.data())
def test_the_energy_found_is_the_least_of_all_mappings(data: Any) -> None:
    small = nest(data.draw(contractions()))
    architecture = data.draw(architectures())
    sizes = [data.draw(st.sampled_from([None, 64, 128, 256])) for _ in architecture.levels[:-1]]
    sizes.append(data.draw(st.sampled_from([None, 256, 512, 1024])))
    twice = [data.draw(st.booleans()) for _ in sizes]
    levels = [
        evolve(level, size_bits=bits, double_buffered=both)
        for level, bits, both in zip(architecture.levels, sizes, twice, strict=True)
    ]
    architecture = evolve(architecture, levels=levels)
    drawn = data.draw(mappings(small, architecture))
    chains = [len(architecture.chain(slot)) - 1 for slot in SLOTS]
    loops = len(drawn.temporal)
    many = math.prod(math.comb(loops + cuts, cuts) for cuts in chains) * math.factorial(loops)
    assume(many <= 3000)
    every = list(costs_of(small, architecture, every_mapping(small, architecture, drawn.spatial)))
    if not every:
        with pytest.raises(MappingError):
            best_mapping(small, architecture, [drawn.spatial])
        return
    found = best_mapping(small, architecture, [drawn.spatial])
    least = min(one.energy for one in every)
    assert found.value == pytest.approx(least, rel=1e-12, abs=0)
    assert found.costs.energy == pytest.approx(found.value, rel=1e-12, abs=0)
    assert found.gap == 0
    for objective, value in GOALS:
        other = best_mapping(small, architecture, [drawn.spatial], Search(objective=objective))
        least = min(value(one.energy, one.latency.total) for one in every)
        assert other.value >= least * (1 - 1e-12)
        assert other.bound <= least * (1 + 1e-12)
        assert other.value == near(value(other.costs.energy, other.costs.latency.total))


@pytest.mark.parametrize("buffer_bits", [150, 200, 320])
@pytest.mark.parametrize("sums_bits", [None, 32, 128])
def test_results_take_the_room_of_sums_where_they_lie_incomplete(
    buffer_bits: int, sums_bits: int | None
) -> None:
    """The buffer keeps all 8 results: 64 bits, or 256 as sums, beside tiles of the 16 inputs."""
    product = nest(costmodel.matmul((4, 4), (4, 2)))
    levels = [
        level("buffer", ("input", "output"), size_bits=buffer_bits, read_energy=4.0, rate=8.0),
        level("dram", ("input", "weight"), read_energy=50.0, rate=16.0),
    ]
    if sums_bits is not None:
        levels.insert(0, level("sums", ("output",), size_bits=sums_bits, rate=8.0))
    array = Architecture(name="one", axes={"X": 1}, levels=levels)
    units: tuple[Any, ...] = (("X", ()),)
    every = list(costs_of(product, array, every_mapping(product, array, units)))
    if not every:
        with pytest.raises(MappingError, match=r"memory 'buffer' has .* the smallest tiles take"):
            best_mapping(product, array, [units])
        return
    assert best_mapping(product, array, [units]).value == near(min(one.energy for one in every))


def slack(joules: float, cycles: float) -> float:
    """Energy within 500 cycles, and a penalty for those beyond."""
    return joules + 3 * max(cycles - 500, 0)


def energy_delay_squared(joules: float, cycles: float) -> float:
    return joules * cycles**2


GOALS: list[tuple[Any, Function]] = [
    ("latency", lambda _, cycles: cycles),
    ("edp", lambda joules, cycles: joules * cycles),
    (slack, slack),
    (energy_delay_squared, energy_delay_squared),
]
"""What is made least, and its value for joules and cycles."""


@pytest.fixture(scope="module")
def crowded() -> tuple[Nest, Architecture]:
    """A layer whose tiles share a small buffer, so that its search takes many steps."""
    small = nest(costmodel.conv((1, 8, 14, 14), (12, 8, 3, 3), padding=1))
    levels = [
        level("buffer", SLOTS, size_bits=8 * 256, double_buffered=True, rate=32.0),
        level("dram", SLOTS, read_energy=100.0, write_energy=110.0, rate=16.0),
    ]
    return small, Architecture(name="crowded", axes={"X": 4}, levels=levels, mac_energy=0.5)


WAYS = [(("X", (Loop("k", 4),)),), (("X", (Loop("c", 4),)),), (("X", (Loop("p", 4),)),)]


@pytest.mark.parametrize("objective", ["energy", "latency", "edp", slack])
def test_a_time_limit_leaves_the_best_so_far_and_a_bound(crowded: Any, objective: Any) -> None:
    whole = best_mapping(*crowded, WAYS, Search(objective=objective))
    cut = best_mapping(*crowded, WAYS, Search(objective=objective, limit_seconds=1e-9))
    assert cut.bound <= whole.value * (1 + 1e-12)
    assert cut.value >= whole.bound * (1 - 1e-12)
    assert cut.gap > whole.gap


def test_a_function_has_the_gap_of_the_objective_that_it_states(crowded: Any) -> None:
    one = WAYS[:1]
    named = best_mapping(*crowded, one, Search(objective="latency"))
    own = best_mapping(*crowded, one, Search(objective=lambda _, cycles: cycles))
    assert own.bound == near(named.bound)
    energy = best_mapping(*crowded, one)
    own = best_mapping(*crowded, one, Search(objective=lambda joules, _: joules))
    assert (own.value, own.gap) == (near(energy.value), 0)


def test_a_function_that_falls_with_more_energy_or_cycles_is_refused(crowded: Any) -> None:
    search = Search(objective=lambda joules, cycles: 1 / (joules * cycles))
    with pytest.raises(ValueError, match="a function of joules and cycles that never falls"):
        best_mapping(*crowded, WAYS[:1], search)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"objective": "enrgy"}, "unknown objective of a search 'enrgy'"),
        ({"stationary": "weights"}, "unknown stationary operand 'weights'"),
    ],
)
def test_a_search_for_an_unknown_name_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        Search(**wrong)


def test_a_search_reports_how_far_it_is(crowded: Any) -> None:
    found: list[tuple[Step, ...]] = []
    with progress_to(found.append):
        best_mapping(*crowded, WAYS, Search(objective="latency"))
    ways = {one[0] for one in found if one and one[0].total > 1}
    assert Step("way to spread it", 1, 3) in ways
    shown = [str(step) for one in found for step in one]
    assert any(text.startswith("parts of the space left: ") for text in shown)
    assert any("the best so far within" in text for text in shown)
    assert found[-1] == ()


def test_a_listener_may_stop_a_search(crowded: Any) -> None:
    def stop(steps: tuple[Step, ...]) -> None:
        if steps:
            raise KeyboardInterrupt

    with progress_to(stop), pytest.raises(KeyboardInterrupt):
        best_mapping(*crowded, WAYS)
