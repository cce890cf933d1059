"""What TFLite files hold: formats, open axes, signatures, and what is wrong with them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frontends.graphs import functions
from frontends.tflite.files import Function, Made, written
from frontends.tflite.operator_cases import CONV, dense

import costmodel
from costmodel.errors import CostModelError, ReadError, ShapeError, UnknownNameError
from costmodel.formats import format_name
from costmodel.frontend.translation import Translation
from costmodel.network.graph import Network
from costmodel.workload.graph import Loop, Workload
from costmodel.workload.operators import Contraction

tflite = pytest.importorskip("tflite")
MODELS = Path(__file__).parent.parent / "models"
VELA = Path(__file__).parent / "vela.json"


def read(path: Path, *functions: Function, **settings: Any) -> Network:
    file = path / "net.tflite"
    file.write_bytes(written(*functions, signatures=settings.pop("signatures", None)))
    return costmodel.read(file, **settings)


def lowered(network: Network) -> Workload:
    return costmodel.Convention().lower(network, costmodel.Scenario()).bind(batch=1)


def formats(whole: Workload) -> list[str]:
    """Those of what the one contraction reads and gives; float32 where none is declared."""
    (operator,) = [
        node.operator for node, _ in whole.nodes if isinstance(node.operator, Contraction)
    ]
    tensors = [one.tensor for one in operator.operands]
    return [format_name(one.format) if one.format else "float32" for one in tensors]


def fully_connected(
    kind: str, weights: str, bias: str = "int32", result: str = "", **settings: Any
) -> Function:
    f = Function()
    x = f.input((1, 16), kind, scales=int(kind != "float32"))
    held = f.weights(8, 16, kind=weights, **settings)
    (y,) = f.add("FULLY_CONNECTED", [x, held, f.weights(8, kind=bias)], [(1, 8)])
    y.type = result or kind
    f.outputs = [y]
    return f


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (fully_connected("float32", "float32", "float32"), ["float32"] * 4),
        (fully_connected("int8", "int8", scales=1), ["int8", "int8", "int32", "int8"]),
        (fully_connected("int8", "int8", scales=8), ["int8", "int8", "int32", "int8"]),
        (fully_connected("int16", "int8", scales=8), ["int16", "int8", "int32", "int16"]),
        (fully_connected("int8", "int4", scales=8), ["int8", "int4", "int32", "int8"]),
        (fully_connected("float32", "int8", "float32", scales=1),
         ["float32", "int8", "float32", "float32"]),
        (fully_connected("uint8", "uint8", scales=1), ["uint8", "uint8", "int32", "uint8"]),
    ],
    ids=["float", "int8", "int8 per channel", "16x8", "int4", "hybrid", "uint8"],
)  # fmt: skip
def test_formats_are_those_of_the_file(
    function: Function, expected: list[str], tmp_path: Path
) -> None:
    assert formats(lowered(read(tmp_path, function))) == expected


def test_weights_behind_dequantize_keep_their_format_and_take_no_work(tmp_path: Path) -> None:
    f = Function()
    (held,) = f.add("DEQUANTIZE", [f.weights(8, 16, kind="float16")], [(8, 16)])
    f.outputs = f.add("FULLY_CONNECTED", [f.input((1, 16)), held], [(1, 8)])
    network = read(tmp_path, f)
    assert [layer.kind for layer in network.layers] == ["input", "tflite.FULLY_CONNECTED"]
    assert formats(lowered(network)) == ["float32", "float16", "float32"]


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_functions_with_numbers_of_half_width_are_known_again(kind: str, tmp_path: Path) -> None:
    f = Function()
    x, held = f.input((1, 16)), f.numbers(1.702, kind)
    if kind == "float16":
        (held,) = f.add("DEQUANTIZE", [held], [()])
    (scaled,) = f.add("MUL", [x, held], [(1, 16)])
    (gate,) = f.add("LOGISTIC", [scaled], [(1, 16)])
    f.outputs = f.add("MUL", [x, gate], [(1, 16)])
    assert functions(lowered(read(tmp_path, f))) == ["quick_gelu"]


def test_sparse_weights_count_as_dense_ones(tmp_path: Path) -> None:
    f = Function()
    stored = f.tensor((8, 16), data=bytes(4 * 20), is_sparse=True)
    (held,) = f.add("DENSIFY", [stored], [(8, 16)])
    f.outputs = f.add("FULLY_CONNECTED", [f.input((1, 16)), held], [(1, 8)])
    assert lowered(read(tmp_path, f)).macs == 128


# ------------------------------------------------------------------ shapes


def image(shape: tuple[int, ...], signature: tuple[int, ...]) -> Function:
    f = Function()
    x = f.input(shape, signature=signature, name="image")
    out = (signature[0], signature[1], signature[2], 6)
    (y,) = f.add(
        "CONV_2D", [x, f.weights(6, 3, 3, 4)], [(1, *shape[1:3], 6)], CONV, "Conv2DOptions"
    )
    y.signature = out
    f.outputs = [y]
    return f


def test_an_open_batch_is_one_example(tmp_path: Path) -> None:
    network = read(tmp_path, image((1, 8, 8, 4), (-1, 8, 8, 4)))
    assert network.inputs[0].shape == (8, 8, 4)
    assert lowered(network).macs == 64 * 6 * 36


def test_other_open_axes_are_named_with_what_binds_them(tmp_path: Path) -> None:
    open_image = image((1, 1, 1, 4), (-1, -1, -1, 4))
    with pytest.raises(ReadError, match=r"'image' .* axis 1 and 2 is open; bind it.*input_shapes"):
        read(tmp_path, open_image)
    network = read(tmp_path, open_image, input_shapes={"image": (16, 8, 4)})
    assert lowered(network).macs == 128 * 6 * 36
    assert lowered(network.bind({"image": (8, 8, 4)})).macs == 64 * 6 * 36


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8), (2, 8, 8, 4, 1)])
def test_a_shape_that_the_file_does_not_allow_is_refused(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(ShapeError, match=r"'image' has the shape \(\?, 8, 8, 4\)"):
        read(tmp_path, image((1, 8, 8, 4), (-1, 8, 8, 4)), input_shapes={"image": shape})


def test_an_unknown_input_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'image'"):
        read(tmp_path, image((1, 8, 8, 4), (-1, 8, 8, 4)), input_shapes={"imge": (8, 8, 4)})


def test_a_declared_shape_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    f = Function()
    reads = [f.input((1, 8, 8, 4)), f.weights(6, 3, 3, 4)]
    f.outputs = f.add("CONV_2D", reads, [(1, 7, 8, 6)], CONV, "Conv2DOptions")
    with pytest.raises(
        ReadError, match=r"CONV_2D: .*\(1, 8, 8, 6\); the file declares \(1, 7, 8, 6"
    ):
        read(tmp_path, f)


def test_a_signature_is_named_behind_the_path(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(written(dense(5, 6), dense(50, 6), signatures={"small": 0, "large": 1}))
    macs = {end: lowered(costmodel.read(f"{file}{end}")).macs for end in ("", "#small", "#large")}
    assert macs == {"": 30, "#small": 30, "#large": 300}
    with pytest.raises(UnknownNameError, match="large"):
        costmodel.read(f"{file}#lage")


# ------------------------------------------------------------------ damage


def short_weights() -> Function:
    f = Function()
    held = f.tensor((8, 16), data=bytes(40))
    f.outputs = f.add("FULLY_CONNECTED", [f.input((1, 16)), held], [(1, 8)])
    return f


def no_source() -> Function:
    f = Function()
    f.outputs = f.add("RELU", [f.tensor((1, 16))], [(1, 16)])
    return f


def strange_type() -> Function:
    f = Function()
    f.outputs = f.add("CONV_2D", [f.input((1, 8, 8, 4)), f.weights(6, 3, 3, 3)], [(1, 8, 8, 6)],
                      CONV, "Conv2DOptions")  # fmt: skip
    return f


def missing_input() -> Function:
    f = Function()
    f.outputs = f.add("FULLY_CONNECTED", [f.input((1, 16)), None], [(1, 8)])
    return f


def too_many_parts() -> Function:
    f = Function()
    options = {"Axis": 1, "Num": 2}
    f.outputs = f.add("UNPACK", [f.input((1, 10**6))], [(1,), (1,)], options, "UnpackOptions")
    return f


def without_elements() -> Function:
    f = Function()
    held = f.tensor((0, 2**31 - 1, 2**31 - 1, 2**31 - 1), data=bytes(4))
    f.outputs = f.add("ADD", [f.input((1, 16)), held], [(1, 16)])
    return f


DAMAGE: dict[str, tuple[Callable[[], Function], str]] = {
    "short weights": (short_weights, "512 bytes|40 bytes; the file is cut off"),
    "no source": (no_source, "nothing gives tensor 't0'"),
    "kernel": (strange_type, "a kernel of 3 channels does not fit an image of 4"),
    "too many parts": (too_many_parts, "1,000,000 parts for 2 results"),
    "no elements": (without_elements, "input 1 is missing"),
    "missing input": (missing_input, "input 1 is missing"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(case: str, tmp_path: Path) -> None:
    build, words = DAMAGE[case]
    with pytest.raises(ReadError, match=words):
        read(tmp_path, build())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such file"):
        costmodel.read(tmp_path / "none.tflite")


def test_each_changed_byte_of_a_file_is_answered(tmp_path: Path) -> None:
    whole = bytearray(written(dense(5, 6)))
    file = tmp_path / "net.tflite"
    for place in range(0, len(whole), 3):
        for value in (0, 127, 255):
            changed = bytes([*whole[:place], value, *whole[place + 1 :]])
            file.write_bytes(changed)
            try:
                costmodel.read(file)
            except CostModelError:
                continue


# ------------------------------------------------------------------ third parties, size, peers


def test_a_third_party_adds_an_operator(tmp_path: Path) -> None:
    from costmodel_tflite.operators import TFLITE  # noqa: PLC0415  # brings the parser

    def swish(node: Any) -> Any:
        return node.add("activation", node.input(), function="silu")

    table = TFLITE.extended([Translation("tflite", "CUSTOM:Acme", swish)])
    assert "CUSTOM:Acme" in table
    assert "CUSTOM:Acme" not in TFLITE


def test_thirty_megabytes_of_weights_are_not_copied(tmp_path: Path) -> None:
    f = Function()
    value: Made = f.input((1, 1024))
    for _ in range(8):
        (value,) = f.add("FULLY_CONNECTED", [value, f.weights(1024, 1024)], [(1, 1024)])
    f.outputs = [value]
    file = tmp_path / "net.tflite"
    file.write_bytes(written(f))
    size = file.stat().st_size
    assert size > 30e6
    tracemalloc.start()
    network = costmodel.read(file)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.5 * size  # the file itself
    assert lowered(network).macs == 8 * 1024**2


@pytest.mark.parametrize("name", json.loads(VELA.read_text())["cases"])
def test_vela_multiplies_as_often_in_contractions(name: str) -> None:
    """Its totals have pooling, means, softmax and copies as well; these are left out here."""
    path = next(MODELS.rglob(name))
    rows = json.loads(VELA.read_text())["cases"][name]
    expected = sum(
        macs for source, operation, macs in rows
        if operation in {"Conv2D", "DepthwiseConv2D", "FullyConnected", "MatMul"}
        and source != "Mean"
    )  # fmt: skip
    assert lowered(costmodel.read(path)).macs == expected


@pytest.mark.parametrize("name", ["pretrainedResnet", "pretrainedResnet_quant", "kws_ref_model"])
def test_a_board_prices_all_of_a_network(name: str) -> None:
    estimate = costmodel.estimate(MODELS / f"{name}.tflite", ["raspberry-pi-4"])
    assert not estimate.coverage("raspberry-pi-4").unpriced


def test_an_integer_lstm_keeps_gates_and_cell_in_16_bits() -> None:
    """As the kernels of TFLite Micro do, whose file this is: nothing is float32 within."""
    network = costmodel.read(MODELS / "trained_lstm_int8.tflite")
    (loop,) = [step for step in lowered(network).steps if isinstance(step, Loop)]
    written = {
        node.name: {format_name(one.format) for one in node.operator.outputs if one.format}
        for node, _ in loop.body.nodes
    }
    (last,) = [name for name, kinds in written.items() if kinds == {"int8"}]
    assert last.startswith("multiply")  # what the cell lets out
    assert all(kinds == {"int16"} for name, kinds in written.items() if name != last)
    estimate = costmodel.estimate(network, ["ethos-u55-128"], on_unpriced="bound")
    assert not estimate.coverage("ethos-u55-128").unpriced
