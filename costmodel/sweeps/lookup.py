"""Lookups: tables of groups, filled as designs ask for them, and gathered for many designs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import define, field

from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat

Array: TypeAlias = "np.ndarray[Any, Any]"
Codes: TypeAlias = Mapping[int, Array]
"""For each column the place of the format of every design among its formats."""
_ROOM = 8
"""As many formats a column has room for at first, where they are found one by one."""
_DENSE = 2**20
"""The most combinations of formats for all of which a table has room."""
_LARGEST = 2**62
"""The most combinations that have a number each."""


@define
class FormatColumn:
    """The formats that a tensor, or several alike, has in some design.

    Those of an axis are all known; those that follow from others are found one by one. None stands
    for the default format of what follows from no declaration.
    """

    name: str
    formats: list[NumericFormat | None]
    is_open: bool = False
    """Whether further formats may be found."""
    known: dict[NumericFormat | None, int] = field(init=False)

    @known.default
    def _known(self) -> dict[NumericFormat | None, int]:
        return {one: code for code, one in enumerate(self.formats)}

    def code(self, number: NumericFormat | None) -> int:
        """The place of a format, a new one where it was not met before."""
        found = self.known.get(number)
        if found is None:
            found = self.known[number] = len(self.formats)
            self.formats.append(number)
        return found

    @property
    def room(self) -> int:
        """For how many formats a table has room; of an open column a power of two."""
        if not self.is_open:
            return len(self.formats)
        return max(_ROOM, 1 << (len(self.formats) - 1).bit_length())


Entry: TypeAlias = "tuple[Sequence[float], Sequence[int], frozenset[str]]"
"""The values of a bundle, the codes of the formats that follow, and layers without a price."""


@define
class Bundle:
    """What depends on the same columns: a table with an entry for each of their combinations.

    An entry is asked for once, when the first design needs it; `ask` takes the place of the format
    in each column.
    """

    keys: tuple[int, ...]
    columns: Sequence[FormatColumn] = field(repr=False)
    ask: Callable[[tuple[int, ...]], Entry] = field(repr=False)
    results: tuple[int, ...] = ()
    """The columns of formats that follow."""
    width: int = 1
    """How many values an entry has."""
    rooms: tuple[int, ...] = field(init=False, default=())
    is_filled: Array = field(init=False, repr=False)
    values: Array = field(init=False, repr=False)
    """Shape `(entries, width)`."""
    codes: Array = field(init=False, repr=False)
    """Shape `(results, entries)`."""
    unpriced: dict[str, Array] = field(init=False, repr=False, factory=dict)
    """For each layer that lacks a price somewhere, the entries in which it does."""
    is_whole: bool = field(init=False, default=False)
    numbers: dict[int, int] | None = field(init=False, default=None)
    """The entries of the combinations that occur, where there is no room for all."""

    def __attrs_post_init__(self) -> None:
        """Make room for the formats known so far."""
        self._begin(self._needed())

    def _begin(self, rooms: tuple[int, ...]) -> None:
        self.rooms, count = rooms, math.prod(rooms)
        if count > _LARGEST:
            names = ", ".join(self.columns[key].name for key in self.keys)
            message = (
                f"a group of operators depends on {count:.3g} combinations of formats, of {names}; "
                "give layers the same ones (`equal`), or fewer"
            )
            raise CostModelError(message)
        self.numbers = {} if count > _DENSE else None
        count = 0 if self.numbers is not None else count
        self.is_filled = np.zeros(count, dtype=bool)
        self.values = np.zeros((count, self.width))
        self.codes = np.zeros((len(self.results), count), dtype=np.intp)
        self.unpriced = {}
        self.is_whole = False

    def places(self, codes: Codes) -> Array:
        """The entry of every design, shape `(designs,)`; those that are new are asked for."""
        rooms = self._needed()
        if rooms != self.rooms:
            self._grow(rooms)
        place = np.array(codes[self.keys[0]], dtype=np.int64)
        for key, room in zip(self.keys[1:], self.rooms[1:], strict=True):
            place *= room
            place += codes[key]
        if self.numbers is not None:
            return self._found(place, self.numbers)
        if not self.is_whole:
            self._fill(place)
        return place

    def _found(self, place: Array, numbers: dict[int, int]) -> Array:
        """The entries of combinations by their numbers, of which few occur."""
        met, inverse = np.unique(place, return_inverse=True)
        fresh = [one for one in met.tolist() if one not in numbers]
        if fresh:
            self._append([self.ask(self._at(number)) for number in fresh], len(numbers))
            numbers.update({number: len(numbers) + place for place, number in enumerate(fresh)})
        entries = np.array([numbers[one] for one in met.tolist()], dtype=np.intp)
        return entries[inverse]

    def _append(self, entries: Sequence[Entry], count: int) -> None:
        """Put entries behind those that are there."""
        values, codes, unpriced = zip(*entries, strict=True)
        self.values = np.vstack([self.values, values])
        added = np.array(codes, dtype=np.intp).reshape(len(entries), len(self.results))
        self.codes = np.hstack([self.codes, added.T])
        for layer in {*self.unpriced, *(layer for one in unpriced for layer in one)}:
            before = self.unpriced.get(layer, np.zeros(count, dtype=bool))
            self.unpriced[layer] = np.append(before, [layer in one for one in unpriced])

    def _at(self, number: int) -> tuple[int, ...]:
        """The place of the format in each column, of a combination by its number."""
        found = []
        for room in reversed(self.rooms):
            number, place = divmod(number, room)
            found.append(place)
        return tuple(reversed(found))

    def _fill(self, place: Array) -> None:
        asked = np.zeros_like(self.is_filled)
        asked[place] = True
        for entry in np.flatnonzero(asked & ~self.is_filled):
            values, codes, unpriced = self.ask(self._at(int(entry)))
            self.values[entry] = values
            self.codes[:, entry] = codes
            for layer in unpriced:
                if layer not in self.unpriced:
                    self.unpriced[layer] = np.zeros(len(self.is_filled), dtype=bool)
                self.unpriced[layer][entry] = True
            self.is_filled[entry] = True
        self.is_whole = bool(self.is_filled.all())

    def _needed(self) -> tuple[int, ...]:
        return tuple([self.columns[key].room for key in self.keys])

    def _grow(self, rooms: tuple[int, ...]) -> None:
        """Make room for formats that were found since."""
        if self.numbers is not None or math.prod(rooms) > _DENSE:
            self._begin(rooms)  # what was asked for before is known to whom it is asked of
            return
        kept = np.flatnonzero(self.is_filled)
        moved = np.ravel_multi_index(np.unravel_index(kept, self.rooms), rooms)
        before = self.is_filled, self.values, self.codes, self.unpriced
        self._begin(rooms)
        count = len(self.is_filled)
        self.is_filled[moved] = before[0][kept]
        self.values[moved] = before[1][kept]
        self.codes[:, moved] = before[2][:, kept]
        for layer, entries in before[3].items():
            self.unpriced[layer] = np.zeros(count, dtype=bool)
            self.unpriced[layer][moved] = entries[kept]
