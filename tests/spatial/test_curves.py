"""The least traffic for a buffer of any size, against the curves of AccelForge's mapper.

The file has its Pareto points for one unit and one buffer that inputs, weights and results share:
[values in the buffer, values that move]. Its mapper keeps the overlap of windows along one loop;
`reread` does not.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from figures import near

from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Level
from costmodel_hardware.spatial.nest import Nest, Tensor
from costmodel_hardware.spatial.search.mapper import best_mapping

GOLDEN = Path(__file__).parents[1] / "golden" / "accelforge.json.gz"
CURVES = {one["layer"]: one for one in json.loads(gzip.decompress(GOLDEN.read_bytes()))["curves"]}
PRODUCTS = [name for name, one in CURVES.items() if one["kind"] in {"mm", "bmm"}]
DEPTHWISE, CONVOLUTION = "depthwise3x3_16x16x64", "conv3x3_16x16x16x32"
INDICES: Final = {
    "mm": (("m", "k"), ("k", "n"), ("m", "n")),
    "bmm": (("b", "m", "k"), ("b", "n", "k"), ("b", "m", "n")),
    "conv": (("p+r", "q+s", "c"), ("m", "c", "r", "s"), ("p", "q", "m")),
    "dw": (("p+r", "q+s", "c"), ("c", "r", "s"), ("p", "q", "c")),
}
BITS = 8


def nest_of_curve(curve: Any) -> Nest:
    bounds = curve["bounds"]
    tensors = []
    for texts in INDICES[curve["kind"]]:
        index = [Affine.of(text) for text in texts]
        shape = [1 + sum(bounds[dim] - 1 for dim in one.dims) for one in index]
        tensors.append(Tensor(BITS, tuple(shape), tuple(index)))
    return Nest(bounds, *tensors)


def least_traffic(name: str, values: int, *, retained: bool = False) -> float:
    """Words over the link to the memory outside, proven to be the least."""
    buffer = Level(name="buffer", holds=SLOTS, size_bits=values * BITS, retains_halo=retained)
    each = {"read_energy": 1.0, "write_energy": 1.0, "read_bits": BITS, "write_bits": BITS}
    levels = [buffer, Level(name="outside", holds=SLOTS, **each)]
    architecture = Architecture(name="one unit", axes={"unit": 1}, levels=levels)
    found = best_mapping(nest_of_curve(CURVES[name]), architecture, [(("unit", ()),)])
    assert found.gap == 0
    return found.value


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_reach_every_point_of_their_curve(name: str) -> None:
    for values, words in CURVES[name]["points"]:
        assert least_traffic(name, values) == near(words), values


def test_a_depthwise_convolution_that_retains_the_halo_reaches_every_point() -> None:
    for values, words in CURVES[DEPTHWISE]["points"]:
        assert least_traffic(DEPTHWISE, values, retained=True) == near(words), values


def compared(name: str, *, retained: bool) -> tuple[list[int], list[int]]:
    """The buffer sizes of a curve at which less moves than on it, and those at which more does."""
    lower, higher = [], []
    for values, words in CURVES[name]["points"]:
        found = least_traffic(name, values, retained=retained)
        if found != near(words):
            (lower if found < words else higher).append(values)
    return lower, higher


@pytest.mark.slow
def test_a_depthwise_convolution_that_reads_the_halo_again_lies_on_its_curve_or_above() -> None:
    assert compared(DEPTHWISE, retained=False)[0] == []


@pytest.mark.slow
def test_a_convolution_may_move_less_than_its_curve_says() -> None:
    """AccelForge's mapper leaves out mappings whose words can be counted by hand.

    With 57 values: inputs of 4 x 2 outputs under the whole 3 x 3 window, (4 + 2) (2 + 2) = 24; one
    weight; sums of 4 x 2 outputs and 4 filters, 32. All 4 x 8 tiles of outputs read each of 4,608
    weights once, 147,456; each of 8 tiles of filters reads the 24 inputs of 16 channels and 32
    tiles, 98,304; 8,192 results are written once: 253,952 words, and the curve has 277,248.
    """
    assert least_traffic(CONVOLUTION, 57) == 253_952
    assert dict(CURVES[CONVOLUTION]["points"])[57] == 277_248
    lower, _ = compared(CONVOLUTION, retained=False)
    assert lower == [57, 61, 70, 139, 217, 265, 437, 469, 578, 1126]


@pytest.mark.slow
def test_a_convolution_that_retains_the_halo_never_moves_more_than_its_curve_says() -> None:
    lower, higher = compared(CONVOLUTION, retained=True)
    assert higher == []
    assert len(lower) < len(CURVES[CONVOLUTION]["points"]) / 2
