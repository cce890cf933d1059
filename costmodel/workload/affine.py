"""Affine index expressions such as `2p + r - 1`, and the accesses that they make."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import field, frozen

from costmodel.sizes import Sizes, always, as_size, smaller

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
"""The name of a dimension."""
_TERM: Final = re.compile(r"(?P<factor>\d+)?\s*\*?\s*(?P<dim>[A-Za-z_]\w*)?", re.ASCII)
_SIGN: Final = re.compile(r"\s*([+-])\s*")


def _terms(given: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    terms = tuple([(name, as_size(factor)) for name, factor in given])
    names = [name for name, _ in terms]
    if len(set(names)) < len(names):
        message = f"dimension {max(names, key=names.count)!r} stands twice in one index"
        raise ValueError(message)
    return terms


@frozen
class Affine:
    """An index: a sum of dimensions, each times a whole factor, plus an offset.

    Its text is such as `2p + r - 1`; `Affine.of` reads it.

    Raises:
        ValueError: a dimension stands twice.
        TypeError: a factor or the offset is not a whole number.

    """

    terms: tuple[tuple[str, int], ...] = field(default=(), converter=_terms)
    offset: int = field(default=0, converter=as_size)

    @classmethod
    def of(cls, text: Affine | str) -> Affine:
        """The index that a text states; an `Affine` stays as it is.

        Raises:
            ValueError: the text is not a sum such as `2p + r - 1`.

        """
        return text if isinstance(text, Affine) else _parsed(text)

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


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Affine:
    expected = f"index {text!r:.60}: expected a sum such as '2p + r - 1'"
    if not isinstance(text, str) or not text.strip():
        raise ValueError(expected)
    text = text.strip()
    signed = text if text[0] in "+-" else f"+{text}"
    terms: list[tuple[str, int]] = []
    offset, place = 0, 0
    while place < len(signed):
        sign = _SIGN.match(signed, place)
        term = _TERM.match(signed, sign.end()) if sign else None
        if sign is None or term is None or term.end() == sign.end():
            raise ValueError(expected)
        place = term.end()
        amount = int(term["factor"] or 1) * (-1 if sign[1] == "-" else 1)
        if term["dim"]:
            terms.append((term["dim"], amount))
        else:
            offset += amount
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


_FARTHEST: Final = 2**62
"""The values that 64-bit integers can hold with room for a sum."""


def accesses(index: Index, shape: Sequence[int], dims: Mapping[str, int]) -> Accesses:
    """How the points of `dims` meet a tensor of `shape` at `index`.

    An index that is None may be anywhere: each of its points is taken to be inside, and the
    elements are as many as there are points, up to the length of the axis.

    Raises:
        ValueError: axes share dimensions in a space of more than MOST_POINTS points.

    """
    points = elements = meeting = 1
    for axes in _coupled(index):
        found = _met([index[axis] for axis in axes], [shape[axis] for axis in axes], dims)  # type: ignore[misc]  # coupled axes have an index
        points, elements = points * found.points, elements * found.elements
        meeting *= found.meeting
    used = {name for one in index if one is not None for name in one.dims}
    free = math.prod([size for name, size in dims.items() if name not in used])
    open_axes = [length for one, length in zip(index, shape, strict=True) if one is None]
    if not open_axes:
        return Accesses(points * free, elements if free else 0, meeting * free)
    return Accesses(points * free, elements * min(math.prod(open_axes), free), meeting * free)


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
    if Sizes in map(type, (*sizes, *shape)):
        return _met_by_many(index, shape, dict(zip(names, sizes, strict=True)))
    if min(sizes, default=1) == 0:
        return Accesses(0, 0, 0)
    if len(index) == 1:
        return _along_one_axis(index[0], shape[0], sizes)
    if all(len(one.terms) == 1 for one in index) and len(names) == 1:
        return _along_a_diagonal(index, shape, sizes[0])
    return _enumerated(index, shape, names, sizes)


def _met_by_many(
    index: Sequence[Affine], shape: Sequence[int], dims: Mapping[str, int]
) -> Accesses:
    """The answers for many sizes, each by itself."""
    lengths = [*dims.values(), *shape]
    count = max(len(size) for size in lengths if isinstance(size, Sizes))
    found = []
    for row in range(count):
        *sizes, last = [
            tuple(size[row] if isinstance(size, Sizes) else size for size in group)
            for group in (tuple(dims.values()), tuple(shape))
        ]
        found.append(_met(index, last, dict(zip(dims, sizes[0], strict=True))))
    return Accesses(*[Sizes(column) for column in zip(*found, strict=True)])


def _along_one_axis(index: Affine, length: int, sizes: Sequence[int]) -> Accesses:
    """One axis: the longest dimension makes runs, the others say where the runs begin."""
    factors = [factor for _, factor in index.terms]
    low = index.offset + sum(min(f * (s - 1), 0) for f, s in zip(factors, sizes, strict=True))
    high = index.offset + sum(max(f * (s - 1), 0) for f, s in zip(factors, sizes, strict=True))
    is_inside = low >= 0 and high < length
    _check_reach(low, high)
    if is_inside and _is_injective(factors, sizes):
        points = math.prod(sizes)
        return Accesses(points, points, 1)
    if not index.terms:
        return Accesses(int(is_inside), int(is_inside), int(is_inside))
    main = max(range(len(sizes)), key=lambda place: (sizes[place], abs(factors[place])))
    if factors[main] == 0:
        return _without_factor(index, length, sizes, main)
    starts = _starts(index.offset, factors, sizes, main)
    return _runs(starts, factors[main], sizes[main], length)


def _without_factor(index: Affine, length: int, sizes: Sequence[int], main: int) -> Accesses:
    rest = [term for place, term in enumerate(index.terms) if place != main]
    others = [size for place, size in enumerate(sizes) if place != main]
    found = _along_one_axis(Affine(rest, index.offset), length, others)
    return Accesses(found.points * sizes[main], found.elements, found.meeting * sizes[main])


def _is_injective(factors: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether different points surely have different values, as the digits of a number have."""
    reach = 0
    for factor, size in sorted(zip(map(abs, factors), sizes, strict=True)):
        if size > 1 and factor <= reach:
            return False
        reach += factor * (size - 1)
    return True


