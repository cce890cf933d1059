"""The options of every command that estimates, and the values that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from attrs import field, frozen

from costmodel import catalogue
from costmodel.devices import Device
from costmodel.errors import CostModelError, UnitError, UnknownNameError
from costmodel.layer import Input
from costmodel.scenario import Scenario
from costmodel.tensor import as_shape
from costmodel.units import parse_quantity

if TYPE_CHECKING:
    from costmodel.network import Network
    from costmodel.scenario import Rates
    from costmodel.tensor import Shape

_Command = TypeVar("_Command", bound=Callable[..., Any])


class QuantityType(click.ParamType):
    """A number in one SI unit: plain, or with a prefix of that unit."""

    def __init__(self, unit: str, name: str) -> None:
        """Take numbers in `unit`; `name` stands for them in help texts."""
        self.unit, self.name = unit, name

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The number in the SI unit."""
        if not isinstance(value, str):
            return value
        try:
            quantity = parse_quantity(value)
        except UnitError as error:
            self.fail(str(error), param, ctx)
        if quantity.unit not in {"", self.unit}:
            self.fail(f"{value!r} is no quantity in {self.unit}", param, ctx)
        return quantity.value


class NamedType(click.ParamType):
    """`NAME=VALUE`, or a VALUE for all, as a pair whose name may be None."""

    def __init__(self, name: str, value: Callable[[str], Any]) -> None:
        """Read the VALUE by `value`, which raises ValueError where it cannot."""
        self.name, self.value = name, value

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The pair."""
        if not isinstance(value, str):
            return value
        name, is_named, text = value.rpartition("=")
        try:
            return (name if is_named else None, self.value(text))
        except (CostModelError, ValueError) as error:
            self.fail(str(error), param, ctx)


class SettingType(click.ParamType):
    """`device.parameter=value` as a triple."""

    name = "device.parameter=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The triple."""
        if not isinstance(value, str):
            return value
        path, is_set, quantity = value.partition("=")
        device, is_of_device, parameter = path.rpartition(".")
        if not (is_set and is_of_device and device and parameter):
            self.fail(f"{value!r}: expected device.parameter=value, such as {_SET_EXAMPLE}")
        return device, parameter, quantity


_SET_EXAMPLE: Final = "loihi.energy_per_neuron_update='60 pJ'"


def _rate(text: str) -> float:
    quantity = parse_quantity(text)
    if quantity.unit not in {"", "Hz"}:
        message = f"{text!r} is no quantity in Hz"
        raise ValueError(message)
    return quantity.value


def _shape(text: str) -> Shape:
    try:
        return as_shape(int(length) for length in text.split("x"))
    except ValueError:
        message = f"{text!r} is no shape; expected axis lengths such as 224x224x3"
        raise ValueError(message) from None


_OPTIONS: Final = (
    click.option(
        "-d", "--device", "devices", multiple=True, metavar="DEVICE",
        help="A name (see: costmodel devices) or the path of a YAML file. Repeat it, or "
        "separate names by commas.",
    ),
    click.option(
        "--rate", "rates", multiple=True, metavar="[LAYER=]HZ",
        type=NamedType("rate", _rate),
        help="Mean firing rate in hertz, of all layers or of one. Repeatable.",
    ),
    click.option(
        "--timesteps", type=int, default=1, metavar="N", show_default=True,
        help="Timesteps of one inference.",
    ),
    click.option(
        "--dt", type=QuantityType("s", "seconds"), default=0.001, metavar="SECONDS",
        show_default=True, help="Length of a timestep: 0.001 or '1 ms'.",
    ),
    click.option(
        "--batch", type=int, default=1, metavar="N", show_default=True,
        help="Examples in a batch.",
    ),
    click.option(
        "--input-shape", "input_shapes", multiple=True, metavar="[NAME=]SHAPE",
        type=NamedType("shape", _shape),
        help="Shape of an input without the batch axis, such as 224x224x3. Repeatable.",
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="DEVICE.PARAMETER=VALUE", type=SettingType(),
        help=f"Another value for a parameter: {_SET_EXAMPLE}. Repeatable.",
    ),
)  # fmt: skip


def conditions(command: _Command) -> _Command:
    """Add the options that `Conditions` takes to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@frozen(kw_only=True)
class Conditions:
    """What the options say about devices and scenario."""

    devices: tuple[str, ...] = field(converter=lambda given: tuple(_split(given)))
    rates: tuple[tuple[str | None, float], ...]
    timesteps: int
    dt: float
    batch: int
    input_shapes: tuple[tuple[str | None, Shape], ...]
    settings: tuple[tuple[str, str, str], ...]

    def chosen_devices(self) -> list[Device]:
        """The devices with their changed parameters.

        Raises:
            CostModelError: an unknown device or parameter, or a value that it cannot have.

        """
        found = catalogue.installed()
        if not self.devices:
            known = ", ".join(found.device_names) or catalogue.NOT_INSTALLED
            message = f"give a device: -d NAME or the path of a YAML file; known: {known}"
            raise click.UsageError(message)
        chosen = [found.device(name) for name in self.devices]
        changes = self._changes([device.name for device in chosen])
        return [device.with_parameters(**changes[device.name]) for device in chosen]

    def scenario(self, network: Network) -> Scenario:
        """The conditions for one network.

        Raises:
            CostModelError: a value that no experiment can have, or that does not fit the network.

        """
        return Scenario(
            batch=self.batch,
            timesteps=self.timesteps,
            dt=self.dt,
            rates=self._rates(network),
            input_shapes={name or _only_input(network): shape for name, shape in self.input_shapes},
        )

    def _changes(self, names: Iterable[str]) -> Mapping[str, dict[str, str | float]]:
        changes: dict[str, dict[str, str | float]] = {name: {} for name in names}
        for device, parameter, value in self.settings:
            if device not in changes:
                raise UnknownNameError(device, changes, "device in --set")
            changes[device][parameter] = value
        return changes

    def _rates(self, network: Network) -> Rates | None:
        if not self.rates:
            return None
        named = {name: rate for name, rate in self.rates if name is not None}
        general = [rate for name, rate in self.rates if name is None]
        if not named:
            return general[-1]
        others = (
            dict.fromkeys((layer.name for layer in network.layers), general[-1]) if general else {}
        )
        return {**others, **named}


def _split(given: Iterable[str]) -> Iterable[str]:
    for text in given:
        is_one = "," not in text or Path(text).exists()
        yield from [text] if is_one else filter(None, map(str.strip, text.split(",")))


def _only_input(network: Network) -> str:
    names = [layer.name for layer in network.layers if isinstance(layer, Input)]
    if len(names) != 1:
        message = f"--input-shape needs a name, as in NAME=224x224x3; inputs: {', '.join(names)}"
        raise click.UsageError(message)
    return names[0]
