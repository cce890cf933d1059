"""QKeras's layers and quantizers, the counts of its QTools, and a drop-in for that class."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from costmodel_qkeras.drop_in import QTools
    from costmodel_qkeras.qtools.errors import (
        QToolsError,
        TagMissingError,
        UnacceptedQuantizerError,
        WrongInputQuantizerError,
    )

__all__ = [
    "QTools", "QToolsError", "TagMissingError", "UnacceptedQuantizerError",
    "WrongInputQuantizerError",
]  # fmt: skip

_ERRORS: Final = "costmodel_qkeras.qtools.errors"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in __all__:
        message = f"module 'costmodel_qkeras' has no attribute {name!r}"
        raise AttributeError(message)
    home = "costmodel_qkeras.drop_in" if name == "QTools" else _ERRORS
    return getattr(import_module(home), name)
