"""Suggestions: a typo is found, and no name is better than a silly one."""

from __future__ import annotations

import pytest
import worlds

from costmodel.errors import nearest


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("keras.Con2D", "keras.Conv2D"),
        ("keras.conv2d", "keras.Conv2D"),
        ("acme.Conv2D", "keras.Conv2D"),
        ("Conv2D", "keras.Conv2D"),
        ("keras.Sofmax", "keras.Softmax"),
        ("keras.BatchNormalisation", "keras.BatchNormalization"),
        ("keras.Mamba", None),
        ("keras.Perceiver", None),
        ("keras.Hyena", None),
        ("keras.MixtureOfExperts", None),
        ("acme.OctaveConv", None),
        ("Mamba", None),
    ],
)
def test_the_nearest_kind_is_one_whose_own_name_is_near(asked: str, near: str | None) -> None:
    assert nearest(asked, worlds.RULES.by_kind) == near


def test_a_name_of_an_inner_model_is_found_by_its_last_part() -> None:
    assert nearest("d", ["inner/d", "first", "inner/e"]) == "inner/d"


def test_of_names_that_end_alike_the_one_alike_as_a_whole_is_nearest() -> None:
    known = ["block1/conv", "block2/conv", "block3/conv"]
    assert nearest("blok2/conv", known) == "block2/conv"


def test_of_names_that_are_equally_near_the_one_of_the_same_letters_is_nearest() -> None:
    assert nearest("rtx-4900", ["rtx-4060", "rtx-4080", "rtx-4090"]) == "rtx-4090"


@pytest.mark.parametrize("known", [("cpu1", "cpu2"), ("cpu2", "cpu1")])
def test_of_names_that_are_equally_near_the_first_in_the_alphabet_is_nearest(
    known: tuple[str, ...],
) -> None:
    assert nearest("cpu3", known) == "cpu1"


def test_a_letter_typed_twice_is_a_typo_however_short_the_name() -> None:
    assert nearest("aa", ["a", "b"]) == "a"


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert nearest("a", []) is None
