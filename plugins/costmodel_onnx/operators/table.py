"""The table that the modules of this package fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from costmodel.frontend.translation import TranslationTable

if TYPE_CHECKING:
    from costmodel_onnx.nodes import OnnxNode

ONNX: Final = TranslationTable("onnx")
"""The operators of ONNX; those of another domain stand behind its name: `com.microsoft::QGemm`."""

_Rule: TypeAlias = "Callable[[OnnxNode], Any]"


def translates(*operators: str) -> Callable[[_Rule], _Rule]:
    """Mark a function as the rule of these operators."""

    def kept(rule: _Rule) -> _Rule:
        ONNX.translates(*operators)(rule)  # type: ignore[arg-type]  # its nodes are those of ONNX
        return rule

    return kept
