"""The laws of a device that is given a whole workload."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve
from hypothesis import strategies as st

from costmodel.devices import Cost, Device, Schedule, Seconds, Span
from costmodel.devices.evaluation.apart import apart
from costmodel.devices.evaluation.computing import call_format
from costmodel.devices.evaluation.evaluator import evaluated
from costmodel.devices.evaluation.fusion import boundaries, storages
from costmodel.devices.evaluation.memory import BYTE
from costmodel.scenario import Scenario
from costmodel.testing import strategies
from costmodel.testing.capabilities import assumes
from costmodel.testing.contract import TOLERANCE, Contract, drawn, expect, for_all
from costmodel.workload.graph import Branch, Loop, Node, View, Workload
from costmodel.workload.operators import Contraction, Operator
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from costmodel.devices import Charge, DeviceEstimate, GroupCost, Outcome, Placement

_ENERGIES: Final = ("energy_joules", "energy_joules_low", "energy_joules_high")
_TIMES: Final = ("latency_seconds", "latency_seconds_low", "latency_seconds_high")


class EvaluationLaws(Contract):
    """What every device must keep when it evaluates a whole workload."""

    def operators(self) -> st.SearchStrategy[Operator]:
        """The operators that the device is asked for, by default the standard ones."""
        return strategies.operators()

    def workloads(self) -> st.SearchStrategy[Workload]:
        """The workloads that the device is asked for: small ones, with these operators in them."""
        return strategies.workloads(self.operators())

    # -------------------------------------------------------------- every device

    def test_every_step_is_in_one_group_and_has_an_outcome(self, device: Any) -> None:
        """Nothing is lost: each step but views is a member once, with a cost or a reason.

        An operator that the device prices by its parts may stand in parts, `step/part`.
        """

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            names = [step.name for step in estimate.workload if not isinstance(step, View)]
            for step in workload:
                is_there = step.name in names or any(x.startswith(f"{step.name}/") for x in names)
                if not isinstance(step, View):
                    expect(is_there, "the steps of the workload, or their parts", step.name, names)
            steps = sorted(names)
            members = sorted(step.name for each in estimate.groups for step in each.group.members)
            expect(members == steps, "the members of all groups", steps, members)
            outcomes = estimate.outcomes
            expect(sorted(outcomes) == steps, "the steps with an outcome", steps, sorted(outcomes))

    def test_the_energy_of_a_workload_is_that_of_its_groups_and_what_is_static(
        self, device: Any
    ) -> None:
        """The total is the sum of its parts, however they are divided."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            parts = [*[each.cost for each in estimate.groups], estimate.static]
            for name in _ENERGIES:
                total = math.fsum(getattr(part, name) for part in parts)
                _same(getattr(estimate.cost, name), total, f"{name} of the workload")
            for what in ("energy_joules_by_resource", "energy_joules_by_role"):
                total = math.fsum(getattr(estimate, what).values())
                _same(estimate.energy_joules, total, f"energy_joules, as the sum of {what},")

    def test_names_of_steps_and_tensors_change_no_cost(self, device: Any) -> None:
        """The same work costs the same, whatever it is called."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            before = told_by(device.evaluate(workload, scenario))
            after = told_by(device.evaluate(strategies.renamed(workload), scenario))
            expect(before == after, "the estimate under other names", before, after)

    @assumes("per-operator")
    def test_a_workload_of_one_operator_costs_what_the_operator_costs(self, device: Any) -> None:
        """The same energy alone and in a workload, apart from what a memory charges."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            once = evolve(scenario, batch=1)
            price = device.price(operator, once)
            groups = device.evaluate(strategies.alone(operator), once).groups
            found = [one.outcome for each in groups for said in each.items for one in said]
            is_priced = not any(isinstance(one, Unpriced) for one in found)
            expected = not isinstance(price, Unpriced)
            expect(is_priced == expected, "the outcome of one operator", price, found)
            if is_priced:
                energy = math.fsum(map(_energy, found))
                _same(energy, _energy(price), "the energy of one operator in a workload")

    @assumes("stateless")
    def test_the_same_workload_costs_the_same_again(self, device: Any) -> None:
        """Whatever was evaluated before."""

        @for_all(drawn(device), self.workloads(), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, other: Workload, scenario: Scenario) -> None:
            before = told_by(device.evaluate(workload, scenario))
            device.evaluate(other, scenario)
            after = told_by(device.evaluate(workload, scenario))
            expect(before == after, "the estimate, asked again", before, after)

    @assumes("tiles-not-cheaper")
    def test_tiles_of_a_contraction_cost_at_least_the_whole(self, device: Any) -> None:
        """A contraction that is divided along one dimension costs no less in its parts."""

        @for_all(drawn(device), strategies.tiled_contractions(), strategies.scenarios())
        def law(
            device: Device, tiling: tuple[Contraction, tuple[Contraction, ...]], scenario: Scenario
        ) -> None:
            whole, tiles = tiling
            answers = [device.price(one, scenario) for one in (whole, *tiles)]
            costs = [one.energy_joules for one in answers if isinstance(one, Cost)]
            if len(costs) == len(answers):  # a chip may refuse what is too large for it
                energy, *parts = costs
                _at_least(math.fsum(parts), energy, "the energy of the tiles together")

    @assumes("separable")
    def test_a_group_costs_the_same_alone(self, device: Any) -> None:
        """In a workload of its own a group is one group, with the same energy and time.

        And what a call adds to the times of all groups follows from the format of the call alone.
        """

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            if isinstance(scenario.rates, Mapping):  # those of what is before a group
                return
            whole = device.evaluate(workload, scenario)
            once = evolve(scenario, batch=1) if device.uses_memories else scenario
            groups = [each.group for each in whole.groups]
            for each, one in zip(whole.groups, apart(whole.workload, groups), strict=True):
                if any(isinstance(step, Loop | Branch) for step in each.group.members):
                    continue
                alone = evaluated(device, one, once, is_body=True)
                what = f"the groups of {each.group} alone"
                names = [other.group.name for other in alone.groups]
                expect(names == [each.group.name], what, each.group.name, names)
                other = alone.groups[0].cost
                for name in _ENERGIES:
                    _same(getattr(other, name), getattr(each.cost, name), f"{name} of {what}")
                for name in _TIMES:
                    found, expected = (getattr(one, name) or 0.0 for one in (other, each.cost))
                    _same(found, expected, f"{name} of {what}")
            span = whole.schedule.makespan
            if span is not None:
                added = math.fsum([each.cost.latency_seconds or 0.0 for each in whole.groups])
                nothing = Schedule((), Seconds(0.0, 0.0, 0.0))
                call = evolve(once, default_format=call_format(whole.workload, once))
                overhead = device.per_call(nothing, call).makespan or Seconds(0.0, 0.0, 0.0)
                _same(span.value, added + overhead.value, "the makespan")

    # -------------------------------------------------------------- time

    @assumes("timed")
    def test_every_time_is_known_and_lies_in_its_range(self, device: Any) -> None:
        """What has a price has a finite time, and the makespan is known if all of it has one."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            for each in _all_groups(estimate):
                if each.cost.charges or each.cost.latency_seconds is not None:
                    times = [getattr(each.cost, name) for name in _TIMES]
                    _in_order(f"the time of {each.group.name!r}", *times)
            span = estimate.schedule.makespan
            if span is None:
                missing = estimate.unpriced
                expect(missing, "the makespan, where all has a price", "a time", "none")
            else:
                _in_order("the makespan", *span)
            for one in estimate.schedule.spans:
                _in_order(f"the begin of {one.group!r}", *one.begin)
                _in_order(f"the end of {one.group!r}", *one.end)

    @assumes("timed")
    def test_the_makespan_lies_between_the_busiest_resource_and_the_sum_of_all(
        self, device: Any
    ) -> None:
        """No resource works longer than all takes, and overlap never makes it longer."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            span = estimate.schedule.makespan
            costs = [each.cost for each in estimate.groups]
            if span is None or any(cost.charges and _time(cost) is None for cost in costs):
                return
            for resource, busy in estimate.busy_seconds.items():
                _at_least(span.value, busy, f"the makespan, with {resource!r} busy", "s")
            ends = zip(_TIMES, span, strict=True)
            overhead = dict(zip(_TIMES, estimate.schedule.overhead, strict=True))
            for name, found in [*ends][:1] if device.residuals else [*ends]:
                each = [overhead[name], *[getattr(cost, name) or 0.0 for cost in costs]]
                _at_least(math.fsum(each), found, f"the sum of {name} of the groups", "s")
                _at_least(found, max(each, default=0.0), f"the makespan, by {name},", "s")

    @assumes("timed", "larger-not-faster")
    def test_larger_work_never_takes_less_time(self, device: Any) -> None:
        """Monotone in the length of every axis."""

        @for_all(drawn(device), strategies.growing_operators(), strategies.scenarios())
        def law(device: Device, sizes: tuple[Operator, Operator], scenario: Scenario) -> None:
            once = evolve(scenario, batch=1)
            less, more = [device.evaluate(strategies.alone(one), once) for one in sizes]
            if less.latency_seconds is not None and more.latency_seconds is not None:
                _at_least(more.latency_seconds, less.latency_seconds, "the larger time", "s")

    @assumes("always-on")
    def test_static_energy_is_a_power_over_the_makespan(self, device: Any) -> None:
        """Twice as long, twice the static energy; and there is some wherever the time is known."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            if estimate.schedule.makespan is None:
                return
            if estimate.unknown_static:
                return
            charges = estimate.static.charges
            expect(charges, "the static charges", "one or more", "none")
            answer = device.static_charges(_twice(estimate.schedule))
            longer = Cost(() if isinstance(answer, Unpriced) else answer)
            for name in _ENERGIES:
                once = getattr(estimate.static, name)
                _same(getattr(longer, name), 2 * once, f"static {name}, twice as long,")

    @assumes("always-on")
    def test_static_energy_is_charged_once(self, device: Any) -> None:
        """It is in no group and in no body of a loop or branch, which are parts of the whole."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            for each in _all_groups(estimate):
                held = [str(one) for one in each.cost.charges if is_static(one)]
                what = f"the static charges within the group {each.group.name!r}"
                expect(not held, what, "none", "; ".join(held))
            for body in _bodies(estimate):
                found = "; ".join(map(str, body.static.charges))
                expect(not found, f"the static charges of {body.workload.name!r}", "none", found)

    # -------------------------------------------------------------- memory

    @assumes("placed")
    def test_what_lies_in_a_memory_at_once_fits_where_the_device_says_so(self, device: Any) -> None:
        """Where an estimate fits, no memory holds more than its size at any time."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            says = isinstance(estimate.fits, bool)
            expect(says, "whether all fits into the memories", "True or False", estimate.fits)
            for memory in estimate.placement.memories:
                bits = max(_held_bits(estimate, memory.name))
                if estimate.fits and memory.size is not None:
                    is_small = memory.has_room_for(bits)
                    what = f"bits in {memory.name!r} at once, where all fits"
                    expect(is_small, what, f"at most {memory.size}", bits)

    @assumes("placed")
    def test_the_peak_of_a_memory_is_at_least_all_that_lies_in_it_at_once(
        self, device: Any
    ) -> None:
        """Never less than one tensor that lies there, nor than all that live together."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            for name, peak in estimate.peak_bytes.items():
                bits = max(_held_bits(estimate, name))
                what = f"the peak of {name!r}, in bits"
                expect(peak * BYTE >= bits, what, f"at least {bits}", peak * BYTE)

    @assumes("placed")
    def test_every_tensor_at_a_boundary_has_one_place_while_it_lives(self, device: Any) -> None:
        """It lies in one memory, whole, from the first group that needs it to the last."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            if not estimate.placement.memories:
                return
            places = {one.tensor: one for one in estimate.placement.residences}
            known = len(estimate.placement.residences)
            expect(len(places) == known, "the places of a tensor", "one", "several")
            for name, (first, last) in _lives(estimate).items():
                place = places.get(name)
                expect(place is not None, f"the place of {name!r}", "a memory", "none")
                if place is not None:
                    during, bits = (place.first, place.last), _bits(estimate, name)
                    is_there = place.first <= first and last <= place.last
                    what = f"the groups while which {name!r} lies in {place.memory!r}"
                    expect(is_there, what, f"{(first, last)} at least", during)
                    is_whole = place.bits >= bits
                    expect(is_whole, f"the bits of {name!r}", f"{bits} at least", place.bits)

    @assumes("placed")
    def test_traffic_covers_what_arrives_and_leaves_once(self, device: Any) -> None:
        """Each memory reads what is needed of inputs and weights in it, and writes outputs."""

        @for_all(drawn(device), self.workloads(), strategies.scenarios())
        def law(device: Device, workload: Workload, scenario: Scenario) -> None:
            estimate = device.evaluate(workload, scenario)
            moved = estimate.traffic_bytes
            homes = {one.tensor: one.memory for one in estimate.placement.residences}
            read, written = _crossing(estimate)
            for place, (what, bits) in enumerate((("read from", read), ("written to", written))):
                for name in moved:
                    least = sum(each for tensor, each in bits.items() if homes.get(tensor) == name)
                    found = moved[name][place]
                    is_covered = found * BYTE >= least
                    expect(is_covered, f"bytes {what} {name!r}", f"{least / BYTE} at least", found)


def is_static(charge: Charge) -> bool:
    """Whether a charge is for the time alone."""
    return charge.role == "static"


def told_by(estimate: DeviceEstimate) -> Mapping[str, object]:
    """The numbers of an estimate, as far as rounding lets them be compared."""
    times = estimate.schedule.makespan or (None, None, None)
    return {
        "energies": [_rounded(getattr(estimate.cost, name)) for name in _ENERGIES],
        "times": [_rounded(time) for time in times],
        "traffic": dict(estimate.traffic_bytes),
        "peak": dict(estimate.peak_bytes),
        "outcomes": [type(each.outcome).__name__ for each in estimate.groups],
    }


def _rounded(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.9g}"


def _energy(outcome: Outcome) -> float:
    return outcome.energy_joules if isinstance(outcome, Cost) else 0.0


def _time(cost: Cost) -> float | None:
    return cost.latency_seconds


def _bodies(estimate: DeviceEstimate) -> Iterator[DeviceEstimate]:
    """The estimates of the bodies of loops and branches, at any depth."""
    for each in estimate.groups:
        for body in each.alternatives or filter(None, (each.body,)):
            yield body
            yield from _bodies(body)


def _all_groups(estimate: DeviceEstimate) -> Iterator[GroupCost]:
    """The groups of a workload and of all bodies in it."""
    for one in (estimate, *_bodies(estimate)):
        yield from one.groups


def _twice(schedule: Schedule) -> Schedule:
    """The same schedule, everything twice as late."""

    def later(time: Seconds) -> Seconds:
        return Seconds(*[2 * one for one in time])

    spans = [Span(one.group, later(one.begin), later(one.end)) for one in schedule.spans]
    makespan = schedule.makespan
    return Schedule(tuple(spans), None if makespan is None else later(makespan))


def _bits(estimate: DeviceEstimate, name: str, elements: int | None = None) -> int:
    tensor = estimate.workload.tensors[name]
    number = tensor.format or estimate.scenario.default_format
    return number.stored_bits(tensor.size if elements is None else elements)


def _held_bits(estimate: DeviceEstimate, memory: str) -> Sequence[int]:
    """What the places of all tensors come to in a memory while each group runs."""
    placement: Placement = estimate.placement
    return [
        sum(
            one.bits
            for one in placement.residences
            if one.memory == memory and one.first <= place <= one.last
        )
        for place in range(max(placement.groups, 1))
    ]


def _lives(estimate: DeviceEstimate) -> Mapping[str, tuple[int, int]]:
    """First and last group that needs each tensor at a boundary; outputs are needed to the end."""
    workload = estimate.workload
    groups = [each.group for each in estimate.groups]
    lives: dict[str, tuple[int, int]] = {}
    for place, boundary in enumerate(boundaries(workload, groups)):
        for name in (*boundary.reads, *boundary.writes):
            first, _ = lives.get(name, (place, place))
            lives[name] = (first, place)
    storage = storages(workload)
    for name in {storage[name] for name in workload.outputs} & lives.keys():
        lives[name] = (lives[name][0], len(groups) - 1)
    return lives


def _crossing(estimate: DeviceEstimate) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """The bits of inputs and weights that operators need, and those of outputs that they write."""
    workload = estimate.workload
    groups = [each.group for each in estimate.groups]
    storage = storages(workload)
    arriving = {storage[name] for name in workload.sources}
    read: dict[str, int] = {}
    for group, boundary in zip(groups, boundaries(workload, groups), strict=True):
        for node in group.nodes:
            for name, elements in _needed(node):
                held = storage[name]
                if held in arriving and held in boundary.reads:
                    least = min(elements, workload.tensors[held].size)
                    read[held] = max(read.get(held, 0), _bits(estimate, held, least))
    written = {
        storage[name]: _bits(estimate, storage[name])
        for name in workload.outputs
        if storage[name] not in arriving
    }
    return read, written


def _needed(node: Node) -> Iterable[tuple[str, int]]:
    """The tensors that an operator reads, and how many elements of each."""
    operator = node.operator
    for operand, name in zip(operator.operands, node.tensors, strict=True):
        if operand.role != "output":
            yield name, operator.accesses(operand).elements


def _in_order(what: str, value: float | None, low: float | None, high: float | None) -> None:
    """A number and its range: all known, finite, not negative, and low <= value <= high."""
    is_range = (
        value is not None
        and low is not None
        and high is not None
        and 0 <= low <= value * (1 + TOLERANCE)
        and value <= high * (1 + TOLERANCE)
        and math.isfinite(high)
    )
    expect(is_range, what, "finite numbers, 0 <= low <= value <= high", f"{low}, {value}, {high}")


def _at_least(more: float, less: float, what: str, unit: str = "J") -> None:
    expect(more >= less * (1 - TOLERANCE), what, f"at least {less} {unit}", f"{more} {unit}")


def _same(found: float, expected: float, what: str) -> None:
    is_same = math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=1e-300)
    expect(is_same, what, f"{expected} J", f"{found} J")
