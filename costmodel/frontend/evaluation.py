"""The data of constants: shape arithmetic and the like, as far as it is small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value

LARGEST: Final = 2**16
"""The most elements of a constant whose data are computed."""


def computed(
    operation: str, given: Sequence[Value], settings: Mapping[str, Any], made: Sequence[Value]
) -> Sequence[Any]:
    """The arrays of the results of an operation on constants; None where they stay unknown."""
    function = _FUNCTIONS.get(operation)
    unknown = [None] * len(made)
    if function is None or any(value.data is None for value in given):
        return unknown
    if any(value.size > LARGEST for value in (*given, *made)):
        return unknown
    import numpy as np  # noqa: PLC0415  # only where data are computed

    try:
        with np.errstate(all="ignore"):
            found = function(np, [value.data for value in given], settings)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return unknown
    arrays = found if isinstance(found, list) else [found]
    shapes = [tuple(np.shape(array)) for array in arrays]
    return arrays if shapes == [tuple(value.shape) for value in made] else unknown


_Arrays = Sequence[Any]
_Settings = Mapping[str, Any]


def _elementwise(np: Any, arrays: _Arrays, settings: _Settings) -> Any:
    functions = {
        "add": np.add, "subtract": np.subtract, "multiply": np.multiply,
        "maximum": np.maximum, "minimum": np.minimum, "divide": _divided(np),
    }  # fmt: skip
    function = functions[settings["function"]]
    result = arrays[0]
    for array in arrays[1:]:
        result = function(result, array)
    return result


def _divided(np: Any) -> Callable[[Any, Any], Any]:
    def divided(one: Any, other: Any) -> Any:
        whole = all(np.issubdtype(np.asarray(each).dtype, np.integer) for each in (one, other))
        return np.floor_divide(one, other) if whole else np.divide(one, other)

    return divided


def _split(np: Any, arrays: _Arrays, settings: _Settings) -> list[Any]:
    ends = np.cumsum(settings["sizes"])[:-1]
    return list(np.split(arrays[0], ends, settings["axis"]))


_REDUCTIONS: Final = {"sum": "sum", "mean": "mean", "max": "max", "min": "min", "product": "prod"}


def _reduce(np: Any, arrays: _Arrays, settings: _Settings) -> Any:
    axes = settings.get("axes")
    function = getattr(np, _REDUCTIONS[settings["function"]])
    return function(
        arrays[0], axis=None if axes is None else tuple(axes),
        keepdims=settings.get("keep_axes", False),
    )  # fmt: skip


_FUNCTIONS: Final[Mapping[str, Callable[[Any, _Arrays, _Settings], Any]]] = {
    "elementwise": _elementwise,
    "identity": lambda _, arrays, __: arrays[0],
    "copy": lambda _, arrays, __: arrays[0],
    "reshape": lambda np, arrays, settings: np.reshape(arrays[0], settings["shape"]),
    "transpose": lambda np, arrays, settings: np.transpose(arrays[0], settings["order"]),
    "concatenate": lambda np, arrays, settings: np.concatenate(arrays, settings["axis"]),
    "select": lambda _, arrays, settings: arrays[0][tuple(settings["key"])],
    "expand": lambda np, arrays, settings: np.broadcast_to(arrays[0], settings["shape"]),
    "tile": lambda np, arrays, settings: np.tile(arrays[0], settings["times"]),
    "embedding": lambda np, arrays, settings: np.take(
        arrays[0], arrays[1].astype(int), axis=settings.get("axis", 0)
    ),
    "split": _split,
    "reduce": _reduce,
}
"""What computes the data of an operation from arrays and settings."""
