"""The README's commands and code do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def _commands() -> list[str]:
    lines = [line for block in _blocks("sh") for line in block.splitlines()]
    return [line.partition("&& ")[2] or line for line in lines]


@pytest.mark.parametrize("command", [line for line in _commands() if line.startswith("costmodel")])
def test_every_command_of_the_readme_runs(command: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    program = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    for block in _blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "convention costmodel" in capsys.readouterr().out


def test_the_device_of_the_readme_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "my_chip.yaml"
    file.write_text(_blocks("yaml")[0])
    program = [sys.executable, "-m", "costmodel", "devices", "validate", str(file)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_check_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    main, tests = (block.strip() for block in _blocks("sh")[:2])
    assert main in script
    assert all(step in script for step in tests.split(" && "))
