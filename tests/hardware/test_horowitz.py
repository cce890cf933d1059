"""Horowitz's figures, the laws between them, and where tensors lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY

from costmodel import Free, Operator, Scenario, elementwise, embedding, matmul
from costmodel import (
    formats as arithmetic,
)
from costmodel.devices import Cost
from costmodel.errors import CostModelError, DeviceFileError, UnknownNameError
from costmodel.formats import Binary, FixedPoint, FloatingPoint, NumericFormat, PowerOfTwo, Ternary
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.builders import copy, read
from costmodel.workload.operators import Contraction
from costmodel_hardware.horowitz.interpolation import Curve

NAMES = ["horowitz-45nm", "horowitz-7nm"]
both = pytest.mark.parametrize("name", NAMES)
KILOBYTE = 8 * 1024


def chip(name: str = "horowitz-45nm", **settings: Any) -> Any:
    return REGISTRY.device(name, **settings)


def dense(weights: NumericFormat, values: NumericFormat, size: int = 16) -> Contraction:
    return matmul(
        Tensor((size,), values), Tensor((size, size), weights), output=Tensor((size,), values)
    )


def joules(device: Any, operator: Any, **conditions: Any) -> float:
    cost = device.price(operator, Scenario(**conditions))
    assert isinstance(cost, Cost)
    return cost.energy_joules


def sram(device: Any, bits: float) -> float:
    return float(device.sram_access(bits).value)


@pytest.mark.parametrize(
    ("kilobytes", "picojoules"), [(8, 10), (32, 20), (1024, 100)], ids=["8 KB", "32 KB", "1 MB"]
)
def test_an_sram_costs_what_was_published_for_it(kilobytes: int, picojoules: float) -> None:
    assert sram(chip(), kilobytes * KILOBYTE) == near(picojoules * 1e-12, rel=1e-12)


@both
@given(bits=st.integers(1, 2**45))
def test_no_sram_access_costs_more_than_one_of_dram(name: str, bits: int) -> None:
    assert sram(chip(name), bits) <= chip(name).energy_per_dram_access.value


@both
@given(bits=st.integers(1, 2**40), more=st.integers(1, 2**40))
def test_a_larger_sram_never_costs_less(name: str, bits: int, more: int) -> None:
    assert sram(chip(name), bits + more) >= sram(chip(name), bits) * (1 - 1e-12)


@both
@given(a=st.integers(1, 40), b=st.integers(1, 40), more=st.integers(1, 24))
def test_a_wider_operand_never_costs_less(name: str, a: int, b: int, more: int) -> None:
    narrow = joules(chip(name), dense(FixedPoint(a), FixedPoint(b)))
    assert joules(chip(name), dense(FixedPoint(a + more), FixedPoint(b))) >= narrow * (1 - 1e-12)


@both
@given(value=st.integers(2, 32))
def test_fewer_values_of_a_weight_never_cost_more(name: str, value: int) -> None:
    device = chip(name, weights_on_memory="fixed", activations_on_memory="fixed")
    weights = (Binary(zero_one=True), Binary(), Ternary(), FixedPoint(2))
    costs = [joules(device, dense(weight, FixedPoint(value))) for weight in weights]
    assert costs == near(sorted(costs), rel=1e-12)


def test_a_multiplier_and_an_adder_cost_what_was_published_for_them() -> None:
    wired = chip(weights_on_memory="fixed", activations_on_memory="fixed")
    assert joules(wired, dense(FloatingPoint(32), FloatingPoint(32), size=1)) == near(
        (3.7 + 0.9) * 1e-12
    )


def test_dram_costs_its_accesses_and_the_staging_in_sram() -> None:
    tensors = dense(FixedPoint(8), FixedPoint(8), size=64)
    bare = chip(rd_wr_on_io=False).price(tensors).energy_joules_by_role
    assert bare["weight"] == near(64 * 64 * 8 / 64 * 1300e-12)
    staged = chip(rd_wr_on_io=True).price(tensors).energy_joules_by_role
    assert staged["weight"] == near(bare["weight"] + 64 * 64 * 8 / 64 * 20e-12)
    inside = chip(weights_on_memory="sram", min_sram_size=2**18).price(tensors)
    assert staged["weight"] - bare["weight"] == near(inside.energy_joules_by_role["weight"])


@pytest.mark.parametrize("size", [1, 64, 4096])
def test_the_sram_that_stages_a_tensor_has_one_size_for_all(size: int) -> None:
    tensors = dense(FixedPoint(8), FixedPoint(8), size=size)
    for kib, joules_per_access in ((8, 10e-12), (32, 20e-12), (1024, 100e-12)):
        device = chip(staging_sram=f"{kib} KiB")
        by_resource = device.price(tensors).energy_joules_by_resource
        accesses = by_resource["dram"] / 1300e-12
        assert by_resource["sram"] == near(accesses * joules_per_access)


def test_each_energy_is_that_of_the_resource_that_it_is_spent_in() -> None:
    """A tensor in DRAM costs energy in DRAM, and in the SRAM that stages it."""
    product = dense(FixedPoint(8), FixedPoint(8), size=64)
    staged, bare, inside = (
        chip(**settings).price(product).energy_joules_by_resource
        for settings in (
            {"rd_wr_on_io": True},
            {"rd_wr_on_io": False},
            {
                "weights_on_memory": "sram",
                "activations_on_memory": "sram",
                "min_sram_size": 2**18,
            },
        )
    )
    accesses = (64 * 64 + 64 + 64) * 8 / 64
    assert staged["dram"] == bare["dram"] == near(accesses * 1300e-12)
    assert staged["sram"] == near(inside["sram"], rel=1e-12)
    assert "sram" not in bare
    assert "dram" not in inside
    assert staged["multipliers"] == near(64 * 64 * 0.2e-12)
    assert list(staged) == ["dram", "sram", "multipliers", "adders"]


@pytest.mark.parametrize(
    ("operator", "resource"),
    [
        (elementwise("select", Tensor((8,), FixedPoint(8))), "multiplexers"),
        (elementwise("logic", Tensor((8,), FixedPoint(8))), "gates"),
        (elementwise("add", *[Tensor((8,), FixedPoint(8))] * 2), "adders"),
        (elementwise("multiply", *[Tensor((8,), FixedPoint(8))] * 2), "multipliers"),
        (elementwise("multiply", *[Tensor((8,), Binary())] * 2), "gates"),
    ],
)
def test_an_operation_spends_its_energy_in_the_circuit_that_carries_it_out(
    operator: Operator, resource: str
) -> None:
    wired = chip(weights_on_memory="fixed", activations_on_memory="fixed")
    assert set(wired.price(operator).energy_joules_by_resource) == {resource}


def test_rows_of_a_table_are_fetched_from_where_parameters_lie() -> None:
    rows = embedding((4,), (100, 16))
    beside = chip(weights_on_memory="dram", activations_on_memory="fixed").price(rows)
    assert isinstance(beside, Cost)
    assert set(beside.energy_joules_by_role) == {"weight"}
    everywhere = chip(weights_on_memory="dram").price(rows)
    assert everywhere.energy_joules_by_role["weight"] == beside.energy_joules


def test_charges_count_what_an_example_needs_whatever_the_batch() -> None:
    rows = read(Tensor((SizeArray([705, 192]),), Binary()), purpose="reshape")
    priced = chip().price(rows, Scenario(batch=2**53 - 1))
    assert isinstance(priced, Cost)
    counts = {charge.factors[0].value[place] for charge in priced.charges for place in (0, 1)}  # type: ignore[index]  # many
    assert counts == {12, 3}


def test_the_law_between_figures_needs_two() -> None:
    figure = chip().energy_per_dram_access
    with pytest.raises(ValueError, match="points"):
        Curve(((8.0, figure),), 1.0)


@given(bits=st.integers(1, 2**31))
def test_a_price_of_one_size_and_of_many_is_the_same(bits: int) -> None:
    device = chip()
    one, many = device.sram_access(bits), device.sram_access(SizeArray([bits, bits]))
    assert [figure for figure, _ in one.parts] == [figure for figure, _ in many.parts]
    for (_, weight), (_, weights) in zip(one.parts, many.parts, strict=True):
        # The last digits of a power differ between Python's and NumPy's.
        assert [*weights.values] == pytest.approx([weight] * 2, rel=1e-12, abs=0)  # type: ignore[attr-defined]  # many


def test_a_memory_is_never_smaller_than_the_least() -> None:
    assert chip(min_sram_size=2**18).sram_access(64) == chip().sram_access(2**18)
    assert chip(min_sram_size=2**18).sram_access(2**20) == chip().sram_access(2**20)
    assert chip(min_sram_size=2**31).sram_access(64) == chip().sram_access(2**30)


def test_fixed_tensors_cost_nothing_and_a_move_of_them_says_so() -> None:
    wired = chip(weights_on_memory="fixed", activations_on_memory="fixed")
    assert set(wired.price(dense(FixedPoint(8), FixedPoint(8))).energy_joules_by_role) == {
        "compute"
    }
    answer = wired.price(copy("test", (4,)))
    assert isinstance(answer, Free)


def test_a_small_tensor_in_a_large_memory_pays_for_the_memory() -> None:
    small = dense(FixedPoint(8), FixedPoint(8))
    ample = chip(weights_on_memory="sram", min_sram_size=1024 * KILOBYTE)
    accesses = 16 * 16 * 8 / 64
    assert ample.price(small).energy_joules_by_role["weight"] == near(accesses * 100e-12)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights_on_memory": "flash"}, "expected one of dram, sram, fixed"),
        ({"min_sram_size": -1}, "expected a number of bits"),
        ({"rd_wr_on_io": "perhaps"}, "expected true or false"),
        ({"energy_per_dram_access": "3 W"}, "expected a quantity in J"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: Any, words: str) -> None:
    with pytest.raises(CostModelError, match=words):
        chip(**settings)


def test_a_misspelt_setting_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="weights_on_memory"):
        chip(weight_on_memory="sram")


def test_a_file_with_a_wrong_setting_is_reported(tmp_path: Any) -> None:
    shipped = Path(REGISTRY.device("horowitz-45nm").file or "").read_text()
    file = tmp_path / "horowitz-45nm.yaml"
    file.write_text(shipped.replace("weights_on_memory: dram", "weights_on_memory: tape"))
    with pytest.raises(DeviceFileError, match=r"settings.weights_on_memory: expected one of dram"):
        REGISTRY.device(file)


def test_powers_of_two_shift() -> None:
    wired = chip(weights_on_memory="fixed", activations_on_memory="fixed")
    shifted = joules(wired, dense(PowerOfTwo(4), FixedPoint(8)))
    assert shifted < joules(wired, dense(FixedPoint(8), FixedPoint(8)))


def wired(**figures: Any) -> Any:
    return chip(weights_on_memory="fixed", activations_on_memory="fixed", **figures)


@pytest.mark.parametrize(
    ("weights", "values", "figure", "gates"),
    [
        (Binary(), FixedPoint(8), "cells_per_multiplexer", 1),
        (Ternary(), FixedPoint(8), "cells_per_multiplexer", 2),
        (Binary(zero_one=True), FixedPoint(8), "cells_per_and_gate", 1),
        (Binary(), Binary(), "cells_per_xor_gate", 1),
        (PowerOfTwo(4), FixedPoint(8), "cells_per_shifter", 1),
    ],
)
def test_the_size_of_a_gate_is_a_figure_of_the_file(
    weights: NumericFormat, values: NumericFormat, figure: str, gates: int
) -> None:
    work = dense(weights, values)
    none, one, three = (joules(wired(**{figure: size}), work) for size in ("0", "1", "3"))
    assert three - none == near(3 * (one - none))
    adder = wired().price_of(_product(work)).value
    assert one - none == near(work.macs * gates * adder)


def _product(work: Contraction) -> Any:
    left, right = (operand.tensor.format for operand in (*work.inputs, *work.weights))
    return arithmetic.product(right, left)


@pytest.mark.parametrize(
    ("figure", "work"),
    [
        ("adder_growth", dense(Binary(), FixedPoint(40))),
        ("multiplier_growth", dense(FixedPoint(40), FixedPoint(40))),
    ],
)
def test_how_an_energy_grows_with_the_width_is_a_figure_of_the_file(
    figure: str, work: Contraction
) -> None:
    less, more = (joules(wired(**{figure: exponent}), work) for exponent in ("1", "3"))
    assert less < more


def test_a_memory_grows_as_the_file_says_up_to_the_largest_bank() -> None:
    slow, fast = (chip(memory_growth=exponent) for exponent in ("0.25", "1"))
    assert sram(slow, 2**26) < sram(fast, 2**26)
    small = chip(largest_sram_bank="2 MiB")
    assert sram(small, 2**24) == sram(chip(), 2**24)
    assert sram(small, 2**40) == sram(small, 2**24)
    assert sram(chip(), 2**40) == sram(chip(), 2**30)
