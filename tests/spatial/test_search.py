"""The search against every mapping of small spaces."""

from __future__ import annotations

import math
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, mappings, nest
from spatial.enumerated import costs_of, every_mapping

from costmodel_hardware.spatial.architecture import SLOTS
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.search.mapper import Search, best_mapping


@settings(max_examples=60)
@given(st.data())
def test_the_energy_found_is_the_least_of_all_mappings(data: Any) -> None:
    small = nest(data.draw(contractions()))
    architecture = data.draw(architectures())
    sizes = [data.draw(st.sampled_from([None, 64, 128, 256])) for _ in architecture.levels[:-1]]
    twice = [data.draw(st.booleans()) for _ in sizes]
    levels = [
        evolve(level, size_bits=bits, double_buffered=both)
        for level, bits, both in zip(architecture.levels, sizes, twice, strict=False)
    ]
    architecture = evolve(architecture, levels=(*levels, architecture.levels[-1]))
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
    for objective in ("latency", "edp"):
        other = best_mapping(small, architecture, [drawn.spatial], Search(objective=objective))
        least = min(one.latency.total * (one.energy if objective == "edp" else 1) for one in every)
        assert other.value >= least * (1 - 1e-12)
        assert other.bound <= least * (1 + 1e-12)
