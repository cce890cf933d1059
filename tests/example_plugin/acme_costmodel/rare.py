"""Layers of Acme that few networks have; nobody waits for them in vain."""

from __future__ import annotations

from typing import ClassVar

from costmodel import Layer
from costmodel.network.layer import Work
from costmodel.workload.reasons import Free


class Passing(Layer):
    """Hands on what it gets."""

    kinds: ClassVar = ("acme.rare.Passing",)

    def operators(self) -> Work:
        """No work."""
        return Free("the same elements in the same order")


LAYERS = (Passing,)
