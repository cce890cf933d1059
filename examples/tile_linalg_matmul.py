"""Tile a `linalg.matmul` with the price of a device as the cost function.

A compiler hands over a function of MLIR. Every matrix product in it is priced in all tilings at
once, and the cheapest is given back as a schedule of MLIR's transform dialect, for
`mlir-opt --transform-interpreter`.

Run with: python examples/tile_linalg_matmul.py
"""

from __future__ import annotations

import numpy as np

import costmodel
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.linalg import from_mlir
from costmodel.workload.operators import Contraction, Operator

FUNCTION = """
func.func @matmul(%a: tensor<1024x768xf16>, %b: tensor<768x1536xf16>, %c: tensor<1024x1536xf16>)
    -> tensor<1024x1536xf16> {
  %0 = linalg.matmul ins(%a, %b : tensor<1024x768xf16>, tensor<768x1536xf16>)
                     outs(%c : tensor<1024x1536xf16>) -> tensor<1024x1536xf16>
  return %0 : tensor<1024x1536xf16>
}
"""
SIDES = np.arange(8, 200, 8)
"""The sides that a tile may have."""
CHIP = costmodel.device(
    "horowitz-45nm", weights_on_memory="sram", activations_on_memory="sram", min_sram_size=2**16
)
"""A chip whose tensors lie in an SRAM just large enough for them, of at least 8 KB."""


def tile_of(product: Operator, m: int, n: int, k: int) -> Contraction:
    """The work of one tile of a matrix product, in the formats of its operands."""
    left, right, result = [operand.tensor.format for operand in product.operands]
    return costmodel.matmul(
        Tensor((m, k), left), Tensor((k, n), right), output=Tensor((m, n), result)
    )


def best_tiling(product: Operator) -> tuple[tuple[int, ...], float, float]:
    """The sides of the cheapest tile, and the energy of all tiles in the best and worst tiling."""
    m, n, k = (sides.ravel() for sides in np.meshgrid(SIDES, SIDES, SIDES))
    rows, columns, depth = (product.dims[name] for name in ("m", "n", "k"))
    # How often a tile is done: the last one along a side may be partly empty.
    repeats = np.ceil(rows / m) * np.ceil(columns / n) * np.ceil(depth / k)
    tiles = OperatorBatch(tile_of(product, SizeArray(m), SizeArray(n), SizeArray(k)))
    energies = CHIP.price(tiles).energy_joules * repeats
    best = int(energies.argmin())
    sides = (int(m[best]), int(n[best]), int(k[best]))
    return sides, float(energies[best]), float(energies.max())


def schedule(sides: tuple[int, ...]) -> str:
    """The schedule that tiles every `linalg.matmul` so."""
    handles = ", ".join(["!transform.any_op"] * (1 + len(sides)))
    return f"""module attributes {{transform.with_named_sequence}} {{
  transform.named_sequence @__transform_main(%module: !transform.any_op) {{
    %matmul = transform.structured.match ops{{["linalg.matmul"]}} in %module
      : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:{len(sides)} = transform.structured.tile_using_for %matmul
      tile_sizes {list(sides)} : (!transform.any_op) -> ({handles})
    transform.yield
  }}
}}"""


def main() -> None:
    """Read the function, price its tilings, and print the schedule of the cheapest."""
    workload = from_mlir(FUNCTION)
    (product,) = workload.operators
    print(workload)
    sides, best, worst = best_tiling(product)
    print(f"best tile: {sides}, {best * 1e3:.3g} mJ; the worst takes {worst / best:.2f} times that")
    print(schedule(sides))


if __name__ == "__main__":
    main()
