"""What the extra `report` brings: plotly, and the pictures that kaleido writes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import CostModelError
from costmodel.packages import needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

EXTRA: Final = "report"
PICTURES: Final = (".svg", ".png", ".pdf")
"""How the names of pictures end."""
_OF_CHROME: Final = re.compile("chrom|browser", re.IGNORECASE)
_WIDTH, _SCALE = 960, 2


def figure(made: Mapping[str, Any]) -> Any:
    """A `plotly.graph_objects.Figure` of a figure in JSON.

    Raises:
        CostModelError: plotly is not installed.

    """
    plotly = needed("a figure", "plotly.graph_objects", extra=EXTRA)
    return plotly.Figure(dict(made))


def picture(made: Mapping[str, Any], form: str) -> bytes:
    """A figure as a picture: "svg", "png" or "pdf".

    Raises:
        CostModelError: plotly, kaleido or Chrome is not installed.

    """
    needed("a picture", "kaleido", extra=EXTRA)
    drawn, height = figure(_for_paper(made)), made["layout"]["height"]
    with _chrome():
        found: bytes = drawn.to_image(form, width=_WIDTH, height=height, scale=_SCALE)
    return found


def write_pictures(figures: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write figures as pictures, each in the format that its name ends in.

    Raises:
        CostModelError: plotly, kaleido or Chrome is not installed.

    """
    needed("a picture", "kaleido", extra=EXTRA)
    made = [figure(_for_paper(one)) for one in figures.values()]
    heights = [one["layout"]["height"] for one in figures.values()]
    with _chrome():
        import_module("plotly.io").write_images(
            made, list(figures), width=_WIDTH, height=heights, scale=_SCALE
        )


@contextmanager
def _chrome() -> Iterator[None]:
    """Say of a browser that is missing or fails what a picture needs."""
    try:
        yield
    except Exception as error:
        name = type(error).__name__
        if not _OF_CHROME.search(f"{name} {error}"):
            raise
        message = f"a picture needs Chrome or Chromium, which is missing or does not start ({name})"
        raise CostModelError(message) from None


def _for_paper(made: Mapping[str, Any]) -> dict[str, Any]:
    layout = {
        "template": "plotly_white",
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 13, "color": "#14181f"},
        **made["layout"],
    }
    return {"data": made["data"], "layout": layout}
