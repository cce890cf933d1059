"""Normalisation: what sources write in many ways comes out as the same operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from frontends.graphs import functions, lowered, number, step

from costmodel.formats import parse_format
from costmodel.frontend.graph import Graph
from costmodel.frontend.operations.work import Value

INT8 = parse_format("int8")


class Writer:
    """Writes functions in small steps, each a source node."""

    def __init__(self, shape: tuple[int, ...] = (1, 6, 32)) -> None:
        self.graph = Graph("steps", "test")
        self.count = 0
        self.x = self.graph.input("x", shape)

    def __call__(self, function: str, *reads: Any) -> Value:
        values = [one if isinstance(one, Value) else number(self.graph, one) for one in reads]
        kind = "elementwise" if function in ELEMENTWISE else "activation"
        return self.step(kind, *values, function=function)

    def step(self, operation: str, *reads: Any, **settings: Any) -> Value:
        self.count += 1
        return step(self.graph, f"n{self.count}", operation, *reads, **settings)

    def found(self, result: Value) -> list[str]:
        self.graph.outputs = [result]
        return functions(lowered(self.graph)[1])


ELEMENTWISE = {"add", "subtract", "multiply", "divide", "maximum", "minimum"}


def gelu_by_erf(w: Writer) -> Value:
    inner = w("add", w("erf", w("divide", w.x, math.sqrt(2))), 1.0)
    return w("multiply", w("multiply", w.x, inner), 0.5)


def gelu_half_first(w: Writer) -> Value:
    inner = w("add", w("erf", w("multiply", w.x, 1 / math.sqrt(2))), 1.0)
    return w("multiply", w("multiply", w.x, 0.5), inner)


def gelu_by_tanh(w: Writer) -> Value:
    cube = w("power", w.x, 3.0)
    inner = w("multiply", w("add", w.x, w("multiply", cube, 0.044715)), math.sqrt(2 / math.pi))
    return w("multiply", w("multiply", w.x, 0.5), w("add", w("tanh", inner), 1.0))


def gelu_by_polynomial(w: Writer) -> Value:
    """The error function as Abramowitz and Stegun 7.1.26 write it, of the absolute value."""
    z = w("multiply", w("abs", w.x), 1 / math.sqrt(2))
    t = w("divide", number(w.graph, 1.0), w("add", w("multiply", z, 0.3275911), 1.0))
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    total = w("multiply", t, terms[0])
    for one in terms[1:]:
        total = w("multiply", w("add", total, one), t)
    tail = w("multiply", total, w("exp", w("negative", w("multiply", z, z))))
    upper = w("subtract", number(w.graph, 1.0), tail)
    positive = w("multiply", w("abs", w.x), upper)
    return w("multiply", w("add", w.x, positive), 0.5)


def silu(w: Writer) -> Value:
    return w("multiply", w.x, w("sigmoid", w.x))


def silu_by_exp(w: Writer) -> Value:
    return w("divide", w.x, w("add", w("exp", w("negative", w.x)), 1.0))


def hard_swish(w: Writer) -> Value:
    return w("multiply", w.x, w("hard_sigmoid", w.x))


def hard_swish_by_relu6(w: Writer) -> Value:
    return w("divide", w("multiply", w.x, w("relu6", w("add", w.x, 3.0))), 6.0)


def hard_sigmoid(w: Writer) -> Value:
    return w("multiply", w("minimum", w("maximum", w("add", w.x, 3.0), 0.0), 6.0), 1 / 6)


def mish(w: Writer) -> Value:
    return w("multiply", w.x, w("tanh", w("softplus", w.x)))


def relu6(w: Writer) -> Value:
    return w("minimum", w("maximum", w.x, 0.0), 6.0)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (gelu_by_erf, "gelu"),
        (gelu_half_first, "gelu"),
        (gelu_by_tanh, "gelu_approximate"),
        (gelu_by_polynomial, "gelu"),
        (silu, "silu"),
        (silu_by_exp, "silu"),
        (hard_swish, "hard_swish"),
        (hard_swish_by_relu6, "hard_swish"),
        (hard_sigmoid, "hard_sigmoid"),
        (mish, "mish"),
        (relu6, "relu6"),
    ],
)
def test_a_function_is_known_again(write: Callable[[Writer], Value], name: str) -> None:
    writer = Writer()
    assert writer.found(write(writer)) == [name]


def test_a_function_of_another_function_is_known_again() -> None:
    writer = Writer()
    writer.x = writer("add", writer.x, writer("tanh", writer.x))
    found = writer.found(silu(writer))
    assert found == ["tanh", "add", "silu"]


def test_steps_that_compute_something_else_stay() -> None:
    writer = Writer()
    inner = writer("add", writer("erf", writer("divide", writer.x, 1.5)), 1.0)
    made = writer("multiply", writer("multiply", writer.x, inner), 0.5)
    assert writer.found(made) == ["divide", "erf", "add", "multiply", "multiply"]


def test_steps_that_others_read_stay() -> None:
    writer = Writer()
    gate = writer("sigmoid", writer.x)
    made = writer("multiply", writer.x, gate)
    writer.graph.outputs = [made, gate]
    assert functions(lowered(writer.graph)[1]) == ["sigmoid", "multiply"]


def centred(w: Writer, eps: float = 1e-5) -> Value:
    mean = w.step("reduce", w.x, function="mean", axes=[-1], keep_axes=True)
    apart = w("subtract", w.x, mean)
    square = w("power", apart, 2.0)
    spread = w.step("reduce", square, function="mean", axes=[-1], keep_axes=True)
    return w("divide", apart, w("sqrt", w("add", spread, eps)))


def test_a_layer_normalization_is_known_again_with_its_constants() -> None:
    writer = Writer()
    scaled = writer("multiply", centred(writer), writer.graph.constant("gamma", (32,)))
    made = writer("add", scaled, writer.graph.constant("beta", (1, 1, 32)))
    assert writer.found(made) == ["normalization"]
    network, _ = lowered(writer.graph)
    assert network.layers[-1].parameter_count == 64


def test_statistics_by_sums_and_without_kept_axes_are_known_again() -> None:
    w = Writer()
    total = w.step("reduce", w.x, function="sum", axes=[-1])
    mean = w.step("expand", w.step("reshape", w("divide", total, 32.0), shape=(1, 6, 1)),
                  shape=(1, 6, 32))  # fmt: skip
    apart = w("subtract", w.x, mean)
    squares = w.step("reduce", w("multiply", apart, apart), function="sum", axes=[-1])
    spread = w.step("reshape", w("divide", squares, 32.0), shape=(1, 6, 1))
    root = w("rsqrt", w("add", spread, 1e-6))
    assert w.found(w("multiply", apart, root)) == ["normalization"]


def test_a_normalization_by_the_mean_square_is_known_again() -> None:
    w = Writer()
    square = w.step("reduce", w("square", w.x), function="mean", axes=[-1], keep_axes=True)
    made = w("multiply", w.x, w("rsqrt", w("add", square, 1e-6)))
    assert w.found(made) == ["normalization"]
    (operator,) = lowered(w.graph)[1].operators
    assert not operator.is_centred  # type: ignore[attr-defined]  # a normalization


def test_a_scale_of_groups_within_statistics_of_rows_stays() -> None:
    w = Writer((1, 14, 8))
    groups = w.step("reshape", w.x, shape=(1, 14, 2, 4))
    scaled = w("multiply", groups, w.graph.constant("gamma", (1, 1, 2, 4)))
    rows = w.step("reshape", scaled, shape=(1, 14, 8))
    total = w.step("reduce", w("square", rows), function="sum", axes=[-1], keep_axes=True)
    found = w.found(w("multiply", rows, w("rsqrt", total)))
    assert found == ["multiply", "square", "sum", "rsqrt", "multiply"]


def test_a_softmax_in_steps_is_known_again() -> None:
    w = Writer()
    most = w.step("reduce", w.x, function="max", axes=[-1], keep_axes=True)
    raised = w("exp", w("subtract", w.x, most))
    total = w.step("reduce", raised, function="sum", axes=[-1], keep_axes=True)
    assert w.found(w("divide", raised, total)) == ["softmax"]


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_is_known_again(turned: bool, masked: bool) -> None:  # noqa: FBT001  # parameters
    w = Writer((1, 4, 6, 8))
    key = w.graph.input("key", (1, 4, 9, 8))
    value = w.graph.input("value", (1, 4, 9, 8))
    if turned:
        scores = w.step("matmul", w.x, w.step("transpose", key, order=(0, 1, 3, 2)))
    else:
        scores = w.step("matmul", w.x, key, transpose_right=True)
    scores = w("multiply", scores, 8**-0.5)
    if masked:
        scores = w("add", scores, w.graph.constant("mask", (6, 9)))
    made = w.step("matmul", w.step("softmax", scores, axes=[-1]), value)
    assert w.found(made) == ["attention"]
    assert lowered(w.graph)[1].macs == 4 * 6 * 9 * 8 * 2


def scores_of_scaled_operands(w: Writer, function: str = "multiply") -> Value:
    """As the exporter of PyTorch to ONNX writes them."""
    key = w.graph.input("key", (1, 4, 9, 8))
    batch = w.step("reshape", key, shape=(4, 9, 8))
    turned = w.step("reshape", w.step("transpose", batch, order=(0, 2, 1)), shape=(1, 4, 8, 9))
    query = w(function, *[w.x, 0.6] if function == "multiply" else [0.6, w.x])
    return w.step("matmul", query, w("multiply", turned, 0.6))


def test_attention_of_scaled_queries_and_keys_is_known_again() -> None:
    w = Writer((1, 4, 6, 8))
    scores = w.step("softmax", scores_of_scaled_operands(w), axes=[-1])
    made = w.step("matmul", scores, w.graph.input("value", (1, 4, 9, 8)))
    assert w.found(made) == ["attention"]
    assert lowered(w.graph)[1].macs == 4 * 6 * 9 * 8 * 2


def test_a_number_over_the_queries_is_no_scale() -> None:
    w = Writer((1, 4, 6, 8))
    scores = w.step("softmax", scores_of_scaled_operands(w, "divide"), axes=[-1])
    found = w.found(w.step("matmul", scores, w.graph.input("value", (1, 4, 9, 8))))
    assert found == ["divide", "attention"]


def test_scaled_queries_that_others_read_stay() -> None:
    w = Writer((1, 4, 6, 8))
    scaled = w("multiply", w.x, 0.6)
    product = w.step("matmul", scaled, w.graph.input("key", (1, 4, 9, 8)), transpose_right=True)
    made = w.step("matmul", w.step("softmax", product, axes=[-1]),
                  w.graph.input("value", (1, 4, 9, 8)))  # fmt: skip
    assert w.found(w("add", made, scaled)) == ["multiply", "attention", "add"]


HEADS_LAST = (0, 2, 1, 3)


def attended(*, is_turned: bool) -> Graph:
    """Attention to 9 positions of 4 heads, which lie behind the positions."""
    graph = Graph("net", "test")
    lengths = {"query": 6, "key": 9, "value": 9}
    given = [graph.input(name, (1, length, 4, 8)) for name, length in lengths.items()]
    if is_turned:
        given = [step(graph, one.name, "transpose", one, order=HEADS_LAST) for one in given]
    made = step(graph, "made", "attention", *given, layout="bhmd" if is_turned else "bmhd")
    graph.outputs = [
        step(graph, "back", "transpose", made, order=HEADS_LAST) if is_turned else made
    ]
    return graph


def test_attention_reads_heads_in_the_order_in_which_they_lie() -> None:
    _, turned = lowered(attended(is_turned=True))
    _, direct = lowered(attended(is_turned=False))
    (own,), (other,) = turned.operators, direct.operators
    assert own.operands == other.operands
    assert own.macs == other.macs == 4 * 6 * 9 * 8 * 2


def test_of_two_attentions_in_a_row_one_takes_the_order_between() -> None:
    graph = attended(is_turned=True)
    (value,) = graph.outputs
    graph.outputs = [step(graph, "again", "attention", value, *graph.inputs[1:], layout="bmhd")]
    _, workload = lowered(graph)
    assert functions(workload) == ["attention", "attention"]
    assert workload.macs == 2 * 4 * 6 * 9 * 8 * 2


def test_an_order_that_others_read_or_that_parts_features_is_made() -> None:
    graph = attended(is_turned=True)
    (first, *_) = graph.nodes
    graph.outputs.append(first.writes[0])
    assert functions(lowered(graph)[1]) == ["movement", "attention"]
    w = Writer((1, 4, 8, 6))
    query = w.step("transpose", w.x, order=(0, 1, 3, 2))
    made = w.step("attention", query, w.graph.input("key", (1, 4, 9, 8)),
                  w.graph.input("value", (1, 4, 9, 8)))  # fmt: skip
    assert w.found(made) == ["movement", "attention"]


def test_scores_that_others_read_are_no_attention() -> None:
    w = Writer((1, 4, 6, 8))
    scores = w.step("matmul", w.x, w.x, transpose_right=True)
    made = w.step("matmul", w.step("softmax", scores, axes=[-1]), w.x)
    w.graph.outputs = [made, scores]
    assert functions(lowered(w.graph)[1]) == ["contraction", "softmax", "contraction"]


def test_padding_joins_the_convolution_that_reads_it() -> None:
    w = Writer((1, 9, 9, 3))
    padded = w.step("pad", w.x, amounts=[(0, 0), (0, 1), (2, 1), (0, 0)])
    made = w.step("conv", padded, w.graph.constant("k", (3, 3, 3, 4)), padding=1,
                  input_layout="N*C", weight_layout="*CK")  # fmt: skip
    shape = made.shape
    assert w.found(made) == ["contraction"]
    network, _ = lowered(w.graph)
    assert network.layers[-1].outputs[0].shape == shape[1:]


def test_padding_of_channels_and_padding_that_others_read_stay() -> None:
    w = Writer((1, 9, 9, 3))
    padded = w.step("pad", w.x, amounts=[(0, 0), (0, 0), (0, 0), (0, 1)])
    made = w.step("conv", padded, w.graph.constant("k", (3, 3, 4, 4)),
                  input_layout="N*C", weight_layout="*CK")  # fmt: skip
    assert w.found(made) == ["movement", "contraction"]


def quantized(w: Writer, value: Value) -> Value:
    return w.step("quantize", value, formats=[INT8])


def test_quantise_and_dequantise_become_formats() -> None:
    w = Writer((1, 8))
    arrived = w.step("dequantize", quantized(w, w.x))
    kernel = w.step("dequantize", w.graph.constant("k", (8, 4), INT8, is_parameter=True))
    made = w.step("matmul", arrived, kernel)
    made = w.step("dequantize", quantized(w, w("relu", made)))
    made = w.step("matmul", made, w.step("dequantize", w.graph.constant("l", (4, 4), INT8)))
    assert w.found(made) == ["movement", "contraction", "relu", "contraction"]
    _, workload = lowered(w.graph)
    first, second = [one for one in workload.operators if one.macs]
    assert [one.tensor.format for one in first.operands[:2]] == [INT8, INT8]
    assert [one.tensor.format for one in second.operands[:2]] == [INT8, INT8]


def test_a_value_that_is_also_read_before_it_is_quantised_keeps_the_node() -> None:
    w = Writer((1, 8))
    made = w("relu", w.x)
    both = w("add", made, w.step("dequantize", quantized(w, made)))
    assert w.found(both) == ["relu", "movement", "add"]


def test_a_result_that_leaves_dequantised_is_moved_once() -> None:
    w = Writer((1, 8))
    made = w.step("dequantize", quantized(w, w("relu", w.x)))
    assert w.found(made) == ["relu", "movement"]


def test_constants_that_fill_a_tensor_are_numbers() -> None:
    w = Writer((1, 4, 4))
    zeros = w.graph.constant("zeros", data=np.zeros((1, 4, 4), np.float32))
    six = w.graph.constant("six", data=np.full((1, 4, 4), 6, np.float32))
    assert w.found(w("minimum", w("maximum", w.x, zeros), six)) == ["relu6"]


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4)])
def test_a_constant_that_is_added_to_a_product_is_its_bias(shape: tuple[int, ...]) -> None:
    w = Writer((1, 6, 8))
    made = w.step("matmul", w.x, w.graph.constant("k", (8, 4), is_parameter=True))
    assert w.found(w("add", made, w.graph.constant("b", shape, is_parameter=True))) == [
        "contraction"
    ]
    assert lowered(w.graph)[1].weight_count == 8 * 4 + 4


def test_channels_of_a_convolution_have_their_bias() -> None:
    w = Writer((1, 3, 6, 6))
    made = w.step("conv", w.x, w.graph.constant("k", (4, 3, 3, 3)))
    bias = w.graph.add(
        "reshape", w.graph.constant("b", (4,), is_parameter=True), shape=(1, 4, 1, 1)
    )
    stretched = w.graph.add("expand", bias, shape=(1, 4, 4, 4))
    assert stretched.shape == (1, 4, 4, 4)
    assert w.found(w("add", made, stretched)) == ["contraction"]
    assert lowered(w.graph)[1].weight_count == 4 * 27 + 4


def test_a_constant_along_another_axis_is_no_bias() -> None:
    w = Writer((1, 4, 8))
    made = w.step("matmul", w.x, w.graph.constant("k", (8, 4)))
    assert w.found(w("add", made, w.graph.constant("b", (4, 1)))) == ["contraction", "add"]


def test_a_repeated_constant_is_stored_once() -> None:
    w = Writer((1, 4, 8))
    scale = w.graph.constant("scale", (8,), is_parameter=True)
    repeated = w.graph.add("expand", scale, shape=(1, 4, 8))
    assert w.found(w("multiply", w.x, repeated)) == ["multiply"]
    assert lowered(w.graph)[1].weight_count == 8


def test_a_sum_that_is_divided_by_its_length_is_a_mean() -> None:
    w = Writer((1, 4, 8))
    total = w.step("reduce", w.x, function="sum", axes=[1])
    assert w.found(w("divide", total, 4.0)) == ["mean"]
    w = Writer((1, 4, 8))
    total = w.step("reshape", w.step("reduce", w.x, function="sum", axes=[2]), shape=(1, 4, 1))
    assert w.found(w("multiply", total, 0.125)) == ["mean"]
    w = Writer((1, 3, 8, 8))
    total = w.step("pool", w.x, function="sum", window=2)
    assert w.found(w("divide", total, 4.0)) == ["mean"]


def test_a_sum_that_is_divided_by_another_number_is_none() -> None:
    w = Writer((1, 4, 8))
    total = w.step("reduce", w.x, function="sum", axes=[1])
    assert w.found(w("divide", total, 5.0)) == ["sum", "divide"]


def test_a_scale_and_a_shift_of_channels_are_one_and_fold() -> None:
    w = Writer((1, 3, 8, 8))
    made = w.step("conv", w.x, w.graph.constant("k", (4, 3, 3, 3)), w.graph.constant("b", (4,)))
    scaled = w("multiply", made, w.graph.constant("scale", (4, 1, 1)))
    assert w.found(w("add", scaled, w.graph.constant("shift", (1, 4, 1, 1)))) == [
        "contraction", "affine",
    ]  # fmt: skip
    _, workload = lowered(w.graph)
    assert [node.folds_into for node, _ in workload.nodes] == [None, "n1/contraction"]


def test_a_normalization_with_its_constants_inside_is_known_again() -> None:
    """As `x * (gamma / root) + (beta - mean * gamma / root)`."""
    w = Writer()
    gamma, beta = (w.graph.constant(name, (1, 1, 32)) for name in ("gamma", "beta"))
    mean = w.step("reduce", w.x, function="mean", axes=[-1], keep_axes=True)
    apart = w("subtract", w.x, mean)
    spread = w.step("reduce", w("square", apart), function="mean", axes=[-1], keep_axes=True)
    scale = w("multiply", w("rsqrt", w("add", spread, 1e-3)), gamma)
    shift = w("add", w("multiply", w("negative", mean), scale), beta)
    assert w.found(w("add", w("multiply", w.x, scale), shift)) == ["normalization"]
    assert lowered(w.graph)[1].weight_count == 64
