"""Views, and elements that change their places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError
from costmodel_torch.aten.table import (
    ATEN,
    declared,
    elementwise,
    number,
    optional,
    setting,
    tensor,
    values,
    whole,
    wholes,
)

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode

# ------------------------------------------------------------------ the same elements


@ATEN.translates(
    "aten.contiguous", "aten.clone", "aten.detach", "aten.alias", "aten.lift_fresh",
    "aten.lift_fresh_copy", "aten.dropout", "aten.alpha_dropout", "aten.feature_dropout",
    "aten.feature_alpha_dropout", "aten.positive",
    "aten.resolve_conj", "aten.resolve_neg",
    "aten.requires_grad", "aten.view_of", "aten.copy_to", "aten.data", "aten.detach_copy",
)  # fmt: skip
def same(node: SourceNode) -> Value:
    """The same elements; dropout does nothing at inference."""
    return node.add("identity", tensor(node, "input" if "input" in node.attributes else "self"))


@ATEN.translates("aten.native_dropout")
def native_dropout(node: SourceNode) -> Sequence[Value]:
    """Nothing at inference; the mask keeps all."""
    value = tensor(node, "input")
    return [node.add("identity", value), node.graph.constant("mask", value.shape)]


@ATEN.translates(
    "aten._assert_async", "aten._assert_scalar", "aten._assert_tensor_metadata",
    "aten._functional_assert_async", "aten._functional_assert_scalar",
    "aten.sym_constrain_range", "aten.sym_constrain_range_for_size", "aten._print",
    "aten._functional_sym_constrain_range", "aten._functional_sym_constrain_range_for_size",
)  # fmt: skip
def check(node: SourceNode) -> Sequence[Value]:
    """A check, which a compiled network leaves out."""
    return [node.graph.constant("checked", (1,)) for _ in range(node.results)]


@ATEN.translates(
    "aten.view", "aten.reshape", "aten._unsafe_view", "aten._reshape_alias", "aten.view_copy"
)
def reshape(node: SourceNode) -> Value:
    """The same elements in another shape, of which one length may be left open."""
    value = tensor(node, "self")
    if "dtype" in node.attributes:
        return node.add("identity", value)
    name = "size" if "size" in node.attributes else "shape"
    return node.add("reshape", value, shape=_filled(wholes(node, name), value.size))


def _filled(lengths: Sequence[int], size: int) -> list[int]:
    """The lengths with the one that is -1 computed.

    Raises:
        ReadError: the others do not divide the number of elements.

    """
    known = math.prod([length for length in lengths if length != -1])
    if -1 in lengths and (known < 1 or size % known):
        message = f"{size:,} elements cannot be seen as {tuple(lengths)}"
        raise ReadError(message)
    return [size // known if length == -1 else length for length in lengths]


@ATEN.translates("aten.view_as", "aten.reshape_as")
def reshape_as(node: SourceNode) -> Value:
    """The same elements in the shape of another tensor."""
    return node.add("reshape", tensor(node, "self"), shape=tensor(node, "other").shape)


@ATEN.translates("aten.flatten", "aten.ravel")
def flatten(node: SourceNode) -> Value:
    """Neighbouring axes as one."""
    value = tensor(node, "self")
    if value.rank == 0:
        return node.add("reshape", value, shape=(1,))
    first = value.axis(whole(node, "start_dim", 0))
    last = value.axis(whole(node, "end_dim", -1))
    shape = (*value.shape[:first], math.prod(value.shape[first : last + 1]),
             *value.shape[last + 1 :])  # fmt: skip
    return node.add("reshape", value, shape=shape)


@ATEN.translates("aten.unflatten")
def unflatten(node: SourceNode) -> Value:
    """One axis as several."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim"))
    lengths = _filled(wholes(node, "sizes"), value.shape[axis])
    return node.add(
        "reshape", value, shape=(*value.shape[:axis], *lengths, *value.shape[axis + 1 :])
    )


