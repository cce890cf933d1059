"""The README's commands and code do what it says."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED_BY_TEST = ("keras", "qkeras", "testing")
"""The extras that the extra `test` brings."""
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


def test_the_first_result_is_that_of_the_site_which_is_tested() -> None:
    assert _blocks("text")[0] in (ROOT / "docs" / "index.md").read_text()


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


def test_the_check_runs_the_two_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    _, main, tests = (block.strip() for block in _blocks("sh")[:3])
    assert main in script
    assert all(step in script for step in tests.split(" && "))


def _constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins), "NAME==RELEASED VERSION"
    return {_distribution(name): version for name, version in (pin.split("==") for pin in pins)}


def _distribution(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def test_the_constraints_hold_a_version_of_all_that_the_test_command_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [project["dependencies"], *(extras[name] for name in NAMED_BY_TEST), extras["test"]]
    needed = {_distribution(line) for line in itertools.chain(*lines)} - {"costmodel-nn"}
    assert needed <= _constraints().keys()
    assert "costmodel-nn" not in _constraints()
