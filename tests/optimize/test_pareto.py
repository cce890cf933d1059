"""Pareto fronts against a brute-force oracle."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel.optimize.pareto import front, hypervolume, knee, ranks

FEW = st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.5, math.inf, -math.inf, math.nan])
"""Values that are often equal."""
ANY = st.floats(-1e3, 1e3, allow_nan=False) | FEW


def tables(values: Any = ANY, most: Any = 25, objectives: Any = range(1, 6)) -> Any:
    return st.sampled_from(objectives).flatmap(
        lambda width: st.lists(st.lists(values, min_size=width, max_size=width), max_size=most).map(
            lambda rows: np.array(rows, dtype=float).reshape(len(rows), width)
        )
    )


def dominates(one: Any, other: Any) -> Any:
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(
        a < b for a, b in zip(one, other, strict=True)
    )


def is_known(row: Any) -> Any:
    return not any(math.isnan(one) for one in row)


def oracle(rows: Any) -> Any:
    rows = [tuple(row) for row in rows.tolist()]
    return [is_known(row) and not any(dominates(one, row) for one in rows) for row in rows]


@given(tables())
def test_a_front_is_that_of_brute_force(rows: Any) -> None:
    assert front(rows).tolist() == oracle(rows)


@given(tables(FEW, most=60))
def test_a_front_is_that_of_brute_force_where_many_values_are_equal(rows: Any) -> None:
    assert front(rows).tolist() == oracle(rows)


@given(tables(st.integers(0, 5), most=150, objectives=[3, 4]))
def test_a_front_of_many_designs_is_that_of_brute_force(rows: Any) -> None:
    assert front(rows).tolist() == oracle(rows)


@given(tables())
def test_a_maximised_objective_is_a_minimised_one_of_the_other_sign(rows: Any) -> None:
    flipped = rows.copy()
    flipped[:, -1] *= -1.0
    last = rows.shape[1] - 1
    assert front(rows, maximize=[last]).tolist() == oracle(flipped)


@given(tables(most=20))
def test_ranks_are_those_of_peeling_by_brute_force(rows: Any) -> None:
    expected = [-1] * len(rows)
    left = [place for place in range(len(rows)) if is_known(rows[place])]
    rank = 0
    while left:
        best = [p for p, is_best in zip(left, oracle(rows[left]), strict=True) if is_best]
        for place in best:
            expected[place] = rank
        left = [place for place in left if place not in best]
        rank += 1
    assert ranks(rows).tolist() == expected


SMALL = st.integers(0, 5)


@given(tables(SMALL, most=8, objectives=[1, 2, 3, 4]))
def test_a_hypervolume_of_whole_numbers_counts_cells(rows: Any) -> None:
    width = rows.shape[1]
    cells = itertools.product(range(5), repeat=width)
    expected = sum(any((row <= cell).all() for row in rows) for cell in cells)
    assert hypervolume(rows, [5.0] * width) == pytest.approx(expected, rel=1e-12, abs=0)


@given(tables(st.floats(0, 1), most=8, objectives=[1, 2, 3, 4]))
def test_a_hypervolume_is_that_of_inclusion_and_exclusion(rows: Any) -> None:
    end = np.full(rows.shape[1], 2.0)
    expected = math.fsum(
        (-1) ** (size + 1) * math.prod(end - np.max([rows[p] for p in chosen], axis=0))
        for size in range(1, len(rows) + 1)
        for chosen in itertools.combinations(range(len(rows)), size)
    )
    assert hypervolume(rows, end) == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_hypervolume_of_maximised_objectives_is_measured_from_below() -> None:
    values = [[3.0, 1.0], [1.0, 3.0], [0.0, 9.0]]
    assert hypervolume(values, [0.0, 0.0], maximize=[0, 1]) == pytest.approx(5.0, abs=0)
    assert hypervolume([[1.0, 3.0]], [4.0, 1.0], maximize=[1]) == pytest.approx(6.0, abs=0)


def test_a_knee_is_where_the_front_bends_most() -> None:
    assert knee([[0.0, 10.0], [1.0, 1.0], [10.0, 0.0], [5.0, 5.0]]) == 1


def test_a_knee_of_equal_designs_is_the_first() -> None:
    assert knee([[math.nan, 0.0], [1.0, 1.0], [1.0, 1.0]]) == 1


@pytest.mark.parametrize("rows", [np.zeros((0, 2)), [[math.nan, 1.0]]])
def test_where_nothing_is_comparable_there_is_no_front(rows: Any) -> None:
    assert not front(rows).any()
    assert knee(rows) is None
    assert (ranks(rows) == -1).all()
    assert hypervolume(rows, [1.0, 1.0]) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: front([1.0, 2.0]), r"shape \(designs, objectives\), found \(2,\)"),
        (lambda: front(np.zeros((3, 0))), r"found \(3, 0\)"),
        (lambda: front([[1.0, 2.0]], maximize=[2]), "from 0 to 1, found 2"),
        (lambda: hypervolume([[1.0, 2.0]], [1.0]), "expected 2 finite numbers"),
        (lambda: hypervolume([[1.0, 2.0]], [1.0, math.inf]), "expected 2 finite numbers"),
    ],
)
def test_values_that_make_no_sense_are_refused(call: Any, message: Any) -> None:
    with pytest.raises(CostModelError, match=message):
        call()
