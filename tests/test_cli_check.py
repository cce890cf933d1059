"""`costmodel check`: exit statuses, formats, the baseline, the summary, and its use in CI."""

from __future__ import annotations

import csv
import io
import json
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pages
import pytest
import yaml
from console import DENSE, good, run

if TYPE_CHECKING:
    from click.testing import Result

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "budget.md"

KEPT = '[network]\nmacs = 1000\n[devices.cpu]\nenergy = "1 J"\n'
BROKEN = '[network]\nmacs = 749\n[devices.cpu]\nenergy = "1 J"\n'
UNKNOWN = '[devices.cpu]\nlatency = "1 s"\n'
GROWTH = '[devices.cpu.growth]\nenergy = "5 %"\n[baseline]\nfile = "baseline.json"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(budget: str, *options: str, model: str = DENSE) -> Result:
    """What the command answers by this budget."""
    Path("budget.toml").write_text(budget)
    return run("check", model, *options)


@pytest.mark.parametrize(
    ("budget", "status"), [(KEPT, 0), (BROKEN, 1), (UNKNOWN, 1), ("", 2), ("[network", 2)]
)
def test_the_exit_status_says_whether_all_limits_hold(budget: str, status: int) -> None:
    assert check(budget).exit_code == status


def test_a_row_for_each_limit_and_a_line_for_each_that_is_broken() -> None:
    result = check(BROKEN)
    lines = result.stdout.splitlines()
    assert lines[0] == "dense: 1 of 2 limits of budget.toml met"
    assert lines[4].split() == ["macs", "749", "750", "-0.1%", "broken"]
    assert lines[5].split()[:4] == ["energy", "on", "cpu", "1"]
    assert lines[7] == (
        "broken: macs must not exceed 749, found 750; "
        "largest layers: first 600 (80%), second 150 (20%)"
    )
    assert result.stderr == "Error: 1 limit does not hold: macs\n"


def test_markdown_is_a_table_and_a_list() -> None:
    shown = check(BROKEN, "--format", "markdown").stdout
    assert "| macs | 749 | 750 | -0.1% | broken |" in shown
    assert "\n- broken: macs must not exceed 749" in shown


def test_json_names_its_schema_and_has_bare_numbers() -> None:
    found = json.loads(check(BROKEN, "--format", "json").stdout)
    assert found["schema"] == "costmodel/check/1"
    assert not found["is_met"]
    limit = found["limits"][0]
    assert (limit["allowed"], limit["found"], limit["verdict"]) == (749, 750, "broken")
    assert [layer["name"] for layer in limit["layers"]] == ["first", "second"]


def test_csv_has_a_row_for_each_limit_with_its_layers() -> None:
    rows = list(csv.DictReader(io.StringIO(check(BROKEN, "--format", "csv").stdout)))
    assert [(row["Limit"], row["Verdict"]) for row in rows] == [
        ("macs", "broken"), ("energy on cpu", "within"),
    ]  # fmt: skip
    assert (rows[0]["Allowed"], rows[0]["Found"], rows[0]["Layers"]) == (
        "749", "750", "first; second",
    )  # fmt: skip


