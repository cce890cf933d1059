"""What the extra `report` brings: plotly, and the pictures that kaleido writes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

EXTRA: Final = "pip install 'costmodel-nn[report]'"
PICTURES: Final = (".svg", ".png", ".pdf")
"""How the names of pictures end."""
_OF_CHROME: Final = re.compile("chrom|browser", re.IGNORECASE)
_WIDTH, _SCALE = 960, 2


def figure(made: Mapping[str, Any]) -> Any:
    """A `plotly.graph_objects.Figure` of a figure in JSON.

    Raises:
        CostModelError: plotly is not installed.

    """
    _check("plotly", "a figure")
    return import_module("plotly.graph_objects").Figure(dict(made))


def picture(made: Mapping[str, Any], form: str) -> bytes:
    """A figure as a picture: "svg", "png" or "pdf".

    Raises:
        CostModelError: plotly, kaleido or Chrome is not installed.

    """
    _check("kaleido", "a picture")
    drawn, height = figure(_for_paper(made)), made["layout"]["height"]
    with _chrome():
        found: bytes = drawn.to_image(form, width=_WIDTH, height=height, scale=_SCALE)
    return found


def write_pictures(figures: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write figures as pictures, each in the format that its name ends in.

    Raises:
        CostModelError: plotly, kaleido or Chrome is not installed.

    """
    _check("kaleido", "a picture")
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


def _check(package: str, what: str) -> None:
    if find_spec(package) is None:
        message = f"{what} needs {package}, which is not installed: {EXTRA}"
        raise CostModelError(message)
