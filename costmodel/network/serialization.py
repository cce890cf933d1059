"""Layers as plain values that JSON can hold, and back; no class is found by a name in a file.

A text, a number, a truth value and nothing stand for themselves, a list for a tuple. A mapping
with the key `type` is a value of a class that the core or the layer's setting declares, by
the names of its fields; one with the key `format` is a numeric format; one with the key `layer` is
an inner layer; one of the type `size` is a multiple of the batch. Fields at their defaults are left
out. Written by hand, a format may be its text, such as `int8`, and a tensor without one its shape
alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import NOTHING, Attribute, Factory, fields, has

from costmodel.errors import CostModelError, NetworkError, ReadError, ShapeError
from costmodel.formats import NumericFormat
from costmodel.network.layer import (
    HOLDS,
    DeclaredFormats,
    Input,
    Layer,
    OperatorLayer,
    UnknownLayer,
)
from costmodel.safe_io import checked_mapping, checked_name
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.affine import Affine
from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.graph import Workload
from costmodel.workload.operators import STANDARD, Counted, Operand
from costmodel.workload.reasons import Free, Unpriced
from costmodel.workload.serialization import (
    FORMAT_WORDS,
    numeric_format,
    workload_from,
    workload_values,
)

if TYPE_CHECKING:
    from costmodel.network.layer import LayerRegistry

CORE_VALUES: Final[tuple[type, ...]] = (
    Tensor, Operand, *STANDARD, Softmax, Normalization, Attention, Counted, Free, Unpriced,
    DeclaredFormats,
)  # fmt: skip
"""The classes whose values the settings of every layer may hold."""
_CORE_LAYERS: Final = (Input, OperatorLayer, UnknownLayer)

_OWN: Final = frozenset({"name", "kind", "inputs", "shares"})
"""The fields of a layer that are not settings."""
_PLAIN: Final = (bool, int, float, str)
_LEAVES: Final = {*_PLAIN, type(None)}
_ENTRY: Final = frozenset({"name", "kind", "rule", "inputs", "shares", "settings"})


def layer_values(layer: Layer) -> dict[str, Any]:
    """What makes a layer, without its inputs.

    Raises:
        NetworkError: a setting holds what no file can.

    """
    cls = type(layer)
    if cls.kinds is Layer.kinds:
        message = f"layer {layer.name!r}: {cls.__name__!r} serves no kind by which a file names it"
        raise NetworkError(message)
    values: dict[str, Any] = {"name": layer.name, "kind": layer.kind}
    if layer.kind not in cls.kinds:
        values["rule"] = cls.kinds[0]
    if layer.shares is not None:
        values["shares"] = layer.shares
    settings = _field_values(layer, f"layer {layer.name!r}", _OWN)
    return {**values, "settings": settings} if settings else values


def layer_from_values(
    values: Any, inputs: tuple[Tensor, ...], rules: LayerRegistry, where: str
) -> Layer:
    """The layer that `layer_values` described, on its inputs.

    Raises:
        ReadError: it is none, or no rule is known for its kind.
        ShapeError: the inputs and the settings do not fit.

    """
    entry = checked_mapping(values, _ENTRY, where)
    name, kind = (_text(entry, key, where) for key in ("name", "kind"))
    where = f"{where} ({name!r})"
    rule = entry.get("rule", kind)
    shares = entry.get("shares")
    if not isinstance(rule, str) or not isinstance(shares, str | None):
        message = f"{where}: expected texts as rule and shares, found {rule!r:.40}, {shares!r:.40}"
        raise ReadError(message)
    cls = rules.find(rule)
    if cls is None:
        message = f"{where}: {rules.reason_unknown(rule)}"
        raise ReadError(message)
    settings = entry.get("settings", {})
    known = _names(cls)  # type: ignore[arg-type]  # a class has a hash
    checked_mapping(settings, known - _OWN, f"{where}: settings")
    _check_complete(cls, settings.keys() | _OWN, where)
    decoder = _Decoder(rules, _value_classes(cls))  # type: ignore[arg-type]  # as before
    arguments = decoder.arguments(cls, settings, f"{where}, ")
    layer: Layer = _made(cls, where, name, kind, inputs, shares=shares, **arguments)
    return layer


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        message = f"{where}: expected a text as {key!r}, found {value!r:.80}"
        raise ReadError(message)
    return checked_name(value, where)


@functools.cache
def _names(cls: type) -> frozenset[str]:
    """The arguments that make a value."""
    return frozenset([item.alias or item.name for item in fields(cls) if item.init])


@functools.cache
def _value_classes(cls: type[Layer]) -> Mapping[str, type]:
    declared = (item.metadata.get(HOLDS, ()) for item in fields(cls))
    return {value.__name__: value for group in (CORE_VALUES, *declared) for value in group}


def _check_complete(cls: Any, given: Container[str], where: str) -> None:
    """Refuse a value without a field that has no default."""
    for name in _required(cls):
        if name not in given:
            message = f"{where}: {name!r} is missing, which every {cls.__name__!r} has"
            raise ReadError(message)


@functools.cache
def _required(cls: type) -> tuple[str, ...]:
    return tuple(
        item.alias or item.name for item in fields(cls) if item.init and item.default is NOTHING
    )


# ------------------------------------------------------------------ what fields demand


class _Demand(NamedTuple):
    """What the value of a field must be, in words and as a question."""

    words: str
    is_met: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    # To JSON, 64.0 is a whole number too.
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )


def _are_dims(value: Any) -> bool:
    pairs = value.items() if isinstance(value, Mapping) else value
    return isinstance(value, Mapping | tuple) and all(map(_is_dim, pairs))


def _is_dim(pair: Any) -> bool:
    match pair:
        case (str(), size):
            return _is_whole(size)
    return False


def _is_index(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str | None) for item in value)


def _are_tensors(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Tensor | tuple) for item in value)


def _are_shapes(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, tuple) for item in value)


_DIMS: Final = _Demand('sizes by name, such as {"m": 1, "k": 64}', _are_dims)
_FORMAT: Final = _Demand(
    FORMAT_WORDS,
    lambda value: isinstance(value, NumericFormat | str | None),
)
_SHAPES: Final = _Demand("a list of shapes such as [[3, 4]]", _are_shapes)
_DEMANDS: Final = {
    "int": _Demand("a whole number", _is_whole),
    "bool": _Demand("true or false", lambda value: isinstance(value, bool)),
    "str": _Demand("a text", lambda value: isinstance(value, str)),
    "Shape": _Demand("a shape such as [3, 4]", lambda value: isinstance(value, tuple)),
    "NumericFormat | None": _FORMAT,
    "tuple[Tensor, ...]": _Demand(
        'a list of tensors such as {"type": "Tensor", "shape": [3, 4]}, or of their shapes',
        _are_tensors,
    ),
    "Dims": _DIMS,
    "Index": _Demand('indices such as ["n", "2p + r - 1", null]', _is_index),
    "tuple[Operand, ...]": _Demand(
        'a list of operands such as {"type": "Operand", "role": "input", "tensor": [3, 4], '
        '"index": ["m", "k"]}',
        lambda value: isinstance(value, tuple) and all(isinstance(item, Operand) for item in value),
    ),
    "Tensor": _Demand(
        'a tensor such as {"type": "Tensor", "shape": [3, 4]}, or its shape',
        lambda value: isinstance(value, Tensor | tuple),
    ),
    "tuple[str, ...]": _Demand(
        "a list of texts",
        lambda value: isinstance(value, tuple) and all(isinstance(item, str) for item in value),
    ),
    "tuple[Shape, ...]": _SHAPES,
    "tuple[Shape, ...] | None": _Demand(
        _SHAPES.words, lambda value: value is None or _are_shapes(value)
    ),
}
"""What a field of a class of the core takes, by its annotation."""


@functools.cache
def _demands(cls: type) -> Mapping[str, _Demand]:
    """What the fields of a class of the core demand, by name; others check themselves."""
    if cls not in CORE_VALUES + _CORE_LAYERS:
        return {}
    return {
        item.alias or item.name: _DEMANDS[item.type]
        for item in fields(cls)
        if item.type in _DEMANDS
    }


# ------------------------------------------------------------------ to plain values


def _field_values(value: Any, where: str, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {
        item.alias or item.name: _field_value(item, held, where)
        for item in fields(type(value))
        if item.init and item.name not in left_out
        if not _is_default(item, held := getattr(value, item.name))
    }


def _field_value(item: Attribute[Any], held: Any, where: str) -> Any:
    if str(item.type) == "Dims":
        return dict(held)
    return _plain(held, f"{where}: {item.alias or item.name}")


def _is_default(item: Attribute[Any], held: Any) -> bool:
    default = item.default
    if default is NOTHING or isinstance(default, Factory):  # type: ignore[arg-type]  # a class
        return False
    return type(held) is type(default) and bool(held == default)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"type": "float", "value": str(value)}
    if value is None or isinstance(value, _PLAIN):
        return value
    if value is ...:
        return {"type": "ellipsis"}
    if isinstance(value, Mapping):
        items = [[_plain(key, where), _plain(held, where)] for key, held in value.items()]
        return {"type": "mapping", "items": items}
    if isinstance(value, Sequence):
        return [_plain(item, where) for item in value]
    return _object(value, where)


def _object(value: Any, where: str) -> dict[str, Any] | str:
    if isinstance(value, Affine):
        return str(value)
    if isinstance(value, Symbol):
        return {"type": "size", "value": str(value)}
    if isinstance(value, NumericFormat):
        return value.to_dict()
    if isinstance(value, Workload):
        return {"type": "Workload", **workload_values(value)}
    if isinstance(value, Layer):
        inputs = [_plain(tensor, where) for tensor in value.inputs]
        return {"layer": {**layer_values(value), "inputs": inputs}}
    if not has(type(value)):
        message = f"{where}: {type(value).__name__!r} is not a value that a file can hold"
        raise NetworkError(message)
    return {"type": type(value).__name__, **_field_values(value, where)}


# ------------------------------------------------------------------ from plain values


class _Decoder:
    """Makes values of the declared classes from what a JSON file holds."""

    def __init__(self, rules: LayerRegistry, classes: Mapping[str, type]) -> None:
        self._rules = rules
        self._classes = classes

    def value(self, plain: Any, where: str) -> Any:
        """One value."""
        if plain is None or isinstance(plain, _PLAIN):
            return plain
        if isinstance(plain, list) and set(map(type, plain)) <= _LEAVES:
            return tuple(plain)
        if isinstance(plain, list):
            return tuple([self.value(item, f"{where}[{i}]") for i, item in enumerate(plain)])
        if "format" in plain and "type" not in plain:
            return numeric_format(plain, where)
        if plain.keys() == {"layer"}:
            return self._layer(plain["layer"], where)
        return self._typed(plain, where)

    def arguments(self, cls: type, held: Mapping[str, Any], before: str) -> dict[str, Any]:
        """The arguments that make a value of a class; `before` stands before a field's name."""
        demands = _demands(cls)
        return {
            key: self._field(value, demands.get(key), f"{before}{key}")
            for key, value in held.items()
        }

    def _layer(self, plain: Any, where: str) -> Layer:
        given = plain.get("inputs", []) if isinstance(plain, dict) else []
        inputs = self.value(given, f"{where}: inputs")
        if not isinstance(inputs, tuple) or not all(isinstance(item, Tensor) for item in inputs):
            message = f"{where}: inputs: expected tensors, found {given!r:.80}"
            raise ReadError(message)
        return layer_from_values(plain, inputs, self._rules, where)

    def _typed(self, plain: dict[str, Any], where: str) -> Any:
        match plain:
            case {"type": "mapping", "items": items, **rest} if not rest:
                return self._mapping(items, where)
            case {"type": "float", "value": "inf" | "-inf" | "nan" as value, **rest} if not rest:
                return math.nan if value == "nan" else float(value)  # the one that equals itself
            case {"type": "Workload", **rest}:
                return workload_from(rest, where=where)
            case {"type": "ellipsis", **rest} if not rest:
                return ...
            case {"type": "size", "value": str(text), **rest} if not rest:
                return _made(Symbol.of, where, text)
        name = plain.get("type")
        cls = self._classes.get(name) if isinstance(name, str) else None
        if cls is None:
            message = (
                f"{where}: {name!r:.80} is not a type of value; known: "
                f"{', '.join(sorted(['ellipsis', 'float', 'mapping', 'size', *self._classes]))}"
            )
            raise ReadError(message)
        held = checked_mapping(plain, {"type", *_names(cls)}, where).copy()
        del held["type"]
        _check_complete(cls, held, where)
        return _made(cls, where, **self.arguments(cls, held, f"{where}."))

    def _field(self, plain: Any, demand: _Demand | None, where: str) -> Any:
        """The value of a field, of the type that is demanded."""
        if demand is _DIMS and isinstance(plain, dict):
            plain = [[name, size] for name, size in plain.items()]
        value = self.value(plain, where)
        if demand is not None and not demand.is_met(value):
            message = f"{where}: expected {demand.words}, found {plain!r:.80}"
            raise ReadError(message)
        return value

    def _mapping(self, items: Any, where: str) -> dict[Any, Any]:
        try:
            pairs = [(self.value(key, where), value) for key, value in items]
            mapping = {key: self.value(value, where) for key, value in pairs}
        except (TypeError, ValueError):
            message = f"{where}: expected a list of keys with their values, found {items!r:.80}"
            raise ReadError(message) from None
        if len(mapping) < len(pairs):
            message = f"{where}: a key stands twice in {items!r:.80}; expected each key once"
            raise ReadError(message)
        return mapping


def _made(cls: Any, where: str, *arguments: Any, **named: Any) -> Any:
    try:
        return cls(*arguments, **named)
    except ShapeError as error:
        message = f"{where}: {error}"
        raise ShapeError(message) from error
    except (CostModelError, TypeError, ValueError, AttributeError, OverflowError) as error:
        message = f"{where}: no {cls.__name__!r}: {error}"
        raise ReadError(message) from error
