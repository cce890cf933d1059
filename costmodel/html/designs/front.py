"""A Pareto front as one HTML file without scripts: a plot of two objectives, and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import frozen

from costmodel.html.markup import Markup, table, tag
from costmodel.optimize.fronts import choices_of, title
from costmodel.sweeps.table import COSTS
from costmodel.units import format_quantity
from costmodel.version import own_version

if TYPE_CHECKING:
    from costmodel.optimize.fronts import ParetoFront

Array: TypeAlias = "np.ndarray[Any, Any]"

_WIDTH, _HEIGHT = 900, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 16, 48
_OTHERS: Final = 2000
"""So many designs that are not on the front are drawn; of more, evenly chosen ones."""
_ON_FRONT: Final = 500
"""So many designs of the front are drawn with what they choose."""
_ROWS: Final = 200
"""So many designs of the front the table has."""
_TICKS: Final = 6
_LOG: Final = 50.0
"""An axis whose largest value is so many times its least is logarithmic."""
_FRONT, _OTHER = "#ee6677", "#4477aa"
"""P. Tol, Colour schemes, 2021, 'bright'."""


@frozen
class _Axis:
    """One objective: its values, and where they stand between 0 and 1."""

    name: str
    low: float
    high: float
    is_log: bool

    @classmethod
    def of(cls, name: str, values: Array) -> _Axis:
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        is_log = low > 0 and high > _LOG * low
        if low == high:
            low, high = low - abs(low) / 2 - (low == 0), high + abs(high) / 2 + (high == 0)
        return cls(name, low, high, is_log)

    def place(self, values: Array) -> Array:
        """Where values stand, with room at both ends."""
        low, high = (math.log(end) if self.is_log else end for end in (self.low, self.high))
        scaled = np.log(values) if self.is_log else values
        return 0.03 + 0.94 * (scaled - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values along the axis."""
        if self.is_log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
            inside = [one for one in found if self.low <= one <= self.high]
            return inside[:: max(1, len(inside) // _TICKS)]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / _TICKS))
        width = next(
            step * factor for factor in (1, 2, 5, 10)
            if (self.high - self.low) / (step * factor) <= _TICKS
        )  # fmt: skip
        return [
            place * width
            for place in range(math.ceil(self.low / width), math.floor(self.high / width) + 1)
        ]

    def text(self, value: float) -> str:
        unit = COSTS.get(self.name, "")
        return format_quantity(value, unit) if unit else f"{value:.4g}"


def page(front: ParetoFront) -> str:
    """The HTML of a front of two objectives."""
    style = (resources.files("costmodel.html") / "style.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Pareto front - costmodel"),
        tag("style", Markup(style)),
    )
    main = tag(
        "main",
        tag("section", tag("h2", "Pareto front"), tag("p", front.title, class_="facts"),
            _plot(front), _table(front), class_="network"),
        id="main",
    )  # fmt: skip
    header = tag(
        "header", tag("h1", tag("span", "costmodel", class_="brand"), "designs", class_="mark")
    )
    made = f"Written by costmodel {own_version()}. It loads nothing from the network."
    body = tag("body", header, main, tag("footer", tag("p", made)))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _plot(front: ParetoFront) -> Markup:
    values = front.values
    known = np.asarray(np.isfinite(values).all(axis=1))
    x, y = (_Axis.of(name, values[known, place]) for place, name in enumerate(front.objectives))
    places, joined = [each[known[each]] for each in (front.places, front.joined)]
    others = np.flatnonzero(known & ~front.is_on)
    return tag(
        "svg",
        list(_grid(x, y)),
        tag("g", list(_dots(x, y, values[_evenly(others, _OTHERS)])),
            fill=_OTHER, fill_opacity="0.45"),
        _line(x, y, values[joined]),
        tag("g", list(_named(front, x, y, _evenly(places, _ON_FRONT))), fill=_FRONT),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", width="100%", font_size="13",
        aria_label=f"{title(y.name)} against {x.name}: {front.title}",
    )  # fmt: skip


def _evenly(places: Array, most: int) -> Array:
    if len(places) <= most:
        return places
    chosen: Array = np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))
    return places[chosen]


