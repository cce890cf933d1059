"""Fits of microcontrollers: one shape for all boards and runtimes, and a scale for each.

Four networks were measured on each board, too few for five figures of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from attrs import evolve

from costmodel_hardware.processor.device import Processor
from costmodel_validation.fits.fitting import Fit, Terms, fitted, terms_of
from costmodel_validation.measurements import Measurement

KNOWN: Final = {"overhead_per_operator": 2e-6, "overhead_per_call": 1e-6}
"""Bare metal: a call is a function call. Per operator some hundred cycles, at 1 GOP/s."""
RATE: Final = 1e9
"""Operations in a second at which overheads are as `KNOWN` says: they follow the peak rate."""
PULL: Final = 0.3
"""How strongly shares are drawn to usual ones: three or four networks do not determine them all.

One of `floors.PULLS`, the choice of the boards of every other runtime: see `floors` (boards).
"""

System = tuple[str, str]
"""A board and a runtime."""


class BoardTerms(NamedTuple):
    """A measurement of a board, with its terms as if overheads were those at `RATE`."""

    system: System
    measurement: Measurement
    terms: Terms


def peak(device: Processor) -> float:
    """Operations of a board in a second, in int8."""
    return device.peak_rate["int8"].value


def board_terms(at_full_speed: Processor, measured: Measurement) -> BoardTerms:
    """The terms of a measurement on a board, which is at full speed."""
    terms = terms_of(at_full_speed, measured)
    slower = RATE / peak(at_full_speed)
    scaled = evolve(terms, slower=slower)
    return BoardTerms((measured.device, measured.runtime), measured, scaled)


def shared_shape(
    rows: Sequence[BoardTerms], pull: float = PULL
) -> tuple[Fit, Mapping[System, float]]:
    """One fit for all boards and runtimes, and how many times as long each of them takes."""
    times = [one.measurement.seconds for one in rows]
    systems = [one.system for one in rows]
    fit = fitted([one.terms for one in rows], times, KNOWN, systems, pull)
    return fit, scales_of(fit, rows)


def scales_of(fit: Fit, rows: Sequence[BoardTerms]) -> Mapping[System, float]:
    """How many times as long as the shape says each board takes: the geometric mean."""
    ratios: dict[System, list[float]] = {}
    for one in rows:
        ratio = one.measurement.seconds / fit.seconds(one.terms)
        ratios.setdefault(one.system, []).append(math.log(ratio))
    return {system: math.exp(sum(logs) / len(logs)) for system, logs in ratios.items()}
