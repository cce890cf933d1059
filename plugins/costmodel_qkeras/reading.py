"""Quantizers from what QKeras holds: strings, configurations and live objects.

A live object is looked at; its class is never imported.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from attrs import evolve

from costmodel_qkeras.parsing import parse
from costmodel_qkeras.quantizers import (
    NAMES,
    Argument,
    Quantizer,
    QuantizerError,
    make,
    signature_of,
)

_TRAINING_STATE: Final = frozenset({"qnoise_factor", "post_training_scale"})
"""Parameters that do not change the format, and may be symbolic tensors in a live object."""

_WRAPPERS: Final = frozenset({"__numpy__", "__tensor__"})
"""Class names under which Keras saves an array."""


def read(source: object) -> Quantizer | None:
    """The quantizer of a string, a configuration or a live object; None stays None.

    Raises:
        QuantizerError: it is not a quantizer that QKeras has, or one that no hardware can have.

    """
    if source is None or isinstance(source, Quantizer):
        return source
    if isinstance(source, str):
        return parse(source)
    return from_config(source) if isinstance(source, Mapping) else from_object(source)


def read_activation(source: object) -> Quantizer | None:
    """The quantizer of an activation; None for one that does not quantise, such as `relu`.

    Raises:
        QuantizerError: as for `read`.

    """
    if isinstance(source, Quantizer):
        return source
    return read(source) if looks_quantised(source) else None


def looks_quantised(source: object) -> bool:
    """Whether an activation is written as a quantizer is, or is one."""
    if source is None:
        return False
    name = source if isinstance(source, str) else type(source).__name__
    if isinstance(source, Mapping):
        name = str(source.get("class_name"))
    bare = name.rpartition(">")[2]
    return bare in NAMES or not bare.replace(".", "_").isidentifier()


# ------------------------------------------------------------------ configurations


def from_config(config: Mapping[str, Any]) -> Quantizer:
    """The quantizer of a configuration of Keras 2 or Keras 3.

    Parameters that only another release knows are left out; they do not change the format.

    Raises:
        QuantizerError: it is not a configuration of a quantizer.

    """
    name, settings = config.get("class_name"), config.get("config")
    if not isinstance(name, str) or not isinstance(settings, Mapping):
        found = f"{dict(config)!r:.80}"
        message = f"expected a quantizer with 'class_name' and 'config', found {found}"
        raise QuantizerError(message)
    name = name.rpartition(">")[2]
    known = dict(signature_of(name))
    named = {
        key: _plain(value)
        for key, value in settings.items()
        if key in known and key not in _TRAINING_STATE
    }
    return make(name, named=named)


def _plain(value: Any) -> Argument:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return _unwrapped(value)
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return _number(value)


def _unwrapped(value: Mapping[str, Any]) -> Argument:
    wrapped = value.get("config")
    if value.get("class_name") in _WRAPPERS and isinstance(wrapped, Mapping):
        return _plain(wrapped.get("value"))
    return from_config(value)


def _number(value: Any) -> Argument:
    """The Python number in a scalar of NumPy or a framework."""
    array = value.numpy() if hasattr(value, "numpy") else value
    items = array.tolist() if hasattr(array, "tolist") else array
    while isinstance(items, list) and len(items) == 1:
        items = items[0]
    if isinstance(items, list):
        return tuple(_plain(item) for item in items)
    if isinstance(items, (bool, int, float, str)):
        return items
    message = f"expected a number, a string or a list as parameter, found {value!r:.80}"
    raise QuantizerError(message)


# ------------------------------------------------------------------ live objects


def from_object(live: Any) -> Quantizer:
    """The quantizer of a live QKeras object, by its attributes.

    Raises:
        QuantizerError: its class is not a quantizer of QKeras.

    """
    cls = type(live)
    values = _values(live, cls)
    # True and 1 are one key, their types are not.
    made = _made(cls.__name__, values, tuple(map(type, values)))
    if hasattr(getattr(live, "integer", 0), "shape"):
        made = evolve(made, integer_is_variable=True)
    shifts = _shifts(live)
    return evolve(made, shifts=shifts) if shifts else made


_ABSENT: Final = "<absent>"
_PLAIN: Final = frozenset({type(None), bool, int, float, str})


def _values(live: Any, cls: type) -> tuple[Argument, ...]:
    """The parameters of a live quantizer, in the order of its signature."""
    names = _readable(cls.__name__)
    try:
        values: tuple[Any, ...] = operator.attrgetter(*names)(live)
    except AttributeError:
        values = tuple([getattr(live, name, _ABSENT) for name in names])
    if _PLAIN.issuperset(map(type, values)):
        return values
    return tuple(map(_plain, values))


@lru_cache(maxsize=256)
def _readable(name: str) -> tuple[str, ...]:
    return tuple(key for key, _ in signature_of(name) if key not in _TRAINING_STATE)


@lru_cache(maxsize=4096)
def _made(name: str, values: tuple[Argument, ...], types: tuple[type, ...]) -> Quantizer:
    given = zip(_readable(name), values, strict=True)
    named = {key: value for key, value in given if value != _ABSENT}
    integer = named.get("integer")
    if isinstance(integer, tuple):
        # One integer part for each channel: the hardware needs the widest.
        named["integer"] = max(item for item in integer if isinstance(item, int))
    return make(name, named=named)


def _shifts(live: Any) -> tuple[int, int] | None:
    """The least and the largest exponent of a live `auto_po2` scale, if it was computed."""
    if getattr(live, "alpha", None) != "auto_po2":
        return None
    scale: Any = getattr(live, "scale", None)
    array: Any = scale.numpy() if hasattr(scale, "numpy") else scale
    if not (hasattr(array, "min") and hasattr(array, "max")):
        return None
    # QTools truncates towards zero, as int() does.
    return int(math.log2(float(array.min()))), int(math.log2(float(array.max())))
