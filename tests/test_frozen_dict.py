"""Dictionaries that nobody changes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from costmodel.frozen_dict import FrozenDict

GIVEN = {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.__setitem__("a", 3),
        lambda held: held.__delitem__("a"),
        lambda held: held.__ior__({"c": 3}),
        lambda held: held.clear(),
        lambda held: held.pop("a"),
        lambda held: held.popitem(),
        lambda held: held.setdefault("c", 3),
        lambda held: held.update(c=3),
    ],
)
def test_it_cannot_be_changed(change: Callable[[Any], object]) -> None:
    held = FrozenDict(GIVEN)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(held)
    assert held == GIVEN


def sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # made right here


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, sent])
def test_it_can_be_copied_and_sent_elsewhere(again: Callable[[Any], Any]) -> None:
    held = again(FrozenDict(GIVEN))
    assert held == GIVEN
    assert type(held) is FrozenDict


def test_equal_ones_have_equal_hashes_whatever_their_order() -> None:
    other_way = FrozenDict(dict(reversed(GIVEN.items())))
    assert hash(FrozenDict(GIVEN)) == hash(other_way)
    assert {FrozenDict(GIVEN), other_way} == {FrozenDict(GIVEN)}


def test_what_it_holds_has_to_be_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(FrozenDict({"a": [1]}))


def test_what_is_made_of_it_can_be_changed() -> None:
    more = FrozenDict(GIVEN) | {"c": 3}
    more["d"] = 4
    assert more == {**GIVEN, "c": 3, "d": 4}
