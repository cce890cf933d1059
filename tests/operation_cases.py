"""One call at a time: every function of keras.ops that has a rule, in the forms it is called in.

A row is the input shapes without the batch axis, and the call on tensors of them; its label is
the source of the call.
"""

# ruff: noqa: PLW0108  # a call is written as it is in a program
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops, src

VECTOR, LINE, IMAGE, BLOCK = (8,), (4, 6), (8, 6, 4), (6, 6, 6, 2)
ONES = np.ones


class Case(NamedTuple):
    """One call and what it is called on."""

    shapes: tuple[tuple[int, ...], ...]
    call: Callable[..., Any]
    label: str
    dtype: str = "float32"
    batch: int | None = None


def _case(*parts: Any, label: str = "", **more: Any) -> Case:
    *shapes, call = parts
    return Case(tuple(shapes), call, label or _source(call), **more)


def _source(call: Any) -> str:
    text = " ".join(inspect.getsource(call).partition("lambda ")[2].split())
    return text.partition(": ")[2].rstrip(",)")[:90]


_UNARY = """
    abs absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad exp exp2
    expm1 fabs floor i0 isfinite isinf isnan isneginf isposinf log log10 log1p log2 logical_not
    nan_to_num negative ones_like rad2deg reciprocal round sign signbit sin sinc sinh sqrt square
    tan tanh trunc zeros_like erf erfc erfinv rsqrt celu elu gelu hard_shrink hard_sigmoid hard_silu
    hard_tanh leaky_relu log_sigmoid log_softmax relu relu6 selu sigmoid silu soft_shrink softmax
    softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink copy
    stop_gradient convert_to_tensor empty_like array glu fliplr
"""
_BINARY = """
    add subtract multiply divide true_divide divide_no_nan floor_divide fmod mod power maximum fmax
    minimum fmin equal greater greater_equal less less_equal not_equal isclose logical_and
    logical_or logical_xor arctan2 heaviside hypot ldexp logaddexp logaddexp2 nextafter
"""
_BITS = """
    bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift right_shift
"""
_REDUCTIONS = """
    sum mean max min amax amin prod all any count_nonzero argmax argmin var std ptp logsumexp
    nansum nanmean nanmax nanmin nanprod nanvar nanstd nanargmax nanargmin
"""


def _named(names: str) -> list[tuple[str, Any]]:
    found = [(name, getattr(ops, name, getattr(ops.nn, name, None))) for name in names.split()]
    assert all(function for _, function in found)
    return found


CURVES = [_case(LINE, function, label=f"{name}(x)") for name, function in _named(_UNARY)] + [
    _case(LINE, lambda x: ops.threshold(x, 0.5, 0.0)),
    _case(LINE, lambda x: ops.clip(x, 0.0, 1.0)),
    _case(LINE, lambda x: ops.cast(x, "int32")),
    _case(LINE, lambda x: ops.saturate_cast(x, "uint8")),
    _case(LINE, lambda x: ops.full_like(x, 3)),
    _case(LINE, lambda x: ops.softmax(x, axis=1)),
    _case(LINE, ops.bitwise_not, dtype="int32", label="bitwise_not(x)"),
    _case(LINE, ops.bitwise_invert, dtype="int32", label="bitwise_invert(x)"),
]