def _across(axis: _Axis, values: Any) -> Array:
    return _LEFT + axis.place(np.asarray(values, dtype=float)) * (_WIDTH - _LEFT - _RIGHT)


def _down(axis: _Axis, values: Any) -> Array:
    place = axis.place(np.asarray(values, dtype=float))
    return _HEIGHT - _BOTTOM - place * (_HEIGHT - _TOP - _BOTTOM)


def _grid(x: _Axis, y: _Axis) -> Iterator[Markup]:
    line = {"stroke": "currentColor", "stroke-opacity": "0.15"}
    words = {"fill": "currentColor"}
    for tick in x.ticks():
        at = f"{float(_across(x, tick)):.1f}"
        yield tag("line", x1=at, x2=at, y1=str(_TOP), y2=str(_HEIGHT - _BOTTOM), **line)
        yield tag("text", x.text(tick), x=at, y=str(_HEIGHT - _BOTTOM + 18),
                  text_anchor="middle", **words)  # fmt: skip
    for tick in y.ticks():
        at = f"{float(_down(y, tick)):.1f}"
        yield tag("line", x1=str(_LEFT), x2=str(_WIDTH - _RIGHT), y1=at, y2=at, **line)
        yield tag("text", y.text(tick), x=str(_LEFT - 6), y=at, dy="4",
                  text_anchor="end", **words)  # fmt: skip
    middle = (_LEFT + _WIDTH - _RIGHT) // 2, (_TOP + _HEIGHT - _BOTTOM) // 2
    yield tag("text", title(x.name), x=str(middle[0]), y=str(_HEIGHT - 8),
              text_anchor="middle", **words)  # fmt: skip
    yield tag("text", title(y.name), x="14", y=str(middle[1]), text_anchor="middle",
              transform=f"rotate(-90 14 {middle[1]})", **words)  # fmt: skip


def _dots(x: _Axis, y: _Axis, values: Array) -> Iterator[Markup]:
    for across, down in zip(_across(x, values[:, 0]), _down(y, values[:, 1]), strict=True):
        yield tag("circle", cx=f"{across:.1f}", cy=f"{down:.1f}", r="2.5")


def _line(x: _Axis, y: _Axis, values: Array) -> Markup:
    pairs = zip(_across(x, values[:, 0]), _down(y, values[:, 1]), strict=True)
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in pairs)
    return tag("polyline", points=points, fill="none", stroke=_FRONT, stroke_width="1.5")


def _named(front: ParetoFront, x: _Axis, y: _Axis, places: Array) -> Iterator[Markup]:
    """Designs of the front, each with its costs and choices where the pointer rests."""
    values, designs = front.values[places], front.designs.take(places)
    for number, (first, second) in enumerate(values):
        choices = zip(designs.axes, choices_of(designs, number, together=False), strict=True)
        lines = [
            f"{x.name} {x.text(float(first))}", f"{y.name} {y.text(float(second))}",
            *[f"{name}: {choice}" for name, choice in choices],
        ]  # fmt: skip
        yield tag(
            "circle", tag("title", "\n".join(lines)),
            cx=f"{float(_across(x, first)):.1f}", cy=f"{float(_down(y, second)):.1f}", r="4.5",
        )  # fmt: skip


def _table(front: ParetoFront) -> Markup:
    made = front.table(_ROWS)
    titles: Sequence[str] = [column.title for column in made.columns]
    numeric = [place for place, column in enumerate(made.columns) if column.numeric]
    notes = tag("ul", [tag("li", note) for note in made.notes])
    return tag("div", table(titles, made.rows, numeric=numeric, caption="The front"), notes)
