"""The search among tiles that need not divide the steps of a dimension."""

from __future__ import annotations

import itertools
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from attrs import evolve
from figures import near
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from spatial.drawn import contractions, level, mappings, nest
from spatial.enumerated import costs_of, every_mapping, every_ragged_mapping
from spatial.test_laws import costs_or_skip, found_or_skip, sized

import costmodel
from costmodel_hardware.spatial.architecture import SLOTS, Architecture
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Loop
from costmodel_hardware.spatial.search import lattice
from costmodel_hardware.spatial.search.lattice import Lattice, smallest_sizes
from costmodel_hardware.spatial.search.mapper import Search, best_mapping

RAGGED = Search(is_ragged=True)
MANY = 400
"""Mappings of a nest that are counted one by one."""


def all_sizes(steps: int) -> range:
    return range(1, steps + 1)


SPACES = pytest.mark.parametrize(("most", "sizes"), [(MANY, all_sizes), (0, smallest_sizes)])
"""Sizes of tiles that the search tries: in small nests, and where there are too many tiles."""


@SPACES
@settings(max_examples=30)
@given(data=st.data())
def test_the_energy_found_is_the_least_of_all_ragged_mappings(
    most: int, sizes: Any, data: Any
) -> None:
    small, architecture = nest(data.draw(contractions())), data.draw(sized())
    spatial = data.draw(mappings(small, architecture)).spatial
    every = every_ragged_mapping(small, architecture, spatial, sizes)
    several = list(itertools.islice(every, MANY + 1))
    assume(len(several) <= MANY)
    values = [one.energy for one in costs_of(small, architecture, several)]
    with patch.object(lattice, "MOST_OF_ALL_SIZES", most):
        if not values:
            with pytest.raises(MappingError):
                best_mapping(small, architecture, [spatial], RAGGED)
            return
        found = best_mapping(small, architecture, [spatial], RAGGED)
    assert found.value == near(min(values))
    assert found.costs.energy == near(found.value)
    assert found.gap == 0


@SPACES
@settings(max_examples=30)
@given(data=st.data())
def test_ragged_tiles_are_never_worse_than_divisors(most: int, sizes: Any, data: Any) -> None:
    del sizes
    small, architecture = nest(data.draw(contractions())), data.draw(sized())
    spatial = data.draw(mappings(small, architecture)).spatial
    divisors = found_or_skip(small, architecture, [spatial])
    with patch.object(lattice, "MOST_OF_ALL_SIZES", most):
        ragged = best_mapping(small, architecture, [spatial], RAGGED)
        quick = best_mapping(small, architecture, [spatial], evolve(RAGGED, objective="latency"))
    assert ragged.value <= divisors.value * (1 + 1e-12)
    other = best_mapping(small, architecture, [spatial], Search(objective="latency"))
    assert quick.bound <= other.value * (1 + 1e-12)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.data())
def test_no_ragged_mapping_of_a_user_is_better(data: Any) -> None:
    """Loops may be longer than there is work, and in any order."""
    small, architecture = nest(data.draw(contractions())), data.draw(sized())
    mapping = data.draw(mappings(small, architecture))
    loops = [Loop(loop.dim, loop.size + data.draw(st.integers(0, 2))) for loop in mapping.temporal]
    for _ in range(data.draw(st.integers(0, 2))):
        dim = data.draw(st.sampled_from([name for name, _ in small.dims]))
        loops.insert(data.draw(st.integers(0, len(loops))), Loop(dim, data.draw(st.integers(1, 3))))
    cuts = {
        slot: sorted(data.draw(st.integers(0, len(loops))) for _ in architecture.chain(slot)[1:])
        for slot in SLOTS
    }
    own = costs_or_skip(small, architecture, Mapping(mapping.spatial, loops, cuts))
    found = best_mapping(small, architecture, [mapping.spatial], RAGGED)
    assert found.value <= own.energy * (1 + 1e-12)
    quick = best_mapping(
        small, architecture, [mapping.spatial], evolve(RAGGED, objective="latency")
    )
    assert quick.bound <= own.latency.total * (1 + 1e-12)


