"""The loops of a contraction: their sizes, and the index at which each operand is accessed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import field, frozen

from costmodel.formats import NumericFormat
from costmodel.tensor.shapes import show_shape
from costmodel.workload.affine import Affine
from costmodel.workload.operators import Contraction, Operand
from costmodel_hardware.spatial.architecture import SLOTS, Slot, as_set

FACTORS: Final = 2
"""Operands that are multiplied."""


class Loop(NamedTuple):
    """A loop over some of a dimension: `size` steps."""

    dim: str
    size: int


def _dims(given: Mapping[str, int] | Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    pairs: Any = given.items() if isinstance(given, Mapping) else given
    return tuple((str(name), int(size)) for name, size in pairs)


@frozen
class Tensor:
    """An operand as a nest sees it: bits of an element, and one index for each axis.

    A sum that is not complete has `partial_bits`, other operands have `bits` throughout.
    """

    bits: int
    shape: tuple[int, ...]
    index: tuple[Affine, ...]
    partial_bits: int = field()

    @partial_bits.default
    def _same(self) -> int:
        return self.bits

    @property
    def dims(self) -> frozenset[str]:
        """The dimensions that its indices read."""
        return frozenset(name for one in self.index for name in one.dims)


@frozen
class Nest:
    """Multiply-accumulates over dimensions, with two factors and a sum.

    Dimensions in `serial` are steps of which each needs the one before it: they are never spread
    over an array.
    """

    dims: tuple[tuple[str, int], ...] = field(converter=_dims)
    input: Tensor
    weight: Tensor
    output: Tensor
    serial: frozenset[str] = field(default=frozenset(), converter=as_set)

    @property
    def sizes(self) -> Mapping[str, int]:
        """The steps of each dimension."""
        return dict(self.dims)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: the product of the dimensions."""
        return math.prod(size for _, size in self.dims)

    def tensor(self, slot: Slot) -> Tensor:
        """The operand in a slot."""
        found: Tensor = getattr(self, slot)
        return found

    def reads(self, slot: Slot, dim: str) -> bool:
        """Whether an operand differs along a dimension."""
        return dim in self.tensor(slot).dims

    @property
    def reduction(self) -> frozenset[str]:
        """The dimensions along which products are summed."""
        return frozenset(name for name, _ in self.dims) - self.output.dims

    @property
    def summed(self) -> frozenset[str]:
        """The dimensions along which anything is added to one result.

        These are the reduction and, where windows of results overlap as those of a transposed
        convolution do, the dimensions of the windows.
        """
        overlapping = [one.dims for one in self.output.index if _overlaps(one, self.sizes)]
        return self.reduction.union(*overlapping)


def _overlaps(index: Affine, sizes: Mapping[str, int]) -> bool:
    """Whether several steps may have one position: not if each term steps over all smaller ones."""
    reach = 0
    for dim, factor in sorted(index.terms, key=lambda term: abs(term[1])):
        if sizes[dim] > 1:
            if abs(factor) <= reach:
                return True
            reach += abs(factor) * (sizes[dim] - 1)
    return False


Formats: TypeAlias = Mapping[Slot, NumericFormat]


def nest_of(operator: Contraction, default: NumericFormat, partial_bits: int) -> Nest | str:
    """The nest of a contraction, or in words why it has none.

    The first two operands that are read are its factors. The one that is called a weight, or else
    the second, is in the slot of weights: attention keeps its keys where others keep weights.
    Biases are not part of the nest. Elements whose format is not declared are in `default`; a sum
    that is not complete has `partial_bits`, or those of the result where these are more.
    """
    read = [operand for operand in operator.operands if operand.role != "output"][:FACTORS]
    if len(read) < FACTORS or len(operator.outputs) != 1:
        return f"it has {len(read)} factors and {len(operator.outputs)} results; expected 2 and 1"
    first, second = read
    if first.role == "weight" and second.role != "weight":
        first, second = second, first
    found = {}
    for slot, operand in zip(SLOTS, (first, second, *operator.outputs), strict=True):
        made = _tensor(operand, default)
        if isinstance(made, str):
            return f"its {slot} {made}"
        found[slot] = made
    output = found["output"]
    sums = Tensor(output.bits, output.shape, output.index, max(partial_bits, output.bits))
    return Nest(operator.dims, found["input"], found["weight"], sums)


def _tensor(operand: Operand, default: NumericFormat) -> Tensor | str:
    if any(one is None for one in operand.index):
        return f"{operand} has an index that depends on data, or that no affine map states"
    index = [one for one in operand.index if one is not None]
    names = [name for one in index for name in one.dims]
    if len(set(names)) < len(names):
        return (
            f"{operand} reads a dimension along two axes of {show_shape(operand.shape)}; expected "
            "each in one"
        )
    number = operand.format or default
    bits = number.stored_bits(1)
    return Tensor(int(bits), tuple(operand.tensor.shape), tuple(index))  # type: ignore[arg-type]  # bound
