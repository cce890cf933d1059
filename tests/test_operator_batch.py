"""Many operators at once: what is said of all is what is said of each."""

from __future__ import annotations

import copy as copying
import functools
import math
import operator as arithmetic
import pickle
import re
import runpy
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import pytest
from any_device import any_device
from attrs import field, frozen
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY, SHIPPED

from costmodel import (
    Device,
    Free,
    Operator,
    Scenario,
    Unpriced,
    activation,
    elementwise,
    embedding,
    matmul,
    reduce,
)
from costmodel.devices import Charge, Cost, Factor, Outcome, Parameter, handles, parameter
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.errors import OneSizeNeededError, ScenarioError, ShapeError
from costmodel.formats import parse_format
from costmodel.tensor.lockstep import lockstep
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray, always, clipped, larger, least, most, smaller, where
from costmodel.testing.strategies import scenarios
from costmodel.workload.builders import copy, fill, rearrange
from costmodel.workload.operators import (
    ELEMENTWISE,
    REDUCTIONS,
    Activation,
    Contraction,
    Counted,
    Gather,
    Movement,
    Reduction,
    unmapped,
)

SIDES: Final = st.integers(1, 6)
FORMATS: Final = st.sampled_from(
    [None, *map(parse_format, ["int8", "uint4", "float16", "po2<4>", "ternary", "binary"])]
)
SETTINGS: Final = ("dram", "sram", "fixed")
CHIPS: Final = {
    **{name: st.just(REGISTRY.device(name)) for name in SHIPPED},
    **{f"any {name}": any_device(family) for name, family in REGISTRY.device_families.items()},
    **{
        f"horowitz-45nm in {memory}": st.just(
            REGISTRY.device("horowitz-45nm", weights_on_memory=memory, activations_on_memory=memory)
        )
        for memory in SETTINGS
    },
}
every_chip = pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS.keys())


@st.composite
def rows(draw: st.DrawFn) -> Any:
    """Makers of sizes of one number of operators: few ones or many, small ones or any."""
    count = draw(st.integers(1, 5) | st.integers(8, 40))
    length = draw(st.sampled_from([SIDES, st.integers(1, 5000)]))
    return lambda: SizeArray(draw(st.lists(length, min_size=count, max_size=count)))


@st.composite
def contractions(draw: st.DrawFn) -> Operator:
    sizes = draw(rows())
    m, n, k = sizes(), sizes(), draw(st.sampled_from([sizes(), 7]))
    bias = Tensor((n,), draw(FORMATS)) if draw(st.booleans()) else None
    return matmul(
        Tensor((m, k), draw(FORMATS)),
        Tensor((k, n), draw(FORMATS)),
        bias=bias,
        output=Tensor((m, n), draw(FORMATS)),
    )


@st.composite
def elementwises(draw: st.DrawFn) -> Operator:
    sizes = draw(rows())
    tensor = Tensor((sizes(), 3), draw(FORMATS))
    steps = draw(st.sampled_from([sizes() - 1, 0, 1]))
    inputs = [tensor] * draw(st.integers(0, 3))
    function = draw(st.sampled_from(sorted(ELEMENTWISE)))
    return elementwise(function, *inputs, steps=steps, output=tensor)


@st.composite
def reductions(draw: st.DrawFn) -> Operator:
    sizes = draw(rows())
    length, window = sizes(), draw(st.sampled_from([sizes(), 1, 4]))
    formats = draw(FORMATS)
    function = draw(st.sampled_from(sorted(REDUCTIONS)))
    taken, given_out = Tensor((window, length), formats), Tensor((length,), formats)
    return reduce(function, taken, [0], output=given_out)


@st.composite
def others(draw: st.DrawFn) -> Operator:
    sizes = draw(rows())
    one, two = Tensor((sizes(),), draw(FORMATS)), Tensor((2, sizes()), draw(FORMATS))
    return draw(
        st.sampled_from(
            [
                Activation(
                    operands=[*unmapped("input", [one]), *unmapped("output", [two])],
                    function="relu",
                ),
                activation("relu", one, in_place=True),
                embedding(one, two),
                rearrange("transposition", [one], [two]),
            ]
        )
    )


