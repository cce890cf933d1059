"""Softmax, normalisation and attention: what sums over elements before it scales each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.formats import format_name
from costmodel.workload import builders
from costmodel_onnx.nodes import trained
from costmodel_onnx.operators.contractions import with_bias
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_onnx.nodes import OnnxNode

_ONE_AXIS: Final = 13
"""The opset in which softmax took one axis, in place of all from one on."""


@translates("Softmax", "LogSoftmax")
def softmax(node: OnnxNode) -> Value:
    """Exponentials over their sum."""
    value = node.input()
    if node.opset >= _ONE_AXIS:
        axes = [int(node.attribute("axis", -1))]
    else:
        axes = list(range(value.axis(int(node.attribute("axis", 1))), value.rank))
    made = node.add("softmax", value, axes=axes)
    if node.operator == "LogSoftmax":
        return node.add("activation", made, function="log", in_place=True)
    return made


@translates("BatchNormalization")
def batch_normalization(node: OnnxNode) -> Value:
    """At inference a fixed scale and shift."""
    value, *constants = node.present
    trained(*constants)
    if any(not one.is_constant for one in constants):
        return _scaled(node, value, constants[:2], 1)
    return node.add("scale_and_shift", value, *constants, axis=1)


def _scaled(node: OnnxNode, value: Value, constants: Sequence[Value], axis: int) -> Value:
    """A value times one vector along an axis, plus another."""
    for one, function in zip(constants, ("multiply", "add"), strict=False):
        sides = node.add("reshape", one, shape=(one.size, *[1] * (value.rank - 1 - axis)))
        value = node.add("elementwise", value, sides, function=function)
    return value


def normalized_channels(
    node: OnnxNode, value: Value, constants: Sequence[Value], axes: Sequence[int], channels: int,
    **more: Any,
) -> Value:  # fmt: skip
    """A normalisation, scaled and shifted along the axis of the channels."""
    trained(*constants)
    if all(one.is_constant for one in constants):
        return node.add("normalize", value, *constants, axes=axes, weight_axes=[channels], **more)
    return _scaled(node, node.add("normalize", value, axes=axes, **more), constants, channels)


def normalized(
    node: OnnxNode, value: Value, constants: Sequence[Value | None], axes: Sequence[int],
    **more: Any,
) -> Value:  # fmt: skip
    """A normalisation along axes; constants of other shapes scale and shift it afterwards."""
    held = [one for one in constants if one is not None]
    trained(*held)
    shape = tuple([value.shape[axis] for axis in axes])
    fits = all(one.is_constant and _cut(one.shape, len(shape)) == shape for one in held)
    if fits:
        held = [
            one if one.shape == shape else node.add("reshape", one, shape=shape) for one in held
        ]
        return node.add("normalize", value, *held, axes=list(axes), **more)
    made = node.add("normalize", value, axes=list(axes), **more)
    for one, function in zip(held, ("multiply", "add"), strict=False):
        made = node.add("elementwise", made, one, function=function)
    return made


def _cut(shape: Sequence[int], rank: int) -> tuple[int, ...]:
    """A shape without axes of one element in front of the last `rank`."""
    extra = len(shape) - rank
    return tuple(shape[extra:]) if extra > 0 and set(shape[:extra]) == {1} else tuple(shape)


@translates("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layer_normalization(node: OnnxNode) -> list[Value]:
    """Each element by the statistics of the last axes, scaled and shifted; then these statistics.

    That they are written is counted where something reads them.
    """
    value = node.input(0)
    axes = list(range(value.axis(int(node.attribute("axis", -1))), value.rank))
    is_centred = node.operator == "LayerNormalization"
    constants = [node.present_input(1), node.present_input(2) if is_centred else None]
    made = normalized(node, value, constants, axes, is_centred=is_centred)
    lengths = [1 if axis in axes else length for axis, length in enumerate(value.shape)]
    return [made, *[
        node.append("fill", builders.fill(tuple(lengths), purpose="statistics"))[0]
        for _ in range(1, node.results)
    ]]  # fmt: skip


@translates("InstanceNormalization")
def instance_normalization(node: OnnxNode) -> Value:
    """Each channel of an example by its own statistics."""
    value, *constants = node.present
    return normalized_channels(node, value, constants, list(range(2, value.rank)), 1)


@translates("GroupNormalization")
def group_normalization(node: OnnxNode) -> Value:
    """Groups of channels by their statistics; older ones have a scale for each group."""
    value, *constants = node.present
    trained(*constants)
    axes = [*range(2, value.rank), 1]
    groups = int(node.attribute("num_groups", 1))
    channels = value.shape[1]
    constants = [
        one if one.size == channels else node.add(
            "reshape",
            node.add("tile", node.add("reshape", one, shape=(one.size, 1)),
                     times=(1, channels // max(one.size, 1))),
            shape=(channels,),
        )
        for one in constants
    ]  # fmt: skip
    return normalized_channels(node, value, constants, axes, 1, groups=groups)


@translates("MeanVarianceNormalization")
def mean_variance_normalization(node: OnnxNode) -> Value:
    """Each element by the statistics of some axes."""
    axes = node.attribute("axes") or [0, 2, 3]
    return node.add("normalize", node.input(), axes=[int(axis) for axis in axes])


@translates("LpNormalization")
def lp_normalization(node: OnnxNode) -> Value:
    """Each element over the norm of an axis."""
    value = node.input()
    axis, is_first = int(node.attribute("axis", -1)), int(node.attribute("p", 2)) == 1
    raised = node.add("activation", value, function="abs" if is_first else "square")
    norm = node.add("reduce", raised, function="sum", axes=[axis], keep_axes=True)
    if not is_first:
        norm = node.add("activation", norm, function="sqrt", in_place=True)
    return node.add("elementwise", value, norm, function="divide")


@translates("LRN")
def local_response(node: OnnxNode) -> Value:
    """Each element over a power of the sum of squares of neighbouring channels."""
    value = node.input()
    size = int(node.attribute("size", 1))
    squares = node.add("activation", value, function="square")
    length = value.size // (value.shape[0] * value.shape[1])
    flat = node.add("reshape", squares, shape=(value.shape[0], 1, value.shape[1], length))
    before = (size - 1) // 2
    sums = node.add(
        "pool", flat, function="sum", window=(size, 1), stride=1,
        padding=[(before, size - 1 - before), (0, 0)],
    )  # fmt: skip
    scaled = node.add("elementwise", sums, function="affine", in_place=True)
    exponent = node.graph.constant("beta", data=np.array(node.attribute("beta", 0.75), np.float32))
    scale = node.add("activation", scaled, exponent, function="power", in_place=True)
    return node.add(
        "elementwise", value, node.add("reshape", scale, shape=value.shape), function="divide"
    )


# ------------------------------------------------------------------ attention


def heads_of(node: OnnxNode, value: Value, heads: int) -> Value:
    """(batch, positions, heads x features) as (batch, heads, positions, features)."""
    batch, positions, width = value.shape
    if heads < 1 or width % heads:
        node.refuse(f"{width} features do not divide into {heads} heads")
    split = node.add("reshape", value, shape=(batch, positions, heads, width // heads))
    return node.add("transpose", split, order=(0, 2, 1, 3))


def joined(node: OnnxNode, value: Value) -> Value:
    """(batch, heads, positions, features) as (batch, positions, heads x features)."""
    batch, heads, positions, width = value.shape
    turned = node.add("transpose", value, order=(0, 2, 1, 3))
    return node.add("reshape", turned, shape=(batch, positions, heads * width))


def attended(
    node: OnnxNode, query: Value, key: Value, value: Value, mask: Value | None = None
) -> Value:
    """Attention of (batch, heads, positions, features).

    A mask that differs from example to example is added to scores that are held.
    """
    masks = [] if mask is None else [_widened(node, mask, key.shape[2])]
    return node.add("attention", query, key, value, *masks, layout="bhmd")


def _widened(node: OnnxNode, mask: Value, positions: int) -> Value:
    """A mask of fewer positions than there are keys, with the rest behind."""
    missing = positions - mask.shape[-1]
    if mask.shape[-1] == 1 or missing <= 0:
        return mask
    return node.add("pad", mask, amounts=[*[(0, 0)] * (mask.rank - 1), (0, missing)])


@translates("Attention")
def attention(node: OnnxNode) -> list[Value]:
    """Attention over three or four axes, with earlier keys and values before the new ones."""
    query, key, value = node.input(0), node.input(1), node.input(2)
    is_flat = query.rank == len(("batch", "positions", "features"))
    if is_flat:
        heads = int(node.attribute("q_num_heads", 1))
        shared = int(node.attribute("kv_num_heads", heads))
        query = heads_of(node, query, heads)
        key, value = heads_of(node, key, shared), heads_of(node, value, shared)
    key = extended(node, node.present_input(4), key)
    value = extended(node, node.present_input(5), value)
    made = attended(node, query, key, value, node.present_input(3))
    results = [joined(node, made) if is_flat else made, key, value]
    if node.results > len(results):
        results.append(_scores(node, query, key))
    return results


def _scores(node: OnnxNode, query: Value, key: Value) -> Value:
    """The products of queries and keys, where several heads of queries may share one of keys."""
    batch, heads, positions, width = query.shape
    shared = key.shape[1]
    rows = node.add("reshape", query, shape=(batch, shared, heads // shared * positions, width))
    made = node.add("matmul", rows, key, transpose_right=True)
    return node.add("reshape", made, shape=(batch, heads, positions, key.shape[2]))


def extended(node: OnnxNode, past: Value | None, new: Value) -> Value:
    """Earlier keys or values with the new ones behind them."""
    return new if past is None else node.add("concatenate", past, new, axis=2)


@translates("RotaryEmbedding")
def rotary_embedding(node: OnnxNode) -> Value:
    """Pairs of features turned by an angle of their position."""
    value = node.input(0)
    return rotated(node, value)


def rotated(node: OnnxNode, value: Value) -> Value:
    """Every element times a cosine, plus its partner times a sine: two multiply-adds."""
    return node.add("elementwise", value, function="affine", steps=2)


# ------------------------------------------------------------------ losses and written functions


@translates("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(node: OnnxNode) -> list[Value]:
    """The logarithm of the probability of each label, weighed and reduced."""
    value, labels = node.input(0), node.input(1)
    scores = value
    if node.operator == "SoftmaxCrossEntropyLoss":
        scores = node.add("softmax", value, axes=[1])
        scores = node.add("activation", scores, function="log", in_place=True)
    work = builders.rearrange("selection", [scores.tensor, labels.tensor], [labels.shape])
    (made,) = node.append("take", work, scores, labels)
    made = node.add("elementwise", made, function="multiply")
    function = {"sum": "sum", "mean": "mean"}.get(str(node.attribute("reduction", "mean")))
    if function is not None:
        made = node.add("reduce", made, function=function)
    return [made, scores]


@translates("SwiGLU")
def gated(node: OnnxNode) -> Value:
    """A value times a sigmoid of it, times another."""
    gate = node.add("activation", node.input(0), function="silu")
    return node.add("elementwise", gate, node.input(1), function="multiply")


@translates("CausalConvWithState")
def causal_conv(node: OnnxNode) -> list[Value]:
    """A convolution of each channel along time, with earlier elements before the new ones."""
    value, kernel, bias = node.input(0), node.input(1), node.present_input(2)
    past = node.present_input(3)
    reach = kernel.shape[-1] - 1
    padding: Any = [(reach, 0)] if past is None else 0
    whole = extended(node, past, value) if reach else value
    made = with_bias(node, "conv", whole, kernel, bias, padding=padding, groups=value.shape[1])
    function = {"silu": "silu", "swish": "silu"}.get(str(node.attribute("activation", "none")))
    if function is not None:
        made = node.add("activation", made, function=function, in_place=True)
    if not reach:
        return [made]
    padded = whole if past is not None else node.add(
        "pad", value, amounts=[(0, 0), (0, 0), (reach, 0)]
    )  # fmt: skip
    return [made, node.add("select", padded, key=[slice(None), slice(None), slice(-reach, None)])]


@translates("LinearAttention", "ai.onnx.preview::FlexAttention")
def written_out(node: OnnxNode) -> list[Value]:
    """An operator that the standard writes as a function of others."""
    import onnx  # noqa: PLC0415  # only when a file is read

    domain, _, name = node.operator.rpartition("::")
    try:
        schema: Any = onnx.defs.get_schema(name, node.opset, domain)
        if schema.has_function:
            return node.inline(schema.function_body)
        types = [_type_of(onnx, value).SerializeToString() for value in node.present]
        text = schema.get_context_dependent_function(node.proto.SerializeToString(), types)
        function = onnx.FunctionProto.FromString(text)
    except (RuntimeError, ValueError, TypeError, onnx.defs.SchemaError) as error:
        node.give_up(f"the standard writes it as no function of others here: {error!s:.100}")
    return node.inline(function)


def _type_of(onnx: Any, value: Value) -> Any:
    """The type of a value, for the function of an operator that depends on it."""
    name = {"float16": "FLOAT16", "bfloat16": "BFLOAT16", "int64": "INT64", "int32": "INT32"}.get(
        "" if value.format is None else format_name(value.format), "FLOAT"
    )
    return onnx.helper.make_tensor_type_proto(getattr(onnx.TensorProto, name), value.shape)
