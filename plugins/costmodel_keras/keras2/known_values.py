"""Values that follow from shapes alone: what TensorFlow's functions compute with `tf.shape`.

A value is a number, a multiple of the batch, None for a length that is open, a tuple of them, or
an `Array` of which the shape alone is known. Nothing of it is computed for an example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.tensor.sizes import Symbol
from costmodel_keras.arguments import (
    Arguments,
    Array,
    LayerInput,
    Span,
    Value,
    layer_inputs,
)
from costmodel_keras.keras2.functions import FunctionError, Operation
from costmodel_keras.layers.operations.elementwise import Curve, Stepwise
from costmodel_keras.layers.operations.movement import taken
from costmodel_keras.layers.operations.operation import (
    Whole,
    axis_in,
    joined,
    product_of,
    quotient_of,
    sum_of,
)

if TYPE_CHECKING:
    from costmodel_keras.layers.operations.operation import Length

_OF_KERAS: Final = "keras.ops."


def shape_value(kind: str, given: Arguments, wholes: Sequence[Whole]) -> Value:
    """What a function says of the shape of its operand; NotImplemented if it is none of these."""
    ask = _OF_SHAPES.get(kind)
    if ask is None or not given.positional:
        return NotImplemented
    operand = given.positional[0]
    if isinstance(operand, LayerInput):
        return ask(wholes[operand.index])
    return ask(shape_of_value(operand))


_OF_SHAPES: Final[Mapping[str, Callable[[Whole], Value]]] = {
    "tf.rank": len,
    "tf.shape": tuple,
    "tf.shape_v2": tuple,
    "tf.size": product_of,
}


def made_value(kind: str, given: Arguments) -> Value:
    """The constant that a function makes of shapes; NotImplemented if it makes none."""
    make = _MAKERS.get(kind)
    if make is None or any(layer_inputs((*given.positional, *dict(given.named).values()))):
        return NotImplemented
    return make(given)


def _filled(given: Arguments) -> Value:
    shape = given.positional[0] if given.positional else dict(given.named).get("dims")
    return _array(shape if isinstance(shape, tuple) else (shape,))


def _array(shape: tuple[Value, ...]) -> Value:
    if not all(length is None or isinstance(length, int | Symbol) for length in shape):
        message = f"{shape!r:.60} is not a shape"
        raise FunctionError(message)
    return Array(shape, "float32")


def _range(given: Arguments) -> Value:
    ends = given.bound("start", "limit", "delta", "dtype", "name")
    start, limit, step = (ends.get(name) for name in ("start", "limit", "delta"))
    start, limit = (0, start) if limit is None else (start, limit)
    step = 1 if step is None else step
    if None in {start, limit, step} or (isinstance(limit, Symbol) and (start, step) == (0, 1)):
        return _array((limit if isinstance(limit, Symbol) else None,))
    if not all(isinstance(end, int | float) for end in (start, limit, step)) or not step:
        message = "how many numbers it makes depends on the length of the batch"
        raise FunctionError(message)
    return _array((max(math.ceil((limit - start) / step), 0),))  # type: ignore[operator]  # numbers


def _square(given: Arguments) -> Value:
    ends = given.bound("num_rows", "num_columns")
    rows, columns = ends.get("num_rows"), ends.get("num_columns")
    return _array((rows, rows if columns is None else columns))


_MAKERS: Final[Mapping[str, Callable[[Arguments], Value]]] = {
    "tf.eye": _square,
    "tf.range": _range,
    **dict.fromkeys(
        ("tf.fill", "tf.ones", "tf.random.normal", "tf.random.uniform", "tf.zeros"), _filled
    ),
}


# ------------------------------------------------------------------ values of known values


def shape_of_value(value: Value) -> Whole:
    """The shape of a number, of numbers, or of an array.

    Raises:
        FunctionError: it is none of these.

    """
    if isinstance(value, Array):
        return value.shape
    if isinstance(value, tuple):
        inner = {shape_of_value(item) for item in value}
        if len(inner) == 1:
            return (len(value), *inner.pop())
    elif value is None or isinstance(value, int | float | Symbol):
        return ()
    message = f"expected numbers that follow from shapes, found {value!r:.60}"
    raise FunctionError(message)


_LARGEST: Final = 1 << 63
"""No length is as large; a file could ask for numbers that fill the memory."""

_MOST_NUMBERS: Final = 10_000
"""Numbers that one function makes; a shape has a few."""

_GREATEST_POWER: Final = 64


def check_value(value: Value) -> None:
    """Check that a value is one that shapes of a network may give.

    Raises:
        FunctionError: it has no shape, or is too large for one.

    """
    shape_of_value(value)
    several = value if isinstance(value, tuple) else (value,)
    if len(several) > _MOST_NUMBERS:
        message = f"{len(several):,} numbers follow from shapes; expected at most {_MOST_NUMBERS:,}"
        raise FunctionError(message)
    if any(isinstance(number, int | float) and abs(number) > _LARGEST for number in several):
        message = "a number that follows from shapes is larger than any length"
        raise FunctionError(message)


def _power(one: float, other: float) -> Value:
    if abs(other) > _GREATEST_POWER:
        message = f"it takes a power of {other:g}; expected at most {_GREATEST_POWER}"
        raise FunctionError(message)
    return one**other


def value_of(operation: Operation) -> Value:
    """What an operation makes of known values alone.

    Raises:
        FunctionError: it is not followed, or depends on a length that is open.

    """
    name, given = operation.kind.removeprefix(_OF_KERAS), operation.arguments.positional
    if name in _PASSED_ON:
        return given[0]
    if name in _STRUCTURAL:
        return _STRUCTURAL[name](given, operation.settings)
    if name in _ARITHMETIC and not any(isinstance(value, Array) for value in given):
        return _each(_ARITHMETIC[name], *given)
    if operation.kind in {*Curve.kinds, *Stepwise.kinds}:
        return _array(joined([shape_of_value(value) for value in given]))
    message = f"what {operation.kind.rpartition('.')[2]} makes of shapes is not followed"
    raise FunctionError(message)


_PASSED_ON: Final = frozenset({"Copy", "StopGradient"})


def _each(function: Callable[..., Value], *values: Value) -> Value:
    """A function of numbers, or of each of several numbers."""
    lengths = {len(value) for value in values if isinstance(value, tuple)}
    if not lengths:
        return None if None in values else function(*values)
    (longest,) = lengths - {1} or {1}
    rows = [_stretched(value, longest) for value in values]
    return tuple([_each(function, *row) for row in zip(*rows, strict=True)])


def _stretched(value: Value, length: int) -> tuple[Value, ...]:
    if isinstance(value, tuple):
        return value if len(value) == length else value * length
    return (value,) * length


def _sum(one: Any, other: Any) -> Value:
    if isinstance(one, Symbol) and isinstance(other, Symbol):
        return sum_of([one, other])
    return _numbers(one, other, lambda: one + other)


def _product(one: Any, other: Any) -> Value:
    if isinstance(one, Symbol) or isinstance(other, Symbol):
        whole = [number for number in (one, other) if isinstance(number, int | Symbol)]
        return product_of(whole) if len(whole) == 2 else _refused()  # noqa: PLR2004  # both
    return one * other


def _quotient(one: Any, other: Any) -> Value:
    if isinstance(one, Symbol) and isinstance(other, int):
        return quotient_of(one, other)
    return _numbers(one, other, lambda: one // other)


def _numbers(one: Any, other: Any, compute: Callable[[], Value]) -> Value:
    if isinstance(one, Symbol) or isinstance(other, Symbol):
        return _refused()
    try:
        return compute()
    except (ArithmeticError, TypeError) as error:
        raise FunctionError(str(error)) from error


def _refused() -> Value:
    message = "it depends on the length of the batch"
    raise FunctionError(message)


def _of_numbers(function: Callable[..., Value]) -> Callable[..., Value]:
    return lambda one, other=0: _numbers(one, other, lambda: function(one, other))


_ARITHMETIC: Final[Mapping[str, Callable[..., Value]]] = {
    "Add": _sum,
    "Divide": _of_numbers(lambda one, other: one / other),
    "FloorDivide": _quotient,
    "Maximum": _of_numbers(max),
    "Minimum": _of_numbers(min),
    "Mod": _of_numbers(lambda one, other: one % other),
    "Multiply": _product,
    "Negative": _of_numbers(lambda one, _: -one),
    "Power": _of_numbers(_power),
    "Rsqrt": _of_numbers(lambda one, _: one**-0.5),
    "Sqrt": _of_numbers(lambda one, _: one**0.5),
    "Subtract": _of_numbers(lambda one, other: one - other),
    "TrueDivide": _of_numbers(lambda one, other: one / other),
}


Values = Sequence[Value]
Settings = Mapping[str, Any]


def _cast(given: Values, settings: Settings) -> Value:
    value, dtype = given[0], str(settings.get("dtype"))
    if "int" not in dtype:
        return value
    return _each(lambda one: int(one) if isinstance(one, float) else one, value)


def _item(given: Values, _: Settings) -> Value:
    value, key = given
    keys = key if isinstance(key, tuple) else (key,)
    if isinstance(value, tuple) and len(keys) == 1:
        (index,) = keys
        if isinstance(index, Span):
            return value[slice(index.start, index.stop, index.step)]
        if isinstance(index, int):
            return value[index] if -len(value) <= index < len(value) else _out_of(index, value)
    return _array(tuple(taken(shape_of_value(value), key)))


def _out_of(index: int, value: Sequence[Value]) -> Value:
    message = f"there is no element {index} in {len(value)}"
    raise FunctionError(message)


def _stacked(given: Values, settings: Settings) -> Value:
    (values,) = given
    if isinstance(values, Array):
        return values  # numbers alone
    shape = shape_of_value(values)
    if len(shape) == 1 and settings["axis"] in {0, -1}:
        return values
    return _array(shape)


def _joined(given: Values, settings: Settings) -> Value:
    (values,) = given
    if not isinstance(values, tuple) or settings["axis"] not in {0, -1}:
        message = "shapes are joined along another axis than the first"
        raise FunctionError(message)
    if all(isinstance(value, tuple) for value in values):
        return tuple([item for value in values for item in value])
    wholes = [shape_of_value(value) for value in values]
    return _array((sum_of([whole[0] for whole in wholes]), *wholes[0][1:]))


def _total(given: Values, _: Settings) -> Value:
    (value,) = given
    total: Length = product_of(value) if isinstance(value, tuple) else value
    return total


def _tiled(given: Values, settings: Settings) -> Value:
    shape, times = shape_of_value(given[0]), settings["repeats"]
    if not isinstance(times, tuple) or len(times) != len(shape):
        message = f"it is repeated {times!r:.40} times"
        raise FunctionError(message)
    return _array(tuple([product_of(pair) for pair in zip(shape, times, strict=True)]))


def _widened(given: Values, settings: Settings) -> Value:
    shape = shape_of_value(given[0])
    place = axis_in(settings["axis"], len(shape) + 1)
    value = given[0]
    if not shape:
        return (value,)
    return _array((*shape[:place], 1, *shape[place:]))


def _stretched_to(_: Values, settings: Settings) -> Value:
    shape = settings["shape"]
    return _array(shape if isinstance(shape, tuple) else (shape,))


_STRUCTURAL: Final[Mapping[str, Callable[[Values, Settings], Value]]] = {
    "BroadcastTo": _stretched_to,
    "Cast": _cast,
    "Concatenate": _joined,
    "ExpandDims": _widened,
    "GetItem": _item,
    "Prod": _total,
    "Stack": _stacked,
    "Tile": _tiled,
}


def several(operation: Operation) -> Sequence[Value] | None:
    """The results of an operation that takes known numbers apart; None for any other."""
    if operation.kind != f"{_OF_KERAS}Unstack":
        return None
    (value,) = operation.arguments.positional
    return value if isinstance(value, tuple) else None
