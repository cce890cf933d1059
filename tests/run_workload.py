"""Running a workload: its operators as loop nests, its views and loops as what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from loop_nest import Array, executed

from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.graph import Branch, Loop, Node, View, Workload
from costmodel.workload.operators import Contraction, Operator

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "sigmoid": lambda value: 1 / (1 + np.exp(-value)),
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "square": np.square,
    "relu6": lambda value: np.clip(value, 0, 6),
}
EPSILON = 1e-3


def run(workload: Workload, given: Mapping[str, Array], **functions: Any) -> dict[str, Array]:
    """The outputs of a bound workload for its inputs and weights, by name."""
    known = {**FUNCTIONS, **functions}
    arrays = {name: np.asarray(given[name], dtype=float) for name in workload.sources}
    for step in workload:
        match step:
            case Node():
                _node(step, arrays, known)
            case View():
                arrays[step.target] = _seen(step, arrays[step.source], workload)
            case Loop():
                _loop(step, arrays, known)
            case Branch():
                raise NotImplementedError
    return {name: arrays[name] for name in workload.outputs}


def _node(node: Node, arrays: dict[str, Array], functions: Mapping[str, Any]) -> None:
    read = [arrays[name] for name in node.reads]
    made = _computed(node.operator, read, functions)
    arrays.update(zip(node.writes, made, strict=True))


def _computed(operator: Operator, read: list[Array], functions: Mapping[str, Any]) -> list[Array]:
    if isinstance(operator, Softmax):
        names = [next(iter(one.dims)) for one in operator.inputs[0].index]  # type: ignore[union-attr]
        axes = tuple(names.index(name) for name in operator.over)
        raised = np.exp(read[0] - read[0].max(axis=axes, keepdims=True))
        return [raised / raised.sum(axis=axes, keepdims=True)]
    if isinstance(operator, Attention):
        return [_attended(operator, *read)]
    if isinstance(operator, Normalization):
        return [_normalized(operator, *read)]
    return executed(operator, *read, **functions)


def _attended(operator: Attention, query: Array, key: Array, value: Array) -> Array:
    products = [one for one in operator.decompose() if isinstance(one, Contraction)]
    (scores,) = executed(products[0], key, query / math.sqrt(operator.dims["d"]))
    raised = np.exp(scores)  # the keys are the last axis, or the last but one
    names = [next(iter(one.dims)) for one in products[0].outputs[0].index]  # type: ignore[union-attr]
    axis = names.index("n")
    (result,) = executed(products[1], raised / raised.sum(axis=axis, keepdims=True), value)
    return result


def _normalized(operator: Normalization, values: Array, *weights: Array) -> Array:
    names = [next(iter(one.dims)) for one in operator.inputs[0].index]  # type: ignore[union-attr]
    axes = tuple(names.index(name) for name in operator.over)
    mean = values.mean(axis=axes, keepdims=True) if operator.is_centred else 0.0
    variance = np.square(values - mean).mean(axis=axes, keepdims=True)
    result = (values - mean) / np.sqrt(variance + EPSILON)
    for operand, weight, apply in zip(
        operator.weights, weights, (np.multiply, np.add), strict=False
    ):
        kept = [next(iter(one.dims)) for one in operand.index]  # type: ignore[union-attr]
        shape = [
            length if name in kept else 1 for name, length in zip(names, values.shape, strict=True)
        ]
        result = apply(result, weight.reshape(shape))
    return result


def _seen(view: View, source: Array, workload: Workload) -> Array:
    shape: Any = workload.tensors[view.target].shape
    if view.kind == "slice":
        pairs = zip(view.starts, shape, strict=True)
        return source[tuple(slice(start, start + length) for start, length in pairs)]
    if view.kind == "broadcast":
        return np.broadcast_to(source, shape)
    assert view.kind in {"reshape", "convert"}, view
    return source.reshape(shape)


def _loop(loop: Loop, arrays: dict[str, Array], functions: Mapping[str, Any]) -> None:
    body = loop.body
    state = {inside: arrays[outside] for outside, inside in loop.carried}
    state |= {name: np.zeros(body.tensors[name].shape) for name in loop.zeros}
    fixed = {inside: arrays[outside] for outside, inside in loop.fixed}
    collected: dict[int, dict[str, Array]] = {}
    results: dict[str, Array] = {}
    for place in range(loop.steps)[:: -1 if loop.backwards else 1]:
        sliced = {
            inside: np.take(arrays[outside], place, axis=loop.axis)
            for outside, inside in loop.varying
        }
        results = collected[place] = run(body, {**fixed, **state, **sliced}, **functions)
        state = {inside: results[source] for source, inside in loop.carries}
    for inside, outside in loop.collected:
        rows = [collected[place][inside] for place in range(loop.steps)]
        arrays[outside] = np.stack(rows, axis=loop.axis)
    for inside, outside in loop.last:
        arrays[outside] = results[inside]
