"""One graph of two: the same call traced at two lengths of the batch.

Code that computes with the length of the batch has no symbolic value to compute with. It is called
with two numbers instead. A size that is the same in both graphs does not depend on the batch, and
one that grows with it is a multiple of it: a `Symbol`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve

from costmodel.errors import CostModelError
from costmodel.tensor.shapes import BATCH, Shape
from costmodel.tensor.sizes import Symbol
from costmodel_keras.arguments import Array, LayerInput, Span, Value

LENGTHS: Final = (7, 11)
"""Of the batch: primes, so that hardly any other number is a multiple of one by chance."""


class DifferenceError(CostModelError):
    """Two graphs of one call differ in more than multiples of the batch."""


def solved(one: Value, other: Value) -> Value:
    """The value that is `one` at the first length of the batch and `other` at the second.

    Raises:
        DifferenceError: there is none that is a multiple of the batch.

    """
    if type(one) is not type(other):
        _refuse(one, other)
    return _SOLVED.get(type(one), _same)(one, other)


def _refuse(one: Value, other: Value) -> Any:
    first, second = LENGTHS
    message = (
        f"at batches of {first} and {second} it computes with {one!r:.40} and {other!r:.40}, "
        "which are not a multiple of the batch"
    )
    raise DifferenceError(message)


def _same(one: Value, other: Value) -> Value:
    """A value that the batch has no part in: of a number, only that it is one costs anything."""
    return one


def _equal(one: Value, other: Value) -> Value:
    return one if one == other else _refuse(one, other)


def _size(one: int, other: int) -> int:
    first, second = LENGTHS
    if one == other:
        return one
    if one < 1 or one % first or one * second != other * first:
        _refuse(one, other)
    return Symbol(BATCH, one // first)


def _several(one: Any, other: Any) -> Any:
    if len(one) != len(other):
        _refuse(one, other)
    return type(one)([solved(*pair) for pair in zip(one, other, strict=True)])


def _array(one: Array, other: Array) -> Array:
    return evolve(one, shape=_several(one.shape, other.shape))


def _span(one: Span, other: Span) -> Span:
    ends = zip((one.start, one.stop, one.step), (other.start, other.stop, other.step), strict=True)
    return Span(*[solved(*pair) for pair in ends])


_SOLVED: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    int: _size, str: _equal, tuple: _several, list: _several,
    LayerInput: _equal, Array: _array, Span: _span,
}  # fmt: skip


def solved_shape(one: Shape, other: Shape) -> Shape:
    """The shape of what is made of constants, as it is for one example."""
    shape = _several(one, other)
    return tuple([length.factor if isinstance(length, Symbol) else length for length in shape])


def open_shape(one: Shape, other: Shape) -> Shape:
    """The shape behind the first axis, in which an axis that grows with the batch is open."""
    shape = _several(one, other)
    return tuple([None if isinstance(length, Symbol) else length for length in shape])


def solved_attributes(one: Any, other: Any) -> Mapping[str, Any]:
    """The public attributes of a function that was called at two lengths of the batch.

    Its name is not among them: Keras numbers the calls of a program.
    """
    held = vars(other)
    return {
        name: solved(value, held.get(name))
        for name, value in vars(one).items()
        if not name.startswith("_") and name != "name"
    }
