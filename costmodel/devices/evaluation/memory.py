"""Memories of a device, and where the tensors of a workload lie in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen
from attrs.validators import and_, in_, instance_of, min_len, optional

from costmodel.devices.evaluation.fusion import Group, boundaries, storages
from costmodel.devices.parameters import Parameter
from costmodel.errors import UnknownNameError, nearest
from costmodel.formats import NumericFormat
from costmodel.workload.graph import Node, View, Workload
from costmodel.workload.operators import ROLES

BYTE: Final = 8
"""Bits."""


def _roles(given: Iterable[str]) -> tuple[str, ...]:
    several = not isinstance(given, str) and isinstance(given, Iterable)
    roles: tuple[Any, ...] = tuple(given) if several else (given,)
    if not several or not roles or any(role not in ROLES for role in roles):
        message = f"holds: expected several of {', '.join(ROLES)}, found {given!r:.80}"
        raise ValueError(message)
    return tuple(dict.fromkeys(roles))


def _names(given: Iterable[str]) -> tuple[str, ...]:
    several = not isinstance(given, str) and isinstance(given, Iterable)
    names: tuple[Any, ...] = tuple(given) if several else (given,)
    if not several or not all(isinstance(name, str) and name for name in names):
        message = f"per: expected several names of axes or parts, found {given!r:.80}"
        raise ValueError(message)
    return names


def _in_unit(unit: str, *, is_positive: bool = False) -> Any:
    def check(_: Any, attribute: Any, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, Parameter) or value.unit != unit:
            message = f"{attribute.name}: expected a Parameter in {unit!r}, found {value!s:.80}"
            raise TypeError(message)
        if is_positive and value.low <= 0:
            message = f"{attribute.name}: expected a value above 0, found {value}"
            raise ValueError(message)

    return check


_FIGURES: Final = {"size": "B", "bandwidth": "B/s", "leakage": "W", "area": "m2"}
"""Figures that a memory may have, and their units."""
_OF_CORE: Final = ("size", "bandwidth", "area")
"""Of them, those that the core counts with, whatever the class of the device."""
HALOS: Final = ("reread", "retained")
"""What happens to the overlap of neighbouring windows: it is read again, or kept."""
_WAYS: Final = ("read", "write")


@frozen
class Access:
    """The energy of one access to a memory, which moves `width_bits`.

    Where part of a word can be accessed, `smallest_bits` says in which steps, at that share of the
    energy; it is for classes that use it: the core counts accesses of the whole width.

    Raises:
        TypeError: the energy is not a Parameter in J, or a width is not a whole number.
        ValueError: a width is not above 0, or the smallest is above the whole.

    """

    energy: Parameter = field(validator=_in_unit("J"))
    width_bits: int = field(validator=instance_of(int))
    smallest_bits: int | None = field(default=None, validator=optional(instance_of(int)))

    @smallest_bits.validator
    def _check_smallest(self, _: Any, smallest: int | None) -> None:
        if smallest is not None and not 1 <= smallest <= self.width_bits:
            message = (
                f"smallest_bits is {smallest}; expected 1 to the whole width, {self.width_bits}"
            )
            raise ValueError(message)

    @width_bits.validator
    def _check_width(self, _: Any, width: int) -> None:
        if width < 1:
            message = f"width_bits is {width}; expected a whole number of at least 1"
            raise ValueError(message)

    def count(self, bits: int) -> int:
        """How many accesses move so many bits."""
        return -(-bits // self.width_bits)


@frozen(kw_only=True)
class Memory:
    """A memory of a device. Without a size it is large enough for anything.

    Its figures are called after it: `dram.size`, `dram.bandwidth`, `dram.read.energy` and so on.

    `holds` are the roles of the tensors that it takes. Each `read` and `write` costs its energy,
    and all of them together take their time at the bandwidth; what is None is not modelled.
    Without a `shared_port`, reads and writes overlap, each at the bandwidth.

    `per` are the axes or parts of the device that it exists once for; size, bandwidth and
    energies are those of one such memory, `leakage` and `area` are those of all together. `per`,
    `leakage`, `double_buffered` and `halo` are for classes that use them: the core does not.

    Raises:
        TypeError: a number is not a Parameter in its unit.
        ValueError: a role is unknown, or the bandwidth is not above 0.

    """

    name: str = field(validator=and_(instance_of(str), min_len(1)))
    size: Parameter | None = field(default=None, validator=_in_unit("B"))
    holds: tuple[str, ...] = field(default=ROLES, converter=_roles)
    bandwidth: Parameter | None = field(default=None, validator=_in_unit("B/s", is_positive=True))
    read: Access | None = field(default=None, validator=optional(instance_of(Access)))
    write: Access | None = field(default=None, validator=optional(instance_of(Access)))
    leakage: Parameter | None = field(default=None, validator=_in_unit("W"))
    area: Parameter | None = field(default=None, validator=_in_unit("m2"))
    per: tuple[str, ...] = field(default=(), converter=_names)
    double_buffered: bool = field(default=False, validator=instance_of(bool))
    shared_port: bool = field(default=True, validator=instance_of(bool))
    halo: str = field(default="reread", validator=in_(HALOS))

    def __attrs_post_init__(self) -> None:
        """Name the figures."""
        for key in _FIGURES:
            figure = getattr(self, key)
            if figure is not None:
                object.__setattr__(self, key, evolve(figure, name=f"{self.name}.{key}"))
        for key in _WAYS:
            access = getattr(self, key)
            if access is not None:
                energy = evolve(access.energy, name=f"{self.name}.{key}.energy")
                object.__setattr__(self, key, evolve(access, energy=energy))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its figures, as far as they are known."""
        known = (self.read, self.write)
        energies = [access.energy for access in known if access is not None]
        figures = (self.size, self.bandwidth, *energies, self.leakage, self.area)
        return tuple([one for one in figures if one is not None])

    @property
    def figure_units(self) -> Mapping[str, str]:
        """The figures that may be given by the caller, by name, and their units.

        Those that it has, and those that the core counts with: its size, bandwidth and area. The
        energy of an access needs a width, which stands in a file.
        """
        own = {one.name: one.unit for one in self.parameters}
        return {**{f"{self.name}.{key}": _FIGURES[key] for key in _OF_CORE}, **own}

    def with_figure(self, figure: Parameter) -> Memory:
        """The same memory with a figure of one of the names of `figure_units`."""
        key, _, energy = figure.name.removeprefix(f"{self.name}.").partition(".")
        changed: Any = {key: evolve(getattr(self, key), energy=figure) if energy else figure}
        return evolve(self, **changed)

    @property
    def ports(self) -> tuple[str, ...]:
        """The resources that are busy while it moves something: one, or one for each way."""
        return (self.name,) if self.shared_port else (f"{self.name}.read", f"{self.name}.write")

    def has_room_for(self, bits: int) -> bool:
        """Whether so many bits fit into it."""
        return self.size is None or bits <= self.size.value * BYTE


