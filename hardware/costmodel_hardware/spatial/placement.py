"""Where the tensors of a workload lie on an accelerator, and the mapping of each contraction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from costmodel.devices.evaluation.fusion import Group, boundaries, storages
from costmodel.devices.evaluation.memory import Placement, Residence, Surroundings, placed
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


def given_mapping(nest: Nest, plan: Plan, mapping: Nesting, homes: Mapping[Slot, int]) -> Mapped:
    """A nest under a mapping that a user gives; cuts beyond the home of an operand are left out.

    Raises:
        MappingError: it is not one of the nest on this architecture, or does not fit.

    """
    from costmodel_hardware.spatial.counting.accounting import costs  # noqa: PLC0415  # brings NumPy

    chains = {slot: plan.architecture.chain(slot) for slot in SLOTS}
    cuts = {
        slot: mapping.cuts_of(slot)[: chains[slot].index(homes.get(slot, chains[slot][-1]))]
        for slot in SLOTS
    }
    mapping = evolve(mapping, cuts=cuts)
    found = costs(
        nest, plan.architecture, mapping, homes=homes, seconds_per_cycle=plan.seconds_per_cycle
    )
    return Mapped(nest, mapping, found)


@frozen(kw_only=True)
class SpatialPlacement(Placement):
    """Where tensors lie, and what was found for each contraction, by the name of its group."""

    mapped: Mapping[str, Mapped] = field(factory=dict, eq=False)
    refused: Mapping[str, str] = field(factory=dict, eq=False)
    """Why a contraction has no mapping."""


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
        default = self.scenario.default_format
        shared = [memory for memory in self.memories if not memory.per]
        before = placed(workload, groups, shared, default, around)
        residents = _Residents(before)
        if self.is_resident and around is None:
            residents.keep({storages(workload)[name] for name in workload.weights})
        found: dict[str, Mapped] = {}
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
            answer = self._with_room(nest, plan, given, place, tensors, residents)
            if isinstance(answer, str):
                refused[group.name] = f"no mapping of {group.name!r}: {answer}"
            else:
                found[group.name] = answer
        return SpatialPlacement(
            self.memories, tuple(residents.residences), before.groups, mapped=found, refused=refused
        )

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

    def _with_room(  # one group and what lies beside it
        self,
        nest: Nest,
        plan: Plan,
        given: Nesting | None,
        place: int,
        tensors: Mapping[Slot, str],
        residents: _Residents,
    ) -> Mapped | str:
        """The mapping of a group, whose tensors move outwards until its tiles have room."""
        levels = {level.name: at for at, level in enumerate(plan.architecture.levels)}
        from costmodel_hardware.spatial.accountings import mapped  # noqa: PLC0415  # brings NumPy

        self._move_where_held(plan.architecture, tensors, residents)
        first_reason = ""
        while True:
            lying = {slot: residents.memory_of(tensor) for slot, tensor in tensors.items()}
            homes = {slot: levels[memory] for slot, memory in lying.items() if memory is not None}
            taken = residents.others(place, set(tensors.values()))
            own = plan.beside(taken)
            try:
                if given is not None:
                    return given_mapping(nest, own, given, homes)
                return mapped(
                    nest, own, tuple((slot, homes[slot]) for slot in SLOTS if slot in homes)
                )
            except CostModelError as error:
                first_reason = first_reason or str(error)
                inner = residents.innermost(set(tensors.values()))
                if inner is None:
                    return first_reason
                residents.put_out(inner)
            except ValueError as error:
                return str(error)


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

    def __init__(self, placement: Placement) -> None:
        self.residences: list[Residence] = list(placement.residences)
        self.memories = placement.memories
        self.groups = placement.groups

    def memory_of(self, tensor: str) -> str | None:
        return next((one.memory for one in self.residences if one.tensor == tensor), None)

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
        found: dict[str, int] = {}
        for one in self.residences:
            if one.first <= place <= one.last and one.tensor not in tensors:
                found[one.memory] = found.get(one.memory, 0) + one.bits
        return found
