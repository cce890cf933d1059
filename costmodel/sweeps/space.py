"""Design spaces: what may be chosen of a network, a device and their conditions."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import field, fields, frozen

from costmodel.devicefile import yaml_text
from costmodel.devicefile.schema import not_known
from costmodel.devices import Device
from costmodel.errors import CostModelError, DeviceFileError, MistakesError, ReadError
from costmodel.frozen_dict import FrozenDict
from costmodel.registry import is_path
from costmodel.safe_io import content_of, json_values
from costmodel.scenario import Scenario
from costmodel.sweeps.table import SweepTable
from costmodel.units import parse_quantity

if TYPE_CHECKING:
    import numpy as np

SCHEMA: Final = "costmodel/space/1"
FORMATS: Final = ("weights", "activations", "accumulators", "formats")
"""Families of axes of numeric formats: of parameters, of results, of sums, and of both first."""
CONDITIONS: Final = ("batch", "timesteps", "dt", "default_format", "source_format")
"""Families of axes that are settings of a scenario."""
RATES: Final = ("rates", "input_rates")
LIMITS: Final = {"energy": "J", "latency": "s", "memory": "B", "weights": "B", "area": "m2"}
"""The columns that may have a limit, and their units."""


class SpaceError(MistakesError):
    """A design space with mistakes."""


@frozen
class Range:
    """Any value from `low` to `high`, each a quantity with its unit; for drawn designs alone.

    Values are drawn evenly; `log` draws their logarithm evenly.
    """

    low: str | float
    high: str | float
    log: bool = False

    def ends(self, unit: str) -> tuple[float, float]:
        """Both ends in a unit.

        Raises:
            UnitError: an end is no such quantity.
            ValueError: they are not in order, or the lowest of a logarithm is not above 0.

        """
        low, high = (parse_quantity(str(end), unit).value for end in (self.low, self.high))
        if not low <= high or (self.log and low <= 0) or not math.isfinite(high):
            message = f"expected low <= high{', above 0' if self.log else ''}, found {self}"
            raise ValueError(message)
        return low, high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}{' (log)' if self.log else ''}"


def _several(given: Any) -> tuple[Any, ...]:
    """The choices of an axis; a single value is one."""
    single = isinstance(given, str | Device | Path | Mapping) or not isinstance(given, Iterable)
    return tuple(map(_choice, [given] if single else given))


def _choice(given: Any) -> Any:
    """A choice; a range where a file states one."""
    return Range(**given) if isinstance(given, Mapping) else given


def _optional(given: Any) -> tuple[Any, ...]:
    return () if given is None else _several(given)


def _by_name(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Choices by the name of a layer, a parameter or an argument; a list holds for each layer."""
    if given is None:
        return FrozenDict({})
    if not isinstance(given, Mapping):
        given = {"*": given}
    return FrozenDict({str(name): _several(one) for name, one in given.items()})


