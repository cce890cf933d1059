"""Design spaces: what may be chosen of a network, a device and their conditions."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, fields, frozen

from costmodel.devicefile import yaml_text
from costmodel.devicefile.schema import not_known
from costmodel.devices import Device
from costmodel.errors import (
    CostModelError,
    DeviceFileError,
    MistakesError,
    ReadError,
    UnknownNameError,
)
from costmodel.formats import NumericFormat, parse_format
from costmodel.frozen_dict import FrozenDict
from costmodel.registry import file_of, is_path
from costmodel.safe_io import content_of, json_values
from costmodel.scenario import ALL_OTHERS, Scenario
from costmodel.sweeps.table import SweepTable
from costmodel.tensor.shapes import as_shape
from costmodel.units import parse_quantity

if TYPE_CHECKING:
    import numpy as np
    from attrs import Attribute

    Item: TypeAlias = Attribute[Any]

SCHEMA: Final = "costmodel/space/1"
FORMATS: Final = ("weights", "activations", "accumulators", "formats")
"""Families of axes of numeric formats: of parameters, of results, of sums, and of both first."""
CONDITIONS: Final = ("batch", "timesteps", "dt", "default_format", "source_format")
"""Families of axes that are settings of a scenario."""
RATES: Final = ("rates", "input_rates")
LIMITS: Final = {"energy": "J", "latency": "s", "memory": "B", "weights": "B", "area": "m2"}
"""The columns that may have a limit, and their units."""
ON_UNPRICED: Final = ("error", "bound")
"""What a limit makes of a cost from which work without a price is missing, as in a budget."""
_WHOLE: Final = ""
"""The name under which rates or shapes stand that are given without one."""


class SpaceError(MistakesError):
    """A design space with mistakes."""


class ChoiceError(CostModelError, ValueError):
    """A value that no design space can have; the message names the argument and the value."""


# ------------------------------------------------------------------ ranges


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_end(_: Any, attribute: Item, value: object) -> None:
    if not isinstance(value, str) and not _is_number(value):
        message = (
            f"{attribute.name} of a range is {value!r:.80}; expected a quantity, such as '640 pJ'"
        )
        raise ChoiceError(message)


def _check_log(_: Any, attribute: Item, value: object) -> None:
    if not isinstance(value, bool):
        message = f"{attribute.name} of a range is {value!r:.80}; expected true or false"
        raise ChoiceError(message)


@frozen
class Range:
    """Any value from `low` to `high`, each a quantity with its unit; for drawn designs alone.

    Values are drawn evenly; `log` draws their logarithm evenly.

    Raises:
        ChoiceError: an end is neither text nor a number, or `log` no truth value.

    """

    low: str | float = field(validator=_check_end)
    high: str | float = field(validator=_check_end)
    log: bool = field(default=False, validator=_check_log)

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


_ENDS: Final = frozenset({"low", "high"})
_RANGE: Final = _ENDS | {"log"}

# ------------------------------------------------------------------ one form


def _is_single(given: Any) -> bool:
    return isinstance(given, _SINGLE) or not isinstance(given, Iterable)


_SINGLE: Final = (str, bytes, Device, Path, Mapping)


def _several(given: Any) -> tuple[Any, ...]:
    """The choices of an axis; a single value is one."""
    return tuple(map(_choice, [given] if _is_single(given) else given))


def _choice(given: Any) -> Any:
    """A choice; a range where a file states one."""
    is_range = isinstance(given, Mapping) and _ENDS <= given.keys() <= _RANGE
    return Range(**given) if is_range else given


def _optional(given: Any) -> tuple[Any, ...] | None:
    """The choices of an axis, or none."""
    return None if given is None else _several(given)


def _by_name(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Choices by the name of a layer, a parameter or an argument; a list holds for each layer."""
    if given is None:
        return FrozenDict({})
    if not isinstance(given, Mapping):
        given = {ALL_OTHERS: given}
    return FrozenDict({str(name): _several(one) for name, one in given.items()})