def as_memories(given: Iterable[Memory]) -> tuple[Memory, ...]:
    """Memories as a tuple, each with a name of its own.

    Raises:
        TypeError: they are not memories.
        ValueError: two have one name, or none holds weights, or both inputs and outputs.

    """
    memories: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (given,)
    for memory in memories:
        if not isinstance(memory, Memory):
            message = f"expected memories, such as [Memory(name='dram')], found {memory!r:.80}"
            raise TypeError(message)
    names = [memory.name for memory in memories]
    if len(set(names)) < len(names):
        message = f"memory {max(names, key=names.count)!r} is given twice"
        raise ValueError(message)
    for roles in unheld(memories):
        message = f"no memory of {', '.join(names)} holds {roles}"
        raise ValueError(message)
    return memories


def unheld(memories: Sequence[Memory]) -> list[str]:
    """The roles of tensors that a network has and no memory of some holds together."""
    needed = (("input", "output"), ("weight",)) if memories else ()
    return [" and ".join(roles) for roles in needed if outermost(memories, roles) is None]


def is_placement_fixed(memories: Sequence[Memory]) -> bool:
    """Whether each role has one memory, so that nothing else decides where a tensor lies."""
    return all(sum(role in memory.holds for memory in memories) == 1 for role in ROLES)


