"""Convolutions and products of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.workload import builders
from costmodel.workload.builders.contractions import einsum_terms
from costmodel.workload.operators import Elementwise
from costmodel_onnx.nodes import trained
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode

_AUTO: Final = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def padding_of(node: OnnxNode, spatial: int) -> Any:
    """The padding that `auto_pad` or `pads` state."""
    rule = node.attribute("auto_pad", "NOTSET")
    if rule != "NOTSET":
        if rule not in _AUTO:
            node.refuse(f"auto_pad is {rule!r:.40}; expected one of {', '.join(_AUTO)}")
        return _AUTO[rule]
    return pairs_of(node, spatial)


def pairs_of(node: OnnxNode, spatial: int) -> list[tuple[int, int]]:
    """The pairs that `pads` state: the starts of all axes stand before the ends."""
    pads = node.attribute("pads") or [0] * (2 * spatial)
    if len(pads) != 2 * spatial:
        node.refuse(f"pads has {len(pads)} numbers; expected {2 * spatial}")
    return list(zip(pads[:spatial], pads[spatial:], strict=True))


def spatial_axes(node: OnnxNode, image: Value) -> int:
    """The number of axes beside batch and channels.

    Raises:
        ReadError: there is none.

    """
    if image.rank <= len(("batch", "channels")):
        node.refuse(f"an image of {image.rank} axes; expected batch, channels and sides")
    return image.rank - 2


def convolved(
    node: OnnxNode, image: Value, kernel: Value, bias: Value | None, **more: Any
) -> Value:
    """A convolution with the settings that all its variants share."""
    spatial = spatial_axes(node, image)
    return with_bias(
        node, "conv", image, kernel, bias,
        stride=node.attribute("strides") or [1] * spatial, padding=padding_of(node, spatial),
        dilation=node.attribute("dilations") or [1] * spatial, groups=node.attribute("group", 1),
        **more,
    )  # fmt: skip


def with_bias(
    node: OnnxNode, operation: str, image: Value, kernel: Value, bias: Value | None, **settings: Any
) -> Value:
    """A convolution whose bias is part of it, or is added to its channels where it is data."""
    trained(kernel, bias)
    if bias is None or bias.is_constant:
        return node.add(operation, image, kernel, bias, **settings)
    made = node.add(operation, image, kernel, **settings)
    behind = 0 if settings.get("input_layout") == CHANNELS_LAST else image.rank - 2
    sides = node.add("reshape", bias, shape=(bias.size, *[1] * behind))
    return node.add("elementwise", made, sides, function="add")


CHANNELS_LAST: Final = "N*C"
"""The layout of an image whose channels are the last axis."""


@translates("Conv")
def conv(node: OnnxNode) -> Value:
    """A convolution, grouped or not."""
    return convolved(node, node.input(0), node.input(1), node.present_input(2))


@translates("ConvTranspose")
def conv_transpose(node: OnnxNode) -> Value:
    """A transposed convolution; its result may be stated, or padded so that it has a size."""
    image, kernel, bias = node.input(0), node.input(1), node.present_input(2)
    spatial = spatial_axes(node, image)
    strides = node.attribute("strides") or [1] * spatial
    dilation = node.attribute("dilations") or [1] * spatial
    extra = node.attribute("output_padding") or [0] * spatial
    stated = node.attribute("output_shape")
    settings = {"stride": strides, "dilation": dilation, "groups": node.attribute("group", 1)}
    rule = node.attribute("auto_pad", "NOTSET")
    if stated is None and rule in {"SAME_UPPER", "SAME_LOWER"}:
        stated = [length * step for length, step in zip(image.shape[2:], strides, strict=True)]
    if stated is None:
        return with_bias(
            node, "conv_transpose", image, kernel, bias, output_padding=extra,
            padding=pairs_of(node, spatial), **settings,
        )  # fmt: skip
    stated = [int(length) for length in stated][-spatial:]
    spans = [(taps - 1) * gap + 1 for taps, gap in zip(kernel.shape[2:], dilation, strict=True)]
    padding = []
    for place in range(spatial):
        whole = strides[place] * (image.shape[2 + place] - 1) + extra[place] + spans[place]
        total = max(whole - stated[place], 0)
        less = total // 2
        padding.append((less, total - less) if rule == "SAME_UPPER" else (total - less, less))
    return with_bias(
        node, "conv_transpose", image, kernel, bias, padding=padding, spatial=stated, **settings
    )


@translates("DeformConv")
def deform_conv(node: OnnxNode) -> Value:
    """A convolution whose taps lie between elements: four are weighed for each tap."""
    image, kernel, offset = node.input(0), node.input(1), node.input(2)
    spatial = spatial_axes(node, image)
    taps = math.prod(kernel.shape[2:])
    sides = offset.shape[2:]
    places = (image.shape[0], image.shape[1] * taps, *sides)
    carried = builders.rearrange("repetition", [image.tensor, offset.tensor], [places])
    weighing = Elementwise(
        dims=carried.dims, operands=carried.operands, function="affine", steps=_NEIGHBOURS
    )
    (patches,) = node.append("sample", weighing, image, offset)
    if node.present_input(4) is not None:
        patches = node.add("elementwise", patches, function="multiply")
    trained(kernel)
    shape = (kernel.shape[0], kernel.shape[1] * taps, *[1] * spatial)
    return with_bias(
        node, "conv", patches, node.add("reshape", kernel, shape=shape), node.present_input(3),
        groups=node.attribute("group", 1),
    )  # fmt: skip


_NEIGHBOURS: Final = 4
"""Elements around a place between them, in two axes."""


# ------------------------------------------------------------------ matrices


@translates("MatMul")
def matmul(node: OnnxNode) -> Value:
    """A product of matrices, batched over the axes in front."""
    trained(node.input(0), node.input(1))
    return node.add("matmul", node.input(0), node.input(1))


@translates("Gemm")
def gemm(node: OnnxNode) -> Value:
    """A product of matrices, scaled, with an addend."""
    return product(
        node, node.input(0), node.input(1), node.present_input(2),
        alpha=float(node.attribute("alpha", 1.0)), beta=float(node.attribute("beta", 1.0)),
    )  # fmt: skip


def product(
    node: OnnxNode, left: Value, right: Value, addend: Value | None = None, *,
    alpha: float = 1.0, beta: float = 1.0, **more: Any,
) -> Value:  # fmt: skip
    """A product of matrices with an addend; factors of constants are part of these."""
    trained(left, right)
    settings = {
        "transpose_left": bool(node.attribute("transA", 0)),
        "transpose_right": bool(node.attribute("transB", 0)),
        **more,
    }
    is_scaled = alpha != 1 and not (left.is_constant or right.is_constant)
    is_bias = addend is not None and addend.is_constant and addend.size > 1 and not is_scaled
    if is_bias:
        trained(addend)
        return node.add("matmul", left, right, addend, **settings)
    made = node.add("matmul", left, right, **settings)
    if is_scaled:
        made = node.add("elementwise", made, function="multiply")
    if addend is None or (addend.is_constant and addend.scalar == 0):
        return made
    if beta != 1 and not addend.is_constant:
        addend = node.add("elementwise", addend, function="multiply")
    return node.add("elementwise", made, addend, function="add")


@translates("Einsum")
def einsum(node: OnnxNode) -> Value:
    """Products summed over the axes that an equation leaves out, two operands at a time.

    Of more than two operands, the first two are multiplied first, as runtimes do; an axis stays
    until no later operand needs it.
    """
    equation = str(node.attribute("equation", ""))
    values = list(node.present)
    terms, kept = einsum_terms(equation, [value.rank for value in values])
    value, own = values[0], terms[0]
    if len(values) == 1:
        return _reduced_term(node, value, own, kept)
    for place in range(1, len(values)):
        other, other_terms = values[place], terms[place]
        value, own = _without_repeats(node, value, own)
        other, other_terms = _without_repeats(node, other, other_terms)
        later = {name for names in terms[place + 1 :] for name in names} | set(kept)
        is_last = place == len(values) - 1
        wanted = kept if is_last else [
            name for name in dict.fromkeys([*own, *other_terms]) if name in later
        ]  # fmt: skip
        if set(own) | set(other_terms) == set(wanted):
            value = _outer(node, (value, own), (other, other_terms), wanted)
        else:
            value = node.add("contract", value, other, axes=[own, other_terms], kept=wanted)
        own = list(wanted)
    return value


def _outer(
    node: OnnxNode, one: tuple[Value, Sequence[str]], other: tuple[Value, Sequence[str]],
    kept: Sequence[str],
) -> Value:  # fmt: skip
    """Products of which none are summed: those of every element, in the order of the result."""
    values = []
    for value, names in (one, other):
        order = [names.index(name) for name in kept if name in names]
        turned = node.add("transpose", value, order=order)
        lengths = dict(zip([names[place] for place in order], turned.shape, strict=True))
        shape = [lengths.get(name, 1) for name in kept]
        values.append(node.add("reshape", turned, shape=shape))
    return node.add("elementwise", *values, function="multiply")


def _without_repeats(node: OnnxNode, value: Value, names: list[str]) -> tuple[Value, list[str]]:
    """A diagonal where a letter stands twice."""
    if len(set(names)) == len(names):
        return value, names
    single = list(dict.fromkeys(names))
    return _reduced_term(node, value, names, single), single


def _reduced_term(node: OnnxNode, value: Value, names: list[str], kept: Sequence[str]) -> Value:
    """One operand: a transposition, a sum, or a diagonal."""
    if len(set(names)) == len(names):
        gone = [place for place, name in enumerate(names) if name not in kept]
        left = [name for name in names if name in kept]
        if gone:
            value = node.add("reduce", value, function="sum", axes=gone)
        order = [left.index(name) for name in kept]
        return node.add("transpose", value, order=order) if order != sorted(order) else value
    work = builders.contract([value.tensor], [names], kept, roles=["input"])
    return node.append("einsum", work, value)[0]