def _starts(offset: int, factors: Sequence[int], sizes: Sequence[int], main: int) -> Any:
    """The values of the index over all dimensions but the main one, which stands at 0."""
    np = _numpy()
    others = [
        (f, s) for place, (f, s) in enumerate(zip(factors, sizes, strict=True)) if place != main
    ]
    _check_points(math.prod(size for _, size in others))
    starts = np.array([offset], dtype=np.int64)
    for factor, size in others:
        starts = (starts[:, None] + factor * np.arange(size, dtype=np.int64)).ravel()
    return starts


def _runs(starts: Any, factor: int, size: int, length: int) -> Accesses:
    """What runs of `size` steps of `factor` from each of `starts` meet in an axis."""
    np = _numpy()
    if factor < 0:  # the same run from its other end
        starts, factor = starts + factor * (size - 1), -factor
    first = np.maximum(0, -(starts // factor))  # the first step at 0 or above
    last = np.minimum(size - 1, (length - 1 - starts) // factor)
    is_met = last >= first
    starts, first, last = starts[is_met], first[is_met], last[is_met]
    if not len(starts):
        return Accesses(0, 0, 0)
    residue, turn = starts % factor, starts // factor
    elements, meeting = _swept(residue, turn + first, turn + last)
    return Accesses(int((last - first + 1).sum()), elements, meeting)


def _swept(residue: Any, low: Any, high: Any) -> tuple[int, int]:
    """The size of the union of intervals of each residue, and the most that overlap."""
    np = _numpy()
    count = len(low)
    places = np.concatenate([low, high + 1])
    change = np.concatenate([np.ones(count, np.int64), -np.ones(count, np.int64)])
    which = np.concatenate([residue, residue])
    order = np.lexsort((change, places, which))  # ends before beginnings at one place
    places, change, which = places[order], change[order], which[order]
    depth = np.cumsum(change)
    covered = (depth[:-1] > 0) & (which[1:] == which[:-1])
    return int((places[1:] - places[:-1])[covered].sum()), int(depth.max())


def _along_a_diagonal(index: Sequence[Affine], shape: Sequence[int], size: int) -> Accesses:
    """One dimension in every axis: the steps at which all axes are inside."""
    first, last = 0, size - 1
    for one, length in zip(index, shape, strict=True):
        ((_, factor),) = one.terms
        if factor == 0:
            return _enumerated(index, shape, [index[0].dims[0]], [size])
        ends = sorted((-one.offset / factor, (length - 1 - one.offset) / factor))
        first, last = max(first, math.ceil(ends[0])), min(last, math.floor(ends[1]))
    steps = max(last - first + 1, 0)
    return Accesses(steps, steps, min(steps, 1))


def _enumerated(
    index: Sequence[Affine], shape: Sequence[int], names: Sequence[str], sizes: Sequence[int]
) -> Accesses:
    np = _numpy()
    _check_points(math.prod(sizes))
    grid = dict(zip(names, np.indices(sizes, dtype=np.int64), strict=True))
    place, is_inside = np.zeros(sizes, np.int64), np.ones(sizes, bool)
    for one, length in zip(index, shape, strict=True):
        value = one.offset + sum((factor * grid[name] for name, factor in one.terms), np.int64(0))
        is_inside &= (value >= 0) & (value < length)
        place = place * length + value
    _, counts = np.unique(place[is_inside], return_counts=True)
    return Accesses(int(is_inside.sum()), len(counts), int(counts.max(initial=0)))


def _check_reach(low: int, high: int) -> None:
    if max(-low, high) > _FARTHEST:
        message = f"an index reaches from {low} to {high}; expected values within 2^62"
        raise ValueError(message)


def _check_points(points: int) -> None:
    if points > MOST_POINTS:
        message = (
            f"axes that share dimensions span {points:,} points; "
            f"expected at most {MOST_POINTS:,} to count their accesses exactly"
        )
        raise ValueError(message)


def _numpy() -> Any:
    import numpy as np  # noqa: PLC0415  # most operators need none of it

    return np
