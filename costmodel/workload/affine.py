"""Affine index expressions such as `2p + r - 1`, and the accesses that they make."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import field, frozen

from costmodel.tensor.lockstep import active_places
from costmodel.tensor.sizes import SizeArray, always, as_size, product, smaller

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
"""The name of a dimension."""
_TERM: Final = re.compile(
    r"(?P<factor>\d{1,999})\s*\*?\s*(?P<scaled>[A-Za-z_]\w*)|(?P<dim>[A-Za-z_]\w*)|(?P<number>\d{1,999})",
    re.ASCII,
)
"""A factor and a dimension, a dimension, or a number; Python reads up to 4,300 digits."""
_SIGN: Final = re.compile(r"\s*([+-])\s*")


def check_name(name: Any) -> None:
    """Check the name of a dimension.

    Raises:
        ValueError: it is not a name.

    """
    if not isinstance(name, str) or not _is_name(name):
        message = f"{name!r:.40} is not a name of a dimension; expected such as 'n' or 'k0'"
        raise ValueError(message)


@functools.lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None


def _terms(given: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The terms as given, without those whose factor is 0: an index does not depend on them."""
    terms = tuple([(name, as_size(factor)) for name, factor in given])
    names = [name for name, _ in terms]
    for name in names:
        check_name(name)
    if len(set(names)) < len(names):
        message = f"dimension {max(names, key=names.count)!r} stands twice in one index"
        raise ValueError(message)
    return tuple([term for term in terms if term[1].__class__ is not int or term[1]])


