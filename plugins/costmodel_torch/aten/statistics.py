"""Normalization, softmax, attention and reductions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError
from costmodel_torch.aten.table import (
    ATEN,
    axes_of,
    curve,
    declared,
    elementwise,
    is_set,
    number,
    optional,
    setting,
    tensor,
    whole,
    wholes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.translation import SourceNode

_LAYOUTS: Final = {2: "md", 3: "bmd", 4: "bhmd"}
_IMAGE: Final = 4


def unused(node: SourceNode, made: Value) -> Sequence[Value]:
    """A result, and stand-ins for the others, which only training reads."""
    others = [
        node.graph.constant("statistics", node.shapes[place] or (1,))
        for place in range(1, node.results)
    ]
    return [made, *others]


# ------------------------------------------------------------------ normalization


def _affine(node: SourceNode) -> list[Value]:
    """The trained scale and shift, where there are any."""
    return [one for one in (optional(node, "weight"), optional(node, "bias")) if one is not None]


@ATEN.translates("aten.layer_norm", "aten.native_layer_norm")
def layer_norm(node: SourceNode) -> Sequence[Value]:
    """Normalization along the last axes."""
    return _last_axes(node, is_centred=True)


@ATEN.translates("aten.rms_norm", "aten._fused_rms_norm")
def rms_norm(node: SourceNode) -> Sequence[Value]:
    """Division by the root mean square along the last axes."""
    return _last_axes(node, is_centred=False)


def _last_axes(node: SourceNode, *, is_centred: bool) -> Sequence[Value]:
    value = tensor(node, "input")
    count = len(wholes(node, "normalized_shape"))
    axes = list(range(value.rank - count, value.rank))
    made = node.add("normalize", value, *_affine(node), axes=axes, is_centred=is_centred)
    return unused(node, made)


@ATEN.translates("aten.group_norm", "aten.native_group_norm")
def group_norm(node: SourceNode) -> Sequence[Value]:
    """Normalization of groups of channels."""
    value = tensor(node, "input")
    groups = whole(node, "num_groups" if "num_groups" in node.attributes else "group")
    made = node.add(
        "normalize", value, *_affine(node), axes=[*range(2, value.rank), 1], groups=groups,
        weight_axes=[1],
    )  # fmt: skip
    return unused(node, made)


@ATEN.translates("aten.instance_norm")
def instance_norm(node: SourceNode) -> Sequence[Value]:
    """Normalization of each channel of each example."""
    value = tensor(node, "input")
    if not is_set(node, "use_input_stats", default=True):
        return _fixed(node)
    made = node.add(
        "normalize", value, *_affine(node), axes=list(range(2, value.rank)), weight_axes=[1]
    )
    return unused(node, made)


@ATEN.translates(
    "aten.batch_norm", "aten._native_batch_norm_legit_no_training", "aten.native_batch_norm",
    "aten._native_batch_norm_legit", "aten.cudnn_batch_norm", "aten._batch_norm_no_update",
    "aten._native_batch_norm_legit_functional", "aten._batch_norm_with_update",
)  # fmt: skip
def batch_norm(node: SourceNode) -> Sequence[Value]:
    """At inference a scale and shift of each channel; without running statistics those of data."""
    return _fixed(node)


def _fixed(node: SourceNode) -> Sequence[Value]:
    value, held = tensor(node, "input"), _affine(node)
    statistics = [optional(node, name) for name in ("running_mean", "running_var")]
    kept = [one for one in statistics if one is not None]
    if not kept:
        axes = [axis for axis in range(value.rank) if axis != 1]
        return unused(node, node.add("normalize", value, *held, axes=axes, weight_axes=[1]))
    return unused(node, node.add("scale_and_shift", value, *(held or kept), axis=1))


@ATEN.translates("aten._weight_norm", "aten._weight_norm_interface")
def weight_norm(node: SourceNode) -> Sequence[Value]:
    """A weight by its length and direction, which is computed once."""
    direction = tensor(node, "v")
    made = node.graph.constant(direction.name, direction.shape, direction.format, is_parameter=True)
    return unused(node, made)


# ------------------------------------------------------------------ softmax and attention


@ATEN.translates("aten.softmax", "aten._softmax", "aten.special_softmax", "aten._safe_softmax")
def softmax(node: SourceNode) -> Value:
    """Exponentials over their sum."""
    value = tensor(node, "self")
    return node.add("softmax", value, axes=[value.axis(whole(node, "dim"))])


@ATEN.translates("aten.log_softmax", "aten._log_softmax", "aten.special_log_softmax")
def log_softmax(node: SourceNode) -> Value:
    """The logarithm of exponentials over their sum."""
    return curve(node, "log", softmax(node))


@ATEN.translates(
    "aten.scaled_dot_product_attention", "aten._scaled_dot_product_flash_attention",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_efficient_attention",
    "aten._scaled_dot_product_cudnn_attention",
    "aten._scaled_dot_product_fused_attention_overrideable",
)  # fmt: skip
def attention(node: SourceNode) -> Sequence[Value]:
    """Attention, whole; scores that a causal mask hides are counted, the mask itself is not."""
    query, key, value = (tensor(node, name) for name in ("query", "key", "value"))
    mask = optional(node, "attn_mask") or optional(node, "attn_bias")
    shape = (*query.shape[:-1], value.shape[-1])
    lead = _lead(query, key, value)
    operands = [_merged(node, one, lead) for one in (query, key, value)]
    masks = [] if mask is None else [_merged_mask(node, mask, lead, query.rank)]
    made = node.add("attention", *operands, *masks, layout=_LAYOUTS[operands[0].rank])
    return unused(node, _seen(node, made, shape))


def _seen(node: SourceNode, value: Value, shape: Sequence[int]) -> Value:
    """A value in another shape; itself where it has that."""
    return value if value.shape == tuple(shape) else node.add("reshape", value, shape=shape)


def _lead(query: Value, key: Value, value: Value) -> tuple[int, ...]:
    """The lengths of the axes before the heads, as the operands broadcast."""
    found = [1] * max(query.rank - _IMAGE + 1, 0)
    for one in (query, key, value):
        own = one.shape[:-3]
        for place, length in enumerate(own):
            found[place] = max(found[place], length)
    return tuple(found)


def _merged(node: SourceNode, value: Value, lead: Sequence[int]) -> Value:
    """An operand with one axis before the heads."""
    if value.rank < _IMAGE:
        return value
    if value.shape[:-3] != tuple(lead):
        value = node.add("expand", value, shape=(*lead, *value.shape[-3:]))
    return _seen(node, value, (math.prod(lead), *value.shape[-3:]))


def _merged_mask(node: SourceNode, mask: Value, lead: Sequence[int], rank: int) -> Value:
    """A mask of no more axes than the scores."""
    if mask.rank <= min(rank, _IMAGE):
        return mask
    if math.prod(mask.shape[:-3]) == 1:
        return node.add("reshape", mask, shape=(1, *mask.shape[-3:]))
    return node.add("reshape", node.add("expand", mask, shape=(*lead, *mask.shape[-3:])),
                    shape=(math.prod(lead), *mask.shape[-3:]))  # fmt: skip


# ------------------------------------------------------------------ reductions

_REDUCED: Final = {
    "aten.sum": "sum", "aten.mean": "mean", "aten.amax": "max", "aten.amin": "min",
    "aten.prod": "product", "aten.any": "max", "aten.all": "min", "aten.nansum": "sum",
    "aten.nanmean": "mean", "aten.max": "max", "aten.min": "min",
}  # fmt: skip


def _reduced(node: SourceNode, function: str, value: Value) -> Value:
    return node.add(
        "reduce", value, function=function, axes=axes_of(node, value),
        keep_axes=is_set(node, "keepdim"),
    )  # fmt: skip


@ATEN.translates(*_REDUCED)
def reduce(node: SourceNode) -> Value:
    """All elements along some axes, or all, reduced to one."""
    value, function = tensor(node, "self"), _REDUCED[node.operator]
    if "other" in node.attributes:
        return elementwise(
            node, {"max": "maximum", "min": "minimum"}[function], value, tensor(node, "other")
        )
    return _reduced(node, function, value)


@ATEN.translates("aten.max.dim", "aten.min.dim")
def extreme(node: SourceNode) -> Sequence[Value]:
    """The extreme elements along an axis, and their places."""
    made = _reduced(node, _REDUCED[node.operator.removesuffix(".dim")], tensor(node, "self"))
    return [made, places_of(node, made)]


def places_of(node: SourceNode, made: Value) -> Value:
    """The places of elements that were found: they are written, and nothing more is compared."""
    return node.add("rearrange", made, purpose="encoding", shapes=[made.shape])


@ATEN.translates("aten.argmax", "aten.argmin")
def place_of_extreme(node: SourceNode) -> Value:
    """The place of the extreme element."""
    return _reduced(node, "max" if node.operator.endswith("max") else "min", tensor(node, "self"))


@ATEN.translates("aten.aminmax")
def both_extremes(node: SourceNode) -> Sequence[Value]:
    """The least and the greatest element."""
    value = tensor(node, "self")
    return [_reduced(node, function, value) for function in ("min", "max")]


@ATEN.translates("aten.var", "aten.std", "aten.var_mean", "aten.std_mean")
def variance(node: SourceNode) -> Sequence[Value]:
    """The mean square of the distances from the mean, or its root."""
    value, axes = tensor(node, "self"), axes_of(node, tensor(node, "self"))
    keep = is_set(node, "keepdim")
    mean = node.add("reduce", value, function="mean", axes=axes, keep_axes=True)
    apart = elementwise(node, "subtract", value, mean)
    squares = elementwise(node, "multiply", apart, apart)
    found = node.add("reduce", squares, function="mean", axes=axes, keep_axes=keep)
    if "std" in node.operator:
        found = curve(node, "sqrt", found)
    if node.results == 1:
        return [found]
    return [found, node.add("reshape", mean, shape=found.shape)]


@ATEN.translates("aten.norm", "aten.linalg_vector_norm", "aten.linalg_norm")
def norm(node: SourceNode) -> Value:
    """The root of the sum of squares, or the norm of another power."""
    value = tensor(node, "self")
    power = setting(node, "ord", setting(node, "p", 2))
    if power == 1:
        return _reduced(node, "sum", curve(node, "abs", value))
    if isinstance(power, float) and math.isinf(power):
        return _reduced(node, "max" if power > 0 else "min", curve(node, "abs", value))
    if power == 2:  # noqa: PLR2004  # the square
        squares = elementwise(node, "multiply", value, value)
        return curve(node, "sqrt", _reduced(node, "sum", squares))
    powers = curve(node, "power", curve(node, "abs", value), number(node, float(power)))
    return curve(node, "power", _reduced(node, "sum", powers), number(node, 1 / float(power or 1)))


@ATEN.translates("aten.logsumexp", "aten.special_logsumexp")
def logsumexp(node: SourceNode) -> Value:
    """The logarithm of the sum of exponentials, the greatest subtracted before."""
    value, axes = tensor(node, "self"), axes_of(node, tensor(node, "self"))
    greatest = node.add("reduce", value, function="max", axes=axes, keep_axes=True)
    raised = curve(node, "exp", elementwise(node, "subtract", value, greatest))
    total = _reduced(node, "sum", raised)
    back = node.add("reshape", greatest, shape=total.shape)
    return elementwise(node, "add", curve(node, "log", total), back)


@ATEN.translates("aten.count_nonzero")
def count(node: SourceNode) -> Value:
    """How many elements are not zero."""
    found = elementwise(node, "compare", tensor(node, "self"), number(node, 0))
    return _reduced(node, "sum", found)


@ATEN.translates("aten.cumsum", "aten.cumprod", "aten.cummax", "aten.cummin", "aten.logcumsumexp")
def cumulative(node: SourceNode) -> Value | Sequence[Value]:
    """The sum, product or extreme of all elements up to each."""
    functions = {"cumsum": "add", "cumprod": "multiply", "cummax": "maximum", "cummin": "minimum"}
    function = functions.get(node.operator.removeprefix("aten."))
    if function is None:
        message = "how it is computed step by step is not known"
        raise DataDependentError(message)
    made = elementwise(node, function, tensor(node, "self"), number(node, 0))
    return made if node.results == 1 else [made, places_of(node, made)]


@ATEN.translates("aten.cosine_similarity")
def cosine_similarity(node: SourceNode) -> Value:
    """The products of two tensors over their lengths."""
    left, right = tensor(node, "x1"), tensor(node, "x2")
    products = elementwise(node, "multiply", left, right)
    axes = [products.axis(whole(node, "dim", 1))]

    def summed(value: Value) -> Value:
        return node.add("reduce", value, function="sum", axes=axes)

    lengths = [
        curve(node, "sqrt", summed(elementwise(node, "multiply", one, one)))
        for one in (left, right)
    ]
    return elementwise(node, "divide", summed(products), elementwise(node, "multiply", *lengths))


@ATEN.translates("aten._pdist_forward", "aten.pdist")
def pdist(node: SourceNode) -> Value:
    """The distance of every row to every later one."""
    value = tensor(node, "self")
    pairs = declared(node)[0]
    first = node.add("rearrange", value, purpose="selection", shapes=[(pairs, value.shape[1])])
    second = node.add("rearrange", value, purpose="selection", shapes=[(pairs, value.shape[1])])
    apart = elementwise(node, "subtract", first, second)
    squares = elementwise(node, "multiply", apart, apart)
    return curve(node, "sqrt", node.add("reduce", squares, function="sum", axes=[1]))


@ATEN.translates("aten.mse_loss", "aten.l1_loss", "aten.cross_entropy_loss", "aten.nll_loss")
def loss(node: SourceNode) -> Sequence[Value]:
    """A loss, which is a matter of training."""
    message = "a loss is a matter of training"
    raise DataDependentError(message)
