"""Datapaths and memories priced from Horowitz's table and its successors."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import repeat
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from attrs import evolve, frozen

from costmodel import formats as arithmetic
from costmodel.devices import (
    USUAL,
    Charge,
    Cost,
    Device,
    Factor,
    Fused,
    Group,
    OperatorCost,
    Outcome,
    Parameter,
    UnitCost,
    handles,
    is_folded,
    one_of,
    parameter,
    setting,
    yes_or_no,
)
from costmodel.formats import Circuit, NumericFormat, Operation
from costmodel.scenario import Scenario
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.composite import Softmax
from costmodel.workload.graph import Node
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Counted,
    Elementwise,
    Gather,
    Movement,
    Operand,
    Operator,
    Reduction,
)
from costmodel.workload.reasons import Free, Unpriced
from costmodel_hardware.horowitz.interpolation import Curve

BYTE: Final = 8
"""Bits."""
ACCESS_BITS: Final = 64
"""Width of the memory access that the published figures are for."""
SRAM_SIZES: Final = (2**16, 2**18, 2**23)
"""Bits of the published memories: 8 KB, 32 KB and 1 MB."""
MOST_KNOWN: Final = 2**12
"""Combinations of formats and sizes of SRAM whose unit costs a device keeps: some megabytes."""
MEMORIES: Final = ("dram", "sram", "fixed")
CIRCUITS: Final = MappingProxyType({
    Circuit.MULTIPLIER: "multipliers", Circuit.ADDER: "adders", Circuit.SHIFTER: "shifters",
    Circuit.MUX: "multiplexers", Circuit.AND: "gates", Circuit.XOR: "gates",
})  # fmt: skip
"""The resource that each circuit is of."""


def _size(value: Any) -> int:
    try:
        size = int(value)
    except (OverflowError, TypeError, ValueError):
        size = -1
    if size < 0 or (isinstance(value, float) and size != value):
        message = f"expected a number of bits, 0 or more, found {value!r:.40}"
        raise ValueError(message)
    return size


@frozen(slots=False)
class Horowitz(Device):
    """Arithmetic by the circuit that the formats need, memory by where each tensor lies.

    A tensor in `dram` costs its 64-bit accesses there and, with `rd_wr_on_io`, as many in the
    SRAM that stages it, which has one size for all, `staging_sram`; in `sram`, its accesses to a
    memory just large enough for it. No SRAM has less than `min_sram_size` bits. `fixed` tensors
    are wired in and cost nothing. A write costs what a read does: nobody publishes the two apart.
    Every tensor is moved once for each example: no reuse is assumed.

    With `fusion`, an activation, the addition of a bias and padding are done on the way from or
    to the operator that they belong to: the tensors between them are not moved, and what the whole
    group reads and writes is charged to that operator.
    """

    family: ClassVar = "horowitz"
    not_modelled: ClassVar = "control, clock, wires, leakage, time, data reuse"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    resources: ClassVar = ("dram", "sram", *dict.fromkeys(CIRCUITS.values()))
    capabilities: ClassVar = USUAL | {"separable"}

    energy_per_8_bit_add: Parameter = parameter("J")
    energy_per_16_bit_add: Parameter | None = parameter("J", optional=True)
    energy_per_32_bit_add: Parameter = parameter("J")
    energy_per_8_bit_multiply: Parameter = parameter("J")
    energy_per_32_bit_multiply: Parameter = parameter("J")
    energy_per_float16_add: Parameter = parameter("J")
    energy_per_float32_add: Parameter = parameter("J")
    energy_per_float16_multiply: Parameter = parameter("J")
    energy_per_float32_multiply: Parameter = parameter("J")
    energy_per_8_kb_sram_access: Parameter = parameter("J")
    energy_per_32_kb_sram_access: Parameter = parameter("J")
    energy_per_1_mb_sram_access: Parameter = parameter("J")
    energy_per_dram_access: Parameter = parameter("J")
    adder_growth: Parameter = parameter("", positive=True)
    multiplier_growth: Parameter = parameter("", positive=True)
    memory_growth: Parameter = parameter("", positive=True)
    largest_sram_bank: Parameter = parameter("B", positive=True)
    staging_sram: Parameter = parameter("B", positive=True)
    cells_per_multiplexer: Parameter = parameter("")
    cells_per_and_gate: Parameter = parameter("")
    cells_per_xor_gate: Parameter = parameter("")
    cells_per_shifter: Parameter = parameter("")

    weights_on_memory: str = setting(one_of(*MEMORIES), default="dram")
    activations_on_memory: str = setting(one_of(*MEMORIES), default="dram")
    min_sram_size: int = setting(_size, default=0, takes="a number of bits")
    rd_wr_on_io: bool = setting(yes_or_no, default=True)
    fusion: bool = setting(yes_or_no, default=True)

    @property
    def fuses(self) -> tuple[str, ...]:  # type: ignore[override]  # it depends on a setting
        """What joins the operator before or after it."""
        return ("activation", "bias", "padding") if self.fusion else ()

    def price_member(
        self, node: Node, group: Group, scenario: Scenario
    ) -> tuple[OperatorCost, ...]:
        """The work of one operator of a group; the anchor has what the whole group moves."""
        nodes = [one for one in group.nodes if not is_folded(one, group)]
        is_one = not group.inner and len(nodes) == len(group.nodes)  # or several apart
        if is_one or not all(type(one.operator) in self._rules for one in nodes):
            return super().price_member(node, group, scenario)
        local = scenario.of_node(node)
        outcome = self.price(_on_the_way(node.operator), local)
        if isinstance(outcome, Unpriced):
            return (OperatorCost(node.operator, outcome),)
        if node is group.anchor:
            moved = list(self._moved_by(group, local))
            if moved:
                outcome = Cost([*(outcome.charges if isinstance(outcome, Cost) else ()), *moved])
        elif isinstance(outcome, Free):
            outcome = Fused(f"done within {group.name!r}", group.name)
        return (OperatorCost(node.operator, outcome),)

    def _moved_by(self, group: Group, scenario: Scenario) -> Iterator[Charge]:
        """The accesses of the tensors at the boundary of a group."""
        written: set[str] = set()
        for node in group.nodes:
            for operand, name in zip(node.operator.operands, node.tensors, strict=True):
                is_inner = name in group.inner or name in written
                if operand.role in self._places and operand.role != "weight" and not is_inner:
                    yield from self._accesses(operand.role, operand, scenario)
                    written.update([name] if operand.role == "output" else [])

    @handles(Contraction)
    def contraction(self, operator: Operator, scenario: Scenario) -> Outcome:
        """A multiplication and an addition for every multiply-accumulate, and the tensors."""
        default = scenario.default_format
        formats = _formats(operator.inputs + operator.weights, default)
        if len(formats) < 2:  # noqa: PLR2004  # two factors
            formats = (*formats, default, default)[:2]
        digits = (operator.reduction_size - 1).bit_length()
        accumulator = getattr(operator, "accumulator", None)
        circuits = self._circuits(_contracted, formats, digits, accumulator)
        work = zip(repeat("multiply-accumulates"), repeat(operator.macs), circuits)
        return self._cost(operator, scenario, work)

    @handles(Counted)
    def counted(self, operator: Counted, scenario: Scenario) -> Outcome:
        """Multiply-accumulates as those of a contraction."""
        if operator.macs:
            return self.contraction(operator, scenario)
        return Unpriced(f"counted {operator.operation!r} operations have no circuit")

    @handles(Elementwise)
    def elementwise(self, operator: Elementwise, scenario: Scenario) -> Outcome:
        """The merge or the scale and shift of the operands' formats, for every step."""
        default = scenario.default_format
        formats = _formats(operator.inputs + operator.weights[:2], default)
        circuits = self._circuits(_ELEMENTWISE[operator.function], formats, default)
        work = zip(repeat("operations"), repeat(operator.count), circuits)
        return self._cost(operator, scenario, work)

    @handles(Reduction)
    def reduction(self, operator: Reduction, scenario: Scenario) -> Outcome:
        """The steps of every window, and the scaling of a mean.

        The factor of a mean is wired in; its format is that of the parameter, if there is one.
        """
        default = scenario.default_format
        value = _formats(operator.inputs[:1], default)
        factor = _formats(operator.weights[:1], default)
        digits = (operator.window - 1).bit_length() if operator.function in _SUMS else 0
        circuits = self._circuits(_reduced, operator.function, value, factor, default, digits)
        counts = (operator.elements * (operator.window - 1), operator.elements)
        work = zip(("operations", "scalings"), counts, circuits, strict=False)
        return self._cost(operator, scenario, work, moved={"weight": ()})

    @handles(Activation, Softmax)
    def activation(self, operator: Activation, scenario: Scenario) -> Outcome:
        """One comparison for every element: what a rectifier needs, a lower bound for others."""
        default = scenario.default_format
        circuits = self._circuits(_compared, _formats(operator.outputs[:1], default), default)
        work = zip(("activations",), (operator.elements,), circuits, strict=True)
        return self._cost(operator, scenario, work)

    @handles(Gather)
    def lookup(self, operator: Gather, scenario: Scenario) -> Outcome:
        """The rows that are fetched, from where parameters lie, and the indices and the result."""
        moved = {"input": operator.inputs, "weight": operator.outputs}
        return self._cost(operator, scenario, moved=moved)

    @handles(Movement)
    def movement(self, operator: Movement, scenario: Scenario) -> Outcome:
        """The elements out of memory and back into it."""
        return self._cost(operator, scenario)

    def price_of(self, operation: Operation) -> UnitCost:
        """Energy of one circuit as large as `operation` says, derived from published figures."""
        is_adder, bits = operation.circuit is Circuit.ADDER, operation.gate_bits
        if operation.is_floating:
            adds, multiplies = self._float_adds, self._float_multiplies
        else:
            adds, multiplies = self._adds, self._multiplies
            # Multiplexers, gates and shifters are sized in cells of an adder.
            is_adder = operation.circuit is not Circuit.MULTIPLIER
        if is_adder:
            return UnitCost("energy_per_addition", adds.parts(bits))
        return UnitCost("energy_per_multiplication", multiplies.parts(bits))

    def sram_access(self, bits: float) -> UnitCost:
        """Energy of one 64-bit access to an SRAM of `bits` bits, derived from published figures.

        Exact at 8 KB, 32 KB and 1 MB; a memory has at least `min_sram_size` bits, and one beyond
        the largest bank is made of banks of that size.
        """
        if isinstance(bits, SizeArray):
            return self._sram_access(bits)
        return self._known_sram_accesses(bits)

    @cached_property
    def _known_sram_accesses(self) -> Callable[[float], UnitCost]:
        """Unit costs by size: what one operator writes, others read."""
        return lru_cache(MOST_KNOWN)(self._sram_access)

    def _sram_access(self, bits: float) -> UnitCost:
        return UnitCost("energy_per_sram_access", self._srams.parts(bits))

    @cached_property
    def _staging_access(self) -> UnitCost:
        return self.sram_access(self.staging_sram.value * BYTE)

    @cached_property
    def _adds(self) -> Curve:
        points = (
            (8.0, self.energy_per_8_bit_add),
            (16.0, self.energy_per_16_bit_add),
            (32.0, self.energy_per_32_bit_add),
        )
        known = tuple((bits, figure) for bits, figure in points if figure is not None)
        return Curve(known, self.adder_growth.value)

    @cached_property
    def _multiplies(self) -> Curve:
        points = (
            (8.0, self.energy_per_8_bit_multiply),
            (32.0, self.energy_per_32_bit_multiply),
        )
        return Curve(points, self.multiplier_growth.value)

    @cached_property
    def _float_adds(self) -> Curve:
        points = ((16.0, self.energy_per_float16_add), (32.0, self.energy_per_float32_add))
        return Curve(points, self.adder_growth.value)

    @cached_property
    def _float_multiplies(self) -> Curve:
        points = (
            (16.0, self.energy_per_float16_multiply),
            (32.0, self.energy_per_float32_multiply),
        )
        return Curve(points, self.multiplier_growth.value)

    @cached_property
    def _srams(self) -> Curve:
        figures = (
            self.energy_per_8_kb_sram_access,
            self.energy_per_32_kb_sram_access,
            self.energy_per_1_mb_sram_access,
        )
        points = tuple(zip(map(float, SRAM_SIZES), figures, strict=True))
        bank = self.largest_sram_bank.value * BYTE
        least = min(max(self.min_sram_size, 1), bank)
        return Curve(points, self.memory_growth.value, least, bank)

    @cached_property
    def _places(self) -> Mapping[str, str]:
        """The memory of the tensors of each role, where they are moved."""
        weights, activations = self.weights_on_memory, self.activations_on_memory
        places = {"input": activations, "weight": weights, "output": activations}
        return {role: memory for role, memory in places.items() if memory != "fixed"}

    @cached_property
    def _cells(self) -> Mapping[Circuit, float]:
        """How many cells of an adder a gate takes, if it is not made of these alone."""
        return {
            Circuit.MUX: self.cells_per_multiplexer.value,
            Circuit.AND: self.cells_per_and_gate.value,
            Circuit.XOR: self.cells_per_xor_gate.value,
            Circuit.SHIFTER: self.cells_per_shifter.value,
        }

    @cached_property
    def _circuits(self) -> Callable[..., tuple[_Circuit, ...]]:
        """The circuits that a rule needs for these formats: formats are few, and sizes many."""
        return lru_cache(MOST_KNOWN)(self._worked_out)

    def _worked_out(
        self, rule: Callable[..., Iterable[Operation]], *formats: Hashable
    ) -> tuple[_Circuit, ...]:
        return tuple(map(self._circuit, rule(*formats)))

    def _circuit(self, operation: Operation) -> _Circuit:
        gates = operation.gates * self._cells.get(operation.circuit, 1.0)
        cells = Factor(f"{operation.circuit} cells of an adder's", gates)
        resource = CIRCUITS[operation.circuit]
        return _Circuit(resource, () if gates == 1 else (cells,), self.price_of(operation))

    def _accesses(self, role: str, tensor: Operand, scenario: Scenario) -> Sequence[Charge]:
        """The accesses of one tensor, where tensors of its role lie."""
        bits = (tensor.format or scenario.default_format).stored_bits(tensor.size)
        # Sizes of many operators at once have no hash.
        moved = self._moved if bits.__class__ is int else self._moved_bits
        return moved(role, bits, scenario.batch)

    @cached_property
    def _moved(self) -> Callable[[str, int, int], Sequence[Charge]]:
        """The accesses of a tensor by its bits: many tensors of a network have as many."""
        return lru_cache(MOST_KNOWN)(self._moved_bits)

    def _moved_bits(self, role: str, bits: int, examples: int) -> Sequence[Charge]:
        memory = self._places[role]
        accesses = Factor("64-bit accesses", math.ceil(bits / ACCESS_BITS))
        count = (accesses, *_examples(examples))
        charges = []
        if memory == "dram":
            charges.append(Charge("dram", role, count, self.energy_per_dram_access))
        if memory == "sram":
            charges.append(Charge("sram", role, count, self.sram_access(bits)))
        elif self.rd_wr_on_io:
            charges.append(Charge("sram", role, count, self._staging_access))
        return charges

    def _cost(
        self,
        operator: Operator,
        scenario: Scenario,
        work: Iterable[_Work] = (),
        *,
        moved: Mapping[str, Sequence[Operand]] = MappingProxyType({}),
    ) -> Outcome:
        """The accesses of the operands, and the work; `moved` replaces operands by role."""
        operands = {
            "input": operator.inputs, "weight": operator.weights,
            "output": operator.outputs, **moved,
        }  # fmt: skip
        examples = _examples(scenario.batch)
        charges: list[Charge] = []
        for role in self._places:
            if operator.in_place and role != "weight":
                continue
            for tensor in operands[role]:
                charges += self._accesses(role, tensor, scenario)
        for what, number, circuit in work:
            if number and circuit.is_built:
                count = (Factor(what, number), *circuit.cells, *examples)
                charges.append(Charge(circuit.resource, "compute", count, circuit.unit_cost))
        return (
            Cost(charges) if charges else Free("nothing is computed, and what it needs is wired in")
        )


