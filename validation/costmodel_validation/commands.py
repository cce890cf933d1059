"""`costmodel validate`, `costmodel fit` and `costmodel measure`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from costmodel.cli.output import note, opened
from costmodel.errors import CostModelError
from costmodel.report.table import Column, Table
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.cli.output import Output
    from costmodel_validation.checking import Summary, System
    from costmodel_validation.measurements import Measurement

SCHEMA: Final = "costmodel/validation/1"
_SUMMARY: Final = (
    "Device", "Runtime", "Rows", "Median error", "Within 10 %", "Within 30 %", "Rank corr.",
    "P10 to P90", "Inside", "High/low", "Energy error",
)  # fmt: skip
_ROWS: Final = (
    "Device", "Runtime", "Network", "Batch", "Format", "Measured", "Predicted", "Interval",
    "Meas./pred.", "Inside",
)  # fmt: skip
_FITTED_TITLE: Final = "predicted against measured times"
SUMMARY_NOTES: Final = (
    "P10 to P90: of measured over predicted times",
    "inside: measured times that the interval of the prediction holds; high/low: how wide it is",
    "these are the measurements that were fitted; errors on others: --left-out, costmodel devices",
)


@click.command()
@click.argument("names", nargs=-1, metavar="[DEVICE]...")
@click.option(
    "--measurements", "table", type=click.Path(path_type=Path), metavar="FILE",
    help="Measurements of your own, as a table, instead of those that ship.",
)  # fmt: skip
@click.option("--rows", "with_rows", is_flag=True, help="Show every measurement.")
@click.option(
    "--left-out", "part", type=click.Choice(["networks", "families", "devices"]),
    help="Fit again without some networks, families of networks or devices, and predict these; "
    "takes minutes, and needs SciPy.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="What to write.",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=Path, metavar="FILE", help="Write to a file, in one piece."
)
def validate(
    names: Sequence[str],
    table: Path | None,
    with_rows: bool,  # noqa: FBT001  # click gives it
    part: str | None,
    kind: str,
    path: Path | None,
) -> None:
    """Compare predicted with measured times, for all devices that were measured or for some.

    \b
    costmodel validate
    costmodel validate raspberry-pi-4 --rows
    costmodel validate raspberry-pi-4 --left-out families
    costmodel validate --measurements mine.csv --format json -o checked.json
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    from costmodel import registry  # noqa: PLC0415  # on demand, as all below
    from costmodel_validation.checking import systems  # noqa: PLC0415

    if part is not None and with_rows:
        message = "--left-out has no rows to show; leave out --rows"
        raise click.UsageError(message)
    with opened(path, [table] if table else []) as output:
        if part is not None:
            _show_left_out(_measurements(table), part, names, kind, output)
            return
        found = systems(_measurements(table), registry.installed(), names)
        if kind == "json":
            output.text(json.dumps(as_dict(found), indent=2))
        else:
            notes = SUMMARY_NOTES if table is None else SUMMARY_NOTES[:2]
            summaries = [one.summary for one in found]
            output.tables([rows_table(found) if with_rows else summary_table(summaries, notes)])


def _show_left_out(
    measured: Sequence[Measurement], part: str, names: Sequence[str], kind: str, output: Output
) -> None:
    from costmodel import registry  # noqa: PLC0415  # on demand, as all below
    from costmodel_validation.fits.fit_file import need_scipy  # noqa: PLC0415
    from costmodel_validation.fits.leaving_out import left_out_summaries  # noqa: PLC0415

    need_scipy("costmodel validate --left-out")
    summaries = []
    for one in left_out_summaries(measured, registry.installed(), part, names):
        note(f"{one.device} under {one.runtime}: {one.median_error:.0%}")
        summaries.append(one)
    if kind == "json":
        listed = [one.to_dict() for one in summaries]
        output.text(json.dumps({"schema": SCHEMA, "left_out": part, "systems": listed}, indent=2))
    else:
        title = f"predicted against measured times of {part} left out of the fit"
        if not summaries:
            output.prose(f"too few {part} were measured to leave any out")
            return
        output.tables([summary_table(summaries, SUMMARY_NOTES[:2], title)])


def _measurements(table: Path | None) -> Sequence[Measurement]:
    from costmodel_validation.measurements import (  # noqa: PLC0415  # on demand
        read_measurements,
        shipped_measurements,
    )

    if table is None:
        return shipped_measurements()
    found = read_measurements(table)
    for one in found:
        if not (one.device and one.runtime):
            message = f"{table}: expected a device and a runtime in every row, for {one.network!r}"
            raise CostModelError(message)
    return found


def as_dict(found: Sequence[System]) -> dict[str, Any]:
    """All systems as plain values."""
    listed = [
        {**one.summary.to_dict(), "measurements": [row.to_dict() for row in one.rows]}
        for one in found
    ]
    return {"schema": SCHEMA, "systems": listed}


