"""Drawn calls of the builders, each with numbers and what an independent computation makes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from attrs import frozen
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices, mutually_broadcastable_shapes
from loop_nest import element_numbers

from costmodel.workload import builders
from costmodel.workload.operators import REDUCTIONS, Operator, Reduction

Array = np.ndarray[Any, Any]
Draw = st.DrawFn


@frozen(eq=False)
class Case:
    """An operator, the values of its inputs and weights, and the outputs that are due."""

    operator: Operator
    arrays: Sequence[Array]
    expected: Sequence[Array]

    def __repr__(self) -> str:
        return str(self.operator)


def numbers(shape: Sequence[int], seed: int = 0) -> Array:
    """Small whole numbers, whose sums and products are exact."""
    drawn = np.random.default_rng([seed, *shape]).integers(-4, 5, tuple(shape))
    return np.asarray(drawn, float)


# ------------------------------------------------------------------ layouts


def letters_of(layout: str, rank: int) -> list[str]:
    """The axes of a layout, spatial ones by their number."""
    before, after = layout.split("*")
    return [*before, *map(str, range(rank)), *after]


def laid_out(array: Array, given: str, wanted: str, rank: int) -> Array:
    """An array in another layout; axes of length 1 that this does not name are left out."""
    names, kept = letters_of(given, rank), letters_of(wanted, rank)
    dropped = [axis for axis, name in enumerate(names) if name not in kept]
    left = [name for name in names if name in kept]
    return np.squeeze(array, tuple(dropped)).transpose([left.index(name) for name in kept])


IMAGES: Final = ("NC*", "N*C", "*C", "C*")
SPOTS: Final = "pqo"
"""The dimensions of the places of windows."""
STEPS: Final = "rst"
"""The dimensions of the elements of windows."""


@st.composite
def axes_of_windows(
    draw: Draw, rank: int, longest: int = 6
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Lengths, windows, strides and dilations of the spatial axes."""
    each = st.tuples(
        st.integers(1, longest), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)
    )
    drawn = [draw(each) for _ in range(rank)]
    lengths, windows, strides, dilations = zip(*drawn, strict=True)
    return lengths, windows, strides, dilations


@st.composite
def paddings(draw: Draw, rank: int, *, least: int = 0) -> Any:
    """Padding as numbers or pairs."""
    amount = st.integers(least, 2)
    return draw(
        st.one_of(
            amount,
            st.tuples(*[amount] * rank),
            st.tuples(*[st.tuples(amount, amount)] * rank),
        )
    )


def pairs(padding: Any, rank: int) -> list[tuple[int, int]]:
    """Zeros before and after each axis, of padding in numbers."""
    each = [padding] * rank if isinstance(padding, int) else list(padding)
    return [(one, one) if isinstance(one, int) else one for one in each]


