"""What the charts of a report show, as plain values in SI units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import frozen

from costmodel.devices.cost import busy
from costmodel.devices.evaluation.evaluator import passes
from costmodel.devices.evaluation.memory import as_bytes
from costmodel.network.blocks import path_of
from costmodel.report.breakdown import breakdown
from costmodel.report.columns import is_timed, standing
from costmodel.workload.graph import Node

if TYPE_CHECKING:
    from costmodel.devices import DeviceEstimate, GroupCost, Parameter
    from costmodel.devices.evaluation.memory import Memory
    from costmodel.report.bills import Bill, LayerCost
    from costmodel.report.breakdown import Part
    from costmodel.report.estimate_table import Reported
    from costmodel.workload.operators import Operator

MEASURES: Final = {
    "time": ("Time", "s"),
    "energy": ("Energy", "J"),
    "traffic": ("Memory traffic", "B"),
    "weights": ("Weights", "B"),
    "macs": ("MACs", ""),
}
"""What can be added over layers: its title and unit by its name."""
_OPERATIONS_PER_MAC: Final = 2


# ------------------------------------------------------------------ layers


@frozen
class LayerOnDevice:
    """What one layer costs on one device; None where the device does not model it."""

    seconds: float | None
    joules: float | None
    traffic_bytes: int | None
    peak_bytes: int | None
    limit: str
    standing: str


@frozen
class LayerRow:
    """One layer of a network, and what it costs on each device."""

    name: str
    kind: str
    output: str
    parameters: int
    weight_bytes: int
    macs: int
    devices: Mapping[str, LayerOnDevice]

    def value(self, measure: str, device: str) -> float | None:
        """How much of one of the `MEASURES` it has; None where it is not known."""
        on = self.devices[device]
        found: Mapping[str, float | None] = {
            "time": on.seconds, "energy": on.joules, "traffic": on.traffic_bytes,
            "weights": self.weight_bytes, "macs": self.macs,
        }  # fmt: skip
        return found[measure]


def layer_rows(estimate: Reported) -> tuple[LayerRow, ...]:
    """A row for each layer, in the order of the network; static energy is shared out by time."""
    weights = _weight_bytes(estimate)
    return tuple([
        _row(estimate, place, part, weights.get(part.name, 0))
        for place, part in enumerate(breakdown(estimate, "layer"))
        if part.layers  # one more part may be what no layer takes
    ])  # fmt: skip


def _row(estimate: Reported, place: int, part: Part, weight_bytes: int) -> LayerRow:
    layer = estimate.lowered[place].layer
    return LayerRow(
        layer.name, layer.kind,
        "; ".join(layer.shown_outputs),
        layer.parameter_count, weight_bytes, part.macs,
        {name: _on_device(bill, place, part) for name, bill in estimate.bills.items()},
    )  # fmt: skip


def _on_device(bill: Bill, place: int, part: Part) -> LayerOnDevice:
    line, cost = bill.lines[place], part.costs[bill.device.name]
    has_memories = bool(bill.memories)
    is_known = standing(line) != "unpriced"
    return LayerOnDevice(
        cost.latency_seconds if is_known else None,
        cost.energy_joules if is_known else None,
        sum(map(sum, line.traffic_bytes.values())) if has_memories else None,
        cost.peak_bytes if has_memories else None,
        line.limiting_resource or "",
        standing(line),
    )


def _weight_bytes(estimate: Reported) -> Mapping[str, int]:
    """The bytes of the weights of each layer; a shared tensor counts with its first layer."""
    found: dict[str, int] = {}
    seen: set[str] = set()
    for bill in list(estimate.bills.values())[:1]:
        workload, default = bill.evaluation.workload, estimate.scenario.default_format
        for step in workload.steps:
            for name in step.reads:
                if name in workload.weights and name not in seen:
                    seen.add(name)
                    tensor = workload.tensors[name]
                    bits = (tensor.format or default).stored_bits(tensor.size)
                    found[step.layer] = found.get(step.layer, 0) + as_bytes(bits)
    return found


def measures_of(estimate: Reported, device: str) -> tuple[str, ...]:
    """The measures that a device models; MACs where it models nothing else."""
    bill = estimate.bills[device]
    is_known = {
        "time": is_timed(bill),
        "energy": not bill.evaluation.unknown_static,
        "traffic": bool(bill.memories),
        "weights": estimate.network.parameter_count > 0,
        "macs": estimate.macs > 0,
    }
    return tuple([name for name in MEASURES if is_known[name]]) or ("macs",)


# ------------------------------------------------------------------ blocks


@frozen
class TreeNode:
    """A network, a block of it, or a layer; `row` is the place of the layer."""

    id: str
    label: str
    parent: str
    row: int | None = None


def tree(network: str, layers: Sequence[str]) -> tuple[TreeNode, ...]:
    """The network, its blocks and its layers, each after the one that it lies in.

    A block that holds one layer, or the same layers as a block within it, is left out.
    """
    paths = [path_of(layer)[:-1] for layer in layers]
    counts: dict[str, int] = {}
    for path in paths:
        for block in path:
            counts[block] = counts.get(block, 0) + 1
    found = {"": TreeNode("", network, "")}
    for row, (layer, path) in enumerate(zip(layers, paths, strict=True)):
        parent = ""
        for depth, block in enumerate(path):
            inner = counts[path[depth + 1]] if depth + 1 < len(path) else 1
            if 1 < counts[block] < len(layers) and counts[block] != inner:
                found.setdefault(f"block {block}", TreeNode(f"block {block}", block, parent))
                parent = f"block {block}"
        found[f"layer {layer}"] = TreeNode(f"layer {layer}", layer, parent, row)
    return tuple(found.values())


# ------------------------------------------------------------------ resources


@frozen
class Shares:
    """How the whole of a measure is shared out over resources of a device, in SI units."""

    device: str
    measure: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """The whole."""
        return math.fsum(self.parts.values())


def time_by_limit(bill: Bill) -> Shares:
    """The time of all groups by the resource that limits them, phase by phase."""
    found: dict[str, list[float]] = {}
    for each in bill.evaluation.groups:
        for resource, seconds in _limits(each):
            found.setdefault(resource, []).append(seconds)
    before = bill.evaluation.schedule.overhead.value
    if before:
        found.setdefault("overhead", []).append(before)
    return Shares(
        bill.device.name, "time", {name: math.fsum(parts) for name, parts in found.items()}
    )


def _limits(each: GroupCost) -> Iterator[tuple[str, float]]:
    total = each.cost.latency_seconds
    if not total:
        return
    if each.body is not None or not each.cost.timed:
        yield each.limiting_resource or "not stated", total
        return
    for of_phase in busy(each.cost.timed).values():
        resource = max(of_phase, key=lambda name: of_phase[name].value)
        yield resource, of_phase[resource].value


def energy_by_resource(bill: Bill) -> Shares:
    """The energy by what it is spent in, static energy included."""
    return Shares(bill.device.name, "energy", dict(bill.total.energy_joules_by_resource))


# ------------------------------------------------------------------ roofline


@frozen
class Roof:
    """A rate that no layer can exceed, in operations per second."""

    name: str
    operations_per_second: float


@frozen
class Point:
    """A layer in a roofline: operations per byte of a memory, and operations per second."""

    layer: str
    kind: str
    intensity: float
    operations_per_second: float
    seconds: float
    limit: str


@frozen
class Roofline:
    """The roofs of a device, and the layers below them."""

    device: str
    memory: str
    bytes_per_second: float
    roofs: tuple[Roof, ...]
    points: tuple[Point, ...]
    left_out: int
    """Layers that take time and compute nothing, or move nothing."""


def roofline(bill: Bill) -> Roofline | str:
    """The roofline of a device, or why it has none."""
    name = bill.device.name
    if not is_timed(bill):
        return f"{name} does not model time"
    memory = _slowest(bill)
    if memory is None or memory.bandwidth is None:
        return f"{name} does not state the bandwidth of a memory"
    roofs = _roofs(bill)
    if not roofs:
        return f"{name} does not state a peak rate"
    timed = [line for line in bill.lines if line.cost.latency_seconds]
    points = [point for line in timed for point in _points(bill, line, memory)]
    return Roofline(
        name, memory.name, memory.bandwidth.value, roofs, tuple(points), len(timed) - len(points)
    )


def _slowest(bill: Bill) -> Memory | None:
    """The memory that works longest, the outermost of those that work as long."""
    times = bill.evaluation.busy_seconds
    known = [memory for memory in bill.memories if memory.bandwidth is not None]
    works = {memory.name: max(times.get(port, 0.0) for port in memory.ports) for memory in known}
    return max(reversed(known), key=lambda memory: works[memory.name], default=None)


def _roofs(bill: Bill) -> tuple[Roof, ...]:
    """The peak rates that the times of the network use, else that of multiply-accumulates."""
    found = dict.fromkeys(
        rate.name for each in bill.evaluation.groups for rate in _peaks(bill, each)
    )
    known = bill.device.parameters
    if found:
        return tuple([Roof(name, known[name].value) for name in found])
    most = bill.device.macs_per_second
    return (Roof("peak", most * _OPERATIONS_PER_MAC),) if most else ()


def _peaks(bill: Bill, each: GroupCost) -> Iterator[Parameter]:
    """The parameters in operations per second that the rates of a group are made of."""
    for one in each.cost.timed:
        name = one.rate.name.partition(" x ")[0]
        parameter = bill.device.parameters.get(name)
        if parameter is not None and parameter.unit == "OP/s":
            yield parameter


def _points(bill: Bill, line: LayerCost, memory: Memory) -> Iterator[Point]:
    moved = sum(line.traffic_bytes.get(memory.name, (0, 0)))
    operations = _operations(bill.evaluation, line)
    seconds = line.cost.latency_seconds
    if moved and operations and seconds:
        yield Point(
            line.layer.name, line.layer.kind, operations / moved, operations / seconds, seconds,
            line.limiting_resource or "",
        )  # fmt: skip


def _operations(evaluation: DeviceEstimate, line: LayerCost) -> int:
    """Operations of the groups of a layer: two for a multiply-accumulate, one for all others."""
    own = sum(
        each.macs * _OPERATIONS_PER_MAC if each.body is not None
        else sum(_of_operator(node.operator) for node in each.group.nodes)
        for each in line.groups
    )  # fmt: skip
    examples = 1 if evaluation.device.uses_memories else evaluation.batch
    return own * examples * passes(evaluation.device, evaluation.scenario)


def _of_operator(operator: Operator) -> int:
    counts = operator.operations.items()
    return sum(
        count * (_OPERATIONS_PER_MAC if kind == "multiply-accumulate" else 1)
        for kind, count in counts
    )


# ------------------------------------------------------------------ memory


@frozen
class Held:
    """What lies in a memory while each group runs, in the order in which they run."""

    device: str
    memory: str
    size_bytes: float | None
    starts: tuple[float, ...]
    """In seconds, or the number of the group where no time is modelled; one more for the end."""
    held_bytes: tuple[int, ...]
    layers: tuple[str, ...]
    is_timed: bool

    @property
    def peak_bytes(self) -> int:
        """The most of it."""
        return max(self.held_bytes, default=0)

    @property
    def peak_layer(self) -> str:
        """The layer that runs when most lies in it."""
        return self.layers[self.held_bytes.index(self.peak_bytes)] if self.layers else ""

    @property
    def is_too_small(self) -> bool:
        """Whether the memory has no room for it."""
        return self.size_bytes is not None and self.peak_bytes > self.size_bytes


def memory_over_time(bill: Bill) -> tuple[Held, ...]:
    """What lies in each memory of a device over time, from the innermost to the outermost."""
    groups = bill.evaluation.groups
    timed = is_timed(bill)
    starts = [bill.evaluation.schedule.overhead.value if timed else 0.0]
    for each in groups:
        starts.append(starts[-1] + ((each.cost.latency_seconds or 0.0) if timed else 1))
    layers = tuple([_layer_of(each) for each in groups])
    return tuple([_held(bill, memory, tuple(starts), layers) for memory in bill.memories])


def _held(bill: Bill, memory: Memory, starts: tuple[float, ...], layers: tuple[str, ...]) -> Held:
    held = bill.evaluation.held_bits(memory.name)[: len(layers)]  # one more where there are none
    size = None if memory.size is None else memory.size.value
    return Held(
        bill.device.name, memory.name, size, starts, tuple(map(as_bytes, held)), layers,
        is_timed(bill),
    )  # fmt: skip


def _layer_of(each: GroupCost) -> str:
    anchor = each.group.anchor
    return anchor.layer or (anchor.name if isinstance(anchor, Node) else each.group.name)
