"""What an operation asks for: operators on values, or the same elements in another shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from attrs import define, field, frozen

from costmodel.errors import ShapeError
from costmodel.formats import NumericFormat
from costmodel.tensor.shapes import Tensor
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operator, ReadRole


def _lengths(given: Iterable[Any]) -> tuple[int, ...]:
    return tuple(given)


@define(eq=False)
class Value:
    """A tensor of a graph: an input, a constant, or what a node gives.

    `shape` has all axes; the batch, where there is one, is bound. `data` is the array of a small
    constant. A parameter is trained; other constants of one element are part of an operation.
    """

    name: str
    shape: tuple[int, ...] = field(converter=_lengths)
    format: NumericFormat | None = None
    data: Any = None
    is_constant: bool = False
    is_parameter: bool = False
    stretched: Value | None = None
    """The smaller constant that this one repeats along axes of one element, aligned at the last."""
    unknown: str = ""
    """Why its shape is not known, where it is not; `shape` is that of a scalar then."""

    @property
    def stored(self) -> Value:
        """The constant that is held and read in its place; itself, unless it repeats another."""
        return self if self.stretched is None else self.stretched

    @property
    def tensor(self) -> Tensor:
        """Its shape, for a builder; formats are added as nodes are joined."""
        return Tensor(self.shape)

    @property
    def role(self) -> ReadRole:
        """The role of an operand that reads it."""
        return "weight" if self.is_constant else "input"

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def scalar(self) -> float | None:
        """The number that all elements of a small constant are; None where they differ."""
        if self.data is None or not self.is_constant or self.size == 0:
            return None
        flat = self.data.reshape(-1)[:1] if self.size == 1 else self.data
        first = flat.flat[0]
        if self.size > 1 and not (flat == first).all():
            return None
        try:
            return float(first)
        except (TypeError, ValueError):
            return None

    @property
    def is_number(self) -> bool:
        """Whether it is a constant of which one number is known to be all elements."""
        return not self.is_parameter and self.scalar is not None

    @property
    def is_immediate(self) -> bool:
        """Whether it is a constant number that is part of an operation, and no operand."""
        if not self.is_constant or self.is_parameter:
            return False
        return self.size == 1 or self.scalar is not None

    @property
    def is_setting(self) -> bool:
        """Whether it is a constant that says what an operation does: a shape, axes or a number."""
        if not self.is_constant or self.is_parameter:
            return False
        return self.is_immediate or (self.data is not None and self.data.dtype.kind in "iub")

    def axis(self, axis: int) -> int:
        """The index of an axis counted from the front.

        Raises:
            ShapeError: there is no such axis.

        """
        if not -self.rank <= axis < max(self.rank, 1):
            message = f"axis {axis} is out of range for {self.name!r} of {self.rank} axes"
            raise ShapeError(message)
        return axis % max(self.rank, 1)


def _values(given: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(given)


@frozen(eq=False)
class Work:
    """What a node computes.

    Args:
        does: an operator; a workload whose inputs and weights are the values in order, or what
            makes it of their tensors, where formats matter within it; or a shape in which the
            elements of the one value are seen.
        reads: the values that are read, in the order of the operands.
        absorbs: the axis of the result along which its weights can absorb a scale and shift.
        scales: the axis along which it has its constants, if it only scales and shifts.

    """

    does: Operator | Workload | tuple[int, ...] | Callable[[Sequence[Tensor]], Workload]
    reads: tuple[Value, ...] = field(converter=_values)
    absorbs: int | None = None
    scales: int | None = None

    @property
    def results(self) -> Sequence[Tensor]:
        """The tensors that it gives."""
        if isinstance(self.does, Operator):
            return [operand.tensor for operand in self.does.outputs]
        if isinstance(self.does, tuple):
            return [Tensor(self.does)]
        body = self.workload([value.tensor for value in self.reads])
        return [Tensor(body.tensors[name].shape) for name in body.outputs]

    def workload(self, tensors: Sequence[Tensor]) -> Workload:
        """The workload on tensors in these formats.

        Raises:
            TypeError: it is an operator, or the same elements in another shape.

        """
        if isinstance(self.does, Workload):
            return self.does
        if isinstance(self.does, Operator | tuple):
            message = f"{self.does!r:.80} is not a workload"
            raise TypeError(message)
        return self.does(tensors)


Rule: TypeAlias = Callable[..., Work]
"""From values and the settings of an operation to its work."""


def seen_as(value: Value, shape: Sequence[int]) -> Work:
    """The same elements in another shape.

    Raises:
        ShapeError: it has another number of elements.

    """
    size = 1
    for length in shape:
        size *= length
    if size != value.size:
        message = f"{value.name!r} of {value.size:,} elements cannot be seen as {tuple(shape)}"
        raise ShapeError(message)
    return Work(tuple(shape), (value,))
