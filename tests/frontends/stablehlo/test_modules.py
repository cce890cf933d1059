"""StableHLO modules: counts by hand, weights, formats, loops, branches, names and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import costmodel
from costmodel.errors import MissingPackageError, ReadError, UnknownNameError
from costmodel.network.graph import Network
from costmodel.workload.composite import Normalization, Softmax
from costmodel.workload.graph import Branch, Loop, Workload
from costmodel.workload.operators import Activation, Contraction, Unsupported
from costmodel_stablehlo.modules import guarded

pytest.importorskip("jaxlib")

MODULES = Path(__file__).parent / "modules"


def lowered(network: Network) -> Workload:
    return costmodel.lower(network).bind(batch=1)


def read(name: str, **options: Any) -> Network:
    return costmodel.read(MODULES / name, **options)


def module(body: str, *, arguments: str, result: str) -> str:
    """The text of a module of one function."""
    return f"func.func @main({arguments}) -> {result} {{\n{body}\n}}\n"


def kinds(network: Network) -> list[type]:
    return [type(node.operator) for node, _ in lowered(network).nodes]


COUNTS = {
    "gru.mlirbc": 12 * 3 * (6 + 16) * 16,
    "reversed_scan.mlirbc": 9 * 5 * 7,
    "stacked_layers.mlirbc": 4 * 8 * 8,
    "fori.mlirbc": 10 * 6 * 6,
    "attention.mlirbc": 4 * 32 * 32 * 10 + 2 * 4 * 10 * 10 * 8,
    "grouped.mlirbc": 8 * 8 * 24 * 3 * 3 * 3,
    "depthwise.mlirbc": 4 * 4 * 16 * 3 * 3,
    "dilated.mlirbc": 4 * 4 * 5 * 3 * 3 * 2,
    "transposed.mlirbc": 5 * 5 * 6 * 3 * 3 * 4,
    "batch_groups.mlirbc": 3 * 3 * 4 * 6 * 6 * 2,
    "int8_product.mlirbc": 4 * 20 * 30,
    "mlp.mlirbc": 24 * 64 + 64 * 10,
    "mlp.mlir": 24 * 64 + 64 * 10,
    "closed_over.mlirbc": 20 * 12,
    "open_batch.mlirbc": 20 * 12,
    "pooling.mlirbc": 0,
}


@pytest.mark.parametrize(("name", "macs"), COUNTS.items())
def test_a_module_has_the_multiply_accumulates_that_follow_by_hand(name: str, macs: int) -> None:
    assert lowered(read(name)).macs == macs


PARAMETERS = {
    # three input matrices and biases; three of the state, one with a bias
    "gru.mlirbc": 3 * (6 * 16 + 16) + 3 * 16 * 16 + 16,
    "stacked_layers.mlirbc": 4 * 8 * 8,
    "attention.mlirbc": 4 * (32 * 32 + 32),
    "mlp.mlirbc": 2 * 24 + 24 * 64 + 64 + 64 * 10 + 10,
    "closed_over.mlirbc": 20 * 12 + 12,
    "open_batch.mlirbc": 20 * 12 + 12,
}


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_the_arrays_of_trees_and_the_constants_are_parameters(name: str, count: int) -> None:
    workload = lowered(read(name))
    assert sum(_size(workload.tensors[one].shape) for one in workload.weights) == count


def _size(shape: Any) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


# ------------------------------------------------------------------ loops and branches


@pytest.mark.parametrize(
    ("name", "steps", "backwards"),
    [
        ("gru.mlirbc", 12, False),
        ("reversed_scan.mlirbc", 9, True),
        ("fori.mlirbc", 10, False),
    ],
)
def test_a_scan_is_a_loop_of_its_steps(name: str, steps: int, backwards: bool) -> None:  # noqa: FBT001
    network = read(name)
    (loop,) = [
        step
        for layer in network.layers
        for step in getattr(layer, "body", ())
        if isinstance(step, Loop)
    ]
    assert (loop.steps, loop.backwards) == (steps, backwards)
    assert len(loop.varying) == (name != "fori.mlirbc")


def test_a_scan_over_the_weights_of_layers_is_these_layers() -> None:
    products = [one for one in kinds(read("stacked_layers.mlirbc")) if one is Contraction]
    assert len(products) == STACKED


STACKED = 4


def test_a_loop_that_data_end_has_no_price_and_says_why() -> None:
    network = read("converging.mlirbc")
    (operator,) = [node.operator for node, _ in lowered(network).nodes]
    assert isinstance(operator, Unsupported)
    assert operator.reason == "how many steps the loop takes depends on data"


def test_a_condition_is_a_branch() -> None:
    network = read("condition.mlirbc")
    (branch,) = [
        step
        for layer in network.layers
        for step in getattr(layer, "body", ())
        if isinstance(step, Branch)
    ]
    assert sorted(one.macs for one in branch.alternatives) == [16 * 8, 16 * 32]


WHILE = """
  %zero = stablehlo.constant dense<{start}> : tensor<i32>
  %n = stablehlo.constant dense<{end}> : tensor<i32>
  %one = stablehlo.constant dense<{step}> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %h = %x) : tensor<i32>, tensor<1x4xf32>
  cond {{
    %c = stablehlo.compare {direction}, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }} do {{
    %j = stablehlo.{update} %i, %one : tensor<i32>
    %k = stablehlo.dot_general %h, %w, contracting_dims = [1] x [0]
      : (tensor<1x4xf32>, tensor<4x4xf32>)
      -> tensor<1x4xf32>
    stablehlo.return %j, %k : tensor<i32>, tensor<1x4xf32>
  }}
  return %r#1 : tensor<1x4xf32>"""


