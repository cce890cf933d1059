"""Functions of keras.ops that carry elements, or only give them another shape."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

from attrs import frozen

from costmodel.network.layer import Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.tensor.sizes import Symbol
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
from costmodel.workload.operators import Movement, shape_of
from costmodel.workload.reasons import Free
from costmodel_keras.arguments import OPERAND_SHAPE, LayerInput, Span, Value
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.operation import (
    Length,
    Operation,
    Whole,
    axis_in,
    batch_among,
    batch_of,
    is_batch,
    joined,
    kind,
    own_axes,
    own_axis,
    product_of,
    quotient_of,
    rows_of,
    sum_of,
    whole_of,
)
from costmodel_keras.layers.operations.reductions import OnDiagonal
from costmodel_keras.layers.operations.sources import reading, sources_of
from costmodel_keras.layers.unsupported import UnsupportedError, mixing

_Axis = TypeVar("_Axis")
_Value = TypeVar("_Value")


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
        moved = self.movement()
        if moved is None:
            moved = rearrange(self.purpose, self.inputs, self.outputs, weights=self.constants)
        return (moved,)

    def movement(self) -> Movement | None:
        """Where each element of an example goes; None where no affine map states that."""
        return None

    def operators_across_rows(self) -> Work:
        """One movement between all rows of an example."""
        inputs, outputs = (
            [tensor.unfolded for tensor in tensors] for tensors in (self.inputs, self.outputs)
        )
        return (rearrange(self.purpose, inputs, outputs, weights=self.constants),)


def _replaced(whole: Whole, axis: int, *lengths: Length) -> Whole:
    return (*whole[:axis], *lengths, *whole[axis + 1 :])


# ------------------------------------------------------------------ other shapes


def _target(value: Any) -> Whole:
    several = value if isinstance(value, (list, tuple)) else (value,)
    return tuple([item if item is None else _length(item) for item in several])


def _length(value: Any) -> int:
    """A whole number, or a multiple of the batch."""
    return value if isinstance(value, Symbol) else settings.integer(value)


def _following(axes: Iterator[_Axis]) -> _Axis:
    try:
        return next(axes)
    except StopIteration:
        message = "an axis is named twice, or one that is not there"
        raise ValueError(message) from None


@frozen(slots=False)
class Reshape(Relabelled):
    """Other axes for the same elements; windows, heads or steps may go into the batch and back."""

    kinds: ClassVar = (kind("Reshape"),)

    newshape: Whole = setting(_target)
    operand: Whole = setting(_target, default=(), source=OPERAND_SHAPE)
    """The whole shape of the operand as the source has it, if that is known."""

    def wholes(self) -> Sequence[Whole]:
        """The target, in which the batch and one -1 are what is left of the elements.

        Raises:
            UnsupportedError: the lengths of the target do not follow.
            ValueError: a length of the target is none.

        """
        for length in self.newshape:
            if length == 0 or (isinstance(length, int) and length < -1):
                message = f"{length} is not an axis length of 1 or more"
                raise ValueError(message)
        return (reshaped(self.whole, self.newshape, self.operand),)


class Ravel(Relabelled):
    """All axes in one, the batch among them."""

    kinds: ClassVar = (kind("Ravel"),)

    def wholes(self) -> Sequence[Whole]:
        """One axis, as long as all together."""
        return ((product_of(self.whole),),)


def reshaped(whole: Whole, target: Whole, recorded: Whole = ()) -> Whole:
    """The whole shape that the elements of another one have as `target`.

    -1 and None in the target are lengths that are left to the elements. The first of them is the
    batch, unless the target names a multiple of it, or a network was built for one batch. Each
    other None is the length of an axis that is open in the `recorded` shape, if it has as many.

    Raises:
        UnsupportedError: it does not hold for every batch, or several lengths are left.

    """
    left = [place for place, length in enumerate(target) if length in {None, -1}]
    has_batch = any(map(is_batch, target))
    if len(left) == 1 and not has_batch and recorded and None not in recorded:
        parts = math.prod([length for place, length in enumerate(target) if place not in left])  # type: ignore[misc]  # numbers
        target = _replaced(target, left.pop(), math.prod(recorded) // parts)  # type: ignore[arg-type]  # numbers
    if not left and not has_batch:
        return _with_fixed_batch(whole, target)
    batch = None if has_batch else left.pop(0)
    kept = _kept_axes(whole, [place for place in left if target[place] is None], recorded)
    left = [place for place in left if place not in kept]
    total = product_of([n for axis, n in enumerate(whole) if axis not in kept.values()])
    named = [place for place in range(len(target)) if place not in {batch, *kept, *left}]
    known = product_of([target[place] for place in named])
    lengths = {place: whole[axis] for place, axis in kept.items()}
    if batch is not None and left:
        lengths[batch] = _batch_as_it_was(whole)
        known = product_of([known, lengths[batch]])
    elif batch is not None:
        lengths[batch] = quotient_of(total, known)  # type: ignore[arg-type]  # a number
    elif not left and None not in {rows_of(total), rows_of(known)} and total != known:
        message = f"{total} elements do not fit into {known}"
        raise mixing(message)
    lengths.update(dict.fromkeys(left, _left_beside_batch(total, known, len(left))))
    return tuple([lengths.get(place, length) for place, length in enumerate(target)])


def _kept_axes(whole: Whole, places: Sequence[int], recorded: Whole) -> Mapping[int, int]:
    """The axis of the source, open as it is recorded, that each of these places is."""
    pairs = enumerate(zip(whole, recorded, strict=False))
    axes = [axis for axis, (length, given) in pairs if given is None and not is_batch(length)]
    return dict(zip(places, axes, strict=True)) if len(axes) == len(places) else {}


def _batch_as_it_was(whole: Whole) -> Length:
    """The batch axis of the source, where no other tensor's can be meant."""
    (batch,) = filter(is_batch, whole)
    if rows_of(batch) != 1:
        message = (
            "two lengths of its target are left, and the batch is folded: "
            "how many rows of it an example has does not follow; give all lengths but one"
        )
        raise UnsupportedError(message, mixes_examples=True)
    return batch


