"""Rows of designs: all of a grid in order, drawn ones, or those that a caller lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias

import numpy as np
from attrs import evolve, field, frozen

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.sweeps.grid import Axis, Grid

Array: TypeAlias = "np.ndarray[Any, Any]"
Choices: TypeAlias = "dict[str, Array]"
"""For each axis the place of the choice of every design, or its value where it has a span."""
DRAWN_TOGETHER: Final = 2**16
"""Designs that are drawn together: which are drawn does not depend on how they are divided."""


@frozen
class Rows:
    """Which designs there are, one after the other."""

    axes: tuple[Axis, ...]
    count: int

    @abstractmethod
    def choices(self, start: int, stop: int) -> Choices:
        """The choices of the designs from `start` to `stop`."""

    def part(self, start: int, stop: int) -> Rows:
        """What another process needs for the designs from `start` to `stop`."""
        return self

    @abstractmethod
    def identity(self) -> object:
        """What tells these rows from others, as plain values."""


@frozen
class AllRows(Rows):
    """All designs of a grid; the last axis changes first."""

    def choices(self, start: int, stop: int) -> Choices:
        """The digits of the number of each design."""
        found: Choices = {}
        inner = 1
        for axis in reversed(self.axes):
            found[axis.name] = _digits(start, stop, inner, len(axis.values))
            inner *= len(axis.values)
        return {axis.name: found[axis.name] for axis in self.axes}

    def identity(self) -> object:
        """How many."""
        return {"kind": "all", "count": self.count}


def _kind(base: int) -> Any:
    """The narrowest type of places among so many choices that is kept."""
    return np.uint8 if base <= np.iinfo(np.uint8).max else np.int64


def _digits(start: int, stop: int, inner: int, base: int) -> Array:
    """The digit of each number, in which `inner` numbers have the same one after the other."""
    first, last = start // inner, (stop - 1) // inner
    digits = (np.arange(first, last + 1) % base).astype(_kind(base))
    if inner == 1 or stop <= start:
        return digits[: max(stop - start, 0)]
    if len(digits) == 1:
        return np.full(stop - start, digits[0])
    repeats = np.full(len(digits), inner)
    repeats[0] = inner - start % inner
    repeats[-1] = (stop - 1) % inner + 1
    return np.repeat(digits, repeats)


@frozen
class DrawnRows(Rows):
    """Designs that are drawn at random, each axis by itself; the same for the same seed."""

    seed: int

    def choices(self, start: int, stop: int) -> Choices:
        """What is drawn, in blocks of a generator each."""
        blocks = range(start // DRAWN_TOGETHER, -(-stop // DRAWN_TOGETHER))
        drawn = [self._drawn(block) for block in blocks]
        low = start - (start // DRAWN_TOGETHER) * DRAWN_TOGETHER
        window = slice(low, low + stop - start)
        return {
            axis.name: np.concatenate([one[axis.name] for one in drawn])[window]
            if len(drawn) > 1
            else drawn[0][axis.name][window]
            for axis in self.axes
        }

    def _drawn(self, block: int) -> Choices:
        generator = np.random.default_rng([self.seed, block])
        return {axis.name: _random(axis, generator) for axis in self.axes}

    def identity(self) -> object:
        """How many, and the seed."""
        return {"kind": "drawn", "count": self.count, "seed": self.seed}


def _random(axis: Axis, generator: np.random.Generator) -> Array:
    if axis.span is None:
        count = len(axis.values)
        return generator.integers(0, count, DRAWN_TOGETHER, dtype=_kind(count))
    low, high = axis.span
    shares = generator.random(DRAWN_TOGETHER)
    if axis.is_log:
        return np.exp(np.log(low) + shares * (np.log(high) - np.log(low)))  # type: ignore[no-any-return]  # an array
    return low + shares * (high - low)


@frozen(eq=False)
class ListedRows(Rows):
    """Designs that a caller lists."""

    listed: Mapping[str, Array] = field(repr=False)
    first: int = 0
    """The number of the first that is listed."""

    def choices(self, start: int, stop: int) -> Choices:
        """A part of what is listed."""
        window = slice(start - self.first, stop - self.first)
        return {axis.name: self.listed[axis.name][window] for axis in self.axes}

    def part(self, start: int, stop: int) -> Rows:
        """The designs from `start` to `stop` alone."""
        return evolve(self, listed=self.choices(start, stop), first=start)

    def identity(self) -> object:
        """What is listed, as a hash."""
        digest = sha256()
        for axis in self.axes:
            digest.update(np.ascontiguousarray(self.listed[axis.name]).tobytes())
        return {"kind": "listed", "count": self.count, "hash": digest.hexdigest()}


def rows_of(grid: Grid, designs: Any = None, *, sample: int | None = None, seed: int = 0) -> Rows:
    """The designs that are listed, or a number that is drawn, or else all of a grid.

    `designs` is an array of shape `(designs, axes)` with the place of each choice among those of
    its axis, or the choices of each axis by its name.

    Raises:
        CostModelError: there are more than can be enumerated, or they are not of the grid.

    """
    if designs is not None:
        if sample is not None:
            message = "expected designs or sample, found both"
            raise CostModelError(message)
        return _listed(grid, designs)
    if sample is not None:
        if sample.__class__ is not int or not 1 <= sample <= _MOST:
            message = f"sample is {sample!r:.40}; expected a number of designs from 1 to {_MOST:,}"
            raise CostModelError(message)
        return DrawnRows(grid.axes, sample, seed)
    size = grid.size
    if size is None:
        names = ", ".join(axis.name for axis in grid.axes if axis.span is not None)
        message = f"{names}: any value of a range; say how many designs to draw: sample=1_000_000"
        raise CostModelError(message)
    if size > _MOST:
        message = (
            f"the space has {size:.3g} designs, more than can be enumerated; say how many to draw: "
            "sample=1_000_000 (--sample)"
        )
        raise CostModelError(message)
    return AllRows(grid.axes, size)


_MOST: Final = 10**10
"""The most designs of a sweep: at a million a second, they take three hours."""


def _listed(grid: Grid, designs: Any) -> Rows:
    if isinstance(designs, Mapping) or hasattr(designs, "names"):
        listed = {axis.name: _of_axis(axis, designs) for axis in grid.axes}
    else:
        array = np.asarray(designs)
        wanted = len(grid.axes)
        if array.ndim != 2 or array.shape[1] != wanted or array.dtype.kind not in "iu":  # noqa: PLR2004  # designs and axes
            message = (
                f"designs: expected whole numbers of shape (designs, {wanted}), the place of each "
                f"choice among those of its axis; found {array.dtype} of shape {array.shape}"
            )
            raise CostModelError(message)
        listed = {axis.name: array[:, place] for place, axis in enumerate(grid.axes)}
        for axis in grid.axes:
            _check_places(axis, listed[axis.name])
    counts = {len(one) for one in listed.values()}
    if len(counts) != 1:
        message = f"designs: expected as many choices of each axis, found {sorted(counts)}"
        raise CostModelError(message)
    return ListedRows(grid.axes, counts.pop(), listed)


def _of_axis(axis: Axis, designs: Any) -> Array:
    try:
        given: Sequence[Any] = designs[axis.name]
    except (KeyError, LookupError):
        known = list(designs)
        raise UnknownNameError(axis.name, known, "axis in designs") from None
    if axis.span is not None:
        return np.asarray(given, dtype=float)
    places: dict[Any, int] = {}
    for one in given:
        if one not in places:
            places[one] = axis.place(one)
    return np.array([places[one] for one in given], dtype=np.intp)


def _check_places(axis: Axis, places: Array) -> None:
    if axis.span is not None:
        message = f"designs: axis {axis.name!r} has any value of a range; give designs by name"
        raise CostModelError(message)
    if places.size and not 0 <= places.min() <= places.max() < len(axis.values):
        message = (
            f"designs: expected places from 0 to {len(axis.values) - 1} for axis {axis.name!r}, "
            f"found {places.min()} to {places.max()}"
        )
        raise CostModelError(message)
