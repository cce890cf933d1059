"""`costmodel estimate` and `costmodel explain`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from costmodel import estimates as library
from costmodel.cli.options import Conditions, conditions
from costmodel.cli.output import FORMATS, Output, chosen_format, note, opened, safe
from costmodel.comparison import Comparison, compare
from costmodel.convention import Convention
from costmodel.devices import Device
from costmodel.errors import UnpricedWarning
from costmodel.estimates import ON_UNPRICED, Estimate
from costmodel.report import Column, Table

_DEFAULT: Final = Convention().name
_SOURCE = "MODEL is a .keras file or the JSON of model.to_json()."


@click.command(epilog=_SOURCE)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@conditions
@click.option(
    "--convention", "conventions", multiple=True, default=(_DEFAULT,), metavar="NAME",
    show_default=True,
    help="Counting rules. Given more than once: which layers they charge differently, and why.",
)  # fmt: skip
@click.option(
    "--on-unpriced", type=click.Choice(ON_UNPRICED), default="warn", show_default=True,
    help="What to do about work without a price: stop (exit status 1), tell, "
    "or only call the total a lower bound.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(FORMATS),
    help="By default what the name of FILE ends in (.json, .csv, .md), else a table.",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path), metavar="FILE",
    help="Write there instead of to standard output, in one piece.",
)  # fmt: skip
def estimate(
    models: Sequence[str],
    conventions: Sequence[str],
    on_unpriced: library.OnUnpriced,
    form: str | None,
    path: Path | None,
    **options: Any,
) -> None:
    """Tell what every layer of a network costs on devices.

    \b
    costmodel estimate model.keras -d cpu -d loihi --rate 10 --timesteps 20
    costmodel estimate model.keras -d cpu --format json -o model.json
    costmodel estimate model.keras -d cpu --convention costmodel --convention keras-spiking
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    with opened(path) as output:
        by_model = [
            _estimates(model, devices, asked, tuple(dict.fromkeys(conventions)), on_unpriced)
            for model in models
        ]
        _write(by_model, chosen_format(form, path), output)
    for made in by_model:
        _tell(made)


@click.command(epilog=_SOURCE)
@click.argument("model")
@click.argument("layer")
@conditions
@click.option(
    "--convention", default=_DEFAULT, metavar="NAME", show_default=True, help="Counting rules."
)
def explain(model: str, layer: str, convention: str, **options: Any) -> None:
    """Tell how the cost of one layer comes about: formula, operands, units, sources.

    \b
    costmodel explain model.keras conv2d_1 -d loihi --rate 10
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    (made,) = _estimates(model, devices, asked, (convention,), "bound")
    told = "\n\n".join(made.explain(layer, device.name) for device in devices)
    with opened() as output:
        output.prose(told)


def _estimates(
    model: str,
    devices: Sequence[Device],
    asked: Conditions,
    conventions: Sequence[str],
    on_unpriced: library.OnUnpriced,
) -> list[Estimate]:
    """The estimate of one model by each convention."""
    network = library.read(model)
    scenario = asked.scenario(network)
    with warnings.catch_warnings():
        # Told by _tell, in one line for all devices.
        warnings.simplefilter("ignore", UnpricedWarning)
        return [
            library.estimate(
                network, devices, scenario=scenario, convention=name, on_unpriced=on_unpriced
            )
            for name in conventions
        ]


def _write(by_model: Sequence[Sequence[Estimate]], form: str, output: Output) -> None:
    results: list[Estimate | Comparison] = [
        result for made in by_model for result in (made if len(made) == 1 else _comparisons(made))
    ]
    if form == "json":
        values = [result.to_dict() for result in results]
        shown = values if len(values) > 1 else values[0]
        output.text(json.dumps(shown, indent=2, allow_nan=False))
        return
    tables = [
        result.table(exact=form == "csv") if isinstance(result, Estimate) else result.table()
        for result in results
    ]
    if form == "table":
        output.tables(tables)
    else:
        output.text("\n\n".join(_plain(tables, form)))


def _plain(tables: Sequence[Table], form: str) -> Iterator[str]:
    if form == "csv":
        yield from (table.csv() for table in _stacked(tables))
    else:
        yield from (safe(table).markdown() for table in tables)


def _stacked(tables: Sequence[Table]) -> Iterator[Table]:
    """Tables of the same columns as one, each row behind the title of its table."""
    if len(tables) == 1:
        yield tables[0]
        return
    by_columns: dict[tuple[Column, ...], list[tuple[str, ...]]] = {}
    for table in tables:
        rows = [(table.title, *row) for row in table.rows]
        by_columns.setdefault(table.columns, []).extend(rows)
    for columns, rows in by_columns.items():
        yield Table("", (Column("Table"), *columns), rows)


def _comparisons(made: Sequence[Estimate]) -> Iterator[Comparison]:
    """Every later convention against the first, device by device."""
    first, *others = made
    for device in first.bills:
        yield from (compare(first, device, other, device) for other in others)


def _tell(made: Sequence[Estimate]) -> None:
    """Say on standard error which totals leave something out, and what is wrong with plugins."""
    for estimate in made:
        missing = "; ".join(_missing(estimate)) if estimate.on_unpriced == "warn" else ""
        if missing:
            by = f" by {estimate.convention.name}" if len(made) > 1 else ""
            note(
                f"note: not in the total of {estimate.network.name}{by}: {missing}; "
                "the reasons are in the result (--on-unpriced error stops here)"
            )
    for problem in made[0].problems:
        note(f"note: {problem}")


def _missing(estimate: Estimate) -> Iterator[str]:
    devices: dict[str, list[str]] = {}
    for name, bill in estimate.bills.items():
        layers = bill.coverage.layers
        if not bill.is_complete:
            missing = f"{len(bill.coverage.unpriced)} of {layers.total} layers"
            devices.setdefault(missing, []).append(name)
    for missing, names in devices.items():
        yield f"{missing} on {', '.join(names)}"
