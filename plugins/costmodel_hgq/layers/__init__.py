"""The layers of HGQ2, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel_hgq.layers.attention import QMultiHeadAttention
from costmodel_hgq.layers.contractions import QConv, QDense, QDot, QEinsum, QEinsumDense
from costmodel_hgq.layers.elementwise import (
    QAffinedUnaryFunction,
    QBatchNormalization,
    QGlobalPooling,
    QPooling,
    QSoftmax,
    QSum,
    QUnaryFunction,
    StandaloneQuantizer,
)
from costmodel_hgq.layers.merging import QMerge
from costmodel_hgq.layers.recurrent import QCell, QRecurrent
from costmodel_hgq.layers.unsupported import UnsupportedLayer

if TYPE_CHECKING:
    from costmodel.network.layer import Layer

LAYERS: tuple[type[Layer], ...] = (
    QAffinedUnaryFunction,
    QBatchNormalization,
    QCell,
    QConv,
    QDense,
    QDot,
    QEinsum,
    QEinsumDense,
    QGlobalPooling,
    QMerge,
    QMultiHeadAttention,
    QPooling,
    QRecurrent,
    QSoftmax,
    QSum,
    QUnaryFunction,
    StandaloneQuantizer,
    UnsupportedLayer,
)
