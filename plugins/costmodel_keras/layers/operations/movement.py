"""Functions of keras.ops that carry elements, or only give them another shape."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, TypeVar

from attrs import frozen

from costmodel.layer import Work, setting
from costmodel.tensor import Tensor
from costmodel.workload.builders import elementwise, embedding, rearrange
from costmodel.workload.reasons import Free
from costmodel_keras.arguments import Operand, Span, Value
from costmodel_keras.layers import settings
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
        return (rearrange(self.purpose, self.inputs, self.outputs, weights=self.constants),)


def _replaced(whole: Whole, axis: int, *lengths: int | None) -> Whole:
    return (*whole[:axis], *lengths, *whole[axis + 1 :])


# ------------------------------------------------------------------ other shapes


def _target(value: Any) -> tuple[int | None, ...]:
    several = value if isinstance(value, (list, tuple)) else (value,)
    return tuple([None if item is None else settings.integer(item) for item in several])


_Axis = TypeVar("_Axis")


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


@frozen(slots=False)
class Moveaxis(Moved):
    """Axes brought to other places."""

    kinds: ClassVar = (kind("Moveaxis"),)
    purpose: ClassVar = "transposition"

    source: tuple[int, ...] = setting(settings.integers)
    destination: tuple[int, ...] = setting(settings.integers)

    def wholes(self) -> Sequence[Whole]:
        """The named axes at their destinations, the others in their order."""
        rank = len(self.whole)
        source = [axis_in(axis, rank) for axis in self.source]
        places = {
            axis_in(to, rank): axis for axis, to in zip(source, self.destination, strict=True)
        }
        if not len(set(source)) == len(places) == len(source):
            message = f"an axis is named twice, among {self.source} or {self.destination}"
            raise ValueError(message)
        rest = iter([axis for axis in range(rank) if axis not in source])
        order = [places[i] if i in places else _following(rest) for i in range(rank)]
        return (tuple(self.whole[axis] for axis in order),)


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


class InPlaceOrder(Moved):
    """The same shape with elements at other places, or some of them zero."""

    kinds: ClassVar = tuple(map(kind, ("Flip", "Fliplr", "Flipud", "Roll", "Tril", "Triu")))


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


class Diagonal(OnDiagonal, Moved):
    """The elements on a diagonal."""

    kinds: ClassVar = (kind("Diagonal"),)

    def wholes(self) -> Sequence[Whole]:
        """The other axes, and the diagonal last."""
        return ((*self.others, self.length),)


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
            return (rearrange("selection", self.inputs, self.outputs, weights=self.constants),)
        table, *rest = self.constants
        axis = 0 if self.axis is None else axis_in(self.axis, len(table.shape))
        rows = Tensor((table.size,), table.format) if self.axis is None else table
        indices = (*self.inputs, *rest)[0]
        return (embedding(indices, rows, axis=axis, output=self.outputs[0]),)


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
