"""Cycles and bytes of one operation of an Ethos-U in given blocks: the estimates of Vela.

The formulas are those that reproduce the estimates of the compiler (ethos-u-vela 5.2.0, core
regor), which `tests/hardware/test_ethos_u.py` checks row by row. They are first-order: no
contention, no refresh, no start-up.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from costmodel_hardware.ethos_u.blocks import SUBKERNEL, Block, rounded_up, sums
from costmodel_hardware.ethos_u.operation import (
    BIAS_BYTES,
    BRICK,
    BY_CHANNEL,
    BYTE,
    OF_ARRAY,
    WEIGHTED,
    Accelerator,
    Area,
    Kind,
    Map,
    Operation,
)

_STEP: Final = 8
"""Channels that a step of the array multiplies in the walk by part of the kernel."""
_WIDE_BITS: Final = 32
_COMMANDS: Final = 4
"""Commands that the NPU has in flight: each takes at least a quarter of the blocks' times."""
_BIAS_READ: Final = 256
"""Bytes of biases that a read latency passes for."""
_LONG_WRITE: Final = 64
"""The longest write of a feature map without bricks, in bytes."""


class ArrayCycles(NamedTuple):
    """Cycles of the array, and of the output unit, for one block; and how many blocks there are."""

    array: float
    output: float
    blocks: float
    """A fraction: microblocks of the output over those of a block."""


class Bytes(NamedTuple):
    """Bytes that an operation reads and writes, by where they lie; bursts not counted."""

    input: float
    second: float
    output: float
    weights: float
    """Of one reading of all weights with their biases."""
    readings: int
    """How often all weights are read: once for each place of a block."""
    constants: float


