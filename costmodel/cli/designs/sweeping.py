"""`costmodel sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from costmodel.cli.commands.estimating import SOURCE
from costmodel.cli.designs.space_options import opened, space_options
from costmodel.cli.output import note
from costmodel.cli.progress import ProgressLine
from costmodel.devices import progress_to
from costmodel.sweeps import running
from costmodel.sweeps.rows import rows_of
from costmodel.sweeps.sweeping import described, grid

_MINUTE: Final = 60
_HOUR: Final = 3600


@click.command(epilog=SOURCE)
@space_options("drawn")
@click.option(
    "-o", "--output", "path", type=Path, metavar="FILE",
    help="The Parquet file of results: a row for each design. Required, except with --dry-run.",
)  # fmt: skip
@click.option(
    "--sample", type=click.IntRange(1), metavar="N",
    help="Draw N designs, each axis by itself, instead of all designs in order.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1), metavar="N",
    help="Processes, on this machine or of --scheduler local. By default this one alone.",
)  # fmt: skip
@click.option(
    "--scheduler", metavar="ADDRESS",
    help="A Dask scheduler, such as tcp://127.0.0.1:8786, or `local` for one of this machine.",
)  # fmt: skip
@click.option(
    "--executor", metavar="NAME[:SETTING]", help="An executor that a plugin offers.",
)  # fmt: skip
@click.option(
    "--chunk", type=click.IntRange(1), default=running.CHUNK, show_default=True, metavar="N",
    help="Designs that are costed and written together.",
)  # fmt: skip
@click.option(
    "--layers", "by_layer", is_flag=True,
    help="Write energy and time of each layer, too: energy.LAYER and latency.LAYER.",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True, help="Go on with a sweep that was interrupted.",
)  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="Show the axes and the number of designs, and cost none.",
)  # fmt: skip
def sweep(  # noqa: PLR0913  # click gives every option by keyword
    *,
    space: Path,
    model: str | None,
    path: Path | None,
    devices: tuple[str, ...],
    sample: int | None,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    executor: str | None,
    chunk: int,
    by_layer: bool,
    resume: bool,
    dry_run: bool,
) -> None:
    """Cost all designs of a space, or drawn ones, into a Parquet file.

    SPACE is a YAML or JSON file: which formats, figures of a device and conditions may be chosen.
    MODEL takes the place of the network that it names.

    \b
    costmodel sweep space.yaml -o results.parquet
    costmodel sweep space.yaml model.keras -o results.parquet --sample 1000000 --workers 8
    costmodel sweep space.yaml -o results.parquet --scheduler tcp://127.0.0.1:8786 --resume
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    if path is None and not dry_run:
        message = "give the file of results: -o results.parquet; --dry-run shows the axes alone"
        raise click.UsageError(message)
    asked, network = opened(space, model, devices, path)
    found = grid(network, asked)
    for text in str(found).splitlines():
        note(text)
    if dry_run or path is None:
        return
    rows = rows_of(found, sample=sample, seed=seed)
    shown = ProgressLine()

    def progress(done: int, total: int, remaining: float) -> None:
        shown.show(f"{done:,} of {total:,} designs, {_duration(remaining)} remain")

    options = running.Options(
        workers=workers, scheduler=scheduler, executor=executor, chunk=chunk, progress=progress,
        by_layer=by_layer,
    )  # fmt: skip
    with progress_to(None):  # designs are counted, not what each of them takes
        results = running.write(found, rows, path, options, resume=resume)
    shown.clear()
    left_out = f", {results.designs - results.rows:,} left out" if asked.leaves_out else ""
    click.echo(f"{results.rows:,} designs in {results.path}{left_out}")
    click.echo(
        f"{results.costed:,} costed in {results.seconds:.3g} s: {results.rate:,.0f} a second"
    )
    for way in described(results.ways):
        click.echo(f"  {way}")


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
