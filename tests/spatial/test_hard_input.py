"""Operators of all kinds and odd sizes on one array, and mistakes in a device file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from figures import near
from spatial.drawn import INT8
from spatial.test_device import NPU, device

import costmodel
from costmodel.errors import DeviceFileError
from costmodel_hardware.spatial.accountings import mapped
from costmodel_hardware.spatial.architecture import SLOTS
from costmodel_hardware.spatial.counting.links import Spatial
from costmodel_hardware.spatial.nest import Nest, nest_of

OPERATORS: dict[str, Callable[[], Any]] = {
    "one product": lambda: costmodel.matmul((1, 1), (1, 1)),
    "100,000 x 100,000": lambda: costmodel.matmul((100_000, 100_000), (100_000, 100_000)),
    "prime sizes": lambda: costmodel.matmul((99_991, 65_537), (65_537, 99_989)),
    "many factors": lambda: costmodel.matmul((5_040, 5_040), (5_040, 5_040)),
    "vector": lambda: costmodel.matmul((1, 4096), (4096, 1)),
    "attention": lambda: costmodel.einsum(
        "bqhd,bkhd->bhqk", (1024, 128, 8, 64), (1024, 128, 8, 64)
    ),
    "5 letters": lambda: costmodel.einsum("abcd,bce->ade", (16, 32, 64, 128), (32, 64, 48)),
    "7 letters": lambda: costmodel.einsum(
        "abcdef,bdfg->aceg", (8, 16, 8, 16, 8, 16), (16, 16, 16, 64)
    ),
    "outer product": lambda: costmodel.einsum("a,b->ab", (4096,), (4096,)),
    "dot product": lambda: costmodel.einsum("a,a->", (100_000,), (100_000,)),
    "elementwise": lambda: costmodel.einsum("ab,ab->ab", (1024, 1024), (1024, 1024)),
    "1-D dilated": lambda: costmodel.conv(
        (1, 64, 16_000), (128, 64, 9), stride=2, dilation=4, padding=16
    ),
    "2-D batch 1024": lambda: costmodel.conv((1024, 64, 28, 28), (64, 64, 3, 3), padding=1),
    "2-D far dilated": lambda: costmodel.conv(
        (1, 2048, 33, 33), (256, 2048, 3, 3), dilation=24, padding=24
    ),
    "3-D": lambda: costmodel.conv(
        (1, 3, 32, 224, 224), (64, 3, 3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3)
    ),
    "3-D dilated": lambda: costmodel.conv(
        (2, 64, 32, 64, 64), (64, 64, 3, 3, 3), padding=2, dilation=2
    ),
    "grouped": lambda: costmodel.conv((8, 256, 28, 28), (512, 8, 3, 3), groups=32, padding=1),
    "depthwise": lambda: costmodel.conv((1, 512, 112, 112), (512, 1, 5, 5), groups=512, padding=2),
    "stride beyond the filter": lambda: costmodel.conv((1, 64, 224, 224), (64, 64, 1, 1), stride=4),
    "filter of 31": lambda: costmodel.conv((1, 64, 56, 56), (64, 1, 31, 31), groups=64, padding=15),
    "image of prime sides": lambda: costmodel.conv((1, 3, 4099, 4093), (64, 3, 3, 3), padding=1),
    "transposed": lambda: costmodel.conv_transpose(
        (1, 256, 32, 32), (256, 128, 4, 4), stride=2, padding=1
    ),
    "transposed 3-D": lambda: costmodel.conv_transpose(
        (1, 64, 16, 16, 16), (64, 32, 3, 3, 3), stride=2
    ),
}  # fmt: skip
QUIET = NPU.replace("    leakage: 1 mW\n", "")
"""Without leakage the least energy is proven."""
FLOWS = {"input": "read_to_below", "weight": "read_to_below", "output": "write_from_below"}


@pytest.mark.parametrize("dataflow", ["rows=input channels,columns=filters", "row stationary"])
@pytest.mark.parametrize("name", OPERATORS)
def test_any_contraction_has_a_proven_mapping(tmp_path: Path, name: str, dataflow: str) -> None:
    npu = device(tmp_path, QUIET).with_parameters(dataflow=dataflow)
    operator = OPERATORS[name]()
    nest = nest_of(operator, INT8, 32)
    assert isinstance(nest, Nest)
    assert nest.macs == operator.macs
    found = mapped(nest, npu.plan(INT8), ())
    assert found.gap == 0
    assert found.costs.latency.compute >= nest.macs / npu.architecture.units
    assert found.costs.mac_energy == near(nest.macs * 0.04e-12)
    spatial = Spatial(nest, npu.architecture, ())
    for slot in SLOTS:
        (words,) = (
            one.words
            for one in found.costs.transfers
            if (one.operand, one.level, one.flow) == (slot, "dram", FLOWS[slot])
        )
        assert words >= spatial.words_once(slot) >= 1
        touched = math.prod(nest.tensor(slot).shape)
        assert spatial.words_once(slot) <= touched


@pytest.mark.parametrize("dataflow", ["search", "output stationary", "weight stationary"])
def test_a_large_convolution_is_searched_over_all_ways_to_spread_it(
    tmp_path: Path, dataflow: str
) -> None:
    npu = device(tmp_path, QUIET).with_parameters(dataflow=dataflow)
    nest = nest_of(OPERATORS["2-D batch 1024"](), INT8, 32)
    assert isinstance(nest, Nest)
    found = mapped(nest, npu.plan(INT8), ())
    assert found.gap == 0
    assert found.costs.utilization == 1


def test_an_operand_that_reads_a_dimension_twice_is_refused_by_name() -> None:
    found = nest_of(costmodel.einsum("aa,ab->ab", (64, 64), (64, 64)), INT8, 32)  # type: ignore[arg-type]  # one product
    assert found == (
        "its input input[a, a] reads a dimension along two axes of 64 x 64; expected each in one"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{rows: 16, columns: 16}", "{}", "settings.array: expected axes with units such as"),
        ("{rows: 16, columns: 16}", "16x16", "settings.array: expected axes with units such as"),
        ("{rows: 16, columns: 16}", "{rows: 16.5}", "expected 1 to 1,048,576 units, found '16.5'"),
        ("{rows: 16, columns: 16}", "'rows=2,columns=2,rows=2'", "axis 'rows' is given twice"),
        ("{rows: input channels, columns: filters}", "{}", "settings.dataflow: expected weight"),
        ("{rows: input channels, columns: filters}", "{rows: 3}", "rows: expected a dimension or"),
        ("{rows: input channels, columns: filters}", "{rows: }", "rows: expected a dimension or"),
        ("per: [rows, columns]", "per: [rows, rows]", "memory 'weights': per names axis 'rows' tw"),
        ("holds: [weight]", "holds: []", "memories[0].holds: expected a list of input, weight"),
        ("size: 128 B", "size: -1 B", "memories[0].size.value: expected a value that is not nega"),
        ("width: 8 bit", "width: 0 bit", "expected a whole number of bits, found '0 bit'"),
        ("bandwidth: 8 GB/s", "bandwidth: 0 GB/s", "memories[3].bandwidth.value: expected a value"),
        ("value: 1 GHz", "value: 0 GHz", "parameters.clock.value: expected a value above 0"),
        ("name: sums", "name: weights", "memories[1].name: 'weights' is there before"),
        (NPU[NPU.index("memories:") :], "", "memories: expected at least one"),
        ("settings:\n", "settings:\n  cycles_per_mac: 0\n", "a whole number of at least 1, found"),
        ("settings:\n", "settings:\n  objective: power\n", "expected one of energy, latency, edp"),
    ],
)  # fmt: skip
def test_a_mistake_of_a_file_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in NPU
    with pytest.raises(DeviceFileError, match=r"npu\.yaml") as error:
        device(tmp_path, NPU.replace(old, new, 1))
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("size: 128 B", "size: 0 B", "memory 'weights' has 0 bits; the smallest tiles take 8, 8 t"),
        ("size: 4 B", "size: 3 B", "memory 'sums' has 24 bits; the smallest tiles take 32, 8 too"),
        ("size: 512 KiB", "size: 4 B", "memory 'buffer' has 32 bits; the smallest tiles take "),
    ],
)  # fmt: skip
def test_tiles_that_never_fit_leave_contractions_unpriced(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    npu = device(tmp_path, NPU.replace(old, new, 1))
    scenario = costmodel.Scenario(default_format="int8")
    layers = costmodel.read(str(Path(__file__).parents[2] / "examples" / "vgg9.json"))
    found = npu.evaluate(costmodel.lower(layers, scenario), scenario)
    assert not found.is_complete
    assert all(expected in text for text in found.placement.refused.values())  # type: ignore[union-attr]  # one of this class
