"""QKeras's layers and quantizers, the counts of its QTools, and a drop-in for that class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel_qkeras.drop_in import QTools

__all__ = ["QTools"]


def __getattr__(name: str) -> Any:
    """Import `QTools` when it is first asked for."""
    if name not in __all__:
        message = f"module 'costmodel_qkeras' has no attribute {name!r}"
        raise AttributeError(message)
    from costmodel_qkeras.drop_in import QTools  # noqa: PLC0415  # on demand

    return QTools
