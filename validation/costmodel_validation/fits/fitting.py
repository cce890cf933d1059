"""Fits: the parameters of a runtime of a processor from measured times of networks.

The time of a network is a sum over groups of operators, each an overhead and the longer of
arithmetic and traffic, as `costmodel_hardware.processor` states. What each group would take at
full efficiency is worked out once, by the device itself; the fit changes the shares alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
from attrs import evolve, frozen

from costmodel import CostModelError
from costmodel.devices import Device, Evidence, FormatTable, Parameter, Residual
from costmodel.devices.evaluation.memory import BYTE
from costmodel.formats import NumericFormat, format_name
from costmodel.workload.graph import Node
from costmodel_hardware.processor.device import Processor, is_dense, ways
from costmodel_validation.fits.conformal import MANY_GROUPS, Vector, promised_ends
from costmodel_validation.measurements import Measurement, workload_of

if TYPE_CHECKING:
    from costmodel import Scenario
    from costmodel.devices import DeviceEstimate, GroupCost


class Fitted(NamedTuple):
    """A figure that is fitted: its unit, its bounds, and what it usually is."""

    unit: str
    least: float
    usual: float
    most: float


FITTED: Final = {
    "efficiency": Fitted("", 1e-4, 0.3, 1.0),
    "contraction_bandwidth_efficiency": Fitted("", 1e-3, 0.5, 4.0),
    "bandwidth_efficiency": Fitted("", 1e-3, 0.3, 4.0),
    "overhead_per_operator": Fitted("s", 1e-8, 1e-5, 1e-2),
    "overhead_per_call": Fitted("s", 1e-7, 1e-4, 1e-1),
}
"""The parameters that are fitted for each format.

No more than the peak rate; more than the bandwidth, where caches hold activations.
"""
BEGINNINGS: Final[tuple[Mapping[str, float], ...]] = (
    {},
    {"overhead_per_operator": 0.05},
    {"overhead_per_operator": 10.0},
    {"contraction_bandwidth_efficiency": 0.2},
    {"bandwidth_efficiency": 0.1},
)
"""Where fits start, in multiples of usual figures: each of these lies in a valley of its own."""
FEW_NETWORKS: Final = (0.5, 2.0)
"""Measured over predicted times, at the least, where few networks were measured: assumed."""
MANY_NETWORKS: Final = 6
"""From so many networks on, those that were left out tell the residual."""
WRONG: Final = 5.0
"""Median error above which a fit has failed: a unit or a peak is wrong."""
FOLDS: Final = 5
"""Into how many parts networks are divided to leave each out once."""
SCALE: Final = 0.05
"""Relative errors beyond this count less than their square: some measurements are disturbed."""
PULL: Final = 0.01
"""How strongly parameters that the data do not determine are drawn to where they start.

