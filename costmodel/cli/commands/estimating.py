"""`costmodel estimate` and `costmodel explain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from attrs import evolve

from costmodel import registry
from costmodel.cli.options import Conditions, check_once, conditions, written
from costmodel.cli.output import chosen_format, note, opened
from costmodel.cli.results import write, write_tables
from costmodel.conventions.convention import Convention
from costmodel.devices import Device
from costmodel.errors import CostModelError, UnpricedError
from costmodel.estimates import estimate as library
from costmodel.estimates.estimate import ON_UNPRICED, Estimate
from costmodel.estimates.saved import SavedEstimate, is_saved
from costmodel.formats import format_name
from costmodel.network.graph import Network
from costmodel.report import ignored
from costmodel.report.breakdown import GROUPINGS, MEASURES
from costmodel.report.estimate_table import listed_reasons
from costmodel.report.explanation import explanation, line_of
from costmodel.tensor.shapes import InputShapes, Shape

if TYPE_CHECKING:
    from costmodel.estimates.comparison import Comparison

_DEFAULT: Final = Convention().name
_TELL_PROBLEMS: Final = ("table", "markdown")
"""The formats in which an estimate itself says what is wrong with plugins."""
_Made = TypeVar("_Made", bound=Estimate | SavedEstimate)

SOURCE = (
    "MODEL is a file of Keras (.keras, .h5, JSON), ONNX, TensorFlow Lite, PyTorch (.pt2), "
    "StableHLO (.mlir) or NIR, the JSON of a network, or a saved estimate."
)


@click.command(epilog=SOURCE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@conditions
@click.option(
    "--convention", "conventions", multiple=True, default=(_DEFAULT,), metavar="NAME",
    show_default=True,
    help="Counting rules. Given more than once: which layers they charge differently, and why.",
)  # fmt: skip
@click.option(
    "--on-unpriced", type=click.Choice(ON_UNPRICED), default="warn", show_default=True,
    help="What to do about work without a price: stop (exit status 1), warn, "
    "or only call the total a lower bound.",
)  # fmt: skip
@click.option(
    "--layers", "with_layers", is_flag=True,
    help="Show every layer, and why layers are free, instead of a summary.",
)  # fmt: skip
@click.option(
    "--group-by", "by", type=click.Choice(GROUPINGS),
    help="Show the cost of each layer, kind of layers, block (by the names of layers), operator "
    "or resource, the largest first.",
)  # fmt: skip
@click.option(
    "--sort", type=click.Choice(MEASURES),
    help="By what the largest come first. By default time, or energy where no time is known.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1), metavar="N", help="Show the N largest, the rest as one row."
)
@written
def estimate(  # noqa: PLR0913, PLR0917  # click gives every option by keyword
    models: Sequence[str],
    conventions: Sequence[str],
    on_unpriced: library.OnUnpriced,
    with_layers: bool,  # noqa: FBT001  # click gives it
    by: str | None,
    sort: str | None,
    top: int | None,
    form: str | None,
    path: Path | None,
    **options: Any,
) -> None:
    """Show what a network costs on devices, and what dominates.

    \b
    costmodel estimate model.keras -d raspberry-pi-4,rtx-4090
    costmodel estimate model.keras -d raspberry-pi-4 --top 10
    costmodel estimate model.keras -d cpu -d loihi --rate 10 --timesteps 20 --layers
    costmodel estimate model.keras -d cpu --format json -o model.json
    costmodel estimate model.keras -d cpu --convention costmodel --convention keras-spiking
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    asked = Conditions(**options)
    form = chosen_format(form, path)
    check_once(conventions, "convention")
    if formats := asked.several_formats():
        _check_formats(models, conventions, is_alone=not (with_layers or by or sort or top))
        _write_by_format(models[0], formats, asked, on_unpriced, form, path)
        return
    is_breakdown = any(one is not None for one in (by, sort, top))
    _check_shown(with_layers, is_breakdown, form, conventions)
    devices = asked.chosen_devices()
    with opened(path, read_files(models, devices)) as output:
        by_model = [_estimates(model, devices, asked, conventions, on_unpriced) for model in models]
        results = [result for made in by_model for result in _results(made)]
        if is_breakdown:
            write_tables(
                [made[0].breakdown_table(by or "layer", sort, top, exact=form == "csv")
                 for made in by_model], form, output,
            )  # fmt: skip
        elif form in _TELL_PROBLEMS and not with_layers and len(conventions) == 1:
            write_tables([table for made in by_model for table in made[0].summary()], form, output)
        else:
            write(results, form, output)
    for made in by_model:
        _tell(made, form)
    if form not in _TELL_PROBLEMS or len(conventions) > 1:
        tell_problems(by_model[0][0])


