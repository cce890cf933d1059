"""Builders: the usual operators from shapes and settings, with their index maps."""

from costmodel.workload.builders.composite import attention, normalize, softmax
from costmodel.workload.builders.contractions import contract, einsum, matmul
from costmodel.workload.builders.movements import (
    broadcast_to,
    concatenate,
    copy,
    embedding,
    fill,
    pad,
    read,
    rearrange,
    repeat,
    shift,
    split,
    transpose,
)
from costmodel.workload.builders.pointwise import activation, elementwise, reduce
from costmodel.workload.builders.windows import conv, conv_transpose, pool

__all__ = [
    "activation",
    "attention",
    "broadcast_to",
    "concatenate",
    "contract",
    "conv",
    "conv_transpose",
    "copy",
    "einsum",
    "elementwise",
    "embedding",
    "fill",
    "matmul",
    "normalize",
    "pad",
    "pool",
    "read",
    "rearrange",
    "reduce",
    "repeat",
    "shift",
    "softmax",
    "split",
    "transpose",
]
