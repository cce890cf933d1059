"""The prices of a process, by its name or by its device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from costmodel.errors import UnknownNameError
from costmodel_qkeras.qtools.prices import Prices
from costmodel_qkeras.qtools.tables import tables

QTOOLS: Final = "horowitz"
"""QTools' own process."""

ADAPTERS: Final[Mapping[str, Callable[[Any], Prices]]] = {"horowitz": lambda _: tables()[QTOOLS]}
"""From a device to prices in the form of QTools, by the family of the device."""


def prices_of(process: str) -> Prices:
    """The prices of QTools' own process, or of a device with an adapter.

    Raises:
        UnknownNameError: no such process.

    """
    if process in tables():
        return tables()[process]
    devices = _devices()
    if process not in devices:
        raise UnknownNameError(str(process), [*tables(), *devices], "process")
    return ADAPTERS[devices[process].family](devices[process])


def prices_for(device: Any) -> Prices | None:
    """The prices of a device, or None for one without an adapter."""
    adapter = ADAPTERS.get(device.family)
    return adapter(device) if adapter else None


def _devices() -> Mapping[str, Any]:
    from costmodel.catalogue import installed  # noqa: PLC0415  # brings all device files

    catalogue = installed()
    found = (catalogue.device(name) for name in catalogue.device_names)
    return {device.name: device for device in found if device.family in ADAPTERS}