@lru_cache(MOST_KNOWN)
def _on_the_way(operator: Operator) -> Operator:
    """The same work, on what does not come from memory and does not go there."""
    return evolve(operator, in_place=True)


def _examples(batch: int) -> tuple[Factor, ...]:
    return () if batch == 1 else (Factor("examples", batch),)


class _Circuit(NamedTuple):
    """The resource that a circuit is of, its size in cells of an adder, and its unit cost."""

    resource: str
    cells: tuple[Factor, ...]
    unit_cost: UnitCost

    @property
    def is_built(self) -> bool:
        """Whether it has any cell."""
        return not self.cells or self.cells[0].value > 0


_Work: TypeAlias = tuple[str, float, _Circuit]
"""What is counted, how many of it there are for each example, and what does it."""


_SUMS: Final = frozenset({"sum", "mean"})
"""The reductions whose result is longer than a term, by the digits of the number of terms."""


_Formats: TypeAlias = tuple[NumericFormat, ...]


def _formats(tensors: Iterable[Operand], default: NumericFormat) -> _Formats:
    return tuple([tensor.format or default for tensor in tensors])


def _contracted(
    formats: _Formats, digits: int, accumulator: NumericFormat | None
) -> tuple[Operation, ...]:
    left, right, *bias = formats
    product, total = arithmetic.multiply_accumulate(right, left, 2**digits, *bias[:1])
    if accumulator is not None:
        total = Operation(accumulator, Circuit.ADDER, 1.0, accumulator.bits)
    return product, total


