"""Builders of windows that move over images: convolution, pooling, patches.

A layout names the axes of a tensor: `N` the batch, `C` input channels, `K` output channels, `G`
groups, `*` all spatial axes. Without a `G`, the groups are part of the channel axes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.tensor.sizes import SizeArray, always, as_size, larger, least, smaller
from costmodel.workload.affine import Affine, Index, axis_index
from costmodel.workload.builders.shapes import (
    TensorLike,
    agree,
    checked_result,
    folded,
    grouped_index,
)
from costmodel.workload.operators import (
    Contraction,
    Movement,
    Operand,
    ReadRole,
    Reduction,
    as_tensor,
    shape_of,
)

PerAxis: TypeAlias = int | Sequence[int]
"""One number for all spatial axes, or one for each."""
Padding: TypeAlias = str | int | Sequence[int | Sequence[int]]
"""Zeros before and after each spatial axis: one number, one or a pair for each axis, or a rule.

The rule `same` makes `ceil(length / stride)` outputs, with an odd zero at the end, `same_lower`
with it at the beginning; `causal` puts all zeros before; `valid` has none.
"""
_LETTERS: Final = {"input": "NC*", "weight": "GCK*"}
"""The letters that a layout may have, the spatial axes among them."""
_MOST_NAMED: Final = 3
_PAIR: Final = 2


def conv(
    input: TensorLike,
    weight: TensorLike,
    *,
    bias: TensorLike | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    input_layout: str = "NC*",
    weight_layout: str = "KC*",
    weight_role: ReadRole = "weight",
    output: TensorLike | None = None,
) -> Contraction:
    """A convolution in any number of spatial axes, grouped or not.

    Dimensions: `n` batch, `g` groups where there are several, `k` and `c` output and input
    channels of a group, `p q o` output positions, `r s t` window. A depthwise convolution has as
    many groups as input channels.

    Args:
        input: the image, with axes as `input_layout` names them.
        weight: the kernel, with axes as `weight_layout` names them.
        bias: one element for each output channel.
        stride: distance of neighbouring windows along each spatial axis.
        padding: zeros around the image, or a rule.
        dilation: distance of neighbouring elements of a window.
        groups: groups of channels that are convolved apart.
        input_layout: such as `NC*`, `N*C`, or `*C` without a batch; the output has the same.
        weight_layout: such as `KC*`, `*CK`, or `*GK` for a depthwise kernel.
        weight_role: `input` for a kernel that differs from example to example.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: shapes, layouts and settings do not fit together.

    """
    image = _Image(as_tensor(input), input_layout, "input")
    kernel = _Image(as_tensor(weight), weight_layout, "weight")
    channels, depth, filters = _channels(image, kernel, groups)
    if not agree(depth * groups, channels):
        message = (
            f"a kernel of {depth} channels in {groups} group(s) does not fit an image of "
            f"{channels} channels; expected channels = groups x channels of the kernel"
        )
        raise ShapeError(message)
    axes = _windows(image.spatial, kernel.spatial, stride, padding, dilation)
    places = [axis.places for axis in axes]
    spots, window = _names(len(axes))
    dims = {
        **image.batch_dim(), **({"g": groups} if groups != 1 else {}),
        "k": filters // groups, "c": depth,
        **dict(zip(spots, places, strict=True)), **dict(zip(window, kernel.spatial, strict=True)),
    }  # fmt: skip
    read = image.index(grouped_index("c", depth, groups), [axis.index for axis in axes])
    operands = [
        Operand("input", image.tensor, read),
        Operand(weight_role, kernel.tensor, _kernel_index(kernel, filters, groups, window)),
    ]
    made = grouped_index("k", filters // groups, groups)
    if bias is not None:
        operands.append(_bias(bias, filters, made))
    result = checked_result(output, image.shape(filters, places), "convolution")
    written = image.index(made, [axis_index(name) for name in spots])
    return Contraction(dims=dims, operands=[*operands, Operand("output", result, written)])


def conv_transpose(
    input: TensorLike,
    weight: TensorLike,
    *,
    bias: TensorLike | None = None,
    stride: PerAxis = 1,
    padding: int | Sequence[int | Sequence[int]] = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    input_layout: str = "NC*",
    weight_layout: str = "CK*",
    weight_role: ReadRole = "weight",
    output: TensorLike | None = None,
) -> Contraction:
    """A transposed convolution: every input element is scattered through the kernel.

    Dimensions as in `conv`, but `p q o` are input positions, and the output has the affine index.
    Points that fall outside of the output are counted, and dropped.

    Args:
        input: the image, with axes as `input_layout` names them.
        weight: the kernel, with axes as `weight_layout` names them.
        bias: one element for each output channel.
        stride: distance in the output of neighbouring input elements.
        padding: elements that are cut from both ends of the spread image.
        output_padding: elements that are added at its end.
        dilation: distance of neighbouring elements of a window.
        groups: groups of channels that are convolved apart.
        input_layout: such as `NC*`, `N*C`, or `*C` without a batch; the output has the same.
        weight_layout: such as `CK*` or `*KC`, where `C` are the channels of all groups and `K`
            those of one; with `G`, such as `GCK*`, those of one group each.
        weight_role: `input` for a kernel that differs from example to example.
        output: the declared result, of which the spatial lengths hold.

    Raises:
        ShapeError: shapes, layouts and settings do not fit together.

    """
    image = _Image(as_tensor(input), input_layout, "input")
    kernel = _Image(as_tensor(weight), weight_layout, "weight")
    depth, filters = _spread_channels(image, kernel, groups)
    axes = _scatters(image.spatial, kernel.spatial, (stride, padding, output_padding, dilation))
    spots, window = _names(len(axes))
    dims = {
        **image.batch_dim(), **({"g": groups} if groups != 1 else {}),
        "k": filters // groups, "c": depth,
        **dict(zip(spots, image.spatial, strict=True)),
        **dict(zip(window, kernel.spatial, strict=True)),
    }  # fmt: skip
    read = grouped_index("c", depth, groups)
    held = {
        "G": axis_index("g") if groups != 1 else Affine(),
        "C": axis_index("c") if "G" in kernel.axes else read,
        "K": axis_index("k"),
    }
    made = grouped_index("k", filters // groups, groups)
    operands = [
        Operand("input", image.tensor, image.index(read, [axis_index(name) for name in spots])),
        Operand(weight_role, kernel.tensor, kernel.index_of(held, window)),
    ]
    if bias is not None:
        operands.append(_bias(bias, filters, made))
    result = _declared(output, image, filters, [axis.places for axis in axes])
    written = image.index(made, [axis.index for axis in axes])
    return Contraction(dims=dims, operands=[*operands, Operand("output", result, written)])


def pool(
    function: str,
    input: TensorLike,
    window: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil: bool = False,
    input_layout: str = "NC*",
    output: TensorLike | None = None,
) -> Reduction:
    """Pooling: every window of each channel reduced to one element.

    Dimensions: `n` batch, `c` channels, `p q o` output positions, `r s t` window.

    Args:
        function: one of REDUCTIONS, such as `max` or `mean`.
        input: the image, with axes as `input_layout` names them.
        window: lengths of the window.
        stride: distance of neighbouring windows; unless given, their length.
        padding: elements around the image, or a rule.
        dilation: distance of neighbouring elements of a window.
        ceil: whether a last window may reach beyond the padded image; one that begins beyond the
            image and the padding before it is left out.
        input_layout: such as `NC*`, `N*C`, or `*C` without a batch; the output has the same.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: shapes, layout and settings do not fit together.
        ValueError: the function is not a reduction.

    """
    image = _Image(as_tensor(input), input_layout, "input")
    lengths = per_axis(window, len(image.spatial), "window")
    _check_positive(window=lengths)
    axes = _windows(
        image.spatial, lengths, lengths if stride is None else stride, padding, dilation, ceil=ceil
    )
    places = [axis.places for axis in axes]
    spots, steps = _names(len(axes))
    channels = image.length("C")
    dims = {
        **image.batch_dim(), "c": channels,
        **dict(zip(spots, places, strict=True)), **dict(zip(steps, lengths, strict=True)),
    }  # fmt: skip
    channel = axis_index("c")
    result = checked_result(output, image.shape(channels, places), "pooling")
    operands = [
        Operand("input", image.tensor, image.index(channel, [axis.index for axis in axes])),
        Operand("output", result, image.index(channel, [axis_index(name) for name in spots])),
    ]
    return Reduction(dims=dims, operands=operands, function=function)


def patches(
    input: TensorLike,
    window: PerAxis,
    axes: Sequence[Sequence[str]],
    *,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    input_layout: str = "NC*",
    output: TensorLike | None = None,
) -> Movement:
    """Every window of an image, its elements side by side.

    Dimensions as in `pool`.

    Args:
        input: the image, with axes as `input_layout` names them.
        window: lengths of the window.
        axes: the dimensions that each axis of the result holds, the last innermost, such as
            `["n", "p", "q", "rsc"]`.
        stride: distance of neighbouring windows; unless given, their length.
        padding: zeros around the image, or a rule.
        dilation: distance of neighbouring elements of a window.
        input_layout: such as `NC*`, `N*C`, or `*C` without a batch.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: shapes, layout and settings do not fit together, or the axes do not hold each
            dimension once.

    """
    image = _Image(as_tensor(input), input_layout, "input")
    read, dims = _unfolded(image, window, stride, padding, dilation)
    shape, written = _held(axes, dims)
    operands = [
        Operand("input", image.tensor, read),
        Operand("output", checked_result(output, shape, "repetition"), written),
    ]
    return Movement(dims=dims, operands=operands, purpose="repetition")


def fold_patches(
    input: TensorLike,
    output: TensorLike,
    window: PerAxis,
    axes: Sequence[Sequence[str]],
    *,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    output_layout: str = "NC*",
) -> Movement:
    """Windows put back into an image, where those of several windows meet: `patches` backwards.

    What becomes of elements that meet, such as their sum, is another operator's matter.

    Args:
        input: the windows, whose axes hold the dimensions that `axes` name.
        output: the image, with axes as `output_layout` names them.
        window: lengths of the window.
        axes: the dimensions that each axis of the input holds, the last innermost.
        stride: distance of neighbouring windows; unless given, their length.
        padding: elements around the image that are dropped, or a rule.
        dilation: distance of neighbouring elements of a window.
        output_layout: such as `NC*`, `N*C`, or `*C` without a batch.

    Raises:
        ShapeError: shapes, layout and settings do not fit together.

    """
    tensor = as_tensor(input)
    image = _Image(as_tensor(output), output_layout, "input")
    written, dims = _unfolded(image, window, stride, padding, dilation)
    shape, read = _held(axes, dims)
    checked_result(tensor, shape, "selection")
    operands = [Operand("input", tensor, read), Operand("output", image.tensor, written)]
    return Movement(dims=dims, operands=operands, purpose="selection")


def _unfolded(
    image: _Image, window: PerAxis, stride: PerAxis | None, padding: Padding, dilation: PerAxis
) -> tuple[Index, dict[str, int]]:
    """The index of an image at the elements of windows, and the dimensions that it reads."""
    lengths = per_axis(window, len(image.spatial), "window")
    _check_positive(window=lengths)
    found = _windows(
        image.spatial, lengths, lengths if stride is None else stride, padding, dilation
    )
    spots, steps = _names(len(found))
    channels = {"c": image.length("C")} if "C" in image.axes else {}
    dims = {
        **image.batch_dim(), **channels,
        **dict(zip(spots, [axis.places for axis in found], strict=True)),
        **dict(zip(steps, lengths, strict=True)),
    }  # fmt: skip
    return image.index(axis_index("c"), [axis.index for axis in found]), dims


def _held(axes: Sequence[Sequence[str]], dims: Mapping[str, int]) -> tuple[tuple[int, ...], Index]:
    """The shape of axes that hold these dimensions, and the index of each."""
    named = sorted([name for axis in axes for name in axis])
    if named != sorted(dims):
        message = f"axes {list(map(list, axes))} do not hold each of {', '.join(dims)} once"
        raise ShapeError(message)
    held = [folded(axis, dims) for axis in axes]
    return tuple([length for length, _ in held]), tuple([index for _, index in held])


def per_axis(given: PerAxis, rank: int, what: str) -> tuple[int, ...]:
    """One number for each spatial axis, where one alone is for all of them.

    Raises:
        ShapeError: there are neither one nor `rank` of them.
        TypeError: one is not a whole number.

    """
    values = tuple([as_size(value) for value in _values(given)])
    if len(values) not in {1, rank}:
        message = f"{what} {values} has {len(values)} values for {rank} spatial axes"
        raise ShapeError(message)
    return values * rank if len(values) == 1 else values


# ------------------------------------------------------------------ layouts


@functools.lru_cache(maxsize=1024)
def _axes_of(layout: str, rank: int, what: str) -> tuple[str, ...]:
    """The letters of the axes, spatial ones numbered from 0."""
    letters, known = set(layout), _LETTERS[what]
    if not letters <= set(known) or len(letters) < len(layout) or "*" not in letters:
        message = (
            f"{what}_layout is {layout!r:.20}; expected letters of {known}, each once, and the *"
        )
        raise ShapeError(message)
    spatial = rank - len(layout) + 1
    if spatial < 1:
        message = f"{what} has {rank} axes; expected at least {len(layout)} for layout {layout!r}"
        raise ShapeError(message)
    before, after = layout.split("*")
    return (*before, *map(str, range(spatial)), *after)


@functools.lru_cache(maxsize=64)
def _names(rank: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the output positions and of the window."""
    if rank <= _MOST_NAMED:
        return tuple("pqo"[:rank]), tuple("rst"[:rank])
    return tuple(f"p{i}" for i in range(rank)), tuple(f"r{i}" for i in range(rank))


