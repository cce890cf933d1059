"""Estimates of a workload on one device: what each group costs, and what all of them come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from costmodel.devices.cost import Charge, Cost, Duration, Factor, Outcome, busy
from costmodel.devices.memory import BYTE, Placement, Traffic, traffic
from costmodel.errors import CostModelError, PluginError, ScenarioError, fault
from costmodel.workload.graph import Branch, Loop
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    from costmodel.devices.device import Device
    from costmodel.devices.groups import Group
    from costmodel.devices.schedule import Schedule
    from costmodel.scenario import Scenario
    from costmodel.workload.graph import Workload


@frozen
class Fused(Reason):
    """Work that is done within the group of another operator, whose cost holds it."""

    into: str


@frozen(slots=False)
class GroupCost:
    """What a group costs, or why it has no cost, and what it moves at its boundary.

    Of a loop, `body` is the estimate of one step.
    """

    group: Group
    outcome: Outcome
    traffic: tuple[Traffic, ...] = ()
    body: DeviceEstimate | None = None

    @property
    def cost(self) -> Cost:
        """The cost, which is empty where there is none."""
        return self.outcome if isinstance(self.outcome, Cost) else Cost()

    @cached_property
    def busy_seconds(self) -> Mapping[str, float]:
        """How long each resource works."""
        found: dict[str, float] = {}
        for of_phase in busy(self.cost.durations).values():
            for resource, seconds in of_phase.items():
                found[resource] = found.get(resource, 0.0) + seconds.value
        if self.body is not None and not found:
            steps = self._steps
            return {name: time * steps for name, time in self.body.busy_seconds.items()}
        return found

    @property
    def limiting_resource(self) -> str | None:
        """The resource that works longest; None where the device models no resources."""
        times = self.busy_seconds
        return max(times, key=lambda name: times[name], default=None)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What is said of each member by its name: the anchor has the cost of the group."""
        fused = Fused(f"done within {self.group.name!r}", self.group.name)
        return {
            step.name: self.outcome
            if step is self.group.anchor or isinstance(self.outcome, Unpriced)
            else fused
            for step in self.group.members
        }

    def body_bits(self, memory: str) -> int:
        """The most that lies in a memory within a step of a loop, but for weights."""
        if self.body is None:
            return 0
        weights = set(self.body.workload.weights)
        inner = self.body.placement
        own = evolve(
            inner,
            residences=tuple([one for one in inner.residences if one.tensor not in weights]),
        )
        below = [each.body_bits(memory) for each in self.body.groups] or [0]
        return max(map(sum, zip(own.used_bits(memory), below, strict=True)), default=0)

    @property
    def _steps(self) -> int:
        steps: int = getattr(self.group.anchor, "steps", 1)
        return steps