def operator_batches() -> st.SearchStrategy[OperatorBatch]:
    kinds = [contractions(), elementwises(), reductions(), others()]
    return st.one_of(kinds).map(OperatorBatch)


SUMS: Final = ("energy_joules_by_resource", "energy_joules_by_role")


def close(found: Any, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-300)


def assert_alike(device: Device, many: OperatorBatch, scenario: Scenario) -> None:
    """What is said of many is what is said of each of them."""
    costs = device.price(many, scenario)
    assert len(costs) == len(many)
    sums = {name: getattr(costs, name) for name in SUMS}
    for row, operator in enumerate(many):
        one = device.price(operator, scenario)
        if isinstance(one, Cost):
            assert close(costs.energy_joules[row], one.energy_joules)
            assert close(costs.energy_joules_low[row], one.energy_joules_low)
            assert close(costs.energy_joules_high[row], one.energy_joules_high)
            for name, by_name in sums.items():
                found = {key: part[row] for key, part in by_name.items()}
                alone = getattr(one, name)
                for key in found.keys() | alone.keys():
                    assert close(found.get(key, 0.0), alone.get(key, 0.0))
            without = [*costs.free.values(), *costs.unpriced.values()]
            assert not any(row in rows for rows in without)
        elif isinstance(one, Free):
            assert row in costs.free[one.reason]
            assert costs.energy_joules[row] == 0
        else:
            assert row in costs.unpriced[one.reason]
            assert math.isnan(costs.energy_joules[row])


@every_chip
@given(data=st.data(), many=operator_batches(), scenario=scenarios())
def test_many_operators_cost_what_each_of_them_costs(
    chip: st.SearchStrategy[Device], data: st.DataObject, many: OperatorBatch, scenario: Scenario
) -> None:
    assert_alike(data.draw(chip), many, scenario)


@every_chip
@given(data=st.data(), many=operator_batches(), scenario=scenarios())
def test_counts_times_figures_prices_all_of_them_again(
    chip: st.SearchStrategy[Device], data: st.DataObject, many: OperatorBatch, scenario: Scenario
) -> None:
    device = data.draw(chip)
    energies = [item for item in sorted(device.parameters.items()) if item[1].unit == "J"]
    name, before = data.draw(st.sampled_from(energies))
    dearer = device.with_parameters(**{name: f"{3 * before.value!r} {before.unit}"})
    costs = device.price(many, scenario)
    figures = [dearer.parameters[one.name].value for *_, one in costs.lines]
    expected = dearer.price(many, scenario).energy_joules
    priced = ~np.isnan(expected)
    np.testing.assert_allclose((costs.counts @ figures)[priced], expected[priced], rtol=1e-12)


