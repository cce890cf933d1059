"""`costmodel report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from costmodel.cli.commands.estimating import SOURCE, read, read_files, told_apart
from costmodel.cli.options import Conditions, conditions
from costmodel.cli.output import note, opened
from costmodel.conventions.convention import Convention
from costmodel.errors import CostModelError
from costmodel.estimates import estimate as library
from costmodel.estimates.estimate import Estimate
from costmodel.html.library import PICTURES
from costmodel.html.page import report as page_of
from costmodel.html.pictures import export, picture
from costmodel.safe_io import writing

_PAGES: Final = (".html", ".htm")


@click.command(epilog=SOURCE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@conditions
@click.option(
    "--convention", default=Convention().name, metavar="NAME", show_default=True,
    help="Counting rules.",
)  # fmt: skip
@click.option(
    "-o",
    "--output",
    "path",
    type=Path,
    metavar="FILE",
    required=False,
    help="The report (.html), or a picture of where time or energy goes (.svg, .png, .pdf).",
)
@click.option(
    "--export",
    "folder",
    type=Path,
    metavar="FOLDER",
    help="Write all figures there, as SVG and PNG.",
)
def report(
    models: Sequence[str], convention: str, path: Path | None, folder: Path | None, **options: Any
) -> None:
    """Write a report to share: one HTML file with figures, layers and sources.

    \b
    costmodel report model.keras -d raspberry-pi-4,rtx-4090 -o report.html
    costmodel report model.keras -d raspberry-pi-4 -o picture.svg
    costmodel report model.keras -d raspberry-pi-4 --export slides
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    _check_written(path, folder)
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    files = read_files(models, devices)
    estimates = []
    for model in models:
        network = read(model, asked.input_shapes)
        estimates.append(library.estimate(
            network, devices, scenario=asked.scenario(network), convention=convention,
            on_unpriced="bound",
        ))  # fmt: skip
    estimates = told_apart(models, estimates)
    if path is not None:
        _write(estimates, path, files)
    if folder is not None:
        note(f"note: {export(estimates, folder)} pictures in {folder}")


def _check_written(path: Path | None, folder: Path | None) -> None:
    if path is None and folder is None:
        message = "give -o FILE.html, or --export FOLDER for pictures"
        raise click.UsageError(message)
    if path is not None and path.suffix.lower() not in {*_PAGES, *PICTURES}:
        known = ", ".join([".html", *PICTURES])
        message = f"-o {path}: unknown output format {path.suffix!r}; expected one of {known}"
        raise click.UsageError(message)


def _write(estimates: Sequence[Estimate], path: Path, files: Sequence[str]) -> None:
    if path.suffix.lower() in _PAGES:
        with opened(path, files) as output:
            output.text(page_of(estimates))
        return
    if len(estimates) > 1:
        message = f"-o {path}: a picture shows one model; --export FOLDER writes those of several"
        raise CostModelError(message)
    with opened(path, files) as output, writing(path):
        made = picture(estimates[0], path.suffix.lower().removeprefix("."))
        (output.path or path).write_bytes(made)
