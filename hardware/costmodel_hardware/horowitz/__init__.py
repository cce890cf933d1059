"""Datapaths and memories priced from Horowitz's table and its successors."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import repeat
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from attrs import define, frozen

from costmodel import numerics
from costmodel.devices import (
    Charge,
    Cost,
    Device,
    Due,
    Factor,
    Outcome,
    Parameter,
    Share,
    one_of,
    option,
    parameter,
    prices,
    yes_or_no,
)
from costmodel.numerics import Circuit, FloatingPoint, NumericFormat, Operation
from costmodel.scenario import Scenario
from costmodel.sizes import always
from costmodel.workload.composite import Softmax
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
from costmodel_hardware.horowitz.laws import Curve

ACCESS_BITS: Final = 64
"""Width of the memory access that the published figures are for."""
SRAM_SIZES: Final = (2**16, 2**18, 2**23)
"""Bits of the published memories: 8 KB, 32 KB and 1 MB."""
SRAM_BANK: Final = 2**30
"""Bits of the largest memory without banks: 128 MB, as in TPUv4i, the largest that is published."""
ADDER_GROWTH: Final = 1.0
MULTIPLIER_GROWTH: Final = 2.0
MEMORY_GROWTH: Final = 0.5
"""Exponents of energy over bits; see `laws.Curve`."""
SHARE: Final = "share of the published figure"
"""What a price that lies between published figures takes of one of them."""
MOST_KNOWN: Final = 2**12
"""Combinations of formats that a device keeps the circuits of: some megabytes."""
MEMORIES: Final = ("dram", "sram", "fixed")


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
    SRAM that stages it; in `sram`, its accesses to a memory just large enough for it, but of at
    least `min_sram_size` bits; `fixed` tensors are wired in and cost nothing. A write costs what
    a read does: nobody publishes the two apart. Every tensor is moved once for each example:
    no reuse is assumed.
    """

    family: ClassVar = "horowitz"
    leaves_out: ClassVar = "control, clock, wires, leakage, time, reuse of data"
    ignores: ClassVar = ("timesteps", "dt", "rates")

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

    weights_on_memory: str = option(one_of(*MEMORIES), default="dram")
    activations_on_memory: str = option(one_of(*MEMORIES), default="dram")
    min_sram_size: int = option(_size, default=0, takes="a number of bits")
    rd_wr_on_io: bool = option(yes_or_no, default=True)

    @prices(Contraction)
    def contraction(self, operator: Operator, scenario: Scenario) -> Outcome:
        """A multiplication and an addition for every multiply-accumulate, and the tensors."""
        default = scenario.default_format
        formats = _formats(operator.inputs + operator.weights, default)
        if len(formats) < 2:  # noqa: PLR2004  # two factors
            formats = (*formats, default, default)[:2]
        digits = (operator.reduction_size - 1).bit_length()
        circuits = self._circuits(_contracted, formats, digits)
        work = zip(repeat("multiply-accumulates"), repeat(operator.macs), circuits)
        return self._cost(operator, scenario, work)

    @prices(Counted)
    def counted(self, operator: Counted, scenario: Scenario) -> Outcome:
        """Multiply-accumulates as those of a contraction."""
        if operator.macs:
            return self.contraction(operator, scenario)
        return Unpriced(f"counted {operator.operation!r} operations have no circuit")

    @prices(Elementwise)
    def elementwise(self, operator: Elementwise, scenario: Scenario) -> Outcome:
        """The merge or the scale and shift of the operands' formats, for every step."""
        default = scenario.default_format
        formats = _formats(operator.inputs + operator.weights[:2], default)
        circuits = self._circuits(_ELEMENTWISE[operator.function], formats, default)
        work = zip(repeat("operations"), repeat(operator.count), circuits)
        return self._cost(operator, scenario, work)

    @prices(Reduction)
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
        return self._cost(operator, scenario, work, moved={"parameters": ()})

    @prices(Activation, Softmax)
    def activation(self, operator: Activation, scenario: Scenario) -> Outcome:
        """One comparison for every element: what a rectifier needs, a lower bound for others."""
        default = scenario.default_format
        circuits = self._circuits(_compared, _formats(operator.outputs[:1], default), default)
        work = zip(("activations",), (operator.elements,), circuits, strict=True)
        return self._cost(operator, scenario, work)

    @prices(Gather)
    def lookup(self, operator: Gather, scenario: Scenario) -> Outcome:
        """The rows that are fetched, from where parameters lie, and the indices and the result."""
        moved = {"inputs": operator.inputs, "parameters": operator.outputs}
        return self._cost(operator, scenario, moved=moved)

    @prices(Movement)
    def movement(self, operator: Movement, scenario: Scenario) -> Outcome:
        """The elements out of memory and back into it."""
        return self._cost(operator, scenario)

    def price_of(self, operation: Operation) -> tuple[Share, ...]:
        """Energy of one circuit as large as `operation` says, as shares of published figures."""
        is_float = isinstance(operation.result, FloatingPoint)
        if is_float and operation.circuit is Circuit.ADDER:
            return self._float_adds.shares(operation.result.bits)
        if is_float:
            return self._float_multiplies.shares(operation.result.bits)
        if operation.circuit is Circuit.MULTIPLIER:
            return self._multiplies.shares(operation.gate_bits)
        # Multiplexers, gates and shifters are sized in cells of an adder.
        return self._adds.shares(operation.gate_bits)

    def sram_access(self, bits: float) -> tuple[Share, ...]:
        """Energy of one 64-bit access to an SRAM of `bits` bits, as shares of published figures.

        Exact at 8 KB, 32 KB and 1 MB; a memory has at least `min_sram_size` bits, and one beyond
        SRAM_BANK is made of banks of that size.
        """
        return self._srams.shares(bits)

    @cached_property
    def _adds(self) -> Curve:
        points = (
            (8.0, self.energy_per_8_bit_add),
            (16.0, self.energy_per_16_bit_add),
            (32.0, self.energy_per_32_bit_add),
        )
        known = tuple((bits, figure) for bits, figure in points if figure is not None)
        return Curve(known, ADDER_GROWTH)

    @cached_property
    def _multiplies(self) -> Curve:
        points = (
            (8.0, self.energy_per_8_bit_multiply),
            (32.0, self.energy_per_32_bit_multiply),
        )
        return Curve(points, MULTIPLIER_GROWTH)

    @cached_property
    def _float_adds(self) -> Curve:
        points = ((16.0, self.energy_per_float16_add), (32.0, self.energy_per_float32_add))
        return Curve(points, ADDER_GROWTH)

    @cached_property
    def _float_multiplies(self) -> Curve:
        points = (
            (16.0, self.energy_per_float16_multiply),
            (32.0, self.energy_per_float32_multiply),
        )
        return Curve(points, MULTIPLIER_GROWTH)

    @cached_property
    def _srams(self) -> Curve:
        figures = (
            self.energy_per_8_kb_sram_access,
            self.energy_per_32_kb_sram_access,
            self.energy_per_1_mb_sram_access,
        )
        points = tuple(zip(map(float, SRAM_SIZES), figures, strict=True))
        least = min(max(self.min_sram_size, 1), SRAM_BANK)
        return Curve(points, MEMORY_GROWTH, least, SRAM_BANK)

    @cached_property
    def _memories(self) -> tuple[_Memory, ...]:
        weights, activations = self.weights_on_memory, self.activations_on_memory
        places = {"inputs": activations, "parameters": weights, "outputs": activations}
        return tuple(
            (
                component,
                ((self.energy_per_dram_access, 1.0),) if memory == "dram" else (),
                self._srams if memory == "sram" or self.rd_wr_on_io else None,
            )
            for component, memory in places.items()
            if memory != "fixed"
        )

    @cached_property
    def _circuits(self) -> Callable[..., tuple[_Circuit, ...]]:
        """The circuits that a rule needs for these formats: formats are few, and sizes many."""
        return lru_cache(MOST_KNOWN)(self._worked_out)

    def _worked_out(
        self, rule: Callable[..., Iterable[Operation]], *formats: Hashable
    ) -> tuple[_Circuit, ...]:
        return tuple(map(self._circuit, rule(*formats)))

    def _circuit(self, operation: Operation) -> _Circuit:
        gates = operation.gate_factor
        cells = Factor(f"{operation.circuit} cells of an adder's", gates)
        return gates, () if gates == 1 else (cells,), self.price_of(operation)

    def _cost(
        self,
        operator: Operator,
        scenario: Scenario,
        work: Iterable[_Work] = (),
        *,
        moved: Mapping[str, Sequence[Operand]] = MappingProxyType({}),
    ) -> Outcome:
        """The accesses of the operands, and the work; `moved` replaces operands by component."""
        operands = {
            "inputs": operator.inputs, "parameters": operator.weights,
            "outputs": operator.outputs, **moved,
        }  # fmt: skip
        due: list[Due] = []
        counted: list[_Counted] = []
        default, batch = scenario.default_format, scenario.batch
        for component, dram, srams in self._memories:
            if operator.in_place and component != "parameters":
                continue
            for tensor in operands[component]:
                bits = tensor.size * (tensor.format or default).bits
                accesses = math.ceil(bits / ACCESS_BITS)
                price = dram if srams is None else dram + srams.shares(bits)
                due.append((component, accesses * batch, price))
                counted.append(("64-bit accesses", accesses, ()))
        for what, count, (gates, cells, price) in work:
            if count and gates:
                due.append(("compute", count * gates * batch, price))
                counted.append((what, count, cells))
        if due:
            return Cost((_Lines(due, counted, batch),))
        return Free("nothing is computed, and what it needs is wired in")


