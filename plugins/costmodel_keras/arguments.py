"""What a layer was called with: its tensors by their place, and the constants beside them.

Live models and files give equal values. Nothing is executed, and of an array only its shape
and the type of its elements are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from attrs.validators import ge, instance_of

from costmodel.errors import ReadError
from costmodel.tensor.sizes import Symbol

CALL: Final = "arguments of the call"
"""The source of a setting that holds the arguments; only a class that declares it gets them."""

OPERAND_SHAPE: Final = "shape of the operand"
"""The source of a setting that holds the whole shape of the first tensor as Keras has it."""

_TRAINING, _MASK = "training", "mask"
"""Arguments that Keras may fill in: the first says nothing of the cost at inference."""

_DEEPEST: Final = 40
"""Lists and mappings around one argument."""

ARRAYS: Final = ("__numpy__", "__tensor__")
"""The classes under which a file keeps arrays."""

Value: TypeAlias = Any
"""A LayerInput, an Array, a Span, an Opaque, `...`, a tuple of values, a plain value or None.

In a call that was traced at two lengths of the batch, a number may be a `Symbol`.
"""


@frozen
class LayerInput:
    """A tensor that another layer gave: the one at `index` among the layer's inputs."""

    index: int = field(validator=[instance_of(int), ge(0)])


@frozen
class Array:
    """A constant array: its whole shape, and the type of its elements."""

    shape: tuple[int, ...]
    dtype: str


@frozen
class Weight(Array):
    """An array that a model trains or keeps: a parameter, which a constant is not."""


@frozen
class Span:
    """A slice."""

    start: Value
    stop: Value
    step: Value


@frozen
class Opaque:
    """A value that says nothing about the cost, such as a function."""


@frozen
class Arguments:
    """The arguments of one call: positional ones in order, and named ones by name."""

    positional: tuple[Value, ...] = ()
    named: tuple[tuple[str, Value], ...] = field(default=())

    @classmethod
    def of_inputs(cls, number: int) -> Arguments:
        """A call on so many tensors: one alone, or a list of them."""
        inputs = tuple(map(LayerInput, range(number)))
        return cls(inputs if number == 1 else (inputs,))

    def bound(self, *names: str) -> dict[str, Value]:
        """The arguments by the names of the parameters that they are for.

        Raises:
            ValueError: more positional arguments than names, or one of them named as well.

        """
        if len(self.positional) > len(names):
            message = f"called with {len(self.positional)} arguments; expected {', '.join(names)}"
            raise ValueError(message)
        given = dict(zip(names, self.positional, strict=False))
        for name, value in self.named:
            if name in given:
                message = f"argument {name!r} is given twice"
                raise ValueError(message)
            given[name] = value
        return given


def called(value: Any) -> Arguments:
    """The value, where it is what a layer was called with."""
    if not isinstance(value, Arguments):
        message = "expected the arguments of a call"
        raise ValueError(message)  # noqa: TRY004  # converters of settings raise it
    return value


VALUES: Final = (Arguments, LayerInput, Array, Weight, Span, Opaque)
"""The classes that arguments are made of."""


def layer_inputs(value: Value) -> Iterator[LayerInput]:
    """All inputs of the layer in a value, in order."""
    if isinstance(value, LayerInput):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from layer_inputs(item)
    elif isinstance(value, Span):
        yield from layer_inputs((value.start, value.stop, value.step))


def values_in(value: Value) -> Iterator[Value]:
    """All values in tuples, in order."""
    if isinstance(value, tuple):
        for item in value:
            yield from values_in(item)
    else:
        yield value


def with_arrays(given: Arguments, arrays: Mapping[int, Array]) -> Arguments:
    """The arguments with arrays in the places of some inputs; the others are counted anew."""

    def replaced(value: Value) -> Value:
        if isinstance(value, LayerInput):
            before = sum(place < value.index for place in arrays)
            return arrays.get(value.index, LayerInput(value.index - before))
        if isinstance(value, tuple):
            return tuple(map(replaced, value))
        if isinstance(value, Span):
            return Span(*map(replaced, (value.start, value.stop, value.step)))
        return value

    named = [(name, replaced(value)) for name, value in given.named]
    return Arguments(tuple(map(replaced, given.positional)), tuple(named))


def number_array(value: Value) -> Array | None:
    """The array that nested sequences of numbers stand for."""
    if not isinstance(value, tuple) or not value:
        return None
    if all(isinstance(item, int | float | Symbol) for item in value):
        return Array((len(value),), "float32")
    rows = [number_array(item) for item in value]
    first = rows[0]
    if first is None or any(row != first for row in rows):
        return None
    return Array((len(rows), *first.shape), first.dtype)


def masks_among(given: Arguments) -> frozenset[int]:
    """The places of the inputs that Keras passes on as masks of others."""
    values = [value for name, value in given.named if name == _MASK]
    return frozenset([one.index for value in values for one in layer_inputs(value)])


