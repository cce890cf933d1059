"""Devices of every class that ships, with figures of any size that the class can take."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from costmodel import Device
from costmodel.devices import Evidence, Parameter
from costmodel.testing.strategies import devices

EXPONENTS: Final = {
    "horowitz": ("adder_growth", "multiplier_growth", "memory_growth"),
}
"""Parameters of a class that are exponents: most values of a plain number are none."""


@st.composite
def any_device(draw: st.DrawFn, family: type[Device]) -> Device:
    """A device of a class, its exponents between those of a root and of a cube."""
    given: dict[str, Any] = {
        name: Parameter(name, draw(st.floats(0.25, 3)), "", "drawn", Evidence.ASSUMED)
        for name in EXPONENTS.get(family.family, ())
    }
    if family.family == "processor":
        given["idle_power"] = None  # which must not be above the busy power
    return draw(devices(family, **given))
