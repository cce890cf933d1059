"""The layers that QTools tells apart, by the bare names of their classes."""

from __future__ import annotations

from typing import Final

DEPTHWISE: Final = frozenset({"DepthwiseConv2D", "QDepthwiseConv2D"})
TRANSPOSED: Final = frozenset({"Conv2DTranspose", "QConv2DTranspose"})
DENSE: Final = frozenset({"Dense", "QDense"})
CONTRACTIONS: Final = (
    DENSE | DEPTHWISE | TRANSPOSED | frozenset({"Conv1D", "Conv2D", "QConv1D", "QConv2D"})
)
SELF_FOLDING: Final = frozenset({"QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm"})
NORMALIZATIONS: Final = frozenset({"BatchNormalization", "QBatchNormalization"})
ACTIVATIONS: Final = frozenset({"Activation", "QActivation", "QAdaptiveActivation"})
QUANTIZED_POOLS: Final = frozenset({"QAveragePooling2D", "QGlobalAveragePooling2D"})
POOLS: Final = QUANTIZED_POOLS | frozenset({"AveragePooling2D", "GlobalAveragePooling2D"})
SELECTORS: Final = frozenset({
    "Flatten", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "MaxPooling1D",
    "MaxPooling2D", "MaxPooling3D", "Reshape",
})  # fmt: skip
UPSAMPLINGS: Final = frozenset({"UpSampling1D", "UpSampling2D", "UpSampling3D"})
CUT_OUT: Final = frozenset({"Dropout", "InputLayer"})
"""What QTools removes from its graph before it looks at anything."""
