"""How the cost of a layer comes about, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from costmodel.devices import Charge, Cost, Parameter
from costmodel.errors import UnknownNameError
from costmodel.network.blocks import path_of
from costmodel.report import ignored
from costmodel.report.columns import is_in_static, joules
from costmodel.report.estimate_table import shapes_of
from costmodel.report.table import escaped
from costmodel.tensor.shapes import show_shape
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.report.bills import Bill, LayerCost
    from costmodel.scenario import Scenario


_COSTLIEST: Final = 3
"""Of so many layers of a block the names are given."""


def line_of(bill: Bill, layer: str) -> LayerCost:
    """The line of the layer called `layer`.

    Raises:
        UnknownNameError: there is none; where it is the name of a block, its layers are named.

    """
    inside = [line for line in bill.lines if layer in path_of(line.layer.name)[:-1]]
    if not inside or any(line.layer.name == layer for line in bill.lines):
        return bill.line(layer)

    def cost(line: LayerCost) -> float:
        return line.cost.latency_seconds or line.cost.energy_joules

    costliest = [line.layer.name for line in sorted(inside, key=cost, reverse=True)[:_COSTLIEST]]
    hint = (
        f"{layer!r} is a block of {len(inside)} layers, the costliest on {bill.device.name} are "
        f"{', '.join(costliest)}: explain one of them; `costmodel estimate MODEL --group-by block` "
        "shows what blocks cost"
    )
    raise UnknownNameError(layer, [line.layer.name for line in inside], "layer", hint)


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
    yield f"  takes {shapes}, gives {shapes_of(layer)}, holds {held} parameters"
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
    if is_in_static(line) and not line.unpriced:
        return "in that of the whole network, as a power over the time"
    if line.unpriced:
        return f"at least {value}" if cost.charges else "not known"
    low, high = cost.energy_joules_low, cost.energy_joules_high
    return value if low == high else f"{value} ({joules(low)} to {joules(high)})"
