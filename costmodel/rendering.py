"""An estimate as a table, as an explanation, and as plain values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from costmodel.devices import COMPONENTS, Charge, Cost
from costmodel.report import Column, Table
from costmodel.tensor import show_shape
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.bills import Bill, Coverage, Line, Share
    from costmodel.devices import Parameter
    from costmodel.estimates import Estimate
    from costmodel.scenario import Scenario

SCHEMA: Final = "costmodel/estimate/1"

_SHOWN_REASONS: Final = 8


def listed_reasons(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    """The reasons, each once with the layers that it holds for; long lists are cut."""
    by_reason: dict[str, list[str]] = {}
    for layer, whys in reasons.items():
        for why in whys:
            by_reason.setdefault(why, []).append(layer)
    listed = [f"{_some(layers)}: {why}" for why, layers in by_reason.items()]
    more = len(listed) - _SHOWN_REASONS
    return listed[:_SHOWN_REASONS] + ([f"and {more} more reasons"] if more > 0 else [])


def _some(names: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def explanation(bill: Bill, line: Line) -> Iterator[str]:
    """How the cost of one layer comes about, line by line."""
    layer, device = line.layer, bill.device
    yield f"{layer.name} ({layer.kind}) on {device.name} ({device.title})"
    shapes = " and ".join(show_shape(tensor.shape) for tensor in layer.inputs) or "nothing"
    outputs = " and ".join(show_shape(tensor.shape) for tensor in layer.outputs)
    yield f"  takes {shapes}, gives {outputs}, holds {layer.parameter_count:,} parameters"
    for item in line.items:
        if item.operator is not None:
            yield f"  {item.operator.summary}"
        if isinstance(item.outcome, Cost):
            for charge in item.outcome.charges:
                yield from _charge_lines(charge)
        else:
            yield f"    {type(item.outcome).__name__.lower()}: {item.outcome.reason}"
    yield f"  energy: {_energy(line.cost)}"


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


def _energy(cost: Cost) -> str:
    value = _joules(cost.energy_joules)
    low, high = cost.energy_joules_low, cost.energy_joules_high
    return value if low == high else f"{value} ({_joules(low)} to {_joules(high)})"


def _joules(value: float) -> str:
    return format_quantity(value, "J")


def _cell(line: Line) -> str:
    if line.unpriced:
        known = f"{_joules(line.cost.energy_joules)} + " if line.cost.charges else ""
        return f"{known}unpriced"
    return _joules(line.cost.energy_joules) if line.cost.charges else "free"


def table(estimate: Estimate, *, exact: bool = False) -> Table:
    """A row for each layer and a column for each device; `exact` has bare numbers in joules."""
    bills = list(estimate.bills.values())
    cell = _exact_cell if exact else _cell
    columns = [
        Column("Layer"), Column("Kind"), Column("Output"),
        Column("Parameters", numeric=True), Column("MACs", numeric=True),
        *(Column(f"{bill.device.name}{' (J)' * exact}", numeric=True) for bill in bills),
    ]  # fmt: skip
    rows = [
        (
            lowered.layer.name,
            lowered.layer.kind,
            "; ".join(show_shape(tensor.shape) for tensor in lowered.layer.outputs),
            f"{lowered.layer.parameter_count:{'' if exact else ','}}",
            f"{lowered.macs:{'' if exact else ','}}",
            *(cell(bill.lines[index]) for bill in bills),
        )
        for index, lowered in enumerate(estimate.lowered)
    ]
    return Table(_title(estimate), columns, rows, _footer(estimate), _notes(estimate))


def _exact_cell(line: Line) -> str:
    return "" if line.unpriced else repr(line.cost.energy_joules)


def _title(estimate: Estimate) -> str:
    scenario = estimate.scenario
    rates = scenario.rates
    given = "" if rates is None else f", {rates:g} Hz" if isinstance(rates, float) else ", rates"
    steps = f"{scenario.timesteps} timestep{'s' if scenario.timesteps > 1 else ''}"
    return (
        f"{estimate.network.name}: energy of one batch of {scenario.batch}, {steps} of "
        f"{format_quantity(scenario.dt, 's')}{given}, convention {estimate.convention.name}"
    )


def _footer(estimate: Estimate) -> list[tuple[str, ...]]:
    bills = estimate.bills.values()
    count = f"{estimate.network.parameter_count:,}"
    totals = ("Total", "", "", count, f"{estimate.macs:,}", *map(_total_cell, bills))
    covered = (f"{bill.coverage.fraction:.1%}" for bill in bills)
    return [totals, ("Layers covered", "", "", "", "", *covered)]


def _total_cell(bill: Bill) -> str:
    least = "" if bill.is_complete else ">= "
    return least + _joules(bill.total.energy_joules)


def _notes(estimate: Estimate) -> Iterator[str]:
    for sort in ("unpriced", "free"):
        told: dict[tuple[str, ...], list[str]] = {}
        for name, bill in estimate.bills.items():
            listed = tuple(listed_reasons(getattr(bill.coverage, sort)))
            told.setdefault(listed, []).append(name)
        for lines, names in told.items():
            yield from (f"{sort} on {', '.join(names)}: {line}" for line in lines)
    yield from estimate.problems


def as_dict(estimate: Estimate) -> dict[str, Any]:
    """The estimate as plain values, in SI units, by the schema that it names."""
    network, scenario = estimate.network, estimate.scenario
    return {
        "schema": SCHEMA,
        "costmodel": metadata.version("costmodel"),
        "network": {
            "name": network.name,
            "layers": len(network.layers),
            "macs": estimate.macs,
            "parameters": network.parameter_count,
        },
        "convention": estimate.convention.name,
        "scenario": _scenario_dict(scenario),
        "on_unpriced": estimate.on_unpriced,
        "plugins": [
            {"name": item.name, "distribution": item.distribution, "version": item.version}
            for item in estimate.plugins
        ],
        "problems": list(estimate.problems),
        "devices": {name: _bill_dict(bill) for name, bill in estimate.bills.items()},
    }


def _scenario_dict(scenario: Scenario) -> dict[str, Any]:
    rates = scenario.rates
    return {
        "batch": scenario.batch,
        "timesteps": scenario.timesteps,
        "dt_seconds": scenario.dt,
        "rates_hertz": dict(rates) if isinstance(rates, Mapping) else rates,
        "default_format": str(scenario.default_format),
        "input_shapes": {name: list(shape) for name, shape in scenario.input_shapes.items()},
    }


def _bill_dict(bill: Bill) -> dict[str, Any]:
    device = bill.device
    return {
        "title": device.title,
        "family": device.family,
        "file": device.file,
        "content_hash": device.content_hash,
        "parameters": {name: _parameter_dict(item) for name, item in device.parameters.items()},
        "settings": dict(device.settings),
        **_cost_dict(bill.total),
        "is_lower_bound": not bill.is_complete,
        "coverage": _coverage_dict(bill.coverage),
        "layers": [_line_dict(line) for line in bill.lines],
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


def _cost_dict(cost: Cost) -> dict[str, Any]:
    parts = cost.components
    order = [*(name for name in COMPONENTS if name in parts), *sorted(parts.keys() - {*COMPONENTS})]
    return {
        "energy_joules": {
            "value": cost.energy_joules,
            "low": cost.energy_joules_low,
            "high": cost.energy_joules_high,
        },
        "latency_seconds": cost.latency_seconds,
        "components": {name: parts[name] for name in order},
    }


def _coverage_dict(coverage: Coverage) -> dict[str, Any]:
    shares = ("layers", "operators", "macs", "parameters")
    return {
        **{name: _share_dict(getattr(coverage, name)) for name in shares},
        "free": {name: list(reasons) for name, reasons in coverage.free.items()},
        "unpriced": {name: list(reasons) for name, reasons in coverage.unpriced.items()},
    }


def _share_dict(share: Share) -> dict[str, Any]:
    return {"covered": share.covered, "total": share.total, "fraction": share.fraction}


def _line_dict(line: Line) -> dict[str, Any]:
    layer = line.layer
    return {
        "name": layer.name,
        "kind": layer.kind,
        "outputs": [list(tensor.shape) for tensor in layer.outputs],
        "parameters": layer.parameter_count,
        **_cost_dict(line.cost),
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