def array_cycles(
    operation: Operation, npu: Accelerator, block: Block, bias_latency: float = 0.0
) -> ArrayCycles:
    """Cycles of one block; `bias_latency` is that of the memory from which biases are read."""
    unit = _microblock(operation, npu)
    made = _clipped(block.output, operation.output)
    across = -(-made.height // unit.height) * -(-made.width // unit.width)
    deep = -(-made.depth // unit.depth)
    whole = math.prod(-(-size // step) for size, step in zip(operation.output, unit, strict=True))
    cost = per_element(operation, npu)
    output = float(math.ceil(cost * made.size))
    if operation.kind not in OF_ARRAY:
        return ArrayCycles(0.0, output, whole / (across * deep))
    cycles = sum([
        _part(operation, npu, block, elements, (across, deep)) for elements in _parts(operation)
    ])  # fmt: skip
    if operation.kind not in BY_CHANNEL:
        cycles *= -(-operation.input.depth // block.input.depth)
    if operation.kind in WEIGHTED:
        output = max(output, BIAS_BYTES * made.depth * bias_latency / _BIAS_READ)
    return ArrayCycles(cycles / npu.cores, output, whole / (across * deep))


def npu_cycles(
    operation: Operation,
    npu: Accelerator,
    block: Block,
    reads: Map,
    writes: Map,
    bias_latency: float = 0.0,
) -> float:
    """Cycles of one run with its weights at hand: blocks one after the other, and the first fill.

    The array makes a block while the output unit writes the one before.
    """
    read, written = _fill(operation, npu, block, reads, writes)
    if operation.kind is Kind.COPY:
        return float(max(read, written))
    found = array_cycles(operation, npu, block, bias_latency)
    if operation.kind is Kind.ELEMENTWISE:
        whole = operation.output
        depth = rounded_up(whole.depth, BRICK if writes.is_bricks else 1)
        cycles = per_element(operation, npu) * whole.height * whole.width * depth
        return float(math.ceil(max(cycles, (read + found.output) / _COMMANDS * found.blocks)))
    least = (found.array + found.output) / _COMMANDS
    slower, faster = max(found.array, found.output), min(found.array, found.output)
    working = max(slower, least) * found.blocks + max(faster, least)
    waiting = (operation.starts - 1) * reads.port.read_latency
    return float(working + read + written + waiting)


def moved_bytes(operation: Operation, npu: Accelerator, block: Block, reads: Map) -> Bytes:
    """Bytes that one run moves."""
    made, whole = _clipped(block.output, operation.output), operation.output
    places = -(-whole.height // made.height) * -(-whole.width // made.width)
    each = operation.input_bits / BYTE
    step = BRICK if reads.is_bricks else 1
    second = 0.0
    if operation.kind in OF_ARRAY:
        needed = _clipped(block.input, operation.input)
        reach_y, reach_x = operation.reach
        parts = -(-reach_y // SUBKERNEL) * -(-reach_x // SUBKERNEL)
        depth = rounded_up(operation.input.depth, step)
        slices = 1 if operation.kind in BY_CHANNEL else -(-whole.depth // made.depth)
        first = needed.height * needed.width * depth * parts * places * slices * each
    else:
        first = _elements_read(operation.input, whole, step) * each
        if operation.second is not None:
            second = _elements_read(operation.second, whole, step) * each
    weights = 0.0
    if operation.kind in WEIGHTED:
        weights = operation.weights + rounded_up(BIAS_BYTES * whole.depth, BRICK)
    written = whole.height * whole.width * whole.depth * operation.output_bits / BYTE
    return Bytes(first, second, written, weights, places, float(operation.constant_bytes))


def per_element(operation: Operation, npu: Accelerator) -> float:
    """Cycles of the output unit for an element, all cores together."""
    after = npu.cycles_per_element(operation.activation) if operation.activation else 0.0
    return max(npu.cycles_per_element(_output_work(operation, npu)), after) / npu.cores


def read_share(operation: Operation, block: Block, reads: Map) -> float:
    """Bytes of the bursts that are read over those that are needed."""
    each = operation.input_bits / BYTE
    needed = block.input
    if reads.is_bricks:
        row = BRICK * each * needed.width
    else:
        is_whole = needed.depth == operation.input.depth
        row = each * needed.depth * (needed.width if is_whole else 1)
    return _bursts(row, reads.port.burst)


def written_share(operation: Operation, npu: Accelerator, block: Block, writes: Map) -> float:
    """Bytes of the bursts that are written over those that are needed."""
    each = operation.output_bits / BYTE
    made = block.output
    if writes.is_bricks:
        row = BRICK * each * made.width * npu.cores
    elif made.depth == operation.output.depth and made.depth <= BRICK:
        row = each * made.depth * made.width
    else:
        row = min(_LONG_WRITE, BRICK * each * npu.cores, made.depth * each)
    return _bursts(row, writes.port.burst)


def _bursts(row: float, burst: float) -> float:
    return burst / max(min(burst, row), 1.0)


def _fill(
    operation: Operation, npu: Accelerator, block: Block, reads: Map, writes: Map
) -> tuple[float, float]:
    """Cycles until the first block is there, and until the last is written; of a copy, until all.

    Elements beyond the feature map are not moved.
    """
    if operation.kind is Kind.COPY:
        needed, made = operation.input, operation.output
    else:
        needed = _clipped(block.input, operation.input)
        made = _clipped(block.output, operation.output)
    read = needed.size * operation.input_bits / BYTE * read_share(operation, block, reads)
    written = (
        made.size * operation.output_bits / BYTE * written_share(operation, npu, block, writes)
    )
    return (
        reads.port.read_latency + read / reads.port.bytes_per_cycle,
        writes.port.write_latency + written / writes.port.bytes_per_cycle,
    )


def _microblock(operation: Operation, npu: Accelerator) -> Area:
    """The part of the output that is made at once: a row of four for one-dimensional work."""
    unit, whole = npu.microblock, operation.output
    is_of_row = operation.kind in {Kind.CONVOLUTION, Kind.FULLY_CONNECTED}
    is_one = whole.height == 1 and operation.kernel[0] == 1 and whole.width % 2 == 0
    if unit.height > 1 and is_of_row and is_one:
        return Area(1, unit.height * unit.width, unit.depth)
    return unit


def _parts(operation: Operation) -> list[int]:
    """Elements of the parts of a kernel that the array works on at once."""
    limit = 1 if operation.kind is Kind.FULLY_CONNECTED else SUBKERNEL
    height, width = operation.kernel
    return [
        min(limit, height - y) * min(limit, width - x)
        for y in range(0, height, limit)
        for x in range(0, width, limit)
    ]


def _part(
    operation: Operation, npu: Accelerator, block: Block, elements: int, units: tuple[int, int]
) -> float:
    """Cycles of the array for one part of the kernel, in one block.

    `units` are the microblocks in the plane, and in depth. A load of weights takes four cycles
    for each channel of a microblock, so that few microblocks wait for it.
    """
    across, deep = units
    least = 4 * npu.microblock.depth
    is_byte = operation.input_bits == BYTE
    if operation.kind is Kind.POOLING:
        slower = max(1.0, npu.pooling_cycles_per_bit * operation.input_bits)
        cycles, steps = max(4, elements) * across * deep * slower, 1
    elif operation.kind is Kind.DEPTHWISE:
        steps = -(-elements // 4)
        cycles = max(least, 4 * across * operation.input_bits / BYTE) * steps * deep
    elif block.by_part_of_kernel:
        steps = -(-elements // (4 if is_byte else 2))
        cycles = max(least, 4 * across) * steps * deep
    else:
        steps = elements
        cycles = max(least, 4 * across) * steps * deep
    waiting = npu.delay * (steps if deep == 1 else (steps - 1) * deep) if across == 1 else 0
    groups = -(-block.input.depth // _STEP) if block.by_part_of_kernel else 1
    return (cycles + waiting) * groups


def _output_work(operation: Operation, npu: Accelerator) -> str:
    """What the output unit does, by the names of its costs."""
    if operation.kind is Kind.ELEMENTWISE and operation.input_bits == _WIDE_BITS:
        return "wide_unary" if operation.second is None else "wide_binary"
    if operation.function == "product":
        return "multiply_wide"
    if operation.function == "multiply":
        return "multiply_wide" if operation.output_bits == _WIDE_BITS else "multiply"
    is_of_wide_sums = operation.kind in OF_ARRAY and sums(operation, npu)[0] > _WIDE_BITS // BYTE
    if is_of_wide_sums:
        return "multiply"
    if operation.function in {"add", "maximum"} and (
        (operation.function == "maximum") is (operation.kind is Kind.POOLING)
    ):
        return operation.function
    return "other"


def _elements_read(read: Area, whole: Area, step: int) -> float:
    """Elements of an input of an elementwise operation: a scalar once, others for each element."""
    if read.size == 1:
        return 1.0
    return float(whole.height * whole.width * rounded_up(whole.depth, step))


def _clipped(block: Area, whole: Area) -> Area:
    return Area(*map(min, block, whole))
