"""Bars of which figures of a device change a total most."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import DENSE, good, run
from figures import near
from worlds import REGISTRY

from costmodel.estimates.sensitivity import sensitivity
from costmodel.html.charts import tornado

FOUND = sensitivity(REGISTRY.read(DENSE), REGISTRY.device("cpu"))


def test_bars_run_from_the_total_to_the_total_at_each_end() -> None:
    low, high = tornado(FOUND)["data"]
    assert low["base"] == high["base"] == FOUND.total
    for place, one in enumerate(FOUND.swings):
        assert low["y"][place] == one.name
        assert FOUND.total + low["x"][place] == near(one.at_low, rel=1e-3)
        assert FOUND.total + high["x"][place] == near(one.at_high, rel=1e-3)


def test_plotly_takes_the_figure() -> None:
    pytest.importorskip("plotly")
    assert len(FOUND.plot().data) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-d", "cpu", "--plot", "a.gif"], "unknown output format '.gif'; expected .svg"),
        (["-d", "cpu,gpu", "--plot", "a.svg"], "--plot draws one device"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: list[str], message: str) -> None:
    result = run("sensitivity", DENSE, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.slow
def test_the_command_writes_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    file = tmp_path / "tornado.svg"
    result = run("sensitivity", DENSE, "-d", "cpu", "--plot", file)
    if "needs Chrome" in result.stderr:
        pytest.skip("there is no Chrome")
    assert "energy_per_multiply_accumulate" in good("sensitivity", DENSE, "-d", "cpu")
    assert "<svg" in file.read_text()