def test_a_prime_number_of_rows_is_cut_where_the_buffer_has_room() -> None:
    """13 rows, of which 4 words fit into the buffer: weights are read 4 times, and not 13 times."""
    small = nest(costmodel.matmul((13, 4), (4, 64)))
    levels = [
        level("buffer", ("input",), size_bits=4 * 8), level("sums", ("output",)),
        level("dram", SLOTS, read_energy=100.0, write_energy=100.0),
    ]  # fmt: skip
    array = Architecture(name="one", axes={"unit": 1}, levels=levels)
    words = []
    for is_ragged in (False, True):
        found = best_mapping(small, array, [()], Search(is_ragged=is_ragged))
        moved = [one for one in found.costs.transfers if one.flow == "read_to_below"]
        words.append({one.operand: one.words for one in moved if one.level == "dram"})
    assert words[0] == {"input": 13 * 4, "weight": 13 * 4 * 64, "output": 0}
    assert words[1] == {"input": 13 * 4, "weight": 4 * 4 * 64, "output": 0}
    assert [loop.size for loop in found.mapping.temporal if loop.dim == "m"] == [4, 4]


@given(st.integers(1, 3000))
@example(1)
@example(197)
def test_smallest_sizes_are_those_of_each_number_of_tiles(steps: int) -> None:
    assert smallest_sizes(steps) == tuple(sorted({-(-steps // one) for one in range(1, steps + 1)}))


@given(st.dictionaries(st.sampled_from("kcpqrs"), st.integers(1, 300), min_size=1))
def test_ragged_tiles_hold_all_divisors_and_are_not_too_many(steps: Any) -> None:
    ragged, divisors = Lattice.of(steps, is_ragged=True), Lattice.of(steps)
    assert ragged.size <= lattice.MOST_TILES
    for dim, number in steps.items():
        assert set(divisors.tiles[dim]) <= set(ragged.tiles[dim])
        assert {1, number} <= set(ragged.tiles[dim])


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from("pq"), st.integers(1, 24), min_size=1), st.data())
def test_the_least_of_all_tiles_that_grow_to_one(steps: Any, data: Any) -> None:
    """A size grows to its multiples and to all steps, along each dimension on its own."""
    found = Lattice.of(steps, is_ragged=True)
    values = data.draw(st.lists(st.integers(0, 9), min_size=found.size, max_size=found.size))
    least = found.least_within(np.array(values, float))
    tiles = [found.tile(number) for number in range(found.size)]
    for number, outer in enumerate(tiles):
        within = [
            values[place] for place, inner in enumerate(tiles)
            if all(outer[dim] in {all_, outer[dim] // inner[dim] * inner[dim]}
                   and outer[dim] >= inner[dim] for dim, all_ in steps.items())
        ]  # fmt: skip
        assert least[number] == min(within)


def test_the_ragged_mappings_that_are_listed_hold_those_of_divisors() -> None:
    small = nest(costmodel.matmul((6, 1), (1, 1)))
    array = Architecture(name="one", axes={"unit": 1}, levels=[level("dram", SLOTS)])
    ragged, divisors = (
        {one.temporal for one in several(small, array, ())}
        for several in (every_ragged_mapping, every_mapping)
    )
    assert divisors < ragged
    assert (Loop("m", 4), Loop("m", 2)) in ragged - divisors


@pytest.mark.parametrize("objective", ["latency", "edp"])
@settings(max_examples=20)
@given(data=st.data())
def test_ragged_tiles_are_never_worse_than_those_that_divide(objective: Any, data: Any) -> None:
    small, architecture = nest(data.draw(contractions())), data.draw(sized())
    spatial = data.draw(mappings(small, architecture)).spatial
    plain = found_or_skip(small, architecture, [spatial], Search(objective=objective))
    ragged = Search(objective=objective, is_ragged=True)
    found = best_mapping(small, architecture, [spatial], ragged)
    assert found.value <= plain.value * (1 + 1e-12)
    assert found.bound <= found.value