@pytest.mark.parametrize(
    ("start", "end", "step", "direction", "update", "steps"),
    [
        (0, 10, 1, "LT", "add", 10),
        (0, 10, 3, "LT", "add", 4),
        (0, 9, 3, "LT", "add", 3),
        (0, 9, 3, "LE", "add", 4),
        (9, 0, 2, "GT", "subtract", 5),
        (9, 1, 2, "GE", "subtract", 5),
        (-3, 6, 3, "NE", "add", 3),
        (5, 5, 1, "LT", "add", 0),
    ],
)
def test_the_steps_of_a_counter_are_those_that_it_takes(
    start: int, end: int, step: int, direction: str, update: str, steps: int
) -> None:
    counter = start
    taken = 0
    holds = {"LT": lambda: counter < end, "LE": lambda: counter <= end,
             "GT": lambda: counter > end, "GE": lambda: counter >= end,
             "NE": lambda: counter != end}[direction]  # fmt: skip
    while holds():
        counter += step if update == "add" else -step
        taken += 1
    assert taken == steps
    body = WHILE.format(start=start, end=end, step=step, direction=direction, update=update)
    text = module(
        body, arguments="%x: tensor<1x4xf32>, %w: tensor<4x4xf32>", result="tensor<1x4xf32>"
    )
    assert lowered(costmodel.read(text)).macs == steps * 4 * 4


@pytest.mark.parametrize(("direction", "step"), [("LT", -1), ("EQ", 1), ("GT", 1), ("NE", 3)])
def test_a_counter_that_never_ends_the_loop_is_no_loop(direction: str, step: int) -> None:
    start = 20 if direction == "GT" else 10 if direction == "EQ" else 0
    body = WHILE.format(start=start, end=10, step=step, direction=direction, update="add")
    text = module(
        body, arguments="%x: tensor<1x4xf32>, %w: tensor<4x4xf32>", result="tensor<1x4xf32>"
    )
    assert Unsupported in kinds(costmodel.read(text))


def test_a_loop_over_some_of_several_weights_counts_its_steps() -> None:
    body = """
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %end = stablehlo.constant dense<3> : tensor<i32>
  %0:2 = stablehlo.while(%i = %zero, %state = %x) : tensor<i32>, tensor<1x8xf32>
  cond {
    %1 = stablehlo.compare LT, %i, %end : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %1 = stablehlo.dynamic_slice %w, %i, %zero, %zero, sizes = [1, 8, 8]
      : (tensor<5x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %2 = stablehlo.reshape %1 : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %3 = stablehlo.dot_general %state, %2, contracting_dims = [1] x [0]
      : (tensor<1x8xf32>, tensor<8x8xf32>) -> tensor<1x8xf32>
    %4 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %4, %3 : tensor<i32>, tensor<1x8xf32>
  }
  return %0#1 : tensor<1x8xf32>
"""
    text = module(
        body, arguments="%x: tensor<1x8xf32>, %w: tensor<5x8x8xf32>", result="tensor<1x8xf32>"
    )
    assert lowered(costmodel.read(text)).macs == 3 * 8 * 8


# ------------------------------------------------------------------ functions in many steps


def test_a_layer_norm_an_exact_gelu_and_a_softmax_are_known_again() -> None:
    operators = [node.operator for node, _ in lowered(read("mlp.mlirbc")).nodes]
    found = [type(one) for one in operators]
    assert found.count(Normalization) == found.count(Softmax) == 1
    assert [one.function for one in operators if isinstance(one, Activation)] == [
        "gelu", "softmax",
    ]  # fmt: skip


