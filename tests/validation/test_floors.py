"""What the measurements themselves allow: shortest batches, a learner, hindsight."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import evolve
from worlds import REGISTRY

from costmodel_validation.fits.fitting import (
    FOLDS,
    Terms,
    all_terms,
    fitted,
    full_speed,
    left_out,
)
from costmodel_validation.fits.floors import (
    Floor,
    floors,
    floors_table,
    inverted,
    learned,
    read_floors,
    sublinear,
    two_speeds,
)
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


def made_up() -> tuple[list[Terms], np.ndarray, list[str]]:
    """Networks of a Raspberry Pi in float32, their times by the law of the model, and names."""
    rows = [one for one in SYSTEMS[BOARD] if one.format_name == "float32"]
    terms = all_terms(full_speed(REGISTRY.device(BOARD[0]).with_runtime(BOARD[1])), rows)
    seconds = np.array([one.seconds((0.4, 0.3, 0.1, 1e-5, 1e-3)) for one in terms])
    return terms, seconds, [one.network for one in rows]


@pytest.mark.slow
def test_times_that_grow_with_a_power_of_the_sum_are_followed() -> None:
    terms, seconds, names = made_up()
    times = list(0.01 * (seconds / 0.01) ** 0.75)
    fixed = left_out(terms, times, names, fitted, FOLDS)
    found = left_out(terms, times, names, sublinear, FOLDS)
    assert found.median_error < 0.02
    assert found.median_error < fixed.median_error / 2


@pytest.mark.slow
def test_a_second_speed_of_networks_with_much_arithmetic_is_found() -> None:
    terms, seconds, names = made_up()
    work = np.array([one.arithmetic @ one.times for one in terms])
    times = list(np.where(work > np.quantile(work, 0.7), 0.5, 1.0) * seconds)
    assert left_out(terms, times, names, fitted, FOLDS).median_error > 0.1
    assert left_out(terms, times, names, two_speeds, FOLDS).median_error < 0.05


@pytest.mark.slow
def test_one_speed_is_kept_where_there_is_one() -> None:
    terms, seconds, names = made_up()
    assert left_out(terms, list(seconds), names, two_speeds, FOLDS).median_error < 0.02
    assert left_out(terms, list(seconds), names, sublinear, FOLDS).median_error < 0.02


def test_pairs_are_inverted_where_more_work_takes_less_time() -> None:
    terms, seconds, _ = made_up()
    assert inverted(terms, list(seconds)) == 0
    assert inverted(terms, list(1 / seconds)) == 1
    assert 0 < inverted(terms, [*seconds[:-1], 1e-9]) < 0.2
    assert inverted(terms[:1], [1.0]) == 0


def test_the_same_rows_of_two_families_are_missed_by_a_board_with_the_same_core() -> None:
    found = read_floors()["few"]
    few, alike = found["rk3399", "armnn"], found["raspberry-pi-4", "armnn"]
    assert few["rows"] == alike["rows"] == 19
    wanted = {(one.network, one.format_name) for one in SYSTEMS["rk3399", "armnn"]}
    rows = [
        one for one in SYSTEMS["raspberry-pi-4", "armnn"]
        if (one.network, one.format_name) in wanted
    ]  # fmt: skip
    terms = all_terms(full_speed(REGISTRY.device("raspberry-pi-4").with_runtime("armnn")), rows)
    again = left_out(terms, [one.seconds for one in rows], [one.family for one in rows])
    assert again.median_error == pytest.approx(alike["families_same"], rel=1e-3, abs=0)
    assert alike["families_same"] > 2 * alike["families_all"]
    assert abs(alike["families_same"] - few["families_same"]) < 0.05


def test_clocks_are_chosen_by_the_other_systems() -> None:
    found = read_floors()["clocks"]
    laws = ("fixed", "sublinear", "two_speeds")
    parts = ("networks", "families")
    for system, figures in found.items():
        others = [one for name, one in found.items() if name != system]
        best = min(
            laws,
            key=lambda law: np.mean([
                np.log(one[f"{law}_{part}"])
                for one in others for part in parts if f"{law}_{part}" in one
            ]),
        )  # fmt: skip
        for part in parts:
            assert figures.get(f"nested_{part}") == figures.get(f"{best}_{part}"), system