@ATEN.translates("aten.unsqueeze")
def unsqueeze(node: SourceNode) -> Value:
    """A new axis of one element."""
    value = tensor(node, "self")
    axis = whole(node, "dim") % (value.rank + 1)
    return node.add("reshape", value, shape=(*value.shape[:axis], 1, *value.shape[axis:]))


@ATEN.translates("aten.squeeze", "aten.squeeze_copy")
def squeeze(node: SourceNode) -> Value:
    """Without axes of one element."""
    value = tensor(node, "self")
    given = setting(node, "dim")
    axes = range(value.rank)
    if given is not None:
        axes = [value.axis(axis) for axis in wholes(node, "dim")]  # type: ignore[assignment]  # either is a row
    shape = [length for axis, length in enumerate(value.shape) if length != 1 or axis not in axes]
    return node.add("reshape", value, shape=shape)


# ------------------------------------------------------------------ other places


@ATEN.translates("aten.permute", "aten.permute_copy")
def permute(node: SourceNode) -> Value:
    """The axes in another order."""
    return node.add("transpose", tensor(node, "self"), order=wholes(node, "dims"))


@ATEN.translates("aten.transpose", "aten.swapaxes", "aten.swapdims")
def transpose(node: SourceNode) -> Value:
    """Two axes in each other's place."""
    value = tensor(node, "self")
    names = ("axis0", "axis1") if "axis0" in node.attributes else ("dim0", "dim1")
    first, second = (value.axis(whole(node, name)) for name in names)
    return _swapped(node, value, first, second)


@ATEN.translates("aten.t", "aten.numpy_T", "aten.mT", "aten.adjoint", "aten.matrix_H")
def turn(node: SourceNode) -> Value:
    """The last two axes in each other's place, or all in reverse."""
    value = tensor(node, "self")
    if node.operator == "aten.numpy_T":
        return node.add("transpose", value, order=list(reversed(range(value.rank))))
    return value if value.rank < len("mn") else _swapped(node, value, value.rank - 2,
                                                         value.rank - 1)  # fmt: skip


def _swapped(node: SourceNode, value: Value, first: int, second: int) -> Value:
    order = list(range(value.rank))
    order[first], order[second] = second, first
    return node.add("transpose", value, order=order)


@ATEN.translates("aten.movedim", "aten.moveaxis")
def movedim(node: SourceNode) -> Value:
    """Axes moved to other places."""
    value = tensor(node, "self")
    sources = [value.axis(axis) for axis in wholes(node, "source")]
    targets = [value.axis(axis) for axis in wholes(node, "destination")]
    order = dict(zip(targets, sources, strict=True))
    rest = iter([axis for axis in range(value.rank) if axis not in sources])
    return node.add(
        "transpose", value,
        order=[order[place] if place in order else next(rest) for place in range(value.rank)],
    )  # fmt: skip


@ATEN.translates("aten.expand", "aten.expand_copy", "aten.broadcast_to")
def expand(node: SourceNode) -> Value:
    """A value stretched along axes of one element; -1 keeps a length."""
    value = tensor(node, "self")
    wanted = wholes(node, "size")
    own = [*[1] * (len(wanted) - value.rank), *value.shape]
    shape = [before if after == -1 else after for before, after in zip(own, wanted, strict=True)]
    return node.add("expand", value, shape=shape)


@ATEN.translates("aten.expand_as")
def expand_as(node: SourceNode) -> Value:
    """A value stretched to the shape of another."""
    return node.add("expand", tensor(node, "self"), shape=tensor(node, "other").shape)


@ATEN.translates("aten.broadcast_tensors", "aten.meshgrid")
def broadcast(node: SourceNode) -> Sequence[Value]:
    """Values stretched to a common shape."""
    given = values(node, "tensors")
    shapes = [declared(node, place) for place in range(node.results)]
    if node.operator.endswith("meshgrid"):
        rank = len(shapes[0])
        is_swapped = setting(node, "indexing") == "xy" and rank > 1
        places = [1, 0, *range(2, rank)] if is_swapped else list(range(rank))
        given = [
            node.add("reshape", one, shape=[one.size if axis == place else 1
                                            for axis in range(rank)])
            for one, place in zip(given, places, strict=True)
        ]  # fmt: skip
    return [node.add("expand", one, shape=shape) for one, shape in zip(given, shapes, strict=True)]