@frozen(slots=False)
class DeviceEstimate:
    """What a workload costs on one device: all examples of a batch together.

    What the device does not model is None.
    """

    device: Device
    workload: Workload
    scenario: Scenario
    groups: tuple[GroupCost, ...]
    placement: Placement
    schedule: Schedule
    static: Cost

    @property
    def batch(self) -> int:
        """The number of examples."""
        return self.scenario.batch

    def group(self, name: str) -> GroupCost:
        """The group that the step called `name` is a member of.

        Raises:
            NetworkError: there is no such step.

        """
        step = self.workload.step(name)
        return next(each for each in self.groups if step in each.group.members)

    # -------------------------------------------------------------- energy

    @cached_property
    def cost(self) -> Cost:
        """All charges, the static ones too, and the makespan."""
        charges = [each.cost for each in self.groups if each.cost.due]
        whole = Cost([*charges, *([self.static] if self.static.due else [])])
        span = self.schedule.makespan
        if span is None:
            return whole
        return Cost(
            [whole], span.value, latency_seconds_low=span.low, latency_seconds_high=span.high
        )

    @property
    def energy_joules(self) -> float:
        """Energy of the whole batch."""
        return self.cost.energy_joules

    @property
    def energy_joules_per_inference(self) -> float:
        """Energy of one example."""
        return self.energy_joules / self.batch

    @cached_property
    def energy_joules_by_resource(self) -> Mapping[str, float]:
        """Energy by what it is spent in: the resource of a charge, or else its unit price."""
        return _summed(
            (charge.resource or charge.parameter.name, charge) for charge in self.cost.charges
        )

    @cached_property
    def energy_joules_by_role(self) -> Mapping[str, float]:
        """Energy by what it is spent on: inputs, parameters, outputs, compute and so on."""
        return _summed((charge.component, charge) for charge in self.cost.charges)

    # -------------------------------------------------------------- time

    @property
    def latency_seconds(self) -> float | None:
        """The makespan of the whole batch."""
        return self.cost.latency_seconds

    @property
    def throughput(self) -> float | None:
        """Examples in a second."""
        return self.batch / self.latency_seconds if self.latency_seconds else None

    @property
    def average_power_watts(self) -> float | None:
        """Energy over the makespan."""
        return self.energy_joules / self.latency_seconds if self.latency_seconds else None

    @cached_property
    def busy_seconds(self) -> Mapping[str, float]:
        """How long each resource works."""
        found: dict[str, list[float]] = {}
        for each in self.groups:
            for resource, seconds in each.busy_seconds.items():
                found.setdefault(resource, []).append(seconds)
        return {resource: math.fsum(times) for resource, times in found.items()}

    @property
    def utilisation(self) -> Mapping[str, float]:
        """The share of the makespan in which each resource works."""
        if not self.latency_seconds:
            return {}
        return {name: time / self.latency_seconds for name, time in self.busy_seconds.items()}

    @property
    def limiting_resource(self) -> str | None:
        """The resource that works longest; None where the device models no resources."""
        times = self.busy_seconds
        return max(times, key=lambda name: times[name], default=None)

    # -------------------------------------------------------------- memory

    @cached_property
    def traffic_bytes(self) -> Mapping[str, tuple[int, int]]:
        """Bytes that are read from each memory and written to it, by its name."""
        bits = {memory.name: [0, 0] for memory in self.placement.memories}
        for each in self.groups:
            for one in each.traffic:
                bits[one.memory][0] += one.read_bits
                bits[one.memory][1] += one.written_bits
        return {
            name: (-(-read // BYTE), -(-written // BYTE)) for name, (read, written) in bits.items()
        }

    def traffic(self, times: int = 1) -> tuple[Traffic, ...]:
        """What all groups move, `times` over, by memory and role."""
        found: dict[tuple[str, str], list[int]] = {}
        for each in self.groups:
            for one in each.traffic:
                bits = found.setdefault((one.memory, one.role), [0, 0])
                bits[0] += one.read_bits * times
                bits[1] += one.written_bits * times
        return tuple([Traffic(*key, *bits) for key, bits in found.items()])

    @property
    def peak_bytes(self) -> Mapping[str, int]:
        """The most that lies in each memory at any time, by its name."""
        return {name: _bytes(bits) for name, bits in self._peak_bits.items()}

    @cached_property
    def _peak_bits(self) -> Mapping[str, int]:
        found = {}
        for memory in self.placement.memories:
            used = self.placement.used_bits(memory.name)
            within = [each.body_bits(memory.name) for each in self.groups] or [0]
            found[memory.name] = max(map(sum, zip(used, within, strict=True)), default=0)
        return found

    @property
    def fits(self) -> bool | None:
        """Whether each memory has room for what lies in it; None where the device has none."""
        if not self.placement.memories:
            return None
        return all(
            memory.has_room_for(self._peak_bits[memory.name]) for memory in self.placement.memories
        )

    # -------------------------------------------------------------- coverage

    @cached_property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What is said of each step, by its name."""
        return {name: one for each in self.groups for name, one in each.outcomes.items()}

    @property
    def unpriced(self) -> Mapping[str, str]:
        """The steps without a price, and why."""
        return _reasons(self.outcomes, Unpriced)

    @property
    def free(self) -> Mapping[str, str]:
        """The steps that cost nothing, and why."""
        return _reasons(self.outcomes, Free)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing from the total."""
        return not self.unpriced and all(
            each.body is None or each.body.is_complete for each in self.groups
        )


def _bytes(bits: int) -> int:
    return -(-bits // BYTE)


def _summed(pairs: Iterable[tuple[str, Charge]]) -> Mapping[str, float]:
    found: dict[str, list[float]] = {}
    for name, charge in pairs:
        found.setdefault(name, []).append(charge.energy_joules)
    return {name: math.fsum(energies) for name, energies in found.items()}


def _reasons(outcomes: Mapping[str, Outcome], sort: type[Reason]) -> Mapping[str, str]:
    return {name: one.reason for name, one in outcomes.items() if isinstance(one, sort)}


_COMPONENTS: Final = {"input": "inputs", "weight": "parameters", "output": "outputs"}
"""The component of a charge for what moves, by the role of the tensor."""


def moved(traffic: Iterable[Traffic], placement: Placement) -> Cost:
    """The charges and durations of what a group moves, where the memories state them."""
    charges, durations = [], []
    for one in traffic:
        memory = placement.memory(one.memory)
        for bits, access, what in (
            (one.read_bits, memory.read, "read"),
            (one.written_bits, memory.write, "written"),
        ):
            if bits and access is not None:
                count = Factor(f"{access.width_bits}-bit accesses {what}", access.count(bits))
                component = _COMPONENTS[one.role]
                charges.append(Charge(component, access.energy, (count,), resource=memory.name))
        bits = one.read_bits + one.written_bits
        if bits and memory.bandwidth is not None:
            durations.append(Duration(memory.name, bits / BYTE, memory.bandwidth))
    return Cost(charges, durations=durations)


def evaluated(
    device: Device, workload: Workload, scenario: Scenario, *, is_body: bool = False
) -> DeviceEstimate:
    """The steps of an evaluation, one after the other, on a workload whose symbols are bound."""
    groups = device.fuse(workload, scenario)
    placement = device.place(workload, groups, scenario, is_body=is_body)
    moves = traffic(workload, groups, placement, scenario.default_format)
    costs = tuple(
        [
            _priced(device, group, moving, placement, scenario)
            for group, moving in zip(groups, moves, strict=True)
        ]
    )
    schedule = device.schedule(costs, placement, scenario)
    static = Cost() if is_body else Cost(device.static_charges(schedule))
    return DeviceEstimate(device, workload, scenario, costs, placement, schedule, static)


def _priced(
    device: Device,
    group: Group,
    moving: tuple[Traffic, ...],
    placement: Placement,
    scenario: Scenario,
) -> GroupCost:
    match group.anchor:
        case Loop() as loop:
            body = evaluated(device, loop.body, scenario, is_body=True)
            reason = _unpriced_within(body)
            repeated = reason or device.repeat(body, loop)
            return GroupCost(group, repeated, body.traffic(loop.steps), body)
        case Branch() as branch:
            return _of_branch(device, group, branch, scenario)
    outcome, carried = _asked(device, group, moving, placement, scenario)
    if isinstance(outcome, Cost):
        return GroupCost(group, Cost.of_group([outcome, carried]), moving)
    if isinstance(outcome, Unpriced) or not (carried.due or carried.durations):
        return GroupCost(group, outcome, moving)
    return GroupCost(group, carried, moving)


def _of_branch(device: Device, group: Group, branch: Branch, scenario: Scenario) -> GroupCost:
    """The dearest alternative, since nobody knows which one runs."""
    each = [evaluated(device, one, scenario, is_body=True) for one in branch.alternatives]
    for one in each:
        reason = _unpriced_within(one)
        if reason is not None:
            return GroupCost(group, reason, one.traffic(), one)
    dearest = max(each, key=lambda one: (one.energy_joules, one.latency_seconds or 0.0))
    return GroupCost(group, dearest.cost, dearest.traffic(), dearest)


def _unpriced_within(body: DeviceEstimate) -> Unpriced | None:
    for name, reason in body.unpriced.items():
        return Unpriced(f"{name!r} in {body.workload.name!r}: {reason}")
    return None


def _asked(
    device: Device,
    group: Group,
    moving: tuple[Traffic, ...],
    placement: Placement,
    scenario: Scenario,
) -> tuple[Outcome, Cost]:
    """What a device says to the operators of a group, and to what they move."""
    where = f"{group.name!r} on {device.name!r}"
    one = evolve(scenario, batch=1)  # the batch is in the operators
    try:
        outcome = device.price_group(group, placement, one)
        return outcome, device.price_traffic(group, moving, placement, one)
    except (PluginError, ScenarioError) as error:
        message = f"{where}: {error}"
        raise type(error)(message) from None
    except CostModelError:
        raise
    except Exception as error:  # a rule of a third party may fail in any way
        message = f"{where} cannot be priced: {fault(error, type(device))}"
        raise PluginError(message) from error
