"""Which part of an error is that of the measurements: how close any model of networks could come.

Three yardsticks. The shortest batch of a run, which other programs and clocks that change disturb
least: the same fit to these times shows the error of the model without the disturbance. A learner
without a model, which sees the same sums of each network: what it predicts no better than the
fit, these sums do not tell. And choices made with hindsight, which no prediction can use.
"""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from attrs import evolve, frozen

from costmodel.formats import NumericFormat, format_name
from costmodel_validation.checking import chosen_systems, rank_correlation
from costmodel_validation.fits.conformal import Vector
from costmodel_validation.fits.fitting import (
    FOLDS,
    CrossValidation,
    Fit,
    Predictor,
    Terms,
    chosen,
    fitted,
    full_speed,
    left_out,
)
from costmodel_validation.fits.leaving_out import (
    FEWEST_DEVICES,
    Rows,
    board_rows,
    by_runtime,
    fits_of,
    is_microcontroller,
    is_of_many,
    with_terms,
)
from costmodel_validation.fits.microcontrollers import BoardTerms, System, shared_shape

if TYPE_CHECKING:
    from costmodel.registry import Registry
    from costmodel_validation.measurements import Measurement

TABLE: Final = "floors.csv"
PULLS: Final = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0)
"""How strongly shares of microcontrollers may be drawn to usual ones: one of these is chosen."""
MANY_REPEATS: Final = 10
"""Rows of one network, batch and format from which a scatter is stated."""
DISTURBED: Final = 1.5
"""P90 over the shortest time of a run, above which it is called disturbed."""
FEW_ROWS: Final = 30
"""Fewer of a system are compared with as few of other systems."""
DRAWS: Final = 50
"""How often as few rows as another system has are drawn at random."""
POWERS: Final = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""With which power of the sum over groups the time of a network may grow."""
BORDERS: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The share of networks that a second speed may leave out: those with less arithmetic."""


class Floor(NamedTuple):
    """One figure of a yardstick: what it is about, its name and its value."""

    subject: str
    device: str
    runtime: str
    figure: str
    value: float


def floors(measured: Sequence[Measurement], registry: Registry) -> Iterator[Floor]:
    """Every yardstick of every device and runtime that it applies to.

    Raises:
        CostModelError: a network that cannot be read or priced.
        UnknownNameError: a measured device or runtime that is not installed.

    """
    for subject, system, figures in _subjects(chosen_systems(measured), registry):
        for figure, value in figures.items():
            yield Floor(subject, *system, figure, value)


def _subjects(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry
) -> Iterator[tuple[str, System, Mapping[str, float]]]:
    for system, rows in systems.items():
        if is_of_many(rows) and all(one.shortest_seconds for one in rows):
            yield "runs", system, _of_runs(with_terms(system, rows, registry), system)
    in_order = {
        system: with_terms(system, rows, registry)
        for system, rows in systems.items()
        if is_of_many(rows)
        and not is_microcontroller(system, registry)
        and not full_speed(registry.device(system[0]).with_runtime(system[1])).overlap_traffic
    }
    yield from _of_forms(in_order)
    yield from _of_clocks(in_order)
    of_many = {system: rows for system, rows in systems.items() if is_of_many(rows)}
    for rows_of in by_runtime(of_many, registry):
        for system, figures in _of_few(rows_of):
            yield "few", system, figures
        for system, figures in _of_lenders(rows_of):
            yield "lenders", system, figures
    if boards := board_rows(systems, registry):
        yield "boards", ("", ""), _of_boards(boards)
    for system, rows in systems.items():
        if not is_microcontroller(system, registry):
            yield "repeats", system, _of_repeats(rows)


# ------------------------------------------------------------------ disturbed runs, and a learner


