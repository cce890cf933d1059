"""Processors: the slower of arithmetic and traffic for each group of operators, and overheads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, ClassVar, Final, cast

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
    one_of,
    parameter,
    setting,
    yes_or_no,
)
from costmodel.devices.evaluation.computing import compute_format, is_floating
from costmodel.devices.evaluation.evaluator import Fused, OperatorCost, moved
from costmodel.devices.evaluation.fusion import FUSIBLE, Group
from costmodel.devices.evaluation.memory import BYTE, Memory, Placement, Traffic, is_placement_fixed
from costmodel.devices.evaluation.schedule import Schedule
from costmodel.formats import (
    FixedPoint,
    FloatingPoint,
    NumericFormat,
    format_name,
    parse_format,
)
from costmodel.scenario import Scenario
from costmodel.tensor.sizes import most
from costmodel.workload.composite import Normalization, Softmax
from costmodel.workload.graph import Loop, Node
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

OPERATIONS_PER_MAC: Final = 2
"""Data sheets count a multiply-accumulate as two operations."""
_HANDLED: Final = (
    Contraction, Activation, Softmax, Normalization, Elementwise, Reduction, Gather, Movement,
)  # fmt: skip
_NOT_PROMISED: Final = {"per-operator", "tiles-not-cheaper", "larger-not-faster"}
"""A product that grows into a dense one may take less time, and its halves less than the whole."""
_PROMISED: Final = (USUAL - _NOT_PROMISED) | {"timed", "placed", "always-on"}
_KINDS: Final = {kind.__name__.lower(): kind for kind in _HANDLED}
USUAL_FORMATS: Final = (
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3",
    "float8_e5m2",
    "int32",
    "int16",
    "int8",
    "int4",
)
"""Formats that a runtime may lack."""


def names_among(known: Iterable[str]) -> Any:
    """A converter for a setting that takes several names, as a list or with commas between."""
    allowed = tuple(known)

    def check(value: Any) -> tuple[str, ...]:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple):
            message = f"expected names among {', '.join(allowed)}, found {value!r:.40}"
            raise ValueError(message)  # noqa: TRY004  # what a converter of a setting raises
        found = tuple([str(name).strip() for name in names if str(name).strip()])
        for name in found:
            if name not in allowed:
                message = f"expected names among {', '.join(allowed)}, found {name!r:.40}"
                raise ValueError(message)
        return found

    check.__dict__["costmodel.takes"] = f"some of {', '.join(allowed)}"
    return check


@frozen
class Processor(Device):
    """A processor with its runtime: CPUs, GPUs, microcontrollers and simple accelerators.

    The time of a group of operators is an overhead, and then the longer of its arithmetic and of
    the traffic of each memory. Dense contractions run at `efficiency` of the peak rate and read
    and write at `contraction_bandwidth_efficiency` of a memory's bandwidth. All other work takes
    the time of its bytes, at `bandwidth_efficiency` of the bandwidth: depthwise convolutions,
    elementwise functions, pooling, normalization, movements. These shares may be above 1 where
    caches hold activations; weights are read at the bandwidth at most. Each group adds
    `overhead_per_operator`, each call `overhead_per_call`; a recurrent layer for which the runtime
    has one operator adds one of these, and `overhead_per_step` for each step. Where the runtime
    is `asynchronous`, operators are launched while others run: a group takes its overhead or its
    work, whichever is longer. A core that does not `overlap_traffic` takes arithmetic and traffic
    one after the other. Energy is `busy_power` over the makespan.

    A runtime runs nothing in a format among its `unsupported_formats`, whatever the peak rates.

    A format without a peak rate runs at the rate of the next wider format of its kind, and an
    operator that computes so finds and leaves its tensors of that format in the wider one: narrow
    activations save no time without arithmetic for them, unless the runtime `keeps_narrow`. Weights
    of another format than the activations stay as they are, and so do the sizes of all tensors. A
    share or an overhead that the file does not give for a format is that of the next wider one of
    its kind, or else of the widest that it gives.

    `tf32` says which products of float32 a runtime rounds to TF32, the format of 19 bits of tensor
    cores, in which it runs at `tf32_rate`; tensors stay float32.

    Raises:
        ValueError: no memory has a bandwidth, the idle power is above the busy power, or products
            are rounded to TF32 without a rate for it.

    """

    family: ClassVar = "processor"
    not_modelled: ClassVar = "the host beside it, cooling, clocks that change"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    resources: ClassVar = ("arithmetic", "overhead", "host", "transfer", "board")
    uses_memories: ClassVar = True

    peak_rate: FormatTable = parameter("OP/s", by_format=True, positive=True)
    """Of all cores together, dense; sums as wide as runtimes keep them."""
    fast_accumulation_rate: FormatTable | None = parameter(
        "OP/s", by_format=True, positive=True, optional=True
    )
    """With sums no wider than the operands, where that is faster."""
    tf32_rate: Parameter | None = parameter("OP/s", optional=True, positive=True)
    """Of products whose float32 factors are rounded to TF32, with sums in float32; dense."""
    efficiency: FormatTable = parameter("", by_format=True, positive=True)
    contraction_bandwidth_efficiency: FormatTable = parameter("", by_format=True, positive=True)
    bandwidth_efficiency: FormatTable = parameter("", by_format=True, positive=True)
    overhead_per_operator: FormatTable = parameter("s", by_format=True)
    overhead_per_call: FormatTable = parameter("s", by_format=True)
    overhead_per_step: Parameter | None = parameter("s", optional=True)
    """Of a recurrent layer, which the runtime has one operator for; without it each operator of a
    step has an overhead of its own."""
    busy_power: Parameter | None = parameter("W", optional=True)
    """Of what `assumes` names, while the network runs."""
    idle_power: Parameter | None = parameter("W", optional=True)
    """Of the same, without work; the part of `busy_power` that is drawn in any case."""
    energy_per_operation: FormatTable | None = parameter("J/OP", by_format=True, optional=True)
    """Beyond `busy_power`, where a device states both."""
    host_rate: Parameter | None = parameter("OP/s", optional=True, positive=True)
    """Operations of the host in a second, which takes the operators that it cannot run."""
    transfer_bandwidth: Parameter | None = parameter("B/s", optional=True, positive=True)
    """Between the device and its host."""

    fuses: tuple[str, ...] = setting(  # type: ignore[misc]  # the runtime decides, not the class
        names_among(FUSIBLE), default=("activation", "bias", "padding")
    )
    folds_normalization: bool = setting(yes_or_no, default=True)  # type: ignore[misc]  # as fuses
    activations_apart: bool = setting(yes_or_no, default=False)  # type: ignore[misc]  # as fuses
    fast_accumulation: bool = setting(yes_or_no, default=False)
    asynchronous: bool = setting(yes_or_no, default=False)
    """Whether the host launches operators while the device runs others."""
    overlap_traffic: bool = setting(yes_or_no, default=True)
    """Whether memory is accessed while arithmetic runs; not where one pipeline does both."""
    unsupported: tuple[str, ...] = setting(names_among(_KINDS), default=())
    """Kinds of operators that it cannot run."""
    unsupported_formats: tuple[str, ...] = setting(names_among(USUAL_FORMATS), default=())
    """Formats that the runtime has no operators for, or none that anybody would use."""
    keeps_narrow: bool = setting(yes_or_no, default=False)
    """Whether tensors of a format without arithmetic stay narrow, converted as they are read."""
    tf32: str = setting(one_of("none", "convolutions", "all"), default="none")
    """Which products of float32 are rounded to TF32, where there is a `tf32_rate`."""

    def __attrs_post_init__(self) -> None:
        """Check what the figures must have in common."""
        if not any(memory.bandwidth is not None for memory in self.memories):
            message = "memories: expected one with a bandwidth, which the time of traffic needs"
            raise ValueError(message)
        if self.tf32 != "none" and self.tf32_rate is None:
            message = f"tf32: expected none, as there is no tf32_rate; found {self.tf32}"
            raise ValueError(message)
        idle, busy = self.idle_power, self.busy_power
        if idle is not None and busy is not None and idle.value > busy.value:
            message = f"idle_power: expected at most busy_power, {busy}; found {idle}"
            raise ValueError(message)

    @property
    def capabilities(self) -> AbstractSet[str]:  # type: ignore[override]  # memories decide
        """What it promises; with one memory for each role, that a group costs the same anywhere."""
        return _PROMISED | ({"separable"} if is_placement_fixed(self.memories) else set())

    # -------------------------------------------------------------- one operator

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Outcome:
        """Its multiply-accumulates at the peak rate, if it is dense."""
        number = self._format_of(operator, scenario)
        if number is None or "contraction" in self.unsupported:
            return self._on_the_host(operator, scenario)
        if not is_dense(operator):
            return self._overhead(operator, number, scenario)
        rate = self._rate_of(operator, number)
        share = figure_of(self.efficiency, number)
        count = operator.macs * OPERATIONS_PER_MAC * scenario.batch
        work = Duration("arithmetic", count, product(rate, share))
        return self._overhead(operator, number, scenario, [work])

    @handles(Activation, Softmax, Normalization, Elementwise, Reduction, Gather, Movement)
    def moving(self, operator: Operator, scenario: Scenario) -> Outcome:
        """The overhead alone: the bytes that it moves are those of its group."""
        number = self._format_of(operator, scenario)
        if number is None or type(operator).__name__.lower() in self.unsupported:
            return self._on_the_host(operator, scenario)
        return self._overhead(operator, number, scenario)

    def _overhead(
        self,
        operator: Operator,
        number: NumericFormat,
        scenario: Scenario,
        durations: Sequence[Duration] = (),
    ) -> Outcome:
        charges = []
        each = None if self.energy_per_operation is None else self.energy_per_operation.get(number)
        count = _operations(operator)
        if each is not None and count:
            factors = (Factor("operations", count), Factor("examples", scenario.batch))
            charges.append(Charge("arithmetic", "compute", factors, each))
        overhead = figure_of(self.overhead_per_operator, number)
        start = Duration("overhead", 1, overhead, phase="run" if self.asynchronous else "start")
        takes_time = overhead.value or any(most(one.count) > 0 for one in durations)
        if not (charges or takes_time):
            return Free("no overhead; the bytes that it moves are those of its group")
        return Cost(charges, durations=[start, *durations])

    def _on_the_host(self, operator: Operator, scenario: Scenario) -> Outcome:
        """The operands to the host, the work there, and the results back; or why it cannot be."""
        if self.host_rate is None or self.transfer_bandwidth is None:
            number = compute_format(operator, scenario)
            kind = type(operator).__name__.lower()
            what = f"{kind} operators in {format_name(number)}"
            known = ", ".join(map(format_name, self._rates))
            under = f" under {self.runtime}" if self.runtime else ""
            able = ", ".join(self._runtimes_that_run(kind, number))
            other = (
                f"; -d {self.plain_name}:NAME chooses a runtime that does: {able}" if able else ""
            )
            return Unpriced(
                f"device {self.name!r}{under} cannot run {what}, and names no host that does; it "
                f"runs {known} (--default-format, Scenario(default_format=...)){other}"
            )
        sent, returned = [
            sum(
                (one.format or scenario.default_format).stored_bits(one.size)
                for one in operands
            ) * scenario.batch / BYTE
            for operands in (operator.inputs, operator.outputs)
        ]  # fmt: skip
        count = max(_operations(operator), operator.points) * scenario.batch
        return Cost(durations=[
            Duration("transfer", sent, self.transfer_bandwidth, phase="start"),
            Duration("host", count, self.host_rate),
            Duration("transfer", returned, self.transfer_bandwidth, phase="finish"),
        ])  # fmt: skip

    def _runtimes_that_run(self, kind: str, number: NumericFormat) -> list[str]:
        """The other runtimes of its file that have operators of a kind in a format."""
        names = [name for name in self.runtimes if name != self.runtime]
        others = [(name, cast("Processor", self.with_runtime(name))) for name in names]
        return [
            name
            for name, other in others
            if kind not in other.unsupported and other.computes_in(number) is not None
        ]

    # -------------------------------------------------------------- formats

    @cached_property
    def _rates(self) -> Mapping[NumericFormat, Parameter]:
        known = {number: self.peak_rate[number] for number in self.peak_rate}
        if self.fast_accumulation and self.fast_accumulation_rate is not None:
            faster = self.fast_accumulation_rate
            known.update({number: faster[number] for number in faster})
        return {number: rate for number, rate in known.items() if number not in self._refused}

    @cached_property
    def _refused(self) -> frozenset[NumericFormat]:
        return frozenset(map(parse_format, self.unsupported_formats))

    def computes_in(self, number: NumericFormat) -> NumericFormat | None:
        """The format itself, or the next wider one of its kind that the device has a rate for.

        None also where the runtime does not run the format at all.
        """
        if number in self._refused:
            return None
        return wide_enough(number, self._rates)

    def _format_of(self, operator: Operator, scenario: Scenario) -> NumericFormat | None:
        """The format that the device computes an operator in; None where it has none.

        Indices and other whole numbers that no multiplier takes run on the lanes of float32.
        """
        number = compute_format(operator, scenario)
        found = self.computes_in(number)
        if found is None and not isinstance(operator, Contraction) and not is_floating(number):
            return self.computes_in(_LANES) if number.bits <= _LONGEST_WORD else None
        return found

    def _rate_of(self, operator: Contraction, number: NumericFormat) -> Parameter:
        """The peak rate of a product in a format that the device computes in."""
        rounds = self.tf32 == "all" or (self.tf32 == "convolutions" and is_convolution(operator))
        if number == _LANES and rounds and self.tf32_rate is not None:
            return self.tf32_rate
        return self._rates[number]

    # -------------------------------------------------------------- a group

    def stored_as(self, group: Group, scenario: Scenario) -> Mapping[NumericFormat, NumericFormat]:
        """A format that operators compute in without arithmetic for it, and the wider one."""
        if self.keeps_narrow:
            return {}
        anchor = group.anchor
        nodes = [node for node, _ in anchor.body.nodes] if isinstance(anchor, Loop) else []
        nodes += [anchor] if isinstance(anchor, Node) else []
        numbers = {compute_format(node.operator, scenario) for node in nodes}
        wider = {number: self.computes_in(number) for number in numbers}
        return {
            number: found
            for number, found in wider.items()
            if found is not None and found.bits > number.bits
        }

    def price_member(
        self, node: Node, group: Group, scenario: Scenario
    ) -> tuple[OperatorCost, ...]:
        """The price of the anchor; what joins it runs in the same kernel."""
        if node is group.anchor:
            return super().price_member(node, group, scenario)
        return (OperatorCost(node.operator, Fused("runs with the operator before it", group.name)),)

    def price_traffic(
        self,
        group: Group,
        traffic: tuple[Traffic, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> Cost:
        """The accesses of each memory, and their time at a share of its bandwidth."""
        operator = group.anchor.operator if isinstance(group.anchor, Node) else None
        number = None if operator is None else self._format_of(operator, scenario)
        is_contraction = operator is not None and is_dense(operator)
        table = (
            self.contraction_bandwidth_efficiency if is_contraction else self.bandwidth_efficiency
        )
        share = None if number is None else figure_of(table, number)
        phase = "run" if self.overlap_traffic else "finish"
        durations = []
        for one in traffic:
            used = share if share is None or one.role != "weight" else _at_most_all(share)
            durations += [
                Duration(name, bits / BYTE, rate if used is None else product(rate, used), phase)
                for name, bits, rate in ways(one, placement.memory(one.memory))
            ]
        return Cost(moved(traffic, placement).charges, durations=durations)

    # -------------------------------------------------------------- a recurrent layer

    def within(self, loop: Loop) -> Device:
        """Within a recurrent layer that is one operator no operator has an overhead."""
        if not self._is_one_operator(loop):
            return self
        plain = self.overhead_per_operator
        none = {one: evolve(plain[one], value=0.0, low=0.0, high=0.0) for one in plain}
        return evolve(self, overhead_per_operator=FormatTable(plain.name, none))

    def begin(self, loop: Loop, scenario: Scenario) -> Cost:
        """The overhead of an operator, and that of each step."""
        if self.overhead_per_step is None or not self._is_one_operator(loop):
            return Cost()
        products = [node.operator for node, _ in loop.body.nodes if is_dense(node.operator)]
        number = self._format_of(products[0], scenario) if products else None
        once = figure_of(self.overhead_per_operator, number or scenario.default_format)
        steps = Duration("overhead", loop.steps, self.overhead_per_step, phase="start")
        return Cost(durations=[Duration("overhead", 1, once, phase="start"), steps])

    def _is_one_operator(self, loop: Loop) -> bool:
        return loop.fused and self.overhead_per_step is not None

    # -------------------------------------------------------------- a whole workload

    def per_call(self, schedule: Schedule, scenario: Scenario) -> Schedule:
        """Each call begins with its overhead, by the format that it is made in."""
        return schedule.delayed(figure_of(self.overhead_per_call, scenario.default_format))

    def static_charges(self, schedule: Schedule) -> Sequence[Charge] | Unpriced:
        """The power over the makespan: idle power, and what work adds to it."""
        if self.busy_power is None:
            return Unpriced(f"no power of {self.name!r} is known; set busy_power")
        if self.idle_power is None:
            return [schedule.drawn(self.busy_power, "board")]
        busy, idle = self.busy_power, self.idle_power
        added = evolve(
            busy, name="busy_power above idle_power",
            value=max(busy.value - idle.value, 0.0),
            low=max(busy.low - idle.high, 0.0),
            high=max(busy.high - idle.low, 0.0),
        )  # fmt: skip
        return [schedule.drawn(idle, "board"), schedule.drawn(added, "board")]


def ways(one: Traffic, memory: Memory) -> Iterable[tuple[str, int, Parameter]]:
    """The ports that are busy with some traffic, the bits of each, and its bandwidth."""
    apart = (one.read_bits, one.written_bits)
    bits = (sum(apart),) if memory.shared_port else apart
    if memory.bandwidth is None:
        return []
    return [
        (port, each, memory.bandwidth)
        for port, each in zip(memory.ports, bits, strict=True)
        if each
    ]


def _at_most_all(share: Parameter) -> Parameter:
    """A share of the bandwidth, of what no cache holds from one call to the next."""
    if share.high <= 1:
        return share
    value, low = min(share.value, 1.0), min(share.low, 1.0)
    return evolve(share, value=value, low=low, high=1.0)


def product(rate: Parameter, share: Parameter) -> Parameter:
    """A rate times a share of it; as well known as the share is."""
    return Parameter(
        f"{rate.name} x {share.name}", rate.value * share.value, rate.unit, share.source,
        share.evidence, low=rate.low * share.low, high=rate.high * share.high,
    )  # fmt: skip


def figure_of(table: FormatTable, number: NumericFormat) -> Parameter:
    """The figure of a format, or else of the next wider one of its kind, or of the widest."""
    known = {one: table[one] for one in table}
    found = wide_enough(number, known)
    return known[max(known, key=lambda one: one.bits) if found is None else found]


def wide_enough(
    number: NumericFormat, known: Mapping[NumericFormat, object]
) -> NumericFormat | None:
    """The format itself if it is known, else the narrowest known of its kind that is as wide."""
    if number in known:
        return number
    if is_floating(number):  # bfloat16 is not float16
        wider = [one for one in known if is_floating(one) and one.bits > number.bits]
    else:  # a circuit for powers of two or for two or three values multiplies nothing else
        wider = [one for one in known if isinstance(one, FixedPoint) and one.bits >= number.bits]
    return min(wider, key=lambda one: one.bits, default=None)


def is_convolution(operator: Contraction) -> bool:
    """Whether a window slides over an operand: an index adds a place and a step of the window."""
    indices = [one for operand in operator.operands for one in operand.index]
    return any(one is not None and len(one.terms) > 1 for one in indices)


def is_dense(operator: Operator) -> bool:
    """Whether an operator is a contraction that uses each input for several outputs.

    A depthwise convolution is not: every dimension of its weights is one of its outputs' channels,
    which its inputs have too, or of its window.
    """
    if not isinstance(operator, Contraction) or len(operator.operands) < _TWO_READ_AND_ONE_WRITTEN:
        return False
    first, second, *_ = (*operator.inputs, *operator.weights)
    written = {name for one in operator.outputs for name in one.dims}
    columns = (set(second.dims) & written) - set(first.dims)
    return any(operator.dims[name] > 1 for name in columns)


_TWO_READ_AND_ONE_WRITTEN: Final = 3
_LANES: Final = FloatingPoint(32)
_LONGEST_WORD: Final = 128
"""Bits of a whole number: sums of 64-bit indices may be one bit longer."""


def _operations(operator: Operator) -> Any:
    if isinstance(operator, Contraction):
        return operator.macs * OPERATIONS_PER_MAC
    return sum(operator.operations.values())
