"""Fronts under figures that move within ranges, against brute force over corners and grids."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel.optimize import pareto, robust
from costmodel.optimize.robust import LinearCosts, safe, unbeaten

WHOLE = st.integers(-3, 3).map(float)
"""Small whole numbers: sums of them are exact, and often equal."""


@st.composite
def costs(draw: Any, figures: Any = (0, 1, 2, 3), objectives: Any = (1, 2, 3)) -> Any:
    designs = draw(st.integers(0, 12))
    width, count = draw(st.sampled_from(objectives)), draw(st.sampled_from(figures))

    def drawn(*shape: int) -> Any:
        numbers = draw(st.lists(WHOLE, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        return np.array(numbers, dtype=float).reshape(shape)

    low = drawn(count)
    high = low + np.abs(drawn(count))
    return LinearCosts(drawn(designs, width), drawn(designs, width, count), low, high)


def corners(found: Any) -> Any:
    return itertools.product(*zip(found.low, found.high, strict=True))


def grid(found: Any, points: Any = 5) -> Any:
    spans = zip(found.low, found.high, strict=True)
    return itertools.product(*[np.linspace(low, high, points) for low, high in spans])


def beats(found: Any, one: Any, other: Any) -> Any:
    values = [found.at(corner) for corner in corners(found)]
    not_worse = all((value[one] <= value[other]).all() for value in values)
    return not_worse and any((value[one] < value[other]).any() for value in values)


def brute_unbeaten(found: Any) -> Any:
    designs = range(len(found.constants))
    return [not any(beats(found, rival, one) for rival in designs) for one in designs]


@given(costs())
def test_unbeaten_designs_are_those_of_brute_force_over_corners(found: Any) -> None:
    assert unbeaten(found).tolist() == brute_unbeaten(found)


@given(found=costs())
def test_pairs_are_compared_alike_where_figures_are_many(found: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robust, "_FEW", -1)
        assert unbeaten(found).tolist() == brute_unbeaten(found)


@given(costs(objectives=(1,)))
def test_safe_designs_of_one_objective_are_on_the_front_at_every_corner(found: Any) -> None:
    on_all = [pareto.front(found.at(corner)) for corner in corners(found)]
    assert safe(found).tolist() == np.all(on_all, axis=0).tolist()


@given(costs(figures=(1,), objectives=(2, 3)))
def test_safe_designs_are_those_that_no_other_dominates_between_all_crossings(found: Any) -> None:
    """Along one figure, a front changes only where two designs cross in an objective."""
    low, high = found.low[0], found.high[0]
    crossings = {low, high}
    designs = range(len(found.constants))
    for one, other in itertools.combinations(designs, 2):
        level = found.constants[one] - found.constants[other]
        slope = found.coefficients[one, :, 0] - found.coefficients[other, :, 0]
        crossings |= {-a / b for a, b in zip(level, slope, strict=True) if b}
    inside = sorted(value for value in crossings if low <= value <= high)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(inside)]
    # A tie at a crossing is not exact, and it alone decides nothing of the middles.
    on_middles = np.all([pareto.front(found.at([v])) for v in [low, high, *middles]], axis=0)
    for is_safe, is_on, one in zip(safe(found), on_middles, designs, strict=True):
        if is_safe:
            assert is_on
        elif is_on:
            assert any(wins_at(found, rival, one, inside) for rival in designs)


def wins_at(found: Any, rival: Any, one: Any, values: Any) -> Any:
    """Whether a rival is as good in all objectives and better in one, crossings being ties."""
    for value in values:
        level = found.at([value])
        difference = np.round(level[rival] - level[one], 9)
        if (difference <= 0).all() and (difference < 0).any():
            return True
    return False


@given(costs())
def test_a_safe_design_is_on_the_front_at_all_points_of_a_grid(found: Any) -> None:
    on_all = np.all([pareto.front(found.at(point)) for point in grid(found)], axis=0)
    assert not (safe(found) & ~on_all).any()


@given(costs())
def test_safe_designs_are_unbeaten_and_a_front_inside_the_ranges_is_too(found: Any) -> None:
    left = unbeaten(found)
    assert not (safe(found) & ~left).any()
    inside = found.low + 0.25 * (found.high - found.low)
    assert not (pareto.front(found.at(inside)) & ~left).any()


@given(costs(figures=(0,)))
def test_without_figures_both_are_the_pareto_front(found: Any) -> None:
    front = pareto.front(found.constants).tolist()
    assert unbeaten(found).tolist() == front
    assert safe(found).tolist() == front


def test_a_figure_that_two_designs_share_moves_in_both() -> None:
    """The second takes 10 % more of the same figure: it costs more, whatever the figure is."""
    shared = LinearCosts([[0.0], [0.0]], [[[1.0]], [[1.1]]], [1.0], [2.0])
    assert unbeaten(shared).tolist() == [True, False]
    each_its_own = LinearCosts([[0.0], [0.0]], [[[1.0, 0.0]], [[0.0, 1.1]]], [1.0] * 2, [2.0] * 2)
    assert unbeaten(each_its_own).tolist() == [True, True]
    assert safe(each_its_own).tolist() == [False, False]


def test_a_maximised_objective_is_turned_around() -> None:
    found = LinearCosts([[1.0], [2.0]], [[[1.0]], [[1.0]]], [0.0], [1.0], maximize=[0])
    assert unbeaten(found).tolist() == [False, True]


def test_a_design_without_a_number_is_in_neither() -> None:
    found = LinearCosts([[np.nan], [2.0]], [[[1.0]], [[1.0]]], [0.0], [1.0])
    assert unbeaten(found).tolist() == [False, True]
    assert safe(found).tolist() == [False, True]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([[1.0]], [[1.0]], [0.0], [1.0]), "expected shapes"),
        (([[1.0]], [[[1.0]]], [1.0], [0.0]), "low <= high"),
        (([[1.0]], [[[1.0]]], [0.0], [np.inf]), "finite ranges"),
    ],
)
def test_shapes_and_ranges_that_make_no_sense_are_refused(given: Any, message: Any) -> None:
    with pytest.raises(CostModelError, match=message):
        LinearCosts(*given)
