"""Operators of ONNX Runtime: shapes and products, with weights that are held or data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frontends.onnx.models import MS, array, graph, info, model, node, read, reasons
from onnx import TensorProto, helper

import costmodel

U8, I8, I32, I64 = np.uint8, np.int8, np.int32, np.int64
IMAGE, TOKENS = [1, 4, 6, 6], [1, 5, 32]
SCALES = {"s": ((), np.float32), "z": ((), U8)}
NORM = {"g": ((32,), np.float32), "b": ((32,), np.float32)}
Case = tuple[Any, dict[str, Any], dict[str, tuple[Any, Any]], tuple[int, ...], int]


def made(operator: str, reads: str, writes: str = "y", **attributes: Any) -> Any:
    return node(operator, reads, writes, MS, **attributes)


CASES: list[Case] = [
    # node, inputs, weights with their types, the shape of its first result, its products
    (made("QLinearWhere", "c x s z x s z s z"), {"c": IMAGE, "x": IMAGE}, SCALES, (4, 6, 6), 0),
    (made("QLinearAveragePool", "x s z s z", kernel_shape=[2, 2]), {"x": IMAGE}, SCALES,
     (4, 5, 5), 0),
    (made("QLinearReduceMean", "x s z s z", axes=[2, 3], keepdims=0), {"x": IMAGE}, SCALES,
     (4,), 0),
    (made("MatMulInteger16", "x w"), {"x": [1, 8]}, {"w": ((8, 3), np.int16)}, (3,), 24),
    (made("MulInteger", "x z x z"), {"x": [1, 8]}, SCALES, (8,), 0),
    (made("ReduceSumInteger", "x", axes=[1], keepdims=1), {"x": [1, 8]}, {}, (1,), 0),
    (made("MatMulBnb4", "x w a", K=64, N=8, block_size=64, quant_type=1), {"x": [1, 5, 64]},
     {"w": ((256,), U8), "a": ((8,), np.float32)}, (5, 8), 5 * 64 * 8),
    (made("BiasSoftmax", "x y", axis=1, is_inner_broadcast=0), {"x": [1, 8], "y": [1, 8]}, {},
     (8,), 0),
    (made("BiasDropout", "x b r"), {"x": TOKENS, "r": TOKENS}, {"b": ((32,), np.float32)},
     (5, 32), 0),
    (made("CausalConvWithState", "x w b p", "y q", activation="silu"),
     {"x": [1, 4, 9], "p": [1, 4, 2]},
     {"w": ((4, 1, 3), np.float32), "b": ((4,), np.float32)}, (4, 9), 4 * 9 * 3),
    (made("FastGelu", "x b"), {"x": TOKENS}, {"b": ((32,), np.float32)}, (5, 32), 0),
    (made("BiasGelu", "x b"), {"x": TOKENS}, {"b": ((32,), np.float32)}, (5, 32), 0),
    (made("QuickGelu", "x"), {"x": TOKENS}, {}, (5, 32), 0),
    (made("BiasSplitGelu", "x b"), {"x": TOKENS}, {"b": ((32,), np.float32)}, (5, 16), 0),
    (made("BiasAdd", "x b r"), {"x": TOKENS, "r": TOKENS}, {"b": ((32,), np.float32)}, (5, 32), 0),
    (made("Inverse", "x"), {"x": [1, 3, 3]}, {}, (3, 3), 0),
    (made("GridSample", "x g"), {"x": IMAGE, "g": [1, 3, 3, 2]}, {}, (4, 3, 3), 0),
    (made("GatherND", "x i"), {"x": TOKENS}, {"i": ((1, 1), I64)}, (5, 32), 0),
    (made("Trilu", "x", upper=1), {"x": [1, 5, 5]}, {}, (5, 5), 0),
    (made("TorchEmbedding", "w x"), {"x": [1, 7]}, {"w": ((50, 8), np.float32)}, (7, 8), 0),
    (made("ComplexMul", "x y"), {"x": [1, 8, 2], "y": [1, 8, 2]}, {}, (8, 2), 0),
    (made("ConvTransposeWithDynamicPads", "x w _ b", strides=[2, 2]), {"x": IMAGE},
     {"w": ((4, 3, 2, 2), np.float32), "b": ((3,), np.float32)}, (3, 12, 12), 36 * 4 * 3 * 4),
    (made("GatherBlockQuantized", "w x s", block_size=16, bits=4), {"x": [1, 7]},
     {"w": ((50, 16), U8), "s": ((50, 2), np.float32)}, (7, 32), 0),
    (made("SimplifiedLayerNormalization", "x g"), {"x": TOKENS}, NORM, (5, 32), 0),
    (made("SkipLayerNormalization", "x y g b c", "o m i r"), {"x": TOKENS, "y": TOKENS},
     {**NORM, "c": ((32,), np.float32)}, (5, 32), 0),
    (made("SkipSimplifiedLayerNormalization", "x y g", "o m i r"), {"x": TOKENS, "y": TOKENS},
     NORM, (5, 32), 0),
    (made("SkipGroupNorm", "x g b y", "o r", groups=2, activation=1, channels_last=1),
     {"x": [1, 6, 6, 4], "y": [1, 6, 6, 4]},
     {"g": ((4,), np.float32), "b": ((4,), np.float32)}, (6, 6, 4), 0),
    (made("EmbedLayerNormalization", "i j w p t g b", "y m"), {"i": [1, 5], "j": [1, 5]},
     {**NORM, "w": ((90, 32), np.float32), "p": ((9, 32), np.float32),
      "t": ((2, 32), np.float32)}, (5, 32), 0),
    (made("QEmbedLayerNormalization", "i j w p t g b _ s s s s s z z z z z", "y m"),
     {"i": [1, 5], "j": [1, 5]},
     {"w": ((90, 32), U8), "p": ((9, 32), U8), "t": ((2, 32), U8), "g": ((32,), U8),
      "b": ((32,), U8), **SCALES}, (5, 32), 0),
    (made("DecoderMaskedSelfAttention", "x w b _ p", "y q", num_heads=4),
     {"x": [1, 1, 32], "p": [2, 1, 4, 6, 8]},
     {"w": ((32, 96), np.float32), "b": ((96,), np.float32)}, (1, 32), 32 * 96 + 2 * 4 * 7 * 8),
    (made("QAttention", "x w b s s _ z z", num_heads=4), {"x": TOKENS},
     {"w": ((32, 96), I8), "b": ((96,), np.float32), **SCALES}, (5, 32),
     5 * 32 * 96 + 2 * 4 * 25 * 8),
    (made("DecoderMaskedMultiHeadAttention", "q k v", num_heads=4),
     {"q": [1, 1, 32], "k": [1, 4, 6, 8], "v": [1, 4, 6, 8]}, {}, (1, 32), 2 * 4 * 6 * 8),
    (made("RotaryEmbedding", "x i c s"), {"x": TOKENS, "i": [1, 5]},
     {"c": ((9, 16), np.float32), "s": ((9, 16), np.float32)}, (5, 32), 0),
]  # fmt: skip


@pytest.mark.parametrize("form", ["held", "data"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].op_type)
def test_an_operator_has_its_shape_and_products(case: Any, form: str, tmp_path: Path) -> None:
    one, inputs, weights, shape, macs = case
    read_names = {name for name in one.input if name}
    held = {name: array(*form) for name, form in weights.items() if name in read_names}
    kind = TensorProto.UINT8 if one.op_type.startswith("QLinear") else TensorProto.FLOAT
    held, data = (held, {}) if form == "held" else ({}, held)
    proto = graph([one], inputs, [name for name in one.output if name], held, kind)
    proto.input.extend(
        [
            info(name, value.shape, helper.np_dtype_to_tensor_dtype(value.dtype))
            for name, value in data.items()
        ]
    )
    network = read(model(proto), tmp_path)
    assert not reasons(network)
    first = network.layers[-1].outputs[0].shape
    assert first[-len(shape) :] == shape
    assert costmodel.lower(network).bind(batch=1).macs == macs
    assert costmodel.estimate(network, "horowitz-45nm", on_unpriced="bound").macs == macs


def test_what_it_generates_or_packs_has_a_reason(tmp_path: Path) -> None:
    for operator, words in (("BeamSearch", "how many tokens"), ("RemovePadding", "without padding"),
                            ("EPContext", "compiled for one device"), ("MoE", "which experts"),
                            ("BitmaskDropout", "training")):  # fmt: skip
        proto = graph([made(operator, "x")], {"x": [1, 8]}, ["y"])
        (reason,) = reasons(read(model(proto), tmp_path))
        assert words in reason
