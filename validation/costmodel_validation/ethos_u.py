"""An Ethos-U beside the estimates of Arm's compiler: every case, and the tables of the pages."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from costmodel import Network, registry
from costmodel_hardware.ethos_u.check import (
    Compared,
    compared_networks,
    compared_operations,
    read_file,
    summary,
)

COLUMNS: Final = (
    "part",
    "name",
    "accelerator",
    "runtime",
    "core",
    "cases",
    "vela",
    "predicted",
    "ratio",
)


def parts(golden: Path) -> dict[str, list[Compared]]:
    """The cases that are compared, by part.

    The folder has `vela.json.gz` and `vela_more.json.gz`, results of the compiler, and
    `vela_networks.json.gz`, the networks by the names of their files.
    """
    rules = registry.installed().layer_registry
    networks = {
        name: Network.from_dict(raw, rules)
        for name, raw in read_file(golden / "vela_networks.json.gz").items()
    }
    given, more = (read_file(golden / f"{name}.json.gz") for name in ("vela", "vela_more"))
    of_given = compared_networks(given, networks)
    return {
        "operation": compared_operations(given),
        "network": [one for one in of_given if one.core == "regor"],
        "legacy": [one for one in of_given if one.core == "legacy"],
        "more": compared_networks(more, networks),
    }


def text_of(found: dict[str, list[Compared]]) -> str:
    """The table: each case of a network, and of operations the median by kind."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, count, median, least, most in summary(found["operation"]):
        writer.writerow([
            "operation", name, "all", f"median error {median:.4f}", "regor", count, "",
            f"{least:.3f} to {most:.3f}", "",
        ])  # fmt: skip
    for part in ("network", "legacy", "more"):
        for one in found[part]:
            writer.writerow([
                part, one.name, one.accelerator, one.runtime, one.core, 1,
                f"{one.expected:.0f}", f"{one.predicted:.0f}",
                f"{one.predicted / one.expected:.3f}",
            ])  # fmt: skip
    return written.getvalue()


def tables(found: dict[str, list[Compared]]) -> str:
    """The tables of the documentation."""
    return "\n".join([
        *_table("operation", found["operation"]), "",
        *_table("network", [*found["network"], *found["more"]]),
    ])  # fmt: skip


def _table(what: str, compared: Sequence[Compared]) -> Iterable[str]:
    yield f"| {what} | cases | median error | predicted over Vela's cycles |"
    yield "|---|---|---|---|"
    for name, count, median, least, most in summary(compared):
        yield f"| {name} | {count} | {median:.1%} | {least:.2f} to {most:.2f} |"
    errors = [one.error for one in compared]
    yield f"| all | {len(errors)} | {statistics.median(errors):.1%} | |"
