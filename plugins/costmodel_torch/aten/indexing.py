"""Elements that indices name: lookups, gathers, scatters and sorts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.errors import ReadError
from costmodel.formats import parse_format
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError
from costmodel.workload.builders.shapes import broadcast
from costmodel_torch.aten.table import (
    ATEN,
    declared,
    elementwise,
    is_set,
    number,
    optional,
    setting,
    tensor,
    whole,
)

if TYPE_CHECKING:
    from costmodel.frontend.translation import SourceNode

_SORTED: Final = "how many comparisons a sort takes depends on the data and the library"
_FOUND: Final = "how many elements it finds depends on the data"
_MODES: Final = ("sum", "mean", "max")
"""The modes of an embedding bag, by their numbers."""


@ATEN.translates("aten.embedding")
def embedding(node: SourceNode) -> Value:
    """A row of a table for every index."""
    return node.add("embedding", tensor(node, "weight"), tensor(node, "indices"))


@ATEN.translates("aten.embedding_bag", "aten._embedding_bag", "aten._embedding_bag_forward_only")
def embedding_bag(node: SourceNode) -> Sequence[Value]:
    """The rows of several indices reduced to one; bags of data are reduced as if equally long."""
    table, indices = tensor(node, "weight"), tensor(node, "indices")
    bags = declared(node)[0]
    rows = node.add("embedding", table, indices)
    scale = optional(node, "per_sample_weights")
    if scale is not None:
        column = node.add("reshape", scale, shape=(*scale.shape, 1))
        rows = elementwise(node, "multiply", rows, column)
    width = table.shape[-1]
    function = _MODES[whole(node, "mode", 0)]
    if rows.size % (bags * width) == 0:
        grouped = node.add("reshape", rows, shape=(bags, rows.size // (bags * width), width))
        made = node.add("reduce", grouped, function=function, axes=[1])
    else:
        added = elementwise(node, "add", rows, number(node, 0))
        made = node.add("rearrange", added, purpose="selection", shapes=[(bags, width)])
    others = [node.graph.constant("offsets", shape or (1,)) for shape in node.shapes[1:]]
    return [made, *others]


@ATEN.translates("aten.index_select")
def index_select(node: SourceNode) -> Value:
    """The slices along an axis that indices name."""
    value, places = tensor(node, "self"), tensor(node, "index")
    if places.rank == 0:
        places = node.add("reshape", places, shape=(1,))
    return node.add("embedding", value, places, axis=value.axis(whole(node, "dim")))


@ATEN.translates("aten.gather", "aten.take_along_dim")
def gather(node: SourceNode) -> Value:
    """The element along an axis that each index names."""
    value = tensor(node, "self")
    places = tensor(node, "index" if "index" in node.attributes else "indices")
    axis = value.axis(whole(node, "dim"))
    for other in range(value.rank):
        if other != axis and places.shape[other] < value.shape[other]:
            key = [*[slice(None)] * other, slice(0, places.shape[other])]
            value = node.add("select", value, key=key)
    return node.add("take_along", value, places, axis=axis)


@ATEN.translates("aten.index", "aten._unsafe_index")
def index(node: SourceNode) -> Value:
    """The elements that indices name, one index for each axis or none."""
    value = tensor(node, "self")
    given = _indices(node)
    named = [axis for axis, one in enumerate(given) if one is not None]
    places = [one for one in given if one is not None]
    if any(_is_mask(one) for one in places):
        raise DataDependentError(_FOUND)
    if len(named) == 1:
        return node.add("embedding", value, places[0], axis=named[0])
    return node.add(
        "rearrange", value, *places, purpose="selection", shapes=[_indexed(value, named, places)]
    )


def _indices(node: SourceNode) -> list[Value | None]:
    """The indices by axis.

    Raises:
        ReadError: they are something else.

    """
    given = node.attributes.get("indices")
    if not isinstance(given, tuple) or not all(
        one is None or isinstance(one, Value) for one in given
    ):
        message = f"indices are {given!r:.40}; expected a tensor or nothing for each axis"
        raise ReadError(message)
    return list(given)


def _is_mask(value: Value | None) -> bool:
    """Whether an index says of each element whether it is taken."""
    return value is not None and value.format == parse_format("uint8")


def _indexed(value: Value, named: Sequence[int], places: Sequence[Value]) -> tuple[int, ...]:
    """The shape of what indices of several axes take: their broadcast stands where they stood."""
    joined = broadcast([one.shape for one in places])
    rest = [length for axis, length in enumerate(value.shape) if axis not in named]
    is_together = list(named) == list(range(named[0], named[0] + len(named)))
    first = named[0] if is_together else 0
    return (*rest[:first], *joined, *rest[first:])


@ATEN.translates(
    "aten.index_put", "aten._index_put_impl", "aten._unsafe_index_put", "aten.index_copy",
    "aten.index_fill", "aten.scatter", "aten.put",
)  # fmt: skip
def scatter(node: SourceNode) -> Value:
    """A value with the elements that indices name replaced."""
    if is_set(node, "accumulate") or setting(node, "reduce") is not None:
        return _added(node)
    return _scattered(node, node.present)


@ATEN.translates("aten.scatter_add", "aten.scatter_reduce", "aten.index_add", "aten.index_reduce")
def scatter_add(node: SourceNode) -> Value:
    """A value with others added to the elements that indices name: an addition for each."""
    return _added(node)


def _added(node: SourceNode) -> Value:
    value, *rest = node.present
    names = ("src", "source", "values", "value")
    found = next((node.attributes[name] for name in names if name in node.attributes), None)
    given = found if isinstance(found, Value) else rest[-1]
    added = elementwise(node, "add", given, number(node, 0.0))
    return _scattered(node, [value, *[added if one is given else one for one in rest]])


def _scattered(node: SourceNode, given: Sequence[Value]) -> Value:
    value, *rest = given
    kept = [one for one in rest if not one.is_immediate]  # a number is part of the operation
    return node.add("rearrange", value, *kept, purpose="selection", shapes=[value.shape])


@ATEN.translates("aten.one_hot")
def one_hot(node: SourceNode) -> Value:
    """Indices as vectors of zeros and ones."""
    value = tensor(node, "self")
    return node.add("rearrange", value, purpose="encoding", shapes=[declared(node)])


@ATEN.translates(
    "aten.topk", "aten.sort", "aten.argsort", "aten.kthvalue", "aten.median", "aten.nanmedian",
    "aten.mode", "aten.msort", "aten.quantile",
)  # fmt: skip
def sort(node: SourceNode) -> Sequence[Value]:
    """Elements in order."""
    raise DataDependentError(_SORTED)


@ATEN.translates(
    "aten.nonzero", "aten.masked_select", "aten.unique_consecutive", "aten._unique2",
    "aten.unique_dim", "aten.where.default", "aten.nonzero_numpy", "aten.argwhere",
)  # fmt: skip
def found(node: SourceNode) -> Sequence[Value]:
    """The elements that are something."""
    raise DataDependentError(_FOUND)


@ATEN.translates("aten.searchsorted", "aten.bucketize")
def search(node: SourceNode) -> Value:
    """The place of each element among sorted bounds: a comparison for each halving of them."""
    is_bucket = "boundaries" in node.attributes
    bounds = tensor(node, "boundaries" if is_bucket else "sorted_sequence")
    value = tensor(node, "self")
    steps = max(bounds.shape[-1].bit_length(), 1)
    return elementwise(node, "compare", value, number(node, 0), steps=steps)
