"""Estimates of a workload on one device: what each group costs, and what all of them come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from attrs import evolve, field, frozen

from costmodel.devices.cost import (
    UNNAMED,
    Charge,
    Cost,
    Duration,
    Factor,
    Outcome,
    busy,
    checked,
)
from costmodel.devices.evaluation.computing import call_format
from costmodel.devices.evaluation.memory import (
    BYTE,
    Memory,
    Placement,
    Surroundings,
    Traffic,
    added,
    as_bytes,
    in_bytes,
    repeated,
)
from costmodel.devices.evaluation.schedule import Schedule
from costmodel.errors import (
    CostModelError,
    NetworkError,
    PluginError,
    ScenarioError,
    fault,
    nearest,
)
from costmodel.scenario import Scenario
from costmodel.workload.graph import Branch, Loop, View
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    from costmodel.devices.device import Device
    from costmodel.devices.evaluation.fusion import Group
    from costmodel.devices.runtimes import Residual
    from costmodel.formats import NumericFormat
    from costmodel.workload.graph import Workload
    from costmodel.workload.operators import Operator


@frozen
class Fused(Reason):
    """Work that is done within the group of another operator, whose cost holds it."""

    into: str


@frozen
class OperatorCost:
    """One operator, or None where there is none, and what a device says to it."""

    operator: Operator | None
    outcome: Outcome


Items: TypeAlias = tuple[OperatorCost, ...]


@frozen(slots=False)
class GroupCost:
    """What a group costs, what each of its members adds to that, and what it moves.

    `items` has an entry for each member: what is said of its operator, or of each of its parts.
    `cost` is that of the whole group, what it moves included; operators without a price are not
    in it, nor is what it moves where its anchor has none.

    For a loop, `body` is the estimate of a step, which runs `steps` times, and `loaded` the cost
    of what is moved once for all of them. For a branch, `body` is the estimate of the alternative
    that counts, and `alternatives` are those of all.
    """

    group: Group
    items: tuple[Items, ...]
    cost: Cost
    is_priced: bool = True
    """Whether every operator of the group is priced or free for a reason."""
    carried: Cost = Cost()
    """The part of the cost that is due for what the group moves, where the memories state it."""
    traffic: tuple[Traffic, ...] = ()
    body: DeviceEstimate | None = None
    steps: int = 1
    loaded: Cost = Cost()
    alternatives: tuple[DeviceEstimate, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The cost, or why there is none."""
        outcomes = [one.outcome for each in self.items for one in each]
        return _all_together(outcomes, self.cost)

    @cached_property
    def busy_seconds(self) -> Mapping[str, float]:
        """How long each resource works."""
        if self.body is not None and not _costs_anything(self.cost):
            return {}  # as the cost, which holds no time of it
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
        return longest(self.busy_seconds)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the operators, of a loop those of all steps."""
        if self.body is not None:
            return self.steps * sum([each.macs for each in self.body.groups])
        return sum([node.operator.macs for node in self.group.nodes])

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What is said of each member by its name; the anchor has the cost of what is moved."""
        found: dict[str, Outcome] = {}
        for step, items in zip(self.group.members, self.items, strict=True):
            is_anchor = step is self.group.anchor
            costs = [one.outcome for one in items if isinstance(one.outcome, Cost)]
            if is_anchor and len(self.items) == 1:
                cost = self.cost
            else:
                cost = Cost.of_group([*costs, *([self.carried] if is_anchor else [])])
            found[step.name] = _all_together([one.outcome for one in items], cost)
        return found

    def body_bits(self, memory: str) -> int:
        """The most that lies in a memory within a loop or branch, beside what lies outside."""
        bodies = self.alternatives or (() if self.body is None else (self.body,))
        return max([body.peak_bits(memory) for body in bodies], default=0)


def _all_together(outcomes: Sequence[Outcome], cost: Cost) -> Outcome:
    """One outcome for several: unpriced where one is; else their cost; else why they are free."""
    for one in outcomes:
        if isinstance(one, Unpriced):
            return one
    if _costs_anything(cost):
        return cost
    if len(outcomes) == 1 and isinstance(outcomes[0], Reason):
        return outcomes[0]
    reasons = [one.reason for one in outcomes if isinstance(one, Reason)]
    return Free("; ".join(dict.fromkeys(reasons)) or "nothing is computed")


