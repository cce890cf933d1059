"""A rule that fails on a batch: the error comes at once, and names the rule and the operator."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, ClassVar, Final

import numpy as np
import pytest
from attrs import frozen

from costmodel import Device, Operator, Scenario, Unpriced, activation
from costmodel.devices import Charge, Cost, Evidence, Factor, Parameter, handles, parameter
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.errors import CostModelError, OneSizeNeededError, PluginError, ScenarioError
from costmodel.tensor.sizes import SizeArray, always
from costmodel.workload.operators import Activation, Contraction

COUNT: Final = 20_000
SIZES: Final = np.random.default_rng(0).permutation(COUNT) + 1
"""Every size from 1 to 20,000, in some order."""
BY_HALVES: Final = 20
"""More calls than it takes to find one operator of 20,000 by halves."""
ENERGY: Final = Parameter("energy", 1e-12, "J", "a test", Evidence.ASSUMED)
TABLE: Final[dict[Any, Any]] = {"fifo": 3, int: 2}


@frozen
class Counting(Device):
    """Prices a contraction by a given function of its size, and counts the calls."""

    family: ClassVar = "counting"
    resources: ClassVar = ("chip",)

    calculate: Callable[[Any], Any]
    calls: list[Any]
    energy: Parameter = parameter("J")

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Any:
        return self.answer(operator.dims["m"])

    @handles(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Any:
        return self.answer(operator.dims["d0"])

    def answer(self, size: Any) -> Any:
        self.calls.append(size)
        found = self.calculate(size)
        if isinstance(found, Cost | Unpriced) or found is None:
            return found
        return Cost([Charge("chip", "compute", [Factor("things", found)], self.energy)])


@frozen
class CountingOneByOne(Counting):
    @handles(Contraction, batched=False)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Any:
        return self.answer(operator.dims["m"])


def counting(calculate: Callable[[Any], Any], family: type[Counting] = Counting) -> Any:
    return family("counting", calculate, [], energy=ENERGY)


def batch(sizes: Any = SIZES) -> OperatorBatch:
    return OperatorBatch(Contraction(dims={"m": SizeArray(sizes)}))


# ------------------------------------------------------------------ faults of every operator


def look_up(_: Any) -> Any:
    return TABLE["lifo"]


def endless(size: Any) -> Any:
    return endless(size)


def refuse(size: Any) -> Any:
    message = "the vendor does not say"
    raise ScenarioError(message)


EVERY: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "an unknown key": (lambda size: size * TABLE["lifo"], "KeyError: 'lifo'"),
    "a size that is not a key": (lambda size: TABLE[int(size)], r"KeyError: \d+"),
    "a wrong type": (lambda size: size + "1", "TypeError: "),
    "an unknown attribute": (lambda size: size.queue, "AttributeError: "),
    "an index too far": (lambda size: [size].pop(3), "IndexError: "),
    "a division by zero": (lambda size: size // (size - size), "ZeroDivisionError: "),
    "zero to a negative power": (lambda size: (size - size) ** -1, "ZeroDivisionError: "),
    "a wrong value": ([-1].index, "ValueError: "),
    "an endless recursion": (endless, "RecursionError: "),
}
"""What a rule may do wrong whatever the size, and what the message says of it."""


@pytest.mark.parametrize(("calculate", "said"), EVERY.values(), ids=EVERY.keys())
def test_a_fault_of_every_operator_is_raised_at_the_second_call_and_names_the_rule(
    calculate: Callable[[Any], Any], said: str
) -> None:
    device = counting(calculate)
    with pytest.raises(PluginError) as caught:
        device.price(batch())
    where = "device class 'Counting', rule 'contraction', row 0 of 20,000"
    assert re.match(f"{where}: {said}", str(caught.value))
    assert re.search(r"test_batch_faults\.py, line \d+\)$", str(caught.value))
    assert caught.value.__cause__ is not None
    assert len(device.calls) == 2


@pytest.mark.parametrize(
    ("calculate", "said"),
    [
        (refuse, "the vendor does not say"),
        (lambda _: None, "is a `return` missing"),
        (lambda size: -size, "the product is -.*; expected 0 or more"),
        (lambda size: 2.0 ** (size * 0 + 5000), "larger than a number can be"),
    ],
    ids=["a refusal", "no answer", "less than nothing", "more than a number"],
)
def test_an_error_for_users_keeps_its_type_and_notes_the_rule_and_the_operator(
    calculate: Callable[[Any], Any], said: str
) -> None:
    device = counting(calculate)
    with pytest.raises(CostModelError, match=said) as caught:
        device.price(batch())
    note = "device class 'Counting', rule 'contraction', row 0 of 20,000"
    assert caught.value.__notes__ == [note]
    assert len(device.calls) == 2


def test_a_fault_in_a_part_names_the_operator_that_has_no_rule() -> None:
    @frozen(kw_only=True)
    class Twice(Operator):
        size: int

        def decompose(self) -> list[Operator]:
            return [Contraction(dims={"m": self.size})] * 2

    device = counting(look_up)
    with pytest.raises(PluginError) as caught:
        device.price(OperatorBatch(Twice(size=SizeArray(range(1, 50)))))
    where = "device class 'Counting', parts of 'Twice', row 0 of 49"
    assert str(caught.value).startswith(f"{where}: KeyError: 'lifo', in ")


def test_a_fault_in_a_list_names_the_operator() -> None:
    device = counting(lambda size: 6 // (3 - size))
    operators = [Contraction(dims={"m": size}) for size in (1, 2, 3, 4)]
    with pytest.raises(PluginError, match=r"rule 'contraction', row 2 of 4: ZeroDivision"):
        device.price(operators)
    assert len(device.calls) == 3


# ------------------------------------------------------------------ faults of one operator

ODD: Final = 15_000
"""A size that is one of 20,000."""

ONE: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "a division by zero": (lambda size: 6 / abs(size - ODD), "ZeroDivisionError: "),
    "a remainder of zero": (lambda size: 6 % abs(size - ODD), "ZeroDivisionError: "),
    "a negative power of zero": (lambda size: abs(size - ODD) ** -1, "ZeroDivisionError: "),
    "a size below zero": (
        lambda size: Contraction(dims={"n": abs(size - ODD) - 1}).macs,
        "ValueError: dimension 'n' has size -1; expected 0 or more",
    ),
    "a key of an odd one": (
        lambda size: size * TABLE["fifo" if size != ODD else "lifo"],
        "KeyError: 'lifo'",
    ),
    "a check of all": (
        lambda size: size if always(size != ODD) else TABLE["lifo"],
        "KeyError: 'lifo'",
    ),
}
"""What a rule may do wrong for one size."""


@pytest.mark.parametrize(("calculate", "said"), ONE.values(), ids=ONE.keys())
def test_a_fault_of_one_operator_among_thousands_is_found_by_halves(
    calculate: Callable[[Any], Any], said: str
) -> None:
    device = counting(calculate)
    with pytest.raises(PluginError) as caught:
        device.price(batch())
    (row,) = np.flatnonzero(SIZES == ODD)
    where = f"device class 'Counting', rule 'contraction', row {row:,} of 20,000: {said}"
    assert str(caught.value).startswith(where)
    assert len(device.calls) <= BY_HALVES


def test_an_error_for_users_about_one_operator_notes_which() -> None:
    device = counting(lambda size: size - 1)
    with pytest.raises(ScenarioError, match=r"things: the product is -1\.0; exp") as caught:
        device.price(batch(np.where(SIZES == ODD, 0, SIZES)))
    (row,) = np.flatnonzero(SIZES == ODD)
    (note,) = caught.value.__notes__
    assert note.endswith(f"row {row:,} of 20,000")
    assert len(device.calls) <= BY_HALVES


# ------------------------------------------------------------------ faults of many alone

MANY: Final[dict[str, Callable[[Any], Any]]] = {
    "a table by the type of a size": lambda size: TABLE[type(size)],
    "a key of a table": lambda size: TABLE.get(size, 5),
    "a function that remembers": functools.cache(lambda size: size + 1),
    "a text for another program": lambda size: len(json.dumps({"size": size})),
    "bits": lambda size: size & 7,
    "a function of NumPy": np.log2,
    "an array": lambda size: np.array([size, size]).sum(),
    "an array of its own": lambda size: np.asarray(size).sum(),
}
"""What can be done with one size, and not with many."""


@pytest.mark.parametrize("calculate", MANY.values(), ids=MANY.keys())
def test_a_rule_that_takes_one_size_alone_says_so_and_is_not_asked_again_in_silence(
    calculate: Callable[[Any], Any],
) -> None:
    device = counting(calculate)
    with pytest.raises(OneSizeNeededError) as caught:
        device.price(batch())
    text = str(caught.value)
    assert text.startswith("device class 'Counting', rule 'contraction': one size is needed")
    assert "batched=False" in text
    assert "device.price(list(batch))" in text
    assert re.search(r"test_batch_faults\.py, line \d+\)", text)
    assert len(device.calls) <= BY_HALVES


@pytest.mark.parametrize("calculate", MANY.values(), ids=MANY.keys())
def test_a_rule_that_is_declared_to_take_one_operator_prices_a_batch_one_by_one(
    calculate: Callable[[Any], Any],
) -> None:
    device, sizes = counting(calculate, CountingOneByOne), range(1, 101)
    energies = device.price(batch(sizes)).energy_joules
    alone = [device.price(Contraction(dims={"m": size})).energy_joules for size in sizes]
    assert list(energies) == alone
    assert {type(size) for size in device.calls} == {int}
    assert len(device.calls) == 1 + 100 + 100


@pytest.mark.parametrize("calculate", MANY.values(), ids=MANY.keys())
def test_a_rule_may_take_one_size_by_asking_for_its_integer(
    calculate: Callable[[Any], Any],
) -> None:
    device, sizes = counting(lambda size: calculate(int(size))), [3, 5] * 20
    energies = device.price(batch(sizes)).energy_joules
    assert len(device.calls) == 2
    alone = [device.price(Contraction(dims={"m": size})).energy_joules for size in sizes]
    assert list(energies) == alone


@pytest.mark.parametrize("calculate", MANY.values(), ids=MANY.keys())
def test_a_list_is_priced_by_any_rule(calculate: Callable[[Any], Any]) -> None:
    device = counting(calculate)
    energies = device.price(list(batch(range(1, 101)))).energy_joules
    assert len(energies) == len(device.calls) == 100


def test_a_rule_cannot_take_the_sizes_of_other_operators_for_items_of_one() -> None:
    for calculate in (sum, list, lambda size: 3 in size, lambda size: [*size]):
        device = counting(calculate)
        with pytest.raises(PluginError, match="row 0 of 9: TypeError: "):
            device.price(batch(range(1, 10)))


def test_a_fault_of_a_rule_that_takes_one_operator_comes_at_the_first_call() -> None:
    device = counting(look_up, CountingOneByOne)
    with pytest.raises(PluginError, match="rule 'contraction', row 0 of 20,000: KeyError"):
        device.price(batch())
    assert len(device.calls) == 2


def test_a_list_may_not_hold_an_operator_of_many_sizes() -> None:
    with pytest.raises(OneSizeNeededError, match=r"in an operator of a list.*price\(OperatorB"):
        counting(lambda size: size).price([Contraction(dims={"m": SizeArray([1, 2])})])


# ------------------------------------------------------------------ how often a rule is called

CALLS: Final[dict[str, tuple[Callable[[Any], Any], int]]] = {
    "arithmetic": (lambda size: 3 * size + 1, 1),
    "a comparison": (lambda size: max(size, 64), 2),
    "a guarded division": (lambda size: 6 / (size - ODD) if size > ODD else 1, 2),
    "digits": (lambda size: size.bit_length(), 15),
    "a remainder": (lambda size: int(size % 5) + 1, 5),
    "a choice of two": (lambda size: min(size, 500) + max(size, 900), 3),
}
"""Rules, and how many answers the sizes from 1 to 20,000 give to what they ask."""


@pytest.mark.parametrize(("calculate", "answers"), CALLS.values(), ids=CALLS.keys())
def test_a_rule_is_called_once_for_each_row_of_different_answers(
    calculate: Callable[[Any], Any], answers: int
) -> None:
    device = counting(calculate)
    energies = device.price(batch(SIZES)).energy_joules
    few = {"digits": 11}  # of 1 to 7, fewer than are priced together
    assert len(device.calls) <= answers + few.get("digits", 0)
    expected = [device.price(operator).energy_joules for operator in list(batch())[:500]]
    np.testing.assert_allclose(energies[:500], expected, rtol=1e-12)


def test_sizes_of_operators_that_wait_for_their_call_do_no_harm() -> None:
    """They still stand in the arrays, where they would be refused."""

    def guarded(size: Any) -> Any:
        if size > 10:
            return Contraction(dims={"n": size - 11}).macs + 7 / (size - 10)
        return abs(size - 10) ** 0.5 + Contraction(dims={"n": 10 - size}).macs

    device, sizes = counting(guarded), range(21)
    energies = device.price(batch(sizes)).energy_joules
    assert len(device.calls) == 2
    alone = [device.price(Contraction(dims={"m": size})).energy_joules for size in sizes]
    np.testing.assert_allclose(energies, alone, rtol=1e-12)


@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}", "{:,}", "{:>8}"])
@pytest.mark.parametrize("of", [lambda size: size, lambda size: size / 2, lambda size: size // 2])
def test_a_reason_may_name_a_size_of_each_operator(form: str, of: Callable[[Any], Any]) -> None:
    device = counting(lambda size: Unpriced(f"no room for {form.format(of(size))}"))
    sizes = [2000, 1, 2000, 3, 4, 5, 6, 7, 8, 9]
    unpriced = device.price(batch(sizes)).unpriced
    expected: dict[str, list[int]] = {}
    for row, size in enumerate(sizes):
        expected.setdefault(f"no room for {form.format(of(size))}", []).append(row)
    assert {reason: list(rows) for reason, rows in unpriced.items()} == expected


def test_a_batch_within_a_rule_has_a_call_of_its_own() -> None:
    inner = counting(lambda size: max(size, 30))

    def nested(size: Any) -> Any:
        found = inner.price(batch(range(1, 61))).energy_joules.sum()
        return max(size, 20) + found

    device, sizes = counting(nested), range(1, 61)
    energies = device.price(batch(sizes)).energy_joules
    alone = [device.price(Contraction(dims={"m": size})).energy_joules for size in sizes]
    np.testing.assert_allclose(energies, alone, rtol=1e-12)


def test_threads_have_calls_of_their_own() -> None:
    together = Barrier(2, timeout=30)

    def waiting(size: Any) -> Any:
        is_large = size > 30  # both threads have set rows aside before either goes on
        together.wait()
        return size * 2 if is_large else size

    device, sizes = counting(waiting), range(1, 61)
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(device.price, batch(sizes)) for _ in range(2)]
        energies = [task.result().energy_joules for task in tasks]
    due = [(2 * size if size > 30 else size) * 1e-12 for size in sizes]
    for found in energies:
        np.testing.assert_allclose(found, due, rtol=1e-12)


def test_an_activation_is_priced_by_its_own_rule() -> None:
    device = counting(lambda size: size)
    costs = device.price(OperatorBatch(activation("relu", (SizeArray([3, 4]),))))
    np.testing.assert_allclose(costs.energy_joules, [3e-12, 4e-12], rtol=1e-12)
