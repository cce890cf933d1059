"""The constants of a module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel_stablehlo.operators.movements import stretched

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode


def constant_of(node: ModuleNode) -> Value:
    """The constant of a node: a number in some shape, or trained where numbers differ."""
    told = node.attributes.get("value")
    declared, shape = node.types[0], node.shape()
    held = told if isinstance(told, dict) else {}
    if "splat" in held:
        return filled(node, held["splat"], shape)
    data: Any = None
    if "numbers" in held and len(held["numbers"]) == math.prod(shape):
        data = np.asarray(held["numbers"], _kind(node)).reshape(shape)
    is_parameter = math.prod(shape) > 1 and (declared.is_float or declared.is_quantized)
    return node.own_graph.constant(node.name, shape, node.number(), data, is_parameter=is_parameter)


def filled(node: ModuleNode, number: float, shape: Sequence[int]) -> Value:
    """One number in a shape."""
    data: Any = np.full((1,) * len(shape), number, _kind(node))
    small = node.own_graph.constant(node.name, data=data, number=node.number())
    return stretched(node, small, shape)


def _kind(node: ModuleNode) -> type:
    declared = node.types[0]
    if declared.element == "i1":
        return np.bool_
    return np.float64 if declared.is_float else np.int64
