"""`costmodel compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from costmodel.cli.commands.estimating import SOURCE, read, read_files, tell_problems
from costmodel.cli.options import Conditions, conditions, written
from costmodel.cli.output import chosen_format, opened
from costmodel.cli.results import write
from costmodel.conventions.convention import Convention
from costmodel.devices import Device
from costmodel.estimates import comparison
from costmodel.estimates import estimate as library
from costmodel.estimates.estimate import Estimate

_SIDES: Final = 2


@click.command(epilog=SOURCE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL [MODEL2]")
@conditions
@click.option(
    "--convention", "conventions", multiple=True, default=(Convention().name,), metavar="NAME",
    show_default=True, help="Counting rules. Give two to compare them.",
)  # fmt: skip
@written
def compare(
    models: Sequence[str],
    conventions: Sequence[str],
    form: str | None,
    path: Path | None,
    **options: Any,
) -> None:
    """Show where two models, two devices or two conventions differ, and why.

    Exactly one of the three is given twice. Layers meet by their names, the largest difference
    comes first, and each has its reason: another coverage, other charges, another rate, count or
    price.

    \b
    costmodel compare model.keras -d cpu -d loihi --rate 10
    costmodel compare model.keras pruned.keras -d cpu
    costmodel compare model.keras -d cpu --convention costmodel --convention keras-spiking
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    form = chosen_format(form, path)
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    _check_sides({"models": models, "devices": devices, "conventions": conventions})
    with opened(path, read_files(models, devices)) as output:
        before = _side(models[0], devices[0], conventions[0], asked)
        after = _side(models[-1], devices[-1], conventions[-1], asked)
        found = comparison.compare(before, devices[0].name, after, devices[-1].name)
        write([found], form, output)
    tell_problems(after)


def _side(model: str, device: Device, convention: str, asked: Conditions) -> Estimate:
    network = read(model)
    # What is unpriced is in the result: a total with a layer missing is "at least" so much.
    return library.estimate(
        network, device, scenario=asked.scenario(network), convention=convention,
        on_unpriced="bound",
    )  # fmt: skip


def _check_sides(given: dict[str, Sequence[object]]) -> None:
    """Refuse what is not a comparison: two of exactly one kind, and one of the others."""
    counts = {what: len(values) for what, values in given.items()}
    if sorted(counts.values()) != [1, 1, _SIDES]:
        found = ", ".join(
            f"{count} {what if count > 1 else what[:-1]}" for what, count in counts.items()
        )
        message = (
            "a comparison has two sides: give two models, two devices (-d cpu,loihi) or two "
            f"conventions (--convention twice), and one of each of the others; found {found}"
        )
        raise click.UsageError(message)
    for what, (first, *others) in given.items():
        if first in others:
            message = f"the two {what} are the same"
            raise click.UsageError(message)
