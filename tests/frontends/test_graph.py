"""Graphs: shapes, constants, layers, and the batch that layers leave out."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from attrs import evolve
from frontends.graphs import lowered, number, step
from worlds import REGISTRY

import costmodel
from costmodel.errors import ReadError, ShapeError
from costmodel.formats import parse_format
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.network import layer_formats
from costmodel.workload.graph import Workload

ROOT = Path(__file__).parent.parent.parent


def small() -> Graph:
    graph = Graph("small", "test")
    image = graph.input("image", (1, 3, 8, 8))
    kernel = graph.constant("conv.weight", (4, 3, 3, 3), is_parameter=True)
    bias = graph.constant("conv.bias", (4,), is_parameter=True)
    made = step(graph, "conv", "conv", image, kernel, bias, padding=1)
    made = step(graph, "relu", "activation", made, function="relu")
    flat = step(graph, "flatten", "reshape", made, shape=(1, 256))
    head = graph.constant("head.weight", (10, 256), is_parameter=True)
    graph.outputs = [step(graph, "head", "matmul", flat, head, transpose_right=True)]
    return graph


def test_each_source_node_is_a_layer_without_the_batch() -> None:
    network, _ = lowered(small())
    assert [(layer.name, layer.kind, layer.outputs[0].shape) for layer in network.layers] == [
        ("image", "input", (3, 8, 8)),
        ("conv", "test.conv", (4, 8, 8)),
        ("relu", "test.activation", (4, 8, 8)),
        ("flatten", "test.reshape", (256,)),
        ("head", "test.matmul", (10,)),
    ]
    assert dict(network.layer("conv").parameters)["weight"].shape == (4, 3, 3, 3)


def test_the_batch_multiplies_the_work_and_not_the_weights() -> None:
    graph = small()
    network = network_of(graph)
    whole = costmodel.Convention().lower(network, costmodel.Scenario())
    macs = 4 * 3 * 9 * 64 + 2560
    for batch in (1, 7):
        bound = whole.bind(batch=batch)
        assert bound.macs == batch * macs
        assert bound.weight_count == 4 * 27 + 4 + 2560
    assert bound.tensors["conv/output"].shape == (7, 4, 8, 8)


def test_a_view_is_free_and_a_network_survives_json() -> None:
    network, workload = lowered(small())
    assert len(workload.operators) == 3
    assert costmodel.read(network.to_json()) == network
    schema = json.loads((ROOT / "costmodel/network/network.schema.json").read_text())
    jsonschema.validate(json.loads(network.to_json()), schema)
    estimate = costmodel.estimate(network, ["cpu"], registry=REGISTRY)
    assert not estimate.coverage("cpu").unpriced


def test_constants_fold_as_far_as_they_are_small() -> None:
    graph = Graph("shapes", "test")
    lengths = graph.constant("lengths", data=np.array([2, 3, 4]))
    last = graph.add("select", lengths, key=[slice(2, 3)])
    doubled = graph.add("elementwise", last, number(graph, 2), function="multiply")
    both = graph.add("concatenate", lengths, doubled, axis=0)
    assert both.data.tolist() == [2, 3, 4, 8]
    assert graph.add("elementwise", both, both, function="divide").data.tolist() == [1] * 4
    assert not graph.nodes
    large = graph.constant("large", (2**9, 2**9), is_parameter=True)
    turned = graph.add("transpose", large, order=(1, 0))
    assert turned.is_constant
    assert turned.is_parameter
    assert turned.data is None


def test_integers_divide_to_integers() -> None:
    graph = Graph("shapes", "test")
    seven, two = (graph.constant("n", data=np.array([n])) for n in (7, 2))
    assert graph.add("elementwise", seven, two, function="divide").data.tolist() == [3]


def test_layers_that_hold_the_same_parameters_share_them() -> None:
    graph = Graph("tied", "test")
    value = graph.input("x", (1, 16))
    kernel = graph.constant("w", (16, 16), is_parameter=True)
    for place in range(3):
        value = step(graph, f"dense{place}", "matmul", value, kernel)
    graph.outputs = [value]
    network, workload = lowered(graph)
    assert [layer.shares for layer in network.layers] == [None, None, "dense0", "dense0"]
    assert workload.weight_count == 256
    assert workload.macs == 3 * 256


def test_a_name_that_comes_twice_gets_a_number() -> None:
    graph = Graph("twice", "test")
    value = graph.input("x", (1, 4))
    value = step(graph, "f", "activation", value, function="relu")
    other = step(graph, "g", "activation", value, function="relu")
    graph.outputs = [step(graph, "f", "activation", other, function="tanh")]
    network, _ = lowered(graph)
    assert [layer.name for layer in network.layers] == ["x", "f", "g", "f:2"]


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 8)])
def test_a_number_may_stretch_what_it_meets(shape: tuple[int, ...]) -> None:
    graph = Graph("net", "test")
    value = graph.input("x", (8,))
    other = graph.constant("c", data=np.ones(shape))
    made = step(graph, "add", "elementwise", value, other, function="add")
    assert made.shape == np.broadcast_shapes((8,), shape)
    graph.outputs = [made]
    assert lowered(graph)[1].operations["add"] == made.size


def test_a_number_is_part_of_an_operation_unless_it_is_trained() -> None:
    graph = Graph("numbers", "test")
    value = graph.input("x", (1, 4))
    plain = step(graph, "plain", "elementwise", value, number(graph, 3), function="multiply")
    scale = graph.constant("scale", (1,), is_parameter=True)
    graph.outputs = [step(graph, "own", "elementwise", plain, scale, function="multiply")]
    _, workload = lowered(graph)
    assert [len(node.reads) for node, _ in workload.nodes] == [1, 2]


def test_what_nobody_reads_is_left_out() -> None:
    graph = Graph("unused", "test")
    value = graph.input("x", (1, 4))
    step(graph, "aside", "matmul", value, graph.constant("w", (4, 4)))
    graph.outputs = [step(graph, "f", "activation", value, function="relu")]
    network, _ = lowered(graph)
    assert [layer.name for layer in network.layers] == ["x", "f"]


def test_inputs_without_a_batch_keep_their_axes() -> None:
    graph = Graph("steps", "test")
    value = graph.input("x", (5, 1, 4))
    graph.outputs = [step(graph, "f", "activation", value, function="relu")]
    network, _ = lowered(graph)
    assert network.layers[0].outputs[0].shape == (5, 1, 4)
    graph = Graph("neurons", "test", has_batch=False)
    value = graph.input("x", (1, 4))
    graph.outputs = [step(graph, "f", "activation", value, function="relu")]
    assert lowered(graph)[0].layers[0].outputs[0].shape == (1, 4)


def test_a_step_that_needs_the_first_axis_reads_a_view_of_it() -> None:
    graph = Graph("stacked", "test")
    value = graph.input("x", (1, 4))
    both = step(graph, "both", "concatenate", value, value, axis=0)
    graph.outputs = [step(graph, "f", "activation", both, function="relu")]
    network, workload = lowered(graph, batch=3)
    assert [layer.outputs[0].shape for layer in network.layers] == [(4,), (2, 4), (2, 4)]
    assert workload.tensors["f/output"].shape == (3, 2, 4)


def test_faults_name_the_node() -> None:
    graph = Graph("faulty", "test")
    value = graph.input("x", (1, 4))
    with pytest.raises(ShapeError, match=r"node 'bad' of test\.matmul.*cannot be summed"):
        step(graph, "bad", "matmul", value, graph.constant("w", (5, 5)))
    with pytest.raises(ShapeError, match="cannot be seen as"):
        step(graph, "bad", "reshape", value, shape=(3,))
    with pytest.raises(ReadError, match="no operation 'nothing'"):
        step(graph, "bad", "nothing", value)


def test_a_layer_is_for_the_shapes_that_its_source_was_read_for() -> None:
    network, _ = lowered(small())
    with pytest.raises(ShapeError, match=r"does not fit it"):
        network.bind({"image": (3, 16, 16)})


def test_a_scenario_may_give_a_layer_other_formats() -> None:
    network = network_of(small())
    int4 = parse_format("int4")
    scenario = costmodel.Scenario(formats={"conv": int4})
    estimates = [
        costmodel.estimate(network, ["cpu", "horowitz-45nm"], scenario=one, registry=REGISTRY)
        for one in (costmodel.Scenario(), scenario)
    ]
    plain, narrow = [one.total("horowitz-45nm").energy_joules for one in estimates]
    assert narrow < plain
    declared = layer_formats.declared(layer_formats.with_formats(network, {"conv": int4}))
    body = declared.layer("conv").workload()
    assert isinstance(body, Workload)
    (operator,) = body.operators
    assert [operand.tensor.format for operand in operator.operands[1:]] == [int4] * 3


def test_notes_of_a_reader_stay_with_the_network() -> None:
    graph = small()
    graph.notes.append("the source says so")
    network = network_of(graph)
    assert network.notes == ("the source says so",)
    assert costmodel.read(network.to_json()).notes == network.notes
    schema = json.loads((ROOT / "costmodel/network/network.schema.json").read_text())
    jsonschema.validate(json.loads(network.to_json()), schema)
    assert evolve(network, name="other").notes == network.notes
