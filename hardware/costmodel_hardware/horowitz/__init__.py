"""Datapaths and memories priced from Horowitz's table and its successors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from attrs import evolve, frozen

from costmodel import numerics
from costmodel.devices import (
    Charge,
    Cost,
    Device,
    Due,
    Factor,
    Outcome,
    Parameter,
    one_of,
    option,
    parameter,
    prices,
    yes_or_no,
)
from costmodel.numerics import Circuit, FloatingPoint, NumericFormat, Operation
from costmodel.operators import (
    Activation,
    Contraction,
    Elementwise,
    Free,
    Lookup,
    Movement,
    Operator,
    Reduction,
)
from costmodel.scenario import Scenario
from costmodel.sizes import always
from costmodel.tensor import Tensor
from costmodel_hardware.horowitz.laws import Curve, Share

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
    def contraction(self, operator: Contraction, scenario: Scenario) -> Outcome:
        """A multiplication and an addition for every multiply-accumulate, and the tensors."""
        formats = _formats((*operator.inputs, *operator.parameters), scenario)
        left, right, *bias = (*formats, scenario.default_format, scenario.default_format)[
            : max(2, len(formats))
        ]
        product, total = numerics.multiply_accumulate(
            right, left, operator.reduction, bias[0] if bias else None
        )
        macs = ("multiply-accumulates", operator.macs)
        return self._cost(operator, scenario, [(macs, product), (macs, total)])

    @prices(Elementwise)
    def elementwise(self, operator: Elementwise, scenario: Scenario) -> Outcome:
        """The merge or the scale and shift of the operands' formats, for every step."""
        formats = _formats((*operator.inputs, *operator.parameters[:2]), scenario)
        steps = ("operations", operator.count)
        work = _ELEMENTWISE[operator.function](formats, scenario.default_format)
        return self._cost(operator, scenario, [(steps, operation) for operation in work])

    @prices(Reduction)
    def reduction(self, operator: Reduction, scenario: Scenario) -> Outcome:
        """The steps of every window, and the scaling of a mean.

        The factor of a mean is wired in; its format is that of the parameter, if there is one.
        """
        (value,) = _formats(operator.inputs[:1], scenario) or (scenario.default_format,)
        total = numerics.accumulation(value, operator.window)
        if operator.function in {"max", "min"}:
            total = Operation(value, Circuit.ADDER, 1.0, value.bits)
        elif operator.function == "product":
            total = numerics.product(value, value)
        work = [(("operations", operator.elements * (operator.window - 1)), total)]
        if operator.function == "mean":
            (factor,) = _formats(operator.parameters[:1], scenario) or (scenario.default_format,)
            scaling = numerics.product(factor, total.result)
            work.append((("scalings", operator.elements), scaling))
        return self._cost(evolve(operator, parameters=()), scenario, work)

    @prices(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Outcome:
        """One comparison for every element: what a rectifier needs, a lower bound for others."""
        (value,) = _formats(operator.outputs[:1], scenario) or (scenario.default_format,)
        compare = Operation(value, Circuit.ADDER, 1.0, value.bits)
        return self._cost(operator, scenario, [(("activations", operator.elements), compare)])

    @prices(Lookup)
    def lookup(self, operator: Lookup, scenario: Scenario) -> Outcome:
        """The rows that are fetched, from where parameters lie, and the indices and the result."""
        rows = operator.outputs
        fetched = Operator(inputs=operator.inputs, parameters=rows, outputs=operator.outputs)
        return self._cost(fetched, scenario, [])

    @prices(Movement)
    def movement(self, operator: Movement, scenario: Scenario) -> Outcome:
        """The elements out of memory and back into it."""
        return self._cost(operator, scenario, [])

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

    def _cost(
        self, operator: Operator, scenario: Scenario, work: Iterable[tuple[_Count, Operation]]
    ) -> Outcome:
        lines = self._traffic(operator, scenario.default_format)
        for count, operation in work:
            gates = operation.gate_factor
            if count[1] and gates:
                factors: tuple[_Count, ...] = (count,)
                if gates != 1:
                    factors = (count, (f"{operation.circuit} cells of an adder's", gates))
                lines.append(("compute", count[1] * gates, factors, self.price_of(operation)))
        if lines:
            return Cost((_Lines(tuple(lines), scenario.batch),))
        return Free("nothing is computed, and what it needs is wired in")

    def _traffic(self, operator: Operator, default: NumericFormat) -> list[_Line]:
        """Every tensor once through its memory."""
        lines: list[_Line] = []
        weights, activations = self.weights_on_memory, self.activations_on_memory
        parameters = ("parameters", operator.parameters, weights)
        inputs = ("inputs", operator.inputs, activations)
        outputs = ("outputs", operator.outputs, activations)
        for component, tensors, memory in (
            (parameters,) if operator.in_place else (inputs, parameters, outputs)
        ):
            if memory == "fixed":
                continue
            dram = ((self.energy_per_dram_access, 1.0),) if memory == "dram" else ()
            is_in_sram = memory == "sram" or self.rd_wr_on_io
            for tensor in tensors:
                bits = tensor.size * (tensor.format or default).bits
                accesses = math.ceil(bits / ACCESS_BITS)
                price = (*dram, *self._srams.shares(bits)) if is_in_sram else dram
                lines.append((component, accesses, (("64-bit accesses", accesses),), price))
        return lines


_Count: TypeAlias = tuple[str, float]
"""What is counted, and how many of it there are."""

_Line: TypeAlias = tuple[str, float, tuple[_Count, ...], tuple[Share, ...]]
"""A component, a count for each example, what it is the product of, and the price of one."""


class _Lines(NamedTuple):
    """The lines of an operator: a charge for each share of the price of each line."""

    lines: tuple[_Line, ...]
    batch: int

    @property
    def due(self) -> list[Due]:
        """What the charges come to."""
        lines, batch = self
        return [
            (component, figure, count * batch * share)
            for component, count, _, shares in lines
            for figure, share in shares
        ]

    @property
    def charges(self) -> Iterator[Charge]:
        """The charges."""
        lines, batch = self
        examples = () if batch == 1 else (Factor("examples", batch),)
        for component, _, counts, shares in lines:
            factors = (*(Factor(*count) for count in counts), *examples)
            for figure, share in shares:
                part = () if always(share == 1) else (Factor(SHARE, share),)
                yield Charge(component, figure, (*factors, *part))


def _formats(tensors: Iterable[Tensor], scenario: Scenario) -> tuple[NumericFormat, ...]:
    default = scenario.default_format
    return tuple([tensor.format or default for tensor in tensors])


_Formats = tuple[NumericFormat, ...]


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
