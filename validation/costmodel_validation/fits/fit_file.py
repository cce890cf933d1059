"""A device file with a runtime that is fitted to a table of measurements."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel_validation.fits.fitting import fit_runtime
from costmodel_validation.measurements import Measurement, read_measurements
from costmodel_validation.writing import (
    UNMEASURED_SOURCE,
    loaded,
    power_of,
    read_chip,
    runtime_of,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST: Final = 6
"""Networks and batches of one format: five figures are fitted."""


@frozen
class FittedFile:
    """The text of a device file, its new runtime, and how well that is known."""

    text: str
    runtime: str
    known: str


def need_scipy(command: str) -> None:
    """Check that fits can be made.

    Raises:
        CostModelError: SciPy is not installed.

    """
    if find_spec("scipy") is None:
        message = f"{command} needs SciPy; install it: pip install 'costmodel-nn[fit]'"
        raise CostModelError(message)


def fitted_file(chip: Path, table: Path, runtime: str | None = None) -> FittedFile:
    """The device file of a processor with one more runtime, which is fitted to measurements.

    Raises:
        CostModelError: SciPy is not installed, a file is wrong, there are too few measurements,
            or these name several runtimes or devices.

    """
    need_scipy("costmodel fit")
    raw = read_chip(chip)
    device = loaded(raw, str(chip))
    measured = read_measurements(table)
    name = runtime or _only_runtime(measured, table)
    measured = tuple(one for one in measured if not one.runtime or one.runtime == name)
    _check_enough(measured, table, name)
    chosen = device.with_runtime(name) if name in device.runtimes else device  # its settings stay
    found = fit_runtime(chosen, measured)
    key = f"fit-{name}"
    sources = {**raw.get("sources", {}), key: f"costmodel fit, to {table.name}"}
    values = runtime_of(found, key)
    old = (raw.get("runtimes") or {}).get(name) or {}
    if "settings" in old:
        values["settings"] = old["settings"]
    if power := power_of(measured, key):
        values["parameters"]["busy_power"] = power
    runtimes = {**(raw.get("runtimes") or {}), name: values}
    made = {
        **raw,
        "sources": {**sources, "unmeasured": UNMEASURED_SOURCE},
        "runtimes": {**runtimes, "default": name},
    }
    loaded(made, str(chip))
    return FittedFile(written(made), name, values["known"])


def _only_runtime(measured: Sequence[Measurement], table: Path) -> str:
    names = list(dict.fromkeys(one.runtime for one in measured if one.runtime))
    if len(names) != 1:
        found = ", ".join(names) or "none"
        message = f"{table}: expected one runtime; found {found}; choose one with --runtime"
        raise CostModelError(message)
    return names[0]


def _check_enough(measured: Sequence[Measurement], table: Path, runtime: str) -> None:
    devices = list(dict.fromkeys(one.device for one in measured if one.device))
    if len(devices) > 1:
        message = f"{table}: expected measurements of one device, found {', '.join(devices)}"
        raise CostModelError(message)
    for name in dict.fromkeys(one.format_name for one in measured):
        rows = [one for one in measured if one.format_name == name]
        kinds = {(one.network, one.scenario.batch) for one in rows}
        if len(kinds) < FEWEST or len({one.network for one in rows}) == 1:
            message = (
                f"{table}: expected at least {FEWEST} measurements of several networks in {name} "
                f"under {runtime}, found {len(kinds)} of {len({one.network for one in rows})}"
            )
            raise CostModelError(message)
    if not measured:
        message = f"{table}: it has no measurements under runtime {runtime!r}"
        raise CostModelError(message)
