"""The table: every operation of the dialects has a rule or a reason, and rules count by hand."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import costmodel
from costmodel.errors import ReadError
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Unsupported
from costmodel_stablehlo.operators import STABLEHLO
from costmodel_stablehlo.operators.reasons import STRUCTURE, UNPRICED

pytest.importorskip("jaxlib")

NEWER = {"collective_reduce"}
"""Operations of jaxlib 0.12, which older ones do not have."""
DIALECTS = {"stablehlo": "", "chlo": "chlo.", "func": "func."}


def registered(dialect: str) -> set[str]:
    """The names of the operations that jaxlib has of a dialect."""
    module = importlib.import_module(f"jaxlib.mlir.dialects._{dialect}_ops_gen")
    return {
        one.OPERATION_NAME.removeprefix(f"{dialect}.")
        for one in vars(module).values()
        if isinstance(getattr(one, "OPERATION_NAME", None), str)
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_operation_has_a_rule_or_a_reason(dialect: str) -> None:
    names = {DIALECTS[dialect] + name for name in registered(dialect)}
    assert names
    assert names - set(STABLEHLO.operators) - set(STRUCTURE) == set()


def test_every_operation_of_the_table_is_one_of_a_dialect() -> None:
    known = {DIALECTS[one] + name for one in DIALECTS for name in registered(one)}
    # jaxlib offers the operations of Shardy in a dialect of their own
    assert {name for name in STABLEHLO.operators if not name.startswith("sdy.")} <= known | NEWER


def test_a_reason_is_a_sentence() -> None:
    assert all(len(reason.split()) > 3 for reason in UNPRICED.values())


# ------------------------------------------------------------------ rules


def lowered(body: str, *arguments: str, result: str, weights: Any = None) -> Workload:
    """The workload of a function; `weights` are the arguments that are not inputs."""
    head = ", ".join(f"%{name}: {held}" for name, held in zip("xyzuvw", arguments, strict=False))
    text = f"func.func @main({head}) -> {result} {{\n{body}\n  return %r : {result}\n}}\n"
    return costmodel.lower(costmodel.read(text)).bind(batch=1)


def operations(*given: Any, **options: Any) -> dict[str, int]:
    return dict(lowered(*given, **options).operations)


UNARY = {
    "abs": "float", "negate": "float", "exponential": "float", "log": "float", "tanh": "float",
    "logistic": "float", "sqrt": "float", "rsqrt": "float", "cbrt": "float", "sine": "float",
    "cosine": "float", "floor": "float", "ceil": "float", "sign": "float",
    "exponential_minus_one": "float", "log_plus_one": "float", "round_nearest_even": "float",
    "round_nearest_afz": "float", "not": "int", "popcnt": "int", "count_leading_zeros": "int",
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), UNARY.items())
def test_a_function_of_one_element_counts_once_for_each(name: str, kind: str) -> None:
    held = "tensor<3x4xf32>" if kind == "float" else "tensor<3x4xi32>"
    counted = operations(f"  %r = stablehlo.{name} %x : {held}", held, result=held)
    assert sum(counted.values()) == 12


BINARY = {
    "add": "add", "subtract": "add", "multiply": "multiply", "divide": "divide",
    "minimum": "compare", "maximum": "compare", "remainder": "divide",
}  # fmt: skip


@pytest.mark.parametrize(("name", "counted"), BINARY.items())
def test_a_function_of_two_counts_once_for_each_element(name: str, counted: str) -> None:
    held = "tensor<3x4xf32>"
    body = f"  %r = stablehlo.{name} %x, %y : {held}"
    assert operations(body, held, held, result=held) == {counted: 12}


def test_a_vector_that_is_broadcast_is_read_as_it_is() -> None:
    body = """
  %b = stablehlo.broadcast_in_dim %y, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
  %r = stablehlo.add %x, %b : tensor<3x4xf32>"""
    workload = lowered(body, "tensor<3x4xf32>", "tensor<4xf32>", result="tensor<3x4xf32>")
    assert dict(workload.operations) == {"add": 12}
    (node,) = [node for node, _ in workload.nodes]
    assert sorted(one.tensor.size for one in node.operator.operands) == [4, 12, 12]


def test_a_clamp_is_two_comparisons_and_one_to_six_a_rectifier() -> None:
    body = """
  %low = stablehlo.constant dense<{low}> : tensor<f32>
  %high = stablehlo.constant dense<6.0> : tensor<f32>
  %r = stablehlo.clamp %low, %x, %high : (tensor<f32>, tensor<12xf32>, tensor<f32>)
    -> tensor<12xf32>"""
    held = "tensor<12xf32>"
    assert operations(body.format(low="1.0"), held, result=held) == {"compare": 24}
    (operator,) = lowered(body.format(low="0.0"), held, result=held).operators
    assert operator.function == "relu6"  # type: ignore[attr-defined]  # an activation


PRODUCTS = {
    "matrices": ("3x4", "4x5", "contracting_dims = [1] x [0]", "3x5", 60),
    "the right one transposed": ("3x4", "5x4", "contracting_dims = [1] x [1]", "3x5", 60),
    "the left one transposed": ("4x3", "4x5", "contracting_dims = [0] x [0]", "3x5", 60),
    "a batch": (
        "2x3x4",
        "2x4x5",
        "batching_dims = [0] x [0], contracting_dims = [2] x [1]",
        "2x3x5",
        120,
    ),
    "a batch behind": (
        "3x4x2",
        "4x5x2",
        "batching_dims = [2] x [2], contracting_dims = [1] x [0]",
        "2x3x5",
        120,
    ),
    "two contracted axes": ("3x4x5", "4x5x6", "contracting_dims = [1, 2] x [0, 1]", "3x6", 360),
    "none contracted": ("3", "5", "contracting_dims = [] x []", "3x5", 15),
    "vectors": ("7", "7", "contracting_dims = [0] x [0]", "", 7),
}


@pytest.mark.parametrize("case", PRODUCTS)
def test_a_product_has_the_product_of_its_axes(case: str) -> None:
    left, right, dims, result, macs = PRODUCTS[case]
    given = [f"tensor<{shape}xf32>" for shape in (left, right)]
    made = f"tensor<{result}xf32>" if result else "tensor<f32>"
    body = f"  %r = stablehlo.dot_general %x, %y, {dims} : ({', '.join(given)}) -> {made}"
    assert lowered(body, *given, result=made).macs == macs


CONVOLUTIONS = {
    "plain": (
        "1x9x9x3", "3x3x3x8", "stride = [1, 1], pad = [[1, 1], [1, 1]]", "1x9x9x8", 1,
        9 * 9 * 8 * 27,
    ),
    "strided": (
        "1x9x9x3", "3x3x3x8", "stride = [2, 2], pad = [[0, 0], [0, 0]]", "1x4x4x8", 1,
        4 * 4 * 8 * 27,
    ),
    "cropped by negative padding": (
        "1x9x9x3", "3x3x3x8", "stride = [1, 1], pad = [[-1, 0], [0, -2]]", "1x6x5x8", 1,
        6 * 5 * 8 * 27,
    ),
    "transposed": (
        "1x4x4x3", "3x3x3x8", "stride = [1, 1], pad = [[1, 2], [1, 2]], lhs_dilate = [2, 2]",
        "1x8x8x8", 1, 4 * 4 * 3 * 9 * 8,
    ),
    "transposed, in groups": (
        "1x4x4x6", "3x3x3x8", "stride = [1, 1], pad = [[1, 2], [1, 2]], lhs_dilate = [2, 2]",
        "1x8x8x8", 2, 4 * 4 * 6 * 9 * 4,
    ),
    "transposed, padded beyond": (
        "1x4x4x3", "3x3x3x8", "stride = [1, 1], pad = [[4, 3], [3, 2]], lhs_dilate = [2, 2]",
        "1x12x10x8", 1, 4 * 4 * 3 * 9 * 8,
    ),
    "dilated": (
        "1x9x9x3", "3x3x3x8", "stride = [1, 1], pad = [[0, 0], [0, 0]], rhs_dilate = [2, 2]",
        "1x5x5x8", 1, 5 * 5 * 8 * 27,
    ),
    "depthwise": (
        "1x9x9x8", "3x3x1x8", "stride = [1, 1], pad = [[1, 1], [1, 1]]", "1x9x9x8", 8,
        9 * 9 * 8 * 9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution_counts_windows_and_a_transposed_one_its_input(case: str) -> None:
    image, kernel, window, result, groups, macs = CONVOLUTIONS[case]
    given = [f"tensor<{shape}xf32>" for shape in (image, kernel)]
    made = f"tensor<{result}xf32>"
    body = f"""
  %r = stablehlo.convolution(%x, %y) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f],
    window = {{{window}}} {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}}
    : ({", ".join(given)}) -> {made}"""
    assert lowered(body, *given, result=made).macs == macs


@pytest.mark.parametrize(
    ("numbers", "image", "kernel", "result"),
    [
        ("[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]", "1x3x9x7", "8x3x3x2", "1x8x7x6"),
        ("[0, b, 1, f]x[0, o, 1, i]->[f, b, 0, 1]", "9x1x7x3", "3x8x2x3", "8x1x7x6"),
        ("[b, 1, 0, f]x[1, 0, i, o]->[b, 0, 1, f]", "1x7x9x3", "2x3x3x8", "1x7x6x8"),
    ],
)
def test_the_axes_of_a_convolution_may_stand_anywhere(
    numbers: str, image: str, kernel: str, result: str
) -> None:
    given = [f"tensor<{shape}xf32>" for shape in (image, kernel)]
    made = f"tensor<{result}xf32>"
    body = f"""
  %r = stablehlo.convolution(%x, %y) dim_numbers = {numbers}, window = {{}}
    {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}}
    : ({", ".join(given)}) -> {made}"""
    assert lowered(body, *given, result=made).macs == 7 * 6 * 8 * 3 * 2 * 3


def windows(function: str, shape: str, result: str, dims: str, more: str = "") -> str:
    return f"""
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %r = "stablehlo.reduce_window"(%x, %z) <{{window_dimensions = array<i64: {dims}>{more}}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.{function} %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
  }}) : (tensor<{shape}xf32>, tensor<f32>) -> tensor<{result}xf32>"""


@pytest.mark.parametrize(
    ("function", "dims", "more", "result", "counted"),
    [
        ("maximum", "1, 2, 2, 1", ", window_strides = array<i64: 1, 2, 2, 1>", "1x4x4x3",
         {"compare": 4 * 4 * 3 * (4 - 1)}),
        ("add", "1, 3, 3, 1", "", "1x6x6x3", {"add": 6 * 6 * 3 * (9 - 1)}),
        ("add", "1, 1, 1, 3", "", "1x8x8x1", {"add": 8 * 8 * (3 - 1)}),
        ("add", "1, 8, 1, 1", (", padding = dense<[[0, 0], [7, 0], [0, 0], [0, 0]]> : "
         "tensor<4x2xi64>"), "1x8x8x3", {"add": 8 * 8 * 3}),
    ],
)  # fmt: skip
def test_windows_count_their_elements_and_running_sums_each_element(
    function: str, dims: str, more: str, result: str, counted: dict[str, int]
) -> None:
    body = windows(function, "1x8x8x3", result, dims, more)
    held = f"tensor<{result}xf32>"
    assert operations(body, "tensor<1x8x8x3xf32>", result=held) == counted


ROWS = """
  %r = "stablehlo.gather"(%x, %y) <{{dimension_numbers = #stablehlo.gather<offset_dims = [{offset}],
    collapsed_slice_dims = [{axis}], start_index_map = [{axis}], index_vector_dim = 1>,
    slice_sizes = array<i64: {sizes}>, indices_are_sorted = false}}>
    : (tensor<10x16xf32>, tensor<5x1xi32>) -> tensor<{result}xf32>"""


@pytest.mark.parametrize(
    ("axis", "offset", "sizes", "result"),
    [
        (0, 1, "1, 16", "5x16"), (1, 0, "10, 1", "10x5"),
        (1, 1, "10, 1", "5x10"), (1, 1, "4, 1", "5x4"),
    ],
)  # fmt: skip
def test_a_gather_reads_what_it_gives(axis: int, offset: int, sizes: str, result: str) -> None:
    body = ROWS.format(axis=axis, offset=offset, sizes=sizes, result=result)
    held = f"tensor<{result}xf32>"
    workload = lowered(body, "tensor<10x16xf32>", "tensor<5x1xi32>", result=held)
    table = next(
        operand
        for node, _ in workload.nodes
        for operand in node.operator.operands
        if operand.tensor.size == 10 * 16
    )
    first = next(node.operator for node, _ in workload.nodes)
    rows, columns = map(int, result.split("x"))
    assert first.accesses(table).elements == rows * columns


def test_a_scatter_that_adds_counts_an_addition_for_each_update() -> None:
    body = """
  %r = "stablehlo.scatter"(%x, %y, %z) <{scatter_dimension_numbers = #stablehlo.scatter<
    update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0],
    index_vector_dim = 1>, indices_are_sorted = false, unique_indices = false}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
  }) : (tensor<10x16xf32>, tensor<5x1xi32>, tensor<5x16xf32>) -> tensor<10x16xf32>"""
    given = ["tensor<10x16xf32>", "tensor<5x1xi32>", "tensor<5x16xf32>"]
    assert operations(body, *given, result="tensor<10x16xf32>")["add"] == 5 * 16


def test_an_arg_max_is_a_reduction_that_compares() -> None:
    body = """
  %z = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %n = stablehlo.constant dense<0> : tensor<i32>
  %i = stablehlo.iota dim = 1 : tensor<3x7xi32>
  %p:2 = stablehlo.reduce(%x init: %z), (%i init: %n) across dimensions = [1]
    : (tensor<3x7xf32>, tensor<3x7xi32>, tensor<f32>, tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>)
    reducer(%a: tensor<f32>, %c: tensor<f32>) (%b: tensor<i32>, %d: tensor<i32>) {
      %0 = stablehlo.compare GT, %a, %c, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %1 = stablehlo.select %0, %a, %c : tensor<i1>, tensor<f32>
      %2 = stablehlo.select %0, %b, %d : tensor<i1>, tensor<i32>
      stablehlo.return %1, %2 : tensor<f32>, tensor<i32>
    }
  %r = stablehlo.add %p#1, %p#1 : tensor<3xi32>"""
    assert operations(body, "tensor<3x7xf32>", result="tensor<3xi32>") == {
        "compare": 3 * (7 - 1), "add": 3,
    }  # fmt: skip


