"""Additions of a constant become the bias of the product that alone they follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.normalize.rewriting import Links, exchange, twin
from costmodel.frontend.operations.work import Value

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode

_PRODUCTS: Final = frozenset({"conv", "conv_transpose", "matmul", "contract"})
_BIAS: Final = 2
"""The place of the bias among the operands of a product."""


def join_biases(graph: Graph) -> None:
    """Let a product start its sums at what is added to them along the axis of its weights."""
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        if node.operation != "elementwise" or node.settings.get("function") != "add":
            continue
        sums = [value for value in node.reads if not value.is_constant]
        held = [value for value in node.reads if value.is_constant]
        if len(sums) != 1 or len(held) != 1:
            continue
        product = links.maker(sums[0])
        if product is None or id(product) in changed or links.only_reader(sums[0]) is not node:
            continue
        bias = _bias(product, node, held[0])
        if bias is not None:
            operands = [*product.operands[:_BIAS], bias]
            made = twin(
                product, product.operation, *operands, writes=node.writes[0], **product.settings
            )
            changed[id(node)] = (made,)
            changed[id(product)] = ()
    if changed:
        exchange(graph, changed)


def _bias(product: GraphNode, node: GraphNode, constant: Value) -> Value | None:
    """The constant along the axes that the weights alone give the result, if it lies so."""
    if product.operation not in _PRODUCTS or len(product.reads) > _BIAS:
        return None
    axes, shape = _own_axes(product), node.writes[0].shape
    own = (*[1] * (len(shape) - constant.rank), *constant.shape)
    along = tuple(length if place in axes else 1 for place, length in enumerate(shape))
    if not axes or own != along or product.writes[0].shape != shape:
        return None
    if product.operation == "contract":
        return constant
    wanted = tuple([shape[axis] for axis in sorted(axes)])
    if constant.shape == wanted:
        return constant
    return Value(
        constant.name, wanted, constant.format, None, is_constant=True,
        is_parameter=constant.is_parameter,
    )  # fmt: skip


def _own_axes(product: GraphNode) -> set[int]:
    """The axes of the result that the weights have and the values do not."""
    if product.operation == "contract":
        left, right = product.settings["axes"]
        is_held = product.reads[1].is_constant
        kept = enumerate(product.settings["kept"])
        return {place for place, name in kept if is_held and name in right and name not in left}
    axis = product.work.absorbs
    return set() if axis is None else {axis}
