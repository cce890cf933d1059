"""The table of an estimate: its title, a row for each layer, totals and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from costmodel.devices import GIVEN, Evidence, Parameter
from costmodel.devices.evaluation.computing import call_format
from costmodel.formats import FLOAT32, format_name
from costmodel.report import ignored
from costmodel.report.columns import (
    TOTAL,
    UNKNOWN,
    figures,
    has_energy_by_layer,
    least,
    totals,
)
from costmodel.report.table import Column, Table
from costmodel.scenario import ALL_OTHERS
from costmodel.units import format_quantity
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from costmodel.conventions.convention import Convention, LayerWork
    from costmodel.devices import Device
    from costmodel.formats import NumericFormat
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer
    from costmodel.plugins.discovery import Plugin
    from costmodel.report.bills import Bill
    from costmodel.scenario import Scenario


_SHOWN_REASONS: Final = 8


class Reported(Protocol):
    """What a report is made of: an estimate on several devices."""

    @property
    def network(self) -> Network:
        """What was estimated."""

    @property
    def convention(self) -> Convention:
        """How work was counted."""

    @property
    def scenario(self) -> Scenario:
        """Under which conditions."""

    @property
    def lowered(self) -> tuple[LayerWork, ...]:
        """The work of every layer."""

    @property
    def bills(self) -> Mapping[str, Bill]:
        """The bill on each device, by its name."""

    @property
    def on_unpriced(self) -> str:
        """What is done about work without a price."""

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """What took part."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with plugins."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""