CALLS = {
    "Sharding": (0, True), "acme": (0, False), "mhlo.erf": (0, True),
}  # fmt: skip


@pytest.mark.parametrize("target", CALLS)
def test_a_call_of_a_known_name_is_priced_and_another_stays(target: str) -> None:
    _, is_known = CALLS[target]
    held = "tensor<3x4xf32>"
    body = f"""
  %0 = stablehlo.abs %x : {held}
  %r = stablehlo.custom_call @{target}(%0) : ({held}) -> {held}"""
    found = [type(one) for one in lowered(body, held, result=held).operators]
    assert (Unsupported not in found) == is_known


def test_a_call_of_a_matrix_library_is_a_product() -> None:
    body = """
  %r = stablehlo.custom_call @__cublas$gemm(%x, %y) {backend_config = ""}
    : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>"""
    body = body.replace("@__cublas$gemm", '@"__cublas$gemm"')
    given = ["tensor<3x4xf32>", "tensor<4x5xf32>"]
    assert lowered(body, *given, result="tensor<3x5xf32>").macs == 60


def test_attention_of_a_library_is_two_products() -> None:
    held = "tensor<2x10x4x8xf16>"
    body = (
        f'  %r = stablehlo.custom_call @"__cudnn$fmhaSoftmax"(%x, %y, %z) {{backend_config = ""}}'
        f" : ({held}, {held}, {held}) -> {held}"
    )
    assert lowered(body, held, held, held, result=held).macs == 2 * 2 * 4 * 10 * 10 * 8


