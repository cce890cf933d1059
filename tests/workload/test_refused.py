"""Bad input: what every builder, operand and operator refuses, and with which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray, Symbol
from costmodel.workload import builders as b
from costmodel.workload.builders.composite import Softmax
from costmodel.workload.operators import (
    Contraction,
    Counted,
    Elementwise,
    Operand,
    Operator,
    Reduction,
    as_tensor,
    input_of,
    output_of,
    shape_of,
)

Row = tuple[Callable[[], Any], str]

IMAGE, KERNEL = (1, 4, 8, 8), (8, 4, 3, 3)
BATCH = Symbol("batch")

# A call, and a fragment of the message of its ShapeError.

CONVOLUTIONS: tuple[Row, ...] = (
    (lambda: b.conv(IMAGE, (8, 3, 3, 3)), "3 channels in 1 group(s) does not fit an image of 4"),
    (lambda: b.conv(IMAGE, KERNEL, groups=2), "a kernel of 4 channels in 2 group(s) does not fit"),
    (lambda: b.conv(IMAGE, (9, 2, 3, 3), groups=2), "9 filters do not divide into 2 groups"),
    (lambda: b.conv(IMAGE, KERNEL, groups=0), "groups is (0,); expected numbers of 1 or more"),
    (lambda: b.conv(IMAGE, KERNEL, groups=-1), "groups is (-1,); expected numbers of 1 or more"),
    (lambda: b.conv(IMAGE, (2, 4, 2, 3, 3), groups=4, weight_layout="GKC*"),
     "a kernel of 2 groups is used in 4 group(s)"),
    (lambda: b.conv(IMAGE, (8, 4, 3)), "a window of 1 axes does not fit 2 spatial axes"),
    (lambda: b.conv(IMAGE, (8, 4, 9, 3)), "a window of 9 does not fit into an axis of 8"),
    (lambda: b.conv(IMAGE, KERNEL, dilation=4), "a window of 9 does not fit into an axis of 8"),
    (lambda: b.conv(IMAGE, KERNEL, padding=-3), "with -3 + -3 of padding"),
    (lambda: b.conv(IMAGE, KERNEL, stride=0), "stride is (0, 0); expected numbers of 1 or more"),
    (lambda: b.conv(IMAGE, KERNEL, dilation=(1, 0)), "dilation is (1, 0); expected numbers"),
    (lambda: b.conv(IMAGE, KERNEL, stride=(1, 2, 3)), "has 3 values for 2 spatial axes"),
    (lambda: b.conv(IMAGE, KERNEL, stride=()), "stride () has 0 values for 2 spatial axes"),
    (lambda: b.conv(IMAGE, KERNEL, padding=(1, 1, 1)), "has 3 values for 2 spatial axes"),
    (lambda: b.conv(IMAGE, KERNEL, padding=()), "padding () has 0 values for 2 spatial axes"),
    (lambda: b.conv(IMAGE, KERNEL, padding=((1, 1), (1, 1, 1))), "pairs of before and after"),
    (lambda: b.conv(IMAGE, KERNEL, padding=("1", "1")), "pairs of before and after"),
    (lambda: b.conv(IMAGE, KERNEL, padding="full"), "one of valid, same, same_lower, causal"),
    (lambda: b.conv(IMAGE, KERNEL, padding=""), "one of valid, same, same_lower, causal"),
    (lambda: b.conv(IMAGE, KERNEL, bias=(7,)), "a bias of 7 does not fit 8 output channels"),
    (lambda: b.conv(IMAGE, KERNEL, bias=(8, 1)), "a bias of 8 x 1 does not fit 8 output"),
    (lambda: b.conv(IMAGE, KERNEL, bias=()), "a bias of scalar does not fit 8 output channels"),
    (lambda: b.conv(IMAGE, KERNEL, output=(1, 8, 8, 8)), "1 x 8 x 6 x 6 follows from its operands"),
    (lambda: b.conv((4, 8), (8, 4, 3)), "input has 2 axes; expected at least 3 for layout 'NC*'"),
    (lambda: b.conv(IMAGE, (8,)), "weight has 1 axes; expected at least 3 for layout 'KC*'"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout="NCHW"), "input_layout is 'NCHW'; expected"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout="NCC*"), "input_layout is 'NCC*'"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout="NC**"), "input_layout is 'NC**'"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout="NC"), "input_layout is 'NC'"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout=""), "input_layout is ''"),
    (lambda: b.conv((2, *IMAGE), KERNEL, input_layout="GNC*"), "input_layout is 'GNC*'"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout="NK*"), "input_layout is 'NK*'"),
    (lambda: b.conv(IMAGE, KERNEL, weight_layout="NC*"), "weight_layout is 'NC*'"),
    (lambda: b.conv(IMAGE, (4, 3, 3), weight_layout="C*"), "'C*' has no axis 'K', which is needed"),
    (lambda: b.conv(IMAGE, KERNEL, input_layout="N*"), "'N*' has no axis 'C', which is needed"),
    (lambda: b.conv((1, None, 8, 8), KERNEL), "has an open axis; operators work on bound shapes"),
)  # fmt: skip

TRANSPOSED: tuple[Row, ...] = (
    (lambda: b.conv_transpose((1, 4, 8), (3, 4, 3)), "a kernel of 3 channels does not fit an"),
    (lambda: b.conv_transpose((1, 5, 8), (5, 2, 3), groups=2), "5 channels do not divide into 2"),
    (lambda: b.conv_transpose((1, 4, 8), (2, 2, 3), groups=2), "a kernel of 2 channels does not"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), groups=0), "groups is (0,)"),
    (lambda: b.conv_transpose((1, 4, 8), (2, 4, 2, 3), groups=4, weight_layout="GCK*"),
     "a kernel of 2 groups is used in 4 group(s)"),
    (lambda: b.conv_transpose((1, 4, 8), (2, 4, 2, 3), groups=2, weight_layout="GCK*"),
     "4 channels in each of 2 group(s) does not fit an image of 4 channels"),
    (lambda: b.conv_transpose((1, 4, 8), (2, 3), weight_layout="K*"), "no axis 'C'"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3, 3)), "a window of 2 axes does not fit 1"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), stride=0), "stride is (0,)"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), dilation=-1), "dilation is (-1,)"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), padding=9), "not an axis length"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), padding="same"), "expected numbers, or pairs"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), bias=(4,)), "does not fit 2 output channels"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), output_padding=(1, 1)), "has 2 values for 1"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), output=(1, 3, 10)), "1 x 2 x 10 follows"),
    (lambda: b.conv_transpose((1, 4, 8), (4, 2, 3), output=(2, 10)), "expected 3 axes"),
)  # fmt: skip

POOLINGS: tuple[Row, ...] = (
    (lambda: b.pool("max", IMAGE, 0), "window is (0, 0); expected numbers of 1 or more"),
    (lambda: b.pool("max", IMAGE, (2, -1)), "window is (2, -1); expected numbers of 1 or more"),
    (lambda: b.pool("max", IMAGE, 2, stride=0), "stride is (0, 0)"),
    (lambda: b.pool("max", IMAGE, 9), "a window of 9 does not fit into an axis of 8"),
    (lambda: b.pool("max", IMAGE, (2, 2, 2)), "window (2, 2, 2) has 3 values for 2 spatial axes"),
    (lambda: b.pool("max", IMAGE, 2, output=(1, 4, 4)), "declared as 1 x 4 x 4"),
    (lambda: b.pool("max", IMAGE, 2, input_layout="N*K"), "input_layout is 'N*K'"),
)  # fmt: skip

PRODUCTS: tuple[Row, ...] = (
    (lambda: b.matmul((2, 3), (4, 5)), "2 x 3 by 4 x 5: axes of 3 and 4 cannot be summed"),
    (lambda: b.matmul((3,), (4,)), "axes of 3 and 4 cannot be summed together"),
    (lambda: b.matmul((2, 3), (3, 5), transpose_left=True), "axes of 2 and 3 cannot be summed"),
    (lambda: b.matmul((), (3,)), "a number has no axis to sum along"),
    (lambda: b.matmul((3,), ()), "a number has no axis to sum along"),
    (lambda: b.matmul((2, 2, 3), (3, 3, 4)), "axes of 2 and 3 do not broadcast"),
    (lambda: b.matmul((2, 3), (3, 4), bias=(3,)), "axes of 3 and 4 do not broadcast"),
    (lambda: b.matmul((2, 3), (3, 4), bias=(5, 2, 4)), "a bias of 5 x 2 x 4 does not fit 2 x 4"),
    (lambda: b.matmul((2, 3), (3, 4), output=(4, 2)), "2 x 4 follows from its operands"),
    (lambda: b.einsum("ij,jk->ik", (2, 3), (4, 5)), "axes of 3 and 4 do not broadcast"),
    (lambda: b.einsum("ij,jk->ik", (2, 3)), "names 2 operands, there are 1"),
    (lambda: b.einsum("ij->ij"), "names 1 operands, there are 0"),
    (lambda: b.einsum("i,j,k->ijk", (2,), (3,), (4,)), "has 3 operands; expected one or two"),
    (lambda: b.einsum("ij->ik", (2, 3)), "the result 'ik' does not name axes of the operands once"),
    (lambda: b.einsum("ij->ii", (2, 3)), "the result 'ii' does not name axes of the operands once"),
    (lambda: b.einsum("ij->j->i", (2, 3)), "does not name axes of the operands once"),
    (lambda: b.einsum("ij->i.", (2, 3)), "does not name axes of the operands once"),
    (lambda: b.einsum("i", (2, 3)), "'i' does not name 2 axes"),
    (lambda: b.einsum("ijk", (2, 3)), "'ijk' does not name 2 axes"),
    (lambda: b.einsum("i..j", (2, 3)), "'i..j' does not name 2 axes"),
    (lambda: b.einsum("...ijk", (2, 3)), "'...ijk' does not name 2 axes"),
    (lambda: b.einsum("i...j...", (2, 3)), "does not name 2 axes"),
    (lambda: b.einsum("ii", (2, 3)), "axes of 2 and 3 do not broadcast"),
    (lambda: b.einsum("1j,jk", (2, 3), (3, 4)), "'1j' does not name 2 axes"),
    (lambda: b.einsum("ij,jk->ik", (2, 3), (3, 4), roles=("input",)), "expected one for each"),
    (lambda: b.einsum("ij,jk->ik", (2, 3), (3, 4), bias=(5,)), "do not broadcast"),
    (lambda: b.einsum("ij,jk->ik", (2, 3), (3, 4), output=(2,)), "2 x 4 follows"),
)  # fmt: skip

POINTWISE: tuple[Row, ...] = (
    (lambda: b.elementwise("add", (2,), (3,)), "axes of 2 and 3 do not broadcast"),
    (lambda: b.elementwise("add"), "'add' has neither an operand nor a declared result"),
    (lambda: b.elementwise("add", weights=[(3,)], weight_axes=(0,)), "has neither an operand"),
    (lambda: b.elementwise("add", (2, 3), weights=[(3,)], weight_axes=(0,)),
     "an axis of 3 does not stretch to 2"),
    (lambda: b.elementwise("add", (2, 3), weights=[(3,)], weight_axes=(0, 1)),
     "weights of 3 lie along 2 axes"),
    (lambda: b.elementwise("add", (2, 3), weights=[(3,)], weight_axes=(2,)), "axis 2 is out of"),
    (lambda: b.elementwise("add", (3, 3), weights=[(3, 3)], weight_axes=(0, -2)), "twice"),
    (lambda: b.elementwise("add", (2, 3), output=(3, 2)), "the result of the add is declared"),
    (lambda: b.activation("relu", (2,), weights=[(3,)]), "axes of 2 and 3 do not broadcast"),
    (lambda: b.activation("relu", (2,), output=(3,)), "the result of the relu is declared as 3"),
    (lambda: b.reduce("sum", (2, 3), (2,)), "axis 2 is out of range for 2 axes"),
    (lambda: b.reduce("sum", (2, 3), (-3,)), "axis -3 is out of range for 2 axes"),
    (lambda: b.reduce("sum", (2, 3), (1, -1)), "axes (1, -1) name one of 2 axes twice"),
    (lambda: b.reduce("sum", (2, 3), output=(2,)), "the result of the reduction 'sum'"),
)  # fmt: skip

WHOLE: tuple[Row, ...] = (
    (lambda: b.softmax((2, 3), (2,)), "axis 2 is out of range for 2 axes"),
    (lambda: b.softmax((2, 3), (0, 0)), "axes (0, 0) name one of 2 axes twice"),
    (lambda: b.softmax(()), "axis -1 is out of range for 0 axes"),
    (lambda: b.softmax((2, 3), output=(3, 2)), "the result of the softmax is declared as 3 x 2"),
    (lambda: b.normalize((2, 3), (2,)), "axis 2 is out of range for 2 axes"),
    (lambda: b.normalize((2, 3), (1, 1)), "axes (1, 1) name one of 2 axes twice"),
    (lambda: b.normalize((2, 5), (1,), groups=2), "an axis of 5 does not divide into 2 groups"),
    (lambda: b.normalize((2, 5), (1,), groups=0), "an axis of 5 does not divide into 0 groups"),
    (lambda: b.normalize((2, 4), (1,), groups=-2), "does not divide into -2 groups"),
    (lambda: b.normalize((2, 4), (), groups=2), "no axis is given that divides into 2 groups"),
    (lambda: b.normalize((2, 4), (1,), weights=[(5,)]), "an axis of 5 does not stretch to 4"),
    (lambda: b.normalize((2, 4), (1,), weights=[(2, 4)]), "weights of 2 x 4 lie along 1 axes"),
    (lambda: b.normalize((2, 4), (1,), weights=[(4,)], weight_axes=(2,)), "axis 2 is out of"),
    (lambda: b.normalize((2, 4), (1,), output=(2, 5)), "the result of the normalization"),
    (lambda: b.attention((2, 3), (2, 4), (2, 4), layout="md"), "features of queries and keys"),
    (lambda: b.attention((2, 3), (4, 3), (5, 3), layout="md"), "differ in their positions"),
    (lambda: b.attention((1, 2, 3, 4), (1, 2, 3, 4), (1, 1, 3, 4)), "differ in their heads"),
    (lambda: b.attention((1, 2, 3, 4), (2, 2, 3, 4), (2, 2, 3, 4)),
     "queries and keys differ in what attends apart"),
    (lambda: b.attention((1, 3, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4)), "are not a multiple"),
    (lambda: b.attention((1, 2, 3, 4), (1, 2, 3, 4), (2, 2, 3, 4)),
     "keys and values differ in what attends apart"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3)), "query is 2 x 3; expected axes as in 'bhmd'"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3, 1), layout="md"), "value is 2 x 3 x 1; expected"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3), layout="mx"), "layout is 'mx'; expected letters"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3), layout="mm"), "layout is 'mm'; expected letters"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3), layout="bm"), "layout is 'bm'; expected letters"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3), layout="md", output=(3, 2)), "2 x 3 follows"),
    (lambda: b.attention((2, 3), (4, 3), (4, 3), layout="md", weights=[(3,)]), "does not stretch"),
    (lambda: b.attention((2, 3), (4, 3), (4, 3), layout="md", weights=[(1, 1, 1)]),
     "weights of 1 x 1 x 1 do not fit 2 x 4"),
)  # fmt: skip

MOVEMENTS: tuple[Row, ...] = (
    (lambda: b.transpose((2, 3), (0,)), "(0,) does not name each of 2 axes once"),
    (lambda: b.transpose((2, 3), (0, 0)), "(0, 0) does not name each of 2 axes once"),
    (lambda: b.transpose((2, 3), (0, 2)), "axis 2 is out of range for 2 axes"),
    (lambda: b.transpose((2, 3), (1, 0), output=(2, 3)), "the result of the transposition"),
    (lambda: b.concatenate([], 0), "expected at least one tensor to concatenate"),
    (lambda: b.concatenate([(2, 3), (2, 4)], 0), "2 x 3 and 2 x 4 differ along another axis"),
    (lambda: b.concatenate([(2,), (2, 4)], 0), "2 and 2 x 4 differ along another axis"),
    (lambda: b.concatenate([(2,), ()], 0), "2 and scalar differ along another axis"),
    (lambda: b.concatenate([()], 0), "axis 0 is out of range for 0 axes"),
    (lambda: b.concatenate([(2,), (3,)], 0, roles=["input"]), "expected one for each"),
    (lambda: b.concatenate([(2,)], 0, roles=[]), "expected one for each"),
    (lambda: b.concatenate([(2,), (3,)], 0, output=(6,)), "5 follows from its operands"),
    (lambda: b.split((5,), 0, (2, 2)), "parts of (2, 2) do not add up to an axis of 5"),
    (lambda: b.split((5,), 0, ()), "parts of () do not add up to an axis of 5"),
    (lambda: b.split((5,), 0, (6, -1)), "is not an axis length"),
    (lambda: b.split((5,), 0, (5, 0)), "is not an axis length"),
    (lambda: b.split((5,), 1, (5,)), "axis 1 is out of range for 1 axes"),
    (lambda: b.split((5,), 0, (2, 3), outputs=[(2,)]), "1 results are declared for 2 parts"),
    (lambda: b.split((5,), 0, (2, 3), outputs=[]), "0 results are declared for 2 parts"),
    (lambda: b.split((5,), 0, (5,), outputs=[(5,), (1,)]), "2 results are declared for 1 parts"),
    (lambda: b.split((5,), 0, (2, 3), outputs=[(2,), (2,)]), "the result of the split"),
    (lambda: b.shift("crop", (5, 2), (3, 2), (1,)), "one number for each of 2 axes, found (1,)"),
    (lambda: b.shift("crop", (5,), (3, 1), (1,)), "expected one number for each of 1 axes"),
    (lambda: b.shift("crop", (5,), (3,), (1,), steps=()), "expected one number for each of 1"),
    (lambda: b.pad((5, 2), [(1, 1)]), "1 pairs of padding for 5 x 2; expected one for each axis"),
    (lambda: b.pad((5,), [(1, 1, 1)]), "expected a pair of numbers for each axis"),
    (lambda: b.pad((5,), (1,)), "expected a pair of numbers for each axis"),
    (lambda: b.pad((5,), [(-2, -3)]), "is not an axis length"),
    (lambda: b.pad((5,), [(1, 1)], output=(6,)), "the result of the padding is declared as 6"),
    (lambda: b.repeat((5,), 1, 2), "axis 1 is out of range for 1 axes"),
    (lambda: b.repeat((5,), 0, 0), "is not an axis length"),
    (lambda: b.repeat((5,), 0, -1), "is not an axis length"),
    (lambda: b.repeat((5,), 0, 2, output=(5,)), "10 follows from its operands"),
    (lambda: b.broadcast_to((2,), (3,)), "an axis of 2 does not stretch to 3"),
    (lambda: b.broadcast_to((3,), (1,)), "an axis of 3 does not stretch to 1"),
    (lambda: b.broadcast_to((4, 3, 4), (3, 4)), "4 x 3 x 4 has more axes than 3 x 4"),
    (lambda: b.copy("copy", (3,), output=(4,)), "the result of the copy is declared as 4"),
    (lambda: b.rearrange("sort", [], []), "'sort' has no tensors; expected at least one"),
    (lambda: b.embedding((2,), ()), "axis 0 is out of range for 0 axes"),
    (lambda: b.embedding((2,), (3, 4), axis=2), "axis 2 is out of range for 2 axes"),
    (lambda: b.embedding((2,), (3, 4), output=(2, 3)), "2 x 4 follows from its operands"),
    (lambda: b.transpose((2, 3), (1, 0), reversed_axes=[0, -2]), "(0, -2) name one of 2 axes"),
    (lambda: b.flip((2, 3), [2]), "axis 2 is out of range for 2 axes"),
    (lambda: b.flip((2, 3), [0], output=(3, 2)), "2 x 3 follows from its operands"),
    (lambda: b.stack([], 0), "expected at least one tensor to stack"),
    (lambda: b.stack([(2,), (3,)], 0), "2 and 3 differ; expected tensors of one shape to stack"),
    (lambda: b.stack([(2,)], 2), "axis 2 is out of range for 2 axes"),
    (lambda: b.stack([(2,)], 0, roles=[]), "1 tensors have roles (); expected one for each"),
    (lambda: b.unstack((), 0), "axis 0 is out of range for 0 axes"),
    (lambda: b.unstack((2, 3), 0, outputs=[(3,)]), "1 results are declared for 2 parts"),
    (lambda: b.unstack((2, 3), 0, outputs=[(3,), (2,)]), "3 follows from its operands"),
    (lambda: b.unstack((BATCH, 3), 0), "an axis of batch elements; bind 'batch' before"),
    (lambda: b.tile((2, 3), (2,)), "(2,) copies of 2 x 3; expected a number for each axis"),
    (lambda: b.tile((2,), (0,)), "is not an axis length"),
    (lambda: b.regroup((4,), ["ab"], ["a", "b"], {"a": 2}), "expected a size for each dimension"),
    (lambda: b.regroup((4,), ["ab"], ["a"], {"a": 2, "b": 2}), "and each of them once in both"),
    (lambda: b.regroup((4,), ["aa"], ["a"], {"a": 2}), "and each of them once in both"),
    (lambda: b.regroup((4,), ["ab"], ["ba"], {"a": 2, "b": 3}), "dimensions of 6 do not fit 4"),
    (lambda: b.frames((5,), 6, 1), "pieces of 6 elements every 1 do not fit an axis of 5"),
    (lambda: b.frames((5,), 0, 1), "pieces of 0 elements every 1 do not fit an axis of 5"),
    (lambda: b.frames((5,), 2, 0), "pieces of 2 elements every 0 do not fit an axis of 5"),
    (lambda: b.select((2, 3), [0, 0, 0]), "the key (0, 0, 0) does not fit 2 axes"),
    (lambda: b.select((2, 3), [..., ...]), "the key (Ellipsis, Ellipsis) does not fit 2 axes"),
    (lambda: b.select((2, 3), [2]), "there is no element 2 in an axis of 2"),
    (lambda: b.select((2, 3), [slice(2, None)]), "is not an axis length"),
    (lambda: b.select((BATCH, 3), [0]), "element 0 of an axis of batch elements; bind 'batch'"),
    (lambda: b.select((BATCH, 3), [slice(1, 2)]), "slice(1, 2, None) of an axis of batch elements"),
    (lambda: b.diagonal((2,)), "axis 1 is out of range for 1 axes"),
    (lambda: b.diagonal((2, 3), 3), "is not an axis length"),
    (lambda: b.diagonal((2, 3), 0, 1, 1), "(1, 1) name one of 2 axes twice"),
    (lambda: b.triangle((3,)), "3 has no two axes; expected rows and columns"),
    (lambda: b.take((2, 3), (4,), 2), "axis 2 is out of range for 2 axes"),
    (lambda: b.take_along((2, 3), (4,), 0), "2 x 3 and 4 differ in their number of axes"),
    (lambda: b.take_along((2, 3), (4, 2), 0), "axes of 3 and 2 do not broadcast"),
    (lambda: b.insert((2, 3), (2, 2), (0, 2)), "2 x 2 from (0, 2) on does not lie inside"),
    (lambda: b.insert((2, 3), (2, 2), (0, -1)), "from (0, -1) on does not lie inside of 2 x 3"),
    (lambda: b.insert((2, 3), (2,), (0,)), "2 from (0,) on does not lie inside of 2 x 3"),
    (lambda: b.one_hot((2,), 3, 2), "axis 2 is out of range for 2 axes"),
    (lambda: b.one_hot((2,), 0), "is not an axis length"),
    (lambda: b.one_hot((2,), 3, merged_axis=2), "axis 2 is out of range for 2 axes"),
    (lambda: b.rearrange_along("roll", (2, 3), (2, 4), [0]),
     "2 x 3 and 2 x 4 differ in another axis than (0,)"),
    (lambda: b.rearrange_along("roll", (2, 3), (2, 3), [2]), "axis 2 is out of range for 2 axes"),
    (lambda: b.resize((2, 3), (2,)), "2 x 3 and 2 differ in their number of axes"),
    (lambda: b.patches((1, 1, 5), 6, "ncpr"), "a window of 6 does not fit into an axis of 5"),
    (lambda: b.patches((1, 1, 5), 2, "ncp"), "do not hold each of n, c, p, r once"),
    (lambda: b.patches((1, 1, 5), 0, "ncpr"), "window is (0,); expected numbers of 1 or more"),
    (lambda: b.fold_patches((1, 2, 2), (1, 1, 5), 2, ["n", "c", "pr"]),
     "1 x 1 x 4 follows from its operands"),
    (lambda: b.fold_patches((1, 1, 4), (1, 1, 5), 2, ["n", "pr"]), "do not hold each of"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [*CONVOLUTIONS, *TRANSPOSED, *POOLINGS, *PRODUCTS, *POINTWISE, *WHOLE, *MOVEMENTS],
)
def test_shapes_and_settings_that_do_not_fit_are_refused(
    call: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        call()


VALUES: tuple[Row, ...] = (
    (lambda: b.pool("median", IMAGE, 2), "function is 'median'; expected one of sum, mean, max"),
    (lambda: b.reduce("median", (3,)), "function is 'median'; expected one of sum, mean, max"),
    (lambda: b.elementwise("relu", (3,)), "function is 'relu'; expected one of add, subtract"),
    (lambda: Reduction(function=[]), "function is []; expected one of sum"),
    (lambda: b.conv(IMAGE, KERNEL, weight_role="bias"), "role is 'bias'; expected one of input"),
    (lambda: Operand("state", (3,), ("n",)), "role is 'state'; expected one of input"),
    (lambda: input_of((3, 4), "n"), "1 indices for the axes of 3 x 4; expected one for each"),
    (lambda: input_of((3,), "n +"), "index 'n +': expected a sum such as '2p + r - 1'"),
    (lambda: input_of((3,), 5), "index 5: expected a sum such as '2p + r - 1'"),
    (lambda: Operand("input", (3,), (None,), touched=-1), "touched is -1; expected 0 or more"),
    (lambda: Operator(dims={"2n": 3}), "'2n' is not a name of a dimension"),
    (lambda: Operator(dims={"": 3}), "'' is not a name of a dimension"),
    (lambda: Operator(dims={5: 3}), "5 is not a name of a dimension"),
    (lambda: Operator(dims={"n": -1}), "dimension 'n' has size -1; expected 0 or more"),
    (lambda: Operator(dims=[("n", 1), ("n", 1)]), "dimension 'n' is given twice"),
    (lambda: Operator(dims={"n": 3}, operands=[input_of((3,), "m")]),
     "input[m] reads dimension 'm'; known: n"),
    (lambda: Operator(operands=[output_of((3,), "m")]), "reads dimension 'm'; known: none"),
    (lambda: Elementwise(function="add", steps=-1), "steps is -1; expected 0 or more"),
    (lambda: Counted(operation="add", count=-1), "count is -1; expected 0 or more"),
    (lambda: Counted(operation="add", count=1, sum_length=0), "sum_length is 0; expected 1 or"),
    (lambda: b.matmul((2, 3), (3, 4)).with_tensors([Tensor((2, 3))]),
     "1 tensors for contraction (m=2 n=4 k=3)"),
)  # fmt: skip


@pytest.mark.parametrize(("call", "message"), VALUES)
def test_values_that_are_unknown_or_out_of_range_are_refused(
    call: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


ARRAY: Any = np.array([3, 4])
WHOLE = "expected a whole number"
TYPES: tuple[Row, ...] = (
    (lambda: b.conv("image", KERNEL), "expected a tensor or a shape such as (3, 4), found 'image'"),
    (lambda: b.matmul((2, 3), None), "expected a tensor or a shape such as (3, 4), found None"),
    (lambda: b.elementwise("add", 5), "expected a tensor or a shape such as (3, 4), found 5"),
    (lambda: b.conv(IMAGE, KERNEL, stride=1.5), "1.5 is not a size; expected a whole number"),
    (lambda: b.conv(IMAGE, KERNEL, stride="2"), "'2' is not a size; expected a whole number"),
    (lambda: b.conv(IMAGE, KERNEL, padding=None), "None is not a size; expected a whole number"),
    (lambda: b.conv(IMAGE, KERNEL, padding=0.5), "0.5 is not a size; expected a whole number"),
    (lambda: b.reduce("sum", (3, 4), (0.5,)), "0.5 is not a size; expected a whole number"),
    (lambda: b.reduce("sum", (3, 4), "0"), "'0' is not a size; expected a whole number"),
    (lambda: b.attention((2, 3), (2, 3), (2, 3), layout="md", query_steps="multiply"),
     "expected several names, such as ('multiply',), found 'multiply'"),
    (lambda: Softmax(over="d0"), "expected several names, such as ('d0',), found 'd0'"),
    (lambda: Operand("input", (3,), "n"), "expected one index for each axis"),
    (lambda: Operand("input", (3,), None), "expected one index for each axis"),
    (lambda: Operand("input", "3", ("n",)), "expected a tensor or a shape"),
    (lambda: Operand("input", (3,), (None,), touched=1.5), "1.5 is not a size"),
    (lambda: Operator(dims={"n": "3"}), "'3' is not a size; expected a whole number"),
    (lambda: Operator(dims={"n": True}), "True is not a size; expected a whole number"),
    (lambda: Operator(dims=5), "expected dimensions with sizes, such as {'m': 3, 'k': 4}, found 5"),
    (lambda: Operator(dims="nm"), "expected dimensions with sizes, such as"),
    (lambda: Operator(dims=[("n",)]), "expected dimensions with sizes, such as"),
    (lambda: Contraction(operands=[Tensor((3,))]), "expected operands, such as Operand('input'"),
    (lambda: Contraction(operands=5), "expected operands, such as Operand('input'"),
    (lambda: Elementwise(function="add", steps=0.5), "0.5 is not a size"),
    (lambda: Counted(operation="add", count="5"), "'5' is not a size"),
    (lambda: Operator(dims={"n": ARRAY}), f"{ARRAY!r} is not a size; {WHOLE}, or SizeArray(array)"),
    (lambda: Operator(dims={"n": np.array([3])}), f"array([3]) is not a size; {WHOLE}, or Si"),
    (lambda: Operator(dims={"n": np.array(3.5)}), f"array(3.5) is not a size; {WHOLE}"),
    (lambda: Tensor((ARRAY, 2)), f"{ARRAY!r} is not a size; {WHOLE}, or SizeArray(array)"),
    (lambda: b.matmul((2, 3), (ARRAY, 4)), f"{ARRAY!r} is not a size; {WHOLE}, or SizeArray"),
    (lambda: Tensor(SizeArray([3, 4])), "SizeArray([3, 4]) is not a shape; expected a length"),
    (lambda: b.matmul(SizeArray([3, 4]), (3, 4)), "expected a tensor or a shape such as"),
    (lambda: Tensor(5), "5 is not a shape; expected a length for each axis, such as (3, 4)"),
    (lambda: b.einsum(3), "expected an equation such as 'ij,jk->ik', found 3"),
    (lambda: b.einsum(None, (2, 3), (3, 4)), "expected an equation such as 'ij,jk->ik', found N"),
    (lambda: b.einsum(b"ij,jk->ik", (2, 3), (3, 4)), "expected an equation such as"),
    (lambda: b.einsum("ij,jk->ik", (2, 3), (3, 4), roles=3), "expected the role of each operand"),
    (lambda: b.einsum("ij,jk->ik", (2, 3), (3, 4), roles=[3, 4]), "expected the role of each op"),
    (lambda: b.contract([(2, 3)], 5, "a"), "expected names of the axes of an operand, such as"),
    (lambda: b.contract([(2, 3)], [5], "a"), "expected names of the axes of an operand, such as"),
    (lambda: b.contract([(2, 3)], [[1, 2]], "a"), "the axes of an operand, such as ('m', 'k'), f"),
    (lambda: b.contract([(2, 3)], ["ab"], 5), "expected names of the axes of the result, such as"),
    (lambda: b.contract([(2, 3)], ["ab"], [["a"]]), "the axes of the result, such as ('m', 'n')"),
)  # fmt: skip


@pytest.mark.parametrize(("call", "message"), TYPES)
def test_values_of_another_type_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


def test_an_operand_stands_for_its_tensor() -> None:
    operand = input_of(Tensor((3,), "int8"), "n")
    assert as_tensor(operand) is operand.tensor
    assert shape_of(operand) == (3,)


NUMBER: Any = 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: b.activation("relu", IMAGE, weights=NUMBER), "expected several tensors or shapes"),
        (lambda: b.normalize(IMAGE, (1,), weights=NUMBER), "expected several tensors or shapes"),
        (lambda: b.concatenate(NUMBER, 0), "expected several tensors or shapes"),
        (lambda: b.rearrange("copy", [IMAGE], NUMBER), "expected several tensors or shapes"),
        (lambda: b.contract(NUMBER, ["ab"], "a"), "expected several tensors or shapes"),
        (lambda: b.attention((2, 3), (2, 3), (2, 3), layout=NUMBER), "layout is 3; expected"),
        (lambda: b.attention((2, 3), (2, 3), (2, 3), layout="md", score_steps=NUMBER),
         "expected names, such as"),
        (lambda: b.softmax(IMAGE, (Symbol("axis"),)), "is not an axis; expected a whole number"),
        (lambda: b.activation(NUMBER, IMAGE), "function is 3; expected a text"),
        (lambda: b.copy(NUMBER, IMAGE), "purpose is 3; expected a text"),
        (lambda: Counted(operation=NUMBER, count=1), "operation is 3; expected a text"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: b.contract([(2,), (2,), (2,)], ["a", "a", "a"], "a", roles=["input"] * 3),
         "expected one operand or two, found 3"),
        (lambda: b.contract([(2, 3), (3, 4)], ["ab"], "a"),
         "2 operands have names for the axes of 1"),
        (lambda: b.contract([(2, 3)], ["a"], "a"), "does not name the axes of 2 x 3"),
        (lambda: b.contract([(2, 3)], ["ab"], "ac"), "are not axes of the operands, each once"),
        (lambda: b.contract([(2, 3)], ["ab"], "aa"), "are not axes of the operands, each once"),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_the_operands_are_refused(
    call: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        call()