def recorded_arguments(node: Any) -> Arguments:
    """The arguments in an inbound node of a configuration.

    Raises:
        ReadError: the arguments are not a list and mapping, or an array in them is ragged.

    """
    args, kwargs = node.get("args") or [], node.get("kwargs") or {}
    if not isinstance(args, list) or not isinstance(kwargs, Mapping):
        message = f"expected args and kwargs of a call, found {node!r:.80}"
        raise ReadError(message)
    places = count()
    return _arguments(args, kwargs, lambda value: _recorded(value, places, 0))


def live_arguments(node: Any) -> Arguments:
    """The arguments that a live node of Keras holds."""
    tensors = set(map(id, node.input_tensors))
    places = count()
    given = node.arguments
    return _arguments(given.args, given.kwargs, lambda value: _live(value, tensors, places))


def _arguments(args: Sequence[Any], kwargs: Mapping[str, Any], convert: Any) -> Arguments:
    # Keras numbers the tensors of a mapping in the order of its keys.
    positional = tuple([convert(value) for value in args])
    named = [name for name in sorted(kwargs) if not _was_left_out(name, kwargs[name])]
    return Arguments(positional, tuple([(name, convert(kwargs[name])) for name in named]))


def _was_left_out(name: str, value: Any) -> bool:
    """Whether it is what Keras fills in by itself; its releases differ in writing it down."""
    return name == _TRAINING or (name == _MASK and value is None)


def _recorded(value: Any, places: Iterator[int], depth: int) -> Value:
    if depth > _DEEPEST:
        message = f"the arguments of a call are nested more than {_DEEPEST} levels deep"
        raise ReadError(message)
    depth += 1
    if isinstance(value, list):
        return tuple([_recorded(item, places, depth) for item in value])
    if not isinstance(value, Mapping):
        return _plain(value)
    name, config = value.get("class_name"), value.get("config")
    if not isinstance(name, str) or "config" not in value:
        return tuple(
            [(str(key), _recorded(value[key], places, depth)) for key in sorted(value, key=str)]
        )
    return _tagged(name, config if isinstance(config, Mapping) else {}, places, depth)


def _tagged(name: str, config: Mapping[str, Any], places: Iterator[int], depth: int) -> Value:
    """A value that Keras writes as a class and its configuration."""
    if name == "__keras_tensor__":
        return LayerInput(next(places))
    if name in ARRAYS:
        return Array(_shape(config.get("value")), str(config.get("dtype")))
    if name == "__slice__":
        ends = [_recorded(config.get(end), places, depth) for end in ("start", "stop", "step")]
        return Span(*ends)
    return ... if name == "__ellipsis__" else Opaque()


def _live(value: Any, tensors: set[int], places: Iterator[int]) -> Value:
    if id(value) in tensors:
        return LayerInput(next(places))
    if isinstance(value, list | tuple):
        return tuple([_live(item, tensors, places) for item in value])
    if isinstance(value, Mapping):
        return tuple(
            [(str(key), _live(value[key], tensors, places)) for key in sorted(value, key=str)]
        )
    if isinstance(value, slice):
        return Span(*[_live(end, tensors, places) for end in (value.start, value.stop, value.step)])
    if value is ...:
        return value
    is_array = hasattr(value, "dtype") and not isinstance(value, type)
    return _array(value) if is_array else _plain(value)


def _array(value: Any) -> Value:
    if None in value.shape:
        return Opaque()
    shape = tuple(map(int, value.shape))
    if type(value).__module__ == "numpy" and not shape:
        return _plain(value.item())
    name = getattr(value.dtype, "name", None) or str(value.dtype)
    kept = Weight if is_weight(value) else Array
    return kept(shape, name.rpartition(".")[2])


def is_weight(value: Any) -> bool:
    """Whether it is a variable of Keras 3, of any of its backends."""
    return any(
        cls.__name__ == _VARIABLE and cls.__module__.startswith(_BACKENDS)
        for cls in type(value).__mro__
    )


_VARIABLE, _BACKENDS = "Variable", "keras.src.backend"


def _plain(value: Any) -> Value:
    if isinstance(value, float) and math.isnan(value):
        return math.nan  # the one that equals itself
    return value if isinstance(value, bool | int | float | str | None) else Opaque()


def _shape(rows: Any) -> tuple[int, ...]:
    """The shape of an array written as lists in lists."""
    shape: tuple[int, ...] = ()
    level = [rows]
    while level and isinstance(level[0], list):
        lengths = {len(row) if isinstance(row, list) else -1 for row in level}
        if len(lengths) > 1:
            message = f"an array of the arguments has rows of several lengths: {rows!r:.80}"
            raise ReadError(message)
        shape = (*shape, *lengths)
        level = list(chain.from_iterable(level))
    return shape
