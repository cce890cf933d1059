"""Files of `linalg` on tensors as networks."""

from __future__ import annotations

from pathlib import Path

import pytest

import costmodel
from costmodel.cli import main
from costmodel.errors import ReadError, UnknownNameError

pytest.importorskip("xdsl")

MODELS = Path(__file__).parent.parent / "models"
LAYER = """
func.func @layer(%x: tensor<8x64xf16>, %w: tensor<64x32xf16>, %o: tensor<8x32xf16>) -> tensor<8x32xf16> {
  %sums = linalg.matmul ins(%x, %w : tensor<8x64xf16>, tensor<64x32xf16>) outs(%o : tensor<8x32xf16>) -> tensor<8x32xf16>
  %part = tensor.extract_slice %sums[0, 8] [8, 16] [1, 1] : tensor<8x32xf16> to tensor<8x16xf16>
  %y = linalg.exp ins(%part : tensor<8x16xf16>) outs(%part : tensor<8x16xf16>) -> tensor<8x16xf16>
  %flat = tensor.collapse_shape %y [[0, 1]] : tensor<8x16xf16> into tensor<128xf16>
  return %flat : tensor<128xf16>
}
""".replace("-> tensor<8x32xf16> {", "-> tensor<128xf16> {", 1)  # noqa: E501  # MLIR


def test_a_function_of_linalg_is_a_network(tmp_path: Path) -> None:
    path = tmp_path / "layer.mlir"
    path.write_text(LAYER)
    network = costmodel.read(path)
    assert network.name == "layer"
    kinds = {layer.name: layer.kind for layer in network.layers if layer.kind != "input"}
    assert kinds["contraction"] == "linalg.contraction"
    assert kinds["exp"] == "linalg.activation"
    workload = costmodel.lower(network).bind(batch=1)
    direct = costmodel.from_mlir(LAYER)
    assert workload.macs == direct.macs == 8 * 64 * 32
    assert workload.operations == direct.operations
    assert {str(one.format) for one in workload.operators[0].operands} == {"float16"}


def test_arguments_that_are_not_named_as_inputs_are_weights() -> None:
    network = costmodel.read(LAYER, input_shapes={"arg0": (8, 64)})
    assert costmodel.lower(network).bind(batch=1).weight_count == 64 * 32
    assert [layer.name for layer in network.layers if layer.kind == "input"] == ["arg0"]
    with pytest.raises(UnknownNameError, match="unknown input 'x'"):
        costmodel.read(LAYER, input_shapes={"x": (8, 64)})
    with pytest.raises(ReadError, match=r"argument 'arg0' has the shape .*; found 8 x 63"):
        costmodel.read(LAYER, input_shapes={"arg0": (8, 63)})


@pytest.mark.parametrize("name", ["cnn.qdq4.onnx", "embedding.keras", "transformer.tflite"])
def test_what_to_mlir_writes_is_the_same_network(name: str) -> None:
    workload = costmodel.lower(costmodel.read(MODELS / "pairs" / name)).bind(batch=1)
    again = costmodel.lower(costmodel.read(costmodel.to_mlir(workload))).bind(batch=1)
    assert again.macs == workload.macs
    assert again.operations == workload.operations
    assert again.weight_count == workload.weight_count


def test_the_command_counts_such_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "layer.mlir"
    path.write_text(LAYER)
    main(["count", str(path)], standalone_mode=False)
    assert f"{8 * 64 * 32:,} multiply-accumulate" in capsys.readouterr().out


WITHOUT_RESULT = """
func.func @f(%x: tensor<4xf32>) {
  %y = linalg.exp ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}
"""
REFUSED = {
    "memory": (LAYER.replace("tensor<", "memref<"), "not valid MLIR|expected tensors"),
    "an unknown operation": (LAYER.replace("linalg.exp", "linalg.acme"), "linalg.acme is not reg"),
    "nothing given": (WITHOUT_RESULT, "function 'f' gives no tensor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_function_is_refused_with_the_reason(case: str) -> None:
    text, reason = REFUSED[case]
    with pytest.raises(ReadError, match=reason):
        costmodel.read(text)
