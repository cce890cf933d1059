"""The search for the block of the output that an Ethos-U works on.

The limits of a block and the criterion are those that Arm publishes with the compiler Vela
(ethos-u-vela 5.2.0, Apache-2.0, `architecture_allocator.py`): of all blocks for which two blocks
of the input and two of the sums fit into the shared buffer, the one that fetches the fewest inputs
and weights for an output element.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel_hardware.ethos_u.blocks import (
    BANK_BYTES,
    LARGEST,
    SUBKERNEL,
    Block,
    input_depth,
    input_sizes,
    rounded_up,
    sums,
    walks_by_part_of_kernel,
)
from costmodel_hardware.ethos_u.operation import (
    BRICK,
    BY_CHANNEL,
    BYTE,
    Accelerator,
    Area,
    Kind,
    Operation,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OUTPUT_BANKS: Final = 2
_LAST_BANKS: Final = 2
"""Banks at the end that stay free where there are more than 16: the table of an activation."""
_SMALL_BUFFER: Final = 16
_WIDE_BITS: Final = 32
_SMALL: Final = 4
"""Up to this height and width, of two equal blocks the one that covers more of the input."""

Sizes = tuple[Any, Any, Any]
"""Heights, widths and depths of several blocks."""


@functools.lru_cache(maxsize=4096)
def best_block(operation: Operation, npu: Accelerator) -> Block:
    """The block that an operation is computed in.

    Of equal ones it is the first by depth, height and width; among those of at most 4 x 4, the
    last of those that cover most of the input.

    Raises:
        ValueError: not even the smallest block fits into the shared buffer.

    """
    by_part = walks_by_part_of_kernel(operation)
    height, width, depth = _candidates(operation, npu)
    below, across = input_sizes(operation, npu, height, width)
    channels = depth if operation.kind in BY_CHANNEL else input_depth(operation, by_part)
    fits = _fits(operation, npu, (height, width, depth), (below, across, channels))
    if not fits.any():
        message = f"no block of {operation.kind.value} fits into {npu.banks} KiB"
        raise ValueError(message)
    cost = np.where(
        fits, _fetched(operation, (height, width, depth), (below, across, channels)), np.inf
    )
    place = _best(operation, cost, (height, width), (below, across))
    depths = np.broadcast_to(channels, depth.shape)
    return Block(
        Area(int(height[place]), int(width[place]), int(depth[place])),
        Area(int(below[place]), int(across[place]), int(depths[place])),
        by_part,
    )


def _candidates(operation: Operation, npu: Accelerator) -> Sizes:
    """All blocks, by depth, height and width."""
    unit = npu.microblock
    limit = Area(*[
        rounded_up(min(size, most), step)
        for size, most, step in zip(operation.output, LARGEST, unit, strict=True)
    ])  # fmt: skip
    depth = max(unit.depth, min(limit.depth, BRICK))
    depths = []
    while True:
        if depth < operation.output.depth:
            depth = rounded_up(depth, BRICK)
        if depth > limit.depth:
            break
        depths.append(depth)
        depth += unit.depth
    axes = (
        np.array(depths),
        np.arange(unit.height, limit.height + 1, unit.height),
        np.arange(unit.width, limit.width + 1, unit.width),
    )
    depth_of, height, width = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
    return height, width, depth_of


def _fits(operation: Operation, npu: Accelerator, output: Sizes, needed: Sizes) -> NDArray[Any]:
    """Whether two blocks of inputs, and two of sums, fit into the shared buffer."""
    height, width, depth = output
    below, across, channels = needed
    bits = operation.input_bits
    is_wide = bits == _WIDE_BITS
    granule = npu.wide_input_granule if is_wide else npu.input_granule
    row = rounded_up(-(-channels * bits // BYTE), BYTE)
    of_inputs = rounded_up(2 * -(-below * across * row // BANK_BYTES), granule)
    table = _table_banks(operation, npu)
    room = npu.banks - table - _OUTPUT_BANKS
    if operation.kind in {Kind.ELEMENTWISE, Kind.COPY}:
        has_two = (
            operation.second is not None and min(operation.second.size, operation.input.size) > 1
        )
        return np.asarray(of_inputs * (1 + has_two) <= room)
    sum_bytes, sum_granule = sums(operation, npu)
    rows = np.minimum(height, operation.output.height) if _is_row(operation, npu) else height
    of_sums = rounded_up(
        2 * -(-rows * width * rounded_up(depth, BYTE) * sum_bytes // BANK_BYTES), sum_granule
    )
    return np.asarray(of_inputs + of_sums <= room)


def _is_row(operation: Operation, npu: Accelerator) -> bool:
    """Whether a block is one row high, though a microblock has two."""
    is_one = operation.output.height == 1 and operation.kernel[0] == 1
    return is_one and npu.microblock.height > 1


def _table_banks(operation: Operation, npu: Accelerator) -> int:
    reserved = _LAST_BANKS if npu.banks > _SMALL_BUFFER else 0
    if operation.activation != "table":
        return reserved
    return max(reserved, 1 if operation.output_bits == BYTE else 2)


def _fetched(operation: Operation, output: Sizes, needed: Sizes) -> NDArray[Any]:
    """Inputs and weights that are fetched for each output element."""
    height, width, depth = output
    below, across, channels = needed
    whole = operation.output
    large = operation.input
    if operation.second is not None and operation.second.size > large.size:
        large = operation.second
    spatial = (-(-whole.height // height)) * (-(-whole.width // width))
    if operation.kind in {Kind.ELEMENTWISE, Kind.COPY}:
        cost = np.maximum(whole.size / (height * width * depth), 1.0)
    else:
        reach_y, reach_x = operation.reach
        parts = -(-reach_y // SUBKERNEL) * -(-reach_x // SUBKERNEL)
        part_of_blocks = (whole.height / height) * (whole.width / width)
        inputs = below * across * large.depth * parts * part_of_blocks
        if operation.kind not in BY_CHANNEL:
            inputs = inputs * -(-whole.depth // depth)
        weights = np.zeros_like(inputs)
        if operation.kind in {Kind.CONVOLUTION, Kind.DEPTHWISE}:
            weights = weights + reach_y * reach_x * large.depth * spatial
            if operation.kind is Kind.CONVOLUTION:
                weights = weights * whole.depth
        cost = (inputs + weights) / whole.size
    is_whole = large.size < 2 * below * across * channels
    return np.where(is_whole, cost / 2, cost)


def _best(
    operation: Operation,
    cost: NDArray[Any],
    output: tuple[NDArray[Any], NDArray[Any]],
    needed: tuple[NDArray[Any], NDArray[Any]],
) -> int:
    """The place of the block to take."""
    first = int(np.argmin(cost))
    height, width = output
    is_small = (cost == cost[first]) & (height <= _SMALL) & (width <= _SMALL)
    is_small[: first + 1] = False
    if not is_small.any():
        return first
    covered = np.minimum(needed[0], operation.input.height) * np.minimum(
        needed[1], operation.input.width
    )
    most = covered[is_small].max()
    return int(np.flatnonzero(is_small & (covered == most))[-1])