@frozen
class Residence:
    """Where a tensor lies, from the first to the last group that needs it there."""

    tensor: str
    memory: str
    bits: int
    first: int
    last: int


@frozen
class Placement:
    """In which memory each tensor lies, and when: tensors by the name of their storage.

    Raises:
        ValueError: a tensor lies in two places, or in a memory that is not there.

    Groups are numbered from 0; where there is none, tensors lie there as if there were one. What
    is made and read within a group has no place.
    """

    memories: tuple[Memory, ...] = field(converter=as_memories)
    residences: tuple[Residence, ...]
    groups: int

    def __attrs_post_init__(self) -> None:
        """Check that every tensor has one place."""
        names = [one.tensor for one in self.residences]
        if len(set(names)) < len(names):
            message = f"tensor {max(names, key=names.count)!r:.80} has two places"
            raise ValueError(message)
        known = {memory.name for memory in self.memories}
        for one in self.residences:
            if one.memory not in known:
                near = nearest(one.memory, known)
                hint = f"; nearest: {near!r}" if near else ""
                message = (
                    f"tensor {one.tensor!r:.80} lies in {one.memory!r:.80}, which is not a memory "
                    f"of the device{hint}"
                )
                raise ValueError(message)

    def memory_of(self, tensor: str) -> Memory | None:
        """The memory of a tensor; None where the device has none or it has no place.

        Raises:
            UnknownNameError: its residence is in a memory that the device does not have.

        """
        name = next((one.memory for one in self.residences if one.tensor == tensor), None)
        return None if name is None else self.memory(name)

    def memory(self, name: str) -> Memory:
        """The memory called `name`.

        Raises:
            UnknownNameError: there is none.

        """
        for memory in self.memories:
            if memory.name == name:
                return memory
        raise UnknownNameError(name, [memory.name for memory in self.memories], "memory")

    def used_bits(self, memory: str) -> list[int]:
        """Bits that lie in a memory while each group runs."""
        change = [0] * (self.groups + 1)
        for one in self.residences:
            if one.memory == memory:
                change[one.first] += one.bits
                change[one.last + 1] -= one.bits
        used, total = [], 0
        for step in change[:-1]:
            total += step
            used.append(total)
        return used


@frozen
class Traffic:
    """Bits that a group reads from a memory and writes to it, for tensors of each role."""

    memory: str
    role: str
    read_bits: int = 0
    written_bits: int = 0


@frozen
class Surroundings:
    """What a body finds in memory: that of a loop at each of its steps, or of a branch.

    `homes` are the memories of its tensors that come from outside, by their names within; `kept`
    are those of them of which a loop holds a copy there from its first step to its last.
    `used_bits` is what lies in each memory beside the body.
    """

    homes: Mapping[str, str | None]
    used_bits: Mapping[str, int]
    kept: frozenset[str] = frozenset()


def added(several: Iterable[Traffic]) -> tuple[Traffic, ...]:
    """The sums by memory and role."""
    found: dict[tuple[str, str], list[int]] = {}
    for one in several:
        bits = found.setdefault((one.memory, one.role), [0, 0])
        bits[0] += one.read_bits
        bits[1] += one.written_bits
    return tuple([Traffic(*key, *bits) for key, bits in found.items()])


def repeated(several: tuple[Traffic, ...], times: int) -> tuple[Traffic, ...]:
    """The same `times` over."""
    if times == 1:
        return several
    return tuple(
        [
            evolve(one, read_bits=one.read_bits * times, written_bits=one.written_bits * times)
            for one in several
        ]
    )


