"""Calls of TensorFlow's functions, as programs for Keras 2 write them, and the kinds of their rows.

A row is the input shapes without the batch axis, the call on TensorFlow and tensors of them, and
what the kinds of the rows are: without `keras.ops.`, or in full if they are of `tf.`.
"""

# ruff: noqa: ARG005, FBT003  # a call is written as it is in a program
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

VECTOR, LINE, IMAGE, PHOTO, SQUARE = (6,), (6, 4), (8, 8, 4), (8, 8, 3), (6, 6)
ONES = np.ones


class Call(NamedTuple):
    """A call, and the kinds of the rows that it gives."""

    label: str
    shapes: tuple[tuple[int | None, ...], ...]
    call: Callable[..., Any]
    kinds: str


def ones(*shape: int) -> Any:
    """A constant array."""
    return ONES(shape, "float32")


_UNARY = """
    abs=Absolute acos=Arccos acosh=Arccosh asin=Arcsin asinh=Arcsinh atan=Arctan
    atanh=Arctanh bessel_i0=I0 ceil=Ceil cos=Cos cosh=Cosh digamma=tf.math.digamma erf=Erf
    erfc=Erfc erfcinv=tf.math.erfcinv erfinv=Erfinv exp=Exp expm1=Expm1 floor=Floor
    is_finite=Isfinite is_inf=Isinf is_nan=Isnan lgamma=tf.math.lgamma log=Log log1p=Log1p
    log_sigmoid=LogSigmoid ndtri=tf.math.ndtri negative=Negative reciprocal=Reciprocal
    reciprocal_no_nan=tf.math.reciprocal_no_nan rint=Round round=Round rsqrt=Rsqrt
    sigmoid=Sigmoid sign=Sign sin=Sin sinh=Sinh softplus=Softplus sqrt=Sqrt square=Square
    tan=Tan tanh=Tanh
"""
_BINARY = """
    add=Add atan2=Arctan2 divide=TrueDivide divide_no_nan=DivideNoNan equal=Equal
    floordiv=FloorDivide floormod=Mod greater=Greater greater_equal=GreaterEqual less=Less
    less_equal=LessEqual maximum=Maximum minimum=Minimum multiply=Multiply
    multiply_no_nan=tf.math.multiply_no_nan not_equal=NotEqual pow=Power
    squared_difference=tf.math.squared_difference subtract=Subtract
    xdivy=tf.math.xdivy xlogy=tf.math.xlogy
"""
_ACTIVATIONS = """
    elu=Elu gelu=Gelu leaky_relu=LeakyRelu log_softmax=LogSoftmax relu=Relu relu6=Relu6
    selu=Selu silu=Silu softmax=Softmax softsign=Softsign
"""
_REDUCED = """
    euclidean_norm=Norm logsumexp=Logsumexp max=Max mean=Mean min=Min prod=Prod std=Std
    sum=Sum variance=Var
"""


def _pairs(text: str) -> list[list[str]]:
    """The names of functions, each with the kind of its row."""
    return [pair.split("=") for pair in text.split()]


