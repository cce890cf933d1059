"""Figures of a report alone: for notebooks, and as pictures for slides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.html import charts, library
from costmodel.html.data import layer_rows, tree
from costmodel.html.sections import section
from costmodel.report.columns import is_timed

if TYPE_CHECKING:
    from costmodel.report.estimate_table import Reported


def plot(estimate: Reported, device: str | None = None, measure: str | None = None) -> Any:
    """A plotly figure of where a measure goes, by block and layer, on the first or one device.

    Raises:
        CostModelError: plotly is not installed.

    """
    return library.figure(_icicle(estimate, device, measure))


def picture(estimate: Reported, path: Path) -> None:
    """Write where time, or else energy, goes on the first device as a picture.

    Raises:
        CostModelError: what writes it is not installed, or the name ends in another way.

    """
    library.write_pictures({path: _icicle(estimate, None, None)})


def export(estimates: Sequence[Reported], folder: Path) -> int:
    """Write all figures of a report into a folder, as SVG and PNG; the number of files.

    Raises:
        CostModelError: what writes them is not installed.

    """
    figures: dict[Path, Mapping[str, Any]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for place, estimate in enumerate(estimates):
        prefix = f"m{place}"
        for name, made in section(estimate, prefix).figures.items():
            stem = _file_name(f"{estimate.network.name}-{name.removeprefix(f'{prefix}-')}")
            figures |= {folder / f"{stem}{suffix}": made for suffix in (".svg", ".png")}
    library.write_pictures(figures)
    return len(figures)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip(".")


def _icicle(estimate: Reported, device: str | None, measure: str | None) -> charts.Figure:
    name = next(iter(estimate.bills)) if device is None else device
    rows = layer_rows(estimate)
    nodes = tree(estimate.network.name, [row.name for row in rows])
    shown = measure or ("time" if is_timed(estimate.bills[name]) else "energy")
    return charts.icicle(nodes, rows, name, shown, charts.kind_fills(rows))
