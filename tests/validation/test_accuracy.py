"""The page about accuracy is what the measurements and the devices say."""

from __future__ import annotations

import math
import operator
import statistics
from importlib.resources import files
from pathlib import Path

import pytest
from worlds import REGISTRY

from costmodel import CostModelError
from costmodel_validation import accuracy
from costmodel_validation.accuracy import (
    PREDICTED_TABLE,
    devices_page,
    left_out_rows,
    page,
    predicted_table,
    read_predictions,
    unfitted_measurements,
)
from costmodel_validation.checking import (
    Checked,
    conditions_of,
    one_of_each,
    predictions,
    systems,
)
from costmodel_validation.measurements import by_system, shipped_measurements

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
STALE = "run python validation/write_accuracy.py"


@pytest.mark.slow  # what entered no fit, and the silicon, are predicted for it
def test_the_page_about_accuracy_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(REGISTRY), STALE


@pytest.mark.slow
def test_the_predictions_of_the_page_are_those_of_the_devices() -> None:
    """Every seventh of each device and runtime, from the first on; all take many minutes."""
    written, sample = read_predictions(), {}
    for of_system in by_system(one_of_each(shipped_measurements()).values()).values():
        sample.update({conditions_of(one): one for one in of_system[::7]})
    assert len(sample) > len(written) / 7
    for conditions, found in predictions(sample, REGISTRY).items():
        expected = written[conditions]
        assert figures(found) == pytest.approx(figures(expected), rel=1e-5, abs=0, nan_ok=True), (
            conditions, STALE,
        )  # fmt: skip


def figures(one: Checked) -> tuple[float, ...]:
    energy = math.nan if one.energy_joules is None else one.energy_joules
    return one.seconds, one.seconds_low, one.seconds_high, energy


def test_a_table_of_predictions_is_read_as_it_was_written() -> None:
    written = (files("costmodel_validation") / PREDICTED_TABLE).read_text(encoding="utf-8")
    assert predicted_table(read_predictions()) == written


def test_predictions_of_other_measurements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = shipped_measurements()[1:]
    monkeypatch.setattr(accuracy, "shipped_measurements", lambda: fewer)
    with pytest.raises(CostModelError, match=r"predicted\.csv: expected a row for each system"):
        read_predictions()


def test_the_page_about_devices_is_up_to_date() -> None:
    file = PAGE.with_name("devices.md")
    assert file.read_text(encoding="utf-8") == devices_page(REGISTRY), "write_accuracy.py"


@pytest.fixture(scope="module")
def unfitted() -> tuple[Checked, ...]:
    """What entered no fit, beside its prediction."""
    return tuple(
        [row for system in systems(unfitted_measurements(), REGISTRY) for row in system.rows]
    )


@pytest.mark.slow
def test_devices_that_were_never_fitted_are_predicted_within_their_interval(
    unfitted: tuple[Checked, ...],
) -> None:
    fitted = {(one.device, one.runtime) for one in shipped_measurements()}
    rows = [
        row for row in unfitted
        if (row.measurement.device, row.measurement.runtime) not in fitted
    ]  # fmt: skip
    assert {row.measurement.device for row in rows} == {
        "a40", "quadro-rtx-8000", "rtx-3080-ti", "rtx-4090",
    }  # fmt: skip
    assert all(row.is_inside for row in rows)
    missed = {(row.measurement.device, row.measurement.network) for row in rows if row.error >= 0.3}
    assert missed == {("quadro-rtx-8000", "ssd_resnet34_1200")}


@pytest.mark.slow
def test_what_no_fit_took_is_outside_its_interval_where_the_page_says_why(
    unfitted: tuple[Checked, ...],
) -> None:
    outside = [row.measurement for row in unfitted if not row.is_inside]
    assert {(one.network, one.scenario.batch) for one in outside} == {
        ("bert_large_squad", 256),  # 195 samples a second on a T4, where 430 were expected
        ("retinanet_resnext50_800", 1),  # with the suppression of boxes
    }


def test_intervals_hold_what_was_left_out_and_are_no_wider_than_a_factor_of_two() -> None:
    for part in ("networks", "families"):
        rows = [one for one in left_out_rows() if one[0] == part]
        counts = [int(one[3]) for one in rows]
        inside = [float(one[7].rstrip("%")) / 100 for one in rows]
        assert sum(map(operator.mul, inside, counts)) / sum(counts) >= 0.8, part
    widths = [float(one[8]) for one in left_out_rows() if one[0] == "networks"]
    assert statistics.median(widths) <= 2


@pytest.mark.parametrize("runtime", ["pytorch-eager", "pytorch-eager-nchw", "pytorch-compiled"])
def test_where_many_families_were_measured_a_further_one_is_inside(runtime: str) -> None:
    rows = [one for one in left_out_rows() if one[0] == "families" and one[2] == runtime]
    assert rows
    for row in rows:
        assert float(row[7].rstrip("%")) >= 80, row
