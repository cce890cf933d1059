"""Reading `linalg.generic` as MLIR writes it, and the texts that are refused."""

# ruff: noqa: E501  # MLIR writes an operation on one line

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.errors import LinalgError, MissingPackageError
from costmodel.workload import builders as b
from costmodel.workload.linalg import from_linalg, to_linalg
from costmodel.workload.linalg.reading import LONGEST
from costmodel.workload.operators import Operator


def generic(  # noqa: PLR0913  # the parts of one operation
    maps: str, kinds: str, read: str, written: str, body: str, *, before: str = "",
    arguments: str | None = None, attributes: str = "",
) -> str:  # fmt: skip
    """A function around one operation; dimensions d0, d1 and so on, operands %0, %1 and so on."""
    count = len(kinds)
    dims = ", ".join(f"d{place}" for place in range(count))
    listed = ", ".join(f"affine_map<({dims}) -> ({one.strip()})>" for one in maps.split(";"))
    iterators = ", ".join('"parallel"' if kind == "p" else '"reduction"' for kind in kinds)
    types = [one.strip() for one in read.split(";") if one.strip()]
    elements = [re.split(r"x(?=[a-z])", one)[-1] for one in [*types, written]]
    block = ", ".join(f"%x{place}: {element}" for place, element in enumerate(elements))
    tensors = [f"tensor<{one}>" for one in types]
    given_types = tensors if arguments is None else [arguments]
    head = ", ".join(
        f"%{place}: {one}" for place, one in enumerate([*given_types, f"tensor<{written}>"])
    )
    names = [f"%{place}" for place in range(len(types))] if arguments is None else ["%source"]
    ins = f"ins({', '.join(names)} : {', '.join(tensors)}) " if types else ""
    out = f"%{len(given_types)}"
    return f"""
module {{
  func.func @main({head}) -> tensor<{written}> {{
    {before}
    %made = linalg.generic {{indexing_maps = [{listed}], iterator_types = [{iterators}]}} {ins}outs({out} : tensor<{written}>) {attributes} {{
    ^bb0({block}):
      {body}
    }} -> tensor<{written}>
    return %made : tensor<{written}>
  }}
}}
"""


MULTIPLY_ADD = """%p = arith.mulf %x0, %x1 : f32
      %s = arith.addf %x2, %p : f32
      linalg.yield %s : f32"""
ONE = "%y = {} : f32\n      linalg.yield %y : f32"

MATMUL = """
#map = affine_map<(d0, d1, d2) -> (d0, d2)>
#map1 = affine_map<(d0, d1, d2) -> (d2, d1)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1)>
module {
  func.func @main(%arg0: tensor<4x8xf32>, %arg1: tensor<8x16xf32>) -> tensor<4x16xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %0 = tensor.empty() : tensor<4x16xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<4x16xf32>) -> tensor<4x16xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %arg1 : tensor<4x8xf32>, tensor<8x16xf32>) outs(%1 : tensor<4x16xf32>) {
    ^bb0(%in: f32, %in_0: f32, %out: f32):
      %3 = arith.mulf %in, %in_0 : f32
      %4 = arith.addf %out, %3 : f32
      linalg.yield %4 : f32
    } -> tensor<4x16xf32>
    return %2 : tensor<4x16xf32>
  }
}
"""