def _of_runs(rows: Rows, system: System) -> dict[str, float]:
    measured, terms = rows.measured, rows.terms
    shortest = [one.shortest_seconds or one.seconds for one in measured]
    longer = np.array([one.seconds for one in measured]) / shortest
    late = np.array([one.p90_seconds or one.seconds for one in measured]) / shortest
    found = {
        "mean_over_shortest": float(np.median(longer)),
        "scatter": float(np.median(np.abs(longer / np.median(longer) - 1))),
        "disturbed": float(np.mean(late > DISTURBED)),
        "inverted": inverted(terms, [one.seconds for one in measured]),
        "inverted_shortest": inverted(terms, shortest),
    }

    def model(terms: Sequence[Terms], seconds: Sequence[float]) -> Predictor:
        return fitted(terms, seconds, rows.known(system[1]))

    def corrected(terms: Sequence[Terms], seconds: Sequence[float]) -> Predictor:
        return learned(terms, seconds, fitted(terms, seconds, rows.known(system[1])))

    found["late_shortest"] = _late(model(terms, shortest), terms, shortest, longer)
    found.update(_by_format(measured, terms, shortest, model))
    seconds = [one.seconds for one in measured]
    cases: Mapping[str, tuple[Sequence[float], Callable[..., Predictor]]] = {
        "": (seconds, model), "_shortest": (shortest, model), "_learner": (seconds, learned),
        "_corrected": (seconds, corrected),
    }  # fmt: skip
    for part, (groups, folds) in _parts(measured).items():
        for name, (times, fit) in cases.items():
            ratios = left_out(terms, times, groups, fit, folds)
            found[f"{part}{name}"] = ratios.median_error
            if part == "networks" and name in {"", "_shortest"}:
                found[f"rank{name}"] = _rank(ratios, groups, times)
    return found


def _late(
    fit: Predictor, terms: Sequence[Terms], shortest: Sequence[float], longer: Vector
) -> float:
    """The rank correlation of shortest over fitted times with mean over shortest times.

    Below 0 where the shortest batch of a run is itself late: then the mean is nearer to it.
    """
    ratios = [time / fit.seconds(one) for one, time in zip(terms, shortest, strict=True)]
    found = rank_correlation(ratios, list(longer))
    return float("nan") if found is None else found


def _by_format(
    measured: Sequence[Measurement],
    terms: Sequence[Terms],
    seconds: Sequence[float],
    fit: Callable[[Sequence[Terms], Sequence[float]], Predictor],
) -> dict[str, float]:
    """The error on networks left out of the measurements in each format by themselves."""
    found = {}
    for number in dict.fromkeys(one.format_name for one in measured):
        inside = [one.format_name == number for one in measured]
        names = [one.network for one in chosen(measured, inside)]
        own = left_out(chosen(terms, inside), chosen(seconds, inside), names, fit, FOLDS)
        found[f"shortest_{number}"] = own.median_error
    return found


def inverted(terms: Sequence[Terms], seconds: Sequence[float]) -> float:
    """Of two networks of a format of which one has more of every sum: how often it takes less.

    Whatever rises with the sums that the model adds up misses one of the two.
    """
    features = np.array([_features(one) for one in terms])
    more = np.all(features[:, None] <= features[None], -1)
    more &= np.any(features[:, None] < features[None], -1)
    formats = np.array([format_name(one.number) for one in terms])
    more &= formats[:, None] == formats[None]
    times = np.array(seconds)
    return float(np.mean((times[:, None] > times[None])[more])) if more.any() else 0.0


def _parts(
    measured: Sequence[Measurement],
) -> Mapping[str, tuple[Sequence[str], int | None]]:
    """What is left out together, and in how many parts."""
    return {
        "networks": ([one.network for one in measured], FOLDS),
        "families": ([one.family for one in measured], None),
    }


def _rank(ratios: CrossValidation, groups: Sequence[str], times: Sequence[float]) -> float:
    """The rank correlation of what was left out: measured times again beside their predictions."""
    of_group: dict[str, list[float]] = {}
    for name, time in zip(groups, times, strict=True):
        of_group.setdefault(name, []).append(time)
    again = [of_group[name].pop(0) for name in ratios.groups]
    found = rank_correlation(again, list(np.array(again) / ratios.ratios))
    return float("nan") if found is None else found


