"""Every device and device class that ships keeps the laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from any_device import any_device
from attrs import evolve
from hypothesis import settings
from worlds import EVERYTHING, TRIED

from costmodel import Device
from costmodel.testing import DeviceContract

if TYPE_CHECKING:
    from collections.abc import Iterator

HOROWITZ_SERIES = (
    ("energy_per_8_bit_add", "energy_per_16_bit_add", "energy_per_32_bit_add"),
    ("energy_per_8_bit_multiply", "energy_per_32_bit_multiply"),
    ("energy_per_float16_add", "energy_per_float32_add"),
    ("energy_per_float16_multiply", "energy_per_float32_multiply"),
    ("energy_per_8_kb_sram_access", "energy_per_32_kb_sram_access", "energy_per_1_mb_sram_access"),
)
"""The figures of Horowitz's table that stand for one thing in several sizes."""


def in_order(device: Device) -> Device:
    """The same device with the figures of each series sorted: what is larger costs more."""
    sorted_ones: dict[str, Any] = {}
    for series in HOROWITZ_SERIES:
        known = [device.parameters[name] for name in series if name in device.parameters]
        numbers = {key: sorted(getattr(item, key) for item in known) for key in NUMBERS}
        for index, item in enumerate(known):
            changed = {key: values[index] for key, values in numbers.items()}
            sorted_ones[item.name] = evolve(item, **changed)
    return evolve(device, **sorted_ones)


NUMBERS = ("low", "value", "high")
DRAWN = {name: any_device(family) for name, family in EVERYTHING.device_families.items()}
DRAWN["horowitz"] = DRAWN["horowitz"].map(in_order)
DEVICES = {
    **{f"any {name}": drawn for name, drawn in DRAWN.items()},
    **{name: EVERYTHING.device(name) for name in TRIED},
}


class TestEveryDevice(DeviceContract):
    """What ships: each class with any figures, and devices with their own (slow)."""

    @pytest.fixture(
        params=[
            pytest.param(name, marks=pytest.mark.slow) if name in TRIED else name
            for name in DEVICES
        ]
    )
    def device(self, request: pytest.FixtureRequest) -> Iterator[Any]:
        before = settings.get_current_profile_name()
        if request.param in TRIED:  # what is drawn of its class is searched more thoroughly
            settings.load_profile("quick")
        yield DEVICES[request.param]
        settings.load_profile(before)
