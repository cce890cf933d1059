"""Where the tensors of a workload lie on an accelerator, and the mapping of each contraction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from costmodel.devices.evaluation.fusion import Group, boundaries, storages
from costmodel.devices.evaluation.memory import Placement, Residence, Surroundings, placed
from costmodel.devices.progress import step
from costmodel.errors import CostModelError
from costmodel.workload.graph import Node
from costmodel.workload.operators import Contraction
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Nest, Tensor, nest_of
from costmodel_hardware.spatial.plan import Mapped, Plan

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
    for others lies as far in as there is room. Where no mapping of a contraction finds room for
    its tiles, its tensors go to the outermost memory, the largest of them first.
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
        jobs, refused = self._jobs(plans, workload, groups)
        answers: dict[str, Mapped | str] = {}
        homes: dict[str, Mapping[Slot, str]] = {}
        waiting = list(jobs)
        while waiting:
            for number, name in enumerate(waiting, start=1):
                with step(f"mapping {name}", number, len(waiting)):
                    answers[name] = self._with_room(jobs[name], residents)
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
        self, plans: Mapping[str, Plan], workload: Workload, groups: tuple[Group, ...]
    ) -> tuple[dict[str, _Job], dict[str, str]]:
        """The contractions to map, by the names of their groups; and why others have no nest."""
        default = self.scenario.default_format
        jobs: dict[str, _Job] = {}
        refused: dict[str, str] = {}
        for place, (group, boundary) in enumerate(
            zip(groups, boundaries(workload, groups), strict=True)
        ):
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

    def _move_where_held(
        self, architecture: Architecture, tensors: Mapping[Slot, str], residents: _Residents
    ) -> None:
        """Move an operand out of a memory that does not hold its slot.

        The second factor of a product of two activations is where others keep weights.
        """
        for slot, tensor in tensors.items():
            memory = residents.memory_of(tensor)
            holding = [architecture.levels[place].name for place in architecture.chain(slot)]
            if memory is not None and memory not in holding:
                residents.put_out(tensor)

    def _with_room(self, job: _Job, residents: _Residents) -> Mapped | str:
        """The mapping of a group, whose tensors move outwards until its tiles have room."""
        plan, tensors = job.plan, job.tensors
        levels = {level.name: at for at, level in enumerate(plan.architecture.levels)}
        from costmodel_hardware.spatial.accountings import given, mapped  # noqa: PLC0415  # brings NumPy

        self._move_where_held(plan.architecture, tensors, residents)
        first_reason = ""
        while True:
            places = {slot: levels[memory] for slot, memory in residents.homes(job).items()}
            homes = tuple((slot, places[slot]) for slot in SLOTS if slot in places)
            own = plan.beside(residents.others(job.place, set(tensors.values())))
            try:
                if job.given is not None:
                    return given(job.nest, own, job.given, homes)
                return mapped(job.nest, own, homes)
            except CostModelError as error:
                first_reason = first_reason or str(error)
                inner = residents.innermost(set(tensors.values()))
                if inner is None:
                    return first_reason
                residents.put_out(inner)
            except ValueError as error:
                return str(error)


@frozen
class _Job:
    """A contraction to map: the place of its group, and its tensors by slot."""

    place: int
    nest: Nest
    plan: Plan
    given: Nesting | None
    tensors: Mapping[Slot, str]


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

    def _outermost(self) -> str:
        both = {"input", "output"}
        return next(one.name for one in reversed(self.memories) if both <= set(one.holds))

    def innermost(self, tensors: Collection[str]) -> str | None:
        """The largest of some tensors that could lie further out."""
        able = {one.name for one in self.memories if {"input", "output"} <= set(one.holds)}
        able.discard(self._outermost())
        inner = [one for one in self.residences if one.tensor in tensors and one.memory in able]
        return max(inner, key=lambda one: one.bits).tensor if inner else None

    def put_out(self, tensor: str) -> None:
        """Move a tensor to the outermost memory."""
        self._move({tensor}, self._outermost())

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
