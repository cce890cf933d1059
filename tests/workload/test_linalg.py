"""Operators as `linalg.generic`: round trips, what the text computes, MLIR's own text, errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from builder_cases import CASES, Case
from hypothesis import given
from hypothesis import strategies as st
from linalg_text import computed

from costmodel.errors import LinalgError
from costmodel.formats import PowerOfTwo
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload import builders as b
from costmodel.workload.linalg import from_linalg, to_linalg
from costmodel.workload.operators import (
    Contraction,
    Counted,
    Gather,
    Movement,
    Operand,
    Operator,
    Reduction,
    input_of,
    output_of,
    weight_of,
)

IMAGE = (2, 8, 9, 9)


def int8(*shape: int) -> Tensor:
    return Tensor(shape, "int8")


OPERATORS: dict[str, Operator] = {
    "matmul": b.matmul((2, 3), (3, 4)),
    "matmul of vectors": b.matmul((3,), (3,)),
    "matmul, batched and broadcast": b.matmul((5, 1, 2, 3), (7, 3, 4), right_role="input"),
    "matmul, transposed": b.matmul((3, 2), (4, 3), transpose_left=True, transpose_right=True),
    "matmul with a bias": b.matmul((2, 3), (3, 4), bias=(4,)),
    "matmul with a bias for all columns": b.matmul((2, 3), (3, 4), bias=(1,)),
    "matmul of integers": b.matmul(
        int8(2, 3), Tensor((3, 4), "int4"), bias=Tensor((4,), "int16"),
        output=Tensor((2, 4), "int32"),
    ),
    "matmul, without signs": b.matmul(
        Tensor((2, 3), "uint8"), int8(3, 4), output=Tensor((2, 4), "uint32")
    ),
    "matmul of mixed formats": b.matmul(
        Tensor((2, 3), "float16"), Tensor((3, 4), "ternary"), output=Tensor((2, 4), "float64")
    ),
    "matmul of fixed points": b.matmul(
        Tensor((2, 3), "fixed<8,3>"), Tensor((3, 4), "po2<4>"), output=Tensor((2, 4), "float8")
    ),
    "conv": b.conv(IMAGE, (16, 8, 3, 3)),
    "conv, strided and padded": b.conv(IMAGE, (16, 8, 3, 3), stride=2, padding=((1, 2), (0, 1))),
    "conv, dilated": b.conv(IMAGE, (16, 8, 3, 3), dilation=(2, 3), padding="same"),
    "conv with cropping": b.conv(IMAGE, (16, 8, 3, 3), padding=-1),
    "conv, causal": b.conv((2, 9, 8), (3, 8, 4), padding="causal", input_layout="N*C",
                           weight_layout="*CK"),
    "conv of three axes": b.conv((1, 4, 5, 6, 2), (2, 2, 2, 2, 3), input_layout="N*C",
                                 weight_layout="*CK"),
    "conv, grouped": b.conv(IMAGE, (16, 4, 3, 3), groups=2, padding=1, bias=(16,)),
    "conv, grouped by an axis": b.conv(IMAGE, (2, 8, 4, 3, 3), groups=2, weight_layout="GKC*"),
    "conv, depthwise": b.conv(IMAGE, (3, 3, 8, 2), groups=8, weight_layout="*GK"),
    "conv of one filter each": b.conv(IMAGE, (8, 1, 3, 3), groups=8),
    "conv of a single pixel with a stride": b.conv(IMAGE, (16, 8, 1, 1), stride=3),
    "conv without a batch": b.conv((8, 9), (4, 8, 3), input_layout="C*"),
    "max pool": b.pool("max", IMAGE, 3, stride=2, padding=1),
    "min pool of integers": b.pool("min", Tensor(IMAGE, "uint8"), 2, padding=1,
                                   output=Tensor((2, 8, 5, 5), "uint8")),
    "max pool of integers": b.pool("max", Tensor(IMAGE, "int8"), 2, padding=1,
                                   output=Tensor((2, 8, 5, 5), "int8")),
    "mean pool": b.pool("mean", (2, 8, 8, 6), 2),
    "mean pool of integers": b.pool("mean", Tensor((2, 8, 8, 6), "int8"), 2,
                                    output=Tensor((2, 8, 4, 3), "int8")),
    "sum pool, dilated": b.pool("sum", IMAGE, 2, stride=1, dilation=2, ceil=True, padding=1),
    "einsum": b.einsum("bhmd,bhnd->bhmn", (1, 2, 3, 4), (1, 2, 5, 4), roles=("input", "input")),
    "einsum of an outer product": b.einsum("i,j->ij", (2,), (3,)),
    "einsum of a diagonal": b.einsum("iij,jk->ik", (3, 3, 2), (2, 4)),
    "einsum of one sum": b.einsum("ij->j", (2, 3)),
    "einsum of a trace": b.einsum("ii->", (3, 3)),
    "add": b.elementwise("add", (2, 3), (2, 3)),
    "add of three with a broadcast": b.elementwise("add", (2, 3), (3,), weights=[(1,)], steps=2),
    "add, counted as one step": b.elementwise("add", (2, 3), (3,), weights=[(1,)]),
    "divide of integers": b.elementwise("divide", int8(4), int8(4), output=int8(4)),
    "maximum of formats": b.elementwise("maximum", int8(4), Tensor((4,), "float16"),
                                        output=Tensor((4,), "int32")),
    "subtract in place": b.elementwise("subtract", (2, 3), (2, 3), in_place=True),
    "affine": b.elementwise("affine", (2, 3, 4), weights=[(3,), (3,)], weight_axes=[1]),
    "affine of one operand": b.elementwise("affine", (2, 3)),
    **{
        name: b.elementwise(name, (2, 3), (2, 3), steps=steps)
        for name, steps in {"average": 1, "compare": 1, "select": 2, "logic": 1,
                            "normalize": 0, "minimum": 1, "multiply": 7}.items()
    },
    "multiply of one operand": b.elementwise("multiply", (2, 3)),
    "elementwise without operands": b.elementwise("add", output=(2, 3)),
    **{
        name: b.activation(name, (2, 3))
        for name in ("relu", "exp", "tanh", "gelu", "hard sigmoid", 'a "quoted" \\ näme\n', "")
    },
    "narrow sums": evolve(b.matmul(int8(2, 3), int8(3, 4)), accumulator="int16"),
    "relu in place": b.activation("relu", int8(4), in_place=True, output=int8(4)),
    "exp of an integer": b.activation("exp", int8(4), output=Tensor((4,), "float32")),
    "activation with a weight": b.activation("prelu", (2, 3), weights=[(3,)]),
    "reduce": b.reduce("max", (2, 3, 4), (0, 2)),
    "reduce, axes kept": b.reduce("product", (2, 3, 4), (-1,), keep_axes=True),
    "reduce to one": b.reduce("mean", (2, 3)),
    "reduce along no axis": b.reduce("sum", (2, 3), ()),
    "transpose": b.transpose((2, 3, 4), (2, 0, 1)),
    "pad": b.pad((2, 3), [(1, 0), (2, 2)]),
    "crop": b.pad((5, 4), [(-1, -2), (0, -1)]),
    "pad and crop": b.pad((5,), [(2, -4)]),
    "flip": b.shift("selection", (5,), (5,), (-4,), steps=(-1,)),
    "slice": b.shift("selection", (9, 4), (3, 4), (-1, 0), steps=(3, 1)),
    "repeat": b.repeat((2, 3), 1, 4),
    "tile": b.repeat((2, 3), 1, 4, is_tiled=True),
    "repeat once": b.repeat((2, 3), 1, 1),
    "broadcast": b.broadcast_to((3, 1), (2, 3, 4)),
    "copy": b.copy("quantization", Tensor((2, 3), "float32"), output=int8(2, 3)),
    "fill": b.fill((2, 3)),
    "concatenation of one": b.concatenate([(2, 3)], 0),
    "split into one": b.split((4,), 0, (4,)),
    "embedding": b.embedding(Tensor((2, 5), "int32"), Tensor((7, 4), "float16"),
                             output=Tensor((2, 5, 4), "float16")),
    "embedding along another axis": b.embedding((2,), (3, 7), axis=1, table_role="input"),
    "embedding by numbers with a point": b.embedding(Tensor((2,), "float32"), (3, 4)),
    "a scalar": Contraction(operands=[input_of(()), input_of(()), output_of(())]),
    "a step of softmax": b.softmax((2, 3)).decompose()[1],
}  # fmt: skip
"""What goes to text and back: every builder, and what each may be set to."""


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())
def test_an_operator_comes_back_from_its_text(operator: Operator) -> None:
    back = from_linalg(to_linalg(operator))
    assert back == operator
    assert type(back) is type(operator)
    assert (back.macs, back.operations) == (operator.macs, operator.operations)


EVERY_STEP: dict[str, Operator] = {
    "softmax": b.softmax((2, 5), (1,)),
    "layer normalization": b.normalize((2, 5), (1,), weights=[(5,), (5,)]),
    "group normalization": b.normalize((2, 6, 5), (1,), groups=3),
    "attention": b.attention((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7), score_steps=["tanh"]),
}


@pytest.mark.parametrize("operator", EVERY_STEP.values(), ids=EVERY_STEP.keys())
def test_every_step_of_a_composite_operator_is_a_linalg_generic(operator: Operator) -> None:
    steps = [step for step in operator.decompose() if type(step).__name__ != "Softmax"]
    assert steps
    for step in steps:
        back = from_linalg(to_linalg(step))
        assert back.operations == step.operations
        assert {str(item) for item in back.operands} == {str(item) for item in step.operands}


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_the_text_computes_what_numpy_does_and_comes_back(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name]())
    try:
        text = to_linalg(case.operator)
    except LinalgError:
        assert name in REFUSED_AT_TIMES
        return
    assert from_linalg(text) == case.operator
    if case.operator.points <= MOST_POINTS:
        (expected,) = case.expected
        np.testing.assert_allclose(
            computed(text, *case.arrays), expected, rtol=1e-12, atol=1e-12, strict=True
        )


REFUSED_AT_TIMES = {
    "conv_transpose", "pool", "concatenate", "stack", "split", "unstack", "take", "take_along",
}  # fmt: skip
"""The builders of some of the exceptions below."""
MOST_POINTS = 500
"""Points of a nest that plain Python walks through a text in reasonable time."""


@st.composite
def drawn_contractions(draw: st.DrawFn) -> Contraction:
    """Products at any affine indices, also outside of the operands, in any formats."""
    names = draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True))
    sizes = {name: draw(st.integers(1, 4)) for name in names}
    formats = st.sampled_from([None, "float32", "float16", "int8", "uint4", "fixed<6,2>"])

    def an_index() -> Any:
        chosen = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        terms = [f"{draw(st.integers(-3, 3))}*{name}".replace("*", "") for name in chosen]
        return " + ".join([*terms, str(draw(st.integers(0, 9)))]).replace("+ -", "- ")

    def a_source() -> Operand:
        shape = draw(st.lists(st.integers(1, 6), max_size=3))
        role: Any = draw(st.sampled_from(["input", "weight"]))
        return Operand(role, Tensor(shape, draw(formats)), [an_index() for _ in shape])

    kept = draw(st.lists(st.sampled_from(names), unique=True))
    result = Tensor([sizes[name] for name in kept], draw(formats))
    return Contraction(dims=sizes, operands=[a_source(), a_source(), output_of(result, *kept)])


@given(operator=drawn_contractions())
def test_any_affine_indices_come_back(operator: Contraction) -> None:
    assert from_linalg(to_linalg(operator)) == operator


def test_names_of_dimensions_and_roles_survive_and_formats_are_element_types() -> None:
    text = to_linalg(b.matmul(int8(2, 3), int8(3, 4), output=Tensor((2, 4), "int32")))
    assert 'costmodel.dims = ["m", "n", "k"], costmodel.roles = ["input", "weight"]' in text
    assert "%arg0: tensor<2x3xi8>, %arg1: tensor<3x4xi8>) -> tensor<2x4xi32>" in text
    assert "arith.extsi %in0 : i8 to i32" in text
    assert "costmodel.formats" not in text


def test_the_operands_that_are_read_come_back_before_the_output() -> None:
    operator = Reduction(
        dims={"m": 2}, operands=[output_of(()), input_of((2,), "m")], function="sum"
    )
    written, read = operator.operands
    assert from_linalg(to_linalg(operator)) == evolve(operator, operands=[read, written])


def test_mlir_accepts_every_text() -> None:
    ir: Any = pytest.importorskip("iree.compiler.ir", reason="no compiler of MLIR is installed")
    for operator in OPERATORS.values():
        with ir.Context():
            assert ir.Module.parse(to_linalg(operator)).operation.verify()


# ------------------------------------------------------------------ what cannot be stated


def by_hand(written: str, length: int, **dims: int) -> Contraction:
    return Contraction(
        dims={"p": 4, **dims},
        operands=[input_of((4,), "p"), weight_of((4,), "p"), output_of((length,), written)],
    )


EXCEPTIONS: tuple[tuple[Operator, str], ...] = (
    (b.conv_transpose((1, 2, 5), (2, 3, 3), stride=2),
     "gather instead of scattering: a transposed convolution is a convolution of the input with"),
    (by_hand("p + 1", 4), "the output is written at p + 1 along an axis of 4"),
    (by_hand("p", 5), "the output is written at p along an axis of 5"),
    (by_hand("2p", 8), "the output is written at 2p along an axis of 8"),
    (by_hand("p - 1", 4), "gather instead of scattering"),
    (b.concatenate([(2,), (3,)], 0), "it moves 2 operands to one; use tensor.concat"),
    (b.split((5,), 0, (2, 3)), "it has 2 outputs; write an operator for each output"),
    (b.read((2, 3), purpose="mask"), "it has 0 outputs; write an operator for each output"),
    (b.pool("mean", (1, 2, 5), 3, padding=1), "so their sizes differ; write the sum of the window"),
    (b.softmax((2, 3)), "Softmax is not one linalg.generic; write each of operator.decompose()"),
    (b.normalize((2, 3), (1,)), "write each of operator.decompose()"),
    (b.attention((2, 3), (4, 3), (4, 3), layout="md"), "write each of operator.decompose()"),
    (Counted(operation="add", count=3), "Counted is not one linalg.generic; it has no index maps"),
    (b.rearrange("sort", [(3,)], [(3,)]), "an index is not affine; only the table of a Gather"),
    (b.rearrange("sort", [(3,)], [(4,)]), "an index is not affine; only the table of a Gather"),
    (Movement(operands=[output_of((3,), None)], purpose="x"), "the index of the output is not"),
    (Contraction(dims={"m": 2}, operands=[
        input_of((2,), "m"), input_of((2,), "m"), output_of((2, 2), "m", "m")]),
     "a dimension stands on two axes of the output"),
    (Gather(dims={"m": 2}, operands=[
        input_of((2,), "m"), Operand("weight", (9, 9), (None, None)), output_of((2,), "m")]),
     "expected indices, and a table of which one axis depends on them"),
    (Gather(dims={"m": 2}, operands=[
        input_of((2,), "m"), Operand("weight", (9, 9), (None, "2m")), output_of((2,), "m")]),
     "expected indices, and a table of which one axis depends on them"),
    (Movement(dims={"m": 2}, operands=[
        Operand("input", (9,), ("m",), touched=1), output_of((2,), "m")], purpose="x"),
     "an operand states `touched`, which no index map does"),
    (b.matmul((Symbol("batch"), 3), (3, 4)), "dimension 'm' has size batch; bind it first"),
    (Contraction(dims={"m": 0}, operands=[
        input_of((2,), "m"), input_of((2,), "m"), output_of(())]),
     "dimension 'm' has size 0; expected 1 or more"),
    (Contraction(dims={"m": 2}, operands=[input_of((2,), "m"), output_of(())]),
     "it reads 1 operands; expected two factors"),
    (Contraction(dims={"m": 2}, operands=[
        input_of((2,), "m"), input_of((2,), "m"), weight_of((2,), "m"), output_of(())]),
     "a bias has a dimension that the output has not"),
    (Reduction(dims={"m": 2}, operands=[
        input_of((2,), "m"), input_of((2,), "m"), output_of(())], function="sum"),
     "it reads 2 operands; expected one"),
    (Movement(dims={"m": 2}, operands=[input_of((2,), "m"), output_of(())], purpose="x"),
     "dimensions m are not in the output, and nothing is reduced"),
    (b.activation("add", (3,)), "'add' is an elementwise function; make it an Elementwise"),
    (Contraction(dims={"m": 2}, operands=[
        input_of((2,), f"{2**63}m"), input_of((2,), "m"), output_of((2,), "m")]),
     "reaches further than 2^62"),
    (b.copy("copy", Tensor((2,), PowerOfTwo(4, max_exponent=2))),
     "has no text that states all of it"),
)  # fmt: skip
"""The exceptions that the documentation states, each with its message."""


@pytest.mark.parametrize(("operator", "message"), EXCEPTIONS)
def test_an_operator_that_linalg_generic_cannot_state_is_refused(
    operator: Operator, message: str
) -> None:
    with pytest.raises(LinalgError, match=re.escape(message)):
        to_linalg(operator)


class Own(Contraction):
    """An operator of a third party, of which nobody knows what it does."""


def test_an_operator_of_a_third_party_is_refused() -> None:
    held = b.matmul((2, 3), (3, 4))
    own = Own(dims=held.dims, operands=held.operands)
    with pytest.raises(LinalgError, match=r"Own is not one linalg\.generic"):
        to_linalg(own)