class _Image:
    """A tensor with a layout."""

    def __init__(self, tensor: Tensor, layout: str, what: str) -> None:
        self.tensor = tensor
        self.axes = _axes_of(layout, len(shape_of(tensor)), what)
        self._lengths = dict(zip(self.axes, shape_of(tensor), strict=True))
        self._what, self._layout = what, layout

    @property
    def spatial(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""
        return tuple([self._lengths[axis] for axis in self.axes if axis.isdigit()])

    def length(self, letter: str, default: int | None = None) -> int:
        """Length of an axis."""
        length: int | None = self._lengths.get(letter, default)
        if length is None:
            message = (
                f"{self._what}_layout {self._layout!r} has no axis {letter!r}, which is needed"
            )
            raise ShapeError(message)
        return length

    def batch_dim(self) -> dict[str, int]:
        """The dimension of the batch, where the layout has one."""
        return {"n": self._lengths["N"]} if "N" in self._lengths else {}

    def shape(self, channels: int, spatial: Sequence[int]) -> tuple[int, ...]:
        """The shape of another image in the same layout."""
        lengths = {
            **self._lengths,
            "C": channels,
            **dict(zip(map(str, range(len(spatial))), spatial, strict=True)),
        }
        return tuple([lengths[axis] for axis in self.axes])

    def index(self, channel: Affine, spatial: Sequence[Affine]) -> Index:
        """The index of an image: batch, channel and spatial axes where the layout has them."""
        named = {"N": axis_index("n"), "C": channel}
        return tuple([spatial[int(axis)] if axis.isdigit() else named[axis] for axis in self.axes])

    def index_of(self, named: Mapping[str, Affine], window: Sequence[str]) -> Index:
        """The index of a kernel."""
        return tuple(
            [axis_index(window[int(axis)]) if axis.isdigit() else named[axis] for axis in self.axes]
        )


def _channels(image: _Image, kernel: _Image, groups: int) -> tuple[int, int, int]:
    """Channels of the image, channels of a group, and filters of all groups."""
    _check_positive(groups=(groups,))
    if "G" in kernel.axes and kernel.length("G") != groups:
        message = f"a kernel of {kernel.length('G')} groups is used in {groups} group(s)"
        raise ShapeError(message)
    filters = kernel.length("K") * (groups if "G" in kernel.axes else 1)
    if not always(filters % groups == 0):
        message = f"{filters} filters do not divide into {groups} groups"
        raise ShapeError(message)
    channels = image.length("C")
    return channels, kernel.length("C", default=1), filters


def _spread_channels(image: _Image, kernel: _Image, groups: int) -> tuple[int, int]:
    """Channels of a group, and filters of all groups, of a transposed convolution."""
    _check_positive(groups=(groups,))
    has_groups = "G" in kernel.axes
    if has_groups and kernel.length("G") != groups:
        message = f"a kernel of {kernel.length('G')} groups is used in {groups} group(s)"
        raise ShapeError(message)
    channels = image.length("C")
    held = kernel.length("C", default=1 if has_groups else None)
    if not agree(held * groups if has_groups else held, channels):
        shown = (
            f"{held} channels in each of {groups} group(s)" if has_groups else f"{held} channels"
        )
        message = f"a kernel of {shown} does not fit an image of {channels} channels"
        raise ShapeError(message)
    if not always(channels % groups == 0):
        message = f"{channels} channels do not divide into {groups} groups"
        raise ShapeError(message)
    return channels // groups, kernel.length("K") * groups


def _bias(bias: TensorLike, filters: int, index: Affine) -> Operand:
    tensor = as_tensor(bias)
    if len(shape_of(tensor)) != 1 or not agree(shape_of(tensor)[0], filters):
        message = f"a bias of {show_shape(shape_of(tensor))} does not fit {filters} output channels"
        raise ShapeError(message)
    return Operand("weight", tensor, (index,))


def _kernel_index(kernel: _Image, filters: int, groups: int, window: Sequence[str]) -> Index:
    has_groups = "G" in kernel.axes
    own = axis_index("k") if has_groups else grouped_index("k", filters // groups, groups)
    group = axis_index("g") if groups != 1 else Affine()
    return kernel.index_of({"G": group, "C": axis_index("c"), "K": own}, window)


def _declared(
    output: TensorLike | None, image: _Image, filters: int, places: Sequence[int]
) -> Tensor:
    """The result of a transposed convolution: as declared, where its channels fit."""
    if output is None:
        return Tensor(image.shape(filters, places))
    declared = as_tensor(output)
    if len(shape_of(declared)) != len(image.axes):
        shown = show_shape(shape_of(declared))
        message = f"the result is declared as {shown}; expected {len(image.axes)} axes"
        raise ShapeError(message)
    lengths = dict(zip(image.axes, shape_of(declared), strict=True))
    spatial = [lengths[str(axis)] for axis in range(len(places))]
    return checked_result(declared, image.shape(filters, spatial), "transposed convolution")


# ------------------------------------------------------------------ spatial axes


@frozen
class _Axis:
    """A spatial axis of a result: its length, and the affine index that windows give."""

    places: int
    index: Affine


def _windows(
    lengths: Sequence[int],
    window: Sequence[int],
    stride: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    *,
    ceil: bool = False,
) -> list[_Axis]:
    """Where the windows stand along each axis, and the index of their elements."""
    rank = len(lengths)
    if len(window) != rank:
        message = f"a window of {len(window)} axes does not fit {rank} spatial axes"
        raise ShapeError(message)
    strides, dilations = per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")
    _check_positive(stride=strides, dilation=dilations)
    ends = _padded(lengths, window, strides, dilations, padding)
    spots, steps = _names(rank)
    axes = []
    for axis, (length, size, step, gap, (before, after)) in enumerate(
        zip(lengths, window, strides, dilations, ends, strict=True)
    ):
        room = length + before + after - ((size - 1) * gap + 1)
        if always(room >= 0):
            places = room // step + 1
            if ceil:
                begun = -(-(length + before) // step)
                places = larger(places, smaller(-(-room // step) + 1, begun))
        else:
            message = (
                f"a window of {(size - 1) * gap + 1} does not fit into an axis of {length} "
                f"with {before} + {after} of padding"
            )
            raise ShapeError(message)
        axes.append(
            _Axis(places, _spread_index(spots[axis], step, steps[axis], gap).moved(-before))
        )
    return axes


def _scatters(
    lengths: Sequence[int], window: Sequence[int], settings: Sequence[Any]
) -> list[_Axis]:
    """Where input elements fall in the output of a transposed convolution."""
    rank = len(lengths)
    if len(window) != rank:
        message = f"a window of {len(window)} axes does not fit {rank} spatial axes"
        raise ShapeError(message)
    stride, padding, more, dilation = settings
    strides, dilations = per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")
    _check_positive(stride=strides, dilation=dilations)
    added = per_axis(more, rank, "output_padding")
    spots, steps = _names(rank)
    axes = []
    for axis, (before, after) in enumerate(_pairs(padding, rank)):
        reach = (window[axis] - 1) * dilations[axis] + 1
        places = (lengths[axis] - 1) * strides[axis] + reach - before - after + added[axis]
        index = _spread_index(spots[axis], strides[axis], steps[axis], dilations[axis])
        axes.append(_Axis(places, index.moved(-before)))
    return axes


@functools.lru_cache(maxsize=4096)
def _spread_index(place: str, stride: int, step: str, dilation: int) -> Affine:
    return Affine(((place, stride), (step, dilation)))


def _check_positive(**settings: Sequence[int]) -> None:
    for name, values in settings.items():
        if min(map(least, values)) < 1:
            message = f"{name} is {tuple(values)}; expected numbers of 1 or more"
            raise ShapeError(message)


def _pairs(padding: Any, rank: int) -> list[tuple[int, int]]:
    values = _values(padding)
    if len(values) == 1:
        values = tuple(values) * rank
    if len(values) != rank:
        message = f"padding {padding!r:.60} has {len(values)} values for {rank} spatial axes"
        raise ShapeError(message)
    pairs = [each if isinstance(each, Sequence) else (each, each) for each in values]
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != _PAIR:
            message = f"padding {padding!r:.60}; expected numbers, or pairs of before and after"
            raise ShapeError(message)
    return [(as_size(before), as_size(after)) for before, after in pairs]


def _values(given: Any) -> tuple[Any, ...]:
    """Several values; one alone, or text, is one."""
    is_one = isinstance(given, str | SizeArray) or not isinstance(given, Iterable)
    return (given,) if is_one else tuple(given)


def _padded(
    lengths: Sequence[int], window: Sequence[int], strides: Sequence[int],
    dilations: Sequence[int], padding: Padding,
) -> list[tuple[int, int]]:  # fmt: skip
    """Zeros before and after each axis."""
    if not isinstance(padding, str):
        return _pairs(padding, len(lengths))
    rule = _PADDING.get(padding)
    if rule is None:
        message = f"padding is {padding!r:.40}; expected numbers or one of {', '.join(_PADDING)}"
        raise ShapeError(message)
    return [
        rule(length, (size - 1) * gap + 1, step)
        for length, size, step, gap in zip(lengths, window, strides, dilations, strict=True)
    ]


def same_padding(length: int, reach: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis so that `ceil(length / stride)` windows of `reach` fit."""
    missing = (-(-length // stride) - 1) * stride + reach - length
    total = larger(missing, 0)
    return total // 2, total - total // 2


def _same_lower(length: int, reach: int, stride: int) -> tuple[int, int]:
    less, more = same_padding(length, reach, stride)
    return more, less


_PADDING: Final[Mapping[str, Callable[[int, int, int], tuple[int, int]]]] = {
    "valid": lambda _length, _reach, _stride: (0, 0),
    "same": same_padding,
    "same_lower": _same_lower,
    "causal": lambda _length, reach, _stride: (reach - 1, 0),
}
