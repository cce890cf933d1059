"""Predictions by fits that never saw what they predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from attrs import evolve
from worlds import REGISTRY

from costmodel.errors import UnknownNameError
from costmodel_validation.checking import Summary
from costmodel_validation.fits.fitting import FITTED, all_terms, full_speed
from costmodel_validation.fits.leaving_out import (
    borrowed_interval,
    by_runtime,
    left_out_summaries,
)
from costmodel_validation.measurements import Measurement, by_system, shipped_measurements

SYSTEMS = by_system(shipped_measurements())
COMPILED = "pytorch-compiled"
TRUE = (0.4, 0.3, 0.1, 1e-5, 1e-3)
"""Figures of `FITTED` that made-up times follow."""


def made_up(name: str, runtime: str, times: float = 1.0) -> list[Measurement]:
    """What was measured on a device in float32, with times that follow the law of `TRUE`."""
    assert len(TRUE) == len(FITTED)
    rows = [one for one in SYSTEMS[name, runtime] if one.format_name == "float32"]
    at_full_speed = full_speed(REGISTRY.device(name).with_runtime(runtime))
    terms = all_terms(at_full_speed, rows)
    return [
        evolve(row, seconds=times * one.seconds(TRUE)) for row, one in zip(rows, terms, strict=True)
    ]


def found(
    rows: Sequence[Measurement], part: str, names: Sequence[str] = ()
) -> dict[tuple[str, str], Summary]:
    summaries = left_out_summaries(rows, REGISTRY, part, names)
    return {(one.device, one.runtime): one for one in summaries}


@pytest.mark.parametrize(
    ("part", "device", "count"), [("networks", "pixel-3", 17), ("families", "raspberry-pi-4", 49)]
)
@pytest.mark.slow
def test_times_that_follow_the_law_are_predicted_unseen(part: str, device: str, count: int) -> None:
    (summary,) = found(made_up(device, "tflite"), part).values()
    assert summary.rows == count
    assert summary.median_error < 0.05


def test_one_network_that_differs_is_missed_where_it_is_left_out() -> None:
    rows = made_up("pixel-3", "tflite")
    odd = evolve(rows[0], seconds=10 * rows[0].seconds)
    (summary,) = found([odd, *rows[1:]], "networks").values()
    assert summary.inside < 1
    assert summary.p90 < 2
    assert summary.median_error < 0.1


def test_devices_without_a_common_format_are_not_compared() -> None:
    compiled = {system: rows[:10] for system, rows in SYSTEMS.items() if system[1] == COMPILED}
    assert {name for name, _ in compiled} > {"core-i7-12700h", "core-i9-10940x"}
    (together,) = by_runtime(compiled, REGISTRY)
    assert {name for name, _ in together} == {"rtx-4090", "rtx-5090", "rtx-pro-6000-max-q"}


@pytest.mark.slow
def test_a_device_that_is_left_out_has_its_own_peaks_and_the_shares_of_another() -> None:
    names = ("raspberry-pi-4", "a311d2", "jetson-agx-xavier-cpu")
    rows = [row for name in names for row in made_up(name, "tflite")]
    summaries = found(rows, "devices")
    assert [name for name, _ in summaries] == list(names)
    assert all(one.median_error < 0.05 for one in summaries.values())


@pytest.mark.slow
def test_the_lender_is_the_device_that_predicts_the_others_best() -> None:
    rows = [
        *made_up("raspberry-pi-4", "tflite"), *made_up("a311d2", "tflite"),
        *made_up("rk3588s", "tflite"), *made_up("jetson-agx-xavier-cpu", "tflite", times=8.0),
    ]  # fmt: skip
    summaries = found(rows, "devices")
    assert summaries["raspberry-pi-4", "tflite"].median_error < 0.05
    assert summaries["jetson-agx-xavier-cpu", "tflite"].median_error > 0.8


def test_a_board_is_predicted_by_the_shape_of_others_at_the_scale_of_its_other_networks() -> None:
    rows = [row for (_, runtime), some in SYSTEMS.items() if runtime == "hale" for row in some]
    slow = [
        evolve(row, seconds=100 * row.seconds) if row.device == "stm32u575" else row for row in rows
    ]
    before, after = (found(some, "devices", ["stm32u575"]) for some in (rows, slow))
    assert before.keys() == after.keys() == {("stm32u575", "hale")}
    assert after["stm32u575", "hale"].median_error == pytest.approx(
        before["stm32u575", "hale"].median_error, rel=1e-6, abs=0
    )


def test_few_networks_are_not_left_out() -> None:
    assert not found(SYSTEMS["quadro-k4000", "tensorflow"], "networks")


def test_a_device_without_measurements_cannot_be_left_out() -> None:
    with pytest.raises(UnknownNameError, match="device with measurements 'loihi'"):
        found(shipped_measurements(), "networks", ["loihi"])


def test_a_borrowed_interval_is_no_narrower_than_half_to_twice() -> None:
    assert borrowed_interval(np.ones(5)) == (0.5, 2.0)
    assert borrowed_interval(np.array([0.1] * 10 + [9.0] * 10)) == (0.1, 9.0)
