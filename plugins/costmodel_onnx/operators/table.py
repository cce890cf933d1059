"""The table that the modules of this package fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from costmodel.frontend.translation import TranslationTable

ONNX: Final = TranslationTable("onnx")
"""The operators of ONNX; those of another domain stand behind its name: `com.microsoft::QGemm`."""

_Rule = TypeVar("_Rule", bound=Callable[..., Any])


def translates(*operators: str) -> Callable[[_Rule], _Rule]:
    """Mark a function as the rule of these operators."""

    def kept(rule: _Rule) -> _Rule:
        ONNX.translates(*operators)(rule)
        return rule

    return kept
