"""What a component costs, each figure with its range and how it came about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from costmodel.devices import Evidence, Parameter
from costmodel.errors import CostModelError

QUANTITIES: Final = ("energy", "read_energy", "write_energy", "area", "leakage", "access_time")
"""The figures that a component may have."""
UNITS: Final = {
    "energy": "J", "read_energy": "J", "write_energy": "J", "area": "m2", "leakage": "W",
    "access_time": "s",
}  # fmt: skip


@frozen(kw_only=True)
class Component:
    """A memory or a circuit: joules per operation or access, square metres, watts, seconds.

    An energy is that of the whole width. A quantity is None where no source gives it; `missing`
    says why.
    """

    name: str
    energy: Parameter | None = None
    read_energy: Parameter | None = None
    write_energy: Parameter | None = None
    area: Parameter | None = None
    leakage: Parameter | None = None
    access_time: Parameter | None = None
    missing: str = ""

    def figures(self) -> Iterator[Parameter]:
        """The figures that there are."""
        for quantity in QUANTITIES:
            figure = getattr(self, quantity)
            if figure is not None:
                yield figure

    @property
    def how(self) -> str:
        """How each figure came about, one on a line."""
        lines = [f"{figure.name}: {figure}; {figure.note}" for figure in self.figures()]
        return "\n".join([*lines, *([f"not given: {self.missing}"] if self.missing else [])])


def figure(
    quantity: str, value: float, source: str, evidence: Evidence, note: str,
    ends: tuple[float, float] | None = None,
) -> Parameter:  # fmt: skip
    """A figure of a component; the range is widened so that it holds the value."""
    low, high = ends or (value, value)
    return Parameter(
        quantity, value, UNITS[quantity], source, evidence,
        low=min(low, value), high=max(high, value), note=note,
    )  # fmt: skip


def check_range(name: str, given: float, least: float, most: float, why: str) -> None:
    """Check that a number lies where there are figures.

    Raises:
        CostModelError: it is not a number, or outside; the message says `why` nothing is there.

    """
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not least <= given <= most:
        message = f"{name}: expected {least:g} to {most:g}, found {given!r:.80}; {why}"
        raise CostModelError(message)


def check_whole(name: str, given: float, least: int, most: int, why: str) -> None:
    """Check that a number is whole and lies where there are figures.

    Raises:
        CostModelError: it is not.

    """
    check_range(name, given, least, most, why)
    if not isinstance(given, int):
        message = f"{name}: expected a whole number, found {given!r:.80}"
        raise CostModelError(message)
