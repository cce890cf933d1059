"""`costmodel devices`: the list, one in full, and the check of files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from costmodel import catalogue
from costmodel.cli.output import note, opened
from costmodel.errors import CostModelError, DeviceFileError
from costmodel.report import Column, Table
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.catalogue import Catalogue
    from costmodel.devices import Device, Parameter

_LIST = tuple(map(Column, ("Name", "Family", "Title", "Process", "Parameters", "Plugin")))


@click.group(invoke_without_command=True)
@click.pass_context
def devices(context: click.Context) -> None:
    """List the devices; show one; check device files.

    \b
    costmodel devices
    costmodel devices show loihi
    costmodel devices validate my-chip.yaml
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    if context.invoked_subcommand is None:
        _list(catalogue.installed())


@devices.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a device with the unit, evidence and source of every parameter.

    NAME is a device of the catalogue, or the path of a YAML file.

    \b
    costmodel devices show loihi
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    device = catalogue.installed().device(name)
    blocks = [_heading(device), *map(_block, device.parameters.values())]
    with opened() as output:
        output.prose("\n\n".join(blocks))


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


def _verdict(file: Path) -> tuple[bool, str]:
    try:
        device = catalogue.installed().load_device(file)
    except DeviceFileError as error:
        return False, str(error)
    return True, f"{file}: good ({device.name}, {len(device.parameters)} parameters)"


def _list(found: Catalogue) -> None:
    rows = [_row(found, name) for name in found.device_names]
    notes = () if rows else (catalogue.NOT_INSTALLED,)
    with opened() as output:
        output.tables([Table("devices", _LIST, rows, notes=notes)])
    for problem in found.plugins.problems:
        note(f"note: {problem}")


def _row(found: Catalogue, name: str) -> tuple[str, ...]:
    owner = found.owner("costmodel_device_files", name)
    try:
        device = found.device(name)
    except CostModelError as error:
        found.plugins.blame(owner, " ".join(str(error).split()))
        return name, "", "cannot be loaded", "", "", owner
    summary = ", ".join(
        f"{item.name} {format_quantity(item.value, item.unit)}"
        for item in device.parameters.values()
    )
    return name, device.family, device.title, device.process or "", summary, owner


def _heading(device: Device) -> str:
    process = f", {device.process}" if device.process else ""
    lines = [f"{device.name}: {device.title}{process}", f"  class     {device.family}"]
    return "\n".join([*lines, f"  file      {device.file}"])


def _block(item: Parameter) -> str:
    low, high = (format_quantity(value, item.unit) for value in (item.low, item.high))
    facts = {
        "value": format_quantity(item.value, item.unit),
        "range": "" if item.low == item.high else f"{low} to {high}",
        "unit": item.unit,
        "evidence": item.evidence.value,
        "source": item.source,
        "note": item.note,
    }
    return "\n".join([item.name, *(f"  {key:9} {fact}" for key, fact in facts.items() if fact)])