@frozen
class Affine:
    """An index: a sum of dimensions, each times a whole factor, plus an offset.

    Its text is such as `2p + r - 1`; `Affine.of` reads it. The order of the terms is that of the
    text and makes no difference; a term whose factor is 0 is left out.

    Raises:
        ValueError: a dimension stands twice, or its name is not a name.
        TypeError: a factor or the offset is not a whole number.

    """

    terms: tuple[tuple[str, int], ...] = field(default=(), converter=_terms, eq=frozenset)
    offset: int = field(default=0, converter=as_size)

    @classmethod
    def of(cls, text: Affine | str) -> Affine:
        """The index that a text states; an `Affine` stays as it is.

        Raises:
            ValueError: the text is not a sum such as `2p + r - 1`.

        """
        if isinstance(text, Affine):
            return text
        if not isinstance(text, str) or not text.strip():
            raise ValueError(_expected(text))
        return _parsed(text.strip())

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that it reads, in order."""
        return tuple([name for name, _ in self.terms])

    @property
    def is_plain(self) -> bool:
        """Whether it is one dimension as it is."""
        return not self.offset and len(self.terms) == 1 and self.terms[0][1] == 1

    def at(self, point: Mapping[str, int]) -> int:
        """The value of the index at a point of the iteration space."""
        return sum((factor * point[name] for name, factor in self.terms), self.offset)

    def reach(self, sizes: Mapping[str, int]) -> tuple[int, int]:
        """The least and the largest value over dimensions of these sizes."""
        ends = [factor * (sizes[name] - 1) for name, factor in self.terms]
        low = self.offset + sum([end for end in ends if end < 0])
        return low, self.offset + sum([end for end in ends if end > 0])

    def moved(self, by: int) -> Affine:
        """The same index plus a number."""
        return self if by.__class__ is int and by == 0 else Affine(self.terms, self.offset + by)

    def __str__(self) -> str:
        """Write it as `2p + r - 1`."""
        parts = [(factor, f"{_factor(factor)}{name}") for name, factor in self.terms]
        if self.offset or not parts:
            parts.append((self.offset, str(abs(self.offset))))
        (sign, first), *rest = parts
        more = [f" {'-' if factor < 0 else '+'} {text}" for factor, text in rest]
        return "".join([f"{'-' if sign < 0 else ''}{first}", *more])


def _factor(factor: int) -> str:
    return "" if abs(factor) == 1 else str(abs(factor))


def _expected(text: Any) -> str:
    return f"index {text!r:.60}: expected a sum such as '2p + r - 1'"


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Affine:
    signed = text if text[0] in "+-" else f"+{text}"
    terms: list[tuple[str, int]] = []
    offset, place = 0, 0
    while place < len(signed):
        sign = _SIGN.match(signed, place)
        term = _TERM.match(signed, sign.end()) if sign else None
        if sign is None or term is None:
            raise ValueError(_expected(text))
        place = term.end()
        amount = int(term["factor"] or term["number"] or 1) * (-1 if sign[1] == "-" else 1)
        if term["number"]:
            offset += amount
        else:
            terms.append((term["scaled"] or term["dim"], amount))
    return Affine(terms, offset)


@functools.lru_cache(maxsize=4096)
def axis_index(name: str) -> Affine:
    """The index that is one dimension."""
    return Affine(((name, 1),))


Index: TypeAlias = tuple[Affine | None, ...]
"""One index for each axis; None where it depends on data, or no affine map states it."""


class Accesses(NamedTuple):
    """How a nest of loops meets the elements of a tensor.

    `points` are the points of the iteration space whose index lies inside the tensor, `elements`
    the different elements that they meet, `meeting` the most points that meet at one element.
    """

    points: int
    elements: int
    meeting: int


MOST_POINTS: Final = 10_000_000
"""Points of coupled axes that are enumerated; a larger space has no exact answer in time."""


_FARTHEST: Final = 2**60
"""The values that 64-bit integers can hold with room for sums of a few."""


def accesses(index: Index, shape: Sequence[int], dims: Mapping[str, int]) -> Accesses:
    """How the points of `dims` meet a tensor of `shape` at `index`.

    An index that is None may be anywhere: each of its points is taken to be inside, and the
    elements are as many as there are points, up to the length of the axis.

    The longest dimension of an index is never enumerated, only the others are, and none of them
    where different points surely have different indices inside of the tensor.

    Raises:
        ValueError: the other dimensions of an index span more than MOST_POINTS points, or it
            reaches further than 2^60.

    """
    points = elements = meeting = 1
    for axes in _coupled(index):
        found = _met([index[axis] for axis in axes], [shape[axis] for axis in axes], dims)  # type: ignore[misc]  # coupled axes have an index
        points, elements = points * found.points, elements * found.elements
        meeting *= found.meeting
    used = {name for one in index if one is not None for name in one.dims}
    free = product([size for name, size in dims.items() if name not in used])
    places = product([length for one, length in zip(index, shape, strict=True) if one is None])
    return Accesses(points * free, elements * smaller(places, free), meeting * free)


def _coupled(index: Index) -> Iterator[list[int]]:
    """The axes that share dimensions, together; axes without an index are left out."""
    groups: list[tuple[set[str], list[int]]] = []
    for axis, one in enumerate(index):
        if one is None:
            continue
        names, axes = set(one.dims), [axis]
        apart = []
        for others, places in groups:
            if names & others:
                names, axes = names | others, [*places, *axes]
            else:
                apart.append((others, places))
        groups = [*apart, (names, axes)]
    return iter([sorted(axes) for _, axes in groups])


def _met(index: Sequence[Affine], shape: Sequence[int], dims: Mapping[str, int]) -> Accesses:
    if len(index) == 1 and index[0].is_plain and always(dims[index[0].dims[0]] <= shape[0]):
        size = dims[index[0].dims[0]]
        return Accesses(size, size, smaller(size, 1))
    names = list(dict.fromkeys(name for one in index for name in one.dims))
    sizes = [dims[name] for name in names]
    factors = [factor for one in index for _, factor in one.terms]
    offsets = [one.offset for one in index]
    if SizeArray in map(type, (*sizes, *shape, *factors, *offsets)):
        return _met_by_many(index, shape, dict(zip(names, sizes, strict=True)))
    if min(sizes, default=1) == 0:
        return Accesses(0, 0, 0)
    moving = {name: size for name, size in zip(names, sizes, strict=True) if size > 1}
    return _along_lines(
        [_Axis.of(one, length, moving) for one, length in zip(index, shape, strict=True)], moving
    )


def _met_by_many(
    index: Sequence[Affine], shape: Sequence[int], dims: Mapping[str, int]
) -> Accesses:
    """The answers for many sizes, each by itself."""
    numbers = [*dims.values(), *shape]
    for one in index:
        numbers += [one.offset, *[factor for _, factor in one.terms]]
    count = max(len(number) for number in numbers if isinstance(number, SizeArray))
    found = [Accesses(0, 0, 0)] * count
    for row in active_places(count):
        rows = [
            Affine(
                [(name, _in_row(factor, row)) for name, factor in one.terms],
                _in_row(one.offset, row),
            )
            for one in index
        ]
        sizes = {name: _in_row(size, row) for name, size in dims.items()}
        found[row] = _met(rows, [_in_row(length, row) for length in shape], sizes)
    return Accesses(*[SizeArray(column) for column in zip(*found, strict=True)])


def _in_row(number: int, row: int) -> int:
    return number[row] if isinstance(number, SizeArray) else number


class _Axis(NamedTuple):
    """An axis of a tensor: its length, and where an index goes along it."""

    length: int
    offset: int
    factors: Mapping[str, int]

    @classmethod
    def of(cls, index: Affine, length: int, sizes: Mapping[str, int]) -> _Axis:
        """The axis that an index accesses; dimensions of size 1, which stay at 0, are left out."""
        factors = {name: factor for name, factor in index.terms if name in sizes}
        return cls(length, index.offset, factors)

    def reach(self, sizes: Mapping[str, int]) -> tuple[int, int]:
        """The least and the largest value of the index."""
        ends = [factor * (sizes[name] - 1) for name, factor in self.factors.items()]
        low = self.offset + sum([end for end in ends if end < 0])
        return low, self.offset + sum([end for end in ends if end > 0])

    def is_injective(self, sizes: Mapping[str, int]) -> bool:
        """Whether different points surely have different values, as digits of a number do."""
        if len(self.factors) < len(sizes):
            return False
        reach = 0
        for factor, size in sorted([(abs(f), sizes[name]) for name, f in self.factors.items()]):
            if factor <= reach:
                return False
            reach += factor * (size - 1)
        return True


def _along_lines(axes: Sequence[_Axis], sizes: Mapping[str, int]) -> Accesses:
    """The longest dimension draws lines through the tensor, the others say where they begin."""
    reaches = [axis.reach(sizes) for axis in axes]
    lengths = [axis.length for axis in axes]
    is_inside = all(
        low >= 0 and high < length for (low, high), length in zip(reaches, lengths, strict=True)
    )
    if is_inside and any(axis.is_injective(sizes) for axis in axes):
        points = math.prod(sizes.values())
        return Accesses(points, points, 1)
    if not sizes:
        return Accesses(int(is_inside), int(is_inside), int(is_inside))
    for low, high in reaches:
        _check_reach(low, high)
    main = max(sizes, key=lambda name: sizes[name])
    others = {name: size for name, size in sizes.items() if name != main}
    _check_points(math.prod(others.values()))
    starts = [_starts(axis, others) for axis in axes]
    return _lines(starts, [axis.factors.get(main, 0) for axis in axes], lengths, sizes[main])


def _starts(axis: _Axis, sizes: Mapping[str, int]) -> Any:
    """The values of the index over all dimensions but the main one, which stands at 0."""
    np = _numpy()
    starts = np.array([axis.offset], dtype=np.int64)
    for name, size in sizes.items():
        steps = axis.factors.get(name, 0) * np.arange(size, dtype=np.int64)
        starts = (starts[:, None] + steps).ravel()
    return starts


def _lines(
    starts: Sequence[Any], factors: Sequence[int], lengths: Sequence[int], size: int
) -> Accesses:
    """What lines of `size` steps of `factors` from each of `starts` meet in a tensor."""
    np = _numpy()
    first, last = np.zeros_like(starts[0]), np.full_like(starts[0], size - 1)
    for start, factor, length in zip(starts, factors, lengths, strict=True):
        low, high = _steps_inside(start, factor, min(length, 2 * _FARTHEST), size)
        first, last = np.maximum(first, low), np.minimum(last, high)
    is_met = last >= first
    if not is_met.any():
        return Accesses(0, 0, 0)
    starts, first, last = [start[is_met] for start in starts], first[is_met], last[is_met]
    steepest = max(range(len(factors)), key=lambda axis: abs(factors[axis]))
    turn = starts[steepest] // factors[steepest]  # lines of one origin lie upon each other
    origins = [start - turn * factor for start, factor in zip(starts, factors, strict=True)]
    elements, meeting = _swept(origins, turn + first, turn + last)
    return Accesses(int((last - first + 1).sum()), elements, meeting)


def _steps_inside(start: Any, factor: int, length: int, size: int) -> tuple[Any, Any]:
    """The first and the last step from `start` that are inside an axis."""
    np = _numpy()
    if factor > 0:
        return -(start // factor), (length - 1 - start) // factor
    if factor < 0:
        return -((length - 1 - start) // -factor), start // -factor
    is_inside = (start >= 0) & (start < length)
    return np.zeros_like(start), np.where(is_inside, size - 1, -1)


def _swept(origins: Sequence[Any], low: Any, high: Any) -> tuple[int, int]:
    """The size of the union of the intervals of each origin, and the most that overlap."""
    np = _numpy()
    places = np.concatenate([low, high + 1])
    change = np.repeat(np.array([1, -1], np.int64), len(low))
    lines = [np.concatenate([origin, origin]) for origin in origins]
    order = np.lexsort((change, places, *lines))  # ends before beginnings at one place
    places, depth = places[order], np.cumsum(change[order])
    covered = depth[:-1] > 0  # no interval of an origin is left open where the next one begins
    return int((places[1:] - places[:-1])[covered].sum()), int(depth.max())


def _check_reach(low: int, high: int) -> None:
    if max(-low, high) > _FARTHEST:
        message = f"an index reaches from {low} to {high}; expected values within 2^60"
        raise ValueError(message)


def _check_points(points: int) -> None:
    if points > MOST_POINTS:
        message = (
            f"axes that share dimensions span {points:,} points beside the longest; "
            f"expected at most {MOST_POINTS:,} to count their accesses exactly"
        )
        raise ValueError(message)


def _numpy() -> Any:
    import numpy as np  # noqa: PLC0415  # most operators need none of it

    return np
