"""Masks: tensors that say which results count, beside those that are computed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.workload.assembly import Assembly, numbered
from costmodel.workload.builders import read
from costmodel_keras.arguments import layer_inputs


def add_masks(made: Assembly, given: Mapping[str, Any]) -> None:
    """Add the reading of the masks among the inputs; `given` are the arguments by name.

    A mask leaves out results that were computed all the same: it saves no arithmetic.
    """
    for name, value in given.items():
        if name.endswith("mask"):
            for operand in layer_inputs(value):
                source = numbered("input", operand.index + 1)[-1]
                made.add(read(made.tensor(source), purpose="mask"), source)
