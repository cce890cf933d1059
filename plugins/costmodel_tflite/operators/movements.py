"""Elements seen in another shape, moved, repeated or fetched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ShapeError
from costmodel.frontend.evaluation import LARGEST
from costmodel.frontend.translation import DataDependentError
from costmodel.workload import builders
from costmodel.workload.operators import Elementwise
from costmodel_tflite.table import (
    activated,
    leave_unpriced,
    rearranged,
    stated_shape,
    translates,
    worked,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

# ------------------------------------------------------------------ views


@translates("RESHAPE")
def reshape(node: TfliteNode) -> Value:
    """The same elements in another shape, which an input, an option or the file states."""
    value, shape = node.input(0), node.optional(1)
    if shape is not None and shape.data is not None:
        wanted = [int(length) for length in shape.data.reshape(-1)]
    elif node.option("new_shape", ()) and shape is None:
        wanted = list(node.option("new_shape", ()))
    else:
        wanted = list(stated_shape(node, "data"))
    if wanted == [0]:  # how some converters write a scalar
        wanted = []
    return node.add("reshape", value, shape=filled(wanted, value.size))


def filled(shape: Sequence[int], size: int) -> list[int]:
    """A shape whose one open length, -1, follows from the number of elements."""
    known = math.prod(length for length in shape if length != -1)
    return [size // max(known, 1) if length == -1 else length for length in shape]


@translates("SQUEEZE")
def squeeze(node: TfliteNode) -> Value:
    """Without axes of one element."""
    value = node.input()
    axes = {value.axis(axis) for axis in node.option("squeeze_dims", ())}
    if not axes:
        axes = {axis for axis, length in enumerate(value.shape) if length == 1}
    kept = [length for axis, length in enumerate(value.shape) if axis not in axes]
    return node.add("reshape", value, shape=kept)


@translates("EXPAND_DIMS")
def expand_dims(node: TfliteNode) -> Value:
    """With one more axis, of one element."""
    value = node.input(0)
    (axis,) = node.numbers(1, "the axis")
    place = axis + value.rank + 1 if axis < 0 else axis
    if not 0 <= place <= value.rank:
        message = f"axis {axis} of {value.rank} axes and one more"
        raise ShapeError(message)
    return node.add("reshape", value, shape=[*value.shape[:place], 1, *value.shape[place:]])


@translates("BITCAST")
def bitcast(node: TfliteNode) -> Value:
    """The same bits as elements of another width."""
    value, shape = node.input(), stated_shape(node, "the widths of its elements")
    if math.prod(shape) == value.size:
        return node.add("reshape", value, shape=shape)
    return rearranged(node, "conversion", shape, value)


# ------------------------------------------------------------------ order and parts


@translates("TRANSPOSE")
def transpose(node: TfliteNode) -> Value:
    """The axes in another order."""
    return node.add("transpose", node.input(0), order=node.numbers(1, "the order of the axes"))


@translates("REVERSE_V2")
def reverse(node: TfliteNode) -> Value:
    """Axes from their end to their beginning."""
    value = node.input(0)
    axes = node.numbers(1, "which axes are reversed")
    return worked(node, builders.flip(value.tensor, axes), value)[0]


@translates("REVERSE_SEQUENCE")
def reverse_sequence(node: TfliteNode) -> Value:
    """Parts of an axis, of lengths that are data, from their end to their beginning."""
    value = node.input(0)
    return rearranged(node, "selection", value.shape, value, node.input(1))


@translates("CONCATENATION")
def concatenate(node: TfliteNode) -> Value:
    """Values one after the other along an axis."""
    values, axis = node.present, node.option("axis")
    if any(id(value) in node.subgraphs.parts for value in values):
        values = _joined_again(node, values, axis)
    return activated(node, node.add("concatenate", *values, axis=axis))


def _joined_again(node: TfliteNode, values: Sequence[Value], axis: int) -> list[Value]:
    """What stands between two slices of one tensor, and all that is left of this in one.

    So converters write one item of a list: what is before it, the new item, what is behind it.

    Raises:
        DataDependentError: the lengths of the slices do not follow from that of the result.

    """
    parts = node.subgraphs.parts
    sources = {id(parts[id(value)]): parts[id(value)] for value in values if id(value) in parts}
    items = [value for value in values if id(value) not in parts]
    (source, *others) = sources.values()
    whole, place = stated_shape(node, "data"), source.axis(axis)
    rest = whole[place] - sum(one.shape[place] for one in items)
    if others or whole != source.shape or not items or rest < 0:
        message = "the lengths of the slices that it puts together depend on data"
        raise DataDependentError(message)
    if rest == 0:
        return items
    left = rearranged(
        node, "selection", (*whole[:place], rest, *whole[place + 1 :]), source
    )  # fmt: skip
    return [left, *items]


@translates("PACK")
def pack(node: TfliteNode) -> Value:
    """Values one after the other along a new axis."""
    values = node.present
    rank = values[0].rank + 1
    axis = node.option("axis")
    place = axis + rank if axis < 0 else axis
    seen = [
        node.add("reshape", one, shape=[*one.shape[:place], 1, *one.shape[place:]])
        for one in values
    ]
    return node.add("concatenate", *seen, axis=place)


@translates("UNPACK")
def unpack(node: TfliteNode) -> Sequence[Value]:
    """The slices along an axis, each without it."""
    value = node.input()
    axis = value.axis(node.option("axis"))
    _check_parts(node, value.shape[axis])
    parts = node.graph.all_of("split", value, sizes=[1] * value.shape[axis], axis=axis)
    shape = [*value.shape[:axis], *value.shape[axis + 1 :]]
    return [node.add("reshape", one, shape=shape) for one in parts]


def _check_parts(node: TfliteNode, count: int) -> None:
    """Hold the number of parts against that of the results.

    Raises:
        ShapeError: they differ.

    """
    if count != node.results:
        message = f"{count:,} parts for {node.results:,} results"
        raise ShapeError(message)


@translates("SPLIT")
def split(node: TfliteNode) -> Sequence[Value]:
    """Parts of the same length along an axis."""
    value = node.input(1)
    (place,) = node.numbers(0, "the axis")
    axis, count = value.axis(place), node.option("num_splits", 1)
    _check_parts(node, count)
    if count < 1 or value.shape[axis] % count:
        message = f"an axis of {value.shape[axis]} in {count} parts"
        raise ShapeError(message)
    sizes = [value.shape[axis] // count] * count
    return node.graph.all_of("split", value, sizes=sizes, axis=axis)


@translates("SPLIT_V")
def split_by_lengths(node: TfliteNode) -> Sequence[Value]:
    """Parts of given lengths along an axis."""
    value = node.input(0)
    (place,) = node.numbers(2, "the axis")
    sizes = node.numbers(1, "the lengths of the parts")
    _check_parts(node, len(sizes))
    axis = value.axis(place)
    rest = value.shape[axis] - sum(size for size in sizes if size >= 0)
    lengths = [rest if size < 0 else size for size in sizes]
    return node.graph.all_of("split", value, sizes=lengths, axis=axis)


@translates("SLICE")
def slice_(node: TfliteNode) -> Value:
    """A block, from a place that may be data on; -1 stands for all that is left."""
    value = node.input(0)
    if node.input(2).data is None and node.shapes[:1] == [None]:
        return _part(node, value)
    sizes = node.numbers(2, "the lengths of the block")
    if node.input(1).data is None and min(sizes, default=0) < 0 and node.shapes[:1] == [None]:
        return _part(node, value)
    if node.input(1).data is None:
        if min(sizes, default=0) < 0:
            sizes = list(stated_shape(node, "data"))
        return rearranged(node, "selection", sizes, value, node.input(1))
    begins = node.numbers(1, "the begin of the block")
    key = [
        slice(begin, length if size == -1 else begin + size)
        for begin, size, length in zip(begins, sizes, value.shape, strict=True)
    ]
    return node.add("select", value, key=key)


def _part(node: TfliteNode, value: Value) -> Value:
    """A slice of a length that is data; only with the rest of the value it has a price."""
    part = rearranged(node, "selection", value.shape, value)
    node.subgraphs.parts[id(part)] = value
    node.subgraphs.kept.append(part)
    return part


@translates("STRIDED_SLICE")
def strided_slice(node: TfliteNode) -> Value:
    """A slice as NumPy writes it, by begins, ends, steps and masks of bits."""
    value = node.input(0)
    if any(node.input(place).data is None for place in (1, 2, 3)):
        reads = [one for one in node.inputs[1:4] if one is not None and not one.is_constant]
        return rearranged(node, "selection", stated_shape(node, "data"), value, *reads)
    return node.add("select", value, key=key_of(node, value.rank))


def key_of(node: TfliteNode, rank: int) -> list[int | slice | None]:
    """The items of a slice, one for each axis of the value and each new one."""
    begins, ends, steps = (
        node.numbers(place, f"the {what} of the slice")
        for place, what in ((1, "begin"), (2, "end"), (3, "step"))
    )
    masks = {name: node.option(f"{name}_mask") for name in (
        "begin", "end", "ellipsis", "new_axis", "shrink_axis",
    )}  # fmt: skip
    key: list[int | slice | None] = []
    spec = list(zip(begins, ends, steps, strict=True))
    named = sum(
        not (masks["ellipsis"] | masks["new_axis"]) >> place & 1 for place in range(len(spec))
    )
    for place, (begin, end, step) in enumerate(spec):
        marked = {name: mask >> place & 1 for name, mask in masks.items()}
        if marked["ellipsis"]:
            key += [slice(None)] * (rank - named)
        elif marked["new_axis"]:
            key.append(None)
        elif marked["shrink_axis"]:
            key.append(begin)
        else:
            last = begin + end if node.option("offset", default=False) else end
            key.append(
                slice(None if marked["begin"] else begin, None if marked["end"] else last, step)
            )
    taken = sum(item is not None for item in key)
    return [*key, *[slice(None)] * (rank - taken)]


# ------------------------------------------------------------------ elements that indices name


@translates("GATHER")
def gather(node: TfliteNode) -> Value:
    """Slices along an axis, at places that are data."""
    value, places = node.input(0), node.input(1)
    axis, shared = value.axis(node.option("axis")), node.option("batch_dims")
    if shared:
        shared = shared + places.rank if shared < 0 else shared
        shape = (*value.shape[:axis], *places.shape[shared:], *value.shape[axis + 1 :])
        return rearranged(node, "selection", shape, value, places)
    if places.is_constant and not value.is_constant:
        shape = (*value.shape[:axis], *places.shape, *value.shape[axis + 1 :])
        return rearranged(node, "selection", shape, value)
    return node.add("embedding", value, places, axis=axis)


@translates("GATHER_ND")
def gather_nd(node: TfliteNode) -> Value:
    """Slices at places that rows of indices name."""
    value, places = node.input(0), node.input(1)
    depth = places.shape[-1]
    shape = (*places.shape[:-1], *value.shape[depth:])
    return rearranged(node, "selection", shape, value, places)


@translates("SCATTER_ND")
def scatter_nd(node: TfliteNode) -> Value:
    """Slices put at places that rows of indices name, zeros elsewhere."""
    shape = node.input(2)
    wanted = stated_shape(node, "data") if shape.data is None else node.numbers(2, "the shape")
    return rearranged(node, "selection", wanted, node.input(0), node.input(1))


@translates("SPARSE_TO_DENSE")
def sparse_to_dense(node: TfliteNode) -> Value:
    """Elements put at places that indices name, one number elsewhere."""
    shape = node.input(1)
    wanted = stated_shape(node, "data") if shape.data is None else node.numbers(1, "the shape")
    return rearranged(node, "selection", wanted, node.input(0), node.input(2))


@translates("DYNAMIC_UPDATE_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE")
def update_slice(node: TfliteNode) -> Value:
    """A tensor with a block of it replaced, from a place that may be data on."""
    value, block = node.input(0), node.input(1)
    return rearranged(node, "selection", value.shape, value, block)


@translates("ONE_HOT")
def one_hot(node: TfliteNode) -> Value:
    """Indices as vectors of two numbers along a new axis."""
    indices = node.input(0)
    (classes,) = node.numbers(1, "the number of classes")
    operator = builders.one_hot(indices.tensor, classes, node.option("axis"))
    return worked(node, operator, indices)[0]


@translates("MATRIX_DIAG")
def matrix_diagonal(node: TfliteNode) -> Value:
    """Vectors as the diagonals of matrices of zeros."""
    value = node.input()
    return rearranged(node, "selection", (*value.shape, value.shape[-1]), value)


@translates("MATRIX_SET_DIAG")
def set_diagonal(node: TfliteNode) -> Value:
    """Matrices with other diagonals."""
    value = node.input(0)
    return rearranged(node, "selection", value.shape, value, node.input(1))


# ------------------------------------------------------------------ repetition and padding


@translates("PAD", "PADV2")
def pad(node: TfliteNode) -> Value:
    """One number before and after the elements along each axis."""
    amounts = _pairs(node.numbers(1, "how much it pads"))
    return node.add("pad", node.input(0), amounts=amounts)


def _pairs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@translates("MIRROR_PAD")
def mirror_pad(node: TfliteNode) -> Value:
    """The elements at each end once more, mirrored."""
    value = node.input(0)
    amounts = _pairs(node.numbers(1, "how much it pads"))
    shape = [before + length + after
             for length, (before, after) in zip(value.shape, amounts, strict=True)]  # fmt: skip
    return rearranged(node, "padding", shape, value)


@translates("TILE")
def tile(node: TfliteNode) -> Value:
    """A value repeated along each axis."""
    return node.add("tile", node.input(0), times=node.numbers(1, "how often it is repeated"))


@translates("BROADCAST_TO")
def broadcast_to(node: TfliteNode) -> Value:
    """A value stretched along axes of one element."""
    return node.add("expand", node.input(0), shape=node.numbers(1, "the shape"))


@translates("DILATE")
def dilate(node: TfliteNode) -> Value:
    """One number between neighbouring elements along each axis."""
    value = node.input(0)
    factors = node.numbers(1, "the distance of its elements")
    shape = [max((length - 1) * factor + 1, 0)
             for length, factor in zip(value.shape, factors, strict=True)]  # fmt: skip
    return rearranged(node, "padding", shape, value)


@translates("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def space_and_depth(node: TfliteNode) -> Value:
    """Blocks of an image as channels, or channels as blocks."""
    value, block = node.input(), max(node.option("block_size", 1), 1)
    rows, height, width, channels = value.shape
    image, deep = ("n", "hi", "wj", "c"), ("n", "h", "w", "ijc")
    if node.operator == "SPACE_TO_DEPTH":
        before, after = image, deep
        sizes = {"h": height // block, "w": width // block, "c": channels}
    else:
        before, after = deep, image
        sizes = {"h": height, "w": width, "c": channels // block**2}
    sizes |= {"n": rows, "i": block, "j": block}
    return worked(node, builders.regroup(value.tensor, before, after, sizes), value)[0]


@translates("SPACE_TO_BATCH_ND")
def space_to_batch(node: TfliteNode) -> Value:
    """Blocks of a padded image as images of their own."""
    value = node.input(0)
    blocks = node.numbers(1, "the lengths of a block")
    pads = _pairs(node.numbers(2, "how much it pads"))
    rows, spatial, rest = _spatial(value, len(blocks))
    lengths = [
        (length + before + after) // max(block, 1)
        for length, block, (before, after) in zip(spatial, blocks, pads, strict=True)
    ]
    return rearranged(
        node, "transposition", (rows * math.prod(blocks), *lengths, *rest), value
    )  # fmt: skip


@translates("BATCH_TO_SPACE_ND")
def batch_to_space(node: TfliteNode) -> Value:
    """Images as blocks of larger ones, of which the ends are cut."""
    value = node.input(0)
    blocks = node.numbers(1, "the lengths of a block")
    crops = _pairs(node.numbers(2, "how much it cuts"))
    rows, spatial, rest = _spatial(value, len(blocks))
    lengths = [
        length * block - before - after
        for length, block, (before, after) in zip(spatial, blocks, crops, strict=True)
    ]
    rows //= max(math.prod(blocks), 1)
    return rearranged(node, "transposition", (rows, *lengths, *rest), value)


def _spatial(value: Value, axes: int) -> tuple[int, Sequence[int], Sequence[int]]:
    return value.shape[0], value.shape[1 : axes + 1], value.shape[axes + 1 :]


# ------------------------------------------------------------------ images of another size

_NEIGHBOURS: Final = 2
"""Elements along each axis between which a bilinear resizing lies."""


@translates("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
def resize(node: TfliteNode) -> Value:
    """The nearest element, or the weighed four neighbours, of every element of the result."""
    value = node.input(0)
    height, width = node.numbers(1, "the size of the image")
    rows, *_, channels = value.shape
    shape = (rows, height, width, channels)
    if shape == value.shape:
        return node.add("copy", value, purpose="repetition")
    if node.operator == "RESIZE_NEAREST_NEIGHBOR":
        return worked(node, builders.resize(value.tensor, shape), value)[0]
    axes = [axis for axis in range(value.rank) if value.shape[axis] != shape[axis]]
    touched = math.prod(
        min(before, _NEIGHBOURS * after) if axis in axes else before
        for axis, (before, after) in enumerate(zip(value.shape, shape, strict=True))
    )
    carried = builders.rearrange_along("repetition", value.tensor, shape, axes, touched=touched)
    steps = _NEIGHBOURS**2
    operator = Elementwise(
        dims=carried.dims, operands=carried.operands, function="affine", steps=steps
    )
    return worked(node, operator, value)[0]


# ------------------------------------------------------------------ tensors made of numbers


def known(node: TfliteNode, array: Any) -> Value:
    """A constant that follows from shapes and numbers."""
    number = node.formats[0] if node.formats else None
    return node.graph.constant(node.name, array.shape, number, array)


def constant_of_shape(node: TfliteNode, shape: Sequence[int], value: float) -> Value:
    """A constant of one number; its data are made where they are small."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    number = node.formats[0] if node.formats else None
    size = math.prod(shape)
    data = np.full(shape, value) if 0 <= size <= LARGEST else None
    return node.graph.constant(node.name, tuple(shape), number, data)


