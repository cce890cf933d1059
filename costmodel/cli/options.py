"""The options of every command that estimates, and the values that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from attrs import field, frozen

from costmodel import registry
from costmodel.cli.output import FORMATS, note
from costmodel.devices import Device
from costmodel.errors import CostModelError, UnitError, UnknownNameError, listed
from costmodel.safe_io import DIGIT_LIMIT, SIZE_LIMIT, TOO_MANY_DIGITS, check_regular, opening
from costmodel.scenario import ALL_OTHERS, Scenario
from costmodel.tensor.shapes import as_shape
from costmodel.units import parse_quantity

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from costmodel.network.graph import Network
    from costmodel.registry import Registry
    from costmodel.scenario import Rates
    from costmodel.tensor.shapes import Shape

_Command = TypeVar("_Command", bound=Callable[..., Any])


_SHOWN_LENGTH: Final = 80
"""Characters of an option's text that a message repeats."""
_SET_EXAMPLE: Final = "loihi.energy_per_neuron_update='60 pJ'"


def quantity(text: str, unit: str) -> float | None:
    """The number in `text`, plain or with a prefix of `unit`, in the SI unit, if it is one."""
    try:
        found = parse_quantity(str(text))
    except UnitError:
        return None
    return found.value if found.unit in {"", unit} else None


def seconds(text: str) -> float:
    """A length of time."""
    length = quantity(text, "s")
    if length is None:
        message = (
            f"{_shown(text)} is not a length of time; expected seconds, such as 0.001 or '1 ms'"
        )
        raise click.BadParameter(message)
    return length


def whole(text: str | int) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        is_long = str(text).strip().isdecimal()
        problem = f"a valid integer: {TOO_MANY_DIGITS}" if is_long else "a valid integer"
        message = f"{_shown(text)} is not {problem}"
        raise click.BadParameter(message) from None


def _shown(text: object) -> str:
    return repr(text) if len(str(text)) <= _SHOWN_LENGTH else f"'{str(text)[:_SHOWN_LENGTH]}...'"


def rate(text: str) -> tuple[str | None, float]:
    """`LAYER=HZ` as a pair; the layer is None where the rate is for all."""
    name, value = _named(text)
    hertz = quantity(value, "Hz")
    if hertz is None or name == "":
        message = (
            f"{_shown(text)} is not a firing rate; expected a number of hertz, such as 10, or "
            "LAYER=number, such as dense=12.5"
        )
        raise click.BadParameter(message)
    return name, hertz


def shape(text: str) -> tuple[str | None, Shape]:
    """`NAME=224x224x3` as a pair; the name is None where it is left out."""
    name, value = _named(text)
    try:
        return name, as_shape(int(length) for length in value.split("x"))
    except ValueError:
        is_long = value.replace("x", "").isdecimal() and len(value) > DIGIT_LIMIT
        problem = TOO_MANY_DIGITS if is_long else "expected axis lengths such as 224x224x3"
        message = f"{_shown(value)} is not a shape; {problem}"
        raise click.BadParameter(message) from None
    except CostModelError as error:
        raise click.BadParameter(str(error)) from None


def setting(text: str) -> tuple[str, str]:
    """`device.parameter=value` as a pair of path and value."""
    path, is_given, value = text.partition("=")
    device, _, parameter = path.partition(".")
    if not (device and parameter and is_given):
        message = f"{_shown(text)}: expected device.parameter=value, such as {_SET_EXAMPLE}"
        raise click.BadParameter(message)
    return path, value


def layer_format(text: str) -> tuple[str, str]:
    """`layer=format` as a pair."""
    name, is_given, number = text.rpartition("=")
    if not (name and is_given and number):
        message = f"{_shown(text)}: expected LAYER=FORMAT, such as dense=int4"
        raise click.BadParameter(message)
    return name, number


def weight_format(text: str) -> tuple[str, str]:
    """`[LAYER=]FORMAT` as a pair; the layer is `*` where the format is for all others."""
    name, number = _named(text)
    if name == "" or not number:
        message = f"{_shown(text)}: expected a format such as int4, or LAYER=FORMAT"
        raise click.BadParameter(message)
    return name or ALL_OTHERS, number


def _named(text: str) -> tuple[str | None, str]:
    name, is_named, value = text.rpartition("=")
    return (name if is_named else None), value


