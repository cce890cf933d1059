"""Fits of TensorRT: shares of the bandwidth that all GPUs have in common, the rest of each alone.

Two to four networks were measured on each GPU, too few for five figures of its own: without a
network of depthwise convolutions, nothing tells what these take. How well engines use a memory, and
what a call takes, is that of the software; the share of the peak, and the time of a launch, are of
the GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from costmodel_validation.fits.conformal import Vector
from costmodel_validation.fits.fitting import (
    BEGINNINGS,
    FITTED,
    SCALE,
    CrossValidation,
    Fit,
    Stacked,
    Terms,
    chosen,
    fitted,
)
from costmodel_validation.fits.fitting import (
    PULL as OWN_PULL,
)
from costmodel_validation.fits.microcontrollers import PULL
from costmodel_validation.measurements import Measurement

ENGINES: Final = "tensorrt"
"""The runtime whose shares are fitted on all GPUs; others of its name take them."""
SHARED: Final = (
    "contraction_bandwidth_efficiency",
    "bandwidth_efficiency",
    "overhead_per_call",
)
"""Figures that all GPUs have in common, in the order of `FITTED`."""


class Medians(NamedTuple):
    """The networks and batches that were measured on a GPU, each once, however often it ran."""

    networks: tuple[str, ...]
    terms: tuple[Terms, ...]
    seconds: tuple[float, ...]
    """The median of all runs."""

    def without(self, network: str) -> Medians:
        """All but those of a network."""
        inside = [one != network for one in self.networks]
        return Medians(*[tuple(chosen(one, inside)) for one in self])


def medians_of(measured: Sequence[Measurement], terms: Sequence[Terms]) -> Medians:
    """The conditions of measurements in one format; `terms` belong to them."""
    found: dict[tuple[str, int], list[tuple[float, Terms]]] = {}
    for row, one in zip(measured, terms, strict=True):
        found.setdefault((row.network, row.scenario.batch), []).append((row.seconds, one))
    times = [float(np.median([time for time, _ in runs])) for runs in found.values()]
    return Medians(
        tuple([network for network, _ in found]),
        tuple([runs[0][1] for runs in found.values()]),
        tuple(times),
    )


def shared_figures(systems: Iterable[Medians]) -> Mapping[str, float]:
    """The figures of `SHARED` that explain the times on several GPUs best, by their names.

    Each GPU has an efficiency and an overhead of its own. Errors count as in `fitted`; what is
    shared is drawn to usual values as the shares of microcontrollers are, for the same reason.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415  # an extra

    parts = [one for one in systems if one.seconds]
    stacked = [Stacked(one.terms) for one in parts]
    wanted = [np.log(one.seconds) for one in parts]
    names = list(FITTED)
    is_shared = np.array([name in SHARED for name in names])
    usual, least, most = (
        np.log([getattr(one, name) for one in FITTED.values()])
        for name in ("usual", "least", "most")
    )

    def spread(figures: Vector) -> Vector:
        """Figures for a point: the shared ones, then those of each GPU."""
        return np.concatenate([figures[is_shared], *[figures[~is_shared]] * len(parts)])

    pulls = spread(np.where(is_shared, PULL, OWN_PULL))

    def errors(point: Vector) -> Vector:
        shared, own = np.split(point, [len(SHARED)])
        found = []
        for part, times, figures in zip(stacked, wanted, own.reshape(len(parts), -1), strict=True):
            full = np.empty(len(names))
            full[is_shared], full[~is_shared] = np.exp(shared), np.exp(figures)
            found.append(np.log(part.seconds(full)) - times)
        return np.concatenate([*found, pulls * (point - spread(usual))])

    answers = [
        least_squares(
            errors,
            spread(usual + np.log([beginning.get(name, 1.0) for name in names])),
            bounds=(spread(least), spread(most)),
            loss="soft_l1",
            f_scale=SCALE,
        )
        for beginning in BEGINNINGS
    ]
    best = min(answers, key=lambda one: float(one.cost))
    shared = np.exp(best.x[: len(SHARED)])
    return dict(zip(SHARED, map(float, shared), strict=True))


def engine_fit(
    own: Medians, shared: Callable[[str], Mapping[str, float]]
) -> tuple[Fit, CrossValidation]:
    """The fit of one GPU, and its error on networks that are left out of all GPUs.

    `shared` gives the figures in common without a network; of all networks for no name. Of a GPU
    with one network the error is that of the fit.
    """
    fit = fitted(own.terms, own.seconds, shared(""))
    ratios = []
    several = len(set(own.networks)) > 1
    for network, terms, seconds in zip(*own, strict=True):
        rest = own.without(network) if several else own
        known = fitted(rest.terms, rest.seconds, shared(network)) if several else fit
        ratios.append(seconds / known.seconds(terms))
    formats = tuple([one.number for one in own.terms])
    return fit, CrossValidation(np.array(ratios), own.networks, formats)
