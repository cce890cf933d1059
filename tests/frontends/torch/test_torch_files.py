"""`.pt2` files: what is in them is read without PyTorch and without opening a pickle."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from frontends.torch.programs import (
    MODELS,
    OWN,
    linear,
    macs,
    node,
    packed,
    program,
    read,
    tensor,
    written,
)  # fmt: skip
from worlds import plugin, world

import costmodel
import costmodel_keras.hooks
import costmodel_torch.hooks
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import COMPLEX, SourceNode, Translation
from costmodel.network.graph import Network
from costmodel.workload.reasons import Unpriced

PAIRS = json.loads((MODELS / "pairs" / "pairs.json").read_text())
PARAMETERS = {
    "cnn": 5418, "conv1d": 7349, "embedding": 16676, "lstm": 5508, "resblock": 14528,
    "transformer": 8544,
}  # fmt: skip
"""What `sum(p.numel() for p in module.parameters())` gave."""

LSTM = 2 * 2 * 10 * (4 * 16 * 8 + 4 * 16 * 4 + 16 * 4)
"""Two layers, two directions, ten steps: kernel, recurrent kernel, projection."""
MACS = {
    "cells": LSTM + 10 * 3 * 12 * (8 + 12) + 10 * 6 * (12 + 6),
    "convolutions": 16 * 100 * 9 + 12 * 100 * 4 * 9 + 12 * 100 * 3 * 9,
    "experts": 16 * 4 + 16 * 24,
    "scanned": 5 * 8 * 8 + 5 * 8 * 6,
    "stateful": 8 * 8,
    "quantized": 8 * 16,
}
"""By hand: depthwise, dilated in four groups, transposed by input elements in two groups."""


def layers(network: Network) -> dict[str, str]:
    return {layer.name: layer.kind for layer in network.layers}


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_program_has_the_multiply_accumulates_and_parameters_of_its_module(name: str) -> None:
    network = read(MODELS / "pairs" / f"{name}.pt2")
    assert macs(network) == PAIRS[name]["macs"]
    assert network.parameter_count == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(MACS))
def test_operators_of_many_kinds_have_the_counts_by_hand(name: str) -> None:
    assert macs(read(OWN / f"{name}.pt2")) == MACS[name]


@pytest.mark.parametrize("length", [5, 12])
def test_an_open_axis_is_bound_by_the_shape_of_an_input(length: int) -> None:
    network = read(OWN / "encoder.pt2", input_shapes=(length,))
    dense = 3 * 32 * 32 + 32 * 32 + 2 * 32 * 64 + 2 * 32 * 32 + 32 * 50
    assert macs(network) == length * dense + 2 * length * length * 32
    again = network.bind({"tokens": (2 * length,)})
    assert macs(again) == 2 * length * dense + 8 * length * length * 32


def test_an_open_axis_is_named_when_nothing_binds_it() -> None:
    with pytest.raises(costmodel.CostModelError, match="'tokens' has open axes: axis 1 of s27"):
        read(OWN / "encoder.pt2")


def test_another_length_than_was_exported_is_refused() -> None:
    with pytest.raises(costmodel.CostModelError, match="was exported for 1 x 10 x 8; found 9 x 8"):
        read(OWN / "cells.pt2", input_shapes=(9, 8))


def test_layers_are_called_by_the_paths_of_their_modules() -> None:
    network = read(OWN / "encoder.pt2", input_shapes=(5,))
    names = layers(network)
    assert names["layers.0.linear1"] == "torch.aten.linear"
    assert names["layers.0.self_attn.scaled_dot_product_attention"].endswith("attention")
    assert names["layers.0.norm1"] == "torch.aten.layer_norm"


def test_a_module_called_twice_shares_its_weights() -> None:
    network = read(OWN / "encoder.pt2", input_shapes=(5,))
    assert network.layer("twice@1").shares == "twice"


def test_tied_weights_are_counted_once() -> None:
    network = read(OWN / "encoder.pt2", input_shapes=(5,))
    assert network.layer("head").shares == "embedding"
    attention, norms = 96 * 32 + 96 + 32 * 32 + 32, 2 * 64
    dense = 64 * 32 + 64 + 32 * 64 + 32 + 32 * 32 + 32
    assert network.parameter_count == 50 * 32 + attention + norms + dense


def test_a_buffer_that_is_written_is_an_input_and_no_parameter() -> None:
    network = read(OWN / "stateful.pt2")
    assert [layer.name for layer in network.inputs] == ["x", "membrane", "cache"]
    assert network.parameter_count == 8 * 8 + 8


def test_quantised_edges_and_weights_have_their_formats() -> None:
    network = read(OWN / "quantized.pt2")
    workload = costmodel.lower(network).bind(batch=1)
    (product,) = [one for one in workload.operators if one.macs]
    assert [str(operand.format) for operand in product.operands] == ["fixed<8,7>"] * 3
    assert not [name for name in layers(network) if name.startswith("dequantize_per_channel")]


def test_a_branch_stays_and_a_loop_runs_as_often_as_it_counts() -> None:
    network = read(OWN / "controlled.pt2")
    works = {work.layer.name: work.macs for work in costmodel.work_by_layer(network)}
    assert works["while_loop"] == 3 * 8 * 8
    assert works["cond"] == 2 * 8 * 8  # one alternative has one product, the other two
    assert works["first"] == 8 * 8


def test_no_framework_is_imported_to_read_a_file() -> None:
    code = (
        "import sys, costmodel; costmodel.read(sys.argv[1]); "
        "assert not {'torch', 'onnx', 'h5py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(OWN / "cells.pt2")], check=True)


class Bomb:
    """Fails where it is unpickled."""

    def __reduce__(self) -> Any:
        return (sys.exit, ("unpickled",))


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb())
    config = json.dumps({"config": {"w": {"path_name": "weight_0.pt", "use_pickle": True}}})
    more = {
        "net/data/weights/model_weights_config.json": config.encode(),
        "net/data/weights/weight_0.pt": bomb, "net/data/sample_inputs/model.pt": bomb,
    }  # fmt: skip
    assert macs(read(written(tmp_path, linear(), **more))) == 8 * 4


def test_the_old_place_of_a_program_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(packed(linear(), "serialized_exported_program.json"))
    assert macs(read(path)) == 8 * 4


def test_an_unknown_operator_stays_named_and_unpriced(tmp_path: Path) -> None:
    nodes = [
        node("aten.linear.default", "y", input="x", weight="w"),
        node("acme.attention.default", "z", "attend", query="y"),
    ]
    made = program(
        nodes, {"x": tensor(1, 8), "w": tensor(4, 8), "y": tensor(1, 4), "z": tensor(1, 6)},
        held=("w",),
    )  # fmt: skip
    network = read(written(tmp_path, made))
    (work,) = [one for one in costmodel.work_by_layer(network) if one.layer.name == "attend"]
    assert work.layer.kind == "torch.acme.attention.default"
    assert "no rule for the torch operator 'acme.attention.default' (a plugin" in str(work.work)
    assert network.layer("attend").outputs[0].shape == (6,)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"schema_version": {"major": 5, "minor": 1}}, "version 5 of the schema; expected 8"),
    ({"graph_module": {}}, "not an exported program as its schema describes it"),
    ({"graph_module": 3}, "not an exported program as its schema describes it"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_is_no_program_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(costmodel.CostModelError, match=message):
        read(written(tmp_path, linear(**change)))


def test_a_result_of_another_shape_than_is_declared_is_refused(tmp_path: Path) -> None:
    made = linear()
    made["graph_module"]["graph"]["tensor_values"]["y"] = tensor(1, 5)
    message = r"node 'y' of aten.linear.default: its result has the shape \(1, 4\)"
    with pytest.raises(costmodel.CostModelError, match=message):
        read(written(tmp_path, made))


def test_a_node_that_reads_what_nothing_gives_is_refused(tmp_path: Path) -> None:
    made = linear()
    made["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"]["as_tensor"]["name"] = "z"
    with pytest.raises(costmodel.CostModelError, match="'z' is read before anything gives it"):
        read(written(tmp_path, made))


def test_an_archive_without_a_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(packed({}, "net/other.json"))
    with pytest.raises(costmodel.CostModelError, match=r"torch\.export\.save"):
        read(path)
    path.write_bytes(packed({}, "net/data/aotinductor/model/x.so"))
    with pytest.raises(costmodel.CostModelError, match="AOTInductor compiled"):
        read(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(b"not a zip")
    with pytest.raises(costmodel.CostModelError, match=r"not a whole \.pt2 file"):
        read(path)


def test_a_program_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(packed(b" " * 2**26))
    with pytest.raises(costmodel.CostModelError, match="more than 33,554,432 bytes"):
        read(path)


def test_json_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(packed(b"[" * 200_000))
    with pytest.raises(costmodel.CostModelError, match="nested too deeply"):
        read(path)


def test_an_archive_with_a_list_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, linear())
    content = bytearray(path.read_bytes())
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (2**30).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(costmodel.CostModelError, match="list of members has more than"):
        read(path)


def test_a_file_with_the_program_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, linear())
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("net/models/model.json", "{}")
    with pytest.raises(costmodel.CostModelError, match="stands twice in the archive"):
        read(path)


def test_a_file_takes_no_example_inputs() -> None:
    with pytest.raises(costmodel.CostModelError, match="example_inputs are for a module"):
        read(OWN / "cells.pt2", example_inputs=(1,))


def test_another_reader_takes_no_example_inputs() -> None:
    with pytest.raises(costmodel.CostModelError, match="takes no example_inputs"):
        read(MODELS / "pretrainedResnet.h5", example_inputs=(1,))


def test_a_third_party_translates_its_own_operator(tmp_path: Path) -> None:
    def attend(made: SourceNode) -> Value:
        query, weight = made.input(0), made.input(1)
        return made.add("matmul", query, weight, transpose_right=bool(made.attribute("turned", 0)))

    acme = plugin(translations=[Translation("torch", "acme.attend", attend)])
    registry = world(keras=costmodel_keras.hooks, torch=costmodel_torch.hooks, acme=acme)
    made = program(
        [node("acme.attend.default", "y", "layer", query="x", keys="w", turned=1)],
        {"x": tensor(1, 8), "w": tensor(4, 8), "y": tensor(1, 4)}, held=("w",),
    )  # fmt: skip
    network = costmodel.read(written(tmp_path, made), registry=registry)
    assert macs(network) == 8 * 4
    assert network.layer("layer").kind == "torch.acme.attend"


def test_a_product_with_a_turned_weight_shares_it(tmp_path: Path) -> None:
    nodes = [
        node("aten.linear.default", "y", "first", input="x", weight="w"),
        node("aten.permute.default", "t", self="w", dims=[1, 0]),
        node("aten.mm.default", "z", "second", self="y", mat2="t"),
    ]
    made = program(
        nodes, {"x": tensor(1, 8), "w": tensor(8, 8), "y": tensor(1, 8), "t": tensor(8, 8),
                "z": tensor(1, 8)}, held=("w",),
    )  # fmt: skip
    network = read(written(tmp_path, made))
    assert network.layer("second").kind == "torch.aten.linear"
    assert network.layer("second").shares == "first"
    assert network.parameter_count == 64


def test_a_view_that_is_written_changes_what_it_shows(tmp_path: Path) -> None:
    nodes = [
        node("aten.add.Tensor", "y", self="x", other="x"),
        node("aten.select.int", "row", self="y", dim=1, index=2),
        node("aten.select.int", "other", self="x", dim=1, index=0),
        node("aten.copy_.default", "done", self="row", src="other"),
        node("aten.relu.default", "z", self="y"),
    ]
    made = program(
        nodes, {"x": tensor(1, 4, 8), "y": tensor(1, 4, 8), "row": tensor(1, 8),
                "other": tensor(1, 8), "done": tensor(1, 8), "z": tensor(1, 4, 8)},
    )  # fmt: skip
    network = read(written(tmp_path, made))
    assert "done.written" in layers(network)
    (port,) = network.sources("z")
    assert port.layer == "done.written"


@pytest.mark.parametrize(
    "target",
    ["aten.nonzero.default", "aten.topk.default", "aten.sort.default", "aten.rand.default"],
)
def test_what_depends_on_data_or_chance_has_no_price(target: str, tmp_path: Path) -> None:
    made = program(
        [node(target, "y", self="x"), node("aten.relu.default", "z", self="y")],
        {"x": tensor(1, 8), "y": tensor(1, 8), "z": tensor(1, 8)},
    )
    network = read(written(tmp_path, made))
    assert isinstance(costmodel.work_by_layer(network)[1].work, costmodel.Unpriced)


def test_what_follows_a_shape_of_data_has_no_price_and_the_rest_has(tmp_path: Path) -> None:
    """As `x[x > 0]`: its first cause is what every operator that reads it is unpriced for."""
    nodes = [
        node("aten.linear.default", "y", input="x", weight="w"),
        node("aten.gt.Scalar", "mask", self="y", other=0),
        node("aten.index.Tensor", "found", self="y", indices={"as_tensors": [{"name": "mask"}]}),
        node("aten.tanh.default", "bent", self="found"),
        node("aten.sum.default", "total", self="bent"),
        node("aten.add.Tensor", "z", self="y", other="total"),
    ]
    declared = {
        "x": tensor(1, 8), "w": tensor(4, 8), "y": tensor(1, 4), "mask": tensor(1, 4, dtype=12),
        "found": tensor("Symbol('u0', integer=True)"),
        "bent": tensor("Symbol('u0', integer=True)"), "total": tensor(), "z": tensor(1, 4),
    }  # fmt: skip
    network = read(written(tmp_path, program(nodes, declared, held=("w",))))
    first = "how many elements it finds depends on the data"
    reasons = {
        layer.name: layer.operators().reason
        for layer in network.layers
        if isinstance(layer.operators(), Unpriced) and layer.name != "x"
    }
    after = f"the shape of what 'found' gives is not known: {first}"
    assert reasons == {"found": first, "bent": after, "total": after}
    shown = {layer.name: layer.shown_outputs for layer in network.layers}
    assert shown["found"] == shown["bent"] == ["?"]
    counted = costmodel.lower(network).bind(batch=1)
    assert counted.macs == 4 * 8
    assert counted.operations["compare"] == counted.operations["add"] == 4


def test_arithmetic_of_complex_numbers_has_no_price(tmp_path: Path) -> None:
    nodes = [
        node("aten.t.default", "turned", self="x"),
        node("aten.mm.default", "y", self="x", mat2="turned"),
        node("aten.abs.default", "z", self="y"),
    ]
    numbers = dict.fromkeys(("x", "turned", "y"), tensor(4, 4, dtype=10))
    network = read(written(tmp_path, program(nodes, {**numbers, "z": tensor(4, 4)})))
    reasons = {
        layer.name: layer.operators().reason
        for layer in network.layers[1:]
        if isinstance(layer.operators(), Unpriced)
    }
    assert reasons == dict.fromkeys(("y", "z"), COMPLEX)
    assert network.macs == 0


@pytest.mark.parametrize(("mode", "neighbours"), [(0, 2), (1, 1), (2, 4)])
@pytest.mark.parametrize("sides", [(5, 6), (4, 5, 6)])
def test_an_image_at_the_places_of_a_grid_is_a_sum_of_neighbours(
    sides: tuple[int, ...], mode: int, neighbours: int, tmp_path: Path
) -> None:
    axes = len(sides)
    nodes = [
        node("aten.affine_grid_generator.default", "g", theta="x_m", size=[1, 3, *sides],
             align_corners=False),
        node("aten.grid_sampler.default", "y", input="x", grid="g", interpolation_mode=mode,
             padding_mode=0, align_corners=False),
    ]  # fmt: skip
    declared = {
        "x": tensor(1, 3, *[9] * axes), "x_m": tensor(1, axes, axes + 1),
        "g": tensor(1, *sides, axes), "y": tensor(1, 3, *sides),
    }  # fmt: skip
    network = read(written(tmp_path, program(nodes, declared)))
    points = math.prod(sides)
    counted = costmodel.lower(network).bind(batch=1).operations
    assert counted == {"multiply-add": points * (axes * axes + 3 * neighbours**axes)}


def test_an_unknown_operator_that_gives_nothing_changes_what_it_takes(tmp_path: Path) -> None:
    """As a custom kernel that writes into a tensor: what reads that tensor follows it."""
    changes = node("acme.update.default", "none", "update", source="y", into="seen")
    nodes = [
        node("aten.linear.default", "y", input="x", weight="w"),
        node("aten.view.default", "seen", self="y", size=[4, 1]),
        {**changes, "outputs": []},
        node("aten.tanh.default", "z", self="y"),
    ]
    declared = {
        "x": tensor(1, 8), "w": tensor(4, 8), "y": tensor(1, 4), "seen": tensor(4, 1),
        "z": tensor(1, 4),
    }  # fmt: skip
    network = read(written(tmp_path, program(nodes, declared, held=("w",))))
    (unpriced,) = [
        work.layer for work in costmodel.work_by_layer(network)
        if "no rule for the torch operator 'acme.update.default'" in str(work.work)
    ]  # fmt: skip
    assert unpriced.kind == "torch.acme.update.default"
    assert network.layers[-1].kind == "torch.aten.tanh"
    assert macs(network) == 4 * 8


def test_a_tensor_without_elements_is_no_part_of_what_is_joined(tmp_path: Path) -> None:
    """As the cache before the first token."""
    nodes = [
        node("aten.slice.Tensor", "none", self="x", dim=1, start=0, end=0),
        node("aten.cat.default", "y", dim=1,
             tensors={"as_tensors": [{"name": "none"}, {"name": "x"}]}),
        node("aten.tanh.default", "z", self="y"),
        node("aten.sum.default", "nothing", self="none"),
        node("aten.add.Tensor", "end", self="z", other="nothing"),
    ]  # fmt: skip
    declared = {
        "x": tensor(1, 8), "none": tensor(1, 0), "y": tensor(1, 8), "z": tensor(1, 8),
        "nothing": tensor(), "end": tensor(1, 8),
    }  # fmt: skip
    network = read(written(tmp_path, program(nodes, declared)))
    reasons = [
        layer.operators().reason
        for layer in network.layers
        if isinstance(layer.operators(), Unpriced) and layer.name != "x"
    ]
    assert reasons == ["it reads a tensor without elements"]
    assert costmodel.lower(network).bind(batch=1).operations == {"activation": 8, "add": 8}


def test_what_a_map_hides_has_no_price(tmp_path: Path) -> None:
    nodes = [
        node("torch._functorch.predispatch._add_batch_dim", "one", self="x"),
        node("aten.linear.default", "y", input="one", weight="w"),
        node("aten.tanh.default", "z", self="y"),
        node("torch._functorch.predispatch._remove_batch_dim", "all", self="z"),
        node("aten.relu.default", "end", self="all"),
    ]
    for one in (nodes[0], nodes[3]):
        one["target"] = one["target"].removeprefix("torch.ops.")
    declared = {
        "x": tensor(1, 5, 8), "w": tensor(4, 8), "one": tensor(1, 8), "y": tensor(1, 4),
        "z": tensor(1, 4), "all": tensor(1, 5, 4), "end": tensor(1, 5, 4),
    }  # fmt: skip
    network = read(written(tmp_path, program(nodes, declared, held=("w",))))
    priced = [layer.name for layer in network.layers if not isinstance(layer.operators(), Unpriced)]
    assert priced == ["x", "end"]
