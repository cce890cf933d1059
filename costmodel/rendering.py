"""An estimate as a table, as an explanation, and as plain values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from costmodel import ignored
from costmodel.devices import COMPONENTS, GIVEN, Charge, Cost
from costmodel.numerics import FLOAT32
from costmodel.report import Column, Table, escaped
from costmodel.tensor import show_shape
from costmodel.units import format_quantity
from costmodel.version import own_version
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from collections.abc import Callable

    from costmodel.bills import Bill, Coverage, Line, Share
    from costmodel.convention import LayerWork
    from costmodel.devices import Device, Parameter
    from costmodel.estimates import Estimate
    from costmodel.layer import Layer
    from costmodel.scenario import Rates, Scenario

SCHEMA: Final = "costmodel/estimate/1"

_SHOWN_REASONS: Final = 8
_UNKNOWN: Final = "?"
_EXACT_CELLS: Final = 5
"""Of each device in an exact table: value, low, high, seconds and standing."""


def listed_reasons(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    """The reasons, each once with the layers that it holds for; long lists are cut."""
    by_reason: dict[str, list[str]] = {}
    for layer, whys in reasons.items():
        for why in whys:
            by_reason.setdefault(why, []).append(layer)
    listed = [f"{some(layers)}: {why}" for why, layers in by_reason.items()]
    more = len(listed) - _SHOWN_REASONS
    return listed[:_SHOWN_REASONS] + ([f"and {more} more reasons"] if more > 0 else [])


def standing(line: Line) -> str:
    """Whether a layer is `priced`, `partial`, `free` or `unpriced`."""
    if line.unpriced:
        return "partial" if line.cost.due else "unpriced"
    return "priced" if line.cost.due else "free"


def some(names: Sequence[str], limit: int = 3) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def explanation(bill: Bill, line: Line, scenario: Scenario) -> Iterator[str]:
    """How the cost of one layer comes about, line by line."""
    yield from map(escaped, _explanation(bill, line, scenario))


def _explanation(bill: Bill, line: Line, scenario: Scenario) -> Iterator[str]:
    layer, device = line.layer, bill.device
    yield f"{layer.name} ({layer.kind}) on {device.name} ({device.title})"
    shapes = " and ".join(show_shape(tensor.example_shape) for tensor in layer.inputs) or "nothing"
    held = f"{layer.parameter_count:,}" if layer.is_counted else "an unknown number of"
    yield f"  takes {shapes}, gives {_shapes(layer)}, holds {held} parameters"
    if device.assumes:
        yield f"  assumes {device.assumes}"
    without_effect = ignored.in_words(ignored.ignored(evolve(bill, lines=(line,)), scenario))
    if without_effect:
        yield f"  ignores {without_effect}: no price depends on it"
    for item in line.items:
        if item.operator is not None:
            yield f"  {item.operator.summary}"
        if isinstance(item.outcome, Cost):
            for charge in item.outcome.charges:
                yield from _charge_lines(charge)
        else:
            yield f"    {type(item.outcome).__name__.lower()}: {item.outcome.reason}"
    yield f"  energy: {_energy(line)}"


def _charge_lines(charge: Charge) -> Iterator[str]:
    parameter = charge.parameter
    factors = " x ".join(_factor(*factor) for factor in charge.factors)
    yield f"    {charge.component}: {factors} = {_counted(charge.count)}"
    yield f"      x {parameter.name} {parameter} = {_joules(charge.energy_joules)}"
    note = f"; {parameter.note}" if parameter.note else ""
    yield f"      [{parameter.evidence.value}: {parameter.source}{note}]"


def _factor(label: str, value: float, unit: str) -> str:
    return f"{label} {_counted(value)} {unit}".rstrip()


def _counted(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def _energy(line: Line) -> str:
    cost = line.cost
    value = _joules(cost.energy_joules)
    if line.unpriced:
        return f"at least {value}" if cost.due else "not known"
    low, high = cost.energy_joules_low, cost.energy_joules_high
    return value if low == high else f"{value} ({_joules(low)} to {_joules(high)})"


def _joules(value: float) -> str:
    return format_quantity(value, "J")


def shown_energy(line: Line) -> str:
    """What a layer costs as a cell of a table, or why there is no number."""
    energy = _joules(line.cost.energy_joules)
    return {"priced": energy, "partial": f"{energy} + unpriced"}.get(standing(line), standing(line))


def table(estimate: Estimate, *, exact: bool = False) -> Table:
    """A row for each layer and a column for each device.

    `exact` has bare numbers, energies in joules, and a column for whether each is the whole one.
    """
    bills = list(estimate.bills.values())
    columns = [
        Column("Layer"), Column("Kind"), Column("Output"),
        Column("Parameters", numeric=True), Column(_macs_title(estimate), numeric=True),
        *(column for bill in bills for column in _device_columns(bill, exact=exact)),
    ]  # fmt: skip
    rows = [
        (
            *_layer_cells(lowered, exact=exact),
            *(cell for bill in bills for cell in _cells(bill.lines[index], exact=exact)),
        )
        for index, lowered in enumerate(estimate.lowered)
    ]
    return Table(_title(estimate), columns, rows, _footer(estimate, exact=exact), _notes(estimate))


def _macs_title(estimate: Estimate) -> str:
    return "MACs" if estimate.scenario.batch == 1 else "MACs/example"


def _device_columns(bill: Bill, *, exact: bool) -> Iterator[Column]:
    name = bill.device.name
    if not exact:
        yield Column(name, numeric=True)
        return
    for title in ("(J)", "low (J)", "high (J)", "latency (s)"):
        yield Column(f"{name} {title}", numeric=True)
    yield Column(f"{name} status")


def _layer_cells(lowered: LayerWork, *, exact: bool) -> Iterator[str]:
    layer, style = lowered.layer, "" if exact else ","
    unknown = "" if exact else _UNKNOWN
    yield from (layer.name, layer.kind)
    yield "; ".join(show_shape(tensor.example_shape) for tensor in layer.outputs)
    yield f"{layer.parameter_count:{style}}" if layer.is_counted else unknown
    yield f"{lowered.macs:{style}}" if _has_count(lowered) else unknown


def _has_count(lowered: LayerWork) -> bool:
    """Whether it is known how much work there is, priced or not."""
    return not isinstance(lowered.work, Unpriced)


def _cells(line: Line, *, exact: bool) -> tuple[str, ...]:
    if not exact:
        return (shown_energy(line),)
    cost, state = line.cost, standing(line)
    if state == "unpriced":
        return ("", "", "", "", state)
    high = "" if line.unpriced else repr(cost.energy_joules_high)
    time = "" if cost.latency_seconds is None else repr(cost.latency_seconds)
    return (repr(cost.energy_joules), repr(cost.energy_joules_low), high, time, state)


def _title(estimate: Estimate) -> str:
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


def _footer(estimate: Estimate, *, exact: bool) -> Iterator[tuple[str, ...]]:
    bills = estimate.bills.values()
    beside = ("",) * (_EXACT_CELLS - 1) * exact

    def row(title: str, tell: Callable[[Bill], str], *counts: str) -> tuple[str, ...]:
        cells = [cell for bill in bills for cell in (tell(bill), *beside)]
        return (title, "", "", *(counts or ("", "")), *cells)

    parameters = f"{_least(_parameters_known(estimate))}{estimate.network.parameter_count:,}"
    macs = f"{_least(_macs_known(estimate))}{estimate.macs:,}"
    yield row("Total", _total_cell, parameters, macs)
    if any(map(_has_range, bills)):
        yield row("Total, low", _low_cell)
        yield row("Total, high", _high_cell)
    if any(bill.total.latency_seconds is not None for bill in bills):
        yield row("Latency", _latency_cell)
    yield row("Layers covered", lambda bill: f"{bill.coverage.fraction:.1%}")
    yield row("Activations covered", lambda bill: _percent(bill.coverage.activations))


def _percent(share: Share) -> str:
    return _UNKNOWN if share.fraction is None else f"{share.fraction:.1%}"


def _parameters_known(estimate: Estimate) -> bool:
    return all(lowered.layer.is_counted for lowered in estimate.lowered)


def _macs_known(estimate: Estimate) -> bool:
    return all(map(_has_count, estimate.lowered))


def _least(known: object) -> str:
    return "" if known else ">= "


def _total_cell(bill: Bill) -> str:
    return _least(bill.is_complete) + _joules(bill.total.energy_joules)


def _has_range(bill: Bill) -> bool:
    return bill.total.energy_joules_low != bill.total.energy_joules_high


def _low_cell(bill: Bill) -> str:
    low = _least(bill.is_complete) + _joules(bill.total.energy_joules_low)
    return low if _has_range(bill) else ""


def _high_cell(bill: Bill) -> str:
    high = _joules(bill.total.energy_joules_high) if bill.is_complete else _UNKNOWN
    return high if _has_range(bill) else ""


def _latency_cell(bill: Bill) -> str:
    seconds = bill.total.latency_seconds
    if seconds is None:
        return _UNKNOWN
    return _least(bill.is_complete) + format_quantity(seconds, "s")


def _notes(estimate: Estimate) -> Iterator[str]:
    for sort in ("unpriced", "free"):
        told: dict[tuple[str, ...], list[str]] = {}
        for name, bill in estimate.bills.items():
            reasons = getattr(bill.coverage, sort)
            listed = tuple(
                listed_reasons(_shaped(bill, reasons) if sort == "unpriced" else reasons)
            )
            told.setdefault(listed, []).append(name)
        for lines, names in told.items():
            yield from (f"{sort} on {', '.join(names)}: {line}" for line in lines)
    yield from ignored.notes(estimate.bills.values(), estimate.scenario)
    yield from changed(bill.device for bill in estimate.bills.values())
    yield from assumed(estimate.bills.values())
    yield from left_out(bill.device for bill in estimate.bills.values())
    yield from estimate.problems


def changed(devices: Iterable[Device]) -> Iterator[str]:
    """A line for each device of which a caller changed numbers, or whose settings are chosen."""
    for device in devices:
        choices = device.option_choices()
        settings = [
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
    told: dict[str, list[str]] = {}
    for bill in bills:
        told.setdefault("; ".join(assumptions(bill)), []).append(bill.device.name)
    yield from (f"assumed on {', '.join(names)}: {text}" for text, names in told.items() if text)


def assumptions(bill: Bill) -> tuple[str, ...]:
    """What the numbers of a bill assume: what the device says, and charged ends of ranges."""
    charged = {figure.name for _, _, price in bill.total.due for figure, _ in price}
    ends = [
        f"{name} {format_quantity(figure.value, figure.unit)}, {end}"
        for name, figure in bill.device.parameters.items()
        if name in charged
        for end in _end_of_range(figure)
    ]
    has_range = bill.total.energy_joules_low < bill.total.energy_joules_high
    exact = "no range is known of its figures" if charged and not has_range else ""
    return tuple(filter(None, [bill.device.assumes, *ends, exact]))


def _end_of_range(figure: Parameter) -> Iterator[str]:
    if figure.low < figure.high and figure.value in {figure.low, figure.high}:
        end = "low" if figure.value == figure.low else "high"
        low, high = (format_quantity(one, figure.unit) for one in (figure.low, figure.high))
        yield f"the {end} end of {low} to {high}"


def left_out(devices: Iterable[Device]) -> Iterator[str]:
    """A line for all devices that leave out the same: what none of their prices holds."""
    told: dict[str, list[str]] = {}
    for device in devices:
        told.setdefault(device.left_out, []).append(device.name)
    yield from (f"left out on {', '.join(names)}: {text}" for text, names in told.items() if text)


def _shaped(bill: Bill, reasons: Mapping[str, tuple[str, ...]]) -> Mapping[str, Sequence[str]]:
    """The reasons by layers that are named with the shapes that they give."""
    return {f"{name} ({_shapes(bill.line(name).layer)})": why for name, why in reasons.items()}


def _shapes(layer: Layer) -> str:
    shown = " and ".join(show_shape(tensor.example_shape) for tensor in layer.outputs)
    return shown or "an unknown shape"


def as_dict(estimate: Estimate) -> dict[str, Any]:
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


def _bill_dict(bill: Bill, estimate: Estimate) -> dict[str, Any]:
    device, total = bill.device, bill.total
    pairs = zip(estimate.lowered, bill.lines, strict=True)
    return {
        "title": device.title,
        "family": device.family,
        "leaves_out": device.left_out,
        "assumptions": list(assumptions(bill)),
        "ignored": dict(ignored.ignored(bill, estimate.scenario)),
        "file": device.file,
        "content_hash": device.content_hash,
        "parameters": {name: _parameter_dict(item) for name, item in device.parameters.items()},
        "settings": dict(device.settings),
        **_cost_dict(total, is_complete=bill.is_complete),
        "is_lower_bound": not bill.is_complete,
        "coverage": _coverage_dict(bill.coverage),
        "layers": [_line_dict(lowered, line) for lowered, line in pairs],
    }


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
    parts = cost.components
    order = [*(name for name in COMPONENTS if name in parts), *sorted(parts.keys() - {*COMPONENTS})]
    return {
        "energy_joules": {
            "value": cost.energy_joules,
            "low": cost.energy_joules_low,
            "high": cost.energy_joules_high if is_complete else None,
        },
        "latency_seconds": cost.latency_seconds,
        "components": {name: parts[name] for name in order},
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


def _line_dict(lowered: LayerWork, line: Line) -> dict[str, Any]:
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
        "is_lower_bound": bool(line.unpriced),
        "charges": [_charge_dict(charge) for charge in line.cost.charges],
        "free": list(line.free),
        "unpriced": list(line.unpriced),
    }


def _charge_dict(charge: Charge) -> dict[str, Any]:
    return {
        "component": charge.component,
        "count": charge.count,
        "parameter": charge.parameter.name,
        "unit_price": {"value": charge.parameter.value, "unit": charge.parameter.unit},
        "factors": [
            {"label": label, "value": value, "unit": unit} for label, value, unit in charge.factors
        ],
    }
