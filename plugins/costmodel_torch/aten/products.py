"""Products of matrices, and convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend.translation import DataDependentError
from costmodel.workload.builders.contractions import einsum_terms
from costmodel_torch.aten.table import (
    ATEN,
    elementwise,
    is_set,
    number,
    optional,
    setting,
    tensor,
    values,
    whole,
    wholes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode

_PAIR: Final = 2


@ATEN.translates("aten.linear", "aten._addmm_activation")
def linear(node: SourceNode) -> Value:
    """A product with a weight of shape (outputs, inputs)."""
    value, weight = tensor(node, "input"), tensor(node, "weight")
    if weight.rank == 1:
        return elementwise_sum(node, value, weight)
    return node.add("matmul", value, weight, optional(node, "bias"), transpose_right=True)


def elementwise_sum(node: SourceNode, left: Value, right: Value) -> Value:
    """The products of elements, summed over the last axis."""
    names = [f"b{place}" for place in range(left.rank - 1)]
    return node.add("contract", left, right, axes=([*names, "k"], ["k"]), kept=names)


@ATEN.translates("aten.mm", "aten.bmm")
def mm(node: SourceNode) -> Value:
    """A product of two matrices, or of many pairs."""
    return node.add("matmul", tensor(node, "self"), tensor(node, "mat2"))


@ATEN.translates("aten.matmul", "aten.linalg_matmul", "aten.__matmul__")
def matmul(node: SourceNode) -> Value:
    """A product of matrices or vectors, as NumPy has it."""
    left, right = tensor(node, "self"), tensor(node, "other")
    return product(node, left, right)


def product(node: SourceNode, left: Value, right: Value) -> Value:
    """A product of matrices or vectors; a stack of matrices times one matrix is one product."""
    if left.rank == 1 or right.rank == 1:
        return _vectors(node, left, right)
    if left.rank == _PAIR and right.rank > _PAIR:
        left = node.add("reshape", left, shape=(*[1] * (right.rank - _PAIR), *left.shape))
    return node.add("matmul", left, right)


def _vectors(node: SourceNode, left: Value, right: Value) -> Value:
    names = [f"b{place}" for place in range(max(left.rank, right.rank) - _PAIR)]
    first = [*names, "m", "k"] if left.rank > 1 else ["k"]
    second = [*names, "k", "n"] if right.rank > 1 else ["k"]
    kept = [name for name in (*first, *second) if name != "k"]
    return node.add("contract", left, right, axes=(first, second), kept=list(dict.fromkeys(kept)))


@ATEN.translates("aten.mv", "aten.dot", "aten.vdot")
def vector(node: SourceNode) -> Value:
    """A product with a vector."""
    other = "vec" if "vec" in node.attributes else "tensor"
    other = other if other in node.attributes else "other"
    return _vectors(node, tensor(node, "self"), tensor(node, other))


@ATEN.translates("aten.outer", "aten.ger")
def outer(node: SourceNode) -> Value:
    """Each element of a vector times each of another."""
    left, right = tensor(node, "self"), tensor(node, "vec2")
    left = node.add("reshape", left, shape=(left.size, 1))
    return elementwise(node, "multiply", left, right)


@ATEN.translates("aten.addmm", "aten.baddbmm")
def addmm(node: SourceNode) -> Value:
    """A product of matrices with a bias; one that is no vector is added afterwards."""
    first, second = ("mat1", "mat2") if "mat1" in node.attributes else ("batch1", "batch2")
    left, right, bias = tensor(node, first), tensor(node, second), tensor(node, "self")
    alpha, beta = setting(node, "alpha", 1), setting(node, "beta", 1)
    is_bias = bias.rank == 1 and bias.shape[0] == right.shape[-1] and bias.is_constant
    if is_bias and alpha == beta == 1:
        return node.add("matmul", left, right, bias)
    made = _times(node, node.add("matmul", left, right), alpha)
    return made if beta == 0 else elementwise(node, "add", made, _times(node, bias, beta))


@ATEN.translates("aten.addmv", "aten.addr", "aten.addbmm")
def added_product(node: SourceNode) -> Value:
    """A product, added to a tensor."""
    bias, alpha, beta = tensor(node, "self"), setting(node, "alpha", 1), setting(node, "beta", 1)
    if "mat" in node.attributes:
        made = _vectors(node, tensor(node, "mat"), tensor(node, "vec"))
    elif "vec1" in node.attributes:
        left = tensor(node, "vec1")
        left = node.add("reshape", left, shape=(left.size, 1))
        made = elementwise(node, "multiply", left, tensor(node, "vec2"))
    else:
        axes = (["b", "m", "k"], ["b", "k", "n"])
        made = node.add(
            "contract", tensor(node, "batch1"), tensor(node, "batch2"), axes=axes, kept=["m", "n"]
        )
    return elementwise(node, "add", _times(node, made, alpha), _times(node, bias, beta))


def _times(node: SourceNode, value: Value, factor: float) -> Value:
    return value if factor == 1 else elementwise(node, "multiply", value, number(node, factor))


@ATEN.translates("aten.einsum")
def einsum(node: SourceNode) -> Value | Sequence[Value]:
    """Products summed over the axes that an equation leaves out, two operands after two."""
    equation, operands = setting(node, "equation"), values(node, "tensors")
    terms, kept = einsum_terms(equation, [value.rank for value in operands])
    if any(len(set(names)) < len(names) for names in terms):
        message = "an equation that takes a diagonal has no translation"
        raise DataDependentError(message)
    value, names = operands[0], terms[0]
    for place in range(1, len(operands)):
        later = {name for term in terms[place + 1 :] for name in term} | set(kept)
        own = terms[place]
        left = [name for name in dict.fromkeys((*names, *own)) if name in later]
        if place == len(operands) - 1:
            left = kept
        value = contracted(node, value, names, operands[place], own, left)
        names = left
    return _reduced(node, value, names, kept)


def contracted(
    node: SourceNode, left: Value, first: list[str], right: Value, second: list[str],
    kept: list[str],
) -> Value:  # fmt: skip
    """A product of two tensors by the names of their axes; nothing is summed but what both have."""
    shared = set(first) & set(second)
    if any(name not in kept for name in shared):
        return node.add("contract", left, right, axes=(first, second), kept=kept)
    both = list(dict.fromkeys((*first, *second)))
    placed = [_placed(node, one, names, both) for one, names in ((left, first), (right, second))]
    return _reduced(node, elementwise(node, "multiply", *placed), both, kept)


def _placed(node: SourceNode, value: Value, names: list[str], all_names: list[str]) -> Value:
    """A tensor with its axes in a common order, of length one where it has none."""
    order = sorted(range(len(names)), key=lambda place: all_names.index(names[place]))
    moved = node.add("transpose", value, order=order)
    lengths = {names[place]: value.shape[place] for place in order}
    return node.add("reshape", moved, shape=[lengths.get(name, 1) for name in all_names])


def _reduced(node: SourceNode, value: Value, names: list[str], kept: list[str]) -> Value:
    """A tensor summed over the axes that are not kept, in the order of those that are."""
    gone = [place for place, name in enumerate(names) if name not in kept]
    if gone:
        value = node.add("reduce", value, function="sum", axes=gone)
        names = [name for name in names if name in kept]
    return node.add("transpose", value, order=[names.index(name) for name in kept])


@ATEN.translates("aten.tensordot")
def tensordot(node: SourceNode) -> Value:
    """Products summed over pairs of axes."""
    left, right = tensor(node, "self"), tensor(node, "other")
    pairs = dict(
        zip(
            [right.axis(axis) for axis in wholes(node, "dims_other")],
            [left.axis(axis) for axis in wholes(node, "dims_self")],
            strict=True,
        )
    )
    first = [f"a{axis}" for axis in range(left.rank)]
    second = [f"a{pairs[axis]}" if axis in pairs else f"b{axis}" for axis in range(right.rank)]
    kept = [name for name in (*first, *second) if not (name in first and name in second)]
    return contracted(node, left, first, right, second, kept)


@ATEN.translates("aten.bilinear", "aten._trilinear")
def bilinear(node: SourceNode) -> Value | Sequence[Value]:
    """Two inputs weighed by a tensor of three axes."""
    if node.operator.endswith("_trilinear"):
        message = "a product of three tensors can be summed in several orders"
        raise DataDependentError(message)
    first, second, weight = (tensor(node, name) for name in ("input1", "input2", "weight"))
    batch = [f"n{place}" for place in range(first.rank - 1)]
    made = node.add(
        "contract", first, weight, axes=([*batch, "i"], ["o", "i", "j"]), kept=[*batch, "o", "j"]
    )
    made = node.add(
        "contract", made, second, axes=([*batch, "o", "j"], [*batch, "j"]), kept=[*batch, "o"]
    )
    bias = optional(node, "bias")
    return made if bias is None else elementwise(node, "add", made, bias)


# ------------------------------------------------------------------ convolutions


@ATEN.translates("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.mkldnn_convolution")
def conv(node: SourceNode) -> Value:
    """A convolution, grouped or not."""
    return _conv(node, setting(node, "padding", 0))


@ATEN.translates("aten.convolution", "aten._convolution", "aten.convolution_overrideable")
def convolution(node: SourceNode) -> Value:
    """A convolution, transposed or not."""
    if is_set(node, "transposed"):
        return _scattered(node)
    return _conv(node, setting(node, "padding", 0))


def _conv(node: SourceNode, padding: Any) -> Value:
    image, kernel = tensor(node, "input"), tensor(node, "weight")
    spatial = kernel.rank - 2
    if not isinstance(padding, str):
        padding = [(amount, amount) for amount in wholes(node, "padding", spatial, 0)]
    return _with_batch(
        node, image, "conv", kernel, optional(node, "bias"), padding=padding,
        stride=wholes(node, "stride", spatial, 1), dilation=wholes(node, "dilation", spatial, 1),
        groups=whole(node, "groups", 1),
    )  # fmt: skip


@ATEN.translates("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
def conv_transpose(node: SourceNode) -> Value:
    """A transposed convolution."""
    return _scattered(node)


def _scattered(node: SourceNode) -> Value:
    image, kernel = tensor(node, "input"), tensor(node, "weight")
    spatial = kernel.rank - 2
    return _with_batch(
        node, image, "conv_transpose", kernel, optional(node, "bias"),
        stride=wholes(node, "stride", spatial, 1), padding=wholes(node, "padding", spatial, 0),
        output_padding=wholes(node, "output_padding", spatial, 0),
        dilation=wholes(node, "dilation", spatial, 1), groups=whole(node, "groups", 1),
    )  # fmt: skip


def _with_batch(
    node: SourceNode, image: Value, operation: str, kernel: Value, bias: Value | None,
    **settings: Any,
) -> Value:  # fmt: skip
    """A convolution of an image that may lack the batch axis."""
    if image.rank == kernel.rank:
        return node.add(operation, image, kernel, bias, **settings)
    batched = node.add("reshape", image, shape=(1, *image.shape))
    made = node.add(operation, batched, kernel, bias, **settings)
    return node.add("reshape", made, shape=made.shape[1:])


@ATEN.translates("aten.cdist", "aten._cdist_forward")
def cdist(node: SourceNode) -> Value:
    """The distance of every row of one tensor to every row of another."""
    left, right = tensor(node, "x1"), tensor(node, "x2")
    left = node.add("reshape", left, shape=(*left.shape[:-1], 1, left.shape[-1]))
    right = node.add(
        "reshape", right, shape=(*right.shape[:-2], 1, *right.shape[-2:])
    )  # fmt: skip
    apart = elementwise(node, "subtract", left, right)
    squares = elementwise(node, "multiply", apart, apart)
    total = node.add("reduce", squares, function="sum", axes=[-1 % squares.rank])
    return node.add("activation", total, function="sqrt")
