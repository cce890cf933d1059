"""`costmodel devices`: the list, one in full, and the check of files."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel import registry
from costmodel.cli.options import device_names, device_of
from costmodel.cli.output import note, opened
from costmodel.errors import DeviceFileError, UnknownNameError
from costmodel.formats import format_name
from costmodel.report.table import Column, Table, escaped
from costmodel.units import format_quantity
from costmodel.workload.operators import STANDARD

if TYPE_CHECKING:
    from costmodel.devices import Choice, Device, Memory, Parameter
    from costmodel.registry import Registry
    from costmodel.workload.operators import Operator

_LIST = tuple(map(Column, ("Name", "Title", "Error", "Plugin")))
_NEXT = "figures: `costmodel devices show NAME`; formulas: `costmodel devices classes`"
_ERROR = "Error: median error of times, on networks left out of the fit; ?: no such figure"


class _Devices(click.Group):
    """The group, which expects that a device is given where a command belongs."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command, or say how a device is shown."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            message = f"{error.format_message()} To see a device: costmodel devices show NAME"
            raise click.UsageError(message, ctx) from None


@click.group(cls=_Devices, invoke_without_command=True)
@click.option("--class", "family", metavar="CLASS", help="Only devices of this class.")
@click.option(
    "--search", "words", metavar="TEXT",
    help="Only devices whose name, title or runtimes contain this.",
)  # fmt: skip
@click.pass_context
def devices(context: click.Context, family: str | None, words: str | None) -> None:
    """List the devices; show one, or the classes that they are of; check or convert files.

    \b
    costmodel devices
    costmodel devices --class processor --search jetson
    costmodel devices show loihi
    costmodel devices classes
    costmodel devices validate my-chip.yaml
    costmodel devices convert old-chip.yaml -o my-chip.yaml
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    if context.invoked_subcommand is None:
        _list(registry.installed(), family, words)


@devices.command()
@click.argument("name", shell_complete=device_names)
def show(name: str) -> None:
    """Show a device: settings, parameters with unit, evidence and source, memories, runtimes.

    NAME is a device of the registry, or the path of a YAML file: it ends in .yaml or has a slash.

    \b
    costmodel devices show loihi
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    device = device_of(registry.installed(), name)
    settings = device.setting_choices().items()
    blocks = [
        _heading(device),
        *(_setting(name, choice, device.settings[name]) for name, choice in settings),
        *[
            _block(figure)
            for name, figure in device.parameters.items()
            if name not in device.memory_parameters
        ],
        *[
            block
            for memory in device.memories
            for block in (_memory_block(memory), *map(_block, memory.parameters))
        ],
    ]
    with opened() as output:
        output.prose("\n\n".join(blocks))


@devices.command()
def classes() -> None:
    """Show the classes of devices: what their files give, what they price, what they leave out.

    A class is the formula that a device file names as `class`.

    \b
    costmodel devices classes
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    found = registry.installed()
    blocks = [_class_block(found, *item) for item in sorted(found.device_families.items())]
    with opened() as output:
        output.prose("\n\n".join(blocks) or registry.NOT_INSTALLED)
    for problem in found.plugins.problems:
        note(f"note: {problem}")


@devices.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def validate(files: Sequence[Path]) -> None:
    """Check device files, and list all mistakes of each.

    Exit status 0 if all are good, 1 if one is not.

    \b
    costmodel devices validate my-chip.yaml
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    answers = [_verdict(file) for file in files]
    with opened() as output:
        output.prose("\n".join(text for _, text in answers))
    if not all(good for good, _ in answers):
        sys.exit(1)


@devices.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "-o", "--output", "path", type=Path, metavar="NEW",
    help="Write there instead of to standard output, in one piece.",
)  # fmt: skip
def convert(file: Path, path: Path | None) -> None:
    """Convert a device file of version 1 to version 2; comments and layout stay.

    FILE itself is never overwritten. Check the result with `costmodel devices validate`.

    \b
    costmodel devices convert old-chip.yaml -o my-chip.yaml
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    from costmodel.devicefile import converted  # noqa: PLC0415  # brings PyYAML and cattrs

    with opened(path, [file]) as output:
        text = converted(registry.device_text(file), str(file))
        output.text(text.decode().removesuffix("\n"))


def _verdict(file: Path) -> tuple[bool, str]:
    try:
        device = registry.installed().load_device(file)
    except DeviceFileError as error:
        return False, str(error)
    return True, f"{escaped(str(file))}: good ({device.name}, {len(device.parameters)} parameters)"


def _memory_block(memory: Memory) -> str:
    end = "" if memory.size is not None else ", without an end"
    facts = {
        "once per": ", ".join(memory.per),
        "ports": "" if memory.shared_port else "reads and writes overlap",
        "buffers": "double" if memory.double_buffered else "",
    }
    heading = f"memory {memory.name}: holds {', '.join(memory.holds)}{end}"
    return _facts(heading, facts) or escaped(heading)


def _list(found: Registry, family: str | None, words: str | None) -> None:
    """A table for each class that has devices like that."""
    if family is not None and family not in found.device_families:
        raise UnknownNameError(family, found.device_families, "class of devices")
    by_class: dict[str, list[tuple[str, ...]]] = {}
    for name, row in _rows(found, family, words):
        by_class.setdefault(name, []).append(row)
    knows_times = any(row[2] for rows in by_class.values() for row in rows)
    notes = (*([_ERROR] if knows_times else []), _NEXT)
    with opened() as output:
        if by_class:
            *first, last = [(name, by_class[name]) for name in sorted(by_class)]
            output.tables([*(_class_table(*one) for one in first), _class_table(*last, notes)])
        else:
            nothing = "no device is like that; see all: costmodel devices"
            output.prose(nothing if found.device_names else registry.NOT_INSTALLED)
    for problem in found.plugins.problems:
        note(f"note: {problem}")


def _class_table(name: str, rows: Sequence[tuple[str, ...]], notes: Sequence[str] = ()) -> Table:
    return Table(f"class {name}" if name else "devices", _LIST, rows, notes=notes)


def _rows(
    found: Registry, family: str | None, words: str | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The class and the row of each device that is of the class and contains the words."""
    for name in found.device_names:
        owner = found.owner("costmodel_device_files", name)
        device = found.device_or_blame(name)
        if device is None:
            if family is None and words is None:
                yield "", (name, "cannot be loaded", "", owner)
            continue
        is_of_it = family is None or device.family == family
        text = " ".join((name, device.title, *device.runtimes)).casefold()
        if is_of_it and (words is None or words.casefold() in text):
            yield device.family, (name, device.title, _error(device), owner)


