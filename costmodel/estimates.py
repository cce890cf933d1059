"""The estimate: read, lower, price, collect; each step can be called alone."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import field, frozen

from costmodel import catalogue as catalogues
from costmodel.convention import Convention, LoweredLayer
from costmodel.devices import COMPONENTS, Charge, Cost, Device, Outcome
from costmodel.errors import CostModelError, UnknownNameError, UnpricedError, UnpricedWarning
from costmodel.network import Network
from costmodel.operators import Free, Operator, Unpriced
from costmodel.report import Column, Table
from costmodel.scenario import Scenario
from costmodel.tensor import show_shape
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costmodel.catalogue import Catalogue
    from costmodel.layer import Layer
    from costmodel.plugins import Plugin
    from costmodel.tensor import Shape

SCHEMA: Final = "costmodel/estimate/1"

OnUnpriced: TypeAlias = Literal["error", "warn", "bound"]
"""What an estimate does about unpriced work: stop, warn, or call its totals lower bounds."""

ON_UNPRICED: Final = ("error", "warn", "bound")
_SHOWN_REASONS: Final = 8


@frozen
class Item:
    """One operator of a layer, or None where the layer has none, and what was said of it."""

    operator: Operator | None
    outcome: Outcome


@frozen(slots=False)
class Line:
    """What one layer costs on one device."""

    layer: Layer
    items: tuple[Item, ...]

    @cached_property
    def cost(self) -> Cost:
        """The charges of all operators of the layer."""
        costs = [item.outcome for item in self.items if isinstance(item.outcome, Cost)]
        if len(costs) == 1:
            return costs[0]
        times = [cost.latency_seconds for cost in costs]
        latency = None if None in times else math.fsum(times)  # type: ignore[arg-type]
        return Cost(tuple(charge for cost in costs for charge in cost.charges), latency)

    @property
    def free(self) -> tuple[str, ...]:
        """Why work of this layer is free."""
        return _reasons(self.items, Free)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Why work of this layer has no price."""
        return _reasons(self.items, Unpriced)


@frozen
class Share:
    """How much of a total was priced or is free with a reason."""

    covered: int
    total: int

    @property
    def fraction(self) -> float:
        """Between 0 and 1; 1 where there is nothing to cover."""
        return self.covered / self.total if self.total else 1.0