def as_bytes(bits: int) -> int:
    """The bytes that so many bits take, rounded up."""
    return -(-bits // BYTE)


def in_bytes(several: Iterable[Traffic]) -> Mapping[str, tuple[int, int]]:
    """Bytes that are read from each memory and written to it, by its name."""
    bits: dict[str, list[int]] = {}
    for one in several:
        both = bits.setdefault(one.memory, [0, 0])
        both[0] += one.read_bits
        both[1] += one.written_bits
    return {name: (as_bytes(read), as_bytes(written)) for name, (read, written) in bits.items()}


def placed(
    workload: Workload,
    groups: Sequence[Group],
    memories: Sequence[Memory],
    default: NumericFormat,
    around: Surroundings | None = None,
) -> Placement:
    """Every tensor at the boundary of a group in a memory; those without a format in `default`.

    Weights, and what arrives from outside or leaves, lie in the outermost memory that holds
    their role. What groups make for others lies in the innermost that holds inputs and outputs
    and has room for it as long as it lives, else in the outermost; these tensors get their place
    in the order of their first use. In a body, tensors from outside lie where they lie there.
    """
    places = max(len(groups), 1)
    if not memories:
        return Placement((), (), places)
    spans = _spans(workload, groups)
    room = _Room(memories, places, {} if around is None else around.used_bits)
    homes = _homes(workload, memories, around)
    kept = {storages(workload)[name] for name in ([] if around is None else around.kept)}
    residences = []
    for name in sorted(spans, key=lambda name: name not in homes):  # what has no choice first
        first, last = (0, places - 1) if name in kept else spans[name]
        tensor = workload.tensors[name]
        bits = (tensor.format or default).stored_bits(tensor.size)
        home = homes[name] if name in homes else room.innermost(bits, first, last)
        if home is None:
            continue
        own = 0 if around is not None and name in homes and name not in kept else bits
        room.take(home, own, first, last)
        residences.append(Residence(name, home, own, first, last))
    return Placement(memories, tuple(residences), places)


def _homes(
    workload: Workload, memories: Sequence[Memory], around: Surroundings | None
) -> Mapping[str, str | None]:
    """The memories of the tensors that have no choice, by the names of their storage."""
    storage = storages(workload)
    if around is not None:
        return {storage[name]: home for name, home in around.homes.items()}
    roles = {storage[name]: "output" for name in workload.outputs}
    roles |= {storage[name]: "input" for name in workload.inputs}
    roles |= {storage[name]: "weight" for name in workload.weights}
    found = {name: outermost(memories, {role}) for name, role in roles.items()}
    return {name: None if memory is None else memory.name for name, memory in found.items()}


def outermost(memories: Sequence[Memory], roles: Iterable[str]) -> Memory | None:
    """The last memory that holds all of some roles, or None."""
    wanted = set(roles)
    return next((one for one in reversed(memories) if wanted <= set(one.holds)), None)


class _Room:
    """What is used of each memory while each group runs."""

    def __init__(
        self, memories: Sequence[Memory], groups: int, used_bits: Mapping[str, int]
    ) -> None:
        self._memories = memories
        self._used = {memory.name: [used_bits.get(memory.name, 0)] * groups for memory in memories}

    def innermost(self, bits: int, first: int, last: int) -> str | None:
        both = ("input", "output")
        for memory in self._memories:
            used = max(self._used[memory.name][first : last + 1], default=0)
            if set(both) <= set(memory.holds) and memory.has_room_for(used + bits):
                return memory.name
        last_resort = outermost(self._memories, both)
        return None if last_resort is None else last_resort.name

    def take(self, memory: str, bits: int, first: int, last: int) -> None:
        used = self._used[memory]
        for place in range(first, last + 1):
            used[place] += bits


def _spans(workload: Workload, groups: Sequence[Group]) -> Mapping[str, tuple[int, int]]:
    """First and last group that needs each tensor at a boundary.

    Weights stay all the time, inputs are there from the beginning and outputs until the end.
    """
    storage, end = storages(workload), max(len(groups) - 1, 0)
    weights = {storage[name] for name in workload.weights}
    spans: dict[str, tuple[int, int]] = dict.fromkeys(
        [storage[name] for name in workload.inputs], (0, 0)
    )
    for place, boundary in enumerate(boundaries(workload, groups)):
        for name in (*boundary.reads, *boundary.writes):
            first, _ = spans.get(name, (place, place))
            spans[name] = (0, end) if name in weights else (first, place)
    for name in workload.outputs:
        held = storage[name]
        if held in spans and held not in weights:
            spans[held] = (spans[held][0], end)
    return spans


def traffic(
    workload: Workload,
    groups: Sequence[Group],
    placement: Placement,
    default: NumericFormat,
    stored: Sequence[Mapping[NumericFormat, NumericFormat]] = (),
) -> tuple[tuple[Traffic, ...], ...]:
    """What each group reads and writes at its boundary, by memory and role.

    A tensor is read once for a group: of it, and of each view of it, the most that an operator
    accesses. A tensor that is written moves as a whole. `stored` has for each group the formats
    that tensors of some format are stored in instead.
    """
    if not placement.residences:
        return ((),) * len(groups)
    storage = storages(workload)
    weights = {storage[name] for name in workload.weights}
    homes = {one.tensor: one.memory for one in placement.residences}

    def bits_of(name: str, elements: int, others: Mapping[NumericFormat, NumericFormat]) -> int:
        number = workload.tensors[name].format or default
        return others.get(number, number).stored_bits(elements)

    found = []
    rows = zip(groups, boundaries(workload, groups), stored or [{}] * len(groups), strict=True)
    for group, boundary, others in rows:
        accessed = _accessed(group, workload, storage)
        read: dict[tuple[str, str], int] = {}
        written: dict[tuple[str, str], int] = {}
        for name in boundary.reads:
            if name in homes:
                key = homes[name], "weight" if name in weights else "input"
                read[key] = read.get(key, 0) + bits_of(name, accessed[name], others)
        for name in boundary.writes:
            if name in homes:
                key = homes[name], "output"
                size = workload.tensors[name].size
                written[key] = written.get(key, 0) + bits_of(name, size, others)
        keys = dict.fromkeys([*read, *written])
        found.append(tuple([Traffic(*key, read.get(key, 0), written.get(key, 0)) for key in keys]))
    return tuple(found)


def _accessed(group: Group, workload: Workload, storage: Mapping[str, str]) -> Mapping[str, int]:
    """The elements that a group accesses of each storage; of views together, all at most.

    Of what a loop or a branch reads nothing is known: all of it.
    """
    accessed = workload.derived("accessed", lambda: _accessed_by_step(workload))
    most: dict[str, int] = {}
    for step in group.members:
        for name, elements in accessed[step.name].items():
            most[name] = max(most.get(name, 0), elements)
    found: dict[str, int] = {}
    for name, elements in most.items():
        held = storage[name]
        found[held] = min(found.get(held, 0) + elements, workload.tensors[held].size)
    return found


def _accessed_by_step(workload: Workload) -> Mapping[str, Mapping[str, int]]:
    """The elements that each step accesses of what it reads: `{step: {tensor: elements}}`."""
    found: dict[str, dict[str, int]] = {}
    for step in workload:
        if isinstance(step, View):
            continue
        most = found[step.name] = {}
        if not isinstance(step, Node):
            most.update({name: workload.tensors[name].size for name in step.reads})
            continue
        for operand, name in zip(step.operator.operands, step.tensors, strict=True):
            if operand.role != "output":
                elements = step.operator.accesses(operand).elements
                most[name] = max(most.get(name, 0), elements)
    return found
