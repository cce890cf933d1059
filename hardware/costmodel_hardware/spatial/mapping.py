"""A mapping: which loops are spread over the array, and which lie in which memory."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any, Final, TypeGuard

from attrs import field, frozen

from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.dataflow import SEARCH
from costmodel_hardware.spatial.nest import Loop


def _loops(given: Any) -> tuple[Loop, ...]:
    return tuple(Loop(str(dim), int(size)) for dim, size in given)


def _spatial(given: Any) -> tuple[tuple[str, tuple[Loop, ...]], ...]:
    pairs = given.items() if isinstance(given, Map) else given
    return tuple((str(axis), _loops(loops)) for axis, loops in pairs)


def _cuts(given: Any) -> tuple[tuple[Slot, tuple[int, ...]], ...]:
    pairs = dict(given.items() if isinstance(given, Map) else given)
    return tuple((slot, tuple(int(cut) for cut in pairs[slot])) for slot in SLOTS)


@frozen
class Mapping:
    """Loops over the array and in time, and where each operand's loops are cut between memories.

    `spatial` has the loops of each axis; units along an axis beyond them are idle. `temporal` has
    the loops in time from the inner to the outer. `cuts` says for each operand, and each of its
    memories from the inner to the last but one, how many of these loops run while that memory
    keeps the same tile. The outermost memory keeps everything.

    A dimension of N steps is spread over U units as ceil(N / U) steps in time, in which the last
    one may leave units idle; the loops in time of a dimension multiply to that.
    """

    spatial: tuple[tuple[str, tuple[Loop, ...]], ...] = field(converter=_spatial)
    temporal: tuple[Loop, ...] = field(converter=_loops)
    cuts: tuple[tuple[Slot, tuple[int, ...]], ...] = field(converter=_cuts)

    @property
    def unrolled(self) -> Map[str, int]:
        """How many steps of each dimension are spread over the array."""
        found: Counter[str] = Counter()
        for _, loops in self.spatial:
            for dim, size in loops:
                found[dim] = max(found[dim], 1) * size
        return found

    def used(self, axis: str) -> int:
        """Units along an axis that have work."""
        return math.prod(size for _, size in dict(self.spatial).get(axis, ()))

    @property
    def steps(self) -> int:
        """Steps in time: the product of the temporal loops."""
        return math.prod(size for _, size in self.temporal)

    def cuts_of(self, slot: Slot) -> tuple[int, ...]:
        """The cuts of one operand."""
        return dict(self.cuts)[slot]

    def to_dict(self, memories: Map[Slot, Sequence[str]]) -> dict[str, Any]:
        """The mapping as JSON has it; `memories` are the names of those of each operand."""
        return {
            "schema": SCHEMA,
            "spatial": {axis: [list(loop) for loop in loops] for axis, loops in self.spatial},
            "temporal": [list(loop) for loop in self.temporal],
            "keeps": {
                slot: dict(zip(memories[slot], self.cuts_of(slot), strict=False)) for slot in SLOTS
            },
        }

    @classmethod
    def read(cls, given: Any, where: str = "mapping") -> Mapping:
        """A mapping from what `to_dict` gave.

        Raises:
            ValueError: it has another form.

        """
        if isinstance(given, cls):
            return given
        known = dict(given) if isinstance(given, Map) else {}
        if set(known) != set(_KEYS):
            found = sorted(known) or given
            message = f"{where}: expected a mapping with {', '.join(_KEYS)}; found {found!r:.80}"
            raise ValueError(message)
        if known["schema"] != SCHEMA:
            message = f"{where}.schema: expected {SCHEMA!r}, found {known['schema']!r:.60}"
            raise ValueError(message)
        spatial, keeps = known["spatial"], known["keeps"]
        if not isinstance(spatial, Map) or not isinstance(keeps, Map) or set(keeps) != set(SLOTS):
            message = (
                f"{where}: expected the loops of each axis in `spatial`, and in `keeps` those of "
                f"{', '.join(SLOTS)} by memory"
            )
            raise ValueError(message)
        loops = {
            str(axis): _checked(f"{where}.spatial.{axis}", one) for axis, one in spatial.items()
        }
        cuts = {slot: _numbers(f"{where}.keeps.{slot}", keeps[slot]) for slot in SLOTS}
        return cls(loops, _checked(f"{where}.temporal", known["temporal"]), cuts)


SCHEMA: Final = "costmodel/mapping/1"
SCHEMA_OF_SEVERAL: Final = "costmodel/mappings/1"
"""That of a file of `costmodel map`, with what each mapping costs beside it."""
_KEYS: Final = ("schema", "spatial", "temporal", "keeps")
_PAIR: Final = 2


def _checked(where: str, given: Any) -> list[Loop]:
    found: list[Loop] = []
    for one in given if isinstance(given, list | tuple) else [given]:
        dim, size = one if isinstance(one, list | tuple) and len(one) == _PAIR else (None, None)
        if not isinstance(dim, str) or not _is_count(size):
            message = f'{where}: expected loops such as ["k", 4], inner first; found {one!r:.60}'
            raise ValueError(message)
        found.append(Loop(dim, size))
    return found


def _numbers(where: str, given: Any) -> list[int]:
    if not isinstance(given, Map) or not all(_is_count(one, 0) for one in given.values()):
        message = (
            f"{where}: expected for each memory but the outermost how many temporal loops run "
            f"while it keeps a tile, such as {{buffer: 3}}; found {given!r:.60}"
        )
        raise ValueError(message)
    return list(given.values())


def _is_count(given: Any, least: int = 1) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and given >= least


def as_mappings(given: Any) -> str:
    """Mappings by the name of an operator, or what `costmodel map` writes, as text.

    Raises:
        ValueError: it is neither that nor `search`.

    """
    if given == SEARCH:
        return SEARCH
    several = _several(given)
    for name, one in several.items():
        Mapping.read(one, name)
    return json.dumps(several)


def mappings_of(given: Any) -> Map[str, Mapping]:
    """What a text of `as_mappings` means.

    Raises:
        ValueError: it is something else.

    """
    if given == SEARCH:
        return {}
    return {name: Mapping.read(one, name) for name, one in _several(given).items()}


def _several(given: Any) -> dict[str, Any]:
    """Mappings by name, in the form of `Mapping.to_dict`, without what they cost."""
    try:
        found = given if isinstance(given, Map) else json.loads(given)
    except (TypeError, ValueError) as error:
        message = f"expected {SEARCH!r} or mappings in JSON, found {given!r:.60}: {error}"
        raise ValueError(message) from None
    if isinstance(found, Map) and found.get("schema") == SCHEMA_OF_SEVERAL:
        found = found.get("mappings")
    if not isinstance(found, Map):
        message = f"expected {SEARCH!r} or a mapping for each operator, found {given!r:.60}"
        raise ValueError(message)  # noqa: TRY004  # what a converter of a setting raises
    plain = {
        str(name): one["mapping"] if isinstance(one, Map) and "mapping" in one else one
        for name, one in found.items()
    }
    return {name: one for name, one in plain.items() if one is not None}


as_mappings.__dict__["costmodel.takes"] = (
    f"{SEARCH}, or mappings as `costmodel map -o FILE.json` writes"
)
