"""Operators that have no rule, and why: what they do depends on data, or is no inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel_onnx.domains.microsoft import bare, named
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


_GENERATES: Final = "how many tokens it generates depends on data"
_PACKED: Final = "how many tokens are left without padding depends on data"
_TRAINING: Final = "it is an operator of training"

OF_MICROSOFT: Final[Mapping[str, str]] = {
    "BeamSearch": _GENERATES,
    "GreedySearch": _GENERATES,
    "Sampling": _GENERATES,
    "WhisperBeamSearch": _GENERATES,
    "PackedAttention": _PACKED,
    "PackedMultiHeadAttention": _PACKED,
    "PagedAttention": _PACKED,
    "RemovePadding": _PACKED,
    "RestorePadding": _PACKED,
    "BitmaskDropout": _TRAINING,
    "BitmaskBiasDropout": _TRAINING,
    "EPContext": "it holds a part of the network compiled for one device",
    "LongformerAttention": "which positions attend to all others depends on data",
    "SparseAttention": "how many blocks of scores it computes depends on data",
    "MoE": "which experts it reads depends on data",
    "QMoE": "which experts it reads depends on data",
    "Tokenizer": _TEXT,
}
"""Why an operator of ONNX Runtime has no rule, by its name in its domain."""


@translates(*REASONS, *named(*OF_MICROSOFT))
def unpriced(node: OnnxNode) -> Any:
    """A node that stays, for the reason of its operator."""
    node.give_up(REASONS.get(node.operator) or OF_MICROSOFT[bare(node)])
