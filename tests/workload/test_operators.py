"""Operators as values: equal work is equal, copied, written out, repeated and re-formatted."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from builder_cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from loop_nest import check_counts

from costmodel.formats import parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.workload import builders
from costmodel.workload.affine import Accesses, Affine
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Counted,
    Elementwise,
    Movement,
    Operand,
    Operator,
    Reduction,
    input_of,
    output_of,
    weight_of,
)

ANY_OPERATOR = st.one_of([make().map(lambda case: case.operator) for make in CASES.values()])


# ------------------------------------------------------------------ equality


@given(ANY_OPERATOR, st.randoms())
def test_the_order_of_the_dimensions_makes_no_difference(
    operator: Operator, random: object
) -> None:
    dims = list(operator.dims.items())
    random.shuffle(dims)  # type: ignore[attr-defined]  # a Random
    other = evolve(operator, dims=dims)
    assert other == operator
    assert hash(other) == hash(operator)
    assert len({other, operator}) == 1


@given(ANY_OPERATOR)
def test_a_copy_is_equal_and_counts_alike(operator: Operator) -> None:
    hash(operator)
    for other in (
        copy.copy(operator),
        copy.deepcopy(operator),
        pickle.loads(pickle.dumps(operator)),  # noqa: S301  # made here
    ):
        assert other == operator
        assert hash(other) == hash(operator)
        assert str(other) == str(operator)
        assert other.operations == operator.operations


def test_a_hash_is_not_carried_to_a_process_with_other_hashes() -> None:
    operator = builders.conv((1, 4, 8, 8), (8, 4, 3, 3), padding="same")
    hash(operator)
    program = (
        "import pickle, sys\n"
        "from costmodel.workload import builders\n"
        "given = pickle.loads(sys.stdin.buffer.read())\n"
        "made = builders.conv((1, 4, 8, 8), (8, 4, 3, 3), padding='same')\n"
        "sys.exit(0 if given == made and len({given, made}) == 1 else 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, input=pickle.dumps(operator),
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert done.returncode == 0


CONV = {"input": (1, 8, 9), "weight": (8, 8, 3)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (builders.conv(**CONV), builders.conv(**CONV, stride=2)),
        (builders.conv(**CONV, padding=1), builders.conv(**CONV, padding="causal")),
        (builders.conv(**CONV), builders.conv(**CONV, dilation=2)),
        (builders.conv((1, 8, 9), (8, 8, 3)), builders.conv((1, 8, 9), (8, 4, 3), groups=2)),
        (builders.conv(**CONV), builders.conv(**CONV, weight_role="input")),
        (builders.conv(**CONV), builders.conv(**CONV, bias=(8,))),
        (builders.pool("max", (1, 1, 4), 2), builders.pool("min", (1, 1, 4), 2)),
        (builders.matmul((4, 4), (4, 4)), builders.matmul((4, 4), (4, 4), transpose_right=True)),
        (builders.transpose((3, 3), (0, 1)), builders.transpose((3, 3), (1, 0))),
        (builders.softmax((3, 3), (0,)), builders.softmax((3, 3), (1,))),
        (builders.normalize((3,), (0,)), builders.normalize((3,), (0,), is_centred=False)),
        (builders.activation("relu", (3,)), builders.activation("tanh", (3,))),
        (builders.activation("relu", (3,)), builders.activation("relu", (3,), in_place=True)),
        (builders.elementwise("add", (3,)), builders.elementwise("add", (3,), steps=2)),
        (builders.copy("copy", (3,)), builders.copy("copy", Tensor((3,), "int8"))),
        (builders.copy("copy", (3,)), builders.copy("save", (3,))),
        (builders.repeat((3,), 0, 2), builders.repeat((3,), 0, 2, is_tiled=True)),
        (Contraction(dims={"n": 3}), Movement(dims={"n": 3}, purpose="copy")),
    ],
    ids=str,
)  # fmt: skip
def test_different_work_is_unequal(one: Operator, other: Operator) -> None:
    assert one != other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (builders.conv(**CONV), builders.conv(**CONV, stride=(1,), padding=[0], dilation=[1])),
        (builders.conv(**CONV, padding=1), builders.conv(**CONV, padding=((1, 1),))),
        (builders.conv(**CONV, padding="same"), builders.conv(**CONV, padding=1)),
        (builders.conv(**CONV, stride=2, padding="same_lower"),
         builders.conv(**CONV, stride=2, padding=1)),
        (builders.reduce("sum", (3, 4), (1,)), builders.reduce("sum", (3, 4), (-1,))),
        (builders.reduce("sum", (3, 4)), builders.reduce("sum", (3, 4), (1, 0))),
        (builders.reduce("sum", (3, 4), 1), builders.reduce("sum", (3, 4), (1,))),
        (builders.pool("max", (1, 1, 4), 2), builders.pool("max", [1, 1, 4], (2,), stride=2)),
        (builders.einsum("ij,jk->ik", (2, 3), (3, 4)), builders.einsum("ij,jk", (2, 3), (3, 4))),
        (builders.elementwise("add", (3,), (3,)),
         builders.elementwise("add", Tensor((3,)), input_of((3,), "z"))),
    ],
    ids=str,
)  # fmt: skip
def test_the_same_work_in_other_words_is_equal(one: Operator, other: Operator) -> None:
    assert one == other
    assert hash(one) == hash(other)


def test_an_operator_cannot_be_changed() -> None:
    operator = builders.copy("copy", (3,))
    with pytest.raises(FrozenInstanceError):
        operator.purpose = "other"  # type: ignore[misc]  # that is the fault
    operator.dims["d0"] = 7  # type: ignore[index]  # a copy of the dimensions
    assert operator.dims == {"d0": 3}


# ------------------------------------------------------------------ text


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        (builders.matmul((2, 3), (3, 4), bias=(4,)),
         "contraction (m=2 n=4 k=3): input[m, k], weight[k, n], weight[n] -> output[m, n]"),
        (builders.pool("max", (1, 2, 5), 3, stride=2, padding=1),
         "reduction (n=1 c=2 p=3 r=3): input[n, c, 2p + r - 1] -> output[n, c, p]"),
        (builders.embedding((7,), (9, 3)),
         "gather (d0=7 d1=3): input[d0], weight[?, d1] -> output[d0, d1]"),
        (builders.concatenate([(2,), (3,)], 0),
         "movement (d0=5): input[d0], input[d0 - 2] -> output[d0]"),
        (builders.shift("flip", (4,), (4,), (-3,), steps=(-1,)),
         "movement (d0=4): input[-d0 + 3] -> output[d0]"),
        (builders.reduce("sum", (2, 3), keep_axes=True),
         "reduction (d0=2 d1=3): input[d0, d1] -> output[0, 0]"),
        (builders.fill((2,)), "movement (d0=2): output[d0]"),
        (builders.read((2,), purpose="mask"), "movement (d0=2): input[d0]"),
        (builders.softmax((2,)), "softmax (d0=2): input[d0] -> output[d0]"),
        (Counted(operation="add", count=3), "counted (): "),
    ],
)  # fmt: skip
def test_the_text_of_an_operator(operator: Operator, text: str) -> None:
    assert str(operator) == text


@given(ANY_OPERATOR)
def test_the_maps_are_read_back_from_the_text(operator: Operator) -> None:
    for operand in operator.operands:
        role, _, rest = str(operand).partition("[")
        texts = rest.removesuffix("]").split(", ") if rest != "]" else []
        index = [None if text == "?" else Affine.of(text) for text in texts]
        assert Operand(role, operand.tensor, index) == operand  # type: ignore[arg-type]  # a role


@pytest.mark.parametrize(
    ("operator", "summary"),
    [
        (builders.matmul((20, 30), (30, 40)), "contraction: 24,000 x multiply-accumulate"),
        (builders.copy("copy", (3,)), "movement: no arithmetic"),
        (builders.pool("mean", (1, 1, 4), 2), "reduction: 2 x add, 2 x multiply"),
    ],
)
def test_the_summary_of_an_operator(operator: Operator, summary: str) -> None:
    assert operator.summary == summary


# ------------------------------------------------------------------ parts and counts


def test_operands_by_role_and_in_order() -> None:
    operator = builders.conv((1, 2, 5), (3, 2, 3), bias=(3,))
    assert [item.role for item in operator.operands] == ["input", "weight", "weight", "output"]
    assert (*operator.inputs, *operator.weights, *operator.outputs) == operator.operands
    assert operator.operands[1].dims == ("k", "c", "r")
    assert operator.elements == 9


def test_an_element_that_several_points_meet_is_touched_once() -> None:
    operator = Operator(
        dims={"n": 4, "m": 3},
        operands=[input_of((4,), "n"), weight_of((3,), "m"), output_of((), *())],
    )
    assert operator.accesses(operator.inputs[0]) == Accesses(12, 4, 3)
    assert operator.reuse(operator.inputs[0]) == 3
    assert operator.reduction_dims == ("n", "m")
    assert operator.reduction_size == 12


def test_the_touched_elements_of_a_gather_are_as_stated() -> None:
    table = Operand("weight", (100, 8), (None, "d"), touched=40)
    operator = Operator(dims={"n": 10, "d": 8}, operands=[table, output_of((10, 8), "n", "d")])
    assert operator.accesses(table) == Accesses(80, 40, 10)
    assert operator.reuse(table) == 2
    assert operator.repeated(3).weights[0].touched == 40  # the same rows of the same table


def test_what_meets_nothing_is_used_not_at_all() -> None:
    operator = Operator(dims={"n": 2}, operands=[input_of((3,), "n + 3")])
    assert operator.accesses(operator.inputs[0]) == Accesses(0, 0, 0)
    assert operator.reuse(operator.inputs[0]) == 0
    assert operator.reduction_size == 1  # no outputs


@pytest.mark.parametrize("size", [0, 1])
def test_spaces_without_points_or_with_one(size: int) -> None:
    operator = Contraction(
        dims={"m": size, "k": 3},
        operands=[input_of((2, 3), "m", "k"), weight_of((3,), "k"), output_of((2,), "m")],
    )
    assert operator.macs == 3 * size
    check_counts(operator)


def test_a_dimension_with_factor_zero_in_the_output_is_reduced() -> None:
    operator = Reduction(
        dims={"n": 4}, operands=[input_of((4,), "n"), output_of((1,), "0n")], function="sum"
    )
    assert operator.reduction_dims == ("n",)
    assert operator.window == 4
    assert operator.operations == {"add": 3}


def test_the_outputs_of_a_split_are_written_in_part_each() -> None:
    operator = builders.split((5, 2), 0, (2, 3))
    assert [operator.accesses(item).elements for item in operator.outputs] == [4, 6]
    assert operator.elements == 10


@given(ANY_OPERATOR, st.integers(1, 3))
def test_repeated_work_counts_as_often(operator: Operator, times: int) -> None:
    repeated = operator.repeated(times)
    assert type(repeated) is type(operator)
    assert repeated.points == times * operator.points
    assert repeated.macs == times * operator.macs
    assert repeated.operations == {
        name: times * count for name, count in operator.operations.items()
    }
    assert repeated.reduction_size == operator.reduction_size
    for one, many in zip(operator.operands, repeated.operands, strict=True):
        factor = 1 if one.role == "weight" else times
        assert many.tensor.size == factor * one.tensor.size
        if None not in one.index:
            assert repeated.accesses(many).points == times * operator.accesses(one).points
            assert repeated.accesses(many).elements == factor * operator.accesses(one).elements


def test_work_that_is_repeated_twice_has_two_more_dimensions() -> None:
    operator = builders.copy("copy", (3,)).repeated(2).repeated(4)
    assert operator.dims == {"repeat1": 4, "repeat": 2, "d0": 3}
    assert operator.repeated(2, dim="d0").dims["d01"] == 2


def test_a_repeated_count_is_multiplied() -> None:
    repeated = Counted(operation="multiply-accumulate", count=5, sum_length=2).repeated(3)
    assert (repeated.count, repeated.macs, repeated.sum_length) == (15, 15, 2)


def test_other_formats_change_nothing_but_the_formats() -> None:
    operator = builders.conv((1, 2, 5), (3, 2, 3))
    formats = ("int8", "int4", "int32")
    pairs = zip(operator.operands, formats, strict=True)
    other = operator.with_tensors([Tensor(item.shape, given) for item, given in pairs])
    assert [item.format for item in other.operands] == list(map(parse_format, formats))
    assert str(other) == str(operator)
    assert other.macs == operator.macs


@pytest.mark.parametrize(
    ("operator", "operations"),
    [
        (builders.pool("max", (1, 2, 6), 3), {"compare": 8}),
        (builders.pool("mean", (1, 2, 6), 3), {"add": 8, "multiply": 4}),
        (builders.elementwise("add", (2, 3), (3,)), {"add": 6}),
        (builders.elementwise("subtract", (2, 3), (3,), steps=2), {"add": 12}),
        (builders.activation("tanh", (2, 3)), {"activation": 6}),
        (builders.transpose((2, 3), (1, 0)), {}),
        (builders.embedding((2,), (3, 4)), {}),
        (builders.matmul((2, 3), (3, 4)), {"multiply-accumulate": 24}),
        (Counted(operation="exp", count=7), {"exp": 7}),
        (builders.normalize((2, 3), (1,)),
         {"add": 8, "multiply": 10, "multiply-add": 6}),
    ],
    ids=str,
)  # fmt: skip
def test_the_operations_of_each_kind(operator: Operator, operations: dict[str, int]) -> None:
    assert operator.operations == operations


def test_connections_count_what_reaches_the_outputs() -> None:
    pooled = builders.pool("mean", (1, 2, 6), 3)
    assert (pooled.window, pooled.connections, pooled.is_linear) == (3, 12, True)
    added = builders.elementwise("add", (2, 3), (3,))
    assert (added.connections, added.is_linear) == (12, True)
    assert not builders.elementwise("multiply", (2, 3), (3,)).is_linear
    assert builders.elementwise("multiply", (2, 3), weights=[(3,)]).is_linear
    assert not builders.elementwise("multiply", (2, 3), weights=[(3,)], steps=2).is_linear
    assert Activation(function="relu").decompose() == ()
    assert Elementwise(function="add").unpriced is None
