"""Multiply-accumulates: products of matrices and tensors, convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations.work import Value, Work
from costmodel.tensor.shapes import Tensor
from costmodel.workload import builders
from costmodel.workload.builders.windows import Padding, PerAxis
from costmodel.workload.operators import Contraction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Rule


def matmul(
    left: Value,
    right: Value,
    bias: Value | None = None,
    *,
    transpose_left: bool = False,
    transpose_right: bool = False,
) -> Work:
    """A matrix product, batched over the axes in front; see `costmodel.matmul`."""
    work = builders.matmul(
        left.tensor, right.tensor, bias=None if bias is None else bias.tensor,
        left_role=left.role, right_role=right.role,
        transpose_left=transpose_left, transpose_right=transpose_right,
    )  # fmt: skip
    reads = [left, right, *([] if bias is None else [bias])]
    is_held = right.is_constant and not left.is_constant
    return Work(work, reads, absorbs=len(work.outputs[0].shape) - 1 if is_held else None)


def contract(
    left: Value,
    right: Value,
    bias: Value | None = None,
    *,
    axes: Sequence[Sequence[str]],
    kept: Sequence[str],
) -> Work:
    """Products of two values summed over the axes that the result does not have."""
    work = builders.contract(
        [left.tensor, right.tensor], axes, kept, roles=(left.role, right.role),
        bias=None if bias is None else bias.tensor,
    )  # fmt: skip
    last = kept[-1] if kept else ""
    is_held = right.is_constant and last in axes[1] and last not in axes[0]
    reads = [left, right, *([] if bias is None else [bias])]
    return Work(work, reads, absorbs=len(kept) - 1 if is_held else None)


def conv(
    image: Value,
    kernel: Value,
    bias: Value | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    input_layout: str = "NC*",
    weight_layout: str = "KC*",
) -> Work:
    """A convolution; see `costmodel.conv`."""
    work = builders.conv(
        image.tensor, kernel.tensor, bias=None if bias is None else bias.tensor, stride=stride,
        padding=padding, dilation=dilation, groups=groups, input_layout=input_layout,
        weight_layout=weight_layout, weight_role=kernel.role,
    )  # fmt: skip
    return _convolved(work, image, kernel, bias, input_layout)


def conv_transpose(
    image: Value,
    kernel: Value,
    bias: Value | None = None,
    *,
    stride: PerAxis = 1,
    padding: int | Sequence[int | Sequence[int]] = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    input_layout: str = "NC*",
    weight_layout: str = "CK*",
    spatial: Sequence[int] | None = None,
) -> Work:
    """A transposed convolution; see `costmodel.conv_transpose`.

    `spatial` are the lengths of the result where the source states them.
    """

    def made(output: Sequence[int | None] | None) -> Contraction:
        return builders.conv_transpose(
            image.tensor, kernel.tensor, bias=None if bias is None else bias.tensor, stride=stride,
            padding=padding, output_padding=output_padding, dilation=dilation, groups=groups,
            input_layout=input_layout, weight_layout=weight_layout, weight_role=kernel.role,
            output=None if output is None else Tensor(tuple(output)),
        )  # fmt: skip

    work = made(None)
    if spatial is not None:
        shape = list(work.outputs[0].shape)
        free = [place for place, letter in enumerate(_spelled(input_layout, len(shape)))
                if letter == "*"]  # fmt: skip
        for place, length in zip(free, spatial, strict=True):
            shape[place] = length
        work = made(shape)
    return _convolved(work, image, kernel, bias, input_layout)


def _spelled(layout: str, rank: int) -> str:
    return layout.replace("*", "*" * (rank - len(layout) + 1))


def _convolved(
    work: Contraction, image: Value, kernel: Value, bias: Value | None, layout: str
) -> Work:
    reads = [image, kernel, *([] if bias is None else [bias])]
    channels = _spelled(layout, image.rank).index("C")
    return Work(work, reads, absorbs=channels if kernel.is_constant else None)


RULES: Final[Mapping[str, Rule]] = {
    "matmul": matmul,
    "contract": contract,
    "conv": conv,
    "conv_transpose": conv_transpose,
}
