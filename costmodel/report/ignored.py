"""Settings that a device ignores: they were given, and change nothing in its prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel.formats import MixedPrecision
from costmodel.scenario import CONDITIONS, Scenario
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.devices import Device
    from costmodel.report.bills import Bill, LayerCost
    from costmodel.workload.operators import Operand

TENSOR_FORMATS: Final = "tensor_formats"
"""The name of the formats that the network itself has, beside the settings of a scenario."""

_SHOWN_FORMATS: Final = 3


def ignored(device: Device, lines: Iterable[LayerCost], scenario: Scenario) -> Mapping[str, str]:
    """What was given and no price of the lines depends on: each setting with its value in words.

    The device says by `ignores` what it does not read. Formats that the network declares, and
    what follows from them, are listed as `tensor_formats`.
    """
    ignores = device.ignores
    given = scenario.given
    names = [name for condition in ignores for name in CONDITIONS[condition] if name in given]
    found = {name: _shown(name, given[name]) for name in names}
    declared = _tensor_formats(lines, scenario) if "formats" in ignores else []
    return {**found, TENSOR_FORMATS: _some(declared)} if declared else found


def in_words(settings: Mapping[str, str]) -> str:
    """The settings in one line, such as `default format int8, timesteps 20`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value}".strip() for name, value in settings.items()
    )


def notes(bills: Iterable[Bill], scenario: Scenario) -> Iterator[str]:
    """A line for all devices that ignore the same settings, and one for those that take means."""
    devices: dict[str, list[str]] = {}
    by_means: dict[str, list[str]] = {}
    for bill in bills:
        shown = _some(_mixed(bill))
        by_means.setdefault(shown, []).append(bill.device.name)
        devices.setdefault(in_words(ignored(bill.device, bill.lines, scenario)), []).append(
            bill.device.name
        )
    for settings, names in devices.items():
        if settings:
            yield f"ignored on {', '.join(names)}, where no price depends on it: {settings}"
    for shown, names in by_means.items():
        if shown:
            yield f"priced on {', '.join(names)} by the mean width of elements: {shown}"


def _mixed(bill: Bill) -> list[str]:
    """The formats of mixed precision in the work that a device prices by formats."""
    if "formats" in bill.device.ignores:
        return []
    found = {one.format for one in _operands(bill.lines)}
    return sorted(str(number) for number in found if isinstance(number, MixedPrecision))


def _shown(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "by layer"
    unit = {"dt": "s", "rates": "Hz"}.get(name)
    return str(value) if unit is None else format_quantity(value, unit)


def _tensor_formats(lines: Iterable[LayerCost], scenario: Scenario) -> list[str]:
    """The formats of tensors other than those that the scenario gives."""
    usual = {str(scenario.default_format), str(scenario.source_format or scenario.default_format)}
    found = {str(one.format) for one in _operands(lines) if one.format is not None}
    return sorted(found - usual)


def _operands(lines: Iterable[LayerCost]) -> Iterator[Operand]:
    operators = {id(item.operator): item.operator for line in lines for item in line.items}
    for operator in operators.values():
        if operator is not None:
            yield from operator.operands


def _some(texts: list[str]) -> str:
    more = len(texts) - _SHOWN_FORMATS
    return ", ".join(texts[:_SHOWN_FORMATS]) + (f" and {more} more" if more > 0 else "")
