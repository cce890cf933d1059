"""Predicted against measured times: each row, and a summary of each device and runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import asdict, evolve, frozen

from costmodel import CostModelError
from costmodel.devices import Device
from costmodel.errors import UnknownNameError
from costmodel_validation.measurements import Measurement, by_system, workload_of

if TYPE_CHECKING:
    from costmodel import Scenario
    from costmodel.registry import Registry

CLOSE: Final = 0.1
NEAR: Final = 0.3
"""Relative errors of which the share of rows is reported."""
Conditions: TypeAlias = "tuple[str, str, str, Scenario]"
"""A device, a runtime, a network and a scenario."""


@frozen
class Checked:
    """A measurement beside what the device predicts for it; times of the whole batch."""

    measurement: Measurement
    seconds: float
    seconds_low: float
    seconds_high: float
    energy_joules: float | None
    """None where the device does not know its power."""

    @property
    def ratio(self) -> float:
        """Measured over predicted time."""
        return self.measurement.seconds / self.seconds

    @property
    def error(self) -> float:
        """The relative error of the prediction."""
        return abs(self.seconds / self.measurement.seconds - 1)

    @property
    def is_inside(self) -> bool:
        """Whether the interval of the device holds the measured time."""
        return self.seconds_low <= self.measurement.seconds <= self.seconds_high

    @property
    def energy_error(self) -> float | None:
        """The relative error of the energy, where it was measured."""
        measured = self.measurement.energy_joules
        if measured is None or self.energy_joules is None:
            return None
        return abs(self.energy_joules / measured - 1)

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values."""
        one = self.measurement
        return {
            "network": one.network, "batch": one.scenario.batch, "format": one.format_name,
            "measured_seconds": one.seconds, "predicted_seconds": self.seconds,
            "predicted_seconds_low": self.seconds_low,
            "predicted_seconds_high": self.seconds_high, "inside": self.is_inside,
            "measured_energy_joules": one.energy_joules,
            "predicted_energy_joules": self.energy_joules, "conditions": one.conditions,
            "source": one.source,
        }  # fmt: skip


@frozen
class Summary:
    """How well a device predicts what was measured on it under one runtime."""

    device: str
    runtime: str
    rows: int
    networks: int
    median_error: float
    within_10_percent: float
    within_30_percent: float
    rank_correlation: float | None
    """Of Spearman; None where all times are equal, or there are fewer than 3."""
    p10: float
    p90: float
    """Of measured over predicted times."""
    inside: float
    """The share of measured times that the interval holds."""
    interval: float
    """The median of the high end of an interval over its low end."""
    median_energy_error: float | None
    known: str
    """What the device says of its runtime: errors on networks that were left out of the fit."""

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        return asdict(self)


@frozen
class System:
    """The rows of a device and a runtime, and their summary."""

    summary: Summary
    rows: tuple[Checked, ...]


def checked(device: Device, measured: Measurement) -> Checked:
    """A measurement beside the prediction of a device.

    Raises:
        CostModelError: the network cannot be read, or has work without a price.

    """
    scenario = measured.scenario
    found = device.evaluate(workload_of(measured), scenario)
    cost = found.cost
    value, low, high = cost.latency_seconds, cost.latency_seconds_low, cost.latency_seconds_high
    missing = {name: why for name, why in found.unpriced.items() if name != "static"}
    if value is None or low is None or high is None or missing:
        name, reason = next(iter(missing.items()), ("the network", "its time is not modelled"))
        message = f"{measured.network} on {device.name}: {name} has no price: {reason}"
        raise CostModelError(message)
    energy = None if found.unknown_static else found.energy_joules
    return Checked(measured, value, low, high, energy)


