"""Where the tensors of a workload lie on an accelerator, and the mapping of each contraction."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from copy import copy
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from costmodel.devices.evaluation.fusion import Boundary, Group, boundaries, storages
from costmodel.devices.evaluation.memory import Placement, Residence, Surroundings, placed
from costmodel.devices.progress import step
from costmodel.errors import CostModelError
from costmodel.workload.graph import Node
from costmodel.workload.operators import Contraction
from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Nest, Tensor, nest_of
from costmodel_hardware.spatial.plan import COSTMODEL, Homes, Mapped, Plan, value_of

if TYPE_CHECKING:
    from costmodel.devices import Memory
    from costmodel.scenario import Scenario
    from costmodel.workload.graph import Workload


@frozen(kw_only=True)
class SpatialPlacement(Placement):
    """Where tensors lie, and what was found for each contraction, by the name of its group.

    What lies in a memory are its tensors and the tiles of mappings beside them: of one instance,
    as its size is.
    """

    mapped: Mapping[str, Mapped] = field(factory=dict, eq=False)
    refused: Mapping[str, str] = field(factory=dict, eq=False)
    """Why a contraction has no mapping."""
    tile_bits: Mapping[str, tuple[int, ...]] = field(factory=dict, eq=False)
    """What tiles take in each memory beside its tensors, while each group runs."""

    def used_bits(self, memory: str) -> list[int]:
        """Bits that lie in one instance of a memory while each group runs, tiles included."""
        lying = super().used_bits(memory)
        beside = self.tile_bits.get(memory, (0,) * len(lying))
        return [sum(both) for both in zip(lying, beside, strict=True)]


@frozen(kw_only=True)
class Placer:
    """What places the tensors of a workload on an accelerator, and maps its contractions.

    Tensors lie in the memories that all units share, with room for tiles beside them. What is made
    for others lies as far in as there is room. A contraction that would cost less with more room
    for its tiles is counted with each of its tensors in the outermost memory as well, together
    with all that uses them; the best counts. Where it has no mapping either way, its tensors go
    there, the largest of them first.
    """

    memories: tuple[Memory, ...]
    scenario: Scenario
    partial_bits: int
    given: Mapping[str, Nesting]
    """Mappings that a user gives, by the name of an operator or of its layer."""
    is_resident: bool
    """Whether weights that all fit stay on the chip."""

    def placed(
        self,
        plans: Mapping[str, Plan],
        workload: Workload,
        groups: tuple[Group, ...],
        around: Surroundings | None,
    ) -> SpatialPlacement:
        """The place of each tensor, and a mapping for each group that has a plan."""
        shared = [memory for memory in self.memories if not memory.per]
        before = placed(workload, groups, shared, self.scenario.default_format, around)
        residents = _Residents(before, self._outside(workload, around))
        if self.is_resident and around is None:
            residents.keep({storages(workload)[name] for name in workload.weights})
        crossing = boundaries(workload, groups)
        jobs, refused = self._jobs(plans, workload, groups, crossing)
        mapper = _Mapper({job.place: job for job in jobs.values()}, crossing)
        answers: dict[str, Mapped | str] = {}
        homes: dict[str, Mapping[Slot, str]] = {}
        waiting = list(jobs)
        while waiting:
            for number, name in enumerate(waiting, start=1):
                with step(f"mapping {name}", number, len(waiting)):
                    answers[name] = mapper.with_room(jobs[name], residents)
                homes[name] = residents.homes(jobs[name])
            # What a later contraction moves outwards is written there by the one that makes it.
            waiting = [name for name in jobs if residents.homes(jobs[name]) != homes[name]]
        found = {name: one for name, one in answers.items() if isinstance(one, Mapped)}
        refused |= {
            name: f"no mapping of {name!r}: {one}"
            for name, one in answers.items()
            if isinstance(one, str)
        }
        return SpatialPlacement(
            self.memories, tuple(residents.residences), before.groups, mapped=found,
            refused=refused, tile_bits=self._tiles(workload, before.groups, jobs, found, homes),
        )  # fmt: skip

    def _jobs(
        self,
        plans: Mapping[str, Plan],
        workload: Workload,
        groups: tuple[Group, ...],
        crossing: tuple[Boundary, ...],
    ) -> tuple[dict[str, _Job], dict[str, str]]:
        """The contractions to map, by the names of their groups; and why others have no nest."""
        default = self.scenario.default_format
        jobs: dict[str, _Job] = {}
        refused: dict[str, str] = {}
        for place, (group, boundary) in enumerate(zip(groups, crossing, strict=True)):
            plan, anchor = plans.get(group.name), group.anchor
            if plan is None or not isinstance(anchor, Node):
                continue
            nest = nest_of(anchor.operator, default, self.partial_bits)  # type: ignore[arg-type]  # only contractions have plans
            if isinstance(nest, str):
                refused[group.name] = f"no mapping of {group.name!r}: {nest}"
                continue
            tensors = operands_of(group, workload)
            if boundary.writes:
                tensors["output"] = boundary.writes[0]
                number = workload.tensors[boundary.writes[0]].format or default
                nest = evolve(nest, output=_written(nest.output, int(number.stored_bits(1))))
            given = self.given.get(group.name, self.given.get(anchor.layer))
            jobs[group.name] = _Job(place, nest, plan, given, tensors)
        return jobs, refused

    def _bits(self, workload: Workload, tensor: str) -> int:
        one = workload.tensors[tensor]
        return (one.format or self.scenario.default_format).stored_bits(one.size)

    def _outside(self, workload: Workload, around: Surroundings | None) -> _Outside:
        """What lies in memories around a body, and of it the tensors that the body uses."""
        if around is None:
            return _Outside({}, {})
        names = {name: home for name, home in around.homes.items() if name not in around.kept}
        storage = storages(workload)
        return _Outside(
            around.used_bits,
            {
                storage[name]: (home, self._bits(workload, storage[name]))
                for name, home in names.items()
                if home is not None
            },
        )

    def _tiles(
        self,
        workload: Workload,
        groups: int,
        jobs: Mapping[str, _Job],
        found: Mapping[str, Mapped],
        homes: Mapping[str, Mapping[Slot, str]],
    ) -> Mapping[str, tuple[int, ...]]:
        """Bits that tiles take in each memory beyond the tensors that lie there."""
        taken = {memory.name: [0] * groups for memory in self.memories}
        for name, one in found.items():
            job = jobs[name]
            for (slot, at), bits in one.costs.tile_bits.items():
                memory = job.plan.architecture.levels[at].name
                is_home = homes[name].get(slot) == memory
                lying = self._bits(workload, job.tensors[slot]) if is_home else 0
                taken[memory][job.place] += max(bits - lying, 0)
        return {memory: tuple(bits) for memory, bits in taken.items() if any(bits)}


class _Mapper:
    """What finds the mappings of contractions, and moves tensors outwards where that is better."""

    def __init__(self, jobs: Mapping[int, _Job], crossing: tuple[Boundary, ...]) -> None:
        self.jobs, self.crossing = jobs, crossing
        self.answers: dict[tuple[int, Homes, Plan], Mapped | CostModelError] = {}

    def with_room(self, job: _Job, residents: _Residents) -> Mapped | str:
        """The mapping of a group, whose tensors move outwards where that is better."""
        from costmodel_hardware.spatial.counting.validity import (  # noqa: PLC0415  # brings NumPy
            OutOfTimeError,
        )

        _move_where_held(job, residents)
        first_reason = ""
        while True:
            try:
                answer = self._answer(job, residents)
                if isinstance(answer, Mapped) and self._has_room(job, answer, residents):
                    return answer
                better = self._better_outside(job, residents)
            except ValueError as error:
                return str(error)
            if isinstance(answer, Mapped):
                if better is None:
                    return answer
            elif isinstance(answer, OutOfTimeError):
                return str(answer)
            else:
                first_reason = first_reason or str(answer)
                better = better or next(iter(residents.movable(job)), None)
                if better is None:
                    return first_reason
            residents.put_out(better)

    def _answer(self, job: _Job, residents: _Residents) -> Mapped | CostModelError:
        """The mapping of a group where its tensors lie, or why there is none."""
        from costmodel_hardware.spatial.accountings import given, mapped  # noqa: PLC0415  # brings NumPy

        homes = job.homes(residents)
        own = job.plan.beside(residents.others(job.place, set(job.tensors.values())))
        key = job.place, homes, own
        if key not in self.answers:
            try:
                self.answers[key] = (
                    mapped(job.nest, own, homes)
                    if job.given is None
                    else given(job.nest, own, job.given, homes)
                )
            except CostModelError as error:
                self.answers[key] = error
        return self.answers[key]

    def _has_room(self, job: _Job, answer: Mapped, residents: _Residents) -> bool:
        """Whether a group would not cost so much less with more room that a tensor had to move.

        With a tensor outside it costs at least what it costs where the inner memories have room
        for everything, and the write.
        """
        from costmodel_hardware.spatial.accountings import mapped  # noqa: PLC0415  # brings NumPy

        movable = residents.movable(job)
        if job.plan.accounting != COSTMODEL or not movable:
            return True
        if job.given is not None:
            return False
        memories = {residents.memory_of(tensor) for tensor in movable}
        others = residents.others(job.place, set(job.tensors.values()))
        if job.plan.beside(others).holds_all(job.nest, memories):
            return True
        free = mapped(job.nest, job.plan.unlimited(memories), job.homes(residents))
        outermost, goal = residents.outermost(), job.plan.objective
        least = 0.0
        if goal == "energy":
            costs = [job.plan.crossing(outermost, "output", bits) for bits in movable.values()]
            least = min(joules for joules, _ in costs)
        own, other = (
            value_of(goal, one.costs.energy, one.costs.latency.total) for one in (answer, free)
        )
        return own * (1 - _SAME) <= other + least

    def _better_outside(self, job: _Job, residents: _Residents) -> str | None:
        """The tensor of a group that is better put into the outermost memory, if any is."""
        movable = residents.movable(job)
        if job.plan.accounting != COSTMODEL or not movable:
            return None
        users = [
            place
            for place, boundary in enumerate(self.crossing)
            if place == job.place or movable.keys() & {*boundary.reads, *boundary.writes}
        ]
        best, least = None, self._worth(job, users, movable, residents)
        for tensor in movable:
            moved = residents.copy()
            moved.put_out(tensor)
            worth = self._worth(job, users, movable, moved)
            if worth < least and not math.isclose(worth, least, rel_tol=_SAME):
                best, least = tensor, worth
        return best

    def _worth(
        self, job: _Job, users: Collection[int], tensors: Collection[str], residents: _Residents
    ) -> float:
        """The objective over all groups that use some tensors of a contraction."""
        joules = cycles = 0.0
        for place in users:
            other, own = self.jobs.get(place), frozenset[str]()
            if other is not None:
                own = frozenset(other.tensors.values())
                answer = self._answer_of_user(job, other, residents)
                if not isinstance(answer, Mapped):
                    return math.inf
                joules += answer.costs.energy
                cycles += answer.costs.latency.total
            boundary = self.crossing[place]
            ways: dict[Slot, tuple[str, ...]] = {"input": boundary.reads, "output": boundary.writes}
            for slot, names in ways.items():
                for name in names:
                    memory = residents.memory_of(name)
                    if name in tensors and name not in own and memory is not None:
                        bits = residents.bits_of(name)
                        more = job.plan.crossing(memory, slot, bits)
                        joules, cycles = joules + more[0], cycles + more[1]
        return value_of(job.plan.objective, joules, cycles)

    def _answer_of_user(
        self, job: _Job, user: _Job, residents: _Residents
    ) -> Mapped | CostModelError:
        """The answer of a group; if it is another, it may still move its other tensors outwards."""
        if user is job:
            return self._answer(job, residents)
        there = residents.copy()
        _move_where_held(user, there)
        answer = self._answer(user, there)
        if not isinstance(answer, Mapped):
            for tensor in there.movable(user).keys() - set(job.tensors.values()):
                there.put_out(tensor)
            answer = self._answer(user, there)
        return answer


_SAME: Final = 1e-9
"""Values whose ratio differs from 1 by no more are one value."""


def _move_where_held(job: _Job, residents: _Residents) -> None:
    """Move an operand out of a memory that does not hold its slot.

    The second factor of a product of two activations is where others keep weights.
    """
    architecture = job.plan.architecture
    for slot, tensor in job.tensors.items():
        memory = residents.memory_of(tensor)
        holding = [architecture.levels[place].name for place in architecture.chain(slot)]
        if memory is not None and memory not in holding:
            residents.put_out(tensor)


@frozen
class _Job:
    """A contraction to map: the place of its group, and its tensors by slot."""

    place: int
    nest: Nest
    plan: Plan
    given: Nesting | None
    tensors: Mapping[Slot, str]

    def homes(self, residents: _Residents) -> Homes:
        """The places of the memories that its operands lie in."""
        levels = {level.name: at for at, level in enumerate(self.plan.architecture.levels)}
        memories = residents.homes(self)
        return tuple((slot, levels[memories[slot]]) for slot in SLOTS if slot in memories)


@frozen
class _Outside:
    """What lies in memories around the body of a loop or a branch."""

    used_bits: Mapping[str, int]
    tensors: Mapping[str, tuple[str, int]]
    """Those among it that the body uses: memory and bits."""

    def beside(self, tensors: Collection[str]) -> dict[str, int]:
        """Bits in each memory of all but some tensors."""
        found = dict(self.used_bits)
        for name in tensors:
            memory, bits = self.tensors.get(name, ("", 0))
            found[memory] = max(found.get(memory, 0) - bits, 0)
        return found


def contractions_of(workload: Workload) -> tuple[str, ...]:
    """The names of the contractions of a workload and of the layers that have some."""
    nodes = [node for node, _ in workload.nodes if isinstance(node.operator, Contraction)]
    return tuple(dict.fromkeys([*[node.layer for node in nodes], *[node.name for node in nodes]]))


def operands_of(group: Group, workload: Workload) -> dict[Slot, str]:
    """The storages of the factors of a contraction, by slot, as `nest_of` orders them.

    What a padding within the group makes is not there: its input is.
    """
    anchor = group.anchor
    if not isinstance(anchor, Node):
        return {}
    names = storages(workload)
    made = {written: node for node in group.nodes if node is not anchor for written in node.writes}
    read = [
        (operand, names[_before(name, made)])
        for operand, name in zip(anchor.operator.operands, anchor.tensors, strict=True)
        if operand.role != "output"
    ][:2]
    (first, one), (second, other) = read
    if first.role == "weight" and second.role != "weight":
        one, other = other, one
    return {"input": one, "weight": other}


def _before(name: str, made: Mapping[str, Node]) -> str:
    """The tensor that one made within a group comes from."""
    while name in made and made[name].reads:
        name = made[name].reads[0]
    return name


def _written(output: Tensor, bits: float) -> Tensor:
    """The result as it leaves the group: after an activation it may be narrower."""
    return Tensor(int(bits), output.shape, output.index, max(output.partial_bits, int(bits)))


class _Residents:
    """Where tensors lie so far; some are moved to make room for tiles."""

    def __init__(self, placement: Placement, outside: _Outside) -> None:
        self.outside = outside
        self.residences: list[Residence] = list(placement.residences)
        self.memories = placement.memories
        self.groups = placement.groups

    def memory_of(self, tensor: str) -> str | None:
        return next((one.memory for one in self.residences if one.tensor == tensor), None)

    def homes(self, job: _Job) -> Mapping[Slot, str]:
        """The memories that the operands of a contraction lie in, as far as they have one."""
        found = {slot: self.memory_of(tensor) for slot, tensor in job.tensors.items()}
        return {slot: memory for slot, memory in found.items() if memory is not None}

    def bits_of(self, tensor: str) -> int:
        return next((one.bits for one in self.residences if one.tensor == tensor), 0)

    def copy(self) -> _Residents:
        """The same, to be changed on its own."""
        found = copy(self)
        found.residences = list(self.residences)
        return found

    def outermost(self) -> str:
        """The memory that tensors are moved to."""
        both = {"input", "output"}
        return next(one.name for one in reversed(self.memories) if both <= set(one.holds))

    def movable(self, job: _Job) -> Mapping[str, int]:
        """The tensors of a group that could lie further out, and their bits, the most first."""
        able = {one.name for one in self.memories if {"input", "output"} <= set(one.holds)}
        able.discard(self.outermost())
        tensors = set(job.tensors.values())
        inner = [one for one in self.residences if one.tensor in tensors and one.memory in able]
        return {one.tensor: one.bits for one in sorted(inner, key=lambda one: -one.bits)}

    def put_out(self, tensor: str) -> None:
        """Move a tensor to the outermost memory."""
        self._move({tensor}, self.outermost())

    def keep(self, weights: Collection[str]) -> None:
        """Move all weights to the innermost memory that has room for them, if any has."""
        bits = sum(one.bits for one in self.residences if one.tensor in weights)
        for memory in self.memories:
            others = [
                one for one in self.residences
                if one.memory == memory.name and one.tensor not in weights
            ]  # fmt: skip
            used = Placement(self.memories, tuple(others), self.groups).used_bits(memory.name)
            if "weight" in memory.holds and memory.has_room_for(bits + max(used, default=0)):
                self._move(weights, memory.name)
                return

    def _move(self, tensors: Collection[str], memory: str) -> None:
        self.residences = [
            evolve(one, memory=memory) if one.tensor in tensors else one for one in self.residences
        ]

    def others(self, place: int, tensors: Collection[str]) -> Mapping[str, int]:
        """Bits of the tensors of other groups in each memory while a group runs."""
        found = self.outside.beside(tensors)
        for one in self.residences:
            if one.first <= place <= one.last and one.tensor not in tensors:
                found[one.memory] = found.get(one.memory, 0) + one.bits
        return found