def rule_pairs(
    rule: str, lengths: Sequence[int], reaches: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each axis, by a rule, as frameworks define it."""
    found = []
    for length, reach, stride in zip(lengths, reaches, strides, strict=True):
        # What the last of ceil(length / stride) windows needs beyond the image.
        last = (math.ceil(length / stride) - 1) * stride
        missing = max(last + reach - length, 0)
        found.append(
            {
                "valid": (0, 0),
                "same": (missing // 2, missing - missing // 2),
                "same_lower": (missing - missing // 2, missing // 2),
                "causal": (reach - 1, 0),
            }[rule]
        )
    return found


def reaches_of(windows: Sequence[int], dilations: Sequence[int]) -> list[int]:
    return [(window - 1) * gap + 1 for window, gap in zip(windows, dilations, strict=True)]


# ------------------------------------------------------------------ convolutions


def convolved(
    image: Array, kernel: Array, pads: Sequence[tuple[int, int]],
    strides: Sequence[int], dilations: Sequence[int], groups: int,
) -> Array:  # fmt: skip
    """A convolution of an image NC* with a kernel GKC*, window by window."""
    padded = np.pad(image, [(0, 0), (0, 0), *[(max(b, 0), max(a, 0)) for b, a in pads]])
    for axis, (before, after) in enumerate(pads, 2):
        end = padded.shape[axis] + min(after, 0)
        padded = np.take(padded, range(-min(before, 0), end), axis)
    windows = kernel.shape[3:]
    reaches = reaches_of(windows, dilations)
    places = [
        (length - reach) // stride + 1
        for length, reach, stride in zip(padded.shape[2:], reaches, strides, strict=True)
    ]
    _, filters, depth, *_ = kernel.shape
    result = np.zeros((len(image), groups * filters, *places))
    for place in itertools.product(*map(range, places)):
        cut = tuple(
            slice(at * stride, at * stride + reach, gap)
            for at, stride, reach, gap in zip(place, strides, reaches, dilations, strict=True)
        )
        for group in range(groups):
            seen = padded[(slice(None), slice(group * depth, (group + 1) * depth), *cut)]
            summed = list(range(1, seen.ndim))
            made = np.tensordot(seen, kernel[group], (summed, summed))
            result[(slice(None), slice(group * filters, (group + 1) * filters), *place)] = made
    return result


@st.composite
def convolutions(draw: Draw) -> Case:
    """Convolutions of one to three axes: strided, dilated, grouped, depthwise, in any layout."""
    rank = draw(st.integers(1, 3))
    lengths, windows, strides, dilations = draw(axes_of_windows(rank, 6 if rank < 3 else 4))
    reaches = reaches_of(windows, dilations)
    rule = draw(st.sampled_from(["numbers", "valid", "same", "same_lower", "causal"]))
    padding = draw(paddings(rank, least=-1)) if rule == "numbers" else rule
    pads = (
        pairs(padding, rank) if rule == "numbers" else rule_pairs(rule, lengths, reaches, strides)
    )
    assume(all(n + b + a >= r for n, (b, a), r in zip(lengths, pads, reaches, strict=True)))
    groups, filters, depth = (draw(st.integers(1, 3)) for _ in range(3))
    image_layout = draw(st.sampled_from(IMAGES))
    layouts = ["KC*", "*CK", "GKC*", "*GCK"]
    if depth == 1:
        layouts += ["*GK", "G*K", "K*"]
    if groups == 1:
        layouts += ["CK*"]
    kernel_layout = draw(st.sampled_from(layouts))
    batch = draw(st.integers(1, 2)) if "N" in image_layout else 1
    image = numbers((batch, groups * depth, *lengths))
    kernel = numbers((groups, filters, depth, *windows), 1)
    bias = numbers((groups * filters,), 2) if draw(st.booleans()) else None
    due = convolved(image, kernel, pads, strides, dilations, groups)
    if bias is not None:
        due += bias.reshape(-1, *[1] * rank)
    held = (
        laid_out(kernel, "GKC*", kernel_layout, rank)
        if "G" in kernel_layout
        else laid_out(kernel.reshape(-1, depth, *windows), "KC*", kernel_layout, rank)
    )
    given = laid_out(image, "NC*", image_layout, rank)
    operator = builders.conv(
        given.shape, held.shape, bias=None if bias is None else bias.shape,
        stride=_short(draw, strides), padding=padding, dilation=_short(draw, dilations),
        groups=groups, input_layout=image_layout, weight_layout=kernel_layout,
    )  # fmt: skip
    arrays = [given, held, *([] if bias is None else [bias])]
    return Case(operator, arrays, [laid_out(due, "NC*", image_layout, rank)])


def _short(draw: Draw, values: Sequence[int]) -> int | Sequence[int]:
    """One number where all are the same, at times."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else values


def scattered(
    image: Array, kernel: Array, pads: Sequence[tuple[int, int]], added: Sequence[int],
    strides: Sequence[int], dilations: Sequence[int],
) -> Array:  # fmt: skip
    """A transposed convolution of an image NC* with a kernel GCK*, element by element."""
    groups, depth, filters, *windows = kernel.shape
    reaches = reaches_of(windows, dilations)
    spread = [
        (length - 1) * stride + reach + more
        for length, stride, reach, more in zip(
            image.shape[2:], strides, reaches, added, strict=True
        )
    ]
    result = np.zeros((len(image), groups * filters, *spread))
    for place in itertools.product(*map(range, image.shape[2:])):
        cut = tuple(
            slice(at * stride, at * stride + reach, gap)
            for at, stride, reach, gap in zip(place, strides, reaches, dilations, strict=True)
        )
        for group in range(groups):
            seen = image[(slice(None), slice(group * depth, (group + 1) * depth), *place)]
            made = np.tensordot(seen, kernel[group], ([1], [0]))
            result[(slice(None), slice(group * filters, (group + 1) * filters), *cut)] += made
    kept = tuple(
        slice(before, length - after) for (before, after), length in zip(pads, spread, strict=True)
    )
    return result[(slice(None), slice(None), *kept)]


@st.composite
def transposed_convolutions(draw: Draw) -> Case:
    """Transposed convolutions: stride, padding, output padding, dilation, groups, layouts."""
    rank = draw(st.integers(1, 3))
    lengths, windows, strides, dilations = draw(axes_of_windows(rank, 4 if rank < 3 else 3))
    padding = draw(paddings(rank))
    pads = pairs(padding, rank)
    added = tuple(draw(st.integers(0, 2)) for _ in range(rank))
    reaches = reaches_of(windows, dilations)
    axes = zip(lengths, strides, reaches, added, pads, strict=True)
    assume(all((n - 1) * s + r + more > b + a for n, s, r, more, (b, a) in axes))
    groups, filters, depth = (draw(st.integers(1, 2)) for _ in range(3))
    image_layout = draw(st.sampled_from(IMAGES))
    kernel_layout = draw(
        st.sampled_from(["CK*", "*KC", "GCK*", "*GKC", *(["*GK"] if depth == 1 else [])])
    )
    batch = draw(st.integers(1, 2)) if "N" in image_layout else 1
    image = numbers((batch, groups * depth, *lengths))
    kernel = numbers((groups, depth, filters, *windows), 1)
    bias = numbers((groups * filters,), 2) if draw(st.booleans()) else None
    due = scattered(image, kernel, pads, added, strides, dilations)
    if bias is not None:
        due += bias.reshape(-1, *[1] * rank)
    held = (
        laid_out(kernel, "GCK*", kernel_layout, rank)
        if "G" in kernel_layout
        else laid_out(kernel.reshape(-1, filters, *windows), "CK*", kernel_layout, rank)
    )
    given, result = (laid_out(each, "NC*", image_layout, rank) for each in (image, due))
    operator = builders.conv_transpose(
        given.shape, held.shape, bias=None if bias is None else bias.shape,
        stride=_short(draw, strides), padding=padding, output_padding=_short(draw, added),
        dilation=_short(draw, dilations), groups=groups,
        input_layout=image_layout, weight_layout=kernel_layout,
        output=draw(st.sampled_from([None, result.shape])),
    )  # fmt: skip
    return Case(operator, [given, held, *([] if bias is None else [bias])], [result])


# ------------------------------------------------------------------ pooling


def window_starts(
    length: int, reach: int, stride: int, pads: tuple[int, int], *, ceil: bool
) -> list[int]:
    """Where windows begin along an axis, walked from the first."""
    before, after = pads
    starts = []
    start = -before
    while start + reach <= length + after or (
        # One more, not wholly in the padded image, where the last has not reached its end.
        ceil and starts and starts[-1] + reach < length + after and start < length
    ):
        starts.append(start)
        start += stride
    return starts


FOLDS: Final[dict[str, Callable[[Array], float]]] = {
    "max": lambda seen: np.max(seen, initial=-np.inf),
    "min": lambda seen: np.min(seen, initial=np.inf),
    "sum": np.sum,
    "mean": lambda seen: np.mean(seen) if seen.size else 0.0,
    "product": np.prod,
}


@st.composite
def poolings(draw: Draw) -> Case:
    """Poolings of one to three axes; padding is left out of every window."""
    rank = draw(st.integers(1, 3))
    lengths, windows, strides, dilations = draw(axes_of_windows(rank, 6 if rank < 3 else 4))
    reaches = reaches_of(windows, dilations)
    rule = draw(st.sampled_from(["numbers", "valid", "same", "same_lower"]))
    padding = draw(paddings(rank)) if rule == "numbers" else rule
    has_stride, ceil = draw(st.booleans()), draw(st.booleans())
    strides = strides if has_stride else windows
    pads = (
        pairs(padding, rank) if rule == "numbers" else rule_pairs(rule, lengths, reaches, strides)
    )
    axes = list(zip(lengths, reaches, strides, pads, strict=True))
    assume(all(n + b + a >= r for n, r, _, (b, a) in axes))
    starts = [window_starts(*axis, ceil=ceil) for axis in axes]
    layout = draw(st.sampled_from(IMAGES))
    batch = draw(st.integers(1, 2)) if "N" in layout else 1
    channels = draw(st.integers(1, 2))
    image = numbers((batch, channels, *lengths))
    function = draw(st.sampled_from(sorted(REDUCTIONS)))
    due = np.zeros((batch, channels, *map(len, starts)))
    for place in itertools.product(*[range(len(each)) for each in starts]):
        begins = [each[at] for each, at in zip(starts, place, strict=True)]
        seen = _window(image, begins, windows, dilations)
        for row, channel in itertools.product(range(batch), range(channels)):
            due[(row, channel, *place)] = FOLDS[function](seen[row, channel])
    given = laid_out(image, "NC*", layout, rank)
    operator = builders.pool(
        function, given.shape, _short(draw, windows), stride=strides if has_stride else None,
        padding=padding, dilation=_short(draw, dilations), ceil=ceil, input_layout=layout,
    )  # fmt: skip
    return Case(operator, [given], [laid_out(due, "NC*", layout, rank)])


def _window(
    image: Array, begins: Sequence[int], windows: Sequence[int], dilations: Sequence[int]
) -> Array:
    """The elements of a window that are in the image."""
    for axis, (begin, window, gap) in enumerate(zip(begins, windows, dilations, strict=True), 2):
        places = [begin + step * gap for step in range(window)]
        image = np.take(image, [at for at in places if 0 <= at < image.shape[axis]], axis)
    return image


# ------------------------------------------------------------------ products


@st.composite
def matrix_products(draw: Draw) -> Case:
    """Matrix products: axes in front that broadcast, vectors, transposed, with a bias."""
    m, n, k = (draw(st.integers(1, 3)) for _ in range(3))
    fronts = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3))
    left_front, right_front = fronts.input_shapes
    left_vector, right_vector = draw(st.booleans()), draw(st.booleans())
    left = numbers((k,) if left_vector else (*left_front, m, k))
    right = numbers((k,) if right_vector else (*right_front, k, n), 1)
    due = np.asarray(left @ right)
    transpose_left, transpose_right = draw(st.booleans()), draw(st.booleans())
    given = left.swapaxes(-1, -2) if transpose_left and not left_vector else left
    held = right.swapaxes(-1, -2) if transpose_right and not right_vector else right
    bias = None
    if draw(st.booleans()):
        bias = numbers(draw(fitting_shapes(due.shape)), 2)
        due = due + bias
    operator = builders.matmul(
        given.shape, held.shape, bias=None if bias is None else bias.shape,
        transpose_left=transpose_left, transpose_right=transpose_right,
        right_role=draw(st.sampled_from(["input", "weight"])),
    )  # fmt: skip
    return Case(operator, [given, held, *([] if bias is None else [bias])], [due])


