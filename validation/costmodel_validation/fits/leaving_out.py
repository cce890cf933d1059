"""Errors and intervals on networks, families and devices that took no part in a fit.

The interval is left out, too: it is that of a fit and a cross-validation without the part that
is predicted. Nothing here looks at the figures that ship.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from attrs import frozen

from costmodel import CostModelError
from costmodel_validation.checking import Checked, Summary, chosen_systems, summary_of
from costmodel_validation.fits.conformal import Vector
from costmodel_validation.fits.fitting import (
    FEW_NETWORKS,
    FOLDS,
    MANY_NETWORKS,
    Fit,
    RuntimeFit,
    Terms,
    all_terms,
    chosen,
    fit_terms,
    fitted,
    full_speed,
    splits,
)
from costmodel_validation.fits.known import known_figures
from costmodel_validation.fits.microcontrollers import (
    BoardTerms,
    System,
    board_terms,
    scales_of,
    shared_shape,
)
from costmodel_validation.measurements import Measurement

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.registry import Registry

PARTS: Final = ("networks", "families", "devices")
"""What can be left out."""
FEWEST_DEVICES: Final = 3
"""Of one runtime: one to predict, one to borrow from, one to tell which is the nearest."""


@frozen(eq=False)
class Rows:
    """The measurements of a device under a runtime, with their terms."""

    measured: tuple[Measurement, ...]
    terms: tuple[Terms, ...]

    def known(self, runtime: str) -> Mapping[str, float]:
        """What is not fitted of this runtime."""
        return known_figures(runtime, is_asynchronous=self.terms[0].asynchronous)

    def ratios(self, fit: Fit) -> Vector:
        """Measured over predicted times, of the formats that the fit knows."""
        pairs = zip(self.measured, self.terms, strict=True)
        known = [(row, one) for row, one in pairs if one.number in fit.figures]
        return np.array([row.seconds / fit.seconds(one) for row, one in known], float)


def left_out_summaries(
    measured: Sequence[Measurement], registry: Registry, part: str, names: Sequence[str] = ()
) -> Iterator[Summary]:
    """For each device and runtime: predictions by fits that never saw what they predict.

    `part` is one of `PARTS`. Networks leave in five parts, families and devices one by one.
    A device is predicted with the figures of the measured device that predicts the other ones
    best, and with its own peaks; a microcontroller by the shape that all others share, at the
    scale of its other networks.

    Raises:
        CostModelError: a network that cannot be read or priced.
        UnknownNameError: a name without measurements, or a measured device or runtime that is
            not installed.

    """
    every = chosen_systems(measured)
    some = chosen_systems(measured, names)
    found = (
        _devices(every, registry) if part == "devices" else _with_residuals(some, registry, part)
    )
    for (name, runtime), checked in found:
        if checked and (name, runtime) in some:
            yield summary_of(name, runtime, checked, known=f"{part} left out")


def with_terms(system: System, rows: Sequence[Measurement], registry: Registry) -> Rows:
    """The measurements of a device under a runtime, with their terms."""
    name, runtime = system
    at_full_speed = full_speed(registry.device(name).with_runtime(runtime))
    return Rows(tuple(rows), tuple(all_terms(at_full_speed, rows)))


def is_of_many(rows: Sequence[Measurement]) -> bool:
    """Whether figures of its own can be fitted and cross-validated."""
    return len({one.network for one in rows}) >= MANY_NETWORKS


def has_many_workloads(rows: Sequence[Measurement]) -> bool:
    """Whether as much was measured, steps of one language model in several forms included."""
    kinds = {(one.network, one.scenario.weights, one.scenario.input_shapes) for one in rows}
    return len(kinds) >= MANY_NETWORKS


def _checked(row: Measurement, seconds: float, interval: tuple[float, float]) -> Checked:
    low, high = interval
    return Checked(row, seconds, seconds * low, seconds * high, None)


# ------------------------------------------------------------------ networks and families


class Unseen(NamedTuple):
    """A measurement, and what a fit says of it that never saw its network or its family."""

    row: Measurement
    seconds: float
    fit: RuntimeFit
    """With the cross-validation of what is left."""

    def checked(self) -> Checked:
        """The row beside its prediction, with the interval that a device file would have."""
        found = self.fit.residual(self.row.scenario.default_format)
        return _checked(self.row, self.seconds, (found.low, found.high))


def unseen(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry, part: str
) -> Iterator[tuple[System, list[Unseen]]]:
    """The measurements of each system with enough of them, by fits without their `part`.

    `part` is "networks" or "families".

    Raises:
        CostModelError: a network that cannot be read or priced.

    """
    for system, measured in systems.items():
        if not has_many_workloads(measured):
            continue
        rows = with_terms(system, measured, registry)
        of_families = part == "families"
        groups = [one.family if of_families else one.network for one in measured]
        if len(set(groups)) < FEWEST_DEVICES:
            continue
        found = []
        for inside in splits(groups, None if of_families else FOLDS):
            try:
                known = fit_terms(
                    chosen(rows.terms, inside), chosen(measured, inside), rows.known(system[1])
                )
            except CostModelError:  # what is left has one network, or tells nothing
                continue
            for row, one, is_inside in zip(measured, rows.terms, inside, strict=True):
                if not is_inside and one.number in known.fit.figures:
                    found.append(Unseen(row, known.fit.seconds(one), known))
        yield system, found


def _with_residuals(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry, part: str
) -> Iterator[tuple[System, list[Checked]]]:
    for system, rows in unseen(systems, registry, part):
        yield system, [one.checked() for one in rows]


# ------------------------------------------------------------------ devices


def _devices(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry
) -> Iterator[tuple[System, list[Checked]]]:
    for rows_of in by_runtime(systems, registry):
        yield from _borrowed(rows_of)
    yield from _boards(
        {one: rows for one, rows in systems.items() if is_microcontroller(one, registry)}, registry
    )


def by_runtime(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry
) -> Iterator[Mapping[System, Rows]]:
    """Of each runtime, the devices on which many networks were measured; of several devices.

    Devices that share no format, such as GPUs and CPUs under compiled PyTorch, are kept apart.
    """
    many: dict[str, list[System]] = {}
    for system, measured in systems.items():
        if has_many_workloads(measured) and not is_microcontroller(system, registry):
            many.setdefault(system[1], []).append(system)
    for of_runtime in many.values():
        for found in _sharing_formats({one: systems[one] for one in of_runtime}):
            if len(found) >= FEWEST_DEVICES:
                yield {system: with_terms(system, systems[system], registry) for system in found}


def _sharing_formats(systems: Mapping[System, Sequence[Measurement]]) -> list[list[System]]:
    """The systems in groups, so that one has no format in common with those of another group."""
    groups: list[tuple[set[NumericFormat], list[System]]] = []
    for system, rows in systems.items():
        formats = {one.scenario.default_format for one in rows}
        together = [system]
        for group in [one for one in groups if one[0] & formats]:
            groups.remove(group)
            formats |= group[0]
            together = [*group[1], *together]
        groups.append((formats, together))
    return [together for _, together in groups]


def is_microcontroller(system: System, registry: Registry) -> bool:
    """Whether the device keeps weights in flash memory."""
    return any(memory.name == "flash" for memory in registry.device(system[0]).memories)


def fits_of(rows_of: Mapping[System, Rows]) -> dict[System, Fit]:
    """The figures of each device by itself."""
    return {
        system: fitted(rows.terms, [one.seconds for one in rows.measured], rows.known(system[1]))
        for system, rows in rows_of.items()
    }


def _borrowed(rows_of: Mapping[System, Rows]) -> Iterator[tuple[System, list[Checked]]]:
    """Each device by the figures of that which predicts the others best."""
    fits = fits_of(rows_of)
    ratios = {
        (lender, borrower): rows_of[borrower].ratios(fits[lender])
        for lender in fits
        for borrower in fits
        if lender != borrower
    }
    for system, rows in rows_of.items():
        others = {pair: found for pair, found in ratios.items() if system not in pair}
        lenders = [one for one in fits if one != system]
        lender = min(lenders, key=lambda one: _mean_error(one, others))
        interval = borrowed_interval(np.concatenate(list(others.values())))
        fit = fits[lender]
        yield (
            system,
            [
                _checked(row, fit.seconds(one), interval)
                for row, one in zip(rows.measured, rows.terms, strict=True)
                if one.number in fit.figures
            ],
        )


def _mean_error(
    lender: System,
    ratios: Mapping[tuple[System, System], Vector],
) -> float:
    """The mean over borrowers of the median error of their times, as a logarithm."""
    errors = [
        float(np.median(np.abs(np.log(found))))
        for (one, _), found in ratios.items()
        if one == lender and len(found)
    ]
    return float(np.mean(errors)) if errors else np.inf


def borrowed_interval(ratios: Vector) -> tuple[float, float]:
    """P10 to P90 of measured over predicted times with figures of others, at least 0.5 to 2."""
    low, high = np.quantile(ratios, [0.1, 0.9])
    least, most = FEW_NETWORKS
    return min(float(low), least), max(float(high), most)


def board_rows(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry
) -> list[BoardTerms]:
    """The measurements of microcontrollers with their terms."""
    return [
        board_terms(full_speed(registry.device(system[0]).with_runtime(system[1])), one)
        for system, measured in systems.items()
        if is_microcontroller(system, registry)
        for one in measured
    ]


def _boards(
    systems: Mapping[System, Sequence[Measurement]], registry: Registry
) -> Iterator[tuple[System, list[Checked]]]:
    """Each board by the shape of all others, at the scale of its other networks."""
    rows = board_rows(systems, registry)
    for name in dict.fromkeys(name for name, _ in systems):
        shape, _ = shared_shape([one for one in rows if one.system[0] != name])
        for system in systems:
            if system[0] == name:
                own = [one for one in rows if one.system == system]
                found = []
                for one in own:
                    rest = [x for x in own if x.measurement.network != one.measurement.network]
                    if rest and one.terms.number in shape.figures:
                        scale = scales_of(shape, rest)[system]
                        seconds = scale * shape.seconds(one.terms)
                        found.append(_checked(one.measurement, seconds, FEW_NETWORKS))
                yield system, found
