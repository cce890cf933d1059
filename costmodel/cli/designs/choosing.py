"""`costmodel pareto`."""

from __future__ import annotations

from pathlib import Path

import click

from costmodel.cli.designs.space_options import opened as read_space
from costmodel.cli.output import chosen_format, opened
from costmodel.cli.results import write_tables
from costmodel.errors import CostModelError
from costmodel.optimize.fronts import pareto as front_of
from costmodel.optimize.fronts import robust_front
from costmodel.sweeps.table import SweepTable


@click.command()
@click.argument("results", type=Path)
@click.option(
    "--x", "first", default="energy", show_default=True, metavar="COLUMN",
    help="The first objective.",
)  # fmt: skip
@click.option(
    "--y", "second", default="latency", show_default=True, metavar="COLUMN",
    help="The second objective.",
)  # fmt: skip
@click.option(
    "--also", multiple=True, metavar="COLUMN", help="A further objective; no plot. Repeatable.",
)  # fmt: skip
@click.option(
    "--maximize", multiple=True, metavar="COLUMN",
    help="An objective whose most is best, such as accuracy. Repeatable.",
)  # fmt: skip
@click.option(
    "--within-ranges", "space", type=Path, metavar="SPACE",
    help="Show the designs that no other beats for all values of figures within the ranges that "
    "device files give. SPACE is the file of the sweep.",
)  # fmt: skip
@click.option(
    "--model", metavar="MODEL", help="With --within-ranges: the model that the sweep was given.",
)  # fmt: skip
@click.option(
    "-d", "--device", "devices", multiple=True, metavar="DEVICE",
    help="With --within-ranges: the devices that the sweep was given. Repeatable.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1), default=20, show_default=True, metavar="N",
    help="Show so many designs of the front, evenly chosen.",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=Path, metavar="FILE",
    help="FILE.html: a plot and a table. FILE.parquet: the designs of the front. FILE.csv, "
    "FILE.md: the table.",
)  # fmt: skip
def pareto(  # noqa: PLR0913  # click gives every option by keyword
    *,
    results: Path,
    first: str,
    second: str,
    also: tuple[str, ...],
    maximize: tuple[str, ...],
    space: Path | None,
    model: str | None,
    devices: tuple[str, ...],
    top: int,
    path: Path | None,
) -> None:
    """Show the designs of a sweep that no other beats in all objectives.

    RESULTS is the Parquet file of `costmodel sweep` or `costmodel search`. Objectives are its
    columns: energy, latency, memory, weights, area or one of your own. Least is best.

    \b
    costmodel pareto results.parquet --x energy --y memory
    costmodel pareto results.parquet --x energy --y latency -o front.html
    costmodel pareto results.parquet --x energy --y memory --within-ranges space.yaml
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    objectives = dict.fromkeys([first, second, *also, *maximize])
    least = [name for name in objectives if name not in maximize]
    designs = SweepTable.from_parquet(results)
    if "kept" in designs.names:  # a search has those that broke a limit as well
        designs = designs.take(designs["kept"])
    if space is None:
        if model or devices:
            message = "--model and --device are those of --within-ranges SPACE"
            raise click.UsageError(message)
        found = front_of(designs, least, maximize)
    else:
        asked, network = read_space(space, model, devices, path)
        found = robust_front(designs, network, asked, least, maximize)
    if len(designs) and found.left_out == len(designs):
        message = (
            f"no design has a number for each of {', '.join(objectives)}; give objectives that the "
            "device models, such as --x energy --y memory"
        )
        raise CostModelError(message)
    suffix = "" if path is None else path.suffix.lower()
    if path is not None and suffix in {".html", ".parquet"}:
        with opened(path, [str(results)]) as output:
            written = output.path or path
            if suffix == ".html":
                found.to_html(written)
            else:
                found.best.to_parquet(written)
        path = None
    form = chosen_format(None, path)
    if form == "json":
        message = "expected -o FILE.html, .parquet, .csv or .md"
        raise click.UsageError(message)
    with opened(path, [str(results)]) as output:
        write_tables([found.table(top, exact=form == "csv")], form, output)