MERGING = (
    [_case(LINE, LINE, function, label=f"{name}(x, y)") for name, function in _named(_BINARY)]
    + [
        _case(LINE, LINE, function, dtype="int32", label=f"{name}(x, y)")
        for name, function in _named(_BITS)
    ]
    + [
        _case(LINE, lambda x: x * 2.0),
        _case(LINE, lambda x: 1 - x),
        _case(LINE, lambda x: x**2),
        _case(LINE, lambda x: x // 2),
        _case(LINE, lambda x: x % 3),
        _case(LINE, lambda x: -x),
        _case(LINE, lambda x: abs(x)),
        _case(LINE, lambda x: x > 0),
        _case(LINE, lambda x: x + x),
        _case(LINE, lambda x: x + ONES((6,))),
        _case(LINE, lambda x: x + ONES((4, 1), "float32")),
        _case(LINE, lambda x: ops.ones((1, 4, 6)) - x),
        _case(LINE, (3, 4, 6), lambda x, y: ops.expand_dims(x, 1) * y),
        _case((4, 1), (1, 6), lambda x, y: x / y),
        _case(LINE, LINE, lambda x, y: ops.where(x > y, x, y)),
        _case(LINE, lambda x: ops.where(x > 0, x, 0.0)),
        _case(LINE, LINE, lambda x, y: ops.select([x > 0, y > 0], [x, y], 0.0)),
        _case(LINE, lambda x: ops.kron(x, ONES((1, 2, 3), "float32"))),
        _case((5, 3), (5, 3), lambda x, y: ops.cross(x, y)),
        _case(LINE, lambda x: ops.digitize(x, ONES((5,)))),
        _case(LINE, lambda x: ops.searchsorted(ONES((5,), "float32"), x)),
        _case(LINE, lambda x: ops.isin(x, ONES((3,), "float32"))),
        _case(LINE, lambda x: ops.diff(x)),
        _case(LINE, lambda x: ops.diff(x, n=2, axis=1)),
        _case(LINE, lambda x: ops.cumsum(x, axis=-1)),
        _case(LINE, lambda x: ops.cumprod(x, axis=1)),
        _case(LINE, lambda x: ops.nancumsum(x, axis=1)),
        _case(LINE, lambda x: ops.nancumprod(x, axis=1)),
    ]
)

REDUCTIONS = [
    _case(LINE, functools.partial(function, axis=-1), label=f"{name}(x, axis=-1)")
    for name, function in _named(_REDUCTIONS)
] + [
    _case(IMAGE, lambda x: ops.mean(x, axis=(1, 2))),
    _case(IMAGE, lambda x: ops.mean(x, axis=[1, 2], keepdims=True)),
    _case(IMAGE, lambda x: ops.max(x, axis=-2, keepdims=True)),
    _case(IMAGE, lambda x: ops.sum(x, axis=(1, 2, 3))),
    _case(IMAGE, lambda x: ops.moments(x, axes=[1, 2])),
    _case(LINE, lambda x: ops.average(x, axis=1)),
    _case(LINE, lambda x: ops.average(x, axis=1, weights=ONES((4,), "float32"))),
    _case(LINE, lambda x: ops.norm(x, axis=-1)),
    _case(LINE, lambda x: ops.norm(x, ord=1, axis=-1, keepdims=True)),
    _case(LINE, lambda x: ops.norm(x, ord=3, axis=1)),
    _case(LINE, lambda x: ops.norm(x, ord=np.inf, axis=1)),
    _case(LINE, lambda x: ops.norm(x, ord="fro", axis=(1, 2))),
    _case(LINE, lambda x: ops.normalize(x)),
    _case(LINE, lambda x: ops.normalize(x, axis=1, order=1)),
    _case(IMAGE, lambda x: ops.layer_normalization(x, ONES((4,)), ONES((4,)))),
    _case(IMAGE, lambda x: ops.layer_normalization(x)),
    _case(IMAGE, lambda x: ops.rms_normalization(x, ONES((4,)))),
    _case(IMAGE, lambda x: ops.batch_normalization(x, ONES((4,)), ONES((4,)), -1)),
    _case(IMAGE, lambda x: ops.trace(x, axis1=1, axis2=2)),
    _case(IMAGE, lambda x: ops.trace(x, offset=1, axis1=1, axis2=2)),
    _case((), (5,), lambda x, y: ops.in_top_k(ops.cast(x, "int32"), y, 2)),
    _case(LINE, lambda x: ops.trapezoid(x)),
]

PRODUCTS = [
    _case(LINE, (6, 5), lambda x, y: x @ y),
    _case(LINE, lambda x: ops.matmul(x, ONES((6, 3), "float32"))),
    _case((3, 4, 6), (6, 5), lambda x, y: ops.matmul(x, ops.expand_dims(y, 1))),
    _case(LINE, lambda x: ops.matmul(x, ONES((6,), "float32"))),
    _case(VECTOR, lambda x: ops.matmul(x, ONES((8, 3), "float32"))),
    _case(VECTOR, lambda x: ops.matmul(x, ONES((8,), "float32"))),
    _case(VECTOR, lambda x: ops.dot(x, ONES((8, 3), "float32"))),
    _case(VECTOR, lambda x: ops.tensordot(x, ONES((8, 3), "float32"), axes=1)),
    _case(VECTOR, lambda x: ops.einsum("bj,jk->bk", x, ONES((8, 3), "float32"))),
    _case(LINE, lambda x: ops.dot(x, ONES((6, 3), "float32"))),
    _case(LINE, lambda x: ops.dot(x, 2.0)),
    _case(LINE, lambda x: ops.inner(x, ONES((3, 6), "float32"))),
    _case(LINE, lambda x: ops.tensordot(x, ONES((4, 6, 3), "float32"), axes=2)),
    _case(LINE, lambda x: ops.tensordot(x, ONES((6, 3), "float32"), axes=1)),
    _case(LINE, (6, 5), lambda x, y: ops.einsum("bij,bjk->bik", x, y)),
    _case(LINE, lambda x: ops.einsum("bij,jk->bki", x, ONES((6, 3), "float32"))),
    _case(LINE, lambda x: ops.einsum("...j,jk->...k", x, ONES((6, 3), "float32"))),
    _case(LINE, lambda x: ops.einsum("bij->bji", x)),
    _case(LINE, lambda x: ops.einsum("bij->bi", x)),
    _case((4, 3, 8), (5, 3, 8), lambda q, k: ops.einsum("bqhd,bkhd->bhqk", q, k)),
    _case((4, 3, 8), (5, 3, 8), lambda q, k: ops.dot_product_attention(q, k, k)),
    _case(
        (4, 3, 8), (5, 3, 8), (3, 4, 5),
        lambda q, k, m: ops.dot_product_attention(q, k, k, mask=m > 0, scale=0.5),
    ),
    _case((4, 6), (5, 6), lambda x, y: ops.cdist(x, y)),
    _case(IMAGE, lambda x: ops.conv(x, ONES((3, 3, 4, 5), "float32"))),
    _case(IMAGE, lambda x: ops.conv(x, ONES((3, 2, 4, 5), "float32"), 2, padding="same")),
    _case(IMAGE, lambda x: ops.conv(x, ONES((3, 3, 4, 6), "float32"), dilation_rate=2)),
    _case(LINE, lambda x: ops.conv(x, ONES((2, 6, 5), "float32"), strides=2)),
    _case(IMAGE, lambda x: ops.depthwise_conv(x, ONES((3, 3, 4, 2), "float32"))),
    _case(
        IMAGE,
        lambda x: ops.separable_conv(
            x, ONES((3, 3, 4, 2), "float32"), ONES((1, 1, 8, 5), "float32")
        ),
    ),
    _case(IMAGE, lambda x: ops.conv_transpose(x, ONES((3, 3, 5, 4), "float32"), strides=2)),
    _case(
        IMAGE,
        lambda x: ops.conv_transpose(
            x, ONES((3, 3, 5, 4), "float32"), strides=2, padding="same", output_padding=1
        ),
    ),
    _case(IMAGE, lambda x: ops.image.gaussian_blur(x, kernel_size=(3, 5))),
    _case(IMAGE, lambda x: ops.image.sobel_edges(x)),
    _case((8, 6, 3), lambda x: ops.image.rgb_to_grayscale(x)),
]  # fmt: skip

SHAPES = [
    _case(LINE, lambda x: ops.reshape(x, (-1, 24))),
    _case(LINE, lambda x: ops.reshape(x, (-1, 3, 8))),
    _case(LINE, lambda x: ops.reshape(x, (3, -1))),
    _case(LINE, lambda x: ops.reshape(x, (ops.shape(x)[0], 2, -1))),
    _case(LINE, lambda x: ops.ravel(x)),
    _case(LINE, lambda x: ops.expand_dims(x, -1)),
    _case(LINE, lambda x: ops.expand_dims(x, (1, 3))),
    _case((4, 1, 6, 1), lambda x: ops.squeeze(x, axis=2)),
    _case((4, 1, 6, 1), lambda x: ops.squeeze(x)),
    _case(IMAGE, lambda x: ops.transpose(x, (0, 3, 1, 2))),
    _case(IMAGE, lambda x: ops.swapaxes(x, 1, -1)),
    _case(IMAGE, lambda x: ops.moveaxis(x, 3, 1)),
    _case(IMAGE, lambda x: ops.moveaxis(x, [1, 2], [-1, -2])),
    _case(IMAGE, lambda x: ops.rot90(x, axes=(1, 2))),
    _case(IMAGE, lambda x: ops.rearrange(x, "b (h s) w c -> b h w (s c)", s=2), batch=3),
    _case(LINE, lambda x: ops.rearrange(x, "b t f -> b f t"), batch=3),
    _case(LINE, lambda x: ops.flip(x, axis=1)),
    _case(LINE, lambda x: ops.flipud(x)),
    _case(LINE, lambda x: ops.roll(x, 2, axis=1)),
    _case(LINE, lambda x: ops.tril(x)),
    _case(LINE, lambda x: ops.triu(x, k=1)),
    _case(LINE, lambda x: x[:, 0]),
    _case(LINE, lambda x: x[:, 1:, ::2]),
    _case(LINE, lambda x: x[..., -1]),
    _case(LINE, lambda x: x[:, None, :, 2:5]),
    _case(LINE, lambda x: x[:, ::-1]),
    _case(LINE, lambda x: ops.slice(x, (0, 1, 2), (2, 3, 4))),
    _case(LINE, (2, 6), lambda x, y: ops.slice_update(x, (0, 1, 0), y)),
    _case(LINE, lambda x: ops.scatter_update(x, [[0, 0, 0]], ONES((1,), "float32"))),
    _case(LINE, lambda x: ops.split(x, 2, axis=1)),
    _case(LINE, lambda x: ops.split(x, [1, 3], axis=-1)),
    _case(LINE, lambda x: ops.array_split(x, 4, axis=-1)),
    _case(LINE, lambda x: ops.hsplit(x, 2)),
    _case(LINE, lambda x: ops.dsplit(x, 2)),
    _case((4, 6), lambda x: ops.vsplit(ops.tile(x, (2, 1, 1)), 2)),
    _case(LINE, lambda x: ops.unstack(x, axis=1)),
    _case(LINE, lambda x: ops.unstack(x, 4, axis=1)),
    _case(IMAGE, lambda x: ops.diagonal(x, axis1=1, axis2=2)),
    _case(IMAGE, lambda x: ops.diagonal(x, offset=-2, axis1=1, axis2=3)),
    _case(LINE, lambda x: ops.take(x, [0, 2], axis=1)),
    _case(LINE, lambda x: ops.take(x, 1, axis=-1)),
    _case(LINE, lambda x: ops.take(ONES((9, 5), "float32"), ops.cast(x, "int32"), axis=0)),
    _case(LINE, (2, 6), lambda x, i: ops.take_along_axis(x, ops.cast(i, "int32"), axis=1)),
    _case(LINE, (2, 6), lambda x, y: ops.concatenate([x, y], axis=1)),
    _case(LINE, LINE, lambda x, y: ops.concatenate([x, y, x], axis=-1)),
    _case(LINE, (2, 6), lambda x, y: ops.append(x, y, axis=1)),
    _case(LINE, (2, 6), lambda x, y: ops.hstack([x, y])),
    _case(LINE, (4, 1), lambda x, y: ops.dstack([x, y])),
    _case(LINE, LINE, lambda x, y: ops.vstack([x, y])),
    _case(LINE, LINE, lambda x, y: ops.stack([x, y], axis=1)),
    _case(LINE, LINE, lambda x, y: ops.stack([x, y, y], axis=-1)),
    _case((1, 6), lambda x: ops.broadcast_to(x, (3, 4, 6))),
    _case(LINE, lambda x: ops.tile(x, (1, 2, 3))),
    _case(LINE, lambda x: ops.tile(x, 2)),
    _case(LINE, lambda x: ops.repeat(x, 2, axis=1)),
    _case(LINE, lambda x: ops.repeat(x, [1, 2, 0, 3], axis=1)),
    _case(LINE, lambda x: ops.pad(x, ((0, 0), (1, 2), (3, 0)))),
    _case(VECTOR, lambda x: ops.one_hot(ops.cast(x, "int32"), 5)),
    _case(VECTOR, lambda x: ops.one_hot(ops.cast(x, "int32"), 5, axis=1)),
    _case(VECTOR, lambda x: ops.multi_hot(ops.cast(x, "int32"), 5)),
    _case(LINE, lambda x: ops.extract_sequences(x, 3, 2)),
]

WINDOWS = [
    _case(IMAGE, lambda x: ops.max_pool(x, 2)),
    _case(IMAGE, lambda x: ops.max_pool(x, (3, 2), strides=(1, 2), padding="same")),
    _case(IMAGE, lambda x: ops.average_pool(x, 3, strides=2)),
    _case(IMAGE, lambda x: ops.average_pool(x, 2, data_format="channels_first")),
    _case(IMAGE, lambda x: ops.adaptive_average_pool(x, (3, 2), data_format="channels_first")),
    _case(BLOCK, lambda x: ops.adaptive_max_pool(x, (4, 5, 1), data_format="channels_first")),
    _case(IMAGE, lambda x: ops.depth_to_space(x, 2)),
    _case(IMAGE, lambda x: ops.space_to_depth(x, 2)),
    _case(IMAGE, lambda x: ops.image.extract_patches(x, 2)),
    _case(IMAGE, lambda x: ops.image.extract_patches(x, (3, 2), strides=1, padding="same")),
    _case((3, 8, 6), lambda x: ops.unfold(x, 3, padding=1, stride=2)),
    _case((12, 20), lambda x: ops.fold(x, (6, 5), (2, 2), stride=1)),
    _case(IMAGE, lambda x: ops.image.resize(x, (4, 5))),
    _case(IMAGE, lambda x: ops.image.resize(x, (16, 12), interpolation="nearest")),
    _case(IMAGE, lambda x: ops.image.crop_images(x, 1, 2, 3, 1)),
    _case(IMAGE, lambda x: ops.image.crop_images(x, 1, 2, target_height=4, target_width=3)),
    _case(IMAGE, lambda x: ops.image.pad_images(x, 1, 2, 3, 4)),
    _case(IMAGE, lambda x: ops.image.pad_images(x, 1, 2, target_height=20, target_width=20)),
]

CASES = [*CURVES, *MERGING, *REDUCTIONS, *PRODUCTS, *SHAPES, *WINDOWS]


def built(case: Case) -> Any:
    """A Keras model of the call behind its inputs."""
    import keras  # noqa: PLC0415  # only where a test runs

    inputs = [keras.Input(shape, case.batch, case.dtype) for shape in case.shapes]
    return keras.Model(inputs, case.call(*inputs))


def all_operations() -> dict[str, type]:
    """Every class of an operation in keras.src.ops, by its name."""
    import importlib  # noqa: PLC0415
    import pkgutil  # noqa: PLC0415

    import keras  # noqa: PLC0415

    found = {}
    for module in pkgutil.iter_modules(src.ops.__path__, "keras.src.ops."):
        if module.name.endswith("_test"):
            continue
        for name, member in vars(importlib.import_module(module.name)).items():
            is_own = isinstance(member, type) and member.__module__ == module.name
            if is_own and issubclass(member, keras.Operation):
                found[name] = member
    return found
