"""The layers of keras.layers, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel_keras.layers.applications import CustomScaleLayer, LayerScale
from costmodel_keras.layers.attention import (
    AdditiveAttention,
    Attention,
    GroupedQueryAttention,
    MultiHeadAttention,
)
from costmodel_keras.layers.basic import (
    ActivationLayer,
    Dense,
    Embedding,
    InputLayer,
    NamedActivation,
    ParametricRectifier,
    TrainingOnly,
)
from costmodel_keras.layers.constants import Constant, Variables
from costmodel_keras.layers.convolution import Conv, ConvTranspose, DepthwiseConv, SeparableConv
from costmodel_keras.layers.einsum import EinsumDense
from costmodel_keras.layers.embedding import ReversibleEmbedding
from costmodel_keras.layers.merging import Concatenate, Dot, Merge
from costmodel_keras.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    RootMeanSquareNormalization,
    UnitNormalization,
)
from costmodel_keras.layers.pooling import AdaptivePooling, GlobalPooling, Pooling
from costmodel_keras.layers.preprocessing import (
    Augmentation,
    AutoContrast,
    CategoryEncoding,
    CenterCrop,
    Discretization,
    Identity,
    Masking,
    Resizing,
    UnruledLayer,
)
from costmodel_keras.layers.recurrent import (
    Bidirectional,
    ConvCell,
    DenseCell,
    Recurrent,
    RecurrentWithCell,
    StackedCells,
)
from costmodel_keras.layers.reshaping import (
    Cropping,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling,
    ZeroPadding,
)
from costmodel_keras.layers.spectrograms import MelSpectrogram, ShortTimeSpectrogram
from costmodel_keras.layers.wrappers import SpectralNormalization, TimeDistributed

if TYPE_CHECKING:
    from costmodel.layer import Layer

LAYERS: tuple[type[Layer], ...] = (
    CustomScaleLayer,
    LayerScale,
    ActivationLayer,
    AdaptivePooling,
    AdditiveAttention,
    Attention,
    Augmentation,
    AutoContrast,
    BatchNormalization,
    Bidirectional,
    CategoryEncoding,
    CenterCrop,
    Concatenate,
    Constant,
    Conv,
    ConvCell,
    ConvTranspose,
    Cropping,
    Dense,
    DenseCell,
    DepthwiseConv,
    Discretization,
    Dot,
    EinsumDense,
    Embedding,
    Flatten,
    GlobalPooling,
    GroupNormalization,
    GroupedQueryAttention,
    Identity,
    InputLayer,
    LayerNormalization,
    Masking,
    MelSpectrogram,
    Merge,
    MultiHeadAttention,
    NamedActivation,
    Normalization,
    ParametricRectifier,
    Permute,
    Pooling,
    Recurrent,
    RecurrentWithCell,
    RepeatVector,
    Rescaling,
    Reshape,
    Resizing,
    ReversibleEmbedding,
    RootMeanSquareNormalization,
    SeparableConv,
    ShortTimeSpectrogram,
    SpectralNormalization,
    StackedCells,
    TimeDistributed,
    TrainingOnly,
    UnitNormalization,
    UnruledLayer,
    UpSampling,
    Variables,
    ZeroPadding,
)