@translates("SHAPE")
def shape_of(node: TfliteNode) -> Value:
    """The lengths of a value, which are known."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    return known(node, np.asarray(node.input().shape, np.int64))


@translates("RANK")
def rank_of(node: TfliteNode) -> Value:
    """The number of axes of a value, which is known."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    return known(node, np.asarray(node.input().rank))


@translates("FILL")
def fill(node: TfliteNode) -> Value:
    """A tensor of one number."""
    shape = node.numbers(0, "the shape")
    value = node.input(1)
    if value.scalar is not None:
        return constant_of_shape(node, shape, value.scalar)
    seen = node.add("reshape", value, shape=[1] * len(shape))
    return node.add("expand", seen, shape=shape)


@translates("ZEROS_LIKE")
def zeros_like(node: TfliteNode) -> Value:
    """Zeros in the shape of a value."""
    return constant_of_shape(node, node.input().shape, 0)


@translates("RANGE")
def range_(node: TfliteNode) -> Value:
    """Numbers of the same distance."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    first, last, step = (node.data(place, "the range").reshape(()).item() for place in range(3))
    count = math.ceil((last - first) / step) if step else 0
    if count > LARGEST:
        return constant_of_shape(node, (count,), 0)
    return known(node, first + step * np.arange(max(count, 0)))


@translates("BROADCAST_ARGS")
def broadcast_args(node: TfliteNode) -> Value:
    """The shape to which two shapes broadcast."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    shapes = [tuple(node.numbers(place, "a shape")) for place in range(2)]
    if any(math.prod(shape) < 0 or len(shape) > LARGEST for shape in shapes):
        message = "a shape has a negative length"
        raise DataDependentError(message)
    return known(node, np.asarray(np.broadcast_shapes(*shapes), np.int64))


leave_unpriced({
    "how many elements it gives depends on the data": "UNIQUE WHERE",
    "how many comparisons a sort takes depends on the data and the library": """
        TOPK_V2 STABLEHLO_SORT""",
    "how many boxes are compared depends on the data": """
        NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5""",
})  # fmt: skip
