"""Convolutions, matrix products, pooling and the functions around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costmodel_onnx.operators.table import ONNX

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode

AUTO: dict[str, str] = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def padding_of(node: SourceNode, spatial: int) -> Any:
    """The padding that `auto_pad` or `pads` state."""
    rule = node.attribute("auto_pad", "NOTSET")
    if rule != "NOTSET":
        return AUTO[rule]
    pads = node.attribute("pads", [0] * (2 * spatial))
    return [(pads[axis], pads[axis + spatial]) for axis in range(spatial)]


@ONNX.translates("Conv")
def conv(node: SourceNode) -> Value:
    """A convolution, grouped or not."""
    spatial = node.input(0).rank - 2
    return node.add(
        "conv", node.input(0), node.input(1), node.optional(2),
        stride=node.attribute("strides", [1] * spatial), padding=padding_of(node, spatial),
        dilation=node.attribute("dilations", [1] * spatial), groups=node.attribute("group", 1),
    )  # fmt: skip


@ONNX.translates("Gemm")
def gemm(node: SourceNode) -> Value:
    """A matrix product with a bias."""
    left, right, bias = node.input(0), node.input(1), node.optional(2)
    settings = {
        "transpose_left": bool(node.attribute("transA", 0)),
        "transpose_right": bool(node.attribute("transB", 0)),
    }
    return node.add("matmul", left, right, bias, **settings)


@ONNX.translates("Relu")
def relu(node: SourceNode) -> Value:
    """A rectifier."""
    return node.add("activation", node.input(), function="relu")


@ONNX.translates("Add", "Sum")
def add(node: SourceNode) -> Value:
    """A sum of several tensors."""
    values = node.present
    return node.add("elementwise", *values, function="add", steps=max(len(values) - 1, 1))


@ONNX.translates("BatchNormalization")
def batch_normalization(node: SourceNode) -> Value:
    """At inference a fixed scale and shift."""
    return node.add("scale_and_shift", *node.present, axis=1)


@ONNX.translates("MaxPool", "AveragePool")
def pool(node: SourceNode) -> Value:
    """Pooling."""
    window = node.attribute("kernel_shape")
    return node.add(
        "pool", node.input(), function="max" if node.operator == "MaxPool" else "mean",
        window=window, stride=node.attribute("strides", [1] * len(window)),
        padding=padding_of(node, len(window)), ceil=bool(node.attribute("ceil_mode", 0)),
        dilation=node.attribute("dilations", [1] * len(window)),
    )  # fmt: skip


@ONNX.translates("Softmax")
def softmax(node: SourceNode) -> Value:
    """Exponentials over their sum."""
    return node.add("softmax", node.input(), axes=[node.attribute("axis", -1)])


@ONNX.translates("Reshape")
def reshape(node: SourceNode) -> Value:
    """The same elements in another shape."""
    value = node.input()
    wanted = node.numbers(1, "the shape")
    shape = [value.shape[place] if length == 0 else length for place, length in enumerate(wanted)]
    if -1 in shape:
        known = 1
        for length in shape:
            known *= max(length, 1) if length != -1 else 1
        shape[shape.index(-1)] = value.size // known
    return node.add("reshape", value, shape=shape)


@ONNX.translates("ConstantOfShape")
def constant_of_shape(node: SourceNode) -> Value:
    """A tensor of one value."""
    shape = node.numbers(0, "the shape")
    return node.graph.constant(node.name or "constant", shape, is_parameter=True)
