"""`costmodel compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve

from costmodel.cli.commands.estimating import SOURCE, read, read_files, tell_problems, told_apart
from costmodel.cli.options import Conditions, check_once, conditions, written
from costmodel.cli.output import Output, chosen_format, note, opened
from costmodel.cli.results import write, write_tables
from costmodel.conventions.convention import Convention
from costmodel.devices import Device
from costmodel.estimates import comparison
from costmodel.estimates import estimate as library
from costmodel.estimates.estimate import Estimate
from costmodel.estimates.matrix import matrix
from costmodel.estimates.operator_difference import operator_table
from costmodel.estimates.saved import SavedEstimate, is_saved, read_saved
from costmodel.safe_io import json_text

_SIDES: Final = 2


@click.command(epilog=SOURCE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@conditions
@click.option(
    "--convention", "conventions", multiple=True, default=(Convention().name,), metavar="NAME",
    show_default=True, help="Counting rules. Give two to compare them.",
)  # fmt: skip
@click.option(
    "--layers", "with_layers", is_flag=True,
    help="Compare two models layer by layer, also where they are not versions of one network.",
)  # fmt: skip
@written
def compare(
    models: Sequence[str],
    conventions: Sequence[str],
    with_layers: bool,  # noqa: FBT001  # click gives it
    form: str | None,
    path: Path | None,
    **options: Any,
) -> None:
    """Show which of several models is better, and where two models or devices differ.

    MODEL may be an estimate that was saved with --format json, too.

    Several models: a table of models and devices for latency, energy and memory, with ratios to
    the first model and their ranges. Figures that two models share move together, so that a
    ratio is known better than both of its sides.

    Two versions of a model on one device, one model on two devices, or two conventions: layer by
    layer, the largest difference first, each with its reason.

    \b
    costmodel compare small.keras large.keras other.keras -d raspberry-pi-4,rtx-4090
    costmodel compare model.keras pruned.keras -d cpu
    costmodel compare model.keras -d cpu -d loihi --rate 10
    costmodel compare model.keras -d cpu --convention costmodel --convention keras-spiking
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    form = chosen_format(form, path)
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    given = {"models": models, "devices": devices, "conventions": conventions}
    is_matrix = len(models) > 1 and len(conventions) == 1 and not _is_pair(given)
    if is_matrix:
        _check_matrix(models, devices)
    else:
        _check_sides(given)
    with opened(path, read_files(models, devices)) as output:
        if is_matrix or (
            len(models) == _SIDES and not with_layers and not _are_versions(models, asked)
        ):
            if with_layers:
                message = "--layers compares two models on one device"
                raise click.UsageError(message)
            for one in _write_matrix(models, devices, conventions[0], asked, form, output)[:1]:
                tell_problems(one)
            return
        before = _side(models[0], devices[0], conventions[0], asked)
        after = _side(models[-1], devices[-1], conventions[-1], asked)
        found = comparison.compare(before, devices[0].name, after, devices[-1].name)
        write([found], form, output)
    tell_problems(after)


def _is_pair(given: dict[str, Sequence[object]]) -> bool:
    return sorted(map(len, given.values())) == [1, 1, _SIDES]


def _are_versions(models: Sequence[str], asked: Conditions) -> bool:
    """Whether layers of two models can be held side by side."""
    if any(map(is_saved, models)):
        return False
    return comparison.are_related(*[read(model, asked.input_shapes) for model in models])


def _write_matrix(  # as the command has them
    models: Sequence[str],
    devices: Sequence[Device],
    convention: str,
    asked: Conditions,
    form: str,
    output: Output,
) -> Sequence[Estimate]:
    """Write the comparison; the estimates that were made for it."""
    made = told_apart(models, [_operand(model, devices, convention, asked) for model in models])
    found = matrix(_on(devices, made))
    new = [one for one in made if isinstance(one, Estimate)]
    if form == "json":
        output.text(json_text(found.to_dict()))
        return new
    by_kind = [one.breakdown_table("kind", top=_LARGEST) for one in new] if form != "csv" else []
    tables = list(found.tables(exact=form == "csv"))
    if len(new) == len(made) == _SIDES and by_kind:
        operators = operator_table(*new)
        if operators.rows:
            tables = [*tables, operators]
        else:
            tables = [*tables[:-1], evolve(tables[-1], notes=[*tables[-1].notes, operators.title])]
    write_tables([*tables, *by_kind], form, output)
    return new


def _operand(
    model: str, devices: Sequence[Device], convention: str, asked: Conditions
) -> Estimate | SavedEstimate:
    """The estimate of a model; a saved one as it is, if it has figures of all devices."""
    if is_saved(model):
        held = read_saved(model)
        missing = [device.name for device in devices if device.name not in held.devices]
        if not missing:
            return held
        note(f"note: {model} has no figures of {', '.join(missing)}")
    return _estimates(model, devices, convention, asked)


def _on(
    devices: Sequence[Device], made: Sequence[Estimate | SavedEstimate]
) -> list[Estimate | SavedEstimate]:
    """The estimates, saved ones with the devices that are asked for alone."""
    names = [device.name for device in devices]
    return [
        evolve(one, devices={name: one.device(name) for name in names})
        if isinstance(one, SavedEstimate)
        else one
        for one in made
    ]


_LARGEST: Final = 3
"""Of so many kinds of layers of each model the cost is shown."""


def _estimates(
    model: str, devices: Sequence[Device], convention: str, asked: Conditions
) -> Estimate:
    network = read(model, asked.input_shapes)
    return library.estimate(
        network, devices, scenario=asked.scenario(network), convention=convention,
        on_unpriced="bound",
    )  # fmt: skip


def _check_matrix(models: Sequence[str], devices: Sequence[Device]) -> None:
    """Refuse models and devices that are given twice."""
    check_once(models, "model")
    library.check_devices_once(devices)


def _side(model: str, device: Device, convention: str, asked: Conditions) -> Estimate:
    # What is unpriced is in the result: a total with a layer missing is "at least" so much.
    return _estimates(model, [device], convention, asked)


def _check_sides(given: dict[str, Sequence[object]]) -> None:
    """Refuse what is not a comparison: two of exactly one kind, and one of the others."""
    counts = {what: len(values) for what, values in given.items()}
    if sorted(counts.values()) != [1, 1, _SIDES]:
        found = ", ".join(
            f"{count} {what if count > 1 else what[:-1]}" for what, count in counts.items()
        )
        message = (
            "give several models, or one model with two devices (-d cpu,loihi) or two conventions "
            f"(--convention twice); found {found}; `costmodel estimate` shows one model on "
            "several devices"
        )
        raise click.UsageError(message)
    for what, (first, *others) in given.items():
        if first in others:
            message = f"the two {what} are the same"
            raise click.UsageError(message)
