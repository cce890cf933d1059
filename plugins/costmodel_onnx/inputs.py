"""The shapes of the inputs of a file: which axis is the batch, and which axes a caller binds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from costmodel.errors import ShapeError, UnknownNameError
from costmodel.safe_io import checked_name

if TYPE_CHECKING:
    from costmodel.tensor.shapes import Shape

BATCH: Final = re.compile(
    r"|.*batch.*|n|b|bs|-1|\?|none|unk(nown)?_*\d*|.*_dynamic_axes_\d+|dim_0|.*_dim_0|s\d+|d0",
    re.IGNORECASE,
)
"""The names of an open first axis that is the batch: exporters write one of these, or none."""
_BATCH_ANYWHERE: Final = re.compile(r".*batch.*", re.IGNORECASE)
"""The names of the batch at any axis, such as that of a state before the batch."""


@frozen
class Axis:
    """An axis of a declared shape: its length, or the name that stands for it, which may be "".

    Exporters write a length of 0 for an open axis as well.
    """

    length: int | None
    name: str = ""
    is_empty: bool = False


@frozen
class Bound:
    """The shapes of inputs with the batch, and the lengths of named axes."""

    shapes: Mapping[str, tuple[int, ...]]
    lengths: Mapping[str, int] = field(factory=dict)

    def shape_of(self, axes: Sequence[Axis] | None) -> tuple[int, ...] | None:
        """The shape that a file declares; None where it leaves an axis open."""
        if axes is None:
            return None
        found = [self.lengths.get(axis.name, axis.length) for axis in axes]
        known = [length for length in found if length is not None]
        return tuple(known) if len(known) == len(found) else None


def axes_of(tensor_type: Any) -> list[Axis] | None:
    """The axes that a type declares; None where it does not say how many there are."""
    if not tensor_type.HasField("shape"):
        return None
    return [_axis(dim) for dim in tensor_type.shape.dim]


def _axis(dim: Any) -> Axis:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return Axis(int(dim.dim_value))
    name = dim.dim_param if isinstance(dim.dim_param, str) else ""
    return Axis(None, checked_name(name, "a shape"), is_empty=dim.HasField("dim_value"))


def bound(
    declared: Mapping[str, Sequence[Axis] | None], given: Mapping[str, Shape], where: str
) -> Bound:
    """The shapes of all inputs.

    An open first axis is the batch, which is bound to one example, unless its name is that of
    something else. `given` shapes are by name, without the batch or with all axes.

    Raises:
        UnknownNameError: a name that is not an input.
        ShapeError: a shape that contradicts a declared one, or axes that stay open.

    """
    for name in given:
        if name not in declared:
            raise UnknownNameError(name, declared, "input")
    lengths: dict[str, int] = {}
    wanted = {
        name: _matched(name, declared[name], tuple(shape), where) for name, shape in given.items()
    }
    for name, shape in wanted.items():
        _bind(name, declared[name], shape, lengths, where)
    shapes: dict[str, tuple[int, ...]] = {}
    missing: dict[str, list[str]] = {}
    for name, axes in declared.items():
        found = [
            _length(place, axis, lengths)
            for place, axis in enumerate(_with_given(axes, wanted.get(name)))
        ]
        is_open = [place for place, length in enumerate(found) if length is None]
        if axes is None and name not in wanted:
            missing[name] = ["the number of axes"]
        elif is_open:
            missing[name] = [_named(place, axes) for place in is_open]
        shapes[name] = tuple([1 if length is None else length for length in found])
    if missing:
        raise ShapeError(_open_axes(missing, declared, where))
    return Bound(shapes, lengths)


def _matched(
    name: str, axes: Sequence[Axis] | None, shape: Shape, where: str
) -> tuple[int | None, ...]:
    """A given shape with all axes."""
    if axes is None or len(shape) == len(axes) - 1:
        return (None, *shape)
    if len(shape) == len(axes):
        return shape
    message = (
        f"{where}: input {name!r:.80} has {len(axes)} axes; the given shape {shape!r:.80} has "
        f"{len(shape)}, expected {len(axes) - 1} without the batch, or all"
    )
    raise ShapeError(message)


def _bind(
    name: str, axes: Sequence[Axis] | None, shape: Sequence[int | None], lengths: dict[str, int],
    where: str,
) -> None:  # fmt: skip
    for place, (axis, length) in enumerate(zip(axes or (), shape, strict=False)):
        known = lengths.get(axis.name) if axis.length is None and axis.name else axis.length
        if length is None:
            continue
        if known not in {None, length}:
            of = f" ({axis.name!r:.80})" if axis.name else ""
            message = (
                f"{where}: axis {place}{of} of input {name!r:.80} is {known}; the given shape has "
                f"{length} there"
            )
            raise ShapeError(message)
        if axis.length is None and axis.name:
            lengths[axis.name] = length


def _with_given(axes: Sequence[Axis] | None, shape: Sequence[int | None] | None) -> Sequence[Axis]:
    """The axes, with the lengths that were given."""
    if shape is None:
        return axes or ()
    own = axes if axes is not None else [Axis(None)] * len(shape)
    return [
        axis if length is None else Axis(length, axis.name)
        for axis, length in zip(own, shape, strict=True)
    ]


def _length(place: int, axis: Axis, lengths: dict[str, int]) -> int | None:
    if axis.length is not None:
        return axis.length
    if axis.name in lengths:
        return lengths[axis.name]
    is_batch = BATCH.fullmatch(axis.name) if place == 0 else _BATCH_ANYWHERE.fullmatch(axis.name)
    if not is_batch:
        return None
    if axis.name:
        lengths[axis.name] = 1
    return 1


def _named(place: int, axes: Sequence[Axis] | None) -> str:
    axis = Axis(None) if axes is None else axes[place]
    said = "0 in the file" if axis.is_empty else f"{axis.name!r:.80}" if axis.name else ""
    return f"axis {place} ({said})" if said else f"axis {place}"


def _open_axes(
    missing: Mapping[str, Iterable[str]], declared: Mapping[str, Sequence[Axis] | None], where: str
) -> str:
    shown = "; ".join(
        f"input {name!r:.80}: {', '.join(places)}" for name, places in [*missing.items()][:_SHOWN]
    )
    name = next(iter(missing))
    lengths = [axis.length or "N" for axis in (declared[name] or [Axis(None)] * 2)[1:]]
    example = ", ".join(map(str, lengths)) + ("," if len(lengths) == 1 else "")
    return (
        f"{where}: open axes: {shown}; bind them by name, without the batch: "
        f"read(..., input_shapes={{{name!r:.80}: ({example})}})"
    )


_SHOWN: Final = 8
