"""Walks the text of a `linalg.generic` and computes what it says, operation by operation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from costmodel.workload.linalg.reading import _parsed

Array = np.ndarray[Any, Any]

NUMBERS: Final[dict[str, Callable[..., Any]]] = {
    "arith.addf": lambda left, right: left + right,
    "arith.subf": lambda left, right: left - right,
    "arith.mulf": lambda left, right: left * right,
    "arith.divf": lambda left, right: left / right,
    "arith.maximumf": max,
    "arith.minimumf": min,
    "arith.index_cast": int,
    "arith.fptosi": int,
    "costmodel.average": lambda *values: sum(values) / len(values),
    "costmodel.relu": lambda value, scale: max(value, 0.0) * scale,
    **dict.fromkeys(
        [f"costmodel.{name}" for name in ("add", "multiply", "maximum", "minimum")],
        lambda value: value,
    ),
}
"""Operations and called functions of numbers."""


def computed(text: str, *arrays: Array) -> Array:
    """What the function of a text returns."""
    *_, function = [one for one in _parsed(text).body.block.ops if one.body.blocks]
    block = function.body.block
    values = dict(zip(block.args, arrays, strict=True))
    for operation in block.ops:
        if operation.name == "func.return":
            return np.asarray(values[operation.operands[0]])
        values[operation.results[0]] = STEPS[operation.name](operation, values)
    message = "a function that returns nothing"
    raise AssertionError(message)


def constant(operation: Any, _: Any) -> Any:
    return operation.value.value.data


def empty(operation: Any, _: Any) -> Array:
    return np.full(operation.results[0].type.get_shape(), np.nan)  # whoever reads it sees that


def filled(operation: Any, values: Any) -> Array:
    return np.full(values[operation.operands[1]].shape, values[operation.operands[0]])


def padded(operation: Any, values: Any) -> Array:
    source = values[operation.source]
    (outside,) = [one for one in operation.region.block.ops if one.name == "tensor.yield"]
    lows, highs = operation.static_low.get_values(), operation.static_high.get_values()
    pairs = list(zip(lows, highs, strict=True))
    return np.pad(source, pairs, constant_values=values[outside.operands[0]])


def sliced(operation: Any, values: Any) -> Array:
    starts, sizes = operation.static_offsets.get_values(), operation.static_sizes.get_values()
    cuts = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return np.asarray(values[operation.source][tuple(cuts)])


def collapsed(operation: Any, values: Any) -> Array:
    return np.asarray(values[operation.src].reshape(operation.results[0].type.get_shape()))


def generic(operation: Any, values: Any) -> Array:
    accessed = [*operation.inputs, *operation.outputs]
    maps = [one.data for one in operation.indexing_maps]
    arrays = [np.asarray(values[one]) for one in accessed]
    arrays[-1] = arrays[-1].copy()
    lengths: dict[int, int] = {}
    for map_, array in zip(maps, arrays, strict=True):
        for expression, length in zip(map_.results, array.shape, strict=True):
            if (place := getattr(expression, "position", None)) is not None:
                assert lengths.setdefault(place, length) == length
    assert len(lengths) == len(operation.iterator_types)
    sizes = [lengths[place] for place in range(len(lengths))]
    for point in itertools.product(*map(range, sizes)):
        places = [tuple(map_.eval(list(point), [])) for map_ in maps]
        assert all(at >= 0 for place in places for at in place)
        seen = [array[place] for array, place in zip(arrays, places, strict=True)]
        arrays[-1][places[-1]] = at_point(operation.body.block, seen, point, values)
    return arrays[-1]


def at_point(block: Any, seen: list[Any], point: tuple[int, ...], outside: Any) -> Any:
    values = {**outside, **dict(zip(block.args, seen, strict=True))}
    for operation in block.ops:
        taken = [values[one] for one in operation.operands]
        match operation.name:
            case "linalg.yield":
                return taken[0]
            case "linalg.index":
                made = point[operation.dim.value.data]
            case "tensor.extract":
                made = taken[0][tuple(taken[1:])]
            case "arith.constant":
                made = operation.value.value.data
            case "func.call":
                made = NUMBERS[operation.callee.string_value()](*taken)
            case name:
                made = NUMBERS[name](*taken)
        values[operation.results[0]] = made
    message = "a body that yields nothing"
    raise AssertionError(message)


STEPS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "arith.constant": constant,
    "tensor.empty": empty,
    "linalg.fill": filled,
    "tensor.pad": padded,
    "tensor.extract_slice": sliced,
    "tensor.collapse_shape": collapsed,
    "linalg.generic": generic,
}
"""What an operation outside of a body gives."""
