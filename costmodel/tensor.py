"""Tensors: a shape without the batch axis, and the format of the elements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, frozen

from costmodel.errors import ShapeError
from costmodel.numerics import NumericFormat, parse_format
from costmodel.sizes import SizeArray, Symbol, as_size, least

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape: TypeAlias = tuple[int | None, ...]
"""Axis lengths without the batch axis; None is an axis whose length is not known yet."""


LONGEST: Final = 2**63 - 1
"""Elements along one axis: what frameworks can count."""
MOST_AXES: Final = 64
"""Of one tensor: what NumPy can hold."""


InputShapes: TypeAlias = Mapping[str, Shape] | Shape
"""Shapes without the batch axis by the names of inputs, or the shape of the only input."""


def as_shape(lengths: Iterable[int | None]) -> Shape:
    """Check `lengths` and return them as a shape.

    Raises:
        ShapeError: a length that is neither None nor a whole number of at least 1, or too many
            or too long axes.
        TypeError: it is no shape, or a length is an array.

    """
    shape = lengths if lengths.__class__ is tuple else _in_a_row(lengths)
    for length in shape:
        if length is not None and (length.__class__ is not int or not 0 < length <= LONGEST):
            if _is_foreign(length):
                return as_shape([as_size(each) if _is_foreign(each) else each for each in shape])
            _check_many(length, shape)
    if len(shape) > MOST_AXES:
        message = f"a shape of {len(shape):,} axes; expected at most {MOST_AXES}"
        raise ShapeError(message)
    return shape


def _in_a_row(lengths: Any) -> Shape:
    if not isinstance(lengths, Iterable):
        message = f"{lengths!r:.80} is no shape; expected a length for each axis, such as (3, 4)"
        raise TypeError(message)
    return tuple(lengths)


def _is_foreign(length: object) -> bool:
    """Whether it is a whole number of another library, such as NumPy's."""
    return hasattr(length, "__index__") and not isinstance(length, int | SizeArray | Symbol)


def _check_many(length: int, shape: Shape) -> None:
    if length.__class__ is int and length > LONGEST:
        message = f"an axis of {_written(length)} elements; expected at most 2^63 - 1"
        raise ShapeError(message)
    if not isinstance(length, SizeArray | Symbol) or least(length) < 1:
        message = f"{length!r:.80} in shape {show_shape(shape)} is not an axis length of 1 or more"
        raise ShapeError(message)


def show_shape(shape: Shape) -> str:
    """Write a shape as `54 x 54 x 64`, an open axis as `?`."""
    shown = [_written(length) for length in shape[:MOST_AXES]]
    more = ["..."] if len(shape) > MOST_AXES else []
    return " x ".join([*shown, *more]) or "scalar"


def _written(length: Any) -> str:
    if length is None:
        return "?"
    if length.__class__ is int and length > LONGEST:
        return f"more than 2^{length.bit_length() - 1}"  # Python does not write out any number
    return f"{length!s:.80}"


def _format(given: NumericFormat | str | None) -> NumericFormat | None:
    return parse_format(given) if isinstance(given, str) else given


@frozen
class Tensor:
    """A tensor for one example of the batch; `format` None means: not declared.

    A format may be given as its text, such as `int8`.
    """

    shape: Shape = field(converter=as_shape)
    format: NumericFormat | None = field(default=None, converter=_format)

    @property
    def size(self) -> int:
        """Number of elements, for one example of the batch.

        Raises:
            ShapeError: an axis is open.

        """
        try:
            return math.prod(self.shape)  # type: ignore[arg-type]  # None is told below
        except TypeError:
            message = (
                f"shape {show_shape(self.shape)} has an open axis; "
                "bind it with Scenario(input_shapes={...}) or --input-shape"
            )
            raise ShapeError(message) from None

    @property
    def is_bound(self) -> bool:
        """Whether every axis has a length."""
        return None not in self.shape


def as_tensors(given: Iterable[Tensor | Sequence[int | None]]) -> tuple[Tensor, ...]:
    """Check tensors and return them in a row; one given as a shape alone declares no format.

    Raises:
        TypeError: something that is neither a tensor nor a shape.
        ShapeError: a shape that no tensor can have.

    """
    tensors = given if given.__class__ is tuple else _row(given)
    for tensor in tensors:
        if tensor.__class__ is not Tensor:
            return tuple([_as_tensor(item, tensors) for item in tensors])
    return tensors


def _row(given: Any) -> tuple[Any, ...]:
    if isinstance(given, Tensor) or not hasattr(given, "__iter__"):
        message = f"expected several tensors, such as [Tensor((3, 4))], found {given!r:.80}"
        raise TypeError(message)
    return tuple(given)


def _as_tensor(item: Any, among: tuple[Any, ...]) -> Tensor:
    if isinstance(item, Tensor):
        return item
    if isinstance(item, list | tuple):
        return Tensor(item)
    message = (
        f"{item!r:.40} in {among!r:.80} is no tensor; "
        "expected such as [Tensor((3, 4), 'int8')], or its shape alone: [(3, 4)]"
    )
    raise TypeError(message)