@st.composite
def fitting_shapes(draw: Draw, shape: Sequence[int]) -> tuple[int, ...]:
    """A shape that stretches to another, and no further."""
    kept = draw(st.integers(0, len(shape)))
    return tuple(draw(st.sampled_from([1, length])) for length in shape[len(shape) - kept :])


EQUATIONS: Final = (
    "ij,jk->ik", "bij,bjk->bik", "ij,jk", "bij,kj->bki", "i,j->ij", "i,i->", "ij,ij->j",
    "...ij,jk->...ik", "...i,...i->...", "i...,...ij->j...", "b...c,cd->b...d", "ij...,jk->ik...",
    "ii,ij->j", "iij,jk->ik", "ii,ii->i", "iji,j->ij", "ij,kl->ljki", "ab,Ab->aA",
    "ij->ji", "ij->", "ij->i", "ii->i", "ii->", "iij->j", "ijij->ij", "...ii->...i", "ba", "ii",
    "...", "...ij->j...", "i->i", "->", ",", "i,->i", " i j , j k -> i k ",
)  # fmt: skip


@st.composite
def einsums(draw: Draw) -> Case:
    """Sums of products by an equation: ellipsis, diagonals, an implicit result."""
    equation = draw(st.sampled_from(EQUATIONS))
    lengths = {letter: draw(st.integers(1, 3)) for letter in "abcdijklA"}
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    fronts = draw(
        mutually_broadcastable_shapes(num_shapes=len(terms), max_dims=2, max_side=3)
    ).input_shapes
    shapes = [
        tuple(
            length
            for part in term.replace("...", ".")
            for length in (front if part == "." else (lengths[part],))
        )
        for term, front in zip(terms, fronts, strict=True)
    ]
    arrays = [numbers(shape, seed) for seed, shape in enumerate(shapes)]
    due = np.asarray(np.einsum(equation, *arrays))
    bias = None
    if len(terms) > 1 and draw(st.booleans()):
        bias = numbers(draw(fitting_shapes(due.shape)), 9)
        due = due + bias
    operator = builders.einsum(equation, *shapes, bias=None if bias is None else bias.shape)
    return Case(operator, [*arrays, *([] if bias is None else [bias])], [due])


