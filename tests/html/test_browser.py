"""A report in a real browser: nothing is asked of the network, and what is clicked works."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reports import CHROMIUM, HOSTILE, chain, of, page

from costmodel.html.page import report

MANY = 2000
EXPLAINED = ".explain pre:not(:empty)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # it may not be installed

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 2,000 layers, one of them with a hostile name."""
    names = [f"block_{place // 10}_dense_{place}" for place in range(MANY - 2)]
    path = tmp_path_factory.mktemp("large") / "report.html"
    estimates = [of(chain([*names, HOSTILE]), "raspberry-pi-4", "horowitz-45nm")]
    path.write_text(report(estimates), encoding="utf-8")
    return path


class Opened:
    """A page in the browser, with what went wrong in it and what it asked for."""

    def __init__(self, browser: Any, file: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message) or dialog.dismiss())
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-ready=true]")

    def scrolled(self) -> Any:
        """The page once every figure came into view."""
        for plot in self.page.query_selector_all(".plot"):
            plot.scroll_into_view_if_needed()
            plot.wait_for_selector("svg")
        return self.page

    def column(self, place: int) -> list[str]:
        cells = f"#m0-layers tr.row > :nth-child({place})"
        return self.page.eval_on_selector_all(cells, "(all) => all.map((one) => one.textContent)")

    def check_silent(self) -> None:
        """Nothing was said, and nothing but the file itself was asked for."""
        asked = [url for url in self.asked if not url.startswith(("file:", "blob:", "data:"))]
        assert (self.said, asked) == ([], [])
        self.context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_shows_everything_and_asks_for_nothing(
    browser: Any, file: Path, width: int, scheme: str
) -> None:
    opened = Opened(browser, file, width, scheme)
    shown = opened.scrolled()
    plots = shown.query_selector_all(".plot")
    assert len(plots) == 1 + 2 + 3 + 4  # icicle, bars, rooflines, memories
    assert all(plot.query_selector(".trace, .slice") for plot in plots)
    for plot in plots:
        box = plot.bounding_box()
        for text in plot.query_selector_all("text"):
            inner = text.bounding_box()
            assert box["x"] - 1 <= inner["x"], text.text_content()
            assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1, text.text_content()
    assert len(shown.query_selector_all(".cards .card")) == 4
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    opened.check_silent()