def test_a_mean_is_one_reduction() -> None:
    functions = [
        getattr(node.operator, "function", "") for node, _ in lowered(read("pooling.mlirbc")).nodes
    ]
    assert functions == ["mean", "add"]


# ------------------------------------------------------------------ formats


def test_products_of_int8_are_summed_as_int32() -> None:
    (operator,) = [node.operator for node, _ in lowered(read("int8_product.mlirbc")).nodes]
    assert [str(one.tensor.format) for one in operator.operands] == [
        "fixed<8,7>", "fixed<8,7>", "fixed<32,31>",
    ]  # fmt: skip


INT8 = "!quant.uniform<i8:f32, 0.1:3>"
INT8_BY_CHANNEL = "!quant.uniform<i8<-127:127>:f32:1, {0.1, 0.2, 0.1, 0.1, 0.5}>"
INT32 = "!quant.uniform<i32:f32, 0.01>"
QUANTIZED = f"""
  %q = stablehlo.uniform_quantize %x : (tensor<1x4xf32>) -> tensor<1x4x{INT8}>
  %y = stablehlo.dot_general %q, %w, contracting_dims = [1] x [0]
    : (tensor<1x4x{INT8}>, tensor<4x5x{INT8_BY_CHANNEL}>) -> tensor<1x5x{INT32}>
  %r = stablehlo.uniform_dequantize %y : (tensor<1x5x{INT32}>) -> tensor<1x5xf32>
  return %r : tensor<1x5xf32>"""


def test_quantised_types_are_the_formats_of_tensors() -> None:
    text = module(
        QUANTIZED,
        arguments=f"%x: tensor<1x4xf32>, %w: tensor<4x5x{INT8_BY_CHANNEL}>",
        result="tensor<1x5xf32>",
    )
    network = costmodel.read(text, input_shapes={"arg0": (4,)})
    operators = [node.operator for node, _ in lowered(network).nodes]
    (product,) = [one for one in operators if isinstance(one, Contraction)]
    assert [str(one.tensor.format) for one in product.operands] == [
        "fixed<8,7>", "fixed<8,7>", "fixed<32,31>",
    ]  # fmt: skip


# ------------------------------------------------------------------ arguments and names


def test_a_caller_may_name_the_inputs_of_a_module_without_names() -> None:
    named = read("mlp.mlir", input_shapes={"arg6": (24,)})
    workload = lowered(named)
    assert len(workload.inputs) == 1
    assert len(workload.weights) == PARAMETER_ARRAYS
    assert not lowered(read("mlp.mlir")).weights


PARAMETER_ARRAYS = 6


def test_a_name_that_is_no_argument_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown input 'image'"):
        read("mlp.mlirbc", input_shapes={"image": (24,)})


def test_layers_are_called_as_jax_calls_them() -> None:
    names = [layer.name for layer in read("mlp.mlirbc").layers]
    assert "Model/Dense_0/dot_general" in names


def test_a_function_that_is_called_twice_is_there_twice() -> None:
    text = """
    func.func @main(%x: tensor<1x4xf32>, %w: tensor<4x4xf32>) -> tensor<1x4xf32> {
      %0 = func.call @layer(%x, %w) : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
      %1 = func.call @layer(%0, %w) : (tensor<1x4xf32>, tensor<4x4xf32>)
        -> tensor<1x4xf32>
      return %1 : tensor<1x4xf32>
    }
    func.func private @layer(%x: tensor<1x4xf32>, %w: tensor<4x4xf32>) -> tensor<1x4xf32> {
      %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0]
        : (tensor<1x4xf32>, tensor<4x4xf32>)
        -> tensor<1x4xf32>
      return %0 : tensor<1x4xf32>
    }
    """
    assert lowered(costmodel.read(text)).macs == 2 * 4 * 4


def test_text_and_bytecode_may_be_given_themselves() -> None:
    content = (MODULES / "mlp.mlirbc").read_bytes()
    assert lowered(costmodel.read(content)).macs == COUNTS["mlp.mlirbc"]
    text = (MODULES / "mlp.mlir").read_text()
    assert lowered(costmodel.read(text)).macs == COUNTS["mlp.mlir"]


