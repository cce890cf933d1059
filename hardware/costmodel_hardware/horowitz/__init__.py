"""Datapaths and memories priced from Horowitz's table and its successors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel import numerics
from costmodel.devices import (
    Charge,
    Cost,
    Device,
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
from costmodel.tensor import Tensor
from costmodel_hardware.horowitz.laws import Point, power, straight

ACCESS_BITS: Final = 64
"""Width of the memory access that the published figures are for."""
SRAM_SIZES: Final = (2**16, 2**18, 2**23)
"""Bits of the published memories: 8 KB, 32 KB and 1 MB."""
MEMORIES: Final = ("dram", "sram", "fixed")


def _size(value: Any) -> int:
    try:
        size = int(value)
    except (TypeError, ValueError):
        size = -1
    if size < 0:
        message = f"expected a number of bits, 0 or more, found {value!r:.40}"
        raise ValueError(message)
    return size


@frozen
class Horowitz(Device):
    """Arithmetic by the circuit that the formats need, memory by where each tensor lies.

    A tensor in `dram` costs its 64-bit accesses there and, with `rd_wr_on_io`, as many in the
    SRAM that stages it; in `sram`, its accesses to a memory just large enough for it, but of at
    least `min_sram_size` bits; `fixed` tensors are wired in and cost nothing. A write costs what
    a read does: nobody publishes the two apart. Every tensor is moved once for each example,
    parameters once for each batch.
    """

    family: ClassVar = "horowitz"

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
    min_sram_size: int = option(_size, default=0)
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
        macs = Factor("multiply-accumulates", operator.macs)
        return self._cost(operator, scenario, [(macs, product), (macs, total)])

    @prices(Elementwise)
    def elementwise(self, operator: Elementwise, scenario: Scenario) -> Outcome:
        """The merge or the scale and shift of the operands' formats, for every step."""
        formats = _formats((*operator.inputs, *operator.parameters[:2]), scenario)
        steps = Factor("operations", operator.count)
        work = _ELEMENTWISE[operator.function](formats, scenario.default_format)
        return self._cost(operator, scenario, [(steps, operation) for operation in work])

    @prices(Reduction)
    def reduction(self, operator: Reduction, scenario: Scenario) -> Outcome:
        """The additions or comparisons of every window, and the scaling of a mean."""
        (value,) = _formats(operator.inputs[:1], scenario) or (scenario.default_format,)
        total = numerics.accumulation(value, operator.window)
        if operator.function == "max":
            total = Operation(value, Circuit.ADDER, 1.0, value.bits)
        work = [(Factor("operations", operator.elements * (operator.window - 1)), total)]
        if operator.function == "mean":
            scaling = numerics.product(scenario.default_format, total.result)
            work.append((Factor("scalings", operator.elements), scaling))
        return self._cost(operator, scenario, work)

    @prices(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Outcome:
        """One comparison for every element: what a rectifier needs, a lower bound for others."""
        (value,) = _formats(operator.outputs[:1], scenario) or (scenario.default_format,)
        compare = Operation(value, Circuit.ADDER, 1.0, value.bits)
        return self._cost(operator, scenario, [(Factor("activations", operator.elements), compare)])

    @prices(Lookup)
    def lookup(self, operator: Lookup, scenario: Scenario) -> Outcome:
        """The rows that are fetched, from where parameters lie, and the indices and the result."""
        rows = self._traffic("parameters", operator.outputs, self.weights_on_memory, scenario)
        moved = Operator(inputs=operator.inputs, outputs=operator.outputs)
        cost = self._cost(moved, scenario, [])
        return Cost((*rows, *cost.charges)) if isinstance(cost, Cost) else cost

    @prices(Movement)
    def movement(self, operator: Movement, scenario: Scenario) -> Outcome:
        """The elements out of memory and back into it."""
        return self._cost(operator, scenario, [])

    def price_of(self, operation: Operation) -> Parameter:
        """Energy in joules of one circuit as large as `operation` says, before its gate factor."""
        if isinstance(operation.result, FloatingPoint):
            return self._float(operation)
        if operation.circuit is Circuit.MULTIPLIER:
            return power("integer multiply", self._multiplies, operation.gate_bits)
        # Multiplexers, gates and shifters are sized in cells of an adder.
        return straight("integer add", self._adds, operation.gate_bits)

    def sram_access(self, bits: float) -> Parameter:
        """Energy in joules of one 64-bit access to an SRAM of `bits` bits, at most DRAM's.

        Straight lines between the published points in log-log, beyond them with the slope of
        the last piece: exact at 8 KB, 32 KB and 1 MB.
        """
        found = power("SRAM access", self._srams, max(float(bits), 1.0))
        dram = self.energy_per_dram_access
        return found if found.value <= dram.value else dram

    @property
    def _adds(self) -> tuple[Point, ...]:
        points = (
            (8.0, self.energy_per_8_bit_add),
            (16.0, self.energy_per_16_bit_add),
            (32.0, self.energy_per_32_bit_add),
        )
        return tuple((bits, item) for bits, item in points if item is not None)

    @property
    def _multiplies(self) -> tuple[Point, ...]:
        return ((8.0, self.energy_per_8_bit_multiply), (32.0, self.energy_per_32_bit_multiply))

    @property
    def _srams(self) -> tuple[Point, ...]:
        figures = (
            self.energy_per_8_kb_sram_access,
            self.energy_per_32_kb_sram_access,
            self.energy_per_1_mb_sram_access,
        )
        return tuple(zip(map(float, SRAM_SIZES), figures, strict=True))

    def _float(self, operation: Operation) -> Parameter:
        adds = ((16.0, self.energy_per_float16_add), (32.0, self.energy_per_float32_add))
        multiplies = (
            (16.0, self.energy_per_float16_multiply),
            (32.0, self.energy_per_float32_multiply),
        )
        is_add = operation.circuit is Circuit.ADDER
        label, points = ("float add", adds) if is_add else ("float multiply", multiplies)
        return power(label, points, float(operation.result.bits))

    def _cost(
        self, operator: Operator, scenario: Scenario, work: Iterable[tuple[Factor, Operation]]
    ) -> Outcome:
        charges = [
            charge
            for component, tensors, memory in (
                ("inputs", operator.inputs, self.activations_on_memory),
                ("parameters", operator.parameters, self.weights_on_memory),
                ("outputs", operator.outputs, self.activations_on_memory),
            )
            if not operator.in_place or component == "parameters"
            for charge in self._traffic(component, tensors, memory, scenario)
        ]
        examples = () if scenario.batch == 1 else (Factor("examples", scenario.batch),)
        charges += [
            Charge("compute", self.price_of(item), (count, *_gates(item), *examples))
            for count, item in work
            if count.value and item.gate_factor
        ]
        if charges:
            return Cost(tuple(charges))
        return Free("nothing is computed, and what it needs is wired in")

    def _traffic(
        self, component: str, tensors: Iterable[Tensor], memory: str, scenario: Scenario
    ) -> list[Charge]:
        once = component == "parameters" or scenario.batch == 1
        examples = () if once else (Factor("examples", scenario.batch),)
        charges = []
        for tensor in tensors:
            bits = tensor.size * _format(tensor, scenario).bits
            accesses = (Factor("64-bit accesses", math.ceil(bits / ACCESS_BITS)), *examples)
            sram = self.sram_access(max(bits, self.min_sram_size))
            charges += [Charge(component, price, accesses) for price in self._moves(memory, sram)]
        return charges

    def _moves(self, memory: str, sram: Parameter) -> tuple[Parameter, ...]:
        if memory == "dram":
            staged = (sram,) if self.rd_wr_on_io else ()
            return (self.energy_per_dram_access, *staged)
        return (sram,) if memory == "sram" else ()


def _gates(operation: Operation) -> tuple[Factor, ...]:
    if operation.gate_factor == 1:
        return ()
    return (Factor(f"{operation.circuit} cells of an adder's", operation.gate_factor),)


def _format(tensor: Tensor, scenario: Scenario) -> NumericFormat:
    return tensor.format or scenario.default_format


def _formats(tensors: Iterable[Tensor], scenario: Scenario) -> tuple[NumericFormat, ...]:
    return tuple(_format(tensor, scenario) for tensor in tensors)


_Formats = tuple[NumericFormat, ...]


def _merged(function: str) -> Callable[[_Formats, NumericFormat], list[Operation]]:
    def operations(formats: _Formats, default: NumericFormat) -> list[Operation]:
        operands = formats if len(formats) > 1 else (*formats, default)[:1] * 2
        return [numerics.merge(function, *operands)]

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
    "affine": _scaled,
    "normalize": _scaled,
}
"""The operations of one step of each elementwise function; a division as a multiplication."""
