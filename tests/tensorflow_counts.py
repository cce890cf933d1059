"""What TensorFlow's own graph of a Keras model computes, by the shapes of its nodes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any


def multiply_accumulates(model: Any, *, for_each_example: bool = False) -> int:
    """Products that the graph sums up: those of every matrix product, convolution and einsum.

    `for_each_example` leaves out those of weights and constants alone, which need no input.
    """
    counted = nodes(model, for_each_example=for_each_example)
    return sum(_PRODUCTS[node.type](node) for node in counted if node.type in _PRODUCTS)


def elements(model: Any) -> Counter[str]:
    """Output elements of all nodes of the graph, by their type."""
    counted: Counter[str] = Counter()
    for node in nodes(model):
        for tensor in node.outputs[:1]:
            counted[node.type] += math.prod(tensor.shape) if tensor.shape.rank is not None else 0
    return counted


def nodes(model: Any, *, for_each_example: bool = False) -> list[Any]:
    """The nodes that the results for one example need, in functions too; a loop is an error.

    Nothing may hide: what a loop holds would be counted once instead of once for each step.
    """
    import tensorflow as tf  # noqa: PLC0415  # only where a test runs

    inputs = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    structure = list if len(inputs) > 1 else next
    function = tf.function(lambda *given: model(structure(iter(given)), training=False))
    graph = function.get_concrete_function(*inputs).graph
    given = {tensor.op.name for tensor in graph.inputs[: len(inputs)]}
    found = [node for node, is_fed in _needed(graph, given) if is_fed or not for_each_example]
    hidden = {node.type for node in found} & _HIDING
    assert not hidden, f"the graph hides work in {hidden}"
    return found


def _needed(graph: Any, given: set[str]) -> Iterator[tuple[Any, bool]]:
    """Every node that the results need, and whether it depends on what is `given`."""
    needed = {tensor.op.name: tensor.op for tensor in graph.outputs}
    left = list(needed.values())
    while left:
        sources = {tensor.op.name: tensor.op for tensor in left.pop().inputs}
        left += [node for name, node in sources.items() if name not in needed]
        needed |= sources
    fed = _fed(graph, given)
    for node in needed.values():
        if node.type in _CALLS:
            inner = graph._get_function(node.get_attr("f").name).graph
            pairs = zip(inner.inputs, node.inputs, strict=True)
            yield from _needed(inner, {one.op.name for one, own in pairs if own.op.name in fed})
        else:
            yield node, node.name in fed


def _fed(graph: Any, given: set[str]) -> set[str]:
    """The nodes that depend on the given ones; a graph lists each after its sources."""
    fed = set(given)
    for node in graph.get_operations():
        if any(tensor.op.name in fed for tensor in node.inputs):
            fed.add(node.name)
    return fed


_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_HIDING = {"If", "StatelessIf", "StatelessWhile", "While"}


def _shapes(node: Any) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in node.inputs]


def _matrices(node: Any) -> int:
    flipped = node.get_attr("transpose_a" if node.type == "MatMul" else "adj_x")
    depth = _shapes(node)[0][-2 if flipped else -1]
    return math.prod(node.outputs[0].shape) * depth


def _convolution(node: Any) -> int:
    *window, depth, _ = _shapes(node)[1]
    return math.prod(node.outputs[0].shape) * math.prod(window) * depth


def _transposed(node: Any) -> int:
    """Every element that arrives weighs the whole window of every channel that leaves."""
    _, weights, arriving = _shapes(node)
    *window, made, _ = weights
    return math.prod(arriving) * math.prod(window) * made


def _depthwise(node: Any) -> int:
    return math.prod(node.outputs[0].shape) * math.prod(_shapes(node)[1][:-2])


def _einsum(node: Any) -> int:
    """One product for every index of the loop nest."""
    equation = node.get_attr("equation").decode()
    lengths: dict[str, int] = {}
    for letters, shape in zip(equation.split("->")[0].split(","), _shapes(node), strict=True):
        lengths.update(_axes(letters, shape))
    return math.prod(lengths.values())


def _axes(letters: str, shape: tuple[int, ...]) -> dict[str, int]:
    before, dots, after = letters.partition("...")
    elided = len(shape) - len(before) - len(after)
    names = chain(before, (f"{dots}{place}" for place in range(elided)), after)
    return dict(zip(names, shape, strict=True))


_PRODUCTS = {
    "BatchMatMulV2": _matrices, "BatchMatMulV3": _matrices, "MatMul": _matrices,
    "Conv2D": _convolution, "Conv3D": _convolution,
    "Conv2DBackpropInput": _transposed, "Conv3DBackpropInputV2": _transposed,
    "DepthwiseConv2dNative": _depthwise,
    "Einsum": _einsum,
}  # fmt: skip
