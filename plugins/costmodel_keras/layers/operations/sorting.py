"""Functions of keras.ops that put elements in order: their shapes are known, their work is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Work, setting
from costmodel.workload.reasons import Unpriced
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.operation import (
    Operation,
    Whole,
    axis_in,
    is_batch,
    kind,
)
from costmodel_keras.layers.unsupported import mixing

REASON: Final = "how many comparisons a sort takes depends on the data and the library"


class Sorting(Operation):
    """What puts elements in order: unpriced, with shapes that are known."""

    def operators(self) -> Work:
        """Unpriced: the work depends on the elements."""
        return Unpriced(REASON)

    @classmethod
    def describe_work(cls, _: str) -> str:
        """Nothing, and why."""
        return f"Unpriced: {REASON}."


@frozen(slots=False)
class Sort(Sorting):
    """The elements, or their places, in order along an axis."""

    kinds: ClassVar = tuple(map(kind, ("Argpartition", "Argsort", "Sort")))

    axis: int | None = setting(settings.optional(settings.integer), default=-1)

    def wholes(self) -> Sequence[Whole]:
        """The shape of the operand.

        Raises:
            UnsupportedError: the elements of several examples are put in one order.

        """
        if self.axis is None or is_batch(self.whole[axis_in(self.axis, len(self.whole))]):
            what = "it puts the elements of all examples in one order"
            raise mixing(what)
        return (self.whole,)


@frozen(slots=False)
class TopK(Sorting):
    """The `k` greatest elements along the last axis, and their places."""

    kinds: ClassVar = (kind("TopK"),)

    k: int = setting(settings.integer)

    def wholes(self) -> Sequence[Whole]:
        """Twice the shape of the operand with `k` elements along the last axis.

        Raises:
            UnsupportedError: the last axis is the batch.

        """
        *others, last = self.whole
        if is_batch(last):
            what = "it takes the greatest elements of all examples"
            raise mixing(what)
        return ((*others, self.k),) * 2
