"""`costmodel sensitivity`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from costmodel.cli.commands.estimating import SOURCE, read, read_files
from costmodel.cli.options import Conditions, conditions, written
from costmodel.cli.output import chosen_format, opened
from costmodel.cli.results import write
from costmodel.errors import UnitError
from costmodel.estimates import sensitivity as moving
from costmodel.estimates.estimate import check_devices_once
from costmodel.safe_io import writing
from costmodel.units import parse_quantity

if TYPE_CHECKING:
    from costmodel.estimates.sensitivity import Sensitivity

_EXAMPLE: Final = "'10 %'"


def share(text: str) -> float:
    """A share such as `10 %` or `0.1`."""
    try:
        value = parse_quantity(text, "").value
    except UnitError as error:
        message = f"{error}; such as {_EXAMPLE}"
        raise click.BadParameter(message) from None
    if not 0 < value < 1:
        message = f"{text!r:.40} is not between 0 and 100 %; such as {_EXAMPLE}"
        raise click.BadParameter(message)
    return value


@click.command(epilog=SOURCE)
@click.argument("model")
@conditions
@click.option(
    "--measure", type=click.Choice(list(moving.MEASURES)), default="energy", show_default=True,
    help="The total that is watched.",
)  # fmt: skip
@click.option(
    "--around", type=share, metavar="SHARE",
    help=f"Move every figure by this share, such as {_EXAMPLE}, instead of within its range.",
)  # fmt: skip
@click.option(
    "--plot", "picture", type=Path, metavar="FILE",
    help="Also draw the table as bars: FILE ends in .svg, .png or .pdf. For one device.",
)  # fmt: skip
@written
def sensitivity(  # click gives every option by keyword
    model: str,
    measure: str,
    around: float | None,
    picture: Path | None,
    form: str | None,
    path: Path | None,
    **options: Any,
) -> None:
    """Show which figures of a device change the total most, within their ranges.

    Each figure goes to both ends of its range while all others stay. A figure without a range is
    named below the table; --around moves all by the same share.

    \b
    costmodel sensitivity model.keras -d cpu
    costmodel sensitivity model.keras -d raspberry-pi-4 --measure time --around '10 %'
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    form = chosen_format(form, path)
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    check_devices_once(devices)
    _check_picture(picture, len(devices))
    files = read_files([model], devices)
    with opened(path, files) as output:
        network = read(model, asked.input_shapes)
        scenario = asked.scenario(network)
        found: list[Sensitivity] = [
            moving.sensitivity(network, device, scenario, measure=measure, around=around)
            for device in devices
        ]
        write(found, form, output)
    if picture is not None:
        _draw(found[0], picture, files)


def _check_picture(picture: Path | None, devices: int) -> None:
    if picture is None:
        return
    from costmodel.html.library import PICTURES  # noqa: PLC0415  # only where asked for

    if picture.suffix.lower() not in PICTURES:
        known = ", ".join(PICTURES)
        message = f"--plot {picture}: unknown output format {picture.suffix!r}; expected {known}"
        raise click.UsageError(message)
    if devices > 1:
        message = "--plot draws one device; give one with -d"
        raise click.UsageError(message)


def _draw(found: Sensitivity, picture: Path, files: Sequence[str]) -> None:
    from costmodel.html.pictures import picture_sensitivity  # noqa: PLC0415  # brings plotly

    with opened(picture, files) as output, writing(picture):
        made = picture_sensitivity(found, picture.suffix.lower().removeprefix("."))
        (output.path or picture).write_bytes(made)
