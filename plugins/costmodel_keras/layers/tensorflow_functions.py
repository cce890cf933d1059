"""Functions of TensorFlow in networks of Keras 2 that are not functions of keras.ops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import elementwise
from costmodel.workload.reasons import Unpriced
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.movement import Moved
from costmodel_keras.layers.operations.operation import (
    Operation,
    Whole,
    axis_in,
    in_place,
    is_batch,
    joined,
    pointwise,
    product_of,
    quotient_of,
    reducing,
)
from costmodel_keras.layers.unsupported import UnsupportedError, mixing

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "tf.debugging.check_numerics": ("compare",),
    "tf.math.multiply_no_nan": ("multiply", "compare", "select"),
    "tf.math.reciprocal_no_nan": ("divide", "compare", "select"),
    "tf.math.squared_difference": ("subtract", "multiply"),
    "tf.math.xdivy": ("divide", "compare", "select"),
    "tf.math.xlogy": ("log", "multiply", "compare", "select"),
    # To the range, to whole steps and back
    "tf.quantization.fake_quant_with_min_max_args": (
        "maximum", "minimum", "subtract", "multiply", "round", "multiply", "add"
    ),
}  # fmt: skip
"""What functions of one or two operands do at every output element, step by step."""


class Stepwise(Operation):
    """Arithmetic at every element, with axes of length 1 stretched."""

    kinds: ClassVar = tuple(STEPS)

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of all operands."""
        return (joined(self.wholes_given),)

    def operators(self) -> Work:
        """The steps of the kind for each output element."""
        return self.stepwise(*STEPS[self.kind])


class SumOfMany(Operation):
    """Any number of tensors of one shape, added."""

    kinds: ClassVar = ("tf.math.add_n",)
    takes: ClassVar = ("inputs",)

    def wholes(self) -> Sequence[Whole]:
        """The shape of all of them."""
        return (joined(self.wholes_given),)

    def operators(self) -> Work:
        """One addition less than there are operands, for each element."""
        steps = len(self.wholes_given) - 1
        work = pointwise(
            "add", self.inputs, self.outputs[0], weights=self.constants, steps=max(steps, 1)
        )
        return (work,)


@frozen(slots=False)
class Gathered(Moved):
    """Elements that indices name, each example by its own indices."""

    kinds: ClassVar = ("tf.gather", "tf.gather_nd")
    takes: ClassVar = ("params", "indices")

    batch_dims: int = setting(settings.integer, default=0)
    axis: int = setting(settings.integer, default=0)

    def wholes(self) -> Sequence[Whole]:
        """Axes of the indices in place of those that they name."""
        whole, indices = (self.whole_of(self.given[name]) for name in self.takes)
        if self.kind == "tf.gather_nd":
            return (self._by_points(whole, indices),)
        axis, batch = axis_in(self.axis, len(whole)), axis_in(self.batch_dims, len(indices) + 1)
        _check_named(whole[axis : axis + 1])
        return ((*whole[:axis], *indices[batch:], *whole[axis + 1 :]),)

    def _by_points(self, whole: Whole, indices: Whole) -> Whole:
        depth = indices[-1]
        if not isinstance(depth, int):
            message = "how many axes its indices name is open"
            raise UnsupportedError(message)
        _check_named(whole[self.batch_dims : self.batch_dims + depth])
        return (*indices[:-1], *whole[self.batch_dims + depth :])


def _check_named(axes: Whole) -> None:
    if any(map(is_batch, axes)):
        what = "its indices name examples of the batch"
        raise mixing(what)


@frozen(slots=False)
class BatchBlocks(Moved):
    """Blocks of an image spread over the batch, or gathered from it."""

    kinds: ClassVar = ("tf.batch_to_space_nd", "tf.space_to_batch_nd")
    takes: ClassVar = ("input",)

    block_shape: tuple[int, ...] = setting(settings.wholes)
    edges: tuple[tuple[int, int], ...] = setting(settings.pairs)

    def wholes(self) -> Sequence[Whole]:
        """The sides shorter or longer by the blocks, and the batch the other way round."""
        batch, *sides = self.whole[: len(self.block_shape) + 1]
        rest, area = self.whole[len(self.block_shape) + 1 :], math.prod(self.block_shape)
        axes = list(zip(sides, self.block_shape, map(sum, self.edges), strict=True))
        if self.kind == "tf.space_to_batch_nd":
            shorter = [None if n is None else quotient_of(n + more, by) for n, by, more in axes]
            return ((product_of([batch, area]), *shorter, *rest),)
        longer = [None if n is None else n * by - less for n, by, less in axes]
        return ((quotient_of(batch, area), *longer, *rest),)


