"""Budget files: TOML to a budget, with all mistakes reported at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, fields

from costmodel.budgets.budget import NETWORK, ON_DEVICE, Budget, Limit
from costmodel.devicefile.schema import not_known
from costmodel.errors import BudgetError, CostModelError, ReadError, UnitError
from costmodel.registry import is_path
from costmodel.safe_io import content_of, toml_values
from costmodel.scenario import Scenario
from costmodel.units import PERCENT, demanded, parse_quantity

_EXAMPLE: Final = "[devices.cpu] and energy = '2 mJ' below it"
_KEYS: Final = dict.fromkeys(("network", "devices", "scenario", "baseline"))
_CHOICES: Final = {"at": ("value", "high"), "on_unpriced": ("error", "bound")}
_OF_NETWORK: Final = dict.fromkeys((*NETWORK, "growth", "on_unpriced"))
_OF_DEVICE: Final = dict.fromkeys((*ON_DEVICE, "growth", "at", "on_unpriced", "set"))
_DEVICE_ALONE: Final = _OF_DEVICE.keys() - _OF_NETWORK.keys()
_OF_BASELINE: Final = dict.fromkeys(("file", "tolerance"))
_CONDITIONS: Final = dict.fromkeys(item.name for item in fields(Scenario))

_MOST: Final = 1e30
"""The largest limit; a larger one is a mistake, and no number of a network."""

_Parser = Callable[[Any], float]
"""A value of the file as a number; a ValueError says what was expected."""


def read_budget(path: str | Path) -> Budget:
    """The budget in a TOML file; paths in it start in its folder.

    Raises:
        BudgetError: there is none, or it has mistakes.

    """
    found, mistakes = draft(path)
    if mistakes:
        raise BudgetError(str(path), mistakes)
    return found


def draft(path: str | Path) -> tuple[Budget, list[str]]:
    """What can be read of the budget in a TOML file, and its mistakes.

    Raises:
        BudgetError: there is none, or it is not TOML.

    """
    try:
        values = toml_values(content_of(Path(path)), str(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BudgetError(str(path), [f"cannot be read: {reason}"]) from None
    except ReadError as error:
        raise BudgetError(str(path), [str(error).removeprefix(f"{path}: ")]) from None
    found, mistakes = _draft_of(values, str(path))
    folder = Path(path).parent
    seen = evolve(
        found,
        baseline=None if found.baseline is None else folder / found.baseline,
        devices={_within(folder, name): given for name, given in found.devices.items()},
        limits=tuple(
            evolve(limit, device=limit.device and _within(folder, limit.device))
            for limit in found.limits
        ),
    )
    return seen, mistakes


def _within(folder: Path, device: str) -> str:
    """A device by its name, or by its path as seen from here."""
    return os.path.join(folder, device) if is_path(device) else device  # noqa: PTH118  # keeps the ./ of a name


def budget_of(values: Mapping[str, Any], source: str = "budget") -> Budget:
    """The budget that plain values describe, with the keys of a budget file.

    Raises:
        BudgetError: they have mistakes, all of which it lists.

    """
    found, mistakes = _draft_of(values, source)
    if mistakes:
        raise BudgetError(source, mistakes)
    return found


def _draft_of(values: Mapping[str, Any], source: str) -> tuple[Budget, list[str]]:
    mistakes: list[str] = []
    sections = _sections(values, mistakes)
    limits = [
        *_limits(sections["network"], "network", mistakes),
        *(
            limit
            for name, section in sections["devices"].items()
            for limit in _of_device(name, section, mistakes)
        ),
    ]
    scenario = _scenario(sections["scenario"], mistakes)
    baseline, tolerance = _baseline(sections["baseline"], mistakes)
    devices = {
        name: _settings(section, f"devices.{name}.set", mistakes)
        for name, section in sections["devices"].items()
        if isinstance(section, dict)
    }
    if not limits and not mistakes:
        mistakes.append(f"expected at least one limit, such as {_EXAMPLE}, found none")
    found = Budget(
        source=source, limits=tuple(limits), devices=devices, scenario=scenario,
        baseline=baseline, tolerance=tolerance,
    )  # fmt: skip
    return found, mistakes


def budget_on(
    devices: Iterable[str],
    limits: Mapping[str, Any],
    scenario: Mapping[str, Any],
    source: str = "budget",
) -> Budget:
    """The budget with the same limits on every device; those that need none hold once.

    `limits` have the keys and values of the sections of a budget file.

    Raises:
        BudgetError: they have mistakes, or need a device and there is none.

    """
    growth = limits.get("growth", {})
    grown = growth if isinstance(growth, dict) else {}
    needs = [key for key in limits if key in _DEVICE_ALONE]
    needs += [f"growth.{key}" for key in grown if key in ON_DEVICE]
    names = list(devices)
    if needs and not names:
        raise BudgetError(source, [f"{key}: a limit on a device: name devices" for key in needs])
    of_network = {key: value for key, value in limits.items() if key not in _DEVICE_ALONE}
    on_device = {key: value for key, value in limits.items() if key in _OF_DEVICE}
    if grown:
        of_network["growth"] = {key: one for key, one in grown.items() if key not in ON_DEVICE}
        on_device["growth"] = {key: one for key, one in grown.items() if key in ON_DEVICE}
    values = {
        "network": of_network, "devices": dict.fromkeys(names, on_device), "scenario": scenario,
    }  # fmt: skip
    return budget_of(values, source)


def _sections(values: Mapping[str, Any], mistakes: list[str]) -> dict[str, dict[str, Any]]:
    """The sections of a file; where one is no table, or is missing, an empty one."""
    _check_keys(values, "file", _KEYS, mistakes)
    return {key: _table(values.get(key, {}), key, mistakes) for key in _KEYS}


def _table(value: Any, path: str, mistakes: list[str]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    mistakes.append(f"{path}: expected a table, found {value!r:.80}")
    return {}


def _check_keys(
    given: Mapping[str, Any], path: str, known: Mapping[str, Any], mistakes: list[str]
) -> None:
    mistakes.extend(not_known(path, key, known) for key in given if key not in known)


# ------------------------------------------------------------------ limits


def _of_device(name: str, section: Any, mistakes: list[str]) -> Iterator[Limit]:
    path, before = f"devices.{name}", len(mistakes)
    table = _table(section, path, mistakes)
    found = list(_limits(table, path, mistakes, device=name))
    if not found and len(mistakes) == before:
        mistakes.append(f"{path}: expected at least one limit, such as energy = '2 mJ', found none")
    yield from found


def _limits(
    table: Mapping[str, Any], path: str, mistakes: list[str], device: str | None = None
) -> Iterator[Limit]:
    """The limits of one section, on the amounts and then on their growth."""
    known, units = (_OF_NETWORK, NETWORK) if device is None else (_OF_DEVICE, ON_DEVICE)
    _check_keys(table, path, known, mistakes)
    growth = _table(table.get("growth", {}), f"{path}.growth", mistakes)
    _check_keys(growth, f"{path}.growth", units, mistakes)
    plain = Limit(quantity="", most=0.0, device=device, **_chosen(table, path, mistakes))
    for quantity, unit in units.items():
        given = table.get(quantity)
        parser = _quantity(unit) if unit else _count
        yield from _each(given, f"{path}.{quantity}", parser, evolve(plain, quantity=quantity),
                         mistakes)  # fmt: skip
    for quantity in units:
        given = growth.get(quantity)
        limit = evolve(plain, quantity=quantity, is_growth=True)
        yield from _each(given, f"{path}.growth.{quantity}", _share, limit, mistakes)


def _each(
    given: Any, path: str, parser: _Parser, limit: Limit, mistakes: list[str]
) -> Iterator[Limit]:
    """The limit, or one for each memory of a table; none where nothing is given."""
    if given is None:
        return
    of_memories = isinstance(given, dict) and limit.quantity == "peak_memory"
    if of_memories and not given:
        mistakes.append(f"{path}: expected a size or a table of memories, found an empty table")
    for memory, value in given.items() if of_memories else [(None, given)]:
        try:
            yield evolve(limit, most=parser(value), memory=memory)
        except ValueError as error:
            where = f"{path}.{memory}" if memory else path
            mistakes.append(f"{where}: {error}")


def _chosen(table: Mapping[str, Any], path: str, mistakes: list[str]) -> dict[str, Any]:
    """What a section chooses of the keys that have a few values."""
    for key, choices in _CHOICES.items():
        if key in table and table[key] not in choices:
            expected = " or ".join(map(repr, choices))
            mistakes.append(f"{path}.{key}: expected {expected}, found {table[key]!r:.80}")
    return {key: table[key] for key in _CHOICES if table.get(key) in _CHOICES[key]}


def _quantity(unit: str) -> _Parser:
    def parse(value: Any) -> float:
        if not isinstance(value, str):
            message = f"expected {demanded(unit)}, found {value!r:.80}"
            raise ValueError(message)  # noqa: TRY004  # its reader takes the sentence alone
        return _bounded(parse_quantity(value, unit).value, value)

    return parse


def _share(value: Any) -> float:
    expected = "expected a growth in %, such as '5 %'"
    if not isinstance(value, str) or not value.strip().endswith(PERCENT):
        message = f"{expected}, found {value!r:.80}"
        raise ValueError(message)
    try:
        share = parse_quantity(value, "").value
    except UnitError:
        message = f"{expected}, found {value!r:.80}"
        raise ValueError(message) from None
    return _bounded(share, value)


def _count(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) < math.inf:
        message = f"expected a plain number, such as 600_000_000, found {value!r:.80}"
        raise ValueError(message)
    return _bounded(value, value)


def _bounded(number: float, given: object) -> float:
    if not 0 <= number <= _MOST:
        message = f"expected a limit from 0 to {_MOST:g}, found {given!r:.80}"
        raise ValueError(message)
    return number


# ------------------------------------------------------------------ conditions


def _settings(
    section: Mapping[str, Any], path: str, mistakes: list[str]
) -> Mapping[str, str | float]:
    """Parameters and settings of a device; their names are checked with the device."""
    table = _table(section.get("set", {}), path, mistakes)
    found: dict[str, str | float] = {}
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            hint = "a name with dots is one key in quotation marks: 'peak_rate.int8' = '4 TOP/s'"
            expected = "expected text or a number"
            hinted = f"{expected}; {hint}" if isinstance(value, dict) else expected
            mistakes.append(f"{path}.{key}: {hinted}, found {value!r:.80}")
        else:
            found[key] = value
    return found


def _scenario(table: Mapping[str, Any], mistakes: list[str]) -> Scenario:
    _check_keys(table, "scenario", _CONDITIONS, mistakes)
    given = {key: _condition(key, value) for key, value in table.items() if key in _CONDITIONS}
    found = len(mistakes)
    for key, value in given.items():
        try:
            Scenario(**{key: value})
        except (CostModelError, TypeError, ValueError) as error:
            mistakes.append(f"scenario.{key}: {error}")
    if len(mistakes) > found:
        return Scenario()
    try:
        return Scenario(**given)
    except CostModelError as error:
        mistakes.append(f"scenario: {error}")
    return Scenario()


def _condition(key: str, value: Any) -> Any:
    """A value as a scenario takes it: a shape is a tuple, a time may have its unit."""
    if key == "input_shapes" and isinstance(value, dict):
        return {name: _shape(shape) for name, shape in value.items()}
    if key == "input_shapes":
        return _shape(value)
    if key == "dt" and isinstance(value, str):
        try:
            return parse_quantity(value, "s").value
        except UnitError:
            return value
    return value


def _shape(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _baseline(table: Mapping[str, Any], mistakes: list[str]) -> tuple[Path | None, float]:
    _check_keys(table, "baseline", _OF_BASELINE, mistakes)
    file = table.get("file")
    if file is not None and not (isinstance(file, str) and file):
        mistakes.append(f"baseline.file: expected the path of a file, found {file!r:.80}")
        file = None
    tolerance = 0.0
    if "tolerance" in table:
        try:
            tolerance = _share(table["tolerance"])
        except ValueError as error:
            mistakes.append(f"baseline.tolerance: {error}")
    return None if file is None else Path(file), tolerance
