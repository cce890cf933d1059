"""An estimate as a table, as an explanation, and as plain values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from costmodel.devices import GIVEN, Charge, Cost, Parameter
from costmodel.devices.evaluation.memory import in_bytes
from costmodel.formats import FLOAT32
from costmodel.report import ignored
from costmodel.report.columns import UNKNOWN, figures, joules, least, standing, totals
from costmodel.report.table import Column, Table, escaped
from costmodel.tensor.shapes import show_shape
from costmodel.units import format_quantity
from costmodel.version import own_version
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from costmodel.conventions.convention import Convention, LayerWork
    from costmodel.devices import Device, DeviceEstimate, UnitCost
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer
    from costmodel.plugins.discovery import Plugin
    from costmodel.report.bills import Bill, Coverage, LayerCost, Share
    from costmodel.scenario import Rates, Scenario

SCHEMA: Final = "costmodel/estimate/2"

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


def explanation(bill: Bill, line: LayerCost, scenario: Scenario) -> Iterator[str]:
    """How the cost of one layer comes about, line by line; the sources are numbered."""
    sources: dict[str, int] = {}
    yield from map(escaped, _explanation(bill, line, scenario, sources))
    if sources:
        yield "  sources:"
        yield from [escaped(f"    [{number}] {text}") for text, number in sources.items()]


def _explanation(
    bill: Bill, line: LayerCost, scenario: Scenario, sources: dict[str, int]
) -> Iterator[str]:
    layer, device = line.layer, bill.device
    yield f"{layer.name} ({layer.kind}) on {device.name} ({device.title})"
    shapes = " and ".join(show_shape(tensor.example_shape) for tensor in layer.inputs) or "nothing"
    held = f"{layer.parameter_count:,}" if layer.is_counted else "an unknown number of"
    yield f"  takes {shapes}, gives {_shapes(layer)}, holds {held} parameters"
    if device.assumes:
        yield f"  assumes {device.assumes}"
    without_effect = ignored.in_words(ignored.ignored(device, [line], scenario))
    if without_effect:
        yield f"  ignores {without_effect}: no price depends on it"
    for item in line.items:
        if item.operator is not None:
            yield f"  {item.operator.summary}"
        if isinstance(item.outcome, Cost):
            yield from _cost_lines(item.outcome, sources)
        else:
            yield f"    {type(item.outcome).__name__.lower()}: {item.outcome.reason}"
    for each in line.groups:
        if each.carried.charges or each.carried.durations:
            yield f"  what {each.group.name} moves"
            yield from _cost_lines(each.carried, sources)
    yield f"  energy: {_energy(line)}"
    yield from _time_lines(bill, line)


def _cost_lines(cost: Cost, sources: dict[str, int]) -> Iterator[str]:
    for charge in cost.charges:
        yield from _charge_lines(charge, sources)
    for one in cost.durations:
        yield f"    {one} {_reference(one.rate, sources)}"


def _time_lines(bill: Bill, line: LayerCost) -> Iterator[str]:
    """How long the groups of a layer take, what limits them, and what lies in memory."""
    cost = line.cost
    if line.fused_into:
        yield f"  done within {', '.join(line.fused_into)}, whose time and traffic hold it"
    if cost.latency_seconds is not None:
        low, high = cost.latency_seconds_low, cost.latency_seconds_high
        ends = [format_quantity(end, "s") for end in (low, high) if end is not None]
        span = "" if low == high else f" ({' to '.join(ends)})"
        busy = [f"{name} {format_quantity(time, 's')}" for name, time in line.busy_seconds.items()]
        works = f", of which {', '.join(busy)}" if busy else ""
        yield f"  latency: {format_quantity(cost.latency_seconds, 's')}{span}{works}"
    share = bill.utilisation(line) if line.macs else None
    if share is not None:
        yield f"  utilisation: {share:.1%} of the multiply-accumulates that the device could do"
    for name, peak in line.peak_bytes.items():
        read, written = line.traffic_bytes.get(name, (0, 0))
        yield f"  {name}: {read:,} bytes read, {written:,} written, {peak:,} held at most"


def _charge_lines(charge: Charge, sources: dict[str, int]) -> Iterator[str]:
    unit_cost, energy = charge.unit_cost, joules(charge.energy_joules)
    factors = " x ".join(_factor(*factor) for factor in charge.factors)
    yield f"    {charge.role} ({charge.resource}): {factors} = {_counted(charge.count)}"
    if isinstance(unit_cost, Parameter):
        yield f"      x {unit_cost.name} {unit_cost} = {energy} {_reference(unit_cost, sources)}"
        return
    yield f"      x {unit_cost.name} {unit_cost.amount} = {energy}"
    for place, (parameter, weight) in enumerate(unit_cost.parts):
        part = f"{weight:.6g} x {parameter.name} {parameter} {_reference(parameter, sources)}"
        yield f"        {'+' if place else '='} {part}"


def _reference(parameter: Parameter, sources: dict[str, int]) -> str:
    """The number of the source of a parameter, which is cited once."""
    note = f"; {parameter.note}" if parameter.note else ""
    text = f"{parameter.evidence.value}: {parameter.source}{note}"
    return f"[{sources.setdefault(text, len(sources) + 1)}]"


def _factor(label: str, value: float, unit: str) -> str:
    return f"{label} {_counted(value)} {unit}".strip()


def _counted(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def _energy(line: LayerCost) -> str:
    cost = line.cost
    value = joules(cost.energy_joules)
    if line.unpriced:
        return f"at least {value}" if cost.charges else "not known"
    low, high = cost.energy_joules_low, cost.energy_joules_high
    return value if low == high else f"{value} ({joules(low)} to {joules(high)})"


def table(estimate: Reported, *, exact: bool = False) -> Table:
    """A row for each layer and a column for each device.

    `exact` has bare numbers, energies in joules, and a column for whether each is the whole one.
    """
    bills = list(estimate.bills.values())
    of_devices = [figures(bill, exact=exact) for bill in bills]
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
    yield "; ".join(show_shape(tensor.example_shape) for tensor in layer.outputs)
    yield f"{layer.parameter_count:{style}}" if layer.is_counted else unknown
    yield f"{lowered.macs:{style}}" if _has_count(lowered) else unknown


def _has_count(lowered: LayerWork) -> bool:
    """Whether it is known how much work there is, priced or not."""
    return not isinstance(lowered.work, Unpriced)


def _title(estimate: Reported) -> str:
    return (
        f"{estimate.network.name}: energy of {conditions(estimate.scenario)}, "
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
        given.append(f"default format {scenario.default_format}")
    if scenario.source_format is not None:
        given.append(f"source format {scenario.source_format}")
    return ", ".join(given)


def _footer(estimate: Reported, widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """A row for each total; `widths` are the numbers of columns of the devices."""
    bills = list(estimate.bills.values())
    parameters = f"{least(_parameters_known(estimate))}{estimate.network.parameter_count:,}"
    macs = f"{least(_macs_known(estimate))}{estimate.macs:,}"
    for title, text_of in totals(bills).items():
        counts = (parameters, macs) if title == "Total" else ("", "")
        cells = [
            cell
            for bill, width in zip(bills, widths, strict=True)
            for cell in (text_of(bill), *[""] * (width - 1))
        ]
        yield (title, "", "", *counts, *cells)


def _parameters_known(estimate: Reported) -> bool:
    return all(lowered.layer.is_counted for lowered in estimate.lowered)


def _macs_known(estimate: Reported) -> bool:
    return all(map(_has_count, estimate.lowered))


def _notes(estimate: Reported) -> Iterator[str]:
    for sort in ("unpriced", "free"):
        described: dict[tuple[str, ...], list[str]] = {}
        for name, bill in estimate.bills.items():
            reasons = getattr(bill.coverage, sort)
            listed = tuple(
                listed_reasons(_shaped(bill, reasons) if sort == "unpriced" else reasons)
            )
            described.setdefault(listed, []).append(name)
        for lines, names in described.items():
            yield from (f"{sort} on {', '.join(names)}: {line}" for line in lines)
    yield from ignored.notes(estimate.bills.values(), estimate.scenario)
    yield from changed(bill.device for bill in estimate.bills.values())
    yield from assumed(estimate.bills.values())
    yield from not_modelled(bill.device for bill in estimate.bills.values())
    yield from estimate.problems


def changed(devices: Iterable[Device]) -> Iterator[str]:
    """A line for each device with a runtime, with settings that are chosen, or changed numbers."""
    for device in devices:
        choices = device.setting_choices()
        settings = [f"runtime {device.runtime}"] if device.runtime else []
        settings += [
            f"{name} {value}"
            for name, value in device.settings.items()
            if value != choices[name].default
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
    residual = bill.device.residual if bill.total.latency_seconds is not None else None
    spread = f"measured times of networks are {residual} of the predicted" if residual else ""
    return tuple(filter(None, [bill.device.assumes, *ends, exact, spread]))


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


def _shaped(bill: Bill, reasons: Mapping[str, tuple[str, ...]]) -> Mapping[str, Sequence[str]]:
    """The reasons by layers that are named with the shapes that they give."""
    return {f"{name} ({_shapes(bill.line(name).layer)})": why for name, why in reasons.items()}


def _shapes(layer: Layer) -> str:
    shown = " and ".join(show_shape(tensor.example_shape) for tensor in layer.outputs)
    return shown or "an unknown shape"


def as_dict(estimate: Reported) -> dict[str, Any]:
    """The estimate as plain values, in SI units, by the schema that it names."""
    network, scenario = estimate.network, estimate.scenario
    return {
        "schema": SCHEMA,
        "costmodel": own_version(),
        "network": {
            "name": network.name,
            "layers": len(network.layers),
            "macs": estimate.macs,
            "macs_are_lower_bound": not _macs_known(estimate),
            "parameters": network.parameter_count,
            "parameters_are_lower_bound": not _parameters_known(estimate),
        },
        "convention": estimate.convention.name,
        "scenario": scenario_dict(scenario),
        "on_unpriced": estimate.on_unpriced,
        "plugins": [
            {"name": item.name, "distribution": item.distribution, "version": item.version}
            for item in estimate.plugins
        ],
        "problems": list(estimate.problems),
        "devices": {name: _bill_dict(bill, estimate) for name, bill in estimate.bills.items()},
    }


def scenario_dict(scenario: Scenario) -> dict[str, Any]:
    """The conditions as plain values, in SI units."""
    shapes: Any = scenario.input_shapes  # by name in every estimate
    return {
        "batch": scenario.batch,
        "timesteps": scenario.timesteps,
        "time_axis": scenario.time_axis,
        "dt_seconds": scenario.dt,
        "rates_hertz": _plain_rates(scenario.rates),
        "input_rates_hertz": _plain_rates(scenario.input_rates),
        "default_format": str(scenario.default_format),
        "source_format": None if scenario.source_format is None else str(scenario.source_format),
        "input_shapes": {name: list(shape) for name, shape in shapes.items()},
    }


def _plain_rates(rates: Rates | None) -> Any:
    return dict(rates) if isinstance(rates, Mapping) else rates


def _bill_dict(bill: Bill, estimate: Reported) -> dict[str, Any]:
    device, total = bill.device, bill.total
    pairs = zip(estimate.lowered, bill.lines, strict=True)
    return {
        "title": device.title,
        "family": device.family,
        "not_modelled_in_prices": device.all_not_modelled,
        "assumptions": list(assumptions(bill)),
        "ignored": dict(ignored.ignored(bill.device, bill.lines, estimate.scenario)),
        "file": device.file,
        "content_hash": device.content_hash,
        "parameters": {name: _parameter_dict(item) for name, item in device.parameters.items()},
        "settings": dict(device.settings),
        "runtime": device.runtime,
        **_cost_dict(total, is_complete=bill.is_complete),
        **_evaluation_dict(bill.evaluation),
        "is_lower_bound": not bill.is_complete,
        "coverage": _coverage_dict(bill.coverage),
        "layers": [_line_dict(bill, lowered, line) for lowered, line in pairs],
        "groups": _group_dicts(bill.evaluation),
    }


def _evaluation_dict(evaluation: DeviceEstimate) -> dict[str, Any]:
    """What beside energy and time is known of the whole network; None where not modelled."""
    memories = {one.name: one for one in evaluation.placement.memories}
    moved, peak = evaluation.traffic_bytes, evaluation.peak_bytes
    return {
        "energy_joules_per_inference": evaluation.energy_joules_per_inference,
        "static_energy_joules": evaluation.static.energy_joules
        if evaluation.device.has_static_charges
        else None,
        "throughput_per_second": evaluation.throughput,
        "average_power_watts": evaluation.average_power_watts,
        "utilisation": evaluation.utilisation,
        "limiting_resource": evaluation.limiting_resource,
        "busy_seconds": dict(evaluation.busy_seconds),
        "memories": {
            name: {
                "size_bytes": None if memory.size is None else memory.size.value,
                **_moved_dict(moved[name]),
                "peak_bytes": peak[name],
            }
            for name, memory in memories.items()
        },
        "fits": evaluation.fits,
        "weight_bytes": evaluation.weight_bytes,
        "area_square_metres": evaluation.area_square_metres,
        "not_modelled": list(evaluation.not_modelled),
    }


def _group_dicts(evaluation: DeviceEstimate) -> list[dict[str, Any]]:
    """The groups of operators that run as one, in order, without their charges."""
    spans = {span.group: span for span in evaluation.schedule.spans}
    found = []
    for each in evaluation.groups:
        cost = _cost_dict(each.cost, is_complete=each.is_priced)
        span = spans.get(each.group.name)
        found.append({
            "name": each.group.name,
            "layer": each.group.anchor.layer or None,
            "members": [step.name for step in each.group.members],
            "steps": each.steps,
            **cost,
            "begin_seconds": None if span is None else span.begin.value,
            "end_seconds": None if span is None else span.end.value,
            "limiting_resource": each.limiting_resource,
            "busy_seconds": dict(each.busy_seconds),
            "memories": {
                name: _moved_dict(moved) for name, moved in in_bytes(each.traffic).items()
            },
            "is_lower_bound": not each.is_priced,
        })  # fmt: skip
    return found


def _moved_dict(moved: tuple[int, int]) -> dict[str, int]:
    read, written = moved
    return {"read_bytes": read, "written_bytes": written}


def _parameter_dict(parameter: Parameter) -> dict[str, Any]:
    return {
        "value": parameter.value,
        "low": parameter.low,
        "high": parameter.high,
        "unit": parameter.unit,
        "source": parameter.source,
        "evidence": parameter.evidence.value,
        "note": parameter.note,
    }


def _cost_dict(cost: Cost, *, is_complete: bool) -> dict[str, Any]:
    return {
        "energy_joules": {
            "value": cost.energy_joules,
            "low": cost.energy_joules_low,
            "high": cost.energy_joules_high if is_complete else None,
        },
        "latency_seconds": None
        if cost.latency_seconds is None
        else {
            "value": cost.latency_seconds,
            "low": cost.latency_seconds_low,
            "high": cost.latency_seconds_high if is_complete else None,
        },
        "energy_joules_by_resource": dict(cost.energy_joules_by_resource),
        "energy_joules_by_role": dict(cost.energy_joules_by_role),
    }


def _coverage_dict(coverage: Coverage) -> dict[str, Any]:
    shares = ("layers", "operators", "macs", "parameters", "activations")
    return {
        **{name: _share_dict(getattr(coverage, name)) for name in shares},
        "free": {name: list(reasons) for name, reasons in coverage.free.items()},
        "unpriced": {name: list(reasons) for name, reasons in coverage.unpriced.items()},
    }


def _share_dict(share: Share) -> dict[str, Any]:
    return {"covered": share.covered, "total": share.total, "fraction": share.fraction}


def _line_dict(bill: Bill, lowered: LayerWork, line: LayerCost) -> dict[str, Any]:
    layer, cost = line.layer, _cost_dict(line.cost, is_complete=not line.unpriced)
    if standing(line) == "unpriced":
        cost |= {"energy_joules": None, "latency_seconds": None}
    return {
        "name": layer.name,
        "kind": layer.kind,
        "outputs": [list(tensor.example_shape) for tensor in layer.outputs],
        "parameters": layer.parameter_count if layer.is_counted else None,
        "macs": lowered.macs if _has_count(lowered) else None,
        "status": standing(line),
        **cost,
        "fused_into": list(line.fused_into),
        "utilisation": bill.utilisation(line),
        "limiting_resource": line.limiting_resource,
        "busy_seconds": dict(line.busy_seconds),
        "memories": {
            name: {**_moved_dict(line.traffic_bytes.get(name, (0, 0))), "peak_bytes": peak}
            for name, peak in line.peak_bytes.items()
        },
        "is_lower_bound": bool(line.unpriced),
        "charges": [_charge_dict(charge) for charge in line.cost.charges],
        "free": list(line.free),
        "unpriced": list(line.unpriced),
    }


def _charge_dict(charge: Charge) -> dict[str, Any]:
    return {
        "resource": charge.resource,
        "role": charge.role,
        "count": charge.count,
        "factors": [
            {"label": label, "value": value, "unit": unit} for label, value, unit in charge.factors
        ],
        "unit_cost": _unit_cost_dict(charge.unit_cost),
    }


def _unit_cost_dict(unit_cost: Parameter | UnitCost) -> dict[str, Any]:
    return {
        "name": unit_cost.name,
        "value": unit_cost.value,
        "unit": unit_cost.unit,
        "parts": [
            {"parameter": parameter.name, "weight": weight} for parameter, weight in unit_cost.parts
        ],
    }
