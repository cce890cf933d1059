"""Estimates of a workload on one device: what each group costs, and what all of them come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from costmodel.devices.cost import Charge, Cost, Duration, Factor, Outcome, busy, checked
from costmodel.devices.memory import BYTE, Placement, Surroundings, Traffic, added, traffic
from costmodel.errors import CostModelError, NetworkError, PluginError, ScenarioError, fault
from costmodel.workload.graph import Branch, Loop, View
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

    For a loop, `body` is the estimate of a step, which runs `steps` times, and `loaded` the cost
    of what is moved once for all of them. For a branch, `body` is the estimate of the alternative
    that counts, and `alternatives` are those of all.
    """

    group: Group
    outcome: Outcome
    traffic: tuple[Traffic, ...] = ()
    body: DeviceEstimate | None = None
    steps: int = 1
    loaded: Cost = Cost()
    alternatives: tuple[DeviceEstimate, ...] = ()

    @property
    def cost(self) -> Cost:
        """The cost, which is empty where there is none."""
        return self.outcome if isinstance(self.outcome, Cost) else Cost()

    @cached_property
    def busy_seconds(self) -> Mapping[str, float]:
        """How long each resource works."""
        own = self.cost if self.body is None else self.loaded
        found = dict.fromkeys([one.resource for one in own.timed], 0.0)
        for of_phase in busy(own.timed).values():
            for resource, seconds in of_phase.items():
                found[resource] += seconds.value
        within = {} if self.body is None else self.body.busy_seconds
        for resource, time in within.items():
            found[resource] = found.get(resource, 0.0) + time * self.steps
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
        """The most that lies in a memory within a loop or branch, beside what lies outside."""
        bodies = self.alternatives or (() if self.body is None else (self.body,))
        return max([body.peak_bits(memory) for body in bodies], default=0)


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
    unknown_static: str = ""
    """Why the static charges are not known, where that is so."""

    @property
    def batch(self) -> int:
        """The number of examples."""
        return self.scenario.batch

    def group(self, name: str) -> GroupCost:
        """The group that the step called `name` is a member of.

        Raises:
            NetworkError: there is no such step, or it is a view.

        """
        step = self.workload.step(name)
        for each in self.groups:
            if step in each.group.members:
                return each
        message = f"step {name!r} of workload {self.workload.name!r} is a view, and in no group"
        raise NetworkError(message)

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

    def repeated_traffic(self, times: int) -> tuple[Traffic, ...]:
        """What all groups move, `times` over, by memory and role."""
        return added(one for each in self.groups for one in each.traffic * times)

    @property
    def peak_bytes(self) -> Mapping[str, int]:
        """The most that lies in each memory at any time, by its name."""
        return {one.name: _bytes(self.peak_bits(one.name)) for one in self.placement.memories}

    def peak_bits(self, memory: str) -> int:
        """The most that lies in a memory at any time, loops and branches included."""
        used = self.placement.used_bits(memory)
        within = [each.body_bits(memory) for each in self.groups] or [0]
        return max(map(sum, zip(used, within, strict=True)))

    @property
    def fits(self) -> bool | None:
        """Whether each memory has room for what lies in it; None where the device has none."""
        if not self.placement.memories:
            return None
        return all(one.has_room_for(self.peak_bits(one.name)) for one in self.placement.memories)

    # -------------------------------------------------------------- coverage

    @cached_property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What is said of each step, by its name."""
        return {name: one for each in self.groups for name, one in each.outcomes.items()}

    @property
    def unpriced(self) -> Mapping[str, str]:
        """The steps without a price, and why; `static` where the makespan is not known."""
        found = _reasons(self.outcomes, Unpriced)
        return {**found, "static": self.unknown_static} if self.unknown_static else found

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


def _reasons(outcomes: Mapping[str, Outcome], kind: type[Reason]) -> Mapping[str, str]:
    return {name: one.reason for name, one in outcomes.items() if isinstance(one, kind)}


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
    device: Device,
    workload: Workload,
    scenario: Scenario,
    around: Surroundings | None = None,
) -> DeviceEstimate:
    """The steps of an evaluation, one after the other, on a workload whose symbols are bound.

    `around` is what the body of a loop or a branch finds in memory.
    """
    with _named(device, f"workload {workload.name!r}"):
        groups = device.fuse(workload, scenario)
        _check_groups(groups, workload, device)
        placement = device.place(workload, groups, scenario, around)
    moves = traffic(workload, groups, placement, scenario.default_format)
    costs = []
    for place, (group, moving) in enumerate(zip(groups, moves, strict=True)):
        context = _Context(device, workload, scenario, placement, place, around)
        costs.append(context.priced(group, moving))
    with _named(device, f"workload {workload.name!r}"):
        schedule = device.schedule(tuple(costs), placement, scenario)
        if around is not None:  # static power is drawn over the whole, once
            static, unknown = Cost(), ""
        elif schedule.makespan is None:
            static, unknown = Cost(), _NO_MAKESPAN if device.has_static_charges else ""
        else:
            static, unknown = Cost(device.static_charges(schedule)), ""
    return DeviceEstimate(
        device, workload, scenario, tuple(costs), placement, schedule, static, unknown
    )


_NO_MAKESPAN: Final = "static charges follow from the makespan, which is not known"


def _check_groups(groups: tuple[Group, ...], workload: Workload, device: Device) -> None:
    found = sorted(step.name for group in groups for step in group.members)
    expected = sorted(step.name for step in workload if not isinstance(step, View))
    if found != expected:
        odd = next(iter({*found} ^ {*expected}), "")
        message = (
            f"device class {type(device).__name__!r}, fuse: expected every step but views in one "
            f"group, found {odd or found!r:.80} in none or in several"
        )
        raise PluginError(message)


@contextmanager
def _named(device: Device, what: str) -> Iterator[None]:
    """Errors of a device class say where they are from."""
    where = f"{what} on {device.name!r}"
    try:
        yield
    except (PluginError, ScenarioError) as error:
        message = f"{where}: {error}"
        raise type(error)(message) from None
    except CostModelError:
        raise
    except Exception as error:  # a rule of a third party may fail in any way
        message = f"{where} cannot be priced: {fault(error, type(device))}"
        raise PluginError(message) from error


@frozen
class _Context:
    """Where a group is priced: its place among the groups, and what lies in memory then."""

    device: Device
    workload: Workload
    scenario: Scenario
    placement: Placement
    place: int
    around: Surroundings | None

    def priced(self, group: Group, moving: tuple[Traffic, ...]) -> GroupCost:
        match group.anchor:
            case Loop() as loop:
                return self._looped(group, loop)
            case Branch() as branch:
                return self._branched(group, branch)
        outcome, carried = self._asked(group, moving)
        if isinstance(outcome, Cost):
            return GroupCost(group, Cost.of_group([outcome, carried]), moving)
        if isinstance(outcome, Unpriced) or not (carried.due or carried.durations):
            return GroupCost(group, outcome, moving)
        return GroupCost(group, carried, moving)

    def _asked(self, group: Group, moving: tuple[Traffic, ...]) -> tuple[Outcome, Cost]:
        """What the device says to the operators of a group, and to what they move."""
        device, one = self.device, evolve(self.scenario, batch=1)  # the batch is in the operators
        with _named(device, repr(group.name)):
            outcome = checked(device.price_group(group, self.placement, one), _who(device))
            return outcome, device.price_traffic(group, moving, self.placement, one)

    def _looped(self, group: Group, loop: Loop) -> GroupCost:
        """A loop: what stays is loaded once, and a step costs the same each time.

        A device without memories has what is moved in its prices, weights once for all steps.
        """
        device = self.device
        if not device.memories:
            steps = evaluated(device, loop.body.repeated(loop.steps, "step"), self.scenario)
            return GroupCost(group, _summary(steps), body=steps)
        body = evaluated(device, loop.body, self.scenario, self._around_a_step(loop))
        once = self._loaded(loop)
        with _named(device, repr(group.name)):
            loaded = device.price_traffic(group, once, self.placement, self.scenario)
            outcome = _summary(body)
            if isinstance(outcome, Cost):
                outcome = checked(device.repeat(body, loop), _who(device))
        if isinstance(outcome, Cost) and (loaded.due or loaded.durations):
            outcome = Cost.together([loaded, outcome])
        moved_bits = added([*once, *body.repeated_traffic(loop.steps)])
        return GroupCost(group, outcome, moved_bits, body, loop.steps, loaded)

    def _around_a_step(self, loop: Loop) -> Surroundings:
        sliced = [*loop.varying, *[(outside, inside) for inside, outside in loop.collected]]
        homes = {inside: self._home(outside) for outside, inside in sliced}
        return Surroundings({**homes, **dict.fromkeys(dict(loop.fixed).values())}, self._used())

    def _loaded(self, loop: Loop) -> tuple[Traffic, ...]:
        """What a loop moves once: what stays the same, the first state, and the last."""
        read = [outside for outside, _ in (*loop.fixed, *loop.carried)]
        written = [outside for _, outside in loop.last]
        weights = set(self.workload.weights)
        found = []
        for name in dict.fromkeys((*read, *written)):
            home = self._home(name)
            if home is not None:
                tensor = self.workload.tensors[name]
                bits = tensor.size * (tensor.format or self.scenario.default_format).bits
                role = "weight" if name in weights else "input" if name in read else "output"
                ways = (bits, 0) if name in read else (0, bits)
                found.append(Traffic(home, role, *ways))
        return added(found)

    def _branched(self, group: Group, branch: Branch) -> GroupCost:
        """A branch: the alternative with the most energy, or else the longest, counts."""
        outside = {*branch.reads, *branch.writes}
        around = Surroundings({name: self._home(name) for name in outside}, self._used())
        each = [evaluated(self.device, one, self.scenario, around) for one in branch.alternatives]
        missing = [one for one in each if one.unpriced]
        most = max(each, key=lambda one: (one.energy_joules, one.latency_seconds or 0.0))
        (taken, *_) = [*missing, most]
        return GroupCost(
            group, _summary(taken), taken.repeated_traffic(1), taken, alternatives=tuple(each)
        )

    def _home(self, name: str) -> str | None:
        """The memory in which a tensor of the workload lies."""
        memory = self.placement.memory_of(self.workload.storage(name))
        return None if memory is None else memory.name

    def _used(self) -> Mapping[str, int]:
        """What lies in each memory while the group runs."""
        beside = {} if self.around is None else self.around.used_bits
        return {
            memory.name: self.placement.used_bits(memory.name)[self.place]
            + beside.get(memory.name, 0)
            for memory in self.placement.memories
        }


def _who(device: Device) -> str:
    return f"device class {type(device).__name__!r}"


def _summary(body: DeviceEstimate) -> Outcome:
    """The cost of a body, or why it has none."""
    for name, reason in body.unpriced.items():
        return Unpriced(f"{name!r} in {body.workload.name!r}: {reason}")
    if body.cost.due or body.cost.latency_seconds:
        return body.cost
    return Free("; ".join(dict.fromkeys(body.free.values())) or "nothing is computed")
