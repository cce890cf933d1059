"""Every operator of the standard has a rule or a reason; shapes and counts of many by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest
from frontends.onnx.models import (
    MS,
    array,
    graph,
    lowered,
    model,
    node,
    notes,
    read,
    reasons,
    stored,
)
from onnx import TensorProto, helper

import costmodel
from costmodel.estimates.counts import count
from costmodel.frontend.translation import SourceNode, Translation
from costmodel.registry import installed
from costmodel_onnx.domains import TABLE
from costmodel_onnx.domains.reasons import REASONS
from costmodel_onnx.reader import OnnxReader

SINCE = 17


def operators_of_the_standard() -> list[str]:
    """Those of ai.onnx that a model of opset 17 or newer can hold."""
    found = {one.name for one in onnx.defs.get_all_schemas() if one.domain == ""}
    for one in onnx.defs.get_all_schemas_with_history():
        if one.domain == "" and one.since_version >= SINCE:
            found.add(one.name)
    return sorted(found)


@pytest.mark.parametrize("operator", operators_of_the_standard())
def test_every_operator_of_the_standard_has_a_rule_or_a_reason(operator: str) -> None:
    assert operator in TABLE


WRITTEN_BY_ONNX_RUNTIME = [
    "Attention", "BeamSearch", "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax",
    "BiasSplitGelu", "BitmaskDropout", "DecoderMaskedMultiHeadAttention",
    "DecoderMaskedSelfAttention", "DequantizeLinear", "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul", "EmbedLayerNormalization", "FastGelu", "FusedConv", "FusedGemm",
    "FusedMatMul", "GatherBlockQuantized", "Gelu", "GemmFastGelu", "GreedySearch", "GroupNorm",
    "GroupQueryAttention", "LongformerAttention", "MatMulBnb4", "MatMulIntegerToFloat",
    "MatMulNBits", "MatMulNBitsMlp", "MatMulNBitsQkv", "MoE", "MultiHeadAttention", "NhwcConv",
    "NhwcFusedConv", "NhwcMaxPool", "PackedAttention", "PackedMultiHeadAttention", "QAttention",
    "QEmbedLayerNormalization", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat",
    "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul",
    "QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere", "QMoE",
    "QuantizeLinear", "QuickGelu", "RemovePadding", "RestorePadding", "RotaryEmbedding",
    "Sampling", "SkipGroupNorm", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    "SparseAttention", "Trilu",
]  # fmt: skip
"""What its quantizer and its optimizers for inference write: docs/ContribOperators.md of it."""


@pytest.mark.parametrize("operator", WRITTEN_BY_ONNX_RUNTIME)
def test_every_operator_that_onnx_runtime_writes_has_a_rule_or_a_reason(operator: str) -> None:
    assert f"{MS}::{operator}" in TABLE


def test_convolutions_with_channels_last_move_nothing(tmp_path: Path) -> None:
    made = node("NhwcConv", "x w", "y", MS)
    proto = graph([made], {"x": [1, 8, 8, 3]}, ["y"], {"w": array((4, 3, 3, 3))})
    (operator,) = lowered(model(proto), tmp_path).operators
    assert operator.outputs[0].shape[-3:] == (6, 6, 4)


def test_reasons_are_for_operators_that_there_are() -> None:
    assert set(REASONS) <= set(operators_of_the_standard())
    assert len(REASONS) < 10


PRODUCTS: list[tuple[str, Any, dict[str, Any], dict[str, Any], int]] = [
    ("conv", node("Conv", "x w b", "y", pads=[1, 1, 1, 1], group=2),
     {"x": [1, 4, 8, 8]}, {"w": (6, 2, 3, 3), "b": (6,)}, 64 * 6 * 2 * 9),
    ("conv, same", node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[2, 2]),
     {"x": [1, 3, 9, 9]}, {"w": (4, 3, 3, 3)}, 25 * 4 * 27),
    ("conv 1d, dilated", node("Conv", "x w", "y", dilations=[2]),
     {"x": [1, 3, 9]}, {"w": (4, 3, 3)}, 5 * 4 * 9),
    ("conv transposed", node("ConvTranspose", "x w", "y", strides=[2, 2], output_padding=[1, 1]),
     {"x": [1, 3, 5, 5]}, {"w": (3, 4, 3, 3)}, 25 * 3 * 4 * 9),
    ("conv transposed, stated", node("ConvTranspose", "x w", "y", strides=[2, 2],
                                     output_shape=[10, 10]),
     {"x": [1, 3, 5, 5]}, {"w": (3, 4, 3, 3)}, 25 * 3 * 4 * 9),
    ("gemm", node("Gemm", "x w b", "y", transB=1), {"x": [1, 16]},
     {"w": (10, 16), "b": (10,)}, 160),
    ("gemm, number", node("Gemm", "x w b", "y", alpha=0.5), {"x": [1, 16]},
     {"w": (16, 10), "b": ()}, 160),
    ("matmul, batched", node("MatMul", "x y", "z"), {"x": [1, 4, 5, 6], "y": [1, 4, 6, 7]}, {},
     4 * 5 * 6 * 7),
    ("matmul, vector", node("MatMul", "x w", "y"), {"x": [1, 16]}, {"w": (16,)}, 16),
    ("einsum", node("Einsum", "x w", "y", equation="bij,jk->bik"), {"x": [1, 4, 6]},
     {"w": (6, 5)}, 120),
    ("einsum of three", node("Einsum", "x w v", "y", equation="bi,ij,jk->bk"), {"x": [1, 4]},
     {"w": (4, 5), "v": (5, 6)}, 20 + 30),
    ("einsum without a sum", node("Einsum", "x y", "z", equation="bi,bj->bij"),
     {"x": [1, 4], "y": [1, 5]}, {}, 0),
    ("deformable", node("DeformConv", "x w o", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
     {"x": [1, 2, 6, 6], "o": [1, 18, 6, 6]}, {"w": (4, 2, 3, 3)}, 36 * 4 * 2 * 9),
    ("fused matmul", node("FusedMatMul", "x y", "z", MS, transB=1, alpha=0.125),
     {"x": [1, 4, 5, 6], "y": [1, 4, 7, 6]}, {}, 4 * 5 * 6 * 7),
    ("fused conv", node("FusedConv", "x w b z", "y", MS, activation="Relu", pads=[1, 1, 1, 1]),
     {"x": [1, 3, 8, 8], "z": [1, 4, 8, 8]}, {"w": (4, 3, 3, 3), "b": (4,)}, 64 * 4 * 27),
    ("fused gemm", node("FusedGemm", "x w b", "y", MS, activation="Relu"), {"x": [1, 8]},
     {"w": (8, 4), "b": (4,)}, 32),
    ("attention", node("Attention", "q k v", "y", q_num_heads=4, kv_num_heads=2),
     {"q": [1, 5, 32], "k": [1, 7, 16], "v": [1, 7, 16]}, {}, 2 * 4 * 5 * 7 * 8),
    ("packed attention", node("Attention", "x w b", "y", MS, num_heads=4), {"x": [1, 5, 32]},
     {"w": (32, 96), "b": (96,)}, 5 * 32 * 96 + 2 * 4 * 25 * 8),
    ("many heads", node("MultiHeadAttention", "q k v b", "y", MS, num_heads=4),
     {"q": [1, 5, 32], "k": [1, 7, 32], "v": [1, 7, 32]}, {"b": (96,)}, 2 * 4 * 5 * 7 * 8),
    ("grouped queries", node("GroupQueryAttention", "q k v pk pv s t", "y ok ov", MS, num_heads=4,
                             kv_num_heads=2, do_rotary=1),
     {"q": [1, 1, 32], "k": [1, 1, 16], "v": [1, 1, 16], "pk": [1, 2, 9, 8], "pv": [1, 2, 9, 8]},
     {"s": (1,), "t": ()}, 2 * 4 * 10 * 8),
    ("channels last", node("NhwcConv", "x w b", "y", MS, pads=[1, 1, 1, 1], group=2),
     {"x": [1, 8, 8, 4]}, {"w": (6, 2, 3, 3), "b": (6,)}, 64 * 6 * 2 * 9),
    ("fused, channels last", node("NhwcFusedConv", "x w b z", "y", MS, activation="Relu"),
     {"x": [1, 8, 8, 3], "z": [1, 6, 6, 4]}, {"w": (4, 3, 3, 3), "b": (4,)}, 36 * 4 * 27),
    ("gemm and gelu", node("GemmFastGelu", "x w b", "y", MS), {"x": [1, 7, 8]},
     {"w": (8, 4), "b": (4,)}, 7 * 32),
    ("gated, few bits", node("MatMulNBitsMlp", "x s n w v b w v b", "y r", MS, K=64, N=48, bits=4,
                             block_size=32, activation="silu"),
     {"x": [1, 5, 64], "s": [1, 5, 64]},
     {"n": (64,), "w": (48, 2, 16), "v": (48, 2), "b": (48,)}, 2 * 5 * 64 * 48),
    ("the first of three projections of few bits",
     node("MatMulNBitsQkv", "x _ n w v _ w v _ w v _", "q k v2", MS, K=64, Nq=48, Nkv=48, bits=4,
          block_size=32),
     {"x": [1, 5, 64]}, {"n": (64,), "w": (48, 2, 16), "v": (48, 2)}, 5 * 64 * 48),
    ("lstm, quantised", node("DynamicQuantizeLSTM", "x w r b _ _ _ _ s z s z", "y h c", MS,
                             hidden_size=5, direction="bidirectional"),
     {"x": [7, 1, 6]}, {"w": (2, 6, 20), "r": (2, 5, 20), "b": (2, 40), "s": (2,), "z": (2,)},
     2 * 7 * 20 * 11),
    ("lstm", node("LSTM", "x w r b", "y h c", hidden_size=5, direction="bidirectional"),
     {"x": [7, 1, 6]}, {"w": (2, 20, 6), "r": (2, 20, 5), "b": (2, 40)}, 2 * 7 * 20 * 11),
    ("lstm, batch first", node("LSTM", "x w r b _ h0 c0 p", "y h c", hidden_size=5, layout=1),
     {"x": [1, 7, 6], "h0": [1, 1, 5], "c0": [1, 1, 5]},
     {"w": (1, 20, 6), "r": (1, 20, 5), "b": (1, 40), "p": (1, 15)}, 7 * 20 * 11),
    ("gru", node("GRU", "x w r", "y h", hidden_size=5, linear_before_reset=1, direction="reverse"),
     {"x": [7, 1, 6]}, {"w": (1, 15, 6), "r": (1, 15, 5)}, 7 * 15 * 11),
    ("gru, reset first", node("GRU", "x w r b", "y h", hidden_size=5), {"x": [7, 1, 6]},
     {"w": (1, 15, 6), "r": (1, 15, 5), "b": (1, 30)}, 7 * 15 * 11),
    ("rnn", node("RNN", "x w r", "y h", hidden_size=5, activations=["Relu"]), {"x": [7, 1, 6]},
     {"w": (1, 5, 6), "r": (1, 5, 5)}, 7 * 5 * 11),
]  # fmt: skip


@pytest.mark.parametrize("case", PRODUCTS, ids=lambda case: case[0])
def test_an_operator_has_the_multiply_accumulates_of_its_shapes(case: Any, tmp_path: Path) -> None:
    _, made, inputs, held, macs = case
    arrays = {name: array(shape) for name, shape in held.items()}
    proto = model(graph([made], inputs, made.output[:1], arrays), 24)
    workload = lowered(proto, tmp_path)
    assert workload.macs == macs
    assert not reasons(read(proto, tmp_path))


@pytest.mark.parametrize("case", PRODUCTS, ids=lambda case: case[0])
def test_weights_that_are_data_are_multiplied_as_often(case: Any, tmp_path: Path) -> None:
    _, made, inputs, held, macs = case
    proto = graph([made], {**inputs, **{name: list(held[name]) for name in held}}, made.output[:1])
    network = read(model(proto, 24), tmp_path)
    assert network.parameter_count == 0
    assert not reasons(network)
    assert costmodel.lower(network).bind(batch=1).macs == macs
    assert not costmodel.estimate(network, "horowitz-45nm").coverage("horowitz-45nm").unpriced


CHANNELS: list[tuple[Any, dict[str, Any], list[str]]] = [
    (node("InstanceNormalization", "x s b", "y"), {"s": [4], "b": [4]}, ["multiply", "add"]),
    (node("GroupNormalization", "x s b", "y", num_groups=2), {"s": [4], "b": [4]},
     ["multiply", "add"]),
    (node("GroupNorm", "x s b", "y", MS, groups=2, activation=1, channels_last=0),
     {"s": [4], "b": [4]}, ["multiply", "add", "silu"]),
    (node("BatchNormalization", "x s b m v", "y"), {"s": [4], "b": [4], "m": [4], "v": [4]},
     ["multiply", "add"]),
    (node("LayerNormalization", "x s b", "y"), {"s": [6], "b": [6]}, ["multiply", "add"]),
    (node("ConvTranspose", "x w b", "y"), {"w": [4, 3, 3, 3], "b": [3]}, ["add"]),
    (node("MatMulNBits", "x w s", "y", MS, K=6, N=8, bits=4, block_size=16),
     {"w": [8, 1, 3], "s": [8]}, []),
]  # fmt: skip


@pytest.mark.parametrize("case", CHANNELS, ids=lambda case: case[0].op_type)
def test_scales_and_shifts_that_are_data_are_operators(case: Any, tmp_path: Path) -> None:
    made, more, wanted = case
    network = read(model(graph([made], {"x": [1, 4, 6, 6], **more}, ["y"])), tmp_path)
    found = [getattr(one, "function", None) for one in costmodel.lower(network).operators]
    assert [one for one in found if one is not None] == wanted
    assert not costmodel.estimate(network, "raspberry-pi-4").coverage("raspberry-pi-4").unpriced


FUNCTIONS = [
    ("Gelu", {}, ["gelu"]),
    ("Swish", {"alpha": 1.702}, ["quick_gelu"]),
    ("LogSoftmax", {}, ["softmax", "log"]),
    ("LpNormalization", {}, ["square", "sum", "sqrt", "divide"]),
    ("HardSwish", {}, ["hard_swish"]),
    ("ReduceLogSumExp", {}, ["exp", "sum", "log"]),
]


@pytest.mark.parametrize(("operator", "attributes", "wanted"), FUNCTIONS)
def test_an_operator_becomes_these_functions(
    operator: str, attributes: dict[str, Any], wanted: list[str], tmp_path: Path
) -> None:
    made = node(operator, "x", "y", **attributes)
    workload = lowered(model(graph([made], {"x": [1, 8]}, ["y"]), 24), tmp_path)
    found = [getattr(one, "function", type(one).__name__) for one in workload.operators]
    assert found == wanted


@pytest.mark.parametrize("examples", [1, 2])
@pytest.mark.parametrize("sides", [(5, 6), (4, 5, 6)])
def test_a_grid_is_a_multiply_add_for_each_axis_of_its_points(
    sides: tuple[int, ...], examples: int, tmp_path: Path
) -> None:
    axes = len(sides)
    proto = graph([node("AffineGrid", "m s", "y")], {"m": [examples, axes, axes + 1]}, ["y"],
                  {"s": np.array([examples, 3, *sides])})  # fmt: skip
    (operator,) = lowered(model(proto), tmp_path).operators
    assert operator.outputs[0].shape[-axes - 1 :] == (*sides, axes)
    assert operator.operations == {"multiply-add": examples * np.prod(sides) * axes * axes}


@pytest.mark.parametrize(("low", "high", "function"), [(0, 6, "relu6"), (0, None, "relu"),
                                                       (-1, 1, "clip")])  # fmt: skip
def test_a_clip_may_be_a_rectifier(
    low: float, high: float | None, function: str, tmp_path: Path
) -> None:
    held = {"low": np.float32(low)} | ({} if high is None else {"high": np.float32(high)})
    made = node("Clip", f"x low{'' if high is None else ' high'}", "y")
    workload = lowered(model(graph([made], {"x": [1, 8]}, ["y"], held)), tmp_path)
    assert [one.function for one in workload.operators] == [function]  # type: ignore[attr-defined]  # activations


def test_softmax_before_opset_13_sums_over_all_axes_from_one_on(tmp_path: Path) -> None:
    proto = graph([node("Softmax", "x", "y")], {"x": [1, 4, 5]}, ["y"])
    for opset, over in ((11, 2), (13, 1)):
        (operator,) = lowered(model(proto, opset), tmp_path).operators
        assert len(operator.over) == over  # type: ignore[attr-defined]  # a softmax


def test_an_unknown_operator_is_named_and_what_follows_it_as_well(tmp_path: Path) -> None:
    nodes = [node("Erfc", "x", "y"), node("MatMul", "y w", "z"), node("Relu", "x", "r")]
    network = read(model(graph(nodes, {"x": [1, 8]}, ["z", "r"], {"w": array((8, 8))})), tmp_path)
    first, second = reasons(network)
    assert "no rule for the onnx operator 'Erfc' (nearest known: 'Erf'" in first
    assert "is not known: node 'Erfc.y': no rule for the onnx operator 'Erfc'" in second
    assert network.layer("Relu.r").outputs[0].shape == (8,)


def test_an_unknown_operator_whose_shape_is_declared_stays_alone(tmp_path: Path) -> None:
    nodes = [node("Erfc", "x", "y"), node("MatMul", "y w", "z")]
    proto = graph(nodes, {"x": [1, 8]}, ["z"], {"w": array((8, 4))})
    proto.value_info.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8]))
    proto.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    assert lowered(model(proto), tmp_path).macs == 32


def test_a_declared_shape_that_does_not_follow_is_noted(tmp_path: Path) -> None:
    proto = graph([node("Relu", "x", "y")], {"x": [1, 8]}, [])
    proto.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 9]))
    (note,) = notes(model(proto), tmp_path)
    assert "'Relu.y' of Relu gives (1, 8); the file declares (1, 9)" in note


def test_what_depends_on_data_stays_and_the_rest_is_read(tmp_path: Path) -> None:
    nodes = [node("NonZero", "x", "p"), node("Gather", "x p", "y"), node("Relu", "x", "r")]
    network = read(model(graph(nodes, {"x": [1, 8]}, ["y", "r"])), tmp_path)
    first, second = reasons(network)
    assert "how many elements are not zero depends on data (at most 8)" in first
    assert "is not known: node 'NonZero.p': how many elements" in second


def test_what_follows_from_an_unknown_shape_names_the_first_cause(tmp_path: Path) -> None:
    nodes = [node("NonZero", "x", "v0")]
    nodes += [node("Relu", f"v{place}", f"v{place + 1}") for place in range(9)]
    network = read(model(graph(nodes, {"x": [1, 8]}, ["v9"])), tmp_path)
    assert reasons(network)[-1] == (
        "the shape of 'Relu.v8' is not known: node 'NonZero.v0': how many elements are not zero "
        "depends on data (at most 8)"
    )


def test_an_unknown_shape_is_a_question_mark_and_a_scalar_is_not(tmp_path: Path) -> None:
    nodes = [node("NonZero", "x", "p"), node("ReduceMax", "x", "m", keepdims=0)]
    network = read(model(graph(nodes, {"x": ["sequence"]}, ["p", "m"])), tmp_path, {"x": (8,)})
    counted = count(network)
    rows = {row[0]: row for row in counted.table().rows}
    assert rows["NonZero.p"][2:5] == ("?", "0", "?")
    assert rows["ReduceMax.m"][2:5] == ("scalar", "0", "1")
    shapes = {layer["name"]: layer["outputs"] for layer in counted.to_dict()["layers"]}
    assert (shapes["NonZero.p"], shapes["ReduceMax.m"]) == ([None], [[]])
    table = costmodel.estimate(network, "raspberry-pi-4", on_unpriced="bound").table()
    assert next(row for row in table.rows if row[0] == "NonZero.p")[2] == "?"


def test_what_a_branch_or_a_loop_gives_is_unknown_where_a_graph_within_it_does_not_know(
    tmp_path: Path,
) -> None:
    then, other = [
        helper.make_graph([node("NonZero", "x", name)], name, [],
                          [helper.make_tensor_value_info(name, TensorProto.INT64, None)])
        for name in ("a", "b")
    ]  # fmt: skip
    proto = graph([node("If", "go", "y", then_branch=then, else_branch=other)], {"x": [1, 8]},
                  ["y"])  # fmt: skip
    proto.input.append(helper.make_tensor_value_info("go", TensorProto.BOOL, []))
    network = read(model(proto), tmp_path)
    (reason,) = reasons(network)
    assert "how many elements are not zero depends on data" in reason
    assert network.layers[-1].shown_outputs == ["?"]


PADDED: list[tuple[Any, dict[str, Any], bool]] = [
    (node("Pad", "x n", "p"), {}, True),
    (node("Pad", "x n v", "p"), {"v": np.float32(0)}, True),
    (node("Pad", "x n v", "p"), {"v": np.float32(1)}, False),
    (node("Pad", "x n", "p", mode="reflect"), {}, False),
    (node("Pad", "x n", "p", mode="edge"), {}, False),
    (node("Pad", "x n", "p", mode="wrap"), {}, False),
    (node("Pad", "x n", "p", MS, mode="reflect"), {}, False),
]


@pytest.mark.parametrize("case", PADDED)
def test_only_zeros_around_an_image_are_part_of_its_convolution(case: Any, tmp_path: Path) -> None:
    made, held, is_zeros = case
    held = {"n": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "w": array((4, 3, 3, 3)), **held}
    nodes = [made, node("Conv", "p w", "y")]
    proto = model(graph(nodes, {"x": [1, 3, 8, 8]}, ["y"], held))
    workload = lowered(proto, tmp_path)
    purposes = [one.purpose for one in workload.operators if hasattr(one, "purpose")]
    assert purposes == ([] if is_zeros else ["padding"])
    assert workload.macs == 64 * 4 * 27
    bill = costmodel.estimate(read(proto, tmp_path), "raspberry-pi-4").bill("raspberry-pi-4")
    fused = [line.layer.name for line in bill.lines if line.fused_into]
    assert "Pad.p" not in fused
    moved = {line.layer.name: sum(line.traffic_bytes["dram"]) for line in bill.lines
             if line.traffic_bytes}  # fmt: skip
    if not is_zeros:
        assert moved["Pad.p"] == 4 * 3 * (8 * 8 + 10 * 10)


def test_the_statistics_of_a_normalization_are_results(tmp_path: Path) -> None:
    nodes = [node("LayerNormalization", "x s b", "y m i"), node("Add", "y m", "z")]
    held = {"s": array((8,)), "b": array((8,))}
    workload = lowered(model(graph(nodes, {"x": [1, 5, 8]}, ["z"], held)), tmp_path)
    names = [type(one).__name__ for one in workload.operators]
    assert names == ["Normalization", "Movement", "Elementwise"]
    assert workload.operators[1].outputs[0].size == 5


def test_texts_have_no_price(tmp_path: Path) -> None:
    made = node("Cast", "x", "y", to=TensorProto.STRING)
    (reason,) = reasons(read(model(graph([made], {"x": [1, 8]}, ["y"])), tmp_path))
    assert reason == "it works on texts, whose length no shape states"


def test_shape_arithmetic_is_free(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axis", "m"),
        node("Concat", "m rest", "t", axis=0), node("Reshape", "x t", "y"),
    ]  # fmt: skip
    held = {"zero": np.int64(0), "axis": np.array([0]), "rest": np.array([-1])}
    workload = lowered(model(graph(nodes, {"x": ["N", 4, 5]}, ["y"], held)), tmp_path)
    assert not workload.operators
    assert workload.tensors[workload.outputs[0]].shape == (1, 20)


def test_weights_may_be_results_of_nodes(tmp_path: Path) -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])
    nodes = [
        node("ConstantOfShape", "s", "w", value=value),
        helper.make_node("Constant", [], ["b"], value=onnx.numpy_helper.from_array(array((300,)))),
        node("Gemm", "x w b", "y"),
    ]
    held = {"s": np.array([400, 300])}
    network = read(model(graph(nodes, {"x": [1, 400]}, ["y"], held)), tmp_path)
    assert network.parameter_count == 400 * 300 + 300
    assert network.macs == 120_000


def test_sequences_of_known_length_are_followed(tmp_path: Path) -> None:
    nodes = [
        node("SplitToSequence", "x size", "s", axis=1), node("SequenceAt", "s one", "a"),
        node("SequenceLength", "s", "n"), node("ConcatFromSequence", "s", "c", axis=1),
        node("MatMul", "a w", "y"),
    ]  # fmt: skip
    held = {"size": np.int64(4), "one": np.int64(1), "w": array((4, 3))}
    network = read(model(graph(nodes, {"x": [1, 12]}, ["y", "c"], held)), tmp_path)
    assert network.macs == 12
    assert not reasons(network)


def swish_gate(one: SourceNode) -> Any:
    gate = one.add("activation", one.input(0), function="sigmoid")
    return one.add("elementwise", gate, one.input(1), function="multiply")


def test_a_third_party_adds_an_operator_in_a_few_lines(tmp_path: Path) -> None:
    added = Translation("onnx", "com.acme::SwishGate", swish_gate)
    rules = attrs.evolve(installed().layer_registry, translations=lambda: [added])
    made = node("SwishGate", "x y", "z", "com.acme")
    proto = graph([made], {"x": [1, 8], "y": [1, 8]}, ["z"])
    path = stored(model(proto, 21, (), **{"com.acme": 1}), tmp_path)
    network = OnnxReader().read(path, rules)
    found = [one.function for one in network.layers[-1].operators()]  # type: ignore[union-attr]  # two
    assert found == ["sigmoid", "multiply"]
