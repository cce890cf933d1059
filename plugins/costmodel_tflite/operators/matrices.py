"""Matrix products, tables that are looked up, and SVDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel.errors import ShapeError
from costmodel_tflite.table import activated, leave_unpriced, rearranged, stated_shape, translates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.subgraphs import TfliteNode

SHUFFLED: Final = 1
"""`SHUFFLED4x16INT8`: the weights lie in blocks; a second result holds the shuffled input."""


@translates("FULLY_CONNECTED")
def fully_connected(node: TfliteNode) -> Sequence[Value]:
    """Rows times a matrix of weights (results, features); other axes are rows."""
    value, weights = node.input(0), node.input(1)
    features = weights.shape[-1]
    if features < 1 or value.size % features:
        message = f"{value.size:,} elements are not rows of {features} features"
        raise ShapeError(message)
    given = [value]
    if node.option("weights_format") == SHUFFLED:
        given.append(node.add("copy", value, purpose="shuffle"))
    if node.option("keep_num_dims", default=False):
        rows = value.shape[:-1] if value.shape[-1:] == (features,) else (-1,)
    else:
        rows = (-1,)
    if rows == (-1,):
        rows = (value.size // features,)
    seen = node.add("reshape", value, shape=(*rows, features))
    bias = node.optional(2)
    result = node.add("matmul", seen, weights, bias, transpose_right=True)
    return [activated(node, result), *given[1:]]


@translates("BATCH_MATMUL")
def batch_matmul(node: TfliteNode) -> Value:
    """Matrices of two tensors multiplied pair by pair."""
    return node.add(
        "matmul", node.input(0), node.input(1),
        transpose_left=bool(node.option("adj_x")), transpose_right=bool(node.option("adj_y")),
    )  # fmt: skip


@translates("EMBEDDING_LOOKUP")
def embedding_lookup(node: TfliteNode) -> Value:
    """Rows of a table, at places that are data."""
    return node.add("embedding", node.input(1), node.input(0))


@translates("EMBEDDING_LOOKUP_SPARSE")
def embedding_lookup_sparse(node: TfliteNode) -> Value:
    """Rows of a table at places that are data, weighed, and added where data say."""
    places, weights, table = node.input(0), node.input(3), node.input(4)
    rows = node.add("embedding", table, places)
    ones = (1,) * (rows.rank - 1)
    seen = node.add("reshape", weights, shape=(weights.size, *ones))
    weighed = node.add("elementwise", rows, seen, function="multiply")
    added = node.add("elementwise", weighed, function="add", in_place=True)
    return rearranged(node, "selection", stated_shape(node, "data"), added)


@translates("SVDF")
def svdf(node: TfliteNode) -> Value:
    """A matrix of rank `rank` along features and time: features first, then what is remembered.

    Inputs: values (rows, features), weights of features (filters, features), weights of time
    (filters, steps), a bias. The state, whose steps move on by one, is the operator's own.
    """
    value, features, time = node.input(0), node.input(1), node.input(2)
    rank = max(node.option("rank", 1), 1)
    (filters, steps), rows = time.shape, value.shape[0]
    newest = node.add("matmul", value, features, transpose_right=True)
    state = rearranged(node, "state", (rows, filters, steps), newest)
    sums = node.add("contract", state, time, axes=(("b", "f", "m"), ("f", "m")), kept=("b", "f"))
    seen = node.add("reshape", sums, shape=(rows, filters // rank, rank))
    total = node.add("reduce", seen, function="sum", axes=[2]) if rank > 1 else (
        node.add("reshape", sums, shape=(rows, filters))
    )  # fmt: skip
    bias = node.optional(3)
    if bias is not None:
        total = node.add("elementwise", total, bias, function="add", in_place=True)
    return activated(node, total)


leave_unpriced({
    "no release of TensorFlow Lite has a kernel for it": "CONCAT_EMBEDDINGS",
    "how many keys a look-up compares depends on the data and the library": """
        HASHTABLE_FIND HASHTABLE_LOOKUP HASHTABLE_SIZE""",
    "how many hashes and characters it works on depends on data": "LSH_PROJECTION SKIP_GRAM",
})  # fmt: skip