TEXTS: dict[str, tuple[str, str, int, dict[str, int]]] = {
    "matmul": (
        MATMUL, "contraction (d0=4 d1=16 d2=8): input[d0, d2], input[d2, d1] -> output[d0, d1]",
        512, {"multiply-accumulate": 512},
    ),
    "matmul of int8": (
        generic("d0, d2; d2, d1; d0, d1", "ppr", "4x8xi8; 8x16xi8", "4x16xi32", """%l = arith.extsi %x0 : i8 to i32
      %r = arith.extsi %x1 : i8 to i32
      %p = arith.muli %l, %r : i32
      %s = arith.addi %p, %x2 : i32
      linalg.yield %s : i32"""),
        "contraction (d0=4 d1=16 d2=8): input[d0, d2], input[d2, d1] -> output[d0, d1]",
        512, {"multiply-accumulate": 512},
    ),
    "batch matmul": (
        generic("d0, d1, d3; d0, d3, d2; d0, d1, d2", "pppr", "2x4x8xf32; 2x8x16xf32", "2x4x16xf32",
                MULTIPLY_ADD),
        ("contraction (d0=2 d1=4 d2=16 d3=8): "
        "input[d0, d1, d3], input[d0, d3, d2] -> output[d0, d1, d2]"),
        1024, {"multiply-accumulate": 1024},
    ),
    "conv_2d_nhwc_hwcf with stride 2": (
        generic("d0, d1 * 2 + d4, d2 * 2 + d5, d6; d4, d5, d6, d3; d0, d1, d2, d3", "pppprrr",
                "1x9x9x3xf32; 3x3x3x8xf32", "1x4x4x8xf32", MULTIPLY_ADD),
        ("contraction (d0=1 d1=4 d2=4 d3=8 d4=3 d5=3 d6=3): "
        "input[d0, 2d1 + d4, 2d2 + d5, d6], input[d4, d5, d6, d3] -> output[d0, d1, d2, d3]"),
        3456, {"multiply-accumulate": 3456},
    ),
    "conv_2d_nhwc_hwcf of a padded image": (
        generic("d0, d1 + d4, d2 + d5, d6; d4, d5, d6, d3; d0, d1, d2, d3", "pppprrr",
                "1x6x7x3xf32; 3x3x3x8xf32", "1x4x5x8xf32", MULTIPLY_ADD)
        .replace("ins(%0", "ins(%padded").replace("@main(%0: tensor<1x6x7x3xf32>", "@main(%0: tensor<1x4x5x3xf32>")
        .replace("%made =", """%zero = arith.constant 0.0 : f32
    %padded = tensor.pad %0 low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%a: index, %b: index, %c: index, %d: index):
      tensor.yield %zero : f32
    } : tensor<1x4x5x3xf32> to tensor<1x6x7x3xf32>
    %made ="""),
        ("contraction (d0=1 d1=4 d2=5 d3=8 d4=3 d5=3 d6=3): "
        "input[d0, d1 + d4 - 1, d2 + d5 - 1, d6], input[d4, d5, d6, d3] -> output[d0, d1, d2, d3]"),
        4320, {"multiply-accumulate": 4320},
    ),
    "depthwise_conv_2d_nhwc_hwc": (
        generic("d0, d1 + d4, d2 + d5, d3; d4, d5, d3; d0, d1, d2, d3", "pppprr",
                "1x6x6x8xf32; 3x3x8xf32", "1x4x4x8xf32", MULTIPLY_ADD),
        ("contraction (d0=1 d1=4 d2=4 d3=8 d4=3 d5=3): "
        "input[d0, d1 + d4, d2 + d5, d3], input[d4, d5, d3] -> output[d0, d1, d2, d3]"),
        1152, {"multiply-accumulate": 1152},
    ),
    "a grouped convolution of expanded channels": (
        generic("d0, d1, d3; d1, d2, d3; d0, d1, d2", "pppr", "1x2x4xf32; 2x3x4xf32", "1x2x3xf32",
                MULTIPLY_ADD)
        .replace("ins(%0", "ins(%grouped").replace("@main(%0: tensor<1x2x4xf32>", "@main(%0: tensor<1x8xf32>")
        .replace("%made =", "%grouped = tensor.expand_shape %0 [[0], [1, 2]] output_shape [1, 2, 4] "
                            ": tensor<1x8xf32> into tensor<1x2x4xf32>\n    %made ="),
        ("contraction (d0=1 d1=2 d2=3 d3=4): input[d0, 4d1 + d3], input[d1, d2, d3] -> "
        "output[d0, d1, d2]"),
        24, {"multiply-accumulate": 24},
    ),
    "pooling_nhwc_max with a window without data": (
        generic("d0, d1 * 2 + d4, d2 * 2 + d5, d3; d4, d5; d0, d1, d2, d3", "pppprr",
                "1x8x8x3xf32; 2x2xf32", "1x4x4x3xf32",
                "%m = arith.maximumf %x2, %x0 : f32\n      linalg.yield %m : f32"),
        ("reduction (d0=1 d1=4 d2=4 d3=3 d4=2 d5=2): "
        "input[d0, 2d1 + d4, 2d2 + d5, d3] -> output[d0, d1, d2, d3]"),
        0, {"compare": 144},
    ),
    "a sum along an axis": (
        generic("d0, d1; d0", "pr", "4x8xf32", "4xf32", ONE.format("arith.addf %x0, %x1")),
        "reduction (d0=4 d1=8): input[d0, d1] -> output[d0]", 0, {"add": 28},
    ),
    "a minimum of integers": (
        generic("d0, d1; d0", "pr", "4x8xi8", "4xi8",
                "%y = arith.minsi %x0, %x1 : i8\n      linalg.yield %y : i8"),
        "reduction (d0=4 d1=8): input[d0, d1] -> output[d0]", 0, {"compare": 28},
    ),
    "an add that broadcasts": (
        generic("d0, d1; d1; d0, d1", "pp", "4x8xf32; 8xf32", "4x8xf32",
                ONE.format("arith.addf %x0, %x1")),
        "elementwise (d0=4 d1=8): input[d0, d1], input[d1] -> output[d0, d1]", 0, {"add": 32},
    ),
    "two adds": (
        generic("d0; d0; d0; d0", "p", "4xf32; 4xf32; 4xf32", "4xf32",
                "%y = arith.addf %x0, %x1 : f32\n      %z = arith.addf %y, %x2 : f32\n"
                "      linalg.yield %z : f32"),
        "elementwise (d0=4): input[d0], input[d0], input[d0] -> output[d0]", 0, {"add": 8},
    ),
    "a scale and a shift": (
        generic("d0; d0; d0; d0", "p", "4xf32; 4xf32; 4xf32", "4xf32",
                "%y = arith.mulf %x0, %x1 : f32\n      %z = arith.addf %y, %x2 : f32\n"
                "      linalg.yield %z : f32"),
        "elementwise (d0=4): input[d0], input[d0], input[d0] -> output[d0]",
        0, {"multiply-add": 4},
    ),
    "a scaling by a number": (
        generic("d0; d0", "p", "4xf32", "4xf32",
                "%c = arith.constant 0.5 : f32\n      %y = arith.mulf %x0, %c : f32\n"
                "      linalg.yield %y : f32"),
        "elementwise (d0=4): input[d0] -> output[d0]", 0, {"multiply": 4},
    ),
    "a comparison": (
        generic("d0; d0; d0", "p", "4xf32; 4xf32", "4xi1",
                "%y = arith.cmpf ogt, %x0, %x1 : f32\n      linalg.yield %y : i1"),
        "elementwise (d0=4): input[d0], input[d0] -> output[d0]", 0, {"compare": 4},
    ),
    "a rectifier": (
        generic("d0; d0", "p", "4xf32", "4xf32",
                "%c = arith.constant 0.0 : f32\n      %y = arith.maximumf %x0, %c : f32\n"
                "      linalg.yield %y : f32"),
        "activation (d0=4): input[d0] -> output[d0]", 0, {"activation": 4},
    ),
    "an exponential": (
        generic("d0; d0", "p", "4xf32", "4xf32", ONE.format("math.exp %x0")),
        "activation (d0=4): input[d0] -> output[d0]", 0, {"activation": 4},
    ),
    "a transposition": (
        generic("d1, d0; d0, d1", "pp", "8x4xf32", "4x8xf32", "linalg.yield %x0 : f32"),
        "movement (d0=4 d1=8): input[d1, d0] -> output[d0, d1]", 0, {},
    ),
    "a filling": (
        generic("d0", "p", "", "4xf32",
                "%c = arith.constant 1.0 : f32\n      linalg.yield %c : f32"),
        "movement (d0=4): output[d0]", 0, {},
    ),
    "a lookup": (
        generic("d0; d0, d1", "pp", "5xi64", "5x3xf32", """%r = arith.index_cast %x0 : i64 to index
      %c = linalg.index 1 : index
      %y = tensor.extract %table[%r, %c] : tensor<7x3xf32>
      linalg.yield %y : f32""").replace("@main(", "@main(%table: tensor<7x3xf32>, "),
        "gather (d0=5 d1=3): input[d0], input[?, d1] -> output[d0, d1]", 0, {},
    ),
}  # fmt: skip
"""Text, the operator, its multiply-accumulates and its operations."""


