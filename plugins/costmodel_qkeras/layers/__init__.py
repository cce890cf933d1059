"""The layers of QKeras, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel_qkeras.layers.contractions import (
    QConv,
    QConvBatchnorm,
    QConvTranspose,
    QDense,
    QDenseBatchnorm,
    QDepthwiseConv,
    QDepthwiseConvBatchnorm,
    QDepthwiseConvTranspose,
    QSeparableConv,
    QSeparableConvTranspose,
)
from costmodel_qkeras.layers.elementwise import (
    QActivation,
    QAdaptiveActivation,
    QAveragePooling,
    QBatchNormalization,
    QGlobalAveragePooling,
    QScaleShift,
)
from costmodel_qkeras.layers.recurrent import QBidirectional, QRecurrent

if TYPE_CHECKING:
    from costmodel.network.layer import Layer

LAYERS: tuple[type[Layer], ...] = (
    QActivation,
    QAdaptiveActivation,
    QAveragePooling,
    QBatchNormalization,
    QBidirectional,
    QConv,
    QConvBatchnorm,
    QConvTranspose,
    QDense,
    QDenseBatchnorm,
    QDepthwiseConv,
    QDepthwiseConvBatchnorm,
    QDepthwiseConvTranspose,
    QGlobalAveragePooling,
    QRecurrent,
    QScaleShift,
    QSeparableConv,
    QSeparableConvTranspose,
)
