"""What this package raises."""

from __future__ import annotations

import sys
from typing import ClassVar

from costmodel.errors import CostModelError


class QToolsError(CostModelError, ValueError):
    """QTools itself raises an exception here, and there is no answer to give instead."""

    module: ClassVar[str] = ""
    """The module of QTools that has an exception of the same name, if one does."""


class WrongInputQuantizerError(QToolsError):
    """There is neither one source quantizer for all inputs nor one for each."""

    module = "qkeras.qtools.qgraph"


class UnacceptedQuantizerError(QToolsError):
    """A division by a datatype that QTools cannot divide by."""

    module = "qkeras.qtools.quantized_operators.divider_factory"


class TagMissingError(QToolsError):
    """Weights with a quantizer that QTools has no datatype for."""

    module = "qkeras.qtools.generate_layer_data_type_map"


def as_original(error: QToolsError) -> QToolsError:
    """The same error, which an `except` clause for QTools' own exception catches as well.

    A program that was written for QTools has imported the exceptions that it catches. QKeras is
    never imported here.
    """
    own = type(error)
    original = getattr(sys.modules.get(own.module), own.__name__, None)
    if original is None:
        return error
    both: type[QToolsError] = type(own.__name__, (own, original), {"__module__": own.__module__})
    return both(str(error))
