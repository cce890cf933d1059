"""One screen about an estimate: what each device takes, and which parts dominate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from costmodel.report import ignored
from costmodel.report.breakdown import blocks_of, breakdown_table
from costmodel.report.columns import MANY, TOTAL, least, totals
from costmodel.report.estimate_table import (
    assumed,
    changed,
    conditions,
    listed_reasons,
    macs_known,
    not_modelled,
    parameters_known,
    shaped,
    unfit,
)
from costmodel.report.table import Column, Table
from costmodel.units import format_count, format_quantity

if TYPE_CHECKING:
    from costmodel.report.bills import Bill
    from costmodel.report.estimate_table import Reported

LARGEST: Final = 5
"""Of so many parts the share is shown."""
_FEWEST_BLOCKS: Final = 3
"""With fewer, the kinds of layers say more."""
_LEFT_OUT: Final = (": read", ": written", ": read, written")
"""Rows of totals that `--layers` shows alone."""


def summary(estimate: Reported) -> tuple[Table, Table]:
    """What each device takes, and the largest parts of the network."""
    notes = tuple(_notes(estimate))
    largest = breakdown_table(estimate, grouping(estimate), top=LARGEST)
    return _totals(estimate), Table(
        largest.title, largest.columns, largest.rows, notes=(*largest.notes, *notes)
    )


def grouping(estimate: Reported) -> str:
    """By what the layers of a network are best grouped: its blocks, if names tell some.

    A block has layers of several kinds: `batch` of `batch_normalization_1` is none.
    """
    kinds = {lowered.layer.name: lowered.layer.kind for lowered in estimate.lowered}
    within: dict[str, list[str]] = {}
    for name, block in blocks_of(list(kinds)).items():
        within.setdefault(block, []).append(kinds[name])
    real = [inside for inside in within.values() if len(set(inside)) > 1]
    covered = sum(map(len, real))
    return "block" if len(real) >= _FEWEST_BLOCKS and 2 * covered >= len(kinds) else "kind"


def _totals(estimate: Reported) -> Table:
    bills = list(estimate.bills.values())
    names = [bill.device.name for bill in bills]
    columns = [Column(""), *(Column(name, numeric=True, group=name) for name in names)]
    rows = [
        (title.replace(TOTAL, "Energy"), *map(text_of, bills))
        for title, text_of in totals(bills).items()
        if not title.endswith(_LEFT_OUT)
    ]
    return Table(f"{estimate.network.name}: {_work(estimate, bills)}", columns, rows)


def _work(estimate: Reported, bills: Sequence[Bill]) -> str:
    """What is computed, under which conditions."""
    macs = f"{least(macs_known(estimate))}{format_count(estimate.macs)}"
    count = format_count(estimate.network.parameter_count)
    weights = format_quantity(bills[0].evaluation.weight_bytes, "B") if bills else ""
    parts = [
        f"{macs} MACs",
        f"{least(parameters_known(estimate))}{count} parameters",
        f"{weights} of weights" if weights else "",
        conditions(estimate.scenario),
        f"convention {estimate.convention.name}",
    ]
    return ", ".join(filter(None, parts))


def _notes(estimate: Reported) -> Iterator[str]:
    for name, bill in estimate.bills.items():
        reasons = listed_reasons(shaped(bill, bill.coverage.unpriced))
        yield from (f"unpriced on {name}: {line}" for line in reasons)
        if bill.evaluation.unknown_static:
            yield f"energy on {name}: {bill.evaluation.unknown_static}"
        yield from unfit(bill)
    yield from _free(estimate)
    yield from ignored.notes(estimate.bills.values(), estimate.scenario)
    yield from changed(bill.device for bill in estimate.bills.values())
    yield from assumed(estimate.bills.values())
    yield from not_modelled(bill.device for bill in estimate.bills.values())
    yield from estimate.problems
    if len(estimate.bills) < MANY:
        yield "all layers: --layers; the largest: --top 10; other groups: --group-by"


def _free(estimate: Reported) -> Iterator[str]:
    """How many layers are free or fused, by device."""
    counted: dict[str, list[str]] = {}
    for name, bill in estimate.bills.items():
        free = sum(bool(line.free) and not line.unpriced for line in bill.lines)
        fused = sum(bool(line.fused_into) for line in bill.lines)
        parts = [f"{free} free with a reason" if free else "", f"{fused} fused" if fused else ""]
        if any(parts):
            shown = f"{' and '.join(filter(None, parts))} of {len(bill.lines)} layers"
            counted.setdefault(shown, []).append(name)
    for shown, names in counted.items():
        yield f"{shown} on {', '.join(names)}"
