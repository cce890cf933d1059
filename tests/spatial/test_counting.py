"""The default accounting against an oracle that moves every word, and by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, level, mappings, nest
from spatial.moving_words import moved

import costmodel
from costmodel_hardware.spatial.architecture import SLOTS, Architecture
from costmodel_hardware.spatial.counting.accounting import costs
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Loop


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


def test_sums_that_no_other_instance_adds_to_are_complete() -> None:
    """Taps 0 and 2 of a transposed convolution of stride 2 reach even results, tap 1 odd ones."""
    small = nest(costmodel.conv_transpose((1, 1, 4), (1, 1, 3), stride=2))
    levels = [level("sums", ("output",), per=["units"]), level("dram", SLOTS)]
    array = Architecture(name="array", axes={"units": 2}, levels=levels)
    for cut in range(3):
        cuts: dict[str, tuple[int, ...]] = {"input": (), "weight": (), "output": (cut,)}
        mapping = Mapping({"units": [("r", 2)]}, [("r", 2), ("p", 4)], cuts)
        bits: Counter[tuple[str, str, str]] = Counter()
        for one in costs(small, array, mapping).transfers:
            bits[one.operand, one.level, one.flow] += one.bits
        assert +bits == +moved(small, array, mapping).bits
        ups = 4 + 4 + 1  # of 12 sums, three are continued, and written as partial sums before
        partial = 12 - ups if cut < 2 else 0
        assert bits["output", "dram", "write_from_below"] == 8 * ups + 32 * partial


@given(st.data())
def test_words_of_ragged_tiles_are_those_of_the_oracle(data: Any) -> None:
    """A loop in time may be longer than its dimension needs: its last steps have less work."""
    architecture = data.draw(architectures())
    small = nest(data.draw(contractions()))
    mapping = data.draw(mappings(small, architecture))
    assume(mapping.temporal)
    longer = list(mapping.temporal)
    place = data.draw(st.integers(0, len(longer) - 1))
    longer[place] = Loop(longer[place].dim, longer[place].size + 1)
    ragged = evolve(mapping, temporal=longer)
    words: Counter[tuple[str, str, str]] = Counter()
    for one in costs(small, architecture, ragged).transfers:
        words[one.operand, one.level, one.flow] += one.words
    assert +words == +moved(small, architecture, ragged).words


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
