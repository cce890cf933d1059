"""Spatial accelerators: an array, memories around it, and a mapping for each contraction."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Final

from attrs import evolve, frozen

from costmodel.devices import (
    USUAL,
    Charge,
    Cost,
    Device,
    Duration,
    Factor,
    FormatTable,
    Outcome,
    Parameter,
    handles,
    parameter,
    setting,
    yes_or_no,
)
from costmodel.devices import one_of as among
from costmodel.devices.cost import Seconds
from costmodel.devices.evaluation.computing import compute_format
from costmodel.devices.evaluation.evaluator import DeviceEstimate, GroupCost, OperatorCost, moved
from costmodel.devices.evaluation.fusion import Group, boundaries
from costmodel.devices.evaluation.memory import (
    BYTE,
    Memory,
    Placement,
    Surroundings,
    Traffic,
    added,
    unheld,
)
from costmodel.devices.evaluation.schedule import Schedule
from costmodel.devices.progress import step
from costmodel.errors import UnknownNameError
from costmodel.formats import NumericFormat, format_name
from costmodel.scenario import Scenario
from costmodel.workload.composite import Normalization, Softmax
from costmodel.workload.graph import Node, Workload
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operator,
    Reduction,
)
from costmodel.workload.reasons import Free, Unpriced
from costmodel_hardware.processor.device import wide_enough
from costmodel_hardware.spatial.architecture import (
    FLOWS,
    SLOTS,
    Architecture,
    Level,
    Port,
    Use,
    as_axes,
    axes_of,
)
from costmodel_hardware.spatial.dataflow import SEARCH, as_dataflow, dataflow_of
from costmodel_hardware.spatial.mapping import as_mappings, mappings_of
from costmodel_hardware.spatial.placement import (
    Placer,
    SpatialPlacement,
    contractions_of,
    operands_of,
)
from costmodel_hardware.spatial.plan import ACCOUNTING_NAMES, COSTMODEL, OBJECTIVES, Mapped, Plan


def as_names(given: Any) -> tuple[str, ...]:
    """Names of axes, as a list or with commas between.

    Raises:
        ValueError: it is something else.

    """
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        message = f"expected names of axes, such as [rows, columns], found {given!r:.80}"
        raise ValueError(message)
    return tuple(name.strip() for name in names if name.strip())


as_names.__dict__["costmodel.takes"] = "names of axes, such as rows,columns"


def number(kind: type, takes: str, is_one: Callable[[float], bool]) -> Callable[[Any], Any]:
    """A converter for a setting that takes a number, of which `is_one` says whether it may be."""

    def check(given: Any) -> Any:
        try:
            found = math.nan if isinstance(given, bool) else kind(given)
        except (TypeError, ValueError):
            found = math.nan
        is_whole = kind is not int or isinstance(given, str) or found == given
        if not (is_whole and is_one(found)):
            message = f"expected {takes}, found {given!r:.40}"
            raise ValueError(message)
        return found

    check.__dict__["costmodel.takes"] = takes
    return check


whole_number = number(int, "a whole number of at least 1", lambda one: one >= 1)
as_share = number(float, "a share above 0 and up to 1", lambda one: 0 < one <= 1)
as_seconds = number(float, "seconds above 0", lambda one: 0 < one < math.inf)


@frozen(slots=False)
class SpatialAccelerator(Device):
    """An array of multiply-accumulate units along named axes, with memories around it.

    Each contraction gets a mapping: which dimensions are spread over which axis, in which order the
    others are stepped through, and which part of each operand each memory keeps meanwhile. It
    decides what moves over each link, and so energy and time. A mapping is given, or found: the
    one of least `objective` that the `dataflow` allows.

    `memories` stand from the innermost outwards. `per` names the axes that a memory exists once
    for; tensors lie in those that exist once. One without a bandwidth makes an access of its width
    in each cycle. Work that is no contraction runs on a vector unit at `vector_rate`.

    Raises:
        ValueError: the axes of the array, of memories and of the dataflow do not fit together.

    """

    family: ClassVar = "spatial"
    not_modelled: ClassVar = "control, wires, sparsity, refresh"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    resources: ClassVar = ("array", "vector unit")
    # It is not linear in prices: a mapping that is found follows the energies of the memories.
    capabilities: ClassVar = (
        USUAL - {"per-operator", "price-linear", "tiles-not-cheaper", "larger-not-faster"}
    ) | {"timed", "placed"}
    uses_memories: ClassVar = True
    fuses: ClassVar = ("activation", "bias", "padding")

    clock: Parameter = parameter("Hz", positive=True)
    energy_per_mac: FormatTable = parameter("J", by_format=True)
    mac_area: Parameter | None = parameter("m2", optional=True)
    """Of one unit."""
    mac_leakage: Parameter | None = parameter("W", optional=True)
    """Of one unit."""
    vector_rate: Parameter | None = parameter("OP/s", optional=True, positive=True)
    energy_per_vector_operation: Parameter | None = parameter("J/OP", optional=True)

    array: str = setting(as_axes, default="units=1")
    systolic: tuple[str, ...] = setting(as_names, default=())
    """Axes along which operands hop from unit to unit, which takes cycles to fill and to drain."""
    dataflow: str = setting(as_dataflow, default=SEARCH)
    mapping: str = setting(as_mappings, default=SEARCH)
    accounting: str = setting(among(*ACCOUNTING_NAMES), default=COSTMODEL)
    """Who counts words and cycles: this program, or as another one does, oddities included."""
    objective: str = setting(among(*OBJECTIVES), default="energy")
    minimum_utilization: float = setting(as_share, default=1.0)
    """Of the units that the best way to spread a contraction uses, where several are searched."""
    ragged: bool = setting(yes_or_no, default=False)
    """Whether tiles in time are searched that do not divide the steps of a dimension."""
    search_seconds: float = setting(as_seconds, default=60.0)
    """How long a contraction is searched; then the best so far counts, with the gap left."""
    cycles_per_mac: int = setting(whole_number, default=1)
    accumulator_bits: int = setting(whole_number, default=32)
    """Bits of a sum that is not complete, at least those of the result."""
    prefetches_weights: bool = setting(yes_or_no, default=False)
    """Whether the first weights of an operator come while the one before it still runs.

    They do where the memories on their way are double-buffered, as far as the port that they come
    from has cycles to spare.
    """
    resident_weights: bool = setting(yes_or_no, default=False)
    """Whether weights that all fit stay on the chip from one inference to the next."""

    def __attrs_post_init__(self) -> None:
        """Check that the parts fit together."""
        if not self.memories:
            message = "memories: expected at least one, which operands come from"
            raise ValueError(message)
        for roles in unheld([memory for memory in self.memories if not memory.per]):
            message = (
                f"memories: expected one that holds {roles} and exists once (without per), where "
                "tensors of the network lie; found none"
            )
            raise ValueError(message)
        known, dataflow = self.architecture.size, dataflow_of(self.dataflow)
        axes = [] if isinstance(dataflow, str) else [axis for axis, _ in dataflow]
        for axis in axes:
            if axis not in known:
                expected = f"axes of the array, {', '.join(known)}"
                message = f"dataflow: expected {expected}; found {axis!r:.60}"
                raise ValueError(message)
        if self.ragged and self.accounting != COSTMODEL:
            message = (
                f"ragged: accounting {self.accounting} knows no ragged tiles; expected accounting "
                f"{COSTMODEL}, or ragged: false"
            )
            raise ValueError(message)
        self._check_mappings()

    def _check_mappings(self) -> None:
        """Check that mappings name the memories of each operand, from inner to outer."""
        given = {} if self.mapping == SEARCH else json.loads(self.mapping)
        for name, one in given.items():
            for slot in SLOTS:
                places = self.architecture.chain(slot)[:-1]
                known = [self.architecture.levels[place].name for place in places]
                found = list(one["keeps"][slot])
                if found != known[: len(found)]:
                    expected = ", ".join(known) or "none, since it has one memory"
                    message = (
                        f"mapping.{name}.keeps.{slot}: expected memories from inner to outer: "
                        f"{expected}; found {', '.join(found)}"
                    )
                    raise ValueError(message)

    # -------------------------------------------------------------- what it is made of

    @cached_property
    def architecture(self) -> Architecture:
        """The array and its memories, as plain numbers."""
        return Architecture(
            name=self.name,
            axes=axes_of(self.array),
            levels=[_level(memory, self.clock.value) for memory in self.memories],
            systolic=self.systolic,
            cycles_per_mac=self.cycles_per_mac,
        )

    @cached_property
    def _rated(self) -> tuple[Memory, ...]:
        """The memories, each with a bandwidth: by default one access of its width in each cycle."""
        return tuple(
            memory if memory.bandwidth is not None else evolve(memory, bandwidth=self._rate(memory))
            for memory in self.memories
        )

    def _rate(self, memory: Memory) -> Parameter | None:
        widths = [one.width_bits for one in (memory.read, memory.write) if one is not None]
        if not widths:
            return None
        bytes_per_cycle, clock = max(widths) / BYTE, self.clock
        return Parameter(
            "bandwidth", clock.value * bytes_per_cycle, "B/s",
            "one access of its width in each cycle of the clock", clock.evidence,
            low=clock.low * bytes_per_cycle, high=clock.high * bytes_per_cycle,
        )  # fmt: skip

    def plan(self, number: NumericFormat) -> Plan:
        """How contractions in a format are mapped."""
        each = self.energy_per_mac[number].value
        return Plan(
            evolve(self.architecture, mac_energy=each),
            dataflow_of(self.dataflow),
            self.objective,  # type: ignore[arg-type]  # one of OBJECTIVES
            1 / self.clock.value,
            self.accounting,
            self.minimum_utilization,
            self.search_seconds,
            self.ragged,
        )

    @property
    def macs_per_second(self) -> float:
        """Those of all units."""
        return self.architecture.units * self.clock.value / self.cycles_per_mac

    @property
    def area_square_metres(self) -> float | None:
        """Of memories and units, as far as the file states them."""
        memories = super().area_square_metres
        if self.mac_area is None:
            return memories
        return (memories or 0.0) + self.mac_area.value * self.architecture.units

    @property
    def all_not_modelled(self) -> str:
        """What no price of this device holds; the vector unit's energy if no figure is given."""
        missing = "" if self.energy_per_vector_operation else "energy of vectors"
        return "; ".join(filter(None, (super().all_not_modelled, missing)))

    def diagram(self) -> str:
        """Its memories from the outside, and the array."""
        from costmodel_hardware.spatial.showing.diagram import diagram  # noqa: PLC0415  # on demand

        return diagram(self.name, self.memories, self.architecture.axes)

    def computes_in(self, number: NumericFormat) -> NumericFormat | None:
        """The format itself, or the next wider one of its kind that it has an energy for."""
        return wide_enough(number, {one: self.energy_per_mac[one] for one in self.energy_per_mac})

    # -------------------------------------------------------------- one operator

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Outcome:
        """Its multiply-accumulates; time and traffic are those of its mapping."""
        number = self.computes_in(compute_format(operator, scenario))
        if number is None:
            asked = format_name(compute_format(operator, scenario))
            known = ", ".join(map(format_name, self.energy_per_mac))
            return Unpriced(
                f"device {self.name!r} has no units for {asked}; it has {known} "
                "(--default-format, Scenario(default_format=...))"
            )
        factors = Factor("multiply-accumulates", operator.macs), Factor("examples", scenario.batch)
        charge = Charge("array", "compute", factors, self.energy_per_mac[number])
        cycles = self._least_cycles(operator.macs * scenario.batch)
        return Cost([charge], durations=[Duration("array", cycles, self.clock)])

    def _least_cycles(self, macs: Any) -> Any:
        """Cycles in which all units together do them; a mapping may leave some idle."""
        return macs * self.cycles_per_mac / self.architecture.units

    @handles(Activation, Softmax, Normalization, Elementwise, Reduction)
    def vector(self, operator: Operator, scenario: Scenario) -> Outcome:
        """Its operations on the vector unit."""
        count = sum(operator.operations.values())
        if not count:
            return Free("no arithmetic; what it moves is counted")
        if self.vector_rate is None:
            kind = type(operator).__name__.lower()
            return Unpriced(
                f"device {self.name!r} states no vector unit that {kind} operators could run on; "
                "give it a vector_rate"
            )
        factors = Factor("operations", count), Factor("examples", scenario.batch)
        each = self.energy_per_vector_operation
        charges = [] if each is None else [Charge("vector unit", "compute", factors, each)]
        work = Duration("vector unit", count * scenario.batch, self.vector_rate)
        return Cost(charges, durations=[work])

    @handles(Gather, Movement)
    def moving(self, operator: Operator, scenario: Scenario) -> Outcome:
        """Nothing but what it moves."""
        del operator, scenario
        return Free("no arithmetic; what it moves is counted")

    # -------------------------------------------------------------- a whole workload

    def evaluate_bound(self, workload: Workload, scenario: Scenario) -> DeviceEstimate:
        """What a workload costs, each operator or layer that a mapping is given for among it.

        Raises:
            UnknownNameError: there is none of that name.

        """
        given = mappings_of(self.mapping)
        known = contractions_of(workload) if given else ()
        for name in given:
            if name not in known:
                raise UnknownNameError(name, known, "contraction")
        return super().evaluate_bound(workload, scenario)

    def place(
        self,
        workload: Workload,
        groups: tuple[Group, ...],
        scenario: Scenario,
        around: Surroundings | None = None,
    ) -> Placement:
        """Tensors in the memories that all units share, and a mapping for each contraction."""
        plans = {}
        for group in groups:
            anchor = group.anchor
            if isinstance(anchor, Node) and isinstance(anchor.operator, Contraction):
                here = scenario.of_node(anchor)
                number = self.computes_in(compute_format(anchor.operator, here))
                if number is not None:
                    plans[group.name] = self.plan(number)
        placer = Placer(
            memories=self._rated, scenario=scenario, partial_bits=self.accumulator_bits,
            given=mappings_of(self.mapping), is_resident=self.resident_weights,
        )  # fmt: skip
        with step(f"{self.name}, {workload.name}"):
            return placer.placed(plans, workload, groups, around)

    def move(
        self,
        workload: Workload,
        groups: tuple[Group, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> tuple[tuple[Traffic, ...], ...]:
        """What mappings move over each link; of other groups what crosses their boundary."""
        if not isinstance(placement, SpatialPlacement):
            return super().move(workload, groups, placement, scenario)
        plain = super().move(workload, groups, placement, scenario)
        crossing = boundaries(workload, groups)
        homes = {one.tensor: one.memory for one in placement.residences}
        found = []
        for group, boundary, usual in zip(groups, crossing, plain, strict=True):
            one = placement.mapped.get(group.name)
            if one is None or not isinstance(group.anchor, Node):
                found.append(usual)
                continue
            own = set(operands_of(group, workload).values())
            sizes = {
                name: (tensor.format or scenario.default_format).stored_bits(tensor.size)
                for name in (*boundary.reads, *boundary.writes)
                if name in homes and name not in own
                for tensor in [workload.tensors[name]]
            }
            others = [
                Traffic(
                    homes[name], "weight" if name in workload.weights else "input",
                    read_bits=sizes[name],
                )
                for name in boundary.reads
                if name in sizes
            ]  # fmt: skip
            others += [  # a result before an activation may leave beside the one behind it
                Traffic(homes[name], "output", written_bits=sizes[name])
                for name in boundary.writes[1:]
                if name in sizes
            ]
            found.append(added([*_traffic(one), *others]))
        return tuple(found)

    def price_group(
        self, group: Group, placement: Placement, scenario: Scenario
    ) -> Outcome | tuple[tuple[OperatorCost, ...], ...]:
        """The prices of its operators, unless its contraction has no mapping."""
        refused = placement.refused if isinstance(placement, SpatialPlacement) else {}
        if group.name in refused:
            return Unpriced(refused[group.name])
        return super().price_group(group, placement, scenario)

    def price_traffic(
        self,
        group: Group,
        traffic: tuple[Traffic, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> Cost:
        """Accesses of each memory, and the cycles of the array and of each port."""
        one = placement.mapped.get(group.name) if isinstance(placement, SpatialPlacement) else None
        if one is None:
            return moved(traffic, placement)
        others = moved(_beyond(traffic, _traffic(one)), placement)
        charges = [*self._accesses(one, placement), *others.charges]
        return Cost(charges, durations=[*self._durations(one), *others.durations])

    def _accesses(self, one: Mapped, placement: Placement) -> Iterable[Charge]:
        for transfer in one.costs.transfers:
            memory = placement.memory(transfer.level)
            access = memory.read if transfer.flow.startswith("read") else memory.write
            if access is not None and transfer.accesses:
                way = "read" if transfer.flow.startswith("read") else "written"
                label = f"{access.width_bits}-bit accesses {way}"
                factors = (Factor(label, transfer.accesses),)
                yield Charge(memory.name, transfer.operand, factors, access.energy)

    def _durations(self, one: Mapped) -> Iterable[Duration]:
        latency = one.costs.latency
        before = latency.onload + latency.fill_and_drain
        beyond = latency.compute + latency.exposed - self._least_cycles(one.nest.macs)
        cycles = [("array", before, "start"), ("array", max(beyond, 0.0), "run")]
        for name, own in one.costs.steady_cycles.items():
            memory, _, port = name.rpartition(".")
            cycles.append((memory if port == _SHARED else name, own, "run"))
        for resource, own, phase in [*cycles, ("array", latency.offload, "finish")]:
            if own:
                yield Duration(resource, own, self.clock, phase=phase)

    def schedule(
        self, groups: tuple[GroupCost, ...], placement: Placement, scenario: Scenario
    ) -> Schedule:
        """One group after the other; weights that are fetched before take no time of their own."""
        serial = super().schedule(groups, placement, scenario)
        if not (self.prefetches_weights and isinstance(placement, SpatialPlacement)):
            return serial
        saved = [0.0]
        for before, group in pairwise(groups):
            saved.append(self._hidden(before, placement.mapped.get(group.group.name), placement))
        return _earlier(serial, saved, self.clock)

    def _hidden(self, before: GroupCost, one: Mapped | None, placement: SpatialPlacement) -> float:
        """Cycles of the first weights of a group that the group before it leaves time for."""
        if one is None or before.cost.latency_seconds is None:
            return 0.0
        links = {each.link for each in one.costs.transfers if each.operand == "weight"}
        levels = self.architecture.levels
        inner = [levels[link.child] for link in links if link.child >= 0]
        home = levels[max(link.parent for link in links)].name
        if not inner or not all(level.double_buffered for level in inner):
            return 0.0
        busy = sum(time for name, time in before.busy_seconds.items() if name.split(".")[0] == home)
        spare = (before.cost.latency_seconds - busy) * self.clock.value
        return max(min(one.costs.weight_onload, spare), 0.0)

    def static_charges(self, schedule: Schedule) -> Sequence[Charge] | Unpriced:
        """The leakage of memories and units over the makespan."""
        found = [
            schedule.drawn(memory.leakage, memory.name)
            for memory in self.memories
            if memory.leakage is not None
        ]
        if self.mac_leakage is not None:
            one, units = self.mac_leakage, self.architecture.units
            every = evolve(one, value=one.value * units, low=one.low * units, high=one.high * units)
            found.append(schedule.drawn(every, "array"))
        return found


def _earlier(schedule: Schedule, cycles: Sequence[float], clock: Parameter) -> Schedule:
    """A schedule in which each group begins so many cycles earlier, and all behind it too."""
    if schedule.makespan is None:
        return schedule
    spans, total = [], 0.0
    for span, saved in zip(schedule.spans, cycles, strict=True):
        total += saved
        spans.append(
            evolve(span, begin=_less(span.begin, total, clock), end=_less(span.end, total, clock))
        )
    return evolve(schedule, spans=tuple(spans), makespan=_less(schedule.makespan, total, clock))


def _less(time: Seconds, cycles: float, clock: Parameter) -> Seconds:
    return Seconds(
        time.value - cycles / clock.value, time.low - cycles / clock.high,
        time.high - cycles / clock.low,
    )  # fmt: skip


def _traffic(one: Mapped) -> tuple[Traffic, ...]:
    """What a mapping reads from each memory and writes to it."""
    return added(
        Traffic(transfer.level, transfer.operand, read_bits=transfer.bits)
        if transfer.flow.startswith("read")
        else Traffic(transfer.level, transfer.operand, written_bits=transfer.bits)
        for transfer in one.costs.transfers
        if transfer.bits
    )


def _beyond(several: Iterable[Traffic], known: Iterable[Traffic]) -> tuple[Traffic, ...]:
    """Traffic less what is known of it."""
    less = {(one.memory, one.role): one for one in known}
    found = []
    for one in several:
        own = less.get((one.memory, one.role))
        rest = one if own is None else evolve(
            one,
            read_bits=max(one.read_bits - own.read_bits, 0),
            written_bits=max(one.written_bits - own.written_bits, 0),
        )  # fmt: skip
        if rest.read_bits or rest.written_bits:
            found.append(rest)
    return tuple(found)


_SHARED: Final = "port"
"""The name of a port for both ways."""


def _level(memory: Memory, clock: float) -> Level:
    """A memory of a file as a level of an architecture: figures as plain numbers."""
    read, write = memory.read, memory.write
    widths = [one.width_bits for one in (read, write) if one is not None]
    smallest = [one.smallest_bits for one in (read, write) if one is not None and one.smallest_bits]
    rate = None if memory.bandwidth is None else memory.bandwidth.value * BYTE / clock
    ways = {_SHARED: FLOWS} if memory.shared_port else {
        way: [flow for flow in FLOWS if flow.startswith(way)] for way in ("read", "write")
    }  # fmt: skip
    ports = []
    for name, flows in ways.items():
        width = {"read": read, "write": write}.get(name)
        own = width.width_bits if width is not None else max(widths, default=0)
        speed = rate if rate is not None else float(own)
        if speed:
            ports.append(Port(name, speed, [Use(slot, flow) for slot in SLOTS for flow in flows]))
    return Level(
        name=memory.name,
        holds=tuple(slot for slot in SLOTS if slot in memory.holds),
        size_bits=None if memory.size is None else int(memory.size.value * BYTE),
        per=memory.per,
        read_energy=0.0 if read is None else read.energy.value,
        read_bits=1 if read is None else read.width_bits,
        write_energy=0.0 if write is None else write.energy.value,
        write_bits=1 if write is None else write.width_bits,
        smallest_bits=min(smallest, default=1),
        ports=ports,
        double_buffered=memory.double_buffered,
        retains_halo=memory.halo == "retained",
        leakage=0.0 if memory.leakage is None else memory.leakage.value,
    )
