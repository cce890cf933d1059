"""The table that the modules of this package fill."""

from __future__ import annotations

from typing import Final

from costmodel.frontend.translation import TranslationTable

STABLEHLO: Final = TranslationTable("stablehlo")
"""The operations of StableHLO; those of other dialects stand with it: `chlo.erf`, `func.call`."""
