"""Tensors: a shape without the batch axis, and the format of the elements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, frozen

from costmodel.errors import ShapeError
from costmodel.formats import NumericFormat, parse_format
from costmodel.tensor.sizes import SizeArray, Symbol, as_size, least

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape: TypeAlias = tuple[int | None, ...]
"""Axis lengths without the batch axis; None is an axis whose length is not known yet."""


LONGEST: Final = 2**63 - 1
"""Elements along one axis: what frameworks can count."""
BATCH: Final = "batch"
"""The name of the symbol that stands for the number of examples."""
MOST_AXES: Final = 64
"""Of one tensor: what NumPy can hold."""


InputShapes: TypeAlias = Mapping[str, Shape] | Shape
"""Shapes without the batch axis by the names of inputs, or the shape of the only input."""


def as_shape(lengths: Iterable[int | None]) -> Shape:
    """Check `lengths` and return them as a shape.

    Raises:
        ShapeError: a length that is neither None nor a whole number of at least 1, or too many
            or too long axes.
        TypeError: it is not a shape, or a length is an array.

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
        message = f"{lengths!r:.80} is not a shape; expected a length for each axis, such as (3, 4)"
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


def _rows(given: Any) -> int | None:
    if given is None or (given.__class__ is int and 0 < given <= LONGEST):
        return given
    if _is_foreign(given):
        return _rows(int(given))
    message = f"rows is {given!r:.80}; expected a whole number of at least 1, or None"
    raise ShapeError(message)


def _format(given: NumericFormat | str | None) -> NumericFormat | None:
    return parse_format(given) if isinstance(given, str) else given


@frozen
class Tensor:
    """A tensor for one example of the batch; `format` None means: not declared.

    A format may be given as its text, such as `int8`. Where a network folds windows, heads or
    steps into the batch axis, each example has several `rows` of it. `shape` is that of one row.
    `batch_axis` is the place of the batch axis among all axes.

    Raises:
        ShapeError: no tensor can have the shape, the rows or the place of the batch axis.

    """

    shape: Shape = field(converter=as_shape)
    format: NumericFormat | None = field(default=None, converter=_format)
    rows: int | None = field(default=1, converter=_rows)
    batch_axis: int = field(default=0)

    @batch_axis.validator
    def _check_batch_axis(self, _: Any, place: Any) -> None:
        if place != 0 and (place.__class__ is not int or not 0 < place <= len(self.shape)):
            message = (
                f"batch_axis is {place!r:.80}; expected a whole number from 0 to the "
                f"{len(self.shape)} other axes"
            )
            raise ShapeError(message)

    @property
    def size(self) -> int:
        """Number of elements, for one example of the batch: those of all its rows.

        Raises:
            ShapeError: an axis is open.

        """
        try:
            return math.prod(self.example_shape)  # type: ignore[arg-type]  # None is refused below
        except TypeError:
            message = (
                f"shape {show_shape(self.example_shape)} has an open axis; "
                "bind it with Scenario(input_shapes={...}) or --input-shape"
            )
            raise ShapeError(message) from None

    @property
    def is_bound(self) -> bool:
        """Whether every axis has a length."""
        return None not in self.shape and self.rows is not None

    @property
    def is_folded(self) -> bool:
        """Whether an example has several rows of the batch axis, or that axis is not the first."""
        return self.rows != 1 or self.batch_axis != 0

    @property
    def example_shape(self) -> Shape:
        """The shape for one example: that of a row, behind the rows where there are several."""
        return self.shape if self.rows == 1 else (self.rows, *self.shape)

    @property
    def unfolded(self) -> Tensor:
        """The tensor for one example with its rows as an axis, as an operator takes it."""
        return Tensor(self.example_shape, self.format) if self.is_folded else self

    @property
    def whole_shape(self) -> Shape:
        """The shape with the batch axis: the symbol `batch` times the rows.

        Raises:
            ShapeError: the number of rows is not known.

        """
        if self.rows is None:
            message = f"the rows of {show_shape(self.example_shape)} in the batch are not known"
            raise ShapeError(message)
        place = self.batch_axis
        return (*self.shape[:place], Symbol(BATCH, self.rows), *self.shape[place:])


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
        f"{item!r:.40} in {among!r:.80} is not a tensor; "
        "expected such as [Tensor((3, 4), 'int8')], or its shape alone: [(3, 4)]"
    )
    raise TypeError(message)
