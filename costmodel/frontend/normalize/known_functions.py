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


def function_of(
    root: Value, nodes: Sequence[GraphNode], result: Value
) -> tuple[str, Mapping[str, Any]] | None:
    """The operation and settings that compute the same, if one is known."""
    is_pointwise = all(node.operation in POINTWISE for node in nodes)
    if not is_pointwise and (root.size > MOST_ELEMENTS or result.shape != root.shape):
        return None
    data = np.linspace(-9, 9, _POINTS)
    if not is_pointwise:
        data = np.random.default_rng(0).normal(0.5, 1.5, root.shape)
    try:
        with np.errstate(all="ignore"):
            given = _run(root, nodes, data)
    except (ArithmeticError, CostModelError, LookupError, TypeError, ValueError):
        return None
    if np.shape(given) != np.shape(data):
        return None
    candidates = _curves(data) if is_pointwise else _statistics(data, nodes)
    for operation, settings, wanted in candidates:
        if np.allclose(given, wanted, rtol=_WITHIN, atol=_WITHIN):
            return operation, settings
    return None


def _run(root: Value, nodes: Sequence[GraphNode], data: Any) -> Any:
    """The result of the nodes on data.

    Raises:
        KeyError: a function is not known.

    """
    arrays = {id(root): data}
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
    "elementwise": lambda xs, settings: _STEPS[settings.get("relation") or settings["function"]](*xs),
    "activation": lambda xs, settings: _STEPS[settings["function"]](*xs),
    "reduce": _reduce,
    "reshape": lambda xs, settings: np.reshape(xs[0], tuple(settings["shape"])),
    "expand": lambda xs, settings: np.broadcast_to(xs[0], tuple(settings["shape"])),
    "identity": lambda xs, _: xs[0],
    "copy": lambda xs, _: xs[0],
    "softmax": lambda xs, settings: _softmax(xs[0], settings.get("axes", (-1,))),
}
"""What runs an operation of a region."""

_Candidate: TypeAlias = tuple[str, Mapping[str, Any], Any]


def _curves(x: Any) -> Iterable[_Candidate]:
    for name, function in _CURVES.items():
        yield "activation", {"function": name}, function(x)


def _statistics(x: Any, nodes: Sequence[GraphNode]) -> Iterable[_Candidate]:
    """Normalisations and softmax along the axes that the region reduces."""
    reduced = [node for node in nodes if node.operation == "reduce"]
    found = {
        tuple(sorted(axis % x.ndim for axis in node.settings["axes"] or range(x.ndim)))
        for node in reduced
        if node.reads[0].shape == x.shape and node.settings.get("axes")
    }
    for axes in sorted(found):
        kept = {"axis": axes, "keepdims": True}
        centred = x - x.mean(**kept)
        yield "softmax", {"axes": axes}, _softmax(x, axes)
        for small in _numbers(nodes):
            scale = np.sqrt((centred**2).mean(**kept) + small)
            yield "normalize", {"axes": axes}, centred / scale
            root = np.sqrt((x**2).mean(**kept) + small)
            yield (
                "normalize", {"axes": axes, "is_centred": False}, x / root
            )  # fmt: skip


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