_WIDTHS: Final = (1.0, 2.0, 4.0, 8.0)
_SLOPES: Final = (0.1, 1.0, 10.0)
_NOISES: Final = (1e-3, 1e-2, 1e-1)


@frozen(eq=False)
class Learner:
    """A Gaussian process of the logarithm of times over the sums of each network."""

    figures: Mapping[NumericFormat, _Process]
    base: Predictor | None
    """What predicts first; the process corrects it."""

    def seconds(self, terms: Terms) -> float:
        """The predicted time."""
        log = self.figures[terms.number].at(_features(terms))
        return float(np.exp(log) * (1.0 if self.base is None else self.base.seconds(terms)))


@frozen(eq=False)
class _Process:
    """Kernel regression: a straight line and a smooth part; inputs of mean 0 and deviation 1."""

    inputs: Vector
    """One row for each network."""
    weights: Vector
    middle: Vector
    spread: Vector
    mean: float
    kernel: tuple[float, float]

    def at(self, features: Vector) -> float:
        """The value at some features."""
        one = ((features - self.middle) / self.spread)[None]
        return float(_kernel(one, self.inputs, *self.kernel)[0] @ self.weights + self.mean)


def learned(
    terms: Sequence[Terms], seconds: Sequence[float], base: Predictor | None = None
) -> Learner:
    """A Gaussian process that is fitted to times, each format by itself.

    Its widths are those with the least squared error where each network is left out of the others.
    """
    found = {}
    for number in dict.fromkeys(one.number for one in terms):
        inside = [one.number == number for one in terms]
        own = chosen(terms, inside)
        before = [1.0 if base is None else base.seconds(one) for one in own]
        found[number] = _process(
            np.array([_features(one) for one in own]),
            np.log(np.array(chosen(seconds, inside), float) / before),
        )
    return Learner(found, base)


def _process(features: Vector, wanted: Vector) -> _Process:
    middle, spread = features.mean(0), features.std(0)
    spread[spread == 0] = 1.0
    inputs, mean = (features - middle) / spread, float(wanted.mean())
    best: tuple[float, tuple[float, float], Vector] | None = None
    for width, slope, noise in itertools.product(_WIDTHS, _SLOPES, _NOISES):
        inverse = np.linalg.inv(_kernel(inputs, inputs, width, slope) + noise * np.eye(len(inputs)))
        weights = inverse @ (wanted - mean)
        error = float(np.sum((weights / np.diag(inverse)) ** 2))  # of each, left out
        if best is None or error < best[0]:
            best = error, (width, slope), weights
    if best is None:  # there are widths to try
        raise AssertionError
    return _Process(inputs, best[2], middle, spread, mean, best[1])


def _kernel(first: Vector, second: Vector, width: float, slope: float) -> Vector:
    distance = np.sum((first[:, None] - second[None]) ** 2, -1)
    return np.asarray(np.exp(-distance / (2 * width**2)) + slope * first @ second.T, float)


def _features(terms: Terms) -> Vector:
    """Logarithms: arithmetic, traffic of contractions, other traffic, and groups of both kinds."""
    sums = (
        float(terms.arithmetic @ terms.times),
        float((terms.traffic + terms.weights) @ terms.times),
        float((terms.moved + terms.moved_weights) @ terms.moved_times), float(terms.times.sum()),
        float(terms.moved_times.sum()),
    )  # fmt: skip
    return np.asarray(np.log(np.maximum(sums, 1e-9)), float)


# ------------------------------------------------------------------ forms of the model

_FORMS: Final = {"overlap": True, "serial": False}
"""Whether traffic overlaps with arithmetic, by a name."""


def _of_forms(
    rows_of: Mapping[System, Rows],
) -> Iterator[tuple[str, System, Mapping[str, float]]]:
    """Errors under each form of the model, and under the one that suits all other systems best."""
    found = {
        system: {name: _errors_of(rows, system, name) for name in _FORMS}
        for system, rows in rows_of.items()
    }
    for system, forms in found.items():
        best = _best_of([one for name, one in found.items() if name != system])
        named = {**forms, "nested": forms[best]}
        yield "forms", system, _flat(named)


