"""How far long work is: what listeners get, and the line on a terminal."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import Final

import pytest
from console import VISION, run

from costmodel.cli import progress
from costmodel.cli.progress import ProgressLine, shown_progress
from costmodel.devices import Step, progress_to
from costmodel.devices.progress import report, step
from costmodel_hardware.spatial.accountings import mapped

ESTIMATE: Final = (
    "estimate", VISION, "-d", "systolic-array", "--default-format", "int8",
    "--on-unpriced", "bound",
)  # fmt: skip


class Screen(io.StringIO):
    """A terminal of which the last line can be seen."""

    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        """What a person sees: texts after a carriage return take the place of those before."""
        seen = ""
        for part in self.getvalue().split("\r"):
            seen = part + seen[len(part) :]
        return seen.rstrip()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are shown from the beginning, each of them, on a narrow terminal."""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    monkeypatch.setattr(progress, "_EACH", 0.0)
    monkeypatch.setenv("COLUMNS", "40")


def test_a_listener_gets_the_steps_under_way_and_none_at_the_end() -> None:
    found: list[tuple[Step, ...]] = []
    with progress_to(found.append):
        with step("mapping conv", 1, 2):
            report("parts left: 3")
        with step("mapping dense", 2, 2):
            pass
    first, second = Step("mapping conv", 1, 2), Step("mapping dense", 2, 2)
    assert found == [(first,), (first, Step("parts left: 3")), (), (second,), ()]
    assert str(first) == "mapping conv (1 of 2)"
    assert str(Step("parts left: 3")) == "parts left: 3"


def test_a_listener_within_a_step_gets_its_own_steps_and_none_at_the_end() -> None:
    outer: list[tuple[Step, ...]] = []
    inner: list[tuple[Step, ...]] = []
    with progress_to(outer.append), step("outer"):
        with progress_to(inner.append), step("inner"):
            report("half")
        report("rest")
    assert inner == [(Step("inner"),), (Step("inner"), Step("half")), ()]
    assert outer == [(Step("outer"),), (Step("outer"), Step("rest")), ()]


def test_nobody_need_listen() -> None:
    found: list[tuple[Step, ...]] = []
    with progress_to(found.append), progress_to(None), step("inner"):
        report("nothing is said")
    with step("outside"):
        report("nothing is said")
    assert not found


def test_an_error_ends_the_steps() -> None:
    found: list[tuple[Step, ...]] = []
    with progress_to(found.append), pytest.raises(ValueError, match="no"), step("one"), step("two"):
        raise ValueError("no")  # noqa: EM101
    assert found[-1] == ()


@pytest.mark.usefixtures("at_once")
def test_a_line_is_shown_while_work_goes_on_and_removed_behind_it() -> None:
    with redirect_stderr(Screen()) as screen, shown_progress(), step("npu"):
        with step("mapping conv", 1, 2):
            assert screen.line == "npu: mapping conv (1 of 2)"
        with step("map", 2, 2):
            assert screen.line == "npu: map (2 of 2)"
            report("a text that is wider than the terminal")
            assert screen.line == "npu: map (2 of 2): a text that is wider"
    assert screen.line == ""
    assert "\n" not in screen.getvalue()


def test_nothing_is_shown_of_work_that_is_soon_done() -> None:
    with redirect_stderr(Screen()) as screen, shown_progress(), step("npu"):
        report("parts left: 3")
    assert screen.getvalue() == ""


@pytest.mark.usefixtures("at_once")
def test_nothing_is_written_into_a_pipe() -> None:
    with redirect_stderr(io.StringIO()) as pipe, shown_progress(), step("npu"):
        report("parts left: 3")
    assert pipe.getvalue() == ""


def test_a_line_holds_nothing_that_steers_a_terminal() -> None:
    with redirect_stderr(Screen()) as screen:
        ProgressLine().show("layer \x1b[31m")
    assert "layer" in screen.line
    assert "\x1b" not in screen.getvalue()


@pytest.mark.usefixtures("at_once")
def test_commands_write_no_progress_where_no_person_reads() -> None:
    result = run(*ESTIMATE)
    assert result.exit_code == 0
    assert result.stderr == ""


@pytest.mark.usefixtures("at_once")
def test_commands_show_what_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(ProgressLine, "show", lambda _, text: shown.append(text))
    monkeypatch.setattr(progress, "_reads_a_person", lambda: True)
    mapped.cache_clear()
    result = run(*ESTIMATE)
    assert result.exit_code == 0
    assert "mapping" not in result.output
    assert [
        text for text in shown if text.startswith("systolic-array, ") and ": mapping " in text
    ], shown
