"""Which versions of this package a plugin's distribution says that it works with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from typing import Final, TypeAlias

_Release: TypeAlias = tuple[int, ...]

_REQUIREMENT: Final = re.compile(
    r"costmodel[-_.]nn\s*(\[[^]]*\])?\s*\(?(?P<versions>[^;)\[]*)\)?\s*(?P<marker>;.*)?",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"\s*(?P<sign>===|~=|==|!=|<=|>=|<|>)\s*(?P<version>\S+)\s*")


def unmet(requirements: Iterable[str], version: str) -> str | None:
    """The versions that are required of costmodel where `version` is none of them, else None.

    Requirements are written as in a distribution's metadata; those of extras do not count.
    Releases alone are compared, so that a pre-release of a version stands for it.
    """
    for requirement in requirements:
        found = _REQUIREMENT.fullmatch(requirement.strip())
        if found is None or "extra" in (found["marker"] or ""):
            continue
        versions = found["versions"].strip()
        if not all(_is_met(clause, version) for clause in versions.split(",") if clause.strip()):
            return versions
    return None


def _is_met(clause: str, version: str) -> bool:
    found = _CLAUSE.fullmatch(clause)
    # What is not a clause was refused when the plugin was installed, if it ever was.
    return found is None or _SIGNS[found["sign"]](_release(version), found["version"])


def _release(version: str) -> _Release:
    """The numbers of a version up to the first part that is none; zeros at the end go."""
    parts = takewhile(str.isdigit, re.split(r"[.+!-]|(?<=\d)(?=[a-z])", version.lower()))
    numbers = [int(part) for part in parts]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _equal(release: _Release, wanted: str) -> bool:
    if not wanted.endswith(".*"):
        return release == _release(wanted)
    prefix = tuple(int(part) for part in wanted[:-2].split("."))
    padded = (*release, *[0] * len(prefix))
    return padded[: len(prefix)] == prefix


def _compatible(release: _Release, wanted: str) -> bool:
    family = f"{wanted.rpartition('.')[0]}.*"
    return release >= _release(wanted) and _equal(release, family)


_SIGNS: Final[Mapping[str, Callable[[_Release, str], bool]]] = {
    "===": _equal,
    "==": _equal,
    "!=": lambda release, wanted: not _equal(release, wanted),
    "~=": _compatible,
    "<=": lambda release, wanted: release <= _release(wanted),
    ">=": lambda release, wanted: release >= _release(wanted),
    "<": lambda release, wanted: release < _release(wanted),
    ">": lambda release, wanted: release > _release(wanted),
}
