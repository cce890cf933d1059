"""What this package raises."""

from __future__ import annotations

from costmodel.errors import CostModelError


class QToolsError(CostModelError, ValueError):
    """QTools itself raises an exception here, and there is no answer to give instead."""
