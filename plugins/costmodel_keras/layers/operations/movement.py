"""Functions of keras.ops that carry elements, or only give them another shape."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, TypeVar

from attrs import evolve, frozen

from costmodel.layer import Work, setting
from costmodel.tensor import Shape, Tensor
from costmodel.workload.builders import (
    broadcast_to,
    concatenate,
    diagonal,
    elementwise,
    embedding,
    flip,
    frames,
    insert,
    one_hot,
    pad,
    rearrange,
    rearrange_along,
    regroup,
    repeat,
    select,
    shift,
    split,
    stack,
    take,
    take_along,
    tile,
    transpose,
    triangle,
    unstack,
)
from costmodel.workload.builders.shapes import axis_names
from costmodel.workload.operators import Movement
from costmodel.workload.reasons import Free
from costmodel_keras.arguments import Operand, Span, Value
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.examples import (
    Source,
    own_axes,
    own_axis,
    own_values,
    place_of_batch,
    put_together,
    reading,
    sources_of,
)
from costmodel_keras.layers.operations.operation import (
    BATCH,
    FLAT,
    Operation,
    Whole,
    axis_in,
    joined,
    kind,
    known_size,
)
from costmodel_keras.layers.operations.reductions import OnDiagonal
from costmodel_keras.layers.unruled import UnruledError

_Axis = TypeVar("_Axis")


class Relabelled(Operation):
    """The same elements in the same order under another shape."""

    def operators(self) -> Work:
        """No work: not even a move."""
        return Free("the same elements in the same order")


class Moved(Operation):
    """Elements carried to other places."""

    purpose: ClassVar[str] = "selection"

    def operators(self) -> Work:
        """One movement of what arrives and what leaves."""
        return (self.movement() or self.unmapped_movement(),)

    def movement(self) -> Movement | None:
        """Where each element goes; None where no affine map states it along any axis."""
        return None

    def unmapped_movement(self) -> Movement:
        """The movement of all tensors, of which no map says where the elements go."""
        return rearrange(self.purpose, self.inputs, self.outputs, weights=self.constants)


def _replaced(whole: Whole, axis: int, *lengths: int | None) -> Whole:
    return (*whole[:axis], *lengths, *whole[axis + 1 :])


# ------------------------------------------------------------------ other shapes


def _target(value: Any) -> tuple[int | None, ...]:
    several = value if isinstance(value, (list, tuple)) else (value,)
    return tuple([None if item is None else settings.integer(item) for item in several])


def _following(axes: Iterator[_Axis]) -> _Axis:
    try:
        return next(axes)
    except StopIteration:
        message = "an axis is named twice, or one that is not there"
        raise ValueError(message) from None


@frozen(slots=False)
class Reshape(Relabelled):
    """Other axes for the same elements; the first of them is the batch."""

    kinds: ClassVar = (kind("Reshape"),)

    newshape: tuple[int | None, ...] = setting(_target)

    def wholes(self) -> Sequence[Whole]:
        """The target; one -1 in it takes what is left of the elements of one example."""
        rest = self.newshape[1:]
        size = None if None in self.whole else known_size(self.whole)
        known = math.prod([length for length in rest if length is not None and length != -1])
        is_open = -1 in rest or None in rest
        if size is None or (is_open and known and size % known == 0):
            left = None if size is None else size // known
            return ((BATCH, *[left if n in {None, -1} else n for n in rest]),)
        if 0 in rest:
            message = "0 is not an axis length of 1 or more"
            raise ValueError(message)
        return ((BATCH, *rest),) if size == known and self.newshape else (FLAT,)


@frozen(slots=False)
class ExpandDims(Relabelled):
    """New axes of length 1."""

    kinds: ClassVar = (kind("ExpandDims"),)

    axis: tuple[int, ...] = setting(settings.integers)

    def wholes(self) -> Sequence[Whole]:
        """The axes of the operand between the new ones."""
        rank = len(self.whole) + len(self.axis)
        new = {axis_in(axis, rank) for axis in self.axis}
        rest = iter(self.whole)
        return (tuple(1 if i in new else _following(rest) for i in range(rank)),)


@frozen(slots=False)
class Squeeze(Relabelled):
    """Axes of length 1 left out."""

    kinds: ClassVar = (kind("Squeeze"),)

    axis: tuple[int, ...] | None = setting(settings.optional(settings.integers), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The other axes; without any named, those that are not 1 long."""
        whole = self.whole
        if self.axis is None:
            return (tuple(length for length in whole if length != 1),)
        out = {axis_in(axis, len(whole)) for axis in self.axis}
        for axis in out:
            if whole[axis] not in {1, None, BATCH}:
                message = f"axis {axis} of {whole[axis]} cannot be squeezed"
                raise ValueError(message)
        return (tuple(length for i, length in enumerate(whole) if i not in out),)


# ------------------------------------------------------------------ other orders