@ATEN.translates("aten.select", "aten.select_copy")
def select(node: SourceNode) -> Value:
    """One element along an axis."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim"))
    return node.add("select", value, key=[*[slice(None)] * axis, whole(node, "index")])


@ATEN.translates("aten.slice", "aten.slice_copy")
def part(node: SourceNode) -> Value:
    """Every so many elements between two places along an axis."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim", 0))
    start, step = whole(node, "start", 0), whole(node, "step", 1)
    end = node.attributes.get("end")
    return _sliced(node, value, axis, slice(start, None if end is None else whole(node, "end"),
                                            step))  # fmt: skip


def _sliced(node: SourceNode, value: Value, axis: int, taken: slice) -> Value:
    length = value.shape[axis]
    start, stop, step = taken.indices(length)
    if (start, stop, step) == (0, length, 1):
        return node.add("identity", value)
    return node.add("select", value, key=[*[slice(None)] * axis, slice(start, stop, step)])


@ATEN.translates("aten.narrow", "aten.narrow_copy")
def narrow(node: SourceNode) -> Value:
    """So many elements from a place on."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim"))
    start = whole(node, "start") % max(value.shape[axis], 1)
    return _sliced(node, value, axis, slice(start, start + whole(node, "length")))


@ATEN.translates(
    "aten.split", "aten.split_with_sizes", "aten.chunk", "aten.unsafe_split",
    "aten.unsafe_split_with_sizes", "aten.unsafe_chunk", "aten.tensor_split",
    "aten.split_with_sizes_copy", "aten.split_copy",
)  # fmt: skip
def split(node: SourceNode) -> Sequence[Value]:
    """Parts along an axis."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim", 0))
    sizes = _parts(node, value.shape[axis])
    if len(sizes) == 1:
        return [node.add("identity", value)]
    return node.graph.all_of("split", value, sizes=sizes, axis=axis)


