"""Functions of keras.ops of each element by itself, or of elements at one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Work, setting
from costmodel.workload.builders import copy, fill
from costmodel.workload.reasons import Free
from costmodel_keras.arguments import LayerInput
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import CURVES, function_of
from costmodel_keras.layers.operations.operation import (
    Operation,
    Whole,
    axis_in,
    is_batch,
    joined,
    kind,
    pointwise,
    product_of,
    quotient_of,
    tensor_of,
)
from costmodel_keras.layers.unsupported import UnsupportedError, mixing

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    kind(name): steps
    for names, steps in (
        ("Negative", ("subtract",)),
        ("Square Deg2rad Rad2deg", ("multiply",)),
        ("Reciprocal", ("divide",)),
        ("Isfinite Isinf Isnan Isneginf Isposinf", ("compare",)),
        ("NanToNum", ("compare", "select")),
        ("BitwiseInvert BitwiseNot LogicalNot", ("logic",)),
        ("Add", ("add",)),
        ("Subtract", ("subtract",)),
        ("Multiply", ("multiply",)),
        ("Divide TrueDivide", ("divide",)),
        ("DivideNoNan", ("divide", "compare", "select")),
        ("FloorDivide", ("divide", "floor")),
        ("Fmod Mod", ("divide", "floor", "multiply", "subtract")),
        ("Power", ("power",)),
        ("Maximum Fmax", ("maximum",)),
        ("Minimum Fmin", ("minimum",)),
        ("Equal Greater GreaterEqual Less LessEqual NotEqual", ("compare",)),
        # |x1 - x2| against atol + rtol |x2|
        ("Isclose", ("subtract", "absolute", "absolute", "multiply", "add", "compare")),
        ("LogicalAnd LogicalOr LogicalXor BitwiseAnd BitwiseOr BitwiseXor", ("logic",)),
        ("BitwiseLeftShift BitwiseRightShift LeftShift RightShift", ("logic",)),
        ("Arctan2", ("arctan2",)),
        ("Heaviside", ("compare", "select")),
        ("Hypot", ("multiply", "multiply", "add", "sqrt")),
        ("Ldexp", ("exp2", "multiply")),
        # The larger of both, and the logarithm of 1 plus the other's share
        ("Logaddexp", ("maximum", "subtract", "exp", "log1p", "add")),
        ("Logaddexp2", ("maximum", "subtract", "exp2", "add", "log2", "add")),
        ("Nextafter", ("nextafter",)),
        ("Kron", ("multiply",)),
    )
    for name in names.split()
}
"""What functions of one or two operands do at every output element, step by step."""


class Curve(Operation):
    """A non-linear function of every element, which the kind names."""

    kinds: ClassVar = tuple(map(kind, CURVES))

    def operators(self) -> Work:
        """One activation."""
        return self.stepwise(function_of(self.kind))


class Stepwise(Operation):
    """Arithmetic, comparison or logic at every element, with axes of length 1 stretched."""

    kinds: ClassVar = tuple(name for name in STEPS if name != kind("Kron"))

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of all operands; tolerances of a comparison are numbers."""
        return (joined(self.wholes_given),)

    def operators(self) -> Work:
        """The steps of the kind for each output element."""
        return self.stepwise(*STEPS[self.kind])


