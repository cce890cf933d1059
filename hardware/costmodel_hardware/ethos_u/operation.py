"""Operations of an Ethos-U: what one command of the NPU computes, and the accelerator itself."""

from __future__ import annotations

import enum
import math
from typing import Final, NamedTuple

from attrs import field, frozen
from attrs.validators import and_, ge, instance_of

BYTE: Final = 8
"""Bits."""
BRICK: Final = 16
"""Channels that lie together in memory in the layout NHCWB16 of feature maps."""
BIAS_BYTES: Final = 10
"""Bias, scale and shift of an output channel (Ethos-U55 technical reference manual)."""


class Kind(enum.Enum):
    """What the NPU does: the command that it gets."""

    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise convolution"
    FULLY_CONNECTED = "fully connected"
    POOLING = "pooling"
    REDUCE_SUM = "sum over channels"
    ELEMENTWISE = "elementwise"
    COPY = "copy"
    """A transposition or a copy by the read and write units alone."""


WEIGHTED: Final = (Kind.CONVOLUTION, Kind.DEPTHWISE, Kind.FULLY_CONNECTED)
"""What reads weights, and adds a bias."""
OF_ARRAY: Final = (*WEIGHTED, Kind.POOLING, Kind.REDUCE_SUM)
"""What the array of multipliers computes."""
BY_CHANNEL: Final = (Kind.DEPTHWISE, Kind.POOLING, Kind.ELEMENTWISE, Kind.COPY)
"""What makes an output channel of the same channel of the input."""


class Area(NamedTuple):
    """Height, width and channels of a feature map or of a block of one."""

    height: int
    width: int
    depth: int

    @property
    def size(self) -> int:
        """Elements."""
        return self.height * self.width * self.depth


@frozen
class Operation:
    """One operation of the NPU on one example.

    Sizes are those of the whole operation, `kernel`, `stride` and `dilation` are (y, x). The
    `function` is `maximum` for a maximum pooling, and `add`, `multiply`, `product` or `other`
    of elements; `activation` is `relu`, `table` or nothing. `constant_bytes` are read beside the
    weights, from where constants lie; it runs `repeats` times. It waits `starts` times for its
    input, which `is_far` where the compiler leaves it in the memory of the network's inputs.
    """

    kind: Kind
    output: Area
    input: Area
    second: Area | None = None
    """The second input of an elementwise operation; of one element where it is a scalar."""
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    input_bits: int = 8
    output_bits: int = 8
    function: str = ""
    activation: str = ""
    constant_bytes: int = 0
    starts: int = 1
    is_far: bool = False
    fuses: bool = True
    """Whether the output unit can do an activation after it."""
    repeats: int = field(default=1, validator=and_(instance_of(int), ge(1)))

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of the kernel, dilated."""
        (height, width), (down, across) = self.kernel, self.dilation
        return (height - 1) * down + 1, (width - 1) * across + 1

    @property
    def weights(self) -> int:
        """Weights of one run."""
        if self.kind not in WEIGHTED:
            return 0
        depth = 1 if self.kind is Kind.DEPTHWISE else self.input.depth
        return math.prod(self.kernel) * depth * self.output.depth


@frozen
class Accelerator:
    """The figures of a configuration of an Ethos-U that its cycles follow from."""

    microblock: Area
    """The part of the output that the array makes at once."""
    cores: int
    banks: int
    """Of 1 KiB: the shared buffer for blocks of inputs and sums."""
    input_granule: int
    """Banks by which a block of 8-bit or 16-bit inputs grows."""
    wide_input_granule: int
    sum_granule: int
    """Banks by which a block of 32-bit sums grows."""
    wide_sum_granule: int
    delay: int
    """Cycles from a multiplication to a sum of one microblock."""
    pooling_cycles_per_bit: float
    output_costs: tuple[tuple[str, float], ...]
    """Cycles of the output unit for an element, by what it does."""

    def cycles_per_element(self, work: str) -> float:
        """Cycles of the output unit for an element, in one core."""
        return dict(self.output_costs)[work]


class Port(NamedTuple):
    """A memory as the NPU sees it: bytes in a cycle, cycles until the first, bytes of a burst."""

    bytes_per_cycle: float
    read_latency: float
    write_latency: float
    burst: float


class Map(NamedTuple):
    """Where a feature map lies: its memory, and whether it is laid out in bricks."""

    port: Port
    is_bricks: bool
