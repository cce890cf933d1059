"""`costmodel count` and `costmodel layers`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from chains import saved
from console import DENSE, OPEN_AXES, VISION, good, run
from worlds import REGISTRY

from costmodel import matmul, read
from costmodel.conventions.convention import Convention
from costmodel.estimates.counts import count, flops
from costmodel.network.graph import Network
from costmodel.network.layer import Input, OperatorLayer, UnknownLayer
from costmodel.tensor.shapes import Tensor


def counted(*arguments: str | Path) -> Any:
    return json.loads(good("count", *arguments, "--format", "json"))


# ------------------------------------------------------------------ count


def test_a_count_tells_every_layer_and_the_total() -> None:
    shown = good("count", VISION)
    network = read(VISION, registry=REGISTRY)
    blocks = shown.split("\n\n")[1:-1]
    rows = [{line.split()[0]: line for line in block.splitlines()} for block in blocks]
    for layer in network.layers:
        assert all(layer.name in block for block in rows)
    totals = " ".join(block["Total"] for block in rows)
    assert f"{network.macs:,}" in totals
    assert f"{network.parameter_count:,}" in totals


def test_a_count_names_its_convention() -> None:
    title = good("count", VISION).splitlines()[0]
    assert title.endswith("convention costmodel (the true count of what an inference computes)")
    assert counted(VISION)["convention"]["name"] == "costmodel"


def test_another_convention_counts_otherwise() -> None:
    true, theirs = (
        counted(VISION, "--convention", name)["macs"] for name in ("costmodel", "keras-spiking")
    )
    assert true != theirs


def test_the_counts_of_layers_add_up_to_the_total() -> None:
    said = counted(VISION, "--flops")
    for key in ("macs", "flops", "activations", "parameters"):
        assert sum(layer[key] for layer in said["layers"]) == said[key]
    for name, number in said["operations"].items():
        assert sum(layer["operations"].get(name, 0) for layer in said["layers"]) == number


def test_a_multiply_accumulate_is_two_flops_and_a_comparison_one() -> None:
    assert flops({"multiply-accumulate": 10, "multiply-add": 5, "compare": 3}) == 33
    assert "FLOPs: 2 for each multiply-accumulate" in good("count", VISION, "--flops")


def test_flops_are_reported_on_request_only() -> None:
    assert "FLOPs" not in good("count", VISION)
    assert "flops" not in counted(VISION)


def test_weights_that_declare_a_format_keep_it_and_the_table_says_so(tmp_path: Path) -> None:
    def product(name: str, form: str | None) -> OperatorLayer:
        work = matmul((4,), Tensor((4, 8), form))
        return OperatorLayer(name, "acme.Product", [(4,)], work=[work])

    path = tmp_path / "both.json"
    layers = [Input("data", "input", shape=(4,)), product("one", "int8"), product("two", None)]
    network = Network("both", layers, {"one": ["data"], "two": ["data"]})
    path.write_text(network.to_json())
    assert "weights as declared, others in float32: 160 bytes" in good("count", path)
    assert "\nweights in float32: " in good("count", VISION)


@pytest.fixture
def quantised(tmp_path: Path) -> Path:
    """A model of QKeras whose kernels declare 4 bits, and whose bias declares nothing."""
    dense = {
        "kind": "QDense", "units": 4, "kernel_quantizer": "quantized_bits(4,0,1)",
        "use_bias": True,
    }  # fmt: skip
    path = tmp_path / "quantised.json"
    path.write_text(saved((8,), dense))
    return path


def test_weights_of_a_quantised_model_have_other_bytes_in_each_format(quantised: Path) -> None:
    said = counted(str(quantised))
    assert said["parameters"] == 8 * 4 + 4
    assert said["weight_bytes"] == {"float32": 144, "float16": 72, "int8": 36, "int4": 18}
    assert said["weight_bytes_as_declared"] == 8 * 4 // 2 + 4 * 4


def test_the_weights_that_declare_no_format_are_in_the_default_format(quantised: Path) -> None:
    said = counted(str(quantised), "--default-format", "int8")
    assert said["weight_bytes_as_declared"] == 8 * 4 // 2 + 4
    assert "weights as declared, others in fixed<8,7>: 20 bytes" in good(
        "count", quantised, "--default-format", "int8"
    )


def test_where_every_weight_declares_a_format_there_are_no_others(tmp_path: Path) -> None:
    dense = {
        "kind": "QDense", "units": 4, "kernel_quantizer": "quantized_bits(4,0,1)",
        "bias_quantizer": "quantized_bits(8,3,1)",
    }  # fmt: skip
    path = tmp_path / "declared.json"
    path.write_text(saved((8,), dense))
    assert "\nweights as declared: 20 bytes\n" in good("count", path)


def test_nothing_is_as_declared_where_nothing_is() -> None:
    assert "as declared" not in good("count", VISION)
    assert counted(VISION)["weight_bytes_as_declared"] is None


@pytest.mark.parametrize(
    ("name", "bits"), [("float32", 32), ("float16", 16), ("int8", 8), ("int4", 4), ("ternary", 2)]
)
def test_weights_take_as_many_bytes_as_their_format_has_bits(name: str, bits: int) -> None:
    said = counted(VISION, "--weights", name)
    assert said["weight_bytes"] == {name: -(-said["parameters"] * bits // 8)}


def test_an_open_axis_is_bound_by_an_option() -> None:
    refused = run("count", OPEN_AXES)
    assert refused.exit_code == 2
    assert "open axis" in refused.stderr
    network = read(OPEN_AXES, registry=REGISTRY)
    shape = "x".join(str(length or 12) for length in network.inputs[0].shape)
    assert counted(OPEN_AXES, "--input-shape", shape)["macs"] > 0


def test_a_count_in_a_file_has_the_format_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    good("count", VISION, "-o", file)
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sum(int(row["MACs"]) for row in rows) == read(VISION, registry=REGISTRY).macs


def test_several_models_are_counted_at_once() -> None:
    said = counted(VISION, DENSE)
    assert [item["network"] for item in said] == ["vision", "dense"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.keras"], "no such file"),
        ([VISION, "--weights", "float7"], "bits is 7"),
        ([VISION, "--convention", "qtool"], "qtool"),
        ([VISION, "--input-shape", "nothing=3x3x3"], "nothing"),
        ([], "MODEL"),
    ],
)
def test_a_wrong_use_of_count_is_reported(arguments: list[str], message: str) -> None:
    result = run("count", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_has_no_rule_makes_the_counts_a_lower_bound() -> None:
    known = read(DENSE, registry=REGISTRY)
    odd = UnknownLayer("odd", "acme.Odd", known.layers[0].outputs, reason="no rule for it")
    network = Network("half", (*known.layers, odd), {**known.edges, "odd": (known.layers[0].name,)})
    made = count(network, convention=Convention())
    said = made.to_dict()
    assert said["unpriced"] == {"odd": ["no rule for it"]}
    assert said["work_is_lower_bound"]
    assert said["parameters_are_lower_bound"]
    assert said["activations_are_lower_bound"]
    assert said["layers"][-1]["macs"] is None
    shown = made.table().text()
    assert f">= {known.macs:,}" in shown
    assert "not counted: odd: no rule for it" in shown


# ------------------------------------------------------------------ layers


def test_every_known_kind_is_listed_with_its_rule_and_plugin() -> None:
    said = json.loads(good("layers", "--json"))
    listed = {fact["kind"]: fact for fact in said}
    assert REGISTRY.layer_registry.by_kind.keys() <= listed.keys()
    assert listed["keras.Dense"] == {
        "kind": "keras.Dense",
        "rule": "costmodel_keras.layers.basic.Dense",
        "counts": "One contraction over the last axis, then the activation.",
        "plugin": "keras",
    }
    assert listed["input"]["plugin"] == "costmodel"


def test_kinds_are_found_by_a_part_of_their_name() -> None:
    said = json.loads(good("layers", "CONV2d", "--json"))
    kinds = [fact["kind"] for fact in said]
    assert "keras.Conv2D" in kinds
    assert all("conv2d" in kind.lower() for kind in kinds)
    assert "keras.Dense" not in good("layers", "conv2d")


def test_a_kind_without_a_count_says_why_in_the_list() -> None:
    (fact,) = json.loads(good("layers", "keras.ops.SVD", "--json"))
    assert fact["counts"].startswith("Unpriced: how often a matrix algorithm")


def test_every_kind_says_what_it_counts() -> None:
    for kind, rule in REGISTRY.layer_registry.by_kind.items():
        assert len(rule.describe_work(kind)) > 5, kind


def test_a_file_with_open_axes_is_read_for_the_shapes_that_are_given(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    axes = ["N", 3, "H", "W"]
    values = [onnx.helper.make_tensor_value_info(name, 1, axes) for name in ("x", "y")]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "open", values[:1], values[1:])
    path = tmp_path / "open.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    refused = run("count", str(path))
    assert refused.exit_code != 0
    assert "input_shapes" in refused.output
    for shape in ("3x8x8", "x=3x8x8"):
        found = run("count", str(path), "--input-shape", shape)
        assert found.exit_code == 0, found.output
        assert "192 activation" in found.output
