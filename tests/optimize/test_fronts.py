"""The Pareto front of a table of designs, its table, its page and its command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import DENSE, good, run
from figures import near
from worlds import REGISTRY

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.optimize.fronts import pareto
from costmodel.sweeps.space import DesignSpace
from costmodel.sweeps.sweeping import sweep
from costmodel.sweeps.table import Choices, SweepTable


def table(**changes: Any) -> SweepTable:
    """Six designs of an axis."""
    columns = {
        "energy": [1e-6, 2e-6, 3e-6, 4e-6, np.nan, 1e-9],
        "memory": [4e3, 2e3, 3e3, 1e3, 1.0, 1.0],
        "coverage": [1.0, 1.0, 1.0, 1.0, 1.0, 0.5],
        **changes,
    }
    choices = Choices(("int8", "int4", "int2"), np.array([0, 1, 2, 0, 1, 2]))
    return SweepTable({"weights": choices}, {key: np.array(one) for key, one in columns.items()})


def test_a_front_has_the_designs_that_no_other_beats_in_order() -> None:
    found = pareto(table(), ["energy", "memory"])
    assert found.places.tolist() == [0, 1, 3]
    assert found.best["weights"].tolist() == ["int8", "int4", "int8"]
    assert found.knee is not None
    assert found.knee["energy"] == near(2e-6)


def test_designs_without_a_number_or_with_less_coverage_are_left_out_and_counted() -> None:
    found = pareto(table(), ["energy", "memory"])
    assert found.left_out == 2
    assert "2 designs without a number, or with less coverage, are left out" in str(found)


def test_an_added_column_can_be_maximised() -> None:
    given = table(accuracy=[0.9, 0.8, 0.95, 0.5, 1.0, 1.0])
    found = pareto(given, "energy", maximize="accuracy")
    assert found.places.tolist() == [0, 2]
    assert "least energy, most accuracy" in found.title


def test_a_hypervolume_is_up_to_the_worst_or_a_reference() -> None:
    found = pareto(table(), ["energy", "memory"])
    assert found.hypervolume() == near(2e-6 * 2e3)
    reference = {"energy": 4e-6, "memory": 4e3}
    assert found.hypervolume(reference) == near(2e-6 * 2e3)
    assert found.hypervolume({"energy": 5e-6, "memory": 5e3}) > found.hypervolume()


def test_a_long_front_is_shown_in_part() -> None:
    count = 100
    given = SweepTable(
        {}, {"energy": np.arange(1, count + 1.0), "memory": np.arange(count, 0.0, -1)}
    )
    shown = pareto(given, ["energy", "memory"]).table(5)
    assert len(shown.rows) == 5
    assert shown.rows[0][0] == "1 J"
    assert shown.rows[-1][0] == "100 J"
    assert "5 of them are shown" in shown.notes[0]


@pytest.mark.parametrize(
    ("minimize", "maximize", "message"),
    [
        ("energi", (), "nearest known: 'energy'"),
        ("weights", (), "holds no numbers"),
        ((), (), "found none"),
        ("energy", "energy", "expected different objectives"),
    ],
)
def test_objectives_that_are_none_are_refused(minimize: Any, maximize: Any, message: str) -> None:
    with pytest.raises((CostModelError, UnknownNameError), match=message):
        pareto(table(), minimize, maximize)


def test_a_plot_has_two_objectives() -> None:
    with pytest.raises(CostModelError, match="a plot has two objectives"):
        pareto(table(), ["energy"]).to_html()


def test_a_page_shows_designs_and_loads_nothing() -> None:
    page = pareto(table(), ["energy", "memory"]).to_html()
    assert page.count("<circle") == 4
    assert "weights: int4" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_page_escapes_names() -> None:
    choices = Choices(("<b>", "int4", "int2"), np.array([0, 1, 2, 0, 1, 2]))
    page = pareto(SweepTable({"x": choices}, table().costs), ["energy", "memory"]).to_html()
    assert "<b>" not in page


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.0, 0.0], [1e-9, 1.0], [-1.0, 2.0], [np.nan] * 2])
def test_a_page_is_drawn_whatever_the_values(values: Any) -> None:
    made = SweepTable({}, {"energy": np.array(values), "memory": np.array(values[::-1])})
    assert "nan" not in pareto(made, ["energy", "memory"]).to_html().partition("<svg")[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A file of the designs of a small network."""
    space = DesignSpace(device="horowitz-45nm", formats={"*": ["int8", "int4", "int2"]})
    path = tmp_path_factory.mktemp("sweep") / "results.parquet"
    sweep(REGISTRY.read(DENSE), space).to_parquet(path)
    return path


def test_the_command_shows_a_front_and_writes_files(results: Any, tmp_path: Any) -> None:
    page, best = tmp_path / "front.html", tmp_path / "best.parquet"
    shown = good("pareto", str(results), "--x", "energy", "--y", "memory", "-o", str(page))
    assert "of 9 designs: least energy, least memory" in shown
    assert "<svg" in page.read_text()
    good("pareto", str(results), "--x", "energy", "--y", "memory", "-o", str(best))
    read = SweepTable.from_parquet(best)
    assert 0 < len(read) < 9
    exact = tmp_path / "front.csv"
    good("pareto", str(results), "--x", "energy", "--y", "memory", "-o", str(exact))
    assert len(exact.read_text().splitlines()) == 1 + len(read)


def test_the_command_refuses_a_column_that_is_not_there(results: Any) -> None:
    done = run("pareto", str(results), "--x", "enrgy")
    assert done.exit_code == 2
    assert "nearest known: 'energy'" in done.output


def test_a_front_of_a_search_leaves_out_what_broke_a_limit(tmp_path: Path) -> None:
    held = table()
    held = held.with_columns(kept=np.arange(len(held)) > 0)
    held.to_parquet(tmp_path / "found.parquet")
    found = run("pareto", str(tmp_path / "found.parquet"), "--x", "energy", "--y", "memory")
    assert found.exit_code == 0, found.output
    assert f"of {len(held) - 1} designs" in found.output


def test_objectives_without_any_number_are_refused(tmp_path: Path) -> None:
    held = table()
    held = held.with_columns(speed=np.full(len(held), np.nan))
    held.to_parquet(tmp_path / "found.parquet")
    found = run("pareto", str(tmp_path / "found.parquet"), "--y", "speed")
    assert found.exit_code != 0
    assert "no design has a number for each of energy, speed" in found.stderr
