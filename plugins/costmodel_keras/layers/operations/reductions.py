"""Functions of keras.ops that make one element of many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import evolve, frozen

from costmodel.network.layer import Work, setting
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import elementwise
from costmodel.workload.reasons import Reason
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.operation import (
    Operation,
    Whole,
    axis_in,
    is_batch,
    kind,
    own_axes,
    pointwise,
    reducing,
)
from costmodel_keras.layers.unsupported import UnsupportedError, mixing

_SQUARED = ("subtract", "multiply", "mean")
_MISSING = ("compare", "select")

PASSES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    kind(name): passes
    for names, passes in (
        ("Sum", (("sum",),)),
        ("Mean", (("mean",),)),
        ("Amax Any Argmax Max", (("max",),)),
        ("All Amin Argmin Min", (("min",),)),
        ("Prod", (("product",),)),
        ("CountNonzero", (("compare", "sum"),)),
        ("Ptp", (("max",), ("min", "subtract"))),
        ("Var", (("mean",), _SQUARED)),
        ("Std", (("mean",), (*_SQUARED, "sqrt"))),
        ("Moments", (("mean",), _SQUARED)),
        ("Logsumexp", (("max",), ("subtract", "exp", "sum", "log", "add"))),
        ("Nansum", ((*_MISSING, "sum"),)),
        ("Nanprod", ((*_MISSING, "product"),)),
        ("Nanmax Nanargmax", ((*_MISSING, "max"),)),
        ("Nanmin Nanargmin", ((*_MISSING, "min"),)),
        # The sum of what is there, and how many they are
        ("Nanmean", ((*_MISSING, "sum"), ("compare", "sum", "divide"))),
        ("Nanvar", ((*_MISSING, "sum"), ("compare", "sum", "divide"), _SQUARED)),
        ("Nanstd", ((*_MISSING, "sum"), ("compare", "sum", "divide"), (*_SQUARED, "sqrt"))),
    )
    for name in names.split()
}
"""What a reduction does, pass by pass over its operand: before, while and after reducing."""

NORMS: Final[Mapping[object, tuple[str, ...]]] = {
    None: ("multiply", "sum", "sqrt"),
    "fro": ("multiply", "sum", "sqrt"),
    2: ("multiply", "sum", "sqrt"),
    1: ("absolute", "sum"),
    0: ("compare", "sum"),
    math.inf: ("absolute", "max"),
    "inf": ("absolute", "max"),
    -math.inf: ("absolute", "min"),
}
"""What the norms of a vector do, by the order that Keras names."""

_POWERS = ("absolute", "power", "sum", "power")


def _axes(value: Any) -> tuple[int, ...] | None:
    return None if value is None else settings.integers(value)


@frozen(slots=False)
class Reducing(Operation):
    """Many elements to one along some axes."""

    axis: tuple[int, ...] | None = setting(_axes, default=None, source=("axis", "axes"))
    keepdims: bool = setting(settings.flag, default=False)

    @property
    def reduced(self) -> tuple[int, ...]:
        """The axes that are reduced; without any named, all of them."""
        rank = len(self.whole)
        return tuple(
            range(rank) if self.axis is None else [axis_in(axis, rank) for axis in self.axis]
        )

    def wholes(self) -> Sequence[Whole]:
        """The other axes, and where asked for the reduced ones with a length of 1."""
        reduced, whole = self.reduced, self.whole
        if self.keepdims:
            return (tuple(1 if i in reduced else length for i, length in enumerate(whole)),)
        return (tuple(length for i, length in enumerate(whole) if i not in reduced),)

    def passes(self) -> Sequence[Sequence[str]]:
        """What is done with the operand, time after time."""
        return PASSES[self.kind]

    def operators(self) -> Work:
        """The passes, each a reduction with steps before and after it."""
        source, axes = (*self.inputs, *self.constants)[0], self.own_axes
        result = self.outputs[0]
        return tuple(
            work for words in self.passes() for work in reducing(words, source, axes, result)
        )

    @property
    def own_axes(self) -> Sequence[int]:
        """The axes that are reduced, counted without the batch."""
        return own_axes(self.whole, self.reduced)


class Reduction(Reducing):
    """A sum, mean, extreme, or a statistic made of them."""

    kinds: ClassVar = tuple(name for name in PASSES if name != kind("Moments"))
    takes: ClassVar = ("x",)


class Moments(Reducing):
    """Mean and variance."""

    kinds: ClassVar = (kind("Moments"),)
    takes: ClassVar = ("x",)

    def wholes(self) -> Sequence[Whole]:
        """Two results of one shape."""
        return tuple(super().wholes()) * 2


class Average(Reducing):
    """A mean, weighted or not."""

    kinds: ClassVar = (kind("Average"),)
    takes: ClassVar = ("x", "weights")

    def passes(self) -> Sequence[Sequence[str]]:
        """With weights their products and their sum; else a mean."""
        if self.given.get("weights") is None:
            return PASSES[kind("Mean")]
        return (("multiply", "sum"), ("sum", "divide"))

    def operators(self) -> Work:
        """A mean; or the sum of the weighted elements, over that of the weights."""
        work = super().operators()
        if self.given.get("weights") is None or isinstance(work, Reason):
            return work
        _, total, *rest = work
        source = Tensor(total.inputs[0].shape)
        weigh = pointwise("multiply", self.inputs, source, weights=self.constants)
        read = weigh.inputs[1:]
        return (
            evolve(weigh, in_place=True),
            evolve(total, operands=[*total.operands, *read]),
            *rest,
        )


@frozen(slots=False)
class Norm(Reducing):
    """The norm of the vectors along an axis."""

    kinds: ClassVar = (kind("Norm"),)
    takes: ClassVar = ("x",)

    order: Any = setting(default=None, source="ord")

    def passes(self) -> Sequence[Sequence[str]]:
        """One pass, as the order asks."""
        return (NORMS.get(self.order, _POWERS),)

    def wholes(self) -> Sequence[Whole]:
        """As every reduction; a norm of matrices other than that of their elements has no rule."""
        if len(self.reduced) > 1 and self.order not in {None, "fro"}:
            message = f"the norm of order {self.order!r} of a matrix needs an iterative algorithm"
            raise UnsupportedError(message)
        return super().wholes()


@frozen(slots=False)
class Normalize(Operation):
    """Vectors along an axis divided by their norm."""

    kinds: ClassVar = (kind("Normalize"),)

    axis: tuple[int, ...] | None = setting(_axes, default=(-1,))
    order: Any = setting(default=2)

    def operators(self) -> Work:
        """The norm, then a division for each element."""
        source = self.inputs[0]
        axes, norm = _kept(self, self.axis)
        return (
            *reducing(NORMS.get(self.order, _POWERS), source, axes, norm),
            elementwise("divide", source, norm, output=self.outputs[0]),
        )


def _kept(operation: Operation, axis: Sequence[int] | None) -> tuple[Sequence[int], Tensor]:
    """The axes of the first operand without the batch, and it with these of length 1."""
    rank = len(operation.whole)
    axes = own_axes(operation.whole, [axis_in(one, rank) for one in axis or range(rank)])
    shape = operation.inputs[0].shape
    return axes, Tensor([1 if i in axes else length for i, length in enumerate(shape)])


@frozen(slots=False)
class Scaling(Operation):
    """Normalization by the statistics of each example, then a scale and a shift."""

    kinds: ClassVar = (kind("LayerNorm"), kind("RMSNorm"))
    takes: ClassVar = ("x", "gamma", "beta")

    axis: tuple[int, ...] = setting(settings.integers, default=(-1,))
    rms_scaling: bool = setting(settings.flag, default=False)

    def operators(self) -> Work:
        """Mean and variance of each group, then one scale and shift for each element."""
        source = self.inputs[0]
        axes, statistic = _kept(self, self.axis)
        centred = not (self.rms_scaling or self.kind == kind("RMSNorm"))
        passes = (("mean",), ("multiply", "mean")) if centred else (("multiply", "mean"),)
        held = (*self.inputs[1:], *self.constants)
        return (
            *[work for words in passes for work in reducing(words, source, axes, statistic)],
            pointwise(
                "normalize", (source, statistic, *self.inputs[1:]), self.outputs[0],
                weights=self.constants, steps=1 + bool(held),
            ),
        )  # fmt: skip


class BatchNorm(Operation):
    """A scale and a shift by given statistics."""

    kinds: ClassVar = (kind("BatchNorm"),)
    takes: ClassVar = ("x", "mean", "variance", "offset", "scale")

    def operators(self) -> Work:
        """One affine step for each element; constants are folded into one scale and shift."""
        return (pointwise("affine", self.inputs, self.outputs[0], weights=self.constants),)


@frozen(slots=False)
class OnDiagonal(Operation):
    """What becomes of the elements on a diagonal of two axes."""

    offset: int = setting(settings.integer, default=0)
    axis1: int = setting(settings.integer, default=0)
    axis2: int = setting(settings.integer, default=1)

    @property
    def others(self) -> Whole:
        """The axes that the diagonal does not cross."""
        axes = {axis_in(axis, len(self.whole)) for axis in (self.axis1, self.axis2)}
        return tuple(length for axis, length in enumerate(self.whole) if axis not in axes)

    @property
    def length(self) -> int | None:
        """The number of elements on the diagonal."""
        rows, columns = self.whole[self.axis1], self.whole[self.axis2]
        if is_batch(rows) or is_batch(columns):
            what = "its diagonal runs along the batch"
            raise mixing(what)
        if rows is None or columns is None:
            return None
        rest = columns - self.offset if self.offset > 0 else rows + self.offset
        return max(min(rest, rows, columns), 0)


class Trace(OnDiagonal):
    """The sum along a diagonal."""

    kinds: ClassVar = (kind("Trace"),)

    def wholes(self) -> Sequence[Whole]:
        """The other axes."""
        return (self.others,)

    def operators(self) -> Work:
        """The additions along the diagonal."""
        length = self.length or 1
        source = Tensor((*self.outputs[0].shape, length))
        return reducing(("sum",), source, [-1], self.outputs[0])


class InTopK(Operation):
    """Whether the prediction of the target is among the `k` greatest."""

    kinds: ClassVar = (kind("InTopK"),)
    takes: ClassVar = ("targets", "predictions")

    def wholes(self) -> Sequence[Whole]:
        """The shape of the targets."""
        return (self.wholes_given[0],)

    def operators(self) -> Work:
        """Each prediction compared with the target's, and a count of the greater ones."""
        steps = ("compare", "sum", "compare")
        return reducing(steps, self.inputs[-1], [-1], self.outputs[0])


@frozen(slots=False)
class Trapezoid(Operation):
    """The area under the elements along an axis."""

    kinds: ClassVar = (kind("Trapezoid"),)

    axis: int = setting(settings.integer, default=-1)

    def wholes(self) -> Sequence[Whole]:
        """The other axes."""
        axis = axis_in(self.axis, len(self.whole))
        return ((*self.whole[:axis], *self.whole[axis + 1 :]),)

    def operators(self) -> Work:
        """The mean of each pair of neighbours, times their distance, and their sum."""
        (axis,) = own_axes(self.whole, [axis_in(self.axis, len(self.whole))])
        shape = self.inputs[0].shape
        pairs = max((shape[axis] or 1) - 1, 1)
        between = Tensor((*shape[:axis], pairs, *shape[axis + 1 :]))
        return (
            pointwise("average", self.inputs, between, steps=2),
            *reducing(("multiply", "sum"), between, [axis], self.outputs[0]),
        )
