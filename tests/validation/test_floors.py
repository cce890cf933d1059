"""What the measurements themselves allow: shortest batches, a learner, hindsight."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import evolve
from worlds import REGISTRY

from costmodel_validation.fits.fitting import all_terms, full_speed, left_out
from costmodel_validation.fits.floors import Floor, floors, floors_table, learned, read_floors
from costmodel_validation.measurements import by_system, shipped_measurements

SYSTEMS = by_system(shipped_measurements())
BOARD = "raspberry-pi-4", "tflite"


def test_a_learner_predicts_networks_like_those_that_it_saw() -> None:
    rows = [one for one in SYSTEMS[BOARD] if one.format_name == "float32"]
    terms = all_terms(full_speed(REGISTRY.device(BOARD[0]).with_runtime(BOARD[1])), rows)
    seconds = [one.seconds for one in rows]
    found = left_out(terms, seconds, [one.network for one in rows], learned, 5)
    assert found.median_error < 0.1
    seen = learned(terms, seconds)
    again = [seen.seconds(one) / time for one, time in zip(terms, seconds, strict=True)]
    assert np.median(np.abs(np.log(again))) < 0.05


def test_a_learner_corrects_what_predicts_first() -> None:
    rows = [one for one in SYSTEMS[BOARD] if one.format_name == "float32"]
    terms = all_terms(full_speed(REGISTRY.device(BOARD[0]).with_runtime(BOARD[1])), rows)
    base = learned(terms, [one.seconds for one in rows])
    twice = learned(terms, [2 * base.seconds(one) for one in terms], base)  # type: ignore[arg-type]  # it predicts
    assert twice.seconds(terms[0]) == pytest.approx(2 * base.seconds(terms[0]), rel=1e-3, abs=0)


def test_repeated_measurements_have_a_scatter() -> None:
    (row, *_) = SYSTEMS["quadro-k4000", "tensorflow"]
    rows = [evolve(row, seconds=seconds) for seconds in [1.0] * 6 + [1.1] * 5 + [2.0]]
    found = {one.figure: one.value for one in floors(rows, REGISTRY) if one.subject == "repeats"}
    assert found["rows"] == 12
    assert found["longest_over_shortest"] == 2
    assert 0 < found["scatter"] < 0.1


def test_a_table_of_yardsticks_is_read_as_it_was_written() -> None:
    text = floors_table([Floor("runs", "board", "tflite", "scatter", 0.12345)])
    head, row = text.splitlines()
    assert head == "subject,device,runtime,figure,value"
    assert row.startswith("runs,board,tflite,scatter,0.123")


def test_the_shipped_yardsticks_show_that_disturbed_runs_cause_the_misses() -> None:
    runs = read_floors()["runs"]
    for system in (("rk3399", "tflite"), ("rk3588s", "tflite"), ("a311d2", "armnn")):
        assert runs[system]["networks_shortest"] <= 0.08
    assert runs["rk3588s", "tflite"]["rank_shortest"] >= 0.95