def summary_of(device: str, runtime: str, rows: Sequence[Checked], known: str) -> Summary:
    """What the rows of one device and runtime come to."""
    errors = np.array([one.error for one in rows])
    ratios = np.array([one.ratio for one in rows])
    energies = [one.energy_error for one in rows if one.energy_error is not None]
    widths = [one.seconds_high / one.seconds_low for one in rows]
    return Summary(
        device,
        runtime,
        len(rows),
        len({one.measurement.network for one in rows}),
        float(np.median(errors)),
        float(np.mean(errors <= CLOSE)),
        float(np.mean(errors <= NEAR)),
        rank_correlation([one.measurement.seconds for one in rows], [one.seconds for one in rows]),
        float(np.quantile(ratios, 0.1)),
        float(np.quantile(ratios, 0.9)),
        float(np.mean([one.is_inside for one in rows])),
        float(np.median(widths)),
        float(np.median(energies)) if energies else None,
        known,
    )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The correlation of ranks of Spearman, equal values at their mean rank.

    None where one side is constant, or there are fewer than 3 values.
    """
    ranks = [_ranks(first), _ranks(second)]
    if len(first) < 3 or any(np.ptp(one) == 0 for one in ranks):  # noqa: PLR2004  # two always agree
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: Sequence[float]) -> Any:
    array = np.asarray(values, float)
    order = array.argsort(kind="stable")
    ranks = np.empty(len(array))
    ranks[order] = np.arange(len(array), dtype=float)
    for value in np.unique(array):
        ranks[array == value] = ranks[array == value].mean()
    return ranks


def chosen_systems(
    measured: Iterable[Measurement], names: Sequence[str] = ()
) -> Mapping[tuple[str, str], tuple[Measurement, ...]]:
    """What was measured by device and runtime, of the devices called `names` or of all.

    Raises:
        UnknownNameError: a name without measurements.

    """
    found = by_system(measured)
    known = dict.fromkeys(name for name, _ in found)
    for name in names:
        if name not in known:
            hint = "of others, `costmodel devices show NAME` says whose figures they have"
            raise UnknownNameError(name, known, "device with measurements", hint)
    return {key: rows for key, rows in found.items() if not names or key[0] in names}


def one_of_each(measured: Iterable[Measurement]) -> Mapping[Conditions, Measurement]:
    """Of all measurements under the same conditions the first, by device and runtime."""
    found: dict[Conditions, Measurement] = {}
    for rows in by_system(measured).values():
        for one in rows:
            found.setdefault(conditions_of(one), one)
    return found


def predictions(
    asked: Mapping[Conditions, Measurement], registry: Registry
) -> Mapping[Conditions, Checked]:
    """What the devices predict. A network meets all systems in a row, and is prepared once.

    Raises:
        CostModelError: a network that cannot be priced.
        UnknownNameError: a measured device or runtime that is not installed.

    """
    devices = {
        (name, runtime): registry.device(name).with_runtime(runtime)
        for name, runtime, _, _ in asked
    }
    together: dict[tuple[str, Scenario], list[Conditions]] = {}
    for key in asked:
        together.setdefault(key[2:], []).append(key)
    return {
        key: checked(devices[key[:2]], asked[key]) for keys in together.values() for key in keys
    }


def systems(
    measured: Iterable[Measurement],
    registry: Registry,
    names: Sequence[str] = (),
    predicted: Mapping[Conditions, Checked] | None = None,
) -> tuple[System, ...]:
    """Every device and runtime that was measured, or those of the devices called `names`.

    `predicted` is what `predictions` gives, where it is known already.

    Raises:
        CostModelError: a network that cannot be priced.
        UnknownNameError: a name without measurements, or a measured device or runtime that is
            not installed.

    """
    chosen = chosen_systems(measured, names)
    if predicted is None:
        every = [one for rows in chosen.values() for one in rows]
        predicted = predictions(one_of_each(every), registry)
    made = []
    for (name, runtime), rows in chosen.items():
        device = registry.device(name).with_runtime(runtime)
        beside = tuple([evolve(predicted[conditions_of(one)], measurement=one) for one in rows])
        found = summary_of(device.name, device.runtime or "", beside, device.known)
        made.append(System(found, beside))
    return tuple(made)


def conditions_of(measured: Measurement) -> Conditions:
    """What a prediction depends on."""
    return measured.device, measured.runtime, measured.network, measured.scenario