@pytest.mark.parametrize(("text", "shown", "macs", "operations"), TEXTS.values(), ids=TEXTS.keys())
def test_what_mlir_writes_is_read_with_its_maps_and_counts(
    text: str, shown: str, macs: int, operations: dict[str, int]
) -> None:
    operator = from_linalg(text)
    assert str(operator) == shown
    assert (operator.macs, operator.operations) == (macs, operations)
    assert from_linalg(to_linalg(operator)) == operator


def test_element_types_become_formats() -> None:
    text, *_ = TEXTS["matmul of int8"]
    assert [str(one.format) for one in from_linalg(text).operands] == [
        "fixed<8,7>", "fixed<8,7>", "fixed<32,31>",
    ]  # fmt: skip
    assert [str(one.format) for one in from_linalg(MATMUL).operands] == ["float32"] * 3
    for element, name in (
        ("f16", "float16"), ("bf16", "bfloat16"), ("f8E4M3FN", "float8_e4m3"),
        ("f8E5M2", "float8_e5m2"), ("f4E2M1FN", "float4_e2m1"),
    ):  # fmt: skip
        operator = from_linalg(MATMUL.replace("f32", element))
        assert str(operator.operands[0].format) == name
        assert from_linalg(to_linalg(operator)) == operator


def test_memory_is_read_as_tensors_are() -> None:
    text = re.sub(r" -> tensor<4x16xf32> \{\n    %cst.*?%2 =", " {\n    ", MATMUL, flags=re.DOTALL)
    text = text.replace(
        "%arg1: tensor<8x16xf32>)", "%arg1: tensor<8x16xf32>, %1: tensor<4x16xf32>)"
    )
    text = text.replace("} -> tensor<4x16xf32>", "}").replace(
        "return %2 : tensor<4x16xf32>", "return"
    )
    assert from_linalg(text.replace("tensor<", "memref<")) == from_linalg(MATMUL)


