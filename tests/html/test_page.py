"""The file of a report: its structure, its escaping and what it may do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from reports import CHROMIUM, DEVICES, EXAMPLES, HOSTILE, chain, of, page, vgg9

from costmodel import CostModelError
from costmodel.cli import main
from costmodel.html.page import report

VOID = {"meta", "input", "br"}
LOADING = {"src", "href", "srcset", "action", "data", "poster", "background"}


class Reading(HTMLParser):
    """Checks that elements nest, and keeps them with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))


def unpacked(text: str, name: str) -> Any:
    (packed,) = re.findall(rf'id="packed-{name}">([^<]+)</script>', text)
    return gzip.decompress(base64.b64decode(packed)).decode()


def test_the_elements_of_a_page_nest() -> None:
    Reading(page())


def test_a_page_loads_nothing() -> None:
    for tag, attributes in Reading(page()).elements:
        for name in LOADING & attributes.keys():
            assert (attributes[name] or "").startswith("#"), (tag, name)
    (style,) = [text for tag, text in Reading(page()).texts if tag == "style"]
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_the_one_script_and_nothing_else() -> None:
    elements = Reading(page()).elements
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    (own,) = re.findall(r"<script>(.*?)</script>", page(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert scripts == f"'sha256-{digest}'"


def test_a_page_is_small() -> None:
    assert len(page()) < 200_000


def test_a_page_is_the_same_each_time() -> None:
    assert report([vgg9()]) == page()


def test_names_of_strangers_are_no_markup() -> None:
    made = report([of(chain([HOSTILE, "b"], network="<img src=x onerror=alert(2)>"), "rtx-4090")])
    assert HOSTILE not in made
    assert "<img" not in made
    assert HOSTILE not in vgg9_like_light(HOSTILE)
    tables = json.loads(unpacked(made, "data"))["tables"]
    assert [row[0] for row in tables["m0"]["rows"]] == ["input", HOSTILE, "b"]


def vgg9_like_light(name: str) -> str:
    return of(chain([name]), "rtx-4090")._repr_html_()


def test_every_layer_is_explained_on_every_device() -> None:
    explained = json.loads(unpacked(page(), "explanations"))["m0"]
    assert explained.keys() == set(DEVICES)
    for device, texts in explained.items():
        for lowered, text in zip(vgg9().lowered, texts, strict=True):
            assert text == vgg9().explain(lowered.layer.name, device)


def test_of_many_layers_the_costliest_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costmodel.html.page.MOST_EXPLANATIONS", 8)
    explained = json.loads(unpacked(report([vgg9()]), "explanations"))["m0"]
    assert [sum(text is not None for text in texts) for texts in explained.values()] == [2] * 4


def test_every_figure_has_a_place_and_words() -> None:
    elements = Reading(page()).elements
    figures = json.loads(unpacked(page(), "data"))["figures"]
    named = {attributes["data-figure"] for _, attributes in elements if "data-figure" in attributes}
    assert named == {name for name in figures if "icicle" not in name}
    for _, attributes in elements:
        if "plot" in (attributes.get("class") or "").split():
            assert attributes["role"] == ("group" if "data-icicle" in attributes else "img")
            assert attributes["aria-label"]


def test_the_page_says_what_is_not_shown_and_why() -> None:
    texts = " ".join(text for _, text in Reading(page()).texts)
    assert "Not shown: horowitz-45nm does not model time." in texts
    assert "horowitz-45nm has no memories of its own" in texts
    assert "Does not fit" in texts


def test_headings_do_not_skip_a_level() -> None:
    levels = [int(tag[1]) for tag, _ in Reading(page()).elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_several_networks_are_compared_at_the_top() -> None:
    made = report([vgg9(), of(chain(["a", "b"]), *DEVICES)])
    ids = [attributes.get("id") for tag, attributes in Reading(made).elements if tag == "section"]
    assert [one for one in ids if one] == ["m0", "m1"]
    assert "At a glance" in made


def test_a_report_needs_an_estimate() -> None:
    with pytest.raises(CostModelError, match="at least one estimate"):
        report([])


def test_an_estimate_writes_its_report(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert vgg9().to_html(file) == file.read_text(encoding="utf-8") == page()


def test_a_notebook_shows_the_summary_without_scripts() -> None:
    made = vgg9()._repr_html_()
    Reading(made)
    assert "<script" not in made
    assert len(made) < 20_000
    assert "rtx-4090" in made


# ------------------------------------------------------------------ the command


def command(*options: str | Path) -> Any:
    return CliRunner().invoke(main, ["report", str(EXAMPLES / "vgg9.json"), *map(str, options)])


def test_the_command_writes_a_report(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    done = command("-d", "raspberry-pi-4,horowitz-45nm", "-o", file)
    assert done.exit_code == 0, done.output
    assert file.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-d", "cpu"], "give -o FILE.html, or --export FOLDER"),
        (["-d", "cpu", "-o", "report.docx"], "unknown output format '.docx'"),
        (["-o", "report.html"], "give a device"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str) -> None:
    done = command(*options)
    assert done.exit_code == 2
    assert message in done.output


def test_a_picture_shows_one_model(tmp_path: Path) -> None:
    done = command(EXAMPLES / "alexnet.json", "-d", "cpu", "-o", tmp_path / "two.svg")
    assert done.exit_code == 2
    assert "a picture shows one model" in done.output


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_command_writes_pictures(tmp_path: Path) -> None:
    done = command("-d", "horowitz-45nm", "-o", tmp_path / "one.svg", "--export", tmp_path)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "one.svg").read_text().startswith("<svg")
    assert {path.name for path in tmp_path.glob("*-bars-*")} == {
        "vgg9-bars-energy.svg", "vgg9-bars-energy.png",
    }  # fmt: skip
    assert (tmp_path / "vgg9-icicle-horowitz-45nm-energy.png").read_bytes().startswith(b"\x89PNG")
