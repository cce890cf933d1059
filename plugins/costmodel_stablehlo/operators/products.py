"""Multiply-accumulates: products of tensors, and convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.errors import ShapeError
from costmodel.frontend.translation import DataDependentError
from costmodel_stablehlo.operators.movements import edged
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode


@translates("dot_general")
def dot_general(node: ModuleNode) -> Value:
    """Products of two values, summed over the contracted axes."""
    numbers = node.attribute("dot_dimension_numbers")
    sides = [
        [list(numbers[f"{side}_{kind}_dimensions"]) for kind in ("batching", "contracting")]
        for side in ("lhs", "rhs")
    ]
    return product(node, node.input(0), node.input(1), *sides[0], *sides[1])


@translates("dot")
def dot(node: ModuleNode) -> Value:
    """A product of vectors or matrices."""
    left, right = node.input(0), node.input(1)
    return product(node, left, right, [], [left.rank - 1], [], [0])


def product(  # noqa: PLR0917  # the axes, as the operation names them
    node: ModuleNode, left: Value, right: Value, batch: Sequence[int], summed: Sequence[int],
    right_batch: Sequence[int], right_summed: Sequence[int],
) -> Value:  # fmt: skip
    """A product: the axes of the batch come first, then the free ones of the left and right.

    Raises:
        ShapeError: an axis is named twice, or the lengths differ.

    """
    if len(batch) != len(right_batch) or len(summed) != len(right_summed):
        message = "expected as many axes of the batch and contracted ones on either side"
        raise ShapeError(message)
    turned = _as_matrices(node, left, right, (batch, summed), (right_batch, right_summed))
    if turned is not None:
        return turned
    shared = {axis: f"b{n}" for n, axis in enumerate(batch)}
    shared |= {axis: f"k{n}" for n, axis in enumerate(summed)}
    others = {axis: f"b{n}" for n, axis in enumerate(right_batch)}
    others |= {axis: f"k{n}" for n, axis in enumerate(right_summed)}
    lefts = [shared.get(axis, f"m{axis}") for axis in range(left.rank)]
    rights = [others.get(axis, f"n{axis}") for axis in range(right.rank)]
    kept = [
        *[f"b{n}" for n in range(len(batch))],
        *[name for name in lefts if name.startswith("m")],
        *[name for name in rights if name.startswith("n")],
    ]
    return node.add("contract", left, right, axes=(lefts, rights), kept=kept)


def _as_matrices(
    node: ModuleNode, left: Value, right: Value, mine: Sequence[Sequence[int]],
    others: Sequence[Sequence[int]],
) -> Value | None:  # fmt: skip
    """The product of matrices that it is, if the axes lie as those of matrices do."""
    (batch, summed), (right_batch, right_summed) = mine, others
    front = list(range(len(batch)))
    if list(batch) != front or list(right_batch) != front or len(summed) != 1:
        return None
    free = right.rank - len(batch) - 1
    if free != 1 or left.rank - len(batch) - 1 < 1:
        return None
    if batch and left.rank - len(batch) != len(("row", "column")):
        return None
    transpose_left = summed[0] != left.rank - 1
    if transpose_left and (summed[0] != left.rank - 2 or left.rank != len(batch) + 2):
        return None
    return node.add(
        "matmul", left, right, transpose_left=transpose_left,
        transpose_right=right_summed[0] == right.rank - 1,
    )  # fmt: skip


@translates("einsum")
def einsum(node: ModuleNode) -> Value:
    """A product that an equation of letters states."""
    terms, _, kept = str(node.attribute("einsum_config")).replace(" ", "").partition("->")
    left, _, right = terms.partition(",")
    return node.add(
        "contract", node.input(0), node.input(1), axes=(list(left), list(right)), kept=list(kept)
    )


@translates("chlo.ragged_dot")
def ragged_dot(node: ModuleNode) -> Value:
    """Each row times the matrix of its group: as many products as with one matrix for all.

    Raises:
        DataDependentError: the groups lie along the contracted axis or the batch.

    """
    left, right = node.input(0), node.input(1)
    if (left.rank, right.rank) != (2, 3) or left.shape[1] != right.shape[1]:
        message = "a ragged product whose groups are not those of the rows of a matrix"
        raise DataDependentError(message)
    chosen = node.add("fetch", right, node.input(2), shape=right.shape[1:])
    return node.add("matmul", left, chosen)


# ------------------------------------------------------------------ convolutions


@translates("convolution")
def convolution(node: ModuleNode) -> Value:
    """A convolution; one of an image with zeros between its elements is a transposed one."""
    return _convolution(node, node.attributes.get("padding"))


@translates("dynamic_conv")
def computed_convolution(node: ModuleNode) -> Value:
    """A convolution whose padding is computed."""
    numbers = node.numbers(2, "the padding")
    return _convolution(node, {"numbers": numbers, "tensor": {"shape": [len(numbers)]}})


def _convolution(node: ModuleNode, padding: Any) -> Value:
    from costmodel_stablehlo.nodes import numbers_of  # noqa: PLC0415  # the type of `padding`

    form = node.attribute("dimension_numbers")
    spatial = len(form["input_spatial_dimensions"])
    image = _ordered(node, node.input(0), form, "input", ("batch", "feature"))
    kernel = _ordered(node, node.input(1), form, "kernel", ("output_feature", "input_feature"))
    flat = numbers_of(padding) if padding else [0] * (2 * spatial)
    pads = list(zip(flat[::2], flat[1::2], strict=True))
    ones = [1] * spatial
    stride, image_dilation, dilation = [
        node.list_of(name, ones) for name in ("window_strides", "lhs_dilation", "rhs_dilation")
    ]
    groups, batches = node.whole("feature_group_count", 1), node.whole("batch_group_count", 1)
    if batches > 1:
        image, groups = _batches_as_groups(node, image, batches, groups)
    image_letters = image.letters
    if any(one > 1 for one in image_dilation):
        made = _transposed(node, image, kernel, stride, image_dilation, dilation, pads, groups)
    else:
        value = image.value
        if any(amount < 0 for pair in pads for amount in pair):
            value, pads = _cropped(node, image, pads)
        made = node.add(
            "conv", value, kernel.value, stride=stride, padding=pads, dilation=dilation,
            groups=groups, input_layout=image_letters, weight_layout=kernel.letters,
        )  # fmt: skip
    return _as_declared(node, made, image_letters, form)


class _Placed:
    """A value, and the letters of its axes."""

    def __init__(self, value: Value, letters: str) -> None:
        self.value, self.letters = value, letters
        self.spelled = letters.replace("*", "*" * (value.rank - len(letters) + 1))


_LETTERS = {"batch": "N", "feature": "C", "output_feature": "K", "input_feature": "C"}


def _ordered(
    node: ModuleNode, value: Value, form: Mapping[str, Any], what: str, names: Sequence[str]
) -> _Placed:
    """A value whose spatial axes lie next to each other, in order."""
    places = {form[f"{what}_{name}_dimension"]: _LETTERS[name] for name in names}
    spatial = list(form[f"{what}_spatial_dimensions"])
    letters = [places.get(axis, "*") for axis in range(value.rank)]
    first = spatial[0] if spatial else value.rank
    if spatial == list(range(first, first + len(spatial))):
        text = "".join(letters)
        return _Placed(value, text.replace("*" * len(spatial), "*", 1) if spatial else text)
    order = [*sorted(places), *spatial]
    moved = node.add("transpose", value, order=order)
    return _Placed(moved, "".join(places[axis] for axis in sorted(places)) + "*")


def _cropped(
    node: ModuleNode, image: _Placed, pads: Sequence[tuple[int, int]]
) -> tuple[Value, list[tuple[int, int]]]:
    """An image without the elements that negative padding takes away, and the padding left."""
    along = iter(pads)
    amounts = [
        (min(pair[0], 0), min(pair[1], 0)) if letter == "*" else (0, 0)
        for letter in image.spelled
        for pair in [next(along) if letter == "*" else (0, 0)]
    ]
    cut = edged(node, image.value, amounts)
    return cut, [(max(low, 0), max(high, 0)) for low, high in pads]


def _transposed(  # noqa: PLR0913, PLR0917  # the settings of a window
    node: ModuleNode, image: _Placed, kernel: _Placed, stride: Sequence[int],
    image_dilation: Sequence[int], dilation: Sequence[int], pads: Sequence[tuple[int, int]],
    groups: int,
) -> Value:  # fmt: skip
    """A transposed convolution: every element of the image meets the whole kernel.

    Raises:
        DataDependentError: it has a stride as well.

    """
    if any(one > 1 for one in stride):
        message = "a convolution with a stride of an image with zeros between its elements"
        raise DataDependentError(message)
    window = [
        length
        for length, letter in zip(kernel.value.shape, kernel.spelled, strict=True)
        if letter == "*"
    ]
    reach = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
    cut = [(far - low, far - high) for far, (low, high) in zip(reach, pads, strict=True)]
    padding = [(max(low, 0), max(high, 0)) for low, high in cut]
    held = _with_all_channels(node, kernel, groups) if groups > 1 else kernel
    made = node.add(
        "conv_transpose", image.value, held.value, stride=image_dilation, padding=padding,
        dilation=dilation, groups=groups, input_layout=image.letters, weight_layout=held.letters,
    )  # fmt: skip
    beyond = iter([(max(-low, 0), max(-high, 0)) for low, high in cut])
    amounts = [next(beyond) if letter == "*" else (0, 0) for letter in image.spelled]
    return edged(node, made, amounts)


def _moved(node: ModuleNode, placed: _Placed, parts: int, start: str, end: str) -> _Placed:
    """A value whose axis `start` is divided into parts, which join the axis `end` in front."""
    value, letters = placed.value, placed.spelled
    divided, joined = letters.index(start), letters.index(end)
    shape = list(value.shape)
    apart = [*shape[:divided], parts, shape[divided] // parts, *shape[divided + 1 :]]
    split = node.add("reshape", value, shape=apart)
    place = joined + (joined > divided)
    order = [axis for axis in range(len(apart)) if axis != divided]
    order.insert(order.index(place), divided)
    shape[divided] //= parts
    shape[joined] *= parts
    ordered = node.add("transpose", split, order=order)
    return _Placed(node.add("reshape", ordered, shape=shape), placed.letters)


def _with_all_channels(node: ModuleNode, kernel: _Placed, groups: int) -> _Placed:
    """A kernel with the channels of all groups on one axis, as transposed convolutions have it."""
    return _moved(node, kernel, groups, "K", "C")


def _batches_as_groups(
    node: ModuleNode, image: _Placed, batches: int, groups: int
) -> tuple[_Placed, int]:
    """An image whose groups of examples are groups of channels.

    Raises:
        ShapeError: there are groups of channels as well.

    """
    if groups > 1:
        message = "groups of the batch and of the channels; expected one of them"
        raise ShapeError(message)
    return _moved(node, image, batches, "N", "C"), batches


def _as_declared(node: ModuleNode, made: Value, letters: str, form: Mapping[str, Any]) -> Value:
    """The result with its axes in the declared order."""
    spelled = letters.replace("*", "*" * (made.rank - len(letters) + 1))
    spatial = [place for place, letter in enumerate(spelled) if letter == "*"]
    order = [0] * made.rank
    order[form["output_batch_dimension"]] = spelled.index("N")
    order[form["output_feature_dimension"]] = spelled.index("C")
    for axis, place in zip(form["output_spatial_dimensions"], spatial, strict=True):
        order[axis] = place
    if order == list(range(made.rank)):
        return made
    return node.add("transpose", made, order=order)
