"""Multiply-accumulates, counted by running the layer on ones.

With every input and every weight at one and no bias, each product adds exactly one to the
output, so the sum of the output is the number of multiply-accumulates. Dilated transposed
convolutions are counted by a loop nest (test_oracles.py): not every processor can run them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_cases import Case, built, label
from worlds import REGISTRY

from costmodel import read

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

LINE, IMAGE, BLOCK = (9, 6), (8, 7, 6), (5, 6, 7, 4)

COUNTED = [
    Case([shape], name, options)
    for shape, name, options in [
        ((5,), "Dense", {"units": 3}),
        ((2, 4, 5), "Dense", {"units": 3}),
        (LINE, "Conv1D", {"filters": 4, "kernel_size": 3}),
        (LINE, "Conv1D", {"filters": 4, "kernel_size": 3, "groups": 2, "strides": 2}),
        (IMAGE, "Conv2D", {"filters": 4, "kernel_size": (3, 2)}),
        (IMAGE, "Conv2D", {"filters": 6, "kernel_size": 3, "groups": 3, "dilation_rate": 2}),
        (IMAGE, "Conv2D", {"filters": 4, "kernel_size": 3, "strides": (2, 3)}),
        (BLOCK, "Conv3D", {"filters": 3, "kernel_size": 2}),
        (LINE, "Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}),
        (IMAGE, "Conv2DTranspose", {"filters": 4, "kernel_size": 3}),
        (IMAGE, "Conv2DTranspose", {"filters": 4, "kernel_size": (2, 3), "strides": 2}),
        (IMAGE, "Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 3}),
        (BLOCK, "Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}),
        (LINE, "DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}),
        (IMAGE, "DepthwiseConv2D", {"kernel_size": 3}),
        (IMAGE, "DepthwiseConv2D", {"kernel_size": (2, 2), "depth_multiplier": 3, "strides": 2}),
        ((3, 5), "TimeDistributed", {"layer": ("Dense", {"units": 4})}),
        ((2, *IMAGE), "TimeDistributed", {"layer": ("Conv2D", {"filters": 4, "kernel_size": 3})}),
    ]
]

DOTS = [
    Case(shapes, "Dot", {"axes": axes})
    for shapes, axes in [
        ([(5,), (5,)], 1),
        ([(3, 5), (4, 5)], 2),
        ([(3, 5), (5, 4)], (2, 1)),
        ([(2, 3, 5), (5, 4)], (3, 1)),
    ]
]


def run_on_ones(model: Any, layer: Any) -> Any:
    """The outputs of the model for ones, with every kernel of the layer at one."""
    layer.set_weights([np.ones(w.shape) * ("bias" not in w.path) for w in layer.weights])
    inputs = [np.ones((1, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
    return np.asarray(model(inputs))


def macs(model: Any) -> Any:
    return read(model, registry=REGISTRY).macs


@pytest.mark.parametrize("case", COUNTED + DOTS, ids=label)
def test_the_products_that_keras_adds_up_are_the_multiply_accumulates(case: Case) -> None:
    model, layer = built(case)
    assert macs(model) == run_on_ones(model, layer).sum()


@pytest.mark.parametrize(
    "case", [case for case in COUNTED if case.name != "TimeDistributed"], ids=label
)
def test_the_reduction_is_the_most_products_that_meet_in_one_output(case: Case) -> None:
    model, layer = built(case)
    (work,) = read(model, registry=REGISTRY).layer(layer.name).operators()
    assert work.reduction_size == run_on_ones(model, layer).max()


@settings(max_examples=15)
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    name=st.sampled_from(["Conv2D", "DepthwiseConv2D"]),
)
def test_same_padding_counts_the_whole_window_at_every_place(
    kernel: int, stride: int, name: str
) -> None:
    more = {"filters": 2} if name == "Conv2D" else {}
    options = {"kernel_size": kernel, "strides": stride, **more}
    model, _ = built(Case([(7, 6, 3)], name, {**options, "padding": "same"}))
    # An image that holds every whole window without padding has as many places.
    sides = [(places - 1) * stride + kernel for places in model.output_shape[1:3]]
    whole, layer = built(Case([(*sides, 3)], name, options))
    assert macs(model) == run_on_ones(whole, layer).sum()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (LINE, {"kernel_size": 3, "depth_multiplier": 2}),
        (IMAGE, {"kernel_size": 3}),
        (IMAGE, {"kernel_size": 2, "depth_multiplier": 3, "strides": 2}),
    ],
)
def test_a_separable_convolution_is_a_depthwise_and_a_pointwise_one(
    shape: Any, options: Any
) -> None:
    rank = len(shape) - 1
    separable = Case([shape], f"SeparableConv{rank}D", {**options, "filters": 4})
    depthwise, first = built(Case([shape], f"DepthwiseConv{rank}D", options))
    between = depthwise.output_shape[1:]
    pointwise, second = built(Case([between], f"Conv{rank}D", {"filters": 4, "kernel_size": 1}))
    stages = [run_on_ones(depthwise, first).sum(), run_on_ones(pointwise, second).sum()]
    model, layer = built(separable)
    work = read(model, registry=REGISTRY).layer(layer.name).operators()
    assert [operator.macs for operator in work] == stages


def test_layers_that_only_carry_or_compare_multiply_nothing() -> None:
    model, _ = built(Case([IMAGE], "MaxPooling2D", {"pool_size": 2}))
    assert macs(model) == 0
