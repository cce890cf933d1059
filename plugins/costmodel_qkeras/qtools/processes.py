"""The prices of a process, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from costmodel.errors import UnknownNameError
from costmodel_qkeras.qtools.prices import Prices
from costmodel_qkeras.qtools.tables import tables

ADAPTERS: Final[Mapping[str, Callable[[Any], Prices]]] = {}
"""From a device to prices in the form of QTools, by the family of the device."""


def prices_of(process: str) -> Prices:
    """The prices of a table of this package, or of a device with an adapter.

    Raises:
        UnknownNameError: no such process.

    """
    if process in tables():
        return tables()[process]
    devices = _devices()
    if process not in devices:
        raise UnknownNameError(process, [*tables(), *devices], "process")
    device = devices[process]
    return ADAPTERS[device.family](device)


def _devices() -> Mapping[str, Any]:
    from costmodel.catalogue import installed  # noqa: PLC0415  # brings all device files

    catalogue = installed()
    found = [catalogue.device(name) for name in catalogue.device_names] if ADAPTERS else []
    return {device.name: device for device in found if device.family in ADAPTERS}
