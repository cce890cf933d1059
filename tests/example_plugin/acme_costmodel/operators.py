"""An operator that Acme's device prices itself, and every other one by its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from costmodel import Operator
from costmodel.tensor.shapes import Tensor
from costmodel.workload.operators import Contraction, Operand, unmapped


@frozen(kw_only=True)
class Mixing(Operator):
    """A butterfly over the positions: in every stage each result is a sum of two products."""

    stages: int

    @classmethod
    def of(cls, taken: Tensor, made: Tensor, stages: int) -> Mixing:
        """The butterfly on one tensor; the position that it reads in a stage is not affine."""
        names = [f"d{axis}" for axis in range(len(made.shape))]
        operands = [*unmapped("input", [taken]), Operand("output", made, names)]
        return cls(dims=zip(names, made.shape, strict=True), operands=operands, stages=stages)

    @property
    def macs(self) -> int:
        """Two for each result of each stage."""
        return 2 * self.stages * self.elements

    @property
    def operations(self) -> Mapping[str, int]:
        """All of them multiply-accumulates."""
        return {"multiply-accumulate": self.macs}

    def decompose(self) -> Sequence[Operator]:
        """The stages as sums of two products."""
        dims = {"stages": self.stages, **self.dims, "products": 2}
        return (Contraction(dims=dims, operands=self.operands),)
