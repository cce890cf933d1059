"""Additions of a constant become the bias of the product that alone they follow."""

from __future__ import annotations

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
    changed: dict[int, GraphNode | None] = {}
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
            changed[id(node)] = twin(
                product, product.operation, *operands, writes=node.writes[0], **product.settings
            )
            changed[id(product)] = None
    if changed:
        exchange(graph, changed)


def _bias(product: GraphNode, node: GraphNode, constant: Value) -> Value | None:
    """The constant along the axis of the weights alone, if it lies so."""
    axis = product.work.absorbs
    if product.operation not in _PRODUCTS or axis is None or len(product.reads) > _BIAS:
        return None
    shape = node.writes[0].shape
    own = (*[1] * (len(shape) - constant.rank), *constant.shape)
    along = tuple(shape[axis] if place == axis else 1 for place in range(len(shape)))
    if own != along or product.writes[0].shape != shape:
        return None
    if constant.rank == 1:
        return constant
    return Value(
        constant.name, (shape[axis],), constant.format, None, is_constant=True,
        is_parameter=constant.is_parameter,
    )  # fmt: skip
