"""The way of a third party: a plugin is written, found and tested; broken ones harm nobody else."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from examples_per_law import few_examples

from costmodel.cli import main
from costmodel.cli.commands.scaffold import SORTS
from costmodel.plugins import hookspecs

EXAMPLE = Path(__file__).parent / "example_plugin"
HOOKS = {name for name in vars(hookspecs) if name.startswith("costmodel_")}


def installed(folder: Path, name: str, module: str, *, requires: str = "costmodel-nn") -> None:
    """What pip leaves of a distribution whose modules are in `folder`."""
    info = folder / f"{name.replace('-', '_')}-1.2.3.dist-info"
    info.mkdir()
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\nRequires-Dist: {requires}\n"
    (info / "METADATA").write_text(about)
    (info / "entry_points.txt").write_text(f"[costmodel]\n{name} = {module}\n")


def run(folder: Path, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in an environment that has what is installed in `folder` too."""
    path = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd or folder, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": path, "COLUMNS": "1000"},
    )  # fmt: skip


def own_tests_pass(folder: Path) -> None:
    (folder / "conftest.py").write_text(few_examples(5))  # .ci/plugins tries all
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout


# ------------------------------------------------------------------ a plugin that is written


def write(name: str, *options: str) -> Any:
    return CliRunner().invoke(main, ["new-plugin", name, *options])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_freshly_written_plugin_passes_its_own_tests(here: Path) -> None:
    assert write("my-own", *(f"--{sort}" for sort in SORTS)).exit_code == 0
    installed(here / "my-own", "my-own", "my_own.hooks")
    own_tests_pass(here / "my-own")


def test_a_freshly_written_plugin_is_listed_with_its_hooks(here: Path) -> None:
    write("my-own", *(f"--{sort}" for sort in SORTS))
    installed(here / "my-own", "my-own", "my_own.hooks")
    listed = run(here / "my-own", "costmodel", "plugins").stdout
    (row,) = [line for line in listed.splitlines() if line.startswith("my-own")]
    hooks = "commands, conventions, device_files, devices, layers, readers"
    assert row.split(maxsplit=3)[2:] == ["1.2.3", hooks]


def test_a_plugin_has_hooks_and_an_entry_point_only_where_a_hook_offers_it(here: Path) -> None:
    for sort in SORTS:
        write(f"my-{sort}", f"--{sort}")
        project = (here / f"my-{sort}" / "pyproject.toml").read_text()
        assert ("entry-points" in project) == bool(SORTS[sort].hooks), sort
        hooks = here / f"my-{sort}" / f"my_{sort}" / "hooks.py"
        assert hooks.is_file() == bool(SORTS[sort].hooks), sort


@pytest.mark.parametrize("sort", SORTS)
def test_its_readme_tells_of_every_file_that_is_there_and_of_no_other(
    here: Path, sort: str
) -> None:
    write("my-own", f"--{sort}")
    said = set(re.findall(r"`([\w/-]+\.\w+)`", (here / "my-own" / "README.md").read_text()))
    there = {str(file.relative_to(here / "my-own")) for file in (here / "my-own").rglob("*.*")}
    unsaid = {"README.md", "pyproject.toml", "my_own/__init__.py", "my_own/py.typed"}
    assert said <= there
    assert there - said <= unsaid | {f"tests/test_{sort}.py"}


@pytest.mark.parametrize("name", sorted(SORTS.keys() - {"operator"}))  # a module of Python's
def test_no_word_stands_twice_in_the_name_of_a_class(here: Path, name: str) -> None:
    for plugin in (name, f"my-{name}"):
        write(plugin, f"--{name}")
        module = here / plugin / plugin.replace("-", "_") / f"{name}.py"
        classes = [x for x in ast.parse(module.read_text()).body if isinstance(x, ast.ClassDef)]
        assert [each.name for each in classes] == [f"My{name.capitalize()}"] * len(classes)
        assert bool(classes) == (name != "command")


def test_a_device_is_renamed_as_the_readme_says(here: Path) -> None:
    write("my-own")
    installed(here / "my-own", "my-own", "my_own.hooks")
    package = here / "my-own" / "my_own"
    (package / "my-own.yaml").rename(package / "falcon.yaml")
    for file, old in [("falcon.yaml", "name: my-own"), ("hooks.py", "my-own.yaml")]:
        text = (package / file).read_text()
        assert old in text
        (package / file).write_text(text.replace(old, old.replace("my-own", "falcon")))
    done = run(here / "my-own", "costmodel", "devices", "show", "falcon")
    assert done.returncode == 0, done.stderr
    assert "my-own" in done.stdout  # the formula


def test_without_an_option_it_is_a_device(here: Path) -> None:
    assert write("my-own").exit_code == 0
    assert (here / "my-own" / "my_own" / "device.py").is_file()
    assert not (here / "my-own" / "my_own" / "layer.py").exists()


def test_every_file_that_is_written_is_what_its_name_says(here: Path) -> None:
    write("my-own", *(f"--{sort}" for sort in SORTS))
    files = [file for file in (here / "my-own").rglob("*") if file.is_file()]
    for file in files:
        text = file.read_text()
        assert "$" not in text, file
        assert file.suffix != ".py" or ast.parse(text)
        assert file.suffix != ".yaml" or yaml.safe_load(text)


