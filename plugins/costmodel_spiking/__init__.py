"""KerasSpiking's layers, its counting convention, and a drop-in for its ModelEnergy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel_spiking.model_energy import ModelEnergy

__all__ = ["ModelEnergy"]


def __getattr__(name: str) -> Any:
    """Import `ModelEnergy` when it is first asked for."""
    if name not in __all__:
        message = f"module 'costmodel_spiking' has no attribute {name!r}"
        raise AttributeError(message)
    from costmodel_spiking.model_energy import ModelEnergy  # noqa: PLC0415  # on demand

    return ModelEnergy
