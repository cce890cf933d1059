"""Layers about which no rule can say anything true, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.layer import Layer
from costmodel.tensor import Shape


class UnruledError(CostModelError):
    """What a layer computes does not follow from what is known of it.

    The reader keeps such a layer with its tensors, unpriced for this `reason`.
    """

    def __init__(self, reason: str) -> None:
        """Say why."""
        super().__init__(reason)
        self.reason = reason

    def name(self, layer: Layer) -> None:
        """Say which layer it is about."""
        self.args = (f"layer {layer.name!r} of kind {layer.kind!r}: {self.reason}",)


class LostBatchError(UnruledError):
    """A result without the batch axis in front.

    What its shape says is no longer that of one example, so nothing behind it can be priced.
    """

    def __init__(self, what: str = "its result has no batch axis in front") -> None:
        """Say what became of the batch."""
        super().__init__(f"{what}: no part of it is that of one example")


@frozen(slots=False)
class Unruled(Layer):
    """A layer whose work cannot be told from its settings: always unpriced, with the reason."""

    reasons: ClassVar[Mapping[str, str]] = {}

    def output_shapes(self) -> Sequence[Shape]:
        """None that is known: the reader takes what the source recorded."""
        raise UnruledError(self.reasons[self.kind])

    @classmethod
    def describe_work(cls, kind: str) -> str:
        """Nothing, and why."""
        return f"Unpriced: {cls.reasons[kind]}."