@click.command(epilog=SOURCE)
@click.argument("model")
@click.argument("layer")
@conditions
@click.option(
    "--convention", default=_DEFAULT, metavar="NAME", show_default=True, help="Counting rules."
)
def explain(model: str, layer: str, convention: str, **options: Any) -> None:
    """Show how the cost of one layer comes about: formula, operands, units, sources.

    \b
    costmodel explain model.keras conv2d_1 -d loihi --rate 10
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    library.check_devices_once(devices)
    described = "\n\n".join(
        _explanations(read(model, asked.input_shapes), layer, devices, asked, convention)
    )
    with opened() as output:
        output.prose(described)


def read(model: str, shapes: Sequence[tuple[str | None, Shape]] = ()) -> Network:
    """The network in a file; `shapes` bind inputs without which it cannot be read.

    Raises:
        CostModelError: there is none, or it cannot be read.

    """
    if model == "-":
        message = "MODEL is '-': a network is not read from standard input; give a file"
        raise click.UsageError(message)
    if registry.is_missing_file(model) and model in registry.installed().device_names:
        message = f"MODEL is {model!r}, which is a device: give it as -d {model}"
        raise click.UsageError(message)
    try:
        network = library.read(model)
    except CostModelError:
        if not shapes:
            raise
        network = library.read(model, input_shapes=_given(shapes))
    for line in network.notes:
        note(f"note: {model}: {line}")
    if is_saved(model):
        note(f"note: {model}: the network of a saved estimate, under the conditions given here")
    return network


def _given(shapes: Sequence[tuple[str | None, Shape]]) -> InputShapes:
    """Shapes by the names of inputs, or that of the only input."""
    first, *others = shapes
    if first[0] is None and not others:
        return first[1]
    check_once([name or "" for name, _ in shapes], "--input-shape")
    return {name or "": shape for name, shape in shapes}


def read_files(models: Sequence[str], devices: Iterable[Device] = ()) -> list[str]:
    """The files that a command reads: its models, and the files of its devices."""
    return [*models, *(device.file for device in devices if device.file)]


def told_apart(models: Sequence[str], made: Sequence[_Made]) -> list[_Made]:
    """The estimates of some models; networks with the same name are called like their files."""
    names = [one.network if isinstance(one, SavedEstimate) else one.network.name for one in made]
    files = [Path(model).name for model in models]
    found = list(made)
    for place, (model, one) in enumerate(zip(models, made, strict=True)):
        if names.count(names[place]) > 1:
            name = model if files.count(files[place]) > 1 else files[place]
            if isinstance(one, SavedEstimate):
                found[place] = evolve(one, network=name)
            else:
                found[place] = evolve(one, network=evolve(one.network, name=name))
    return found


def _explanations(
    network: Network, layer: str, devices: Sequence[Device], asked: Conditions, convention: str
) -> Iterator[str]:
    """How the cost of one layer comes about."""
    scenario = asked.scenario(network)
    found = library.estimate(
        network, devices, scenario=scenario, convention=convention, on_unpriced="bound"
    )
    for bill in found.bills.values():
        yield "\n".join(explanation(bill, line_of(bill, layer), found.scenario))


def _estimates(
    model: str,
    devices: Sequence[Device],
    asked: Conditions,
    conventions: Sequence[str],
    on_unpriced: library.OnUnpriced,
) -> list[Estimate]:
    """The estimate of one model by each convention."""
    network = read(model, asked.input_shapes)
    scenario = asked.scenario(network)
    made = []
    for name in conventions:
        # What is unpriced is reported here, in the words of the command line.
        bound = library.estimate(
            network, devices, scenario=scenario, convention=name, on_unpriced="bound"
        )
        made.append(evolve(bound, on_unpriced=on_unpriced))
        if on_unpriced == "error":
            _check_complete(bound)
    return made


def _check_formats(models: Sequence[str], conventions: Sequence[str], *, is_alone: bool) -> None:
    """Refuse what does not go with several default formats."""
    if len(models) > 1 or tuple(conventions) != (_DEFAULT,) or not is_alone:
        message = (
            "several formats in --default-format take one model, the default convention, and none "
            "of --layers, --group-by, --sort and --top"
        )
        raise click.UsageError(message)


def _write_by_format(  # as the command has them
    model: str,
    formats: Sequence[str],
    asked: Conditions,
    on_unpriced: library.OnUnpriced,
    form: str,
    path: Path | None,
) -> None:
    """One model in several default formats, side by side."""
    from costmodel.estimates.by_format import by_format  # noqa: PLC0415  # only where asked for

    plain = evolve(asked, default_format=formats[0])
    devices = plain.chosen_devices()
    with opened(path, read_files([model], devices)) as output:
        network = read(model, asked.input_shapes)
        found = by_format(network, devices, formats, scenario=plain.scenario(network))
        made = [evolve(one, on_unpriced=on_unpriced) for one in found.estimates.values()]
        if on_unpriced == "error":
            for one in made:
                _check_complete(one)
        write([found], form, output)
    _tell(made, form, [f" in {format_name(number)}" for number in found.estimates])


def _check_shown(
    with_layers: bool,  # noqa: FBT001  # as click gave it
    is_breakdown: bool,  # noqa: FBT001
    form: str,
    conventions: Sequence[str],
) -> None:
    """Refuse options that contradict each other."""
    if not is_breakdown:
        return
    if with_layers:
        message = "--layers shows all in the order of the network; --top, --sort and --group-by not"
        raise click.UsageError(message)
    if form == "json":
        message = "--top, --sort and --group-by are for tables and CSV; JSON has every layer"
        raise click.UsageError(message)
    if len(conventions) > 1:
        message = "--top, --sort and --group-by take one convention; several are compared"
        raise click.UsageError(message)


def _check_complete(estimate: Estimate) -> None:
    for name, bill in estimate.bills.items():
        if not bill.is_complete:
            missing, total = len(bill.coverage.unpriced), bill.coverage.layers.total
            what = f"{missing} of {total} layers" if missing else "static energy"
            head = (
                f"the total of {estimate.network.name} on {name} leaves out {what} "
                f"by {estimate.convention.name}:"
            )
            static = bill.evaluation.unknown_static
            lines = [
                head,
                *listed_reasons(bill.coverage.unpriced),
                *([static] if static else []),
                '--on-unpriced bound takes the total as "at least"',
            ]
            raise UnpricedError("\n  ".join(lines))


def _results(made: Sequence[Estimate]) -> Sequence[Estimate] | Iterator[Comparison]:
    return made if len(made) == 1 else _comparisons(made)


def _comparisons(made: Sequence[Estimate]) -> Iterator[Comparison]:
    """Every later convention against the first, device by device."""
    from costmodel.estimates.comparison import compare  # noqa: PLC0415  # only where there are several

    first, *others = made
    for device in first.bills:
        yield from (compare(first, device, other, device) for other in others)


def _tell(made: Sequence[Estimate], form: str | None, differing: Sequence[str] = ()) -> None:
    """Say on standard error what the result itself does not: what totals leave out or ignore.

    `differing` is in what several estimates differ, by default their conventions.
    """
    if not differing:
        differing = [f" by {one.convention.name}" if len(made) > 1 else "" for one in made]
    for estimate, which in zip(made, differing, strict=True):
        missing = "; ".join(_missing(estimate)) if estimate.on_unpriced == "warn" else ""
        if missing:
            note(
                f"note: not in the total of {estimate.network.name}{which}: {missing}; "
                "the result says why; --on-unpriced error makes this an error (exit status 1)"
            )
        if form == "csv":  # rows alone, without the notes of a table
            for line in ignored.notes(estimate.bills.values(), estimate.scenario):
                note(f"note: {estimate.network.name}: {line}")


def tell_problems(estimate: Estimate) -> None:
    """Say on standard error what is wrong with plugins."""
    for problem in estimate.problems:
        note(f"note: {problem}")


def _missing(estimate: Estimate) -> Iterator[str]:
    devices: dict[str, list[str]] = {}
    for name, bill in estimate.bills.items():
        layers = bill.coverage.layers
        if not bill.is_complete:
            count = len(bill.coverage.unpriced)
            missing = f"{count} of {layers.total} layers" if count else "static energy"
            devices.setdefault(missing, []).append(name)
    for missing, names in devices.items():
        yield f"{missing} on {', '.join(names)}"
