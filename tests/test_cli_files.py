"""Files of the command line: no input is overwritten, nothing is left behind, no name shadows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from console import DENSE, VISION, good, run
from worlds import SHIPPED

from costmodel import registry
from costmodel.cli import main
from costmodel.safe_io import replaced

if TYPE_CHECKING:
    from collections.abc import Callable

CPU = Path(__file__).parents[1] / "hardware/costmodel_hardware/per_operation/cpu.yaml"
ARGUMENTS = {
    "estimate": ["estimate", "model.json", "-d", "chip.yaml"],
    "compare": ["compare", "model.json", "-d", "chip.yaml,gpu"],
    "count": ["count", "model.json"],
    "sensitivity": ["sensitivity", "model.json", "-d", "chip.yaml"],
    "check": ["check", "model.json", "--budget", "budget.toml", "--baseline", "baseline.json"],
}
"""Every command with `-o`, with all the files that it reads."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a network and a device."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.json").write_bytes(Path(DENSE).read_bytes())
    (tmp_path / "chip.yaml").write_text(CPU.read_text().replace("name: cpu", "name: chip"))
    (tmp_path / "budget.toml").write_text('[devices."./chip.yaml"]\nenergy = "1 J"\n')
    (tmp_path / "baseline.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    return tmp_path


# ------------------------------------------------------------------ an input is not an output


def test_every_command_with_an_output_is_tried_here() -> None:
    group = main
    names = [name for name in group.list_commands(click.Context(group)) if name]
    commands = {name: group.get_command(click.Context(group), name) for name in names}
    with_output = {
        name
        for name, command in commands.items()
        if command is not None and any("--output" in option.opts for option in command.params)
    }
    elsewhere = {"fit", "map", "measure", "report", "validate"}  # beside the tests of each
    elsewhere |= {"pareto", "search", "sweep"}  # below
    assert with_output == ARGUMENTS.keys() | elsewhere


def _symlink(file: Path) -> str:
    (file.parent / "link").symlink_to(file.name)
    return "link"


def _chain(file: Path) -> str:
    _symlink(file)
    (file.parent / "sub" / "chain").symlink_to("../link")
    return "sub/chain"


def _hard_link(file: Path) -> str:
    (file.parent / "hard").hardlink_to(file)
    return "hard"


SPELLINGS: dict[str, Callable[[Path], str]] = {
    "its name": lambda file: file.name,
    "an absolute path": str,
    "a path with a dot": lambda file: f"./{file.name}",
    "a path through another folder": lambda file: f"sub/../{file.name}",
    "a path through its own folder": lambda file: f"../{file.parent.name}/{file.name}",
    "a symbolic link": _symlink,
    "a chain of links": _chain,
    "a hard link": _hard_link,
}


READ = [
    (name, file)
    for name, arguments in ARGUMENTS.items()
    for file in ("model.json", "chip.yaml")
    if any(file in argument for argument in arguments)
] + [("check", file) for file in ("chip.yaml", "budget.toml", "baseline.json")]


SPACE = """\
schema: costmodel/space/1
network: model.json
device: ./chip.yaml
weights: [int4, int8]
"""


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("file", ["space.yaml", "model.json", "chip.yaml"])
@pytest.mark.parametrize("name", ["sweep", "search"])
def test_what_describes_designs_is_never_overwritten(
    name: str, file: str, spelling: str, folder: Path
) -> None:
    (folder / "space.yaml").write_text(SPACE)
    target = SPELLINGS[spelling](folder / file)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = run(name, "space.yaml", "-o", target)
    assert result.exit_code == 2
    assert f"-o {Path(target)}: the command reads this file" in result.stderr
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_the_designs_of_a_front_are_never_overwritten(folder: Path) -> None:
    (folder / "space.yaml").write_text(SPACE)
    good("sweep", "space.yaml", "-o", "designs.parquet")
    before = (folder / "designs.parquet").read_bytes()
    result = run("pareto", "designs.parquet", "--x", "energy", "--y", "memory",
                 "-o", "designs.parquet")  # fmt: skip
    assert result.exit_code == 2
    assert "the command reads this file" in result.stderr
    assert (folder / "designs.parquet").read_bytes() == before


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("name", "file"), READ)
def test_an_input_is_never_overwritten(name: str, file: str, spelling: str, folder: Path) -> None:
    target = SPELLINGS[spelling](folder / file)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = run(*ARGUMENTS[name], "--format", "csv", "-o", target)
    assert result.exit_code == 2
    assert f"-o {Path(target)}: the command reads this file" in result.stderr
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_the_file_of_an_installed_device_is_never_overwritten() -> None:
    file = registry.installed().device("cpu").file
    before = Path(file).read_bytes()
    result = run("estimate", DENSE, "-d", "cpu", "--format", "table", "-o", file)
    assert result.exit_code == 2
    assert "the command reads this file" in result.stderr
    assert Path(file).read_bytes() == before


