"""Allocation of numeric formats: the best choice for each layer, by integer programming."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel.errors import CostModelError, FormatError, PluginError, UnknownNameError
from costmodel.formats import format_name, parse_format
from costmodel.optimize.terms import ADDITIVE, Codes, FormatCosts, Terms
from costmodel.packages import needed
from costmodel.report.table import Column, Table
from costmodel.sweeps.designs import BOUNDED
from costmodel.sweeps.space import LIMITS, DesignSpace, limit
from costmodel.sweeps.sweeping import grid as grid_of
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.estimates.estimate import Estimate
    from costmodel.registry import Registry
    from costmodel.sweeps.grid import Axis, Grid

Array: TypeAlias = "np.ndarray[Any, Any]"
SENSITIVITY: Final = "sensitivity"
"""The cost that a caller gives for each axis and format; of an assignment, it is their sum."""
COSTS: Final = (*ADDITIVE, SENSITIVITY)
"""What may be minimised or limited; `memory` too, where it is that of the weights alone."""
_SCALE: Final = 1e4
"""The largest coefficient of a programme: the solver works with absolute tolerances near 1e-7."""
_SAME: Final = 1e-9
"""How far the estimate of an assignment may be from its sum of terms, by rounding."""
_ATTEMPTS: Final = 50
"""So many assignments that break a limit by less than the tolerance are excluded one by one."""
_TIME_IS_UP: Final = 1
_INFEASIBLE: Final = 2


@frozen(eq=False)
class Allocation:
    """The best assignment of formats that was found, and how good any other can be."""

    formats: Mapping[str, str]
    """The chosen format by the name of its axis."""
    minimize: str
    objective: float
    """What was minimised, in SI units."""
    bound: float
    """No assignment that keeps to the limits has less: proven by the solver."""
    costs: Mapping[str, float]
    """Energy, latency, memory, weights, area, coverage and, where it was given, sensitivity."""
    limits: Mapping[str, float]
    estimate: Estimate = field(repr=False)
    """What `costmodel.estimate` says of the assignment; its energy and latency were compared."""
    seconds: float
    """How long the programmes took to solve."""

    @property
    def gap(self) -> float:
        """How much less than the objective another assignment can have, as a share of it."""
        short = self.objective - self.bound
        if abs(short) <= _SAME * abs(self.objective):
            return 0.0  # what rounding leaves
        return short / abs(self.objective) if self.objective else math.inf

    @property
    def is_optimal(self) -> bool:
        """Whether no other assignment is better by more than rounding."""
        return self.gap == 0.0

    def table(self) -> Table:
        """A row for each axis with its format."""
        unit = _UNITS[self.minimize]
        proof = (
            "no other has less" if self.is_optimal else f"at most {self.gap:.2%} above the least"
        )
        title = f"{self.minimize} {format_quantity(self.objective, unit)}: {proof}"
        notes = [
            f"{name} {format_quantity(self.costs[name], _UNITS[name])} of "
            f"{format_quantity(most, _UNITS[name])}"
            for name, most in self.limits.items()
        ]
        columns = [Column("Axis"), Column("Format")]
        return Table(title, columns, list(self.formats.items()), notes=tuple(notes))

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()


_UNITS: Final[Mapping[str, str]] = {**LIMITS, SENSITIVITY: ""}


def allocate(
    source: object,
    space: DesignSpace | Mapping[str, Any],
    *,
    minimize: str = "energy",
    limits: Mapping[str, str | float] | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
    seconds: float | None = None,
    registry: Registry | None = None,
) -> Allocation:
    """Choose a numeric format for each axis of a space: the least of a cost, within limits.

    `source` is what `costmodel.read` takes. `space` has one device, whose groups of operators are
    priced alone (capability `separable`), and axes of numeric formats alone; in place of a
    `DesignSpace`, its arguments by name. Its limits hold too.

    `minimize` is energy, latency, weights or sensitivity; `limits` are the most of any of these,
    such as `{"weights": "64 kB", "sensitivity": 0.1}`; a number is in SI units. `sensitivity` says
    how much each format of each axis harms, by the name of the axis, or of the layer where it has
    one axis: a number of any unit, such as the loss of accuracy with this format alone; numbers are
    added up.

    The costs of groups that depend on the formats of several layers are terms of their own, so that
    the programme is exact: no assignment has less than `bound`. `seconds` stops the solver early;
    the gap is wider then.

    Raises:
        CostModelError: no assignment keeps to the limits; the device has groups that have no price
            alone; a name, a format or a number is not usable; SciPy is not installed.

    """
    given = space if isinstance(space, DesignSpace) else DesignSpace(**space)
    if given.where is not None or given.fits:
        message = "allocation takes limits, and neither `where` nor `fits` of a space"
        raise CostModelError(message)
    grid = grid_of(source, given, registry=registry)
    problem = _Problem(grid, sensitivity)
    most = {**given.limits, **(limits or {})}
    return problem.solved(minimize, problem.limits(most), seconds)


class _Problem:
    """The terms of all costs of a grid."""

    def __init__(self, grid: Grid, sensitivity: Mapping[str, Mapping[str, float]] | None) -> None:
        self.grid = grid
        self._formats = FormatCosts(grid)
        self.axes = self._formats.axes
        self.terms = self._formats.terms()
        if sensitivity is not None:
            self.terms[SENSITIVITY] = _sensitivity(self.axes, sensitivity)

    def limits(self, given: Mapping[str, Any]) -> dict[str, float]:
        """The limits in SI units; one of memory is one of weights where the device has no more."""
        found: dict[str, float] = {}
        for name, most in given.items():
            own = self._name(name)
            if own in BOUNDED and self.grid.space.on_unpriced == "error":
                self._check_whole(own)
            found[own] = min(found.get(own, math.inf), limit(name, most, _UNITS[own]))
        return found

    def _check_whole(self, name: str) -> None:
        """Refuse a limit of a cost from which work is missing: nobody knows whether it is met."""
        coverage = float(self._formats.costs({})["coverage"][0])
        if coverage < 1.0:
            message = (
                f"limits: {name} has a limit, and {1 - coverage:.0%} of the layers have no price "
                f"on device {self.grid.devices[0].name!r}; on_unpriced='bound' of the space takes "
                "the rest alone"
            )
            raise CostModelError(message)

    def _name(self, name: str) -> str:
        if name == "memory":
            if self.grid.devices[0].memories:
                message = (
                    "limits: the peak of memory is no sum over layers, which an allocation needs; "
                    "give a limit of `weights` and look at the memory of the result, or take "
                    "`costmodel search`, which keeps to any limit"
                )
                raise CostModelError(message)
            return "weights"
        if name not in COSTS:
            raise UnknownNameError(name, COSTS, "cost that is a sum over layers")
        if name not in self.terms:
            message = (
                "sensitivity: give how much each format of each axis harms"
                if name == SENSITIVITY
                else f"device {self.grid.devices[0].name!r} does not model {name}"
            )
            raise CostModelError(message)
        return name

    def solved(
        self, minimize: str, limits: Mapping[str, float], seconds: float | None
    ) -> Allocation:
        """The best assignment that keeps to the limits."""
        name, begin = self._name(minimize), time.monotonic()
        programme = _Programme(self.axes, self.terms, name, limits)
        for _ in range(_ATTEMPTS):
            found = programme.solved(seconds)
            if found is None:
                raise CostModelError(self._infeasible(limits))
            codes, bound = found
            costs = self._costs(codes)
            if all(costs[one] <= most for one, most in limits.items()):
                taken = time.monotonic() - begin
                return self._allocation(name, codes, bound, costs, limits, taken)
            programme.exclude(codes)
        message = (
            f"{_ATTEMPTS} assignments break a limit by less than the solver can tell; change it a "
            "little"
        )
        raise CostModelError(message)

    def _allocation(
        self, name: str, codes: Codes, bound: float, costs: Mapping[str, float],
        limits: Mapping[str, float], seconds: float,
    ) -> Allocation:  # fmt: skip
        formats = {axis.name: str(axis.labels[codes[axis.name]]) for axis in self.axes.values()}
        estimate = self.grid.design(formats).estimate(on_unpriced="bound")
        self._check(estimate, costs)
        return Allocation(
            formats, name, costs[name], min(bound, costs[name]), costs, dict(limits), estimate,
            seconds,
        )  # fmt: skip

    def _costs(self, codes: Codes) -> dict[str, float]:
        """All costs of an assignment, as a sweep gives them."""
        found = {name: float(one[0]) for name, one in self._formats.costs(codes).items()}
        found.pop("fits")
        if SENSITIVITY in self.terms:
            found[SENSITIVITY] = self.terms[SENSITIVITY].at(codes)
        return found

    def _check(self, estimate: Estimate, costs: Mapping[str, float]) -> None:
        device = self.grid.devices[0].name
        total = estimate.total(device)
        for name, value in (("energy", total.energy_joules), ("latency", total.latency_seconds)):
            expected = costs[name]
            if value is None or math.isnan(expected):
                continue
            if abs(value - expected) > _SAME * abs(value):
                message = (
                    f"device {device!r} declares 'separable', and its groups sum up to "
                    f"{expected!r} for {name}, where the estimate is {value!r}"
                )
                raise PluginError(message)

    def _infeasible(self, limits: Mapping[str, float]) -> str:
        """Which limits cannot be kept even alone."""
        alone = []
        for name, most in limits.items():
            found = _Programme(self.axes, self.terms, name, {}).solved(None)
            least = math.nan if found is None else self._costs(found[0])[name]
            if not least <= most:
                unit = _UNITS[name]
                shown = format_quantity(least, unit), format_quantity(most, unit)
                alone.append(f"the least {name} is {shown[0]}, above the limit of {shown[1]}")
        reason = "; ".join(alone) or f"not all of {', '.join(limits)} can be kept together"
        return f"no assignment of formats keeps to the limits: {reason}"


def _sensitivity(axes: Mapping[str, Axis], given: Mapping[str, Mapping[str, float]]) -> Terms:
    """The sensitivities as terms, checked."""
    short = {}
    for name in axes:
        layer = name.partition(".")[2]
        short[layer] = None if layer in short else name
    own: dict[str, Mapping[str, float]] = {}
    for name, values in given.items():
        axis = name if name in axes else short.get(name)
        if axis is None:
            raise UnknownNameError(name, axes, "axis of a sensitivity")
        own[axis] = values
    tables: dict[tuple[str, ...], Array] = {
        (name,): np.array(list(_harms(axis, own.get(name, {})))) for name, axis in axes.items()
    }
    return Terms(0.0, tables)


def _harms(axis: Axis, given: Mapping[str, float]) -> Iterator[float]:
    try:
        known = {format_name(parse_format(str(name))): value for name, value in given.items()}
    except FormatError as error:
        message = f"sensitivity of {axis.name!r}: {error}"
        raise CostModelError(message) from None
    for label in map(str, axis.labels):
        value = known.get(label)
        if not isinstance(value, int | float) or not math.isfinite(value):
            message = (
                f"sensitivity of {axis.name!r}: expected a number for {label}, found {value!r}"
            )
            raise CostModelError(message)
        yield float(value)


# ------------------------------------------------------------------ the programme


class _Programme:
    """The integer programme: a variable for each choice of an axis, and of interacting axes.

    Those of interacting axes add up to those of each axis alone: with whole choices, one of them is
    1 (the local polytope; Wainwright and Jordan, Graphical models, 2008, section 4.1).
    """

    def __init__(
        self,
        axes: Mapping[str, Axis],
        terms: Mapping[str, Terms],
        minimize: str,
        limits: Mapping[str, float],
    ) -> None:
        self._axes, self._minimize, self._terms = axes, minimize, terms
        used = [one for name in (minimize, *limits) for one in terms[name].tables]
        scopes = dict.fromkeys(scope for scope in used if len(scope) > 1)
        self._scopes = [(name,) for name in axes] + [
            one for one in scopes if not any(set(one) < set(other) for other in scopes)
        ]
        self._starts, self.count = {}, 0
        for scope in self._scopes:
            self._starts[scope] = self.count
            self.count += math.prod(self._shape(scope))
        self._rows: list[tuple[Array, Array, float, float]] = [*self._choices(), *self._shared()]
        """Places and coefficients of variables, and the least and the most of their sum."""
        for name, most in limits.items():
            self._limit(name, most)

    def _shape(self, scope: tuple[str, ...]) -> tuple[int, ...]:
        return tuple([len(self._axes[name].values) for name in scope])

    def _places(self, scope: tuple[str, ...]) -> Array:
        """The variables of a scope, one for each of its choices."""
        shape = self._shape(scope)
        return self._starts[scope] + np.arange(math.prod(shape)).reshape(shape)

    def _choices(self) -> Iterator[tuple[Array, Array, float, float]]:
        """One choice of each axis."""
        for name in self._axes:
            places = self._places((name,))
            yield places, np.ones(len(places)), 1.0, 1.0

    def _shared(self) -> Iterator[tuple[Array, Array, float, float]]:
        """What interacting axes choose together is what each chooses alone."""
        for scope in self._scopes[len(self._axes) :]:
            places = self._places(scope)
            for axis, name in enumerate(scope):
                for code, alone in enumerate(self._places((name,))):
                    together = places.take(code, axis=axis).ravel()
                    yield (
                        np.append(together, alone), np.append(np.ones(len(together)), -1.0),
                        0.0, 0.0,
                    )  # fmt: skip

    def _coefficients(self, terms: Terms) -> Array:
        found = np.zeros(self.count)
        for scope, table in terms.tables.items():
            home = scope if scope in self._starts else self._home(scope)
            spread = [slice(None) if name in scope else np.newaxis for name in home]
            np.add.at(found, self._places(home), np.broadcast_to(
                table[tuple(spread)], self._shape(home)
            ))  # fmt: skip
        return found

    def _home(self, scope: tuple[str, ...]) -> tuple[str, ...]:
        return next(one for one in self._scopes if set(scope) < set(one))

    def _limit(self, name: str, most: float) -> None:
        coefficients = self._coefficients(self._terms[name])
        places = np.flatnonzero(coefficients)
        room = most - self._terms[name].constant
        if name == "weights":  # counted in whole bytes: what is rounded up before may fit
            room += 1.0
        largest = float(np.abs(coefficients).max()) or 1.0
        scale = _SCALE / largest
        self._rows.append((places, coefficients[places] * scale, -np.inf, room * scale))

    def exclude(self, codes: Codes) -> None:
        """Take one assignment out."""
        places = np.array([self._places((name,))[codes[name]] for name in self._axes])
        self._rows.append((places, np.ones(len(places)), -np.inf, len(places) - 1.0))

    def solved(self, seconds: float | None) -> tuple[dict[str, int], float] | None:
        """The places of the best choices and the proven bound; None if there are none.

        Raises:
            CostModelError: SciPy is not installed, or the time was too short for any assignment.

        """
        optimize = needed("an allocation", "scipy.optimize", extra="search")
        coefficients = self._coefficients(self._terms[self._minimize])
        scale = _SCALE / (float(np.abs(coefficients).max()) or 1.0)
        is_whole = np.zeros(self.count)
        is_whole[: sum(len(axis.values) for axis in self._axes.values())] = 1
        options = {"mip_rel_gap": 0.0} | ({} if seconds is None else {"time_limit": seconds})
        found = optimize.milp(
            coefficients * scale, integrality=is_whole, bounds=optimize.Bounds(0.0, 1.0),
            constraints=self._constraints(optimize), options=options,
        )  # fmt: skip
        if found.x is None:
            if found.status == _INFEASIBLE:
                return None
            message = f"the solver found no assignment: {found.message}"
            if found.status == _TIME_IS_UP:
                message = f"{seconds:g} s are too short to find an assignment; give more seconds"
            raise CostModelError(message)
        codes = {name: int(found.x[self._places((name,))].argmax()) for name in self._axes}
        bound = found.mip_dual_bound / scale + self._terms[self._minimize].constant
        return codes, float(bound)

    def _constraints(self, optimize: Any) -> Any:
        rows = np.repeat(np.arange(len(self._rows)), [len(one[0]) for one in self._rows])
        places = np.concatenate([one[0] for one in self._rows])
        values = np.concatenate([one[1] for one in self._rows])
        shape = len(self._rows), self.count
        matrix = import_module("scipy.sparse").csr_array((values, (rows, places)), shape=shape)
        ends = np.array([one[2:] for one in self._rows])
        return optimize.LinearConstraint(matrix, ends[:, 0], ends[:, 1])
