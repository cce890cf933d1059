"""Devices of every class that ships, with figures of any size that the class can take."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from costmodel import Device
from costmodel.devices import Evidence, FormatTable, Parameter
from costmodel.formats import FloatingPoint
from costmodel.testing.strategies import devices, format_tables

EXPONENTS: Final = {
    "horowitz": ("adder_growth", "multiplier_growth", "memory_growth"),
}
"""Parameters of a class that are exponents: most values of a plain number are none."""


@st.composite
def _rising_energies(draw: st.DrawFn) -> FormatTable:
    """Energies by format, a wider one never with less: whole numbers run on lanes of float32."""
    drawn = draw(format_tables("energy_per_operation", "J/OP"))
    names = sorted(drawn, key=lambda one: (isinstance(one, FloatingPoint), one.bits))
    figures = sorted([drawn[one] for one in names], key=lambda one: one.value)
    return FormatTable("energy_per_operation", dict(zip(names, figures, strict=True)))


@st.composite
def any_device(draw: st.DrawFn, family: type[Device]) -> Device:
    """A device of a class, its exponents between those of a root and of a cube."""
    given: dict[str, Any] = {
        name: Parameter(name, draw(st.floats(0.25, 3)), "", "drawn", Evidence.ASSUMED)
        for name in EXPONENTS.get(family.family, ())
    }
    if family.family == "processor":
        given["idle_power"] = None  # which must not be above the busy power
        given["energy_per_operation"] = draw(st.none() | _rising_energies())
    return draw(devices(family, **given))