_PRODUCTS: list[tuple[str, Any, Any, str]] = [
    ("matmul", (LINE, (4, 5)), lambda tf, a, b: tf.matmul(a, b), "Matmul"),
    ("matmul_b", (LINE, LINE), lambda tf, a, b: tf.matmul(a, b, transpose_b=True), "Matmul"),
    ("matmul_a", (LINE, LINE), lambda tf, a, b: tf.matmul(a, b, transpose_a=True), "Matmul"),
    ("matmul_both", (LINE, (3, 6)), lambda tf, a, b: tf.matmul(a, b, True, True), "Matmul"),
    ("matmul_adjoint", (LINE, LINE), lambda tf, a, b: tf.matmul(a, b, adjoint_b=True), "Matmul"),
    ("matmul_heads", ((2, 6, 4), (2, 6, 4)), lambda tf, a, b: tf.matmul(a, b, transpose_b=True),
     "Matmul"),
    ("matmul_constant", (LINE,), lambda tf, x: tf.matmul(x, ones(5, 4), transpose_b=True),
     "Matmul"),
    ("matmul_before", (SQUARE,), lambda tf, x: tf.matmul(ones(1, 3, 6), x), "Matmul"),
    ("matmul_named", (LINE, LINE), lambda tf, a, b: tf.matmul(b=b, a=a, transpose_b=True),
     "Matmul"),
    ("@", (LINE, LINE), lambda tf, a, b: a @ tf.transpose(b, [0, 2, 1]), "Transpose Matmul"),
    ("matvec", (LINE, (4,)), lambda tf, a, b: tf.linalg.matvec(a, b),
     "ExpandDims Matmul Squeeze"),
    ("tensordot", (LINE,), lambda tf, x: tf.tensordot(x, ones(4, 5), 1), "Tensordot"),
    ("tensordot_axes", (LINE,), lambda tf, x: tf.tensordot(x, ones(4, 5), [[2], [0]]),
     "Tensordot"),
    ("conv1d", (LINE,), lambda tf, x: tf.nn.conv1d(x, ones(3, 4, 5), 1, "SAME"), "Conv"),
    ("conv2d", (IMAGE,), lambda tf, x: tf.nn.conv2d(x, ones(3, 3, 4, 8), 1, "SAME"), "Conv"),
    ("conv2d_strides", (IMAGE,),
     lambda tf, x: tf.nn.conv2d(x, ones(3, 3, 4, 8), [1, 2, 2, 1], "VALID"), "Conv"),
    ("conv2d_groups", (IMAGE,), lambda tf, x: tf.nn.conv2d(x, ones(3, 3, 2, 8), 1, "SAME"),
     "Conv"),
    ("conv2d_edges", (IMAGE,), lambda tf, x: tf.nn.conv2d(
        x, ones(3, 3, 4, 8), 2, [[0, 0], [1, 0], [2, 1], [0, 0]]), "Conv"),
    ("conv2d_dilated", (IMAGE,),
     lambda tf, x: tf.nn.conv2d(x, ones(3, 3, 4, 8), 1, "SAME", dilations=2), "Conv"),
    ("atrous_conv2d", (IMAGE,),
     lambda tf, x: tf.nn.atrous_conv2d(x, ones(3, 3, 4, 8), 2, "SAME"),
     "tf.space_to_batch_nd Conv tf.batch_to_space_nd"),
    ("conv3d", ((4, 4, 4, 2),),
     lambda tf, x: tf.nn.conv3d(x, ones(3, 3, 3, 2, 5), [1] * 5, "SAME"), "Conv"),
    ("convolution", (IMAGE,), lambda tf, x: tf.nn.convolution(x, ones(3, 3, 4, 8)), "Conv"),
    ("depthwise_conv2d", (IMAGE,),
     lambda tf, x: tf.nn.depthwise_conv2d(x, ones(3, 3, 4, 2), [1, 1, 1, 1], "SAME"),
     "DepthwiseConv"),
    ("separable_conv2d", (IMAGE,), lambda tf, x: tf.nn.separable_conv2d(
        x, ones(3, 3, 4, 2), ones(1, 1, 8, 5), [1, 1, 1, 1], "SAME"), "SeparableConv"),
    ("conv2d_transpose", (IMAGE,), lambda tf, x: tf.nn.conv2d_transpose(
        x, ones(3, 3, 5, 4), tf.stack([tf.shape(x)[0], 16, 15, 5]), [1, 2, 2, 1]),
     "FromShapes FromShapes FromShapes ConvTranspose"),
    ("conv2d_transpose_valid", (IMAGE,), lambda tf, x: tf.nn.conv2d_transpose(
        x, ones(3, 3, 5, 4), tf.stack([tf.shape(x)[0], 17, 18, 5]), 2, "VALID"),
     "FromShapes FromShapes FromShapes ConvTranspose"),
    ("rgb_to_grayscale", (PHOTO,), lambda tf, x: tf.image.rgb_to_grayscale(x), "RGBToGrayscale"),
    ("rgb_to_yuv", (PHOTO,), lambda tf, x: tf.image.rgb_to_yuv(x), "Tensordot"),
    ("sobel_edges", (IMAGE,), lambda tf, x: tf.image.sobel_edges(x),
     "FromShapes FromShapes Pad FromShapes DepthwiseConv FromShapes Reshape"),
]  # fmt: skip