def _rates(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Rates by layer; those without a layer stand under an empty name."""
    return _by_name(given if given is None or isinstance(given, Mapping) else {"": given})


def _shapes(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Shapes by input; those of the only input stand under an empty name."""
    if given is None:
        return FrozenDict({})
    named = given if isinstance(given, Mapping) else {"": given}
    return FrozenDict({
        str(name): tuple([tuple(one) for one in shapes])
        if shapes and not isinstance(shapes[0], int)
        else (tuple(shapes),)
        for name, shapes in named.items()
    })  # fmt: skip


def _equal(given: Any) -> tuple[tuple[str, ...], ...]:
    return tuple([tuple(map(str, group)) for group in given or ()])


def _limits(given: Any) -> Mapping[str, float]:
    found = {}
    for name, most in dict(given or {}).items():
        if name not in LIMITS:
            message = f"limits: {name!r:.80} has no limit; expected one of {', '.join(LIMITS)}"
            raise ValueError(message)
        is_number = isinstance(most, int | float) and not isinstance(most, bool)
        limit = float(most) if is_number else parse_quantity(str(most), LIMITS[name]).value
        if not 0 <= limit < math.inf:
            message = f"limits: {name} is {most!r:.40}; expected a quantity of 0 or more"
            raise ValueError(message)
        found[str(name)] = limit
    return FrozenDict(found)


def _scenario(given: Any) -> Scenario:
    if given is None:
        return Scenario()
    return given if isinstance(given, Scenario) else Scenario(**given)


@frozen(kw_only=True)
class DesignSpace:
    """What may be chosen: several values are an axis, a single one holds for all designs.

    Args:
        device: names of devices, paths of their files, or devices.
        parameters: values for parameters and settings of a device, and `runtime`, by the names that
            `--set` takes: `DEVICE.NAME`, or `NAME` where there is one device. A `Range` is drawn
            from.
        weights: numeric formats of parameters, by layer.
        activations: numeric formats of results, by layer; layers that fold into it included.
        accumulators: numeric formats of sums of products, by layer; exact where there is none.
        formats: numeric formats of parameters and results at once, by layer.
        network: a function of `arguments` that makes a network, or what `costmodel.read` takes.
        arguments: values of its arguments by name, such as widths and depths.
        input_shapes: shapes for open axes, by input.
        batch: examples.
        timesteps: timesteps.
        dt: seconds of a timestep.
        rates: output rates in hertz, of all layers or by layer.
        input_rates: rates of incoming connections, instead.
        default_format: numeric formats of what declares none.
        source_format: numeric formats of what arrives.
        equal: groups of layers that share their choice of formats.
        fits: whether designs that do not fit in memory are left out.
        limits: the most of energy, latency, memory, weights or area, as a quantity or a number of
            its SI unit; more is left out.
        where: a function that takes the `SweepTable` of some designs and says which to keep, as an
            array of truth values.
        scenario: all other conditions.

    A layer is named as in the network, a block of layers by the beginning of their names: one axis
    for all in it. A pattern such as `conv*` is an axis for each layer that multiplies and that no
    other name covers; a list in place of names is that of `*`.

    Raises:
        ValueError: a value that no space can have.

    """

    device: tuple[Any, ...] = field(default=(), converter=_several)
    parameters: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_by_name)
    weights: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_by_name)
    activations: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_by_name)
    accumulators: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_by_name)
    formats: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_by_name)
    network: Callable[..., object] | None = None
    arguments: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_by_name)
    input_shapes: Mapping[str, tuple[Any, ...]] = field(default=None, converter=_shapes)
    batch: tuple[int, ...] = field(default=None, converter=_optional)
    timesteps: tuple[int, ...] = field(default=None, converter=_optional)
    dt: tuple[float, ...] = field(default=None, converter=_optional)
    rates: Mapping[str, tuple[float, ...]] = field(default=None, converter=_rates)
    input_rates: Mapping[str, tuple[float, ...]] = field(default=None, converter=_rates)
    default_format: tuple[str, ...] = field(default=None, converter=_optional)
    source_format: tuple[str, ...] = field(default=None, converter=_optional)
    equal: tuple[tuple[str, ...], ...] = field(default=None, converter=_equal)
    fits: bool = False
    limits: Mapping[str, float] = field(default=None, converter=_limits)
    where: Callable[[SweepTable], np.ndarray[Any, Any]] | None = None
    scenario: Scenario = field(default=None, converter=_scenario)

    @classmethod
    def from_file(cls, path: str | Path) -> tuple[DesignSpace, str | None]:
        """The space in a YAML or JSON file, and the network that it names as seen from here.

        Paths in it start in its folder.

        Raises:
            SpaceError: it cannot be read, or has mistakes.

        """
        file = Path(path)
        try:
            content = content_of(file)
            is_json = file.suffix.lower() == ".json"
            raw = (
                json_values(content, str(file)) if is_json else yaml_text.parsed(content, str(file))
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SpaceError(str(path), [f"cannot be read: {reason}"]) from None
        except ReadError as error:
            raise SpaceError(str(path), [str(error).removeprefix(f"{path}: ")]) from None
        except DeviceFileError as error:
            raise SpaceError(str(path), error.mistakes) from None
        return _structured(raw, str(path), file.parent)

    def to_dict(self) -> dict[str, Any]:
        """The space as plain values, as a file has them; functions are left out.

        Raises:
            ValueError: a device that no file holds.

        """
        found: dict[str, Any] = {"schema": SCHEMA}
        for item in fields(DesignSpace):
            value = getattr(self, item.name)
            if item.name in _FUNCTIONS or not value:
                continue
            if item.name == "scenario":
                value = {name: _plain(one) for name, one in value.given.items()}
                if not value:
                    continue
            found[item.name] = _plain(value)
        return found

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of device files that it names."""
        return tuple([str(one) for one in self.device if isinstance(one, Path) or (
            isinstance(one, str) and is_path(one)
        )])  # fmt: skip

    @property
    def leaves_out(self) -> bool:
        """Whether designs may be left out."""
        return self.fits or bool(self.limits) or self.where is not None


_FUNCTIONS: Final = ("network", "where")
_IN_FILE: Final = dict.fromkeys([
    "schema", *[item.name for item in fields(DesignSpace) if item.name != "where"]
])  # fmt: skip


def _within(folder: Path, device: Any) -> Any:
    """A device by its name, or by its path as seen from here."""
    is_file = isinstance(device, str) and is_path(device)
    return os.path.join(folder, device) if is_file else device  # noqa: PTH118  # keeps the ./ of a name


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Range):
        return {"low": value.low, "high": value.high, "log": value.log}
    if isinstance(value, Device):
        return {"device": value.name, "content": value.content_hash, "figures": repr(value)}
    if isinstance(value, str | int | float | bool | None):
        return value
    return str(value)


def _structured(raw: Any, source: str, folder: Path) -> tuple[DesignSpace, str | None]:
    if not isinstance(raw, dict):
        raise SpaceError(source, [f"expected a mapping with a schema, found {raw!r:.80}"])
    mistakes = [not_known("space", str(key), _IN_FILE) for key in raw if key not in _IN_FILE]
    if raw.get("schema") != SCHEMA:
        mistakes.append(f"schema: expected {SCHEMA}, found {raw.get('schema')!r:.80}")
    if "arguments" in raw:
        mistakes.append("arguments: they are those of a function, which a file cannot hold")
    values = {key: one for key, one in raw.items() if key in _IN_FILE}
    network = values.pop("network", None)
    if network is not None and not isinstance(network, str):
        mistakes.append(f"network: expected the path of a file, found {network!r:.80}")
    values.pop("schema", None)
    values.pop("arguments", None)
    made: dict[str, Any] = {}
    for key, value in values.items():
        try:
            DesignSpace(**{key: value})
            made[key] = value
        except (CostModelError, ValueError, TypeError, AttributeError, LookupError) as error:
            mistakes.append(f"{key}: {error}")
    if mistakes:
        raise SpaceError(source, mistakes)
    devices = [_within(folder, one) for one in _several(made.get("device", ()))]
    if devices:
        made["device"] = devices
    return DesignSpace(**made), None if network is None else str(folder / network)
