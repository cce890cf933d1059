"""The index maps of one example, of functions whose axes and constants are those of the batch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen

from costmodel.sizes import Symbol
from costmodel.tensor import Tensor
from costmodel.workload.affine import Affine, Index
from costmodel.workload.operators import Movement, Operand, ReadRole
from costmodel_keras.arguments import Array
from costmodel_keras.arguments import Operand as Argument
from costmodel_keras.layers.operations.operation import BATCH, Operation, Whole, axis_in, leaves

_Value = TypeVar("_Value")


def place_of_batch(whole: Whole) -> int:
    """The batch axis of a whole shape; behind the last where there is none."""
    places = [place for place, length in enumerate(whole) if _is_batch(length)]
    return places[0] if places else len(whole)


def _is_batch(length: Any) -> bool:
    return isinstance(length, Symbol) or length == BATCH


def own_axis(whole: Whole, axis: int) -> int | None:
    """A whole axis as it is counted without the batch; None for the batch itself."""
    batch, place = place_of_batch(whole), axis_in(axis, len(whole))
    return None if place == batch else place - (place > batch)


def own_axes(whole: Whole, axes: Sequence[int]) -> list[int] | None:
    """Whole axes as they are counted without the batch; None where it is one of them."""
    own = [own_axis(whole, axis) for axis in axes]
    found = [axis for axis in own if axis is not None]
    return found if len(found) == len(own) else None


def own_values(whole: Whole, values: Sequence[_Value]) -> list[_Value]:
    """What is given for each whole axis, without what is given for the batch."""
    batch = place_of_batch(whole)
    return [value for place, value in enumerate(values) if place != batch]


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

    def read(self, index: Index, touched: int | None = None) -> Operand:
        """The operand that is read at this index of an example."""
        if self.batch is not None:
            index = (*index[: self.batch], Affine(), *index[self.batch :])
        return Operand(self.role, self.tensor, index, touched)


def sources_of(operation: Operation, whole: Whole) -> list[Source]:
    """What a call takes, in its order; constants are aligned with a whole shape."""
    values = [leaf for value in operation.given.values() for leaf in leaves(value)]
    arrays = itertools.count()
    numbers = itertools.count(len([leaf for leaf in values if isinstance(leaf, Array)]))
    found = []
    for leaf in values:
        if isinstance(leaf, Argument):
            tensor = operation.inputs[leaf.index]
            found.append(Source("input", leaf.index, tensor, tensor))
        else:
            place = next(arrays if isinstance(leaf, Array) else numbers)
            found.append(_constant(operation.constants[place], place, whole))
    return found


def _constant(tensor: Tensor, place: int, whole: Whole) -> Source:
    shape, batch = tensor.shape, place_of_batch(whole)
    if len(shape) != len(whole) or shape[batch : batch + 1] != (1,):
        return Source("weight", place, tensor, tensor)
    example = Tensor((*shape[:batch], *shape[batch + 1 :]), tensor.format)
    return Source("weight", place, tensor, example, batch)


def put_together(operation: Operation, moved: Movement, sources: Sequence[Source]) -> Movement:
    """A movement of what a call takes, in its order, as one of the layer's tensors."""
    read = [item for item in moved.operands if item.role != "output"]
    pairs = [
        (source, source.read(item.index, item.touched))
        for source, item in zip(sources, read, strict=True)
    ]
    return reading(operation, moved, pairs)


def reading(
    operation: Operation, moved: Movement, mapped: Sequence[tuple[Source, Operand]]
) -> Movement:
    """A movement with its operands in the order of the layer: inputs, constants, results.

    What none of the maps reads, such as an index that the program states, is read once.
    """
    known = {(source.role, source.place): operand for source, operand in mapped}
    roles: tuple[tuple[ReadRole, Sequence[Tensor]], ...] = (
        ("input", operation.inputs), ("weight", operation.constants),
    )  # fmt: skip
    read = [
        known.get((role, place)) or _read_once(role, tensor)
        for role, tensors in roles
        for place, tensor in enumerate(tensors)
    ]
    return evolve(moved, operands=[*read, *moved.outputs])


def _read_once(role: ReadRole, tensor: Tensor) -> Operand:
    return Operand(role, tensor, (None,) * len(tensor.shape), tensor.size)
