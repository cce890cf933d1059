"""A case for each operator of TFLite: a file that holds it, its MACs, and whether it has a price.

The result shapes are written by hand: the reader holds what follows against them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from frontends.tflite.files import Function, Made, written

CONV = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
CONV_3D = {**CONV, "StrideD": 1, "DilationDFactor": 1}


@frozen
class Case:
    """What an operator reads, gives and costs."""

    code: str
    build: Callable[[Function], Sequence[Made | None]]
    shapes: Sequence[Sequence[int]]
    macs: int = 0
    unpriced: bool = False
    options: Mapping[str, Any] = {}
    table: str = ""
    custom_options: bytes = b""
    extra: Sequence[Function] = ()
    variant: str = ""

    @property
    def id(self) -> str:
        return f"{self.code}{self.variant}"

    def content(self) -> bytes:
        function = Function()
        reads = self.build(function)
        function.outputs = function.add(
            self.code, reads, self.shapes, self.options, self.table,
            custom_options=self.custom_options,
        )  # fmt: skip
        return written(function, *self.extra)


def one(*shape: int, kind: str = "float32") -> Callable[[Function], Sequence[Made]]:
    return lambda f: [f.input(shape, kind)]


def two(first: Sequence[int], second: Sequence[int]) -> Callable[[Function], Sequence[Made]]:
    return lambda f: [f.input(first), f.input(second)]


def with_numbers(shape: Sequence[int], *numbers: Any) -> Callable[[Function], Sequence[Made]]:
    return lambda f: [f.input(shape), *[f.numbers(values) for values in numbers]]


def with_weights(shape: Sequence[int], *weights: Sequence[int]) -> Callable[[Function], list[Made]]:
    return lambda f: [f.input(shape), *[f.weights(*one) for one in weights]]


SHAPE = (1, 4, 6)
PAIR = {
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
    "MAXIMUM": "", "MINIMUM": "", "EQUAL": "", "NOT_EQUAL": "", "LESS": "", "LESS_EQUAL": "",
    "GREATER": "", "GREATER_EQUAL": "", "LOGICAL_AND": "", "LOGICAL_OR": "", "BITWISE_XOR": "",
    "RIGHT_SHIFT": "", "SQUARED_DIFFERENCE": "", "FLOOR_DIV": "", "FLOOR_MOD": "", "POW": "",
    "ATAN2": "", "STABLEHLO_REMAINDER": "", "STABLEHLO_POWER": "", "STABLEHLO_ADD": "",
    "STABLEHLO_SUBTRACT": "", "STABLEHLO_MULTIPLY": "", "STABLEHLO_DIVIDE": "",
    "STABLEHLO_MAXIMUM": "", "STABLEHLO_MINIMUM": "", "STABLEHLO_AND": "", "STABLEHLO_OR": "",
    "STABLEHLO_SHIFT_LEFT": "", "STABLEHLO_COMPARE": "StablehloCompareOptions",
}  # fmt: skip
SINGLE = [
    "LOGISTIC",
    "TANH",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "RELU_0_TO_1",
    "ELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "ABS",
    "EXP",
    "LOG",
    "SQRT",
    "RSQRT",
    "SIN",
    "COS",
    "FLOOR",
    "CEIL",
    "ROUND",
    "SIGN",
    "GELU",
    "NEG",
    "SQUARE",
    "LOGICAL_NOT",
    "CAST",
    "QUANTIZE",
    "DEQUANTIZE",
    "FAKE_QUANT",
    "BUCKETIZE",
    "COMPLEX_ABS",
    "REAL",
    "IMAG",
    "SOFTMAX",
    "LOG_SOFTMAX",
    "L2_NORMALIZATION",
    "LOCAL_RESPONSE_NORMALIZATION",
    "CUMSUM",
    "BITCAST",
    "DENSIFY",
    "STABLEHLO_LOGISTIC",
    "STABLEHLO_ABS",
    "STABLEHLO_COSINE",
    "STABLEHLO_EXPONENTIAL",
    "STABLEHLO_FLOOR",
    "STABLEHLO_LOG",
    "STABLEHLO_RSQRT",
    "STABLEHLO_TANH",
    "STABLEHLO_CBRT",
    "STABLEHLO_NEGATE",
    "STABLEHLO_CONVERT",
    "STABLEHLO_RESHAPE",
]
UNPRICED: Mapping[str, Sequence[int]] = {
    "RFFT2D": (1, 4, 6), "MULTINOMIAL": (1, 4), "RANDOM_STANDARD_NORMAL": (1, 4),
    "RANDOM_UNIFORM": (1, 4), "STABLEHLO_RNG_BIT_GENERATOR": (1, 4), "UNIQUE": (1, 4),
    "WHERE": (4, 2), "TOPK_V2": (1, 2), "STABLEHLO_SORT": (1, 4), "NON_MAX_SUPPRESSION_V4": (4,),
    "NON_MAX_SUPPRESSION_V5": (4,), "CONCAT_EMBEDDINGS": (1, 4), "HASHTABLE_FIND": (1, 4),
    "HASHTABLE_LOOKUP": (1, 4), "HASHTABLE_SIZE": (1,), "LSH_PROJECTION": (1, 4),
    "SKIP_GRAM": (1, 4), "DELEGATE": (1, 4), "PLACEHOLDER_FOR_GREATER_OP_CODES": (1, 4),
    "STABLEHLO_CUSTOM_CALL": (1, 4), "CUSTOM:SignalRfft": (1, 4), "CUSTOM:Acme": (1, 4),
    "CUSTOM:FlexErf": (1, 4), "CUSTOM:SignalPCAN": (1, 4),
}  # fmt: skip
REDUCED = ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"]
SEGMENTS = [
    "UNSORTED_SEGMENT_SUM",
    "UNSORTED_SEGMENT_PROD",
    "UNSORTED_SEGMENT_MAX",
    "UNSORTED_SEGMENT_MIN",
]


def lstm(f: Function, *, coupled: bool = False) -> list[Made | None]:
    """28 steps of 6 features, 5 units projected on 4 outputs."""
    kernels = [None if coupled and not gate else f.weights(5, 6) for gate in range(4)]
    recurrent = [None if coupled and not gate else f.weights(5, 4) for gate in range(4)]
    biases = [None if coupled and not gate else f.weights(5) for gate in range(4)]
    states = [f.tensor((1, 4), is_variable=True), f.tensor((1, 5), is_variable=True)]
    return [
        f.input((1, 28, 6)), *kernels, *recurrent, None, None, None, *biases, f.weights(4, 5), None,
        *states, None, None, None, None,
    ]  # fmt: skip


def both_lstm(f: Function) -> list[Made | None]:
    one_way = [f.weights(5, 6) for _ in range(4)] + [f.weights(5, 5) for _ in range(4)]
    bias = [f.weights(5) for _ in range(4)]
    way = [*one_way, None, None, None, *bias, None, None]
    states = [f.tensor((1, 5), is_variable=True) for _ in range(4)]
    return [f.input((1, 28, 6)), *way, *way, *states, *[None] * 9]


def subgraph(
    inputs: Sequence[Sequence[int]], *steps: tuple[str, Sequence[Any], Sequence[int]]
) -> Function:
    """A subgraph that gives the result of its last step; reads are numbers of inputs or values."""
    f = Function()
    given = [f.input(shape) for shape in inputs]
    for code, reads, shape in steps:
        held = [given[read] if isinstance(read, int) else read(f) for read in reads]
        given += f.add(code, held, [shape])
    f.outputs = given[-1:]
    return f


BODY_ADD = subgraph([(), ()], ("ADD", [0, 1], ()))
POOL = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}


def dense(units: int, features: int) -> Function:
    return subgraph(
        [(1, features)],
        ("FULLY_CONNECTED", [0, lambda f: f.weights(units, features)], (1, units)),
    )


CASES: Sequence[Case] = [
    *[Case(code, two(SHAPE, SHAPE), [SHAPE], table=table) for code, table in PAIR.items()],
    *[Case(code, one(*SHAPE), [SHAPE]) for code in SINGLE],
    *[Case(code, one(1, 4), [shape], unpriced=True) for code, shape in UNPRICED.items()],
    *[Case(code, with_numbers((1, 4, 6), [1]), [(1, 6)]) for code in REDUCED],
    *[
        Case(code, with_numbers((5, 6), [0, 1, 1, 0, 2], [3]), [(3, 6)])
        for code in SEGMENTS
    ],
    Case("SEGMENT_SUM", with_numbers((5, 6), [0, 1, 1, 0, 2]), [(3, 6)]),
    Case("ADD", with_weights((1, 4, 6), (6,)), [SHAPE], variant=" of weights"),
    Case("PRELU", with_weights((1, 4, 6), (6,)), [SHAPE]),
    Case("ADD_N", lambda f: [f.input(SHAPE) for _ in range(3)], [SHAPE]),
    Case("SELECT", lambda f: [f.input((1,), "bool"), f.input(SHAPE), f.input(SHAPE)], [SHAPE]),
    Case("SELECT_V2", lambda f: [f.input((6,), "bool"), f.input(SHAPE), f.input(SHAPE)], [SHAPE]),
    Case("STABLEHLO_SELECT", lambda f: [f.input(SHAPE) for _ in range(3)], [SHAPE]),
    Case("STABLEHLO_CLAMP", lambda f: [f.numbers(0), f.input(SHAPE), f.numbers(6)], [SHAPE]),
    # Convolutions
    Case("CONV_2D", with_weights((1, 8, 8, 4), (6, 3, 3, 4), (6,)), [(1, 8, 8, 6)],
         8 * 8 * 6 * 9 * 4, options=CONV, table="Conv2DOptions"),
    Case("CONV_2D", with_weights((1, 8, 8, 4), (6, 3, 3, 2), (6,)), [(1, 8, 8, 6)],
         8 * 8 * 6 * 9 * 2, options={**CONV, "FusedActivationFunction": 3}, table="Conv2DOptions",
         variant=" in groups"),
    Case("CONV_2D", with_weights((1, 9, 9, 4), (6, 3, 3, 4)), [(1, 5, 7, 6)], 5 * 7 * 6 * 36,
         options={**CONV, "Padding": 1, "DilationHFactor": 2}, table="Conv2DOptions",
         variant=" dilated"),
    Case("DEPTHWISE_CONV_2D", with_weights((1, 8, 8, 4), (1, 3, 3, 8), (8,)), [(1, 6, 6, 8)],
         6 * 6 * 8 * 9, options={**CONV, "Padding": 1, "DepthMultiplier": 2},
         table="DepthwiseConv2DOptions"),
    Case("CONV_3D", with_weights((1, 4, 8, 8, 3), (2, 3, 3, 3, 5)), [(1, 4, 8, 8, 5)],
         4 * 64 * 5 * 18 * 3, options=CONV_3D, table="Conv3DOptions"),
    Case("TRANSPOSE_CONV",
         lambda f: [f.numbers([1, 16, 16, 5]), f.weights(5, 3, 3, 4), f.input((1, 8, 8, 4))],
         [(1, 16, 16, 5)], 64 * 9 * 5 * 4, options={"Padding": 0, "StrideH": 2, "StrideW": 2},
         table="TransposeConvOptions"),
    Case("TRANSPOSE_CONV",
         lambda f: [f.numbers([1, 17, 17, 5]), f.weights(5, 3, 3, 4), f.input((1, 8, 8, 4)),
                    f.weights(5)],
         [(1, 17, 17, 5)], 64 * 9 * 5 * 4, options={"Padding": 1, "StrideH": 2, "StrideW": 2},
         table="TransposeConvOptions", variant=" without padding"),
    Case("CONV_3D_TRANSPOSE",
         lambda f: [f.numbers([1, 8, 8, 8, 5]), f.weights(2, 2, 2, 5, 3), f.input((1, 4, 4, 4, 3))],
         [(1, 8, 8, 8, 5)], 64 * 8 * 5 * 3,
         options={"Padding": 0, "StrideD": 2, "StrideH": 2, "StrideW": 2}, table="Conv3DOptions"),
    Case("CUSTOM:Convolution2DTransposeBias",
         with_weights((1, 8, 8, 4), (3, 2, 2, 4), (3,)), [(1, 16, 16, 3)], 64 * 4 * 3 * 4,
         custom_options=struct.pack("<3i", 1, 2, 2)),
    Case("CUSTOM:Convolution2DTransposeBias",
         with_weights((1, 8, 8, 4), (3, 2, 2, 4), (3,)), [(1, 16, 16, 3)], 64 * 4 * 3 * 4,
         variant=" without options"),
    Case("STABLEHLO_CONVOLUTION", with_weights((1, 4, 8, 8), (6, 4, 3, 3)), [(1, 6, 8, 8)],
         64 * 6 * 36, table="StablehloConvolutionOptions", options={
             "WindowStrides": (1, 1), "Padding": (1, 1, 1, 1), "InputBatchDimension": 0,
             "InputFeatureDimension": 1, "InputSpatialDimensions": (2, 3),
             "KernelInputFeatureDimension": 1, "KernelOutputFeatureDimension": 0,
             "KernelSpatialDimensions": (2, 3), "OutputBatchDimension": 0,
             "OutputFeatureDimension": 1, "OutputSpatialDimensions": (2, 3),
             "FeatureGroupCount": 1, "BatchGroupCount": 1}),
    Case("STABLEHLO_CONVOLUTION", with_weights((1, 8, 8, 4), (3, 3, 4, 6)), [(1, 15, 15, 6)],
         64 * 6 * 36, table="StablehloConvolutionOptions", variant=" of a spread image", options={
             "WindowStrides": (1, 1), "Padding": (1, 1, 1, 1), "LhsDilation": (2, 2),
             "InputBatchDimension": 0, "InputFeatureDimension": 3,
             "InputSpatialDimensions": (1, 2), "KernelInputFeatureDimension": 2,
             "KernelOutputFeatureDimension": 3, "KernelSpatialDimensions": (0, 1),
             "OutputBatchDimension": 0, "OutputFeatureDimension": 3,
             "OutputSpatialDimensions": (1, 2), "FeatureGroupCount": 1, "BatchGroupCount": 1}),
    # Matrices
    Case("FULLY_CONNECTED", with_weights((1, 2, 12), (5, 12), (5,)), [(2, 5)], 120,
         table="FullyConnectedOptions", options={"FusedActivationFunction": 1}),
    Case("FULLY_CONNECTED", with_weights((1, 2, 12), (5, 12)), [(1, 2, 5)], 120,
         table="FullyConnectedOptions", options={"KeepNumDims": True}, variant=" with all axes"),
    Case("FULLY_CONNECTED", with_weights((1, 4, 6), (5, 24)), [(1, 5), (1, 4, 6)], 120,
         table="FullyConnectedOptions", options={"WeightsFormat": 1}, variant=" shuffled"),
    Case("BATCH_MATMUL", two((1, 2, 4, 6), (1, 2, 8, 6)), [(1, 2, 4, 8)], 2 * 4 * 8 * 6,
         table="BatchMatMulOptions", options={"AdjY": True}),
    Case("STABLEHLO_DOT_GENERAL", two((1, 2, 4, 6), (1, 2, 8, 6)), [(1, 2, 4, 8)], 2 * 4 * 8 * 6,
         table="StablehloDotGeneralOptions", options={
             "LhsBatchingDimensions": (0, 1), "RhsBatchingDimensions": (0, 1),
             "LhsContractingDimensions": (3,), "RhsContractingDimensions": (3,)}),
    Case("EMBEDDING_LOOKUP", lambda f: [f.input((7,), "int32"), f.weights(50, 6)], [(7, 6)]),
    Case("EMBEDDING_LOOKUP_SPARSE",
         lambda f: [f.input((7,), "int32"), f.input((7, 2), "int32"), f.numbers([2, 4]),
                    f.input((7,)), f.weights(50, 6)], [(2, 6)]),
    Case("SVDF",
         lambda f: [f.input((1, 16)), f.weights(8, 16), f.weights(8, 10), f.weights(4),
                    f.tensor((1, 80), is_variable=True)],
         [(1, 4)], 8 * 16 + 8 * 10, table="SVDFOptions",
         options={"Rank": 2, "FusedActivationFunction": 1}),
    # Recurrent cells
    Case("UNIDIRECTIONAL_SEQUENCE_LSTM", lstm, [(1, 28, 4)], 28 * (4 * 5 * (6 + 4) + 4 * 5),
         table="UnidirectionalSequenceLSTMOptions", options={"FusedActivationFunction": 4}),
    Case("UNIDIRECTIONAL_SEQUENCE_LSTM", lambda f: lstm(f, coupled=True), [(1, 28, 4)],
         28 * (3 * 5 * (6 + 4) + 4 * 5), table="UnidirectionalSequenceLSTMOptions",
         options={"FusedActivationFunction": 4}, variant=" with a coupled gate"),
    Case("UNIDIRECTIONAL_SEQUENCE_LSTM",
         lambda f: [*lstm(f)[:20], *[f.weights(5) for _ in range(4)]], [(1, 28, 4)],
         28 * (4 * 5 * (6 + 4) + 4 * 5), table="UnidirectionalSequenceLSTMOptions",
         options={"FusedActivationFunction": 4}, variant=" with layer normalisation"),
    Case("BIDIRECTIONAL_SEQUENCE_LSTM", both_lstm, [(1, 28, 10)], 2 * 28 * 4 * 5 * (6 + 5),
         table="BidirectionalSequenceLSTMOptions",
         options={"FusedActivationFunction": 4, "MergeOutputs": True}),
    Case("LSTM", lambda f: [f.input((1, 6)), *lstm(f)[1:]], [(1, 4)], 4 * 5 * (6 + 4) + 4 * 5,
         table="LSTMOptions", options={"FusedActivationFunction": 4}),
    Case("LSTM",
         lambda f: [f.input((1, 6)), f.input((1, 5)), f.weights(20, 11), f.weights(20),
                    f.input((1, 5))],
         [(1, 5), (1, 5), (1, 11), (1, 20)], 20 * 11, table="LSTMOptions",
         options={"KernelType": 1}, variant=" basic"),
    Case("UNIDIRECTIONAL_SEQUENCE_RNN",
         lambda f: [f.input((1, 28, 6)), f.weights(5, 6), f.weights(5, 5), f.weights(5),
                    f.tensor((1, 5), is_variable=True)],
         [(1, 28, 5)], 28 * 5 * 11, table="SequenceRNNOptions",
         options={"FusedActivationFunction": 4}),
    Case("RNN",
         lambda f: [f.input((1, 6)), f.weights(5, 6), f.weights(5, 5), f.weights(5),
                    f.tensor((1, 5), is_variable=True)],
         [(1, 5)], 5 * 11, table="RNNOptions", options={"FusedActivationFunction": 4}),
    Case("BIDIRECTIONAL_SEQUENCE_RNN",
         lambda f: [f.input((1, 28, 6)),
                    *[made for _ in "fb" for made in (
                        f.weights(5, 6), f.weights(5, 5), f.weights(5),
                        f.tensor((1, 5), is_variable=True))], None, None, None],
         [(1, 28, 5), (1, 28, 5)], 2 * 28 * 5 * 11, table="BidirectionalSequenceRNNOptions"),
    # Windows
    Case("MAX_POOL_2D", one(1, 8, 8, 4), [(1, 4, 4, 4)], options=POOL, table="Pool2DOptions"),
    Case("AVERAGE_POOL_2D", one(1, 8, 8, 4), [(1, 4, 4, 4)], options=POOL, table="Pool2DOptions"),
    Case("L2_POOL_2D", one(1, 8, 8, 4), [(1, 4, 4, 4)], options=POOL, table="Pool2DOptions"),
    Case("CUSTOM:MaxPoolingWithArgmax2D", one(1, 8, 8, 4), [(1, 4, 4, 4), (1, 4, 4, 4)],
         custom_options=struct.pack("<5i", 1, 2, 2, 2, 2)),
    Case("CUSTOM:MaxUnpooling2D", two((1, 4, 4, 4), (1, 4, 4, 4)), [(1, 8, 8, 4)]),
    Case("REDUCE_WINDOW", lambda f: [f.input((8, 6)), f.numbers(0), f.numbers([2, 3]),
                                     f.numbers([2, 1]), f.numbers([1, 1])],
         [(4, 4)], table="ReduceWindowOptions", options={"ReduceFunction": 1}),
    Case("STABLEHLO_REDUCE_WINDOW", lambda f: [f.input((8, 6)), f.numbers(0)], [(4, 4)],
         table="StablehloReduceWindowOptions", extra=[BODY_ADD], options={
             "WindowDimensions": (2, 3), "WindowStrides": (2, 1), "BodySubgraphIndex": 1}),
    Case("STABLEHLO_REDUCE", lambda f: [f.input((1, 8, 6)), f.numbers(0)], [(1, 6)],
         table="StablehloReduceOptions", extra=[BODY_ADD],
         options={"Dimensions": (1,), "BodySubgraphIndex": 1}),
    Case("ARG_MAX", with_numbers((1, 8, 6), 2), [(1, 8)]),
    Case("ARG_MIN", with_numbers((1, 8, 6), [-1]), [(1, 8)]),
    # Movements
    Case("RESHAPE", with_numbers((1, 4, 6), [-1, 12]), [(2, 12)]),
    Case("RESHAPE", one(1, 4, 6), [(24,)], table="ReshapeOptions", options={"NewShape": [24]},
         variant=" by an option"),
    Case("RESHAPE", lambda f: [f.input((1, 1)), f.tensor((0,), "int32")], [()],
         variant=" to a scalar"),
    Case("SQUEEZE", one(1, 4, 1, 6), [(4, 1, 6)], table="SqueezeOptions",
         options={"SqueezeDims": [0]}),
    Case("EXPAND_DIMS", with_numbers((1, 4, 6), [-1]), [(1, 4, 6, 1)]),
    Case("TRANSPOSE", with_numbers((1, 4, 6), [0, 2, 1]), [(1, 6, 4)]),
    Case("REVERSE_V2", with_numbers((1, 4, 6), [1]), [(1, 4, 6)]),
    Case("REVERSE_SEQUENCE", lambda f: [f.input((1, 4, 6)), f.input((1,), "int32")], [(1, 4, 6)]),
    Case("CONCATENATION", two((1, 4, 6), (1, 4, 2)), [(1, 4, 8)], table="ConcatenationOptions",
         options={"Axis": -1}),
    Case("PACK", two((1, 4), (1, 4)), [(1, 2, 4)], table="PackOptions",
         options={"Axis": 1, "ValuesCount": 2}),
    Case("UNPACK", one(1, 2, 4), [(1, 4), (1, 4)], table="UnpackOptions",
         options={"Axis": 1, "Num": 2}),
    Case("SPLIT", lambda f: [f.numbers(2), f.input((1, 4, 6))], [(1, 4, 3), (1, 4, 3)],
         table="SplitOptions", options={"NumSplits": 2}),
    Case("SPLIT_V", with_numbers((1, 4, 6), [1, -1], 2), [(1, 4, 1), (1, 4, 5)]),
    Case("SLICE", with_numbers((1, 4, 6), [0, 1, 2], [1, 2, -1]), [(1, 2, 4)]),
    Case("SLICE", lambda f: [f.input((1, 4, 6)), f.input((3,), "int32"), f.numbers([1, 2, 3])],
         [(1, 2, 3)], variant=" from data on"),
    Case("STRIDED_SLICE", with_numbers((1, 4, 6), [0, 1, 0], [0, 3, 6], [1, 1, 2]), [(1, 2, 3)],
         table="StridedSliceOptions", options={"BeginMask": 1, "EndMask": 1}),
    Case("STRIDED_SLICE", with_numbers((1, 4, 6), [0, -1], [0, 0], [1, 1]), [(1, 4, 1)],
         table="StridedSliceOptions", options={"EllipsisMask": 1, "EndMask": 2},
         variant=" with an ellipsis"),
    Case("STRIDED_SLICE", with_numbers((1, 4, 6), [0, 2, 0], [0, 3, 0], [1, 1, 1]), [(1, 1, 6)],
         table="StridedSliceOptions",
         options={"BeginMask": 1, "EndMask": 1, "ShrinkAxisMask": 2, "NewAxisMask": 4},
         variant=" that shrinks and adds"),
    Case("GATHER", lambda f: [f.weights(50, 6), f.input((1, 7), "int32")], [(1, 7, 6)]),
    Case("GATHER", with_numbers((1, 4, 6), [0, 2]), [(1, 2, 6)], table="GatherOptions",
         options={"Axis": 1}, variant=" of known places"),
    Case("GATHER", lambda f: [f.input((1, 4, 6)), f.input((1, 2), "int32")], [(1, 2, 6)],
         table="GatherOptions", options={"Axis": 1, "BatchDims": 1}, variant=" row by row"),
    Case("GATHER_ND", lambda f: [f.input((3, 4, 6)), f.input((5, 2), "int32")], [(5, 6)]),
    Case("SCATTER_ND", lambda f: [f.input((5, 1), "int32"), f.input((5, 6)), f.numbers([8, 6])],
         [(8, 6)]),
    Case("SPARSE_TO_DENSE",
         lambda f: [f.input((5, 1), "int32"), f.numbers([8]), f.input((5,)), f.numbers(0)], [(8,)]),
    Case("DYNAMIC_UPDATE_SLICE",
         lambda f: [f.input((1, 8, 6)), f.input((1, 1, 6)), f.input((3,), "int32")], [(1, 8, 6)]),
    Case("STABLEHLO_DYNAMIC_UPDATE_SLICE",
         lambda f: [f.input((1, 8, 6)), f.input((1, 1, 6)), f.numbers(0), f.input((), "int32"),
                    f.numbers(0)], [(1, 8, 6)]),
    Case("ONE_HOT", lambda f: [f.input((1, 4), "int32"), f.numbers(9), f.numbers(1), f.numbers(0)],
         [(1, 4, 9)], table="OneHotOptions", options={"Axis": -1}),
    Case("MATRIX_DIAG", one(1, 4), [(1, 4, 4)]),
    Case("MATRIX_SET_DIAG", two((1, 4, 4), (1, 4)), [(1, 4, 4)]),
    Case("PAD", with_numbers((1, 4, 6), [[0, 0], [1, 2], [0, 3]]), [(1, 7, 9)]),
    Case("PADV2", with_numbers((1, 4, 6), [[0, 0], [1, 2], [0, 3]], 0), [(1, 7, 9)]),
    Case("MIRROR_PAD", with_numbers((1, 4, 6), [[0, 0], [1, 2], [0, 3]]), [(1, 7, 9)]),
    Case("TILE", with_numbers((1, 4, 6), [1, 2, 1]), [(1, 8, 6)]),
    Case("BROADCAST_TO", with_numbers((1, 1, 6), [1, 4, 6]), [(1, 4, 6)]),
    Case("DILATE", with_numbers((4, 6), [2, 1], 0), [(7, 6)]),
    Case("SPACE_TO_DEPTH", one(1, 8, 8, 4), [(1, 4, 4, 16)], table="SpaceToDepthOptions",
         options={"BlockSize": 2}),
    Case("DEPTH_TO_SPACE", one(1, 4, 4, 16), [(1, 8, 8, 4)], table="DepthToSpaceOptions",
         options={"BlockSize": 2}),
    Case("SPACE_TO_BATCH_ND", with_numbers((1, 7, 8, 4), [2, 2], [[0, 1], [0, 0]]), [(4, 4, 4, 4)]),
    Case("BATCH_TO_SPACE_ND", with_numbers((4, 4, 4, 4), [2, 2], [[0, 1], [0, 0]]), [(1, 7, 8, 4)]),
    Case("RESIZE_BILINEAR", with_numbers((1, 8, 8, 4), [16, 12]), [(1, 16, 12, 4)]),
    Case("RESIZE_NEAREST_NEIGHBOR", with_numbers((1, 8, 8, 4), [16, 12]), [(1, 16, 12, 4)]),
    Case("STABLEHLO_TRANSPOSE", one(1, 4, 6), [(1, 6, 4)], table="StablehloTransposeOptions",
         options={"Permutation": (0, 2, 1)}),
    Case("STABLEHLO_CONCATENATE", two((1, 4, 6), (1, 4, 2)), [(1, 4, 8)],
         table="StablehloConcatenateOptions", options={"Dimension": 2}),
    Case("STABLEHLO_BROADCAST_IN_DIM", one(6), [(4, 6)], table="StablehloBroadcastInDimOptions",
         options={"BroadcastDimensions": (1,)}),
    Case("STABLEHLO_SLICE", one(1, 4, 6), [(1, 2, 3)], table="StablehloSliceOptions",
         options={"StartIndices": (0, 1, 0), "LimitIndices": (1, 3, 6), "Strides": (1, 1, 2)}),
    Case("STABLEHLO_DYNAMIC_SLICE",
         lambda f: [f.input((1, 4, 6)), f.numbers(0), f.input((), "int32"), f.numbers(0)],
         [(1, 2, 6)], table="StablehloDynamicSliceOptions", options={"SliceSizes": (1, 2, 6)}),
    Case("STABLEHLO_PAD", lambda f: [f.input((1, 4, 6)), f.numbers(0)], [(1, 10, 6)],
         table="StablehloPadOptions", options={
             "EdgePaddingLow": (0, 1, 0), "EdgePaddingHigh": (0, 2, 0),
             "InteriorPadding": (0, 1, 0)}),
    Case("STABLEHLO_GATHER", lambda f: [f.weights(50, 6), f.input((1, 7, 1), "int32")], [(1, 7, 6)],
         table="StablehloGatherOptions", options={
             "OffsetDims": (2,), "CollapsedSliceDims": (0,), "StartIndexMap": (0,),
             "IndexVectorDim": 2, "SliceSizes": (1, 6)}),
    Case("STABLEHLO_SCATTER",
         lambda f: [f.input((8, 6)), f.input((5, 1), "int32"), f.input((5, 6))], [(8, 6)],
         table="StablehloScatterOptions", extra=[BODY_ADD],
         options={"UpdateComputationSubgraphIndex": 1}),
    # Control
    Case("CALL", one(1, 6), [(1, 5)], 30, table="CallOptions", options={"Subgraph": 1},
         extra=[dense(5, 6)]),
    Case("STABLEHLO_COMPOSITE", one(1, 6), [(1, 5)], 30, table="StableHLOCompositeOptions",
         options={"Name": "acme.dense", "DecompositionSubgraphIndex": 1}, extra=[dense(5, 6)]),
    Case("IF", lambda f: [f.numbers(values=True, kind="bool"), f.input((1, 6))], [(1, 5)], 30,
         table="IfOptions", options={"ThenSubgraphIndex": 1, "ElseSubgraphIndex": 2},
         extra=[dense(5, 6), dense(5, 6)]),
    # Audio
    Case("CUSTOM:SignalWindow", with_weights((1, 480), (480,)), [(1, 480)]),
    Case("CUSTOM:SignalFilterBankLog", one(1, 40), [(1, 40)]),
    Case("CUSTOM:SignalFilterBankSquareRoot", one(1, 40), [(1, 40)]),
    Case("CUSTOM:SignalEnergy", one(514), [(257,)]),
    Case("CUSTOM:SignalDelay", one(1, 40), [(1, 40)]),
]  # fmt: skip

CONSTANT = ["SHAPE", "RANK", "FILL", "ZEROS_LIKE", "RANGE", "BROADCAST_ARGS", "STABLEHLO_IOTA"]
"""What only depends on shapes and constants: a constant, and no layer."""
ELSEWHERE = [
    "CALL_ONCE",
    "WHILE",
    "STABLEHLO_WHILE",
    "VAR_HANDLE",
    "READ_VARIABLE",
    "ASSIGN_VARIABLE",
    "HASHTABLE",
    "HASHTABLE_IMPORT",
]
"""What only works together with others, in test_control.py."""
