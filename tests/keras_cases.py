"""One layer at a time: every kind that has a rule, in every form of its settings.

A row is an input shape without the batch axis (or a list of them), the class in `keras.layers`,
and its settings. A setting that is itself a row's tail, `(class, settings)`, is an inner layer.
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


LINE, IMAGE, BLOCK = (9, 6), (8, 7, 6), (5, 6, 7, 4)
FIRST = {"data_format": "channels_first"}


def _case(shape: Any, name: str, **settings: Any) -> Case:
    return Case(shape if isinstance(shape, list) else [shape], name, settings)


DENSE = [
    _case((5,), "Dense", units=3),
    _case((5,), "Dense", units=3, use_bias=False, activation="relu"),
    _case((4, 5), "Dense", units=3, activation="softmax"),
    _case((2, 4, 5), "Dense", units=1),
    _case((5,), "Embedding", input_dim=11, output_dim=3),
    _case((4, 5), "Embedding", input_dim=11, output_dim=3, mask_zero=True),
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

CASES = [
    *DENSE, *CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE, *POOLING, *NORMALIZATION, *ACTIVATIONS,
    *MERGING, *RESHAPING, *TRAINING_ONLY, *TIME_DISTRIBUTED,
]  # fmt: skip


ONE_OF_EACH = list({case.name: case for case in CASES}.values())
"""One case for every kind."""


def label(case: Case) -> str:
    """The case as a test is called."""
    settings = ",".join(f"{key}={value}" for key, value in case.settings.items())
    return f"{case.name}({settings}) on {' '.join(map(str, case.shapes))}".replace(" ", "")


def built(case: Case, shapes: Sequence[Any] = ()) -> tuple[Any, Any]:
    """A Keras model of one layer behind its inputs, and the layer."""
    import keras  # noqa: PLC0415  # only where a test runs

    inputs = [keras.Input(shape) for shape in shapes or case.shapes]
    layer = made(case.name, case.settings)
    return keras.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0])), layer


def made(name: str, settings: dict[str, Any]) -> Any:
    """The Keras layer of this class and these settings."""
    import keras  # noqa: PLC0415  # only where a test runs

    inner = {key: made(*value) for key, value in settings.items() if key == "layer"}
    return getattr(keras.layers, name)(**{**settings, **inner})