_Memory: TypeAlias = tuple[str, tuple[Share, ...], Curve | None]
"""A component that is moved, what an access takes of DRAM, and the SRAM that is sized for it."""

_Circuit: TypeAlias = tuple[float, tuple[Factor, ...], tuple[Share, ...]]
"""How many cells of an adder's a gate takes, the same as a factor, and the price of one circuit."""

_Work: TypeAlias = tuple[str, float, _Circuit]
"""What is counted, how many of it there are for each example, and what does it."""

_Counted: TypeAlias = tuple[str, float, tuple[Factor, ...]]
"""What is counted, how many of it there are for each example, and of how many cells."""


@define(eq=False)
class _Lines:
    """What is due for an operator, and beside each line what it counts.

    There is a charge for each share of each price.
    """

    due: list[Due]
    counted: list[_Counted]
    batch: int

    @property
    def charges(self) -> Iterator[Charge]:
        """The charges."""
        examples = () if self.batch == 1 else (Factor("examples", self.batch),)
        for (component, _, price), (what, count, cells) in zip(self.due, self.counted, strict=True):
            factors = (Factor(what, count), *cells, *examples)
            for figure, share in price:
                part = () if always(share == 1) else (Factor(SHARE, share),)
                yield Charge(component, figure, (*factors, *part))


