"""The layer of Acme's framework."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from acme_costmodel.operators import Mixing
from costmodel import Layer
from costmodel.network.layer import Work


@frozen(slots=False)
class MixingLayer(Layer):
    """Mixes positions by butterflies; it has no parameters."""

    kinds: ClassVar = ("acme.Mixing",)

    def operators(self) -> Work:
        """As many stages as it takes for every position to reach every other."""
        positions = self.input_shape[0] or 1
        stages = max(1, (positions - 1).bit_length())
        return (Mixing.of(self.inputs[0], self.outputs[0], stages),)