@frozen(slots=False)
class Transpose(Moved):
    """Axes in another order."""

    kinds: ClassVar = (kind("Transpose"),)
    purpose: ClassVar = "transposition"

    axes: tuple[int, ...] | None = setting(settings.optional(settings.integers), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The axes in the order given; without one, reversed."""
        rank = len(self.whole)
        if self.axes is None:
            return (self.whole[::-1],)
        order = [axis_in(axis, rank) for axis in self.axes]
        if sorted(order) != list(range(rank)):
            message = f"{self.axes} does not name each axis once"
            raise ValueError(message)
        return (tuple(self.whole[axis] for axis in order),)

    def movement(self) -> Movement:
        """The axes in the order given."""
        rank = len(self.whole)
        return _transposed(self, range(rank)[::-1] if self.axes is None else self.axes)


def _transposed(operation: Operation, order: Sequence[int]) -> Movement:
    """The axes of one example in the order of the whole axes."""
    own = [own_axis(operation.whole, axis) for axis in order]
    permutation = [axis for axis in own if axis is not None]
    return transpose(operation.inputs[0], permutation, output=operation.outputs[0])


@frozen(slots=False)
class Swapaxes(Moved):
    """Two axes exchanged."""

    kinds: ClassVar = (kind("Swapaxes"),)
    purpose: ClassVar = "transposition"

    axis1: int = setting(settings.integer)
    axis2: int = setting(settings.integer)

    def wholes(self) -> Sequence[Whole]:
        """The lengths of both exchanged."""
        lengths = list(self.whole)
        one, other = axis_in(self.axis1, len(lengths)), axis_in(self.axis2, len(lengths))
        lengths[one], lengths[other] = lengths[other], lengths[one]
        return (tuple(lengths),)

    def movement(self) -> Movement:
        """Both axes exchanged."""
        rank = len(self.whole)
        one, other = axis_in(self.axis1, rank), axis_in(self.axis2, rank)
        places = {one: other, other: one}
        return _transposed(self, [places.get(axis, axis) for axis in range(rank)])


@frozen(slots=False)
class Moveaxis(Moved):
    """Axes brought to other places."""

    kinds: ClassVar = (kind("Moveaxis"),)
    purpose: ClassVar = "transposition"

    source: tuple[int, ...] = setting(settings.integers)
    destination: tuple[int, ...] = setting(settings.integers)

    def wholes(self) -> Sequence[Whole]:
        """The named axes at their destinations, the others in their order."""
        return (tuple(self.whole[axis] for axis in self._order()),)

    def movement(self) -> Movement:
        """The axes in their new order."""
        return _transposed(self, self._order())

    def _order(self) -> Sequence[int]:
        rank = len(self.whole)
        source = [axis_in(axis, rank) for axis in self.source]
        places = {
            axis_in(to, rank): axis for axis, to in zip(source, self.destination, strict=True)
        }
        if not len(set(source)) == len(places) == len(source):
            message = f"an axis is named twice, among {self.source} or {self.destination}"
            raise ValueError(message)
        rest = iter([axis for axis in range(rank) if axis not in source])
        return [places[i] if i in places else _following(rest) for i in range(rank)]


@frozen(slots=False)
class Rotated(Moved):
    """A plane turned by quarters."""

    kinds: ClassVar = (kind("Rot90"),)
    purpose: ClassVar = "transposition"

    k: int = setting(settings.integer, default=1)
    axes: tuple[int, ...] = setting(settings.integers, default=(0, 1))

    def wholes(self) -> Sequence[Whole]:
        """Both axes exchanged after an odd number of quarters."""
        lengths = list(self.whole)
        one, other = (axis_in(axis, len(lengths)) for axis in self.axes)
        if self.k % 2:
            lengths[one], lengths[other] = lengths[other], lengths[one]
        return (tuple(lengths),)

    def movement(self) -> Movement | None:
        """Both axes exchanged after an odd number of quarters, and one or both read backwards."""
        own = own_axes(self.whole, self.axes)
        if own is None:
            return None  # it turns examples
        one, other = own
        order = list(range(len(self.whole) - 1))
        if self.k % 2:
            order[one], order[other] = other, one
        backwards = ((), (other,), (one, other), (one,))[self.k % 4]
        return transpose(self.inputs[0], order, reversed_axes=backwards, output=self.outputs[0])


class Rearranged(Moved):
    """Axes in another order, shape and number, as a pattern writes them."""

    kinds: ClassVar = (kind("Rearrange"),)
    purpose: ClassVar = "transposition"
    takes: ClassVar = ("tensor", "pattern")

    def wholes(self) -> Sequence[Whole]:
        """The axes of the pattern's right side."""
        given = dict(self.given)
        whole, pattern = self.whole_of(given.pop("tensor")), given.pop("pattern")
        before, _, after = str(pattern).partition("->")
        groups = _groups(before)
        if len(groups) != len(whole):
            message = f"{pattern!r} names {len(groups)} axes, there are {len(whole)}"
            raise ValueError(message)
        lengths: dict[str, int | None] = {name: settings.integer(n) for name, n in given.items()}
        for group, length in zip(groups, whole, strict=True):
            _fill(group, length, lengths)
        return (tuple(_product([lengths[name] for name in group]) for group in _groups(after)),)

    def movement(self) -> Movement | None:
        """The names of the pattern are the dimensions; that of the batch stands by itself."""
        given = dict(self.given)
        whole, pattern = self.whole_of(given.pop("tensor")), str(given.pop("pattern"))
        before, after = (_groups(side) for side in pattern.split("->"))
        batch = before.pop(place_of_batch(whole))
        if len(batch) > 1 or batch not in after:
            return None  # it folds another axis into the batch
        after.remove(batch)
        lengths: dict[str, Any] = dict(given)
        for group, length in zip(before, self.inputs[0].shape, strict=True):
            _fill(group, length, lengths)
        names = [name for group in before for name in group]
        dims = dict(zip(names, axis_names(len(names)), strict=True))
        sizes = {dims[name]: lengths[name] for name in dims}
        groups = [[[dims[name] for name in group] for group in side] for side in (before, after)]
        moved = regroup(self.inputs[0], groups[0], groups[1], sizes, output=self.outputs[0])
        source = Source("input", 0, self.inputs[0], self.inputs[0])
        return reading(self, moved, [(source, moved.inputs[0])])


def _groups(side: str) -> list[list[str]]:
    return [(inner or single).split() for inner, single in re.findall(r"\(([^)]*)\)|(\S+)", side)]


def _fill(group: Sequence[str], length: int | None, lengths: dict[str, int | None]) -> None:
    """Derive the one axis of a group whose length is not given."""
    unknown = [name for name in group if name not in lengths]
    if not unknown:
        return
    (name,) = unknown
    known = _product([lengths[other] for other in group if other != name])
    if BATCH in {length, known}:
        lengths[name] = length if known == 1 else None
    else:
        lengths[name] = None if None in {length, known} else length // known  # type: ignore[operator]  # none is None


def _product(lengths: Sequence[int | None]) -> int | None:
    if BATCH in lengths and len([length for length in lengths if length != 1]) > 1:
        return None
    return None if None in lengths else math.prod(lengths)  # type: ignore[arg-type]  # none is None


_FLIPPED: Final = {kind("Fliplr"): (1,), kind("Flipud"): (0,)}


@frozen(slots=False)
class Flipped(Moved):
    """Axes in the opposite order."""

    kinds: ClassVar = tuple(map(kind, ("Flip", "Fliplr", "Flipud")))

    axis: tuple[int, ...] | None = setting(settings.optional(settings.integers), default=None)

    def movement(self) -> Movement | None:
        """The axes read backwards; without any named, all of them."""
        named = _FLIPPED.get(self.kind, self.axis)
        axes = range(len(self.whole)) if named is None else named
        own = own_axes(self.whole, axes)
        if own is None:
            return None  # it reverses the order of the examples
        return flip(self.inputs[0], own, output=self.outputs[0])


@frozen(slots=False)
class Rolled(Moved):
    """Elements shifted along axes; those that leave at one end come in at the other."""

    kinds: ClassVar = (kind("Roll"),)

    axis: tuple[int, ...] | None = setting(settings.optional(settings.integers), default=None)

    def movement(self) -> Movement | None:
        """Two pieces along each rolled axis, which are not one affine map; the others stay."""
        own = None if self.axis is None else own_axes(self.whole, self.axis)
        if own is None:
            return None  # it rolls elements from example to example
        return rearrange_along(self.purpose, self.inputs[0], self.outputs[0], sorted(set(own)))


@frozen(slots=False)
class Triangle(Moved):
    """The elements below or above a diagonal of the last two axes, and zeros elsewhere."""

    kinds: ClassVar = (kind("Tril"), kind("Triu"))

    k: int = setting(settings.integer, default=0)

    def movement(self) -> Movement | None:
        """Elements that stay at their place, and those that no affine map leaves out."""
        if place_of_batch(self.whole) >= len(self.whole) - 2:
            return None  # which elements of an example are left depends on its place
        upper = self.kind == kind("Triu")
        return triangle(self.inputs[0], self.k, upper=upper, output=self.outputs[0])


# ------------------------------------------------------------------ parts of a tensor


class GetItem(Moved):
    """A part of a tensor, as indices and slices say."""

    kinds: ClassVar = (kind("GetItem"),)
    takes: ClassVar = ("x", "key")

    def parameter_shapes(self) -> dict[str, Any]:
        """None: the indices are part of the program."""
        return {}

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """None: the indices are part of the program."""
        return ()

    @property
    def whole(self) -> Whole:
        """The shape of what is taken from."""
        return self.whole_of(self.given["x"])

    def wholes(self) -> Sequence[Whole]:
        """The axes that are sliced, in order, and new ones."""
        key = self.given["key"]
        keys = key if isinstance(key, tuple) else (key,)
        taken = len([item for item in keys if item is not None and item is not ...])
        rest = len(self.whole) - taken
        if rest < 0:
            message = f"{taken} indices for {len(self.whole)} axes"
            raise ValueError(message)
        if ... not in keys:
            keys = (*keys, ...)
        lengths = iter(self.whole)
        whole: list[int | None] = []
        for item in keys:
            if item is None:
                whole.append(1)
            elif item is ...:
                whole.extend([_following(lengths) for _ in range(rest)])
            else:
                whole.extend(_taken(item, _following(lengths)))
        return (tuple(whole),)

    def movement(self) -> Movement | None:
        """The elements that the numbers and slices name, of every example."""
        key = self.given["key"]
        keys = list(key) if isinstance(key, tuple) else [key]
        named = len([item for item in keys if item is not None and item is not ...])
        dots = keys.index(...) if ... in keys else len(keys)
        every = [Span(None, None, None)] * (len(self.whole) - named)
        keys[dots : dots + 1] = every
        places = [place for place, item in enumerate(keys) if item is not None]
        if _ends(keys.pop(places[place_of_batch(self.whole)])) not in _EVERY_EXAMPLE:
            return None
        own = [slice(*_ends(item)) if isinstance(item, Span) else item for item in keys]
        return select(self.inputs[0], own, output=self.outputs[0])


def _ends(item: Any) -> tuple[Any, Any, Any]:
    return (item.start, item.stop, item.step)


_EVERY_EXAMPLE: Final = [(start, None, step) for start in (None, 0) for step in (None, 1)]
"""The ends of the slices that take all examples."""


def _taken(item: Value, length: int | None) -> tuple[int | None, ...]:
    if isinstance(item, Span):
        return (_sliced(item, length),)
    if isinstance(item, int) and not isinstance(item, bool):
        if length is not None and length != BATCH and not -length <= item < length:
            message = f"there is no element {item} in {length}"
            raise ValueError(message)
        return ()
    message = "its shape depends on how indices in arrays or tensors are meant"
    raise UnruledError(message)


def _sliced(span: Span, length: int | None) -> int | None:
    ends = (span.start, span.stop, span.step)
    if any(end is not None and not isinstance(end, int) for end in ends):
        message = "where it is cut depends on the data"
        raise UnruledError(message)
    if length is None:
        return None
    if length == BATCH:
        whole = span.start in {None, 0} and span.stop is None and span.step in {None, 1}
        return BATCH if whole else None
    return len(range(*slice(*ends).indices(length)))


@frozen(slots=False)
class Slice(Moved):
    """A block of a tensor, from a place that the call names."""

    kinds: ClassVar = (kind("Slice"),)
    takes: ClassVar = ("inputs", "start_indices")

    shape: tuple[int | None, ...] = setting(_target)

    def wholes(self) -> Sequence[Whole]:
        """The shape asked for; -1 is all from the start on, which must be known."""
        starts, whole = self.given["start_indices"], self.whole
        if not isinstance(starts, tuple):
            starts = (None,) * len(whole)
        lengths = [_block(*axis) for axis in zip(whole, self.shape, starts, strict=True)]
        return (tuple(lengths),)

    def movement(self) -> Movement | None:
        """The block from where it begins, if that is known."""
        starts = _starts(self.given["start_indices"], self.whole)
        (source, *_) = sources_of(self, self.whole)
        if starts is None or not _lies_inside(starts, self.outputs[0].shape, source.tensor.shape):
            return None
        before = [-start for start in starts]
        moved = shift(self.purpose, source.tensor, self.outputs[0], before)
        return reading(self, moved, [(source, moved.inputs[0])])


def _starts(given: Value, whole: Whole) -> list[int] | None:
    """Where a block of every example begins; None where that depends on data."""
    known = isinstance(given, tuple) and all(isinstance(start, int) for start in given)
    if not known or len(given) != len(whole) or given[place_of_batch(whole)] != 0:
        return None
    return own_values(whole, given)


def _lies_inside(starts: Sequence[int], block: Shape, shape: Shape) -> bool:
    return len(starts) == len(block) == len(shape) and all(
        0 <= start <= length - part  # type: ignore[operator]  # shapes are bound
        for start, part, length in zip(starts, block, shape, strict=True)
    )


def _block(length: int | None, asked: int | None, start: Value) -> int | None:
    if length == BATCH:
        return BATCH
    if asked not in {-1, None}:
        return asked
    return length - start if isinstance(start, int) and length is not None else None


class SliceUpdate(Moved):
    """A tensor with a block of it replaced."""

    kinds: ClassVar = (kind("SliceUpdate"),)
    takes: ClassVar = ("inputs", "start_indices", "updates")

    def movement(self) -> Movement | None:
        """The block to where it begins, if that is known; what stays around it has no map."""
        starts = _starts(self.given["start_indices"], self.whole)
        source, *_, block = sources_of(self, self.whole)
        shape = source.example.shape
        if starts is None or not _lies_inside(starts, block.example.shape, shape):
            return None
        moved = insert(
            source.example, block.example, starts, update_role=block.role, output=self.outputs[0]
        )
        (around, replaced, _) = moved.operands
        pairs = [
            (source, source.read(around.index, around.touched)),
            (block, block.read(replaced.index)),
        ]
        return reading(self, moved, pairs)


@frozen(slots=False)
class ScatterUpdate(Moved):
    """A tensor with elements replaced, or combined with others, where indices say."""

    kinds: ClassVar = (kind("ScatterUpdate"),)
    takes: ClassVar = ("inputs", "indices", "updates")

    reduction: str | None = setting(settings.optional(settings.text), default=None)

    def operators(self) -> Work:
        """A movement, and one step for each update that is combined."""
        moved = super().operators()
        if self.reduction is None:
            return moved
        step = {"add": "add", "max": "maximum", "min": "minimum", "mul": "multiply"}
        updates = self.given["updates"]
        tensor = self.inputs[updates.index] if isinstance(updates, Operand) else self.constants[-1]
        combined = elementwise(step[self.reduction], tensor, in_place=True)
        return (*moved, combined)  # type: ignore[misc]  # it is a sequence


def _sections(value: Any) -> int | tuple[int, ...]:
    return settings.integers(value) if isinstance(value, (list, tuple)) else settings.integer(value)


_SPLITS = {kind("Hsplit"): 1, kind("Dsplit"): 2}


_MOST_PARTS: Final = 10_000
"""Outputs of one cut; an axis may be as long as 2^63 - 1."""


@frozen(slots=False)
class Split(Moved):
    """A tensor cut along an axis."""

    kinds: ClassVar = (kind("ArraySplit"), kind("Dsplit"), kind("Hsplit"), kind("Split"))

    indices_or_sections: int | tuple[int, ...] = setting(_sections)
    axis: int = setting(settings.integer, default=0)

    def wholes(self) -> Sequence[Whole]:
        """The parts: equal ones, or those between the indices."""
        axis = axis_in(_SPLITS.get(self.kind, self.axis), len(self.whole))
        return [_replaced(self.whole, axis, length) for length in self._lengths(self.whole[axis])]

    def _lengths(self, length: int | None) -> Sequence[int | None]:
        if length == BATCH:
            return FLAT
        parts = self.indices_or_sections
        if isinstance(parts, int):
            return _parts(length, parts, even=self.kind != kind("ArraySplit"))
        ends = [*[end if length is None else min(end, length) for end in parts], length]
        pairs = zip([0, *parts], ends, strict=True)
        return [None if end is None else max(end - start, 0) for start, end in pairs]

    def movement(self) -> Movement | None:
        """Each part from where it begins."""
        axis = own_axis(self.whole, _SPLITS.get(self.kind, self.axis))
        if axis is None:
            return None
        lengths = [tensor.shape[axis] or 1 for tensor in self.outputs]
        if sum(lengths) != self.inputs[0].shape[axis]:
            return None  # parts between indices that do not increase overlap
        return split(self.inputs[0], axis, lengths, outputs=self.outputs)


def _check_number(parts: int) -> None:
    if parts > _MOST_PARTS:
        message = f"cut into {parts:,} parts; expected at most {_MOST_PARTS:,}"
        raise ValueError(message)


def _parts(length: int | None, number: int, *, even: bool) -> Sequence[int | None]:
    _check_number(number)
    if length is None:
        return [None] * number
    least, longer = divmod(length, number)
    if longer and even:
        message = f"an axis of {length} does not split into {number} equal parts"
        raise ValueError(message)
    return [least + (index < longer) for index in range(number)]


@frozen(slots=False)
class Unstack(Moved):
    """A tensor taken apart along an axis."""

    kinds: ClassVar = (kind("Unstack"),)

    num: int | None = setting(settings.optional(settings.integer), default=None)
    axis: int = setting(settings.integer, default=0)

    def wholes(self) -> Sequence[Whole]:
        """As many parts as the axis is long, without it."""
        axis = axis_in(self.axis, len(self.whole))
        number = self.whole[axis] if self.num is None else self.num
        if number is None or axis == 0:
            return (FLAT,)
        _check_number(number)
        return [_replaced(self.whole, axis)] * number

    def movement(self) -> Movement | None:
        """Each part where the axis is at it."""
        axis = own_axis(self.whole, self.axis)
        if axis is None or len(self.outputs) != self.inputs[0].shape[axis]:
            return None
        return unstack(self.inputs[0], axis, outputs=self.outputs)


class Diagonal(OnDiagonal, Moved):
    """The elements on a diagonal."""

    kinds: ClassVar = (kind("Diagonal"),)

    def wholes(self) -> Sequence[Whole]:
        """The other axes, and the diagonal last."""
        return ((*self.others, self.length),)

    def movement(self) -> Movement | None:
        """The elements on the diagonal, whose places along both axes go together."""
        axes = own_axes(self.whole, (self.axis1, self.axis2))
        if axes is None:
            return None
        return diagonal(self.inputs[0], self.offset, *axes, output=self.outputs[0])


@frozen(slots=False)
class Take(Operation):
    """Parts of a tensor, or rows of a constant table, by their indices."""

    kinds: ClassVar = (kind("Take"),)
    takes: ClassVar = ("x", "indices")

    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The axis replaced by those of the indices."""
        whole, indices = (self.whole_of(self.given[name]) for name in ("x", "indices"))
        if self.axis is None:
            return (indices if whole[:1] != (BATCH,) else FLAT,)
        axis = axis_in(self.axis, len(whole))
        return (_replaced(whole, axis, *indices) if whole[axis] != BATCH else FLAT,)

    def operators(self) -> Work:
        """A lookup in a table that stays on the device; else a movement."""
        if isinstance(self.given["x"], Operand):
            return (self.movement() or self._unmapped(),)
        table, *rest = self.constants
        axis = 0 if self.axis is None else axis_in(self.axis, len(table.shape))
        rows = Tensor((table.size,), table.format) if self.axis is None else table
        indices = (*self.inputs, *rest)[0]
        return (embedding(indices, rows, axis=axis, output=self.outputs[0]),)

    def _unmapped(self) -> Movement:
        return rearrange("selection", self.inputs, self.outputs, weights=self.constants)

    def movement(self) -> Movement | None:
        """The slices that the indices name, which a number alone says."""
        whole, chosen = self.whole_of(self.given["x"]), self.given["indices"]
        axis = None if self.axis is None else own_axis(whole, self.axis)
        if axis is None:
            return None
        tensor, indices = sources_of(self, whole)
        length = tensor.example.shape[axis] or 1
        if isinstance(chosen, int) and -length <= chosen < length:
            key: list[slice | int] = [*[slice(None)] * axis, chosen]
            moved = select(tensor.example, key, output=self.outputs[0])
            return reading(self, moved, [(tensor, moved.inputs[0])])
        moved = take(
            tensor.example, indices.tensor, axis, indices_role=indices.role, output=self.outputs[0]
        )
        read, picked, _ = moved.operands
        return reading(self, moved, [(tensor, read), (indices, picked)])


@frozen(slots=False)
class TakeAlongAxis(Moved):
    """An element for every index along an axis."""

    kinds: ClassVar = (kind("TakeAlongAxis"),)
    takes: ClassVar = ("x", "indices")

    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The indices along the axis, the broadcast of both along the others."""
        whole, indices = self.wholes_given
        if self.axis is None:
            return (FLAT,)
        axis = axis_in(self.axis, len(whole))
        along = indices[axis]
        others = joined([_replaced(whole, axis, 1), _replaced(indices, axis, 1)])
        return (_replaced(others, axis, along) if along != BATCH else FLAT,)

    def movement(self) -> Movement | None:
        """The elements that the indices name along the axis, at their places along the others."""
        tensor, indices = sources = sources_of(self, self.whole)
        axis = None if self.axis is None else own_axis(self.whole, self.axis)
        if axis is None or len(tensor.example.shape) != len(indices.example.shape):
            return None
        moved = take_along(
            tensor.example, indices.example, axis, indices_role=indices.role,
            output=self.outputs[0],
        )  # fmt: skip
        read, picked, written = moved.operands
        operands = [evolve(read, role=tensor.role), picked, written]
        return put_together(self, evolve(moved, operands=operands), sources)


# ------------------------------------------------------------------ tensors put together


@frozen(slots=False)
class Concatenate(Moved):
    """Operands one after another along an axis."""

    kinds: ClassVar = tuple(map(kind, ("Append", "Concatenate", "Dstack", "Hstack")))
    purpose: ClassVar = "concatenation"

    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def _axis(self) -> int | None:
        if self.kind == kind("Hstack"):
            return 1
        if self.kind == kind("Dstack"):
            return 2
        return 0 if self.axis is None and self.kind == kind("Concatenate") else self.axis

    def wholes(self) -> Sequence[Whole]:
        """The lengths along the axis add up; the others must agree."""
        named = self._axis()
        wholes = self.wholes_given
        if named is None or not -len(wholes[0]) <= named < len(wholes[0]):
            return (FLAT,)
        axis = axis_in(named, len(wholes[0]))
        lengths = [whole[axis] for whole in wholes]
        if BATCH in lengths:
            return (FLAT,)
        others = [_replaced(whole, axis, 1) for whole in wholes]
        if any(whole[:1] == (BATCH,) for whole in others):
            # A constant made for one example goes with every one.
            others = [
                _replaced(whole, 0, BATCH) if whole[:1] == (1,) else whole for whole in others
            ]
        total = None if None in lengths else sum(lengths)  # type: ignore[arg-type]  # none is None
        return (_replaced(_agreed(others), axis, total),)

    def movement(self) -> Movement | None:
        """Each operand from where the one before it ends."""
        wholes = self.wholes_given
        (whole, *_) = sorted(wholes, key=place_of_batch)
        named = _PUT_ALONG.get(self.kind, self.axis)
        if named is None or named >= len(whole) or len(set(map(len, wholes))) > 1:
            return None
        axis, sources = own_axis(whole, named), sources_of(self, whole)
        if axis is None or any(len(item.example.shape) != len(whole) - 1 for item in sources):
            return None
        roles = [item.role for item in sources]
        moved = concatenate(
            [item.example for item in sources], axis, roles=roles, output=self.outputs[0]
        )
        return put_together(self, moved, sources)


_PUT_ALONG: Final = {kind("Hstack"): 1, kind("Dstack"): 2}


def _agreed(wholes: Sequence[Whole]) -> Whole:
    """The one shape that all have; what is open in one may be known in another."""
    if len({len(whole) for whole in wholes}) > 1 or any(
        len({length for length in lengths if length is not None}) > 1
        for lengths in zip(*wholes, strict=False)
    ):
        if any(whole[:1] != wholes[0][:1] for whole in wholes):
            message = "a constant of its arguments differs along the batch"
            raise UnruledError(message)
        message = "the operands differ in another axis"
        raise ValueError(message)
    return joined(wholes)


@frozen(slots=False)
class Stack(Moved):
    """Operands side by side along a new axis."""

    kinds: ClassVar = (kind("Stack"),)
    purpose: ClassVar = "concatenation"

    axis: int = setting(settings.integer, default=0)

    def wholes(self) -> Sequence[Whole]:
        """The new axis as long as there are operands."""
        wholes = self.wholes_given
        whole = _agreed(wholes)
        axis = axis_in(self.axis, len(whole) + 1)
        return ((*whole[:axis], len(wholes), *whole[axis:]),)

    def movement(self) -> Movement | None:
        """Each operand at its place along the new axis."""
        wholes = self.wholes_given
        (whole, *_) = sorted(wholes, key=place_of_batch)
        axis, sources = axis_in(self.axis, len(whole) + 1), sources_of(self, whole)
        if len({item.example.shape for item in sources}) > 1:
            return None
        roles = [item.role for item in sources]
        place = axis - (axis > place_of_batch(whole))
        tensors = [item.example for item in sources]
        moved = stack(tensors, place, roles=roles, output=self.outputs[0])
        return put_together(self, moved, sources)


# ------------------------------------------------------------------ tensors made larger


@frozen(slots=False)
class BroadcastTo(Moved):
    """Axes of length 1 stretched to a shape."""

    kinds: ClassVar = (kind("BroadcastTo"),)
    purpose: ClassVar = "repetition"

    shape: tuple[int | None, ...] = setting(_target)

    def wholes(self) -> Sequence[Whole]:
        """The shape; its first axis is the batch where the operand's is."""
        if len(self.shape) != len(self.whole):
            return (FLAT,)
        return (joined([self.whole, (self.whole[0], *self.shape[1:])]),)

    def movement(self) -> Movement:
        """Every element to each place along the axes that are stretched."""
        return broadcast_to(self.inputs[0], self.outputs[0], purpose=self.purpose)


@frozen(slots=False)
class Tile(Moved):
    """A tensor several times over along every axis."""

    kinds: ClassVar = (kind("Tile"),)
    purpose: ClassVar = "repetition"

    repeats: tuple[int, ...] = setting(settings.integers)

    def wholes(self) -> Sequence[Whole]:
        """Every axis as many times as long."""
        rank = max(len(self.whole), len(self.repeats))
        lengths = (1,) * (rank - len(self.whole)) + self.whole
        times = (1,) * (rank - len(self.repeats)) + self.repeats
        return (tuple(_times(n, k) for n, k in zip(lengths, times, strict=True)),)

    def movement(self) -> Movement | None:
        """Every element to each of the copies."""
        whole = self.whole
        times = (1,) * (len(whole) - len(self.repeats)) + self.repeats
        if len(times) != len(whole) or times[place_of_batch(whole)] != 1:
            return None
        return tile(self.inputs[0], own_values(whole, times), output=self.outputs[0])


def _times(length: int | None, times: int) -> int | None:
    if length == BATCH:
        return BATCH if times == 1 else None
    return None if length is None else length * times


@frozen(slots=False)
class Repeat(Moved):
    """Each element several times along an axis."""

    kinds: ClassVar = (kind("Repeat"),)
    purpose: ClassVar = "repetition"

    repeats: tuple[int, ...] = setting(settings.integers)
    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The axis as many times as long, or as long as the sum of the repeats."""
        if self.axis is None:
            return (FLAT,)
        axis = axis_in(self.axis, len(self.whole))
        if len(self.repeats) == 1:
            return (_replaced(self.whole, axis, _times(self.whole[axis], self.repeats[0])),)
        return (_replaced(self.whole, axis, sum(self.repeats)),)

    def movement(self) -> Movement | None:
        """Each element to its copies; different numbers of them no affine map states."""
        axis = None if self.axis is None else own_axis(self.whole, self.axis)
        if axis is None:
            return None
        source, result = self.inputs[0], self.outputs[0]
        if len(self.repeats) == 1:
            return repeat(source, axis, self.repeats[0], output=result)
        kept = len([times for times in self.repeats if times])
        touched = source.size // (source.shape[axis] or 1) * kept
        return rearrange_along(self.purpose, source, result, [axis], touched=touched)


def _widths(value: Any) -> tuple[tuple[int, int], ...]:
    if isinstance(value, int):
        return ((value, value),)
    if value and not isinstance(value[0], (list, tuple)):
        return ((settings.integer(value[0]), settings.integer(value[-1])),)
    return tuple((settings.integer(pair[0]), settings.integer(pair[-1])) for pair in value)


@frozen(slots=False)
class Pad(Moved):
    """Elements around a tensor."""

    kinds: ClassVar = (kind("Pad"),)
    purpose: ClassVar = "padding"
    takes: ClassVar = ("x", "constant_values")

    pad_width: tuple[tuple[int, int], ...] = setting(_widths)
    mode: str = setting(settings.text, default="constant")

    def movement(self) -> Movement | None:
        """The elements behind what is added; repeated ones no affine map states."""
        widths = self.pad_width * len(self.whole) if len(self.pad_width) == 1 else self.pad_width
        own = own_values(self.whole, widths)
        source, result = self.inputs[0], self.outputs[0]
        if self.mode != "constant":
            axes = [axis for axis, pair in enumerate(own) if any(pair)]
            return rearrange_along(self.purpose, source, result, axes)
        if len(self.inputs) > 1:
            return None  # each example has a number of its own around it
        number = self.constants[0] if self.constants else None
        return pad(source, own, value=number, output=result)

    def wholes(self) -> Sequence[Whole]:
        """Each axis longer by what is added before and after."""
        widths = self.pad_width * len(self.whole) if len(self.pad_width) == 1 else self.pad_width
        pairs = zip(self.whole, widths, strict=True)
        return (tuple(_longer(length, sum(width)) for length, width in pairs),)


def _longer(length: int | None, more: int) -> int | None:
    if length == BATCH:
        return None if more else BATCH
    return None if length is None else length + more


@frozen(slots=False)
class Encoding(Moved):
    """Indices as vectors of zeros and ones."""

    kinds: ClassVar = (kind("MultiHot"), kind("OneHot"))
    purpose: ClassVar = "encoding"

    num_classes: int = setting(settings.whole, source=("num_classes", "num_tokens"))
    axis: int = setting(settings.integer, default=-1)

    def wholes(self) -> Sequence[Whole]:
        """One more axis; where several are hot at once, the next one is gone."""
        whole = self.whole
        axis = axis_in(self.axis, len(whole) + 1)
        longer = (*whole[:axis], self.num_classes, *whole[axis:])
        if self.kind == kind("OneHot"):
            return (longer,)
        return ((longer[0], *longer[2:]) if len(longer) > 2 else longer[-1:],)  # noqa: PLR2004  # the batch and one more

    def movement(self) -> Movement | None:
        """Every index to the elements of its vector; of several in one, each to all of it."""
        whole = self.whole
        place = axis_in(self.axis, len(whole) + 1)
        longer = (*whole[:place], self.num_classes, *whole[place:])
        axis, merged = own_axis(longer, place), None
        if self.kind == kind("MultiHot"):
            merged = own_axis(longer, 1)
            if merged is None:
                return None  # it merges examples
        return one_hot(
            self.inputs[0], self.num_classes, axis or 0, merged_axis=merged, output=self.outputs[0]
        )


@frozen(slots=False)
class ExtractSequences(Moved):
    """Pieces of the last axis that overlap."""

    kinds: ClassVar = (kind("ExtractSequences"),)
    purpose: ClassVar = "repetition"

    sequence_length: int = setting(settings.whole)
    sequence_stride: int = setting(settings.whole)

    def wholes(self) -> Sequence[Whole]:
        """The last axis as pieces by their length."""
        length = self.whole[-1]
        places = (
            None if length is None else 1 + (length - self.sequence_length) // self.sequence_stride
        )
        return ((*self.whole[:-1], places, self.sequence_length),)

    def movement(self) -> Movement:
        """Every element to its place in each of the pieces that hold it."""
        length, step = self.sequence_length, self.sequence_stride
        return frames(self.inputs[0], length, step, output=self.outputs[0])
