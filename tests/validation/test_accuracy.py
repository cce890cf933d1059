"""The page about accuracy is what the measurements and the devices say."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import REGISTRY

from costmodel_validation.accuracy import devices_page, page, unfitted_measurements
from costmodel_validation.checking import systems

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"


@pytest.mark.slow
def test_the_page_about_accuracy_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(REGISTRY), "python validation/write_accuracy.py"


def test_the_page_about_devices_is_up_to_date() -> None:
    file = PAGE.with_name("devices.md")
    assert file.read_text(encoding="utf-8") == devices_page(REGISTRY), "write_accuracy.py"


def test_devices_that_were_never_fitted_are_predicted_within_their_interval() -> None:
    rows = [row for system in systems(unfitted_measurements(), REGISTRY) for row in system.rows]
    assert {row.measurement.device for row in rows} == {
        "a40", "quadro-rtx-8000", "rtx-3080-ti", "rtx-4090",
    }  # fmt: skip
    assert all(row.is_inside for row in rows)
    assert max(row.error for row in rows) < 0.3