def test_quotes_in_a_comment_are_not_a_string() -> None:
    assert from_linalg(f'// a "comment\n{MATMUL}') == from_linalg(MATMUL)


def test_weights_are_named_by_place_or_are_constants() -> None:
    roles = [one.role for one in from_linalg(MATMUL, weights=[1]).operands]
    assert roles == ["input", "weight", "output"]
    constant = MATMUL.replace(
        "%cst =", "%w = arith.constant dense<1.0> : tensor<8x16xf32>\n    %cst ="
    ).replace("ins(%arg0, %arg1", "ins(%arg0, %w")
    assert [one.role for one in from_linalg(constant).operands] == roles


def test_named_weights_go_before_those_that_an_attribute_names() -> None:
    operator = b.matmul((2, 3), (3, 4))
    roles = [one.role for one in from_linalg(to_linalg(operator), weights=[0]).operands]
    assert roles == ["weight", "input", "output"]


def test_a_movement_of_others_is_named_by_its_indices() -> None:
    def purpose(maps: str, read: str, written: str) -> Any:
        kinds = "p" * (maps.split(";")[1].count(",") + 1)
        text = generic(maps, kinds, read, written, "linalg.yield %x0 : f32")
        return from_linalg(text).purpose  # type: ignore[attr-defined]  # a movement

    assert purpose("d0, d1; d0, d1", "4x8xf32", "4x8xf32") == "copy"
    assert purpose("d1, d0; d0, d1", "8x4xf32", "4x8xf32") == "transposition"
    assert purpose("d1; d0, d1", "8xf32", "4x8xf32") == "repetition"
    assert purpose("d0 * 2, d1; d0, d1", "8x8xf32", "4x8xf32") == "selection"


