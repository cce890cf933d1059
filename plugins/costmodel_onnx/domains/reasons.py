"""Operators that have no rule, and why: what they do depends on data, or is no inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel_onnx.nodes import OnnxNode

_TEXT: Final = "it works on texts, whose length no shape states"

REASONS: Final[Mapping[str, str]] = {
    "ImageDecoder": "the size of the image is in its bytes, which are data",
    "RegexFullMatch": _TEXT,
    "StringConcat": _TEXT,
    "StringNormalizer": _TEXT,
    "StringSplit": _TEXT,
    "TfIdfVectorizer": _TEXT,
    "Det": "the order of elimination depends on data",
}
"""Why an operator of ai.onnx has no rule, by its name."""


@translates(*REASONS)
def unpriced(node: OnnxNode) -> Any:
    """A node that stays, for the reason of its operator."""
    node.give_up(REASONS[node.operator])