def test_a_composite_is_known_by_its_name_or_is_what_it_is_made_of() -> None:
    text = """
    func.func @main(%x: tensor<12xf32>) -> tensor<12xf32> {{
      %0 = stablehlo.composite "{name}" %x {{decomposition = @inside}} : (tensor<12xf32>) -> tensor<12xf32>
      return %0 : tensor<12xf32>
    }}
    func.func private @inside(%x: tensor<12xf32>) -> tensor<12xf32> {{
      %0 = stablehlo.add %x, %x : tensor<12xf32>
      return %0 : tensor<12xf32>
    }}
    """  # noqa: E501  # MLIR
    for name, function in (("aten.gelu", "gelu"), ("acme.twice", "add")):
        network = costmodel.read(text.format(name=name))
        (operator,) = costmodel.lower(network).bind(batch=1).operators
        assert operator.function == function  # type: ignore[attr-defined]  # it has one


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (('  %r = "stablehlo.sort"(%x) <{dimension = 0 : i64, is_stable = true}> ({\n'
         "    ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n"
         "      %c = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>\n"
         "      stablehlo.return %c : tensor<i1>\n"
         "  }) : (tensor<12xf32>) -> tensor<12xf32>"), "how many comparisons a sort takes"),
        ("  %r = stablehlo.cholesky %x : tensor<4x4xf32>", "how many steps a factorisation takes"),
    ],
)  # fmt: skip
def test_what_has_no_price_says_why(body: str, reason: str) -> None:
    held = "tensor<4x4xf32>" if "4x4" in body else "tensor<12xf32>"
    (operator,) = lowered(body, held, result=held).operators
    assert isinstance(operator, Unsupported)
    assert operator.reason.startswith(reason)