def _reduced(
    function: str, value: _Formats, factor: _Formats, default: NumericFormat, digits: int
) -> list[Operation]:
    term = (*value, default)[0]
    if function in {"max", "min"}:
        return _compared(value, default)
    if function == "product":
        return [arithmetic.product(term, term)]
    total = arithmetic.accumulation(term, 2**digits)
    if function == "mean":
        return [total, arithmetic.product((*factor, default)[0], total.result)]
    return [total]


def _compared(value: _Formats, default: NumericFormat) -> list[Operation]:
    term = (*value, default)[0]
    return [Operation(term, Circuit.ADDER, 1.0, term.bits)]


def _merged(function: str) -> Callable[[_Formats, NumericFormat], list[Operation]]:
    def operations(formats: _Formats, default: NumericFormat) -> list[Operation]:
        operands = formats if len(formats) > 1 else (*formats, default)[:1] * 2
        return [arithmetic.merge(function, *operands)]

    return operations


def _gated(circuit: Circuit) -> Callable[[_Formats, NumericFormat], list[Operation]]:
    def operations(formats: _Formats, default: NumericFormat) -> list[Operation]:
        # The widest operand is as wide as the result: a condition is one bit.
        widest = max(formats or (default,), key=lambda item: item.bits)
        return [Operation(widest, circuit, 1.0, widest.bits)]

    return operations


def _scaled(formats: _Formats, default: NumericFormat) -> list[Operation]:
    value, scale, offset = (*formats, default, default, default)[:3]
    product = arithmetic.product(scale, value)
    return [product, arithmetic.addition(product.result, offset)]


_ELEMENTWISE: Mapping[str, Callable[[_Formats, NumericFormat], list[Operation]]] = {
    "add": _merged("add"),
    "subtract": _merged("subtract"),
    "average": _merged("add"),
    "multiply": _merged("multiply"),
    "divide": _merged("multiply"),
    "maximum": _merged("maximum"),
    "minimum": _merged("minimum"),
    "compare": _merged("maximum"),
    "select": _gated(Circuit.MUX),
    "logic": _gated(Circuit.AND),
    "affine": _scaled,
    "normalize": _scaled,
}
"""The operations of one step of each elementwise function; a division as a multiplication."""
