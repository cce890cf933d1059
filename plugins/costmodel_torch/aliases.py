"""Views that share their elements with a tensor, and what is written through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import define, evolve, field, frozen

from costmodel.frontend.graph import Graph
from costmodel.frontend.operations.work import Value
from costmodel_torch.exported.program import ProgramNode, Ref

_SAME: Final = frozenset(
    {"aten.alias.default", "aten.detach.default", "aten.detach_.default", "aten.view.default"}
)
_OTHER: Final = frozenset(
    {
        "aten.unsqueeze.default", "aten.squeeze.dim", "aten.squeeze.dims", "aten.squeeze.default",
        "aten.transpose.int", "aten.permute.default", "aten.t.default", "aten.flatten.using_ints",
        "aten.reshape.default", "aten.expand.default", "aten.unbind.int", "aten.chunk.default",
        "aten.split.Tensor", "aten.split_with_sizes.default", "aten.narrow.default",
        "aten.diagonal.default", "aten.unflatten.int",
    }
)  # fmt: skip
"""Views of which the place of each element is not followed."""


_PARTS: Final = frozenset({"aten.select.int", "aten.slice.Tensor"})


def is_view(target: str) -> bool:
    """Whether what an operator gives shares its elements with what it takes."""
    return target in _SAME or target in _OTHER or target in _PARTS


@frozen
class _View:
    """A part of a tensor.

    Args:
        base: the name of the tensor.
        starts: where it begins along each axis of the tensor.
        lengths: how long it is there.
        axes: the axes of the tensor that the view has; None where they are not followed.

    """

    base: str
    starts: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    axes: tuple[int, ...] | None = None


@define(eq=False)
class Aliases:
    """The views of a graph by the names of values."""

    views: dict[str, _View] = field(factory=dict)

    def note(self, node: ProgramNode, values: Mapping[str, Any]) -> None:
        """Remember that a node gives a view."""
        source = node.arguments.get("self")
        if not isinstance(source, Ref) or not isinstance(values.get(source.name), Value):
            return
        shape = values[source.name].shape
        whole = _View(source.name, (0,) * len(shape), shape, tuple(range(len(shape))))
        before = self.views.get(source.name, whole)
        if node.target in _PARTS and node.results:
            self.views[node.results[0]] = _part(before, node, values)
        elif node.target in _SAME or node.target in _OTHER:
            same = [one for one in node.results if isinstance(values.get(one), Value)]
            for name in same:
                is_same = node.target in _SAME and values[name].shape == shape
                self.views[name] = before if is_same else _View(before.base)

    def write(self, name: str, written: Value, values: dict[str, Any], graph: Graph) -> None:
        """Let a tensor, and the one that it is a view of, be what was written."""
        values[name] = written
        view = self.views.get(name)
        base = values.get(view.base) if view is not None else None
        if view is None or not isinstance(base, Value):
            return
        if view.axes is not None and view.lengths == base.shape:
            block = written if written.shape == base.shape else None
            values[view.base] = block or graph.add("reshape", written, shape=base.shape)
        elif written.is_immediate:  # a number, which is part of the operation
            values[view.base] = graph.add(
                "rearrange", base, purpose="selection", shapes=[base.shape]
            )
        elif view.axes is not None:
            block = graph.add("reshape", written, shape=view.lengths)
            values[view.base] = graph.add("insert", base, block, start=view.starts)
        elif written.size == base.size:
            values[view.base] = graph.add("reshape", written, shape=base.shape)
        else:
            values[view.base] = graph.add(
                "rearrange", base, written, purpose="selection", shapes=[base.shape]
            )


def _part(before: _View, node: ProgramNode, values: Mapping[str, Any]) -> _View:
    """The part that a selection takes of a part."""
    other = _View(before.base)
    if before.axes is None:
        return other
    given = node.arguments
    source = values[given["self"].name]
    made = values.get(node.results[0])
    axis = given.get("dim", 0)
    if not (
        isinstance(axis, int) and isinstance(made, Value) and -source.rank <= axis < source.rank
    ):
        return other
    place = before.axes[axis % source.rank]
    length = source.shape[axis % source.rank]
    if node.target == "aten.select.int":
        start, count = given.get("index"), 1
        axes = tuple([one for one in before.axes if one != place])
    else:
        if given.get("step", 1) != 1:
            return other
        start, count, axes = given.get("start") or 0, made.shape[axis % source.rank], before.axes
    if not isinstance(start, int):
        return other
    start = max(start + length, 0) if start < 0 else min(start, length)
    return evolve(
        before,
        starts=_replaced(before.starts, place, before.starts[place] + start),
        lengths=_replaced(before.lengths, place, count),
        axes=axes,
    )


def _replaced(numbers: tuple[int, ...], place: int, number: int) -> tuple[int, ...]:
    return (*numbers[:place], number, *numbers[place + 1 :])