# ------------------------------------------------------------------ elements and reductions


ARITHMETIC: Final[dict[str, Callable[..., Array]]] = {
    "add": lambda *values: np.add.reduce(np.broadcast_arrays(*values)),
    "subtract": np.subtract,
    "multiply": lambda *values: np.multiply.reduce(np.broadcast_arrays(*values)),
    "average": lambda *values: np.mean(np.broadcast_arrays(*values), 0),
    "maximum": lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)),
    "minimum": lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)),
}


@st.composite
def elementwise_functions(draw: Draw) -> Case:
    """Functions of elements that broadcast, at times with weights among them."""
    function = draw(st.sampled_from(sorted(ARITHMETIC)))
    count = 2 if function == "subtract" else draw(st.integers(2, 3))
    shapes = draw(
        mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=3)
    ).input_shapes
    arrays = [numbers(shape, seed) for seed, shape in enumerate(shapes)]
    held = draw(st.integers(0, count - 1))
    inputs, weights = shapes[: count - held], shapes[count - held :]
    operator = builders.elementwise(function, *inputs, weights=weights)
    return Case(operator, arrays, [ARITHMETIC[function](*arrays)])


@st.composite
def scales_along_axes(draw: Draw) -> Case:
    """A scale and a shift whose axes are any of those of the tensor."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    axes = draw(st.permutations(range(len(shape))))[: draw(st.integers(1, len(shape)))]
    held = [draw(st.sampled_from([1, shape[axis]])) for axis in axes]
    value, scale, shift = numbers(shape), numbers(held, 1), numbers(held, 2)

    def stretched(weight: Array) -> Array:
        ordered = weight.transpose(np.argsort(axes))
        return ordered.reshape(
            [held[axes.index(axis)] if axis in axes else 1 for axis in range(len(shape))]
        )

    signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in axes]
    operator = builders.elementwise("affine", shape, weights=[held, held], weight_axes=signed)
    due = value * stretched(scale) + stretched(shift)
    return Case(operator, [value, scale, shift], [due])


@st.composite
def activations(draw: Draw) -> Case:
    """A function of every element, at times with a constant."""
    value = numbers(draw(st.lists(st.integers(1, 3), max_size=3)))
    scale = numbers(draw(fitting_shapes(value.shape)), 1)
    is_scaled = draw(st.booleans())
    operator = builders.activation("relu", value.shape, weights=[scale.shape] if is_scaled else ())
    due = np.where(value > 0, value, 0.0) * (scale if is_scaled else 1)
    return Case(operator, [value, scale] if is_scaled else [value], [due])


@st.composite
def reductions(draw: Draw) -> Case:
    """Axes reduced, kept or left out, counted from the front or the back."""
    shape = draw(st.lists(st.integers(1, 3), max_size=4))
    chosen = draw(st.sets(st.sampled_from(range(len(shape))))) if shape else set()
    signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in chosen]
    axes = draw(st.sampled_from([None, signed]))
    keep = draw(st.booleans())
    function = draw(st.sampled_from(sorted(REDUCTIONS)))
    value = numbers(shape)
    fold = {"product": np.prod}.get(function) or getattr(np, function)
    due = np.asarray(fold(value, axis=None if axes is None else tuple(axes), keepdims=keep))
    operator = builders.reduce(function, shape, axes, keep_axes=keep)
    return Case(operator, [value], [due])


# ------------------------------------------------------------------ movements

SHAPES: Final = st.lists(st.integers(1, 4), min_size=1, max_size=3)


def _signed(draw: Draw, axis: int, rank: int) -> int:
    return axis - rank if draw(st.booleans()) else axis


@st.composite
def transpositions(draw: Draw) -> Case:
    value = numbers(draw(SHAPES))
    order = draw(st.permutations(range(value.ndim)))
    signed = [_signed(draw, axis, value.ndim) for axis in order]
    operator = builders.transpose(value.shape, signed)
    return Case(operator, [value], [value.transpose(order)])


@st.composite
def concatenations(draw: Draw) -> Case:
    shape = draw(SHAPES)
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    arrays = [numbers([*shape[:axis], n, *shape[axis + 1 :]], n) for n in lengths]
    operator = builders.concatenate(
        [array.shape for array in arrays], _signed(draw, axis, len(shape)),
        roles=draw(st.sampled_from([None, ["weight"] * len(arrays)])),
    )  # fmt: skip
    return Case(operator, arrays, [np.concatenate(arrays, axis)])


@st.composite
def splits(draw: Draw) -> Case:
    shape = draw(SHAPES)
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    value = numbers([*shape[:axis], sum(lengths), *shape[axis + 1 :]])
    operator = builders.split(value.shape, _signed(draw, axis, len(shape)), lengths)
    return Case(operator, [value], np.split(value, np.cumsum(lengths)[:-1], axis))


@st.composite
def pads(draw: Draw) -> Case:
    """Zeros around a tensor, and elements cut from its ends."""
    value = numbers(draw(SHAPES))
    ends = [(draw(st.integers(-2, 2)), draw(st.integers(-2, 2))) for _ in value.shape]
    lengths = [n + before + after for n, (before, after) in zip(value.shape, ends, strict=True)]
    assume(all(length >= 1 for length in lengths))
    # also where more is cut than there is: the rest are zeros
    due = np.zeros(lengths)
    for place in itertools.product(*map(range, lengths)):
        source = tuple(at - before for at, (before, _) in zip(place, ends, strict=True))
        if all(0 <= at < n for at, n in zip(source, value.shape, strict=True)):
            due[place] = value[source]
    return Case(builders.pad(value.shape, ends), [value], [due])


@st.composite
def slices(draw: Draw) -> Case:
    """Slices with steps, also backwards."""
    value = numbers(draw(SHAPES))
    cuts, before, steps = [], [], []
    for length in value.shape:
        start = draw(st.integers(0, length - 1))
        step = draw(st.sampled_from([-2, -1, 1, 2]))
        steps.append(step)
        before.append(-start)
        cuts.append(slice(start, None, step))
    due = value[tuple(cuts)]
    operator = builders.shift("selection", value.shape, due.shape, before, steps=steps)
    return Case(operator, [value], [due])


@st.composite
def repetitions(draw: Draw) -> Case:
    value = numbers(draw(SHAPES))
    axis, times = draw(st.integers(0, value.ndim - 1)), draw(st.integers(1, 3))
    is_tiled = draw(st.booleans())
    due = (
        np.tile(value, [times if place == axis else 1 for place in range(value.ndim)])
        if is_tiled
        else np.repeat(value, times, axis)
    )
    operator = builders.repeat(
        value.shape, _signed(draw, axis, value.ndim), times, is_tiled=is_tiled
    )
    return Case(operator, [value], [due])


@st.composite
def broadcasts(draw: Draw) -> Case:
    full = tuple(draw(SHAPES))
    value = numbers(draw(fitting_shapes(full)))
    operator = builders.broadcast_to(value.shape, full)
    return Case(operator, [value], [np.broadcast_to(value, full)])


@st.composite
def copies(draw: Draw) -> Case:
    value = numbers(draw(SHAPES))
    return Case(builders.copy("copy", value.shape), [value], [value])


@st.composite
def flips(draw: Draw) -> Case:
    value = numbers(draw(SHAPES))
    axes = draw(st.sets(st.integers(0, value.ndim - 1)))
    operator = builders.flip(value.shape, [_signed(draw, axis, value.ndim) for axis in axes])
    return Case(operator, [value], [np.flip(value, tuple(axes))])


@st.composite
def rotations(draw: Draw) -> Case:
    """A plane turned by a quarter: two axes exchanged, one of them read from its end."""
    value = numbers(draw(st.lists(st.integers(1, 3), min_size=2, max_size=3)))
    one, other = draw(st.permutations(range(value.ndim)))[:2]
    order = list(range(value.ndim))
    order[one], order[other] = other, one
    operator = builders.transpose(value.shape, order, reversed_axes=[other])
    return Case(operator, [value], [np.rot90(value, axes=(one, other))])


@st.composite
def stacks(draw: Draw) -> Case:
    shape = draw(SHAPES)
    arrays = [numbers(shape, seed) for seed in range(draw(st.integers(1, 3)))]
    axis = draw(st.integers(0, len(shape)))
    operator = builders.stack(
        [shape] * len(arrays), _signed(draw, axis, len(shape) + 1),
        roles=draw(st.sampled_from([None, ["weight"] * len(arrays)])),
    )  # fmt: skip
    return Case(operator, arrays, [np.stack(arrays, axis)])


@st.composite
def unstackings(draw: Draw) -> Case:
    value = numbers(draw(st.lists(st.integers(1, 3), min_size=2, max_size=3)))
    axis = draw(st.integers(0, value.ndim - 1))
    operator = builders.unstack(value.shape, _signed(draw, axis, value.ndim))
    return Case(operator, [value], list(np.moveaxis(value, axis, 0)))


@st.composite
def tilings(draw: Draw) -> Case:
    value = numbers(draw(SHAPES))
    times = [draw(st.integers(1, 3)) for _ in value.shape]
    return Case(builders.tile(value.shape, times), [value], [np.tile(value, times)])


def _grouped(draw: Draw, names: Sequence[str]) -> list[list[str]]:
    """Names in their order, cut into groups, some of them empty."""
    ends = sorted(draw(st.lists(st.integers(0, len(names)), max_size=3)))
    return [list(names[a:b]) for a, b in itertools.pairwise([0, *ends, len(names)])]


@st.composite
def regroupings(draw: Draw) -> Case:
    """Axes taken apart and put together, with dimensions that repeat the elements."""
    names = draw(st.permutations("abcde"))[: draw(st.integers(1, 4))]
    sizes = {name: draw(st.integers(1, 3)) for name in "abcdefg"}
    kept = [*names, *draw(st.sampled_from(["", "f", "fg"]))]
    before, after = _grouped(draw, names), _grouped(draw, draw(st.permutations(kept)))
    order = [name for group in after for name in group]

    def shape(groups: Sequence[Sequence[str]]) -> list[int]:
        return [math.prod(sizes[name] for name in group) for group in groups]

    value = numbers(shape(before))
    apart = value.reshape([sizes[name] for name in names] + [1] * (len(kept) - len(names)))
    spread = np.broadcast_to(apart, [sizes[name] for name in kept])
    due = spread.transpose([kept.index(name) for name in order]).reshape(shape(after))
    return Case(builders.regroup(value.shape, before, after, sizes), [value], [due])


@st.composite
def framings(draw: Draw) -> Case:
    """Pieces of an axis that overlap, touch, or leave elements out."""
    value = numbers(draw(SHAPES))
    axis = draw(st.integers(0, value.ndim - 1))
    length, step = draw(st.integers(1, value.shape[axis])), draw(st.integers(1, 3))
    pieces = np.lib.stride_tricks.sliding_window_view(value, length, axis)
    due = np.moveaxis(pieces, -1, axis + 1)
    due = due[(*[slice(None)] * axis, slice(None, None, step))]
    operator = builders.frames(value.shape, length, step, _signed(draw, axis, value.ndim))
    return Case(operator, [value], [due])


@st.composite
def selections(draw: Draw) -> Case:
    """Numbers, slices, new axes and an ellipsis."""
    value = numbers(draw(SHAPES))
    drawn = draw(basic_indices(value.shape, allow_newaxis=True))
    key = drawn if isinstance(drawn, tuple) else (drawn,)
    due = np.asarray(value[key])
    assume(due.size)
    return Case(builders.select(value.shape, key), [value], [due])


@st.composite
def diagonals(draw: Draw) -> Case:
    value = numbers(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    axes = draw(st.permutations(range(value.ndim)))[:2]
    rows, columns = (value.shape[axis] for axis in axes)
    offset = draw(st.integers(1 - rows, columns - 1))
    signed = [_signed(draw, axis, value.ndim) for axis in axes]
    operator = builders.diagonal(value.shape, offset, *signed)
    return Case(operator, [value], [np.diagonal(value, offset, *axes)])


@st.composite
def takings(draw: Draw) -> Case:
    """Slices along an axis by indices of any shape, which are data."""
    value = numbers(draw(SHAPES))
    axis = draw(st.integers(0, value.ndim - 1))
    shape = draw(st.lists(st.integers(1, 3), max_size=2))
    chosen = np.random.default_rng(draw(st.integers(0, 9))).integers(0, value.shape[axis], shape)
    operator = builders.take(
        value.shape, chosen.shape, _signed(draw, axis, value.ndim),
        indices_role=draw(st.sampled_from(["input", "weight"])),
    )  # fmt: skip
    return Case(operator, [value, np.asarray(chosen, float)], [np.take(value, chosen, axis)])


@st.composite
def takings_along(draw: Draw) -> Case:
    """An element for each index along an axis; the other axes broadcast."""
    full = draw(SHAPES)
    axis = draw(st.integers(0, len(full) - 1))
    shape, picked = ([draw(st.sampled_from([1, length])) for length in full] for _ in range(2))
    shape[axis], picked[axis] = full[axis], draw(st.integers(1, 3))
    value = numbers(shape)
    chosen = np.random.default_rng(draw(st.integers(0, 9))).integers(0, full[axis], picked)
    operator = builders.take_along(
        value.shape, chosen.shape, _signed(draw, axis, value.ndim),
        indices_role=draw(st.sampled_from(["input", "weight"])),
    )  # fmt: skip
    fronts = np.broadcast_shapes(
        *[(*each[:axis], 1, *each[axis + 1 :]) for each in (value.shape, chosen.shape)]
    )
    stretched = [
        np.broadcast_to(array, (*fronts[:axis], array.shape[axis], *fronts[axis + 1 :]))
        for array in (value, chosen)
    ]
    due = np.take_along_axis(*stretched, axis)
    return Case(operator, [value, np.asarray(chosen, float)], [due])


@frozen(eq=False)
class Patches:
    """An image, the elements of its windows side by side, and the settings that say so."""

    image: Array
    windows: Array
    window: int | Sequence[int]
    axes: Sequence[Sequence[str]]
    layout: str
    settings: Mapping[str, Any]


@st.composite
def patches(draw: Draw, filled: Callable[[Sequence[int]], Array] = numbers) -> Patches:
    """Windows of one to three axes, their axes in any order and grouping."""
    rank = draw(st.integers(1, 3))
    lengths, windows, strides, dilations = draw(axes_of_windows(rank, 5 if rank < 3 else 3))
    reaches = reaches_of(windows, dilations)
    padding = draw(paddings(rank))
    axes = list(zip(lengths, reaches, strides, pairs(padding, rank), strict=True))
    assume(all(n + b + a >= r for n, r, _, (b, a) in axes))
    starts = [window_starts(*axis, ceil=False) for axis in axes]
    layout = draw(st.sampled_from(IMAGES))
    batch, channels = (draw(st.integers(1, 2)) if "N" in layout else 1), draw(st.integers(1, 2))
    image = filled((batch, channels, *lengths))
    padded = np.pad(image, [(0, 0), (0, 0), *pairs(padding, rank)])
    seen = np.zeros((batch, channels, *map(len, starts), *windows))
    for place in itertools.product(*[range(len(each)) for each in starts]):
        begins = [
            each[at] + before
            for each, at, (*_, (before, _)) in zip(starts, place, axes, strict=True)
        ]
        cut = map(slice, begins, np.add(begins, reaches), dilations)
        seen[(slice(None), slice(None), *place)] = padded[(slice(None), slice(None), *cut)]
    names = ["n", "c", *SPOTS[:rank], *STEPS[:rank]]
    sizes = dict(zip(names, seen.shape, strict=True))
    dropped = [] if "N" in layout else ["n"]
    after = _grouped(draw, draw(st.permutations([name for name in names if name not in dropped])))
    order = [names.index(name) for name in [*itertools.chain(*after), *dropped]]
    return Patches(
        image=laid_out(image, "NC*", layout, rank),
        windows=seen.transpose(order).reshape([math.prod(map(sizes.get, axis)) for axis in after]),
        window=_short(draw, windows), axes=after, layout=layout,
        settings={
            "stride": _short(draw, strides), "padding": padding,
            "dilation": _short(draw, dilations),
        },
    )  # fmt: skip


@st.composite
def patchings(draw: Draw) -> Case:
    """Every window of an image, its elements side by side."""
    drawn = draw(patches())
    operator = builders.patches(
        drawn.image.shape, drawn.window, drawn.axes, input_layout=drawn.layout, **drawn.settings
    )
    return Case(operator, [drawn.image], [drawn.windows])


@st.composite
def foldings(draw: Draw) -> Case:
    """Windows put back, as a sum of what meets in an element of the image."""
    drawn = draw(patches(filled=lambda shape: element_numbers([shape])[0]))
    values = numbers(drawn.windows.shape)
    moved = builders.fold_patches(
        values.shape, drawn.image.shape, drawn.window, drawn.axes,
        output_layout=drawn.layout, **drawn.settings,
    )  # fmt: skip
    summed = Reduction(dims=moved.dims, operands=moved.operands, function="sum")
    totals = np.bincount(drawn.windows.ravel().astype(int), values.ravel(), drawn.image.size + 1)
    return Case(summed, [values], [totals[drawn.image]])


@st.composite
def lookups(draw: Draw) -> Case:
    """Rows, or slices along another axis, by indices of any shape."""
    table = numbers(draw(SHAPES))
    axis = draw(st.integers(0, table.ndim - 1))
    shape = draw(st.lists(st.integers(1, 3), max_size=2))
    seed = draw(st.integers(0, 9))
    chosen = np.random.default_rng(seed).integers(0, table.shape[axis], shape)
    operator = builders.embedding(chosen.shape, table.shape, axis=_signed(draw, axis, table.ndim))
    return Case(operator, [np.asarray(chosen, float), table], [np.take(table, chosen, axis)])


CASES: Final[dict[str, Callable[[], st.SearchStrategy[Case]]]] = {
    "conv": convolutions,
    "conv_transpose": transposed_convolutions,
    "pool": poolings,
    "matmul": matrix_products,
    "einsum": einsums,
    "elementwise": elementwise_functions,
    "elementwise along axes": scales_along_axes,
    "activation": activations,
    "reduce": reductions,
    "transpose": transpositions,
    "concatenate": concatenations,
    "split": splits,
    "pad": pads,
    "shift": slices,
    "repeat": repetitions,
    "broadcast_to": broadcasts,
    "copy": copies,
    "flip": flips,
    "transpose backwards": rotations,
    "stack": stacks,
    "unstack": unstackings,
    "tile": tilings,
    "regroup": regroupings,
    "frames": framings,
    "select": selections,
    "diagonal": diagonals,
    "take": takings,
    "take_along": takings_along,
    "patches": patchings,
    "embedding": lookups,
}
"""What draws the calls of each builder whose operator computes something by itself."""


# ------------------------------------------------------------------ maps of some axes alone


@frozen(eq=False)
class Origins:
    """A movement that some axes have no map for, and which element each of its results is.

    The elements are numbered as `element_numbers` does; 0 is none of them.
    """

    operator: Operator
    results: Sequence[Array]

    def __repr__(self) -> str:
        return str(self.operator)


@st.composite
def triangles(draw: Draw) -> Origins:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    offset, upper = draw(st.integers(-5, 5)), draw(st.booleans())
    (given,) = element_numbers([shape])
    kept = np.triu(given, offset) if upper else np.tril(given, offset)
    return Origins(builders.triangle(shape, offset, upper=upper), [kept])


@st.composite
def insertions(draw: Draw) -> Origins:
    shape = draw(SHAPES)
    block = [draw(st.integers(1, length)) for length in shape]
    starts = [draw(st.integers(0, n - part)) for n, part in zip(shape, block, strict=True)]
    given, update = element_numbers([shape, block])
    cut = tuple(slice(at, at + part) for at, part in zip(starts, block, strict=True))
    given[cut] = update
    role = draw(st.sampled_from(["input", "weight"]))
    return Origins(builders.insert(shape, block, starts, update_role=role), [given])


@st.composite
def rolls(draw: Draw) -> Origins:
    shape = draw(SHAPES)
    axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1))))
    (given,) = element_numbers([shape])
    rolled = np.roll(given, [draw(st.integers(-3, 3)) for _ in axes], axes) if axes else given
    signed = [_signed(draw, axis, len(shape)) for axis in axes]
    return Origins(builders.rearrange_along("selection", shape, shape, signed), [rolled])


@st.composite
def irregular_repetitions(draw: Draw) -> Origins:
    """Each element of an axis as often as it says, some not at all."""
    shape = draw(SHAPES)
    axis = draw(st.integers(0, len(shape) - 1))
    times = draw(st.lists(st.integers(0, 3), min_size=shape[axis], max_size=shape[axis]))
    assume(any(times))
    (given,) = element_numbers([shape])
    repeated = np.repeat(given, times, axis)
    kept = given.size // shape[axis] * sum(number > 0 for number in times)
    operator = builders.rearrange_along("repetition", shape, repeated.shape, [axis], touched=kept)
    return Origins(operator, [repeated])


@st.composite
def resizings(draw: Draw) -> Origins:
    """The nearest element of each, between the middles of both."""
    shape = draw(SHAPES)
    full = [draw(st.sampled_from([n, 2 * n, 3 * n, 1, 2, 3, 5, 7])) for n in shape]
    (found,) = element_numbers([shape])
    for axis, (before, after) in enumerate(zip(shape, full, strict=True)):
        places = [(2 * at + 1) * before // (2 * after) for at in range(after)]
        found = np.take(found, places, axis)
    return Origins(builders.resize(shape, full), [found])


ORIGINS: Final[dict[str, Callable[[], st.SearchStrategy[Origins]]]] = {
    "triangle": triangles,
    "insert": insertions,
    "rearrange_along, a roll": rolls,
    "rearrange_along, repetitions": irregular_repetitions,
    "resize": resizings,
}
"""What draws the movements that have a map for some axes alone."""
