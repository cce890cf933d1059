"""Device files with the runtimes that a fit found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from costmodel import CostModelError
from costmodel.devicefile import load_device
from costmodel.devicefile.yaml_text import parsed
from costmodel.devices import Residual
from costmodel.formats import format_name
from costmodel.registry import device_text
from costmodel_hardware.processor.device import Processor
from costmodel_validation.fits.fitting import FITTED, RuntimeFit
from costmodel_validation.measurements import Measurement

DIGITS: Final = 4
"""Significant digits of fitted figures."""
UNMEASURED: Final = {"low": 0.2, "high": 5.0, "source": "unmeasured", "evidence": "assumed"}
"""Measured over predicted times under conditions that nobody measured."""
UNMEASURED_SOURCE: Final = "an assumption: nobody measured under these conditions"
_PLACEHOLDER: Final = "placeholder"


def read_chip(path: Path) -> dict[str, Any]:
    """A device file as plain values, with placeholders for what a fit will find.

    Raises:
        CostModelError: it cannot be read, or is not the file of a processor.

    """
    raw = parsed(device_text(path), str(path))
    if not isinstance(raw, dict) or raw.get("class") != Processor.family:
        found = raw.get("class") if isinstance(raw, dict) else raw
        message = f"{path}: expected a device of class {Processor.family!r}, found {found!r:.80}"
        raise CostModelError(message)
    return raw


def loaded(raw: Mapping[str, Any], file: str) -> Processor:
    """The device of plain values, with placeholders for the figures of a runtime if it has none.

    Raises:
        DeviceFileError: all mistakes of the file.

    """
    filled = {**raw}
    parameters = raw.get("parameters")
    if isinstance(parameters, dict) and not _has_shares(raw):
        peaks = parameters.get("peak_rate")
        formats = list(peaks) if isinstance(peaks, dict) else ["float32"]
        figure = {"source": _PLACEHOLDER, "evidence": "assumed"}
        values = {
            name: {one: {"value": "0 s" if fit.unit else 1, **figure} for one in formats}
            for name, fit in FITTED.items()
        }
        filled["parameters"] = {**values, **parameters}
        sources = raw.get("sources")
        if isinstance(sources, dict):
            filled["sources"] = {**sources, _PLACEHOLDER: "a fit"}
    device = load_device(written(filled).encode(), file, {Processor.family: Processor})
    if not isinstance(device, Processor):  # its class is among the families
        raise TypeError(file)
    return device


def _has_shares(raw: Mapping[str, Any]) -> bool:
    """Whether a file, or a runtime of it, has any figure that a fit finds."""
    runtimes = raw.get("runtimes")
    several = runtimes.values() if isinstance(runtimes, dict) else ()
    for given in (raw, *[one for one in several if isinstance(one, dict)]):
        parameters = given.get("parameters")
        if isinstance(parameters, dict) and parameters.keys() & FITTED.keys():
            return True
    return False


def runtime_of(found: RuntimeFit, key: str) -> dict[str, Any]:
    """A runtime of a device file as a fit found it; `key` names its source."""
    figure = {"source": key, "evidence": "derived"}
    tables = {
        name: {
            format_name(one): {"value": _text(figures[place], fit.unit), **figure}
            for one, figures in found.fit.figures.items()
        }
        for place, (name, fit) in enumerate(FITTED.items())
    }
    return {
        "known": known_of(found),
        "parameters": tables,
        "residuals": residuals_of(found, key),
    }


def _text(value: float, unit: str) -> float | str:
    return f"{rounded(value * 1e6)} us" if unit else rounded(value)


def known_of(found: RuntimeFit) -> str:
    """In one line, how well a fit predicts what it has not seen."""
    if not found.left_out:
        return f"fitted to {found.rows} measurements, none left out: no error can be stated"
    error = f"{found.by_network.median_error:.0%} median error on {found.left_out}"
    families = found.by_family
    more = "" if families is None else f", {families.median_error:.0%} on families"
    return f"{error}{more}; {found.rows} measurements"


def residuals_of(found: RuntimeFit, key: str) -> list[dict[str, Any]]:
    """The residuals of a fit: for each format as it was measured, and for all other conditions."""
    known = [
        {
            "formats": [format_name(number)],
            "batch": [*conditions.batches],
            "shortest": _text(conditions.shortest, "s"),
            **_ends(found.residual(number)),
            "source": key,
            "evidence": "derived",
        }
        for number, conditions in found.conditions.items()
    ]
    return [*known, dict(UNMEASURED)]


def _ends(residual: Residual) -> dict[str, float]:
    return {"low": rounded(residual.low), "high": rounded(residual.high)}


def power_of(measured: Iterable[Measurement], key: str = "fit") -> dict[str, Any]:
    """The mean power of measurements as a figure of a file: P10, median and P90; empty if none."""
    powers = [one.power_watts for one in measured if one.power_watts is not None]
    if not powers:
        return {}
    low, value, high = (rounded(float(one)) for one in np.quantile(powers, [0.1, 0.5, 0.9]))
    ends = {"value": f"{value} W", "low": f"{low} W", "high": f"{high} W"}
    return {**ends, "source": key, "evidence": "measured"}


def rounded(value: float) -> float:
    """A fitted figure as a file has it."""
    return float(f"{value:.{DIGITS}g}")


def written(raw: Mapping[str, Any], head: str = "") -> str:
    """The text of a device file."""
    text = yaml.dump(
        dict(raw), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
        default_flow_style=None,
    )  # fmt: skip
    return f"{head}{text}"


class _Dumper(yaml.SafeDumper):
    """Writes equal values in full: a device file takes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # all alike
        """Write every value in full."""
        return True
