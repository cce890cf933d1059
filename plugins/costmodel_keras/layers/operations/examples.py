"""What movements take of one example, in the order of a call and in that of a layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from costmodel.tensor import Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.operators import Movement, Operand, ReadRole
from costmodel_keras.arguments import Array
from costmodel_keras.arguments import Operand as Argument
from costmodel_keras.layers.operations.operation import Operation, leaves

if TYPE_CHECKING:
    from costmodel.workload.affine import Index


@frozen
class Source:
    """What a call takes: its role, its place among inputs or constants, and one example of it.

    A constant may have a batch axis of length 1 at `batch`, which `example` leaves out.
    """

    role: ReadRole
    place: int
    tensor: Tensor
    example: Tensor
    batch: int | None = None

    def read(self, operand: Operand) -> Operand:
        """The operand of the tensor, given that of the example."""
        index: Index = operand.index
        if self.batch is not None:
            index = (*index[: self.batch], Affine(), *index[self.batch :])
        return Operand(self.role, self.tensor, index, operand.touched)


def sources_of(operation: Operation) -> list[Source]:
    """What a call takes, in its order; constants are aligned with the first input."""
    values = [leaf for value in operation.given.values() for leaf in leaves(value)]
    arrays = itertools.count()
    numbers = itertools.count(sum(isinstance(leaf, Array) for leaf in values))
    found = []
    for leaf in values:
        if isinstance(leaf, Argument):
            tensor = operation.inputs[leaf.index]
            found.append(Source("input", leaf.index, tensor, tensor))
        else:
            place = next(arrays if isinstance(leaf, Array) else numbers)
            found.append(_constant(operation.constants[place], place, operation.inputs[0]))
    return found


def _constant(tensor: Tensor, place: int, beside: Tensor) -> Source:
    shape, batch = tensor.shape, beside.batch_axis
    if len(shape) != len(beside.shape) + 1 or shape[batch] != 1:
        return Source("weight", place, tensor, tensor)
    example = Tensor((*shape[:batch], *shape[batch + 1 :]), tensor.format)
    return Source("weight", place, tensor, example, batch)


def reading(operation: Operation, moved: Movement, sources: Sequence[Source]) -> Movement:
    """A movement of examples as one of the layer's tensors: inputs, constants, results.

    The movement reads `sources` in their order. What it does not read, such as an index that the
    program states, is read once.
    """
    read = [item for item in moved.operands if item.role != "output"]
    known = {
        (source.role, source.place): source.read(item)
        for source, item in zip(sources, read, strict=True)
    }
    tensors: list[tuple[ReadRole, int, Tensor]] = [
        *[("input", place, tensor) for place, tensor in enumerate(operation.inputs)],
        *[("weight", place, tensor) for place, tensor in enumerate(operation.constants)],
    ]  # fmt: skip
    operands = [
        known.get((role, place)) or _read_once(role, tensor) for role, place, tensor in tensors
    ]
    return evolve(moved, operands=[*operands, *moved.outputs])


def _read_once(role: ReadRole, tensor: Tensor) -> Operand:
    return Operand(role, tensor, (None,) * len(tensor.shape), tensor.size)
