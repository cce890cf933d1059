"""Files: which inputs are bound how, what is refused, and what is never opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from frontends.onnx.models import array, graph, info, lowered, model, node, read, reasons, stored
from onnx import TensorProto, helper

import costmodel
from costmodel.errors import MissingPackageError, ReadError, ShapeError, UnknownNameError

MODELS = Path(__file__).parent.parent / "models"


def conv(shape: list[Any]) -> Any:
    made = node("Conv", "x w", "y")
    return model(graph([made], {"x": shape}, ["y"], {"w": array((4, 3, 3, 3))}))


@pytest.mark.parametrize("batch", ["N", "batch", "batch_size", "unk__12", "?", "", None, "s77"])
def test_an_open_first_axis_is_the_batch(batch: str | None, tmp_path: Path) -> None:
    network = read(conv([batch, 3, 8, 8]), tmp_path)
    assert network.layers[0].outputs[0].shape == (3, 8, 8)
    assert network.macs == 36 * 4 * 27


def test_other_open_axes_are_named_and_bound_by_the_input(tmp_path: Path) -> None:
    proto = conv(["N", 3, "height", None])
    expected = "open axes: input 'x': axis 2 ('height'), axis 3; bind them by name"
    with pytest.raises(ShapeError, match=re.escape(expected)):
        read(proto, tmp_path)
    for shape in ((3, 8, 10), (1, 3, 8, 10)):
        network = read(proto, tmp_path, {"x": shape})
        assert network.macs == 6 * 8 * 4 * 27
    assert network.bind({"x": (3, 10, 10)}).macs == 64 * 4 * 27
    path = stored(proto, tmp_path)
    assert costmodel.read(path, input_shapes=(3, 8, 10)).macs == 6 * 8 * 4 * 27


def test_an_axis_of_no_elements_is_open_and_named_so(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"open axes: input 'x': axis 2 \(0 in the file\); bind"):
        read(conv([1, 3, 0, 8]), tmp_path)


def test_an_axis_of_another_name_is_not_the_batch(tmp_path: Path) -> None:
    made = node("MatMul", "x w", "y")
    proto = model(graph([made], {"x": ["sequence", 4]}, ["y"], {"w": array((4, 5))}))
    with pytest.raises(ShapeError, match=r"axis 0 \('sequence'\)"):
        read(proto, tmp_path)
    assert read(proto, tmp_path, {"x": (7, 4)}).macs == 140


def test_inputs_share_the_axes_of_one_name(tmp_path: Path) -> None:
    made = node("Add", "x y", "z")
    proto = model(graph([made], {"x": ["batch", "n"], "y": ["batch", "n"]}, ["z"]))
    network = read(proto, tmp_path, {"x": (9,)})
    assert [layer.outputs[0].shape for layer in network.layers] == [(9,), (9,), (9,)]
    with pytest.raises(ShapeError, match="axis 1 \\('n'\\) of input 'y' is 9"):
        read(proto, tmp_path, {"x": (9,), "y": (8,)})


@pytest.mark.parametrize(
    ("shapes", "error", "message"),
    [
        ({"z": (3, 8, 8)}, UnknownNameError, "unknown input 'z'"),
        ({"x": (4, 8, 8)}, ShapeError, "axis 1 of input 'x' is 3"),
        ({"x": (8,)}, ShapeError, "expected 3 without the batch, or all"),
    ],
)
def test_a_given_shape_must_fit(shapes: Any, error: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=re.escape(message)):
        read(conv(["N", 3, "h", "w"]), tmp_path, shapes)


def damaged() -> list[tuple[str, Any, str]]:
    whole = conv([1, 3, 8, 8])
    short = onnx.ModelProto.FromString(whole.SerializeToString())
    short.graph.initializer[0].raw_data = b"1234"
    unsorted = model(graph([node("Relu", "y", "z"), node("Relu", "x", "y")], {"x": [1, 4]}, ["z"]))
    unknown = onnx.ModelProto.FromString(whole.SerializeToString())
    unknown.graph.initializer[0].data_type = 99
    return [
        ("text", b"no model", "not an ONNX model"),
        ("empty", b"", "it has no graph"),
        ("short data", short, "has 4 bytes; expected 432: the file is damaged"),
        ("element type", unknown, "element type 99 is not known"),
        ("order", unsorted, "reads 'y', which nothing before it gives"),
        ("opset", model(whole.graph, 6), "opset 6; expected 7 or newer"),
        ("no kernel", model(graph([node("MaxPool", "x", "y")], {"x": [1, 1, 4, 4]}, ["y"])),
         "kernel_shape is missing"),
        ("units", model(graph([node("LSTM", "x w r", "y", hidden_size=3)], {"x": [7, 1, 6]}, ["y"],
                              {"w": array((1, 20, 6)), "r": array((1, 20, 5))})),
         "input 1 has shape (1, 20, 6); expected 12 x 6 elements"),
        ("misfit", model(graph([node("MatMul", "x x", "y")], {"x": [1, 4]}, ["y"])),
         "cannot be summed together"),
    ]  # fmt: skip


@pytest.mark.parametrize("case", damaged(), ids=lambda case: case[0])
def test_a_damaged_file_is_refused_in_words(case: Any, tmp_path: Path) -> None:
    _, proto, message = case
    path = tmp_path / "model.onnx"
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    with pytest.raises(ReadError, match=re.escape(message)):
        costmodel.read(path)


def test_data_elsewhere_are_never_opened(tmp_path: Path) -> None:
    proto = conv([1, 3, 8, 8])
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.append(onnx.StringStringEntryProto(key="location", value="/dev/zero"))
    network = read(proto, tmp_path)
    assert network.parameter_count == 108
    assert network.macs == 36 * 4 * 27


def test_a_huge_constant_of_a_shape_is_never_made(tmp_path: Path) -> None:
    nodes = [node("ConstantOfShape", "s", "w"), node("MatMul", "x w", "y")]
    held = {"s": np.array([2**20, 2**24])}
    network = read(model(graph(nodes, {"x": [1, 2**20]}, ["y"], held)), tmp_path)
    assert network.macs == 2**44


def test_a_function_is_inlined(tmp_path: Path) -> None:
    inner = helper.make_function(
        "own", "Twice", ["a"], ["b"],
        [node("MatMul", "a a", "t"), helper.make_node("Elu", ["t"], ["b"], name="e")],
        [helper.make_opsetid("", 21)], ["alpha"],
    )  # fmt: skip
    inner.node[1].attribute.add(name="alpha", ref_attr_name="alpha", type=1)
    made = node("Twice", "x", "y", "own", alpha=0.5)
    proto = model(graph([made], {"x": [4, 4]}, ["y"]), 21, [inner], own=1)
    network = read(proto, tmp_path)
    assert [layer.name for layer in network.layers] == ["x", "Twice.y/MatMul.t", "Twice.y/e"]
    assert network.macs == 64


@pytest.mark.slow
def test_functions_that_do_not_end_or_grow_too_far_are_refused(tmp_path: Path) -> None:
    def function(name: str, calls: list[str]) -> Any:
        nodes = [helper.make_node(call, ["a"], [f"b{place}"], domain="own")
                 for place, call in enumerate(calls)]  # fmt: skip
        nodes.append(helper.make_node("Identity", ["a"], ["b"]))
        imports = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
        return helper.make_function("own", name, ["a"], ["b"], nodes, imports)

    proto = graph([node("F0", "x", "y", "own")], {"x": [1, 4]}, ["y"])
    with pytest.raises(ReadError, match="function 'F0' calls itself"):
        read(model(proto, 21, [function("F0", ["F1"]), function("F1", ["F0"])], own=1), tmp_path)
    many = [function(f"F{n}", [f"F{n + 1}"] * 10) for n in range(9)] + [function("F9", [])]
    with pytest.raises(ReadError, match="nodes, functions inlined"):
        read(model(proto, 21, many, own=1), tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = stored(conv([1, 3, 8, 8]), tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=re.escape("pip install 'costmodel-nn[onnx]'")):
        costmodel.read(path)


def test_the_invalid_file_of_keras_names_its_operator() -> None:
    network = costmodel.read(MODELS / "pairs" / "transformer.keras.onnx")
    assert any("operator 'Erfc'" in reason for reason in reasons(network))


@pytest.mark.parametrize("name", ["MODEL.ONNX", "Model.Onnx"])
def test_the_ending_of_a_name_may_be_in_capitals(name: str, tmp_path: Path) -> None:
    path = stored(conv([1, 3, 8, 8]), tmp_path)
    assert costmodel.read(path.rename(tmp_path / name)).macs == 36 * 4 * 27


@pytest.mark.parametrize(
    ("name", "to"),
    [("kws_ref_model.tflite", "KWS.TFLITE"), ("pretrainedResnet.h5", "Resnet.H5"),
     ("pairs/cnn.keras", "CNN.Keras"), ("lif_rockpool.nir", "LIF.NIR")],
)  # fmt: skip
def test_so_may_those_of_other_files(name: str, to: str, tmp_path: Path) -> None:
    path = tmp_path / to
    path.write_bytes((MODELS / name).read_bytes())
    assert costmodel.read(path).macs == costmodel.read(MODELS / name).macs


def test_a_pickle_is_not_opened_and_what_to_export_is_said(tmp_path: Path) -> None:
    for name in ("net.pt", "net.pth", "NET.PT"):
        path = tmp_path / name
        path.write_bytes(b"")
        with pytest.raises(ReadError, match=r"never opened; in PyTorch, torch\.export\.save"):
            costmodel.read(path)


def test_operators_of_a_newer_version_than_is_known_are_noted(tmp_path: Path) -> None:
    newest = onnx.defs.onnx_opset_version()
    proto = conv([1, 3, 8, 8]).graph
    (note,) = read(model(proto, 99), tmp_path).notes
    assert f"opset 99 of ai.onnx is newer than {newest}" in note
    assert not read(model(proto, newest), tmp_path).notes


def test_shapes_and_axes_of_unpriced_nodes_are_no_parameters(tmp_path: Path) -> None:
    path = MODELS / "pairs" / "transformer.keras.onnx"
    products, normalizations = 4 * 32 * 32 + 2 * 32 * 64, 2 * 2 * 32
    assert costmodel.read(path).parameter_count == products + normalizations
    nodes = [node("NonZero", "x", "p"), node("Reshape", "p s", "q"), node("Slice", "x b e a", "r"),
             node("MatMul", "r w", "y")]  # fmt: skip
    held = {"s": np.array([-1, 2]), "e": np.array([4]), "a": np.array([1]), "w": array((4, 3))}
    proto = graph(nodes, {"x": [1, 8]}, ["q", "y"], held)
    proto.input.append(info("b", [1], TensorProto.INT64))
    assert read(model(proto), tmp_path).parameter_count == 12


def test_the_weights_of_tfc_take_two_bits() -> None:
    network = costmodel.read(MODELS / "TFC_2W2A.onnx")
    bits = [
        layer.body.tensors[name].format.stored_bits(layer.body.tensors[name].size)  # type: ignore[attr-defined]  # translated
        for layer in network.layers
        if layer.kind == "onnx.MatMul"
        for name in layer.body.weights  # type: ignore[attr-defined]  # likewise
    ]
    assert sum(bits) == 118_016


def test_sparse_constants_are_whole_weights(tmp_path: Path) -> None:
    values = onnx.numpy_helper.from_array(array((3,)), "w")
    places = onnx.numpy_helper.from_array(np.array([1, 5, 9]), "i")
    proto = graph([node("MatMul", "x w", "y")], {"x": [1, 4]}, ["y"])
    proto.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 5]))
    assert lowered(model(proto), tmp_path).macs == 20


def test_an_input_that_is_a_constant_is_no_input(tmp_path: Path) -> None:
    proto = conv([1, 3, 8, 8])
    proto.graph.input.append(info("w", [4, 3, 3, 3]))
    assert [layer.name for layer in read(proto, tmp_path).inputs] == ["x"]
