"""An operator that Acme's device prices itself, and every other one by its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from costmodel import Contraction, Operator


@frozen(kw_only=True)
class Mixing(Operator):
    """A butterfly over the positions: in every stage each result is a sum of two products."""

    stages: int

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
        loops = {"stages": self.stages, "results": self.elements, "products": 2}
        return (Contraction(inputs=self.inputs, outputs=self.outputs, loops=loops, reduction=2),)
