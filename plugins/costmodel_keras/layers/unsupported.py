"""Layers about which no rule can say anything true, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.network.layer import Layer
from costmodel.tensor.shapes import Shape


class UnsupportedError(CostModelError):
    """What a layer computes does not follow from what is known of it.

    The reader keeps such a layer with its tensors, unpriced for this `reason`. Where it
    `mixes_examples`, the recorded shape of its result is not that of one example.
    """

    def __init__(self, reason: str, *, mixes_examples: bool = False) -> None:
        """Say why."""
        super().__init__(reason)
        self.reason, self.mixes_examples = reason, mixes_examples

    def name(self, layer: Layer) -> None:
        """Say which layer it is about."""
        self.args = (f"layer {layer.name!r} of kind {layer.kind!r}: {self.reason}",)


def mixing(what: str) -> UnsupportedError:
    """The error for a result of which no part belongs to one example."""
    return UnsupportedError(f"{what}: no part of it is that of one example", mixes_examples=True)


@frozen(slots=False)
class UnsupportedBase(Layer):
    """A layer whose work cannot be known from its settings: always unpriced, with the reason."""

    reasons: ClassVar[Mapping[str, str]] = {}

    def output_shapes(self) -> Sequence[Shape]:
        """None that is known: the reader takes what the source recorded."""
        raise UnsupportedError(self.reasons[self.kind])

    @property
    def rows(self) -> int | None:
        """One: where the batch is in its inputs changes nothing."""
        return 1

    @classmethod
    def describe_work(cls, kind: str) -> str:
        """Nothing, and why."""
        return f"Unpriced: {cls.reasons[kind]}."