_SUMS: Final = frozenset({"sum", "mean"})
"""The reductions whose result is longer than a term, by the digits of the number of terms."""


_Formats: TypeAlias = tuple[NumericFormat, ...]


def _formats(tensors: Iterable[Operand], default: NumericFormat) -> _Formats:
    return tuple([tensor.format or default for tensor in tensors])


def _contracted(formats: _Formats, digits: int) -> tuple[Operation, ...]:
    left, right, *bias = formats
    return numerics.multiply_accumulate(right, left, 2**digits, *bias[:1])


def _reduced(
    function: str, value: _Formats, factor: _Formats, default: NumericFormat, digits: int
) -> list[Operation]:
    term = (*value, default)[0]
    if function in {"max", "min"}:
        return _compared(value, default)
    if function == "product":
        return [numerics.product(term, term)]
    total = numerics.accumulation(term, 2**digits)
    if function == "mean":
        return [total, numerics.product((*factor, default)[0], total.result)]
    return [total]


def _compared(value: _Formats, default: NumericFormat) -> list[Operation]:
    term = (*value, default)[0]
    return [Operation(term, Circuit.ADDER, 1.0, term.bits)]


def _merged(function: str) -> Callable[[_Formats, NumericFormat], list[Operation]]:
    def operations(formats: _Formats, default: NumericFormat) -> list[Operation]:
        operands = formats if len(formats) > 1 else (*formats, default)[:1] * 2
        return [numerics.merge(function, *operands)]

    return operations


def _gated(circuit: Circuit, gate: float) -> Callable[[_Formats, NumericFormat], list[Operation]]:
    def operations(formats: _Formats, default: NumericFormat) -> list[Operation]:
        # The widest operand is as wide as the result: a condition is one bit.
        widest = max(formats or (default,), key=lambda item: item.bits)
        return [Operation(widest, circuit, gate, widest.bits)]

    return operations


def _scaled(formats: _Formats, default: NumericFormat) -> list[Operation]:
    value, scale, offset = (*formats, default, default, default)[:3]
    product = numerics.product(scale, value)
    return [product, numerics.addition(product.result, offset)]


_ELEMENTWISE: Mapping[str, Callable[[_Formats, NumericFormat], list[Operation]]] = {
    "add": _merged("add"),
    "subtract": _merged("subtract"),
    "average": _merged("add"),
    "multiply": _merged("multiply"),
    "divide": _merged("multiply"),
    "maximum": _merged("maximum"),
    "minimum": _merged("minimum"),
    "compare": _merged("maximum"),
    "select": _gated(Circuit.MUX, numerics.MUX_GATE),
    "logic": _gated(Circuit.AND, numerics.AND_GATE),
    "affine": _scaled,
    "normalize": _scaled,
}
"""The operations of one step of each elementwise function; a division as a multiplication."""