In logarithms, beside relative errors: a figure that is off by a factor of e weighs as an error of
this size in one measurement.
"""


@frozen(eq=False)
class Terms:
    """What a network takes on a device at full efficiency, by group of operators, in seconds."""

    number: NumericFormat
    arithmetic: Vector
    traffic: Vector
    """Of the activations of dense contractions, beside their arithmetic."""
    weights: Vector
    """Of these, the traffic of their weights, at the bandwidth at most."""
    times: Vector
    """How often each of these runs: the steps of the loop that it is in."""
    moved: Vector
    """Of every other group, its traffic."""
    moved_weights: Vector
    """Of these, that of weights."""
    moved_times: Vector
    """How often each of these runs."""
    asynchronous: bool
    """Whether the overhead of a group overlaps with its work."""
    overlap_traffic: bool = True
    """Whether the traffic of a contraction overlaps with its arithmetic."""
    slower: float = 1.0
    """How many times as long the overhead of a group takes as the figure says."""

    def seconds(self, figures: Sequence[float] | Vector) -> float:
        """The time with these figures, in the order of `FITTED`."""
        return float(Stacked([self]).seconds(np.asarray(figures, float))[0])


def full_speed(device: Device) -> Processor:
    """The device with all shares 1 and no overheads.

    Raises:
        CostModelError: it is not a processor.

    """
    if not isinstance(device, Processor):
        message = (
            f"device {device.name!r}: expected class {Processor.family!r}, found {device.family!r}"
        )
        raise CostModelError(message)
    figures: dict[str, Any] = {
        name: FormatTable(
            name, {one: _plain(0.0 if fit.unit else 1.0, fit.unit) for one in device.peak_rate}
        )
        for name, fit in FITTED.items()
    }
    return evolve(device, **figures)


def _plain(value: float, unit: str) -> Parameter:
    return Parameter("fitted", value, unit, "fit", Evidence.DERIVED)


def terms_of(device: Processor, measured: Measurement) -> Terms:
    """The terms of a measured network on a device, which is at full speed.

    Raises:
        CostModelError: the network cannot be read, or has work that the device has no price for.

    """
    scenario = measured.scenario
    estimate = device.evaluate(workload_of(measured), scenario)
    if not estimate.is_priced:
        name, reason = next(one for one in estimate.unpriced.items() if one[0] != "static")
        message = f"{measured.network} on {device.name}: {name} has no price: {reason}"
        raise CostModelError(message)
    dense: list[tuple[float, float, float, float]] = []
    moved: list[tuple[float, float, float]] = []
    _collect(estimate, dense, moved, 1.0)
    columns = _merged(np.array(dense, float).reshape(-1, 4))
    others = _merged(np.array(moved, float).reshape(-1, 3))
    return Terms(
        scenario.default_format, columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3],
        others[:, 0], others[:, 1], others[:, 2], device.asynchronous, device.overlap_traffic,
    )  # fmt: skip


def _merged(groups: Vector) -> Vector:
    """Equal groups as one that runs as often as all of them; the last column says how often."""
    alike, which = np.unique(groups[:, :-1], axis=0, return_inverse=True)
    return np.column_stack([alike, np.bincount(which.ravel(), groups[:, -1], len(alike))])


def all_terms(device: Processor, measured: Sequence[Measurement]) -> list[Terms]:
    """The terms of each measurement, once for equal networks and conditions.

    Raises:
        CostModelError: a network that cannot be read or priced.

    """
    known: dict[tuple[str, Scenario], Terms] = {}
    for one in measured:
        if (one.network, one.scenario) not in known:
            known[one.network, one.scenario] = terms_of(device, one)
    return [known[one.network, one.scenario] for one in measured]


def _collect(
    estimate: DeviceEstimate,
    dense: list[tuple[float, float, float, float]],
    moved: list[tuple[float, float, float]],
    steps: float,
) -> None:
    """Put the seconds of each group and how often it runs into `dense` or `moved`."""
    for each in estimate.groups:
        if each.body is not None:
            _collect(each.body, dense, moved, steps * each.steps)
            continue
        busy = dict(each.busy_seconds)
        if each.cost.latency_seconds is None:
            continue
        arithmetic = busy.pop("arithmetic", 0.0)
        busy.pop("overhead", None)
        port = max(busy, key=lambda name: busy[name], default="")
        weights = _seconds_of_weights(estimate, each).get(port, 0.0)
        traffic = max(busy.get(port, 0.0) - weights, 0.0)
        anchor = each.group.anchor
        if isinstance(anchor, Node) and is_dense(anchor.operator):
            dense.append((arithmetic, traffic, weights, steps))
        else:
            moved.append((traffic, weights, steps))


def _seconds_of_weights(estimate: DeviceEstimate, each: GroupCost) -> Mapping[str, float]:
    """How long each port is busy with the weights of a group, at the bandwidth."""
    found: dict[str, float] = {}
    for one in each.traffic:
        if one.role == "weight":
            for port, bits, rate in ways(one, estimate.placement.memory(one.memory)):
                found[port] = found.get(port, 0.0) + bits / BYTE / rate.value
    return found


class Stacked:
    """The terms of several networks in one array, for the many predictions of a fit."""

    def __init__(self, terms: Sequence[Terms]) -> None:
        """Lay the terms one after the other."""
        self.arithmetic = np.concatenate([one.arithmetic for one in terms])
        self.traffic = np.concatenate([one.traffic for one in terms])
        self.weights = np.concatenate([one.weights for one in terms])
        self.times = np.concatenate([one.times for one in terms])
        self.network = _owners([one.times for one in terms])
        self.moved = np.concatenate([one.moved for one in terms])
        self.moved_weights = np.concatenate([one.moved_weights for one in terms])
        self.moved_times = np.concatenate([one.moved_times for one in terms])
        self.moved_network = _owners([one.moved_times for one in terms])
        self.slower = np.array([one.slower for one in terms])
        self.asynchronous = terms[0].asynchronous
        self.overlap_traffic = terms[0].overlap_traffic

    def seconds(self, figures: Vector) -> Vector:
        """The time of each network: its groups one after the other, and the call."""
        efficiency, contraction_bandwidth, bandwidth, per_operator, per_call = figures
        at_work = np.maximum if self.overlap_traffic else np.add
        of_dense = at_work(
            self.arithmetic / efficiency,
            self.traffic / contraction_bandwidth + self.weights / min(contraction_bandwidth, 1.0),
        )
        of_others = self.moved / bandwidth + self.moved_weights / min(bandwidth, 1.0)
        overhead = self.slower * per_operator
        together = np.maximum if self.asynchronous else np.add
        of_dense = together(of_dense, overhead[self.network])
        of_others = together(of_others, overhead[self.moved_network])
        dense = np.bincount(self.network, of_dense * self.times, len(overhead))
        others = np.bincount(self.moved_network, of_others * self.moved_times, len(overhead))
        return np.asarray(dense + others + per_call, float)


def _owners(parts: Sequence[Vector]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """For each element of some parts, laid one after the other, of which part it is."""
    return np.repeat(np.arange(len(parts)), [len(one) for one in parts])


class Predictor(Protocol):
    """What predicts the time of a network from its terms, in the formats that it knows."""

    @property
    def figures(self) -> Mapping[NumericFormat, Any]:
        """What it learned, by format."""

    def seconds(self, terms: Terms) -> float:
        """The predicted time."""


@frozen
class Fit:
    """The figures of a runtime for each format, in the order of `FITTED`."""

    figures: Mapping[NumericFormat, tuple[float, ...]]

    def seconds(self, terms: Terms) -> float:
        """The predicted time.

        Raises:
            CostModelError: nothing was measured in the format.

        """
        found = self.figures.get(terms.number)
        if found is None:
            message = f"nothing was measured in {format_name(terms.number)}"
            raise CostModelError(message)
        return terms.seconds(found)


def fitted(
    terms: Sequence[Terms],
    seconds: Sequence[float],
    known: Mapping[str, float] | None = None,
    scaled: Sequence[Any] = (),
    pull: float = PULL,
) -> Fit:
    """The figures that explain measured times best, in relative terms; each format by itself.

    Large errors count less than their square. Figures that the times do not determine stay near
    their usual values, with the weight of `pull`; those in `known`, by the names of `FITTED`, are
    not fitted. `scaled` names the system of each measurement, where each system takes a multiple
    of its own of the times of the figures.

    Raises:
        CostModelError: there are no measurements.

    """
    if not terms:
        message = "expected measurements to fit, found none"
        raise CostModelError(message)
    formats = sorted({one.number for one in terms}, key=format_name)
    found = {}
    for number in formats:
        inside = [one.number == number for one in terms]
        own_systems = chosen(scaled, inside) if scaled else []
        of_format = chosen(terms, inside), chosen(seconds, inside), own_systems
        found[number] = _fitted_alone(*of_format, known or {}, pull)
    return Fit(found)


def _fitted_alone(
    terms: Sequence[Terms],
    seconds: Sequence[float],
    scaled: Sequence[Any],
    known: Mapping[str, float],
    pull: float,
) -> tuple[float, ...]:
    from scipy.optimize import least_squares  # noqa: PLC0415  # an extra

    free = np.array([name not in known for name in FITTED])
    figures = np.array([known.get(name, one.usual) for name, one in FITTED.items()])
    start = np.log(figures[free])
    low, high = np.log([(one.least, one.most) for one in FITTED.values()])[free].T
    wanted = np.log(np.array(seconds, float))
    stacked = Stacked(terms)
    names, system = np.unique([str(one) for one in scaled], return_inverse=True)

    def errors(point: Vector) -> Vector:
        figures[free] = np.exp(point)
        found = np.log(stacked.seconds(figures)) - wanted
        if len(names):
            found -= (np.bincount(system, found) / np.bincount(system))[system]
        return np.concatenate([found, pull * (point - start)])

    beginnings = [
        start + np.log([beginning.get(name, 1.0) for name in FITTED])[free]
        for beginning in BEGINNINGS
    ]
    answers = [
        least_squares(errors, begin, bounds=(low, high), loss="soft_l1", f_scale=SCALE)
        for begin in beginnings
    ]
    best = min(answers, key=lambda one: float(one.cost))
    figures[free] = np.exp(best.x)
    return tuple(map(float, figures))


@frozen(eq=False)
class CrossValidation:
    """Measured over predicted times of rows that were left out of the fit."""

    ratios: Vector
    groups: tuple[str, ...]
    """What was left out together with each row."""
    formats: tuple[NumericFormat, ...]
    """The format of each row."""

    @property
    def median_error(self) -> float:
        """The median of the relative errors of the prediction."""
        return float(np.median(np.abs(1 / self.ratios - 1)))

    def percentile(self, share: float) -> float:
        """The ratio that this share of rows is below."""
        return float(np.quantile(self.ratios, share))

    def ends(self, few: Sequence[CrossValidation]) -> list[tuple[float, float]]:
        """Where 8 of 10 rows of a further group are; those of `few` with too few groups to tell."""
        if len(set(self.groups)) >= MANY_GROUPS:
            return [promised_ends(self.ratios, self.groups)]
        return [(one.percentile(0.1), one.percentile(0.9)) for one in few if len(one.ratios)]

    def apart(self) -> list[CrossValidation]:
        """The rows of each group by themselves."""
        names = dict.fromkeys(self.groups)
        return [self._chosen([one == name for one in self.groups]) for name in names]

    def of(self, number: NumericFormat) -> CrossValidation:
        """The rows in a format."""
        return self._chosen([one == number for one in self.formats])

    def _chosen(self, inside: Sequence[bool]) -> CrossValidation:
        groups, formats = (tuple(chosen(one, inside)) for one in (self.groups, self.formats))
        return CrossValidation(self.ratios[np.array(inside, bool)], groups, formats)


def left_out(
    terms: Sequence[Terms],
    seconds: Sequence[float],
    groups: Sequence[str],
    fit: Callable[[Sequence[Terms], Sequence[float]], Predictor] = fitted,
    folds: int | None = None,
) -> CrossValidation:
    """Each group predicted by a fit to all others; groups go into `folds` parts if given.

    Rows in a format that is not in the others are left out of the result.

    Raises:
        CostModelError: there is one group alone.

    """
    ratios, kept, formats = [], [], []
    for inside in splits(groups, folds):
        known = fit(chosen(terms, inside), chosen(seconds, inside))
        for one, time, name, is_inside in zip(terms, seconds, groups, inside, strict=True):
            if not is_inside and one.number in known.figures:
                ratios.append(time / known.seconds(one))
                kept.append(name)
                formats.append(one.number)
    return CrossValidation(np.array(ratios, float), tuple(kept), tuple(formats))


def splits(groups: Sequence[str], folds: int | None = None) -> Iterator[list[bool]]:
    """Which rows a fit sees, for each part that is left out: a group, or one of `folds` parts.

    Raises:
        CostModelError: there is one group alone.

    """
    names = sorted(set(groups))
    if len(names) < 2:  # noqa: PLR2004  # one to predict, one to fit
        message = f"expected measurements of at least 2 kinds to leave one out, found {names}"
        raise CostModelError(message)
    parts = min(folds or len(names), len(names))
    part_of = {name: place % parts for place, name in enumerate(_shuffled(names))}
    for part in range(parts):
        yield [part_of[name] != part for name in groups]


def _shuffled(names: Sequence[str]) -> list[str]:
    """The names in an order that does not depend on what they mean, the same each time."""
    order = np.random.default_rng(0).permutation(len(names))
    return [names[place] for place in order]


def chosen(rows: Sequence[Any], inside: Sequence[bool]) -> list[Any]:
    """The rows that are inside."""
    return [row for row, is_inside in zip(rows, inside, strict=True) if is_inside]


class Conditions(NamedTuple):
    """What was measured in one format."""

    networks: int
    batches: tuple[int, int]
    """The least and the largest."""
    shortest: float
    """The shortest time, in seconds."""


@frozen(eq=False)
class RuntimeFit:
    """A fit of one runtime of one device, and how well it predicts what it has not seen."""

    fit: Fit
    rows: int
    by_network: CrossValidation
    by_family: CrossValidation | None
    conditions: Mapping[NumericFormat, Conditions]
    left_out: str = "networks left out"
    """What `by_network` is about, in words; empty where it is the error of the fit itself."""

    def residual(self, number: NumericFormat) -> Residual:
        """Measured over predicted times in a format, which has figures of its own: 8 of 10.

        Of networks left out, and of families left out: the lowest of all low ends, and the highest
        of all high ends. One in ten of further groups is expected beyond each end at most, where
        there are `MANY_GROUPS`. Fewer tell their P10 and P90: networks those of all rows, families
        those of each by itself, since the next is as likely the worst as any of them.
        """
        networks, batches, shortest = self.conditions[number]
        ends = [FEW_NETWORKS if networks < MANY_NETWORKS else (1.0, 1.0)]
        left = self.by_network.of(number)
        ends += left.ends([left])
        if self.by_family is not None:
            left = self.by_family.of(number)
            ends += left.ends(left.apart())
        low, high = min(one for one, _ in ends), max(one for _, one in ends)
        return Residual(low, high, batches=batches, formats=(number,), shortest=shortest)


def fit_runtime(
    device: Device, measured: Sequence[Measurement], known: Mapping[str, float] | None = None
) -> RuntimeFit:
    """Fit a runtime of a device to measurements, and cross-validate by network and family.

    Figures in `known`, by the names of `FITTED`, are not fitted.

    Raises:
        CostModelError: too few measurements, or a network that cannot be read or priced.

    """
    at_full_speed = full_speed(device)
    return fit_terms(all_terms(at_full_speed, measured), measured, known)


def fit_terms(
    terms: Sequence[Terms],
    measured: Sequence[Measurement],
    known: Mapping[str, float] | None = None,
) -> RuntimeFit:
    """Fit to measurements whose terms are known, and cross-validate by network and family.

    Raises:
        CostModelError: one network alone, or predictions that miss by far.

    """

    def fit(terms: Sequence[Terms], seconds: Sequence[float]) -> Fit:
        return fitted(terms, seconds, known)

    seconds = [one.seconds for one in measured]
    families = [one.family for one in measured]
    unseen = None
    if len(set(families)) > 1:
        by_family = left_out(terms, seconds, families, fit)
        unseen = by_family if len(by_family.ratios) else None
    by_network = left_out(terms, seconds, [one.network for one in measured], fit, FOLDS)
    if not by_network.median_error <= WRONG:  # not a number is wrong, too
        message = (
            f"predictions of networks that were left out miss by a factor of "
            f"{by_network.median_error + 1:.3g}: check the units of the times and of the peaks"
        )
        raise CostModelError(message)
    return RuntimeFit(
        fit(terms, seconds),
        len(measured),
        by_network,
        unseen,
        conditions_of(measured),
    )


def conditions_of(measured: Sequence[Measurement]) -> Mapping[NumericFormat, Conditions]:
    """What was measured in each format."""
    by_format: dict[NumericFormat, list[Measurement]] = {}
    for one in sorted(measured, key=lambda one: format_name(one.scenario.default_format)):
        by_format.setdefault(one.scenario.default_format, []).append(one)
    return {number: _conditions(rows) for number, rows in by_format.items()}


def _conditions(rows: Sequence[Measurement]) -> Conditions:
    batches = [one.scenario.batch for one in rows]
    networks = len({one.network for one in rows})
    return Conditions(networks, (min(batches), max(batches)), min(one.seconds for one in rows))