def test_a_file_holds_the_answer_that_is_no() -> None:
    result = check(BROKEN, "-o", "answer.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert not json.loads(Path("answer.json").read_text())["is_met"]


def test_a_summary_is_appended_as_markdown() -> None:
    for budget in (BROKEN, KEPT):
        check(budget, "--summary", "summary.md")
    first, second = Path("summary.md").read_text().split("### Cost budget")[1:]
    assert "1 of 2 limits" in first
    assert first.endswith("|\n") or first.rstrip().endswith("1 ms")
    assert "2 of 2 limits" in second


@pytest.mark.parametrize("option", ["--summary", "--baseline"])
def test_an_input_is_never_written(option: str) -> None:
    update = ["--update-baseline"] if option == "--baseline" else []
    result = check(KEPT, option, "budget.toml", *update)
    assert result.exit_code == 2
    assert f"{option} budget.toml: the command reads this file" in result.stderr
    assert Path("budget.toml").read_text() == KEPT


# ------------------------------------------------------------------ the baseline


def halved() -> Any:
    """A saved estimate whose energies are half of what they are."""
    found = json.loads(good("estimate", DENSE, "-d", "cpu", "--format", "json"))
    for one in (found["devices"]["cpu"], *found["devices"]["cpu"]["layers"]):
        if one["energy_joules"]:
            one["energy_joules"]["value"] /= 2
    return found


def test_a_growth_is_measured_from_the_baseline_that_the_budget_names() -> None:
    Path("baseline.json").write_text(json.dumps(halved()))
    result = check(GROWTH)
    assert result.exit_code == 1
    assert "growth of energy on cpu must not exceed 3.54 µJ, found 6.75 µJ" in result.stdout
    assert "layers that grew most: first " in result.stdout


def test_another_baseline_may_be_given() -> None:
    Path("baseline.json").write_text(json.dumps(halved()))
    Path("other.json").write_text(good("estimate", DENSE, "-d", "cpu", "--format", "json"))
    assert check(GROWTH, "--baseline", "other.json").exit_code == 0


def test_a_missing_baseline_is_refused_with_the_next_step() -> None:
    result = check(GROWTH)
    assert result.exit_code == 2
    assert "baseline.json: cannot be read: No such file or directory" in result.stderr
    assert "--update-baseline" in result.stderr


def test_the_baseline_is_written_in_one_piece_and_then_holds() -> None:
    assert check(GROWTH, "--update-baseline").exit_code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["baseline.json", "budget.toml"]
    assert check(GROWTH).exit_code == 0
    saved = good("estimate", DENSE, "-d", "cpu", "--format", "json", "--on-unpriced", "bound")
    assert json.loads(Path("baseline.json").read_text()) == json.loads(saved)


def test_a_new_baseline_excuses_no_other_limit() -> None:
    assert check(BROKEN + GROWTH.split("\n", 2)[2], "--update-baseline").exit_code == 1
    assert Path("baseline.json").exists()


def test_a_baseline_without_a_name_is_refused() -> None:
    result = check(KEPT, "--update-baseline")
    assert result.exit_code == 2
    assert "give --baseline FILE, or in the budget [baseline]" in result.stderr


# ------------------------------------------------------------------ use in CI


def block(name: str) -> Any:
    """A file that the page shows."""
    (found,) = [one for one in pages.blocks(PAGE) if one.file.endswith(name)]
    return yaml.safe_load(found.content)


def runs(command: list[str], folder: Path) -> None:
    """The command of the page finds its limits met, in a folder with the budget of the page."""
    (budget,) = [one for one in pages.blocks(PAGE) if one.file == "budget.toml"]
    (folder / "budget.toml").write_text(budget.content)
    (folder / "examples").symlink_to(ROOT / "examples")
    assert command[:2] == ["costmodel", "check"]
    assert run(*command[1:], "--update-baseline").exit_code == 0
    result = run(*command[1:])
    assert result.exit_code == 0, result.output


def test_the_step_of_github_actions_runs_and_writes_a_summary(folder: Path) -> None:
    steps = [step for job in block("costs.yml")["jobs"].values() for step in job["steps"]]
    (line,) = [step["run"] for step in steps if "costmodel check" in step.get("run", "")]
    assert '"$GITHUB_STEP_SUMMARY"' in line
    runs(shlex.split(line.replace("$GITHUB_STEP_SUMMARY", "summary.md")), folder)
    assert (folder / "summary.md").read_text().startswith("### Cost budget")


def test_the_hook_of_pre_commit_runs_as_the_page_calls_it(folder: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (used,) = block(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert used["id"] == hook["id"]
    script = hook["entry"].split()[0]
    assert script in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert hook["pass_filenames"] is False
    runs([*shlex.split(hook["entry"]), *used["args"]], folder)