def test_indices_that_are_constants_choose_a_part_and_a_branch() -> None:
    body = """
  %i = stablehlo.constant dense<2> : tensor<i32>
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %x : tensor<12xf32>
  }, {
    %0 = stablehlo.tanh %x : tensor<12xf32>
    stablehlo.return %0 : tensor<12xf32>
  }, {
    %0 = stablehlo.add %x, %x : tensor<12xf32>
    stablehlo.return %0 : tensor<12xf32>
  }) : (tensor<i32>) -> tensor<12xf32>"""
    assert operations(body, "tensor<12xf32>", result="tensor<12xf32>") == {"add": 12}


def test_branches_may_give_what_stands_around_them() -> None:
    body = """
  %i = stablehlo.convert %y : (tensor<f32>) -> tensor<i32>
  %c = stablehlo.constant dense<1.0> : tensor<12xf32>
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %x : tensor<12xf32>
  }, {
    stablehlo.return %c : tensor<12xf32>
  }, {
    %0 = stablehlo.add %x, %x : tensor<12xf32>
    stablehlo.return %0 : tensor<12xf32>
  }) : (tensor<i32>) -> tensor<12xf32>"""
    workload = lowered(body, "tensor<12xf32>", "tensor<f32>", result="tensor<12xf32>")
    assert workload.operations["add"] == 12