@frozen(slots=False)
class DiagonalMatrix(Moved):
    """Vectors on the diagonals of matrices of zeros."""

    kinds: ClassVar = ("tf.linalg.diag",)
    takes: ClassVar = ("diagonal",)

    k: int = setting(settings.integer, default=0)

    def wholes(self) -> Sequence[Whole]:
        """A square of the last axis, larger by the distance from the middle diagonal."""
        *front, length = self.whole
        if is_batch(length):
            what = "its diagonal runs along the batch"
            raise mixing(what)
        side = None if length is None else length + abs(self.k)
        return ((*front, side, side),)


@frozen(slots=False)
class SequenceMask(Operation):
    """Whether each place is before the length of its sequence."""

    kinds: ClassVar = ("tf.sequence_mask",)
    takes: ClassVar = ("lengths",)

    maxlen: int | None = setting(settings.optional(settings.whole), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The lengths, by the places."""
        if self.maxlen is None:
            message = "how many places it has depends on the data"
            raise UnsupportedError(message)
        return ((*self.whole, self.maxlen),)

    def operators(self) -> Work:
        """One comparison for each place."""
        lengths = self.inputs[0]
        stretched = Tensor((*lengths.shape, 1), rows=lengths.rows, batch_axis=lengths.batch_axis)
        return (pointwise("compare", [stretched], self.outputs[0]),)


@frozen(slots=False)
class ResponseNormalization(Operation):
    """Each channel divided by a power of the squares of its neighbours."""

    kinds: ClassVar = ("tf.nn.local_response_normalization",)
    takes: ClassVar = ("input",)

    depth_radius: int = setting(settings.whole, default=5)

    def operators(self) -> Work:
        """The square of each element, the sum of a window of them, its power and a division."""
        source, result = self.inputs[0], self.outputs[0]
        return (
            pointwise("multiply", [source], result),
            elementwise("add", result, in_place=True, steps=2 * self.depth_radius),
            *[in_place(step, result) for step in ("affine", "power", "divide")],
        )


class Standardization(Operation):
    """An image less its mean, over its standard deviation."""

    kinds: ClassVar = ("tf.image.per_image_standardization",)
    takes: ClassVar = ("image",)

    def operators(self) -> Work:
        """Mean and deviation of each image, then a difference and a quotient of each element."""
        source = self.inputs[0]
        axes = range(len(source.shape) - 3, len(source.shape))
        statistic = Tensor([1 if axis in axes else n for axis, n in enumerate(source.shape)])
        passes = (("mean",), ("subtract", "multiply", "mean", "sqrt"))
        return (
            *[work for words in passes for work in reducing(words, source, axes, statistic)],
            *self.stepwise("subtract", "divide"),
        )


UNCOUNTED: Final[Mapping[str, str]] = {
    f"tf.{name}": reason
    for reason, names in {
        "how many comparisons a sort takes depends on the data and the library": """
            argsort math.top_k sort""",
        "how many steps it takes is the library's choice": """
            linalg.inv math.cumulative_logsumexp math.digamma math.erfcinv math.lgamma
            math.ndtri""",
        "which branch a colour takes depends on the data": "image.hsv_to_rgb image.rgb_to_hsv",
        "it draws random numbers, also at inference": "nn.dropout",
    }.items()
    for name in names.split()
}
"""Why a function stays unpriced whose result has a known shape."""


@frozen(slots=False)
class Uncounted(Operation):
    """A function whose work no rule can count: unpriced, but what it gives is known."""

    kinds: ClassVar = tuple(UNCOUNTED)
    takes: ClassVar = ("x",)

    k: int = setting(settings.whole, default=1)

    def wholes(self) -> Sequence[Whole]:
        """The shape of the operand; the greatest elements and their places are `k` each."""
        if self.kind == "tf.math.top_k":
            return ((*self.whole[:-1], self.k),) * 2
        return (self.whole,)

    def operators(self) -> Work:
        """None that is known."""
        return Unpriced(UNCOUNTED[self.kind])

    @classmethod
    def describe_work(cls, kind: str) -> str:
        """Nothing, and why."""
        return f"Unpriced: {UNCOUNTED[kind]}."


LAYERS: tuple[type[Layer], ...] = (
    BatchBlocks,
    DiagonalMatrix,
    Gathered,
    ResponseNormalization,
    SequenceMask,
    Standardization,
    Stepwise,
    SumOfMany,
    Uncounted,
)
