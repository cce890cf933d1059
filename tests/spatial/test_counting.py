"""The default accounting against an oracle that moves every word, and by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, level, mappings, nest
from spatial.moving_words import moved

import costmodel
from costmodel_hardware.spatial.architecture import SLOTS, Architecture
from costmodel_hardware.spatial.counting.accounting import costs
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.mapping import Mapping


@settings(max_examples=400)
@given(st.data())
def test_every_word_and_bit_on_every_link_is_that_of_the_oracle(data: Any) -> None:
    architecture = data.draw(architectures())
    small = nest(data.draw(contractions()))
    mapping = data.draw(mappings(small, architecture))
    words: Counter[tuple[str, str, str]] = Counter()
    bits: Counter[tuple[str, str, str]] = Counter()
    for one in costs(small, architecture, mapping).transfers:
        words[one.operand, one.level, one.flow] += one.words
        bits[one.operand, one.level, one.flow] += one.bits
    expected = moved(small, architecture, mapping)
    assert +words == +expected.words
    assert +bits == +expected.bits


def test_a_dimension_may_be_spread_over_two_axes_with_some_units_idle() -> None:
    small = nest(costmodel.matmul((27, 2), (2, 3)))
    memory = level("dram", SLOTS)
    array = Architecture(name="array", axes={"rows": 3, "columns": 14}, levels=[memory])
    temporal = [("k", 2), ("n", 3)]
    cuts: dict[str, tuple[int, ...]] = dict.fromkeys(SLOTS, ())
    fits = Mapping({"rows": [("m", 2)], "columns": [("m", 14)]}, temporal, cuts)
    assert costs(small, array, fits).latency.compute == 6
    wasteful = Mapping({"rows": [("m", 3)], "columns": [("m", 14)]}, temporal, cuts)
    with pytest.raises(MappingError, match="dimension 'm' of 27 is spread over 42 units"):
        costs(small, array, wasteful)
