"""Converters from what Keras holds, live or in a configuration, to plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DATA_FORMATS = ("channels_last", "channels_first")


def whole(value: Any) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        message = "expected a whole number of 1 or more"
        raise ValueError(message)
    return value


def integer(value: Any) -> int:
    """A whole number, negative ones included: the index of an axis."""
    if isinstance(value, bool) or not isinstance(value, int):
        message = "expected a whole number"
        raise TypeError(message)
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        message = "expected true or false"
        raise TypeError(message)
    return value


def wholes(value: Any) -> tuple[int, ...]:
    """A whole number of at least 1, or a sequence of them."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    for item in values:
        whole(item)
    return values


def integers(value: Any) -> tuple[int, ...]:
    """A whole number, or a sequence of them."""
    values = value if isinstance(value, list | tuple) else (value,)
    return tuple(map(integer, values))


def pairs(value: Any) -> tuple[tuple[int, int], ...]:
    """Amounts before and after each axis, from any of the forms that Keras takes."""
    if isinstance(value, int):
        return ((_amount(value), _amount(value)),)
    if not isinstance(value, list | tuple) or not value:
        message = "expected amounts before and after each axis"
        raise TypeError(message)
    if len(value) == 2 and all(isinstance(item, int) for item in value):  # noqa: PLR2004  # 1-D
        return ((_amount(value[0]), _amount(value[1])),)
    return tuple((_amount(before), _amount(after)) for before, after in value)


def _amount(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        message = "expected whole numbers of 0 or more"
        raise ValueError(message)
    return value


def one_of(*allowed: str) -> Callable[[Any], str]:
    """A converter that takes one of `allowed`."""

    def check(value: Any) -> str:
        if value not in allowed:
            message = f"expected one of {', '.join(allowed)}"
            raise ValueError(message)
        return str(value)

    return check


padding = one_of("valid", "same", "causal")


def data_format(value: Any) -> str:
    """Where the channels are; None in a file means the default, last."""
    return one_of(*DATA_FORMATS)(DATA_FORMATS[0] if value is None else value)


def activation(value: Any) -> str:
    """The name of an activation: given by name, as a function, a layer or a configuration."""
    if value is None:
        return "linear"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _configured(value)
    name = getattr(value, "__name__", None)
    return str(name or type(value).__name__)


def _configured(value: Mapping[str, Any]) -> str:
    config = value.get("config")
    name = config if isinstance(config, str) else value.get("class_name")
    if not isinstance(name, str):
        message = "expected the name of an activation"
        raise TypeError(message)
    return name
