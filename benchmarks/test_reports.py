"""How soon a report shows its first chart in a browser; nothing fails on a clock.

Run with: pytest benchmarks/test_reports.py
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from reports import CHROMIUM, chain, of, page

from costmodel.html.page import report

LAYERS = {"vgg9": 9, "chain": 2000}
WATCH = (
    "const look = () => document.querySelector('[data-icicle] svg')"
    " ? window.seen = performance.now() : requestAnimationFrame(look);"
    "requestAnimationFrame(look);"
)


def pages(name: str) -> str:
    """VGG9 on four devices, or a chain of 2,000 layers on two."""
    if name == "vgg9":
        return page()
    names = [f"block_{place // 10}_dense_{place}" for place in range(LAYERS[name])]
    return report([of(chain(names), "raspberry-pi-4", "horowitz-45nm")])


@pytest.mark.parametrize("name", LAYERS)
def test_first_chart(benchmark: Any, name: str, tmp_path: Path) -> None:
    """A round opens the page in a new context; the browser's clock is the figure."""
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    file = tmp_path / "report.html"
    file.write_text(pages(name), encoding="utf-8")
    milliseconds = []
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def show() -> None:
            context = browser.new_context(viewport={"width": 1280, "height": 1400})
            opened = context.new_page()
            opened.add_init_script(WATCH)
            opened.goto(file.as_uri())
            opened.wait_for_selector("[data-icicle] svg")
            opened.wait_for_timeout(100)
            milliseconds.append(opened.evaluate("window.seen"))
            context.close()

        benchmark.pedantic(show, rounds=5)
        browser.close()
    benchmark.extra_info["milliseconds_to_the_first_chart"] = statistics.median(milliseconds)
