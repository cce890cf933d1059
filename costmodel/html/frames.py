"""Estimates as data frames: a row for each layer on each device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import UnknownNameError
from costmodel.html.data import layer_rows
from costmodel.packages import needed

if TYPE_CHECKING:
    from costmodel.report.estimate_table import Reported

LIBRARIES: Final = ("pandas", "polars")
"""What makes data frames; the first that is installed is taken."""


def columns(estimate: Reported) -> dict[str, list[Any]]:
    """The values of each column, in SI units that its name ends in; None where not modelled.

    Static energy is shared out by time, so that the energies of a device add up to its total.
    """
    found: dict[str, list[Any]] = {
        name: []
        for name in (
            "network", "device", "layer", "kind", "output_shape", "parameters", "weight_bytes",
            "macs", "energy_joules", "latency_seconds", "traffic_bytes", "peak_bytes",
            "limiting_resource", "status",
        )
    }  # fmt: skip
    rows = layer_rows(estimate)
    for device in estimate.bills:
        for row in rows:
            on = row.devices[device]
            values = (
                estimate.network.name, device, row.name, row.kind, row.output, row.parameters,
                row.weight_bytes, row.macs, on.joules, on.seconds, on.traffic_bytes,
                on.peak_bytes, on.limit or None, on.standing,
            )  # fmt: skip
            for column, value in zip(found.values(), values, strict=True):
                column.append(value)
    return found


def dataframe(estimate: Reported, library: str | None = None) -> Any:
    """A data frame of pandas, or of polars where pandas is not installed.

    Raises:
        UnknownNameError: `library` is neither.
        CostModelError: the library is not installed, or none is.

    """
    if library is not None and library not in LIBRARIES:
        raise UnknownNameError(library, LIBRARIES, "library of data frames")
    wanted = LIBRARIES if library is None else (library,)
    return needed("a data frame", *wanted).DataFrame(columns(estimate))
