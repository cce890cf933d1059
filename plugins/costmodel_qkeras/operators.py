"""What QTools charges for, as operators: tensors on the move, and arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Reason
from costmodel_qkeras.qtools.records import Stored, Work


@frozen(kw_only=True)
class Transfer(Operator):
    """Tensors read from memory or written to it.

    `role` is `input`, `weight` or `output`; a layer `at_the_edge` of the network exchanges these
    with the outside.
    """

    role: str
    stored: tuple[Stored, ...]
    at_the_edge: bool = False

    @property
    def bits(self) -> int:
        """Bits of all tensors."""
        return sum(tensor.elements * tensor.bits for tensor in self.stored)

    @property
    def summary(self) -> str:
        """The bits and what they are."""
        return f"transfer: {self.bits:,} bits of role {self.role}"


@frozen(kw_only=True)
class Arithmetic(Operator):
    """Every work of a layer done `repetitions` times; `is_contraction` if they are sums."""

    work: tuple[Work, ...]
    repetitions: int
    is_contraction: bool

    @property
    def macs(self) -> int:
        """Multiply-accumulates as QTools counts them."""
        return self.repetitions if self.is_contraction else 0

    @property
    def operations(self) -> Mapping[str, int]:
        """The circuits at work."""
        return {work.operation: self.repetitions for work in self.work}


@frozen(kw_only=True)
class Uncounted(Operator):
    """Work that QTools knows nothing of, with what is to be said about it."""

    reason: Reason
    true_macs: int = 0

    @property
    def macs(self) -> int:
        """As many as the layer truly needs."""
        return self.true_macs

    @property
    def summary(self) -> str:
        """What is said about it."""
        return f"uncounted: {self.reason.reason}"
