"""Elements seen in another shape, moved, or made of nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from costmodel.errors import ShapeError
from costmodel.frontend.evaluation import LARGEST
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode


def stretched(node: ModuleNode, value: Value, shape: Sequence[int]) -> Value:
    """A value of as many axes stretched to a shape; functions of elements read it as it was."""
    shape = tuple(shape)
    if value.shape == shape:
        return value
    graph = node.own_graph
    if value.is_constant:
        data = None
        if value.data is not None and math.prod(shape) <= LARGEST:
            data = np.broadcast_to(value.data, shape)
        made = graph.constant(
            value.name, shape, value.format, data, is_parameter=value.is_parameter
        )
        made.stretched = value
    else:
        made = node.add("expand", value, shape=shape)
        made.format = value.format
    graph.before[id(made)] = value
    graph.held.append(made)
    return made


@translates("broadcast_in_dim")
def broadcast_in_dim(node: ModuleNode) -> Value:
    """Axes put at their places, and stretched."""
    return _broadcast(node, node.list_of("broadcast_dimensions"), node.shape())


@translates("dynamic_broadcast_in_dim")
def dynamic_broadcast_in_dim(node: ModuleNode) -> Value:
    """The same to a shape that is computed."""
    return _broadcast(node, node.list_of("broadcast_dimensions"), node.numbers(1, "the shape"))


@translates("broadcast")
def broadcast(node: ModuleNode) -> Value:
    """New axes in front."""
    sizes, value = node.list_of("broadcast_sizes"), node.input()
    axes = range(len(sizes), len(sizes) + value.rank)
    return _broadcast(node, list(axes), [*sizes, *value.shape])


def _broadcast(node: ModuleNode, axes: Sequence[int], shape: Sequence[int]) -> Value:
    value = node.input()
    small = node.own_graph.unstretched(value)
    if _is_trained(node, value):
        small = node.graph.constant(value.name, value.shape, value.format, is_parameter=True)
    if len(axes) != small.rank or not all(0 <= axis < len(shape) for axis in axes):
        message = f"axes {list(axes)} of a value of {small.rank} axes among {len(shape)}"
        raise ShapeError(message)
    aligned = [1] * len(shape)
    for axis, length in zip(axes, small.shape, strict=True):
        aligned[axis] = length
    order = sorted(range(small.rank), key=lambda place: axes[place])
    if order != sorted(order):
        small = node.add("transpose", small, order=order)
    if small.shape != tuple(aligned):
        small = node.add("reshape", small, shape=aligned)
    return stretched(node, small, shape)


def _is_trained(node: ModuleNode, value: Value) -> bool:
    """Whether a constant of one number is trained: it lies along an axis, as a bias of zeros."""
    origin = node.own_graph.origins.get(id(value))
    is_written = origin is not None and origin.operator == "constant" and value.size > 1
    return is_written and not value.is_parameter and node.types[0].is_float


@translates("reshape")
def reshape(node: ModuleNode) -> Value:
    """The same elements in another shape."""
    return _reshaped(node, node.shape())


@translates("dynamic_reshape")
def dynamic_reshape(node: ModuleNode) -> Value:
    """The same elements in a shape that is computed."""
    return _reshaped(node, node.numbers(1, "the shape"))


def _reshaped(node: ModuleNode, shape: Sequence[int]) -> Value:
    value = node.input()
    small = node.own_graph.unstretched(value)
    if small is not value and small.size == 1:
        return stretched(node, node.add("reshape", small, shape=(1,) * len(shape)), shape)
    return node.add("reshape", value, shape=shape)


@translates("bitcast_convert")
def bitcast(node: ModuleNode) -> Value:
    """The same bits, read as another format: a view."""
    value = node.input()
    if node.shape() == value.shape:
        return node.add("identity", value)
    return node.add("fetch", value, shape=node.shape())


@translates("transpose")
def transpose(node: ModuleNode) -> Value:
    """The axes in another order."""
    order = node.list_of("permutation")
    value = node.input()
    small = node.own_graph.unstretched(value)
    if small is not value:
        shape = [value.shape[axis] for axis in order]
        return stretched(node, node.add("transpose", small, order=order), shape)
    return node.add("transpose", value, order=order)


@translates("concatenate")
def concatenate(node: ModuleNode) -> Value:
    """Values one after the other along an axis."""
    if len(node.present) == 1:
        return node.add("identity", node.input())
    return node.add("concatenate", *node.present, axis=node.whole("dimension"))


@translates("slice")
def cut(node: ModuleNode) -> Value:
    """Every n-th element of a range of each axis."""
    bounds = [node.list_of(name) for name in ("start_indices", "limit_indices", "strides")]
    return _cut(node, *bounds)


@translates("real_dynamic_slice")
def computed_cut(node: ModuleNode) -> Value:
    """The same with bounds that are computed."""
    return _cut(node, *[node.numbers(place, "the slice") for place in (1, 2, 3)])


def _cut(
    node: ModuleNode, starts: Sequence[int], ends: Sequence[int], steps: Sequence[int]
) -> Value:
    value = node.input()
    steps = steps or [1] * value.rank
    key = [
        slice(None) if (start, end, step) == (0, length, 1) else slice(start, end, step)
        for start, end, step, length in zip(starts, ends, steps, value.shape, strict=True)
    ]
    return node.add("select", value, key=key)


@translates("reverse")
def reverse(node: ModuleNode) -> Value:
    """The elements along some axes in the opposite order."""
    value, axes = node.input(), node.list_of("dimensions")
    kept = [axis for axis in axes if value.shape[axis] > 1]
    if not kept:
        return node.add("identity", value)
    return node.add("flip", value, axes=kept)


@translates("pad")
def pad(node: ModuleNode) -> Value:
    """Elements of one number around, and between, those of a value."""
    names = ("edge_padding_low", "edge_padding_high", "interior_padding")
    return _padded(node, *[node.list_of(name) for name in names])


@translates("dynamic_pad")
def computed_pad(node: ModuleNode) -> Value:
    """The same with amounts that are computed."""
    return _padded(node, *[node.numbers(place, "the padding") for place in (2, 3, 4)])


def _padded(
    node: ModuleNode, lows: Sequence[int], highs: Sequence[int], between: Sequence[int]
) -> Value:
    value = node.input()
    if any(between):
        shape = [
            low + high + length + max(length - 1, 0) * inside
            for low, high, length, inside in zip(lows, highs, value.shape, between, strict=True)
        ]
        return node.add("fetch", value, shape=shape)
    return edged(node, value, list(zip(lows, highs, strict=True)))


def edged(node: ModuleNode, value: Value, amounts: Sequence[tuple[int, int]]) -> Value:
    """A value padded at its edges; negative amounts take elements away."""
    key = [
        slice(max(-low, 0), length - max(-high, 0))
        for (low, high), length in zip(amounts, value.shape, strict=True)
    ]
    if any(low < 0 or high < 0 for low, high in amounts):
        value = node.add("select", value, key=key)
    kept = [(max(low, 0), max(high, 0)) for low, high in amounts]
    return node.add("pad", value, amounts=kept)


@translates("iota")
def iota(node: ModuleNode) -> Value:
    """The index along an axis: a constant."""
    return _counted(node, node.shape(), node.whole("iota_dimension"))


@translates("dynamic_iota")
def computed_iota(node: ModuleNode) -> Value:
    """The same in a shape that is computed."""
    return _counted(node, node.numbers(0, "the shape"), node.whole("iota_dimension"))


def _counted(node: ModuleNode, shape: Sequence[int], axis: int) -> Value:
    length = shape[axis]
    aligned = [length if place == axis else 1 for place in range(len(shape))]
    data = np.arange(length).reshape(aligned) if length <= LARGEST else None
    return stretched(node, node.own_graph.constant(node.name, aligned, data=data), shape)


@translates("get_dimension_size")
def dimension_size(node: ModuleNode) -> Value:
    """The length of an axis: a constant."""
    length = node.input().shape[node.whole("dimension")]
    return node.own_graph.constant(node.name, data=np.asarray(length))


@translates("set_dimension_size")
def declared_size(node: ModuleNode) -> Value:
    """A value of which fewer elements count: it is priced whole."""
    return node.add("identity", node.input())


@translates("optimization_barrier")
def barrier(node: ModuleNode) -> Sequence[Value]:
    """The same values; nothing is moved past it."""
    return [node.add("identity", value) for value in node.present]


@translates("sdy.sharding_constraint", "sdy.reshard")
def seen(node: ModuleNode) -> Value:
    """The same value, of which is said on which devices it lies."""
    return node.add("identity", node.input())
