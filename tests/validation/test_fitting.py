"""Fits: known figures are found again, and what was left out is predicted by the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import REGISTRY

from costmodel import CostModelError
from costmodel.formats import FLOAT32, parse_format
from costmodel_hardware.processor.device import Processor
from costmodel_validation.checking import checked, rank_correlation
from costmodel_validation.fits.fitting import (
    FITTED,
    Conditions,
    CrossValidation,
    Fit,
    RuntimeFit,
    fit_runtime,
    fitted,
    full_speed,
    left_out,
    terms_of,
)
from costmodel_validation.measurements import Measurement, by_system, shipped_measurements

INT8 = parse_format("int8")

SYSTEMS = by_system(shipped_measurements())


def processor(name: str, runtime: str) -> Processor:
    found = REGISTRY.device(name).with_runtime(runtime)
    assert isinstance(found, Processor)
    return found


@pytest.mark.parametrize(
    ("name", "runtime"),
    [("raspberry-pi-4", "tflite"), ("stm32l4r5", "x-cube-ai-9.0"), ("rtx-3090", "pytorch-eager")],
)
def test_terms_give_the_time_that_the_device_itself_predicts(name: str, runtime: str) -> None:
    device = processor(name, runtime)
    at_full_speed = full_speed(device)
    for measured in SYSTEMS[name, runtime][::12]:
        number = measured.scenario.default_format
        figures = [getattr(device, one)[number].value for one in FITTED]
        predicted = terms_of(at_full_speed, measured).seconds(figures)
        assert predicted == pytest.approx(checked(device, measured).seconds, rel=1e-9, abs=0)


def synthetic(figures: tuple[float, ...]) -> tuple[list[Any], list[float]]:
    """Networks that a Raspberry Pi would take so long for, had it these figures."""
    at_full_speed = full_speed(processor("raspberry-pi-4", "tflite"))
    rows = [one for one in SYSTEMS["raspberry-pi-4", "tflite"] if one.format_name == "float32"]
    terms = [terms_of(at_full_speed, one) for one in rows[::2]]
    return terms, [one.seconds(figures) for one in terms]


@pytest.mark.slow
@settings(max_examples=5)
@given(
    st.tuples(
        st.floats(0.1, 0.9), st.floats(0.1, 1.0), st.floats(0.05, 0.5), st.floats(1e-6, 1e-4),
        st.floats(1e-4, 5e-3),
    )
)  # fmt: skip
def test_a_fit_predicts_times_that_follow_the_law(figures: tuple[float, ...]) -> None:
    terms, seconds = synthetic(figures)
    fit = fitted(terms, seconds)
    errors = [abs(fit.seconds(one) / time - 1) for one, time in zip(terms, seconds, strict=True)]
    assert max(errors) < 0.05


def test_one_wrong_measurement_hardly_changes_a_fit() -> None:
    terms, seconds = synthetic((0.4, 0.3, 0.1, 1e-5, 1e-3))
    disturbed = [seconds[0] * 10, *seconds[1:]]
    fit = fitted(terms, disturbed)
    errors = [
        abs(fit.seconds(one) / time - 1) for one, time in zip(terms[1:], seconds[1:], strict=True)
    ]
    assert np.median(errors) < 0.02


@pytest.mark.slow
def test_figures_that_are_known_are_not_fitted() -> None:
    terms, seconds = synthetic((0.4, 0.3, 0.1, 1e-5, 1e-3))
    fit = fitted(terms, seconds, {"overhead_per_call": 1e-3, "efficiency": 0.4})
    assert fit.figures[FLOAT32][0] == 0.4
    assert fit.figures[FLOAT32][4] == 1e-3


def test_what_is_left_out_is_predicted_by_the_others() -> None:
    terms, seconds = synthetic((0.4, 0.3, 0.1, 1e-5, 1e-3))
    groups = ["odd" if place == 3 else f"network {place % 4}" for place in range(len(terms))]
    seen: list[int] = []

    def fit(some: Any, times: Any) -> Fit:
        seen.append(len(some))
        return Fit({FLOAT32: (0.4, 0.3, 0.1, 1e-5, 1e-3)})

    twice = [time * (2 if name == "odd" else 1) for time, name in zip(seconds, groups, strict=True)]
    found = left_out(terms, twice, groups, fit)
    assert len(seen) == 5
    assert max(seen) == len(terms) - 1
    by_group = dict(zip(found.groups, found.ratios, strict=True))
    assert by_group["odd"] == pytest.approx(2, abs=0)
    assert by_group["network 0"] == pytest.approx(1, abs=0)


def test_one_kind_alone_cannot_be_left_out() -> None:
    terms, seconds = synthetic((0.4, 0.3, 0.1, 1e-5, 1e-3))
    with pytest.raises(CostModelError, match="at least 2 kinds to leave one out"):
        left_out(terms, seconds, ["one"] * len(terms))


def test_nothing_cannot_be_fitted() -> None:
    with pytest.raises(CostModelError, match="expected measurements to fit, found none"):
        fitted([], [])


def test_a_format_that_nobody_measured_is_not_predicted() -> None:
    terms, seconds = synthetic((0.4, 0.3, 0.1, 1e-5, 1e-3))
    fit = fitted(terms[:6], seconds[:6])
    with pytest.raises(CostModelError, match="nothing was measured in int8"):
        fit.seconds(evolve(terms[0], number=parse_format("int8")))


def test_a_device_of_another_class_is_not_fitted() -> None:
    with pytest.raises(CostModelError, match="expected class 'processor', found 'per-operation'"):
        full_speed(REGISTRY.device("cpu"))


def test_a_network_that_has_no_price_cannot_be_fitted() -> None:
    (row,) = [one for one in SYSTEMS["pixel-4", "tflite"] if one.format_name == "float32"][:1]
    wrong = evolve(row, scenario=evolve(row.scenario, default_format="float64"))
    with pytest.raises(CostModelError, match="has no price"):
        terms_of(full_speed(processor("pixel-4", "tflite")), wrong)


def test_each_system_may_take_a_multiple_of_the_times_of_one_shape() -> None:
    terms, seconds = synthetic((0.4, 0.3, 0.1, 1e-5, 1e-3))
    systems = [place % 3 for place in range(len(terms))]
    times = [time * 2**one for time, one in zip(seconds, systems, strict=True)]
    fit = fitted(terms, times, {"overhead_per_call": 1e-3, "overhead_per_operator": 1e-5}, systems)
    ratios = [time / fit.seconds(one) for one, time in zip(terms, times, strict=True)]
    for number in range(3):
        own = np.array([x for x, one in zip(ratios, systems, strict=True) if one == number])
        assert own == pytest.approx(own.mean(), rel=0.05, abs=0)


def test_an_interval_holds_the_family_that_was_predicted_worst() -> None:
    (one,) = [x for x in SYSTEMS["pixel-4", "tflite"] if x.format_name == "float32"][:1]
    fit = Fit({FLOAT32: (0.4, 0.3, 0.1, 1e-5, 1e-3)})
    networks = CrossValidation(np.ones(20), ("a",) * 20, (FLOAT32,) * 20)
    ratios, names = np.array([1.0] * 90 + [3.0] * 5), ("usual",) * 90 + ("odd",) * 5
    families = CrossValidation(ratios, names, (FLOAT32,) * 95)
    conditions = {FLOAT32: Conditions(20, (1, 1), one.seconds)}
    found = RuntimeFit(fit, 20, networks, families, conditions).residual(FLOAT32)
    assert (found.low, found.high) == (1.0, 3.0)
    assert (found.batches, found.formats, found.shortest) == ((1, 1), (FLOAT32,), one.seconds)


def test_the_interval_of_a_format_is_that_of_its_own_rows() -> None:
    """Each format has figures of its own, so that the error of one says nothing of another."""
    fit = Fit(dict.fromkeys((FLOAT32, INT8), (0.4, 0.3, 0.1, 1e-5, 1e-3)))
    formats = (FLOAT32,) * 20 + (INT8,) * 20
    ratios = np.concatenate([np.linspace(0.9, 1.1, 20), np.linspace(0.5, 3, 20)])
    networks = CrossValidation(ratios, tuple(map(str, range(8))) * 5, formats)
    conditions = dict.fromkeys((FLOAT32, INT8), Conditions(20, (1, 1), 1e-3))
    found = RuntimeFit(fit, 40, networks, None, conditions)
    for number, rows in ((FLOAT32, ratios[:20]), (INT8, ratios[20:])):
        ends = found.residual(number).low, found.residual(number).high
        assert ends == pytest.approx(tuple(np.quantile(rows, [0.1, 0.9])), rel=1e-12, abs=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "runtime", "networks", "families"),
    [
        ("raspberry-pi-4", "tflite", 0.08, 0.20),
        ("jetson-agx-xavier-cpu", "tflite", 0.08, 0.20),
        ("a311d2", "tflite", 0.08, 0.20),
        ("raspberry-pi-4", "armnn", 0.08, 0.20),
        ("mali-g610-mp4", "armnn", 0.10, 0.20),
        ("mali-g52-mp8", "armnn", 0.10, 0.20),
        ("rtx-3090", "pytorch-eager", 0.08, 0.20),
    ],
)
def test_the_error_on_what_was_left_out_stays_within_the_aim(
    name: str, runtime: str, networks: float, families: float
) -> None:
    found = fit_runtime(processor(name, runtime), SYSTEMS[name, runtime])
    assert found.by_network.median_error <= networks
    assert found.by_family is not None
    assert found.by_family.median_error <= families


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 2, 2, 3], [1, 2, 2, 3], 1.0),
        ([1, 2], [1, 2], None),
        ([1, 1, 1], [1, 2, 3], None),
    ],
)
def test_the_rank_correlation_is_that_of_spearman(
    first: list[float], second: list[float], expected: float | None
) -> None:
    found = rank_correlation(first, second)
    assert found == expected if expected is None else found == pytest.approx(expected, abs=1e-12)


def test_a_measurement_of_several_examples_has_the_energy_of_all() -> None:
    (one, *_) = SYSTEMS["quadro-k4000", "tensorflow"]
    assert isinstance(one, Measurement)
    assert one.energy_joules == pytest.approx(one.power_watts * one.seconds, abs=0)  # type: ignore[operator]