def _costs_anything(cost: Cost) -> bool:
    return bool(cost.charges or cost.latency_seconds)


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

    @property
    def residual(self) -> Residual | None:
        """How measured times spread around predicted ones, in this format and at this batch."""
        number = call_format(self.workload, self.scenario)
        return self.device.residual(self.batch, number, self.schedule.seconds)

    # -------------------------------------------------------------- energy

    @cached_property
    def cost(self) -> Cost:
        """All charges, the static ones too, and the makespan."""
        whole = Cost([*(each.cost for each in self.groups), self.static])
        span = self.schedule.makespan
        if span is None or not self.is_timed:
            return whole
        return Cost(
            [whole], span.value, latency_seconds_low=span.low, latency_seconds_high=span.high
        )

    @property
    def is_timed(self) -> bool:
        """Whether the time of anything is known; of nothing at all, whether the device has any."""
        if not self.groups:
            return "timed" in self.device.capabilities
        return any(each.cost.latency_seconds is not None for each in self.groups)

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
        """Energy by what it is spent in, such as a memory or multipliers."""
        return self.cost.energy_joules_by_resource

    @cached_property
    def energy_joules_by_role(self) -> Mapping[str, float]:
        """Energy by what it is spent on: inputs, weights, outputs, computing and so on."""
        return self.cost.energy_joules_by_role

    # -------------------------------------------------------------- time

    @property
    def latency_seconds(self) -> float | None:
        """The makespan of the whole batch."""
        return self.cost.latency_seconds

    @property
    def throughput(self) -> float | None:
        """Examples in a second; at most so many, where work has no price."""
        return self.batch / self.latency_seconds if self.latency_seconds else None

    @property
    def average_power_watts(self) -> float | None:
        """Energy over the makespan; None where either lacks work without a price."""
        seconds = self.latency_seconds if self.is_complete else None
        return self.energy_joules / seconds if seconds else None

    @cached_property
    def busy_seconds(self) -> Mapping[str, float]:
        """How long each resource works."""
        return busy_together(self.groups)

    @property
    def busy_share(self) -> Mapping[str, float]:
        """The share of the makespan in which each resource works."""
        if not self.latency_seconds:
            return {}
        return {name: time / self.latency_seconds for name, time in self.busy_seconds.items()}

    @property
    def limiting_resource(self) -> str | None:
        """The resource that works longest, or `overhead`, with what a call takes before all work.

        None where the device models no resources, and no such time.
        """
        times = dict(self.busy_seconds)
        before = self.schedule.overhead.value
        if before:
            times[OVERHEAD] = times.get(OVERHEAD, 0.0) + before
        return longest(times)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the whole batch, in one timestep."""
        in_operators = sum([each.macs for each in self.groups])
        return in_operators if self.device.uses_memories else in_operators * self.batch

    @property
    def utilisation(self) -> float | None:
        """Multiply-accumulates over the most that the device could do in the time.

        None where work has no price, whose time is not known.
        """
        known = self.macs if self.is_priced else 0
        return self.utilisation_of(known, self.latency_seconds)

    def utilisation_of(self, macs: int, seconds: float | None) -> float | None:
        """Multiply-accumulates over the most that the device could do in some time.

        `macs` are those of one timestep. None where the device does not state what it could do,
        or the time is not known.
        """
        most = self.device.macs_per_second
        done = macs * passes(self.device, self.scenario)
        return done / (most * seconds) if done and most and seconds else None

    def pipelined(self, steps: int) -> Cost:
        """The cost of so many steps of this body that overlap, each group at another of them.

        For a class whose `repeat` overlaps the steps of a loop, none of which needs the one before.
        """
        costs = [each.cost.times(steps, "steps") for each in self.groups]
        names = [each.group.name for each in self.groups]
        whole, span = Cost(costs), Schedule.pipelined(names, costs, steps).makespan
        if span is None or not self.is_timed:
            return whole
        return Cost(
            [whole], span.value, latency_seconds_low=span.low, latency_seconds_high=span.high
        )

    # -------------------------------------------------------------- memory

    @cached_property
    def traffic_bytes(self) -> Mapping[str, tuple[int, int]]:
        """Bytes that are read from each memory and written to it, by its name."""
        none = dict.fromkeys([memory.name for memory in self.placement.memories], (0, 0))
        return {**none, **in_bytes(self.repeated_traffic(1))}

    def repeated_traffic(self, times: int) -> tuple[Traffic, ...]:
        """What all groups move, `times` over, by memory and role."""
        return added(one for each in self.groups for one in each.traffic * times)

    @property
    def peak_bytes(self) -> Mapping[str, int]:
        """The most that lies in each memory at any time, by its name."""
        return {one.name: as_bytes(self.peak_bits(one.name)) for one in self.placement.memories}

    def peak_bits(self, memory: str) -> int:
        """The most that lies in a memory at any time, loops and branches included."""
        return max(self.held_bits(memory))

    def held_bits(self, memory: str) -> list[int]:
        """What lies in a memory while each group runs, loops and branches included."""
        used = self.placement.used_bits(memory)
        within = [each.body_bits(memory) for each in self.groups] or [0]
        return list(map(sum, zip(used, within, strict=True)))

    @property
    def weight_bytes(self) -> int:
        """All weights, each tensor once."""
        default = self.scenario.default_format
        tensors = [self.workload.tensors[name] for name in self.workload.weights]
        return as_bytes(sum([(one.format or default).stored_bits(one.size) for one in tensors]))

    @property
    def fits(self) -> bool | None:
        """Whether each memory has room for what lies in it; None where the device has none."""
        if not self.placement.memories:
            return None
        return all(one.has_room_for(self.peak_bits(one.name)) for one in self.placement.memories)

    @property
    def area_square_metres(self) -> float | None:
        """The area of the chip as far as the device states it."""
        return self.device.area_square_metres

    # -------------------------------------------------------------- coverage

    @property
    def not_modelled(self) -> tuple[str, ...]:
        """What the device says nothing about, of `time`, `memory` and so on."""
        missing = {
            "time": not self.is_timed,
            "utilisation": self.device.macs_per_second is None,
            "memory": not self.placement.memories,
            "static energy": not self.device.has_static_charges,
            "area": self.area_square_metres is None,
        }
        return tuple([name for name, is_missing in missing.items() if is_missing])

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
        return not self.unknown_static and self.is_priced

    @cached_property
    def is_priced(self) -> bool:
        """Whether every operator has a price, and so its time; static energy may be missing."""
        return all(
            each.is_priced and (each.body is None or each.body.is_complete) for each in self.groups
        )


def passes(device: Device, scenario: Scenario) -> int:
    """How often a device runs a workload: once for each timestep, where it knows of these."""
    is_in_workload = scenario.time_axis is not None
    return 1 if is_in_workload or "timesteps" in device.ignores else scenario.timesteps


def busy_together(groups: Iterable[GroupCost]) -> Mapping[str, float]:
    """How long each resource works for several groups."""
    found: dict[str, list[float]] = {}
    for each in groups:
        for resource, seconds in each.busy_seconds.items():
            found.setdefault(resource, []).append(seconds)
    return {resource: math.fsum(times) for resource, times in found.items()}


def longest(times: Mapping[str, float]) -> str | None:
    """The resource that works longest, if there is one."""
    return max(times, key=lambda name: times[name], default=None)


def _reasons(outcomes: Mapping[str, Outcome], kind: type[Reason]) -> Mapping[str, str]:
    return {name: one.reason for name, one in outcomes.items() if isinstance(one, kind)}


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
                charges.append(Charge(memory.name, one.role, (count,), access.energy))
        for resource, bits in _by_port(one, memory):
            if bits and memory.bandwidth is not None:
                durations.append(Duration(resource, bits / BYTE, memory.bandwidth))
    return Cost(charges, durations=durations)


def _by_port(one: Traffic, memory: Memory) -> Iterable[tuple[str, int]]:
    """The ports that move the bits, and how many each."""
    apart = (one.read_bits, one.written_bits)
    return zip(memory.ports, (sum(apart),) if memory.shared_port else apart, strict=True)


def evaluated(
    device: Device,
    workload: Workload,
    scenario: Scenario,
    around: Surroundings | None = None,
    *,
    is_body: bool = False,
    batch: int = 1,
) -> DeviceEstimate:
    """The steps of an evaluation, one after the other, on a workload whose symbols are bound.

    `around` is what the body of a loop or a branch finds in memory. Static charges, and the
    spread of measured times, are those of a whole workload and not of a body; `batch` is how many
    examples all of it has. Rates by layer are resolved.
    """
    with _named(device, f"workload {workload.name!r}"):
        groups = device.fuse(workload, scenario)
        if not device.fuses_as_usual:
            _check_groups(groups, workload, device)
        placement = device.place(workload, groups, scenario, around)
        _check_answer(placement, Placement, device, "place")
        moves = device.move(workload, groups, placement, scenario)
        _check_moves(moves, groups, device)
    times = passes(device, scenario)
    moves = tuple([repeated(one, times) for one in moves])
    under_way = _Evaluation(device, workload, scenario, placement, around)
    costs = [
        under_way.priced(place, group, moving)
        for place, (group, moving) in enumerate(zip(groups, moves, strict=True))
    ]
    declared = frozenset((*device.declared_resources, UNNAMED))
    for each in {id(each.cost): each for each in costs}.values():  # equal groups share a cost
        if not declared.issuperset(each.cost.resources):
            _refuse_resources(each.cost, device, _where(each.group))
    with _named(device, f"workload {workload.name!r}"):
        schedule = device.schedule(tuple(costs), placement, scenario)
        _check_answer(schedule, Schedule, device, "schedule")
        if not is_body:
            schedule = _of_one_call(device, workload, schedule, scenario, batch)
        if is_body:  # static power is drawn over the whole, once
            static, unknown = Cost(), ""
        elif schedule.makespan is None:
            static, unknown = Cost(), _NO_MAKESPAN if device.has_static_charges else ""
        else:
            charges = device.static_charges(schedule)
            if isinstance(charges, Unpriced):
                static, unknown = Cost(), charges.reason
            else:
                static, unknown = Cost(charges), ""
    if not declared.issuperset(static.resources):
        _refuse_resources(static, device, f"workload {workload.name!r}")
    return DeviceEstimate(
        device, workload, scenario, tuple(costs), placement, schedule, static, unknown
    )


def _of_one_call(
    device: Device, workload: Workload, schedule: Schedule, scenario: Scenario, batch: int
) -> Schedule:
    """The schedule of a whole workload: what each call adds, and the spread of measured times."""
    number = call_format(workload, scenario)
    schedule = device.per_call(schedule, evolve(scenario, default_format=number))
    _check_answer(schedule, Schedule, device, "per_call")
    here = device.residual(batch, number, schedule.seconds)
    return schedule if here is None else schedule.spread(here)


OVERHEAD: Final = "overhead"
"""The resource of the time that a call takes before all work."""
_NO_MAKESPAN: Final = "static charges follow from the makespan, which is not known"


def _check_answer(answer: object, kind: type, device: Device, step: str) -> None:
    """Check what a step of a class gave.

    Raises:
        PluginError: it is of another kind.

    """
    if not isinstance(answer, kind):
        message = f"{_who(device)}, {step}: expected a {kind.__name__}, found {answer!r:.80}"
        raise PluginError(message)


def _check_moves(moves: Any, groups: tuple[Group, ...], device: Device) -> None:
    """Check that there is traffic, or none, for each group.

    Raises:
        PluginError: there is not.

    """
    is_one_each = isinstance(moves, tuple) and len(moves) == len(groups)
    if not is_one_each or any(not isinstance(each, tuple) for each in moves):
        expected = f"a tuple of Traffic for each of {len(groups)} groups"
        message = f"{_who(device)}, move: expected {expected}, found {moves!r:.80}"
        raise PluginError(message)


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
    try:
        yield
    except Exception as error:  # noqa: BLE001  # a rule of a third party may fail in any way
        _raise_named(error, device, what)


def _raise_named(error: Exception, device: Device, what: str) -> NoReturn:
    where = f"{what} on {device.name!r}"
    if isinstance(error, PluginError | ScenarioError):
        message = f"{where}: {error}"
        raise type(error)(message) from None
    if isinstance(error, CostModelError):
        raise error
    message = f"{where} cannot be priced: {fault(error, type(device))}"
    raise PluginError(message) from error


_Answer: TypeAlias = tuple[tuple[Items, ...], Cost, bool]
"""What is said of each member of a group, the cost of all, and whether none is unpriced."""


@frozen(eq=False)
class _Evaluation:
    """An evaluation under way: where tensors lie, and what was said of groups so far."""

    device: Device
    workload: Workload
    scenario: Scenario
    placement: Placement
    around: Surroundings | None
    known: dict[object, _Answer] = field(factory=dict)
    """By the form of a group, and the conditions of its operators."""
    is_by_operator: bool = field(init=False)
    """Whether groups of equal operators under equal conditions have one price."""
    is_by_node: bool = field(init=False)
    """Whether the conditions of nodes differ."""

    @is_by_operator.default
    def _is_by_operator(self) -> bool:
        return self.device.prices_operators_alone

    @is_by_node.default
    def _is_by_node(self) -> bool:
        return type(self.scenario).of_node is not Scenario.of_node

    def priced(self, place: int, group: Group, moving: tuple[Traffic, ...]) -> GroupCost:
        """What the group at a place in the row costs."""
        if isinstance(group.anchor, Loop):
            return self._looped(place, group, group.anchor)
        if isinstance(group.anchor, Branch):
            return self._branched(place, group, group.anchor)
        items, cost, is_priced = self._asked(group)
        if not moving or not (is_priced or _has_priced_anchor(group, items)):
            return GroupCost(group, items, cost, is_priced, traffic=moving)
        with _named(self.device, _where(group)):
            carried = self.device.price_traffic(group, moving, self.placement, self.scenario)
            _check_answer(carried, Cost, self.device, "price_traffic")
        if not (carried.charges or carried.durations):
            return GroupCost(group, items, cost, is_priced, traffic=moving)
        is_free = not _costs_anything(cost)
        whole = carried if is_free else Cost.of_group([cost, carried])
        return GroupCost(group, items, whole, is_priced, carried, moving)

    def _asked(self, group: Group) -> _Answer:
        """What the device says to the members of a group, the cost, and whether all have one."""
        if not self.is_by_operator:
            return self._answered(group)
        key: object
        if self.is_by_node:
            local = [id(self.scenario.of_node(node)) for node in group.nodes]
            key = (group.form, *local)
        else:
            key = group.form
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._answered(group)
            return found
        items, cost, is_priced = found
        return _fused_into(group, items), cost, is_priced

    def _answered(self, group: Group) -> _Answer:
        device = self.device
        try:  # a context would take as long as a price
            answer = device.price_group(group, self.placement, self.scenario)
            items = _items_of(answer, group, device)
        except Exception as error:  # noqa: BLE001  # a rule of a third party may fail in any way
            _raise_named(error, device, _where(group))
        outcomes = [one.outcome for each in items for one in each]
        costs = [one for one in outcomes if isinstance(one, Cost)]
        cost = costs[0] if len(costs) == 1 else Cost.of_group(costs)
        return items, cost, not any(isinstance(one, Unpriced) for one in outcomes)

    def _looped(self, place: int, group: Group, loop: Loop) -> GroupCost:
        """A loop: what stays is copied nearer once if there is room; its steps cost the same.

        A device without memories has what is moved in its prices, weights once for all steps.
        """
        device = self.device
        (within,) = self.scenario.within(loop)
        if not device.memories:
            repeated = loop.body.repeated(loop.steps, "step")
            steps = evaluated(device.within(loop), repeated, within, is_body=True)
            items = tuple([one for each in steps.groups for part in each.items for one in part])
            return GroupCost(group, (items,), steps.cost, steps.is_complete, body=steps)
        around = self._around_a_step(loop, place)
        body = evaluated(device.within(loop), loop.body, within, around, is_body=True)
        once = self._loaded(group, loop, around)
        with _named(device, _where(group)):
            moved = device.price_traffic(group, once, self.placement, self.scenario)
            _check_answer(moved, Cost, device, "price_traffic")
            begun = device.begin(loop, self.scenario)
            _check_answer(begun, Cost, device, "begin")
            loaded = Cost.of_group([moved, begun]) if begun.durations else moved
            outcome = _summary(body)
            if isinstance(outcome, Cost):
                outcome = checked(device.repeat(body, loop), _who(device))
        if isinstance(outcome, Cost) and (loaded.charges or loaded.durations):
            outcome = Cost.together([loaded, outcome])
        moved_bits = added([*once, *body.repeated_traffic(loop.steps)])
        cost = outcome if isinstance(outcome, Cost) else Cost()
        items = (OperatorCost(None, outcome),)
        return GroupCost(
            group, (items,), cost, not isinstance(outcome, Unpriced), Cost(), moved_bits,
            body, loop.steps, loaded,
        )  # fmt: skip

    def _around_a_step(self, loop: Loop, place: int) -> Surroundings:
        """Where a step finds what comes from outside.

        What stays the same for all steps is kept in the innermost memory, nearer than its own,
        that exists once, holds its role and has room for it; each step reads the rest from where
        it lies.
        """
        sliced = [*loop.varying, *[(outside, inside) for inside, outside in loop.collected]]
        homes = {inside: self._home(outside) for outside, inside in sliced}
        used = self._used(place)
        taken = dict(used)
        kept = set()
        for outside, inside in loop.fixed:
            homes[inside] = home = self._home(outside)
            bits = self._bits(outside, {})
            for memory in self.placement.memories:
                if home is None or memory.name == home:
                    break
                is_for_it = not memory.per and self._role(outside) in memory.holds
                if is_for_it and memory.has_room_for(taken[memory.name] + bits):
                    homes[inside] = memory.name
                    taken[memory.name] += bits
                    kept.add(inside)
                    break
        return Surroundings(homes, used, frozenset(kept))

    def _loaded(self, group: Group, loop: Loop, around: Surroundings) -> tuple[Traffic, ...]:
        """What a loop moves once: what it keeps nearer, the first state, and the last."""
        stored = self.device.stored_as(group, self.scenario)
        found = []
        for outside, inside in loop.fixed:
            home, nearer = self._home(outside), around.homes[inside]
            if inside in around.kept and home is not None and nearer is not None:
                role, bits = self._role(outside), self._bits(outside, stored)
                found += [Traffic(home, role, bits, 0), Traffic(nearer, role, 0, bits)]
        for outside in dict.fromkeys([outside for outside, _ in loop.carried]):
            if (home := self._home(outside)) is not None:
                found.append(Traffic(home, self._role(outside), self._bits(outside, stored), 0))
        for outside in dict.fromkeys([outside for _, outside in loop.last]):
            if (home := self._home(outside)) is not None:
                found.append(Traffic(home, "output", 0, self._bits(outside, stored)))
        return repeated(added(found), passes(self.device, self.scenario))

    def _role(self, name: str) -> str:
        """The role of a tensor of the workload that something reads."""
        return "weight" if name in self.workload.weights else "input"

    def _bits(self, name: str, stored: Mapping[NumericFormat, NumericFormat]) -> int:
        tensor = self.workload.tensors[name]
        number = tensor.format or self.scenario.default_format
        return stored.get(number, number).stored_bits(tensor.size)

    def _branched(self, place: int, group: Group, branch: Branch) -> GroupCost:
        """A branch: the alternative with the most energy, or else the longest, counts."""
        used = self._used(place)
        each = []
        for one, within in zip(branch.alternatives, self.scenario.within(branch), strict=True):
            homes = {name: self._home(name) for name in (*one.sources, *one.outputs)}
            around = Surroundings(homes, used)
            each.append(evaluated(self.device, one, within, around, is_body=True))
        missing = [one for one in each if one.unpriced]
        most = max(each, key=lambda one: (one.energy_joules, one.latency_seconds or 0.0))
        (taken, *_) = [*missing, most]
        outcome = _summary(taken)
        cost = outcome if isinstance(outcome, Cost) else Cost()
        items = (OperatorCost(None, outcome),)
        moved_bits = taken.repeated_traffic(1)
        return GroupCost(
            group, (items,), cost, not isinstance(outcome, Unpriced), Cost(), moved_bits,
            taken, alternatives=tuple(each),
        )  # fmt: skip

    def _home(self, name: str) -> str | None:
        """The memory in which a tensor of the workload lies."""
        memory = self.placement.memory_of(self.workload.storage(name))
        return None if memory is None else memory.name

    def _used(self, place: int) -> Mapping[str, int]:
        """What lies in each memory while the group runs."""
        beside = {} if self.around is None else self.around.used_bits
        return {
            memory.name: self.placement.used_bits(memory.name)[place] + beside.get(memory.name, 0)
            for memory in self.placement.memories
        }


def _has_priced_anchor(group: Group, items: tuple[Items, ...]) -> bool:
    """Whether the operator that has the cost of what its group moves has a price."""
    of_anchor = items[group.members.index(group.anchor)]
    return not any(isinstance(one.outcome, Unpriced) for one in of_anchor)


def _where(group: Group) -> str:
    """A group in words: its layer, where it has one, or else its name."""
    layer = group.anchor.layer
    return f"layer {layer!r}" if layer else repr(group.name)


def _fused_into(group: Group, items: tuple[Items, ...]) -> tuple[Items, ...]:
    """What was said of the members of an equal group, with the name of this one."""
    if not any(isinstance(one.outcome, Fused) for each in items for one in each):
        return items
    return tuple([tuple([_renamed(one, group.name) for one in each]) for each in items])


def _renamed(item: OperatorCost, name: str) -> OperatorCost:
    fused = item.outcome
    if not isinstance(fused, Fused) or fused.into == name:
        return item
    reason = fused.reason.replace(repr(fused.into), repr(name))
    return OperatorCost(item.operator, Fused(reason, name))


def _items_of(answer: Any, group: Group, device: Device) -> tuple[Items, ...]:
    """What is said of each member; a cost of a whole group is that of its anchor.

    Raises:
        PluginError: it is no answer to a group.

    """
    if answer.__class__ is tuple:
        items: tuple[Items, ...] = answer
        if len(items) != len(group.members):
            message = (
                f"{_who(device)}, price_group: expected what is said of each of "
                f"{len(group.members)} members, found {len(items)}"
            )
            raise PluginError(message)
        return items
    outcome = checked(answer, _who(device))
    fused = Fused(f"done within {group.name!r}", group.name)
    return tuple(
        [
            (OperatorCost(getattr(step, "operator", None), outcome),)
            if step is group.anchor or isinstance(outcome, Unpriced)
            else (OperatorCost(getattr(step, "operator", None), fused),)
            for step in group.members
        ]
    )


def _refuse_resources(cost: Cost, device: Device, where: str) -> NoReturn:
    """Say which resource of charges or durations a device does not declare."""
    declared = device.declared_resources
    resource = next(one for one in cost.resources if one not in (*declared, UNNAMED))
    near = nearest(resource, declared)
    hint = f" (nearest: {near!r})" if near else ""
    message = (
        f"{where} on {device.name!r}: {_who(device.unadapted)} does not declare resource "
        f"{resource!r:.80}; declared: {', '.join(declared) or 'none'}{hint}; "
        "add it to `resources` of the class"
    )
    raise PluginError(message)


def _who(device: Device) -> str:
    return f"device class {type(device).__name__!r}"


def _summary(body: DeviceEstimate) -> Outcome:
    """The cost of a body, or why it has none."""
    for name, reason in body.unpriced.items():
        return Unpriced(f"{name!r} in {body.workload.name!r}: {reason}")
    if _costs_anything(body.cost):
        return body.cost
    return Free("; ".join(dict.fromkeys(body.free.values())) or "nothing is computed")
