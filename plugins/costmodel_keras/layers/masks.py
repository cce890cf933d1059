"""Masks: tensors that say which results count, beside those that are computed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costmodel.tensor import Tensor
from costmodel.workload.builders import read
from costmodel.workload.operators import Operator
from costmodel_keras.arguments import operands


def masks_read(inputs: Sequence[Tensor], given: Mapping[str, Any]) -> Sequence[Operator]:
    """The masks among the inputs, carried in; `given` are the arguments of the call by name.

    A mask leaves out results that were computed all the same: it saves no arithmetic.
    """
    masks = [
        inputs[operand.index]
        for name, value in given.items()
        if name.endswith("mask")
        for operand in operands(value)
    ]
    return [read(mask, purpose="mask") for mask in masks]