def test_dark_pages_are_dark(browser: Any, file: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        opened = Opened(browser, file, scheme=scheme)
        ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds.append(int(ground.removeprefix("rgb(").partition(",")[0]))
        opened.check_silent()
    assert grounds[0] > 200
    assert grounds[1] < 50


def test_a_title_sorts_the_layers_both_ways(browser: Any, file: Path) -> None:
    opened = Opened(browser, file)
    names = opened.column(1)
    opened.page.click("#m0-layers thead button:has-text('rtx-4090')")
    largest = opened.column(1)
    assert sorted(largest) == sorted(names)
    assert largest != names
    heading = opened.page.query_selector("#m0-layers th[aria-sort=descending]")
    assert heading.text_content() == "rtx-4090"
    opened.page.click("#m0-layers thead button:has-text('Layer')")
    assert opened.column(1) == sorted(names, key=str.lower)
    opened.check_silent()


def test_a_layer_shows_its_explanation_by_click_and_by_key(browser: Any, file: Path) -> None:
    opened = Opened(browser, file)
    row = opened.page.locator("#m0-layers tr.row", has_text="conv2d").first
    row.click()
    text = opened.page.locator(".explain pre")
    text.wait_for()
    opened.page.wait_for_selector(EXPLAINED)
    assert "on raspberry-pi-4" in text.text_content()
    assert "peak_rate.float32" in text.text_content()
    opened.page.click(".explain [role=tab]:has-text('horowitz-45nm')")
    opened.page.wait_for_selector(f"{EXPLAINED}:has-text('on horowitz-45nm')")
    button = row.locator("button")
    assert button.get_attribute("aria-expanded") == "true"
    button.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator(".explain").count() == 0
    opened.check_silent()


def test_a_word_filters_the_layers(browser: Any, file: Path) -> None:
    opened = Opened(browser, file)
    opened.page.fill("#m0-filter", "dense")
    assert all("dense" in name for name in opened.column(1))
    assert "of" in opened.page.text_content("#m0-count")
    opened.check_silent()


def test_the_icicle_follows_device_and_measure(browser: Any, file: Path) -> None:
    opened = Opened(browser, file)
    opened.scrolled()
    icicle = opened.page.locator("[data-icicle] svg")
    assert icicle.get_attribute("aria-label") == "Time on raspberry-pi-4"
    opened.page.select_option("#m0-device", label="horowitz-45nm")
    opened.page.wait_for_selector("[data-icicle] svg[aria-label='Energy on horowitz-45nm']")
    assert opened.page.query_selector("#m0-measure option[value=time]").is_disabled()
    opened.page.select_option("#m0-measure", label="MACs")
    opened.page.wait_for_selector("[data-icicle] svg[aria-label='MACs on horowitz-45nm']")
    opened.check_silent()


def test_a_block_is_enlarged_by_click(browser: Any, large: Path) -> None:
    opened = Opened(browser, large)
    opened.scrolled()
    block = opened.page.locator("[data-icicle] .slice[data-id='block block_3']")
    name, small = block.get_attribute("data-id"), block.bounding_box()["height"]
    block.click()
    enlarged = opened.page.locator("[data-icicle] .slice").first
    assert enlarged.get_attribute("data-id") == name
    assert enlarged.bounding_box()["height"] > 2 * small
    opened.page.locator("[data-icicle] .way").first.click()
    whole = opened.page.locator("[data-icicle] .slice").first
    assert whole.get_attribute("data-id") == "network"
    opened.check_silent()


def test_the_icicle_is_operated_by_keys(browser: Any, large: Path) -> None:
    opened = Opened(browser, large)
    opened.scrolled()

    def at() -> str:
        found: str = opened.page.evaluate("document.activeElement.dataset.id")
        return found

    opened.page.locator("#m0-measure").focus()
    opened.page.keyboard.press("Tab")
    assert at() == "network"
    assert opened.page.is_visible(".tip")
    opened.page.keyboard.press("ArrowRight")
    first = at()
    opened.page.keyboard.press("ArrowDown")
    second = at()
    assert len({"network", first, second}) == 3
    opened.page.keyboard.press("ArrowUp")
    assert at() == first
    opened.page.keyboard.press("ArrowDown")
    opened.page.keyboard.press("Enter")
    assert at() == second
    assert opened.page.locator("[data-icicle] .slice").first.get_attribute("data-id") == second
    opened.page.keyboard.press("ArrowRight")
    inner = opened.page.evaluate("document.activeElement.getAttribute('aria-level')")
    assert inner == "2"
    opened.page.keyboard.press("Escape")
    assert at() == "network"
    opened.check_silent()


def test_what_lies_below_the_pointer_is_named_with_its_cost(browser: Any, file: Path) -> None:
    opened = Opened(browser, file)
    opened.scrolled()
    for selector, words in (
        ("[data-icicle] .slice:last-of-type rect", "of the network"),
        ("[data-figure=m0-bars-time] .trace rect", "%"),
        ("[data-figure=m0-roof-0] path[data-tip]", "OP/s"),
        ("[data-figure=m0-memory-0-0] rect[data-tip]", "held, from"),
    ):
        opened.page.locator(selector).first.scroll_into_view_if_needed()
        opened.page.locator(selector).first.hover(force=True)
        assert opened.page.is_visible(".tip"), selector
        assert words in opened.page.text_content(".tip")
    opened.check_silent()


def test_a_figure_is_saved_as_a_file_of_its_own(browser: Any, file: Path, tmp_path: Path) -> None:
    opened = Opened(browser, file)
    opened.scrolled()
    for place in range(opened.page.locator(".save").count()):
        with opened.page.expect_download() as waiting:
            opened.page.locator(".save").nth(place).click()
        saved = tmp_path / f"{place}.svg"
        waiting.value.save_as(saved)
        assert "var(" not in saved.read_text(encoding="utf-8")
        shown = opened.context.new_page()
        shown.goto(saved.as_uri())
        assert shown.evaluate("document.documentElement.tagName") == "svg"
        assert shown.query_selector("parsererror") is None
        shown.close()
    opened.check_silent()


def test_2000_layers_are_sorted_filtered_and_shown(browser: Any, large: Path) -> None:
    assert large.stat().st_size < 6_000_000
    opened = Opened(browser, large)
    opened.page.set_default_timeout(20_000)
    opened.page.click("#m0-layers thead button:has-text('horowitz-45nm')")
    assert len(opened.column(1)) == 200
    opened.page.click(".more")
    assert len(opened.column(1)) == MANY
    opened.page.click("#m0-layers thead button:has-text('Layer')")
    opened.page.fill("#m0-filter", "script")
    assert opened.column(1) == [HOSTILE]
    opened.page.click("#m0-layers tr.row")
    opened.page.wait_for_selector(EXPLAINED)
    opened.check_silent()


def test_paper_shows_all_layers_and_no_controls(browser: Any, file: Path) -> None:
    opened = Opened(browser, file, scheme="dark")
    opened.page.emulate_media(media="print")
    assert not opened.page.is_visible("#m0-filter")
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    opened.page.set_viewport_size({"width": 718, "height": 1016})  # A4 without its margins
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 718
    assert len(opened.page.pdf()) > 10_000
    opened.check_silent()


@pytest.mark.parametrize("width", [1280, 390])
def test_several_networks_at_a_glance_are_shown_whole(
    browser: Any, tmp_path: Path, width: int
) -> None:
    names = ("raspberry-pi-4", "rtx-4090", "xeon-platinum-8480plus")
    made = [of(chain(["a", "b"], network=name), *names) for name in ("one", "two", "three")]
    path = tmp_path / "report.html"
    path.write_text(report(made), encoding="utf-8")
    opened = Opened(browser, path, width)
    boxes = opened.page.query_selector_all(".card .scroll")
    assert len(boxes) == 3
    for box in boxes:
        assert box.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0
    opened.check_silent()