def test_what_is_there_is_not_overwritten(here: Path) -> None:
    file = here / "my-own" / "precious"
    file.parent.mkdir()
    file.write_text("work of a year")
    result = write("my-own")
    assert result.exit_code == 2
    assert "my-own is there already" in result.output
    assert [item.name for item in file.parent.iterdir()] == ["precious"]


NAMES = [
    ("My-Chip", "expected small letters"), ("my_chip", "expected small letters"),
    ("../chip", "expected small letters"), ("", "expected small letters"),
    ("-chip", "-c"), ("chip-", "expected small letters"),
    ("7nm", "expected small letters"), ("json", "Python has a word or module"),
    ("class", "Python has a word or module"), ("costmodel", "is installed"),
    ("keras", "a plugin of that name is installed"),
        ("numpy", "a module 'numpy' is installed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_a_name_that_cannot_be_is_reported(here: Path, name: str, message: str) -> None:
    result = write(name)
    assert result.exit_code == 2
    assert message in result.output
    assert list(here.iterdir()) == []


# ------------------------------------------------------------------ the example


def test_the_example_uses_every_hook() -> None:
    tree = ast.parse((EXAMPLE / "acme_costmodel" / "hooks.py").read_text())
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert defined == HOOKS


@pytest.mark.slow
def test_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    (tmp_path / "acme_costmodel").symlink_to(EXAMPLE / "acme_costmodel")
    (tmp_path / "tests").symlink_to(EXAMPLE / "tests")
    (tmp_path / "pyproject.toml").symlink_to(EXAMPLE / "pyproject.toml")
    installed(tmp_path, "acme-costmodel", "acme_costmodel.hooks")
    own_tests_pass(tmp_path)


# ------------------------------------------------------------------ plugins that break

GOOD = "from costmodel import hookimpl\n"
DEVICE = """schema: costmodel/device/2
name: cpu
class: per-operation
"""
BROKEN = {
    "imports-nothing": ("import no_such_module\n", "costmodel", "No module named 'no_such_module'"),
    "fails-at-import": ("1 / 0\n", "costmodel", "cannot be imported: ZeroDivisionError"),
    "fits-no-hook": (
        GOOD + "@hookimpl\ndef costmodel_layers(framework): return []\n", "costmodel",
        "a hook does not fit",
    ),
    "knows-no-hook": (
        GOOD + "@hookimpl\ndef costmodel_layer(): return []\n", "costmodel",
        "a hook does not fit: unknown hook 'costmodel_layer'",
    ),
    "takes-a-device": (
        GOOD + "from pathlib import Path\n@hookimpl\ndef costmodel_device_files():\n"
        "    return [Path(__file__).with_name('cpu.yaml')]\n", "costmodel",
        "costmodel_device_files: 'cpu' is offered by plugin 'hardware' and by 'takes-a-device'",
    ),
    "keras": (GOOD, "costmodel-nn", "its name is taken by distribution 'costmodel-nn'"),
    "too-new": (GOOD + "raise SystemExit\n", "costmodel-nn>=99", "needs costmodel >=99, this is"),
    "too-old": (
        GOOD + "raise SystemExit\n", "costmodel-nn<0.0.1", "needs costmodel <0.0.1, this is",
    ),
}  # fmt: skip
"""Plugins by name: the text of their module, what they require, and what is said of them."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, installed at once."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "cpu.yaml").write_text(DEVICE)
    for name, (text, requires, _) in BROKEN.items():
        module = f"broken_{name.replace('-', '_')}"
        (folder / f"{module}.py").write_text(text)
        distribution = f"{name}-stranger" if name == "keras" else name
        installed(folder, distribution, module, requires=requires)
        if name == "keras":
            points = folder / "keras_stranger-1.2.3.dist-info" / "entry_points.txt"
            points.write_text(f"[costmodel]\nkeras = {module}\n")
    return folder


@pytest.fixture(scope="module")
def listed(broken: Path) -> str:
    return run(broken, "costmodel", "plugins").stdout


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_listed_with_its_version_and_what_is_wrong(
    listed: str, name: str
) -> None:
    rows = [line for line in listed.splitlines() if line.startswith(name) and "1.2.3" in line]
    assert any(BROKEN[name][2] in row for row in rows), listed


def test_broken_plugins_harm_nobody_else(broken: Path) -> None:
    network = Path(__file__).parent / "networks" / "dense.json"
    done = run(broken, "costmodel", "estimate", str(network), "-d", "gpu", "--format", "json")
    assert done.returncode == 0, done.stderr
    for name in set(BROKEN) - {"takes-a-device"}:
        assert f"plugin '{name}'" in done.stdout


def test_a_device_of_a_taken_name_is_reported_when_it_is_asked_for(broken: Path) -> None:
    network = Path(__file__).parent / "networks" / "dense.json"
    done = run(broken, "costmodel", "estimate", str(network), "-d", "cpu")
    assert done.returncode == 2
    assert "'cpu' is offered by plugin 'hardware' and by 'takes-a-device'" in done.stderr
