"""Runs a page of the documentation as a reader would, block by block, in the working directory.

A block with a title is a file. A block of Python runs, all of a page in one namespace; a block
of the shell runs line by line, installations apart: a `pyproject.toml` of the page counts as
installed. A line ends with status 0, or with that of its comment `# exit status 1`. A block of
text behind one that runs is what it prints, `...` standing for anything. Other blocks, such as
those marked `py`, are only shown.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from costmodel import registry
from costmodel.plugins import discovery as plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_STATUS = re.compile(r" +# exit status (\d+)$")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    file: str
    content: str


def blocks(page: Path) -> list[Block]:
    """All blocks of a page."""
    return [Block(*match.groups("")) for match in _BLOCK.finditer(page.read_text())]


def run(page: Path) -> Iterator[str]:
    """Run a page; yields what is not as it says."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    printed = ""
    for block in blocks(page):
        if block.file:
            _write(block)
        elif block.language == "python":
            printed = _executed(block, namespace)
        elif block.language == "sh":
            printed = _commanded(block)
        elif block.language == "text":
            yield from _differences(block, printed)


def _write(block: Block) -> None:
    file = Path(block.file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.content)
    if file.name == "pyproject.toml":
        _install(tomllib.loads(block.content)["project"])
    package = file.parts[0].removesuffix(".py")
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[module]  # so that what is written anew is imported anew
    for cached in (registry.installed, plugins.installed):
        cached.cache_clear()


def _install(project: Any) -> None:
    """Leave the marks of an installed distribution beside its package."""
    info = Path(f"{project['name'].replace('-', '_')}-{project['version']}.dist-info")
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))


def _executed(block: Block, namespace: dict[str, Any]) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(block.content, "<page>", "exec"), namespace)
    return output.getvalue()


def _commanded(block: Block) -> str:
    return "".join(
        _ran(line) for line in block.content.splitlines() if not line.startswith("pip install")
    )


def _ran(line: str) -> str:
    status = _STATUS.search(line)
    program = [sys.executable, "-m", *shlex.split(_STATUS.sub("", line))]
    done = subprocess.run(  # the page's own command
        program, capture_output=True, text=True, check=False
    )
    if done.returncode != int(status[1] if status else 0):
        message = f"{line}\nended with status {done.returncode}\n{done.stdout}{done.stderr}"
        raise SystemExit(message)
    return done.stdout


def _differences(block: Block, printed: str) -> Iterator[str]:
    checker = doctest.OutputChecker()
    if not checker.check_output(block.content, printed, _FLAGS):
        yield f"the page says\n{block.content}\nbut it is\n{printed}"


if __name__ == "__main__":
    if Path("pyproject.toml").exists():  # a page writes files, one of them of this name
        sys.exit("a page writes files: run it in a new folder, as tests/test_docs.py does")
    sys.path.insert(0, "")
    sys.dont_write_bytecode = True  # a page may write a module twice within a second
    said = list(run(Path(sys.argv[1])))
    sys.stdout.write("\n".join(said))
    sys.exit(bool(said))
