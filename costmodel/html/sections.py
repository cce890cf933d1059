"""The part of a report about one network: its cards, figures, table and sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.html import charts
from costmodel.html.data import (
    MEASURES,
    LayerRow,
    Roofline,
    energy_by_resource,
    layer_rows,
    measures_of,
    memory_over_time,
    roofline,
    time_by_limit,
    tree,
)
from costmodel.html.markup import Child, Markup, table, tag
from costmodel.report.breakdown import breakdown, main_measure, ranked, whole
from costmodel.report.columns import is_timed, least, totals
from costmodel.report.estimate_table import conditions, macs_known, parameters_known
from costmodel.report.estimate_table import table as estimate_table
from costmodel.report.summary import grouping
from costmodel.units import format_count, format_quantity

if TYPE_CHECKING:
    from costmodel.html.data import Held, Shares
    from costmodel.report.bills import Bill, Share
    from costmodel.report.breakdown import Part
    from costmodel.report.estimate_table import Reported

_MODELLED: Final = {
    "time": "time", "energy": "energy", "traffic": "memory traffic",
}  # fmt: skip
_PERCENT: Final = 0.01
_NAMED: Final = 3
"""So many parts are named in a sentence."""
_COLUMNS: Final = ("time", "energy", "traffic", "peak", "limit")
"""What the columns of devices in the table of layers can show."""


@frozen(eq=False)
class Section:
    """The part of a report about one network."""

    id: str
    estimate: Reported
    body: Markup
    figures: Mapping[str, charts.Figure]
    table: Mapping[str, Any]
    """What the script makes the table of layers of."""
    costliest: tuple[int, ...]
    """The places of the layers, from the costliest on."""

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.estimate.network.name


def section(estimate: Reported, id_: str, colours: Mapping[str, str]) -> Section:
    """The part of a report about one network.

    The names of its elements begin with `id_`; `colours` are those of resources.
    """
    rows = layer_rows(estimate)
    order = _costliest(estimate, rows)
    figures: dict[str, charts.Figure] = {}
    body = tag(
        "section",
        tag("h2", estimate.network.name),
        tag("p", _facts(estimate), class_="facts"),
        tag("div", [_card(bill) for bill in estimate.bills.values()], class_="cards"),
        _where(estimate, rows, id_, figures),
        _limits(estimate, id_, figures, colours),
        _rooflines(estimate, id_, figures, colours),
        _memory(estimate, id_, figures),
        _layers(estimate, rows, id_),
        _coverage(estimate),
        _sources(estimate),
        id=id_, aria_label=estimate.network.name, class_="network",
    )  # fmt: skip
    return Section(id_, estimate, body, figures, _table_of(estimate, rows), order)


def comparison(estimates: Sequence[Reported]) -> Markup | None:
    """The networks side by side, where there are several."""
    if len(estimates) == 1:
        return None
    devices = list(dict.fromkeys(name for one in estimates for name in one.bills))
    cards = [
        tag(
            "article",
            tag("h3", tag("a", one.network.name, href=f"#m{place}")),
            tag("p", f"{format_count(one.macs)} MACs, "
                f"{format_count(one.network.parameter_count)} parameters", class_="facts"),
            table(
                ("Device", "Time", "Energy"),
                [_compared(one.bills[name]) for name in devices if name in one.bills],
                numeric=(1, 2),
            ),
            class_="card",
        )
        for place, one in enumerate(estimates)
    ]  # fmt: skip
    return tag(
        "section", tag("h2", "At a glance"), tag("div", cards, class_="cards wide"),
        aria_label="Comparison", class_="network",
    )  # fmt: skip


def _compared(bill: Bill) -> Sequence[Child]:
    shown = totals([bill])
    time = shown["Latency"](bill) if "Latency" in shown else "not modelled"
    span = shown["Latency, low to high"](bill) if "Latency, low to high" in shown else ""
    fits = shown["Fits"](bill) if "Fits" in shown else ""
    below = filter(None, [span, "does not fit" if fits == "no" else ""])
    in_time = [time, *(tag("div", text, class_="span") for text in below)]
    return (bill.device.name, in_time, shown["Total"](bill))


# ------------------------------------------------------------------ head


def _facts(estimate: Reported) -> str:
    macs = f"{least(macs_known(estimate))}{format_count(estimate.macs)}"
    parameters = format_count(estimate.network.parameter_count)
    weights = max((bill.evaluation.weight_bytes for bill in estimate.bills.values()), default=0)
    return ", ".join([
        f"{len(estimate.lowered)} layers", f"{macs} MACs",
        f"{least(parameters_known(estimate))}{parameters} parameters",
        f"{format_quantity(weights, 'B')} of weights",
        conditions(estimate.scenario), f"convention {estimate.convention.name}",
    ])  # fmt: skip


def _card(bill: Bill) -> Markup:
    shown = {title: text_of(bill) for title, text_of in totals([bill]).items()}
    is_known = "Latency" in shown
    span = shown.get("Latency, low to high", "")
    low, high = shown.get("Total, low", ""), shown.get("Total, high", "")
    facts = [
        (title, shown[title])
        for title in ("Throughput", "Average power", "Limited by", "Utilisation", "Layers covered")
        if shown.get(title)
    ]
    peaks = [
        (title.replace(": peak of size", " peak"), text)
        for title, text in shown.items()
        if title.endswith(": peak of size")
    ]
    fits = shown.get("Fits", "")
    return tag(
        "article",
        tag("h3", bill.device.name),
        tag("p", ", ".join(filter(None, [bill.device.title, bill.device.runtime])), class_="title"),
        tag("dl", [
            _figure("Time", shown["Latency"] if is_known else "not modelled", span, is_known),
            _figure("Energy", shown["Total"], f"{low} to {high}" if low or high else "",
                    shown["Total"] != "?"),
        ], class_="figures"),
        tag("dl", [tag("div", tag("dt", title), tag("dd", text))
                   for title, text in [*facts, *peaks]], class_="details"),
        tag("p", {"yes": "Fits into its memories", "no": "Does not fit"}[fits],
            class_=f"badge {fits}") if fits else None,
        class_="card",
    )  # fmt: skip


def _figure(title: str, value: str, span: str, is_known: bool) -> Markup:  # noqa: FBT001  # short
    shown = tag("dd", value, class_="value" if is_known else "value unknown")
    return tag("div", tag("dt", title), shown, tag("dd", span, class_="span") if span else None)


# ------------------------------------------------------------------ figures


def _where(
    estimate: Reported, rows: Sequence[LayerRow], id_: str, figures: dict[str, charts.Figure]
) -> Markup:
    """The icicle, with a choice of device and measure."""
    nodes = tree(estimate.network.name, [row.name for row in rows])
    devices = list(estimate.bills)
    for place, device in enumerate(devices):
        for measure in measures_of(estimate, device):
            name = f"{id_}-icicle-{place}-{measure}"
            figures[name] = charts.icicle(nodes, rows, device, measure)
    measures = [name for name in MEASURES if any(
        f"{id_}-icicle-{place}-{name}" in figures for place in range(len(devices))
    )]  # fmt: skip
    return tag(
        "section",
        tag("h3", "Where it goes"),
        tag("ul", list(_largest(estimate)), class_="findings"),
        tag("div",
            _choice(f"{id_}-device", "Device", [(str(i), name) for i, name in enumerate(devices)]),
            _choice(f"{id_}-measure", "Measure", [(name, MEASURES[name][0]) for name in measures]),
            class_="choices"),
        tag("figure",
            tag("div", id=f"{id_}-icicle", class_="plot", data_icicle=id_, role="group",
                aria_label="Cost by block and layer; the table of layers has all numbers"),
            tag("figcaption",
                "Height is the share of the network. Click a block to enlarge it, its name above "
                "to go back; with the keyboard, arrows, Enter and Escape. A block is a common "
                "beginning of the names of layers."),
        ),
        tag("ul", [tag("li", tag("span", class_="key", style=f"background:{fill}"),
                       ", ".join(kinds)) for fill, kinds in charts.kinds_by_fill(rows).items()],
            class_="legend", aria_label="Kinds of layers"),
        class_="panel",
    )  # fmt: skip


def _choice(id_: str, label: str, options: Iterable[tuple[str, str]]) -> Markup:
    made = [tag("option", text, value=value) for value, text in options]
    return tag("label", tag("span", label), tag("select", made, id=id_, autocomplete="off"))


def _largest(estimate: Reported) -> Iterator[Markup]:
    """The parts that dominate on each device."""
    parts = breakdown(estimate, grouping(estimate))
    for name, bill in estimate.bills.items():
        measure = "time" if is_timed(bill) else "energy"
        shown = _shares(parts, measure, name)
        if shown:
            yield tag("li", tag("strong", name), f" {', '.join(shown)} of the {measure}")


def _shares(parts: Sequence[Part], measure: str, device: str) -> list[str]:
    """The largest parts with their shares; none where they are not known."""
    total = whole(parts, measure, device)
    known = [(part.value(measure, device) or 0.0, part.name) for part in parts]
    largest = sorted(known, key=lambda one: one[0], reverse=True)[:_NAMED]
    return [f"{name} {value / total:.0%}" for value, name in largest] if total else []


def resource_colours(estimates: Iterable[Reported]) -> Mapping[str, str]:
    """A colour for each resource, the same in all figures; the first for what matters most."""
    most: dict[str, float] = {}
    for bill in [bill for one in estimates for bill in one.bills.values()]:
        for shares, weight in ((time_by_limit(bill), 1.0), (energy_by_resource(bill), 0.5)):
            for name, part in shares.parts.items():
                share = part / shares.total if shares.total else 0.0
                most[name] = max(most.get(name, 0.0), weight * share)
    return charts.colours_of(sorted(most, key=lambda name: most[name], reverse=True))


def _limits(
    estimate: Reported, id_: str, figures: dict[str, charts.Figure], colours: Mapping[str, str]
) -> Markup:
    """Bars of the time and the energy of each device by resource."""
    bills = list(estimate.bills.values())
    times = [time_by_limit(bill) for bill in bills]
    energies = [energy_by_resource(bill) for bill in bills if not bill.evaluation.unknown_static]
    drawn = []
    for shares in (times, energies):
        known = [each for each in shares if each.total]
        if known:
            name = f"{id_}-bars-{known[0].measure}"
            figures[name] = charts.stacked(known, colours)
            title = charts.BARS[known[0].measure]
            drawn.append(_plot(name, title, "; ".join(map(_in_words, known))))
    missing = [
        f"{bill.device.name} does not model time" for bill in bills if not is_timed(bill)
    ] + [
        f"energy of {bill.device.name}: {bill.evaluation.unknown_static}"
        for bill in bills if bill.evaluation.unknown_static
    ]  # fmt: skip
    return tag(
        "section",
        tag("h3", "What limits each device"),
        tag("div", drawn, class_="pair"),
        _missing(missing),
        class_="panel",
    )


def _in_words(shares: Shares) -> str:
    parts = sorted(shares.parts.items(), key=lambda item: item[1], reverse=True)
    return f"{shares.device}: " + ", ".join(
        f"{name} {one / shares.total:.0%}" for name, one in parts
    )


def _plot(name: str, title: str, words: str, note: str = "") -> Markup:
    return tag(
        "figure",
        tag("h4", title),
        tag("div", class_="plot", data_figure=name, role="img", aria_label=f"{title}. {words}"),
        tag("figcaption", note) if note else None,
    )


def _missing(reasons: Sequence[str]) -> Markup | None:
    return tag("p", f"Not shown: {'; '.join(reasons)}.", class_="missing") if reasons else None


def _rooflines(
    estimate: Reported, id_: str, figures: dict[str, charts.Figure], colours: Mapping[str, str]
) -> Markup:
    drawn, missing = [], []
    for place, bill in enumerate(estimate.bills.values()):
        found = roofline(bill)
        if not isinstance(found, Roofline):
            missing.append(found)
            continue
        name = f"{id_}-roof-{place}"
        figures[name] = charts.roofline_figure(found, colours)
        drawn.append(_plot(name, found.device, f"{len(found.points)} layers", _roof_note(found)))
    return tag(
        "section",
        tag("h3", "Rooflines"),
        tag("p", "Each point is a layer with what is fused into it. Points at the slope wait for "
            "memory, points at the flat roof for arithmetic; the distance is what the device "
            "leaves unused.", class_="finding") if drawn else None,
        tag("div", drawn, class_="grid"),
        _missing(missing),
        class_="panel",
    )  # fmt: skip


def _roof_note(found: Roofline) -> str:
    bandwidth = format_quantity(found.bytes_per_second, "B/s")
    left = (
        f"; {found.left_out} layers without operations or traffic left out"
        if found.left_out
        else ""
    )
    return f"{found.memory} {bandwidth}{left}"


def _memory(estimate: Reported, id_: str, figures: dict[str, charts.Figure]) -> Markup:
    drawn, missing = [], []
    for place, bill in enumerate(estimate.bills.values()):
        if not bill.memories:
            missing.append(f"{bill.device.name} has no memories of its own")
        for number, held in enumerate(memory_over_time(bill)):
            if not held.layers:
                continue
            name = f"{id_}-memory-{place}-{number}"
            figures[name] = charts.memory_figure(held)
            title = f"{held.device}, {held.memory}"
            drawn.append(_plot(name, title, _held_words(held), _held_words(held)))
    return tag(
        "section",
        tag("h3", "Memory over time"),
        tag("p", "Weights that stay, and the activations that are alive while each group of "
            "operators runs.", class_="finding") if drawn else None,
        tag("div", drawn, class_="grid"),
        _missing(missing),
        class_="panel",
    )  # fmt: skip


def _held_words(held: Held) -> str:
    peak = f"Peak {format_quantity(held.peak_bytes, 'B')} at {held.peak_layer}"
    if held.size_bytes is None:
        return peak
    size = format_quantity(held.size_bytes, "B")
    if held.is_too_small:
        return f"{peak}; does not fit into {size}"
    share = held.peak_bytes / held.size_bytes
    shown = f"{share:.0%}" if share >= _PERCENT else f"less than {_PERCENT:.0%}"
    return f"{peak}, {shown} of {size}"


# ------------------------------------------------------------------ layers


def _costliest(estimate: Reported, rows: Sequence[LayerRow]) -> tuple[int, ...]:
    places = {row.name: place for place, row in enumerate(rows)}
    parts = ranked(breakdown(estimate, "layer"), main_measure(estimate))
    return tuple([places[part.name] for part in parts if part.layers])


def _table_of(estimate: Reported, rows: Sequence[LayerRow]) -> Mapping[str, Any]:
    return {
        "devices": list(estimate.bills),
        "rows": [
            [
                row.name, charts.kind_name(row.kind), row.output, row.parameters, row.macs,
                [_cells(row, name) for name in estimate.bills],
            ]
            for row in rows
        ],
    }  # fmt: skip


def _cells(row: LayerRow, device: str) -> list[Any]:
    on = row.devices[device]
    return [on.seconds, on.joules, on.traffic_bytes, on.peak_bytes, on.limit, on.standing]


def _layers(estimate: Reported, rows: Sequence[LayerRow], id_: str) -> Markup:
    titles = {"time": "Time", "energy": "Energy", "traffic": "Memory traffic",
              "peak": "Memory held", "limit": "Limited by"}  # fmt: skip
    first = main_measure(estimate)
    options = [(name, titles[name]) for name in sorted(_COLUMNS, key=lambda one: one != first)]
    return tag(
        "section",
        tag("h3", "Layers"),
        tag("p", "Click a title to sort, a layer to see how its cost comes about.",
            class_="finding screen"),
        tag("div",
            tag("label", tag("span", "Find"),
                tag("input", type="search", id=f"{id_}-filter", placeholder="name or kind",
                    autocomplete="off")),
            _choice(f"{id_}-columns", "Columns of devices", options),
            tag("output", id=f"{id_}-count", for_=f"{id_}-filter", class_="count"),
            class_="choices"),
        tag("div", tag("noscript", tag("p", "The table of layers needs JavaScript.")),
            id=f"{id_}-layers", class_="scroll layers", data_table=id_, tabindex="0",
            role="region", aria_label=f"Layers of {estimate.network.name}"),
        class_="panel",
    )  # fmt: skip


# ------------------------------------------------------------------ coverage and sources


def _coverage(estimate: Reported) -> Markup:
    kinds = ("layers", "operators", "macs", "parameters", "activations")
    rows = [
        (name, *(_fraction(getattr(bill.coverage, kind)) for kind in kinds))
        for name, bill in estimate.bills.items()
    ]
    return tag(
        "section",
        tag("h3", "Coverage"),
        tag("p", "How much of the network is priced, or free with a reason.", class_="finding"),
        table(("Device", "Layers", "Operators", "MACs", "Parameters", "Activations"), rows,
              numeric=range(1, 6)),
        class_="panel",
    )  # fmt: skip


def _fraction(share: Share) -> str:
    return "?" if share.fraction is None else f"{share.fraction:.1%}"


def _sources(estimate: Reported) -> Markup:
    notes = estimate_table(estimate).notes
    return tag(
        "section",
        tag("h3", "Assumptions and sources"),
        tag("ul", list(map(_note, notes)), class_="notes"),
        [_figures_of(bill) for bill in estimate.bills.values()],
        [_diagram_of(bill) for bill in estimate.bills.values()],
        class_="panel",
    )


def _diagram_of(bill: Bill) -> Markup | None:
    picture = bill.device.diagram()
    if not picture:
        return None
    caption = tag("figcaption", f"What {bill.device.name} is made of")
    return tag("figure", Markup(picture), caption)


def _note(text: str) -> Markup:
    head, colon, rest = text.partition(": ")
    return tag("li", tag("strong", head + colon), rest) if colon else tag("li", text)


def _figures_of(bill: Bill) -> Markup:
    known = [*bill.device.parameters.values()]
    places = {source: i + 1 for i, source in enumerate(dict.fromkeys(one.source for one in known))}
    rows = [
        (one.name, str(one), one.evidence.value, f"[{places[one.source]}]", one.note)
        for one in known
    ]
    sources = [tag("li", source) for source in places]
    return tag(
        "details",
        tag("summary", f"{bill.device.name}: {len(known)} figures from {len(places)} sources"),
        table(("Figure", "Value", "Evidence", "Source", "Note"), rows, class_="small"),
        tag("ol", sources, class_="sources"),
    )
