"""Bills: what every layer of a network costs on one device, and how much of it that covers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property

from attrs import field, frozen

from costmodel.conventions.convention import LayerWork
from costmodel.devices import (
    Cost,
    Device,
    DeviceEstimate,
    Fused,
    GroupCost,
    OperatorCost,
    Seconds,
    Traffic,
)
from costmodel.devices.evaluation.evaluator import busy_together, longest
from costmodel.devices.evaluation.memory import Memory, added, as_bytes, in_bytes
from costmodel.errors import UnknownNameError
from costmodel.network.layer import Layer
from costmodel.workload.reasons import Free, Reason, Unpriced


@frozen(slots=False)
class LayerCost:
    """What one layer costs on one device.

    `items` are its operators with what the device says to each; `groups` those whose anchor is
    of the layer, which have the time and the traffic of all their members. A layer whose
    operators are all done within groups of others is `fused_into` them.
    """

    layer: Layer
    items: tuple[OperatorCost, ...]
    groups: tuple[GroupCost, ...] = field(default=(), repr=False)
    fused_into: tuple[str, ...] = ()
    peak_bytes: Mapping[str, int] = field(factory=dict, repr=False)
    """The most that lies in each memory while a group of the layer runs, by its name."""

    @cached_property
    def cost(self) -> Cost:
        """The charges of all operators, and of what the groups move; the time of the groups."""
        if len(self.groups) == 1 and self.groups[0].items == (self.items,):
            return self.groups[0].cost
        own = [item.outcome for item in self.items if isinstance(item.outcome, Cost)]
        carried = [each.carried for each in self.groups if each.carried.charges]
        charges = Cost([*own, *carried])
        time = self._time()
        if time is None:
            return charges
        return Cost(
            [charges], time.value, latency_seconds_low=time.low, latency_seconds_high=time.high
        )

    def _time(self) -> Seconds | None:
        """One group after the other; None where the time of one is not known."""
        known = [
            each.cost for each in self.groups if each.cost.charges or each.cost.latency_seconds
        ]
        times = [
            (cost.latency_seconds, cost.latency_seconds_low, cost.latency_seconds_high)
            for cost in known
            if cost.latency_seconds is not None
        ]
        if not known or len(times) < len(known):
            return None
        return Seconds(*[math.fsum(ends) for ends in zip(*times, strict=True)])

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What its groups move, by memory and role."""
        return added(one for each in self.groups for one in each.traffic)

    @property
    def traffic_bytes(self) -> Mapping[str, tuple[int, int]]:
        """Bytes that are read from each memory and written to it, by its name."""
        return in_bytes(self.traffic)

    @property
    def busy_seconds(self) -> Mapping[str, float]:
        """How long each resource works."""
        return busy_together(self.groups)

    @property
    def limiting_resource(self) -> str | None:
        """The resource that works longest; None where the device models no resources."""
        return longest(self.busy_seconds)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of its groups, those of fused layers included."""
        return sum([each.macs for each in self.groups])

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Why work of this layer is free."""
        return _reasons(self.items, Free)

    @cached_property
    def fused(self) -> tuple[str, ...]:
        """Why work of this layer is done elsewhere."""
        return _reasons(self.items, Fused)

    @cached_property
    def unpriced(self) -> tuple[str, ...]:
        """Why work of this layer has no price."""
        return _reasons(self.items, Unpriced)


@frozen
class Share:
    """How much of a total was priced or is free with a reason."""

    covered: int
    total: int | None
    """None where a layer without a rule is in it, of which nobody knows how much it is."""

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1; 1 where there is nothing to cover, None where the total is unknown."""
        if self.total is None:
            return None
        return self.covered / self.total if self.total else 1.0


@frozen
class Coverage:
    """How much of a network is in the total, what was free, and what has no price."""

    layers: Share
    operators: Share
    macs: Share
    parameters: Share
    activations: Share
    """Elements of the outputs of layers."""
    free: Mapping[str, tuple[str, ...]]
    unpriced: Mapping[str, tuple[str, ...]]

    @property
    def fraction(self) -> float:
        """The share of layers that are priced or free for a reason."""
        fraction = self.layers.fraction
        return 1.0 if fraction is None else fraction

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing from the total."""
        return not self.unpriced


