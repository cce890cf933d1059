"""Converters from what Keras holds, live or in a configuration, to plain values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from costmodel_keras.layers.activations import FUNCTIONS

DATA_FORMATS = ("channels_last", "channels_first")


def whole(value: Any) -> int:
    """A whole number of at least 1."""
    number = value if value.__class__ is int else integer(value)
    if number < 1:
        message = "expected a whole number of 1 or more"
        raise ValueError(message)
    return number


def integer(value: Any) -> int:
    """A whole number, negative ones and NumPy's included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        message = "expected a whole number"
        raise TypeError(message)
    return operator.index(value)


def number(value: Any) -> float:
    """A number."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        message = "expected a number"
        raise TypeError(message)
    return float(value)


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        message = "expected true or false"
        raise TypeError(message)
    return value


def wholes(value: Any) -> tuple[int, ...]:
    """A whole number of at least 1, or a sequence of them."""
    several = value if _is_several(value) else (value,)
    try:
        return tuple([n if n.__class__ is int and n > 0 else whole(n) for n in several])
    except (TypeError, ValueError):
        message = "expected a whole number of 1 or more, or one for each axis"
        raise ValueError(message) from None


def integers(value: Any) -> tuple[int, ...]:
    """A whole number, or a sequence of them."""
    return tuple([integer(item) for item in value]) if _is_several(value) else (integer(value),)


def lengths(value: Any) -> tuple[int | None, ...]:
    """A length of at least 1 or an open one, or a sequence of them."""
    several = value if _is_several(value) else (value,)
    return tuple([None if item is None else whole(item) for item in several])


def optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A converter that also takes None."""
    return lambda value: None if value is None else convert(value)


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        message = "expected a text"
        raise TypeError(message)
    return value


def _is_several(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def pairs(value: Any) -> tuple[tuple[int, int], ...]:
    """Amounts before and after each axis, from any of the forms that Keras takes."""
    if not _is_several(value):
        return ((_amount(value), _amount(value)),)
    if not value:
        message = "expected amounts before and after each axis"
        raise TypeError(message)
    if len(value) == 2 and not any(map(_is_several, value)):  # noqa: PLR2004  # 1-D
        return ((_amount(value[0]), _amount(value[1])),)
    return tuple((_amount(before), _amount(after)) for before, after in value)


def _amount(value: Any) -> int:
    number = integer(value)
    if number < 0:
        message = "expected whole numbers of 0 or more"
        raise ValueError(message)
    return number


def one_of(*allowed: str) -> Callable[[Any], str]:
    """A converter that takes one of `allowed`."""

    def check(value: Any) -> str:
        if value not in allowed:
            message = f"expected one of {', '.join(allowed)}"
            raise ValueError(message)
        return str(value)

    return check


padding = one_of("valid", "same", "causal")


_known_data_format = one_of(*DATA_FORMATS)


def data_format(value: Any) -> str:
    """Where the channels are; None in a file means the default, last."""
    return _known_data_format(DATA_FORMATS[0] if value is None else value)


_NAMED: Final = "Activation"
"""The class of the layers that name their function."""

_LIBRARIES: Final = frozenset({
    "keras", "keras_hub", "keras_nlp", "qkeras", "tf_keras", "tensorflow", "jax", "torch", "numpy",
    "builtins", "None",
})  # fmt: skip
"""Where a function of a known name is the known function."""


_LAMBDA: Final = "<lambda>"
"""The name of a function that a program did not name."""


def _own(name: str) -> str:
    """A name for what a program made: not that of a known function, whatever it is called."""
    return f"custom>{name}" if name in FUNCTIONS else name


def activation(value: Any) -> str:
    """The name of an activation: given by name, as a function, a layer or a configuration."""
    if isinstance(value, str):
        package, _, name = value.rpartition(">")
        return _own(name) if package else name
    if value is None:
        return "linear"
    if isinstance(value, dict):
        return _configured(value)
    if isinstance(value, (int, float, list, tuple)):
        message = "expected the name of an activation"
        raise TypeError(message)
    name = str(getattr(value, "__name__", None) or type(value).__name__)
    if name == _NAMED:
        return activation(value.activation)
    home = str(getattr(value, "__module__", None))
    return name if home.partition(".")[0] in _LIBRARIES else _own(name)


def _configured(value: Mapping[str, Any]) -> str:
    if value.keys() == {"value"}:
        return _LAMBDA  # Keras saves its code, and nothing else
    config, name = value.get("config"), value.get("class_name")
    registered, home = str(value.get("registered_name")), str(value.get("module"))
    if ">" in registered:
        return activation(registered)
    if home.partition(".")[0] not in _LIBRARIES and isinstance(name, str):
        return _own(config if isinstance(config, str) else name)
    if isinstance(config, dict) and name == _NAMED:
        return activation(config.get("activation"))
    name = config if isinstance(config, str) else name
    if not isinstance(name, str):
        message = "expected the name of an activation"
        raise TypeError(message)
    return activation(name)
