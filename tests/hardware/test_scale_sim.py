"""A systolic array counts what SCALE-Sim 3.0.0 prints, and what a replay of its demands finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.check import check, read
from costmodel_hardware.spatial.counting.scale_sim import (
    DATAFLOWS,
    Convolution,
    Layer,
    Product,
    SystolicArray,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "scalesim.json.gz"
CASES = read(GOLDEN)

sizes = st.integers(1, 12)
arrays = st.builds(SystolicArray, st.integers(1, 6), st.integers(1, 6), st.sampled_from(DATAFLOWS))
products = st.builds(Product, sizes, sizes, sizes)


@st.composite
def convolutions(draw: Any) -> Convolution:
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    return Convolution(
        height, width, draw(st.integers(1, height)), draw(st.integers(1, width)),
        draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4)),
    )  # fmt: skip


layers = products | convolutions()


def test_all_golden_cases_agree_but_one_replay() -> None:
    """Overlapping windows in a buffer of 1 KiB: the program fetches 8 words more of 18,512."""
    agreements = check(CASES)
    assert sum(one.cases for one in agreements) == 537 * 7 + 331 * 3 + 115 * 2
    (inexact,) = [one for one in agreements if one.differences]
    assert (inexact.suite, inexact.quantity) == ("small", "dram_input_reads")
    (one,) = inexact.differences
    assert one.found == near(one.expected, rel=0.006)


def cycles_of_far_corners(array: SystolicArray, product: Product) -> int:
    """How many cycles an array works: in each fold until the far corner has its last product."""
    over_rows, over_columns, streamed = array.spread(product)
    cycles = 0
    for _ in range(0, over_columns, array.columns):
        for _ in range(0, over_rows, array.rows):
            filled = 0 if array.dataflow == "os" else array.rows
            last = max(
                filled + step + row + column
                for row in (0, array.rows - 1)
                for column in (0, array.columns - 1)
                for step in (0, streamed - 1)
            )
            cycles += last + 1
    return cycles


@given(arrays, products)
def test_a_fold_lasts_until_the_last_product_in_the_far_corner(
    array: SystolicArray, product: Product
) -> None:
    extra = -1  # the program names the index of the last cycle
    assert array.counts(product)["total_cycles"] == cycles_of_far_corners(array, product) + extra


@given(arrays, layers)
def test_words_are_those_of_a_replay(array: SystolicArray, layer: Layer) -> None:
    """A buffer that never overflows fetches each word once; SRAM sees every demand."""
    counts, product = array.counts(layer), layer.gemm
    inputs, weights = array.fetched(layer, 1024, 1024)
    assert inputs == counts["dram_input_reads"]
    assert weights == counts["dram_weight_reads"] == product.k * product.n
    demanded = [sum(map(len, list(folds))) for folds in array._demands(layer)]  # an oracle
    assert demanded == [counts["sram_input_reads"], counts["sram_weight_reads"]]


@given(arrays, layers)
def test_a_larger_buffer_never_fetches_more_than_every_demand(
    array: SystolicArray, layer: Layer
) -> None:
    counts = array.counts(layer)
    inputs, weights = array.fetched(layer, 1, 1)
    assert counts["dram_input_reads"] <= inputs <= counts["sram_input_reads"]
    assert counts["dram_weight_reads"] <= weights <= counts["sram_weight_reads"]


@given(arrays, products)
def test_no_array_does_more_than_it_could(array: SystolicArray, product: Product) -> None:
    counts = array.counts(product)
    assert 0 < counts["mapping_efficiency_percent"] <= 100
    assert 0 < counts["compute_utilization_percent"] <= 100
    macs = product.m * product.n * product.k
    assert (counts["total_cycles"] + 1) * array.rows * array.columns >= macs


@pytest.mark.parametrize("dataflow", ["rs", "", None])
def test_an_unknown_dataflow_is_refused(dataflow: Any) -> None:
    with pytest.raises(ValueError, match="dataflow"):
        SystolicArray(2, 2, dataflow)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"), ("{}", "expected a list of cases, found dict"),
        ("[{}]", "case 0: KeyError: 'id'"),
        ('[{"id": 1, "suite": "ideal", "expected": {}, "layer": {"kind": "pool"}, "config": {}}]',
         "case 0: KeyError: 'pool'"),
    ],
    ids=["no JSON", "no list", "no case", "no layer"],
)  # fmt: skip
def test_a_file_that_is_none_is_reported(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(text)
    with pytest.raises(CostModelError, match=message):
        check(read(file))


def test_the_checker_prints_the_agreement_and_ends_with_1_where_one_differs(
    tmp_path: Path,
) -> None:
    wrong = json.loads(json.dumps(CASES[:3]))
    wrong[1]["expected"]["total_cycles"] += 1
    for cases, status in ((CASES[:3], 0), (wrong, 1)):
        file = tmp_path / "cases.json"
        file.write_text(json.dumps(cases))
        command = [sys.executable, "-m", "costmodel_hardware.spatial.check", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert f"ideal total_cycles: {3 - status} of 3" in done.stdout
        assert (
            status == 0
            or "(folds x cycles of a fold - 1, and the stalls of the file)" in done.stdout
        )
