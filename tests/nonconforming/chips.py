"""An honest device with memories, time and static power, and those that break a law of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import evolve, field, frozen

from costmodel import Operator, Scenario
from costmodel.devices import (
    USUAL,
    Access,
    Charge,
    Cost,
    DeviceEstimate,
    Duration,
    Evidence,
    Factor,
    Group,
    GroupCost,
    Memory,
    OperatorCost,
    Outcome,
    Parameter,
    Placement,
    Schedule,
    Seconds,
    parameter,
)
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Movement
from nonconforming.devices import Honest, bits, figure


def number(name: str, value: float, unit: str) -> Parameter:
    return Parameter(name, value, unit, "a data sheet", Evidence.VENDOR)


def memories(dram_bytes: float = 1e9) -> tuple[Memory, ...]:
    """A small buffer for activations, and a large memory for everything."""
    buffer = Memory(
        name="buffer", size=number("buffer.size", 40.0, "B"), holds=("input", "output"),
        read=Access(figure("buffer.read.energy"), 16),
        write=Access(figure("buffer.write.energy"), 16),
        bandwidth=number("buffer.bandwidth", 8e9, "B/s"),
    )  # fmt: skip
    dram = Memory(
        name="dram", size=number("dram.size", dram_bytes, "B"),
        read=Access(figure("dram.read.energy", 1e-10), 64),
        write=Access(figure("dram.write.energy", 2e-10), 64),
        bandwidth=number("dram.bandwidth", 2e9, "B/s"),
    )  # fmt: skip
    return (buffer, dram)


@frozen
class HonestChip(Honest):
    """The same prices, a clock, memories, and a power that is drawn all the time."""

    family: ClassVar = "honest-chip"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    capabilities: ClassVar = USUAL | {"timed", "placed", "always-on"}
    fuses: ClassVar = ("activation", "bias", "padding")
    uses_memories: ClassVar = True

    clock: Parameter = parameter("Hz", positive=True)
    idle_power: Parameter = parameter("W")

    @classmethod
    def made(cls, **settings: Any) -> Honest:
        """One with figures."""
        given = {
            "clock": number("clock", 1e9, "Hz"), "idle_power": number("idle_power", 1e-3, "W"),
            "memories": memories(), **settings,
        }  # fmt: skip
        return super().made(**given)

    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        cycles = self.cycles(operator) * scenario.batch
        durations = [Duration("core", cycles, self.clock)]
        return Cost(self.charges(operator, scenario), durations=durations)

    def cycles(self, operator: Operator) -> float:
        return sum(operator.operations.values()) + operator.elements

    def static_charges(self, schedule: Schedule) -> Sequence[Charge]:
        return [schedule.drawn(self.idle_power, "core")]


# ------------------------------------------------------------------ honest, and unusual


@frozen
class ReadsWeightsOnceForABatch(Honest):
    capabilities: ClassVar = Honest.capabilities - {"batch-linear"}

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        yield from super().charges(operator, scenario)
        weights = Factor("weights", sum(one.size for one in operator.weights))
        yield super().charge(self.energy_per_result, evolve(scenario, batch=1), weights)


@frozen
class IsSlowWhereItIsNarrow(HonestChip):
    capabilities: ClassVar = HonestChip.capabilities - {"wider-not-cheaper"}

    def charges(self, operator: Operator, scenario: Scenario) -> Iterable[Charge]:
        return self.times(operator, scenario, 1 + 99 / bits(operator, scenario))


@frozen
class DoesSeveralGroupsAtOnce(HonestChip):
    """As fast as its busiest resource lets it be."""

    def schedule(self, groups: tuple[GroupCost, ...], *given: Any) -> Schedule:
        serial = super().schedule(groups, *given)
        if serial.makespan is None:
            return serial
        busy: Counter[str] = Counter()
        for each in groups:
            busy.update(each.busy_seconds)
        longest = [each.cost.latency_seconds or 0.0 for each in groups]
        time = max([*busy.values(), *longest], default=0.0)
        return Schedule((), Seconds(time, time, time))


UNUSUAL = [
    ReadsWeightsOnceForABatch.made, IsSlowWhereItIsNarrow.made, DoesSeveralGroupsAtOnce.made,
]  # fmt: skip
"""What no law may forbid to a device that does not promise otherwise."""


# ------------------------------------------------------------------ every device


@frozen(slots=False)
class _Cheaper(DeviceEstimate):
    @property
    def energy_joules(self) -> float:
        return 0.5 * super().energy_joules


@frozen
class LosesAGroup(Honest):
    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        estimate = super().evaluate(workload, scenario)
        groups = estimate.groups
        return evolve(estimate, groups=groups[:-1]) if len(groups) > 1 else estimate


def relabelled(estimate: DeviceEstimate, kind: type[DeviceEstimate]) -> DeviceEstimate:
    """The same estimate as one of another class."""
    return kind(
        estimate.device, estimate.workload, estimate.scenario, estimate.groups,
        estimate.placement, estimate.schedule, estimate.static,
    )  # fmt: skip


@frozen
class HalvesTheTotal(Honest):
    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        return relabelled(super().evaluate(workload, scenario), _Cheaper)


def doubled(items: Any) -> Any:
    """What is said of each member of a group, at twice the cost."""
    return tuple([tuple([_doubled(one) for one in said]) for said in items])


def _doubled(one: OperatorCost) -> OperatorCost:
    cost = one.outcome
    return evolve(one, outcome=cost.times(2, "lies")) if isinstance(cost, Cost) else one


@frozen
class ChargesMoreForANine(Honest):
    def price_group(self, group: Group, *given: Any) -> Any:
        honest = super().price_group(group, *given)
        return doubled(honest) if "9" in group.name else honest


@frozen
class ChargesMoreInAWorkload(Honest):
    def price_group(self, *given: Any) -> Any:
        return doubled(super().price_group(*given))


@frozen
class ChargesMoreTheSecondTime(Honest):
    asked: list[Any] = field(init=False, eq=False, factory=list)

    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        is_again = len(workload) > 1 and (workload, scenario) in self.asked
        self.asked.append((workload, scenario))
        device = evolve(self, energy_per_result=figure("energy_per_result", 1.0))
        return Honest.evaluate(device if is_again else self, workload, scenario)


@frozen
class GivesADiscountOnTiles(Honest):
    def charges(self, operator: Operator, scenario: Scenario) -> Any:
        return self.times(operator, scenario, 1 + operator.macs)


# ------------------------------------------------------------------ time


@frozen
class DoesNotSayHowLongMovingTakes(HonestChip):
    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        cost = super().answer(operator, scenario)
        return Cost(self.charges(operator, scenario)) if isinstance(operator, Movement) else cost


@frozen
class SaysThatItIsTimed(Honest):
    capabilities: ClassVar = Honest.capabilities | {"timed"}


@frozen
class EndsBeforeItsEarliestEnd(HonestChip):
    def schedule(self, *given: Any) -> Schedule:
        honest = super().schedule(*given)
        spans = [
            evolve(span, end=Seconds(span.end.value, 2 * span.end.value, span.end.high))
            for span in honest.spans
        ]
        return evolve(honest, spans=tuple(spans))


@frozen
class DoesEverythingAtOnce(HonestChip):
    def schedule(self, groups: tuple[GroupCost, ...], *given: Any) -> Schedule:
        honest = super().schedule(groups, *given)
        longest = [each.cost for each in groups if each.cost.latency_seconds]
        if honest.makespan is None or not longest:
            return honest
        cost: Any = max(longest, key=lambda cost: cost.latency_seconds or 0.0)
        times = (cost.latency_seconds, cost.latency_seconds_low, cost.latency_seconds_high)
        return evolve(honest, makespan=Seconds(*times))


@frozen
class WaitsForNothing(HonestChip):
    def schedule(self, *given: Any) -> Schedule:
        honest = super().schedule(*given)
        later = honest.makespan and Seconds(*[time + 1.0 for time in honest.makespan])
        return evolve(honest, makespan=later)


@frozen
class IsFasterWhenThereIsMore(HonestChip):
    def cycles(self, operator: Operator) -> float:
        return 1e9 / operator.elements


# ------------------------------------------------------------------ static power


@frozen
class SaysThatItIsAlwaysOn(Honest):
    capabilities: ClassVar = Honest.capabilities | {"always-on", "timed"}

    def answer(self, operator: Operator, scenario: Scenario) -> Outcome:
        return Cost(self.charges(operator, scenario), operator.elements * 1e-9)


@frozen
class DrawsItsPowerForASecond(HonestChip):
    def static_charges(self, schedule: Schedule) -> Sequence[Charge]:
        second = evolve(schedule, makespan=Seconds(1.0, 1.0, 1.0))
        return [second.drawn(self.idle_power, "core")]


@frozen
class DrawsItsPowerInEveryLoopAgain(HonestChip):
    def repeat(self, body: DeviceEstimate, loop: Any) -> Cost:
        steps = super().repeat(body, loop)
        static = Cost(self.static_charges(body.schedule))
        return evolve(steps, charges=[steps, static])


# ------------------------------------------------------------------ memory


@frozen
class SaysThatItIsPlaced(Honest):
    capabilities: ClassVar = Honest.capabilities | {"placed"}


@frozen(slots=False)
class _Fitting(DeviceEstimate):
    @property
    def fits(self) -> bool | None:
        return True


@frozen
class SaysThatAllFits(HonestChip):
    @classmethod
    def made(cls, **settings: Any) -> Honest:
        return super().made(memories=memories(dram_bytes=20.0), **settings)

    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        return relabelled(super().evaluate(workload, scenario), _Fitting)


@frozen(slots=False)
class _Flat(DeviceEstimate):
    @property
    def peak_bytes(self) -> Mapping[str, int]:
        return dict.fromkeys(super().peak_bytes, 0)


@frozen
class ForgetsItsPeak(HonestChip):
    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        return relabelled(super().evaluate(workload, scenario), _Flat)


@frozen
class ForgetsWhereOutputsLie(HonestChip):
    def place(self, workload: Workload, *given: Any) -> Placement:
        honest = super().place(workload, *given)
        leaving = {workload.storage(name) for name in workload.outputs}
        kept = [one for one in honest.residences if one.tensor not in leaving]
        return evolve(honest, residences=tuple(kept))


@frozen
class DropsTensorsThatAreStillRead(HonestChip):
    def place(self, *given: Any) -> Placement:
        honest = super().place(*given)
        kept = [evolve(one, last=one.first) for one in honest.residences]
        return evolve(honest, residences=tuple(kept))


@frozen
class SaysThatItIsSeparable(HonestChip):
    """Its buffer takes what has room beside the rest: a group alone has it to itself."""

    capabilities: ClassVar = HonestChip.capabilities | {"separable"}


@frozen(slots=False)
class _Still(DeviceEstimate):
    @property
    def traffic_bytes(self) -> Mapping[str, tuple[int, int]]:
        return {name: (0, written) for name, (_, written) in super().traffic_bytes.items()}


@frozen
class ReadsNothing(HonestChip):
    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        return relabelled(super().evaluate(workload, scenario), _Still)


_RANGE = "test_every_time_is_known_and_lies_in_its_range"
_MAKESPAN = "test_the_makespan_lies_between_the_busiest_resource_and_the_sum_of_all"
_STATIC = "test_static_energy_is_a_power_over_the_makespan"
_FITS = "test_what_lies_in_a_memory_at_once_fits_where_the_device_says_so"
_PLACE = "test_every_tensor_at_a_boundary_has_one_place_while_it_lives"

NONCONFORMING = {
    LosesAGroup.made: "test_every_step_is_in_one_group_and_has_an_outcome",
    HalvesTheTotal.made:
        "test_the_energy_of_a_workload_is_that_of_its_groups_and_what_is_static",
    ChargesMoreForANine.made: "test_names_of_steps_and_tensors_change_no_cost",
    ChargesMoreInAWorkload.made:
        "test_a_workload_of_one_operator_costs_what_the_operator_costs",
    ChargesMoreTheSecondTime.made: "test_the_same_workload_costs_the_same_again",
    GivesADiscountOnTiles.made: "test_tiles_of_a_contraction_cost_at_least_the_whole",
    DoesNotSayHowLongMovingTakes.made: _RANGE,
    SaysThatItIsTimed.made: _RANGE,
    EndsBeforeItsEarliestEnd.made: _RANGE,
    DoesEverythingAtOnce.made: _MAKESPAN,
    WaitsForNothing.made: _MAKESPAN,
    IsFasterWhenThereIsMore.made: "test_larger_work_never_takes_less_time",
    SaysThatItIsAlwaysOn.made: _STATIC,
    DrawsItsPowerForASecond.made: _STATIC,
    DrawsItsPowerInEveryLoopAgain.made: "test_static_energy_is_charged_once",
    SaysThatItIsPlaced.made: _FITS,
    SaysThatAllFits.made: _FITS,
    ForgetsItsPeak.made: "test_the_peak_of_a_memory_is_at_least_all_that_lies_in_it_at_once",
    ForgetsWhereOutputsLie.made: _PLACE,
    DropsTensorsThatAreStillRead.made: _PLACE,
    SaysThatItIsSeparable.made: "test_a_group_costs_the_same_alone",
    ReadsNothing.made: "test_traffic_covers_what_arrives_and_leaves_once",
}  # fmt: skip
"""How to make each class, and the law that it breaks."""