@frozen(slots=False)
class Bill:
    """A line for every layer of a network on one device, and the evaluation behind them."""

    device: Device
    evaluation: DeviceEstimate = field(repr=False)
    lowered: tuple[LayerWork, ...] = field(repr=False)

    def line(self, layer: str) -> LayerCost:
        """The line of the layer called `layer`.

        Raises:
            UnknownNameError: there is none.

        """
        try:
            return self._by_name[layer]
        except KeyError:
            raise UnknownNameError(layer, self._by_name, "layer") from None

    @cached_property
    def _by_name(self) -> Mapping[str, LayerCost]:
        return {line.layer.name: line for line in self.lines}

    @cached_property
    def lines(self) -> tuple[LayerCost, ...]:
        """A line for each layer, in the order of the network."""
        items: dict[str, tuple[OperatorCost, ...]] = {}
        anchored: dict[str, list[GroupCost]] = {}
        into: dict[str, dict[str, None]] = {}
        peaks: dict[str, dict[str, int]] = {}
        held = {one.name: self.evaluation.held_bits(one.name) for one in self.memories}
        for place, each in enumerate(self.evaluation.groups):
            anchor = each.group.anchor.layer
            for memory, bits in held.items():
                most = peaks.setdefault(anchor, {})
                most[memory] = max(most.get(memory, 0), as_bytes(bits[place]))
            anchored.setdefault(anchor, []).append(each)
            for step, said in zip(each.group.members, each.items, strict=True):
                items[step.layer] = items[step.layer] + said if step.layer in items else said
                if step.layer != anchor:
                    into.setdefault(step.layer, {})[anchor] = None
        return tuple(
            [
                LayerCost(
                    work.layer,
                    items.get(name) or (_without_work(work),),
                    tuple(anchored.get(name, ())),
                    () if name in anchored else tuple(into.get(name, ())),
                    peaks.get(name, {}),
                )
                for work in self.lowered
                for name in [work.layer.name]
            ]
        )

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The memories of the device, from the innermost to the outermost."""
        return self.evaluation.placement.memories

    def utilisation(self, line: LayerCost) -> float | None:
        """Multiply-accumulates of a layer over the most that the device could do in its time."""
        if line.unpriced:
            return None  # its time is not known
        examples = 1 if self.device.uses_memories else self.evaluation.batch
        return self.evaluation.utilisation_of(line.macs * examples, line.cost.latency_seconds)

    @property
    def total(self) -> Cost:
        """The charges of all layers and of the time; the time that all of them take."""
        return self.evaluation.cost

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing from the total."""
        return self.evaluation.is_complete

    @cached_property
    def unpriced(self) -> Mapping[str, tuple[str, ...]]:
        """Why work has no price, by layer."""
        items: dict[str, list[OperatorCost]] = {}
        for each in self.evaluation.groups:
            if not each.is_priced:
                for step, said in zip(each.group.members, each.items, strict=True):
                    items.setdefault(step.layer, []).extend(said)
        reasons = {name: _reasons(said, Unpriced) for name, said in items.items()}
        names = [work.layer.name for work in self.lowered]
        return {name: reasons[name] for name in names if reasons.get(name)}

    @cached_property
    def coverage(self) -> Coverage:
        """How much of the network is in the total."""
        work = [item for line in self.lines for item in line.items]
        priced = [item.operator for item in work if item.operator and not _is_unpriced(item)]
        missing = [item.operator for item in work if _is_unpriced(item)]
        named = [operator for operator in missing if operator is not None]
        are_named = len(named) == len(missing)
        covered = [line.layer for line in self.lines if not line.unpriced]
        others = [line.layer for line in self.lines if line.unpriced]
        counted = all(line.layer.is_counted for line in self.lines)
        # A free row without outputs, such as weights of a model, gives nothing.
        shaped = all(line.layer.outputs or line.free for line in self.lines)
        return Coverage(
            layers=Share(len(covered), len(self.lines)),
            operators=_share(len(priced), len(named), is_known=are_named),
            macs=self._share_of_macs(),
            parameters=_share(_parameters(covered), _parameters(others), is_known=counted),
            activations=_share(_activations(covered), _activations(others), is_known=shaped),
            free={line.layer.name: line.free for line in self.lines if line.free},
            unpriced=self.unpriced,
        )

    def _share_of_macs(self) -> Share:
        """Of one example: a device with memories has those of all examples in its operators."""
        covered = missing = 0
        is_known = True
        for each in self.evaluation.groups:
            if each.body is not None:
                covered += each.macs if each.is_priced else 0
                missing += 0 if each.is_priced else each.macs
                is_known &= each.is_priced or _is_counted(each.body)
                continue
            for item in [one for said in each.items for one in said]:
                macs = 0 if item.operator is None else item.operator.macs
                covered += 0 if _is_unpriced(item) else macs
                missing += macs if _is_unpriced(item) else 0
                is_known &= item.operator is not None or not _is_unpriced(item)
        examples = self.evaluation.batch if self.device.uses_memories else 1
        return _share(covered // examples, missing // examples, is_known=is_known)


def _is_counted(body: DeviceEstimate) -> bool:
    """Whether it is known of all work within a loop or branch how much it is."""
    operators = [node.operator for each in body.groups for node in each.group.nodes]
    inner = [each.body for each in body.groups if each.body is not None]
    return all(one.unpriced is None for one in operators) and all(map(_is_counted, inner))


def _without_work(lowered: LayerWork) -> OperatorCost:
    work = lowered.work
    reason = work if isinstance(work, Reason) else Free("its elements are seen in another form")
    return OperatorCost(None, reason)


def _is_unpriced(item: OperatorCost) -> bool:
    return isinstance(item.outcome, Unpriced)


def _share(covered: int, missing: int, *, is_known: bool) -> Share:
    return Share(covered, covered + missing if is_known else None)


def _activations(layers: Iterable[Layer]) -> int:
    return sum([tensor.size for layer in layers for tensor in layer.outputs])


def _parameters(layers: Iterable[Layer]) -> int:
    return sum([layer.parameter_count for layer in layers if layer.shares is None])


def _reasons(items: Iterable[OperatorCost], sort: type[Reason]) -> tuple[str, ...]:
    reasons = [item.outcome.reason for item in items if isinstance(item.outcome, sort)]
    return tuple(dict.fromkeys(reasons)) if reasons else ()