def _left_beside_batch(total: Length, known: Length, number: int) -> Length:
    """The length of one axis that takes what is left of the elements of an example."""
    rows, parts = rows_of(total), rows_of(known)
    if rows is None or parts is None:
        return None
    if number > 1:
        message = "several lengths of its target are left to its elements"
        raise UnsupportedError(message)
    return rows_of(quotient_of(total, parts))


def _with_fixed_batch(whole: Whole, target: Whole) -> Whole:
    """The target, all of numbers, of a network that was built for one length of the batch.

    As many elements stand in front of the batch as in the source.
    """
    (place,) = [place for place, length in enumerate(whole) if is_batch(length)]
    rows = rows_of(product_of(whole))
    if rows is None:
        return _replaced(target, 0, batch_of(None))
    size = math.prod(target)  # type: ignore[arg-type]  # numbers
    if not target or size % rows:
        message = f"{size} elements are not a whole number of examples of {rows}"
        raise mixing(message)
    examples = size // rows
    before = math.prod(whole[:place])  # type: ignore[arg-type]  # numbers, since the rows are known
    ahead = 1
    for axis, length in enumerate(target):
        behind = ahead * length  # type: ignore[operator]  # a number
        if (ahead == before or ahead < before < behind) and length % examples == 0:  # type: ignore[operator]  # a number
            return _replaced(target, axis, batch_of(length // examples))  # type: ignore[operator]  # a number
        ahead = behind
    message = f"none of the axes of {target} holds whole examples"
    raise mixing(message)


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
            if whole[axis] not in {1, None} and not is_batch(whole[axis]):
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
    own = own_axes(operation.whole, order)
    return transpose(operation.inputs[0], own, output=operation.outputs[0])


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
        turns_examples = len(own) < len(self.axes)
        if turns_examples:
            return None
        one, other = own
        order = list(range(len(self.inputs[0].shape)))
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
        before, after = self._sides
        whole = self.whole_of(self.given["tensor"])
        if len(before) != len(whole):
            message = f"{self.given['pattern']!r} names {len(before)} axes, there are {len(whole)}"
            raise ValueError(message)
        lengths = self._lengths(before, whole)
        return (tuple(product_of([lengths[name] for name in group]) for group in after),)

    def movement(self) -> Movement | None:
        """The names of the pattern are the dimensions; that of the batch stands by itself."""
        source, (before, after) = self.inputs[0], self._sides
        batch = before.pop(source.batch_axis)
        folds_into_batch = len(batch) > 1 or batch not in after
        if folds_into_batch:
            return None
        after.remove(batch)
        names = list(itertools.chain(*before))
        drops_axes = set(names) != set(itertools.chain(*after))
        if drops_axes:
            return None
        lengths: Mapping[str, Any] = self._lengths(before, source.shape)
        dims = dict(zip(names, axis_names(len(names)), strict=True))
        read, written = (
            [[dims[name] for name in group] for group in side] for side in (before, after)
        )
        sizes = {dims[name]: lengths[name] for name in names}
        return regroup(source, read, written, sizes, output=self.outputs[0])

    @property
    def _sides(self) -> tuple[list[list[str]], list[list[str]]]:
        """The names in each axis, before and after."""
        before, _, after = str(self.given["pattern"]).partition("->")
        return _groups(before), _groups(after)

    def _lengths(self, groups: Sequence[Sequence[str]], whole: Whole) -> dict[str, Length]:
        """The length of each name, given or as it follows from that of its axis."""
        given = {name: n for name, n in self.given.items() if name not in self.takes}
        lengths: dict[str, Length] = {name: _length(n) for name, n in given.items()}
        for group, length in zip(groups, whole, strict=True):
            _fill(group, length, lengths)
        return lengths


def _groups(side: str) -> list[list[str]]:
    return [(inner or single).split() for inner, single in re.findall(r"\(([^)]*)\)|(\S+)", side)]


def _fill(group: Sequence[str], length: Length, lengths: dict[str, Length]) -> None:
    """Derive the one axis of a group whose length is not given."""
    unknown = [name for name in group if name not in lengths]
    if not unknown:
        return
    (name,) = unknown
    known = product_of([lengths[other] for other in group if other != name])
    if is_batch(known):
        lengths[name] = _left_beside_batch(length, known, 1)
    elif known is None:
        lengths[name] = batch_of(None) if is_batch(length) else None
    else:
        lengths[name] = quotient_of(length, known)


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
        reverses_examples = len(own) < len(axes)
        if reverses_examples:
            return None
        return flip(self.inputs[0], own, output=self.outputs[0])


@frozen(slots=False)
class Rolled(Moved):
    """Elements shifted along axes; those that leave at one end come in at the other."""

    kinds: ClassVar = (kind("Roll"),)

    axis: tuple[int, ...] | None = setting(settings.optional(settings.integers), default=None)

    def movement(self) -> Movement | None:
        """Two pieces along each rolled axis, which are not one affine map; the others stay."""
        axes = range(len(self.whole)) if self.axis is None else self.axis
        own = own_axes(self.whole, axes)
        rolls_across_examples = len(own) < len(axes)
        if rolls_across_examples:
            return None
        return rearrange_along(self.purpose, self.inputs[0], self.outputs[0], sorted(set(own)))


@frozen(slots=False)
class Triangle(Moved):
    """The elements below or above a diagonal of the last two axes, and zeros elsewhere."""

    kinds: ClassVar = (kind("Tril"), kind("Triu"))

    k: int = setting(settings.integer, default=0)

    def movement(self) -> Movement | None:
        """Elements that stay at their place, and those that no affine map leaves out."""
        is_plane_of_examples = self.inputs[0].batch_axis >= len(self.whole) - 2
        if is_plane_of_examples:
            return None
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
        return (taken(self.whole, self.given["key"]),)

    def movement(self) -> Movement | None:
        """The elements that the numbers and slices name, of every example."""
        key = self.given["key"]
        keys = list(key) if isinstance(key, tuple) else [key]
        named = len([item for item in keys if item is not None and item is not ...])
        dots = keys.index(...) if ... in keys else len(keys)
        every = [Span(None, None, None)] * (len(self.whole) - named)
        keys[dots : dots + 1] = every
        batch = self.inputs[0].batch_axis
        places = [place for place, item in enumerate(keys) if item is not None]
        takes_every_example = _ends(keys.pop(places[batch])) in _EVERY_EXAMPLE
        if not takes_every_example:
            return None
        own = [slice(*_ends(item)) if isinstance(item, Span) else item for item in keys]
        return select(self.inputs[0], own, output=self.outputs[0])


def taken(whole: Whole, key: Value) -> Whole:
    """The whole shape of a part of a tensor: the axes that are sliced, in order, and new ones.

    Raises:
        UnsupportedError: it does not follow from the index.
        ValueError: there are more indices than axes, or no such element.

    """
    keys = key if isinstance(key, tuple) else (key,)
    named = len([item for item in keys if item is not None and item is not ...])
    rest = len(whole) - named
    if rest < 0:
        message = f"{named} indices for {len(whole)} axes"
        raise ValueError(message)
    if ... not in keys:
        keys = (*keys, ...)
    lengths, found = iter(whole), list[Length]()
    for item in keys:
        if item is None:
            found.append(1)
        elif item is ...:
            found.extend([_following(lengths) for _ in range(rest)])
        else:
            found.extend(_taken(item, _following(lengths)))
    return tuple(found)


def _ends(item: Any) -> tuple[Any, Any, Any]:
    return (item.start, item.stop, item.step)


_EVERY_EXAMPLE: Final = [(start, None, step) for start in (None, 0) for step in (None, 1)]
"""The ends of the slices that take all examples."""


def _taken(item: Value, length: Length) -> Whole:
    if isinstance(item, Span):
        return (_sliced(item, length),)
    if isinstance(item, int) and not isinstance(item, bool):
        if length is not None and not is_batch(length) and not -length <= item < length:
            message = f"there is no element {item} in {length}"
            raise ValueError(message)
        return ()
    message = "its shape depends on how indices in arrays or tensors are meant"
    raise UnsupportedError(message)


def _sliced(span: Span, length: Length) -> Length:
    ends = (span.start, span.stop, span.step)
    if any(end is not None and not isinstance(end, int | Symbol) for end in ends):
        message = "where it is cut depends on the data"
        raise UnsupportedError(message)
    if length is None:
        return None
    if is_batch(length):
        return _rows_sliced(span, length)
    if any(map(is_batch, ends)):
        raise mixing(_CUT_BY_BATCH)
    return len(range(*slice(*ends).indices(length)))


_CUT_BY_BATCH: Final = "where it is cut depends on the length of the batch"


def _rows_sliced(span: Span, length: Length) -> Length:
    """What is left of a batch axis between ends that are multiples of the batch."""
    rows = rows_of(length)
    step = 1 if span.step is None else span.step
    if span.start in {None, 0} and span.stop is None and step in {1, -1}:
        return length
    if rows is None:
        return batch_of(None)
    if is_batch(step) or step < 1 or rows % step:
        raise mixing(_SOME_EXAMPLES)
    first, last = (_end(span.start, 0, rows), _end(span.stop, rows, rows))
    if step > 1 and isinstance(span.start, int) and span.start < step and last == rows:
        first = 0  # one row out of `step`, whichever it is
    if first is None or last is None or last <= first or (last - first) % step:
        raise mixing(_SOME_EXAMPLES)
    return batch_of((last - first) // step)


_SOME_EXAMPLES: Final = "it takes some of the examples"


def _end(end: Value, default: int, rows: int) -> int | None:
    """The end of a slice in rows for each example; None where it is not a multiple of the batch."""
    if end is None or end == 0:
        return 0 if end == 0 else default
    number = rows_of(end)
    return None if number is None else min(number, rows)


@frozen(slots=False)
class Slice(Moved):
    """A block of a tensor, from a place that the call names."""

    kinds: ClassVar = (kind("Slice"),)
    takes: ClassVar = ("inputs", "start_indices")

    shape: Whole = setting(_target)

    def wholes(self) -> Sequence[Whole]:
        """The shape asked for; -1 is all from the start on, which must be known."""
        starts, whole = self.given["start_indices"], self.whole
        if not isinstance(starts, tuple):
            starts = (None,) * len(whole)
        lengths = [_block(*axis) for axis in zip(whole, self.shape, starts, strict=True)]
        return (tuple(lengths),)

    def movement(self) -> Movement | None:
        """The block from where it begins, if that is known."""
        starts = _starts(self, self.outputs[0].shape)
        if starts is None:
            return None
        return shift(self.purpose, self.inputs[0], self.outputs[0], [-start for start in starts])


def _starts(operation: Operation, block: Shape) -> list[int] | None:
    """Where a block begins in every example; None where that depends on data or the framework."""
    starts, (source, *_) = operation.given["start_indices"], operation.inputs
    is_known = isinstance(starts, tuple) and all(isinstance(start, int) for start in starts)
    if not is_known or len(starts) != len(operation.whole) or starts[source.batch_axis]:
        return None
    own = _of_example(source, starts)
    lies_inside = len(own) == len(block) and all(
        0 <= start <= length - part  # type: ignore[operator]  # shapes are bound
        for start, part, length in zip(own, block, source.shape, strict=True)
    )
    return own if lies_inside else None


def _of_example(tensor: Tensor, values: Sequence[_Value]) -> list[_Value]:
    """What is given for each axis of a tensor, without what is given for the batch."""
    return [value for place, value in enumerate(values) if place != tensor.batch_axis]


def _block(length: Length, asked: Length, start: Value) -> Length:
    if is_batch(length):
        return asked if is_batch(asked) else length
    if asked not in {-1, None}:
        return asked
    return length - start if isinstance(start, int) and length is not None else None


class SliceUpdate(Moved):
    """A tensor with a block of it replaced."""

    kinds: ClassVar = (kind("SliceUpdate"),)
    takes: ClassVar = ("inputs", "start_indices", "updates")

    def movement(self) -> Movement | None:
        """The block to where it begins, if that is known; what stays around it has no map."""
        tensor, *_, update = sources_of(self)
        starts = _starts(self, update.example.shape)
        if starts is None:
            return None
        moved = insert(tensor.example, update.example, starts, output=self.outputs[0])
        return reading([tensor, update], moved)


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
        tensor = (
            self.inputs[updates.index] if isinstance(updates, LayerInput) else self.constants[-1]
        )
        combined = elementwise(step[self.reduction], tensor, in_place=True)
        return (*moved, combined)  # type: ignore[misc]  # it is a sequence


def _sections(value: Any) -> int | tuple[int, ...]:
    if isinstance(value, (list, tuple)):
        return tuple([_length(item) for item in value])
    return settings.integer(value)


_SPLITS = {kind("Vsplit"): 0, kind("Hsplit"): 1, kind("Dsplit"): 2}


_MOST_PARTS: Final = 10_000
"""Outputs of one cut; an axis may be as long as 2^63 - 1."""


@frozen(slots=False)
class Split(Moved):
    """A tensor cut along an axis."""

    kinds: ClassVar = tuple(map(kind, ("ArraySplit", "Dsplit", "Hsplit", "Split", "Vsplit")))

    indices_or_sections: int | tuple[int, ...] = setting(_sections)
    axis: int = setting(settings.integer, default=0)

    def wholes(self) -> Sequence[Whole]:
        """The parts: equal ones, or those between the indices."""
        axis = axis_in(_SPLITS.get(self.kind, self.axis), len(self.whole))
        return [_replaced(self.whole, axis, length) for length in self._lengths(self.whole[axis])]

    def _lengths(self, length: Length) -> Sequence[Length]:
        parts = self.indices_or_sections
        if isinstance(parts, int):
            return _parts(length, parts, even=self.kind != kind("ArraySplit"))
        if is_batch(length):
            return _rows_between(parts, length)
        if any(map(is_batch, parts)):
            raise mixing(_CUT_BY_BATCH)
        ends = [*[end if length is None else min(end, length) for end in parts], length]
        pairs = zip([0, *parts], ends, strict=True)
        return [None if end is None else max(end - start, 0) for start, end in pairs]

    def movement(self) -> Movement | None:
        """Each part from where it begins."""
        axis = own_axis(self.whole, _SPLITS.get(self.kind, self.axis))
        if axis is None:
            return None
        lengths = [shape_of(tensor)[axis] for tensor in self.outputs]
        parts_overlap = sum(lengths) != self.inputs[0].shape[axis]
        if parts_overlap:
            return None
        return split(self.inputs[0], axis, lengths, outputs=self.outputs)


def _rows_between(parts: Sequence[int], length: Length) -> Sequence[Length]:
    """The rows of a batch axis between indices that are multiples of the batch."""
    ends = [*map(rows_of, parts), rows_of(length)]
    starts = [0, *ends[:-1]]
    if None in ends or any(end <= start for start, end in zip(starts, ends, strict=True)):  # type: ignore[operator]  # none is None
        raise mixing(_SOME_EXAMPLES)
    return [batch_of(end - start) for start, end in zip(starts, ends, strict=True)]  # type: ignore[operator]  # none is None


def _check_number(parts: int) -> None:
    if parts > _MOST_PARTS:
        message = f"cut into {parts:,} parts; expected at most {_MOST_PARTS:,}"
        raise ValueError(message)


def _parts(length: Length, number: int, *, even: bool) -> Sequence[Length]:
    _check_number(number)
    if is_batch(length):
        return [quotient_of(length, number)] * number
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
        if is_batch(self.whole[axis]):
            what = "it takes the examples of the batch apart"
            raise mixing(what)
        number = self.whole[axis] if self.num is None else self.num
        if number is None:
            message = "how many outputs it has follows from an axis that is open"
            raise UnsupportedError(message)
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

    def movement(self) -> Movement:
        """The elements on the diagonal, whose places along both axes go together."""
        axes = own_axes(self.whole, (self.axis1, self.axis2))
        return diagonal(self.inputs[0], self.offset, *axes, output=self.outputs[0])


@frozen(slots=False)
class Take(Moved):
    """Parts of a tensor, or rows of a constant table, by their indices."""

    kinds: ClassVar = (kind("Take"),)
    takes: ClassVar = ("x", "indices")

    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The axis replaced by those of the indices."""
        whole, indices = (self.whole_of(self.given[name]) for name in ("x", "indices"))
        if self.axis is None:
            return (indices,)
        return (_replaced(whole, axis_in(self.axis, len(whole)), *indices),)

    def operators(self) -> Work:
        """A lookup in a table that stays on the device; else a movement."""
        if isinstance(self.given["x"], LayerInput):
            return super().operators()
        table, *rest = self.constants
        axis = 0 if self.axis is None else axis_in(self.axis, len(table.shape))
        rows = Tensor((table.size,), table.format) if self.axis is None else table
        indices = (*self.inputs, *rest)[0]
        return (embedding(indices, rows, axis=axis, output=self.outputs[0]),)

    def movement(self) -> Movement | None:
        """The slices that the indices name, which a number alone says."""
        axis = own_axis(self.whole, self.axis)
        if axis is None:
            return None
        source, result, chosen = self.inputs[0], self.outputs[0], self.given["indices"]
        length = shape_of(source)[axis]
        if isinstance(chosen, int) and -length <= chosen < length:
            return select(source, [*[slice(None)] * axis, chosen], output=result)
        _, indices = sources_of(self)
        return take(source, indices.tensor, axis, indices_role=indices.role, output=result)


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
            return ((product_of(indices),),)
        axis = axis_in(self.axis, len(whole))
        others = joined([_replaced(whole, axis, 1), _replaced(indices, axis, 1)])
        return (_replaced(others, axis, indices[axis]),)

    def movement(self) -> Movement | None:
        """The elements that the indices name along the axis, at their places along the others."""
        axis = own_axis(self.whole, self.axis)
        tensor, indices = sources = sources_of(self)
        differ_in_rank = len(tensor.example.shape) != len(indices.example.shape)
        if axis is None or differ_in_rank:
            return None
        moved = take_along(tensor.example, indices.example, axis, output=self.outputs[0])
        return reading(sources, moved)


# ------------------------------------------------------------------ tensors put together


@frozen(slots=False)
class Concatenate(Moved):
    """Operands one after another along an axis."""

    kinds: ClassVar = tuple(map(kind, ("Append", "Concatenate", "Dstack", "Hstack", "Vstack")))
    purpose: ClassVar = "concatenation"

    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def _axis(self, rank: int) -> int | None:
        if self.kind == kind("Hstack"):
            return min(rank - 1, 1)
        if self.kind == kind("Dstack"):
            return 2
        takes_first = self.kind in {kind("Concatenate"), kind("Vstack")}
        return 0 if self.axis is None and takes_first else self.axis

    def wholes(self) -> Sequence[Whole]:
        """The lengths along the axis add up; the others must agree."""
        widened = _WIDENED.get(self.kind, tuple)
        wholes = [widened(whole) for whole in self.wholes_given]
        named = self._axis(len(wholes[0]))
        if named is None:
            return ((sum_of([product_of(whole) for whole in wholes]),),)
        axis = axis_in(named, len(wholes[0]))
        lengths = [whole[axis] for whole in wholes]
        others = [_replaced(whole, axis, 1) for whole in wholes]
        return (_replaced(_agreed(others), axis, sum_of(lengths)),)

    def movement(self) -> Movement | None:
        """Each operand from where the one before it ends."""
        (result,), sources = self.outputs, sources_of(self)
        whole = whole_of(result)
        axis = own_axis(whole, self._axis(len(whole)))
        examples = [item.example for item in sources]
        widens = any(len(tensor.shape) != len(result.shape) for tensor in examples)
        if axis is None or widens:
            return None
        return reading(sources, concatenate(examples, axis, output=result))


def _plane(whole: Whole) -> Whole:
    return whole if len(whole) > 1 else (1, *whole)


def _block_of(whole: Whole) -> Whole:
    plane = _plane(whole)
    return plane if len(plane) > 2 else (*plane, 1)  # noqa: PLR2004  # three axes


_WIDENED: Final = {kind("Vstack"): _plane, kind("Dstack"): _block_of}
"""What gives operands the axes that they are put together along."""


def _agreed(wholes: Sequence[Whole]) -> Whole:
    """The one shape that all have; what is open in one may be known in another.

    A constant made for one example goes with every one.
    """
    if len({len(whole) for whole in wholes}) > 1:
        message = "the operands differ in their number of axes"
        raise ValueError(message)
    for lengths in zip(*wholes, strict=True):
        batch_among(lengths)
        known = {length for length in lengths if length is not None and not is_batch(length)}
        if len(known) > 1:
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
        (result,), sources = self.outputs, sources_of(self)
        axis = own_axis(whole_of(result), self.axis)
        examples = [item.example for item in sources]
        repeats_a_constant = len({tensor.shape for tensor in examples}) > 1
        if axis is None or repeats_a_constant:
            return None
        return reading(sources, stack(examples, axis, output=result))


# ------------------------------------------------------------------ tensors made larger


@frozen(slots=False)
class BroadcastTo(Moved):
    """Axes of length 1 stretched to a shape."""

    kinds: ClassVar = (kind("BroadcastTo"),)
    purpose: ClassVar = "repetition"

    shape: Whole = setting(_target)

    def wholes(self) -> Sequence[Whole]:
        """The shape; its batch axis is the operand's."""
        whole, shape = self.whole, self.shape
        if len(shape) < len(whole):
            message = f"{len(whole)} axes do not stretch to {len(shape)}"
            raise ValueError(message)
        places = [place for place, length in enumerate(whole, -len(whole)) if is_batch(length)]
        for place in places:
            shape = (*shape[:place], whole[place], *shape[len(shape) + place + 1 :])
        return (joined([whole, shape]),)

    def movement(self) -> Movement:
        """Every element to each place along the axes that are stretched."""
        return broadcast_to(self.inputs[0], self.outputs[0], purpose=self.purpose)


def _lengths(value: Any) -> tuple[int, ...]:
    several = value if isinstance(value, (list, tuple)) else (value,)
    return tuple([_length(item) for item in several])


@frozen(slots=False)
class Tile(Moved):
    """A tensor several times over along every axis."""

    kinds: ClassVar = (kind("Tile"),)
    purpose: ClassVar = "repetition"

    repeats: tuple[int, ...] = setting(_lengths)

    def wholes(self) -> Sequence[Whole]:
        """Every axis as many times as long."""
        rank = max(len(self.whole), len(self.repeats))
        lengths = (1,) * (rank - len(self.whole)) + self.whole
        times = (1,) * (rank - len(self.repeats)) + self.repeats
        return (tuple(map(product_of, zip(lengths, times, strict=True))),)

    def movement(self) -> Movement | None:
        """Every element to each of the copies."""
        source, rank = self.inputs[0], len(self.whole)
        times = (1,) * (rank - len(self.repeats)) + self.repeats
        adds_axes = len(times) > rank
        if adds_axes or times[source.batch_axis] != 1:
            return None
        return tile(source, _of_example(source, times), output=self.outputs[0])


@frozen(slots=False)
class Repeat(Moved):
    """Each element several times along an axis."""

    kinds: ClassVar = (kind("Repeat"),)
    purpose: ClassVar = "repetition"

    repeats: tuple[int, ...] = setting(_lengths)
    axis: int | None = setting(settings.optional(settings.integer), default=None)

    def wholes(self) -> Sequence[Whole]:
        """The axis as many times as long, or as long as the sum of the repeats."""
        whole = (product_of(self.whole),) if self.axis is None else self.whole
        axis = axis_in(self.axis or 0, len(whole))
        if len(self.repeats) == 1:
            return (_replaced(whole, axis, product_of([whole[axis], self.repeats[0]])),)
        return (_replaced(whole, axis, sum_of(self.repeats)),)

    def movement(self) -> Movement | None:
        """Each element to its copies; different numbers of them no affine map states."""
        axis = own_axis(self.whole, self.axis)
        if axis is None:
            return None
        source, result = self.inputs[0], self.outputs[0]
        if len(self.repeats) == 1:
            return repeat(source, axis, self.repeats[0], output=result)
        kept = len([times for times in self.repeats if times])
        touched = source.size // shape_of(source)[axis] * kept
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

    def wholes(self) -> Sequence[Whole]:
        """Each axis longer by what is added before and after."""
        pairs = zip(self.whole, self._widths(), strict=True)
        return (tuple(_longer(length, sum(width)) for length, width in pairs),)

    def movement(self) -> Movement | None:
        """The elements behind what is added; repeated ones no affine map states."""
        source, result = self.inputs[0], self.outputs[0]
        widths = _of_example(source, self._widths())
        if self.mode != "constant":
            axes = [axis for axis, pair in enumerate(widths) if any(pair)]
            return rearrange_along(self.purpose, source, result, axes)
        has_a_value_for_each_example = len(self.inputs) > 1
        if has_a_value_for_each_example:
            return None
        return pad(source, widths, output=result)

    def _widths(self) -> Sequence[tuple[int, int]]:
        """What is added before and after each axis."""
        return self.pad_width * len(self.whole) if len(self.pad_width) == 1 else self.pad_width


def _longer(length: Length, more: int) -> Length:
    if more and is_batch(length):
        what = "it puts elements beside the examples of the batch"
        raise mixing(what)
    return length if length is None or not more else length + more


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
        axis = own_axis(longer, place) or 0
        merged = own_axis(longer, 1) if self.kind == kind("MultiHot") else None
        merges_examples = self.kind == kind("MultiHot") and merged is None
        if merges_examples:
            return None
        return one_hot(
            self.inputs[0], self.num_classes, axis, merged_axis=merged, output=self.outputs[0]
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
        if is_batch(length):
            what = "its pieces are of several examples"
            raise mixing(what)
        places = (
            None if length is None else 1 + (length - self.sequence_length) // self.sequence_stride
        )
        return ((*self.whole[:-1], places, self.sequence_length),)

    def movement(self) -> Movement:
        """Every element to its place in each of the pieces that hold it."""
        length, step = self.sequence_length, self.sequence_stride
        return frames(self.inputs[0], length, step, output=self.outputs[0])
