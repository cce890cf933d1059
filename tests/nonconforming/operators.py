"""An honest operator, and operators that break one law each."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

from attrs import field, frozen

from costmodel import Operator
from costmodel.tensor.shapes import Tensor
from costmodel.workload.affine import Accesses
from costmodel.workload.operators import Contraction, Operand

DEPTH = 3


@frozen(kw_only=True)
class Honest(Operator):
    """Sums of three products for every result."""

    @classmethod
    def made(cls, **fields: Any) -> Honest:
        operands = [
            Operand("input", (4, DEPTH), ["results", "products"]),
            Operand("output", (4,), ["results"]),
        ]
        dims = {"results": 4, "products": DEPTH}
        return cls(**{"dims": dims, "operands": operands, **fields})

    @property
    def macs(self) -> int:
        return self.elements * DEPTH

    @property
    def operations(self) -> Mapping[str, int]:
        return {"multiply-accumulate": self.macs}

    def decompose(self) -> Sequence[Operator]:
        return (self.sums(),)

    def sums(self, **sizes: int) -> Contraction:
        return Contraction(dims={**self.dims, **sizes}, operands=self.operands)


@frozen(kw_only=True)
class CountsHalves(Honest):
    @property
    def operations(self) -> Mapping[str, Any]:
        return {"multiply-accumulate": self.macs, "add": self.elements / 2}


@frozen(kw_only=True)
class CallsThemOtherwise(Honest):
    @property
    def operations(self) -> Mapping[str, int]:
        return {"madd": self.macs}


@frozen(kw_only=True)
class LosesWorkInItsParts(Honest):
    def decompose(self) -> Sequence[Operator]:
        return (self.sums(products=1),)


@frozen(kw_only=True)
class IsItsOwnPart(Honest):
    def decompose(self) -> Sequence[Operator]:
        return (self,)


@frozen(kw_only=True)
class DoesItOnce(Honest):
    def repeated(self, times: int, dim: str = "repeat") -> Self:
        return self


def with_an_open_axis() -> Operator:
    table = Operand("weight", Tensor((None, DEPTH)), ["results", "products"])
    return Honest.made(operands=[*Honest.made().operands, table])


@frozen(kw_only=True)
class HasTags(Honest):
    tags: list[str] = field(factory=list)


class _Kept:
    """The operands that a caller gave, whatever becomes of them."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __iter__(self) -> Any:
        return iter(self.given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@frozen(kw_only=True)
class KeepsTheCallersList(Honest):
    operands: Any = field(default=(), converter=_Kept)


@frozen(kw_only=True)
class ChangesItsMind(Honest):
    moods: Any = field(factory=itertools.count, eq=False)

    def decompose(self) -> Sequence[Operator]:
        read, written = self.operands
        swapped = [written, read] if next(self.moods) % 2 else [read, written]
        return (Contraction(dims=self.dims, operands=swapped),)


@frozen(kw_only=True)
class ReadsMoreThanThereIs(Honest):
    def accesses(self, operand: Operand) -> Accesses:
        return super().accesses(operand)._replace(elements=operand.size + 1)


@frozen(kw_only=True)
class TalksTooMuch(Honest):
    @property
    def summary(self) -> str:
        return "sums\nof products"


NONCONFORMING = {
    CountsHalves.made: "test_its_counts_are_whole_and_not_negative",
    CallsThemOtherwise.made: "test_its_multiply_accumulates_are_among_its_operations",
    LosesWorkInItsParts.made: "test_its_parts_do_as_many_multiply_accumulates",
    IsItsOwnPart.made: "test_every_device_can_price_its_parts",
    DoesItOnce.made: "test_repeated_work_is_that_many_times_the_work",
    with_an_open_axis: "test_its_tensors_are_bound",
    ReadsMoreThanThereIs.made: "test_its_accesses_lie_inside_its_operands",
    HasTags.made: "test_it_is_a_frozen_value",
    KeepsTheCallersList.made: "test_a_list_that_the_caller_keeps_does_not_reach_it",
    ChangesItsMind.made: "test_the_same_question_has_the_same_answer",
    TalksTooMuch.made: "test_its_summary_is_one_line",
}
"""How to make each class, and the law that it breaks."""