@frozen
class Coverage:
    """How much of a network is in the total, what was free, and what has no price."""

    layers: Share
    operators: Share
    macs: Share
    parameters: Share
    free: Mapping[str, tuple[str, ...]]
    unpriced: Mapping[str, tuple[str, ...]]

    @property
    def fraction(self) -> float:
        """The share of layers that are priced or free for a reason."""
        return self.layers.fraction

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing from the total."""
        return not self.unpriced


@frozen(slots=False)
class Bill:
    """A line for every layer of a network on one device."""

    device: Device
    lines: tuple[Line, ...] = field(converter=tuple)

    def line(self, layer: str) -> Line:
        """The line of the layer called `layer`.

        Raises:
            UnknownNameError: there is none.

        """
        try:
            return self._by_name[layer]
        except KeyError:
            raise UnknownNameError("layer", layer, self._by_name) from None

    @cached_property
    def _by_name(self) -> Mapping[str, Line]:
        return {line.layer.name: line for line in self.lines}

    @cached_property
    def total(self) -> Cost:
        """The charges of all layers; the time is known only where it is known for every one."""
        costs = [line.cost for line in self.lines]
        times = [cost.latency_seconds for cost in costs if cost.charges]
        latency = None if None in times or not times else math.fsum(times)  # type: ignore[arg-type]
        return Cost(tuple(charge for cost in costs for charge in cost.charges), latency)

    @cached_property
    def coverage(self) -> Coverage:
        """How much of the network is in the total."""
        items = [item for line in self.lines for item in line.items if item.operator is not None]
        covered = [line for line in self.lines if not line.unpriced]
        return Coverage(
            layers=Share(len(covered), len(self.lines)),
            operators=Share(sum(not _is_unpriced(item) for item in items), len(items)),
            macs=Share(
                sum(_macs(item) for item in items if not _is_unpriced(item)),
                sum(map(_macs, items)),
            ),
            parameters=Share(_parameters(covered), _parameters(self.lines)),
            free={line.layer.name: line.free for line in self.lines if line.free},
            unpriced={line.layer.name: line.unpriced for line in self.lines if line.unpriced},
        )


@frozen(slots=False)
class Estimate:
    """The bill of a network on every device, with its conditions and its coverage."""

    network: Network
    convention: Convention
    scenario: Scenario
    lowered: tuple[LoweredLayer, ...] = field(repr=False)
    bills: Mapping[str, Bill] = field(repr=False)
    on_unpriced: OnUnpriced = "warn"
    plugins: tuple[Plugin, ...] = field(default=(), repr=False)
    problems: tuple[str, ...] = ()

    def bill(self, device: str) -> Bill:
        """The bill on the device called `device`.

        Raises:
            UnknownNameError: the estimate has no such device.

        """
        try:
            return self.bills[device]
        except KeyError:
            raise UnknownNameError("device of this estimate", device, self.bills) from None

    def total(self, device: str) -> Cost:
        """What the whole network costs on a device."""
        return self.bill(device).total

    def coverage(self, device: str) -> Coverage:
        """How much of the network is in the total on a device."""
        return self.bill(device).coverage

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference under this convention."""
        return sum(layer.macs for layer in self.lowered)

    def explain(self, layer: str, device: str) -> str:
        """How the cost of one layer on one device comes about, down to the sources."""
        return "\n".join(_explanation(self.bill(device), self.bill(device).line(layer)))

    def to_dict(self) -> dict[str, Any]:
        """The estimate as plain values, in SI units; the schema is named in it."""
        return _as_dict(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """The estimate as JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def table(self) -> Table:
        """The bill as a table: a row for each layer, a column for each device."""
        return _table(self)

    def __str__(self) -> str:
        """Write the table as plain text."""
        return self.table().text()


def read(
    source: object,
    *,
    input_shapes: Mapping[str, Shape] | None = None,
    catalogue: Catalogue | None = None,
) -> Network:
    """Read a network from a live model, a file, or the text of its JSON.

    `input_shapes` binds the open axes of inputs, by input name and without the batch axis.

    Raises:
        ReadError: the source is of no known sort, or damaged.
        NetworkError: its layers do not make a network.

    """
    network = (catalogue or catalogues.installed()).read(source)
    return network.bind(input_shapes) if input_shapes else network


def measure_rates(
    source: object,
    examples: Any,
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
    catalogue: Catalogue | None = None,
) -> Mapping[str, float]:
    """Firing rates in hertz: the mean absolute input of every layer of a live model.

    `examples` is an array, or a list or mapping of arrays for several inputs, the batch axis
    first. `progress` is called with the number of examples done and their total.

    Raises:
        ReadError: the source cannot be run.

    """
    reader = (catalogue or catalogues.installed()).reader(source)
    return reader.measure_rates(
        source, examples, batch_size=batch_size, progress=progress or _silent
    )


def lower(
    network: Network, scenario: Scenario | None = None, convention: Convention | None = None
) -> tuple[LoweredLayer, ...]:
    """The work of every layer, in topological order, by the rules of a convention.

    Raises:
        ShapeError: an axis is open that the scenario does not bind.

    """
    scenario = scenario or Scenario()
    bound = network.bind(scenario.input_shapes) if scenario.input_shapes else network
    return (convention or Convention()).lower(bound, scenario)


def price(
    lowered: Sequence[LoweredLayer],
    device: Device,
    scenario: Scenario | None = None,
    convention: Convention | None = None,
) -> Bill:
    """The price of lowered work on one device."""
    scenario, convention = scenario or Scenario(), convention or Convention()
    return Bill(device, tuple(_line(layer, device, scenario, convention) for layer in lowered))


def estimate(
    source: object,
    devices: str | Path | Device | Sequence[str | Path | Device],
    *,
    scenario: Scenario | None = None,
    convention: str | Convention = "costmodel",
    on_unpriced: OnUnpriced = "warn",
    catalogue: Catalogue | None = None,
) -> Estimate:
    """What a network costs on each of `devices`, and why.

    `source` is a `Network` or anything that `read` takes; a device is a name, the path of a
    YAML file or a `Device`.

    Raises:
        CostModelError: the source, a device, the convention or the scenario is not usable.
        UnpricedError: work has no price and `on_unpriced` is "error".

    """
    catalogue = catalogue or catalogues.installed()
    scenario = scenario or Scenario()
    _check_on_unpriced(on_unpriced)
    chosen = _devices(devices, catalogue)
    rules = catalogue.convention(convention)
    network = source if isinstance(source, Network) else catalogue.read(source)
    lowered = lower(network, scenario, rules)
    scenario.check_rates({layer.layer.name: None for layer in lowered})
    bills = [price(lowered, device, scenario, rules) for device in chosen]
    collected = collect(network, lowered, bills, scenario, rules, on_unpriced, catalogue)
    _answer_unpriced(collected)
    return collected


def collect(
    network: Network,
    lowered: Sequence[LoweredLayer],
    bills: Sequence[Bill],
    scenario: Scenario,
    convention: Convention,
    on_unpriced: OnUnpriced = "warn",
    catalogue: Catalogue | None = None,
) -> Estimate:
    """The bills of one network as an estimate, with the plugins that took part."""
    plugins = catalogue.plugins if catalogue else None
    return Estimate(
        network, convention, scenario, tuple(lowered),
        {bill.device.name: bill for bill in bills}, on_unpriced,
        tuple(plugins or ()), plugins.problems if plugins else (),
    )  # fmt: skip


def _silent(done: int, total: int) -> None:
    """Show no progress."""


def _check_on_unpriced(value: str) -> None:
    if value not in ON_UNPRICED:
        raise UnknownNameError("value of on_unpriced", value, ON_UNPRICED)


def _devices(
    devices: str | Path | Device | Sequence[str | Path | Device], catalogue: Catalogue
) -> list[Device]:
    single = isinstance(devices, str | Path | Device)
    asked: Sequence[str | Path | Device] = [devices] if single else devices  # type: ignore[list-item,assignment]
    chosen = [catalogue.device(device) for device in asked]
    names = [device.name for device in chosen]
    if not chosen:
        message = f"no device is given; known: {', '.join(catalogue.device_names)}"
        raise CostModelError(message)
    if len(set(names)) < len(names):
        message = f"device {max(names, key=names.count)!r} is given more than once"
        raise CostModelError(message)
    return chosen


def _line(
    lowered: LoweredLayer, device: Device, scenario: Scenario, convention: Convention
) -> Line:
    work = lowered.work
    if isinstance(work, Free | Unpriced):
        return Line(lowered.layer, (Item(None, work),))
    local = scenario.at(lowered.layer.name)
    return Line(
        lowered.layer,
        tuple(Item(operator, convention.price(device, operator, local)) for operator in work),
    )


def _is_unpriced(item: Item) -> bool:
    return isinstance(item.outcome, Unpriced)


def _macs(item: Item) -> int:
    return item.operator.macs if item.operator else 0


def _parameters(lines: Iterable[Line]) -> int:
    return sum(line.layer.parameter_count for line in lines if line.layer.shares is None)


def _reasons(items: Iterable[Item], sort: type[Free | Unpriced]) -> tuple[str, ...]:
    found = (item.outcome.reason for item in items if isinstance(item.outcome, sort))
    return tuple(dict.fromkeys(found))


def _answer_unpriced(estimate: Estimate) -> None:
    if estimate.on_unpriced == "bound":
        return
    for name, bill in estimate.bills.items():
        if not bill.coverage.is_complete:
            message = _unpriced_message(name, bill.coverage)
            if estimate.on_unpriced == "error":
                raise UnpricedError(message)
            warnings.warn(message, UnpricedWarning, stacklevel=3)


def _unpriced_message(device: str, coverage: Coverage) -> str:
    layers = coverage.layers
    lines = [
        f"the total on {device!r} leaves out {layers.total - layers.covered} "
        f"of {layers.total} layers:",
        *_listed_reasons(coverage.unpriced),
        'pass on_unpriced="error" to stop here, or "bound" to take the total as "at least"',
    ]
    return "\n  ".join(lines)


def _listed_reasons(reasons: Mapping[str, Sequence[str]]) -> list[str]:
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


def _explanation(bill: Bill, line: Line) -> Iterator[str]:
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
    yield f"    {charge.component}: {factors} = {charge.count:,.6g}"
    yield f"      x {parameter.name} {parameter} = {_joules(charge.energy_joules)}"
    note = f"; {parameter.note}" if parameter.note else ""
    yield f"      [{parameter.evidence.value}: {parameter.source}{note}]"


def _factor(label: str, value: float, unit: str) -> str:
    shown = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return f"{shown} {unit} {label}" if unit else f"{shown} {label}"


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


def _table(estimate: Estimate) -> Table:
    bills = list(estimate.bills.values())
    columns = [
        Column("Layer"), Column("Kind"), Column("Output"),
        Column("Parameters", numeric=True), Column("MACs", numeric=True),
        *(Column(bill.device.name, numeric=True) for bill in bills),
    ]  # fmt: skip
    rows = [
        (
            lowered.layer.name,
            lowered.layer.kind,
            "; ".join(show_shape(tensor.shape) for tensor in lowered.layer.outputs),
            f"{lowered.layer.parameter_count:,}",
            f"{lowered.macs:,}",
            *(_cell(bill.lines[index]) for bill in bills),
        )
        for index, lowered in enumerate(estimate.lowered)
    ]
    return Table(_title(estimate), columns, rows, _footer(estimate), _notes(estimate))


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
    least = "" if bill.coverage.is_complete else ">= "
    return least + _joules(bill.total.energy_joules)


def _notes(estimate: Estimate) -> Iterator[str]:
    for sort in ("unpriced", "free"):
        told: dict[tuple[str, ...], list[str]] = {}
        for name, bill in estimate.bills.items():
            listed = tuple(_listed_reasons(getattr(bill.coverage, sort)))
            told.setdefault(listed, []).append(name)
        for lines, names in told.items():
            yield from (f"{sort} on {', '.join(names)}: {line}" for line in lines)
    yield from estimate.problems


def _as_dict(estimate: Estimate) -> dict[str, Any]:
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
        **_cost_dict(bill.total),
        "is_lower_bound": not bill.coverage.is_complete,
        "coverage": _coverage_dict(bill.coverage),
        "layers": [_line_dict(line) for line in bill.lines],
    }


def _parameter_dict(parameter: Any) -> dict[str, Any]:
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
        "factors": [
            {"label": label, "value": value, "unit": unit} for label, value, unit in charge.factors
        ],
    }
