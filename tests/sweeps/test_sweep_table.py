"""Tables of designs: columns by name, data frames, and Parquet that comes back equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel.errors import ReadError, UnknownNameError
from costmodel.sweeps import table as module
from costmodel.sweeps.table import Choices, SweepTable


def small() -> SweepTable:
    choices = {
        "weights.dense": Choices(("int4", "int8"), np.array([0, 1, 1])),
        "batch": Choices((1, 8), np.array([1, 0, 1])),
        "energy_per_dram_access": np.array([1e-9, 2e-9, 3e-9]),
    }
    costs = {
        "energy": np.array([1e-6, 2e-6, 3e-6]),
        "latency": np.array([np.nan, np.nan, np.nan]),
        "fits": np.array([True, False, True]),
    }
    return SweepTable(choices, costs, ("tabled by group",))


def same(first: SweepTable, second: SweepTable) -> None:
    assert first.names == second.names
    assert first.axes == second.axes
    assert first.notes == second.notes
    for name in first:
        assert first[name].tolist() == pytest.approx(second[name].tolist(), abs=0, nan_ok=True)


def test_a_column_is_an_array_by_its_name() -> None:
    table = small()
    assert len(table) == 3
    assert table.axes == ("weights.dense", "batch", "energy_per_dram_access")
    assert table["weights.dense"].tolist() == ["int4", "int8", "int8"]
    assert table["batch"].tolist() == [8, 1, 8]
    assert table["energy"].dtype == float
    assert "energy" in table
    assert table.row(1)["fits"] == np.False_


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="nearest known: 'energy'"):
        _ = small()["enrgy"]


def test_rows_are_taken_by_any_index() -> None:
    table = small()
    assert table.take(table["fits"])["energy"].tolist() == [1e-6, 3e-6]
    both = SweepTable.joined([table.take(slice(0, 1)), table.take(slice(1, 3))])
    same(both, table)


def test_a_column_may_be_added() -> None:
    table = small().with_columns(accuracy=[0.5, 0.6, 0.7])
    assert table["accuracy"].tolist() == [0.5, 0.6, 0.7]
    with pytest.raises(ValueError, match="expected 3 rows"):
        table.with_columns(accuracy=[0.5])


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_data_frame_has_every_column(library: str) -> None:
    pytest.importorskip(library)
    frame = small().to_dataframe(library)
    assert list(frame.columns) == list(small().names)
    assert frame["weights.dense"].to_list() == ["int4", "int8", "int8"]


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_parquet_comes_back_equal(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library)
    monkeypatch.setattr(module, "_PARQUET", (library,))
    small().to_parquet(tmp_path / "designs.parquet")
    same(SweepTable.from_parquet(tmp_path / "designs.parquet"), small())


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "designs.parquet").write_text("no Parquet")
    with pytest.raises(ReadError, match="cannot be read as Parquet"):
        SweepTable.from_parquet(tmp_path / "designs.parquet")


def test_the_text_has_the_range_of_each_cost() -> None:
    text = str(small())
    assert "3 designs, 3 axes" in text
    assert "energy: 1 uJ to 3 uJ" in text or "energy: 1 µJ to 3 µJ" in text
    assert "latency" not in text
