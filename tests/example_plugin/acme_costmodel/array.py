"""A device that sees the whole network: an array that keeps its weights, a buffer, and DRAM."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from costmodel import Device, Free, Scenario, Unpriced
from costmodel.devices import (
    USUAL,
    Charge,
    Cost,
    Duration,
    Factor,
    FormatTable,
    Parameter,
    handles,
    parameter,
)
from costmodel.tensor.sizes import larger
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Reduction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel import Operator
    from costmodel.devices import Schedule
    from costmodel.formats import NumericFormat


@frozen
class WeightStationary(Device):
    """32 x 32 multipliers that keep one weight each, and a vector unit for all the rest.

    The time of a tile of weights is that of SCALE-Sim (Samajdar et al., 2018): the weights enter
    row by row, each input vector takes a cycle, and the last one leaves after `rows + columns - 2`
    more.
    """

    family: ClassVar = "acme-array"
    not_modelled: ClassVar = "control"
    ignores: ClassVar = ("timesteps", "dt", "rates")
    resources: ClassVar = ("array", "vector", "chip")
    capabilities: ClassVar = USUAL | {"timed", "placed", "always-on"}
    uses_memories: ClassVar = True
    fuses: ClassVar = ("activation", "bias", "padding")

    rows: ClassVar = 32
    columns: ClassVar = 32
    lanes: ClassVar = 32

    clock: Parameter = parameter("Hz", positive=True)
    energy_per_multiply_accumulate: FormatTable = parameter("J", by_format=True)
    energy_per_vector_operation: FormatTable = parameter("J", by_format=True)
    static_power: Parameter = parameter("W")
    area_per_multiplier: Parameter = parameter("m2")

    @property
    def macs_per_second(self) -> float:
        """One product of each multiplier in a cycle."""
        return self.rows * self.columns * self.clock.value

    @property
    def area_square_metres(self) -> float:
        """The multipliers, and the memories as the file states them."""
        multipliers = self.rows * self.columns * self.area_per_multiplier.value
        return multipliers + (super().area_square_metres or 0.0)

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Cost | Unpriced:
        """One tile of weights after the other, which all examples pass."""
        number = format_of(operator, scenario)
        energy = self.energy_per_multiply_accumulate.get(number)
        if energy is None:
            return self.energy_per_multiply_accumulate.unpriced(number)
        tiles, vectors = tiling(operator, self.rows, self.columns)
        count = (
            Factor("multiply-accumulates", operator.macs),
            Factor("examples", scenario.batch),
        )
        return Cost(
            [Charge("array", "compute", count, energy)],
            durations=[
                Duration("array", tiles * self.rows, self.clock, phase="start"),
                Duration("array", tiles * vectors * scenario.batch, self.clock),
                Duration(
                    "array", tiles * (self.rows + self.columns - 2), self.clock, phase="finish"
                ),
            ],
        )

    @handles(Activation, Elementwise, Reduction)
    def vector(
        self, operator: Activation | Elementwise | Reduction, scenario: Scenario
    ) -> Cost | Free | Unpriced:
        """As many operations in a cycle as there are lanes."""
        operations = sum(operator.operations.values())
        if not operations:
            return Free("nothing is computed")
        number = format_of(operator, scenario)
        energy = self.energy_per_vector_operation.get(number)
        if energy is None:
            return self.energy_per_vector_operation.unpriced(number)
        count = Factor("operations", operations), Factor("examples", scenario.batch)
        cycles = operations * scenario.batch / self.lanes
        return Cost(
            [Charge("vector", "compute", count, energy)],
            durations=[Duration("vector", cycles, self.clock)],
        )

    @handles(Gather, Movement)
    def movement(self, operator: Gather | Movement, scenario: Scenario) -> Free:
        """Only what the memories charge."""
        return Free("no arithmetic")

    def static_charges(self, schedule: Schedule) -> Sequence[Charge]:
        """Power that is drawn from the beginning to the end."""
        return [schedule.drawn(self.static_power, "chip")]


def format_of(operator: Operator, scenario: Scenario) -> NumericFormat:
    """The format of what is computed: that of the first operand."""
    return operator.operands[0].format or scenario.default_format


def tiling(operator: Contraction, rows: int, columns: int) -> tuple[int, int]:
    """How many tiles of weights there are, and how many input vectors pass each of them.

    The second operand stays in the array. Its reduced dimensions are the rows of its matrix, those
    of the result that the other operand does not have the columns, and those of all three groups.
    """
    dims, names = operator.dims, [set(operand.dims) for operand in operator.operands]
    streamed, kept = names[0], names[1] if operator.inputs[1:] or operator.weights else set()
    reduced = kept & set(operator.reduction_dims)
    across = kept - reduced - streamed
    depth, width = (math.prod(dims[name] for name in part) for part in (reduced, across))
    groups = math.prod(dims[name] for name in kept - reduced - across)
    tiles = groups * -(-depth // rows) * -(-width // columns)
    return tiles, operator.macs // larger(groups * depth * width, 1)
