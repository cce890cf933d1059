"""Arm Ethos-U55 and Ethos-U65: the estimates of Arm's compiler, from shapes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Final, NamedTuple

from attrs import evolve, frozen

from costmodel.devices import (
    USUAL,
    Charge,
    Cost,
    Device,
    Duration,
    Fused,
    Group,
    GroupCost,
    Memory,
    OperatorCost,
    Outcome,
    Parameter,
    Placement,
    Schedule,
    Seconds,
    Span,
    Traffic,
    handles,
    is_folded,
    parameter,
)
from costmodel.devices.evaluation.fusion import storages
from costmodel.devices.evaluation.memory import BYTE, added, outermost
from costmodel.formats import FixedPoint, format_name, held_in
from costmodel.scenario import Scenario
from costmodel.workload.composite import Softmax
from costmodel.workload.graph import Node, View, Workload
from costmodel.workload.operators import Activation, Movement, Operand, Operator
from costmodel.workload.reasons import Free, Unpriced
from costmodel_hardware.ethos_u import cycles as cycles_of
from costmodel_hardware.ethos_u.blocks import BANK_BYTES, Block
from costmodel_hardware.ethos_u.lowering import PRICED, activation_of, copied, operations_of
from costmodel_hardware.ethos_u.operation import (
    BIAS_BYTES,
    BRICK,
    WEIGHTED,
    Accelerator,
    Area,
    Kind,
    Map,
    Operation,
    Port,
)

_MACS_OF_CHANNEL: Final = 8
"""Multipliers for each element of a microblock."""
_NOT_PROMISED: Final = {"per-operator", "tiles-not-cheaper", "larger-not-faster", "additive-parts"}
"""A larger operator may fill a block better; steps overlap with the reading of weights."""
_COSTS: Final = (
    "other", "add", "multiply", "multiply_wide", "wide_unary", "wide_binary", "maximum", "relu",
    "table",
)  # fmt: skip


class Run(NamedTuple):
    """An operation in its block, and where its inputs and outputs lie."""

    operation: Operation
    block: Block
    reads: Memory
    writes: Memory


def block_of(operation: Operation, npu: Accelerator) -> Block:
    """The block that an operation is computed in, as `search.best_block` chooses it.

    Raises:
        ValueError: not even the smallest block fits into the shared buffer.

    """
    from costmodel_hardware.ethos_u.search import best_block  # noqa: PLC0415  # NumPy, on demand

    return best_block(operation, npu)


@frozen
class EthosU(Device):
    """An Ethos-U55 or U65 with the memories around it, as Arm's compiler Vela estimates it.

    An operator becomes one operation of the NPU, or several. Each is computed in blocks of its
    output; it takes as long as the slowest of the NPU and of each memory. Weights that lie
    outside of the memory of the feature maps are copied there where they are read several times,
    or where a DRAM holds them; the copy overlaps with the operation before.

    8-bit and 16-bit fixed-point inputs are computed, with weights of up to 8 bits, which are
    counted as 8 bits times `weight_share`: the compiler compresses them, by how much depends on
    their values. All else is left to the CPU, and has no price.

    Raises:
        ValueError: there is no memory, or one has no bandwidth.

    """

    family: ClassVar = "ethos-u"
    not_modelled: ClassVar = "the CPU beside it, start-up, energy"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    resources: ClassVar = ("npu", "board")
    capabilities: ClassVar = (USUAL - _NOT_PROMISED) | {"timed", "placed", "always-on"}
    fuses: ClassVar = ("activation", "bias", "padding")
    uses_memories: ClassVar = True

    clock: Parameter = parameter("Hz", positive=True)
    microblock_height: Parameter = parameter("", positive=True)
    microblock_width: Parameter = parameter("", positive=True)
    microblock_depth: Parameter = parameter("", positive=True)
    """Channels of the part of the output that the array makes at once."""
    cores: Parameter = parameter("", positive=True)
    shared_buffer: Parameter = parameter("B", positive=True)
    """Holds two blocks of inputs and two of sums."""
    input_granule: Parameter = parameter("B", positive=True)
    """By which a block of 8-bit or 16-bit inputs grows."""
    wide_input_granule: Parameter = parameter("B", positive=True)
    sum_granule: Parameter = parameter("B", positive=True)
    """By which a block of sums grows."""
    wide_sum_granule: Parameter = parameter("B", positive=True)
    sum_delay: Parameter = parameter("")
    """Cycles from a multiplication to its sum."""
    pooling_cycles_per_bit: Parameter = parameter("")
    """Times the bits of the input, by how much pooling is slower than four elements in a cycle."""
    cycles_other: Parameter = parameter("", positive=True)
    """Cycles of the output unit for an element; all that follow too."""
    cycles_add: Parameter = parameter("", positive=True)
    cycles_multiply: Parameter = parameter("", positive=True)
    cycles_multiply_wide: Parameter = parameter("", positive=True)
    cycles_wide_unary: Parameter = parameter("", positive=True)
    cycles_wide_binary: Parameter = parameter("", positive=True)
    cycles_maximum: Parameter = parameter("", positive=True)
    cycles_relu: Parameter = parameter("", positive=True)
    cycles_table: Parameter = parameter("", positive=True)
    sram_read_latency: Parameter = parameter("")
    """In cycles, as all latencies."""
    sram_write_latency: Parameter = parameter("")
    sram_burst: Parameter = parameter("B", positive=True)
    outer_read_latency: Parameter = parameter("")
    """Of the flash or DRAM."""
    outer_write_latency: Parameter = parameter("")
    outer_burst: Parameter = parameter("B", positive=True)
    weight_share: Parameter = parameter("", positive=True)
    """Bytes of a weight as it is stored."""
    busy_power: Parameter | None = parameter("W", optional=True)
    """While the network runs, of what `assumes` names."""

    def __attrs_post_init__(self) -> None:
        """Check that there are memories, and that each has a bandwidth."""
        if not self.memories:
            message = "memories: expected that of the feature maps first, found none"
            raise ValueError(message)
        for memory in self.memories:
            if memory.bandwidth is None:
                message = f"memory {memory.name!r}: expected a bandwidth, found none"
                raise ValueError(message)

    @cached_property
    def accelerator(self) -> Accelerator:
        """The figures that the cycles of the NPU follow from."""
        return Accelerator(
            Area(
                _whole(self.microblock_height), _whole(self.microblock_width),
                _whole(self.microblock_depth),
            ),
            _whole(self.cores),
            _banks(self.shared_buffer), _banks(self.input_granule),
            _banks(self.wide_input_granule), _banks(self.sum_granule),
            _banks(self.wide_sum_granule), round(self.sum_delay.value),
            self.pooling_cycles_per_bit.value,
            tuple([(name, getattr(self, f"cycles_{name}").value) for name in _COSTS]),
        )  # fmt: skip

    @property
    def macs_per_second(self) -> float:
        """Of 8 bits."""
        microblock = self.accelerator.microblock.size
        return microblock * _MACS_OF_CHANNEL * self.cores.value * self.clock.value

    # -------------------------------------------------------------- one operator

    @handles(*PRICED, batched=False)
    def computed(self, operator: Operator, scenario: Scenario) -> Outcome:
        """Its cycles of the NPU; what it moves is that of its group."""
        found = self._operations(operator, scenario)
        if isinstance(found, Unpriced):
            return found
        near = self.memories[0]
        runs = [Run(one, block_of(one, self.accelerator), near, near) for one in found]
        return self._cost(runs, scenario)

    def _operations(
        self, operator: Operator, scenario: Scenario
    ) -> tuple[Operation, ...] | Unpriced:
        """The operations that do its work, or why the NPU has none for it."""
        reads = [*operator.inputs, *operator.weights[:1]]
        for one in reads:
            number = held_in(one.format or scenario.default_format)
            most = _NARROW if one.role == "weight" else 2 * _NARROW
            if not isinstance(number, FixedPoint) or number.bits > most:
                kind = "weights" if one.role == "weight" else "inputs"
                return Unpriced(
                    f"device {self.name!r} computes fixed-point {kind} of up to {most} bits, and "
                    f"leaves {format_name(number)} to the CPU, whose time is not modelled "
                    "(--default-format int8, Scenario(default_format=...))"
                )
        bits = (_bits(operator.inputs, scenario), _bits(operator.outputs, scenario))
        found = operations_of(operator, bits)
        if isinstance(found, Unpriced):
            return Unpriced(f"device {self.name!r}: {found.reason}")
        try:
            for operation in found:
                block_of(operation, self.accelerator)
        except ValueError as error:
            return Unpriced(f"device {self.name!r}: {error}, so that it is left to the CPU")
        return tuple([evolve(one, repeats=one.repeats * scenario.batch) for one in found])

    def _cost(self, runs: Sequence[Run], scenario: Scenario) -> Outcome:
        total = sum([self._npu_cycles(one) for one in runs])
        if not total:
            return Free("what it moves is written in place, or priced as a copy")
        return Cost(durations=[Duration("npu", total, self.clock)])

    def _npu_cycles(self, run: Run) -> float:
        bias = self._port(self._constants(run)).read_latency
        each = cycles_of.npu_cycles(
            run.operation, self.accelerator, run.block, self._reads(run), self._writes(run), bias
        )
        return each * run.operation.repeats

    # -------------------------------------------------------------- memories

    def _port(self, memory: Memory) -> Port:
        is_near = memory.name == self.memories[0].name
        rate = 0.0 if memory.bandwidth is None else memory.bandwidth.value
        figures = (
            (self.sram_read_latency, self.sram_write_latency, self.sram_burst)
            if is_near
            else (self.outer_read_latency, self.outer_write_latency, self.outer_burst)
        )
        return Port(rate / self.clock.value, *[one.value for one in figures])

    def _reads(self, run: Run) -> Map:
        return Map(self._port(run.reads), _is_in_bricks(run.operation, run.operation.input))

    def _writes(self, run: Run) -> Map:
        return Map(self._port(run.writes), _is_in_bricks(run.operation, run.operation.output))

    @property
    def of_weights(self) -> Memory:
        """Where weights and other constants lie."""
        found = outermost(self.memories, {"weight"})
        return self.memories[-1] if found is None else found

    def _constants(self, run: Run) -> Memory:
        """From where an operation reads its weights: the copy of them, where there is one."""
        return self.memories[0] if self._is_copied(run) else self.of_weights

    def _is_copied(self, run: Run) -> bool:
        """Whether the weights of an operation are copied to the memory of the feature maps."""
        home = self.of_weights
        if run.operation.kind not in WEIGHTED or home.name == self.memories[0].name:
            return False
        is_used_again = self._moved(run).readings > 1 or run.operation.kind is Kind.DEPTHWISE
        return is_used_again or "input" in home.holds

    def _moved(self, run: Run) -> cycles_of.Bytes:
        return cycles_of.moved_bytes(run.operation, self.accelerator, run.block, self._reads(run))

    # -------------------------------------------------------------- a group

    def price_group(
        self, group: Group, placement: Placement, scenario: Scenario
    ) -> tuple[tuple[OperatorCost, ...], ...]:
        """The cycles of the NPU; limits and tables of an activation are those of its output."""
        planned = self._planned(group, placement, scenario)
        found = []
        for node in group.nodes:
            outcome: Outcome
            runs = planned.get(node.name)
            if node.operator.unpriced is not None:
                outcome = node.operator.unpriced
            elif isinstance(runs, Unpriced):
                outcome = runs
            elif runs is None and is_folded(node, group):
                outcome = Free("folded into the linear layer before it at inference")
            elif runs is None:
                outcome = Fused("runs with the operator before it", group.name)
            else:
                outcome = self._cost(runs, scenario)
            found.append((OperatorCost(node.operator, outcome),))
        return tuple(found)

    def _planned(
        self, group: Group, placement: Placement, scenario: Scenario
    ) -> dict[str, list[Run] | Unpriced]:
        """The operations of each member that has some of its own, by the name of the member."""
        found: dict[str, list[Run] | Unpriced] = {}
        anchor = group.anchor
        for node in group.nodes:
            operator = node.operator
            if _is_joining(group) and node is group.anchor:
                found[node.name] = []
                continue
            is_own = node is anchor or isinstance(operator, Softmax)
            if not is_own or is_folded(node, group):
                continue
            operations = self._operations(operator, scenario)
            if isinstance(operations, Unpriced):
                found[node.name] = operations
                continue
            if node is anchor and operations:
                operations = _with_activation(group, operations)
            found[node.name] = self._runs(node, group, operations, placement)
        return found

    def _runs(
        self, node: Node, group: Group, operations: Sequence[Operation], placement: Placement
    ) -> list[Run]:
        """Operations in their blocks: the first reads where the input lies.

        The last writes to where the result of the group lies.
        """
        near = self.memories[0]
        reads = _placed(placement, node, "input")
        writes = [
            home for one in reversed(group.nodes) for home in _placed(placement, one, "output")
        ]
        read, written = [homes[0] if homes else near for homes in (reads, writes)]
        return self.runs_of(operations, read, written)

    def runs_of(
        self,
        operations: Sequence[Operation],
        read: Memory,
        written: Memory,
        choose: Callable[[Operation, Accelerator], Block] = block_of,
    ) -> list[Run]:
        """Operations one after the other, in the blocks that `choose` gives them.

        The first reads from one memory and the last writes to one; what is between lies near.
        """
        near, last = self.memories[0], len(operations) - 1
        far = outermost(self.memories, {"input", "output"}) or near
        found = []
        for place, one in enumerate(operations):
            reads = read if place == 0 else far if one.is_far else near
            writes = written if place == last else near
            found.append(Run(one, choose(one, self.accelerator), reads, writes))
        return found

    def cost_of(self, run: Run) -> Cost:
        """The time of the NPU and of each memory for one operation; the copy of weights first."""
        npu = Duration("npu", self._npu_cycles(run), self.clock)
        return Cost(durations=[one for one in (npu, *self._durations(run)) if one.count])

    def move(
        self,
        workload: Workload,
        groups: tuple[Group, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> tuple[tuple[Traffic, ...], ...]:
        """What each group reads and writes: blocks of inputs overlap, weights come again."""
        default = super().move(workload, groups, placement, scenario)
        readers = _readers(workload)
        found = []
        for group, plain in zip(groups, default, strict=True):
            if _is_joining(group):
                found.append(self._copied(workload, group, placement, scenario, readers))
                continue
            runs = self._all_runs(group, placement, scenario)
            if runs is None:
                found.append(plain)
            else:
                found.append(_at_least(plain, [one for run in runs for one in self._traffic(run)]))
        return tuple(found)

    def _copied(
        self,
        workload: Workload,
        group: Group,
        placement: Placement,
        scenario: Scenario,
        readers: Mapping[str, int],
    ) -> tuple[Traffic, ...]:
        """What a concatenation moves: the inputs that others read; the rest is written in place."""
        storage, near = storages(workload), self.memories[0]
        found = []
        for name in group.anchor.reads:
            held, tensor = storage[name], workload.tensors[name]
            if readers[held] > 1 or held in workload.inputs:
                bits = (tensor.format or scenario.default_format).stored_bits(tensor.size)
                home = placement.memory_of(held) or near
                found += [Traffic(home.name, "input", bits), Traffic(near.name, "output", 0, bits)]
        return added(found)

    def _all_runs(self, group: Group, placement: Placement, scenario: Scenario) -> list[Run] | None:
        """All operations of a group; None where a member has no price, or it is a loop."""
        if not isinstance(group.anchor, Node):
            return None
        planned = self._planned(group, placement, scenario)
        several = list(planned.values())
        if any(isinstance(one, Unpriced) for one in several):
            return None
        return [run for one in several if not isinstance(one, Unpriced) for run in one]

    def _traffic(self, run: Run) -> list[Traffic]:
        """What one operation moves, in all its runs."""
        moved, times = self._moved(run), run.operation.repeats
        near, home = self.memories[0].name, self.of_weights.name
        weights = moved.weights * self.weight_share.value

        def bits(count: float) -> int:
            return round(count * BYTE)

        found = [
            Traffic(run.reads.name, "input", bits((moved.input + moved.second) * times)),
            Traffic(run.writes.name, "output", 0, bits(moved.output * times)),
        ]
        if self._is_copied(run):
            found += [
                Traffic(home, "weight", bits(weights)),
                Traffic(near, "weight", bits(weights * moved.readings * times), bits(weights)),
            ]
        elif weights:
            found.append(Traffic(home, "weight", bits(weights * moved.readings * times)))
        if moved.constants:
            found.append(Traffic(home, "weight", bits(moved.constants * times)))
        return [one for one in found if one.read_bits or one.written_bits]

    def price_traffic(
        self,
        group: Group,
        traffic: tuple[Traffic, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> Cost:
        """The time of each memory: whole bursts, and first the copy of weights."""
        if _is_joining(group):
            try:
                return self._copying(group, traffic, scenario)
            except ValueError:  # no block fits into the shared buffer: the CPU copies
                return super().price_traffic(group, traffic, placement, scenario)
        runs = self._all_runs(group, placement, scenario)
        if runs is None:
            return super().price_traffic(group, traffic, placement, scenario)
        found = [one for run in runs for one in self._durations(run)]
        return Cost(durations=[one for one in found if one.count])

    def _copying(self, group: Group, traffic: tuple[Traffic, ...], scenario: Scenario) -> Cost:
        """The time of the inputs that a concatenation copies."""
        (node,) = group.nodes[:1]
        width = _bits(node.operator.outputs, scenario)
        elements = sum([one.read_bits for one in traffic]) // width
        runs = self.runs_of([copied(elements, width)], self.memories[0], self.memories[0])
        return self.cost_of(runs[0])

    def _durations(self, run: Run) -> list[Duration]:
        """How long each memory works for one operation, in all its runs."""
        operation, moved = run.operation, self._moved(run)
        times = operation.repeats
        read = cycles_of.read_share(operation, run.block, self._reads(run))
        written = cycles_of.written_share(operation, self.accelerator, run.block, self._writes(run))
        home, near = self.of_weights, self.memories[0]
        biases = float(BIAS_BYTES * operation.output.depth) if moved.weights else 0.0
        stored = max(moved.weights - biases, 0.0) * self.weight_share.value
        durations = [
            _busy(run.reads, (moved.input + moved.second) * read * times),
            _busy(run.writes, moved.output * written * times),
            _busy(home, (biases * moved.readings + moved.constants) * times),
        ]
        if not self._is_copied(run):
            return [*durations, _busy(home, stored * moved.readings * times)]
        port = self._port(home)
        late = port.read_latency * port.bytes_per_cycle  # the bytes that pass meanwhile
        slices = -(-operation.output.depth // (BRICK * self.accelerator.cores))
        first = (stored + biases) / slices
        return [
            *durations,
            _busy(near, stored * moved.readings * times),
            _busy(home, first + late, phase="start"),
            _busy(home, stored + biases - first),
        ]

    # -------------------------------------------------------------- a whole workload

    def schedule(
        self, groups: tuple[GroupCost, ...], placement: Placement, scenario: Scenario
    ) -> Schedule:
        """One group after the other; weights are copied while the group before runs.

        The copy takes the time in which that group leaves the memory of the weights alone.
        """
        plain = super().schedule(groups, placement, scenario)
        if plain.makespan is None or len(self.memories) == 1:
            return plain
        spans, begin = [], [0.0, 0.0, 0.0]
        idle = [0.0, 0.0, 0.0]
        for each in groups:
            times = [with_copy(each.cost, self.of_weights.name, idle[end], end) for end in range(3)]
            end = [one + time.total for one, time in zip(begin, times, strict=True)]
            spans.append(Span(each.group.name, Seconds(*begin), Seconds(*end)))
            idle = [time.idle for time in times]
            begin = end
        return Schedule(tuple(spans), Seconds(*begin))

    def static_charges(self, schedule: Schedule) -> Sequence[Charge] | Unpriced:
        """The power over the makespan, where it is given."""
        if self.busy_power is None:
            return Unpriced(f"no power of {self.name!r} is known; set busy_power")
        return [schedule.drawn(self.busy_power, "board")]


_NARROW: Final = 8
"""Bits of a weight."""


class Timed(NamedTuple):
    """How long work takes, and how long the memory of the weights does nothing meanwhile."""

    total: float
    idle: float


def with_copy(cost: Cost, home: str, idle: float, end: int = 0) -> Timed:
    """The time of work whose first copy of weights may begin in the idle time before, in seconds.

    `home` is the memory of the weights. `end` is 0 for the usual time, 1 for the least and 2 for
    the most.
    """
    ends = (cost.latency_seconds, cost.latency_seconds_low, cost.latency_seconds_high)

    def seconds(one: Duration) -> float:
        return (one.seconds, one.seconds_low, one.seconds_high)[end]

    first = sum([seconds(one) for one in cost.durations if one.phase == "start"])
    of_home = sum([seconds(one) for one in cost.durations if one.resource == home])
    ready = min(first, idle)
    used = max((ends[end] or 0.0) - ready, 0.0)
    return Timed(used, max(used - (of_home - ready), 0.0))


def _placed(placement: Placement, node: Node, role: str) -> list[Memory]:
    """The memories of the operands of a node that have a place, of one role."""
    pairs = zip(node.operator.operands, node.tensors, strict=True)
    homes = [placement.memory_of(name) for operand, name in pairs if operand.role == role]
    return [home for home in homes if home is not None]


def _at_least(plain: Sequence[Traffic], found: Sequence[Traffic]) -> tuple[Traffic, ...]:
    """What is moved, of each memory and role at least what crosses the boundary of a group."""
    known = {(one.memory, one.role): one for one in added(found)}
    for one in plain:
        key = (one.memory, one.role)
        own = known.get(key, Traffic(*key))
        read = max(own.read_bits, one.read_bits)
        known[key] = Traffic(*key, read, max(own.written_bits, one.written_bits))
    return tuple(known.values())


def _is_joining(group: Group) -> bool:
    """Whether a group is a concatenation."""
    anchor = group.anchor
    if not isinstance(anchor, Node) or not isinstance(anchor.operator, Movement):
        return False
    return anchor.operator.purpose == "concatenation" and len(group.nodes) == 1


def _readers(workload: Workload) -> Mapping[str, int]:
    """How many steps read each tensor, by its storage."""
    storage = storages(workload)
    return Counter([
        name
        for step in workload
        if not isinstance(step, View)
        for name in {storage[read] for read in step.reads}
    ])  # fmt: skip


def _is_in_bricks(operation: Operation, area: Area) -> bool:
    """Whether a feature map lies in bricks of 16 channels, as the compiler mostly lays it out.

    Those of few channels do not, but for what is between operations on elements.
    """
    return area.depth % BRICK == 0 or operation.kind is Kind.ELEMENTWISE


def _busy(memory: Memory, count: float, phase: str = "run") -> Duration:
    rate = memory.bandwidth
    if rate is None:
        message = f"memory {memory.name!r} has no bandwidth"
        raise ValueError(message)
    return Duration(memory.name, count, rate, phase)


def _whole(figure: Parameter) -> int:
    """A figure as a whole number of at least 1."""
    return max(round(figure.value), 1)


def _banks(size: Parameter) -> int:
    return max(round(size.value / BANK_BYTES), 1)


def _bits(operands: Sequence[Operand], scenario: Scenario) -> int:
    """The bits of the widest, as the NPU stores them: 8, 16 or 32."""
    numbers = [(one.format or scenario.default_format).bits for one in operands]
    widest = max(numbers, default=_NARROW)
    return next((size for size in (8, 16) if widest <= size), 32)


def _with_activation(group: Group, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The operations of an anchor with the activations of its group.

    The output unit does them, but after a transposed convolution, where they run apart.
    """
    *before, last = operations
    joined = [
        activation_of(node.operator.function)
        for node in group.nodes
        if node is not group.anchor
        and isinstance(node.operator, Activation)
        and not isinstance(node.operator, Softmax)
    ]
    known = {*joined, last.activation}
    activation = "table" if "table" in known else "relu" if "relu" in known else ""
    if last.fuses or not activation:
        return (*before, evolve(last, activation=activation))
    after = Operation(
        Kind.POOLING, last.output, last.output, input_bits=last.output_bits,
        output_bits=last.output_bits, activation=activation, repeats=last.repeats,
    )  # fmt: skip
    return (*operations, after)