_IMAGES: list[tuple[str, Any, Any, str]] = [
    *[(f"resize_{how}", (IMAGE,), lambda tf, x, how=how: tf.image.resize(x, (16, 12), how),
       "Resize")
      for how in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "gaussian",
                  "mitchellcubic")],
    ("resize_antialias", (IMAGE,), lambda tf, x: tf.image.resize(x, [4, 4], antialias=True),
     "Resize"),
    ("resize_like", (IMAGE, (4, 4, 2)),
     lambda tf, x, y: tf.image.resize(x, tf.shape(y)[1:3]), "FromShapes FromShapes Resize"),
    ("resize_old", (IMAGE,),
     lambda tf, x: tf.compat.v1.image.resize_bilinear(x, [16, 16], align_corners=True), "Resize"),
    ("resize_old_method", (IMAGE,), lambda tf, x: tf.compat.v1.image.resize(x, [16, 16], 1),
     "Resize"),
    ("resize_with_pad", (IMAGE,), lambda tf, x: tf.image.resize_with_pad(x, 16, 20), "Resize"),
    ("resize_with_crop", (IMAGE,), lambda tf, x: tf.image.resize_with_crop_or_pad(x, 5, 6),
     "CropImages"),
    ("resize_by_pad", (IMAGE,), lambda tf, x: tf.image.resize_with_crop_or_pad(x, 9, 12),
     "PadImages"),
    ("depth_to_space", (IMAGE,), lambda tf, x: tf.nn.depth_to_space(x, 2), "DepthToSpace"),
    ("space_to_depth", (IMAGE,), lambda tf, x: tf.nn.space_to_depth(x, 2), "SpaceToDepth"),
    ("space_to_batch", (IMAGE,), lambda tf, x: tf.batch_to_space(
        tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), [2, 2], [[0, 0], [1, 1]]),
     "tf.space_to_batch_nd tf.batch_to_space_nd"),
    ("flip_left_right", (IMAGE,), lambda tf, x: tf.image.flip_left_right(x), "Flip"),
    ("flip_up_down", (IMAGE,), lambda tf, x: tf.image.flip_up_down(x), "Flip"),
    ("rot90", ((8, 6, 3),), lambda tf, x: tf.image.rot90(x), "Rot90"),
    ("central_crop", ((9, 8, 3),), lambda tf, x: tf.image.central_crop(x, 0.4), "CropImages"),
    ("crop_to_bounding_box", (IMAGE,),
     lambda tf, x: tf.image.crop_to_bounding_box(x, 1, 2, 4, 5), "CropImages"),
    ("pad_to_bounding_box", (IMAGE,),
     lambda tf, x: tf.image.pad_to_bounding_box(x, 1, 2, 12, 13), "PadImages"),
    ("extract_patches", (IMAGE,), lambda tf, x: tf.image.extract_patches(
        x, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"), "ExtractPatches"),
    ("grayscale_to_rgb", ((8, 8, 1),), lambda tf, x: tf.image.grayscale_to_rgb(x), "Repeat"),
    ("adjust_brightness", (IMAGE,), lambda tf, x: tf.image.adjust_brightness(x, 0.1), "Add"),
    ("standardization", (IMAGE,), lambda tf, x: tf.image.per_image_standardization(x),
     "tf.image.per_image_standardization"),
    ("rgb_to_hsv", (PHOTO,), lambda tf, x: tf.image.rgb_to_hsv(x), "tf.image.rgb_to_hsv"),
    ("max_pool", (IMAGE,), lambda tf, x: tf.nn.max_pool(x, 2, 2, "SAME"), "MaxPool"),
    ("max_pool2d", (IMAGE,), lambda tf, x: tf.nn.max_pool2d(x, [1, 3, 3, 1], [1, 2, 2, 1], "VALID"),
     "MaxPool"),
    ("avg_pool", (IMAGE,), lambda tf, x: tf.nn.avg_pool(x, [2, 2], [2, 2], "SAME"), "AveragePool"),
    ("avg_pool1d", (LINE,), lambda tf, x: tf.nn.avg_pool1d(x, 2, 1, "SAME"), "AveragePool"),
    ("pool", (IMAGE,), lambda tf, x: tf.nn.pool(x, [2, 2], "MAX"), "MaxPool"),
    ("local_response_normalization", (IMAGE,),
     lambda tf, x: tf.nn.local_response_normalization(x, 2),
     "tf.nn.local_response_normalization"),
    ("fused_batch_norm", (IMAGE,), lambda tf, x: tf.compat.v1.nn.fused_batch_norm(
        x, ones(4), ones(4), ones(4), ones(4), is_training=False)[0], "BatchNorm"),
]  # fmt: skip

_MOVEMENTS: list[tuple[str, Any, Any, str]] = [
    ("transpose", (LINE,), lambda tf, x: tf.transpose(x, [0, 2, 1]), "Transpose"),
    ("transpose_out", (LINE,),
     lambda tf, x: tf.transpose(tf.transpose(x, [1, 0, 2]), [1, 0, 2]), "Transpose Transpose"),
    ("matrix_transpose", (LINE,), lambda tf, x: tf.linalg.matrix_transpose(x), "Swapaxes"),
    ("pad", (IMAGE,), lambda tf, x: tf.pad(x, [[0, 0], [1, 1], [1, 2], [0, 0]]), "Pad"),
    ("pad_reflect", (IMAGE,),
     lambda tf, x: tf.pad(x, tf.constant([[0, 0], [1, 1], [1, 1], [0, 0]]), "REFLECT"), "Pad"),
    ("pad_value", (LINE,), lambda tf, x: tf.pad(x, [[0, 0], [1, 0], [0, 0]], constant_values=1.0),
     "Pad"),
    ("reshape", (LINE,), lambda tf, x: tf.reshape(x, [-1, 24]), "Reshape"),
    ("reshape_shape", (LINE,), lambda tf, x: tf.reshape(x, [tf.shape(x)[0], 2, 12]),
     "FromShapes FromShapes Reshape"),
    ("reshape_stack", (LINE,), lambda tf, x: tf.reshape(x, tf.stack([tf.shape(x)[0], 4, 6])),
     "FromShapes FromShapes FromShapes Reshape"),
    ("reshape_heads", (LINE,), lambda tf, x: tf.transpose(tf.reshape(
        x, (tf.shape(x)[0], -1, 2, 2)), [0, 2, 1, 3]), "FromShapes FromShapes Reshape Transpose"),
    ("reshape_fold", (LINE,),
     lambda tf, x: tf.reshape(tf.reshape(x, (tf.shape(x)[0] * tf.shape(x)[1], 4)), (-1, 6, 4)),
     "FromShapes FromShapes FromShapes FromShapes FromShapes Reshape Reshape"),
    ("reshape_half", (LINE,), lambda tf, x: tf.reshape(x, (-1, tf.shape(x)[1] // 2, 8)),
     "FromShapes FromShapes FromShapes Reshape"),
    ("reshape_concat", (LINE,),
     lambda tf, x: tf.reshape(x, tf.concat([tf.shape(x)[:-1], [2, 2]], 0)),
     "FromShapes FromShapes FromShapes Reshape"),
    ("reshape_unstack", (LINE,),
     lambda tf, x: tf.reshape(x, [tf.unstack(tf.shape(x))[0], tf.unstack(tf.shape(x))[2], 6]),
     "FromShapes FromShapes FromShapes FromShapes Reshape"),
    ("squeeze", ((6, 1),), lambda tf, x: tf.squeeze(x, -1), "Squeeze"),
    ("expand_dims", (LINE,), lambda tf, x: tf.expand_dims(x, 1), "ExpandDims"),
    ("concat", (LINE, LINE), lambda tf, a, b: tf.concat([a, b], -1), "Concatenate"),
    ("concat_zeros", (LINE,),
     lambda tf, x: tf.concat([x, tf.zeros((tf.shape(x)[0], 1, 4))], 1),
     "FromShapes FromShapes FromShapes Concatenate"),
    ("concat_tile", (LINE,),
     lambda tf, x: tf.concat([tf.tile(ones(1, 1, 4), [tf.shape(x)[0], 1, 1]), x], 1),
     "FromShapes FromShapes FromShapes Concatenate"),
    ("stack", (LINE, LINE), lambda tf, a, b: tf.stack([a, b], 1), "Stack"),
    ("unstack", (LINE,), lambda tf, x: tf.unstack(x, axis=1), "Unstack"),
    ("split", (LINE,), lambda tf, x: tf.split(x, 2, axis=-1), "Split"),
    ("split_sizes", (LINE,), lambda tf, x: tf.split(x, [1, 3], -1), "Split"),
    ("split_rest", (LINE,), lambda tf, x: tf.split(x, [1, -1, 2], 1), "Split"),
    ("tile", (LINE,), lambda tf, x: tf.tile(x, [1, 2, 1]), "Tile"),
    ("repeat", (LINE,), lambda tf, x: tf.repeat(x, 2, axis=1), "Repeat"),
    ("broadcast_to", ((1, 4),), lambda tf, x: tf.broadcast_to(x, [tf.shape(x)[0], 6, 4]),
     "FromShapes FromShapes BroadcastTo"),
    ("gather", (LINE,), lambda tf, x: tf.gather(x, [0, 2], axis=1), "Take"),
    ("gather_each", (LINE, (3,)),
     lambda tf, x, i: tf.gather(x, tf.cast(i, "int32"), axis=1, batch_dims=1), "Cast tf.gather"),
    ("gather_named", (LINE, (3,)), lambda tf, x, i: tf.gather(
        indices=tf.cast(i, "int32"), params=x, batch_dims=1), "Cast tf.gather"),
    ("gather_nd", (LINE, (3, 1)),
     lambda tf, x, i: tf.gather_nd(x, tf.cast(i, "int32"), batch_dims=1), "Cast tf.gather_nd"),
    ("embedding_lookup", (VECTOR,),
     lambda tf, x: tf.nn.embedding_lookup(ones(10, 7), tf.cast(x, "int32")), "Cast Take"),
    ("one_hot", (VECTOR,), lambda tf, x: tf.one_hot(tf.cast(x, "int32"), 7), "Cast OneHot"),
    ("getitem", (LINE,), lambda tf, x: x[:, ::2, 1:], "GetItem"),
    ("getitem_dots", (LINE,), lambda tf, x: x[..., tf.newaxis, -1], "GetItem"),
    ("slice", (LINE,), lambda tf, x: tf.slice(x, [0, 1, 0], [-1, 2, 4]), "GetItem"),
    ("slice_shape", (LINE,), lambda tf, x: tf.slice(x, [0, 1, 0], [tf.shape(x)[0], 2, -1]),
     "FromShapes FromShapes GetItem"),
    ("strided_slice", (LINE,), lambda tf, x: tf.strided_slice(
        x, [0, 1, 0], [0, 5, 4], [1, 2, 1], begin_mask=1, end_mask=1, shrink_axis_mask=4),
     "GetItem"),
    ("reverse", (LINE,), lambda tf, x: tf.reverse(x, [1]), "Flip"),
    ("roll", (LINE,), lambda tf, x: tf.roll(x, 1, axis=1), "Roll"),
    ("lower", (SQUARE,), lambda tf, x: tf.linalg.band_part(x, -1, 0), "Tril"),
    ("upper", (SQUARE,), lambda tf, x: tf.linalg.band_part(x, 0, -1), "Triu"),
    ("diag", (VECTOR,), lambda tf, x: tf.linalg.diag(x), "tf.linalg.diag"),
    ("diag_part", (SQUARE,), lambda tf, x: tf.linalg.diag_part(x), "Diagonal"),
    ("frame", ((64,),), lambda tf, x: tf.signal.frame(x, 16, 8), "ExtractSequences"),
    ("zeros_like", (LINE,), lambda tf, x: tf.zeros_like(x), "ZerosLike"),
    ("identity", (LINE,), lambda tf, x: tf.identity(x), "Copy"),
    ("stop_gradient", (LINE,), lambda tf, x: tf.stop_gradient(x), "StopGradient"),
    ("ensure_shape", (LINE,), lambda tf, x: tf.ensure_shape(x, [None, 6, 4]), "Copy"),
    ("cast", (LINE,), lambda tf, x: tf.cast(x, tf.float16), "Cast"),
]  # fmt: skip

_ELEMENTS: list[tuple[str, Any, Any, str]] = [
    *[(name, (LINE,), lambda tf, x, name=name: getattr(tf.math, name)(x), kind)
      for name, kind in _pairs(_UNARY)],
    *[(name, (LINE, LINE), lambda tf, a, b, name=name: getattr(tf.math, name)(a, b), kind)
      for name, kind in _pairs(_BINARY)],
    *[(f"nn.{name}", (LINE,), lambda tf, x, name=name: getattr(tf.nn, name)(x), kind)
      for name, kind in _pairs(_ACTIVATIONS)],
    ("swish_beta", (LINE,), lambda tf, x: tf.nn.silu(x, 1.5), "Silu"),
    ("operators", (LINE,), lambda tf, x: abs(2.0 - (-x) * 3.0) ** 2.0 % 2.0 // 1.0,
     "Negative Multiply Subtract Absolute Power Mod FloorDivide"),
    ("logic", (LINE,), lambda tf, x: ~((x > 0) & (x < 1)),
     "Greater Less LogicalAnd LogicalNot"),
    ("add_n", (LINE, LINE), lambda tf, a, b: tf.add_n([a, b, a]), "tf.math.add_n"),
    ("scalar_mul", (LINE,), lambda tf, x: tf.math.scalar_mul(2.0, x), "Multiply"),
    ("bias_add", (IMAGE,), lambda tf, x: tf.nn.bias_add(x, ones(4)), "Add"),
    ("add_constant", (LINE,), lambda tf, x: x + ones(1, 6, 4), "Add"),
    ("scale_by_shape", (LINE,), lambda tf, x: x / tf.sqrt(tf.cast(tf.shape(x)[-1], "float32")),
     "FromShapes FromShapes FromShapes FromShapes TrueDivide"),
    ("clip_by_value", (LINE,), lambda tf, x: tf.clip_by_value(x, 0.0, 1.0), "Clip"),
    ("where", (LINE, LINE), lambda tf, a, b: tf.where(a > 0, a, b), "Greater Where"),
    ("saturate_cast", (LINE,), lambda tf, x: tf.saturate_cast(x, tf.uint8), "SaturateCast"),
    ("cross", ((6, 3), (6, 3)), lambda tf, a, b: tf.linalg.cross(a, b), "Cross"),
    ("sequence_mask", (VECTOR,), lambda tf, x: tf.sequence_mask(tf.cast(x, "int32"), 5),
     "Cast tf.sequence_mask"),
    ("check_numerics", (LINE,), lambda tf, x: tf.debugging.check_numerics(x, "message"),
     "tf.debugging.check_numerics"),
    ("fake_quant", (LINE,),
     lambda tf, x: tf.quantization.fake_quant_with_min_max_args(x, -6, 6, 8),
     "tf.quantization.fake_quant_with_min_max_args"),
    ("dropout", (LINE,), lambda tf, x: tf.nn.dropout(x, 0.2), "tf.nn.dropout"),
    ("random", (LINE,), lambda tf, x: x + tf.random.normal(tf.shape(x)),
     "FromShapes FromShapes Add"),
]  # fmt: skip

_REDUCTIONS: list[tuple[str, Any, Any, str]] = [
    *[(f"reduce_{name}", (LINE,),
       lambda tf, x, name=name: getattr(tf.math, f"reduce_{name}")(x, axis=-1, keepdims=True), kind)
      for name, kind in _pairs(_REDUCED)],
    ("reduce_any", (LINE,), lambda tf, x: tf.reduce_any(x > 0, 1), "Greater Any"),
    ("reduce_all", (LINE,), lambda tf, x: tf.reduce_all(x > 0, 1), "Greater All"),
    ("reduce_old", (LINE,), lambda tf, x: tf.compat.v1.reduce_mean(x, 1, keep_dims=True), "Mean"),
    ("count_nonzero", (LINE,), lambda tf, x: tf.math.count_nonzero(x, axis=-1), "CountNonzero"),
    ("argmax", (LINE,), lambda tf, x: tf.argmax(x, axis=-1), "Argmax"),
    ("cumsum", (LINE,), lambda tf, x: tf.cumsum(x, 1, exclusive=True, reverse=True), "Cumsum"),
    ("cumprod", (LINE,), lambda tf, x: tf.math.cumprod(x, 1), "Cumprod"),
    ("cumulative_logsumexp", (LINE,), lambda tf, x: tf.math.cumulative_logsumexp(x, 1),
     "tf.math.cumulative_logsumexp"),
    ("l2_normalize", (LINE,), lambda tf, x: tf.nn.l2_normalize(x, -1), "Normalize"),
    ("norm", (LINE,), lambda tf, x: tf.norm(x, axis=-1), "Norm"),
    ("norm_1", (LINE,), lambda tf, x: tf.norm(x, 1, -1, keepdims=True), "Norm"),
    ("trace", (SQUARE,), lambda tf, x: tf.linalg.trace(x), "Trace"),
    ("inv", (SQUARE,), lambda tf, x: tf.linalg.inv(x), "tf.linalg.inv"),
    ("moments", (LINE,), lambda tf, x: tf.nn.moments(x, [-1], keepdims=True),
     "Mean StopGradient tf.math.squared_difference Mean"),
    ("batch_normalization", (LINE,), lambda tf, x: tf.nn.batch_normalization(
        x, ones(4), ones(4), ones(4), ones(4), 1e-3), "Multiply Add"),
    ("sort", (LINE,), lambda tf, x: tf.sort(x, axis=-1), "tf.sort"),
    ("argsort", (LINE,), lambda tf, x: tf.argsort(x, axis=-1), "tf.argsort"),
    ("top_k", (LINE,), lambda tf, x: tf.math.top_k(x, 2)[0], "tf.math.top_k"),
]  # fmt: skip

CALLS = [Call(*row) for row in (*_PRODUCTS, *_IMAGES, *_MOVEMENTS, *_ELEMENTS, *_REDUCTIONS)]


def model(call: Call) -> Any:
    """The call as a model of Keras 2."""
    import tensorflow as tf  # noqa: PLC0415  # only where a test runs
    import tf_keras  # noqa: PLC0415  # likewise

    inputs = [tf_keras.Input(shape, name=f"in{i}") for i, shape in enumerate(call.shapes)]
    return tf_keras.Model(inputs, call.call(tf, *inputs), name="net")