def _by_layer_or_whole(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Rates by layer; those without a layer stand under an empty name."""
    return _by_name(given if given is None or isinstance(given, Mapping) else {_WHOLE: given})


def _shapes(given: Any) -> Mapping[str, tuple[Any, ...]]:
    """Shapes by input; those of the only input stand under an empty name."""
    if given is None:
        return FrozenDict({})
    named = given if isinstance(given, Mapping) else {_WHOLE: given}
    return FrozenDict({str(name): _of_one_input(one) for name, one in named.items()})


def _of_one_input(given: Any) -> tuple[Any, ...]:
    """Several shapes, or the one that is given; what is none stays, and is refused later."""
    if not isinstance(given, list | tuple):
        return (given,)
    is_one = bool(given) and all(one is None or isinstance(one, int) for one in given)
    return tuple(map(_as_tuple, [given] if is_one else given))


def _as_tuple(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


def _groups(given: Any) -> Any:
    """Groups of names as tuples; what is none stays, and is refused later."""
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        return given
    return tuple(map(_as_tuple, given))


def _limits(given: Any) -> Mapping[str, float]:
    """Limits in SI units by the name of the cost.

    Raises:
        ChoiceError: something without a limit, or no quantity of 0 or more.

    """
    if given is None:
        return FrozenDict({})
    if not isinstance(given, Mapping):
        message = f"limits is {given!r:.80}; expected limits by cost, such as {{'energy': '1 mJ'}}"
        raise ChoiceError(message)
    found = {}
    for name, most in given.items():
        if name not in LIMITS:
            also = "; `fits: true` is a key beside `limits`" if name == "fits" else ""
            message = (
                f"limits: {name!r:.80} has no limit; expected one of {', '.join(LIMITS)}{also}"
            )
            raise ChoiceError(message)
        found[str(name)] = limit(name, most, LIMITS[name])
    return FrozenDict(found)


def limit(name: str, most: Any, unit: str) -> float:
    """A limit in an SI unit, given as a quantity or as a number.

    Raises:
        ChoiceError: it is not one of 0 or more.

    """
    try:
        found = float(most) if _is_number(most) else parse_quantity(str(most), unit).value
    except (OverflowError, ValueError) as error:
        message = f"limits: {name} is {most!r:.40}; {error}"
        raise ChoiceError(message) from None
    if not 0 <= found < math.inf:
        message = f"limits: {name} is {most!r:.40}; expected a quantity of 0 or more"
        raise ChoiceError(message)
    return found


def _scenario(given: Any) -> Scenario:
    """The conditions, from a scenario or its settings by name.

    Raises:
        ChoiceError: it is neither.
        UnknownNameError: a setting that no scenario has.
        ScenarioError: a value that no experiment can have.

    """
    if given is None:
        return Scenario()
    if isinstance(given, Scenario):
        return given
    if not isinstance(given, Mapping):
        message = f"scenario is {given!r:.80}; expected conditions by name, such as {{'batch': 4}}"
        raise ChoiceError(message)
    known = [item.name for item in fields(Scenario)]
    for name in given:
        if name not in known:
            raise UnknownNameError(str(name), known, "condition of a scenario")
    return Scenario(**given)


# ------------------------------------------------------------------ checks


def _check_devices(_: Any, attribute: Item, value: tuple[Any, ...]) -> None:
    """Check that choices are names, paths or devices."""
    for one in value:
        if not isinstance(one, str | Path | Device) or one == "":
            message = (
                f"{attribute.name} is {one!r:.80}; expected the name of a device, the path of its "
                "file, or a device"
            )
            raise ChoiceError(message)


def _check_parameters(_: Any, attribute: Item, value: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that each parameter has a name and a choice; a device checks their values."""
    if ALL_OTHERS in value:
        message = (
            f"{attribute.name} is {list(value[ALL_OTHERS])!r:.80}; expected values by the name of "
            "a parameter, such as {'peak_rate.int8': ['4 TOP/s', '8 TOP/s']}"
        )
        raise ChoiceError(message)
    _check_names(attribute.name, value)


def _check_arguments(_: Any, attribute: Item, value: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that each argument has a name and a choice, and that none is a range."""
    if ALL_OTHERS in value:
        message = (
            f"{attribute.name} is {list(value[ALL_OTHERS])!r:.80}; expected values by the name of "
            "an argument, such as {'width': [16, 32]}"
        )
        raise ChoiceError(message)
    _check_names(attribute.name, value)
    for name, choices in value.items():
        for one in choices:
            if isinstance(one, Range):
                message = (
                    f"{attribute.name}.{name} is the range {one}; ranges are for `parameters`, "
                    "an argument needs a list of values"
                )
                raise ChoiceError(message)


def _check_formats(_: Any, attribute: Item, value: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that choices by layer are numeric formats."""
    _check_names(attribute.name, value)
    for name, choices in value.items():
        for one in choices:
            _check_format(f"{attribute.name}.{name}", one)


def _check_plain_formats(_: Any, attribute: Item, value: tuple[Any, ...] | None) -> None:
    """Check that choices are numeric formats."""
    for one in _filled(attribute.name, value):
        _check_format(attribute.name, one)


def _check_condition(_: Any, attribute: Item, value: tuple[Any, ...] | None) -> None:
    """Check that choices are values of the setting of a scenario that is called so."""
    for one in _filled(attribute.name, value):
        _in_scenario(attribute.name, attribute.name, one)


def _check_rates(_: Any, attribute: Item, value: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that choices are rates, of all layers or by layer."""
    _check_names(attribute.name, value, has_whole=True)
    for name, choices in value.items():
        where = f"{attribute.name}.{name}" if name else attribute.name
        for one in choices:
            if not isinstance(one, str) and not _is_number(one):
                message = f"{where} is {one!r:.80}; expected hertz, finite and not negative"
                raise ChoiceError(message)
            _in_scenario(where, attribute.name, {name: one} if name else one)


def _check_shapes(_: Any, attribute: Item, value: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that choices are shapes, of the only input or by input."""
    _check_names(attribute.name, value, has_whole=True)
    for name, choices in value.items():
        where = f"{attribute.name}.{name}" if name else attribute.name
        for one in choices:
            try:
                if not isinstance(one, tuple):
                    message = "expected the lengths of its axes, such as (224, 224, 3)"
                    raise ChoiceError(message)
                as_shape(one)
            except (CostModelError, TypeError) as error:
                message = f"{where} is {one!r:.80}; {error}"
                raise ChoiceError(message) from None


def _check_groups(_: Any, attribute: Item, value: Any) -> None:
    """Check that groups are several names each."""
    is_one = isinstance(value, tuple) and all(
        isinstance(group, tuple) and group and all(isinstance(name, str) for name in group)
        for group in value
    )
    if not is_one:
        message = (
            f"{attribute.name} is {value!r:.80}; expected groups of layers, such as "
            "[['conv1', 'conv2']]"
        )
        raise ChoiceError(message)


def _check_flag(_: Any, attribute: Item, value: object) -> None:
    """Check that it is a truth value: a text such as 'no' would count as true."""
    if not isinstance(value, bool):
        message = (
            f"{attribute.name} is {value!r:.80}; expected true or false, without quotation marks"
        )
        raise ChoiceError(message)


def _check_on_unpriced(_: Any, attribute: Item, value: object) -> None:
    """Check that it says what a cost without some of its work counts as."""
    if value not in ON_UNPRICED:
        message = f"{attribute.name} is {value!r:.80}; expected one of {', '.join(ON_UNPRICED)}"
        raise ChoiceError(message)


def _check_function(_: Any, attribute: Item, value: object) -> None:
    """Check that it can be called, if there is one."""
    if value is not None and not callable(value):
        message = f"{attribute.name} is {value!r:.80}; expected a function"
        raise ChoiceError(message)


def _check_names(
    family: str, value: Mapping[str, tuple[Any, ...]], *, has_whole: bool = False
) -> None:
    """Check that each name has a choice; an empty one stands alone, where it may."""
    for name, choices in value.items():
        if not name and (len(value) > 1 or not has_whole):
            message = f"{family}: expected names, found an empty one among {list(value)!r:.80}"
            raise ChoiceError(message)
        _filled(f"{family}.{name}" if name else family, choices)


def _filled(where: str, choices: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if choices is None:
        return ()
    if not choices:
        message = f"axis {where!r:.80} has no choice; give it one or more, or leave it out"
        raise ChoiceError(message)
    return choices


def _check_format(where: str, given: Any) -> None:
    if isinstance(given, NumericFormat):
        return
    if not isinstance(given, str):
        message = f"{where}: {given!r:.80} is not a numeric format; expected one, such as 'int8'"
        raise ChoiceError(message)
    try:
        parse_format(given)
    except CostModelError as error:
        message = f"{where}: {error}"
        raise ChoiceError(message) from None


def _in_scenario(where: str, name: str, value: Any) -> None:
    """Check that a setting of a scenario may have a value."""
    try:
        Scenario(**{name: value})
    except CostModelError as error:
        said = str(error)
        raise ChoiceError(said if said.startswith(where) else f"{where}: {said}") from None


# ------------------------------------------------------------------ the space


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
        on_unpriced: `error` leaves out designs whose energy or latency has a limit, and lacks work
            without a price, so that it is not known to be met; `bound` takes the rest alone.
        where: a function that takes the `SweepTable` of some designs and says which to keep, as an
            array of truth values.
        scenario: all other conditions.

    A layer is named as in the network, a block of layers by the beginning of their names: one axis
    for all in it. A pattern such as `conv*` is an axis for each layer that multiplies and that no
    other name covers; a list in place of names is that of `*`.

    Raises:
        ChoiceError: a value that no space can have.
        ScenarioError: other conditions that no experiment can have.

    """

    device: tuple[Any, ...] = field(default=(), converter=_several, validator=_check_devices)
    parameters: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_by_name, validator=_check_parameters
    )
    weights: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_by_name, validator=_check_formats
    )
    activations: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_by_name, validator=_check_formats
    )
    accumulators: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_by_name, validator=_check_formats
    )
    formats: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_by_name, validator=_check_formats
    )
    network: Callable[..., object] | None = field(default=None, validator=_check_function)
    arguments: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_by_name, validator=_check_arguments
    )
    input_shapes: Mapping[str, tuple[Any, ...]] = field(
        default=None, converter=_shapes, validator=_check_shapes
    )
    batch: tuple[int, ...] | None = field(
        default=None, converter=_optional, validator=_check_condition
    )
    timesteps: tuple[int, ...] | None = field(
        default=None, converter=_optional, validator=_check_condition
    )
    dt: tuple[float, ...] | None = field(
        default=None, converter=_optional, validator=_check_condition
    )
    rates: Mapping[str, tuple[float, ...]] = field(
        default=None, converter=_by_layer_or_whole, validator=_check_rates
    )
    input_rates: Mapping[str, tuple[float, ...]] = field(
        default=None, converter=_by_layer_or_whole, validator=_check_rates
    )
    default_format: tuple[str, ...] | None = field(
        default=None, converter=_optional, validator=_check_plain_formats
    )
    source_format: tuple[str, ...] | None = field(
        default=None, converter=_optional, validator=_check_plain_formats
    )
    equal: tuple[tuple[str, ...], ...] = field(
        default=None, converter=_groups, validator=_check_groups
    )
    fits: bool = field(default=False, validator=_check_flag)
    limits: Mapping[str, float] = field(default=None, converter=_limits)
    on_unpriced: str = field(default="error", validator=_check_on_unpriced)
    where: Callable[[SweepTable], np.ndarray[Any, Any]] | None = field(
        default=None, validator=_check_function
    )
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
            if item.name in _FUNCTIONS or not value or value == item.default:
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
        return tuple([file_of(str(one)) for one in self.device if isinstance(one, Path) or (
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
    if network is not None and (not isinstance(network, str) or not network):
        mistakes.append(f"network: expected the path of a file, found {network!r:.80}")
    values.pop("schema", None)
    values.pop("arguments", None)
    made: dict[str, Any] = {}
    for key, value in values.items():
        try:
            DesignSpace(**{key: value})
            made[key] = value
        except CostModelError as error:
            said = str(error)
            mistakes.append(said if key in said else f"{key}: {said}")
    if mistakes:
        raise SpaceError(source, mistakes)
    devices = [_within(folder, one) for one in _several(made.get("device", ()))]
    if devices:
        made["device"] = devices
    return DesignSpace(**made), None if network is None else str(folder / network)