def test_an_input_is_refused_as_an_output_before_it_is_read(folder: Path) -> None:
    (folder / "model.json").write_text("no network")
    result = run("count", "model.json", "-o", "model.json")
    assert "the command reads this file" in result.stderr


def test_another_file_of_the_same_content_is_an_output(folder: Path) -> None:
    (folder / "copy.json").write_bytes((folder / "model.json").read_bytes())
    good("count", "model.json", "-o", "copy.json")
    assert (folder / "copy.json").read_bytes() != (folder / "model.json").read_bytes()


# ------------------------------------------------------------------ what a kill leaves


def temporary(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.costmodel"))


WRITER = """
import sys, time
from pathlib import Path
from costmodel.safe_io import replaced
with replaced(Path(sys.argv[1])) as file:
    file.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def writer(path: Path) -> subprocess.Popen[str]:
    """Another process that is writing a file."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    process.send_signal(how)
    process.wait(timeout=30)
    assert process.stdout is not None
    process.stdout.close()


def test_the_temporary_file_of_a_killed_process_is_removed_by_the_next_write(
    folder: Path,
) -> None:
    end(writer(folder / "out.json"), signal.SIGKILL)
    assert len(temporary(folder)) == 1
    good("count", "model.json", "-o", "out.json")
    assert temporary(folder) == []
    assert (folder / "out.json").read_text().startswith("{")


def test_the_temporary_file_of_a_living_process_is_kept(folder: Path) -> None:
    process = writer(folder / "out.json")
    try:
        before = temporary(folder)
        good("count", "model.json", "-o", "out.json")
        assert temporary(folder) == before
    finally:
        end(process, signal.SIGKILL)


def test_the_temporary_files_of_other_outputs_are_kept(folder: Path) -> None:
    names = [
        ".other.json.00000000.costmodel",
        ".out.json.costmodel",
        ".out.json.0000000g.costmodel",
    ]
    for name in names:
        (folder / name).write_text("another's")
    (folder / ".out.json.00000000.costmodel").symlink_to("model.json")
    good("count", "model.json", "-o", "out.json")
    assert [path.name for path in temporary(folder)] == sorted(names)
    assert (folder / "model.json").exists()


def test_a_write_that_is_interrupted_leaves_nothing(folder: Path) -> None:
    def interrupted() -> None:
        with replaced(folder / "out.json") as file:
            file.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (folder / "out.json").exists()
    assert temporary(folder) == []


def test_a_new_output_is_not_there_until_it_is_whole(folder: Path) -> None:
    with replaced(folder / "out.json") as file:
        file.write_text("whole")
        assert not (folder / "out.json").exists()
    assert (folder / "out.json").read_text() == "whole"


def test_two_processes_that_write_one_file_both_succeed(folder: Path) -> None:
    command = [sys.executable, "-c", WRITER.replace("sleep(60)", "sleep(0.2)"), "out.json"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0] * 4
    assert (folder / "out.json").read_text() == "half"
    assert temporary(folder) == []


UNWRITABLE = {
    "a folder": ("sub", "Is a directory"),
    "a folder that is not there": ("nowhere/out.json", "No such file or directory"),
    "a file as a folder": ("model.json/out.json", "Not a directory"),
    "a link to itself": ("loop", ""),
    "a name that is too long": (f"{'x' * 300}.json", "File name too long"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_an_unwritable_output_is_reported_before_any_work(case: str, folder: Path) -> None:
    target, words = UNWRITABLE[case]
    (folder / "loop").symlink_to("loop")
    result = run("count", "missing.json", "--format", "json", "-o", target)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {target}: cannot be written: ")
    assert words in result.stderr


# ------------------------------------------------------------------ names and files


@pytest.mark.parametrize("file", ["cpu", "cpu.yaml", "cpu.yml"])
@pytest.mark.parametrize(
    "arguments", [["estimate", DENSE, "-d", "cpu"], ["devices", "show", "cpu"]]
)
def test_a_file_called_like_an_installed_device_is_reported(
    arguments: list[str], file: str, folder: Path
) -> None:
    (folder / file).write_text((folder / "chip.yaml").read_text())
    result = run(*arguments)
    assert result.exit_code == 0
    assert result.stderr == (
        f"note: device 'cpu' is the installed one; for the file {file}, give ./{file}\n"
    )


@pytest.mark.parametrize("file", ["cpu", "cpu.yaml"])
def test_a_path_with_a_slash_is_the_file(file: str, folder: Path) -> None:
    (folder / file).write_text((folder / "chip.yaml").read_text())
    result = run("estimate", "model.json", "-d", f"./{file}", "--format", "csv")
    assert result.exit_code == 0
    assert "chip (J)" in result.stdout
    assert result.stderr == ""


def test_names_separated_by_commas_are_names_where_a_file_is_called_so(folder: Path) -> None:
    (folder / "cpu,gpu").touch()
    shown = good("estimate", "model.json", "-d", "cpu,gpu", "--format", "csv")
    assert "cpu (J)" in shown
    assert "gpu (J)" in shown


def test_a_folder_called_like_an_installed_device_is_not_a_file(folder: Path) -> None:
    (folder / "cpu").mkdir()
    assert run("estimate", "model.json", "-d", "cpu").stderr == ""


@pytest.mark.parametrize("name", SHIPPED)
def test_no_installed_device_has_the_name_of_a_path(name: str) -> None:
    assert not {"/", os.sep} & set(name)
    assert not name.endswith((".yaml", ".yml"))


REPEATED = {
    "a rate of all": (["--rate", "1", "--rate", "2"], "--rate 'for all layers'"),
    "a rate of a layer": (["--rate", "first=1", "--rate", "first=2"], "--rate 'first'"),
    "a parameter": (
        [f"--set=cpu.energy_per_multiply_accumulate={value}" for value in ("1 pJ", "2 pJ")],
        "--set 'cpu.energy_per_multiply_accumulate'",
    ),
    "a shape": (
        ["--input-shape", "20", "--input-shape", "features=20"], "--input-shape 'features'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REPEATED)
def test_an_option_that_is_given_twice_for_the_same_thing_is_refused(case: str) -> None:
    options, words = REPEATED[case]
    result = run("estimate", DENSE, "-d", "cpu", *options)
    assert result.exit_code == 2
    assert f"{words} is given more than once" in result.stderr


CALLS = {
    "estimate": ["estimate", DENSE], "explain": ["explain", DENSE, "first"],
    "sensitivity": ["sensitivity", DENSE], "compare": ["compare", DENSE, VISION],
    "report": ["report", DENSE, "-o", "report.html"],
}  # fmt: skip


@pytest.mark.parametrize("command", CALLS)
def test_two_files_of_one_name_are_told_from_one_file_in_two_spellings(
    folder: Path, command: str
) -> None:
    text = Path("chip.yaml").read_text()
    Path("sub/chip.yaml").write_text(text.replace("8.6 nJ", "9.6 nJ"))
    for devices, message in {
        "chip.yaml,sub/chip.yaml": "'chip' is given more than once, with different figures "
        "(chip.yaml and sub/chip.yaml); results tell devices apart by name: give one another `na",
        f"chip.yaml,{folder}/chip.yaml": "'chip' is given more than once: chip.yaml and "
        f"{folder}/chip.yaml hold the same device; give one of them",
        "chip.yaml,./chip.yaml": "device 'chip' is given more than once\n",
        "cpu,cpu": "device 'cpu' is given more than once\n",
    }.items():
        result = run(*CALLS[command], "-d", devices)
        assert result.exit_code == 2
        assert message in result.stderr


def test_two_writes_of_one_process_do_not_wait_for_each_other(folder: Path) -> None:
    began = time.monotonic()
    with replaced(folder / "out.json") as first, replaced(folder / "out.json") as second:
        first.write_text("first")
        second.write_text("second")
    assert time.monotonic() - began < 10
    assert (folder / "out.json").read_text() == "first"


# ------------------------------------------------------------------ what is not a device file

NO_DEVICES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, "a pipe or device is not read"),
    "a device that never ends": (
        lambda path: path.symlink_to("/dev/zero"), "a pipe or device is not read",
    ),
    "a folder": (Path.mkdir, "cannot be read: Is a directory"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic"),
    "terabytes of nothing": (lambda path: sparse(path, 2**40), "expected at most 1,048,576 bytes"),
    "an empty file": (Path.touch, "expected a mapping with schema, name, class"),
}  # fmt: skip


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize("suffix", [".yaml", ""])
@pytest.mark.parametrize("case", NO_DEVICES)
def test_what_is_not_a_device_file_is_reported_and_not_waited_for(
    case: str, suffix: str, folder: Path
) -> None:
    make, words = NO_DEVICES[case]
    make(folder / f"strange{suffix}")
    result = run("estimate", "model.json", "-d", f"./strange{suffix}")
    assert result.exit_code == 2
    assert words in result.stderr
    assert ("ends in .yaml or .yml" in result.stderr) == (not suffix)


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 300 + ".json", "\x00.json", "a/" * 3000])
@pytest.mark.parametrize("where", ["model", "device"])
def test_a_name_that_no_file_can_have_is_reported(name: str, where: str) -> None:
    chosen = {"model": DENSE, "device": "cpu", where: name}
    result = run("estimate", chosen["model"], "-d", chosen["device"])
    assert result.exit_code == 2
    assert "unexpected" not in result.stderr
    assert result.stderr.startswith("Error: ")
