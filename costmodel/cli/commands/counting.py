"""`costmodel count`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from costmodel.cli.commands.estimating import SOURCE, read, read_files
from costmodel.cli.options import input_shapes, named_shapes, written
from costmodel.cli.output import chosen_format, opened
from costmodel.cli.results import write
from costmodel.conventions.convention import Convention
from costmodel.estimates.counts import WEIGHT_FORMATS
from costmodel.estimates.counts import count as counted
from costmodel.scenario import Scenario

if TYPE_CHECKING:
    from costmodel.estimates.counts import Count
    from costmodel.tensor.shapes import Shape


@click.command(epilog=SOURCE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@input_shapes
@click.option(
    "--convention", default=Convention().name, metavar="NAME", show_default=True,
    help="Counting rules.",
)  # fmt: skip
@click.option(
    "--weights", "formats", multiple=True, metavar="FORMAT", default=WEIGHT_FORMATS,
    show_default=True, help="Format in which to give the memory of all weights. Repeatable.",
)  # fmt: skip
@click.option(
    "--default-format", default="float32", metavar="FORMAT", show_default=True,
    help="Format of weights that declare none, where layers declare formats.",
)  # fmt: skip
@click.option(
    "--flops", is_flag=True,
    help="Also as FLOPs: 2 for each multiply-accumulate or multiply-add, else 1.",
)  # fmt: skip
@written
def count(  # noqa: PLR0913  # click passes each option as an argument
    models: Sequence[str],
    input_shapes: Sequence[tuple[str | None, Shape]],
    convention: str,
    formats: Sequence[str],
    *,
    default_format: str,
    form: str | None,
    path: Path | None,
    flops: bool,
) -> None:
    """Count operations, parameters and activations, layer by layer.

    \b
    costmodel count model.keras
    costmodel count model.keras --flops --weights int8 --format json
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    form = chosen_format(form, path)

    def counts(model: str) -> Count:
        network = read(model, input_shapes)
        scenario = Scenario(
            input_shapes=named_shapes(network, input_shapes), default_format=default_format
        )
        return counted(network, scenario, convention=convention, formats=formats, with_flops=flops)

    with opened(path, read_files(models)) as output:
        write([counts(model) for model in models], form, output)
