"""What a spatial accelerator is made of: axes of an array, and memories from inner to outer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from attrs import field, frozen

Slot: TypeAlias = Literal["input", "weight", "output"]
SLOTS: Final[tuple[Slot, ...]] = get_args(Slot)
"""The operands of a multiply-accumulate: two factors, and the sum."""
Flow: TypeAlias = Literal["read_to_below", "write_from_above", "write_from_below", "read_to_above"]
FLOWS: Final[tuple[Flow, ...]] = get_args(Flow)
"""What a memory does: operands and sums to resume go down, sums go up."""


def as_tuple(given: Iterable[Any]) -> tuple[Any, ...]:
    """Several values as a tuple."""
    return tuple(given)


def as_set(given: Iterable[Any]) -> frozenset[Any]:
    """Several values as a set."""
    return frozenset(given)


class Use(NamedTuple):
    """What a port is used for: one flow of one operand."""

    operand: Slot
    flow: Flow


@frozen
class Port:
    """A port of one instance of a memory: it moves up to `bits_per_cycle` for all of its uses.

    An access moves a multiple of `smallest_bits`, where that is known.
    """

    name: str
    bits_per_cycle: float
    uses: frozenset[Use] = field(converter=as_set)
    smallest_bits: int = 1


@frozen(kw_only=True)
class Level:
    """A memory of an accelerator: `size_bits` in each of its instances, one per unit along `per`.

    An access of `read_bits` (`write_bits`) costs `read_energy` (`write_energy`) joules, smaller
    ones in proportion, in steps of `smallest_bits`. Without a size it holds anything. A level that
    is `double_buffered` holds the next tile beside the one in use. One that `retains_halo` fetches
    only what of the next window is not there. `leakage` is in watts, of all instances together.
    """

    name: str
    holds: tuple[Slot, ...] = field(converter=as_tuple)
    size_bits: int | None = None
    per: tuple[str, ...] = field(default=(), converter=as_tuple)
    read_energy: float = 0.0
    read_bits: int = 1
    write_energy: float = 0.0
    write_bits: int = 1
    smallest_bits: int = 1
    ports: tuple[Port, ...] = field(default=(), converter=as_tuple)
    double_buffered: bool = False
    retains_halo: bool = False
    leakage: float = 0.0

    def has_room_for(self, bits: int) -> bool:
        """Whether so many bits fit into one instance."""
        return self.size_bits is None or bits <= self.size_bits


def _axes(given: Mapping[str, int] | Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    pairs: Any = given.items() if isinstance(given, Mapping) else given
    return tuple((str(name), int(size)) for name, size in pairs)


@frozen(kw_only=True)
class Architecture:
    """An array with named axes, and memories from the innermost to the outermost.

    Along `systolic` axes operands hop from unit to unit, so that a computation takes cycles to
    fill and to drain; along the others they are broadcast or summed in a tree.

    Raises:
        ValueError: an axis is empty or unknown, a name is given twice, or an operand has no
            memory.

    """

    name: str
    axes: tuple[tuple[str, int], ...] = field(converter=_axes)
    levels: tuple[Level, ...] = field(converter=as_tuple)
    systolic: frozenset[str] = field(default=frozenset(), converter=as_set)
    mac_energy: float = 0.0
    """Joules of one multiply-accumulate."""
    cycles_per_mac: int = 1

    def __attrs_post_init__(self) -> None:
        """Check what its parts say of each other."""
        self._check_names()
        for slot in SLOTS:
            if not self.chain(slot):
                message = f"memories: none holds {slot}; expected one that does"
                raise ValueError(message)
            for inner, outer in pairwise(self.chain(slot)):
                self._check_order(self.levels[inner], self.levels[outer])

    def _check_names(self) -> None:
        names = [name for name, _ in self.axes]
        for what, several in (("axis", names), ("memory", [one.name for one in self.levels])):
            if len(set(several)) < len(several):
                message = f"{what} {max(several, key=several.count)!r} is given twice"
                raise ValueError(message)
        for name, size in self.axes:
            if size < 1:
                message = f"axis {name!r} has {size} units; expected 1 or more"
                raise ValueError(message)
        for level in self.levels:
            if len(set(level.per)) < len(level.per):
                twice = max(level.per, key=level.per.count)
                message = f"memory {level.name!r}: per names axis {twice!r} twice; expected it once"
                raise ValueError(message)
        used = [("systolic", self.systolic)] + [(one.name, one.per) for one in self.levels]
        for where, name in [(where, name) for where, given in used for name in given]:
            if name not in names:
                message = f"{where}: axis {name!r:.60} is not one of the array: {', '.join(names)}"
                raise ValueError(message)

    def _check_order(self, inner: Level, outer: Level) -> None:
        if not set(outer.per) <= set(inner.per):
            message = (
                f"memory {outer.name!r}: it exists per {', '.join(outer.per)}, but the memory "
                f"within it, {inner.name!r}, does not; expected fewer axes further out"
            )
            raise ValueError(message)

    @property
    def size(self) -> Mapping[str, int]:
        """The units along each axis."""
        return dict(self.axes)

    @property
    def units(self) -> int:
        """Units that multiply and accumulate."""
        return math.prod(size for _, size in self.axes)

    def chain(self, operand: Slot) -> tuple[int, ...]:
        """The places of the memories that hold an operand, from inner to outer."""
        return tuple(place for place, one in enumerate(self.levels) if operand in one.holds)

    @property
    def leakage(self) -> float:
        """Watts of all memories."""
        return math.fsum(one.leakage for one in self.levels)

    def level(self, name: str) -> Level:
        """The memory of that name.

        Raises:
            KeyError: there is none.

        """
        return {one.name: one for one in self.levels}[name]


_MOST_UNITS: Final = 1 << 20
"""Units along an axis."""


def as_axes(given: Any) -> str:
    """The axes of an array and their units, such as `{rows: 16, columns: 16}`, as text.

    Raises:
        ValueError: it is something else.

    """
    text = given
    if isinstance(given, Mapping) and given:
        text = ",".join(f"{name}={units}" for name, units in given.items())
    axes_of(text)
    return str(text)


def axes_of(given: Any) -> tuple[tuple[str, int], ...]:
    """What a text such as `rows=16,columns=16` means.

    Raises:
        ValueError: it is something else.

    """
    if not isinstance(given, str) or not all("=" in part for part in given.split(",")):
        message = f"expected axes with units such as {{rows: 16, columns: 16}}, found {given!r:.80}"
        raise ValueError(message)
    parts = [part.partition("=") for part in given.split(",")]
    return tuple((_axis(name), _units(name, units)) for name, _, units in parts)


as_axes.__dict__["costmodel.takes"] = "axes with units, such as rows=16,columns=16"


def _axis(name: Any) -> str:
    text = str(name).strip()
    if not text:
        message = "expected a name for each axis, found an empty one"
        raise ValueError(message)
    return text


def _units(name: Any, given: Any) -> int:
    try:
        units = int(given) if isinstance(given, str) else given
    except ValueError:
        units = None
    if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= _MOST_UNITS:
        message = f"{name}: expected 1 to {_MOST_UNITS:,} units, found {given!r:.40}"
        raise ValueError(message)
    return units
