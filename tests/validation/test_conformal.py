"""Ends of intervals that hold a share of further groups, whatever their distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st

from costmodel.formats import FLOAT32
from costmodel_validation.fits.conformal import Vector, promised_ends
from costmodel_validation.fits.fitting import Conditions, CrossValidation, Fit, RuntimeFit

POSITIVE = st.floats(0.01, 100)


def test_groups_of_one_row_give_order_statistics() -> None:
    ratios = np.arange(1.0, 20.0)
    low, high = promised_ends(ratios, [str(one) for one in ratios])
    assert high == 18  # the 18th of 19: 0.9 x 20
    assert low == 2


def test_fewer_than_nine_groups_promise_nothing() -> None:
    ratios = np.linspace(0.5, 2.0, 80)
    assert promised_ends(ratios, [str(place % 8) for place in range(80)]) == (0.0, np.inf)
    _, high = promised_ends(ratios, [str(place % 9) for place in range(80)])
    assert high == 2.0


def test_nothing_has_no_ends() -> None:
    with pytest.raises(ValueError, match="at least one group"):
        promised_ends([], [])


@given(st.lists(st.tuples(st.sampled_from("abcdefghijkl"), POSITIVE), min_size=1))
def test_rows_that_are_repeated_change_nothing(rows: list[tuple[str, float]]) -> None:
    names, ratios = zip(*rows, strict=True)
    assert promised_ends(ratios * 2, names * 2) == promised_ends(ratios, names)


@given(st.lists(st.tuples(st.sampled_from("abcdefghijkl"), POSITIVE), min_size=1))
def test_ends_of_inverse_ratios_change_places(rows: list[tuple[str, float]]) -> None:
    names, ratios = zip(*rows, strict=True)
    low, high = promised_ends(ratios, names)
    other_low, other_high = promised_ends([1 / one for one in ratios], names)
    with np.errstate(divide="ignore"):
        assert other_high == pytest.approx(np.divide(1.0, low), rel=1e-12, abs=0)
        assert other_low == pytest.approx(np.divide(1.0, high), rel=1e-12, abs=0)


@pytest.mark.parametrize("groups", [9, 11, 30])
def test_a_further_group_is_inside_as_often_as_promised(groups: int) -> None:
    """Groups of unlike sizes and spreads, with heavy tails."""
    random = np.random.default_rng(groups)
    above, below = 0, 0
    trials = 2000
    for _ in range(trials):
        sizes = random.integers(1, 12, groups + 1)
        rows = [
            np.exp(random.standard_t(2) + random.exponential() * random.normal(size=size))
            for size in sizes
        ]
        names = np.repeat(np.arange(groups), sizes[:-1]).astype(str)
        low, high = promised_ends(np.concatenate(rows[:-1]), list(names))
        next_row = rows[-1][0]
        above += next_row > high
        below += next_row < low
    four_deviations = 4 * np.sqrt(0.1 * 0.9 / trials)
    assert above / trials <= 0.1 + four_deviations
    assert below / trials <= 0.1 + four_deviations


def fit_of(networks: CrossValidation, families: CrossValidation | None) -> RuntimeFit:
    """A fit with these ratios of what was left out."""
    figures = Fit({FLOAT32: (0.4, 0.3, 0.1, 1e-5, 1e-3)})
    count = len(set(networks.groups))
    return RuntimeFit(
        figures, count, networks, families, {FLOAT32: Conditions(count, (1, 1), 1e-3)}
    )


def left(ratios: Vector, groups: Sequence[str]) -> CrossValidation:
    """Ratios of what was left out, all in float32."""
    return CrossValidation(ratios, tuple(groups), (FLOAT32,) * len(ratios))


def test_an_interval_reaches_as_far_as_networks_and_families_promise() -> None:
    networks = left(np.linspace(0.9, 1.1, 19), tuple(map(str, range(19))))
    families = left(np.linspace(0.5, 1.4, 10), tuple(map(str, range(10))))
    found = fit_of(networks, families).residual(FLOAT32)
    assert (found.low, found.high) == pytest.approx((0.5, 1.4), rel=1e-12, abs=0)
    assert fit_of(networks, None).residual(FLOAT32).high == near(networks.ratios[17])


def test_where_nothing_can_be_promised_the_interval_holds_p10_to_p90() -> None:
    networks = left(np.linspace(0.9, 1.1, 8), tuple(map(str, range(8))))
    families = left(np.linspace(0.5, 1.4, 30), ("a", "b", "c") * 10)
    found = fit_of(networks, families).residual(FLOAT32)
    parts = [networks, *families.apart()]
    assert found.low == near(min(one.percentile(0.1) for one in parts))
    assert found.high == near(max(one.percentile(0.9) for one in parts))
