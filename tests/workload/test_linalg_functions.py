"""Whole functions of linalg: what a compiler writes becomes a workload, and workloads come back."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from attrs import evolve
from hypothesis import given

import costmodel
from costmodel.errors import CostModelError, LinalgError
from costmodel.formats import parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.testing import strategies
from costmodel.testing.strategies import workloads
from costmodel.workload import builders
from costmodel.workload.assembly import Assembly
from costmodel.workload.graph import Node, View, Workload
from costmodel.workload.linalg import from_mlir, to_linalg, to_mlir
from costmodel.workload.operators import Movement

pytest.importorskip("xdsl")

MLP = """
#rows = affine_map<(m, n) -> (m, n)>
#bias = affine_map<(m, n) -> (n)>
func.func @mlp(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %b: tensor<32xf32>, %v: tensor<32x10xf32>) -> tensor<8x10xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %start = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %sums = linalg.matmul ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%start : tensor<8x32xf32>) -> tensor<8x32xf32>
  %h = linalg.generic {indexing_maps = [#rows, #bias, #rows], iterator_types = ["parallel", "parallel"]}
    ins(%sums, %b : tensor<8x32xf32>, tensor<32xf32>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%s: f32, %c: f32, %o: f32):
    %0 = arith.addf %s, %c : f32
    linalg.yield %0 : f32
  } -> tensor<8x32xf32>
  %r = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]}
    ins(%h : tensor<8x32xf32>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%s: f32, %o: f32):
    %0 = arith.maximumf %s, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<8x32xf32>
  %f = tensor.empty() : tensor<8x10xf32>
  %second = linalg.fill ins(%zero : f32) outs(%f : tensor<8x10xf32>) -> tensor<8x10xf32>
  %y = linalg.matmul ins(%r, %v : tensor<8x32xf32>, tensor<32x10xf32>) outs(%second : tensor<8x10xf32>) -> tensor<8x10xf32>
  return %y : tensor<8x10xf32>
}
"""  # noqa: E501  # MLIR


def test_the_operations_of_a_function_are_the_nodes_of_a_workload() -> None:
    workload = from_mlir(MLP, weights=[1, 2, 3])
    assert (workload.name, workload.macs) == ("mlp", 8 * 64 * 32 + 8 * 32 * 10)
    assert dict(workload.operations)["add"] == 8 * 32
    assert [type(node.operator).__name__ for node, _ in workload.nodes] == [
        "Contraction", "Elementwise", "Activation", "Contraction",
    ]  # fmt: skip
    assert (workload.inputs, workload.weights) == (("arg0",), ("arg1", "arg2", "arg3"))
    chain = [step for step in workload if isinstance(step, Node)]
    assert all(one.writes[0] in other.reads for one, other in itertools.pairwise(chain))


def test_arguments_are_inputs_unless_a_caller_says_otherwise() -> None:
    assert from_mlir(MLP).weights == ()
    with pytest.raises(LinalgError, match="expected places among 4 arguments"):
        from_mlir(MLP, weights=[4])


def test_functions_that_are_called_become_part_of_the_caller() -> None:
    inner = MLP.replace("func.func @mlp", "func.func private @mlp")
    head = "%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %b: tensor<32xf32>, %v: tensor<32x10xf32>"
    types = ", ".join(part.split(": ")[1] for part in head.split(", "))
    text = f"""{inner}
func.func @main({head}) -> tensor<8x10xf32> {{
  %0 = func.call @mlp(%x, %w, %b, %v) : ({types}) -> tensor<8x10xf32>
  return %0 : tensor<8x10xf32>
}}
"""
    assert from_mlir(text).macs == from_mlir(MLP).macs
    assert from_mlir(text, function="mlp") == from_mlir(MLP)


NAMED = {
    "linalg.conv_2d_nchw_fchw": ("1x3x9x9", "8x3x3x3", "1x8x7x7"),
    "linalg.conv_2d_nhwc_hwcf": ("1x9x9x3", "3x3x3x8", "1x7x7x8"),
    "linalg.conv_2d_nhwc_fhwc": ("1x9x9x3", "8x3x3x3", "1x7x7x8"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_convolution_is_read(name: str) -> None:
    image, kernel, result = [f"tensor<{shape}xf32>" for shape in NAMED[name]]
    settings = "{dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}"
    text = f"""
func.func @f(%x: {image}, %w: {kernel}, %e: {result}) -> {result} {{
  %0 = {name} {settings} ins(%x, %w : {image}, {kernel}) outs(%e : {result}) -> {result}
  return %0 : {result}
}}
"""
    assert from_mlir(text).macs == 7 * 7 * 8 * 27


def test_a_slice_and_a_reshape_are_views_and_a_padding_moves() -> None:
    text = """
