"""`costmodel check`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from costmodel.budgets.check import Check, Checking, read_with_devices
from costmodel.cli.commands.estimating import SOURCE, read, read_files, tell_problems
from costmodel.cli.group import AnswerIsNo
from costmodel.cli.options import written
from costmodel.cli.output import append, check_appendable, chosen_format, note, opened
from costmodel.cli.results import write
from costmodel.network.files import holds_network

_EPILOG: Final = (
    f"{SOURCE} Exit status: 0 all limits hold, 1 a limit is broken or unknown, 2 wrong use or "
    "unreadable input."
)


@click.command(epilog=_EPILOG)
@click.argument("model")
@click.option(
    "--budget", "budget_file", type=Path, default=Path("budget.toml"), metavar="FILE",
    show_default=True, help="The limits, the devices and the conditions, in TOML.",
)  # fmt: skip
@click.option(
    "--baseline", type=Path, metavar="FILE",
    help="A saved estimate that growth is measured from, in place of the one that the budget "
    "names; or the JSON of a network, which is estimated alike.",
)  # fmt: skip
@click.option(
    "--update-baseline", is_flag=True,
    help="Write the baseline anew, in one piece; limits on growth then hold by themselves.",
)  # fmt: skip
@click.option(
    "--summary", type=Path, metavar="FILE",
    help='Append the result as Markdown, such as to "$GITHUB_STEP_SUMMARY".',
)  # fmt: skip
@written
def check(
    *,
    model: str,
    budget_file: Path,
    baseline: Path | None,
    update_baseline: bool,
    summary: Path | None,
    form: str | None,
    path: Path | None,
) -> None:
    """Hold a network against a budget: limits on energy, latency, memory, weights and MACs.

    \b
    costmodel check model.keras --budget budget.toml
    costmodel check model.keras --update-baseline
    costmodel check model.keras --summary "$GITHUB_STEP_SUMMARY"
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    form = chosen_format(form, path)
    budget, devices = read_with_devices(budget_file)
    baseline = baseline or budget.baseline
    inputs = read_files([model, str(budget_file)], devices.values())
    files = [*inputs, *([str(baseline)] if baseline else [])]
    if summary is not None:
        outputs = [*files, *([str(path)] if path else [])]
        check_appendable(summary, outputs, "--summary")
    with opened(path, files) as output:
        checking = Checking(read(model), budget, devices=devices)
        if update_baseline:
            _write_baseline(checking, baseline, inputs)
        found = checking.against(baseline)
        write([found], form, output)
    if summary is not None:
        append(summary, found.summary(), files, "--summary")
    tell_problems(checking.estimate)
    _answer(found)


def _write_baseline(checking: Checking, baseline: Path | None, inputs: list[str]) -> None:
    if baseline is not None and holds_network(baseline):
        message = f"--update-baseline would overwrite {baseline}, which holds a network"
        raise click.UsageError(message)
    if baseline is None or str(baseline) == "-":
        message = (
            "--update-baseline needs the name of a file: give --baseline FILE, or in the "
            "budget [baseline] and file = 'baseline.json'"
        )
        raise click.UsageError(message)
    with opened(baseline, inputs, "--baseline") as output:
        output.text(checking.estimate.to_json())
    note(f"note: the baseline {baseline} is written")


def _answer(found: Check) -> None:
    """End with status 1 where a limit does not hold."""
    if not found.is_met:
        count = len(found.failed)
        plural = "limit does" if count == 1 else "limits do"
        message = f"{count} {plural} not hold: {', '.join(one.limit.name for one in found.failed)}"
        raise AnswerIsNo(message)
