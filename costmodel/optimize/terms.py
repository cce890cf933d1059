"""Costs as sums of terms: for each few axes of formats that interact, a table of what they add."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel.errors import CostModelError
from costmodel.sweeps.designs import Designs
from costmodel.sweeps.space import FORMATS

if TYPE_CHECKING:
    from costmodel.sweeps.grid import Grid
    from costmodel.sweeps.grouped import GroupedCosts

Array: TypeAlias = "np.ndarray[Any, Any]"
Codes: TypeAlias = Mapping[str, int]
"""For each axis the place of its choice."""
Scope: TypeAlias = tuple[str, ...]
"""The names of axes that a term depends on, in the order of the grid."""

ADDITIVE: Final = ("energy", "latency", "weights")
"""The costs that are sums over groups of operators; the weights up to whole bytes."""
_MOST_ENTRIES: Final = 2**17
"""So many combinations of formats the axes of one term have at most."""
_NOISE: Final = 1e-13
"""A smaller part of a total is what rounding leaves of a difference of totals."""


@frozen(eq=False)
class Terms:
    """A cost of each design: a constant, and a table for each scope.

    The table of a scope has an axis for each of its axes, with as many entries as that has choices.
    """

    constant: float
    tables: Mapping[Scope, Array] = field(repr=False)

    def at(self, codes: Mapping[str, int]) -> float:
        """The cost of the design with these places of its choices."""
        return math.fsum([
            self.constant,
            *[float(table[tuple([codes[name] for name in scope])])
              for scope, table in self.tables.items()],
        ])  # fmt: skip


class FormatCosts:
    """The costs of the assignments of formats that a grid allows, as sums of terms."""

    def __init__(self, grid: Grid) -> None:
        """Find which axes interact.

        Raises:
            CostModelError: something other than formats is chosen, the groups of the device have
                no price alone, too many axes interact, or a format has no price.

        """
        self.axes = {axis.name: axis for axis in grid.axes}
        self._grouped = _grouped(grid)
        places = {name: place for place, name in enumerate(self.axes)}
        found, self._most_coverage = self._grouped.scopes()
        scopes = {tuple(sorted(one, key=places.__getitem__)) for one in found}
        scopes |= {(name,) for name in self.axes}
        self.scopes = [
            one for one in sorted(scopes, key=lambda scope: [places[name] for name in scope])
            if not any(set(one) < set(other) for other in scopes)
        ]  # fmt: skip
        for scope in self.scopes:
            if math.prod(self._shape(scope)) > _MOST_ENTRIES:
                message = (
                    f"the cost of some work depends on the formats of {len(scope)} axes together: "
                    f"{', '.join(scope)}; give the formats of activations in between"
                )
                raise CostModelError(message)
        self._base: Codes = dict.fromkeys(self.axes, 0)
        self._check_priced()

    def _check_priced(self) -> None:
        """Refuse formats that leave work without a price: it would count as nothing.

        Each scope has a price with all of its choices, or some design lacks one.
        """
        for scope in self.scopes:
            codes = dict(zip(scope, map(np.ravel, np.indices(self._shape(scope))), strict=True))
            coverage = self.costs(codes)["coverage"]
            worst = int(coverage.argmin())
            if coverage[worst] < self._most_coverage:
                named = [f"{name}={self.axes[name].labels[codes[name][worst]]}" for name in scope]
                message = (
                    f"{', '.join(named)} leaves work without a price; leave out the formats in "
                    "which the device does not compute"
                )
                raise CostModelError(message)

    def costs(self, codes: Mapping[str, Any]) -> dict[str, Array]:
        """The columns of a sweep for designs with these places of choices.

        An axis that is left out has its first.
        """
        count = max([1, *[np.size(one) for one in codes.values()]])
        given = {
            name: np.broadcast_to(
                np.asarray(codes.get(name, self._base[name]), dtype=np.intp), (count,)
            )
            for name in self.axes
        }
        found = self._grouped.costs(given, (), count)
        return {name: np.broadcast_to(column, (count,)) for name, column in found.items()}

    def terms(self) -> dict[str, Terms]:
        """The terms of each of `ADDITIVE` that the device models.

        Whatever two scopes share is counted once: a term for a set of axes is what remains of the
        cost of their choices after those of all smaller sets (an anchored decomposition, Kuo et
        al., On decompositions of multivariate functions, 2010).
        """
        base = self._columns({})
        known = [name for name in ADDITIVE if np.isfinite(base[name]).all()]
        tables: dict[str, dict[Scope, Array]] = {name: {} for name in known}
        seen: set[Scope] = set()
        for scope in self.scopes:
            shape = self._shape(scope)
            columns = self._columns(dict(zip(scope, np.indices(shape), strict=True)))
            for name, own in tables.items():
                table = (columns[name] - base[name]).reshape(shape)
                noise = _NOISE * abs(float(base[name][0]))
                for part, values in _parts(scope, table, seen, self._base):
                    if (np.abs(values) > noise).any():
                        own[part] = values
            seen.update(_subsets(scope))
        return {name: Terms(float(base[name][0]), own) for name, own in tables.items()}

    def _columns(self, codes: Mapping[str, Array]) -> dict[str, Array]:
        flat = {name: np.ravel(one) for name, one in codes.items()}
        return self.costs(flat)

    def _shape(self, scope: Scope) -> tuple[int, ...]:
        return tuple([len(self.axes[name].values) for name in scope])


def _subsets(scope: Scope) -> Iterator[Scope]:
    sizes = range(1, len(scope) + 1)
    return itertools.chain.from_iterable(itertools.combinations(scope, size) for size in sizes)


def _parts(
    scope: Scope, table: Array, without: Iterable[Scope], base: Codes
) -> Iterator[tuple[Scope, Array]]:
    """What each set of axes adds to a table that is 0 at a base, but for some sets."""
    left_out = set(without)
    for part in _subsets(scope):
        if part in left_out:
            continue
        chosen = tuple([slice(None) if name in part else base[name] for name in scope])
        values = table[chosen]
        for place, name in enumerate(part):
            values = values - values.take([base[name]], axis=place)
        yield part, values


def _grouped(grid: Grid) -> GroupedCosts:
    from_others = [axis.name for axis in grid.axes if axis.family not in FORMATS]
    if from_others or not grid.axes:
        found = ", ".join(from_others) or "none"
        message = f"expected axes of numeric formats alone, found {found}; choose one value of each"
        raise CostModelError(message)
    grouped = Designs(grid).grouped()
    if grouped is None:
        message = (
            f"device {grid.devices[0].name!r}: its groups of operators have no price alone, so "
            "that a cost is no sum over layers; `costmodel search` takes any device"
        )
        raise CostModelError(message)
    return grouped
