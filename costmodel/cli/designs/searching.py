"""`costmodel search`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from costmodel.cli.commands.estimating import SOURCE
from costmodel.cli.designs.space_options import opened, space_options
from costmodel.cli.output import Output, note
from costmodel.cli.results import write_tables
from costmodel.optimize import search as searching
from costmodel.packages import needed

if TYPE_CHECKING:
    from costmodel.optimize.search import Accuracy


@click.command(epilog=SOURCE)
@space_options("proposed")
@click.option(
    "--minimize", multiple=True, default=("energy", "memory"), show_default=True, metavar="COST",
    help="energy, latency, memory, weights or area. Repeatable.",
)  # fmt: skip
@click.option(
    "--accuracy", metavar="MODULE:FUNCTION",
    help="A function of yours, which takes the choices of a design and gives its accuracy. It is "
    "not called for designs that break a limit.",
)  # fmt: skip
@click.option(
    "--trials", type=click.IntRange(1), default=100, show_default=True, metavar="N",
    help="Designs to look at.",
)  # fmt: skip
@click.option(
    "--sampler", type=click.Choice(list(searching.SAMPLERS)), default="nsga2", show_default=True,
    help="How designs are proposed.",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=Path, metavar="FILE",
    help="A Parquet file of all designs, for `costmodel pareto`.",
)  # fmt: skip
def search(  # noqa: PLR0913  # click gives every option by keyword
    *,
    space: Path,
    model: str | None,
    devices: tuple[str, ...],
    minimize: tuple[str, ...],
    accuracy: str | None,
    trials: int,
    sampler: str,
    seed: int,
    path: Path | None,
) -> None:
    """Look for the best designs of a space that is too large to enumerate.

    SPACE is the file of `costmodel sweep`. Designs that break its limits are pruned by their cost,
    before an accuracy is asked for.

    \b
    costmodel search space.yaml --minimize energy --minimize memory
    costmodel search space.yaml --accuracy training:accuracy --trials 200 -o designs.parquet
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    asked, network = opened(space, model, devices, path)
    optuna = needed("a search", "optuna", extra="search")
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would report each trial
    try:
        found = searching.search(
            network, asked, minimize=minimize, trials=trials, sampler=sampler, seed=seed,
            accuracy=None if accuracy is None else _function(accuracy),
        )  # fmt: skip
    except searching.SearchStoppedError as error:
        if path is not None and error.result is not None:
            error.result.designs.to_parquet(path)
            note(f"{path} holds the {len(error.result.designs):,} designs before the error")
        raise
    note(f"{len(found.designs):,} designs, {found.pruned:,} of them pruned")
    for line in found.designs.notes:
        note(line)
    if path is not None:
        found.designs.to_parquet(path)
    write_tables([found.front.table()], "table", Output())


def _function(named: str) -> Accuracy:
    """A function of the user, by its module and its name."""
    module, _, name = named.partition(":")
    if not module or not name:
        message = f"--accuracy {named}: expected MODULE:FUNCTION, such as training:accuracy"
        raise click.UsageError(message)
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        function: Accuracy = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        message = f"--accuracy {named}: {error}"
        raise click.UsageError(message) from None
    finally:
        sys.path.pop(0)
    return function
