"""An honest operator, and operators that break one law each."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from costmodel import Contraction, Operator, Tensor

DEPTH = 3


@frozen(kw_only=True)
class Honest(Operator):
    """Sums of three products for every result."""

    @classmethod
    def made(cls, **fields: Any) -> Honest:
        return cls(inputs=(Tensor((4, DEPTH)),), outputs=(Tensor((4,)),), **fields)

    @property
    def macs(self) -> int:
        return self.elements * DEPTH

    @property
    def operations(self) -> Mapping[str, int]:
        return {"multiply-accumulate": self.macs}

    def decompose(self) -> Sequence[Operator]:
        return (self.sums(("results", self.elements), ("products", DEPTH)),)

    def sums(self, *loops: tuple[str, int]) -> Contraction:
        return Contraction(inputs=self.inputs, outputs=self.outputs, loops=loops, reduction=DEPTH)


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
        return (self.sums(("results", self.elements)),)


@frozen(kw_only=True)
class IsItsOwnPart(Honest):
    def decompose(self) -> Sequence[Operator]:
        return (self,)


@frozen(kw_only=True)
class DoesItOnce(Honest):
    def repeated(self, times: int) -> Operator:
        return self


def with_an_open_axis() -> Operator:
    return Honest.made(parameters=(Tensor((None, DEPTH)),))


@frozen(kw_only=True)
class HasTags(Honest):
    tags: list[str] = field(factory=list)


@frozen(kw_only=True)
class KeepsTheCallersList(Honest):
    inputs: Any = ()


@frozen(kw_only=True)
class ChangesItsMind(Honest):
    moods: Any = field(factory=itertools.count, eq=False)

    def decompose(self) -> Sequence[Operator]:
        loops = [("results", self.elements), ("products", DEPTH)]
        return (self.sums(*loops[:: 1 if next(self.moods) % 2 else -1]),)


@frozen(kw_only=True)
class TalksTooMuch(Honest):
    @property
    def summary(self) -> str:
        return "sums\nof products"


LIARS = {
    CountsHalves.made: "test_its_counts_are_whole_and_not_negative",
    CallsThemOtherwise.made: "test_its_multiply_accumulates_are_among_its_operations",
    LosesWorkInItsParts.made: "test_its_parts_do_as_many_multiply_accumulates",
    IsItsOwnPart.made: "test_every_device_can_price_its_parts",
    DoesItOnce.made: "test_repeated_work_is_that_many_times_the_work",
    with_an_open_axis: "test_its_tensors_are_bound",
    HasTags.made: "test_it_is_a_frozen_value",
    KeepsTheCallersList.made: "test_a_list_that_the_caller_keeps_does_not_reach_it",
    ChangesItsMind.made: "test_the_same_question_has_the_same_answer",
    TalksTooMuch.made: "test_its_summary_is_one_line",
}
"""How to make each liar, and the law that it breaks."""
