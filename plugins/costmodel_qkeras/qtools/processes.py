"""The prices of a process, by its name or by its device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from costmodel.devices import Device, UnitCost
from costmodel.errors import CostModelError, UnknownNameError
from costmodel.formats import Circuit, FixedPoint, FloatingPoint, Operation
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.prices import Prices
from costmodel_qkeras.qtools.records import Work
from costmodel_qkeras.qtools.tables.laws import tables

FAMILY: Final = "horowitz"
"""The class of the devices that have a price for everything that QTools counts."""

_ACCESS_BITS: Final = 64
_PICOJOULES: Final = 1e12
"""Picojoules in a joule."""


def prices_of(process: str) -> Prices:
    """The prices of QTools' own process, or the figures of a device of the family.

    Raises:
        UnknownNameError: no such process.

    """
    if process in tables():
        return tables()[process]
    devices = _devices()
    if process not in devices:
        raise UnknownNameError(str(process), [*tables(), *devices], "process")
    return DevicePrices(devices[process])


def prices_for(device: Device) -> Prices | None:
    """QTools' own prices where it has a table for the process of a device, else the device's.

    None for a device that has no price for what QTools counts.
    """
    if device.family != FAMILY:
        return None
    own = [table for table in tables().values() if table.process == device.process]
    return own[0] if own else DevicePrices(device)


@frozen(cache_hash=True)
class DevicePrices:
    """The figures of a device, in picojoules, for what QTools counts."""

    device: Any

    def citation(self, quantity: str) -> str:
        """Where the energy of an `operation`, of `sram` or of `dram` comes from."""
        return f"device {self.device.name!r}"

    def operation(self, work: Work) -> float:
        """One operation of unit gate factor."""
        return _operation(self.device, work)

    def sram_access(self, held_bits: int) -> float:
        """One access to an SRAM that holds `held_bits`."""
        return _picojoules(self.device.sram_access(held_bits))

    def dram(self, bits: int) -> float:
        """Moving `bits` to or from the DRAM."""
        accesses = math.ceil(bits / _ACCESS_BITS)
        return accesses * float(self.device.energy_per_dram_access.value) * _PICOJOULES


@lru_cache(maxsize=4096)
def _operation(device: Any, work: Work) -> float:
    circuit = Circuit.MULTIPLIER if work.operation == "mul" else Circuit.ADDER
    try:
        width = work.family.removeprefix("fp")
        kind = FixedPoint(1) if work.family == "fpm" else FloatingPoint(int(width))
        found = device.price_of(Operation(kind, circuit, 1.0, float(work.bits)))
    except CostModelError as error:
        message = f"there is no energy for {work.operation} in {work.family}: {error}"
        raise QToolsError(message) from None
    return _picojoules(found)


def _picojoules(unit_cost: UnitCost) -> float:
    return unit_cost.value * _PICOJOULES


def _devices() -> Mapping[str, Device]:
    from costmodel.registry import installed  # noqa: PLC0415  # brings all device files

    registry = installed()
    found = (registry.device(name) for name in registry.device_names)
    return {device.name: device for device in found if device.family == FAMILY}
