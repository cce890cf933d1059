"""What dominates: the cost of a network by layer, kind, block, operator or resource."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.network.blocks import path_of
from costmodel.report.columns import UNKNOWN, is_timed, least
from costmodel.report.estimate_table import conditions
from costmodel.report.table import WIDE, Column, Table
from costmodel.units import format_quantity
from costmodel.workload.graph import Loop, Node

if TYPE_CHECKING:
    from costmodel.devices import GroupCost
    from costmodel.report.bills import Bill, LayerCost
    from costmodel.report.estimate_table import Reported

GROUPINGS: Final = ("layer", "kind", "block", "operator", "resource")
"""What the parts of a breakdown can be."""
MEASURES: Final = ("energy", "time", "memory", "macs")
"""What parts can be sorted by."""
_UNITS: Final = {"energy": "J", "time": "s", "memory": "B", "macs": ""}
_WITH_SHARES: Final = 2
"""Of so many devices each has a column of shares."""


@frozen
class PartCost:
    """What a part of a network costs on one device."""

    energy_joules: float | None = None
    """Static energy included, shared out by time; None where it is not known."""
    latency_seconds: float | None = None
    peak_bytes: int | None = None
    """The most that lies in a memory of activations while a layer of the part runs; None where
    the device has none, and of operators and resources."""
    is_priced: bool = True
    """Whether every layer of it has a price."""


@frozen
class Part:
    """Some layers of a network, or a resource of devices, and their cost on each device."""

    name: str
    layers: tuple[str, ...]
    macs: int
    """Of one example."""
    parameters: int
    costs: Mapping[str, PartCost]
    """By the name of the device."""

    def value(self, measure: str, device: str) -> float | None:
        """How much of a measure it has on a device, in SI units; None where it is not known."""
        cost = self.costs.get(device, PartCost())
        found: Mapping[str, float | None] = {
            "energy": cost.energy_joules,
            "time": cost.latency_seconds,
            "memory": cost.peak_bytes,
            "macs": self.macs,
        }
        return found[measure]


# ------------------------------------------------------------------ blocks


def blocks_of(layers: Sequence[str]) -> Mapping[str, str]:
    """The outermost block of each layer; a block of one layer is that layer."""
    counts: dict[str, int] = {}
    for layer in layers:
        for block in path_of(layer)[:-1]:
            counts[block] = counts.get(block, 0) + 1
    found = {}
    for layer in layers:
        blocks = [block for block in path_of(layer)[:-1] if 1 < counts[block] < len(layers)]
        found[layer] = blocks[0] if blocks else layer
    return found


# ------------------------------------------------------------------ parts


def breakdown(estimate: Reported, by: str = "layer") -> tuple[Part, ...]:
    """The parts of a network, or the resources of its devices, in the order of the network.

    `by` is one of `GROUPINGS`. Fused layers count with the layer that they join.

    Raises:
        UnknownNameError: no such grouping.

    """
    if by not in GROUPINGS:
        raise UnknownNameError(str(by), GROUPINGS, "grouping")
    if by == "resource":
        return tuple(_resources(estimate))
    if by == "operator":
        return tuple(_operators(estimate))
    return tuple(_layers(estimate, by))


def _layers(estimate: Reported, by: str) -> Iterator[Part]:
    names = [lowered.layer.name for lowered in estimate.lowered]
    blocks = blocks_of(names) if by == "block" else {}
    places: dict[str, list[int]] = {}
    for place, lowered in enumerate(estimate.lowered):
        layer = lowered.layer
        key = {"kind": layer.kind, "layer": layer.name}.get(by) or blocks[layer.name]
        places.setdefault(key, []).append(place)
    lines = {name: bill.lines for name, bill in estimate.bills.items()}
    wholes = {name: _whole_time(bill) for name, bill in estimate.bills.items()}
    made = []
    for key, inside in places.items():
        members = [estimate.lowered[place] for place in inside]
        costs = {
            name: _of_lines(bill, [lines[name][place] for place in inside], wholes[name])
            for name, bill in estimate.bills.items()
        }
        layers = tuple([one.layer.name for one in members])
        macs = sum(one.macs for one in members)
        parameters = sum(one.layer.parameter_count for one in members if one.layer.shares is None)
        made.append(Part(key, layers, macs, parameters, costs))
    yield from made
    yield from _once_per_call(estimate, made)


PER_CALL: Final = "(once per call)"
"""What no layer takes: the overhead of a call, and the static energy of that time."""


def _once_per_call(estimate: Reported, parts: Sequence[Part]) -> Iterator[Part]:
    """What the parts leave of the latency and of the energy, if anything."""
    costs = {}
    for name, bill in estimate.bills.items():
        known = [part.costs[name] for part in parts if name in part.costs]
        energy = None if bill.evaluation.unknown_static else bill.total.energy_joules
        seconds = _rest(_makespan(bill), [one.latency_seconds for one in known])
        joules = _rest(energy, [one.energy_joules for one in known])
        if seconds or joules:
            costs[name] = PartCost(joules, seconds, None, is_priced=True)
    if costs:
        yield Part(PER_CALL, (), 0, 0, costs)


def _rest(total: float | None, parts: Iterable[float | None]) -> float | None:
    if total is None:
        return None
    rest = total - math.fsum(part or 0.0 for part in parts)
    return rest if rest > _ROUNDING * total else 0.0


_ROUNDING: Final = 1e-9


def _makespan(bill: Bill) -> float | None:
    """The time of a call; that of what has a price, where something has none."""
    span = bill.evaluation.schedule.makespan
    return None if span is None or not is_timed(bill) else span.value


def _of_lines(bill: Bill, lines: Sequence[LayerCost], whole: float | None) -> PartCost:
    seconds = _time_of(lines)
    kept = _with_activations(bill)
    peaks = [line.peak_bytes.get(name, 0) for line in lines for name in kept]
    return PartCost(
        _energy(bill, [line.cost.energy_joules for line in lines], seconds, whole),
        None if whole is None else seconds,
        max(peaks, default=0) if kept else None,
        not any(line.unpriced for line in lines),
    )


def _with_activations(bill: Bill) -> list[str]:
    """The memories that hold activations: a flash of weights is as full in every layer."""
    return [memory.name for memory in bill.memories if "output" in memory.holds]


def _time_of(lines: Iterable[LayerCost]) -> float:
    return math.fsum(line.cost.latency_seconds or 0.0 for line in lines)


def _energy(bill: Bill, own: Iterable[float], seconds: float, whole: float | None) -> float | None:
    """The energy of a part, and its share of the static energy by its time."""
    if bill.evaluation.unknown_static:
        return None
    static = bill.evaluation.static.energy_joules
    return math.fsum(own) + (static * seconds / whole if whole else 0.0)


def _whole_time(bill: Bill) -> float | None:
    """The time of a call, or of all layers where these overlap; None where none is known."""
    if not is_timed(bill):
        return None
    return max(_makespan(bill) or 0.0, _time_of(bill.lines))


def _operators(estimate: Reported) -> Iterator[Part]:
    layers: dict[str, dict[str, None]] = {}
    macs: dict[str, dict[str, int]] = {}
    found: dict[str, dict[str, list[GroupCost]]] = {}
    for device, bill in estimate.bills.items():
        examples = bill.evaluation.batch if bill.device.uses_memories else 1
        for each in bill.evaluation.groups:
            name = _operator_of(each)
            found.setdefault(name, {}).setdefault(device, []).append(each)
            layers.setdefault(name, {})[each.group.anchor.layer] = None
            counted = macs.setdefault(name, {})
            counted[device] = counted.get(device, 0) + each.macs // examples
    made = []
    for name, by_device in found.items():
        costs = {
            device: _of_groups(estimate.bills[device], groups)
            for device, groups in by_device.items()
        }
        made.append(Part(name, tuple(layers[name]), max(macs[name].values()), 0, costs))
    yield from made
    yield from _once_per_call(estimate, made)


def _operator_of(each: GroupCost) -> str:
    anchor = each.group.anchor
    if isinstance(anchor, Node):
        return type(anchor.operator).__name__
    return "Loop" if isinstance(anchor, Loop) else "Branch"


def _of_groups(bill: Bill, groups: Sequence[GroupCost]) -> PartCost:
    seconds = math.fsum(each.cost.latency_seconds or 0.0 for each in groups)
    return PartCost(
        _energy(bill, [each.cost.energy_joules for each in groups], seconds, _whole_time(bill)),
        seconds if is_timed(bill) else None,
        None,
        all(each.is_priced for each in groups),
    )


def _resources(estimate: Reported) -> Iterator[Part]:
    energies = {name: bill.total.energy_joules_by_resource for name, bill in estimate.bills.items()}
    times = {name: bill.evaluation.busy_seconds for name, bill in estimate.bills.items()}
    names = [name for found in (energies, times) for each in found.values() for name in each]
    for resource in dict.fromkeys(names):
        costs = {
            device: PartCost(
                None if bill.evaluation.unknown_static else energies[device].get(resource, 0.0),
                times[device].get(resource, 0.0) if is_timed(bill) else None,
                None,
                bill.is_complete,
            )
            for device, bill in estimate.bills.items()
            if resource in energies[device] or resource in times[device]
        }
        yield Part(resource, (), 0, 0, costs)


# ------------------------------------------------------------------ order and table


def main_measure(estimate: Reported) -> str:
    """The time where any device models it, else the energy."""
    return "time" if any(map(is_timed, estimate.bills.values())) else "energy"


Measures: TypeAlias = Mapping[str, str]
"""What is shown of each device, by its name."""


def _measures(estimate: Reported, sort: str | None) -> Measures:
    """The measure that is asked for, or of each device the time, or energy where it has none."""
    if sort is not None and sort not in MEASURES:
        raise UnknownNameError(str(sort), MEASURES, "measure")
    return {
        name: sort or ("time" if is_timed(bill) else "energy")
        for name, bill in estimate.bills.items()
    }


def ranked(parts: Sequence[Part], measure: str | Measures) -> list[Part]:
    """The parts from the largest on, by their mean share over devices; ties keep their order.

    Raises:
        UnknownNameError: no such measure.

    """
    devices = list(dict.fromkeys(device for part in parts for device in part.costs))
    measures = dict.fromkeys(devices, measure) if isinstance(measure, str) else measure
    for one in measures.values():
        if one not in MEASURES:
            raise UnknownNameError(str(one), MEASURES, "measure")
    wholes = {device: whole(parts, measures[device], device) for device in devices}

    def mean_share(part: Part) -> float:
        return math.fsum(
            (part.value(measures[device], device) or 0.0) / wholes[device]
            for device in devices
            if wholes[device]
        )

    return sorted(parts, key=mean_share, reverse=True)


def whole(parts: Iterable[Part], measure: str, device: str) -> float:
    """What all parts have together; of memory, the largest."""
    values = [part.value(measure, device) or 0.0 for part in parts]
    return max(values, default=0.0) if measure == "memory" else math.fsum(values)


def breakdown_table(
    estimate: Reported,
    by: str = "layer",
    sort: str | None = None,
    top: int | None = None,
    *,
    exact: bool = False,
) -> Table:
    """A row for each part, the largest first, with its share of the whole.

    `top` keeps so many parts; one more row has all others. `exact` has bare numbers in SI units.

    Raises:
        UnknownNameError: no such grouping or measure.

    """
    measures = _measures(estimate, sort)
    _check_count(top)
    _check_known(by, sort)
    parts = ranked(breakdown(estimate, by), measures)
    rest = [part for part in parts if part.name == PER_CALL and not part.layers]
    named = [part for part in parts if part not in rest]
    kept, others = named[:top], named[len(named[:top]) :]
    is_shown = bool(others) and not exact and not all(map(_is_nothing, others))
    rows = [*kept, *([_together(others, by)] if is_shown else []), *rest]
    columns = list(_columns(by, measures, parts, exact=exact))
    made = Table(
        _title(estimate, by, measures),
        [column for column, _ in columns],
        [tuple([cell(part) for _, cell in columns]) for part in rows],
        notes=() if exact else (*_unknown(parts, measures), *_notes(estimate, measures)),
    )
    for title in () if exact else ("Parameters", "Layers", "MACs"):
        made = made.without(title) if made.width > WIDE else made
    return made


def _check_count(top: Any) -> None:
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        message = f"top is {top!r:.40}; expected a whole number from 1 on, or None for all"
        raise CostModelError(message)


def _check_known(by: str, sort: str | None) -> None:
    has_none = {"operator": ("memory",), "resource": ("memory", "macs")}
    if sort in has_none.get(by, ()):
        message = f"a breakdown by {by} has no {sort}; sort by energy or time"
        raise CostModelError(message)


def _is_nothing(part: Part) -> bool:
    """Whether nothing is known of a part but that it costs nothing."""
    has_work = part.macs or part.parameters
    return not has_work and all(
        one.is_priced and not one.energy_joules and not one.latency_seconds
        for one in part.costs.values()
    )


def _together(parts: Sequence[Part], by: str) -> Part:
    """All other parts as one."""
    devices = dict.fromkeys(device for part in parts for device in part.costs)
    kinds = by if len(parts) == 1 else f"{by}s"
    return Part(
        f"{len(parts)} more {kinds}",
        tuple([layer for part in parts for layer in part.layers]),
        sum(part.macs for part in parts),
        sum(part.parameters for part in parts),
        {device: _sum([part.costs[device] for part in parts if device in part.costs])
         for device in devices},
    )  # fmt: skip


def _sum(costs: Sequence[PartCost]) -> PartCost:
    energies = [one.energy_joules for one in costs if one.energy_joules is not None]
    times = [one.latency_seconds for one in costs if one.latency_seconds is not None]
    return PartCost(
        math.fsum(energies) if energies else None,
        math.fsum(times) if times else None,
        max([one.peak_bytes for one in costs if one.peak_bytes is not None], default=None),
        all(one.is_priced for one in costs),
    )


_Cell: TypeAlias = Callable[[Part], str]


def _columns(
    by: str, measures: Measures, parts: Sequence[Part], *, exact: bool
) -> Iterator[tuple[Column, _Cell]]:
    yield Column(by.capitalize()), lambda part: part.name
    if by in {"kind", "block", "operator"}:
        yield Column("Layers", numeric=True), lambda part: str(len(part.layers))
    if by in {"layer", "kind", "block"}:
        yield Column("Parameters", numeric=True), lambda part: _count(part.parameters, exact)
    if by != "resource":
        yield Column("MACs", numeric=True), lambda part: _count(part.macs, exact)
    if "macs" in measures.values():
        yield _share_column("Share", "macs", parts, "", exact=exact)
        return
    several = len(measures)
    for device, measure in measures.items():
        title = f"{device} ({_UNITS[measure]})" if exact else device
        column = Column(title, numeric=True, group="" if exact else device)
        yield column, _cell(measure, device, exact=exact)
        if several <= _WITH_SHARES or exact:
            title = f"{device} share" if exact else "Share"
            yield _share_column(title, measure, parts, device, exact=exact)


def _share_column(
    title: str, measure: str, parts: Sequence[Part], device: str, *, exact: bool
) -> tuple[Column, _Cell]:
    total = whole(parts, measure, device)

    def cell(part: Part) -> str:
        value = part.value(measure, device)
        if value is None or not total:
            return ""
        return repr(value / total) if exact else f"{value / total:.1%}"

    return Column(title, numeric=True, group="" if exact else device), cell


def _count(number: int, exact: bool) -> str:  # noqa: FBT001  # two short forms
    return str(number) if exact else f"{number:,}"


def _cell(measure: str, device: str, *, exact: bool) -> _Cell:
    def cell(part: Part) -> str:
        if device not in part.costs:
            return ""  # the device has no such part
        value = part.value(measure, device)
        if value is None:
            return "" if exact else UNKNOWN
        if exact:
            return repr(value)
        is_priced = part.costs.get(device, PartCost()).is_priced
        return least(is_priced) + format_quantity(value, _UNITS[measure])

    return cell


def _title(estimate: Reported, by: str, measures: Measures) -> str:
    shown = " or ".join(dict.fromkeys(measures.values()))
    return f"{estimate.network.name}: {shown} by {by}, {conditions(estimate.scenario)}"


def _unknown(parts: Sequence[Part], measures: Measures) -> Iterator[str]:
    """A line for the devices that do not model what is shown of them."""
    missing: dict[str, list[str]] = {}
    for device, measure in measures.items():
        if parts and all(part.value(measure, device) is None for part in parts):
            missing.setdefault(measure, []).append(device)
    for measure, devices in missing.items():
        yield f"no {measure} is known on {', '.join(devices)}"


def _notes(estimate: Reported, measures: Measures) -> Iterator[str]:
    shared = [
        name
        for name, bill in estimate.bills.items()
        if measures[name] == "energy" and bill.evaluation.static.charges
    ]
    if shared:
        yield f"static energy is shared out by time on {', '.join(shared)}"
    if "memory" in measures.values():
        yield "memory: the most that lies in a memory of activations while a layer runs"
    missing = [
        f"{len(bill.coverage.unpriced)} of {len(bill.lines)} layers on {name}"
        for name, bill in estimate.bills.items()
        if bill.coverage.unpriced
    ]
    if missing:
        yield f"without a price: {'; '.join(missing)}"
