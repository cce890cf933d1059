"""The Pareto front of a table of designs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel.errors import CostModelError
from costmodel.optimize import pareto as fronts
from costmodel.optimize import robust
from costmodel.optimize.ranges import linear_costs
from costmodel.report.table import Column, Table
from costmodel.safe_io import replaced, writing
from costmodel.sweeps.sweeping import grid
from costmodel.sweeps.table import COSTS, SweepTable
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.optimize.ranges import Term
    from costmodel.optimize.robust import LinearCosts
    from costmodel.registry import Registry
    from costmodel.sweeps.space import DesignSpace

Array: TypeAlias = "np.ndarray[Any, Any]"

_SHOWN: Final = 20
"""Designs of a front that its table shows, unless a caller says otherwise."""
_CHOICES: Final = 3
"""So many axes have a column of their own; of more, the choices stand in one."""


@frozen(eq=False, repr=False)
class ParetoFront:
    """The designs of a table that no other dominates in some objectives.

    A design without a number for an objective is on no front; nor is one with a smaller coverage
    than another of the table, whose costs lack something that those of others have.
    """

    designs: SweepTable = field(repr=False)
    """All designs."""
    objectives: tuple[str, ...]
    maximized: frozenset[str]
    is_on: Array = field(repr=False)
    """Which are on the front, shape `(designs,)`."""
    left_out: int
    """How many are not comparable."""

    @property
    def places(self) -> Array:
        """The places of the designs of the front, in the order of the first objective."""
        places: Array = np.flatnonzero(self.is_on)
        columns = self.values[places].T[::-1]
        order: Array = np.lexsort(columns)
        return places[order]

    @property
    def joined(self) -> Array:
        """The places of the designs that the line of a plot joins."""
        return self.places

    @property
    def best(self) -> SweepTable:
        """The designs of the front, in the order of the first objective."""
        return self.designs.take(self.places)

    @property
    def values(self) -> Array:
        """The objectives of all designs, shape `(designs, objectives)`; of others, no numbers."""
        return _values(self.designs, self.objectives)

    @property
    def knee(self) -> dict[str, Any] | None:
        """The design at the knee of the front: every column by its name."""
        place = fronts.knee(self.values[self.places], self._maximize)
        return None if place is None else self.designs.row(int(self.places[place]))

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> float:
        """The volume that the front dominates, up to a reference for each objective, in SI units.

        By default, the reference is the worst of all comparable designs in each objective.
        """
        values = self.values
        if reference is None:
            known = values[~np.isnan(values).any(axis=1)]
            if not len(known):
                return 0.0
            worst = [
                column.min() if name in self.maximized else column.max()
                for name, column in zip(self.objectives, known.T, strict=True)
            ]
        else:
            worst = [reference[name] for name in self.objectives]
        return fronts.hypervolume(values[self.is_on], worst, self._maximize)

    @property
    def _maximize(self) -> list[int]:
        return [i for i, name in enumerate(self.objectives) if name in self.maximized]

    def table(self, most: int = _SHOWN, *, exact: bool = False) -> Table:
        """A row for each design of the front, evenly chosen where there are more than `most`."""
        places = self.places
        if len(places) > most and not exact:
            places = places[np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))]
        shown = self.designs.take(places)
        axes = list(shown.axes)
        single = len(axes) <= _CHOICES or exact
        columns = [
            *[Column(title(name), numeric=True) for name in self.objectives],
            *([Column(name) for name in axes] if single else [Column("Choices")]),
        ]
        rows = [
            (
                *[_cell(name, shown[name][i], exact=exact) for name in self.objectives],
                *choices_of(shown, i, together=not single, exact=exact),
            )
            for i in range(len(shown))
        ]
        return Table(
            self.title, columns, rows, notes=() if exact else tuple(self._notes(len(rows)))
        )

    @property
    def title(self) -> str:
        """How many designs of how many are on the front."""
        return f"{self.is_on.sum():,} of {len(self.designs):,} designs: {self._ends}"

    @property
    def _ends(self) -> str:
        return ", ".join([
            f"{'most' if name in self.maximized else 'least'} {name}" for name in self.objectives
        ])  # fmt: skip

    def _notes(self, shown: int) -> Iterable[str]:
        if shown < self.is_on.sum():
            yield f"{shown} of them are shown, evenly chosen"
        knee = self.knee
        if knee is not None:
            ends = [f"{name} {_cell(name, knee[name])}" for name in self.objectives]
            yield f"knee: {', '.join(ends)}"
        if self.left_out:
            yield f"{self.left_out:,} designs without a number, or with less coverage, are left out"

    def to_html(self, path: str | Path | None = None) -> str:
        """The front as a page that loads nothing: a plot of two objectives and a table.

        It is also written to `path`.

        Raises:
            CostModelError: there are other than two objectives, or it cannot be written.

        """
        if len(self.objectives) != 2:  # noqa: PLR2004  # a plane
            message = f"a plot has two objectives, found {', '.join(self.objectives)}"
            raise CostModelError(message)
        # It comes later in the order of packages.
        text: str = import_module("costmodel.html.designs.front").page(self)
        if path is not None:
            file = Path(path)
            with writing(file), replaced(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return text

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()

    def __repr__(self) -> str:
        return f"<ParetoFront: {self.title}>"


@frozen(eq=False, repr=False, slots=False)
class RobustFront(ParetoFront):
    """The designs that no other beats, whatever the figures of devices are within their ranges.

    One design beats another where it is as good in every objective for all values of the figures,
    and better for some. A figure has one value for all designs at a time. The columns, the knee and
    the order of the designs are those of the usual values.
    """

    costs: LinearCosts = field(repr=False)
    """The objectives as linear functions of `terms`."""
    terms: tuple[Term, ...] = field(repr=False)
    """Figures, one over them, and times and energies that are not linear in any."""

    @cached_property
    def is_safe(self) -> Array:
        """Which designs are on the Pareto front for all values, shape `(designs,)`.

        Where a figure moves two objectives, that takes SciPy.
        """
        return robust.safe(self.costs)

    @property
    def joined(self) -> Array:
        """The places of the designs that are on the front at the usual values."""
        places = self.places
        return places[fronts.front(self.values[places], self._maximize)]

    @property
    def title(self) -> str:
        """How many designs of how many are on the front."""
        whole = f"{self.is_on.sum():,} of {len(self.designs):,} designs"
        return f"{whole} that no other beats for all values in their ranges: {self._ends}"

    def _notes(self, shown: int) -> Iterable[str]:
        yield from super()._notes(shown)
        names = sorted(frozenset().union(*[term.names for term in self.terms]))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        if names:
            yield f"ranges: {', '.join(names[:_NAMED])}{more}"
        else:
            yield "no figure that the objectives depend on has a range"


_NAMED: Final = 4
"""Figures that the notes of a table name."""


def pareto(
    designs: SweepTable,
    minimize: str | Sequence[str] = ("energy", "latency"),
    maximize: str | Sequence[str] = (),
) -> ParetoFront:
    """The designs of a table that no other is as good as, and better in one objective.

    Objectives are columns of numbers by their names, such as energy, latency, memory, or one that
    was added (`table.with_columns(accuracy=...)`).

    Raises:
        UnknownNameError: a column that is not there.
        CostModelError: no objective, one given twice, or one that is not of numbers.

    """
    least, most = _names(minimize), _names(maximize)
    objectives = (*least, *most)
    if not objectives or len(set(objectives)) < len(objectives):
        message = f"expected different objectives, found {', '.join(objectives) or 'none'}"
        raise CostModelError(message)
    values = _values(designs, objectives)
    places = [place for place, name in enumerate(objectives) if name in most]
    is_on = fronts.front(values, places)
    left_out = int(np.isnan(values).any(axis=1).sum())
    return ParetoFront(designs, objectives, frozenset(most), is_on, left_out)


def robust_front(  # all but the first three by keyword where it reads better
    designs: SweepTable,
    source: object | None,
    space: DesignSpace,
    minimize: str | Sequence[str] = ("energy", "latency"),
    maximize: str | Sequence[str] = (),
    *,
    registry: Registry | None = None,
) -> RobustFront:
    """The designs of a sweep that no other beats for all values of figures within their ranges.

    `designs` are those that `costmodel.sweep(source, space)` gives, or some of them; objectives are
    those of `pareto`. Figures are those of the devices of the space whose files give a low and a
    high end, unless the space chooses their value. They move energy, latency and area; how far
    measured times are from predicted ones is no figure, and left aside.

    A design is left out only where one other beats it for all values. Where a time or an energy is
    not linear in the figures, it is bounded, and a design may be kept that is beaten.

    Raises:
        CostModelError: as of `pareto`; the designs are not those of the space; or an objective
            depends on a figure in a way that is not known, which it then names.

    """
    usual = pareto(designs, minimize, maximize)
    places = [i for i, name in enumerate(usual.objectives) if name in usual.maximized]
    costs, terms = linear_costs(
        designs, grid(source, space, registry=registry), usual.objectives, places
    )
    costs.constants[np.isnan(usual.values).any(axis=1)] = np.nan
    return RobustFront(
        designs, usual.objectives, usual.maximized, robust.unbeaten(costs), usual.left_out,
        costs, terms,
    )  # fmt: skip


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _values(designs: SweepTable, objectives: Sequence[str]) -> Array:
    columns = [designs[name] for name in objectives]
    for name, column in zip(objectives, columns, strict=True):
        if column.dtype.kind not in "fiub":
            message = f"column {name!r} holds no numbers, and cannot be an objective"
            raise CostModelError(message)
    values = np.stack([column.astype(float) for column in columns], axis=1)
    if "coverage" in designs and len(designs):
        coverage = designs["coverage"]
        values[coverage < coverage.max()] = np.nan
    return values


def title(name: str) -> str:
    """The title of an objective with its unit."""
    return name.capitalize()


def _cell(name: str, value: Any, *, exact: bool = False) -> str:
    if exact:
        return repr(float(value))
    unit = COSTS.get(name, "")
    return format_quantity(float(value), unit) if unit else f"{float(value):.4g}"


def choices_of(
    designs: SweepTable, place: int, *, together: bool, exact: bool = False
) -> list[str]:
    """What a design chooses: a text for each axis, or one for all, equal choices together."""
    chosen = {name: designs[name][place] for name in designs.axes}
    found = {
        name: f"{one:.6g}" if isinstance(one, float) and not exact else str(one)
        for name, one in chosen.items()
    }
    if not together:
        return list(found.values())
    by_choice: dict[str, list[str]] = {}
    for name, choice in found.items():
        by_choice.setdefault(choice, []).append(name)
    if len(by_choice) == 1:
        return [f"all {next(iter(by_choice))}"]
    return [" ".join(found.values())]
