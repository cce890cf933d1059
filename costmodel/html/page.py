"""A report as one HTML file that opens without the network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Final

from costmodel.errors import CostModelError
from costmodel.html.markup import Markup, tag
from costmodel.html.sections import comparison, resource_colours, section
from costmodel.report.explanation import explanation
from costmodel.version import own_version

if TYPE_CHECKING:
    from costmodel.html.sections import Section
    from costmodel.report.estimate_table import Reported

MOST_EXPLANATIONS: Final = 20_000
"""Of layers on devices; of larger reports the costliest layers have one."""


def report(estimates: Sequence[Reported]) -> str:
    """The HTML of a report about estimates, a section for each network.

    Raises:
        CostModelError: there is no estimate.

    """
    if not estimates:
        message = "a report needs at least one estimate"
        raise CostModelError(message)
    own, style = _packaged("script.js"), _packaged("style.css")
    colours = resource_colours(estimates)
    sections = [section(estimate, f"m{place}", colours) for place, estimate in enumerate(estimates)]
    explained = [_explained(one, len(sections)) for one in sections]
    data = {
        "figures": {name: made for one in sections for name, made in one.figures.items()},
        "tables": {one.id: one.table for one in sections},
    }
    policy = (
        f"default-src 'none'; script-src {_hash(own)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = _title(estimates)
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en">',
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("title", f"{title} - costmodel"),
            tag("style", Markup(style)),
        ),
        "<body>",
        _header(sections),
        tag("main", comparison(estimates), [one.body for one in sections], id="main"),
        _footer(),
        _blob("data", json.dumps(data, separators=(",", ":"), allow_nan=False)),
        _blob("explanations", json.dumps(
            {one.id: texts for one, texts in zip(sections, explained, strict=True)}
        )),
        tag("script", Markup(own)),
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def _title(estimates: Sequence[Reported]) -> str:
    return ", ".join(dict.fromkeys(one.network.name for one in estimates))


def _header(sections: Sequence[Section]) -> Markup:
    links = [tag("a", one.name, href=f"#{one.id}") for one in sections]
    several = len(sections) > 1
    return tag(
        "header",
        tag("a", "Skip to the report", href="#main", class_="skip"),
        tag("h1", tag("span", "costmodel", class_="brand"), "report", class_="mark"),
        tag("nav", links, aria_label="Networks") if several else None,
    )


def _footer() -> Markup:
    made = f"Written by costmodel {own_version()}. It loads nothing from the network."
    return tag("footer", tag("p", made))


def _explained(one: Section, sections: int) -> Mapping[str, list[str | None]]:
    """How each layer costs what it does on each device; of many layers, the costliest alone."""
    estimate, most = one.estimate, MOST_EXPLANATIONS // sections // max(len(one.estimate.bills), 1)
    kept = frozenset(one.costliest[:most])
    return {
        name: [
            "\n".join(explanation(bill, line, estimate.scenario)) if place in kept else None
            for place, line in enumerate(bill.lines)
        ]
        for name, bill in estimate.bills.items()
    }


def _blob(name: str, content: str) -> Markup:
    """Data that the script unpacks, compressed and in base64, which has no character to escape."""
    packed = base64.b64encode(gzip.compress(content.encode(), 6, mtime=0)).decode()
    return tag("script", Markup(packed), type="application/gzip", id=f"packed-{name}")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _packaged(name: str) -> str:
    return (resources.files("costmodel.html") / name).read_text(encoding="utf-8")
