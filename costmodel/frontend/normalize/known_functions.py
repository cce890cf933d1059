"""What a region of nodes computes, found by running it, and the functions that are known again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from costmodel.frontend.graph import GraphNode
    from costmodel.frontend.operations.work import Value

POINTWISE: Final = frozenset({"elementwise", "activation", "copy"})
"""Operations of which each element of the result is one of the operands alone."""
MOST_ELEMENTS: Final = 2**22
"""Of a value on which a region is run."""
_POINTS: Final = 257
_WITHIN: Final = 2e-4
"""How far a result may be from that of the known function: sources write polynomials."""


Found: TypeAlias = tuple[str, Mapping[str, Any], tuple[int, ...]]
"""An operation, its settings, and the places of its constants among those of the region."""


def constants_of(nodes: Sequence[GraphNode]) -> list[Value]:
    """The constants that a region reads, but for numbers, each once."""
    found = {
        id(value): value
        for node in nodes
        for value in node.operands
        if value is not None and value.is_constant and not value.is_number
    }
    return list(found.values())


def function_of(root: Value, nodes: Sequence[GraphNode], result: Value) -> Found | None:
    """The operation that computes the same, if one is known.

    The result may have other axes of one element than the root.
    """
    constants = constants_of(nodes)
    is_pointwise = all(node.operation in POINTWISE for node in nodes)
    if not _may_be_run(root, constants, result, is_pointwise=is_pointwise):
        return None
    chance = np.random.default_rng(0)
    data = np.linspace(-9, 9, _POINTS)
    if not is_pointwise:
        data = chance.normal(0.5, 1.5, root.shape)
    held = [chance.uniform(0.5, 1.5, value.stored.shape) for value in constants]
    arrays = {id(value): array for value, array in zip(constants, held, strict=True)}
    try:
        with np.errstate(all="ignore"):
            given = np.reshape(_run({id(root): data, **arrays}, nodes), np.shape(data))
    except (ArithmeticError, CostModelError, LookupError, TypeError, ValueError):
        return None
    candidates = _curves(data) if is_pointwise else _statistics(data, nodes, held)
    for operation, settings, places, wanted in candidates:
        if np.allclose(given, wanted, rtol=_WITHIN, atol=_WITHIN):
            return operation, settings, places
    return None


def _may_be_run(
    root: Value, constants: Sequence[Value], result: Value, *, is_pointwise: bool
) -> bool:
    """Whether a region is small enough, and may be one that is known."""
    if is_pointwise:
        return not constants
    kept = [[length for length in value.shape if length != 1] for value in (root, result)]
    return root.size <= MOST_ELEMENTS and kept[0] == kept[1] and len(constants) <= _CONSTANTS


_CONSTANTS: Final = 2
"""A scale and a shift."""


def _run(arrays: dict[int, Any], nodes: Sequence[GraphNode]) -> Any:
    """The result of the nodes on data.

    Raises:
        KeyError: a function is not known.

    """
    for node in nodes:
        operands = [
            arrays.get(id(value), value.scalar) for value in node.operands if value is not None
        ]
        arrays[id(node.writes[0])] = _EVALUATED[node.operation](operands, node.settings)
    return arrays[id(nodes[-1].writes[0])]


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


_CURVES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "erf": _erf,
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_approximate": lambda x: (
        x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    ),
    "quick_gelu": lambda x: x * _sigmoid(1.702 * x),
    "silu": lambda x: x * _sigmoid(x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softsign": lambda x: x / (1 + abs(x)),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
}
"""The functions that are known again."""

_STEPS: Final[Mapping[str, Callable[..., Any]]] = {
    **_CURVES,
    "swish": _CURVES["silu"],
    "exp": np.exp,
    "exponential": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "square": lambda x: x * x,
    "abs": abs,
    "absolute": abs,
    "negative": lambda x: -x,
    "neg": lambda x: -x,
    "negate": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
    "power": np.power,
    "pow": np.power,
    "clip": np.clip,
    "add": lambda *xs: sum(xs[1:], xs[0]),
    "subtract": lambda x, y: x - y,
    "multiply": lambda *xs: math.prod(xs[1:], start=xs[0]),
    "divide": lambda x, y: x / y,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "select": np.where,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
    "EQ": np.equal,
    "NE": np.not_equal,
    "erfc": lambda x: 1 - _erf(x),
    "sign": np.sign,
}
"""The functions that a step of a region may have."""
_REDUCED: Final = {"sum": "sum", "mean": "mean", "max": "max", "min": "min"}


def _reduce(operands: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    axes = settings.get("axes")
    return getattr(np, _REDUCED[settings["function"]])(
        operands[0], axis=None if axes is None else tuple(axes),
        keepdims=bool(settings.get("keep_axes", False)),
    )  # fmt: skip


def _softmax(x: Any, axes: Sequence[int]) -> Any:
    raised = np.exp(x - x.max(axis=tuple(axes), keepdims=True))
    return raised / raised.sum(axis=tuple(axes), keepdims=True)


_EVALUATED: Final[Mapping[str, Callable[..., Any]]] = {
    "elementwise": lambda xs, how: _STEPS[how.get("relation") or how["function"]](*xs),
    "activation": lambda xs, settings: _STEPS[settings["function"]](*xs),
    "reduce": _reduce,
    "reshape": lambda xs, settings: np.reshape(xs[0], tuple(settings["shape"])),
    "expand": lambda xs, settings: np.broadcast_to(xs[0], tuple(settings["shape"])),
    "transpose": lambda xs, settings: np.transpose(xs[0], tuple(settings["order"])),
    "identity": lambda xs, _: xs[0],
    "copy": lambda xs, _: xs[0],
    "softmax": lambda xs, settings: _softmax(xs[0], settings.get("axes", (-1,))),
}
"""What runs an operation of a region."""

_Candidate: TypeAlias = tuple[str, Mapping[str, Any], tuple[int, ...], Any]


def _curves(x: Any) -> Iterable[_Candidate]:
    for name, function in _CURVES.items():
        yield "activation", {"function": name}, (), function(x)


def _statistics(x: Any, nodes: Sequence[GraphNode], held: Sequence[Any]) -> Iterable[_Candidate]:
    """Normalisations and softmax along the axes that the region reduces."""
    if not all(_repeats_along(one.shape, x.shape) for one in held):  # such as those of groups
        return
    found = {
        tuple(sorted(axis % x.ndim for axis in node.settings["axes"]))
        for node in nodes
        if node.operation == "reduce" and node.settings.get("axes")
        if len(node.reads[0].shape) == x.ndim
    }
    for axes in sorted(found):
        kept = {"axis": axes, "keepdims": True}
        centred = x - x.mean(**kept)
        if not held:
            yield "softmax", {"axes": axes}, (), _softmax(x, axes)
        for small in _numbers(nodes):
            scale = np.sqrt((centred**2).mean(**kept) + small)
            yield from _scaled("normalize", {"axes": axes}, centred / scale, held)
            root = np.sqrt((x**2).mean(**kept) + small)
            yield from _scaled("normalize", {"axes": axes, "is_centred": False}, x / root, held)


def _repeats_along(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Whether a constant of a shape repeats along the axes of the other, aligned at the last."""
    pairs = zip(reversed(shape), reversed(other), strict=False)
    return len(shape) <= len(other) and all(own in {1, length} for own, length in pairs)


def _scaled(
    operation: str, settings: Mapping[str, Any], made: Any, held: Sequence[Any]
) -> Iterable[_Candidate]:
    """The operation with its constants: nothing, a scale, or a scale and a shift."""
    if not held:
        yield operation, settings, (), made
    elif len(held) == 1:
        yield operation, settings, (0,), made * held[0]
    else:
        for first, second in ((0, 1), (1, 0)):
            yield operation, settings, (first, second), made * held[first] + held[second]


def _numbers(nodes: Sequence[GraphNode]) -> list[float]:
    """The small numbers in a region, one of which keeps a division from zero."""
    found = [
        value.scalar
        for node in nodes
        for value in node.operands
        if value is not None and value.scalar is not None
    ]
    return [0.0, *sorted({one for one in found if 0 < one < _SMALL})]


_SMALL: Final = 0.1
