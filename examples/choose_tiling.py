"""What a compiler does with a cost model: choose a tiling, and choose among ways to compute.

Run with: python examples/choose_tiling.py
"""

from __future__ import annotations

import time

import numpy as np

import costmodel
from costmodel import Operator
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.formats import NumericFormat, parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray
from costmodel.units import format_quantity
from costmodel.workload.operators import Contraction

ROWS, COLUMNS, DEPTH = 1024, 1536, 768
"""The matrix product: (ROWS x DEPTH) times (DEPTH x COLUMNS)."""
SIDES = np.arange(8, 200, 8)
"""The sides that a tile may have."""
FORMATS = ("int8", "int4", "ternary")
"""The formats that weights may have."""
INT8, INT32 = parse_format("int8"), parse_format("int32")
CHIP = costmodel.device(
    "horowitz-45nm", weights_on_memory="sram", activations_on_memory="sram", min_sram_size=2**16
)
"""Every tensor lies in an SRAM just large enough for it, of at least 8 KB."""


def tile(m: int, n: int, k: int) -> Contraction:
    """The work of one tile: its operands are moved once, and its results as partial sums."""
    return costmodel.matmul(
        Tensor((m, k), INT8), Tensor((k, n), INT8), output=Tensor((m, n), INT32)
    )


def choose_tiling() -> None:
    """Price every tiling at once, and show the best."""
    m, n, k = (sides.ravel() for sides in np.meshgrid(SIDES, SIDES, SIDES))
    # How often a tile is done: the last one along a side may be partly empty.
    repeats = np.ceil(ROWS / m) * np.ceil(COLUMNS / n) * np.ceil(DEPTH / k)

    start = time.perf_counter()
    tiles = OperatorBatch(tile(SizeArray(m), SizeArray(n), SizeArray(k)))
    energies = CHIP.price(tiles).energy_joules * repeats
    seconds = time.perf_counter() - start

    best, worst = energies.argmin(), energies.argmax()
    print(f"{len(tiles):,} tilings of {ROWS} x {COLUMNS} x {DEPTH} in {seconds:.3f} s")
    for word, place in (("best", best), ("worst", worst)):
        energy = format_quantity(energies[place], "J")
        print(
            f"{word:>5}: {m[place]} x {n[place]} x {k[place]}, "
            f"{repeats[place]:,.0f} times: {energy}"
        )
    print(f"the worst takes {energies[worst] / energies[best]:.2f} times the energy of the best")
    print(f"one tile of the best: {CHIP.price(tiles[best])}")


def convolution(
    height: int,
    width: int,
    channels: int,
    filters: int,
    kernel: tuple[int, int],
    weights: NumericFormat,
) -> Contraction:
    """A convolution that keeps height and width."""
    return costmodel.conv(
        Tensor((height, width, channels), INT8),
        Tensor((*kernel, channels, filters), weights),
        padding="same",
        input_layout="*C",
        weight_layout="*CK",
        output=Tensor((height, width, filters), INT8),
    )


def depthwise(height: int, width: int, channels: int, weights: NumericFormat) -> Contraction:
    """A filter of 3 x 3 for each channel."""
    return costmodel.conv(
        Tensor((height, width, channels), INT8),
        Tensor((3, 3, channels), weights),
        padding="same",
        groups=channels,
        input_layout="*C",
        weight_layout="*K",
        output=Tensor((height, width, channels), INT8),
    )


def ways(weights: NumericFormat) -> dict[str, list[Operator]]:
    """Three ways to mix 3 x 3 neighbours of 128 channels, each a chain of operators."""
    side, channels, rank = 28, 128, 32
    return {
        "dense 3 x 3": [convolution(side, side, channels, channels, (3, 3), weights)],
        "depthwise and pointwise": [
            depthwise(side, side, channels, weights),
            convolution(side, side, channels, channels, (1, 1), weights),
        ],
        f"factorised to rank {rank}": [
            convolution(side, side, channels, rank, (3, 1), weights),
            convolution(side, side, rank, channels, (1, 3), weights),
        ],
    }


def choose_operators() -> None:
    """Price every way in every format, and list them from the cheapest to the dearest."""
    energies = {
        (way, name): CHIP.price(operators).energy_joules.sum()
        for name in FORMATS
        for way, operators in ways(parse_format(name)).items()
    }
    print("\nways to mix 3 x 3 neighbours of 128 channels, values in int8")
    for (way, name), energy in sorted(energies.items(), key=lambda item: item[1]):
        print(f"{format_quantity(energy, 'J'):>9}  {way}, weights in {name}")


if __name__ == "__main__":
    choose_tiling()
    choose_operators()
