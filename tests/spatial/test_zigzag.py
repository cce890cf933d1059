"""The accounting `zigzag` against ZigZag's own results, and what it refuses."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from figures import near

from costmodel.errors import CostModelError
from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.architecture import Architecture, Level, Port, Use
from costmodel_hardware.spatial.check import check, read
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Nest, Tensor
from costmodel_hardware.spatial.zigzag.accounting import count
from costmodel_hardware.spatial.zigzag.checking import QUANTITIES
from costmodel_hardware.spatial.zigzag.golden_cases import (
    accelerator_of,
    mapping_of,
    nest_of_layer,
)
from costmodel_hardware.spatial.zigzag.latency import Transfer, union_of_windows

GOLDEN = Path(__file__).parents[1] / "golden" / "zigzag.json.gz"
FILE = read(GOLDEN)
PRODUCT = Nest(
    {"m": 4, "n": 6, "k": 8},
    Tensor(8, (4, 8), (Affine.of("m"), Affine.of("k")), 8),
    Tensor(8, (6, 8), (Affine.of("n"), Affine.of("k")), 8),
    Tensor(8, (4, 6), (Affine.of("m"), Affine.of("n")), 16),
)
ARRAY = Architecture(
    name="small",
    axes={"rows": 2, "columns": 2},
    levels=[
        Level(name="register", holds=["weight"], size_bits=64, per=["rows", "columns"],
              read_energy=1, write_energy=2, read_bits=8, write_bits=8),
        Level(name="buffer", holds=["input", "output"], size_bits=1024, read_energy=10,
              write_energy=20, read_bits=16, write_bits=16, smallest_bits=8),
        Level(name="dram", holds=["input", "weight", "output"], read_energy=100, write_energy=200,
              read_bits=8, write_bits=8),
    ],
    systolic=["rows"],
    mac_energy=1,
)  # fmt: skip
MAPPING = Mapping(
    {"rows": [("k", 2)], "columns": [("n", 2)]},
    [("k", 4), ("m", 4), ("n", 3)],
    {"input": [2], "weight": [1], "output": [2]},
)


def test_every_quantity_of_every_mapping_of_the_file_agrees() -> None:
    agreements = check(FILE)
    assert [str(one) for one in agreements if one.differences] == []
    assert {one.quantity for one in agreements} == QUANTITIES.keys()
    assert sum(one.cases for one in agreements if one.quantity == "latency_cycles") == 1212
    assert sum(one.cases for one in agreements if one.quantity == "word_accesses") == 44880


def test_halves_are_rounded_to_the_side_to_which_zigzag_rounds_them() -> None:
    agreements = check(read(GOLDEN.parent / "zigzag_halves.json"))
    assert [str(one) for one in agreements if one.differences] == []


def test_the_counts_of_a_small_product_are_those_worked_out_by_hand() -> None:
    found = count(PRODUCT, ARRAY, MAPPING)
    # A weight leaves its register once per MAC, and comes to each of 4 registers once: 4 of k by
    # 3 of n, each 8 bits. Buffer accesses are of 16 bits, in halves.
    weights = found.of("weight", "register")
    assert weights.words == {"read_to_below": 192, "write_from_above": 48}
    assert found.of("weight", "dram").words == {"read_to_below": 48}
    assert weights.energy == near(192 * 1 + 48 * 2)
    # Each of 48 steps reads 2 inputs (2 of k; n is multicast): 16 bits.
    assert found.of("input", "buffer").words["read_to_below"] == 48
    # All 32 inputs come once: the loop over n lies outside and does not change them.
    assert found.of("input", "dram").words == {"read_to_below": 32}
    # Each step writes 2 sums of 16 bits (2 of n; k is added up), and reads as many, which ZigZag
    # does for the first of 4 too.
    sums = found.of("output", "buffer").words
    assert sums["write_from_below"] == sums["read_to_below"] == 96
    # Complete, 24 outputs of 8 bits leave.
    assert sums["read_to_above"] == 12
    assert found.of("output", "dram").words == {"write_from_below": 24, "read_to_below": 0}
    assert found.compute_cycles_mapped == 48
    assert found.compute_cycles_ideal == 48
    assert found.drain_cycles == 1
    assert found.energy == near(192 + sum(found.memory_energy.values()))


def test_windows_that_may_overlap_are_counted_once() -> None:
    port = Port("port", 8, [Use("input", "read_to_below")])

    def transfer(period: int, window: int) -> Transfer:
        return Transfer(
            "input", 0, 0, "read_to_below", port, 1, 1, period, 240 // period, window, 8
        )

    for nested in ([(4, 1), (12, 5), (60, 13)], [(2, 1), (6, 3)], [(5, 2), (5, 4), (20, 3)]):
        open_cycles = {
            cycle for period, window in nested for cycle in range(240) if cycle % period < window
        }
        assert union_of_windows([transfer(*one) for one in nested]) == len(open_cycles)


REFUSED = [
    (
        {"temporal": [("k", 4), ("m", 4), ("n", 2)]},
        "mapping: n runs for 2 steps in time; expected 3, as 2 of its 6 steps are spread",
    ),
    ({"temporal": [("q", 4)]}, "the nest has no dimension 'q'; it has m, n, k"),
    ({"spatial": {"rows": [("k", 8)], "columns": [("n", 2)]},
      "temporal": [("m", 4), ("n", 3)]},
     "8 units along axis 'rows'; the array has 2"),
    (
        {"cuts": {"input": [2], "weight": [4], "output": [2]}},
        r"the loops of the weight are cut at \(4,\); expected 1 places from 0 to 3",
    ),
    (
        {"cuts": {"input": [2], "weight": [1], "output": []}},
        "the loops of the output are cut at .*; expected 1 places",
    ),
    (
        {"cuts": {"input": [2], "weight": [3], "output": [2]}},
        "memory 'register' holds 64 bits; its tiles take 96, 32 more: weight 96",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_a_mapping_that_is_none_is_refused_with_the_reason(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CostModelError, match=message):
        count(PRODUCT, ARRAY, evolve(MAPPING, **change))


def test_a_way_without_a_port_is_refused() -> None:
    uses = [Use("output", "write_from_below"), Use("input", "read_to_below"),
            Use("input", "write_from_above"), Use("output", "read_to_above")]  # fmt: skip
    buffer = evolve(ARRAY.levels[1], ports=[Port("port", 16, uses)])
    array = evolve(ARRAY, levels=[ARRAY.levels[0], buffer, ARRAY.levels[2]])
    with pytest.raises(CostModelError, match="there is none at 'buffer' for read_to_below"):
        count(PRODUCT, array, MAPPING)


def test_what_zigzag_has_no_rule_for_is_refused() -> None:
    with pytest.raises(CostModelError, match="a MAC takes 2 cycles"):
        count(PRODUCT, evolve(ARRAY, cycles_per_mac=2), MAPPING)
    scattered = evolve(PRODUCT.output, index=(Affine.of("m"), Affine.of("2n + k")))
    with pytest.raises(CostModelError, match=r"axis 1 of the output has the index 2n \+ k"):
        count(evolve(PRODUCT, output=scattered), ARRAY, MAPPING)


def test_the_first_difference_says_where_and_what_it_is_made_of() -> None:
    file = {"accelerators": FILE["accelerators"], "cases": copy.deepcopy(FILE["cases"][:1])}
    best = file["cases"][0]["best"]["energy"]
    best["stall_cycles"] += 7
    best["operands"]["output"][0]["word_accesses"]["read_to_above"] += 1
    different = [str(one) for one in check(file) if one.differences]
    assert different == [
        (
            "tpu_like stall_cycles: 5 of 6; first: tpu_like/resnet18_conv3a/lpf6, best energy has "
            "0, expected 7 (of the port that is late the most)"
        ),
        (
            "tpu_like word_accesses: 167 of 168; first: tpu_like/resnet18_conv3a/lpf6, best "
            "energy, output in rf_2B, read_to_above has 3211264, expected 3211265 "
            "(words of an operand that a memory reads or writes)"
        ),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda case: case.pop("layer"), "case 0: KeyError: 'layer'; expected the form of"),
        (lambda case: case.update(accelerator="none"), "case 0: KeyError: 'none'"),
        (lambda case: case["layer"].update(channels="x"), "case 0: ValueError: invalid literal"),
    ],
)
def test_a_file_of_another_form_is_an_error_that_names_the_case(change: Any, message: str) -> None:
    case = copy.deepcopy(FILE["cases"][0])
    change(case)
    with pytest.raises(CostModelError, match=message):
        check({"accelerators": FILE["accelerators"], "cases": [case]})


def test_the_checker_prints_agreement_and_answers_with_its_status(tmp_path: Path) -> None:
    small = {"accelerators": FILE["accelerators"], "cases": FILE["cases"][:1]}
    file = tmp_path / "small.json"
    file.write_text(json.dumps(small))
    command = [sys.executable, "-m", "costmodel_hardware.spatial.check", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "tpu_like energy_pj: 6 of 6" in done.stdout.splitlines()


def test_loops_that_change_nothing_of_an_operand_may_stand_on_either_side_of_its_cut() -> None:
    """Directly outside of a tile, they leave it in place."""
    case = next(one for one in FILE["cases"] if one["id"] == "tpu_like/resnet18_conv3a/lpf6")
    accelerator = accelerator_of(FILE["accelerators"]["tpu_like"])
    nest = nest_of_layer(case["layer"])
    mapping = mapping_of(accelerator, nest, case["best"]["energy"])
    assert mapping.temporal[3].dim == "OY"  # irrelevant to weights, as OX behind it
    cuts = dict(mapping.cuts)
    (whole,) = cuts["weight"]
    assert whole == 6
    moved = [evolve(mapping, cuts={**cuts, "weight": (cut,)}) for cut in (3, 4, 5)]
    first, *others = [count(nest, accelerator.architecture, one) for one in moved]
    assert [one == first for one in others] == [True, True]
