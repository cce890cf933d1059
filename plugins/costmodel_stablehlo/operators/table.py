"""The table that the modules of this package fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from costmodel.frontend.translation import TranslationTable

if TYPE_CHECKING:
    from costmodel.frontend.translation import Rule
    from costmodel_stablehlo.nodes import ModuleNode

ModuleRule: TypeAlias = "Callable[[ModuleNode], Any]"

STABLEHLO: Final = TranslationTable("stablehlo")
"""The operations of StableHLO; those of other dialects stand with it: `chlo.erf`, `func.call`."""


def translates(*operators: str) -> Callable[[ModuleRule], ModuleRule]:
    """Mark a function as the rule of these operations; their nodes know types and regions."""

    def kept(rule: ModuleRule) -> ModuleRule:
        STABLEHLO.translates(*operators)(cast("Rule", rule))
        return rule

    return kept
