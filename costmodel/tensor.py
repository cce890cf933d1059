"""Tensors: a shape without the batch axis, and the format of the elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from costmodel.errors import ShapeError
from costmodel.sizes import Sizes, least

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.numerics import NumericFormat

Shape: TypeAlias = tuple[int | None, ...]
"""Axis lengths without the batch axis; None is an axis whose length is not known yet."""


def as_shape(lengths: Iterable[int | None]) -> Shape:
    """Check `lengths` and return them as a shape.

    Raises:
        ShapeError: a length that is neither None nor a whole number of at least 1.

    """
    shape = tuple(lengths)
    for length in shape:
        if length is not None and (length.__class__ is not int or length < 1):
            _check_many(length, shape)
    return shape


def _check_many(length: int, shape: Shape) -> None:
    if not isinstance(length, Sizes) or least(length) < 1:
        message = f"{length!r} in shape {show_shape(shape)} is not an axis length of 1 or more"
        raise ShapeError(message)


def show_shape(shape: Shape) -> str:
    """Write a shape as `54 x 54 x 64`, an open axis as `?`."""
    return " x ".join("?" if length is None else str(length) for length in shape) or "scalar"


@frozen
class Tensor:
    """A tensor for one example of the batch; `format` None means: not declared."""

    shape: Shape = field(converter=as_shape)
    format: NumericFormat | None = None

    @property
    def size(self) -> int:
        """Number of elements, for one example of the batch.

        Raises:
            ShapeError: an axis is open.

        """
        try:
            return math.prod(self.shape)  # type: ignore[arg-type]
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
