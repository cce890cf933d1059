"""The default accounting against an oracle that moves every word, and by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, mappings, nest
from spatial.moving_words import moved

from costmodel_hardware.spatial.counting.accounting import costs


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