def _parts(node: SourceNode, length: int) -> list[int]:
    """The lengths of the parts of an axis."""
    given = node.attributes
    if "split_sizes" in given:
        return wholes(node, "split_sizes")
    if "sections" in given:
        count = whole(node, "sections")
        return [length // count + (place < length % count) for place in range(count)]
    if "indices" in given:
        ends = [*wholes(node, "indices"), length]
        return [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if "chunks" in given:
        each = -(-length // max(whole(node, "chunks"), 1))
    else:
        found = wholes(node, "split_size")
        if len(found) > 1 or isinstance(given["split_size"], tuple):
            return found
        (each,) = found
    each = max(each, 1)
    return [min(each, length - start) for start in range(0, length, each)]


@ATEN.translates("aten.unbind", "aten.unbind_copy")
def unbind(node: SourceNode) -> Sequence[Value]:
    """The slices along an axis, without it."""
    value = tensor(node, "self")
    axis = value.axis(whole(node, "dim", 0))
    shape = (*value.shape[:axis], *value.shape[axis + 1 :])
    if value.shape[axis] == 1:
        return [node.add("reshape", value, shape=shape)]
    parts = node.graph.all_of("split", value, sizes=[1] * value.shape[axis], axis=axis)
    return [node.add("reshape", one, shape=shape) for one in parts]


@ATEN.translates("aten.cat", "aten.concat", "aten.concatenate")
def cat(node: SourceNode) -> Value:
    """Values one after the other along an axis."""
    given = values(node, "tensors")
    if len(given) == 1:
        return node.add("identity", given[0])
    return node.add("concatenate", *given, axis=given[0].axis(whole(node, "dim", 0)))


@ATEN.translates("aten.stack", "aten.hstack", "aten.vstack", "aten.dstack", "aten.column_stack")
def stack(node: SourceNode) -> Value:
    """Values one after the other along a new axis, or one that they get."""
    given = values(node, "tensors")
    kind, rank = node.operator.removeprefix("aten."), given[0].rank
    if kind == "stack":
        axis = whole(node, "dim", 0) % (rank + 1)
        given = [
            node.add("reshape", one, shape=(*one.shape[:axis], 1, *one.shape[axis:]))
            for one in given
        ]
    elif kind == "vstack":
        axis, given = 0, [_at_least(node, one, 2) for one in given]
    elif kind == "hstack":
        axis = 0 if rank == 1 else 1
    elif kind == "dstack":
        axis, given = 2, [_at_least(node, one, 3) for one in given]
    else:
        axis = 1
        given = [
            node.add("reshape", one, shape=(one.size, 1)) if one.rank == 1 else one for one in given
        ]
    if len(given) == 1:
        return given[0]
    return node.add("concatenate", *given, axis=axis)


def _at_least(node: SourceNode, value: Value, rank: int) -> Value:
    if value.rank >= rank:
        return value
    shape = (1, value.size) if value.rank == 1 else (*value.shape, 1)
    made = node.add("reshape", value, shape=shape)
    return _at_least(node, made, rank) if made.rank < rank else made


# ------------------------------------------------------------------ around and within

_MODES: Final[Mapping[str, str]] = {
    **{f"aten.{mode}_pad{rank}d": mode for mode in ("reflection", "replication")
       for rank in (1, 2, 3)},
    "aten._pad_circular": "circular",
}  # fmt: skip


@ATEN.translates("aten.pad", "aten.constant_pad_nd", *_MODES)
def pad(node: SourceNode) -> Value:
    """Elements before and after those along some axes; fewer where an amount is negative."""
    value = tensor(node, "self")
    mode = _MODES.get(node.operator, setting(node, "mode", "constant"))
    given = wholes(node, "pad" if "pad" in node.attributes else "padding")
    amounts = [(0, 0)] * (value.rank - len(given) // 2)
    amounts += [(given[place], given[place + 1]) for place in range(len(given) - 2, -1, -2)]
    for axis, (before, after) in enumerate(amounts):
        if min(before, after) < 0:
            length = value.shape[axis]
            value = _sliced(
                node, value, axis, slice(max(-before, 0), length - max(-after, 0))
            )  # fmt: skip
    amounts = [(max(before, 0), max(after, 0)) for before, after in amounts]
    if mode == "constant" or not any(map(any, amounts)):
        return node.add("pad", value, amounts=amounts)
    shape = [length + sum(pair) for length, pair in zip(value.shape, amounts, strict=True)]
    return node.add("rearrange", value, purpose="padding", shapes=[shape])


@ATEN.translates("aten.flip", "aten.fliplr", "aten.flipud")
def flip(node: SourceNode) -> Value:
    """The elements along some axes, the last first."""
    axes = {"aten.fliplr": [1], "aten.flipud": [0]}.get(node.operator)
    value = tensor(node, "self")
    return node.add("flip", value, axes=axes or [value.axis(one) for one in wholes(node, "dims")])


@ATEN.translates("aten.roll")
def roll(node: SourceNode) -> Value:
    """Elements moved along axes; what leaves at one end comes back at the other."""
    return _moved(node, tensor(node, "self"))


@ATEN.translates("aten.rot90")
def rotate(node: SourceNode) -> Value:
    """An image turned by right angles."""
    return node.add("rearrange", tensor(node, "self"), purpose="selection", shapes=[declared(node)])


def _moved(node: SourceNode, *given: Value, shape: Sequence[int] | None = None) -> Value:
    return node.add(
        "rearrange",
        *given,
        purpose="selection",
        shapes=[given[0].shape if shape is None else shape],
    )


@ATEN.translates("aten.repeat", "aten.tile")
def repeat(node: SourceNode) -> Value:
    """A value repeated along each axis."""
    value = tensor(node, "self")
    times = wholes(node, "repeats" if "repeats" in node.attributes else "dims")
    times = [*[1] * (value.rank - len(times)), *times]
    lead = [1] * (len(times) - value.rank)
    return node.add("tile", node.add("reshape", value, shape=(*lead, *value.shape)), times=times)


@ATEN.translates("aten.repeat_interleave")
def repeat_interleave(node: SourceNode) -> Value:
    """Each element repeated along an axis, or along all as one."""
    value = tensor(node, "self" if "self" in node.attributes else "repeats")
    return _moved(node, value, shape=declared(node))


@ATEN.translates("aten.tril", "aten.triu")
def triangle(node: SourceNode) -> Value:
    """The elements below or above a diagonal."""
    return node.add(
        "triangle", tensor(node, "self"), diagonal=whole(node, "diagonal", 0),
        upper=node.operator.endswith("triu"),
    )  # fmt: skip


@ATEN.translates("aten.diagonal", "aten.diagonal_copy", "aten.diag", "aten.linalg_diagonal")
def diagonal(node: SourceNode) -> Value:
    """The elements on a diagonal of two axes."""
    value = tensor(node, "self" if "self" in node.attributes else "A")
    if value.rank == 1:
        return _moved(node, value, shape=declared(node))
    axes = [value.axis(whole(node, name, place)) for place, name in enumerate(("dim1", "dim2"))]
    offset = whole(node, "offset", whole(node, "diagonal", 0))
    return node.add("diagonal", value, offset=offset, axes=axes)


@ATEN.translates("aten.diag_embed", "aten.block_diag", "aten.as_strided", "aten.as_strided_copy",
                 "aten.unfold", "aten.unfold_copy", "aten.masked_scatter")  # fmt: skip
def carried(node: SourceNode) -> Value:
    """Elements at places that no affine map states, in the shape that the program declares."""
    return _moved(node, *node.present, shape=declared(node))


@ATEN.translates("aten.slice_scatter", "aten.select_scatter")
def scattered_part(node: SourceNode) -> Value:
    """A value with a slice of it replaced."""
    value, block = tensor(node, "self"), tensor(node, "src")
    axis = value.axis(whole(node, "dim", 0))
    length = value.shape[axis]
    if node.operator.endswith("select_scatter"):
        start, step = whole(node, "index") % max(length, 1), 1
        block = node.add("reshape", block, shape=(*block.shape[:axis], 1, *block.shape[axis:]))
    else:
        end: Any = None if node.attributes.get("end") is None else whole(node, "end")
        start, _, step = slice(whole(node, "start", 0), end, whole(node, "step", 1)).indices(length)
    if block.shape == value.shape:
        return node.add("identity", block)
    if step != 1:
        return _moved(node, value, block)
    return node.add("insert", value, block, start=[
        start if place == axis else 0 for place in range(value.rank)
    ])  # fmt: skip


@ATEN.translates("aten.copy")
def copy(node: SourceNode) -> Value:
    """The elements of another tensor in the place of those of this one."""
    value, source = tensor(node, "self"), tensor(node, "src")
    if source.shape != value.shape:
        source = node.add("expand", source, shape=value.shape)
    if source.format == value.format:
        return node.add("identity", source)
    return node.add("copy", source, purpose="conversion")


@ATEN.translates("aten.fill")
def fill(node: SourceNode) -> Value:
    """A number in the place of all elements."""
    value, given = tensor(node, "self"), optional(node, "value")
    filling = number(node, 0) if given is None else given
    return node.add("expand", node.add("reshape", filling, shape=[1] * value.rank),
                    shape=value.shape)  # fmt: skip


@ATEN.translates("aten.zero")
def zero(node: SourceNode) -> Value:
    """Zeros in the place of all elements."""
    return node.graph.constant("zeros", tensor(node, "self").shape)


@ATEN.translates("aten.kron")
def kron(node: SourceNode) -> Value:
    """Every element of one operand times every element of the other."""
    left, right = tensor(node, "self"), tensor(node, "other")
    shape = declared(node)
    first, second = (_moved(node, one, shape=shape) for one in (left, right))
    return elementwise(node, "multiply", first, second)
