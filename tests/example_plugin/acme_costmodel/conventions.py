"""Acme's way of counting."""

from __future__ import annotations

from typing import Final

from costmodel import Convention, Free, Layer
from costmodel.network.layer import Work


class Products(Convention):
    """Products alone, as in Acme's brochures."""

    def work(self, layer: Layer) -> Work:
        """The operators that multiply."""
        work = super().work(layer)
        if isinstance(work, Free) or not isinstance(work, tuple):
            return work
        multiplying = tuple(operator for operator in work if operator.macs)
        return multiplying or Free("Acme counts products alone")


PRODUCTS: Final = Products("acme-products", "the products alone, as in Acme's brochures")
