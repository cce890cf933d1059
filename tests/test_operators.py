"""What the standard operators count, and what they refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from costmodel import (
    Free,
    Operator,
    Unpriced,
    activation,
    conv,
    elementwise,
    embedding,
    matmul,
    reduce,
)
from costmodel.errors import ShapeError
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.builders import copy, rearrange
from costmodel.workload.operators import (
    ELEMENTWISE,
    REDUCTIONS,
    Activation,
    Contraction,
    Counted,
    Elementwise,
    Gather,
    Movement,
    Operand,
    Reduction,
    unmapped,
)

SIX = Tensor((2, 3))


def product(**changes: Any) -> Contraction:
    given = {
        "dims": {"m": 2, "n": 3, "k": 4},
        "operands": [
            Operand("input", (2, 4), ["m", "k"]), Operand("weight", (4, 3), ["k", "n"]),
            Operand("output", SIX, ["m", "n"]),
        ],
    }  # fmt: skip
    return Contraction(**{**given, **changes})


def merged(function: str = "add", operands: int = 2, steps: int = 1) -> Elementwise:
    return elementwise(function, *[SIX] * operands, steps=steps, output=SIX)


def reduced(function: str, window: int) -> Reduction:
    return reduce(function, (2, 3, window), axes=[-1])


@pytest.mark.parametrize(
    ("operator", "operations"),
    [
        (product(), {"multiply-accumulate": 24}),
        (Contraction(), {"multiply-accumulate": 1}),
        (Contraction(dims={"pairs": 5}), {"multiply-accumulate": 5}),
        (product(dims={"m": 0, "n": 3, "k": 4}), {"multiply-accumulate": 0}),
        (merged("add"), {"add": 6}),
        (merged("add", 4, steps=3), {"add": 18}),
        (merged("select", steps=0), {"select": 0}),
        (merged("normalize", 1), {"multiply-add": 6}),
        (elementwise("affine", output=SIX), {"multiply-add": 6}),
        (reduced("sum", 5), {"add": 24}),
        (reduced("max", 5), {"compare": 24}),
        (reduced("min", 4), {"compare": 18}),
        (reduced("product", 1), {"multiply": 0}),
        # A mean is a sum and one scaling of each result.
        (reduced("mean", 5), {"add": 24, "multiply": 6}),
        (activation("relu", SIX), {"activation": 6}),
        (
            Activation(operands=unmapped("output", [SIX, Tensor((5,))]), function="split"),
            {"activation": 11},
        ),
        (embedding((2,), (9, 3)), {}),
        (copy("reshape", SIX), {}),
        (Counted(operation="multiply-accumulate", count=7), {"multiply-accumulate": 7}),
        (Counted(operation="add", count=7), {"add": 7}),
    ],
    ids=lambda item: item.summary if isinstance(item, Operator) else "",
)
def test_an_operator_counts_its_operations_by_type(
    operator: Operator, operations: dict[str, int]
) -> None:
    assert operator.operations == operations
    assert operator.macs == operations.get("multiply-accumulate", 0)


def test_work_without_arithmetic_has_outputs_all_the_same() -> None:
    move = rearrange("split", [SIX], [SIX, Tensor((4,))])
    assert move.elements == 10
    assert Operator().elements == 0


@pytest.mark.parametrize(
    ("operator", "summary"),
    [
        (matmul((40, 60), (60, 50)), "contraction: 120,000 x multiply-accumulate"),
        (reduced("mean", 5), "reduction: 24 x add, 6 x multiply"),
        (copy("reshape", SIX), "movement: no arithmetic"),
    ],
)
def test_a_summary_names_the_work_and_its_size(operator: Operator, summary: str) -> None:
    assert operator.summary == summary


def test_the_connections_of_an_elementwise_are_its_operands_or_its_steps() -> None:
    """Whichever are more: a sum of three has three at each element, a polynomial its steps."""
    assert merged(operands=3, steps=2).connections == 18
    assert merged(operands=1, steps=2).connections == 12


def test_the_connections_of_a_pooling_are_the_elements_of_its_windows() -> None:
    assert reduced("mean", 5).connections == 30


def test_what_connections_of_fixed_weight_can_do_is_linear() -> None:
    linear = {name for name in ELEMENTWISE if merged(name).is_linear}
    assert linear == {"add", "subtract", "average", "affine"}
    assert {name for name in REDUCTIONS if reduced(name, 2).is_linear} == {"sum", "mean"}


def test_repeating_adds_an_axis_and_a_dimension_and_no_weights() -> None:
    often = product().repeated(5)
    assert next(iter(often.dims.items())) == ("repeat", 5)
    assert [one.shape for one in often.inputs + often.outputs] == [(5, 2, 4), (5, 2, 3)]
    assert [str(one) for one in often.inputs + often.outputs] == [
        "input[repeat, m, k]", "output[repeat, m, n]",
    ]  # fmt: skip
    assert (often.weights, often.macs) == (product().weights, 120)
    assert (often.reduction_dims, often.reduction_size) == (("k",), 4)
    assert [one.tensor for one in merged().repeated(5).outputs] == [Tensor((5, 2, 3))]


def test_a_dimension_of_repetition_has_a_name_of_its_own() -> None:
    assert list(product().repeated(5).repeated(2).dims)[:2] == ["repeat1", "repeat"]


def test_the_reduction_is_the_dimensions_that_no_output_has() -> None:
    assert product().reduction_dims == ("k",)
    assert product().reduction_size == 4
    assert product(operands=product().operands[:2]).reduction_size == 1  # no output, no sum
    assert conv((8, 9, 9), (6, 8, 3, 3), input_layout="C*").reduction_size == 8 * 9


def test_reuse_is_how_often_an_element_is_accessed_on_average() -> None:
    one, two = product().inputs[0], product().weights[0]
    assert (product().reuse(one), product().reuse(two)) == (3, 2)


def test_padding_is_counted_as_work_and_not_as_traffic() -> None:
    work = conv((1, 4), (1, 1, 3), padding=1, input_layout="C*")
    assert work.macs == 12
    found = work.accesses(work.inputs[0])
    assert (found.points, found.elements) == (10, 4)


def test_an_operator_stands_alone_and_moves_its_tensors_unless_told_otherwise() -> None:
    assert not product().in_place
    assert product().decompose() == ()


def test_dimensions_are_given_as_a_mapping_or_as_pairs_in_any_order() -> None:
    assert product(dims=[("n", 3), ("m", 2), ("k", 4)]) == product()
    assert hash(product(dims=[("n", 3), ("m", 2), ("k", 4)])) == hash(product())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: product(dims={"m": -1}), "dimension 'm' has size -1; expected 0 or more"),
        (lambda: product(dims={"m": SizeArray([2, 3]) - 3, "n": 3, "k": 4}), "expected 0 or more"),
        (lambda: product(dims={"m": 2, "n": 3}), "reads dimension 'k'; known: m, n"),
        (lambda: product(dims=[("m", 2), ("m", 2)]), "dimension 'm' is given twice"),
        (lambda: product(dims={"2m": 2}), "'2m' is not a name of a dimension"),
        (lambda: merged(steps=-1), "steps is -1; expected 0 or more"),
        (lambda: merged("sine"), "function is 'sine'; expected one of add"),
        (lambda: reduced("median", 2), "function is 'median'; expected one of sum"),
        (lambda: Counted(operation="add", count=-1), "count is -1; expected 0 or more"),
        (
            lambda: Counted(operation="add", count=1, sum_length=0),
            "sum_length is 0; expected 1 or more",
        ),
        # Of many operators one is enough.
        (
            lambda: merged(steps=SizeArray([3, 0, 2]) - 1),
            r"steps is SizeArray\(.*; expected 0 or more",
        ),
        (lambda: Operand("data", (2,), ["m"]), "role is 'data'; expected one of input, weight"),
        (lambda: Operand("input", (2, 3), ["m"]), "1 indices for the axes of 2 x 3; expected one"),
        (lambda: Operand("input", (2,), ["m +"]), "expected a sum such as '2p . r - 1'"),
    ],
)
def test_a_size_or_a_function_that_no_work_has_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("given", [(2, 3), [2, 3], SIX, Operand("weight", SIX, ["i", "j"])])
def test_a_tensor_of_no_declared_format_may_be_given_as_its_shape(given: Any) -> None:
    assert Operand("input", given, ["m", "n"]).tensor == SIX
    assert copy("reshape", given).inputs[0].tensor == SIX


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (7, TypeError, r"expected a tensor or a shape such as \(3, 4\), found 7"),
        ("int8", TypeError, "expected a tensor or a shape .* found 'int8'"),
        (None, TypeError, "expected a tensor or a shape .* found None"),
        ((2, "int8"), ShapeError, "'int8' in shape 2 x int8 is not an axis length"),
    ],
)
def test_what_is_not_a_tensor_is_refused_at_once(
    given: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Operand("input", given, ["m", "n"])
    with pytest.raises(error, match=message):
        matmul(given, (3, 2))


@pytest.mark.parametrize("given", [SIX, (2, 3), "input"], ids=repr)
def test_what_is_not_an_operand_is_refused_at_once(given: Any) -> None:
    with pytest.raises(TypeError, match=r"expected operands, such as Operand\('input', "):
        Contraction(operands=[given])


@pytest.mark.parametrize("cls", [Free, Unpriced])
def test_a_reason_is_a_value_and_no_other_sort_of_reason(cls: Any) -> None:
    assert cls("so") == cls("so")
    assert cls("so") != cls("otherwise")
    assert Free("so") != Unpriced("so")
    with pytest.raises(AttributeError):
        cls("so").reason = "otherwise"


@pytest.mark.parametrize(
    "operator",
    [
        product(), merged(), reduced("sum", 2), Gather(), Operator(),
        Activation(function="relu"), Movement(purpose="reshape"),
        Counted(operation="add", count=3),
    ],
    ids=lambda operator: type(operator).__name__,
)  # fmt: skip
def test_an_operator_is_a_value_with_named_fields(operator: Any) -> None:
    assert len({operator, evolve(operator)}) == 1
    with pytest.raises(AttributeError):
        operator.operands = ()
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        type(operator)((SIX,))  # nobody can tell a second tensor from an output


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint64])
def test_sizes_of_numpy_do_not_overflow(kind: Any) -> None:
    def work(length: Any) -> Contraction:
        names = [f"d{axis}" for axis in range(10)]
        read = Operand("input", (length, 4), [names[0], None])
        return Contraction(dims=dict.fromkeys(names, length), operands=[read])

    made = work(kind(100))
    assert made.macs == 10**20
    assert {type(size) for size in made.dims.values()} == {int}
    assert made == work(100)


@pytest.mark.parametrize("size", [3.5, 4.0, True, "4", None, [4]])
def test_a_size_is_a_whole_number(size: Any) -> None:
    message = re.escape(f"{size!r} is not a size; expected a whole number")
    for make in (
        lambda: Contraction(dims={"k": size}),
        lambda: Elementwise(function="add", steps=size),
        lambda: Counted(operation="add", count=size),
        lambda: Counted(operation="add", count=1, sum_length=size),
    ):
        with pytest.raises(TypeError, match=message):
            make()
