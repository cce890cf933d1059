"""Formats: pairs of quantise and dequantise, whole-number operators, blocks, QONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frontends.onnx.models import MS, QONNX, array, graph, lowered, model, node, notes
from onnx import TensorProto, helper

from costmodel.formats import format_name
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Contraction
from costmodel_onnx.domains.qonnx import DOMAINS

SCALE = np.float32(0.1)


def formats(workload: Workload) -> list[tuple[str, ...]]:
    """The formats of the operands of each contraction."""
    return [
        tuple(format_name(one.tensor.format) for one in operator.operands if one.tensor.format)
        for operator in workload.operators
        if isinstance(operator, Contraction)
    ]


def packed(kind: int, shape: tuple[int, ...]) -> Any:
    return helper.make_tensor("t", kind, shape, np.ones(shape).reshape(-1).tolist())


KINDS = [
    (TensorProto.INT8, "int8"),
    (TensorProto.UINT8, "uint8"),
    (TensorProto.INT4, "int4"),
    (TensorProto.UINT4, "uint4"),
    (TensorProto.INT16, "int16"),
    (TensorProto.FLOAT8E4M3FN, "float8_e4m3"),
    (TensorProto.FLOAT8E5M2, "float8_e5m2"),
]


@pytest.mark.parametrize(("kind", "name"), KINDS)
@pytest.mark.parametrize("domain", ["", MS])
def test_pairs_of_quantise_and_dequantise_are_formats(
    kind: int, name: str, domain: str, tmp_path: Path
) -> None:
    nodes = [
        node("QuantizeLinear", "x s zx", "q", domain),
        node("DequantizeLinear", "q s zx", "d", domain),
        node("DequantizeLinear", "w sw zw", "e", domain, axis=1),
        node("MatMul", "d e", "y"), node("QuantizeLinear", "y s zx", "r", domain),
        node("DequantizeLinear", "r s zx", "z", domain),
    ]  # fmt: skip
    held = {
        "s": SCALE, "zx": packed(TensorProto.INT8, ()), "w": packed(kind, (8, 6)),
        "sw": np.full(6, 0.1, np.float32), "zw": packed(kind, (6,)),
    }  # fmt: skip
    workload = lowered(model(graph(nodes, {"x": [1, 8]}, ["z"], held), 21), tmp_path)
    assert formats(workload) == [("int8", name, "int8")]
    assert workload.weight_count == 48


def test_blocks_share_a_scale(tmp_path: Path) -> None:
    nodes = [
        node("DequantizeLinear", "w s", "e", axis=0, block_size=16),
        node("MatMul", "x e", "y"),
    ]
    held = {"w": packed(TensorProto.INT4, (64, 8)), "s": array((4, 8))}
    workload = lowered(model(graph(nodes, {"x": [1, 64]}, ["y"], held)), tmp_path)
    (found,) = formats(workload)
    assert "block<int4,16,32>" in found


@pytest.mark.parametrize(("dtype", "name"), [(np.float16, "float16"), (np.float64, "float64")])
def test_other_floating_point_stays(dtype: Any, name: str, tmp_path: Path) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    proto = graph([node("MatMul", "x w", "y")], {"x": [1, 8]}, ["y"], {"w": array((8, 4), dtype)},
                  kind)  # fmt: skip
    assert formats(lowered(model(proto), tmp_path)) == [(name, name, name)]


U8, I8 = np.uint8(0), np.int8(0)
HELD = {
    "s": SCALE, "z": U8, "sw": SCALE, "zw": I8, "so": SCALE, "zo": U8,
    "w": array((4, 3, 3, 3), np.int8), "b": array((4,), np.int32), "m": array((8, 6), np.int8),
    "mb": array((6,), np.int32),
}  # fmt: skip
WHOLE = [
    (node("QLinearConv", "x s z w sw zw so zo b", "y"), [1, 3, 8, 8],
     [("uint8", "int8", "int32", "uint8")]),
    (node("ConvInteger", "x w z zw", "y"), [1, 3, 8, 8], [("uint8", "int8", "int32")]),
    (node("QLinearMatMul", "x s z m sw zw so zo", "y"), [1, 8], [("uint8", "int8", "uint8")]),
    (node("MatMulInteger", "x m z zw", "y"), [1, 8], [("uint8", "int8", "int32")]),
    (node("QGemm", "x s z m sw zw mb so zo", "y", MS), [1, 8],
     [("uint8", "int8", "int32", "uint8")]),
    (node("MatMulIntegerToFloat", "x m s sw z zw", "y", MS), [1, 8],
     [("uint8", "int8", "int14")]),
]  # fmt: skip


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case[0].op_type)
def test_operators_on_whole_numbers_keep_their_formats(case: Any, tmp_path: Path) -> None:
    made, shape, wanted = case
    proto = graph([made], {"x": shape}, ["y"], HELD, TensorProto.UINT8)
    found = formats(lowered(model(proto), tmp_path))
    assert [one[:2] for one in found] == [one[:2] for one in wanted]
    if wanted[0][-1] != "int14":
        assert found == wanted


def test_a_product_that_quantises_while_it_runs_looks_for_the_range(tmp_path: Path) -> None:
    made = node("DynamicQuantizeMatMul", "x w s", "y", MS)
    held = {"w": array((8, 6), np.int8), "s": SCALE}
    workload = lowered(model(graph([made], {"x": [1, 8]}, ["y"], held)), tmp_path)
    names = [getattr(one, "function", getattr(one, "purpose", "")) for one in workload.operators]
    assert names == ["min", "max", "subtract", "quantization", "", "multiply"]
    assert formats(workload)[0][:2] == ("uint8", "int8")


CHAIN = [
    (node("QLinearAdd", "x s z x s z so zo", "y", MS), "add"),
    (node("QLinearMul", "x s z x s z so zo", "y", MS), "multiply"),
    (node("QLinearSigmoid", "x s z so zo", "y", MS), "sigmoid"),
    (node("QLinearLeakyRelu", "x s z so zo", "y", MS, alpha=0.1), "leaky_relu"),
    (node("QLinearSoftmax", "x s z so zo", "y", MS, axis=-1, opset=13), "softmax"),
    (node("QLinearGlobalAveragePool", "x s z so zo", "y", MS), "mean"),
    (node("QLinearConcat", "so zo x s z x s z", "y", MS, axis=1), "concatenation"),
    (node("NhwcMaxPool", "x", "y", MS, kernel_shape=[2, 2], strides=[2, 2]), "max"),
]


@pytest.mark.parametrize("case", CHAIN, ids=lambda case: case[0].op_type)
def test_quantised_twins_give_what_is_quantised(case: Any, tmp_path: Path) -> None:
    made, function = case
    proto = graph([made], {"x": [1, 4, 4, 4]}, ["y"], HELD, TensorProto.UINT8)
    workload = lowered(model(proto), tmp_path)
    first = workload.operators[0]
    assert getattr(first, "function", getattr(first, "purpose", "")) == function
    given = workload.tensors[workload.outputs[0]].format
    assert given is not None
    assert format_name(given) == "uint8"


def test_weights_of_few_bits_keep_their_blocks(tmp_path: Path) -> None:
    made = node("MatMulNBits", "x w s", "y", MS, K=64, N=48, bits=4, block_size=32)
    held = {"w": array((48, 2, 16), np.uint8), "s": array((96,))}
    workload = lowered(model(graph([made], {"x": [1, 5, 64]}, ["y"], held)), tmp_path)
    assert workload.macs == 5 * 64 * 48
    assert workload.weight_count == 64 * 48
    assert any("block<int4,32,32>" in one for one in formats(workload))


def quant(bits: float, domain: str = QONNX, **attributes: Any) -> Any:
    nodes = [node("Quant", "w s z bits", "q", domain, signed=1, **attributes),
             node("MatMul", "x q", "y")]  # fmt: skip
    held = {"w": array((8, 4)), "s": SCALE, "z": np.float32(0), "bits": np.float32(bits)}
    return model(graph(nodes, {"x": [1, 8]}, ["y"], held), 21, (), **dict.fromkeys(DOMAINS[:2], 1))


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_bits_of_qonnx_are_data_in_three_domains(domain: str, tmp_path: Path) -> None:
    (found,) = formats(lowered(quant(3, domain, narrow=0), tmp_path))
    assert found[1] == "int3"


def test_a_fraction_of_bits_is_stored_whole_and_priced_as_it_is(tmp_path: Path) -> None:
    (found,) = formats(lowered(quant(2.5, narrow=0), tmp_path))
    assert found[1] == "mixed<int3,2.5,padded>"
    (note,) = notes(quant(2.5, narrow=0), tmp_path)
    assert "2.5 bits are stored as 3, and priced as 2.5" in note


def test_one_bit_and_two_narrow_bits_are_binary_and_ternary(tmp_path: Path) -> None:
    assert formats(lowered(quant(1, narrow=0), tmp_path))[0][1] == "binary<-1,1>"
    assert formats(lowered(quant(2, narrow=1), tmp_path))[0][1] == "ternary"


def test_thresholds_count_a_comparison_each(tmp_path: Path) -> None:
    made = node("MultiThreshold", "x t", "y", QONNX, out_dtype="UINT4")
    proto = graph([made], {"x": [1, 6, 4, 4]}, ["y"], {"t": array((6, 15))})
    workload = lowered(model(proto), tmp_path)
    (operator,) = workload.operators
    assert operator.operations == {"compare": 96 * 15}