def device_names(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What a shell offers for a device: names that begin so, the last of a list, or else files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # only where a shell asks

    before, comma, begun = incomplete.rpartition(",")
    names = [one for one in registry.installed().device_names if one.startswith(begun)]
    offered = [CompletionItem(f"{before}{comma}{name}") for name in names]
    return offered or [CompletionItem(incomplete, type="file")]


input_shapes = click.option(
    "--input-shape", "input_shapes", multiple=True, metavar="[NAME=]SHAPE",
    type=shape,
    help="Shape of an input without the batch axis, such as 224x224x3. Repeatable.",
)  # fmt: skip
"""The option that binds open axes."""


_OPTIONS: Final = (
    click.option(
        "-d", "--device", "devices", multiple=True, metavar="DEVICE", shell_complete=device_names,
        help="A name (see: costmodel devices) or the path of a YAML file; NAME:RUNTIME for "
        "another of its runtimes. Repeat it, or separate names by commas.",
    ),
    click.option(
        "--rate", "rates", multiple=True, metavar="[LAYER=]HZ",
        type=rate,
        help="Mean firing rate in hertz of the output of all layers, or of one, the input of the "
        "network included. Repeatable.",
    ),
    click.option(
        "--input-rate", "input_rates", multiple=True, metavar="[LAYER=]HZ",
        type=rate,
        help="In place of --rate: mean firing rate in hertz of the incoming connections of all "
        "layers, or of one. Repeatable.",
    ),
    click.option(
        "--timesteps", type=whole, default=1, metavar="N", show_default=True,
        help="Timesteps of one inference.",
    ),
    click.option(
        "--time-axis", type=int, metavar="AXIS",
        help="Axis of the network's inputs that holds the timesteps, 0 for the first after the "
        "batch. Needed where the network runs over time itself.",
    ),
    click.option(
        "--dt", type=seconds, default=0.001, metavar="SECONDS",
        show_default=True, help="Length of a timestep: 0.001 or '1 ms'.",
    ),
    click.option(
        "--batch", type=whole, default=1, metavar="N", show_default=True,
        help="Examples in a batch.",
    ),
    input_shapes,
    click.option(
        "--default-format", metavar="FORMAT", default="float32", show_default=True,
        help="Numbers whose format the network does not declare: int8, fixed<8,3>, float16, "
        "ternary and others. `estimate` shows several side by side: float32,int8,int4.",
    ),
    click.option(
        "--format-of", "formats", multiple=True, metavar="LAYER=FORMAT", type=layer_format,
        help="Another format for the parameters and the result of a layer, or of a block of "
        "layers: dense=int4, block_1=int4. Repeatable.",
    ),
    click.option(
        "--weights", multiple=True, metavar="[LAYER=]FORMAT", type=weight_format,
        help="Another format for the parameters of all layers that multiply, or of one, or of a "
        "block; what they give stays as it is: int4, block<int4,32,16>, dense=int8. Repeatable.",
    ),
    click.option(
        "--source-format", metavar="FORMAT",
        help="Numbers that enter the network. By default as --default-format.",
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="DEVICE.PARAMETER=VALUE", type=setting,
        help=f"Another value for a parameter: {_SET_EXAMPLE}; or for a setting, for one format of "
        "a table (DEVICE.peak_rate.int8='4 TOP/s'), or the runtime (DEVICE.runtime=NAME). "
        "@FILE stands for the text of a file. Repeatable.",
    ),
)  # fmt: skip


_RESULT_OPTIONS: Final = (
    click.option(
        "--format", "form", type=click.Choice(FORMATS),
        help="By default what the name of FILE ends in (.json, .csv, .md, .txt), else a table.",
    ),
    click.option(
        "-o", "--output", "path", type=Path, metavar="FILE",
        help="Write there instead of to standard output, in one piece.",
    ),
)  # fmt: skip


_COMMA: Final = re.compile(r",(?![^<]*>)")
"""A comma between formats, not one within `fixed<8,3>`."""


def check_once(names: Sequence[str], what: str) -> None:
    """Refuse a name that is given more than once."""
    for name in names:
        if names.count(name) > 1:
            message = f"{what} {name!r} is given more than once"
            raise click.UsageError(message)


def conditions(command: _Command) -> _Command:
    """Add the options that `Conditions` takes to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def written(command: _Command) -> _Command:
    """Add the options for where a result goes, and in which format, to a command."""
    for option in reversed(_RESULT_OPTIONS):
        command = option(command)
    return command


def _split(given: Iterable[str]) -> tuple[str, ...]:
    """Names separated by commas, one by one; the path of a file that is there stays whole."""
    parts = ([text] if registry.is_file_here(text) else text.split(",") for text in given)
    return tuple(part.strip() for texts in parts for part in texts if part.strip())


@frozen(kw_only=True)
class Conditions:
    """What the options say about devices and scenario."""

    devices: tuple[str, ...] = field(converter=_split)
    rates: tuple[tuple[str | None, float], ...]
    input_rates: tuple[tuple[str | None, float], ...]
    timesteps: int
    time_axis: int | None
    dt: float
    batch: int
    input_shapes: tuple[tuple[str | None, Shape], ...]
    default_format: str
    formats: tuple[tuple[str, str], ...]
    weights: tuple[tuple[str, str], ...]
    source_format: str | None
    settings: tuple[tuple[str, str], ...]

    def chosen_devices(self) -> list[Device]:
        """The devices with their changed parameters.

        Raises:
            CostModelError: an unknown device or parameter, or a value that it cannot have.

        """
        found = registry.installed()
        if not self.devices:
            known = listed(found.device_names) if found.device_names else registry.NOT_INSTALLED
            hint = "see them all: costmodel devices"
            message = f"give a device: -d NAME or the path of a YAML file; known: {known}; {hint}"
            raise click.UsageError(message)
        chosen = [device_of(found, name) for name in self.devices]
        changes = self._changes([device.name for device in chosen])
        return [device.with_parameters(**changes[device.name]) for device in chosen]

    def several_formats(self) -> tuple[str, ...]:
        """The default formats, where several are given with commas between; else none."""
        found = tuple([part.strip() for part in _COMMA.split(self.default_format)])
        return found if len(found) > 1 else ()

    def scenario(self, network: Network) -> Scenario:
        """The conditions for one network.

        Raises:
            CostModelError: a value that no experiment can have, or that does not fit the network.

        """
        check_once([name for name, _ in self.formats], "--format-of")
        check_once([name for name, _ in self.weights], "--weights")
        return Scenario(
            batch=self.batch,
            timesteps=self.timesteps,
            time_axis=self.time_axis,
            dt=self.dt,
            rates=_rates(self.rates, "--rate"),
            input_rates=_rates(self.input_rates, "--input-rate"),
            default_format=self.default_format,
            formats=dict(self.formats),
            weights=dict(self.weights),
            source_format=self.source_format,
            input_shapes=named_shapes(network, self.input_shapes),
        )

    def _changes(self, names: Iterable[str]) -> Mapping[str, dict[str, str | float]]:
        changes: dict[str, dict[str, str | float]] = {name: {} for name in names}
        check_once([path for path, _ in self.settings], "--set")
        for path, value in self.settings:
            # The name of a device may have dots, and so has the name of a figure in a table.
            owners = [name for name in changes if path.startswith(f"{name}.")]
            device = max(owners, key=len, default=path.partition(".")[0])
            if device not in changes:
                hint = "--set changes devices that are given with -d, by the names given there"
                raise UnknownNameError(device, changes, "device in --set", hint)
            changes[device][path.removeprefix(f"{device}.")] = _text(value)
        return changes


def _text(value: str) -> str:
    """A value of a setting, or the text of the file that `@FILE` names."""
    if not value.startswith("@"):
        return value
    path = Path(value[1:])
    with opening(path):
        check_regular(path)
        if path.stat().st_size > SIZE_LIMIT:
            message = f"--set: {path} has more than {SIZE_LIMIT:,} bytes"
            raise CostModelError(message)
        return path.read_text(encoding="utf-8")


def _rates(given: Sequence[tuple[str | None, float]], option: str) -> Rates | None:
    """One rate for all layers, or a mapping."""
    check_once([name or "for all layers" for name, _ in given], option)
    rates = {ALL_OTHERS if name is None else name: hertz for name, hertz in given}
    return rates.get(ALL_OTHERS) if rates.keys() <= {ALL_OTHERS} else rates


def device_of(found: Registry, name: str) -> Device:
    """The device that is called so; a note names a file that has the same name."""
    device = found.device(name)
    for file in found.files_like(name):
        note(f"note: device {name!r} is the installed one; for the file {file}, give ./{file}")
    return device


def named_shapes(
    network: Network, shapes: Iterable[tuple[str | None, Shape]]
) -> Mapping[str, Shape]:
    """The shapes by the names of inputs; one without a name is that of the only input."""
    named = [(name or _only_input(network), shape) for name, shape in shapes]
    check_once([name for name, _ in named], "--input-shape")
    return dict(named)


def _only_input(network: Network) -> str:
    names = [layer.name for layer in network.inputs]
    if len(names) != 1:
        message = f"--input-shape needs a name, as in NAME=224x224x3; inputs: {', '.join(names)}"
        raise click.UsageError(message)
    return names[0]
