"""The operators of ONNX Runtime for transformers: attention, embeddings, normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel_onnx.domains.microsoft import bare, named
from costmodel_onnx.nodes import OnnxNode, trained
from costmodel_onnx.operators.contractions import product
from costmodel_onnx.operators.statistics import (
    attended,
    extended,
    heads_of,
    joined,
    normalized,
    normalized_channels,
    rotated,
)
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.operations.work import Value

_SIMPLE: Final = ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization")


@translates(*named("LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization"))
def layer_normalization(node: OnnxNode) -> Value:
    """Each element by the statistics of the last axes, then scaled and shifted."""
    value = node.input(0)
    axes = list(range(value.axis(int(node.attribute("axis", -1))), value.rank))
    constants = [node.present_input(1), node.present_input(2)]
    is_centred = bare(node) == "LayerNormalization"
    return normalized(node, value, constants, axes, is_centred=is_centred)


@translates(*named("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"))
def skip_layer_normalization(node: OnnxNode) -> list[Value]:
    """A sum of two values and a bias, normalised; the sum is the last result."""
    is_centred = bare(node) not in _SIMPLE
    place = 4 if is_centred else 3
    summed = node.add("elementwise", node.input(0), node.input(1), function="add")
    summed = _biased(node, summed, node.present_input(place))
    constants = [node.present_input(2), node.present_input(3) if is_centred else None]
    made = normalized(node, summed, constants, [summed.rank - 1], is_centred=is_centred)
    return [made, summed, summed, summed]


@translates(*named("GroupNorm", "SkipGroupNorm"))
def group_norm(node: OnnxNode) -> list[Value]:
    """Groups of channels by their statistics, with a function behind."""
    value = node.input(0)
    if bare(node) == "SkipGroupNorm":
        value = node.add("elementwise", value, node.input(3), function="add")
        value = _biased(node, value, node.present_input(4))
    constants = [one for one in (node.present_input(1), node.present_input(2)) if one is not None]
    channels = value.rank - 1 if node.attribute("channels_last", 1) else 1
    sides = [axis for axis in range(1, value.rank) if axis != channels]
    made = normalized_channels(
        node, value, constants, [*sides, channels], channels,
        groups=int(node.attribute("groups", 1)),
    )  # fmt: skip
    if node.attribute("activation", 0):
        made = node.add("activation", made, function="silu", in_place=True)
    return [made, value]


@translates(*named("EmbedLayerNormalization", "QEmbedLayerNormalization"))
def embed_layer_normalization(node: OnnxNode) -> list[Value]:
    """Sums of the rows of words, positions and segments, normalised."""
    words, segments = node.input(0), node.present_input(1)
    tables = [node.input(2), node.input(3), node.present_input(4)]
    trained(*tables)
    summed = node.add("embedding", tables[0], words)
    positions = node.add("select", node.input(3), key=[slice(0, words.shape[1])])
    positions = node.add("reshape", positions, shape=(1, *positions.shape))
    summed = node.add("elementwise", summed, positions, function="add")
    if segments is not None and tables[2] is not None:
        rows = node.add("embedding", tables[2], segments)
        summed = node.add("elementwise", summed, rows, function="add")
    constants = [node.present_input(5), node.present_input(6)]
    made = normalized(node, summed, constants, [summed.rank - 1])
    lengths = made
    if node.present_input(7) is not None:
        lengths = node.add("reduce", node.input(7), function="sum", axes=[1])
    return [made, lengths, summed]


def _biased(node: OnnxNode, value: Value, bias: Value | None) -> Value:
    trained(bias)
    return value if bias is None else node.add("elementwise", value, bias, function="add")


# ------------------------------------------------------------------ attention


@translates(*named("Attention", "DecoderMaskedSelfAttention", "QAttention"))
def packed_attention(node: OnnxNode) -> list[Value]:
    """Projections to queries, keys and values in one product, then attention."""
    value, weight = node.input(0), node.input(1)
    is_quantized = bare(node) == "QAttention"
    heads = int(node.attribute("num_heads", 1))
    made = product(node, value, weight, node.present_input(2))
    sizes = node.attribute("qkv_hidden_sizes") or [made.shape[-1] // 3] * 3
    parts = node.graph.all_of("split", made, sizes=list(sizes), axis=made.rank - 1)
    query, key, held = [heads_of(node, part, heads) for part in parts]
    past = node.present_input(8 if is_quantized else 4)
    if past is not None:
        shape = past.shape[1:]
        key = extended(node, _half(node, past, 0, shape), key)
        held = extended(node, _half(node, past, 1, shape), held)
    result = joined(node, attended(node, query, key, held))
    if node.results == 1:
        return [result]
    both = [node.add("reshape", one, shape=(1, *one.shape)) for one in (key, held)]
    return [result, node.add("concatenate", *both, axis=0)]


def _half(node: OnnxNode, past: Value, place: int, shape: Sequence[int]) -> Value:
    part = node.add("select", past, key=[place])
    return node.add("reshape", part, shape=shape)


@translates(*named("MultiHeadAttention", "DecoderMaskedMultiHeadAttention"))
def multi_head_attention(node: OnnxNode) -> list[Value]:
    """Attention of queries, keys and values that are projected already, or packed in one."""
    heads = int(node.attribute("num_heads", 1))
    query, key, value = _separate(node)
    bias = node.present_input(3)
    if bias is not None:
        query, key, value = _with_biases(node, (query, key, value), bias, heads)
    split = [_with_heads(node, one, heads) for one in (query, key, value)]
    past = (6, 7) if bare(node) == "MultiHeadAttention" else (5, 6)
    split[1] = extended(node, node.present_input(past[0]), split[1])
    split[2] = extended(node, node.present_input(past[1]), split[2])
    return [joined(node, attended(node, *split)), split[1], split[2]]


def _separate(node: OnnxNode) -> tuple[Value, Value, Value]:
    """Queries, keys and values, which may be packed along an axis of three or of two."""
    query, key, value = node.input(0), node.present_input(1), node.present_input(2)
    if key is None:
        batch, positions, heads, _, width = query.shape
        parts = node.graph.all_of("split", query, sizes=[1, 1, 1], axis=3)
        shape = (batch, positions, heads * width)
        made = [node.add("reshape", part, shape=shape) for part in parts]
        return made[0], made[1], made[2]
    if value is None:
        batch, positions, heads, _, width = key.shape
        parts = node.graph.all_of("split", key, sizes=[1, 1], axis=3)
        made = [
            node.add("reshape", part, shape=(batch, positions, heads * width)) for part in parts
        ]
        return query, made[0], made[1]
    return query, key, value


def _with_biases(
    node: OnnxNode, values: Sequence[Value], bias: Value, heads: int
) -> tuple[Value, Value, Value]:
    """Each value with its part of the biases, which stand in a row."""
    trained(bias)
    made, start = [], 0
    for value in values:
        width = value.shape[-1]
        if value.rank == len(("batch", "heads", "positions", "features")):
            start += heads * width
            made.append(value)
            continue
        part = node.add("select", bias, key=[slice(start, start + width)])
        made.append(node.add("elementwise", value, part, function="add"))
        start += width
    return made[0], made[1], made[2]


def _with_heads(node: OnnxNode, value: Value, heads: int) -> Value:
    return value if value.rank > len(("b", "m", "d")) else heads_of(node, value, heads)


@translates(*named("GroupQueryAttention"))
def group_query_attention(node: OnnxNode) -> list[Value]:
    """Attention with fewer heads of keys and values, turned by their position if asked."""
    heads = int(node.attribute("num_heads", 1))
    shared = int(node.attribute("kv_num_heads", heads))
    query, key, value = node.input(0), node.present_input(1), node.present_input(2)
    if key is None or value is None:
        width = query.shape[-1] // (heads + 2 * shared)
        sizes = [heads * width, shared * width, shared * width]
        query, key, value = node.graph.all_of("split", query, sizes=sizes, axis=2)
    split = [heads_of(node, one, count)
             for one, count in ((query, heads), (key, shared), (value, shared))]  # fmt: skip
    if node.attribute("do_rotary", 0):
        split[:2] = [rotated(node, one) for one in split[:2]]
    split[1] = extended(node, node.present_input(3), split[1])
    split[2] = extended(node, node.present_input(4), split[2])
    return [joined(node, attended(node, *split)), split[1], split[2]]


@translates(*named("RotaryEmbedding"))
def rotary_embedding(node: OnnxNode) -> Value:
    """Pairs of features turned by an angle of their position."""
    return rotated(node, node.input(0))
