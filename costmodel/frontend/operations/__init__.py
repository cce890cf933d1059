"""The operations that all frontends translate to, and the operators and shapes that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations import (
    contractions,
    movements,
    pointwise,
    recurrence,
    statistics,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Rule

OPERATIONS: Final[Mapping[str, Rule]] = {
    **pointwise.RULES,
    **contractions.RULES,
    **windows.RULES,
    **statistics.RULES,
    **movements.RULES,
    **recurrence.RULES,
}
"""The rule of every operation by its name."""