def _flat(named: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Errors by name and part, in one level."""
    return {
        f"{name}_{part}": error for name, errors in named.items() for part, error in errors.items()
    }


def _best_of(systems: Iterable[Mapping[str, Mapping[str, float]]]) -> str:
    """The form with the least geometric mean of the errors of some systems."""
    errors: dict[str, list[float]] = {}
    for forms in systems:
        for name, found in forms.items():
            errors.setdefault(name, []).extend(found.values())
    return min(errors, key=lambda name: float(np.log(errors[name]).mean()))


def _errors_of(rows: Rows, system: System, form: str) -> dict[str, float]:
    """The median errors on networks and, where there are several, on families left out."""
    terms = [evolve(one, overlap_traffic=_FORMS[form]) for one in rows.terms]

    def model(terms: Sequence[Terms], seconds: Sequence[float]) -> Predictor:
        return fitted(terms, seconds, rows.known(system[1]))

    return _left_out_errors(rows.measured, terms, model)


def _left_out_errors(
    measured: Sequence[Measurement],
    terms: Sequence[Terms],
    fit: Callable[[Sequence[Terms], Sequence[float]], Predictor],
) -> dict[str, float]:
    """The median errors on networks and, where there are several, on families left out."""
    seconds = [one.seconds for one in measured]
    return {
        part: left_out(terms, seconds, groups, fit, folds).median_error
        for part, (groups, folds) in _parts(measured).items()
        if len(set(groups)) >= FEWEST_DEVICES
    }


# ------------------------------------------------------------------ clocks that rise with the work


@frozen(eq=False)
class Clocked:
    """Figures of a fit, and by what each format's times change with the work of a network."""

    figures: Mapping[NumericFormat, tuple[Fit, Callable[[Terms, float], float]]]

    def seconds(self, terms: Terms) -> float:
        """The predicted time."""
        fit, changed = self.figures[terms.number]
        return changed(terms, fit.seconds(terms))


def sublinear(terms: Sequence[Terms], seconds: Sequence[float]) -> Clocked:
    """Times that grow with a power of the sum over groups, one of `POWERS` for each format."""

    def candidates(own: Sequence[Terms], times: Vector) -> Iterator[_Candidate]:
        usual = float(np.exp(np.mean(np.log(times))))
        for power in POWERS:
            straight = usual * (times / usual) ** (1 / power)
            yield fitted(own, list(straight)), functools.partial(_raised, usual, power)

    return _best_clock(terms, seconds, candidates)


def _raised(usual: float, power: float, _: Terms, seconds: float) -> float:
    return float(usual * (seconds / usual) ** power)


def two_speeds(terms: Sequence[Terms], seconds: Sequence[float]) -> Clocked:
    """Networks with more arithmetic than a border take a multiple of the time of the figures."""

    def candidates(own: Sequence[Terms], times: Vector) -> Iterator[_Candidate]:
        work = np.array([_work(one) for one in own])
        yield fitted(own, list(times)), functools.partial(_sped, np.inf, (1.0, 1.0))
        for share in BORDERS:
            border = float(np.quantile(work, share))
            if border >= work.max():
                continue
            above = work > border
            fit = fitted(own, list(times), scaled=list(above))
            ratios = times / np.array([fit.seconds(one) for one in own])
            multiples = float(np.median(ratios[~above])), float(np.median(ratios[above]))
            yield fit, functools.partial(_sped, border, multiples)

    return _best_clock(terms, seconds, candidates)


def _sped(border: float, multiples: tuple[float, float], terms: Terms, seconds: float) -> float:
    return multiples[_work(terms) > border] * seconds


def _work(terms: Terms) -> float:
    return float(terms.arithmetic @ terms.times)


_Candidate = tuple[Fit, Callable[[Terms, float], float]]


def _best_clock(
    terms: Sequence[Terms],
    seconds: Sequence[float],
    candidates: Callable[[Sequence[Terms], Vector], Iterable[_Candidate]],
) -> Clocked:
    """Of each format, the candidate with the least mean logarithm of errors in the fit."""
    found = {}
    for number in dict.fromkeys(one.number for one in terms):
        inside = [one.number == number for one in terms]
        own, times = chosen(terms, inside), np.array(chosen(seconds, inside), float)

        def error(one: _Candidate, own: Sequence[Terms] = own, times: Vector = times) -> float:
            predicted = [one[1](each, one[0].seconds(each)) for each in own]
            return float(np.mean(np.abs(np.log(predicted / times))))

        found[number] = min(candidates(own, times), key=error)
    return Clocked(found)


CLOCKS: Final[Mapping[str, Callable[[Sequence[Terms], Sequence[float]], Predictor]]] = {
    "fixed": fitted, "sublinear": sublinear, "two_speeds": two_speeds,
}  # fmt: skip
"""How the clock may depend on the work of a network."""


def _of_clocks(
    rows_of: Mapping[System, Rows],
) -> Iterator[tuple[str, System, Mapping[str, float]]]:
    """Errors under each law of the clock, and under the one that suits all other systems best."""
    found = {
        system: {
            name: _left_out_errors(rows.measured, rows.terms, fit) for name, fit in CLOCKS.items()
        }
        for system, rows in rows_of.items()
    }
    for system, laws in found.items():
        best = _best_of([one for name, one in found.items() if name != system])
        named = {**laws, "nested": laws[best]}
        yield "clocks", system, _flat(named)


# ------------------------------------------------------------------ few networks


def _of_few(rows_of: Mapping[System, Rows]) -> Iterator[tuple[System, dict[str, float]]]:
    """Errors from as few rows as the system of the runtime with the fewest has.

    From the very same networks and formats, and on families from as many drawn at random.
    """
    few = min(rows_of.values(), key=lambda one: len(one.measured))
    if len(few.measured) >= FEW_ROWS:
        return
    wanted = {(one.network, one.format_name) for one in few.measured}
    for system, rows in rows_of.items():
        keys = [(one.network, one.format_name) for one in rows.measured]
        same = [key in wanted for key in keys]
        if sum(same) < len(wanted):
            continue
        found = {"rows": float(sum(same)), **_of_rows(rows, same, "same")}
        if not all(same):
            random = np.random.default_rng(0)
            picks = [random.choice(len(keys), len(wanted), replace=False) for _ in range(DRAWS)]
            drawn = [_of_families(rows, list(np.isin(np.arange(len(keys)), one))) for one in picks]
            low, middle, high = np.quantile(drawn, [0.1, 0.5, 0.9])
            found.update(
                _of_rows(rows, [True] * len(keys), "all"), families_drawn=float(middle),
                families_drawn_p10=float(low), families_drawn_p90=float(high),
            )  # fmt: skip
        yield system, found


def _of_rows(rows: Rows, inside: Sequence[bool], name: str) -> dict[str, float]:
    """The median errors on networks and on families left out, of some rows."""
    measured, terms = chosen(rows.measured, inside), chosen(rows.terms, inside)
    seconds = [one.seconds for one in measured]
    return {
        f"{part}_{name}": left_out(terms, seconds, groups, folds=folds).median_error
        for part, (groups, folds) in _parts(measured).items()
    }


def _of_families(rows: Rows, inside: Sequence[bool]) -> float:
    measured = chosen(rows.measured, inside)
    seconds = [one.seconds for one in measured]
    families = [one.family for one in measured]
    return left_out(chosen(rows.terms, inside), seconds, families).median_error


# ------------------------------------------------------------------ hindsight


def _of_lenders(rows_of: Mapping[System, Rows]) -> Iterator[tuple[System, dict[str, float]]]:
    """The best lender of each device with hindsight, that with the best scale, and its own fit."""
    fits = fits_of(rows_of)
    for system, rows in rows_of.items():
        ratios = [rows.ratios(fit) for lender, fit in fits.items() if lender != system]
        yield (
            system,
            {
                "best_lender": min(map(_median_error, ratios)),
                "best_lender_and_scale": min(_median_error(one / np.median(one)) for one in ratios),
                "own_fit": _median_error(rows.ratios(fits[system])),
            },
        )


def _median_error(ratios: Vector) -> float:
    return float(np.median(np.abs(1 / ratios - 1)))


def _of_boards(rows: Sequence[BoardTerms]) -> dict[str, float]:
    """Errors on a network that all microcontrollers leave out."""
    networks = sorted({one.measurement.network for one in rows})
    forms = {
        (overlap, pull): _without_each(
            [one._replace(terms=evolve(one.terms, overlap_traffic=overlap)) for one in rows],
            networks,
            pull,
        )
        for overlap in (True, False)
        for pull in PULLS
    }
    nested: list[float] = []
    for runtime in dict.fromkeys(one.system[1] for one in rows):
        best = min(forms, key=lambda form: _median_of(forms[form], runtime, inside=False))
        nested += [error for system, error in forms[best] if system[1] == runtime]
    before = [error for _, error in forms[True, PULLS[0]]]
    return {
        "networks_before": float(np.median(before)),
        "networks_nested": float(np.median(nested)),
        "hindsight": _shared_with_hindsight(rows, networks),
    }


def _without_each(
    rows: Sequence[BoardTerms], networks: Iterable[str], pull: float
) -> list[tuple[System, float]]:
    """The error of each measurement by a shape that never saw its network."""
    found = []
    for network in networks:
        fit, scales = shared_shape([x for x in rows if x.measurement.network != network], pull)
        for one in rows:
            if one.measurement.network == network and one.system in scales:
                predicted = scales[one.system] * fit.seconds(one.terms)
                found.append((one.system, abs(predicted / one.measurement.seconds - 1)))
    return found


def _median_of(errors: Iterable[tuple[System, float]], runtime: str, *, inside: bool) -> float:
    return float(np.median([error for one, error in errors if (one[1] == runtime) == inside]))


def _shared_with_hindsight(rows: Iterable[BoardTerms], networks: Sequence[str]) -> float:
    """The error of the ratios of networks that suit most boards, at each board's own scale.

    Whatever a model says of a network, it says the same of all boards and runtimes.
    """
    times: dict[System, dict[str, list[float]]] = {}
    for one in rows:
        of_network = times.setdefault(one.system, {})
        of_network.setdefault(one.measurement.network, []).append(np.log(one.measurement.seconds))
    logs = np.array([
        [float(np.mean(found[name])) for name in networks]
        for found in times.values()
        if len(found) == len(networks)
    ])  # fmt: skip
    errors = []
    for place in range(len(networks)):
        beside = logs[:, place] - np.delete(logs, place, 1).mean(1)
        errors.append(np.abs(np.exp(np.median(beside) - beside) - 1))
    return float(np.median(errors))


def _of_repeats(rows: Iterable[Measurement]) -> dict[str, float]:
    """How times of one network under the same stated conditions differ."""
    same: dict[tuple[Any, ...], list[float]] = {}
    for one in rows:
        key = one.network, one.scenario
        same.setdefault(key, []).append(one.seconds)
    times = max((np.array(found) for found in same.values()), key=len)
    if len(times) < MANY_REPEATS:
        return {}
    return {
        "rows": float(len(times)),
        "scatter": float(np.median(np.abs(times / np.median(times) - 1))),
        "longest_over_shortest": float(times.max() / times.min()),
    }


# ------------------------------------------------------------------ the table


def floors_table(found: Iterable[Floor]) -> str:
    """Yardsticks as the table that `read_floors` reads."""
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(Floor._fields)
    writer.writerows([*one[:4], f"{one.value:.4g}"] for one in found)
    return lines.getvalue()


def read_floors() -> Mapping[str, Mapping[System, Mapping[str, float]]]:
    """The yardsticks that `write_accuracy.py` found, by subject and system."""
    text = (files("costmodel_validation") / TABLE).read_text(encoding="utf-8")
    found: dict[str, dict[System, dict[str, float]]] = {}
    for row in csv.DictReader(text.splitlines()):
        of_subject = found.setdefault(row["subject"], {})
        system = row["device"], row["runtime"]
        of_subject.setdefault(system, {})[row["figure"]] = float(row["value"])
    return found
