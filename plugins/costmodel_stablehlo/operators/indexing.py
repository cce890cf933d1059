"""Elements at places that data decide: gathers, scatters, dynamic slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.frontend.translation import DataDependentError
from costmodel_stablehlo.operators.reductions import function_of
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode


@translates("dynamic_slice")
def dynamic_slice(node: ModuleNode) -> Value:
    """A block of a tensor from a place on; the place is kept inside."""
    value, *places = node.present
    sizes = node.list_of("slice_sizes")
    starts = known_starts(places, value.shape, sizes)
    if starts is None:
        return node.moved(value, *_unknown(places), shape=sizes)
    key = [
        slice(None) if size == length else slice(start, start + size)
        for start, size, length in zip(starts, sizes, value.shape, strict=True)
    ]
    return node.add("select", value, key=key)


def _unknown(places: Sequence[Value]) -> list[Value]:
    """The places that data decide."""
    return [place for place in places if not place.is_constant]


def known_starts(
    places: Sequence[Value], shape: Sequence[int], sizes: Sequence[int]
) -> list[int] | None:
    """Where a block begins along each axis, or None where data decide it."""
    found = []
    for place, length, size in zip(places, shape, sizes, strict=True):
        number = place.scalar
        if length == size:
            number = 0
        if number is None:
            return None
        found.append(min(max(int(number), 0), length - size))
    return found


@translates("dynamic_update_slice")
def dynamic_update_slice(node: ModuleNode) -> Value:
    """A tensor with a block of it replaced."""
    value, block, *places = node.present
    if block.shape == value.shape:
        return node.add("identity", block)
    return node.add("store", value, block, *_unknown(places))


@translates("gather", "dynamic_gather")
def gather(node: ModuleNode) -> Value:
    """Slices of a tensor; those along one axis that indices name are rows of a table."""
    value, places = node.input(0), node.input(1)
    form = node.attribute("dimension_numbers")
    sizes = (
        node.list_of("slice_sizes")
        if node.operator == "gather"
        else node.numbers(2, "the size of the slices")
    )
    axis = _only_axis(value, form, sizes)
    if axis is not None:
        rows = _places(node, places, form["index_vector_dim"])
        made = node.add("embedding", value, rows, axis=axis)
        order = _order(axis, rows.rank, made.rank, form["offset_dims"])
        return node.add("transpose", made, order=order)
    return node.moved(value, places, shape=_gathered_shape(places, form, sizes))


def _only_axis(value: Value, form: Mapping[str, Any], sizes: Sequence[int]) -> int | None:
    """The axis of which single elements are named, where all others are taken whole."""
    if len(form["start_index_map"]) != 1 or form["operand_batching_dims"]:
        return None
    (axis,) = form["start_index_map"]
    others = [place for place in range(value.rank) if place != axis]
    is_row = sizes[axis] == 1 and list(form["collapsed_slice_dims"]) == [axis]
    return axis if is_row and all(sizes[one] == value.shape[one] for one in others) else None


def _places(node: ModuleNode, places: Value, vector: int) -> Value:
    """The indices without the axis of their coordinates, of which there is one."""
    if vector >= places.rank:
        return places
    shape = [length for axis, length in enumerate(places.shape) if axis != vector]
    return node.add("reshape", places, shape=shape)


def _order(axis: int, batch: int, rank: int, offsets: Sequence[int]) -> list[int]:
    """Where the axes of the result stand among those of rows of a table."""
    rows = list(range(axis, axis + batch))
    others = [place for place in range(rank) if place not in rows]
    taken, left = iter(others), iter(rows)
    return [next(taken) if place in offsets else next(left) for place in range(rank)]


def _gathered_shape(places: Value, form: Mapping[str, Any], sizes: Sequence[int]) -> list[int]:
    batch = [length for axis, length in enumerate(places.shape) if axis != form["index_vector_dim"]]
    gone = {*form["collapsed_slice_dims"], *form["operand_batching_dims"]}
    kept = iter([size for axis, size in enumerate(sizes) if axis not in gone])
    rank = len(batch) + len(form["offset_dims"])
    left = iter(batch)
    return [next(kept) if place in form["offset_dims"] else next(left) for place in range(rank)]


@translates("torch_index_select")
def index_select(node: ModuleNode) -> Value:
    """Slices along an axis that indices name.

    Raises:
        DataDependentError: there are axes of a batch.

    """
    if node.whole("batch_dims"):
        message = "slices that differ along axes of a batch"
        raise DataDependentError(message)
    return node.add("embedding", node.input(0), node.input(1), axis=node.whole("dim"))


@translates("scatter")
def scatter(node: ModuleNode) -> Sequence[Value]:
    """Values put at places of a tensor, or combined with what is there."""
    values, updates = node.present[: node.results], node.present[-node.results :]
    places = node.input(node.results)
    steps = [one for one in node.regions[0].operations if one.name != "stablehlo.return"]
    made = []
    for value, update in zip(values, updates, strict=True):
        new = update
        if steps:
            function = _STEPS[function_of(node.regions[0])]
            old = node.moved(value, places, shape=update.shape)
            new = node.add("elementwise", old, update, function=function)
        made.append(node.add("store", value, new, places))
    return made


_STEPS = {"sum": "add", "product": "multiply", "max": "maximum", "min": "minimum"}