func.func @f(%x: tensor<4x6xf32>) -> tensor<14xf32> {
  %c = arith.constant 0.0 : f32
  %s = tensor.extract_slice %x[1, 2] [2, 4] [1, 1] : tensor<4x6xf32> to tensor<2x4xf32>
  %r = tensor.collapse_shape %s [[0, 1]] : tensor<2x4xf32> into tensor<8xf32>
  %p = tensor.pad %r low[2] high[4] {
  ^bb0(%i: index):
    tensor.yield %c : f32
  } : tensor<8xf32> to tensor<14xf32>
  return %p : tensor<14xf32>
}
"""
    workload = from_mlir(text)
    views = [step for step in workload if isinstance(step, View)]
    assert [(one.kind, one.starts) for one in views] == [("slice", (1, 2)), ("reshape", ())]
    (operator,) = workload.operators
    assert isinstance(operator, Movement)
    assert operator.purpose == "padding"


# ------------------------------------------------------------------ there and back


def read_first(workload: Workload) -> Workload:
    """The workload with the operands that are read before those that are written."""
    steps = []
    for step in workload.steps:
        made = step
        if isinstance(step, Node):
            operands = step.operator.operands
            order = sorted(range(len(operands)), key=lambda place: operands[place].role == "output")
            made = evolve(
                step,
                operator=evolve(step.operator, operands=[operands[place] for place in order]),
                tensors=[step.tensors[place] for place in order],
            )
        steps.append(made)
    return evolve(workload, steps=steps)


@given(workloads(strategies.operators(), has_control_flow=False, has_batch=False))
def test_a_drawn_workload_comes_back_from_its_text(workload: Workload) -> None:
    try:
        text = to_mlir(workload)
    except LinalgError as error:
        assert "no text that states" in str(error) or "no elements" in str(error)  # noqa: PT017
        return
    assert from_mlir(text) == read_first(workload)


def test_a_function_of_numbers_of_several_types_comes_back() -> None:
    """MLIR has one function of a name: those without an operation get a name for each type."""
    made = Assembly("net")
    for number in ("int8", "int4", "float16", "int4"):
        value = made.input("x", Tensor((2, 3), parse_format(number)))
        for function in ("acme", "acme.2", "acme"):
            work = builders.activation("silu", made.tensor(value))
            value = made.add(evolve(work, function=function), value)
    workload = made.workload([value])
    text = to_mlir(workload)
    names = re.findall(r'private @"costmodel\.(.*)"', text)
    assert names == ["acme", *[f"acme.{number}" for number in (2, 3, 4, 5)]]
    assert from_mlir(text) == workload


def test_indices_that_declare_no_format_come_back() -> None:
    made = Assembly("net")
    indices, table = made.input("x", (5,)), made.weight("table", (10, 4))
    work = builders.embedding(made.tensor(indices), made.tensor(table))
    workload = made.workload([made.add(work, indices, table)])
    assert from_mlir(to_mlir(workload)) == workload


@pytest.mark.parametrize("name", ["vgg9", "alexnet"])
def test_the_workload_of_a_network_comes_back(name: str) -> None:
    workload = costmodel.lower(costmodel.read(f"examples/{name}.json")).bind(batch=2)
    back = from_mlir(to_mlir(workload))
    assert back == read_first(workload)
    assert back.macs == workload.macs


def test_loops_and_open_sizes_are_refused() -> None:
    workload = costmodel.lower(costmodel.read("examples/vgg9.json"))
    with pytest.raises(LinalgError, match=r"open sizes; bind it: bind\(batch=1\)"):
        to_mlir(workload)


def test_each_writer_says_what_it_writes() -> None:
    workload = costmodel.lower(costmodel.read("examples/vgg9.json")).bind(batch=1)
    with pytest.raises(TypeError, match="expected an operator, found a Workload; to_mlir writes"):
        to_linalg(workload)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError, match="expected a workload, found a Contraction; to_linalg"):
        to_mlir(workload.operators[0])  # type: ignore[arg-type]  # what is tested


REFUSED = {
    "memory": (
        (
            "func.func @f(%x: memref<4x4xf32>, %o: memref<4x4xf32>) {\n"
            "  linalg.matmul ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) "
            "outs(%o : memref<4x4xf32>)\n  return\n}"
        ),
        "linalg.matmul on memref<4x4xf32>; expected tensors",
    ),
    "two functions": (MLP + MLP.replace("@mlp", "@other").replace("#", "#o"), "2 functions"),
    "another operation": (
        (
            "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
            "  %0 = math.exp %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}"
        ),
        "found math.exp; expected linalg.generic",
    ),
    "a call of what is not there": (
        (
            "func.func private @g(tensor<4xf32>) -> tensor<4xf32>\n"
            "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
            "  %0 = func.call @g(%x) : (tensor<4xf32>) -> tensor<4xf32>\n"
            "  return %0 : tensor<4xf32>\n}"
        ),
        "of which the module has no body",
    ),
    "open lengths": (
        "func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {\n  return %x : tensor<?xf32>\n}",
        "expected lengths of 1 or more",
    ),
    "JSON that is no operator": (
        (
            "func.func private @g(tensor<4xf32>) -> (tensor<4xf32>) "
            'attributes {costmodel.operator = "[1]"}\n'
            "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
            "  %0 = func.call @g(%x) : (tensor<4xf32>) -> tensor<4xf32>\n"
            "  return %0 : tensor<4xf32>\n}"
        ),
        "costmodel.operator: workload: expected a workload",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_workload_is_refused_with_the_reason(case: str) -> None:
    text, words = REFUSED[case]
    with pytest.raises(LinalgError, match=words):
        from_mlir(text)


@pytest.mark.parametrize("place", range(0, len(MLP), 97))
def test_a_text_with_a_piece_cut_out_is_a_workload_or_an_error_of_ours(place: int) -> None:
    text = MLP[:place] + MLP[place + 7 :]
    try:
        found = from_mlir(text)
    except CostModelError:
        return
    assert json.dumps(found.macs)
