"""Where results go: no `-o` may change a file that the command reads, or leave anything behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen
from click.testing import CliRunner
from fuzz.drawing import Bounds, Finder
from fuzz.judging import ROOT, FindingError
from fuzz.targets import memory, warm
from hypothesis import strategies as st

from costmodel.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from fuzz.bytewise import Counts

MODELS: Final = ("model.json", "link.json", "hard.json", "chain.json", "sub/up.json", "sub/in.json")
"""Names of two models: links of both sorts, and a file of its own in the folder `sub`."""
DEVICES: Final = ("device.yaml", "sub/device-link.yaml", "hard.yaml")
"""Names of one device file."""
OTHERS: Final = (
    "out.json", "out", "old.txt", "sub/new.csv", "dangling.json", "loop.json", "sub", "folder", ".",
    "", "missing/out.json", "MODEL.json", "ünï.md", "-", "a b.json", "x" * 300, "nul\0.json",
    "model.json/", "out.json/", "~", "*.json", "new\nline.json", "locked.json", "fd/1",
)  # fmt: skip
"""Further names for an output: of nothing yet, of no file, of an older result."""
WAYS: Final = ("", "./", "sub/../", "folder/../", "sub/./../", "{root}/", ".//", "../{name}/")
"""What may stand before a name of this folder."""
DEAD: Final = ".out.json.00000000.costmodel"
"""What a killed process has left."""
LIVE: Final = ".out.json.11111111.costmodel"
"""What another process is just writing."""
TEMPORARY: Final = ".costmodel"
_REFUSALS: Final = ("the command reads this file", "says no format")
"""What a command says of an input that is to be its output; some have no format by their names."""
_SHORTEST: Final = 20
"""Characters of a refusal."""
COMMANDS: Final = ("estimate", "estimate two", "compare", "count")
FORMATS: Final = (None, "json", "csv", "markdown", "table")


@frozen
class Case:
    """One command: what it reads, and where it is to write."""

    command: str
    model: str
    device: str
    output: str
    form: str | None

    def words(self, root: Path) -> list[str]:
        """The arguments of the command line, in a folder."""
        models = {"estimate two": ["sub/in.json", self.model], "compare": [self.model]}
        devices = ["-d", self.device, *(["-d", "gpu"] * (self.command == "compare"))]
        form = ["--format", self.form] if self.form else []
        return [
            self.command.split()[0], *models.get(self.command, [self.model]),
            *(devices if self.command != "count" else []), *form, "-o", self.target(root),
        ]  # fmt: skip

    def target(self, root: Path) -> str:
        """The path of the output."""
        return self.output.replace("{root}", str(root)).replace("{name}", root.name)

    def reads(self, name: str) -> bool:
        """Whether this name, seen from the folder, leads to a file that the command reads."""
        more = ["sub/in.json"] if self.command == "estimate two" else []
        devices = [self.device] if self.command != "count" else []
        return any(_is_same(name, given) for given in (self.model, *more, *devices))


def _spelled(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.builds(str.__add__, st.sampled_from(WAYS), st.sampled_from(names))


cases: Final = st.builds(
    Case,
    st.sampled_from(COMMANDS),
    st.sampled_from(MODELS),
    st.sampled_from(DEVICES),
    st.one_of(_spelled(MODELS + DEVICES), _spelled(OTHERS)),
    st.sampled_from(FORMATS),
)
"""Every way to name an output beside every way to name an input."""


@contextlib.contextmanager
def layout() -> Iterator[Path]:
    """A folder with all that the names stand for."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory()))
    try:
        (root / "sub").mkdir()
        dense = (ROOT / "tests/networks/dense.json").read_bytes()
        device = (ROOT / "hardware/costmodel_hardware/per_operation/cpu.yaml").read_bytes()
        (root / "model.json").write_bytes(dense)
        (root / "sub/in.json").write_bytes(dense)
        (root / "device.yaml").write_bytes(device)
        (root / "hard.json").hardlink_to(root / "model.json")
        (root / "hard.yaml").hardlink_to(root / "device.yaml")
        for name, to in (
            ("link.json", "model.json"), ("chain.json", "link.json"), ("folder", "sub"),
            ("sub/up.json", "../model.json"), ("sub/device-link.yaml", "../device.yaml"),
            ("dangling.json", "sub/nothing.json"), ("loop.json", "loop.json"),
        ):  # fmt: skip
            (root / name).symlink_to(to)
        for name in ("old.txt", "locked.json", DEAD, LIVE):
            (root / name).write_text("before")
        (root / "locked.json").chmod(0o400)
        yield root
    finally:
        shutil.rmtree(root)


def send(case: Case) -> bool:
    """Run the command in a fresh folder, and judge what it left there.

    Raises:
        FindingError: an input changed, an input was accepted as an output, or something is left.

    """
    with layout() as root, contextlib.chdir(root), (root / LIVE).open("rb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        kept = {name for name in (*MODELS, *DEVICES) if case.reads(name)}
        is_input = case.reads(case.target(root))
        before = _snapshot(root)
        result = CliRunner().invoke(main, case.words(root))
        after = _snapshot(root)
        changed = {
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        }
        judged = _left(case, changed, kept, after) if result.exit_code == 0 else _refused(changed)
        for said in (*_answered(result, is_input=is_input), *judged):
            message = f"{said}: {case.words(root)}: {result.output:.300}"
            raise FindingError(message)
        return result.exit_code == 0


def _answered(result: Result, *, is_input: bool) -> Iterator[str]:
    """What is wrong with an exit status and its words."""
    if result.exit_code not in {0, 2} or "unexpected" in result.output:
        yield f"status {result.exit_code}"
    if result.exit_code == 2 and len(result.stderr.strip()) < _SHORTEST:
        yield "a refusal without words"
    if is_input and not any(words in result.stderr for words in _REFUSALS):
        yield "an input is accepted as an output"


def _refused(changed: set[str]) -> Iterator[str]:
    """What is wrong with a folder after a refusal."""
    if changed - {DEAD}:
        yield f"a refusal changed {changed}"


def _left(case: Case, changed: set[str], kept: set[str], after: dict[str, bytes]) -> Iterator[str]:
    """What is wrong with a folder after a result."""
    if changed & kept:
        yield f"inputs have changed: {changed & kept}"
    if LIVE in changed:
        yield "the temporary file of a living process is gone"
    if Path(case.output).name == "out.json" and DEAD in after:
        yield "the temporary file of a dead process stays"
    if left := {name for name in changed - {DEAD} if name.endswith(TEMPORARY)}:
        yield f"temporary files stay: {left}"


def _snapshot(root: Path) -> dict[str, bytes]:
    """The content of every file by every name that leads to it, and that of every broken link."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):
                is_file = os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises at a loop
                content = path.read_bytes() if is_file else os.fsencode(os.path.realpath(path))
                found[str(path.relative_to(root))] = content
    return found


def _is_same(one: str, other: str) -> bool:
    try:
        first, second = Path(one).stat(), Path(other).stat()
    except (OSError, ValueError):
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def run(bounds: Bounds, folder: Path) -> tuple[Counts, int]:
    """Run commands whose output is anywhere."""
    warm()
    return Finder("outputs", folder).run(
        cases, send, lambda case: repr(case).encode(errors="backslashreplace"), bounds
    )
