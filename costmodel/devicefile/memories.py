"""The memories of a device file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel.devicefile.figures import Wanted
from costmodel.devicefile.schema import not_known
from costmodel.devices import Access, Memory
from costmodel.devices.evaluation.memory import HALOS
from costmodel.workload.operators import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costmodel.devicefile.figures import FigureReader
    from costmodel.devices import Parameter

UNLIMITED: Final = "unlimited"
"""The size of a memory that is large enough for anything."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A name: one word to type, in a list separated by commas too."""

_ACCESS: Final = "a mapping such as {energy: {value: 6 pJ, ...}, width: 64 bit}"
_UNITS: Final = {"size": "B", "bandwidth": "B/s", "leakage": "W", "area": "m2"}
"""The figures of a memory by their keys."""
_WAYS: Final = ("read", "write")
_FLAGS: Final = ("double_buffered", "shared_port")
_KEYS: Final = dict.fromkeys(
    ("name", *_UNITS, *_WAYS, "holds", "per", *_FLAGS, "halo", "source", "evidence")
)
"""What a memory of a file may have."""


class MemoryReader:
    """Reads memories, and adds what is wrong to the list of the reader of figures."""

    def __init__(self, figures: FigureReader) -> None:
        """Read memories whose numbers `figures` reads."""
        self.figures, self.mistakes = figures, figures.mistakes

    def memories(self, raw: Any, path: str = "memories") -> Iterator[Memory]:
        """The memories of a list at a path, without those that have a mistake."""
        if not isinstance(raw, list):
            expected = "a list of memories from the innermost, such as [{name: dram}]"
            self.mistakes.append(f"{path}: expected {expected}, found {raw!r:.80}")
            return
        names: set[str] = set()
        for place, item in enumerate(raw):
            made = self._memory(f"{path}[{place}]", item)
            if made is None:
                continue
            if made.name in names:
                self.mistakes.append(f"{path}[{place}].name: {made.name!r} is there before")
            names.add(made.name)
            yield made

    def _memory(self, path: str, raw: Any) -> Memory | None:
        before = len(self.mistakes)
        if not isinstance(raw, dict):
            self.mistakes.append(f"{path}: expected a mapping with a name, found {raw!r:.80}")
            return None
        for key in raw:
            if key not in _KEYS:
                self.mistakes.append(not_known(path, str(key), _KEYS))
        name = raw.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.mistakes.append(f"{path}.name: expected a word such as dram, found {name!r:.80}")
        self._check_lists(path, raw)
        given = self.figures.defaults(path, raw)
        known: dict[str, Any] = {
            key: raw[key] for key in ("holds", "per", *_FLAGS, "halo") if key in raw
        }
        known |= {
            key: self._figure(f"{path}.{key}", raw[key], f"{name}.{key}", unit, given)
            for key, unit in _UNITS.items()
            if key in raw and (key, raw[key]) != ("size", UNLIMITED)
        }
        known |= {
            way: self._access(f"{path}.{way}", raw[way], f"{name}.{way}", given)
            for way in _WAYS
            if way in raw
        }
        if len(self.mistakes) > before:
            return None
        return Memory(name=str(name), **known)

    def _check_lists(self, path: str, raw: Mapping[str, Any]) -> None:
        """Show what is wrong with what is not a figure."""
        holds, per = raw.get("holds", list(ROLES)), raw.get("per", [])
        if not isinstance(holds, list) or not holds or any(role not in ROLES for role in holds):
            expected = f"a list of {', '.join(ROLES)}"
            self.mistakes.append(f"{path}.holds: expected {expected}, found {holds!r:.80}")
        if not isinstance(per, list) or not all(isinstance(one, str) and one for one in per):
            expected = "a list of axes or parts that it exists once for"
            self.mistakes.append(f"{path}.per: expected {expected}, found {per!r:.80}")
        if raw.get("halo", HALOS[0]) not in HALOS:
            expected = f"one of {', '.join(HALOS)}"
            self.mistakes.append(f"{path}.halo: expected {expected}, found {raw['halo']!r:.80}")
        for flag in _FLAGS:
            if not isinstance(raw.get(flag, True), bool):
                found = f"expected true or false, found {raw[flag]!r:.80}"
                self.mistakes.append(f"{path}.{flag}: {found}")

    def _figure(
        self, path: str, raw: Any, name: str, unit: str, given: Mapping[str, str]
    ) -> Parameter | None:
        is_positive = unit == "B/s"
        wanted = Wanted(name=name, unit=unit, is_positive=is_positive, given=given)
        return self.figures.figure(path, raw, wanted)

    def _access(self, path: str, raw: Any, name: str, given: Mapping[str, str]) -> Access | None:
        demanded = {"energy", "width"}
        if not isinstance(raw, dict) or not demanded <= set(raw) <= {*demanded, "smallest"}:
            self.mistakes.append(f"{path}: expected {_ACCESS}, found {raw!r:.80}")
            return None
        energy = self._figure(f"{path}.energy", raw["energy"], f"{name}.energy", "J", given)
        width = self._bits(f"{path}.width", raw["width"])
        smallest = self._bits(f"{path}.smallest", raw["smallest"]) if "smallest" in raw else None
        if width is not None and smallest is not None and smallest > width:
            found = f"found {raw['smallest']!r:.80}"
            self.mistakes.append(f"{path}.smallest: expected at most the width, {found}")
            return None
        return None if energy is None or width is None else Access(energy, width, smallest)

    def _bits(self, path: str, raw: Any) -> int | None:
        found = self.figures.quantity(path, raw, "bit")
        if found is None:
            return None
        if not (found.value >= 1 and found.value.is_integer()):
            self.mistakes.append(f"{path}: expected a whole number of bits, found {raw!r:.80}")
            return None
        return int(found.value)