SLICE = "%source = tensor.extract_slice %0[%n] [4] [1] : tensor<6xf32> to tensor<4xf32>"
IDENTITY = ("d0; d0", "p", "4xf32", "4xf32", "linalg.yield %x0 : f32")

REFUSED: dict[str, tuple[Any, str]] = {
    "bytes": (b"module {}", "expected the text of MLIR, found b'module {}'"),
    "a long text": (" " * (LONGEST + 1), "a text of 200,001 characters; expected at most 200,000"),
    "no MLIR": ("hello", "not valid MLIR"),
    "half a text": (MATMUL[:700], "not valid MLIR"),
    "deep nesting": ("#a = " + "[" * 100_000, "not valid MLIR"),
    "a number that Python does not read": ("!t = tensor<" + "9" * 5000 + "xf32>", "not valid MLIR"),
    "an unknown operation": (MATMUL.replace("arith.mulf", "arith.mulx"), "arith.mulx is not regist"),
    "a string that does not end": (
        MATMUL.replace('"reduction"', '"reduction'), "a string that does not end"
    ),
    "an unknown escape in a string": (
        generic(*IDENTITY, attributes='attrs = {costmodel.purpose = "' + "x" * 99 + '\\q"}'),
        "a string that does not end, or holds an unknown escape",
    ),
    "nothing": ("module {}", "found 0 linalg.generic beside those that start sums; expected one"),
    "two operations": (
        MATMUL.split("module", maxsplit=1)[0] + MATMUL[MATMUL.index("module") :]
        + MATMUL[MATMUL.index("module") :],
        "found 2 linalg.generic beside those that start sums; expected one",
    ),
    "a named operation": (
        """func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<2x4xf32>) {
  %0 = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x4xf32>) outs(%c : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}""",
        "found linalg.matmul; expected linalg.generic alone: run mlir-opt --linalg-generalize-named",
    ),
    "an index beyond an axis": (
        generic("d0 + 1; d0", *IDENTITY[1:]),
        "not valid MLIR: inferred input/output operand #0 has shape's dimension #0 to be greater",
    ),
    "an index before an axis": (generic("d0 - 1; d0", *IDENTITY[1:]), "unexpected result less than 0"),
    "a quotient": (
        generic("d0 floordiv 2; d0", *IDENTITY[1:]), "expected a sum of dimensions, each times"
    ),
    "a remainder": (generic("d0 mod 2; d0", *IDENTITY[1:]), "expected a sum of dimensions, each"),
    "a product of dimensions": (
        generic("d0 * d1; d0, d1", "pp", "4xf32", "2x2xf32", IDENTITY[4]), "not valid MLIR"
    ),
    "a large factor": (
        generic(f"d0 * {2**70}; d0", "p", "1xf32", "1xf32", IDENTITY[4]),
        "expected numbers within 2^62",
    ),
    "a dimension of two lengths": (
        generic("d0; d0", "p", "5xf32", "4xf32", IDENTITY[4]),
        "has shape's dimension #0 to be 5, but found 4",
    ),
    "a dimension without a length": (
        generic("d0 + d1; d0", "pr", "5xf32", "4xf32", ONE.format("arith.addf %x0, %x1")),
        "not valid MLIR: invalid indexing maps are non-invertible",
    ),
    "a map of too few axes": (
        generic("d0; d0", "p", "4x4xf32", "4xf32", IDENTITY[4]), "to match the result count of"
    ),
    "an open length": (
        generic("d0; d0", "p", "?xf32", "?xf32", IDENTITY[4]),
        "expected lengths of 1 or more; bind those that are open",
    ),
    "an iterator that its maps contradict": (
        generic("d0; d0", "r", *IDENTITY[2:]),
        "dimension d0 is 'reduction'; its maps make it 'parallel'",
    ),
    "an output that has not what is parallel": (
        generic("d0;", "p", "4xf32", "f32", IDENTITY[4]),
        "dimension d0 is 'parallel'; its maps make it 'reduction'",
    ),
    "several functions": (
        generic("d0; d0", "p", "4xf32", "4xf32",
                "%y = math.exp %x0 : f32\n      %z = arith.negf %y : f32\n"
                "      linalg.yield %z : f32"),
        ("a body of math.exp, arith.negf at each element: expected a product added to the output, "
        "a reduction of one operand, or one function of the operands"),
    ),
    "an unknown function": (
        generic("d0; d0", "p", "4xi8", "4xi8",
                "%y = arith.remsi %x0, %x0 : i8\n      linalg.yield %y : i8"),
        "a body of arith.remsi at each element",
    ),
    "a product of differences that is summed": (
        generic("d0; d0;", "r", "4xf32; 4xf32", "f32",
                "%d = arith.subf %x0, %x1 : f32\n      %q = arith.mulf %d, %d : f32\n"
                "      %s = arith.addf %x2, %q : f32\n      linalg.yield %s : f32"),
        "a body of arith.subf, arith.mulf, arith.addf over reduced dimensions",
    ),
    "a sum of squares": (
        generic("d0;", "r", "4xf32", "f32",
                "%q = arith.mulf %x0, %x0 : f32\n      %s = arith.addf %x1, %q : f32\n"
                "      linalg.yield %s : f32"),
        "a body of arith.mulf, arith.addf over reduced dimensions",
    ),
    "the output times itself": (
        generic("d0;", "r", "4xf32", "f32",
                "%q = arith.mulf %x0, %x1 : f32\n      %s = arith.addf %x1, %q : f32\n"
                "      linalg.yield %s : f32"),
        "a body of arith.mulf, arith.addf over reduced dimensions",
    ),
    "a difference that is reduced": (
        generic("d0;", "r", "4xf32", "f32", ONE.format("arith.subf %x1, %x0")),
        "a body of arith.subf over reduced dimensions",
    ),
    "a reduction that keeps the last element": (
        generic("d0;", "r", "4xf32", "f32", IDENTITY[4]),
        "a body of no operation over reduced dimensions",
    ),
    "two outputs": (
        """func.func @f(%a: tensor<4xf32>) {
  %0, %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%a, %a : tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x, %y : f32, f32
  } -> tensor<4xf32>, tensor<4xf32>
  return
}""",
        "a linalg.generic of 2 outputs; expected one",
    ),
    "a map too few": (
        generic("d0", "p", "4xf32", "4xf32", IDENTITY[4]),
        "expected the number of indexing_map (1) to be equal to the number of",
    ),
    "an element type without a format": (
        generic("d0; d0", "p", "4xcomplex<f32>", "4xcomplex<f32>",
                "linalg.yield %x0 : complex<f32>").replace("%x0: f32>", "%x0: complex<f32>")
        .replace("%x1: f32>", "%x1: complex<f32>"),
        "element type 'complex<f32>': expected a type such as f32 or i8",
    ),
    "a slice from an unknown place": (
        generic(*IDENTITY, before=SLICE, arguments="tensor<6xf32>")
        .replace("@main(", "@main(%n: index, "),
        "an offset, a size or a step that is not a constant; expected numbers",
    ),
    "a sum that starts from a function": (
        MATMUL.replace("%2 =", """%9 = linalg.generic {indexing_maps = [#map2], iterator_types = ["parallel", "parallel"]} outs(%1 : tensor<4x16xf32>) {
    ^bb0(%out: f32):
      %5 = math.exp %out : f32
      linalg.yield %5 : f32
    } -> tensor<4x16xf32>
    %2 =""").replace("#map2 = affine_map<(d0, d1, d2) -> (d0, d1)>", "#map2 = affine_map<(d0, d1) -> (d0, d1)>\n#map3 = affine_map<(d0, d1, d2) -> (d0, d1)>")
        .replace("#map1, #map2]", "#map1, #map3]").replace("outs(%1 : tensor<4x16xf32>) {\n    ^bb0(%in:", "outs(%9 : tensor<4x16xf32>) {\n    ^bb0(%in:"),
        "the output starts from a body of math.exp; expected biases that are added",
    ),
    "weights out of range": (MATMUL, "weights [5]: expected places among 2 operands"),
    "names of another count": (
        generic(*IDENTITY, attributes='attrs = {costmodel.dims = ["m", "n"]}'),
        "costmodel.dims ['m', 'n']: expected 1 different names",
    ),
    "a name that is none": (
        generic(*IDENTITY, attributes='attrs = {costmodel.dims = ["2m"]}'),
        "'2m' is not a name of a dimension",
    ),
    "names that are not texts": (
        generic(*IDENTITY, attributes="attrs = {costmodel.dims = 3}"), "costmodel.dims is 3 : i64"
    ),
    "roles of another count": (
        generic(*IDENTITY, attributes="attrs = {costmodel.roles = []}"),
        "costmodel.roles is []; expected 1 texts",
    ),
    "an unknown role": (
        generic(*IDENTITY, attributes='attrs = {costmodel.roles = ["state"]}'),
        "role is 'state'; expected one of input, weight, output",
    ),
    "an unknown format": (
        generic(*IDENTITY, attributes='attrs = {costmodel.formats = ["int8", "intx"]}'), "'intx'"
    ),
    "a purpose that is not text": (
        generic(*IDENTITY, attributes="attrs = {costmodel.purpose = 3}"), "expected a text, found 3"
    ),
    "steps that are not a number": (
        generic("d0; d0", "p", "4xf32", "4xf32", ONE.format("arith.addf %x0, %x0"),
                attributes='attrs = {costmodel.steps = "3"}'),
        'costmodel.steps is "3"; expected a whole number',
    ),
    "steps below zero": (
        generic("d0; d0", "p", "4xf32", "4xf32", ONE.format("arith.addf %x0, %x0"),
                attributes="attrs = {costmodel.steps = -3}"),
        "steps is -3; expected 0 or more",
    ),
    "a lookup by two indices": (
        TEXTS["a lookup"][0].replace("%table[%r, %c]", "%table[%r, %r]"),
        "a tensor.extract; expected one index that is data, and dimensions",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_text_that_states_no_operator_is_refused_with_what_was_expected(
    text: Any, message: str
) -> None:
    weights = [5] if message.startswith("weights") else []
    with pytest.raises(LinalgError, match=re.escape(message)):
        from_linalg(text, weights=weights)


def test_reading_without_xdsl_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xdsl", None)
    with pytest.raises(MissingPackageError, match=re.escape("pip install 'costmodel-nn[mlir]'")):
        from_linalg(MATMUL)


CHANGED = [
    *[text for text, *_ in TEXTS.values()],
    to_linalg(b.conv((1, 4, 5), (4, 2, 3), groups=2, padding=1, bias=(4,))),
    to_linalg(b.pool("mean", (1, 2, 4), 2)),
    to_linalg(b.elementwise("add", (2, 3), (3,), steps=3, in_place=True)),
    to_linalg(b.embedding((2,), (3, 4))),
    to_linalg(b.shift("selection", (9, 4), (3, 3), (-1, 0), steps=(3, 1))),
]
PIECES = sorted(
    {piece for text, *_ in TEXTS.values() for piece in re.findall(r"\w+|[^\w\s]", text)}
)


@given(data=st.data())
@settings(max_examples=3 * settings.default.max_examples)
def test_a_text_with_changes_is_an_operator_or_an_error_of_ours(data: st.DataObject) -> None:
    parts = re.split(r"(\w+|[^\w\s])", data.draw(st.sampled_from(CHANGED)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(parts) - 1))
        parts[place] = data.draw(st.sampled_from(["", *PIECES, "0", "-1", str(2**64), "tensor"]))
    try:
        operator = from_linalg("".join(parts))
    except LinalgError:
        return
    assert isinstance(operator, Operator)
