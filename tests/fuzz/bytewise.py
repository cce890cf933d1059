"""A program that sends changed bytes through one door.

`python -m fuzz.bytewise TARGET FOLDER RUNS SECONDS SEED` is run by `python -m fuzz`, one process
for each door, because the engine ends its process. FOLDER holds the seeds as `seed-*`, and takes
the counts and what is found. Atheris chooses the changes by what code they reach; where it is not
installed, they are drawn.
"""

from __future__ import annotations

import mmap
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzz.targets import Target

try:
    import atheris
except ImportError:  # no wheel for this platform
    atheris = None

INSTRUMENTED: Final = [
    "costmodel",
    "costmodel_keras",
    "costmodel_qkeras",
    "costmodel_hardware",
    "costmodel_torch",
]
COUNTS: Final = "counts"
"""The file in the folder that holds the numbers of changes, results and microseconds."""
FOUND: Final = "found-"
"""What the names of findings begin with: the bytes, and in `.txt` the traceback."""
MOST_FINDINGS: Final = 20
"""Distinct findings that are written down."""
SLOW_SECONDS: Final = 0.1
"""What takes longer is kept to be looked at."""
_WIDTH: Final = 8


class Counts(NamedTuple):
    """What one process has done."""

    changes: int
    results: int
    slowest_microseconds: int


def read_counts(folder: Path) -> Counts:
    """The counts of the process of this folder; they outlive it, however it ended."""
    path = folder / COUNTS
    if not path.exists():
        return Counts(0, 0, 0)
    return Counts(*memoryview(path.read_bytes()).cast("Q"))


class Session:
    """One door under fire: counts, and keeps what is found."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder = target, folder
        self.seeds = [path.read_bytes() for path in sorted(folder.glob("seed-*"))]
        self._found: set[tuple[str, ...]] = set()
        size = len(Counts._fields) * _WIDTH
        path = folder / COUNTS
        path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._counts = memoryview(mmap.mmap(file.fileno(), size)).cast("Q")

    def one(self, data: bytes) -> None:
        """Send these bytes through the door."""
        start = time.perf_counter()
        given = False
        try:
            given = self.target.run(data)
        except Exception as error:  # noqa: BLE001  # this is what is looked for
            self._keep(data, error)
        taken = int((time.perf_counter() - start) * 1e6)
        self._counts[0] += 1
        self._counts[1] += given
        if taken > self._counts[2]:
            self._counts[2] = taken
            if taken > SLOW_SECONDS * 1e6:
                (self.folder / "slowest").write_bytes(data)

    def changed(self, data: bytes, random: Random) -> bytes:
        """The bytes with some words of them changed, of an archive those within."""
        from fuzz.splicing import flipped, repacked, spliced  # noqa: PLC0415  # see main

        if not self.target.is_archive:
            return spliced(data, random)
        within = repacked(data, lambda content: spliced(content, random))
        return flipped(data, random) if within is None else within

    def _keep(self, data: bytes, error: Exception) -> None:
        """Write down a finding, unless its like was found before."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        like = (type(error).__name__, last.filename, str(last.lineno), str(error)[:40])
        if like in self._found or len(self._found) == MOST_FINDINGS:
            return
        self._found.add(like)
        path = self.folder / f"{FOUND}{len(self._found)}"
        path.write_bytes(data)
        said = "".join(traceback.format_exception(error))
        path.with_suffix(".txt").write_text(said, errors="backslashreplace")


def main(name: str, folder: str, runs: str, seconds: str, seed: str) -> None:
    """Fuzz one door."""
    if atheris is None:
        target = _target(name)
        _draw(Session(target, Path(folder)), int(runs), float(seconds), Random(seed))
        return
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        target = _target(name)
    session = Session(target, Path(folder))
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for index, content in enumerate(session.seeds):
        (corpus / str(index)).write_bytes(content)
    options = [
        f"-runs={runs}", f"-max_total_time={max(round(float(seconds)), 1)}", f"-seed={seed}",
        "-timeout=30", "-rss_limit_mb=1024", f"-artifact_prefix={folder}/{FOUND}", "-verbosity=0",
        "-len_control=0", f"-max_len={2 * max(map(len, session.seeds))}", str(corpus),
    ]  # fmt: skip

    def mutate(data: bytes, most: int, draw: int) -> bytes:
        random = Random(draw)
        if random.random() < 0.5:
            changed: bytes = atheris.Mutate(data, most)
            return changed
        return session.changed(data, random)[:most]

    atheris.Setup([sys.argv[0], *options], session.one, custom_mutator=mutate)
    atheris.Fuzz()


def _target(name: str) -> Target:
    # Imported so late because what the engine is to see is instrumented while it is imported.
    from fuzz.targets import TARGETS, warm  # noqa: PLC0415

    warm()
    return TARGETS[name]


def _draw(session: Session, runs: int, seconds: float, random: Random) -> None:
    """Change the seeds blindly."""
    from fuzz.splicing import flipped  # noqa: PLC0415  # see main

    end = time.monotonic() + seconds
    change: tuple[Callable[[bytes, Random], bytes], ...] = (flipped, session.changed)
    for _ in range(runs if runs >= 0 else sys.maxsize):
        if time.monotonic() > end:
            return
        session.one(random.choice(change)(random.choice(session.seeds), random))


if __name__ == "__main__":
    main(*sys.argv[1:])