@every_chip
@given(data=st.data(), many=operator_batches(), scenario=scenarios())
def test_a_list_of_operators_costs_what_the_batch_costs(
    chip: st.SearchStrategy[Device], data: st.DataObject, many: OperatorBatch, scenario: Scenario
) -> None:
    device = data.draw(chip)
    together, listed = device.price(many, scenario), device.price(list(many), scenario)
    np.testing.assert_allclose(listed.energy_joules, together.energy_joules, rtol=1e-12)
    assert {reason: list(found) for reason, found in listed.free.items()} == {
        reason: list(found) for reason, found in together.free.items()
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipping_device_prices_a_batch_one_by_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule can be asked about many: none falls back to single prices."""
    monkeypatch.setattr("costmodel.devices.operator_batch.Pricing._alone", None)
    side = SizeArray(range(1, 4001))
    matrix, row = Tensor((side, 8)), Tensor((side,))
    for operator in (
        matmul(matrix, (8, side)),
        elementwise("add", row, row),
        reduce("mean", matrix, [-1]),
        activation("relu", row),
        embedding(row, matrix),
        copy("copy", row),
    ):
        many = OperatorBatch(operator)
        assert len(REGISTRY.device(name).price(many, Scenario(rates=1.0))) == len(many)


# ------------------------------------------------------------------ a third party's rules


@frozen
class Conditional(Device):
    """A device whose formulas were written with one operator in mind."""

    family: ClassVar[str] = "conditional"
    resources: ClassVar[tuple[str, ...]] = ("adders", "table", "wires")
    energy: Parameter = parameter("J")

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Outcome:
        if operator.reduction_size > 64:
            return Unpriced("the adder tree ends at 64")
        if not operator.macs:
            return Free("nothing to do")
        lanes = max(min(operator.macs, 1000) // 8, 1)
        rounds = math.ceil(operator.macs / lanes)
        charge = Charge("adders", "compute", [Factor("rounds", rounds)], self.energy)
        return Cost([charge], latency_seconds=rounds * 1e-9)

    @handles(Reduction)
    def reduction(self, operator: Reduction, scenario: Scenario) -> Outcome:
        depth = math.log2(operator.window) if operator.window > 3 else 1.5
        charges = [
            Charge("adders", "compute", [Factor("level", depth)], self.energy)
            for _ in range(operator.window % 5)
        ]
        return Cost(charges) if charges else Free(f"{operator.window} in a row need no adder")

    @handles(Gather, batched=False)
    def lookup(self, operator: Gather, scenario: Scenario) -> Outcome:
        rows = [Factor("rows", _slow(operator.elements))]
        return Cost([Charge("table", "input", rows, self.energy)])

    @handles(Movement)
    def movement(self, operator: Movement, scenario: Scenario) -> Outcome:
        if operator.elements == 13:
            message = "thirteen elements bring bad luck"
            raise ScenarioError(message)
        figure = Parameter("fee", operator.elements * 1e-12, "J", "here", self.energy.evidence)
        return Cost([Charge("wires", "output", [Factor("moves", 1)], figure)])


@functools.cache
def _slow(size: int) -> int:
    return size + 1


@frozen(kw_only=True)
class Attention(Operator):
    """A third party's operator, which says what it is made of."""

    tokens: int
    heads: tuple[int, ...] = field(default=(4,))

    def decompose(self) -> list[Operator]:
        t = self.tokens
        scores = matmul((t, 8), (8, t), right_role="input")
        return [scores, reduce("max", scores.outputs[0], [-1])]


ODD: Final = Conditional(
    "odd", energy=Parameter("energy", 2e-12, "J", "drawn", "assumed", low=1e-12, high=4e-12)
)


@given(many=st.one_of(contractions(), reductions(), others()).map(OperatorBatch))
def test_a_formula_for_one_operator_prices_many_whatever_it_asks(many: OperatorBatch) -> None:
    if isinstance(many.operator, Activation):
        assert len(ODD.price(many).unpriced) == 1
    assert_alike(ODD, many, Scenario())


@pytest.mark.parametrize("device", [ODD, REGISTRY.device("horowitz-45nm")], ids=["odd", "table"])
def test_an_operator_without_a_rule_is_priced_by_its_parts(device: Device) -> None:
    assert_alike(device, OperatorBatch(Attention(tokens=SizeArray(range(1, 100)))), Scenario())


def test_a_batch_of_which_some_has_no_price_says_which() -> None:
    k = SizeArray(range(1, 129))
    many = OperatorBatch(matmul((k,), (k,)))
    costs = ODD.price(many)
    assert list(costs.unpriced["the adder tree ends at 64"]) == list(range(64, 128))
    assert np.isnan(costs.energy_joules[64:]).all()
    assert np.isnan(costs.counts[64:]).all()
    assert np.isfinite(costs.energy_joules[:64]).all()
    text = "128 operators: 2 pJ to 30 pJ\n  64 unpriced: the adder tree ends at 64"
    assert str(costs) == text


def test_the_time_of_each_operator_is_known_where_the_device_says_it() -> None:
    k = SizeArray(range(60, 70))
    many = OperatorBatch(matmul((k,), (k,)))
    seconds = ODD.price(many).latency_seconds
    assert seconds is not None
    for row, operator in enumerate(many):
        one = ODD.price(operator)
        known = one.latency_seconds if isinstance(one, Cost) else math.nan
        assert seconds[row] == pytest.approx(known, rel=1e-9, abs=0, nan_ok=True)
    assert REGISTRY.device("cpu").price(many).latency_seconds is None


def test_the_times_of_parts_are_added_for_a_whole_batch_at_once() -> None:
    asked = []

    @frozen(kw_only=True)
    class Twice(Operator):
        product: Contraction

        def decompose(self) -> list[Operator]:
            return [self.product, self.product]

    @frozen
    class Timed(Conditional):
        @handles(Contraction)
        def contraction(self, operator: Contraction, scenario: Scenario) -> Outcome:
            asked.append(operator)
            charge = Charge("adders", "compute", (Factor("rounds", operator.macs),), self.energy)
            return Cost([charge], latency_seconds=operator.macs * 1e-9)

    product = Contraction(dims={"k": SizeArray(range(1, 100))})
    costs = Timed("timed", energy=ODD.energy).price(OperatorBatch(Twice(product=product)))
    sizes = np.arange(1.0, 100.0)
    np.testing.assert_allclose(costs.latency_seconds, 2e-9 * sizes, rtol=1e-12)
    np.testing.assert_allclose(costs.energy_joules, 4e-12 * sizes, rtol=1e-12)
    assert len(asked) == 2


def test_the_error_of_one_operator_names_it() -> None:
    many = OperatorBatch(fill((SizeArray(range(1, 50)),), purpose="none"))
    with pytest.raises(ScenarioError, match="bad luck") as caught:
        ODD.price(many)
    (note,) = caught.value.__notes__
    assert note == "device class 'Conditional', rule 'movement', row 12 of 49"


def test_a_missing_condition_is_reported_of_many_as_of_one() -> None:
    k = SizeArray(range(1, 50))
    many = OperatorBatch(Contraction(dims={"k": k}))
    with pytest.raises(ScenarioError, match="needs the firing rate"):
        REGISTRY.device("loihi").price(many)


def test_counts_beyond_any_number_are_refused_as_of_one() -> None:
    huge = SizeArray([2**53] * 20)
    many = OperatorBatch(Contraction(dims=dict.fromkeys("abcdefghijklmnopqrst", huge)))
    with pytest.raises(ScenarioError, match="larger than a number can be"):
        REGISTRY.device("cpu").price(many)


@pytest.mark.parametrize("given", [7, None, "ab", ["ab"], [Tensor((1,))], {"a": 1}], ids=repr)
def test_only_operators_have_a_price(given: Any) -> None:
    with pytest.raises(TypeError, match="expected an operator, or several, found"):
        ODD.price(given)


def test_no_operators_cost_nothing() -> None:
    costs = ODD.price([])
    assert len(costs) == len(costs.energy_joules) == 0
    assert str(costs) == "0 operators: no price"


# ------------------------------------------------------------------ batches and sizes


def test_the_operators_of_a_batch_are_ordinary_ones_by_their_place() -> None:
    m, k = SizeArray([2, 3, 5]), SizeArray(np.array([7, 11, 13]))
    many = OperatorBatch(matmul((m, k), (k, 4)))
    assert many[1] == matmul((3, 11), (11, 4))
    assert many[-1] == many[2] == list(many)[2]
    assert list(many[1:]) == [many[1], many[2]]
    assert [operator.macs for operator in many] == [56, 132, 260]
    with pytest.raises(IndexError, match="3"):
        many[3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SizeArray([]), "at least one"),
        (lambda: SizeArray([1.5]), "row of whole numbers"),
        (lambda: SizeArray([[1, 2]]), "row of whole numbers"),
        (lambda: SizeArray([True]), "row of whole numbers"),
        (lambda: SizeArray(["a"]), "row of whole numbers"),
        (lambda: SizeArray([-1, 3]), "range from -1 to 3; expected 0 to"),
        (lambda: SizeArray([2**53 + 1]), "expected 0 to 9,007,199,254,740,992"),
        (
            lambda: OperatorBatch(Movement(purpose="none")),
            "expected a SizeArray in the operator, found none",
        ),
        (
            lambda: OperatorBatch(fill((SizeArray([1]), SizeArray([1, 2])))),
            "found 1 and 2",
        ),
        (
            lambda: OperatorBatch(fill((SizeArray([3, 4]) / 2,))),
            r"whole numbers as sizes of an operator, found SizeArray\(\[1.5, 2\]\)",
        ),
        (
            lambda: Tensor((SizeArray([0, 1]),)),
            r"SizeArray\(\[0, 1\]\) in shape .* is not an axis length",
        ),
        (lambda: Tensor((2.0,)), "is not an axis length"),
        (
            lambda: Counted(operation="add", count=1, sum_length=SizeArray([0, 2])),
            "expected 1 or more",
        ),
        (lambda: Contraction(dims={"a": SizeArray([1]) - 2}), "expected 0 or more"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises((ValueError, ShapeError), match=message):
        make()


@pytest.mark.parametrize("given", [7, [], [matmul((2,), (2,))], SizeArray([1, 2])], ids=repr)
def test_a_batch_is_made_of_one_operator(given: Any) -> None:
    with pytest.raises(TypeError, match="expected one operator, with a SizeArray"):
        OperatorBatch(given)


def test_an_operator_of_many_sizes_says_how_it_is_priced() -> None:
    k = SizeArray([1, 100])
    with pytest.raises(OneSizeNeededError, match=r"device.price\(OperatorBatch\(operator\)\)"):
        ODD.price(matmul((k,), (k,)))


def test_the_array_that_made_sizes_may_change_afterwards() -> None:
    array = np.array([1, 2])
    sizes = SizeArray(array)
    array[:] = 9
    assert repr(sizes) == "SizeArray([1, 2])"
    with pytest.raises(ValueError, match="read-only"):
        sizes.values[0] = 7


WHOLE = st.integers(1, 2**20)
FORMULAS: Final[dict[str, Any]] = {
    "sum": lambda a, b: a + b + 1,
    "difference": lambda a, b: 5 - (a - b) - 2,
    "product": lambda a, b: 2 * a * b,
    "quotients": lambda a, b: (a / b, 7 / a, a // b, 9 // b, a % b, 100 % b),
    "quotients with remainders": lambda a, b: (*divmod(a, b), *divmod(a, 7), *divmod(9, b)),
    "powers": lambda a, b: (a**2, a**0.5, b**-1, 2 ** (b % 9)),
    "sign": lambda a, b: (-a, +b, abs(a - b)),
    "rounding": lambda a, b: (
        math.ceil(a / b),
        math.floor(a / b),
        math.trunc(-a / b),
        round(a / b),
    ),
    "tiles": lambda a, b: -(-a // b),
    "choices": lambda a, b: (max(a, b), min(a, 7), a if a > b else 0, b if a <= 9 else a),
    "equality": lambda a, b: (1 if a == b else 2, 3 if a != b else 4, a == None, a in (b, 5)),  # noqa: E711
    "digits": lambda a, b: (a.bit_length(), (b - 1).bit_length()),
    "bounds": lambda a, b: (larger(a, b), smaller(3, b), clipped(a, 2, 9), larger(a, 2)),
    "bounds of sizes": lambda a, b: (clipped(5, smaller(a, b), larger(a, b)), clipped(a, 2, b + 2)),
    "choices for each": lambda a, b: (where(a > b, a, 2 * b), where(b == 1, 7, a), where(a, 1, 2)),
    "a choice of one": lambda a, b: (where(1 > 2, a, b), where(2 > 1, a, b)),  # noqa: PLR0133  # of one number it is what it is
    "guards": lambda a, b: (
        a / (b - 3) if b != 3 else 0,
        Contraction(dims={"m": a - 4}).macs if a > 4 else 0,
        7 // (a - 1) if a > 1 and b > 1 else -1,
    ),
    "loops": lambda a, b: (sum(range(a % 7)), [step for step in (1, 2, 4) if step < b][-1:] == [4]),
    "truth": lambda a, b: (7 if a - b else 8, not (a - 1)),
    "one number": lambda a, b: (float(a), int(b), math.sqrt(a), math.log(b)),
    "one number without its fraction": lambda a, b: (int(a / 7), int(-b / 3)),
}


def parted(formula: Any, a: SizeArray, b: SizeArray) -> Any:
    """The answers of a formula at every place, by parting the sizes as often as it asks."""
    with np.errstate(all="ignore"), lockstep(len(a)) as call:
        found = formula(a, b)
    rows = found if isinstance(found, tuple) else (found,)
    answers = {
        int(at): tuple(item.values[at] if isinstance(item, SizeArray) else item for item in rows)
        for at in np.arange(len(a))[call.active]
    }
    for places in call.aside:
        part = parted(formula, a.take(places), b.take(places))
        answers.update({int(places[at]): answer for at, answer in part.items()})
    return answers


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
@given(pairs=st.lists(st.tuples(WHOLE, WHOLE) | st.tuples(SIDES, SIDES), min_size=1, max_size=12))
def test_a_formula_of_sizes_is_the_formula_of_each(formula: Any, pairs: Any) -> None:
    found = parted(formula, SizeArray([a for a, _ in pairs]), SizeArray([b for _, b in pairs]))
    for at, (a, b) in enumerate(pairs):
        one = formula(a, b)
        expected = one if isinstance(one, tuple) else (one,)
        assert found[at] == near(expected, rel=1e-12)


def test_sizes_know_their_ends_and_what_holds_for_all() -> None:
    sizes = SizeArray([3, 4, 5])
    assert (least(sizes), most(sizes), least(7), most(7)) == (3, 5, 7, 7)
    assert always(sizes > 2)
    assert not always(sizes > 3)
    assert always(2 > 1)  # noqa: PLR0133  # of one number it is what it is
    assert len(sizes) == 3
    assert repr(SizeArray(range(9))) == "SizeArray([0, 1, 2, 3, 4, 5, ...])"


@pytest.mark.parametrize("other", ["a", None, [1, 2], np.array([1, 2])], ids=repr)
def test_sizes_reckon_with_numbers_alone(other: Any) -> None:
    with pytest.raises(TypeError, match="operand"):
        _ = SizeArray([1, 2]) + other
    with pytest.raises(TypeError, match="operand"):
        _ = other - SizeArray([1, 2])


@pytest.mark.parametrize("left", ["sizes", "array"])
def test_an_array_beside_sizes_is_refused_with_what_to_write(left: str) -> None:
    sizes, array = SizeArray([1, 2]), np.array([3, 4])
    one, other = (sizes, array) if left == "sizes" else (array, sizes)
    message = r"array\(\[3, 4\]\) is not an operand of a SizeArray.*SizeArray\(array\)"
    for calculate in (arithmetic.add, arithmetic.mul, arithmetic.floordiv, arithmetic.lt):
        with pytest.raises(TypeError, match=message):
            calculate(one, other)


@pytest.mark.parametrize("other", [None, "a", [1, 2], np.array([1, 2])], ids=repr)
@pytest.mark.parametrize(
    "calculate",
    [
        larger,
        lambda sizes, other: smaller(other, sizes),
        lambda sizes, other: clipped(sizes, 1, other),
        lambda sizes, other: where(sizes > 1, sizes, other),
    ],
    ids=["larger", "smaller", "clipped", "where"],
)
def test_what_is_not_a_number_is_refused_beside_sizes(calculate: Any, other: Any) -> None:
    with pytest.raises(TypeError, match=r"is not an operand of a SizeArray; expected a number"):
        calculate(SizeArray([1, 2]), other)


@pytest.mark.parametrize("number", [np.int64(3), np.float64(3.0), np.uint8(3), np.array([3, 4])[0]])
def test_a_number_of_numpy_is_a_number_beside_sizes(number: Any) -> None:
    assert (
        list((number * SizeArray([1, 2])).values)
        == list((SizeArray([1, 2]) * number).values)
        == [3, 6]
    )


def test_sizes_are_not_a_key_of_a_table() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(SizeArray([1]))


@pytest.mark.parametrize(
    "divide",
    [
        lambda sizes: 6 / sizes,
        lambda sizes: sizes / sizes,
        lambda sizes: sizes // 0,
        lambda sizes: 6 % sizes,
        lambda sizes: sizes**-1,
        lambda sizes: sizes ** (sizes - 1),
        lambda sizes: 0**-sizes,
    ],
)
def test_a_division_by_zero_is_an_error_as_of_one_size(divide: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        divide(SizeArray([2, 0, 3]))


def test_a_batch_of_operators_can_be_copied_and_sent_to_another_process() -> None:
    k = SizeArray([2, 3])
    many = OperatorBatch(matmul((k,), (k,)))
    sent = pickle.loads(pickle.dumps(many))  # noqa: S301  # its own
    for twin in (sent, copying.deepcopy(many), copying.copy(many)):
        assert list(twin) == list(many)


def test_the_text_of_sizes_is_that_of_one_where_all_agree() -> None:
    assert f"{SizeArray([2000, 2000]):,}" == "2,000"
    with pytest.raises(OneSizeNeededError, match="no one value"):
        f"{SizeArray([1, 2]):,}"


# ------------------------------------------------------------------ the example


@pytest.fixture
def example() -> Any:
    """The names of the worked example, with few tilings."""
    names = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "choose_tiling.py"))
    names["choose_tiling"].__globals__["SIDES"] = np.array([8, 24, 64, 128, 192])
    return names


def test_the_example_chooses_among_more_than_ten_thousand_tilings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = Path(__file__).parent.parent / "examples" / "choose_tiling.py"
    runpy.run_path(str(example), run_name="__main__")
    said = capsys.readouterr().out
    number = re.match(r"([\d,]+) tilings of 1024 x 1536 x 768", said)
    assert number
    assert int(number[1].replace(",", "")) > 10_000
    assert "dense 3 x 3, weights in int8" in said


def test_the_example_finds_the_tiling_that_single_prices_find(
    example: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    example["choose_tiling"]()
    said = capsys.readouterr().out
    sides = [8, 24, 64, 128, 192]
    energies = {
        (m, n, k): example["CHIP"].price(example["tile"](m, n, k)).energy_joules
        * math.prod(map(math.ceil, (1024 / m, 1536 / n, 768 / k)))
        for m in sides
        for n in sides
        for k in sides
    }
    best, worst = min(energies, key=energies.get), max(energies, key=energies.get)  # type: ignore[arg-type]
    assert f" best: {' x '.join(map(str, best))}, " in said
    assert f"worst: {' x '.join(map(str, worst))}, " in said
    assert f"takes {energies[worst] / energies[best]:.2f} times" in said


LENGTHS: Final = {
    "a sum": lambda one, other: one + other,
    "a difference": lambda one, other: one - other,
    "a product": lambda one, other: one * other,
    "a quotient": lambda one, other: one / other,
    "a whole quotient": lambda one, other: one // other,
    "a remainder": lambda one, other: one % other,
    "a power": lambda one, other: one**other,
    "a comparison": lambda one, other: one < other,
    "an equation": lambda one, other: one == other,
    "the larger": larger,
    "the smaller": smaller,
    "dimensions": lambda one, other: Contraction(dims={"m": one, "k": other}).macs,
    "a shape": lambda one, other: Tensor((one, other)).size,
}


@pytest.mark.parametrize("lengths", [(3, 2), (2, 3), (1, 3), (3, 1)])
@pytest.mark.parametrize("operation", LENGTHS)
def test_sizes_of_different_lengths_are_refused_with_both_lengths(
    operation: str, lengths: tuple[int, int]
) -> None:
    one, other = (SizeArray([2] * length) for length in lengths)
    words = f"sizes of {lengths[0]} and of {lengths[1]} operators"
    turned = f"sizes of {lengths[1]} and of {lengths[0]} operators"
    with pytest.raises(ValueError, match=f"{words}|{turned}"):
        LENGTHS[operation](one, other)


@pytest.mark.parametrize(
    "values", [[[1, 2], [3]], [1, [2]], 5, None, [[1], [2]], [np.array([1, 2]), np.array([3])]]
)
def test_what_is_not_a_row_of_numbers_is_refused_in_our_words(values: Any) -> None:
    with pytest.raises(ValueError, match="are not sizes; expected a row of whole numbers"):
        SizeArray(values)


@pytest.mark.parametrize("counts", [(3, 2), (1, 3)])
def test_a_batch_of_different_lengths_is_refused_with_both_lengths(
    counts: tuple[int, int],
) -> None:
    first, second = (Tensor((SizeArray([2] * count),)) for count in counts)
    small, large = sorted(counts)
    with pytest.raises(ValueError, match=f"found {small} and {large}"):
        OperatorBatch(rearrange("copy", [first], [second]))
