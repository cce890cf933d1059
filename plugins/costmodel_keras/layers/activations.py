"""Activation functions by their names, and what becomes of one that no rule knows."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.errors import nearest
from costmodel.operators import Activation, Operator, Unpriced

_CURVES = """
    Abs Absolute Arccos Arccosh Arcsin Arcsinh Arctan Arctanh Cbrt Ceil Celu Cos Cosh Elu Erf Erfc
    Erfinv Exp Exp2 Expm1 Fabs Floor Gelu HardShrink HardSigmoid HardSilu HardTanh I0 LeakyRelu
    Log Log10 Log1p Log2 LogSigmoid LogSoftmax Relu Relu6 Round Rsqrt Selu Sigmoid Sign Signbit
    Silu Sin Sinc Sinh SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sparsemax
    Sqrt Squareplus Tan Tanh TanhShrink Threshold Trunc
"""

CURVES: Final = tuple(_CURVES.split())  # a table
"""The classes in keras.ops of functions of one operand that count as one activation."""


def function_of(kind: str) -> str:
    """The name of a function as Keras writes it in Python, from its kind: `hard_sigmoid`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.rpartition(".")[2]).lower()


FUNCTIONS: Final = frozenset({
    *map(function_of, CURVES),
    "exponential", "gelu_approximate", "hard_swish", "linear", "mish", "prelu", "quick_gelu",
    "swish", "thresholded_relu",
    "log_softmax_v2", "softmax_v2",  # what TensorFlow calls its own
    # Layers that are given as activations keep the name of their class.
    "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU",
})  # fmt: skip
"""The activation functions of one element or axis that Keras has, in any of its versions and by
any of their names, and those of keras-hub."""


@frozen(kw_only=True)
class UnknownActivation(Activation):
    """A function of every element of which only the name is known: no device prices it.

    `near` is the known name that it may be meant for.
    """

    near: str | None = None

    @property
    def summary(self) -> str:
        """One line that names the function and the number of elements."""
        return f"activation {self.function!r:.80}: {self.elements:,} x activation"

    @property
    def unpriced(self) -> Unpriced:
        """That nobody knows what it computes."""
        hint = f"; nearest known: {self.near!r}" if self.near else ""
        return Unpriced(f"no rule says what the activation {self.function!r:.80} computes{hint}")


class Activating:
    """A layer that may apply an activation function, given by its name."""

    __slots__ = ()

    functions: ClassVar[AbstractSet[str]] = FUNCTIONS
    """The names that it knows."""

    def activation_of(self, function: str, **tensors: Any) -> Activation:
        """The evaluation of a function on these tensors; unpriced if nobody knows it."""
        if function in self.functions:
            return Activation(function=function, **tensors)
        # The names that a program may write; a set has no order of its own.
        near = nearest(function, sorted(filter(str.islower, self.functions)))
        return UnknownActivation(function=function, near=near, **tensors)

    def activated(self, work: Operator, function: str) -> tuple[Operator, ...]:
        """The operator, and the activation of its outputs unless that is linear."""
        if function == "linear":
            return (work,)
        tensors = work.outputs
        return work, self.activation_of(function, inputs=tensors, outputs=tensors, in_place=True)
