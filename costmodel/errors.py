"""Errors that say what is wrong, where, what was expected and what to do."""

from __future__ import annotations

import difflib
import os
import re
import traceback
from inspect import getfile, getsourcelines
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_ALIKE: Final = 0.75
"""The least similarity of a name that is worth suggesting."""
_JOINT: Final = re.compile(r"[./]")
"""What a name is put together with: keras.Conv2D, block/conv."""
_LONGEST: Final = 200
"""Characters of a name that may have been mistyped; a longer one was never typed."""
_MESSAGE: Final = 16_000
"""Characters of a message."""
_MISTAKES: Final = 50
"""Mistakes of one file that its message lists."""
_MISTAKE: Final = 300
"""Characters of a mistake that are shown."""
_NOT_TOLD: Final = (f"{Path(__file__).parent}{os.sep}", "<attrs generated")
"""The beginnings of files whose functions only lead to the one that is at fault."""
_DOUBLED: Final = re.compile(r"(.)\1+")


class CostModelError(Exception):
    """The base of every error that this package raises on purpose."""

    def __str__(self) -> str:
        """Write the message; a file can put so much into one that nobody would read it."""
        text = super().__str__()
        return text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]}..."


class UnknownNameError(CostModelError, LookupError):
    """A name that nothing answers to; the message gives the nearest known one."""

    def __init__(self, asked: str, known: Iterable[str], what: str, hint: str = "") -> None:
        """Say that no `what` is called `asked`, given the `known` names and a next step."""
        self.what, self.asked, self.known = what, asked, sorted(map(str, known))
        super().__init__("\n  ".join(self._lines(hint)))

    def _lines(self, hint: str) -> list[str]:
        lines = [f"unknown {self.what} {self.asked!r:.{_LONGEST}}"]
        if near := nearest(self.asked, self.known):
            lines.append(f"nearest known: {near!r}")
        lines.append(f"known: {listed(self.known)}")
        return [*lines, hint] if hint else lines


class ReadError(CostModelError):
    """A source that cannot be read as a network."""


class NetworkError(CostModelError):
    """Layers that do not make a network: a cycle, a repeated name, shapes that disagree."""


class ShapeError(NetworkError):
    """A layer whose shapes are impossible, contradictory or not bound."""


class BatchError(ShapeError):
    """A layer whose inputs have the batch folded differently, or on another axis than the first."""

    def __init__(self, reason: str, where: str = "") -> None:
        """Say why, and which layer it is about where that is known."""
        super().__init__(f"{where}: {reason}" if where else reason)
        self.reason = reason


class ScenarioError(CostModelError):
    """Conditions that make no sense, or that a device needs and nobody gave."""


class UnitError(CostModelError, ValueError):
    """A quantity that is not a number with a unit of the closed table."""


class LinalgError(CostModelError):
    """Work that `linalg.generic` cannot state, or MLIR text that states no operator."""


class FormatError(CostModelError, ValueError):
    """A numeric format that cannot exist, or an operation that a format does not allow."""


class OneSizeNeededError(CostModelError, TypeError):
    """One size is needed where a batch of operators has many."""


class MissingPackageError(CostModelError):
    """A package that is needed and cannot be imported; the message says what to install."""

    def __init__(
        self, what: str, modules: Sequence[str], extra: str = "", fault: ImportError | None = None
    ) -> None:
        """Say that `what` needs one of some `modules`, which an `extra` of this package brings."""
        names = list(dict.fromkeys(module.partition(".")[0] for module in modules))
        absent = fault is None or fault.name is None or fault.name in {*names, *modules}
        why = "which is not installed" if absent else f"which cannot be imported ({fault})"
        wanted = f"'costmodel-nn[{extra}]'" if extra else names[0]
        super().__init__(f"{what} needs {' or '.join(names)}, {why}: pip install {wanted}")


class PluginError(CostModelError):
    """A plugin that cannot be used."""


class UnpricedError(CostModelError):
    """Work that no rule or device could price, where the caller asked to be stopped by it."""


class MistakesError(CostModelError):
    """A file with mistakes; `mistakes` lists all of them."""

    def __init__(self, file: str, mistakes: Sequence[str], hints: Iterable[str] = ()) -> None:
        """Collect the `mistakes` of one `file`, each with its path, demand and value.

        `hints` are next steps, shown behind them.
        """
        self.file, self.mistakes = file, tuple(mistakes)
        count = len(self.mistakes)
        head = f"{file}: {count} mistake{'s' if count > 1 else ''}"
        shown = [f"{mistake:.{_MISTAKE}}" for mistake in self.mistakes[:_MISTAKES]]
        rest = [f"and {count - _MISTAKES} more"] if count > _MISTAKES else []
        super().__init__("\n  ".join([head, *shown, *rest, *hints]))


class DeviceFileError(MistakesError):
    """A device file with mistakes."""


class BudgetError(MistakesError):
    """A budget with mistakes, or one that does not fit its devices or its baseline."""


class UnpricedWarning(UserWarning):
    """Work that is in the network but not in the total."""


def fault(error: BaseException, owner: type | Callable[..., Any]) -> str:
    """An error that nobody raised on purpose: what, and in which function, file and line.

    The function is the first that is not of this package; the line is the last one of its file
    that the error came through. Where there is none, as of a method that was called in vain, it
    is the class whose method it is.
    """
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(_NOT_TOLD)
    ]
    what = " ".join(f"{type(error).__name__}: {error}".split())
    if not frames:
        return f"{what}, in {_place(owner)}"
    first = frames[0][0]
    line = [line for code, line in frames if code.co_filename == first.co_filename][-1]
    return f"{what}, in {first.co_qualname} ({first.co_filename}, line {line})"


def _place(owner: type | Callable[..., Any]) -> str:
    try:
        return f"{owner.__qualname__} ({getfile(owner)}, line {getsourcelines(owner)[1]})"
    except (OSError, TypeError):  # typed in, and nowhere to be read
        return owner.__qualname__


def nearest(asked: str, known: Iterable[str]) -> str | None:
    """The known name closest to `asked`, letter case aside, or None where none is close.

    The part behind the last dot or slash must be alike: that names begin alike says nothing. Of
    names that are equally close one of the same letters is chosen, then the first in the alphabet.
    """
    folded = str(asked).casefold()
    if len(folded) > _LONGEST:
        return None
    scored = [(_alikeness(folded, str(name).casefold()), name) for name in sorted(known, key=str)]
    best = max(scored, key=lambda pair: pair[0], default=((0.0, 0.0, 0.0), ""))
    return best[1] if best[0][0] >= _ALIKE else None


def _alikeness(asked: str, name: str) -> tuple[float, float, float]:
    """How alike the last parts are and, where they are, the whole names and their letters."""
    first, second = (_JOINT.split(text)[-1] for text in (asked, name))
    end = 1.0 if _undoubled(first) == _undoubled(second) else _ratio(first, second)
    if end < _ALIKE:
        return end, 0.0, 0.0
    letters = difflib.SequenceMatcher(None, name, asked).quick_ratio()
    return end, _ratio(asked, name), letters


def _ratio(first: str, second: str) -> float:
    matcher = difflib.SequenceMatcher(None, second, first)
    # The upper bounds are quick, and most names are far off.
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < _ALIKE / 2:
        return 0.0
    return matcher.ratio()


def _undoubled(text: str) -> str:
    return _DOUBLED.sub(r"\1", text)


def listed(names: Sequence[str], limit: int = 20) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:limit]) or "none"
    return f"{shown}, and {len(names) - limit} more" if len(names) > limit else shown
