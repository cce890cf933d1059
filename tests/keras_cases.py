"""One layer at a time: every kind that has a rule, in every form of its settings.

A row is an input shape without the batch axis (or a list of them), the class in `keras.layers`,
and its settings. A setting that is itself a row's tail, `(class, settings)`, is an inner layer,
and a list of them is a list of layers. The layer is called on its input, or on the list of them;
`named` are the arguments that all inputs but the first go by, and `call` are further arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Case(NamedTuple):
    """One layer and what it is called on."""

    shapes: list[tuple[int, ...]]
    name: str
    settings: dict[str, Any]
    named: tuple[str, ...] = ()
    call: dict[str, Any] = {}  # noqa: RUF012  # never written


LINE, IMAGE, BLOCK = (9, 6), (8, 7, 6), (5, 6, 7, 4)
FIRST = {"data_format": "channels_first"}


def _case(shape: Any, name: str, **settings: Any) -> Case:
    return Case(shape if isinstance(shape, list) else [shape], name, settings)


def _called(case: Case, *named: str, **call: Any) -> Case:
    return case._replace(named=named, call=call)


DENSE = [
    _case((5,), "Dense", units=3),
    _case((5,), "Dense", units=3, use_bias=False, activation="relu"),
    _case((4, 5), "Dense", units=3, activation="softmax"),
    _case((2, 4, 5), "Dense", units=1),
    _case((5,), "Embedding", input_dim=11, output_dim=3),
    _case((4, 5), "Embedding", input_dim=11, output_dim=3, mask_zero=True),
    _case((4, 5), "Dense", units=3, lora_rank=2),
    _case((5,), "Embedding", input_dim=11, output_dim=3, lora_rank=2, lora_alpha=4),
]

CONVOLUTIONS = [
    _case(LINE, "Conv1D", filters=4, kernel_size=3),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, padding="causal", dilation_rate=2),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, padding="same", strides=2, groups=2),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, padding="causal", strides=2),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, use_bias=False, activation="relu"),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, **FIRST),
    _case(IMAGE, "Conv2D", filters=4, kernel_size=3),
    _case(IMAGE, "Conv2D", filters=4, kernel_size=(3, 2), strides=(2, 1), padding="same"),
    _case(IMAGE, "Conv2D", filters=4, kernel_size=3, strides=(3, 2)),
    _case(IMAGE, "Conv2D", filters=4, kernel_size=3, dilation_rate=(2, 1), use_bias=False),
    _case(IMAGE, "Conv2D", filters=9, kernel_size=2, groups=3, activation="sigmoid"),
    _case(IMAGE, "Conv2D", filters=4, kernel_size=3, **FIRST),
    _case(IMAGE, "Conv2D", filters=4, kernel_size=3, padding="same", strides=2, **FIRST),
    _case(BLOCK, "Conv3D", filters=4, kernel_size=3),
    _case(BLOCK, "Conv3D", filters=4, kernel_size=(1, 2, 3), strides=(1, 2, 1), padding="same"),
    _case(BLOCK, "Conv3D", filters=4, kernel_size=2, dilation_rate=2, groups=2),
    _case(BLOCK, "Conv3D", filters=4, kernel_size=2, **FIRST),
]

TRANSPOSED = [
    _case(LINE, "Conv1DTranspose", filters=4, kernel_size=3),
    _case(LINE, "Conv1DTranspose", filters=4, kernel_size=3, strides=2, padding="same"),
    _case(LINE, "Conv1DTranspose", filters=4, kernel_size=2, strides=3),
    _case(LINE, "Conv1DTranspose", filters=4, kernel_size=3, strides=2, output_padding=1),
    _case(LINE, "Conv1DTranspose", filters=4, kernel_size=3, dilation_rate=2),
    _case(LINE, "Conv1DTranspose", filters=4, kernel_size=3, **FIRST),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=3),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=(4, 2), strides=(2, 3), padding="same"),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=3, strides=2, output_padding=(0, 1)),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=3, strides=2, output_padding=1,
          padding="same"),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=4, strides=2, output_padding=0,
          padding="same", activation="relu", use_bias=False),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=3, dilation_rate=2),
    _case(IMAGE, "Conv2DTranspose", filters=4, kernel_size=3, strides=2, **FIRST),
    _case(BLOCK, "Conv3DTranspose", filters=4, kernel_size=2),
    _case(BLOCK, "Conv3DTranspose", filters=4, kernel_size=3, strides=2, padding="same"),
    _case(BLOCK, "Conv3DTranspose", filters=4, kernel_size=3, strides=(1, 2, 2),
          output_padding=(0, 1, 0)),
]  # fmt: skip

DEPTHWISE = [
    _case(LINE, "DepthwiseConv1D", kernel_size=3),
    _case(LINE, "DepthwiseConv1D", kernel_size=3, depth_multiplier=2, strides=2, padding="same"),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=3),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=(2, 3), depth_multiplier=3, use_bias=False),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=3, strides=2, padding="same", activation="relu"),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=3, dilation_rate=2),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=3, **FIRST),
    _case(LINE, "SeparableConv1D", filters=5, kernel_size=3),
    _case(LINE, "SeparableConv1D", filters=5, kernel_size=3, depth_multiplier=2, use_bias=False),
    _case(LINE, "SeparableConv1D", filters=5, kernel_size=3, padding="same", strides=2),
    _case(IMAGE, "SeparableConv2D", filters=5, kernel_size=3),
    _case(IMAGE, "SeparableConv2D", filters=5, kernel_size=3, depth_multiplier=2, strides=2),
    _case(IMAGE, "SeparableConv2D", filters=5, kernel_size=3, padding="same", activation="relu"),
    _case(IMAGE, "SeparableConv2D", filters=5, kernel_size=3, dilation_rate=2),
    _case(IMAGE, "SeparableConv2D", filters=5, kernel_size=3, **FIRST),
]

POOLING = [
    case
    for function in ("Max", "Average")
    for case in (
        _case(LINE, f"{function}Pooling1D", pool_size=2),
        _case(LINE, f"{function}Pooling1D", pool_size=3, strides=1, padding="same"),
        _case(LINE, f"{function}Pooling1D", pool_size=2, **FIRST),
        _case(IMAGE, f"{function}Pooling2D", pool_size=2),
        _case(IMAGE, f"{function}Pooling2D", pool_size=(3, 2), strides=(1, 2)),
        _case(IMAGE, f"{function}Pooling2D", pool_size=3, strides=2, padding="same"),
        _case(IMAGE, f"{function}Pooling2D", pool_size=3, **FIRST),
        _case(BLOCK, f"{function}Pooling3D", pool_size=2),
        _case(BLOCK, f"{function}Pooling3D", pool_size=(1, 2, 3), padding="same"),
        _case(BLOCK, f"{function}Pooling3D", pool_size=2, strides=1, **FIRST),
        *(
            _case(shape, f"Global{function}Pooling{rank}D", **settings)
            for rank, shape in ((1, LINE), (2, IMAGE), (3, BLOCK))
            for settings in ({}, {"keepdims": True}, FIRST, {"keepdims": True, **FIRST})
        ),
    )
]

NORMALIZATION = [
    _case((6,), "BatchNormalization"),
    _case(IMAGE, "BatchNormalization"),
    _case(IMAGE, "BatchNormalization", axis=1),
    _case(IMAGE, "BatchNormalization", axis=-2, center=False),
    _case(IMAGE, "BatchNormalization", scale=False, center=False),
    _case((6,), "LayerNormalization"),
    _case(IMAGE, "LayerNormalization"),
    _case(IMAGE, "LayerNormalization", axis=1),
    _case(IMAGE, "LayerNormalization", axis=(1, 3)),
    _case(IMAGE, "LayerNormalization", axis=[-1, -2], center=False),
    _case(IMAGE, "LayerNormalization", scale=False),
    _case(IMAGE, "LayerNormalization", scale=False, center=False),
    _case(IMAGE, "Rescaling", scale=1 / 255),
    _case(IMAGE, "Rescaling", scale=2.0, offset=-1.0),
    _case(IMAGE, "Rescaling", scale=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], offset=[0.0] * 6),
    _case((6,), "Normalization"),
    _case(IMAGE, "Normalization"),
    _case(IMAGE, "Normalization", axis=1),
    _case(IMAGE, "Normalization", axis=(1, 3)),
    _case(IMAGE, "Normalization", axis=None),
    _case(IMAGE, "Normalization", axis=None, mean=3.0, variance=2.0),
    _case(IMAGE, "Normalization", mean=[0.0] * 6, variance=[1.0] * 6),
    _case(IMAGE, "Normalization", mean=[0.0] * 6, variance=[1.0] * 6, invert=True),
]

NORMALIZATION += [
    _case(IMAGE, "GroupNormalization", groups=3),
    _case(IMAGE, "GroupNormalization", groups=-1),
    _case(IMAGE, "GroupNormalization", groups=2, axis=1, scale=False),
    _case(IMAGE, "GroupNormalization", groups=1, center=False, scale=False),
    _case((6,), "GroupNormalization", groups=2),
    _case(IMAGE, "RMSNormalization"),
    _case(IMAGE, "RMSNormalization", axis=1),
    _case(IMAGE, "RMSNormalization", axis=[2, 3]),
    _case(IMAGE, "UnitNormalization"),
    _case(IMAGE, "UnitNormalization", axis=(1, 2)),
]

ACTIVATIONS = [
    *(
        _case((4, 5), "Activation", activation=name)
        for name in ("linear", "relu", "gelu", "softmax", "tanh", "leaky_relu")
    ),
    _case((4, 5), "ReLU"),
    _case((4, 5), "ReLU", max_value=6.0, negative_slope=0.1, threshold=0.5),
    _case((4, 5), "LeakyReLU", negative_slope=0.2),
    _case((4, 5), "ELU", alpha=0.5),
    _case((4, 5), "Softmax"),
    _case((4, 5), "Softmax", axis=1),
    _case((4, 5), "PReLU"),
    _case(IMAGE, "PReLU", shared_axes=[1, 2]),
    _case(IMAGE, "PReLU", shared_axes=[3]),
]

MERGING = [
    *(
        _case(shapes, name)
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
        for shapes in ([(4, 5)] * 2, [(4, 5)] * 3, [(4, 5), (1, 5)], [(1, 5), (4, 1)],
                       [(3, 4, 5), (1, 4, 1)])
    ),
    _case([(4, 5), (4, 5)], "Subtract"),
    _case([(4, 5), (4, 1)], "Subtract"),
    _case([(4, 5), (4, 2)], "Concatenate"),
    _case([(4, 5), (3, 5), (1, 5)], "Concatenate", axis=1),
    _case([(4, 5), (3, 5)], "Concatenate", axis=-2),
    _case([(5,), (5,)], "Dot", axes=1),
    _case([(5,), (5,)], "Dot", axes=-1, normalize=True),
    _case([(3, 5), (4, 5)], "Dot", axes=2),
    _case([(3, 5), (5, 4)], "Dot", axes=(2, 1)),
    _case([(3, 5), (5, 4)], "Dot", axes=(-1, 1), normalize=True),
    _case([(3, 5), (5,)], "Dot", axes=(2, 1)),
    _case([(2, 3, 5), (5, 4)], "Dot", axes=(3, 1)),
]  # fmt: skip

RESHAPING = [
    _case((4, 6), "Flatten"),
    _case((4, 6), "Flatten", **FIRST),
    _case((6,), "Flatten"),
    _case((4, 6), "Reshape", target_shape=(24,)),
    _case((4, 6), "Reshape", target_shape=(-1,)),
    _case((4, 6), "Reshape", target_shape=(2, -1, 3)),
    _case((4, 6), "Reshape", target_shape=(2, 2, 6, 1)),
    _case((4, 6), "Permute", dims=(2, 1)),
    _case((2, 4, 6), "Permute", dims=[3, 1, 2]),
    _case((6,), "RepeatVector", n=3),
    _case(LINE, "ZeroPadding1D"),
    _case(LINE, "ZeroPadding1D", padding=3),
    _case(LINE, "ZeroPadding1D", padding=(1, 2)),
    _case(LINE, "ZeroPadding1D", padding=(1, 2), **FIRST),
    _case(IMAGE, "ZeroPadding2D"),
    _case(IMAGE, "ZeroPadding2D", padding=2),
    _case(IMAGE, "ZeroPadding2D", padding=(1, 2)),
    _case(IMAGE, "ZeroPadding2D", padding=((0, 1), (2, 3))),
    _case(IMAGE, "ZeroPadding2D", padding=((0, 1), (2, 3)), **FIRST),
    _case(BLOCK, "ZeroPadding3D"),
    _case(BLOCK, "ZeroPadding3D", padding=2),
    _case(BLOCK, "ZeroPadding3D", padding=(1, 2, 3)),
    _case(BLOCK, "ZeroPadding3D", padding=((0, 1), (2, 3), (1, 1)), **FIRST),
    _case(LINE, "Cropping1D"),
    _case(LINE, "Cropping1D", cropping=3),
    _case(LINE, "Cropping1D", cropping=(1, 2)),
    _case(IMAGE, "Cropping2D"),
    _case(IMAGE, "Cropping2D", cropping=1),
    _case(IMAGE, "Cropping2D", cropping=(1, 2)),
    _case(IMAGE, "Cropping2D", cropping=((0, 1), (2, 3))),
    _case(IMAGE, "Cropping2D", cropping=((0, 1), (2, 3)), **FIRST),
    _case(BLOCK, "Cropping3D"),
    _case(BLOCK, "Cropping3D", cropping=(1, 2, 1)),
    _case(BLOCK, "Cropping3D", cropping=((0, 1), (2, 3), (1, 1)), **FIRST),
    _case(LINE, "UpSampling1D"),
    _case(LINE, "UpSampling1D", size=3),
    _case(IMAGE, "UpSampling2D"),
    _case(IMAGE, "UpSampling2D", size=(2, 3), **FIRST),
    *(
        _case(IMAGE, "UpSampling2D", size=(2, 3), interpolation=name)
        for name in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    ),
    _case(BLOCK, "UpSampling3D"),
    _case(BLOCK, "UpSampling3D", size=(1, 2, 3), **FIRST),
]

TRAINING_ONLY = [
    _case((4, 5), "ActivityRegularization", l1=0.1),
    _case((4, 5), "AlphaDropout", rate=0.5),
    _case((4, 5), "Dropout", rate=0.5),
    _case((4, 5), "GaussianDropout", rate=0.5),
    _case((4, 5), "GaussianNoise", stddev=0.5),
    _case(LINE, "SpatialDropout1D", rate=0.5),
    _case(IMAGE, "SpatialDropout2D", rate=0.5),
    _case(BLOCK, "SpatialDropout3D", rate=0.5),
]

ADAPTIVE = [
    _case(shape, f"Adaptive{function}Pooling{rank}D", output_size=size, **settings)
    for function in ("Average", "Max")
    for rank, shape, size in ((1, LINE, 4), (2, IMAGE, (3, 5)), (3, BLOCK, 3))
    for settings in ({}, FIRST)
]

PREPROCESSING = [
    *(
        _case((8, 7, 3), name, **settings)
        for name, settings in {
            "AugMix": {}, "CutMix": {}, "MixUp": {}, "RandAugment": {},
            "RandomBrightness": {"factor": 0.1}, "RandomColorDegeneration": {"factor": 0.1},
            "RandomColorJitter": {}, "RandomContrast": {"factor": 0.1},
            "RandomElasticTransform": {}, "RandomErasing": {}, "RandomFlip": {},
            "RandomGaussianBlur": {}, "RandomGrayscale": {}, "RandomHue": {"factor": 0.1},
            "RandomInvert": {}, "RandomPerspective": {}, "RandomPosterization": {"factor": 4},
            "RandomRotation": {"factor": 0.1}, "RandomSaturation": {"factor": 0.1},
            "RandomSharpness": {"factor": 0.1}, "RandomShear": {},
            "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
            "RandomZoom": {"height_factor": 0.1}, "Solarization": {}, "AutoContrast": {},
        }.items()
    ),
    _case(IMAGE, "Resizing", height=5, width=9),
    _case(IMAGE, "Resizing", height=5, width=9, interpolation="nearest", **FIRST),
    _case(IMAGE, "CenterCrop", height=5, width=3),
    _case(IMAGE, "CenterCrop", height=9, width=3),
    _case(LINE, "Masking"),
    _case(LINE, "Identity"),
    _case((4,), "CategoryEncoding", num_tokens=5),
    _case((4,), "CategoryEncoding", num_tokens=5, output_mode="one_hot"),
    _case((1,), "CategoryEncoding", num_tokens=5, output_mode="one_hot"),
    _case((4,), "CategoryEncoding", num_tokens=5, output_mode="count"),
    _case((4,), "Discretization", bin_boundaries=[0.0, 1.0, 2.0]),
    _case((4,), "Discretization", bin_boundaries=[0.0, 1.0], output_mode="one_hot"),
    _case((4,), "Discretization", bin_boundaries=[0.0, 1.0], output_mode="multi_hot"),
]  # fmt: skip

TIME_DISTRIBUTED = [
    _case((3, 5), "TimeDistributed", layer=("Dense", {"units": 4, "activation": "relu"})),
    _case((3, 4, 5), "TimeDistributed", layer=("Dense", {"units": 4})),
    _case((3, *IMAGE), "TimeDistributed", layer=("Conv2D", {"filters": 4, "kernel_size": 3})),
    _case((3, *IMAGE), "TimeDistributed", layer=("MaxPooling2D", {})),
    _case((3, *IMAGE), "TimeDistributed", layer=("GlobalAveragePooling2D", {})),
    _case((3, *IMAGE), "TimeDistributed", layer=("Flatten", {})),
    _case((3, *IMAGE), "TimeDistributed", layer=("BatchNormalization", {})),
    _case((3, *IMAGE), "TimeDistributed", layer=("Dropout", {"rate": 0.5})),
    _case(
        (3, 2, 4, 5),
        "TimeDistributed",
        layer=("TimeDistributed", {"layer": ("Dense", {"units": 6})}),
    ),
]

STEPS = (5, 4)

RECURRENT = [
    *(
        _case(STEPS, name, units=3, **settings)
        for name in ("SimpleRNN", "LSTM", "GRU")
        for settings in (
            {},
            {"return_sequences": True},
            {"return_state": True, "use_bias": False},
            {"return_sequences": True, "return_state": True, "go_backwards": True},
            {"unroll": True, "activation": "linear", "dropout": 0.5, "recurrent_dropout": 0.5},
        )
    ),
    _case(STEPS, "LSTM", units=3, recurrent_activation="hard_sigmoid", unit_forget_bias=False),
    _case(STEPS, "GRU", units=3, reset_after=False),
    _case(STEPS, "GRU", units=3, reset_after=False, use_bias=False, return_sequences=True),
    _called(_case([STEPS, (3,)], "GRU", units=3), "initial_state"),
    _called(_case([STEPS, (3,), (3,)], "LSTM", units=3), "initial_state", "initial_state"),
    _called(_case([STEPS, (5,)], "LSTM", units=3), "mask"),
    _called(_case([(4,), (3,)], "SimpleRNNCell", units=3), "states"),
    _called(_case([(4,), (3,)], "GRUCell", units=3), "states"),
    _called(_case([(4,), (3,), (3,)], "LSTMCell", units=3), "states", "states"),
    _case(STEPS, "RNN", cell=("SimpleRNNCell", {"units": 3}), return_state=True),
    _case(STEPS, "RNN", cell=("LSTMCell", {"units": 3}), return_sequences=True),
    _case(STEPS, "RNN", cell=("GRUCell", {"units": 3, "reset_after": False})),
    _case(STEPS, "RNN", return_state=True,
          cell=[("GRUCell", {"units": 3}), ("LSTMCell", {"units": 6, "use_bias": False})]),
    _called(
        _case([(4,), (3,), (3,), (2,)], "StackedRNNCells",
              cells=[("LSTMCell", {"units": 3}), ("GRUCell", {"units": 2})]),
        "states/0", "states/0", "states/1",
    ),
    *(
        _case(STEPS, "Bidirectional", merge_mode=mode, layer=("LSTM", {"units": 3, **settings}))
        for mode in ("concat", "sum", "ave", "mul", None)
        for settings in ({}, {"return_sequences": True, "return_state": True})
    ),
    _case(STEPS, "Bidirectional", layer=("LSTM", {"units": 3}),
          backward_layer=("GRU", {"units": 3, "go_backwards": True})),
    _case(STEPS, "Bidirectional", layer=("RNN", {"cell": ("GRUCell", {"units": 3})})),
    _called(_case([STEPS, (5,)], "Bidirectional", layer=("GRU", {"units": 3})), "mask"),
    _case((2, *STEPS), "TimeDistributed", layer=("LSTM", {"units": 3})),
    _case((3, *LINE), "ConvLSTM1D", filters=4, kernel_size=3),
    _case((3, *LINE), "ConvLSTM1D", filters=4, kernel_size=3, return_sequences=True, **FIRST),
    _case((3, *IMAGE), "ConvLSTM2D", filters=4, kernel_size=(3, 2), return_state=True),
    _case((3, *IMAGE), "ConvLSTM2D", filters=4, kernel_size=3, strides=2, padding="same"),
    _case((3, *IMAGE), "ConvLSTM2D", filters=4, kernel_size=2, dilation_rate=2, use_bias=False),
    _case((3, *IMAGE), "ConvLSTM2D", filters=4, kernel_size=3, return_sequences=True, **FIRST),
    _case((2, *BLOCK), "ConvLSTM3D", filters=2, kernel_size=(1, 2, 2), padding="same"),
    _case((2, *BLOCK), "Bidirectional", layer=("ConvLSTM3D", {"filters": 2, "kernel_size": 2})),
]  # fmt: skip

EINSUM = [
    _case((6,), "EinsumDense", equation="ab,bc->ac", output_shape=4, bias_axes="c"),
    _case((2, 6), "EinsumDense", equation="...x,xy->...y", output_shape=4, bias_axes="y"),
    _case((2, 6, 3), "EinsumDense", equation="...xz,xzy->...y", output_shape=4),
    _case((6,), "EinsumDense", equation="...x,xy->...y", output_shape=4, activation="relu"),
    _case((4, 5, 2, 3), "EinsumDense", equation="abc...,cd->abd...", output_shape=(4, 6),
          bias_axes="bd"),
    _case((4, 5), "EinsumDense", equation="abc,bcde->ade", output_shape=(6, 7), bias_axes="de"),
    _case((4, 5), "EinsumDense", equation="abc,cde->abde", output_shape=(4, 6, 7), bias_axes="e"),
    _case((4, 5), "EinsumDense", equation="abc,bcd->abd", output_shape=(4, 7), bias_axes="b"),
    _case((4, 5), "EinsumDense", equation="abc,b->ac", output_shape=5),
    _case((4, 5), "EinsumDense", equation="abc,cde->abde", output_shape=(4, 6, 7), lora_rank=2),
    _case((4,), "ReversibleEmbedding", input_dim=11, output_dim=3),
    _case((4,), "ReversibleEmbedding", input_dim=11, output_dim=3, tie_weights=False),
    *(
        _called(_case((4, 3), "ReversibleEmbedding", input_dim=11, output_dim=3, **settings),
                reverse=True)
        for settings in ({}, {"tie_weights": False}, {"logit_soft_cap": 30.0})
    ),
]  # fmt: skip

_HEADS = {"num_heads": 3, "key_dim": 4}
_GROUPED = {"head_dim": 4, "num_query_heads": 6, "num_key_value_heads": 2}
_SELF, _CROSS = [(5, 6), (5, 6)], [(5, 6), (7, 3), (7, 2)]

ATTENTION = [
    _called(_case(_SELF, "MultiHeadAttention", **_HEADS), "value"),
    _called(_case(_SELF, "MultiHeadAttention", **_HEADS), "value", use_causal_mask=True),
    _called(_case(_SELF, "MultiHeadAttention", **_HEADS, value_dim=7, use_bias=False), "value",
            return_attention_scores=True),
    _called(_case(_CROSS, "MultiHeadAttention", **_HEADS), "value", "key"),
    _called(_case(_CROSS, "MultiHeadAttention", **_HEADS, use_gate=True, value_dim=2), "value",
            "key"),
    _called(_case([*_SELF, (5, 5)], "MultiHeadAttention", **_HEADS), "value", "attention_mask"),
    _called(_case(_SELF, "MultiHeadAttention", **_HEADS, output_shape=9), "value"),
    _called(_case(_SELF, "MultiHeadAttention", **_HEADS, output_shape=(3, 2)), "value"),
    _called(_case(_SELF, "MultiHeadAttention", **_HEADS, dropout=0.5), "value"),
    _called(_case([(5, 7, 6), (5, 8, 6)], "MultiHeadAttention", **_HEADS, attention_axes=2),
            "value"),
    _called(_case([(5, 7, 6), (3, 8, 6)], "MultiHeadAttention", **_HEADS), "value"),
    _called(_case([(5, 7, 6), (3, 7, 6)], "MultiHeadAttention", **_HEADS, attention_axes=(-3,)),
            "value"),
    _called(_case(_SELF, "GroupQueryAttention", **_GROUPED), "value"),
    _called(_case(_SELF, "GroupQueryAttention", **_GROUPED, use_gate=True, use_bias=False),
            "value", use_causal_mask=True),
    _called(_case([(5, 6), (7, 6), (7, 2)], "GroupQueryAttention", **_GROUPED), "value", "key",
            return_attention_scores=True),
    *(
        _case(shapes, "Attention", **settings)
        for shapes in ([(5, 6), (7, 6)], [(5, 6), (7, 4), (7, 6)], [(2, 5, 6), (2, 7, 6)])
        for settings in ({}, {"score_mode": "concat", "use_scale": True})
    ),
    _called(_case([(5, 6), (7, 6)], "Attention", use_scale=True), return_attention_scores=True),
    _case([(5, 6), (7, 6)], "Attention", score_mode="concat", dropout=0.5),
    _case([(5, 6), (7, 6)], "AdditiveAttention"),
    _case([(5, 6), (7, 4), (7, 6)], "AdditiveAttention", use_scale=False),
]  # fmt: skip

_STFT = {"frame_length": 5, "window": None}

SPECTRAL = [
    _case((2, 5), "SpectralNormalization", layer=("Dense", {"units": 4, "activation": "relu"})),
    _case(IMAGE, "SpectralNormalization", layer=("Conv2D", {"filters": 4, "kernel_size": 3})),
    _case((4,), "SpectralNormalization", layer=("Embedding", {"input_dim": 9, "output_dim": 3})),
    *(
        _case((30, 2), "STFTSpectrogram", mode=mode, **_STFT)
        for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
    ),
    _case((30, 2), "STFTSpectrogram", frame_step=3, fft_length=16, padding="same", **_STFT),
    _case((30, 2), "STFTSpectrogram", expand_dims=True, **_STFT),
    _case((2, 30), "STFTSpectrogram", expand_dims=True, **_STFT, **FIRST),
    _case((2, 30), "STFTSpectrogram", mode="stft", **_STFT, **FIRST),
    _case((400,), "MelSpectrogram", fft_length=128, sequence_stride=17, num_mel_bins=7),
]

CASES = [
    *DENSE, *CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE, *POOLING, *NORMALIZATION, *ACTIVATIONS,
    *MERGING, *RESHAPING, *ADAPTIVE, *PREPROCESSING, *TRAINING_ONLY, *TIME_DISTRIBUTED,
    *RECURRENT, *EINSUM, *ATTENTION, *SPECTRAL,
]  # fmt: skip


ONE_OF_EACH = list({case.name: case for case in CASES}.values())
"""One case for every kind."""


def label(case: Case) -> str:
    """The case as a test is called."""
    settings = ",".join(f"{key}={value}" for key, value in {**case.settings, **case.call}.items())
    shapes = " ".join(map(str, case.shapes))
    return f"{case.name}({settings}) on {shapes} {','.join(case.named)}".replace(" ", "")


def built(case: Case, shapes: Sequence[Any] = ()) -> tuple[Any, Any]:
    """A Keras model of one layer behind its inputs, and the layer."""
    import keras  # noqa: PLC0415  # only where a test runs

    names = ("", *case.named, *[""] * len(case.shapes))
    inputs = [
        keras.Input(shape, dtype="bool" if name.endswith("mask") else None)
        for shape, name in zip(shapes or case.shapes, names, strict=False)
    ]
    layer = made(case.name, case.settings)
    if case.named:
        outputs = layer(inputs[0], **_by_name(case.named, inputs[1:]), **case.call)
    else:
        outputs = layer(inputs if len(inputs) > 1 else inputs[0], **case.call)
    return keras.Model(inputs, outputs), layer


def _by_name(names: Sequence[str], inputs: Sequence[Any]) -> dict[str, Any]:
    """The inputs by name; several of one name are a list, `name/0` and `name/1` lists in it."""
    given: dict[str, list[Any]] = {}
    for name, tensor in zip(names, inputs, strict=True):
        given.setdefault(name, []).append(tensor)
    nested: dict[str, Any] = {}
    for name, tensors in given.items():
        value = tensors if len(tensors) > 1 else tensors[0]
        outer, _, place = name.partition("/")
        if place:
            nested.setdefault(outer, []).append(value)
        else:
            nested[name] = value
    return nested


HELD = frozenset({"layer", "backward_layer", "cell", "cells"})
"""The settings that are layers."""


def made(name: str, settings: dict[str, Any]) -> Any:
    """The Keras layer of this class and these settings."""
    import keras  # noqa: PLC0415  # only where a test runs

    inner = {
        key: [made(*item) for item in value] if isinstance(value, list) else made(*value)
        for key, value in settings.items()
        if key in HELD
    }
    return getattr(keras.layers, name)(**{**settings, **inner})