def test_a_loop_or_branch_that_cannot_be_read_is_named() -> None:
    inside = """
    %0 = stablehlo.custom_call @Sharding(%{held}) : (tensor<12xf32>) -> tensor<4xf32>
    %1 = stablehlo.custom_call @acme(%0) : (tensor<4xf32>) -> tensor<12xf32>"""
    loop = f"""
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %0:2 = stablehlo.while(%i = %zero, %h = %x) : tensor<i32>, tensor<12xf32>
   cond {{
    %five = stablehlo.constant dense<5> : tensor<i32>
    %1 = stablehlo.compare LT, %i, %five : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  }} do {{{inside.format(held="h")}
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %1 : tensor<i32>, tensor<12xf32>
  }}
  %r = stablehlo.tanh %0#1 : tensor<12xf32>"""
    branch = f"""
  %i = stablehlo.constant dense<1> : tensor<i32>
  %0 = "stablehlo.case"(%i) ({{
    stablehlo.return %x : tensor<12xf32>
  }}, {{{inside.format(held="x")}
    stablehlo.return %1 : tensor<12xf32>
  }}) : (tensor<i32>) -> tensor<12xf32>
  %r = stablehlo.tanh %0 : tensor<12xf32>"""
    for body in (loop, branch):
        operator, tanh = lowered(body, "tensor<12xf32>", result="tensor<12xf32>").operators
        assert isinstance(operator, Unsupported)
        assert operator.reason.startswith("what it holds cannot be read: stablehlo node 'custom_")
        assert operator.reason.count("node") == 1
        assert tanh.function == "tanh"  # type: ignore[attr-defined]  # it has one