class Kron(Operation):
    """Every element of one operand times every element of the other."""

    kinds: ClassVar = (kind("Kron"),)

    def wholes(self) -> Sequence[Whole]:
        """The product of the lengths of each axis."""
        left, right = self.wholes_given
        rank = max(len(left), len(right))
        pairs = zip(
            (1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True
        )
        return (tuple(map(product_of, pairs)),)

    def operators(self) -> Work:
        """One product for each output element."""
        return self.stepwise(*STEPS[self.kind])


class Clip(Operation):
    """Elements held between two bounds."""

    kinds: ClassVar = (kind("Clip"), kind("SaturateCast"))

    def operators(self) -> Work:
        """Two comparisons for each element."""
        return self.stepwise("maximum", "minimum")


class Where(Operation):
    """Each element from one of two operands, as a condition says."""

    kinds: ClassVar = (kind("Where"),)
    takes: ClassVar = ("condition", "x1", "x2")

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of the condition and both operands."""
        if self.given.get("x1") is None:
            message = "how many elements it finds depends on the data"
            raise UnsupportedError(message, mixes_examples=True)
        return (joined(self.wholes_given),)

    def operators(self) -> Work:
        """One selection for each element."""
        return self.stepwise("select")


class Select(Operation):
    """Each element from one of several operands, the first whose condition holds."""

    kinds: ClassVar = (kind("Select"),)
    takes: ClassVar = ("condlist", "choicelist", "default")

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of all conditions and operands."""
        return (joined(self.wholes_given),)

    def operators(self) -> Work:
        """One selection for each element and condition."""
        conditions = self.given["condlist"]
        number = len(conditions) if isinstance(conditions, tuple) else 1
        return self.stepwise(*["select"] * number)


@frozen(slots=False)
class Cumulative(Operation):
    """The sum or product of all elements up to each along an axis."""

    kinds: ClassVar = tuple(map(kind, ("Cumprod", "Cumsum", "Nancumprod", "Nancumsum")))

    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The shape of the operand; without an axis all is one."""
        if self.axis is None:
            return ((product_of(self.whole),),)
        axis_in(self.axis, len(self.whole))
        return (self.whole,)

    def operators(self) -> Work:
        """One step for each element."""
        step = "multiply" if "prod" in self.kind else "add"
        missing = ("compare", "select") if "Nan" in self.kind else ()
        return self.stepwise(*missing, step)


class Conversion(Operation):
    """The same numbers in another format."""

    kinds: ClassVar = (kind("Cast"),)

    def operators(self) -> Work:
        """One movement."""
        return (copy("conversion", self.inputs[0], output=self.outputs[0]),)


class PassedOn(Operation):
    """The operand itself, at inference."""

    kinds: ClassVar = tuple(map(kind, ("Array", "ConvertToTensor", "Copy", "StopGradient")))

    def operators(self) -> Work:
        """No work."""
        return Free("the same elements in the same order")


class Filling(Operation):
    """A tensor of one number, shaped as the operand."""

    kinds: ClassVar = tuple(map(kind, ("EmptyLike", "FullLike", "OnesLike", "ZerosLike")))
    takes: ClassVar = ("x", "fill_value")

    def operators(self) -> Work:
        """The writing of the output; nothing of the operand is read."""
        return (fill(self.outputs[0]),)


class Searching(Operation):
    """The place of every element among sorted bounds."""

    kinds: ClassVar = (kind("Digitize"), kind("SearchSorted"))

    @property
    def _bounds(self) -> Whole:
        first, second = self.wholes_given[:2]
        return first if self.kind == kind("SearchSorted") else second

    def wholes(self) -> Sequence[Whole]:
        """The shape of what is searched for."""
        first, second = self.wholes_given[:2]
        if len(self._bounds) != 1:
            message = f"the bounds have {len(self._bounds)} axes; expected one"
            raise ValueError(message)
        return (second if self.kind == kind("SearchSorted") else first,)

    def operators(self) -> Work:
        """A comparison for each halving of the bounds, for every element."""
        work = pointwise(
            "compare", self.inputs, self.outputs[0], weights=self.constants,
            steps=max((self._bounds[-1] or 1).bit_length(), 1),
        )  # fmt: skip
        return (work,)


class Membership(Operation):
    """Whether each element is among those of a second operand."""

    kinds: ClassVar = (kind("IsIn"),)

    def operators(self) -> Work:
        """A comparison with every element of the second operand."""
        other = self.given["x2"]
        tensor = self.inputs[other.index] if isinstance(other, LayerInput) else None
        size = tensor.size if tensor else sum(item.size for item in self.constants)
        work = pointwise(
            "compare", self.inputs, self.outputs[0], weights=self.constants, steps=max(size, 1)
        )
        return (work,)


_MOST_ROUNDS: Final = 1000
"""Differences of differences; each is an operator."""


def _times(value: Any) -> int:
    number = settings.integer(value)
    if not 0 <= number <= _MOST_ROUNDS:
        message = f"expected a whole number of 0 to {_MOST_ROUNDS:,}"
        raise ValueError(message)
    return number


@frozen(slots=False)
class Difference(Operation):
    """Each element less the one before it along an axis, `n` times over."""

    kinds: ClassVar = (kind("Diff"),)

    n: int = setting(_times, default=1)
    axis: int = setting(settings.integer, default=-1)

    def _after(self, times: int) -> Whole:
        axis = axis_in(self.axis, len(self.whole))
        length = self.whole[axis]
        if is_batch(length):
            what = "it takes differences between examples"
            raise mixing(what)
        shorter = None if length is None else length - times
        return (*self.whole[:axis], shorter, *self.whole[axis + 1 :])

    def wholes(self) -> Sequence[Whole]:
        """The axis shorter by `n`."""
        return (self._after(self.n),)

    def operators(self) -> Work:
        """One subtraction for each element that is left, each time."""
        rounds = [tensor_of(self._after(times)) for times in range(1, self.n + 1)]
        if not rounds:
            return Free("the same elements in the same order")
        sources = (self.inputs[0], *rounds)
        return tuple(
            pointwise("subtract", [source], result)
            for source, result in zip(sources, rounds, strict=False)
        )


@frozen(slots=False)
class CrossProduct(Operation):
    """The vector at right angles to two of three elements each."""

    kinds: ClassVar = (kind("Cross"),)

    axisa: int = setting(settings.integer, default=-1)
    axisb: int = setting(settings.integer, default=-1)
    axisc: int = setting(settings.integer, default=-1)
    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of the other axes, and three elements."""
        axes = (self.axisa, self.axisb, self.axisc) if self.axis is None else (self.axis,) * 3
        left, right = self.wholes_given
        first, second = axis_in(axes[0], len(left)), axis_in(axes[1], len(right))
        if left[first] != 3 or right[second] != 3:  # noqa: PLR2004  # three dimensions
            message = "a vector of its operands has not three elements"
            raise UnsupportedError(message)
        rest = joined([
            (*left[:first], *left[first + 1 :]), (*right[:second], *right[second + 1 :])
        ])  # fmt: skip
        place = axis_in(axes[2], len(rest) + 1)
        return ((*rest[:place], 3, *rest[place:]),)

    def operators(self) -> Work:
        """Two products and their difference for each element."""
        return self.stepwise("multiply", "multiply", "subtract")


@frozen(slots=False)
class GatedLinear(Operation):
    """One half of the elements times the sigmoid of the other."""

    kinds: ClassVar = (kind("Glu"),)

    axis: int = setting(settings.integer, default=-1)

    def wholes(self) -> Sequence[Whole]:
        """The axis half as long."""
        axis = axis_in(self.axis, len(self.whole))
        half = quotient_of(self.whole[axis], 2)
        return ((*self.whole[:axis], half, *self.whole[axis + 1 :]),)

    def operators(self) -> Work:
        """An activation and a product for each output element."""
        return self.stepwise("sigmoid", "multiply")
