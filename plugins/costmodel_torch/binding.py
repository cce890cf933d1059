"""The symbols in the shapes of inputs, bound to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costmodel.errors import ReadError, ShapeError, UnknownNameError
from costmodel.tensor.shapes import show_shape
from costmodel_torch.exported import symbols
from costmodel_torch.exported.program import Length

if TYPE_CHECKING:
    from costmodel.tensor.shapes import Shape

_Sizes = tuple[Length, ...]


def bound_symbols(inputs: Mapping[str, _Sizes], shapes: Mapping[str, Shape]) -> dict[str, int]:
    """The number of each symbol in the shapes of inputs; that of a batch is one.

    A symbol is the batch if inputs have it as their first axis, and as no other axis.

    Args:
        inputs: the declared sizes by the names of inputs.
        shapes: the shapes that a user gives, without the batch axis or with it.

    Raises:
        UnknownNameError: a shape is given for something else.
        ShapeError: a shape contradicts the declared sizes, or a symbol is not bound.

    """
    for name in shapes:
        if name not in inputs:
            raise UnknownNameError(name, inputs, "input")
    found = dict.fromkeys(batch_symbols(inputs), 1)
    for name, shape in shapes.items():
        given = _whole(name, inputs[name], shape)
        for size, length in zip(inputs[name], given, strict=True):
            symbol = symbols.symbol_of(size)
            if symbol is not None and length is not None:
                found[symbol] = length
    _check(inputs, shapes, found)
    return found


def batch_symbols(inputs: Mapping[str, _Sizes]) -> list[str]:
    """The symbols that are the first axis of inputs, and no other axis."""
    first = {symbols.symbol_of(sizes[0]) for sizes in inputs.values() if sizes}
    others = {one for sizes in inputs.values() for size in sizes[1:]
              for one in symbols.symbols_of(size)}  # fmt: skip
    return sorted(one for one in first - others if one is not None)


def _whole(name: str, sizes: _Sizes, shape: Shape) -> Sequence[int | None]:
    """The given lengths of all axes, None where one is not given."""
    if len(shape) == len(sizes):
        return shape
    if len(shape) == len(sizes) - 1:
        return (None, *shape)
    message = (
        f"input {name!r:.80} has {len(sizes)} axes, the batch among them; found the shape "
        f"{show_shape(shape)}; expected {len(sizes) - 1} lengths"
    )
    raise ShapeError(message)


def _check(
    inputs: Mapping[str, _Sizes], shapes: Mapping[str, Shape], found: Mapping[str, int]
) -> None:
    for name, sizes in inputs.items():
        lengths = [symbols.length_of(size, found) for size in sizes]
        open_axes = [place for place, length in enumerate(lengths) if length is None]
        if open_axes:
            message = (
                f"input {name!r:.80} has open axes: {_shown(sizes, open_axes)}; bind them: "
                f"read(source, input_shapes={{{name!r:.80}: (...)}}), without the batch axis"
            )
            raise ShapeError(message)
        if name not in shapes:
            continue
        given = _whole(name, sizes, shapes[name])
        pairs = zip(given, lengths, strict=True)
        if any(one is not None and one != length for one, length in pairs):
            message = (
                f"input {name!r:.80} was exported for {' x '.join(map(str, lengths))}; found "
                f"{show_shape(shapes[name])}; export the model for these lengths, or with "
                "dynamic_shapes"
            )
            raise ShapeError(message)


def _shown(sizes: _Sizes, axes: Sequence[int]) -> str:
    return ", ".join(
        f"axis {axis} of {symbols.symbol_of(sizes[axis]) or sizes[axis]!s:.60}" for axis in axes
    )


def shape_of(name: str, sizes: _Sizes, found: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a tensor that has one.

    Raises:
        ReadError: an axis has no length.

    """
    lengths = [symbols.length_of(size, found) for size in sizes]
    if None in lengths:
        message = f"{name!r:.80}: no length of {_shown(sizes, [lengths.index(None)])}"
        raise ReadError(message)
    return tuple([length for length in lengths if length is not None])