def listed_reasons(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    """The reasons, each once with the layers that it holds for; long lists are cut."""
    by_reason: dict[str, list[str]] = {}
    for layer, whys in reasons.items():
        for why in whys:
            by_reason.setdefault(why, []).append(layer)
    listed = [f"{some(layers)}: {why}" for why, layers in by_reason.items()]
    more = len(listed) - _SHOWN_REASONS
    return listed[:_SHOWN_REASONS] + ([f"and {more} more reasons"] if more > 0 else [])


def some(names: Sequence[str], limit: int = 3) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def table(estimate: Reported, *, exact: bool = False) -> Table:
    """A row for each layer and a column for each device.

    `exact` has bare numbers, energies in joules, and a column for whether each is the whole one.
    """
    bills = list(estimate.bills.values())
    of_devices = [figures(bill, len(bills) - 1, exact=exact) for bill in bills]
    columns = [
        Column("Layer"), Column("Kind"), Column("Output"),
        Column("Parameters", numeric=True), Column(_macs_title(estimate), numeric=True),
        *(each.column for shown in of_devices for each in shown),
    ]  # fmt: skip
    rows = [
        (
            *_layer_cells(lowered, exact=exact),
            *(
                each.text_of(bill.lines[index])
                for bill, shown in zip(bills, of_devices, strict=True)
                for each in shown
            ),
        )
        for index, lowered in enumerate(estimate.lowered)
    ]
    widths = [len(shown) for shown in of_devices]
    return Table(_title(estimate), columns, rows, _footer(estimate, widths), _notes(estimate))


def _macs_title(estimate: Reported) -> str:
    return "MACs" if estimate.scenario.batch == 1 else "MACs/example"


def _layer_cells(lowered: LayerWork, *, exact: bool) -> Iterator[str]:
    layer, style = lowered.layer, "" if exact else ","
    unknown = "" if exact else UNKNOWN
    yield from (layer.name, layer.kind)
    yield "; ".join(layer.shown_outputs)
    yield f"{layer.parameter_count:{style}}" if layer.is_counted else unknown
    yield f"{lowered.macs:{style}}" if has_count(lowered) else unknown


def has_count(lowered: LayerWork) -> bool:
    """Whether it is known how much work there is, priced or not."""
    return not isinstance(lowered.work, Unpriced)


def _title(estimate: Reported) -> str:
    bills = list(estimate.bills.values())
    shown = {"energy" if has_energy_by_layer(bill) else "latency" for bill in bills}
    what = " or ".join(sorted(shown))
    return (
        f"{estimate.network.name}: {what} of {conditions(estimate.scenario)}, "
        f"convention {estimate.convention.name}"
    )


def conditions(scenario: Scenario) -> str:
    """The conditions that change a number, in words."""
    steps = f"{scenario.timesteps} timestep{'s' if scenario.timesteps > 1 else ''}"
    duration = format_quantity(scenario.dt, "s")
    axis = "" if scenario.time_axis is None else f" along input axis {scenario.time_axis}"
    given = [f"one batch of {scenario.batch}", f"{steps} of {duration}{axis}"]
    for kind, rates in (("output", scenario.rates), ("input", scenario.input_rates)):
        if rates is not None:
            is_one = isinstance(rates, float)
            given.append(f"{kind} rate {rates:g} Hz" if is_one else f"{kind} rates by layer")
    if scenario.default_format != FLOAT32:
        given.append(f"default format {format_name(scenario.default_format)}")
    if scenario.formats:
        numbers = [f"{name} in {format_name(one)}" for name, one in scenario.formats.items()]
        given.append(some(numbers))
    if scenario.weights:
        given.append(some([_of_weights(*pair) for pair in scenario.weights.items()]))
    if scenario.source_format is not None:
        given.append(f"source format {format_name(scenario.source_format)}")
    return ", ".join(given)


def _of_weights(name: str, number: NumericFormat) -> str:
    whose = "weights" if name == ALL_OTHERS else f"weights of {name}"
    return f"{whose} in {format_name(number)}"


def _footer(estimate: Reported, widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """A row for each total; `widths` are the numbers of columns of the devices."""
    bills = list(estimate.bills.values())
    parameters = f"{least(parameters_known(estimate))}{estimate.network.parameter_count:,}"
    macs = f"{least(macs_known(estimate))}{estimate.macs:,}"
    by_layer = any(map(has_energy_by_layer, bills))
    if not by_layer:  # the energy is no sum of what stands above it
        yield (TOTAL, "", "", parameters, macs, *[""] * sum(widths))
    for title, text_of in totals(bills).items():
        counts = (parameters, macs) if by_layer and title == TOTAL else ("", "")
        cells = [
            cell
            for bill, width in zip(bills, widths, strict=True)
            for cell in (text_of(bill), *[""] * (width - 1))
        ]
        shown = title if by_layer else title.replace(TOTAL, "Energy")
        yield (shown, "", "", *counts, *cells)


def parameters_known(estimate: Reported) -> bool:
    """Whether the parameters of every layer are known."""
    return all(lowered.layer.is_counted for lowered in estimate.lowered)


def macs_known(estimate: Reported) -> bool:
    """Whether the work of every layer is known, priced or not."""
    return all(map(has_count, estimate.lowered))


def _notes(estimate: Reported) -> Iterator[str]:
    for sort in ("unpriced", "free"):
        described: dict[tuple[str, ...], list[str]] = {}
        for name, bill in estimate.bills.items():
            reasons = getattr(bill.coverage, sort)
            listed = tuple(listed_reasons(shaped(bill, reasons) if sort == "unpriced" else reasons))
            described.setdefault(listed, []).append(name)
        for lines, names in described.items():
            yield from (f"{sort} on {', '.join(names)}: {line}" for line in lines)
    for name, bill in estimate.bills.items():
        if bill.evaluation.unknown_static:
            yield f"energy on {name}: {bill.evaluation.unknown_static}"
        yield from unfit(bill)
    yield from ignored.notes(estimate.bills.values(), estimate.scenario)
    yield from changed(bill.device for bill in estimate.bills.values())
    yield from assumed(estimate.bills.values())
    yield from not_modelled(bill.device for bill in estimate.bills.values())
    yield from estimate.problems


def unfit(bill: Bill) -> Iterator[str]:
    """A line for the memories of a device that have no room for what lies in them."""
    missing = [
        f"{memory.name} needs {format_quantity(bill.evaluation.peak_bytes[memory.name], 'B')} "
        f"and has {format_quantity(memory.size.value, 'B')}"
        for memory in bill.memories
        if memory.size is not None
        and not memory.has_room_for(bill.evaluation.peak_bits(memory.name))
    ]
    if missing:
        yield f"does not fit on {bill.device.name}: {'; '.join(missing)}"


_MOST_SHOWN: Final = 80
"""Characters of a setting."""


def _shown(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def changed(devices: Iterable[Device]) -> Iterator[str]:
    """A line for each device with a runtime, with settings that are chosen, or changed numbers."""
    for device in devices:
        choices = device.setting_choices()
        settings = [f"runtime {device.runtime}"] if device.runtime else []
        settings += [
            f"{name} {_shown(value)}"
            for name, value in device.settings.items()
            if value != device.runtime_values.get(name, choices[name].default)
        ]
        numbers = [
            f"{name} {figure}"
            for name, figure in device.parameters.items()
            if figure.source == GIVEN
        ]
        if settings or numbers:
            yield f"set on {device.name}: {'; '.join([*settings, *numbers])}"


def assumed(bills: Iterable[Bill]) -> Iterator[str]:
    """A line for all devices that assume the same: when their figures hold, and at which end."""
    described: dict[str, list[str]] = {}
    for bill in bills:
        described.setdefault("; ".join(assumptions(bill)), []).append(bill.device.name)
    for text, names in described.items():
        if text:
            yield f"assumed on {', '.join(names)}: {text}"


def assumptions(bill: Bill) -> tuple[str, ...]:
    """What the numbers of a bill assume: what the device says, and charged ends of ranges."""
    unit_costs = {charge.unit_cost for charge in bill.total.charges}
    charged = {parameter.name for one in unit_costs for parameter, _ in one.parts}
    ends = [
        f"{name} {format_quantity(figure.value, figure.unit)}, {end}"
        for name, figure in bill.device.parameters.items()
        if name in charged
        for end in _end_of_range(figure)
    ]
    has_range = bill.total.energy_joules_low < bill.total.energy_joules_high
    exact = "no range is known of its figures" if charged and not has_range else ""
    return tuple(filter(None, [bill.device.assumes, *ends, exact, *_of_time(bill)]))


def _of_time(bill: Bill) -> Iterator[str]:
    """How well the times are known."""
    device = bill.device
    if bill.total.latency_seconds is None:
        return
    if device.known:
        yield device.known
    here = bill.evaluation.residual
    if here is not None:
        unmeasured = _unmeasured(bill)
        if here.evidence is Evidence.ASSUMED and not unmeasured and device.is_changed:
            yield f"a figure was changed; the true time is assumed to be {here} times the predicted"
        elif not unmeasured and not device.known.startswith("not measured"):
            yield f"measured times of networks were {here} times the predicted (8 of 10)"
        else:
            yield f"{unmeasured}the true time is assumed to be {here} times the predicted"


def _unmeasured(bill: Bill) -> str:
    """Which condition nobody measured, if some are and this one is not."""
    found, device = bill.evaluation, bill.device
    here = found.residual
    if here is None or not here.is_for_all or here == device.residuals[0]:
        return ""
    if device.residual(found.batch, call_format(found.workload, found.scenario)) != here:
        return "no network as short was measured; "
    return "never measured at this batch and format; "


def _end_of_range(figure: Parameter) -> Iterator[str]:
    if figure.low < figure.high and figure.value in {figure.low, figure.high}:
        end = "low" if figure.value == figure.low else "high"
        low, high = (format_quantity(one, figure.unit) for one in (figure.low, figure.high))
        yield f"the {end} end of {low} to {high}"


def not_modelled(devices: Iterable[Device]) -> Iterator[str]:
    """A line for all devices that do not model the same: what none of their prices holds."""
    described: dict[str, list[str]] = {}
    for device in devices:
        described.setdefault(device.all_not_modelled, []).append(device.name)
    yield from (
        f"not modelled on {', '.join(names)}: {text}" for text, names in described.items() if text
    )


def shaped(bill: Bill, reasons: Mapping[str, tuple[str, ...]]) -> Mapping[str, Sequence[str]]:
    """The reasons by layers that are named with the shapes that they give."""
    return {f"{name} ({shapes_of(bill.line(name).layer)})": why for name, why in reasons.items()}


def shapes_of(layer: Layer) -> str:
    """The shapes of the outputs of a layer, as text."""
    return " and ".join(layer.shown_outputs) or "an unknown shape"