def summary_table(
    found: Iterable[Summary], notes: Sequence[str], title: str = _FITTED_TITLE
) -> Table:
    """A row for each device and runtime."""
    columns = [Column(title, numeric=place > 1) for place, title in enumerate(_SUMMARY)]
    rows = []
    for one in found:
        rank, energy = one.rank_correlation, one.median_energy_error
        rows.append((
            one.device, one.runtime, str(one.rows), f"{one.median_error:.0%}",
            f"{one.within_10_percent:.0%}", f"{one.within_30_percent:.0%}",
            "" if rank is None else f"{rank:.2f}", f"{one.p10:.2f} to {one.p90:.2f}",
            f"{one.inside:.0%}", f"{one.interval:.1f}",
            "" if energy is None else f"{energy:.0%}",
        ))  # fmt: skip
    return Table(title, columns, rows, notes=notes)


def rows_table(found: Iterable[System]) -> Table:
    """A row for each measurement."""
    columns = [Column(title, numeric=place > 4) for place, title in enumerate(_ROWS)]  # noqa: PLR2004  # texts come first
    rows = []
    for system in found:
        for one in system.rows:
            measured = one.measurement
            low, high = (format_quantity(x, "s") for x in (one.seconds_low, one.seconds_high))
            rows.append((
                system.summary.device, system.summary.runtime, measured.network,
                str(measured.scenario.batch), measured.format_name,
                format_quantity(measured.seconds, "s"), format_quantity(one.seconds, "s"),
                f"{low} to {high}", f"{one.ratio:.2f}", "yes" if one.is_inside else "no",
            ))  # fmt: skip
    return Table("predicted against measured times of whole batches", columns, rows)


@click.command()
@click.argument("chip", type=click.Path(path_type=Path), metavar="CHIP.yaml")
@click.argument("table", type=click.Path(path_type=Path), metavar="MEASUREMENTS.csv")
@click.option(
    "--runtime", metavar="NAME",
    help="The name of the runtime; by default the one that the measurements name.",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=Path, metavar="NEW.yaml",
    help="Write there instead of to standard output, in one piece.",
)  # fmt: skip
def fit(chip: Path, table: Path, runtime: str | None, path: Path | None) -> None:
    """Fit a runtime of a processor to measured times, and write its device file.

    CHIP.yaml describes the processor: class processor, peak_rate and a memory with its bandwidth.
    MEASUREMENTS.csv has the columns network, batch, format and latency_ms; runtime, device and
    power_w are read where they are there. A network is the name of one that ships, or the path of
    a Keras file, from the table.

    The new file has the fitted figures, and the error on networks that were left out of the fit.
    It needs SciPy: pip install 'costmodel-nn[fit]'.

    \b
    costmodel fit my-board.yaml mine.csv -o fitted.yaml
    costmodel estimate model.keras -d ./fitted.yaml
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    from costmodel_validation.fits import fit_file  # noqa: PLC0415  # brings NumPy

    with opened(path, [chip, table]) as output:
        made = fit_file.fitted_file(chip, table, runtime)
        output.text(made.text.removesuffix("\n"))
    note(f"{chip.stem}, runtime {made.runtime}: {made.known}")


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--runtime", required=True, help="tensorflow, torch, tflite or onnxruntime.")
@click.option(
    "--format", "number", default="float32", show_default=True, help="The numeric format to run in."
)
@click.option(
    "--batch", "batches", type=click.IntRange(1, 1 << 20), multiple=True, default=[1],
    show_default=True, help="Examples at once. Repeatable.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(0, 1 << 16), default=0,
    help="Threads of the runtime; 0, the default: as many as it likes.",
)  # fmt: skip
@click.option(
    "--repeats", type=click.IntRange(1, 10**6), default=30, show_default=True,
    help="Calls after the warm-up, of which the median counts.",
)  # fmt: skip
@click.option(
    "--device", default="this-machine", show_default=True, help="The name of the machine."
)
@click.option(
    "-o", "--output", "path", type=Path, metavar="FILE", help="Write to a file, in one piece."
)
def measure(  # noqa: PLR0913, PLR0917  # click gives every option by keyword
    models: Sequence[str],
    runtime: str,
    number: str,
    batches: Sequence[int],
    threads: int,
    repeats: int,
    device: str,
    path: Path | None,
) -> None:
    """Measure how long networks take on this machine, as a table for `costmodel fit`.

    MODEL is a Keras file or the name of a network that ships; without any, a suite of 30 networks
    is measured, which takes some minutes. Each network runs in a process of its own, with random
    inputs: after a warm-up the median of many calls counts. The mean power is recorded where the
    system offers it (RAPL, NVML). The file is run by its framework, so measure only what you trust.

    \b
    costmodel measure --runtime tensorflow -o mine.csv
    costmodel measure mine.keras --runtime tflite --format int8 --threads 4 -o mine.csv
    costmodel measure --runtime torch --batch 1 --batch 32 -o mine.csv
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    from costmodel_validation.measuring import runs as measuring  # noqa: PLC0415  # on demand

    conditions = measuring.Conditions(runtime, number, 1, threads, repeats)
    conditions.check()
    networks = list(models) or list(measuring.SUITE)
    rows = []
    with opened(path, [name for name in models if Path(name).is_file()]) as output:
        for each in measuring.every(conditions, batches):
            for one in measuring.measured(networks, each, device, note):
                shown = format_quantity(one.seconds, "s")
                note(f"{one.network}, batch {one.scenario.batch}: {shown}")
                rows.append(one)
        if not rows:
            message = "no network could be measured; the notes say why"
            raise CostModelError(message)
        output.text(measuring.as_table(rows))