def test_operations_of_other_dialects_are_named() -> None:
    """Also those that JAX marks with a rule for sharding, and constants of complex numbers."""
    rule = "#sdy.op_sharding_rule<([i, j])->([i, j]) {i=4, j=4}, custom>"
    text = f"""
    func.func @f(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<2xcomplex<f32>>) {{
      %0 = "acme.op"(%x) {{beta = 2 : i64}} : (tensor<4x4xf32>) -> tensor<4x4xf32>
      %1 = stablehlo.custom_call @lapack_sgeqrf_ffi(%0) {{sdy.sharding_rule = {rule}}}
        : (tensor<4x4xf32>) -> tensor<4x4xf32>
      %2 = stablehlo.tanh %1 : tensor<4x4xf32>
      %c = stablehlo.constant dense<[(1.0, 2.0), (3.0, 4.0)]> : tensor<2xcomplex<f32>>
      return %2, %c : tensor<4x4xf32>, tensor<2xcomplex<f32>>
    }}
    """
    acme, factors, tanh = lowered(costmodel.read(text)).operators
    assert acme.reason.startswith("no rule for the stablehlo operator 'acme.op'")  # type: ignore[attr-defined]  # unsupported
    assert factors.reason.startswith("how many steps a factorisation takes")  # type: ignore[attr-defined]  # likewise
    assert tanh.operations == {"activation": 16}


# ------------------------------------------------------------------ refusals


REFUSED = {
    "text of other dialects": (
        ("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> { %0 = acme.op %x : "
        "tensor<4xf32>\n return %0 : tensor<4xf32> }"),
        "not found for custom op.*must be lowered to StableHLO first",
    ),
    "not MLIR": ("func.func @f( \n", "not a StableHLO module that can be read"),
    "types that disagree": (
        module(
            "  %0 = stablehlo.add %x, %y : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>\n"
            "  return %0 : tensor<4xf32>",
            arguments="%x: tensor<4xf32>, %y: tensor<5xf32>", result="tensor<4xf32>",
        ),
        "requires the same shape for all operands",
    ),
    "several functions": (
        ("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }\n"
        "func.func @g(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }\n"),
        "2 functions that no other calls, and none named 'main'",
    ),
    "open axes": (
        module("  return %x : tensor<?x?xf32>", arguments="%x: tensor<?x?xf32>",
               result="tensor<?x?xf32>"),
        "axis 1 of argument 'arg0' is open: give its shape",
    ),
    "jumps": (
        ("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n  cf.br ^bb1\n^bb1:\n"
        "  return %x : tensor<4xf32>\n}"),
        "a region of 2 blocks; expected one",
    ),
    "too large a tensor": (
        module("  return %x : tensor<1099511627776x1024xf32>",
               arguments="%x: tensor<1099511627776x1024xf32>",
               result="tensor<1099511627776x1024xf32>"),
        "more than 281,474,976,710,656 elements",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_module_is_refused_with_the_reason(case: str) -> None:
    text, words = REFUSED[case]
    with pytest.raises(ReadError, match=words):
        costmodel.read(text)


def test_functions_that_call_themselves_are_refused() -> None:
    text = """
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = func.call @main(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    """
    with pytest.raises(ReadError, match="nested more than"):
        costmodel.read(text)


@pytest.mark.slow
def test_functions_that_unfold_without_end_are_refused() -> None:
    calls = "\n".join(
        f"func.func private @f{n}(%x: tensor<4xf32>) -> tensor<4xf32> {{\n"
        f"  %0 = func.call @f{n + 1}(%x) : (tensor<4xf32>) -> tensor<4xf32>\n"
        f"  %1 = func.call @f{n + 1}(%0) : (tensor<4xf32>) -> tensor<4xf32>\n"
        "  return %1 : tensor<4xf32>\n}"
        for n in range(30)
    )
    text = (
        "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
        "  %0 = func.call @f0(%x) : (tensor<4xf32>) -> tensor<4xf32>\n"
        "  return %0 : tensor<4xf32>\n}\n"
        f"{calls}\nfunc.func private @f30(%x: tensor<4xf32>) -> tensor<4xf32> {{\n"
        "  %0 = stablehlo.abs %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n"
    )
    with pytest.raises(ReadError, match="more than 200,000 operations"):
        costmodel.read(text)


def test_without_jaxlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guarded, "_asked", lambda _: {"missing": "jaxlib"})
    with pytest.raises(
        MissingPackageError,
        match=r"which is not installed: pip install 'costmodel-nn\[stablehlo\]'",
    ):
        read("mlp.mlirbc")


def test_a_parser_that_breaks_down_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "dies.py"
    program.write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.setattr(guarded, "_CHILD", program)
    with pytest.raises(ReadError, match="the parser broke down on it"):
        read("mlp.mlirbc")
    program.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(guarded, "TIME_LIMIT_SECONDS", 0.2)
    with pytest.raises(ReadError, match=r"not parsed within"):
        read("mlp.mlirbc")
