"""Two products with a softmax between them become one attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from costmodel.errors import ShapeError
from costmodel.formats import FixedPoint
from costmodel.frontend.normalize.rewriting import Links, exchange, twin
from costmodel.frontend.operations.work import Value
from costmodel.workload.composite import Attention
from costmodel.workload.operators import Movement, Operand

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph, GraphNode


@frozen(eq=False)
class _Scores:
    """The scores that a softmax reads: queries, keys, masks, and the nodes between."""

    query: Value
    key: Value
    masks: tuple[Value, ...]
    nodes: tuple[GraphNode, ...]


def join_attention(graph: Graph) -> None:
    """Replace `softmax(scale(q @ k^T) + mask) @ v` by an attention, where nothing else reads it.

    Where the softmax gives a fixed-point format, as in quantised files, all stay: an attention does
    not say in which format its scores are.
    """
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        if node.operation != "softmax" or isinstance(node.writes[0].format, FixedPoint):
            continue
        after = links.only_reader(node.writes[0])
        if after is None or not _is_product(after) or after.reads[0] is not node.writes[0]:
            continue
        scores = _scores(links, node)
        if scores is None:
            continue
        made = _attention(node, scores, after)
        if made is not None:
            changed.update({id(one): () for one in (*scores.nodes, node)})
            changed[id(after)] = (made,)
    if changed:
        exchange(graph, changed)


def _is_product(node: GraphNode) -> bool:
    return node.operation == "matmul" and len(node.reads) == len(("left", "right"))


def _scores(links: Links, softmax: GraphNode) -> _Scores | None:
    """What stands before a softmax over its last axis, back to the product."""
    (value,) = softmax.reads
    axes = [value.axis(axis) for axis in softmax.settings.get("axes", (-1,))]
    nodes: list[GraphNode] = []
    masks: list[Value] = []
    reader, node = softmax, links.maker(value)
    while node is not None and not _is_product(node) and links.only_reader(value) is reader:
        nodes.append(node)
        scored = _scaled_or_masked(links, node)
        if scored is None:
            return None
        masks += [one for one in node.reads if one is not scored]
        value, reader, node = scored, node, links.maker(scored)
    if node is None or axes != [value.rank - 1] or links.only_reader(value) is not reader:
        return None
    nodes.append(node)
    query, key = [_unscaled(links, one, node, nodes) for one in node.reads]
    found = key if node.settings.get("transpose_right") else _turned_back(links, key, nodes)
    if found is None or node.settings.get("transpose_left"):
        return None
    return _Scores(query, found, tuple(masks), tuple(nodes))


def _unscaled(links: Links, value: Value, reader: GraphNode, nodes: list[GraphNode]) -> Value:
    """Queries or keys before they are scaled by a number; what scales them joins the nodes."""
    node = links.maker(value)
    while node is not None and _is_scale(node) and links.only_reader(value) is reader:
        nodes.append(node)
        value, reader, node = node.reads[0], node, links.maker(node.reads[0])
    return value


def _is_scale(node: GraphNode) -> bool:
    """Whether a node multiplies a value by a number, or divides it by one."""
    if node.operation != "elementwise" or len(node.reads) != 1:
        return False
    function = node.settings.get("function")
    is_quotient = function == "divide" and node.operands[0] is node.reads[0]
    return function == "multiply" or is_quotient


def _scaled_or_masked(links: Links, node: GraphNode) -> Value | None:
    """The scores that a node scales by a number or adds a mask to, if it does that."""
    function = node.settings.get("function")
    if node.operation != "elementwise":
        return None
    if len(node.reads) == 1:
        return node.reads[0] if function in {"multiply", "divide", "add"} else None
    scored = [one for one in node.reads if _leads_to_product(links, one)]
    return scored[0] if function == "add" and len(scored) == 1 else None


def _leads_to_product(links: Links, value: Value) -> bool:
    """Whether a value is a scaled product of matrices."""
    node = links.maker(value)
    while node is not None and node.operation == "elementwise" and len(node.reads) == 1:
        node = links.maker(node.reads[0])
    return node is not None and _is_product(node)


def _turned_back(links: Links, key: Value, nodes: list[GraphNode]) -> Value | None:
    """The keys before their last two axes changed places, made so by their own transposition."""
    node = links.maker(key)
    if node is not None and node.operation == "reshape":
        return _turned_as_one_batch(links, key, nodes)
    if node is None or node.operation != "transpose" or links.only_reader(key) is None:
        return None
    order = [node.reads[0].axis(axis) for axis in node.settings["order"]]
    order[-1], order[-2] = order[-2], order[-1]
    turned = Value(key.name, (*key.shape[:-2], key.shape[-1], key.shape[-2]), key.format)
    if order == sorted(order):
        return node.reads[0]
    replacement = twin(node, "transpose", node.reads[0], writes=turned, order=order)
    graph = links.graph
    graph.nodes[graph.nodes.index(node)] = replacement
    return turned


def _turned_as_one_batch(links: Links, key: Value, nodes: list[GraphNode]) -> Value | None:
    """The keys before the same, where the axes before them are seen as one meanwhile.

    So the exporter of PyTorch to ONNX writes it.
    """
    found, value = [], key
    for operation in ("reshape", "transpose", "reshape"):
        node = links.maker(value)
        if node is None or node.operation != operation or links.only_reader(value) is None:
            return None
        found.append(node)
        value = node.reads[0]
    _, turned, _ = found
    swapped = (*key.shape[:-2], key.shape[-1], key.shape[-2])
    is_last = [turned.reads[0].axis(axis) for axis in turned.settings["order"]] == [0, 2, 1]
    if not is_last or value.shape != swapped or turned.reads[0].shape[1:] != swapped[-2:]:
        return None
    nodes += found
    return value


def _attention(softmax: GraphNode, scores: _Scores, product: GraphNode) -> GraphNode | None:
    """The node of the attention, or None where the operands do not have one form."""
    value = product.reads[1]
    if product.settings.get("transpose_right"):
        return None
    operands = (scores.query, scores.key, value)
    ranks = {one.rank for one in operands}
    layouts = {2: "md", 3: "bmd", 4: "bhmd"}
    rank = ranks.pop()
    if ranks or rank not in layouts or any(one.is_constant for one in operands):
        return None
    try:
        return twin(
            softmax, "attention", *operands, *scores.masks,
            writes=product.writes[0], layout=layouts[rank],
        )  # fmt: skip
    except ShapeError:
        return None


# ------------------------------------------------------------------ the order of heads


def join_head_orders(graph: Graph) -> None:
    """Let an attention read and write heads and positions in the order in which they lie.

    Some frameworks write `(batch, position, head, feature)` as it is, others change the places of
    heads and positions before and after. That is no work: a step from one position to the next is
    as long as the order says, and the features of each lie together in either.
    """
    links = Links.of(graph)
    changed: dict[int, Sequence[GraphNode]] = {}
    for node in graph.nodes:
        if node.operation == "attention" and isinstance(node.work.does, Attention):
            changed.update(_in_given_order(links, node, changed))
    if changed:
        exchange(graph, changed)


def _in_given_order(
    links: Links, node: GraphNode, gone: Mapping[int, object]
) -> dict[int, Sequence[GraphNode]]:
    """Let an attention take the place of the transpositions around it that are not `gone`."""
    operator = node.work.does
    if not isinstance(operator, Attention):
        return {}
    operands, reads = list(operator.operands), list(node.work.reads)
    found: dict[int, Sequence[GraphNode]] = {}
    for place, value in enumerate(reads):
        before = links.maker(value)
        order = _order_of_heads(before)
        if before is None or order is None or id(before) in gone:
            continue
        if links.only_reader(value) is not node:
            continue
        operand = operands[place]
        index = [operand.index[order.index(axis)] for axis in range(len(order))]
        reads[place] = before.reads[0]
        operands[place] = _moved(operand, reads[place], index)
        found[id(before)] = ()
    (written,) = node.writes
    after = links.only_reader(written)
    order = _order_of_heads(after)
    if after is not None and order is not None:
        (result,) = operator.outputs
        node.writes = after.writes
        operands[operands.index(result)] = _moved(
            result, after.writes[0], [result.index[axis] for axis in order]
        )
        found[id(after)] = ()
    if found:
        node.work = evolve(node.work, does=evolve(operator, operands=operands), reads=reads)
        node.operands = tuple(reads)
    return found


def _order_of_heads(node: GraphNode | None) -> list[int] | None:
    """The order of the axes that a node gives them, where the last of them stays the last."""
    if node is None or node.operation != "transpose" or not isinstance(node.work.does, Movement):
        return None
    order = [node.reads[0].axis(axis) for axis in node.settings["order"]]
    return order if order[-1] == len(order) - 1 else None


def _moved(operand: Operand, value: Value, index: Sequence[Any]) -> Operand:
    return evolve(operand, tensor=evolve(operand.tensor, shape=value.shape), index=index)
