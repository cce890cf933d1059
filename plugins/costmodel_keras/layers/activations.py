"""Activation functions by their names, and what becomes of one that no rule knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar, Final

from attrs import frozen

from costmodel.errors import nearest
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import softmax
from costmodel.workload.operators import Activation, Operand, Operator
from costmodel.workload.reasons import Unpriced
from costmodel_keras.layers.kept import activation

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


SOFTMAX: Final = frozenset({"softmax", "Softmax", "softmax_v2"})
"""The names of the softmax among them."""


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

    def activation_of(
        self,
        function: str,
        tensor: Tensor | Operand,
        *,
        axes: Sequence[int] = (-1,),
        weights: Sequence[Tensor] = (),
        in_place: bool = False,
        output: Tensor | None = None,
    ) -> Activation:
        """The evaluation of a function on a tensor; unpriced if nobody knows it.

        A softmax takes its sums along `axes`.
        """
        if function in SOFTMAX:
            return softmax(tensor, axes, in_place=in_place, output=output)
        work = activation(
            function, tensor, weights=tuple(weights), in_place=in_place, output=output
        )
        if function in self.functions:
            return work
        # The names that a program may write; a set has no order of its own.
        near = nearest(function, sorted(filter(str.islower, self.functions)))
        return UnknownActivation(
            dims=work.dims, operands=work.operands, function=function, near=near, in_place=in_place
        )

    def activated(self, work: Operator, function: str) -> tuple[Operator, ...]:
        """The operator, and the activation of its outputs unless that is linear."""
        if function == "linear":
            return (work,)
        return work, self.activation_of(function, work.outputs[0], in_place=True)
