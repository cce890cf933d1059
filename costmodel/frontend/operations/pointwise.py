"""Functions of every element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations.work import Value, Work, seen_as
from costmodel.workload.affine import axis_index
from costmodel.workload.builders import activation, elementwise
from costmodel.workload.builders.shapes import broadcast
from costmodel.workload.operators import Activation, Operand, Unsupported, output_of, unmapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.frontend.operations.work import Rule


def pointwise(
    *values: Value, function: str, steps: int = 1, in_place: bool = False, relation: str = ""
) -> Work:
    """A function of ELEMENTWISE on the broadcast of values; constant numbers are part of it.

    `relation` says which comparison or logic function it is (`LT`, `and`), where that is known:
    the cost does not depend on it, but what a region of nodes computes does.
    """
    kept = [value.stored for value in values if not value.is_immediate] or list(values[:1])
    shape = broadcast([value.shape for value in values])
    if broadcast([value.shape for value in kept]) != shape:  # a number stretches the others
        kept = list(values)
    inputs = [value for value in kept if not value.is_constant]
    weights = [value for value in kept if value.is_constant]
    work = elementwise(
        function, *[value.tensor for value in inputs], weights=[value.tensor for value in weights],
        steps=steps, in_place=in_place, output=shape,
    )  # fmt: skip
    return Work(work, [*inputs, *weights])


def curve(value: Value, *weights: Value, function: str, in_place: bool = False) -> Work:
    """A non-linear function of one element, with trained constants if it has any."""
    held = [one for one in weights if not one.is_immediate]
    work = activation(
        function, value.tensor, weights=[one.tensor for one in held], in_place=in_place
    )
    return Work(work, [value, *held])


def update(*currents: Value, function: str) -> Work:
    """An update of neurons, each of which sums the currents that arrive at it.

    All currents have the shape of the result. That they are summed is part of the update.
    """
    axes = [axis_index(f"d{place}") for place in range(currents[0].rank)]
    dims = {f"d{place}": length for place, length in enumerate(currents[0].shape)}
    operands = [
        *[Operand("input", value.tensor, axes) for value in currents],
        Operand("output", currents[0].tensor, axes),
    ]
    return Work(Activation(dims=dims, operands=operands, function=function), currents)


def identity(value: Value) -> Work:
    """The same elements."""
    return seen_as(value, value.shape)


def unsupported(*values: Value, reason: str, shapes: Sequence[Sequence[int]]) -> Work:
    """Work that nobody knows: it stays unpriced, for the reason."""
    operands = [
        *[one for value in values for one in unmapped(value.role, [value.tensor])],
        *[output_of(shape, *[None] * len(tuple(shape))) for shape in shapes],
    ]
    return Work(Unsupported(reason=reason, operands=operands), values)


RULES: Final[Mapping[str, Rule]] = {
    "elementwise": pointwise,
    "activation": curve,
    "update": update,
    "identity": identity,
    "unsupported": unsupported,
}
