"""What the standard operators count, and what they refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from attrs import asdict

from costmodel import (
    Activation,
    Contraction,
    Elementwise,
    Free,
    Gather,
    Movement,
    Reduction,
    Sizes,
    Tensor,
    Unpriced,
)
from costmodel.errors import ShapeError
from costmodel.workload.operators import ELEMENTWISE, REDUCTIONS, Operator

SIX = Tensor((2, 3))


def product(**changes: Any) -> Contraction:
    given = {
        "inputs": [Tensor((2, 4))], "parameters": [Tensor((4, 3))], "outputs": [SIX],
        "loops": {"rows": 2, "columns": 3, "depth": 4}, "reduction": 4,
    }  # fmt: skip
    return Contraction(**{**given, **changes})


def elementwise(function: str = "add", operands: int = 2, steps: int = 1) -> Elementwise:
    return Elementwise(inputs=[SIX] * operands, outputs=[SIX], function=function, steps=steps)


def reduction(function: str, window: int) -> Reduction:
    return Reduction(inputs=[Tensor((2, 3, 5))], outputs=[SIX], function=function, window=window)


@pytest.mark.parametrize(
    ("operator", "operations"),
    [
        (product(), {"multiply-accumulate": 24}),
        (product(loops={}, reduction=1), {"multiply-accumulate": 1}),
        # Not every sum need be as long as the longest.
        (product(loops={"pairs": 5}, reduction=3), {"multiply-accumulate": 5}),
        (product(loops={"rows": 0, "columns": 3}), {"multiply-accumulate": 0}),
        (elementwise("add"), {"add": 6}),
        (elementwise("add", 4, steps=3), {"add": 18}),
        (elementwise("select", steps=0), {"select": 0}),
        (elementwise("normalize", 1), {"multiply-add": 6}),
        (Elementwise(outputs=[SIX], function="affine"), {"multiply-add": 6}),
        (reduction("sum", 5), {"add": 24}),
        (reduction("max", 5), {"compare": 24}),
        (reduction("min", 4), {"compare": 18}),
        (reduction("product", 1), {"multiply": 0}),
        # A mean is a sum and one scaling of each result.
        (reduction("mean", 5), {"add": 24, "multiply": 6}),
        (Activation(inputs=[SIX], outputs=[SIX], function="relu"), {"activation": 6}),
        (Activation(outputs=[SIX, Tensor((5,))], function="split"), {"activation": 11}),
        (Gather(inputs=[Tensor((2,))], parameters=[Tensor((9, 3))], outputs=[SIX]), {}),
        (Movement(inputs=[SIX], outputs=[SIX], purpose="reshape"), {}),
    ],
    ids=lambda item: item.summary if isinstance(item, Operator) else "",
)
def test_an_operator_counts_its_operations_by_type(
    operator: Operator, operations: dict[str, int]
) -> None:
    assert operator.operations == operations
    assert operator.macs == operations.get("multiply-accumulate", 0)


def test_work_without_arithmetic_has_outputs_all_the_same() -> None:
    move = Movement(inputs=[SIX], outputs=[SIX, Tensor((4,))], purpose="split")
    assert move.elements == 10
    assert Operator().elements == 0


@pytest.mark.parametrize(
    ("operator", "summary"),
    [
        (product(loops={"m": 40, "n": 50, "k": 60}), "contraction: 120,000 x multiply-accumulate"),
        (reduction("mean", 5), "reduction: 24 x add, 6 x multiply"),
        (Movement(purpose="reshape"), "movement: no arithmetic"),
    ],
)
def test_a_summary_names_the_work_and_its_size(operator: Operator, summary: str) -> None:
    assert operator.summary == summary


def test_the_connections_of_an_elementwise_are_its_operands_or_its_steps() -> None:
    """Whichever are more: a sum of three has three at each element, a polynomial its steps."""
    assert elementwise(operands=3, steps=2).connections == 18
    assert elementwise(operands=1, steps=2).connections == 12


def test_the_connections_of_a_pooling_are_the_elements_of_its_windows() -> None:
    assert reduction("mean", 5).connections == 30


def test_what_connections_of_fixed_weight_can_do_is_linear() -> None:
    linear = {name for name in ELEMENTWISE if elementwise(name).is_linear}
    assert linear == {"add", "subtract", "average", "affine"}
    assert {name for name in REDUCTIONS if reduction(name, 2).is_linear} == {"sum", "mean"}


def test_repeating_adds_an_axis_and_a_loop_and_no_parameters() -> None:
    often = product().repeated(5)
    assert often.loops[0] == ("repeat", 5)
    assert [tensor.shape for tensor in often.inputs + often.outputs] == [(5, 2, 4), (5, 2, 3)]
    assert (often.parameters, often.macs) == (product().parameters, 120)
    assert elementwise().repeated(5).outputs == (Tensor((5, 2, 3)),)


def test_an_operator_stands_alone_and_moves_its_tensors_unless_told_otherwise() -> None:
    assert not product().in_place
    assert product().decompose() == ()


def test_loops_are_given_as_a_mapping_or_as_pairs() -> None:
    assert product(loops=[("rows", 2), ("columns", 3), ("depth", 4)]) == product()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: product(loops={"rows": -1}), "loop 'rows' of a contraction has size -1"),
        (lambda: product(reduction=0), "reduction is 0; expected 1 or more"),
        (lambda: product(reduction=25), "reduction is 25, of 24 multiply-accumulates in all"),
        (lambda: reduction("sum", 0), "window is 0; expected 1 or more"),
        (lambda: elementwise(steps=-1), "steps is -1; expected 0 or more"),
        (lambda: elementwise("sine"), "function is 'sine'; expected one of add"),
        (lambda: reduction("median", 2), "function is 'median'; expected one of sum"),
        # Of many variants one is enough.
        (lambda: reduction("sum", Sizes([3, 0, 2])), r"window is Sizes\(.*; expected 1 or more"),
        (lambda: product(reduction=Sizes([25, 30])), r"reduction is Sizes\(\[25, 30\]\), of 24"),
    ],
)  # fmt: skip
def test_a_size_or_a_function_that_no_work_has_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("given", [[(2, 3)], ([2, 3],), iter([SIX]), [SIX], (SIX,)])
def test_a_tensor_of_no_declared_format_may_be_given_as_its_shape(given: Any) -> None:
    assert Movement(inputs=given, purpose="reshape").inputs == (SIX,)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (SIX, TypeError, r"expected several tensors, such as \[Tensor\(\(3, 4\)\)\], found Tensor"),
        (7, TypeError, "expected several tensors, .* found 7"),
        ((2, 3), TypeError, r"2 in \(2, 3\) is no tensor; expected .* shape alone: \[\("),
        ("int8", TypeError, "'i' in .* is no tensor"),
        ([SIX, None], TypeError, "None in .* is no tensor"),
        ([(2, "int8")], ShapeError, "'int8' in shape 2 x int8 is not an axis length"),
    ],
)
@pytest.mark.parametrize("field", ["inputs", "parameters", "outputs"])
def test_what_is_no_tensor_is_refused_at_once(
    field: str, given: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        product(**{field: given})


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
        product(), elementwise(), reduction("sum", 2), Gather(), Operator(),
        Activation(function="relu"), Movement(purpose="reshape"),
    ],
    ids=lambda operator: type(operator).__name__,
)  # fmt: skip
def test_an_operator_is_a_value_with_named_fields(operator: Any) -> None:
    assert len({operator, type(operator)(**asdict(operator, recurse=False))}) == 1
    with pytest.raises(AttributeError):
        operator.inputs = ()
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        type(operator)((SIX,))  # nobody can tell a second tensor from an output


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint64])
def test_sizes_of_numpy_do_not_overflow(kind: Any) -> None:
    length = kind(100)
    work = Contraction(
        inputs=[(length, 4)], loops={str(axis): length for axis in range(10)}, reduction=length
    )
    assert work.macs == 10**20
    assert {type(size) for _, size in work.loops} == {int}
    assert work == Contraction(
        inputs=[(100, 4)], loops={str(axis): 100 for axis in range(10)}, reduction=100
    )


@pytest.mark.parametrize("size", [3.5, 4.0, True, "4", None, [4]])
def test_a_size_is_a_whole_number(size: Any) -> None:
    message = re.escape(f"{size!r} is no size; expected a whole number")
    for make in (
        lambda: Contraction(loops={"k": size}, reduction=1),
        lambda: Contraction(loops={"k": 4}, reduction=size),
        lambda: Elementwise(function="add", steps=size),
        lambda: Reduction(function="max", window=size),
    ):
        with pytest.raises(TypeError, match=message):
            make()
