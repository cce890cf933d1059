"""The documentation: its blocks run, its hooks are all the hooks, its site builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from examples_per_law import few_examples

from costmodel.cli import main
from costmodel.cli.commands.listing import specifications

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
QUICK = ("index", "five-minutes", "device", "layer")
"""Pages whose blocks run in the quick suite, too."""


@pytest.mark.parametrize(
    "page",
    [page if page.stem in QUICK else pytest.param(page, marks=pytest.mark.slow) for page in PAGES],
    ids=lambda page: page.stem,
)
def test_the_blocks_of_a_page_run_and_print_what_it_says(page: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    _install_pytest_plugin(tmp_path)
    # tests/contracts/test_documented_devices.py tries all.
    (tmp_path / "conftest.py").write_text(few_examples(5))
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(  # ours
        [sys.executable, ROOT / "tests" / "pages.py", page],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _install_pytest_plugin(folder: Path) -> None:
    """Leave the marks of an installation: the one that runs the tests may be an older one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (points,) = project["entry-points"]["pytest11"].items()
    info = folder / "costmodel_marks-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: costmodel-marks\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{' = '.join(points)}\n")


def test_the_page_of_hooks_is_what_the_command_writes() -> None:
    written = CliRunner().invoke(main, ["hooks", "--markdown"]).stdout
    assert (ROOT / "docs" / "hooks.md").read_text() == written


@pytest.mark.parametrize("hook", specifications())
def test_every_hook_is_implemented_on_some_page(hook: str) -> None:
    texts = [page.read_text() for page in PAGES if page.stem != "hooks"]
    assert any(f"@hookimpl\ndef costmodel_{hook}():" in text for text in texts)


def test_the_reference_has_every_command() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", reference, re.MULTILINE)
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    assert dict(rows) == {
        name: command.get_short_help_str(limit=200)
        for name, command in commands.items()
        if command is not None and command.callback.__module__.startswith("costmodel.")
    }


def test_the_site_has_every_page() -> None:
    def pages(entries: list[dict[str, str]]) -> list[str]:
        values = [value for entry in entries for value in entry.values()]
        return [x for v in values for x in (pages(v) if isinstance(v, list) else [v])]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(pages(site["nav"])) == [str(page.relative_to(ROOT / "docs")) for page in PAGES]
