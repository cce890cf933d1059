"""The index maps of real Keras layers, executed point by point, against what Keras gives.

A wrong offset or order changes no count; it changes the values that the loop nest computes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import operation_cases
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops
from keras_cases import Case, built, label
from loop_nest import Array, executed
from worlds import REGISTRY

from costmodel import read

pytestmark = pytest.mark.filterwarnings(
    # Keras itself, under NumPy 2 and in tensordot of axes
    "ignore:__array__ implementation:DeprecationWarning",
    "ignore:NotImplemented should not be used:DeprecationWarning",
)

LINE, IMAGE, BLOCK = (7, 6), (7, 6, 4), (4, 5, 3, 2)
FIRST = {"data_format": "channels_first"}


def _case(shape: Any, name: str, **options: Any) -> Case:
    return Case(shape if isinstance(shape, list) else [shape], name, options)


CONVOLUTIONS = [
    _case(LINE, "Conv1D", filters=3, kernel_size=3),
    _case(LINE, "Conv1D", filters=3, kernel_size=4, padding="same"),
    _case(LINE, "Conv1D", filters=3, kernel_size=2, padding="same", strides=3),
    _case(LINE, "Conv1D", filters=3, kernel_size=3, padding="causal", dilation_rate=2),
    _case(LINE, "Conv1D", filters=3, kernel_size=3, padding="causal", strides=2),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, padding="same", groups=2, use_bias=False),
    _case(LINE, "Conv1D", filters=4, kernel_size=3, padding="same", strides=2, **FIRST),
    _case(IMAGE, "Conv2D", filters=3, kernel_size=(3, 2), strides=(2, 1), padding="same"),
    _case(IMAGE, "Conv2D", filters=3, kernel_size=(2, 3), strides=(3, 2)),
    _case(IMAGE, "Conv2D", filters=3, kernel_size=3, dilation_rate=(2, 1), padding="same"),
    _case(IMAGE, "Conv2D", filters=6, kernel_size=2, groups=2, padding="same"),
    _case(IMAGE, "Conv2D", filters=8, kernel_size=(2, 1), groups=4, strides=2),
    _case(IMAGE, "Conv2D", filters=2, kernel_size=(4, 3), padding="same", strides=2, **FIRST),
    _case((4, 7, 6), "Conv2D", filters=4, kernel_size=2, padding="same", groups=2, **FIRST),
    _case(BLOCK, "Conv3D", filters=2, kernel_size=(2, 3, 2), padding="same"),
    _case(BLOCK, "Conv3D", filters=2, kernel_size=2, strides=(1, 2, 1), groups=2),
    _case(BLOCK, "Conv3D", filters=2, kernel_size=2, padding="same", **FIRST),
    _case(LINE, "DepthwiseConv1D", kernel_size=4, padding="same", depth_multiplier=2),
    _case(LINE, "DepthwiseConv1D", kernel_size=3, strides=2, **FIRST),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=3, strides=2, padding="same"),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=(2, 3), depth_multiplier=3),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=3, dilation_rate=2, padding="same"),
    _case(IMAGE, "DepthwiseConv2D", kernel_size=2, padding="same", depth_multiplier=2, **FIRST),
    _case(LINE, "SeparableConv1D", filters=3, kernel_size=3, strides=2, padding="same"),
    _case(IMAGE, "SeparableConv2D", filters=3, kernel_size=(2, 3), depth_multiplier=2),
    _case(IMAGE, "SeparableConv2D", filters=3, kernel_size=2, padding="same", **FIRST),
]

TRANSPOSED = [
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=3),
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=3, strides=2, padding="same"),
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=4, strides=2, padding="same"),
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=2, strides=3, padding="same"),
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=2, strides=3),
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=3, strides=2, output_padding=1),
    _case(LINE, "Conv1DTranspose", filters=3, kernel_size=3, strides=2, **FIRST),
    _case(IMAGE, "Conv2DTranspose", filters=3, kernel_size=(3, 2), strides=2),
    _case(IMAGE, "Conv2DTranspose", filters=3, kernel_size=(4, 2), strides=(2, 3), padding="same"),
    _case(IMAGE, "Conv2DTranspose", filters=2, kernel_size=5, strides=2, padding="same"),
    _case(IMAGE, "Conv2DTranspose", filters=2, kernel_size=3, strides=2, padding="same",
          output_padding=1),
    _case(IMAGE, "Conv2DTranspose", filters=2, kernel_size=4, strides=3, padding="same",
          output_padding=(1, 2)),
    _case(IMAGE, "Conv2DTranspose", filters=2, kernel_size=3, strides=2, padding="same", **FIRST),
    _case(BLOCK, "Conv3DTranspose", filters=2, kernel_size=2, strides=2),
    _case(BLOCK, "Conv3DTranspose", filters=2, kernel_size=3, strides=2, padding="same"),
]  # fmt: skip

POOLING = [
    _case(LINE, "MaxPooling1D", pool_size=3, strides=2, padding="same"),
    _case(LINE, "AveragePooling1D", pool_size=2, padding="same"),
    _case(LINE, "AveragePooling1D", pool_size=2, strides=3),
    _case(IMAGE, "MaxPooling2D", pool_size=2),
    _case(IMAGE, "MaxPooling2D", pool_size=(3, 2), strides=2, padding="same"),
    _case(IMAGE, "MaxPooling2D", pool_size=4, strides=3, padding="same", **FIRST),
    _case(IMAGE, "AveragePooling2D", pool_size=(4, 3), strides=1, padding="same"),
    _case(IMAGE, "AveragePooling2D", pool_size=3, strides=2, padding="same"),
    _case(BLOCK, "MaxPooling3D", pool_size=2, padding="same"),
    _case(BLOCK, "AveragePooling3D", pool_size=2, strides=1),
    _case(LINE, "GlobalMaxPooling1D"),
    _case(IMAGE, "GlobalAveragePooling2D", keepdims=True),
    _case(IMAGE, "GlobalMaxPooling2D", **FIRST),
    _case(BLOCK, "GlobalAveragePooling3D"),
    _case(LINE, "AdaptiveMaxPooling1D", output_size=7),
    _case((8, 6, 4), "AdaptiveAveragePooling2D", output_size=(4, 3)),
    _case((8, 6, 4), "AdaptiveMaxPooling2D", output_size=(2, 2), **FIRST),
]

PRODUCTS = [
    _case((5,), "Dense", units=3),
    _case((2, 3, 4), "Dense", units=3, use_bias=False),
    _case((5, 4), "EinsumDense", equation="abc,cd->abd", output_shape=(5, 3), bias_axes="d"),
    _case((5, 4), "EinsumDense", equation="abc,cb->ac", output_shape=(4,)),
    _case((5, 4), "EinsumDense", equation="abc,cde->adbe", output_shape=(2, None, 3),
          bias_axes="de"),
    _case((5, 4), "EinsumDense", equation="...x,xy->...y", output_shape=(3,), bias_axes="y"),
    _case((4, 5), "EinsumDense", equation="ab...,bc->ac...", output_shape=(3,)),
    _case((2, 3, 4), "EinsumDense", equation="abcd,cde->abe", output_shape=(None, 5)),
    _case([(5,), (5,)], "Dot", axes=1),
    _case([(3, 5), (4, 5)], "Dot", axes=2),
    _case([(3, 5), (5, 4)], "Dot", axes=(2, 1)),
    _case([(5, 3), (5, 4)], "Dot", axes=1),
    _case([(2, 3, 5), (5, 4)], "Dot", axes=(3, 1)),
]  # fmt: skip

MOVEMENTS = [
    _case(LINE, "ZeroPadding1D", padding=(1, 3)),
    _case(IMAGE, "ZeroPadding2D", padding=((1, 0), (2, 3))),
    _case(IMAGE, "ZeroPadding2D", padding=(1, 2), **FIRST),
    _case(BLOCK, "ZeroPadding3D", padding=((1, 0), (0, 2), (1, 1))),
    _case(LINE, "Cropping1D", cropping=(1, 3)),
    _case(IMAGE, "Cropping2D", cropping=((1, 0), (2, 3))),
    _case(IMAGE, "Cropping2D", cropping=((1, 0), (0, 2)), **FIRST),
    _case(BLOCK, "Cropping3D", cropping=((1, 0), (0, 2), (1, 1))),
    _case(LINE, "UpSampling1D", size=3),
    _case(IMAGE, "UpSampling2D", size=(2, 3)),
    _case(IMAGE, "UpSampling2D", size=(2, 3), **FIRST),
    _case(BLOCK, "UpSampling3D", size=(2, 1, 3)),
    _case(IMAGE, "Permute", dims=(3, 1, 2)),
    _case((4,), "RepeatVector", n=3),
    _case([LINE, LINE], "Concatenate", axis=1),
    _case([(3, 2), (3, 4), (3, 1)], "Concatenate"),
    _case((8, 6, 4), "Resizing", height=4, width=12, interpolation="nearest"),
    _case((8, 6, 4), "CenterCrop", height=5, width=3),
]

MERGES = [
    _case([LINE, LINE], "Add"),
    _case([LINE, LINE, LINE], "Average"),
    _case([LINE, LINE], "Subtract"),
    _case([IMAGE, (1, 1, 4)], "Multiply"),
    _case([LINE, (7, 1)], "Maximum"),
    _case([LINE, LINE], "Minimum"),
]


@pytest.mark.parametrize(
    "case", CONVOLUTIONS + TRANSPOSED + POOLING + PRODUCTS + MOVEMENTS + MERGES, ids=label
)
def test_the_loop_nest_of_a_layer_computes_what_keras_does(case: Case) -> None:
    check(case)


@settings(max_examples=40)
@given(
    name=st.sampled_from(["Conv1D", "Conv1DTranspose", "DepthwiseConv1D", "MaxPooling1D"]),
    length=st.integers(1, 9),
    window=st.integers(1, 5),
    step=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
)
def test_windows_stand_where_those_of_keras_do(
    name: str, length: int, window: int, step: int, dilation: int, padding: str
) -> None:
    reach = (window - 1) * dilation + 1
    pools = name == "MaxPooling1D"
    assume(padding == "same" or "Transpose" in name or (window if pools else reach) <= length)
    options: dict[str, Any] = {"strides": step, "padding": padding}
    options["pool_size" if pools else "kernel_size"] = window
    if name in {"Conv1D", "DepthwiseConv1D"} and step == 1:
        options["dilation_rate"] = dilation
    if name in {"Conv1D", "Conv1DTranspose"}:
        options["filters"] = 2
    check(Case([(length, 2)], name, options))


TABLE: Array = np.arange(20.0, dtype="float32").reshape(4, 5) - 7
OPERATIONS = [
    operation_cases.Case(shapes, call, text)
    for text, shapes, call in [
        ("matmul", ((3, 4), (4, 5)), ops.matmul),
        ("matmul of stacks", ((2, 3, 4), (2, 4, 5)), ops.matmul),
        ("matmul broadcast", ((1, 3, 4), (2, 4, 5)), ops.matmul),
        ("matmul exchanged", ((3, 4), (4, 3)), lambda x, y: ops.matmul(y, x)),
        ("tensordot", ((3, 4),), lambda x: ops.tensordot(x, TABLE, 1)),
        ("tensordot of axes", ((4, 3),), lambda x: ops.tensordot(x, TABLE, ([1], [0]))),
        ("tensordot of two", ((4, 5),), lambda x: ops.tensordot(x, TABLE, ([2, 1], [1, 0]))),
        ("einsum", ((3, 4), (5, 4)), lambda x, y: ops.einsum("bik,bjk->bji", x, y)),
        ("einsum elided", ((2, 3, 4), (2, 4, 5)),
         lambda x, y: ops.einsum("...ik,...kj->...ji", x, y)),
        ("einsum implicit", ((3, 4), (5, 4)), lambda x, y: ops.einsum("bik,bjk->bij", x, y)),
        ("einsum of a constant", ((3, 4),), lambda x: ops.einsum("bik,kj->bji", x, TABLE)),
        ("einsum of one", ((3, 4),), lambda x: ops.einsum("bik->bki", x)),
        ("einsum sum", ((3, 4),), lambda x: ops.einsum("bik->bk", x)),
        ("inner", ((3, 4),), lambda x: ops.inner(x, TABLE.T)),
        ("dot", ((3, 4),), lambda x: ops.dot(x, TABLE)),
    ]
]  # fmt: skip


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.label)
def test_the_loop_nest_of_a_function_computes_what_keras_does(case: operation_cases.Case) -> None:
    model = operation_cases.built(case)
    (layer,) = working(model)
    arrays = drawn([tensor.shape[1:] for tensor in model.inputs])
    by_shape = {array.shape: array for array in arrays}  # a call may exchange its inputs
    placed = [by_shape[tensor.shape] for tensor in layer.inputs]
    constants = [
        TABLE.T if item.shape == TABLE.T.shape else TABLE for item in layer.operators()[0].weights
    ]
    compare(layer, [*placed, *constants], model([array[None] for array in arrays])[0])


# ------------------------------------------------------------------ executing


def working(model: Any) -> Sequence[Any]:
    """The layers of a model that have operators."""
    network = read(model, registry=REGISTRY)
    return [layer for layer in network.layers if not layer.kind.endswith("InputLayer")]


def drawn(shapes: Sequence[Any]) -> list[Array]:
    """Random values of some shapes."""
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype("float32") for shape in shapes]


def check(case: Case) -> None:
    """Compare the loop nest of a layer with Keras on random values."""
    model, layer = built(case)
    layer.set_weights(drawn([weight.shape for weight in layer.weights]))
    weights = [np.asarray(weight) for weight in layer.weights]
    arrays = drawn([tensor.shape[1:] for tensor in model.inputs])
    ours = read(model, registry=REGISTRY).layer(layer.name)
    due = np.asarray(_run(layer, arrays))
    assert tuple(ours.output_shapes()) == (due.shape,)
    compare(ours, [*arrays, *weights], due)


def _run(layer: Any, arrays: Sequence[Array]) -> Array:
    """What a layer gives; convolutions with channels first need another processor than this."""
    if getattr(layer, "data_format", "") != "channels_first":
        given = [array[None] for array in arrays]
        return np.asarray(layer(given if len(given) > 1 else given[0]))[0]
    options = {**layer.get_config(), "data_format": "channels_last"}
    twin = type(layer).from_config(options)
    (array,) = arrays
    array = np.moveaxis(array, 0, -1)[None]
    twin.build(array.shape)
    twin.set_weights(layer.get_weights())
    return np.moveaxis(np.asarray(twin(array))[0], -1, 0)


def compare(layer: Any, arrays: Sequence[Array], due: Any) -> None:
    """Compare the operators of a layer, one after the other, with a result."""
    work = layer.operators()
    given, weights = list(arrays[: len(layer.inputs)]), iter(arrays[len(layer.inputs) :])
    for operator in work:
        own = list(itertools.islice(weights, len(operator.weights)))
        held, arrived = iter(own), iter(given)
        ordered = [
            next(held if item.role == "weight" else arrived)
            for item in operator.operands
            if item.role != "output"
        ]
        given = executed(operator, *ordered)
    np.testing.assert_allclose(given[0].reshape(np.shape(due)), due, rtol=1e-4, atol=1e-4)
