"""Elements seen in another shape, moved, selected or fetched; and shapes as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.formats import FixedPoint
from costmodel.frontend.evaluation import LARGEST
from costmodel.workload import builders
from costmodel_onnx.operators.table import translates
from costmodel_onnx.tensors import constant_of, number_of, sparse_constant_of

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode


def evaluated(node: OnnxNode, function: Callable[..., Any], most: int = LARGEST) -> Value | None:
    """The constant that a function of all known arrays gives, where it is small."""
    if not node.is_folded or sum(value.size for value in node.present) > most:
        return None
    try:
        data = np.asarray(function(*node.arrays()))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return node.constant(data, is_parameter=any(one.is_parameter for one in node.present))


# ------------------------------------------------------------------ constants


@translates("Constant")
def constant(node: OnnxNode) -> Value:
    """A constant, of one of several kinds of attribute."""
    attributes = node.attributes
    if "value" in attributes:
        return constant_of(node.graph, node.name, attributes["value"])
    if "sparse_value" in attributes:
        return sparse_constant_of(node.graph, node.name, attributes["sparse_value"])
    for name, kind in (("float", np.float32), ("int", np.int64)):
        for ending in ("", "s"):
            given = attributes.get(f"value_{name}{ending}")
            if given is not None:
                return node.constant(np.array(given, kind))
    return node.graph.constant(node.name, ())


@translates("ConstantOfShape")
def constant_of_shape(node: OnnxNode) -> Value:
    """A tensor of one number; of many elements it stands for weights that a file leaves out."""
    shape = node.numbers(0, "the shape")
    given = node.attribute("value")
    filler = np.zeros(1, np.float32)
    if given is not None:
        held = constant_of(node.graph, node.name, given)
        filler = filler if held.data is None else held.data.reshape(-1)[:1]
    if math.prod(shape) <= LARGEST:
        return node.constant(np.full(shape, filler[0], filler.dtype))
    number = number_of(given.data_type) if given is not None else None
    return node.graph.constant(node.name, shape, number)


@translates("Shape")
def shape(node: OnnxNode) -> Value:
    """The lengths of the axes, or of some of them."""
    lengths = node.input().shape
    start, end = int(node.attribute("start", 0)), node.attribute("end")
    return node.constant(np.array(lengths[start:end], np.int64))


@translates("Size")
def size(node: OnnxNode) -> Value:
    """The number of elements."""
    return node.constant(np.array(node.input().size, np.int64))


@translates("Range")
def numbers(node: OnnxNode) -> Value:
    """Numbers at equal distances."""
    start, stop, step = [node.data(place, "the range").reshape(-1)[0] for place in range(3)]
    count = max(math.ceil((stop - start) / step), 0)
    if count > LARGEST:
        return node.graph.constant(node.name, (count,), node.input(0).format)
    return node.constant(np.arange(count) * step + start)


@translates("EyeLike")
def eye(node: OnnxNode) -> Value:
    """Ones on a diagonal."""
    return node.graph.constant(node.name, node.input().shape, is_parameter=True)


@translates("HannWindow", "HammingWindow", "BlackmanWindow")
def window(node: OnnxNode) -> Value:
    """A window over samples, which is made once."""
    (count,) = node.numbers(0, "the length")
    return node.graph.constant(node.name, (count,), is_parameter=True)


@translates("MelWeightMatrix")
def mel_weights(node: OnnxNode) -> Value:
    """Weights of bands of frequencies, which are made once."""
    bins, length = (
        node.numbers(0, "the number of bands")[0],
        node.numbers(1, "the number of samples")[0],
    )
    return node.graph.constant(node.name, (length // 2 + 1, bins), is_parameter=True)


@translates("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike")
def random(node: OnnxNode) -> Value:
    """Numbers drawn for each inference."""
    if node.operator.endswith("Like"):
        return drawn(node, node.input().shape)
    return drawn(node, node.attribute("shape", []))


def drawn(node: OnnxNode, lengths: Sequence[int]) -> Value:
    """Random numbers: what is written, and an evaluation for each."""
    (made,) = node.append("fill", builders.fill(tuple(lengths), purpose="filling"))
    return node.add("activation", made, function="random")


@translates("Bernoulli")
def bernoulli(node: OnnxNode) -> Value:
    """Ones with the probabilities that are given."""
    drawn_ones = node.add("activation", node.input(), function="random")
    return node.add("elementwise", drawn_ones, node.input(), function="compare")


@translates("Multinomial")
def multinomial(node: OnnxNode) -> Value:
    """Classes drawn with the probabilities that are given."""
    value = node.input()
    count = int(node.attribute("sample_size", 1))
    likely = node.add("softmax", value, axes=[-1])
    work = builders.rearrange("sort", [likely.tensor], [(value.shape[0], count)])
    return node.append("draw", work, likely)[0]


# ------------------------------------------------------------------ the same elements


@translates("Identity", "Optional", "OptionalGetElement")
def identity(node: OnnxNode) -> Value:
    """The same value."""
    if not node.inputs:
        node.give_up("it holds no value")
    return node.input()


@translates("OptionalHasElement")
def has_element(node: OnnxNode) -> Value:
    """Whether there is a value, which is known."""
    return node.constant(np.array(bool(node.present)))


@translates("Dropout")
def dropout(node: OnnxNode) -> list[Value]:
    """At inference the same elements, and a mask that keeps all."""
    value = node.add("identity", node.input())
    if node.results == 1:
        return [value]
    return [value, node.graph.constant(f"{node.name}.mask", value.shape, number_of(9))]


@translates("Reshape")
def reshape(node: OnnxNode) -> Value:
    """The same elements in another shape."""
    value = node.input()
    wanted = node.listed("shape", 1, "the shape")
    if wanted is None:
        node.refuse("the shape is missing")
    is_literal = bool(node.attribute("allowzero", 0))
    lengths = [
        value.shape[place] if length == 0 and not is_literal else length
        for place, length in enumerate(wanted)
    ]
    if -1 in lengths:
        known = math.prod(length for length in lengths if length != -1)
        lengths[lengths.index(-1)] = value.size // known if known else 0
    if value.size == 0:
        return node.constant(np.zeros(lengths), value.format)
    return node.add("reshape", value, shape=lengths)


@translates("Flatten")
def flatten(node: OnnxNode) -> Value:
    """All axes before one, and all from it on, as two."""
    value = node.input()
    axis = int(node.attribute("axis", 1))
    axis += value.rank if axis < 0 else 0
    before = math.prod(value.shape[:axis])
    return node.add("reshape", value, shape=(before, value.size // before))


@translates("Squeeze")
def squeeze(node: OnnxNode) -> Value:
    """The same elements without some axes of one."""
    value = node.input()
    axes = node.listed("axes", 1, "which axes go")
    if axes is None:
        gone = {place for place, length in enumerate(value.shape) if length == 1}
    else:
        gone = {value.axis(axis) for axis in axes}
    kept = [length for place, length in enumerate(value.shape) if place not in gone]
    return node.add("reshape", value, shape=kept)


@translates("Unsqueeze")
def unsqueeze(node: OnnxNode) -> Value:
    """The same elements with new axes of one."""
    value = node.input()
    axes = node.listed("axes", 1, "which axes are new") or []
    rank = value.rank + len(axes)
    new = {axis % rank for axis in axes}
    if len(new) < len(axes):
        node.refuse(f"axes {axes!r:.80} name one twice")
    lengths = iter(value.shape)
    shape = [1 if place in new else next(lengths) for place in range(rank)]
    return node.add("reshape", value, shape=shape)


# ------------------------------------------------------------------ elements moved


@translates("Transpose")
def transpose(node: OnnxNode) -> Value:
    """The axes in another order."""
    value = node.input()
    order = node.attribute("perm")
    order = list(range(value.rank))[::-1] if order is None else order
    return node.add("transpose", value, order=order)


@translates("Concat")
def concatenate(node: OnnxNode) -> Value:
    """Values one after the other along an axis."""
    return concatenated(node, node.present, int(node.attribute("axis", 1)))


def concatenated(node: OnnxNode, values: Sequence[Value], axis: int) -> Value:
    """Values one after the other; empty ones add nothing."""
    kept = [value for value in values if value.size > 0]
    if not kept:
        return node.constant(np.zeros(0, np.int64))
    if len(kept) == 1:
        return node.add("identity", kept[0])
    return node.add("concatenate", *kept, axis=kept[0].axis(axis))


@translates("Split")
def split(node: OnnxNode) -> tuple[Value, ...]:
    """Parts of a value along an axis."""
    value = node.input()
    axis = value.axis(int(node.attribute("axis", 0)))
    sizes = node.listed("split", 1, "the length of each part")
    if sizes is None:
        count = int(node.attribute("num_outputs", node.results))
        sizes = parts_of(node, value.shape[axis], -(-value.shape[axis] // max(count, 1)))
    return parts(node, value, axis, sizes)


MOST_PARTS: Final = 10_000
"""Into which one tensor is split."""


def parts_of(node: OnnxNode, length: int, step: int) -> list[int]:
    """The lengths of parts of one length, of which the last may be shorter."""
    if step < 1 or -(-length // step) > MOST_PARTS:
        node.refuse(f"parts of {step} of an axis of {length:,}; expected at most {MOST_PARTS:,}")
    sizes = [step] * (length // step)
    rest = length - sum(sizes)
    return [*sizes, rest] if rest else sizes


def parts(node: OnnxNode, value: Value, axis: int, sizes: Sequence[int]) -> tuple[Value, ...]:
    """A value in parts; one that is the whole value is itself."""
    kept = [size for size in sizes if size > 0]
    if len(kept) == 1 and kept[0] == value.shape[axis]:
        made = iter([node.add("identity", value)])
    else:
        made = iter(node.graph.all_of("split", value, sizes=kept, axis=axis))
    shape = (*value.shape[:axis], 0, *value.shape[axis + 1 :])
    return tuple([next(made) if size else node.constant(np.zeros(shape)) for size in sizes])


@translates("Slice")
def slice_(node: OnnxNode) -> Value:
    """Elements between two places along some axes."""
    value = node.input()
    starts = node.listed("starts", 1, "where the slice begins") or []
    ends = node.listed("ends", 2, "where the slice ends") or []
    axes = node.listed("axes", 3, "along which axes the slice lies")
    steps = node.listed("steps", 4, "the step of the slice") or [1] * len(starts)
    axes = list(range(len(starts))) if axes is None else axes
    key = [slice(None)] * value.rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = value.axis(axis)
        key[place] = _bounded(start, end, step, value.shape[place])
    counts = [len(range(*one.indices(size))) for one, size in zip(key, value.shape, strict=True)]
    if 0 in counts:
        return node.constant(np.zeros(counts), value.format)
    if counts == list(value.shape) and all((one.step or 1) > 0 for one in key):
        return node.add("identity", value)
    return node.add("select", value, key=key)


def _bounded(start: int, end: int, step: int, length: int) -> slice:
    """A slice of ONNX as Python has it: a negative end after a backward step is the first."""
    end = None if step < 0 and end < -length else end  # type: ignore[assignment]  # Python's own
    return slice(start, end, step)


@translates("Pad")
def pad(node: OnnxNode) -> Value:
    """Elements before and after those along each axis; negative numbers cut."""
    value = node.input()
    filler = node.attribute("value", 0.0) if node.opset < _PAD_BY_INPUTS else None
    pads = node.listed("pads", 1, "the padding") or []
    axes = (
        node.numbers(3, "which axes are padded")
        if node.optional(3) is not None
        else range(value.rank)
    )
    amounts = [(0, 0)] * value.rank
    half = len(pads) // 2
    for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True):
        amounts[value.axis(axis)] = (before, after)
    return padded(node, value, amounts, filler)


_PAD_BY_INPUTS: Final = 11
"""The opset from which the amounts and the number around a value are inputs."""


def padded(
    node: OnnxNode, value: Value, amounts: Sequence[tuple[int, int]], filler: float | None = None
) -> Value:
    """A value with zeros around it, or with elements that an operator after it does not imply.

    These are numbers that stand for no zero, and elements of the value that are mirrored or
    repeated.
    """
    is_wider = any(max(pair) > 0 for pair in amounts)
    if not is_wider or _are_zeros(node, value, filler):
        return node.add("pad", value, amounts=list(amounts))
    shape = [length + sum(pair) for length, pair in zip(value.shape, amounts, strict=True)]
    return node.add("rearrange", value, purpose="padding", shapes=[shape])


def _are_zeros(node: OnnxNode, value: Value, filler: float | None) -> bool:
    """Whether padding adds what stands for zero, or for nothing before a maximum."""
    if node.attribute("mode", "constant") != "constant":
        return False
    if isinstance(value.format, FixedPoint):  # the zero point
        return True
    given = node.optional(2)
    if filler is None and given is not None:
        filler = given.scalar
    return not filler or math.isinf(filler)


@translates("CenterCropPad")
def centre_crop_pad(node: OnnxNode) -> Value:
    """A value cut or padded to lengths, around its middle."""
    value = node.input()
    lengths = node.numbers(1, "the shape")
    axes = node.attribute("axes") or range(value.rank)
    amounts = [(0, 0)] * value.rank
    for axis, length in zip(axes, lengths, strict=True):
        place = value.axis(axis)
        more = length - value.shape[place]
        amounts[place] = (more // 2, more - more // 2) if more > 0 else (-(-more // 2), more // 2)
        if more < 0:
            cut = -more
            amounts[place] = (-(cut // 2), -(cut - cut // 2))
    return node.add("pad", value, amounts=amounts)


@translates("Expand")
def expand(node: OnnxNode) -> Value:
    """A value stretched to the broadcast of its shape and another."""
    value = node.input()
    wanted = node.numbers(1, "the shape")
    return node.add("expand", value, shape=np.broadcast_shapes(value.shape, tuple(wanted)))


@translates("Tile")
def tile(node: OnnxNode) -> Value:
    """A value repeated along each axis."""
    return node.add("tile", node.input(), times=node.numbers(1, "how often it is repeated"))


@translates("DepthToSpace", "SpaceToDepth")
def blocks(node: OnnxNode) -> Value:
    """Channels spread over blocks of an image, or gathered from them."""
    value = node.input()
    batch, channels, height, width = value.shape
    side = int(node.attribute("blocksize", 1))
    is_spread = node.operator == "DepthToSpace"
    if is_spread:
        sizes = {"c": channels // (side * side), "h": height, "w": width}
        inner = "ijc" if node.attribute("mode", "DCR") == "DCR" else "cij"
        before, after = ["n", inner, "h", "w"], ["n", "c", "hi", "wj"]
    else:
        sizes = {"c": channels, "h": height // side, "w": width // side}
        before, after = ["n", "c", "hi", "wj"], ["n", "ijc", "h", "w"]
    sizes |= {"n": batch, "i": side, "j": side}
    return node.append("regroup", builders.regroup(value.tensor, before, after, sizes), value)[0]


@translates("Col2Im")
def fold_columns(node: OnnxNode) -> Value:
    """Columns of windows put back into an image, where those that meet are summed."""
    value = node.input()
    sides, window_size = node.numbers(1, "the image"), node.numbers(2, "the window")
    channels = value.shape[1] // math.prod(window_size)
    summed = node.add("elementwise", value, function="add")
    work = builders.rearrange("insertion", [summed.tensor], [(value.shape[0], channels, *sides)])
    return node.append("fold", work, summed)[0]


@translates("ReverseSequence")
def reverse_sequence(node: OnnxNode) -> Value:
    """Each row of a batch reversed up to its own length."""
    value = node.input()
    axis = value.axis(int(node.attribute("time_axis", 0)))
    work = builders.rearrange_along("selection", value.tensor, value.shape, [axis])
    return node.append("reverse", work, value)[0]


@translates("Trilu")
def triangle(node: OnnxNode) -> Value:
    """The elements on one side of a diagonal, and zeros elsewhere."""
    value = node.input()
    offset = node.numbers(1, "the diagonal")[0] if node.optional(1) is not None else 0
    is_upper = bool(node.attribute("upper", 1))
    function = np.triu if is_upper else np.tril
    made = evaluated(node, lambda data, *_: function(data, offset))
    if made is not None:
        return made
    work = builders.triangle(value.tensor, offset, upper=is_upper)
    if any(operand.touched == 0 for operand in work.operands):
        return node.append("fill", builders.fill(value.shape))[0]
    return node.append("triangle", work, value)[0]


# ------------------------------------------------------------------ elements fetched


@translates("Gather")
def gather(node: OnnxNode) -> Value:
    """Slices of a value along an axis, at places that may be data."""
    value, places = node.input(0), node.input(1)
    axis = value.axis(int(node.attribute("axis", 0)))
    made = evaluated(node, lambda data, at: np.take(data, at.astype(int), axis=axis))
    if made is not None:
        return made
    if places.data is not None and not value.is_constant:
        key = _key(places.data, value.shape[axis])
        if key is not None:
            return node.add("select", value, key=[*[slice(None)] * axis, key])
    if value.is_constant and value.size > 1 and not places.is_constant:
        value.is_parameter = True
    return node.add("embedding", value, places, axis=axis)


def _key(places: Any, length: int) -> int | slice | None:
    """The key that takes these places, if they are one or at equal distances."""
    at = [int(place) + (length if place < 0 else 0) for place in places.reshape(-1)]
    if places.ndim == 0:
        return at[0]
    if places.ndim != 1 or not at:
        return None
    step = at[1] - at[0] if len(at) > 1 else 1
    if step <= 0 or at != list(range(at[0], at[0] + step * len(at), step)):
        return None
    return slice(at[0], at[-1] + 1, step)


@translates("GatherElements")
def gather_elements(node: OnnxNode) -> Value:
    """An element along an axis for each place that is data."""
    value, places = node.input(0), node.input(1)
    axis = value.axis(int(node.attribute("axis", 0)))
    made = evaluated(node, lambda data, at: np.take_along_axis(data, at.astype(int), axis=axis))
    if made is not None:
        return made
    if any(one < two for one, two in zip(value.shape, places.shape, strict=True)):
        work = builders.rearrange("selection", [value.tensor, places.tensor], [places.shape])
    else:
        cut = [slice(0, length) for length in places.shape]
        cut[axis] = slice(None)
        value = node.add("select", value, key=cut) if value.shape != places.shape else value
        work = builders.take_along(value.tensor, places.tensor, axis)
    return node.append("take", work, value, places)[0]


@translates("GatherND")
def gather_nd(node: OnnxNode) -> Value:
    """Slices of a value at rows of places."""
    value, places = node.input(0), node.input(1)
    batch = int(node.attribute("batch_dims", 0))
    depth = places.shape[-1]
    lengths = (*places.shape[:-1], *value.shape[batch + depth :])
    if value.is_constant and places.is_constant:
        made = evaluated(node, lambda data, at: data[tuple(np.moveaxis(at, -1, 0))])
        if made is not None and made.shape == lengths:
            return made
    work = builders.rearrange("selection", [value.tensor, places.tensor], [lengths])
    return node.append("take", work, value, places)[0]


@translates("ScatterElements", "Scatter", "ScatterND", "TensorScatter")
def scatter(node: OnnxNode) -> Value:
    """A value with some elements replaced, or joined with others, at places that are data."""
    value = node.input(0)
    update = node.input(1 if node.operator == "TensorScatter" else 2)
    if node.operator == "ScatterND":
        made = evaluated(node, _scattered)
        if made is not None:
            return made
    if node.attribute("reduction", "none") != "none":
        function = {"mul": "multiply", "max": "maximum", "min": "minimum"}.get(
            str(node.attribute("reduction")), "add"
        )
        update = node.add("elementwise", update, function=function)
    work = builders.rearrange("insertion", [value.tensor, update.tensor], [value.shape])
    return node.append("insert", work, value, update)[0]


def _scattered(data: Any, places: Any, update: Any) -> Any:
    made = data.copy()
    made[tuple(np.moveaxis(places, -1, 0))] = update
    return made


@translates("OneHot")
def one_hot(node: OnnxNode) -> Value:
    """Places as vectors of zeros and ones along a new axis."""
    classes = node.numbers(1, "the number of classes")[0]
    places = node.input(0)
    work = builders.one_hot(places.tensor, classes, int(node.attribute("axis", -1)))
    return node.append("one_hot", work, places)[0]


_MOST: Final = "at most {:,}"
"""What is said of elements whose number is data."""


@translates("NonZero")
def non_zero(node: OnnxNode) -> Value:
    """The places of elements that are not zero, which are known of constants alone."""
    made = evaluated(node, lambda data: np.stack(np.nonzero(data)))
    if made is None:
        node.give_up(f"how many elements are not zero depends on data ({_most(node)})")
    return made


@translates("Compress", "Unique")
def compress(node: OnnxNode) -> Any:
    """Elements that are chosen by data."""
    node.give_up(f"how many elements are left depends on data ({_most(node)})")


def _most(node: OnnxNode) -> str:
    return _MOST.format(node.input().size)


@translates("NonMaxSuppression")
def suppress(node: OnnxNode) -> Any:
    """Boxes that are kept by how they overlap."""
    boxes = node.input(0).shape
    most = boxes[0] * boxes[1]
    node.give_up(f"how many boxes are kept depends on data ({_MOST.format(most)} for a class)")


# ------------------------------------------------------------------ spectra


@translates("DFT")
def fourier(node: OnnxNode) -> Value:
    """A discrete Fourier transform along an axis."""
    value = node.input(0)
    axis = node.attribute("axis", 1)
    if node.optional(2) is not None:
        axis = node.numbers(2, "the axis")[0]
    place = value.axis(int(axis))
    length = value.shape[place]
    is_back = bool(node.attribute("inverse", 0))
    if node.present_input(1) is not None:
        length = node.numbers(1, "the length")[0]
    elif is_back and node.attribute("onesided", 0):
        length = 2 * (length - 1)
    lengths = list(value.shape)
    lengths[place], lengths[-1] = length, 2
    if node.attribute("onesided", 0):
        lengths[place] = length if is_back else length // 2 + 1
        lengths[-1] = 1 if is_back else 2
    return transformed(node, value, lengths)


def transformed(node: OnnxNode, value: Value, lengths: Sequence[int]) -> Value:
    """A fast Fourier transform, unpriced as in every other frontend."""
    reason = "how many operations a Fourier transform takes is the plan of the library"
    return node.add("unsupported", value, reason=reason, shapes=[tuple(lengths)])


@translates("STFT")
def short_fourier(node: OnnxNode) -> Value:
    """Fourier transforms of windows along a signal."""
    signal = node.input(0)
    step = node.numbers(1, "the step")[0]
    shape_of_window = node.present_input(2)
    if node.present_input(3) is not None:
        length = node.numbers(3, "the length")[0]
    elif shape_of_window is not None:
        length = shape_of_window.shape[0]
    else:
        node.refuse("neither a window nor a length is given")
    count = (signal.shape[1] - length) // step + 1
    bins = length // 2 + 1 if node.attribute("onesided", 1) else length
    framed = (signal.shape[0], count, length)
    work = builders.rearrange("repetition", [signal.tensor], [framed])
    (frames,) = node.append("frames", work, signal)
    if shape_of_window is not None:
        shape_of_window.is_parameter = True
        frames = node.add("elementwise", frames, shape_of_window, function="multiply")
    return transformed(node, frames, (signal.shape[0], count, bins, 2))
