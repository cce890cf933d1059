"""What the commands that read a design space have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from costmodel.cli.commands.estimating import read
from costmodel.cli.options import device_names
from costmodel.cli.output import check_new_file
from costmodel.sweeps.space import DesignSpace

if TYPE_CHECKING:
    from collections.abc import Callable


def space_options(seeded: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command SPACE, MODEL, --device and --seed; `seeded` says what the seed decides."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N",
                help=f"The same designs are {seeded} for the same seed.",
            ),
            click.option(
                "-d", "--device", "devices", multiple=True, metavar="DEVICE",
                shell_complete=device_names,
                help="In place of the devices of the space. Repeatable.",
            ),
            click.argument("model", required=False),
            click.argument("space", type=Path),
        ):  # fmt: skip
            command = option(command)
        return command

    return decorated


def opened(
    space: Path, model: str | None, devices: tuple[str, ...], output: Path | None
) -> tuple[DesignSpace, Any]:
    """The space of a file and its network; nothing that is read is the output."""
    asked, network = DesignSpace.from_file(space)
    if devices:
        asked = evolve(asked, device=devices)
    source = model or network
    if source is None:
        message = f"{space} names no network; give MODEL, or `network:` in the file"
        raise click.UsageError(message)
    if output is not None:
        check_new_file(output, [space, source, *asked.files])
    return asked, read(source)