def _error(device: Device) -> str:
    """The error of predicted times, in a word."""
    error, median, _ = device.known.partition(" median error on networks left out")
    return error if median else "?" if device.known else ""


def _heading(device: Device) -> str:
    process = f", {device.process}" if device.process else ""
    choice = f"choose with -d {device.plain_name}:NAME, or several side by side"
    facts = {
        "class": device.family,
        "not modelled": device.all_not_modelled,
        "ignores": ", ".join(device.ignores),
        "assumes": device.assumes,
        "runtime": device.runtime or "",
        "runtimes": f"{', '.join(device.runtimes)}; {choice}" if device.runtimes else "",
        "times": device.known,
        "residuals": _residuals(device),
        "area": _area(device),
        "file": device.file or "",
        "change": f"--set {device.name}.NAME=VALUE, for each name below",
    }
    return _facts(f"{device.name}: {device.title}{process}", facts)


def _residuals(device: Device) -> str:
    """What measured times are of predicted ones, and under which conditions."""
    found = []
    for place, one in enumerate(device.residuals):
        if one.is_for_all:
            found.append(f"{'otherwise ' if place else ''}{one}")
            continue
        conditions = [
            "" if one.formats is None else ", ".join(map(format_name, one.formats)),
            "" if one.batches is None else _range_of_batches(one.batches),
            "" if one.shortest is None else f"from {format_quantity(one.shortest, 's')} on",
        ]
        found.append(f"{one} ({', '.join(filter(None, conditions))})")
    return f"measured times are of these {'; '.join(found)}" if found else ""


def _range_of_batches(batches: tuple[int, int]) -> str:
    return "batch " + " to ".join(map(str, dict.fromkeys(batches)))


def _area(device: Device) -> str:
    area = device.area_square_metres
    return "" if area is None else format_quantity(area, "m2")


def _setting(name: str, choice: Choice, value: Any) -> str:
    facts = {"setting": _shown(value), "takes": choice.takes, "default": _shown(choice.default)}
    return _facts(name, facts)


def _shown(value: Any) -> str:
    """A setting as a file and the command line have it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _block(item: Parameter) -> str:
    low, high = (format_quantity(value, item.unit) for value in (item.low, item.high))
    facts = {
        "value": format_quantity(item.value, item.unit),
        "range": "not known" if item.low == item.high else f"{low} to {high}",
        "unit": item.unit,
        "evidence": item.evidence.value,
        "source": item.source,
        "note": item.note,
    }
    return _facts(item.name, facts)


def _class_block(found: Registry, name: str, family: type[Device]) -> str:
    priced = family.priced_operators()
    unpriced = [operator for operator in STANDARD if operator not in priced]
    facts = {
        "plugin": found.owner("costmodel_devices", name),
        "formula": (inspect.getdoc(family) or "").partition("\n")[0],
        "prices": _names(priced),
        "unpriced": _names(unpriced),
        "not modelled": family.not_modelled,
        "ignores": _ignored(family),
    }
    parameters = {
        item: ", ".join([unit or "a plain number", *_demands(family, item)])
        for item, unit in family.parameter_units().items()
    }
    settings = {
        item: "; ".join(filter(None, [choice.takes, f"default {_shown(choice.default)}"]))
        for item, choice in family.setting_choices().items()
    }
    blocks = [_facts("  parameters", parameters), _facts("  settings", settings)]
    return "\n".join(filter(None, [_facts(name, facts), *blocks]))


def _ignored(family: type[Device]) -> str:
    is_fixed = isinstance(family.ignores, tuple)
    return ", ".join(family.ignores) if is_fixed else "depends on its settings"


def _demands(family: type[Device], parameter: str) -> Iterator[str]:
    if parameter in family.parameter_tables():
        yield "by format"
    if parameter in family.positive_parameters():
        yield "above 0"
    if parameter not in family.required_parameters():
        yield "optional"


def _names(operators: Iterable[type[Operator]]) -> str:
    return ", ".join(operator.__name__ for operator in operators)


def _facts(heading: str, facts: Mapping[str, str]) -> str:
    """A heading, and below it what is known, word by word; nothing where nothing is."""
    known = {key: fact for key, fact in facts.items() if fact}
    indent = " " * (len(heading) - len(heading.lstrip()) + 2)
    width = max(map(len, known), default=0)
    lines = [f"{indent}{key:{width}}  {fact}" for key, fact in known.items()]
    return "\n".join(map(escaped, [heading, *lines])) if lines else ""