def test_what_follows_a_shape_of_data_has_no_price_and_the_rest_has() -> None:
    inside = """
    %0 = stablehlo.custom_call @acme(%{held}) : (tensor<12xf32>) -> tensor<?xf32>
    %1 = stablehlo.tanh %0 : tensor<?xf32>"""
    body = f"""{inside.format(held="x")}
  %2 = stablehlo.custom_call @acme(%1) : (tensor<?xf32>) -> tensor<12xf32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %start = stablehlo.dynamic_broadcast_in_dim %y, %z, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
  %3:2 = stablehlo.while(%i = %zero, %h = %start) : tensor<i32>, tensor<?xf32>
   cond {{
    %five = stablehlo.constant dense<5> : tensor<i32>
    %4 = stablehlo.compare LT, %i, %five : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %4 : tensor<i1>
  }} do {{
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    %k = stablehlo.tanh %h : tensor<?xf32>
    stablehlo.return %j, %k : tensor<i32>, tensor<?xf32>
  }}
  %5 = stablehlo.custom_call @acme(%3#1) : (tensor<?xf32>) -> tensor<12xf32>
  %r = stablehlo.add %2, %5 : tensor<12xf32>"""  # noqa: E501  # MLIR
    found = lowered(body, "tensor<12xf32>", "tensor<f32>", "tensor<1xi32>", result="tensor<12xf32>")
    reasons = [one.reason for one in found.operators if isinstance(one, Unsupported)]
    first = "nobody knows what the custom call 'acme' does"
    assert reasons[:1] == [first]
    assert set(reasons[1:3]) == {f"the shape of what 'custom_call' gives is not known: {first}"}
    shape = [one for one in reasons if "the shape of what 'dynamic_broadcast_in_dim' gives" in one]
    assert len(shape) == len(("the loop", "the call"))
    assert found.operations == {"add": 12}


def test_a_shape_of_data_is_shown_as_unknown() -> None:
    text = """func.func public @main(%x: tensor<12xf32>) -> tensor<12xf32> {
    %0 = stablehlo.custom_call @acme(%x) : (tensor<12xf32>) -> tensor<?xf32>
    %1 = stablehlo.tanh %0 : tensor<?xf32>
    %2 = stablehlo.custom_call @acme(%1) : (tensor<?xf32>) -> tensor<12xf32>
    return %2 : tensor<12xf32>
    }"""
    _, *layers = costmodel.read(text).layers
    assert [layer.shown_outputs for layer in layers] == [["?"], ["?"], ["12"]]


COMPLEX = "tensor<4x4xcomplex<f32>>"
PAIR = f"({COMPLEX}, {COMPLEX}) -> {COMPLEX}"


@pytest.mark.parametrize(
    ("text", "priced"),
    [
        (f"multiply %x, %x : {COMPLEX}", False),
        (f"dot_general %x, %x, contracting_dims = [1] x [0] : {PAIR}", False),
        (f"transpose %x, dims = [1, 0] : ({COMPLEX}) -> {COMPLEX}", True),
    ],
    ids=["product", "matrix product", "order of axes"],
)
def test_arithmetic_of_complex_numbers_has_no_price(text: str, priced: bool) -> None:  # noqa: FBT001  # a parameter
    found = lowered(f"  %r = stablehlo.{text}", COMPLEX, result=COMPLEX)
    unpriced = [one for one in found.operators if isinstance(one, Unsupported)]
    assert (found.macs, found.operations, bool(unpriced)) == (0, {}, not priced)


def test_tensors_without_elements_are_no_work() -> None:
    body = """
  %0 = stablehlo.slice %x [0:0, 0:4] : (tensor<2x4xf32>) -> tensor<0x4xf32>
  %1 = stablehlo.tanh %0 : tensor<0x4xf32>
  %2 = stablehlo.concatenate %1, %x, dim = 0 : (tensor<0x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %3 = stablehlo.reduce(%1 init: %zero) applies stablehlo.add across dimensions = [0, 1]
    : (tensor<0x4xf32>, tensor<f32>) -> tensor<f32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<2x4xf32>
  %r = stablehlo.add %2, %4 : tensor<2x4xf32>"""
    workload = lowered(body, "tensor<2x4xf32>", result="tensor<2x4xf32>")
    reasons = [one.reason for one in workload.operators if isinstance(one, Unsupported)]
    assert reasons == ["it reads a tensor without elements"]
    assert workload.operations == {"add": 8}


def test_what_is_wrong_within_calls_is_said_once() -> None:
    text = """
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @outer(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    func.func private @outer(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @inner(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    func.func private @inner(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = stablehlo.custom_call @Sharding(%x) : (tensor<4xf32>) -> tensor<5xf32>
      %1 = stablehlo.custom_call @acme(%0) : (tensor<5xf32>) -> tensor<4xf32>
      return %1 : tensor<4xf32>
    }
    """
    with pytest.raises(ReadError, match=r"^module: stablehlo node 'custom_call' of .* gives"):
        costmodel.read(text)


def test_a_module_of_other_rules_is_read_by_a_plugin() -> None:
    with pytest.raises(ReadError):
        costmodel.read("func.func @f(%x: tensor<!acme.type>) -> () { return }\n")
