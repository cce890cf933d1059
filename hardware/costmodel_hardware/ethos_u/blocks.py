"""The block of the output that an Ethos-U makes at once, and the order in which it walks."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from costmodel_hardware.ethos_u.operation import (
    BY_CHANNEL,
    BYTE,
    Accelerator,
    Area,
    Kind,
    Operation,
)

LARGEST: Final = Area(32, 64, 128)
"""The largest block."""
SUBKERNEL: Final = 8
"""Height and width of the part of a kernel that the array works on at once."""
BANK_BYTES: Final = 1024
_SHALLOW: Final = 8


class Block(NamedTuple):
    """A block of the output, the block of the input for it, and the order of the walk."""

    output: Area
    input: Area
    by_part_of_kernel: bool
    """Whether four weights of a kernel meet 8 channels at once, in place of one with 32."""


def rounded_up(size: Any, step: int) -> Any:
    """A size, or an array of sizes, up to the next multiple of a step."""
    return -(-size // step) * step


def walks_by_part_of_kernel(operation: Operation) -> bool:
    """Whether a convolution fills the multipliers better with parts of the kernel.

    In its other order, depth first, 32 channels of 8 bits meet one weight of the kernel each.
    """
    if operation.kind is not Kind.CONVOLUTION:
        return False
    depth, elements = operation.input.depth, operation.kernel[0] * operation.kernel[1]
    if depth <= _SHALLOW:
        return True
    is_byte = operation.input_bits == BYTE
    by_depth = depth / rounded_up(depth, 32 if is_byte else 16)
    filled = rounded_up(depth, 8) * rounded_up(elements, 4 if is_byte else 2)
    return bool(depth * elements / filled > by_depth)


def block_for(operation: Operation, npu: Accelerator, output: Area) -> Block:
    """The block of an operation whose block of the output is given."""
    by_part = walks_by_part_of_kernel(operation)
    below, across = input_sizes(operation, npu, output.height, output.width)
    is_same = operation.kind in BY_CHANNEL
    channels = output.depth if is_same else input_depth(operation, by_part)
    return Block(output, Area(int(below), int(across), channels), by_part)


def input_sizes(operation: Operation, npu: Accelerator, height: Any, width: Any) -> tuple[Any, Any]:
    """Height and width of the input that a block of the output needs at once."""
    (reach_y, reach_x), (down, across) = operation.reach, operation.stride
    needed_y = (height - 1) * down + min(reach_y, SUBKERNEL)
    needed_x = (width - 1) * across + min(reach_x, SUBKERNEL)
    unit = npu.microblock
    return rounded_up(needed_y, unit.height), rounded_up(needed_x, unit.width)


def input_depth(operation: Operation, by_part: bool) -> int:  # noqa: FBT001  # private
    """Channels of the input that meet a block of the output at once."""
    depth = operation.input.depth
    if operation.input_bits == 2 * BYTE:
        return int(rounded_up(min(depth, 16), 4))
    return int(rounded_up(min(depth, 16 if by_part else 32), BYTE))


def sums(operation: Operation, npu: Accelerator) -> tuple[int, int]:
    """Bytes of a sum, and the banks by which a block of sums grows: 5 bytes for 16-bit inputs."""
    is_wide = operation.input_bits == 2 * BYTE and operation.kind is not Kind.POOLING
    return (5, npu.wide_sum_granule) if is_wide else (4, npu.sum_granule)
