"""Figures of a report, as the JSON that plotly takes and `script.js` draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zlib import crc32

from attrs import evolve

from costmodel.estimates.sensitivity import MEASURES as UNITS
from costmodel.html.data import MEASURES
from costmodel.units import format_count, format_quantity

if TYPE_CHECKING:
    from costmodel.estimates.sensitivity import Sensitivity
    from costmodel.html.data import Held, LayerRow, Roof, Roofline, Shares, TreeNode

Figure: TypeAlias = dict[str, Any]

FILLS: Final = (
    "#77aadd", "#ee8866", "#eedd88", "#44bb99", "#ffaabb", "#99ddff", "#bbcc33", "#aaaa00",
)  # fmt: skip
"""For labelled areas with black text; P. Tol, Colour schemes, 2021, 'light': safe for
colour-blind readers."""
_FAMILIES: Final[tuple[tuple[str, ...], ...]] = (
    ("Conv1D", "Conv2D", "Conv3D", "Conv", "QConv1D", "QConv2D", "QConv2DBatchnorm"),
    ("Add", "Multiply", "Subtract", "Average", "Maximum", "Concatenate"),
    ("BatchNormalization", "QBatchNormalization", "LayerNormalization", "GroupNormalization",
     "RMSNormalization"),
    ("Activation", "ReLU", "Softmax", "QActivation", "LeakyReLU", "PReLU"),
    ("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
     "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    ("Dense", "QDense", "EinsumDense", "Matmul", "Embedding"),
    ("DepthwiseConv1D", "DepthwiseConv2D", "QDepthwiseConv2D", "SeparableConv2D",
     "Conv2DTranspose"),
    ("MultiHeadAttention", "GroupQueryAttention", "Attention", "LSTM", "GRU", "SimpleRNN",
     "Bidirectional"),
)  # fmt: skip
"""Kinds that share a fill, in the order of the fills."""
_FILL_OF: Final = {
    kind: fill for kinds, fill in zip(_FAMILIES, FILLS, strict=True) for kind in kinds
}
_BLOCK: Final = "#e4e8ee"
_INK: Final = "#14181f"
_MARKS: Final = (
    "#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#8c939c", "#997700",
)  # fmt: skip
"""For marks and bars; the same source, 'bright'."""
_DARK_MARKS: Final = frozenset({"#4477aa", "#228833", "#aa3377", "#997700"})
"""Those on which white text is readable."""
_SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "pentagon")
_SMALL: Final = 0.0005
"""Leaves with a smaller share of the network are shown together."""
_LABELLED: Final = 0.2
"""Larger parts of a bar have their name on them."""
_LINE_WITHIN: Final = 4
"""A memory is drawn as a line when it is at most so many times as large as what it holds."""


def kind_name(kind: str) -> str:
    """The kind of a layer without its framework, such as Conv2D."""
    return kind.rpartition(".")[2]


def fill_of(kind: str) -> str:
    """The fill of a kind of layers, the same in every report; similar kinds share one."""
    name = kind_name(kind)
    return _FILL_OF.get(name) or FILLS[crc32(name.encode()) % len(FILLS)]


def kinds_by_fill(rows: Iterable[LayerRow]) -> Mapping[str, list[str]]:
    """The kinds of layers that cost something, by their fill."""
    found: dict[str, list[str]] = {fill: [] for fill in FILLS}
    for row in rows:
        costs = any(row.value(one, device) for device in row.devices for one in MEASURES)
        name = kind_name(row.kind)
        if costs and name not in found[fill_of(row.kind)]:
            found[fill_of(row.kind)].append(name)
    return {fill: names for fill, names in found.items() if names}


def plain(text: str) -> str:
    """The text with nothing that plotly takes for markup."""
    return escape(text, quote=False).replace("$", "&#36;")


# ------------------------------------------------------------------ icicle


def icicle(
    nodes: Sequence[TreeNode],
    rows: Sequence[LayerRow],
    device: str,
    measure: str,
) -> Figure:
    """A measure on one device by block and layer; the network is the topmost area."""
    values = {
        node.id: rows[node.row].value(measure, device) or 0.0
        for node in nodes
        if node.row is not None
    }
    kept = _without_small(nodes, values)
    title, unit = MEASURES[measure]
    colours = [_BLOCK if node.row is None else fill_of(rows[node.row].kind) for node, _ in kept]
    trace = {
        "type": "icicle",
        "ids": [node.id or "network" for node, _ in kept],
        "labels": [plain(node.label) for node, _ in kept],
        "parents": ["" if not node.id else node.parent or "network" for node, _ in kept],
        "values": [_rounded(value) for _, value in kept],
        "branchvalues": "remainder",
        "marker": {"colors": colours, "line": {"width": 1, "color": "#ffffff"}},
        "textfont": {"color": _INK},
        "leaf": {"opacity": 1},
        "texttemplate": "%{label}  %{percentRoot:.1%}",
        "customdata": [_amount(value, unit) for value in _sums(kept)],
        "hovertemplate": "<b>%{label}</b><br>%{customdata}, "
        "%{percentRoot:.2%} of the network<extra></extra>",
        "tiling": {"orientation": "h"},
        "pathbar": {"visible": True, "thickness": 24, "textfont": {"color": _INK}},
        "sort": False,
    }
    layout = {
        "margin": {"l": 0, "r": 0, "t": 28, "b": 0}, "height": 520,
        "uniformtext": {"minsize": 11, "mode": "hide"},
        "meta": {
            "title": f"{title} on {device}",
            "legend": [[fill, ", ".join(names)] for fill, names in kinds_by_fill(rows).items()],
        },
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _without_small(
    nodes: Sequence[TreeNode], values: Mapping[str, float]
) -> list[tuple[TreeNode, float]]:
    """The nodes with their own value; small leaves of one block together, empty ones left out."""
    least = math.fsum(values.values()) * _SMALL
    small: dict[str, list[float]] = {}
    kept: list[tuple[TreeNode, float]] = []
    for node in nodes:
        value = values.get(node.id)
        if value is None or value > least:
            kept.append((node, value or 0.0))
        elif value:
            small.setdefault(node.parent, []).append(value)
    for parent, parts in small.items():
        label = f"{len(parts)} small layers"
        kept.append(
            (evolve(nodes[0], id=f"small {parent}", label=label, parent=parent), math.fsum(parts))
        )
    return _occupied(kept)


def _occupied(kept: Sequence[tuple[TreeNode, float]]) -> list[tuple[TreeNode, float]]:
    """Without the blocks that hold nothing, or one thing alone, which takes their place."""
    children: dict[str, set[str]] = {}
    for node, value in reversed(kept):  # what lies in a block comes after it, small leaves apart
        if node.id and (value or children.get(node.id)):
            children.setdefault(node.parent, set()).add(node.id)
    parents = {node.id: node.parent for node, _ in kept}

    def is_shown(node: TreeNode, value: float) -> bool:
        return not node.id or value > 0 or len(children.get(node.id, ())) > 1

    def parent_of(node: TreeNode) -> str:
        place = node.parent
        while place and len(children[place]) == 1:
            place = parents[place]
        return place

    return [
        (evolve(node, parent=parent_of(node)), value)
        for node, value in kept
        if is_shown(node, value)
    ]


def _sums(kept: Sequence[tuple[TreeNode, float]]) -> list[float]:
    """What each node has together with all that lies in it."""
    parents = {node.id: node.parent for node, _ in kept}
    sums = dict.fromkeys(parents, 0.0)
    for node, value in kept:
        place = node.id
        sums[place] += value
        while place:
            place = parents[place]
            sums[place] += value
    return [sums[node.id] for node, _ in kept]


def _amount(value: float, unit: str) -> str:
    return format_quantity(value, unit) if unit else format_count(value)


def _rounded(value: float) -> float:
    """Five digits, which no eye sees the difference to."""
    return float(f"{value:.5g}")


# ------------------------------------------------------------------ resources


def colours_of(resources: Iterable[str]) -> Mapping[str, str]:
    """A colour for each resource, the same in all figures of a report."""
    names = list(dict.fromkeys(resources))
    return {name: _MARKS[place % len(_MARKS)] for place, name in enumerate(names)}


BARS: Final = {"time": "Time, by what limits it", "energy": "Energy, by what it is spent in"}
"""What the bars of a measure are called."""


def stacked(shares: Sequence[Shares], colours: Mapping[str, str]) -> Figure:
    """A bar for each device, the parts of its whole side by side."""
    unit = MEASURES[shares[0].measure][1]
    names = [name for name in colours if any(each.parts.get(name) for each in shares)]
    traces = []
    for name in names:
        having = [each for each in shares if each.parts.get(name)]
        parts = [each.parts[name] / each.total for each in having]
        texts = [f"{plain(name)} {part:.0%}" if part > _LABELLED else "" for part in parts]
        traces.append({
            "type": "bar", "orientation": "h", "name": plain(name),
            "y": [plain(each.device) for each in having], "x": [_rounded(part) for part in parts],
            "text": texts, "textposition": "inside", "insidetextanchor": "middle",
            "textangle": 0,
            "textfont": {"color": "#ffffff" if colours[name] in _DARK_MARKS else _INK},
            "customdata": [format_quantity(each.parts[name], unit) for each in having],
            "hovertemplate": "%{y}<br><b>%{fullData.name}</b> %{customdata}, %{x:.1%}"
            "<extra></extra>",
            "marker": {"color": colours[name], "line": {"width": 0}},
        })  # fmt: skip
    layout = {
        "barmode": "stack", "bargap": 0.35, "height": 76 + 44 * len(shares),
        "margin": {"l": 8, "r": 24, "t": 8, "b": 30},
        "xaxis": {"range": [0, 1], "tickformat": ".0%", "fixedrange": True},
        "yaxis": {
            "autorange": "reversed", "automargin": True, "fixedrange": True, "ticksuffix": "  ",
            "categoryorder": "array", "categoryarray": [plain(each.device) for each in shares],
        },
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0,
                   "traceorder": "normal"},
        "uniformtext": {"minsize": 10, "mode": "hide"}, "hovermode": "closest",
        "meta": {"title": BARS[shares[0].measure]},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


# ------------------------------------------------------------------ sensitivity


def tornado(found: Sensitivity) -> Figure:
    """A bar for each figure from the total at its low end to that at its high end."""
    swings, total = found.swings[:_TORNADO], found.total
    unit = UNITS[found.measure]
    names = [plain(one.name) for one in swings]
    traces = []
    for title, end, colour in (
        ("figure at its low end", "at_low", _MARKS[0]),
        ("figure at its high end", "at_high", _MARKS[1]),
    ):
        totals = [float(getattr(one, end)) for one in swings]
        traces.append({
            "type": "bar", "orientation": "h", "name": title, "y": names, "base": total,
            "x": [_rounded(one - total) for one in totals],
            "customdata": [format_quantity(one, unit) for one in totals],
            "hovertemplate": "%{y}<br><b>%{fullData.name}</b>: %{customdata}<extra></extra>",
            "marker": {"color": colour, "line": {"width": 0}},
        })  # fmt: skip
    layout = {
        "title": {
            "text": plain(f"{found.network} on {found.device}: {found.measure} "
                           f"{format_quantity(total, unit)}"),
            "font": {"size": 15}, "x": 0,
        },
        "barmode": "overlay", "bargap": 0.35, "height": 150 + 34 * len(swings),
        "margin": {"l": 8, "r": 24, "t": 84, "b": 46},
        "xaxis": {"title": {"text": f"{found.measure} ({unit})"}, "fixedrange": True},
        "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True,
                  "ticksuffix": "  "},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "shapes": [{"type": "line", "x0": total, "x1": total, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"color": _INK, "width": 1}}],
    }  # fmt: skip
    return {"data": traces, "layout": layout}


_TORNADO: Final = 12
"""Of so many figures, the largest changes first, a bar is drawn."""


# ------------------------------------------------------------------ roofline


def roofline_figure(found: Roofline, colours: Mapping[str, str]) -> Figure:
    """Operations per second over operations per byte, both logarithmic."""
    ends = _ends(found)
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": plain(roof.name),
            "x": _roof_xs(found, roof.operations_per_second, ends),
            "y": [
                min(roof.operations_per_second, x * found.bytes_per_second)
                for x in _roof_xs(found, roof.operations_per_second, ends)
            ],
            "line": {"width": 2, "color": "#8c939c", "dash": "solid" if place == 0 else "dash"},
            "hovertemplate": f"{_roof_words(roof)}<extra></extra>",
            "showlegend": False,
        }
        for place, roof in enumerate(found.roofs)
    ]  # fmt: skip
    places = list(colours)
    for limit in dict.fromkeys(point.limit for point in found.points):
        points = [point for point in found.points if point.limit == limit]
        place = places.index(limit) if limit in colours else 0
        traces.append({
            "type": "scatter", "mode": "markers",
            "name": f"limited by {plain(limit)}" if limit else "layers",
            "x": [_rounded(point.intensity) for point in points],
            "y": [_rounded(point.operations_per_second) for point in points],
            "text": [plain(point.layer) for point in points],
            "customdata": [format_quantity(point.seconds, "s") for point in points],
            "marker": {
                "color": colours.get(limit, _MARKS[0]), "size": 9, "opacity": 0.75,
                "symbol": _SYMBOLS[place % len(_SYMBOLS)],
                "line": {"width": 0.5, "color": "#ffffff"},
            },
            "hovertemplate": "<b>%{text}</b><br>%{x:.3~s}OP/B, %{y:.3~s}OP/s<br>takes "
            "%{customdata}<extra></extra>",
        })  # fmt: skip
    layout = {
        "height": 330, "margin": {"l": 8, "r": 10, "t": 8, "b": 40},
        "xaxis": {"type": "log", "automargin": True, "exponentformat": "SI", "dtick": 1,
                  "title": {"text": f"Operations per byte of {plain(found.memory)}"}},
        "yaxis": {"type": "log", "title": {"text": "Operations per second"}, "automargin": True,
                  "exponentformat": "SI", "dtick": 1},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hovermode": "closest",
        "annotations": [_roof_label(roof, ends[1]) for roof in found.roofs],
        "meta": {"title": f"Roofline of {found.device}"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _ends(found: Roofline) -> tuple[float, float]:
    """The least and the most operations per byte that are shown, the ridge included."""
    ridges = [roof.operations_per_second / found.bytes_per_second for roof in found.roofs]
    shown = [*[point.intensity for point in found.points], *ridges]
    return min(shown) / 2, max(shown) * 3


def _roof_xs(found: Roofline, peak: float, ends: tuple[float, float]) -> list[float]:
    return [ends[0], peak / found.bytes_per_second, ends[1]]


def _roof_label(roof: Roof, end: float) -> dict[str, Any]:
    return {
        "x": math.log10(end * _WITHIN), "y": math.log10(roof.operations_per_second),
        "xanchor": "right", "yanchor": "bottom", "text": _roof_words(roof), "showarrow": False,
        "font": {"size": 11},
    }  # fmt: skip


_WITHIN: Final = 0.99
"""A label at the very end of an axis would be left out by rounding."""


def _roof_words(roof: Roof) -> str:
    return f"{plain(roof.name)} {format_quantity(roof.operations_per_second, 'OP/s')}"


# ------------------------------------------------------------------ memory


def memory_figure(held: Held) -> Figure:
    """Bytes in a memory over time, and its size where that is near."""
    steps = [*held.held_bytes, *held.held_bytes[-1:]]
    names = [plain(name) for name in (*held.layers, *held.layers[-1:])]
    clock = "%{x:.3~s}s" if held.is_timed else "group %{x}"
    traces: list[dict[str, Any]] = [{
        "type": "scatter", "mode": "lines", "name": "held", "fill": "tozeroy",
        "x": [_rounded(start) for start in held.starts], "y": steps, "text": names,
        "line": {"shape": "hv", "width": 1.5, "color": _MARKS[0]},
        "meta": "s" if held.is_timed else "",
        "fillcolor": "rgba(68,119,170,0.28)",
        "hovertemplate": f"<b>%{{text}}</b><br>%{{y:.4~s}}B held, from {clock}<extra></extra>",
    }]  # fmt: skip
    annotations = []
    if held.size_bytes is not None and held.size_bytes <= _LINE_WITHIN * max(held.peak_bytes, 1):
        traces.append({
            "type": "scatter", "mode": "lines", "name": "size",
            "x": [held.starts[0], held.starts[-1]], "y": [held.size_bytes] * 2,
            "line": {"dash": "dash", "width": 2, "color": "#cc3311"}, "hoverinfo": "skip",
        })  # fmt: skip
        annotations.append({
            "x": held.starts[-1], "y": held.size_bytes, "xanchor": "right", "yanchor": "bottom",
            "text": f"size {format_quantity(held.size_bytes, 'B')}", "showarrow": False,
            "font": {"size": 11},
        })  # fmt: skip
    layout = {
        "height": 230, "margin": {"l": 8, "r": 10, "t": 12, "b": 36}, "showlegend": False,
        "xaxis": {"title": {"text": "Time" if held.is_timed else "Groups of operators"},
                  "ticksuffix": "s" if held.is_timed else "", "tickformat": "~s",
                  "automargin": True},
        "yaxis": {"rangemode": "tozero", "ticksuffix": "B", "tickformat": "~s",
                  "automargin": True, "nticks": 5},
        "hovermode": "closest", "annotations": annotations,
        "meta": {"title": f"Memory over time: {held.memory} of {held.device}"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}
