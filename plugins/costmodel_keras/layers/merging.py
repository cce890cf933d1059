"""Layers that merge several inputs into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.assembly import numbered
from costmodel.workload.builders import concatenate, contract
from costmodel.workload.graph import Workload
from costmodel_keras.layers import settings
from costmodel_keras.layers.kept import elementwise

_FUNCTIONS: Mapping[str, str] = {
    "keras.Add": "add",
    "keras.Average": "average",
    "keras.Maximum": "maximum",
    "keras.Minimum": "minimum",
    "keras.Multiply": "multiply",
    "keras.Subtract": "subtract",
}


MERGING_KINDS = frozenset({*_FUNCTIONS, "keras.Concatenate", "keras.Dot"})
"""The layers that take several tensors."""


@frozen(slots=False)
class Merge(Layer):
    """Two or more inputs, element by element, with axes of length 1 stretched."""

    kinds: ClassVar = tuple(_FUNCTIONS)

    def output_shapes(self) -> Sequence[Shape]:
        """The broadcast of all inputs."""
        shapes = [tensor.shape for tensor in self.inputs]
        if len(shapes) < 2:  # noqa: PLR2004  # merging takes two
            message = "expected at least two inputs"
            raise ValueError(message)
        return (broadcast(shapes),)

    def operators(self) -> Work:
        """One step fewer than there are inputs; the average also scales."""
        function = _FUNCTIONS[self.kind]
        steps = len(self.inputs) - 1 + (function == "average")
        return (elementwise(function, *self.inputs, steps=steps, output=self.outputs[0]),)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that all of them stretch to, aligned at their last axes.

    Raises:
        ValueError: two lengths of an axis differ and neither is 1.

    """
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(_broadcast(lengths) for lengths in zip(*padded, strict=True))


def _broadcast(lengths: Sequence[int | None]) -> int | None:
    known = {length for length in lengths if length not in {None, 1}}
    if len(known) > 1:
        message = f"axes of {' and '.join(map(str, sorted(known)))} do not broadcast"
        raise ValueError(message)
    return next(iter(known), None if None in lengths else 1)


@frozen(slots=False)
class Concatenate(Layer):
    """Inputs one after another along an axis."""

    kinds: ClassVar = ("keras.Concatenate",)

    axis: int = setting(settings.integer, default=-1)

    def output_shapes(self) -> Sequence[Shape]:
        """The lengths along the axis add up; the others must agree."""
        first, *others = [list(tensor.shape) for tensor in self.inputs]
        axis = own_axis(self.axis, len(first))
        for other in others:
            if len(other) != len(first) or not all(
                index == axis or None in pair or pair[0] == pair[1]
                for index, pair in enumerate(zip(first, other, strict=True))
            ):
                shown = " and ".join(show_shape(tensor.shape) for tensor in self.inputs)
                message = f"{shown} differ beside axis {self.axis}"
                raise ValueError(message)
        lengths = [tensor.shape[axis] for tensor in self.inputs]
        total = None if None in lengths else sum(lengths)  # type: ignore[arg-type]  # none is None
        return ((*first[:axis], total, *first[axis + 1 :]),)

    def operators(self) -> Work:
        """Elements are only carried."""
        axis = own_axis(self.axis, len(self.input_shape))
        return (concatenate(self.inputs, axis, output=self.outputs[0]),)


@frozen(slots=False)
class Dot(Layer):
    """The sum of products of two inputs along an axis of each."""

    kinds: ClassVar = ("keras.Dot",)

    axes: tuple[int, ...] = setting(settings.integers)
    normalize: bool = setting(settings.flag, default=False)

    def _axes(self) -> tuple[int, int]:
        left, right = self.axes * 2 if len(self.axes) == 1 else self.axes
        first, second = self.inputs
        return own_axis(left, len(first.shape)), own_axis(right, len(second.shape))

    def output_shapes(self) -> Sequence[Shape]:
        """Both shapes without the axis that is summed; a lone number keeps one axis."""
        first, second = (list(tensor.shape) for tensor in self.inputs)
        left, right = self._axes()
        if None not in {first[left], second[right]} and first[left] != second[right]:
            message = f"axes of {first[left]} and {second[right]} cannot be summed together"
            raise ValueError(message)
        rest = (*first[:left], *first[left + 1 :], *second[:right], *second[right + 1 :])
        return (rest or (1,),)

    def workload(self) -> Workload:
        """One contraction, after a scaling of both inputs where they are normalised."""
        left, right = self._axes()
        first, second = self.inputs
        rows = [f"i{axis}" if axis != left else "k" for axis in range(len(first.shape))]
        columns = [f"j{axis}" if axis != right else "k" for axis in range(len(second.shape))]
        kept = [name for name in (*rows, *columns) if name != "k"]
        # Of two vectors Keras makes one axis of length 1.
        result = self.outputs[0] if kept else Tensor((), self.outputs[0].format)
        work = contract(self.inputs, [rows, columns], kept, roles=("input", "input"), output=result)
        made = self.assembly()
        sources = numbered("input", len(self.inputs))
        if self.normalize:
            # Square and add, then scale: two steps for each element.
            sources = [
                made.add(elementwise("normalize", tensor, steps=2, output=tensor), source)
                for tensor, source in zip(self.inputs, sources, strict=True)
            ]
        return self.assembled(made, made.add(work, *sources))


def own_axis(axis: int, rank: int) -> int:
    """The index of an axis among those without the batch, from Keras's, which counts the batch.

    Raises:
        ValueError: there is no such axis.

    """
    index = axis + rank if axis < 0 else axis - 1
    if not 0 <= index < rank:
        message = f"there is no axis {axis} beside the batch in {rank} axes"
        raise ValueError(message)
    return index


LAYERS: tuple[type[Layer], ...] = (
    Concatenate,
    Dot,
    Merge,
)
