"""The search under ZigZag's accounting: against every mapping, and against what ZigZag found."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from figures import near
from hypothesis import assume, given
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, mappings, nest
from spatial.enumerated import every_mapping

from costmodel.errors import CostModelError, UnknownNameError
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.check import read
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Loop, Nest
from costmodel_hardware.spatial.zigzag.accounting import count
from costmodel_hardware.spatial.zigzag.golden_cases import PICO, accelerator_of, nest_of_layer
from costmodel_hardware.spatial.zigzag.searching.batch import Orders, counts_of
from costmodel_hardware.spatial.zigzag.searching.best import (
    GOALS,
    best_greedy_mapping,
    best_mapping,
)
from costmodel_hardware.spatial.zigzag.searching.comparing import optimum, table
from costmodel_hardware.spatial.zigzag.searching.orders import (
    distinct_orders,
    merged_loops,
    number_of_orders,
)
from costmodel_hardware.spatial.zigzag.searching.space import Space, space_of

ROOT = Path(__file__).parents[2]
FILE = read(ROOT / "tests" / "golden" / "zigzag.json.gz")
ACCELERATORS = {name: accelerator_of(one) for name, one in FILE["accelerators"].items()}
SEARCHED = {case["id"]: case for case in FILE["cases"] if "best" in case}
TABLE = ROOT / "validation" / "zigzag_optima.csv"
ALL_PRIMES = 99
"""A limit that merges no loops of a small nest."""


def space_of_case(case: Any, limit: int | None = None) -> Space:
    accelerator, small = ACCELERATORS[case["accelerator"]], nest_of_layer(case["layer"])
    limit = limit or case["search"]["lpf_limit"]
    return space_of(small, accelerator.architecture, accelerator.spatial(small), limit)


# ------------------------------------------------------------------ every mapping


def elements(small: Nest, slot: Slot, steps: dict[str, int]) -> int:
    """The elements of an operand that so many steps of each dimension read, one by one."""
    found = 1
    for index, extent in zip(small.tensor(slot).index, small.tensor(slot).shape, strict=True):
        ranges = [[factor * step for step in range(steps.get(dim, 1))]
                  for dim, factor in index.terms]  # fmt: skip
        found *= min(len({sum(one) for one in itertools.product(*ranges)}), extent)
    return found


def fits(small: Nest, architecture: Architecture, mapping: Mapping) -> bool:
    held = [0.0] * len(architecture.levels)
    for slot in SLOTS:
        cuts = (*mapping.cuts_of(slot), len(mapping.temporal))
        for within, (place, cut) in enumerate(zip(architecture.chain(slot), cuts, strict=True)):
            level = architecture.levels[place]
            inside = [*mapping.temporal[:cut], *loops_of(mapping, level.per, served=True)]
            begin = cuts[within - 1] if within else 0
            outside = [*mapping.temporal[begin:], *loops_of(mapping, level.per, served=False)]
            tensor = small.tensor(slot)
            partial = slot == "output" and any(
                loop.dim in small.reduction and loop.size > 1 for loop in outside
            )
            bits = elements(small, slot, product(inside)) * (
                tensor.partial_bits if partial else tensor.bits
            )
            held[place] += bits
    return all(
        level.has_room_for(bits) for level, bits in zip(architecture.levels, held, strict=True)
    )


def loops_of(mapping: Mapping, per: tuple[str, ...], *, served: bool) -> list[Loop]:
    return [
        loop for axis, loops in mapping.spatial for loop in loops if (axis not in per) == served
    ]


def product(loops: list[Loop]) -> dict[str, int]:
    found: dict[str, int] = {}
    for dim, size in loops:
        found[dim] = found.get(dim, 1) * size
    return found


@given(st.data())
def test_what_is_found_is_the_best_of_all_mappings(data: Any) -> None:
    small = nest(data.draw(contractions()), partial_bits=16)
    assume(all(len(index.terms) < 2 for index in small.output.index))
    windows = [dict(index.terms) for index in small.input.index if len(index.terms) > 1]
    assume(all(len(one) == 2 and 1 in one.values() for one in windows))
    assume(all(one.get("r", 1) == 1 for one in windows))  # dilated: more than there are
    architecture = data.draw(architectures())
    sizes = [data.draw(st.sampled_from([None, 32, 64, 128])) for _ in architecture.levels[:-1]]
    levels = [evolve(level, size_bits=bits, ports=data.draw(st.sampled_from([level.ports, ()])))
              for level, bits in zip(architecture.levels, sizes, strict=False)]  # fmt: skip
    architecture = evolve(architecture, levels=(*levels, architecture.levels[-1]))
    drawn = data.draw(mappings(small, architecture))
    assume(all(small.sizes[dim] % units == 0 for dim, units in drawn.unrolled.items()))
    chains = [len(architecture.chain(slot)) - 1 for slot in SLOTS]
    loops = len(drawn.temporal)
    many = math.prod(math.comb(loops + cuts, cuts) for cuts in chains) * math.factorial(loops)
    assume(many <= 3000)
    every = list(every_mapping(small, architecture, drawn.spatial))
    space = space_of(small, architecture, drawn.spatial, ALL_PRIMES)
    orders = Orders.of(space, [[space.kinds.index(loop) for loop in one.temporal] for one in every])
    cuts = {slot: np.array([one.cuts_of(slot) for one in every], np.int64) for slot in SLOTS}
    counts = counts_of(orders, cuts)
    room = np.array([fits(small, architecture, one) for one in every])
    for goal, objective in GOALS.items():
        if not room.any():
            with pytest.raises(CostModelError):
                best_mapping(space, goal)
            continue
        found = best_mapping(space, goal)
        assert found.value == near(objective(counts.energy, counts.cycles)[room].min(), rel=1e-12)
        assert found.gap == 0
    some = data.draw(st.integers(0, len(every) - 1))
    if room[some]:
        alone = count(small, architecture, every[some])
        assert alone.energy == near(counts.energy[some], rel=1e-12)
        assert alone.latency_cycles == near(counts.cycles[some], rel=1e-12)


@pytest.mark.parametrize("case", list(SEARCHED.values())[::9], ids=lambda case: case["id"])
def test_mappings_counted_together_and_alone_are_equal(case: Any) -> None:
    """Random orders and random cuts of real layers, whether they fit or not."""
    space = space_of_case(case)
    roomy = [
        evolve(level, size_bits=level.size_bits * 10**6) for level in space.architecture.levels
    ]
    space = Space(space.nest, evolve(space.architecture, levels=roomy), space.spatial, space.loops)
    chance = np.random.default_rng(7)
    kinds = [chance.permutation(np.repeat(range(len(space.kinds)), space.numbers))
             for _ in range(40)]  # fmt: skip
    orders = Orders.of(space, [list(one) for one in kinds])
    cuts = {
        slot: np.sort(chance.integers(
            0, len(space.loops) + 1, (40, len(space.architecture.chain(slot)) - 1)))
        for slot in SLOTS
    }  # fmt: skip
    together = counts_of(orders, cuts)
    for row in range(40):
        mapping = orders.mapping(row, {slot: list(cuts[slot][row]) for slot in SLOTS})
        alone = count(space.nest, space.architecture, mapping)
        assert alone.energy == near(together.energy[row], rel=1e-12)
        assert alone.latency_cycles == together.cycles[row]


# ------------------------------------------------------------------ what ZigZag found


@pytest.mark.parametrize("case", SEARCHED.values(), ids=SEARCHED)
def test_its_orders_and_its_allocation_give_its_best(case: Any) -> None:
    space = space_of_case(case)
    assert number_of_orders(space.loops) == case["search"]["orderings_evaluated"]
    for goal, given_best in case["best"].items():
        found = best_greedy_mapping(space, goal).count
        if goal == "edp":
            expected = given_best["energy_pj"] * given_best["latency_cycles"]
            assert found.energy_delay / PICO == near(expected, rel=1e-12)
        else:
            assert found.energy / PICO == near(given_best["energy_pj"], rel=1e-12)
            assert found.latency_cycles == given_best["latency_cycles"]


@pytest.mark.parametrize("case", SEARCHED.values(), ids=SEARCHED)
def test_the_least_energy_is_proven_and_never_above_its_best(case: Any) -> None:
    found = best_mapping(space_of_case(case))
    assert found.gap == 0
    assert found.value / PICO <= case["best"]["energy"]["energy_pj"] * (1 + 1e-12)


def test_the_table_has_every_case_and_none_that_is_worse() -> None:
    rows = list(csv.DictReader(TABLE.read_text().splitlines()))
    expected = {(name, goal) for name, case in SEARCHED.items() for goal in case["best"]}
    assert {(row["case"], row["goal"]) for row in rows} == expected
    assert {row["proven"] for row in rows} == {"yes"}
    assert min(float(row["factor"]) for row in rows) == 1
    better = [row for row in rows if row["cause"] != "equal"]
    assert [sum(row["goal"] == goal for row in better) for goal in GOALS] == [2, 69, 59]
    assert max(float(row["factor"]) for row in rows) == 1.45897


@pytest.mark.parametrize("name", list(SEARCHED)[40::7])
def test_a_row_of_the_table_is_what_is_computed(name: str) -> None:
    case = SEARCHED[name]
    rows = [optimum(ACCELERATORS[case["accelerator"]], case, goal) for goal in GOALS]
    assert set(table(rows).splitlines()) <= set(TABLE.read_text().splitlines())


# ------------------------------------------------------------------ laws and refusals


def test_more_loops_never_cost_more_energy() -> None:
    """A mapping of merged loops is one of finer loops."""
    case = SEARCHED["eyeriss_like/mobilenet_pw1/lpf5"]
    spaces = [space_of_case(case, limit) for limit in (5, 6, 7, ALL_PRIMES)]
    values = [best_mapping(space).value for space in spaces]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] * 0.999


def test_larger_memories_never_raise_what_is_made_small() -> None:
    space = space_of_case(SEARCHED["tesla_npu_like/odd_gemm/lpf5"])
    for goal in GOALS:
        values = []
        for factor in (1, 2, 8):
            levels = [evolve(one, size_bits=one.size_bits * factor)
                      for one in space.architecture.levels]  # fmt: skip
            architecture = evolve(space.architecture, levels=levels)
            roomier = Space(space.nest, architecture, space.spatial, space.loops)
            values.append(best_mapping(roomier, goal).value)
        assert values == sorted(values, reverse=True)


def test_a_goal_may_be_a_function_of_joules_and_cycles() -> None:
    space = space_of_case(SEARCHED["meta_prototype/odd_gemm/lpf6"])
    found = best_mapping(space, lambda energy, cycles: energy * cycles**2)
    assert found.gap == 0
    assert found.value == near(found.count.energy * found.count.latency_cycles**2)
    both = [best_mapping(space, goal).count for goal in GOALS]
    assert found.value <= min(one.energy * one.latency_cycles**2 for one in both) * (1 + 1e-12)


def test_a_search_that_runs_out_of_time_reports_a_bound() -> None:
    space = space_of_case(SEARCHED["eyeriss_like/tiny_conv/lpf6"])
    hasty = best_mapping(space, "latency", seconds=0)
    patient = best_mapping(space, "latency")
    assert hasty.bound <= patient.value <= hasty.value
    assert 0 < hasty.gap < 1
    assert patient.gap == 0


def test_loops_are_merged_from_the_dimension_with_the_most_factors() -> None:
    assert merged_loops({"k": 12, "m": 30}, 4) == (("k", 3), ("k", 4), ("m", 5), ("m", 6))
    assert merged_loops({"k": 12, "m": 30}, 1) == (("k", 12), ("m", 30))
    assert merged_loops({}, 6) == ()
    assert list(distinct_orders((2, 1))) == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]


def test_a_memory_that_is_too_small_is_named_with_the_missing_bits() -> None:
    space = space_of_case(SEARCHED["tpu_like/odd_gemm/lpf5"])
    levels = [evolve(one, size_bits=8) if one.name == "rf_2B" else one
              for one in space.architecture.levels]  # fmt: skip
    small = Space(space.nest, evolve(space.architecture, levels=levels), space.spatial, space.loops)
    message = "memory 'rf_2B' holds 8 bits; the output needs 16 there in the smallest tile, 8 more"
    for goal in GOALS:
        with pytest.raises(CostModelError, match=message):
            best_mapping(small, goal)
    with pytest.raises(CostModelError, match=message):
        best_greedy_mapping(small)


def test_a_search_by_an_unknown_goal_or_of_too_many_orders_is_refused() -> None:
    case = SEARCHED["tpu_like/resnet18_conv3a/lpf6"]
    with pytest.raises(UnknownNameError, match="unknown goal of a search 'enrgy'"):
        best_mapping(space_of_case(case), "enrgy")
    with pytest.raises(CostModelError, match="11 loops have 4989600 orders, more than 50000"):
        best_mapping(space_of_case(case, ALL_PRIMES), "latency")
