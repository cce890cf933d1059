"""A run of examples that a strategy draws: each is sent and counted, and findings are kept."""

from __future__ import annotations

import sys
import time
import traceback
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import field, frozen
from fuzz.bytewise import FOUND, MOST_FINDINGS, Counts
from hypothesis import HealthCheck, Phase, given, seed, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

Drawn = TypeVar("Drawn")

_PART: Final = 500
"""Examples between two looks at the clock."""


@frozen
class Bounds:
    """How long a run may be, and what it is drawn from."""

    examples: int
    """-1 for any number."""
    seconds: float
    seed: int


@frozen
class Finder:
    """What one kind of example has led to, kept in `folder`."""

    name: str
    folder: Path
    _found: set[tuple[str, ...]] = field(factory=set, init=False)

    def run(
        self,
        drawn: SearchStrategy[Drawn],
        send: Callable[[Drawn], bool],
        written: Callable[[Drawn], bytes],
        bounds: Bounds,
    ) -> tuple[Counts, int]:
        """Send examples until so many are done or so much time is over.

        `send` says whether there was a result; `written` is what is kept of an example.
        """
        counted = [0, 0, 0]
        end = time.monotonic() + bounds.seconds

        def one(example: Drawn) -> None:
            began = time.perf_counter()
            try:
                counted[1] += send(example)
            except Exception as error:  # noqa: BLE001  # this is what is looked for
                self._keep(error, written(example))
            counted[0] += 1
            taken = int((time.perf_counter() - began) * 1e6)
            if taken > counted[2]:
                counted[2] = taken
                (self.folder / f"slowest-{self.name}").write_bytes(written(example))

        for turn in range(sys.maxsize):
            left = bounds.examples - counted[0] if bounds.examples >= 0 else _PART
            if left <= 0 or time.monotonic() > end:
                break
            bare = settings(
                max_examples=min(_PART, left), deadline=None, database=None,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            seed(bounds.seed * 1_000_003 + turn)(bare(given(drawn)(one)))()
        return Counts(*counted), len(self._found)

    def _keep(self, error: Exception, content: bytes) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        like = (type(error).__name__, last.filename, str(last.lineno), str(error)[:40])
        if like in self._found or len(self._found) == MOST_FINDINGS:
            return
        self._found.add(like)
        path = self.folder / f"{FOUND}{self.name}-{len(self._found)}"
        path.write_bytes(content)
        said = "".join(traceback.format_exception(error))
        path.with_suffix(".txt").write_text(said, errors="backslashreplace")
