"""What movements of several tensors take: one example of each, with constants beside inputs."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from costmodel.tensor.shapes import Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.operators import Movement, Operand, ReadRole
from costmodel_keras.arguments import Array, LayerInput
from costmodel_keras.layers.operations.operation import Operation, is_batch, leaves


@frozen
class Source:
    """A tensor that a call takes, and one example of it.

    A constant may have a batch axis of length 1 at `batch`, which `example` leaves out.
    """

    role: ReadRole
    tensor: Tensor
    example: Tensor
    batch: int | None = None

    def read(self, operand: Operand) -> Operand:
        """The operand of the tensor, given that of the example."""
        index = operand.index
        if self.batch is not None:
            index = (*index[: self.batch], Affine(), *index[self.batch :])
        return Operand(self.role, self.tensor, index, operand.touched)


def sources_of(operation: Operation) -> list[Source]:
    """What a call takes, in its order; the axes of constants are those of the first input."""
    values = [leaf for value in operation.given.values() for leaf in leaves(value)]
    found = []
    for value in values:
        if isinstance(value, LayerInput):
            tensor = operation.inputs[value.index]
            found.append(Source("input", tensor, tensor))
        else:
            shape = value.shape if isinstance(value, Array) else ()
            found.append(_constant(shape, operation.inputs[0]))
    return found


def _constant(shape: Sequence[int], beside: Tensor) -> Source:
    tensor, batch = Tensor([length for length in shape if not is_batch(length)]), beside.batch_axis
    if len(shape) != len(beside.shape) + 1 or shape[batch] != 1:
        return Source("weight", tensor, tensor)
    return Source("weight", tensor, Tensor((*shape[:batch], *shape[batch + 1 :])), batch)


def reading(sources: Sequence[Source], moved: Movement) -> Movement:
    """A movement of examples as one of the tensors that these are examples of, in that order."""
    read = [item for item in moved.operands if item.role != "output"]
    operands = [source.read(item) for source, item in zip(sources, read, strict=True)]
    return evolve(moved, operands=[*operands, *moved.outputs])
