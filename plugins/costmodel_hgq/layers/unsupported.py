"""Layers of HGQ2 about which no rule can say what they cost, and why."""

from __future__ import annotations

from typing import ClassVar, Final

from attrs import frozen

from costmodel_keras.layers.unsupported import UnsupportedBase

_TABLES: Final = (
    "each of its products is a table that a small network filled; how large a circuit it becomes "
    "depends on the synthesis"
)
_SPIKES: Final = "its neurons have quantized states and spikes, of which no rule knows the cost"
_SCORES: Final = "it convolves the scores of attention; no rule joins that to the rest"
_PROJECTED: Final = "it projects keys and values along their positions first; no rule joins that"

_GIVEN: Final = "its cell is one of a program; QSimpleRNN and QGRU have rules"

REASONS: Final = {
    "hgq.LIFCell": _SPIKES,
    "hgq.QConvT1D": _TABLES,
    "hgq.QConvT2D": _TABLES,
    "hgq.QDenseT": _TABLES,
    "hgq.QEinsumDenseT": _TABLES,
    "hgq.QLIF": _SPIKES,
    "hgq.QLIFCell": _SPIKES,
    "hgq.QLinformerAttention": _PROJECTED,
    "hgq.QLinformerAttentionT": _TABLES,
    "hgq.QMultiHeadAttentionT": _TABLES,
    "hgq.QRNN": _GIVEN,
    "hgq.QSALTAttention": _SCORES,
    "hgq.QSimpleSNN": _SPIKES,
    "hgq.QSimpleSNNCell": _SPIKES,
    "hgq.SpikingNeuralCell": _SPIKES,
}


@frozen(slots=False)
class UnsupportedLayer(UnsupportedBase):
    """A layer whose work does not follow from its settings: unpriced, with the reason."""

    kinds: ClassVar = tuple(REASONS)
    reasons: ClassVar = REASONS
