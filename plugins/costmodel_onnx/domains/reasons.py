"""Operators that have no rule, and why: what they do depends on data, or is no inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TEXT: Final = "it works on texts, whose length no shape states"
_TRAINING: Final = "it belongs to training, and costs here are those of inference"
_IN_PARTS: Final = "it is written as a function of other operators; export it so, or add a rule"

REASONS: Final[Mapping[str, str]] = {
    "ImageDecoder": "the size of the image is in its bytes, which are data",
    "RegexFullMatch": _TEXT,
    "StringConcat": _TEXT,
    "StringNormalizer": _TEXT,
    "StringSplit": _TEXT,
    "TfIdfVectorizer": _TEXT,
    "Det": "the order of elimination depends on data",
    "AffineGrid": _IN_PARTS,
}
"""Why an operator of ai.onnx has no rule, by its name."""
