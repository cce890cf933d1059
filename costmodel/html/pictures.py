"""Figures of a report alone: for notebooks, and as pictures for slides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import UnknownNameError
from costmodel.html import charts, library
from costmodel.html.data import layer_rows, measures_of, tree
from costmodel.html.sections import resource_colours, section

if TYPE_CHECKING:
    from costmodel.estimates.sensitivity import Sensitivity
    from costmodel.report.estimate_table import Reported


def plot(estimate: Reported, device: str | None = None, measure: str | None = None) -> Any:
    """A plotly figure of where a measure goes, by block and layer, on the first or one device.

    Raises:
        UnknownNameError: no such device, or it does not model the measure.
        CostModelError: plotly is not installed.

    """
    return library.figure(_icicle(estimate, device, measure))


def picture(estimate: Reported, form: str) -> bytes:
    """A picture of where time, or else energy, goes on the first device: "svg", "png" or "pdf".

    Raises:
        CostModelError: what draws it is not installed.

    """
    return library.picture(_titled(_icicle(estimate, None, None), estimate), form)


def plot_sensitivity(found: Sensitivity) -> Any:
    """A plotly figure of which figures of a device change a total most.

    Raises:
        CostModelError: plotly is not installed.

    """
    return library.figure(charts.tornado(found))


def picture_sensitivity(found: Sensitivity, form: str) -> bytes:
    """The same as a picture: "svg", "png" or "pdf".

    Raises:
        CostModelError: what draws it is not installed.

    """
    return library.picture(charts.tornado(found), form)


def export(estimates: Sequence[Reported], folder: Path) -> int:
    """Write all figures of a report into a folder, as SVG and PNG; the number of files.

    Raises:
        CostModelError: what writes them is not installed.

    """
    figures: dict[Path, Mapping[str, Any]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    colours = resource_colours(estimates)
    for place, estimate in enumerate(estimates):
        prefix = f"m{place}"
        for name, made in section(estimate, prefix, colours).figures.items():
            named = _with_device(name.removeprefix(f"{prefix}-"), list(estimate.bills))
            stem = _file_name(f"{estimate.network.name}-{named}")
            alone = _titled(made, estimate)
            figures |= {folder / f"{stem}{suffix}": alone for suffix in (".svg", ".png")}
    library.write_pictures(figures)
    return len(figures)


def _with_device(name: str, devices: Sequence[str]) -> str:
    """The name of a figure with the name of its device in place of its number."""
    return re.sub(r"^([a-z]+)-(\d+)", lambda found: f"{found[1]}-{devices[int(found[2])]}", name)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip(".")


def _icicle(estimate: Reported, device: str | None, measure: str | None) -> charts.Figure:
    name = next(iter(estimate.bills)) if device is None else device
    if name not in estimate.bills:
        raise UnknownNameError(name, estimate.bills, "device of this estimate")
    known = measures_of(estimate, name)
    if measure is not None and measure not in known:
        raise UnknownNameError(measure, known, f"measure of {name}")
    rows = layer_rows(estimate)
    nodes = tree(estimate.network.name, [row.name for row in rows])
    return charts.icicle(nodes, rows, name, measure or known[0])


_TITLE, _NAMES, _KEYS = 40, 44, 56
"""Pixels for a title, for names between it and the figure, and for the keys of an icicle."""


def _titled(made: charts.Figure, estimate: Reported) -> charts.Figure:
    """The figure with what stands around it in a report: its title, and the kinds of layers."""
    layout, meta = made["layout"], made["layout"]["meta"]
    keys = [
        {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "name": names,
         "marker": {"color": fill, "symbol": "square", "size": 12}}
        for fill, names in meta.get("legend", ())
    ]  # fmt: skip
    above = _TITLE + (_NAMES if "legend" in layout else 0)
    margin = {
        **layout["margin"], "t": layout["margin"]["t"] + above,
        "b": layout["margin"]["b"] + (_KEYS if keys else 0),
    }  # fmt: skip
    title = charts.plain(f"{estimate.network.name}: {meta['title']}")
    around = {
        "title": {"text": title, "x": 0.01, "y": 1.0, "yanchor": "top", "yref": "container",
                  "pad": {"t": 14}, "font": {"size": 17}},
        "margin": margin, "height": layout["height"] + above + (_KEYS if keys else 0),
    }  # fmt: skip
    if keys:
        hidden = {"visible": False}
        legend = {"orientation": "h", "x": 0, "y": -0.01, "yanchor": "top"}
        around |= {"legend": legend, "xaxis": hidden, "yaxis": hidden}
    return {"data": [*made["data"], *keys], "layout": {**layout, **around}}
